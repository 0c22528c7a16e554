"""What the command line prints of a study: its four tables, and where the rest is."""

from __future__ import annotations

from pyexpr.report.tables.console import to_console
from pyexpr.study.pipeline import StudyResult
from pyexpr.study.render import study_tables
from pyexpr.study.report import REPORT

_SHOWN = ("table1_reliability", "table2_factor_model", "table3_performance", "table4_comparison")


def print_summary(result: StudyResult) -> None:
    """Print a study's heading, tables 1 to 4, notes, and where tables and figures are."""
    print(result.heading())
    print()
    found = {name: t for output in result.stages.values() for name, t in output.tables.items()}
    shown = study_tables(result.config, found)
    for name in filter(shown.__contains__, _SHOWN):
        to_console(shown[name][1])
        print()
    print_ending(result)


def print_ending(result: StudyResult) -> None:
    """Print what a reader must know beside the tables, and where everything is."""
    for note in result.notes():
        print(f"Note: {note}")
    if result.config.simulated:
        print("These data are simulated.")
    print(f"Tables, predictions and record.json: {result.folder}")
    print(f"Report: {result.folder / REPORT}")
    print(f"Figures 2, 3, 4 and recording quality (SVG, PNG): {result.folder / 'figures'}")
