"""Python hosted by a real R, through reticulate: one R process for all that is asked there.

The parent starts `Rscript`, which starts this Python, which imports this module again and runs
every job; R collects its garbage within each call of the bridge and after each job.
"""

from __future__ import annotations

import importlib
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def _starts_this_python() -> bool:
    """reticulate 1.28 (Debian 12's) cannot start Python 3.12 or later; 1.41 (Debian 13's) can."""
    if sys.version_info < (3, 12):
        return True
    requested = ["Rscript", "-e", 'cat(utils::packageVersion("reticulate") >= "1.41")']
    done = subprocess.run(requested, capture_output=True, text=True, check=True)
    return done.stdout == "TRUE"


POSSIBLE = _starts_this_python()
# The modules that add jobs.
MODULES = ("parity.factor_model", "parity.r_engines")

_jobs: dict[str, Callable[[], Any]] = {}
_slow: set[str] = set()
_results: dict[str, Any] = {}

HOST = """
library(reticulate)
use_python(Sys.getenv("RETICULATE_PYTHON"), required = TRUE)
# The distribution's Python, started by reticulate, has read no .pth file of its environment.
folders <- grep("-packages$", import("sys")$path, value = TRUE)
for (folder in folders) import("site")$addsitedir(folder)
host <- import("pyexpr.measurement.engines.host_engine")
bridge <- new.env(parent = baseenv())
eval(parse(text = host$bridge_text()), bridge)
answer <- function(bytes) {
    on.exit(gc())
    bridge$pyexpr_answer(bytes)
}
host$register(r_to_py(answer, convert = TRUE))
jobs <- import("parity.hosted")
for (i in seq_len(jobs$count())) {
    jobs$run(i - 1L)
    invisible(gc())
}
jobs$save(Sys.getenv("PYEXPR_JOBS"), as.character(packageVersion("reticulate")))
"""


def add(name: str, job: Callable[[], Any], *, slow: bool = False) -> None:
    """Add something to do in the hosted Python; its result must pickle."""
    _jobs[name] = job
    if slow:
        _slow.add(name)


def _wanted() -> list[str]:
    """Return the names of the jobs of this process: the slow ones have an R of their own."""
    slow = os.environ["PYEXPR_SLOW"] == "yes"
    return [name for name in _jobs if (name in _slow) == slow]


def count() -> int:
    """Load all jobs and return the number of those to run; called by R."""
    for module in MODULES:
        importlib.import_module(module)
    return len(_wanted())


def run(number: int) -> None:
    """Do one job and keep its result, or its error; called by R."""
    name = _wanted()[int(number)]
    try:
        _results[name] = _jobs[name]()
    except Exception as error:
        _results[name] = error


def save(path: str, reticulate: str) -> None:
    """Write all results; called by R."""
    _results["reticulate"] = reticulate
    _results["rpy2 was imported"] = "rpy2" in sys.modules
    Path(path).write_bytes(pickle.dumps(_results))


@cache
def _all_results(*, slow: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="pyexpr-hosted-") as folder:
        path = Path(folder) / "results"
        search = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
        done = subprocess.run(
            ["Rscript", "-e", HOST], capture_output=True, text=True, check=False,
            env={**os.environ, "RETICULATE_PYTHON": sys.executable, "PYTHONPATH": search,
                 "PYEXPR_JOBS": str(path), "PYEXPR_SLOW": "yes" if slow else "no"},
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"the R that hosts Python ended with {done.returncode}: {done}")
        found: dict[str, Any] = pickle.loads(path.read_bytes())
        return found


def result(name: str) -> Any:
    """Return what a job gave in the hosted Python, or raise what it raised."""
    found = _all_results(slow=name in _slow)[name]
    if isinstance(found, Exception):
        raise found
    return found
