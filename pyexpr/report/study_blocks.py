"""Blocks that the sections of a study's report are built of: tables, figures, notes, cautions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from pyexpr.report.columns import title_parts
from pyexpr.report.display import DisplayTable
from pyexpr.report.html_table import report_table
from pyexpr.report.markup import Markup, element, joined
from pyexpr.report.notes_text import readers_notes
from pyexpr.report.page import Section, bullets, caution_box, figure, folded
from pyexpr.report.results_text import Caution
from pyexpr.report.study_facts import Record, Tables


@dataclass(frozen=True, slots=True)
class StudyContent:
    """What the report of a study is made of.

    Attributes
    ----------
    record : mapping
        As in ``record.json``.
    tables : mapping of str to DataFrame
        Numbers by name: reliability, loadings, scores, recordings, weights, comparison, and
        where the study has them tuning, invariance, left_out, coefficients.
    displays : mapping of str to DisplayTable
        Tables to show, by the stem of their file.
    figures : mapping of str to str
        SVG text, by the stem of their file.
    main : str
        The model whose differences from the others are told.
    numbers : dict of str to int
        The last number given to a "Table" and to a "Figure": they count as they are shown.
    """

    record: Record
    tables: Tables
    displays: Mapping[str, DisplayTable]
    figures: Mapping[str, str]
    main: str
    numbers: dict[str, int] = field(default_factory=dict)

    def numbered(self, kind: str, title: str) -> str:
        """Return a title with the next number of its kind in place of its own, if it has one."""
        self.numbers[kind] = self.numbers.get(kind, 0) + 1
        return f"{kind} {self.numbers[kind]}. {title_parts(title)[1]}."


def section_of(name: str, title: str, blocks: Iterable[Markup | None]) -> Section:
    """Return a section of those blocks that are there."""
    return Section(name, title, tuple(block for block in blocks if block is not None))


def cautions_block(section: str, found: Iterable[Caution]) -> Markup | None:
    """Return the cautions that belong to a section, or None."""
    return caution_box([one.text for one in found if one.section == section])


def notes_block(notes: Iterable[str]) -> Markup | None:
    """Return notes of the analysis in a reader's words, or None where all is told elsewhere."""
    texts = readers_notes(notes)
    if not texts:
        return None
    return joined(element("h3", "Notes of the analysis"), bullets(texts, class_="notes"))


def figure_block(content: StudyContent, stem: str, title: str, *, note: str = "") -> Markup | None:
    """Return a figure with the next number, or None where the study has none."""
    svg = content.figures.get(stem)
    if svg is None:
        return None
    return figure(_id("figure", stem), svg, content.numbered("Figure", title), note=note)


def table_block(content: StudyContent, stem: str) -> Markup | None:
    """Return a table with the next number, or None where the study has none."""
    display = content.displays.get(stem)
    if display is None:
        return None
    title = content.numbered("Table", display.title)
    return report_table(replace(display, title=title), _id("table", stem))


def _id(kind: str, stem: str) -> str:
    """Name a table or figure in the page, apart from the sections."""
    name = stem.replace("_", "-")
    return name if name.startswith(kind) else f"{kind}-{name}"


def folded_table_block(content: StudyContent, stem: str, title: str) -> Markup | None:
    """Return a table as `table_block` does, shown once its title is asked for."""
    table = table_block(content, stem)
    return None if table is None else folded(title, table)
