"""Sign flips: against SciPy's permutation test, closed forms, and rows exchanged one by one."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from reference import sign_flip as twin

from pyexpr.base.errors import DataError, FewSubjectsWarning
from pyexpr.inference.comparison.comparison import compare_models
from pyexpr.inference.comparison.predictions import Predictions
from pyexpr.inference.comparison.quantities import METRICS

# Sums in another order, and a statistic that divides by a small standard error.
TWIN = 1e-9


def table(n_subjects, seed=0, clips=(2, 6), units=1.0):
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(n_subjects), rng.integers(*clips, size=n_subjects))
    y = rng.normal(size=n_subjects)[subject] + rng.normal(size=len(subject))
    frame = pd.DataFrame({"subject": subject, "y": y + 1})
    frame["p"] = 0.7 * frame.y + 0.6 * rng.normal(size=len(y)) + 0.2
    frame["q"] = units * (0.3 * frame.y + rng.normal(size=len(y)))
    return frame


def compared(frame, **options):
    if "nrmse" in str(options.get("metrics")):
        options["score_range"] = 7
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewSubjectsWarning)
        return compare_models(
            frame,
            **({"truth": "y", "predictions": ["p", "q"], "cluster": "subject", "n_boot": 0}
            | options),
        )  # fmt: skip


# A bias within subjects is 0 by definition.
@pytest.mark.parametrize(
    "metric", [name for name in METRICS if name != "bias_within" and "spearman" not in name]
)
def test_statistics_equal_rows_exchanged_one_by_one(metric):
    frame = table(6, units=3.0)
    cluster = frame.subject.to_numpy()
    columns = [frame[name].to_numpy() for name in "pqy"]
    result = compared(frame, metrics=[metric])
    found = result.sign_flip()
    values = [
        twin.statistic(metric, *columns, cluster, (number >> np.arange(6)) & 1 == 1, [6])
        for number in range(64)
    ]
    assert found.statistic[0] == pytest.approx(values[0], rel=TWIN)
    # Unflipped it is the jackknife's t statistic of the difference.
    assert found.statistic[0] == pytest.approx(result.tidy().statistic[2], rel=TWIN)
    wanted = np.mean(np.abs(values) >= abs(values[0]) * (1 - TWIN))
    assert found.p_value[0] == wanted
    assert found.tidy().loc[0, ["method", "n_flips", "reason"]].tolist() == ["all flips", 64, ""]


@pytest.mark.parametrize("metric", ["correlation", "rmse", "concordance"])
def test_random_flips_are_numpys_philox(metric):
    frame = table(18)
    cluster = frame.subject.to_numpy()
    columns = [frame[name].to_numpy() for name in "pqy"]
    frame["half"] = cluster >= 7
    found = compared(frame, metrics=[metric], stratify="half", seed=5).sign_flip(n_flips=60)
    values = np.abs([
        twin.statistic(metric, *columns, cluster, twin.random_exchange(18, 5, r), [7, 11])
        for r in range(60)
    ])  # fmt: skip
    observed = abs(twin.statistic(metric, *columns, cluster, np.zeros(18, dtype=bool), [7, 11]))
    assert abs(found.statistic[0]) == pytest.approx(observed, rel=TWIN)
    assert found.p_value[0] == (1 + np.sum(values >= observed)) / 61
    assert found.tidy().method[0] == "random flips"


@pytest.mark.parametrize("n_subjects", [3, 5, 9])
def test_a_model_better_in_every_subject_has_the_least_p(n_subjects):
    # Errors of the same size in every row of a model: any mixture lies in between, and
    # no variation is left in two flips alone, which count.
    rng = np.random.default_rng(n_subjects)
    subject = np.repeat(np.arange(n_subjects), 2)
    y = rng.normal(size=len(subject))
    frame = pd.DataFrame({"subject": subject, "y": y})
    frame["p"] = y + np.tile([0.10, 0.11], n_subjects) * (1 + 0.01 * subject)
    frame["q"] = y + 5 * (frame.p - y)
    found = compared(frame, metrics=["mae"]).sign_flip()
    assert found.p_value[0] == 2 / 2**n_subjects


def test_standardising_makes_the_correlation_blind_to_the_unit():
    first = compared(table(9, units=1.0), metrics=["correlation"]).sign_flip()
    second = compared(table(9, units=250.0), metrics=["correlation"]).sign_flip()
    assert first.p_value[0] == second.p_value[0]


def test_size_where_models_are_exchangeable():
    # All 2^6 flips: p is a multiple of 2/64, and at most .05 in 2/64 of studies.
    rng = np.random.default_rng(2)
    subject = np.repeat(np.arange(6), 4)
    called = {"rmse": 0, "correlation": 0}
    studies = 400
    for _ in range(studies):
        y = rng.normal(size=24)
        frame = pd.DataFrame({"subject": subject, "y": y})
        for name in "pq":
            frame[name] = 0.5 * y + rng.standard_t(3, size=24)
        result = compared(frame, metrics=list(called)).sign_flip()
        for metric, p in zip(called, result.p_value, strict=True):
            called[metric] += p <= 0.05
    exact = 2 / 64
    # Raw predictions: exact. Standardised ones nearly so. Four Monte Carlo errors.
    error = 4 * np.sqrt(exact * (1 - exact) / studies)
    assert called["rmse"] / studies == pytest.approx(exact, abs=error)
    assert called["correlation"] / studies == pytest.approx(exact, abs=error)


def test_contexts_pairs_threads_and_text():
    frame = table(40)
    frame["r"] = frame.q + 0.1
    frame["context"] = np.where(np.arange(len(frame)) % 2, "a", "b")
    results = [
        compared(
            frame, predictions=list("pqr"), context="context", n_threads=n, metrics=["correlation"]
        ).sign_flip(n_flips=5000)
        for n in (1, 2, 7)
    ]
    tables = [result.tidy() for result in results]
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])
    assert tables[0].term.tolist() == ["p - q", "p - r", "q - r"] * 3
    assert tables[0].p_value[:2].between(1 / 5001, 0.05).all()
    # q and r correlate alike: nothing to judge by.
    assert np.isnan(tables[0].p_value[2])
    assert "its variation cannot be estimated" in tables[0].reason[2]
    text = str(results[0])
    assert text.startswith("Sign-flip test of 9 differences")
    assert "exact only for it" in text
    assert results[0].to_dict()["provenance"]["stream"] == 2


def test_different_truths_are_not_exchanged():
    frame = table(25)
    frame["other"] = frame.y + 0.1
    human = Predictions("q", truth="other")
    raters = Predictions(["p", "q"])
    result = compared(frame, predictions={"p": "p", "human": human, "two": raters})
    tidy = result.sign_flip().tidy().set_index(["metric", "term"])
    assert tidy.p_value.isna().all()
    assert "different criteria" in tidy.reason["rmse", "p - human"]
    assert "several columns" in tidy.reason["rmse", "p - two"]


def test_errors():
    with pytest.raises(DataError, match="compares models"):
        compared(table(25), predictions=["p"]).sign_flip()
    with pytest.raises(DataError, match="n_flips= must be"):
        compared(table(25)).sign_flip(n_flips=0)
