"""Least squares of rows that belong to two clusters: dyads, or crossed clusters.

The variance of a contrast is the sum of the products ``w_i e_i w_j e_j`` over all pairs of rows
with a member in common, where w are the weights of the labels in the contrast. The correction
factor, the lower bound and the degrees of freedom are those of `pyexpr.resampling.memberships`.

Sources: Aronow, Samii and Assenova (2015), Political Analysis 23, 564-577; Cameron, Gelbach and
Miller (2011), J. Bus. Econ. Stat. 29, 238-249.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pyexpr.inference.coefficients.cluster_ols import ClusterOLS, DesignBlock, blocked_ols
from pyexpr.inference.coefficients.leverage import Support, bounded_df
from pyexpr.resampling.memberships import (
    LARGEST_FACTOR,
    LARGEST_SHARE,
    ONE_IN_LEVERAGE,
    TOO_CONCENTRATED,
    Memberships,
    WorkingModel,
    combined_df,
    df_with_kurtosis,
    working_model_of,
)
from pyexpr.resampling.tests import ContrastTests, WaldTest, f_test, t_tests

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class _Variance(NamedTuple):
    """The variance of one contrast, its degrees of freedom, and members' scaled influences."""

    variance: float
    df: float
    influence: NDArray[np.float64]
    model: WorkingModel


@dataclass(frozen=True, slots=True)
class TwoWayOLS:
    """A least-squares fit whose rows belong to two clusters; see `ClusterOLS` for the methods.

    Attributes
    ----------
    cells : ClusterOLS
        The fit with pairs of members as independent clusters.
    memberships : Memberships
    """

    cells: ClusterOLS
    memberships: Memberships
    _basis: NDArray[np.float64] = field(repr=False)  # (n, p): Q
    _residual: NDArray[np.float64] = field(repr=False)  # (n,)
    _codes: NDArray[np.int64] = field(repr=False)  # (n,): the cell of each row

    @property
    def coef(self) -> NDArray[np.float64]:
        """Return the coefficients, (p,)."""
        return self.cells.coef

    @property
    def rounding(self) -> float:
        """Return the rounding error of a row's residual."""
        return self.cells.rounding

    def vcov(self) -> NDArray[np.float64]:
        """Return the covariance of the coefficients, (p, p); see `influences`."""
        influence = self.influences(np.eye(len(self.coef)))
        return np.asarray(influence.T @ influence)

    def contrasts(
        self, contrasts: ArrayLike, *, null: float = 0.0, weakest: ArrayLike | None = None
    ) -> ContrastTests:
        """Test linear contrasts, (m, p)."""
        weights = np.atleast_2d(np.asarray(contrasts, dtype=np.float64))
        found = [self._variance(one) for one in weights]
        df = np.array([one.df for one in found])
        if weakest is not None:
            df = np.array([bounded_df(*pair) for pair in zip(df, np.asarray(weakest), strict=True)])
        error = np.sqrt([one.variance for one in found])
        rounding = self.rounding * np.linalg.norm(self.cells.directions(weights), axis=1)
        return t_tests(weights @ self.coef, error, df, rounding, null)

    def wald(self, contrasts: ArrayLike, *, weakest: float = np.inf) -> WaldTest:
        """Test that several contrasts are all 0, by Hotelling's T2.

        The covariance has the variances of the contrasts and the correlations of the members'
        influences; the degrees of freedom are the smallest of the contrasts.
        """
        weights = np.atleast_2d(np.asarray(contrasts, dtype=np.float64))
        directions = self.cells.directions(weights)
        eta = min(self._variance(one).df for one in weights)
        return f_test(
            weights @ self.coef,
            self.influences(weights),
            directions @ directions.T,
            min(eta, weakest),
            self.rounding,
        )

    def influences(self, contrasts: ArrayLike) -> NDArray[np.float64]:
        """Return the contribution of each member to contrasts, (members, m).

        Contributions are scaled so that their squares sum to the variance.
        """
        weights = np.atleast_2d(np.asarray(contrasts, dtype=np.float64))
        return np.column_stack([self._variance(one).influence for one in weights])

    def support(self, contrasts: ArrayLike) -> Support:
        """Return the effective numbers of members of coefficients, and why some are not tested."""
        effective, df, why = [], [], []
        for one in np.atleast_2d(np.asarray(contrasts, dtype=np.float64)):
            squares = self._weights(one) ** 2
            share = self._per_member(squares) / squares.sum()
            own = self._variance(one)
            blocks = [share[block] for block in self.memberships.blocks()]
            effective.append(min(part.sum() ** 2 / float(part @ part) for part in blocks))
            df.append(own.df)
            why.append(self._why_not(share, own.model))
        return Support(np.array(effective), np.array(df), tuple(why))

    def _why_not(self, share: NDArray[np.float64], model: WorkingModel) -> str:
        largest = int(np.argmax(share))
        if share[largest] > LARGEST_SHARE:
            label = self.memberships.labels[largest]
            return ONE_IN_LEVERAGE(member=label, percent=100 * min(share[largest], 1.0))
        if not model.factor <= LARGEST_FACTOR:
            return TOO_CONCENTRATED(members="members", name=self.memberships.name)
        return ""

    def _weights(self, contrast: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weights of the labels in a contrast, (n,)."""
        return np.asarray(self._basis @ self.cells.directions(contrast[None])[0])

    def _per_member(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.memberships.totals(self._per_cell(values))

    def _per_cell(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        cells = len(self.memberships.members)
        return np.asarray(np.bincount(self._codes, values, minlength=cells), dtype=np.float64)

    def _variance(self, contrast: NDArray[np.float64]) -> _Variance:
        weights = self._weights(contrast)
        scores = weights * self._residual
        of_cells, members = self._per_cell(scores), self._per_member(scores)
        fitted = np.zeros((len(of_cells), self._basis.shape[1]))
        np.add.at(fitted, self._codes, weights[:, None] * self._basis)
        model = working_model_of(self.memberships, self._per_cell(weights**2), fitted)
        blocks = self.memberships.blocks()
        parts = np.array([members[block] @ members[block] for block in blocks])
        total = model.factor * float(parts.sum() - of_cells @ of_cells)
        least = float(self.cells.contrasts(contrast).std_error[0]) ** 2
        # If there is no correction factor, and so no test, the variance is that of independent
        # cells.
        variance = max(total, least) if np.isfinite(total) else least
        dfs = [
            df_with_kurtosis(df, members[block], simple=True)
            for df, block in zip(model.df, blocks, strict=True)
        ]
        size = float(members @ members)
        scaled = members * np.sqrt(variance / size) if size > 0 else members
        return _Variance(variance, combined_df(variance, model.factor * parts, dfs), scaled, model)


def two_way_ols(
    blocks: Sequence[DesignBlock],
    label: NDArray[np.float64],
    codes: NDArray[np.int64],
    memberships: Memberships,
    *,
    cr: str = "CR2",
    names: Sequence[str] | None = None,
) -> TwoWayOLS:
    """Fit least squares to rows in cells `codes`, as `blocked_ols` for independent clusters."""
    cells = blocked_ols(blocks, label, codes, cr=cr, names=names)
    basis = np.zeros((len(label), len(cells.coef)))
    design = np.zeros_like(basis)
    for block in blocks:
        design[np.ix_(block.rows, block.columns)] = block.values
    basis = design @ cells.directions(np.eye(len(cells.coef)))
    residual = label - design @ cells.coef
    residual -= basis @ (basis.T @ residual)
    return TwoWayOLS(cells, memberships, basis, residual, codes)
