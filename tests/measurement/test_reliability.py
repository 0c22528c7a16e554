"""icc() against psych, pingouin, Shrout and Fleiss, and the paper; layouts, bad input, edges."""

from __future__ import annotations

import doctest
import json
import math
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parity.reliability import long_of, pingouins
from reference import icc as reference

from pyexpr.base.errors import ColumnError, DataError, SharedSubjectsWarning
from pyexpr.base.messages import codes_of, joined
from pyexpr.measurement.icc import icc as reliability
from pyexpr.measurement.icc import intervals as icc_intervals
from pyexpr.measurement.icc.cluster import METHOD, METHOD_BOTH
from pyexpr.measurement.icc.forms import FORMS
from pyexpr.measurement.icc.icc import icc
from pyexpr.measurement.icc.intervals import icc_interval

GOLDEN = Path(__file__).parents[1] / "golden"
R = json.loads((GOLDEN / "icc.json").read_text())
PUBLISHED = json.loads((GOLDEN / "published_icc.json").read_text())

# Same formulas in other languages, other orders of summing.
PACKAGES = 1e-9
# The paper prints three decimals, of figures computed before rounding.
PILOT = 0.003

SHROUT_FLEISS = np.array(R["cases"]["shrout_fleiss"]["table"])


def numbers(result: pd.DataFrame) -> np.ndarray:
    columns = ["estimate", "conf_low", "conf_high", "statistic", "df1", "df2", "p_value"]
    return result[columns].to_numpy(dtype=float)


def test_interval_shows_the_two_misprints() -> None:
    value, low, _ = PUBLISHED["table5"]["startle"][2]
    found = icc_interval(value, n_targets=25, k=3)
    assert (round(found.conf_low, 3), round(found.conf_high, 3)) == (low, 0.881)
    _, low, high = PUBLISHED["table5"]["fear"][1]
    found = icc_interval(0.331, n_targets=35, k=3)
    assert found.conf_low == pytest.approx(low, abs=PILOT)
    assert found.conf_high == pytest.approx(high, abs=PILOT)


@pytest.mark.parametrize("form", ["ICC(1,1)", "ICC(1,k)", "ICC(C,1)", "ICC(3,k)"])
def test_interval_from_the_figure_alone_is_that_from_the_ratings(form: str) -> None:
    table = np.array(R["cases"]["strong"]["table"])
    row = icc(table, form=form).tidy().iloc[0]
    found = icc_interval(row["estimate"], n_targets=40, k=6, form=form).tidy().iloc[0]
    for name in ("conf_low", "conf_high", "statistic", "df1", "df2"):
        assert found[name] == pytest.approx(row[name], rel=1e-10)


def test_interval_refuses_what_no_ratings_could_give() -> None:
    for value in (1.0, 1.2):
        with pytest.raises(DataError, match="must be below 1"):
            icc_interval(value, n_targets=20, k=3)
    for value in (math.nan, -math.inf, None):
        with pytest.raises(DataError, match="icc= must be a finite number"):
            icc_interval(value, n_targets=20, k=3)
    for wrong in (math.nan, math.inf, 2.5, "20"):
        with pytest.raises(DataError, match="n_targets= must be a whole number of at least 2"):
            icc_interval(0.8, n_targets=wrong, k=3)
    with pytest.raises(DataError, match=r"at least -0\.500"):
        icc_interval(-0.6, n_targets=20, k=3, form="ICC(1,1)")
    with pytest.raises(DataError, match="mean square of the raters"):
        icc_interval(0.5, n_targets=20, k=3, form="ICC(A,k)")
    with pytest.raises(DataError, match="whole number of at least 2"):
        icc_interval(0.5, n_targets=20, k=1)
    with pytest.raises(DataError, match=r"between 0 and 1, not 95"):
        icc_interval(0.5, n_targets=20, k=3, confidence=95)


