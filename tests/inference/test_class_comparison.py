"""compare_models of classes, ranks, functions and units, against scikit-learn and SciPy."""

from __future__ import annotations

import warnings

import numba
import numpy as np
import pandas as pd
import pytest
from reference import cluster_bootstrap as twin
from scipy import stats
from sklearn import metrics as sk

import pyexpr as px
from pyexpr.base.errors import ColumnError, DataError, FewSubjectsWarning, SavedResultError
from pyexpr.base.messages import Message
from pyexpr.hosted.voice import in_r
from pyexpr.inference.comparison.comparison import compare_models
from pyexpr.inference.comparison.predictions import Predictions
from pyexpr.words.reader import readers_reason

TWIN = 1e-12  # sums in another order
N_BOOT = 50
METRICS = ["auc", "accuracy", "balanced_accuracy", "f1", "f1_macro", "kappa", "brier"]


def table(seed=0, n_subjects=24):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(6, 13, n_subjects)
    subject = np.repeat(np.arange(n_subjects), sizes)
    n = len(subject)
    latent = rng.normal(size=n_subjects)[subject] + rng.normal(size=n)
    frame = pd.DataFrame({
        "subject": subject,
        "context": rng.permutation(np.where(np.arange(n) % 2, "calm", "pain")),
        "y": (latent > 0.3).astype(int),
        "a": np.round(1 / (1 + np.exp(-latent - rng.normal(size=n))), 2),
        "b": np.round(1 / (1 + np.exp(-0.3 * latent - rng.normal(size=n))), 2),
        "latent": latent,
    })  # fmt: skip
    frame["recording"] = [f"{s}/{k % 2}" for k, s in enumerate(subject)]
    frame["mood"] = np.array(["low", "middle", "high"])[np.digitize(latent, [-0.6, 0.6])]
    seen = np.digitize(latent + rng.normal(size=n), [-0.6, 0.6])
    frame["said"] = np.array(["low", "middle", "high"])[seen]
    return frame


def compare(frame, **options):
    settings = {"truth": "y", "predictions": ["a", "b"], "cluster": "subject", "n_boot": N_BOOT}
    return compare_models(frame, **(settings | options))


def balanced(t, p):
    return np.mean(sk.recall_score(t, p, labels=sorted({*t, *p}), average=None))


def of_sklearn(metric, t, p, threshold=0.5):
    label = (p >= threshold).astype(int)
    return {
        "auc": lambda: sk.roc_auc_score(t, p),
        "accuracy": lambda: sk.accuracy_score(t, label),
        "balanced_accuracy": lambda: sk.balanced_accuracy_score(t, label),
        "f1": lambda: sk.f1_score(t, label),
        "f1_macro": lambda: sk.f1_score(t, label, average="macro"),
        "kappa": lambda: sk.cohen_kappa_score(t, label),
        "brier": lambda: sk.brier_score_loss(t, p),
    }[metric]()


def value_of(result, metric, term, context="all", column="estimate"):
    tidy = result.tidy()
    chosen = tidy[(tidy.metric == metric) & (tidy.term == term) & (tidy.context == context)]
    assert len(chosen) == 1
    return chosen[column].item()


# --- classes -----------------------------------------------------------------------------


def test_estimates_replicates_and_jackknife_equal_scikit_learn():
    frame = table()
    result = compare(frame, metrics=METRICS, context="context", seed=5)
    tidy = result.tidy()
    cluster = frame.subject.to_numpy()
    for context in ("calm", "pain", "all"):
        rows = np.flatnonzero((frame.context == context) | (context == "all"))
        own = frame.iloc[rows]
        codes = np.unique(own.subject, return_inverse=True)[1]
        G = int(codes.max()) + 1
        assert G == 24
        for metric in METRICS:
            one, other = (of_sklearn(metric, own.y, own[name]) for name in "ab")
            found = value_of(result, metric, "a - b", context)
            assert found == pytest.approx(one - other, rel=TWIN, abs=TWIN)
            at = tidy.index[
                (tidy.metric == metric) & (tidy.term == "a - b") & (tidy.context == context)
            ][0]
            for r in range(0, N_BOOT, 7):
                drawn, _ = twin.resampled(codes, twin.draws([G], 5, 1, r))
                again = own.iloc[drawn]
                one, other = (of_sklearn(metric, again.y, again[name]) for name in "ab")
                assert result.replicates[r, at] == pytest.approx(one - other, rel=TWIN, abs=TWIN)
    influence = result.influence().query("metric == 'auc' and term == 'a' and context == 'all'")
    left = [
        sk.roc_auc_score(frame.y[cluster != g], frame.a[cluster != g]) for g in influence.cluster
    ]
    np.testing.assert_allclose(influence.estimate, left, rtol=TWIN)


@pytest.mark.parametrize("method", ["percentile", "basic", "normal", "bca", "studentized"])
def test_every_interval_can_be_had(method):
    result = compare(table(), metrics=METRICS, n_boot=400, method=method)
    tidy = result.tidy()
    assert (tidy.reason == "").all()
    assert (tidy.conf_low < tidy.conf_high).all()
    assert ((tidy.conf_low <= tidy.estimate) & (tidy.estimate <= tidy.conf_high)).all()


