"""The tables in a folder, and their possible roles: ratings, recordings, features."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pyexpr.base.errors import OpenFaceError, PyexprError
from pyexpr.behavior.openface.csv import read_header
from pyexpr.study.init.column_words import columns_of
from pyexpr.study.tables.any_table import PARQUET, read_table

if TYPE_CHECKING:
    import pandas as pd

RATINGS, RECORDINGS, FEATURES = "ratings", "recordings", "features"
_CSV = (".csv", ".csv.gz")
# The words for raters in the names of columns.
_RATER = r"(?:rater|coder|judge|observer|annotator|[rcj])[_. -]?"
_WIDE = (
    re.compile(rf"(?P<prefix>{_RATER})(?P<rater>\d+)", re.IGNORECASE),
    re.compile(rf"(?P<question>.+?)(?P<sep>[_. -])(?P<prefix>{_RATER})(?P<rater>\d+)", re.I),
    re.compile(rf"(?P<prefix>{_RATER})(?P<rater>\d+)(?P<sep>[_. -])(?P<question>.+)", re.I),
)


@dataclass(frozen=True, slots=True)
class FoundTable:
    """A table of the folder.

    Attributes
    ----------
    name : str
        Its path in the folder.
    frame : DataFrame
    kind : str
        Its apparent role; "" if it is none of the three.
    wide : str or None
        The pattern of the columns of a wide table of ratings.
    """

    name: str
    frame: pd.DataFrame
    kind: str
    wide: str | None = None


def tables_in(folder: Path) -> tuple[list[FoundTable], list[str]]:
    """Return the tables in a folder, and why other files in it cannot be read."""
    found, unread = [], []
    for path in sorted(folder.iterdir()):
        if not path.is_file() or not path.name.casefold().endswith((*_CSV, *PARQUET)):
            continue
        if is_openface(path):
            continue
        try:
            found.append(table_of(folder, path.name))
        except PyexprError as error:
            unread.append(str(error))
    return found, unread


def table_of(folder: Path, name: str) -> FoundTable:
    """Read a table, and determine its possible role."""
    frame = read_table(folder / name, [], f"the table {name}")[0]
    wide = wide_pattern(frame)
    return FoundTable(name, frame, _kind(frame, wide), wide)


def is_openface(path: Path) -> bool:
    """Say whether a file is a recording of OpenFace, by its header."""
    if not path.name.casefold().endswith(_CSV):
        return False
    try:
        read_header(path)
    except (OpenFaceError, OSError):
        return False
    return True


def _kind(frame: pd.DataFrame, wide: str | None) -> str:
    import pandas as pd

    names = [str(name) for name in frame]
    has = {part for part in ("subject", "clip", "rater", "question", "score")
           if columns_of(part, names)}  # fmt: skip
    files = [name for name in columns_of("openface", names) if _names_files(frame[name])]
    if "subject" in has and files:
        return RECORDINGS
    if "score" in has and has & {"rater", "question"}:
        return RATINGS
    if wide is not None:
        return RATINGS
    numbers = [name for name in names if pd.api.types.is_numeric_dtype(frame[name])]
    return FEATURES if has & {"subject", "clip"} and numbers else ""


def _names_files(column: pd.Series[str]) -> bool:
    there = column.dropna().astype(str)
    return bool(len(there)) and bool(there.str.casefold().str.endswith(_CSV).all())


def wide_pattern(frame: pd.DataFrame) -> str | None:
    """Return the pattern of the names of a wide table's columns of ratings, or None.

    There are at least two raters with the same questions, or a column of raters, with questions as
    columns.
    """
    import pandas as pd

    names = [str(name) for name in frame]
    numbers = [name for name in names if pd.api.types.is_numeric_dtype(frame[name])]
    for form in _WIDE:
        matched = [match for name in numbers if (match := form.fullmatch(name))]
        pattern = _one_pattern(matched)
        if pattern is not None:
            return pattern
    if columns_of("rater", names) and not columns_of("score", names):
        return "{question}"
    return None


def _one_pattern(matched: list[re.Match[str]]) -> str | None:
    if not matched:
        return None
    parts = [match.groupdict() for match in matched]
    raters: dict[str, set[str]] = {}
    for part in parts:
        raters.setdefault(part["rater"], set()).add(part.get("question", ""))
    same = len({frozenset(questions) for questions in raters.values()}) == 1
    written = {(part["prefix"], part.get("sep", "")) for part in parts}
    if len(raters) < 2 or not same or len(written) > 1:
        return None
    ((prefix, sep),) = written
    if "question" not in parts[0]:
        return f"{prefix}{{rater}}"
    if matched[0].start("question") == 0:
        return f"{{question}}{sep}{prefix}{{rater}}"
    # The study file's pattern takes as much for the rater as it can.
    if any(sep in part["question"] for part in parts):
        return None
    return f"{prefix}{{rater}}{sep}{{question}}"
