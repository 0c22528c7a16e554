"""Blocks that the sections of a study's report are built of: tables, figures, notes, cautions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pyexpr.report.columns import title_parts
from pyexpr.report.html.page import Section, bullets, caution_box, figure, folded
from pyexpr.report.markup import Markup, element, joined
from pyexpr.report.study_figures import STUDY_FIGURES, StudyFigure, told
from pyexpr.report.tables.display import DisplayTable
from pyexpr.report.tables.html import report_table
from pyexpr.report.text.facts import Record, Tables, unit_of
from pyexpr.report.text.results import Caution
from pyexpr.words.reader import readers_notes
from pyexpr.words.wording import listed_words


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
    altered : tuple of str
        Files that are not as the run wrote them, and are shown all the same.
    altered_tables, altered_figures : mapping of str to tuple of str
        By the names in `displays` and `figures`: which altered files each is made of.
    numbers : dict of str to int
        The last number given to a "Table" and to a "Figure": they count as they are shown.
    """

    record: Record
    tables: Tables
    displays: Mapping[str, DisplayTable]
    figures: Mapping[str, str]
    main: str
    altered: tuple[str, ...] = ()
    altered_tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    altered_figures: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
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


def notes_block(content: StudyContent, notes: Iterable[str]) -> Markup | None:
    """Return notes of the analysis in a reader's words, or None where all is told elsewhere."""
    texts = readers_notes(notes, unit_of(content.record))
    if not texts:
        return None
    return joined(element("h3", "Notes of the analysis"), bullets(texts, class_="notes"))


def figure_blocks(content: StudyContent, section: str, *, below: bool = False) -> list[Markup]:
    """Return the figures of a section, above or below its tables, with the next numbers."""
    return [
        _figure_block(content, one, stem)
        for one in STUDY_FIGURES
        if (one.section, one.below) == (section, below)
        for stem in _stems(content, one)
    ]


def _stems(content: StudyContent, one: StudyFigure) -> list[str]:
    if one.each_model:
        return sorted(stem for stem in content.figures if stem.startswith(one.stem))
    return [one.stem] if one.stem in content.figures else []


def _figure_block(content: StudyContent, one: StudyFigure, stem: str) -> Markup:
    model = stem.removeprefix(one.stem).removeprefix("_")
    caption, note = (told(text, content.record, model) for text in (one.caption, one.note))
    altered = content.altered_figures.get(stem, ())
    if altered:
        note = f"{altered_note(altered)} {note}".rstrip()
    number = content.numbered("Figure", caption)
    return _marked(figure(_id("figure", stem), content.figures[stem], number, note=note), altered)


def table_block(content: StudyContent, stem: str) -> Markup | None:
    """Return a table with the next number, or None where the study has none."""
    display = content.displays.get(stem)
    if display is None:
        return None
    title = content.numbered("Table", display.title)
    altered, notes = content.altered_tables.get(stem, ()), display.notes
    if altered:
        # It stands below the table, too: a table is copied without what is around it.
        notes = (altered_note(altered), *notes)
    table = report_table(replace(display, title=title, notes=notes), _id("table", stem))
    return _marked(table, altered)


def altered_note(files: Sequence[str]) -> str:
    """Return which files are not as the run wrote them, in a sentence."""
    names = listed_words(files)
    if len(files) == 1:
        return f"Altered: the file {names} is not as the run wrote it."
    return f"Altered: the files {names} are not as the run wrote them."


def altered_box(files: Sequence[str]) -> Markup | None:
    """Return a box that says which files are altered, None if none is."""
    return caution_box([altered_note(files)], title="Altered") if files else None


def _marked(block: Markup, altered: Sequence[str]) -> Markup:
    return joined(altered_box(altered), block) if altered else block


def _id(kind: str, stem: str) -> str:
    """Name a table or figure in the page, apart from the sections."""
    name = stem.replace("_", "-")
    return name if name.startswith(kind) else f"{kind}-{name}"


def folded_table_block(content: StudyContent, stem: str, title: str) -> Markup | None:
    """Return a table as `table_block` does, shown once its title is asked for."""
    table = table_block(content, stem)
    return None if table is None else folded(title, table)
