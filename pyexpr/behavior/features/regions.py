"""Regions of the face: which landmarks of a scheme make them up, and which mirror which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

#: The regions of the face that have features of their own. The head has its own in any case.
REGIONS: Final = ("brows", "eyes", "mouth", "jaw")


@dataclass(frozen=True, slots=True)
class LandmarkScheme:
    """How a tracker numbers the landmarks of a face.

    Attributes
    ----------
    name : str
    n_points : int
    regions : mapping of str to tuple of int
        The landmarks of each of `REGIONS` that the scheme has.
    mirrored : tuple of (int, int)
        Pairs of landmarks: on the person's left, and the same on their right. Landmarks of
        the middle line are in none.
    """

    name: str
    n_points: int
    regions: Mapping[str, tuple[int, ...]]
    mirrored: tuple[tuple[int, int], ...]


def _span(first: int, last: int) -> tuple[int, ...]:
    return tuple(range(first, last + 1))


#: The 68 points of Multi-PIE and of OpenFace, from 0: jaw 0-16, brows 17-26, nose 27-35,
#: eyes 36-47, mouth 48-67, each from the left of the image, which is the person's right.
FACE_68: Final = LandmarkScheme(
    name="68 points",
    n_points=68,
    regions={
        "brows": _span(17, 26), "eyes": _span(36, 47), "mouth": _span(48, 67), "jaw": _span(0, 16),
    },
    mirrored=(
        *((16 - k, k) for k in range(8)),
        *((26 - k, 17 + k) for k in range(5)),
        (35, 31), (34, 32),
        (45, 36), (44, 37), (43, 38), (42, 39), (47, 40), (46, 41),
        (54, 48), (53, 49), (52, 50), (55, 59), (56, 58),
        (64, 60), (63, 61), (65, 67),
    ),
)  # fmt: skip

#: Schemes by their number of landmarks, by which a recording's is known.
SCHEMES: Final[Mapping[int, LandmarkScheme]] = {FACE_68.n_points: FACE_68}
