"""Coefficients by context: weights against scikit-learn, slopes against one stacked fit."""

from __future__ import annotations

import subprocess
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import ElasticNet, Lasso
from sklearn.preprocessing import StandardScaler

from pyexpr.base.errors import ColumnError, DataError, FewSubjectsWarning, Interrupted
from pyexpr.core.cluster_bootstrap import draw_counts
from pyexpr.inference.coefficients.cluster_ols import cluster_ols
from pyexpr.inference.coefficients.coefficients import CoefficientResult, context_coefficients
from pyexpr.inference.coefficients.desparsified import desparsified
from pyexpr.inference.coefficients.penalised import ALPHAS, L1_RATIOS, folds_of
from pyexpr.inference.coefficients.wild import wild_test
from pyexpr.modeling.contextual import ContextualRegressor
from pyexpr.modeling.elastic_net import ElasticNetRegressor
from pyexpr.modeling.splits import subject_folds

SETTINGS = settings(derandomize=True, deadline=None, max_examples=8)
# scikit-learn's descent stops at a gap of 1e-14 of the label's sum of squares.
SCIKIT_LEARN = 1e-8
FEATURES = ["f0", "f1", "f2", "f3"]


def study(seed: int = 1, G: int = 30, p: int = 4, contexts: str = "abc") -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 6, size=(G, len(contexts)))
    rows = pd.DataFrame(
        [
            (f"s{g:03d}", context)
            for g in range(G)
            for c, context in enumerate(contexts)
            for _ in range(sizes[g, c])
        ],
        columns=["subject", "task"],
    )
    who = rows["subject"].str[1:].astype(int).to_numpy()
    n = len(rows)
    X = rng.normal(size=(G, p))[who] + rng.normal(size=(n, p)) @ (
        np.eye(p) + rng.normal(size=(p, p)) / 4
    )
    for j in range(p):
        rows[f"f{j}"] = X[:, j] * 10.0 ** (j % 3)
    slope = np.where(rows["task"] == "a", 1.0, -0.5)
    rows["y"] = slope * X[:, 0] + 0.3 * X[:, 1] + rng.normal(size=n) + rng.normal(size=G)[who]
    return rows


def fitted(table: pd.DataFrame, **options: object) -> CoefficientResult:
    settled = {"alpha": 0.1, "l1_ratio": 0.5, "n_boot": 50, **options}
    X = table.drop(columns="y")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewSubjectsWarning)
        return context_coefficients(X, table["y"], context="task", cluster="subject", **settled)


def test_few_subjects_are_reported() -> None:
    rows = study(G=22)
    X = rows[(rows["task"] != "b") | (rows["subject"] < "s006")].drop(columns="y")
    options = {"cluster": "subject", "alpha": 0.1, "l1_ratio": 0.5, "n_boot": 0}
    with pytest.warns(FewSubjectsWarning, match="context 'b' has only 6 subjects") as caught:
        context_coefficients(X, rows["y"][X.index], context="task", **options)
    assert len(caught) == 1
    one = X[X["task"] == "b"]
    with pytest.warns(FewSubjectsWarning, match="there are only 6 subjects"):
        context_coefficients(one, rows["y"][one.index], context="task", **options)
    enough = rows.drop(columns="y")
    context_coefficients(enough, rows["y"], context="task", **options)


def test_replicates_are_scikit_learn_on_the_resampled_rows() -> None:
    rows = study()
    result = fitted(rows, n_boot=6, seed=3)
    counts = draw_counts((30,), 6, seed=3)
    labels = sorted(rows["subject"].unique())
    for context in ("a", "c", "all"):
        own = rows if context == "all" else rows[rows["task"] == context]
        for b in range(6):
            times = own["subject"].map(dict(zip(labels, counts[b], strict=True)))
            drawn = own.loc[own.index.repeat(times)]
            Z = StandardScaler().fit_transform(drawn[FEATURES])
            model = ElasticNet(alpha=0.1, l1_ratio=0.5, tol=1e-14, max_iter=1_000_000)
            expected = model.fit(Z, drawn["y"]).coef_
            np.testing.assert_allclose(
                result.replicates(context)[b], expected, rtol=0, atol=SCIKIT_LEARN
            )


def test_described_columns_are_those_of_the_replicates() -> None:
    rows = study()
    result = fitted(rows, n_boot=199)
    table = result.tidy()
    assert list(table.columns[:3]) == ["context", "feature", "estimate"]
    draws = np.hstack([result.replicates(c) for c in ("a", "b", "c", "all")])
    np.testing.assert_allclose(table["boot_std_error"], draws.std(axis=0, ddof=1), rtol=1e-12)
    # B = 199: the 2.5 % point is the fifth value.
    np.testing.assert_allclose(table["procedure_low"], np.sort(draws, axis=0)[4])
    np.testing.assert_allclose(table["procedure_high"], np.sort(draws, axis=0)[194])
    np.testing.assert_allclose(table["selected"], (draws != 0).mean(axis=0))
    chosen = table["estimate"] != 0
    same = (np.sign(draws) == np.sign(table["estimate"].to_numpy())).mean(axis=0)
    np.testing.assert_allclose(table["same_sign"][chosen], same[chosen])
    assert table["same_sign"][~chosen].isna().all()


