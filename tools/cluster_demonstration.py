"""The same bytes on a cluster as in one process: recordings, replicates, a cross-validated study.

    python tools/cluster_demonstration.py [--recordings 60] [--replicates 2000] [--backend dask]

Starts a Dask scheduler and three workers as processes of this machine, and ends them. A worker is
killed while it works; a study of recordings is interrupted twice, as by Ctrl-C, and continued each
time; then the scheduler is killed. Last, workers are jobs of a program that stands for Slurm's
``sbatch`` and runs a job at once. With ``--backend ray`` recordings and replicates are computed by
Ray's workers instead (``pip install ray``), with ``--backend spark`` by Spark's (``pip install
pyspark joblibspark``, and Java).
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from local_cluster import LocalCluster

import pyexpr as px

_PYEXPR = [sys.executable, "-m", "pyexpr.cli.main"]


def main() -> None:
    """Do everything once here and once there, and say whether the bytes are the same."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=int, default=60)
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--backend", choices=("dask", "ray", "spark"), default="dask")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = [recording(Path(folder) / f"r{k:02d}.csv", k) for k in range(given.recordings)]
        here = results(files, given.replicates)
        if given.backend == "ray":
            on_ray(files, here, given.replicates)
            return
        if given.backend == "spark":
            on_spark(files, here, given.replicates)
            return
        study = study_file(Path(folder) / "study")
        of_study(study, "here")
        with LocalCluster(Path(folder) / "cluster") as cluster:
            on_dask(cluster, study, files, here, given.replicates)
        by_jobs(study)


def on_dask(
    cluster: LocalCluster, study: Path, files: list[str], here: dict[str, bytes], n: int
) -> None:
    """Compute on the cluster, then with a worker that is killed, then without a scheduler."""
    address = str(cluster.scheduler_file)
    with on_cluster(cluster):
        same("three workers", here, results(files, n))
    with on_cluster(cluster):
        same("a worker killed", here, results(files, n, during=kills(cluster.workers[0])))
    of_study(study, "there", "--cluster", address)
    same_files(study.parent, "there")
    print("study: stages, record and tables are the same bytes")
    interrupted(cluster, study.parent.parent / "recordings", files)
    features = study.parent / "lost" / "stages" / "features.zip"
    shown = of_study(
        study, "lost", "--cluster", address, stop=features.exists, kill=cluster.scheduler, status=1
    )
    kept = sorted(path.stem for path in (study.parent / "lost" / "stages").glob("*.zip"))
    print(f"scheduler gone: {shown.splitlines()[-1]}\n  kept: {', '.join(kept) or 'nothing'}")


def on_ray(files: list[str], here: dict[str, bytes], n: int) -> None:
    """Compute with three processes of Ray, which this function starts and ends."""
    # On a busy machine Ray's own processes do not start within the minute that it waits for them.
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "600")
    import ray
    from ray.util.joblib import register_ray

    ray.init(num_cpus=3, include_dashboard=False, object_store_memory=100 * 2**20,
             log_to_driver=False)  # fmt: skip
    try:
        register_ray()
        with joblib.parallel_config("ray", n_jobs=3):
            same("Ray", here, results(files, n))
    finally:
        ray.shutdown()


