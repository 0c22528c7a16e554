"""Comparison of models: boot and its intervals, mlboot's definition, scikit-learn's metrics."""

from __future__ import annotations

import subprocess
import tempfile
import warnings
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
from reference import cluster_bootstrap as twin
from scipy import stats
from sklearn import metrics as theirs

from parity.comparison import (
    Comparison,
    Tolerance,
    absolute,
    largest,
    python_package,
    relative,
    scaled,
)
from parity.golden import SOURCES, exact, r_package
from pyexpr.base.errors import FewSubjectsWarning
from pyexpr.inference.comparison.comparison import ComparisonResult, compare_models
from pyexpr.modeling import metrics
from pyexpr.resampling.intervals.evidence import Evidence, JackknifeGroup
from pyexpr.resampling.intervals.methods import compute
from pyexpr.resampling.multiplicity import holm

AREA = "Comparison of models"
METHODS = ("percentile", "basic", "normal", "bca")
QUANTILES = Tolerance(1e-10, "the same order statistics, normal quantiles of two libraries")
SUMS = Tolerance(1e-12, "sums in another order", "relative")
# Of one model, of the other, and of their difference.
PREDICTIONS = ["good", "poor"]

SCIKIT_LEARN = {
    "rmse": lambda t, p: theirs.root_mean_squared_error(t, p),
    "nrmse": lambda t, p: theirs.root_mean_squared_error(t, p) / 7,
    "mae": theirs.mean_absolute_error,
    "r2": theirs.r2_score,
    "correlation": lambda t, p: stats.pearsonr(t, p).statistic,
}


def evidence(replicates, estimate, jackknife, *, scale="identity", null=0.0, errors=None):
    """Evidence on quantities without a table: arrays as R made them."""
    Q = len(estimate)
    scales = [scale] * Q if isinstance(scale, str) else scale
    group = JackknifeGroup(np.arange(Q), np.asarray(jackknife), (np.shape(jackknife)[1],))
    return Evidence(
        estimate=np.asarray(estimate, dtype=float),
        scale=scales,
        simple_df=np.zeros(Q, dtype=bool),
        null=np.full(Q, null),
        replicates=np.ascontiguousarray(replicates, dtype=float),
        groups=[group],
        reason=[""] * Q,
        replicate_errors=lambda: np.asarray(errors),
    )


def boot_ci(source: str) -> dict[str, float]:
    """Six quantities at three levels, from the replicates and jackknife that R made."""
    folder = SOURCES[source]("boot")
    wanted = exact(folder, "boot_intervals.csv", words=("quantity", "method"))
    replicates = exact(folder, "boot_replicates.csv").to_numpy().T
    jackknife = exact(folder, "boot_jackknife.csv").to_numpy().T
    parts = []
    for (method, confidence), rows in wanted.groupby(["method", "confidence"]):
        made = evidence(replicates, rows["estimate"].to_numpy(), jackknife)
        found = compute(made, method, confidence)
        if found.method != [method] * 6:
            raise AssertionError(f"{method} fell back to {found.method}")
        ours, ends = np.column_stack([found.low, found.high]), rows[["low", "high"]]
        parts.append({str(method): absolute(ours, ends)})
    return largest(parts)


