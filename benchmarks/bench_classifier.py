"""Penalised logistic regressions over a grid, against scikit-learn and glmnet; answers asserted."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from timing import best, row

from pyexpr.core.logistic_net import logistic_net_fits
from pyexpr.modeling.tuned_net import ALPHAS, L1_RATIOS

ROWS, FEATURES = 2240, 14
# scikit-learn's tolerances: for the answers, and for the time.
TIGHT, DEFAULT = 1e-10, 1e-4

# The time is taken inside R. glmnet stops where its author set it: 1e-7.
GLMNET = """
suppressPackageStartupMessages(library(glmnet))
data <- as.matrix(read.csv(commandArgs(TRUE)[1]))
x <- data[, -ncol(data)]; y <- data[, ncol(data)]
family <- if (length(unique(y)) > 2) "multinomial" else "binomial"
alphas <- c(1, 0.5, 0.1, 0.05, 0.01)
fit <- function(thresh) for (r in 0:10 / 10) {
  last <<- glmnet(x, y, family, lambda = alphas, alpha = r, standardize = FALSE, thresh = thresh,
                  maxit = 1e7)
}
times <- replicate(3, system.time(fit(1e-7))[["elapsed"]])
fit(1e-20)
beta <- if (is.list(last$beta)) sapply(last$beta, function(b) b[, 5]) else last$beta[, 5]
cat(sprintf("%.17g", c(min(times) * 1000, beta)), sep = " ")
"""


GRID = {"alpha": ALPHAS, "l1_ratio": L1_RATIOS}


def study(n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n_classes)
    mix = np.eye(FEATURES) + rng.normal(size=(FEATURES, FEATURES)) / np.sqrt(FEATURES)
    Z = rng.normal(size=(ROWS, FEATURES)) @ mix
    Z = (Z - Z.mean(axis=0)) / Z.std(axis=0)
    pull = Z[:, :4] @ rng.normal(size=(4, n_classes))
    return Z, (pull + rng.gumbel(size=pull.shape)).argmax(axis=1)


def peer(Z: np.ndarray, y: np.ndarray, alpha: float, l1_ratio: float, tol: float) -> np.ndarray:
    # For ridge its Newton is the faster one.
    solver = "newton-cholesky" if l1_ratio == 0 else "saga"
    model = LogisticRegression(
        C=1 / (len(y) * alpha), l1_ratio=l1_ratio, solver=solver, tol=tol, max_iter=100_000,
        random_state=0,
    )  # fmt: skip
    return np.asarray(model.fit(Z, y).coef_)


def glmnet(Z: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Return glmnet's time in milliseconds, and its weights at the last pair of the grid."""
    with tempfile.TemporaryDirectory() as folder:
        data, script = Path(folder) / "rows.csv", Path(folder) / "glmnet.R"
        pd.DataFrame(Z).assign(y=y).to_csv(data, index=False)
        script.write_text(GLMNET)
        done = subprocess.run(
            ["Rscript", "--vanilla", str(script), str(data)], capture_output=True, text=True,
            check=False,
        )  # fmt: skip
    if done.returncode:
        raise ImportError(done.stderr.strip().splitlines()[0])
    values = np.array(done.stdout.split(), dtype=float)
    return float(values[0]), values[1:]


def run() -> list[dict[str, Any]]:
    """Return one row per comparison: work, ours_ms, peer, peer_ms, ratio."""
    rows: list[dict[str, Any]] = []
    for n_classes in (2, 4):
        Z, y = study(n_classes)
        found = logistic_net_fits(Z, y, n_classes, **GRID).coef
        # Where no weight is 0, where some are, and where most are.
        for i, j in ((0, 0), (0, 5), (2, 9)):
            expected = peer(Z, y, ALPHAS[i], L1_RATIOS[j], TIGHT)
            np.testing.assert_allclose(found[i, j], expected, atol=1e-6)
        work = f"55 logistic nets, {n_classes} classes, {ROWS:,} x {FEATURES}"
        ours = best(lambda Z=Z, y=y, k=n_classes: logistic_net_fits(Z, y, k, **GRID), 5)

        def theirs(Z: np.ndarray = Z, y: np.ndarray = y) -> None:
            for alpha in ALPHAS:
                for ratio in L1_RATIOS:
                    peer(Z, y, alpha, ratio, DEFAULT)

        rows.append(row(work, ours, "scikit-learn, at its default tolerance", best(theirs, 1)))
        try:
            glmnet_ms, weights = glmnet(Z, y)
        except ImportError as problem:
            rows[-1]["note"] = f"glmnet did not run: {problem}"
            continue
        last = found[0, -1] - found[0, -1, :1] * (n_classes > 2)
        expected = weights.reshape(last.shape)
        # Of several classes the lasso's weights are not unique: their differences are.
        expected = expected - expected[:1] * (n_classes > 2)
        np.testing.assert_allclose(last, expected, atol=1e-6)
        rows.append(row(work, ours, "glmnet in R, at its default tolerance", glmnet_ms))
    return rows
