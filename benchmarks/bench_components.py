"""Variance components of lme4's InstEval: 73,421 ratings of 1,128 lecturers by 2,972 students.

Both take processor time, of all threads, and lme4's is taken inside R. The answer is asserted.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pyexpr.measurement.components.variance_components import variance_components

# lme4's optimiser stops where the criterion is flat.
CLOSE = 1e-3
LME4 = """
suppressPackageStartupMessages(library(lme4))
write.csv(InstEval[c("s", "d", "y")], commandArgs(TRUE)[1], row.names = FALSE)
taken <- system.time(found <- lmer(y ~ 1 + (1 | s) + (1 | d), InstEval))
variances <- as.data.frame(VarCorr(found))
variances <- variances$vcov[match(c("s", "d", "Residual"), variances$grp)]
cat(sprintf("%.17g", c(1000 * sum(taken[c("user.self", "sys.self")]), variances)), sep = " ")
"""


def lme4() -> tuple[float, np.ndarray, pd.DataFrame]:
    """Return lme4's time in milliseconds, its variances, the residual's last, and the data."""
    with tempfile.TemporaryDirectory() as folder:
        data, script = Path(folder) / "ratings.csv", Path(folder) / "components.R"
        script.write_text(LME4)
        done = subprocess.run(
            ["Rscript", "--vanilla", str(script), str(data)],
            capture_output=True,
            text=True,
            check=True,
        )
        table = pd.read_csv(data)
    values = np.array(done.stdout.split(), dtype=float)
    return float(values[0]), values[1:], table


def run() -> list[dict[str, Any]]:
    """Return the comparison: work, ours_ms, peer, peer_ms, ratio, note."""
    peer_ms, theirs, table = lme4()
    start = time.process_time()
    found = variance_components(table, ratings="y", facets=["s", "d"])
    ours_ms = 1000 * (time.process_time() - start)
    ours = found.tidy()["estimate"].to_numpy()
    np.testing.assert_allclose(ours, theirs, rtol=CLOSE)
    apart = np.abs(ours / theirs - 1).max()
    return [
        {
            "work": "variance components, 73,421 ratings, 2,972 x 1,128 crossed",
            "ours_ms": ours_ms,
            "peer": "lme4",
            "peer_ms": peer_ms,
            "ratio": peer_ms / ours_ms,
            "note": "Variance components: time of the processor, of all threads; the largest "
            f"relative difference from lme4's variances is {apart:.1e}.",
        }
    ]


if __name__ == "__main__":
    print(pd.DataFrame(run()).to_string(index=False))
