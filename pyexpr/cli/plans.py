"""Command plan: how many subjects, clips and raters a new study needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pyexpr.cli.inputs import check_files, names_in, read_table
from pyexpr.cli.options import TO_STANDARD_OUTPUT, Json, Output, Overwrite, Quiet, one_of
from pyexpr.cli.showing import Showing, write

_METRICS = ("correlation", "rmse")


def plan(
    ctx: typer.Context,
    n_subjects: Annotated[
        str, typer.Option(help="Numbers of subjects of the new study, separated by commas.")
    ],
    data: Annotated[
        Path | None,
        typer.Argument(help="Table of a pilot (CSV), a row per clip, or per rating of a clip."),
    ] = None,
    n_clips: Annotated[
        str | None, typer.Option(help="Numbers of clips per subject (default: as in the pilot).")
    ] = None,
    n_raters: Annotated[
        str | None,
        typer.Option(help="Numbers of raters, for --reliability and --width."),
    ] = None,
    difference: Annotated[
        float | None,
        typer.Option(help="Difference of the metric between two models that should be found."),
    ] = None,
    slope: Annotated[
        float | None,
        typer.Option(help="Slope per standard deviation of the feature that should be found."),
    ] = None,
    reliability: Annotated[
        float | None,
        typer.Option(help="Value that the lower limit of the interval of the ICC should exceed."),
    ] = None,
    width: Annotated[
        float | None,
        typer.Option(help="Value that half the width of the interval of the ICC should reach."),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            help=f"Metric of --difference: {', '.join(_METRICS)}.",
            autocompletion=one_of(_METRICS),
        ),
    ] = None,
    truth: Annotated[str | None, typer.Option(help="Column of the true values.")] = None,
    predictions: Annotated[
        str | None, typer.Option(help="Columns of the two models, separated by commas.")
    ] = None,
    features: Annotated[
        str | None, typer.Option(help="Columns of the features, separated by commas.")
    ] = None,
    feature: Annotated[
        str | None, typer.Option(help="The feature whose slope should be found.")
    ] = None,
    form: Annotated[str | None, typer.Option(help="Form of the ICC, such as ICC(A,k).")] = None,
    targets: Annotated[
        str | None,
        typer.Option(help="Column(s) that together identify the clip, separated by commas."),
    ] = None,
    ratings: Annotated[str | None, typer.Option(help="Column of the ratings.")] = None,
    raters: Annotated[str | None, typer.Option(help="Column of the raters.")] = None,
    cluster: Annotated[
        str | None,
        typer.Option(help='Column of the subjects of a pilot. The default is "subject".'),
    ] = None,
    context: Annotated[
        str | None, typer.Option(help="Column of the contexts, each of which is planned.")
    ] = None,
    published: Annotated[
        list[str] | None,
        typer.Option(
            help='Published number instead of a pilot, such as "correlation=0.4". May be repeated.'
        ),
    ] = None,
    power: Annotated[
        float, typer.Option(help="Power that the study should have, for --required.")
    ] = 0.8,
    required: Annotated[
        Path | None,
        typer.Option(
            help="Write the numbers of subjects that the power requires here (CSV); "
            f"{TO_STANDARD_OUTPUT}."
        ),
    ] = None,
    confidence: Annotated[float, typer.Option(help="Level of the intervals.")] = 0.95,
    n_studies: Annotated[int, typer.Option(help="Simulated studies of each design.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.")] = 0,
    output: Output = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """How many subjects, clips and raters a new study needs, from a pilot."""
    show = Showing(json, quiet)
    check_files(ctx, [data] if data else [], None, overwrite=overwrite)
    from pyexpr.planning.plan_study import plan_study

    # Published numbers have no columns.
    if data is not None and cluster is None:
        cluster = "subject"
    labels = [*names_in(targets), *(one for one in (cluster, raters, context) if one)]
    result = plan_study(
        None if data is None else read_table(data, labels=labels, what="the pilot"),
        n_subjects=_numbers(n_subjects, "--n-subjects"),
        n_clips=None if n_clips is None else _numbers(n_clips, "--n-clips"),
        n_raters=None if n_raters is None else _numbers(n_raters, "--n-raters"),
        difference=difference,
        slope=slope,
        reliability=reliability,
        width=width,
        metric=metric,
        truth=truth,
        predictions=names_in(predictions) or None,
        features=names_in(features) or None,
        feature=feature,
        form=form,
        targets=names_in(targets) or None,
        ratings=ratings,
        raters=raters,
        cluster=cluster,
        context=context,
        published=dict(map(_pair, published)) if published else None,
        power=power,
        confidence=confidence,
        n_studies=n_studies,
        seed=seed,
        progress=show.progress,
    )
    if required is not None:
        write(result.required(), required)
    show.result(result, output, required)


def _numbers(text: str, option: str) -> list[int]:
    try:
        return [int(part) for part in names_in(text)]
    except ValueError:
        raise typer.BadParameter(f"{option} must be whole numbers, not {text!r}") from None


def _pair(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise typer.BadParameter(f"--published must be name=number, not {text!r}") from None
