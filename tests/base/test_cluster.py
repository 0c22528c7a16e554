"""The same call on a cluster: a Dask scheduler and two workers, in processes of this machine."""

from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

import dask
import joblib
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster

import pyexpr as px

TABLE = pd.DataFrame({"subject": np.repeat(np.arange(20), 5), "y": np.arange(100.0) % 17})
OPTIONS: dict[str, Any] = {"cluster": "subject", "n_boot": 24, "seed": 2}
# A busy machine is slow, and not gone.
PATIENT = {
    "distributed.comm.timeouts.connect": "300s",
    "distributed.comm.timeouts.tcp": "300s",
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
}


def recording(path: Path, speed: float) -> str:
    rows = [f"{k + 1},{k / 25:.2f},0.98,1,{speed * k % 17:.1f},0,500\n" for k in range(60)]
    header = "frame,timestamp,confidence,success,pose_Tx,pose_Ty,pose_Tz\n"
    path.write_text(header + "".join(rows))
    return str(path)


def test_the_same_call_runs_on_a_cluster(tmp_path: Path) -> None:
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
    with (
        dask.config.set(PATIENT),
        LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster),
        joblib.parallel_config("dask"),
    ):  # fmt: skip
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
            cluster.close()

        ending = threading.Thread(target=end_the_scheduler)
        ending.start()
        with pytest.raises(
            px.errors.PyexprError, match=r"^the workers that joblib's context sends"
        ):
            px.cluster_bootstrap(TABLE, slow, n_jobs=-1, **OPTIONS)
        ending.join()
    once = px.extract_features(files, every=1.0)
    pd.testing.assert_frame_equal(features.table, once.table, check_exact=True)
    assert features.hashes == once.hashes
