"""Options that several commands have, and the completion of values that are known."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer

#: What ``-o`` takes for standard output.
STANDARD_OUTPUT = Path("-")

NONE = ', or "none"'
OR_STUDY = "or a study file (TOML), whose entries then replace the options"
TO_STANDARD_OUTPUT = '"-" is standard output'

Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help=f"Write the table to this file (CSV); {TO_STANDARD_OUTPUT}."
    ),
]
StudyOutput = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help="Folder of the results; the default is the one in the study file."
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace existing files. Input files are never replaced.",
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document, and nothing else, to standard output."),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="Print no progress, notes or warnings, and no table that is written to a file.",
    ),
]

# Of the commands on ratings: tables with a row per rating, and their columns.
RatingsFile = Annotated[
    Path, typer.Argument(help="Long table of ratings (CSV) with a row per rating.")
]
Targets = Annotated[
    str,
    typer.Option(help="Columns that together identify the rated target, separated by commas."),
]
Ratings = Annotated[str, typer.Option(help="Column of the ratings.")]
Raters = Annotated[
    str | None,
    typer.Option(
        help="Column of the raters, which two-way forms, Cohen's kappa and whatever else tells "
        "raters apart require."
    ),
]
Subjects = Annotated[
    str | None, typer.Option(help="Column of the subjects, for intervals by whole subjects.")
]
RequiredSubjects = Annotated[str, typer.Option(help="Column of the subjects.")]
Contexts = Annotated[
    str | None,
    typer.Option(
        help="Compute it in each context: column(s) whose values, or combinations of values, are "
        "the contexts, separated by commas."
    ),
]

Confidence = Annotated[float, typer.Option(help="Confidence level of the intervals.")]
Replicates = Annotated[int, typer.Option(help="Number of replicates of the bootstrap.")]
Seed = Annotated[int, typer.Option(help="Seed of all random numbers.")]

Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        help="Where to compute recordings, fits and replicates: the address of a Dask scheduler"
        " (tcp://host:8786) or its file (.json), a queueing system (slurm, pbs, sge, lsf, oar,"
        " moab), a TOML file that describes your cluster, or local for this computer. The results"
        " are the same.",
        show_default=False,
    ),
]
NJobs = Annotated[
    int | None,
    typer.Option(
        "--n-jobs",
        help="Number of tasks at a time on this computer; -1 is one per processor.",
        show_default=False,
    ),
]


def one_of(names: Iterable[str]) -> Callable[[str], list[str]]:
    """Return what completes one of these values.

    Examples
    --------
    >>> one_of(["auto", "native"])("a")
    ['auto']
    """
    known = list(names)

    def completed(incomplete: str) -> list[str]:
        return [name for name in known if name.startswith(incomplete)]

    return completed


def several_of(names: Iterable[str]) -> Callable[[str], list[str]]:
    """Return what completes the last of several values with commas between them.

    Examples
    --------
    >>> several_of(["rmse", "mae", "r2"])("mae,r")
    ['mae,rmse', 'mae,r2']
    """
    known = list(names)

    def completed(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        given = before.split(",")
        return [
            f"{before}{comma}{name}"
            for name in known
            if name.startswith(last) and name not in given
        ]

    return completed
