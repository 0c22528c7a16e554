"""The tables of a study, read and matched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyexpr.base.contents import KnownFile
from pyexpr.base.errors import StudyError, counted, listed
from pyexpr.base.messages import Template, has_code, message_column
from pyexpr.base.tables import cells
from pyexpr.behavior.schedules import Schedule
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.file.data_sections import RATING_COLUMNS
from pyexpr.study.tables.features import CLIP_KEY, FeaturesTable, read_features
from pyexpr.study.tables.ratings import read_ratings
from pyexpr.study.tables.recordings import read_recordings, study_schedule
from pyexpr.words.wording import (
    CLIPS_UNRATED,
    FEW_CLIPS,
    NO_FEATURES,
    NO_RATINGS,
    NO_RATINGS_OF,
    NO_RECORDING,
    RATINGS_OFF_SCALE,
    RATINGS_UNMEASURED,
    RATINGS_UNRECORDED,
    RECORDINGS_UNRATED,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CLIP_KEY", "Inputs", "read_inputs"]

_PAIR = ["subject", "context"]


_LEFT_OUT = Template("unmatched_pairs", "{many} left out, {reason}: {names}")
_OFF_SCALE = Template(
    "ratings_off_scale", "{n:count rating, was, were} left out: not on the scale", report=""
)
_IGNORED = Template("text_columns", "columns of text cannot be features: {names}")


@dataclass(frozen=True, slots=True)
class Inputs:
    """The checked tables of a study.

    Attributes
    ----------
    ratings : DataFrame
        subject, context, clip, rater, question (text) and score (float, none missing); without
        rows where the study has no ratings.
    recordings : DataFrame
        subject, context, openface (as the table names it), path (absolute); if the table has
        them, also video and video_path; without rows where the study has no recordings.
    measured : FeaturesTable or None
        The table of features, where the study has one.
    schedule : Schedule or None
        None without recordings.
    contexts, questions : tuple of str
        In the order of every table.
    dropped : dict
        Counts of what was left out, by reason.
    unmatched : DataFrame
        subject, context, clip, reason: what stands in one table alone and was left out, a
        row per clip; of a recording without ratings one row, its clip missing.
    files : dict of str to KnownFile
        The tables, as the study names them: with the hash of the bytes that these very tables
        were read from.
    """

    ratings: pd.DataFrame
    recordings: pd.DataFrame
    measured: FeaturesTable | None
    schedule: Schedule | None
    contexts: tuple[str, ...]
    questions: tuple[str, ...]
    dropped: dict[str, int]
    unmatched: pd.DataFrame
    files: dict[str, KnownFile] = field(default_factory=dict)

    @property
    def rated(self) -> bool:
        """Whether there are ratings."""
        return len(self.ratings) > 0

    @property
    def recorded(self) -> bool:
        """Whether there are recordings."""
        return len(self.recordings) > 0

    def clips(self) -> pd.DataFrame:
        """Return the clips that may be analysed, as their ratings or features name them."""
        if self.rated:
            return self.ratings[CLIP_KEY].drop_duplicates()
        assert self.measured is not None
        return self.measured.table[CLIP_KEY]

    def notes(self) -> tuple[str, ...]:
        """Return what `unmatched` holds, a sentence for each reason, and what was not read."""
        found: list[str] = []
        for _, rows in self.unmatched.groupby("reason", sort=False):
            reason = rows["reason"].iloc[0]
            if has_code(reason, NO_RECORDING, NO_RATINGS):
                pairs = rows[_PAIR].drop_duplicates()
                names = [" / ".join(pair) for pair in pairs.itertuples(index=False)]
                many = counted(len(names), "subject / context pair", "was", "were")
            else:
                names = [" / ".join(row) for row in rows[CLIP_KEY].itertuples(index=False)]
                many = counted(len(names), "clip", "was", "were")
            found.append(_LEFT_OUT(many=many, reason=reason, names=listed(names)))
        outside = self.dropped.get(RATINGS_OFF_SCALE, 0)
        if outside:
            found.append(_OFF_SCALE(n=outside))
        if self.measured is not None:
            found += self.measured.notes
            if self.measured.ignored:
                found.append(_IGNORED(names=listed(self.measured.ignored)))
        return tuple(found)


def read_inputs(config: StudyConfig, folder: Path) -> Inputs:
    """Read the tables that a study file names; paths are relative to `folder`."""
    files: dict[str, KnownFile] = {}
    dropped: dict[str, int] = {}
    ratings = _nothing(RATING_COLUMNS)
    recordings = _nothing([*_PAIR, "openface", "path"])
    measured, schedule = None, None
    if config.data.recordings is not None:
        schedule = study_schedule(config)
    if config.data.ratings is not None:
        ratings, dropped, files[config.data.ratings] = read_ratings(config, folder)
    if config.data.recordings is not None:
        recordings, files[config.data.recordings] = read_recordings(config, folder)
    if config.data.features is not None:
        measured = read_features(config, folder)
        files[config.data.features] = measured.file
    drop, unmatched = config.data.unmatched == "drop", _nothing([*CLIP_KEY, "reason"])
    if len(ratings) and len(recordings):
        ratings, recordings, lost, unmatched = _match(ratings, recordings, drop=drop)
        dropped |= lost
    elif len(ratings) and measured is not None:
        ratings, kept, lost, unmatched = _match_clips(ratings, measured.table, drop=drop)
        measured = replace(measured, table=kept)
        dropped |= lost
    if config.data.min_clips > 1:
        ratings, measured, lone = _of_many_clips(config, ratings, measured)
        rows = [*unmatched.itertuples(index=False), *lone.itertuples(index=False)]
        unmatched = _table_of(rows)
    if schedule is not None and len(ratings):
        _check_clips(ratings, schedule)
    questions = _questions(config, ratings) if len(ratings) else ()
    inputs = Inputs(
        ratings, recordings, measured, schedule, (), questions, dropped, unmatched, files
    )
    clips = inputs.clips()
    _check_subjects(config, clips)
    return replace(inputs, contexts=_contexts(clips, schedule))


def _nothing(columns: Iterable[str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({name: pd.Series(dtype="str") for name in columns})


def _table_of(rows: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
    """Return a table of clips and why they were left out; its reasons keep their codes."""
    import pandas as pd

    table = pd.DataFrame([row[:3] for row in rows], columns=CLIP_KEY, dtype="str")
    return table.assign(reason=message_column((row[3] for row in rows), table.index))


def _of_many_clips(
    config: StudyConfig, ratings: pd.DataFrame, measured: FeaturesTable | None
) -> tuple[pd.DataFrame, FeaturesTable | None, pd.DataFrame]:
    """Leave out the subjects of few clips; return what stays, and their clips."""
    clips = ratings[CLIP_KEY].drop_duplicates() if len(ratings) else None
    if clips is None:
        assert measured is not None
        clips = measured.table[CLIP_KEY]
    few = clips.groupby("subject")["clip"].transform("size") < config.data.min_clips
    gone = set(clips.loc[few, "subject"])
    if few.all():
        raise StudyError(
            f"no subject has min_clips = {config.data.min_clips} clips, which [data] requires"
        )
    if measured is not None:
        table = measured.table[~measured.table["subject"].isin(gone)].reset_index(drop=True)
        measured = replace(measured, table=table)
    kept = ratings[~ratings["subject"].isin(gone)].reset_index(drop=True)
    lone = _table_of([(*clip, FEW_CLIPS) for clip in clips[few].itertuples(index=False)])
    return kept, measured, lone


def _contexts(clips: pd.DataFrame, schedule: Schedule | None) -> tuple[str, ...]:
    present = dict.fromkeys(clips["context"].unique())
    if schedule is None:
        return tuple(sorted(present))
    return tuple(name for name in schedule.segments if name in present)


def _match(
    ratings: pd.DataFrame, recordings: pd.DataFrame, *, drop: bool
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int], pd.DataFrame]:
    """Bring both tables to the same (subject, context) pairs, or say which differ."""
    import pandas as pd

    rated, recorded = _pairs_of(ratings), _pairs_of(recordings)
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
                    f"{counted(len(names), 'subject / context pair', 'is', 'are')} in the "
                    f"{here} but not in the {there}: {listed(names, most=5)}; correct the "
                    'tables, or leave these out with unmatched = "drop" under [data]'
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
            "spelled in the same way?"
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


def _pairs_of(table: pd.DataFrame) -> pd.Series[Any]:
    import pandas as pd

    pairs = list(zip(cells(table["subject"]), cells(table["context"]), strict=True))
    return pd.Series(pairs, index=table.index, dtype=object)


def _match_clips(
    ratings: pd.DataFrame, measured: pd.DataFrame, *, drop: bool
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int], pd.DataFrame]:
    """Bring ratings and features to the same clips, or say which differ."""
    import pandas as pd

    rated = pd.MultiIndex.from_frame(ratings[CLIP_KEY])
    known = pd.MultiIndex.from_frame(measured[CLIP_KEY])
    bare, unrated = ~rated.isin(known), ~known.isin(rated)
    if bare.all():
        raise StudyError(
            "no clip is in both the ratings and the features; are subject, context and clip "
            f"spelled in the same way? The ratings have {listed(_clip_names(rated[:1]))}, the "
            f"features {listed(_clip_names(known[:1]))}"
        )
    lone = [*rated[bare].unique(), *known[unrated]]
    if lone and not drop:
        for names, here, there in (
            (rated[bare].unique(), "ratings", "features"),
            (known[unrated], "features", "ratings"),
        ):
            if len(names):
                raise StudyError(
                    f"{counted(len(names), 'clip', 'is', 'are')} in the {here} but not in the "
                    f"{there}: {listed(_clip_names(names), most=5)}; correct the tables, or "
                    'leave these out with unmatched = "drop" under [data]'
                )
    unmatched = _table_of(
        [(*clip, NO_FEATURES) for clip in rated[bare].unique()]
        + [(*clip, NO_RATINGS_OF) for clip in known[unrated]]
    )
    return (
        ratings[~bare].reset_index(drop=True),
        measured[~unrated].reset_index(drop=True),
        {
            RATINGS_UNMEASURED: int(bare.sum()),
            CLIPS_UNRATED: int(unrated.sum()),
        },
        unmatched,
    )


def _clip_names(clips: Iterable[Any]) -> list[str]:
    return [" / ".join(clip) for clip in clips]


def _check_subjects(config: StudyConfig, clips: pd.DataFrame) -> None:
    """Training, validation and test part each need a subject, and so does each fold."""
    subjects = sorted(set(clips["subject"]))
    folds = config.evaluation.folds
    if config.evaluation.crossed and len(subjects) < folds:
        raise StudyError(
            f"folds = {folds} under [evaluation] need as many subjects, but the study has "
            f"{counted(len(subjects), 'subject')}: {listed(subjects)}"
        )
    if len(subjects) < 3:
        of = "ratings have" if config.data.ratings is not None else "features have"
        raise StudyError(
            f"a study needs at least 3 subjects, one for each part of the split, but the {of} "
            f"{len(subjects)}: {listed(subjects)}"
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
    found = tuple(ratings["question"].unique().tolist())
    wanted = config.ratings.questions
    if wanted is None:
        return found
    if set(wanted) != set(found):
        raise StudyError(
            f"[ratings] questions lists {listed(wanted)}, but the ratings have {listed(found)}"
        )
    return wanted
