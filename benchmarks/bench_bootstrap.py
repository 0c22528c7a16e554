"""Cluster bootstrap of seven models against arch, SciPy and boot in R, answers asserted.

Everyone computes 14 levels, 42 differences and the 56 percentile intervals.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from timing import best, row

from pyexpr.core.cluster_bootstrap import draw_counts, order_statistics
from pyexpr.inference.comparison.comparison import compare_models
from pyexpr.inference.comparison.result import ComparisonResult

SUBJECTS, CLIPS, MODELS, REPLICATES = 28, 16, 7, 2000
NAMES = [f"model_{i}" for i in range(MODELS)]
PAIRS = np.array(list(combinations(range(MODELS), 2))).T

# The rows themselves, drawn by subject: what most users write.
R_ROWS = """
rows <- split(seq_len(nrow(d)), d$subject)
y <- d$y; p <- as.matrix(d[m])
all <- matrix(seq_along(rows))
f <- function(x, i) {
  k <- unlist(rows[x[i]])
  with_differences(sqrt(colMeans((p[k, ] - y[k])^2)), cor(p[k, ], y[k])[, 1])
}
"""

# Sums per subject beforehand: what a skilled user writes.
R_SUMS = """
g <- factor(d$subject, levels = unique(d$subject))
sums <- function(x) rowsum(x, g)
n <- sums(rep(1, nrow(d)))[, 1]
t <- sums(d$y)[, 1]; tt <- sums(d$y^2)[, 1]
p <- sums(d[m]); pp <- sums(d[m]^2); pt <- sums(d[m] * d$y); e <- sums((d[m] - d$y)^2)
all <- as.matrix(cbind(n, t, tt, p, pp, pt, e))
f <- function(x, i) {
  s <- colSums(x[i, ])
  N <- s[1]; T <- s[2]; TT <- s[3]
  P <- s[4:10]; PP <- s[11:17]; PT <- s[18:24]; E <- s[25:31]
  with_differences(sqrt(E / N), (PT / N - P * T / N^2) /
    sqrt((PP / N - (P / N)^2) * (TT / N - (T / N)^2)))
}
"""

R_CODE = """
library(boot)
d <- read.csv("rows.csv")
m <- paste0("model_", 0:6)
pairs <- combn(7, 2)
with_differences <- function(rmse, r)
  c(rmse, r, rmse[pairs[1, ]] - rmse[pairs[2, ]], r[pairs[1, ]] - r[pairs[2, ]])
%s
set.seed(1)
time <- min(sapply(1:2, function(k) system.time({
  b <<- boot(all, f, R = 2000)
  ends <<- sapply(1:56, function(k) boot.ci(b, type = "perc", index = k)$percent[4:5])
})["elapsed"]))
cat(sprintf("%%.17g", c(time, b$t0, ends)))
"""

# In a process of its own: peak memory is that of all it ever did.
MEMORY_CODE = """
import pathlib
import bench_bootstrap as bench
def peak():
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
frame = bench.table()
bench.ours(frame)
before = peak()
result = bench.compare(frame, 100_000)
result.tidy()
print((peak() - before) * 1024, result.replicates.nbytes)
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


def compare(frame: pd.DataFrame, n_boot: int = REPLICATES, **options: object) -> ComparisonResult:
    settings = {"metrics": ("rmse", "correlation"), "method": "percentile", "seed": 1} | options
    return compare_models(
        frame, truth="y", predictions=NAMES, cluster="subject", n_boot=n_boot, **settings
    )


def ours(frame: pd.DataFrame, n_boot: int = REPLICATES, **options: object) -> pd.DataFrame:
    """From the data frame to the finished table."""
    return compare(frame, n_boot, **options).tidy()


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


def with_differences(rmse: np.ndarray, correlation: np.ndarray) -> np.ndarray:
    """Return 14 levels and 42 differences, (..., 56)."""
    i, j = PAIRS
    apart = [x[..., i] - x[..., j] for x in (rmse, correlation)]
    return np.concatenate([rmse, correlation, *apart], axis=-1)


def metrics_of(s: np.ndarray) -> np.ndarray:
    """All 56 quantities from summed columns (..., 31)."""
    n, t, tt = s[..., :1], s[..., 1:2], s[..., 2:3]
    p, pp, pt, e = (s[..., 3 + 7 * k : 10 + 7 * k] for k in range(4))
    covariance = pt / n - p * t / n**2
    spread = np.sqrt((pp / n - (p / n) ** 2) * (tt / n - (t / n) ** 2))
    return with_differences(np.sqrt(e / n), covariance / spread)


