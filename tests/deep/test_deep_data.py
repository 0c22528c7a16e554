"""Clips on their way to the module: standardised, batched, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyexpr.base.errors import DataError
from pyexpr.deep import data
from pyexpr.deep.data import Sequences, checked_sequences, standardised

# One rounding to float32 of numbers of size 1.
SINGLE = 1e-6


def test_columns_have_mean_0_and_deviation_1_within_the_clip() -> None:
    rng = np.random.default_rng(0)
    clip = rng.normal(1e6, 3, size=(75, 4))
    found = standardised(clip)
    expected = (clip - clip.mean(axis=0)) / clip.std(axis=0)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found.mean(axis=0, dtype=np.float64), 0, atol=SINGLE)
    np.testing.assert_allclose(found.std(axis=0, dtype=np.float64), 1, atol=SINGLE)


def test_constant_and_missing_columns_are_0() -> None:
    clip = np.array([[0.1, np.nan, 1.0], [0.1, np.nan, np.nan], [0.1, np.nan, 3.0]])
    np.testing.assert_array_equal(standardised(clip), [[0, 0, -1], [0, 0, 0], [0, 0, 1]])


def test_batches_pad_only_where_lengths_differ() -> None:
    clips = [np.arange(n * 2.0).reshape(n, 2) for n in (4, 4, 3)]
    sequences = Sequences(clips, 2, [4, 4, 3])
    (same,) = sequences.batch(np.array([1, 0]))
    assert same.shape == (2, 4, 2)
    frames, lengths = sequences.batch(np.array([2, 0]))
    assert frames.shape == (2, 4, 2)
    assert lengths.tolist() == [3, 4]
    np.testing.assert_array_equal(frames[0, 3], 0)
    taken = sequences.take(np.array([2, 1]))
    assert len(taken) == 2
    np.testing.assert_array_equal(taken.batch(np.array([0]))[0][0], standardised(clips[2]))


def test_what_does_not_fit_is_made_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clips = [np.arange(6.0).reshape(3, 2) for _ in range(2)]
    kept = Sequences(clips, 2, [3, 3])
    monkeypatch.setattr(data, "KEPT_BYTES", 10)
    made = Sequences(clips, 2, [3, 3])
    rows = np.array([0, 1])
    np.testing.assert_array_equal(kept.batch(rows)[0], made.batch(rows)[0])
    assert len(kept._ready) == 2
    assert not made._ready
    assert kept.fingerprint() == made.fingerprint()


def test_fingerprints_differ_with_values_and_lengths() -> None:
    clip = np.arange(12.0).reshape(6, 2)
    other = clip.copy()
    other[5, 1] += 1
    made = [
        Sequences(clips, 2, [len(clip) for clip in clips]).fingerprint()
        for clips in ([clip], [other], [clip[:3], clip[3:]], [clip[:2], clip[2:]])
    ]
    assert len(set(made)) == 4


CLIP = np.zeros((3, 2)) + np.arange(2)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((4, 2)), r"not an array of shape \(4, 2\)"),
        ("clips.csv", "not str"),
        ([], "no clips"),
        (np.zeros((0, 3, 2)), "no clips"),
        ([CLIP, CLIP[:, :1]], "clip 2 of X has 1 columns, but clip 1 has 2"),
        ([CLIP, CLIP[:0]], r"clip 2 of X must have the shape \(frames, columns\), not \(0, 2\)"),
        ([CLIP.astype(str)], "clip 1 of X must hold numbers"),
        ([CLIP, np.where(CLIP == 1, np.inf, CLIP)], "clip 2 .* frame 1 holds inf in column 2"),
        ([CLIP, np.full((3, 2), np.nan)], "clip 2 of X has no observed value"),
    ],
)
def test_clips_that_make_no_sense(X: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        checked_sequences(X, what="X")
