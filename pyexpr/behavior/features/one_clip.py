"""One clip of one recording to its fourteen features.

In this order: the clip is cut out, its frames are binned, bins are differenced,
differences are averaged (`pyexpr.core.kinematics`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.errors import DataError
from pyexpr.base.messages import Template, joined, say
from pyexpr.behavior.features.alignment import normalised_landmarks
from pyexpr.behavior.features.binning import Bins, bin_points, frame_bins, known_points
from pyexpr.behavior.features.options import (
    FEATURES,
    MOVING,
    AuCount,
    FeatureOptions,
    head_group,
    landmark_group,
)
from pyexpr.behavior.features.smoothing import savgol_motion, savgol_window
from pyexpr.core.kinematics import angle_motion, landmark_motion

if TYPE_CHECKING:
    from pyexpr.behavior.openface.recording import OpenFaceRecording
    from pyexpr.behavior.schedules import Clip

#: A clip needs this many velocities, each of three adjacent valid bins.
FEWEST_VELOCITIES = 3
#: Seconds a unit must be present to count as one of the "distinct".
DISTINCT_SECONDS = 0.2


FEW_BINS = Template("few_bins", "{valid} of {bins} bins valid, {needed} needed")
_FEW_VELOCITIES = Template(
    "few_velocities",
    "{velocities} velocities (runs of three adjacent valid bins), {needed} needed",
)
_FEW_FRAMES = Template(
    "few_frames", "{frames} frames with a whole window of {window} frames, {needed} needed"
)
_ABSENT = Template("group_absent", "the file has no {group:metric}")
_NO_WHOLE_FRAME = Template("no_whole_frame", "no frame with all of them")()
_OF_PART = Template("of_part", "{part:metric}: {reason}")


def clip_features(
    recording: OpenFaceRecording, clip: Clip, options: FeatureOptions | None = None
) -> dict[str, Any]:
    r"""Compute the features of one clip.

    Frame k of the clip goes to bin ``floor(rate * k / fps + 1e-9)``; a bin is
    valid with half of its expected frames. With :math:`d_t` the Euclidean
    distance between adjacent valid bins, displacement is the mean of :math:`d_t`
    and velocity the mean of :math:`|d_{t+1} - d_t| \cdot rate` (three adjacent
    valid bins). Gaps are never bridged.

    Parameters
    ----------
    recording : OpenFaceRecording
        Frames that are not valid are NaN and take no part.
    clip : Clip
        Frames on the grid of this recording, half-open.
    options : FeatureOptions, optional
        How they are computed, by default as `extract_features` does.

    Returns
    -------
    dict
        The fourteen `FEATURES`, units as `feature_units` gives them:

        - ``points_``: the 68 landmarks, averaged over all valid (landmark, step)
          pairs;
        - ``head_``, and ``pitch_``, ``yaw_``, ``roll_`` (pose_Rx, Ry, Rz in
          degrees, differences wrapped);
        - ``gaze_``: (gaze_angle_x, gaze_angle_y) in degrees; without them from
          the mean of the two gaze vectors, atan2(x, -z) and atan2(y, -z);
        - ``au_count``, ``au_intensity`` (mean of ``_r`` over all (frame, unit)
          pairs with ``_c`` equal to 1; 0 if there is none).

        Then ``n_frames``, ``n_valid_frames``, ``n_bins``, ``n_valid_bins``,
        ``n_velocities`` (runs of three adjacent valid bins), ``n_au_active``
        (pairs behind au_intensity), and ``reason``: "" or why features are NaN.

    Raises
    ------
    DataError
        If the clip is outside the recording, or has fewer frames than bins.

    Notes
    -----
    Where a group jumps impossibly from one stretch of the recording to another, as when a
    face's number passes to another person, the bin of the jump is missing. A clip with
    fewer valid bins than `min_valid` asks for, or fewer than three
    velocities, has no features at all; a signal for which this holds alone, or
    whose columns the file lacks, has NaN for its own. Follows Lin, Girard
    and Morency (2020), section 4.2. Checked against closed forms.

    Examples
    --------
    >>> import os, tempfile
    >>> from pyexpr.behavior.openface.recording import read_openface
    >>> from pyexpr.behavior.schedules import Clip
    >>> path = os.path.join(tempfile.mkdtemp(), "s01.csv")
    >>> with open(path, "w") as file:
    ...     _ = file.write("frame,timestamp,confidence,success,pose_Rx,pose_Ry,pose_Rz\n")
    ...     for k in range(75):  # nods 0.5 rad/s
    ...         _ = file.write(f"{k + 1},{k / 25:.2f},0.98,1,{0.02 * k:.2f},0,0\n")
    >>> found = clip_features(read_openface(path), Clip("task", "1", 0, 75))
    >>> round(found["pitch_displacement"], 3), found["n_valid_bins"]  # degrees per step
    (5.73, 15)
    """
    options = options or FeatureOptions()
    if not 0 <= clip.start_frame < clip.stop_frame <= recording.n_frames:
        raise DataError(
            say(
                "clip {label!r} spans frames {start_frame} to {stop_frame}, but {path!r} "
                "has {n_frames}",
                label=clip.label,
                start_frame=clip.start_frame,
                stop_frame=clip.stop_frame,
                path=recording.path,
                n_frames=recording.n_frames,
            )
        )
    frames = slice(clip.start_frame, clip.stop_frame)
    valid = recording.valid[frames]
    grid = frame_bins(len(valid), recording.fps, options.rate)
    groups = {
        name: _without_jumps(
            values[frames], recording.jumps.get(name, _NO_JUMPS) - clip.start_frame, grid
        )
        for name, values in recording.groups.items()
    }
    if options.landmarks == "normalised" and "landmarks_3d" in groups:
        groups["landmarks_3d"] = normalised_landmarks(
            groups["landmarks_3d"], recording.stable, recording.outer
        )
    valid_bins = valid[grid.first] if options.bins == "decimate" else grid.valid(valid)

    features: dict[str, Any] = dict.fromkeys(FEATURES, float("nan"))
    counts = {
        "n_frames": len(valid),
        "n_valid_frames": int(valid.sum()),
        "n_bins": len(grid),
        "n_valid_bins": int(valid_bins.sum()),
        "n_velocities": _velocities(valid_bins),
        "n_au_active": 0,
    }
    reason = _too_few(valid_bins, options)
    if reason:
        return features | counts | {"reason": reason}

    reasons: list[str] = []
    for part in MOVING:
        moved = _motion(part, groups, grid, recording.fps, options)
        if isinstance(moved, str):
            reasons.append(_OF_PART(part=part, reason=moved))
        else:
            features[f"{part}_displacement"], features[f"{part}_velocity"] = moved
    units, n_active, missing = _action_units(recording, groups, valid, options)
    features |= units
    counts["n_au_active"] = n_active
    return features | counts | {"reason": joined(reasons + missing)}


_NO_JUMPS = np.zeros(0, dtype=np.int64)


def _without_jumps(
    values: NDArray[np.float64], jumps: NDArray[np.int64], grid: Bins
) -> NDArray[np.float64]:
    """Return values without the bins that hold a jump: no step goes over it."""
    jumps = jumps[(jumps > 0) & (jumps < len(grid.index))]
    if not len(jumps):
        return values
    whole = values.copy()
    whole[: len(grid.index)][np.isin(grid.index, grid.index[jumps])] = np.nan
    return whole


def _velocities(valid_bins: NDArray[np.bool_]) -> int:
    return int((valid_bins[2:] & valid_bins[1:-1] & valid_bins[:-2]).sum())


def _too_few(valid_bins: NDArray[np.bool_], options: FeatureOptions) -> str:
    """Return why a clip with these valid bins has no features, or ""."""
    n_bins, n_valid = len(valid_bins), int(valid_bins.sum())
    needed = max(int(np.ceil(options.min_valid * n_bins - 1e-9)), 1)
    if n_valid < needed:
        return FEW_BINS(valid=n_valid, bins=n_bins, needed=needed)
    n_velocities = _velocities(valid_bins)
    if n_velocities < FEWEST_VELOCITIES:
        return _FEW_VELOCITIES(velocities=n_velocities, needed=FEWEST_VELOCITIES)
    return ""


def _motion(
    part: str,
    groups: Mapping[str, NDArray[np.float64]],
    grid: Bins,
    fps: float,
    options: FeatureOptions,
) -> tuple[float, float] | str:
    """Return displacement and velocity of one part, or why there are none."""
    points = _SIGNALS[part](groups, options)
    if isinstance(points, str):
        return points
    angles = part in _ANGLES
    positions = bin_points(points, grid, options.bins, angles=angles)
    reason = _too_few(np.logical_or.reduce(known_points(positions), axis=1), options)
    if reason:
        return reason
    rate, reading = options.rate, options.velocity
    if options.derivatives == "savgol":
        return _smoothed(points, fps, options, angles=angles)
    if angles:
        motion = angle_motion(positions[:, 0, 0], rate=rate, velocity=reading)
    else:
        motion = landmark_motion(positions, rate=rate, velocity=reading)
    return motion.displacement, motion.velocity


def _smoothed(
    points: NDArray[np.float64], fps: float, options: FeatureOptions, *, angles: bool
) -> tuple[float, float] | str:
    """Return displacement and velocity by smoothed derivatives, or why there are none."""
    displacement, velocity, n_frames = savgol_motion(
        points, fps=fps, rate=options.rate, velocity=options.velocity, angles=angles
    )
    # As much time as the fewest velocities between bins take.
    needed = int(np.ceil(FEWEST_VELOCITIES * fps / options.rate - 1e-9))
    if n_frames < needed:
        window = savgol_window(fps)
        return _FEW_FRAMES(frames=n_frames, window=window, needed=needed)
    return displacement, velocity


_ANGLES = {"pitch": 0, "yaw": 1, "roll": 2}
_Signal = NDArray[np.float64] | str


def _absent(group: str) -> str:
    return _ABSENT(group=group)


def _points(groups: Mapping[str, NDArray[np.float64]], options: FeatureOptions) -> _Signal:
    name = landmark_group(options)
    if name not in groups:
        return _absent(name)
    return groups[name]


def _head(groups: Mapping[str, NDArray[np.float64]], options: FeatureOptions) -> _Signal:
    name = head_group(options)
    if name not in groups:
        return _absent(name)
    # params are p_scale, p_rx, p_ry, p_rz, p_tx, p_ty.
    columns = [0, 1, 2] if options.head == "pose" else [4, 5, 0]
    position: NDArray[np.float64] = groups[name][:, np.newaxis, columns]
    return position


def _rotation(groups: Mapping[str, NDArray[np.float64]], axis: int) -> _Signal:
    if "pose_rotation" not in groups:
        return _absent("pose_rotation")
    radians: NDArray[np.float64] = groups["pose_rotation"][:, np.newaxis, [axis]]
    degrees: NDArray[np.float64] = np.degrees(radians)
    return degrees


def _gaze(groups: Mapping[str, NDArray[np.float64]], options: FeatureOptions) -> _Signal:
    if "gaze_angle" in groups:
        return np.degrees(groups["gaze_angle"][:, np.newaxis, :])
    if "gaze_vector" not in groups:
        return _absent("gaze_angle and no gaze_vector")
    x, y, z = groups["gaze_vector"].reshape(-1, 2, 3).mean(axis=1).T
    radians: NDArray[np.float64] = np.stack([np.arctan2(x, -z), np.arctan2(y, -z)], axis=1)
    return np.degrees(radians[:, np.newaxis, :])


_SIGNALS = {
    "points": _points,
    "head": _head,
    "pitch": lambda groups, options: _rotation(groups, 0),
    "yaw": lambda groups, options: _rotation(groups, 1),
    "roll": lambda groups, options: _rotation(groups, 2),
    "gaze": _gaze,
}


def _action_units(
    recording: OpenFaceRecording,
    groups: Mapping[str, NDArray[np.float64]],
    valid: NDArray[np.bool_],
    options: FeatureOptions,
) -> tuple[dict[str, float], int, list[str]]:
    """Return au_count and au_intensity, the pairs behind the latter, and what is missing."""
    if "au_presence" not in groups:
        return {}, 0, [_OF_PART(part="action units", reason=_absent("au_presence"))]
    presence = groups["au_presence"]
    known = valid & np.isfinite(presence).all(axis=1)
    if not known.any():
        return {}, 0, [_OF_PART(part="action units", reason=_NO_WHOLE_FRAME)]
    present = presence == 1
    found = {"au_count": _au_count(present[known], recording.fps, options.au_count)}
    if "au_intensity" not in groups:
        return found, 0, [_OF_PART(part="au_intensity", reason=_absent("au_intensity"))]
    # AU28 has a presence but no intensity.
    both = [name for name in recording.au_intensity_names if name in recording.au_presence_names]
    shown = present[:, [recording.au_presence_names.index(name) for name in both]]
    values = groups["au_intensity"][:, [recording.au_intensity_names.index(name) for name in both]]
    active = values[shown & known[:, np.newaxis] & np.isfinite(values)]
    found["au_intensity"] = float(active.mean()) if len(active) else 0.0
    return found, len(active), []


def _au_count(present: NDArray[np.bool_], fps: float, how: AuCount) -> float:
    if how == "mean":
        return float(present.sum(axis=1).mean())
    return float((present.sum(axis=0) >= DISTINCT_SECONDS * fps - 1e-9).sum())
