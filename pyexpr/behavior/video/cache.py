"""Decoded clips on disk: one file per recording and options, written whole or not at all.

A file holds three arrays in NumPy's format, one after the other: (start, end) of
each clip, the numbers of its frames, and the pixels, which are memory-mapped.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.contents import FileState
from pyexpr.base.files import whole_file

_FORMAT = 3


@dataclass(frozen=True, slots=True, eq=False)
class StoredClips:
    """The clips of one recording.

    Attributes
    ----------
    spans : (n, 2) float64
        Start and end of each requested clip in seconds.
    numbers : (n, frames) int64
        The video's frame behind each sample, -1 where it is black.
    pixels : (n, frames, size, size, 3) uint8
    """

    spans: NDArray[np.float64]
    numbers: NDArray[np.int64]
    pixels: NDArray[np.uint8]
    _rows: dict[tuple[float, float], int] = field(init=False)

    def __post_init__(self) -> None:
        rows = {(float(start), float(end)): row for row, (start, end) in enumerate(self.spans)}
        object.__setattr__(self, "_rows", rows)

    def row(self, span: tuple[float, float]) -> int | None:
        """Return where a clip lies, None if it is not here."""
        return self._rows.get(span)


def cache_file(
    folder: Path,
    video: str,
    openface: str | None,
    options: dict[str, Any],
    states: Sequence[FileState | None],
) -> Path:
    """Return where the clips of a recording lie: another name if file or options are others.

    `states` are `state_of` the video and, where there are landmarks, of their file.
    """
    parts = {"format": _FORMAT, "video": _identity(video, states[0]), "options": options}
    if openface is not None:
        parts["openface"] = _identity(openface, states[1])
    key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return folder / f"{Path(video).stem}-{key[:16]}.clips"


def state_of(path: str) -> FileState | None:
    """Return the state of a file, None if it is not there."""
    try:
        return FileState.of(os.stat(path))
    except OSError:
        return None


def _identity(path: str, state: FileState | None) -> list[Any]:
    """Return what changes when a file does; hashing gigabytes of video would take minutes.

    Among it is the time of the last change of status: a copy can keep size and time of
    modification of what it replaces, but not that.
    """
    if state is None:
        return [os.path.abspath(path)]
    # Not the device: network drives are mounted under other numbers.
    return [os.path.abspath(path), *astuple(state)[1:]]


def save_clips(path: Path, clips: StoredClips) -> None:
    """Write the clips of a recording."""
    with whole_file(path) as temporary, temporary.open("wb") as handle:
        for array in (clips.spans, clips.numbers, clips.pixels):
            np.lib.format.write_array(handle, np.ascontiguousarray(array), allow_pickle=False)


def load_clips(path: Path) -> StoredClips | None:
    """Return the clips of a recording, the pixels mapped; None if absent or damaged."""
    try:
        with path.open("rb") as handle:
            spans, numbers = (
                np.lib.format.read_array(handle, allow_pickle=False) for _ in range(2)
            )
            np.lib.format.read_magic(handle)
            shape, _, kind = np.lib.format.read_array_header_1_0(handle)
            pixels = np.memmap(handle, dtype=kind, mode="r", offset=handle.tell(), shape=shape)
    except (OSError, ValueError, EOFError):
        return None
    if len(spans) != len(pixels) or numbers.shape != pixels.shape[:2]:
        return None
    return StoredClips(spans, numbers, pixels)


@lru_cache(maxsize=4096)
def mapped(path: str, modified: int) -> StoredClips | None:
    """Return `load_clips` of a file, kept open; `modified` tells an older version of it apart."""
    return load_clips(Path(path))
