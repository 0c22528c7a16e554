"""Baselines: the right distributions, one draw per clip; the human one worked by hand."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, norm

from pyexpr.base.errors import ColumnError, DataError
from pyexpr.modeling.baselines import human_baseline, normal_baseline, uniform_baseline

SETTINGS = settings(derandomize=True, deadline=None, max_examples=25)
EXACT = 1e-12
RANGE = {"low": -3.5, "high": 3.5}  # the paper's factor scores
UNIT = {"mean": 0, "sd": 1}
LOADINGS = {"emotion": 0.9, "motion": 0.6, "response": 0.8}
KEYS = ["subject", "context", "clip"]


def clips(n_subjects: int = 40, n_clips: int = 5) -> pd.DataFrame:
    return pd.DataFrame(
        [
            (f"S{i:03d}", context, str(clip + 1))
            for i in range(n_subjects)
            for context in ("pain", "startle")
            for clip in range(n_clips)
        ],
        columns=KEYS,
    )


def ratings(seed: int = 0, raters: int = 6, n_subjects: int = 4) -> pd.DataFrame:
    """Make integer answers 0-4 that agree in part."""
    rng = np.random.default_rng(seed)
    table = clips(n_subjects, 3)
    level = rng.normal(2, 1, size=len(table))
    rows = [
        (*key, str(r + 1), question, int(np.clip(round(level[i] + rng.normal()), 0, 4)))
        for i, key in enumerate(table.itertuples(index=False, name=None))
        for r in range(raters)
        for question in LOADINGS
    ]
    return pd.DataFrame(rows, columns=[*KEYS, "rater", "question", "score"])


def by_hand(table: pd.DataFrame) -> pd.DataFrame:
    """Standardised weighted sums (clips by raters), by pandas' own reshaping."""
    wide = table.pivot(index=[*KEYS, "rater"], columns="question", values="score")
    w = (wide * pd.Series(LOADINGS)).sum(axis=1)
    return ((w - w.mean()) / w.std(ddof=0)).unstack("rater")


def test_distributions() -> None:
    table = clips(400)
    uniform, normal = (
        uniform_baseline(table, **RANGE, seed=1),
        normal_baseline(table, **UNIT, seed=1),
    )
    assert uniform.between(-3.5, 3.5, inclusive="neither").all()
    # Seeded: a right generator fails neither of these.
    assert kstest(uniform, "uniform", args=(-3.5, 7)).pvalue > 0.01
    assert kstest(normal, "norm").pvalue > 0.01
    # Two blocks of the stream: neither baseline is a transform of the other.
    assert abs(np.corrcoef(norm.cdf(normal), uniform)[0, 1]) < 4 / np.sqrt(len(table))


@SETTINGS
@given(seed=st.integers(0, 2**64 - 1), order=st.randoms(use_true_random=False))
def test_a_clip_keeps_its_draw_in_any_order(seed, order) -> None:
    table = clips(6)
    positions = list(range(len(table)))
    order.shuffle(positions)
    for baseline in (partial(uniform_baseline, **RANGE), partial(normal_baseline, **UNIT)):
        whole = baseline(table, seed=seed)
        shuffled = baseline(table.iloc[positions], seed=seed)
        assert shuffled.index.tolist() == positions
        assert (shuffled.sort_index() == whole).all()


def test_draws_are_the_words_of_philox() -> None:
    table = clips(3)
    words = np.random.Philox(key=[5, 4], counter=[0, 0, 0, 0]).random_raw(len(table))
    expected = -3.5 + 7 * ((words >> np.uint64(11)) + 0.5) / 2**53
    np.testing.assert_allclose(uniform_baseline(table, **RANGE, seed=5), expected, atol=EXACT)
    words = np.random.Philox(key=[5, 4], counter=[0, 1, 0, 0]).random_raw(len(table))
    expected = norm.ppf(((words >> np.uint64(11)) + 0.5) / 2**53)
    np.testing.assert_allclose(normal_baseline(table, **UNIT, seed=5), expected, atol=EXACT)


