"""The deep models. Names are resolved when first used, and torch is loaded only then."""

from __future__ import annotations

from importlib import import_module
from typing import Any

# Public name -> the module it lives in.
_PUBLIC: dict[str, str] = {
    "LSTMRegressor": "pyexpr.deep.lstm_regressor",
    "OpenFaceLSTM": "pyexpr.deep.lstm",
    "Video3DNet": "pyexpr.deep.resnet3d",
    "Video3DRegressor": "pyexpr.deep.video_regressor",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'pyexpr.deep' has no attribute {name!r}")
    from pyexpr.deep.requirements import require

    require()
    value = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
