"""The connection to the workers of a cluster: made when it is needed, checked, and closed."""

from __future__ import annotations

import logging
import os
import platform
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from pyexpr.base.elsewhere import Software, expect_threads, other_software, software
from pyexpr.base.errors import ClusterError, counted
from pyexpr.base.job_queue import QUEUES, Site, not_installed, queue_cluster
from pyexpr.base.messages import say
from pyexpr.base.visible import visible

# Seconds: for a scheduler to answer, for its first worker, and between two looks at the workers.
_TO_ANSWER, _TO_HAVE_WORKERS, _GLANCE = 15.0, 60.0, 1.0
# Number of paths, in different folders, that each worker checks.
_PATHS = 20


@dataclass(frozen=True, slots=True)
class Place:
    """Where tasks are done.

    Attributes
    ----------
    backend : str
        "local" (this computer), "dask" (a scheduler that runs), or one of `QUEUES`.
    address : str, optional
        Address of Dask's scheduler, or path of the file in which it has written it (.json).
    site : Site
        What a job of a queue requests.
    """

    backend: str = "local"
    address: str | None = None
    site: Site = field(default_factory=Site)


class Workers:
    """The workers of a place: connected to once, when tasks are first sent, and then released.

    Parameters
    ----------
    place : callable
        Returns the place when it is first needed.
    """

    def __init__(self, place: Callable[[], Place]) -> None:
        self._place = place
        self._holders = 0
        self._opened: ExitStack | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the connection, once there is one, until the outermost of such blocks ends."""
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1
            if self._holders == 0 and self._opened is not None:
                opened, self._opened = self._opened, None
                opened.close()

    def connect(
        self, paths: Callable[[], Iterable[str | os.PathLike[str]]], *, show: bool | None
    ) -> None:
        """Send tasks to the workers from now on; nothing is done if the place is this computer.

        Parameters
        ----------
        paths : callable
            Returns the files and folders that the workers must find.
        show : bool, optional
            Whether to print what the workers do, as `progress` elsewhere.

        Raises
        ------
        ClusterError
            If the workers cannot be reached, have other software, or do not find the files.
        """
        if self._opened is not None:
            return
        place = self._place()
        if place.backend == "local":
            return
        with ExitStack() as opening:
            _open(place, opening, paths, sys.stderr.isatty() if show is None else show)
            self._opened = opening.pop_all()


@contextmanager
def on_workers(
    place: Place, paths: Iterable[str | os.PathLike[str]] = (), *, show: bool | None = None
) -> Iterator[None]:
    """Do the tasks of this block at a place; see `Workers.connect`."""
    workers = Workers(lambda: place)
    with workers.held():
        workers.connect(lambda: paths, show=show)
        yield


def _open(
    place: Place,
    opening: ExitStack,
    paths: Callable[[], Iterable[str | os.PathLike[str]]],
    show: bool,
) -> None:
    try:
        import joblib
        from distributed import Client
    except ImportError as error:
        raise not_installed(error) from None
    opening.enter_context(_only_sentences())
    tell = _told if show else _untold
    name = place.backend
    if place.backend == "dask":
        name, given = f"the scheduler {place.address!r}", _scheduler(str(place.address))
    else:
        given = {"address": _of_queue(place, opening)}
        tell(f"{name}: {counted(place.site.jobs, 'job')} requested")
    try:
        client = Client(**given, timeout=_TO_ANSWER, set_as_default=False)
    except (OSError, ValueError, TimeoutError, ImportError) as error:
        raise ClusterError(
            say(
                "{name} does not answer ({why}); start it, or correct its address",
                name=name,
                why=" ".join(str(error).split()) or type(error).__name__,
            )
        ) from None
    opening.callback(_let_go, client)
    _await_worker(client, place, name, tell)
    _check_workers(client, [os.fspath(path) for path in _of_folders(paths())])
    if place.backend in QUEUES:
        expect_threads(client, place.site.jobs * (place.site.cores or 1))
    opening.enter_context(_followed(client, name, tell))
    opening.enter_context(joblib.parallel_config("dask", client=client))


def _scheduler(address: str) -> dict[str, Any]:
    """Return the name of a running scheduler: its address, or the file with the address."""
    if not address.endswith(".json"):
        return {"address": address}
    if not os.path.isfile(address):
        raise ClusterError(say("there is no file {path:label} of a Dask scheduler", path=address))
    return {"scheduler_file": address}


def _of_queue(place: Place, opening: ExitStack) -> Any:
    """Submit the jobs of a place; they end with the connection."""
    cluster = queue_cluster(place.backend, place.site)
    opening.callback(_end_jobs, cluster)
    cluster.scale(jobs=place.site.jobs)
    return cluster


def _end_jobs(cluster: Any) -> None:
    with suppress(Exception):
        cluster.close(timeout=_TO_ANSWER)


def _let_go(client: Any) -> None:
    with suppress(Exception):
        client.close(timeout=1)


@contextmanager
def _only_sentences() -> Iterator[None]:
    """Hide Dask's logs of lost connections, and its warnings on versions, from the terminal."""
    loggers = [
        logging.getLogger(name) for name in ("distributed", "tornado.application", "asyncio")
    ]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"distributed|dask|tornado")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _await_worker(client: Any, place: Place, name: str, tell: Callable[[str], None]) -> None:
    """Wait for the first worker; for a queue, which may take hours, until Ctrl-C is pressed."""
    begun, said = time.monotonic(), False
    while not client.nthreads():
        if place.backend == "dask" and time.monotonic() - begun > _TO_HAVE_WORKERS:
            raise ClusterError(
                say("{name} has no workers; start some, and run it again", name=name)
            )
        if place.backend in QUEUES:
            _refuse_failed_jobs(client.cluster, name)
        if not said:
            tell(f"{name}: waiting for the first worker")
            said = True
        time.sleep(min(0.1, _GLANCE))


