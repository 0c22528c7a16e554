"""The command for features of OpenFace files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pyexpr.base.errors import DataError
from pyexpr.cli.inputs import check_files, names_in, study_of
from pyexpr.cli.options import (
    OR_STUDY,
    TO_STANDARD_OUTPUT,
    Json,
    Output,
    Overwrite,
    Quiet,
    one_of,
)
from pyexpr.cli.showing import Showing, write

if TYPE_CHECKING:
    import pandas as pd


def features(
    asked: typer.Context,
    files: Annotated[
        list[Path] | None, typer.Argument(help=f"OpenFace files (CSV); {OR_STUDY}.")
    ] = None,
    recordings: Annotated[
        Path | None,
        typer.Option(
            help="Instead of files: a table (CSV) with subject, context, openface (a path from its "
            "own folder), and if wanted face, part and video."
        ),
    ] = None,
    every: Annotated[float | None, typer.Option(help="Length of the clips in seconds.")] = None,
    schedule: Annotated[
        str | None,
        typer.Option(
            help='Instead: "bp4d_plus", or a table (CSV) with context, start, end (seconds), clip.',
            autocompletion=one_of(["bp4d_plus"]),
        ),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(help="Frames per second, if the timestamps in the files are wrong."),
    ] = None,
    clock: Annotated[
        str,
        typer.Option(
            help='Source of the time of a frame: "frames" (numbers), "timestamps", "video"'
            ' (a column of the table of recordings), or "auto": timestamps if they '
            "show a variable rate.",
            autocompletion=one_of(["auto", "frames", "timestamps", "video"]),
        ),
    ] = "auto",
    rate: Annotated[
        float, typer.Option(help="Bins per second in which movement is measured.")
    ] = 5.0,
    landmarks: Annotated[
        str,
        typer.Option(
            help='Points in "2d" (px), "3d" (mm), or "normalised".',
            autocompletion=one_of(["2d", "3d", "normalised"]),
        ),
    ] = "2d",
    derivatives: Annotated[
        str,
        typer.Option(
            help='"differences" between bins, or "savgol".',
            autocompletion=one_of(["differences", "savgol"]),
        ),
    ] = "differences",
    extra: Annotated[
        str | None,
        typer.Option(
            help="Families of further features, by commas: regions, acceleration, variability, "
            "asymmetry, au_dynamics, entropy."
        ),
    ] = None,
    action_units: Annotated[
        str | None,
        typer.Option(
            help="Units, by commas, such as AU12, whose events have features of their own; with "
            "--extra au_dynamics."
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            help="Add deviations from each person's mean over clips of this context, or all."
        ),
    ] = None,
    min_confidence: Annotated[
        float | None,
        typer.Option(help="Frames with a lower confidence (0 to 1) are treated as missing."),
    ] = None,
    face: Annotated[
        str,
        typer.Option(
            help='Which of several faces: "largest", "left", "right", or a face_id.',
            autocompletion=one_of(["largest", "left", "right"]),
        ),
    ] = "largest",
    join_ids: Annotated[
        bool,
        typer.Option(
            "--join-ids",
            help="Treat face_ids as one person if they follow each other at the same position.",
        ),
    ] = False,
    max_speed: Annotated[
        float,
        typer.Option(
            help="Maximum speed of the head in mm/s; faster frames are treated as missing."
        ),
    ] = 5000.0,
    max_turn: Annotated[
        float, typer.Option(help="Maximum rotation of head and gaze in degrees/s.")
    ] = 1500.0,
    layout: Annotated[
        str | None,
        typer.Option(help='Of tables of another tracker: its layout, a TOML file, or "auto".'),
    ] = None,
    split_by: Annotated[
        str | None,
        typer.Option(
            help="For files with several recordings: the column that identifies the recording."
        ),
    ] = None,
    on_mixed: Annotated[
        str,
        typer.Option(
            help='Files of other action units or image sizes: "error", "common" (the units that '
            'all have), or "keep".',
            autocompletion=one_of(["error", "common", "keep"]),
        ),
    ] = "error",
    on_error: Annotated[
        str,
        typer.Option(
            help='What to do with an unusable file: "stop", or "skip" and list it.',
            autocompletion=one_of(["stop", "skip"]),
        ),
    ] = "stop",
    quality: Annotated[
        Path | None,
        typer.Option(
            help=f"Write valid and lost frames per clip here (CSV); {TO_STANDARD_OUTPUT}."
        ),
    ] = None,
    output: Output = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Facial, head and gaze features of clips from OpenFace files."""
    show = Showing(json, quiet)
    files = files or []
    if len(files) > 1 and any(path.suffix == ".toml" for path in files):
        raise typer.BadParameter("give OpenFace files, or one study file alone")
    if bool(files) == (recordings is not None):
        raise typer.BadParameter("give OpenFace files, or --recordings with a table of them")
    study = study_of(asked, files[0]) if files else None
    tables = [path for path in (recordings, _segments_file(schedule)) if path is not None]
    check_files(asked, [*files, *tables], study, overwrite=overwrite)
    if study is not None:
        found = study.features(progress=not quiet).tables
        if quality is not None:
            write(found["quality"], quality)
        show.table("features", found["features"], output, quality)
        return
    from pyexpr.behavior.features.features import extract_features

    if (every is None) == (schedule is None):
        raise typer.BadParameter(
            "say how to cut the recordings: --every 3 (seconds), or --schedule"
            + (", not both" if every is not None else "")
        )
    result = extract_features(
        [str(path) for path in files] if recordings is None else _recordings_table(recordings),
        every=every,
        schedule=None if schedule is None else _schedule(schedule),
        fps=fps,
        clock=clock,  # type: ignore[arg-type]
        rate=rate,
        landmarks=landmarks,  # type: ignore[arg-type]
        derivatives=derivatives,  # type: ignore[arg-type]
        extra=names_in(extra),  # type: ignore[arg-type]
        action_units=names_in(action_units),
        baseline=baseline,
        min_confidence=min_confidence,
        # A number is a face_id; what is none of the words is refused there.
        face=int(face) if re.fullmatch(r"-?\d+", face) else face,  # type: ignore[arg-type]
        join_ids=join_ids,
        max_speed=max_speed,
        max_turn=max_turn,
        layout=layout,
        split_by=split_by,
        on_mixed=on_mixed,  # type: ignore[arg-type]
        on_error=on_error,  # type: ignore[arg-type]
        progress=show.progress,
    )
    if result.table.empty:
        # Nothing that was asked for can be given; why stands with each recording.
        why = [f"{row.openface}: {row.reason}" for row in result.dropped.itertuples()]
        asked_for = "of the schedule" if every is None else f"of {every:g} s"
        raise DataError(
            f"no clip {asked_for} fits: {'; '.join(why[:3])}"
            + (f"; and {len(why) - 3} more" if len(why) > 3 else "")
        )
    if quality is not None:
        write(result.quality, quality)
    show.result(result, output, quality)


