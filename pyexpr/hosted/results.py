"""Results for R: all tables at once, so that they remain available without this process."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any

from pyexpr.base.errors import DataError, PyexprError, SavedResultError
from pyexpr.base.results import Result, jsonable
from pyexpr.base.saved import pack
from pyexpr.hosted.voice import in_r

if TYPE_CHECKING:
    import pandas as pd

# Further tables of each result, by the name of their method or attribute.
_TABLES: dict[str, tuple[str, ...]] = {
    "AgreementResult": ("by_category", "counts"),
    "CFAResult": ("glance", "loadings", "standardized", "reliability"),
    "CoefficientResult": ("contrasts", "omnibus"),
    "ContrastResult": ("omnibus",),
    "DesignStudyResult": ("cheapest",),
    "ErrorSlopesResult": ("contrasts", "omnibus"),
    "FeatureResult": ("quality", "recordings", "dropped", "means"),
    "MovementSeries": ("dropped",),
    "SynchronyResult": ("windows",),
    "ICCResult": ("counts", "mean_reliability"),
    "InvarianceResult": ("glance", "contrasts", "estimates", "fit_measures"),
    "ModelsResult": (
        "predictions",
        "tuning",
        "weights",
        "folds",
        "left_out",
        "warned",
        "constant",
        "unseen",
    ),
    "MultilevelICCResult": ("components", "counts"),
    "PersonSlopesResult": ("reliability",),
    "PooledCoefficientResult": ("contrasts", "variation", "variances"),
    "PlanResult": ("required",),
    "RaterDiagnosticsResult": ("by_rater", "scale_use"),
    "SensitivityResult": ("summary", "specifications", "work"),
    "TraceReliabilityResult": ("lags", "traces", "frames", "mean_trace"),
    "TrackedVideos": ("dropped",),
    "VarianceComponentsResult": ("counts",),
}

_kept: dict[int, Any] = {}
_keys = count(1)


def keep(value: Any) -> int:
    """Store an object for later calls from R, and return its key."""
    key = next(_keys)
    _kept[key] = value
    return key


def kept(key: int) -> Any:
    """Return the object of a key."""
    if key not in _kept:
        raise DataError("this result was forgotten; compute it again")
    return _kept[key]


def pop(key: int) -> Any:
    """Return the object of a key, and remove it."""
    value = kept(key)
    del _kept[key]
    return value


def release(keys: list[int]) -> None:
    """Remove objects that R no longer needs."""
    for key in keys:
        _kept.pop(key, None)


def described(result: Result) -> dict[str, Any]:
    """Return tables, sentences, provenance, key and bytes of a result.

    R stores the bytes together with the tables, so that a result can be saved in R and used in
    another session.
    """
    name = type(result).__name__
    return {
        "result": name,
        "key": keep(result),
        "saved": _saved(result),
        "heading": result.heading(),
        "notes": [in_r(note) for note in result.notes()],
        "tables": {key: _narrow(table) for key, table in _tables(result, name).items()},
        "provenance": jsonable(result.provenance()),
    }


def _saved(result: Result) -> bytes | None:
    """Return a result's bytes; None for results that only have tables, such as a study."""
    try:
        return pack(result)
    except SavedResultError:
        return None


def _narrow(table: pd.DataFrame) -> pd.DataFrame:
    """Return counts with missing values as Int32, because Int64 corresponds to R's integer64."""
    wide = [name for name in table.columns if str(table[name].dtype) == "Int64"]
    small = [name for name in wide if not (table[name].abs() >= 2**31).any()]
    return table.astype(dict.fromkeys(small, "Int32")) if small else table


def _tables(result: Any, name: str) -> dict[str, pd.DataFrame]:
    tables: dict[str, pd.DataFrame] = {"tidy": result.tidy()}
    if name == "StudyResult":
        for stage in result.stages.values():
            tables.update(stage.tables)
        return tables
    for table in _TABLES.get(name, ()):
        source: pd.DataFrame | Callable[[], pd.DataFrame] | None = getattr(result, table, None)
        try:
            found = source() if callable(source) else source
        except PyexprError:
            # The table is not defined for this result: a single context has no contrasts.
            continue
        if found is not None:
            tables[table] = found
    return tables
