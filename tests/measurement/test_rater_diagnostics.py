"""Diagnostics of raters: other software's numbers, closed forms, bad input, blocks, replicates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pyexpr as px
from pyexpr.base.errors import ColumnError, DataError, SharedSubjectsWarning

# Shrout and Fleiss (1979): six targets, four raters.
SIX = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
).astype(float)
# psych 2.2.9, ICC(x, lmer = FALSE)$results$ICC[2:3] without each column, minus that of all.
BY_PSYCH_AGREEMENT = [0.05506380668, 0.11158529299, -0.04944600396, -0.06623436776]
BY_PSYCH_CONSISTENCY = [0.00149166338, -0.03093266886, -0.02143097272, 0.07354102790]
# All but icc_change, which is refitted by REML where cells are missing.
QUICK = ["bias", "error_sd", "correlation"]
COLUMNS = {"targets": ["subject", "clip"], "ratings": "score", "raters": "rater"}


def long(n_subjects: int = 8, q: int = 4, missing: float = 0.25, seed: int = 3) -> pd.DataFrame:
    """Return ratings of three clips a subject, some missing, in an order of each rater's own."""
    rng = np.random.default_rng(seed)
    subject, clip = np.repeat(np.arange(n_subjects), 3), np.tile(np.arange(3), n_subjects)
    value = rng.normal(size=n_subjects)[subject] + rng.normal(size=len(subject))
    table = value[:, None] + np.linspace(-1, 1, q) + rng.normal(0, 0.5, (len(subject), q))
    target, rater = np.nonzero(rng.random(table.shape) >= missing)
    frame = pd.DataFrame(
        {
            "subject": subject[target], "clip": clip[target],
            "rater": np.array(list("abcdefgh"))[rater], "score": table[target, rater],
        }
    )  # fmt: skip
    return frame.assign(position=rng.permutation(len(frame)))


def estimates(result: Any, quantity: str) -> list[float]:
    table = result.tidy()
    return list(table.loc[table["quantity"] == quantity, "estimate"])


def test_biases_and_drifts_are_those_of_a_regression_with_dummies() -> None:
    import statsmodels.formula.api as smf

    data = long()
    found = px.rater_diagnostics(
        data, **COLUMNS, cluster="subject", order="position", quantities=["bias", "drift"]
    )
    data["target"] = data["subject"] * 3 + data["clip"]
    plain = smf.ols("score ~ C(target) + C(rater)", data).fit().params
    level = np.array([0, *(plain[f"C(rater)[T.{name}]"] for name in "bcd")])
    assert estimates(found, "bias") == pytest.approx(level - level.mean(), abs=1e-10)
    drifting = smf.ols("score ~ C(target) + C(rater) + C(rater):position", data).fit().params
    slope = np.array([drifting[f"C(rater)[{name}]:position"] for name in "abcd"])
    assert estimates(found, "drift") == pytest.approx(slope - slope.mean(), abs=1e-10)


def test_error_variances_are_grubbs_without_missing_cells() -> None:
    rng = np.random.default_rng(1)
    table = rng.normal(size=(30, 1)) + rng.normal(size=(30, 5)) * [0.3, 0.5, 0.7, 0.9, 1.1]
    # Grubbs (1948), from covariances: no difference of two raters is formed.
    covariance, q = np.cov(table.T), 5
    others = (covariance.sum() - np.trace(covariance)) / 2
    with_j = covariance.sum(axis=1) - np.diag(covariance)
    variance = (
        np.diag(covariance) - 2 / (q - 1) * with_j
        + 2 / ((q - 1) * (q - 2)) * (others - with_j)
    )  # fmt: skip
    found = px.rater_diagnostics(table)
    assert np.array(estimates(found, "error_sd")) ** 2 == pytest.approx(variance, abs=1e-12)
    rest = [np.delete(table, j, axis=1).mean(axis=1) for j in range(q)]
    theirs = [np.corrcoef(table[:, j], rest[j])[0, 1] for j in range(q)]
    assert estimates(found, "correlation") == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize(
    ("form", "changes"),
    [
        ("ICC(A,1)", BY_PSYCH_AGREEMENT),
        ("ICC(C,1)", BY_PSYCH_CONSISTENCY),
    ],
)
def test_the_icc_without_each_rater_is_that_of_psych(form: str, changes: list[float]) -> None:
    found = px.rater_diagnostics(SIX, form=form, quantities="icc_change")
    assert estimates(found, "icc_change") == pytest.approx(changes, abs=1e-9)


