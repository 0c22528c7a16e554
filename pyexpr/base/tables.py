"""Tables passed by users: named columns, checked once on input."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import ColumnError, DataError, have, listed, near_names
from pyexpr.base.foreign import as_column, as_pandas, single_column
from pyexpr.base.messages import kind_of, say

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# Variances of mean squares are of the fourth power: 1e300 is below the largest float.
_LARGEST = 1e75
# So many values of text are sorted into labels as objects of Python.
_FEW_ROWS = 1000
# Among the attributes of a data frame: the file that it was read from.
_FILE = "pyexpr: file"


def from_file(frame: pd.DataFrame, path: object) -> pd.DataFrame:
    """Return the table with the name of its file, which errors then say."""
    frame.attrs[_FILE] = str(path)
    return frame


def called(table: Any, what: str) -> str:
    """Return what a table (or a column of one) is in a sentence: with its file, if it has one."""
    file = getattr(table, "attrs", {}).get(_FILE)
    return what if file is None else f"{what} ({file})"


def as_frame(data: Any, *, what: str = "data") -> pd.DataFrame:
    """Return `data` as a data frame of pandas.

    A data frame of any library that narwhals knows or that speaks Arrow (polars, PyArrow,
    DuckDB, ...), a mapping of columns, or records.
    """
    import pandas as pd

    data = as_pandas(data, what=what)
    if isinstance(data, pd.DataFrame):
        frame = data
    elif isinstance(data, (Mapping, list)):
        frame = _from_columns(data, what)
    else:
        raise DataError(f"{what} must be a table (a data frame), not {kind_of(data)}")
    check_column_names(frame.columns, what=what)
    return frame


def frame_with_rows(data: Any, *, what: str) -> pd.DataFrame:
    """Return `data` as `as_frame` does; `DataError` if it has a header only."""
    frame = as_frame(data, what=what)
    if not len(frame):
        raise DataError(f"{have(called(frame, what))} no rows")
    return frame


def _from_columns(data: Mapping[Any, Any] | list[Any], what: str) -> pd.DataFrame:
    import pandas as pd

    if isinstance(data, Mapping):
        data = {
            name: column if isinstance(column, pd.Series) else _without_index(column, name, what)
            for name, column in data.items()
        }
    try:
        return pd.DataFrame(data)
    except ValueError as error:
        raise DataError(f"{what} cannot be converted to a data frame: {error}") from None


def _without_index(column: Any, name: Any, what: str) -> Any:
    """Return a column that pandas takes by position: it has no index to be aligned by."""
    import pandas as pd

    own = as_column(column, argument=f"{name!r} of {what}")
    return own.array if isinstance(own, pd.Series) else own


def check_column_names(names: Iterable[Any], *, what: str) -> None:
    """Raise `ColumnError` for duplicate names, or names that differ only in surrounding spaces."""
    names = list(names)
    if _distinct(names):
        return
    seen: set[Any] = set()
    plain: dict[str, str] = {}
    doubled = [name for name in names if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
    if doubled:
        raise ColumnError(f"{have(what)} two columns of the same name: {listed(doubled)}")
    for name in names:
        if isinstance(name, str) and plain.setdefault(name.strip(), name) != name:
            raise ColumnError(
                f"{have(what)} two columns whose names differ only in the spaces around them: "
                f"{listed([plain[name.strip()], name])}; rename one"
            )


def _distinct(names: Sequence[Any]) -> bool:
    """Return whether names are text that differs in more than surrounding spaces."""
    texts = [name.strip() for name in names if isinstance(name, str)]
    return len(set(texts)) == len(names)


def cells(column: pd.Series[Any]) -> list[Any]:
    """Return the values of a column: of text much faster than one by one, as pandas gives them."""
    found: list[Any] = column.to_numpy(dtype=object).tolist()
    return found


def text_columns(columns: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Return columns of text of one length as pandas holds them.

    They are converted together, each text once: conversion takes longer than anything else in
    making a small table.
    Columns are returned as they are if one holds anything else.
    """
    import pandas as pd

    texts = [text for column in columns.values() for text in column]
    if set(map(type, texts)) != {str}:
        return dict(columns)
    place = {text: i for i, text in enumerate(dict.fromkeys(texts))}
    together = pd.Series(list(place)).array.take(np.array([place[text] for text in texts]))
    n = len(texts) // len(columns)
    return {name: together[i * n : (i + 1) * n] for i, name in enumerate(columns)}


