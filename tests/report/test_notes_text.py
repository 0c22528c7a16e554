"""Notes and reasons of the analysis, as they are made, in a reader's words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import pyexpr as px
from pyexpr.measurement.icc.intervals import ONE_RATING_EACH
from pyexpr.measurement.icc.result import NOTE_RATERS, NOTE_TEST
from pyexpr.study.models_stage import _INADMISSIBLE
from pyexpr.words.notes import readers_note, readers_notes, readers_reason


@pytest.mark.parametrize(
    ("note", "told"),
    [
        ("", ""),
        (NOTE_TEST, ""),
        ("3 clips: 6 of 15 bins valid, 8 needed.", ""),
        ("1 clip of the schedule is not in the recordings.", ""),
        ("12 more clips for other reasons.", ""),
        (NOTE_RATERS, "No interval of a one-way form respects raters who rate many clips each."),
        ("14 missing ratings were left out", "In all, 14 missing ratings were left out."),
        ("a nominal 95 % interval of -.2 to 0.1", "A nominal 95% interval of −.2 to 0.1."),
        ("of 'target' and targets-1.csv", "Of 'target' and targets-1.csv."),
    ],
)
def test_a_note_is_a_sentence_or_is_told_elsewhere(note: str, told: str) -> None:
    assert readers_note(note) == told


def test_reasons_name_clips_and_no_options() -> None:
    assert readers_reason(ONE_RATING_EACH) == (
        "every clip has one rating, so error cannot be told from clips"
    )
    assert readers_reason(_INADMISSIBLE) == "its factor model has a negative residual variance"


def test_what_icc_says_of_single_ratings_is_of_clips() -> None:
    ratings = pd.DataFrame(
        {"clip": [1, 1, 2, 2, 3, 4], "rating": np.array([1.0, 2.0, 3.0, 3.5, 2.0, 4.0])}
    )
    said = readers_notes(px.icc(ratings, targets="clip", ratings="rating").notes())
    assert not any("target" in note for note in said)
    assert any(note.startswith("In all, 2 clips have one rating:") for note in said)
