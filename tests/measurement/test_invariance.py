"""Invariance over contexts: our tests against lavaan refitted, lavaan's own against lavaan."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pyexpr as px
from pyexpr.base.errors import (
    ColumnError,
    DataError,
    EngineError,
    FactorModelError,
    SharedSubjectsWarning,
)
from pyexpr.base.messages import codes_of, joined
from pyexpr.core.factor_model import cluster_sums, fit_resampled, fit_sums
from pyexpr.measurement.invariance.invariance import invariance
from pyexpr.measurement.invariance.result import InvarianceResult
from pyexpr.measurement.invariance.wald import (
    constraints_of,
    metric_contrasts,
    refit,
    scalar_contrasts,
    wald,
)

GOLDEN = Path(__file__).parents[1] / "golden"
# lavaan stops within 1e-5 standard errors of the minimum; the contrasts' covariance is of
# differences of such estimates, so that a statistic keeps five digits.
STATISTIC = 2e-5
# Chi-squares of two optimisers; log-likelihoods agree to 1e-6 (methods), and these are twice that.
CHISQ = 1e-5
FIT = 1e-6
X = ["x1", "x2", "x3", "x4"]
MODEL = {"f": X}


def rows() -> pd.DataFrame:
    return pd.read_csv(GOLDEN / "invariance_rows.csv")


def holzinger() -> pd.DataFrame:
    return pd.read_csv(GOLDEN / "cfa_holzinger.csv").drop(columns="row")


def ours(table: pd.DataFrame | None = None, **change: object) -> InvarianceResult:
    options: dict[str, object] = {"context": "context", "cluster": "subject", "engine": "native"}
    return invariance(rows() if table is None else table, MODEL, **(options | change))


def simulated(seed: int, subjects: int, leaning: float, clips: int = 5) -> dict[str, np.ndarray]:
    """Two contexts that share subjects and differ in the factor's mean and spread only."""
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(subjects), 2 * clips)
    context = np.tile(np.repeat([0, 1], clips), subjects)
    factor = rng.normal(size=subjects)[subject] + rng.normal(size=len(subject))
    factor = np.where(context == 1, 0.5 + 0.8 * factor, factor)
    own = leaning * rng.normal(size=(subjects, 3))[subject]
    noise = 0.5 * rng.normal(size=(len(subject), 3))
    columns = np.array([2.0, 1.5, 1.8]) + np.outer(factor, [0.9, 0.8, 0.7]) + own + noise
    return {"columns": columns, "context": context, "subject": subject}


CASES = {
    "shared": {},
    "shared, x3 free": {"free": ["x3"]},
    "shared, x1 free": {"free": "x1"},
}


@pytest.mark.parametrize("case", CASES)
def test_wald_is_that_of_lavaan_refitted_without_each_subject(case: str) -> None:
    compare(ours(**CASES[case]), case)


def compare(result: InvarianceResult, case: str) -> None:
    wanted = pd.read_csv(GOLDEN / "invariance.csv").query("case == @case").set_index("level")
    found = result.tidy().set_index("level")
    for level in ("metric", "scalar"):
        assert found.loc[level, "df1"] == wanted.loc[level, "df1"]
        assert found.loc[level, "df2"] == wanted.loc[level, "df2"]
        for column in ("statistic", "p_value"):
            assert found.loc[level, column] == pytest.approx(
                wanted.loc[level, column], rel=STATISTIC
            )
    assert result.refits is not None
    assert result.constraints is not None
    for level, function in (("metric", metric_contrasts), ("scalar", scalar_contrasts)):
        contrasts = function(result.refits, result.constraints)
        error = math.sqrt((result.refits.deviations(contrasts)[:, 0] ** 2).sum())
        assert contrasts[0, 0] == pytest.approx(wanted.loc[level, "first"], rel=STATISTIC)
        assert error == pytest.approx(wanted.loc[level, "first_error"], rel=STATISTIC)


def test_groups_that_share_nobody_have_the_jackknife_within_groups() -> None:
    result = invariance(holzinger(), {"visual": X[:3]}, context="school", engine="native")
    compare(result, "schools")
    assert result.cluster_name is None
    assert result.glance().loc[0, ["n_clusters", "n_shared"]].tolist() == [301, 0]


