"""What the command line prints: results as text, JSON or CSV, notes, warnings and errors."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import typer

from pyexpr.base.messages import message_of
from pyexpr.base.visible import LINES, visible
from pyexpr.cli.options import STANDARD_OUTPUT
from pyexpr.cli.wording import with_options

if TYPE_CHECKING:
    import pandas as pd

    from pyexpr.base.results import Result


@dataclass(slots=True)
class Call:
    """The call of a command.

    Attributes
    ----------
    options : set of str
        Of the command: sentences name them, not the arguments of Python.
    quiet : bool
        Whether it leaves out progress, notes and warnings.
    """

    options: set[str] = field(default_factory=set)
    quiet: bool = False

    def begin(self, options: Iterable[str]) -> None:
        """Forget the call before, of which a process that tests commands has many."""
        self.options = set(options)
        self.quiet = False


CALL = Call()


@dataclass(frozen=True, slots=True)
class Showing:
    """How a command shows what it found.

    Attributes
    ----------
    json : bool
        As JSON, which then is all that stands on standard output.
    quiet : bool
        Without progress, notes and warnings.
    """

    json: bool = False
    quiet: bool = False

    def __post_init__(self) -> None:
        CALL.quiet = self.quiet

    @property
    def progress(self) -> bool | None:
        """The `progress` argument of functions that otherwise show progress on a terminal."""
        return False if self.quiet else None

    def result(
        self,
        result: Result,
        output: Path | None = None,
        *others: Path | None,
        **more: Any,
    ) -> None:
        """Print a result; write its table to `output`.

        `others` are the files of its other tables; `more` are further entries of the JSON.
        """
        if output is not None:
            write(result.tidy(), output)
        if STANDARD_OUTPUT in (output, *others):
            self.notes(result, err=True)
        elif self.json:
            found = result.to_dict()
            found["notes"] = [with_options(note, CALL.options) for note in result.notes()]
            print_json(found | more)
        elif not (self.quiet and any((output, *others))):
            from pyexpr.base.results import table_text

            typer.echo(f"{visible(result.heading(), keep=LINES)}\n")
            typer.echo(table_text(result.printed()))
            if result.notes() and not self.quiet:
                typer.echo()
            self.notes(result)

    def table(
        self, name: str, table: pd.DataFrame, output: Path | None = None, *others: Path | None
    ) -> None:
        """Print a table of a study, by its name there; the files are as of `result`."""
        if output is not None:
            write(table, output)
        if STANDARD_OUTPUT in (output, *others):
            return
        if self.json:
            from pyexpr.base.results import records

            print_json({"result": name, "table": records(table)})
        elif not (self.quiet and any((output, *others))):
            from pyexpr.base.results import table_text

            typer.echo(table_text(table))

    def page(self, result: Result) -> None:
        """Print a result that is no table but a page, as that of `check`."""
        if self.json:
            print_json(result.to_dict())
        else:
            typer.echo(str(result))

    def line(self, text: str, **facts: Any) -> None:
        """Print the line that tells where something was written, or the facts as JSON."""
        if self.json:
            print_json(facts)
        elif not self.quiet:
            typer.echo(visible(text))

    def notes(self, result: Result, *, err: bool = False) -> None:
        """Print a result's notes, with the options of the command."""
        for note in () if self.quiet else result.notes():
            typer.echo(f"Note: {_printable(note)}", err=err)


def write(table: pd.DataFrame, path: Path) -> None:
    """Write a table (CSV) to a file, or to standard output."""
    from pyexpr.base.csv_text import csv_text
    from pyexpr.base.files import write_text

    text = csv_text(table)
    if path == STANDARD_OUTPUT:
        write_bytes(text.encode("utf-8"))
    else:
        write_text(path, text)


def write_bytes(content: bytes) -> None:
    """Write to standard output as to a file: UTF-8 and line ends are those of every system."""
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def print_json(found: Mapping[str, Any]) -> None:
    """Print JSON: missing numbers are null, and a reason stands beside them in the table."""
    from pyexpr.base.results import jsonable

    typer.echo(json.dumps(jsonable(found), ensure_ascii=True, indent=2, allow_nan=False))


def show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Print a warning as a sentence, without the line of code that gave it."""
    if not CALL.quiet:
        _echo_error("Warning", 33, message_of(message))


def show_error(error: BaseException | str) -> None:
    """Print an error as a sentence."""
    _echo_error("Error", 31, message_of(error))


def _printable(text: str) -> str:
    return visible(with_options(text, CALL.options), keep=LINES)


def _echo_error(word: str, colour: int, text: str) -> None:
    """Print a line to standard error; the word that begins it is bold and in colour."""
    coloured = has_colours(sys.stderr)
    begun = f"\033[1;{colour}m{word}:\033[0m" if coloured else f"{word}:"
    typer.echo(f"{begun} {_printable(text)}", err=True, color=coloured)


def has_colours(stream: TextIO) -> bool:
    """Say whether colours are printed there: on a terminal, unless the environment decides.

    ``NO_COLOR`` (https://no-color.org), ``FORCE_COLOR`` and ``TERM=dumb``, as rich reads them,
    which prints the other colours; a variable that is empty says nothing.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
