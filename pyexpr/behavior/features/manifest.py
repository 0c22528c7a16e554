"""Which recordings there are: of whom, in which file, and which face in it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pyexpr.base.addresses import is_remote, refuse_remote
from pyexpr.base.contexts import ALL
from pyexpr.base.errors import ColumnError, DataError, OpenFaceError, listed
from pyexpr.base.messages import say
from pyexpr.base.tables import as_frame, cells, require_columns
from pyexpr.behavior.openface.options import PLACES, Place
from pyexpr.behavior.openface.parts import part_names
from pyexpr.behavior.openface.sessions import session_files, stands_alone

if TYPE_CHECKING:
    import pandas as pd

_WHAT: Final = "the table of recordings"
Default = TypeVar("Default")
#: The context of files that come without a table.
NO_CONTEXT: Final = ALL


@dataclass(frozen=True, slots=True)
class Entry:
    """One recording: whose, where, which face, and which part of a file of several."""

    subject: Any
    context: Any
    path: str
    face: Place | int
    split_by: str | None = None
    part: str | None = None
    video: str | None = None
    layout: str | None = None


def manifest_of(
    recordings: Any,
    split_by: str | None,
    face: Place | int,
    *,
    with_videos: bool = False,
    layout: str | None = None,
    are_files: bool = False,
) -> list[Entry]:
    """Return the recordings of a table, or of paths; `face`, `layout` where it names none.

    `with_videos`: a table must name the video of each. `are_files`: no path is that of a folder.

    Raises
    ------
    DataError
        If there are none, one is there twice, or two subjects have the same face of the
        same file.
    """
    if isinstance(recordings, (str, os.PathLike)):
        recordings = [recordings]
    if isinstance(recordings, Sequence) and all(
        isinstance(path, (str, os.PathLike)) for path in recordings
    ):
        if with_videos:
            raise DataError(
                say(
                    "{clock='video'} needs a table of recordings with a column 'video', not paths "
                    "alone"
                )
            )
        found = _from_paths([os.fspath(path) for path in recordings], split_by, face)
        return [replace(entry, layout=layout) for entry in found]
    frame = as_frame(recordings, what=_WHAT)
    columns = ["subject", "context", "openface"]
    columns += ["part"] if split_by is not None else []
    columns += ["video"] if with_videos else []
    require_columns(frame, columns, what=_WHAT)
    _check(frame, columns)
    faces = _faces(frame, face)
    parts = [None] * len(frame) if split_by is None else [*map(str, cells(frame["part"]))]
    videos = cells(frame["video"]) if with_videos else [None] * len(frame)
    found = [
        Entry(subject, context, os.fspath(path), of, split_by, part, video, own)
        for subject, context, path, of, part, video, own in zip(
            *(cells(frame[name]) for name in columns[:3]),
            faces,
            parts,
            videos,
            layouts_of(frame, layout),
            strict=True,
        )
    ]
    refuse_shared(found, are_files=are_files)
    return found


def _check(frame: pd.DataFrame, columns: list[str]) -> None:
    for name in columns:
        empty = (frame[name].isna() | (frame[name].astype(str).str.strip() == "")).to_numpy()
        if empty.any():
            raise ColumnError(
                f"column {name!r} of {_WHAT} must not have missing values, but row "
                f"{int(empty.argmax()) + 1} is empty"
                + (f" ({int(empty.sum())} such rows)" if empty.sum() > 1 else "")
            )
    if frame.empty:
        raise DataError(f"{_WHAT} has no rows")
    doubled = frame.duplicated(["subject", "context"]).to_numpy()
    if doubled.any():
        (second,) = frame.iloc[[int(doubled.argmax())]].to_dict("records")
        raise DataError(
            say(
                "subject {subject!r} has two recordings in context {context!r} (the "
                "second is {openface!r}); keep one, or name the contexts apart",
                subject=second["subject"],
                context=second["context"],
                openface=second["openface"],
            )
        )
    for row, path in enumerate(cells(frame["openface"]), start=1):
        if not isinstance(path, (str, os.PathLike)):
            raise ColumnError(
                say(
                    "column 'openface' of {what} must hold paths, but row {row} holds {path!r}",
                    what=_WHAT,
                    row=row,
                    path=path,
                )
            )


def _faces(frame: pd.DataFrame, face: Place | int) -> list[Place | int]:
    if "face" not in frame.columns:
        return [face] * len(frame)
    return [face_of(value, face, row, _WHAT) for row, value in enumerate(frame["face"], start=1)]


def layouts_of(frame: pd.DataFrame, layout: str | None) -> list[str | None]:
    """Return the layout of each recording: the table's, or the default where that is empty."""
    if "layout" not in frame.columns:
        return [layout] * len(frame)
    texts = ["" if value is None or value != value else str(value) for value in frame["layout"]]
    return [text.strip() or layout for text in texts]