def test_layouts_agree_whatever_the_order_of_the_rows() -> None:
    table = np.array(R["cases"]["ordinal"]["table"])
    wide = pd.DataFrame(table, columns=[f"r{j}" for j in range(5)])
    wide["site"] = "a"
    long = long_of(table).sample(frac=1, random_state=3)
    expected = icc(table).tidy()
    for found in (
        icc(wide, context="site").tidy().drop(columns="site"),
        icc(wide, ratings=[f"r{j}" for j in range(5)]).tidy(),
        icc(long, targets="clip", raters="rater", ratings="score").tidy(),
    ):
        pd.testing.assert_frame_equal(found, expected, rtol=1e-12)
    one_way = icc(long, targets="clip", ratings="score").tidy()
    pd.testing.assert_frame_equal(one_way, expected.iloc[:2], rtol=1e-12)


def test_groups_and_target_columns() -> None:
    first, second = (np.array(R["cases"][c]["table"])[:20, :3] for c in ("strong", "ordinal"))
    frame = pd.concat(
        [
            long_of(first).assign(context="pain", question=1),
            long_of(second).assign(context="disgust", question=1),
            long_of(second[::-1]).assign(context="pain", question=2),
        ]
    )
    frame["subject"], frame["part"] = frame["clip"].str[:2], frame["clip"].str[2:]
    result = icc(
        frame,
        targets=["subject", "part"],
        raters="rater",
        ratings="score",
        context=["context", "question"],
        cluster=False,
    )
    found = result.tidy().set_index(["context", "question", "form"])["estimate"]
    assert list(dict.fromkeys(key[:2] for key in found.index)) == [
        ("disgust", 1),
        ("pain", 1),
        ("pain", 2),
    ]
    for key, table in ((("pain", 1), first), (("disgust", 1), second), (("pain", 2), second)):
        np.testing.assert_allclose(found.loc[key], reference.six_forms(table), rtol=1e-10)
    assert result.counts()["n_targets"].tolist() == [20, 20, 20]
    assert "3 contexts (context, question)" in str(result)


def test_unbalanced_mean_squares_are_those_of_aov() -> None:
    values, targets = np.array(R["unequal"]["values"]), np.array(R["unequal"]["targets"])
    frame = pd.DataFrame({"clip": targets, "score": values})
    result = icc(frame, targets="clip", ratings="score")
    between, within = R["unequal"]["mean_squares"]
    row = result.tidy().set_index("form").loc["ICC(1,k)"]
    assert row["statistic"] == pytest.approx(between / within, rel=PACKAGES)
    assert row["estimate"] == pytest.approx((between - within) / between, rel=PACKAGES)
    sizes = np.bincount(targets.astype(int))[1:]
    n0 = (sizes.sum() - (sizes**2).sum() / sizes.sum()) / (len(sizes) - 1)
    assert row["k"] == pytest.approx(n0)
    assert row["method"] == "Wald"
    counts = result.counts().iloc[0]
    assert counts["n_single"] == 2
    assert counts["k_harmonic"] == pytest.approx(len(sizes) / (1 / sizes).sum())
    assert any("2 targets have one rating" in note for note in result.notes())
    assert "unequal_ratings" in codes_of(joined(result.notes()))


def test_wald_limits_solve_the_equation_of_the_whole_covariance_matrix() -> None:
    from scipy.stats import f

    values, targets = np.array(R["unequal"]["values"]), np.array(R["unequal"]["targets"])
    frame = pd.DataFrame({"clip": targets, "score": values})
    row = (
        icc(frame, targets="clip", ratings="score", form="ICC(1,1)", confidence=0.9).tidy().iloc[0]
    )
    for limit, probability in ((row["conf_low"], 0.95), (row["conf_high"], 0.05)):
        statistic = reference.wald_ratio(values, targets, limit / (1 - limit))
        assert statistic == pytest.approx(f.ppf(probability, row["df1"], row["df2"]), rel=1e-8)


def test_mean_reliability_is_spearman_brown_at_the_harmonic_mean() -> None:
    values, targets = np.array(R["unequal"]["values"]), np.array(R["unequal"]["targets"])
    result = icc(pd.DataFrame({"c": targets, "x": values}), targets="c", ratings="x")
    single = result.tidy().iloc[0]
    row = result.mean_reliability().iloc[0]
    k = result.counts()["k_harmonic"].iloc[0]
    for name in ("estimate", "conf_low", "conf_high"):
        r = single[name]
        assert row[name] == pytest.approx(k * r / (1 + (k - 1) * r), rel=1e-12)


