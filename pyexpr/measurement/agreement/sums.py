r"""Coefficients of agreement as functions of sums per subject.

With :math:`r_{ik}` the number of raters who put target i into category k, :math:`r_i` its number of
ratings, and weights w, the observed agreement is the mean over the targets with at least two
ratings of :math:`\sum_k r_{ik} (\sum_l w_{kl} r_{il} - 1) / (r_i (r_i - 1))`. Every coefficient
but Krippendorff's alpha is :math:`(p_a - p_e) / (1 - p_e)` with an agreement by chance :math:`p_e`
of its own; alpha is :math:`1 - D_o / D_e` of its coincidences. All of them need only sums over
targets, so that leaving out a subject is a subtraction, and a bootstrap replicate a sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.measurement.agreement.weights import ordinal_metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Cells of a table of targets by categories that are made at a time.
_CHUNK = 4_000_000


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement observed, agreement by chance, and the coefficient; arrays (...)."""

    observed: NDArray[np.float64]
    expected: NDArray[np.float64]

    @property
    def value(self) -> NDArray[np.float64]:
        """``(observed - expected) / (1 - expected)``; NaN if agreement by chance is complete."""
        with np.errstate(divide="ignore", invalid="ignore"):
            found = (self.observed - self.expected) / (1 - self.expected)
        return np.asarray(np.where(self.expected >= 1 - 1e-12, np.nan, found))


@dataclass(frozen=True, slots=True)
class SubjectSums:
    """Sums per subject, (G, S), and the coefficient as a function of their totals (..., S)."""

    sums: NDArray[np.float64]
    agreement: Callable[[NDArray[np.float64]], Agreement]

    def whole(self) -> Agreement:
        """Return the agreement of all subjects."""
        return self.agreement(self.sums.sum(axis=0))

    def left_out(self) -> NDArray[np.float64]:
        """Return the coefficient of all subjects, then without each, (1 + G,)."""
        total = self.sums.sum(axis=0)
        # Counts are whole numbers, so their subtraction leaves no rounding error.
        return self.agreement(np.concatenate([total[None], total - self.sums])).value


@dataclass(frozen=True, slots=True)
class Coded:
    """Ratings as codes of categories: target, category and rater of each; subject per target.

    ``raters`` is None if it is not known who gave a rating.
    """

    targets: NDArray[np.int64]
    categories: NDArray[np.int64]
    raters: NDArray[np.int64] | None
    clusters: NDArray[np.int64]
    n_targets: int
    n_categories: int
    n_raters: int
    n_clusters: int

    def per_target(self) -> NDArray[np.int64]:
        """Return the number of ratings of every target."""
        return np.bincount(self.targets, minlength=self.n_targets)


def subject_sums(
    coded: Coded,
    coefficient: str,
    weights: NDArray[np.float64],
    metric: NDArray[np.float64] | None,
) -> SubjectSums:
    """Return what a coefficient needs.

    Parameters
    ----------
    weights : ndarray, shape (q, q)
        The weights of all coefficients but Krippendorff's alpha.
    metric : ndarray, shape (q, q), or None
        The metric of Krippendorff's alpha; None for the ordinal one, which depends on the ratings.
    """
    if coefficient == "krippendorff_alpha":
        return _alpha(coded, metric)
    q, sum_of_weights = len(weights), float(weights.sum())
    observed = _observed(coded, weights)
    if coefficient == "percent_agreement":
        return SubjectSums(observed, lambda t: Agreement(_share(t), np.zeros(t.shape[:-1])))
    if coefficient == "brennan_prediger":
        level = sum_of_weights / q**2
        return SubjectSums(observed, lambda t: Agreement(_share(t), np.full(t.shape[:-1], level)))
    if coefficient == "cohen_kappa":
        counts = _by_rater(coded)

        def conger(total: NDArray[np.float64]) -> Agreement:
            table = total[..., 2:].reshape(*total.shape[:-1], coded.n_raters, q)
            return Agreement(_share(total), _between_raters(table, weights))

        return SubjectSums(np.hstack([observed, counts]), conger)
    shares = _shares(coded)

    def of_shares(total: NDArray[np.float64]) -> Agreement:
        with np.errstate(divide="ignore", invalid="ignore"):
            share = total[..., 3:] / total[..., 2:3]
        if coefficient == "fleiss_kappa":
            chance = np.einsum("...k,kl,...l->...", share, weights, share)
        else:
            # With one category there is no other to choose, and agreement by chance is complete.
            spread = (share * (1 - share)).sum(axis=-1)
            chance = sum_of_weights / (q * (q - 1)) * spread if q > 1 else share[..., 0]
        return Agreement(_share(total), chance)

    return SubjectSums(np.hstack([observed, shares]), of_shares)


