"""Synchrony: correlations by SciPy, closed forms, all permutations by hand, and its size."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter
from scipy.stats import pearsonr

import pyexpr as px
from pyexpr.base.errors import ColumnError, DataError
from pyexpr.base.saved import pack, unpack
from pyexpr.behavior.features.lagged import Windows, measured
from pyexpr.behavior.features.synchrony import _tested

RATE = 5
# Products of standardised values in another order.
ROUNDING = 1e-9


def long(pairs, rate=RATE):
    """Return a long table of (first, second) series, one pair per dyad."""
    return pd.concat(
        [
            pd.DataFrame({"dyad": d, "person": person, "time": np.arange(len(x)) / rate, "way": x})
            for d, pair in enumerate(pairs)
            for person, x in zip(("infant", "mother"), pair, strict=True)
        ],
        ignore_index=True,
    )


def noise(n_dyads=4, n=200, seed=1):
    return np.random.default_rng(seed).normal(size=(n_dyads, 2, n))


def found(pairs, **options):
    given = {"series": "way", "window": 10, "lag": 2, "seed": 3} | options
    return px.synchrony(long(pairs), **given)


def direct(a, b, length=50, most=10, step=50, least=40):
    """Return z of every window (rows) and lag (columns), by SciPy's pearsonr."""
    rows = []
    for start in range(0, len(a) - length - most + 1, step):
        row = []
        for lag in range(-most, most + 1):
            x = a[start + max(-lag, 0) :][:length]
            y = b[start + max(lag, 0) :][:length]
            known = np.isfinite(x) & np.isfinite(y)
            enough = known.sum() >= least
            row.append(np.arctanh(pearsonr(x[known], y[known])[0]) if enough else np.nan)
        rows.append(row)
    return np.array(rows)


MEASURES = {
    "absolute": lambda z: np.nanmean(np.abs(z)),
    "signed": np.nanmean,
    "peak": lambda z: np.nanmean(np.nanmax(np.abs(z[np.isfinite(z).any(axis=1)]), axis=1)),
}


def test_equals_scipy() -> None:
    pairs = noise(2)
    pairs[0, 0, 20:28] = pairs[1, 1, 55:62] = np.nan
    z = {(i, j): direct(pairs[i, 0], pairs[j, 1]) for i in range(2) for j in range(2)}
    for measure, of_windows in MEASURES.items():
        result = found(pairs, measure=measure)
        for (i, j), own in z.items():
            assert result.pairs[i, j] == pytest.approx(of_windows(own), rel=ROUNDING), (i, j)
        for i in range(2):
            np.testing.assert_allclose(
                np.arctanh(result.correlations[i]), z[i, i], rtol=1e-7, atol=ROUNDING
            )
        row = result.tidy().iloc[0]
        own = z[0, 0] if measure == "signed" else np.abs(z[0, 0])
        assert row["first_leads"] == pytest.approx(np.nanmean(own[:, 11:]), rel=ROUNDING)
        assert row["second_leads"] == pytest.approx(np.nanmean(own[:, :10]), rel=ROUNDING)


def test_the_test_of_all_dyads_by_hand() -> None:
    pairs = noise(5)
    result = found(pairs)
    every = result.tidy().iloc[-1]
    drawn = [
        np.mean([result.pairs[i, order[i]] for i in range(5)])
        for order in itertools.permutations(range(5))
    ]
    apart = result.pairs[~np.eye(5, dtype=bool)]
    assert every["estimate"] == pytest.approx(np.diag(result.pairs).mean(), rel=ROUNDING)
    assert every["p_value"] == np.mean(np.array(drawn) >= every["estimate"] - 1e-12)
    assert every["pseudo_mean"] == pytest.approx(apart.mean(), rel=ROUNDING)
    assert every["effect_size"] == pytest.approx(
        (every["estimate"] - apart.mean()) / apart.std(ddof=1), rel=ROUNDING
    )
    assert result.options["all_permutations"]
    assert result.options["n_permutations"] == 120
    first = result.tidy().iloc[0]
    assert first["p_value"] == np.mean(result.pairs[0] >= result.pairs[0, 0])
    assert first["n_pseudo"] == 8


def test_drawn_permutations_come_near_all_of_them() -> None:
    pairs = noise(6, seed=9)
    drawn, every = found(pairs, n_permutations=700), found(pairs)
    assert not drawn.options["all_permutations"]
    # Four standard errors of 700 draws.
    p = every.tidy()["p_value"].iloc[-1]
    assert drawn.tidy()["p_value"].iloc[-1] == pytest.approx(p, abs=4 * math.sqrt(0.25 / 700))
    again = found(pairs, n_permutations=700)
    pd.testing.assert_frame_equal(drawn.tidy(), again.tidy())


def test_a_follower_is_found_at_its_lag() -> None:
    # The second person does 1 s later what the first did.
    moves = np.random.default_rng(2).normal(size=(6, 305))
    result = found([(own[5:], own[:-5]) for own in moves], measure="peak")
    windows = result.windows()
    best = windows.loc[windows.groupby(["dyad", "start"])["correlation"].idxmax()]
    assert (best["lag"] == 1.0).all()
    np.testing.assert_allclose(best["correlation"], 1.0, rtol=1e-12)
    table = result.tidy()
    assert (table["first_leads"] > table["second_leads"]).all()
    assert table["p_value"].iloc[-1] == 1 / 720
    # Exchanged, the other leads by as much.
    turned = found([(own[:-5], own[5:]) for own in moves], measure="peak").tidy()
    np.testing.assert_allclose(turned["second_leads"], table["first_leads"], rtol=ROUNDING)
    np.testing.assert_allclose(turned["estimate"], table["estimate"], rtol=ROUNDING)


