"""compare_models: from a table to the result, against rows resampled by other software."""

from __future__ import annotations

import hashlib
import json
import pickle
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from reference import cluster_bootstrap as twin
from scipy import stats
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from pyexpr.base.errors import (
    ColumnError,
    DataError,
    FewSubjectsWarning,
    Interrupted,
    PyexprError,
    PyexprWarning,
)
from pyexpr.base.interval_methods import INTERVAL_METHODS
from pyexpr.base.messages import codes_of, joined
from pyexpr.core.cluster_bootstrap import MetricDesign
from pyexpr.inference.comparison.comparison import compare_models
from pyexpr.inference.comparison.predictions import Predictions
from pyexpr.inference.comparison.quantities import METRICS

TWIN = 1e-12  # sums in another order

SKLEARN = {
    "rmse": lambda t, p: np.sqrt(mean_squared_error(t, p)),
    "nrmse": lambda t, p: np.sqrt(mean_squared_error(t, p)) / 7,
    "mae": mean_absolute_error,
    "correlation": lambda t, p: stats.pearsonr(t, p).statistic,
    "r2": r2_score,
}


def table(n_subjects=24, seed=0, *, contexts=("calm", "pain"), clips=4):
    rng = np.random.default_rng(seed)
    rows = [
        (f"s{g:02d}", context, clip)
        for g in range(n_subjects)
        for context in contexts
        for clip in range(rng.integers(2, clips + 1))
    ]
    frame = pd.DataFrame(rows, columns=["subject", "context", "clip"])
    effect = dict(zip(frame.subject.unique(), rng.normal(size=n_subjects), strict=True))
    n = len(frame)
    frame["y"] = frame.subject.map(effect).to_numpy() + rng.normal(size=n)
    frame["good"] = 0.7 * frame.y + 0.5 * rng.normal(size=n)
    frame["poor"] = 0.2 * frame.y + rng.normal(size=n)
    frame["sex"] = np.where(frame.subject.str[-1].astype(int) % 2, "f", "m")
    return frame.sample(frac=1, random_state=seed, ignore_index=True)


def compare(frame, **options):
    settings = {
        "truth": "y", "predictions": ["good", "poor"], "cluster": "subject", "n_boot": 60,
    }  # fmt: skip
    if "nrmse" in str(options.get("metrics")):
        settings["score_range"] = 7
    return compare_models(frame, **(settings | options))


def row_of(result, metric, term, context="all"):
    tidy = result.tidy()
    found = np.flatnonzero(
        (tidy.metric == metric) & (tidy.term == term) & (tidy.context == context)
    )
    assert len(found) == 1, f"{metric}, {term}, {context}"
    return int(found[0])


def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


# --- what is computed --------------------------------------------------------------------


def test_columns_and_rows_of_tidy():
    result = compare(table(), context="context")
    tidy = result.tidy()
    assert list(tidy) == [
        "metric", "term", "context", "estimate", "std_error", "statistic", "df", "p_value",
        "conf_low", "conf_high", "method", "n", "n_clusters", "n_undefined", "reason",
        "kind", "first_model", "second_model", "first_context", "second_context",
    ]  # fmt: skip
    rmse = tidy[tidy.metric == "rmse"]
    assert list(zip(rmse.context, rmse.term, strict=True)) == [
        *[(c, t) for c in ("calm", "pain", "all") for t in ("good", "poor", "good - poor")],
        ("calm - pain", "good"),
        ("calm - pain", "poor"),
    ]
    assert tidy.metric.unique().tolist() == ["rmse", "correlation"]
    assert (tidy.method == "jackknife_t").all()
    assert (tidy.reason == "").all()
    assert result.replicates.shape == (60, len(tidy))


STRUCTURE = ["kind", "first_model", "second_model", "first_context", "second_context"]


def test_a_row_says_what_it_is_whatever_its_names_hold():
    frame = table().rename(columns={"good": "net - small", "poor": "net / large"})
    frame["context"] = frame["context"].replace({"calm": "pre - post"})
    result = compare(
        frame, predictions=["net - small", "net / large"], context="context", metrics=["rmse"],
        ratio=True,
    )  # fmt: skip
    models = "net - small", "net / large"
    assert result.tidy()[STRUCTURE].apply(tuple, axis=1).tolist() == [
        *(
            row
            for context in ("pain", "pre - post", "all")
            for row in (
                *(("level", model, "", context, "") for model in models),
                *((kind, *models, context, "") for kind in ("difference", "ratio")),
            )
        ),
        *(
            (kind, model, "", "pain", "pre - post")
            for kind in ("difference", "ratio")
            for model in models
        ),
    ]
    assert result.tidy()["term"][2] == "net - small - net / large"
    # The printed table is read by its labels alone.
    assert "first_model" not in str(result) + result._repr_html_() + str(result.sign_flip())
    flips, tidy = result.sign_flip().tidy(), result.tidy()
    chosen = tidy[(tidy["kind"] == "difference") & (tidy["second_model"] != "")]
    assert flips[STRUCTURE].values.tolist() == chosen[STRUCTURE].values.tolist()
    assert flips["estimate"].tolist() == chosen["estimate"].tolist()
    found = result.influence()[["term", "context", *STRUCTURE]].drop_duplicates()
    assert found.values.tolist() == tidy[["term", "context", *STRUCTURE]].values.tolist()


@pytest.mark.parametrize("metric", METRICS)
def test_estimates_and_replicates_equal_the_twin(metric):
    frame = table()
    result = compare(frame, metrics=[metric], context="context", n_boot=12, seed=3)
    codes = frame.subject.astype("category").cat.codes.to_numpy()
    for context in ("calm", "pain", "all"):
        chosen = np.ones(len(frame), bool) if context == "all" else (frame.context == context)
        part, cluster = frame[chosen], codes[chosen]
        y = part.y.to_numpy()
        each = {}
        for term in ("good", "poor"):
            p, i = part[term].to_numpy(), row_of(result, metric, term, context)
            each[term] = [twin.replicate(metric, p, y, cluster, [24], 3, r) for r in range(12)]
            np.testing.assert_allclose(result.replicates[:, i], each[term], rtol=TWIN, atol=TWIN)
            assert result.tidy().estimate[i] == pytest.approx(
                twin.metric(metric, p, y, cluster), rel=TWIN, abs=TWIN
            )
        i = row_of(result, metric, "good - poor", context)
        apart = np.subtract(each["good"], each["poor"])
        np.testing.assert_allclose(result.replicates[:, i], apart, rtol=TWIN, atol=TWIN)


