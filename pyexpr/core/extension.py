"""The only module that imports the extension `pyexpr._core`."""

from __future__ import annotations

try:
    import pyexpr._core as kernels
except ImportError as error:  # pragma: no cover - needs a checkout without a build
    raise ImportError(
        "pyexpr's compiled part (pyexpr._core) is not built for this Python. In a checkout run "
        "'make demo', or 'pip install -e .'; otherwise reinstall pyexpr-stats. "
        f"The loader said: {error}"
    ) from error

__all__ = ["kernels"]
