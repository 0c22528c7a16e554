"""Reliability of traces: planted lags and variances, other software's numbers, awkward traces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pyexpr as px
from pyexpr.base.errors import ColumnError, DataError

COLUMNS = {
    "targets": "clip", "ratings": "valence", "raters": "rater", "time": "t", "cluster": "subject",
}  # fmt: skip

# psych 2.2.9, ICC(x, lmer = FALSE)$results$ICC[c(2, 3, 5, 6)] of the frames of traces(subjects=2),
# and of their means by clip.
BY_PSYCH = {
    ("frame", "ICC(A,1)"): 0.965032624665, ("frame", "ICC(C,1)"): 0.965002607493,
    ("frame", "ICC(A,k)"): 0.988066007969, ("frame", "ICC(C,k)"): 0.988055518697,
    ("clip", "ICC(A,1)"): 0.999589676819, ("clip", "ICC(C,1)"): 0.999484722671,
    ("clip", "ICC(A,k)"): 0.999863188182, ("clip", "ICC(C,k)"): 0.999828181868,
}  # fmt: skip


def traces(
    lags: tuple[float, ...] = (0.0, 0.0, 0.0), *, subjects: int = 5, noise: float = 0.3,
    step: float = 0.1, seed: int = 1,
) -> pd.DataFrame:  # fmt: skip
    """Return two clips of 20 seconds a subject: sums of waves, with lags and noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(0, 20, step)
    rows = []
    for clip in range(2 * subjects):
        phases, level = rng.uniform(0, 6, 3), rng.normal()
        for j, lag in enumerate(lags):
            waves = [
                np.sin(w * (t - lag) + p) for w, p in zip((0.7, 1.3, 2.1), phases, strict=True)
            ]
            value = level + np.sum(waves, axis=0) + noise * rng.normal(size=len(t))
            rows.append(
                pd.DataFrame(
                    {"subject": clip // 2, "clip": clip, "rater": "abcdef"[j], "t": t,
                     "valence": value}
                )
            )  # fmt: skip
    return pd.concat(rows, ignore_index=True)


def estimate(result: Any, level: str, form: str) -> float:
    table = result.tidy()
    return float(table.loc[(table["level"] == level) & (table["form"] == form), "estimate"].iloc[0])


def test_reliabilities_are_those_of_psych_and_of_covariances() -> None:
    found = px.trace_reliability(traces(subjects=2), **COLUMNS, max_lag=0)
    for (level, form), value in BY_PSYCH.items():
        assert estimate(found, level, form) == pytest.approx(value, abs=1e-9)
    frames = found.frames()
    moments = frames[list("abc")] - frames.groupby("clip")[list("abc")].transform("mean")
    covariance = np.cov(moments.to_numpy().T)
    between = (covariance.sum() - np.trace(covariance)) / 6
    assert estimate(found, "within", "ICC(C,1)") == pytest.approx(
        between / np.trace(covariance) * 3, abs=1e-12
    )


def test_planted_lags_are_found_and_removed() -> None:
    lags = (0.0, 0.35, 1.6)
    data = traces(lags)
    plain = px.trace_reliability(data, **COLUMNS)
    aligned = px.trace_reliability(data, **COLUMNS, align=True)
    table = aligned.lags()
    assert list(table["lag"]) == pytest.approx(np.array(lags) - np.mean(lags), abs=0.02)
    assert (table["conf_low"] < table["lag"]).all()
    assert table["removed"].all()
    # Of a signal with variance 1.5 and an error of 0.09.
    assert estimate(aligned, "within", "ICC(C,1)") == pytest.approx(1.5 / 1.59, abs=0.02)
    assert estimate(plain, "within", "ICC(C,1)") < 0.6
    after = px.trace_reliability(
        aligned.frames().melt(id_vars=["subject", "clip", "time"], value_vars=list("abc"),
                              var_name="rater", value_name="valence"),
        **{**COLUMNS, "time": "time"},
    )  # fmt: skip
    assert list(after.lags()["lag"]) == pytest.approx([0, 0, 0], abs=0.02)


