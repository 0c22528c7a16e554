"""lavaan asked by R itself, as its users do, without anything of ours between."""

from __future__ import annotations

import atexit
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

# R with lavaan takes most of a second to start, and a fit a tenth of it: one R answers all tests of
# a process, each in names of its own. A request is a folder that holds the data and the code.
ANSWERS = """
suppressPackageStartupMessages(library(lavaan))
requests <- file("stdin", "r")
while (length(folder <- readLines(requests, 1))) {
  setwd(folder)
  said <- tryCatch({
    own <- new.env(parent = globalenv())
    own$d <- read.csv("d.csv")
    found <- suppressWarnings(eval(parse("code.R"), own))
    writeLines(sprintf("%.17g", as.numeric(found)), "numbers.txt")
    "done"
  }, error = function(e) paste("Error:", gsub("\\n", " ", conditionMessage(e))))
  cat("\\n", said, "\\n", sep = "")
  flush(stdout())
}
"""


@cache
def _r() -> subprocess.Popen[str]:
    started = subprocess.Popen(
        ["Rscript", "--vanilla", "-e", ANSWERS],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    atexit.register(started.communicate)
    return started


def by_lavaan(folder: Path, data: pd.DataFrame, code: str) -> np.ndarray:
    """Run R code that ends with numbers, with the data as `d`."""
    data.to_csv(folder / "d.csv", index=False, float_format="%.17g")
    (folder / "code.R").write_text(code, encoding="utf-8")
    r = _r()
    assert r.stdin is not None
    assert r.stdout is not None
    print(folder, file=r.stdin, flush=True)
    said: list[str] = []
    for line in r.stdout:
        said.append(line)
        if line == "done\n":
            text = (folder / "numbers.txt").read_text(encoding="utf-8")
            return np.array(text.replace("NA", "nan").split(), dtype=float)
        if line.startswith("Error: "):
            break
    raise RuntimeError("".join(said) or "R ended")
