"""Families of features besides the fourteen, each computed for clips on request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.messages import Message, Template
from pyexpr.behavior.features.binning import known_points
from pyexpr.behavior.features.entropy import (
    FEWEST_ORDERS,
    FEWEST_STRETCHES,
    PERMUTATION_ORDER,
    SAMPLE_LENGTH,
    permutation_entropy,
    sample_entropy,
    whole_stretches,
)
from pyexpr.behavior.features.expressions import (
    Expressions,
    expression_means,
    expression_speeds,
    expression_spread,
)
from pyexpr.behavior.features.movement import asymmetry, differences, spread
from pyexpr.behavior.features.options import MOVING, Family
from pyexpr.behavior.features.regions import REGIONS, SCHEMES, LandmarkScheme
from pyexpr.behavior.features.signals import (
    ANGLES,
    FEW_VELOCITIES,
    FEWEST_VELOCITIES,
    OF_PART,
    Signals,
    needed_bins,
    too_few,
)
from pyexpr.behavior.features.smoothing import few_frames, savgol_rates, smoothed_motion
from pyexpr.behavior.features.unit_events import Units, unit_dynamics

_NO_SCHEME = Template("no_landmark_scheme", "no regions are declared for {points:count landmark}")
_NO_REGION = Template("no_region", "the scheme of {scheme:metric} has no such landmarks")
_FEW_JERKS = Template(
    "few_jerks", "{jerks} jerks (runs of four adjacent valid bins), {needed} needed"
)
_FEW_KNOWN = Template("few_known_frames", "no action unit known in {needed} of {frames} frames")
_AT_REST = Template("nothing_moves", "nothing moves")()
_FEW_STRETCHES = Template(
    "few_stretches", "{found} runs of {length} adjacent steps, {needed} needed"
)
_NONE_ALIKE = Template("none_alike", "no two runs of three adjacent steps are alike")()

_Found = tuple[dict[str, float], list[str]]


def further_features(signals: Signals, units: Units) -> _Found:
    """Return the features of the requested families, and why some are missing.

    Parameters
    ----------
    signals : Signals
        What moves in the clip, and the options.
    units : Units
        Its action units.

    Returns
    -------
    features : dict of str to float
        Those that could be computed.
    reasons : list of str
        Why the others could not, with the part or feature that each is of.
    """
    features: dict[str, float] = {}
    reasons: list[str] = []
    for family in get_args(Family):
        if signals.options.has(family):
            found, why = _FAMILIES[family](signals, units)
            features |= found
            reasons += why
    return features, reasons


def scheme_of(points: NDArray[np.float64], declared: LandmarkScheme | None) -> LandmarkScheme | str:
    """Return the scheme of landmarks, (frames, points, dims), or that there is none.

    `declared` is that of the recording's layout, if it has one.
    """
    n_points = points.shape[1]
    return declared or SCHEMES.get(n_points) or _NO_SCHEME(points=n_points)


def region_points(
    part: str, points: NDArray[np.float64], declared: LandmarkScheme | None
) -> NDArray[np.int64] | str:
    """Return the landmarks of a region, or why there are none."""
    scheme = scheme_of(points, declared)
    if isinstance(scheme, str):
        return scheme
    if part not in scheme.regions:
        return _NO_REGION(scheme=scheme.name)
    return np.array(scheme.regions[part])


def _regions(signals: Signals, units: Units) -> _Found:
    """Displacement and velocity of each region, as of all landmarks."""
    positions = signals.positions("points")
    if isinstance(positions, str):
        return {}, [OF_PART(part="regions", reason=positions)]
    features: dict[str, float] = {}
    reasons: list[str] = []
    for region in REGIONS:
        moved = _region_motion(region, positions, signals)
        if isinstance(moved, str):
            reasons.append(OF_PART(part=region, reason=moved))
        else:
            features[f"{region}_displacement"], features[f"{region}_velocity"] = moved
    return features, reasons


def _region_motion(
    region: str, positions: NDArray[np.float64], signals: Signals
) -> tuple[float, float] | str:
    own = region_points(region, positions, signals.scheme)
    if isinstance(own, str):
        return own
    known = np.logical_or.reduce(known_points(positions[:, own]), axis=1)
    reason = too_few(known, signals.options)
    if reason:
        return reason
    if signals.options.derivatives == "savgol":
        frames = signals.frames("points")
        assert not isinstance(frames, str)
        return smoothed_motion(frames[:, own], signals.fps, signals.options, angles=False)
    each = signals.motion("points").per_landmark
    steps, velocities = each.n_steps[own], each.n_velocities[own]
    if velocities.sum() < FEWEST_VELOCITIES:
        return FEW_VELOCITIES(velocities=int(velocities.sum()), needed=FEWEST_VELOCITIES)
    return _weighted(each.displacement[own], steps), _weighted(each.velocity[own], velocities)


def _weighted(means: NDArray[np.float64], counts: NDArray[np.int64]) -> float:
    """Return the mean of all values behind means of so many each."""
    some = counts > 0
    return float((means[some] * counts[some]).sum() / counts[some].sum())


def _acceleration(signals: Signals, units: Units) -> _Found:
    """Mean length of the second and third derivative of position."""
    found = [
        (part, what, _derivative(part, order, signals))
        for part in MOVING
        for what, order in (("acceleration", 2), ("jerk", 3))
    ]
    return _features_and_reasons(found)


def _features_and_reasons(found: list[tuple[str, str, float | str]]) -> _Found:
    """Return the features of (part, what, value or why there is none), and the reasons.

    A reason that holds for all parts is given once.
    """
    features = {
        f"{part}_{what}": value for part, what, value in found if not isinstance(value, str)
    }
    missing: dict[tuple[str, str], list[str]] = {}
    for part, what, value in found:
        if isinstance(value, str):
            missing.setdefault((what, value), []).append(part)
    return features, [
        OF_PART(part=name, reason=reason)
        for (what, reason), parts in missing.items()
        for name in ([what] if len(parts) == len(MOVING) else [f"{part}_{what}" for part in parts])
    ]


def _derivative(part: str, order: int, signals: Signals) -> float | str:
    positions = signals.positions(part)
    if isinstance(positions, str):
        return positions
    options, angles = signals.options, part in ANGLES
    if options.derivatives == "savgol":
        frames = signals.frames(part)
        assert not isinstance(frames, str)
        rates = savgol_rates(frames, order, fps=signals.fps, angles=angles)
        n_frames = int(np.isfinite(rates).any(axis=1).sum())
        return few_frames(n_frames, signals.fps, options) or float(np.nanmean(rates))
    lengths = differences(positions, order, angles=angles)
    known = np.isfinite(lengths)
    n_known = int(known.any(axis=1).sum())
    if n_known < FEWEST_VELOCITIES:
        few = FEW_VELOCITIES if order == 2 else _FEW_JERKS
        return few(velocities=n_known, jerks=n_known, needed=FEWEST_VELOCITIES)
    return float(lengths[known].mean()) * options.rate**order


def _variability(signals: Signals, units: Units) -> _Found:
    """Spread and range of position, and of the action units' intensities."""
    features: dict[str, float] = {}
    reasons: list[str] = []
    for part in MOVING:
        positions = signals.positions(part)
        if isinstance(positions, str):
            reasons.append(OF_PART(part=f"{part}_variability", reason=positions))
            continue
        least = needed_bins(len(positions), signals.options)
        found = spread(positions, least, angles=part in ANGLES)
        features[f"{part}_variability"], features[f"{part}_range"] = found
    if units.missing:
        return features, [*reasons, OF_PART(part="au_variability", reason=units.missing)]
    frames = len(units.intensity)
    least = needed_bins(frames, signals.options)
    each = [spread(column[:, np.newaxis, np.newaxis], least) for column in units.intensity.T]
    known = np.array([pair for pair in each if np.isfinite(pair[0])])
    if not len(known):
        few = _FEW_KNOWN(needed=least, frames=frames)
        return features, [*reasons, OF_PART(part="au_variability", reason=few)]
    features["au_variability"], features["au_range"] = known.mean(axis=0).tolist()
    return features, reasons


