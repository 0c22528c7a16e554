"""How sentences of the report name what the models predict, whatever the label is called."""

from __future__ import annotations

from typing import Any

import pytest

from pyexpr.report.text.facts import predicted_outcome


def record(outcome: str | None = None, **label: Any) -> dict[str, Any]:
    label = {"method": "column", "question": (), "column": ()} | label
    options = {"outcome": outcome, "label": label, "factor_model": {"factor": "expressiveness"}}
    return {"options": options}


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (record(method="factor"), "the factor score of expressiveness"),
        (record(method="mean"), "the mean rating"),
        (record(column=("joy",)), "joy"),
        (record(method="question", question=("How_happy",)), "How_happy"),
        (record("positive affect", method="mean"), "positive affect"),
        (record("the amount of smiling", method="factor"), "the amount of smiling"),
    ],
)
def test_only_the_packages_own_words_have_an_article(made: dict[str, Any], words: str) -> None:
    assert predicted_outcome(made) == words