@settings(derandomize=True, max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(2, 12),
    k=st.integers(2, 6),
    at=st.floats(0.5, 40),
)
def test_average_forms_step_up_the_single_ones(seed: int, n: int, k: int, at: float) -> None:
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(n, k)) + 2 * rng.normal(size=(n, 1))
    rows = icc(table, k=at).tidy().set_index("form")
    for family in "1AC":
        for name in ("estimate", "conf_low", "conf_high"):
            r = rows.loc[f"ICC({family},1)", name]
            stepped = at * r / (1 + (at - 1) * r)
            found = rows.loc[f"ICC({family},k)", name]
            if math.isnan(rows.loc[f"ICC({family},k)", "estimate"]):
                assert "too negative" in rows.loc[f"ICC({family},k)", "reason"]
            elif 1 + (at - 1) * r > 1e-3:
                assert found == pytest.approx(stepped, rel=1e-9, abs=1e-9)
            else:
                assert math.isnan(found) or found < -1
    inside = rows[rows["reason"] == ""]
    assert (inside["conf_low"] <= inside["estimate"]).all()
    assert (inside["estimate"] <= inside["conf_high"]).all()


def test_missing_ratings_are_dropped_and_counted() -> None:
    long = long_of(np.array(R["cases"]["strong"]["table"]))
    long.loc[[3, 17], "score"] = np.nan
    result = icc(long, targets="clip", ratings="score")
    expected = icc(long.dropna(), targets="clip", ratings="score")
    pd.testing.assert_frame_equal(result.tidy(), expected.tidy())
    assert result.counts()["n_missing"].item() == 2
    assert "2 missing ratings were left out" in result.notes()


def test_two_way_forms_need_raters() -> None:
    long = long_of(SHROUT_FLEISS)
    result = icc(long, targets="clip", ratings="score")
    assert result.tidy()["form"].tolist() == ["ICC(1,1)", "ICC(1,k)"]
    assert "raters_unknown" in codes_of(joined(result.notes()))
    with pytest.raises(DataError, match=r"ICC\(A,k\) requires the rater of each rating"):
        icc(long, targets="clip", ratings="score", form=["ICC(1,k)", "ICC(2,k)"])


def test_a_cell_rated_twice_is_named() -> None:
    long = long_of(SHROUT_FLEISS)
    doubled = pd.concat([long, long.iloc[[5, 5, 9]]], ignore_index=True)
    with pytest.raises(DataError) as caught:
        icc(doubled, targets="clip", raters="rater", ratings="score")
    assert "clip 'c1', rater 'r1' (3 times)" in str(caught.value)
    assert "clip 'c2', rater 'r1' (2 times)" in str(caught.value)
    # Without raters they are just more ratings.
    assert icc(doubled, targets="clip", ratings="score").counts()["n_ratings"].item() == 27


DEGENERATE = {
    "no error": ([[1.1, 1.1], [2.3, 2.3]], [1] * 6, [1] * 6, "never differ"),
    "all equal": ([[0.1, 0.1], [0.1, 0.1]], [None] * 6, [None] * 6, "all ratings are equal"),
    "no targets": (
        [[1, 2, 3], [3, 1, 2]],
        [-0.5, -math.inf, None, None, -0.5, -math.inf],
        [None] * 6,
        "do not differ",
    ),
    "one target": ([[1.0, 2.0, 4.0]], [None] * 6, [None] * 6, "only one target"),
    "one rating": ([[1.0], [2.0]], [None] * 6, [None] * 6, "one rating"),
    "nothing": ([[math.nan, math.nan]], [None] * 6, [None] * 6, "no ratings"),
}


@pytest.mark.parametrize("case", sorted(DEGENERATE))
def test_degenerate_ratings_have_a_reason(case: str) -> None:
    table, estimates, limits, reason = DEGENERATE[case]
    found = icc(np.array(table, dtype=float)).tidy()
    assert found["reason"].str.contains(reason).any()
    assert (found["reason"] != "").all()
    for name, expected in (("estimate", estimates), ("conf_low", limits), ("conf_high", limits)):
        for form, value, wanted in zip(found["form"], found[name], expected, strict=True):
            if wanted is not None:
                assert value == pytest.approx(wanted), (form, name)
            elif (case, form, name) != ("no targets", "ICC(A,1)", "estimate"):
                assert math.isnan(value), (form, name)


