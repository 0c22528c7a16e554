"""The label of the models: numbers or classes, and checks of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import is_number
from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import say
from pyexpr.base.tables import numeric_column, require_columns
from pyexpr.inference.comparison.classes import class_column, hint_of_class, holds_classes

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

REGRESSION, CLASSIFICATION = "regression", "classification"
KINDS = (REGRESSION, CLASSIFICATION)
_NUMBERS = say("for numbers that are not classes use {kind='regression'}")


def check_kind(kind: Any) -> None:
    """Raise `DataError` if `kind` is neither None nor a kind of models."""
    if kind is not None and kind not in KINDS:
        raise DataError(say("{kind=} must be {kinds}, not {given!r}", kinds=_kinds(), given=kind))


def _kinds() -> str:
    return " or ".join(repr(one) for one in KINDS)


def kind_of_label(frame: pd.DataFrame, name: str, kind: str | None, *, what: str) -> str:
    """Return the requested kind, or that of the column.

    Text, truth values and categories are classes; numbers, 0 and 1 among them, are amounts
    unless `kind` states that they are classes.
    """
    check_kind(kind)
    require_columns(frame, [name], what=what)
    if kind == REGRESSION:
        # This is reported before any error about a classifier for a label of numbers.
        numeric_column(frame, name, what=what)
    if kind is not None:
        return kind
    there = frame[name].notna().any()
    return CLASSIFICATION if there and holds_classes(frame[name]) else REGRESSION


@dataclass(frozen=True, slots=True)
class Label:
    """The label of the table.

    Attributes
    ----------
    numbers : (n,) float64
        The label, or the positions of its classes; NaN where missing.
    classes : list, or None
        Text or int, sorted; None if the label is a number.
    """

    numbers: NDArray[np.float64]
    classes: list[Any] | None = None

    def values(self, rows: NDArray[np.bool_]) -> NDArray[Any]:
        """Return the label of rows that have one, in the form that is passed to estimators."""
        if self.classes is None:
            return self.numbers[rows]
        return np.array(self.classes)[self.numbers[rows].astype(np.int64)]


def read_label(frame: pd.DataFrame, name: str, kind: str, *, what: str) -> Label:
    """Return a label of numbers or of classes.

    Raises
    ------
    ColumnError
        If the column holds other things.
    """
    if kind == REGRESSION:
        return Label(numeric_column(frame, name, what=what))
    classes, codes = class_column(frame, name, what=what, otherwise=_NUMBERS)
    return Label(np.where(codes < 0, np.nan, codes), list(classes))


def refuse_encoded_class(label: Label, name: str, features: dict[str, NDArray[np.float64]]) -> None:
    """Raise `DataError` if a feature determines the class: it has exactly one value for each."""
    assert label.classes is not None
    for feature, values in features.items():
        both = ~np.isnan(label.numbers) & ~np.isnan(values)
        if not both.any():
            continue
        pairs = np.unique(np.column_stack([label.numbers[both], values[both]]), axis=0)
        n_classes, n_values = (len(np.unique(column)) for column in pairs.T)
        if n_classes == n_values == len(pairs) > 1:
            raise DataError(
                f"feature {feature!r} is the label {name!r} in other words, with one value for "
                "each class; a model must not use the label as a feature, so leave it out"
            )


def check_classes(classes: Sequence[Any], name: str, n_rows: int) -> None:
    """Raise `DataError` if the complete rows are of one class."""
    if len(classes) < 2:
        raise DataError(
            f"label {name!r} has one class, {str(classes[0])!r}, in all of its {n_rows} "
            "complete rows; a classification requires at least two classes"
        )


def checked_positive(positive: Any, classes: Sequence[Any] | None, name: str) -> Any:
    """Return the class that `positive` names, or None; for classes 0 and 1 the default is 1.

    Raises
    ------
    DataError
        If it is not a class of the label, or the label has no classes.
    """
    if classes is None:
        if positive is not None:
            raise DataError(
                say(
                    "{positive=} names a class, but label {name!r} contains numbers; leave it "
                    "out, or use {kind='classification'}",
                    name=name,
                )
            )
        return None
    if positive is None:
        return 1 if list(classes) == [0, 1] else None
    found: Any = positive if isinstance(positive, str) else None
    if found is None and (is_number(positive) or isinstance(positive, (bool, np.bool_))):
        found = int(positive) if float(positive).is_integer() else None
    if found not in classes:
        shown = [str(one) for one in classes]
        raise DataError(
            say(
                "{positive=} is {given!r}, which is not a class of label {name!r}; {hint}",
                given=positive,
                name=name,
                hint=hint_of_class(positive, shown),
            )
        )
    return found


def column_of_class(label: Any) -> str:
    """Return the name of the column with the probability of a class."""
    return f"probability_{label}"


def shown_classes(classes: Sequence[Any]) -> str:
    """Return the classes for a sentence."""
    return listed([str(one) for one in classes])
