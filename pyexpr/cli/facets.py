"""Commands for ratings with several facets: components, multilevel."""

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
    Raters,
    Ratings,
    RatingsFile,
    RequiredSubjects,
)
from pyexpr.cli.showing import Showing, write


def components(
    ctx: typer.Context,
    data: RatingsFile,
    facets: Annotated[
        str,
        typer.Option(
            help="Columns of the facets, separated by commas; the first is the object of "
            "measurement."
        ),
    ],
    ratings: Ratings = "score",
    nested: Annotated[
        list[str] | None,
        typer.Option(
            help='Nesting: "clip=subject" if clips are nested within subjects. May be repeated.'
        ),
    ] = None,
    repeated: Annotated[
        bool, typer.Option("--replicates", help="A cell of all facets may have several ratings.")
    ] = False,
    context: Contexts = None,
    confidence: Confidence = 0.95,
    levels: Annotated[
        list[str] | None,
        typer.Option(
            help='Numbers of levels of a facet, such as "rater=2,4,8", for which the reliability '
            "of means is computed as well. May be repeated."
        ),
    ] = None,
    projection: Annotated[
        Path | None,
        typer.Option(help=f"Write the reliabilities of --levels here (CSV); {TO_STANDARD_OUTPUT}."),
    ] = None,
    output: Output = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Variance components of several facets, and the reliability of other numbers of levels."""
    show = Showing(json, quiet)
    check_files(ctx, [data], None, overwrite=overwrite)
    from pyexpr.measurement.components.variance_components import variance_components

    names = names_in(facets)
    table = read_table(data, labels=[*names, *names_in(context)], what="the ratings")
    result = variance_components(
        table,
        ratings=ratings,
        facets=names,
        nested=dict(_pair(text, "--nested") for text in nested or []),
        replicates=repeated,
        context=names_in(context) or None,
        confidence=confidence,
    )
    if levels:
        found = result.d_study(
            {name: _numbers(text) for name, text in (_pair(one, "--levels") for one in levels)}
        )
        if projection is None:
            show.result(found, output)
            return
        write(found.tidy(), projection)
    elif projection is not None:
        raise typer.BadParameter("--projection requires --levels, such as --levels rater=2,4,8")
    show.result(result, output, projection)


def multilevel(
    ctx: typer.Context,
    data: RatingsFile,
    targets: Annotated[
        str,
        typer.Option(
            help="Column(s) that together identify the rated target within its subject, separated "
            "by commas."
        ),
    ] = "context,clip",
    ratings: Ratings = "score",
    cluster: RequiredSubjects = "subject",
    raters: Raters = None,
    context: Contexts = None,
    k: Annotated[
        float | None, typer.Option(help="Number of raters (default: as in the ratings).")
    ] = None,
    confidence: Confidence = 0.95,
    output: Output = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Reliability of targets within subjects, and of subjects (multilevel ICCs)."""
    show = Showing(json, quiet)
    check_files(ctx, [data], None, overwrite=overwrite)
    from pyexpr.measurement.multilevel.multilevel_icc import multilevel_icc

    labels = [*names_in(targets), *names_in(context), *names_in(raters), cluster]
    table = read_table(data, labels=labels, what="the ratings")
    result = multilevel_icc(
        table,
        targets=names_in(targets),
        ratings=ratings,
        cluster=cluster,
        raters=raters,
        context=names_in(context) or None,
        k=k,
        confidence=confidence,
    )
    show.result(result, output)


def _pair(text: str, option: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name.strip() or not value.strip():
        raise typer.BadParameter(f"{option} must be name=value, not {text!r}")
    return name.strip(), value.strip()


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in names_in(text)]
    except ValueError:
        raise typer.BadParameter(f"--levels must end in numbers, not {text!r}") from None
