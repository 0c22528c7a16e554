"""Names and groups of OpenFace's columns, and the header line that holds them.

Columns are known by name alone: their order and number differ from version to
version, and 248 names differ from another only in case (``x_0`` in pixels,
``X_0`` in millimetres), so case is never folded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from pyexpr.base.errors import OpenFaceError, listed, near_names
from pyexpr.base.messages import say

#: What the layout of OpenFace's recordings is called, beside those of other trackers.
OPENFACE: Final = "openface"
TIME_COLUMNS: Final = ("frame", "timestamp")
ROW_COLUMNS: Final = ("frame", "face_id", "timestamp", "confidence", "success")

# One table row per group: its unit and the columns, point by point (x, y, x, y, ...),
# which is the order in memory of an array (frames, points, axes).
_AXES: Final = {
    "landmarks_2d": ("px", 68, ("x_{}", "y_{}")),
    "landmarks_3d": ("mm", 68, ("X_{}", "Y_{}", "Z_{}")),
    "eye_landmarks_2d": ("px", 56, ("eye_lmk_x_{}", "eye_lmk_y_{}")),
    "eye_landmarks_3d": ("mm", 56, ("eye_lmk_X_{}", "eye_lmk_Y_{}", "eye_lmk_Z_{}")),
}
_PLAIN: Final = {
    "pose_translation": ("mm", ("pose_Tx", "pose_Ty", "pose_Tz")),
    "pose_rotation": ("rad", ("pose_Rx", "pose_Ry", "pose_Rz")),
    "gaze_angle": ("rad", ("gaze_angle_x", "gaze_angle_y")),
    "gaze_vector": (
        "unit vectors",
        tuple(f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"),
    ),
    "params": ("model units", ("p_scale", "p_rx", "p_ry", "p_rz", "p_tx", "p_ty")),
    "shape": ("model units", tuple(f"p_{i}" for i in range(34))),
}
_UNITS: Final = {"au_presence": "0/1", "au_intensity": "0-5"}
_AU: Final = {"au_presence": re.compile(r"AU\d+_c"), "au_intensity": re.compile(r"AU\d+_r")}
# The action units that OpenFace 0.x to 2.x know; AU28 has no intensity.
_AU_NUMBERS: Final = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 28, 45)
_AU_NAMES: Final = frozenset(
    f"AU{number:02d}{ending}"
    for number in _AU_NUMBERS
    for ending in ("_c", "_r")
    if (number, ending) != (28, "_r")
)
# Numbered columns of OpenFace, and of trackers with more points.
_NUMBERED: Final = re.compile(r"((?:eye_lmk_)?[xyXYZ]|p)_(\d+)")

GROUPS: Final = (
    "landmarks_2d",
    "landmarks_3d",
    "pose_translation",
    "pose_rotation",
    "gaze_angle",
    "gaze_vector",
    "au_presence",
    "au_intensity",
    "params",
    "eye_landmarks_2d",
    "eye_landmarks_3d",
    "shape",
)

#: What the features are computed from.
FEATURE_GROUPS: Final = (
    "landmarks_2d",
    "pose_translation",
    "pose_rotation",
    "gaze_angle",
    "au_presence",
    "au_intensity",
)


def group_unit(group: str) -> str:
    """Return the unit of a group's values."""
    if group in _AXES:
        return _AXES[group][0]
    return _PLAIN[group][0] if group in _PLAIN else _UNITS[group]


def group_shape(group: str, n_columns: int) -> tuple[int, ...]:
    """Return the shape of one frame of a group that has `n_columns` columns."""
    if group in _AXES:
        return (_AXES[group][1], len(_AXES[group][2]))
    return (n_columns,)


@cache
def expected_columns(group: str) -> tuple[str, ...]:
    """Return the names a group must have, in the order of its array; none for action units.

    Which action units there are is the file's to say.
    """
    if group in _AXES:
        _, points, axes = _AXES[group]
        return tuple(axis.format(point) for point in range(points) for axis in axes)
    return _PLAIN[group][1] if group in _PLAIN else ()


@dataclass(frozen=True, slots=True)
class FaceScale:
    """By what lengths in a face become millimetres.

    Attributes
    ----------
    outer : (int, int) or None
        The landmarks at the outer corners of the eyes; None where there are none.
    groups : frozenset of str
        Groups of landmarks in another unit.
    """

    outer: tuple[int, int] | None
    groups: frozenset[str]


#: The outer corners of the eyes among the 68 landmarks.
OUTER: Final = (36, 45)
#: Among the 68, those that expressions hardly move: bridge of the nose, corners of the eyes.
STABLE: Final = (27, 28, 29, 30, 36, 39, 42, 45)
OPENFACE_SCALE: Final = FaceScale(OUTER, frozenset({"landmarks_2d"}))


