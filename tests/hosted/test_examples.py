"""The examples of the R package for other packages, run with this checkout's package.

targets, tune and Quarto are not in Debian. Where targets or tune is installed, it runs the
example; everywhere else the commands of the pipeline run one after another, and the table that
the package ships stands for what tune makes. The report is run by knitr, as Quarto runs it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from parity.hosted import POSSIBLE

R = Path(__file__).parents[2] / "R"

PIPELINE = """
file.copy(file.path(examples, "targets", "_targets.R"), "_targets.R")
if (requireNamespace("targets", quietly = TRUE)) {
  # In this process, which has this checkout's package.
  targets::tar_make(callr_function = NULL, reporter = "silent")
  better <- targets::tar_read(better)
  comparison <- targets::tar_read(comparison)
} else {
  steps <- new.env()
  steps$library <- steps$tar_option_set <- function(...) NULL
  steps$tar_target <- function(name, command) {
    assign(deparse(substitute(name)), eval(substitute(command), steps), envir = steps)
  }
  sys.source("_targets.R", steps)
  better <- steps$better
  comparison <- steps$comparison
}
# What is kept is a table of any session.
saveRDS(comparison, "comparison.rds")
stopifnot(identical(class(readRDS("comparison.rds")), c("tbl_df", "tbl", "data.frame")))
cat(sprintf("better: %.6f", better))
"""

PURL = """
for (file in dir(commandArgs(TRUE), "[.]Rmd$", full.names = TRUE)) {
  code <- knitr::purl(file, tempfile(), documentation = 0, quiet = TRUE)
  cat(basename(file), length(parse(code, keep.source = FALSE)) > 5, "\\n")
}
"""

PREDICTIONS = """
known <- clips[complete.cases(clips), ]
table <- collected
needed <- c("tune", "workflows", "parsnip", "rsample")
if (all(vapply(needed, requireNamespace, NA, quietly = TRUE))) {
  made <- new.env()
  sys.source(file.path(examples, "tidymodels.R"), made)
  table <- made$collected
}
stopifnot(setequal(names(table), names(collected)), nrow(table) == nrow(collected))
found <- compare_models(table, truth = score, cluster = subject, rows = known, n_boot = 99)
cat(unique(tidy(found)$term), sep = ", ")
"""

REPORT = """
file.copy(file.path(examples, "quarto", "report.qmd"), "report.qmd")
knitr::opts_chunk$set(error = FALSE)
knitr::knit("report.qmd", "report.md", quiet = TRUE)
cat(readLines("report.md"), sep = "\\n")
"""


def run(script: str, folder: Path) -> str:
    begin = (
        f'suppressMessages(pkgload::load_all("{R}", quiet = TRUE))\n'
        f'examples <- "{R / "inst" / "examples"}"\n'
    )
    (folder / "script.R").write_text(begin + script, encoding="utf-8")
    done = subprocess.run(
        ["Rscript", "--no-save", "--no-restore", "script.R"],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "RETICULATE_PYTHON": sys.executable, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def pipeline_runs(tmp_path: Path) -> None:
    better = float(run(PIPELINE, tmp_path).rpartition("better: ")[2])
    # The face tells more than the head of how the simulated clips were made.
    assert 0.2 < better < 0.6


def predictions_of_tidymodels_are_compared(tmp_path: Path) -> None:
    assert run(PREDICTIONS, tmp_path).endswith("face, head, face - head")


def report_is_knitted(tmp_path: Path) -> None:
    report = run(REPORT, tmp_path)
    assert "|emotion  |ICC(1,k) |     0.83|" in report
    assert "2 models compared on 469 rows of 30 subjects" in report
    assert "fig-models-1.png" in report
    assert "`r " not in report


def test_code_of_the_vignettes_can_be_taken_out() -> None:
    # As purl() has no chunk run before it reads the options of the next.
    done = subprocess.run(
        ["Rscript", "--no-save", "--no-restore", "-e", PURL, str(R / "vignettes")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Error" not in done.stderr
    assert done.stdout.splitlines() == [
        f"{path.name} TRUE " for path in sorted((R / "vignettes").glob("*.Rmd"))
    ]


if POSSIBLE:
    test_pipeline_of_targets = pipeline_runs
    test_predictions_of_tidymodels = predictions_of_tidymodels_are_compared
    test_report_of_quarto = report_is_knitted
