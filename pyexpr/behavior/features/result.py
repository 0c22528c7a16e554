"""Features of clips and what was lost on the way: the result of `extract_features`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyexpr.base.errors import counted, listed
from pyexpr.base.messages import Template, parts_of
from pyexpr.base.results import Result
from pyexpr.base.stopping import stoppable
from pyexpr.base.versions import versions
from pyexpr.behavior.features.baseline import with_deviations, without_deviations
from pyexpr.behavior.features.joining import (
    Segments,
    check_kinds,
    check_options,
    check_recordings,
    joined_hashes,
    joined_segments,
    joined_units,
    stacked,
)
from pyexpr.behavior.features.means import means_table
from pyexpr.behavior.features.mixed import Kind, distinct
from pyexpr.behavior.features.options import (
    FeatureOptions,
    TrackerUnits,
    clip_feature_names,
    feature_units,
    landmark_group,
)

if TYPE_CHECKING:
    import pandas as pd

#: What identifies a clip, in all tables.
KEY = ("subject", "context", "clip")


# The report has a table of the clips left out, and the method those outside of a recording.
_NOT_THERE = Template(
    "clips_outside_recordings",
    "{dropped:count clip, of the schedule is, of the schedule are} not in the recordings.",
    report="",
)
_SKIPPED = Template(
    "recordings_skipped",
    "{skipped:count recording, was, were} left out, as {on_error='skip'} asks; the first: "
    "{reason}.",
    report="{skipped:count recording, was, were} left out as unusable; the first: {reason}.",
)
_CLIPS = Template("clips_without_features", "{clips:count clip}: {reason}.", report="")
_MORE_CLIPS = Template(
    "more_clips_without_features", "{clips} more clips for other reasons.", report=""
)
_OF_FILES = Template("of_files", "{files}: {note}.")


def _no_means() -> pd.DataFrame:
    return means_table([], KEY)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FeatureResult(Result):
    """Features of clips, and a summary of every recording.

    Attributes
    ----------
    table : DataFrame
        A row per clip: subject, context, clip, openface (path), start, end (s, of
        the recording), the fourteen `FEATURES` and those of `extra`, n_frames,
        n_valid_frames, n_bins, n_valid_bins, n_velocities, n_au_active, reason ("" or why
        features are NaN); with a `baseline` the deviations, and n_baseline_clips.
    quality : DataFrame
        One row per clip: subject and the columns of `clip_quality`.
    recordings : DataFrame
        A row per recording: subject, context, the columns of `recording_quality`
        (read log included), image_width and image_height (px, as landmarks and head
        position imply them by OpenFace's default camera, or another layout tells them),
        layout, points_unit (of the landmarks; "" without any), n_clips, n_dropped.
    dropped : DataFrame
        One row per clip for which its recording is too short or unusable: subject, context, clip,
        openface, reason. The clip is "" if a whole recording was skipped.
    options : dict
        The arguments the features were computed with.
    hashes : dict of str to str
        SHA-256 of the bytes that were read, by the path of the recording.
    means : DataFrame
        Of recordings of other trackers, a row per clip: subject, context, clip, and the
        mean over its frames of each action unit's intensity or score, each blendshape and
        each emotion, as far as they have them. Without rows where all are OpenFace's.
    group_units : dict of str to str
        Units of the groups and means of other trackers.
    kinds : tuple of Kind
        The action units, landmarks and image sizes of the recordings, by which it is decided
        whether others can be joined.
    """

    table: pd.DataFrame
    quality: pd.DataFrame
    recordings: pd.DataFrame
    dropped: pd.DataFrame
    options: dict[str, Any]
    hashes: dict[str, str] = field(default_factory=dict)
    means: pd.DataFrame = field(default_factory=_no_means)
    group_units: dict[str, str] = field(default_factory=dict)
    kinds: tuple[Kind, ...] = ()
    segments: Segments = field(default_factory=dict)

    def tidy(self) -> pd.DataFrame:
        """Return `table`, one row per clip."""
        return self.table

    @stoppable("features were joined", kept="the results are as they were")
    def join(self, *others: FeatureResult) -> FeatureResult:
        """Return the features of these recordings and of others; see `pyexpr.join`.

        Rows are those that one call for all recordings would give, in the order of the results.
        Deviations from a `baseline` are computed again, from all clips of a subject.
        """
        parts = [self, *others]
        for other in others:
            check_options(self.options, other.options)
        check_recordings([(part.recordings, part.dropped[part.dropped["clip"] == ""])
                          for part in parts])  # fmt: skip
        check_kinds([part.kinds for part in parts])
        return FeatureResult(
            table=self._with_clips(others),
            quality=stacked([part.quality for part in parts]),
            recordings=stacked([part.recordings for part in parts], "notes"),
            dropped=stacked([part.dropped for part in parts], "reason"),
            options=self.options,
            hashes=joined_hashes([part.hashes for part in parts]),
            means=stacked([part.means for part in parts]),
            group_units=joined_units([part.group_units for part in parts]),
            kinds=distinct(kind for part in parts for kind in part.kinds),
            segments=joined_segments([part.segments for part in parts]),
        )

    def _with_clips(self, others: Sequence[FeatureResult]) -> pd.DataFrame:
        """Return the table of clips of all results."""
        options, tables = _options_in(self.options), [self.table, *(o.table for o in others)]
        if options.baseline is None:
            return stacked(tables, "reason")
        own = clip_feature_names(options)
        whole = stacked([without_deviations(table, own) for table in tables], "reason")
        return with_deviations(whole, own, options.baseline)[list(self.table.columns)]

    def heading(self) -> str:
        """Return how many clips of how many recordings have features."""
        complete = int((self.table["reason"] == "").sum())
        return (
            f"Features of {counted(len(self.table), 'clip')} from "
            f"{counted(len(self.recordings), 'recording')} "
            f"({complete} complete), at {self.options['rate']:g} Hz"
        )

    def units(self) -> dict[str, str]:
        """Return the unit of each feature."""
        options = _options_in(self.options)
        known = self.group_units
        usual = TrackerUnits()
        tracker = TrackerUnits(
            known.get(landmark_group(options)), known.get("au_intensity", usual.intensity), known
        )
        means = {name: known[name] for name in self.means.columns if name not in KEY}
        return feature_units(options, tracker) | means

    def provenance(self) -> dict[str, Any]:
        """Return options, counts and versions."""
        return {
            "options": self.options,
            "units": self.units(),
            "n_recordings": len(self.recordings),
            "n_clips": len(self.table),
            "n_incomplete": int((self.table["reason"] != "").sum()),
            "n_dropped": len(self.dropped),
            "versions": versions("pandas"),
        }

    def notes(self) -> tuple[str, ...]:
        """Return what was lost, by reason."""
        found: list[str] = []
        skipped = self.dropped[self.dropped["clip"] == ""]
        if len(skipped):
            # Why a file cannot be used names it.
            found.append(_SKIPPED(skipped=len(skipped), reason=skipped["reason"].iloc[0]))
        if len(self.dropped) > len(skipped):
            found.append(_NOT_THERE(dropped=len(self.dropped) - len(skipped)))
        reasons = self.table.loc[self.table["reason"] != "", "reason"].value_counts()
        found += [_CLIPS(clips=count, reason=reason) for reason, count in reasons.head(5).items()]
        if len(reasons) > 5:
            found.append(_MORE_CLIPS(clips=int(reasons.iloc[5:].sum())))
        return (*found, *self._reading_notes())

    def _reading_notes(self) -> list[str]:
        """Return what the reader said, each sentence once with the files it is about."""
        found: dict[str, list[str]] = {}
        for path, text in zip(self.recordings["openface"], self.recordings["notes"], strict=True):
            for note in parts_of(text):
                found.setdefault(note, []).append(Path(path).name)
        return [_OF_FILES(files=listed(files, most=3), note=note) for note, files in found.items()]


def _options_in(options: dict[str, Any]) -> FeatureOptions:
    """Return how features were computed, of a result's options."""
    # Of a result that an earlier version saved an option may be missing, which was not there.
    known = FeatureOptions().to_dict()
    return FeatureOptions(**{name: options[name] for name in known if name in options})
