"""The report of a study: from its record, tables and figures to one page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pyexpr.report.display import DisplayTable
from pyexpr.report.html_table import report_table
from pyexpr.report.labels import count, display_name
from pyexpr.report.markup import Markup, element, joined
from pyexpr.report.methods_text import methods_paragraphs, not_done
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
from pyexpr.report.results_text import (
    Caution,
    cautions,
    difference_sentences,
    loadings_sentence,
    performance_sentences,
    reliability_sentence,
    slope_sentences,
)
from pyexpr.report.wording import counted, sentence

_PAPER = (
    "Lin, V., Girard, J. M., & Morency, L.-P. (2020). Context-dependent models for predicting and "
    "characterizing facial expressiveness. Proceedings of the 3rd Workshop on Affective Content "
    "Analysis (AffCon 2020), CEUR-WS 2614. arXiv:1912.04523."
)
_LAVAAN = (
    "Rosseel, Y. (2012). lavaan: An R package for structural equation modeling. Journal of "
    "Statistical Software, 48(2), 1-36."
)
_OPENFACE = (
    "Baltrušaitis, T., Zadeh, A., Lim, Y. C., & Morency, L.-P. (2018). OpenFace 2.0: Facial "
    "behavior analysis toolkit. 13th IEEE International Conference on Automatic Face & Gesture "
    "Recognition, 59-66."
)
_ICC = (
    "McGraw, K. O., & Wong, S. P. (1996). Forming inferences about some intraclass correlation "
    "coefficients. Psychological Methods, 1(1), 30-46."
)
_DESPARSIFIED = (
    "van de Geer, S., Bühlmann, P., Ritov, Y., & Dezeure, R. (2014). On asymptotically optimal "
    "confidence regions and tests for high-dimensional models. Annals of Statistics, 42(3), "
    "1166-1202."
)


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
    """

    record: Mapping[str, Any]
    tables: Mapping[str, pd.DataFrame]
    displays: Mapping[str, DisplayTable]
    figures: Mapping[str, str]
    main: str


def study_page(content: StudyContent) -> str:
    """Return the report as one HTML document that needs nothing else."""
    record = content.record
    found = cautions(record, content.tables)
    sections = [
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
        _citing(content),
        _record(content),
    ]
    lead = [paragraph(_lead(content))]
    if record["simulated"]:
        lead.append(
            element("p", element("strong", "These data are simulated."),
                    " Nothing about people follows from them.")
        )  # fmt: skip
    return page(record["title"], lead, [section for section in sections if section])


def _lead(content: StudyContent) -> str:
    record = content.record
    subjects = record["stages"]["models"]["subjects"]
    n_subjects = content.tables["scores"]["subject"].nunique()
    return (
        f"Report of a study of {counted(n_subjects, 'subject')}; "
        f"models of {subjects['train']} training, {subjects['validation']} validation and "
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
            _figure(content, "quality", "Share of valid bins of each clip, per context."),
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
                "Figure 2. The factor model, per context and over all.",
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
                "Figure 3. Performance on the test part by model and context, with intervals.",
            ),
            _table(content, "table3_performance_intervals"),
            _figure(
                content, "predictions",
                "Predicted against true scores of the test clips, by context.",
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
            _folded_table(content, "table4_all_differences", "All differences, in every context"),
            _folded_table(
                content, "leakage", "Scores from the whole sample or from training alone"
            ),
            _notes(content.record["stages"]["comparison"].get("notes", ())),
        ],
    )


def _coefficients(content: StudyContent, found: Iterable[Caution]) -> Section:
    return _section(
        "coefficients",
        "Coefficients",
        [
            *_warned("coefficients", found),
            _figure(
                content, "figure4_weights",
                "Figure 4. Standardised weights of the features, per context and over all, with "
                "intervals of the procedure.",
            ),
            _figure(
                content, "figure4_coefficients",
                "Weights beside tested slopes, per context and over all.",
            ),
            _table(content, "weights"),
            _table(content, "coefficients"),
            _folded_table(content, "contrasts", "Differences of slopes between contexts"),
            _folded_table(content, "omnibus", "Tests over all contexts at once"),
            _notes(content.record["stages"]["coefficients"].get("notes", ())),
        ],
    )  # fmt: skip


def _learning(content: StudyContent) -> Section | None:
    stems = sorted(stem for stem in content.figures if stem.startswith("learning_curves"))
    blocks = [
        _figure(content, stem, "Learning curves: error on training and validation part by epoch.")
        for stem in stems
    ]
    blocks.append(_table(content, "seed_spread"))
    blocks.append(_folded_table(content, "learning_curves", "The curves' numbers"))
    if not any(blocks):
        return None
    return _section("learning-curves", "Learning curves", blocks)


def _not_done(content: StudyContent) -> Section:
    text = not_done(content.record, content.tables)
    return _section(
        "not-done", "What was not done", [copyable("not-done-text", "this list", bullets(text))]
    )


def _citing(content: StudyContent) -> Section:
    record = content.record
    own = record["versions"]["pyexpr-stats"]
    used = record["stages"]["factor_model"]["provenance"]["versions"]
    works = [
        f"The pyexpr authors. pyexpr: context-dependent models of human expressiveness (version "
        f"{own}) [Computer software].",
        _PAPER,
        *([_LAVAAN] if "lavaan" in used else []),
        _OPENFACE,
        _ICC,
    ]
    table = content.tables.get("coefficients")
    if table is not None and (table["method"] == "desparsified").any():
        works.append(_DESPARSIFIED)
    return _section(
        "citing", "How to cite", [copyable("citing-text", "the references", bullets(works))]
    )


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
            "record.json, beside this report, holds all of this for programs, and every option of "
            "the study."
        ),
        element("dl", *(joined(element("dt", key), element("dd", text)) for key, text in facts)),
        folded(
            f"SHA-256 of {count(len(record['inputs']))} input files", hashes, class_="print-skip"
        ),
    ]
    return _section("record", "Record", blocks)


def _section(name: str, title: str, blocks: Iterable[Markup | None]) -> Section:
    return Section(name, title, tuple(block for block in blocks if block is not None))


def _warned(section: str, found: Iterable[Caution]) -> list[Markup | None]:
    return [caution_box([one.text for one in found if one.section == section])]


def _notes(notes: Iterable[str]) -> Markup | None:
    texts = [sentence(note) for note in notes]
    if not texts:
        return None
    return joined(element("h3", "Notes of the analysis"), bullets(texts, class_="notes"))


def _figure(content: StudyContent, stem: str, caption: str) -> Markup | None:
    svg = content.figures.get(stem)
    return None if svg is None else figure(_id("figure", stem), svg, caption)


def _table(content: StudyContent, stem: str) -> Markup | None:
    display = content.displays.get(stem)
    return None if display is None else report_table(display, _id("table", stem))


def _id(kind: str, stem: str) -> str:
    """Name a table or figure in the page, apart from the sections."""
    name = stem.replace("_", "-")
    return name if name.startswith(kind) else f"{kind}-{name}"


def _folded_table(content: StudyContent, stem: str, title: str) -> Markup | None:
    table = _table(content, stem)
    return None if table is None else folded(title, table)
