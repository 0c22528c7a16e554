"""Which features there are, how they may be computed, and their units."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any, Final, Literal, get_args

from pyexpr.base.checks import is_number
from pyexpr.base.errors import DataError, listed, near_names
from pyexpr.base.messages import say
from pyexpr.behavior.features.binning import Binning
from pyexpr.behavior.features.regions import REGIONS
from pyexpr.core.kinematics import Velocity

Head = Literal["pose", "params"]
AuCount = Literal["mean", "distinct"]
Landmarks = Literal["2d", "3d", "normalised"]
Derivatives = Literal["differences", "savgol"]
#: Families of features besides the fourteen.
Family = Literal[
    "regions", "acceleration", "variability", "asymmetry", "au_dynamics", "entropy",
    "expression_means", "expression_variability", "expression_dynamics",
]  # fmt: skip
#: Those of signals of expression, and the groups that have such signals, with what the names of
#: their columns begin with.
EXPRESSION_FAMILIES: Final[tuple[Family, ...]] = (
    "expression_means", "expression_variability", "expression_dynamics",
)  # fmt: skip
SIGNAL_PREFIXES: Final = {
    "au_intensity": "intensity_",
    "au_score": "score_",
    "blendshapes": "blendshape_",
    "emotions": "emotion_",
}
Extra = Family | Sequence[Family]

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
    extra: Extra = ()
    action_units: str | Sequence[str] = ()
    expressions: str | Sequence[str] = ()
    baseline: str | None = None

    def __post_init__(self) -> None:
        self._check_extra()
        for option, known in _CHOICES.items():
            value = getattr(self, option)
            if value not in known:
                hint = near_names(str(value), known)
                raise DataError(
                    say(
                        "{@option=} must be one of {names}, not {value!r}{hint}",
                        option=option,
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
                    "{derivatives='savgol'} uses every frame, so {bins=@given} does not apply; "
                    "leave out {bins=}",
                    given=self.bins,
                )
            )

    def _check_extra(self) -> None:
        """Check what there is besides the fourteen; hold names as a tuple, each once."""
        for option in ("extra", "action_units", "expressions"):
            given = getattr(self, option)
            names = (given,) if isinstance(given, str) else tuple(given or ())
            # Frozen, so that nobody changes an option that was checked.
            object.__setattr__(self, option, tuple(dict.fromkeys(names)))
        for name in self.extra:
            if name not in get_args(Family):
                raise DataError(
                    say(
                        "{extra=} has no family {name!r}; {hint}",
                        name=name,
                        hint=near_names(str(name), get_args(Family)),
                    )
                )
        for name in self.action_units:
            if not (isinstance(name, str) and re.fullmatch(r"AU\d\d", name)):
                raise DataError(
                    say(
                        "{action_units=} has {name!r}, which names no action unit; write them "
                        "as OpenFace does, such as 'AU12'",
                        name=name,
                    )
                )
        if self.action_units and "au_dynamics" not in self.extra:
            raise DataError(
                say(
                    "{action_units=} names units whose dynamics are wanted one by one, which "
                    "needs 'au_dynamics' in {extra=}"
                )
            )
        self._check_expressions()
        if self.baseline is not None and not str(self.baseline).strip():
            raise DataError(
                say("{baseline=} must name a context, or be 'all'; leave it out for none")
            )

    def _check_expressions(self) -> None:
        for name in self.expressions:
            if name not in SIGNAL_PREFIXES and not str(name).startswith(
                tuple(SIGNAL_PREFIXES.values())
            ):
                raise DataError(
                    say(
                        "{expressions=} has {name!r}, which names no signal of expression; name a "
                        "group ({groups}) or one signal, such as 'blendshape_jawOpen', "
                        "'emotion_joy', 'score_AU12' or 'intensity_AU12'",
                        name=name,
                        groups=listed(SIGNAL_PREFIXES),
                    )
                )
        if self.expressions and not any(map(self.has, EXPRESSION_FAMILIES)):
            raise DataError(
                say(
                    "{expressions=} names the signals of {families}, which need one of these in "
                    "{extra=}",
                    families=listed(EXPRESSION_FAMILIES),
                )
            )

    def has(self, family: Family) -> bool:
        """Return whether a family of further features is requested."""
        return family in self.extra

    def to_dict(self) -> dict[str, Any]:
        """Return the options by name."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


_CHOICES: dict[str, tuple[str, ...]] = {
    "bins": get_args(Binning),
    "velocity": get_args(Velocity),
    "head": get_args(Head),
    "au_count": get_args(AuCount),
    "landmarks": get_args(Landmarks),
    "derivatives": get_args(Derivatives),
}
_LANDMARK_UNITS = {"2d": "px", "3d": "mm", "normalised": "interocular distances"}


@dataclass(frozen=True, slots=True)
class TrackerUnits:
    """What a tracker measures in; by default OpenFace's units.

    Attributes
    ----------
    points : str, optional
        Of the landmarks that features are computed from, unless these are normalised; None
        is OpenFace's for these landmarks.
    intensity : str
        Of the intensities of action units.
    signals : mapping of str to str
        Of signals of expression, by their names.
    """

    points: str | None = None
    intensity: str = "0 to 5"
    signals: Mapping[str, str] = field(default_factory=dict)


OPENFACE_UNITS: Final = TrackerUnits()