def test_differences_are_adjusted_together():
    frame = table()
    frame["c"] = 1 - frame.b
    adjusted = compare(frame, predictions=list("abc"), metrics=["auc", "kappa"], adjust="max_t")
    tidy = adjusted.tidy().query("kind == 'difference'")
    assert (tidy.adjustment == "max_t").all()
    assert (tidy.p_adjusted >= tidy.p_value * 0.99).all()


def test_levels_are_tested_against_chance():
    result = compare(table(), metrics=[*METRICS, "spearman"])
    tested = dict(zip([row.metric for row in result.rows], result.evidence.null, strict=True))
    levels = {row.metric: null for row, null in zip(result.rows, result.evidence.null, strict=True)
              if row.second is None}  # fmt: skip
    assert levels["auc"] == levels["balanced_accuracy"] == 0.5
    assert levels["kappa"] == levels["spearman"] == 0
    assert all(np.isnan(levels[one]) for one in ("accuracy", "f1", "f1_macro", "brier"))
    assert set(tested.values()) == {0.0}, "differences are tested against 0"
    assert "auc against 0.5" in result.notes()[0]


def test_several_classes():
    frame = table()
    result = compare(
        frame, truth="mood", predictions=["said"],
        metrics=["accuracy", "balanced_accuracy", "kappa", "f1_macro"],
    )  # fmt: skip
    t, p = frame.mood, frame.said
    wanted = {
        "accuracy": sk.accuracy_score(t, p),
        "balanced_accuracy": sk.balanced_accuracy_score(t, p),
        "kappa": sk.cohen_kappa_score(t, p),
        "f1_macro": sk.f1_score(t, p, average="macro"),
    }
    for metric, value in wanted.items():
        assert value_of(result, metric, "said") == pytest.approx(value, rel=TWIN)
    null = dict(zip([row.metric for row in result.rows], result.evidence.null, strict=True))
    assert null["balanced_accuracy"] == pytest.approx(1 / 3)
    # One class against the others.
    one = compare(
        frame, truth="mood", predictions=["said"], metrics=["f1", "accuracy"], positive="high"
    )
    wanted_f1 = sk.f1_score(t == "high", p == "high")
    assert value_of(one, "f1", "said") == pytest.approx(wanted_f1, rel=TWIN)
    right = (t == "high") == (p == "high")
    assert value_of(one, "accuracy", "said") == pytest.approx(right.mean())
    assert any("'low', 'middle'" in note for note in one.notes())


@pytest.mark.parametrize("kind", ["text", "category", "bool", "one and two"])
def test_classes_of_every_kind(kind):
    frame = table()
    labels = {
        "text": (np.array(["no", "yes"]), "yes"), "bool": (np.array([False, True]), None),
        "category": (np.array(["no", "yes"]), "yes"), "one and two": (np.array([1, 2]), 2),
    }[kind]  # fmt: skip
    wanted = compare(frame, metrics=METRICS).tidy()
    frame["y"] = labels[0][frame.y]
    frame["label"] = labels[0][(frame.a >= 0.5).astype(int)]
    if kind == "category":
        frame["y"] = pd.Categorical(frame.y, categories=["yes", "no"])
    found = compare(frame, metrics=METRICS, positive=labels[1]).tidy()
    pd.testing.assert_frame_equal(found, wanted)
    by_label = compare(
        frame, predictions=["label", "b"], metrics=["accuracy", "kappa", "f1"], positive=labels[1]
    )
    for metric in ("accuracy", "kappa", "f1"):
        assert value_of(by_label, metric, "label") == value_of_tidy(wanted, metric, "a")


def value_of_tidy(tidy, metric, term):
    return tidy[(tidy.metric == metric) & (tidy.term == term)]["estimate"].item()


def test_positive_turns_the_classes_round():
    frame = table()
    frame["not_y"], frame["not_a"] = 1 - frame.y, 1 - frame.a
    one = compare(frame, metrics=["auc", "brier"], predictions=["a"])
    other = compare(frame, truth="not_y", predictions=["a"], metrics=["auc", "brier"], positive=0)
    assert value_of(one, "auc", "a") == pytest.approx(value_of(other, "auc", "a"), rel=TWIN)
    # A class that is said is not a probability of the other one.
    frame["label"] = frame.y
    frame.loc[::5, "label"] = 1 - frame.label[::5]
    plain, turned = (
        compare(frame, predictions=["label"], metrics=["f1"], positive=one) for one in (1, 0)
    )
    assert value_of(plain, "f1", "label") == pytest.approx(sk.f1_score(frame.y, frame.label))
    wanted = sk.f1_score(frame.y, frame.label, pos_label=0)
    assert value_of(turned, "f1", "label") == pytest.approx(wanted)


def test_the_threshold_is_the_users():
    frame = table()
    low = compare(frame, metrics=["f1", "auc"], threshold=0.3)
    assert value_of(low, "f1", "a") == pytest.approx(of_sklearn("f1", frame.y, frame.a, 0.3))
    assert any("from 0.3 on" in note for note in low.notes())
    frame["logit"] = np.log(frame.a.clip(0.01, 0.99) / (1 - frame.a.clip(0.01, 0.99)))
    by_number = compare(frame, predictions=["logit"], metrics=["kappa"], threshold=0)
    assert value_of(by_number, "kappa", "logit") == pytest.approx(
        of_sklearn("kappa", frame.y, frame.a)
    )
    with pytest.raises(DataError, match="it is not a probability"):
        compare(frame, predictions=["logit"], metrics=["kappa"])
    assert value_of(compare(frame, predictions=["logit"], metrics=["auc"]), "auc", "logit") > 0.5


