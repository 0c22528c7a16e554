"""The frames of one recording as one array, parsed once: kept as a memory-mapped file.

The array has a column per requested column of the recording, as float32, and two more,
"present" and "valid", 0 or 1. A file beside it holds what is no array. Both are
named by a hash of the recording's content and of how it is read.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.contents import FileState, hashed_file
from pyexpr.base.errors import DataError, OpenFaceError, near_names
from pyexpr.base.files import whole_file, write_text
from pyexpr.base.messages import say
from pyexpr.behavior.features.options import SIGNAL_PREFIXES
from pyexpr.behavior.openface.csv import read_header
from pyexpr.behavior.openface.layout import (
    GROUPS,
    OPENFACE,
    Header,
    expected_columns,
    group_unit,
)
from pyexpr.behavior.openface.options import Place
from pyexpr.behavior.openface.recording import OpenFaceRecording, found_groups, read_openface
from pyexpr.behavior.openface.sessions import joined_sha256, session_files
from pyexpr.behavior.tracks.groups import ALL_GROUPS, OTHER_GROUPS, Group
from pyexpr.behavior.tracks.layout import layout_named, shipped
from pyexpr.behavior.tracks.reading import header_groups, read_some, some_groups
from pyexpr.behavior.tracks.recognition import AUTO

#: Names for what goes together -> the reader's groups. Of another tracker's table a set is what
#: of it the layout has.
COLUMN_SETS: Final = {
    "points": ("landmarks_2d", "landmarks_3d", "eye_landmarks_2d", "eye_landmarks_3d"),
    "points_2d": ("landmarks_2d",),
    "points_3d": ("landmarks_3d",),
    "eyes": ("eye_landmarks_2d", "eye_landmarks_3d"),
    "gaze": ("gaze_vector", "gaze_angle"),
    "pose": ("pose_translation", "pose_rotation"),
    "aus": ("au_presence", "au_intensity"),
    "parameters": ("params", "shape"),
    "expressions": ("au_presence", "au_intensity", *OTHER_GROUPS),
    "all": (*GROUPS, *OTHER_GROUPS),
}
# Counted up when the arrays change their meaning.
_FORMAT: Final = 2


@dataclass(frozen=True, slots=True)
class Reading:
    """How recordings are read; as in `read_openface`, and `layout` as in `read_tracks`.

    Of `groups` those that are `named` must be in the recording, and where OpenFace wrote it all
    that OpenFace has.
    """

    groups: tuple[str, ...]
    fps: float | None = None
    min_confidence: float | None = None
    face: Place | int = "largest"
    layout: str | None = None
    named: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of one recording.

    Attributes
    ----------
    path : str
    fps : float
        Frames per second.
    names : tuple of str
        Of the columns, in OpenFace's manner.
    values : (n_frames, p) float32
        NaN where a frame is missing or not valid; it may be memory-mapped.
    present, valid : (n_frames,) bool
        As in `OpenFaceRecording`.
    file : Path or None
        Where the array is kept.
    """

    path: str
    fps: float
    names: tuple[str, ...]
    values: NDArray[np.float32]
    present: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    file: Path | None = None


def wanted_groups(columns: str | Sequence[str]) -> tuple[str, ...]:
    """Return the reader's groups that `columns` names, in the reader's order.

    Parameters
    ----------
    columns : str or sequence of str
        Keys of `COLUMN_SETS`, or the reader's own names of groups.

    Raises
    ------
    DataError
        For an unknown name; the message has those like it.
    """
    names = _named(columns)
    if not names:
        raise DataError(say("{columns=} must name at least one group, such as 'points'"))
    found: set[str] = set()
    for name in names:
        if name not in COLUMN_SETS and name not in ALL_GROUPS:
            raise DataError(
                say(
                    "{columns=} has no {name!r}; {hint}",
                    name=name,
                    hint=near_names(name, (*COLUMN_SETS, *ALL_GROUPS)),
                )
            )
        found.update(COLUMN_SETS.get(name, (name,)))
    return tuple(group for group in ALL_GROUPS if group in found)


