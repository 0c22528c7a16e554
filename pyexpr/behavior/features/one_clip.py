"""One clip of one recording to its fourteen features, and requested further ones.

In this order: the clip is cut out, its frames are binned, bins are differenced,
differences are averaged (`pyexpr.core.kinematics`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.errors import DataError
from pyexpr.base.messages import Template, joined, say
from pyexpr.behavior.features.alignment import normalised_landmarks
from pyexpr.behavior.features.binning import Bins, frame_bins
from pyexpr.behavior.features.expressions import Expressions
from pyexpr.behavior.features.families import further_features
from pyexpr.behavior.features.options import (
    MOVING,
    AuCount,
    FeatureOptions,
    clip_feature_names,
    head_group,
    landmark_group,
)
from pyexpr.behavior.features.regions import LandmarkScheme
from pyexpr.behavior.features.signals import (
    ANGLES,
    OF_PART,
    Signal,
    Signals,
    absent,
    too_few,
    velocities,
)
from pyexpr.behavior.features.smoothing import smoothed_motion
from pyexpr.behavior.features.unit_events import Units
from pyexpr.core.clip_features import UnitActivity, unit_activity

if TYPE_CHECKING:
    from pyexpr.behavior.openface.recording import OpenFaceRecording
    from pyexpr.behavior.schedules import Clip

#: Seconds a unit must be present to count as one of the "distinct".
DISTINCT_SECONDS = 0.2


_NO_WHOLE_FRAME = Template("no_whole_frame", "no frame with all of them")()


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
    groups, grid, valid = clip_groups(recording, clip, options)
    valid_bins = bins_valid(valid, grid, options)

    features: dict[str, Any] = dict.fromkeys(clip_feature_names(options), float("nan"))
    counts = {
        "n_frames": len(valid),
        "n_valid_frames": int(np.count_nonzero(valid)),
        "n_bins": len(grid),
        "n_valid_bins": int(np.count_nonzero(valid_bins)),
        "n_velocities": velocities(valid_bins),
        "n_au_active": 0,
    }
    reason = too_few(valid_bins, options)
    if reason:
        return features | counts | {"reason": reason}

    reasons: list[str] = []
    signals = signals_of(recording, groups, grid, options)
    for part in MOVING:
        moved = _motion(part, signals)
        if isinstance(moved, str):
            reasons.append(OF_PART(part=part, reason=moved))
        else:
            features[f"{part}_displacement"], features[f"{part}_velocity"] = moved
    units, n_active, missing = _action_units(recording, groups, valid, options)
    features |= units
    counts["n_au_active"] = n_active
    if options.extra:
        further, why = further_features(signals, Units.of(recording, groups, valid))
        features |= further
        missing = missing + why
    return features | counts | {"reason": joined(reasons + missing)}


def clip_groups(
    recording: OpenFaceRecording, clip: Clip, options: FeatureOptions
) -> tuple[dict[str, NDArray[np.float64]], Bins, NDArray[np.bool_]]:
    """Return the groups of a clip without its jumps, its bins, and which frames are valid.

    Raises
    ------
    DataError
        If the clip is outside the recording, or has fewer frames than bins.
    """
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
    return groups, grid, valid


def bins_valid(valid: NDArray[np.bool_], grid: Bins, options: FeatureOptions) -> NDArray[np.bool_]:
    """Return which bins are valid, given which frames are."""
    return valid[grid.first] if options.bins == "decimate" else grid.valid(valid)


def signals_of(
    recording: OpenFaceRecording,
    groups: Mapping[str, NDArray[np.float64]],
    grid: Bins,
    options: FeatureOptions,
) -> Signals:
    """Return what moves in a clip of a recording, of which `groups` are the frames."""
    scheme = None
    points = groups.get(landmark_group(options))
    if recording.regions and points is not None:
        # No layout says which landmark mirrors which.
        scheme = LandmarkScheme(recording.layout, points.shape[1], recording.regions, ())
    expressions = None
    if options.expressions:
        expressions = Expressions.of(recording, groups, tuple(options.expressions))
    return Signals(
        lambda part: _SIGNALS[part](groups, options),
        grid,
        recording.fps,
        options,
        scheme,
        expressions,
    )


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


def _motion(part: str, signals: Signals) -> tuple[float, float] | str:
    """Return displacement and velocity of one part, or why there are none."""
    moved = signals.moved(part)
    if isinstance(moved, str) or signals.options.derivatives == "differences":
        return moved
    frames = signals.frames(part)
    assert not isinstance(frames, str)
    return smoothed_motion(frames, signals.fps, signals.options, angles=part in ANGLES)


def _points(groups: Mapping[str, NDArray[np.float64]], options: FeatureOptions) -> Signal:
    name = landmark_group(options)
    if name not in groups:
        return absent(name)
    return groups[name]


def _head(groups: Mapping[str, NDArray[np.float64]], options: FeatureOptions) -> Signal:
    name = head_group(options)
    if name not in groups:
        return absent(name)
    # params are p_scale, p_rx, p_ry, p_rz, p_tx, p_ty.
    columns = slice(0, 3) if options.head == "pose" else [4, 5, 0]
    position: NDArray[np.float64] = groups[name][:, np.newaxis, columns]
    return position


def _rotation(groups: Mapping[str, NDArray[np.float64]], axis: int) -> Signal:
    if "pose_rotation" not in groups:
        return absent("pose_rotation")
    radians: NDArray[np.float64] = groups["pose_rotation"][:, np.newaxis, axis : axis + 1]
    degrees: NDArray[np.float64] = np.degrees(radians)
    return degrees


def _gaze(groups: Mapping[str, NDArray[np.float64]], options: FeatureOptions) -> Signal:
    if "gaze_angle" in groups:
        return np.degrees(groups["gaze_angle"][:, np.newaxis, :])
    if "gaze_vector" not in groups:
        return absent("gaze_angle and no gaze_vector")
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
        return {}, 0, [OF_PART(part="action units", reason=absent("au_presence"))]
    presence = groups["au_presence"]
    # Without intensities there is no unit that has both.
    intensity = groups.get("au_intensity", presence[:, :0])
    names = recording.au_intensity_names if "au_intensity" in groups else ()
    columns = _in_both(recording.au_presence_names, names)
    found = unit_activity(valid, presence, intensity, columns)
    if not found.n_known:
        return {}, 0, [OF_PART(part="action units", reason=_NO_WHOLE_FRAME)]
    units = {"au_count": _au_count(found, recording.fps, options.au_count)}
    if "au_intensity" not in groups:
        return units, 0, [OF_PART(part="au_intensity", reason=absent("au_intensity"))]
    return units | {"au_intensity": found.intensity}, found.n_active, []


@lru_cache(maxsize=32)
def _in_both(presence: tuple[str, ...], intensity: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the columns of the units that have both, (units, 2); AU28 has no intensity."""
    pairs = [(presence.index(name), at) for at, name in enumerate(intensity) if name in presence]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _au_count(found: UnitActivity, fps: float, how: AuCount) -> float:
    if how == "mean":
        return found.n_present / found.n_known
    least = DISTINCT_SECONDS * fps - 1e-9
    return float(sum(frames >= least for frames in found.frames_present))