def test_differences_between_contexts_use_the_same_draws():
    result = compare(table(), context="context")
    for metric in ("rmse", "correlation"):
        one, other, apart = (
            result.replicates[:, row_of(result, metric, "good", context)]
            for context in ("calm", "pain", "calm - pain")
        )
        assert np.array_equal(apart, one - other)


@pytest.mark.parametrize("metric", sorted(SKLEARN))
def test_jackknife_equals_scikit_learn_without_each_subject(metric):
    frame = table()
    result = compare(frame, metrics=[metric])
    for i, term in enumerate(["good", "poor"]):
        wanted = []
        for subject in sorted(frame.subject.unique()):
            left = frame[frame.subject != subject]
            wanted.append(SKLEARN[metric](left.y, left[term]))
        np.testing.assert_allclose(result.evidence.groups[0].values[i], wanted, rtol=TWIN)
        estimate = SKLEARN[metric](frame.y, frame[term])
        assert result.tidy().estimate[i] == pytest.approx(estimate, rel=TWIN)


def test_singleton_clusters_are_the_plain_bootstrap():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"y": rng.normal(size=50)})
    frame["good"] = frame.y + rng.normal(size=50)
    plain = compare(frame, predictions=["good"], cluster=None, n_boot=30, seed=4)
    named = compare(frame, predictions=["good"], cluster=np.arange(50), n_boot=30, seed=4)
    assert digest(plain.replicates) == digest(named.replicates)
    for r in range(30):
        drawn = twin.draws([50], 4, 1, r)
        wanted = stats.pearsonr(frame.y.iloc[drawn], frame.good.iloc[drawn]).statistic
        assert plain.replicates[r, 1] == pytest.approx(wanted, rel=TWIN)


def test_an_interval_does_not_depend_on_its_neighbours():
    frame = table()
    whole = compare(frame, metrics=["rmse", "correlation", "mae_within"], context="context")
    alone = compare(frame, metrics=["correlation"], predictions=["poor"])
    i = row_of(whole, "correlation", "poor")
    assert digest(alone.replicates[:, 0]) == digest(whole.replicates[:, i])
    columns = ["estimate", "std_error", "df", "conf_low", "conf_high", "p_value"]
    assert alone.tidy()[columns].iloc[0].tolist() == whole.tidy()[columns].iloc[i].tolist()


def test_threads_change_no_byte():
    frame = table()
    results = [compare(frame, n_boot=300, n_threads=n, method="bca") for n in (1, 2, 7)]
    assert len({digest(result.replicates) for result in results}) == 1
    tables = [result.tidy().to_csv() for result in results]
    assert tables[0] == tables[1] == tables[2]


def test_extend_equals_one_call():
    frame = table()
    for method in ("percentile", "studentized"):
        once = compare(frame, n_boot=200, method=method, context="context")
        twice = compare(frame, n_boot=137, method=method, context="context").extend(63)
        assert digest(once.replicates) == digest(twice.replicates)
        pd.testing.assert_frame_equal(once.tidy(), twice.tidy(), check_exact=True)


@pytest.mark.parametrize("rule", ["holm", "max_t"])
def test_an_adjusted_result_stays_adjusted(rule):
    frame = table()
    options = {"method": "percentile", "adjust": rule}
    once = compare(frame, n_boot=400, **options)
    twice = compare(frame, n_boot=150, **options, confidence=0.9).extend(250)
    assert twice.tidy().adjustment.tolist() == once.tidy().adjustment.tolist()
    again = twice.interval(confidence=0.95)
    pd.testing.assert_frame_equal(again.tidy(), once.tidy(), check_exact=True)


def test_ctrl_c_keeps_what_was_drawn(monkeypatch):
    frame = table()
    real = MetricDesign.replicates

    def pressed(self, n, *, first, **options):
        if first >= 4096:
            raise KeyboardInterrupt
        return real(self, n, first=first, **options)

    monkeypatch.setattr("pyexpr.inference.comparison.evidence._STEPS", 4096 * 48)
    monkeypatch.setattr(MetricDesign, "replicates", pressed)
    with pytest.raises(Interrupted, match="after 4096 of 10000 replicates") as stopped:
        compare(frame, n_boot=10_000, method="percentile", seed=3)
    kept = stopped.value.result
    monkeypatch.undo()
    assert (kept.n_boot, kept.method) == (4096, "percentile")
    once = compare(frame, n_boot=10_000, method="percentile", seed=3)
    pd.testing.assert_frame_equal(kept.extend(5904).tidy(), once.tidy(), check_exact=True)


def test_ctrl_c_while_studentising_keeps_the_replicates(monkeypatch):
    def pressed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(MetricDesign, "standard_errors", pressed)
    with pytest.raises(Interrupted, match="after 60 of 60 replicates") as stopped:
        compare(table(), method="studentized", confidence=0.9)
    kept = stopped.value.result
    assert (kept.n_boot, kept.method) == (60, "jackknife_t")


@pytest.mark.parametrize(("method", "at_once"), [("percentile", 0), ("studentized", 10**9)])
def test_what_ctrl_c_leaves_is_evaluated_at_once(monkeypatch, method, at_once):
    """By the jackknife where sorting, or errors within the replicates, would take long."""

    def pressed(self, n, *, first=0, **options):
        if first:
            raise KeyboardInterrupt
        return real(self, n, first=first, **options)

    def never(*_, **__):
        raise AssertionError("takes longer than the replicates did")

    real = MetricDesign.replicates
    monkeypatch.setattr("pyexpr.inference.comparison.evidence._STEPS", 4096 * 48)
    monkeypatch.setattr("pyexpr.resampling.result._SORTED_AT_ONCE", at_once)
    monkeypatch.setattr(MetricDesign, "replicates", pressed)
    monkeypatch.setattr(MetricDesign, "standard_errors", never)
    # Nor is all that was made copied.
    monkeypatch.setattr("pyexpr.resampling.intervals.from_draws.summarise", never)
    with pytest.raises(Interrupted, match=r"after 4096 of 10000 .* by jackknife_t,") as stop:
        compare(table(), n_boot=10_000, method=method, seed=3)
    assert (stop.value.result.n_boot, stop.value.result.method) == (4096, "jackknife_t")


