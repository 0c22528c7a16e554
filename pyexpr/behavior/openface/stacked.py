"""Several recordings in one table: found, and refused.

Labs keep a study's output in one table, file under file. Merged frame by frame, as two
rows for one frame are, its recordings would become one person that none of them is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.errors import OpenFaceError, listed
from pyexpr.base.messages import say
from pyexpr.behavior.openface.csv import Columns
from pyexpr.behavior.openface.layout import is_known

# Rows of a frame that has one already: OpenFace writes a few. So many are of another recording
# or person.
_REPEATED_SHARE: Final = 0.2
_REPEATED_LEAST: Final = 10
# A clock that falls back to within so many steps of its first stamp starts again, if it was
# further before.
_CLOCK_START: Final = 2
_CLOCK_AWAY: Final = 10


def refuse_stacked(
    columns: Columns,
    numbers: NDArray[np.int64],
    ids: NDArray[np.int64] | None,
    times: NDArray[np.float64] | None,
) -> None:
    """Raise `OpenFaceError` if the rows of one face are those of several recordings.

    That is so if frame numbers fall back and go on from there through three frames that
    there are already, if the clock starts again though numbers go on, or if a fifth of the rows
    repeat a frame.

    Parameters
    ----------
    columns : Columns
        For the message.
    numbers : (rows,) int64
        Frame of each row.
    ids : (rows,) int64, optional
        Face of each row.
    times : (rows,) float64, optional
        Time stamp of each row.
    """
    repeated = 0
    for rows in _faces(ids, len(numbers)):
        frames = numbers[rows]
        steps = np.diff(frames)
        if (steps > 0).all():
            if times is not None:
                _refuse_clock(columns, times[rows], rows)
            continue
        known = np.ones(len(frames), dtype=np.bool_)
        known[np.unique(frames, return_index=True)[1]] = False
        repeated += int(known.sum())
        # From one frame that there is already to the next that there is, and the next.
        goes_on = known[1:] & known[:-1] & (steps == _usual(steps))
        goes_on[:-1] &= goes_on[1:]
        goes_on[-1:] = False
        # Doubled rows of the same frames do so too, but never fell back.
        fell = np.maximum.accumulate(np.where(steps < 0, np.arange(1, len(frames)), -1))
        again = np.flatnonzero(goes_on & (fell >= 0))
        if len(again):
            at = int(fell[again[0]])
            raise OpenFaceError(
                say(
                    "{path!r}: frame numbers start again in row {row} (at {number}, after "
                    "{last}): {advice}",
                    path=columns.header.path,
                    row=columns.file_row(int(rows[at])),
                    number=_number(columns, int(rows[at])),
                    last=_number(columns, int(rows[at - 1])),
                    advice=_advice(columns),
                )
            )
    if repeated >= max(_REPEATED_LEAST, _REPEATED_SHARE * len(numbers)):
        raise OpenFaceError(
            say(
                "{path!r}: {repeated} of {rows} rows repeat a frame: {advice}",
                path=columns.header.path,
                repeated=repeated,
                rows=len(numbers),
                advice=_advice(columns),
            )
        )


def _number(columns: Columns, row: int) -> int:
    """Return a frame's number as the file has it."""
    return int(columns.column("frame")[row])


def _faces(ids: NDArray[np.int64] | None, n_rows: int) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of each face, in the order of the file."""
    if ids is None or (ids == ids[0]).all():
        yield np.arange(n_rows, dtype=np.int64)
        return
    order = np.argsort(ids, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(ids[order])) + 1)


def _usual(steps: NDArray[np.int64]) -> float:
    ahead = steps[steps > 0]
    return float(np.median(ahead)) if len(ahead) else 0.0


def _refuse_clock(columns: Columns, times: NDArray[np.float64], rows: NDArray[np.int64]) -> None:
    known = np.isfinite(times)
    times, rows = times[known], rows[known]
    steps = np.diff(times)
    if (steps >= 0).all():
        return
    step = float(np.median(steps[steps > 0])) if (steps > 0).any() else np.inf
    starts = np.flatnonzero(
        (times[1:] <= times[0] + _CLOCK_START * step)
        & (times[:-1] >= times[0] + _CLOCK_AWAY * step)
    )
    # Its next stamp tells a clock that starts again from a single wrong stamp.
    starts = starts[(starts + 2 < len(times))]
    starts = starts[(steps[starts + 1] > 0) & (steps[starts + 1] < _CLOCK_AWAY * step)]
    if len(starts):
        at = int(starts[0]) + 1
        raise OpenFaceError(
            say(
                "{path!r}: timestamps start again in row {row} (at {stamp:g}, after {last:g}): "
                "{advice}",
                path=columns.header.path,
                row=columns.file_row(int(rows[at])),
                stamp=float(times[at]),
                last=float(times[at - 1]),
                advice=_advice(columns),
            )
        )


def _advice(columns: Columns) -> str:
    others = [name for name in columns.header.positions if name and not is_known(name)]
    if not others:
        return say(
            "the file holds several recordings, or several people without a {column face_id} "
            "each; give every recording a file of its own"
        )
    return say(
        "the file holds several recordings, or several people without a {column face_id} each; "
        "name the column that tells them apart ({split_by=}; beside OpenFace's own there are "
        "{others}), or give every recording a file of its own",
        others=listed(others, most=3),
    )
