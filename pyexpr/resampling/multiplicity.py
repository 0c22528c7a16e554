"""Adjustment for multiple tests: Holm's method and max-T.

Source: Holm (1979); for max-T see `pyexpr.resampling.simultaneous`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pyexpr.base.arrays import unmasked
from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import say
from pyexpr.resampling.intervals.evidence import Evidence, Intervals
from pyexpr.resampling.intervals.jackknife import Jackknife, jackknife_of
from pyexpr.resampling.intervals.jackknife_t import jackknife_t
from pyexpr.resampling.intervals.methods import compute
from pyexpr.resampling.simultaneous import Simultaneous, simultaneous
from pyexpr.resampling.tests import ContrastTests
from pyexpr.words.labels import OF_INTERVALS

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

ADJUSTMENTS = ("holm", "max_t")


def adjustments_in_words(rules: Iterable[object]) -> list[str]:
    """Return a description of the intervals by the column "adjustment"; [] without adjustment."""
    found = dict.fromkeys(rule for rule in rules if isinstance(rule, str) and rule)
    return [f"simultaneous, by {OF_INTERVALS[rule]}" for rule in found]


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust p-values by Holm's step-down method; NaN stays NaN and is not counted.

    The i-th smallest of m becomes the largest of ``(m - j + 1) p_(j)`` over j up to i, at most 1.
    This controls the family-wise error under any dependence. Source: Holm (1979). Checked against
    R's ``p.adjust`` and statsmodels' ``multipletests``.

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
    tested = ~np.isnan(p)
    # statsmodels' multipletests gives the same numbers, but it runs a full garbage collection in
    # every call. That takes a tenth to a fifth of a second, which was most of the time of some
    # tables.
    order = np.argsort(p[tested], kind="stable")
    steps = p[tested][order] * np.arange(len(order), 0, -1)
    stepped = np.empty(len(order))
    stepped[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    adjusted[tested] = stepped
    return adjusted


def check_rule(rule: str) -> None:
    """Raise `DataError` if the rule is unknown."""
    if not isinstance(rule, str) or rule not in ADJUSTMENTS:
        raise DataError(
            say(
                "{adjust=} must be one of {names}, not {rule!r}",
                names=listed(ADJUSTMENTS),
                rule=rule,
            )
        )


def together(
    p_value: NDArray[np.float64],
    influence: Callable[[], NDArray[np.float64]],
    rule: str,
    confidence: float,
    seed: int,
) -> Simultaneous:
    """Adjust the tests of one family by either rule.

    Parameters
    ----------
    p_value : (m,) float64
        The p-value of each test, without NaN; with ``max_t`` from Student's t with its own degrees
        of freedom.
    influence : callable
        Returns the influence of each cluster on each estimate, (clusters, m); for ``max_t``.
    rule : {"holm", "max_t"}
        ``holm``: p-values by Holm's method, intervals at Bonferroni's level ``1 - (1 -
        confidence)/m``. ``max_t``: both from the largest statistic of the family (`simultaneous`).
    confidence : float
        Simultaneous confidence level of all intervals of the family.
    seed : int
        Key of the draws of ``max_t``.
    """
    if rule == "holm":
        return Simultaneous(holm(p_value), 1 - (1 - confidence) / len(p_value))
    return simultaneous(influence(), p_value, confidence, seed)


class Adjusted(NamedTuple):
    """Adjusted tests and intervals of one family; (m,), NaN if untested."""

    p_adjusted: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def adjust_contrasts(
    tests: ContrastTests,
    influence: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    rule: str,
    confidence: float,
    seed: int,
) -> Adjusted:
    """Adjust contrasts; `influence` returns the influence at these positions, (clusters, k).

    `rule`, `confidence` and `seed` are as for `together`.
    """
    p = np.full(len(tests.p_value), np.nan)
    tested = np.flatnonzero(~np.isnan(tests.p_value))
    if not len(tested):
        return Adjusted(p, p.copy(), p.copy())
    found = together(tests.p_value[tested], partial(influence, tested), rule, confidence, seed)
    p[tested] = found.p_adjusted
    return Adjusted(p, *tests.limits(found.confidence))


def adjust(
    evidence: Evidence,
    intervals: Intervals,
    families: Sequence[NDArray[np.int64]],
    rule: str,
    seed: int,
) -> Intervals:
    """Return simultaneous intervals and adjusted p-values of each family.

    Parameters
    ----------
    families : sequence of (m,) int64
        Positions of the quantities of each family.
    rule : {"holm", "max_t"}
        ``holm``: p-values by Holm's method, and each interval of the current method at the level
        ``1 - (1 - confidence)/m`` (Bonferroni). ``max_t``: those of jackknife_t, by the largest
        statistic of the family, each with its own degrees of freedom (`simultaneous`).
    seed : int
        Key of the draws of ``max_t``.
    """
    check_rule(rule)
    largest = rule == "max_t"
    base = jackknife_t(evidence, intervals.confidence) if largest else intervals
    jackknife = jackknife_of(evidence) if largest else None
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
    at_level: dict[float, Intervals] = {}
    for family in families:
        tested = family[_tested(evidence, base, family)]
        if not len(tested):
            continue
        found = together(
            base.p_value[tested],
            partial(_influence, evidence, tested),
            rule,
            intervals.confidence,
            seed,
        )
        if jackknife is not None:
            wider = _of_largest(evidence, jackknife, base, found.confidence)
        else:
            if found.confidence not in at_level:
                at_level[found.confidence] = compute(
                    evidence, intervals.requested, found.confidence
                )
            wider = at_level[found.confidence]
        for name in ("statistic", "df", "std_error", "p_value"):
            getattr(result, name)[tested] = getattr(base, name)[tested]
        result.low[tested], result.high[tested] = wider.low[tested], wider.high[tested]
        adjusted[tested] = np.where(np.isnan(base.p_value[tested]), np.nan, found.p_adjusted)
        for row in tested:
            marks[row] = rule
            if jackknife is not None:
                result.method[row] = "max_t"
    return result


def _tested(evidence: Evidence, base: Intervals, family: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of a family have a test or, without a null hypothesis, an interval."""
    with_interval = base.low[family] < base.high[family]
    tested = ~np.isnan(base.p_value[family])
    return np.where(np.isnan(evidence.null[family]), with_interval, tested)


def _of_largest(
    evidence: Evidence, jackknife: Jackknife, base: Intervals, confidence: float
) -> Intervals:
    """Return the intervals of jackknife_t at another confidence."""
    from scipy.special import stdtrit

    half = stdtrit(jackknife.df, (1 + confidence) / 2) * jackknife.scaled_error
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = evidence.limits(half, half)
    return replace(base, low=low, high=high)


def _influence(evidence: Evidence, family: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the influence of each cluster on each quantity of a family, (clusters, m).

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
                whole = float(evidence.estimate[row])
                influence[clusters, column] = group.influence(whole, place[int(row)])
    return influence
