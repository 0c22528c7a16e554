"""Checks of the data frames that tables and figures receive."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import ColumnError, DataError, have
from pyexpr.base.messages import message_column, say
from pyexpr.base.pairs import DIFFERENCE, KIND, PARTS, RATIO, STRUCTURE
from pyexpr.base.tables import as_frame, require_columns
from pyexpr.words.labels import (
    MINUS,
    OF_THE_USER,
    display_name,
    distinct_names,
    label_name,
)
from pyexpr.words.reader import readers_reason


def checked(
    data: Any,
    *,
    what: str,
    keys: Sequence[str],
    numbers: Sequence[str],
    optional: Sequence[str] = (),
    structure: Sequence[str] = (),
) -> pd.DataFrame:
    """Return `keys` as text, `numbers` and `optional` as float64 (NaN and inf pass), and `reason`.

    Optional columns that are absent are returned as NaN, and an absent `reason` as "". Columns that
    identify a row (`pyexpr.base.pairs`) are returned if they exist; those of `structure` are
    required. Raises `ColumnError` for a missing column or text among the numbers and `DataError`
    for an empty frame or two rows with the same keys.
    """
    frame = as_frame(data, what=what)
    require_columns(frame, [*keys, *structure, *numbers], what=what)
    if frame.empty:
        raise DataError(f"{have(what)} no rows, so there is nothing to show")
    columns: dict[str, Any] = {key: frame[key].astype(str).to_numpy(object) for key in keys}
    for name in (*numbers, *optional):
        columns[name] = (
            _floats(frame, name, what=what) if name in frame else np.full(len(frame), np.nan)
        )
    columns["reason"] = message_column(_texts(frame))
    for name in STRUCTURE:
        if name in frame:
            columns[name] = frame[name].fillna("").astype(str).to_numpy(object)
    found = pd.DataFrame(columns)
    doubled = found.duplicated(list(keys))
    if doubled.any():
        row = found[doubled].iloc[0]
        where = ", ".join(f"{key} {row[key]!r}" for key in keys)
        raise DataError(f"{have(what)} more than one row for {where}; keep one row for each")
    return found


def _texts(frame: pd.DataFrame) -> list[str]:
    """Return the reasons of a table, with messages unchanged; "" if there is none."""
    if "reason" not in frame:
        return [""] * len(frame)
    return [
        text if isinstance(text, str) else "" if missing else str(text)
        for text, missing in zip(frame["reason"], frame["reason"].isna(), strict=True)
    ]


def _floats(frame: pd.DataFrame, name: str, *, what: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    values = pd.to_numeric(frame[name], errors="coerce").to_numpy(np.float64, na_value=np.nan)
    bad = np.isnan(values) & ~frame[name].isna().to_numpy(bool)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ColumnError(
            say(
                "column {name!r} of {what} must be a number, but row {row} holds {iloc!r}",
                name=name,
                what=what,
                row=row + 1,
                iloc=frame[name].iloc[row],
            )
        )
    return values


def in_order(labels: pd.Series[Any]) -> list[str]:
    """Return the labels in order of first appearance, "all" last."""
    found = [str(label) for label in labels.unique()]
    return sorted(found, key=lambda label: label == ALL)


def shown_labels(
    frame: pd.DataFrame, column: str, names: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the displayed names of the labels of a column.

    The label of a comparison is shown as two names with a sign between them, if the columns of
    `pyexpr.base.pairs` identify it. Labels that would have the same name are not changed.

    Examples
    --------
    >>> frame = pd.DataFrame({"term": ["lstm - old", "lstm - r2"],
    ...     "first_model": ["lstm - old", "lstm"], "second_model": ["", "r2"]})
    >>> shown_labels(frame, "term")
    {'lstm - old': 'lstm - old', 'lstm - r2': 'OpenFace-LSTM − R²'}
    """
    name = label_name if column in OF_THE_USER else display_name
    labels = [str(label) for label in frame[column].unique()]
    parts = PARTS.get(column, ())
    if not (parts and set(parts) <= set(frame)):
        return distinct_names({label: name(label, names) for label in labels})
    rows = frame.drop_duplicates(column)
    kinds = rows[KIND] if KIND in rows else [DIFFERENCE] * len(rows)
    pairs = list(zip(*(rows[part].fillna("") for part in parts), strict=True))
    single = {one for pair in pairs for one in pair if one}
    return shown_pairs(
        zip(labels, kinds, pairs, strict=True),
        distinct_names({one: name(one, names) for one in sorted(single)}),
        names,
    )


