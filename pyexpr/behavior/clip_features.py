"""One clip of one recording to its fourteen features.

In this order: the clip is cut out, its frames are binned, bins are differenced,
differences are averaged (`pyexpr.core.kinematics`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.errors import DataError, listed, near_names
from pyexpr.behavior.binning import Binning, Bins, bin_points, frame_bins, known_points
from pyexpr.core.kinematics import Velocity, angle_motion, landmark_motion

if TYPE_CHECKING:
    from pyexpr.behavior.openface import OpenFaceRecording
    from pyexpr.behavior.schedules import Clip

Head = Literal["pose", "params"]
AuCount = Literal["mean", "distinct"]

_MOVING = ("points", "head", "pitch", "yaw", "roll", "gaze")
#: The features, in the order of the columns.
FEATURES: tuple[str, ...] = (
    *(f"{part}_{what}" for part in _MOVING for what in ("displacement", "velocity")),
    "au_count",
    "au_intensity",
)

#: A clip needs this many velocities, each of three adjacent valid bins.
FEWEST_VELOCITIES = 3
#: Seconds a unit must be present to count as one of the "distinct".
DISTINCT_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class FeatureOptions:
    """How features are computed; the arguments of `clip_features`, checked."""

    rate: float = 5.0
    bins: Binning = "mean"
    velocity: Velocity = "abs_derivative"
    head: Head = "pose"
    au_count: AuCount = "mean"
    min_valid: float = 0.5

    def __post_init__(self) -> None:
        for field, known in _CHOICES.items():
            value = getattr(self, field)
            if value not in known:
                raise DataError(
                    f"{field}= must be one of {listed(known)}, not {value!r}; "
                    f"{near_names(str(value), known)}"
                )
        if not (np.isfinite(self.rate) and self.rate > 0):
            raise DataError(f"rate= must be a positive number of bins per second, not {self.rate}")
        if not 0 < self.min_valid <= 1:
            raise DataError(
                f"min_valid= must be a share of a clip's bins, over 0 and at most 1, "
                f"not {self.min_valid}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the options by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


_CHOICES: dict[str, tuple[str, ...]] = {
    "bins": get_args(Binning),
    "velocity": get_args(Velocity),
    "head": get_args(Head),
    "au_count": get_args(AuCount),
}


def feature_units(options: FeatureOptions | None = None) -> dict[str, str]:
    """Return the unit of each feature.

    A step lasts ``1 / rate`` seconds (0.2 s at 5 Hz).
    """
    options = options or FeatureOptions()
    lengths = {"points": "px", "head": "mm" if options.head == "pose" else "px"}
    units = {}
    for part in _MOVING:
        length = lengths.get(part, "degrees")
        units[f"{part}_displacement"] = f"{length} per step"
        units[f"{part}_velocity"] = f"{length}/s"
    units["au_count"] = "units per frame" if options.au_count == "mean" else "units"
    units["au_intensity"] = "0 to 5"
    return units


def needed_groups(options: FeatureOptions) -> tuple[str, ...] | None:
    """Return the groups of columns to read, or None for those the reader takes by itself."""
    if options.head == "pose":
        return None
    return (
        "landmarks_2d",
        "params",
        "pose_rotation",
        "gaze_angle",
        "gaze_vector",
        "au_presence",
        "au_intensity",
    )


def clip_features(
    recording: OpenFaceRecording,
    clip: Clip,
    *,
    rate: float = 5.0,
    bins: Binning = "mean",
    velocity: Velocity = "abs_derivative",
    head: Head = "pose",
    au_count: AuCount = "mean",
    min_valid: float = 0.5,
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
    rate : float
        Bins per second.
    bins : {"mean", "decimate"}
        Mean of the bin's valid frames, or its first frame.
    velocity : {"abs_derivative", "derivative", "speed"}
        The reading of velocity; see `pyexpr.core.kinematics.landmark_motion`.
    head : {"pose", "params"}
        Head position from pose_Tx, pose_Ty, pose_Tz (mm), or from p_tx, p_ty,
        p_scale (px, px, and the scale without unit).
    au_count : {"mean", "distinct"}
        Mean number of units present per valid frame, or the number of units
        present for at least 0.2 s of the clip's valid frames.
    min_valid : float
        Share of the bins that must be valid.

    Returns
    -------
    dict
        The fourteen `FEATURES`, units as `feature_units` gives them:

        - ``points_``: the 68 landmarks in 2D, averaged over all valid (landmark,
          step) pairs;
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
        For an option that makes no sense, or a clip outside the recording.

    Notes
    -----
    A clip with fewer valid bins than `min_valid` asks for, or fewer than three
    velocities, has no features at all; a signal for which this holds alone, or
    whose columns the file lacks, has NaN for its own. Follows Lin, Girard,
    Sayette and Morency (2020), section 4.2. Checked against closed forms.
    """
    options = FeatureOptions(rate, bins, velocity, head, au_count, min_valid)
    return features_of(recording, clip, options)


