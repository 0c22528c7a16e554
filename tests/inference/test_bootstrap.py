"""cluster_bootstrap of any callable: the same draws as compare_models, and its errors."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from pyexpr.base.errors import (
    ColumnError,
    DataError,
    FewSubjectsWarning,
    Interrupted,
    PyexprWarning,
)
from pyexpr.inference.bootstrap.bootstrap import cluster_bootstrap
from pyexpr.inference.comparison.comparison import compare_models


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


def repeated_median(rows, weights):
    return rows.iloc[np.repeat(np.arange(len(rows)), weights.astype(int))].y.median()


INDEXES = {
    "doubled": lambda frame: frame.set_index(frame.subject.rename(None)),
    "one label": lambda frame: frame.set_axis([0] * len(frame)),
    "several levels": lambda frame: frame.set_axis(
        pd.MultiIndex.from_arrays([frame.subject, frame.y], names=["subject", "y"])
    ),
    "backwards": lambda frame: frame.set_axis(range(len(frame) - 1, -1, -1)),
}


@pytest.mark.parametrize("kind", INDEXES)
@pytest.mark.parametrize("stratify", [None, "sex"])
def test_the_index_of_the_table_changes_nothing(kind, stratify):
    def by_label(rows, weights):
        return rows.y.loc[rows.index.repeat(weights.astype(int))].median()

    frame = table()
    options = {"cluster": "subject", "n_boot": 60, "seed": 2, "stratify": stratify}
    indexed = INDEXES[kind](frame)
    # Arrays, so that no index is used at all.
    y, codes = frame.y.to_numpy(), frame.subject.to_numpy()
    assert np.array_equal(indexed.y.to_numpy(), y)
    wanted = cluster_bootstrap(
        pd.DataFrame({"subject": codes}),
        lambda _, weights: np.median(np.repeat(y, weights.astype(int))),
        **options | {"stratify": None if stratify is None else frame.sex.to_numpy()},
    )
    for statistic in (repeated_median, by_label):
        found = cluster_bootstrap(indexed, statistic, **options)
        assert np.array_equal(found.replicates, wanted.replicates)
        pd.testing.assert_frame_equal(found.tidy(), wanted.tidy(), check_exact=True)


def test_what_the_statistic_writes_reaches_no_other_call():
    def writes(rows, weights):
        rows["y"] *= weights
        rows.loc[0, "y"] += rows.p.mean()
        rows["p"] = 0.0
        rows["new"] = 1.0
        found = rows.y.sum() + rows.y[0]
        # No version of pandas copies what is written to in this way.
        rows["y"].array[:] = 0.0
        return found

    def does_not(rows, weights):
        y = rows.y.to_numpy() * weights
        y[0] += rows.p.mean()
        return pd.Series(y).sum() + y[0]

    frame = table()
    options = {"cluster": "subject", "n_boot": 60, "seed": 2}
    found = cluster_bootstrap(frame, writes, **options)
    wanted = cluster_bootstrap(frame, does_not, **options)
    assert np.array_equal(found.replicates, wanted.replicates)
    assert np.array_equal(found.extend(9).replicates, wanted.extend(9).replicates)
    pd.testing.assert_frame_equal(found.tidy(), wanted.tidy(), check_exact=True)
    pd.testing.assert_frame_equal(frame, table())


def test_rows_can_be_repeated_instead_of_weighted():
    median = repeated_median
    found = cluster_bootstrap(table(), median, cluster="subject", n_boot=99, method="percentile")
    assert found.tidy().term.tolist() == ["statistic"]
    assert found.tidy().estimate[0] == np.median(table().y)
    assert str(found).startswith("Cluster bootstrap of 63 rows of 21 clusters (subject)")


def test_a_note_says_where_the_jackknife_does_not_hold():
    rng = np.random.default_rng(11)
    frame = pd.DataFrame({"subject": np.arange(40), "y": rng.normal(size=40)})

    def both(rows, weights):
        y = np.repeat(rows.y.to_numpy(), weights.astype(int))
        return {"mean": y.mean(), "median": np.median(y)}

    found = cluster_bootstrap(frame, both, cluster="subject", n_boot=400)
    # Each of 40 values left out moves the median to one of its two neighbours: not its error.
    assert len(found.notes()) == 1
    assert "standard error of statistic 'median' is" in found.notes()[0]
    assert found.interval(method="percentile").notes() == ()
    assert cluster_bootstrap(frame, both, cluster="subject", n_boot=40).notes() == ()
    # With a handful of clusters the two errors differ for means too.
    few = frame.assign(subject=frame.index % 3)
    with pytest.warns(FewSubjectsWarning):
        assert cluster_bootstrap(few, both, cluster="subject", n_boot=400).notes() == ()


def test_the_mean_of_cluster_means_is_students_t():
    frame = table()
    means = frame.groupby("subject").y.mean().to_numpy()

    def mean(rows, weights):
        return np.average(rows.y, weights=weights)

    found = cluster_bootstrap(frame, mean, cluster="subject", n_boot=0, null=0.1).tidy()
    # Equal clusters: the jackknife error of the mean is that of the cluster means.
    assert found.std_error[0] == pytest.approx(stats.sem(means), rel=1e-10)
    assert found.statistic[0] == pytest.approx((means.mean() - 0.1) / stats.sem(means), rel=1e-10)


def test_extend_equals_one_call():
    frame = table()
    options = {"cluster": "subject", "method": "percentile", "seed": 3}
    once = cluster_bootstrap(frame, weighted, n_boot=120, **options)
    first = cluster_bootstrap(frame, weighted, n_boot=50, **options)
    frame["y"] = 0.0  # the result has rows of its own
    twice = first.extend(70)
    assert np.array_equal(once.replicates, twice.replicates)
    pd.testing.assert_frame_equal(once.tidy(), twice.tidy(), check_exact=True)


def test_all_statistics_are_one_family():
    found = cluster_bootstrap(table(), weighted, cluster="subject", n_boot=400, null=0.3)
    for method in ("jackknife_t", "percentile"):
        one = found.interval(method=method)
        adjusted = one.adjust("holm").tidy()
        p = one.tidy().p_value
        np.testing.assert_allclose(adjusted.p_adjusted, multipletests(p, method="holm")[1])
        wider = found.interval(method=method, confidence=0.975).tidy()
        assert adjusted.conf_low.tolist() == wider.conf_low.tolist()
        assert (adjusted.adjustment == "holm").all()
    # Of subjects left out, so that no standard error within replicates is needed.
    largest = found.adjust("max_t").tidy()
    assert (largest.method == "max_t").all()
    assert (largest.p_adjusted >= largest.p_value).all()
    assert largest.p_adjusted.max() <= 2 * largest.p_value.max() + 0.02


def test_influence_is_of_the_cluster_named():
    frame = table()
    found = cluster_bootstrap(frame, weighted, cluster="subject", stratify="sex", n_boot=0)
    influence = found.influence().set_index(["term", "cluster"])
    sizes = frame.groupby("sex").subject.nunique()
    for subject in (2, 15):
        left = frame[frame.subject != subject]
        # Its stratum keeps its weight: the others of it stand in for the one left out.
        own = frame.sex[frame.subject == subject].iloc[0]
        weights = np.where(left.sex == own, sizes[own] / (sizes[own] - 1), 1.0)
        bias = np.average(left.p - left.y, weights=weights)
        assert influence.loc[("bias", subject), "estimate"] == pytest.approx(bias, rel=1e-12)


def test_ctrl_c_keeps_what_was_drawn():
    calls = 0

    def tires(rows, weights):
        nonlocal calls
        calls += 1
        if calls == 1 + 21 + 40:  # on all rows, without each cluster, and then
            raise KeyboardInterrupt
        return weighted(rows, weights)

    options = {"cluster": "subject", "n_boot": 100, "seed": 5}
    with pytest.raises(Interrupted, match=r"after \d+ of 100 replicates") as stopped:
        cluster_bootstrap(table(), tires, method="percentile", **options)
    kept = stopped.value.result
    assert 0 < kept.n_boot < 40
    # Too few for percentiles at 95 %, which is no reason to lose them.
    assert kept.method == "jackknife_t"
    assert isinstance(stopped.value, KeyboardInterrupt)
    calls = 1000
    once = cluster_bootstrap(table(), weighted, **options)
    assert np.array_equal(kept.extend(100 - kept.n_boot).replicates, once.replicates)


def test_ctrl_c_stops_a_script_at_once(tmp_path):
    script = tmp_path / "slow.py"
    # SIGINT is ignored in the children of a background job; here it must interrupt.
    script.write_text(
        "import signal, time, numpy as np, pandas as pd, pyexpr as px\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "calls = 0\n"
        "frame = pd.DataFrame({'subject': np.repeat(np.arange(20), 2), 'y': np.arange(40.0)})\n"
        "def slow(rows, weights):\n"
        "    global calls\n"
        "    calls += 1\n"
        "    if calls == 60: print('resampling', flush=True)\n"
        "    time.sleep(0.005)\n"
        "    return np.average(rows['y'], weights=weights)\n"
        "px.cluster_bootstrap(frame, slow, cluster='subject', n_boot=100_000)\n"
    )
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline() == "resampling\n"
        child.send_signal(signal.SIGINT)
        begun = time.monotonic()
        try:
            _, message = child.communicate(timeout=30)
        finally:
            child.kill()
        # 500 s are left to do; the interpreter's end is included, and machines are busy.
        assert time.monotonic() - begun < 20
    assert child.returncode != 0
    assert "stopped by Ctrl-C after" in message.splitlines()[-1]


def test_a_pickled_result_draws_where_the_function_is_found_again():
    found = cluster_bootstrap(table(), weighted, cluster="subject", n_boot=50)
    again = pickle.loads(pickle.dumps(found))
    pd.testing.assert_frame_equal(again.tidy(), found.tidy(), check_exact=True)
    assert again.influence().equals(found.influence())
    assert again.extend(5).tidy().equals(found.extend(5).tidy())


@pytest.mark.parametrize("n", [-1, 2.5, True])
def test_extend_takes_a_whole_number(n):
    found = cluster_bootstrap(table(), weighted, cluster="subject", n_boot=0)
    with pytest.raises(DataError, match="n= must be a whole number of further replicates"):
        found.extend(n)


def test_undefined_replicates_are_counted():
    def sometimes(rows, weights):
        return np.nan if weights[0] == 0 else np.average(rows.y, weights=weights)

    found = cluster_bootstrap(
        table(), sometimes, cluster="subject", n_boot=400, method="percentile"
    ).tidy()
    assert 100 < found.n_undefined[0] < 190
    assert found.reason[0].startswith("undefined in")
    assert np.isnan(found.conf_low[0])


@pytest.mark.parametrize("method", ["jackknife_t", "percentile", "basic", "normal", "bca"])
def test_infinite_replicates_are_undefined(method):
    # Two of 21 clusters are needed: 1 - (19/21)^21 of the draws have one, the others none.
    def odds(rows, weights):
        with np.errstate(divide="ignore"):
            return rows.y.abs().sum() / np.float64(weights[rows.subject < 2].sum())

    def undefined(rows, weights):
        value = odds(rows, weights)
        return value if np.isfinite(value) else np.nan

    options = {"cluster": "subject", "n_boot": 400, "seed": 2, "method": method}
    found = cluster_bootstrap(table(), odds, **options)
    wanted = cluster_bootstrap(table(), undefined, **options)
    assert np.isfinite(found.replicates).sum() + found.tidy().n_undefined[0] == 400
    assert 20 < found.tidy().n_undefined[0] < 80
    pd.testing.assert_frame_equal(found.tidy(), wanted.tidy(), check_exact=True)
    if method != "jackknife_t":
        assert found.tidy().reason[0].startswith("undefined in")


def test_a_few_infinite_replicates_are_left_out_of_the_normal_interval():
    def rarely(rows, weights):
        # One cluster four times or more: in 1.8 % of the draws.
        often = weights[rows.subject.to_numpy() == 0][0] >= 4
        return -np.inf if often else np.average(rows.y, weights=weights)

    with pytest.warns(PyexprWarning, match="is undefined in"):
        found = cluster_bootstrap(
            table(), rarely, cluster="subject", n_boot=400, method="normal", seed=2
        )
    row = found.tidy().iloc[0]
    kept = found.replicates[np.isfinite(found.replicates)]
    assert len(kept) == 400 - row.n_undefined < 400
    assert row.std_error == pytest.approx(np.std(kept, ddof=1), rel=1e-12)
    assert np.isfinite(row.conf_low)


def test_infinite_without_a_cluster_is_undefined_without_it():
    def needs_a(rows, weights):
        return np.inf if weights[(rows.subject == 3).to_numpy()].sum() == 0 else 1.0

    found = cluster_bootstrap(table(), needs_a, cluster="subject", n_boot=0).tidy()
    assert found.reason[0] == "undefined if one of 1 subject is left out"


def test_few_clusters_are_warned_of():
    with pytest.warns(FewSubjectsWarning, match="only 9 clusters"):
        cluster_bootstrap(table().query("subject < 9"), weighted, cluster="subject", n_boot=40)


@pytest.mark.parametrize(
    ("statistic", "options", "message"),
    [
        (lambda r, w: "high", {}, "must return a number or a mapping of names to numbers"),
        (lambda r, w: "3", {}, "must return a number .* not '3'"),
        (lambda r, w: {}, {}, "empty mapping"),
        (lambda r, w: np.nan, {}, "'statistic' is not defined on the table itself"),
        (lambda r, w: {f"x{w[0]:g}": 1.0}, {}, "in a replicate"),
        (lambda r, w: np.inf, {}, "'statistic' is infinite on the table itself"),
        ("mean", {}, r"must be a function of \(rows, weights\).*not str"),
        ({}, {}, "an empty mapping"),
        (weighted, {"null": "0"}, "null= must be a finite number, or None .*, not '0'"),
        (weighted, {"null": np.nan}, "null= must be a finite number"),
        (weighted, {"null": [0.0]}, "null= must be a finite number"),
        (weighted, {"confidence": "0.95"}, "confidence= must be .*, not '0.95'"),
        (weighted, {"confidence": None}, "confidence= must be"),
        (weighted, {"method": ["bca"]}, "method= must be one of"),
        (weighted, {"n_threads": 0}, "n_threads= must be a whole number of at least 1"),
        (weighted, {"n_threads": -1}, "n_threads= must be"),
        (weighted, {"n_threads": 2.0}, "n_threads= must be"),
        (weighted, {"n_threads": True}, "n_threads= must be"),
        (weighted, {"cluster": None}, "has repeated values"),
        (weighted, {"n_boot": -1}, "n_boot= must be"),
        (weighted, {"method": "studentized"}, "custom statistic does not provide"),
    ],
)
def test_errors(statistic, options, message):
    with pytest.raises(DataError, match=message):
        cluster_bootstrap(table(), statistic, **({"cluster": "subject", "n_boot": 50} | options))


@pytest.mark.parametrize("rule", ["holm", "max_t"])
def test_without_a_null_there_is_nothing_to_adjust(rule):
    found = cluster_bootstrap(table(), weighted, cluster="subject", n_boot=50)
    with pytest.raises(DataError, match="nothing was tested; give null="):
        found.adjust(rule)


def test_a_cluster_is_not_named_among_columns_of_several_levels():
    frame = table()
    subject = frame.subject.to_numpy()
    frame.columns = pd.MultiIndex.from_product([["a"], frame.columns])

    def mean(rows, weights):
        return np.average(rows[("a", "y")], weights=weights)

    for options in ({"cluster": "a"}, {"cluster": subject, "stratify": "a"}):
        with pytest.raises(ColumnError, match=r"names of 2 levels, such as .*; join them first"):
            cluster_bootstrap(frame, mean, n_boot=9, **options)
    found = cluster_bootstrap(frame, mean, cluster=subject, n_boot=9)
    assert found.tidy().estimate[0] == pytest.approx(table().y.mean())


def test_what_the_statistic_raises_is_passed_on():
    def failing(rows, weights):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        cluster_bootstrap(table(), failing, cluster="subject")