def test_sinusoids_correlate_by_the_cosine_of_the_lag() -> None:
    # Whole periods of 25 values in each window of 50.
    wave = np.sin(2 * np.pi * np.arange(200) / 25)
    result = found([(wave, wave)] * 2)
    np.testing.assert_allclose(
        result.correlations[0],
        np.broadcast_to(np.cos(2 * np.pi * np.arange(-10, 11) / 25), (3, 21)),
        atol=ROUNDING,
    )


def test_signed_synchrony_has_two_sides() -> None:
    rng = np.random.default_rng(5)
    moves = rng.normal(size=(6, 200))
    against = [(own, -own + 0.3 * rng.normal(size=200)) for own in moves]
    every = found(against, measure="signed", lag=0).tidy().iloc[-1]
    assert every["estimate"] < -1
    assert every["p_value"] <= 2 / 720


def test_size_under_independent_autocorrelated_series() -> None:
    """People who move on their own: about 5 of 100 tests at .05 reject, at any autocorrelation."""
    rng = np.random.default_rng(12)
    windows = Windows(50, np.arange(0, 140, 50), 10, 40)
    p_values = []
    for _ in range(150):
        waves = lfilter([1], [1, -0.95], rng.normal(size=(10, 300)), axis=1)[:, 100:]
        pairs = measured(waves[:5], waves[5:], windows, "absolute").values
        p_values.append(_tested(pairs, "absolute", 120, 1).p_value)
    rejected = np.mean(np.array(p_values) <= 0.05)
    # Four standard errors of 150 studies.
    assert abs(rejected - 0.05) < 4 * math.sqrt(0.05 * 0.95 / 150)
    assert abs(np.mean(p_values) - 0.5) < 4 * math.sqrt(1 / 12 / 150)


def test_missing_values() -> None:
    pairs = noise(3)
    pairs[0, 0] = np.nan
    pairs[1, 1] = 4.0  # never moves
    result = found(pairs)
    table = result.tidy()
    assert table["estimate"].isna().tolist() == [True, True, False, False]
    assert all("no window in which both people move" in why for why in table["reason"][:2])
    assert table["reason"].iloc[3] == "a test needs at least two dyads with windows"
    assert math.isnan(table["p_value"].iloc[3])
    assert table["n_windows"].tolist() == [0, 0, 3, 3]


def test_a_dyad_that_is_shorter_has_fewer_windows() -> None:
    pairs = [(a, b) for a, b in noise(3)]
    pairs[1] = (pairs[1][0][:110], pairs[1][1][:110])
    table = found(pairs).tidy()
    assert table["n_windows"].tolist() == [3, 2, 3, 8]


def test_few_dyads_are_reported() -> None:
    notes = found(noise(3)).notes()
    assert any("with 3 dyads there are 6 ways" in note and ".17" in note for note in notes)
    assert not any("ways to pair" in note for note in found(noise(4)).notes())


def test_rows_may_be_in_any_order_and_columns_have_other_names() -> None:
    table = long(noise())
    names = {"dyad": "couple", "person": "who", "time": "seconds", "way": "nod"}
    mixed = table.sample(frac=1, random_state=1).rename(columns=names)
    result = px.synchrony(
        mixed, series="nod", dyad="couple", person="who", time="seconds", window=10, lag=2, seed=3
    )
    pd.testing.assert_frame_equal(result.tidy(), found(noise()).tidy())
    assert result.tidy()["first"].tolist() == ["infant"] * 4 + [""]


def test_a_saved_result_is_the_same() -> None:
    result = found(noise())
    again = unpack(pack(result))
    pd.testing.assert_frame_equal(again.tidy(), result.tidy())
    pd.testing.assert_frame_equal(again.windows(), result.windows())


TABLE = long(noise(2))


@pytest.mark.parametrize(
    ("table", "options", "error", "message"),
    [
        (TABLE, {"series": "nod"}, ColumnError, "no column 'nod'"),
        (TABLE.iloc[:0], {}, DataError, "data has no rows"),
        (TABLE[TABLE["person"] == "infant"], {}, DataError, "0 must have two people, but has 1"),
        (TABLE.assign(time=TABLE["time"] * (1 + TABLE["time"] / 40)), {}, DataError, "even grid"),
        (pd.concat([TABLE, TABLE]), {}, DataError, "more than one value at 0 s"),
        (TABLE.assign(time=np.where(TABLE.index == 3, np.nan, TABLE["time"])), {}, DataError,
         "row 4 is empty"),
        (TABLE, {"window": 0.6}, DataError, "window=0.6 holds 3 values"),
        (TABLE, {"window": 60}, DataError, "window=60 and lag=2 take 62 s together"),
        (TABLE, {"window": -1}, DataError, "window= must be a positive number of seconds"),
        (TABLE, {"lag": -1}, DataError, "lag= must be a number of seconds"),
        (TABLE, {"step": 0}, DataError, "step= must be a positive"),
        (TABLE, {"measure": "peaks"}, DataError, "did you mean 'peak'"),
        (TABLE, {"min_valid": 80}, DataError, "min_valid= must be a share"),
        (TABLE, {"n_permutations": 0}, DataError, "n_permutations= must be a whole number"),
        (TABLE, {"seed": -1}, DataError, "seed= must be between 0"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(table, options, error, message) -> None:
    with pytest.raises(error, match=message):
        px.synchrony(table, **({"series": "way", "window": 10, "lag": 2} | options))
