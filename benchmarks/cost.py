"""Time and memory by recordings, rows, subjects and replicates, and what a cluster would take.

    python benchmarks/cost.py [work ...] [--full] [--largest 1e6]

A work is one of those listed in WORKS, or a part of their names, such as "coefficients". Every size
is a process of its own, with one thread. Its time is that of the processor (user and system), which
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
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import pyexpr as px

# A parquet file of so many rows is listed as often as needed.
ROWS_OF_FILE, MODELS_OF_FILE = 10**5, 10
FEATURES = 5
CORES, PER_TASK = 100 * 8, 1e-3


class Work(NamedTuple):
    """A computation: `run` gets what `prepare` makes of a size and a folder.

    `sizes` are those of a quick run, `more` those besides of a full one; `of_task` is how much of
    the size one task of a cluster is, the largest range that one core does in a second or so.
    """

    prepare: Callable[[int, Path], Any]
    run: Callable[[Any], object]
    sizes: tuple[int, ...]
    more: tuple[int, ...]
    of_task: int | None = None


def recordings(n: int, folder: Path) -> list[Path]:
    """Return so many names of the largest recording of a simulated person."""
    simulated = folder / "simulated"
    if not simulated.exists():
        px.simulate_study(simulated, subjects=1, n_jobs=1, progress=False)
    original = max(simulated.rglob("*.csv"), key=os.path.getsize)
    files = [folder / f"r{number:05d}.csv" for number in range(n)]
    for file in files:
        if not file.exists():
            os.link(original, file)
    return files


def extracted(files: list[Path]) -> object:
    return px.extract_features(files, every=3.0, n_jobs=1, progress=False)


def predictions(n: int, subjects: int, models: Sequence[str] = ("a", "b")) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=n)
    columns = {name: truth + rng.normal(size=n) for name in models}
    return pd.DataFrame({"subject": np.arange(n) % subjects, "y": truth, **columns})


def compared(rows: pd.DataFrame, n_boot: int = 2000) -> object:
    return px.compare_models(
        rows, truth="y", predictions=["a", "b"], cluster="subject", metrics=("rmse",),
        n_boot=n_boot, method="percentile", seed=1, n_threads=1, progress=False,
    )  # fmt: skip


def models_of_file() -> list[str]:
    return [f"m{k}" for k in range(MODELS_OF_FILE)]


def written(n: int, folder: Path) -> Any:
    """Return a dataset of so many rows of 1,000 subjects and 10 models."""
    from pyarrow import dataset

    path = folder / "rows.parquet"
    predictions(ROWS_OF_FILE, 1000, models_of_file()).to_parquet(path)
    return dataset.dataset([str(path)] * (n // ROWS_OF_FILE), format="parquet")


def compared_from_files(rows: Any) -> object:
    return px.compare_models(
        rows, truth="y", predictions=models_of_file(), cluster="subject",
        metrics=("rmse", "correlation"), n_boot=2000, seed=1, n_threads=1, progress=False,
    )  # fmt: skip


def weighted_mean(rows: pd.DataFrame, weights: np.ndarray) -> float:
    return float(np.average(rows["y"].to_numpy(), weights=weights))


def bootstrapped(rows: pd.DataFrame, n_boot: int = 100) -> object:
    return px.cluster_bootstrap(
        rows, weighted_mean, cluster="subject", n_boot=n_boot, method="percentile", seed=1,
        n_threads=1, progress=False,
    )  # fmt: skip


def features(n: int, subjects: int) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    table = pd.DataFrame(rng.normal(size=(n, FEATURES)), columns=list("abcde"))
    subject = np.arange(n) % subjects
    return table.assign(
        subject=subject, task=np.arange(n) // subjects % 2, y=table["a"] + rng.normal(size=n)
    )


def coefficients(table: pd.DataFrame, n_boot: int = 200) -> object:
    found = px.context_coefficients(
        table.drop(columns="y"), table["y"], context="task", cluster="subject", alpha=0.05,
        l1_ratio=0.5, n_boot=n_boot, seed=1, n_threads=1,
    )  # fmt: skip
    return found.tidy(), found.contrasts(), found.omnibus()


def of_rows(make: Callable[[int, int], Any], subjects: int) -> Callable[[int, Path], Any]:
    return lambda n, _: make(n, subjects)


def of_subjects(make: Callable[[int, int], Any]) -> Callable[[int, Path], Any]:
    return lambda n, _: make(max(10 * n, 10**4), n)


def of_replicates(make: Callable[[int, int], Any], rows: int) -> Callable[[int, Path], Any]:
    return lambda n, _: (make(rows, rows // 20), n)


def both(run: Callable[..., object]) -> Callable[[Any], object]:
    return lambda given: run(*given)


WORKS: dict[str, Work] = {
    "recordings": Work(recordings, extracted, (25, 100), (300, 1000, 5000), of_task=1),
    "rows": Work(of_rows(predictions, 100), compared, (10**5, 10**6), (10**7,)),
    "rows of parquet": Work(written, compared_from_files, (10**5, 10**6), (10**7, 10**8)),
    "subjects": Work(of_subjects(predictions), compared, (10**2, 10**3), (10**4, 10**5)),
    "replicates": Work(
        of_replicates(predictions, 3000), both(compared), (10**3, 10**4), (10**5, 10**6), 1000
    ),
    "rows, python": Work(of_rows(predictions, 1000), bootstrapped, (10**5,), (10**6, 10**7)),
    "subjects, python": Work(
        of_subjects(predictions), bootstrapped, (10**2, 10**3), (10**4, 10**5)
    ),
    "replicates, python": Work(
        of_replicates(predictions, 1000), both(bootstrapped), (10**2, 10**3), (10**4, 10**5), 100
    ),
    "rows, coefficients": Work(of_rows(features, 1000), coefficients, (10**5,), (10**6, 10**7)),
    "subjects, coefficients": Work(
        of_subjects(features), coefficients, (10**2, 10**3), (10**4, 10**5)
    ),
    "replicates, coefficients": Work(
        of_replicates(features, 2000), both(coefficients), (10**3, 10**4), (10**5,), 1000
    ),
}


def table(name: str, sizes: Sequence[int], folder: Path) -> None:
    """Print the rows of one work."""
    last: tuple[int, float] | None = None
    for size in sizes:
        command = [sys.executable, __file__, "--task", name, str(size), str(folder)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=one_thread())
        seconds, megabytes = json.loads(done.stdout)
        slope = "" if last is None else f"{math.log(seconds / last[1], size / last[0]):.2f}"
        print(
            f"| {name} | {size:,} | {seconds:.3g} | {megabytes:.0f} | {slope} | "
            f"{on_cluster(name, size, seconds)} |",
            flush=True,
        )
        last = size, seconds


def on_cluster(name: str, size: int, seconds: float) -> str:
    """Return the seconds that 100 machines would take; "" where there are no tasks."""
    of_task = WORKS[name].of_task
    if of_task is None:
        return ""
    tasks = math.ceil(size / of_task)
    # No task is divided: so many rounds of tasks, each as long as one.
    rounds = math.ceil(tasks / CORES) * seconds / tasks
    return f"{max(rounds, tasks * PER_TASK):.2g}"


def one_thread() -> dict[str, str]:
    """Return an environment in which libraries use one thread."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return os.environ | dict.fromkeys(names, "1")


