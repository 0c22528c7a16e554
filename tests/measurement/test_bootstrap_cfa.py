"""Refits by subjects against lavaan on the drawn rows, and intervals against boot::boot.ci."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lavaan_direct import by_lavaan

from pyexpr.base.errors import (
    DataError,
    FactorModelError,
    FewSubjectsWarning,
    Interrupted,
    PyexprWarning,
)
from pyexpr.core.cluster_bootstrap import draw_counts
from pyexpr.inference.bootstrap.bootstrap import cluster_bootstrap
from pyexpr.measurement.factor.bootstrap import bootstrap_cfa
from pyexpr.measurement.factor.bootstrap_result import CFABootstrapResult
from pyexpr.measurement.factor.cfa import cfa

SUBJECTS = 30
NAMES = ["response", "emotion", "motion", "voice"]
# lavaan's optimiser on p > 3 indicators; estimates are of the order of 1.
LAVAAN = 1e-6
# boot.ci and we do the same arithmetic, in another order.
BOOT = 1e-12


def clips(n_indicators: int = 3, contexts: tuple[str, ...] = ("pain", "startle")) -> pd.DataFrame:
    """Subjects with 10 to 15 clips in each context; the subject has a share in the factor."""
    rng = np.random.default_rng(11)
    blocks = []
    for context in contexts:
        subject = np.repeat(np.arange(SUBJECTS), rng.integers(10, 16, SUBJECTS))
        factor = rng.normal(size=SUBJECTS)[subject] + rng.normal(size=len(subject))
        block = pd.DataFrame({"subject": [f"s{i:02d}" for i in subject], "context": context})
        for name, loading in zip(NAMES[:n_indicators], (0.9, 0.7, 0.8, 0.6), strict=False):
            block[name] = 2 + loading * factor + rng.normal(size=len(subject))
        blocks.append(block)
    return pd.concat(blocks, ignore_index=True)


def drawn_rows(table: pd.DataFrame, replicate: int, seed: int) -> pd.DataFrame:
    """The rows of the drawn subjects, those drawn twice twice."""
    times = draw_counts((SUBJECTS,), 1, seed=seed, first=replicate)[0]
    labels = sorted(table["subject"].unique())
    pieces = [
        table[table["subject"] == label]
        for label, count in zip(labels, times, strict=True)
        for _ in range(count)
    ]
    return pd.concat(pieces, ignore_index=True)


def lavaan_quantities(table: pd.DataFrame, names: list[str]) -> np.ndarray:
    """Loadings, standardised, residuals, weights, reliability; the weights from lavPredict.

    Scores are linear in the row: those of unit steps are the weights.
    """
    fit = cfa(table, {"f": names}, engine="rpy2")
    found = fit.loadings()
    steps = pd.DataFrame(np.vstack([np.zeros(len(names)), np.eye(len(names))]), columns=names)
    scores = fit.scores(steps)["score"].to_numpy()
    reliability = fit.reliability().set_index("quantity").loc["score_reliability", "estimate"]
    return np.concatenate(
        [
            found["loading"], found["std_loading"], found["residual_variance"],
            scores[1:] - scores[0], [reliability],
        ]
    )  # fmt: skip


@pytest.mark.parametrize("n_indicators", [3, 4])
def test_refits_are_lavaans_on_the_drawn_rows(n_indicators: int) -> None:
    table = clips(n_indicators, ("pain",))
    names = NAMES[:n_indicators]
    result = bootstrap_cfa(table, {"f": names}, cluster="subject", n_boot=40, seed=9)
    assert result.replicates.shape == (40, 4 * n_indicators + 1)
    estimate = result.tidy()["estimate"].to_numpy()
    assert estimate == pytest.approx(lavaan_quantities(table, names), abs=LAVAAN)
    for replicate in (0, 17, 39):
        wanted = lavaan_quantities(drawn_rows(table, replicate, 9), names)
        assert result.replicates[replicate] == pytest.approx(wanted, abs=LAVAAN)


def test_groups_are_drawn_together() -> None:
    table = clips()
    model = {"f": NAMES[:3]}
    both = bootstrap_cfa(table, model, cluster="subject", context="context", n_boot=50, seed=2)
    assert list(dict.fromkeys(both.tidy()["context"])) == ["pain", "startle"]
    for code, context in enumerate(("pain", "startle")):
        own = table[table["context"] == context]
        wanted = lavaan_quantities(drawn_rows(own, 31, 2), NAMES[:3])
        assert both.replicates[31, 13 * code : 13 * code + 13] == pytest.approx(wanted, abs=LAVAAN)


def test_the_draws_are_those_of_cluster_bootstrap() -> None:
    """Another road to the closed form of three indicators: weighted covariances by NumPy."""
    table = clips(3, ("pain",))

    def first_loading(rows: pd.DataFrame, weights: np.ndarray) -> float:
        s = np.cov(rows[NAMES[:3]].to_numpy().T, aweights=weights, ddof=0)
        return float(np.sqrt(s[0, 1] * s[0, 2] / s[1, 2]))

    theirs = cluster_bootstrap(table, first_loading, cluster="subject", n_boot=60, seed=4)
    ours = bootstrap_cfa(table, {"f": NAMES[:3]}, cluster="subject", n_boot=60, seed=4)
    assert ours.replicates[:, 0] == pytest.approx(theirs.replicates[:, 0], abs=1e-12)


def test_threads_and_other_rows_change_nothing() -> None:
    table = clips(4)
    options = {"cluster": "subject", "context": "context", "n_boot": 200, "seed": 1}
    model = {"f": NAMES}
    one, many = (bootstrap_cfa(table, model, n_threads=n, **options) for n in (1, 3))
    assert one.replicates.tobytes() == many.replicates.tobytes()
    shuffled = table.sample(frac=1, random_state=3)
    again = bootstrap_cfa(shuffled, model, **options)
    assert again.replicates == pytest.approx(one.replicates, abs=1e-9)


BOOT_CI = """
suppressMessages(library(boot))
folder <- commandArgs(TRUE)
t <- as.matrix(read.csv(file.path(folder, "t.csv")))
t0 <- read.csv(file.path(folder, "t0.csv"))[[1]]
J <- as.matrix(read.csv(file.path(folder, "j.csv")))
G <- nrow(J)
b <- boot(seq_len(G), function(d, i) 0, R = nrow(t))
for (conf in c(0.8, 0.95)) for (q in seq_along(t0)) {
  L <- (G - 1) * (mean(J[, q]) - J[, q])
  ci <- boot.ci(b, conf = conf, type = c("perc", "bca"), t0 = t0[q], t = t[, q], L = L)
  cat(sprintf("%.17g", c(ci$percent[4:5], ci$bca[4:5])), sep = ",")
  cat("\\n")
}
"""


def test_intervals_are_boot_cis(tmp_path: Path) -> None:
    result = bootstrap_cfa(clips(3, ("pain",)), {"f": NAMES[:3]}, cluster="subject", n_boot=700)
    replicates, found = result.replicates, result.evidence
    for name, values in (
        ("t", replicates), ("t0", found.estimate), ("j", found.groups[0].values.T),
    ):  # fmt: skip
        pd.DataFrame(values).to_csv(tmp_path / f"{name}.csv", index=False, float_format="%.17g")
    done = subprocess.run(["Rscript", "--vanilla", "-e", BOOT_CI, str(tmp_path)],
                          capture_output=True, text=True, check=True)  # fmt: skip
    wanted = pd.read_csv(io.StringIO(done.stdout), header=None).to_numpy().reshape(2, 13, 4)
    for level, limits in zip((0.8, 0.95), wanted, strict=True):
        for method, place in (("percentile", slice(0, 2)), ("bca", slice(2, 4))):
            table = result.interval(method=method, confidence=level).tidy()
            assert set(table["method"]) == {method}
            found = table[["conf_low", "conf_high"]].to_numpy()
            assert found == pytest.approx(limits[:, place], abs=BOOT, rel=BOOT)
    error = replicates.std(axis=0, ddof=1)
    drawn = result.interval(method="percentile").tidy()["std_error"]
    assert drawn.to_numpy() == pytest.approx(error, rel=1e-12)


# R's bootstrap package says jack.se = sqrt((G-1)/G sum (u - mean u)^2); here the values are made
# by lavaan without each subject, and the scales, in R, by their definitions.
JACKKNIFE = """
J <- function(x) x
half <- function(x) ifelse(abs(x) > .5, sign(x) * (.5 + .5 * log(abs(x) / .5)), x)
root <- function(x) sign(x) * abs(x)^(1/3)
odd <- function(x) root(1 + x) - root(1 - x)
s <- sapply(d[1:3], function(x) sqrt(mean((x - mean(x))^2)))
fifth <- function(x) sign(x) * abs(x)^.2
g <- list(J = half, S = odd, T = fifth, W = J, R = function(x) -root(1 - x))
kinds <- c(rep(c("J", "S", "T", "W"), each = 3), "R")
found <- function(d) {
  f <- cfa("f =~ response + emotion + motion", d, std.lv = TRUE, meanstructure = TRUE)
  l <- unname(inspect(f, "est")$lambda[, 1]); t <- unname(diag(inspect(f, "est")$theta))
  I <- sum(l^2 / t)
  c(l, l / sqrt(l^2 + t), t, l / t / I, I / (1 + I))
}
who <- sort(unique(d$subject)); G <- length(who)
all <- found(d)
left <- t(sapply(who, function(w) found(d[d$subject != w, ])))
m <- table(d$subject); equal <- sum(m)^2 / sum(m^2)
for (q in 1:13) {
  h <- g[[kinds[q]]]; unit <- if (q < 4) s[q] else 1
  v <- h(left[, q] / unit); u <- G * h(all[q] / unit) - (G - 1) * v
  k <- max(0, mean((u - mean(u))^4) / mean((u - mean(u))^2)^2 - 3)
  df <- max(2, min(2 / (2 / (G - 1) + k / G), equal - 1))
  e <- h(all[q] / unit) + c(-1, 1) * qt(.975, df) * sd(u) / sqrt(G)
  ends <- sapply(e, function(y) uniroot(function(x) h(x) - y, c(-5, 5), tol = 1e-13)$root * unit)
  se <- sqrt((G - 1) / G * sum((left[, q] - mean(left[, q]))^2))
  out <- if (q == 1) c(se, ends) else c(out, se, ends)
}
out
"""


def test_the_default_is_the_jackknife_on_scales(tmp_path: Path) -> None:
    """Refits by lavaan; scales, degrees of freedom and limits by R, inverted numerically."""
    table = clips(3, ("pain",))[["response", "emotion", "motion", "subject"]]
    # Of different lengths, so that sizes tell.
    table = table[(table["subject"] > "s04") | (table.index % 4 == 0)]
    wanted = by_lavaan(tmp_path, table, JACKKNIFE).reshape(13, 3)
    found = bootstrap_cfa(table, {"f": NAMES[:3]}, cluster="subject", n_boot=40).tidy()
    assert set(found["method"]) == {"jackknife_t"}
    columns = found[["std_error", "conf_low", "conf_high"]].to_numpy()
    # lavaan stops where its objective changes by less than 1e-10 of itself.
    np.testing.assert_allclose(columns, wanted, atol=2e-5)


def test_limits_stay_within_bounds_and_a_lost_subject_is_reported() -> None:
    rng = np.random.default_rng(2)
    subject = np.repeat(np.arange(12), 3)
    f = rng.normal(size=36)
    table = pd.DataFrame({"a": f + 0.35 * rng.normal(size=36), "subject": subject})
    table["b"], table["c"] = (0.8 * f + rng.normal(size=36) for _ in range(2))
    found = bootstrap_cfa(table, {"f": ["a", "b", "c"]}, cluster="subject", n_boot=40).tidy()
    of = found.set_index(["quantity", "term"])
    assert of.loc[("std_loading", "a"), "conf_high"] == 1.0
    assert of.loc[("residual_variance", "a"), "conf_low"] == 0.0
    assert of.loc[("score_reliability", "f"), "conf_high"] == 1.0
    # Without subject 0 the product of the covariances is negative: no real loadings.
    one, two, three = rng.normal(size=(3, 36))
    lone = pd.DataFrame({"a": three + one, "b": two - one, "c": three + two, "subject": subject})
    lone.loc[:1, ["a", "b", "c"]] = [[9.0] * 3, [-9.0] * 3]
    rest = lone.loc[3:, ["a", "b", "c"]].cov().to_numpy()
    assert rest[0, 1] * rest[0, 2] * rest[1, 2] < 0
    found = bootstrap_cfa(lone, {"f": ["a", "b", "c"]}, cluster="subject", n_boot=40).tidy()
    assert found["conf_low"].isna().all()
    known = found["estimate"].notna()
    message = set(found.loc[known, "reason"])
    assert message == {"without 1 of 12 subjects the model has no solution"}


def test_the_jackknife_is_lavaan_without_each_subject() -> None:
    table = clips(3, ("pain",))
    result = bootstrap_cfa(table, {"f": NAMES[:3]}, cluster="subject", n_boot=40)
    for subject in (0, 29):
        rest = table[table["subject"] != f"s{subject:02d}"]
        wanted = lavaan_quantities(rest, NAMES[:3])
        assert result.evidence.groups[0].values[:, subject] == pytest.approx(wanted, abs=LAVAAN)


def nearly_improper(share: float) -> tuple[pd.DataFrame, CFABootstrapResult]:
    """The first residual variance so near to 0 that some resamples make it negative."""
    rng = np.random.default_rng(6)
    subject = np.repeat(np.arange(40), 3)
    factor = rng.normal(size=120)
    table = pd.DataFrame({"a": factor + share * rng.normal(size=120), "subject": subject})
    table["b"], table["c"] = (factor + rng.normal(size=120) for _ in range(2))
    with pytest.warns(PyexprWarning, match=r"of 400 refits have no solution \(0\) or"):
        result = bootstrap_cfa(
            table, {"f": ["a", "b", "c"]}, cluster="subject", n_boot=400, method="percentile"
        )
    return table, result


def test_inadmissible_refits_are_counted_and_left_out() -> None:
    _, result = nearly_improper(0.35)
    lost = np.isnan(result.replicates).any(axis=1)
    assert 4 < lost.sum() == result.undefined()[0][1] <= 40
    # Undefined in all quantities, not in some.
    assert (np.isnan(result.replicates).all(axis=1) == lost).all()
    table = result.tidy()
    assert set(table["n_undefined"]) == {lost.sum()}
    assert table["conf_low"].notna().all()
    assert f"{lost.sum()} a residual variance" in " ".join(result.notes())


def test_too_many_inadmissible_refits_leave_no_interval() -> None:
    _, result = nearly_improper(0.1)
    table = result.tidy()
    assert table[["conf_low", "conf_high"]].isna().all().all()
    n = result.undefined()[0][1]
    assert n > 40
    known = table["estimate"].notna()
    assert set(table.loc[known, "reason"]) == {f"undefined in {n} of 400 replicates"}


def test_what_cannot_be_resampled_is_refused() -> None:
    table = clips(3, ("pain",))
    model = {"f": NAMES[:3]}
    with pytest.raises(DataError, match="only one subject"):
        bootstrap_cfa(table, model, cluster=np.zeros(len(table)))
    with pytest.raises(DataError, match="name their column in cluster="):
        bootstrap_cfa(table, model, cluster=None)
    with pytest.raises(DataError, match="n_boot of at least 39"):
        bootstrap_cfa(table, model, cluster="subject", n_boot=38, method="percentile")
    for n_threads in (0, "2"):
        with pytest.raises(DataError, match="n_threads= must be a whole number"):
            bootstrap_cfa(table, model, cluster="subject", n_boot=40, n_threads=n_threads)
    with pytest.raises(DataError, match="not 'basic'"):
        bootstrap_cfa(table, model, cluster="subject", method="basic")
    with pytest.raises(DataError, match="one factor with free loadings; remove"):
        bootstrap_cfa(table, "f =~ 1*response + emotion + motion", cluster="subject")
    with pytest.raises(FactorModelError, match="constant"):
        bootstrap_cfa(table.assign(motion=1.0), model, cluster="subject")
    few = table[table["subject"] < "s12"]
    with pytest.warns(FewSubjectsWarning, match="only 12 subjects"):
        bootstrap_cfa(few, model, cluster="subject", n_boot=40, method="bca")
    with pytest.warns(FewSubjectsWarning, match="fewer than in the simulations of coverage"):
        bootstrap_cfa(few[few["subject"] < "s11"], model, cluster="subject", n_boot=40)


def test_missing_rows_are_dropped_and_counted_and_the_result_prints() -> None:
    table = clips(3, ("pain",))
    table.loc[[3, 50], "motion"] = np.nan
    result = bootstrap_cfa(table, {"f": NAMES[:3]}, cluster="subject", n_boot=100)
    assert result.n_dropped == 2
    same = bootstrap_cfa(table.dropna(), {"f": NAMES[:3]}, cluster="subject", n_boot=100)
    assert same.replicates.tobytes() == result.replicates.tobytes()
    text = str(result)
    assert "100 refits by subject (30 clusters)" in text
    assert "2 rows were left out" in text
    assert result.to_dict()["provenance"]["contexts"][""]["n"] == len(table) - 2


def test_more_replicates_are_those_of_one_call() -> None:
    table = clips()
    options = {"cluster": "subject", "context": "context", "seed": 3, "method": "bca"}
    one = bootstrap_cfa(table, {"f": NAMES[:3]}, n_boot=300, **options)
    two = bootstrap_cfa(table, {"f": NAMES[:3]}, n_boot=120, **options).extend(180)
    assert one.replicates.tobytes() == two.replicates.tobytes()
    pd.testing.assert_frame_equal(one.tidy(), two.tidy())
    assert one.undefined() == two.undefined()


def test_influence_is_the_model_without_each_subject() -> None:
    table = clips()
    # A subject in one context only.
    table = table[(table["subject"] != "s03") | (table["context"] == "pain")]
    result = bootstrap_cfa(table, {"f": NAMES[:3]}, cluster="subject", context="context", n_boot=0)
    found = result.influence()
    assert list(found) == ["context", "quantity", "term", "cluster", "estimate", "change",
                           "influence"]  # fmt: skip
    assert len(found) == 13 * (30 + 29)
    rest = table[(table["context"] == "startle") & (table["subject"] != "s07")]
    own = found.query("context == 'startle' and cluster == 's07'")["estimate"].to_numpy()
    assert own == pytest.approx(lavaan_quantities(rest, NAMES[:3]), abs=LAVAAN)
    assert not len(found.query("context == 'startle' and cluster == 's03'"))


def test_simultaneous_intervals() -> None:
    result = bootstrap_cfa(clips(4), {"f": NAMES}, cluster="subject", context="context", n_boot=999)
    single, holm, largest = result, result.adjust("holm"), result.adjust("max_t")
    # Four indicators of one quantity together, by Bonferroni; reliability stands alone.
    wider = result.interval(confidence=1 - 0.05 / 4).tidy()
    of_four = (wider["quantity"] != "score_reliability").to_numpy()
    limits = ["conf_low", "conf_high"]
    pd.testing.assert_frame_equal(holm.tidy().loc[of_four, limits], wider.loc[of_four, limits])
    for one in (holm, largest):
        alone = one.tidy().loc[~of_four, limits].to_numpy()
        # Of 9,999 draws: the level of one test is met to a part of a hundred.
        np.testing.assert_allclose(alone, single.tidy().loc[~of_four, limits], rtol=0.02)
    # The largest of four is between one test and Bonferroni's four, but for its random draws.
    below = [
        (one.tidy()["estimate"] - one.tidy()["conf_low"])[of_four]
        for one in (single, largest, holm)
    ]
    assert (1.05 * below[0] < below[1]).all()
    assert (below[1] < 1.02 * below[2]).all()
    assert list(largest.tidy().columns[-2:]) == ["reason", "adjustment"]
    assert set(largest.tidy()["method"]) == {"max_t"}
    again = bootstrap_cfa(clips(4), {"f": NAMES}, cluster="subject", context="context", n_boot=0,
                          adjust="max_t")  # fmt: skip
    pd.testing.assert_frame_equal(again.tidy()[limits], largest.tidy()[limits])


def test_subjects_are_drawn_within_strata() -> None:
    table = clips(3, ("pain",))
    old = table["subject"] >= "s20"
    result = bootstrap_cfa(
        table, {"f": NAMES[:3]}, cluster="subject", stratify=np.where(old, "old", "young"),
        n_boot=25, seed=5,
    )  # fmt: skip
    # Strata are sorted: s20 to s29 come first.
    order = [f"s{i:02d}" for i in (*range(20, 30), *range(20))]
    times = draw_counts((10, 20), 1, seed=5, first=24)[0]
    drawn = [table[table["subject"] == who] for who, n in zip(order, times, strict=True)
             for _ in range(n)]  # fmt: skip
    wanted = lavaan_quantities(pd.concat(drawn, ignore_index=True), NAMES[:3])
    assert result.replicates[24] == pytest.approx(wanted, abs=LAVAAN)
    # Half of the jackknife variance is that within each stratum.
    left = result.evidence.groups[0].values
    error = np.sqrt(sum((n - 1) ** 2 / n * part.var(axis=1, ddof=1)
                        for n, part in ((10, left[:, :10]), (20, left[:, 10:]))))  # fmt: skip
    assert result.tidy()["std_error"].to_numpy() == pytest.approx(error, rel=1e-9)
    with pytest.raises(DataError, match="stratum 'one' of 'stratify' has only one subject"):
        bootstrap_cfa(table, {"f": NAMES[:3]}, cluster="subject",
                      stratify=np.where(table["subject"] == "s01", "one", "more"))  # fmt: skip


def test_what_ctrl_c_leaves_can_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    table = clips(3, ("pain",))
    options = {"cluster": "subject", "n_boot": 400, "method": "percentile"}
    whole = bootstrap_cfa(table, {"f": NAMES[:3]}, **options)
    drawn = 0

    def pressed(*args: object, **more: object) -> object:
        nonlocal drawn
        drawn += 1
        if drawn == 2:
            raise KeyboardInterrupt
        return draw_counts(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr("pyexpr.measurement.factor.refits.draw_counts", pressed)
    with pytest.raises(Interrupted, match="after 64 of 400 replicates, and nothing is lost") as at:
        bootstrap_cfa(table, {"f": NAMES[:3]}, **options)
    kept = at.value.result
    assert isinstance(kept, CFABootstrapResult)
    assert kept.replicates.shape == (64, 13)
    assert kept.extend(336).replicates.tobytes() == whole.replicates.tobytes()


@pytest.mark.parametrize("method", ["basic", "normal", "studentized", "studentized_et"])
def test_methods_that_do_not_serve_say_why(method: str) -> None:
    result = bootstrap_cfa(clips(3, ("pain",)), {"f": NAMES[:3]}, cluster="subject", n_boot=40)
    with pytest.raises(DataError, match=f"not '{method}': .*(range|refitting)"):
        result.interval(method=method)