def face_of(value: Any, default: Default, row: int, what: str) -> Place | int | Default:
    """Return the face that a cell of a table names; the default where it is empty.

    Raises
    ------
    ColumnError
        If it names none.
    """
    text = "" if value is None or value != value else str(value).strip()
    if text in ("", "<NA>"):
        return default
    if text in PLACES:
        return text  # type: ignore[return-value]
    try:
        number = float(text)
    except ValueError:
        number = 0.5
    # A column with empty cells holds 1.0 for 1.
    if not number.is_integer():
        raise ColumnError(
            say(
                "column 'face' of {what} must hold {places} or a face_id, but row {row} holds "
                "{value!r}",
                what=what,
                places=listed(PLACES),
                row=row,
                value=value,
            )
        )
    return int(number)


def refuse_remote_headers(files: Iterable[tuple[str, str | None]]) -> None:
    """Raise `DataError` if a file is on a network, where the headers of all are read first."""
    for path, _ in files:
        refuse_remote(path, "the headers of all files are read first, but not from a network")


def refuse_shared(entries: Sequence[Entry], *, are_files: bool = False) -> None:
    """Raise `DataError` if two subjects have the same face of the same recording.

    `are_files` as for `manifest_of`.
    """
    owners: dict[tuple[str, str | None, Place | int], Entry] = {}
    for entry in entries:
        # Each of the files of a session stands for all of them.
        alone = stands_alone(entry.path, is_file=are_files)
        file = entry.path if alone else session_files(entry.path)[0]
        owner = owners.setdefault((os.path.abspath(file), entry.part, entry.face), entry)
        if owner.subject == entry.subject:
            continue
        named = [os.path.basename(one.path) for one in (owner, entry)]
        if named[0] != named[1]:
            raise DataError(
                say(
                    "{first!r} and {second!r} are files of one session, of which each stands for "
                    "all; name one of them",
                    first=owner.path,
                    second=entry.path,
                )
            )
        raise DataError(
            say(
                "subjects {first!r} and {second!r} have the same face of the same file, "
                "{path!r} (face {face}); assign the faces in a column 'face' of the table "
                "of recordings: a face_id, 'left' or 'right'",
                first=owner.subject,
                second=entry.subject,
                path=entry.path,
                face=entry.face,
            )
        )


def refuse_absent(entries: Sequence[Entry]) -> None:
    """Raise `OpenFaceError` if files are not there: now, not after the others were read."""
    absent = [
        path
        for path in dict.fromkeys(entry.path for entry in entries)
        # Of a network: said when it is read.
        if not is_remote(path) and not os.path.exists(path)
    ]
    if len(absent) > 1:
        raise OpenFaceError(
            f"{len(absent)} files are not there: {listed(absent, most=3)}; check the paths"
        )
    if absent:
        raise OpenFaceError(f"{absent[0]!r}: there is no such file; check the path")


def _from_paths(paths: list[str], split_by: str | None, face: Place | int) -> list[Entry]:
    if not paths:
        raise DataError("there are no recordings: the list of paths is empty")
    if split_by is None:
        found = [Entry(Path(path).stem, NO_CONTEXT, path, face) for path in paths]
    else:
        found = [
            Entry(part, NO_CONTEXT, path, face, split_by, part)
            for path in paths
            for part in part_names(path, split_by)
        ]
    twice = [path for path, n in Counter(map(os.path.abspath, paths)).items() if n > 1]
    if twice:
        named = [path for path in paths if os.path.abspath(path) == twice[0]]
        raise DataError(
            f"the file {named[0]!r} is given {len(named)} times"
            + (f" (also as {named[1]!r})" if named[1] != named[0] else "")
            + "; name it once"
        )
    times = Counter(entry.subject for entry in found)
    doubled = sorted(name for name, n in times.items() if n > 1)
    if doubled:
        raise DataError(
            f"two {'files' if split_by is None else 'recordings'} are both named "
            f"{listed(doubled)}: give a table with the columns subject, context and openface "
            "instead"
        )
    refuse_shared(found)
    return found
