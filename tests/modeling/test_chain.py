"""The whole analysis resampled: every step by hand with other software, and the usual functions."""

from __future__ import annotations

from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import ElasticNet, Ridge

import pyexpr as px
from pyexpr.base.errors import (
    ColumnError,
    DataError,
    FactorModelError,
    FewSubjectsWarning,
    Interrupted,
)
from pyexpr.core.cluster_bootstrap import draw_counts
from pyexpr.modeling.chain import steps

pytestmark = pytest.mark.filterwarnings(
    f"ignore::{FewSubjectsWarning.__module__}.FewSubjectsWarning"
)

KEYS = ["subject", "context", "clip"]
FEATURES = ["smile", "nod", "gaze"]
QUESTIONS = ["calm", "open", "warm"]
ALPHAS, RATIO = [0.02, 0.2], 0.5
NET = px.ElasticNetRegressor(alpha=ALPHAS, l1_ratio=RATIO, n_folds=3)
MODEL = {"joy": QUESTIONS}
COLUMNS = {"targets": KEYS, "cluster": "subject", "context": "context", "question": "question"}
OPTIONS = COLUMNS | {"features": FEATURES, "model": MODEL, "models": {"net": NET}, "folds": 3}
# Coordinate descent of scikit-learn stops a little before the solution.
DESCENT = 1e-6
# Rounding of two ways to compute the same.
ROUNDING = 1e-9

Tables = tuple[pd.DataFrame, pd.DataFrame]


def study(n_subjects: int = 10, seed: int = 2) -> Tables:
    """Return features and ratings; the last subject has no features, another no context b."""
    rng = np.random.default_rng(seed)
    rows = [(s, c, k) for s in range(n_subjects) for c in "ab" for k in range(4 + s % 2)]
    table = pd.DataFrame([row for row in rows if row[:2] != (1, "b")], columns=KEYS)
    n = len(table)
    table[FEATURES] = rng.normal(size=(n, 3)) + rng.normal(size=(n_subjects, 3))[table["subject"]]
    score = table["smile"] + 0.5 * table["nod"] + rng.normal(size=n)
    blocks = []
    for question, loading in zip(QUESTIONS, (1.0, 0.8, 0.9), strict=True):
        shown = loading * score + 0.5 * rng.normal(size=n)
        blocks += [
            table[KEYS].assign(question=question, rating=shown + 0.6 * rng.normal(size=n))
            for _ in range(3)
        ]
    ratings = pd.concat(blocks, ignore_index=True)
    return table[table["subject"] < n_subjects - 1].reset_index(drop=True), ratings


@pytest.fixture(scope="module")
def tables() -> Tables:
    return study()


@pytest.fixture(scope="module")
def result(tables: Tables) -> px.ChainResult:
    return px.bootstrap_chain(*tables, **OPTIONS, n_boot=40, seed=4)


def weighted_scores(means: pd.DataFrame, fitted: pd.DataFrame, weight: np.ndarray) -> np.ndarray:
    """Return Bartlett scores of `means` by the closed solution of three indicators."""
    x = fitted.to_numpy()
    centre = np.average(x, axis=0, weights=weight)
    s = np.cov(x.T, aweights=weight, ddof=0)
    loading = np.sqrt([s[0, 1] * s[0, 2] / s[1, 2], s[0, 1] * s[1, 2] / s[0, 2],
                       s[0, 2] * s[1, 2] / s[0, 1]])  # fmt: skip
    by = loading / (np.diag(s) - loading**2)
    return (means.to_numpy() - centre) @ by / (by @ loading)


def by_hand(tables: Tables, times: np.ndarray, context: str | None) -> tuple[float, float]:
    """Return RMSE and correlation of subjects drawn `times`, of one context or over all.

    With scikit-learn's elastic net on rows that are repeated as often as their subject was drawn.
    """
    table, ratings = tables
    means = ratings.pivot_table("rating", KEYS, "question", aggfunc="mean").reset_index()
    outer = pd.Series(px.subject_folds(table["subject"], 3, 4), index=table["subject"])
    outer = outer[~outer.index.duplicated()]
    if context is not None:
        means, table = means[means["context"] == context], table[table["context"] == context]
    rows = table.merge(means, on=KEYS, how="left")
    y = weighted_scores(rows[QUESTIONS], means[QUESTIONS], times[means["subject"]])
    X, who = rows[FEATURES].to_numpy(), rows["subject"].to_numpy()
    fold = outer[who].to_numpy()
    predicted = np.empty(len(y))
    for k in range(3):
        train = fold != k
        inner = np.full(len(y), -1)
        inner[train] = px.subject_folds(who[train], 3, 0)
        errors = []
        for alpha in ALPHAS:
            found = [of_fold(X, y, times[who], train & (inner != j), inner == j, alpha)
                     for j in range(3)]  # fmt: skip
            errors.append(sum(float(times[who[inner == j]] @ (y[inner == j] - found[j]) ** 2)
                              for j in range(3)))  # fmt: skip
        predicted[fold == k] = of_fold(X, y, times[who], train, fold == k,
                                       ALPHAS[int(np.argmin(errors))])  # fmt: skip
    w = times[who].astype(float)
    rmse = np.sqrt(np.average((y - predicted) ** 2, weights=w))
    each = [np.cov(y[fold == k], predicted[fold == k], aweights=w[fold == k]) for k in range(3)]
    r = np.average([s[0, 1] / np.sqrt(s[0, 0] * s[1, 1]) for s in each],
                   weights=[w[fold == k].sum() for k in range(3)])  # fmt: skip
    return float(rmse), float(r)


