"""Recordings that cannot be compared: other action units, or images of another size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.errors import DataError, OpenFaceError, listed
from pyexpr.base.messages import Template, say
from pyexpr.behavior.features.manifest import refuse_remote_headers
from pyexpr.behavior.openface.csv import read_header
from pyexpr.behavior.openface.layout import OPENFACE, Header
from pyexpr.behavior.openface.middles import middles
from pyexpr.behavior.openface.quantiles import quantiles
from pyexpr.behavior.openface.recording import OpenFaceRecording
from pyexpr.behavior.tracks.reading import unit_names

OnMixed = Literal["error", "common", "keep"]
_ENDINGS: Final = {"au_presence": "_c", "au_intensity": "_r"}
UNIT_GROUPS: Final = tuple(_ENDINGS)

# Sizes are estimated to 1 or 2 %; the usual resolutions differ by a quarter at least.
_ANOTHER_SIZE: Final = 0.1
# OpenFace takes its camera for one that sees 640 x 480 with a focal length of 500 px, the mean of
# both sides' where an image has another shape.
_FOCAL: Final = (500 / 640, 500 / 480)

# The outer corners of the eyes, about 90 mm apart; what turned heads and narrow faces allow.
_OUTER: Final = (36, 45)
_OUTER_MM: Final = 90.0
_CAMERA: Final = (0.7, 1.4)

_OTHER_UNITS = Template(
    "other_action_units",
    "action units that differ from those of {first:label}: {how}; kept as they are",
)
_OTHER_SIZE = Template(
    "other_image_size",
    "images of about {width:.0f} x {height:.0f} px, those of {first:label} of {first_width:.0f} x "
    "{first_height:.0f}: pixels are not comparable",
)
_OTHER_POINTS = Template(
    "other_landmarks",
    "{points} landmarks in {unit} ({layout}), those of {first:label} are {first_points} in "
    "{first_unit} ({first_layout}): their movement is not comparable",
)
_OTHER_UNIT = Template(
    "other_unit_of_signal",
    "{name:label} is in the unit {unit}, that of {first:label} in {first_unit}: not comparable",
)
_COMMON = Template(
    "common_action_units", "action units that are missing in other recordings are left out: {names}"
)


def image_size(recording: OpenFaceRecording) -> tuple[float, float]:
    """Return width and height (px) of a recording's images, as its own geometry implies them.

    OpenFace projects a point (X, Y, Z) to ``x = f X / Z + width / 2`` and ``y = f Y / Z +
    height / 2`` with ``f`` from width and height by its default camera. The middle of the 68
    landmarks is the projection of the head's position, so each frame gives two equations for
    the two; the medians over the frames are returned. NaN without landmarks or position, and
    where frames disagree or the face is not as large as it would be (the outer corners of
    the eyes 90 mm apart): OpenFace was then given the parameters of another camera. Of seven real
    recordings the sizes found were within 0.5 % of whole resolutions.

    References
    ----------
    Baltrusaitis, T., et al. (2018). OpenFace 2.0: facial behavior analysis toolkit. FG 2018.
    https://doi.org/10.1109/FG.2018.00019
    """
    unknown = (float("nan"), float("nan"))
    if recording.layout != OPENFACE:
        # Another tracker has another camera; but its layout may tell the size.
        return (
            (recording.image_size[0], recording.image_size[1]) if recording.image_size else unknown
        )
    if not {"landmarks_2d", "pose_translation"} <= set(recording.groups):
        return unknown
    middle = middles(recording.groups["landmarks_2d"])
    place = recording.groups["pose_translation"]
    known = np.isfinite(middle).all(axis=1) & (place[:, 2] > 0)
    if not known.any():
        return unknown
    halves = _half_sizes(place[known], middle[known])
    if not halves.shape[1]:
        return unknown
    # Of the width, and of the height.
    spread = [[2 * one for one in quantiles(half, (0.1, 0.5, 0.9))] for half in halves]
    width, height = (middle for _, middle, _ in spread)
    focal = (width * _FOCAL[0] + height * _FOCAL[1]) / 2
    left, right = (recording.groups["landmarks_2d"][known, corner] for corner in _OUTER)
    apart = np.hypot(*(left - right).T) * place[known, 2] / _OUTER_MM
    agree = all(high - low <= _ANOTHER_SIZE * middle for low, middle, high in spread)
    if not agree or not _CAMERA[0] <= quantiles(apart, (0.5,))[0] / focal <= _CAMERA[1]:
        return unknown
    return width, height


def _half_sizes(place: NDArray[np.float64], middle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return half a width and half a height by each frame that tells them, (2, frames)."""
    # The focal length is the mean of both sides' shares: two equations for each frame.
    x, y = (place[:, :2] / place[:, 2:]).T
    by_width, by_height = _FOCAL
    first, second = (1 + x * by_width, x * by_height), (y * by_width, 1 + y * by_height)
    determinant = first[0] * second[1] - first[1] * second[0]
    regular = np.abs(determinant) > _ANOTHER_SIZE
    u, v = middle.T
    found = np.stack([second[1] * u - first[1] * v, first[0] * v - second[0] * u])
    halves: NDArray[np.float64] = found[:, regular] / determinant[regular]
    return halves


