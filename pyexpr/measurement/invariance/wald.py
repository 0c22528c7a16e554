"""Tests of equal loadings and intercepts over contexts that share subjects. Pure arrays.

The one-factor model is fitted in every context, and each subject is left out of all contexts at
once. The spread of the contrasts over these refits gives their covariance matrix, however contexts
and subjects overlap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.core.factor_model import cluster_sums, fit_sums
from pyexpr.measurement.factor.orientation import all_agreeing, whole_sample
from pyexpr.measurement.invariance.notes import (
    DEPENDENT,
    NO_CHANGE,
    TOO_FEW_SUBJECTS,
    UNDEFINED_WITHOUT,
)
from pyexpr.resampling.intervals.jackknife import jackknife_influence
from pyexpr.resampling.tests import WaldTest, f_test

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# A smallest eigenvalue of the contrasts' correlations below this is rounding.
_SINGULAR = 1e-12


@dataclass(frozen=True, slots=True)
class Refits:
    """The model of every context on all subjects (first row), and without each of them.

    Attributes
    ----------
    loadings, residuals, means : (1 + G, C, p) float64
        NaN where a context has no solution without that subject.
    strata : (G,) int64
        The context of each subject if contexts share no subjects; otherwise all 0.
    n_undefined : int
        Subjects without whom some context has no solution.
    """

    loadings: NDArray[np.float64]
    residuals: NDArray[np.float64]
    means: NDArray[np.float64]
    strata: NDArray[np.int64]
    n_undefined: int

    @property
    def df(self) -> int:
        """Degrees of freedom of the jackknife: subjects minus strata."""
        return len(self.strata) - len(np.unique(self.strata))

    def deviations(self, contrasts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (G, q) D with covariance matrix ``D'D``, from (1 + G, q) contrasts."""
        order = np.argsort(self.strata, kind="stable")
        sizes = np.unique(self.strata, return_counts=True)[1]
        result = np.empty_like(contrasts[1:])
        result[order] = jackknife_influence(contrasts[1:][order].T, sizes.tolist()).T
        return result


def refit(
    columns: NDArray[np.float64],
    groups: NDArray[np.int64],
    subjects: NDArray[np.int64],
    n_groups: int,
    n_threads: int | None = None,
    *,
    at: int = 0,
) -> Refits:
    """Fit rows (n, p) in every context, without and with each subject, from sums per subject.

    `groups` and `subjects` are codes from 0 without gaps. In the whole sample the loading of
    indicator `at` is positive. The signs of every refit agree with the fit of its context, and the
    signs of that fit with the whole sample.
    """
    p = columns.shape[1]
    n_subjects = int(subjects.max()) + 1
    shape = (1 + n_subjects, n_groups, p)
    loadings, residuals, means = np.empty(shape), np.empty(shape), np.empty(shape)
    present = np.zeros((n_subjects, n_groups), dtype=np.bool_)
    whole, _ = whole_sample(columns, groups, at)
    for code in range(n_groups):
        mine = groups == code
        centre = columns[mine].mean(axis=0)
        sums = cluster_sums(columns[mine] - centre, subjects[mine], n_subjects)
        present[:, code] = sums[:, 0] > 0
        total = sums.sum(axis=0)
        # Without a subject that is not in the context nothing changes, not even rounding.
        left = np.where(present[:, code, None], total - sums, total)
        left = np.vstack([total, left])
        found, residuals[:, code], _ = fit_sums(left, p, n_threads=n_threads)
        loadings[:, code] = all_agreeing(found, residuals[:, code], whole)
        with np.errstate(divide="ignore", invalid="ignore"):
            means[:, code] = centre + left[:, 1 : 1 + p] / left[:, :1]
    undefined = np.isnan(loadings).any(axis=(1, 2))
    shared = (present.sum(axis=1) > 1).any()
    strata = np.zeros(n_subjects, dtype=np.int64) if shared else present.argmax(axis=1)
    return Refits(loadings, residuals, means, strata.astype(np.int64), int(undefined.sum()))


@dataclass(frozen=True, slots=True)
class Constraints:
    """The constrained indicators (by position), and the scale on which they are compared.

    Attributes
    ----------
    loadings, intercepts : tuple of int
        Positions of the constrained indicators. An indicator with a free loading has a free
        intercept.
    logs : (p,) bool
        Whether the ratio of an indicator to the reference has the same sign in all contexts, so
        that its logarithm exists.
    """

    loadings: tuple[int, ...]
    intercepts: tuple[int, ...]
    logs: NDArray[np.bool_]

    @property
    def reference(self) -> int:
        """The reference indicator: the first that is constrained."""
        return self.intercepts[0]

    @property
    def all_logs(self) -> bool:
        """Whether every constrained indicator is compared on the logarithmic scale."""
        return bool(self.logs[list(self.loadings)].all())


def constraints_of(
    refits: Refits, loadings: Sequence[int], intercepts: Sequence[int]
) -> Constraints:
    """Return the constraints, with the scale that the signs of the loadings permit."""
    fitted = refits.loadings[0]
    ratio = fitted / fitted[:, [intercepts[0]]]
    same = (ratio > 0).all(axis=0) | (ratio < 0).all(axis=0)
    return Constraints(tuple(loadings), tuple(intercepts), same)


