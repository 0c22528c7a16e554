"""The sections of a new study file about data: tables, columns, scale, clips."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyexpr.base.errors import StudyError, counted, listed
from pyexpr.behavior.schedules import BP4D_PLUS
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.init.answers import Answers
from pyexpr.study.init.column_words import is_no_feature
from pyexpr.study.init.draft import Draft
from pyexpr.study.init.found_tables import FoundTable
from pyexpr.study.init.listed_recordings import assigned
from pyexpr.study.init.roles import Roles, column_of, optional_column
from pyexpr.study.tables.features import read_features
from pyexpr.study.tables.inputs import CLIP_KEY
from pyexpr.study.tables.ratings import read_ratings

if TYPE_CHECKING:
    import pandas as pd

#: What is written if recordings are in subfolders.
RECORDINGS_TABLE = "recordings.csv"
# Beyond any scale of ratings.
_WIDE = 1e30
# Text with more distinct values than this is names or notes.
_MOST_CLASSES = 10
# A value so rare, and so far from the others, may be a typing error.
_RARE = 0.001


@dataclass(frozen=True, slots=True)
class Data:
    """The tables as a study reads them.

    Attributes
    ----------
    ratings : DataFrame or None
        subject, context, clip, rater, question, score.
    features : DataFrame or None
        subject, context, clip, and a column per column of numbers.
    recordings : DataFrame or None
        Files that no table names: subject, context, openface.
    has_recordings : bool
    contexts : bool
        Whether tables have a column of contexts.
    classes : tuple of str
        Columns of text of the table of features that have few values.
    """

    ratings: pd.DataFrame | None
    features: pd.DataFrame | None
    recordings: pd.DataFrame | None
    has_recordings: bool
    contexts: bool
    classes: tuple[str, ...] = ()

    def clips(self) -> pd.DataFrame:
        """Return the clips: those that are rated, or have features."""
        table = self.ratings if self.ratings is not None else self.features
        assert table is not None
        return table[CLIP_KEY].drop_duplicates()

    def measures(self) -> list[str]:
        """Return the columns of numbers of the table of features."""
        if self.features is None:
            return []
        return [str(name) for name in self.features if name not in CLIP_KEY]


def set_columns(draft: Draft, home: Path, roles: Roles, answers: Answers) -> Data:
    """Write [data] and [ratings], and return the tables that they describe."""
    tables = roles.tables()
    found = {table.name: _key_columns(table, roles, answers) for table in tables}
    contexts = all("context" in columns for columns in found.values())
    wide, questions = _wide(roles, found)
    _set_tables(draft, roles)
    if not contexts:
        draft.set(
            "data", "contexts", False,
            "Not every table has a column of contexts (--context names one), so all clips "
            "belong to one context.",
        )  # fmt: skip
    for kind, table in (
        ("rating", roles.ratings), ("recording", roles.recordings), ("clip", roles.features)
    ):  # fmt: skip
        if table is None:
            continue
        columns = {part: name for part, name in found[table.name].items() if part != name}
        if not contexts:
            columns.pop("context", None)
        if columns:
            why = f"Names used by pyexpr -> names in {table.name}."
            draft.set("data", f"{kind}_columns", columns, why)
    if wide is not None:
        why = (
            "The table of ratings is in wide format; this is the pattern of its columns of scores."
        )
        draft.set("ratings", "wide", wide, why)
    if questions:
        draft.set(
            "ratings", "questions", questions, "The columns that are questions, in their order."
        )
    return _read(draft, home, roles, contexts)


def _set_tables(draft: Draft, roles: Roles) -> None:
    for kind in ("ratings", "features"):
        table = getattr(roles, kind)
        if table is not None:
            draft.set("data", kind, table.name, f"The table of {kind}.")
    if roles.recordings is not None:
        draft.set(
            "data", "recordings", roles.recordings.name,
            "Lists the OpenFace file of each subject and context, by its path relative to this "
            "table.",
        )  # fmt: skip
    elif roles.listed:
        draft.set(
            "data", "recordings", RECORDINGS_TABLE,
            f"Written by `pyexpr init`: the {counted(len(roles.listed), 'recording')} of the "
            "subfolders, by the subject and context in their paths.",
        )  # fmt: skip


def _key_columns(table: FoundTable, roles: Roles, answers: Answers) -> dict[str, str]:
    """Return our names -> the columns of a table, for the roles that it has."""
    others = roles.tables()
    found = {"subject": column_of(table, "subject", others, answers)}
    context = optional_column(table, "context", others, answers)
    if context is not None:
        found["context"] = context
    if table is roles.recordings:
        found["openface"] = column_of(table, "openface", others, answers)
        return found
    clip = optional_column(table, "clip", others, answers)
    if clip is None and table is roles.features:
        clip = _only_clip(table, found)
    found["clip"] = column_of(table, "clip", others, answers) if clip is None else clip
    if table is roles.ratings:
        found |= _rating_columns(table, others, answers)
    return found


def _only_clip(table: FoundTable, found: dict[str, str]) -> str | None:
    """Return the column that names a clip if there is one clip for each subject (and context)."""
    for key in ([found["subject"]], [found["subject"], found.get("context")]):
        if None not in key and not table.frame.duplicated(key).any():
            return key[-1]
    return None


def _rating_columns(
    table: FoundTable, others: list[FoundTable], answers: Answers
) -> dict[str, str]:
    wide = table.wide
    found = {}
    if wide is None or "{rater}" not in wide:
        found["rater"] = column_of(table, "rater", others, answers)
    if wide is None:
        found["score"] = column_of(table, "score", others, answers)
    question = optional_column(table, "question", others, answers)
    if question is not None and (wide is None or "{question}" not in wide):
        found["question"] = question
    return found


def _wide(roles: Roles, found: dict[str, dict[str, str]]) -> tuple[str | None, list[str]]:
    """Return the pattern of a wide table of ratings, and the columns that are questions."""
    if roles.ratings is None:
        return None, []
    own, frame = found[roles.ratings.name], roles.ratings.frame
    if roles.ratings.wide is None and "question" not in own:
        # For a single question, whose column of scores has its name.
        return "{question}", [own.pop("score")]
    if roles.ratings.wide != "{question}":
        return roles.ratings.wide, []
    keys = {*own.values()}
    questions = [name for name in _numbers(frame) if name not in keys and not is_no_feature(name)]
    if not questions:
        raise StudyError(
            f"the table of ratings ({roles.ratings.name}) has raters, but no column of scores: "
            "name it by --score"
        )
    return "{question}", questions


def _numbers(frame: pd.DataFrame) -> list[str]:
    import pandas as pd

    return [str(name) for name in frame if pd.api.types.is_numeric_dtype(frame[name])]


def _read(draft: Draft, home: Path, roles: Roles, contexts: bool) -> Data:
    """Read the tables as the study will, and write the scale of the ratings."""
    raw: dict[str, Any] = draft.raw()
    raw["data"].setdefault("ratings", None)
    raw["data"].setdefault("recordings", None)
    trial: dict[str, Any] = {key: raw[key] for key in ("data", "ratings") if key in raw}
    trial["ratings"] = {
        **raw.get("ratings", {}), "low": -_WIDE, "high": _WIDE, "out_of_range": "drop"
    }  # fmt: skip
    if roles.ratings is None:
        trial["label"] = {"method": "column", "column": ["(none yet)"]}
    if raw["data"]["recordings"] is not None:
        trial["clips"] = {"schedule": "bp4d_plus"}
    config = StudyConfig.model_validate(trial)
    ratings = None
    if roles.ratings is not None:
        ratings = read_ratings(config, home)[0]
        _set_scale(draft, ratings["score"])
    measured: pd.DataFrame | None = None
    classes: tuple[str, ...] = ()
    if roles.features is not None:
        label = config.label.model_copy(update={"column": ()})
        own = read_features(config.model_copy(update={"label": label}), home)
        measured = own.table
        classes = _few_values(roles.features.frame, own.ignored)
    recorded = raw["data"]["recordings"] is not None
    data = Data(ratings, measured, None, recorded, contexts, classes)
    if roles.listed:
        pairs = data.clips()[["subject", "context"]].drop_duplicates()
        files = assigned(roles.listed, [*pairs.itertuples(index=False, name=None)], not contexts)
        data = Data(ratings, measured, files, True, contexts, classes)
    return data


def _few_values(frame: pd.DataFrame, names: Iterable[str]) -> tuple[str, ...]:
    """Return the columns of text that may be classes."""
    return tuple(name for name in names if 2 <= frame[name].nunique() <= _MOST_CLASSES)


def _set_scale(draft: Draft, scores: pd.Series[float]) -> None:
    low, high = float(scores.min()), float(scores.max())
    if low == high:
        raise StudyError(f"every rating is {low:g}, so there is nothing to predict")
    draft.set(
        "ratings", "low", low,
        "The ends of the scale: GUESSED from the lowest and the highest rating. Enter those "
        "that the raters used. Ratings outside the scale are an error.",
    )  # fmt: skip
    draft.set("ratings", "high", high)
    counts = scores.value_counts(normalize=True)
    # On a continuous scale every rating is rare.
    few = len(counts) < len(scores) / 5
    rare = [value for value in (low, high) if few and counts[value] < _RARE]
    for value in rare:
        draft.hint(
            "ratings",
            f"Only {counted(int((scores == value).sum()), 'rating')} is {value:g}: if this "
            "value is not on the scale, correct the end above, and leave it out with "
            'out_of_range = "drop".'
        )  # fmt: skip


def set_clips(draft: Draft, data: Data, answers: Answers) -> None:
    """Write [clips]: the seconds of a recording that form each clip."""
    if not data.has_recordings:
        return
    clips = data.clips()[["context", "clip"]].drop_duplicates()
    schedule = {
        (context, segment.label) for context, own in BP4D_PLUS.segments.items() for segment in own
    }
    if set(clips.itertuples(index=False, name=None)) <= schedule:
        draft.set(
            "clips", "schedule", "bp4d_plus",
            "Contexts and clips have the names of BP4D+'s schedule; your own: [[clips.segments]] "
            "with context, start and end in seconds.",
        )  # fmt: skip
        return
    numbers = [str(one) for one in clips["clip"].unique()]
    if not all(one.isdecimal() and int(one) > 0 for one in numbers):
        raise StudyError(
            f"clips are called {listed(numbers, most=3)}, and no table says which seconds of a "
            "recording they are: write the study file by hand, with [[clips.segments]]"
        )
    answer = answers.choose(
        "clip-seconds", "How many seconds does a clip of a recording last?", ["3", "5", "10"]
    )
    try:
        seconds = float(answer)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < _WIDE:
        raise StudyError(f"--clip-seconds must be a number of seconds, not {answer!r}")
    rows = sorted(clips.itertuples(index=False, name=None), key=lambda row: (row[0], int(row[1])))
    segments = [
        {
            "context": context, "clip": clip, "start": (int(clip) - 1) * seconds,
            "end": int(clip) * seconds,
        }
        for context, clip in rows
    ]  # fmt: skip
    draft.set(
        "clips", "segments", segments,
        f"Clip 1 is the first {seconds:g} seconds of a recording, clip 2 the next, and so on.",
    )  # fmt: skip
