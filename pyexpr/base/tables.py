"""Tables as users hand them over: named columns, checked once, at the door."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import ColumnError, DataError, have, kind_of, listed, near_names

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# Variances of mean squares are of the fourth power: 1e300 is below the largest float.
_LARGEST = 1e75


def as_frame(data: Any, *, what: str = "data") -> pd.DataFrame:
    """Return `data` as a data frame: a frame itself, a mapping of columns, or records."""
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        frame = data
    elif isinstance(data, (Mapping, list)):
        frame = pd.DataFrame(data)
    else:
        raise DataError(f"{what} must be a table (a data frame), not {kind_of(data)}")
    doubled = frame.columns[frame.columns.duplicated()]
    if len(doubled):
        raise ColumnError(f"{have(what)} two columns of the same name: {listed(doubled)}")
    return frame


def require_columns(frame: pd.DataFrame, names: Iterable[str], *, what: str) -> None:
    """Raise `ColumnError` naming the first column of `names` that `frame` lacks."""
    for name in names:
        if name not in frame.columns:
            raise ColumnError(f"{have(what)} no column {name!r}; {near_names(name, frame.columns)}")


def check_magnitude(values: NDArray[np.float64], *, name: str) -> None:
    """Raise `DataError` for numbers whose fourth powers overflow, or all vanish."""
    # The sum of squares settles it for nearly all tables, and is the fastest pass over one.
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        squares = float(np.vdot(values, values))
    if values.size / _LARGEST**2 <= squares <= _LARGEST**2:
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


def _check_holds_numbers(column: pd.Series[Any], name: str, what: str) -> None:
    """Raise `ColumnError` for what pandas would make numbers of: text, dates, complex numbers."""
    import pandas as pd

    # Categories are judged by what they are.
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
        raise ColumnError(f"column {name!r} of {what} must be a number, but it holds {holds}")


def _check_no_text(column: pd.Series[Any], name: str, what: str) -> None:
    """Raise `ColumnError` for numbers written as text, which pandas would read."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column.dtype):
        return
    for row, value in enumerate(column.tolist()):
        if isinstance(value, (str, bytes)):
            raise ColumnError(
                f"column {name!r} of {what} must be a number, but row {row + 1} holds the text "
                f"{_shown(value)}; make numbers of it first (pandas.to_numeric)"
            )
        if isinstance(value, (date, timedelta, complex)):
            raise ColumnError(
                f"column {name!r} of {what} must be a number, but row {row + 1} holds "
                f"{_shown(value)}"
            )


def column_or_array(
    frame: pd.DataFrame, value: Any, *, argument: str, what: str
) -> tuple[str, pd.Series[Any]]:
    """Resolve an argument that names a column of `frame` or is itself an array of its length."""
    import pandas as pd

    if isinstance(value, str):
        require_columns(frame, [value], what=what)
        return value, frame[value]
    array = np.asarray(value)
    refuse_another_order(value, frame, argument=argument, what=what)
    if array.ndim != 1 or len(array) != len(frame):
        raise DataError(
            f"{argument}= must name a column of {what} or have its length {len(frame)}, "
            f"but its shape is {array.shape}"
        )
    name = str(getattr(value, "name", None) or argument)
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
        f"{argument}= has the index of {what}, but in another order; bring it into that order "
        f"with reindex(), or give an array (to_numpy()) if the rows are right as they stand"
    )


def refuse_categories(frame: Any, names: Iterable[Any], *, what: str) -> None:
    """Raise `ColumnError` for features that are categories: their numbers are no amounts."""
    import pandas as pd

    for name in names:
        if isinstance(getattr(frame[name], "dtype", None), pd.CategoricalDtype):
            raise ColumnError(
                f"column {name!r} of {what} holds categories, of which a slope means nothing: make "
                "a column of 0 and 1 for each but one (pandas.get_dummies(drop_first=True)), or "
                "numbers if they are amounts (astype(float))"
            )


def label_codes(
    values: Any, *, name: str, what: str, keep_order: bool = False
) -> tuple[NDArray[np.int64], list[Any]]:
    """Return (codes, labels): labels sorted, each row's position among them.

    With `keep_order` an ordered Categorical's labels are in its own order: for what is
    shown, not for what is drawn at random. Raises `ColumnError` if a label is missing.
    """
    import pandas as pd

    series = pd.Series(values)
    if series.dtype == "str":
        # Text and nothing else: looked at once, and sorted as Python sorts its few labels.
        codes, found = pd.factorize(series)
        if len(codes) and codes.min() >= 0:
            texts = found.tolist()
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
    return codes.astype(np.int64), labels.tolist()


def _shown(value: Any) -> str:
    """Return a value as a user wrote it: NumPy's scalars without their type."""
    return repr(value.item() if isinstance(value, np.generic) else value)


# What a CSV may call a missing number; in a column of labels only "" is missing.
_MISSING_NUMBERS = ("", "NA", "N/A", "NaN", "nan", "-nan", "null", "NULL", "None", ".")


def read_csv(path: Path | str, *, labels: Iterable[str] = (), what: str) -> pd.DataFrame:
    """Read a CSV, columns `labels` as text; `DataError` names the file and the mend.

    Text is kept as it stands: a subject called "NA" or "007" stays so.
    """
    import pandas as pd

    try:
        raw = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{what}: there is no file {str(path)!r}") from None
    except (IsADirectoryError, PermissionError) as error:
        raise DataError(f"{what}: cannot read {str(path)!r}: {error.strerror}") from None
    except pd.errors.EmptyDataError:
        raise DataError(f"{what}: the file {str(path)!r} is empty") from None
    except UnicodeDecodeError:
        raise DataError(f"{what}: {str(path)!r} is not UTF-8 text; save it as UTF-8 CSV") from None
    except pd.errors.ParserError as error:
        reason = str(error).removeprefix("Error tokenizing data. C error: ").strip()
        raise DataError(f"{what}: {str(path)!r} is not a CSV: {reason}") from None
    raw.columns = raw.columns.str.strip()
    if raw.empty:
        raise DataError(f"{what}: the file {str(path)!r} has a header but no rows")
    kept = set(labels)
    columns = {}
    for name in raw.columns:
        text = raw[name].str.strip()
        text = text.where(text != "", None) if name in kept else text
        columns[name] = text if name in kept else _number_if_all_are(text)
    return as_frame(pd.DataFrame(columns), what=what)


def _number_if_all_are(text: pd.Series[Any]) -> pd.Series[Any]:
    import pandas as pd

    present = text.where(~text.isin(_MISSING_NUMBERS), None)
    numbers = pd.to_numeric(present, errors="coerce")
    return present if (numbers.isna() & present.notna()).any() else numbers


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
