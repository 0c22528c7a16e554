"""The same results on a cluster: a Dask scheduler and two workers, in processes of this machine.

`tools/cluster_demonstration.py` does it at full size.
"""

from __future__ import annotations

import os
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
from typer.testing import CliRunner

import pyexpr as px
from pyexpr.base import cluster as base_cluster
from pyexpr.base import elsewhere
from pyexpr.base.cluster import Place, Workers, on_workers
from pyexpr.base.csv_text import csv_text
from pyexpr.cli.main import app

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
from local_cluster import LocalCluster

TABLE = pd.DataFrame({"subject": np.repeat(np.arange(20), 5), "y": np.arange(100.0) % 17})
OPTIONS: dict[str, Any] = {"cluster": "subject", "n_boot": 24, "seed": 2}


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalCluster]:
    # A busy machine is slow, and not gone.
    monkeypatch.setattr(base_cluster, "_TO_ANSWER", 300.0)
    # Each takes seconds to import everything: one that is killed, and one that goes on.
    with LocalCluster(tmp_path / "cluster", workers=2) as found:
        yield found


def recording(path: Path, speed: float) -> str:
    rows = [f"{k + 1},{k / 25:.2f},0.98,1,{speed * k % 17:.1f},0,500\n" for k in range(60)]
    header = "frame,timestamp,confidence,success,pose_Tx,pose_Ty,pose_Tz\n"
    path.write_text(header + "".join(rows))
    return str(path)


def study_file(folder: Path) -> Path:
    """Write a study of 12 subjects with a table of features, cross-validated."""
    rng = np.random.default_rng(3)
    rows = pd.DataFrame(
        [(f"s{s:02d}", context, clip) for s in range(12) for context in "ab" for clip in (1, 2)],
        columns=["subject", "context", "clip"],
    )
    rows["smile"], rows["nod"] = rng.normal(size=(2, len(rows)))
    rows["joy"] = rows["smile"] + rng.normal(size=len(rows))
    folder.mkdir()
    rows.to_csv(folder / "features.csv", index=False)
    file = folder / "study.toml"
    file.write_text(
        'data.features = "features.csv"\nlabel.method = "column"\nlabel.column = "joy"\n'
        'evaluation.scheme = "cross_validation"\nevaluation.folds = 3\ncompare.n_boot = 60\n'
        "coefficients.n_boot = 20\nmodels.elastic_net = {alpha = [0.1], l1_ratio = [0.5]}\n"
        'models.ridge.estimator = "sklearn.linear_model.Ridge"\n'
    )
    return file


def test_results_are_those_of_one_process(
    tmp_path: Path, cluster: LocalCluster, capfd: pytest.CaptureFixture[str]
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

    place = Place("dask", str(cluster.scheduler_file))
    file = study_file(tmp_path / "study")
    files = [recording(tmp_path / f"s{k}.csv", 1.0 + k) for k in range(3)]
    alone = px.cluster_bootstrap(TABLE, mean, **OPTIONS)
    study = px.Study.from_file(file, cluster=str(cluster.scheduler_file))
    with on_workers(place, files, show=True):
        features = px.extract_features(files, every=1.0)
        study.models()
        arguments = [*files, "--every", "1", "--cluster", place.address, "-q"]
        done = CliRunner().invoke(app, ["features", *arguments, "-o", str(tmp_path / "f.csv")])
        assert done.exit_code == 0, done.output
        found = px.cluster_bootstrap(TABLE, deadly, n_jobs=-1, **OPTIONS)
        # A worker was killed in its task, and nobody notices.
        assert os.path.exists(flag)
        assert found.replicates.tobytes() == alone.replicates.tobytes()
        with pytest.raises(px.errors.FactorModelError, match=r"^no model$") as caught:
            px.cluster_bootstrap(TABLE, wrong, n_jobs=-1, **OPTIONS)
        assert caught.value.reason == "not_converged"
        assert "in wrong" in str(caught.value.__cause__)
    assert ": 2 workers, 2 threads\n" in capfd.readouterr().err
    # The same stage under the same key, byte for byte: a run here takes it as it is.
    stored = tmp_path / "study" / "results" / "stages" / "models.zip"
    elsewhere_made = stored.read_bytes()
    local = px.Study.from_file(file, output=tmp_path / "local")
    local.models()
    assert (tmp_path / "local" / "stages" / "models.zip").read_bytes() == elsewhere_made
    again = px.Study.from_file(file)
    again.models()
    assert again.reused == ["label", "features", "models"]

    workers = Workers(lambda: place)
    with workers.held():
        absent = pytest.raises(px.errors.ClusterError, match=r"does not find '/none/s1\.csv'; all")
        with absent:
            workers.connect(lambda: ["/none/s1.csv"], show=False)
    # What joblib's own context names is used in the same way.
    from distributed import Client

    os.remove(flag)
    client = Client(scheduler_file=str(cluster.scheduler_file), timeout="300s")
    try:
        with joblib.parallel_config("dask", client=client):

            def end_the_scheduler() -> None:
                while not os.path.exists(flag):
                    time.sleep(0.02)
                cluster.scheduler.kill()

            threading.Thread(target=end_the_scheduler, daemon=True).start()
            with pytest.raises(px.errors.ClusterError, match=r"not answer any more \(.+\); conn"):
                px.cluster_bootstrap(TABLE, slow, n_jobs=-1, **OPTIONS)
    finally:
        client.close(timeout=1)
    once = px.extract_features(files, every=1.0)
    assert (tmp_path / "f.csv").read_text("utf-8") == csv_text(once.tidy())
    pd.testing.assert_frame_equal(features.table, once.table, check_exact=True)
    assert features.hashes == once.hashes


def test_other_software_is_refused_where_the_task_runs() -> None:
    mine = elsewhere.software()
    numbers = dict(mine.versions)
    assert set(numbers) >= {"python", "pyexpr-stats", "numpy", "scipy"}
    assert mine.difference(mine) == ""
    other = elsewhere.Software(tuple((numbers | {"numpy": "1.0"}).items()), mine.code)
    sender = elsewhere.Process("another", 1, other)
    _, outcome = elsewhere._elsewhere(0, sender, len, [1])
    with pytest.raises(px.errors.ClusterError, match=r"has numpy .+ instead of 1\.0, so its res"):
        outcome.found()
    recompiled = elsewhere.Software(mine.versions, "0")
    assert recompiled.difference(mine) == "other files of the same version of pyexpr"