def _refuse_failed_jobs(cluster: Any, name: str) -> None:
    """Raise an error if no job was accepted, which dask-jobqueue only logs."""
    # A job is here once it was submitted, whether the queueing system has given it a number or not.
    jobs = list(cluster.workers.values())
    if jobs and all(job.job_id is None for job in jobs):
        from distributed.core import Status

        for job in jobs:
            # Otherwise closing the cluster fails with an assertion of Dask's.
            job.status = Status.failed
        command = QUEUES[name].command
        raise ClusterError(
            say(
                "{name} has not accepted any job; submit one by {command!r} to see why, and "
                "correct the file of the site",
                name=name,
                command=command,
            )
        )


@dataclass(frozen=True, slots=True)
class _Seen:
    """A worker's software, and the paths that it does not find."""

    node: str
    software: Software
    absent: tuple[str, ...]


def _look(paths: list[str]) -> _Seen:
    absent = tuple(path for path in paths if not os.path.exists(path))
    return _Seen(platform.node(), software(), absent)


def _check_workers(client: Any, paths: list[str]) -> None:
    """Raise an error, before any work, if workers have other software or do not find the files."""
    numbers = client.get_versions(packages=["pyexpr-stats"])["workers"].values()
    mine = dict(software().versions)
    for worker in numbers:
        theirs = worker["packages"]
        node = str(worker["host"].get("node", "a worker"))
        python = ".".join(str(worker["host"]["python"]).split(".")[:2])
        if python != mine["python"]:
            raise other_software(node, f"Python {python} instead of {mine['python']}")
        if theirs.get("pyexpr-stats") is None:
            raise other_software(node, "no pyexpr")
    for address, found in client.run(_look, paths, on_error="return").items():
        if isinstance(found, Exception):
            raise ClusterError(
                say(
                    "the worker {address} cannot run pyexpr: {why}",
                    address=address,
                    why=" ".join(f"{type(found).__name__}: {found}".split()),
                )
            )
        difference = software().difference(found.software)
        if difference:
            raise other_software(found.node, difference)
        if found.absent:
            raise ClusterError(
                say(
                    "the worker on {node!r} does not find {path:label}; all computers must find "
                    "the files under the same absolute path, such as that of a shared disk",
                    node=found.node,
                    path=found.absent[0],
                )
            )


def _of_folders(paths: Iterable[str | os.PathLike[str]]) -> list[str | os.PathLike[str]]:
    """Return the first path of each folder, for a few folders."""
    first: dict[str, str | os.PathLike[str]] = {}
    for path in paths:
        first.setdefault(os.path.dirname(path), path)
        if len(first) == _PATHS:
            break
    return list(first.values())


@contextmanager
def _followed(client: Any, name: str, tell: Callable[[str], None]) -> Iterator[None]:
    """Report how many workers there are, and when some come or are lost."""
    over = threading.Event()
    there = client.nthreads()
    tell(f"{name}: {counted(len(there), 'worker')}, {counted(sum(there.values()), 'thread')}")

    def follow() -> None:
        before = set(there)
        while not over.wait(_GLANCE):
            try:
                now = set(client.nthreads()) if client.status == "running" else before
            except Exception:
                # The task that waits for an answer says what has happened.
                return
            lost, come = before - now, now - before
            if lost:
                tell(
                    f"{name}: {counted(len(lost), 'worker', 'was', 'were')} lost, whose tasks are "
                    f"done again; {len(now)} left"
                )
            if come:
                tell(f"{name}: {counted(len(now), 'worker')}")
            before = now

    follower = threading.Thread(target=follow, daemon=True)
    if tell is not _untold:
        follower.start()
    try:
        yield
    finally:
        over.set()
        if follower.is_alive():
            follower.join(timeout=_GLANCE)


def _told(line: str) -> None:
    print(visible(line), file=sys.stderr)


def _untold(line: str) -> None:
    pass