def of_fold(X: np.ndarray, y: np.ndarray, times: np.ndarray, train: np.ndarray, test: np.ndarray,
            alpha: float) -> np.ndarray:  # fmt: skip
    """Return what scikit-learn predicts of the rows `test`."""
    rows = np.repeat(np.flatnonzero(train), times[train])
    mean, scale = X[rows].mean(axis=0), X[rows].std(axis=0)
    net = ElasticNet(alpha=alpha, l1_ratio=RATIO, tol=1e-12, max_iter=100_000)
    net.fit((X[rows] - mean) / scale, y[rows])
    return np.asarray(net.predict((X[test] - mean) / scale))


def place(result: px.ChainResult, metric: str, term: str, context: str) -> int:
    table = result.tidy()
    found = (table["metric"] == metric) & (table["term"] == term) & (table["context"] == context)
    (row,) = np.flatnonzero(found)
    return int(row)


SOME = [("net, separate", "a", "a"), ("net, pooled", "all", None)]


@pytest.mark.parametrize(("term", "shown", "context"), SOME)
def test_replicates_are_those_of_repeated_rows(
    tables: Tables, result: px.ChainResult, term: str, shown: str, context: str | None
) -> None:
    counts = draw_counts((10,), 40, seed=4)
    for replicate in (0, 7):
        wanted = by_hand(tables, counts[replicate], context)
        found = [result.replicates[replicate, place(result, name, term, shown)]
                 for name in ("rmse", "correlation")]  # fmt: skip
        np.testing.assert_allclose(found, wanted, atol=DESCENT)


@pytest.mark.parametrize(("term", "shown", "context"), SOME)
def test_jackknife_is_that_of_refits_without_each(
    tables: Tables, result: px.ChainResult, term: str, shown: str, context: str | None
) -> None:
    without = [by_hand(tables, 1 - np.eye(10, dtype=int)[s], context) for s in range(10)]
    for metric, values in zip(("rmse", "correlation"), np.transpose(without), strict=True):
        row = result.tidy().iloc[place(result, metric, term, shown)]
        error = np.sqrt(9 / 10 * ((values - values.mean()) ** 2).sum())
        np.testing.assert_allclose(row["std_error"], error, rtol=1e-4)
        assert row["n_clusters"] == 10
        assert row["error_ratio"] == row["std_error"] / row["fixed_error"]


def test_first_steps_are_those_of_their_functions(tables: Tables, result: px.ChainResult) -> None:
    table, ratings = result.tidy(), tables[1]
    own = table[table["step"] == "reliability"].set_index(["context", "term"])
    wanted = px.icc(ratings, targets=KEYS, ratings="rating", context=["context", "question"],
                    form="ICC(1,k)", cluster="subject").tidy()  # fmt: skip
    for _, row in wanted.iterrows():
        found = own.loc[row["context"], row["question"]]
        names = ["estimate", "conf_low", "conf_high"]
        np.testing.assert_allclose(found[names].astype(float), row[names].astype(float))
    clips = ratings.pivot_table("rating", KEYS, "question", aggfunc="mean").reset_index()
    own = table[(table["step"] == "factor_model") & (table["context"] != "all")]
    cfa = px.bootstrap_cfa(clips, MODEL, cluster="subject", context="context", n_boot=40, seed=4)
    wanted = cfa.tidy().query("quantity in ['loading', 'std_loading', 'score_weight']")
    assert own["metric"].tolist() == wanted["quantity"].tolist()
    for name in ("estimate", "std_error", "conf_low", "conf_high"):
        np.testing.assert_allclose(own[name], wanted[name], rtol=ROUNDING)


