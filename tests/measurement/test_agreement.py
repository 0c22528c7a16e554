"""Agreement on categories: published examples, other packages' numbers, bad input, intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import pyexpr as px
from pyexpr.base.errors import ColumnError, DataError, SharedSubjectsWarning

no = np.nan
# Krippendorff (2011), figure 1, and Gwet (2014), table 2.10: four raters of twelve targets.
FOUR = np.array([
    [1, 2, 3, 3, 2, 1, 4, 1, 2, no, no, no], [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, no, 3],
    [no, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, no], [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, no],
]).T  # fmt: skip
# Complete ratings of ten targets by three raters, for coefficients by other packages.
THREE = np.array([
    [1, 1, 2], [2, 2, 2], [4, 3, 4], [1, 1, 1], [3, 3, 4], [2, 1, 2], [4, 4, 4], [3, 2, 3],
    [1, 1, 1], [2, 4, 3],
])  # fmt: skip
# irrCAC 0.4.4 (Python), digits=12: coefficient and weights -> value.
BY_IRRCAC = {
    ("cohen_kappa", "identity"): 0.422222222222,
    ("cohen_kappa", "ordinal"): 0.744027303754,
    ("fleiss_kappa", "linear"): 0.632224168126,
    ("brennan_prediger", "quadratic"): 0.786666666667,
    ("gwet_ac", "identity"): 0.423645320197,
    ("gwet_ac", "ordinal"): 0.737609329446,
    ("gwet_ac", "radical"): 0.529766030881,
    ("gwet_ac", "ratio"): 0.771467837905,
}


def estimates(data: Any, **options: Any) -> dict[str, float]:
    table = px.agreement(data, **options).tidy()
    return dict(zip(table["coefficient"], table["estimate"], strict=True))


def long(table: np.ndarray[Any, Any]) -> pd.DataFrame:
    target, rater = np.nonzero(~np.isnan(table))
    return pd.DataFrame({"clip": target, "rater": rater, "score": table[target, rater]})


@pytest.mark.parametrize(
    ("level", "published"),
    [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)],
)
def test_alpha_is_krippendorffs(level: str, published: float) -> None:
    found = estimates(FOUR, coefficient="krippendorff_alpha", level=level)
    assert round(found["krippendorff_alpha"], 3) == published


def test_coefficients_are_gwets() -> None:
    # Gwet (2014), section 2.6; cac.raw4raters of irrCAC for R.
    found = estimates(FOUR)
    expected = {
        "percent_agreement": 0.81818, "fleiss_kappa": 0.76117, "brennan_prediger": 0.77273,
        "gwet_ac": 0.77544, "krippendorff_alpha": 0.74342,
    }  # fmt: skip
    assert {name: round(found[name], 5) for name in expected} == expected


@pytest.mark.parametrize(("coefficient", "weights"), list(BY_IRRCAC))
def test_weighted_coefficients_are_those_of_irrcac(coefficient: str, weights: str) -> None:
    found = estimates(THREE, coefficient=coefficient, weights=weights)
    assert found[coefficient] == pytest.approx(BY_IRRCAC[coefficient, weights], abs=1e-11)


@pytest.mark.parametrize("weights", ["identity", "linear", "quadratic"])
def test_two_raters_have_the_kappa_of_scikit_learn(weights: str) -> None:
    from sklearn.metrics import cohen_kappa_score

    theirs = cohen_kappa_score(
        THREE[:, 0], THREE[:, 1], weights=None if weights == "identity" else weights
    )
    found = estimates(THREE[:, :2], coefficient="cohen_kappa", weights=weights)
    assert found["cohen_kappa"] == pytest.approx(theirs, abs=1e-14)


def test_fleiss_kappa_is_that_of_statsmodels() -> None:
    from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

    found = estimates(THREE, coefficient="fleiss_kappa")["fleiss_kappa"]
    assert found == pytest.approx(fleiss_kappa(aggregate_raters(THREE)[0]), abs=1e-14)


def test_alpha_of_intervals_is_nearly_the_one_way_icc() -> None:
    # Krippendorff's correction of the expected disagreement vanishes with the number of ratings.
    rng = np.random.default_rng(3)
    table = rng.integers(0, 5, (2000, 1)) + rng.integers(0, 3, (2000, 3))
    alpha = estimates(table, coefficient="krippendorff_alpha", level="interval")
    icc = px.icc(table, form="ICC(1,1)").tidy()["estimate"][0]
    assert alpha["krippendorff_alpha"] == pytest.approx(icc, abs=5e-4)


def test_layouts_labels_and_orders_of_rows_give_the_same() -> None:
    wide = px.agreement(FOUR).tidy()
    table = long(FOUR)
    named = table.assign(score=table["score"].map(dict(enumerate("?abcde"))))
    for frame in (table, table.sample(frac=1, random_state=1), named):
        found = px.agreement(frame, targets="clip", ratings="score", raters="rater").tidy()
        pd.testing.assert_frame_equal(found, wide, check_exact=False, rtol=1e-12)
    masked = np.ma.masked_invalid(FOUR)
    pd.testing.assert_frame_equal(px.agreement(masked).tidy(), wide)


def test_without_raters_cohens_kappa_is_left_out_and_reported() -> None:
    found = px.agreement(long(FOUR), targets="clip", ratings="score")
    assert "cohen_kappa" not in set(found.tidy()["coefficient"])
    assert any("cohen_kappa" in note and "raters=" in note for note in found.notes())
    with pytest.raises(DataError, match="cohen_kappa requires the rater of each rating"):
        px.agreement(long(FOUR), targets="clip", ratings="score", coefficient="cohen_kappa")


def test_categories_that_nobody_used_count() -> None:
    used = estimates(THREE, coefficient="gwet_ac")["gwet_ac"]
    seven = estimates(THREE, coefficient="gwet_ac", categories=[1, 2, 3, 4, 5, 6, 7])["gwet_ac"]
    assert seven > used  # chance agreement is lower among more categories
    ordered = pd.DataFrame(THREE.astype(str), columns=["a", "b", "c"]).astype(
        pd.CategoricalDtype(list("1234567"), ordered=True)
    )
    assert estimates(ordered, coefficient="gwet_ac")["gwet_ac"] == seven


def test_specific_agreement_by_hand() -> None:
    # Present (1) or not (0): positive agreement 2a / (2a + b + c) of Cicchetti and Feinstein.
    table = np.array([[1, 1]] * 4 + [[1, 0]] * 2 + [[0, 1]] * 1 + [[0, 0]] * 8)
    found = px.agreement(table).by_category().set_index("category")
    assert found.loc[1, "estimate"] == pytest.approx(8 / (8 + 3))
    assert found.loc[0, "estimate"] == pytest.approx(16 / (16 + 3))
    assert found.loc[1, ["n_ratings", "share"]].tolist() == [11, 11 / 30]


def test_the_jackknife_is_that_of_refits() -> None:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({
        "subject": np.repeat(np.arange(8), 9), "clip": np.repeat(np.arange(24), 3),
        "rater": np.tile(np.arange(3), 24), "score": rng.integers(0, 3, 72),
    })  # fmt: skip
    frame["score"] = frame["score"].where(rng.random(72) < 0.5, frame["clip"] % 3)
    columns = {"targets": "clip", "ratings": "score", "raters": "rater"}
    for level in ("nominal", "ordinal"):
        options: dict[str, Any] = {**columns, "level": level, "categories": [0, 1, 2]}
        found = px.agreement(frame, cluster="subject", **options).tidy()
        whole = -np.sqrt(1 - found["estimate"].to_numpy())
        without = np.array([
            list(estimates(frame[frame["subject"] != one], cluster=False, **options).values())
            for one in range(8)
        ])  # fmt: skip
        pseudo = 8 * whole - 7 * -np.sqrt(1 - without)
        error = pseudo.std(axis=0, ddof=1) / np.sqrt(8)
        tested = found["coefficient"] != "percent_agreement"
        statistic = (pseudo.mean(axis=0) + 1) / error
        np.testing.assert_allclose(found["statistic"][tested], statistic[tested], rtol=1e-10)


def test_the_bootstrap_draws_the_subjects_of_all_others_and_repeats() -> None:
    options: dict[str, Any] = {"method": "studentized", "n_boot": 200, "seed": 3}
    first, again = (px.agreement(FOUR, **options).tidy() for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    assert (first["conf_low"] < first["estimate"]).all()
    assert (first["conf_high"] > first["estimate"]).all()
    other = px.agreement(FOUR, **{**options, "seed": 4}).tidy()
    assert (other["conf_low"] != first["conf_low"]).all()


def test_subjects_widen_the_interval_and_their_absence_is_warned_of() -> None:
    table = long(np.repeat(FOUR, 4, axis=0)).assign(subject=lambda t: t["clip"] // 4)
    columns = {"targets": "clip", "ratings": "score", "raters": "rater"}
    with pytest.warns(SharedSubjectsWarning):
        narrow = px.agreement(table, **columns)
    assert any("cluster" in note for note in narrow.notes())
    wide = px.agreement(table, **columns, cluster="subject").tidy()
    alone = px.agreement(table, **columns, cluster=False).tidy()
    assert (wide["conf_low"] < alone["conf_low"]).all()
    assert (alone["estimate"] == wide["estimate"]).all()


def test_contexts_stand_apart() -> None:
    table = pd.concat([long(FOUR).assign(task="pain"), long(THREE * 1.0).assign(task="joy")])
    found = px.agreement(
        table, targets=["task", "clip"], ratings="score", raters="rater", context="task",
        categories=[1, 2, 3, 4, 5],
    )  # fmt: skip
    alone = estimates(THREE, categories=[1, 2, 3, 4, 5])
    joy = found.tidy().query("task == 'joy'").set_index("coefficient")["estimate"]
    assert joy.to_dict() == pytest.approx(alone)
    assert found.counts()["n_targets"].tolist() == [10, 12]
    assert len(found.plot().axes) == 6


def test_what_is_undefined_has_a_reason() -> None:
    same = px.agreement(np.ones((5, 3))).tidy().set_index("coefficient")
    assert same.loc["percent_agreement", "estimate"] == 1
    assert "changes nothing" in same.loc["percent_agreement", "reason"]
    for name in ("cohen_kappa", "fleiss_kappa", "krippendorff_alpha"):
        assert np.isnan(same.loc[name, "estimate"])
        assert "one category" in same.loc[name, "reason"]
    single = px.agreement(np.array([[1, no], [no, 2], [2, no]])).tidy()
    assert single["estimate"].isna().all()
    assert (
        single["reason"] == "no target has two ratings, so that agreement cannot be observed"
    ).all()
    few = px.agreement(np.array([[1, 1], [2, 2], [2, 1], [3, 3], [1, 1]]))
    assert few.tidy().set_index("coefficient").loc["percent_agreement", "conf_low"] == 0
    assert (few.by_category()["conf_low"].dropna() >= 0).all()
    one = px.agreement(np.array([[1, 2], [no, 1]]), coefficient="gwet_ac").tidy()
    assert one["conf_low"].isna().all()
    assert one["reason"][0]


@pytest.mark.parametrize(
    ("data", "options", "sentence"),
    [
        (FOUR, {"level": "ordinl"}, "level= must be one of 'nominal', 'ordinal'"),
        (FOUR, {"weights": "cubic"}, "weights= must be one of 'identity'"),
        (FOUR, {"coefficient": "alpha"}, "did you mean|'krippendorff_alpha'"),
        (FOUR, {"coefficient": []}, "names no coefficient"),
        (FOUR, {"categories": [1, 2, 3]}, "row 7 of column 'rater 1' holds 4.0, which is not one"),
        (FOUR, {"categories": [2, 1, 3, 4, 5]}, "must be in ascending order"),
        (FOUR, {"categories": [1, 1, 2]}, "names '1' more than once"),
        (FOUR, {"categories": "12345"}, "must be the list of all categories"),
        (FOUR, {"method": "bca"}, "method= must be one of 'jackknife_t', 'studentized'"),
        (FOUR, {"method": "studentized", "n_boot": 5}, "needs n_boot of at least 20"),
        (FOUR, {"confidence": 95}, "confidence"),
        (FOUR, {"cluster": "subject"}, "an array has no column names"),
        (FOUR - 3, {"level": "ratio"}, "not negative, but the lowest is -2"),
        (np.array([["a", "b"], ["b", "b"]]), {"level": "ordinal"}, "requires the order"),
        (np.array([["a", "b"], ["b", "b"]]), {"weights": "linear"}, "weights= 'linear' requires"),
        (np.array([["a", "b"], ["b", "b"]]), {"level": "interval"}, "that are numbers"),
        (np.arange(600.0).reshape(300, 2), {}, "600 distinct values, which is too many"),
        (np.array([1, 2, 3]), {}, r"shape \(targets, raters\)"),
        (np.array([[1, "a"], [2, 3]], dtype=object), {}, "mixes text and numbers|hold text"),
        (np.array([[1, np.inf], [2, 3]]), {}, "row 1 holds inf"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(data: Any, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence) as error:
        px.agreement(data, **options)
    assert "\n" not in str(error.value)


def test_bad_tables_are_one_sentence() -> None:
    table = long(FOUR)
    columns = {"targets": "clip", "ratings": "score", "raters": "rater"}
    with pytest.raises(ColumnError, match="no column 'scores'"):
        px.agreement(table, targets="clip", ratings="scores")
    with pytest.raises(DataError, match="a rater may rate a target only once"):
        px.agreement(pd.concat([table, table[:1]]), **columns)
    with pytest.raises(DataError, match="must belong to one 'subject'"):
        px.agreement(table.assign(subject=table["rater"]), **columns, cluster="subject")
    with pytest.raises(DataError, match="context= names the column 'estimate'"):
        px.agreement(table.assign(estimate=1), **columns, context="estimate")
    with pytest.raises(ColumnError, match="same ordered categories"):
        px.agreement(pd.DataFrame({
            "a": pd.Categorical(["x", "y"], ["x", "y"], ordered=True),
            "b": pd.Categorical(["x", "y"], ["y", "x"], ordered=True),
        }))  # fmt: skip
    with pytest.raises(DataError, match="adjust"):
        px.agreement(FOUR).adjust("holm")
