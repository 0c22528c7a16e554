"""Command ceiling: models beside the highest performance that the ratings allow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pyexpr.base.interval_methods import DEFAULT, WITHOUT_ERRORS
from pyexpr.cli.inputs import check_files, names_in, read_table
from pyexpr.cli.options import (
    Confidence,
    Json,
    Output,
    Overwrite,
    Quiet,
    Raters,
    Ratings,
    RatingsFile,
    Replicates,
    RequiredSubjects,
    Seed,
    Targets,
    one_of,
)
from pyexpr.cli.showing import Showing

_FORMS = ("ICC(1,k)", "ICC(C,k)")


def ceiling(
    ctx: typer.Context,
    data: Annotated[
        Path, typer.Argument(help="Table (CSV) with a row per clip and a column per model.")
    ],
    ratings_table: RatingsFile,
    predictions: Annotated[str, typer.Option(help="Columns of the models, separated by commas.")],
    targets: Targets = "subject,context,clip",
    truth: Annotated[
        str, typer.Option(help="Column of the true values, computed from the ratings.")
    ] = "truth",
    cluster: RequiredSubjects = "subject",
    ratings: Ratings = "score",
    raters: Raters = None,
    question: Annotated[
        str | None,
        typer.Option(help="Column of the questions, if the truth combines several of them."),
    ] = None,
    context: Annotated[
        str | None,
        typer.Option(help="Column of the contexts, in each of which it is computed separately."),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            help="What counts as error of the ratings: ICC(1,k), all differences between raters; "
            "ICC(C,k), these without their severity, if all raters rated all clips.",
            autocompletion=one_of(_FORMS),
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help=f"Method of the intervals: {', '.join(WITHOUT_ERRORS)}. The default is {DEFAULT}.",
            autocompletion=one_of(WITHOUT_ERRORS),
        ),
    ] = None,
    n_boot: Replicates = 2000,
    confidence: Confidence = 0.95,
    seed: Seed = 0,
    output: Output = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Models beside the highest performance that the reliability of the ratings allows."""
    show = Showing(json, quiet)
    check_files(ctx, [data, ratings_table], None, overwrite=overwrite)
    from pyexpr.inference.ceiling.ceiling import rating_ceiling

    keys = names_in(targets)
    rows = read_table(
        data, labels=[*keys, cluster, *names_in(context)], what="the table of predictions"
    )
    rated = read_table(
        ratings_table, labels=[*keys, *names_in(raters), *names_in(question)], what="the ratings"
    )
    result = rating_ceiling(
        rows,
        rated,
        truth=truth,
        predictions=names_in(predictions),
        targets=keys,
        cluster=cluster,
        ratings=ratings,
        raters=raters,
        question=question,
        context=context,
        form=form,
        method=method,
        n_boot=n_boot,
        confidence=confidence,
        seed=seed,
        progress=show.progress,
    )
    show.result(result, output)
