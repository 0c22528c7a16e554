"""Which face of a frame is which of the frames before, by where it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyexpr.behavior.tracking.trackers import TrackedFace

# A face goes on as the one that was last seen less than its own size away, and no longer ago.
_LARGEST_STEP = 1.0
_LONGEST_GAP = 1.0


@dataclass(slots=True)
class _Seen:
    centre: NDArray[np.float64]
    size: float
    time: float


class FaceIds:
    """Ids 0, 1, ... of the faces of a video, frame by frame.

    If one face is requested, its id is 0. If several are requested, faces are matched with the ids
    seen in the last second, the nearest pair first. A face whose distance from all of these exceeds
    its own size gets a new id. A person who leaves and comes back therefore has two ids.
    """

    def __init__(self, faces: int) -> None:
        self._single = faces == 1
        self._seen: dict[int, _Seen] = {}
        self._next = 0

    def of(self, faces: Sequence[TrackedFace], time: float) -> list[int]:
        """Return the id of each face of the frame at `time` (seconds)."""
        own = [face.face_id for face in faces]
        if all(number is not None for number in own):
            return [int(number) for number in own if number is not None]
        if self._single:
            return [0] * len(faces)
        here = [_place(face, time) for face in faces]
        recent = [n for n, seen in self._seen.items() if time - seen.time <= _LONGEST_GAP]
        pairs = sorted(
            (_distance(self._seen[number], place), number, position)
            for number in recent
            for position, place in enumerate(here)
        )
        found: dict[int, int] = {}
        for distance, number, position in pairs:
            if distance < _LARGEST_STEP and position not in found and number not in found.values():
                found[position] = number
        for position in range(len(here)):
            if position not in found:
                found[position] = self._next
                self._next += 1
            self._seen[found[position]] = here[position]
        return [found[position] for position in range(len(here))]


def _place(face: TrackedFace, time: float) -> _Seen:
    points = face.points[:, :2]
    points = points[np.isfinite(points).all(axis=1)]
    low, high = points.min(axis=0), points.max(axis=0)
    # A face of one point has no size: a pixel then, so that the nearest is still found.
    return _Seen((low + high) / 2, max(float((high - low).max()), 1.0), time)


def _distance(seen: _Seen, place: _Seen) -> float:
    """Return how far a face is from where another was, in sizes of the larger one."""
    return float(np.linalg.norm(seen.centre - place.centre)) / max(seen.size, place.size)
