"""Where a study's tasks are done: the section of its file, the file of a site, and `--cluster`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyexpr.base import cluster
from pyexpr.base.cluster import Place, Workers
from pyexpr.base.errors import ClusterError, StudyError
from pyexpr.base.job_queue import QUEUES, Site, queue_cluster
from pyexpr.study.file.compute_section import compute_section, place_named, read_site
from pyexpr.study.file.config import StudyConfig, read_config
from pyexpr.study.stages.order import options_of, stages_of

BUILT_IN = '[clips]\nschedule = "bp4d_plus"\n'
SITE = """
system = "slurm"
queue = "short"
account = "faces"
cores = 8
memory = "32 GB"
walltime = "02:00:00"
jobs = 5
directives = ["--gres=gpu:1", "--nice"]
setup = ["module load python", "source ~/faces/bin/activate"]
python = "python3.12"
local_directory = "/scratch/faces"
"""


def read(tmp_path: Path, text: str) -> StudyConfig:
    path = tmp_path / "study.toml"
    path.write_text(f"{BUILT_IN}[compute]\n{text}", encoding="utf-8")
    return read_config(path)


def test_the_section(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(SITE)
    found = read(tmp_path, 'backend = "dask"\naddress = "tcp://node:8786"\nn_jobs = 4\n')
    assert found.compute.place(tmp_path) == Place("dask", "tcp://node:8786")
    assert found.compute.n_jobs == 4
    queued = read(tmp_path, 'backend = "slurm"\nsite = "site.toml"\n').compute.place(tmp_path)
    assert (queued.backend, queued.site.jobs, queued.site.setup[0]) == (
        "slurm", 5, "module load python",
    )  # fmt: skip
    # What the call says takes the place of what the file says.
    here = found.computed_on("local", None).compute
    assert (here.place(tmp_path), here.n_jobs) == (Place(), 4)
    assert found.computed_on(None, 2).compute.n_jobs == 2


def test_no_stage_depends_on_where_it_is_computed(tmp_path: Path) -> None:
    config = read(tmp_path, 'backend = "dask"\naddress = "tcp://node:8786"\n')
    for stage in stages_of(config):
        assert "compute" not in options_of(config, stage)


def test_a_scheduler_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_TO_ANSWER", 0.2)
    workers = Workers(lambda: Place("dask", "tcp://127.0.0.1:9"))
    with pytest.raises(ClusterError, match=r"the scheduler 'tcp://127\.0\.0\.1:9' does not answer"):
        workers.connect(list, show=False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('backend = "spark"', r"compute.backend must be 'local', 'dask', .*, not 'spark'"),
        ('backend = "dask"', r'compute: backend = "dask" requires the address of the scheduler'),
        ('address = "tcp://a:1"', r'compute: address requires backend = "dask"'),
        ('backend = "dask"\naddress = "node"', 'compute.address: the address of a Dask scheduler'),
        ('site = "site.toml"', "compute: site requires a backend with a queue: 'slurm', 'pbs'"),
        ("n_jobs = 0", "compute.n_jobs: a whole number other than 0 is required"),
        ("jobs = 2", r"\[compute\] has no entry 'jobs'; did you mean 'n_jobs'"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_section(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        read(tmp_path, text + "\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("core = 8", r"site.toml': the file has no entry 'core'; did you mean 'cores'"),
        ("cores = 0", "cores must be at least 1, not 0"),
        ('memory = "32"', 'memory: a size with its unit is required, such as "32 GB"'),
        ('walltime = "2h"', "walltime: hours, minutes and seconds are required"),
        ('directives = "--nice"', "directives must be a list, not '--nice'"),
        ('setup = ["a\\nb"]', "setup: one line of text is required"),
        ("cores = 2\nprocesses = 4", "processes must not be more than cores"),
        ("cores 8", "is not a TOML file"),
    ],
)
def test_what_is_wrong_in_the_file_of_a_site(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "site.toml"
    path.write_text(text)
    with pytest.raises(StudyError, match=message):
        read_site(path)


def test_what_cluster_names(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(SITE)
    assert place_named(None) == place_named("local") == Place()
    assert place_named("tls://node:1") == Place("dask", "tls://node:1")
    assert place_named("/shared/dask.json") == Place("dask", "/shared/dask.json")
    assert place_named(str(path)).site.cores == 8
    assert compute_section("pbs", -1)["backend"] == "pbs"
    for wrong, message in (
        ("slrm", "there is no cluster 'slrm'; name the address of a Dask scheduler"),
        ("no.toml", "cannot read the file of the site '.*no.toml': No such file"),
    ):
        with pytest.raises(StudyError, match=message):
            place_named(wrong)
    workers = Workers(lambda: place_named("/none/dask.json"))
    with pytest.raises(ClusterError, match=r"there is no file '/none/dask\.json' of a Dask"):
        workers.connect(list, show=False)


def test_the_job_script_has_what_the_site_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "site.toml"
    path.write_text(SITE)
    system, site = read_site(path)
    jobs = queue_cluster(system, site, submits=False)
    try:
        script = jobs.job_script()
    finally:
        jobs.close()
    for line in (
        "#SBATCH -p short", "#SBATCH -A faces", "#SBATCH --cpus-per-task=8", "#SBATCH --mem=30G",
        "#SBATCH -t 02:00:00", "#SBATCH --gres=gpu:1", "#SBATCH --nice", "module load python",
        "source ~/faces/bin/activate",
    ):  # fmt: skip
        assert line in script.splitlines()
    (command,) = [line for line in script.splitlines() if "dask_worker" in line]
    assert command.startswith("python3.12 -m distributed.cli.dask_worker tcp://")
    for words in ("--nthreads 1 ", "--nworkers 8", "--local-directory /scratch/faces"):
        assert words in command
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match="slurm has no command 'sbatch' on this computer"):
        queue_cluster(system, site)


def test_a_queue_that_accepts_no_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sbatch").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    workers = Workers(lambda: Place("slurm", site=Site(cores=1, memory="1 GB")))
    with pytest.raises(
        ClusterError, match="slurm has not accepted any job; submit one by 'sbatch'"
    ):
        workers.connect(list, show=False)


@pytest.mark.parametrize("system", [*QUEUES])
def test_what_a_job_needs_is_reported(system: str) -> None:
    with pytest.raises(ClusterError, match=f"how many cores and .* of {system} has is not known"):
        queue_cluster(system, Site(), submits=False)


def test_dask_jobqueue_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    modules: Any = __import__("sys").modules
    monkeypatch.setitem(modules, "dask_jobqueue", None)
    with pytest.raises(ClusterError, match=r"needs dask_jobqueue.*pyexpr-stats\[cluster\]"):
        queue_cluster("slurm", Site(cores=1, memory="1 GB"), submits=False)
