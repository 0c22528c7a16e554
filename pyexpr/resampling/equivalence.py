r"""Tests of equivalence: whether quantities lie within a region of practically equal values.

Two one-sided tests (Schuirmann 1987): equivalence to the region (L, U) is shown at the level
:math:`\alpha` if both hypotheses, that the quantity is at most L and that it is at least U, are
rejected at :math:`\alpha`. This is the case exactly if the interval with confidence
:math:`1 - 2\alpha` of the same method lies within the region.

References
----------
Schuirmann, D. J. (1987). Journal of Pharmacokinetics and Biopharmaceutics, 15, 657-680.
https://doi.org/10.1007/BF01068419
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import is_number
from pyexpr.base.errors import DataError, counted, listed
from pyexpr.base.messages import Template, message_column, say
from pyexpr.base.results import Result
from pyexpr.base.versions import versions
from pyexpr.resampling.intervals.evidence import Evidence
from pyexpr.resampling.intervals.methods import compute

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

EQUIVALENT, NOT_EQUIVALENT, UNDECIDED = "equivalent", "not equivalent", "undecided"
NOTE_REGION = Template(
    "equivalence_region",
    "equivalent: both one-sided tests are significant, and the {level:g} % interval lies within "
    "the region; not equivalent: it lies outside; undecided: the data do not decide, which does "
    "not show that the values differ or that they are equal",
)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class EquivalenceResult(Result):
    """Tests of equivalence, one row per quantity.

    Attributes
    ----------
    keys, structure : mapping of str to tuple
        The columns with the label of a row, and those that identify it.
    estimate, conf_low, conf_high : (rows,) float64
        The limits are those of the interval with confidence 1 - 2 alpha.
    region_low, region_high, p_low, p_high : (rows,) float64
        The region, and the p-values of the two one-sided tests.
    alpha : float
        Level of the tests.
    method : str
        Method of the interval.
    reason : tuple of str
    remarks : tuple of str
        Notes on the data, from the result that was tested.
    """

    keys: Mapping[str, tuple[str, ...]]
    structure: Mapping[str, tuple[str, ...]]
    estimate: NDArray[np.float64]
    conf_low: NDArray[np.float64]
    conf_high: NDArray[np.float64]
    region_low: NDArray[np.float64]
    region_high: NDArray[np.float64]
    p_low: NDArray[np.float64]
    p_high: NDArray[np.float64]
    alpha: float
    method: str
    reason: tuple[str, ...]
    remarks: tuple[str, ...] = ()

    def tidy(self) -> pd.DataFrame:
        """Return one row per quantity.

        Columns: those that name it, estimate, conf_low and conf_high (of the interval with
        confidence 1 - 2 alpha), region_low, region_high, p_low (test that the quantity is at most
        region_low), p_high (test that it is at least region_high), p_value (the larger of both),
        conclusion (``"equivalent"``, ``"not equivalent"`` or ``"undecided"``), method, reason, and
        the identification of the row.
        """
        import pandas as pd

        return pd.DataFrame(
            {
                **self.keys,
                "estimate": self.estimate,
                "conf_low": self.conf_low,
                "conf_high": self.conf_high,
                "region_low": self.region_low,
                "region_high": self.region_high,
                "p_low": self.p_low,
                "p_high": self.p_high,
                "p_value": np.maximum(self.p_low, self.p_high),
                "conclusion": self._conclusions(),
                "method": self.method,
                "reason": message_column(self.reason),
                **self.structure,
            }
        )

    def _conclusions(self) -> list[str]:
        p = np.maximum(self.p_low, self.p_high)
        outside = (self.conf_low > self.region_high) | (self.conf_high < self.region_low)
        found = np.where(p <= self.alpha, EQUIVALENT, np.where(outside, NOT_EQUIVALENT, UNDECIDED))
        return ["" if np.isnan(value) else str(one) for one, value in zip(found, p, strict=True)]

    def printed(self) -> pd.DataFrame:
        """Return the table for printing, in which labels identify the rows."""
        return self.tidy().drop(columns=list(self.structure))

    def heading(self) -> str:
        """Return a sentence that says what was tested."""
        return (
            f"Equivalence, {counted(len(self.estimate), 'row')}: two one-sided tests at the level "
            f"{self.alpha:g}"
        )

    def notes(self) -> tuple[str, ...]:
        """Return what the conclusions mean."""
        return (NOTE_REGION(level=100 * (1 - 2 * self.alpha)), *self.remarks)

    def provenance(self) -> dict[str, Any]:
        """Return level, method and versions."""
        return {"alpha": self.alpha, "method": self.method, "versions": versions("scipy")}


def equivalence_of(
    evidence: Evidence,
    rows: NDArray[np.int64],
    region: tuple[NDArray[np.float64], NDArray[np.float64]],
    *,
    alpha: float,
    method: str,
    keys: Mapping[str, Sequence[str]],
    structure: Mapping[str, Sequence[str]],
    remarks: tuple[str, ...],
) -> EquivalenceResult:
    """Test the quantities in these rows, each against a region, (rows,) low and high."""
    low, high = region
    inside = compute(evidence, method, 1 - 2 * alpha)
    estimate = evidence.shown(evidence.estimate)[rows]
    p_low = _one_sided(evidence, rows, low, method, alpha, above=True)
    p_high = _one_sided(evidence, rows, high, method, alpha, above=False)
    missing = np.isnan(inside.low[rows])
    p_low[missing] = p_high[missing] = np.nan

    def of_rows(columns: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
        return {name: tuple(values[row] for row in rows) for name, values in columns.items()}

    return EquivalenceResult(
        keys=of_rows(keys),
        structure=of_rows(structure),
        estimate=estimate,
        conf_low=evidence.shown(inside.low)[rows],
        conf_high=evidence.shown(inside.high)[rows],
        region_low=low,
        region_high=high,
        p_low=p_low,
        p_high=p_high,
        alpha=alpha,
        method=method,
        reason=tuple(inside.reason[row] for row in rows),
        remarks=remarks,
    )


def _one_sided(
    evidence: Evidence,
    rows: NDArray[np.int64],
    bound: NDArray[np.float64],
    method: str,
    alpha: float,
    *,
    above: bool,
) -> NDArray[np.float64]:
    """Return the p-values of the hypotheses that quantities are at most (at least) a bound."""
    null = np.full(len(evidence.estimate), np.nan)
    null[rows] = bound
    if evidence.ratio is not None:
        null[evidence.ratio] = np.log(null[evidence.ratio])
    found = compute(replace(evidence, null=null), method, 1 - 2 * alpha)
    two_sided = found.p_value[rows]
    away = evidence.estimate[rows] - null[rows]
    right = away > 0 if above else away < 0
    p = np.where(right, two_sided / 2, 1 - two_sided / 2)
    # Without variation there is no test, but no uncertainty either.
    known = np.isnan(two_sided) & (found.low[rows] == found.high[rows])
    return np.asarray(np.where(known, np.where(right, 0.0, 1.0), p))


def checked_region(region: Any, metrics: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Return the region of each metric; `DataError` if it is invalid."""
    if isinstance(region, Mapping):
        unknown = [name for name in region if name not in metrics]
        if unknown or not region:
            raise DataError(
                say(
                    "{region=} names {unknown}, but the metrics of the result are {names}",
                    unknown=listed(unknown) or "no metric",
                    names=listed(dict.fromkeys(metrics)),
                )
            )
        return {name: checked_bounds(one) for name, one in region.items()}
    pair = checked_bounds(region)
    return dict.fromkeys(metrics, pair)


def checked_bounds(region: Any) -> tuple[float, float]:
    """Return the two ends of a region; `DataError` unless they are two in ascending order."""
    values = list(region) if isinstance(region, Sequence) or hasattr(region, "tolist") else []
    if isinstance(region, str) or len(values) != 2 or not all(map(is_number, values)):
        raise DataError(
            say(
                "{region=} must be two numbers, the lowest and the highest value that is "
                "practically equal, such as (-0.02, 0.02), not {given!r}",
                given=region,
            )
        )
    low, high = float(values[0]), float(values[1])
    if not low < high:
        raise DataError(say("{region=} must begin below its end, not {given!r}", given=(low, high)))
    return low, high


def checked_alpha(alpha: Any) -> float:
    """Return the level of the tests; `DataError` unless it is between 0 and 0.5."""
    if not is_number(alpha) or not 0 < alpha < 0.5:
        raise DataError(say("{alpha=} must be between 0 and 0.5, not {given!r}", given=alpha))
    return float(alpha)
