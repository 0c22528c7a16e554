"""Splits by subject: no subject is in two parts.

Every step of the analysis that is fitted to data (scalers, factor model, tuning, early stopping)
selects rows by subject, so that all steps use the same split.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import is_number, whole_number
from pyexpr.base.errors import DataError, StudyError, counted, listed
from pyexpr.base.foreign import single_column
from pyexpr.base.messages import say
from pyexpr.base.options import FORMER_CONTEXT, explains
from pyexpr.base.results import Result
from pyexpr.base.tables import label_codes
from pyexpr.core import streams
from pyexpr.inference.coefficients.penalised import folds_of

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

PARTS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True, repr=False)
class SubjectSplit(Result):
    """A division of the subjects into three disjoint parts.

    The parts are checked when the object is created, so they cannot overlap.

    Attributes
    ----------
    train, validation, test : tuple of labels
        The subjects of each part, sorted. ``validation`` is empty if its
        proportion was 0.
    proportions : tuple of float
        The requested proportions, in the same order.
    seed : int or None
        The seed of the shuffle; None for a split that was specified by the user.
    n_strata : int
        Number of distinct sets of contexts among the subjects.
    """

    train: tuple[Any, ...]
    validation: tuple[Any, ...]
    test: tuple[Any, ...]
    proportions: tuple[float, float, float] = (0.6, 0.2, 0.2)
    seed: int | None = None
    n_strata: int = 1

    def __post_init__(self) -> None:
        self.check()

    def check(
        self,
        *,
        train: ArrayLike | None = None,
        validation: ArrayLike | None = None,
        test: ArrayLike | None = None,
    ) -> None:
        """Raise `StudyError` if a subject is in two parts, or rows are used in the wrong one.

        Parameters
        ----------
        train, validation, test : array_like, optional
            The subject of each row that was used as this part, for example the rows to which a
            scaler was fitted. Each must belong to that part.

        Raises
        ------
        StudyError
            The message names the subjects and the two parts.
        """
        owners: dict[Any, str] = {}
        for name in PARTS:
            subjects = getattr(self, name)
            if not subjects and name != "validation":
                raise StudyError(f"the split leaves no subject for the {name} part")
            doubled = [label for label in subjects if label in owners]
            if doubled:
                raise StudyError(
                    f"subjects in both the {owners[doubled[0]]} and the {name} part: "
                    f"{listed(doubled)}"
                )
            owners.update(dict.fromkeys(subjects, name))
        for name, used in zip(PARTS, (train, validation, test), strict=True):
            if used is None:
                continue
            used = single_column(used, argument=f"the {name} part")
            parts = self.part(used)
            strays = parts != name
            if strays.any():
                labels = sorted(set(np.asarray(used, dtype=object)[strays].tolist()), key=str)
                raise StudyError(
                    f"rows used for the {name} part contain subjects of the {parts[strays][0]} "
                    f"part: {listed(labels)}"
                )

    def part(self, subjects: ArrayLike) -> NDArray[np.str_]:
        """Return the part of each row: "train", "validation" or "test".

        Parameters
        ----------
        subjects : array_like, shape (n_rows,)
            The subject of each row, labelled as when the split was made.

        Returns
        -------
        ndarray of str, shape (n_rows,)

        Raises
        ------
        StudyError
            If a subject is not in the split; the message lists the unknown subjects.
        """
        owners = {label: name for name in PARTS for label in getattr(self, name)}
        rows = np.asarray(single_column(subjects, argument="subjects"), dtype=object).tolist()
        unknown = sorted({label for label in rows if label not in owners}, key=str)
        if unknown:
            raise StudyError(
                f"{counted(len(unknown), 'subject', 'is', 'are')} not in this split of "
                f"{len(owners)}: "
                f"{listed(unknown)}"
            )
        return np.array([owners[label] for label in rows], dtype=f"<U{len('validation')}")

    def tidy(self) -> pd.DataFrame:
        """Return one row per subject, sorted: subject, part."""
        import pandas as pd

        rows = [(label, name) for name in PARTS for label in getattr(self, name)]
        labels = label_codes([label for label, _ in rows], name="subject", what="the split")[1]
        owners = dict(rows)
        return pd.DataFrame({"subject": labels, "part": [owners[label] for label in labels]})

    def heading(self) -> str:
        """Return the sizes of the parts in a sentence."""
        sizes = [len(getattr(self, name)) for name in PARTS]
        return (
            f"{sum(sizes)} subjects: {sizes[0]} for training, {sizes[1]} for validation, "
            f"{sizes[2]} for testing"
        )

    def provenance(self) -> dict[str, Any]:
        """Return proportions, seed and number of strata."""
        return {"proportions": self.proportions, "seed": self.seed, "n_strata": self.n_strata}


@explains(renamed=FORMER_CONTEXT)
def split_subjects(
    subjects: ArrayLike,
    *,
    context: ArrayLike | None = None,
    proportions: Sequence[float] = (0.6, 0.2, 0.2),
    seed: int = 0,
) -> SubjectSplit:
    """Split subjects into training, validation and test parts.

    Subjects are sorted by label, grouped into strata by the set of contexts they
    appear in, and shuffled within strata. Of G subjects ``round(test * G)`` are used for testing
    and ``round(validation * G)`` for validation (halves are rounded up); the rest are used for
    training. These counts are allocated to strata by systematic sampling with a random start. The
    totals hold exactly, the count of each stratum is its exact share rounded down or up, and every
    subject has the same probability for each part.

    Parameters
    ----------
    subjects : array_like, shape (n_rows,)
        Labels, one per row of a table; they may repeat. The result depends only on the set of
        labels (and of their contexts), not on the order of the rows.
    context : array_like, shape (n_rows,), optional
        The context of each row. None: one stratum.
    proportions : (float, float, float), default (0.6, 0.2, 0.2)
        Proportions of training, validation and test, which sum to 1. The validation proportion may
        be 0 if tuning uses folds instead.
    seed : int, default 0
        Seed; its stream 3 orders the subjects (`pyexpr.core.streams`).

    Returns
    -------
    SubjectSplit

    Raises
    ------
    ColumnError
        If a label is missing.
    DataError
        If the proportions are invalid, or a part would be empty.
    StudyError
        If a context has fewer subjects than there are parts, or none in one of the parts; the
        message names the context.

    Notes
    -----
    The order within stratum h is that of the numbers
    ``numpy.random.Philox(key=[seed, 3], counter=[0, h, 0, 0]).random_raw()``,
    so it does not depend on NumPy's version or on the other strata.

    Source: Cochran, Sampling Techniques (1977), sections 5A and 8.
    Checked against: the exact counts and inclusion probabilities, by enumeration.

    Examples
    --------
    >>> split = split_subjects(["F01", "F02", "F03", "M01", "M02"], seed=1)
    >>> len(split.train), len(split.validation), len(split.test)
    (3, 1, 1)
    >>> split.part([split.test[0]]).tolist()
    ['test']
    """
    seed = streams.checked_seed(seed)
    shares = _checked_proportions(proportions)
    codes, labels = label_codes(subjects, name=_name_of(subjects, "subject"), what="the subjects")
    n = len(labels)
    n_parts = sum(share > 0 for share in shares)
    if n < n_parts:
        raise DataError(
            f"{n_parts} parts need at least {n_parts} subjects, "
            f"but there {'is' if n == 1 else 'are'} {n}"
        )
    # The small number undoes a product such as 0.15 * 30 = 4.4999999.
    n_validation, n_test = (math.floor(share * n + 0.5 + 1e-9) for share in shares[1:])
    _refuse_empty_parts((n - n_validation - n_test, n_validation, n_test), shares, n)

    strata = _strata(codes, n, context)
    order = [
        members[np.argsort(_words(seed, streams.SPLITS, h, len(members)), kind="stable")]
        for h, members in enumerate(strata)
    ]
    # Block numbers after the strata's own: the two random starts.
    starts = _words(seed, streams.SPLITS, len(strata), 2).tolist()
    sizes = [len(members) for members in strata]
    tests = _shared(n_test, sizes, starts[0])
    left = [size - taken for size, taken in zip(sizes, tests, strict=True)]
    validations = _shared(n_validation, left, starts[1])

    parts: dict[str, list[int]] = {name: [] for name in PARTS}
    for members, t, v in zip(order, tests, validations, strict=True):
        parts["test"] += members[:t].tolist()
        parts["validation"] += members[t : t + v].tolist()
        parts["train"] += members[t + v :].tolist()
    split = SubjectSplit(
        **{name: tuple(labels[i] for i in sorted(parts[name])) for name in PARTS},
        proportions=shares,
        seed=seed,
        n_strata=len(strata),
    )
    if context is not None:
        _refuse_bare_contexts(split, codes, labels, context)
    return split


def subject_folds(
    subjects: ArrayLike, n_folds: int = 5, seed: int = 0, *, balance: str | None = None
) -> NDArray[np.int64]:
    """Return the fold of each row, 0 to n_folds - 1, such that a subject is in one fold.

    Subjects are sorted, shuffled by stream 5 of the seed, and assigned to the folds in turn, so
    that the numbers of subjects per fold differ by at most one. If the numbers of rows per subject
    differ greatly, they are assigned such that the folds have numbers of rows that are as equal as
    possible.

    Parameters
    ----------
    subjects : array_like, shape (n_rows,)
        Labels, one per row; the order of the rows does not matter.
    n_folds : int, default 5
        At least 2 and at most the number of subjects.
    seed : int, default 0
        Seed of the shuffle.
    balance : {None, "subjects", "rows"}
        "subjects": assign subjects to folds in turn. "rows": assign subjects in the order of their
        numbers of rows, largest first, each to the fold with the fewest rows so far; with equal
        numbers of rows this equals "subjects". None: "rows" if the largest subject has more than
        twice as many rows as the median, otherwise "subjects".

    Returns
    -------
    ndarray of int64, shape (n_rows,)

    Raises
    ------
    ColumnError
        If a label is missing.
    DataError
        If there are fewer subjects than folds, fewer than two folds, or `balance` is unknown.

    Notes
    -----
    Checked against: the sizes of scikit-learn's ``GroupKFold``, which does not shuffle.

    Examples
    --------
    >>> folds = subject_folds(["a", "a", "b", "c", "b"], n_folds=3)
    >>> bool(folds[0] == folds[1]), sorted(set(folds.tolist()))
    (True, [0, 1, 2])
    >>> np.bincount(subject_folds(np.repeat(np.arange(20), [500] + [5] * 19), 5)).tolist()
    [500, 25, 25, 25, 20]
    """
    codes, labels = label_codes(subjects, name=_name_of(subjects, "subject"), what="the subjects")
    n_folds = whole_number(n_folds, argument="n_folds", least=2)
    if len(labels) < n_folds:
        raise DataError(f"{n_folds} folds need as many subjects, but there are {len(labels)}")
    if balance not in (None, "subjects", "rows"):
        raise DataError(
            say(
                "{balance=} must be 'subjects', 'rows' or {value None}, not {given!r}",
                given=balance,
            )
        )
    n_rows = np.bincount(codes, minlength=len(labels))
    return folds_of(len(labels), n_folds, seed, n_rows=n_rows, balance=balance)[codes]


def _checked_proportions(proportions: Sequence[float]) -> tuple[float, float, float]:
    named = isinstance(proportions, str) or not isinstance(proportions, Sequence | np.ndarray)
    if named or len(proportions) != 3 or not all(map(is_number, proportions)):
        raise DataError(
            say(
                "{proportions=} must be three numbers (training, validation, test), not {given!r}",
                given=proportions,
            )
        )
    train, validation, test = (float(share) for share in proportions)
    if not (train > 0 and validation >= 0 and test > 0):
        raise DataError(
            say(
                "{proportions=} must be above 0 (that of validation may be 0), not "
                "{train:g}, {validation:g}, {test:g}",
                train=train,
                validation=validation,
                test=test,
            )
        )
    if abs(train + validation + test - 1) > 1e-9:
        raise DataError(
            say(
                "{proportions=} must sum to 1, but {train:g}, {validation:g}, {test:g} "
                "sum to {train_2:g}",
                train=train,
                validation=validation,
                test=test,
                train_2=train + validation + test,
            )
        )
    return train, validation, test


def _refuse_empty_parts(
    counts: tuple[int, int, int], shares: tuple[float, float, float], n: int
) -> None:
    for name, count, share in zip(PARTS, counts, shares, strict=True):
        if share > 0 and count < 1:
            raise DataError(
                f"with {n} subjects, a proportion of {share:g} gives none for the {name} part; "
                "use more subjects or other proportions"
            )


def _words(seed: int, stream: int, block: int, n: int) -> NDArray[np.uint64]:
    bits = streams.generator(seed, stream, block).bit_generator
    return np.asarray(bits.random_raw(n), dtype=np.uint64)


def _name_of(labels: ArrayLike, otherwise: str) -> str:
    """Return the name of `labels`, if it is a column with a name."""
    return str(getattr(labels, "name", None) or otherwise)


def _strata(codes: NDArray[np.int64], n: int, context: ArrayLike | None) -> list[NDArray[np.int64]]:
    """Return the subjects (positions among the sorted labels) of each set of contexts."""
    if context is None:
        return [np.arange(n)]
    context_codes, context_labels = label_codes(
        context, name=_name_of(context, "context"), what="the contexts"
    )
    if len(context_codes) != len(codes):
        raise DataError(
            say(
                "{context=} must have one value per row: {n} subjects, but {n_2} contexts",
                n=len(codes),
                n_2=len(context_codes),
            )
        )
    present = np.zeros((n, len(context_labels)), dtype=np.int64)
    present[codes, context_codes] = 1
    stratum = np.unique(present, axis=0, return_inverse=True)[1].reshape(-1)
    return [np.flatnonzero(stratum == h) for h in range(int(stratum.max()) + 1)]


def _shared(total: int, sizes: list[int], start: int) -> list[int]:
    """Share `total` out in proportion to `sizes`, each share rounded down or up.

    Systematic sampling: the cumulated exact shares, moved by a random start u in
    [0, 1), are rounded down, and their steps are the counts. u = start / 2**64,
    in whole numbers so that no rounding can lose a subject.
    """
    whole, reached, counts = sum(sizes), 0, []
    cumulated = 0
    for size in sizes:
        cumulated += size
        upto = (total * cumulated * 2**64 + start * whole) // (whole * 2**64)
        counts.append(upto - reached)
        reached = upto
    return counts


def _refuse_bare_contexts(
    split: SubjectSplit, codes: NDArray[np.int64], labels: list[Any], context: ArrayLike
) -> None:
    """Raise `StudyError` naming the first context without a subject in some part."""
    context_codes, context_labels = label_codes(
        context, name=_name_of(context, "context"), what="the contexts"
    )
    needed = [name for name in PARTS if getattr(split, name)]
    part_of = split.part(labels)
    for c, context in enumerate(context_labels):
        members = np.unique(codes[context_codes == c])
        if len(members) < len(needed):
            raise StudyError(
                f"context {str(context)!r} has {counted(len(members), 'subject')}, fewer than "
                f"the {len(needed)} parts; add subjects or leave out the context"
            )
        for name in needed:
            if not (part_of[members] == name).any():
                raise StudyError(
                    f"none of the {len(members)} subjects of context {str(context)!r} is in the "
                    f"{name} part; use another seed, other proportions, or leave out the context"
                )