def test_independent_rows_give_lavaans_chi_square() -> None:
    """With many independent normal rows Q and the likelihood ratio are one test."""
    rng = np.random.default_rng(4)
    n = 20_000
    school = np.repeat(["a", "b"], n)
    factor = rng.normal(size=2 * n)
    loadings = np.where(school[:, None] == "b", [0.9, 0.8, 0.74], [0.9, 0.8, 0.7])
    table = pd.DataFrame(loadings * factor[:, None] + 0.6 * rng.normal(size=(2 * n, 3)))
    table.columns = X[:3]
    table["x2"] += np.where(school == "b", 0.03, 0)
    found = invariance(table, {"f": X[:3]}, context=school, engine="rpy2").tidy()
    q = found["statistic"].astype(float) * found["df1"].astype(float)
    theirs = found["lavaan_chisq_diff"]
    assert (theirs[1:] > 15).all()
    # Both are chi-square on 2 degrees of freedom to first order; Q is not exactly it.
    np.testing.assert_allclose(q[1:], theirs[1:], rtol=0.05)


LAVAAN = """
suppressMessages(library(lavaan))
a <- commandArgs(TRUE)
d <- read.csv(a[1])
model <- a[2]; group <- a[3]; partial <- strsplit(a[4], ";")[[1]]; estimator <- a[5]
fit <- function(equal) {
  call <- function(...) suppressWarnings(cfa(model, d, group = group, std.lv = TRUE,
    meanstructure = TRUE, likelihood = "normal", estimator = estimator, group.equal = equal,
    group.partial = if (length(partial) && !identical(equal, "")) partial else "", ...))
  call()
}
f <- list(fit(""), fit("loadings"), fit(c("loadings", "intercepts")))
test <- do.call(lavTestLRT, f)
m <- sapply(f, fitMeasures, c("chisq", "df", "cfi", "tli", "rmsea", "srmr", "aic", "bic", "logl"))
out <- rbind(m, diff = test[["Chisq diff"]], df_diff = test[["Df diff"]], p = test[["Pr(>Chisq)"]])
for (i in seq_len(nrow(out))) cat(rownames(out)[i], sprintf("%.15g", out[i, ]), "\\n")
"""


def lavaan(
    table: pd.DataFrame, folder: Path, model: str, group: str, partial: str = "",
    estimator: str = "ML",
) -> pd.DataFrame:  # fmt: skip
    """What lavaan itself says, called as its users call it."""
    data, script = folder / "rows.csv", folder / "fit.R"
    table.to_csv(data, index=False)
    script.write_text(LAVAAN, encoding="utf-8")
    done = subprocess.run(
        ["Rscript", "--vanilla", str(script), str(data), model, group, partial, estimator],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines() if line.strip()]
    levels = ["configural", "metric", "scalar"]
    return pd.DataFrame(
        {line[0]: [float(x.replace("NA", "nan")) for x in line[1:]] for line in lines}, index=levels
    )


@pytest.mark.parametrize(
    ("partial", "free"),
    [("", ()), ("f=~x3;x3~1", ["x3"]), ("x2~1", {"intercepts": ["x2"]})],
)
def test_lavaans_differences_and_fit_are_lavaans(
    tmp_path: Path, partial: str, free: object
) -> None:
    table = rows()
    result = ours(engine="rpy2", free=free)
    wanted = lavaan(table, tmp_path, "f =~ x1 + x2 + x3 + x4", "context", partial)
    assert_lavaans(result, wanted)
    assert set(result.tidy()["lavaan_reason"][1:]) == {""}
    assert "contexts_as_independent" in codes_of(joined(result.notes()))


def assert_lavaans(result: InvarianceResult, wanted: pd.DataFrame) -> None:
    found = result.tidy().set_index("level")
    fit = result.fit_measures().set_index("level")
    for level in ("configural", "metric", "scalar"):
        assert fit.loc[level, "chisq"] == pytest.approx(wanted.loc[level, "chisq"], abs=CHISQ)
        for name in ("df", "cfi", "rmsea", "tli", "srmr", "aic", "bic", "logl"):
            assert fit.loc[level, name] == pytest.approx(wanted.loc[level, name], rel=FIT, abs=FIT)
    for level, before in (("metric", "configural"), ("scalar", "metric")):
        assert found.loc[level, "lavaan_chisq_diff"] == pytest.approx(
            wanted.loc[level, "diff"], abs=CHISQ
        )
        assert found.loc[level, "lavaan_df_diff"] == wanted.loc[level, "df_diff"]
        assert found.loc[level, "lavaan_p_value"] == pytest.approx(wanted.loc[level, "p"], abs=1e-6)
        for name in ("cfi", "rmsea", "srmr"):
            change = wanted.loc[level, name] - wanted.loc[before, name]
            assert found.loc[level, f"lavaan_{name}_diff"] == pytest.approx(change, abs=FIT)


