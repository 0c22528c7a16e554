"""Recordings of one analysis beside the first: refused, or noted, if they are of another kind."""

from __future__ import annotations

from collections.abc import Iterator

from pyexpr.base.messages import joined, parts_of
from pyexpr.behavior.features.mixed import Kind, OnMixed, differences, unit_differences
from pyexpr.behavior.features.options import TrackerUnits
from pyexpr.behavior.features.recording_rows import Rows
from pyexpr.behavior.openface.layout import OPENFACE
from pyexpr.behavior.tracks.groups import ALL_GROUPS


def alike(results: Iterator[Rows], on_mixed: OnMixed) -> Iterator[Rows]:
    """Yield rows; those of another kind than the first are refused, or have a note."""
    first: Kind | None = None
    units: dict[str, tuple[str, str]] = {}
    for rows in results:
        if first is None:
            first = rows.kind
        if first is not None and rows.kind is not None and rows.recording is not None:
            notes = differences(first, rows.kind, on_mixed)
            notes += unit_differences(units, rows.path, _signal_units(rows), on_mixed)
            if notes:
                rows.recording["notes"] = joined([*parts_of(rows.recording["notes"]), *notes])
        yield rows


def _signal_units(rows: Rows) -> dict[str, str]:
    """Return the units of the signals whose means are compared; not of landmarks."""
    assert rows.recording is not None
    assert rows.kind is not None
    found = {
        name: unit
        for name, unit in rows.group_units.items()
        if name == "au_intensity" or name not in ALL_GROUPS
    }
    if rows.recording["layout"] == OPENFACE and rows.kind.units[1]:
        found["au_intensity"] = TrackerUnits().intensity
    return found
