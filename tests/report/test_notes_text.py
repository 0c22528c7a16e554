"""Notes and reasons of the analysis, as they are made, in a reader's words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import pyexpr as px
from pyexpr.base.messages import say
from pyexpr.behavior.features.result import _CLIPS, _MORE_CLIPS, _NOT_THERE
from pyexpr.behavior.features.signals import FEW_BINS
from pyexpr.measurement.icc.intervals import ONE_RATING_EACH
from pyexpr.measurement.icc.notes import NOTE_MISSING, NOTE_RATERS, NOTE_TEST
from pyexpr.study.stages.models import _INADMISSIBLE
from pyexpr.words.reader import readers_note, readers_notes, readers_reason
from pyexpr.words.wording import sentence


@pytest.mark.parametrize(
    ("note", "wanted"),
    [
        ("", ""),
        (NOTE_TEST, ""),
        (_CLIPS(clips=3, reason=FEW_BINS(valid=6, bins=15, needed=8)), ""),
        (_NOT_THERE(dropped=1), ""),
        (_MORE_CLIPS(clips=12), ""),
        (NOTE_RATERS, "No interval of a one-way form accounts for raters who rate many clips."),
        (NOTE_MISSING(missing=14), "In all, 14 missing ratings were left out."),
        (
            say("a nominal {level:percent} interval from {low:.2f}", level=95, low=-0.2),
            "A nominal 95% interval from −0.20.",
        ),
        ("of 'target' and -1 target, not ours", "Of 'target' and -1 target, not ours."),
    ],
)
def test_a_note_is_a_sentence_or_is_reported_elsewhere(note: str, wanted: str) -> None:
    assert readers_note(note) == wanted


def test_reasons_name_clips_and_no_options() -> None:
    assert readers_reason(ONE_RATING_EACH) == (
        "every clip has only one rating, so error cannot be separated from differences between "
        "clips"
    )
    assert readers_reason(_INADMISSIBLE) == "its factor model has a negative residual variance"


def test_what_icc_says_of_single_ratings_is_of_clips() -> None:
    ratings = pd.DataFrame(
        {"clip": [1, 1, 2, 2, 3, 4], "rating": np.array([1.0, 2.0, 3.0, 3.5, 2.0, 4.0])}
    )
    message = readers_notes(px.icc(ratings, targets="clip", ratings="rating").notes())
    assert not any("target" in note for note in message)
    assert any(note.startswith("In all, 2 clips have one rating:") for note in message)


def test_a_sentence_keeps_the_spaces_at_which_a_line_may_not_end() -> None:
    assert sentence(" slope  0.2,\np\u00a0=\u00a0.01 ") == "Slope 0.2, p\u00a0=\u00a0.01."
