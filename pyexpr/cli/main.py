"""`pyexpr`: the command line. Arguments to the public functions to files and tables."""

from __future__ import annotations

from pyexpr.cli.start import BEFORE_THE_END, STATUS, ends_at_once, raises_interrupted, said

with ends_at_once(also_after=__name__ == "__main__"):
    import re
    import sys
    import warnings
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import contextmanager
    from pathlib import Path
    from typing import TYPE_CHECKING, Annotated, Any

    import typer
    from typer.core import TyperGroup

    from pyexpr.base.errors import DataError, Interrupted, PyexprError, StudyError
    from pyexpr.base.interval_methods import DEFAULT, INTERVAL_METHODS
    from pyexpr.base.messages import message_of
    from pyexpr.base.metrics import OF_CLASSES, OF_NUMBERS
    from pyexpr.base.options import FORMER_CONTEXT
    from pyexpr.cli.wording import with_options

if TYPE_CHECKING:
    import pandas as pd

    from pyexpr.base.results import Result
    from pyexpr.study.pipeline import Study


class _Commands(TyperGroup):
    """All commands; of an interrupt each says what is true of it."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        with _one_sentence():
            return super().make_context(*args, **kwargs)

    def resolve_command(self, ctx: Any, args: Any) -> Any:
        found = super().resolve_command(ctx, args)
        _options.clear()
        if found[1] is not None:
            _options.update(name for parameter in found[1].params for name in parameter.opts)
        return found

    def invoke(self, ctx: Any) -> Any:
        with _one_sentence(), _former_names():
            return super().invoke(ctx)


# Of the command that was asked for: sentences name them, not the arguments of Python.
_options: set[str] = set()


@contextmanager
def _former_names() -> Iterator[None]:
    """Answer an option that names the column of contexts otherwise."""
    try:
        yield
    except Exception as error:
        name = str(getattr(error, "option_name", ""))
        if name.removeprefix("--") not in FORMER_CONTEXT or "--context" not in _options:
            raise
        ctx = getattr(error, "ctx", None)
        raise typer.BadParameter(
            f"there is no option {name}; the column of contexts is --context", ctx=ctx
        ) from None


@contextmanager
def _one_sentence() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as stop:
        typer.echo(said(str(stop)), err=True)
        # Typer knows this status too, but would say nothing.
        raise typer.Exit(STATUS) from None


app = typer.Typer(
    cls=_Commands,
    help="Context-dependent models of expressiveness: reliability, factor scores, features, "
    "models, and their comparison.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_NONE = ', or "none"'
_OR_STUDY = "or a study file (TOML), which then decides everything"
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write the table here (CSV).")]
StudyOutput = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help="Folder for the results; by default the study file names it."
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace files that are there already; never one that is read.",
    ),
]


@app.command()
def run(
    study: Annotated[Path, typer.Argument(help="The study file (TOML).")],
    output: StudyOutput = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace files that no run wrote, or that were changed since; never one that is "
            "read.",
        ),
    ] = False,
) -> None:
    """Run a whole study: tables, figures, record.json, and the report."""
    from pyexpr.study.pipeline import Study
    from pyexpr.study.results.summary import print_summary

    planned = Study.from_file(study, output=output)
    print_summary(planned.run(progress=True, overwrite=overwrite))


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where the tables lie.")] = Path(),
    ratings: Annotated[str | None, typer.Option(help=f"Table of ratings{_NONE}.")] = None,
    features: Annotated[str | None, typer.Option(help=f"Table of features{_NONE}.")] = None,
    recordings: Annotated[str | None, typer.Option(help=f"Table of recordings{_NONE}.")] = None,
    subject: Annotated[str | None, typer.Option(help="Column of the subjects.")] = None,
    context: Annotated[str | None, typer.Option(help=f"Column of the contexts{_NONE}.")] = None,
    clip: Annotated[str | None, typer.Option(help="Column of the clips.")] = None,
    rater: Annotated[str | None, typer.Option(help="Column of the raters.")] = None,
    question: Annotated[str | None, typer.Option(help="Column of the questions.")] = None,
    score: Annotated[str | None, typer.Option(help="Column of the scores.")] = None,
    label: Annotated[
        str | None,
        typer.Option(
            help="What models learn: factor, mean, or questions by commas; without ratings, "
            "columns of the features."
        ),
    ] = None,
    clip_seconds: Annotated[
        float | None, typer.Option(help="How long the clips 1, 2, ... of a recording are.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Take what is proposed, without asking.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Write a study file for the tables of a folder, every choice with a comment."""
    from pyexpr.study.init.init_study import init_study

    asked = sys.stdin.isatty() and sys.stdout.isatty() and not yes
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
        ask=_ask if asked else None,
    )
    typer.echo(str(found))
    if found.problems:
        raise typer.Exit(1)


