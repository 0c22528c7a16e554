"""Six ICC forms of 2,240 clips by 6 raters, against pingouin and psych; the answer is asserted."""

from __future__ import annotations

import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from timing import best

from pyexpr.measurement.icc.icc import icc

CLIPS, RATERS = 2240, 6

# The time is taken inside R: starting R is not psych's work. Its default, lmer=TRUE;
# lmer=FALSE decomposes a matrix of one column per clip and takes minutes.
PSYCH = """
suppressPackageStartupMessages(library(psych))
x <- as.matrix(read.csv(commandArgs(TRUE)[1]))
times <- replicate(2, system.time(found <<- ICC(x, lmer = TRUE)$results)[["elapsed"]])
cat(sprintf("%.17g", c(min(times) * 1000, found$ICC[c(1, 4, 2, 5, 3, 6)])), sep = " ")
"""


def ratings() -> tuple[np.ndarray, pd.DataFrame]:
    """Integer ratings 0-4, as a table and in long form with text labels, shuffled."""
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(CLIPS, 1)) + 0.3 * rng.normal(size=(1, RATERS))
    table = np.clip(np.round(2 + truth + 0.8 * rng.normal(size=(CLIPS, RATERS))), 0, 4)
    long = pd.DataFrame(
        {
            "clip": np.repeat([f"clip{i:04d}" for i in range(CLIPS)], RATERS),
            "rater": np.tile([f"rater{j}" for j in range(RATERS)], CLIPS),
            "score": table.ravel().astype(int),
        }
    )
    return table, long.sample(frac=1, random_state=1, ignore_index=True)


def psych(table: np.ndarray) -> tuple[float, np.ndarray]:
    """Return psych's time in milliseconds and its six estimates in our order."""
    with tempfile.TemporaryDirectory() as folder:
        data, script = Path(folder) / "ratings.csv", Path(folder) / "psych.R"
        pd.DataFrame(table).to_csv(data, index=False)
        script.write_text(PSYCH)
        done = subprocess.run(
            ["Rscript", "--vanilla", str(script), str(data)],
            capture_output=True,
            text=True,
            check=True,
        )
    values = np.array(done.stdout.split(), dtype=float)
    return float(values[0]), values[1:]


def pingouin(long: pd.DataFrame) -> pd.DataFrame:
    """Return pingouin's table, without the deprecation warnings of pandas."""
    import pingouin

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pingouin.intraclass_corr(long, "clip", "rater", "score").set_index("Type")


def run() -> list[dict[str, Any]]:
    """Return one row per comparison: work, ours_ms, peer, peer_ms, ratio."""
    table, long = ratings()

    def from_long() -> object:
        return icc(long, targets="clip", raters="rater", ratings="score")

    ours = icc(table).tidy().set_index("form")["estimate"]
    psych_ms, psych_values = psych(table)
    np.testing.assert_allclose(ours, psych_values, atol=1e-5)
    theirs = pingouin(long).loc[ours.index, "ICC"]
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)
    np.testing.assert_allclose(ours, from_long().tidy()["estimate"], rtol=1e-12)

    array_ms, long_ms = best(lambda: icc(table), 200), best(from_long, 50)
    pingouin_ms = best(lambda: pingouin(long), 5)
    big = np.random.default_rng(2).normal(size=(1_000_000, RATERS))
    big_ms = best(lambda: icc(big), 3)
    big_numpy_ms = best(lambda: one_way_by_hand(big), 3)
    # The NumPy that one would write by hand, for one form without an interval.
    numpy_ms = best(lambda: one_way_by_hand(table), 200)
    np.testing.assert_allclose(ours["ICC(1,k)"], one_way_by_hand(table), rtol=1e-9)

    name = f"six ICC forms, {CLIPS:,} x {RATERS}"
    rows: list[dict[str, Any]] = [
        {"work": f"{name}, array", "ours_ms": array_ms, "peer": "psych", "peer_ms": psych_ms},
        {"work": f"{name}, long", "ours_ms": long_ms, "peer": "pingouin", "peer_ms": pingouin_ms},
        {
            "work": f"{name}, array",
            "ours_ms": array_ms,
            "peer": "NumPy, 1 form",
            "peer_ms": numpy_ms,
        },
        {
            "work": "six ICC forms, 1e6 x 6, array",
            "ours_ms": big_ms,
            "peer": "NumPy, 1 form",
            "peer_ms": big_numpy_ms,
        },
    ]
    for row in rows:
        row["ratio"] = row["peer_ms"] / row["ours_ms"]
    return rows


def one_way_by_hand(table: np.ndarray) -> float:
    """ICC(1,k) by the formulas of a textbook."""
    n, k = table.shape
    means = table.mean(axis=1)
    between = k * means.var(ddof=1)
    within = ((table - means[:, None]) ** 2).sum() / (n * (k - 1))
    return float((between - within) / between)


if __name__ == "__main__":
    print(pd.DataFrame(run()).round(3).to_string(index=False))