def test_raters_who_only_lean_leave_agreement_defined() -> None:
    # MSE = 0: consistency is perfect, agreement is not.
    rows = icc(np.array([[1.0, 2.0], [2.0, 3.0], [4.0, 5.0]])).tidy().set_index("form")
    assert rows.loc["ICC(C,1)", "estimate"] == 1
    assert rows.loc["ICC(C,1)", "p_value"] == 0
    assert rows.loc["ICC(A,1)", "estimate"] == pytest.approx((14 / 3) / (14 / 3 + 2 / 3 * 1.5))
    assert 0 < rows.loc["ICC(A,1)", "conf_low"] < rows.loc["ICC(A,1)", "conf_high"] < 1


def test_a_reliability_above_one_is_refused() -> None:
    # MSR + (MSC - MSE)/n < 0: the textbook formula would give 2.3.
    rng = np.random.default_rng(5)
    table = rng.normal(size=(2, 2)) + rng.normal(size=(2, 1)) + rng.normal(size=2)
    assert reference.six_forms(table)[3] > 1
    row = icc(table, form="ICC(A,k)").tidy().iloc[0]
    assert math.isnan(row["estimate"])
    assert "too negative" in row["reason"]


def test_an_agreement_interval_that_misses_its_estimate_says_so() -> None:
    # McGraw and Wong's approximate degrees of freedom fail for two targets of no signal.
    table = np.array([[0.75, 0.04, 0.15, -1.88], [0.69, 0.04, -1.43, -0.33]])
    row = icc(table, form="ICC(A,1)").tidy().iloc[0]
    assert row["conf_high"] < row["estimate"]
    assert "does not contain the estimate" in row["reason"]


def test_bad_arguments() -> None:
    long = long_of(SHROUT_FLEISS)
    with pytest.raises(ColumnError, match="no column 'clips'; did you mean 'clip'"):
        icc(long, targets="clips", ratings="score")
    with pytest.raises(ColumnError, match="row 3 holds 'high'"):
        icc(
            long.astype({"score": object}).assign(score=[1, 2, "high", *([3] * 21)]),
            targets="clip",
            ratings="score",
        )
    with pytest.raises(ColumnError, match="'clip' of the ratings must not have missing values"):
        icc(long.assign(clip=[None, *long["clip"][1:]]), targets="clip", ratings="score")
    with pytest.raises(DataError, match="no form 'ICC4'"):
        icc(SHROUT_FLEISS, form="ICC4")
    with pytest.raises(DataError, match="form= is empty"):
        icc(SHROUT_FLEISS, form=[])
    with pytest.raises(DataError, match="positive number of ratings"):
        icc(SHROUT_FLEISS, k=0)
    with pytest.raises(DataError, match="confidence= must be a number between 0 and 1"):
        icc(SHROUT_FLEISS, confidence=1)
    with pytest.raises(DataError, match="requires ratings="):
        icc(long, targets="clip")
    with pytest.raises(
        DataError, match="context= names 'score', which is the column of the ratings"
    ):
        icc(long, targets="clip", ratings="score", context="score")
    with pytest.raises(DataError, match=r"context= names the column .* a value for each row"):
        icc(long, targets="clip", ratings="score", context=long["clip"])
    with pytest.raises(DataError, match="give targets= and ratings= too"):
        icc(long, raters="rater", ratings="score")
    with pytest.raises(DataError, match="also requires targets="):
        icc(long, ratings="score")
    with pytest.raises(DataError, match="an array has no column names"):
        icc(SHROUT_FLEISS, context="context")
    with pytest.raises(DataError, match="2 dimensions"):
        icc(SHROUT_FLEISS.ravel())


@pytest.mark.parametrize("module", [reliability, icc_intervals])
def test_examples_of_the_docstrings_run(module: ModuleType) -> None:
    failed, tried = doctest.testmod(module)
    assert failed == 0
    assert tried > 0


def test_input_is_not_changed() -> None:
    long = long_of(SHROUT_FLEISS)
    before = long.copy(deep=True)
    icc(long, targets="clip", raters="rater", ratings="score")
    pd.testing.assert_frame_equal(long, before)


