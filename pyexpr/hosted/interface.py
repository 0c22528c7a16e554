"""The entry point for R: a request in R's serialization, and an answer in it.

Numbers are passed as raw bytes, so that they do not depend on the version of reticulate. Warnings
and errors are in the answer as data; nothing is raised into R and no traceback is printed. R passes
two functions when it starts. One fits the factor model (`pyexpr.measurement.engines.host_engine`),
and the other calls a function of the user, for the bootstrap of any statistic.
"""

from __future__ import annotations

import re
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from pyexpr.base.errors import PyexprError
from pyexpr.base.messages import message_of
from pyexpr.hosted import results, verbs
from pyexpr.hosted.callback import register_caller
from pyexpr.hosted.interrupts import quieten_handler
from pyexpr.hosted.values import to_python, to_r
from pyexpr.hosted.voice import in_r
from pyexpr.measurement.engines import host_engine, wire

#: Counts up whenever the R package of before could not talk to this any more.
PROTOCOL = 1

# Warnings of Python for programmers, which are not for data analysts.
_SILENT = (
    DeprecationWarning,
    PendingDeprecationWarning,
    FutureWarning,
    ImportWarning,
    ResourceWarning,
)


def bridge_text() -> str:
    """Return bridge.R, which R evaluates in a separate environment."""
    return host_engine.bridge_text()


def register(fit: Callable[[bytearray], Any], call: Callable[[bytearray], Any]) -> bool:
    """Store the two functions of R, which take and return raw bytes.

    Returns whether only R's flag reports Ctrl-C; see `quieten_handler`.
    """
    # Every table needs pandas, and Ctrl-C during its import would leave it incomplete.
    import pandas as pd  # noqa: F401

    host_engine.register(fit)
    register_caller(call)
    return quieten_handler()


def keep(value: Any) -> int:
    """Store a Python object that R holds by reticulate, under a key."""
    return results.keep(value)


def answer(request: bytes | bytearray) -> bytearray:
    """Execute a request; the answer contains the value, warnings and error."""
    value: Any = None
    error: dict[str, Any] | None = None
    interrupted = False
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            # R's NA is a signalling NaN, and NumPy would warn at the first sum.
            with np.errstate(invalid="ignore"):
                value = to_r(_done(wire.decode(bytes(request))))
        except KeyboardInterrupt:
            interrupted = True
        except Exception as problem:
            error = _error(problem)
    categories = {
        in_r(message_of(item.message)): item.category
        for item in caught
        if not issubclass(item.category, _SILENT)
    }
    reply = {
        "value": value,
        "warnings": {
            str(i): {"classes": _classes(category), "message": text}
            for i, (text, category) in enumerate(categories.items())
        },
        "error": error,
        "interrupted": interrupted,
    }
    return bytearray(wire.encode(reply))


def _done(request: dict[str, Any]) -> Any:
    results.release([int(key) for key in request["released"]])
    arguments = to_python(request["arguments"])
    verb = request["verb"][0]
    return getattr(verbs, f"do_{verb}")(**arguments)


def _error(problem: Exception) -> dict[str, Any]:
    ours = isinstance(problem, PyexprError)
    text = in_r(message_of(problem)) or type(problem).__name__
    return {
        "classes": _classes(type(problem)),
        "message": text if ours else f"{type(problem).__name__}: {text}",
        "reason": getattr(problem, "reason", None),
        "traceback": "".join(traceback.format_exception(problem)),
    }


def _classes(kind: type[BaseException]) -> list[str]:
    """Return the classes of the condition in R: pyexpr_column_error, pyexpr_data_error, ..."""
    ours = [base.__name__ for base in kind.__mro__ if base.__module__.startswith("pyexpr.")]
    names = [name.removeprefix("Pyexpr") for name in ours] or [kind.__name__]
    return [f"pyexpr_{_snake_case(name)}" for name in names]


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