def on_spark(files: list[str], here: dict[str, bytes], n: int) -> None:
    """Compute with three threads of a Spark on this machine, each with a process of Python."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    from joblibspark import register_spark
    from pyspark.sql import SparkSession

    session = SparkSession.builder.master("local[3]").getOrCreate()
    try:
        register_spark()
        with joblib.parallel_config("spark", n_jobs=3):
            same("Spark", here, results(files, n))
    finally:
        session.stop()


def interrupted(cluster: LocalCluster, folder: Path, files: list[str]) -> None:
    """Interrupt a study on the cluster twice, as Ctrl-C does, and let it go on."""
    study = study_of_recordings(folder, files)
    of_study(study, "here")
    there = study.parent / "there" / "stages"
    recordings = there / "recordings"

    def stored() -> list[Path]:
        return sorted(recordings.glob("*.parquet"))

    moments: dict[str, Callable[[], bool]] = {
        "of recordings": lambda: len(stored()) >= len(files) // 6,
        "of models": lambda: (there / "features.zip").exists() and bool(at_work(cluster)),
    }
    first: dict[Path, int] = {}
    for stage, moment in moments.items():
        shown = of_study(
            study, "there", "--cluster", str(cluster.scheduler_file), stop=moment, status=130
        )
        print(f"Ctrl-C {stage}: {shown.splitlines()[-1]}")
        until(lambda: not at_work(cluster))
        first = first or {path: path.stat().st_mtime_ns for path in stored()}
        print(f"  {len(stored())} of {len(files)} recordings are stored; no task is left over")
    of_study(study, "there", "--cluster", str(cluster.scheduler_file))
    assert 0 < len(first) < len(files)
    assert all(path.stat().st_mtime_ns == written for path, written in first.items())
    same_files(study.parent, "there")
    print(f"  run again: the same bytes, and the first {len(first)} were not read again")


def at_work(cluster: LocalCluster) -> list[str]:
    """Return the tasks that the cluster has."""
    from distributed import Client

    with Client(scheduler_file=str(cluster.scheduler_file), timeout="300s") as client:
        return [task for tasks in client.processing().values() for task in tasks]


def until(true: Callable[[], bool]) -> None:
    """Wait until something is true, a minute at most."""
    begun = time.monotonic()
    while not true():
        assert time.monotonic() - begun < 60
        time.sleep(0.05)


def same_files(folder: Path, other: str) -> None:
    """Compare what a study wrote on the cluster with what it wrote here."""
    one = folder / "here"
    names = [f"stages/{path.name}" for path in (one / "stages").glob("*.zip")]
    for name in (*names, "record.json", "comparison.csv"):
        assert (one / name).read_bytes() == (folder / other / name).read_bytes(), name


def by_jobs(study: Path) -> None:
    """Run the study with workers that are jobs, of a program in the place of Slurm's."""
    programs = study.parent / "programs"
    programs.mkdir()
    for name, script in (
        ("sbatch", 'setsid bash "$1" > "$1.log" 2>&1 &\necho "Submitted batch job $!"'),
        ("scancel", 'kill -- "-$1"'),
    ):
        (programs / name).write_text(f"#!/bin/bash\n{script}\n")
        (programs / name).chmod(0o755)
    site = study.parent / "site.toml"
    site.write_text(f'cores = 1\nmemory = "1 GB"\njobs = 2\nlocal_directory = "{study.parent}"\n')
    os.environ["PATH"] = f"{programs}:{os.environ['PATH']}"
    of_study(study, "jobs", "--cluster", str(site))
    same_files(study.parent, "jobs")
    print("jobs of a stand-in for Slurm: stages, record and tables are the same bytes")


@contextmanager
def on_cluster(cluster: LocalCluster) -> Iterator[None]:
    """Send tasks to the cluster by joblib's context, as a user does."""
    from distributed import Client

    with (
        Client(scheduler_file=str(cluster.scheduler_file), timeout="300s") as client,
        joblib.parallel_config("dask", client=client),
    ):
        yield


def kills(process: subprocess.Popen[bytes]) -> Callable[[], None]:
    """Return what kills a process a moment after the work has begun."""

    def kill() -> None:
        time.sleep(0.5)
        process.kill()

    return kill


def results(
    files: list[str], n: int, *, during: Callable[[], None] | None = None
) -> dict[str, bytes]:
    """Return the bytes of features and of replicates of a Python statistic."""
    table = pd.DataFrame({"subject": np.repeat(np.arange(40), 25), "y": np.arange(1000.0) % 17})

    def mean(rows: pd.DataFrame, weights: Any) -> float:
        return float(np.average(rows["y"], weights=weights))

    helper = threading.Thread(target=during or (lambda: None), daemon=True)
    helper.start()
    begun = time.perf_counter()
    features = px.extract_features(files, every=3.0, progress=False)
    between = time.perf_counter()
    draws = px.cluster_bootstrap(
        table, mean, cluster="subject", n_boot=n, seed=1, n_jobs=-1, progress=False
    )
    helper.join()
    print(f"  {between - begun:.1f} s and {time.perf_counter() - between:.1f} s")
    return {
        "features": pd.util.hash_pandas_object(features.table).to_numpy().tobytes(),
        "replicates": draws.replicates.tobytes(),
    }


