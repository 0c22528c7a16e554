"""What a tracker's table holds, in one row."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pyexpr.base.messages import Template, joined, message_column
from pyexpr.base.stopping import stoppable
from pyexpr.behavior.openface.layout import OPENFACE
from pyexpr.behavior.openface.recording import OpenFaceRecording, read_openface
from pyexpr.behavior.tracks.layout import Layout, shipped
from pyexpr.behavior.tracks.reading import read_by_layout
from pyexpr.behavior.tracks.recognition import layout_for
from pyexpr.behavior.tracks.table import Table

if TYPE_CHECKING:
    import pandas as pd

    from pyexpr.base.foreign import FrameLike

_NO_RATE = Template(
    "no_rate",
    "no times tell the rate: state {fps=} to read it",
    report="no times tell the rate",
)()


@stoppable("a table was described")
def describe_tracks(
    source: FrameLike | str | os.PathLike[str], layout: str | os.PathLike[str] | None = None
) -> pd.DataFrame:
    r"""Describe a table of tracked points, and how it would be read, in one row.

    Parameters
    ----------
    source : path or DataFrame
        As in `read_tracks`.
    layout : str or path, optional
        As in `read_tracks`. By default it is identified from the header.

    Returns
    -------
    DataFrame
        One row: ``source``, ``layout``, ``tracker`` (which writes such tables), ``columns``,
        ``groups`` and ``units`` (of each group, separated by ``"; "``), ``rows`` (whole ones),
        ``frames`` (of the grid), ``fps`` (NaN where nothing tells it), ``fps_source``,
        ``seconds``, ``faces``, ``share_valid`` (of the frames, for the largest face), the rows
        that are dropped by reason (``rows_cut``, ``rows_overlong``, ``rows_doubled``,
        ``rows_other_face``), ``frames_missing``, ``frames_failed``, and ``notes``.

    Raises
    ------
    LayoutError
        If the header identifies no layout; the message lists the known layouts.
    TracksError
        As `read_tracks`, except that an unknown frame rate is not an error.

    Examples
    --------
    >>> import numpy as np
    >>> table = {"frame": np.arange(50), "timestamp_ms": np.arange(50) * 40, "face": [0] * 50}
    >>> points = {f"{axis}{k}": np.full(50, 0.5) for k in range(468) for axis in "xyz"}
    >>> found = describe_tracks(table | points)
    >>> found[["layout", "rows", "fps", "seconds"]].values.tolist()
    [['mediapipe', 50, 25.0, 2.0]]
    """
    import pandas as pd

    found = layout_for(source, layout, {})
    row = _of_openface(str(source)) if isinstance(found, str) else _of_layout(*found)
    notes = row.pop("notes")
    return pd.DataFrame([row]).assign(notes=message_column([joined(notes)]))


def _of_openface(path: str) -> dict[str, Any]:
    from pyexpr.behavior.openface.csv import open_source
    from pyexpr.behavior.openface.layout import group_unit, layout_name

    header = open_source(path).header
    groups = header.groups()
    least = min(groups, key=lambda group: len(header.group_columns(group)))
    recording = read_openface(path, groups=[least])
    units = {group: group_unit(group) for group in groups}
    head = (path, OPENFACE, layout_name(header), header.n_columns)
    return _row(head, units, recording, known_rate=True)


def _of_layout(layout: Layout, table: Table) -> dict[str, Any]:
    recording, units = read_by_layout(layout, table)
    title = layout.title or (shipped()[layout.name].title if layout.name in shipped() else "")
    head = (table.path, layout.name, title, len(table.names))
    return _row(head, units, recording, known_rate=recording.fps_source != "default")


def _row(
    head: tuple[str, str, str, int],
    units: dict[str, str],
    recording: OpenFaceRecording,
    *,
    known_rate: bool,
) -> dict[str, Any]:
    log, nan = recording.log, float("nan")
    path, layout, tracker, n_columns = head
    notes = recording.notes()
    if not known_rate:
        notes = (*(note for note in notes if getattr(note, "code", "") != "assumed_rate"), _NO_RATE)
    return {
        "source": path,
        "layout": layout,
        "tracker": tracker,
        "columns": n_columns,
        "groups": " ".join(units),
        "units": "; ".join(f"{group}: {unit}" for group, unit in units.items()),
        "rows": log.rows_read,
        "frames": recording.n_frames,
        "fps": recording.fps if known_rate else nan,
        "fps_source": recording.fps_source if known_rate else "",
        "seconds": recording.n_frames / recording.fps if known_rate else nan,
        "faces": log.faces,
        "share_valid": float(recording.valid.mean()),
        "rows_cut": log.rows_cut,
        "rows_overlong": log.rows_overlong,
        "rows_doubled": log.rows_doubled,
        "rows_other_face": log.rows_other_face,
        "frames_missing": log.frames_missing,
        "frames_failed": log.frames_failed,
        "notes": notes,
    }
