"""Rows that belong to two clusters: dyads of persons, and crossed clusters.

The rows of a pair of members are a *cell*: a dyad, or a subject and a stimulus. Two rows are
dependent if their cells have a member in common.

Variance. With U_k the influence of a member on a statistic and U_c that of a cell, the sum of
the products of influences over all pairs of rows with a common member is
``sum_k U_k^2 - sum_c U_c^2``: for dyads the estimator of Aronow, Samii and Assenova (2015), for
crossed clusters that of Cameron, Gelbach and Miller (2011). ``U = (1 - share) (T - T_(.))``, where
T_(.) is the statistic without the member or cell and share is its proportion of the rows, so that
they are exact for a mean. Three things are added:

1. The sum is multiplied by a factor, the smallest with which the variance of a mean is not
underestimated, whether the members or the rows vary (`working_model`). In a round robin
   of P persons it is ``P (P-1)/((P-2)(P-3))``, and the estimate is unbiased.
2. The sum can be negative. The variance is set to at least that of cells as independent clusters.
3. Degrees of freedom are Satterthwaite's, as for CR2 (Bell and McCaffrey, 2002), with members'
   effects as the working model, and the excess kurtosis of the influences.

Replicates. Members are drawn with replacement. The count of a cell is the product of the counts of
its two members (Owen, 2007; for dyads Davezies, D'Haultfoeuille and Guyonvarch, 2021). Their
variance is too large if rows vary more than members.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pyexpr.base.messages import Template
from pyexpr.core.cluster_bootstrap import draw_counts

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Fewest members in the simulations: for dyads, and for each of two crossed memberships.
FEWEST_PERSONS, FEWEST_CROSSED = 6, 5
# A member with a larger proportion of the rows determines the result alone.
LARGEST_SHARE = 0.5
# If a design would underestimate the variance by more than this, it is not estimated.
LARGEST_FACTOR = 3.0

NO_ERRORS_OF_TWO = (
    "studentized intervals require independent clusters, but rows belong to two; use jackknife_t, "
    "percentile, basic, normal or bca"
)
FEW_MEMBERS = Template(
    "few_members", "there are only {n} {members} ({name:label}); at least {least} are required"
)
ONE_IN_MOST = Template(
    "one_member_in_most_rows",
    "{member:label} ({name:label}) is in {percent:.0f} % of the rows, so the variation between "
    "{members} cannot be estimated",
)
ONE_IN_LEVERAGE = Template(
    "one_member_with_leverage",
    "{member:label} has {percent:.0f} % of the slope's leverage, so that nothing shows how it "
    "varies between members",
)
TOO_CONCENTRATED = Template(
    "memberships_too_concentrated",
    "most rows share few {members} ({name:label}), so the variation between them cannot be "
    "estimated",
)


@dataclass(frozen=True, slots=True)
class Memberships:
    """The two members of every cell.

    Attributes
    ----------
    members : (cells, 2) int64
        Positions of the two among all members. For crossed memberships, the members of the second
        follow those of the first.
    sizes : tuple of int
        Numbers of members: one of dyads, (first, second) if crossed.
    labels : tuple
        Of the members.
    names : tuple of str
        The two columns.
    """

    members: NDArray[np.int64]
    sizes: tuple[int, ...]
    labels: tuple[Any, ...]
    names: tuple[str, str]

    @property
    def dyadic(self) -> bool:
        """Return whether both members are of the same kind, and can be in either column."""
        return len(self.sizes) == 1

    @property
    def name(self) -> str:
        """Return the names of both columns."""
        return " and ".join(self.names)

    def of_cells(self, cells: NDArray[np.int64]) -> Memberships:
        """Return the memberships of some cells, in this order, with only their members."""
        members = self.members[cells]
        present, places = np.unique(members, return_inverse=True)
        bounds = np.cumsum((0, *self.sizes))
        sizes = tuple(np.histogram(present, bounds)[0].tolist())
        labels = tuple(self.labels[k] for k in present)
        return replace(self, members=places.reshape(members.shape), sizes=sizes, labels=labels)

    def without_each(self) -> NDArray[np.float64]:
        """Return the count of each cell without each member, (members, cells)."""
        counts = np.ones((sum(self.sizes), len(self.members)))
        cells = np.arange(len(self.members))
        counts[self.members[:, 0], cells] = 0.0
        counts[self.members[:, 1], cells] = 0.0
        return counts

    def drawn(self, n: int, *, seed: int, first: int = 0) -> NDArray[np.float64]:
        """Return the count of each cell in replicates `first` to ``first + n - 1``, (n, cells).

        The members of each membership are drawn like the clusters of a stratum.
        """
        counts = draw_counts(self.sizes, n, seed=seed, first=first)
        one, other = self.members.T
        return np.asarray(counts[:, one] * counts[:, other], dtype=np.float64)

    def totals(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum of values of cells (cells,) over the cells of each member."""
        found = np.zeros(sum(self.sizes))
        np.add.at(found, self.members[:, 0], rows)
        np.add.at(found, self.members[:, 1], rows)
        return found

    def blocks(self) -> list[slice]:
        """Return the positions of the members of each membership."""
        ends = np.cumsum(self.sizes).tolist()
        return [slice(end - size, end) for end, size in zip(ends, self.sizes, strict=True)]