def boot_ci_of_ties() -> dict[str, float]:
    """Replicates rounded to one decimal, some undefined; boot sees the defined ones."""
    rng = np.random.default_rng(3)
    t = np.round(rng.gamma(3, size=(1, 777)), 1)
    t[0, rng.random(777) < 0.005] = np.nan
    J = rng.gamma(9, size=(1, 15))
    code = """
        library(boot)
        t <- scan("t.txt", quiet = TRUE); J <- scan("J.txt", quiet = TRUE)
        b <- structure(list(t0 = 3, t = matrix(t), R = length(t), data = J, sim = "ordinary",
                            call = quote(boot(J, f, length(t))), stype = "i",
                            strata = rep(1, 15)), class = "boot")
        L <- (15 - 1) * (mean(J) - J)
        ci <- boot.ci(b, conf = 0.9, type = c("norm", "basic", "perc", "bca"), L = L)
        x <- c(ci$percent[4:5], ci$basic[4:5], ci$normal[2:3], ci$bca[4:5])
        cat(sprintf("%.17g", x))
    """
    with tempfile.TemporaryDirectory() as folder:
        np.savetxt(Path(folder) / "t.txt", t[0][~np.isnan(t[0])], fmt="%.17g")
        np.savetxt(Path(folder) / "J.txt", J[0], fmt="%.17g")
        done = subprocess.run(
            ["Rscript", "--vanilla", "-e", code],
            cwd=folder, capture_output=True, text=True, check=True,
        )  # fmt: skip
    wanted = np.array(done.stdout.split(), dtype=float).reshape(4, 2)
    made = evidence(t, [3.0], J)
    result = {}
    for row, method in enumerate(METHODS):
        found = compute(made, method, 0.9)
        if found.n_undefined[0] != np.isnan(t).sum():
            raise AssertionError(f"{found.n_undefined[0]} undefined replicates were counted")
        result[method] = relative([found.low[0], found.high[0]], wanted[row])
    return result


@cache
def rows_of_boot(folder: Path) -> tuple[ComparisonResult, pd.DataFrame]:
    rows = exact(folder, "boot_rows.csv")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewSubjectsWarning)
        result = compare_models(
            rows, truth="y", predictions=PREDICTIONS, cluster="subject",
            metrics=["rmse", "correlation"], n_boot=20_000, method="percentile",
        )  # fmt: skip
    tidy = result.tidy()
    return result, tidy.set_index(tidy["metric"] + " " + tidy["term"])


def mlboot(source: str) -> dict[str, float]:
    """Rows of the drawn subjects copied, and the metric computed of the copies, by hand in R."""
    folder = SOURCES[source]("boot")
    result, tidy = rows_of_boot(folder)
    golden = exact(folder, "boot_intervals.csv", words=("quantity", "method"))
    estimate = golden.groupby("quantity")["estimate"].first()
    jackknife = exact(folder, "boot_jackknife.csv")
    long = exact(folder, "boot_long.csv", words=("quantity",)).set_index("quantity")
    names = list(tidy.index)
    unit = np.repeat(tidy["std_error"].to_numpy()[:, None], 2, axis=1)
    return {
        "estimates": relative(tidy["estimate"], estimate[names]),
        "without each subject": relative(
            result.evidence.groups[0].values, jackknife[names].to_numpy().T
        ),
        "percentile limits": scaled(
            tidy[["conf_low", "conf_high"]], long.loc[names, ["low", "high"]], unit
        ),
    }


def study(seed: int = 0) -> pd.DataFrame:
    """Unequal subjects, a truth that differs between them, two models of unlike worth."""
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(24), rng.integers(3, 9, size=24))
    y = rng.normal(size=24)[subject] + rng.normal(size=len(subject))
    frame = pd.DataFrame({"subject": subject, "y": y})
    frame["good"] = 0.7 * y + 0.5 * rng.normal(size=len(y))
    frame["poor"] = 0.2 * y + rng.normal(size=len(y))
    return frame


@cache
def compared(n_boot: int = 40) -> ComparisonResult:
    return compare_models(
        study(), truth="y", predictions=PREDICTIONS, cluster="subject",
        metrics=list(SCIKIT_LEARN), n_boot=n_boot, seed=5, score_range=7,
    )  # fmt: skip


def position(result: ComparisonResult, metric: str, term: str) -> int:
    tidy = result.tidy()
    return int(np.flatnonzero((tidy["metric"] == metric) & (tidy["term"] == term))[0])


