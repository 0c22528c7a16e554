"""Cluster bootstrap of seven models against arch, SciPy and boot in R, answers asserted."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from pyexpr.inference.comparison import compare_models

SUBJECTS, CLIPS, MODELS, REPLICATES = 28, 16, 7, 2000
NAMES = [f"model_{i}" for i in range(MODELS)]

# Sums per subject beforehand, both metrics from one draw: what a skilled user writes.
R_CODE = """
library(boot)
d <- read.csv("rows.csv")
m <- paste0("model_", 0:6)
g <- factor(d$subject, levels = unique(d$subject))
sums <- function(x) rowsum(x, g)
n <- sums(rep(1, nrow(d)))[, 1]
t <- sums(d$y)[, 1]; tt <- sums(d$y^2)[, 1]
p <- sums(d[m]); pp <- sums(d[m]^2); pt <- sums(d[m] * d$y); e <- sums((d[m] - d$y)^2)
all <- cbind(n, t, tt, p, pp, pt, e)
f <- function(x, i) {
  s <- colSums(x[i, ])
  N <- s[1]; T <- s[2]; TT <- s[3]
  P <- s[4:10]; PP <- s[11:17]; PT <- s[18:24]; E <- s[25:31]
  c(sqrt(E / N), (PT / N - P * T / N^2) / sqrt((PP / N - (P / N)^2) * (TT / N - (T / N)^2)))
}
set.seed(1)
time <- min(sapply(1:3, function(k) system.time(b <<- boot(all, f, R = 2000))["elapsed"]))
ends <- sapply(1:14, function(k) boot.ci(b, type = "perc", index = k)$percent[4:5])
cat(sprintf("%.17g", c(time, b$t0, ends)))
"""

# The rows themselves, drawn by subject: what most users write.
R_CODE_ROWS = """
library(boot)
d <- read.csv("rows.csv")
rows <- split(seq_len(nrow(d)), d$subject)
y <- d$y; p <- as.matrix(d[paste0("model_", 0:6)])
f <- function(x, i) {
  k <- unlist(rows[x[i]])
  c(sqrt(colMeans((p[k, ] - y[k])^2)), cor(p[k, ], y[k]))
}
set.seed(1)
time <- min(sapply(1:2, function(k)
  system.time(b <<- boot(seq_along(rows), f, R = 2000))["elapsed"]))
ends <- sapply(1:14, function(k) boot.ci(b, type = "perc", index = k)$percent[4:5])
cat(sprintf("%.17g", c(time, b$t0, ends)))
"""


def table(subjects: int = SUBJECTS, clips: int = CLIPS) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    n = subjects * clips
    y = np.repeat(rng.normal(size=subjects), clips) + rng.normal(size=n)
    frame = pd.DataFrame({"subject": np.repeat([f"s{i:04d}" for i in range(subjects)], clips)})
    frame["y"] = y
    for i, name in enumerate(NAMES):
        frame[name] = (0.3 + 0.05 * i) * y + rng.normal(size=n)
    return frame


def best(work: Callable[[], object], repeats: int) -> float:
    """Return the shortest time in milliseconds: the machine may be busy, the work is not slow."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def ours(frame: pd.DataFrame, n_boot: int = REPLICATES, **options: object) -> pd.DataFrame:
    settings = {"metrics": ("rmse", "correlation"), "method": "percentile", "seed": 1} | options
    return compare_models(
        frame, truth="y", predictions=NAMES, cluster="subject", n_boot=n_boot, **settings
    ).tidy()


def plain_sums(frame: pd.DataFrame) -> np.ndarray:
    groups = frame.groupby("subject", sort=True)
    columns = [groups.size(), groups.y.sum(), (frame.y**2).groupby(frame.subject).sum()]
    for change in (
        lambda p: p,
        lambda p: p**2,
        lambda p: p * frame.y,
        lambda p: (p - frame.y) ** 2,
    ):
        columns += [change(frame[name]).groupby(frame.subject).sum() for name in NAMES]
    return np.column_stack(columns)


def metrics_of(s: np.ndarray) -> np.ndarray:
    """RMSE and correlation of seven models from summed columns (..., 31)."""
    n, t, tt = s[..., :1], s[..., 1:2], s[..., 2:3]
    p, pp, pt, e = (s[..., 3 + 7 * k : 10 + 7 * k] for k in range(4))
    covariance = pt / n - p * t / n**2
    spread = np.sqrt((pp / n - (p / n) ** 2) * (tt / n - (t / n) ** 2))
    return np.concatenate([np.sqrt(e / n), covariance / spread], axis=-1)


