"""The same call on a cluster: a Dask scheduler and three workers, in processes of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from distributed import Client

import pyexpr as px

TABLE = pd.DataFrame({"subject": np.repeat(np.arange(20), 5), "y": np.arange(100.0) % 17})
OPTIONS: dict[str, Any] = {"cluster": "subject", "n_boot": 24, "seed": 2}
# A busy machine is slow, and not gone.
PATIENT = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "300s"}


def started(*arguments: str, scheduler_file: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "dask", *arguments, "--no-dashboard", "--scheduler-file",
         str(scheduler_file)],
        env=os.environ | PATIENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a scheduler and three workers: one is killed, and joblib does the tasks of one here."""
    file = tmp_path / "scheduler.json"
    here = ("--host", "127.0.0.1")
    processes = [started("scheduler", *here, "--port", "0", scheduler_file=file)]
    worker = ("worker", *here, "--nthreads", "1", "--no-nanny", "--local-directory", str(tmp_path))
    client = None
    try:
        while not file.exists():
            assert processes[0].poll() is None
            time.sleep(0.05)
        processes += [started(*worker, scheduler_file=file) for _ in range(3)]
        client = Client(scheduler_file=str(file), timeout="300s")
        client.wait_for_workers(3)
        yield processes[0]
    finally:
        if client is not None:
            client.close(timeout=1)
        for process in processes:
            process.kill()
            process.wait()


def recording(path: Path, speed: float) -> str:
    rows = [f"{k + 1},{k / 25:.2f},0.98,1,{speed * k % 17:.1f},0,500\n" for k in range(60)]
    header = "frame,timestamp,confidence,success,pose_Tx,pose_Ty,pose_Tz\n"
    path.write_text(header + "".join(rows))
    return str(path)


def test_the_same_call_runs_on_a_cluster(
    tmp_path: Path, scheduler: subprocess.Popen[bytes]
) -> None:
    here, flag = os.getpid(), str(tmp_path / "flag")

    def mean(rows: pd.DataFrame, weights: Any) -> float:
        return float(np.average(rows["y"], weights=weights))

    def deadly(rows: pd.DataFrame, weights: Any) -> float:
        import os
        import signal

        if os.getpid() != here and not os.path.exists(flag):
            with open(flag, "w"):
                os.kill(os.getpid(), signal.SIGKILL)
        return float(np.average(rows["y"], weights=weights))

    def wrong(rows: pd.DataFrame, weights: Any) -> float:
        import os

        if os.getpid() != here:
            raise px.errors.FactorModelError("no model", reason="not_converged")
        return 1.0

    def slow(rows: pd.DataFrame, weights: Any) -> float:
        import os
        import time

        if os.getpid() != here:
            with open(flag, "w"):
                time.sleep(600)
        return 1.0

    files = [recording(tmp_path / f"s{k}.csv", 1.0 + k) for k in range(3)]
    alone = px.cluster_bootstrap(TABLE, mean, **OPTIONS)
    with joblib.parallel_config("dask"):
        features = px.extract_features(files, every=1.0)
        found = px.cluster_bootstrap(TABLE, deadly, n_jobs=-1, **OPTIONS)
        # A worker was killed in its task, and nobody notices.
        assert os.path.exists(flag)
        assert found.replicates.tobytes() == alone.replicates.tobytes()
        with pytest.raises(px.errors.FactorModelError, match=r"^no model$") as caught:
            px.cluster_bootstrap(TABLE, wrong, n_jobs=-1, **OPTIONS)
        assert caught.value.reason == "not_converged"
        assert "in wrong" in str(caught.value.__cause__)
        os.remove(flag)

        def end_the_scheduler() -> None:
            while not os.path.exists(flag):
                time.sleep(0.02)
            scheduler.kill()

        threading.Thread(target=end_the_scheduler, daemon=True).start()
        with pytest.raises(px.errors.PyexprError, match=r"do not answer any more \(.+\); connect"):
            px.cluster_bootstrap(TABLE, slow, n_jobs=-1, **OPTIONS)
    once = px.extract_features(files, every=1.0)
    pd.testing.assert_frame_equal(features.table, once.table, check_exact=True)
    assert features.hashes == once.hashes
