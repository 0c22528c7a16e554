"""Holm and max-T against statsmodels and hand-made maxima."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from reference import cluster_bootstrap as twin
from statsmodels.stats.multitest import multipletests

from pyexpr.base.errors import DataError
from pyexpr.base.holm import holm
from pyexpr.inference.comparison import compare_models


def test_holm_leaves_out_what_was_not_tested():
    assert holm([0.02, np.nan, 0.04])[[0, 2]].tolist() == [0.04, 0.04]
    assert np.isnan(holm([0.02, np.nan, 0.04])[1])


def made(**options):
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"subject": np.repeat(np.arange(22), 5)})
    frame["context"] = np.tile(list("aabbb"), 22)
    frame["y"] = rng.normal(size=110) + np.repeat(rng.normal(size=22), 5)
    for i, name in enumerate("pqr"):
        frame[name] = 0.3 * i * frame.y + rng.normal(size=110)
    settings = {
        "metrics": ["rmse", "correlation"], "n_boot": 199, "seed": 4, "predictions": list("pqr"),
    }  # fmt: skip
    return frame, compare_models(frame, truth="y", cluster="subject", **(settings | options))


def test_holm_intervals_are_bonferronis():
    _, result = made(context="context")
    adjusted = result.adjust("holm")
    tidy, wide = adjusted.tidy(), result.interval(confidence=1 - 0.05 / 3).tidy()
    family = tidy.term.str.contains(" - ")
    assert (tidy.adjustment[family] == "holm").all()
    for _, part in tidy[family].groupby(["metric", "context"]):
        assert len(part) == 3
        wanted = multipletests(part.p_value, method="holm")[1]
        np.testing.assert_allclose(part.p_adjusted, wanted, rtol=1e-12)
    assert np.array_equal(tidy.conf_low[family], wide.conf_low[family])
    assert (tidy.adjustment[~family] == "").all()
    plain = result.tidy()
    assert np.array_equal(tidy.conf_high[~family], plain.conf_high[~family])
    assert np.array_equal(tidy.p_value, plain.p_value, equal_nan=True)


def test_max_t_by_rows_copied():
    frame, result = made(metrics=["rmse"], n_boot=39)
    tidy = result.adjust("max_t").tidy()
    y, cluster = frame.y.to_numpy(), frame.subject.to_numpy()
    pairs = [("p", "q"), ("p", "r"), ("q", "r")]
    estimate = [
        twin.metric("rmse", frame[a].to_numpy(), y, cluster)
        - twin.metric("rmse", frame[b].to_numpy(), y, cluster)
        for a, b in pairs
    ]
    largest = []
    for r in range(39):
        drawn = twin.draws([22], 4, 1, r)
        rows, names = twin.resampled(cluster, drawn)
        t = []
        for (a, b), centre in zip(pairs, estimate, strict=True):
            p, q, truth = frame[a].to_numpy()[rows], frame[b].to_numpy()[rows], y[rows]

            def apart(keep, p=p, q=q, truth=truth):
                return np.sqrt(np.mean((p - truth)[keep] ** 2)) - np.sqrt(
                    np.mean((q - truth)[keep] ** 2)
                )

            left = np.array([apart(names != i) for i in range(22)])
            error = np.sqrt(21 / 22 * np.sum((left - left.mean()) ** 2))
            t.append(abs(apart(names >= 0) - centre) / error)
        largest.append(max(t))
    largest = np.sort(largest)
    family = tidy.term.str.contains(" - ").to_numpy()
    reach = largest[38 - 1]  # 0.95 of 40
    np.testing.assert_allclose(
        tidy.conf_high[family], estimate + reach * tidy.std_error[family], rtol=1e-9
    )
    statistic = np.abs(estimate) / tidy.std_error[family].to_numpy()
    wanted = [(np.sum(largest >= s) + 1) / 40 for s in statistic]
    assert tidy.p_adjusted[family].tolist() == pytest.approx(wanted)
    assert (tidy.method[family] == "max_t").all()
    assert (tidy.method[~family] == "jackknife_t").all()


def test_adjusting_when_comparing():
    _, asked = made(adjust="max_t")
    _, plain = made()
    pd.testing.assert_frame_equal(asked.tidy(), plain.adjust("max_t").tidy(), check_exact=True)


def test_an_unknown_rule():
    with pytest.raises(DataError, match="adjust= must be one of 'holm', 'max_t', not 'fdr'"):
        made(adjust="fdr")


@pytest.mark.parametrize("rule", ["holm", "max_t"])
@pytest.mark.parametrize("options", [{"pairwise": False}, {"predictions": ["p"]}])
def test_no_differences_cannot_be_judged_together(rule, options):
    says = "there are none; compare two or more models with pairwise=True"
    with pytest.raises(DataError, match=says):
        made(adjust=rule, **options)
    _, result = made(**options)
    with pytest.raises(DataError, match=says):
        result.adjust(rule)


def test_max_t_needs_replicates():
    with pytest.raises(DataError, match="needs 19 replicates, but has 10"):
        made(adjust="max_t", n_boot=10)
