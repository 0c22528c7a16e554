"""Columns that are no raters, and ratings that are not of one thing: refused, and nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pyexpr.base.errors import DataError
from pyexpr.measurement.icc.cluster import NO_UPPER_LIMIT
from pyexpr.measurement.icc.icc import icc
from pyexpr.measurement.icc.intervals import WALD_NOT_ENCLOSED

SHROUT_FLEISS = pd.DataFrame(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]],
    columns=list("abcd"),
)
RNG = np.random.default_rng(4)


@pytest.mark.parametrize(
    "name", ["clip", "Subject", "clip_id", "subject id", "ClipID", "id", "Unnamed: 0", "item_no"]
)
def test_what_names_targets_is_no_rater(name: str) -> None:
    wide = SHROUT_FLEISS.assign(**{name: [3, 1, 4, 1, 5, 9]})
    with pytest.raises(DataError, match=r"does not (seem to )?hold the ratings of a rater"):
        icc(wide)
    named = icc(wide, ratings=list("abcd"), cluster=False).tidy()
    pd.testing.assert_frame_equal(named, icc(SHROUT_FLEISS).tidy())


@pytest.mark.parametrize(
    ("numbers", "how"),
    [
        (range(1, 7), "count the rows"),
        (range(6, 0, -1), "count the rows"),
        ([1003, 1001, 1017, 1020, 1002, 1009], "outside the other columns' 1 to 10"),
    ],
)
def test_a_column_that_numbers_the_rows_is_no_rater(numbers: object, how: str) -> None:
    for dtype in (int, float):
        wide = SHROUT_FLEISS.assign(x=np.array(list(numbers), dtype=dtype))
        with pytest.raises(DataError, match=rf"'x' of a wide table does not seem to hold.*{how}"):
            icc(wide)
        assert icc(wide, ratings=list("abcdx")).counts()["n_raters"].item() == 5


def test_shuffled_numbers_and_those_among_many_rows_are_no_rater() -> None:
    scores = pd.DataFrame(RNG.integers(0, 30, size=(25, 3)), columns=list("abc"))
    shuffled = scores.assign(x=RNG.permutation(25) + 1)
    with pytest.raises(DataError, match="are all different, without a gap"):
        icc(shuffled)
    spread = scores.assign(x=RNG.permutation(26)[:25])
    spread["x"] = spread["x"].replace(25, 27)
    with pytest.raises(DataError, match="in no other column they are"):
        icc(spread)


@pytest.mark.parametrize(
    "table",
    [
        # Raters who rank, and few targets in the order of their ratings.
        np.column_stack([RNG.permutation(12) + 1 for _ in range(4)]),
        np.array([[1, 2, 1], [2, 2, 3], [3, 4, 3], [4, 4, 4]]),
        np.array([[1, 2, 1], [2, 1, 2], [3, 3, 3]]),
        # A slider of 0 to 100: whole numbers, often all different.
        RNG.integers(0, 101, size=(8, 4)),
        RNG.integers(0, 1001, size=(30, 4)),
        np.array([[10, 22], [25, 22], [47, 50], [61, 50], [80, 71], [92, 95]]),
        # One rater has no ties by chance.
        np.array([[10, 20], [20, 20], [40, 50], [60, 50], [80, 70], [95, 95], [3, 5]]),
        RNG.normal(size=(30, 3)),
    ],
)
def test_plausible_ratings_are_not_refused(table: np.ndarray) -> None:
    frame = pd.DataFrame(table, columns=[f"rater {j}" for j in range(table.shape[1])])
    pd.testing.assert_frame_equal(icc(frame).tidy(), icc(table.astype(float)).tidy())


def test_one_column_of_a_wide_table_is_not_one_rater() -> None:
    long = SHROUT_FLEISS.rename_axis("t").reset_index().melt("t", var_name="r", value_name="x")
    with pytest.raises(DataError, match="one column of scores, 'x'"):
        icc(long.set_index(["t", "r"]))


def clips() -> pd.DataFrame:
    """Ten subjects with four clips, labelled alike in all subjects, three raters, two questions."""
    cells = pd.MultiIndex.from_product(
        [range(10), range(4), list("abc"), ["emotion", "motion"]],
        names=["subject", "clip", "rater", "question"],
    )
    return pd.DataFrame({"score": RNG.normal(size=len(cells))}, index=cells).reset_index()


def test_clips_of_a_subject_are_no_repeated_ratings_of_it() -> None:
    frame = clips().query("question == 'motion'").drop(columns="question")
    named = r"targets=\['subject', 'clip'\].*cluster=; px.multilevel_icc computes .* several clips"
    with pytest.raises(DataError, match=rf"up to 4 clips.*{named}"):
        icc(frame, targets="subject", ratings="score")
    with pytest.raises(DataError, match="a rater gave one 'subject' up to 4 ratings"):
        icc(frame.drop(columns="clip"), targets="subject", ratings="score")
    with pytest.raises(DataError, match="several ratings of a rater") as error:
        icc(frame.drop(columns="clip"), targets="subject", ratings="score", raters="rater")
    assert "leave out" not in str(error.value)
    icc(frame, targets=["subject", "clip"], ratings="score", cluster="subject")
    # One clip of each subject is the subject, as far as these ratings go.
    icc(frame[frame["clip"] == 2], targets="subject", ratings="score")


def test_questions_are_no_repeated_ratings_either() -> None:
    frame = clips()
    cell = {"targets": ["subject", "clip"], "ratings": "score", "cluster": "subject"}
    with pytest.raises(DataError, match=r"of up to 2 questions.*context='question'"):
        icc(frame.drop(columns="rater"), **cell)
    by = icc(frame, context="question", **cell)
    assert len(by.counts()) == 2
    # Ratings that are missing are of nothing.
    frame.loc[frame["question"] == "motion", "score"] = np.nan
    icc(frame, **cell)


def test_an_interval_without_its_estimate_says_so() -> None:
    """Wald's limits are those of a test; the estimate is from mean squares: they may part."""
    marked = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        target = np.repeat(np.arange(12), rng.integers(1, 9, 12))
        frame = pd.DataFrame({"t": target, "x": rng.normal(size=len(target))})
        frame["s"] = frame["t"] // 2
        row = icc(frame, targets="t", ratings="x", form="ICC(1,1)").tidy().iloc[0]
        outside = not row["conf_low"] <= row["estimate"] <= row["conf_high"]
        assert row["reason"] == (WALD_NOT_ENCLOSED if outside else "")
        marked += outside
        # What is said of Wald's interval does not hold of the jackknife's.
        jackknife = (
            icc(frame, targets="t", ratings="x", form="ICC(1,1)", cluster="s").tidy().iloc[0]
        )
        assert jackknife["reason"] in ("", NO_UPPER_LIMIT)
        assert jackknife["conf_low"] < jackknife["conf_high"]
    assert marked >= 3
