"""What the command line prints of a study: a page for a terminal, and where the rest is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from pyexpr.report.tables.console import to_console
from pyexpr.report.text.facts import outcome_of
from pyexpr.report.text.results import cautions
from pyexpr.report.text.verdict import findings, studied
from pyexpr.study.results.displays import study_displays
from pyexpr.study.results.render import NOTES
from pyexpr.study.results.report import REPORT
from pyexpr.study.results.result import OutcomesResult, StudyResult
from pyexpr.words.wording import counted

if TYPE_CHECKING:
    from rich.console import Console

# A table of more rows than this is named, and not printed.
_ROWS = 14


def print_summary(result: StudyResult | OutcomesResult) -> None:
    """Print what was found, what to look at, and where notes, tables and figures are."""
    from rich.console import Console

    console = Console(highlight=False)
    if isinstance(result, OutcomesResult):
        _paragraphs(console, [result.title], style="bold")
        for name, own in result.outcomes.items():
            _paragraphs(console, [f"{outcome_of(own.record)} ({name})"], style="bold")
            _paragraphs(console, findings(own.record, own.tables(), own.main_model))
            print(f"Report:  {own.folder / REPORT}")
        print(f"All outcomes: {result.folder / REPORT}")
        print(f"Notes:   {counted(len(result.notes()), 'note')} in each folder's {NOTES}")
        return
    _paragraphs(console, [result.config.title], style="bold")
    _found(console, result)
    print_ending(result)


def _found(console: Console, result: StudyResult) -> None:
    """Print what was found: the sentences of the report's summary, and the differences."""
    tables = result.tables()
    _paragraphs(console, [studied(result.record, tables)])
    _paragraphs(console, findings(result.record, tables, result.main_model))
    console.print()
    displays = study_displays(result.config, tables)
    if "differences" in displays and len(displays["differences"].rows) <= _ROWS:
        # Its notes stand below the table in its files, and in the report.
        to_console(replace(displays["differences"], notes=()), console)
    for one in cautions(result.record, tables):
        _paragraphs(console, [f"Caution: {one.text}"])


def print_ending(result: StudyResult) -> None:
    """Print where report, figures, tables and notes are."""
    if result.config.simulated:
        print("These data are simulated.")
    n_notes = counted(len(result.notes()), "note")
    print(f"Report:  {result.folder / REPORT}")
    print(f"Figures: {result.folder / 'figures'} (SVG, PNG)")
    print(f"Tables:  {result.folder} (CSV, Markdown, LaTeX, HTML; record.json)")
    print(f"Notes:   {n_notes} in {NOTES} there, and in the report")


def _paragraphs(console: Console, lines: Iterable[str], style: str = "") -> None:
    """Print sentences as they are: what looks like markup of the terminal is text."""
    from rich.text import Text

    for line in lines:
        console.print(Text(line.replace("\u00a0", " "), style=style))
