"""The report of a study: from its record, tables and figures to one page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pyexpr.base.messages import say, says
from pyexpr.inference.coefficients.notes import NOTE_POOLED
from pyexpr.report.html.page import (
    Section,
    bullets,
    caution_box,
    copyable,
    folded,
    page,
    paragraph,
)
from pyexpr.report.html.study_blocks import (
    StudyContent,
    altered_box,
    altered_note,
    cautions_block,
    figure_blocks,
    folded_table_block,
    notes_block,
    section_of,
    table_block,
)
from pyexpr.report.markup import Markup, element, joined, plain_text
from pyexpr.report.text.facts import (
    contexts_of,
    crossed,
    fitted_models,
    outcome_of,
)
from pyexpr.report.text.methods import methods_paragraphs
from pyexpr.report.text.not_done import not_done
from pyexpr.report.text.references import cited
from pyexpr.report.text.results import (
    Caution,
    cautions,
    difference_sentences,
    loadings_sentence,
    performance_sentences,
    reliability_sentence,
    slope_sentences,
)
from pyexpr.words.labels import display_name
from pyexpr.words.wording import counted


def study_page(content: StudyContent) -> str:
    """Return the report as one HTML document that needs nothing else."""
    content = replace(content, numbers={})
    record = content.record
    found = cautions(record, content.tables)
    stages = record["stages"]
    parts = [
        _summary(content, found),
        _methods(content),
        _quality(content, found),
        _reliability(content, found) if "reliability" in stages else None,
        _factor_model(content, found) if "factor_model" in stages else _label(content),
        _performance(content, found),
        _comparison(content, found),
        _coefficients(content, found) if "coefficients" in stages else _weights(content),
        _learning(content),
        _not_done(content),
    ]
    sections = [section for section in parts if section]
    sections += [_references(content, sections), _record(content)]
    lead = [paragraph(_lead(content))]
    altered = altered_box(content.altered)
    if altered is not None:
        lead.append(altered)
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
    judged = (
        "models judged by cross-validation in "
        f"{counted(record['options']['evaluation']['folds'], 'fold')}"
        if crossed(record)
        else f"models of {subjects['train']} training, {subjects['validation']} validation, and "
        f"{counted(subjects['test'], 'test subject')}"
    )
    sample = counted(n_subjects, "subject")
    what = sample if record["options"]["outcome"] is None else f"{outcome_of(record)} in {sample}"
    return (
        f"Report of a study of {what}; {judged}. Made by pyexpr "
        f"{record['versions']['pyexpr-stats']}, seed {record['seed']}."
    )


def _summary(content: StudyContent, found: Iterable[Caution]) -> Section:
    record, tables = content.record, content.tables
    text = [
        *_altered(content.altered),
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
        copyable("results-text", "the results", *(paragraph(line) for line in text if line)),
        caution_box(linked, title="Read with care"),
    ]
    return section_of("summary", "Results in sentences", blocks)


def _altered(files: Sequence[str]) -> list[str]:
    """Return what is said before sentences told from files, if some of them are altered.

    Within what is copied: sentences are copied without what is around them.
    """
    return [f"{altered_note(files)} What follows may be told from there."] if files else []


def _methods(content: StudyContent) -> Section:
    parts = methods_paragraphs(content.record, content.tables)
    # What was done is told from the record, and from counts in the tables.
    blocks = [paragraph(text) for text in _altered(content.altered)]
    blocks += [joined(element("h3", heading), paragraph(text)) for heading, text in parts.items()]
    return section_of("methods", "Method", [copyable("methods-text", "the method", *blocks)])


def _quality(content: StudyContent, found: Iterable[Caution]) -> Section | None:
    stage = content.record["stages"]["features"]
    blocks = [
        cautions_block("quality", found),
        *figure_blocks(content, "quality"),
        table_block(content, "recordings_summary"),
        table_block(content, "clips_left_out"),
        notes_block(content, stage.get("notes", ())),
    ]
    heading = "Quality of the recordings" if "recordings" in content.tables else "Features"
    # Of features that were given, and that every clip has, there is nothing to show.
    return section_of("quality", heading, blocks) if any(blocks) else None


def _reliability(content: StudyContent, found: Iterable[Caution]) -> Section:
    return section_of(
        "reliability",
        "Reliability of the ratings",
        [
            cautions_block("reliability", found),
            table_block(content, "table1_reliability"),
            notes_block(content, content.record["stages"]["reliability"].get("notes", ())),
        ],
    )


def _label(content: StudyContent) -> Section | None:
    notes = notes_block(content, content.record["stages"]["label"].get("notes", ()))
    return None if notes is None else section_of("label", "Label", [notes])


def _factor_model(content: StudyContent, found: Iterable[Caution]) -> Section:
    return section_of(
        "factor-model",
        "Factor model",
        [
            cautions_block("factor-model", found),
            *figure_blocks(content, "factor-model"),
            table_block(content, "table2_factor_model"),
            table_block(content, "invariance"),
            notes_block(content, content.record["stages"]["factor_model"].get("notes", ())),
        ],
    )  # fmt: skip


def _performance(content: StudyContent, found: Iterable[Caution]) -> Section:
    return section_of(
        "performance",
        "Performance of the models",
        [
            cautions_block("performance", found),
            *figure_blocks(content, "performance"),
            table_block(content, "table3_performance_intervals"),
            table_block(content, "repeat_spread"),
            *figure_blocks(content, "performance", below=True),
            notes_block(content, content.record["stages"]["models"].get("notes", ())),
        ],
    )  # fmt: skip


def _comparison(content: StudyContent, found: Iterable[Caution]) -> Section:
    return section_of(
        "comparison",
        "Comparison of the models",
        [
            cautions_block("comparison", found),
            table_block(content, "table4_comparison"),
            folded_table_block(content, "table4_all_differences", "All differences"),
            folded_table_block(
                content, "leakage", "Scores from the whole sample or from training alone"
            ),
            notes_block(content, content.record["stages"]["comparison"].get("notes", ())),
        ],
    )


def _coefficients(content: StudyContent, found: Iterable[Caution]) -> Section:
    notes = content.record["stages"]["coefficients"].get("notes", ())
    if len(contexts_of(content.tables)) == 1:
        # Its own scores are the pooled ones.
        notes = [note for note in notes if not says(note, NOTE_POOLED)]
    return section_of(
        "coefficients",
        "Coefficients",
        [
            cautions_block("coefficients", found),
            *figure_blocks(content, "coefficients"),
            table_block(content, "weights"),
            table_block(content, "coefficients"),
            folded_table_block(content, "contrasts", "Differences of slopes between contexts"),
            folded_table_block(content, "omnibus", "Tests over all contexts at once"),
            notes_block(content, notes),
        ],
    )  # fmt: skip


def _weights(content: StudyContent) -> Section | None:
    """Return the weights of the models that predict, where no slope is tested."""
    table = table_block(content, "weights")
    return None if table is None else section_of("coefficients", "Coefficients", [table])


def _learning(content: StudyContent) -> Section | None:
    blocks: list[Markup | None] = [*figure_blocks(content, "learning-curves")]
    blocks.append(table_block(content, "seed_spread"))
    blocks.append(folded_table_block(content, "learning_curves", "The curves' numbers"))
    models = [one for one in fitted_models(content.tables) if one in content.record["stages"]]
    blocks.append(
        notes_block(
            content,
            [
                say("{model}. {note}", model=display_name(model), note=note)
                for model in models
                for note in content.record["stages"][model].get("notes", ())
            ],
        )
    )
    if not any(blocks):
        return None
    return section_of("learning-curves", "Learning curves", blocks)


def _not_done(content: StudyContent) -> Section:
    text = not_done(content.record, content.tables)
    return section_of(
        "not-done", "What was not done", [copyable("not-done-text", "this list", bullets(text))]
    )


def _references(content: StudyContent, sections: Iterable[Section]) -> Section:
    """List what the sections cite, and no more."""
    version = content.record["versions"]["pyexpr-stats"]
    text = plain_text(block for section in sections for block in section.blocks)
    works = bullets(cited(text, version), class_="references")
    return section_of("citing", "References", [copyable("citing-text", "the references", works)])


def _record(content: StudyContent) -> Section:
    record = content.record
    used = dict(record["versions"])
    if "factor_model" in record["stages"]:
        used |= record["stages"]["factor_model"]["provenance"]["versions"]
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
    return section_of("record", "Record", blocks)