def test_the_lag_of_two_raters_is_that_of_scipys_correlation() -> None:
    from scipy.signal import correlate, correlation_lags

    data = traces((0.0, 0.7), noise=0.2)
    one = data[data["clip"] == 3]
    x, y = (one.loc[one["rater"] == name, "valence"].to_numpy() for name in "ba")
    x, y = x - x.mean(), y - y.mean()
    shifts = correlation_lags(len(x), len(y))
    near = np.abs(shifts) <= 40
    overlap = correlate(x**2, np.ones(len(y))) * correlate(np.ones(len(x)), y**2)
    theirs = shifts[near][np.argmax((correlate(x, y) / np.sqrt(overlap))[near])]
    both = pd.concat([one, one.assign(clip=4, subject=9)])
    lag = px.trace_reliability(both, **COLUMNS, max_lag=2).lags()["lag"]
    # Between frames only by the quadratic approximation.
    assert (lag[1] - lag[0]) * 10 == pytest.approx(theirs, abs=0.6)


def test_frames_are_interpolated_as_by_scipy_and_averaged() -> None:
    from scipy.interpolate import interp1d

    rng = np.random.default_rng(3)
    t = np.arange(60) * 0.5 + rng.uniform(-0.2, 0.2, 60)
    rows = [
        pd.DataFrame({"subject": clip, "clip": clip, "rater": rater, "t": t, "valence": v})
        for clip in range(2) for rater, v in zip("ab", rng.normal(size=(2, 60)), strict=True)
    ]  # fmt: skip
    data = pd.concat(rows)
    frames = px.trace_reliability(data, **COLUMNS, rate=10, max_lag=0).frames()
    own = frames[frames["clip"] == 1]
    inside = own[(own["time"] > t[0]) & (own["time"] < t[-1])]
    theirs = interp1d(t, rows[2]["valence"])(inside["time"])
    assert inside["a"].to_numpy() == pytest.approx(theirs, abs=1e-12)
    held = px.trace_reliability(data, **COLUMNS, rate=10, max_lag=0, filling="previous").frames()
    held = held[(held["clip"] == 1) & (held["time"] > t[0]) & (held["time"] < t[-1])]
    theirs = interp1d(t, rows[2]["valence"], kind="previous")(held["time"])
    assert held["a"].to_numpy() == pytest.approx(theirs, abs=1e-12)
    slow = px.trace_reliability(traces(step=0.01, subjects=2), **COLUMNS, rate=1, max_lag=0)
    values = traces(step=0.01, subjects=2).query("clip == 2 and rater == 'b' and 4.5 <= t < 5.5")
    mine = slow.frames().query("clip == 2 and time == 5")["b"].iloc[0]
    # The mean of its hundred values is that at 4.995 seconds.
    assert mine == pytest.approx(values["valence"].mean(), abs=0.02)


def test_gaps_are_not_filled_and_frames_are_common() -> None:
    data = traces()
    gap = (data["clip"] == 0) & (data["rater"] == "b") & data["t"].between(5, 9)
    found = px.trace_reliability(data[~gap], **COLUMNS, max_lag=0)
    times = found.frames().query("clip == 0")["time"]
    assert not times.between(5.01, 8.99).any()
    wide = px.trace_reliability(data[~gap], **COLUMNS, max_lag=0, max_gap=5)
    assert wide.frames().query("clip == 0")["time"].between(5.01, 8.99).any()


