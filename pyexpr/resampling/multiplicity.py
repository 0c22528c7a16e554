"""Several tests at once: Holm's steps, and the largest of all statistics.

Source: Holm (1979); for max-T see `pyexpr.resampling.simultaneous`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.arrays import unmasked
from pyexpr.base.errors import DataError, listed
from pyexpr.resampling.intervals.evidence import Evidence, Intervals
from pyexpr.resampling.intervals.jackknife import jackknife_influence
from pyexpr.resampling.intervals.jackknife_t import jackknife_t
from pyexpr.resampling.intervals.methods import compute
from pyexpr.resampling.simultaneous import simultaneous

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

ADJUSTMENTS = ("holm", "max_t")


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust p-values by Holm's step-down rule; NaN stays NaN and is not counted.

    The i-th smallest of m becomes the largest of ``(m - j + 1) p_(j)`` over j up to
    i, at most 1. Controls the family-wise error whatever the dependence. Source: Holm
    (1979). Checked against R's ``p.adjust`` and statsmodels.

    Parameters
    ----------
    p_values : (m,) float

    Returns
    -------
    (m,) float64

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(unmasked(p_values), dtype=np.float64)
    adjusted = np.full(p.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    steps = (len(order) - np.arange(len(order))) * p[order]
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def check_rule(rule: str) -> None:
    """Raise `DataError` if there is no such rule."""
    if not isinstance(rule, str) or rule not in ADJUSTMENTS:
        raise DataError(f"adjust= must be one of {listed(ADJUSTMENTS)}, not {rule!r}")


def adjust(
    evidence: Evidence,
    intervals: Intervals,
    families: Sequence[NDArray[np.int64]],
    rule: str,
    seed: int,
) -> Intervals:
    """Return the intervals with those of each family made simultaneous, and p adjusted.

    Parameters
    ----------
    families : sequence of (m,) int64
        Positions of the quantities judged together.
    rule : {"holm", "max_t"}
        ``holm``: p by Holm's steps, intervals each at ``1 - (1 - confidence)/m`` by the
        method at hand (Bonferroni). ``max_t``: of jackknife_t, by the largest of the
        family, each test on its own degrees of freedom (`simultaneous`).
    seed : int
        Key of the draws of ``max_t``.
    """
    check_rule(rule)
    base = intervals if rule == "holm" else jackknife_t(evidence, intervals.confidence)
    adjusted = np.full(len(intervals.low), np.nan)
    marks = [""] * len(intervals.low)
    result = replace(
        intervals,
        method=list(intervals.method),
        statistic=intervals.statistic.copy(),
        df=intervals.df.copy(),
        std_error=intervals.std_error.copy(),
        p_value=intervals.p_value.copy(),
        low=intervals.low.copy(),
        high=intervals.high.copy(),
        p_adjusted=adjusted,
        adjustment=marks,
        rule=rule,
    )
    at_level: dict[int, Intervals] = {}
    for family in families:
        tested = family[~np.isnan(base.p_value[family])]
        m = len(tested)
        if m == 0:
            continue
        if rule == "holm":
            if m not in at_level:
                level = 1 - (1 - intervals.confidence) / m
                at_level[m] = compute(evidence, intervals.asked, level)
            adjusted[tested] = holm(intervals.p_value[tested])
            for values, wider in ((result.low, at_level[m].low), (result.high, at_level[m].high)):
                values[tested] = wider[tested]
        else:
            adjusted[tested] = _max_t(evidence, tested, base, result, seed)
        for row in tested:
            marks[row] = rule
    return result


def _max_t(
    evidence: Evidence,
    family: NDArray[np.int64],
    base: Intervals,
    result: Intervals,
    seed: int,
) -> NDArray[np.float64]:
    """Fill in the rows of one family, differences on their own scale; return adjusted p."""
    from scipy.special import stdtrit

    found = simultaneous(
        _influence(evidence, family), base.p_value[family], result.confidence, seed
    )
    half = stdtrit(base.df[family], (1 + found.confidence) / 2) * base.std_error[family]
    for name in ("statistic", "df", "std_error", "p_value"):
        getattr(result, name)[family] = getattr(base, name)[family]
    result.low[family] = evidence.estimate[family] - half
    result.high[family] = evidence.estimate[family] + half
    for row in family:
        result.method[row] = "max_t"
    return found.p_adjusted


def _influence(evidence: Evidence, family: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what each cluster adds to each quantity of a family, (clusters, m).

    Their squares add up to the jackknife variance; 0 for clusters not in a quantity.
    """
    n_all = max(
        sum(group.strata) if group.clusters is None else int(group.clusters.max()) + 1
        for group in evidence.groups
    )
    influence = np.zeros((n_all, len(family)))
    for group in evidence.groups:
        place = {int(row): k for k, row in enumerate(group.rows)}
        clusters = np.arange(sum(group.strata)) if group.clusters is None else group.clusters
        for column, row in enumerate(family):
            if int(row) in place:
                own = group.values[[place[int(row)]]]
                influence[clusters, column] = jackknife_influence(own, group.strata)[0]
    return influence