def test_icc_change_is_the_difference_of_two_iccs_with_missing_cells() -> None:
    data = long(4, q=3)
    found = px.rater_diagnostics(
        data, **COLUMNS, cluster="subject", form="ICC(A,k)", quantities="icc_change"
    )

    def icc(rows: pd.DataFrame) -> float:
        table = px.icc(rows, **COLUMNS, cluster="subject", form="ICC(A,k)").tidy()
        return float(table["estimate"].iloc[0])

    theirs = [icc(data[data["rater"] != name]) - icc(data) for name in "abc"]
    assert estimates(found, "icc_change") == pytest.approx(theirs, abs=1e-8)


def test_wide_and_long_tables_give_the_same_numbers() -> None:
    data = long()
    wide = data.pivot_table(index=["subject", "clip"], columns="rater", values="score")
    wide = wide.reset_index()
    options = {"cluster": "subject", "quantities": QUICK}
    by_long = px.rater_diagnostics(data, **COLUMNS, **options).tidy()
    by_wide = px.rater_diagnostics(wide, ratings=list("abcd"), **options).tidy()
    pd.testing.assert_frame_equal(by_long, by_wide, rtol=1e-10)


def test_leaving_out_a_subject_is_computing_it_without() -> None:
    data = long()
    options = {**COLUMNS, "cluster": "subject", "order": "position"}
    quantities = [*QUICK, "drift"]
    influence = px.rater_diagnostics(data, **options, quantities=quantities).influence()
    rest = px.rater_diagnostics(data[data["subject"] != 5], **options, quantities=quantities)
    without = influence.loc[influence["cluster"] == 5, "estimate"].to_numpy()
    # A negative error variance has its sign there.
    expected = rest.tidy()["estimate"].to_numpy()
    assert without[~np.isnan(expected)] == pytest.approx(expected[~np.isnan(expected)], abs=1e-10)


def test_replicates_go_on_from_the_seed_and_weigh_subjects_twice() -> None:
    data, options = long(missing=0.0), {**COLUMNS, "cluster": "subject", "seed": 4}
    at_once = px.rater_diagnostics(data, **options, n_boot=60)
    later = px.rater_diagnostics(data, **options, n_boot=20).extend(40)
    assert np.array_equal(at_once.replicates, later.replicates)
    from pyexpr.core.cluster_bootstrap import draw_counts

    times = draw_counts((8,), 1, seed=4)[0]
    drawn = [
        data[data["subject"] == subject].assign(subject=f"{subject}, {copy}")
        for subject in range(8) for copy in range(times[subject])
    ]  # fmt: skip
    repeated = px.rater_diagnostics(pd.concat(drawn), **COLUMNS, cluster="subject")
    assert at_once.replicates[0] == pytest.approx(repeated.tidy()["estimate"].to_numpy(), abs=1e-10)
    shown = at_once.interval(method="percentile").tidy()
    assert (shown["conf_low"] <= shown["conf_high"]).all()


def test_raters_without_common_targets_are_compared_within_their_group() -> None:
    rng = np.random.default_rng(2)
    table = rng.normal(size=(30, 1)) + np.array([0, 1, 2, 50, 53]) + rng.normal(size=(30, 5)) / 9
    table[:20, 3:] = np.nan
    table[20:, :3] = np.nan
    found = px.rater_diagnostics(table, quantities=QUICK)
    assert list(found.scale_use()["block"]) == [1, 1, 1, 2, 2]
    biases = np.array(estimates(found, "bias"))
    assert biases[:3].sum() == pytest.approx(0, abs=1e-12)
    assert biases[4] - biases[3] == pytest.approx(np.nanmean(table[:, 4] - table[:, 3]))
    assert any(note.code == "raters_in_blocks" for note in found.notes())
    errors = found.tidy().query("quantity == 'error_sd'")
    assert [reason.code for reason in errors["reason"] if reason] == ["rater_error_needs_three"] * 2


def test_a_rater_who_shares_no_target_has_a_reason() -> None:
    table = np.vstack([np.column_stack([SIX, np.full(6, np.nan)]), [[np.nan] * 4 + [3.0]]])
    found = px.rater_diagnostics(table, quantities=["bias", "error_sd", "correlation"]).tidy()
    alone = found[found["rater"] == "rater 5"]
    assert alone["estimate"].isna().all()
    assert {reason.code for reason in alone["reason"]} == {"rater_shares_no_target"}


def test_a_negative_error_variance_is_reported_with_its_reason() -> None:
    rng = np.random.default_rng(8)
    value = rng.normal(size=40)
    noise = rng.normal(size=40)
    # The first rater's rating lies between those of the others: their errors are opposite.
    table = np.column_stack([value, value + noise, value - noise])
    row = px.rater_diagnostics(table, quantities="error_sd").tidy().iloc[0]
    assert np.isnan(row["estimate"])
    assert np.isnan(row["conf_high"])
    assert row["reason"].code == "rater_error_negative"


def test_constant_ratings_have_a_reason_and_the_others_their_numbers() -> None:
    table = SIX.copy()
    table[:, 1] = 4
    found = px.rater_diagnostics(table, quantities="correlation").tidy()
    assert found["reason"].iloc[1].code == "rater_does_not_vary"
    assert found["estimate"].iloc[[0, 2, 3]].notna().all()


