"""Commands for models: fit, compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pyexpr.base.errors import Interrupted, StudyError
from pyexpr.base.interval_methods import DEFAULT, INTERVAL_METHODS
from pyexpr.base.metrics import OF_CLASSES, OF_NUMBERS
from pyexpr.cli.inputs import (
    check_files,
    class_of,
    is_parquet,
    names_in,
    read_table,
    study_from,
    study_of,
    whole_numbers,
)
from pyexpr.cli.options import (
    OR_STUDY,
    TO_STANDARD_OUTPUT,
    Cluster,
    Confidence,
    Json,
    NJobs,
    Output,
    Overwrite,
    Quiet,
    Replicates,
    Seed,
    one_of,
    several_of,
)
from pyexpr.cli.showing import Showing, write

if TYPE_CHECKING:
    from pyexpr.study.pipeline import Study


def fit(
    ctx: typer.Context,
    study: Annotated[Path, typer.Argument(help="The study file (TOML).")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help=f"Write the predictions for the test part here (CSV); {TO_STANDARD_OUTPUT}.",
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(help=f"Write the weights to this file (CSV); {TO_STANDARD_OUTPUT}."),
    ] = None,
    cluster: Cluster = None,
    n_jobs: NJobs = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fit the models of a study, print their weights and write the test predictions.

    Several processes can train its networks together, as described for pyexpr run.
    """
    from pyexpr.study.pipeline import in_one_process

    show = Showing(json, quiet)
    planned = study_from(study, cluster, n_jobs)
    check_files(ctx, [study], planned, overwrite=overwrite)
    in_one_process(planned, lambda: _fit(planned, show, output, weights, progress=not quiet))


def _fit(
    planned: Study, show: Showing, output: Path | None, weights: Path | None, *, progress: bool
) -> None:
    predictions, tables = planned.predictions(progress=progress), planned.models().tables
    found = tables.get("weights")
    if weights is not None:
        if found is None:
            raise StudyError(
                "this study has no table of weights, which an elastic net has that is fitted once "
                "(no cross-validation), to a number or to two classes; leave --weights out"
            )
        write(found, weights)
    if output is not None:
        write(predictions, output)
    if found is None:
        show.table("predictions", predictions, None, output)
    else:
        show.table("weights", found, None, output, weights)