def _recordings_table(path: Path) -> pd.DataFrame:
    """Return a table of recordings, its paths from its own folder."""
    from pyexpr.base.csv_file import read_csv
    from pyexpr.behavior.tracks.layout import layout_beside

    labels = ("subject", "context", "openface", "face", "part", "video", "layout")
    table = read_csv(path, labels=labels, what=f"the recordings ({path})")
    paths = {
        column: [str(path.parent / name) if name == name else name for name in table[column]]
        for column in ("openface", "video")
        if column in table
    }
    if "layout" in table:
        paths["layout"] = [layout_beside(name, path.parent) for name in table["layout"]]
    return table.assign(**paths)


def _segments_file(schedule: str | None) -> Path | None:
    return None if schedule is None or schedule == "bp4d_plus" else Path(schedule)


def _schedule(schedule: str) -> Any:
    """Return a schedule that is built in, or a table of segments."""
    from pyexpr.base.csv_file import read_csv
    from pyexpr.behavior.schedules import BP4D_PLUS

    path = _segments_file(schedule)
    if path is None:
        return BP4D_PLUS
    if not path.exists() and path.suffix != ".csv":
        raise DataError(
            f"there is no schedule {schedule!r}: give 'bp4d_plus', which is built in, or the path "
            "of a table (CSV)"
        )
    return read_csv(path, labels=("context", "clip"), what=f"the schedule ({path})")
