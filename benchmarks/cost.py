"""Time and memory by recordings, rows, subjects and replicates, and what a cluster would take.

    python benchmarks/cost.py [--full] [--only recordings]

Every size is a process of its own. Its time is that of the processor (user and system), which
other programs on the machine change little; memory is what its peak rises by during the work. The
slope is that of the logarithms between the last two sizes: 1 is a cost in proportion. The last
column is computed, not measured: tasks are divided among 100 machines of 8 cores, and each costs
the scheduler a millisecond.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# Sizes of a quick run, and those besides of a full one.
SIZES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "recordings": ((25, 100), (300, 1000, 5000)),
    "rows": ((10**5, 10**6), (10**7,)),
    "rows of parquet": ((10**5, 10**6), (10**7, 10**8)),
    "subjects": ((10**2, 10**3), (10**4, 10**5)),
    "replicates": ((10**3, 10**4), (10**5, 10**6)),
    "python replicates": ((10**2, 10**3), (10**4,)),
}
# A parquet file of so many rows is listed as often as needed.
ROWS_OF_FILE, MODELS_OF_FILE = 10**5, 10
CORES, PER_TASK = 100 * 8, 1e-3
# What a task is: a recording; of the others the largest range that one core does in a second or so.
TASKS: dict[str, Callable[[int], int]] = {
    "recordings": lambda n: n,
    "replicates": lambda n: math.ceil(n / 1000),
    "python replicates": lambda n: math.ceil(n / 100),
}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--full", action="store_true", help="also the larger sizes")
    parser.add_argument("--only", choices=tuple(SIZES))
    parser.add_argument("--task", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task is not None:
        name, size, folder = given.task
        print(json.dumps(measured(name, int(size), Path(folder))))
        return
    print("| work | size | processor time (s) | peak memory (MB) | slope | 100 machines (s) |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, (quick, more) in SIZES.items():
            if given.only in (None, name):
                table(name, (*quick, *(more if given.full else ())), Path(folder))


def table(name: str, sizes: Sequence[int], folder: Path) -> None:
    """Print the rows of one kind of work."""
    if name == "recordings":
        prepare(folder)
    last: tuple[int, float] | None = None
    for size in sizes:
        command = [sys.executable, __file__, "--task", name, str(size), str(folder)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=one_thread())
        seconds, megabytes = json.loads(done.stdout)
        slope = "" if last is None else f"{math.log(seconds / last[1], size / last[0]):.2f}"
        cluster = ""
        if name in TASKS:
            tasks = TASKS[name](size)
            # No task is divided: so many rounds of tasks, each as long as one.
            rounds = math.ceil(tasks / CORES) * seconds / tasks
            cluster = f"{max(rounds, tasks * PER_TASK):.2g}"
        print(f"| {name} | {size:,} | {seconds:.3g} | {megabytes:.0f} | {slope} | {cluster} |",
              flush=True)  # fmt: skip
        last = size, seconds


def one_thread() -> dict[str, str]:
    """Return an environment in which libraries use one thread."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return os.environ | dict.fromkeys(names, "1")


def prepare(folder: Path) -> None:
    """Write the recordings of one simulated person; a manifest repeats the first of them."""
    import pyexpr as px

    px.simulate_study(folder / "simulated", subjects=1, n_jobs=1, progress=False)


def measured(name: str, size: int, folder: Path) -> tuple[float, float]:
    """Return processor time and additional memory of one work."""
    import numpy as np
    import pandas as pd

    import pyexpr as px

    rng = np.random.default_rng(1)
    work: Callable[[], Any]
    if name == "recordings":
        (original, *_) = sorted((folder / "simulated").rglob("*.csv"), key=os.path.getsize)[-1:]
        files = [folder / f"r{number:05d}.csv" for number in range(size)]
        for file in files:
            if not file.exists():
                os.link(original, file)

        def work() -> Any:
            return px.extract_features(files, every=3.0, n_jobs=1, progress=False)
    elif name == "python replicates":
        rows = compared(1000, 50, rng)

        def mean(rows: pd.DataFrame, weights: Any) -> float:
            return float(np.average(rows["y"], weights=weights))

        def work() -> Any:
            return px.cluster_bootstrap(
                rows, mean, cluster="subject", n_boot=size, seed=1, progress=False
            )
    elif name == "rows of parquet":
        given = rows_of_parquet(folder, size, rng)

        def work() -> Any:
            return px.compare_models(
                given, truth="y", predictions=[f"m{k}" for k in range(MODELS_OF_FILE)],
                cluster="subject", metrics=("rmse", "correlation"), n_boot=2000, seed=1,
                n_threads=1, progress=False,
            )  # fmt: skip
    else:
        n = {"rows": size, "subjects": max(10 * size, 10**4)}.get(name, 3000)
        rows = compared(n, size if name == "subjects" else 100, rng)
        n_boot = size if name == "replicates" else 2000

        def work() -> Any:
            return px.compare_models(
                rows, truth="y", predictions=["a", "b"], cluster="subject", metrics=("rmse",),
                n_boot=n_boot, method="percentile", seed=1, n_threads=1, progress=False,
            )  # fmt: skip

    # What is imported and built once belongs to no size.
    px.compare_models(
        compared(200, 20, rng), truth="y", predictions=["a", "b"], cluster="subject",
        metrics=("rmse",), n_boot=100, method="percentile", seed=1, progress=False,
    )  # fmt: skip
    before = resource.getrusage(resource.RUSAGE_SELF)
    work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, (after.ru_maxrss - before.ru_maxrss) / 1024


def rows_of_parquet(folder: Path, size: int, rng: Any) -> Any:
    """Return a dataset of so many rows of 1,000 subjects and 10 models."""
    import numpy as np
    import pandas as pd
    from pyarrow import dataset

    path = folder / "rows.parquet"
    truth = rng.normal(size=ROWS_OF_FILE)
    columns = {f"m{k}": truth + rng.normal(size=ROWS_OF_FILE) for k in range(MODELS_OF_FILE)}
    subject = np.arange(ROWS_OF_FILE) % 1000
    pd.DataFrame({"subject": subject, "y": truth, **columns}).to_parquet(path)
    return dataset.dataset([str(path)] * (size // ROWS_OF_FILE), format="parquet")


def compared(n: int, subjects: int, rng: Any) -> Any:
    """Return predictions of two models for `n` rows of so many subjects."""
    import numpy as np
    import pandas as pd

    truth = rng.normal(size=n)
    columns = {name: truth + rng.normal(size=n) for name in ("a", "b")}
    return pd.DataFrame({"subject": np.arange(n) % subjects, "y": truth, **columns})


if __name__ == "__main__":
    main()