def compare(
    ctx: typer.Context,
    data: Annotated[
        Path,
        typer.Argument(
            help="Table with a row per clip and a column per model (CSV, or a parquet file or a "
            f"folder of them, which are read in batches), {OR_STUDY}."
        ),
    ],
    truth: Annotated[str, typer.Option(help="Column of the true values.")] = "truth",
    predictions: Annotated[
        str | None, typer.Option(help="Columns of the models, separated by commas.")
    ] = None,
    cluster: Annotated[
        str,
        typer.Option(
            help="Column of the subjects; or two columns, separated by a comma, of rows that "
            "belong to two persons or crossed clusters."
        ),
    ] = "subject",
    context: Annotated[
        str | None,
        typer.Option(
            help="Column of the contexts. Models are compared in each context and over all of them."
        ),
    ] = None,
    metrics: Annotated[
        str,
        typer.Option(
            help=f"Metrics, separated by commas. Of numbers: {', '.join(OF_NUMBERS)}; of classes: "
            f"{', '.join(OF_CLASSES)}.",
            autocompletion=several_of([*OF_NUMBERS, *OF_CLASSES]),
        ),
    ] = "rmse,correlation",
    positive: Annotated[
        str | None, typer.Option(help="The positive class, to which predicted probabilities refer.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Lowest probability for which the positive class is predicted; default .5."
        ),
    ] = None,
    per: Annotated[
        str | None,
        typer.Option(help="Column of recordings. Metrics are computed in each one and averaged."),
    ] = None,
    score_range: Annotated[
        float | None,
        typer.Option(
            help="Width of the scale of the scores, for nrmse: 100 for scores from 0 to 100."
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help=f"Interval method: {', '.join(INTERVAL_METHODS)}. The default is {DEFAULT}.",
            autocompletion=one_of(INTERVAL_METHODS),
        ),
    ] = None,
    fold: Annotated[
        str | None,
        typer.Option(
            help="Column of the folds of cross-validation. Correlations, concordance and R2 are "
            "then computed within folds."
        ),
    ] = None,
    ratio: Annotated[bool, typer.Option("--ratio", help="Also compute ratios of errors.")] = False,
    n_boot: Replicates = 2000,
    confidence: Confidence = 0.95,
    seed: Seed = 0,
    replicates: Annotated[
        Path | None,
        typer.Option(
            help="Write the replicates to this file (CSV), one per row, with all digits; "
            f"{TO_STANDARD_OUTPUT}."
        ),
    ] = None,
    contrasts: Annotated[
        Path | None,
        typer.Option(
            help="Write the differences between contexts to this file (CSV), for each model and "
            f"each difference between two models; {TO_STANDARD_OUTPUT}."
        ),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(
            help="Test for practical equivalence in place of the comparison: the lowest and the "
            'highest difference that counts as equal, separated by a comma ("-0.02,0.02").'
        ),
    ] = None,
    null_difference: Annotated[
        str | None,
        typer.Option(
            help="Null value of the tests of differences: a number, or one for each metric "
            '("rmse=-0.02,correlation=0.05").'
        ),
    ] = None,
    output: Output = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare models on the same rows, with intervals that treat subjects as clusters."""
    show = Showing(json, quiet)
    study = study_of(ctx, data)
    check_files(ctx, [data], study, overwrite=overwrite)
    if study is not None:
        _compare_study(study, show, output)
        return
    from pyexpr.base.results import Result
    from pyexpr.inference.comparison.comparison import compare_models
    from pyexpr.resampling.equivalence import checked_bounds

    # Before the replicates, which may take long.
    bounds = None if region is None else checked_bounds(_numbers(region))
    if contrasts is not None and not names_in(context):
        raise typer.BadParameter(
            "--contrasts are differences between contexts, whose column --context names"
        )

    if not names_in(predictions):
        raise typer.BadParameter("name the models' columns: --predictions elastic_net,lstm")
    clusters = names_in(cluster)
    labels = [*clusters, *names_in(context), *names_in(fold), *names_in(per)]
    table: Any = data
    if not is_parquet(data):
        read = read_table(
            data,
            labels=labels,
            what="the table of predictions",
            classes=[truth, *names_in(predictions)],
        )
        table, positive = whole_numbers(read, labels), class_of(read, truth, positive)
    try:
        result = compare_models(
            table,
            truth=truth,
            predictions=names_in(predictions),
            cluster=tuple(clusters) if len(clusters) > 1 else cluster,
            context=context,
            metrics=names_in(metrics),
            score_range=score_range,
            positive=positive,
            threshold=threshold,
            per=per,
            method=method,
            fold=fold,
            ratio=ratio,
            n_boot=n_boot,
            confidence=confidence,
            null_difference=_nulls(null_difference),
            seed=seed,
            progress=show.progress,
        )
    except Interrupted as stop:
        if not isinstance(stop.result, Result):
            raise
        # Of the exception, in which a caller from Python would find them, nobody hears here.
        made = stop.result.provenance()["n_boot"]
        raise Interrupted(
            f"stopped by Ctrl-C after {made} of {n_boot} replicates: nothing is kept; a smaller "
            "--n-boot ends sooner"
        ) from None
    if replicates is not None:
        import pandas as pd

        names = result.tidy()[["metric", "term", "context"]].agg(": ".join, axis=1)
        write(pd.DataFrame(result.replicates, columns=list(names)), replicates)
    if contrasts is not None:
        write(result.contrasts().tidy(), contrasts)
    shown = result if bounds is None else result.equivalence(bounds)
    show.result(shown, output, replicates, contrasts)


def _nulls(text: str | None) -> Any:
    """Return a number, or the numbers of metrics; what is none stays text, as in `_numbers`."""
    if text is None:
        return 0.0
    if "=" not in text:
        return _numbers(text)[0] if "," not in text else text
    parts = [part.partition("=") for part in text.split(",")]
    return {name.strip(): _numbers(value)[0] for name, _, value in parts}


def _numbers(text: str) -> list[float | str]:
    """Split numbers at commas; what is none stays text, which the caller refuses."""
    found: list[float | str] = []
    for part in text.split(","):
        try:
            found.append(float(part))
        except ValueError:
            found.append(part)
    return found


def _compare_study(study: Study, show: Showing, output: Path | None) -> None:
    from pyexpr.study.pipeline import in_one_process

    def work() -> None:
        show.table("comparison", study.comparison().tables["comparison"], output)

    in_one_process(study, work)
