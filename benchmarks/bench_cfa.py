"""One-factor models of 2,240 clips against lavaan and semopy; the answers asserted equal."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from timing import best

from pyexpr.core.factor_model import fit_factor, moments
from pyexpr.measurement.factor.bootstrap import bootstrap_cfa
from pyexpr.measurement.factor.cfa import cfa
from pyexpr.measurement.invariance.invariance import invariance

SUBJECTS, CLIPS, REPLICATES = 140, 16, 1000
NAMES = ["response", "emotion", "motion"]
MODEL = {"expressiveness": NAMES}
SYNTAX = "expressiveness =~ response + emotion + motion"
# What `pyexpr` is to reach, in milliseconds (a fit from raw columns, cfa(), 1,000 refits).
GOALS = {"fit": 0.1, "cfa": 3.0, "bootstrap": 100.0}

# The times are taken inside R: starting it is not lavaan's work.
R_CODE = """
suppressMessages(library(lavaan))
d <- read.csv(commandArgs(TRUE)[1])
model <- commandArgs(TRUE)[2]
fit <- function() cfa(model, d, std.lv = TRUE, meanstructure = TRUE, likelihood = "normal")
one <- fit()
times <- replicate(5, system.time(fit())[["elapsed"]])
boot <- system.time(bootstrapLavaan(one, R = 40, FUN = function(x) coef(x)[1:3]))[["elapsed"]]
cat(sprintf("%.17g", c(1000 * min(times), 1000 * boot / 40, coef(one)[1:3])), sep = " ")
"""


def table() -> pd.DataFrame:
    """Means of three questions for 16 clips of each of 140 subjects."""
    rng = np.random.default_rng(1)
    n = SUBJECTS * CLIPS
    subject = np.repeat(np.arange(SUBJECTS), CLIPS)
    factor = 0.6 * rng.normal(size=SUBJECTS)[subject] + 0.8 * rng.normal(size=n)
    frame = pd.DataFrame(
        np.array([1.8, 1.7, 1.6])
        + np.outer(factor, [0.9, 0.85, 0.8])
        + rng.normal(size=(n, 3)) * [0.3, 0.4, 0.5],
        columns=NAMES,
    )
    frame.insert(0, "subject", subject)
    frame["context"] = np.tile(["pain", "startle"], n // 2)
    return frame


def by_lavaan(frame: pd.DataFrame) -> tuple[float, float, np.ndarray]:
    """Milliseconds of a fit and of a bootstrap replicate in R, and the loadings."""
    with tempfile.TemporaryDirectory() as folder:
        data, script = Path(folder) / "rows.csv", Path(folder) / "fit.R"
        frame[NAMES].to_csv(data, index=False)
        script.write_text(R_CODE)
        done = subprocess.run(
            ["Rscript", "--vanilla", str(script), str(data), SYNTAX],
            capture_output=True,
            text=True,
            check=True,
        )
    values = np.array(done.stdout.split(), dtype=float)
    return values[0], values[1], values[2:]


def by_semopy(frame: pd.DataFrame) -> tuple[float, np.ndarray]:
    """Milliseconds of a fit by semopy, and its loadings over the first one."""
    from semopy import Model

    def fit() -> Any:
        model = Model(SYNTAX)
        model.fit(frame[NAMES])
        return model

    found = fit().inspect().query("op == '~' and rval == 'expressiveness'")
    loadings = found.set_index("lval").loc[NAMES, "Estimate"].to_numpy(dtype=float)
    return best(fit, 5), loadings / loadings[0]


def row(work: str, ours_ms: float, peer: str, peer_ms: float) -> dict[str, Any]:
    return {
        "work": work,
        "ours_ms": ours_ms,
        "peer": peer,
        "peer_ms": peer_ms,
        "ratio": peer_ms / ours_ms,
    }


def run() -> list[dict[str, Any]]:
    """Return one row per comparison: work, ours_ms, peer, peer_ms, ratio."""
    frame = table()
    x = np.ascontiguousarray(frame[NAMES], dtype=np.float64)

    def kernel() -> np.ndarray:
        covariance = moments(x)[1]
        return fit_factor(covariance, len(x)).loadings

    def native() -> Any:
        return cfa(frame, MODEL, engine="native")

    def refits() -> Any:
        return bootstrap_cfa(frame, MODEL, cluster="subject", n_boot=REPLICATES).tidy()

    def tests() -> Any:
        found = invariance(frame, MODEL, context="context", cluster="subject", engine="native")
        return found.tidy()

    ours = native().loadings()["loading"].to_numpy()
    lavaan_ms, replicate_ms, loadings = by_lavaan(frame)
    # lavaan at its default tolerances.
    np.testing.assert_allclose(ours, loadings, rtol=1e-5)
    np.testing.assert_allclose(kernel(), ours, rtol=1e-12)
    semopy_ms, ratios = by_semopy(frame)
    np.testing.assert_allclose(ours / ours[0], ratios, rtol=1e-3)
    through_rpy2 = cfa(frame, MODEL, engine="rpy2")
    np.testing.assert_allclose(ours, through_rpy2.loadings()["loading"], rtol=1e-7)

    fit_ms, cfa_ms, boot_ms = best(kernel, 500), best(native, 100), best(refits, 20)
    rpy2_ms = best(lambda: cfa(frame, MODEL, engine="rpy2"), 5)
    n = f"{len(frame):,}"
    return [
        row(f"one factor from raw columns, {n} x 3, C++", fit_ms, "goal", GOALS["fit"]),
        row(f"one factor from raw columns, {n} x 3, C++", fit_ms, "lavaan in R", lavaan_ms),
        row(f"cfa(engine='native'), {n} x 3", cfa_ms, "goal", GOALS["cfa"]),
        row(f"cfa(engine='native'), {n} x 3", cfa_ms, "lavaan in R", lavaan_ms),
        row(f"cfa(engine='native'), {n} x 3", cfa_ms, "semopy", semopy_ms),
        row(f"cfa(engine='rpy2'), {n} x 3, stricter stop", rpy2_ms, "lavaan in R", lavaan_ms),
        row(f"bootstrap_cfa, {REPLICATES} refits by subject", boot_ms, "goal", GOALS["bootstrap"]),
        row(
            f"bootstrap_cfa, {REPLICATES} refits by subject",
            boot_ms,
            f"bootstrapLavaan, {REPLICATES} x one replicate",
            REPLICATES * replicate_ms,
        ),
        row(
            f"invariance, {SUBJECTS} subjects left out of 2 contexts",
            best(tests, 20),
            f"lavaan in R, {2 * SUBJECTS} fits",
            2 * SUBJECTS * lavaan_ms,
        ),
    ]


if __name__ == "__main__":
    print(pd.DataFrame(run()).round(3).to_string(index=False))
