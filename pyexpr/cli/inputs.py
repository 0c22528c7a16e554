"""What a command was given: tables, lists, a study file in place of both."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from pyexpr.cli.options import STANDARD_OUTPUT
from pyexpr.cli.showing import Showing

if TYPE_CHECKING:
    import pandas as pd

    from pyexpr.study.pipeline import Study


def read_table(
    path: Path, *, labels: list[str], what: str, classes: Iterable[str] = ()
) -> pd.DataFrame:
    """Read a table; errors name its file, also errors of functions that use the table later.

    `classes` are columns that may hold classes: text that is read as missing there is reported.
    """
    from pyexpr.base.csv_file import Spelling, checked_spellings, read_csv
    from pyexpr.base.errors import PyexprWarning, warn_user
    from pyexpr.base.tables import from_file

    what, spelled = f"{what} ({path})", dict[str, tuple[Spelling, ...]]()
    table = read_csv(path, labels=labels, what=what, spelled=spelled)
    for note in checked_spellings(classes, spelled, what=what):
        warn_user(note, PyexprWarning)
    return from_file(table, path)


def is_parquet(path: Path) -> bool:
    """Return whether a table is in parquet files, which are read in batches."""
    from pyexpr.base.row_files import SUFFIXES

    return path.suffix.lower() in SUFFIXES or path.is_dir()


def class_of(table: pd.DataFrame, truth: str, positive: str | None) -> Any:
    """Return a class as the table has it: a number where the truth holds numbers."""
    import pandas as pd

    if positive is None or truth not in table or not pd.api.types.is_numeric_dtype(table[truth]):
        return positive
    try:
        return float(positive)
    except ValueError:
        return positive


def categories_in(table: pd.DataFrame, ratings: str, text: str | None) -> list[Any] | None:
    """Return categories given by commas, as numbers where the table's ratings are numbers."""
    if text is None:
        return None
    return [class_of(table, ratings, name) for name in names_in(text)]


def names_in(text: str | None) -> list[str]:
    """Split a list given by commas."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def whole_numbers(table: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """Return the table with labels 1, 2, ..., 10 as numbers, in whose order subjects are drawn.

    So Python and R draw them, which read such a column as numbers; "007" stays text.
    """
    for name in set(labels) & set(table.columns):
        column = table[name]
        if column.notna().all() and column.str.fullmatch(r"0|-?[1-9][0-9]{0,17}").all():
            table = table.assign(**{name: column.astype("int64")})
    return table


def forms_in(text: str) -> list[str]:
    """Split "ICC(1,1),ICC(1,k)": the commas inside brackets stay."""
    return [part.strip() for part in re.split(r",(?![^(]*\))", text) if part.strip()]


# Options that name a file to write; with a study file those of tables that the study has.
_WRITTEN = (
    "output",
    "scores",
    "quality",
    "weights",
    "replicates",
    "projection",
    "windows",
    "by_category",
    "scale_use",
    "lags",
    "contrasts",
    "summary",
    "figure",
)
_OF_A_STUDY = ("output", "scores", "quality", "weights")
# What a study file leaves to the command: how it shows what it found.
_SHOWN = ("overwrite", "json", "quiet")


def check_files(
    ctx: typer.Context, data: Iterable[Path], study: Study | None, *, overwrite: bool
) -> None:
    """Refuse files that are not to be written, before anything is computed."""
    from pyexpr.base.outputs import check_outputs

    check_standard_output(ctx)
    outputs = {
        option: path for option, path in _named_files(ctx).items() if path != STANDARD_OUTPUT
    }
    inputs = [*data, *(() if study is None else study.input_files)]
    check_outputs(outputs, inputs=inputs, overwrite=overwrite)


def check_standard_output(ctx: typer.Context) -> None:
    """Refuse two things on standard output, each of which would be unreadable with the other."""
    there = [option for option, path in _named_files(ctx).items() if path == STANDARD_OUTPUT]
    if ctx.params.get("json"):
        there.append("--json")
    if len(there) > 1:
        raise typer.BadParameter(
            f"{' and '.join(there)} all write to standard output: give all but one a file"
        )


def _named_files(ctx: typer.Context) -> dict[str, Path]:
    """Return the file of each option that names one to write; some versions of Typer keep text."""
    named = {f"--{name.replace('_', '-')}": ctx.params.get(name) for name in _WRITTEN}
    return {option: Path(path) for option, path in named.items() if path is not None}


def refuse_standard_output(output: Path | None, what: str) -> None:
    """Refuse ``-`` where what is written is not one file."""
    if output == STANDARD_OUTPUT:
        raise typer.BadParameter(
            f"--output is {what} here, which standard output cannot be; name one (./- for one "
            "that is called -)"
        )


def study_of(
    ctx: typer.Context, data: Path, *, where: tuple[str | None, int | None] | None = None
) -> Study | None:
    """Return the study of a study file, and None of a table.

    `where` is what ``--cluster`` and ``--n-jobs`` say, of commands that have these options. Of
    others, ``--cluster`` is a column of subjects.
    """
    if data.suffix != ".toml":
        return None
    _refuse_options(ctx, () if where is None else ("cluster", "n_jobs"))
    return study_from(data, *(where or ()))


def _refuse_options(ctx: typer.Context, also: tuple[str, ...]) -> None:
    """Refuse options that the study file decides, instead of ignoring them in silence."""
    allowed = {"data", "files", *_SHOWN, *_OF_A_STUDY, *also}
    for name in ctx.params:
        source = ctx.get_parameter_source(name)
        if name not in allowed and source is not None and source.name == "COMMANDLINE":
            option = f"--{name.replace('_', '-')}"
            raise typer.BadParameter(
                f"{option} cannot be given with a study file: the file says how; change it there"
            )


def study_from(path: Path, cluster: str | None = None, n_jobs: int | None = None) -> Study:
    """Read a study file; `cluster` and `n_jobs` say where its tasks are done."""
    from pyexpr.study.pipeline import Study

    return Study.from_file(path, cluster=cluster, n_jobs=n_jobs)


@contextmanager
def on_cluster(cluster: str | None, files: Iterable[str | Path], show: Showing) -> Iterator[None]:
    """Do the tasks of this block where ``--cluster`` says; the workers must find the files."""
    if cluster is None:
        yield
        return
    from pyexpr.base.cluster import on_workers
    from pyexpr.study.file.compute_section import place_named

    with on_workers(place_named(cluster), files, show=show.progress):
        yield
