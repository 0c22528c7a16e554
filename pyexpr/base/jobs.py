"""Many tasks at a time: in processes or threads of this machine, or on a cluster.

`n_jobs` has joblib's meaning, and a backend that the user has chosen by ``joblib.parallel_config``
does the tasks (`pyexpr.base.elsewhere`): Dask, Ray, Spark, threads. Without one, or with joblib's
own default (loky), they are done by `pyexpr.base.processes`: its processes remove their temporary
files when they are interrupted and end with this one, while loky's are killed, or stay behind.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, TypeVar

from pyexpr.base.checks import is_whole, kernel_threads_by_default
from pyexpr.base.elsewhere import (
    Outcome,
    Sent,
    Shared,
    chosen_backend,
    outcomes,
    plain,
    sent_elsewhere,
    tasks_at_a_time,
)
from pyexpr.base.errors import DataError
from pyexpr.base.messages import say
from pyexpr.base.processes import in_pool, within_task

__all__ = [
    "Sent", "Shared", "available_processors", "checked_jobs", "in_processes", "results_in_order",
    "sent_elsewhere",
]  # fmt: skip

T = TypeVar("T")


def available_processors() -> int:
    """Return how many processors this process may use."""
    available = getattr(os, "sched_getaffinity", None)
    return len(available(0)) if available else os.cpu_count() or 1


def checked_jobs(n_jobs: int | None) -> int:
    """Return how many tasks are done at a time, by joblib's meaning of `n_jobs`.

    None is 1, or the number that ``joblib.parallel_config`` names; -1 is one per processor, or per
    thread of a cluster's workers; -2 is one fewer. Within a task it is always 1.

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
    if joblib is not None and chosen_backend() is not None:
        return tasks_at_a_time(n_jobs)
    if joblib is not None and n_jobs is None:
        return int(joblib.effective_n_jobs(n_jobs))
    n = 1 if n_jobs is None else int(n_jobs)
    return n if n > 0 else max(available_processors() + 1 + n, 1)


def in_processes(
    function: Callable[..., T], tasks: Sequence[tuple[Any, ...]], *, n_jobs: int, what: str
) -> Generator[tuple[int, T]]:
    """Yield (number of the task, result) as results come; the first error ends it.

    Parameters
    ----------
    function : callable
        Importable by its name; called with the elements of a task.
    tasks : sequence of tuple
        What all of them have in common is given as `Shared`.
    n_jobs : int
        Tasks at a time, of `checked_jobs`; with 1, or a single task, the work is done here.
    what : str
        What a process does, for the error if one is ended from outside: "reads videos".
    """
    if sent_elsewhere():
        with closing(outcomes(function, tasks, n_jobs)) as found:
            for number, outcome in found:
                yield number, outcome.found()
    # A daemonic process (a worker of multiprocessing's Pool, or of Dask) may have no children.
    elif n_jobs == 1 or len(tasks) < 2 or multiprocessing.current_process().daemon:
        for number, task in enumerate(tasks):
            yield number, function(*plain(task))
    else:
        n_jobs = min(n_jobs, len(tasks))
        threads = max(available_processors() // n_jobs, 1)
        given = [plain(task) for task in tasks]
        yield from in_pool(function, given, n_jobs=n_jobs, threads=threads, what=what)


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
        with closing(outcomes(function, tasks, n_jobs)) as found:
            for number, outcome in found:
                early[number] = outcome
                while following in early:
                    yield early.pop(following).found()
                    following += 1
    elif n_jobs == 1 or len(tasks) < 2:
        for task in tasks:
            yield function(*plain(task))
    else:
        threads = max(available_processors() // n_jobs, 1)

        def one(task: tuple[Any, ...]) -> T:
            with kernel_threads_by_default(threads):
                return function(*plain(task))

        pool = ThreadPoolExecutor(min(n_jobs, len(tasks)))
        try:
            yield from pool.map(one, tasks)
        finally:
            pool.shutdown(cancel_futures=True)