def test_draws_without_one_class_are_counted():
    frame = table()
    frame["y"] = ((frame.y == 1) & frame.subject.isin([3, 7])).astype(int)
    result = compare(frame, metrics=METRICS, n_boot=500, method="percentile")
    tidy = result.tidy().query("term == 'a'").set_index("metric")
    draws = [twin.draws([24], 0, 1, r) for r in range(500)]
    none = sum(not {3, 7} & set(drawn) for drawn in draws)
    assert none > 30
    for metric in ("auc", "balanced_accuracy"):
        assert tidy.n_undefined[metric] == none
    assert (tidy.n_undefined[["accuracy", "brier"]] == 0).all()
    assert "undefined" in tidy.reason["auc"]
    frame["y"] = ((frame.y == 1) & (frame.subject == 3)).astype(int)
    jackknife = compare(frame, metrics=["auc"]).tidy()
    assert jackknife.conf_low.isna().all()
    assert (jackknife.reason != "").all()


def test_the_rarest_class_is_reported():
    frame = table()
    frame.loc[frame.subject > 3, "y"] = 0
    note = next(one for one in compare(frame, metrics=["kappa"]).notes() if "rarest" in one)
    n, subjects = frame.y.sum(), frame.subject[frame.y == 1].nunique()
    assert note.startswith(
        f"the rarest class, '1', has {n} rows of {subjects} subjects: with so few"
    )
    plenty = next(one for one in compare(table(), metrics=["kappa"]).notes() if "rarest" in one)
    assert plenty.endswith(" subjects")


def test_missing_classes_are_left_out():
    frame = table()
    whole = frame.copy()
    frame["y"] = frame.y.astype(object)
    frame.loc[[3, 9], "y"] = None
    frame.loc[20, "a"] = np.nan
    result = compare(frame, metrics=METRICS)
    kept = whole.drop(index=[3, 9, 20])
    assert result.n_dropped == 3
    for metric in METRICS:
        assert value_of(result, metric, "b") == pytest.approx(of_sklearn(metric, kept.y, kept.b))


def test_auc_and_functions_are_within_folds():
    frame = table()
    frame["fold"] = px.subject_folds(frame.subject, 3, seed=1)

    def area(truth, prediction):
        return sk.roc_auc_score(truth, prediction)

    result = compare(frame, metrics=["auc", "accuracy", "spearman", {"area": area}], fold="fold")
    n = frame.groupby("fold").size()
    by_fold = frame.groupby("fold")[["y", "a"]].apply(lambda f: sk.roc_auc_score(f.y, f.a))
    wanted = np.average(by_fold, weights=n)
    assert value_of(result, "auc", "a") == pytest.approx(wanted, rel=TWIN)
    assert value_of(result, "area", "a") == pytest.approx(wanted, rel=TWIN)
    ranks = frame.groupby("fold")[["y", "a"]].apply(lambda f: stats.spearmanr(f.y, f.a).statistic)
    assert value_of(result, "spearman", "a") == pytest.approx(np.average(ranks, weights=n))
    assert value_of(result, "accuracy", "a") == pytest.approx(
        of_sklearn("accuracy", frame.y, frame.a)
    )
    tidy = result.tidy()
    auc, own = (tidy.index[(tidy.metric == m) & (tidy.term == "a")][0] for m in ("auc", "area"))
    np.testing.assert_allclose(
        result.replicates[:, auc], result.replicates[:, own], rtol=TWIN, equal_nan=True
    )
    assert tidy.std_error[auc] == pytest.approx(tidy.std_error[own], rel=1e-9)
    assert any("as is auc" in note for note in result.notes())


def mean_error(truth, prediction):
    return np.mean(np.abs(truth - prediction))


@pytest.mark.parametrize("function", [mean_error, numba.njit(mean_error)])
def test_columns_have_folds_of_their_own(function):
    """Of three folds and of five: each column's metric is within its own, and then the mean."""
    frame = table(n_subjects=30)
    frame["one"], frame["other"] = frame.subject % 3, frame.subject % 5
    result = compare(
        frame, predictions={"m": Predictions(["a", "b"], fold=["one", "other"])},
        metrics=["auc", "spearman", {"mine": function}],
    )  # fmt: skip

    def within(metric):
        means = []
        for column, fold in (("a", "one"), ("b", "other")):
            parts = [(len(f), metric(f.y, f[column])) for _, f in frame.groupby(fold)]
            means.append(sum(n * value for n, value in parts) / len(frame))
        return np.mean(means)

    assert value_of(result, "auc", "m") == pytest.approx(within(sk.roc_auc_score), rel=TWIN)
    ranks = within(lambda y, p: stats.spearmanr(y, p).statistic)
    assert value_of(result, "spearman", "m") == pytest.approx(ranks, rel=TWIN)
    assert value_of(result, "mine", "m") == pytest.approx(within(mean_error), rel=TWIN)
    assert np.isfinite(result.replicates).all()
    assert "(one, other)" in result.notes()[-1]
    inflation = result.evidence.inflation
    assert ((inflation > 1) & (inflation < 2)).all()


