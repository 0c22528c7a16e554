"""Metrics of classes and of ranks in the kernel, against scikit-learn and SciPy on copied rows."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from reference import cluster_bootstrap as twin
from scipy import stats
from sklearn import metrics as sk

from pyexpr.core import cluster_bootstrap as core

# Whole numbers summed in another order are the same; what is left is a division.
TWIN = 1e-12
N_BOOT = 60
SIZES = [6, 1, 14, 3, 3, 9, 2, 5, 8]
LABELS = [0, 1, 2]


def undefined(function):
    """Return the function with NaN where scikit-learn warns or raises that it is undefined."""

    def value(t, p):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                return float(function(t, p))
            except (ValueError, Warning):
                return np.nan

    return value


def area(t, p):
    return np.nan if len(set(t)) < 2 else sk.roc_auc_score(t, p)


def balanced(t, p):
    # scikit-learn averages over the classes that are there; one that is not is undefined here.
    return np.mean(sk.recall_score(t, p, labels=[0, 1], average=None, zero_division=np.nan))


def macro_f1(t, p):
    return np.mean(sk.f1_score(t, p, labels=LABELS, average=None, zero_division=np.nan))


def spearman(t, p):
    if np.ptp(t) == 0 or np.ptp(p) == 0:
        return np.nan
    return stats.spearmanr(t, p).statistic


BINARY = {
    "area": (area, "score"),
    "accuracy": (sk.accuracy_score, "label"),
    "balanced accuracy": (balanced, "label"),
    "f1": (lambda t, p: sk.f1_score(t, p, zero_division=np.nan), "label"),
    "kappa": (sk.cohen_kappa_score, "label"),
    "mse": (sk.brier_score_loss, "score"),
}


def rows(seed, *, rare=False, ties=False):
    """Return score, label, truth (0 or 1) and cluster."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(len(SIZES)), SIZES)
    latent = rng.normal(size=len(SIZES))[cluster] + rng.normal(size=len(cluster))
    truth = (latent > (1.6 if rare else 0)).astype(int)
    score = 1 / (1 + np.exp(-latent - rng.normal(size=len(cluster))))
    score = np.round(score, 1) if ties else score
    order = rng.permutation(len(cluster))
    return score[order], (score >= 0.5).astype(int)[order], truth[order], cluster[order]


def ranked(score, truth, cluster, n_clusters):
    column = core.cluster_sums(score, truth, cluster, n_clusters)
    ranks = core.RankedRows(
        cluster, np.unique(score, return_inverse=True)[1], np.unique(truth, return_inverse=True)[1]
    )
    return core.Column(column.sums, column.centres, "ranked", column.least, ranks)


def design(score, label, truth, cluster, strata=None, scale="identity"):
    G = len(SIZES)
    classes = [
        core.class_sums(label == k, truth == k, cluster, G, shared=("class", k)) for k in (0, 1)
    ]
    probability = core.cluster_sums(score, truth, cluster, G, shared="numbers")
    columns = [ranked(score, truth, cluster, G), *classes, probability]
    levels = [
        core.Level("area", (0,)),
        core.Level("accuracy", (2,)),
        core.Level("recall", (1, 2)),
        core.Level("f1", (2,)),
        core.Level("kappa", (1, 2), folds=2),
        core.Level("mse", (3,)),
        core.Level("spearman", (0,)),
    ]
    quantities = [core.Quantity(i, scale=scale) for i in range(len(levels))]
    return core.MetricDesign(columns, levels, quantities, strata or (G,))


def wanted(score, label, truth):
    values = [
        undefined(function)(truth, {"score": score, "label": label}[of])
        for function, of in BINARY.values()
    ]
    return [*values, undefined(spearman)(truth, score)]


@pytest.mark.parametrize("rare", [False, True])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("strata", [None, (4, 5), (2, 2, 2, 3)])
def test_everything_equals_scikit_learn_on_copied_rows(rare, ties, strata):
    score, label, truth, cluster = rows(3, rare=rare, ties=ties)
    made = design(score, label, truth, cluster, strata)
    close = {"rtol": TWIN, "atol": TWIN}
    np.testing.assert_allclose(made.estimate(), wanted(score, label, truth), **close)

    found = made.replicates(N_BOOT, seed=11)
    for r in range(N_BOOT):
        drawn, _ = twin.resampled(cluster, twin.draws(list(strata or [len(SIZES)]), 11, 1, r))
        np.testing.assert_allclose(
            found[:, r], wanted(score[drawn], label[drawn], truth[drawn]), **close
        )
    if rare and strata is None:
        assert np.isnan(found[0]).any(), "some draws have no positive row"

    left = made.jackknife()
    for g in range(len(SIZES)):
        drawn, _ = twin.weighted(cluster, twin.without(list(strata or [len(SIZES)]), g))
        np.testing.assert_allclose(
            left[:, g], wanted(score[drawn], label[drawn], truth[drawn]), **close
        )

    alone = made.alone()
    for g in range(len(SIZES)):
        own = cluster == g
        np.testing.assert_allclose(alone[:, g], wanted(score[own], label[own], truth[own]), **close)


