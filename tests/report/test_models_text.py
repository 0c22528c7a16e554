"""Deep models in a methods section: sentences, no options of a study file."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pyexpr.report.text.models import models_sentences
from pyexpr.study.file.model_sections import LSTMSection, Video3DSection


def text_of(model: str, section: Any, contexts: tuple[str, ...] = ("startle", "pain")) -> str:
    record = {
        "options": {
            "models": {model: section.model_dump(mode="json"), "context_as": None},
            "unit": "clip",
        },
        "seed": 4,
        "stages": {model: {"chosen": {"all": {"lr": 0.01, "num_layers": 3}}}},
    }
    names = {"startle": "Startle", "pain": "Pain", "all": "All"}
    return " ".join(models_sentences(record, contexts, names, [model], {}))


@pytest.mark.parametrize(
    ("model", "section", "words"),
    [
        ("lstm", LSTMSection(), "two layers of 128 hidden units, and no dropout"),
        ("lstm", LSTMSection(), "the landmarks of face and eyes in two and three dimensions"),
        ("lstm", LSTMSection(), "a learning rate of 0.005, no weight decay, and gradients clipped"),
        ("lstm", LSTMSection(), "stopped when 10 epochs had not decreased the error"),
        ("lstm", LSTMSection(per_context=False), "was trained over all contexts by Adam"),
        ("lstm", LSTMSection(max_epochs=2), "lowest error on the validation part were kept"),
        ("lstm", LSTMSection(max_epochs=1), "for at most 1 epoch;"),
        ("lstm", LSTMSection(), "Each of these models was trained once (seed 4)."),
        ("lstm", LSTMSection(per_context=False), "It was trained once (seed 4)."),
        (
            "lstm",
            LSTMSection(n_seeds=3),
            "three training runs that differ only in their seed (4 to 6)",
        ),
        ("lstm", LSTMSection(tune="paper"), "All: learning rate 0.01, layers 3."),
        ("lstm", LSTMSection(dropout=0.2), "and dropout of 0.2 between layers"),
        ("video3d", Video3DSection(), "16 frames of each clip, evenly spaced over the clip"),
        ("video3d", Video3DSection(), "Its initial weights were random."),
        (
            "video3d",
            Video3DSection(pretrained="kinetics400", trainable="layer4", crop="face"),
            "trained on Kinetics-400; layers before the fourth residual stage were not",
        ),
        ("video3d", Video3DSection(precision="16-mixed"), "in mixed precision of 16 bits"),
    ],
)
def test_choices_are_sentences(model: str, section: Any, words: str) -> None:
    text = text_of(model, section)
    assert words in text
    assert not re.search(r"\w_\w|True|False|None|\w = \w", text)


def test_every_group_of_columns_has_words() -> None:
    from pyexpr.behavior.features.frame_store import COLUMN_SETS
    from pyexpr.behavior.tracks.groups import ALL_GROUPS

    for name in (*COLUMN_SETS, *ALL_GROUPS):
        assert " received the " in text_of("lstm", LSTMSection(columns=(name,))).replace(
            "received all columns", "received the columns"
        )


def test_one_context_is_not_named() -> None:
    assert "context" not in text_of("lstm", LSTMSection(), ("pain",))