def measured(name: str, size: int, folder: Path) -> tuple[float, float]:
    """Return processor time and additional memory of one work, in this process."""
    work = WORKS[name]
    # What is imported and built once belongs to no size.
    work.run(work.prepare(work.sizes[0], folder))
    given = work.prepare(size, folder)
    before = resource.getrusage(resource.RUSAGE_SELF)
    work.run(given)
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # Kilobytes, but bytes on macOS.
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return seconds, (after.ru_maxrss - before.ru_maxrss) / unit


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("works", nargs="*", metavar="work", help="a name, or a part of names")
    parser.add_argument("--full", action="store_true", help="also the larger sizes")
    parser.add_argument("--largest", type=float, default=math.inf, help="no size above this")
    parser.add_argument("--task", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task is not None:
        name, size, folder = given.task
        print(json.dumps(measured(name, int(size), Path(folder))))
        return
    wanted = [
        name for name in WORKS
        if not given.works or name in given.works
        or any(part in name and part not in WORKS for part in given.works)
    ]  # fmt: skip
    if not wanted:
        parser.error(f"there is no such work; they are {', '.join(WORKS)}")
    print("| work | size | processor time (s) | peak memory (MB) | slope | 100 machines (s) |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name in wanted:
            work = WORKS[name]
            sizes = (*work.sizes, *(work.more if given.full else ()))
            table(name, [size for size in sizes if size <= given.largest], Path(folder))


if __name__ == "__main__":
    main()
