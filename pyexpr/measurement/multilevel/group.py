"""One context's multilevel ICCs: ratios of its variance components."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pyexpr.base.messages import codes_of
from pyexpr.measurement.components.group import ComponentsGroup
from pyexpr.measurement.components.notes import ALIKE
from pyexpr.measurement.multilevel.notes import TOO_FEW_LEVELS
from pyexpr.measurement.multilevel.structure import CROSSED, IN_SUBJECTS, IN_TARGETS, Means

TARGET_LEVEL, SUBJECT_LEVEL = "target", "subject"
SUBJECT_OVER_TARGETS = "subject over targets"
LEVELS = (TARGET_LEVEL, SUBJECT_LEVEL, SUBJECT_OVER_TARGETS)
# Positions of the variances, in the order of the effects of `design_of_structure`.
_PLACES = {
    CROSSED: {"subject": 0, "rater": 1, "target": 2, "both": 3, "error": 4},
    IN_SUBJECTS: {"subject": 0, "target": 1, "rater": 2, "error": 3},
    IN_TARGETS: {"subject": 0, "target": 1, "error": 2},
}
# A share of the raters' variance below this is treated as a rounding error.
_NONE = 1e-9


@dataclass(frozen=True, slots=True)
class MultilevelGroup:
    """Components, arrangement of the raters, and numbers of ratings of one context."""

    components: ComponentsGroup
    structure: str
    means: Means

    @property
    def reason(self) -> str:
        """Return why nothing can be estimated, without the argument of other functions."""
        found = self.components.reason
        return TOO_FEW_LEVELS if ALIKE.code in codes_of(found) else found


@dataclass(frozen=True, slots=True)
class Coefficient:
    """A multilevel ICC as weights of the variances.

    Attributes
    ----------
    level, form : str
    k : float
        Number of raters.
    n_targets : float
        Number of targets in the mean; 1 for a single target.
    q : float
        Share of the variance of raters in the error.
    signal, error : tuple of float
        Weights of the variances, the residual's last.
    """

    level: str
    form: str
    k: float
    n_targets: float
    q: float
    signal: tuple[float, ...]
    error: tuple[float, ...]


def coefficients_of(group: MultilevelGroup, k: float | None) -> Iterator[Coefficient]:
    """Yield the coefficients that the arrangement of the raters allows.

    Parameters
    ----------
    k : float or None
        Number of raters of the average forms; None: as in the ratings.
    """
    yield from _of_target(group, k)
    if group.structure == CROSSED:
        yield from _of_subject(group, k)
    yield from _over_targets(group, k)


def _weights(structure: str, **weights: float) -> tuple[float, ...]:
    places = _PLACES[structure]
    found = np.zeros(len(places))
    for name, weight in weights.items():
        if name in places:
            found[places[name]] = weight
    return tuple(float(weight) for weight in found)


def _forms(
    structure: str, k: float, q: float, *, given: bool
) -> Iterator[tuple[str, float, float]]:
    """Yield name, number of raters, and share of the raters' variance of each form."""
    if structure == IN_TARGETS:
        yield "ICC(1,1)", 1.0, 1.0
        yield "ICC(1,k)", k, 1 / k
        return
    yield "ICC(A,1)", 1.0, 1.0
    yield "ICC(A,k)", k, 1 / k
    yield "ICC(C,1)", 1.0, 0.0
    yield "ICC(C,k)", k, 0.0
    if not given and _NONE < q < 1 / k - _NONE:
        yield "ICC(Q,k)", k, q


def _of_target(group: MultilevelGroup, k: float | None) -> Iterator[Coefficient]:
    number = group.means.k_target if k is None else k
    forms = _forms(group.structure, number, group.means.q_target, given=k is not None)
    for form, raters, q in forms:
        yield Coefficient(
            TARGET_LEVEL, form, raters, 1.0, q,
            _weights(group.structure, target=1.0),
            _weights(group.structure, rater=q, error=1 / raters),
        )  # fmt: skip


def _of_subject(group: MultilevelGroup, k: float | None) -> Iterator[Coefficient]:
    number = group.means.k_subject if k is None else k
    forms = _forms(group.structure, number, group.means.q_subject, given=k is not None)
    for form, raters, q in forms:
        yield Coefficient(
            SUBJECT_LEVEL, form, raters, float("inf"), q,
            _weights(group.structure, subject=1.0),
            _weights(group.structure, rater=q, both=1 / raters),
        )  # fmt: skip


def _over_targets(group: MultilevelGroup, k: float | None) -> Iterator[Coefficient]:
    means, structure = group.means, group.structure
    raters = means.raters if k is None else k
    ratings = means.ratings if k is None else k * means.targets
    # If each subject has different raters, their variance is part of every difference.
    forms = [("ICC(A,1)", True, False), ("ICC(A,k)", True, True)]
    if structure == CROSSED:
        forms += [("ICC(C,1)", False, False), ("ICC(C,k)", False, True)]
    if structure == IN_TARGETS:
        forms = [("ICC(1,1)", True, False), ("ICC(1,k)", True, True)]
    for form, agree, average in forms:
        number, targets, total = (raters, means.targets, ratings) if average else (1.0, 1.0, 1.0)
        if structure == IN_TARGETS:
            number = total / targets
        yield Coefficient(
            SUBJECT_OVER_TARGETS, form, number, targets, 1 / number if agree else 0.0,
            _weights(structure, subject=1.0),
            _weights(
                structure, target=1 / targets, rater=1 / number if agree else 0.0,
                both=1 / number, error=1 / total,
            ),
        )  # fmt: skip