def test_several_factors_have_lavaans_tests_only(tmp_path: Path) -> None:
    model = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6"
    result = invariance(holzinger(), model, context="school", engine="rpy2")
    assert_lavaans(result, lavaan(holzinger(), tmp_path, model, "school"))
    assert result.tidy()["statistic"].isna().all()
    assert result.tidy()["reason"][1:].str.contains("one factor").all()
    assert result.contrasts().empty
    assert result.estimates().empty
    assert "tests_of_one_factor" in codes_of(joined(result.notes()))
    with pytest.raises(EngineError, match="nothing can be tested"):
        invariance(holzinger(), model, context="school", engine="native")


def test_mlr_gives_scaled_differences(tmp_path: Path) -> None:
    result = invariance(
        holzinger(), {"f": X}, context="school", cluster=False, estimator="MLR", engine="rpy2"
    )
    wanted = lavaan(holzinger(), tmp_path, "f =~ x1 + x2 + x3 + x4", "school", estimator="MLR")
    found = result.tidy().set_index("level")
    for level in ("metric", "scalar"):
        # The scaling factors are of numerical derivatives.
        assert found.loc[level, "lavaan_chisq_diff"] == pytest.approx(
            wanted.loc[level, "diff"], rel=1e-4
        )
        assert found.loc[level, "lavaan_p_value"] == pytest.approx(wanted.loc[level, "p"], rel=1e-3)


def test_incomplete_rows() -> None:
    table = rows()
    table.loc[[3, 50], "x2"] = np.nan
    dropped = ours(table)
    assert dropped.n_dropped == 2
    assert any("2 rows were left out" in note for note in dropped.notes())
    pd.testing.assert_frame_equal(dropped.tidy(), ours(table.drop(index=[3, 50])).tidy())
    fiml = ours(table, missing="fiml", engine="rpy2")
    assert fiml.tidy()["reason"][1:].str.contains("complete rows").all()
    assert fiml.tidy()["lavaan_p_value"][1:].notna().all()
    assert sum(fiml.n_obs) == len(table)
    # Without a gap fiml and listwise are one.
    assert ours(missing="fiml").tidy()["statistic"][1:].notna().all()


def test_size_at_28_subjects() -> None:
    """About 5 % of studies in which invariance holds reject; 1,000 studies, 3 errors."""
    rejected = {"metric": 0, "scalar": 0}
    for seed in range(1000):
        study = simulated(seed, 28, leaning=0.4)
        refits = refit(study["columns"], study["context"], study["subject"], 2, n_threads=1)
        what = constraints_of(refits, range(3), range(3))
        for level, contrasts in (("metric", metric_contrasts), ("scalar", scalar_contrasts)):
            rejected[level] += wald(refits, contrasts(refits, what)).p_value <= 0.05
    for count in rejected.values():
        assert abs(count / 1000 - 0.05) < 3 * math.sqrt(0.05 * 0.95 / 1000)