def test_folds_of_a_column_that_few_subjects_have():
    """A replicate that draws none of them has no value, and says nothing else."""
    frame = table(n_subjects=30)
    frame["fold"] = frame.subject % 2
    frame["b"] = frame.b.where(frame.subject < 4)
    frame["own"] = frame.latent
    result = compare(
        frame, truth="latent", n_boot=400,
        predictions={"m": Predictions(["a", "b"], truth=["latent", "own"], fold="fold")},
        metrics=["spearman", {"mine": mean_error}],
    )  # fmt: skip
    none = np.isnan(result.replicates).sum(axis=0)
    assert 0 < none[0] < 100
    assert 0 < none[1] < 100


def test_units_are_not_cut_into_folds():
    frame = table()
    frame["fold"] = frame.subject % 3
    options = {"truth": "latent", "metrics": ["correlation"], "per": "recording"}
    own = compare(frame, predictions={"a": Predictions("a", fold="fold")}, **options)
    wanted = compare(frame, predictions=["a"], **options)
    assert own.replicates.tobytes() == wanted.replicates.tobytes()


def test_predictions_over_all_rows_are_exchanged_whatever_their_folds():
    frame = table()
    frame["fold"] = frame.subject % 3
    models = {"a": Predictions("a", fold="fold"), "b": "b"}
    found = compare(frame, metrics=["brier"], predictions=models).sign_flip().tidy()
    wanted = compare(frame, metrics=["brier"]).sign_flip().tidy()
    pd.testing.assert_frame_equal(found, wanted)


def test_a_mean_of_the_other_folds_has_no_auc():
    frame = table()
    total, n = frame.y.sum(), len(frame)
    own = frame.groupby("subject").y
    frame["others"] = (total - own.transform("sum")) / (n - own.transform("size"))
    tidy = compare(frame, predictions=["others"], metrics=["auc"]).tidy()
    assert tidy.estimate.isna().all()
    assert "AUC is below 1/2" in tidy.reason[0]


def test_kappa_is_not_taken_for_folds():
    """Its classes stand where folds do; they are no reason for a larger variance."""
    result = compare(table(), metrics=["kappa"])
    assert (result.evidence.inflation == 1).all()
    assert result.sign_flip().tidy().reason[0].startswith("kappa is not a function of sums")


def test_sign_flips_exchange_what_is_a_sum():
    frame = table(n_subjects=8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewSubjectsWarning)
        result = compare(frame, metrics=["accuracy", "brier", "auc"])
    found = result.sign_flip().tidy().set_index("metric")
    right = (frame[["a", "b"]] >= 0.5).eq(frame.y, axis=0).groupby(frame.subject).sum()
    d = (right.a - right.b).to_numpy() / len(frame)
    signs = 1 - 2 * ((np.arange(256)[:, None] >> np.arange(8)) & 1)
    sums = signs * d

    def studentised(x):
        n = frame.groupby("subject").size().to_numpy()
        total, N = x.sum(axis=1, keepdims=True) * len(frame), n.sum()
        without = (total - x * len(frame)) / (N - n)
        spread = ((without - without.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
        return x.sum(axis=1) / np.sqrt(7 / 8 * spread)

    t = np.abs(studentised(sums))
    assert found.p_value["accuracy"] == pytest.approx(np.mean(t >= t[0] * (1 - 1e-12)))
    assert "not a function of sums" in found.reason["auc"]


def test_ratios_of_brier_scores():
    frame = table()
    tidy = compare(frame, metrics=["brier"], ratio=True).tidy().set_index("term")
    wanted = of_sklearn("brier", frame.y, frame.a) / of_sklearn("brier", frame.y, frame.b)
    assert tidy.estimate["a / b"] == pytest.approx(wanted, rel=TWIN)


def test_human_raters_have_classes_of_their_own():
    frame = table()
    frame["rater"] = np.where(frame.said == "high", "yes", "no")
    frame["other"] = np.where(frame.mood == "high", "yes", "no")
    frame["y"] = np.where(frame.y == 1, "yes", "no")
    result = compare(
        frame, predictions={"a": "a", "human": Predictions("rater", truth="other")},
        metrics=["kappa"], positive="yes",
    )  # fmt: skip
    assert value_of(result, "kappa", "human") == pytest.approx(
        sk.cohen_kappa_score(frame.other, frame.rater)
    )
    assert result.tidy().reason.tolist()[2] == "different criteria"


# --- functions ---------------------------------------------------------------------------


def pearson(truth, prediction):
    return np.corrcoef(truth, prediction)[0, 1]


@numba.njit
def compiled_pearson(truth, prediction):
    x, y = truth - truth.mean(), prediction - prediction.mean()
    return (x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum())


@pytest.mark.parametrize("function", [pearson, compiled_pearson])
@pytest.mark.parametrize("stratify", [None, "sex"])
def test_a_function_gives_what_the_kernel_gives(function, stratify):
    frame = table()
    frame["sex"] = np.where(frame.subject % 3 == 0, "f", "m")
    result = compare(
        frame, truth="latent", metrics=["correlation", {"mine": function}], context="context",
        stratify=stratify, seed=4,
    )  # fmt: skip
    tidy = result.tidy()
    k = len(tidy) // 2
    assert (tidy.metric[k:] == "mine").all()
    np.testing.assert_allclose(result.replicates[:, k:], result.replicates[:, :k], rtol=1e-9)
    np.testing.assert_allclose(tidy.estimate[k:], tidy.estimate[:k], rtol=1e-9)
    # Differences are on the same scale for both.
    differ = (tidy.kind == "difference").to_numpy()
    np.testing.assert_allclose(
        tidy.std_error[differ][tidy.metric == "mine"],
        tidy.std_error[differ][tidy.metric == "correlation"], rtol=1e-7,
    )  # fmt: skip
    again = compare(
        frame, truth="latent", metrics=["correlation", {"mine": function}], context="context",
        stratify=stratify, seed=4, n_threads=3,
    )  # fmt: skip
    assert again.replicates.tobytes() == result.replicates.tobytes()


def test_a_function_is_that_of_cluster_bootstrap():
    frame = table()

    def statistic(rows, weights):
        drawn = rows.iloc[np.repeat(np.arange(len(rows)), weights.astype(int))]
        return np.median(np.abs(drawn.latent - drawn.a))

    wanted = px.cluster_bootstrap(frame, statistic, cluster="subject", n_boot=N_BOOT, seed=2)
    found = compare(
        frame, truth="latent", predictions=["a"], metrics="median_absolute_error", seed=2
    )
    np.testing.assert_array_equal(found.replicates, wanted.replicates)
    for column in ("estimate", "std_error", "conf_low", "conf_high", "df"):
        assert found.tidy()[column][0] == wanted.tidy()[column][0]


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("median_absolute_error", sk.median_absolute_error),
        ("max_error", sk.max_error),
        ("explained_variance", sk.explained_variance_score),
        ("mean_squared_error", sk.mean_squared_error),
        ("mean_absolute_percentage_error", sk.mean_absolute_percentage_error),
    ],
)
def test_metrics_of_scikit_learn_are_themselves_and_not_their_negative(name, function):
    frame = table()
    result = compare(frame, truth="latent", metrics=[name], n_boot=20)
    value = value_of(result, name, "a")
    assert value == pytest.approx(function(frame.latent, frame.a), rel=TWIN)
    assert value > 0 or name == "explained_variance"


