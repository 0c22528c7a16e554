"""Commands for whole studies: run, init, check, report."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pyexpr.base.visible import visible
from pyexpr.cli.inputs import check_standard_output, refuse_standard_output
from pyexpr.cli.options import (
    NONE,
    STANDARD_OUTPUT,
    TO_STANDARD_OUTPUT,
    Cluster,
    Json,
    NJobs,
    Overwrite,
    Quiet,
    StudyOutput,
)
from pyexpr.cli.showing import Showing, write_bytes


def run(
    study: Annotated[Path, typer.Argument(help="The study file (TOML).")],
    output: StudyOutput = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Also replace files that no run wrote, or that were changed since. Input files"
            " are never replaced.",
        ),
    ] = False,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Read every recording to verify its hash. By default a file counts as unchanged"
            " if its size and times are the same as when it was hashed.",
        ),
    ] = False,
    clean: Annotated[
        bool,
        typer.Option(
            "--clean",
            help="After the run, remove stored features that belong to recordings or options that"
            " the study no longer uses.",
        ),
    ] = False,
    cluster: Cluster = None,
    n_jobs: NJobs = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run a whole study and write its tables, figures, record.json and report.

    Several processes can train each network together. Start them by torchrun (torchrun
    --nproc_per_node 2 -m pyexpr run study.toml) or by Slurm's srun. The first process does all
    other work and writes the results.
    """
    from pyexpr.study.pipeline import Study, in_one_process
    from pyexpr.study.results.summary import print_summary, shown_facts

    refuse_standard_output(output, "a folder")
    show = Showing(json, quiet)
    planned = Study.from_file(study, output=output, cluster=cluster, n_jobs=n_jobs)

    def work() -> None:
        result = planned.run(progress=not quiet, overwrite=overwrite, verify=verify, clean=clean)
        if json:
            show.result(result, **shown_facts(result))
        elif not quiet:
            print_summary(result)

    in_one_process(planned, work)


def init(
    folder: Annotated[Path, typer.Argument(help="The folder that contains the tables.")] = Path(),
    ratings: Annotated[str | None, typer.Option(help=f"Table of ratings{NONE}.")] = None,
    features: Annotated[str | None, typer.Option(help=f"Table of features{NONE}.")] = None,
    recordings: Annotated[str | None, typer.Option(help=f"Table of recordings{NONE}.")] = None,
    subject: Annotated[str | None, typer.Option(help="Column of the subjects.")] = None,
    context: Annotated[str | None, typer.Option(help=f"Column of the contexts{NONE}.")] = None,
    clip: Annotated[str | None, typer.Option(help="Column of the clips.")] = None,
    rater: Annotated[str | None, typer.Option(help="Column of the raters.")] = None,
    question: Annotated[str | None, typer.Option(help="Column of the questions.")] = None,
    score: Annotated[str | None, typer.Option(help="Column of the scores.")] = None,
    label: Annotated[
        str | None,
        typer.Option(
            help="What the models predict: factor, mean, or questions separated by commas."
            " Without ratings, columns of the table of features."
        ),
    ] = None,
    clip_seconds: Annotated[
        float | None,
        typer.Option(help="Length, in seconds, of the clips 1, 2, ... of a recording."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Accept all proposals without asking.")
    ] = False,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a study file for the tables in a folder, and explain each choice in a comment."""
    from pyexpr.study.init.init_study import init_study

    show = Showing(json, quiet)
    interactive = sys.stdin.isatty() and sys.stdout.isatty() and not (yes or json or quiet)
    found = init_study(
        folder,
        ratings=ratings,
        features=features,
        recordings=recordings,
        subject=subject,
        context=context,
        clip=clip,
        rater=rater,
        question=question,
        score=score,
        label=label,
        clip_seconds=clip_seconds,
        yes=yes,
        overwrite=overwrite,
        ask=_ask if interactive else None,
    )
    if not quiet or found.problems:
        show.page(found)
    if found.problems:
        raise typer.Exit(1)


def _ask(question: str, choices: Sequence[str], proposed: str | None) -> str:
    """Ask on the terminal; an empty answer takes what is proposed."""
    typer.echo(visible(f"{question} ({', '.join(choices)})"))
    # What is proposed is shown as it is typed; a name that cannot be typed so is taken by Enter.
    answer = str(typer.prompt("Answer", default=None if proposed is None else visible(proposed)))
    return proposed if proposed is not None and answer == visible(proposed) else answer


def check(
    study: Annotated[Path, typer.Argument(help="The study file (TOML).")],
    output: StudyOutput = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Report what a study would do, with which data, and all problems. Nothing is computed."""
    from pyexpr.study.check_study import check_study

    refuse_standard_output(output, "a folder")
    show = Showing(json, quiet)
    found = check_study(study, output=output)
    if not quiet or not found.ok:
        show.page(found)
    if not found.ok:
        raise typer.Exit(1)


def report(
    ctx: typer.Context,
    results: Annotated[Path, typer.Argument(help="The folder of results written by run.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The file to write. The default is report.html in that folder. A name that ends "
            f"in .docx gives a Word document; {TO_STANDARD_OUTPUT}.",
        ),
    ] = None,
    altered: Annotated[
        bool,
        typer.Option(
            "--altered",
            help="Show tables and figures that were edited after the run, marked as altered.",
        ),
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Also replace a file that is not a report, or a report that was edited.",
        ),
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write the report of a study's results, as one HTML file or as a Word document.

    Tables and figures that were edited after the run are an error, unless --altered is given.
    """
    from pyexpr.study.results.report import study_report

    show = Showing(json, quiet)
    if output == STANDARD_OUTPUT:
        check_standard_output(ctx)
        from pyexpr.base.files import temporary_folder

        with temporary_folder() as folder:
            page = study_report(results, output=folder / "report.html", altered=altered)
            content = page.read_bytes()
        write_bytes(content)
        return
    written = study_report(results, output=output, altered=altered, overwrite=overwrite)
    show.line(f"Report: {written}", report=str(written))
