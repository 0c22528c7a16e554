r"""The diagnostics of raters, computed from sums per subject and pair of raters.

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

# An eigenvalue so small, of a matrix whose largest is about 1, is 0 up to rounding.
_RANK = 1e-9


@dataclass(frozen=True, slots=True)
class PairSums:
    """Sums per unit over the targets that both raters of a pair rated, (G, q, q) or (G, q).

    Attributes
    ----------
    weight : (G, q, q)
        Sums of ``1 / k_i``, with k_i the number of ratings of target i.
    centred : (G, q)
        Sums of each rater's ratings minus the mean of their targets.
    number : (G, q, q)
        Numbers of targets; on the diagonal, of each rater's ratings.
    difference, square : (G, q, q)
        Sums of the differences ``x_ij - x_ik``, and of their squares.
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
        pairs = (n_units, q, q)
        found = cls(
            weight=np.zeros(pairs),
            centred=np.zeros((n_units, q)),
            number=np.zeros(pairs),
            difference=np.zeros(pairs),
            square=np.zeros(pairs),
        )
        for unit, own in enumerate(targets_of(cells)):
            m, r = rated[own], centred[own]
            found.weight[unit] = _products(m / k[own, None], m)
            found.centred[unit] = r.sum(axis=0)
            found.number[unit] = _products(m, m)
            found.difference[unit] = _products(r, m) - _products(m, r)
            found.square[unit] = _products(r * r, m) + _products(m, r * r) - 2 * _products(r, r)
        return found

    def times(self, times: NDArray[np.float64]) -> Totals:
        """Return the totals if each unit counts so many times, (B, G)."""
        return Totals(
            *(
                np.einsum("bg,g...->b...", times, sums)
                for sums in (
                    self.weight, self.centred, self.number, self.difference, self.square,
                )
            )
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Totals:
    """`PairSums` over the units, for each of B ways to count them: (B, q, q) or (B, q)."""

    weight: NDArray[np.float64]
    centred: NDArray[np.float64]
    number: NDArray[np.float64]
    difference: NDArray[np.float64]
    square: NDArray[np.float64]

    def biases(self, blocks: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return each rater's bias, (B, q), adding up to 0 within each block.

        NaN in a block that is not connected with these counts, and for a rater alone in a block.
        """
        found = np.full(self.centred.shape, np.nan)
        whole = connected(self.number > 0, blocks)
        for block in range(int(blocks.max()) + 1):
            own = np.flatnonzero(blocks == block)
            rows = np.flatnonzero(whole[:, block])
            if len(own) < 2 or not len(rows):
                continue
            inside = np.ix_(rows, own, own)
            diagonal = self.number[:, own, own][rows]
            # The last term adds up to 0 over the block, and changes nothing else.
            laplacian = diagonal[:, :, None] * np.eye(len(own)) - self.weight[inside] + 1 / len(own)
            right = self.centred[np.ix_(rows, own)]
            found[np.ix_(rows, own)] = np.linalg.solve(laplacian, right[..., None])[..., 0]
        return found

    def error_variances(self, parts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return each rater's error variance, (B, q); NaN where the pairs do not determine it.

        A variance can be negative: it is a difference of variances. `parts` are the raters
        connected by pairs with at least two common targets, in all the data.
        """
        q = len(parts)
        weight = np.where(np.eye(q, dtype=bool), 0.0, self.number - 1).clip(0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = (self.square - self.difference**2 / self.number) / (self.number - 1)
        variance = np.where(weight > 0, variance, 0.0)
        found = np.full(self.centred.shape, np.nan)
        whole = connected(weight > 0, parts)
        for part in range(int(parts.max()) + 1):
            own = np.flatnonzero(parts == part)
            rows = np.flatnonzero(whole[:, part])
            if len(own) < 3 or not len(rows):
                continue
            inside = np.ix_(rows, own, own)
            w = weight[inside]
            scale = np.sqrt(w.sum(axis=2))
            system = np.eye(len(own)) + w / (scale[:, :, None] * scale[:, None, :])
            # A ring of an even number of raters determines only sums of two variances.
            known = np.linalg.eigvalsh(system)[:, 0] > _RANK
            right = (w * variance[inside]).sum(axis=2) / scale
            solved = np.linalg.solve(system[known], right[known][..., None])[..., 0]
            found[np.ix_(rows[known], own)] = solved / scale[known]
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

    def slopes(self, times: NDArray[np.float64], blocks: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return each rater's slope less the mean slope of the raters of the block, (B, q).

        NaN where the ratings do not determine it. `times` are (B, G).
        """
        q = len(self.varies)
        kept = np.concatenate([np.arange(q), q + np.flatnonzero(self.varies)])
        products = np.einsum("bg,gij->bij", times, self.products[:, kept[:, None], kept])
        right = np.einsum("bg,gi->bi", times, self.right[:, kept])
        scale = np.sqrt(np.diagonal(products, axis1=1, axis2=2).clip(0.0))
        scale[scale == 0] = 1.0
        values, vectors = np.linalg.eigh(products / (scale[:, :, None] * scale[:, None, :]))
        used = values > _RANK
        inverse = np.where(used, 1 / np.where(used, values, 1.0), 0.0)
        turned = np.einsum("bij,bi->bj", vectors, right / scale)
        solution = np.einsum("bij,bj->bi", vectors, inverse * turned) / scale
        own = np.flatnonzero(self.varies)
        together = (blocks[own][:, None] == blocks[own]).astype(np.float64)
        contrast = np.zeros((len(own), len(kept)))
        contrast[:, q:] = np.eye(len(own)) - together / together.sum(axis=1, keepdims=True)
        # A contrast is determined if it has no part in what the ratings leave open.
        scaled = contrast / scale[:, None, :]
        open_part = np.abs(np.einsum("bci,bij->bcj", scaled, vectors) * ~used[:, None, :])
        size = np.sqrt((scaled**2).sum(axis=2))
        known = (open_part.max(axis=2, initial=0.0) <= 1e-6 * size) & (size > 0)
        slopes = np.einsum("ci,bi->bc", contrast, solution) / self.unit
        found = np.full((len(times), q), np.nan)
        found[:, own] = np.where(known, slopes, np.nan)
        return found


def correlations(
    cells: Cells, times: NDArray[np.float64], biases: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return each rater's correlation with the mean of the others less their biases, (B, q).

    Only targets that another rater rated as well are used. NaN if one of the two does not vary.
    `times` are (B, G), `biases` (B, q).
    """
    rated = ~np.isnan(cells.table)
    centred = cells.table - np.nanmean(cells.table)
    own = np.where(rated, centred - biases[:, None, :], 0.0)
    k = rated.sum(axis=1)[:, None]
    used = rated & (k > 1)
    weight = np.where(used, times[:, cells.units][:, :, None], 0.0)
    others = (own.sum(axis=2, keepdims=True) - own) / np.maximum(k - 1, 1)
    others = np.where(used, others, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        n = weight.sum(axis=1)[:, None]
        x = own - (weight * own).sum(axis=1)[:, None] / n
        y = others - (weight * others).sum(axis=1)[:, None] / n
        xx, yy, xy = ((weight * part).sum(axis=1) for part in (x * x, y * y, x * y))
        size = 1e-13 * n[:, 0] * np.nanmax(np.abs(centred), initial=0.0) ** 2
        flat = (xx <= size) | (yy <= size)
        return np.asarray(np.where(flat, np.nan, xy / np.sqrt(xx * yy)).clip(-1, 1))


def centred_ratings(
    table: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return 1 where there is a rating, ratings minus their targets' means (or 0), and numbers."""
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
    return np.asarray(np.argsort(np.argsort(first))[position], dtype=np.int64)


def connected(linked: NDArray[np.bool_], blocks: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return whether the raters of each block are connected by links (B, q, q); (B, blocks)."""
    q = len(blocks)
    reached = linked | np.eye(q, dtype=bool)
    for _ in range(max(1, q - 1).bit_length()):
        # Sums of ones: any order of summing gives the same.
        reached = (reached.astype(np.float32) @ reached.astype(np.float32)) > 0
    apart = ~reached & (blocks[:, None] == blocks)
    broken = apart.any(axis=2)
    return np.stack(
        [~broken[:, blocks == block].any(axis=1) for block in range(int(blocks.max()) + 1)], axis=1
    )


def _products(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    # Not a matrix product, whose order of summing depends on threads.
    return np.asarray(np.einsum("ij,ik->jk", a, b))