def require_columns(frame: pd.DataFrame, names: Iterable[str], *, what: str) -> None:
    """Raise `ColumnError` naming the first column of `names` that `frame` does not have."""
    for name in names:
        if name not in frame.columns:
            raise ColumnError(
                f"{have(called(frame, what))} no column {name!r}; {near_names(name, frame.columns)}"
            )


def of_usual_magnitude(values: NDArray[np.float64]) -> bool:
    """Return whether numbers are finite, and `check_magnitude` has nothing against them.

    Their sum of squares shows it for nearly all tables, and is the fastest pass over one.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        squares = float(np.vdot(values, values))
    return bool(values.size / _LARGEST**2 <= squares <= _LARGEST**2)


def check_magnitude(values: NDArray[np.float64], *, name: str) -> None:
    """Raise `DataError` for numbers whose fourth powers overflow, or all vanish."""
    if of_usual_magnitude(values):
        return
    largest = np.abs(values[~np.isnan(values)]).max(initial=0.0)
    if largest > _LARGEST:
        raise ColumnError(
            f"{name}: numbers as large as {largest:.3g} cannot be squared; divide all by a constant"
        )
    if 0 < largest < 1 / _LARGEST:
        raise ColumnError(
            f"{name}: numbers of at most {largest:.3g} cannot be squared; multiply all by a "
            "constant"
        )


def numeric_column(
    frame: pd.DataFrame,
    name: str,
    *,
    what: str,
    low: float | None = None,
    high: float | None = None,
    integer: bool = False,
) -> NDArray[np.float64]:
    """Return a column as float64, missing values as NaN.

    Raises `ColumnError`, naming row (counted from 1, without the header) and
    value, for text, infinities, numbers beyond 1e75 or all below 1e-75, and values outside
    [low, high].
    """
    import pandas as pd

    require_columns(frame, [name], what=what)
    what = called(frame, what)
    column = frame[name]
    _check_holds_numbers(column, name, what)
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)

    def refuse(bad: NDArray[np.bool_], wanted: str) -> None:
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise ColumnError(
                f"column {name!r} of {what} must be {wanted}, but row {row + 1} holds "
                f"{_shown(column.iloc[row])}"
                + (f" ({int(bad.sum())} such rows)" if bad.sum() > 1 else "")
                + _remedy(column.iloc[row])
            )

    refuse(np.isnan(values) & ~column.isna().to_numpy(dtype=bool), "a number")
    _check_no_text(column, name, what)
    refuse(np.isinf(values), "finite")
    check_magnitude(values, name=f"column {name!r} of {what}")
    with np.errstate(invalid="ignore"):
        if low is not None or high is not None:
            below = values < low if low is not None else np.zeros(len(values), dtype=bool)
            above = values > high if high is not None else np.zeros(len(values), dtype=bool)
            wanted = (
                f"between {low:g} and {high:g}"
                if low is not None and high is not None
                else (f"at least {low:g}" if low is not None else f"at most {high:g}")
            )
            refuse(below | above, wanted)
        if integer:
            # Missing values are the caller's business, and NaN != NaN.
            refuse((values != np.floor(values)) & ~np.isnan(values), "a whole number")
    return values


def _remedy(value: Any) -> str:
    """Return how to write a number that was written as no program reads it."""
    if not isinstance(value, str):
        return ""
    if _in_plain_digits(value) != value:
        return "; write numbers in the digits 0 to 9"
    if re.fullmatch(r"[+-]?[0-9]*,[0-9]+", value.strip()):
        return "; write decimals with a point"
    return ""


def _in_plain_digits(text: str) -> str:
    """Return a text with the digits of all scripts (Arabic-Indic, full-width) as 0 to 9."""
    if text.isascii():
        return text
    return "".join(
        char if char.isascii() else str(unicodedata.decimal(char, char)) for char in text
    )


def _check_holds_numbers(column: pd.Series[Any], name: str, what: str) -> None:
    """Raise `ColumnError` for what pandas would make numbers of: text, dates, complex numbers."""
    import pandas as pd

    # Of categories the type of their values counts.
    dtype = column.cat.categories.dtype if isinstance(column.dtype, pd.CategoricalDtype) else None
    kind = pd.api.types
    dtype = column.dtype if dtype is None else dtype
    if kind.is_datetime64_any_dtype(dtype) or kind.is_timedelta64_dtype(dtype):
        holds = "dates" if kind.is_datetime64_any_dtype(dtype) else "durations"
    elif kind.is_complex_dtype(dtype):
        holds = "complex numbers"
    elif isinstance(dtype, pd.PeriodDtype):
        holds = "periods"
    else:
        holds = ""
    if holds:
        raise ColumnError(
            say(
                "column {name!r} of {what} must be a number, but it holds {holds}",
                name=name,
                what=what,
                holds=holds,
            )
        )


def _check_no_text(column: pd.Series[Any], name: str, what: str) -> None:
    """Raise `ColumnError` for numbers written as text, which pandas would read."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column.dtype):
        return
    for row, value in enumerate(column.tolist()):
        if isinstance(value, (str, bytes)):
            raise ColumnError(
                say(
                    "column {name!r} of {what} must be a number, but row {row} holds the text "
                    "{text}; convert it to numbers first ({call pandas.to_numeric})",
                    name=name,
                    what=what,
                    row=row + 1,
                    text=_shown(value),
                )
            )
        if isinstance(value, (date, timedelta, complex)):
            raise ColumnError(
                say(
                    "column {name!r} of {what} must be a number, but row {row} holds {text}",
                    name=name,
                    what=what,
                    row=row + 1,
                    text=_shown(value),
                )
            )


