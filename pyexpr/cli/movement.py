"""Commands for the series behind the features, and for the synchrony of two people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pyexpr.base.errors import DataError
from pyexpr.cli.inputs import check_files, on_cluster, read_table, whole_numbers
from pyexpr.cli.options import (
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


def series(
    ctx: typer.Context,
    files: Annotated[list[Path] | None, typer.Argument(help="OpenFace files (CSV).")] = None,
    recordings: Recordings = None,
    every: Annotated[
        float | None,
        typer.Option(
            help="Length of the clips in seconds. By default a clip is a whole recording."
        ),
    ] = None,
    schedule: ScheduleName = None,
    fps: Fps = None,
    clock: ClockName = "auto",
    rate: Annotated[
        float, typer.Option(help="Bins per second in which movement is measured.")
    ] = 5.0,
    frames: Annotated[
        bool, typer.Option("--frames", help="Give one row per frame instead of one per bin.")
    ] = False,
    bins: Annotated[
        str,
        typer.Option(
            help='Value of a bin: the "mean" of its frames, or its first frame ("decimate").',
            autocompletion=one_of(["mean", "decimate"]),
        ),
    ] = "mean",
    velocity: Annotated[
        str,
        typer.Option(
            help='Velocity: the change of displacement per second without sign ("abs_derivative") '
            'or with sign ("derivative"), or displacement per second ("speed").',
            autocompletion=one_of(["abs_derivative", "derivative", "speed"]),
        ),
    ] = "abs_derivative",
    head: Annotated[
        str,
        typer.Option(
            help='Source of the position of the head: OpenFace\'s "pose" (mm) or "params" (px).',
            autocompletion=one_of(["pose", "params"]),
        ),
    ] = "pose",
    landmarks: LandmarksName = "2d",
    min_confidence: MinConfidence = None,
    face: Face = "largest",
    join_ids: JoinIds = False,
    max_speed: MaxSpeed = 5000.0,
    max_turn: MaxTurn = 1500.0,
    layout: LayoutName = None,
    split_by: SplitBy = None,
    on_short: Annotated[
        str,
        typer.Option(
            help='If a recording is too short for a clip: "drop" the clip, or "error".',
            autocompletion=one_of(["drop", "error"]),
        ),
    ] = "drop",
    output: Output = None,
    cluster: Cluster = None,
    n_jobs: NJobs = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compute the time series of movement from which features are computed."""
    show = Showing(json, quiet)
    files = files or []
    if any(path.suffix == ".toml" for path in files):
        raise typer.BadParameter("give OpenFace files; a study file has no series of its own")
    if bool(files) == (recordings is not None):
        raise typer.BadParameter("give OpenFace files, or --recordings with a table of them")
    if every is not None and schedule is not None:
        raise typer.BadParameter("give --every or --schedule, not both")
    tables = [path for path in (recordings, segments_file(schedule)) if path is not None]
    check_files(ctx, [*files, *tables], None, overwrite=overwrite)
    from pyexpr.behavior.features.series import movement_series

    given = paths_of(files) if recordings is None else recordings_table(recordings)
    with on_cluster(cluster, recorded_files(given), show):
        result = movement_series(
            given,
            schedule=None if schedule is None else schedule_named(schedule),
            every=every,
            rate=None if frames else rate,
            bins=bins,  # type: ignore[arg-type]
            velocity=velocity,  # type: ignore[arg-type]
            head=head,  # type: ignore[arg-type]
            landmarks=landmarks,  # type: ignore[arg-type]
            min_confidence=min_confidence,
            fps=fps,
            clock=clock,  # type: ignore[arg-type]
            face=face_named(face),
            join_ids=join_ids,
            max_speed=max_speed,
            max_turn=max_turn,
            layout=layout,
            split_by=split_by,
            on_short=on_short,  # type: ignore[arg-type]
            n_jobs=-1 if n_jobs is None else n_jobs,
            progress=show.progress,
        )
    if result.table.empty:
        why = [f"{row.openface}: {row.reason}" for row in result.dropped.itertuples()]
        more = f"; and {len(why) - 3} more" if len(why) > 3 else ""
        raise DataError(f"no clip fits into its recording: {'; '.join(why[:3])}{more}")
    show.result(result, output)


def synchrony(
    ctx: typer.Context,
    data: Annotated[
        Path,
        typer.Argument(
            help="Table with one row per dyad, person and time (CSV), such as the output of pyexpr "
            "series with an added column of dyads.",
            show_default=False,
        ),
    ],
    series: Annotated[
        str, typer.Option(help="Column of the movement, or of another measurement.")
    ] = "head_displacement",
    dyad: Annotated[str, typer.Option(help="Column of the dyads.")] = "dyad",
    person: Annotated[
        str, typer.Option(help="Column that identifies the two people of a dyad.")
    ] = "person",
    time: Annotated[str, typer.Option(help="Column of the time in seconds.")] = "time",
    window: Annotated[float, typer.Option(help="Length of a window in seconds.")] = 30.0,
    step: Annotated[
        float | None,
        typer.Option(help="Seconds between windows; the default is the length of a window."),
    ] = None,
    lag: Annotated[
        float, typer.Option(help="Largest lag in seconds between the windows of the two people.")
    ] = 5.0,
    measure: Annotated[
        str,
        typer.Option(
            help='Summary of Fisher\'s z over windows and lags: the mean of |z| ("absolute"), the '
            'mean of z ("signed"), or the mean over windows of the largest |z| ("peak").',
            autocompletion=one_of(["absolute", "signed", "peak"]),
        ),
    ] = "absolute",
    min_valid: Annotated[
        float,
        typer.Option(help="Minimum proportion of observed pairs of values in a window."),
    ] = 0.8,
    n_permutations: Annotated[
        int,
        typer.Option(
            help="Number of permutations of partners. If fewer exist, all of them are used."
        ),
    ] = 9999,
    seed: Annotated[int, typer.Option(help="Seed of the permutations.")] = 0,
    windows: Annotated[
        Path | None,
        typer.Option(
            help="Write the correlation of each dyad, window and lag to this file (CSV); "
            f"{TO_STANDARD_OUTPUT}."
        ),
    ] = None,
    output: Output = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure the synchrony of two people, compared with pairs of people who never met."""
    show = Showing(json, quiet)
    check_files(ctx, [data], None, overwrite=overwrite)
    from pyexpr.behavior.features.synchrony import synchrony as measured

    labels = [dyad, person]
    table = whole_numbers(read_table(data, labels=labels, what="the series"), labels)
    result = measured(
        table,
        series=series,
        dyad=dyad,
        person=person,
        time=time,
        window=window,
        step=step,
        lag=lag,
        measure=measure,  # type: ignore[arg-type]
        min_valid=min_valid,
        n_permutations=n_permutations,
        seed=seed,
    )
    if windows is not None:
        write(result.windows(), windows)
    show.result(result, output, windows)