def _share(total: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the observed agreement: the sum of the targets' agreement over their number."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(total[..., 0] / total[..., 1])


def _between_raters(
    table: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean weight of two different raters' categories drawn at random.

    The mean is over the raters with ratings; it is NaN if there are fewer than two. `table` is
    (..., raters, q).
    """
    number = table.sum(axis=-1, keepdims=True)
    present = number > 0
    share = np.divide(table, number, out=np.zeros_like(table), where=present)
    n = present.sum(axis=(-2, -1)).astype(np.float64)
    total = share.sum(axis=-2)
    every = np.einsum("...k,kl,...l->...", total, weights, total)
    same = np.einsum("...gk,kl,...gl->...", share, weights, share)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((every - same) / (n * (n - 1)))


def _observed(coded: Coded, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Per subject: the sum of its targets' agreement, and the number with two ratings; (G, 2)."""
    found = np.zeros((coded.n_clusters, 2))
    for clusters, counts in _counts(coded):
        number = counts.sum(axis=1)
        pairs = number >= 2
        counts, number = counts[pairs], number[pairs]
        agree = np.einsum("ik,ik->i", counts, counts @ weights - 1) / (number * (number - 1))
        _add(found, clusters[pairs], np.column_stack([agree, np.ones(len(agree))]))
    return found


def _shares(coded: Coded) -> NDArray[np.float64]:
    """Per subject: its rated targets, and the sum of their shares of each category; (G, 1 + q)."""
    found = np.zeros((coded.n_clusters, 1 + coded.n_categories))
    for clusters, counts in _counts(coded):
        share = counts / counts.sum(axis=1, keepdims=True)
        _add(found, clusters, np.hstack([np.ones((len(share), 1)), share]))
    return found


def _by_rater(coded: Coded) -> NDArray[np.float64]:
    """Per subject: how often each rater chose each category, (G, raters x q)."""
    assert coded.raters is not None
    width = coded.n_raters * coded.n_categories
    place = coded.raters * coded.n_categories + coded.categories
    cell = coded.clusters[coded.targets] * width + place
    flat = np.bincount(cell, minlength=coded.n_clusters * width)
    return flat.reshape(coded.n_clusters, width).astype(np.float64)


def _alpha(coded: Coded, metric: NDArray[np.float64] | None) -> SubjectSums:
    """Return Krippendorff's alpha: coincidences of the targets with at least two ratings."""
    q = coded.n_categories
    if metric is None:
        return SubjectSums(_coincidences(coded), lambda total: _alpha_of(total, q))
    found = np.zeros((coded.n_clusters, 1 + q))
    for clusters, counts in _counts(coded):
        number = counts.sum(axis=1)
        pairs = number >= 2
        counts, number = counts[pairs], number[pairs]
        apart = np.einsum("ik,kl,il->i", counts, metric, counts, optimize=True) / (number - 1)
        _add(found, clusters[pairs], np.hstack([apart[:, None], counts]))

    def of_sums(total: NDArray[np.float64]) -> Agreement:
        counts = total[..., 1:]
        chance = np.einsum("...k,kl,...l->...", counts, metric, counts)
        return _from_disagreement(total[..., 0], chance, counts.sum(axis=-1))

    return SubjectSums(found, of_sums)


def category_sums(coded: Coded) -> list[SubjectSums]:
    r"""Return what each category's specific agreement needs.

    :math:`\sum_i r_{ik} (r_{ik} - 1) / \sum_i r_{ik} (r_i - 1)`: if one rater chose the category,
    the probability that another rater of the target chose it, too (Uebersax 1982).
    """
    q = coded.n_categories
    same, all_pairs = np.zeros((coded.n_clusters, q)), np.zeros((coded.n_clusters, q))
    for clusters, counts in _counts(coded):
        number = counts.sum(axis=1, keepdims=True)
        _add(same, clusters, counts * (counts - 1))
        _add(all_pairs, clusters, counts * (number - 1))
    return [
        SubjectSums(
            np.column_stack([same[:, k], all_pairs[:, k]]),
            lambda total: Agreement(_share(total), np.zeros(total.shape[:-1])),
        )
        for k in range(q)
    ]


def _coincidences(coded: Coded) -> NDArray[np.float64]:
    q = coded.n_categories
    found = np.zeros((coded.n_clusters, q * q))
    for clusters, counts in _counts(coded, width=q * q):
        number = counts.sum(axis=1)
        pairs = number >= 2
        counts, number = counts[pairs], number[pairs]
        squares = counts[:, :, None] * counts[:, None, :]
        squares[:, np.arange(q), np.arange(q)] -= counts
        _add(found, clusters[pairs], (squares / (number - 1)[:, None, None]).reshape(-1, q * q))
    return found


def _alpha_of(total: NDArray[np.float64], q: int) -> Agreement:
    table = total.reshape(*total.shape[:-1], q, q)
    counts = table.sum(axis=-1)
    metric = ordinal_metric(counts)
    apart = (table * metric).sum(axis=(-2, -1))
    chance = np.einsum("...k,...kl,...l->...", counts, metric, counts)
    return _from_disagreement(apart, chance, counts.sum(axis=-1))


def _from_disagreement(
    apart: NDArray[np.float64], chance: NDArray[np.float64], n: NDArray[np.float64]
) -> Agreement:
    """Return ``1 - D_o / D_e`` as an agreement whose chance level is 0.

    ``D_o = apart / n`` and ``D_e = chance / (n (n - 1))``.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        value = 1 - (n - 1) * apart / chance
    # If all ratings have the same category, rounding leaves a `chance` of about 1e-16.
    value = np.where(chance <= 1e-12 * n**2, np.nan, value)
    return Agreement(value, np.zeros_like(value))


def _counts(
    coded: Coded, *, width: int | None = None
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Yield, for some rated targets at a time, their subjects and counts (n, q)."""
    q = coded.n_categories
    order = np.argsort(coded.targets, kind="stable")
    targets, categories = coded.targets[order], coded.categories[order]
    step = max(1, _CHUNK // (width or q))
    for first in range(0, coded.n_targets, step):
        last = min(first + step, coded.n_targets)
        own = slice(*np.searchsorted(targets, [first, last]))
        cell = (targets[own] - first) * q + categories[own]
        counts = np.bincount(cell, minlength=(last - first) * q).reshape(-1, q).astype(np.float64)
        rated = counts.sum(axis=1) > 0
        yield coded.clusters[first:last][rated], counts[rated]


def _add(
    found: NDArray[np.float64], clusters: NDArray[np.int64], rows: NDArray[np.float64]
) -> None:
    """Add each row to its subject's sums, in the order of the rows."""
    np.add.at(found, clusters, rows)