@dataclass(frozen=True, slots=True)
class Kind:
    """What of a recording must be alike in all that are compared.

    Attributes
    ----------
    path : str
    units : tuple of tuple of str
        Action units of `UNIT_GROUPS`.
    size : (float, float)
        Of the images; NaN where pixels play no part, or it is not known.
    points : (str, int, str)
        The layout, and number and unit of the landmarks; ("", 0, "") where not known.
    """

    path: str
    units: tuple[tuple[str, ...], ...]
    size: tuple[float, float]
    points: tuple[str, int, str] = ("", 0, "")

    @classmethod
    def of(cls, recording: OpenFaceRecording, size: tuple[float, float], landmarks: str) -> Kind:
        """Return the kind of a recording.

        `size` is that of its images where features need it, `landmarks` the group that they
        are computed from.
        """
        units = (recording.au_presence_names, recording.au_intensity_names)
        return cls(recording.path, units, size, _points(recording, landmarks))

    @classmethod
    def of_table(cls, path: str, layout: str) -> Kind:
        """Return as much of the kind as the header of another tracker's table says."""
        return cls(path, unit_names(path, layout), (float("nan"), float("nan")))

    @classmethod
    def of_header(cls, header: Header) -> Kind:
        """Return as much of the kind as a file's header says."""
        presence, intensity = (
            tuple(name[:-2] for name in header.group_columns(group)) for group in UNIT_GROUPS
        )
        return cls(header.path, (presence, intensity), (float("nan"), float("nan")))


def _points(recording: OpenFaceRecording, group: str) -> tuple[str, int, str]:
    """Return of which layout the landmarks are, how many, and in which unit."""
    if group not in recording.groups:
        return ("", 0, "")
    return recording.layout, recording.groups[group].shape[1], recording.unit(group)


def differences(first: Kind, other: Kind, on_mixed: OnMixed) -> list[str]:
    """Return the notes on a recording of another kind than the first.

    Raises
    ------
    DataError
        If it may not be: with ``"error"``, and with ``"common"`` for pixels, which have
        nothing in common.
    """
    notes: list[str] = []
    for own, others in zip(other.units, first.units, strict=True):
        # Where a file has none at all, the features say so.
        if own and others and set(own) != set(others):
            how = _how(own, others)
            if on_mixed == "error":
                raise DataError(
                    say(
                        "{path:label} has other action units than {first:label}: it {how}, so "
                        "counts and intensities of both cannot be compared; "
                        "{on_mixed='common'} uses those that all recordings have, "
                        "{on_mixed='keep'} keeps them as they are",
                        path=other.path,
                        first=first.path,
                        how=how,
                    )
                )
            notes.append(_OTHER_UNITS(first=first.path, how=how))
    if first.points[0] and other.points[0] and first.points != other.points:
        if on_mixed != "keep":
            raise DataError(
                say(
                    "{path:label} has {points} landmarks in {unit} ({layout}), {first:label} has "
                    "{first_points} in {first_unit} ({first_layout}), so their movement cannot be "
                    "compared; {on_mixed='keep'} takes them as they are",
                    path=other.path,
                    first=first.path,
                    **_fields_of_points(other.points, ""),
                    **_fields_of_points(first.points, "first_"),
                )
            )
        notes.append(
            _OTHER_POINTS(
                first=first.path,
                **_fields_of_points(other.points, ""),
                **_fields_of_points(first.points, "first_"),
            )
        )
    ratio = np.sqrt(np.prod(other.size) / np.prod(first.size))
    if np.isfinite(ratio) and abs(np.log(ratio)) > _ANOTHER_SIZE:
        sizes: dict[str, Any] = {
            "width": other.size[0],
            "height": other.size[1],
            "first_width": first.size[0],
            "first_height": first.size[1],
        }
        if on_mixed != "keep":
            raise DataError(
                say(
                    "{path:label} has images of about {width:.0f} x {height:.0f} px, {first:label} "
                    "of {first_width:.0f} x {first_height:.0f}, so movement in pixels cannot be "
                    "compared; {landmarks='normalised'} or {landmarks='3d'} measure in units of "
                    "the face or in mm, {on_mixed='keep'} takes pixels as they are",
                    path=other.path,
                    first=first.path,
                    **sizes,
                )
            )
        notes.append(_OTHER_SIZE(first=first.path, **sizes))
    return notes


