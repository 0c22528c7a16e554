"""Data that do not determine the factor model: the same typed error by every engine."""

from __future__ import annotations

import locale
import signal
import sys
import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from parity import hosted
from parity.factor_model import ENGINES, exactly
from pyexpr.base.errors import EngineError, FactorModelError
from pyexpr.measurement.engines import host_engine
from pyexpr.measurement.factor.cfa import cfa
from pyexpr.report.tables.display import DisplayTable

ABC = {"f": ["a", "b", "c"]}


def _good() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    factor = rng.normal(size=50)
    return {name: factor + rng.normal(size=50) for name in "abc"}


GOOD = _good()
OPPOSED = np.array([[1.0, 0.5, 0.5], [0.5, 1.0, -0.2], [0.5, -0.2, 1.0]])
HALVES = np.repeat(["pain", "startle"], 25)


@dataclass(frozen=True, slots=True)
class Degenerate:
    """Data and model that must be refused, and the reason."""

    reason: str
    data: dict[str, Any]
    model: Any = field(default_factory=lambda: ABC)
    options: dict[str, Any] = field(default_factory=dict)


def _one_group_constant() -> dict[str, Any]:
    return {**GOOD, "b": np.where(HALVES == "startle", 2.0, GOOD["b"]), "context": HALVES}


def _one_group_opposed() -> dict[str, Any]:
    there = HALVES == "startle"
    opposed = exactly(OPPOSED, 25)
    table: dict[str, Any] = {name: values.copy() for name, values in GOOD.items()}
    for j, name in enumerate("abc"):
        table[name][there] = opposed[:, j]
    return {**table, "context": HALVES}


def _noise() -> dict[str, Any]:
    """Twelve rows in which no factor is to be found: a residual variance runs off below 0."""
    rows = np.random.default_rng(SEED).normal(size=(5, 12))
    return dict(zip("abcde", rows, strict=True))


SEED = 0
CASES = {
    "constant indicator": Degenerate("constant_indicator", {**GOOD, "b": np.full(50, 0.1)}),
    "two indicators": Degenerate("too_few_indicators", GOOD, {"f": ["a", "b"]}),
    "as many rows as indicators": Degenerate(
        "too_few_rows", {name: values[:3] for name, values in GOOD.items()}
    ),
    "no rows": Degenerate("too_few_rows", {name: values[:0] for name, values in GOOD.items()}),
    "singular covariance": Degenerate(
        "singular_covariance", {**GOOD, "c": GOOD["a"] - 2 * GOOD["b"] + 5}
    ),
    "non-positive product": Degenerate(
        "nonpositive_product", dict(zip("abc", exactly(OPPOSED, 50).T, strict=True))
    ),
    "one group constant": Degenerate(
        "constant_indicator", _one_group_constant(), options={"context": "context"}
    ),
    "one group non-positive": Degenerate(
        "nonpositive_product", _one_group_opposed(), options={"context": "context"}
    ),
    "no maximum of the likelihood": Degenerate("not_converged", _noise(), {"f": list("abcde")}),
}


def outcome(name: str, engine: str) -> tuple[str, str, str]:
    """Return (type of the error, its reason, its text), or what went through."""
    case = CASES[name]
    try:
        fit = cfa(pd.DataFrame(case.data), case.model, engine=engine, **case.options)
    except FactorModelError as error:
        return type(error).__name__, error.reason, str(error)
    return "no error", "", str(fit)


def outcome_by(name: str, engine: str) -> tuple[str, str, str]:
    """Do the same, the host engine in a Python that R hosts."""
    if engine == "host":
        found: tuple[str, str, str] = hosted.result(f"degenerate {name}")
        return found
    return outcome(name, engine)


def table() -> DisplayTable:
    """Show the reason that each engine gives."""
    engines = [engine for engine in ENGINES if engine != "host" or hosted.POSSIBLE]
    return DisplayTable(
        title="Data that do not determine the factor model",
        columns=("data", *engines),
        rows=tuple((name, *(outcome_by(name, engine)[1] for engine in engines)) for name in CASES),
        notes=("The reason of the FactorModelError that each engine raises.",),
        text_columns=1 + len(engines),
    )


def second_thread() -> str:
    """Ask the hosting R from another thread; return its versions or the error."""
    results = []

    def work() -> None:
        try:
            results.append(str(host_engine.ask({"task": "versions"}).versions))
        except EngineError as error:
            results.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return results[0]


def state() -> list[Any]:
    """What R must leave as it was: the locale, the console, the handler of Ctrl-C."""
    places = (locale.LC_COLLATE, locale.LC_CTYPE, locale.LC_NUMERIC, locale.LC_TIME)
    return [
        [locale.setlocale(place) for place in places],
        [sys.stdout.fileno(), sys.stderr.fileno()] if sys.stdout is sys.__stdout__ else [],
        str(signal.getsignal(signal.SIGINT)),
    ]


hosted.add("state before", state)
for _name in CASES:
    hosted.add(f"degenerate {_name}", lambda name=_name: outcome(name, "host"))
hosted.add("second thread", second_thread)
hosted.add("state after", state)