def feature_units(
    options: FeatureOptions | None = None, tracker: TrackerUnits = OPENFACE_UNITS
) -> dict[str, str]:
    """Return the unit of each feature, in the order of the columns.

    A step lasts ``1 / rate`` seconds (0.2 s at 5 Hz).
    """
    options = options or FeatureOptions()
    units = _clip_units(options, tracker)
    if options.baseline is not None:
        units |= {deviation_name(name): unit for name, unit in units.items()}
    return units


def feature_names(options: FeatureOptions | None = None) -> tuple[str, ...]:
    """Return the features that there are with these options: the fourteen come first."""
    return tuple(feature_units(options))


@lru_cache(maxsize=32)
def clip_feature_names(options: FeatureOptions) -> tuple[str, ...]:
    """Return the features that a clip has by itself: all but deviations from a baseline."""
    return tuple(_clip_units(options, OPENFACE_UNITS))


def _clip_units(options: FeatureOptions, tracker: TrackerUnits) -> dict[str, str]:
    units: dict[str, str] = {}
    for part in MOVING:
        units |= _movement_units(part, options, tracker)
    units["au_count"] = "units per frame" if options.au_count == "mean" else "units"
    units["au_intensity"] = tracker.intensity
    for family, of_family in _FURTHER_UNITS.items():
        if options.has(family):
            units |= of_family(options, tracker)
    return units


def deviation_name(feature: str) -> str:
    """Return the name of a feature's deviation from the person's own baseline."""
    return f"{feature}_deviation"


def length_unit(part: str, options: FeatureOptions, tracker: TrackerUnits = OPENFACE_UNITS) -> str:
    """Return the unit in which a part of the face, or the head, moves."""
    if part in ("points", *REGIONS):
        if tracker.points is not None and options.landmarks != "normalised":
            return tracker.points
        return _LANDMARK_UNITS[options.landmarks]
    if part == "head":
        return "mm" if options.head == "pose" else "px"
    return "degrees"


def _movement_units(part: str, options: FeatureOptions, tracker: TrackerUnits) -> dict[str, str]:
    length = length_unit(part, options, tracker)
    return {f"{part}_displacement": f"{length} per step", f"{part}_velocity": f"{length}/s"}


def _region_units(options: FeatureOptions, tracker: TrackerUnits) -> dict[str, str]:
    found: dict[str, str] = {}
    for region in REGIONS:
        found |= _movement_units(region, options, tracker)
    return found


def _acceleration_units(options: FeatureOptions, tracker: TrackerUnits) -> dict[str, str]:
    return {
        f"{part}_{what}": f"{length_unit(part, options, tracker)}/s{power}"
        for part in MOVING
        for what, power in (("acceleration", "^2"), ("jerk", "^3"))
    }


def _variability_units(options: FeatureOptions, tracker: TrackerUnits) -> dict[str, str]:
    found = {
        f"{part}_{what}": length_unit(part, options, tracker)
        for part in MOVING
        for what in ("variability", "range")
    }
    return found | dict.fromkeys(("au_variability", "au_range"), tracker.intensity)


def _asymmetry_units(options: FeatureOptions, tracker: TrackerUnits) -> dict[str, str]:
    return {f"{part}_asymmetry": "-1 to 1" for part in ("points", *REGIONS)}


#: What is measured of the events of action units, and in which unit.
EVENT_UNITS = {
    "events": "per minute",
    "duration": "s",
    "amplitude": "0 to 5",
    "onset_speed": "intensity/s",
    "offset_speed": "intensity/s",
}


def _event_units(options: FeatureOptions, tracker: TrackerUnits) -> dict[str, str]:
    return {
        f"{who}_{what}": tracker.intensity if what == "amplitude" else unit
        for who in ("au", *options.action_units)
        for what, unit in EVENT_UNITS.items()
    }


def _entropy_units(options: FeatureOptions, tracker: TrackerUnits) -> dict[str, str]:
    return {
        f"{part}_{what}": unit
        for part in MOVING
        for what, unit in (("sample_entropy", "nats"), ("permutation_entropy", "0 to 1"))
    }


def expression_name(group: str, label: str) -> str:
    """Return the name of a signal of expression: blendshape_jawOpen."""
    return f"{SIGNAL_PREFIXES[group]}{label}"


def _signal_units(options: FeatureOptions, tracker: TrackerUnits) -> dict[str, str]:
    """Return the unit of each signal that is named; groups that are named have no names yet."""
    return {
        name: tracker.signals.get(name, tracker.intensity)
        for name in options.expressions
        if name not in SIGNAL_PREFIXES
    }


def _spread_units(options: FeatureOptions, tracker: TrackerUnits) -> dict[str, str]:
    return {f"{name}_sd": unit for name, unit in _signal_units(options, tracker).items()}


def _speed_units(options: FeatureOptions, tracker: TrackerUnits) -> dict[str, str]:
    return {f"{name}_speed": "per second" for name in _signal_units(options, tracker)}


_FURTHER_UNITS: dict[Family, Callable[[FeatureOptions, TrackerUnits], dict[str, str]]] = {
    "regions": _region_units,
    "acceleration": _acceleration_units,
    "variability": _variability_units,
    "asymmetry": _asymmetry_units,
    "au_dynamics": _event_units,
    "entropy": _entropy_units,
    "expression_means": _signal_units,
    "expression_variability": _spread_units,
    "expression_dynamics": _speed_units,
}


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
