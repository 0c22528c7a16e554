"""Least squares with cluster-robust variances, small-sample degrees of freedom and tests.

The rows are reduced once to small matrices per cluster, in the orthonormal coordinates of the
design, X = Q R. The cost of further contrasts therefore does not depend on the number of rows. If
columns form groups that are 0 in each other's rows, such as the features of several contexts, the
coordinates form the same groups, and each group has its own small matrices.

Sources: Bell and McCaffrey (2002), Survey Methodology 28, 169-181; Pustejovsky and
Tipton (2018), J. Bus. Econ. Stat. 36, 672-683.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pyexpr.base.errors import DataError, counted, listed
from pyexpr.base.messages import say
from pyexpr.inference.coefficients.leverage import bounded_df
from pyexpr.resampling.tests import ContrastTests, WaldTest, f_test, t_tests

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

CORRECTIONS = ("CR0", "CR1", "CR2", "CR3")
# With columns scaled to unit length, a smaller ratio of singular values means linear dependence.
RANK = 1e-10
# A cluster that alone determines a direction has 1 - h = 0 there, apart from rounding.
NOTHING_LEFT = 1e-12
# Residuals below this fraction of the largest label are treated as rounding errors.
ROUNDING = 1e-12
# Largest number of values computed at once.
_AT_ONCE = 1 << 21


@dataclass(frozen=True, slots=True)
class Block:
    """Columns that are 0 in all rows of the other blocks, in the coordinates of Q.

    Attributes
    ----------
    columns : ndarray of int, shape (p,)
        Their positions among all columns.
    clusters : ndarray of int, shape (G,)
        The clusters with rows in which these columns are not 0.
    gram, first, second : ndarray, shape (G, p, p)
        ``Q_g' Q_g``, ``Q_g' A_g Q_g`` and ``Q_g' A_g^2 Q_g``.
    """

    columns: NDArray[np.int64]
    clusters: NDArray[np.int64]
    gram: NDArray[np.float64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]


class DesignBlock(NamedTuple):
    """Rows (n,) of a design, and the values (n, p) of the columns that are 0 in all other rows.

    `columns` (p,) are their positions among all columns.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ClusterOLS:
    """A least-squares fit with its cluster-robust variance.

    Attributes
    ----------
    coef : ndarray, shape (p,)
        Coefficients of the design's columns.
    cr : str
        The correction: CR0, CR1, CR2 or CR3.
    n, n_clusters : int
        Rows and clusters.
    rounding : float
        Rounding error of a row's residual: `ROUNDING` times the largest label.
    """

    coef: NDArray[np.float64]
    cr: str
    n: int
    n_clusters: int
    rounding: float
    # In the coordinates of Q; G clusters, p columns.
    _root: NDArray[np.float64] = field(repr=False)  # (p, p): coef = root @ Q'y
    _raw: NDArray[np.float64] = field(repr=False)  # (G, p): Q_g' e_g
    _scores: NDArray[np.float64] = field(repr=False)  # (G, p): Q_g' A_g e_g
    _blocks: tuple[Block, ...] = field(repr=False)
    _alone: NDArray[np.float64] = field(repr=False)  # (p, p): projection

    def vcov(self) -> NDArray[np.float64]:
        """Return the cluster-robust covariance of the coefficients, (p, p)."""
        scores = self._scores @ self._root.T
        return np.asarray(scores.T @ scores)

    def directions(self, contrasts: ArrayLike) -> NDArray[np.float64]:
        """Return contrasts (m, p) in the coordinates of Q: the weights of the labels are Q d."""
        return np.asarray(self._checked(contrasts) @ self._root)

    def leverage(self, contrasts: ArrayLike) -> NDArray[np.float64]:
        """Return the proportion of each contrast's leverage by cluster, (m, G).

        For a coefficient, the leverage is the sum of squares of the residuals of its column,
        regressed on the other columns. If errors are independent with equal variance, this is also
        the cluster's share of the contrast's variance.
        """
        directions = self._checked(contrasts) @ self._root
        shares = np.empty((len(directions), self.n_clusters))
        for blocks, some in self._by_blocks(directions):
            shares[some] = self._squares(directions[some], blocks, "gram")
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def determined(self, contrasts: ArrayLike) -> NDArray[np.float64]:
        """Return the part of each contrast's variance that residuals cannot show, (m,).

        This is the part in directions that one cluster alone determines, because its residuals are
        0 there.
        """
        directions = self._checked(contrasts) @ self._root
        own = np.einsum("ka,ab,kb->k", directions, self._alone, directions)
        return np.asarray(own / np.sum(directions**2, axis=1))

    def contrasts(
        self, contrasts: ArrayLike, *, null: float = 0.0, weakest: ArrayLike | None = None
    ) -> ContrastTests:
        """Test linear contrasts, each on its own Satterthwaite degrees of freedom.

        Parameters
        ----------
        contrasts : array_like, shape (m, p) or (p,)
            Weights of the coefficients.
        null : float
            Value tested.
        weakest : array_like, shape (m,), optional
            Degrees of freedom of the weakest coefficient of each contrast, which bound
            those of the contrast (`pyexpr.inference.coefficients.leverage.bounded_df`).

        Notes
        -----
        Statistic and p-value are NaN if the residuals behind a contrast are rounding errors. ``df =
        tr(O)^2 / tr(O^2)``, where O is the matrix of ``p_g' p_h`` over clusters, with ``p_g = (I -
        H)_g' A_g X_g (X'X)^-1 c``. The working model is that of independent errors with equal
        variance. Checked against: clubSandwich's ``coef_test`` and ``linear_contrast``.
        """
        weights = self._checked(contrasts)
        directions = weights @ self._root  # (m, p)
        error = np.sqrt(np.sum((self._scores @ directions.T) ** 2, axis=0))
        df = np.empty(len(weights))
        for blocks, some in self._by_blocks(directions):
            z = self._times(directions[some], blocks)
            df[some] = _satterthwaite(z, self._squares(directions[some], blocks, "second"))
        if weakest is not None:
            df = np.array([bounded_df(*pair) for pair in zip(df, np.asarray(weakest), strict=True)])
        return t_tests(weights @ self.coef, error, df, self._rounding_of(directions), null)

    def wald(self, contrasts: ArrayLike, *, weakest: float = np.inf) -> WaldTest:
        """Test that several contrasts are all 0: approximate Hotelling's T2 (AHT).

        Parameters
        ----------
        contrasts : array_like, shape (q, p)
            Linearly independent.
        weakest : float
            As for `contrasts`. It bounds the denominator's degrees of freedom.

        Notes
        -----
        ``(eta - q + 1) / (eta q) W ~ F(q, eta - q + 1)``, with ``eta = q (q + 1) / sum Var(D_st)``,
        where D is the standardised variance estimate. Checked against: clubSandwich's
        ``Wald_test(test = "HTZ")``.
        """
        weights = self._checked(contrasts)
        q = len(weights)
        directions = weights @ self._root
        # For each cluster, (G, q, p) and (G, q, q). The blocks of Omega are own - z z' and -z_g
        # z_h'.
        z = self._times(directions, self._blocks).transpose(1, 0, 2)
        own = np.zeros((self.n_clusters, q, q))
        for block in self._blocks:
            d = directions[:, block.columns]
            own[block.clusters] += d @ block.second @ d.T
        total = np.sum(own - z @ z.transpose(0, 2, 1), axis=0)
        values, vectors = np.linalg.eigh(total)
        if not values[0] > NOTHING_LEFT * values[-1]:
            raise DataError("the contrasts of one test must be linearly independent")
        half = vectors @ (vectors / np.sqrt(values)).T
        spread = _spread(half @ z, half @ own @ half)
        return f_test(
            weights @ self.coef,
            self._scores @ directions.T,
            directions @ directions.T,
            bounded_df(q * (q + 1) / spread - q + 1, weakest) + q - 1,
            self.rounding,
        )

    def df_of_sum(self, contrasts: ArrayLike) -> float:
        """Return the degrees of freedom of the summed variances of several contrasts.

        Parameters
        ----------
        contrasts : array_like, shape (q, p)

        Notes
        -----
        They are ``2 E^2 / Var`` of the sum, under the working model of independent errors with
        equal variance. For a single contrast they are Satterthwaite's degrees of freedom.
        """
        weights = self._checked(contrasts)
        directions = weights @ self._root
        z = self._times(directions, self._blocks).transpose(1, 0, 2)
        own = np.zeros((self.n_clusters, len(weights), len(weights)))
        for block in self._blocks:
            d = directions[:, block.columns]
            own[block.clusters] += d @ block.second @ d.T
        among = z @ z.transpose(0, 2, 1)
        diagonal = own - among
        trace = float(np.trace(diagonal, axis1=1, axis2=2).sum())
        # The products of z of two different clusters.
        flat = z.reshape(-1, z.shape[2])
        others = float(np.sum((flat.T @ flat) ** 2) - np.sum(among**2))
        total = float(np.sum(diagonal**2)) + max(others, 0.0)
        return trace**2 / total

    def wild_pivots(
        self, contrast: ArrayLike, signs: NDArray[np.float64], *, null: float
    ) -> tuple[float, NDArray[np.float64]]:
        """Return t and the t* of the wild cluster bootstrap, under the null hypothesis.

        Parameters
        ----------
        contrast : array_like, shape (p,)
        signs : ndarray, shape (B, G)
            The multipliers of each cluster's restricted residuals.
        null : float

        Notes
        -----
        The cost is O(B G p), because residuals enter only through their sums per cluster.
        """
        c = self._checked(contrast)
        d = (c @ self._root)[0]
        gap = float(self.coef @ c[0] - null)
        lift = gap / (d @ d)
        # The restricted residuals are e + Q d lift.
        first = self._laid_out(d, "first")
        raw = self._raw + lift * self._laid_out(d, "gram")
        corrected = self._scores + lift * first
        moved = signs @ raw  # (B, p): Q'y* minus its restricted fit
        scores = signs * (corrected @ d) - moved @ first.T
        with np.errstate(divide="ignore", invalid="ignore"):
            pivots = (moved @ d) / np.sqrt(np.sum(scores**2, axis=1))
        error = float(np.sqrt(np.sum((self._scores @ d) ** 2)))
        moves = error > self._rounding_of(d[None])[0]
        return gap / error if moves else float("nan"), np.asarray(pivots)

    def influences(self, contrasts: ArrayLike) -> NDArray[np.float64]:
        """Return each cluster's contribution to contrasts, (G, m); squares sum to the variance."""
        return np.asarray(self._scores @ (self._checked(contrasts) @ self._root).T)

    def _by_blocks(
        self, directions: NDArray[np.float64]
    ) -> Iterator[tuple[list[Block], NDArray[np.int64]]]:
        """Yield blocks, each with the directions (m, p) that are 0 outside of it."""
        active = np.stack(
            [directions[:, block.columns].any(axis=1) for block in self._blocks], axis=1
        )
        for pattern in np.unique(active, axis=0):
            blocks = [block for block, there in zip(self._blocks, pattern, strict=True) if there]
            which = np.flatnonzero((active == pattern).all(axis=1))
            width = self.n_clusters * sum(len(block.columns) for block in blocks)
            step = max(1, _AT_ONCE // max(width, 1))
            for start in range(0, len(which), step):
                yield blocks, which[start : start + step]

    def _times(
        self, directions: NDArray[np.float64], blocks: Sequence[Block]
    ) -> NDArray[np.float64]:
        """Return ``Q_g' A_g Q_g d`` of each direction and cluster, (m, G, columns of blocks)."""
        width = sum(len(block.columns) for block in blocks)
        found = np.zeros((len(directions), self.n_clusters, width))
        at = 0
        for block in blocks:
            p = len(block.columns)
            product = block.first @ directions[:, block.columns].T  # (G, p, m)
            found[:, block.clusters, at : at + p] = product.transpose(2, 0, 1)
            at += p
        return found

    def _squares(
        self, directions: NDArray[np.float64], blocks: Sequence[Block], which: str
    ) -> NDArray[np.float64]:
        """Return d' S_g d of each direction and cluster, (m, G); S is one of a block's matrices."""
        found = np.zeros((len(directions), self.n_clusters))
        for block in blocks:
            d = directions[:, block.columns]
            product = getattr(block, which) @ d.T  # (G, p, m)
            found[:, block.clusters] += np.einsum("gpm,mp->mg", product, d)
        return found

    def _laid_out(self, direction: NDArray[np.float64], which: str) -> NDArray[np.float64]:
        """Return S_g d of one direction in all coordinates, (G, p)."""
        found = np.zeros((self.n_clusters, len(self.coef)))
        for block in self._blocks:
            product = getattr(block, which) @ direction[block.columns]
            found[np.ix_(block.clusters, block.columns)] = product
        return found

    def _rounding_of(self, directions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the standard errors (m,) if residuals were only rounding errors."""
        return np.asarray(self.rounding * np.linalg.norm(directions, axis=1))

    def _checked(self, contrasts: ArrayLike) -> NDArray[np.float64]:
        weights = np.atleast_2d(np.asarray(contrasts, dtype=np.float64))
        if weights.ndim != 2 or weights.shape[1] != len(self.coef):
            raise DataError(
                f"a contrast must have one weight per coefficient ({len(self.coef)}), but the "
                f"shape is {weights.shape}"
            )
        return weights


def cluster_ols(
    X: ArrayLike,
    y: ArrayLike,
    cluster: ArrayLike,
    *,
    cr: str = "CR2",
    names: Sequence[str] | None = None,
) -> ClusterOLS:
    """Fit least squares and prepare its cluster-robust inference.

    Parameters
    ----------
    X : array_like, shape (n, p)
        The design, including an intercept column if one is wanted; finite.
    y : array_like, shape (n,)
        The label; finite.
    cluster : array_like of int, shape (n,)
        The cluster of each row.
    cr : {"CR0", "CR1", "CR2", "CR3"}
        Adjustment A_g of a cluster's residuals. CR0: none. CR1: ``sqrt(G/(G-1))``. CR2: ``(I -
        H_gg)^(-1/2)``, which reduces bias under an identity working model. CR3: ``(I -
        H_gg)^(-1)``, which is close to the jackknife.
    names : sequence of str, optional
        Names of the columns, for messages.

    Returns
    -------
    ClusterOLS

    Raises
    ------
    DataError
        If shapes disagree, values are not finite, columns are linearly dependent,
        or there are fewer than 2 clusters.

    Notes
    -----
    The variance is ``M (sum_g X_g' A_g e_g e_g' A_g X_g) M``, ``M = (X'X)^-1``. If a cluster alone
    determines a coefficient, CR2 and CR3 use the generalised inverse, as clubSandwich does for CR2.
    The standard error of that coefficient then only reflects the other clusters, and is meaningless
    (`ClusterOLS.determined`). Checked against: clubSandwich's ``vcovCR``, ``coef_test``,
    ``linear_contrast`` and ``Wald_test``.

    Examples
    --------
    >>> X = [[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [1.0, 3.0], [1.0, 1.0], [1.0, 0.0]]
    >>> fit = cluster_ols(X, [0.0, 1.0, 1.0, 3.0, 2.0, 0.5], [0, 0, 1, 1, 2, 2])
    >>> fit.contrasts([0, 1]).df.round(3).tolist()
    [1.259]
    """
    design = np.asarray(X, dtype=np.float64)
    label = np.asarray(y, dtype=np.float64)
    given = np.asarray(cluster)
    if cr not in CORRECTIONS:
        raise DataError(
            say("{cr=} must be one of {names}, not {given!r}", names=listed(CORRECTIONS), given=cr)
        )
    if design.ndim != 2 or label.shape != design.shape[:1] or given.shape != label.shape:
        raise DataError(
            say(
                "{argument X} must have rows and columns, and y and cluster one value "
                "per row, but their shapes are {shape}, {shape_2} and {shape_3}",
                shape=design.shape,
                shape_2=label.shape,
                shape_3=given.shape,
            )
        )
    if not (np.isfinite(design).all() and np.isfinite(label).all()):
        raise DataError(say("{argument X} and y must be finite; leave incomplete rows out"))
    n, p = design.shape
    whole = DesignBlock(np.arange(n), np.arange(p), design)
    return blocked_ols([whole], label, given, cr=cr, names=names)


def blocked_ols(
    blocks: Sequence[DesignBlock],
    label: NDArray[np.float64],
    cluster: NDArray[Any],
    *,
    cr: str = "CR2",
    names: Sequence[str] | None = None,
) -> ClusterOLS:
    """Do what `cluster_ols` does, given the design's blocks, which share no row or column."""
    codes = np.unique(cluster, return_inverse=True)[1].reshape(-1)
    G = int(codes.max()) + 1 if len(codes) else 0
    if G < 2:
        raise DataError(f"a variance over clusters needs at least 2, but there is {G}")
    p = sum(len(block.columns) for block in blocks)
    root, alone = np.zeros((2, p, p))
    projected = np.zeros(p)
    raw, scores = np.zeros((2, G, p))
    reduced = []
    for block in blocks:
        at = block.columns
        own_names = None if names is None else [names[int(j)] for j in at]
        basis, own_root = _orthonormal(block.values, own_names)
        y = label[block.rows]
        fit = basis.T @ y
        residual = y - basis @ fit
        # A second step of least squares: a sum over many rows leaves its rounding error in each
        # residual.
        again = basis.T @ residual
        projected[at], residual = fit + again, residual - basis @ again
        root[np.ix_(at, at)] = own_root
        found = _reduced(basis, residual, codes[block.rows], cr, G)
        reduced.append(Block(at, found.clusters, found.gram, found.first, found.second))
        raw[np.ix_(found.clusters, at)] = found.raw
        scores[np.ix_(found.clusters, at)] = found.scores
        alone[np.ix_(at, at)] = found.alone
    rounding = ROUNDING * float(np.abs(label).max())
    return ClusterOLS(
        root @ projected, cr, len(label), G, rounding, root, raw, scores, tuple(reduced), alone
    )


class _Reduced(NamedTuple):
    """The small matrices that are kept for a block; see `Block` and `ClusterOLS`."""

    clusters: NDArray[np.int64]
    raw: NDArray[np.float64]
    scores: NDArray[np.float64]
    gram: NDArray[np.float64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    alone: NDArray[np.float64]


def _reduced(
    basis: NDArray[np.float64],
    residual: NDArray[np.float64],
    codes: NDArray[np.int64],
    cr: str,
    G: int,
) -> _Reduced:
    """Reduce the rows of a block; clusters of equal size are processed together, in one array."""
    p = basis.shape[1]
    sizes = np.bincount(codes, minlength=G)
    clusters = np.flatnonzero(sizes)
    sizes = sizes[clusters]
    order = np.argsort(codes, kind="stable")
    starts = np.cumsum(sizes) - sizes
    raw, scores = np.empty((2, len(clusters), p))
    gram, first, second = np.empty((3, len(clusters), p, p))
    alone = np.zeros((p, p))
    for size in np.unique(sizes):
        alike = np.flatnonzero(sizes == size)
        step = max(1, _AT_ONCE // (max(int(size), p) * p))
        for start in range(0, len(alike), step):
            some = alike[start : start + step]
            rows = order[starts[some][:, None] + np.arange(size)]
            block, left_over = basis[rows], residual[rows]  # (k, size, p), (k, size)
            across = block.transpose(0, 2, 1)
            raw[some] = _applied(across, left_over)
            gram[some] = across @ block
            # The smaller of the block's two matrices of products has all of its singular values.
            if size < p:
                values, U = np.linalg.eigh(block @ across)
                inner = across @ U
                a = _adjustment(1 - values, cr, G)
                scores[some] = _applied(inner, a * _applied(U.transpose(0, 2, 1), left_over))
            else:
                values, V = np.linalg.eigh(gram[some])
                inner = V * np.sqrt(np.maximum(values, 0.0))[:, None, :]
                a = _adjustment(1 - values, cr, G)
                scores[some] = _applied(V, a * _applied(V.transpose(0, 2, 1), raw[some]))
            determined = 1 - values <= NOTHING_LEFT
            if determined.any():
                only = inner * determined[:, None, :]
                alone += np.sum(only @ only.transpose(0, 2, 1), axis=0)
            turned = inner.transpose(0, 2, 1)
            first[some] = (inner * a[:, None, :]) @ turned
            second[some] = (inner * (a**2)[:, None, :]) @ turned
    return _Reduced(clusters, raw, scores, gram, first, second, alone)


def _applied(matrices: NDArray[np.float64], vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each matrix (k, a, b) times its vector (k, b)."""
    return np.asarray((matrices @ vectors[:, :, None])[:, :, 0])


def _satterthwaite(z: NDArray[np.float64], own: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``tr(O)^2 / tr(O^2)`` of each contrast, (m,), ``O_gh = [g = h] own_g - z_g' z_h``.

    z is (m, G, p) and own is (m, G). The G x G matrix is not needed: the sum of all squared ``z_g'
    z_h`` is computed from the p x p matrix of products, and the pairs g = h are subtracted again.
    Clusters that are much larger than all others (`_large`) would lose digits in this subtraction,
    so they are left out of the sum and their pairs are added one by one.
    """
    squares = np.sum(z**2, axis=2)
    diagonal = own - squares
    others = np.sum((z.transpose(0, 2, 1) @ z) ** 2, axis=(1, 2)) - np.sum(squares**2, axis=1)
    large = _large(squares, own)
    for k in np.flatnonzero(large.any(axis=1)):
        some, rest = z[k][large[k]], z[k][~large[k]]
        among = some @ some.T
        np.fill_diagonal(among, 0.0)
        others[k] = (
            np.sum((rest.T @ rest) ** 2)
            - np.sum(squares[k][~large[k]] ** 2)
            + np.sum(among**2)
            + 2 * np.sum((some @ rest.T) ** 2)
        )
    trace = diagonal.sum(axis=1)
    return np.asarray(trace**2 / (np.sum(diagonal**2, axis=1) + others))


def _large(squares: NDArray[np.float64], own: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the clusters with about half of the leverage of a contrast, or more.

    For the other clusters own - squares is at least squares, so that what is added and then
    subtracted is not larger than the sum.
    """
    return squares > 0.5 * own


def _spread(z: NDArray[np.float64], own: NDArray[np.float64]) -> float:
    """Return the sum over pairs of clusters of ``tr(S_gh)^2 + tr(S_gh S_gh)``.

    ``S_gh = [g = h] own_g - z_g z_h'``, with z (G, q, p) and own (G, q, q); see `_satterthwaite`.
    """
    diagonal = own - z @ z.transpose(0, 2, 1)
    of_own, of_z = np.trace(own, axis1=1, axis2=2), np.sum(z**2, axis=(1, 2))
    large = _large(of_z, of_own)
    rest = z[~large]
    G, q, p = rest.shape
    flat = rest.reshape(G, q * p)
    products = (flat.T @ flat).reshape(q, p, q, p)
    total = np.sum(products**2) + np.sum(products * products.transpose(2, 1, 0, 3))
    total -= _traces(rest @ rest.transpose(0, 2, 1)).sum()
    for g in np.flatnonzero(large):
        pairs = _traces(z[g] @ z.transpose(0, 2, 1))
        pairs[g] = 0.0
        # Each pair of large clusters is counted twice.
        total += np.sum(np.where(large, pairs, 2 * pairs))
    return float(_traces(diagonal).sum() + total)


def _traces(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``tr(S)^2 + tr(S S)`` of each matrix (k, q, q)."""
    traces = np.trace(matrices, axis1=1, axis2=2)
    return np.asarray(traces**2 + np.sum(matrices * matrices.transpose(0, 2, 1), axis=(1, 2)))


def _adjustment(left: NDArray[np.float64], cr: str, G: int) -> NDArray[np.float64]:
    """Return the eigenvalues of A_g, given those of I - H_gg."""
    if cr in {"CR0", "CR1"}:
        return np.full(left.shape, np.sqrt(G / (G - 1)) if cr == "CR1" else 1.0)
    some = left > NOTHING_LEFT
    power = -0.5 if cr == "CR2" else -1.0
    return np.asarray(np.where(some, np.where(some, left, 1.0) ** power, 0.0))


def _orthonormal(
    design: NDArray[np.float64], names: Sequence[str] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Q and the matrix that turns Q'y into coefficients; refuse dependent columns."""
    n, p = design.shape
    length = np.linalg.norm(design, axis=0)
    if n < p or not (length > 0).all():
        zero = np.flatnonzero(length == 0)
        which = f"column {_name(names, int(zero[0]))} is all 0" if len(zero) else counted(n, "row")
        raise DataError(f"least squares cannot determine {counted(p, 'coefficient')}: {which}")
    Q, R = np.linalg.qr(design / length)
    U, s, Vt = np.linalg.svd(R)
    if s[-1] <= RANK * s[0]:
        involved = np.flatnonzero(np.abs(Vt[-1]) > 1e-6)
        raise DataError(
            "least squares cannot determine the coefficients: columns "
            f"{', '.join(_name(names, int(j)) for j in involved[:8])} are linearly dependent; "
            "leave one of them out"
        )
    root = (Vt.T / s) @ U.T / length[:, None]
    return Q, np.asarray(root)


def _name(names: Sequence[str] | None, j: int) -> str:
    return repr(str(names[j])) if names is not None else str(j + 1)
