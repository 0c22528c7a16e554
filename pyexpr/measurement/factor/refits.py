"""A one-factor model refitted without each subject, and on drawn subjects, context by context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.errors import DataError, listed
from pyexpr.base.interval_methods import INTERVAL_METHODS, IntervalMethod
from pyexpr.base.messages import Template, say
from pyexpr.core.cluster_bootstrap import draw_counts
from pyexpr.core.factor_model import cluster_sums, fit_resampled
from pyexpr.measurement.factor.orientation import agreeing, all_agreeing
from pyexpr.measurement.factor.scores import INADMISSIBLE_MODEL
from pyexpr.resampling.intervals.evidence import Evidence, JackknifeGroup
from pyexpr.resampling.intervals.methods import check_method
from pyexpr.resampling.result import Drawn, ErrorsWithin, in_pieces

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Whose coverage was simulated, in `docs/coverage_measurement.md`.
METHODS = ("jackknife_t", "percentile", "bca")
_NO_ERRORS_WITHIN = "it would require refitting each replicate without each of its subjects"
# The scale on which each quantity is studentised.
_SCALES = {
    "loading": "straight_then_log",
    "std_loading": "odd_cube_root",
    "residual_variance": "fifth_root",
    "score_weight": "identity",
    "score_reliability": "negative_cube_root_complement",
}
NO_SOLUTION = Template("no_solution", "the model has no solution")()


def check_interval(method: str | None, confidence: float, n_boot: int) -> None:
    """Raise `DataError` for an unknown method, a wrong level, or too few replicates for it."""
    if method is not None and method not in METHODS:
        why = _why_not_here(INTERVAL_METHODS[method]) if method in INTERVAL_METHODS else ""
        raise DataError(
            say(
                "{method=} must be one of {names}, not {given!r}{value}{why}",
                names=listed(METHODS),
                given=method,
                value=why and ": ",
                why=why,
            )
        )
    check_method(method, confidence, n_boot)


def _why_not_here(method: IntervalMethod) -> str:
    if method.errors_within:
        return _NO_ERRORS_WITHIN
    if method.leaves_range:
        return "its limits can lie outside the range of loadings, variances and reliability"
    return "the coverage of its intervals for factor models was not simulated"


@dataclass(frozen=True, slots=True)
class GroupFit:
    """The model of one context: on all its subjects, and what refits need.

    Attributes
    ----------
    estimate : (q,) float64
        Of all subjects: loadings, standardised loadings, residual variances, score weights,
        reliability; the two latter NaN where a residual variance is not positive.
    jackknife : (q, G) float64
        Without each subject. Of a refit with a negative residual variance the formulas of
        weights and reliability are followed past 0, where they are smooth; NaN without a
        solution.
    pointing : (p,) float64
        Standardised loadings, to which refits are turned.
    unit : (q,) float64
        The standard deviation of the indicator for a loading, 1 for the others.
    sums : (G, k) float64
        Of each subject, sorted by stratum.
    clusters : (G,) int64
        Positions of the subjects among all.
    strata : tuple of int
        Sizes of the strata.
    n : int
        Rows.
    """

    estimate: NDArray[np.float64]
    jackknife: NDArray[np.float64]
    pointing: NDArray[np.float64]
    unit: NDArray[np.float64]
    sums: NDArray[np.float64]
    clusters: NDArray[np.int64]
    strata: tuple[int, ...]
    n: int

    def effective(self) -> NDArray[np.float64]:
        """Return how many subjects of equal size those of each stratum are worth, (strata,)."""
        starts = np.concatenate([[0], np.cumsum(self.strata)[:-1]]).astype(np.int64)
        sizes = self.sums[:, 0]
        return np.asarray(np.add.reduceat(sizes, starts) ** 2 / np.add.reduceat(sizes**2, starts))


def fit_group(
    rows: NDArray[np.float64],
    subjects: NDArray[np.int64],
    strata: NDArray[np.int64],
    target: NDArray[np.float64],
    *,
    n_threads: int | None,
    where: str,
) -> GroupFit:
    """Fit rows (n, p) with and without each subject.

    `subjects` are codes of the rows, `strata` the stratum of every code; `target` is what the
    factor is to point to, and `where` names the context in errors.
    """
    present = np.unique(subjects)
    G, p = len(present), rows.shape[1]
    if G < 2:
        raise DataError(
            f"there is only one subject{where}; at least two are required to estimate how the "
            "model varies between subjects"
        )
    present = present[np.argsort(strata[present], kind="stable")]
    place = np.empty(int(present.max()) + 1, dtype=np.int64)
    place[present] = np.arange(G)
    sums = cluster_sums(rows - rows.mean(axis=0), place[subjects], G)
    whole = np.vstack([np.ones((1, G)), 1.0 - np.eye(G)])
    loadings, residuals, _ = fit_resampled(sums, whole, p, n_threads=n_threads)
    loadings = all_agreeing(loadings, residuals, target)
    fixed = _quantities(loadings, residuals)
    estimate = fixed[0].copy()
    if (residuals[0] <= 0).any():
        # Of an inadmissible fit neither weights nor reliability have a meaning.
        estimate[3 * p :] = np.nan
    spread = np.sqrt(sums[:, _squares(p)].sum(axis=0) / len(rows))
    sizes = np.unique(strata[present], return_counts=True)[1]
    return GroupFit(
        estimate, np.ascontiguousarray(fixed[1:].T), fixed[0, p : 2 * p],
        np.concatenate([spread, np.ones(3 * p + 1)]), sums, present, tuple(sizes.tolist()),
        len(rows),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class FactorDraws:
    """Refits on drawn subjects, any range of them; see `Draws`.

    A replicate without a solution, or with a residual variance that is not positive, is NaN
    in all quantities; the former are counted in `Drawn.n_failed`.
    """

    groups: tuple[GroupFit, ...]
    seed: int
    n_threads: int | None
    progress: bool | None

    @property
    def by_kernel(self) -> bool:
        """Return True."""
        return True

    @property
    def clusters(self) -> Sequence[NDArray[np.int64]]:
        """Return the subjects of each context."""
        return [group.clusters for group in self.groups]

    def replicates(self, first: int, n: int) -> Drawn:
        """Return replicates `first` to ``first + n - 1``."""
        q = len(self.groups[0].estimate)
        out = np.empty((q * len(self.groups), n))
        failed = np.zeros((len(self.groups), n), dtype=bool)

        def fill(at: int, size: int) -> None:
            for code, group in enumerate(self.groups):
                counts = draw_counts(group.strata, size, seed=self.seed, first=first + at)
                values, failed[code, at : at + size] = drawn_refits(group, counts, self.n_threads)
                out[q * code : q * (code + 1), at : at + size] = values.T

        done = in_pieces(n, fill, start=64, show=self.progress)
        return Drawn(out[:, :done], np.repeat(failed[:, :done].sum(axis=1), q))

    def errors(self, first: int, n: int) -> NDArray[np.float64]:
        """Raise an error: there are none within replicates."""
        raise DataError(f"there is no studentized interval for factor models: {_NO_ERRORS_WITHIN}")


def drawn_refits(
    group: GroupFit, counts: NDArray[np.int32], n_threads: int | None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return every quantity of each refit (B, q), and where there is no solution."""
    p = len(group.pointing)
    drawn, left, reasons = fit_resampled(group.sums, counts, p, n_threads=n_threads)
    failed = np.array([reason != "" for reason in reasons], dtype=bool)
    values = _quantities(agreeing(drawn, left, group.pointing), left)
    values[~failed & (left <= 0).any(axis=1)] = np.nan
    return values, failed