@pytest.mark.parametrize(
    ("metrics", "untested", "message"),
    [
        (["rmse", "correlation"], ["rmse"], "single models are not tested on rmse"),
        (
            ["rmse", "spearman", "mae_within", "r2"],
            ["rmse", "mae_within", "r2"],
            "single models are not tested on rmse, mae_within and r2",
        ),
        (
            ["spearman", "bias"],
            [],
            "metrics of single models are tested for spearman against 0, bias against 0",
        ),
    ],
)
def test_the_note_names_the_levels_that_are_not_tested(metrics, untested, message):
    result = compare(table(), metrics=metrics, n_boot=0)
    assert result.notes()[0] == f"{message}; differences are tested against 0"
    levels = result.tidy().query("kind == 'level'")
    assert levels.loc[levels["p_value"].isna(), "metric"].unique().tolist() == untested


def test_interval_changes_method_and_level_without_new_draws():
    frame = table()
    first = compare(frame, n_boot=200)
    for method in INTERVAL_METHODS:
        again = first.interval(method=method, confidence=0.9)
        assert again.evidence.replicates is first.evidence.replicates
        requested = compare(frame, n_boot=200, method=method, confidence=0.9)
        pd.testing.assert_frame_equal(again.tidy(), requested.tidy(), check_exact=True)
    changed = first.interval(method="percentile", confidence=0.9).interval()
    assert (changed.method, changed.intervals.confidence) == ("percentile", 0.9)


def test_degrees_of_freedom():
    metrics = ["correlation", "correlation_between", "correlation_within", "rmse"]
    frame = table()
    result = compare(frame, metrics=metrics)
    tidy = result.tidy()
    n = frame.groupby("subject").size()
    sizes = float(n.sum() ** 2 / (n**2).sum()) - 1
    assert sizes < 23
    # Subjects' means count once each; differences of correlations leave kurtosis out.
    assert tidy.df[row_of(result, "correlation_between", "good - poor")] == 23
    (group,) = result.evidence.groups
    means = row_of(result, "correlation_between", "good")
    values = np.arctanh(group.values[list(group.rows).index(means)])
    excess = max(0.0, float(stats.kurtosis(values, bias=False)))
    assert tidy.df[means] == pytest.approx(2 / (2 / 23 + excess / 24), rel=TWIN)
    assert tidy.df[row_of(result, "correlation", "good - poor")] == pytest.approx(sizes, rel=TWIN)
    scales = {
        "correlation": np.arctanh,
        "correlation_within": np.arctanh,
        "rmse": lambda x: -1 / x,
    }
    (group,) = result.evidence.groups
    for metric, scale in scales.items():
        i = row_of(result, metric, "poor")
        values = scale(group.values[list(group.rows).index(i)])
        excess = max(0.0, float(stats.kurtosis(values, bias=False)))
        assert excess > 0
        tails = 2 / (2 / 23 + excess / 24)
        assert tidy.df[i] == pytest.approx(min(tails, sizes), rel=TWIN)


def test_clusters_of_very_unequal_size_leave_few_degrees_of_freedom():
    frame = table()
    large = frame[frame.subject == frame.subject.iloc[0]]
    frame = pd.concat([frame, *[large] * 40], ignore_index=True)
    n = frame.groupby("subject").size()
    effective = float(n.sum() ** 2 / (n**2).sum())
    assert effective < 3
    message = (
        r"are 24 subjects with .* equivalent to 2\.0 .*similar simulated .* \(24 subjects, one"
    )
    with pytest.warns(FewSubjectsWarning, match=message):
        df = compare(frame, metrics=["correlation", "rmse"]).tidy().df
    np.testing.assert_allclose(df, np.minimum(df, max(effective - 1, 2)), rtol=TWIN)


def test_what_is_tested():
    tidy = compare(table(), metrics=["rmse", "mae", "r2", "correlation", "bias"]).tidy()
    level = tidy.kind == "level"
    untested = level & tidy.metric.isin(["rmse", "mae", "r2"])
    assert tidy.p_value[untested].isna().all()
    assert tidy.p_value[~untested].between(0, 1, inclusive="neither").all()


def test_rows_called_all_are_those_over_all_contexts():
    frame = table(contexts=("calm", "pain"))
    pooled = frame.assign(context="all", good=frame["good"] + 0.1 * frame["poor"])
    both = compare(pd.concat([frame, pooled], ignore_index=True), context="context", seed=3)
    tidy = both.tidy()
    assert tidy["context"].unique().tolist() == ["calm", "pain", "all", "calm - pain"]
    over_all = compare(pooled, seed=3)
    found = tidy[tidy["context"] == "all"].drop(columns="context").reset_index(drop=True)
    pd.testing.assert_frame_equal(found, over_all.tidy().drop(columns="context"))
    assert "rows of a context called 'all'" in " ".join(both.notes())
    assert "called 'all'" not in " ".join(compare(frame, context="context").notes())


def test_null_is_that_of_the_correlation():
    result = compare(table(), method="percentile", n_boot=500)
    r = result.tidy().estimate[row_of(result, "correlation", "poor")]
    again = compare(table(), method="percentile", n_boot=500, null=float(r)).tidy()
    assert again.p_value[row_of(result, "correlation", "poor")] > 0.6
    difference = row_of(result, "correlation", "good - poor")
    assert again.p_value[difference] == result.tidy().p_value[difference]


# --- models of several columns ---------------------------------------------------------------


def with_raters(frame):
    rng = np.random.default_rng(9)
    frame = frame.copy()
    for rater in "ab":
        frame[f"rater_{rater}"] = frame.y + rng.normal(size=len(frame))
        frame[f"others_{rater}"] = frame.y + 0.3 * rng.normal(size=len(frame))
        frame.loc[rng.random(len(frame)) < 0.2, f"rater_{rater}"] = np.nan
    return frame


