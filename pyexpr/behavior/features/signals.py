"""The signals of one clip, binned once for all features, and the rule for too few of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.messages import Template
from pyexpr.behavior.features.binning import Bins, bin_points, known_points
from pyexpr.behavior.features.expressions import Expressions
from pyexpr.behavior.features.options import FeatureOptions
from pyexpr.behavior.features.regions import LandmarkScheme
from pyexpr.core.clip_features import binned_motion
from pyexpr.core.kinematics import Motion, angle_motion, landmark_motion

#: A clip needs this many velocities, each of three adjacent valid bins.
FEWEST_VELOCITIES = 3
#: Angles, by their column among the rotations of the head.
ANGLES = {"pitch": 0, "yaw": 1, "roll": 2}

FEW_BINS = Template("few_bins", "{valid} of {bins} bins valid, {needed} needed")
FEW_VELOCITIES = Template(
    "few_velocities",
    "{velocities} velocities (runs of three adjacent valid bins), {needed} needed",
)
OF_PART = Template("of_part", "{part:metric}: {reason}")
_ABSENT = Template("group_absent", "the file has no {group:metric}")

#: A signal, (frames or bins, points, dims), or why there is none.
Signal = NDArray[np.float64] | str


def absent(group: str) -> str:
    """Return the reason that the file has no columns of a group."""
    return _ABSENT(group=group)


def needed_bins(n_bins: int, options: FeatureOptions) -> int:
    """Return how many of so many bins must be valid."""
    return max(math.ceil(options.min_valid * n_bins - 1e-9), 1)


def velocities(valid_bins: NDArray[np.bool_]) -> int:
    """Return the number of runs of three adjacent valid bins."""
    return int(np.count_nonzero(valid_bins[2:] & valid_bins[1:-1] & valid_bins[:-2]))


def too_few(valid_bins: NDArray[np.bool_], options: FeatureOptions) -> str:
    """Return why a clip with these valid bins has no features, or ""."""
    n_valid = int(np.count_nonzero(valid_bins))
    return few_of(n_valid, velocities(valid_bins), len(valid_bins), options)


def few_of(n_valid: int, n_velocities: int, n_bins: int, options: FeatureOptions) -> str:
    """Return why a clip with so many valid bins of all has no features, or ""."""
    needed = needed_bins(n_bins, options)
    if n_valid < needed:
        return FEW_BINS(valid=n_valid, bins=n_bins, needed=needed)
    if n_velocities < FEWEST_VELOCITIES:
        return FEW_VELOCITIES(velocities=n_velocities, needed=FEWEST_VELOCITIES)
    return ""


@dataclass(slots=True)
class Signals:
    """What moves in one clip; each part is read and binned when it is first used.

    Attributes
    ----------
    read : function
        Gives the frames of a part, (frames, points, dims), or why there are none.
    grid : Bins
    fps : float
    options : FeatureOptions
    scheme : LandmarkScheme, optional
        The regions that the recording's own layout declares.
    expressions : Expressions, optional
        The requested signals of expression.
    """

    read: Callable[[str], Signal]
    grid: Bins
    fps: float
    options: FeatureOptions
    scheme: LandmarkScheme | None = None
    expressions: Expressions | None = None
    _frames: dict[str, Signal] = field(default_factory=dict)
    _positions: dict[str, Signal] = field(default_factory=dict)
    _motions: dict[str, Motion] = field(default_factory=dict)

    def frames(self, part: str) -> Signal:
        """Return the frames of a part, or why there are none."""
        if part not in self._frames:
            self._frames[part] = self.read(part)
        return self._frames[part]

    def positions(self, part: str) -> Signal:
        """Return the bins of a part, or why it has no features."""
        if part not in self._positions:
            found = self.binned(part)
            if not isinstance(found, str):
                known = np.logical_or.reduce(known_points(found), axis=1)
                found = too_few(known, self.options) or found
            self._positions[part] = found
        return self._positions[part]

    def binned(self, part: str) -> Signal:
        """Return the bins of a part however few are valid, or why there are none."""
        points = self.frames(part)
        if isinstance(points, str):
            return points
        return bin_points(points, self.grid, self.options.bins, angles=part in ANGLES)

    def moved(self, part: str) -> tuple[float, float] | str:
        """Return displacement and velocity of a part between bins, or why there are none."""
        points = self.frames(part)
        if isinstance(points, str):
            return points
        grid, options = self.grid, self.options
        found = binned_motion(
            points,
            grid.first,
            grid.expected,
            len(grid.index),
            decimate=options.bins == "decimate",
            angles=part in ANGLES,
            rate=options.rate,
            velocity=options.velocity,
        )
        few = few_of(found.n_known, found.n_velocities, len(grid), options)
        return few or (found.displacement, found.velocity)

    def motion(self, part: str) -> Motion:
        """Return the motion of a part that has positions, by differences between bins."""
        if part not in self._motions:
            positions = self.positions(part)
            assert not isinstance(positions, str)
            rate, reading = self.options.rate, self.options.velocity
            self._motions[part] = (
                angle_motion(positions[:, 0, 0], rate=rate, velocity=reading)
                if part in ANGLES
                else landmark_motion(positions, rate=rate, velocity=reading)
            )
        return self._motions[part]