def test_a_replicate_in_which_a_function_fails_is_undefined():
    frame = table()

    def fails(truth, prediction):
        if len(truth) < 210:
            raise ValueError("too few")
        return float(np.mean(prediction))

    result = compare(frame, metrics=[fails], n_boot=200, method="percentile", predictions=["a"])
    sizes = np.bincount(frame.subject)
    few = sum(sum(sizes[g] for g in twin.draws([24], 0, 1, r)) < 210 for r in range(200))
    assert 0 < few < 200
    assert result.tidy().n_undefined[0] == few


def bad_order(truth, prediction):
    return float(truth[0])


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (lambda t, p: 1.0, "has no name"),
        ({"mine": lambda t, p: 1 / 0}, "'mine' raised ZeroDivisionError on the rows of prediction"),
        ({"mine": lambda t: 1.0}, "raised TypeError"),
        ({"mine": lambda t, p: t - p}, r"must return one number, but returned .*shape \(\d+,\)"),
        ({"mine": lambda t, p: "good"}, "must return one number"),
        ({"mine": lambda t, p: t.mean() > 0}, "must return one number"),
        (bad_order, "another order"),
        ({"mine": lambda t, p: np.random.default_rng().normal()}, "another order"),
        ({"rmse": pearson}, "the name of a built-in metric"),
        ([{"mine": pearson}, {"mine": bad_order}], "two metrics are called 'mine'"),
        ("neg_median_absolute_error", "use 'median_absolute_error'"),
        ("neg_mean_absolute_error", "use 'mae'"),
        ("ccc", "it is called 'concordance'"),
        ("roc_auc", "it is called 'auc'"),
        ("median_absolut_error", "did you mean 'median_absolute_error'"),
        ("spearman_within", "spearman is defined pooled and between"),
        ("auc_between", "no metric 'auc_between': auc is defined pooled$"),
        ({"rmse"}, "must be a metric or a list"),
        (
            {"mine": numba.cfunc("float64(float64, float64)")(lambda t, p: t)},
            "C callback of numba",
        ),
    ],
)  # fmt: skip
def test_bad_metrics_are_reported(metric, message):
    with pytest.raises(DataError, match=message):
        compare(table(), metrics=metric)


def test_a_metric_that_is_not_defined_has_a_reason():
    tidy = compare(table(), metrics=[{"mine": lambda t, p: np.nan}]).tidy()
    assert tidy.estimate.isna().all()
    assert (tidy.reason == "mine is nan on these rows").all()


def test_functions_cannot_be_studentized():
    with pytest.raises(DataError, match="studentized intervals require a standard error"):
        compare(table(), metrics=[pearson], method="studentized")