def evidence_of(
    draws: FactorDraws, quantities: Sequence[str], drawn: Drawn, first: int
) -> Evidence:
    """Arrange the fits of all contexts, one after the other.

    `quantities` are those of one context, `first` is the number of the first replicate.
    """
    q, groups = len(quantities), draws.groups
    estimate = np.concatenate([group.estimate for group in groups])
    Q = len(estimate)
    return Evidence(
        estimate=estimate,
        scale=[_SCALES[name] for name in quantities] * len(groups),
        simple_df=np.zeros(Q, dtype=bool),
        null=np.full(Q, np.nan),
        replicates=drawn.values,
        groups=[
            JackknifeGroup(
                np.arange(q * code, q * (code + 1)), group.jackknife, group.strata,
                np.tile(group.effective(), (q, 1)), group.clusters, NO_SOLUTION,
            )
            for code, group in enumerate(groups)
        ],
        reason=[INADMISSIBLE_MODEL if unknown else "" for unknown in np.isnan(estimate).tolist()],
        replicate_errors=ErrorsWithin(draws, drawn.values.shape[1], first),
        n_threads=draws.n_threads,
        n_failed=drawn.n_failed,
        why_failed="",
        unit=np.concatenate([group.unit for group in groups]),
        corrected_kurtosis=False,
    )  # fmt: skip


def _quantities(
    loadings: NDArray[np.float64], residuals: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return every quantity of each fit (B, p) as (B, 4 p + 1), past residual variances of 0.

    Reliability is ``I / (1 + I)`` and weights ``lambda / theta / I`` with
    ``I = sum lambda^2 / theta``; both times the product of all theta, so that nothing is
    divided by a theta near 0.
    """
    p = loadings.shape[1]
    others = np.stack([np.delete(residuals, j, axis=1).prod(axis=1) for j in range(p)], axis=1)
    information = (loadings**2 * others).sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.column_stack(
            [
                loadings, loadings / np.sqrt(loadings**2 + residuals), residuals,
                loadings * others / information,
                information / (information + residuals.prod(axis=1, keepdims=True)),
            ]
        )  # fmt: skip


def _squares(p: int) -> NDArray[np.int64]:
    """Return the positions of the sums of squares in a row of `cluster_sums`."""
    first, second = np.triu_indices(p)
    return 1 + p + np.flatnonzero(first == second)