def _ask(question: str, choices: Sequence[str], proposed: str | None) -> str:
    """Ask on the terminal; an empty answer takes what is proposed."""
    typer.echo(f"{question} ({', '.join(choices)})")
    return str(typer.prompt("Answer", default=proposed))


@app.command()
def check(
    study: Annotated[Path, typer.Argument(help="The study file (TOML).")],
    output: StudyOutput = None,
) -> None:
    """Say what a study would do, on what, and all that is wrong, without computing it."""
    from pyexpr.study.check_study import check_study

    found = check_study(study, output=output)
    typer.echo(str(found))
    if not found.ok:
        raise typer.Exit(1)


@app.command()
def report(
    results: Annotated[Path, typer.Argument(help="The folder of results that run has written.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The file to write; by default report.html in it. A name that ends in .docx "
            "gives a Word document.",
        ),
    ] = None,
    altered: Annotated[
        bool,
        typer.Option(
            "--altered", help="Show tables and figures that were edited since the run, marked."
        ),
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace a file that is no report, or a report that was edited."
        ),
    ] = False,
) -> None:
    """One HTML file, or a Word document, from a study's results: findings, tables, figures, method.

    Tables and figures that were edited since the run are refused, or marked (--altered).
    """
    from pyexpr.study.results.report import study_report

    written = study_report(results, output=output, altered=altered, overwrite=overwrite)
    typer.echo(f"Report: {written}")


@app.command()
def simulate(
    folder: Annotated[Path, typer.Argument(help="An empty folder, or one made by this command.")],
    subjects: Annotated[int, typer.Option(help="How many subjects.")] = 40,
    seed: Annotated[int, typer.Option(help="Fixes every byte.")] = 1,
    videos: Annotated[bool, typer.Option(help="Draw each recording as a video too.")] = False,
    video_size: Annotated[int, typer.Option(help="Width and height of the videos, px.")] = 64,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace an earlier simulation's files that were changed since."
        ),
    ] = False,
) -> None:
    """Write a simulated study: ratings, OpenFace recordings, study file, and the truth."""
    from pyexpr.simulation.simulate import simulate_study

    result = simulate_study(
        folder,
        subjects=subjects,
        seed=seed,
        videos=videos,
        video_size=video_size,
        overwrite=overwrite,
    )
    typer.echo(result.heading())


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Where to put the demo study.")],
    subjects: Annotated[
        int | None, typer.Option(help="How many subjects; by default 40, with --deep 20.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Fixes every byte.")] = 1,
    deep: Annotated[
        bool, typer.Option("--deep", help="With videos, and the deep models trained on them.")
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace an earlier demo's files that were changed since."
        ),
    ] = False,
) -> None:
    """Simulate a study, run it, and set its tables beside the truth and the paper."""
    from pyexpr.paper.beside_truth import print_beside_truth
    from pyexpr.simulation.simulate import simulate_study
    from pyexpr.study.pipeline import Study
    from pyexpr.study.results.result import StudyResult

    number = subjects if subjects is not None else 20 if deep else 40
    simulated = simulate_study(folder, subjects=number, seed=seed, videos=deep, overwrite=overwrite)
    typer.echo(simulated.heading())
    study = simulated.deep_study_file if deep else simulated.study_file
    result = Study.from_file(study).run(progress=True, overwrite=overwrite)
    assert isinstance(result, StudyResult)
    print_beside_truth(result, folder / "truth.json")


