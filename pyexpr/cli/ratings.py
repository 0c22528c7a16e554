"""Commands for ratings: icc, agreement, cfa."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pyexpr.cli.inputs import categories_in, check_files, forms_in, names_in, read_table, study_of
from pyexpr.cli.options import (
    OR_STUDY,
    TO_STANDARD_OUTPUT,
    Confidence,
    Contexts,
    Json,
    Output,
    Overwrite,
    Quiet,
    Raters,
    Ratings,
    RatingsFile,
    Subjects,
    Targets,
    one_of,
)
from pyexpr.cli.showing import Showing, write

_ENGINES = ("auto", "rpy2", "rscript", "native")
_LEVELS = ("nominal", "ordinal", "interval", "ratio")
_WEIGHTS = ("identity", "ordinal", "linear", "quadratic", "radical", "ratio")
_SCORES = ("bartlett", "regression")


def icc(
    ctx: typer.Context,
    data: Annotated[Path, typer.Argument(help=f"Table with one rating per row (CSV), {OR_STUDY}.")],
    targets: Targets = "subject,context,clip",
    ratings: Ratings = "score",
    raters: Raters = None,
    context: Annotated[
        str,
        typer.Option(
            help="Columns whose combinations of values define the contexts, separated by commas. "
            'A coefficient is computed in each context; "" means no contexts.'
        ),
    ] = "question",
    cluster: Subjects = None,
    form: Annotated[
        str, typer.Option(help='"all", or forms separated by commas, such as "ICC(1,k)".')
    ] = "all",
    confidence: Confidence = 0.95,
    output: Output = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Estimate inter-rater reliability by intraclass correlations."""
    show = Showing(json, quiet)
    study = study_of(ctx, data)
    check_files(ctx, [data], study, overwrite=overwrite)
    if study is not None:
        show.table("reliability", study.reliability().tables["reliability"], output)
        return
    from pyexpr.measurement.icc.icc import icc as compute

    labels = [*names_in(targets), *names_in(context), *names_in(raters), *names_in(cluster)]
    table = read_table(data, labels=labels, what="the ratings")
    forms = form if form == "all" else forms_in(form)
    result = compute(
        table,
        targets=names_in(targets),
        ratings=ratings,
        raters=raters,
        context=names_in(context) or None,
        cluster=cluster,
        form=forms,
        confidence=confidence,
    )
    show.result(result, output)


def agreement(
    ctx: typer.Context,
    data: RatingsFile,
    targets: Targets = "subject,context,clip",
    ratings: Annotated[str, typer.Option(help="Column of the chosen categories.")] = "score",
    raters: Raters = None,
    context: Contexts = None,
    cluster: Subjects = None,
    coefficient: Annotated[
        str,
        typer.Option(
            help='"all", or a selection of percent_agreement, cohen_kappa, fleiss_kappa, '
            "brennan_prediger, gwet_ac, krippendorff_alpha, separated by commas."
        ),
    ] = "all",
    level: Annotated[
        str,
        typer.Option(
            help="Level of measurement of the categories: nominal, ordinal, interval or ratio.",
            autocompletion=one_of(_LEVELS),
        ),
    ] = "nominal",
    weights: Annotated[
        str | None,
        typer.Option(
            help="Weights of the agreement of two categories: identity, ordinal, linear, "
            "quadratic, radical or ratio. By default they follow from the level.",
            autocompletion=one_of(_WEIGHTS),
        ),
    ] = None,
    categories: Annotated[
        str | None,
        typer.Option(help="All categories, in their order, separated by commas."),
    ] = None,
    confidence: Confidence = 0.95,
    by_category: Annotated[
        Path | None,
        typer.Option(
            "--by-category",
            help="Write the specific agreement of each category to this file (CSV); "
            f"{TO_STANDARD_OUTPUT}.",
        ),
    ] = None,
    output: Output = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Estimate the agreement of raters on categories, corrected for chance."""
    show = Showing(json, quiet)
    check_files(ctx, [data], None, overwrite=overwrite)
    from pyexpr.measurement.agreement.agreement import agreement as compute

    labels = [*names_in(targets), *names_in(context), *names_in(raters), *names_in(cluster)]
    table = read_table(data, labels=labels, what="the ratings", classes=[ratings])
    result = compute(
        table,
        targets=names_in(targets),
        ratings=ratings,
        raters=raters,
        context=names_in(context) or None,
        cluster=cluster,
        coefficient="all" if coefficient == "all" else names_in(coefficient),
        level=level,
        weights=weights,
        categories=categories_in(table, ratings, categories),
        confidence=confidence,
    )
    if by_category is not None:
        write(result.by_category(), by_category)
    show.result(result, output, by_category)


def cfa(
    ctx: typer.Context,
    data: Annotated[
        Path,
        typer.Argument(
            help=f"Table with a row per clip and a column per indicator (CSV), {OR_STUDY}."
        ),
    ],
    indicators: Annotated[
        str | None, typer.Option(help="Columns of the indicators, separated by commas.")
    ] = None,
    factor: Annotated[str, typer.Option(help="Name of the factor.")] = "expressiveness",
    context: Annotated[
        str | None,
        typer.Option(help="Column of the contexts. The model is fitted in each context."),
    ] = None,
    positive: Annotated[
        str | None,
        typer.Option(help="Indicator whose loading is positive; the default is the first."),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            help="Software: auto, rpy2, rscript or native.", autocompletion=one_of(_ENGINES)
        ),
    ] = "auto",
    scores: Annotated[
        Path | None,
        typer.Option(help=f"Write the scores to this file (CSV); {TO_STANDARD_OUTPUT}."),
    ] = None,
    method: Annotated[
        str,
        typer.Option(help="Scores: bartlett or regression.", autocompletion=one_of(_SCORES)),
    ] = "bartlett",
    output: Output = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fit a model with one factor, and compute factor scores."""
    show = Showing(json, quiet)
    study = study_of(ctx, data)
    check_files(ctx, [data], study, overwrite=overwrite)
    if study is not None:
        tables = study.factor_model().tables
        if scores is not None:
            write(tables["scores"], scores)
        show.table("parameters", tables["parameters"], output)
        return
    from pyexpr.measurement.factor.cfa import cfa as compute

    if not names_in(indicators):
        raise typer.BadParameter("name the columns: --indicators response,emotion,motion")
    table = read_table(data, labels=names_in(context), what="data")
    fit = compute(
        table, {factor: names_in(indicators)}, context=context, engine=engine, positive=positive
    )
    if scores is not None:
        found = fit.scores(method=method).add_prefix(f"{method}_")
        write(table.drop(columns=found.columns, errors="ignore").join(found), scores)
    show.result(fit, output, scores)
