"""The rows of one face, one a frame, and which of them are valid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.errors import OpenFaceError
from pyexpr.base.messages import Template, say
from pyexpr.behavior.openface.csv import Columns, Source, read_columns
from pyexpr.behavior.openface.faces import (
    Signs,
    choose_face,
    face_sizes,
    jumps,
    one_row_per_frame,
)
from pyexpr.behavior.openface.middles import known_middles
from pyexpr.behavior.openface.options import ReadingOptions
from pyexpr.behavior.openface.stacked import refuse_stacked
from pyexpr.behavior.openface.time import frame_numbers, whole_numbers

# Rows that are spread at a time.
_BLOCK: Final = 4096
# Memory of other faces' rows is given back from here on.
_WORTH_KEEPING: Final = 1.25
# OpenFace's `success` is its confidence above this, compared before it is rounded.
_OPENFACE_CONFIDENCE: Final = 0.725
# What tells where a face is, the surer first; and the diagonal of a face's landmarks.
_WHERE: Final = ("landmarks_2d", "pose_translation")
_FACE_MM: Final = 200.0


_REPEATED = Template(
    "repeated_frames",
    "{repeats:count row} dropped that repeat a frame: the valid row of highest confidence is kept",
)
_JUMPS = Template(
    "face_jumps",
    "the followed face jumps by more than half its size ({jumps:count time}): its {column face_id} "
    "may have passed to another person",
    report="the followed face jumps by more than half its size ({jumps:count time}): its number "
    "may have passed to another person",
)
_NO_CONFIDENCE = Template("no_confidence", "there is no column 'confidence'")()
_NO_SUCCESS = Template(
    "no_success",
    "there is no column 'success': frames of confidence over {least} are taken as valid",
)
_NEITHER = Template(
    "neither_success_nor_confidence",
    "there are no columns 'success' and 'confidence': every row is taken as valid, failed ones too",
)()


@dataclass(frozen=True, slots=True)
class FollowedRows:
    """The followed face in a file: which row gives which frame; and, of all faces, the time."""

    rows: NDArray[np.int64]
    frames: NDArray[np.int64]
    clock: NDArray[np.int64]
    clock_frames: NDArray[np.int64]
    n_frames: int
    in_place: bool
    valid: NDArray[np.bool_]
    confidence: NDArray[np.float64]
    doubled: NDArray[np.int64]
    other: NDArray[np.int64]
    faces: int
    ids_joined: int
    notes: tuple[str, ...]

    def dense(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Spread the rows of a matrix over the grid of frames, NaN where there is none.

        Where there is room behind the rows, in place: a second array of the landmarks would
        take most of the memory that there is for all columns.
        """
        if self.in_place:
            return values[: self.n_frames]
        blocks = [slice(at, at + _BLOCK) for at in range(0, len(self.rows), _BLOCK)]
        if len(values) < self.n_frames or not (np.diff(self.rows) > 0).all():
            grid = np.full((self.n_frames, values.shape[1]), np.nan)
            for block in blocks:
                grid[self.frames[block]] = values[self.rows[block]]
            return grid
        # Rows move to the beginning, where none stands before its place, and from there to their
        # frames, where none stands behind it.
        first = values[: len(self.rows)]
        for block in blocks:
            first[block] = values[self.rows[block]]
        for block in reversed(blocks):
            values[self.frames[block]] = first[block].copy()
        grid = values[: self.n_frames]
        empty = np.ones(self.n_frames, dtype=np.bool_)
        empty[self.frames] = False
        grid[empty] = np.nan
        read = len(self.rows) + len(self.doubled) + len(self.other)
        return grid if read <= _WORTH_KEEPING * self.n_frames else grid.copy()


def face_columns(source: Source, columns: Columns, wanted: Sequence[str]) -> Columns | None:
    """Return columns with the places of faces if several must be distinguished, else None."""
    if "face_id" not in columns.header:
        return None
    ids = columns.column("face_id")
    ids = ids[np.isfinite(ids)]
    group = next((name for name in _WHERE if columns.header.group_columns(name)), None)
    if group is None or not len(ids) or (ids == ids[0]).all():
        return None
    if group in wanted:
        return columns
    return read_columns(source, columns.header.group_columns(group))


