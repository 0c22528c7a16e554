"""The list of a study's figures, and who reads it."""

from __future__ import annotations

from string import Formatter
from typing import Any

import pandas as pd
import pytest

from pyexpr.report.outline import Picture
from pyexpr.report.study_figures import STUDY_FIGURES, drawn, filled, planned
from pyexpr.report.study_outline import StudyContent, figure_blocks

OPTIONS: dict[str, Any] = {
    "unit": "clip",
    "evaluation": {"scheme": "split"},
    "compare": {"confidence": 0.9, "methods": ["percentile"]},
    "coefficients": {"adjust": "none"},
}
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>'


def record(**options: Any) -> dict[str, Any]:
    return {"options": OPTIONS | options}


def test_each_figure_stands_once_in_the_report() -> None:
    stems = [stem for one in STUDY_FIGURES for stem in planned(one, {"lstm": 1, "cnn": 1})]
    assert len(set(stems)) == len(stems)
    content = StudyContent(record(), {}, {}, dict.fromkeys(stems, Picture(SVG)), "a")
    sections = dict.fromkeys(one.section for one in STUDY_FIGURES)
    shown = [block.caption for section in sections for block in figure_blocks(content, section)]
    # Numbered in the order of the list, which is that of the report.
    assert [caption.partition(".")[0] for caption in shown] == [
        f"Figure {n}" for n in range(1, len(stems) + 1)
    ]
    assert "Figure 7. Learning Curves of OpenFace-LSTM, by Epoch." in shown


def test_a_figure_is_drawn_where_its_table_is() -> None:
    tables = {
        "coefficients": pd.DataFrame(),
        "learning_curves": pd.DataFrame({"model": ["lstm", "lstm", "cnn"]}),
    }
    assert [(stem, shown.model) for stem, shown, _ in drawn(record(), tables)] == [
        ("slopes", ""), ("weights", ""),
        ("learning_curves_lstm", "lstm"), ("learning_curves_cnn", "cnn"),
    ]  # fmt: skip


@pytest.mark.parametrize("one", STUDY_FIGURES, ids=lambda one: one.stem)
def test_sentences_on_a_figure_hold_for_every_study(one: Any) -> None:
    for scheme in ("split", "cross_validation"):
        for adjust in ("none", "holm"):
            known = record(evaluation={"scheme": scheme}, coefficients={"adjust": adjust})
            for text in (one.title, one.caption, one.note):
                assert "{" not in filled(text, known, "lstm")
    fields = {field for _, field, *_ in Formatter().parse(one.title) if field}
    assert ("model" in fields) == one.each_model


def test_words_follow_the_kind_of_study() -> None:
    captions = {one.stem: one.caption for one in STUDY_FIGURES}
    notes = {one.stem: one.note for one in STUDY_FIGURES}
    titles = {one.stem: one.title for one in STUDY_FIGURES}
    split, crossed = record(unit="scene"), record(evaluation={"scheme": "cross_validation"})
    assert filled(captions["performance"], split).startswith("Performance on the Test Part,")
    assert filled(captions["performance"], crossed).startswith("Performance by Cross-Valid")
    assert filled(captions["predictions"], split).endswith("Scores of the Test Scenes, by Context.")
    assert filled(captions["predictions"], crossed).endswith("Scores of the Clips, by Context.")
    assert filled(titles["predictions"], split).endswith("scores of the test scenes")
    assert filled(titles["predictions"], crossed).endswith("scores of the clips")
    note = notes["slopes"]
    assert filled(note, split).endswith("slopes are 90% confidence intervals.")
    adjusted = filled(note, record(coefficients={"adjust": "holm"}))
    assert adjusted.endswith("intervals, adjusted as stated in the table.")
