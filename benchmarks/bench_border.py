"""A million rows from R to Python and back, beside reticulate's own conversion of the table.

Times are of the processor, of R and the Python in it together: nothing here waits.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

ROOT = Path(__file__).parents[1]
ROWS = 1_000_000
# Milliseconds that a million rows may take, each way.
GOAL = 1000.0

# Predictions as they come: a subject as factor, a context as text, three models.
R_CODE = r"""
options(pyexpr.python = commandArgs(TRUE)[[1]])
suppressMessages(pkgload::load_all(commandArgs(TRUE)[[2]], quiet = TRUE))
n <- as.integer(commandArgs(TRUE)[[3]])
set.seed(1)
table <- data.frame(
  subject = factor(sprintf("subject_%04d", rep_len(1:2000, n))),
  context = rep_len(c("startle", "pain", "disgust", "joy"), n), fold = rep_len(1:5, n),
  right = rep_len(c(TRUE, FALSE, NA), n), truth = rnorm(n), elastic_net = rnorm(n),
  lstm = rnorm(n), video = rnorm(n)
)
stopifnot(pyexpr_available())
reticulate::py_run_string("
from pyexpr.hosted import verbs
kept = []
def take(table):
    kept[:] = [table]
verbs.do_take, verbs.do_give = take, lambda: kept[0]
")
to <- function() pyexpr:::ask("take", list(table = pyexpr:::table_node(table)))
back <- function() pyexpr:::ask("give")
plain <- function() reticulate::r_to_py(table)
spent <- function(f) {
  used <- function() sum(proc.time()[c("user.self", "sys.self")])
  1000 * min(replicate(5, { gc(); start <- used(); f(); used() - start }))
}
invisible(to())
stopifnot(identical(as.list(back()), as.list(table)))
cat(sprintf("%.6g", c(spent(to), spent(back), spent(plain))), "\n")
"""


def run() -> list[dict[str, Any]]:
    """Return one row per comparison: work, ours_ms, peer, peer_ms, ratio."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "border.R"
        script.write_text(R_CODE)
        done = subprocess.run(
            ["Rscript", "--no-init-file", str(script), sys.executable, str(ROOT / "R"), str(ROWS)],
            capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"},
            # In a project's folder reticulate looks what kind of project it is.
            cwd=folder,
        )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2000:])
    to, back, plain = (float(value) for value in done.stdout.split())
    n = f"{ROWS:,} rows of predictions, 8 columns"
    note = f"{ROWS:,} rows between R and Python: time of the processor, of both together."
    peers = {"goal": GOAL, "reticulate, r_to_py(data.frame)": plain}
    rows: list[dict[str, Any]] = [
        {
            "work": f"{n}, {way}",
            "ours_ms": ours,
            "peer": peer,
            "peer_ms": theirs,
            "ratio": theirs / ours,
        }
        for way, ours in (("R to Python", to), ("Python to R", back))
        for peer, theirs in peers.items()
    ]
    rows[0]["note"] = note
    return rows


if __name__ == "__main__":
    print(pd.DataFrame(run()).round(3).to_string(index=False))
