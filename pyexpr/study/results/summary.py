"""What the command line prints of a study: a page for a terminal, and where the rest is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pyexpr.base.results import records
from pyexpr.base.visible import LINES, visible
from pyexpr.report.tables.console import to_console
from pyexpr.report.text.facts import outcome_of
from pyexpr.report.text.results import cautions
from pyexpr.report.text.verdict import findings, study_in_a_sentence
from pyexpr.study.results.displays import study_displays
from pyexpr.study.results.render import NOTES
from pyexpr.study.results.report import REPORT
from pyexpr.study.results.result import OutcomesResult, StudyResult
from pyexpr.words.wording import counted

if TYPE_CHECKING:
    from rich.console import Console

# A table of more rows than this is named, and not printed.
_ROWS = 14
# What the tables of a study are made of, for `--json`.
_MADE_OF = ("reliability", "loadings", "comparison", "ceiling", "chain")


def print_summary(result: StudyResult | OutcomesResult) -> None:
    """Print what was found, what to look at, and where notes, tables and figures are."""
    from rich.console import Console

    console = Console(highlight=False)
    if isinstance(result, OutcomesResult):
        _paragraphs(console, [result.title], style="bold")
        for name, own in result.outcomes.items():
            _paragraphs(console, [f"{outcome_of(own.record)} ({name})"], style="bold")
            _paragraphs(console, findings(own.record, own.tables(), own.main_model))
            _print(f"Report:  {own.folder / REPORT}")
        _print(f"All outcomes: {result.folder / REPORT}")
        _print(f"Notes:   {counted(len(result.notes()), 'note')} in each folder's {NOTES}")
        return
    _paragraphs(console, [result.config.title], style="bold")
    _found(console, result)
    print_ending(result)


def _found(console: Console, result: StudyResult) -> None:
    """Print what was found: the sentences of the report's summary, and the differences."""
    tables = result.tables()
    _paragraphs(console, [study_in_a_sentence(result.record, tables)])
    _paragraphs(console, findings(result.record, tables, result.main_model))
    console.print()
    displays = study_displays(result.config, tables)
    if "differences" in displays and len(displays["differences"].rows) <= _ROWS:
        # Its notes stand below the table in its files, and in the report.
        to_console(replace(displays["differences"], notes=()), console)
    for one in cautions(result.record, tables):
        _paragraphs(console, [f"Caution: {one.text}"])


def shown_facts(result: StudyResult | OutcomesResult) -> dict[str, Any]:
    """Return what `print_summary` prints beside the comparison, as JSON can hold it."""
    places = {"folder": str(result.folder), "report": str(result.folder / REPORT)}
    if isinstance(result, OutcomesResult):
        return places | {
            "outcomes": {name: shown_facts(own) for name, own in result.outcomes.items()}
        }
    found = result.tables()
    return places | {"tables": {name: records(found[name]) for name in _MADE_OF if name in found}}


def print_ending(result: StudyResult) -> None:
    """Print where report, figures, tables and notes are."""
    if result.config.simulated:
        _print("These data are simulated.")
    n_notes = counted(len(result.notes()), "note")
    _print(f"Report:  {result.folder / REPORT}")
    _print(f"Figures: {result.folder / 'figures'} (SVG, PNG)")
    _print(f"Tables:  {result.folder} (CSV, Markdown, LaTeX, HTML; record.json)")
    _print(f"Notes:   {n_notes} in {NOTES} there, and in the report")


def _paragraphs(console: Console, lines: Iterable[str], style: str = "") -> None:
    """Print sentences as they are: what looks like markup of the terminal is text."""
    from rich.text import Text

    for line in lines:
        console.print(Text(visible(line.replace("\u00a0", " "), keep=LINES), style=style))


def _print(text: str) -> None:
    print(visible(text, keep=LINES))