def test_the_human_baseline_is_the_mean_of_its_raters():
    frame = with_raters(table())
    human = Predictions(["rater_a", "rater_b"], truth=["others_a", "others_b"])
    result = compare(frame, predictions={"good": "good", "human": human}, n_boot=6, seed=2)
    codes = frame.subject.astype("category").cat.codes.to_numpy()
    for metric in ("rmse", "correlation"):
        i = row_of(result, metric, "human")
        for r in range(6):
            each = [
                twin.replicate(
                    metric, frame[f"rater_{x}"].to_numpy(), frame[f"others_{x}"].to_numpy(),
                    codes, [24], 2, r,
                )
                for x in "ab"
            ]  # fmt: skip
            assert result.replicates[r, i] == pytest.approx(np.mean(each), rel=TWIN)
    tidy = result.tidy()
    apart = row_of(result, "rmse", "good - human")
    assert tidy.reason[apart] == "different criteria"
    assert np.isfinite(tidy.conf_low[apart])
    assert "marked_different_criteria" in codes_of(joined(result.notes()))
    # Its holes cost the other models nothing.
    alone = compare(frame, predictions=["good"], n_boot=6, seed=2)
    assert digest(alone.replicates[:, 0]) == digest(result.replicates[:, 0])
    holes = frame[["rater_a", "rater_b"]].isna().all(axis=1).sum()
    assert holes > 0
    assert tidy.n[row_of(result, "rmse", "human")] == len(frame) - holes


def test_rows_that_one_model_lacks_are_left_out_of_all():
    frame = table()
    frame.loc[[3, 8, 40], "poor"] = np.nan
    frame.loc[11, "y"] = np.nan
    result = compare(frame)
    kept = frame.dropna(subset=["y", "poor"])
    assert result.n_dropped == 4
    assert (result.tidy().n == len(kept)).all()
    assert "4 rows were left out" in str(result)
    pd.testing.assert_frame_equal(result.tidy(), compare(kept).tidy(), check_exact=True)


@pytest.mark.parametrize(
    "seeds", [["seed_1", "seed_2", "seed_3"], Predictions(["seed_1", "seed_2"])]
)
def test_rows_that_one_seed_lacks_are_left_out_of_all(seeds):
    frame = table()
    rng = np.random.default_rng(3)
    for k in (1, 2, 3):
        frame[f"seed_{k}"] = frame.y + rng.normal(size=len(frame))
    frame.loc[[3, 8, 40], "seed_2"] = np.nan
    models = {"good": "good", "net": seeds}
    result = compare(frame, predictions=models)
    assert result.n_dropped == 3
    assert (result.tidy().n == len(frame) - 3).all()
    assert "3 rows were left out because the truth or a prediction is missing" in str(result)
    kept = compare(frame.drop(index=[3, 8, 40]), predictions=models)
    pd.testing.assert_frame_equal(result.tidy(), kept.tidy(), check_exact=True)


def test_columns_of_a_truth_of_their_own_are_evaluated_on_their_rows_and_it_is_reported():
    frame = with_raters(table())
    human = Predictions(["rater_a", "rater_b"], truth=["others_a", "others_b"])
    result = compare(frame, predictions={"good": "good", "human": human})
    each = tuple(int(frame[f"rater_{rater}"].notna().sum()) for rater in "ab")
    assert result.own_rows == {"human": each}
    assert (
        f"'human' has missing rows: each of its 2 columns is evaluated on its available rows, "
        f"{min(each)} to {max(each)} of the {len(frame)} rows"
    ) in result.notes()
    whole = frame.assign(rater_a=frame.y, rater_b=frame.y)
    assert not compare(whole, predictions={"good": "good", "human": human}).own_rows
    assert "missing rows" not in str(compare(whole, predictions={"good": "good", "human": human}))


def test_different_rows_of_one_truth_are_reported_and_not_exchanged():
    frame = with_raters(table())
    models = {"good": "good", "rater": Predictions("rater_a", truth="y")}
    result = compare(frame, predictions=models)
    n = int(frame.rater_a.notna().sum())
    assert (
        f"'rater' has missing rows: it is evaluated on {n} of the {len(frame)} rows"
        in result.notes()
    )
    assert result.tidy().reason[row_of(result, "rmse", "good - rater")] == "different rows"
    assert "marked_different_rows" in codes_of(joined(result.notes()))
    flips = result.sign_flip().tidy()
    assert flips["reason"].str.startswith("different rows: ").all()
    # The same rows are judged alike, whoever names the truth.
    same = compare(frame.assign(rater_a=frame.poor), predictions=models)
    assert same.tidy().reason[row_of(same, "rmse", "good - rater")] == ""
    assert np.isfinite(same.sign_flip().tidy()["p_value"]).all()


def test_no_row_with_every_prediction_of_a_model_of_several_columns():
    frame = table()
    half = np.arange(len(frame)) % 2 == 0
    frame = frame.assign(one=frame.y.where(half), two=frame.y.where(~half))
    with pytest.raises(DataError, match=r"no row .* every prediction; .* \(Predictions\)"):
        compare(frame, predictions={"net": ["one", "two"], "good": "good"})


def test_subjects_without_rows_are_not_drawn():
    frame = table()
    frame.loc[frame.subject == "s03", "poor"] = np.nan
    frame.loc[(frame.subject == "s05") & (frame.context == "pain"), "y"] = np.nan
    result = compare(frame, context="context", metrics=["rmse"])
    tidy = result.tidy().set_index(["context", "term"])
    assert tidy.n_clusters["calm", "good"] == 23
    assert tidy.n_clusters["pain", "good"] == 22
    assert tidy.n_clusters["calm - pain", "good"] == 23
    kept = frame.dropna()
    for context in ("calm", "pain"):
        part = kept[kept.context == context]
        alone = compare(part, metrics=["rmse"])
        i = row_of(result, "rmse", "good", context)
        assert digest(alone.replicates[:, 0]) == digest(result.replicates[:, i])


def test_strata_are_drawn_from_separately():
    frame = table()
    result = compare(frame, metrics=["rmse"], stratify="sex", n_boot=10, seed=6)
    labels = sorted(frame.subject.unique())
    sex = frame.groupby("subject").sex.first()
    order = [g for s in ("f", "m") for g in labels if sex[g] == s]
    codes = frame.subject.map({g: i for i, g in enumerate(order)}).to_numpy()
    for r in range(10):
        wanted = twin.replicate(
            "rmse", frame.good.to_numpy(), frame.y.to_numpy(), codes, [12, 12], 6, r
        )
        assert result.replicates[r, 0] == pytest.approx(wanted, rel=TWIN)
    # Not the 22 of equal subjects with normal pseudo-values.
    assert ((result.tidy().df > 2) & (result.tidy().df < 22)).all()


