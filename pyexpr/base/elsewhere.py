"""Tasks on other computers, by the backend that joblib's context names or by Dask itself.

The value of a task comes back as an `Outcome`, so that an error of the task and one of the cluster
cannot be confused.
"""

from __future__ import annotations

import os
import platform
import sys
import traceback
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any, Generic, TypeVar
from uuid import uuid4
from weakref import WeakKeyDictionary

from pyexpr.base.errors import ClusterError
from pyexpr.base.messages import say
from pyexpr.base.processes import sendable, task_threads, within_task
from pyexpr.base.versions import code_fingerprint, versions

T = TypeVar("T")

# Number of tasks that a cluster has at a time: enough for workers that come later, and few enough
# that its scheduler need not hold the arguments of 100,000 recordings.
_AT_A_TIME = 1000
# Number of tasks per worker that are done before results are returned, if a backend allows nothing
# else: few enough that progress shows and Ctrl-C loses little.
_ROUNDS = 4
# Packages whose numbers may differ from one version to the next.
_COMPUTING = ("pandas", "scipy", "scikit-learn", "pyarrow")
# Threads that a cluster will have, if more workers have been requested than have come.
_requested: WeakKeyDictionary[Any, int] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Sent:
    """Data for another process: functions and estimators that a script or notebook may define."""

    value: Any

    def __reduce__(self) -> Any:
        from joblib import wrap_non_picklable_objects

        return Sent, (wrap_non_picklable_objects(self.value, keep_wrapper=False),)


@dataclass(frozen=True, slots=True)
class Shared:
    """An argument that all tasks have in common, such as a table: the function gets its value.

    Dask sends it once to each worker, not with every task. It is the result of a separate task, and
    is therefore not lost with a worker.
    """

    value: Any


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """The result of a task elsewhere: a value, or an error with the lines where it was raised."""

    value: T | None
    error: Exception | None = None
    raised_at: str = ""

    def found(self) -> T:
        """Return the value, or raise the error."""
        if self.error is not None:
            raise self.error from _ElsewhereError(self.raised_at)
        return self.value  # type: ignore[return-value]


class _ElsewhereError(Exception):
    """The traceback of another process, as the cause of its error."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


@dataclass(frozen=True, slots=True)
class Software:
    """The software of a process: versions by package, and a hash of the code of pyexpr."""

    versions: tuple[tuple[str, str], ...]
    code: str

    def difference(self, other: Software) -> str:
        """Return a phrase on how another computer's software differs from this one's, or ""."""
        mine, theirs = dict(self.versions), dict(other.versions)
        for name, number in mine.items():
            if theirs.get(name) != number:
                return f"{name} {theirs.get(name, 'is missing')} instead of {number}"
        return "" if self.code == other.code else "other files of the same version of pyexpr"


@cache
def software() -> Software:
    """Return the software of this process."""
    found = versions(*_COMPUTING)
    # Patch releases, such as 3.12.1 and 3.12.4, do not differ in the numbers.
    found["python"] = ".".join(found["python"].split(".")[:2])
    return Software(tuple(found.items()), code_fingerprint())


@dataclass(frozen=True, slots=True)
class Process:
    """A process: its computer, its number, its software."""

    node: str
    number: int
    software: Software

    @classmethod
    def this(cls) -> Process:
        """Return this process."""
        return cls(platform.node(), os.getpid(), software())

    def is_this(self) -> bool:
        """Return whether it is this process."""
        return (self.node, self.number) == (platform.node(), os.getpid())


def other_software(node: str, difference: str) -> ClusterError:
    """Return the error that a worker has other software than the process that sends tasks."""
    return ClusterError(
        say(
            "the worker on {node!r} has {difference}, so its results could differ; install the "
            "same versions on all computers",
            node=node,
            difference=difference,
        )
    )


def chosen_backend() -> Any:
    """Return joblib's backend if the user has chosen one that does not use processes here."""
    parallel = sys.modules.get("joblib.parallel")
    if parallel is None:
        return None
    backend, _ = parallel.get_active_backend()
    own = tuple(parallel.BACKENDS[name] for name in ("loky", "sequential"))
    return None if isinstance(backend, own) else backend


def sent_elsewhere() -> bool:
    """Return whether joblib's context sends tasks to other workers, even if there is only one."""
    return not within_task() and chosen_backend() is not None


def tasks_at_a_time(n_jobs: int | None) -> int:
    """Return how many tasks joblib's context runs at a time."""
    import joblib

    client = getattr(chosen_backend(), "client", None)
    if client is None:
        return int(joblib.effective_n_jobs(n_jobs))
    with _without_answer():
        there = sum(client.nthreads().values())
        return max(int(there), _requested.get(client, 0), 1)


def expect_threads(client: Any, threads: int) -> None:
    """Use a cluster as if it had so many threads already, because its workers come one by one."""
    _requested[client] = threads