@dataclass(frozen=True, slots=True)
class Header:
    """The header line of one file.

    Attributes
    ----------
    path : str
        The file, for messages.
    positions : Mapping of str to int
        Position of each name, blanks and quotes around it removed.
    n_columns : int
    skip_lines : int
        Lines up to and including the header.
    units : Mapping of str to tuple of str
        Columns of the action units by group, in the order of their numbers.
    """

    path: str
    positions: Mapping[str, int]
    n_columns: int
    skip_lines: int
    units: Mapping[str, tuple[str, ...]]

    def __contains__(self, name: str) -> bool:
        return name in self.positions

    def group_columns(self, group: str) -> tuple[str, ...]:
        """Return the columns of a group in the order of its array, () if the file has none.

        Raises
        ------
        OpenFaceError
            If the file has some of the columns, but not all.
        """
        if group in self.units:
            return self.units[group]
        expected = expected_columns(group)
        missing = [name for name in expected if name not in self.positions]
        if not missing:
            return expected
        if len(missing) == len(expected):
            return ()
        raise OpenFaceError(
            f"{self.path!r}: of the {len(expected)} columns of {group} the file lacks "
            f"{listed(missing)}; its header was cut or edited, so export it from OpenFace again"
        )

    def groups(self) -> tuple[str, ...]:
        """Return the groups that the file holds whole."""
        return tuple(group for group in GROUPS if self.group_columns(group))

    def group_shape(self, group: str) -> tuple[int, ...]:
        """Return the shape of one frame of a group."""
        return group_shape(group, len(self.group_columns(group)))

    def unit_names(self, group: str) -> tuple[str, ...]:
        """Return the names of the action units in a group of them."""
        return tuple(name[:-2] for name in self.group_columns(group))

    def own_name(self, name: str) -> str:
        """Return what the file itself calls one of `ROW_COLUMNS`, for messages."""
        return name

    @property
    def tracker(self) -> str:
        """What wrote the file, for messages."""
        return "OpenFace"

    @property
    def scale(self) -> FaceScale:
        """How lengths that are no millimetres become some."""
        return OPENFACE_SCALE


def parse_header(path: str, line: str, *, skip_lines: int) -> Header:
    """Return the header of a file, or raise `OpenFaceError` if it is not OpenFace's."""
    names = [name.strip().strip('"').strip() for name in line.split(",")]
    positions: dict[str, int] = {}
    _refuse_other_trackers(path, names)
    for position, name in enumerate(names):
        if name in positions and is_known(name):
            raise OpenFaceError(
                f"{path!r}: the header names the column {name!r} twice; export the file again"
            )
        positions.setdefault(name, position)
    _check_openface(path, positions)
    units = {
        group: tuple(sorted(filter(pattern.fullmatch, positions), key=lambda name: int(name[2:-2])))
        for group, pattern in _AU.items()
    }
    return Header(path, positions, len(names), skip_lines, units)


_KNOWN: Final = frozenset(
    (*ROW_COLUMNS, *(name for group in (*_AXES, *_PLAIN) for name in expected_columns(group)))
)


def is_known(name: str) -> bool:
    """Return whether a column bears one of OpenFace's names."""
    return name in _KNOWN or any(pattern.fullmatch(name) for pattern in _AU.values())


def _refuse_other_trackers(path: str, names: Sequence[str]) -> None:
    """Raise `OpenFaceError` for names in OpenFace's manner that are not OpenFace's.

    98 points are no 68, and the eight action units that OpenFace 3 gives are numbered from 1
    by programs around it.
    """
    strangers = [
        name
        for name in names
        if (any(pattern.fullmatch(name) for pattern in _AU.values()) and name not in _AU_NAMES)
        or (_NUMBERED.fullmatch(name) and name not in _KNOWN)
    ]
    if strangers:
        raise OpenFaceError(
            say(
                "{path!r}: not a file of OpenFace 0.x to 2.x, which has no columns {names}; the "
                "other columns may therefore have another meaning. {call read_tracks} reads the "
                "files of other trackers, and {layout='auto'} computes their features; both "
                "recognise the tracker by the header",
                path=path,
                names=listed(strangers),
            )
        )


def _check_openface(path: str, positions: Mapping[str, int]) -> None:
    known = [name for name in positions if is_known(name)]
    has_time = any(name in positions for name in TIME_COLUMNS)
    if has_time and any(name not in ROW_COLUMNS for name in known):
        _refuse_bare_points(path, positions, known)
        return
    if not known:
        raise OpenFaceError(
            say(
                "{path!r}: not an OpenFace file: its header lacks {names} and all "
                "landmarks, pose, gaze and action units; its first column is {text!r}",
                path=path,
                names=listed(ROW_COLUMNS),
                text=next(iter(positions))[:60],
            )
        )
    if has_time:
        raise OpenFaceError(
            f"{path!r}: not a usable OpenFace file: beside {listed(known)} it has no landmarks, "
            "pose, gaze or action units; the header may have been cut"
        )
    if "face" in positions:
        raise OpenFaceError(
            f"{path!r}: this is OpenFace's output for single images: it lacks the columns 'frame' "
            "and 'timestamp', so nothing in it moves; run FeatureExtraction on the video instead"
        )
    raise OpenFaceError(
        f"{path!r}: the columns 'frame' and 'timestamp' are missing; "
        f"{near_names('frame', positions)}"
    )


def _refuse_bare_points(path: str, positions: Mapping[str, int], known: Sequence[str]) -> None:
    """Raise `OpenFaceError` where nothing but the names of 68 points speaks for OpenFace.

    Many trackers give 68 points x_0 to y_67, some in shares of the image.
    """
    points = {*expected_columns("landmarks_2d"), *expected_columns("landmarks_3d")}
    if "confidence" in positions or "success" in positions:
        return
    if all(name in points or name in TIME_COLUMNS or name == "face_id" for name in known):
        raise OpenFaceError(
            f"{path!r}: its header does not show that OpenFace wrote it: it has points but "
            "none of OpenFace's other columns (confidence, success, pose_Tx, gaze_angle_x, "
            "AU01_r and others), and other trackers use the same names for points; export it "
            "from OpenFace with 'confidence' and 'success'"
        )


def layout_name(header: Header) -> str:
    """Return which generation of OpenFace writes such a header, as far as it can be determined."""
    if "face_id" in header or "eye_lmk_x_0" in header:
        return "OpenFace 2"
    return "OpenFace 1 or 2" if "gaze_angle_x" in header else "OpenFace 0 or 1, or a part of 2"