# --- degenerate input ---------------------------------------------------------------------------


def test_a_constant_prediction_has_errors_but_no_correlation():
    frame = table()
    frame["flat"] = 0.1
    for method in (None, "percentile", "bca", "studentized"):
        tidy = compare(frame, predictions=["good", "flat"], method=method).tidy()
        bad = (tidy.metric == "correlation") & tidy.term.str.contains("flat")
        assert tidy.loc[bad, ["estimate", "conf_low", "p_value"]].isna().all(axis=None)
        assert (tidy.reason[bad] == "prediction 'flat' is constant").all()
        assert np.isfinite(tidy.conf_low[~bad]).all()
        assert (tidy.reason[~bad] == "").all()


def test_a_constant_truth():
    frame = table()
    frame["y"] = 2.0
    tidy = compare(frame, metrics=["correlation", "r2", "rmse", "concordance"]).tidy()
    undefined = tidy.metric.isin(["correlation", "r2"])
    assert (tidy.reason[undefined] == "truth 'y' is constant").all()
    assert np.isfinite(tidy.estimate[~undefined]).all()


@pytest.mark.parametrize("offset", [1e3, 9e5, 1.1e6, 1e9, 1e11])
def test_an_offset_costs_no_more_than_rounding_of_the_data(offset):
    frame = table()
    metrics = [
        f"{base}{part}"
        for base in ("correlation", "concordance", "r2")
        for part in ("", "_within", "_between")
    ]
    moved = frame.assign(**{name: frame[name] + offset for name in ("y", "good", "poor")})
    # The same numbers after the same rounding, which taking off the offset undoes exactly.
    rounded = moved.assign(**{name: moved[name] - offset for name in ("y", "good", "poor")})
    found, wanted = (compare(one, metrics=metrics) for one in (moved, rounded))
    columns = ["estimate", "std_error", "conf_low", "conf_high", "p_value"]
    np.testing.assert_allclose(found.tidy()[columns], wanted.tidy()[columns], rtol=2e-9)
    np.testing.assert_allclose(found.replicates, wanted.replicates, rtol=1e-8, atol=1e-9)


def test_what_varies_too_little_beside_its_size_is_not_called_constant():
    frame = table()
    plain = compare(frame, metrics=["correlation"]).tidy()
    frame["good"] += 1e13
    metrics = ["correlation", "correlation_within", "correlation_between"]
    tidy = compare(frame, metrics=metrics, pairwise=False).tidy()
    assert tidy.estimate.isna().tolist() == [True, False] * 3
    for row, where in enumerate(["", " within subjects", " between subjects"]):
        assert tidy.reason[2 * row] == (
            f"prediction 'good' varies so little{where} relative to its size that rounding of "
            "its values could change the correlation by more than .001; subtract the same number "
            "from truth and predictions before they are rounded"
        )
    frame["good"] -= 1e13  # what is left of it
    fixed = compare(frame, metrics=["correlation"]).tidy()
    np.testing.assert_allclose(fixed.estimate, plain.estimate, atol=1e-3)
    frame["good"] = 1e7 + 0.1
    constant = compare(frame, metrics=metrics, pairwise=False).tidy().reason
    assert constant[0] == "prediction 'good' is constant"
    assert constant[2] == "prediction 'good' does not vary within subjects"
    assert constant[4] == "prediction 'good' does not vary between subjects"


def test_the_noise_of_a_collapsed_network_has_no_correlation():
    frame = table()
    last_bits = np.random.default_rng(1).integers(-2, 3, size=len(frame))
    frame["good"] = np.float32(0.5123) * (1 + last_bits * np.finfo(np.float32).eps)
    frame["good"] = frame.good.astype(np.float32)
    for kind in (np.float32, np.float64):  # as it comes, and after a file
        tidy = compare(frame.astype({"good": kind}), metrics=["correlation"]).tidy()
        assert "rounding of its values" in tidy.reason[0]
    # Single precision that varies has one, and whole numbers were not rounded.
    frame["good"] = (3 + 0.01 * frame.y).astype(np.float32)
    assert compare(frame, metrics=["correlation"]).tidy().estimate[0] == pytest.approx(1, abs=1e-6)
    frame["good"] = 2_000_000 + np.rint(4 * frame.y)
    assert compare(frame, metrics=["correlation"]).tidy().estimate[0] > 0.95


def test_identical_and_perfect_predictions():
    frame = table()
    frame["same"] = frame.good
    frame["perfect"] = frame.y
    tidy = (
        compare(frame, predictions=["good", "same", "perfect"]).tidy().set_index(["metric", "term"])
    )
    same = tidy.loc[("rmse", "good - same")]
    assert (same.estimate, same.conf_low, same.conf_high) == (0, 0, 0)
    assert np.isnan(same.p_value)
    assert "its variation cannot be estimated" in same.reason
    perfect = tidy.loc[("rmse", "perfect")]
    assert (perfect.estimate, perfect.conf_low, perfect.conf_high) == (0, 0, 0)
    assert tidy.loc[("correlation", "perfect")].estimate == pytest.approx(1, abs=1e-15)
    assert tidy.loc[("correlation", "perfect")].reason != ""


@pytest.mark.parametrize("method", ["jackknife_t", "percentile", "normal", "studentized"])
def test_a_linear_function_has_the_same_correlation(method):
    frame = table()
    frame["double"] = 2.1 * frame.good + 1 / 3
    metrics = ["correlation", "correlation_within", "rmse"]
    result = compare(frame, predictions=["good", "double"], metrics=metrics, method=method)
    assert not result.replicates[:, [2, 5]].any()
    assert not result.extend(5).replicates[:, [2, 5]].any()
    tidy = result.tidy().set_index("metric")
    same = tidy[tidy.term == "good - double"]
    for metric in ("correlation", "correlation_within"):
        assert same.loc[metric, "estimate"] == 0
        assert not same.loc[metric, "p_value"] < 1
    assert same.loc["rmse", "p_value"] < 0.05