@pytest.mark.parametrize("function", [pearson, compiled_pearson])
def test_results_of_functions_are_saved_and_extended(tmp_path, function):
    frame = table()
    options = {"truth": "latent", "metrics": ["auc", {"mine": function}]}
    options["metrics"] = ["correlation", {"mine": function}]
    result = compare(frame, **options)
    result.save(tmp_path / "result.pyexpr")
    loaded = px.load(tmp_path / "result.pyexpr")
    pd.testing.assert_frame_equal(loaded.tidy(), result.tidy())
    wanted = compare(frame, **options, pairwise=True).extend(30)
    with pytest.raises(SavedResultError, match=r"extend\(n, metrics=...\)"):
        loaded.extend(30)
    with pytest.raises(DataError, match="that of 'mine' is missing"):
        loaded.extend(30, metrics=["rmse"])
    with pytest.raises(DataError, match="a function other than"):
        loaded.extend(30, metrics={"mine": lambda t, p: 0.1})
    found = loaded.extend(30, metrics={"mine": function})
    assert found.replicates.tobytes() == wanted.replicates.tobytes()


def test_notes_on_classes_are_data():
    """R and the reader of a report have words of their own."""
    frame = table()
    frame["fold"] = frame.subject % 3
    frame["constant"] = 0.5
    few = frame.assign(y=(frame.y == 1) & (frame.subject < 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewSubjectsWarning)  # few have both classes
        results = [
            compare(frame, metrics=METRICS, fold="fold"),
            compare(few, metrics=["balanced_accuracy", "kappa"]),
            compare(frame, truth="mood", predictions=["said"], metrics=["f1"], positive="high"),
            compare(frame, metrics=["auc"], per="recording", context="context"),
            compare(frame, metrics=["median_absolute_error"]),
            compare(frame, truth="latent", predictions=["constant"], metrics=[
                "spearman", {"low": lambda t, p: -np.inf}, {"none": lambda t, p: np.nan}]),
            compare(frame, predictions=["said"], truth="mood", metrics=["kappa"], n_boot=0),
            compare(frame.assign(y=1), metrics=METRICS),
        ]  # fmt: skip
    texts = [text for one in results for text in (*one.notes(), *one.tidy().reason) if text]
    texts += [text for text in results[0].sign_flip().tidy().reason if text]
    assert [text for text in texts if not (isinstance(text, Message) and text.codes)] == []
    read = " ".join(map(readers_reason, texts))
    assert "AUC against 0.5" in read
    assert "balanced accuracy, F1 and kappa" in read
    assert not any(name in read for name in ("_", " auc", " f1", "page on coverage"))
    assert {"low is -Inf on these rows", "none is NA on these rows"} <= set(map(in_r, texts))


def test_results_of_classes_are_saved(tmp_path):
    result = compare(table(), metrics=METRICS, per=None)
    result.save(tmp_path / "result.pyexpr")
    loaded = px.load(tmp_path / "result.pyexpr")
    assert str(loaded) == str(result)
    assert loaded.extend(20).replicates.tobytes() == result.extend(20).replicates.tobytes()


# --- units -------------------------------------------------------------------------------


def concordance(t, p):
    apart = (t.mean() - p.mean()) ** 2
    return 2 * np.cov(t, p, ddof=0)[0, 1] / (t.var(ddof=0) + p.var(ddof=0) + apart)


@pytest.mark.parametrize(
    ("metric", "function"),
    [
        ("concordance", concordance),
        ("spearman", lambda t, p: stats.spearmanr(t, p).statistic),
        ("rmse", lambda t, p: np.sqrt(np.mean((t - p) ** 2))),
        ("median_absolute_error", lambda t, p: np.median(np.abs(t - p))),
    ],
)
def test_a_metric_of_each_recording_averaged(metric, function):
    frame = table()
    frame = frame[frame.groupby("recording").recording.transform("size") >= 3]
    result = compare(frame, truth="latent", metrics=[metric], per="recording", seed=3)
    units = frame.groupby("recording")[["latent", "a", "b"]].apply(
        lambda f: pd.Series({name: function(f.latent, f[name]) for name in "ab"})
    )
    subject = frame.groupby("recording").subject.first()
    for name in "ab":
        assert value_of(result, metric, name) == pytest.approx(units[name].mean(), rel=1e-9)
    # The same as the mean of the units' values in a table of units.
    values = units.reset_index().assign(subject=subject.to_numpy())
    wanted = px.cluster_bootstrap(
        values, lambda rows, weights: np.average(rows["a"], weights=weights),
        cluster="subject", n_boot=N_BOOT, seed=3,
    )  # fmt: skip
    np.testing.assert_allclose(result.replicates[:, 0], wanted.replicates[:, 0], rtol=1e-9)
    for column in ("std_error", "df", "conf_low", "conf_high"):
        assert result.tidy()[column][0] == pytest.approx(wanted.tidy()[column][0], rel=1e-7)


def test_units_without_a_value_are_left_out_of_every_model_and_counted():
    frame = table()
    frame = frame[frame.groupby("recording").recording.transform("size") >= 3].reset_index(
        drop=True
    )
    names = frame.recording.unique()
    frame.loc[frame.recording == names[2], "b"] = 0.5
    few = frame.index[frame.recording == names[5]]
    frame = frame.drop(index=few[2:])
    result = compare(frame, truth="latent", metrics=["correlation", "rmse"], per="recording")
    (of_correlation, of_rmse) = result.left_out
    assert (of_correlation.used, of_correlation.small, of_correlation.undefined) == (
        len(names) - 2, 1, 1,
    )  # fmt: skip
    assert (of_rmse.used, of_rmse.small, of_rmse.undefined) == (len(names), 0, 0)
    kept = frame[~frame.recording.isin(names[[2, 5]])]
    wanted = kept.groupby("recording")[["latent", "a"]].apply(lambda f: f.latent.corr(f.a)).mean()
    assert value_of(result, "correlation", "a") == pytest.approx(wanted, rel=1e-9)
    assert value_of(result, "correlation", "a", column="n") == len(kept)
    (note,) = [one for one in result.notes() if "left out" in one]
    assert f"over {len(names) - 2} of {len(names)} units" in note
    assert f"recording '{names[2]}', 'b'" in note


def test_a_model_without_a_value_in_any_unit_leaves_the_others_theirs():
    frame = table()
    frame["b"] = 0.5
    result = compare(frame, truth="latent", metrics=["correlation"], per="recording")
    assert np.isfinite(value_of(result, "correlation", "a"))
    assert np.isnan(value_of(result, "correlation", "b"))
    assert value_of(result, "correlation", "b", column="reason")


def test_classes_per_recording():
    frame = table()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewSubjectsWarning)  # few have both classes
        result = compare(frame, metrics=["accuracy", "auc"], per="recording", context="context")
    wanted = (
        (frame.a >= 0.5).eq(frame.y)[frame.context == "pain"].groupby(frame.recording).mean().mean()
    )
    assert value_of(result, "accuracy", "a", "pain") == pytest.approx(wanted, rel=TWIN)
    assert any(one.undefined for one in result.left_out if one.metric == "auc")


