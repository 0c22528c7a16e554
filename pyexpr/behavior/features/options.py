"""Which features there are, how they may be computed, and their units."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from pyexpr.base.checks import is_number
from pyexpr.base.errors import DataError, listed, near_names
from pyexpr.base.messages import say
from pyexpr.behavior.features.binning import Binning
from pyexpr.core.kinematics import Velocity

Head = Literal["pose", "params"]
AuCount = Literal["mean", "distinct"]
Landmarks = Literal["2d", "3d", "normalised"]
Derivatives = Literal["differences", "savgol"]

#: What moves, each with a displacement and a velocity.
MOVING = ("points", "head", "pitch", "yaw", "roll", "gaze")
#: The features, in the order of the columns.
FEATURES: tuple[str, ...] = (
    *(f"{part}_{what}" for part in MOVING for what in ("displacement", "velocity")),
    "au_count",
    "au_intensity",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureOptions:
    """How features are computed, checked: the one declaration of these options.

    `extract_features` has them as arguments, and says what each means; a study file's section
    takes types and defaults from here; tests hold the signatures of Python and R equal to it.
    """

    rate: float = 5.0
    bins: Binning = "mean"
    velocity: Velocity = "abs_derivative"
    head: Head = "pose"
    au_count: AuCount = "mean"
    min_valid: float = 0.5
    landmarks: Landmarks = "2d"
    derivatives: Derivatives = "differences"

    def __post_init__(self) -> None:
        for field, known in _CHOICES.items():
            value = getattr(self, field)
            if value not in known:
                hint = near_names(str(value), known)
                raise DataError(
                    say(
                        "{@field=} must be one of {names}, not {value!r}{hint}",
                        field=field,
                        names=listed(known),
                        value=value,
                        # Without one that is near the hint would list them again.
                        hint=f"; {hint}" if hint.startswith("did") else "",
                    )
                )
        if not (is_number(self.rate) and self.rate > 0):
            raise DataError(
                say(
                    "{rate=} must be a positive number of bins per second, not {given!r}",
                    given=self.rate,
                )
            )
        if not (is_number(self.min_valid) and 0 < self.min_valid <= 1):
            raise DataError(
                say(
                    "{min_valid=} must be a share of a clip's bins, over 0 and at most "
                    "1, not {given!r}",
                    given=self.min_valid,
                )
            )
        if self.derivatives == "savgol" and self.bins != "mean":
            raise DataError(
                say(
                    "{derivatives='savgol'} takes every frame, so {bins=@given} has no "
                    "meaning with it; leave {bins=} out",
                    given=self.bins,
                )
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the options by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


_CHOICES: dict[str, tuple[str, ...]] = {
    "bins": get_args(Binning),
    "velocity": get_args(Velocity),
    "head": get_args(Head),
    "au_count": get_args(AuCount),
    "landmarks": get_args(Landmarks),
    "derivatives": get_args(Derivatives),
}
_LANDMARK_UNITS = {"2d": "px", "3d": "mm", "normalised": "interocular distances"}


def feature_units(options: FeatureOptions | None = None) -> dict[str, str]:
    """Return the unit of each feature.

    A step lasts ``1 / rate`` seconds (0.2 s at 5 Hz).
    """
    options = options or FeatureOptions()
    lengths = {
        "points": _LANDMARK_UNITS[options.landmarks],
        "head": "mm" if options.head == "pose" else "px",
    }
    units = {}
    for part in MOVING:
        length = lengths.get(part, "degrees")
        units[f"{part}_displacement"] = f"{length} per step"
        units[f"{part}_velocity"] = f"{length}/s"
    units["au_count"] = "units per frame" if options.au_count == "mean" else "units"
    units["au_intensity"] = "0 to 5"
    return units


def needed_groups(options: FeatureOptions) -> tuple[str, ...] | None:
    """Return the groups of columns to read, or None for those the reader takes by itself."""
    if options.head == "pose" and options.landmarks == "2d":
        return None
    return (
        landmark_group(options),
        head_group(options),
        "pose_rotation",
        "gaze_angle",
        "gaze_vector",
        "au_presence",
        "au_intensity",
    )


def landmark_group(options: FeatureOptions) -> str:
    """Return the group of columns the points come from."""
    return "landmarks_2d" if options.landmarks == "2d" else "landmarks_3d"


def head_group(options: FeatureOptions) -> str:
    """Return the group of columns the head's position comes from."""
    return "pose_translation" if options.head == "pose" else "params"
