"""Multilevel ICCs: mean squares of balanced ratings, arrangements of raters, bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pyexpr as px
from pyexpr.base.errors import DataError

GOLDEN = Path(__file__).parents[1] / "golden" / "variance_components.json"
COLUMNS: dict[str, Any] = {"targets": "clip", "ratings": "score", "cluster": "subject"}


def balanced(subjects: int = 12, clips: int = 5, raters: int = 4) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(7)
    return np.asarray(
        2 + rng.normal(size=(subjects, 1, 1)) + 0.7 * rng.normal(size=(subjects, clips, 1))
        + 0.5 * rng.normal(size=raters) + 0.6 * rng.normal(size=(subjects, 1, raters))
        + 0.8 * rng.normal(size=(subjects, clips, raters))
    )  # fmt: skip


def long(scores: np.ndarray[Any, Any]) -> pd.DataFrame:
    subject, clip, rater = (axis.ravel() for axis in np.indices(scores.shape))
    return pd.DataFrame(
        {"subject": subject, "clip": clip, "rater": rater, "score": scores.ravel()}
    ).dropna()


def mean_squares(y: np.ndarray[Any, Any]) -> dict[str, float]:
    """Variance components from the expected mean squares of the complete design."""
    s, c, r = y.shape
    m = y.mean()
    by_s, by_sc, by_r, by_sr = y.mean((1, 2)), y.mean(2), y.mean((0, 1)), y.mean(1)
    ms_s = c * r * np.sum((by_s - m) ** 2) / (s - 1)
    ms_c = r * np.sum((by_sc - by_s[:, None]) ** 2) / (s * (c - 1))
    ms_r = s * c * np.sum((by_r - m) ** 2) / (r - 1)
    ms_sr = c * np.sum((by_sr - by_s[:, None] - by_r + m) ** 2) / ((s - 1) * (r - 1))
    left = y - by_sc[:, :, None] - by_sr[:, None, :] + by_s[:, None, None]
    error = np.sum(left**2) / (s * (c - 1) * (r - 1))
    return {
        "s": (ms_s - ms_c - ms_sr + error) / (c * r), "c": (ms_c - error) / r,
        "r": (ms_r - ms_sr) / (s * c), "sr": (ms_sr - error) / c, "e": error,
    }  # fmt: skip


def estimates(found: px.MultilevelICCResult) -> dict[tuple[str, str], float]:
    table = found.tidy()
    return dict(
        zip(zip(table["level"], table["form"], strict=True), table["estimate"], strict=True)
    )


def test_balanced_ratings_are_ratios_of_mean_squares() -> None:
    y = balanced()
    v, k, n = mean_squares(y), 4, 5
    found = px.multilevel_icc(long(y), **COLUMNS, raters="rater")
    expected = {
        ("target", "ICC(A,1)"): v["c"] / (v["c"] + v["r"] + v["e"]),
        ("target", "ICC(A,k)"): v["c"] / (v["c"] + (v["r"] + v["e"]) / k),
        ("target", "ICC(C,1)"): v["c"] / (v["c"] + v["e"]),
        ("target", "ICC(C,k)"): v["c"] / (v["c"] + v["e"] / k),
        ("subject", "ICC(A,1)"): v["s"] / (v["s"] + v["r"] + v["sr"]),
        ("subject", "ICC(A,k)"): v["s"] / (v["s"] + (v["r"] + v["sr"]) / k),
        ("subject", "ICC(C,1)"): v["s"] / (v["s"] + v["sr"]),
        ("subject", "ICC(C,k)"): v["s"] / (v["s"] + v["sr"] / k),
        ("subject over targets", "ICC(A,1)"): v["s"] / sum(v.values()),
        ("subject over targets", "ICC(A,k)"): v["s"]
        / (v["s"] + v["c"] / n + (v["r"] + v["sr"]) / k + v["e"] / (n * k)),
        ("subject over targets", "ICC(C,1)"): v["s"] / (sum(v.values()) - v["r"]),
        ("subject over targets", "ICC(C,k)"): v["s"]
        / (v["s"] + v["c"] / n + v["sr"] / k + v["e"] / (n * k)),
    }
    ours = estimates(found)
    assert ours.keys() == expected.keys()
    assert ours == {key: pytest.approx(value, rel=1e-9) for key, value in expected.items()}
    table = found.tidy()
    assert ((table["conf_low"] <= table["estimate"]) & (table["estimate"] < 1)).all()


def test_components_are_lme4s() -> None:
    case = json.loads(GOLDEN.read_text(encoding="utf-8"))["unequal"]
    found = px.multilevel_icc(pd.DataFrame(case["data"]), **COLUMNS, raters="rater")
    ours = found.components().set_index("effect")["estimate"]
    theirs = dict(zip(case["groups"], case["variances"], strict=True))
    assert ours["clip"] == pytest.approx(theirs["subject:clip"], rel=1e-6)
    assert ours["subject:rater"] == pytest.approx(theirs["subject:rater"], rel=1e-6)
    assert ours["residual"] == pytest.approx(theirs["Residual"], rel=1e-6)


def test_the_mean_over_targets_is_a_decision_study() -> None:
    table = long(balanced())
    found = px.multilevel_icc(table, **COLUMNS, raters="rater").tidy().set_index(["level", "form"])
    plan = px.variance_components(
        table, ratings="score", facets=["subject", "clip", "rater"], nested={"clip": "subject"}
    ).d_study()
    for form, coefficient in (("ICC(C,k)", "generalizability"), ("ICC(A,k)", "dependability")):
        ours = found.loc[("subject over targets", form)]
        other = plan.tidy().set_index("coefficient").loc[coefficient]
        for column in ("estimate", "conf_low", "conf_high", "sem", "sem_low", "mdc_high"):
            assert ours[column] == pytest.approx(other[column])


def test_q_is_half_the_variance_of_a_difference() -> None:
    """By brute force over pairs, of ratings of which half are missing."""
    y = balanced()
    y[np.random.default_rng(2).random(y.shape) < 0.5] = np.nan
    y = y[:, ~np.isnan(y).all(axis=2).any(axis=0)]
    weights = (~np.isnan(y)) / (~np.isnan(y)).sum(axis=2, keepdims=True)
    halves = [
        0.5 * np.sum((one[i] - one[j]) ** 2)
        for one in weights for i in range(len(one)) for j in range(i)
    ]  # fmt: skip
    table = px.multilevel_icc(long(y), **COLUMNS, raters="rater").tidy()
    row = table[(table["level"] == "target") & (table["form"] == "ICC(Q,k)")].iloc[0]
    assert row["q"] == pytest.approx(np.mean(halves))
    assert row["k"] == pytest.approx(1 / np.mean(1 / (~np.isnan(y)).sum(axis=2)))
    other = table.set_index(["level", "form"])["estimate"]
    assert other["target", "ICC(A,k)"] < other["target", "ICC(Q,k)"] < other["target", "ICC(C,k)"]


def test_raters_of_one_subject_each() -> None:
    y = balanced()
    own = long(y).assign(rater=lambda t: 10 * t["subject"] + t["rater"])
    found = px.multilevel_icc(own, **COLUMNS, raters="rater", k=3)
    assert set(found.tidy()["level"]) == {"target", "subject over targets"}
    # Mean squares of clips and raters within subjects.
    v = mean_squares(y)
    both = y.mean(axis=1)
    within = 5 * np.sum((both - both.mean(axis=1)[:, None]) ** 2) / (12 * 3)
    raters = (within - v["e"]) / 5
    ours = estimates(found)
    assert ours["target", "ICC(A,k)"] == pytest.approx(v["c"] / (v["c"] + (raters + v["e"]) / 3))
    assert ours["target", "ICC(C,k)"] == pytest.approx(v["c"] / (v["c"] + v["e"] / 3))
    assert any("one subject only" in note for note in found.notes())


def test_unknown_raters_leave_one_way_forms() -> None:
    y = balanced()
    found = px.multilevel_icc(long(y), **COLUMNS)
    between = 4 * np.sum((y.mean(2) - y.mean((1, 2))[:, None]) ** 2) / (12 * 4)
    within = np.sum((y - y.mean(2)[:, :, None]) ** 2) / (12 * 5 * 3)
    clip = (between - within) / 4
    assert estimates(found)["target", "ICC(1,1)"] == pytest.approx(clip / (clip + within))
    labels = long(y).assign(rater=lambda t: np.arange(len(t)))
    again = px.multilevel_icc(labels, **COLUMNS, raters="rater")
    pd.testing.assert_frame_equal(again.tidy(), found.tidy())


def test_figure_contexts_and_notes() -> None:
    table = long(balanced(6, 3, 3))
    both = pd.concat([table.assign(task="a"), table.assign(task="b")])
    found = px.multilevel_icc(both, **COLUMNS, raters="rater", context="task")
    assert found.tidy()["task"].unique().tolist() == ["a", "b"]
    assert len(found.plot().axes) == 3
    assert any("fewer than 20 subjects" in note for note in found.notes())
    assert found.counts()["n_targets"].tolist() == [18, 18]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0.5}, "at least 1"),
        ({"cluster": None}, "name of a column"),
        ({"targets": "subject"}, "rows 1 and 5 are both of subject 0"),
        ({"raters": "who"}, "who"),
        ({"context": "q"}, "'q'"),
        ({"form": "ICC(A,1)"}, "all forms"),
    ],
)
def test_bad_input(options: dict[str, Any], message: str) -> None:
    given = {**COLUMNS, "raters": "rater", **options}
    with pytest.raises((DataError, TypeError), match=message):
        px.multilevel_icc(long(balanced()).assign(q=1.0, k=2).rename(columns={"q": "level"}),
                          **given)  # fmt: skip


def test_one_clip_a_subject_is_not_multilevel() -> None:
    table = long(balanced())
    found = px.multilevel_icc(table[table["clip"] == 0], **COLUMNS, raters="rater").tidy()
    assert found["estimate"].isna().all()
    assert "several targets of a subject" in found["reason"].iloc[0]