def test_result_as_text_dictionary_and_html() -> None:
    result = icc(SHROUT_FLEISS)
    assert "p_value test whether targets differ" in str(result)
    assert "slots 1, 2, ..." in str(result)
    assert "<table" in result._repr_html_()
    content = json.loads(json.dumps(result.to_dict()))
    assert content["provenance"]["confidence"] == 0.95
    assert len(content["table"]) == 6
    assert list(FORMS) == [row["form"] for row in content["table"]]


def clustered(seed: int = 4, subjects: int = 8) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = (
        np.repeat(rng.normal(size=(subjects, 1)), 3, axis=0)
        + rng.normal(size=(3 * subjects, 1))
        + rng.normal(size=(3 * subjects, 4))
    )
    return long_of(table, subject=np.repeat([f"s{i}" for i in range(subjects)], 12))


def test_targets_that_share_subjects_are_pointed_out() -> None:
    frame = clustered()
    with pytest.warns(SharedSubjectsWarning, match="too narrow"):
        result = icc(frame, targets="clip", ratings="score")
    assert "targets_share_subjects" in codes_of(joined(result.notes()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        icc(frame, targets="clip", ratings="score", cluster=False)
        icc(frame, targets="clip", ratings="score", cluster="subject")
        icc(frame, targets="clip", ratings="score", context="subject")
        icc(frame[frame["clip"].isin(["c0", "c3", "c6"])], targets="clip", ratings="score")


def test_jackknife_over_subjects_from_pingouins_estimates() -> None:
    from scipy.stats import kurtosis, t

    frame = clustered()
    found = icc(frame, targets="clip", raters="rater", ratings="score", cluster="subject")
    rows = found.tidy().set_index("form")
    names = ["ICC(1,k)", "ICC(C,k)"]

    def scaled(part: pd.DataFrame) -> np.ndarray:
        return -np.sqrt(1 - pingouins(part).loc[names, "ICC"].to_numpy())

    subjects = frame["subject"].unique()
    g = len(subjects)
    left = np.array([scaled(frame[frame["subject"] != s]) for s in subjects])
    pseudo = g * scaled(frame) - (g - 1) * left
    centre, error = pseudo.mean(axis=0), pseudo.std(axis=0, ddof=1) / math.sqrt(g)
    # The bias-corrected excess of SciPy is that of SAS and of Joanes and Gill's G2.
    excess = np.maximum(kurtosis(pseudo, bias=False), 0) if g >= 6 else np.zeros(2)
    df = 2 / (2 / (g - 1) + excess / g)
    half = t.ppf(0.975, df) * error
    for i, name in enumerate(names):
        assert rows.loc[name, "conf_low"] == pytest.approx(1 - (centre[i] - half[i]) ** 2)
        assert rows.loc[name, "conf_high"] == pytest.approx(1 - (centre[i] + half[i]) ** 2)
        assert rows.loc[name, "statistic"] == pytest.approx((centre[i] + 1) / error[i])
        assert rows.loc[name, "df1"] == pytest.approx(df[i])
        # A limit for one rating is the average's, stepped down.
        average = rows.loc[name, "conf_low"]
        single = rows.loc[name.replace("k", "1"), "conf_low"]
        assert single == pytest.approx(average / (4 - 3 * average))
    assert set(rows["method"]) == {METHOD, METHOD_BOTH}
    assert found.counts()["n_clusters"].item() == g
    long_form = icc(frame, targets="clip", ratings="score", cluster="subject").tidy()
    np.testing.assert_allclose(numbers(long_form)[:, :3], numbers(rows)[:2, :3], rtol=1e-10)


def variances_and_means(table: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Target and error variance by analysis of variance, and the means of the raters."""
    left = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
    n, k = table.shape
    error = (left**2).sum() / ((n - 1) * (k - 1))
    return table.mean(axis=1).var(ddof=1) - error / k, error, table.mean(axis=0)


def test_agreement_draws_raters_from_a_chi_square_and_subjects_from_t() -> None:
    """The limits, from draws of both in place of quantiles of a mixture."""
    from scipy.stats import kurtosis

    rng = np.random.default_rng(8)
    g, q, draws = 12, 4, 200_000
    subject = np.repeat(np.arange(g), 5)
    table = rng.normal(size=g)[subject][:, None] + 0.4 * rng.normal(size=q)
    table = table + rng.normal(size=(len(subject), q))
    frame = pd.DataFrame(table, columns=list("abcd")).assign(subject=subject)
    row = icc(frame, cluster="subject", form="ICC(A,k)").tidy().iloc[0]
    target, error, means = variances_and_means(table)
    left = [variances_and_means(table[subject != s]) for s in range(g)]
    away = np.array([part[2] - part[2].mean() for part in left])
    noise = (g - 1) / g * ((away - away.mean(axis=0)) ** 2).sum() / (q - 1)
    # All raters rated alike much: the chi-square has q - 1 degrees of freedom but for the noise's.
    chi = rng.chisquare(q - 1, draws)
    raters = np.maximum(0, means.var(ddof=1) * (q - 1) / chi - noise)
    pseudo = (g - 1) * np.array(
        [(1 + q * part[0] / (part[1] + raters)) ** -0.5 for part in left]
    ) - g * (1 + q * target / (error + raters)) ** -0.5
    spread = pseudo.std(axis=0, ddof=1) / math.sqrt(g)
    excess = np.maximum(kurtosis(pseudo, bias=False), 0)
    t = rng.standard_t(2 / (2 / (g - 1) + excess / g))
    low, high = np.quantile(pseudo.mean(axis=0) + t * spread, [0.025, 0.975])
    assert row["conf_low"] == pytest.approx(1 - low**2, abs=0.01)
    assert row["conf_high"] == pytest.approx(1 - high**2, abs=0.003)
    assert row["method"] == METHOD_BOTH
    # A jackknife that takes these raters for all there are is far narrower.
    assert row["conf_low"] < icc(table, form="ICC(C,k)").tidy()["conf_low"].item()


def test_clusters_that_do_not_hold_targets_or_do_not_vary() -> None:
    frame = clustered()
    crossed = frame.assign(subject=np.tile(["a", "b"], len(frame) // 2))
    with pytest.raises(DataError, match="target clip 'c0' belongs to several"):
        icc(crossed, targets="clip", ratings="score", cluster="subject")
    alone = icc(frame.assign(subject="a"), targets="clip", ratings="score", cluster="subject")
    assert alone.tidy()["reason"].str.contains("only one subject").all()
    assert alone.tidy()["conf_low"].isna().all()
    few = frame[frame["clip"].isin(["c0", "c3"])]
    reason = icc(few, targets="clip", ratings="score", cluster="subject").tidy()["reason"]
    assert reason.str.contains("if one of the subjects is left out").all()
    same = long_of(np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]), subject=np.repeat([1, 2, 3], 2))
    perfect = icc(same, targets="clip", ratings="score", cluster="subject").tidy()
    assert perfect[["estimate", "conf_low", "conf_high"]].eq(1).all(axis=None)


def test_empty_and_all_missing_tables() -> None:
    empty = long_of(SHROUT_FLEISS).iloc[:0]
    for raters in (None, "rater"):
        with pytest.raises(DataError, match="the ratings have no rows"):
            icc(empty, targets="clip", raters=raters, ratings="score")
    missing = long_of(SHROUT_FLEISS).assign(score=pd.array([None] * 24, dtype="Int64"))
    result = icc(missing, targets="clip", raters="rater", ratings="score")
    assert set(result.tidy()["reason"]) == {"there are no ratings"}
    assert result.counts()["n_missing"].item() == 24


@pytest.mark.parametrize("missing", ["target", "rater"])
def test_a_wide_table_leaves_empty_targets_and_raters_out(missing: str) -> None:
    """As the long layout does: else the complete rest would be fitted by REML."""
    n, k = SHROUT_FLEISS.shape
    table = np.full((n + (missing == "target"), k + (missing == "rater")), np.nan)
    table[:n, :k] = SHROUT_FLEISS
    wide = pd.DataFrame(table, columns=[f"r{j}" for j in range(table.shape[1])])
    for found in (icc(wide), icc(table)):
        pd.testing.assert_frame_equal(found.tidy(), icc(SHROUT_FLEISS).tidy())
        assert found.counts()["n_missing"].item() == table.size - n * k


def test_columns_may_be_numbered() -> None:
    long = long_of(SHROUT_FLEISS)
    numbered = long.rename(columns={"clip": 0, "rater": 1, "score": 2})
    pd.testing.assert_frame_equal(
        icc(numbered, targets=0, raters=1, ratings=2).tidy(),  # type: ignore[arg-type]
        icc(long, targets="clip", raters="rater", ratings="score").tidy(),
    )


@pytest.mark.parametrize("name", ["form", "k", "n_targets"])
def test_groups_may_not_have_the_name_of_a_column_of_results(name: str) -> None:
    long = long_of(SHROUT_FLEISS).assign(**{name: "a"})
    with pytest.raises(DataError, match=f"context= names the column '{name}'"):
        icc(long, targets="clip", ratings="score", context=name)


def test_ratings_that_are_no_numbers() -> None:
    wide = pd.DataFrame(SHROUT_FLEISS, columns=list("abcd"))
    with pytest.raises(ColumnError, match=r"column 'day' of the ratings .* holds dates"):
        icc(wide.assign(day=pd.date_range("2020-01-01", periods=6)))
    with pytest.raises(ColumnError, match=r"row 1 holds the text '9'"):
        icc(wide.astype(str))


def test_arguments_of_the_wrong_kind() -> None:
    long = long_of(SHROUT_FLEISS).assign(subject=np.arange(24) // 8)
    ask = {"targets": "clip", "ratings": "score"}
    with pytest.raises(DataError, match="cluster= must be the name of the column of the subjects"):
        icc(long, cluster=True, **ask)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"n_boot= must be a whole number"):
        icc(long, cluster="subject", method="studentized", n_boot=500.5, **ask)
    with pytest.raises(DataError, match=r"confidence= must .*, not '0\.95'"):
        icc(long, confidence="0.95", **ask)  # type: ignore[arg-type]


def test_each_raters_column_counts_once() -> None:
    wide = pd.DataFrame(np.random.default_rng(2).normal(size=(20, 3)), columns=list("wxy"))
    with pytest.raises(DataError, match="ratings= names 'w' more than once"):
        icc(wide, ratings=["w", "w", "x"])
    wide["subject"] = np.arange(20) // 5
    with pytest.raises(DataError, match="ratings= names 'subject' which context= or cluster="):
        icc(wide, ratings=["w", "x", "subject"], cluster="subject")
    with pytest.raises(DataError, match="form= must be"):
        icc(wide[["w", "x"]], form=None)  # type: ignore[arg-type]


def test_the_notes_on_missing_cells_stand_with_clusters_too() -> None:
    wide = pd.DataFrame(np.random.default_rng(2).normal(size=(20, 4)), columns=list("wxyz"))
    wide["subject"] = np.repeat(list("ABCD"), 5)
    wide.loc[[0, 7, 12], "w"] = np.nan
    notes = icc(wide, cluster="subject").notes()
    assert "icc_by_reml" in codes_of(joined(notes))
    assert "unequal_ratings" in codes_of(joined(notes))
    empty = icc(np.full((3, 3), np.nan)).notes()
    assert "unequal_ratings" not in codes_of(joined(empty))


def test_a_limit_without_end_has_its_reason() -> None:
    long = pd.DataFrame(
        {
            "t": np.repeat(list("abdef"), 3), "r": np.tile(list("xyz"), 5),
            "y": [2, 2, 3, 4, 0, 0, 1, 4, 2, 1, 4, 1, 2, 3, 2],
        }
    )  # fmt: skip
    row = icc(long, targets="t", raters="r", ratings="y").tidy().loc[3]
    assert row["conf_low"] == -np.inf
    assert "too negative for the Spearman-Brown formula" in row["reason"]


@pytest.mark.parametrize(("scale", "message"), [(1e160, "as large as"), (1e-160, "of at most")])
def test_ratings_that_cannot_be_squared_are_refused(scale: float, message: str) -> None:
    ratings = np.random.default_rng(1).normal(size=(20, 3))
    ratings[3, 1] = np.nan
    # Down to where they can, the scale is no matter.
    near = icc(ratings * 1e70 if scale > 1 else ratings * 1e-70).tidy()
    np.testing.assert_allclose(near["estimate"], icc(ratings).tidy()["estimate"], rtol=1e-12)
    with pytest.raises(ColumnError, match=f"the ratings: numbers {message}"):
        icc(ratings * scale)
