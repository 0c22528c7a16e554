"""The choice of the engine: the requested one, or the first that can fit the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pyexpr.base.errors import DataError, EngineError, LavaanNotFoundError, RNotFoundError, listed
from pyexpr.base.messages import Template, message_of, say
from pyexpr.measurement.engines import host_engine, rpy2_engine, rscript_engine
from pyexpr.measurement.engines.host_engine import HostEngine
from pyexpr.measurement.engines.native_engine import NativeEngine, refuse_unsupported
from pyexpr.measurement.engines.protocol import (
    Answer,
    Engine,
    FitOutput,
    FitRequest,
    fitted_and_more,
)
from pyexpr.measurement.engines.rpy2_engine import Rpy2Engine
from pyexpr.measurement.engines.rscript_engine import RscriptEngine

ENGINES: dict[str, type[Engine]] = {
    "host": HostEngine,
    "rpy2": Rpy2Engine,
    "rscript": RscriptEngine,
    "native": NativeEngine,
}


@dataclass(frozen=True, slots=True)
class Fitted:
    """The output of a fit, and the engine that computed it."""

    output: FitOutput
    engine: str


BY_NATIVE = Template("fitted_natively", "fitted by the native engine, because {missing}")


def checked_engine(engine: str) -> str:
    """Return the name of an engine, or raise `DataError`."""
    if engine not in ("auto", *ENGINES):
        # rpy2 inside R is refused.
        known = [name for name in ENGINES if name != "rpy2" or not host_engine.hosted_by_r()]
        raise DataError(
            say(
                "{engine=} must be one of {names}, not {given!r}",
                names=listed(["auto", *known]),
                given=engine,
            )
        )
    return engine


def fit_with(engine: str, request: FitRequest) -> Fitted:
    """Fit with the named engine, or for "auto" with the first that works here.

    The order of "auto": the hosting R, R in this process, an Rscript child, C++.
    Only a missing R or lavaan leads on to the next; other errors are raised.
    """
    if engine != "auto":
        return Fitted(ENGINES[engine]().fit(request), engine)
    missing: EngineError | None = None
    for name in r_engines():
        try:
            return Fitted(ENGINES[name]().fit(request), name)
        except (RNotFoundError, LavaanNotFoundError) as error:
            missing = missing or error
    assert missing is not None  # r_engines() is never empty
    try:
        refuse_unsupported(request)
    except EngineError:
        raise missing from None
    output = NativeEngine().fit(request)
    note = BY_NATIVE(missing=message_of(missing))
    return Fitted(replace(output, messages=(*output.messages, note)), "native")


_ASK: dict[str, Callable[[dict[str, Any]], Answer]] = {
    "host": host_engine.ask, "rpy2": rpy2_engine.ask, "rscript": rscript_engine.ask,
}  # fmt: skip


def fit_and_more(engine: str, request: FitRequest, task: str, **more: Any) -> tuple[FitOutput, Any]:
    """Fit once more with the same engine of lavaan, and do a further task of bridge.R."""
    return fitted_and_more(request, _ASK[engine], task, more)


def r_versions() -> dict[str, str]:
    """Return the versions of R and lavaan that would be used now; empty without R."""
    for name in r_engines():
        try:
            return _ASK[name]({"task": "versions"}).versions
        except EngineError:
            continue
    return {}


def engine_versions(engine: str) -> dict[str, str]:
    """Return the versions of R and lavaan that an engine would use; empty for the native engine.

    Raises
    ------
    EngineError
        If R or lavaan cannot be reached by the requested engine.
    """
    if engine == "auto":
        return r_versions()
    return {} if engine == "native" else _ASK[engine]({"task": "versions"}).versions


def r_engines() -> list[str]:
    """Return the engines that could reach R from this process and thread, best first."""
    if host_engine.usable_here():
        return ["host"]
    if host_engine.hosted_by_r() or not rpy2_engine.usable_here():
        return ["rscript"]
    return ["rpy2", "rscript"]
