"""lavaan's own invariance tests: three models, chi-square differences, changes in fit.

lavaan treats the contexts as independent samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pyexpr.base.errors import (
    EngineError,
    FactorModelError,
    LavaanNotFoundError,
    RError,
    RNotFoundError,
)
from pyexpr.base.messages import message_of
from pyexpr.measurement.engines.choice import ENGINES, r_engines
from pyexpr.measurement.invariance.notes import LAVAAN_NOT_USED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyexpr.measurement.engines.protocol import FitOutput, FitRequest
    from pyexpr.measurement.specification import MeasurementModel

LEVELS = ("configural", "metric", "scalar")
_EQUAL = {"configural": (), "metric": ("loadings",), "scalar": ("loadings", "intercepts")}
# lavaan's measures, robust ones first where there are any.
_FIT = {
    "cfi": ("cfi.robust", "cfi"), "tli": ("tli.robust", "tli"),
    "rmsea": ("rmsea.robust", "rmsea"), "srmr": ("srmr",),
    "aic": ("aic",), "bic": ("bic",), "logl": ("logl",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LavaanFits:
    """lavaan's fit at each level, or the reason why there is none.

    Attributes
    ----------
    outputs : dict of str to FitOutput
    reasons : dict of str to str
        For the levels without an output.
    engine : str
        "" if lavaan was not reached.
    """

    outputs: dict[str, FitOutput]
    reasons: dict[str, str]
    engine: str

    def measures(self, level: str) -> dict[str, float]:
        """Return chisq, df, p_value, cfi, tli, rmsea, srmr, aic, bic, logl; NaN without a fit."""
        found = self.outputs[level].measures if level in self.outputs else {}
        # Robust, where there is such a test: its p-value is of this chi-square.
        chisq = found.get("chisq.scaled", found.get("chisq", math.nan))
        row = {"chisq": chisq, "df": found.get("df", math.nan)}
        row["p_value"] = found.get("pvalue.scaled", found.get("pvalue", math.nan))
        for name, sources in _FIT.items():
            there = [found[key] for key in sources if not math.isnan(found.get(key, math.nan))]
            row[name] = there[0] if there else math.nan
        return row

    def difference(self, level: str) -> dict[str, float]:
        """Return chisq_diff, df_diff, p_value and the changes in fit from the level before."""
        names = ("cfi", "rmsea", "srmr")
        at = LEVELS.index(level)
        if at == 0:
            values = {f"{name}_diff": math.nan for name in names}
            return {"chisq_diff": math.nan, "df_diff": math.nan, "p_value": math.nan, **values}
        before, after = self.measures(LEVELS[at - 1]), self.measures(level)
        chisq, df = self._chisq_difference(LEVELS[at - 1], level)
        return {
            "chisq_diff": chisq, "df_diff": df, "p_value": _tail(chisq, df),
            **{f"{name}_diff": after[name] - before[name] for name in names},
        }  # fmt: skip

    def _chisq_difference(self, first: str, second: str) -> tuple[float, float]:
        """Return the difference, scaled as in Satorra and Bentler (2001) for MLR."""
        if first not in self.outputs or second not in self.outputs:
            return math.nan, math.nan
        free, equal = self.outputs[first].measures, self.outputs[second].measures
        df = equal["df"] - free["df"]
        chisq = equal["chisq"] - free["chisq"]
        if "chisq.scaling.factor" not in equal:
            return chisq, df
        scaled = [
            fit["df"] * fit["chisq.scaling.factor"] if fit["df"] > 0 else 0.0
            for fit in (free, equal)
        ]
        factor = (scaled[1] - scaled[0]) / df
        # A negative factor has no meaning; lavaan gives no number then either.
        return (chisq / factor if factor > 0 else math.nan), df


def _tail(chisq: float, df: float) -> float:
    if math.isnan(chisq):
        return math.nan
    from scipy.special import chdtrc

    return float(chdtrc(df, max(chisq, 0.0)))


def freed_parameters(
    model: MeasurementModel, loadings: Sequence[str], intercepts: Sequence[str]
) -> tuple[tuple[str, str, str], ...]:
    """Return lavaan's ``group.partial`` for indicators with free loadings and intercepts."""
    terms = [(t.lhs, "=~", t.rhs) for t in model.terms if t.op == "=~" and t.rhs in loadings]
    return (*terms, *((name, "~1", "") for name in intercepts))


def lavaan_fits(
    request: FitRequest, freed: tuple[tuple[str, str, str], ...], engine: str
) -> LavaanFits:
    """Fit the three models with lavaan, or give the reason if this is not possible.

    With engine "auto" a missing R or lavaan is a reason, not an error.
    """
    if engine == "native":
        return LavaanFits({}, dict.fromkeys(LEVELS, LAVAAN_NOT_USED), "")
    names = r_engines() if engine == "auto" else [engine]
    missing: EngineError | None = None
    for name in names:
        try:
            return _three(request, freed, name)
        except (RNotFoundError, LavaanNotFoundError) as error:
            if engine != "auto":
                raise
            missing = missing or error
    assert missing is not None  # r_engines() is never empty
    return LavaanFits({}, dict.fromkeys(LEVELS, message_of(missing)), "")


def _three(request: FitRequest, freed: tuple[tuple[str, str, str], ...], engine: str) -> LavaanFits:
    outputs: dict[str, FitOutput] = {}
    reasons: dict[str, str] = {}
    for level in LEVELS:
        equal = _EQUAL[level]
        # An intercept is named only where intercepts are held: lavaan warns otherwise.
        partial = tuple(f for f in freed if equal and (f[1] == "=~" or "intercepts" in equal))
        requested = replace(request, group_equal=equal, group_partial=partial)
        try:
            outputs[level] = ENGINES[engine]().fit(requested)
        except (FactorModelError, RError) as error:
            reasons[level] = message_of(error)
    return LavaanFits(outputs, reasons, engine)