def test_times_are_days_and_one_order_for_all_shows_relative_drift() -> None:
    rng = np.random.default_rng(5)
    n = 40
    day = np.sort(rng.random(n) * 30)
    table = rng.normal(size=(n, 1)) + rng.normal(0, 0.1, (n, 3)) + day[:, None] * [0.05, 0.0, 0.01]
    wide = pd.DataFrame(table, columns=list("abc")).assign(
        when=pd.Timestamp("2026-03-01") + pd.to_timedelta(day, unit="D")
    )
    found = px.rater_diagnostics(wide, order="when", ratings=list("abc"), quantities="drift")
    assert estimates(found, "drift") == pytest.approx([0.03, -0.02, -0.01], abs=0.004)
    assert "per day" in str(found)


def test_use_of_the_scale() -> None:
    table = px.rater_diagnostics(SIX, scale=(1, 10)).scale_use()
    assert list(table["n_distinct"]) == [5, 4, 5, 5]
    assert list(table["share_lowest"]) == pytest.approx([0, 2 / 6, 0, 0])
    assert list(table["share_highest"]) == pytest.approx([1 / 6, 0, 0, 0])


def test_contexts_are_analysed_alone_and_adjusted_alone() -> None:
    data = pd.concat([long(seed=1).assign(task="p"), long(seed=2, q=3).assign(task="q")])
    options = {**COLUMNS, "cluster": "subject", "adjust": "max_t", "quantities": QUICK}
    both = px.rater_diagnostics(data, **options, context="task")
    table = both.tidy()
    alone = px.rater_diagnostics(long(seed=2, q=3), **options)
    pd.testing.assert_frame_equal(
        table[table["task"] == "q"].drop(columns="task").reset_index(drop=True), alone.tidy()
    )
    tested = table["p_adjusted"].notna()
    assert (table.loc[tested, "p_adjusted"] >= table.loc[tested, "p_value"] - 1e-3).all()
    assert len(both.by_rater()) == 7
    figure = both.plot()
    assert len(figure.axes) == 4


def test_results_are_saved_with_their_replicates(tmp_path: Path) -> None:
    found = px.rater_diagnostics(SIX, quantities=QUICK, n_boot=40)
    found.save(tmp_path / "raters")
    again = px.load(tmp_path / "raters")
    pd.testing.assert_frame_equal(again.tidy(), found.tidy())
    assert np.array_equal(again.extend(5).replicates, found.extend(5).replicates, equal_nan=True)
    assert str(again) == str(found)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"raters": None}, "a long table requires raters="),
        ({"quantities": "sevrity"}, "which is not one of the quantities"),
        ({"quantities": "drift"}, "requires order="),
        ({"order": "when"}, "no column 'when'"),
        ({"scale": (7, 1)}, "must be the lowest and the highest"),
        ({"form": "ICC(4,1)"}, "there is no form 'ICC"),
        ({"method": "studentized", "n_boot": 99}, "studentized intervals require"),
        ({"method": "bca"}, "needs n_boot of at least 39"),
        ({"adjust": "bonferroni"}, "adjust= must be one of"),
        ({"cluster": ["subject"]}, "cluster= must be the name"),
        ({"context": "rater"}, "rename it"),
    ],
)
def test_what_is_wrong_is_refused(change: dict[str, Any], text: str) -> None:
    with pytest.raises((DataError, ColumnError), match="(?i)" + text.replace("(", r"\(")):
        px.rater_diagnostics(long(), **{**COLUMNS, "cluster": "subject", **change})


def test_a_missing_order_is_refused_only_where_there_is_a_rating() -> None:
    data = long()
    data["position"] = data["position"].astype(float)
    data.loc[4, ["position", "score"]] = np.nan
    options = {**COLUMNS, "cluster": "subject", "order": "position", "quantities": "drift"}
    found = px.rater_diagnostics(data, **options)
    assert np.isfinite(estimates(found, "drift")).all()
    data.loc[7, "position"] = np.nan
    with pytest.raises(ColumnError, match="row 8 is empty"):
        px.rater_diagnostics(data, **options)


def test_shared_subjects_cause_a_warning_and_one_rater_or_subject_an_error() -> None:
    data = long()
    with pytest.warns(SharedSubjectsWarning, match="belong to one subject"):
        px.rater_diagnostics(data, **COLUMNS, quantities="bias")
    with pytest.raises(DataError, match="compare raters"):
        px.rater_diagnostics(data[data["rater"] == "a"], **COLUMNS, cluster="subject")
    with pytest.raises(DataError, match="only one subject"):
        px.rater_diagnostics(data[data["subject"] == 1], **COLUMNS, cluster="subject")