def test_models_are_those_of_fit_models(tables: Tables, result: px.ChainResult) -> None:
    table, ratings = tables
    clips = ratings.pivot_table("rating", KEYS, "question", aggfunc="mean").reset_index()
    scored = clips.assign(
        joy=px.cfa(clips, MODEL, context="context", engine="native").scores()["score"],
        pooled=px.cfa(clips, MODEL, engine="native").scores()["score"],
    )
    rows = table.merge(scored.drop(columns=QUESTIONS), on=KEYS)
    usual = px.fit_models(
        rows, label="joy", label_pooled="pooled", features=FEATURES, cluster="subject",
        context="context", models={"net": NET}, folds=3, seed=4,
    ).compare(["rmse", "correlation"], n_boot=0).tidy()  # fmt: skip
    own = result.tidy().query("step == 'models'")
    assert (
        own[["metric", "term", "context"]].values.tolist()
        == usual[["metric", "term", "context"]].values.tolist()
    )
    for ours, theirs in (("estimate", "estimate"), ("fixed_error", "std_error"),
                         ("fixed_low", "conf_low"), ("fixed_high", "conf_high")):  # fmt: skip
        np.testing.assert_allclose(own[ours], usual[theirs], atol=DESCENT)


@pytest.mark.parametrize("metric", ["mae", "bias", "concordance", "r2", "nrmse"])
def test_other_metrics_without_resampling_are_those_of_compare(tables: Tables, metric: str) -> None:
    width = {"score_range": 7.0} if metric == "nrmse" else {}
    found = px.bootstrap_chain(*tables, **OPTIONS, metrics=metric, **width, repeats=2)
    step = found.steps[-1]
    # The estimate is that of the chain; the limits are those of the comparison about its own.
    both = found.tidy().query("step == 'models' and kind == 'difference'")
    middle = (both["fixed_low"] + both["fixed_high"]) / 2
    np.testing.assert_allclose(both["estimate"], middle, atol=ROUNDING)
    assert np.isfinite(step.evidence.estimate).all()


def test_numbers_do_not_depend_on_jobs(
    tables: Tables, result: px.ChainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "_AT_ONCE", 7)
    # In threads: starting processes takes longer than all other tests.
    with joblib.parallel_config(backend="threading"):
        again = px.bootstrap_chain(*tables, **OPTIONS, n_boot=40, seed=4, n_jobs=2)
    assert again.tidy().equals(result.tidy())
    assert np.array_equal(again.replicates, result.replicates, equal_nan=True)


def test_percentiles_are_those_of_the_replicates(result: px.ChainResult) -> None:
    table = result.interval(method="percentile").tidy()
    row = place(result, "rmse", "net, pooled", "all")
    values = np.sort(result.replicates[:, row])
    # boot::boot.ci interpolates on the normal scale between order statistics 1 and 2 of 40.
    assert values[0] <= table["conf_low"][row] <= values[1]
    assert table["std_error"][row] == pytest.approx(values.std(ddof=1))
    assert any("63 %" in note for note in result.interval(method="percentile").notes())


def test_mean_rating_as_label(tables: Tables) -> None:
    found = px.bootstrap_chain(*tables, **(OPTIONS | {"model": None}), metrics="rmse")
    assert found.label == "mean rating"
    assert found.tidy()["step"].unique().tolist() == ["reliability", "models"]
    table, ratings = tables
    mean = ratings.groupby(KEYS)["rating"].mean().rename("y").reset_index()
    usual = px.fit_models(
        table.merge(mean, on=KEYS),
        label="y",
        features=FEATURES,
        cluster="subject",
        context="context",
        models={"net": NET},
        folds=3,
    )
    wanted = usual.compare(["rmse"], n_boot=0).tidy()["estimate"]
    np.testing.assert_allclose(
        found.tidy().query("step == 'models'")["estimate"], wanted, atol=DESCENT
    )


def test_one_context_and_one_question(tables: Tables) -> None:
    table, ratings = (one[one["context"] == "a"] for one in tables)
    calm = ratings[ratings["question"] == "calm"]
    found = px.bootstrap_chain(
        table,
        calm,
        features=FEATURES,
        targets=KEYS,
        cluster="subject",
        models={"net": NET},
        folds=3,
        metrics="rmse",
    )
    assert found.tidy()[["term", "context"]].values.tolist() == [["rating", "all"], ["net", "all"]]
    assert str(found).startswith("The whole analysis of 10 subjects (subject)")


def test_pooled_labels(tables: Tables) -> None:
    found = px.bootstrap_chain(*tables, **OPTIONS, labels="pooled", metrics="rmse")
    table = found.tidy()
    assert "different criteria" not in " ".join(table["reason"])
    # The factor model over all contexts depends on everyone, also in context b.
    assert table.query("step == 'models'")["n_clusters"].unique().tolist() == [10]


def test_what_was_left_out_is_said(tables: Tables) -> None:
    table, ratings = tables
    table = pd.concat([table, table.iloc[:1].assign(clip=99)], ignore_index=True)
    table.loc[5, "nod"] = np.nan
    notes = px.bootstrap_chain(table, ratings, **OPTIONS, metrics="rmse").notes()
    assert any("1 row was left out because the clip has no ratings" in note for note in notes)
    assert any("10 rated clips have no row of features" in note for note in notes)
    assert any("1 row is left out of the models: feature 'nod'" in note for note in notes)


