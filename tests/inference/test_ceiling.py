"""The ceiling: against `icc`, `compare_models`, a known error-free score, and bad input."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pyexpr as px
from pyexpr.base.errors import ColumnError, DataError, FewSubjectsWarning
from pyexpr.inference.ceiling.quantities import OF_MODEL, OF_TRUTH

N, SUBJECTS, RATERS = 240, 30, 4


def made(seed: int = 1, *, missing: float = 0.0, questions: int = 1) -> tuple[pd.DataFrame, Any]:
    """Return rows with two models, and their ratings."""
    rng = np.random.default_rng(seed)
    subject = np.sort(rng.integers(0, SUBJECTS, N))
    true = rng.normal(size=SUBJECTS)[subject] + rng.normal(size=N)
    scores = true[:, None, None] + 1.5 * rng.normal(size=(N, RATERS, questions))
    kept = rng.random((N, RATERS)) >= missing
    kept[:, 0] = True
    weights = np.arange(1, questions + 1)
    mean = (scores * kept[..., None]).sum(axis=1) / kept.sum(axis=1)[:, None]
    target, rater = np.nonzero(kept)
    ratings = pd.DataFrame(
        {
            "clip": np.repeat(target, questions),
            "rater": np.repeat(np.array(list("abcd"))[rater], questions),
            "question": np.tile(np.arange(questions), len(target)),
            "rating": scores[target, rater].ravel(),
        }
    )
    rows = pd.DataFrame(
        {
            "clip": np.arange(N),
            "subject": [f"s{k:02d}" for k in subject],
            "task": np.where(np.arange(N) % 3 == 0, "pain", "joy"),
            "y": mean @ weights + 2,
            "p": weights.sum() * (0.5 * true + 0.5 * rng.normal(size=N)) + 2,
            "q": weights.sum() * 0.2 * true + 2,
        }
    )
    return rows, ratings


OPTIONS: dict[str, Any] = {
    "truth": "y", "predictions": ["p", "q"], "targets": "clip", "cluster": "subject",
    "form": "ICC(1,k)", "n_boot": 40,
}  # fmt: skip


@pytest.fixture(scope="module")
def tables() -> tuple[pd.DataFrame, Any]:
    return made()


def values(result: px.CeilingResult, term: str = "y", context: str = "all") -> dict[str, float]:
    table = result.tidy()
    rows = table[(table["term"] == term) & (table["context"] == context)]
    return dict(zip(rows["metric"], rows["estimate"], strict=True))


def test_reliability_is_that_of_icc(tables: tuple[pd.DataFrame, Any]) -> None:
    rows, ratings = tables
    known = px.icc(
        ratings, targets="clip", ratings="rating", raters="rater", cluster=False,
        form=["ICC(1,k)", "ICC(C,k)"],
    ).tidy()  # fmt: skip
    for form, expected in zip(known["form"], known["estimate"], strict=True):
        found = px.rating_ceiling(rows, ratings, **OPTIONS | {"form": form, "raters": "rater"})
        assert values(found)["reliability"] == pytest.approx(expected, rel=1e-12)
        assert values(found)["ceiling"] == pytest.approx(np.sqrt(expected), rel=1e-12)


def test_unequal_raters_against_analysis_of_variance() -> None:
    from scipy.stats import f_oneway

    rows, ratings = made(2, missing=0.4)
    found = values(px.rating_ceiling(rows, ratings, **OPTIONS))
    # The mean square within targets, from the F test: between over F.
    several = ratings.groupby("clip")["rating"].apply(list)
    F = f_oneway(*several).statistic
    means, n = several.map(np.mean), several.map(len)
    between = np.sum(n * (means - ratings["rating"].mean()) ** 2) / (N - 1)
    within = between / F
    error = within * (1 / ratings.groupby("clip").size()).mean()
    assert found["rating_error"] == pytest.approx(np.sqrt(error), rel=1e-10)
    assert found["reliability"] == pytest.approx(1 - error / rows["y"].var(), rel=1e-10)


def test_levels_are_those_of_compare_models(tables: tuple[pd.DataFrame, Any]) -> None:
    rows, ratings = tables
    options = {"context": "task", "n_boot": 60, "seed": 3}
    found = px.rating_ceiling(rows, ratings, **OPTIONS | options)
    known = px.compare_models(
        rows, truth="y", predictions=["p", "q"], cluster="subject", pairwise=False,
        metrics=["correlation", "rmse"], **options,
    )  # fmt: skip
    own, other = found.tidy(), known.tidy()
    for i, row in other[other["context"].isin(["joy", "pain"])].iterrows():
        key = (own["metric"] == row["metric"]) & (own["term"] == row["term"])
        (j,) = np.flatnonzero(key & (own["context"] == row["context"]))
        for column in ("estimate", "conf_low", "conf_high", "df", "std_error"):
            assert own.loc[j, column] == pytest.approx(row[column], rel=1e-9), column
        np.testing.assert_allclose(found.replicates[:, j], known.replicates[:, i], rtol=1e-9)


def test_error_free_values_are_those_of_known_scores() -> None:
    rng = np.random.default_rng(4)
    n = 40_000
    true = rng.normal(size=n)
    scores = true[:, None] + rng.normal(size=(n, 3))
    rows = pd.DataFrame({"clip": np.arange(n), "subject": np.arange(n) // 10})
    rows["y"] = scores.mean(axis=1)
    rows["p"] = 0.6 * true + 0.5 * rng.normal(size=n)
    ratings = pd.DataFrame({"clip": np.repeat(np.arange(n), 3), "rating": scores.ravel()})
    found = px.rating_ceiling(rows, ratings, **OPTIONS | {"predictions": "p", "n_boot": 0})
    got = values(found) | values(found, "p")
    assert got["ceiling"] == pytest.approx(np.corrcoef(true, rows["y"])[0, 1], abs=0.01)
    assert got["rating_error"] == pytest.approx(np.std(rows["y"] - true), abs=0.01)
    assert got["error_free_correlation"] == pytest.approx(
        np.corrcoef(true, rows["p"])[0, 1], abs=0.01
    )
    assert got["error_free_rmse"] == pytest.approx(
        np.sqrt(np.mean((true - rows["p"]) ** 2)), abs=0.01
    )
    share = np.mean((rows["y"] - true) ** 2) / np.mean((rows["y"] - rows["p"]) ** 2)
    assert got["rating_share"] == pytest.approx(share, abs=0.01)


def test_truth_of_several_questions() -> None:
    rows, ratings = made(5, questions=3)
    found = px.rating_ceiling(
        rows, ratings, **OPTIONS | {"raters": "rater", "question": "question"}
    )
    weighted = ratings.assign(z=ratings["rating"] * (ratings["question"] + 1))
    composite = weighted.groupby(["clip", "rater"], as_index=False)["z"].sum()
    known = px.icc(composite, targets="clip", ratings="z", cluster=False, form="ICC(1,k)").tidy()
    assert values(found)["reliability"] == pytest.approx(known["estimate"][0], rel=1e-9)
    assert "3 questions" in " ".join(found.notes())
    # A rater who did not answer every question has no score of the target.
    fewer = px.rating_ceiling(
        rows[rows["clip"] != 0],
        ratings.drop(index=4),
        **OPTIONS | {"raters": "rater", "question": "question"},
    )
    assert "left out" in " ".join(fewer.notes())


def test_severity_of_crossed_raters_is_no_error(tables: tuple[pd.DataFrame, Any]) -> None:
    rows, ratings = tables
    moved = ratings.assign(
        rating=ratings["rating"] + ratings["rater"].map({"a": 0, "b": 3, "c": 6, "d": 9})
    )
    options = OPTIONS | {"raters": "rater", "form": "ICC(C,k)"}
    one = px.rating_ceiling(rows, ratings, **options)
    other = px.rating_ceiling(rows.assign(y=rows["y"] + 4.5), moved, **options)
    assert values(other)["reliability"] == pytest.approx(values(one)["reliability"], rel=1e-10)
    np.testing.assert_allclose(other.replicates[:, 0], one.replicates[:, 0], rtol=1e-9)


def test_jackknife_and_draws_are_of_whole_subjects(tables: tuple[pd.DataFrame, Any]) -> None:
    rows, ratings = tables
    found = px.rating_ceiling(rows, ratings, **OPTIONS)
    without = rows[rows["subject"] != "s03"]
    again = px.rating_ceiling(without, ratings, **OPTIONS).tidy()["estimate"]
    influence = found.influence()
    left = influence[influence["cluster"] == "s03"]["estimate"]
    np.testing.assert_allclose(left, again, rtol=1e-9)
    names = [*OF_TRUTH, *OF_MODEL, *OF_MODEL]
    assert found.tidy()["metric"].tolist() == names


def test_ranges_joined_and_saved(tables: tuple[pd.DataFrame, Any], tmp_path: Any) -> None:
    rows, ratings = tables
    whole = px.rating_ceiling(rows, ratings, **OPTIONS)
    parts = [
        px.rating_ceiling(rows, ratings, **OPTIONS | {"n_boot": n, "first_replicate": first})
        for first, n in ((0, 15), (15, 25))
    ]
    np.testing.assert_array_equal(px.join(parts).replicates, whole.replicates)
    np.testing.assert_array_equal(parts[0].extend(25).replicates, whole.replicates)
    whole.save(tmp_path / "found.json")
    again = px.load(tmp_path / "found.json")
    pd.testing.assert_frame_equal(again.tidy(), whole.tidy())
    basic = whole.interval(method="basic").tidy()
    assert set(basic["method"]) == {"basic"}


def test_unreliable_ratings_have_no_ceiling(tables: tuple[pd.DataFrame, Any]) -> None:
    rows, ratings = tables
    rng = np.random.default_rng(6)
    # Raters who contradict each other: less difference between targets than within them.
    noise = np.tile([1.0, -1.0, 1.0, -1.0], N) + rng.normal(size=4 * N) * 0.1
    bad = ratings.assign(rating=noise)
    own = rows.assign(y=bad.groupby("clip")["rating"].mean().to_numpy())
    found = px.rating_ceiling(own, bad, **OPTIONS).tidy()
    lost = found[found["estimate"].isna()]
    assert set(lost["metric"]) >= {"ceiling", "error_free_correlation"}
    assert lost["reason"].str.contains("reliability is not positive|error of the model").all()


def test_constant_and_perfect_predictions(tables: tuple[pd.DataFrame, Any]) -> None:
    rows, ratings = tables
    own = rows.assign(p=3.0, q=rows["y"])
    found = px.rating_ceiling(own, ratings, **OPTIONS).tidy().set_index(["term", "metric"])
    assert found.loc[("p", "correlation"), "reason"] == "the prediction does not vary"
    assert found.loc[("p", "error_free_correlation"), "reason"] == "the prediction does not vary"
    assert found.loc[("q", "rating_share"), "reason"] == "the model makes no error"
    assert "smaller than" in found.loc[("q", "error_free_rmse"), "reason"]
    single = ratings.drop_duplicates("clip")
    alone = rows.assign(y=single["rating"].to_numpy())
    table = px.rating_ceiling(alone, single, **OPTIONS).tidy()
    reasons = table.loc[table["metric"] == "reliability", "reason"]
    assert reasons.tolist() == [
        "no target has two ratings, so that the error of the ratings cannot be estimated"
    ]


def test_missing_rows_and_other_targets_are_counted(tables: tuple[pd.DataFrame, Any]) -> None:
    rows, ratings = tables
    own = rows.copy()
    own.loc[[3, 7], "p"] = np.nan
    found = px.rating_ceiling(own, ratings, **OPTIONS)
    notes = " ".join(found.notes())
    assert "2 rows were left out" in notes
    assert "8 ratings were left out" in notes
    assert set(found.tidy()["n"]) == {N - 2}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "other truth": ({"truth": "q"}, "the truth is not a weighted sum of the mean ratings"),
    "no column": ({"targets": "film"}, "film"),
    "no ratings": ({"ratings": "score"}, "score"),
    "form": ({"form": "ICC(A,k)"}, "form="),
    "consistency without raters": ({"form": "ICC(C,k)"}, "raters="),
    "no form": ({"form": None, "raters": "rater"}, "4 raters rated every target"),
    "question without raters": ({"question": "question"}, "raters="),
    "subjects as targets": ({"targets": "task"}, "several rows"),
    "two columns of subjects": ({"cluster": ("subject", "task")}, "one column of subjects"),
    "studentized": ({"method": "studentized"}, "no studentized intervals"),
    "several columns": ({"predictions": {"m": ["p", "q"]}}, "several columns"),
    "adjust": ({"adjust": "holm"}, "adjust="),
    "stratify": ({"stratify": "task"}, "stratify="),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, tables: tuple[pd.DataFrame, Any]) -> None:
    changed, words = REFUSED[case]
    rows, ratings = tables
    rows, ratings = rows, ratings.assign(task="joy")
    with pytest.raises((DataError, ColumnError)) as caught:
        px.rating_ceiling(rows, ratings, **OPTIONS | changed)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_refused_tables(tables: tuple[pd.DataFrame, Any]) -> None:
    rows, ratings = tables
    for own, rated, words in (
        (rows, ratings[ratings["clip"] != 5], "1 row has no rating"),
        (rows.assign(clip=rows["clip"].astype(str)), ratings, "240 rows have no rating"),
        (pd.concat([rows, rows.iloc[:1]]), ratings, "several rows with clip '0'"),
        (rows, pd.concat([ratings, ratings.iloc[:1]]), "rated a target twice"),
        (rows.assign(y=np.nan), ratings, "truth and every prediction"),
        (rows.assign(subject="s"), ratings, "only one subject"),
        (rows.iloc[:0], ratings, "has no rows"),
        (rows, ratings.assign(item=ratings.index % 2), "'item'"),
        (rows, ratings.assign(rating="high"), "'high'"),
    ):
        with pytest.raises(DataError) as caught:
            px.rating_ceiling(own, rated, **OPTIONS | {"raters": "rater"})
        assert words in str(caught.value)


def test_few_subjects_warn(tables: tuple[pd.DataFrame, Any]) -> None:
    rows, ratings = tables
    few = rows[rows["subject"] < "s09"]
    with pytest.warns(FewSubjectsWarning):
        px.rating_ceiling(few, ratings, **OPTIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        px.rating_ceiling(rows, ratings, **OPTIONS)