def float_values(values: Any, *, argument: str) -> NDArray[np.float64]:
    """Return numbers as float64, missing ones as NaN: an array's, or a column's of any library."""
    import pandas as pd

    own = as_column(values, argument=argument)
    if isinstance(own, pd.Series):
        return own.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(own, dtype=np.float64)


def column_or_array(
    frame: pd.DataFrame, value: Any, *, argument: str, what: str
) -> tuple[str, pd.Series[Any]]:
    """Resolve an argument that names a column of `frame` or is itself an array of its length."""
    import pandas as pd

    if isinstance(value, str):
        require_columns(frame, [value], what=what)
        return value, frame[value]
    refuse_another_order(value, frame, argument=argument, what=what)
    what = called(frame, what)
    name = str(getattr(value, "name", None) or argument)
    value = as_column(value, argument=f"{argument}=")
    array = np.asarray(value)
    if array.ndim != 1 or len(array) != len(frame):
        raise DataError(
            say(
                "{@argument=} must name a column of {what} or have its length {n}, but "
                "its shape is {shape}",
                argument=argument,
                what=what,
                n=len(frame),
                shape=array.shape,
            )
        )
    # Of a list NumPy would make text of a missing value among text.
    own: Any = list(value) if isinstance(value, (list, tuple)) else array
    if isinstance(getattr(value, "dtype", None), pd.CategoricalDtype):
        # Its order may be wanted.
        own = pd.Categorical(value)
    return name, pd.Series(own, index=frame.index, name=name)


def refuse_another_order(value: Any, frame: pd.DataFrame, *, argument: str, what: str) -> None:
    """Raise `DataError` for a Series that has the rows of `frame` in another order.

    Values are taken by position: each row would get another's.
    """
    import pandas as pd

    if not isinstance(value, (pd.Series, pd.DataFrame)) or len(value) != len(frame):
        return
    own, wanted = value.index, frame.index
    if own.equals(wanted) or own.nlevels != wanted.nlevels:
        return
    # The same labels, each as often: of other rows values go by position.
    mine, theirs = own.value_counts(), wanted.value_counts()
    if len(mine) != len(theirs) or not mine.equals(theirs.reindex(mine.index)):
        return
    raise DataError(
        say(
            "{@argument=} has the index of {what}, but in another order; bring it into that "
            "order with reindex(), or pass an array (to_numpy()) if the rows already correspond",
            argument=argument,
            what=what,
        )
    )


def refuse_categories(frame: Any, names: Iterable[Any], *, what: str) -> None:
    """Raise `ColumnError` for features that are categories: their numbers are no amounts."""
    import pandas as pd

    what = called(frame, what)
    for name in names:
        if isinstance(getattr(frame[name], "dtype", None), pd.CategoricalDtype):
            raise ColumnError(
                say(
                    "column {name!r} of {what} contains categories, for which a slope is not "
                    "meaningful; use an indicator column of 0 and 1 for each category but one "
                    "(pandas.get_dummies({drop_first=True})), or convert them to numbers if "
                    "they are quantities (astype(float))",
                    name=name,
                    what=what,
                )
            )