def test_a_recording_of_two_subjects_is_refused():
    frame = table()
    frame["recording"] = "session 1"
    with pytest.raises(DataError, match="'session 1' of column 'recording' has rows of subjects"):
        compare(frame, per="recording", metrics=["accuracy"])
    with pytest.raises(DataError, match="use correlation"):
        compare(table(), truth="latent", per="recording", metrics=["correlation_within"])


# --- what is refused ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "options", "error", "message"),
    [
        (lambda f: f, {"truth": "latent", "metrics": ["auc"]}, ColumnError, "must hold classes"),
        (lambda f: f.assign(y=np.arange(len(f))), {"metrics": ["kappa"]}, ColumnError,
         "different values; there may be at most 50"),
        (lambda f: f.assign(y=np.where(f.y, "yes", "no")), {"metrics": ["auc"]}, DataError,
         "name in positive= which of 'no', 'yes' it is"),
        (lambda f: f.assign(y=np.where(f.y, "yes", "no")),
         {"metrics": ["auc"], "positive": "ja"}, DataError, "not a class of the truth"),
        (lambda f: f, {"truth": "mood", "metrics": ["auc"]}, DataError,
         "auc is of one class, and there are 3"),
        (lambda f: f, {"truth": "mood", "metrics": ["accuracy"]}, DataError,
         "prediction 'a' holds numbers, and there are 3 classes"),
        (lambda f: f, {"truth": "mood", "predictions": ["said"], "metrics": ["brier"],
                       "positive": "high"}, DataError, "'said' holds classes, but brier"),
        (lambda f: f, {"predictions": ["said"], "metrics": ["accuracy"]}, DataError,
         "both text and numbers as classes"),
        (lambda f: f.assign(a=f.a * 3), {"metrics": ["brier"]}, DataError, "goes from .* to"),
        (lambda f: f, {"metrics": ["rmse"], "positive": 1}, DataError, "positive= is for metrics"),
        (lambda f: f, {"metrics": ["rmse"], "threshold": 0.5}, DataError, "threshold= is for"),
        (lambda f: f, {"truth": "mood", "predictions": ["said"], "metrics": ["kappa"],
                       "threshold": 0.5}, DataError, "all predictions are classes"),
        (lambda f: f, {"metrics": ["kappa"], "threshold": "x"}, DataError, "one finite number"),
        (lambda f: f, {"truth": "mood", "predictions": ["said"], "metrics": ["kappa", "rmse"]},
         DataError, "rmse is a metric of numbers and kappa of classes"),
        (lambda f: f.assign(y=[1, "a"] + [0] * (len(f) - 2)), {"metrics": ["kappa"]}, ColumnError,
         "mixes text and numbers"),
        (lambda f: f.assign(said=f.said + " "), {"truth": "mood", "predictions": ["said"],
         "metrics": ["kappa"]}, DataError, "differ only in white space"),
        (lambda f: f.assign(y=None), {"metrics": ["kappa"]}, ColumnError, "no value in any row"),
        (lambda f: f, {"truth": "why", "metrics": ["kappa"]}, ColumnError, "no column 'why'"),
    ],
)  # fmt: skip
def test_what_cannot_be_evaluated_is_refused(change, options, error, message):
    with pytest.raises(error, match=message):
        compare(change(table()), **options)