def shown_pairs(
    rows: Iterable[tuple[str, str, tuple[str, str]]],
    single: Mapping[str, str],
    names: Mapping[Any, str] | None = None,
) -> dict[str, str]:
    """Return the displayed labels, given for each row its label, kind, and one or two names.

    `single` gives the displayed form of a name; `names` may contain one for a whole label.
    """
    shown = {}
    for label, kind, (first, second) in rows:
        sign = "/" if kind == RATIO else MINUS
        pair = (
            single.get(first, label) if second == "" else f"{single[first]} {sign} {single[second]}"
        )
        shown[label] = (names or {}).get(label, pair)
    return distinct_names(shown)


def records(frame: pd.DataFrame) -> list[Any]:
    """Return the rows as named tuples."""
    return list(frame.itertuples(index=False))


def pivot(frame: pd.DataFrame, *keys: str, value: str) -> dict[tuple[str, ...], float]:
    """Return the numbers of a column by their keys."""
    rows = zip(*(frame[key] for key in keys), strict=True)
    return {tuple(map(str, row)): float(x) for row, x in zip(rows, frame[value], strict=True)}


# The name of a missing number in a note.
_WORDS = {
    "estimate": "estimate",
    "conf_low": "interval",
    "conf_high": "interval",
    "fixed_low": "interval with scores and models as given",
    "fixed_high": "interval with scores and models as given",
    "error_ratio": "ratio of standard errors",
    "p_value": "p value",
    "tested_estimate": "slope",
    "statistic": "test",
    "df1": "test",
    "df2": "test",
    "whole_sample": "estimate with scores from the whole sample",
    "training_only": "estimate with scores from training subjects",
    "difference": "difference",
    "std_loading": "loading",
    "std_residual_variance": "residual variance",
}
_MOST_NAMED = 6


def gap_notes(
    frame: pd.DataFrame,
    *,
    keys: Sequence[str],
    values: Sequence[str],
    names: Mapping[str, str] | None = None,
    method: str | None = None,
) -> tuple[str, ...]:
    """State for each reason which numbers are missing, and give the other remarks of `reason`.

    `method` names a further column besides the keys. A row with the same reason for all methods is
    named once, without the method.
    """
    shown = {key: shown_labels(frame, key, names) for key in keys}
    found: dict[tuple[str, str], dict[str, list[str]]] = {}
    at: dict[str, Mapping[str, Any]] = {}
    for row in frame.to_dict("records"):
        missing = next((value for value in values if np.isnan(row[value])), None)
        reason = readers_reason(row["reason"]).rstrip(".")
        if missing is None and not reason:
            continue
        word = _WORDS.get(missing, missing) if missing else ""
        label = ", ".join(shown[key][str(row[key])] for key in keys)
        rows = found.setdefault((word, reason or "no reason was given"), {})
        rows.setdefault(label, []).append(str(row[method]) if method else "")
        at[label] = {key: row[key] for key in keys}
    methods = frame[method].nunique() if method else 1
    n_rows = len(frame[list(keys)].drop_duplicates())
    notes = []
    for (word, reason), rows in found.items():
        if len(rows) == n_rows > 1 and all(len(under) == methods for under in rows.values()):
            notes.append(f"No {word} for any row: {reason}." if word else f"All rows: {reason}.")
            continue
        whole = all(len(under) == methods for under in rows.values())
        shared = _whole_groups(frame, shown, [at[label] for label in rows]) if whole else None
        labels = some_of(
            shared
            or [
                label
                if len(under) == methods
                else f"{label} ({', '.join(display_name(one, names) for one in under)})"
                for label, under in rows.items()
            ]
        )
        notes.append(f"No {word} for {labels}: {reason}." if word else f"{labels}: {reason}.")
    return tuple(notes)


def _whole_groups(
    frame: pd.DataFrame,
    shown: Mapping[str, Mapping[str, str]],
    rows: Sequence[Mapping[str, Any]],
) -> list[str] | None:
    """Return the values of one key that identify these rows, if they are fewer than the rows."""
    different = frame[list(shown)].drop_duplicates()
    for key in shown:
        values = list(dict.fromkeys(row[key] for row in rows))
        if len(values) < len(rows) == different[key].isin(values).sum():
            return [shown[key][str(value)] for value in values]
    return None


def absent_notes(
    frame: pd.DataFrame, keys: Sequence[str], names: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """List the combinations of the keys that have no row."""
    shown = {key: shown_labels(frame, key, names) for key in keys}
    present = set(zip(*(frame[key] for key in keys), strict=True))
    every = pd.MultiIndex.from_product([frame[key].unique() for key in keys])
    absent = [
        ", ".join(shown[key][str(label)] for key, label in zip(keys, row, strict=True))
        for row in every
        if tuple(row) not in present
    ]
    return (f"Not computed: {some_of(absent)}.",) if absent else ()


def some_of(labels: Sequence[str]) -> str:
    """Join labels for a note, and count those after the sixth."""
    text = "; ".join(labels[:_MOST_NAMED])
    return text if len(labels) <= _MOST_NAMED else f"{text} and {len(labels) - _MOST_NAMED} more"
