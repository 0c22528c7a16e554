"""The categories of ratings, their order, and the numbers that they stand for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import is_number
from pyexpr.base.errors import ColumnError, DataError, listed
from pyexpr.base.messages import say
from pyexpr.base.tables import require_columns

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

WHAT = "the ratings"

# More distinct values than this are a measurement, not categories.
MOST_CATEGORIES = 250


@dataclass(frozen=True, slots=True)
class Categories:
    """The categories in their order, and the number that each stands for.

    ``ordered`` says whether the order has a meaning, as for numbers, ordered Categoricals, and
    categories that the user listed.
    """

    labels: tuple[Any, ...]
    scores: tuple[float, ...]
    numbers: bool
    ordered: bool


def with_codes(
    frame: pd.DataFrame, columns: Sequence[str], categories: Iterable[Any] | None
) -> tuple[pd.DataFrame, Categories]:
    """Return the table with the columns' ratings as codes 0, 1, ... (NaN if missing).

    Parameters
    ----------
    categories : iterable, optional
        All categories, in their order. By default those that occur, or those of an ordered
        Categorical.

    Raises
    ------
    ColumnError
        If a column does not exist, mixes text and numbers, or holds a value that is not in
        `categories`.
    DataError
        If there are too many categories, or `categories` names one twice.
    """
    import pandas as pd

    require_columns(frame, columns, what=WHAT)
    values = [_plain(frame[name], name) for name in columns]
    found = _found(frame, columns, values) if categories is None else _listed(categories)
    if len(found.labels) > MOST_CATEGORIES:
        raise DataError(
            say(
                "{what} have {n} distinct values, which is too many for categories (at most "
                "{most}); icc() computes the reliability of measurements",
                what=WHAT,
                n=len(found.labels),
                most=MOST_CATEGORIES,
            )
        )
    coded = {
        name: _codes(column, name, found) for name, column in zip(columns, values, strict=True)
    }
    return frame.assign(
        **{name: pd.Series(code, frame.index) for name, code in coded.items()}
    ), found


def _plain(column: pd.Series[Any], name: str) -> pd.Series[Any]:
    """Return a column as values of one kind, numbers or text, None where missing."""
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    values = [
        None if missing else value
        for value, missing in zip(column.tolist(), column.isna().tolist(), strict=True)
    ]
    kinds = {_kind(value) for value in values if value is not None}
    if not kinds <= {"number", "text"}:
        row = next(i for i, one in enumerate(values) if one is not None and _kind(one) == "other")
        raise ColumnError(
            say(
                "column {name!r} of {what} must hold categories, as text or numbers, but row "
                "{row} holds {value!r}",
                name=name,
                what=WHAT,
                row=row + 1,
                value=values[row],
            )
        )
    if len(kinds) > 1:
        raise ColumnError(
            say(
                "column {name!r} of {what} mixes text and numbers; make it all text or all numbers",
                name=name,
                what=WHAT,
            )
        )
    return pd.Series(values, dtype=object)


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    return "number" if is_number(value) or isinstance(value, (bool, np.bool_)) else "other"


def _found(
    frame: pd.DataFrame, columns: Sequence[str], values: Sequence[pd.Series[Any]]
) -> Categories:
    """Return the categories that occur, or those of ordered Categoricals."""
    orders = [
        tuple(frame[name].cat.categories.tolist())
        for name in columns
        if bool(getattr(frame[name].dtype, "ordered", False))
    ]
    if orders:
        if len(set(orders)) > 1 or len(orders) < len(columns):
            raise ColumnError(
                say(
                    "the columns of the raters are not all Categoricals with the same ordered "
                    "categories; convert all of them, or list the categories in {categories=}"
                )
            )
        return _listed(orders[0])
    present = {value for column in values for value in column if value is not None}
    kinds = {_kind(value) for value in present}
    if len(kinds) > 1:
        raise ColumnError(
            say(
                "some columns of {what} hold text and others numbers; all raters must use the "
                "same categories",
                what=WHAT,
            )
        )
    labels = tuple(sorted(present))
    return _as_categories(labels, ordered=kinds == {"number"})


def _listed(categories: Iterable[Any]) -> Categories:
    if isinstance(categories, str) or not isinstance(categories, Iterable):
        raise DataError(
            say(
                "{categories=} must be the list of all categories in their order, not {given!r}",
                given=categories,
            )
        )
    labels = tuple(one.item() if isinstance(one, np.generic) else one for one in categories)
    kinds = {_kind(one) for one in labels}
    if not labels or len(kinds) > 1 or "other" in kinds:
        raise DataError(say("{categories=} must be labels that are all text, or all numbers"))
    twice = [one for one in dict.fromkeys(labels) if labels.count(one) > 1]
    if twice:
        raise DataError(say("{categories=} names {names} more than once", names=listed(twice)))
    if kinds == {"number"} and list(labels) != sorted(labels):
        raise DataError(say("{categories=} that are numbers must be in ascending order"))
    return _as_categories(labels, ordered=True)


def _as_categories(labels: tuple[Any, ...], *, ordered: bool) -> Categories:
    numbers = bool(labels) and not isinstance(labels[0], str)
    scores = labels if numbers else range(1, len(labels) + 1)
    return Categories(labels, tuple(float(one) for one in scores), numbers, ordered)


def _codes(column: pd.Series[Any], name: str, known: Categories) -> NDArray[np.float64]:
    place = {label: float(k) for k, label in enumerate(known.labels)}
    codes = np.full(len(column), np.nan)
    for row, value in enumerate(column):
        if value is None:
            continue
        try:
            codes[row] = place[value]
        except KeyError:
            raise ColumnError(
                say(
                    "row {row} of column {name!r} holds {value!r}, which is not one of the "
                    "{categories=}: {names}",
                    row=row + 1,
                    name=name,
                    value=value,
                    names=listed(known.labels),
                )
            ) from None
    return codes


def check_level(level: str, weights: str, known: Categories) -> None:
    """Raise `DataError` if the categories do not have the order or the numbers that are needed."""
    given = {"level": level, "weights": weights}
    # For text, the other weights are computed from the positions 1, 2, ...
    numbers = [name for name in given if given[name] in ("interval", "ratio")]
    order = [name for name in given if given[name] not in ("nominal", "identity")]
    if numbers and not known.numbers:
        raise DataError(
            say(
                "{@argument=} {given!r} requires categories that are numbers, but they are text; "
                "convert the ratings to numbers, or use {level='ordinal'} with their order in "
                "{categories=}",
                argument=numbers[0],
                given=given[numbers[0]],
            )
        )
    if order and not known.ordered:
        raise DataError(
            say(
                "{@argument=} {given!r} requires the order of the categories, and these are text; "
                "list them from low to high in {categories=}, or pass ordered Categoricals",
                argument=order[0],
                given=given[order[0]],
            )
        )
    if "ratio" in (level, weights) and min(known.scores, default=0.0) < 0:
        raise DataError(
            say(
                "ratios require categories that are not negative, but the lowest is {low:g}",
                low=min(known.scores),
            )
        )
