"""Least squares with cluster-robust variances, small-sample degrees of freedom and tests.

All that depends on rows is reduced, once, to one block per cluster in the
orthonormal coordinates of the design, X = Q R: any number of contrasts then
costs nothing that grows with the rows.

Sources: Bell and McCaffrey (2002), Survey Methodology 28, 169-181; Pustejovsky and
Tipton (2018), J. Bus. Econ. Stat. 36, 672-683.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.errors import DataError, counted, listed
from pyexpr.base.messages import say
from pyexpr.inference.coefficients.leverage import bounded_df
from pyexpr.resampling.tests import ContrastTests, WaldTest, f_test, t_tests

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

CORRECTIONS = ("CR0", "CR1", "CR2", "CR3")
# Of the design's columns at unit length: a smaller ratio of singular values is no rank.
RANK = 1e-10
# A cluster that determines a direction alone has 1 - h = 0 there, but for rounding.
NOTHING_LEFT = 1e-12
# Residuals within this of the largest label are its rounding, not variation.
ROUNDING = 1e-12


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
        Error of a row's residual that is no variation: `ROUNDING` of the largest label.
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
    _gram: NDArray[np.float64] = field(repr=False)  # (G, p, p): Q_g' Q_g
    _first: NDArray[np.float64] = field(repr=False)  # (G, p, p): Q_g' A_g Q_g
    _second: NDArray[np.float64] = field(repr=False)  # (G, p, p): Q_g' A_g^2 Q_g
    _alone: NDArray[np.float64] = field(repr=False)  # (p, p): onto what one cluster determines

    def vcov(self) -> NDArray[np.float64]:
        """Return the cluster-robust covariance of the coefficients, (p, p)."""
        scores = self._scores @ self._root.T
        return np.asarray(scores.T @ scores)

    def leverage(self, contrasts: ArrayLike) -> NDArray[np.float64]:
        """Return the proportion of each contrast's leverage by cluster, (m, G).

        For a coefficient: of the sum of squares of its column's residuals on the other
        columns. Of errors that are independent and alike, also the cluster's share of
        the contrast's variance.
        """
        directions = self._checked(contrasts) @ self._root
        shares = np.einsum("ka,gab,kb->kg", directions, self._gram, directions)
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def determined(self, contrasts: ArrayLike) -> NDArray[np.float64]:
        """Return the part of each contrast's variance that residuals cannot show, (m,).

        That in directions which one cluster alone determines: its residuals there are 0.
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
        Statistic and p-value are NaN where the residuals behind a contrast are rounding
        of the label. ``df = tr(O)^2 / tr(O^2)``, O the matrix of ``p_g' p_h`` over clusters, with
        ``p_g = (I - H)_g' A_g X_g (X'X)^-1 c``: independent errors of equal
        variance are the working model. Checked against: clubSandwich's
        ``coef_test`` and ``linear_contrast``.
        """
        weights = self._checked(contrasts)
        directions = weights @ self._root  # (m, p)
        error = np.sqrt(np.sum((self._scores @ directions.T) ** 2, axis=0))
        df = np.empty(len(weights))
        for k, d in enumerate(directions):
            z = self._first @ d
            omega = -(z @ z.T)
            omega[np.diag_indices_from(omega)] += (self._second @ d) @ d
            df[k] = np.trace(omega) ** 2 / np.sum(omega**2)
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
            As for `contrasts`: bounds the denominator's degrees of freedom.

        Notes
        -----
        ``eta = q (q + 1) / sum Var(D_st)``, D the standardised variance estimate, and
        ``(eta - q + 1) / (eta q) W ~ F(q, eta - q + 1)``. Checked against:
        clubSandwich's ``Wald_test(test = "HTZ")``.
        """
        weights = self._checked(contrasts)
        q = len(weights)
        directions = weights @ self._root
        z = np.einsum("gab,qb->gqa", self._first, directions)
        omega = -np.einsum("gsa,hta->ghst", z, z)
        own = np.einsum("sa,gab,tb->gst", directions, self._second, directions)
        clusters = np.arange(len(z))
        omega[clusters, clusters] += own
        total = omega[clusters, clusters].sum(axis=0)
        values, vectors = np.linalg.eigh(total)
        if not values[0] > NOTHING_LEFT * values[-1]:
            raise DataError("the contrasts of one test must be linearly independent")
        half = vectors @ (vectors / np.sqrt(values)).T
        standard = half @ omega @ half
        traces = np.trace(standard, axis1=2, axis2=3)
        spread = np.sum(traces**2) + np.einsum("ghst,ghts->", standard, standard)
        return f_test(
            weights @ self.coef,
            self._scores @ directions.T,
            directions @ directions.T,
            bounded_df(q * (q + 1) / spread - q + 1, weakest) + q - 1,
            self.rounding,
        )

    def wild_pivots(
        self, contrast: ArrayLike, signs: NDArray[np.float64], *, null: float
    ) -> tuple[float, NDArray[np.float64]]:
        """Return t and the wild cluster bootstrap's t*, the null imposed.

        Parameters
        ----------
        contrast : array_like, shape (p,)
        signs : ndarray, shape (B, G)
            What each cluster's restricted residuals are multiplied by.
        null : float

        Notes
        -----
        O(B G p): residuals enter through their sums per cluster alone.
        """
        c = self._checked(contrast)
        d = (c @ self._root)[0]
        gap = float(self.coef @ c[0] - null)
        lift = gap / (d @ d)
        # The restricted residuals are e + Q d lift.
        raw = self._raw + lift * (self._gram @ d)
        corrected = self._scores + lift * (self._first @ d)
        moved = signs @ raw  # (B, p): Q'y* minus its restricted fit
        scores = signs * (corrected @ d) - moved @ (self._first @ d).T
        with np.errstate(divide="ignore", invalid="ignore"):
            pivots = (moved @ d) / np.sqrt(np.sum(scores**2, axis=1))
        error = float(np.sqrt(np.sum((self._scores @ d) ** 2)))
        moves = error > self._rounding_of(d[None])[0]
        return gap / error if moves else float("nan"), np.asarray(pivots)

    def influences(self, contrasts: ArrayLike) -> NDArray[np.float64]:
        """Return what each cluster adds to contrasts, (G, m); squares sum to the variance."""
        return np.asarray(self._scores @ (self._checked(contrasts) @ self._root).T)

    def _rounding_of(self, directions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the standard errors (m,) that rounding of the residuals alone would give."""
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
        The design, with its intercept if it is to have one; finite.
    y : array_like, shape (n,)
        The label; finite.
    cluster : array_like of int, shape (n,)
        The cluster of each row.
    cr : {"CR0", "CR1", "CR2", "CR3"}
        Adjustment A_g of a cluster's residuals: none; ``sqrt(G/(G-1))``;
        ``(I - H_gg)^(-1/2)``, the bias-reduced one for an identity working model;
        ``(I - H_gg)^(-1)``, near the jackknife.
    names : sequence of str, optional
        Of the columns, for messages.

    Returns
    -------
    ClusterOLS

    Raises
    ------
    DataError
        If shapes disagree, values are not finite, columns are linearly dependent, there
        or there are fewer than 2 clusters.

    Notes
    -----
    The variance is ``M (sum_g X_g' A_g e_g e_g' A_g X_g) M``, ``M = (X'X)^-1``. Where a
    cluster alone determines a coefficient, CR2 and CR3 use the generalised inverse, as
    clubSandwich does for CR2: the standard error of that coefficient is then that of the
    other clusters' part alone, and means nothing (`ClusterOLS.determined`).
    Checked against: clubSandwich's ``vcovCR``, ``coef_test``, ``linear_contrast`` and
    ``Wald_test``.

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
    codes = np.unique(given, return_inverse=True)[1].reshape(-1)
    G = int(codes.max()) + 1 if len(codes) else 0
    if G < 2:
        raise DataError(f"a variance over clusters needs at least 2, but there is {G}")
    basis, root = _orthonormal(design, names)
    projected = basis.T @ label
    residual = label - basis @ projected
    # Once more: a sum over many rows leaves rounding of all of them in each residual.
    again = basis.T @ residual
    projected, residual = projected + again, residual - basis @ again
    p = design.shape[1]
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=G))[:-1]
    raw, scores = np.empty((2, G, p))
    gram, first, second = np.empty((3, G, p, p))
    alone = np.zeros((p, p))
    for g, rows in enumerate(np.split(order, ends)):
        block, left_over = basis[rows], residual[rows]
        raw[g] = block.T @ left_over
        gram[g] = block.T @ block
        # Of the block's two matrices of products the smaller has all its singular values.
        if len(rows) < p:
            values, U = np.linalg.eigh(block @ block.T)
            inner, turned = block.T @ U, U.T @ left_over
            a = _adjustment(1 - values, cr, G)
            scores[g] = inner @ (a * turned)
        else:
            values, V = np.linalg.eigh(gram[g])
            inner = V * np.sqrt(np.maximum(values, 0.0))
            a = _adjustment(1 - values, cr, G)
            scores[g] = V @ (a * (V.T @ raw[g]))
        only = inner[:, 1 - values <= NOTHING_LEFT]
        alone += only @ only.T
        first[g] = (inner * a) @ inner.T
        second[g] = (inner * a**2) @ inner.T
    rounding = ROUNDING * float(np.abs(label).max())
    return ClusterOLS(
        root @ projected, cr, len(label), G, rounding, root, raw, scores, gram, first, second, alone
    )


def _adjustment(left: NDArray[np.float64], cr: str, G: int) -> NDArray[np.float64]:
    """Return the eigenvalues of A_g, given those of I - H_gg."""
    if cr in {"CR0", "CR1"}:
        return np.full(len(left), np.sqrt(G / (G - 1)) if cr == "CR1" else 1.0)
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