def whole_sample() -> dict[str, float]:
    """Each metric of all rows: by compare_models and by the plain function."""
    frame, tidy = study(), compared().tidy()
    found = {}
    for metric, function in SCIKIT_LEARN.items():
        wanted = [function(frame["y"], frame[name]) for name in PREDICTIONS]
        width = {"score_range": 7} if metric == "nrmse" else {}
        plain = [getattr(metrics, metric)(frame["y"], frame[name], **width) for name in PREDICTIONS]
        at = [position(compared(), metric, name) for name in PREDICTIONS]
        found[metric] = max(relative(tidy["estimate"].iloc[at], wanted), relative(plain, wanted))
    return found


def resampled() -> dict[str, float]:
    """Each metric of the rows of the subjects that NumPy's generator draws, copied."""
    result, frame = compared(), study()
    pieces = [piece for _, piece in frame.groupby("subject")]
    parts = []
    for r in range(8):
        copied = pd.concat([pieces[g] for g in twin.draws([24], 5, 1, r)])
        for metric, function in SCIKIT_LEARN.items():
            for name in PREDICTIONS:
                ours = result.replicates[r, position(result, metric, name)]
                parts.append({metric: relative(ours, function(copied["y"], copied[name]))})
    return largest(parts)


def left_out() -> dict[str, float]:
    """Each metric without each subject."""
    result, frame = compared(), study()
    parts = []
    for metric, function in SCIKIT_LEARN.items():
        for name in PREDICTIONS:
            wanted = [
                function(left["y"], left[name])
                for left in (frame[frame["subject"] != g] for g in range(24))
            ]
            ours = result.evidence.groups[0].values[position(result, metric, name)]
            parts.append({metric: relative(ours, wanted)})
    return largest(parts)


def adjusted(source: str) -> dict[str, float]:
    """p.adjust on six sets, of which one has ties and one has missing values."""
    table = exact(SOURCES[source]("holm"), "holm.csv")
    sets = [rows for _, rows in table.groupby("set")]
    return {"Holm": max(absolute(holm(rows["p"]), rows["adjusted"]) for rows in sets)}


def comparisons() -> list[Comparison]:
    made = []
    for source in SOURCES:
        peer, slow = r_package("boot", "boot", source), source != "kept"
        made += [
            Comparison(AREA, "intervals", "six quantities, three levels, boot.ci", peer,
                       dict.fromkeys(METHODS, QUANTILES), partial(boot_ci, source), slow),
            Comparison(
                AREA, "compare_models", "mlboot's statistic on 16 unequal subjects", peer,
                {
                    "estimates": SUMS,
                    "without each subject": SUMS,
                    # A 2.5 % quantile of 5,000 draws is known to about 0.04 standard
                    # deviations: three times that, and ours of 20,000 a half on top.
                    "percentile limits": Tolerance(
                        0.18, "Monte Carlo error of 5,000 and 20,000 draws", "in standard errors"
                    ),
                },
                partial(mlboot, source), slow,
            ),
        ]  # fmt: skip
    made += [
        Comparison(AREA, "intervals", "ties and undefined replicates, boot.ci",
                   r_package("boot", "boot", "kept"),
                   dict.fromkeys(METHODS, Tolerance(1e-10, QUANTILES.reason, "relative")),
                   boot_ci_of_ties),
        *(
            Comparison(AREA, "compare_models", data, python_package("scikit-learn"),
                       dict.fromkeys(SCIKIT_LEARN, SUMS), differences)
            for data, differences in (
                ("24 unequal subjects, all rows", whole_sample),
                ("24 unequal subjects, rows of the drawn ones copied", resampled),
                ("24 unequal subjects, without each", left_out),
            )
        ),
        *(
            Comparison(AREA, "holm", "six sets of nine p-values, p.adjust",
                       r_package("stats", "holm", source),
                       {"Holm": Tolerance(1e-14, "products of a p-value and a whole number")},
                       partial(adjusted, source), source != "kept")
            for source in SOURCES
        ),
    ]  # fmt: skip
    return made
