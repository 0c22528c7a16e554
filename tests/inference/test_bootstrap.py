"""cluster_bootstrap of any callable: the same draws as compare_models, and its errors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pyexpr.base.errors import DataError, FewSubjectsWarning
from pyexpr.inference.bootstrap import cluster_bootstrap
from pyexpr.inference.comparison import compare_models


def table():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"subject": np.repeat(np.arange(21), 3), "y": rng.normal(size=63)})
    frame["p"] = frame.y + rng.normal(size=63)
    frame["sex"] = np.where(frame.subject < 9, "f", "m")
    return frame.sample(frac=1, random_state=0, ignore_index=True)


def weighted(rows, weights):
    d = rows.p - rows.y
    bias = np.average(d, weights=weights)
    return {"rmse": np.sqrt(np.average(d**2, weights=weights)), "bias": bias}


@pytest.mark.parametrize("stratify", [None, "sex"])
def test_replicates_equal_those_of_compare_models(stratify):
    frame = table()
    options = {"cluster": "subject", "n_boot": 50, "seed": 7, "stratify": stratify}
    found = cluster_bootstrap(frame, weighted, **options)
    wanted = compare_models(
        frame, truth="y", predictions=["p"], metrics=["rmse", "bias"], **options
    )
    np.testing.assert_allclose(found.replicates, wanted.replicates, rtol=1e-12, atol=1e-14)
    # On the identity scale the two agree in everything; RMSE has a scale of its own.
    columns = ["estimate", "std_error", "df", "conf_low", "conf_high"]
    ours, theirs = found.tidy()[columns].iloc[1], wanted.tidy()[columns].iloc[1]
    np.testing.assert_allclose(ours.astype(float), theirs.astype(float), rtol=1e-10)
    for method in ("percentile", "bca"):
        one = found.interval(method=method).tidy()[["conf_low", "conf_high"]]
        other = wanted.interval(method=method).tidy()[["conf_low", "conf_high"]]
        np.testing.assert_allclose(one, other, rtol=1e-10)


def test_rows_can_be_repeated_instead_of_weighted():
    def median(rows, weights):
        return rows.y.loc[rows.index.repeat(weights.astype(int))].median()

    found = cluster_bootstrap(table(), median, cluster="subject", n_boot=99, method="percentile")
    assert found.tidy().term.tolist() == ["statistic"]
    assert found.tidy().estimate[0] == np.median(table().y)
    assert str(found).startswith("Cluster bootstrap of 63 rows of 21 clusters (subject)")


def test_the_mean_of_cluster_means_is_students_t():
    frame = table()
    means = frame.groupby("subject").y.mean().to_numpy()

    def mean(rows, weights):
        return np.average(rows.y, weights=weights)

    found = cluster_bootstrap(frame, mean, cluster="subject", n_boot=0, null=0.1).tidy()
    # Equal clusters: the jackknife error of the mean is that of the cluster means.
    assert found.std_error[0] == pytest.approx(stats.sem(means), rel=1e-10)
    assert found.statistic[0] == pytest.approx((means.mean() - 0.1) / stats.sem(means), rel=1e-10)


def test_undefined_replicates_are_counted():
    def sometimes(rows, weights):
        return np.nan if weights[0] == 0 else np.average(rows.y, weights=weights)

    found = cluster_bootstrap(
        table(), sometimes, cluster="subject", n_boot=400, method="percentile"
    ).tidy()
    assert 100 < found.n_undefined[0] < 190
    assert found.reason[0].startswith("undefined in")
    assert np.isnan(found.conf_low[0])


def test_few_clusters_are_warned_of():
    with pytest.warns(FewSubjectsWarning, match="only 9 subjects"):
        cluster_bootstrap(table().query("subject < 9"), weighted, cluster="subject", n_boot=40)


@pytest.mark.parametrize(
    ("statistic", "options", "says"),
    [
        (lambda r, w: "high", {}, "must return a number or a mapping of names to numbers"),
        (lambda r, w: {}, {}, "empty mapping"),
        (lambda r, w: np.nan, {}, "'statistic' is not defined on the table itself"),
        (lambda r, w: {f"x{w[0]:g}": 1.0}, {}, "in a replicate"),
        (weighted, {"cluster": None}, "repeats"),
        (weighted, {"n_boot": -1}, "n_boot= must be"),
        (weighted, {"method": "studentized"}, "a Python statistic does not give"),
    ],
)
def test_errors(statistic, options, says):
    with pytest.raises(DataError, match=says):
        cluster_bootstrap(table(), statistic, **({"cluster": "subject", "n_boot": 50} | options))


def test_what_the_statistic_raises_is_passed_on():
    def failing(rows, weights):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        cluster_bootstrap(table(), failing, cluster="subject")
