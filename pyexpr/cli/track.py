"""`pyexpr track`: videos through a tracker of faces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pyexpr.base.errors import DataError
from pyexpr.cli.inputs import on_cluster
from pyexpr.cli.options import Cluster, Json, Quiet
from pyexpr.cli.showing import Showing, show_warning


def track(
    videos: Annotated[
        list[Path], typer.Argument(help="Videos, or folders of them.", show_default=False)
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Folder of the points, one parquet file per video."),
    ] = Path("tracks"),
    tracker: Annotated[
        str,
        typer.Option(
            help="mediapipe, which the extra [track] of pyexpr-stats installs, or your own "
            "tracker, given as my_module:MyTracker."
        ),
    ] = "mediapipe",
    model: Annotated[
        Path | None,
        typer.Option(help="The tracker's model file; for mediapipe, face_landmarker.task."),
    ] = None,
    faces: Annotated[int, typer.Option(help="Maximum number of faces in a frame.")] = 1,
    option: Annotated[
        list[str] | None,
        typer.Option(
            help="An option of the tracker, such as mode=image. It can be given several times.",
            show_default=False,
        ),
    ] = None,
    on_error: Annotated[
        str,
        typer.Option(help='If a video cannot be tracked: "stop", or "skip" to list it and go on.'),
    ] = "stop",
    n_jobs: Annotated[
        int,
        typer.Option(help="Number of videos at a time; -1 is one per processor."),
    ] = -1,
    cluster: Cluster = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace existing files with other content. Files with the same content are kept.",
        ),
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Track faces in videos, using a tracker that you have installed.

    Existing files that were made from the same video, tracker, model and options are kept. You
    can therefore stop the command by Ctrl-C and continue later with the same command.
    """
    from pyexpr.behavior.tracking.track import track_videos

    show = Showing(json, quiet)
    with on_cluster(cluster, [*videos, output.absolute().parent], show):
        result = track_videos(
            videos,
            output,
            tracker=tracker,
            model=model,
            faces=faces,
            options=dict(_option(text) for text in option or ()),
            on_error=on_error,  # type: ignore[arg-type]
            n_jobs=n_jobs,
            overwrite=overwrite,
            progress=show.progress,
        )
    reasons = [f"{row.video}: {row.reason}" for row in result.dropped.itertuples()]
    if result.table.empty:
        more = f"; and {len(reasons) - 3} more" if len(reasons) > 3 else ""
        raise DataError(f"no video could be tracked: {'; '.join(reasons[:3])}{more}")
    for reason in reasons:
        show_warning(f"not tracked: {reason}")
    show.result(result, None)


def _option(text: str) -> tuple[str, Any]:
    """Return name and value of an option that is given as name=value."""
    name, is_one, value = text.partition("=")
    if not is_one or not name:
        raise typer.BadParameter(f"--option is given as name=value, not as {text!r}")
    if value in ("true", "false"):
        return name, value == "true"
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            continue
    return name, value
