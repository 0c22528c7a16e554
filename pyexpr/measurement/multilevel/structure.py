"""The arrangement of raters, and the numbers of ratings in means, for clips of subjects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.measurement.components.design import Design

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUBJECT, TARGET, RATER = "cluster", "targets", "raters"
CROSSED, IN_SUBJECTS, IN_TARGETS = "crossed", "nested in clusters", "nested in targets"


@dataclass(frozen=True, slots=True)
class Means:
    """The numbers by which the variances are divided in a mean of ratings.

    Attributes
    ----------
    k_target, k_subject : float
        Ratings per target (harmonic mean), effective number of raters per subject.
    q_target, q_subject : float
        Share of the raters' variance in the difference of the means of two targets of a subject,
        and of two subjects: 0 if the same raters rated both, 1/k if different raters did.
    targets, raters, ratings : float
        Effective numbers of targets, raters and ratings in a subject's mean.
    """

    k_target: float
    k_subject: float
    q_target: float
    q_subject: float
    targets: float
    raters: float
    ratings: float


def structure_of(
    subjects: NDArray[np.int64], targets: NDArray[np.int64], raters: NDArray[np.int64] | None
) -> str:
    """Return whether raters are crossed with subjects, or each rated one subject, or one target."""
    if raters is None or _one_each(raters, targets):
        return IN_TARGETS
    return IN_SUBJECTS if _one_each(raters, subjects) else CROSSED


def _one_each(inner: NDArray[np.int64], outer: NDArray[np.int64]) -> bool:
    if len(np.unique(outer)) == 1:
        return False
    owner = np.zeros(int(inner.max()) + 1, dtype=np.int64)
    owner[inner] = outer
    return bool((owner[inner] == outer).all())


def design_of_structure(structure: str) -> Design:
    """Return the random effects of ratings for this arrangement of raters."""
    subject, target = (SUBJECT,), (SUBJECT, TARGET)
    facets = (SUBJECT, TARGET, RATER)
    if structure == CROSSED:
        return Design(
            facets, ((), (SUBJECT,), ()),
            (subject, (RATER,), target, (SUBJECT, RATER)), SUBJECT, replicated=False,
        )  # fmt: skip
    if structure == IN_SUBJECTS:
        return Design(
            facets, ((), (SUBJECT,), (SUBJECT,)),
            (subject, target, (SUBJECT, RATER)), SUBJECT, replicated=False,
        )  # fmt: skip
    return Design((SUBJECT, TARGET), ((), (SUBJECT,)), (subject, target), SUBJECT, replicated=True)


def means_of(
    subjects: NDArray[np.int64], targets: NDArray[np.int64], raters: NDArray[np.int64] | None
) -> Means:
    """Return the numbers of ratings on which means are based.

    Parameters
    ----------
    subjects, targets, raters : ndarray of int64, shape (n,)
        Codes from 0 without gaps. Those of targets are unique over subjects. Raters are None if
        each rating is from another rater.
    """
    if raters is None:
        raters = np.arange(len(targets))
    per_target, per_subject = np.bincount(targets), np.bincount(subjects)
    owner = np.zeros(len(per_target), dtype=np.int64)
    owner[targets] = subjects
    weights = 1 / per_target[targets]
    in_subject = 1 / per_subject[subjects]
    squares_raters = _squares(subjects, raters, in_subject)
    squares_targets = _squares(subjects, targets, in_subject)
    k_subject = 1 / float(squares_raters.mean())
    return Means(
        k_target=float(1 / np.mean(1 / per_target)),
        k_subject=k_subject,
        q_target=_different(targets, raters, weights, owner),
        q_subject=_different(subjects, raters, in_subject, np.zeros(len(per_subject), np.int64)),
        targets=1 / float(squares_targets.mean()),
        raters=k_subject,
        ratings=float(1 / np.mean(1 / per_subject)),
    )


def _squares(
    units: NDArray[np.int64], parts: NDArray[np.int64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the sum of the squared weights of each unit's parts."""
    n = int(parts.max()) + 1
    pairs, place = np.unique(units * n + parts, return_inverse=True)
    total = np.bincount(place, weights=weights)
    return np.bincount(pairs // n, weights=total**2).astype(np.float64)


def _different(
    units: NDArray[np.int64],
    raters: NDArray[np.int64],
    weights: NDArray[np.float64],
    groups: NDArray[np.int64],
) -> float:
    """Return half the mean of sum_r (w_ir - w_jr)^2 over pairs of units of a group."""
    count = np.bincount(groups)
    pairs = float(np.sum(count * (count - 1)))
    if not pairs:
        return 0.0
    squares = _squares(units, raters, weights)
    shared = _squares(groups[units], raters, weights)
    each = np.sum(squares * (count[groups] - 1))
    products = np.sum(shared) - np.sum(squares)
    return max(0.0, float((each - products) / pairs))