def test_contrasts_name_the_indicator_that_differs() -> None:
    study = simulated(1, 80, leaning=0.3)
    columns = study["columns"].copy()
    columns[study["context"] == 1, 2] += 0.4
    table = {name: columns[:, j] for j, name in enumerate(X[:3])}
    context = np.array(["pain", "startle"])[study["context"]]
    result = invariance(
        table, {"f": X[:3]}, context=context, cluster=study["subject"], engine="native"
    )
    found = result.contrasts()
    names = found[["contrast", "first_context", "second_context"]].drop_duplicates()
    assert names.values.tolist() == [["pain - startle", "pain", "startle"]]
    scalar = found.query("level == 'scalar'").set_index("term")
    assert scalar["estimate"].abs().idxmax() == "x3"
    assert scalar.loc["x3", "conf_high"] < 0
    assert scalar.loc["x3", "estimate"] == pytest.approx(-0.4, abs=0.15)
    assert (found.query("level == 'metric'")["conf_low"] < 0).all()
    # The shift in one indicator is a shift in the unit of that indicator, freed or not.
    freed = invariance(
        table, {"f": X[:3]}, context=context, cluster=study["subject"], engine="native",
        free={"intercepts": ["x3"]},
    )  # fmt: skip
    again = freed.contrasts().query("level == 'scalar'").set_index("term")
    assert again["freed"].to_dict() == {"x1": False, "x2": False, "x3": True}
    assert again.loc["x3", "estimate"] == pytest.approx(scalar.loc["x3", "estimate"], rel=1e-12)
    assert freed.tidy().set_index("level").loc["scalar", "df1"] == 1
    assert freed.tidy().set_index("level").loc["scalar", "p_value"] > 0.05


def test_the_reference_indicator_does_not_matter_for_the_metric_test() -> None:
    """Logarithms of ratios to one indicator are sums of those to another."""
    turned = invariance(
        rows(), {"f": X[::-1]}, context="context", cluster="subject", engine="native"
    ).tidy()
    assert turned.loc[1, "statistic"] == pytest.approx(ours().tidy().loc[1, "statistic"], rel=1e-9)


def test_an_indicator_turned_in_one_context_is_compared_without_logarithms() -> None:
    table = rows()
    table.loc[table["context"] == "pain", "x3"] *= -1
    result = ours(table)
    assert result.tidy()["p_value"][1] < 0.01
    assert "ratios_differ_in_sign" in codes_of(joined(result.notes()))
    scale = result.contrasts().query("level == 'metric'")["scale"]
    assert set(scale) == {"ratio"}
    fitted = result.estimates().set_index(["context", "term"])["loading"]
    ratio = fitted["disgust", "x3"] / fitted["disgust", "x1"]
    ratio -= fitted["pain", "x3"] / fitted["pain", "x1"]
    row = result.contrasts().query("term == 'x3' and contrast == 'disgust - pain'").iloc[0]
    assert row["estimate"] == pytest.approx(ratio, rel=1e-12)
    # Turned everywhere, nothing changes.
    everywhere = rows().assign(x3=lambda t: -t["x3"])
    assert ours(everywhere).tidy()["statistic"][1:].tolist() == pytest.approx(
        ours().tidy()["statistic"][1:].tolist(), rel=1e-9
    )


def test_units_and_order_of_rows_change_nothing() -> None:
    plain = ours().tidy()
    table = rows().sample(frac=1, random_state=2)
    scaled = table.assign(x2=1000 * table["x2"] + 5e4)
    for change in (table, scaled):
        np.testing.assert_allclose(
            ours(change).tidy()[["statistic", "p_value"]][1:].astype(float),
            plain[["statistic", "p_value"]][1:].astype(float),
            rtol=1e-8,
        )
    one, many = (ours(n_threads=n).tidy() for n in (1, 3))
    pd.testing.assert_frame_equal(one, many, check_exact=True)


def test_too_few_subjects_for_the_contrasts() -> None:
    table = rows()
    table = table[table["subject"].isin(["s01", "s02", "s03", "s04", "s05", "s06"])]
    result = ours(table)
    assert result.tidy()["reason"][1] == "6 contrasts need at least 7 subjects"
    assert result.tidy()["p_value"].isna().all()
    assert any("only 6 subjects" in note for note in result.notes())
    assert result.contrasts()["p_value"].notna().all()


def test_a_subject_on_whom_a_context_hangs_leaves_the_test_undefined() -> None:
    rng = np.random.default_rng(3)
    study = simulated(3, 12, leaning=0.2)
    columns, subject, context = (study[k] for k in ("columns", "subject", "context"))
    # In the second context a factor exists only by one subject's extreme clips.
    there = context == 1
    wanted = np.array([[1, -0.2, 0.2], [-0.2, 1, 0.2], [0.2, 0.2, 1]])
    columns[there] = rng.normal(size=(there.sum(), 3)) @ np.linalg.cholesky(wanted).T
    columns[there & (subject == 0)] += 5
    table = {name: columns[:, j] for j, name in enumerate(X[:3])}
    result = invariance(table, {"f": X[:3]}, context=context, cluster=subject, engine="native")
    assert result.glance().loc[0, "n_undefined"] >= 1
    assert result.tidy()["reason"][1].startswith("the contrasts are undefined without")
    assert "refits_without_solution" in codes_of(joined(result.notes()))
    assert (result.contrasts()["reason"] != "").any()