@app.command()
def paper(
    subjects: Annotated[
        int | None, typer.Option(help="Subjects of the simulated study; the paper's 140.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Fixes every number.")] = 1,
    quick: Annotated[
        bool, typer.Option("--quick", help="20 subjects and 200 replicates, to try it.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for paper.html, paper.csv and the tables."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Set the paper's figures beside what follows from them and beside a simulated study."""
    from pyexpr.base.files import writable_folder
    from pyexpr.paper.reproduce import PAPER_SUBJECTS, QUICK, check_paper_folder, reproduce_paper
    from pyexpr.report.tables.console import to_console

    if quick and subjects is not None:
        raise typer.BadParameter("--quick says how many subjects: give it or --subjects")
    if output is not None:
        # Known now, not after a minute.
        check_paper_folder(output, overwrite=overwrite)
        writable_folder(output)
    size = QUICK if quick else {"subjects": PAPER_SUBJECTS if subjects is None else subjects}
    result = reproduce_paper(seed=seed, progress=True, **size)
    for display in result.displays().values():
        to_console(display)
        typer.echo()
    typer.echo(result.heading())
    for note in result.notes():
        typer.echo(f"Note: {with_options(note, _options)}")
    if output is not None:
        result.write(output, overwrite=overwrite)
        typer.echo(f"Page and tables: {output / 'paper.html'}")


@app.command()
def icc(
    asked: typer.Context,
    data: Annotated[
        Path, typer.Argument(help=f"Long table of ratings (CSV), one row a rating; {_OR_STUDY}.")
    ],
    targets: Annotated[
        str, typer.Option(help="Column(s) that together name what is rated, by commas.")
    ] = "subject,context,clip",
    ratings: Annotated[str, typer.Option(help="Column of the ratings.")] = "score",
    raters: Annotated[
        str | None, typer.Option(help="Column of the raters, for the two-way forms.")
    ] = None,
    context: Annotated[
        str,
        typer.Option(
            help="Compute it in each context: column(s) whose values, or combinations of them, are "
            'the contexts, by commas; "" for none.'
        ),
    ] = "question",
    cluster: Annotated[
        str | None,
        typer.Option(help="Column of the subjects, for intervals that respect them."),
    ] = None,
    form: Annotated[str, typer.Option(help='"all", or forms by commas: "ICC(1,k)".')] = "all",
    confidence: Annotated[float, typer.Option(help="Level of the intervals.")] = 0.95,
    output: Output = None,
    overwrite: Overwrite = False,
) -> None:
    """Inter-rater reliability (intraclass correlations)."""
    study = _study_of(asked, data)
    _check(asked, [data], study, overwrite=overwrite)
    if study is not None:
        _finish(study.reliability().tables["reliability"], output)
        return
    from pyexpr.measurement.icc.icc import icc as compute

    labels = [*_names(targets), *_names(context), *_names(raters), *_names(cluster)]
    table = _table(data, labels=labels, what="the ratings")
    forms = form if form == "all" else _forms(form)
    result = compute(
        table,
        targets=_names(targets),
        ratings=ratings,
        raters=raters,
        context=_names(context) or None,
        cluster=cluster,
        form=forms,
        confidence=confidence,
    )
    _finish(result, output)


@app.command()
def cfa(
    asked: typer.Context,
    data: Annotated[
        Path,
        typer.Argument(help=f"Table (CSV), one row a clip, a column an indicator; {_OR_STUDY}."),
    ],
    indicators: Annotated[
        str | None, typer.Option(help="Columns of the indicators, by commas.")
    ] = None,
    factor: Annotated[str, typer.Option(help="Name of the factor.")] = "expressiveness",
    context: Annotated[
        str | None, typer.Option(help="Column of the contexts: fit it in each of them.")
    ] = None,
    positive: Annotated[
        str | None,
        typer.Option(help="Indicator that loads positively (default: the first)."),
    ] = None,
    engine: Annotated[str, typer.Option(help="auto, rpy2, rscript or native.")] = "auto",
    scores: Annotated[Path | None, typer.Option(help="Write the scores here (CSV).")] = None,
    method: Annotated[str, typer.Option(help="bartlett or regression.")] = "bartlett",
    output: Output = None,
    overwrite: Overwrite = False,
) -> None:
    """One-factor model, and its scores."""
    study = _study_of(asked, data)
    _check(asked, [data], study, overwrite=overwrite)
    if study is not None:
        tables = study.factor_model().tables
        if scores is not None:
            _write(tables["scores"], scores)
        _finish(tables["parameters"], output)
        return
    from pyexpr.measurement.factor.cfa import cfa as compute

    if not _names(indicators):
        raise typer.BadParameter("name the columns: --indicators response,emotion,motion")
    table = _table(data, labels=_names(context), what="data")
    fit = compute(
        table, {factor: _names(indicators)}, context=context, engine=engine, positive=positive
    )
    if scores is not None:
        found = fit.scores(method=method).add_prefix(f"{method}_")
        _write(table.drop(columns=found.columns, errors="ignore").join(found), scores)
    _finish(fit, output)


@app.command()
def features(
    asked: typer.Context,
    files: Annotated[
        list[Path] | None, typer.Argument(help=f"OpenFace files (CSV); {_OR_STUDY}.")
    ] = None,
    recordings: Annotated[
        Path | None,
        typer.Option(
            help="Instead of files: a table (CSV) with subject, context, openface (a path from its "
            "own folder), and if wanted face, part and video."
        ),
    ] = None,
    every: Annotated[float | None, typer.Option(help="Cut into clips of so many seconds.")] = None,
    schedule: Annotated[
        str | None,
        typer.Option(
            help='Instead: "bp4d_plus", or a table (CSV) with context, start, end (seconds), clip.'
        ),
    ] = None,
    fps: Annotated[
        float | None, typer.Option(help="Frames per second, where the files' timestamps are wrong.")
    ] = None,
    clock: Annotated[
        str,
        typer.Option(
            help='Place frames by "frames" (numbers), "timestamps", "video" (a column of the '
            'table of recordings), or "auto": timestamps where those prove a variable rate.'
        ),
    ] = "auto",
    rate: Annotated[
        float, typer.Option(help="Bins per second in which movement is measured.")
    ] = 5.0,
    landmarks: Annotated[
        str, typer.Option(help='Points in "2d" (px), "3d" (mm), or "normalised".')
    ] = "2d",
    derivatives: Annotated[
        str, typer.Option(help='"differences" between bins, or "savgol".')
    ] = "differences",
    min_confidence: Annotated[
        float | None,
        typer.Option(help="Frames below this confidence (0 to 1) do not count."),
    ] = None,
    face: Annotated[
        str, typer.Option(help='Which of several faces: "largest", "left", "right", or a face_id.')
    ] = "largest",
    join_ids: Annotated[
        bool,
        typer.Option(
            "--join-ids",
            help="Take face_ids for one person that follow each other at one place.",
        ),
    ] = False,
    max_speed: Annotated[
        float, typer.Option(help="mm/s that no head exceeds: faster frames are missing.")
    ] = 5000.0,
    max_turn: Annotated[
        float, typer.Option(help="Degrees/s that no head or gaze exceeds.")
    ] = 1500.0,
    split_by: Annotated[
        str | None,
        typer.Option(help="In files of several recordings: the column that tells them apart."),
    ] = None,
    on_mixed: Annotated[
        str,
        typer.Option(
            help='Files of other action units or image sizes: "error", "common" (the units that '
            'all have), or "keep".'
        ),
    ] = "error",
    on_error: Annotated[
        str, typer.Option(help='A file that cannot be used: "stop", or "skip" and list it.')
    ] = "stop",
    quality: Annotated[
        Path | None, typer.Option(help="Write valid and lost frames per clip here (CSV).")
    ] = None,
    output: Output = None,
    overwrite: Overwrite = False,
) -> None:
    """Facial, head and gaze features of clips from OpenFace files."""
    files = files or []
    if len(files) > 1 and any(path.suffix == ".toml" for path in files):
        raise typer.BadParameter("give OpenFace files, or one study file alone")
    if bool(files) == (recordings is not None):
        raise typer.BadParameter("give OpenFace files, or --recordings with a table of them")
    study = _study_of(asked, files[0]) if files else None
    tables = [path for path in (recordings, _segments_file(schedule)) if path is not None]
    _check(asked, [*files, *tables], study, overwrite=overwrite)
    if study is not None:
        found = study.features(progress=True).tables
        if quality is not None:
            _write(found["quality"], quality)
        _finish(found["features"], output)
        return
    from pyexpr.behavior.features.features import extract_features

    if (every is None) == (schedule is None):
        raise typer.BadParameter(
            "say how to cut the recordings: --every 3 (seconds), or --schedule"
        )
    result = extract_features(
        [str(path) for path in files] if recordings is None else _recordings_table(recordings),
        every=every,
        schedule=None if schedule is None else _schedule(schedule),
        fps=fps,
        clock=clock,  # type: ignore[arg-type]
        rate=rate,
        landmarks=landmarks,  # type: ignore[arg-type]
        derivatives=derivatives,  # type: ignore[arg-type]
        min_confidence=min_confidence,
        # A number is a face_id; what is none of the words is refused there.
        face=int(face) if re.fullmatch(r"-?\d+", face) else face,  # type: ignore[arg-type]
        join_ids=join_ids,
        max_speed=max_speed,
        max_turn=max_turn,
        split_by=split_by,
        on_mixed=on_mixed,  # type: ignore[arg-type]
        on_error=on_error,  # type: ignore[arg-type]
    )
    if result.table.empty:
        # Nothing that was asked for can be given; why stands with each recording.
        why = [f"{row.openface}: {row.reason}" for row in result.dropped.itertuples()]
        asked_for = "of the schedule" if every is None else f"of {every:g} s"
        raise DataError(
            f"no clip {asked_for} fits: {'; '.join(why[:3])}"
            + (f"; and {len(why) - 3} more" if len(why) > 3 else "")
        )
    if quality is not None:
        _write(result.quality, quality)
    _finish(result, output)


def _recordings_table(path: Path) -> pd.DataFrame:
    """Return a table of recordings, its paths from its own folder."""
    from pyexpr.base.csv_file import read_csv

    labels = ("subject", "context", "openface", "face", "part", "video")
    table = read_csv(path, labels=labels, what=f"the recordings ({path})")
    paths = {
        column: [str(path.parent / name) if name == name else name for name in table[column]]
        for column in ("openface", "video")
        if column in table
    }
    return table.assign(**paths)


def _segments_file(schedule: str | None) -> Path | None:
    return None if schedule is None or schedule == "bp4d_plus" else Path(schedule)


def _schedule(schedule: str) -> Any:
    """Return a schedule that is built in, or a table of segments."""
    from pyexpr.base.csv_file import read_csv
    from pyexpr.behavior.schedules import BP4D_PLUS

    path = _segments_file(schedule)
    if path is None:
        return BP4D_PLUS
    return read_csv(path, labels=("context", "clip"), what=f"the schedule ({path})")


@app.command()
def fit(
    asked: typer.Context,
    study: Annotated[Path, typer.Argument(help="The study file (TOML).")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the test predictions here (CSV).")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Write the weights here (CSV).")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Fit a study's models; print their weights, write the test predictions."""
    planned = _study(study)
    _check(asked, [study], planned, overwrite=overwrite)
    predictions, tables = planned.predictions(progress=True), planned.models().tables
    found = tables.get("weights")
    if weights is not None:
        if found is None:
            raise StudyError(
                "this study has no table of weights, which an elastic net has that is fitted once "
                "(no cross-validation), to a number or to two classes; leave --weights out"
            )
        _write(found, weights)
    if output is not None:
        _write(predictions, output)
    from pyexpr.base.results import table_text

    typer.echo(table_text(predictions if found is None else found))


@app.command()
def compare(
    asked: typer.Context,
    data: Annotated[
        Path, typer.Argument(help=f"Table (CSV), one row a clip, a column a model; {_OR_STUDY}.")
    ],
    truth: Annotated[str, typer.Option(help="Column of the true values.")] = "truth",
    predictions: Annotated[
        str | None, typer.Option(help="Columns of the models, by commas.")
    ] = None,
    cluster: Annotated[str, typer.Option(help="Column of the subjects.")] = "subject",
    context: Annotated[
        str | None,
        typer.Option(help="Column of the contexts: compare in each of them, and over all."),
    ] = None,
    metrics: Annotated[
        str,
        typer.Option(
            help=f"{', '.join(OF_NUMBERS)}; of classes {', '.join(OF_CLASSES)}; by commas."
        ),
    ] = "rmse,correlation",
    positive: Annotated[
        str | None, typer.Option(help="The positive class, which probabilities are of.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="From which number on it is predicted; .5 by default.")
    ] = None,
    per: Annotated[
        str | None,
        typer.Option(help="Column of recordings: metrics of each one, averaged."),
    ] = None,
    score_range: Annotated[
        float | None,
        typer.Option(
            help="Width of the score, by which nrmse divides: 100 for scores from 0 to 100."
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help=f"{', '.join(INTERVAL_METHODS)}; by default {DEFAULT}."),
    ] = None,
    fold: Annotated[
        str | None,
        typer.Option(
            help="Column of the folds of cross-validation: correlations, concordance and R2 are "
            "then within them."
        ),
    ] = None,
    ratio: Annotated[
        bool, typer.Option("--ratio", help="Beside differences of errors, their ratios.")
    ] = False,
    n_boot: Annotated[int, typer.Option(help="Replicates of the bootstrap.")] = 2000,
    confidence: Annotated[float, typer.Option(help="Level of the intervals.")] = 0.95,
    seed: Annotated[int, typer.Option(help="Fixes every byte.")] = 0,
    replicates: Annotated[
        Path | None,
        typer.Option(help="Write the replicates here (CSV): a row each, every digit kept."),
    ] = None,
    output: Output = None,
    overwrite: Overwrite = False,
) -> None:
    """Compare models on the same rows, with intervals that respect subjects."""
    study = _study_of(asked, data)
    _check(asked, [data], study, overwrite=overwrite)
    if study is not None:
        _finish(study.comparison().tables["comparison"], output)
        return
    from pyexpr.base.results import Result
    from pyexpr.inference.comparison.comparison import compare_models

    if not _names(predictions):
        raise typer.BadParameter("name the models' columns: --predictions elastic_net,lstm")
    labels = [cluster, *_names(context), *_names(fold), *_names(per)]
    table = _table(data, labels=labels, what="the table of predictions")
    try:
        result = compare_models(
            _whole_numbers(table, labels),
            truth=truth,
            predictions=_names(predictions),
            cluster=cluster,
            context=context,
            metrics=_names(metrics),
            score_range=score_range,
            positive=_class_of(table, truth, positive),
            threshold=threshold,
            per=per,
            method=method,
            fold=fold,
            ratio=ratio,
            n_boot=n_boot,
            confidence=confidence,
            seed=seed,
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
        _write(pd.DataFrame(result.replicates, columns=list(names)), replicates)
    _finish(result, output)


@app.command()
def doctor() -> None:
    """Say every version, what is missing, and how to mend it."""
    from pyexpr.diagnosis import doctor as examine

    typer.echo(str(examine()))


def _table(path: Path, *, labels: list[str], what: str) -> pd.DataFrame:
    """Read a table whose file errors name, those of the functions that get it, too."""
    from pyexpr.base.csv_file import read_csv
    from pyexpr.base.tables import from_file

    return from_file(read_csv(path, labels=labels, what=f"{what} ({path})"), path)


def _class_of(table: pd.DataFrame, truth: str, positive: str | None) -> Any:
    """Return a class as the table has it: a number where the truth holds numbers."""
    import pandas as pd

    if positive is None or truth not in table or not pd.api.types.is_numeric_dtype(table[truth]):
        return positive
    try:
        return float(positive)
    except ValueError:
        return positive


def _names(text: str | None) -> list[str]:
    """Split a list given by commas."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _whole_numbers(table: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """Return the table with labels 1, 2, ..., 10 as numbers, in whose order subjects are drawn.

    So Python and R draw them, which read such a column as numbers; "007" stays text.
    """
    for name in set(labels) & set(table.columns):
        column = table[name]
        if column.notna().all() and column.str.fullmatch(r"0|-?[1-9][0-9]{0,17}").all():
            table = table.assign(**{name: column.astype("int64")})
    return table


def _forms(text: str) -> list[str]:
    """Split "ICC(1,1),ICC(1,k)": the commas inside brackets stay."""
    return [part.strip() for part in re.split(r",(?![^(]*\))", text) if part.strip()]


# Options that name a file to write; with a study file those of tables that the study has.
_WRITTEN = ("output", "scores", "quality", "weights", "replicates")
_OF_A_STUDY = ("output", "scores", "quality", "weights")


def _check(
    asked: typer.Context, data: Iterable[Path], study: Study | None, *, overwrite: bool
) -> None:
    """Refuse files that are not to be written, before anything is computed."""
    from pyexpr.base.outputs import check_outputs

    outputs = {f"--{name}": asked.params.get(name) for name in _WRITTEN}
    inputs = [*data, *(() if study is None else study.input_files)]
    check_outputs(outputs, inputs=inputs, overwrite=overwrite)


def _study_of(asked: typer.Context, data: Path) -> Study | None:
    """Return the study of a study file, and None of a table."""
    if data.suffix != ".toml":
        return None
    _refuse_options(asked)
    return _study(data)


def _refuse_options(asked: typer.Context) -> None:
    """Refuse options that the study file decides, instead of ignoring them in silence."""
    allowed = {"data", "files", "overwrite", *_OF_A_STUDY}
    for name in asked.params:
        source = asked.get_parameter_source(name)
        if name not in allowed and source is not None and source.name == "COMMANDLINE":
            option = f"--{name.replace('_', '-')}"
            raise typer.BadParameter(
                f"{option} cannot be given with a study file: the file says how; change it there"
            )


def _study(path: Path) -> Study:
    from pyexpr.study.pipeline import Study

    return Study.from_file(path)


def _finish(result: Result | pd.DataFrame, output: Path | None) -> None:
    """Print a result; write its table too, where asked."""
    from pyexpr.base.results import Result, table_text

    table = result.tidy() if isinstance(result, Result) else result
    if output is not None:
        _write(table, output)
    if not isinstance(result, Result):
        typer.echo(table_text(table))
        return
    typer.echo(f"{result.heading()}\n\n{table_text(result.printed())}")
    for place, note in enumerate(result.notes()):
        typer.echo(f"{'' if place else chr(10)}Note: {with_options(note, _options)}")


def _write(table: pd.DataFrame, path: Path) -> None:
    from pyexpr.base.files import write_text

    write_text(path, table.to_csv(index=False))


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Print a warning as a sentence, without the line of code that gave it."""
    typer.echo(f"Warning: {with_options(message_of(message), _options)}", err=True)


def main() -> None:
    """Run the command line; an error of pyexpr is one sentence, not a traceback."""
    warnings.showwarning = _show_warning
    try:
        with raises_interrupted():
            app()
    except PyexprError as error:
        typer.echo(f"Error: {with_options(message_of(error), _options)}", err=True)
        sys.exit(1)
    except KeyboardInterrupt as stop:
        # Before or after the commands.
        typer.echo(said(str(stop) or BEFORE_THE_END), err=True)
        sys.exit(STATUS)


if __name__ == "__main__":
    main()