def test_other_range_and_keys() -> None:
    draws = uniform_baseline({"id": [3, 1, 2]}, keys=["id"], low=0, high=1)
    assert draws.between(0, 1).all()
    with pytest.raises(DataError, match="low= and high= must be finite numbers, low below high"):
        uniform_baseline({"id": [1]}, keys=["id"], low=1, high=1)
    # The paper's scale is not taken for that of other data.
    for baseline in (uniform_baseline, normal_baseline):
        with pytest.raises(TypeError, match="missing 2 required keyword-only arguments"):
            baseline({"id": [1]}, keys=["id"])
    plain = normal_baseline({"id": [3, 1, 2]}, keys=["id"], **UNIT)
    shifted = normal_baseline({"id": [3, 1, 2]}, keys=["id"], mean=50, sd=20)
    np.testing.assert_allclose(shifted, 50 + 20 * plain, rtol=EXACT)
    for wrong in ({"mean": np.nan, "sd": 1}, {"mean": 0, "sd": 0}, {"mean": 0, "sd": "1"}):
        with pytest.raises(DataError, match="mean= and sd= must be finite numbers, sd above 0"):
            normal_baseline({"id": [1]}, keys=["id"], **wrong)
    with pytest.raises(DataError, match="1 row of the table repeats a key; the first is id='1'"):
        normal_baseline({"id": [1, 2, 1]}, **UNIT, keys=["id"])
    with pytest.raises(ColumnError, match="no column 'subject'"):
        normal_baseline({"id": [1]}, **UNIT)
    with pytest.raises(ColumnError, match="missing values"):
        normal_baseline({"id": ["a", None]}, **UNIT, keys=["id"])


def test_human_baseline_worked_by_hand() -> None:
    # Weighted sums: clip 1: 0.9*2 + 0.6*1 = 2.4 and 0.9; clip 2: 3.6 and 0.6.
    rows = [
        ("s", "t", "1", "1", "emotion", 2),
        ("s", "t", "1", "1", "motion", 1),
        ("s", "t", "1", "2", "emotion", 1),
        ("s", "t", "1", "2", "motion", 0),
        ("s", "t", "2", "1", "emotion", 4),
        ("s", "t", "2", "1", "motion", 0),
        ("s", "t", "2", "2", "emotion", 0),
        ("s", "t", "2", "2", "motion", 1),
    ]
    table = pd.DataFrame(rows, columns=[*KEYS, "rater", "question", "score"])
    result = human_baseline(table, {"emotion": 0.9, "motion": 0.6})
    w = np.array([[2.4, 0.9], [3.6, 0.6]])
    z = (w - 1.875) / np.sqrt(np.mean((w - 1.875) ** 2))
    assert result.mean == pytest.approx(1.875, abs=EXACT)
    got = result.table
    np.testing.assert_allclose(got[["human_1", "human_2"]], z, atol=EXACT)
    np.testing.assert_allclose(
        got[["human_1_criterion", "human_2_criterion"]], z[:, ::-1], atol=EXACT
    )


@pytest.mark.parametrize("human", ["slot", "person"])
def test_human_baseline_against_reshaping(human: str) -> None:
    table = ratings(raters=12)
    result = human_baseline(table.sample(frac=1, random_state=0), LOADINGS, human=human)
    z = by_hand(table)
    # Numbered by size, so that "10" comes after "9".
    assert result.raters == tuple(str(r) for r in range(1, 13))
    assert result.table[KEYS].to_records(index=False).tolist() == z.index.tolist()
    for r, (value, truth) in enumerate(zip(result.values, result.truth, strict=True), start=1):
        own = z[str(r)]
        assert (value, truth) == (f"human_{r}", f"human_{r}_criterion")
        np.testing.assert_allclose(result.table[value], own, atol=EXACT)
        others = z.drop(columns=str(r)).mean(axis=1)
        np.testing.assert_allclose(result.table[truth], others, atol=EXACT)
    assert (result.table["reason"] == "").all()
    assert (result.n_pairs, result.n_incomplete) == (24 * 12, 0)


def test_loadings_from_a_table_and_their_scale() -> None:
    table = ratings()
    expected = human_baseline(table, LOADINGS).table
    frame = pd.DataFrame(
        {"group": "all", "indicator": LOADINGS.keys(), "loading": LOADINGS.values()}
    )
    assert human_baseline(table, frame).table.equals(expected)
    doubled = human_baseline(table, {name: 2 * x for name, x in LOADINGS.items()}).table
    pd.testing.assert_frame_equal(doubled, expected)


