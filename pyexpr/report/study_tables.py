"""The tables of a study, in the order of the report, which determines their numbers.

A run writes the tables that have files, and the report shows tables in their sections. The numbers
are the same in both. Figures are listed in `pyexpr.report.study_figures`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pyexpr.report.tables.display import DisplayTable


@dataclass(frozen=True, slots=True)
class StudyTable:
    """A table of a study.

    Attributes
    ----------
    stem : str
        Name of its files without suffix.
    section : str
        The section of the report that shows it; "" for a table that has files but is not shown.
    made_of : tuple of str
        The tables of numbers that it shows.
    files : bool
        Whether a run writes it as CSV, Markdown, LaTeX and HTML.
    folded : bool
        Whether the report shows it only after its title is clicked.
    """

    stem: str
    section: str
    made_of: tuple[str, ...]
    files: bool = True
    folded: bool = False


STUDY_TABLES = (
    # The same estimates without intervals, for pages that are too narrow for these.
    StudyTable("performance", "", ("comparison", "ceiling")),
    StudyTable("performance_intervals", "performance", ("comparison", "ceiling")),
    StudyTable("repeat_spread", "performance", ("repeat_spread",), folded=True),
    StudyTable("differences", "comparison", ("comparison",)),
    StudyTable("all_differences", "comparison", ("comparison",), folded=True),
    StudyTable("leakage", "comparison", ("scores_leakage",), files=False, folded=True),
    StudyTable("whole_analysis", "whole-analysis", ("chain",)),
    StudyTable("whole_analysis_steps", "whole-analysis", ("chain",), folded=True),
    StudyTable("coefficients", "coefficients", ("coefficients",), folded=True),
    StudyTable("pooled_slopes", "coefficients", ("pooled_slopes",), folded=True),
    StudyTable("slope_variation", "coefficients", ("slope_variation",), folded=True),
    StudyTable("contrasts", "coefficients", ("contrasts",), folded=True),
    StudyTable("omnibus", "coefficients", ("omnibus",), folded=True),
    StudyTable("weights", "coefficients", ("weights",), folded=True),
    StudyTable("seed_spread", "learning-curves", ("seed_spread",)),
    StudyTable("learning_curves", "learning-curves", ("learning_curves",), files=False,
               folded=True),
    StudyTable("reliability", "reliability", ("reliability",)),
    StudyTable("loadings", "factor-model", ("loadings",)),
    StudyTable("invariance", "factor-model", ("invariance",), files=False),
    StudyTable("recordings_summary", "quality", ("recordings",), files=False),
    StudyTable("clips_left_out", "quality", ("left_out", "recordings"), files=False, folded=True),
    StudyTable("other_methods", "other-methods", ("comparison",), folded=True),
)  # fmt: skip
#: Those that are written as files, by their stems.
WITH_FILES = tuple(one.stem for one in STUDY_TABLES if one.files)


def numbered(displays: Mapping[str, DisplayTable]) -> dict[str, DisplayTable]:
    """Return tables in the order of the report, with their numbers in their titles.

    Examples
    --------
    >>> table = DisplayTable("Weights.", ("Feature",), ())
    >>> [one.title for one in numbered({"loadings": table, "weights": table}).values()]
    ['Table 1. Weights.', 'Table 2. Weights.']
    """
    found, number = {}, 0
    for one in STUDY_TABLES:
        if (display := displays.get(one.stem)) is None:
            continue
        if one.section:
            number += 1
            display = replace(display, title=f"Table {number}. {display.title}")
        found[one.stem] = display
    return found