def test_levels_that_meet_by_chance_are_compared():
    g = np.repeat(np.arange(24), 4)
    frame = pd.DataFrame({"subject": g, "y": np.arange(96.0) % 5})
    frame["good"] = frame.y + np.where(g % 2, 1.0, 2.0)
    frame["poor"] = frame.y + np.where(g % 2, 2.0, 1.0)
    tidy = compare(frame, metrics=["mae"]).tidy()
    assert tidy.estimate[2] == 0
    assert tidy.std_error[2] > 0.1
    assert tidy.p_value[2] == 1


def test_one_row_per_subject_has_nothing_within():
    frame = table().drop_duplicates("subject")
    tidy = compare(frame, metrics=["correlation_within"]).tidy()
    assert tidy.reason[0] == "prediction 'good' does not vary within subjects"


def test_a_context_of_one_subject():
    frame = table()
    frame = frame[(frame.context == "calm") | (frame.subject == "s00")]
    tidy = compare(frame, context="context").tidy().set_index(["metric", "context", "term"])
    pain = tidy.loc[("rmse", "pain", "good")]
    assert np.isfinite(pain.estimate)
    assert np.isnan(pain.conf_low)
    assert pain.reason == "only 1 subject"


@pytest.mark.parametrize("method", INTERVAL_METHODS)
def test_a_stratum_of_one_within_a_context(method):
    frame = table(48)
    one = frame[frame.sex == "f"].subject.min()
    frame = frame[(frame.context == "calm") | (frame.sex == "m") | (frame.subject == one)]
    result = compare(frame, context="context", stratify="sex", method=method)
    tidy = result.tidy().set_index(["metric", "context", "term"])
    pain = tidy.loc[("rmse", "pain", "good")]
    assert np.isfinite(pain.estimate)
    assert pain[["conf_low", "conf_high", "std_error"]].isna().all()
    assert (
        pain.reason
        == "a stratum has only one subject, so the variation within it cannot be estimated"
    )
    assert tidy.loc[("rmse", "calm", "good")].reason == ""


