"""The restricted likelihood of two crossed random factors, as a function of their variances.

Model: rating = mean + a + b + error, a and b random. With lambda_a and lambda_b the variances
over that of error, H = I + lambda_a Z_a Z_a' + lambda_b Z_b Z_b', and mean and error variance
profiled out, minus twice the restricted log-likelihood is

    (n - 1) (1 + log(2 pi rss / (n - 1))) + log det H + log(1' H^-1 1),

where rss is the residual sum of squares of generalised least squares. Factor a is eliminated: I +
lambda_a Z_a Z_a' is inverted in closed form, so that only a matrix of the size of factor b is
inverted (Bates et al. 2015 order it likewise).

A level of factor a enters only by its number of ratings, by which levels of b gave them, and by
their sum. `TableSums` adds these up over the levels with equally many ratings: an evaluation then
costs nothing that grows with the levels of a, many tables are evaluated at once, and a table
without some levels of a is a difference of sums. `SparseTable` is for two large factors.

References
----------
Bates, D., Maechler, M., Bolker, B. and Walker, S. (2015). Fitting linear mixed-effects models
using lme4. Journal of Statistical Software, 67(1), 1-48.
https://doi.org/10.18637/jss.v067.i01
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Numbers in the crossings of one table, (classes, q, q), and in those of tables held at once.
MOST_NUMBERS = 2_000_000


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Of B tables: criterion (B,), its gradient by the two ratios (B, 2), error variance (B,)."""

    criterion: NDArray[np.float64]
    gradient: NDArray[np.float64]
    error: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Layout:
    """Properties of the designs of B tables; all (B,) except `b_sizes`.

    ``a_power2`` is the sum over the levels of a of their squared numbers of ratings, and so on;
    ``cross`` the sum over ratings of the product of both numbers.
    """

    n: NDArray[np.float64]
    a_levels: NDArray[np.float64]
    b_levels: NDArray[np.float64]
    a_power2: NDArray[np.float64]
    a_power3: NDArray[np.float64]
    b_power2: NDArray[np.float64]
    b_power3: NDArray[np.float64]
    cross: NDArray[np.float64]

    def mean_sizes(self) -> NDArray[np.float64]:
        """Mean number of ratings per level of a and of b, (B, 2)."""
        return np.column_stack([self.n / self.a_levels, self.n / self.b_levels])

    def likeness(self) -> NDArray[np.float64]:
        """Least eigenvalue of the correlations between the designs of a, b and error, (B,).

        The correlations are those of I, Z_a Z_a' and Z_b Z_b' within the contrasts, as matrices.
        The eigenvalue is 0 if one of the three is a combination of the others, so that no data can
        separate their variances.
        """
        n, a2, b2 = self.n, self.a_power2, self.b_power2
        products = {
            (0, 0): n - 1,
            (0, 1): n - a2 / n,
            (0, 2): n - b2 / n,
            (1, 1): a2 - 2 * self.a_power3 / n + (a2 / n) ** 2,
            (1, 2): n - 2 * self.cross / n + a2 * b2 / n**2,
            (2, 2): b2 - 2 * self.b_power3 / n + (b2 / n) ** 2,
        }
        gram = np.empty((len(n), 3, 3))
        for (i, j), value in products.items():
            gram[:, i, j] = gram[:, j, i] = value
        norms = np.sqrt(np.maximum(np.einsum("bii->bi", gram), np.finfo(float).tiny))
        correlations = gram / norms[:, :, None] / norms[:, None, :]
        return np.asarray(np.linalg.eigvalsh(correlations)[:, 0])

    def moment_ratios(self, squares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Variance ratios (B, 2) from uncorrected sums of squares (B, 3): a, b, all ratings.

        Henderson's (1953) first method: the equations of the sums' expectations are solved for the
        components. They may be negative.
        """
        n, a2, b2 = self.n, self.a_power2 / self.n, self.b_power2 / self.n
        rows = [
            [n - a2, self.a_levels - b2, self.a_levels - 1],
            [self.b_levels - a2, n - b2, self.b_levels - 1],
            [n - a2, n - b2, n - 1],
        ]
        matrix = np.moveaxis(np.array(rows), -1, 0)
        found = np.array([np.linalg.lstsq(m, s, rcond=1e-12)[0] for m, s in
                          zip(matrix, squares, strict=True)])  # fmt: skip
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = found[:, :2] / found[:, 2:]
        # Without a positive error variance: targets and raters explain nearly all.
        return np.where(found[:, 2:] > 0, ratios, 10.0)


@dataclass(frozen=True, slots=True)
class TableSums:
    """Sums of B tables over the levels of a, by class c of their number of ratings.

    Attributes
    ----------
    sizes : ndarray, shape (C,)
        Number of ratings of a level of a in the class.
    counts : ndarray, shape (B, C)
        Levels of a in the class.
    crossings : ndarray, shape (B, C, q, q)
        How many of these levels were rated by both of two levels of b.
    row_sums : ndarray, shape (B, C, q)
        Sum of the levels' sums of ratings, over those that the level of b rated.
    totals, squares : ndarray, shape (B, C)
        Sum of the levels' sums of ratings, and of the squares of these sums.
    b_sums : ndarray, shape (B, q)
        Sum of the ratings of each level of b.
    all_squares : ndarray, shape (B,)
        Sum of squared ratings.
    """

    sizes: NDArray[np.float64]
    counts: NDArray[np.float64]
    crossings: NDArray[np.float64]
    row_sums: NDArray[np.float64]
    totals: NDArray[np.float64]
    squares: NDArray[np.float64]
    b_sums: NDArray[np.float64]
    all_squares: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        values: NDArray[np.float64],
        a: NDArray[np.int64],
        b: NDArray[np.int64],
        *,
        owners: NDArray[np.int64] | None = None,
        like: TableSums | None = None,
    ) -> TableSums:
        """Return the sums of a table, or of its part of each owner (B,) of levels of a.

        `a`, `b` are codes per rating, `a` without gaps, `owners` one code per level of a. With
        `like` the classes and levels of b are those of a larger table. The values should be centred
        first.
        """
        n_a = int(a.max()) + 1
        q = int(b.max()) + 1 if like is None else like.crossings.shape[-1]
        owners = np.zeros(n_a, dtype=np.int64) if owners is None else owners
        times = np.bincount(a, minlength=n_a)
        sizes = np.unique(times) if like is None else like.sizes
        which = np.searchsorted(sizes, times)
        shape = (int(owners.max()) + 1, len(sizes))
        own = _added(a, values, n_a)
        cell = owners * len(sizes) + which
        n_cells = shape[0] * shape[1]
        of_rating = cell[a]
        rows = _added(of_rating * q + b, own[a], n_cells * q)
        crossings = np.zeros((n_cells, q, q))
        order = np.argsort(cell, kind="stable")
        mask = np.zeros((n_a, q))
        mask[a, b] = 1.0
        found, starts = np.unique(cell[order], return_index=True)
        for place, part in zip(found, np.split(order, starts[1:]), strict=True):
            crossings[place] = mask[part].T @ mask[part]
        return cls(
            sizes=sizes.astype(np.float64),
            counts=np.bincount(cell, minlength=n_cells).reshape(shape).astype(np.float64),
            crossings=crossings.reshape(*shape, q, q),
            row_sums=rows.reshape(*shape, q),
            totals=_added(cell, own, n_cells).reshape(shape),
            squares=_added(cell, own**2, n_cells).reshape(shape),
            b_sums=_added(owners[a] * q + b, values, shape[0] * q).reshape(-1, q),
            all_squares=_added(owners[a], values**2, shape[0]),
        )

    def __len__(self) -> int:
        """Return how many tables there are."""
        return len(self.all_squares)

    def take(self, tables: NDArray[np.intp]) -> TableSums:
        """Return the sums of some tables, repeated as often as they are listed."""
        chosen = {f.name: getattr(self, f.name)[tables] for f in fields(self) if f.name != "sizes"}
        return TableSums(sizes=self.sizes, **chosen)

    def without(self, parts: TableSums) -> TableSums:
        """Return this one table without each of the parts, one table per part."""
        left = {
            f.name: getattr(self, f.name) - getattr(parts, f.name)
            for f in fields(self)
            if f.name != "sizes"
        }
        return TableSums(sizes=self.sizes, **left)

    def b_sizes(self) -> NDArray[np.float64]:
        """Return the number of ratings of each level of b, (B, q)."""
        return np.asarray(np.einsum("bcjj->bj", self.crossings))

    def layout(self) -> Layout:
        """Return the properties of the design."""
        b_sizes = self.b_sizes()
        diagonals = np.einsum("bcjj->bcj", self.crossings)
        return Layout(
            n=self.counts @ self.sizes,
            a_levels=self.counts.sum(axis=1),
            b_levels=(b_sizes > 0).sum(axis=1).astype(np.float64),
            a_power2=self.counts @ self.sizes**2,
            a_power3=self.counts @ self.sizes**3,
            b_power2=(b_sizes**2).sum(axis=1),
            b_power3=(b_sizes**3).sum(axis=1),
            cross=np.einsum("c,bcj,bj->b", self.sizes, diagonals, b_sizes),
        )

    def moment_squares(self) -> NDArray[np.float64]:
        """Return squares summed of a, b and all ratings, each less that of the mean, (B, 3)."""
        of_mean = self.totals.sum(axis=1) ** 2 / (self.counts @ self.sizes)
        of_b = (self.b_sums**2 / np.maximum(self.b_sizes(), 1)).sum(axis=1)
        of_a = self.squares @ (1 / self.sizes)
        return np.asarray(np.column_stack([of_a, of_b, self.all_squares]) - of_mean[:, None])

    def evaluate(self, ratios: NDArray[np.float64]) -> Evaluation:
        """Return the criterion of each table at its ratios (lambda_a, lambda_b), (B, 2)."""
        la, lb = ratios[:, 0], ratios[:, 1]
        d = 1 + la[:, None] * self.sizes
        once = _weighted(self.crossings, 1 / d)
        twice = _weighted(self.crossings, 1 / d**2)
        at_b, inverse, log_det = _eliminated(self.b_sizes(), once, la, lb)
        diagonals = np.einsum("bcjj->bcj", self.crossings)
        # The two columns that matter: 1 and y.
        beta = np.stack(
            [
                self.b_sizes() - la[:, None] * _weighted(diagonals, self.sizes / d),
                self.b_sums - la[:, None] * _weighted(self.row_sums, 1 / d),
            ],
            axis=-1,
        )
        part = inverse @ beta
        inner = self._inner(la, d) - lb[:, None, None] * np.swapaxes(beta, 1, 2) @ part
        mean = inner[:, 0, 1] / inner[:, 0, 0]
        of_y = part[..., 1] - mean[:, None] * part[..., 0]
        slopes = np.stack(
            [
                (self.counts * self.sizes / d).sum(axis=1) - lb * (inverse * twice).sum((1, 2)),
                (inverse * at_b).sum(axis=(1, 2)),
            ],
            axis=-1,
        )
        lengths_a = [
            self._length(lb, d, column, shift)
            for column, shift in ((part[..., 0], None), (of_y, mean))
        ]
        lengths_b = [(column**2).sum(axis=1) for column in (part[..., 0], of_y)]
        return _assembled(
            self.counts @ self.sizes,
            inner,
            (self.counts * np.log(d)).sum(axis=1) + log_det,
            slopes,
            np.stack([np.column_stack(lengths_a), np.column_stack(lengths_b)], axis=1),
            self.all_squares,
        )

    def _inner(self, la: NDArray[np.float64], d: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (1, y)' (I + lambda_a Z_a Z_a')^-1 (1, y), (B, 2, 2)."""
        n, total = self.counts @ self.sizes, self.totals.sum(axis=1)
        less = [
            (self.counts * self.sizes**2 / d).sum(axis=1),
            (self.totals * self.sizes / d).sum(axis=1),
            (self.squares / d).sum(axis=1),
        ]
        found = np.empty((len(n), 2, 2))
        found[:, 0, 0] = n - la * less[0]
        found[:, 0, 1] = found[:, 1, 0] = total - la * less[1]
        found[:, 1, 1] = self.all_squares - la * less[2]
        return found

    def _length(
        self,
        lb: NDArray[np.float64],
        d: NDArray[np.float64],
        column: NDArray[np.float64],
        mean: NDArray[np.float64] | None,
    ) -> NDArray[np.float64]:
        """Squared length of Z_a' H^-1 x, (B,): x is 1 (no mean), or y less its mean.

        `column` is Z_b' H^-1 x. For a level of a it is (sum of x - lambda_b w' column) / d, with w
        the levels of b that rated it; the square is expanded and summed by class.
        """
        diagonals = np.einsum("bcjj->bcj", self.crossings)
        if mean is None:
            squares = self.counts * self.sizes**2
            rows = diagonals * self.sizes[:, None]
        else:
            m = mean[:, None]
            squares = (
                self.squares - 2 * m * self.sizes * self.totals
                + (m * self.sizes) ** 2 * self.counts
            )  # fmt: skip
            rows = self.row_sums - m[..., None] * self.sizes[:, None] * diagonals
        mixed = np.einsum("bcj,bj->bc", rows, column)
        both = ((self.crossings @ column[:, None, :, None])[..., 0] * column[:, None]).sum(axis=2)
        lb = lb[:, None]
        return np.asarray(((squares - 2 * lb * mixed + lb**2 * both) / d**2).sum(axis=1))

    def effects_of_b(self, ratio: NDArray[np.float64]) -> NDArray[np.float64]:
        """Means of the levels of b, (B, q), those of a random with the ratio (B,) to error.

        Generalised least squares, which in a complete table gives each level's own mean. NaN for a
        level without ratings.
        """
        d = 1 + ratio[:, None] * self.sizes
        once = _weighted(self.crossings, 1 / d)
        b_sizes = self.b_sizes()
        absent = b_sizes == 0
        # An absent level's equation is 0 = 0: made one that has a solution.
        at_b = _diagonal(b_sizes + absent) - ratio[:, None, None] * once
        of_y = self.b_sums - ratio[:, None] * _weighted(self.row_sums, 1 / d)
        return np.where(absent, np.nan, np.linalg.solve(at_b, of_y[..., None])[..., 0])


class SparseTable:
    """One table of two large factors: the levels of a one by one, what is in b by the sparse table.

    With the methods of `TableSums` that a fit needs, for a single table.
    """

    def __init__(
        self, values: NDArray[np.float64], a: NDArray[np.int64], b: NDArray[np.int64]
    ) -> None:
        from scipy.sparse import csr_array

        self.weights = csr_array((np.ones(len(values)), (a, b)))
        self.size_a = np.bincount(a).astype(np.float64)
        self.size_b = np.bincount(b).astype(np.float64)
        self.sums_a = np.column_stack([self.size_a, np.bincount(a, values)])
        self.sums_b = np.column_stack([self.size_b, np.bincount(b, values)])
        total = values.sum()
        self.products = np.array([[len(values), total], [total, values @ values]])

    def __len__(self) -> int:
        """Return how many tables there are: one."""
        return 1

    def layout(self) -> Layout:
        """Return the properties of the design."""
        a, b = self.size_a, self.size_b
        cross = float(a @ np.asarray(self.weights @ b))
        numbers = (
            a.sum(), len(a), len(b), (a**2).sum(), (a**3).sum(), (b**2).sum(), (b**3).sum(), cross,
        )  # fmt: skip
        return Layout(*(np.array([float(number)]) for number in numbers))

    def moment_squares(self) -> NDArray[np.float64]:
        """Return squares summed of a, b and all ratings, each less that of the mean, (1, 3)."""
        sums = [(part[:, 1] ** 2 / part[:, 0]).sum() for part in (self.sums_a, self.sums_b)]
        of_mean = self.products[0, 1] ** 2 / self.products[0, 0]
        return np.asarray(np.array([[*sums, self.products[1, 1]]]) - of_mean)

    def evaluate(self, ratios: NDArray[np.float64]) -> Evaluation:
        """Return the criterion at the ratios (lambda_a, lambda_b), (1, 2)."""
        from scipy.sparse import csr_array

        la, lb = ratios[:, 0], ratios[:, 1]
        d = 1 + la * self.size_a
        scaled = csr_array(self.weights.multiply(1 / d[:, None]))
        once = (self.weights.T @ scaled).toarray()[None]
        twice = (scaled.T @ scaled).toarray()[None]
        at_b, inverse, log_det = _eliminated(self.size_b[None], once, la, lb)
        alpha = self.sums_a / d[:, None]
        beta = self.sums_b - la * (scaled.T @ self.sums_a)
        part = inverse[0] @ beta
        of_a = alpha - lb * (scaled @ part)
        inner = self.products - la * self.sums_a.T @ alpha - lb * beta.T @ part
        shift = np.array([[1.0, -inner[0, 1] / inner[0, 0]], [0.0, 1.0]])
        lengths = [((own @ shift) ** 2).sum(axis=0) for own in (of_a, part)]
        slopes = [
            (self.size_a / d).sum() - lb[0] * np.sum(inverse * twice),
            np.sum(inverse * at_b),
        ]
        return _assembled(
            self.products[:1, 0],
            inner[None],
            np.log(d).sum() + log_det,
            np.array([slopes]),
            np.array([lengths]),
            self.products[1:, 1],
        )


def _added(codes: NDArray[np.int64], values: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Sum of the values of each code, (n,)."""
    return np.asarray(np.bincount(codes, weights=values, minlength=n), dtype=np.float64)


def _weighted(sums: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add up the classes (B, C, ...) with weights (B, C)."""
    return np.asarray(np.einsum("bc...,bc->b...", sums, weights))


def _diagonal(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Matrices (B, q, q) of diagonals (B, q)."""
    return np.asarray(values[:, :, None] * np.eye(values.shape[1]))


def _eliminated(
    b_sizes: NDArray[np.float64],
    once: NDArray[np.float64],
    la: NDArray[np.float64],
    lb: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """T = Z_b' H_a^-1 Z_b, the inverse of I + lambda_b T, and its log determinant."""
    at_b = _diagonal(b_sizes) - la[:, None, None] * once
    matrix = np.eye(at_b.shape[1]) + lb[:, None, None] * at_b
    factor = np.linalg.cholesky(matrix)
    log_det = 2 * np.log(np.einsum("bjj->bj", factor)).sum(axis=1)
    inverse: NDArray[np.float64] = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
    return at_b, inverse, np.asarray(log_det)


def _assembled(
    n: NDArray[np.float64],
    inner: NDArray[np.float64],
    log_det: NDArray[np.float64],
    slopes: NDArray[np.float64],
    lengths: NDArray[np.float64],
    squares: NDArray[np.float64],
) -> Evaluation:
    """Put together criterion, gradient and error variance.

    `inner` is (1, y)' H^-1 (1, y), `slopes` (B, 2) the derivatives of log det H by the ratios,
    `lengths` (B, 2, 2) the squared lengths, by factor, of Z' H^-1 1 and Z' H^-1 (y - mean),
    `squares` the sum of squared ratings.
    """
    df = n - 1
    ones = inner[:, 0, 0]
    # Never below what rounding leaves of the squares, so that its logarithm exists.
    floor = np.finfo(float).eps * squares + np.finfo(float).tiny
    rss = np.maximum(inner[:, 1, 1] - inner[:, 0, 1] ** 2 / ones, floor)
    criterion = df * (1 + np.log(2 * math.pi * rss / df)) + log_det + np.log(ones)
    gradient = slopes - lengths[..., 0] / ones[:, None] - (df / rss)[:, None] * lengths[..., 1]
    return Evaluation(criterion, gradient, rss / df)