class WorkingModel(NamedTuple):
    """What a design implies for the variance of a mean.

    Attributes
    ----------
    factor : float
        Factor by which the sum is multiplied; infinite if nothing can be estimated.
    df : tuple of float
        Degrees of freedom of each membership, if its members' effects are normal.
    """

    factor: float
    df: tuple[float, ...]


def working_model(memberships: Memberships, rows: NDArray[np.float64]) -> WorkingModel:
    """Return factor and degrees of freedom of a mean, from the cells' numbers of rows (cells,)."""
    return _of_mean(memberships.members.tobytes(), memberships.sizes, rows.tobytes())


# All metrics of a comparison, and all its methods, share a design.
@lru_cache(maxsize=64)
def _of_mean(members: bytes, sizes: tuple[int, ...], of_cells: bytes) -> WorkingModel:
    pairs = np.frombuffer(members, dtype=np.int64).reshape(-1, 2)
    rows = np.frombuffer(of_cells, dtype=np.float64)
    fitted = rows[:, None] / np.sqrt(rows.sum())
    return working_model_of(Memberships(pairs, sizes, (), ("", "")), rows, fitted)


def working_model_of(
    memberships: Memberships, squares: NDArray[np.float64], fitted: NDArray[np.float64]
) -> WorkingModel:
    """Return factor and degrees of freedom of a linear combination ``w'y`` of labels.

    The sum of products of ``w e``, with residuals e, is a quadratic form. Its expectation is
    compared with the variance of ``w'y`` for effects of rows, of cells, and of the members of each
    membership. The last two are proportional to w, as effects on what is estimated.

    Parameters
    ----------
    memberships : Memberships
    squares : (cells,) float64
        The sum of ``w_i^2`` in each cell.
    fitted : (cells, p) float64
        The sum of ``w_i Q_i`` in each cell, Q the orthonormal basis of the model.
    """
    one, other = memberships.members.T
    of_member, of_squares = memberships.totals(squares), memberships.totals(squares**2)
    own = np.column_stack([memberships.totals(column) for column in fitted.T])
    crossed = np.column_stack([memberships.totals(squares * column) for column in fitted.T])
    products = _product(fitted.T, fitted)
    common, squared = np.diag(of_member), np.diag(of_squares)
    for matrix, values in ((common, squares), (squared, squares**2)):
        np.add.at(matrix, (one, other), values)
        np.add.at(matrix, (other, one), values)
    left = common - _product(own, own.T)
    mixed = _product(crossed, own.T)
    of_products = _product(own, products)
    form = _product(left, left) - squared + mixed + mixed.T - _product(of_products, own.T)
    length = np.sum(fitted**2, axis=1)
    of_rows = np.sum(of_member - np.sum(own**2, axis=1)) - np.sum(squares - length)
    of_cells = (
        np.sum(of_squares) - 2 * np.sum(own * crossed) + np.sum(of_products * own)
        - np.sum(squares**2) + 2 * np.sum(squares * length) - np.sum(products**2)
    )  # fmt: skip
    expected = [(squares.sum(), of_rows), (float(squares @ squares), of_cells)]
    df = []
    for block in memberships.blocks():
        part = form[block, block]
        trace = float(np.trace(part))
        expected.append((float(of_member[block] @ of_member[block]), trace))
        df.append(trace**2 / float(np.sum(part**2)) if trace > 0 else 1.0)
    factors = [true / found if found > 1e-9 * true else np.inf for true, found in expected]
    return WorkingModel(float(max(factors)), tuple(df))


