"""Intervals that count the subjects of training: refits by hand, the authors' code, bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import pyexpr as px
from pyexpr.base.errors import DataError, FewSubjectsWarning, Interrupted
from pyexpr.modeling.elastic_net import ElasticNetRegressor
from pyexpr.modeling.fitting.nested import nested_interval

pytestmark = pytest.mark.filterwarnings(
    f"ignore::{FewSubjectsWarning.__module__}.FewSubjectsWarning"
)

PENALTY = 5.0
FEATURES = ["smile", "nod"]
# Rounding of two ways to solve the same equations.
ROUNDING = 1e-9


def clips(n_subjects: int = 8, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(n_subjects), rng.integers(4, 12, n_subjects))
    table = pd.DataFrame({"subject": subject})
    table[FEATURES] = rng.normal(size=(len(table), 2))
    table["joy"] = table["smile"] + rng.normal(size=n_subjects)[subject]
    return table.assign(joy=table["joy"] + rng.normal(size=len(table)))


def fitted(table: pd.DataFrame, **options: object) -> px.ModelsResult:
    models = {"ridge": Ridge(PENALTY), "line": LinearRegression()}
    return px.fit_models(table, label="joy", features=FEATURES, cluster="subject",
                         **({"models": models, "folds": 4} | options))  # type: ignore[arg-type] # fmt: skip


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return clips()


@pytest.fixture(scope="module")
def result(table: pd.DataFrame) -> px.ModelsResult:
    return fitted(table, repeats=2)


def by_hand(table: pd.DataFrame, who: pd.DataFrame, penalty: float) -> float:
    """Return the mean over repeats of the RMSE of ridge regression in these folds."""
    found = []
    for _, own in who.groupby("repeat"):
        fold = table["subject"].map(dict(zip(own["cluster"], own["fold"], strict=True))).to_numpy()
        errors = []
        for k in range(4):
            train, test = table[fold != k], table[fold == k]
            X, mean = train[FEATURES].to_numpy(), train[FEATURES].to_numpy().mean(axis=0)
            y = train["joy"].to_numpy()
            Z = X - mean
            w = np.linalg.solve(Z.T @ Z + penalty * np.eye(2), Z.T @ (y - y.mean()))
            predicted = (test[FEATURES].to_numpy() - mean) @ w + y.mean()
            errors.append((test["joy"].to_numpy() - predicted) ** 2)
        found.append(np.sqrt(np.concatenate(errors).mean()))
    return float(np.mean(found))


def test_jackknife_is_that_of_refits_by_hand(table: pd.DataFrame, result: px.ModelsResult) -> None:
    found = result.compare_procedures(["rmse"]).tidy().set_index("term")
    left_out = np.array([
        [by_hand(table[table["subject"] != s], result.folds, p) for s in range(8)]
        for p in (PENALTY, 0.0)
    ])  # fmt: skip
    whole = np.array([by_hand(table, result.folds, p) for p in (PENALTY, 0.0)])
    values = np.vstack([left_out, left_out[0] - left_out[1]])
    error = np.sqrt(7 / 8 * ((values - values.mean(axis=1, keepdims=True)) ** 2).sum(axis=1))
    rows = found.loc[["ridge", "line", "ridge - line"]]
    np.testing.assert_allclose(rows["estimate"], [*whole, whole[0] - whole[1]], atol=ROUNDING)
    np.testing.assert_allclose(rows["std_error"], error, rtol=1e-7)
    one = found.loc["ridge - line"]
    given = result.compare(["rmse"], n_boot=0).tidy()
    np.testing.assert_array_equal(found["fixed_low"], given["conf_low"])
    half = stats.t.ppf(0.975, one["df"]) * error[2]
    np.testing.assert_allclose([one["conf_low"], one["conf_high"]],
                               [one["estimate"] - half, one["estimate"] + half])  # fmt: skip


def test_left_out_subjects_do_not_change_the_inner_folds_of_others() -> None:
    table = clips(9, seed=8)
    grid = {"alpha": [0.1, 1.0, 10.0, 100.0]}
    models = {
        "searched": GridSearchCV(Ridge(), grid),
        "net": ElasticNetRegressor(alpha=(0.01, 0.1, 0.5, 1.0), l1_ratio=0.0, n_folds=3),
        "scaled": make_pipeline(StandardScaler(), ElasticNetRegressor((0.01, 0.5), 0.0)),
    }
    result = fitted(table, models=models, folds=3, inner_folds=3, seed=4)
    found = result.compare_procedures(["rmse"]).tidy().set_index("term")["std_error"]
    outer = result.folds.set_index("cluster")["fold"]
    values: dict[str, list[float]] = {name: [] for name in models}
    for subject in range(9):
        errors: dict[str, list[np.ndarray]] = {name: [] for name in models}
        for k in range(3):
            others = table[table["subject"].map(outer) != k]
            inner = px.subject_folds(others["subject"], 3, 4)
            # The elastic net has a seed and a number of folds of its own.
            of_net, of_5 = (px.subject_folds(others["subject"], n, 0) for n in (3, 5))
            kept = (others["subject"] != subject).to_numpy()
            train, y = others.loc[kept, FEATURES], others.loc[kept, "joy"]
            test = table[(table["subject"].map(outer) == k) & (table["subject"] != subject)]
            net = Pipeline([("scale", StandardScaler()), ("ridge", Ridge())])
            for name, one, candidates, folds in (
                ("searched", Ridge(), grid, inner),
                ("net", net, [0.01, 0.1, 0.5, 1.0], of_net),
                ("scaled", net, [0.01, 0.5], of_5),
            ):
                split = folds[kept]
                if name == "searched":
                    model = GridSearchCV(one, candidates, cv=PredefinedSplit(split))
                    predicted = model.fit(train, y).predict(test[FEATURES])
                else:
                    predicted = tuned_by_hand(one, candidates, split, train, y, test[FEATURES])
                errors[name].append((test["joy"] - predicted).to_numpy())
        for name, own in errors.items():
            values[name].append(float(np.sqrt(np.mean(np.concatenate(own) ** 2))))
    for name, own in values.items():
        error = np.sqrt(8 / 9 * np.sum((own - np.mean(own)) ** 2))
        assert found[name] == pytest.approx(error, rel=1e-6), name


def tuned_by_hand(
    net: Pipeline, alphas: list[float], folds: np.ndarray, train: pd.DataFrame, y: pd.Series,
    test: pd.DataFrame,
) -> np.ndarray:  # fmt: skip
    """Predict by the ridge regression whose RMSE over all rows of these folds is lowest."""
    sums = []
    for alpha in alphas:
        total = 0.0
        for inside, outside in PredefinedSplit(folds).split():
            # The elastic net divides the sum of squares by twice the number of rows.
            net.set_params(ridge__alpha=alpha * len(inside)).fit(train.iloc[inside], y.iloc[inside])
            total += ((y.iloc[outside] - net.predict(train.iloc[outside])) ** 2).sum()
        sums.append(total)
    net.set_params(ridge__alpha=alphas[int(np.argmin(sums))] * len(y))
    return np.asarray(net.fit(train, y).predict(test))


def test_subjects_who_only_train_a_pooled_model_count() -> None:
    table = clips(9, seed=2)
    # Four of the nine subjects have no row in context a.
    table["task"] = np.where((table["subject"] < 5) & (table.index % 2 == 0), "a", "b")
    result = fitted(table, context="task", models={"line": LinearRegression()},
                    context_as=["pooled", "separate"], folds=3)  # fmt: skip
    found = result.compare_procedures(["rmse"]).tidy()
    found = found[found["context"] == "a"].set_index("term")["std_error"]
    outer = result.folds.set_index("cluster")["fold"]
    fold, here = table["subject"].map(outer), table["task"] == "a"
    for term, rows, who in (
        ("line, pooled", ~here | here, range(9)),
        ("line, separate", here, range(5)),
    ):
        values = []
        for subject in who:
            squares = []
            for k in range(3):
                kept = table["subject"] != subject
                train, test = table[rows & kept & (fold != k)], table[here & kept & (fold == k)]
                if len(test):
                    line = LinearRegression().fit(train[FEATURES], train["joy"])
                    squares.append((test["joy"] - line.predict(test[FEATURES])) ** 2)
            values.append(np.sqrt(np.mean(np.concatenate(squares))))
        n = len(values)
        error = np.sqrt((n - 1) / n * np.sum((values - np.mean(values)) ** 2))
        assert found[term] == pytest.approx(error, rel=1e-6), term


def test_corrected_t_is_that_of_the_folds(result: px.ModelsResult) -> None:
    rows = result.predictions.assign(
        loss=(result.predictions["truth"] - result.predictions["prediction"]) ** 2
    )
    rmse = np.sqrt(rows.groupby(["model", "repeat", "fold"])["loss"].mean())
    difference = (rmse["ridge"] - rmse["line"]).to_numpy()
    found = result.compare_procedures(["rmse"], method="corrected_t").tidy().set_index("term")
    one = found.loc["ridge - line"]
    # Nadeau and Bengio (2003): 8 values, a third as many subjects tested as fitted.
    error = np.sqrt((1 / 8 + 1 / 3) * difference.var(ddof=1))
    np.testing.assert_allclose([one["estimate"], one["std_error"]], [difference.mean(), error])
    assert one["df"] == 7
    np.testing.assert_allclose(one["p_value"], 2 * stats.t.sf(abs(difference.mean() / error), 7))


def test_nested_is_that_of_its_authors() -> None:
    # nested_cv and nested_cv_helper of github.com/stephenbates19/nestedcv (R/core.R) on these 20
    # rows, with sample() replaced by the identity, so that row i is in fold 1 + i mod 5, a linear
    # model and squared errors.
    i = np.arange(1, 21)
    X = np.column_stack([np.ones(20), np.sin(i), np.cos(3 * i), i % 7 - 3])
    y = X[:, 1] + (i * i) % 11 / 4 - 1
    fold = i % 5

    def errors(without: np.ndarray, of: np.ndarray) -> np.ndarray:
        w = np.linalg.lstsq(X[~without], y[~without], rcond=None)[0]
        return (y[of] - X[of] @ w) ** 2

    outer, inner = np.empty((1, 20)), np.full((1, 5, 20), np.nan)
    for k in range(5):
        outer[0, fold == k] = errors(fold == k, fold == k)
        for j in set(range(5)) - {k}:
            inner[0, k, fold == j] = errors((fold == k) | (fold == j), fold == j)
    estimate, error = nested_interval(outer, inner, fold[None])
    inflation, mean_inner, spread, mean_outer = (
        1.10323726265652, 0.654246360608242, 0.806329452592177, 0.575929914405304,
    )  # fmt: skip
    assert error == pytest.approx(spread / np.sqrt(20) * inflation, rel=1e-12)
    # The bias as in the paper: their code has another exponent of the last fraction.
    bias = (1 + 3 / 5) * (mean_inner - mean_outer)
    assert estimate == pytest.approx(mean_inner - bias, rel=1e-12)


def test_nested_rmse_is_by_the_delta_method(table: pd.DataFrame) -> None:
    one_row = clips(20).drop_duplicates("subject")
    result = fitted(one_row, models={"ridge": Ridge(PENALTY)})
    found = result.compare_procedures(["rmse"], method="nested")
    fold = result.folds.sort_values("cluster")["fold"].to_numpy()
    X, y = one_row[FEATURES].to_numpy(), one_row["joy"].to_numpy()

    def errors(without: np.ndarray, of: np.ndarray) -> np.ndarray:
        model = Ridge(PENALTY).fit(X[~without], y[~without])
        return np.asarray((y[of] - model.predict(X[of])) ** 2)

    outer, inner = np.empty((1, 20)), np.full((1, 4, 20), np.nan)
    for k in range(4):
        outer[0, fold == k] = errors(fold == k, fold == k)
        for j in set(range(4)) - {k}:
            inner[0, k, fold == j] = errors((fold == k) | (fold == j), fold == j)
    estimate, error = nested_interval(outer, inner, fold[None])
    root = np.sqrt(outer.mean())
    one = found.tidy().iloc[0]
    assert one["std_error"] == pytest.approx(error / (2 * root), rel=1e-9)
    assert one["estimate"] == pytest.approx(root + (estimate - root**2) / (2 * root), rel=1e-9)
    assert found.question == "fitted model"
    assert "these fitted models" in found.notes()[0]


def test_contexts_and_their_differences() -> None:
    table = clips(6, seed=5)
    both = table.assign(task=np.where(np.arange(len(table)) % 2, "a", "b"))
    result = fitted(both, context="task", models={"line": LinearRegression()},
                    context_as="separate", folds=3)  # fmt: skip
    for method in ("jackknife", "corrected_t", "nested"):
        found = result.compare_procedures(["rmse"], method=method).tidy()
        assert found["std_error"].gt(0).all(), method
        assert found["context"].unique().tolist() == ["a", "b", "all", "a - b"]
        estimates = found.set_index(["term", "context"])["estimate"]
        separate = estimates["line"]
        assert separate["a - b"] == pytest.approx(separate["a"] - separate["b"], abs=1e-9)


def test_any_regressor_with_the_same_seed_gives_the_same(table: pd.DataFrame) -> None:
    forest = {"forest": RandomForestRegressor(3), "line": LinearRegression()}
    one, other = (
        fitted(clips(5), models=forest, folds=2).compare_procedures(["rmse", "correlation"])
        for _ in range(2)
    )
    pd.testing.assert_frame_equal(one.tidy(), other.tidy())


def test_text_says_which_question_is_answered(result: px.ModelsResult) -> None:
    found = result.compare_procedures(["rmse"], method="corrected_t")
    assert found.notes()[0].startswith(
        "the intervals refer to the procedure: how well models perform that are fitted in the "
        "same way to about 6 of 8 other subjects"
    )
    assert "corrected resampled t" in str(found)
    assert found.to_dict()["provenance"]["question"] == "procedure"


def test_saved_and_drawn(result: px.ModelsResult, tmp_path: Path) -> None:
    found = result.compare_procedures(["rmse"], method="corrected_t")
    found.save(tmp_path / "found.pyexpr")
    loaded = px.load(tmp_path / "found.pyexpr")
    pd.testing.assert_frame_equal(loaded.tidy(), found.tidy())
    assert loaded.notes() == found.notes()
    assert len(found.plot().axes) >= 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "bootstrap"}, "method= must be one of 'jackknife', 'corrected_t', 'nested'"),
        ({"metrics": ["rmse_within"], "method": "corrected_t"}, "a metric of each fold"),
        ({"metrics": ["correlation"], "method": "nested"}, "a loss that is summed over rows"),
        ({"metrics": ["nrmse"]}, "score_range="),
        ({"metrics": ["auc"]}, "auc is a metric of classes"),
        ({"confidence": 95}, "confidence="),
    ],
)
def test_what_is_refused(result: px.ModelsResult, options: dict[str, object], words: str) -> None:
    with pytest.raises(DataError, match=words):
        result.compare_procedures(**({"metrics": ["rmse"]} | options))  # type: ignore[arg-type]


def test_refused_without_refits(
    table: pd.DataFrame, result: px.ModelsResult, tmp_path: Path
) -> None:
    split = fitted(table, scheme="split", folds=5)
    with pytest.raises(DataError, match="a single split shows nothing"):
        split.compare_procedures()
    result.save(tmp_path / "models.pyexpr")
    with pytest.raises(DataError, match="a saved result does not contain the estimators"):
        px.load(tmp_path / "models.pyexpr").compare_procedures()


def test_nested_requires_two_subjects_in_a_fold(table: pd.DataFrame) -> None:
    alone = fitted(clips(6), models={"line": LinearRegression()}, folds=6)
    with pytest.raises(DataError, match="at least 2 subjects in every fold"):
        alone.compare_procedures(["rmse"], method="nested")
    # Leaving out one subject at a time is fine for errors.
    assert alone.compare_procedures(["rmse"]).tidy()["std_error"].gt(0).all()


class Stopped(Ridge):
    """Ctrl-C is pressed in the fit of this number."""

    fits = 0
    at = -1

    def fit(self, X: object, y: object) -> Stopped:
        Stopped.fits += 1
        if Stopped.fits == Stopped.at:
            raise KeyboardInterrupt
        return super().fit(X, y)  # type: ignore[no-any-return]


def test_ctrl_c_keeps_finished_fits_and_a_second_call_continues(table: pd.DataFrame) -> None:
    Stopped.fits, Stopped.at = 0, -1
    result = fitted(table, models={"ridge": Stopped(PENALTY)})
    # Four folds; then 8 subjects, each left out of the three folds in which it was fitted.
    assert Stopped.fits == 4
    Stopped.at = 4 + 10
    with pytest.raises(Interrupted, match="9 further fits are kept; compare again to continue"):
        result.compare_procedures(["rmse"])
    Stopped.at = -1
    found = result.compare_procedures(["rmse"]).tidy()
    assert Stopped.fits == 4 + 24 + 1
    pd.testing.assert_frame_equal(
        found, fitted(table, models={"ridge": Ridge(PENALTY)}).compare_procedures(["rmse"]).tidy()
    )
    result.compare_procedures(["correlation"], confidence=0.9)
    assert Stopped.fits == 4 + 24 + 1
    # Those of nested cross-validation are others: six pairs of folds.
    result.compare_procedures(["rmse"], method="nested")
    assert Stopped.fits == 4 + 24 + 1 + 6


def test_progress_is_shown_where_it_is_asked_for(
    table: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    result = fitted(table, models={"ridge": Ridge(PENALTY)}, progress=False)
    assert capsys.readouterr().err == ""
    result.compare_procedures(["rmse"], progress=True)
    assert "fitting models" in capsys.readouterr().err
