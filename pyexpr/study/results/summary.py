"""What the command line prints of a study: its four tables, and where the rest is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyexpr.base.results import records
from pyexpr.base.visible import LINES, visible
from pyexpr.report.tables.console import to_console
from pyexpr.report.text.facts import outcome_of
from pyexpr.study.results.render import study_tables
from pyexpr.study.results.report import REPORT
from pyexpr.study.results.result import OutcomesResult, StudyResult

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = ("table1_reliability", "table2_factor_model", "table3_performance", "table4_comparison")
# What these are made of.
_MADE_OF = ("reliability", "loadings", "comparison")


def print_summary(result: StudyResult | OutcomesResult) -> None:
    """Print a study's heading, its main tables, notes, and where tables and figures are."""
    if isinstance(result, OutcomesResult):
        for name, own in result.outcomes.items():
            _say(f"== {outcome_of(own.record)} ({name}) ==")
            print_summary(own)
            print()
        _say(f"All outcomes: {result.folder / REPORT}")
        return
    _say(result.heading())
    print()
    found = _tables(result)
    shown = study_tables(result.config, found)
    for name in filter(shown.__contains__, _SHOWN):
        to_console(shown[name][1])
        print()
    print_ending(result)


def shown_facts(result: StudyResult | OutcomesResult) -> dict[str, Any]:
    """Return what `print_summary` prints beside the comparison, as JSON can hold it."""
    places = {"folder": str(result.folder), "report": str(result.folder / REPORT)}
    if isinstance(result, OutcomesResult):
        return places | {
            "outcomes": {name: shown_facts(own) for name, own in result.outcomes.items()}
        }
    found = _tables(result)
    return places | {"tables": {name: records(found[name]) for name in _MADE_OF if name in found}}


def print_ending(result: StudyResult) -> None:
    """Print what a reader must know beside the tables, and where everything is."""
    for note in result.notes():
        _say(f"Note: {note}")
    if result.config.simulated:
        _say("These data are simulated.")
    _say(f"Tables, predictions and record.json: {result.folder}")
    _say(f"Report: {result.folder / REPORT}")
    figures = (
        "Figures 2, 3, 4 and recording quality" if "recordings" in _tables(result) else "Figures"
    )
    _say(f"{figures} (SVG, PNG): {result.folder / 'figures'}")


def _tables(result: StudyResult) -> dict[str, pd.DataFrame]:
    return {name: t for output in result.stages.values() for name, t in output.tables.items()}


def _say(text: str) -> None:
    print(visible(text, keep=LINES))
