"""Messages on columns of a table that cannot be ratings for an ICC.

A column of row numbers is not a rater, and the ratings of several clips are not repeated ratings of
their subject. In both cases an ICC can be computed, but it is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.errors import DataError, counted, listed
from pyexpr.base.messages import say

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# Names of columns with the rated target or its group, never a rater. Compared without case, and
# also as "clip_id", "clip id", "clipid", "clip_no".
OF_TARGETS = frozenset(
    {
        "subject", "participant", "person", "patient", "clip", "target", "item", "video", "trial",
        "stimulus", "segment", "recording", "case", "context", "question", "row", "index", "id",
    }
)  # fmt: skip
_NUMBERING = ("_id", " id", ".id", "-id", "_no", "_number", "_index", "_nr")
# Name of the column of row names in a table that was written with them and read again.
_UNNAMED = "unnamed: "

# Columns of a long table whose values are not repeated ratings of one target, and what to do.
_CLIPS = ("clip", "video", "recording", "segment", "trial", "stimulus", "item")
_RATERS = ("rater", "coder", "judge", "observer", "annotator")
_APART = ("question", "context", "occasion", "session", "wave")

# Rows below which ratings, too, may be distinct whole numbers in a row.
FEWEST_ROWS = 5
# Rows from which a column of distinct whole numbers, beside columns with ties, is not a rater's.
MANY_ROWS = 20
FEWEST_SHUFFLED = 8


def refuse_labels_as_raters(names: Sequence[str], table: NDArray[np.float64]) -> None:
    """Raise `DataError` for a column (targets, raters) of a wide table that is not a rater's."""
    for j, name in enumerate(names):
        if _names_targets(name):
            raise DataError(_no_rater(name, "its name suggests that it identifies what is rated"))
        others = np.delete(table, j, axis=1)
        how = _numbering(table[:, j], others)
        if how:
            raise DataError(_no_rater(name, how))


def _no_rater(name: str, why: str) -> str:
    return say(
        "the column {name:label} of a wide table does not seem to hold the ratings of a rater: "
        "{why}; name the columns of the raters in {ratings=}, or remove this column",
        name=name,
        why=why,
    )


def _names_targets(name: str) -> bool:
    # Columns of two levels have tuples as names.
    plain = str(name).casefold().strip()
    if plain.startswith(_UNNAMED):
        return True
    for ending in _NUMBERING:
        plain = plain.removesuffix(ending)
    return plain in OF_TARGETS or plain.removesuffix("id") in OF_TARGETS - {"id"}


def _numbering(column: NDArray[np.float64], others: NDArray[np.float64]) -> str:
    """Say how a column numbers the rows rather than rating them; "" if it may be ratings.

    With few targets, ratings may be distinct consecutive whole numbers. If raters rank the targets,
    all columns are. There is therefore no note on a column if another one is like it.
    """
    n = len(column)
    if n < FEWEST_ROWS or not others.shape[1] or not _distinct_whole(column):
        return ""
    least, most = int(column.min()), int(column.max())
    what = f"its {n} whole numbers from {least} to {most} are all different"
    alike = any(_distinct_whole(other) for other in others.T)
    steps = np.diff(column)
    if (np.abs(steps) == 1).all() and (steps == steps[0]).all() and not alike:
        return f"{what} and count the rows"
    if alike:
        return ""
    if most - least == n - 1 and n >= FEWEST_SHUFFLED:
        return f"{what}, without a gap"
    known = others[~np.isnan(others)]
    if len(known) and (least > known.max() or most < known.min()):
        return f"{what}, and all lie outside the other columns' {known.min():g} to {known.max():g}"
    if n >= MANY_ROWS and all(_has_ties(other) for other in others.T):
        return f"{what}, in no other column they are"
    return ""


def _distinct_whole(column: NDArray[np.float64]) -> bool:
    return bool(
        not np.isnan(column).any()
        and (column == np.floor(column)).all()
        and len(np.unique(column)) == len(column)
    )


def _has_ties(column: NDArray[np.float64]) -> bool:
    known = column[~np.isnan(column)]
    return len(np.unique(known)) < len(known)


def refuse_parts_of_targets(
    frame: pd.DataFrame,
    groups: NDArray[np.int64],
    targets: NDArray[np.int64],
    named: Sequence[str],
    names: Sequence[str],
) -> None:
    """Raise `DataError` if a target's ratings are of several clips, questions or contexts.

    Parameters
    ----------
    frame : DataFrame
        The long table, without missing ratings.
    groups, targets : ndarray of int64, shape (rows,)
        Codes of the group and of the target.
    named : sequence of str
        The columns that name the target.
    names : sequence of str
        All columns that an argument names.
    """
    import pandas as pd

    for column in frame.columns:
        plain = str(column).casefold().strip()
        if column in names or plain not in (*_CLIPS, *_APART, *_RATERS):
            continue
        codes = pd.factorize(frame[column])[0]
        cells = pd.DataFrame({"group": groups, "target": targets, "part": codes})[codes >= 0]
        if plain in _RATERS:
            times = cells.groupby(["group", "target", "part"]).size()
            # A form that was sent twice adds one rating; what most raters do is the design.
            refused = len(times) > 0 and times.median() > 1
        else:
            times = cells.drop_duplicates().groupby(["group", "target"]).size()
            refused = len(times) > 0 and times.max() > 1
        if refused:
            raise DataError(_of_parts(named, column, plain, int(times.max())))


def _of_parts(named: Sequence[str], column: str, plain: str, most: int) -> str:
    target = listed(named)
    if plain in _RATERS:
        return say(
            "a {plain} gave one {target} up to {most} ratings (column {column:label}), which "
            "do not come from {most} {plain}s; remove the duplicates, or add to {targets=} the "
            "column that distinguishes them, such as the clip or the occasion",
            plain=plain,
            target=target,
            most=most,
            column=column,
        )
    start = say(
        "ratings of one {target} are of up to {parts} (column {column:label})",
        target=target,
        parts=counted(most, plain),
        column=column,
    )
    if plain in _APART:
        return say(
            "{start}, which are not repeated ratings of the same target; analyse each "
            "separately with {context=}, or add the column to {targets=}",
            start=start,
            context=column,
        )
    return say(
        "{start}, which are not repeated ratings of the same target, so their similarity is "
        "not agreement between raters. For the reliability of the mean of a {plain} use "
        "{targets=@all} with {target} as {cluster=}; {call px.multilevel_icc} computes the "
        "reliability of the mean of several {plain}s of a {target}, and that of {plain}s within a "
        "{target}, from separate variances of {target}, {plain}s and raters",
        start=start,
        plain=plain,
        target=target,
        all=[*named, column],
    )
