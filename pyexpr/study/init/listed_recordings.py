"""Recordings in subfolders, whose subject and context are taken from their paths."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pyexpr.base.errors import StudyError, counted, listed
from pyexpr.study.init.found_tables import is_openface
from pyexpr.study.results.verified import RECORD

if TYPE_CHECKING:
    import pandas as pd


def openface_files(home: Path) -> list[str]:
    """Return the paths of OpenFace's recordings in the subfolders, relative to the folder, sorted.

    Hidden folders and results of a study are skipped.
    """
    found = []
    for where, folders, files in os.walk(home):
        folders[:] = sorted(
            name for name in folders
            if not name.startswith(".") and not (Path(where) / name / RECORD).exists()
        )  # fmt: skip
        found += [Path(where) / name for name in files if is_openface(Path(where) / name)]
    return sorted(path.relative_to(home).as_posix() for path in found)


def assigned(files: Iterable[str], pairs: list[tuple[str, str]], one: bool) -> pd.DataFrame:
    """Return subject, context and openface of each file whose path has both as whole words.

    Parameters
    ----------
    files : iterable of str
    pairs : list of (subject, context)
        Of the ratings.
    one : bool
        Whether all clips are of one context, which paths do not name.

    Raises
    ------
    StudyError
        If a path names no pair or several equally well, or two files belong to one pair.
    """
    import pandas as pd

    rows, lost = [], []
    for name in files:
        stem = name.removesuffix(".gz").removesuffix(".csv")
        fitting = {
            (subject, "" if one else context)
            for subject, context in pairs
            if _has(stem, subject) and (one or _has(stem, context))
        }
        longest = max((len(s) + len(c) for s, c in fitting), default=0)
        best = [pair for pair in fitting if len("".join(pair)) == longest]
        if len(best) != 1:
            lost.append(name)
        else:
            rows.append((*best[0], name))
    if lost:
        raise StudyError(
            f"the path of {counted(len(lost), 'recording')} does not identify one subject and "
            f"context of the ratings: {listed(lost, most=3)}; write a table recordings.csv with "
            "the columns subject, context and openface, or leave recordings out by "
            "--recordings none"
        )
    table = pd.DataFrame(rows, columns=["subject", "context", "openface"])
    doubled = table[table.duplicated(["subject", "context"], keep=False)]
    if len(doubled):
        raise StudyError(
            f"the recordings {listed(doubled['openface'], most=2)} are of the same subject and "
            "context; write a table recordings.csv with the columns subject, context and openface"
        )
    return table.drop(columns="context") if one else table


def _has(text: str, label: str) -> bool:
    """Return whether a label occurs in a path as a whole word."""
    return bool(re.search(rf"(?<![A-Za-z0-9]){re.escape(label)}(?![A-Za-z0-9])", text))
