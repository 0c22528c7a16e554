"""Options that several commands have, and the completion of values that are known."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer

#: What ``-o`` takes for standard output.
STANDARD_OUTPUT = Path("-")

NONE = ', or "none"'
OR_STUDY = "or a study file (TOML), which then decides everything"
TO_STANDARD_OUTPUT = '"-" is standard output'

Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help=f"Write the table here (CSV); {TO_STANDARD_OUTPUT}."),
]
StudyOutput = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help="Folder of the results; by default the one in the study file."
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace existing files, but never an input file.",
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json", help="Print JSON instead of text, and nothing else, to standard output."
    ),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="Leave out progress, notes and warnings, and what is printed where a file is written.",
    ),
]

Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        help="Where recordings, fits and replicates are computed: a Dask scheduler"
        " (tcp://host:8786, or its file, .json), a queue (slurm, pbs, sge, lsf, oar, moab), a TOML"
        " file of the site; local is this computer. Results do not depend on it.",
        show_default=False,
    ),
]
NJobs = Annotated[
    int | None,
    typer.Option(
        "--n-jobs",
        help="Tasks at a time on this computer; -1 is one per processor.",
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