def test_a_subject_column_that_repeats_is_pointed_out() -> None:
    with pytest.warns(SharedSubjectsWarning, match="cluster='subject'"):
        invariance(rows(), MODEL, context="context", engine="native")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        known = invariance(rows(), MODEL, context="context", cluster=False, engine="native")
    assert known.glance().loc[0, "n_clusters"] == len(rows())
    assert "every row its own subject" in known.heading()


DEGENERATE = {
    "constant_indicator": lambda t: t.assign(x2=np.where(t["context"] == "pain", 3.0, t["x2"])),
    "singular_covariance": lambda t: t.assign(x4=t["x1"] + t["x2"]),
    "too_few_rows": lambda t: pd.concat([t[t["context"] != "pain"], t[t["context"] == "pain"][:4]]),
}


@pytest.mark.parametrize("engine", ["native", "rpy2"])
@pytest.mark.parametrize("reason", DEGENERATE)
def test_degenerate_data_are_the_typed_error(reason: str, engine: str) -> None:
    with pytest.raises(FactorModelError) as caught:
        ours(DEGENERATE[reason](rows()), engine=engine)
    assert caught.value.reason == reason
    if reason != "singular_covariance":
        assert "'pain'" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"context": "nowhere"}, ColumnError, "no column 'nowhere'"),
        ({"context": None}, DataError, "context="),
        ({"context": np.full(230, "one")}, DataError, "at least two contexts"),
        ({"cluster": "clipp"}, ColumnError, "did you mean 'clip'"),
        ({"free": ["x9"]}, DataError, "free= names 'x9'"),
        ({"free": ["x1", "x2", "x3"]}, DataError, "leaves 1 of 4"),
        ({"free": None}, DataError, "free= must be a list"),
        ({"free": {"slopes": ["x1"]}}, DataError, "not 'slopes'"),
        ({"estimator": "WLS"}, DataError, "estimator="),
        ({"engine": "sas"}, DataError, "engine="),
        ({"confidence": 95}, DataError, "confidence="),
        ({"n_threads": 0}, DataError, "n_threads="),
        ({"n_threads": "2"}, DataError, "n_threads="),
        ({"cluster": np.repeat(["a", "b", "c"], [75, 80, 75])}, DataError, "only one subject"),
    ],
)
def test_wrong_arguments(change: dict, error: type[Exception], match: str) -> None:
    table = rows()
    if isinstance(change.get("cluster"), np.ndarray):
        table = table.sort_values("context")
    with pytest.raises(error, match=match):
        ours(table, **change)


def test_text_and_empty_tables() -> None:
    with pytest.raises(ColumnError, match="must be a number, but row 1"):
        ours(rows().astype({"x1": object}).assign(x1=["high"] + ["1"] * 229))
    with pytest.raises(DataError, match="data has no rows"):
        ours(rows().iloc[:0])
    with pytest.raises(ColumnError, match="'context' of data must not have missing"):
        ours(rows().assign(context=lambda t: t["context"].where(t.index > 3)))


def test_without_r_our_tests_stand_and_lavaans_say_why() -> None:
    code = (
        "import json, sys, pandas as pd\n"
        "from pyexpr.measurement.invariance.invariance import invariance\n"
        f"rows = pd.read_csv({str(GOLDEN / 'invariance_rows.csv')!r})\n"
        f"found = invariance(rows, {MODEL!r}, context='context', cluster='subject')\n"
        "json.dump(found.to_dict(), sys.stdout)\n"
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("R_HOME", "PATH")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env=environment | {"PATH": "/nowhere"},
    )  # fmt: skip
    found = json.loads(done.stdout)
    metric = found["table"][1]
    assert metric["p_value"] == pytest.approx(ours().tidy()["p_value"][1], rel=1e-12)
    assert metric["lavaan_p_value"] is None
    assert metric["lavaan_reason"].startswith("R was not found")
    assert "To fix this, run" not in metric["lavaan_reason"]
    assert any("To fix this, run" in note for note in found["notes"])
    assert found["provenance"]["engine"] == ""


