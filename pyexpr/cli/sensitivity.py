"""Commands for the robustness of conclusions: sensitivity, errors."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pyexpr.cli.inputs import check_files, names_in, read_table
from pyexpr.cli.options import TO_STANDARD_OUTPUT, Cluster, Json, Output, Overwrite, Quiet
from pyexpr.cli.showing import Showing, write

if TYPE_CHECKING:
    from pyexpr.study.sensitivity.result import SensitivityResult

_FORMATS = (".pdf", ".png", ".svg")
_OPENING, _CLOSING, _QUOTES = "[{", "]}", "\"'"


def sensitivity(
    ctx: typer.Context,
    study: Annotated[Path, typer.Argument(help="The study file (TOML).")],
    changes: Annotated[
        list[str],
        typer.Option(
            "--set",
            help="An entry of the study file and its other values, separated by commas: "
            "features.min_confidence=0.8,0.9. default leaves the entry out. May be repeated.",
        ),
    ],
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="Combine all values of all entries. By default one entry is changed at a time.",
        ),
    ] = False,
    of: Annotated[
        str | None,
        typer.Option(
            help="Tables with conclusions, separated by commas: comparison, reliability, "
            "coefficients. The default is all."
        ),
    ] = None,
    label: Annotated[str | None, typer.Option(help="The label, if the study has several.")] = None,
    summary: Annotated[
        Path | None,
        typer.Option(
            help="Write the summary of each conclusion here (CSV); "
            f"{TO_STANDARD_OUTPUT}. --output writes the row of every specification."
        ),
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option(
            help="Write the specification curve here; the name ends in .pdf, .svg or .png. It "
            "shows the first difference of two models, unless --quantity, --context, --metric "
            "or --term name another conclusion."
        ),
    ] = None,
    quantity: Annotated[
        str | None, typer.Option(help="What --figure shows, as in the summary.")
    ] = None,
    context: Annotated[str | None, typer.Option(help="The context that --figure shows.")] = None,
    metric: Annotated[str | None, typer.Option(help="The metric that --figure shows.")] = None,
    term: Annotated[
        str | None, typer.Option(help="The model, models, question or feature of --figure.")
    ] = None,
    cluster: Cluster = None,
    n_jobs: Annotated[
        int | None,
        typer.Option(
            "--n-jobs",
            help="Number of specifications at a time on this computer; -1 is one per processor.",
            show_default=False,
        ),
    ] = None,
    output: Output = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Conclusions of a study under other thresholds, rates, methods: a specification curve.

    Stages are stored in the folder of the study's results, and each different stage is computed
    only once. The results of the study itself are not changed.
    """
    from pyexpr.study.pipeline import Study
    from pyexpr.study.sensitivity.sensitivity import sensitivity as computed

    show = Showing(json, quiet)
    planned = Study.from_file(study, cluster=cluster)
    check_files(ctx, [study], planned, overwrite=overwrite)
    _check_figure(figure)
    shown: dict[str, Any] = {
        "quantity": quantity,
        "context": context,
        "metric": metric,
        "term": term,
    }
    if figure is None and any(value is not None for value in shown.values()):
        raise typer.BadParameter("--quantity, --context, --metric and --term require --figure")
    result = computed(
        planned,
        grid_of(changes),
        full=full,
        of=names_in(of) or None,
        label=label,
        n_jobs=n_jobs,
        progress=show.progress,
    )
    if figure is not None:
        _write_figure(result, shown, figure)
    if summary is not None:
        write(result.summary(), summary)
    show.result(result, output, summary)


def errors(
    ctx: typer.Context,
    data: Annotated[
        Path, typer.Argument(help="Table (CSV) with a row per clip and a column per model.")
    ],
    predictions: Annotated[str, typer.Option(help="Columns of the models, separated by commas.")],
    properties: Annotated[
        str,
        typer.Option(
            help="Columns of properties of the clips, such as the share of valid frames, "
            "separated by commas."
        ),
    ],
    truth: Annotated[str, typer.Option(help="Column of the true values.")] = "truth",
    cluster: Annotated[str, typer.Option(help="Column of the subjects.")] = "subject",
    context: Annotated[str | None, typer.Option(help="Column of the contexts.")] = None,
    confidence: Annotated[float, typer.Option(help="Level of the intervals.")] = 0.95,
    contrasts: Annotated[
        Path | None,
        typer.Option(
            help=f"Write the differences between contexts here (CSV); {TO_STANDARD_OUTPUT}."
        ),
    ] = None,
    output: Output = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """How the errors of models depend on properties of clips, such as the tracking quality."""
    show = Showing(json, quiet)
    check_files(ctx, [data], None, overwrite=overwrite)
    from pyexpr.inference.error_slopes import error_slopes

    if contrasts is not None and context is None:
        raise typer.BadParameter("--contrasts requires --context")
    table = read_table(data, labels=[cluster, *names_in(context)], what="the table of predictions")
    result = error_slopes(
        table,
        truth=truth,
        predictions=names_in(predictions),
        properties=names_in(properties),
        cluster=cluster,
        context=context,
        confidence=confidence,
    )
    if contrasts is not None:
        write(result.contrasts(), contrasts)
    show.result(result, output, contrasts)


def _check_figure(figure: Path | None) -> None:
    if figure is not None and figure.suffix.lower() not in _FORMATS:
        raise typer.BadParameter(f"--figure must end in {', '.join(_FORMATS)}, not {figure.name!r}")


def _write_figure(result: SensitivityResult, shown: dict[str, Any], path: Path) -> None:
    from pyexpr.base.files import whole_file
    from pyexpr.figures.plotting import PNG_DPI, style

    form = path.suffix.lower().removeprefix(".")
    about = {} if form == "pdf" else {"Description": f"The specification curve. {result.heading()}"}
    # No date, so that equal results are equal bytes.
    date = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[form]
    drawn = result.plot(**shown)
    with style(), whole_file(path) as part:
        drawn.savefig(part, format=form, dpi=PNG_DPI, metadata=about | date)


def grid_of(changes: list[str]) -> dict[str, list[Any]]:
    """Return the entries and values of ``--set``.

    Examples
    --------
    >>> grid_of(["features.rate=4,10", 'features.leave_out=["a", "b"],["c"]', "seed=default"])
    {'features.rate': [4, 10], 'features.leave_out': [['a', 'b'], ['c']], 'seed': [None]}
    """
    found: dict[str, list[Any]] = {}
    for text in changes:
        entry, separator, values = text.partition("=")
        if not separator or not entry.strip() or not values.strip():
            raise typer.BadParameter(f"--set must be entry=value,value, not {text!r}")
        found.setdefault(entry.strip(), []).extend(_value(one) for one in _separated(values))
    return found


def _separated(text: str) -> Iterator[str]:
    """Yield the parts between commas that are not within brackets or quotes."""
    depth, quote, part = 0, "", ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in _QUOTES:
            quote = letter
        else:
            depth += (letter in _OPENING) - (letter in _CLOSING)
        if letter == "," and depth == 0 and not quote:
            yield part.strip()
            part = ""
        else:
            part += letter
    yield part.strip()


def _value(text: str) -> Any:
    """Return a value of a study file; a word needs no quotes."""
    if text == "default":
        return None
    try:
        return tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        pass
    try:
        # Numbers such as .8, which TOML does not have.
        return float(text)
    except ValueError:
        return text