def test_slots_where_the_raters_differ_from_clip_to_clip() -> None:
    table = ratings()
    # Twelve persons, six of them on each clip.
    clip_number = table.groupby(KEYS, sort=False).ngroup()
    persons = table.assign(rater=(table["rater"].astype(int) + 6 * (clip_number % 2)).astype(str))
    result = human_baseline(persons, LOADINGS)
    assert result.raters == (1, 2, 3, 4, 5, 6)
    expected = human_baseline(table, LOADINGS).table
    pd.testing.assert_frame_equal(result.table, expected)
    with pytest.raises(DataError, match=r"needs all 12 raters on every clip, but 24 clips lack"):
        human_baseline(persons, LOADINGS, human="person")


def test_missing_answers_are_left_out_and_counted() -> None:
    table = ratings()
    first = (table[KEYS] == table.loc[0, KEYS]).all(axis=1)
    second = ~first & (table["subject"] == "S000") & (table["context"] == "pain")
    second &= table["clip"] == "2"
    third = ~first & ~second & (table["subject"] == "S000") & (table["context"] == "pain")
    # Clip 1 lacks one answer of rater 2; clip 2 has rater 5 alone; clip 3 has no complete rater.
    broken = table.astype({"score": float})
    broken.loc[first & (table["rater"] == "2") & (table["question"] == "motion"), "score"] = np.nan
    gone = (second & (table["rater"] != "5")) | (third & (table["question"] == "emotion"))
    broken = broken[~gone]
    result = human_baseline(broken, LOADINGS)
    rows = result.table.set_index(KEYS)
    assert result.n_incomplete == 1 + 6
    one, two, three = (rows.loc[("S000", "pain", clip)] for clip in "123")
    assert one["reason"] == "only 5 of 6 raters"
    assert np.isnan(one["human_2"])
    assert np.isnan(one["human_2_criterion"])
    others = one[["human_1", "human_4", "human_5", "human_6"]].mean()
    assert one["human_3_criterion"] == pytest.approx(others, abs=EXACT)
    assert two["reason"] == "only one rater"
    assert two[list(result.values)].isna().all()
    assert three["reason"] == "only 0 of 6 raters"
    assert (rows["reason"] == "").sum() == len(rows) - 3
    assert any("7 (clip, rater) pairs" in note for note in result.notes())


def test_result_prints_and_exports() -> None:
    result = human_baseline(ratings(), LOADINGS)
    assert "6 slots on 24 clips" in str(result)
    assert result.to_dict()["provenance"]["loadings"] == LOADINGS
    table = result.tidy()
    table["human_1"] = 0.0
    assert (result.table["human_1"] != 0).any()


@pytest.mark.parametrize(
    ("change", "loadings", "extra", "error", "message"),
    [
        ({}, {**LOADINGS, "emotions": 1}, {}, ColumnError, "did you mean 'emotion'"),
        ({}, {"emotion": 1.0}, {}, DataError, "no loading for question"),
        ({}, {**LOADINGS, "emotion": np.nan}, {}, DataError, "finite numbers"),
        ({"score": 2}, LOADINGS, {}, DataError, "are equal"),
        ({"rater": None}, LOADINGS, {}, ColumnError, "missing values"),
        ({"rater": "1"}, LOADINGS, {}, DataError, "ratings are doubled; the first is subject="),
        ({"score": "high"}, LOADINGS, {}, ColumnError, "row 1 holds 'high'"),
        ({"score": np.nan}, LOADINGS, {}, DataError, "no rater answered every question"),
        ({}, LOADINGS, {"human": "people"}, DataError, "must be 'slot' or 'person'"),
        ({}, LOADINGS, {"rater": "judge"}, ColumnError, "no column 'judge'"),
        (
            {},
            {"indicator": ["emotion", "emotion"], "loading": [1.0, 2.0]},
            {},
            DataError,
            "more than one loading of .emotion.",
        ),
    ],
)
def test_refused(change, loadings, extra, error, message) -> None:
    if "indicator" in loadings:
        loadings = pd.DataFrame(loadings)
    with pytest.raises(error, match=message):
        human_baseline(ratings().assign(**change), loadings, **extra)


def test_one_rater_cannot_be_compared() -> None:
    with pytest.raises(DataError, match="no rater can be compared"):
        human_baseline(ratings(raters=1), LOADINGS)
