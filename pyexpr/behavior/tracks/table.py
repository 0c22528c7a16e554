"""A table of a tracker, from a file, a folder or a data frame."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from pyexpr.base.errors import TracksError
from pyexpr.behavior.openface.csv import whole_text
from pyexpr.behavior.tracks.frame_table import FrameTable, arrow_table, frame_table
from pyexpr.behavior.tracks.text_table import TextTable, text_table

_ARROW: Final = {b"PAR1": "parquet", b"ARROW1": "feather"}
_NO_TABLES: Final = {
    b"\x89PNG": "an image", b"\xff\xd8\xff": "an image", b"GIF8": "an image", b"BM": "an image",
    b"RIFF": "a video or sound", b"\x1aE\xdf\xa3": "a video", b"%PDF": "a PDF",
}  # fmt: skip
_BOM: Final = b"\xef\xbb\xbf"
#: What a table without a file is called in messages.
FRAME: Final = "the data frame"


Table = TextTable | FrameTable


def open_table(source: Any) -> Table:
    """Return the table in a file, a folder of OpenPose's JSON files, or a data frame.

    Raises
    ------
    TracksError
        If there is no such file, it cannot be read, or holds no table.
    """
    if not isinstance(source, (str, os.PathLike)):
        from pyexpr.base.tables import as_frame

        frame = as_frame(source, what=FRAME)
        return frame_table(FRAME, frame)
    path = os.fspath(source)
    if Path(path).is_dir():
        from pyexpr.behavior.tracks.openpose import keypoint_frame

        return frame_table(path, keypoint_frame(Path(path)))
    magic = _beginning(path)
    kind = next((_NO_TABLES[one] for one in _NO_TABLES if magic.startswith(one)), "")
    if kind or magic[4:8] == b"ftyp":
        raise TracksError(
            f"{path!r}: this is {kind or 'a video'}, no table of points; run a tracker on it first"
        )
    if magic.startswith(tuple(_ARROW)):
        return arrow_table(path)
    content, sha256 = whole_text(path)
    content = content.removeprefix(_BOM)
    if b"\x00" in content:
        raise TracksError(
            f"{path!r}: a binary file, or text that is not UTF-8; give the table of the tracker"
        )
    if not content.strip():
        raise TracksError(f"{path!r}: the file is empty; run the tracker on the video again")
    return text_table(path, content, sha256)


def _beginning(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(16)
    except (OSError, ValueError):
        # Reading it says why.
        return b""
