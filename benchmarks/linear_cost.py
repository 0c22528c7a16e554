"""Processor time and peak memory of inference as rows, subjects and replicates grow.

    python benchmarks/linear_cost.py [case ...] [--largest 1e6]

Each measurement is a process of its own with one thread. The slope is that of the logarithms of
processor time, of the last two sizes: 1 is linear, and below 1 is a part that does not grow.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import pyexpr as px

MODELS, FEATURES = 3, 5


class Case(NamedTuple):
    """A computation, and the sizes at which it is measured: `run` gets what `prepare` returns."""

    prepare: Callable[[int], Any]
    run: Callable[[Any], object]
    sizes: tuple[int, ...]


class Measured(NamedTuple):
    """Processor time in seconds, and by how many bytes the peak memory grew during the run."""

    seconds: float
    peak: int


def predictions(rows: int, subjects: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"subject": np.arange(rows) % subjects, "y": rng.normal(size=rows)})
    for k in range(MODELS):
        table[f"m{k}"] = 0.5 * table["y"] + rng.normal(size=rows)
    return table


def compared(table: Any, n_boot: int = 2000) -> object:
    return px.compare_models(
        table, truth="y", predictions=[f"m{k}" for k in range(MODELS)], cluster="subject",
        n_boot=n_boot, method="percentile", seed=1, n_threads=1,
    ).tidy()  # fmt: skip


def weighted_mean(rows: pd.DataFrame, weights: np.ndarray) -> float:
    return float(np.average(rows["y"].to_numpy(), weights=weights))


def bootstrapped(table: pd.DataFrame, n_boot: int = 100) -> object:
    return px.cluster_bootstrap(
        table, weighted_mean, cluster="subject", n_boot=n_boot, method="percentile", seed=1,
        n_threads=1, progress=False,
    ).tidy()  # fmt: skip


def features(rows: int, subjects: int) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    table = pd.DataFrame(rng.normal(size=(rows, FEATURES)), columns=list("abcde"))
    subject = np.arange(rows) % subjects
    return table.assign(subject=subject, task=np.arange(rows) // subjects % 2)


def coefficients(table: pd.DataFrame, n_boot: int = 200) -> object:
    y = table["a"] + np.random.default_rng(3).normal(size=len(table))
    found = px.context_coefficients(
        table, y, context="task", cluster="subject", alpha=0.05, l1_ratio=0.5, n_boot=n_boot,
        seed=1, n_threads=1,
    )  # fmt: skip
    return found.tidy(), found.contrasts(), found.omnibus()


def written(rows: int) -> Any:
    """Return a dataset that lists a file of 100,000 rows as often as needed."""
    from pyarrow import dataset

    path = Path(tempfile.gettempdir()) / "pyexpr_linear_cost.parquet"
    predictions(100_000, 1000).to_parquet(path)
    return dataset.dataset([str(path)] * (rows // 100_000), format="parquet")


ROWS = (100_000, 1_000_000, 10_000_000)
SUBJECTS = (100, 1000, 10_000, 100_000)
REPLICATES = (1000, 10_000, 100_000, 1_000_000)
CASES = {
    "compare_models, rows": Case(lambda n: predictions(n, 1000), compared, ROWS),
    "compare_models from parquet, rows": Case(written, compared, ROWS),
    "compare_models, subjects of 10 rows": Case(
        lambda n: predictions(10 * n, n), compared, SUBJECTS
    ),
    "compare_models, replicates": Case(
        lambda n: (predictions(1000, 100), n), lambda given: compared(*given), REPLICATES
    ),
    "cluster_bootstrap, rows": Case(lambda n: predictions(n, 1000), bootstrapped, ROWS),
    "cluster_bootstrap, subjects of 10 rows": Case(
        lambda n: predictions(10 * n, n), bootstrapped, SUBJECTS
    ),
    "cluster_bootstrap, replicates": Case(
        lambda n: (predictions(1000, 100), n), lambda given: bootstrapped(*given), REPLICATES[:-1]
    ),
    "context_coefficients, rows": Case(lambda n: features(n, 1000), coefficients, ROWS),
    "context_coefficients, subjects of 10 rows": Case(
        lambda n: features(10 * n, n), coefficients, SUBJECTS
    ),
    "context_coefficients, replicates": Case(
        lambda n: (features(1000, 100), n), lambda given: coefficients(*given), REPLICATES
    ),
}


def measured(case: str, size: int) -> Measured:
    """Measure one case at one size, in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--one", case, str(size)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return Measured(*json.loads(done.stdout))


def here(case: str, size: int) -> Measured:
    """Measure one case at one size in this process; imports are made before by a small one."""
    one = CASES[case]
    one.run(one.prepare(one.sizes[0]))
    given = one.prepare(size)
    before, start = peak(), time.process_time()
    one.run(given)
    return Measured(time.process_time() - start, peak() - before)


def peak() -> int:
    """Return the peak memory of this process in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def rows_of(cases: list[str], largest: float = math.inf) -> list[dict[str, object]]:
    """Return a row per case and size: seconds, MB, and the slope from the size before."""
    found: list[dict[str, object]] = []
    for name in cases:
        last: tuple[int, float] | None = None
        for size in CASES[name].sizes:
            if size > largest:
                break
            seconds, grown = measured(name, size)
            slope = "" if last is None else math.log(seconds / last[1]) / math.log(size / last[0])
            last = size, seconds
            found.append(
                {"case": name, "size": size, "seconds": seconds, "MB": grown / 1e6, "slope": slope}
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="case")
    parser.add_argument("--largest", type=float, default=math.inf)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    requested = parser.parse_args()
    if requested.one:
        print(json.dumps(here(requested.one[0], int(requested.one[1]))))
        return
    wanted = [
        name for name in CASES if not requested.cases or any(one in name for one in requested.cases)
    ]
    for name in wanted:
        table = pd.DataFrame(rows_of([name], requested.largest))
        print(table.to_string(index=False, float_format=lambda x: f"{x:.3g}"), flush=True)


if __name__ == "__main__":
    main()
