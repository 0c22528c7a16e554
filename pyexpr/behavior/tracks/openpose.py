"""A folder of OpenPose's JSON files, one a frame, as one table."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pyexpr.base.errors import TracksError

if TYPE_CHECKING:
    import pandas as pd

_FILE: Final = re.compile(r".*_(\d+)_keypoints\.json")
_PARTS: Final = {"pose": "pose_keypoints_2d", "face": "face_keypoints_2d"}


def keypoint_frame(folder: Path) -> pd.DataFrame:
    """Return a row per person and frame: frame, person, pose_x0, pose_y0, pose_c0, and so on.

    Points of the face are face_x0, face_y0, face_c0, and so on. A frame in which nobody was
    found has a row without numbers. People are numbered by their place in the file of a
    frame, as OpenPose follows nobody.

    Raises
    ------
    TracksError
        If the folder has no such files, or one cannot be read.
    """
    import pandas as pd

    files = sorted(
        (int(found[1]), path)
        for path in folder.iterdir()
        if (found := _FILE.fullmatch(path.name)) is not None
    )
    if not files:
        raise TracksError(
            f"{str(folder)!r}: the folder has no files of OpenPose "
            "(..._000000000000_keypoints.json); give the table of another tracker by its own path"
        )
    rows: list[dict[str, Any]] = []
    widths: dict[str, int] = {}
    for frame, path in files:
        people = _people(path)
        rows += [
            {"frame": frame, "person": number, **_numbers(path, person, widths)}
            for number, person in enumerate(people)
        ] or [{"frame": frame, "person": 0}]
    names = [
        f"{part}_{axis}{point}"
        for part, width in widths.items()
        for point in range(width // 3)
        for axis in "xyc"
    ]
    return pd.DataFrame(rows, columns=["frame", "person", *names])


def _people(path: Path) -> list[dict[str, Any]]:
    try:
        people = json.loads(path.read_text(encoding="utf-8"))["people"]
        if not isinstance(people, list) or not all(isinstance(one, dict) for one in people):
            raise TypeError
    except (OSError, ValueError, KeyError, TypeError):
        raise TracksError(
            f"{str(path)!r}: not a file of OpenPose: it has no list of people; write it anew"
        ) from None
    return people


def _numbers(path: Path, person: dict[str, Any], widths: dict[str, int]) -> dict[str, float]:
    found: dict[str, float] = {}
    for part, key in _PARTS.items():
        try:
            values = np.asarray(person.get(key) or [], dtype=np.float64)
        except (TypeError, ValueError):
            values = np.zeros(1)
        if not values.size:
            continue
        width = widths.setdefault(part, values.size)
        if values.ndim != 1 or values.size % 3 or values.size != width:
            raise TracksError(
                f"{str(path)!r}: {key} must hold three numbers a point, as many as in the other "
                f"files ({width}), not {values.size}"
            )
        names = (f"{part}_{axis}{point}" for point in range(values.size // 3) for axis in "xyc")
        found |= dict(zip(names, values.tolist(), strict=True))
    return found
