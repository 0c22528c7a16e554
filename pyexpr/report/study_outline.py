"""Arrange the record, tables and figures of a study as a report: sections of blocks.

The summary comes first, followed by the results, each of which begins with its figure or table, and
by the methods. Each caution is given once, in the section to which it belongs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pyexpr.base.messages import Message, Template, has_code
from pyexpr.inference.clusters import FEW_SUBJECTS as EVIDENCE_OF_FEW
from pyexpr.inference.coefficients import notes as coefficients
from pyexpr.inference.comparison import notes as comparison
from pyexpr.measurement.factor.notes import SATURATED
from pyexpr.measurement.icc.notes import NOTE_RATERS
from pyexpr.measurement.invariance.notes import NOTE_LAVAAN
from pyexpr.modeling.chain import notes as chain
from pyexpr.report.outline import (
    Block,
    Caution,
    Copied,
    Facts,
    Figure,
    Folded,
    Items,
    Outline,
    Picture,
    Pointers,
    References,
    Section,
    Table,
    Text,
    altered_note,
    texts,
)
from pyexpr.report.study_figures import STUDY_FIGURES, StudyFigure, filled
from pyexpr.report.study_tables import STUDY_TABLES
from pyexpr.report.tables.display import DisplayTable
from pyexpr.report.text.facts import Record, Tables, contexts_of, fitted_models, unit_of
from pyexpr.report.text.methods import methods_paragraphs
from pyexpr.report.text.not_done import not_done
from pyexpr.report.text.references import cited
from pyexpr.report.text.results import (
    SectionCaution,
    cautions,
    difference_sentences,
    loadings_sentence,
    performance_sentences,
    pooling_sentences,
    reliability_sentence,
    slope_sentences,
)
from pyexpr.report.text.verdict import findings, study_in_a_sentence
from pyexpr.report.text.whole_analysis import whole_analysis_sentences
from pyexpr.words.labels import display_name
from pyexpr.words.reader import readers_notes

# Notes whose content is already stated in a sentence, a caution or the note of a table.
_STATED_ELSEWHERE: tuple[Template | Message, ...] = (
    comparison.NOTE_LEVELS, comparison.NOTE_TESTED, comparison.NOTE_NO_LEVEL,
    comparison.NOTE_NRMSE, comparison.NOTE_DIFFERENT_CRITERIA,
    coefficients.NOTE_OWN_INTERCEPTS, coefficients.NOTE_ONE_INTERCEPT,
    coefficients.MANY_FEATURES,
    SATURATED, NOTE_RATERS, NOTE_LAVAAN, chain.UNDEFINED,
)  # fmt: skip
_HEADINGS = {
    "performance": "Performance of the models",
    "comparison": "Comparison of the models",
    "whole-analysis": "Intervals of the whole analysis",
    "coefficients": "Coefficients",
    "learning-curves": "Learning curves",
    "reliability": "Reliability of the ratings",
    "factor-model": "Factor model",
    "label": "Label",
    "quality": "Quality of the recordings",
}


@dataclass(frozen=True, slots=True)
class StudyContent:
    """The content of the report of a study.

    Attributes
    ----------
    record : mapping
        The content of ``record.json``.
    tables : mapping of str to DataFrame
        Tables of numbers by name: reliability, loadings, scores, recordings, weights, comparison,
        and if the study has them tuning, invariance, left_out, coefficients.
    displays : mapping of str to DisplayTable
        Tables to show by their stems, with the numbers of `study_tables.numbered`.
    figures : mapping of str to Picture
        Figures by the stem of their file.
    main : str
        The model whose differences from the others the report states.
    altered : tuple of str
        Files that have been changed since the run, but are shown.
    altered_tables, altered_figures : mapping of str to tuple of str
        The altered files from which each table or figure is made, by the names in `displays` and
        `figures`.
    """

    record: Record
    tables: Tables
    displays: Mapping[str, DisplayTable]
    figures: Mapping[str, Picture]
    main: str
    altered: tuple[str, ...] = ()
    altered_tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    altered_figures: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def study_outline(content: StudyContent) -> Outline:
    """Return the report: the verdict, results, methods, what was not done, references."""
    record = content.record
    found = cautions(record, content.tables)
    results = [section for name in _HEADINGS if (section := _result(content, name, found))]
    parts = [
        _summary(content, results),
        *results,
        _methods(content),
        _not_done(content),
        _other_methods(content),
    ]
    sections = [section for section in parts if section]
    sections += [_references(content, sections), _record(content)]
    lead: list[Block] = []
    if content.altered:
        lead.append(Caution((altered_note(content.altered),), title="Altered"))
    if record["simulated"]:
        lead.append(
            Caution(("No conclusion about people can be drawn from them.",), "Simulated data")
        )
    return Outline(record["title"], tuple(lead), tuple(sections))


def _summary(content: StudyContent, results: Iterable[Section]) -> Section:
    """Return the verdict: what was studied, what was found, and the figure of performance."""
    text = [
        *_altered(content.altered),
        study_in_a_sentence(content.record, content.tables),
        *findings(content.record, content.tables, content.main),
    ]
    blocks: list[Block] = [
        _copied("results-text", "the summary", text),
        *figure_blocks(content, "summary"),
    ]
    warned = tuple(
        (one.name, one.title)
        for one in results
        if any(isinstance(block, Caution) for block in one.blocks)
    )
    if warned:
        blocks.append(Pointers("See also the cautions under", warned))
    return Section("summary", "In brief", tuple(blocks))


def _result(content: StudyContent, name: str, found: Iterable[SectionCaution]) -> Section | None:
    """Return a section of results: figure and tables, sentences, cautions, notes."""
    # If there is no figure, a table that is not folded comes first.
    figures, tables = figure_blocks(content, name), table_blocks(content, name)
    shown = [block for block in tables if not block.folded]
    folded = [block for block in tables if block.folded]
    lead: list[Block] = [*shown, *figures] if name == "performance" else [*figures, *shown]
    sentences = [text for text in _sentences(content, name) if text]
    if sentences:
        source_files = {"record.json", *(f"{table}.csv" for table in _SOURCE[name])}
        altered = [file for file in content.altered if file in source_files]
        sentences = [*_altered(altered), *sentences]
    warnings = tuple(one.text for one in found if one.section == name)
    notes = tuple(_notes(content, name))
    blocks: list[Block] = [
        *lead[:1],
        *([_copied(f"{name}-text", "these sentences", sentences)] if sentences else []),
        *([Caution(warnings)] if warnings else []),
        *lead[1:],
        *folded,
        *([Folded("Notes", (Items(notes),))] if notes else []),
    ]
    heading = _HEADINGS[name]
    if name == "quality" and "recordings" not in content.tables:
        # If features were given and every clip has them, there is nothing to show.
        heading = "Features"
    return Section(name, heading, tuple(blocks)) if blocks else None


def _sentences(content: StudyContent, name: str) -> list[str]:
    record, tables = content.record, content.tables
    match name:
        case "performance":
            return performance_sentences(record, tables)
        case "comparison":
            return difference_sentences(record, tables, content.main)
        case "whole-analysis":
            return whole_analysis_sentences(record, tables)
        case "coefficients":
            return [*slope_sentences(record, tables), *pooling_sentences(tables)]
        case "reliability":
            return [reliability_sentence(record, tables)]
        case "factor-model":
            return [loadings_sentence(tables)]
        case _:
            return []


# The tables from which the sentences of a section are made.
_SOURCE = {
    "performance": ("comparison",), "comparison": ("comparison",),
    "coefficients": ("coefficients", "pooled_slopes", "slope_variation"),
    "reliability": ("reliability",), "factor-model": ("loadings",), "whole-analysis": ("chain",),
}  # fmt: skip
# The stages whose notes a section has.
_STAGES = {
    "performance": ("models", "ceiling"), "comparison": ("comparison",),
    "whole-analysis": ("chain",), "coefficients": ("coefficients", "pooled_coefficients"),
    "reliability": ("reliability",), "factor-model": ("factor_model",), "label": ("label",),
    "quality": ("features",),
}  # fmt: skip


def _notes(content: StudyContent, name: str) -> list[str]:
    """Return notes of the analysis in a reader's words, without those stated elsewhere."""
    record, stages = content.record, content.record["stages"]
    already_stated: tuple[Template | Message, ...] = _STATED_ELSEWHERE
    if name == "comparison" and "other_methods" in content.displays:
        already_stated = (*_STATED_ELSEWHERE, EVIDENCE_OF_FEW)
    if len(contexts_of(content.tables)) == 1:
        # The scores of a single context are the pooled ones.
        already_stated = (*already_stated, coefficients.NOTE_POOLED)
    notes = [
        note
        for stage in _STAGES.get(name, ())
        for note in stages.get(stage, {}).get("notes", ())
        # No caution states that features are nearly collinear.
        if not has_code(note, *already_stated) or has_code(note, coefficients.COLLINEAR)
    ]
    text = readers_notes(notes, unit_of(record))
    if name != "learning-curves":
        return text
    return [
        f"{display_name(model)}. {note}"
        for model in fitted_models(content.tables)
        if model in stages
        for note in readers_notes(stages[model].get("notes", ()), unit_of(record))
    ]