def check(levels: pd.DataFrame, estimate: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    np.testing.assert_allclose(levels.estimate, estimate, rtol=1e-10)
    # A 2.5 % quantile of 2,000 draws has a Monte Carlo error of 0.06 standard deviations,
    # a difference of two 0.08; 28 comparisons: four errors.
    close = 0.33 * levels.std_error.to_numpy()
    assert (np.abs(levels.conf_low - low) < close).all()
    assert (np.abs(levels.conf_high - high) < close).all()


def by_arch(sums: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    from arch.bootstrap import IIDBootstrap

    def run() -> np.ndarray:
        bootstrap = IIDBootstrap(sums, seed=1)
        return bootstrap.conf_int(
            lambda x: metrics_of(x.sum(axis=0)), REPLICATES, method="percentile", size=0.95
        )

    elapsed = best(run, 2)
    low, high = run()
    return elapsed, low, high


def by_arch_rows(frame: pd.DataFrame) -> tuple[float, np.ndarray, np.ndarray]:
    """Subjects drawn by arch, their rows taken together, the metrics computed on the rows."""
    from arch.bootstrap import IIDBootstrap

    rows_of = [np.flatnonzero(frame.subject == s) for s in frame.subject.unique()]
    y, p = frame.y.to_numpy(), frame[NAMES].to_numpy()

    def statistic(subjects: np.ndarray) -> np.ndarray:
        rows = np.concatenate([rows_of[g] for g in subjects])
        truth, predicted = y[rows], p[rows]
        error = predicted - truth[:, None]
        a, b = truth - truth.mean(), predicted - predicted.mean(axis=0)
        correlation = a @ b / np.sqrt((a @ a) * (b * b).sum(axis=0))
        return np.concatenate([np.sqrt((error * error).mean(axis=0)), correlation])

    def run() -> np.ndarray:
        bootstrap = IIDBootstrap(np.arange(len(rows_of)), seed=1)
        return bootstrap.conf_int(statistic, REPLICATES, method="percentile", size=0.95)

    elapsed = best(run, 2)
    low, high = run()
    return elapsed, low, high


def by_scipy(sums: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    from scipy.stats import bootstrap

    def statistic(index: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.moveaxis(metrics_of(sums[index].sum(axis=-2)), -1, 0)

    def run() -> object:
        return bootstrap(
            (np.arange(len(sums)),),
            statistic,
            n_resamples=REPLICATES,
            method="percentile",
            vectorized=True,
            rng=1,
        ).confidence_interval

    elapsed = best(run, 2)
    limits = run()
    return elapsed, limits.low, limits.high


def by_r(frame: pd.DataFrame, code: str) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        frame.to_csv(Path(folder) / "rows.csv", index=False)
        done = subprocess.run(
            ["Rscript", "--vanilla", "-e", code],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
    numbers = np.array(done.stdout.split(), dtype=float)
    ends = numbers[15:].reshape(14, 2)
    return 1000 * numbers[0], numbers[1:15], ends[:, 0], ends[:, 1]


def by_a_loop(sums: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """All 56 quantities by NumPy alone: counts times sums, as one matrix product."""
    pairs = list(combinations(range(7), 2))

    def run() -> np.ndarray:
        rng = np.random.default_rng(1)
        drawn = rng.integers(0, len(sums), size=(REPLICATES, len(sums)))
        values = metrics_of(sums[drawn].sum(axis=1))
        parts = [values]
        for k in (0, 7):
            parts += [(values[:, k + i] - values[:, k + j])[:, None] for i, j in pairs]
        return np.quantile(np.concatenate(parts, axis=1), [0.025, 0.975], axis=0)

    elapsed = best(run, 3)
    low, high = run()
    return elapsed, low[:14], high[:14]


def row(work: str, mine: float, peer: str, theirs: float) -> dict[str, object]:
    return {
        "work": work,
        "ours_ms": mine,
        "peer": peer,
        "peer_ms": theirs,
        "ratio": theirs / mine,
    }


def run() -> list[dict[str, object]]:
    """Return one row per comparison: work, ours_ms, peer, peer_ms, ratio."""
    frame = table()
    sums = plain_sums(frame)
    found = ours(frame)
    levels = found[~found.term.str.contains(" - ")]
    estimate = metrics_of(sums.sum(axis=0))
    mine = best(lambda: ours(frame), 30)
    work = f"{SUBJECTS} x {CLIPS}, {MODELS} models, 2 metrics, {REPLICATES} replicates"
    rows = []
    for peer, (theirs, low, high) in {
        "arch on rows (14 levels only)": by_arch_rows(frame),
        "arch on sums per subject (14 levels only)": by_arch(sums),
        "scipy.stats.bootstrap (14 levels only)": by_scipy(sums),
        "NumPy by hand": by_a_loop(sums),
    }.items():
        check(levels, estimate, low, high)
        rows.append(row(work, mine, peer, theirs))
    for peer, code in (("rows", R_CODE_ROWS), ("sums per subject", R_CODE)):
        theirs, at, low, high = by_r(frame, code)
        np.testing.assert_allclose(at, estimate, rtol=1e-10)
        check(levels, estimate, low, high)
        rows.append(row(work, mine, f"boot in R on {peer} (14 levels only)", theirs))

    many = best(lambda: ours(frame, 100_000), 5)
    rows.append(
        row(f"the same, {100_000} replicates", many, f"ours, {REPLICATES} replicates", mine)
    )
    rows += [
        row(f"{method}, 2000", best(lambda m=method: ours(frame, method=m), 5), "percentile", mine)
        for method in ("bca", "studentized")
    ]
    for clips in (10, 100, 1000):
        wide = table(1000, clips)
        first = best(lambda w=wide: ours(w, 40), 2)
        elapsed = best(lambda w=wide: ours(w, 10_000), 2)
        rows.append(row(f"1000 x {clips}, 10000 replicates", elapsed, "same, 40 replicates", first))
    return rows


if __name__ == "__main__":
    print(pd.DataFrame(run()).to_string(index=False, float_format=lambda x: f"{x:.3g}"))
