"""Importance of features: scikit-learn's numbers, closed forms, refits by hand, bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from command_line import pyexpr
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    cohen_kappa_score,
    f1_score,
    log_loss,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import pyexpr as px
from pyexpr.base.errors import ColumnError, DataError, FewSubjectsWarning, Interrupted
from pyexpr.modeling.importance import exchanged
from pyexpr.modeling.importance.donors import pairs_of
from pyexpr.modeling.importance.exchanges import changes_of, exchange_of
from pyexpr.modeling.importance.of_classes import Classes as Classes_
from pyexpr.modeling.importance.of_classes import ClassMeasures
from pyexpr.modeling.importance.of_numbers import SE, NumberMeasures

pytestmark = pytest.mark.filterwarnings(
    f"ignore::{FewSubjectsWarning.__module__}.FewSubjectsWarning"
)

FEATURES = ["smile", "nod", "gaze"]
SLOPES = np.array([1.0, 0.4, 0.0])
# Rounding of sums in another order.
ROUNDING = 1e-9
KINDS = ("rows", "within", "subjects")


def clips(n_subjects: int = 8, seed: int = 3, most: int = 8) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(n_subjects), rng.integers(2, most, n_subjects))
    table = pd.DataFrame({"subject": subject})
    table[FEATURES] = rng.normal(size=(n_subjects, 3))[subject] + rng.normal(size=(len(table), 3))
    table["task"] = np.where(np.arange(len(table)) % 2, "pain", "startle")
    table["joy"] = table[FEATURES] @ SLOPES + rng.normal(size=n_subjects)[subject]
    return table.assign(joy=table["joy"] + rng.normal(size=len(table)))


class Fixed:
    """A model with known slopes."""

    def __init__(self, slopes: Any) -> None:
        self.slopes = np.asarray(slopes, dtype=float)

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        return np.einsum("ij,j->i", X[FEATURES].to_numpy(), self.slopes)


COLUMNS: dict[str, Any] = {"label": "joy", "features": FEATURES, "cluster": "subject"}
ALL_PAIRS: dict[str, Any] = COLUMNS | {"n_repeats": "all"}


def donors(table: pd.DataFrame, kind: str, column: str) -> list[np.ndarray]:
    """Return by hand the values that each row is given, in the order of the rows."""
    x, who = table[column].to_numpy(), table["subject"].to_numpy()
    mean = table.groupby("subject")[column].transform("mean").to_numpy()
    found = []
    for i in range(len(table)):
        if kind == "rows":
            found.append(x[who != who[i]])
        elif kind == "within":
            mine = (who == who[i]) & (np.arange(len(x)) != i)
            found.append(x[mine])
        else:
            others = [mean[who == one][0] for one in np.unique(who) if one != who[i]]
            found.append(x[i] - mean[i] + np.array(others))
    return found


def by_hand(table: pd.DataFrame, slopes: np.ndarray, kind: str) -> dict[str, np.ndarray]:
    """Return the metrics after the exchange of each feature, and before."""
    X, y = table[FEATURES].to_numpy(), table["joy"].to_numpy()
    p = X @ slopes
    found: dict[str, list[float]] = {"mse": [], "mae": [], "correlation": []}
    for j, column in enumerate(FEATURES):
        squared, absolute, q, qq, qy = [], [], [], [], []
        for i, given in enumerate(donors(table, kind, column)):
            new = p[i] + slopes[j] * (given - X[i, j])
            squared.append(np.mean((y[i] - new) ** 2))
            absolute.append(np.mean(np.abs(y[i] - new)))
            q.append(new.mean())
            qq.append(np.mean(new**2))
            qy.append(y[i] * new.mean())
        found["mse"].append(np.mean(squared))
        found["mae"].append(np.mean(absolute))
        cov = np.mean(qy) - np.mean(q) * y.mean()
        found["correlation"].append(cov / np.sqrt((np.mean(qq) - np.mean(q) ** 2) * y.var()))
    return {name: np.array(values) for name, values in found.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_all_pairs_by_hand(kind: str) -> None:
    table, slopes = clips(), np.array([0.8, 0.5, 0.3])
    found = px.feature_importance(
        Fixed(slopes), table, permute=kind, metrics=["mse", "rmse", "mae", "correlation"],
        **ALL_PAIRS,
    ).tidy()  # fmt: skip
    expected = by_hand(table, slopes, kind)
    after = {name: found[found["metric"] == name]["after"].to_numpy() for name in expected}
    for name, values in expected.items():
        np.testing.assert_allclose(after[name], values, rtol=ROUNDING)
    rmse = found[found["metric"] == "rmse"]
    e = table["joy"] - Fixed(slopes).predict(table)
    np.testing.assert_allclose(
        rmse["estimate"], np.sqrt(expected["mse"]) - np.sqrt(np.mean(e**2)), rtol=ROUNDING
    )


def test_closed_form_of_a_linear_model() -> None:
    """With Var and Cov over pairs: b^2 E(x_j - x_i)^2 - 2 b E e_i (x_j - x_i)."""
    table, slopes = clips(most=3), np.array([0.8, 0.5, 0.3])
    # Two clips of everybody: then all rows have as many donors, and moments suffice.
    table = table.groupby("subject").head(2)
    n, G = len(table), table["subject"].nunique()
    e = (table["joy"] - Fixed(slopes).predict(table)).to_numpy()
    found = px.feature_importance(Fixed(slopes), table, metrics="mse", **ALL_PAIRS).tidy()
    for j, column in enumerate(FEATURES):
        x = table[column].to_numpy()
        by_subject = table.groupby("subject")[column].transform("sum").to_numpy()
        squares = table.assign(s=x**2).groupby("subject")["s"].transform("sum").to_numpy()
        others = n - n / G
        mean, square = (x.sum() - by_subject) / others, ((x**2).sum() - squares) / others
        expected = slopes[j] ** 2 * np.mean(square - 2 * x * mean + x**2)
        expected -= 2 * slopes[j] * np.mean(e * (mean - x))
        assert found["estimate"][j] == pytest.approx(expected, rel=ROUNDING)


@pytest.mark.parametrize("metric", ["mse", "mae"])
def test_scikit_learn_with_the_same_permutations(metric: str) -> None:
    table = clips(20, most=12)
    forest = RandomForestRegressor(20, random_state=0).fit(table[FEATURES], table["joy"])
    scoring = {"mse": "neg_mean_squared_error", "mae": "neg_mean_absolute_error"}[metric]
    n_repeats, seed = 6, 5
    theirs = permutation_importance(
        forest, table[FEATURES], table["joy"], scoring=scoring, n_repeats=n_repeats,
        random_state=seed,
    )  # fmt: skip
    # As it draws: one seed for all columns, and every permutation is one of the last column.
    rng_seed = np.random.RandomState(seed).randint(np.iinfo(np.int32).max + 1)
    X, y = table[FEATURES], table["joy"].to_numpy()
    subjects = table["subject"].to_numpy()
    p, sums = forest.predict(X), NumberMeasures()
    for j, column in enumerate(FEATURES):
        random = np.random.RandomState(rng_seed)
        order, given = np.arange(len(X)), np.arange(len(X))
        total = np.zeros(8)
        for _ in range(n_repeats):
            random.shuffle(order)
            given = given[order]
            new = X.assign(**{column: X[column].to_numpy()[given]})
            exchange = exchange_of(subjects, np.arange(len(X)), subjects[given])
            changed = changes_of(sums.columns(y, p, forest.predict(new), exchange), exchange)[0]
            total[[3, 4, 5, SE, 7]] += changed / n_repeats
        before = sums.before(y, p, subjects).sum(axis=0)
        ours = sums.metric(metric, (before + total)[None]) - sums.metric(metric, before[None])
        assert float(ours) == pytest.approx(theirs.importances_mean[j], rel=ROUNDING)


@pytest.mark.parametrize("kind", KINDS)
def test_the_jackknife_leaves_a_subject_out_of_both_roles(kind: str) -> None:
    """The value without a subject is the importance of the table without it."""
    table = clips()
    model = DecisionTreeRegressor(max_depth=4, random_state=0).fit(table[FEATURES], table["joy"])
    options = ALL_PAIRS | {"context": "task", "permute": kind}
    options["metrics"] = ["rmse", "correlation"]
    table = table.groupby(["subject", "task"]).filter(lambda own: len(own) > 1)
    whole = px.feature_importance(model, table, **options)
    influence = whole.influence()
    for subject in (0, 5):
        rest = px.feature_importance(model, table[table["subject"] != subject], **options).tidy()
        own = influence[influence["cluster"] == subject]
        keys = ["metric", "model", "term", "context"]
        both = own.merge(rest, on=keys, suffixes=("", "_rest"))
        assert len(both) == len(own) > 0
        np.testing.assert_allclose(both["estimate"], both["estimate_rest"], atol=ROUNDING)


def test_interval_is_that_of_the_leave_one_out_values() -> None:
    found = px.feature_importance(Fixed([0.8, 0.5, 0.3]), clips(), **ALL_PAIRS)
    values = found.influence()
    own = values[values["term"] == "nod"]["estimate"].to_numpy()
    G = len(own)
    expected = np.sqrt((G - 1) / G * np.sum((own - own.mean()) ** 2))
    assert found.tidy()["std_error"][1] == pytest.approx(expected, rel=ROUNDING)


def test_known_importance_of_independent_features() -> None:
    """The increase of MSE is 2 b beta var(x), and it divides into within and between."""
    rng = np.random.default_rng(0)
    subject = np.repeat(np.arange(2000), 4)
    table = pd.DataFrame({"subject": subject})
    table[FEATURES] = rng.normal(size=(2000, 3))[subject] + rng.normal(size=(8000, 3))
    table["joy"] = table[FEATURES] @ SLOPES + rng.normal(size=8000)
    b = np.array([0.8, 0.5, 0.3])
    found = {
        kind: px.feature_importance(
            Fixed(b), table, permute=kind, metrics="mse", n_repeats=5, **COLUMNS
        ).tidy()["estimate"].to_numpy()
        for kind in KINDS
    }  # fmt: skip
    # Three standard errors.
    np.testing.assert_allclose(found["rows"], 2 * b * SLOPES * 2, atol=0.2)
    np.testing.assert_allclose(found["within"], 2 * b * SLOPES, atol=0.15)
    # Means of four clips hold a fourth of the variation within, which stays where it is.
    np.testing.assert_allclose(found["subjects"], 2 * b * SLOPES * 1.25, atol=0.2)


def test_donors_are_equally_likely_and_of_the_right_subjects() -> None:
    subjects = np.repeat([0, 1, 2, 3], [1, 3, 5, 12])
    for kind in KINDS:
        counts = np.zeros((len(subjects), len(subjects)))
        for seed in range(250):
            pairs = pairs_of(subjects, kind, 5, seed, 0)
            assert not pd.DataFrame({"t": pairs.target, "d": pairs.donor}).duplicated().any()
            np.add.at(counts, (pairs.target, pairs.donor), 1)
            own = subjects[pairs.target] == pairs.from_subject
            assert own.all() if kind == "within" else not own.any()
        if kind == "rows":
            shares = counts / counts.sum(axis=1, keepdims=True)
            likely = shares[:, subjects == 3][subjects < 3]
            expected = 1 / (21 - np.bincount(subjects)[subjects[subjects < 3]])
            # Four standard errors of 250 draws of 5.
            np.testing.assert_allclose(likely, np.repeat(expected[:, None], 12, axis=1), atol=0.03)


def cross_validated(table: pd.DataFrame, **options: Any) -> px.ModelsResult:
    models = {"line": LinearRegression()}
    return px.fit_models(table, label="joy", features=FEATURES, cluster="subject",
                         **({"models": models, "folds": 3} | options))  # fmt: skip


def of_folds(table: pd.DataFrame, fold: np.ndarray, left_out: int | None = None) -> np.ndarray:
    """Return by hand the importance by RMSE of least squares in these folds."""
    before, after, n = 0.0, np.zeros(3), 0
    kept = np.ones(len(table), dtype=bool) if left_out is None else table["subject"] != left_out
    for k in np.unique(fold):
        train, test = table[(fold != k) & kept], table[(fold == k) & kept]
        model = LinearRegression().fit(train[FEATURES], train["joy"])
        test = test.assign(joy=test["joy"] - model.intercept_)
        e = test["joy"] - test[FEATURES].to_numpy() @ model.coef_
        before += float(np.sum(e**2))
        after += len(test) * by_hand(test, model.coef_, "rows")["mse"]
        n += len(test)
    return np.sqrt(after / n) - np.sqrt(before / n)


def test_folds_and_procedure_by_hand() -> None:
    table = clips(12)
    fitted = cross_validated(table)
    options: dict[str, Any] = {"n_repeats": "all"}
    found = px.feature_importance(fitted, **options)
    fold = table["subject"].map(fitted.folds.set_index("cluster")["fold"]).to_numpy()
    np.testing.assert_allclose(found.tidy()["estimate"], of_folds(table, fold), rtol=1e-7)
    before = fitted.tidy().query("metric == 'rmse'")["estimate"].iloc[0]
    assert found.tidy()["before"].iloc[0] == pytest.approx(before, rel=ROUNDING)
    procedure = px.feature_importance(fitted, interval_for="procedure", **options)
    values = procedure.influence()
    for subject in (0, 7):
        own = values[values["cluster"] == subject]["estimate"]
        np.testing.assert_allclose(own, of_folds(table, fold, subject), rtol=1e-7)
    np.testing.assert_array_equal(procedure.tidy()["estimate"], found.tidy()["estimate"])
    assert procedure.notes()[0].code == "importance_of_procedure"
    assert found.notes()[0].code == "importance_of_fitted"


def test_models_of_contexts_repeats_and_covariates() -> None:
    table = clips(16, most=14).assign(age=np.arange(16)[clips(16, most=14)["subject"]] % 2)
    table["joy"] += 2 * table["smile"] * (table["task"] == "pain")
    fitted = cross_validated(
        table, context="task", context_as=["separate", "pooled", "feature"], repeats=2,
        adjust_for=["age"],
    )  # fmt: skip
    found = px.feature_importance(
        fitted, groups={"all of them": FEATURES, "age": ["age"]}, metrics=["rmse", "correlation"]
    )
    tidy = found.tidy()
    assert set(tidy["model"]) == {"line, separate", "line, pooled", "line, feature"}
    assert set(tidy["term"]) == {"all of them", "age"}
    performance = fitted.tidy().set_index(["metric", "context_as", "context"])["estimate"]
    for row in tidy[tidy["term"] == "age"].itertuples():
        key = (row.metric, row.model.split(", ")[1], row.context)
        assert row.before == pytest.approx(performance[key], rel=ROUNDING)
    contrasts = found.contrasts().tidy()
    assert contrasts["context"].unique().tolist() == ["pain - startle"]
    by_key = tidy.set_index(["metric", "model", "term", "context"])["estimate"]
    for row in contrasts.itertuples():
        one, other = (by_key[row.metric, row.model, row.term, at] for at in ("pain", "startle"))
        assert row.estimate == pytest.approx(one - other)
    pairs = found.contrasts(between="features").adjust("holm").tidy()
    assert set(pairs["term"]) == {"all of them - age"}
    assert (pairs["p_adjusted"] >= pairs["p_value"]).all()


def test_contrast_of_contexts_leaves_a_subject_out_of_both() -> None:
    table = clips(10)
    options = ALL_PAIRS | {"context": "task", "permute": "rows"}
    whole = px.feature_importance(Fixed([0.8, 0.5, 0.3]), table, **options).contrasts()
    rest = px.feature_importance(
        Fixed([0.8, 0.5, 0.3]), table[table["subject"] != 4], **options
    ).contrasts()
    own = whole.influence().query("cluster == 4")["estimate"]
    np.testing.assert_allclose(own, rest.tidy()["estimate"], atol=ROUNDING)


def test_an_unused_feature_has_no_importance_at_all() -> None:
    found = px.feature_importance(Fixed([1, 0.5, 0]), clips(), **COLUMNS).tidy()
    row = found[found["term"] == "gaze"].iloc[0]
    assert row["estimate"] == row["conf_low"] == row["conf_high"] == 0
    assert row["reason"].code == "same_without_any"
    assert np.isnan(row["p_value"])


def test_the_same_bytes_for_any_number_of_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    table = clips(12)
    tree = DecisionTreeRegressor(max_depth=3, random_state=0).fit(table[FEATURES], table["joy"])
    options = COLUMNS | {"context": "task", "seed": 4}
    one = px.feature_importance(tree, table, **options).tidy()
    with joblib.parallel_config("threading"):
        two = px.feature_importance(tree, table, n_jobs=2, **options).tidy()
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    monkeypatch.setattr(exchanged, "_AT_ONCE", 37)
    small = px.feature_importance(tree, table, **options).tidy()
    pd.testing.assert_frame_equal(one, small, check_exact=True)
    other = px.feature_importance(tree, table, **(options | {"seed": 5})).tidy()
    assert not one["estimate"].equals(other["estimate"])


def test_groups_of_correlated_features() -> None:
    table = clips(20)
    rng = np.random.default_rng(0)
    table["velocity"] = table["smile"] + 0.1 * rng.normal(size=len(table))
    names = [*FEATURES, "velocity"]
    options = COLUMNS | {"features": names}
    model = LinearRegression().fit(table[names], table["joy"])
    apart = px.feature_importance(model, table, **options)
    assert any(note.code == "importance_correlated" for note in apart.notes())
    found = px.feature_importance(model, table, groups="correlated", **options)
    assert found.members == {
        "smile + velocity": ["smile", "velocity"], "nod": ["nod"], "gaze": ["gaze"]
    }  # fmt: skip
    assert not any(note.code == "importance_correlated" for note in found.notes())
    named = px.feature_importance(model, table, groups={"mouth": ["smile", "velocity"]}, **options)
    np.testing.assert_array_equal(named.tidy()["estimate"], found.tidy()["estimate"])


def test_fitted_objects_of_every_kind() -> None:
    table = clips(16, most=14)
    train, test = table[table["subject"] < 8], table[table["subject"] >= 8]
    plain = make_pipeline(StandardScaler(), LinearRegression()).fit(train[FEATURES], train["joy"])
    by_argument = px.ContextualRegressor(LinearRegression()).fit(
        train[FEATURES], train["joy"], context=train["task"]
    )
    by_column = px.ContextualRegressor(LinearRegression(), context="task").fit(
        train[[*FEATURES, "task"]], train["joy"]
    )
    options = COLUMNS | {"context": "task"}
    models = {"plain": plain, "argument": by_argument, "column": by_column}
    found = px.feature_importance(models, test, **options).tidy()
    by_model = {name: own["estimate"].to_numpy() for name, own in found.groupby("model")}
    np.testing.assert_allclose(by_model["argument"], by_model["column"], rtol=ROUNDING)
    assert not np.allclose(by_model["argument"], by_model["plain"])
    final = cross_validated(train, context="task", context_as="separate").fit_all()
    again = px.feature_importance(final, test).tidy()
    np.testing.assert_allclose(again["estimate"], by_model["argument"], rtol=ROUNDING)
    alone = px.feature_importance(plain, test, **options)
    assert alone.tidy()["model"].unique().tolist() == ["LinearRegression"]
    assert alone.notes()[0].code == "importance_of_models"


def test_rows_that_are_left_out_are_counted() -> None:
    table = clips(9)
    table.loc[3, "nod"] = np.nan
    lonely = table["subject"].isin([0, 1])
    table.loc[lonely & (table.index % 2 == 0), "task"] = "rare"
    found = px.feature_importance(Fixed([1, 1, 1]), table, context="task", **COLUMNS)
    codes = {getattr(note, "code", "") for note in found.notes()}
    assert {"importance_incomplete", "importance_rows_without_donors"} <= codes
    rare = found.tidy().query("context == 'rare'")
    assert rare["estimate"].isna().all()
    assert (rare["n"] == 0).all()
    assert {one.code for one in rare["reason"]} == {"importance_no_rows"}
    n_rare = int((table["task"] == "rare").sum() - (table.loc[3, "task"] == "rare"))
    assert found.tidy().query("context == 'all'")["n"].iloc[0] == len(table) - 1 - n_rare


def test_means_outside_the_observed_range_are_told() -> None:
    table = clips(9).assign(smile=lambda t: (t["smile"] > 0).astype(float))
    found = px.feature_importance(Fixed([1, 1, 1]), table, permute="subjects", **COLUMNS)
    note = next(one for one in found.notes() if one.code == "importance_outside")
    assert note.values["name"] == "smile"
    assert note.values["share"] > 20


def carried(table: pd.DataFrame, kind: str, column: str) -> float:
    """Return by hand the effective number of subjects whose values deviate from the mean."""
    x, own = table[column], table.groupby("subject")[column]
    part = {"rows": x - x.mean(), "within": x - own.transform("mean"),
            "subjects": own.transform("mean") - x.mean()}[kind]  # fmt: skip
    u = (part**2).groupby(table["subject"]).sum()
    return float(u.sum() ** 2 / (u**2).sum())


@pytest.mark.parametrize("kind", KINDS)
def test_few_carriers_have_no_interval_and_more_have_a_wide_one(kind: str) -> None:
    table = clips(20, most=14)
    options = COLUMNS | {"permute": kind, "n_repeats": "all"}
    slopes = [1, 0.5, 0.7]
    # For two subjects, whose variation between subjects is that of a single one, or for eight.
    for few in (1, 8):
        rare = table.assign(smile=table["smile"].where(table["subject"] < few, 0.0))
        result = px.feature_importance(Fixed(slopes), rare, adjust="max_t", **options)
        found = result.tidy().set_index("term")
        row, worth = found.loc["smile"], carried(rare, kind, "smile")
        numbers = row[["std_error", "statistic", "df", "p_value", "conf_low", "conf_high"]]
        if few == 1:
            assert worth < 2
            assert numbers.isna().all()
            assert np.isnan(row["p_adjusted"])
            assert row["reason"].code == "importance_too_few_carriers"
            # Donors of a row are others than itself, so that the mean is one of others.
            assert row["reason"].values["worth"] == pytest.approx(worth, rel=0.15)
            assert "an interval needs 2" in str(row["reason"])
        else:
            assert worth > 2
            assert numbers.notna().all()
            assert row["df"] <= 1.15 * worth - 1
        assert np.isfinite(row["estimate"])
        # The other features keep theirs.
        others = found.loc[["nod", "gaze"], ["conf_low", "conf_high"]]
        assert others.notna().all(axis=None)


def test_few_carriers_in_one_context_and_in_groups() -> None:
    table = clips(24, most=14)
    table["smile"] = table["smile"].where((table["subject"] < 1) | (table["task"] == "pain"), 0.0)
    options = COLUMNS | {"context": "task"}
    found = px.feature_importance(Fixed([1, 0.5, 0.2]), table, **options)
    tidy = found.tidy().set_index(["term", "context"])
    has = tidy["conf_low"].notna()
    assert not has["smile", "startle"]
    # Over all contexts the other context has the variation.
    assert has.drop(("smile", "startle")).all()
    contrasts = found.contrasts().tidy().set_index("term")
    assert contrasts["conf_low"].isna().tolist() == [True, False, False]
    assert contrasts["std_error"].isna().tolist() == [True, False, False]
    reason = contrasts.loc["smile", "reason"]
    assert reason.code == "importance_in_context"
    assert str(reason).startswith("in context 'startle', the variation that is exchanged comes")
    between = found.contrasts(between="features").tidy().set_index(["context", "term"])
    assert between.loc[("startle", "smile - nod"), "reason"].code == "importance_of_feature"
    assert np.isfinite(between.loc[("startle", "nod - gaze"), "conf_low"])
    # A group with a feature that the model uses much more has the carriers of that feature.
    for slopes, there in (([0.01, 1, 0], True), ([1, 0.01, 0], False)):
        both = px.feature_importance(
            Fixed(slopes), table, groups={"both": ["smile", "nod"]}, **options
        ).tidy()
        row = both[(both["term"] == "both") & (both["context"] == "startle")].iloc[0]
        assert np.isfinite(row["conf_low"]) == there


def test_a_feature_that_does_not_vary_has_no_interval() -> None:
    table = clips().assign(gaze=0.3)
    found = px.feature_importance(Fixed([1, 0.5, 1]), table, **COLUMNS).tidy().set_index("term")
    assert found.loc["gaze", "estimate"] == 0
    assert np.isnan(found.loc["gaze", "conf_low"])
    assert found.loc["gaze", "reason"].code == "importance_nothing_exchanged"


def test_variation_between_few_subjects_is_told() -> None:
    table = clips(20, most=14)
    found = px.feature_importance(Fixed([1, 1, 1]), table, permute="subjects", **COLUMNS)
    note = next(one for one in found.notes() if one.code == "importance_few_carriers")
    worth = {name: carried(table, "subjects", name) for name in FEATURES}
    assert note.values["term"] == min(worth, key=lambda name: worth[name])
    assert note.values["worth"] == pytest.approx(min(worth.values()), rel=0.15)
    found = px.feature_importance(Fixed([1, 1, 1]), table, **COLUMNS)
    assert not any(note.code == "importance_few_carriers" for note in found.notes())


def test_a_constant_prediction_has_no_correlation() -> None:
    found = px.feature_importance(
        Fixed([0, 0, 0]), clips(), metrics="correlation", **COLUMNS
    ).tidy()
    assert found["estimate"].isna().all()
    assert {one.code for one in found["reason"]} == {"importance_constant"}


def test_saved_and_drawn(tmp_path: Path) -> None:
    found = px.feature_importance(Fixed([1, 0.5, 0.2]), clips(), context="task", **COLUMNS)
    for one in (found, found.contrasts()):
        one.save(tmp_path / "r.pyexpr", overwrite=True)
        again = px.load(tmp_path / "r.pyexpr")
        pd.testing.assert_frame_equal(again.tidy(), one.tidy())
        assert again.notes() == one.notes()
    adjusted = px.load(tmp_path / "r.pyexpr").adjust("max_t").tidy()
    pd.testing.assert_frame_equal(adjusted, found.contrasts().adjust("max_t").tidy())
    figure = found.plot()
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["smile", "nod", "gaze"]
    assert [axes.get_title() for axes in figure.axes] == ["pain", "startle", "All"]
    assert found.contrasts().plot().axes[0].get_title() == "pain - startle"
    wider = found.interval(confidence=0.99).tidy()
    assert (wider["conf_high"] > found.tidy()["conf_high"]).all()


def test_ctrl_c_says_that_nothing_is_kept() -> None:
    class Stopped(Fixed):
        def predict(self, X: pd.DataFrame) -> np.ndarray:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="importance of features was computed: nothing is kept"):
        px.feature_importance(Stopped([1, 1, 1]), clips(), **COLUMNS)


class Fails(Fixed):
    def predict(self, X: pd.DataFrame) -> np.ndarray:
        raise ValueError("no such shape")


class Classes(Fixed):
    classes_ = (0, 1)


class OfTwoLabels(Fixed):
    classes_ = ((0, 1), (0, 1))


@pytest.mark.parametrize(
    ("model", "options", "kind", "message"),
    [
        (Fixed([1, 1, 1]), {"permute": "blocks"}, DataError, "permute= must be one of 'rows'"),
        (Fixed([1, 1, 1]), {"metrics": "auc"}, DataError, "metrics= must name any of 'rmse'"),
        (Fixed([1, 1, 1]), {"n_repeats": 2}, DataError, "n_repeats= .* at least 5"),
        (Fixed([1, 1, 1]), {"n_repeats": "many"}, DataError, "whole number or 'all'"),
        (Fixed([1, 1, 1]), {"interval_for": "procedure"}, DataError, "requires the result of fit"),
        (Fixed([1, 1, 1]), {"groups": {"a": ["smille"]}}, ColumnError, "did you mean 'smile'"),
        (Fixed([1, 1, 1]), {"groups": {"a": []}}, DataError, "group 'a' .* names no feature"),
        (Fixed([1, 1, 1]), {"groups": {"nod": ["smile"]}}, DataError, "has the name of a feature"),
        (Fixed([1, 1, 1]), {"groups": 3}, DataError, "must be 'correlated', or a mapping"),
        (Fixed([1, 1, 1]), {"threshold": 2}, DataError, "threshold= must be between 0 and 1"),
        (Fixed([1, 1, 1]), {"adjust": "tukey"}, DataError, "adjust= must be one of"),
        (Fixed([1, 1, 1]), {"label": None}, DataError, "label= is missing"),
        (Fixed([1, 1, 1]), {"features": ["smile"]}, DataError, "model 'Fixed' cannot predict"),
        (Fixed([np.nan, 1, 1]), {}, DataError, "every row requires a finite number"),
        (Fails([1, 1, 1]), {}, DataError, "'Fails' cannot predict: ValueError: no such shape"),
        (Classes([1, 1, 1]), {"metrics": "rmse"}, DataError, "that predict classes must name any"),
        (Classes([1, 1, 1]), {"label": "task"}, DataError, "classes '0', '1', none of which is am"),
        (OfTwoLabels([1, 1, 1]), {"label": "task"}, DataError, "predicts several labels"),
        (Fixed([1, 1, 1]), {"metrics": "brier"}, DataError, "that predict numbers must name any"),
        (Fixed([1, 1, 1]), {"positive": 1}, DataError, "positive= names a class, but label 'joy'"),
        (
            {"a": Fixed([1, 1, 1]), "b": Classes([1, 1, 1])},
            {},
            DataError,
            "'b' predicts classes and 'a' does not",
        ),
        ({}, {}, DataError, "models= must name at least one model"),
        (Fixed, {}, DataError, "a fitted model with predict"),
        (Fixed([1, 1, 1]), {"other_columns": ["nod"]}, DataError, "and in other_columns="),
    ],
)
def test_bad_input(
    model: Any, options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        px.feature_importance(model, clips(), **(COLUMNS | options))


def test_bad_results(tmp_path: Path) -> None:
    table = clips(9)
    fitted = cross_validated(table)
    with pytest.raises(DataError, match="label= is known from the result of fit_models"):
        px.feature_importance(fitted, label="joy")
    with pytest.raises(DataError, match="data= is missing"):
        px.feature_importance(LinearRegression())
    fitted.save(tmp_path / "m.pyexpr")
    with pytest.raises(DataError, match="a saved result does not contain the estimators"):
        px.feature_importance(px.load(tmp_path / "m.pyexpr"))
    with pytest.raises(DataError, match="exchanged between at least 3 subjects"):
        px.feature_importance(cross_validated(table, folds=9))
    with pytest.raises(DataError, match="two or more contexts"):
        px.feature_importance(fitted).contrasts()
    with pytest.raises(DataError, match="nothing is drawn"):
        px.feature_importance(fitted).interval(method="bca")
    with pytest.raises(DataError, match="a single split"):
        px.feature_importance(cross_validated(table, scheme="split", proportions=(0.6, 0, 0.4)),
                              interval_for="procedure")  # fmt: skip


def moods(n_subjects: int = 14, seed: int = 8) -> pd.DataFrame:
    """Return clips of three moods, and whether each is glad, by 0 and 1."""
    table = clips(n_subjects, seed, most=12)
    mood = np.select([table["joy"] < -0.8, table["joy"] > 0.8], ["bad", "good"], "mid")
    return table.assign(mood=mood, glad=(table["joy"] > 0).astype(int))


OF_MOODS: dict[str, Any] = {"features": FEATURES, "cluster": "subject"}


@pytest.mark.parametrize(
    ("metric", "scoring"),
    [
        ("accuracy", "accuracy"),
        ("balanced_accuracy", "balanced_accuracy"),
        ("log_loss", "neg_log_loss"),
        ("brier", "neg_brier_score"),
    ],
)
def test_classes_by_scikit_learn_with_the_same_permutations(metric: str, scoring: str) -> None:
    table = moods(20)
    label = "glad" if metric == "brier" else "mood"
    forest = RandomForestClassifier(20, min_samples_leaf=2, random_state=0)
    forest.fit(table[FEATURES], table[label])
    n_repeats, seed = 4, 5
    theirs = permutation_importance(
        forest, table[FEATURES], table[label], scoring=scoring, n_repeats=n_repeats,
        random_state=seed,
    )  # fmt: skip
    classes = Classes_(tuple(forest.classes_.tolist()), None, probable=True)
    sums = ClassMeasures(classes)
    rng_seed = np.random.RandomState(seed).randint(np.iinfo(np.int32).max + 1)
    X, y = table[FEATURES], classes.codes(table[label].tolist())
    subjects = table["subject"].to_numpy()

    def predicted(rows: pd.DataFrame) -> np.ndarray:
        codes = classes.codes(forest.predict(rows).tolist())
        return np.column_stack([codes, forest.predict_proba(rows)])

    p = predicted(X)
    before = sums.before(y, p, subjects).sum(axis=0)
    for j, column in enumerate(FEATURES):
        random = np.random.RandomState(rng_seed)
        order, given = np.arange(len(X)), np.arange(len(X))
        after = before.copy()
        for _ in range(n_repeats):
            random.shuffle(order)
            given = given[order]
            new = predicted(X.assign(**{column: X[column].to_numpy()[given]}))
            exchange = exchange_of(subjects, np.arange(len(X)), subjects[given])
            after[list(sums.changed)] += (
                changes_of(sums.columns(y, p, new, exchange), exchange)[0] / n_repeats
            )
        ours = sums.importance(
            metric, sums.metric(metric, before[None]), sums.metric(metric, after[None])
        )
        assert float(ours) == pytest.approx(theirs.importances_mean[j], rel=ROUNDING)


OF_SCIKIT_LEARN: dict[str, Any] = {
    "accuracy": accuracy_score,
    "balanced_accuracy": balanced_accuracy_score,
    "f1_macro": lambda y, p, **how: f1_score(y, p, average="macro", **how),
    "kappa": cohen_kappa_score,
}


@pytest.mark.parametrize("kind", KINDS)
def test_classes_of_all_pairs_by_scikit_learn(kind: str) -> None:
    """The metrics after the exchange are those of all pairs of a row and a donor, weighted."""
    table = moods(8)
    model = DecisionTreeClassifier(max_depth=4, random_state=0)
    model.fit(table[FEATURES], table["mood"])
    found = px.feature_importance(
        model, table, label="mood", permute=kind, n_repeats="all",
        metrics=[*OF_SCIKIT_LEARN, "log_loss"], **OF_MOODS,
    ).tidy().set_index(["metric", "term"])  # fmt: skip
    for column in FEATURES:
        parts = []
        for i, given in enumerate(donors(table, kind, column)):
            row = table.iloc[[i] * len(given)].assign(**{column: given, "w": 1 / len(given)})
            parts.append(row)
        pairs = pd.concat(parts)
        for metric, function in OF_SCIKIT_LEARN.items():
            expected = function(
                pairs["mood"], model.predict(pairs[FEATURES]), sample_weight=pairs["w"]
            )
            assert found["after"][metric, column] == pytest.approx(expected, rel=ROUNDING)
        likely = model.predict_proba(pairs[FEATURES])
        expected = log_loss(pairs["mood"], likely, sample_weight=pairs["w"])
        assert found["after"]["log_loss", column] == pytest.approx(expected, rel=ROUNDING)
        assert found["estimate"]["log_loss", column] == pytest.approx(
            expected - log_loss(table["mood"], model.predict_proba(table[FEATURES]))
        )


@pytest.mark.parametrize("kind", KINDS)
def test_the_jackknife_of_classes_leaves_a_subject_out_of_both_roles(kind: str) -> None:
    table = moods()
    model = LogisticRegression().fit(table[FEATURES], table["mood"])
    options = OF_MOODS | {"label": "mood", "context": "task", "permute": kind, "n_repeats": "all"}
    options["metrics"] = ["accuracy", "f1_macro", "kappa", "log_loss"]
    table = table.groupby(["subject", "task"]).filter(lambda own: len(own) > 1)
    influence = px.feature_importance(model, table, **options).influence()
    for subject in (0, 5):
        rest = px.feature_importance(model, table[table["subject"] != subject], **options).tidy()
        own = influence[influence["cluster"] == subject]
        both = own.merge(rest, on=["metric", "model", "term", "context"], suffixes=("", "_rest"))
        assert len(both) == len(own) > 0
        np.testing.assert_allclose(both["estimate"], both["estimate_rest"], atol=ROUNDING)


def test_classes_of_folds_of_final_models_and_of_one_against_the_rest() -> None:
    table = moods(18)
    fitted = px.fit_models(
        table, label="mood", context="task", context_as=["separate", "feature"], folds=3,
        models={"logit": LogisticRegression()}, **OF_MOODS,
    )  # fmt: skip
    found = px.feature_importance(fitted, metrics=["accuracy", "kappa"])
    tidy = found.tidy()
    performance = fitted.tidy().set_index(["metric", "context_as", "context"])["estimate"]
    for row in tidy.itertuples():
        key = (row.metric, row.model.split(", ")[1], row.context)
        assert row.before == pytest.approx(performance[key], rel=ROUNDING)
    assert set(found.contrasts().tidy()["context"]) == {"pain - startle"}
    label = found.plot().axes[0].get_xlabel() or found.plot().get_supxlabel()
    assert label.startswith("Decrease of accuracy")
    # By default of classes the accuracy.
    assert set(px.feature_importance(fitted).tidy()["metric"]) == {"accuracy"}
    final = fitted.fit_all()
    whole = px.feature_importance(final, table, metrics=["brier", "f1"], positive="good").tidy()
    own = whole[whole["model"] == "logit, feature"]
    likely = final.predict_proba(table)["logit, feature: good"]
    brier = np.mean((likely - (table["mood"] == "good")) ** 2)
    at = own[(own["metric"] == "brier") & (own["context"] == "all")]
    np.testing.assert_allclose(at["before"], brier, rtol=ROUNDING)
    f1 = f1_score(table["mood"] == "good", final.predict(table)["logit, feature"] == "good")
    at = own[(own["metric"] == "f1") & (own["context"] == "all")]
    np.testing.assert_allclose(at["before"], f1, rtol=ROUNDING)


def test_procedure_of_classes_by_hand() -> None:
    table = moods(12)
    fitted = px.fit_models(
        table, label="glad", kind="classification", folds=3,
        models={"logit": LogisticRegression()}, **OF_MOODS,
    )  # fmt: skip
    procedure = px.feature_importance(
        fitted, metrics="log_loss", interval_for="procedure", n_repeats="all"
    )
    fold = table["subject"].map(fitted.folds.set_index("cluster")["fold"])
    total, after, n = 0.0, np.zeros(3), 0
    for k in range(3):
        rest = table["subject"] != 4
        train, test = table[(fold != k) & rest], table[(fold == k) & rest]
        model = LogisticRegression().fit(train[FEATURES], train["glad"])
        alone = px.feature_importance(
            model, test, label="glad", metrics="log_loss", n_repeats="all", **OF_MOODS
        ).tidy()
        total += len(test) * alone["before"][0]
        after += len(test) * alone["after"].to_numpy()
        n += len(test)
    values = procedure.influence().query("cluster == 4")["estimate"]
    np.testing.assert_allclose(values, (after - total) / n, rtol=1e-6)


def test_too_few_subjects_of_a_fitted_model_are_not_told_of_folds() -> None:
    table = moods(12)
    model = LogisticRegression().fit(table[FEATURES], table["glad"])
    few = table[table["subject"] < 2]
    with pytest.raises(DataError, match=r"fewer everywhere; add subjects$"):
        px.feature_importance(model, few, label="glad", **OF_MOODS)


def test_classes_that_do_not_change_or_do_not_occur() -> None:
    table = moods()
    model = LogisticRegression().fit(table[FEATURES], table["glad"])
    model.coef_[0, 2] = 1e-9
    metrics = ["accuracy", "log_loss"]
    found = px.feature_importance(model, table, label="glad", metrics=metrics, **OF_MOODS).tidy()
    of_classes, of_chances = (row for _, row in found[found["term"] == "gaze"].iterrows())
    assert of_classes["estimate"] == 0
    assert np.isnan(of_classes["conf_low"])
    assert of_classes["reason"].code == "importance_same_classes"
    assert np.isfinite(of_chances["conf_low"])
    three = LogisticRegression().fit(table[FEATURES], table["mood"])
    without = table[table["mood"] != "bad"]
    metrics = ["accuracy", "balanced_accuracy"]
    found = px.feature_importance(three, without, label="mood", metrics=metrics, **OF_MOODS).tidy()
    assert found.groupby("metric")["estimate"].count().to_dict() == {
        "accuracy": 3, "balanced_accuracy": 0
    }  # fmt: skip
    assert found["reason"].iloc[-1].code == "importance_class_absent"


def test_probabilities_and_a_class_are_asked_for() -> None:
    table = moods()
    machine = LinearSVC().fit(table[FEATURES], table["mood"])
    options = OF_MOODS | {"label": "mood"}
    found = px.feature_importance(machine, table, **options).tidy()
    assert set(found["metric"]) == {"accuracy"}
    with pytest.raises(DataError, match="'log_loss' needs probabilities, but model 'LinearSVC' gi"):
        px.feature_importance(machine, table, metrics="log_loss", **options)
    with pytest.raises(DataError, match=r"'f1' evaluates one class .* by positive=, one of 'bad'"):
        px.feature_importance(machine, table, metrics="f1", **options)
    with pytest.raises(DataError, match="is not a class of label 'mood'"):
        px.feature_importance(machine, table, positive="glad", **options)


def test_too_many_predictions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanged, "_MOST_PAIRS", 100)
    with pytest.raises(DataError, match="use a smaller number, such as n_repeats=20"):
        px.feature_importance(Fixed([1, 1, 1]), clips(), **ALL_PAIRS)


def test_classes_on_the_command_line(tmp_path: Path) -> None:
    table = moods(12).assign(subject=lambda one: one["subject"].map("s{:02d}".format))
    table.to_csv(tmp_path / "t.csv", index=False)
    given = [tmp_path / "t.csv", "--features", ",".join(FEATURES), "--folds", 3, "--json",
             "--model", "sklearn.linear_model.LogisticRegression"]  # fmt: skip
    printed = pyexpr(
        "importance", *given, "--label", "mood", "--metrics", "f1,log_loss", "--positive", "good"
    )
    found = json.loads(printed)["table"]
    expected = px.feature_importance(
        px.fit_models(table, label="mood", folds=3, positive="good",
                      models={"LogisticRegression": LogisticRegression()}, **OF_MOODS),
        metrics=["f1", "log_loss"],
    ).tidy()  # fmt: skip
    ours = [row["estimate"] for row in found]
    np.testing.assert_allclose(ours, expected["estimate"], rtol=1e-6)
    # Numbers are classes if that is said.
    printed = pyexpr("importance", *given, "--label", "glad", "--kind", "classification")
    assert {row["metric"] for row in json.loads(printed)["table"]} == {"accuracy"}
    error = pyexpr("importance", *given, "--label", "mood", "--metrics", "rmse", code=1)
    assert "--metrics of models that predict classes must name any of" in error
