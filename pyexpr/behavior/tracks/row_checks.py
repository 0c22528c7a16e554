"""Whether a table's frames and times are those of one recording."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.errors import TracksError
from pyexpr.base.messages import say
from pyexpr.behavior.openface.csv import Columns
from pyexpr.behavior.openface.layout import Header

# Rows of a frame that has one already: more are of another person, or recording.
_REPEATED_SHARE: Final = 0.2
_REPEATED_LEAST: Final = 10
# So many frames must agree on a step.
_STEPS_SEEN: Final = 4


def check_rows(header: Header, columns: Columns, rows: Mapping[str, NDArray[np.float64]]) -> None:
    """Raise `TracksError` for rows whose frames or times are not those of one recording."""
    times, frames = rows.get("timestamp"), rows.get("frame")
    path = header.path
    if times is not None and (times < 0).any():
        row = int(np.flatnonzero(times < 0)[0])
        raise TracksError(
            f"{path!r}: times must not be negative, but column {header.own_name('timestamp')!r} "
            f"has {times[row]:g} in row {columns.file_row(row)}; count them from the beginning of "
            "the recording"
        )
    faces = rows.get("face_id")
    if frames is not None and faces is None:
        known = frames[np.isfinite(frames)]
        repeated = len(known) - len(np.unique(known))
        constant = len(known) > 0 and bool((known == known[0]).all())
        if not constant and repeated >= max(_REPEATED_LEAST, _REPEATED_SHARE * len(frames)):
            raise TracksError(
                say(
                    "{path!r}: {repeated} of {rows} rows repeat a frame: {advice}",
                    path=path,
                    repeated=repeated,
                    rows=len(frames),
                    advice=_advice(),
                )
            )
    if frames is None and times is not None:
        _check_times(header, columns, times, faces)


def _check_times(
    header: Header,
    columns: Columns,
    times: NDArray[np.float64],
    faces: NDArray[np.float64] | None,
) -> None:
    """Raise `TracksError` where times of one face do not increase: nothing else tells frames."""
    for face in [None] if faces is None else list(np.unique(faces[np.isfinite(faces)])):
        rows = np.flatnonzero(np.isfinite(times) & (True if face is None else faces == face))
        steps = np.diff(times[rows])
        if (steps > 0).all():
            continue
        at = int(np.flatnonzero(steps <= 0)[0])
        once = len(np.unique(times[rows])) == len(rows)
        raise TracksError(
            say(
                "{path!r}: column {column!r} has {second:g} in row {row}, after {first:g} in row "
                "{before}, where times must increase: {advice}",
                path=header.path,
                column=header.own_name("timestamp"),
                second=float(times[rows[at + 1]]),
                row=columns.file_row(int(rows[at + 1])),
                first=float(times[rows[at]]),
                before=columns.file_row(int(rows[at])),
                advice=_UNSORTED if once else _advice(),
            )
        )


# Several people or recordings would have some of their times in common.
_UNSORTED: Final = "the rows are out of order; sort them by it"


def _advice() -> str:
    return say(
        "there are several people, or several recordings, in the table; name the column that tells "
        "people apart ({person=}) or recordings ({split_by=} and {part=})"
    )


def frame_step(rows: Mapping[str, NDArray[np.float64]]) -> int:
    """Return by how many all frame numbers are apart, 1 unless the tracker left some out evenly."""
    frames = rows.get("frame")
    if frames is None or not np.isfinite(frames).all() or (frames != np.floor(frames)).any():
        return 1
    numbers = np.unique(frames)
    if len(numbers) < _STEPS_SEEN:
        return 1
    return int(np.gcd.reduce(np.diff(numbers).astype(np.int64)))
