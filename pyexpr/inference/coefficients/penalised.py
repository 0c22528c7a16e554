"""Regularised weights refitted to resampled subjects: the variation of the procedure.

These results are descriptive and have no p-values. If two contexts have different penalties, a test
of equal slopes rejects too often. With an L1 penalty, the bootstrap of a weight whose true value is
zero is inconsistent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import say
from pyexpr.core.cluster_bootstrap import draw_counts
from pyexpr.core.elastic_net import (
    CrossProducts,
    ElasticNetFits,
    cross_products,
    elastic_net_fits,
    squared_errors,
)
from pyexpr.core.streams import FOLDS, checked_seed, generator
from pyexpr.inference.coefficients.notes import NO_REPLICATES, NOT_CONVERGED, ONE_REPLICATE
from pyexpr.resampling.intervals.evidence import UNDEFINED_IN
from pyexpr.resampling.memberships import Memberships
from pyexpr.resampling.quantiles import MOST_UNDEFINED, interpolated_quantiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The grid of the paper.
ALPHAS = (0.01, 0.05, 0.1, 0.5, 1.0)
L1_RATIOS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
N_FOLDS = 5
# Numbers of rows per subject are uneven if the largest is above this multiple of the median.
UNEVEN = 2.0
# Errors whose relative difference is smaller than this are ties, which differ only by rounding.
TIE = 1e-12


@dataclass(frozen=True, slots=True)
class Penalty:
    """The penalty of one model, with its ascending grid for tuning; a single value is fixed."""

    alphas: tuple[float, ...]
    l1_ratios: tuple[float, ...]

    @property
    def fixed(self) -> bool:
        """Whether the penalty is fixed."""
        return len(self.alphas) == len(self.l1_ratios) == 1


def read_penalties(alpha: Any, l1_ratio: Any, models: Sequence[str]) -> list[Penalty]:
    """Return the grid of each model; a mapping has one per model, a number is for all."""

    def grids(value: Any, default: tuple[float, ...], name: str, high: float) -> list[Any]:
        if isinstance(value, Mapping):
            known = {str(key): item for key, item in value.items()}
            missing = [model for model in models if model not in known]
            if missing:
                raise DataError(
                    say("{@name=} has no value for {names}", name=name, names=listed(missing))
                )
            given = [known[model] for model in models]
        else:
            given = [default if value is None else value] * len(models)
        found = []
        for one in given:
            try:
                grid = np.unique(np.atleast_1d(np.asarray(one, dtype=np.float64)))
            except (TypeError, ValueError):
                raise DataError(
                    say("{@name=} must be a number or several, not {one!r}", name=name, one=one)
                ) from None
            bad = ~np.isfinite(grid) | (grid < 0) | (grid > high)
            if name == "alpha":
                bad |= grid == 0
            if grid.ndim != 1 or not grid.size or bad.any():
                limits = "above 0" if name == "alpha" else "between 0 and 1"
                raise DataError(
                    say("{@name=} must be {limits}, not {one!r}", name=name, limits=limits, one=one)
                )
            found.append(tuple(grid.tolist()))
        return found

    return [
        Penalty(alphas, ratios)
        for alphas, ratios in zip(
            grids(alpha, ALPHAS, "alpha", np.inf),
            grids(l1_ratio, L1_RATIOS, "l1_ratio", 1.0),
            strict=True,
        )
    ]


def folds_of(
    n_subjects: int,
    n_folds: int,
    seed: int,
    *,
    n_rows: NDArray[np.int64] | None = None,
    balance: str | None = None,
) -> NDArray[np.int64]:
    """Return the fold of each subject: shuffled by stream 5 of the seed, then dealt out.

    Parameters
    ----------
    n_rows : ndarray of int, shape (n_subjects,), optional
        Number of rows of each subject; None: all subjects have the same number.
    balance : {None, "subjects", "rows"}
        "subjects": subjects are assigned to the folds in turn. "rows": subjects with the most rows
        come first, and each is assigned to the fold with the fewest rows; with equal numbers of
        rows this is the same as in turn. None: "rows" if the largest subject has more than `UNEVEN`
        times the rows of the median subject.
    """
    words = generator(checked_seed(seed), FOLDS).bit_generator.random_raw(n_subjects)
    fold = np.empty(n_subjects, dtype=np.int64)
    order = np.argsort(np.asarray(words, dtype=np.uint64), kind="stable")
    if balance is None and n_rows is not None:
        balance = "rows" if n_rows.max() > UNEVEN * np.median(n_rows) else "subjects"
    if balance != "rows" or n_rows is None:
        fold[order] = np.arange(n_subjects) % n_folds
        return fold
    filled = np.zeros(n_folds, dtype=np.int64)
    for subject in order[np.argsort(-n_rows[order], kind="stable")]:
        fold[subject] = np.argmin(filled)
        filled[fold[subject]] += n_rows[subject]
    return fold


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights of one model on all its subjects and on resamples of them.

    Attributes
    ----------
    estimate : ndarray, shape (p,)
        Weights of the features, which are standardised (divisor n) in the fitted rows.
    alpha, l1_ratio : float
        The penalty of the estimate.
    replicates : ndarray, shape (n_boot, p)
        NaN if a resample has no solution.
    """

    estimate: NDArray[np.float64]
    alpha: float
    l1_ratio: float
    replicates: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PenalisedModel:
    """An elastic net on the rows of some subjects, ready for any number of refits.

    Attributes
    ----------
    subjects : (G,) int64
        Codes of the subjects who have rows, sorted.
    products : CrossProducts
    n_rows : (G,) int64
    n_threads : int, optional
    """

    subjects: NDArray[np.int64]
    products: CrossProducts
    n_rows: NDArray[np.int64]
    n_threads: int | None

    @classmethod
    def of(
        cls,
        X: NDArray[np.float64],
        y: NDArray[np.float64],
        codes: NDArray[np.int64],
        n_threads: int | None,
    ) -> PenalisedModel:
        """Return the model of rows (n, p), labels (n,) and the code of each row's subject, (n,)."""
        subjects, own = np.unique(codes, return_inverse=True)
        places = own.reshape(-1)
        products = cross_products(X, y, places, len(subjects))
        return cls(subjects, products, np.bincount(places), n_threads)

    def fitted(self, penalty: Penalty, *, retune: bool, n_folds: int, seed: int) -> FittedModel:
        """Fit the model to all subjects; tune by folds of subjects, also in refits if requested."""
        G = self.products.n_clusters
        everyone = np.ones((1, G), dtype=np.int64)
        fold = None
        if not penalty.fixed:
            if G < 2:
                raise DataError(
                    "tuning requires rows of at least 2 subjects, but there is only 1; give "
                    "one alpha and one l1_ratio"
                )
            # Folds are made of subjects before drawing, so that copies of a subject stay in one
            # fold.
            fold = folds_of(G, min(n_folds, G), seed, n_rows=self.n_rows)
        estimate, chosen = self.solve(everyone, penalty, fold)
        alpha, l1_ratio = penalty.alphas[chosen[0, 0]], penalty.l1_ratios[chosen[0, 1]]
        anew = retune and fold is not None
        best = Penalty((alpha,), (l1_ratio,))
        return FittedModel(
            self, estimate[0], alpha, l1_ratio, penalty if anew else best, fold if anew else None
        )

    def slopes(
        self, counts: NDArray[np.int64], alpha: float, l1_ratio: float
    ) -> NDArray[np.float64]:
        """Return the weights of each resample per unit of the features, (B, p)."""
        fits = self._grid(counts, Penalty((alpha,), (l1_ratio,)))
        return np.where(fits.converged[:, 0], fits.coef[:, 0, 0] / fits.scale, np.nan)

    def solve(
        self, counts: NDArray[np.int64], penalty: Penalty, fold: NDArray[np.int64] | None
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return weights (B, p) at the penalty chosen for each resample, (B, 2)."""
        B = len(counts)
        fits = self._grid(counts, penalty)
        chosen = np.zeros((B, 2), dtype=np.int64)
        if fold is not None:
            errors = np.zeros((B, len(penalty.alphas), len(penalty.l1_ratios)))
            for k in range(int(fold.max()) + 1):
                inside = (fold == k).astype(np.int64)
                trained = self._grid(counts * (1 - inside), penalty)
                errors += squared_errors(
                    self.products, counts * inside, trained, n_threads=self.n_threads
                )[0]
            chosen = _lowest(errors)
        b = np.arange(B)
        weights = fits.coef[b, chosen[:, 0], chosen[:, 1]].copy()
        weights[~fits.converged[b, chosen[:, 0], chosen[:, 1]]] = np.nan
        if fold is not None:
            weights[np.isnan(errors).any(axis=(1, 2))] = np.nan
        return weights, chosen

    def _grid(self, counts: NDArray[np.int64], penalty: Penalty) -> ElasticNetFits:
        return elastic_net_fits(
            self.products,
            counts,
            alpha=penalty.alphas,
            l1_ratio=penalty.l1_ratios,
            n_threads=self.n_threads,
        )


@dataclass(frozen=True, slots=True)
class FittedModel:
    """A model with its weights from all subjects, and its refits to resampled subjects.

    Attributes
    ----------
    model : PenalisedModel
    estimate : ndarray, shape (p,)
    alpha, l1_ratio : float
        The penalty of the estimate.
    penalty : Penalty
        The penalty of refits; the whole grid if each refit is tuned again, by `fold`.
    fold : ndarray of int, shape (G,), optional
    memberships : Memberships, optional
        Memberships of the model's subjects, which are then cells; given if rows belong to two
        clusters.
    """

    model: PenalisedModel
    estimate: NDArray[np.float64]
    alpha: float
    l1_ratio: float
    penalty: Penalty
    fold: NDArray[np.int64] | None
    memberships: Memberships | None = None

    def refits(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the weights of each resample (B, p); NaN if there is no solution."""
        return self.model.solve(counts, self.penalty, self.fold)[0]

    def drawn(self, n: int, seed: int, first: int) -> NDArray[np.float64]:
        """Return the weights of resamples `first` to ``first + n - 1``, (n, p)."""
        G = self.model.products.n_clusters
        if self.memberships is not None:
            counts = self.memberships.drawn(n, seed=seed, first=first)
            return self.refits(counts.astype(np.int64))
        return self.refits(draw_counts((G,), n, seed=seed, first=first).astype(np.int64))

    def weights(self, replicates: NDArray[np.float64]) -> Weights:
        """Return the weights with these replicates."""
        return Weights(self.estimate, self.alpha, self.l1_ratio, replicates)


def _lowest(errors: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the position of each lowest error; of ties, with the largest alpha, then l1_ratio."""
    flat = errors.reshape(len(errors), -1)
    least = np.where(np.isnan(flat), np.inf, flat).min(axis=1, keepdims=True)
    tied = flat <= least * (1 + 2 * TIE)
    last = flat.shape[1] - 1 - np.argmax(tied[:, ::-1], axis=1)
    return np.stack(np.unravel_index(last, errors.shape[1:]), axis=1)


@dataclass(frozen=True, slots=True)
class Procedure:
    """Results of resampling; every array is (p,), NaN with a `reason`."""

    std_error: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    selected: NDArray[np.float64]
    same_sign: NDArray[np.float64]
    n_undefined: NDArray[np.int64]
    reason: tuple[str, ...]


def describe(
    estimate: NDArray[np.float64], replicates: NDArray[np.float64], confidence: float
) -> Procedure:
    """Summarise replicates (B, p): spread, percentile interval, shares not 0 and of one sign.

    `same_sign` is the share of replicates with the sign of the estimate, NaN for an
    estimate of exactly 0. Without an estimate the summaries of the replicates are missing, too.
    """
    B, p = replicates.shape
    defined = ~np.isnan(replicates)
    n_defined = defined.sum(axis=0)
    reason = [""] * p
    spread, selected, same = np.full((3, p), np.nan)
    limits = np.full((p, 2), np.nan)
    good = ~np.isnan(estimate) & (n_defined >= 2) & (B - n_defined <= MOST_UNDEFINED * B)
    if good.any():
        values = replicates[:, good]
        some = defined[:, good]
        spread[good] = np.nanstd(values, axis=0, ddof=1)
        selected[good] = np.sum(some & (values != 0), axis=0) / n_defined[good]
        signs = np.sum(np.sign(values) == np.sign(estimate[good]), axis=0) / n_defined[good]
        same[good] = np.where(estimate[good] == 0, np.nan, signs)
        levels = np.tile([(1 - confidence) / 2, (1 + confidence) / 2], (int(good.sum()), 1))
        limits[good] = interpolated_quantiles(
            np.ascontiguousarray(values.T), levels, n_defined[good]
        )
    for j in np.flatnonzero(~good):
        if np.isnan(estimate[j]):
            reason[j] = NOT_CONVERGED
        elif not B:
            reason[j] = NO_REPLICATES
        elif n_defined[j] < B:
            reason[j] = UNDEFINED_IN(undefined=B - n_defined[j], n_boot=B)
        else:
            reason[j] = ONE_REPLICATE
    return Procedure(
        spread, limits[:, 0], limits[:, 1], selected, same, B - n_defined, tuple(reason)
    )
