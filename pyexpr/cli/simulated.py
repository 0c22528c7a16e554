"""Commands that simulate a study: simulate, demo, paper."""

from __future__ import annotations

from json import loads
from pathlib import Path
from typing import Annotated

import typer

from pyexpr.cli.inputs import refuse_standard_output
from pyexpr.cli.options import Json, Overwrite, Quiet
from pyexpr.cli.showing import Showing


def simulate(
    folder: Annotated[
        Path, typer.Argument(help="An empty folder, or one that this command wrote.")
    ],
    subjects: Annotated[int, typer.Option(help="Number of subjects.")] = 40,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.")] = 1,
    videos: Annotated[bool, typer.Option(help="Also draw a video of each recording.")] = False,
    video_size: Annotated[int, typer.Option(help="Width and height of the videos in pixels.")] = 64,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace the files of an earlier simulation even if they have been changed.",
        ),
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Simulate a study: ratings, OpenFace recordings, a study file and the true values."""
    from pyexpr.simulation.simulate import simulate_study

    show = Showing(json, quiet)
    result = simulate_study(
        folder,
        subjects=subjects,
        seed=seed,
        videos=videos,
        video_size=video_size,
        overwrite=overwrite,
        progress=show.progress,
    )
    if json:
        show.page(result)
    else:
        show.line(result.heading())


def demo(
    folder: Annotated[Path, typer.Argument(help="The folder in which to write the study.")],
    subjects: Annotated[
        int | None, typer.Option(help="Number of subjects; the default is 40, or 20 with --deep.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.")] = 1,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also simulate videos and train the deep models.")
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace the files of an earlier demo even if they have been changed.",
        ),
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Simulate a study, run it, and compare its results with the true values and the paper."""
    from pyexpr.paper.beside_truth import print_beside_truth
    from pyexpr.simulation.simulate import simulate_study
    from pyexpr.study.pipeline import Study
    from pyexpr.study.results.result import StudyResult
    from pyexpr.study.results.summary import shown_facts

    show = Showing(json, quiet)
    number = subjects if subjects is not None else 20 if deep else 40
    simulated = simulate_study(
        folder,
        subjects=number,
        seed=seed,
        videos=deep,
        overwrite=overwrite,
        progress=show.progress,
    )
    if not json:
        show.line(simulated.heading())
    study = simulated.deep_study_file if deep else simulated.study_file
    result = Study.from_file(study).run(progress=not quiet, overwrite=overwrite)
    assert isinstance(result, StudyResult)
    truth = folder / "truth.json"
    if json:
        more = {"truth": loads(truth.read_text(encoding="utf-8"))}
        show.result(result, **shown_facts(result), **more)
    elif not quiet:
        print_beside_truth(result, truth)


def paper(
    subjects: Annotated[
        int | None,
        typer.Option(help="Number of simulated subjects; the default is that of the paper, 140."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.")] = 1,
    quick: Annotated[
        bool, typer.Option("--quick", help="Use only 20 subjects and 200 replicates, as a trial.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for paper.html, paper.csv and the tables."),
    ] = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare the paper's numbers with values recomputed from them and with a simulated study."""
    from pyexpr.base.files import writable_folder
    from pyexpr.paper.reproduce import PAPER_SUBJECTS, QUICK, check_paper_folder, reproduce_paper
    from pyexpr.report.tables.console import to_console

    refuse_standard_output(output, "a folder")
    show = Showing(json, quiet)
    if quick and subjects is not None:
        raise typer.BadParameter("--quick says how many subjects: give it or --subjects")
    if output is not None:
        # Known now, not after a minute.
        check_paper_folder(output, overwrite=overwrite)
        writable_folder(output)
    size = QUICK if quick else {"subjects": PAPER_SUBJECTS if subjects is None else subjects}
    result = reproduce_paper(seed=seed, progress=not quiet, **size)
    if output is not None:
        result.write(output, overwrite=overwrite)
    if json:
        show.result(result)
        return
    if not (quiet and output is not None):
        for display in result.displays().values():
            to_console(display)
            typer.echo()
        typer.echo(result.heading())
        show.notes(result)
    if output is not None:
        show.line(f"Page and tables: {output / 'paper.html'}")
