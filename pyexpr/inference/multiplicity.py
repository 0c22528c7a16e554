"""Several tests at once: Holm's steps, and the largest of all statistics.

Sources: Holm (1979); Westfall and Young (1993), chapter 2, for max-T.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.errors import DataError, listed
from pyexpr.base.holm import holm
from pyexpr.inference.intervals.evidence import Evidence, Intervals
from pyexpr.inference.intervals.jackknife_t import jackknife_t
from pyexpr.inference.intervals.methods import compute
from pyexpr.inference.intervals.studentized import studentize

if TYPE_CHECKING:
    from numpy.typing import NDArray

ADJUSTMENTS = ("holm", "max_t")
#: What makes the intervals of a rule simultaneous: Holm's steps are of p-values alone.
OF_INTERVALS = {"holm": "Bonferroni", "max_t": "max-T"}


def check_rule(rule: str) -> None:
    """Raise `DataError` if there is no such rule."""
    if not isinstance(rule, str) or rule not in ADJUSTMENTS:
        raise DataError(f"adjust= must be one of {listed(ADJUSTMENTS)}, not {rule!r}")


def adjust(
    evidence: Evidence,
    intervals: Intervals,
    families: Sequence[NDArray[np.int64]],
    rule: str,
) -> Intervals:
    """Return the intervals with those of each family made simultaneous, and p adjusted.

    Parameters
    ----------
    families : sequence of (m,) int64
        Positions of the quantities judged together.
    rule : {"holm", "max_t"}
        ``holm``: p by Holm's steps, intervals each at ``1 - (1 - confidence)/m`` by the
        method at hand (Bonferroni). ``max_t``: the distribution of the largest
        ``|T* - T|/SE*`` of the family, SE* that of the replicate.
    """
    check_rule(rule)
    base = intervals if rule == "holm" else jackknife_t(evidence, intervals.confidence)
    adjusted = np.full(len(intervals.low), np.nan)
    marks = [""] * len(intervals.low)
    result = replace(
        intervals,
        method=list(intervals.method),
        statistic=intervals.statistic.copy(),
        low=intervals.low.copy(),
        high=intervals.high.copy(),
        p_adjusted=adjusted,
        adjustment=marks,
        rule=rule,
    )
    at_level: dict[int, Intervals] = {}
    pivots = None
    for family in families:
        if rule == "holm":
            tested = family[~np.isnan(intervals.p_value[family])]
            m = len(tested)
            if m == 0:
                continue
            if m not in at_level:
                level = 1 - (1 - intervals.confidence) / m
                at_level[m] = compute(evidence, intervals.asked, level)
            adjusted[tested] = holm(intervals.p_value[tested])
            for values, wider in ((result.low, at_level[m].low), (result.high, at_level[m].high)):
                values[tested] = wider[tested]
        else:
            if pivots is None:
                pivots = studentize(evidence)
            tested = family[~np.isnan(base.statistic[family])]
            if len(tested) == 0:
                continue
            adjusted[tested] = _max_t(evidence, pivots, tested, base, result)
        for row in tested:
            marks[row] = rule
    return result


def _max_t(
    evidence: Evidence,
    pivots: NDArray[np.float64],
    family: NDArray[np.int64],
    base: Intervals,
    result: Intervals,
) -> NDArray[np.float64]:
    """Fill in the rows of one family, differences on their own scale; return adjusted p."""
    largest = np.abs(pivots[family]).max(axis=0)
    largest = np.sort(largest[~np.isnan(largest)])
    B = len(largest)
    least = int(np.ceil(1 / (1 - result.confidence) - 1 - 1e-9))
    if least > B:
        raise DataError(
            f"max_t at confidence {result.confidence:g} needs {least} replicates, but has {B} in "
            "which every difference of the family is defined"
        )
    # The rank that makes the intervals agree with p.
    reach = largest[min(int(np.ceil((B + 1) * result.confidence - 1e-9)), B) - 1]
    at_least = B - np.searchsorted(largest, np.abs(base.statistic[family]), side="left")
    result.statistic[family] = base.statistic[family]
    result.low[family] = evidence.estimate[family] - reach * base.std_error[family]
    result.high[family] = evidence.estimate[family] + reach * base.std_error[family]
    for row in family:
        result.method[row] = "max_t"
    return np.asarray((at_least + 1) / (B + 1))