def _ratios(refits: Refits, what: Constraints) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ratios to the reference on their scale (B, C, p), and averaged over contexts (B, p)."""
    ratio = refits.loadings / refits.loadings[..., [what.reference]]
    sign = np.sign(ratio[:1])
    # A ratio that changes its sign when a subject is left out has no logarithm: NaN.
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.log(ratio * sign)
    value = np.where(what.logs, logs, ratio)
    average = value.mean(axis=1)
    return value, np.where(what.logs, sign[:, 0] * np.exp(average), average)


def metric_contrasts(refits: Refits, what: Constraints) -> NDArray[np.float64]:
    """``log(lambda_jg / lambda_1g) - log(lambda_j1 / lambda_11)``, (1 + G, q)."""
    others = [j for j in what.loadings if j != what.reference]
    value, _ = _ratios(refits, what)
    found = value[:, 1:, others] - value[:, :1, others]
    return found.reshape(len(found), -1)


def scalar_contrasts(refits: Refits, what: Constraints) -> NDArray[np.float64]:
    """``(m_jg - m_j1) - r_j (m_1g - m_11)``, r_j the averaged ratio, (1 + G, q)."""
    others = [j for j in what.intercepts if j != what.reference]
    _, average = _ratios(refits, what)
    rise = refits.means[:, 1:] - refits.means[:, :1]
    expected = average[:, None, others] * rise[..., [what.reference]]
    found = rise[..., others] - expected
    return found.reshape(len(found), -1)


def wald(refits: Refits, contrasts: NDArray[np.float64]) -> WaldTest:
    """Test that all contrasts (1 + G, q) are 0, by Hotelling's T squared on `Refits.df`."""
    q, df = contrasts.shape[1], refits.df

    def none(reason: str) -> WaldTest:
        return WaldTest(math.nan, q, df + 1 - q, math.nan, reason)

    undefined = int(np.isnan(contrasts).any(axis=1).sum())
    if undefined:
        return none(UNDEFINED_WITHOUT(undefined=undefined, n_subjects=len(refits.strata)))
    if df + 1 - q < 1:
        return none(TOO_FEW_SUBJECTS(contrasts=q, needed=q + len(refits.strata) - df))
    deviations = refits.deviations(contrasts)
    variance = (deviations**2).sum(axis=0)
    if (variance == 0).any():
        return none(NO_CHANGE)
    rounding = math.sqrt(_SINGULAR * q)
    found = f_test(contrasts[0], deviations, np.diag(variance), df, rounding)
    if math.isnan(found.statistic):
        return none(DEPENDENT)
    return found


@dataclass(frozen=True, slots=True)
class PairContrasts:
    """One indicator in one pair of contexts per entry of `terms`; `values` is (1 + G, entries).

    `terms` holds (indicator, first context, second context) by position.
    """

    terms: list[tuple[int, int, int]]
    values: NDArray[np.float64]


def _pairs(n_groups: int) -> list[tuple[int, int]]:
    return [(g, h) for g in range(n_groups) for h in range(g + 1, n_groups)]


def _against_others(
    values: NDArray[np.float64], kept: Sequence[int], shown: Sequence[int]
) -> NDArray[np.float64]:
    """Each shown column (..., p) minus the mean of the other kept ones."""
    return np.stack(
        [values[..., j] - values[..., [k for k in kept if k != j]].mean(axis=-1) for j in shown],
        axis=-1,
    )


def metric_pairs(refits: Refits, what: Constraints) -> PairContrasts:
    """Log loading of an indicator relative to the mean of the other constrained ones, by context.

    If signs differ between contexts, it is the ratio to the reference indicator.
    """
    p = refits.loadings.shape[2]
    if what.all_logs and what.logs.all():
        with np.errstate(invalid="ignore", divide="ignore"):
            logs = np.log(refits.loadings * np.sign(refits.loadings[:1]))
        shown = list(range(p))
        value = _against_others(logs, what.loadings, shown)
    else:
        shown = [j for j in range(p) if j != what.reference]
        value = _ratios(refits, what)[0][..., shown]
    return _paired(value, shown)


def scalar_pairs(refits: Refits, what: Constraints) -> PairContrasts:
    """Difference of an indicator's mean beyond that implied by the other constrained indicators.

    In the unit of the indicator; indicators whose loading is free are not shown.
    """
    _, average = _ratios(refits, what)
    shown = list(what.loadings)
    if what.all_logs:
        in_units = refits.means / average[:, None, :]
        value = average[:, None, shown] * _against_others(in_units, what.intercepts, shown)
    else:
        shown = [j for j in shown if j != what.reference]
        expected = average[:, None, shown] * refits.means[..., [what.reference]]
        value = refits.means[..., shown] - expected
    return _paired(value, shown)


def _paired(value: NDArray[np.float64], shown: Sequence[int]) -> PairContrasts:
    pairs = _pairs(value.shape[1])
    terms = [(j, g, h) for j in shown for g, h in pairs]
    columns = [value[:, g, k] - value[:, h, k] for k in range(len(shown)) for g, h in pairs]
    return PairContrasts(terms, np.column_stack(columns))
