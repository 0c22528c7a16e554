"""Commands about raters: raters (diagnostics), traces (ratings sampled over time)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pyexpr.cli.inputs import check_files, names_in, read_table
from pyexpr.cli.options import (
    TO_STANDARD_OUTPUT,
    Confidence,
    Contexts,
    Json,
    Output,
    Overwrite,
    Quiet,
    Ratings,
    RatingsFile,
    RequiredSubjects,
    Subjects,
    Targets,
    one_of,
)
from pyexpr.cli.showing import Showing, write


def raters(
    ctx: typer.Context,
    data: RatingsFile,
    raters: Annotated[str, typer.Option(help="Column of the raters.")],
    targets: Targets = "subject,context,clip",
    ratings: Ratings = "score",
    context: Contexts = None,
    cluster: Subjects = None,
    order: Annotated[
        str | None,
        typer.Option(help="Column of the order of the ratings in numbers, for drift."),
    ] = None,
    form: Annotated[
        str, typer.Option(help='Form of the ICC without each rater, such as "ICC(C,1)".')
    ] = "ICC(A,1)",
    adjust: Annotated[
        str | None,
        typer.Option(
            help="Adjust for the number of raters: holm or max_t.",
            autocompletion=one_of(("holm", "max_t")),
        ),
    ] = None,
    confidence: Confidence = 0.95,
    scale_use: Annotated[
        Path | None,
        typer.Option(
            "--scale-use",
            help=f"Write each rater's use of the scale here (CSV); {TO_STANDARD_OUTPUT}.",
        ),
    ] = None,
    output: Output = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Diagnostics of raters: bias, error, agreement with the others, drift."""
    show = Showing(json, quiet)
    check_files(ctx, [data], None, overwrite=overwrite)
    from pyexpr.measurement.raters.diagnostics import rater_diagnostics

    labels = [*names_in(targets), *names_in(context), raters, *names_in(cluster)]
    table = read_table(data, labels=labels, what="the ratings")
    result = rater_diagnostics(
        table,
        targets=names_in(targets),
        ratings=ratings,
        raters=raters,
        context=names_in(context) or None,
        cluster=cluster,
        order=order,
        form=form,
        adjust=adjust,
        confidence=confidence,
    )
    if scale_use is not None:
        write(result.scale_use(), scale_use)
    show.result(result, output, scale_use)


def traces(
    ctx: typer.Context,
    data: Annotated[Path, typer.Argument(help="Long table of traces (CSV) with a row per value.")],
    cluster: RequiredSubjects = "subject",
    targets: Targets = "subject,context,clip",
    ratings: Annotated[str, typer.Option(help="Column of the values.")] = "score",
    raters: Annotated[str, typer.Option(help="Column of the raters.")] = "rater",
    time: Annotated[str, typer.Option(help="Column of the times in seconds.")] = "time",
    rate: Annotated[
        float | None,
        typer.Option(help="Frames per second (default: from the median interval)."),
    ] = None,
    max_lag: Annotated[
        float, typer.Option(help="Largest lag of a rater in seconds; 0 to estimate none.")
    ] = 4.0,
    align: Annotated[bool, typer.Option("--align", help="Remove the lags of the raters.")] = False,
    confidence: Confidence = 0.95,
    lags: Annotated[
        Path | None,
        typer.Option("--lags", help=f"Write the lags here (CSV); {TO_STANDARD_OUTPUT}."),
    ] = None,
    output: Output = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Reliability of traces (ratings sampled over time), and lags between raters."""
    show = Showing(json, quiet)
    check_files(ctx, [data], None, overwrite=overwrite)
    from pyexpr.measurement.traces.reliability import trace_reliability

    labels = [*names_in(targets), raters, cluster]
    table = read_table(data, labels=labels, what="the traces")
    result = trace_reliability(
        table,
        targets=names_in(targets),
        ratings=ratings,
        raters=raters,
        time=time,
        cluster=cluster,
        rate=rate,
        max_lag=max_lag,
        align=align,
        confidence=confidence,
    )
    if lags is not None:
        write(result.lags(), lags)
    show.result(result, output, lags)
