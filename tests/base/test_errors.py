"""Every error and warning of the package crosses a process boundary with all it says."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
import pkgutil
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

import pyexpr
from pyexpr.base.errors import FactorModelError, Interrupted

# `make test-lowest` and `make test-newest` do without these; `make test` has them.
OF_DEEP_MODELS = ("torch", "torchvision", "lightning", "av", "safetensors")


def every_module() -> Iterator[ModuleType]:
    """Yield the modules of the package, those of the deep models where these are installed."""
    for module in pkgutil.walk_packages(pyexpr.__path__, "pyexpr."):
        if module.name == "pyexpr._core":
            continue
        try:
            yield importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            if not module.name.startswith("pyexpr.deep.") or error.name not in OF_DEEP_MODELS:
                raise


def every_class() -> Iterator[type[BaseException]]:
    """Yield the exceptions defined in any module of the package."""
    seen = set()
    for module in every_module():
        for value in vars(module).values():
            if (
                inspect.isclass(value)
                and issubclass(value, BaseException)
                and value.__module__.startswith("pyexpr.")
                and value not in seen
            ):
                seen.add(value)
                yield value


CLASSES = sorted(every_class(), key=lambda kind: kind.__name__)
WAYS: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda error: pickle.loads(pickle.dumps(error)),
    "old pickle": lambda error: pickle.loads(pickle.dumps(error, protocol=0)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


def made(kind: type[BaseException]) -> BaseException:
    """Return one with a text for every further argument its constructor wants."""
    wanted = {
        name: f"the {name}"
        for name, parameter in inspect.signature(kind.__init__).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
        or (parameter.kind is parameter.POSITIONAL_OR_KEYWORD and name not in ("self", "message"))
    }
    error = kind("a sentence about column 'a'", **wanted)
    error.add_note("a note")
    return error


def everything(error: BaseException) -> dict[str, Any]:
    # What Python keeps of OSError and ImportError is not in __dict__.
    of_python = ("errno", "strerror", "filename", "filename2", "msg", "name", "path")
    return {
        "type": type(error),
        "text": str(error),
        "args": error.args,
        **{name: getattr(error, name, None) for name in of_python},
        **vars(error),
    }


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_survives(kind: type[BaseException], way: str) -> None:
    error = made(kind)
    assert everything(WAYS[way](error)) == everything(error)


def test_the_classes_are_found() -> None:
    names = {kind.__name__ for kind in CLASSES}
    assert {"OutputError", "FunctionError", "Interrupted", "PyexprWarning"} <= names


def test_what_python_knows_of_a_file_or_module_survives() -> None:
    from pyexpr.base.errors import DeepNotInstalledError
    from pyexpr.base.files import OutputError

    for error in (
        OutputError(28, "No space left on device", "out.csv"),
        DeepNotInstalledError("torch is not installed", name="torch"),
    ):
        for way in WAYS.values():
            assert everything(way(error)) == everything(error)


def test_a_constructor_is_not_called_again() -> None:
    again = pickle.loads(pickle.dumps(FactorModelError("constant", reason="constant_indicator")))
    assert again.reason == "constant_indicator"
    assert pickle.loads(pickle.dumps(Interrupted("stopped", result=[1, 2]))).result == [1, 2]
