"""Tables of the counts of frames of the recordings, and of the clips that were left out."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from pyexpr.base.messages import has_code, message_column
from pyexpr.base.tables import require_columns
from pyexpr.report.tables.display import DisplayTable
from pyexpr.words.frames import in_order, records
from pyexpr.words.labels import (
    DASH,
    count,
    label_names,
)
from pyexpr.words.reader import readers_reason
from pyexpr.words.wording import BEFORE_ANALYSIS

Names = Mapping[str, str] | None

_SUMMED = (
    "frames_expected", "frames_valid", "frames_missing", "frames_failed",
    "rows_cut", "rows_doubled", "rows_other_face", "n_clips", "n_dropped",
)  # fmt: skip


def recordings_table(
    frame: pd.DataFrame,
    *,
    names: Names = None,
    title: str = "Frames, Rows, and Clips of the Recordings, by Context.",
) -> DisplayTable:
    """Lay out the sums of the recordings' counts: a row per context.

    `frame` has a row per recording: context, frames_expected, frames_valid,
    frames_missing, frames_failed, rows_cut, rows_doubled, rows_other_face,
    n_clips, n_dropped.
    """
    require_columns(frame, ["context", *_SUMMED], what="the table of recordings")
    contexts = label_names(in_order(frame["context"].astype(str)), names)
    rows = []
    for context, shown in contexts.items():
        own = frame[frame["context"].astype(str) == context]
        sums = {name: float(own[name].sum()) for name in _SUMMED}
        expected = sums["frames_expected"]
        share = f"{100 * sums['frames_valid'] / expected:.1f}%" if expected else DASH
        cells = (count(sums[name]) for name in _SUMMED[2:])
        rows.append((shown, count(len(own)), count(expected), share, *cells))
    return DisplayTable(
        title=title,
        columns=(
            "Context", "Recordings", "Frames: Expected", "Frames: Valid", "Frames: Missing",
            "Frames: Failed", "Rows left out: Truncated", "Rows left out: Duplicated",
            "Rows left out: Other face", "Clips: Extracted", "Clips: Too short",
        ),
        rows=tuple(rows),
        notes=(
            "Missing: frames without a row in the file. Failed: frames that the tracker did "
            "not mark as successful, or whose confidence is too low.",
        ),
    )  # fmt: skip


_BEFORE = "before any analysis"
_LATER = "of the models"


def left_out_table(
    frame: pd.DataFrame,
    *,
    names: Names = None,
    title: str | None = None,
    unit: str = "clip",
) -> DisplayTable:
    """Count the clips left out by context and reason.

    `frame` has a row per clip: subject, context, clip, reason. A row without a clip is a
    whole recording: its subject is counted. Clips that are in only one table of the study were left
    out before any analysis; all others were left out only of the models.
    """
    require_columns(
        frame, ["subject", "context", "clip", "reason"], what="the table of clips left out"
    )
    counts = (
        frame.astype({"context": str})
        .groupby(["context", "reason"], sort=False)
        .agg(clips=("clip", "count"), subjects=("subject", "nunique"))
        .reset_index()
    )
    # Grouping by text keeps only the words.
    known = {text: text for text in frame["reason"]}
    counts["reason"] = message_column(known[text] for text in counts["reason"])
    counts["early"] = [has_code(reason, *BEFORE_ANALYSIS) for reason in counts["reason"]]
    divided, several = bool(counts["early"].any()), f"{unit[0].upper()}{unit[1:]}s"
    contexts = label_names(in_order(counts["context"]), names)
    rows = tuple(
        (
            contexts[row.context],
            *([_BEFORE if row.early else _LATER] if divided else []),
            readers_reason(row.reason),
            count(row.clips) if row.clips else DASH,
            count(row.subjects),
        )
        for context in contexts
        for row in records(
            counts[counts["context"] == context].sort_values(
                ["early", "clips"], ascending=False, kind="stable"
            )
        )
    )
    return DisplayTable(
        title=title or f"{several} Left Out, and Why.",
        columns=("Context", *(["Left out"] if divided else []), "Reason", several, "Subjects"),
        rows=rows,
        notes=_left_out_notes(counts, divided, unit),
        text_columns=2 + divided,
    )


def _left_out_notes(counts: pd.DataFrame, divided: bool, unit: str) -> tuple[str, ...]:
    if not divided:
        return ()
    bare = bool((counts["clips"] == 0).any())
    return (
        "Before any analysis: not in all tables of the study, or from a subject with too few "
        "observations; the numbers elsewhere do not include them. Of the models: excluded only "
        "from the models; the numbers elsewhere include them.",
        *([f"{DASH}: a whole recording, whose {unit}s were not examined."] if bare else []),
    )
