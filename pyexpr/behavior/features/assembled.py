"""The tables of a result, out of the rows of one recording after the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pyexpr.base.messages import message_column
from pyexpr.behavior.features.baseline import COUNT, with_deviations
from pyexpr.behavior.features.gathered import GatheredRows
from pyexpr.behavior.features.means import means_table
from pyexpr.behavior.features.mixed import Kind, distinct
from pyexpr.behavior.features.options import FeatureOptions, clip_feature_names, feature_names
from pyexpr.behavior.features.recording_rows import Rows
from pyexpr.behavior.features.result import KEY, FeatureResult
from pyexpr.behavior.schedules import Schedule

if TYPE_CHECKING:
    import pandas as pd

_COUNTS = (
    "n_frames", "n_valid_frames", "n_bins", "n_valid_bins", "n_velocities", "n_au_active",
)  # fmt: skip
_DROPPED_COLUMNS = (*KEY, "openface", "reason")


def assembled(
    results: Iterable[Rows], options: FeatureOptions, requested: dict[str, Any], plan: Schedule
) -> FeatureResult:
    """Return the result for recordings, of which none is kept.

    Parameters
    ----------
    results : iterable of Rows
        In the order of the tables.
    options : FeatureOptions
    requested : dict
        What the result's options say besides.
    plan : Schedule
    """
    import pandas as pd

    table, recordings = GatheredRows("reason"), GatheredRows("notes")
    quality, means = GatheredRows(), GatheredRows()
    dropped: list[dict[str, Any]] = []
    hashes: dict[str, str] = {}
    units: dict[str, str] = {}
    kinds: tuple[Kind, ...] = ()
    for one in results:
        table.add(one.table)
        quality.add(one.quality)
        means.add(one.means)
        dropped += one.dropped
        # The unit of the first recording that has it.
        units = {**one.group_units, **units}
        if one.sha256:
            hashes[one.path] = one.sha256
        if one.recording is not None:
            recordings.add([one.recording])
            kinds = distinct((*kinds, one.kind) if one.kind else kinds)
    return FeatureResult(
        table=_table(table, options),
        quality=_key_first(quality.frame()),
        recordings=recordings.frame().assign(notes=message_column(recordings.texts)),
        # Text, also where none is dropped: an empty table is joined and stacked like a full one.
        dropped=pd.DataFrame(dropped, columns=_DROPPED_COLUMNS, dtype="str").assign(
            reason=message_column(row["reason"] for row in dropped)
        ),
        options=options.to_dict() | requested,
        hashes=hashes,
        means=_key_first(means.frame()) if means else means_table([], KEY),
        group_units=units,
        kinds=kinds,
        segments={
            context: tuple((one.start, one.end, one.label) for one in own)
            for context, own in plan.segments.items()
        },
    )


def _table(rows: GatheredRows, options: FeatureOptions) -> pd.DataFrame:
    """Return the table of clips, with deviations from the baseline if there is one."""
    own = clip_feature_names(options)
    before, after = (*KEY, "openface", "start", "end"), (*_COUNTS, "reason")
    columns = [*before, *own, *after]
    table = rows.frame().reindex(columns=columns).assign(reason=message_column(rows.texts))
    if options.baseline is None:
        return table
    found = with_deviations(table, own, options.baseline)
    return found[[*before, *feature_names(options), *_COUNTS, COUNT, "reason"]]


def _key_first(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose rows were put together in any order with its key first."""
    return table.reindex(columns=[*KEY, *(name for name in table if name not in KEY)])