def named_groups(columns: str | Sequence[str]) -> tuple[str, ...]:
    """Return the groups that `columns` names by their own names, not as parts of a set."""
    return tuple(name for name in _named(columns) if name not in COLUMN_SETS)


def _named(columns: str | Sequence[str]) -> list[str]:
    return [columns] if isinstance(columns, str) else list(columns)


def read_frames(path: str, reading: Reading, cache_dir: Path | str | None = None) -> Frames:
    """Return the frames of a recording, from `cache_dir` if it was read before.

    Raises
    ------
    OpenFaceError
        As `read_openface`.
    OutputError
        If `cache_dir` cannot be written.
    """
    if cache_dir is None or (reading.layout is not None and os.path.isdir(path)):
        # A folder of files, as OpenPose writes them, has no content of its own.
        array, facts = _parsed(path, reading)
        return _frames(path, array, facts)
    content = _content_hash(path, _state(path))
    stem = Path(cache_dir) / _key(content, reading)
    array_file, facts_file = (stem.with_suffix(suffix) for suffix in (".npy", ".json"))
    kept = _kept(path, array_file, facts_file)
    if kept is None:
        array, facts = _parsed(path, reading, content)
        # The array last: where it is, the facts are.
        write_text(facts_file, json.dumps(facts) + "\n")
        with whole_file(array_file) as temporary, temporary.open("wb") as handle:
            np.save(handle, array)
        kept = _kept(path, array_file, facts_file)
    return kept if kept is not None else _frames(path, *_parsed(path, reading, content))


def _kept(path: str, array_file: Path, facts_file: Path) -> Frames | None:
    """Return what was kept, or None: absent or damaged."""
    try:
        array = np.load(array_file, mmap_mode="r", allow_pickle=False)
        facts = json.loads(facts_file.read_text(encoding="utf-8"))
        whole = array.ndim == 2 and array.shape[1] == len(facts["names"]) + 2
        return _frames(path, array, facts, array_file) if whole else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _frames(
    path: str, array: NDArray[np.float32], facts: dict[str, Any], file: Path | None = None
) -> Frames:
    p = len(facts["names"])
    return Frames(
        path=path,
        fps=float(facts["fps"]),
        names=tuple(facts["names"]),
        values=array[:, :p],
        present=array[:, p] == 1,
        valid=array[:, p + 1] == 1,
        file=file,
    )


def mapped_rows(file: Path, rows: slice | NDArray[np.int64]) -> NDArray[np.float32]:
    """Return rows of a kept array without its two marks, read now; no file stays open."""
    array = np.load(file, mmap_mode="r", allow_pickle=False)
    found: NDArray[np.float32] = np.array(array[rows, :-2])
    return found


