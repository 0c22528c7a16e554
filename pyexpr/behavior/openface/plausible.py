"""Movement that no head makes: found between frames, and set missing.

A tracker now and then reports a head kilometres away, or turned by half a circle, and
says it succeeded. One such frame among thousands decides a mean of displacements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pyexpr.behavior.openface.clock import Grid
from pyexpr.behavior.openface.layout import OPENFACE_SCALE, FaceScale
from pyexpr.behavior.openface.middles import middles
from pyexpr.behavior.openface.quantiles import quantiles
from pyexpr.core.frame_grid import fastest_step

#: The fastest a head or face may move (mm/s), and a head or gaze may turn (degrees/s).
MAX_SPEED: Final = 5000.0
MAX_TURN: Final = 1500.0
# Between frames that are closer, what a tracker's own noise adds is not divided by their distance.
_LEAST_SECONDS: Final = 1 / 30
# What stands between two impossible steps for less is a fault; for longer, another face or place.
_FAULT_SECONDS: Final = 0.5
# A movement that is slower than the limit by this share (squared) is possible however its speed is
# rounded: most recordings have none that is faster.
_CERTAIN: Final = 1 - 1e-9
# How far the outer corners of the eyes are apart in adults: pixels to millimetres.
_OUTER_MM: Final = 90.0
# Turned heads show less of that distance.
_FRONTAL: Final = 0.9


@dataclass(frozen=True, slots=True)
class Implausible:
    """What of one group cannot be.

    Attributes
    ----------
    faults : (k,) int64
        Frames that cannot be reached from those around them: missing.
    jumps : (k,) int64
        First frame after an impossible step between two stretches that are both kept.
    """

    faults: NDArray[np.int64]
    jumps: NDArray[np.int64]


def without_implausible(
    grid: Grid,
    times: NDArray[np.float64],
    *,
    max_speed: float,
    max_turn: float,
    scale: FaceScale = OPENFACE_SCALE,
) -> Grid:
    """Return a grid of frames whose faults are missing, and whose jumps are known.

    The faults are set missing in the arrays of the grid given: a recording may be large.
    """
    found = implausible(grid.groups, times, max_speed=max_speed, max_turn=max_turn, scale=scale)
    if not found:
        return grid
    for name, one in found.items():
        grid.groups[name][one.faults] = np.nan
    return replace(
        grid,
        implausible=np.unique(np.concatenate([one.faults for one in found.values()])),
        jumps={name: one.jumps for name, one in found.items() if len(one.jumps)},
    )


def implausible(
    groups: Mapping[str, NDArray[np.float64]],
    times: NDArray[np.float64],
    *,
    max_speed: float,
    max_turn: float,
    scale: FaceScale = OPENFACE_SCALE,
) -> dict[str, Implausible]:
    """Find what cannot be, group by group; groups without any are left out.

    A step from one known frame to the next is impossible if it is longer than the limit
    allows in their time, of which at least 1/30 s counts. Impossible steps cut a recording
    into stretches. Stretches under half a second are faults; the shortest go first, and
    neighbours are one stretch again if there is a possible step between them.

    Parameters
    ----------
    groups : mapping of str to float64 arrays, shape (frames, ...)
        As in `OpenFaceRecording`; NaN where missing. Groups that are no places or
        directions are passed over.
    times : (frames,) float64
        Seconds.
    max_speed : float
        mm/s: of the head, and of the middle of the landmarks. Pixels become millimetres
        by the distance between the outer corners of the eyes, 90 mm.
    max_turn : float
        Degrees/s: of the head about any axis, and of the gaze.
    scale : FaceScale
        Which groups are in no millimetres, and where the eyes are; without eyes such
        groups are passed over.

    Returns
    -------
    dict of str to Implausible
    """
    found = {}
    for name, values in groups.items():
        limit = max_turn if name in _TURNING else max_speed
        if name not in _PLACES or np.isinf(limit):
            continue
        if name in scale.groups:
            if scale.outer is None:
                continue
            places = _scaled(values, scale.outer)
        else:
            places = _PLACES[name](values)
        circle = _WRAPPED if name == "pose_rotation" else 0.0
        fastest = fastest_step(places, times, least=_LEAST_SECONDS, circle=circle)
        if fastest <= _CERTAIN * limit * limit:
            continue
        frames = np.flatnonzero(np.isfinite(places).all(axis=1))
        one = _checked(places, frames, times, limit, circle)
        if one is not None:
            found[name] = one
    return found


def _scaled(points: NDArray[np.float64], outer: tuple[int, int]) -> NDArray[np.float64]:
    """Return the middle of the landmarks in mm, by the size of the face."""
    left, right = outer
    apart = points[:, left] - points[:, right]
    sizes = np.hypot(*apart.T) if apart.shape[1] == 2 else np.sqrt((apart**2).sum(axis=1))
    sizes = sizes[np.isfinite(sizes)]
    size = quantiles(sizes, (_FRONTAL,))[0] if len(sizes) else 0.0
    return middles(points) * (_OUTER_MM / size if size > 0 else 0.0)


def _params(params: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where the face is (p_tx, p_ty), in mm by its scale (px per mm)."""
    scale = params[:, 0][params[:, 0] > 0]
    place: NDArray[np.float64] = params[:, 4:6] / (float(np.median(scale)) if len(scale) else 1.0)
    return place


def _vectors(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    x, y, z = vectors.reshape(-1, 2, 3).mean(axis=1).T
    angles: NDArray[np.float64] = np.stack([np.arctan2(x, -z), np.arctan2(y, -z)], axis=1)
    return np.degrees(angles)


_WRAPPED: Final = 360.0
_TURNING: Final = frozenset({"pose_rotation", "gaze_angle", "gaze_vector"})
_PLACES: Final[dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]]] = {
    "landmarks_2d": middles,
    "landmarks_3d": middles,
    "pose_translation": np.asarray,
    "pose_rotation": np.degrees,
    "gaze_angle": np.degrees,
    "gaze_vector": _vectors,
    "params": _params,
}


def _checked(
    places: NDArray[np.float64],
    frames: NDArray[np.int64],
    times: NDArray[np.float64],
    limit: float,
    circle: float,
) -> Implausible | None:
    """Return faults and jumps among the frames that are known, None if there are none."""

    def impossible(before: NDArray[np.int64], after: NDArray[np.int64]) -> NDArray[np.bool_]:
        steps = places[after] - places[before]
        if circle:
            steps = (steps + circle / 2) % circle - circle / 2
        seconds = np.maximum(times[after] - times[before], _LEAST_SECONDS)
        return np.asarray((steps**2).sum(axis=1) > (limit * seconds) ** 2, dtype=np.bool_)

    cuts = np.flatnonzero(impossible(frames[:-1], frames[1:])) + 1
    if not len(cuts):
        return None
    # Stretches by their first and last known frames.
    first = frames[np.concatenate(([0], cuts))]
    last = frames[np.concatenate((cuts - 1, [len(frames) - 1]))]
    kept = np.ones(places.shape[0], dtype=np.bool_)
    while len(first) > 1:
        lengths = times[last] - times[first]
        if lengths.min() >= _FAULT_SECONDS:
            break
        stays = lengths > lengths.min()
        for start, stop in zip(first[~stays], last[~stays] + 1, strict=True):
            kept[start:stop] = False
        first, last = first[stays], last[stays]
        if len(first):
            # Those that only a fault kept apart are one stretch again.
            apart = impossible(last[:-1], first[1:])
            first, last = first[np.append(True, apart)], last[np.append(apart, True)]
    return Implausible(faults=frames[~kept[frames]], jumps=first[1:])
