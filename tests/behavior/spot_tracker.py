"""Trackers without any model: bright spots as faces of four points."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from scipy.ndimage import center_of_mass, label

from pyexpr.base.errors import TrackerError
from pyexpr.behavior.tracking.trackers import TrackedFace, Tracker

# (height, width) of the pictures that `spots` draws.
SIZE = (48, 64)
HALF = 4


def spots(*centres: tuple[int, int]) -> np.ndarray:
    """Return a dark picture with a bright square around each (x, y)."""
    picture = np.zeros((*SIZE, 3), dtype=np.uint8)
    for x, y in centres:
        picture[y - HALF : y + HALF + 1, x - HALF : x + HALF + 1] = 255
    return picture


class BrightSpot(Tracker):
    """Corners of bright spots, with a blendshape and a pose; by default the upper spot first."""

    name, points, blendshapes, has_pose = "bright-spot", 4, ("bright", "dark"), True
    options: ClassVar[dict[str, Any]] = {
        "least": 128, "smooth": 0.5, "order": "down", "wide": False
    }  # fmt: skip
    # Videos that were begun, in this process.
    begun: ClassVar[list[int]] = []

    def track(
        self, frames: Iterable[np.ndarray], times: Iterable[float]
    ) -> Iterator[list[TrackedFace]]:
        self.begun.append(1)
        for picture, time in zip(frames, times, strict=True):
            marked, n = label(picture[:, :, 0] > self.chosen["least"])
            found = [_face(marked == k, time) for k in range(1, n + 1)]
            yield (found if self.chosen["order"] == "down" else found[::-1])[: self.faces]


def _face(spot: np.ndarray, time: float) -> TrackedFace:
    y, x = center_of_mass(spot)
    corners = [(x - HALF, y - HALF, 0), (x + HALF, y - HALF, 0), (x - HALF, y + HALF, 1)]
    points = np.array([*corners, (x + HALF, y + HALF, 2)], dtype=float)
    pose = np.array([x, y, 500, 0, 0, time])
    return TrackedFace(points, np.array([0.75, 0.25]), pose)


class Small(BrightSpot):
    """Wants a model: a file that begins with SPOT."""

    name = "small-spot"
    model_help = "spot.model, from https://example.org/spot"

    @classmethod
    def check_model(cls, model: Path) -> None:
        if model.read_bytes()[:4] != b"SPOT":
            raise TrackerError(f"{str(model)!r} is no model of spots; {cls.model_help}")


class NotInstalled(BrightSpot):
    name, install = "absent", "pip install absent"

    @classmethod
    def available(cls) -> bool:
        return False


class Newer(BrightSpot):
    """The same tracker, of another version."""

    @classmethod
    def version(cls) -> str:
        return "2.0"


class Named(BrightSpot):
    """Knows who is who: the person on the left is number 7."""

    def track(
        self, frames: Iterable[np.ndarray], times: Iterable[float]
    ) -> Iterator[list[TrackedFace]]:
        for faces in super().track(frames, times):
            left = sorted(faces, key=lambda face: face.points[0, 0])
            yield [
                TrackedFace(one.points, one.blendshapes, one.pose, face_id=7 + k)
                for k, one in enumerate(left)
            ]


class LooksAhead(BrightSpot):
    """Asks for all times, then for all pictures, before it gives anything."""

    def track(
        self, frames: Iterable[np.ndarray], times: Iterable[float]
    ) -> Iterator[list[TrackedFace]]:
        moments = list(times)
        yield from super().track(list(frames), moments)


class Spoils(BrightSpot):
    """Does what no tracker should at its third frame."""

    name = "spoils"
    options: ClassVar[dict[str, Any]] = {**BrightSpot.options, "how": "raises"}

    def track(
        self, frames: Iterable[np.ndarray], times: Iterable[float]
    ) -> Iterator[list[TrackedFace]]:
        for number, faces in enumerate(super().track(frames, times)):
            yield self._spoiled(faces) if number == 2 else faces
            if number == 2 and self.chosen["how"] == "ends":
                return
        if self.chosen["how"] == "more":
            yield []

    def _spoiled(self, faces: list[TrackedFace]) -> list[TrackedFace]:
        how, one = self.chosen["how"], faces[0]
        if how == "raises":
            raise ZeroDivisionError("no light")
        return {
            "ends": faces,
            "more": faces,
            "points": [TrackedFace(one.points[:3], one.blendshapes, one.pose)],
            "blendshapes": [TrackedFace(one.points, None, one.pose)],
            "pose": [TrackedFace(one.points, one.blendshapes, np.zeros(3))],
            "many": [one, one],
            "nowhere": [TrackedFace(one.points * np.nan, one.blendshapes, one.pose)],
            "doubled": [TrackedFace(one.points, one.blendshapes, one.pose, 3)] * 2,
        }[how]