@pytest.mark.parametrize("strata", [None, (4, 5)])
def test_errors_within_replicates_are_those_of_copies_left_out(strata):
    score, label, truth, cluster = rows(5, ties=True)
    G = list(strata or [len(SIZES)])
    found = design(score, label, truth, cluster, strata).standard_errors(8, seed=2)
    for r in range(8):
        drawn, names = twin.resampled(cluster, twin.draws(G, 2, 1, r))
        variance = np.zeros(len(found))
        values = []
        for g in range(sum(G)):
            kept, _ = twin.weighted(names, twin.without(G, g))
            at = drawn[kept]
            values.append(wanted(score[at], label[at], truth[at]))
        start = 0
        for size in G:
            part = np.array(values[start : start + size])
            variance += (size - 1) / size * np.sum((part - part.mean(axis=0)) ** 2, axis=0)
            start += size
        np.testing.assert_allclose(found[:, r], np.sqrt(variance), rtol=1e-9, atol=1e-12)


def test_several_classes_equal_scikit_learn():
    rng = np.random.default_rng(8)
    cluster = np.repeat(np.arange(len(SIZES)), SIZES)
    truth = rng.choice(LABELS, size=len(cluster), p=[0.6, 0.3, 0.1])
    label = np.where(rng.random(len(cluster)) < 0.6, truth, rng.choice(LABELS, size=len(cluster)))
    columns = [
        core.class_sums(label == k, truth == k, cluster, len(SIZES), shared=k) for k in LABELS
    ]
    levels = [core.Level("f1", (0, 1, 2)), core.Level("kappa", (0, 1, 2), folds=3)]
    made = core.MetricDesign(columns, levels, [core.Quantity(0), core.Quantity(1)], (len(SIZES),))
    found = made.replicates(N_BOOT, seed=4)
    for r in range(N_BOOT):
        drawn, _ = twin.resampled(cluster, twin.draws([len(SIZES)], 4, 1, r))
        t, p = truth[drawn], label[drawn]
        expected = undefined(macro_f1)(t, p), sk.cohen_kappa_score(t, p)
        np.testing.assert_allclose(found[:, r], expected, rtol=TWIN, atol=TWIN)


def test_ranks_within_folds_are_averaged_with_their_rows():
    score, _, truth, cluster = rows(6, ties=True)
    G = len(SIZES)
    fold = np.arange(G) % 3
    columns = []
    for k in range(3):
        own = fold[cluster] == k
        columns.append(ranked(score[own], truth[own], cluster[own], G))
    made = core.MetricDesign(
        columns, [core.Level("area", (0, 1, 2), folds=3)], [core.Quantity(0)], (G,)
    )
    for r, value in enumerate(made.replicates(N_BOOT, seed=1)[0]):
        drawn, _ = twin.resampled(cluster, twin.draws([G], 1, 1, r))
        total = weight = 0.0
        for k in range(3):
            at = drawn[fold[cluster[drawn]] == k]
            if len(at):
                total += len(at) * undefined(area)(truth[at], score[at])
                weight += len(at)
        np.testing.assert_allclose(value, total / weight, rtol=TWIN, atol=TWIN)


def test_bytes_do_not_depend_on_threads_or_ranges():
    made = design(*rows(7, ties=True))
    whole = made.replicates(500, seed=3, n_threads=1)
    assert whole.tobytes() == made.replicates(500, seed=3, n_threads=7).tobytes()
    assert whole[:, 130:190].tobytes() == made.replicates(60, seed=3, first=130).tobytes()


def test_undefined_where_a_class_is_missing():
    score, label, truth, cluster = rows(7)
    values = design(score, label * 0, truth * 0, cluster).estimate()
    found = dict(zip([*BINARY, "spearman"], values, strict=True))
    assert {name for name, value in found.items() if np.isnan(value)} == {
        "area", "balanced accuracy", "f1", "kappa", "spearman",
    }  # fmt: skip


def test_ranks_that_are_none_are_refused():
    codes = np.zeros(3, dtype=np.int64)
    for prediction, truth, cluster in (
        ([0, 2, 2], [0, 1, 1], codes), ([0, 1, -1], [0, 1, 1], codes),
        ([0, 1, 2], [0, 1, 9], codes),
        ([0, 1, 2], [0, 1, 1], codes + 1),
    ):  # fmt: skip
        column = core.Column(
            np.ones((9, 1)), (0.0, 0.0), None,
            ranked=core.RankedRows(np.array(cluster), np.array(prediction), np.array(truth)),
        )  # fmt: skip
        with pytest.raises(ValueError, match=r"ranks|cluster"):
            core.MetricDesign([column], [core.Level("area", (0,))], [core.Quantity(0)], (1,))
    with pytest.raises(ValueError, match="ranked rows"):
        core.MetricDesign(
            [core.Column(np.ones((9, 1)), (0.0, 0.0), None)],
            [core.Level("area", (0,))], [core.Quantity(0)], (1,),
        )  # fmt: skip
