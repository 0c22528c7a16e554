"""Elastic nets refitted on resampled clusters, from sums per cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.checks import kernel_threads
from pyexpr.base.errors import DataError
from pyexpr.base.messages import say
from pyexpr.core.arrays import for_kernel
from pyexpr.core.extension import kernels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Largest duality gap, as a part of the label's variance.
TOLERANCE = 1e-12
MAX_SWEEPS = 100_000


@dataclass(frozen=True, slots=True)
class CrossProducts:
    """Each cluster's number of rows, sums, and sums of products, on shifted scales.

    Attributes
    ----------
    sums : ndarray, shape (n_clusters, 1 + q + q (q + 1) / 2)
        With q = p + 1 variables (the features, then the label): n, sums, and sums
        of products for a <= b, row by row.
    centre, spread : ndarray, shape (q,)
        What was subtracted from each variable and what it was then divided by: mean
        and standard deviation over all rows. The label is not divided.
    """

    sums: NDArray[np.float64]
    centre: NDArray[np.float64]
    spread: NDArray[np.float64]

    @property
    def n_features(self) -> int:
        """Return the number of features p."""
        return len(self.centre) - 1

    @property
    def n_clusters(self) -> int:
        """Return the number of clusters G."""
        return len(self.sums)


@dataclass(frozen=True, slots=True)
class ElasticNetFits:
    """Fits of B resamples, A alphas and R l1_ratios to p features.

    Attributes
    ----------
    coef : ndarray, shape (B, A, R, p)
        Weights of the features standardised within the resample (divisor n), in units
        of the label; 0 for features that are constant there.
    intercept : ndarray, shape (B,)
        Mean label of the resample.
    mean, scale : ndarray, shape (B, p)
        Mean and standard deviation of each feature in the resample; 1 for constants.
    gap : ndarray, shape (B, A, R)
        Duality gap of the objective, in squared units of the label.
    converged : ndarray of bool, shape (B, A, R)
        Whether the gap is within the tolerance. False for a resample of no rows,
        whose numbers are NaN.
    """

    coef: NDArray[np.float64]
    intercept: NDArray[np.float64]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    gap: NDArray[np.float64]
    converged: NDArray[np.bool_]


def cross_products(
    X: ArrayLike, y: ArrayLike, clusters: ArrayLike, n_clusters: int | None = None
) -> CrossProducts:
    """Sum rows and their products within clusters, once, for any number of refits.

    Parameters
    ----------
    X : array_like, shape (n, p)
        Features in their own units.
    y : array_like, shape (n,)
        The label.
    clusters : array_like of int, shape (n,)
        The cluster of each row, 0 to n_clusters - 1.
    n_clusters : int, optional
        None: one more than the largest code.

    Returns
    -------
    CrossProducts

    Raises
    ------
    DataError
        If shapes disagree, a value is missing or infinite, or a code is out of range.

    Notes
    -----
    Checked against: NumPy's products of the rows themselves.

    Examples
    --------
    >>> products = cross_products([[1.0], [3.0]], [0.0, 2.0], [0, 1])
    >>> products.sums.tolist()
    [[1.0, -1.0, -1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]]
    """
    features = for_kernel(X, np.float64)
    label = for_kernel(y, np.float64)
    codes = for_kernel(clusters, np.int64)
    if features.ndim != 2 or label.shape != features.shape[:1] or codes.shape != label.shape:
        raise DataError(
            say(
                "{argument X} must have rows and columns, and y and clusters one value "
                "per row, but their shapes are {shape}, {shape_2} and {shape_3}",
                shape=features.shape,
                shape_2=label.shape,
                shape_3=codes.shape,
            )
        )
    if min(features.shape) == 0:
        raise DataError(
            say(
                "{argument X} must have at least one row and one column, not {shape}",
                shape=features.shape,
            )
        )
    for name, values in (("X", features), ("y", label)):
        if not np.isfinite(values).all():
            row = int(np.argwhere(~np.isfinite(values))[0][0])
            raise DataError(f"{name} must be finite, but row {row + 1} is not; leave it out")
    if n_clusters is None:
        n_clusters = int(codes.max()) + 1
    if codes.min() < 0 or codes.max() >= n_clusters:
        raise DataError(
            f"clusters must be between 0 and {n_clusters - 1}, but go from {codes.min()} "
            f"to {codes.max()}"
        )
    spread = features.std(axis=0)
    centre = np.append(features.mean(axis=0), label.mean())
    # A constant column is handled by the kernel: it is left on its own scale.
    spread = np.append(np.where(spread > 0, spread, 1.0), 1.0)
    sums = kernels.elastic_net_cross_products(features, label, codes, n_clusters, centre, spread)
    return CrossProducts(sums, centre, spread)


def elastic_net_fits(
    products: CrossProducts,
    counts: ArrayLike,
    *,
    alpha: float | Sequence[float],
    l1_ratio: float | Sequence[float],
    tolerance: float = TOLERANCE,
    max_sweeps: int = MAX_SWEEPS,
    n_threads: int | None = None,
) -> ElasticNetFits:
    r"""Fit elastic nets on resampled clusters.

    Minimises, over the weights b of the standardised features z (divisor n, within
    the resample) and the intercept a,

    .. math:: \frac{1}{2n} \sum_i (y_i - a - z_i'b)^2 + \alpha \rho |b|_1
              + \frac{\alpha (1 - \rho)}{2} |b|_2^2

    Parameters
    ----------
    products : CrossProducts
        From `cross_products`.
    counts : array_like of int, shape (B, G) or (G,)
        How often each cluster is in each resample; ones fit the data themselves, and
        ones and zeros a part of the clusters.
    alpha : float or sequence of float
        Sizes of the penalty, above 0; A of them, in the order of the result.
    l1_ratio : float or sequence of float
        Shares of the L1 penalty, 0 to 1; R of them. At 0 ridge in closed form.
    tolerance : float, default 1e-12
        Largest duality gap, as a proportion of the label's variance in the resample.
    max_sweeps : int, default 100,000
        Of coordinate descent, per fit.
    n_threads : int, optional
        None: one per core. The numbers do not depend on it.

    Returns
    -------
    ElasticNetFits

    Raises
    ------
    DataError
        If shapes or penalties are wrong, or a count is negative.

    Notes
    -----
    O(G p^2) a resample, plus O(p^2) a sweep; warm starts along alpha, from the fit of
    all clusters.

    Source: Friedman, Hastie and Tibshirani (2010), J. Stat. Software 33(1).
    Checked against: scikit-learn's ElasticNet and Ridge on the resampled rows.

    Examples
    --------
    >>> products = cross_products([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0], [0, 1, 2])
    >>> fits = elastic_net_fits(products, [1, 1, 1], alpha=0.1, l1_ratio=0.5)
    >>> fits.coef[0, 0, 0].round(4).tolist()
    [0.73]
    """
    drawn = _checked_counts(counts, products)
    alphas = np.atleast_1d(np.asarray(alpha, dtype=np.float64))
    ratios = for_kernel(np.atleast_1d(np.asarray(l1_ratio, np.float64)))
    if alphas.ndim != 1 or not alphas.size or not (np.isfinite(alphas) & (alphas > 0)).all():
        raise DataError(say("{alpha=} must be above 0, not {given}", given=alpha))
    if len(np.unique(alphas)) < len(alphas):
        raise DataError(say("{alpha=} has a value twice: {given}", given=alpha))
    if ratios.ndim != 1 or not ratios.size or not ((ratios >= 0) & (ratios <= 1)).all():
        raise DataError(say("{l1_ratio=} must be between 0 and 1, not {given}", given=l1_ratio))
    threads = kernel_threads(n_threads)
    order = np.argsort(-alphas)
    descending = for_kernel(alphas[order])

    options = (tolerance, max_sweeps, threads)
    start = np.zeros(products.n_features)
    if len(drawn) > 1:
        # Resamples are near the whole: begin there, at the largest alpha.
        everyone = np.ones((1, products.n_clusters), dtype=np.int64)
        whole = kernels.elastic_net_fits(
            products.sums, everyone, descending[:1], ratios[:1], start, *options
        )
        start = for_kernel(whole[0][0, 0, 0])
    coef, intercept, mean, scale, gap = kernels.elastic_net_fits(
        products.sums, drawn, descending, ratios, start, *options
    )
    back = np.argsort(order)
    coef, gap = np.ascontiguousarray(coef[:, back]), gap[:, back]
    centre, spread = products.centre, products.spread
    return ElasticNetFits(
        coef=coef,
        intercept=intercept + centre[-1],
        mean=centre[:-1] + spread[:-1] * mean,
        scale=np.where(scale == 0, 1.0, spread[:-1] * scale),
        gap=gap,
        converged=gap <= _largest_gap(products, drawn, tolerance)[:, None, None],
    )


def squared_errors(
    products: CrossProducts,
    counts: ArrayLike,
    fits: ElasticNetFits,
    *,
    n_threads: int | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sums of squared errors of fits on other clusters, or other draws of them.

    Parameters
    ----------
    products : CrossProducts
        Those from which the fits were computed.
    counts : array_like of int, shape (B, G) or (G,)
        How often each cluster is among the rows to predict, for each resample.
    fits : ElasticNetFits
        Of B resamples.
    n_threads : int, optional
        None: one per core.

    Returns
    -------
    errors : ndarray, shape (B, A, R)
        Sums of squared errors, in squared units of the label.
    n_rows : ndarray, shape (B,)
        Rows predicted: ``sqrt(errors / n_rows[:, None, None])`` is the RMSE.

    Raises
    ------
    DataError
        If shapes disagree or a count is negative.

    Notes
    -----
    Checked against: NumPy's errors of the rows themselves.

    Examples
    --------
    >>> products = cross_products([[0.0], [1.0], [2.0]], [0.0, 1.0, 5.0], [0, 1, 2])
    >>> fits = elastic_net_fits(products, [1, 1, 0], alpha=0.1, l1_ratio=0.0)
    >>> errors, n_rows = squared_errors(products, [0, 0, 1], fits)
    >>> errors.round(3).item(), n_rows.item()
    (9.837, 1.0)
    """
    drawn = _checked_counts(counts, products)
    if len(drawn) != len(fits.coef):
        raise DataError(f"counts has {len(drawn)} resamples, but fits has {len(fits.coef)}")
    centre, spread = products.centre, products.spread
    errors, n_rows = kernels.elastic_net_squared_errors(
        products.sums,
        drawn,
        for_kernel(fits.coef),
        fits.intercept - centre[-1],
        (fits.mean - centre[:-1]) / spread[:-1],
        fits.scale / spread[:-1],
        kernel_threads(n_threads),
    )
    return errors, n_rows


@dataclass(frozen=True, slots=True)
class TuningPlan:
    """Clusters that are fitted, and those that tune, in each part of a cross-validation.

    Attributes
    ----------
    x : ndarray, shape (n, p)
        Features in their own units, finite.
    clusters : ndarray of int64, shape (n,)
        The cluster of each row, 0 to G - 1.
    alphas, l1_ratios : tuple of float
        The grid, ascending.
    train : ndarray of int64, shape (P, G)
        1 for the clusters of each part that are fitted.
    inner_train, inner_test : ndarray of int64, shape (T, G)
        The same for the inner folds of the parts, and 1 for the clusters that tune.
    owner : ndarray of int64, shape (T,)
        The part of each inner fold. No inner folds: the first pair of the grid.
    """

    x: NDArray[np.float64]
    clusters: NDArray[np.int64]
    alphas: tuple[float, ...]
    l1_ratios: tuple[float, ...]
    train: NDArray[np.int64]
    inner_train: NDArray[np.int64]
    inner_test: NDArray[np.int64]
    owner: NDArray[np.int64]

    def moments(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return by what each feature is shifted and divided, (p,)."""
        spread = self.x.std(axis=0)
        return self.x.mean(axis=0), np.where(spread > 0, spread, 1.0)


def tuned_fits(
    plan: TuningPlan,
    moments: tuple[NDArray[np.float64], NDArray[np.float64]],
    y: NDArray[np.float64],
    counts: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Tune and fit every part to drawn clusters; return slopes (P, p) and intercepts (P,).

    As `elastic_net_fits` and `squared_errors`, without their checks and in one thread: for a label
    that is another in every draw. NaN where a fit did not converge, or a part has no rows.

    Parameters
    ----------
    plan : TuningPlan
    moments : (centre, spread)
        Of `TuningPlan.moments`.
    y : ndarray, shape (n,)
        The label, finite.
    counts : ndarray of int64, shape (G,)
        How often each cluster was drawn.
    """
    p, level = plan.x.shape[1], float(y.mean())
    centre = np.append(moments[0], level)
    spread = np.append(moments[1], 1.0)
    sums = kernels.elastic_net_cross_products(
        plan.x, y, plan.clusters, plan.train.shape[1], centre, spread
    )
    descending = np.array(plan.alphas[::-1])
    ratios = np.array(plan.l1_ratios)
    start, options = np.zeros(p), (TOLERANCE, MAX_SWEEPS, 1)
    chosen = np.zeros(len(plan.train), dtype=np.int64)
    if len(plan.owner):
        fits = kernels.elastic_net_fits(
            sums, counts * plan.inner_train, descending, ratios, start, *options
        )
        errors, _ = kernels.elastic_net_squared_errors(sums, counts * plan.inner_test, *fits[:4], 1)
        total = np.zeros((len(chosen), *errors.shape[1:]))
        np.add.at(total, plan.owner, errors)
        # Ascending alphas, then l1_ratios: of ties the last.
        flat = total[:, ::-1].reshape(len(chosen), -1)
        least = np.where(np.isnan(flat), np.inf, flat).min(axis=1, keepdims=True)
        chosen = flat.shape[1] - 1 - np.argmax((flat <= least * (1 + 2e-12))[:, ::-1], axis=1)
    train = counts * plan.train
    slope, intercept = np.empty((len(chosen), p)), np.empty(len(chosen))
    gap = np.empty(len(chosen))
    for pair in set(chosen.tolist()):
        parts = np.flatnonzero(chosen == pair)
        i, j = divmod(pair, len(ratios))
        alpha = np.array([plan.alphas[i]])
        coef, mean_y, mean, scale, found = kernels.elastic_net_fits(
            sums, train[parts], alpha, ratios[j : j + 1], start, *options
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            own = np.where(scale > 0, coef[:, 0, 0] / scale, 0.0)
        slope[parts] = own / moments[1]
        away = mean + moments[0] / moments[1]
        intercept[parts] = level + mean_y - (own * away).sum(axis=1)
        gap[parts] = found[:, 0, 0]
    products = CrossProducts(sums, centre, spread)
    with np.errstate(invalid="ignore"):
        intercept[~(gap <= _largest_gap(products, train, TOLERANCE))] = np.nan
    return slope, intercept


def _checked_counts(counts: ArrayLike, products: CrossProducts) -> NDArray[np.int64]:
    drawn = np.atleast_2d(np.asarray(counts))
    if drawn.dtype.kind not in "iu":
        raise DataError(f"counts must be whole numbers, not {drawn.dtype}")
    if drawn.ndim != 2 or drawn.shape[1] != products.n_clusters:
        raise DataError(
            f"counts must have one column per cluster ({products.n_clusters}), "
            f"but its shape is {drawn.shape}"
        )
    if (drawn < 0).any():
        raise DataError(f"counts must not be negative, but one is {drawn.min()}")
    return for_kernel(drawn, np.int64)


def _largest_gap(
    products: CrossProducts, counts: NDArray[np.int64], tolerance: float
) -> NDArray[np.float64]:
    """Return the gap that counts as zero: the tolerance, and the rounding of the sums it is of."""
    label = products.n_features
    n, total, square = (counts @ products.sums[:, [0, 1 + label, -1]]).T
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_square = square / n
        variance = np.maximum(mean_square - (total / n) ** 2, 0.0)
    largest: NDArray[np.float64] = tolerance * variance + 4 * np.finfo(float).eps * mean_square
    return largest
