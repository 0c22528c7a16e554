"""What a methods section says of features besides the fourteen."""

from __future__ import annotations

from typing import get_args

from pyexpr.behavior.features.options import Family
from pyexpr.report.text.data import further_features_text


def test_every_family_has_words() -> None:
    for family in get_args(Family):
        (text,) = further_features_text({"extra": [family]})
        assert text.startswith("Further features are ")
        # A family that nobody described would be called by its name alone.
        assert len(text.split()) > 8, family


def test_units_and_baseline_are_reported() -> None:
    text = further_features_text(
        {"extra": ["au_dynamics"], "action_units": ["AU06", "AU12"], "baseline": "rest"}
    )
    assert text[1] == "The events of AU06 and AU12 were also measured for each action unit."
    assert "the mean over the clips of rest of the subject, was added" in text[2]
    assert "over all clips of the subject" in further_features_text({"baseline": "all"})[0]


def test_without_features_there_is_no_sentence() -> None:
    assert further_features_text({}) == []
    assert further_features_text({"extra": [], "action_units": [], "baseline": None}) == []
