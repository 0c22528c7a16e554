"""Video of the simulated face, drawn from the same points as the OpenFace rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.video_file import write_video
from pyexpr.simulation.movement import FPS
from pyexpr.simulation.openface_writer import GROUPS

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The part of BP4D+'s upright frames that contains the face: centre and side, px.
WINDOW_CENTRE = (520.0, 730.0)
WINDOW_SIDE = 560.0
# Drawn larger and averaged, so that movements of less than a pixel show.
_FINER = 3
_BACKGROUND = (70, 84, 92)
_DARK_SKIN, _LIGHT_SKIN = np.array([112, 74, 54]), np.array([236, 196, 172])
_HAIR, _WHITE, _IRIS = (48, 36, 30), (240, 240, 238), (40, 56, 72)
_LIPS, _MOUTH = np.array([150, 50, 60]), (52, 16, 22)
# Index ranges of OpenFace's 68 points.
_JAW, _LEFT_BROW, _RIGHT_BROW = slice(0, 17), slice(17, 22), slice(22, 27)
_BRIDGE, _NOSE = slice(27, 31), slice(31, 36)
_EYES = (slice(36, 42), slice(42, 48))
_OUTER_LIPS, _INNER_LIPS = slice(48, 60), slice(60, 68)
# Of 28 points per eye the first 8 are the iris.
_IRISES = (slice(0, 8), slice(28, 36))


def write_face_video(
    path: Path, rows: NDArray[np.float64], lost: NDArray[np.bool_], *, shade: float, size: int
) -> None:
    """Draw every frame of a recording into a video, which is written completely or not at all.

    Parameters
    ----------
    path : Path
    rows : (frames, 714) float64
        OpenFace's rows before failures of the tracker.
    lost : (frames,) bool
        Frames in which the face is out of sight; their picture is empty.
    shade : float
        Lightness of the skin, from 0 (dark) to 1 (light).
    size : int
        Width and height in px, even.
    """
    write_video(path, _pictures(rows, lost, shade, size), fps=FPS)


def _pictures(
    rows: NDArray[np.float64], lost: NDArray[np.bool_], shade: float, size: int
) -> Iterator[NDArray[np.uint8]]:
    points = _placed(rows[:, GROUPS["landmarks_2d"]], size)
    eyes = _placed(rows[:, GROUPS["eye_landmarks_2d"]], size)
    for face, iris, gone in zip(points, eyes, lost, strict=True):
        yield draw_face(None if gone else face, iris, shade, size)


def _placed(flat: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Return x and y of each point in the drawing; in a row all x come first, then all y."""
    points = flat.reshape(len(flat), 2, -1).transpose(0, 2, 1)
    corner = np.array(WINDOW_CENTRE) - WINDOW_SIDE / 2
    placed: NDArray[np.float64] = (points - corner) * (size * _FINER / WINDOW_SIDE)
    return placed


def draw_face(
    face: NDArray[np.float64] | None, eyes: NDArray[np.float64], shade: float, size: int
) -> NDArray[np.uint8]:
    """Return one frame, (size, size, 3); without a face only the background."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (size * _FINER, size * _FINER), _BACKGROUND)
    if face is not None:
        _draw(ImageDraw.Draw(picture), face, eyes, shade, size * _FINER)
    return np.asarray(picture.reduce(_FINER), dtype=np.uint8)


def _draw(
    pen: Any, face: NDArray[np.float64], eyes: NDArray[np.float64], shade: float, width: int
) -> None:
    skin = _DARK_SKIN + shade * (_LIGHT_SKIN - _DARK_SKIN)
    line = max(1, round(width / 64))

    def area(points: NDArray[np.float64], color: Any) -> None:
        pen.polygon([tuple(point) for point in points.tolist()], fill=_color(color))

    def stroke(points: NDArray[np.float64], color: Any, thick: int) -> None:
        pen.line(
            [tuple(p) for p in points.tolist()], fill=_color(color), width=thick, joint="curve"
        )

    jaw = face[_JAW]
    # OpenFace has no points above the brows: hair and forehead are an arch over the jaw's ends.
    ends, chin = (jaw[0] + jaw[-1]) / 2, jaw[8]
    across, down = (jaw[-1] - jaw[0]) / 2, chin - ends
    angles = np.linspace(0, np.pi, 15)[:, None]
    arch = ends + across * np.cos(angles) - down * 0.75 * np.sin(angles)
    area(np.vstack([ends + (arch - ends) * 1.12, jaw[:3], jaw[-3:]]), _HAIR)
    area(np.vstack([jaw, ends + (arch - ends) * (1, 0.86)]), skin)
    for eye, iris in zip(_EYES, _IRISES, strict=True):
        area(face[eye], _WHITE)
        centre, radius = eyes[iris].mean(axis=0), np.ptp(eyes[iris][:, 0]) / 2
        x, y = centre
        low, high = face[eye][:, 1].min(), face[eye][:, 1].max()
        # The lids hide the part of the iris beyond them.
        if high > low:
            top, bottom = max(y - radius, low), min(y + radius, high)
            if bottom > top:
                pen.ellipse((x - radius, top, x + radius, bottom), fill=_IRIS)
        stroke(np.vstack([face[eye], face[eye][:1]]), 0.55 * skin, line)
    for brow in (_LEFT_BROW, _RIGHT_BROW):
        stroke(face[brow], _HAIR, 2 * line)
    stroke(face[_BRIDGE], 0.8 * skin, line)
    stroke(face[_NOSE], 0.6 * skin, line)
    area(face[_OUTER_LIPS], 0.5 * _LIPS + 0.5 * skin * (1, 0.6, 0.6))
    area(face[_INNER_LIPS], _MOUTH)


def _color(color: Any) -> tuple[int, int, int]:
    red, green, blue = (round(float(value)) for value in color)
    return red, green, blue