@pytest.mark.parametrize("method", ["jackknife_t", "studentized"])
def test_one_subject_that_makes_all_errors_is_reported(method):
    frame = table()
    frame["nearly"] = frame.y + (frame.subject == "s03")
    metrics = ("nrmse", "correlation", "r2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PyexprWarning)  # replicates without that subject
        tidy = compare(frame, predictions=["nearly"], metrics=metrics, method=method).tidy()
    assert np.isfinite(tidy.estimate).all()
    assert tidy[["conf_low", "conf_high", "p_value"]].isna().all(axis=None)
    message = "at the limit of its range if one of 1 subject|undefined in"
    assert tidy.reason.str.contains(message).all()
    if method == "jackknife_t":
        assert np.isfinite(tidy.std_error).all()


def test_undefined_replicates_are_counted_and_warned_of():
    n = 20
    frame = pd.DataFrame({"subject": np.arange(n), "y": np.arange(n) % 7 + 0.5})
    frame["good"] = 0.0
    frame.loc[:4, "good"] = 1.0  # five subjects vary: 0.75**20 = 0.3 % of draws miss them
    frame["rare"] = 0.0
    frame.loc[:2, "rare"] = 1.0  # three: 0.85**20 = 3.9 %
    frame["single"] = 0.0
    frame.loc[0, "single"] = 1.0  # one: 36 %
    options = {"metrics": ["correlation"], "pairwise": False, "n_boot": 4000}
    with pytest.warns(PyexprWarning, match="is undefined in .* of 4000 replicates"):
        tidy = compare(
            frame, predictions=["good", "rare", "single"], method="percentile", **options
        ).tidy()
    assert 0 < tidy.n_undefined[0] < 40 < tidy.n_undefined[1] < 200
    assert np.isfinite(tidy.conf_low[:2]).all()
    assert np.isnan(tidy.conf_low[2])
    assert tidy.reason[2] == f"undefined in {tidy.n_undefined[2]} of 4000 replicates"
    assert tidy.n_undefined[2] == pytest.approx(4000 * 0.95**20, rel=0.1)


def test_few_subjects_are_warned_of_with_figures():
    # The figures are those of the page that `make coverage` writes.
    page = (Path(__file__).parents[2] / "docs" / "coverage.md").read_text(encoding="utf-8")
    line = next(x for x in page.splitlines() if x.startswith("| RMSE and MAE | jackknife_t |"))
    by_size = dict(zip((12, 20, 28, 40, 80), line.split("|")[3:8], strict=True))
    mean = float(by_size[12].split()[0])
    shown = f"{mean:.2f}".removeprefix("0")
    for n in (12, 15):
        message = rf"only {n} subjects.*of 12 subjects.*on average \{shown} for RMSE"
        with pytest.warns(FewSubjectsWarning, match=message):
            compare(table(n))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compare(table(20))


def bad(change):
    frame = table()
    change(frame)
    return frame


@pytest.mark.parametrize(
    ("change", "options", "kind", "message"),
    [
        (lambda f: None, {"truth": "z"}, ColumnError, "has no column 'z'; it has 'subject'"),
        (lambda f: None, {"predictions": ["goo"]}, ColumnError, "did you mean 'good'"),
        (lambda f: None, {"cluster": "Subject"}, ColumnError, "did you mean 'subject'"),
        (
            lambda f: f.insert(0, "text", ["x"] * len(f)),
            {"predictions": ["text"]},
            ColumnError,
            "column 'text' of the table of predictions must be a number, but row 1 holds 'x'",
        ),
        (
            lambda f: f.insert(0, "gone", np.nan),
            {"predictions": ["good", "gone"]},
            ColumnError,
            "column 'gone' of the table of predictions has no value in any row",
        ),
        (
            lambda f: f.loc.__setitem__((3, "good"), np.inf),
            {},
            ColumnError,
            "column 'good' of .* must be finite, but row 4 holds",
        ),
        (lambda f: f.__setitem__("subject", "s1"), {}, DataError, "only one subject, 's1'"),
        (
            lambda f: f.loc.__setitem__((3, "subject"), None),
            {},
            ColumnError,
            "'subject' .* must not have missing values, but row 4 is empty",
        ),
        (lambda f: None, {"cluster": None}, DataError, "'subject' has repeated.*cluster='subject'"),
        (lambda f: None, {"cluster": [1, 2]}, DataError, "or have its length"),
        (lambda f: None, {"metrics": ["rsme"]}, DataError, "no metric 'rsme'; did you mean 'rmse'"),
        (lambda f: None, {"metrics": []}, DataError, "at least one metric"),
        (lambda f: None, {"predictions": []}, DataError, "at least one model"),
        (lambda f: None, {"predictions": ["good", "good"]}, DataError, "'good' more than once"),
        (
            lambda f: None,
            {"predictions": [Predictions("good")]},
            DataError,
            "; or pass a mapping",
        ),
        (lambda f: None, {"null": 1.0}, DataError, "null= is a correlation"),
        (lambda f: None, {"null": None}, DataError, "null= is a correlation.*, not None"),
        (lambda f: None, {"null": "0"}, DataError, "null= is a correlation.*, not '0'"),
        (lambda f: None, {"confidence": "0.95"}, DataError, "confidence= must be .* not '0.95'"),
        (lambda f: None, {"n_threads": 0}, DataError, "n_threads= must be a whole number"),
        (lambda f: None, {"n_threads": -1}, DataError, "n_threads= must be a whole number"),
        (lambda f: None, {"truth": None}, DataError, "truth= must be the name .*, not None"),
        (lambda f: None, {"truth": ["y"]}, DataError, "truth= must be the name .*, not list"),
        (lambda f: None, {"truth": np.ones(9)}, DataError, "truth= must be the name .*, not ndarr"),
        (lambda f: None, {"predictions": None}, DataError, "predictions= must be a name or a list"),
        (lambda f: None, {"predictions": [1]}, DataError, "one of them is a number"),
        (lambda f: None, {"predictions": {"good", "poor"}}, DataError, "list of names, not a set"),
        (lambda f: None, {"predictions": {"a": 1}}, DataError, "of 'a' must be .* not a number"),
        (
            lambda f: None,
            {"predictions": {1: "good", "1": "poor"}},
            DataError,
            "names '1' more than once",
        ),
        (lambda f: None, {"predictions": {"a": ("m", "y")}}, ColumnError, "has no column 'm'"),
        (
            lambda f: f.__setattr__("columns", pd.MultiIndex.from_product([["m"], f.columns])),
            {"predictions": {"a": ("m", "good")}, "cluster": np.arange(3)},
            ColumnError,
            r"columns? names of 2 levels, such as \('m', 'subject'\); join them first",
        ),
        (lambda f: None, {"metrics": None}, DataError, "metrics= must be a metric or a list"),
        (lambda f: None, {"metrics": [5]}, DataError, "metrics= must list names"),
        (lambda f: None, {"n_boot": 2.5}, DataError, "n_boot= must be a whole number"),
        (lambda f: None, {"seed": "x"}, DataError, "seed= must be a whole number"),
        (lambda f: None, {"stratify": "context"}, DataError, "is in two strata of 'context'"),
        (
            lambda f: f.__setitem__("sex", np.where(f.subject == "s04", "x", "m")),
            {"stratify": "sex"},
            DataError,
            "stratum 'x' of 'sex' has only one subject",
        ),
        (
            lambda f: (f.loc.__setitem__((f.index % 2 == 0, "good"), np.nan),
                       f.loc.__setitem__((f.index % 2 == 1, "poor"), np.nan)),
            {},
            DataError,
            "no row of the table of predictions has the truth 'y' and every prediction",
        ),
    ],
)  # fmt: skip
def test_errors_say_what_is_wrong(change, options, kind, message):
    with pytest.raises(kind, match=message) as caught:
        compare(bad(change), **options)
    assert isinstance(caught.value, PyexprError)


@pytest.mark.parametrize("score_range", [-7, 0, np.inf, np.nan, "a", True, [7.0], (0, 100)])
def test_the_score_has_a_width(score_range):
    with pytest.raises(DataError, match=r"score_range= .* must be one positive finite number, not"):
        compare(table(), metrics=["nrmse"], score_range=score_range)


def test_the_width_is_given_where_it_is_needed_and_reported():
    frame = table()
    with pytest.raises(DataError, match=r"nrmse_within is RMSE divided .* give score_range="):
        compare_models(
            frame, truth="y", predictions=["good"], cluster="subject", metrics="nrmse_within"
        )
    with pytest.raises(DataError, match=r"metrics= does not contain nrmse; leave it out"):
        compare(frame, score_range=100)
    # A score from 0 to 100 and one from 0 to 1 have one NRMSE, and each says its own width.
    hundred = frame.assign(**{name: 100 * frame[name] for name in ("y", "good", "poor")})
    found = compare(hundred, metrics=["nrmse"], score_range=100)
    unit = compare(frame, metrics=["nrmse"], score_range=1)
    np.testing.assert_allclose(found.tidy().estimate, unit.tidy().estimate, rtol=TWIN)
    assert "NRMSE is RMSE divided by 100, the width of the score" in found.notes()
    assert found.provenance()["score_range"] == 100.0
    assert compare(frame).tidy().metric.unique().tolist() == ["rmse", "correlation"]
    assert compare(frame).provenance()["score_range"] is None


@pytest.mark.parametrize(
    "make", [np.array, pd.Index, pd.Series, tuple, iter, lambda names: dict.fromkeys(names).keys()]
)
def test_models_are_named_by_anything_that_lists_names(make):
    wanted = compare(table()).tidy()
    found = compare(
        table(), predictions=make(["good", "poor"]), metrics=make(["rmse", "correlation"])
    )
    pd.testing.assert_frame_equal(found.tidy(), wanted, check_exact=True)
    assert {type(term) for term in found.tidy().term} == {str}
    models = {"g": make(["good"]), "p": Predictions(make(["poor"]), truth=make(["y"]))}
    named = compare(table(), predictions=models).tidy()
    assert named.estimate.tolist() == wanted.estimate.tolist()


def test_the_index_of_the_table_changes_nothing():
    frame = table()
    frame.loc[[3, 8], "good"] = np.nan
    options = {"context": "context", "stratify": "sex", "method": "percentile"}
    wanted = compare(frame, **options)
    for index in (
        pd.Index(frame.subject),
        pd.MultiIndex.from_frame(frame[["subject", "context"]]),
        pd.Index([0] * len(frame)),
    ):
        indexed = frame.set_axis(index)
        arrays = {name: indexed[name] for name in ("context", "sex", "subject")}
        for found in (
            compare(indexed, **options),
            compare(
                indexed, cluster=arrays["subject"], context=arrays["context"],
                stratify=arrays["sex"], method="percentile",
            ),
        ):  # fmt: skip
            pd.testing.assert_frame_equal(found.tidy(), wanted.tidy(), check_exact=True)


def test_a_table_without_rows():
    with pytest.raises(DataError, match="the table of predictions has no rows"):
        compare(table().iloc[:0])


def test_predictions_need_one_truth_or_one_each():
    with pytest.raises(DataError, match="2 columns of predictions but 3 truths"):
        Predictions(["a", "b"], truth=["x", "y", "z"])


# --- the result -----------------------------------------------------------------------------


def test_the_result_prints_archives_and_pickles():
    result = compare(table(), context="context", seed=8)
    text = str(result)
    assert text.startswith("2 models compared on")
    assert "95 % intervals by jackknife_t" in text
    archived = json.loads(json.dumps(result.to_dict()))
    assert archived["provenance"]["seed"] == 8
    assert archived["provenance"]["n_clusters"] == 24
    assert len(archived["table"]) == len(result.tidy())
    assert "<table" in result._repr_html_()
    again = pickle.loads(pickle.dumps(result))
    pd.testing.assert_frame_equal(again.tidy(), result.tidy(), check_exact=True)
    assert digest(again.extend(5).replicates) == digest(result.extend(5).replicates)


def test_replicates_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match="read-only"):
        compare(table()).replicates[0, 0] = 1


