"""The report of a study: from its record, tables and figures to one page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from pyexpr.report.columns import title_parts
from pyexpr.report.display import DisplayTable
from pyexpr.report.html_table import report_table
from pyexpr.report.labels import display_name, percent
from pyexpr.report.markup import Markup, element, joined, plain_text
from pyexpr.report.methods_text import contexts_of, fitted_models, methods_paragraphs
from pyexpr.report.not_done_text import not_done
from pyexpr.report.notes_text import readers_notes
from pyexpr.report.page import (
    Section,
    bullets,
    caution_box,
    copyable,
    figure,
    folded,
    page,
    paragraph,
)
from pyexpr.report.references import cited
from pyexpr.report.results_text import (
    Caution,
    cautions,
    difference_sentences,
    loadings_sentence,
    performance_sentences,
    reliability_sentence,
    slope_sentences,
)
from pyexpr.report.wording import counted


@dataclass(frozen=True, slots=True)
class StudyContent:
    """What the report of a study is made of.

    Attributes
    ----------
    record : mapping
        As in ``record.json``.
    tables : mapping of str to DataFrame
        Numbers by name: reliability, loadings, scores, recordings, weights, comparison, and
        where the study has them tuning, quality, left_out, coefficients, scores_leakage.
    displays : mapping of str to DisplayTable
        Tables to show, by the stem of their file.
    figures : mapping of str to str
        SVG text, by the stem of their file.
    main : str
        The model whose differences from the others are told.
    numbers : dict of str to int
        The last number given to a "Table" and to a "Figure": they count as they are shown.
    """

    record: Mapping[str, Any]
    tables: Mapping[str, pd.DataFrame]
    displays: Mapping[str, DisplayTable]
    figures: Mapping[str, str]
    main: str
    numbers: dict[str, int] = field(default_factory=dict)

    def numbered(self, kind: str, title: str) -> str:
        """Return a title with the next number of its kind in place of its own, if it has one."""
        self.numbers[kind] = self.numbers.get(kind, 0) + 1
        return f"{kind} {self.numbers[kind]}. {title_parts(title)[1]}."


def study_page(content: StudyContent) -> str:
    """Return the report as one HTML document that needs nothing else."""
    content = replace(content, numbers={})
    record = content.record
    found = cautions(record, content.tables)
    parts = [
        _summary(content, found),
        _methods(content),
        _quality(content, found),
        _reliability(content, found),
        _factor_model(content, found),
        _performance(content, found),
        _comparison(content, found),
        _coefficients(content, found),
        _learning(content),
        _not_done(content),
    ]
    sections = [section for section in parts if section]
    sections += [_references(content, sections), _record(content)]
    lead = [paragraph(_lead(content))]
    if record["simulated"]:
        lead.append(
            element("p", element("strong", "These data are simulated."),
                    " Nothing about people follows from them.")
        )  # fmt: skip
    return page(record["title"], lead, sections)


def _lead(content: StudyContent) -> str:
    record = content.record
    subjects = record["stages"]["models"]["subjects"]
    n_subjects = content.tables["scores"]["subject"].nunique()
    return (
        f"Report of a study of {counted(n_subjects, 'subject')}; "
        f"models of {subjects['train']} training, {subjects['validation']} validation, and "
        f"{counted(subjects['test'], 'test subject')}. Made by pyexpr "
        f"{record['versions']['pyexpr-stats']}, seed {record['seed']}."
    )


def _summary(content: StudyContent, found: Iterable[Caution]) -> Section:
    record, tables = content.record, content.tables
    text = [
        reliability_sentence(content.record, tables),
        loadings_sentence(tables),
        *performance_sentences(record, tables),
        *difference_sentences(record, tables, content.main),
        *slope_sentences(record, tables),
    ]
    linked = [
        joined(one.text, " ", element("a", "See there", href=f"#{one.section}",
               aria_label=f"See section {display_name(one.section.replace('-', '_'))}"), ".")
        for one in found
    ]  # fmt: skip
    blocks = [
        copyable("results-text", "the results", *(paragraph(line) for line in text)),
        caution_box(linked, title="Read with care"),
    ]
    return _section("summary", "Results in sentences", blocks)


def _methods(content: StudyContent) -> Section:
    parts = methods_paragraphs(content.record, content.tables)
    blocks = [joined(element("h3", heading), paragraph(text)) for heading, text in parts.items()]
    return _section("methods", "Method", [copyable("methods-text", "the method", *blocks)])


def _quality(content: StudyContent, found: Iterable[Caution]) -> Section:
    stage = content.record["stages"]["features"]
    return _section(
        "quality",
        "Quality of the recordings",
        [
            *_warned("quality", found),
            _figure(content, "quality", "Share of Valid Bins of Each Clip, by Context."),
            _table(content, "recordings_summary"),
            _table(content, "clips_left_out"),
            _notes(stage.get("notes", ())),
        ],
    )


def _reliability(content: StudyContent, found: Iterable[Caution]) -> Section:
    return _section(
        "reliability",
        "Reliability of the ratings",
        [
            *_warned("reliability", found),
            _table(content, "table1_reliability"),
            _notes(content.record["stages"]["reliability"].get("notes", ())),
        ],
    )


def _factor_model(content: StudyContent, found: Iterable[Caution]) -> Section:
    return _section(
        "factor-model",
        "Factor model",
        [
            *_warned("factor-model", found),
            _figure(
                content, "figure2_factor_model",
                "The Factor Model, by Context.",
            ),
            _table(content, "table2_factor_model"),
            _table(content, "invariance"),
            _notes(content.record["stages"]["factor_model"].get("notes", ())),
        ],
    )  # fmt: skip


def _performance(content: StudyContent, found: Iterable[Caution]) -> Section:
    return _section(
        "performance",
        "Performance of the models",
        [
            *_warned("performance", found),
            _figure(
                content, "figure3_performance",
                "Performance on the Test Part, by Model and Context.",
            ),
            _table(content, "table3_performance_intervals"),
            _figure(
                content, "predictions",
                "Predicted Against True Scores of the Test Clips, by Context.",
            ),
            _notes(content.record["stages"]["models"].get("notes", ())),
        ],
    )  # fmt: skip


def _comparison(content: StudyContent, found: Iterable[Caution]) -> Section:
    return _section(
        "comparison",
        "Comparison of the models",
        [
            *_warned("comparison", found),
            _table(content, "table4_comparison"),
            _folded_table(content, "table4_all_differences", "All differences"),
            _folded_table(
                content, "leakage", "Scores from the whole sample or from training alone"
            ),
            _notes(content.record["stages"]["comparison"].get("notes", ())),
        ],
    )


def _coefficients(content: StudyContent, found: Iterable[Caution]) -> Section:
    level = percent(content.record["options"]["compare"]["confidence"])
    told = "confidence intervals, adjusted as the table says"
    if content.record["options"]["coefficients"]["adjust"] == "none":
        told = "confidence intervals"
    notes = content.record["stages"]["coefficients"].get("notes", ())
    if len(contexts_of(content.tables)) == 1:
        # Its own scores are the pooled ones.
        notes = [note for note in notes if "y_pooled" not in note]
    return _section(
        "coefficients",
        "Coefficients",
        [
            *_warned("coefficients", found),
            _figure(
                content, "figure4_weights",
                "Standardised Weights of the Features, by Context.",
                note=f"Lines: {level} percentile intervals of the weights over resamples of "
                "subjects; they describe, and test nothing.",
            ),
            _figure(
                content, "figure4_coefficients",
                "Weights Beside Tested Slopes, by Context.",
                note=f"Lines: of the weights as before; of the slopes {level} {told}.",
            ),
            _table(content, "weights"),
            _table(content, "coefficients"),
            _folded_table(content, "contrasts", "Differences of slopes between contexts"),
            _folded_table(content, "omnibus", "Tests over all contexts at once"),
            _notes(notes),
        ],
    )  # fmt: skip


def _learning(content: StudyContent) -> Section | None:
    stems = sorted(stem for stem in content.figures if stem.startswith("learning_curves"))
    blocks = [
        _figure(
            content,
            stem,
            f"Learning Curves of {display_name(stem.removeprefix('learning_curves_'))}, by Epoch.",
        )
        for stem in stems
    ]
    blocks.append(_table(content, "seed_spread"))
    blocks.append(_folded_table(content, "learning_curves", "The curves' numbers"))
    models = [one for one in fitted_models(content.tables) if one in content.record["stages"]]
    blocks.append(
        _notes(
            f"{display_name(model)}. {note}"
            for model in models
            for note in content.record["stages"][model].get("notes", ())
        )
    )
    if not any(blocks):
        return None
    return _section("learning-curves", "Learning curves", blocks)


def _not_done(content: StudyContent) -> Section:
    text = not_done(content.record, content.tables)
    return _section(
        "not-done", "What was not done", [copyable("not-done-text", "this list", bullets(text))]
    )


def _references(content: StudyContent, sections: Iterable[Section]) -> Section:
    """List what the sections cite, and no more."""
    version = content.record["versions"]["pyexpr-stats"]
    text = plain_text(block for section in sections for block in section.blocks)
    works = bullets(cited(text, version), class_="references")
    return _section("citing", "References", [copyable("citing-text", "the references", works)])


def _record(content: StudyContent) -> Section:
    record = content.record
    used = dict(record["versions"]) | record["stages"]["factor_model"]["provenance"]["versions"]
    facts = [
        ("Seed", str(record["seed"])),
        ("Versions", ", ".join(f"{name} {version}" for name, version in sorted(used.items()))),
    ]
    hashes = bullets(
        joined(element("code", name), " ", element("code", digest))
        for name, digest in record["inputs"].items()
    )
    blocks = [
        paragraph(
            "The file record.json, beside this report, holds all of this for programs, and every "
            "option of the study."
        ),
        element("dl", *(joined(element("dt", key), element("dd", text)) for key, text in facts)),
        folded(
            f"SHA-256 of {counted(len(record['inputs']), 'input file')}",
            hashes,
            class_="print-skip",
        ),
    ]
    return _section("record", "Record", blocks)


def _section(name: str, title: str, blocks: Iterable[Markup | None]) -> Section:
    return Section(name, title, tuple(block for block in blocks if block is not None))


def _warned(section: str, found: Iterable[Caution]) -> list[Markup | None]:
    return [caution_box([one.text for one in found if one.section == section])]


def _notes(notes: Iterable[str]) -> Markup | None:
    texts = readers_notes(notes)
    if not texts:
        return None
    return joined(element("h3", "Notes of the analysis"), bullets(texts, class_="notes"))


def _figure(content: StudyContent, stem: str, title: str, *, note: str = "") -> Markup | None:
    svg = content.figures.get(stem)
    if svg is None:
        return None
    return figure(_id("figure", stem), svg, content.numbered("Figure", title), note=note)


def _table(content: StudyContent, stem: str) -> Markup | None:
    display = content.displays.get(stem)
    if display is None:
        return None
    title = content.numbered("Table", display.title)
    return report_table(replace(display, title=title), _id("table", stem))


def _id(kind: str, stem: str) -> str:
    """Name a table or figure in the page, apart from the sections."""
    name = stem.replace("_", "-")
    return name if name.startswith(kind) else f"{kind}-{name}"


def _folded_table(content: StudyContent, stem: str, title: str) -> Markup | None:
    table = _table(content, stem)
    return None if table is None else folded(title, table)