def label_codes(
    values: Any, *, name: str, what: str, keep_order: bool = False
) -> tuple[NDArray[np.int64], list[Any]]:
    """Return (codes, labels): labels sorted, each row's position among them.

    With `keep_order` an ordered Categorical's labels are in its own order: for what is
    shown, not for what is drawn at random. Raises `ColumnError` if a label is missing.
    """
    import pandas as pd

    what = called(values, what)
    series = pd.Series(single_column(values, argument=f"column {name!r} of {what}"))
    if series.dtype == "str":
        # Text and nothing else: looked at once, and sorted as Python sorts its few labels.
        # As objects of Python few rows take less time, and many rows more.
        few = len(series) < _FEW_ROWS
        codes, found = pd.factorize(series.to_numpy(dtype=object) if few else series)
        if len(codes) and codes.min() >= 0:
            texts = found.tolist()
            _refuse_two_scripts(texts, name, what)
            order = sorted(range(len(texts)), key=texts.__getitem__)
            return np.argsort(order)[codes], [texts[i] for i in order]
    missing = series.isna().to_numpy(dtype=bool)
    if missing.any():
        row = int(np.flatnonzero(missing)[0])
        raise ColumnError(
            f"column {name!r} of {what} must not have missing values, but row {row + 1} is empty"
            + (f" ({int(missing.sum())} such rows)" if missing.sum() > 1 else "")
        )
    if series.dtype == object and len({isinstance(one, str) for one in series}) > 1:
        raise ColumnError(
            f"column {name!r} of {what} mixes text and numbers; make it all text or all numbers"
        )
    if isinstance(series.dtype, pd.CategoricalDtype):
        if keep_order and series.dtype.ordered:
            series = series.cat.remove_unused_categories()
            return series.cat.codes.to_numpy().astype(np.int64), series.cat.categories.tolist()
        # Else sorted by the order of the categories, which is another for the same labels.
        series = series.astype(series.cat.categories.dtype)
    codes, labels = pd.factorize(series, sort=True)
    _refuse_two_scripts(labels, name, what)
    return codes.astype(np.int64), labels.tolist()


def _refuse_two_scripts(labels: Iterable[Any], name: str, what: str) -> None:
    """Raise `ColumnError` for labels that are one number in the digits of two scripts."""
    labels = list(labels)
    if all(isinstance(label, str) and label.isascii() for label in labels):
        return
    seen: dict[str, str] = {}
    for label in labels:
        if not isinstance(label, str):
            return
        plain = _in_plain_digits(label)
        if seen.setdefault(plain, label) != label:
            first, second = sorted([seen[plain], label])
            raise ColumnError(
                say(
                    "column {name!r} of {what} holds {first!r} and {second!r}, which are the "
                    "same label in the digits of two scripts; write labels in the digits 0 to 9",
                    name=name,
                    what=what,
                    first=first,
                    second=second,
                )
            )


def _shown(value: Any) -> str:
    """Return a value as a user wrote it: NumPy's scalars without their type."""
    return repr(value.item() if isinstance(value, np.generic) else value)


def ordered_rows(table: pd.DataFrame, *keys: Any) -> pd.DataFrame:
    """Sort rows by columns in given orders of labels: column, labels, column, labels, ..."""
    ordered = table.assign(
        **{
            f"_{name}": table[name].map({label: rank for rank, label in enumerate(labels)})
            for name, labels in zip(keys[::2], keys[1::2], strict=True)
        }
    )
    ranks = [f"_{name}" for name in keys[::2]]
    return ordered.sort_values(ranks, kind="stable").drop(columns=ranks).reset_index(drop=True)


def check_flat_columns(frame: pd.DataFrame, *, what: str) -> None:
    """Raise `ColumnError` if columns have names of several levels, which no text names."""
    if frame.columns.nlevels > 1:
        raise ColumnError(
            f"{have(what)} column names of {frame.columns.nlevels} levels, such as "
            f"{frame.columns[0]!r}; join them first: "
            "table.columns = ['_'.join(map(str, name)) for name in table.columns]"
        )