def test_metrics_of_numbers_and_of_classes_in_one_call():
    frame = table()
    result = compare(frame, metrics=["auc", "rmse", {"mine": pearson}])
    wanted = np.sqrt(np.mean((frame.a - frame.y) ** 2))
    assert value_of(result, "rmse", "a") == pytest.approx(wanted, rel=TWIN)
    assert value_of(result, "mine", "a") == pytest.approx(frame.y.corr(frame.a))


@pytest.mark.parametrize(
    ("y", "a", "metric", "reason"),
    [
        (1, None, "auc", "truth 'y' is of one class"),
        (1, None, "balanced_accuracy", "no row of truth 'y' is '0'"),
        (0, 0.0, "f1", "no row is '1' or is predicted as such by 'a'"),
        (0, 0.0, "kappa", "truth and prediction 'a' are '0' in every row"),
        (None, 0.5, "spearman", "prediction 'a' is constant"),
    ],
)
def test_undefined_metrics_have_a_reason(y, a, metric, reason):
    frame = table()
    frame["y"] = frame.y if y is None else y
    frame["a"] = frame.a if a is None else a
    tidy = compare(frame, metrics=[metric], predictions=["a"]).tidy()
    assert np.isnan(tidy.estimate[0])
    assert tidy.reason[0] == reason


def test_probabilities_may_have_predicted_classes_beside_them():
    frame = table()
    # As a model with a threshold of its own: not where 1/2 would cut.
    frame["told"] = (frame.a >= 0.3).astype(int)
    model = {"a": Predictions("a", classes="told")}
    result = compare(frame, predictions=model, metrics=METRICS)
    for metric in METRICS:
        wanted = of_sklearn(metric, frame.y, frame.a, threshold=0.3)
        assert value_of(result, metric, "a") == pytest.approx(wanted, rel=TWIN)
    assert "is predicted from" not in str(result)
    # Of several classes, of which one is positive.
    frame["likely"] = np.where(frame.said == "high", 0.9, 0.2)
    both = compare(
        frame, truth="mood", positive="high", metrics=["auc", "f1"],
        predictions={"m": Predictions(["likely"], classes=["said"])},
    )  # fmt: skip
    high, said = frame.mood == "high", frame.said == "high"
    assert value_of(both, "auc", "m") == pytest.approx(sk.roc_auc_score(high, frame.likely))
    assert value_of(both, "f1", "m") == pytest.approx(sk.f1_score(high, said))
    # A row that lacks either is left out.
    frame.loc[3, "told"], frame.loc[4, "a"] = np.nan, np.nan
    assert compare(frame, predictions=model, metrics=["kappa"]).n_dropped == 2


@pytest.mark.parametrize(
    ("models", "options", "message"),
    [
        ({"a": Predictions("said", classes="y")}, {}, "'said' .* is accompanied by .*must contain"),
        ({"a": Predictions("a", classes="y")}, {"threshold": 0.4}, "the classes of 'a' are given"),
        ({"a": Predictions("a", classes="y"), "b": "a"}, {}, "'a' is used with the classes of"),
        (
            {"a": Predictions("a", classes="y"), "b": Predictions("a", classes="b")}, {},
            "with the classes of column 'y' and with those of 'b'",
        ),
    ],
)  # fmt: skip
def test_predicted_classes_that_fit_no_numbers_are_refused(models, options, message):
    with pytest.raises(DataError, match=message):
        compare(table(), predictions=models, metrics=["kappa"], **options)
    with pytest.raises(
        DataError, match="2 columns of predictions but 1 columns of classes; name one"
    ):
        Predictions(["a", "b"], classes="y")


def test_what_folds_mean_for_classes_is_reported():
    frame = table()
    frame["fold"] = frame.subject % 3
    said = str(compare(frame, metrics=["auc", "kappa"], fold="fold"))
    assert "AUC is computed within folds (fold) and averaged; metrics of predicted" in said
    assert "within folds" not in str(compare(frame, metrics=["kappa"], fold="fold"))


@pytest.mark.filterwarnings("ignore::pyexpr.base.errors.PyexprWarning")
def test_intervals_end_where_the_metric_does():
    """With few subjects of a rare class the scales of the intervals reach far beyond."""
    rng = np.random.default_rng(4)
    table = pd.DataFrame({"subject": np.repeat(np.arange(6), 10), "y": 0})
    table.loc[[3, 17, 18], "y"] = 1
    table["a"] = np.clip(0.3 * table["y"] + rng.uniform(0, 0.6, 60), 0, 1)
    metrics = ["auc", "accuracy", "f1", "kappa", "brier", "rmse"]
    for method in ("jackknife_t", "normal", "basic"):
        result = compare_models(
            table, truth="y", predictions=["a"], cluster="subject", metrics=metrics, method=method,
            n_boot=199, seed=1,
        )  # fmt: skip
        found = result.tidy().set_index("metric")
        assert result.intervals.low[metrics.index("f1")] < 0
        assert found.loc["f1", "conf_low"] == 0
        least = found.index.map({"kappa": -1.0, "rmse": -np.inf}).fillna(0.0)
        most = found.index.map({"rmse": np.inf}).fillna(1.0)
        assert (found["conf_low"] >= least).all()
        assert (found["conf_high"] <= most).all()
