"""What commands that read recordings have in common: options, the table of them, the schedule."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pyexpr.base.errors import DataError
from pyexpr.cli.options import one_of

if TYPE_CHECKING:
    import pandas as pd

Recordings = Annotated[
    Path | None,
    typer.Option(
        help="A table (CSV) in place of the files, with the columns subject, context and openface "
        "(paths relative to the table), and optionally face, part, video and layout."
    ),
]
ScheduleName = Annotated[
    str | None,
    typer.Option(
        help='Clips that differ between contexts: "bp4d_plus", or a table (CSV) with the columns '
        "context, start and end (in seconds) and clip.",
        autocompletion=one_of(["bp4d_plus"]),
    ),
]
Fps = Annotated[
    float | None,
    typer.Option(help="Frames per second, if the timestamps in the files are wrong."),
]
ClockName = Annotated[
    str,
    typer.Option(
        help='Source of the times of the frames: "frames" (their numbers), "timestamps", "video" '
        '(a column of the table of recordings), or "auto", which uses the timestamps if they '
        "show a variable rate.",
        autocompletion=one_of(["auto", "frames", "timestamps", "video"]),
    ),
]
LandmarksName = Annotated[
    str,
    typer.Option(
        help='Coordinates of the points: "2d" (px), "3d" (mm) or "normalised".',
        autocompletion=one_of(["2d", "3d", "normalised"]),
    ),
]
MinConfidence = Annotated[
    float | None,
    typer.Option(help="Treat frames with a lower confidence (0 to 1) as missing."),
]
Face = Annotated[
    str,
    typer.Option(
        help='Face to use if there are several: "largest", "left", "right" or a face_id.',
        autocompletion=one_of(["largest", "left", "right"]),
    ),
]
JoinIds = Annotated[
    bool,
    typer.Option(
        "--join-ids",
        help="Treat face_ids that follow each other at the same position as one person.",
    ),
]
MaxSpeed = Annotated[
    float,
    typer.Option(help="Maximum speed of the head in mm/s; faster frames are treated as missing."),
]
MaxTurn = Annotated[
    float,
    typer.Option(
        help="Maximum rotation of head and gaze in degrees/s; faster frames are treated as missing."
    ),
]
LayoutName = Annotated[
    str | None,
    typer.Option(help='Layout of the tables of another tracker: its name, a TOML file, or "auto".'),
]
SplitBy = Annotated[
    str | None,
    typer.Option(
        help="Column that identifies the recording, if a file contains several recordings."
    ),
]


def face_named(face: str) -> Any:
    """Return a face_id as a number; what is none of the words is refused by the function."""
    return int(face) if re.fullmatch(r"-?\d+", face) else face


def recordings_table(path: Path) -> pd.DataFrame:
    """Return a table of recordings, its paths from its own folder."""
    from pyexpr.base.addresses import beside
    from pyexpr.base.csv_file import read_csv
    from pyexpr.behavior.tracks.layout import layout_beside

    labels = ("subject", "context", "openface", "face", "part", "video", "layout")
    table = read_csv(path, labels=labels, what=f"the recordings ({path})")
    paths = {
        column: [
            beside(path.parent, name) if isinstance(name, str) else name for name in table[column]
        ]
        for column in ("openface", "video")
        if column in table
    }
    if "layout" in table:
        paths["layout"] = [layout_beside(name, path.parent) for name in table["layout"]]
    return table.assign(**paths)


def paths_of(files: list[Path]) -> list[str]:
    """Return the paths of files as functions take them; addresses have both of their slashes."""
    from pyexpr.base.addresses import address_of

    return [address_of(path) for path in files]


def recorded_files(given: list[str] | pd.DataFrame) -> list[str]:
    """Return the files of recordings, of which workers elsewhere must find the first ones."""
    from pyexpr.base.addresses import is_remote

    names = given if isinstance(given, list) else given.get("openface", ())
    return [str(name) for name in names if name == name and not is_remote(name)]


def segments_file(schedule: str | None) -> Path | None:
    """Return the file that a schedule is, None of one that is built in."""
    return None if schedule is None or schedule == "bp4d_plus" else Path(schedule)


def schedule_named(schedule: str) -> Any:
    """Return a schedule that is built in, or a table of segments."""
    from pyexpr.base.csv_file import read_csv
    from pyexpr.behavior.schedules import BP4D_PLUS

    path = segments_file(schedule)
    if path is None:
        return BP4D_PLUS
    if not path.exists() and path.suffix != ".csv":
        raise DataError(
            f"there is no schedule {schedule!r}: give 'bp4d_plus', which is built in, or the path "
            "of a table (CSV)"
        )
    return read_csv(path, labels=("context", "clip"), what=f"the schedule ({path})")