def _signs(
    faces: Columns | None, valid: NDArray[np.bool_], confidence: NDArray[np.float64]
) -> tuple[Signs, NDArray[np.float64] | None]:
    """Return what distinguishes the faces, and the landmarks if there are any."""
    weights = np.where(valid, np.nan_to_num(confidence), 0.0)
    if faces is None:
        return Signs(weights, "confidence", None, None), None
    members = faces.header.group_columns("landmarks_2d")
    if not members:
        pose = faces.matrix(faces.header.group_columns("pose_translation"))
        pose[~valid] = np.nan
        # A head is about as far away as it seems small.
        with np.errstate(divide="ignore", invalid="ignore"):
            sizes = np.where(pose[:, 2] > 0, 1 / pose[:, 2], np.nan)
        return Signs(weights, "confidence", pose[:, :2] / _FACE_MM, sizes), None
    landmarks = faces.view(members).reshape(-1, *faces.header.group_shape("landmarks_2d"))
    sizes = face_sizes(landmarks)
    weights = np.where(valid, np.nan_to_num(sizes), 0.0)
    sizes = np.where(valid & (sizes > 0), sizes, np.nan)
    places = known_middles(landmarks) / np.nanmedian(sizes) if np.isfinite(sizes).any() else None
    if places is not None:
        places[~np.isfinite(sizes)] = np.nan
    return Signs(weights, "size", places, sizes), landmarks


def _face_ids(columns: Columns, valid: NDArray[np.bool_]) -> NDArray[np.int64] | None:
    """Return the face of each row; a failed row without one counts as the first face."""
    if "face_id" not in columns.header:
        return None
    ids = columns.column("face_id")
    absent = np.isnan(ids) & ~valid
    if not absent.any() or absent.all():
        return whole_numbers(columns, "face_id")
    filled = np.where(absent, ids[~absent][0], ids)
    return whole_numbers(columns, "face_id", filled)


def follow(columns: Columns, faces: Columns | None, options: ReadingOptions) -> FollowedRows:
    """Choose the rows of one face, one a frame."""
    header = columns.header
    valid, confidence, notes = _validity(columns, options.min_confidence)
    ids = _face_ids(columns, valid)
    numbers = frame_numbers(columns, ids)
    times = columns.column("timestamp") if "timestamp" in header else None
    refuse_stacked(columns, numbers.index, ids, times)
    signs, landmarks = _signs(faces, valid, confidence)
    several = ids is not None and bool((ids != ids[0]).any())
    index = numbers.index if options.join_ids and several else None
    followed = choose_face(header.path, ids, options.face, signs, index)

    own = np.flatnonzero(followed.rows)
    rows = own[one_row_per_frame(numbers.index[own], valid[own], confidence[own])]
    frames = numbers.index[rows]
    notes += numbers.notes + followed.notes
    if len(rows) < len(own):
        notes += (_REPEATED(repeats=len(own) - len(rows)),)
    if landmarks is not None:
        moved = jumps(
            frames, valid[rows], known_middles(landmarks)[rows], face_sizes(landmarks)[rows]
        )
        if moved:
            notes += (_JUMPS(jumps=moved),)
    n_frames = int(numbers.index.max()) + 1
    one_clock = len(own) == columns.n_rows
    clock = rows if one_clock else one_row_per_frame(numbers.index, valid, confidence)
    return FollowedRows(
        rows=rows,
        frames=frames,
        clock=clock,
        clock_frames=numbers.index[clock],
        n_frames=n_frames,
        in_place=len(rows) == columns.n_rows == n_frames
        and bool((rows == np.arange(n_frames)).all()),
        valid=valid[rows],
        confidence=confidence[rows],
        doubled=_doubled(numbers.index, own, rows),
        other=np.sort(numbers.index[~followed.rows]),
        faces=len(np.unique(ids)) if ids is not None and several else 1,
        ids_joined=followed.ids_joined,
        notes=notes,
    )


def _doubled(
    index: NDArray[np.int64], own: NDArray[np.int64], rows: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the frames of the face's own rows that are not kept, sorted."""
    if len(rows) == len(own):
        return index[:0]
    return np.sort(index[np.setdiff1d(own, rows)])


def _validity(
    columns: Columns, min_confidence: float | None
) -> tuple[NDArray[np.bool_], NDArray[np.float64], tuple[str, ...]]:
    """Return each row's validity and confidence, and notes on columns that are absent."""
    header = columns.header
    has_confidence = "confidence" in header
    if min_confidence is not None and not has_confidence:
        raise OpenFaceError(
            say(
                "{path!r}: {min_confidence=} was requested, but the file has no column "
                "'confidence'; leave min_confidence out",
                path=header.path,
                min_confidence=min_confidence,
            )
        )
    unknown = np.full(columns.n_rows, np.nan)
    confidence = columns.column("confidence") if has_confidence else unknown
    notes: tuple[str, ...] = ()
    if not has_confidence:
        notes = (_NO_CONFIDENCE,)
    if "success" in header:
        valid = columns.column("success") == 1
    elif has_confidence:
        valid = confidence > _OPENFACE_CONFIDENCE
        notes = (_NO_SUCCESS(least=_OPENFACE_CONFIDENCE),)
    else:
        valid = np.ones(columns.n_rows, dtype=np.bool_)
        notes = (_NEITHER,)
    if min_confidence is not None:
        valid = valid & (confidence >= min_confidence)
    return valid, confidence, notes


def counted(number: int, what: str) -> str:
    """Return "1 row" or "2 rows"."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