def figure_blocks(content: StudyContent, section: str) -> list[Figure]:
    """Return the figures of a section, numbered over the whole report."""
    return [block for own, block in _figures(content) if own == section]


def _figures(content: StudyContent) -> Iterator[tuple[str, Figure]]:
    number = 0
    for one in STUDY_FIGURES:
        for stem in _stems(content, one):
            number += 1
            model = stem.removeprefix(one.stem).removeprefix("_")
            caption, note = (
                filled(text, content.record, model) for text in (one.caption, one.note)
            )
            altered = content.altered_figures.get(stem, ())
            if altered:
                note = f"{altered_note(altered)} {note}".rstrip()
            picture = content.figures[stem]
            caption = f"Figure {number}. {caption}"
            yield one.section, Figure(stem, picture, caption, note, one.folded, altered)


def _stems(content: StudyContent, one: StudyFigure) -> list[str]:
    if one.each_model:
        return sorted(stem for stem in content.figures if stem.startswith(one.stem))
    return [one.stem] if one.stem in content.figures else []


def table_blocks(content: StudyContent, section: str) -> list[Table]:
    """Return the tables of a section."""
    blocks = []
    for one in STUDY_TABLES:
        display = content.displays.get(one.stem)
        if display is None or one.section != section:
            continue
        altered = content.altered_tables.get(one.stem, ())
        if altered:
            # The note is also placed below the table, because a table is copied without the text
            # around it.
            notes = (altered_note(altered), *display.notes)
            display = DisplayTable(
                display.title, display.columns, display.rows, notes, display.bold,
                display.text_columns,
            )  # fmt: skip
        blocks.append(Table(one.stem, display, one.folded, altered))
    return blocks