def _asymmetry(signals: Signals, units: Units) -> _Found:
    """How much more the person's left side moves than the right."""
    positions = signals.positions("points")
    scheme = positions if isinstance(positions, str) else scheme_of(positions, signals.scheme)
    if isinstance(positions, str) or isinstance(scheme, str):
        return {}, [OF_PART(part="asymmetry", reason=str(scheme))]
    if signals.options.derivatives == "savgol":
        frames = signals.frames("points")
        assert not isinstance(frames, str)
        lengths = savgol_rates(frames, 1, fps=signals.fps, angles=False)
    else:
        lengths = differences(positions, 1)
    features: dict[str, float] = {}
    reasons: list[str] = []
    for part in ("points", *REGIONS):
        own = range(scheme.n_points) if part == "points" else scheme.regions.get(part, ())
        pairs = np.array([pair for pair in scheme.mirrored if pair[0] in own])
        reason = _few_pairs(pairs, positions, scheme, signals)
        value = float("nan") if reason else asymmetry(lengths, pairs)
        if np.isfinite(value):
            features[f"{part}_asymmetry"] = value
        else:
            reasons.append(OF_PART(part=f"{part}_asymmetry", reason=reason or _AT_REST))
    return features, reasons


def _few_pairs(
    pairs: NDArray[np.int64],
    positions: NDArray[np.float64],
    scheme: LandmarkScheme,
    signals: Signals,
) -> str:
    """Return why pairs of landmarks tell nothing, or ""."""
    if not len(pairs):
        return _NO_REGION(scheme=scheme.name)
    known = known_points(positions)
    both = known[:, pairs[:, 0]] & known[:, pairs[:, 1]]
    return too_few(np.logical_or.reduce(both, axis=1), signals.options)