def test_late_short_and_empty_traces() -> None:
    data = traces()
    late = (data["clip"] == 0) & (data["rater"] == "a") & (data["t"] < 6)
    short = (data["clip"] == 1) & (data["rater"] == "a") & (data["t"] > 4)
    data.loc[(data["clip"] == 2) & (data["rater"] == "a"), "valence"] = np.nan
    found = px.trace_reliability(data[~late & ~short], **COLUMNS)
    table = found.traces().set_index(["clip", "rater"])
    assert table.loc[(0, "a"), "used"]
    assert found.frames().query("clip == 0")["time"].min() == pytest.approx(6)
    assert table.loc[(1, "a"), "reason"].code == "trace_too_short"
    assert table.loc[(2, "a"), "reason"].code == "trace_without_values"
    assert found.frames().query("clip in (1, 2)")["a"].isna().all()
    codes = {note.code for note in found.notes()}
    assert {"traces_left_out", "trace_values_missing"} <= codes
    assert found.mean_trace().query("clip == 1")["n_raters"].eq(2).all()


def test_constant_traces_are_used_and_counted() -> None:
    data = traces()
    flat = data["rater"] == "c"
    data.loc[flat, "valence"] = 0.1
    found = px.trace_reliability(data, **COLUMNS)
    lag = found.lags().set_index("rater")
    assert lag.loc["c", "reason"].code == "lag_undefined"
    assert any(note.code == "traces_constant" for note in found.notes())
    with pytest.raises(DataError, match=r"the lag of .*'c'.* cannot be estimated"):
        px.trace_reliability(data, **COLUMNS, align=True)


def test_a_lag_beyond_the_largest_has_a_reason() -> None:
    found = px.trace_reliability(traces((0.0, 0.0, 1.2)), **COLUMNS, max_lag=0.5)
    assert "lag_without_peak" in {why.code for why in found.lags()["reason"] if why}


def test_results_are_saved_and_drawn(tmp_path: Path) -> None:
    found = px.trace_reliability(traces(subjects=2), **COLUMNS, k=5)
    found.save(tmp_path / "traces")
    assert str(px.load(tmp_path / "traces")) == str(found)
    assert found.tidy().query("form == 'ICC(C,k)'")["k"].eq(5).all()
    assert [axes.get_title() for axes in found.plot().axes] == [
        "Frames", "Within clips", "Means of clips",
    ]  # fmt: skip
    assert len(found.plot(lags=True).axes) == 1


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"rate": 0}, "must be a positive number of frames"),
        ({"filling": "spline"}, "must be one of"),
        ({"max_gap": -1}, "must be a number of seconds"),
        ({"max_lag": "2"}, "must be a number of seconds"),
        ({"max_lag": 1e6}, "frames per second, more than"),
        ({"min_coverage": 0}, "must be a proportion"),
        ({"k": 0}, "must be a positive number of raters"),
        ({"time": "when"}, "no column 'when'"),
        ({"raters": "valence"}, "must name different columns"),
        ({"cluster": None}, "must be the name of a column"),
        ({"targets": "subject"}, "several of the clip 0 at 0"),
        ({"align": True, "max_lag": 0}, "requires a max_lag"),
        ({"rate": 1e9}, "times must be in seconds"),
    ],
)
def test_what_is_wrong_is_refused(change: dict[str, Any], text: str) -> None:
    with pytest.raises((DataError, ColumnError), match=f"(?i){text}"):
        px.trace_reliability(traces(subjects=2), **{**COLUMNS, **change})


def test_one_rater_or_subject_is_refused() -> None:
    data = traces(subjects=2)
    with pytest.raises(DataError, match="at least two raters are needed, but the traces have 1"):
        px.trace_reliability(data[data["rater"] == "a"], **COLUMNS)
    apart = data[(data["rater"] == "a") == (data["subject"] == 1)]
    with pytest.raises(DataError, match="no clip has two traces"):
        px.trace_reliability(apart[apart["rater"].isin(["a", "b"])], **COLUMNS)
    with pytest.raises(DataError, match="only one subject"):
        px.trace_reliability(data[data["subject"] == 1], **COLUMNS)
    data.loc[3, "t"] = np.nan
    with pytest.raises(DataError, match="row 4 is empty"):
        px.trace_reliability(data, **COLUMNS)
    with pytest.raises(DataError, match="belongs to several"):
        px.trace_reliability(
            data.assign(subject=np.arange(len(data)) % 2, t=np.arange(len(data))), **COLUMNS
        )