def unit_differences(
    known: dict[str, tuple[str, str]], path: str, units: Mapping[str, str], on_mixed: OnMixed
) -> list[str]:
    """Return what is to be said of signals in other units than in the recordings before.

    Parameters
    ----------
    known : dict of str to (unit, path)
        The unit of each signal and the first recording that has it; this one's are added.
    path : str
    units : mapping of str to str
        Of the signals of this recording, such as intensities of action units.

    Raises
    ------
    DataError
        If there are any, unless `on_mixed` is ``"keep"``.
    """
    notes: list[str] = []
    for name, unit in units.items():
        first_unit, first = known.setdefault(name, (unit, path))
        if unit == first_unit:
            continue
        if on_mixed != "keep":
            raise DataError(
                say(
                    "{path:label} has {name:label} in the unit {unit!r}, {first:label} in "
                    "{first_unit!r}, so they cannot be compared; {on_mixed='keep'} takes them as "
                    "they are",
                    path=path,
                    name=name,
                    unit=unit,
                    first=first,
                    first_unit=first_unit,
                )
            )
        notes.append(_OTHER_UNIT(name=name, unit=unit, first=first, first_unit=first_unit))
    return notes


def _fields_of_points(points: tuple[str, int, str], prefix: str) -> dict[str, Any]:
    layout, number, unit = points
    return {f"{prefix}layout": layout, f"{prefix}points": number, f"{prefix}unit": unit}


def _how(own: Sequence[str], others: Sequence[str]) -> str:
    parts = [
        f"{word} {listed(names)}"
        for word, names in (
            ("lacks", [name for name in others if name not in own]),
            ("has besides", [name for name in own if name not in others]),
        )
        if names
    ]
    return " and ".join(parts)


def common_units(files: Iterable[tuple[str, str | None]]) -> dict[str, tuple[str, ...]]:
    """Return the action units that all of the files have which have any, by group.

    Files come with their layouts, None for OpenFace's. A file that cannot be read is passed
    over: reading it says why.
    """
    found: dict[str, tuple[str, ...]] = {}
    files = list(dict.fromkeys(files))
    refuse_remote_headers(files)
    for path, layout in files:
        try:
            of_file = (
                unit_names(path, layout)
                if layout is not None
                else Kind.of_header(read_header(path)).units
            )
        except OpenFaceError:
            continue
        for group, names in zip(UNIT_GROUPS, of_file, strict=True):
            if names:
                earlier = found.get(group, names)
                found[group] = tuple(name for name in earlier if name in names)
    return found


def with_units(
    recording: OpenFaceRecording, common: dict[str, tuple[str, ...]]
) -> OpenFaceRecording:
    """Return a recording with the common action units alone, which its notes say."""
    groups = dict(recording.groups)
    names = {
        "au_presence": recording.au_presence_names,
        "au_intensity": recording.au_intensity_names,
    }
    left_out: list[str] = []
    for group, own in names.items():
        wanted = common.get(group, own)
        if group in groups and set(own) != set(wanted):
            groups[group] = np.ascontiguousarray(groups[group][:, [own.index(n) for n in wanted]])
            left_out += [f"{name}{_ENDINGS[group]}" for name in own if name not in wanted]
            names[group] = wanted
    if not left_out:
        return recording
    own_names = {name: names[name] for name in names if name in recording.names}
    return replace(
        recording,
        groups=groups,
        names={**recording.names, **own_names},
        au_presence_names=names["au_presence"],
        au_intensity_names=names["au_intensity"],
        log=replace(recording.log, notes=(*recording.log.notes, _COMMON(names=listed(left_out)))),
    )


def distinct(kinds: Iterable[Kind]) -> tuple[Kind, ...]:
    """Return as many of the kinds as tell whether a recording differs from any of them.

    The first, and of those with the same action units and landmarks the first and those with the
    smallest and the largest images.
    """
    groups: dict[Any, list[Kind]] = {}
    for kind in kinds:
        groups.setdefault((kind.units, kind.points), []).append(kind)
    found: list[Kind] = []
    for alike in groups.values():
        sized = sorted(
            (k for k in alike if np.isfinite(k.size).all()), key=lambda k: np.prod(k.size)
        )
        found += dict.fromkeys([alike[0], *sized[:1], *sized[-1:]])
    return tuple(found)