def test_slopes_are_those_of_one_stacked_fit() -> None:
    rows = study()
    result = fitted(rows)
    deviations = rows[FEATURES] - rows.groupby("task")[FEATURES].transform("mean")
    scaled = rows[FEATURES] / np.sqrt((deviations**2).mean())
    blocks = []
    for context in "abc":
        there = (rows["task"] == context).to_numpy()[:, None]
        blocks.append(np.hstack([there, there * scaled]))
    fit = cluster_ols(np.hstack(blocks), rows["y"], rows["subject"])
    table = result.tidy()
    for c, context in enumerate("abc"):
        for j, feature in enumerate(FEATURES):
            found = table[(table["context"] == context) & (table["feature"] == feature)].iloc[0]
            contrast = np.eye(15)[5 * c + 1 + j]
            expected = fit.contrasts(contrast)
            assert found["tested_estimate"] == pytest.approx(expected.estimate[0], rel=1e-9)
            assert found["tested_std_error"] == pytest.approx(expected.std_error[0], rel=1e-9)
            assert found["df"] == pytest.approx(expected.df[0], rel=1e-8)
            assert found["p_value"] == pytest.approx(expected.p_value[0], rel=1e-6)
    first = np.eye(15)
    contrasts = result.contrasts()
    pairs = contrasts[["context", "first_context", "second_context"]].drop_duplicates()
    assert pairs.values.tolist() == [["a - b", "a", "b"], ["a - c", "a", "c"], ["b - c", "b", "c"]]
    expected = fit.contrasts(first[[1, 2, 3, 4]] - first[[11, 12, 13, 14]])
    found = contrasts[contrasts["context"] == "a - c"]
    np.testing.assert_allclose(found["statistic"], expected.statistic, rtol=1e-8)
    np.testing.assert_allclose(found["df"], expected.df, rtol=1e-8)
    omnibus = result.omnibus()
    for j in range(4):
        wald = fit.wald([first[1 + j] - first[6 + j], first[1 + j] - first[11 + j]])
        assert omnibus["statistic"][j] == pytest.approx(wald.statistic, rel=1e-8)
        assert omnibus["df2"][j] == pytest.approx(wald.df2, rel=1e-8)
    assert omnibus["p_value"][0] < 1e-4
    assert omnibus["df1"].tolist() == [2] * 4


STACKED = """
suppressPackageStartupMessages(library(clubSandwich))
d <- read.csv("rows.csv")
features <- paste0("f", 0:3)
for (f in features) d[[f]] <- d[[f]] / sqrt(mean((d[[f]] - ave(d[[f]], d$task))^2))
d$task <- factor(d$task)
fit <- lm(reformulate(c("0", "task", paste0("task:", features)), "y"), d)
out <- NULL
for (cr in c("CR0", "CR1", "CR2", "CR3")) {
  V <- vcovCR(fit, cluster = d$subject, type = cr)
  at <- function(task, f) as.numeric(names(coef(fit)) == paste0("task", task, ":", f))
  for (f in features) {
    C <- rbind(at("a", f), at("b", f), at("c", f), at("a", f) - at("b", f),
               at("a", f) - at("c", f), at("b", f) - at("c", f))
    lc <- linear_contrast(fit, vcov = V, contrasts = C, test = "Satterthwaite", p_values = TRUE)
    w <- Wald_test(fit, constraints = C[4:5, ], vcov = V, test = "HTZ")
    out <- rbind(out, data.frame(cr, feature = f,
      context = c("a", "b", "c", "a - b", "a - c", "b - c", "omnibus"),
      estimate = c(lc$Est, w$Fstat), std_error = c(lc$SE, NA), df = c(lc$df, w$df_denom),
      p_value = c(lc$p_val, w$p_val), low = c(lc$CI_L, NA), high = c(lc$CI_U, NA)))
  }
}
out[] <- lapply(out, function(x) if (is.numeric(x)) sprintf("%.17g", x) else x)
write.csv(out, "out.csv", row.names = FALSE, quote = FALSE)
"""
# Two factorisations of one design.
CLUB_SANDWICH = 1e-8


