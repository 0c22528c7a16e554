"""The page of a study with several labels: each label, its performance, and its report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from pyexpr.base.contexts import ALL
from pyexpr.base.pairs import KIND, LEVEL
from pyexpr.report.html.page import Section, page, paragraph
from pyexpr.report.markup import element, joined
from pyexpr.report.tables.html import report_table
from pyexpr.report.tables.tables import performance_table
from pyexpr.report.text.facts import Record, Tables, evaluated_subjects, outcome_of
from pyexpr.report.text.verdict import findings
from pyexpr.words.labels import percent
from pyexpr.words.wording import counted, sentence


@dataclass(frozen=True, slots=True)
class Outcome:
    """One label of a study.

    Attributes
    ----------
    name : str
    report : str
        The path of its report from the page.
    record : mapping
        The content of its ``record.json``.
    tables : mapping of str to DataFrame
        Its tables of numbers by name, including the comparison.
    main : str
        The model whose differences from the others the report states.
    """

    name: str
    report: str
    record: Record
    tables: Tables
    main: str


def outcomes_page(title: str, outcomes: Sequence[Outcome]) -> str:
    """Return the page as one HTML document."""
    lead = paragraph(
        f"A study of {counted(len(outcomes), 'outcome')}. Each outcome has its own models, "
        "tables, figures and report."
    )
    sections = [_section(one, number) for number, one in enumerate(outcomes, start=1)]
    return page(title, [lead], sections)


def _section(one: Outcome, number: int) -> Section:
    shown = outcome_of(one.record)
    options = one.record["options"]["compare"]
    comparison = one.tables["comparison"]
    levels = comparison[
        (comparison[KIND] == LEVEL)
        & (comparison["method"] == options["methods"][0])
        & (comparison["context"] == ALL)
    ]
    level = percent(options["confidence"])
    table = performance_table(
        levels.rename(columns={"term": "model"}),
        intervals=True,
        title=f"Table {number}. Performance Over All Contexts, With {level} Intervals.",
    )
    link = element("a", "Its report", href=quote(one.report), aria_label=f"The report of {shown}")
    evaluated = counted(evaluated_subjects(one.record), "subject")
    return Section(
        f"outcome-{number}",
        sentence(shown).rstrip("."),
        (
            *(paragraph(text) for text in findings(one.record, one.tables, one.main)),
            paragraph(joined(f"The models were evaluated on {evaluated}. ", link, ".")),
            report_table(table, f"table-outcome-{number}"),
        ),
    )