def _copied(name: str, what: str, lines: Iterable[str]) -> Copied:
    return Copied(name, what, tuple(Text(line) for line in lines))


def _altered(files: Sequence[str]) -> list[str]:
    """Return the warning that precedes sentences made from files, if some files are altered.

    It is part of the copied text, because the text around it is not copied.
    """
    return [f"{altered_note(files)} The following text may be based on it."] if files else []


def _methods(content: StudyContent) -> Section:
    parts = methods_paragraphs(content.record, content.tables)
    # The method is described from the record and from counts in the tables.
    blocks: list[Block] = [Text(text) for text in _altered(content.altered)]
    blocks += [Folded(heading, (Text(text),)) for heading, text in parts.items()]
    return Section("methods", "Method", (Copied("methods-text", "the method", tuple(blocks)),))


def _not_done(content: StudyContent) -> Section:
    items = Items(tuple(not_done(content.record, content.tables)))
    return Section(
        "not-done", "What was not done", (Copied("not-done-text", "this list", (items,)),)
    )


def _other_methods(content: StudyContent) -> Section | None:
    """Return the appendix: differences by methods other than the main one."""
    tables = table_blocks(content, "other-methods")
    if not tables:
        return None
    notes = content.record["stages"]["comparison"].get("notes", ())
    why = readers_notes(
        [note for note in notes if has_code(note, EVIDENCE_OF_FEW)], unit_of(content.record)
    )
    return Section("other-methods", "Other methods", (*map(Text, why), *tables))


def _references(content: StudyContent, sections: Iterable[Section]) -> Section:
    """Return the works that are cited in the sections."""
    version = content.record["versions"]["pyexpr-stats"]
    text = " ".join(line for section in sections for line in texts(section.blocks))
    works = References(cited(text, version))
    return Section("citing", "References", (Copied("citing-text", "the references", (works,)),))


def _record(content: StudyContent) -> Section:
    record = content.record
    used = dict(record["versions"])
    if "factor_model" in record["stages"]:
        used |= record["stages"]["factor_model"]["provenance"]["versions"]
    facts = Facts(
        (
            ("Seed", str(record["seed"])),
            ("Versions", ", ".join(f"{name} {version}" for name, version in sorted(used.items()))),
            (
                "Files",
                "record.json, beside this report, contains every option, the SHA-256 hash of "
                "each input and of each result, and what was excluded; analysis_notes.txt "
                "contains the notes of all stages.",
            ),
        )
    )
    return Section("record", "Record", (facts,))