def test_tables_are_club_sandwich_on_one_stacked_fit(tmp_path: Path) -> None:
    rows = study(7, G=14)
    # Not every subject is in every context.
    rows = rows[(rows["subject"] != "s003") | (rows["task"] == "a")].reset_index(drop=True)
    rows.to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "stacked.R").write_text(STACKED)
    command = ["Rscript", "--vanilla", "stacked.R"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    expected = pd.read_csv(tmp_path / "out.csv").set_index(["cr", "feature", "context"])
    for cr in ("CR0", "CR1", "CR2", "CR3"):
        result = fitted(rows, cr=cr, n_boot=0)
        tidy = result.tidy().query("context != 'all'")
        slopes = tidy.drop(columns="estimate").rename(
            columns={"tested_estimate": "estimate", "tested_std_error": "std_error"}
        )
        omnibus = result.omnibus().rename(columns={"statistic": "estimate", "df2": "df"})
        omnibus["context"] = "omnibus"
        found = pd.concat([slopes, result.contrasts(), omnibus]).set_index(["feature", "context"])
        wanted = expected.loc[cr].apply(pd.to_numeric)
        assert len(wanted) == 28
        for column in ("estimate", "std_error", "df", "p_value"):
            np.testing.assert_allclose(
                found.loc[wanted.index, column], wanted[column], rtol=CLUB_SANDWICH, err_msg=cr
            )
        tests = wanted[wanted["low"].notna()]
        for ours, theirs in (("conf_low", "low"), ("conf_high", "high")):
            np.testing.assert_allclose(
                found.loc[tests.index, ours], tests[theirs], rtol=CLUB_SANDWICH, atol=1e-10
            )


def test_weights_differences_only_where_the_penalty_is_common() -> None:
    rows = study()
    result = fitted(rows)
    table = result.contrasts()
    weights = result.tidy().set_index(["context", "feature"])["estimate"]
    assert table["weight_difference"][0] == pytest.approx(
        weights["a", "f0"] - weights["b", "f0"], rel=1e-12
    )
    own = fitted(rows, alpha={"a": 0.1, "b": 0.5, "c": 0.1, "all": 0.1}).contrasts()
    missing = own["weight_difference"].isna()
    assert missing.tolist() == [True] * 4 + [False] * 4 + [True] * 4
    assert own["reason"][0] == "weights: the contexts' weights have different penalties"
    np.testing.assert_allclose(own["p_value"], table["p_value"])


def test_labels_of_their_own_are_not_subtracted() -> None:
    rows = study()
    result = fitted(rows, y_pooled=2 * rows["y"])
    plain = fitted(rows)
    np.testing.assert_allclose(
        result.contrasts()["estimate"], 2 * plain.contrasts()["estimate"], rtol=1e-9
    )
    assert result.contrasts()["weight_difference"].isna().all()
    np.testing.assert_allclose(result.tidy()["estimate"][:12], plain.tidy()["estimate"][:12])


def test_from_model_takes_its_penalties_and_weights() -> None:
    rows = study()
    X = rows[["task", *FEATURES]]
    model = ContextualRegressor(ElasticNetRegressor(), context="task").fit(
        X, rows["y"], groups=rows["subject"]
    )
    result = CoefficientResult.from_model(
        model, X, rows["y"], cluster=rows["subject"], n_boot=20, seed=5
    )
    np.testing.assert_allclose(
        result.tidy()["estimate"], model.weights()["estimate"], atol=SCIKIT_LEARN
    )
    assert not result.remarks
    # Tuned here by the same folds: the same penalties.
    tuned = context_coefficients(
        X, rows["y"], context="task", cluster=rows["subject"], n_boot=0, seed=0
    )
    assert [w.alpha for w in tuned.weights] == [w.alpha for w in result.weights]
    assert [w.l1_ratio for w in tuned.weights] == [w.l1_ratio for w in result.weights]
    fewer = rows["subject"] < "s020"
    part = context_coefficients.from_model(
        model, X, rows["y"], cluster=rows["subject"], rows=fewer, n_boot=0
    )
    assert "fitted to other rows" in part.remarks[0]


@pytest.mark.parametrize("position", [-1, 0, np.int64(2)])
@pytest.mark.parametrize("names", [True, False])
def test_from_model_with_the_context_by_position(position: int, names: bool) -> None:
    rows = study()
    # Contexts are numbers, so that an array of rows is one of numbers.
    task = rows["task"].map({"a": 1, "b": 2, "c": 3})
    X = rows[FEATURES].copy()
    X.insert(position if position >= 0 else len(FEATURES), "task", task)
    table = X if names else X.to_numpy()
    model = ContextualRegressor(ElasticNetRegressor(0.1, 0.5), context=position)
    model.fit(table, rows["y"])
    result = CoefficientResult.from_model(
        model, table, rows["y"], cluster=rows["subject"], n_boot=0
    )
    assert [float(name) for name in result.data.contexts] == [1, 2, 3]
    assert not result.remarks
    np.testing.assert_allclose(
        result.tidy()["estimate"], model.weights()["estimate"], atol=SCIKIT_LEARN
    )


def test_from_model_knows_columns_by_name() -> None:
    rows = study()
    X = rows[["task", *FEATURES]]
    model = ContextualRegressor(ElasticNetRegressor(0.1, 0.5), context="task").fit(X, rows["y"])

    def weights(X: object, **options: object) -> pd.DataFrame:
        settled = {"cluster": rows["subject"], "n_boot": 0, **options}
        result = context_coefficients.from_model(model, X, rows["y"], **settled)
        assert not result.remarks
        return result.tidy()

    expected = weights(X)
    moved = rows[["f3", "subject", "f0", "f2", "task", "f1"]]
    pd.testing.assert_frame_equal(weights(moved, cluster="subject"), expected)
    pd.testing.assert_frame_equal(weights(rows[FEATURES], context=rows["task"]), expected)
    cases = [
        (
            X.drop(columns="f2"),
            {},
            ColumnError,
            "X has no column 'f2'; the model was fitted on 'task', 'f0'",
        ),
        (X, {"cluster": "subject"}, ColumnError, "X has no column 'subject'"),
        (rows.drop(columns="subject"), {}, ColumnError, "not fitted on: 'y'; leave"),
        (X, {"cluster": "f1"}, ColumnError, "fitted with 'f1' as a feature"),
        (rows[FEATURES[:3]].to_numpy(), {"context": rows["task"]}, ColumnError, "3 features, but"),
        (X, {"alpha": 0.2}, DataError, r"from_model\(\) does not accept alpha="),
        (X, {"l1_ratio": 0.2}, DataError, r"from_model\(\) does not accept l1_ratio="),
    ]
    for wrong, options, error, message in cases:
        with pytest.raises(error, match=message):
            weights(wrong, **options)
    free = ContextualRegressor(ElasticNetRegressor(0, 0), context="task").fit(X, rows["y"])
    with pytest.raises(DataError, match="the model of 'a', 'b', 'c', 'all' has alpha 0; without"):
        context_coefficients.from_model(free, X, rows["y"], cluster=rows["subject"])


def test_same_grid_and_folds_as_the_regressor() -> None:
    model = ElasticNetRegressor()
    assert (model.alpha, model.l1_ratio) == (ALPHAS, L1_RATIOS)
    np.testing.assert_array_equal(folds_of(23, 5, 9), subject_folds(np.arange(23), 5, 9))


def test_retuned_replicate_is_the_regressor_on_folds_made_before_drawing() -> None:
    rows = study(G=12)
    grid = {"alpha": (0.05, 0.5), "l1_ratio": (0.2, 0.9)}
    result = fitted(rows, **grid, retune=True, n_boot=3, seed=4)
    counts = draw_counts((12,), 3, seed=4)
    labels = sorted(rows["subject"].unique())
    fold = dict(zip(labels, folds_of(12, 5, 4), strict=True))
    own = rows[rows["task"] == "b"]
    for b in range(3):
        times = own["subject"].map(dict(zip(labels, counts[b], strict=True)))
        drawn = own.loc[own.index.repeat(times)]
        part = drawn["subject"].map(fold).to_numpy()
        errors = {}
        for alpha in grid["alpha"]:
            for ratio in grid["l1_ratio"]:
                total = 0.0
                for k in np.unique(part):
                    model = ElasticNetRegressor(alpha=alpha, l1_ratio=ratio).fit(
                        drawn[FEATURES][part != k], drawn["y"][part != k]
                    )
                    predicted = model.predict(drawn[FEATURES][part == k])
                    total += ((predicted - drawn["y"][part == k]) ** 2).sum()
                errors[alpha, ratio] = total
        alpha, ratio = min(errors, key=lambda pair: errors[pair])
        expected = ElasticNetRegressor(alpha=alpha, l1_ratio=ratio).fit(drawn[FEATURES], drawn["y"])
        np.testing.assert_allclose(
            result.replicates("b")[b], expected.coef_, rtol=0, atol=SCIKIT_LEARN
        )


@SETTINGS
@given(seed=st.integers(0, 1000))
def test_order_of_rows_changes_nothing(seed: int) -> None:
    rows = study(seed, G=14)
    moved = rows.sample(frac=1, random_state=seed)
    for a, b in zip(
        (fitted(rows).tidy(), fitted(rows).contrasts(), fitted(rows).omnibus()),
        (fitted(moved).tidy(), fitted(moved).contrasts(), fitted(moved).omnibus()),
        strict=True,
    ):
        pd.testing.assert_frame_equal(a, b, rtol=1e-7, atol=1e-9)


def test_adjusted_tests() -> None:
    from statsmodels.stats.multitest import multipletests

    rows = study()
    plain = fitted(rows).contrasts()
    by_holm = fitted(rows).adjust("holm").contrasts()
    np.testing.assert_allclose(
        by_holm["p_adjusted"], multipletests(plain["p_value"], method="holm")[1]
    )
    largest = fitted(rows).adjust("max_t").contrasts()
    for table in (by_holm, largest):
        assert (table["p_adjusted"] >= table["p_value"]).all()
        assert (table["conf_low"] < plain["conf_low"]).all()
        outside = (table["conf_low"] > 0) | (table["conf_high"] < 0)
        wide = table["p_adjusted"] > 0.051
        assert not (outside & wide).any()
        assert outside[table["p_adjusted"] < 0.049].all()
    assert (fitted(rows).adjust("holm").omnibus()["adjustment"] == "holm").all()


def test_the_wild_bootstrap_enumerates_signs_and_is_never_0() -> None:
    """Its multiset of |t*| is wildboottest's: tests/parity/coefficients.py."""
    rng = np.random.default_rng(1)
    cluster = np.repeat(np.arange(8), rng.integers(3, 9, 8))
    X = np.column_stack([np.ones(len(cluster)), rng.normal(size=len(cluster))])
    # So strong that no sign vector but the observed and its mirror comes near.
    strong = wild_test(
        cluster_ols(X, 9 * X[:, 1] + rng.normal(size=len(cluster)), cluster, cr="CR1"), [0, 1]
    )
    assert len(strong.pivots) == 256
    assert strong.p_value == 2 / 256
    table = fitted(study()).wild(n_boot=399)
    assert set(table["method"]) == {"wild, webb"}
    of = table[["context", "kind", "first_context", "second_context"]].drop_duplicates()
    assert of.values.tolist() == [
        *([name, "level", name, ""] for name in ("a", "b", "c", "all")),
        *([f"{a} - {b}", "difference", a, b] for a, b in ("ab", "ac", "bc")),
    ]
    assert table.loc[table["context"] == "a - b", "p_value"].iloc[0] == pytest.approx(1 / 400)


def test_desparsified_without_penalties_is_least_squares() -> None:
    rows = study(2, G=40)
    X = rows[FEATURES].to_numpy() / [1, 10, 100, 1]
    y = rows["y"].to_numpy()
    codes = np.unique(rows["subject"], return_inverse=True)[1]
    found = desparsified(X, y, codes, 40, np.zeros((41, 4)), node_alpha=1e-13)

    def slopes(rows: np.ndarray) -> np.ndarray:
        design = np.column_stack([X[rows], np.ones(rows.sum())])
        return np.linalg.lstsq(design, y[rows], rcond=None)[0][:4]

    np.testing.assert_allclose(found.coef, slopes(codes >= 0), rtol=1e-7)
    without = np.array([slopes(codes != g) for g in range(40)])
    jackknife = np.sqrt(39 * without.var(axis=0))
    np.testing.assert_allclose(found.contrasts(np.eye(4)).std_error, jackknife, rtol=1e-6)
    # And near CR3, which has the sum of squares about the estimate.
    fit = cluster_ols(np.column_stack([X, np.ones(len(X))]), y, codes, cr="CR3")
    cr3 = fit.contrasts(np.eye(5)[:4]).std_error
    np.testing.assert_allclose(jackknife, cr3 * np.sqrt(39 / 40), rtol=0.02)


def test_desparsified_is_the_papers_formula_with_scikit_learns_lasso() -> None:
    rng = np.random.default_rng(3)
    codes = np.repeat(np.arange(12), 4)
    X = rng.normal(size=(48, 60)) + rng.normal(size=(12, 60))[codes]
    y = X[:, 0] + rng.normal(size=48)
    beta = np.zeros((13, 60))
    beta[:, 0] = np.linspace(0.8, 0.9, 13)  # a fit of its own without each subject
    found = desparsified(X, y, codes, 12, beta, node_alpha=0.2)
    tests = found.contrasts(np.eye(60))
    assert (tests.df == 11).all()

    def slope(j: int, rows: np.ndarray, own: np.ndarray) -> float:
        Xc, yc = X[rows] - X[rows].mean(axis=0), y[rows] - y[rows].mean()
        others = np.delete(Xc, j, axis=1)
        # The penalty is of features at unit standard deviation over all rows, as is the label.
        sd = X[:, j].std()
        lasso = Lasso(alpha=0.2, tol=1e-14, max_iter=1_000_000, fit_intercept=False)
        lasso.fit(others / others.std(axis=0), Xc[:, j] / sd)
        Z = Xc[:, j] - sd * lasso.predict(others / others.std(axis=0))
        return float(own[j] + Z @ (yc - Xc @ own) / (Z @ Xc[:, j]))

    for j in (0, 7, 59):
        assert found.coef[j] == pytest.approx(slope(j, codes >= 0, beta[0]), rel=1e-7)
        without = np.array([slope(j, codes != g, beta[1 + g]) for g in range(12)])
        error = np.sqrt(11 / 12 * np.sum((without - without.mean()) ** 2))
        assert tests.std_error[j] == pytest.approx(error, rel=1e-6)


def test_a_slope_that_needs_one_subject_says_so() -> None:
    rows = study(5, G=8)
    rows.loc[(rows["subject"] != rows["subject"].iloc[0]) & (rows["task"] == "a"), "f1"] = 0.5
    table = fitted(rows).tidy().set_index(["context", "feature"])
    assert np.isfinite(table.loc[("a", "f1"), "tested_estimate"])
    assert table.loc[("a", "f1"), ["tested_std_error", "p_value", "conf_low"]].isna().all()
    assert table.loc[("a", "f1"), "reason"] == "undefined if one of the subjects is left out"
    assert table.drop(index=("a", "f1"))["p_value"].notna().all()


def test_few_subjects_are_desparsified() -> None:
    rows = study(4, G=8)
    result = fitted(rows)
    assert set(result.tidy()["method"]) == {"desparsified"}
    assert any("4 features for 8 subjects" in note for note in result.notes())
    assert result.tidy()["p_value"].notna().all()
    assert (result.contrasts()["df"] == 7).all()
    assert result.adjust("max_t").contrasts()["p_adjusted"].notna().all()
    with pytest.raises(DataError, match="wild cluster bootstrap requires least squares"):
        result.wild()
    forced = fitted(rows, tests="least_squares").tidy()
    assert set(forced["method"]) == {"least squares, CR2"}


def test_collinear_features_are_not_left_to_least_squares() -> None:
    rows = study().assign(f4=lambda d: d["f0"] + 1e-4 * np.sin(np.arange(len(d))))
    result = fitted(rows)
    assert set(result.tidy()["method"]) == {"desparsified"}
    assert "nearly collinear in context 'a'" in result.why_desparsified[0]
    twice = study().assign(f4=lambda d: d["f0"])
    with pytest.raises(DataError, match="linearly dependent"):
        fitted(twice, tests="least_squares")


def test_constant_feature() -> None:
    rows = study()
    rows.loc[rows["task"] == "a", "f2"] = 0.1
    result = fitted(rows)
    table = result.tidy().set_index(["context", "feature"])
    assert table.loc[("a", "f2"), "estimate"] == 0
    assert np.isnan(table.loc[("a", "f2"), "tested_estimate"])
    assert table.loc[("a", "f2"), "reason"] == "the feature is constant"
    assert np.isfinite(table.loc[("b", "f2"), "p_value"])
    contrasts = result.contrasts().set_index(["context", "feature"])
    assert np.isnan(contrasts.loc[("a - b", "f2"), "p_value"])
    assert np.isfinite(contrasts.loc[("b - c", "f2"), "p_value"])
    omnibus = result.omnibus().set_index("feature")
    assert omnibus.loc["f2", "df1"] == 1
    assert omnibus.loc["f2", "reason"] == "in a context, the feature is constant"
    assert result.adjust("max_t").contrasts()["p_adjusted"].notna().sum() == 10


def test_subjects_in_one_context_only() -> None:
    rows = study()
    lone = rows[~((rows["subject"] < "s006") & (rows["task"] == "a"))]
    result = fitted(lone)
    counts = result.tidy().groupby("context")["n_clusters"].first()
    assert counts.to_dict() == {"a": 24, "all": 30, "b": 30, "c": 30}
    # A context's weights do not depend on who else is in the study.
    alone = fitted(lone[lone["task"] == "a"])
    np.testing.assert_array_equal(alone.replicates("a"), result.replicates("a"))
    assert np.isfinite(result.contrasts()["boot_std_error"]).all()
    assert np.isfinite(result.contrasts()["p_value"]).all()


def test_one_context() -> None:
    rows = study(contexts="a")
    result = fitted(rows)
    assert result.tidy()["context"].unique().tolist() == ["a"]
    for call in (result.contrasts, result.omnibus):
        with pytest.raises(DataError, match="only one context, 'a'"):
            call()


def test_missing_values_and_rows() -> None:
    rows = study()
    rows.loc[3, "f1"] = np.nan
    rows.loc[5, "y"] = np.nan
    result = fitted(rows)
    assert result.data.n_dropped == 2
    assert "2 rows were left out" in result.notes()[-1]
    clean = fitted(rows.drop(index=[3, 5]))
    pd.testing.assert_frame_equal(result.tidy(), clean.tidy())
    picked = fitted(rows, rows=rows["subject"] < "s020")
    pd.testing.assert_frame_equal(
        picked.tidy(), fitted(rows[rows["subject"] < "s020"].drop(index=[3, 5])).tidy()
    )


def test_printed_and_drawn() -> None:
    result = fitted(study())
    assert "Coefficients of 4 features in 3 contexts" in str(result)
    assert "they are not a test" in str(result)
    assert result.to_dict()["provenance"]["tests"] == ["least squares, CR2"] * 2
    figure = result.plot(names={"f0": "Smile"})
    assert [axes.get_title() for axes in figure.axes] == ["a", "b", "c", "all"]
    assert figure.axes[0].get_yticklabels()[0].get_text() == "Smile"
    for rule, message in (
        (None, "Slope, 95% confidence interval (tested)"),
        ("holm", "Slope, 95% simultaneous confidence interval by Bonferroni (tested)"),
    ):
        (legend,) = (result if rule is None else result.adjust(rule)).plot().legends
        assert legend.get_texts()[1].get_text() == message


def test_refused() -> None:
    rows = study()
    cases = [
        ({"alpha": 0}, DataError, "alpha= must be above 0"),
        ({"alpha": {"a": 1}}, DataError, "alpha= has no value for 'b', 'c', 'all'"),
        ({"l1_ratio": 2}, DataError, "l1_ratio= must be between 0 and 1"),
        ({"retune": True}, DataError, "retune=True requires a grid"),
        ({"n_boot": -1}, DataError, "n_boot= must be"),
        ({"confidence": 1}, DataError, "confidence= must be"),
        ({"cr": "CR9"}, DataError, "cr= must be one of"),
        ({"tests": "wild"}, DataError, "tests= must be one of"),
        ({"rows": [True]}, DataError, "rows= must be one True or False"),
        ({"confidence": "0.95"}, DataError, "confidence= must be a number"),
        ({"n_folds": 1}, DataError, "n_folds= must be"),
        *[({"n_folds": n}, DataError, "n_folds= must be") for n in (2.5, "a", None, True)],
    ]
    for options, error, message in cases:
        with pytest.raises(error, match=message):
            fitted(rows, **options)
    with pytest.raises(DataError, match="adjust= must be one of"):
        fitted(rows).adjust("bonferroni")
    for n_boot in (1.5, True, 0):
        with pytest.raises(DataError, match="n_boot= must be a whole number of at least 1"):
            fitted(rows, n_boot=0).wild(n_boot=n_boot)
    with pytest.raises(ColumnError, match=r"the same as text.*'0'"):
        fitted(rows.rename(columns={"f0": 0, "f1": "0"}))
    backwards = rows["y"][::-1]
    features = rows.drop(columns="y")
    with pytest.raises(DataError, match=r"y= has the index of .*, but in another order"):
        context_coefficients(
            features, backwards, context="task", cluster="subject", alpha=0.1, l1_ratio=0.5
        )
    options = {"context": "task", "cluster": "subject", "alpha": 0.1, "l1_ratio": 0.5}
    used = rows["task"] != "b"
    with pytest.raises(DataError, match="rows= has the index of X, but in another order"):
        context_coefficients(features, rows["y"], rows=used[::-1], **options)
    with pytest.raises(DataError, match=r"y must be one value per row, but its shape is"):
        context_coefficients(features, rows[["y", "y"]].to_numpy(), **options)
    with pytest.raises(DataError, match="no context 'z'"):
        fitted(rows).replicates("z")
    with pytest.raises(ColumnError, match="'all'"):
        fitted(rows.assign(task=rows["task"].replace("a", "all")))
    with pytest.raises(ColumnError, match="must be a number"):
        fitted(rows.assign(f1="x"))
    with pytest.raises(DataError, match="rows of 1 subject"):
        fitted(rows[(rows["task"] != "a") | (rows["subject"] == "s001")])
    with pytest.raises(DataError, match="ContextualRegressor fitted with contexts"):
        CoefficientResult.from_model(object(), rows, rows["y"], cluster="subject")


NO_VARIATION = "there is no variation between subjects"


@pytest.mark.parametrize("tests", ["least_squares", "desparsified"])
def test_a_constant_label_is_no_evidence(tests: str) -> None:
    rows = study()
    result = fitted(rows.assign(y=0.1), tests=tests)
    for table in (result.tidy(), result.contrasts(), result.omnibus()):
        assert table[["statistic", "p_value"]].isna().all(axis=None)
        assert table["reason"].str.contains(NO_VARIATION).all()
    # In one context only: its slopes, but not their differences from others.
    table = fitted(rows.assign(y=rows["y"].where(rows["task"] != "a", 0.1)), tests=tests)
    slopes = table.tidy().set_index(["context", "feature"])
    assert (slopes.loc["a", "reason"] == NO_VARIATION).all()
    assert slopes.loc["a", "p_value"].isna().all()
    assert slopes[slopes.index.get_level_values(0) != "a"]["p_value"].notna().all()
    assert table.contrasts()["p_value"].notna().all()
    assert table.omnibus()["p_value"].notna().all()
    # In all but one: the difference of the still ones has nothing behind it.
    table = fitted(rows.assign(y=rows["y"].where(rows["task"] == "a", 0.1)), tests=tests)
    contrasts = table.contrasts().set_index("context")
    assert (contrasts.loc["b - c", "reason"] == NO_VARIATION).all()
    assert contrasts.drop(index="b - c")["p_value"].notna().all()
    assert (table.omnibus()["reason"] == NO_VARIATION).all()
    assert table.omnibus()["p_value"].isna().all()


@pytest.mark.parametrize("level", [0.0, 1e4])
def test_a_label_without_error_is_no_evidence(level: float) -> None:
    rows = study(3).assign(f0=lambda d: d["f0"] + level)
    result = fitted(rows.assign(y=2 * rows["f0"] + 1))
    for table in (result.tidy(), result.contrasts(), result.omnibus(), result.wild(n_boot=99)):
        assert table[["statistic", "p_value"]].isna().all(axis=None)
        assert (table["reason"] == NO_VARIATION).all()
    assert result.adjust("max_t").contrasts()["p_adjusted"].isna().all()
    # An error of a part in a million is one, and does not depend on the label's unit.
    nearly = rows["f0"] + 1e-6 * rows["y"]
    found = fitted(rows.assign(y=nearly)).tidy()
    assert found["p_value"].notna().all()
    other = fitted(rows.assign(y=1e-9 * nearly)).tidy()
    np.testing.assert_allclose(other["p_value"], found["p_value"], rtol=1e-4)


def test_wild_tests_say_why_there_is_none() -> None:
    rows = study()
    rows.loc[rows["task"] == "a", "f2"] = 0.1
    rows.loc[rows["task"] == "b", "y"] = 7.0
    table = fitted(rows).wild(n_boot=99).set_index(["context", "feature"])
    assert table.loc[("a", "f2"), "reason"] == "the feature is constant"
    assert table.loc[("a - c", "f2"), "reason"] == "the feature is constant"
    assert (table.loc["b", "reason"] == NO_VARIATION).all()
    assert (table["p_value"].isna() == (table["reason"] != "")).all()


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("times", [1.0, -3.0])
def test_a_repeated_feature_has_no_slope_of_its_own(first: bool, times: float) -> None:
    rows = study(G=16)
    rows.insert(2 if first else 6, "g0", times * rows["f0"] + 7)
    result = fitted(rows, l1_ratio=1, n_boot=0)
    table = result.tidy()
    twins = table["feature"].isin(["f0", "g0"])
    message = table["reason"].str.contains("a linear combination of the others; leave one")
    assert (message == twins).all()
    assert (table["p_value"].isna() == twins).all()
    assert (table["tested_estimate"].isna() == twins).all()
    contrasts = result.adjust("holm").contrasts()
    assert (contrasts["p_adjusted"].isna() == contrasts["feature"].isin(["f0", "g0"])).all()
    assert (result.omnibus().set_index("feature")["reason"] != "").to_dict() == {
        feature: feature in {"f0", "g0"} for feature in result.data.features
    }
    # The others are adjusted for what the two say, as for one of them; the penalty of the
    # nodewise lassos is another, as it is chosen for all features together.
    alone = fitted(rows.drop(columns="g0"), l1_ratio=1, n_boot=0, tests="desparsified").tidy()
    alone = alone[alone["feature"] != "f0"].reset_index(drop=True)
    found = table[~twins].reset_index(drop=True)
    moved = (found["tested_estimate"] - alone["tested_estimate"]).abs()
    assert (moved < 0.3 * alone["tested_std_error"]).all()


def test_a_sum_of_features_in_one_context() -> None:
    rows = study(G=16)
    rng = np.random.default_rng(5)
    # The second's part is a thousandth of the first's.
    total = rows["f0"] + 0.001 * rows["f3"]
    rows["g"] = total.where(rows["task"] == "b", rng.normal(size=len(rows)))
    table = fitted(rows, n_boot=0, tests="desparsified").tidy()
    there = (table["context"] == "b") & table["feature"].isin(["f0", "f3", "g"])
    assert (table["p_value"].isna() == there).all()
    assert (table["reason"].str.contains("linear combination") == there).all()


def test_more_features_than_rows_are_no_combinations_unless_repeated() -> None:
    rng = np.random.default_rng(3)
    codes = np.repeat(np.arange(12), 4)
    X = rng.normal(size=(48, 60))
    X[:, 59] = -2 * X[:, 3]
    y, beta = X[:, 0] + rng.normal(size=48), np.zeros((13, 60))
    found = desparsified(X, y, codes, 12, beta, node_alpha=0.2)
    assert np.flatnonzero(np.isnan(found.coef)).tolist() == [3, 59]
    # Distinct in the rows of one subject only.
    X[codes == 4, 59] = rng.normal(size=4)
    found = desparsified(X, y, codes, 12, beta, node_alpha=0.2)
    assert not np.isnan(found.coef).any()
    tests = found.contrasts(np.eye(60))
    assert np.flatnonzero(np.isnan(tests.p_value)).tolist() == [3, 59]


def test_why_there_is_no_note_on_the_weights() -> None:
    rows = study(G=16)
    near = rows.assign(g=rows["f0"] + 1e-7 * np.sin(np.arange(len(rows))))
    result = fitted(near[near["task"] != "c"], alpha=0.001, l1_ratio=1, n_boot=2)
    for table, weight in ((result.tidy(), "estimate"), (result.contrasts(), "weight_difference")):
        unfitted = table["reason"].str.contains("elastic net fitted to all rows did not converge")
        assert unfitted.any()
        assert (unfitted == table[weight].isna()).all()
        assert not table["reason"][unfitted].str.contains("replicates").any()
        assert (table["reason"] != "")[table["p_value"].isna()].all()
    assert (
        fitted(rows, n_boot=1).tidy()["reason"] == "one replicate gives no standard error"
    ).all()


def test_the_covariance_of_slopes_is_that_of_one_stacked_fit() -> None:
    import statsmodels.api as sm

    table = study(G=40, contexts="ab")
    found = fitted(table, n_boot=0, cr="CR0")
    scaled = table[FEATURES] / found.data.scale
    blocks = {}
    for task in ("a", "b"):
        inside = (table["task"] == task).to_numpy(float)
        blocks |= {f"{task}: {name}": scaled[name] * inside for name in FEATURES}
        blocks[f"{task}: intercept"] = pd.Series(inside)
    theirs = sm.OLS(table["y"], pd.DataFrame(blocks)).fit(
        cov_type="cluster",
        cov_kwds={"groups": pd.factorize(table["subject"])[0], "use_correction": False},
    )
    joint = found.covariance()
    wanted = theirs.cov_params().loc[joint.index, joint.columns]
    # Another solver of the same least squares.
    np.testing.assert_allclose(joint, wanted, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(found.covariance("b"), joint.iloc[4:, 4:], rtol=1e-12)
    over_all = found.tidy().query("context == 'all'")["tested_std_error"]
    np.testing.assert_allclose(np.sqrt(np.diag(found.covariance("all"))), over_all, rtol=1e-10)
    with pytest.raises(DataError, match="context= must be one of 'a', 'b', 'all'"):
        found.covariance("c")


def test_more_replicates_are_those_of_one_call() -> None:
    rows = study()
    # Contexts of other subjects: their differences are drawn from both.
    rows = rows[~((rows["subject"] < "s006") & (rows["task"] == "a"))]
    one, two = fitted(rows, n_boot=90, seed=4), fitted(rows, n_boot=40, seed=4).extend(50)
    assert two.n_boot == 90
    for name in ("tidy", "contrasts"):
        pd.testing.assert_frame_equal(getattr(one, name)(), getattr(two, name)())
    assert one.replicates("a").tobytes() == two.replicates("a").tobytes()


def test_what_ctrl_c_leaves_can_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = study()
    whole = fitted(rows, n_boot=200)
    calls = 0

    def pressed(*args: object, **more: object) -> object:
        nonlocal calls
        calls += 1
        # Of the second piece, amid its models.
        if calls == 7:
            raise KeyboardInterrupt
        return draw_counts(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr("pyexpr.inference.coefficients.penalised.draw_counts", pressed)
    with pytest.raises(Interrupted, match="after 64 of 200 replicates, and nothing is lost") as at:
        fitted(rows, n_boot=200)
    kept = at.value.result
    assert isinstance(kept, CoefficientResult)
    assert kept.n_boot == 64
    pd.testing.assert_frame_equal(kept.extend(136).tidy(), whole.tidy())


def test_influence_is_the_slope_without_each_subject() -> None:
    """CR3's scores are exactly the subject left out; here by least squares of its own."""
    rows = study()
    result = fitted(rows, cr="CR3", n_boot=0)
    found = result.influence().set_index(["context", "feature", "cluster"])["influence"]
    unit = result.data.scale
    for context in ("a", "c"):
        own = rows[rows["task"] == context]

        def slopes(table: pd.DataFrame) -> np.ndarray:
            design = np.column_stack([np.ones(len(table)), table[FEATURES]])
            return np.linalg.lstsq(design, table["y"], rcond=None)[0][1:] * unit

        G = own["subject"].nunique()
        for who in ("s000", "s017"):
            change = slopes(own) - slopes(own[own["subject"] != who])
            ours = [found[context, feature, who] for feature in FEATURES]
            np.testing.assert_allclose(ours, (G - 1) * change, rtol=1e-8, atol=1e-9)


def test_influence_of_desparsified_slopes_gives_their_errors() -> None:
    result = fitted(study(), tests="desparsified", n_boot=0)
    found = result.influence()
    G = 30
    error = found.groupby(["context", "feature"], sort=False)["influence"].agg(
        lambda x: np.sqrt((x**2).sum() / (G * (G - 1)))
    )
    np.testing.assert_allclose(error, result.tidy()["tested_std_error"], rtol=1e-9)


def test_other_intervals_and_tests_together_from_the_start() -> None:
    rows = study()
    result = fitted(rows)
    pd.testing.assert_frame_equal(
        result.interval(confidence=0.8).tidy(), fitted(rows, confidence=0.8).tidy()
    )
    pd.testing.assert_frame_equal(
        result.adjust("max_t").contrasts(), fitted(rows, adjust="max_t").contrasts()
    )
    with pytest.raises(DataError, match="method= cannot be set"):
        result.interval(method="bca")
    for option in ("method", "stratify"):
        with pytest.raises(DataError, match=rf"coefficients\(\) does not accept {option}=: "):
            fitted(rows, **{option: "x"})
    with pytest.raises(DataError, match="adjust="):
        fitted(rows, adjust="bonferroni")