def features_of(
    recording: OpenFaceRecording, clip: Clip, options: FeatureOptions
) -> dict[str, Any]:
    """Compute `clip_features` under options checked before."""
    if not 0 <= clip.start_frame < clip.stop_frame <= recording.n_frames:
        raise DataError(
            f"clip {clip.label!r} spans frames {clip.start_frame} to {clip.stop_frame}, but "
            f"{recording.path} has {recording.n_frames}"
        )
    frames = slice(clip.start_frame, clip.stop_frame)
    valid = recording.valid[frames]
    groups = {name: values[frames] for name, values in recording.groups.items()}
    grid = frame_bins(len(valid), recording.fps, options.rate)
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

    reasons = []
    for part in _MOVING:
        moved = _motion(part, groups, grid, options)
        if isinstance(moved, str):
            reasons.append(f"{part}: {moved}")
        else:
            features[f"{part}_displacement"], features[f"{part}_velocity"] = moved
    units, n_active, missing = _action_units(recording, groups, valid, options)
    features |= units
    counts["n_au_active"] = n_active
    return features | counts | {"reason": "; ".join(reasons + missing)}


def _velocities(valid_bins: NDArray[np.bool_]) -> int:
    return int((valid_bins[2:] & valid_bins[1:-1] & valid_bins[:-2]).sum())


def _too_few(valid_bins: NDArray[np.bool_], options: FeatureOptions) -> str:
    """Return why a clip with these valid bins has no features, or ""."""
    n_bins, n_valid = len(valid_bins), int(valid_bins.sum())
    needed = max(int(np.ceil(options.min_valid * n_bins - 1e-9)), 1)
    if n_valid < needed:
        return f"{n_valid} of {n_bins} bins valid, {needed} needed"
    n_velocities = _velocities(valid_bins)
    if n_velocities < FEWEST_VELOCITIES:
        return (
            f"{n_velocities} velocities (runs of three adjacent valid bins), "
            f"{FEWEST_VELOCITIES} needed"
        )
    return ""


def _motion(
    part: str, groups: Mapping[str, NDArray[np.float64]], grid: Bins, options: FeatureOptions
) -> tuple[float, float] | str:
    """Return displacement and velocity of one part, or why there are none."""
    points = _SIGNALS[part](groups, options)
    if isinstance(points, str):
        return points
    angles = part in _ANGLES
    how = options.bins
    positions = bin_points(points, grid, how, angles=angles)
    reason = _too_few(np.logical_or.reduce(known_points(positions), axis=1), options)
    if reason:
        return reason
    rate, reading = options.rate, options.velocity
    if angles:
        motion = angle_motion(positions[:, 0, 0], rate=rate, velocity=reading)
    else:
        motion = landmark_motion(positions, rate=rate, velocity=reading)
    return motion.displacement, motion.velocity


_ANGLES = {"pitch": 0, "yaw": 1, "roll": 2}
_Signal = NDArray[np.float64] | str


def _absent(group: str) -> str:
    return f"the file has no {group}"


def _points(groups: Mapping[str, NDArray[np.float64]], options: FeatureOptions) -> _Signal:
    return groups.get("landmarks_2d", _absent("landmarks_2d"))


def _head(groups: Mapping[str, NDArray[np.float64]], options: FeatureOptions) -> _Signal:
    name = "pose_translation" if options.head == "pose" else "params"
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
        return {}, 0, [f"action units: {_absent('au_presence')}"]
    presence = groups["au_presence"]
    known = valid & np.isfinite(presence).all(axis=1)
    if not known.any():
        return {}, 0, ["action units: no frame with all of them"]
    present = presence == 1
    found = {"au_count": _au_count(present[known], recording.fps, options.au_count)}
    if "au_intensity" not in groups:
        return found, 0, [f"au_intensity: {_absent('au_intensity')}"]
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