def test_columns_may_be_arrays():
    frame = table()
    named = compare(frame, context="context", stratify="sex")
    arrays = compare(
        frame.drop(columns=["subject", "context", "sex"]),
        cluster=frame.subject.to_numpy(),
        context=frame.context.to_numpy(),
        stratify=frame.sex.to_numpy(),
    )
    pd.testing.assert_frame_equal(named.tidy(), arrays.tidy(), check_exact=True)


def test_influence_lists_each_subject_left_out():
    frame = table()
    result = compare(frame, metrics=["rmse", "correlation"])
    influence = result.influence()
    assert list(influence) == [
        "metric", "term", "context", "cluster", "estimate", "change", "influence",
        "kind", "first_model", "second_model", "first_context", "second_context",
    ]  # fmt: skip
    assert len(influence) == 24 * len(result.tidy())
    left = frame[frame.subject != "s07"]
    found = influence[(influence.cluster == "s07") & (influence.term == "good")].set_index("metric")
    for metric in ("rmse", "correlation"):
        without, on_all = (SKLEARN[metric](f.y, f.good) for f in (left, frame))
        assert found.estimate[metric] == pytest.approx(without, rel=TWIN)
        assert found.change[metric] == pytest.approx(without - on_all, rel=1e-9)
        assert found.influence[metric] == pytest.approx(-23 * (without - on_all), rel=1e-9)


def test_memory_stays_under_twice_the_replicates():
    frame = table()
    compare(frame, method="percentile")  # imports take memory of their own
    tracemalloc.start()
    result = compare(frame, method="percentile", n_boot=40_000, n_threads=2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * result.replicates.nbytes


def test_rows_of_the_result_have_names_of_their_own() -> None:
    frame = pd.DataFrame({"subject": np.repeat(np.arange(24), 3), "y": np.arange(72.0) % 7})
    frame = frame.assign(a=frame["y"] * 0.5, b=frame["y"] * 0.4, **{"a - b": frame["y"] * 0.1})
    with pytest.raises(DataError, match=r"two rows of the result would be called 'a - b'"):
        compare_models(frame, truth="y", predictions=["a", "b", "a - b"], cluster="subject")


def test_the_context_of_few_subjects_is_named() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"subject": np.repeat(np.arange(30), 4), "y": rng.normal(size=120)})
    frame = frame.assign(a=frame["y"] + rng.normal(size=120), task=["x", "x", "z", "z"] * 30)
    frame = frame[(frame["task"] == "x") | (frame["subject"] < 12)]
    with pytest.warns(FewSubjectsWarning, match=r"^context 'z' has only 12 subjects"):
        compare_models(
            frame, truth="y", predictions=["a"], cluster="subject", context="task", n_boot=0
        )


def test_without_variation_the_normal_interval_tests_nothing() -> None:
    frame = pd.DataFrame({"subject": np.repeat(np.arange(24), 3), "y": np.arange(72.0) % 7})
    frame = frame.assign(a=frame["y"] + 0.3, b=frame["y"] + 1.3)
    found = compare_models(
        frame, truth="y", predictions=["a", "b"], cluster="subject", metrics=["bias"],
        method="normal", n_boot=50,
    ).tidy()  # fmt: skip
    assert found["p_value"].isna().all()
    assert (
        found["reason"]
        == "the value is the same in every replicate, so its variation cannot be estimated"
    ).all()
    np.testing.assert_allclose(found["conf_low"], found["estimate"])


def test_ratios_of_large_errors_do_not_overflow() -> None:
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"subject": np.repeat(np.arange(24), 3), "y": rng.normal(size=72) * 5e3})
    frame = frame.assign(a=frame["y"] * 0.5, b=rng.normal(size=72) * 5e3)
    found = compare_models(
        frame, truth="y", predictions=["a", "b"], cluster="subject", metrics=["rmse"], ratio=True
    )
    assert found.tidy()["std_error"].notna().all()
    # What a prompt shows is the table.
    assert repr(found) == str(found)
    assert found != found.interval(method="percentile")


@pytest.mark.parametrize(("scale", "message"), [(1e160, "as large as"), (1e-160, "of at most")])
def test_numbers_that_cannot_be_squared_are_refused(scale: float, message: str) -> None:
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"subject": np.repeat(np.arange(24), 3), "y": rng.normal(size=72)})
    frame["a"] = frame["y"] * scale
    with pytest.raises(ColumnError, match=f"column 'a' of the table of predictions: .* {message}"):
        compare_models(frame, truth="y", predictions=["a"], cluster="subject", n_boot=50)