def _dynamics(signals: Signals, units: Units) -> _Found:
    return unit_dynamics(units, signals.fps, tuple(signals.options.action_units))


def _entropy(signals: Signals, units: Units) -> _Found:
    """How regular the way from bin to bin is, averaged over the landmarks."""
    found: list[tuple[str, str, float | str]] = []
    for part in MOVING:
        positions = signals.positions(part)
        if not isinstance(positions, str):
            positions = point_mean(differences(positions, 1, angles=part in ANGLES))
        found += [
            (part, what, _regularity(positions, compute, length, needed))
            for what, compute, length, needed in _ENTROPIES
        ]
    return _features_and_reasons(found)


def point_mean(lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the points that are known, (rows, points) to (rows,); NaN if none is."""
    known = np.isfinite(lengths)
    count = known.sum(axis=1)
    sums = np.sum(lengths, axis=1, where=known)
    return np.where(count > 0, sums / np.maximum(count, 1), np.nan)


def _regularity(
    series: NDArray[np.float64] | str,
    compute: Callable[[NDArray[np.float64]], float],
    length: int,
    needed: int,
) -> float | str:
    if isinstance(series, str):
        return series
    found = int(whole_stretches(series, length).sum())
    if found < needed:
        return _FEW_STRETCHES(found=found, length=length, needed=needed)
    known = series[np.isfinite(series)]
    if np.ptp(known) <= _NEGLIGIBLE * np.abs(known).max():
        return _CONSTANT
    value = compute(series)
    return value if np.isfinite(value) else _NONE_ALIKE


def _expression_means(signals: Signals, units: Units) -> _Found:
    own, wanted, needed = _expressions(signals)
    found, reasons = expression_means(own, wanted, needed)
    return found, [OF_PART(part="expression_means", reason=reason) for reason in reasons]


def _expression_variability(signals: Signals, units: Units) -> _Found:
    own, wanted, needed = _expressions(signals)
    found, reasons = expression_spread(own, wanted, needed)
    return found, [OF_PART(part="expression_variability", reason=reason) for reason in reasons]


def _expression_dynamics(signals: Signals, units: Units) -> _Found:
    own, wanted, _ = _expressions(signals)
    options = signals.options
    found, reasons = expression_speeds(own, wanted, signals.grid, options.bins, options.rate)
    return found, [OF_PART(part="expression_dynamics", reason=reason) for reason in reasons]


def _expressions(signals: Signals) -> tuple[Expressions, tuple[str, ...], int]:
    """Return the signals of expression, the names that are wanted, and the fewest frames."""
    wanted = tuple(signals.options.expressions)
    own = signals.expressions or Expressions((), np.zeros((0, 0)))
    return own, wanted, needed_bins(len(own.values), signals.options)


# Steps that differ by rounding alone have no order of their own.
_NEGLIGIBLE: Final = 1e-9
_CONSTANT: Final[Message] = Template("constant_movement", "the movement never changes")()
_ENTROPIES = (
    ("sample_entropy", sample_entropy, SAMPLE_LENGTH + 1, FEWEST_STRETCHES),
    ("permutation_entropy", permutation_entropy, PERMUTATION_ORDER, FEWEST_ORDERS),
)
_FAMILIES: dict[Family, Callable[[Signals, Units], _Found]] = {
    "regions": _regions,
    "acceleration": _acceleration,
    "variability": _variability,
    "asymmetry": _asymmetry,
    "au_dynamics": _dynamics,
    "entropy": _entropy,
    "expression_means": _expression_means,
    "expression_variability": _expression_variability,
    "expression_dynamics": _expression_dynamics,
}
