"""The table of ratings of a study, converted to one row per clip, rater and question."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.contents import KnownFile
from pyexpr.base.contexts import ALL
from pyexpr.base.errors import ColumnError, StudyError, counted, have, listed
from pyexpr.base.tables import label_codes, numeric_column, require_columns
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.file.data_sections import RATING_COLUMNS, TAKEN
from pyexpr.study.tables.any_table import read_table
from pyexpr.words.wording import RATINGS_ALONE, RATINGS_OFF_SCALE, RATINGS_UNSCORED

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

#: The context of all clips, if a study has no contexts.
ONE_CONTEXT = "all_clips"
#: The question of all ratings, if a wide table names none.
ONE_QUESTION = "rating"


def read_ratings(
    config: StudyConfig, folder: Path
) -> tuple[pd.DataFrame, dict[str, int], KnownFile]:
    """Read the ratings; rows without a score are dropped and counted.

    So are those outside the scale, if the study file says so.
    """
    path = folder / str(config.data.ratings)
    what = f"the ratings ({config.data.ratings})"
    names = {name: config.data.rating_columns.get(name, name) for name in RATING_COLUMNS}
    if not config.data.contexts:
        del names["context"]
    labels = [name for ours, name in names.items() if ours != "score"]
    table, file = read_table(path, labels, what)
    if not len(table):
        raise StudyError(f"{have(what)} no rows")
    if config.ratings.wide is not None:
        table = _long(config, table, names, what)
    require_columns(table, names.values(), what=what)
    low, high = config.ratings.low, config.ratings.high
    dropped = config.ratings.out_of_range == "drop"
    scores = _scores(config, table, names["score"], what)
    table = table[list(names.values())].set_axis(list(names), axis=1)
    if not config.data.contexts:
        table.insert(1, "context", ONE_CONTEXT)
    for name in (name for name in names if name != "score"):
        label_codes(table[name], name=names[name], what=what)
    table = table.assign(score=scores)
    if (table["context"] == ALL).any():
        raise StudyError(f"{what}: {TAKEN}")
    _refuse_doubled(table, what)
    missing = int(table["score"].isna().sum())
    if missing == len(table):
        raise StudyError(f"{what}: column {names['score']!r} is empty")
    lost = {RATINGS_UNSCORED: missing}
    if dropped:
        outside = (table["score"] < low) | (table["score"] > high)
        lost[RATINGS_OFF_SCALE] = int(outside.sum())
        table = table[~outside]
        if table["score"].isna().all():
            raise StudyError(
                f"{what}: no rating is between {low:g} and {high:g}, the "
                "ends of the scale (low and high under [ratings])"
            )
    table = table[table["score"].notna()].reset_index(drop=True)
    if config.ratings.incomplete == "drop":
        complete = _is_complete(table)
        lost[RATINGS_ALONE] = int((~complete).sum())
        table = table[complete].reset_index(drop=True)
        if not len(table):
            raise StudyError(f"{what}: no clip has ratings of all raters")
    return table, lost, file


def _scores(config: StudyConfig, table: pd.DataFrame, name: str, what: str) -> NDArray[np.float64]:
    """Return a column of ratings; `ColumnError` if one is off the scale and none may be."""
    scores = numeric_column(table, name, what=what)
    if config.ratings.out_of_range == "drop":
        return scores
    try:
        return numeric_column(
            table, name, what=what, low=config.ratings.low, high=config.ratings.high
        )
    except ColumnError as error:
        raise ColumnError(
            f"{error}; correct it, or leave ratings off the scale out with "
            'out_of_range = "drop" under [ratings]'
        ) from None


def _is_complete(table: pd.DataFrame) -> pd.Series[bool]:
    """Say for each rating whether no clip has more ratings on this question than its own."""
    of_clip = table.groupby(["subject", "context", "clip", "question"], sort=False)["score"]
    counts = of_clip.transform("size")
    return counts == counts.groupby(table["question"]).transform("max")


def _refuse_doubled(table: pd.DataFrame, what: str) -> None:
    unique = ["subject", "context", "clip", "rater", "question"]
    doubled = table[table.duplicated(unique, keep="first")]
    if len(doubled):
        rows = [" / ".join(row) for row in doubled[unique].itertuples(index=False)]
        raise StudyError(
            f"{what}: {counted(len(doubled), 'rating', 'stands', 'stand')} twice for the same "
            "subject / context / clip / "
            f"rater / question, first {listed(rows, most=3)}; keep one of each"
        )


def _long(
    config: StudyConfig, table: pd.DataFrame, names: dict[str, str], what: str
) -> pd.DataFrame:
    """Return a row per rating of a table that has a column per question, rater, or both."""
    import pandas as pd

    pattern = str(config.ratings.wide)
    parts = re.split(r"{(\w+)}", pattern)
    found = re.compile(
        "".join(f"(?P<{part}>.+)" if i % 2 else re.escape(part) for i, part in enumerate(parts))
    )
    inside = set(parts[1::2])
    keys = [
        name for ours, name in names.items()
        if ours != "score" and ours not in inside and not (ours == "question" and name not in table)
    ]  # fmt: skip
    require_columns(table, keys, what=what)
    matched = {
        name: match
        for name in map(str, table)
        if name not in keys and (match := found.fullmatch(name))
    }
    wanted = config.ratings.questions
    if wanted is not None and "question" in inside:
        # A pattern with only the question fits every column.
        matched = {name: match for name, match in matched.items() if match["question"] in wanted}
    if not matched:
        raise StudyError(
            f"{what}: no column is called like {pattern!r} (wide under [ratings]); it has "
            f"{listed([name for name in map(str, table) if name not in keys])}"
        )
    blocks = []
    for name, match in matched.items():
        scores = _scores(config, table, name, what)
        own = {names[part]: np.full(len(table), match[part], dtype=object) for part in inside}
        blocks.append(table[keys].assign(**own, **{names["score"]: scores}))
    long = pd.concat(blocks, ignore_index=True)
    if names["question"] not in long:
        long[names["question"]] = ONE_QUESTION
    return long.astype({names[part]: "str" for part in inside})