def _product(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a @ b. A matrix product of NumPy adds in an order that depends on threads."""
    return np.asarray(np.einsum("ij,jk->ik", a, b))


def why_not(memberships: Memberships, rows: NDArray[np.float64]) -> str:
    """Return why the variance cannot be estimated from cells with these numbers of rows, or ""."""
    least = FEWEST_PERSONS if memberships.dyadic else FEWEST_CROSSED
    words = ("persons",) if memberships.dyadic else ("members", "members")
    names = (memberships.name,) if memberships.dyadic else memberships.names
    total = memberships.totals(rows)
    for block, word, name in zip(memberships.blocks(), words, names, strict=True):
        own = total[block]
        if len(own) < least:
            return FEW_MEMBERS(n=len(own), members=word, name=name, least=least)
        largest = int(np.argmax(own))
        part = own[largest] / rows.sum()
        if part > LARGEST_SHARE:
            label = memberships.labels[block.start + largest]
            return ONE_IN_MOST(member=label, name=name, percent=100 * part, members=word)
    if not working_model(memberships, rows).factor <= LARGEST_FACTOR:
        return TOO_CONCENTRATED(members=words[0], name=memberships.name)
    return ""


@dataclass(frozen=True, slots=True)
class Crossing:
    """What the variance of quantities needs in addition to their values without each member.

    Attributes
    ----------
    memberships : Memberships
    cells : (q, cells) float64
        The quantities without each cell.
    rows : (q, cells) float64
        Rows of each quantity in each cell.
    """

    memberships: Memberships
    cells: NDArray[np.float64]
    rows: NDArray[np.float64]

    def influences(
        self, whole: NDArray[np.float64], values: NDArray[np.float64], cells: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return those of members (q, members) and cells (q, cells).

        `whole` (q,) are the quantities, `values` and `cells` those without each member and cell.
        """
        total = self.rows.sum(axis=1, keepdims=True)
        of_member = np.array([self.memberships.totals(rows) for rows in self.rows]) / total
        return (
            _centred((1 - of_member) * (whole[:, None] - values), of_member),
            _centred((1 - self.rows / total) * (whole[:, None] - cells), self.rows / total),
        )

    def variances(
        self,
        whole: NDArray[np.float64],
        values: NDArray[np.float64],
        cells: NDArray[np.float64],
        simple: NDArray[np.bool_],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return variances and their degrees of freedom, (q,) each.

        If `simple`, the degrees of freedom ignore kurtosis.
        """
        members, own = self.influences(whole, values, cells)
        blocks = self.memberships.blocks()
        parts = np.array([np.sum(members[:, block] ** 2, axis=1) for block in blocks])
        of_cells = np.sum(own**2, axis=1)
        D = own.shape[1]
        variance, df = np.empty((2, len(whole)))
        for q, rows in enumerate(self.rows):
            model = working_model(self.memberships, rows)
            sum_of_products = model.factor * (parts[:, q].sum() - of_cells[q])
            variance[q] = max(sum_of_products, of_cells[q] * D / (D - 1))
            dfs = [
                df_with_kurtosis(own_df, members[q, block], simple=bool(simple[q]))
                for own_df, block in zip(model.df, blocks, strict=True)
            ]
            df[q] = combined_df(variance[q], model.factor * parts[:, q], dfs)
        return variance, df

    def influence(self, whole: float, values: NDArray[np.float64], k: int) -> NDArray[np.float64]:
        """Return the influences of members on quantity `k`, whose squares add up to its variance.

        The part that members share with each other, the cells, is left out: the squares are scaled
        to the variance.
        """
        one = replace(self, cells=self.cells[[k]], rows=self.rows[[k]])
        given = np.array([whole]), values[None], one.cells
        variance, _ = one.variances(*given, np.array([True]))
        members = one.influences(*given)[0][0]
        size = float(np.sum(members**2))
        return np.asarray(members * np.sqrt(variance[0] / size)) if size > 0 else members


def _centred(influence: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return influences that add up to 0, like those of a mean."""
    total = influence.sum(axis=1, keepdims=True)
    return np.asarray(influence - share / share.sum(axis=1, keepdims=True) * total)


def df_with_kurtosis(df: float, influence: NDArray[np.float64], *, simple: bool) -> float:
    """Return degrees of freedom, reduced for the excess kurtosis of influences."""
    G = len(influence)
    if simple or G < 6:
        return df
    second = float(np.mean(influence**2))
    if not second > 0:
        return df
    excess = float(np.mean(influence**4)) / second**2 - 3
    excess = (G - 1) / ((G - 2) * (G - 3)) * ((G + 1) * excess + 6)
    return max(2 / (2 / df + max(excess, 0.0) / G), min(2.0, df))


def combined_df(variance: float, parts: NDArray[np.float64], dfs: Sequence[float]) -> float:
    """Return the degrees of freedom of the variance; for crossed memberships Satterthwaite's."""
    if len(dfs) == 1:
        return dfs[0]
    spread = float(np.sum(parts**2 / np.array(dfs)))
    return max(variance**2 / spread, min(*dfs, 2.0)) if spread > 0 else min(dfs)
