"""Many tasks at a time: in processes or threads of this machine, or on a cluster.

`n_jobs` has joblib's meaning, and a backend that the user has chosen by ``joblib.parallel_config``
does the tasks: Dask, Ray, Spark, threads. Without one, or with joblib's own default (loky), they
are done by `pyexpr.base.processes`: its processes remove their temporary files when they are
interrupted and end with this one, while loky's are killed, or stay behind.
"""

from __future__ import annotations

import _thread
import multiprocessing
import os
import platform
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pyexpr.base.checks import is_whole
from pyexpr.base.errors import DataError, PyexprError
from pyexpr.base.messages import say
from pyexpr.base.processes import in_pool, sendable, task_threads, within_task

T = TypeVar("T")

# Seconds between two looks at the connection to a scheduler, and for how long it may be lost.
_GLANCE, _PATIENCE = 0.2, 10.0


@dataclass(frozen=True, slots=True)
class Sent:
    """Data for another process: functions and estimators that a script or notebook may define."""

    value: Any

    def __reduce__(self) -> Any:
        from joblib import wrap_non_picklable_objects

        return Sent, (wrap_non_picklable_objects(self.value, keep_wrapper=False),)


def available_processors() -> int:
    """Return how many processors this process may use."""
    available = getattr(os, "sched_getaffinity", None)
    return len(available(0)) if available else os.cpu_count() or 1


def checked_jobs(n_jobs: int | None) -> int:
    """Return how many tasks are done at a time, by joblib's meaning of `n_jobs`.

    None is 1, or the number that ``joblib.parallel_config`` names; -1 is one per processor, or per
    thread of a cluster's workers; -2 is one fewer. Within a task it is 1, whatever is asked for.

    Raises
    ------
    DataError
        If it is neither None nor a whole number other than 0.
    """
    if n_jobs is not None and (not is_whole(n_jobs) or n_jobs == 0):
        raise DataError(
            say(
                "{n_jobs=} must be {value None} or a whole number other than 0, as in joblib, not "
                "{given!r}",
                given=n_jobs,
            )
        )
    if within_task():
        return 1
    # Without joblib there is no context; importing it takes longer than some calls.
    joblib = sys.modules.get("joblib")
    if joblib is not None and (n_jobs is None or _chosen() is not None):
        return int(joblib.effective_n_jobs(n_jobs))
    n = 1 if n_jobs is None else int(n_jobs)
    return n if n > 0 else max(available_processors() + 1 + n, 1)


def sent_elsewhere() -> bool:
    """Return whether joblib's context sends tasks to other workers, be there many or one."""
    return _chosen() is not None and not within_task()


def in_processes(
    function: Callable[..., T], tasks: Sequence[tuple[Any, ...]], *, n_jobs: int, what: str
) -> Iterator[tuple[int, T]]:
    """Yield (number of the task, result) as results come; the first error ends it.

    Parameters
    ----------
    function : callable
        Importable by its name; called with the elements of a task.
    tasks : sequence of tuple
    n_jobs : int
        Tasks at a time, of `checked_jobs`; with 1, or a single task, the work is done here.
    what : str
        What a process does, for the error if one is ended from outside: "reads videos".
    """
    if sent_elsewhere():
        with closing(_by_joblib(function, tasks, n_jobs)) as outcomes:
            for number, outcome in outcomes:
                yield number, outcome.found()
    # A daemonic process (a worker of multiprocessing's Pool, or of Dask) may have no children.
    elif n_jobs == 1 or len(tasks) < 2 or multiprocessing.current_process().daemon:
        for number, task in enumerate(tasks):
            yield number, function(*task)
    else:
        n_jobs = min(n_jobs, len(tasks))
        threads = max(available_processors() // n_jobs, 1)
        yield from in_pool(function, tasks, n_jobs=n_jobs, threads=threads, what=what)


def results_in_order(
    function: Callable[..., T], tasks: Sequence[tuple[Any, ...]], *, n_jobs: int
) -> Iterator[T]:
    """Yield the results in the order of the tasks; the first error, in this order, ends it.

    As `in_processes`, but in threads, for functions that work without the interpreter's lock, as
    reading files and kernels do: starting processes costs more than most of them take.
    """
    if sent_elsewhere():
        early: dict[int, Outcome[T]] = {}
        following = 0
        with closing(_by_joblib(function, tasks, n_jobs)) as outcomes:
            for number, outcome in outcomes:
                early[number] = outcome
                while following in early:
                    yield early.pop(following).found()
                    following += 1
    elif n_jobs == 1 or len(tasks) < 2:
        for task in tasks:
            yield function(*task)
    else:
        pool = ThreadPoolExecutor(min(n_jobs, len(tasks)))
        try:
            yield from pool.map(lambda task: function(*task), tasks)
        finally:
            pool.shutdown(cancel_futures=True)


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What a task elsewhere gave: a value, or an error with the lines where it was raised.

    The error comes as a value, so that any other is one of the cluster.
    """

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


def _chosen() -> Any:
    """Return joblib's backend if the user has chosen one that is not of processes here."""
    parallel = sys.modules.get("joblib.parallel")
    if parallel is None:
        return None
    backend, _ = parallel.get_active_backend()
    own = tuple(parallel.BACKENDS[name] for name in ("loky", "sequential"))
    return None if isinstance(backend, own) else backend


def _by_joblib(
    function: Callable[..., T], tasks: Sequence[tuple[Any, ...]], n_jobs: int
) -> Generator[tuple[int, Outcome[T]]]:
    """Yield (number of the task, outcome) in any order, by the backend of joblib's context."""
    from joblib import Parallel, delayed

    # One task at a time: it is a recording, a fit or a range of replicates.
    parallel = Parallel(n_jobs=n_jobs, batch_size=1, return_as="generator_unordered")
    call = delayed(_elsewhere)
    here = _here()
    results: Any = parallel(call(number, function, task, here) for number, task in enumerate(tasks))
    try:
        with _watched(_chosen()):
            # Not `yield from`, which would close them where joblib's warning is heard.
            for found in results:  # noqa: UP028
                yield found
    except Exception as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise PyexprError(
            say(
                "the workers that joblib's context sends tasks to do not answer any more ({why}); "
                "connect to them again, and repeat the call",
                why=why,
            )
        ) from error
    finally:
        # That tasks are cancelled is what is wanted, and no reason for joblib's warning.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results.close()


@contextmanager
def _watched(backend: Any) -> Iterator[None]:
    """End the work within if Dask's scheduler is gone, for whose results joblib waits for ever."""
    client = getattr(backend, "client", None)
    if client is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    over, gone = threading.Event(), threading.Event()

    def watch() -> None:
        silent = 0.0
        while not over.wait(_GLANCE):
            silent = 0.0 if client.status == "running" else silent + _GLANCE
            if silent > _PATIENCE:
                gone.set()
                _thread.interrupt_main()
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    except KeyboardInterrupt:
        if not gone.is_set():
            raise
        raise ConnectionError("the scheduler is gone") from None
    finally:
        over.set()
        watcher.join()


def _here() -> tuple[str, int]:
    return platform.node(), os.getpid()


def _elsewhere(
    number: int, function: Callable[..., T], task: tuple[Any, ...], parent: tuple[str, int]
) -> tuple[int, Outcome[T]]:
    """Do a task where joblib has sent it, with one thread."""
    with task_threads(1, of_libraries=_here() != parent):
        try:
            return number, Outcome(function(*task))
        except Exception as error:
            lines = "".join(traceback.format_exception(error))
            return number, Outcome(None, sendable(error), lines)