def same(where: str, here: dict[str, bytes], there: dict[str, bytes]) -> None:
    """Compare bytes."""
    for name, content in here.items():
        assert there[name] == content, f"{where}: {name}"
    print(f"{where}: {' and '.join(here)} are the same bytes")


def of_study(
    file: Path, output: str, *options: str, stop: Callable[[], bool] | None = None,
    kill: subprocess.Popen[bytes] | None = None, status: int = 0,
) -> str:  # fmt: skip
    """Run a study by the command line; return what it prints on standard error.

    Once `stop` is true, it is interrupted, or what it depends on is killed.
    """
    command = [*_PYEXPR, "run", str(file), "-o", str(file.parent / output), *options]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"NO_COLOR": "1"},
    )  # fmt: skip
    if stop is not None:
        while not stop() and process.poll() is None:
            time.sleep(0.02)
        if kill is None:
            process.send_signal(signal.SIGINT)
        else:
            kill.kill()
    shown = process.communicate()[1]
    assert process.returncode == status, shown
    return shown


def recording(path: Path, number: int) -> str:
    """Write a recording of 30 s at 25 frames a second with a head that moves."""
    rng = np.random.default_rng(number)
    place = rng.normal(size=(750, 6)).cumsum(axis=0) * 0.2
    header = "frame,timestamp,confidence,success,pose_Tx,pose_Ty,pose_Tz,pose_Rx,pose_Ry,pose_Rz"
    rows = [
        f"{k + 1},{k / 25:.2f},0.98,1," + ",".join(f"{value:.3f}" for value in place[k])
        for k in range(750)
    ]
    path.write_text("\n".join([header, *rows]) + "\n")
    return str(path)


def study_file(folder: Path) -> Path:
    """Write a study of 40 subjects with a table of features, cross-validated."""
    rng = np.random.default_rng(3)
    rows = pd.DataFrame(
        [(f"s{s:02d}", context, clip) for s in range(40) for context in "ab" for clip in (1, 2, 3)],
        columns=["subject", "context", "clip"],
    )
    for name in ("smile", "nod", "brow"):
        rows[name] = rng.normal(size=len(rows))
    rows["joy"] = rows["smile"] + rng.normal(size=len(rows))
    folder.mkdir()
    rows.to_csv(folder / "features.csv", index=False)
    file = folder / "study.toml"
    file.write_text(
        'data.features = "features.csv"\nlabel.method = "column"\nlabel.column = "joy"\n'
        'evaluation = {scheme = "cross_validation", folds = 3}\n'
        "models.elastic_net = {alpha = [0.01, 0.1], l1_ratio = [0.1, 0.5]}\n"
        '[models.forest]\nestimator = "sklearn.ensemble.RandomForestRegressor"\n'
        "params = {n_estimators = 5, random_state = 1}\n"
    )
    return file


def study_of_recordings(folder: Path, files: list[str]) -> Path:
    """Write a study of the recordings, two of a subject, with ratings of their ten clips."""
    folder.mkdir()
    named = [(f"s{k // 2:02d}", "ab"[k % 2], file) for k, file in enumerate(files)]
    columns = ["subject", "context", "openface"]
    pd.DataFrame(named, columns=columns).to_csv(folder / "recordings.csv", index=False)
    clips = range(10)
    rng = np.random.default_rng(4)
    pd.DataFrame(
        [(subject, context, clip + 1, "r", "joy", rng.integers(5))
         for subject, context, _ in named for clip in clips],
        columns=["subject", "context", "clip", "rater", "question", "score"],
    ).to_csv(folder / "ratings.csv", index=False)  # fmt: skip
    segments = [
        f'[[clips.segments]]\ncontext = "{context}"\nstart = {3 * clip}\nend = {3 * clip + 3}\n'
        for context in "ab" for clip in clips
    ]  # fmt: skip
    file = folder / "study.toml"
    file.write_text(
        'data = {recordings = "recordings.csv", ratings = "ratings.csv"}\nlabel.method = "mean"\n'
        'evaluation = {scheme = "cross_validation", folds = 3}\n'
        '[models.forest]\nestimator = "sklearn.ensemble.RandomForestRegressor"\n'
        "params = {n_estimators = 200, random_state = 1}\n" + "".join(segments)
    )
    return file


if __name__ == "__main__":
    main()
