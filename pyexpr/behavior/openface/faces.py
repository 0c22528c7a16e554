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
    ids_joined : int
        Ids that were joined to its own.
    """

    rows: NDArray[np.bool_]
    notes: tuple[str, ...]
    ids_joined: int = 0


@dataclass(frozen=True, slots=True)
class Signs:
    """What faces are distinguished by, for each row.

    Attributes
    ----------
    weights : (rows,) float64
        Size (or confidence), 0 where the row is not valid.
    measure : str
        Which of the two.
    places : (rows, 2) float64 or None
        Where the face is, in sizes of a face (x to the right, y down); NaN where not valid.
    sizes : (rows,) float64 or None
        In any unit; NaN where not valid.
    """

    weights: NDArray[np.float64]
    measure: str
    places: NDArray[np.float64] | None
    sizes: NDArray[np.float64] | None


_NO_IDS = Template("no_face_ids", "there is no column 'face_id': all rows are taken as one face")()
_LARGEST_FACE = Template("largest_face", "largest sum of {measure} over its valid frames")
_SIDE = Template("face_of_a_side", "the {side} of the two seen longest")
_AS_REQUESTED = Template("as_requested", "as requested")()
_ONE_OF_FACES = Template(
    "one_of_several_faces",
    "{faces} faces: {column face_id} {chosen} is followed ({how})",
    report="{faces} faces: number {chosen} is followed ({how})",
)
_JOINED = Template(
    "face_ids_joined",
    "{column face_id} {others} joined to it: never seen together, and at one place and of one size "
    "where one follows the other",
    report="numbers {others} joined to it: never seen together, and at one place and of one size "
    "where one follows the other",
)


def choose_face(
    path: str,
    ids: NDArray[np.int64] | None,
    rule: str | int,
    signs: Signs,
    index: NDArray[np.int64] | None = None,
) -> Face:
    """Choose one face for the whole recording.

    ``"largest"`` is the id with the largest sum of weights, so that a face that is large
    but seen for a moment does not win; ties go to more rows, then the lower id. ``"left"``
    and ``"right"`` are of the two ids with most valid rows. With `index`, the frame of
    each row, ids of one face are joined first.
    """
    if ids is None:
        if rule not in ("largest", 0):
            raise OpenFaceError(
                say(
                    "{path!r}: {face=} was requested, but the file has no column "
                    "'face_id': it follows one face only, so use {face='largest'}",
                    path=path,
                    face=rule,
                )
            )
        return Face(np.ones(len(signs.weights), dtype=np.bool_), (_NO_IDS,))
    if rule == "largest" and (ids == ids[0]).all():
        return Face(np.ones(len(ids), dtype=np.bool_), ())
    known = np.unique(ids)
    own = ids if index is None else joined_ids(path, ids, index, signs)
    faces, inverse, counts = np.unique(own, return_inverse=True, return_counts=True)
    if rule == "largest":
        sums = np.bincount(inverse, weights=signs.weights, minlength=len(faces))
        chosen = int(faces[np.lexsort((faces, -counts, -sums))[0]])
        how = _LARGEST_FACE(measure=signs.measure)
    elif isinstance(rule, str):
        chosen, how = _of_side(path, own, rule, signs), _SIDE(side=rule)
    else:
        if int(rule) not in known:
            raise OpenFaceError(
                f"{path!r}: there is no face with face_id {int(rule)}; the file has {listed(known)}"
            )
        chosen, how = int(own[ids == int(rule)][0]), _AS_REQUESTED
    if len(known) == 1:
        return Face(np.ones(len(ids), dtype=np.bool_), ())
    rows = own == chosen
    others = [int(one) for one in np.unique(ids[rows]) if one != chosen]
    notes: tuple[str, ...] = ()
    if len(faces) > 1:
        notes += (_ONE_OF_FACES(faces=len(faces), chosen=chosen, how=how),)
    if others:
        notes += (_JOINED(others=listed(others)),)
    return Face(rows, notes, len(others))


def _of_side(path: str, ids: NDArray[np.int64], side: str, signs: Signs) -> int:
    """Return the id on one side of the image, of the two seen longest."""
    alone = bool((ids == ids[0]).all())
    places = np.zeros((len(ids), 2)) if alone else _places(path, signs, say("{face=}", face=side))
    seen = np.asarray(np.isfinite(places).all(axis=1), dtype=np.bool_)
    faces, counts = np.unique(ids[seen], return_counts=True)
    if len(faces) < 2:
        raise OpenFaceError(
            say(
                "{path!r}: {face=} was requested, but there is only one face; use {face='largest'}",
                path=path,
                face=side,
            )
        )
    two = faces[np.lexsort((faces, -counts))[:2]]
    # Its middle over all frames: people lean, but do not change places.
    left, right = sorted(two, key=lambda face: float(np.median(places[seen & (ids == face), 0])))
    return int(left if side == "left" else right)


def _places(path: str, signs: Signs, requested: str) -> NDArray[np.float64]:
    if signs.places is None:
        raise OpenFaceError(
            say(
                "{path!r}: {requested} was requested, but the file has neither landmarks nor "
                "pose_Tx, so it does not say where a face is; name a {column face_id}",
                path=path,
                requested=requested,
            )
        )
    return signs.places


# Where the id of one face follows another: so many face sizes apart, and as many more for each
# second in between, up to the most; and so many times as large, at most.
_NEAR: Final = 0.5
_NEAR_A_SECOND: Final = 0.5
_NEAR_MOST: Final = 1.5
_SIZE_RATIO: Final = 1.5
# The rate does not matter much here.
_FRAMES_A_SECOND: Final = 30


def joined_ids(
    path: str, ids: NDArray[np.int64], index: NDArray[np.int64], signs: Signs
) -> NDArray[np.int64]:
    """Return ids in which those of one face are one: the one that is seen first.

    Two ids are of one face if no frame has both, and wherever a row of one follows a row
    of the other, the face is near the place, and of about the size, that it had. An id that
    fits two which are seen together is left alone.

    Parameters
    ----------
    path : str
        For messages.
    ids, index : (rows,) int64
        Face and frame of each row.
    signs : Signs
    """
    places = _places(path, signs, say("{join_ids=True}"))
    seen = np.flatnonzero(np.isfinite(places).all(axis=1))
    seen = seen[np.argsort(index[seen], kind="stable")]
    own = ids.copy()
    order = list(dict.fromkeys(own[seen].tolist()))
    changed = True
    while changed:
        changed = False
        for one in order[1:]:
            rows = seen[own[seen] == one]
            fitting = [
                other
                for other in order
                if other != one and _is_same(rows, seen[own[seen] == other], index, places, signs)
            ]
            if fitting and not _seen_together([seen[own[seen] == one] for one in fitting], index):
                first, second = sorted((one, fitting[0]), key=order.index)
                own[own == second] = first
                order.remove(second)
                changed = True
                break
    return own


def _seen_together(rows: list[NDArray[np.int64]], index: NDArray[np.int64]) -> bool:
    """Return whether some frame has rows of two of these faces."""
    frames = np.sort(index[np.concatenate(rows)])
    return bool((np.diff(frames) == 0).any())


def _is_same(
    one: NDArray[np.int64],
    other: NDArray[np.int64],
    index: NDArray[np.int64],
    places: NDArray[np.float64],
    signs: Signs,
) -> bool:
    both = np.concatenate([one, other])
    order = np.argsort(index[both], kind="stable")
    rows = both[order]
    if (np.diff(index[rows]) == 0).any():
        return False
    seams = np.flatnonzero(np.diff(order < len(one)))
    before, after = rows[seams], rows[seams + 1]
    moved = np.hypot(*(places[after] - places[before]).T)
    seconds = (index[after] - index[before]) / _FRAMES_A_SECOND
    near = moved <= np.minimum(_NEAR + _NEAR_A_SECOND * seconds, _NEAR_MOST)
    if signs.sizes is not None:
        ratio = signs.sizes[after] / signs.sizes[before]
        near &= (ratio <= _SIZE_RATIO) & (ratio >= 1 / _SIZE_RATIO)
    return bool(near.all())


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
    """Return the diagonal of the box around each row's known landmarks (rows, points, 2)."""
    low, high = np.fmin.reduce(landmarks, axis=1), np.fmax.reduce(landmarks, axis=1)
    return np.asarray(np.hypot(*(high - low).T), dtype=np.float64)


def jumps(
    index: NDArray[np.int64],
    valid: NDArray[np.bool_],
    places: NDArray[np.float64],
    sizes: NDArray[np.float64],
) -> int:
    """Count the steps of one frame in which a face moves by more than half its size."""
    steps = (np.diff(index) == 1) & valid[1:] & valid[:-1]
    moved = np.hypot(*np.diff(places, axis=0).T)
    with np.errstate(invalid="ignore"):
        return int((steps & (moved > _JUMP * sizes[1:])).sum())
