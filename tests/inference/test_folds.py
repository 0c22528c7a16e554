"""Predictions from cross-validation: within folds, and recognised without them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from reference import cluster_bootstrap as twin

from pyexpr.base.errors import ColumnError, DataError
from pyexpr.inference.comparison.comparison import compare_models
from pyexpr.inference.comparison.folds import fold_inflation, is_of_left_out
from pyexpr.inference.comparison.predictions import Predictions
from pyexpr.modeling.splits import subject_folds

METRICS = ["correlation", "concordance", "r2"]
TWIN = 1e-10


def table(n_subjects=24, n_folds=4, seed=0, *, clips=(3, 9)):
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(n_subjects), rng.integers(*clips, size=n_subjects))
    n = len(subject)
    frame = pd.DataFrame({"subject": subject})
    frame["y"] = 0.8 * rng.normal(size=n_subjects)[subject] + rng.normal(size=n)
    frame["fold"] = subject_folds(subject, n_folds, seed=seed)
    # Each fold's model has an offset of its own.
    frame["good"] = 0.5 * frame.y + rng.normal(size=n_folds)[frame.fold] + rng.normal(size=n)
    frame["poor"] = rng.normal(size=n)
    frame["mean"] = [frame.y[frame.fold != k].mean() for k in frame.fold]
    return frame.sample(frac=1, random_state=seed, ignore_index=True)


def compare(frame, **options):
    settings = {
        "truth": "y", "predictions": ["good", "poor"], "cluster": "subject", "n_boot": 20,
        "metrics": METRICS, "fold": "fold", "seed": 3,
    }  # fmt: skip
    return compare_models(frame, **(settings | options))


def average(frame, metric, column, *, weights="n"):
    """Return the metric in each fold by the textbook, averaged with rows as weights."""
    values, weight = [], []
    for _, part in frame.groupby("fold"):
        cluster = part["name" if "name" in part else "subject"].to_numpy()
        values.append(twin.metric(metric, part[column].to_numpy(), part.y.to_numpy(), cluster))
        weight.append(len(part) if weights == "n" else len(set(cluster.tolist())))
    return np.average(values, weights=weight)


@pytest.mark.parametrize("metric", [*METRICS, "correlation_between"])
def test_metrics_are_averages_within_folds(metric):
    frame = table()
    result = compare(frame, metrics=[metric])
    weights = "subjects" if "between" in metric else "n"
    wanted = [average(frame, metric, name, weights=weights) for name in ("good", "poor")]
    np.testing.assert_allclose(result.evidence.estimate[:2], wanted, rtol=TWIN)
    assert result.evidence.estimate[2] == pytest.approx(wanted[0] - wanted[1], rel=TWIN)
    for g in (0, 7, 23):
        left = frame[frame.subject != g]
        wanted = average(left, metric, "good", weights=weights)
        assert result.evidence.groups[0].values[0, g] == pytest.approx(wanted, rel=TWIN)


def test_replicates_draw_subjects_with_their_folds():
    frame = table(10, 4, clips=(2, 6))  # so few that a fold is not always drawn
    with pytest.warns(UserWarning, match="10 subjects"):
        result = compare(frame, metrics=["correlation", "rmse"], n_boot=60, predictions=["good"])
    codes = frame.subject.to_numpy()
    folds_drawn = set()
    for r in range(60):
        rows, names = twin.resampled(codes, twin.draws([10], 3, 1, r))
        drawn = frame.iloc[rows].assign(name=names)
        folds_drawn.add(drawn.fold.nunique())
        assert result.replicates[r, 0] == pytest.approx(
            average(drawn, "correlation", "good"), rel=1e-8
        )
        assert result.replicates[r, 1] == pytest.approx(
            np.sqrt(np.mean((drawn.good - drawn.y) ** 2)), rel=TWIN
        )
    assert min(folds_drawn) < 4


@pytest.mark.parametrize("metric", ["rmse", "mae", "bias", "correlation_within", "rmse_between"])
def test_errors_and_what_is_within_subjects_stay_as_they_are(metric):
    frame = table()
    folded = compare(frame, metrics=[metric])
    plain = compare(frame, metrics=[metric], fold=None)
    pd.testing.assert_frame_equal(folded.tidy(), plain.tidy(), check_exact=True)
    assert folded.replicates.tobytes() == plain.replicates.tobytes()


def test_one_fold_is_all_rows():
    frame = table().assign(fold="only")
    pd.testing.assert_frame_equal(compare(frame).tidy(), compare(frame, fold=None).tidy())


def test_an_offset_of_a_fold_changes_nothing():
    frame = table()
    moved = frame.assign(good=frame.good + frame.fold * 10)
    one, other = (compare(f, metrics=["correlation"]).tidy() for f in (frame, moved))
    np.testing.assert_allclose(one.estimate, other.estimate, rtol=1e-10)
    assert compare(moved, metrics=["correlation"], fold=None).tidy().estimate[0] < 0.3


def test_bytes_do_not_depend_on_threads():
    frame = table(200, 5)
    one, two = (compare(frame, n_threads=k, n_boot=300) for k in (1, 3))
    assert one.replicates.tobytes() == two.replicates.tobytes()


def test_the_standard_error_within_a_replicate():
    frame = table(12, 3)
    with pytest.warns(UserWarning, match="12 subjects"):
        result = compare(frame, metrics=["r2"], predictions=["good"], n_boot=5)
    found = result.evidence.replicate_errors()[0]
    codes = frame.subject.to_numpy()
    for r in range(5):
        rows, names = twin.resampled(codes, twin.draws([12], 3, 1, r))
        drawn = frame.iloc[rows].assign(name=names)
        left = [-np.sqrt(1 - average(drawn[drawn.name != i], "r2", "good")) for i in range(12)]
        error = np.sqrt(11 / 12 * np.sum((left - np.mean(left)) ** 2))
        assert found[r] == pytest.approx(error, rel=1e-8)


def test_raters_are_averaged_over_their_own_folds():
    # A truth of its own: else rows that one column lacks are left out of both.
    frame = table().assign(own=lambda rows: rows["y"])
    frame.loc[frame.index % 5 == 0, "poor"] = np.nan
    both = compare(frame, predictions={"both": Predictions(["good", "poor"], truth="own")})
    there = frame.dropna()
    wanted = [(average(frame, m, "good") + average(there, m, "poor")) / 2 for m in METRICS]
    np.testing.assert_allclose(both.evidence.estimate, wanted, rtol=TWIN)


def test_the_variance_allows_for_shared_training():
    # Pairs of subjects of two folds, each as tested and as training: C_i'C_j twice.
    rng = np.random.default_rng(0)
    G, K, p = 40, 5, 3
    C = rng.normal(size=(4000, G, p))
    fold = np.arange(G) % K
    sums = np.stack([C[:, fold == k].sum(axis=1) for k in range(K)], axis=1)
    model = sums.sum(axis=1, keepdims=True) - sums
    each = np.einsum("nkp,nkp->nk", model, sums)
    given = np.einsum("nkp,nkp->nk", model, model) * (G / K)  # variance, the model being given
    assert each.sum(axis=1).var() / given.sum(axis=1).mean() == pytest.approx(2, rel=0.1)
    assert fold_inflation("pooled", 1e9, 5) == pytest.approx(2)
    assert fold_inflation("pooled", 30, 5) == pytest.approx(2 * 25 / 30)
    assert fold_inflation("between", 30, 5) == pytest.approx(2 * 20 / 30)
    assert fold_inflation("pooled", 30, 1) == fold_inflation("pooled", 8, 5) == 1


def test_what_repeats_average_out_of_the_jackknife():
    # The covariance with a model that is linear in the others' x y, which knows nothing.
    rng = np.random.default_rng(1)
    G, K, m = 25, 5, 5

    def study(n):
        x, y = rng.normal(size=(2, G))
        total, left_out = 0.0, np.zeros(G)
        for _ in range(n):
            fold = rng.permutation(G) % K
            for k in range(K):
                own = fold == k
                d = (x[own] - x[own].mean()) * (y[own] - y[own].mean())
                weight = (x[~own] * y[~own]).sum() / n
                total += d.sum() * weight
                left_out[own] += m / (m - 1) * d * weight
        return total, (left_out**2).sum()

    def needed(n):
        found = np.array([study(n) for _ in range(2000)])
        return found[:, 0].var() / found[:, 1].mean()

    wanted = needed(5) / needed(1)
    once, again = (fold_inflation("pooled", G, K, n) for n in (1, 5))
    assert again / once == pytest.approx(wanted, rel=0.08)
    assert fold_inflation("pooled", 1e9, 5, 5) == pytest.approx(2)


def test_the_standard_error_is_inflated():
    frame = table()
    frame = frame.groupby("subject").head(3)  # equal subjects: worth their number
    result = compare(frame, metrics=["correlation"], predictions=["good"])
    left = np.arctanh(result.evidence.groups[0].values[0])
    error = np.sqrt(23 / 24 * np.sum((left - left.mean()) ** 2))
    tidy = result.tidy()
    inflated = np.sqrt(2 * 20 / 24) * error
    assert tidy.statistic[0] == pytest.approx(np.arctanh(tidy.estimate[0]) / inflated, rel=1e-9)
    p = 2 * scipy.stats.t.sf(abs(tidy.statistic[0]), tidy.df[0])
    assert tidy.p_value[0] == pytest.approx(p, rel=1e-9)


# --- contexts ------------------------------------------------------------------------------


def by_context(n_folds=4, *, alike):
    one, other = table(seed=1, n_folds=n_folds), table(seed=2, n_folds=n_folds)
    if alike:
        fold = dict(zip(one.subject, one.fold, strict=True))
        other["fold"] = other.subject.map(fold)
    return pd.concat([one.assign(task="a"), other.assign(task="b")], ignore_index=True)


def test_folds_of_contexts_are_their_own():
    frame = by_context(alike=False)
    result = compare(frame, context="task", metrics=["correlation", "correlation_within"])
    tidy = result.tidy().set_index(["metric", "context", "term"])
    for task in ("a", "b"):
        alone = compare(frame[frame.task == task], metrics=["correlation"]).tidy()
        assert tidy.estimate["correlation", task, "good"] == pytest.approx(alone.estimate[0])
    # Over both contexts a fold is one of a context.
    cells = frame.assign(fold=frame.task + frame.fold.astype(str))
    wanted = average(cells, "correlation", "good")
    assert tidy.estimate["correlation", "all", "good"] == pytest.approx(wanted, rel=TWIN)
    assert np.isnan(tidy.estimate["correlation_within", "all", "good"])
    assert "folds of subjects differ" in tidy.reason["correlation_within", "all", "good"]
    assert np.isfinite(tidy.estimate["correlation_within", "a", "good"])


def test_folds_that_contexts_share_are_whole_over_all():
    frame = by_context(alike=True)
    tidy = compare(frame, context="task").tidy().set_index(["metric", "context", "term"])
    wanted = average(frame, "correlation", "good")
    assert tidy.estimate["correlation", "all", "good"] == pytest.approx(wanted, rel=TWIN)


def test_strata_cut_across_folds():
    frame = table().assign(sex=lambda f: np.where(f.subject % 2, "f", "m"))
    result = compare(frame, stratify="sex", metrics=["correlation"])
    wanted = average(frame, "correlation", "good")
    assert result.evidence.estimate[0] == pytest.approx(wanted, rel=TWIN)
    assert np.isfinite(result.tidy().conf_low).all()


# --- what is refused -----------------------------------------------------------------------


def test_a_subject_in_two_folds():
    frame = table()
    at = frame.index[frame.subject == 7][0]
    frame.loc[at, "fold"] = (frame.fold[at] + 1) % 4
    with pytest.raises(
        DataError,
        match=r"subject 7 is in folds '\d' and '\d' of column 'fold', so a",
    ):
        compare(frame)
    frame = by_context(alike=False)
    frame.loc[0, "fold"] = (frame.fold[0] + 1) % 4
    with pytest.raises(
        DataError, match="of column 'fold' of context 'a', so a model that predicts"
    ):
        compare(frame, context="task")


def test_a_fold_must_be_known():
    frame = table().astype({"fold": float})
    frame.loc[3, "fold"] = np.nan
    with pytest.raises(ColumnError, match="'fold' of the table of predictions must not have miss"):
        compare(frame)


def test_leave_one_subject_out():
    frame = table().assign(fold=lambda f: f.subject)
    tidy = compare(frame, metrics=[*METRICS, "rmse", "correlation_within"]).tidy()
    refused = tidy.metric.isin(METRICS)
    assert tidy.estimate[refused].isna().all()
    assert tidy.estimate[~refused].notna().all()
    assert tidy.reason[0] == (
        "fold '0' contains a single subject (leave-one-out), so no model predicts two subjects and "
        "they cannot be compared; predict in folds of several subjects, or use correlation_within"
    )


def test_folds_too_small_for_subjects_means():
    tidy = compare(table(20, 10), metrics=["correlation", "correlation_between"]).tidy()
    assert tidy.estimate.isna().tolist() == [False] * 3 + [True] * 3
    assert "contains 2 subjects, too few for correlation_between (at least 4" in tidy.reason[3]


def test_a_prediction_that_is_constant_in_a_fold():
    tidy = compare(table(), predictions=["mean", "good"], metrics=["correlation", "rmse"]).tidy()
    assert tidy.reason[0] == "prediction 'mean' is constant in fold '0'"
    assert np.isfinite(tidy.estimate[3])


def test_what_is_within_folds_is_not_exchanged():
    flips = compare(table(), metrics=["correlation", "rmse"]).sign_flip(n_flips=99).tidy()
    assert flips.reason[0] == "averages over folds cannot be exchanged; see jackknife_t"
    assert flips.p_value.notna().tolist() == [False, True]


def test_notes_say_what_is_within_folds():
    result = compare(table())
    assert any("computed within folds (fold) and averaged" in note for note in result.notes())
    assert result.provenance()["fold"] == "fold"
    assert compare(table(), fold=None).provenance()["fold"] is None


# --- without folds -------------------------------------------------------------------------


@pytest.mark.parametrize("n_folds", [2, 5, 24])
def test_training_means_are_recognised(n_folds):
    frame = table(24, n_folds, clips=(1, 9))
    tidy = compare(
        frame, fold=None, predictions=["mean", "good"],
        metrics=["correlation", "correlation_between", "rmse", "r2"],
    ).tidy()  # fmt: skip
    assert tidy.estimate.isna().tolist() == [True, False, True] * 2 + [False] * 6
    assert tidy.reason[0].startswith(
        "prediction 'mean' is the mean truth of the other subjects, or increases with it"
    )
    assert "name the folds in fold=" in tidy.reason[2]


def test_training_means_of_a_context_are_recognised_over_all():
    one, other = table(seed=1), table(seed=2)
    frame = pd.concat([one.assign(task="a"), other.assign(task="b")], ignore_index=True)
    tidy = compare(
        frame, fold=None, context="task", predictions=["mean"], metrics=["correlation"]
    ).tidy()
    assert tidy.estimate.isna().all()


def left_out(frame, prediction):
    codes = frame.subject.to_numpy()
    return is_of_left_out(np.asarray(prediction, float), frame.y.to_numpy(), codes, 24)


def test_what_is_of_the_left_out_truth():
    frame = table(24, 8)
    subject_mean = frame.groupby("subject").y.transform("mean")
    means = frame.groupby("subject").agg(y=("y", "mean"), fold=("fold", "first"))
    of_means = frame.fold.map(lambda k: means.y[means.fold != k].mean())
    assert left_out(frame, frame["mean"])
    assert left_out(frame, frame["mean"].round(9))
    assert left_out(frame, of_means)
    # Shrunk towards a number: no mean of the others, but it rises with it.
    assert left_out(frame, 0.5 * frame["mean"] + 3)
    # A model that learned nothing in some folds.
    assert left_out(frame, np.where(frame.fold < 2, frame["mean"], frame.good))
    assert not left_out(frame, np.where(frame.fold < 1, frame["mean"], frame.good))
    assert not left_out(frame, frame.good)
    assert not left_out(frame, subject_mean)
    assert not left_out(frame, np.full(len(frame), frame.y.mean()))
    assert not left_out(frame, frame.groupby("subject").poor.transform("mean"))


def test_the_null_size_within_folds():
    # Models of noise: 2 of 60 is .03; over folds most are called related to the truth.
    within = over = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        s = np.repeat(np.arange(30), 8)
        y = 0.8 * rng.normal(size=30)[s] + rng.normal(size=240)
        x = rng.normal(size=30)[s] + rng.normal(size=240)
        fold, p = subject_folds(s, 5, seed=seed), np.empty(240)
        for k in range(5):
            train = fold != k
            slope = np.cov(x[train], y[train])[0, 1] / x[train].var()
            p[~train] = y[train].mean() + slope * (x[~train] - x[train].mean())
        frame = pd.DataFrame({"subject": s, "y": y, "p": p, "fold": fold})
        options = {"predictions": ["p"], "metrics": ["correlation"], "n_boot": 0}
        within += int(compare(frame, **options).tidy().p_value[0] <= 0.05)
        over += int(compare(frame, **options, fold=None).tidy().p_value[0] <= 0.05)
    assert within <= 7  # of a size of .05 more have a chance of 1 %
    assert over >= 12


# --- each column's own folds: a cross-validation that was repeated ----------------------------


def repeated(n_repeats=3, **options):
    """Return a table with the predictions and the folds of each repeat, and the model."""
    frame = table(**options)
    rng = np.random.default_rng(9)
    for r in range(n_repeats):
        frame[f"fold {r}"] = subject_folds(frame.subject, 4, seed=10 + r)
        shift = rng.normal(size=4)[frame[f"fold {r}"]]
        frame[f"p{r}"] = 0.5 * frame.y + shift + rng.normal(size=len(frame))
    columns = [f"p{r}" for r in range(n_repeats)]
    return frame, Predictions(columns, fold=[f"fold {r}" for r in range(n_repeats)])


@pytest.mark.parametrize("metric", [*METRICS, "correlation_between"])
def test_repeats_are_averaged_each_within_its_own_folds(metric):
    frame, model = repeated()
    found = compare(frame, predictions={"model": model}, metrics=[metric], fold=None)
    weights = "subjects" if "between" in metric else "n"

    def mean(rows):
        return np.mean(
            [
                average(rows.assign(fold=rows[f"fold {r}"]), metric, f"p{r}", weights=weights)
                for r in range(3)
            ]
        )

    assert found.evidence.estimate[0] == pytest.approx(mean(frame), rel=TWIN)
    for g in (0, 11, 23):
        without = mean(frame[frame.subject != g])
        assert found.evidence.groups[0].values[0, g] == pytest.approx(without, rel=TWIN)
    assert found.fold_name == "fold 0, fold 1, fold 2"
    assert "(fold 0, fold 1, fold 2)" in str(found)


def test_folds_of_a_model_are_as_folds_of_all():
    frame = table()
    models = {name: Predictions(name, fold="fold") for name in ("good", "poor")}
    own, shared = compare(frame, predictions=models, fold=None), compare(frame)
    pd.testing.assert_frame_equal(own.tidy(), shared.tidy(), check_exact=True)
    assert own.replicates.tobytes() == shared.replicates.tobytes()
    mixed = compare(frame, predictions=models | {"third": "poor"}).tidy()
    third, poor = (mixed[mixed.term == name].estimate.to_numpy() for name in ("third", "poor"))
    assert third.tolist() == poor.tolist()


def test_a_fold_that_a_context_lacks_in_one_repeat_only():
    frame, model = repeated(2, n_subjects=40)
    # The first context has no rows in fold 3 of the second repeat.
    frame["task"] = np.where((frame.index % 2 == 0) & (frame["fold 1"] != 3), "a", "b")
    found = compare(frame, predictions={"m": model}, fold=None, context="task", metrics=METRICS)
    rows = frame[frame.task == "a"]
    wanted = np.mean(
        [average(rows.assign(fold=rows[f"fold {r}"]), "correlation", f"p{r}") for r in range(2)]
    )
    tidy = found.tidy().query("metric == 'correlation' and context == 'a'")
    assert tidy.estimate.item() == pytest.approx(wanted, rel=TWIN)
    assert found.tidy().reason.eq("").all()


def test_as_many_columns_of_folds_as_of_predictions():
    with pytest.raises(DataError, match="2 columns of predictions but 3 columns of folds"):
        Predictions(["a", "b"], fold=["x", "y", "z"])
    with pytest.raises(ColumnError, match="no column 'nowhere'"):
        compare(table(), predictions={"m": Predictions("good", fold="nowhere")}, fold=None)
