"""One row per frame: which face is followed, and which of two rows for one frame is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.errors import OpenFaceError, listed
from pyexpr.base.messages import Template, say

# A followed face that moves further than this share of its size from one frame to the next is
# probably another person: OpenFace gives the id of a face it lost to the next one it finds.
_JUMP: Final = 0.5


@dataclass(frozen=True, slots=True)
class Face:
    """The face that is followed through the recording.

    Attributes
    ----------
    rows : (rows,) bool
        Its rows.
    notes : tuple of str
    """

    rows: NDArray[np.bool_]
    notes: tuple[str, ...]


_NO_IDS = Template("no_face_ids", "there is no column 'face_id': all rows are taken as one face")()
_LARGEST_FACE = Template("largest_face", "largest sum of {measure} over its valid frames")
_AS_ASKED = Template("as_asked", "as asked")()
_ONE_OF_FACES = Template(
    "one_of_several_faces",
    "{faces} faces: {column face_id} {chosen} is followed ({how})",
    report="{faces} faces: number {chosen} is followed ({how})",
)


def choose_face(
    path: str,
    ids: NDArray[np.int64] | None,
    rule: str | int,
    sizes: NDArray[np.float64],
    measure: str,
) -> Face:
    """Choose one face for the whole recording.

    `sizes` is each row's size (or confidence), 0 where the row is not valid;
    ``"largest"`` is the id with the largest sum, so that a face that is large
    but seen for a moment does not win; ties go to more rows, then the lower id.
    """
    if ids is None:
        if rule not in ("largest", 0):
            raise OpenFaceError(
                say(
                    "{path!r}: {face=} was asked for, but the file has no column "
                    "'face_id': it follows one face only, so use {face='largest'}",
                    path=path,
                    face=rule,
                )
            )
        return Face(np.ones(len(sizes), dtype=np.bool_), (_NO_IDS,))
    known, inverse, counts = np.unique(ids, return_inverse=True, return_counts=True)
    if rule == "largest":
        sums = np.bincount(inverse, weights=sizes, minlength=len(known))
        chosen = int(known[np.lexsort((known, -counts, -sums))[0]])
        how = _LARGEST_FACE(measure=measure)
    else:
        chosen, how = int(rule), _AS_ASKED
        if chosen not in known:
            raise OpenFaceError(
                f"{path!r}: there is no face with face_id {chosen}; the file has {listed(known)}"
            )
    if len(known) == 1:
        return Face(np.ones(len(ids), dtype=np.bool_), ())
    return Face(ids == chosen, (_ONE_OF_FACES(faces=len(known), chosen=chosen, how=how),))


def one_row_per_frame(
    index: NDArray[np.int64], valid: NDArray[np.bool_], confidence: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return the rows to keep, in the order of their frames.

    Of several rows for one frame a valid one goes before others, then the one
    of highest confidence, then the first.
    """
    if (np.diff(index) > 0).all():
        return np.arange(len(index), dtype=np.int64)
    certainty = np.nan_to_num(confidence, nan=-1.0)
    order = np.lexsort((-certainty, ~valid, index))
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = np.diff(index[order]) > 0
    return order[first].astype(np.int64)


def face_sizes(landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the diagonal (px) of the box around each row's landmarks (rows, 68, 2)."""
    low, high = landmarks.min(axis=1), landmarks.max(axis=1)
    return np.asarray(np.hypot(*(high - low).T), dtype=np.float64)


def jumps(
    index: NDArray[np.int64], valid: NDArray[np.bool_], landmarks: NDArray[np.float64]
) -> int:
    """Count the steps of one frame in which a face moves by more than half its size."""
    steps = (np.diff(index) == 1) & valid[1:] & valid[:-1]
    moved = np.hypot(*np.diff(landmarks.mean(axis=1), axis=0).T)
    with np.errstate(invalid="ignore"):
        return int((steps & (moved > _JUMP * face_sizes(landmarks)[1:])).sum())