def check(found: pd.DataFrame, estimate: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    """Compare all 56 estimates and intervals with ours, sorted as the peers' are."""
    apart = found.kind == "difference"
    found = pd.concat([found[~apart], found[apart]])
    np.testing.assert_allclose(found.estimate, estimate, rtol=1e-9)
    # A 2.5 % quantile of 2,000 draws has a Monte Carlo error of 0.06 standard deviations,
    # a difference of two 0.08; 112 comparisons: five errors.
    close = 0.4 * found.std_error.to_numpy()
    assert (np.abs(found.conf_low - low) < close).all()
    assert (np.abs(found.conf_high - high) < close).all()


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


def all_at_once(truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """RMSE and correlation of all models, by matrix algebra."""
    error = predicted - truth[:, None]
    a, b = truth - truth.mean(), predicted - predicted.mean(axis=0)
    correlation = a @ b / np.sqrt((a @ a) * (b * b).sum(axis=0))
    return np.sqrt((error * error).mean(axis=0)), correlation


def one_by_one(truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """RMSE and correlation of each model in turn, by NumPy's own function."""
    rmse = [np.sqrt(np.mean((p - truth) ** 2)) for p in predicted.T]
    return np.array(rmse), np.array([np.corrcoef(p, truth)[0, 1] for p in predicted.T])


def by_arch_rows(
    frame: pd.DataFrame, metrics: Callable[..., tuple[np.ndarray, np.ndarray]]
) -> tuple[float, np.ndarray, np.ndarray]:
    """Subjects drawn by arch, their rows taken together, the metrics computed on the rows."""
    from arch.bootstrap import IIDBootstrap

    rows_of = [np.flatnonzero(frame.subject == s) for s in frame.subject.unique()]
    y, p = frame.y.to_numpy(), frame[NAMES].to_numpy()

    def statistic(subjects: np.ndarray) -> np.ndarray:
        rows = np.concatenate([rows_of[g] for g in subjects])
        return with_differences(*metrics(y[rows], p[rows]))

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


def by_r(frame: pd.DataFrame, way: str) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        frame.to_csv(Path(folder) / "rows.csv", index=False)
        done = subprocess.run(
            ["Rscript", "--vanilla", "-e", R_CODE % way],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
    numbers = np.array(done.stdout.split(), dtype=float)
    ends = numbers[57:].reshape(56, 2)
    return 1000 * numbers[0], numbers[1:57], ends[:, 0], ends[:, 1]


def by_numpy(sums: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """By hand, all replicates at once."""

    def run() -> np.ndarray:
        rng = np.random.default_rng(1)
        drawn = rng.integers(0, len(sums), size=(REPLICATES, len(sums)))
        return np.quantile(metrics_of(sums[drawn].sum(axis=1)), [0.025, 0.975], axis=0)

    elapsed = best(run, 3)
    low, high = run()
    return elapsed, low, high


def least(frame: pd.DataFrame, n_boot: int) -> float:
    """Return what cannot be left out: rows read once, numbers drawn, quantiles selected."""
    columns = [frame[name].to_numpy() for name in ("y", *NAMES)]
    subjects = frame.subject.nunique()
    values = np.random.default_rng(1).normal(size=(56, n_boot))
    tail = int(0.025 * (n_boot + 1))
    ranks = np.tile([tail - 1, tail, n_boot - tail - 1, n_boot - tail], (56, 1))
    return (
        best(lambda: [column.sum() for column in columns], 10)
        + best(lambda: draw_counts((subjects,), n_boot, seed=1), 5)
        + best(lambda: order_statistics(values, ranks), 5)
    )


LEAST = "the least: rows read, numbers drawn, quantiles selected"


def memory() -> tuple[float, float]:
    """Return how far peak memory grows for 100,000 replicates, and their own size, in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY_CODE],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    grown, own = map(float, done.stdout.split())
    return grown, own


def against_peers(frame: pd.DataFrame) -> list[dict[str, object]]:
    sums = plain_sums(frame)
    found = ours(frame)
    estimate = metrics_of(sums.sum(axis=0))
    mine = best(lambda: ours(frame), 30)
    work = f"{SUBJECTS} x {CLIPS}, {MODELS} models, 2 metrics, {REPLICATES} replicates"
    rows = []
    for peer, (theirs, low, high) in {
        "arch on the rows, model by model": by_arch_rows(frame, one_by_one),
        "arch on the rows, all models at once": by_arch_rows(frame, all_at_once),
        "arch, given sums per subject": by_arch(sums),
        "scipy.stats.bootstrap, given sums": by_scipy(sums),
        "NumPy by hand, given sums": by_numpy(sums),
    }.items():
        check(found, estimate, low, high)
        rows.append(row(work, mine, peer, theirs))
    for peer, way in (("on the rows", R_ROWS), ("given sums per subject", R_SUMS)):
        theirs, at, low, high = by_r(frame, way)
        check(found, at, low, high)
        rows.append(row(work, mine, f"boot in R {peer}", theirs))
    rows.append(row(work, mine, LEAST, least(frame, REPLICATES)))
    return rows


def against_ourselves(frame: pd.DataFrame) -> list[dict[str, object]]:
    mine = best(lambda: ours(frame), 30)
    many = best(lambda: ours(frame, 100_000), 5)
    grown, own = memory()
    rows = [
        row("the same, 100000 replicates", many, "goal", 100.0),
        row("the same, 100000 replicates", many, LEAST, least(frame, 100_000))
        | {
            "note": f"100,000 replicates: peak memory grows by {grown / 1e6:.0f} MB, "
            f"{grown / own:.2f} times the {own / 1e6:.0f} MB of the replicates themselves."
        },
    ]
    for method, times in (("bca", 2), ("studentized", 10)):
        elapsed = best(lambda m=method: ours(frame, method=m), 10)
        rows.append(row(f"{method}, {REPLICATES}", elapsed, f"{times} x percentile", times * mine))
    for clips in (10, 100, 1000):
        wide = table(1000, clips)
        whole = best(lambda w=wide: ours(w, 10_000), 2)
        summed = compare(wide, 40)
        once = best(lambda r=summed: r.extend(9_960).tidy(), 2)
        work = f"1000 x {clips}, 10000 replicates, once summed"
        rows.append(row(work, once, "the whole, from the data frame", whole))
    return rows


def run() -> list[dict[str, object]]:
    """Return one row per comparison: work, ours_ms, peer, peer_ms, ratio."""
    frame = table()
    return against_peers(frame) + against_ourselves(frame)


if __name__ == "__main__":
    print(pd.DataFrame(run()).to_string(index=False, float_format=lambda x: f"{x:.3g}"))
