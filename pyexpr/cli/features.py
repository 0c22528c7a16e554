"""The command for features of OpenFace files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pyexpr.base.errors import DataError
from pyexpr.cli.inputs import check_files, names_in, on_cluster, study_of
from pyexpr.cli.options import (
    OR_STUDY,
    TO_STANDARD_OUTPUT,
    Cluster,
    Json,
    NJobs,
    Output,
    Overwrite,
    Quiet,
    one_of,
)
from pyexpr.cli.recordings import (
    ClockName,
    Face,
    Fps,
    JoinIds,
    LandmarksName,
    LayoutName,
    MaxSpeed,
    MaxTurn,
    MinConfidence,
    Recordings,
    ScheduleName,
    SplitBy,
    face_named,
    paths_of,
    recorded_files,
    recordings_table,
    schedule_named,
    segments_file,
)
from pyexpr.cli.showing import Showing, write


def features(
    ctx: typer.Context,
    files: Annotated[
        list[Path] | None, typer.Argument(help=f"OpenFace files (CSV), {OR_STUDY}.")
    ] = None,
    recordings: Recordings = None,
    every: Annotated[float | None, typer.Option(help="Length of the clips in seconds.")] = None,
    schedule: ScheduleName = None,
    fps: Fps = None,
    clock: ClockName = "auto",
    rate: Annotated[
        float, typer.Option(help="Bins per second in which movement is measured.")
    ] = 5.0,
    landmarks: LandmarksName = "2d",
    derivatives: Annotated[
        str,
        typer.Option(
            help='How movement is derived: "differences" between bins, or "savgol" (smoothed).',
            autocompletion=one_of(["differences", "savgol"]),
        ),
    ] = "differences",
    extra: Annotated[
        str | None,
        typer.Option(
            help="Families of further features, separated by commas: regions, acceleration, "
            "variability, asymmetry, au_dynamics, entropy, expression_means, "
            "expression_variability, expression_dynamics."
        ),
    ] = None,
    action_units: Annotated[
        str | None,
        typer.Option(
            help="Action units, such as AU12, whose events get features of their own, separated by "
            "commas. Requires --extra au_dynamics."
        ),
    ] = None,
    expressions: Annotated[
        str | None,
        typer.Option(
            help="Signals for the families expression_*, separated by commas: names, such as "
            "blendshape_jawOpen, or the groups au_intensity, au_score, blendshapes and emotions. "
            "The default is all signals."
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            help="Add the deviation of each feature from the person's mean over the clips of this "
            'context, or over all clips ("all").'
        ),
    ] = None,
    min_confidence: MinConfidence = None,
    face: Face = "largest",
    join_ids: JoinIds = False,
    max_speed: MaxSpeed = 5000.0,
    max_turn: MaxTurn = 1500.0,
    layout: LayoutName = None,
    split_by: SplitBy = None,
    on_mixed: Annotated[
        str,
        typer.Option(
            help='If files differ in action units or image size: "error", "common" (use the action '
            'units that all files have) or "keep".',
            autocompletion=one_of(["error", "common", "keep"]),
        ),
    ] = "error",
    on_error: Annotated[
        str,
        typer.Option(
            help='If a file cannot be used: "stop", or "skip" to list it and go on.',
            autocompletion=one_of(["stop", "skip"]),
        ),
    ] = "stop",
    quality: Annotated[
        Path | None,
        typer.Option(
            help="Write the numbers of valid and missing frames of each clip to this file (CSV); "
            f"{TO_STANDARD_OUTPUT}."
        ),
    ] = None,
    output: Output = None,
    cluster: Cluster = None,
    n_jobs: NJobs = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compute features of face, head and gaze from OpenFace files, one row per clip."""
    show = Showing(json, quiet)
    files = files or []
    if len(files) > 1 and any(path.suffix == ".toml" for path in files):
        raise typer.BadParameter("give OpenFace files, or one study file alone")
    if bool(files) == (recordings is not None):
        raise typer.BadParameter("give OpenFace files, or --recordings with a table of them")
    study = study_of(ctx, files[0], where=(cluster, n_jobs)) if files else None
    tables = [path for path in (recordings, segments_file(schedule)) if path is not None]
    check_files(ctx, [*files, *tables], study, overwrite=overwrite)
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
    given = paths_of(files) if recordings is None else recordings_table(recordings)
    with on_cluster(cluster, recorded_files(given), show):
        result = extract_features(
            given,
            every=every,
            schedule=None if schedule is None else schedule_named(schedule),
            fps=fps,
            clock=clock,  # type: ignore[arg-type]
            rate=rate,
            landmarks=landmarks,  # type: ignore[arg-type]
            derivatives=derivatives,  # type: ignore[arg-type]
            extra=names_in(extra),  # type: ignore[arg-type]
            action_units=names_in(action_units),
            expressions=names_in(expressions),
            baseline=baseline,
            min_confidence=min_confidence,
            face=face_named(face),
            join_ids=join_ids,
            max_speed=max_speed,
            max_turn=max_turn,
            layout=layout,
            split_by=split_by,
            on_mixed=on_mixed,  # type: ignore[arg-type]
            on_error=on_error,  # type: ignore[arg-type]
            n_jobs=-1 if n_jobs is None else n_jobs,
            progress=show.progress,
        )
    if result.table.empty:
        # None of the requested clips exists; the reason stands with each recording.
        why = [f"{row.openface}: {row.reason}" for row in result.dropped.itertuples()]
        requested = "of the schedule" if every is None else f"of {every:g} s"
        raise DataError(
            f"no clip {requested} fits: {'; '.join(why[:3])}"
            + (f"; and {len(why) - 3} more" if len(why) > 3 else "")
        )
    if quality is not None:
        write(result.quality, quality)
    show.result(result, output, quality)
