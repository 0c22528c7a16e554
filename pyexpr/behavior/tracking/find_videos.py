"""Which videos are tracked, and where each one's points go."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pyexpr.base.errors import DataError, VideoError, counted, listed
from pyexpr.base.messages import say

#: How names of videos end, in small letters; a file that is named itself may end otherwise.
SUFFIXES = frozenset(
    {
        ".3gp", ".asf", ".avi", ".dv", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg",
        ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv",
    }
)  # fmt: skip


def find_videos(videos: Any, output: Path) -> list[tuple[Path, Path]]:
    """Return (video, file of its points) in the order of the videos; of folders by name.

    A folder stands for the videos in it and in its folders, whose names the files of points keep.

    Raises
    ------
    VideoError
        If a file or folder is not there, or a folder has no videos.
    DataError
        If `videos` names none, or the points of two would go to one file.
    """
    given = [videos] if isinstance(videos, (str, os.PathLike)) else videos
    if not isinstance(given, Iterable):
        raise DataError(say("{videos=} must be paths, not {given!r}", given=given))
    found: list[tuple[Path, Path]] = []
    for one in given:
        if not isinstance(one, (str, os.PathLike)):
            raise DataError(say("{videos=} must hold paths, not {one!r}", one=one))
        path = Path(one)
        if path.is_dir():
            found += [(video, video.relative_to(path)) for video in _videos_in(path)]
        else:
            found.append((path, Path(path.name)))
    if not found:
        raise DataError(say("{videos=} names no video"))
    _refuse_same(found)
    return [(video, output / name.with_suffix(".parquet")) for video, name in found]


def _videos_in(folder: Path) -> list[Path]:
    videos: list[Path] = []
    others: list[Path] = []
    for path in _files_below(folder):
        (videos if path.suffix.lower() in SUFFIXES else others).append(path)
    if not videos:
        there = f"only {listed(sorted(path.name for path in others), most=3)}" if others else "none"
        raise VideoError(
            f"the folder {str(folder)!r} has no files whose names end as those of videos do "
            f"(.mp4, .mov, .avi, ...): there {'are' if len(others) > 1 else 'is'} {there}; name "
            "another folder, or the files themselves"
        )
    return sorted(videos)


def _files_below(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        # Hidden ones are not the user's: macOS leaves a ._s01.mp4 beside each s01.mp4.
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(root, name) for name in names if not name.startswith("."))


def _refuse_same(found: list[tuple[Path, Path]]) -> None:
    taken: dict[str, Path] = {}
    for video, name in found:
        # Not every disk tells capitals apart.
        key = str(name.with_suffix("")).casefold()
        other = taken.setdefault(key, video)
        if other is not video:
            if other == video:
                raise DataError(f"the video {str(video)!r} is named twice; name it once")
            raise DataError(
                f"the points of {str(other)!r} and {str(video)!r} would go to one file, "
                f"{str(name.with_suffix('.parquet'))!r}; rename one of them, or track them into "
                "two folders"
            )


def refuse_missing(videos: Iterable[Path]) -> None:
    """Raise `VideoError` if files are not there: now, not after hours of tracking."""
    missing = [video for video in videos if not video.exists()]
    if missing:
        one = len(missing) == 1
        raise VideoError(
            f"there is no video {str(missing[0])!r}"
            if one
            else f"{counted(len(missing), 'video')} are not there: {listed(missing, most=3)}"
        )
