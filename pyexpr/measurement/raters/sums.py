r"""What is computed of raters, from sums per subject and pair of raters.

The model of a rating is :math:`x_{ij} = t_i + b_j + e_{ij}` with a target's value, a rater's bias
and an error whose variance :math:`\sigma_j^2` is the rater's own (Grubbs 1948; Jaech 1985). The
biases are those of least squares with fixed targets. For every pair of raters the variance of the
differences :math:`x_{ij} - x_{ik}` over the targets that both rated estimates
:math:`\sigma_j^2 + \sigma_k^2`; the error variances are the least-squares solution over all pairs,
weighted by the number of those targets less 1, which is Grubbs' estimator where no cell is missing.

All sums are per unit that is left out or drawn (a subject, or a target), so that a replicate is a
weighted sum.

References
----------
Grubbs, F. E. (1948). On estimating precision of measuring instruments and product variability.
Journal of the American Statistical Association, 43, 243-264.
https://doi.org/10.1080/01621459.1948.10483261
Jaech, J. L. (1985). Statistical analysis of measurement errors. Wiley.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.measurement.raters.cells import Cells

# An eigenvalue so small, of a matrix whose largest is about 1, is 0 but for rounding.
_RANK = 1e-9


@dataclass(frozen=True, slots=True)
class PairSums:
    """Sums per unit over the targets that both raters of a pair rated, (G, q, q) or (G, q).

    Attributes
    ----------
    weight : (G, q, q)
        Of ``1 / k_i``, with k_i the number of ratings of target i.
    centred : (G, q)
        Of each rater's ratings less the mean of their targets.
    number : (G, q, q)
        How many targets; on the diagonal each rater's ratings.
    difference, square : (G, q, q)
        Of the differences ``x_ij - x_ik``, and of their squares.
    """

    weight: NDArray[np.float64]
    centred: NDArray[np.float64]
    number: NDArray[np.float64]
    difference: NDArray[np.float64]
    square: NDArray[np.float64]

    @classmethod
    def of(cls, cells: Cells) -> PairSums:
        """Sum over the targets of each unit."""
        q, n_units = cells.table.shape[1], len(cells.labels)
        rated, centred, k = centred_ratings(cells.table)
        found = cls(*np.zeros((1, n_units, q, q)), np.zeros((n_units, q)),
                    *np.zeros((3, n_units, q, q)))  # fmt: skip
        for unit, own in enumerate(targets_of(cells)):
            m, r = rated[own], centred[own]
            found.weight[unit] = _products(m / k[own, None], m)
            found.centred[unit] = r.sum(axis=0)
            found.number[unit] = _products(m, m)
            found.difference[unit] = _products(r, m) - _products(m, r)
            found.square[unit] = _products(r * r, m) + _products(m, r * r) - 2 * _products(r, r)
        return found

    def times(self, times: NDArray[np.float64]) -> Totals:
        """Return the totals if each unit counts so many times, (G,)."""
        return Totals(
            *(
                np.einsum("g,g...->...", times, sums)
                for sums in (
                    self.weight, self.centred, self.number, self.difference, self.square,
                )
            )
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Totals:
    """`PairSums` over the units."""

    weight: NDArray[np.float64]
    centred: NDArray[np.float64]
    number: NDArray[np.float64]
    difference: NDArray[np.float64]
    square: NDArray[np.float64]

    def biases(self, blocks: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return each rater's bias, (q,), adding up to 0 within each block.

        NaN in a block that falls apart here, and for a rater alone in a block.
        """
        found = np.full(len(blocks), np.nan)
        own = np.flatnonzero(~_apart(self.number, blocks))
        inside = np.ix_(own, own)
        together = same_block(blocks[own])
        laplacian = np.diag(np.diag(self.number)[own]) - self.weight[inside]
        # Adds up to 0 within a block, and changes nothing else.
        constant = together / together.sum(axis=1, keepdims=True)
        found[own] = np.linalg.solve(laplacian + constant, self.centred[own])
        return found

    def error_variances(self) -> NDArray[np.float64]:
        """Return each rater's error variance, (q,); NaN where the pairs do not determine it.

        A variance can be negative: it is a difference of variances.
        """
        weight = np.where(np.eye(len(self.number), dtype=bool), 0.0, self.number - 1).clip(0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = (self.square - self.difference**2 / self.number) / (self.number - 1)
        variance = np.where(weight > 0, variance, 0.0)
        found = np.full(len(weight), np.nan)
        parts = components(weight > 0)
        for part in range(parts.max(initial=-1) + 1):
            own = np.flatnonzero(parts == part)
            w = weight[np.ix_(own, own)]
            degree = w.sum(axis=1)
            if len(own) < 3:
                continue
            # Two raters, or a ring of an even number, determine only sums of two variances.
            scale = np.sqrt(degree)
            system = (np.diag(degree) + w) / np.outer(scale, scale)
            if np.linalg.eigvalsh(system)[0] > _RANK:
                right = (w * variance[np.ix_(own, own)]).sum(axis=1)
                found[own] = np.linalg.solve(system, right / scale) / scale
        return found


@dataclass(frozen=True, slots=True)
class DriftSums:
    """Sums per unit of the regression on order: products (G, 2q, 2q), with the ratings (G, 2q).

    The columns are the q raters and their orders, less the mean of their targets. `varies` tells
    whose order varies, (q,); `unit` is that of the order.
    """

    products: NDArray[np.float64]
    right: NDArray[np.float64]
    varies: NDArray[np.bool_]
    unit: float

    @classmethod
    def of(cls, cells: Cells) -> DriftSums:
        """Sum over the targets of each unit."""
        assert cells.order is not None
        q, n_units = cells.table.shape[1], len(cells.labels)
        rated, centred, k = centred_ratings(cells.table)
        here = rated > 0
        order = np.where(here, cells.order, np.nan)
        least, most = (f(order, axis=0) for f in (np.nanmin, np.nanmax))
        unit = float(np.nanstd(order)) or 1.0
        z = np.where(here, (cells.order - np.nanmean(order)) / unit, 0.0)
        design = np.hstack([rated, z])
        products, right = np.zeros((n_units, 2 * q, 2 * q)), np.zeros((n_units, 2 * q))
        for g, own in enumerate(targets_of(cells)):
            d, m = design[own], rated[own]
            inside = -_products(d / k[own, None], d)
            diagonal = np.arange(q)
            inside[diagonal, diagonal] += m.sum(axis=0)
            inside[diagonal, q + diagonal] += z[own].sum(axis=0)
            inside[q + diagonal, diagonal] += z[own].sum(axis=0)
            inside[q + diagonal, q + diagonal] += (z[own] ** 2).sum(axis=0)
            products[g] = inside
            right[g] = np.concatenate(
                [centred[own].sum(axis=0), (z[own] * centred[own]).sum(axis=0)]
            )
        return cls(products, right, most > least, unit)

    def slopes(
        self, times: NDArray[np.float64], blocks: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return each rater's slope less the mean slope of the raters of the block, (q,).

        NaN where the ratings do not determine it.
        """
        q = len(self.varies)
        kept = np.concatenate([np.arange(q), q + np.flatnonzero(self.varies)])
        products = np.einsum("g,gij->ij", times, self.products)[np.ix_(kept, kept)]
        right = np.einsum("g,gi->i", times, self.right)[kept]
        scale = np.sqrt(np.diag(products).clip(0.0))
        scale[scale == 0] = 1.0
        values, vectors = np.linalg.eigh(products / np.outer(scale, scale))
        used = values > _RANK
        inverse = np.where(used, 1 / np.where(used, values, 1.0), 0.0)
        solution = vectors @ (inverse * (vectors.T @ (right / scale))) / scale
        found = np.full(q, np.nan)
        own = np.flatnonzero(self.varies)
        together = same_block(blocks)[np.ix_(own, own)]
        contrast = np.zeros((len(own), len(kept)))
        contrast[:, q:] = np.eye(len(own)) - together / together.sum(axis=1, keepdims=True)
        # A contrast is determined if it has no part in what the ratings leave open.
        open_part = (contrast / scale) @ vectors[:, ~used]
        size = np.sqrt(((contrast / scale) ** 2).sum(axis=1))
        known = (np.abs(open_part).max(axis=1, initial=0.0) <= 1e-6 * size) & (size > 0)
        found[own[known]] = (contrast @ solution)[known] / self.unit
        return found


def correlations(
    cells: Cells, times: NDArray[np.float64], biases: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return each rater's correlation with the mean of the others, whose biases are taken off, (q,).

    Over the targets that another rater rated as well. NaN where one of the two does not vary.
    """
    rated = ~np.isnan(cells.table)
    own = np.where(rated, cells.table - np.nanmean(cells.table) - biases, 0.0)
    k = rated.sum(axis=1)[:, None]
    used = rated & (k > 1)
    weight = np.where(used, times[cells.units][:, None], 0.0)
    others = np.where(used, (own.sum(axis=1)[:, None] - own) / np.maximum(k - 1, 1), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        n = weight.sum(axis=0)
        x = own - (weight * own).sum(axis=0) / n
        y = others - (weight * others).sum(axis=0) / n
        xx, yy, xy = ((weight * part).sum(axis=0) for part in (x * x, y * y, x * y))
        size = n * np.nanmax(np.abs(own), initial=0.0) ** 2
        flat = (xx <= 1e-13 * size) | (yy <= 1e-13 * size)
        return np.asarray(np.where(flat, np.nan, xy / np.sqrt(xx * yy)).clip(-1, 1))


def centred_ratings(
    table: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return 1 where there is a rating, ratings less their targets' means (else 0), numbers."""
    here = ~np.isnan(table)
    k = here.sum(axis=1)
    mean = np.where(here, table, 0.0).sum(axis=1) / k
    return here.astype(np.float64), np.where(here, table - mean[:, None], 0.0), k.astype(float)


def targets_of(cells: Cells) -> list[NDArray[np.int64]]:
    """Return the rows of each unit."""
    order = np.argsort(cells.units, kind="stable")
    return np.split(order, np.searchsorted(cells.units[order], np.arange(1, len(cells.labels))))


def components(linked: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the connected component of each rater, numbered from the first rater on, (q,)."""
    from scipy.sparse.csgraph import connected_components

    found = connected_components(linked, directed=False)[1]
    _, first, position = np.unique(found, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[position].astype(np.int64)


def same_block(blocks: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return 1 for two raters of one block, (q, q)."""
    return (blocks[:, None] == blocks).astype(np.float64)


def _apart(number: NDArray[np.float64], blocks: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return the raters of blocks that are not connected here, or that hold one rater alone."""
    now = components(number > 0)
    pairs = np.unique(np.column_stack([blocks, now]), axis=0)
    broken, counts = np.unique(pairs[:, 0], return_counts=True)
    sizes = np.bincount(blocks)
    return np.isin(blocks, broken[counts > 1]) | (sizes[blocks] == 1)


def _products(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    # Not a matrix product, whose order of summing depends on threads.
    return np.einsum("ij,ik->jk", a, b)
