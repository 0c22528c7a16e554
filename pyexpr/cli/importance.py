"""Command importance: how much a model relies on each feature, on subjects it was not fitted to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pyexpr.cli.inputs import check_files, class_of, names_in, read_table
from pyexpr.cli.options import (
    TO_STANDARD_OUTPUT,
    Json,
    NJobs,
    Output,
    Overwrite,
    Quiet,
    one_of,
    several_of,
)
from pyexpr.cli.showing import Showing, write

_KINDS = ("rows", "within", "subjects")
_OF_NUMBERS = ("rmse", "mse", "mae", "correlation")
_OF_CLASSES = ("accuracy", "balanced_accuracy", "f1", "f1_macro", "kappa", "brier", "log_loss")
_FITTED = ("regression", "classification")
_OF = ("fitted models", "procedure")
_CORRELATED = "correlated"


def importance(
    ctx: typer.Context,
    data: Annotated[Path, typer.Argument(help="Table (CSV) with a row per clip.")],
    label: Annotated[str, typer.Option(help="Column of the score or class that models predict.")],
    features: Annotated[str, typer.Option(help="Columns of the features, separated by commas.")],
    cluster: Annotated[str, typer.Option(help="Column of the subjects.")] = "subject",
    context: Annotated[str | None, typer.Option(help="Column of the contexts.")] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Full name of a model of scikit-learn, such as "
            "sklearn.ensemble.RandomForestRegressor; by default the elastic net of this package."
        ),
    ] = None,
    context_as: Annotated[
        str,
        typer.Option(
            help="How the context enters the model: separate (a model for each context), pooled, "
            "feature; separated by commas.",
            autocompletion=several_of(("separate", "pooled", "feature")),
        ),
    ] = "separate",
    groups: Annotated[
        str | None,
        typer.Option(
            help='Features that are exchanged together: "correlated", or groups such as '
            '"mouth=smile+smile_velocity,head=nod+turn".'
        ),
    ] = None,
    threshold: Annotated[
        float, typer.Option(help="Lowest absolute correlation for --groups correlated.")
    ] = 0.7,
    permute: Annotated[
        str,
        typer.Option(
            help="What is exchanged: rows (values of clips of other subjects), within (of other "
            "clips of the subject), subjects (means of other subjects).",
            autocompletion=one_of(_KINDS),
        ),
    ] = "rows",
    metrics: Annotated[
        str | None,
        typer.Option(
            help=f"Metrics, separated by commas: {', '.join(_OF_NUMBERS)} of scores, and "
            f"{', '.join(_OF_CLASSES)} of classes; by default rmse or accuracy.",
            autocompletion=several_of((*_OF_NUMBERS, *_OF_CLASSES)),
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            help="Regression or classification; by default text and truth values are classes, and "
            "numbers are scores.",
            autocompletion=one_of(_FITTED),
        ),
    ] = None,
    positive: Annotated[
        str | None, typer.Option(help="The class to which f1 and brier refer.")
    ] = None,
    n_repeats: Annotated[
        str, typer.Option(help='Number of others whose values each clip is given, or "all".')
    ] = "20",
    interval_for: Annotated[
        str,
        typer.Option(
            help='What the intervals refer to: "fitted models", or "procedure", for which models '
            "are fitted again without each subject.",
            autocompletion=one_of(_OF),
        ),
    ] = "fitted models",
    folds: Annotated[int, typer.Option(help="Folds of subjects of the cross-validation.")] = 5,
    confidence: Annotated[float, typer.Option(help="Level of the intervals.")] = 0.95,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.")] = 0,
    contrasts: Annotated[
        Path | None,
        typer.Option(
            help=f"Write the differences between contexts to this file (CSV); {TO_STANDARD_OUTPUT}."
        ),
    ] = None,
    n_jobs: NJobs = None,
    output: Output = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fit a model by cross-validation, and print how much it relies on each feature."""
    show = Showing(json, quiet)
    check_files(ctx, [data], None, overwrite=overwrite)
    from pyexpr.modeling.fitting.fit_models import fit_models
    from pyexpr.modeling.importance.importance import feature_importance

    labels = [cluster, *names_in(context)]
    table = read_table(data, labels=labels, what="the table", classes=[label])
    fitted = fit_models(
        table,
        label=label,
        features=names_in(features),
        cluster=cluster,
        context=context,
        kind=kind,
        positive=class_of(table, label, positive),
        models=None if model is None else {model.rpartition(".")[2]: model},
        context_as=names_in(context_as),
        folds=folds,
        seed=seed,
        n_jobs=n_jobs,
        progress=show.progress,
    )
    result = feature_importance(
        fitted,
        groups=_groups(groups),
        threshold=threshold,
        permute=permute,
        metrics=names_in(metrics) or None,
        n_repeats=int(n_repeats) if n_repeats.isdecimal() else n_repeats,
        interval_for=interval_for,
        confidence=confidence,
        seed=seed,
        n_jobs=n_jobs,
        progress=show.progress,
    )
    if contrasts is not None:
        write(result.contrasts().tidy(), contrasts)
    show.result(result, output, contrasts)


def _groups(text: str | None) -> Any:
    """Return groups as the function takes them."""
    from pyexpr.base.errors import DataError
    from pyexpr.base.messages import say

    if text is None or text == _CORRELATED:
        return text
    found = {}
    for part in names_in(text):
        name, equals, members = part.partition("=")
        if not equals or name.strip() in found:
            raise DataError(
                say(
                    '{groups=} must be "correlated", or groups with different names, such as '
                    "mouth=smile+smile_velocity,head=nod+turn, not {given!r}",
                    given=text,
                )
            )
        found[name.strip()] = [one.strip() for one in members.split("+") if one.strip()]
    return found
