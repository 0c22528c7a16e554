"""Workers as jobs of a queue (Slurm, PBS and others), which dask-jobqueue submits.

The one place that imports dask-jobqueue.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Any

from pyexpr.base.errors import ClusterError
from pyexpr.base.messages import say


@dataclass(frozen=True, slots=True)
class Queue:
    """A queueing system: the class of dask-jobqueue, its command, and its term for the account."""

    cluster: str
    command: str
    account: str


#: The queueing systems by name.
QUEUES = {
    "slurm": Queue("SLURMCluster", "sbatch", "account"),
    "pbs": Queue("PBSCluster", "qsub", "account"),
    "sge": Queue("SGECluster", "qsub", "project"),
    "lsf": Queue("LSFCluster", "bsub", "project"),
    "oar": Queue("OARCluster", "oarsub", "project"),
    "moab": Queue("MoabCluster", "msub", "account"),
}


@dataclass(frozen=True, slots=True)
class Site:
    """What a job of the queue requests; None is the setting of dask-jobqueue's own files.

    Attributes
    ----------
    queue, account : str, optional
    cores : int, optional
        Of each job.
    processes : int, optional
        Python processes of each job, which share its cores and memory; by default one per core.
    memory : str, optional
        Of each job, such as "32 GB".
    walltime : str, optional
        Of each job, such as "02:00:00".
    jobs : int
        How many jobs are submitted.
    directives : tuple of str
        Further options of the queueing system: "--gres=gpu:1" is "#SBATCH --gres=gpu:1".
    setup : tuple of str
        Lines of shell before the workers start: "module load python".
    python : str, optional
        The Python of the workers; by default this one.
    interface : str, optional
        Network interface of scheduler and workers, such as "ib0".
    local_directory : str, optional
        Fast local disk of a node.
    log_directory : str, optional
        Where the output of jobs is written.
    """

    queue: str | None = None
    account: str | None = None
    cores: int | None = None
    processes: int | None = None
    memory: str | None = None
    walltime: str | None = None
    jobs: int = 1
    directives: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    python: str | None = None
    interface: str | None = None
    local_directory: str | None = None
    log_directory: str | None = None


def queue_cluster(system: str, site: Site, *, submits: bool = True) -> Any:
    """Return a cluster of dask-jobqueue without any job yet; `job_script()` is what it submits.

    Raises
    ------
    ClusterError
        If dask-jobqueue is not installed, this computer has no command of the queueing system
        (unless it `submits` nothing), or it is not specified how much a job needs.
    """
    try:
        import dask
        import dask_jobqueue
    except ImportError as error:
        raise not_installed(error) from None
    kind = QUEUES[system]
    if submits and shutil.which(kind.command) is None:
        raise ClusterError(
            say(
                "{system} has no command {command!r} on this computer; run it where jobs are "
                "submitted, such as a login node",
                system=system,
                command=kind.command,
            )
        )
    settings = f"jobqueue.{system}"
    for name in ("cores", "memory"):
        if getattr(site, name) is None and dask.config.get(f"{settings}.{name}", None) is None:
            raise ClusterError(
                say(
                    "how many cores and how much memory a job of {system} has is not known; give "
                    "cores and memory in a file of the site (TOML), or in dask-jobqueue's settings",
                    system=system,
                )
            )
    given = {
        "queue": site.queue,
        kind.account: site.account,
        "cores": site.cores,
        "processes": site.processes or site.cores,
        "memory": site.memory,
        "walltime": site.walltime,
        "job_extra_directives": list(site.directives) or None,
        "job_script_prologue": list(site.setup) or None,
        "python": site.python,
        "interface": site.interface,
        "local_directory": site.local_directory,
        "log_directory": site.log_directory,
        "job_name": "pyexpr",
    }
    try:
        # Without a dashboard, whose port another user of the login node may have.
        return getattr(dask_jobqueue, kind.cluster)(
            **{name: value for name, value in given.items() if value is not None},
            scheduler_options={"dashboard": False, "dashboard_address": ":0"},
        )
    except ValueError as error:
        raise ClusterError(
            say("dask-jobqueue refuses the site: {why}", why=" ".join(str(error).split()))
        ) from None


def not_installed(error: ImportError) -> ClusterError:
    """Return the error that a package of the extra `cluster` is missing."""
    return ClusterError(
        say(
            "a cluster needs {package}, which is not installed: pip install "
            "'pyexpr-stats[cluster]'",
            package=error.name or "dask",
        )
    )