def outcomes(
    function: Callable[..., T], tasks: Sequence[tuple[Any, ...]], n_jobs: int
) -> Generator[tuple[int, Outcome[T]]]:
    """Yield (number of the task, outcome) in any order, by the backend of joblib's context.

    Raises
    ------
    ClusterError
        If the workers no longer answer, or have other software.
    """
    client = getattr(chosen_backend(), "client", None)
    if client is None:
        yield from _by_joblib(function, tasks, n_jobs)
    else:
        yield from _by_dask(client, function, tasks)


def _by_joblib(
    function: Callable[..., T], tasks: Sequence[tuple[Any, ...]], n_jobs: int
) -> Generator[tuple[int, Outcome[T]]]:
    from joblib import Parallel, delayed

    call, sender = delayed(_elsewhere), Process.this()
    calls = (call(number, sender, function, *task) for number, task in enumerate(tasks))
    # One task at a time: it is a recording, a fit or a range of replicates.
    if not getattr(chosen_backend(), "supports_return_generator", False):
        # Ray and Spark give results back only once all tasks of a call are done.
        with _without_answer(), Parallel(n_jobs=n_jobs, batch_size=1) as parallel:
            while several := list(islice(calls, n_jobs * _ROUNDS)):
                yield from parallel(several)
        return
    results: Any = Parallel(n_jobs=n_jobs, batch_size=1, return_as="generator_unordered")(calls)
    try:
        with _without_answer():
            # Not `yield from`, which would close them where joblib's warning is not suppressed.
            for found in results:  # noqa: UP028
                yield found
    finally:
        # Cancelling the tasks is intended, and no reason for joblib's warning.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results.close()


def _by_dask(
    client: Any, function: Callable[..., T], tasks: Sequence[tuple[Any, ...]]
) -> Generator[tuple[int, Outcome[T]]]:
    """Yield outcomes of tasks that Dask's scheduler gives to its workers.

    joblib's own backend runs the tasks of a single worker in this process, waits for ever for a
    scheduler that has ended, leaves cancelled tasks to the cluster, and sends a table with each
    task.
    """
    from distributed import as_completed

    name, sender = f"{function.__name__.strip('_')}-{uuid4().hex[:12]}", Process.this()
    shared: dict[int, Any] = {}

    def argument(value: Any) -> Any:
        if not isinstance(value, Shared):
            return value
        if id(value) not in shared:
            key = f"shared-{len(shared)}-{name}"
            shared[id(value)] = client.submit(_given, value, key=key)
        return shared[id(value)]

    def submitted() -> Iterator[Any]:
        for number, task in enumerate(tasks):
            arguments = [argument(value) for value in task]
            yield client.submit(
                _elsewhere, number, sender, function, *arguments, key=f"{name}-{number}"
            )

    waiting, pending = submitted(), set[Any]()
    try:
        with _without_answer(), _large_tasks_allowed():
            completed = as_completed(raise_errors=False, with_results=True, loop=client.loop)
            for future in islice(waiting, _AT_A_TIME):
                pending.add(future)
                completed.add(future)
            for future, found in completed:
                pending.discard(future)
                if future.status != "finished":
                    raise _lost(future, found)
                for following in islice(waiting, 1):
                    pending.add(following)
                    completed.add(following)
                yield found
    finally:
        if client.status == "running":
            with suppress(Exception):
                client.cancel([*pending, *shared.values()], force=True)


def _lost(future: Any, found: Any) -> Exception:
    """Return why a task has no outcome, as an error."""
    error = found[1] if isinstance(found, tuple) and len(found) == 3 else found
    if type(error).__name__ == "KilledWorker":
        return ClusterError(
            "several workers in turn were ended by the same task, perhaps because it needs more "
            "memory than they have; give them more, or start fewer on each computer"
        )
    if isinstance(error, Exception) and future.status == "error":
        return error
    return ConnectionError("the scheduler is gone, or has cancelled the tasks")


@contextmanager
def _without_answer() -> Iterator[None]:
    """Turn any error of the cluster into one sentence; errors of tasks come as values."""
    try:
        yield
    except ClusterError:
        raise
    except Exception as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise ClusterError(
            say(
                "the workers do not answer any more ({why}); connect to them again, and repeat the "
                "call",
                why=why,
            )
        ) from error


@contextmanager
def _large_tasks_allowed() -> Iterator[None]:
    """Suppress Dask's warning of a large table as argument, which is sent once to each worker."""
    import dask

    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"}):
        yield


def _given(value: Any) -> Any:
    return value


def plain(task: Sequence[Any]) -> tuple[Any, ...]:
    """Return the arguments of a task in the form that the function gets."""
    return tuple(value.value if isinstance(value, Shared) else value for value in task)


def _elsewhere(
    number: int, sender: Process, function: Callable[..., T], *task: Any
) -> tuple[int, Outcome[T]]:
    """Run a task where it has been sent, with one thread."""
    here = sender.is_this()
    # Workers come and go during a call, so the software is checked where the work is done.
    difference = "" if here else sender.software.difference(software())
    if difference:
        return number, Outcome(None, other_software(platform.node(), difference))
    with task_threads(1, of_libraries=not here):
        try:
            return number, Outcome(function(*plain(task)))
        except Exception as error:
            lines = "".join(traceback.format_exception(error))
            return number, Outcome(None, sendable(error), lines)