def test_result_as_text_dictionary_and_html() -> None:
    result = ours()
    text = str(result)
    assert "3 contexts: 230 rows, 16 clusters by subject, 16 shared" in text
    assert "no evidence that the intercepts differ" in text
    assert "Metric: the loadings differ between contexts (F(6, 10) = 4.43, p = .019)" in text
    assert "assumes equal loadings" in text
    plain = result.to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["provenance"]["n_clusters"] == 16
    assert plain["provenance"]["contexts"]["pain"] == {"n": 75, "n_clusters": 15}
    assert "<table" in result._repr_html_()
    assert list(result.tidy()["level"]) == ["configural", "metric", "scalar"]
    assert px.invariance is invariance


def test_sums_are_fitted_as_drawn() -> None:
    study = simulated(5, 10, leaning=0.2)
    x = study["columns"] - study["columns"].mean(axis=0)
    sums = cluster_sums(x, study["subject"], 10)
    counts = np.random.default_rng(0).integers(0, 3, size=(7, 10)).astype(float)
    for found, wanted in zip(
        fit_sums(counts @ sums, 3)[:2], fit_resampled(sums, counts, 3)[:2], strict=True
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-10)
    with pytest.raises(DataError, match="do not have shape"):
        fit_sums(sums[:, 1:], 3)


def test_contrasts_adjusted_together() -> None:
    single = ours()
    holm, largest = single.adjust("holm"), single.adjust("max_t")
    table = single.contrasts()
    for level in ("metric", "scalar"):
        rows = (table["level"] == level).to_numpy()
        m = int(rows.sum())
        wider = single.interval(confidence=1 - 0.05 / m).contrasts()
        limits = ["conf_low", "conf_high"]
        pd.testing.assert_frame_equal(holm.contrasts().loc[rows, limits], wider.loc[rows, limits])
        np.testing.assert_array_equal(
            holm.contrasts().loc[rows, "p_adjusted"], table.loc[rows, "p_adjusted"]
        )
    found = largest.contrasts()
    assert (found["p_adjusted"] <= holm.contrasts()["p_adjusted"] + 0.02).all()
    assert (found["p_adjusted"] >= found["p_value"] - 0.02).all()
    outside = (found["conf_low"] > 0) | (found["conf_high"] < 0)
    assert ((found["p_adjusted"] <= 0.05) == outside).all()
    assert found.columns[-1] == "adjustment"
    again = ours(adjust="max_t", seed=0).contrasts()
    pd.testing.assert_frame_equal(again, found)
    assert "simultaneous, by max-T" in " ".join(
        text.get_text() for text in largest.plot().legends[0].get_texts()
    )


def test_influence_is_the_contrasts_without_each_subject() -> None:
    table = rows()
    result = ours(table)
    found = result.influence()
    who = sorted(table["subject"].unique())[3]
    rest = ours(table[table["subject"] != who]).contrasts()
    own = found[found["cluster"] == who]
    # Two fits by the same kernel, from other sums.
    np.testing.assert_allclose(own["estimate"], rest["estimate"], rtol=1e-6, atol=1e-8)
    keys = ["level", "term", "contrast"]
    assert own[keys].values.tolist() == rest[keys].values.tolist()
    # Their squares give the standard error.
    G = table["subject"].nunique()
    centred = found.groupby(keys, sort=False)["influence"].agg(
        lambda x: np.sqrt(((x - x.mean()) ** 2).sum() / (G * (G - 1)))
    )
    np.testing.assert_allclose(centred, result.contrasts()["std_error"], rtol=1e-9)


def test_what_invariance_has_not_is_reported() -> None:
    for option in ("n_boot", "method", "stratify", "progress"):
        with pytest.raises(DataError, match=rf"^invariance\(\) does not accept {option}=: "):
            ours(**{option: 5})
    result = ours()
    with pytest.raises(DataError, match=r"not available: .* leaves out each in turn"):
        result.extend(10)
    with pytest.raises(DataError, match="there are no replicates"):
        _ = result.replicates
    with pytest.raises(DataError, match="can only be 'jackknife_t', not 'bca'"):
        result.interval(method="bca")
    with pytest.raises(DataError, match="adjust="):
        ours(adjust="bonferroni")
