"""The tables of a study: read, renamed, checked, and matched with each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pyexpr.base.contents import KnownFile
from pyexpr.base.contexts import ALL
from pyexpr.base.csv_file import read_known_csv
from pyexpr.base.errors import StudyError, counted, have, listed
from pyexpr.base.messages import Template, message_column
from pyexpr.base.tables import label_codes, numeric_column, require_columns
from pyexpr.behavior.schedules import BP4D_PLUS, Schedule
from pyexpr.study.config import RATING_COLUMNS, TAKEN, StudyConfig
from pyexpr.words.wording import (
    NO_RATINGS,
    NO_RECORDING,
    RATINGS_UNRECORDED,
    RATINGS_UNSCORED,
    RECORDINGS_UNRATED,
)

if TYPE_CHECKING:
    import pandas as pd

CLIP_KEY = ["subject", "context", "clip"]


_LEFT_OUT = Template("unmatched_pairs", "{many} left out, {reason}: {names}")


@dataclass(frozen=True, slots=True)
class Inputs:
    """The checked tables of a study.

    Attributes
    ----------
    ratings : DataFrame
        subject, context, clip, rater, question (text) and score (float, none missing).
    recordings : DataFrame
        subject, context, openface (as the table names it), path (absolute); if the table has
        them, also video and video_path.
    schedule : Schedule
    contexts, questions : tuple of str
        In the order of every table.
    dropped : dict
        Counts of what was left out, by reason.
    unmatched : DataFrame
        subject, context, clip, reason: what stands in one table alone and was left out, a
        row per rated clip; of a recording without ratings one row, its clip missing.
    files : dict of str to KnownFile
        The tables of ratings and of recordings, as the study names them: with the hash of the
        bytes that these very tables were read from.
    """

    ratings: pd.DataFrame
    recordings: pd.DataFrame
    schedule: Schedule
    contexts: tuple[str, ...]
    questions: tuple[str, ...]
    dropped: dict[str, int]
    unmatched: pd.DataFrame
    files: dict[str, KnownFile] = field(default_factory=dict)

    def notes(self) -> tuple[str, ...]:
        """Return what `unmatched` holds, a sentence for each reason."""
        found: list[str] = []
        for _, rows in self.unmatched.groupby("reason", sort=False):
            pairs = rows[["subject", "context"]].drop_duplicates()
            names = [" / ".join(pair) for pair in pairs.itertuples(index=False)]
            many = counted(len(names), "subject / context pair", "was", "were")
            found.append(_LEFT_OUT(many=many, reason=rows["reason"].iloc[0], names=listed(names)))
        return tuple(found)


def read_inputs(config: StudyConfig, folder: Path) -> Inputs:
    """Read the tables that a study file names; paths are relative to `folder`."""
    schedule = study_schedule(config)
    ratings, dropped, ratings_file = read_ratings(config, folder)
    recordings, recordings_file = read_recordings(config, folder)
    ratings, recordings, lost, unmatched = _match(
        ratings, recordings, drop=config.data.unmatched == "drop"
    )
    _check_clips(ratings, schedule)
    _check_subjects(ratings)
    present = set(ratings["context"])
    contexts = tuple(name for name in schedule.segments if name in present)
    questions = _questions(config, ratings)
    files = {config.data.ratings: ratings_file, config.data.recordings: recordings_file}
    return Inputs(
        ratings, recordings, schedule, contexts, questions, dropped | lost, unmatched, files
    )


def study_schedule(config: StudyConfig) -> Schedule:
    """Return the clip schedule of a study: built in, or its own table of segments."""
    import pandas as pd

    if config.clips.schedule == "bp4d_plus":
        return BP4D_PLUS
    rows = [entry.model_dump(exclude_none=True) for entry in config.clips.segments]
    return Schedule.from_table(pd.DataFrame(rows))


def read_ratings(
    config: StudyConfig, folder: Path
) -> tuple[pd.DataFrame, dict[str, int], KnownFile]:
    """Read the ratings; rows without a score are dropped and counted."""
    path = folder / config.data.ratings
    names = {name: config.data.rating_columns.get(name, name) for name in RATING_COLUMNS}
    what = f"the ratings ({config.data.ratings})"
    labels = [names[name] for name in RATING_COLUMNS[:-1]]
    table, file = read_known_csv(path, labels=labels, what=what)
    require_columns(table, names.values(), what=what)
    _refuse_empty(table, what)
    scores = numeric_column(
        table, names["score"], what=what, low=config.ratings.low, high=config.ratings.high
    )
    table = table[list(names.values())].set_axis(list(RATING_COLUMNS), axis=1)
    for name in RATING_COLUMNS[:-1]:
        label_codes(table[name], name=names[name], what=what)
    table = table.assign(score=scores)
    unique = ["subject", "context", "clip", "rater", "question"]
    if (table["context"] == ALL).any():
        raise StudyError(f"{what}: {TAKEN}")
    doubled = table[table.duplicated(unique, keep="first")]
    if len(doubled):
        rows = [" / ".join(row) for row in doubled[unique].itertuples(index=False)]
        raise StudyError(
            f"{what}: {counted(len(doubled), 'rating', 'stands', 'stand')} twice for the same "
            "subject / context / clip / "
            f"rater / question, first {listed(rows, most=3)}; keep one of each"
        )
    missing = int(table["score"].isna().sum())
    if missing == len(table):
        raise StudyError(f"{what}: column {names['score']!r} is empty")
    table = table[table["score"].notna()].reset_index(drop=True)
    return table, {RATINGS_UNSCORED: missing}, file


def read_recordings(config: StudyConfig, folder: Path) -> tuple[pd.DataFrame, KnownFile]:
    """Read the table of recordings; paths in it are relative to its own folder."""
    path = folder / config.data.recordings
    needed = ("subject", "context", "openface")
    known = (*needed, "video")
    names = {name: config.data.recording_columns.get(name, name) for name in known}
    what = f"the recordings ({config.data.recordings})"
    table, file = read_known_csv(path, labels=names.values(), what=what)
    with_videos = config.models.video3d is not None
    # Videos are read by one model only.
    wanted = [name for name in known if name in needed or with_videos or names[name] in table]
    require_columns(table, [names[name] for name in wanted], what=what)
    _refuse_empty(table, what)
    table = table[[names[name] for name in wanted]].set_axis(wanted, axis=1)
    for name in known if with_videos else needed:
        label_codes(table[name], name=names[name], what=what)
    doubled = table[table.duplicated(["subject", "context"])]
    if len(doubled):
        rows = [" / ".join(row) for row in doubled[["subject", "context"]].itertuples(index=False)]
        raise StudyError(
            f"{what}: more than one recording for subject / context {listed(rows, most=3)}"
        )
    found = table.assign(path=_files(table["openface"], path.parent, what))
    if with_videos:
        found = found.assign(video_path=_files(table["video"], path.parent, what))
    return found, file


def _refuse_empty(table: pd.DataFrame, what: str) -> None:
    if not len(table):
        raise StudyError(f"{have(what)} no rows")


def _files(names: pd.Series[str], folder: Path, what: str) -> list[str]:
    """Return absolute paths of files that are there."""
    files = [str((folder / name).absolute()) for name in names]
    absent = [name for name in files if not Path(name).is_file()]
    if absent:
        raise StudyError(
            f"{what}: {counted(len(absent), 'file', 'is', 'are')} not there, first "
            f"{listed(absent, most=3)}"
        )
    return files


def _match(
    ratings: pd.DataFrame, recordings: pd.DataFrame, *, drop: bool
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int], pd.DataFrame]:
    """Bring both tables to the same (subject, context) pairs, or say which differ."""
    import pandas as pd

    rated = ratings[["subject", "context"]].apply(tuple, axis=1)
    recorded = recordings[["subject", "context"]].apply(tuple, axis=1)
    unrecorded = ~rated.isin(set(recorded))
    unrated = ~recorded.isin(set(rated))
    if not drop:
        for pairs, here, there in (
            (rated[unrecorded], "ratings", "recordings"),
            (recorded[unrated], "recordings", "ratings"),
        ):
            if len(pairs):
                names = [" / ".join(pair) for pair in dict.fromkeys(pairs)]
                raise StudyError(
                    f"{counted(len(names), 'subject / context pair', 'is', 'are')} in the {here} "
                    "but not in the "
                    f"{there}: {listed(names, most=5)}; mend the tables, or leave these out with "
                    'unmatched = "drop" under [data]'
                )
    lone = [*ratings.loc[unrecorded, CLIP_KEY].drop_duplicates().itertuples(index=False)]
    alone = [(*clip, NO_RECORDING) for clip in lone]
    alone += [(*pair, None, NO_RATINGS) for pair in recorded[unrated]]
    unmatched = pd.DataFrame(alone, columns=[*CLIP_KEY, "reason"]).assign(
        reason=message_column(row[-1] for row in alone)
    )
    ratings = ratings[~unrecorded].reset_index(drop=True)
    recordings = recordings[~unrated].reset_index(drop=True)
    if not len(ratings):
        raise StudyError(
            "no subject / context pair is in both ratings and recordings; are their labels "
            "written alike?"
        )
    return (
        ratings,
        recordings,
        {
            RATINGS_UNRECORDED: int(unrecorded.sum()),
            RECORDINGS_UNRATED: int(unrated.sum()),
        },
        unmatched,
    )


def _check_subjects(ratings: pd.DataFrame) -> None:
    """Training, validation and test part each need a subject."""
    subjects = sorted(set(ratings["subject"]))
    if len(subjects) < 3:
        raise StudyError(
            "a study needs at least 3 subjects, one for each part of the split, but the ratings "
            f"have {len(subjects)}: {listed(subjects)}"
        )


def _check_clips(ratings: pd.DataFrame, schedule: Schedule) -> None:
    """Every rated clip must be in the schedule."""
    pairs = ratings[["context", "clip"]].drop_duplicates()
    for context, clips in pairs.groupby("context", sort=True)["clip"]:
        if context not in schedule.segments:
            raise StudyError(
                f"context {context!r} of the ratings is not in the clip schedule, which has "
                f"{listed(schedule.segments)}"
            )
        known = [segment.label for segment in schedule.segments[str(context)]]
        unknown = sorted(set(clips) - set(known))
        if unknown:
            raise StudyError(
                f"clips {listed(unknown)} of context {context!r} in the ratings are not in the "
                f"schedule, which has {listed(known)}"
            )


def _questions(config: StudyConfig, ratings: pd.DataFrame) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(ratings["question"]))
    wanted = config.ratings.questions
    if wanted is None:
        return found
    if set(wanted) != set(found):
        raise StudyError(
            f"[ratings] questions lists {listed(wanted)}, but the ratings have {listed(found)}"
        )
    return wanted