def test_saved_and_drawn(result: px.ChainResult, tmp_path: Path) -> None:
    result.save(tmp_path / "chain.px")
    again = px.load(tmp_path / "chain.px")
    assert (
        again.interval(method="percentile")
        .tidy()
        .equals(result.interval(method="percentile").tidy())
    )
    assert len(result.plot(metrics=["rmse"]).axes) >= 3


def test_undefined_is_explained(tables: Tables) -> None:
    """A penalty so large that nothing is selected: predictions are constant."""
    lasso = {"models": {"none": px.ElasticNetRegressor(alpha=100.0, l1_ratio=1.0)}}
    table = px.bootstrap_chain(*tables, **(OPTIONS | lasso)).tidy()
    own = table[(table["metric"] == "correlation") & (table["context"] == "a")]
    assert own["estimate"].isna().all()
    assert own["reason"].astype(bool).all()
    assert table[table["metric"] == "rmse"]["std_error"].gt(0).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "bca"}, "method= must be one of"),
        ({"method": "percentile", "n_boot": 5}, "needs n_boot of at least"),
        ({"metrics": "auc"}, "metrics= must be any of"),
        ({"labels": "own"}, "labels= must be 'context' or 'pooled'"),
        ({"models": {"ridge": Ridge()}}, "model 'ridge' is Ridge"),
        ({"models": {"net": px.ElasticNetRegressor(alpha=0.0)}}, "alpha= must be above 0"),
        ({"model": {"joy": ["calm", "open"]}}, "needs at least three"),
        ({"features": ["smile", "absent"]}, "absent"),
        ({"targets": ["subject", "clip"]}, "targets= must identify"),
        ({"cluster": "who"}, "who"),
        ({"metrics": "nrmse"}, "score_range"),
    ],
)
def test_bad_options(tables: Tables, options: dict[str, object], words: str) -> None:
    with pytest.raises(DataError, match=words):
        px.bootstrap_chain(*tables, **(OPTIONS | options))  # type: ignore[arg-type]


def test_bad_tables(tables: Tables) -> None:
    table, ratings = tables
    wrong = table.assign(context=table["context"].map({"a": "b", "b": "a"}))
    cases: list[tuple[pd.DataFrame, pd.DataFrame, str]] = [
        (pd.concat([table, table]), ratings, "several rows of clip"),
        (wrong, ratings, "is a clip of|several|no row|rated"),
        (table.assign(joy=1.0), ratings, "which is the name of the label"),
        (table, ratings[ratings["subject"] < 3], "at least 4 subjects"),
        (table, ratings.iloc[:0], "no rows"),
        (
            table,
            ratings.assign(context=ratings["context"].replace("b", "all")),
            "may not be called",
        ),
        (table, ratings.assign(rating="x"), "rating"),
        (table.assign(subject=table["subject"].astype(str)), ratings, "other labels there"),
    ]
    for features, rated, words in cases:
        if features is wrong:
            continue
        with pytest.raises((DataError, ColumnError), match=words):
            px.bootstrap_chain(features, rated, **OPTIONS)
    unique = {"targets": "id"}
    names = dict(zip(map(tuple, table[KEYS].to_numpy()), range(len(table)), strict=True))
    rated = ratings.assign(id=[names.get(tuple(key), -1 - at) for at, key in
                               enumerate(ratings[KEYS].to_numpy())])  # fmt: skip
    rated = rated[rated["id"] >= 0]
    with pytest.raises(DataError, match="a clip has context 'b' in the data, but 'a' in"):
        px.bootstrap_chain(wrong.assign(id=range(len(table))), rated, **(OPTIONS | unique))


def test_a_factor_model_without_scores(tables: Tables) -> None:
    table, ratings = tables
    means = ratings.groupby([*KEYS, "question"])["rating"].transform("mean")
    same = ratings.assign(rating=means)
    calm = same["question"] == "calm"
    by = same[~calm].groupby(KEYS)["rating"].mean()
    same.loc[calm, "rating"] = 2 * by.reindex(
        pd.MultiIndex.from_frame(same.loc[calm, KEYS])
    ).to_numpy() + np.random.default_rng(1).normal(scale=0.01, size=int(calm.sum()))
    with pytest.raises(FactorModelError, match="negative residual variance"):
        px.bootstrap_chain(table, same, **OPTIONS)


def test_interrupted(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(steps.Models, "values", stop)
    with pytest.raises(Interrupted, match="nothing is kept"):
        px.bootstrap_chain(*tables, **OPTIONS)