def _parsed(
    path: str, reading: Reading, expected: str | None = None
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Parse a recording; `OpenFaceError` if the SHA-256 of what was read is not `expected`."""
    recording = _recording(path, reading)
    if expected is not None and recording.sha256 != expected:
        # It would be kept under the name of another content.
        raise OpenFaceError(
            f"{path!r}: the file was changed while it was read; read it again when nothing writes "
            "to it"
        )
    groups = [group for group in reading.groups if group in recording.groups]
    names = [name for group in groups for name in _names(recording, group)]
    flat = [recording.groups[group].reshape(recording.n_frames, -1) for group in groups]
    marks = [recording.present[:, np.newaxis], recording.valid[:, np.newaxis]]
    array = np.hstack([*flat, *marks]).astype(np.float32)
    if array.shape[1] != len(names) + 2:
        raise OpenFaceError(f"{path!r}: its columns do not match their names; export it again")
    # Points in space that are those of the image with a depth have x and y once.
    once = [names.index(name) == at for at, name in enumerate(names)]
    if not all(once):
        array = np.ascontiguousarray(array[:, [*once, True, True]])
        names = list(dict.fromkeys(names))
    return array, {"names": names, "fps": recording.fps}


def _recording(path: str, reading: Reading) -> OpenFaceRecording:
    options: dict[str, Any] = {
        "fps": reading.fps, "min_confidence": reading.min_confidence, "face": reading.face,
    }  # fmt: skip
    if reading.layout is None or reading.layout == OPENFACE:
        return read_openface(path, groups=_of_openface(reading), **options)
    return read_some(
        path,
        reading.layout,
        groups=reading.groups,
        needed=reading.named,
        of_openface=_of_openface(reading),
        **options,
    )


def _of_openface(reading: Reading) -> tuple[str, ...]:
    """Return the groups that OpenFace's recordings must have."""
    return tuple(name for name in reading.groups if name in GROUPS or name in reading.named)


def frame_columns(path: str, reading: Reading) -> tuple[str, ...] | None:
    """Return the names of the columns that `read_frames` would give, by the header alone.

    None if the header cannot be used: reading the file says why.

    Raises
    ------
    OpenFaceError
        If the file lacks a group.
    """
    try:
        header = _header(path, reading.layout)
    except OpenFaceError:
        return None
    if isinstance(header, Header):
        there, _ = found_groups(header, _of_openface(reading), "error")
        named = [
            (one, header.unit_names(one), header.group_shape(one), group_unit(one)) for one in there
        ]
    else:
        layout, known = header
        there = some_groups(path, layout, known, reading.groups, reading.named)
        named = [(one, known[one].labels, known[one].shape, known[one].unit) for one in there]
    return tuple(dict.fromkeys(name for one in named for name in _column_names(*one)))


def _header(path: str, layout: str | None) -> Header | tuple[str, dict[str, Group]]:
    """Return OpenFace's header, or the layout of another tracker's and its groups."""
    found = None if layout in (None, OPENFACE) else header_groups(path, str(layout))
    return read_header(path) if found is None else found


def _names(recording: OpenFaceRecording, group: str) -> list[str]:
    labels = {
        "au_presence": recording.au_presence_names,
        "au_intensity": recording.au_intensity_names,
    }.get(group, recording.names.get(group, ()))
    return _column_names(group, labels, recording.groups[group].shape[1:], recording.unit(group))


def _column_names(
    group: str, labels: Sequence[str], shape: tuple[int, ...], unit: str
) -> list[str]:
    """Return what the columns of a group are called."""
    if group in ("au_presence", "au_intensity"):
        ending = "c" if group == "au_presence" else "r"
        return [f"{label}_{ending}" for label in labels]
    if group in SIGNAL_PREFIXES:
        return [f"{SIGNAL_PREFIXES[group]}{label}" for label in labels]
    if group in ("landmarks_2d", "landmarks_3d"):
        # OpenFace's are in small letters in the image, in capitals in mm.
        axes = "XYZ" if unit == "mm" else "xyz"
        n_points, n_axes = shape
        return [f"{axis}_{point}" for point in range(n_points) for axis in axes[:n_axes]]
    return list(expected_columns(group))


def _state(path: str) -> tuple[FileState, ...]:
    try:
        return tuple(FileState.of(os.stat(file)) for file in session_files(path))
    except OSError:
        raise OpenFaceError(f"{path!r}: there is no such file; check the path") from None


def _key(content: str, reading: Reading) -> str:
    how: list[Any] = [
        _FORMAT, reading.groups, reading.fps, reading.min_confidence, reading.face,
    ]  # fmt: skip
    if reading.layout is not None:
        # What a layout says may change, under its own name, too.
        auto = reading.layout == AUTO
        layouts = shipped().values() if auto else [layout_named(reading.layout)]
        how += [reading.layout, [one.model_dump(mode="json") for one in layouts]]
    text = json.dumps([content, *how], default=float)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@lru_cache(maxsize=65536)
def _content_hash(path: str, state: tuple[FileState, ...]) -> str:
    """Hash a recording's files, once while their states do not change."""
    return joined_sha256([hashed_file(file).sha256 for file in session_files(path)])
