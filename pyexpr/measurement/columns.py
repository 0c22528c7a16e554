"""The columns of a table that a measurement model uses: indicators and contexts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import (
    ColumnError,
    DataError,
    FactorModelError,
    counted,
    have,
    listed,
    near_names,
)
from pyexpr.base.messages import say
from pyexpr.base.tables import (
    as_frame,
    called,
    column_or_array,
    label_codes,
    numeric_column,
    require_columns,
)
from pyexpr.measurement.specification import MeasurementModel

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# Columns of the tables that also hold the context's column.
_OF_RESULTS = frozenset(
    {
        "lhs", "op", "rhs", "estimate", "std_error", "statistic", "p_value", "conf_low",
        "conf_high", "std_all", "reason", "quantity", "term", "method", "n", "n_clusters",
        "n_undefined", "factor", "indicator", "loading", "std_loading", "residual_variance",
        "std_residual_variance", "intercept",
    }
)  # fmt: skip


# More distinct values than this are a measurement, not categories.
_MOST_CATEGORIES = 20

#: Name of an ordered indicator -> its categories from low to high.
Categories = dict[str, tuple[Any, ...]]


def rows_to_fit(data: Any) -> pd.DataFrame:
    """Return the data of a factor model as a data frame; without rows `FactorModelError`."""
    frame = as_frame(data)
    if not len(frame):
        raise FactorModelError(f"{have(called(frame, 'data'))} no rows", reason="too_few_rows")
    return frame


def refuse_columns_as_factors(frame: pd.DataFrame, spec: MeasurementModel) -> None:
    """Raise `DataError` if a factor that others measure has the name of a column, too."""
    above = [name for name in spec.measured if name in spec.factors]
    both = [name for name in above if name in _named_columns(frame)]
    if both:
        raise DataError(
            f"{both[0]!r} is a factor of the model and a column of the data, and another factor "
            "is measured by it; rename the factor, or remove the column"
        )


def indicator_columns(
    frame: pd.DataFrame, spec: MeasurementModel, categories: Categories | None = None
) -> NDArray[np.float64]:
    """Return the indicators (n, p) in the model's order, NaN where missing.

    Those with `categories` are 1, 2, ... for the first, second, ... of them.
    """
    named = _named_columns(frame)
    known = categories or {}
    return np.column_stack(
        [
            _codes(named, name, known[name]) if name in known
            else numeric_column(named, name, what="data")
            for name in spec.indicators
        ]
    ).reshape(len(frame), len(spec.indicators))  # fmt: skip


def _named_columns(frame: pd.DataFrame) -> pd.DataFrame:
    # Columns may have names that are not text; the model's names are.
    named = (
        frame if all(isinstance(name, str) for name in frame.columns) else frame.rename(columns=str)
    )
    doubled = named.columns[named.columns.duplicated()]
    if len(doubled):
        raise ColumnError(
            f"data have columns whose names are the same as text, such as 0 and '0': "
            f"{listed(doubled)}; rename one"
        )
    return named


def ordered_categories(frame: pd.DataFrame, spec: MeasurementModel, ordered: Any) -> Categories:
    """Return the ordered indicators with their categories, without those that no row holds.

    Parameters
    ----------
    ordered : bool, str, list of str or None
        True: all indicators; False: none. With None or names, ordered Categoricals are included,
        too.
    """
    named = _named_columns(frame)
    if isinstance(ordered, (bool, np.bool_)):
        names = set(spec.indicators) if ordered else set()
    else:
        chosen = [] if ordered is None else [ordered] if isinstance(ordered, str) else ordered
        names = {str(name) for name in chosen}
        for name in names:
            if name not in spec.indicators:
                raise DataError(
                    say(
                        "{ordered=} names {name!r}, which is not an indicator; {hint}",
                        name=name,
                        hint=near_names(name, spec.indicators),
                    )
                )
        names |= {name for name in spec.indicators if _is_ordered(named, name)}
    found: Categories = {}
    for name in spec.indicators:
        if name not in names:
            continue
        if _is_ordered(named, name):
            present = named[name].cat.remove_unused_categories().cat.categories
            found[name] = tuple(present.tolist())
        else:
            values = numeric_column(named, name, what="data")
            found[name] = tuple(np.unique(values[~np.isnan(values)]).tolist())
        if len(found[name]) > _MOST_CATEGORIES:
            raise DataError(
                say(
                    "indicator {name!r} has {n} distinct values, which is too many for ordered "
                    "categories (at most {most_categories}); remove it from {ordered=}",
                    name=name,
                    n=len(found[name]),
                    most_categories=_MOST_CATEGORIES,
                )
            )
    return found


def refuse_ordered(frame: pd.DataFrame, spec: MeasurementModel, what: str) -> None:
    """Raise `DataError` for ordered Categoricals where they cannot be treated as such."""
    named = _named_columns(frame)
    ordered = [name for name in spec.indicators if _is_ordered(named, name)]
    if ordered:
        raise DataError(
            f"{what} is for continuous indicators, and {listed(ordered)} "
            f"{'is an' if len(ordered) == 1 else 'are'} ordered "
            f"Categorical{'' if len(ordered) == 1 else 's'}: cfa() fits these; or pass the "
            "categories as numbers, if they can be treated as equally spaced"
        )


def _is_ordered(frame: pd.DataFrame, name: str) -> bool:
    return name in frame.columns and bool(getattr(frame[name].dtype, "ordered", False))


def _codes(frame: pd.DataFrame, name: str, categories: tuple[Any, ...]) -> NDArray[np.float64]:
    require_columns(frame, [name], what="data")
    column = frame[name]
    place = {value: k + 1.0 for k, value in enumerate(categories)}
    absent = column.isna().to_numpy(dtype=bool)
    values = column.tolist()
    codes = np.full(len(values), np.nan)
    for row in np.flatnonzero(~absent):
        code = place.get(values[row])
        if code is None:
            raise DataError(
                say(
                    "row {row} of indicator {name!r} holds {values!r}, which does not occur in "
                    "the rows to which the model was fitted; these hold {names}",
                    row=row + 1,
                    name=name,
                    values=values[row],
                    names=listed(categories),
                )
            )
        codes[row] = code
    return codes


def contexts_of(
    frame: pd.DataFrame, context: Any
) -> tuple[str | None, NDArray[np.int64], list[Any]]:
    """Return (name, codes, labels) of the contexts; one context without a name for None.

    Labels are sorted; those of an ordered Categorical are in its order.
    """
    if context is None:
        return None, np.zeros(len(frame), dtype=np.int64), [""]
    name, values = column_or_array(frame, context, argument="context", what="data")
    refuse_names_of_results([name], _OF_RESULTS, argument="context")
    codes, labels = label_codes(values, name=name, what="data", keep_order=True)
    return name, codes, labels


def in_context(label: Any, column: str | None) -> str:
    """Return a phrase that names the context and its column; "" without contexts.

    Examples
    --------
    >>> in_context("pain", "task"), in_context("pain", "context"), in_context("", None)
    (" in context 'pain' of 'task'", " in context 'pain'", '')
    """
    if column is None:
        return ""
    return f" in context {label!r}" + ("" if column == "context" else f" of {column!r}")


def counted_contexts(n: int, columns: Sequence[str]) -> str:
    """Return a phrase with the number of contexts, and with their columns if these are not obvious.

    Examples
    --------
    >>> counted_contexts(3, ["context"]), counted_contexts(12, ["task", "question"])
    ('3 contexts', '12 contexts (task, question)')
    """
    named = "" if list(columns) == ["context"] else f" ({', '.join(columns)})"
    return f"{counted(n, 'context')}{named}"


def refuse_names_of_results(names: list[str], taken: frozenset[str], *, argument: str) -> None:
    """Raise `DataError` for a column that would occur twice in the tables of results."""
    for name in names:
        if name in taken:
            raise DataError(
                say(
                    "{@argument=} names the column {name!r}, but the tables of results have a "
                    "column with this name; rename it",
                    argument=argument,
                    name=name,
                )
            )
