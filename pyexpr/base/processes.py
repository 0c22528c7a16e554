"""Work in processes of its own: spawned, ended by an interrupt, each result as it comes."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from types import ModuleType
from typing import Any, TypeVar

from pyexpr.base.checks import whole_number
from pyexpr.base.errors import PyexprError

T = TypeVar("T")


def available_processors() -> int:
    """Return how many processors this process may use."""
    available = getattr(os, "sched_getaffinity", None)
    return len(available(0)) if available else os.cpu_count() or 1


def checked_processes(n_jobs: int | None) -> int:
    """Return `n_jobs`, or for None one per processor; `DataError` unless it is at least 1."""
    if n_jobs is None:
        return available_processors()
    return whole_number(n_jobs, argument="n_jobs", least=1)


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
        Processes; with 1, or a single task, the work is done in this one.
    what : str
        What a process does, for the error if one is ended from outside: "reads videos".
    """
    if n_jobs == 1 or len(tasks) < 2:
        for number, task in enumerate(tasks):
            yield number, function(*task)
        return
    # Spawned, because R or threads may already run in this process.
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(
            min(n_jobs, len(tasks)), mp_context=context, initializer=_leave_interrupts
        ) as pool:
            with main_hidden():
                numbers = {
                    pool.submit(_sendable, function, *task): i for i, task in enumerate(tasks)
                }
            try:
                for future in as_completed(numbers):
                    yield numbers[future], future.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    except BrokenProcessPool:
        raise PyexprError(
            f"a process that {what} was ended from outside (out of memory?); "
            "run it again to go on, with n_jobs=1 if need be"
        ) from None


def _sendable(function: Callable[..., T], *task: Any) -> T:
    """Call the function; an error that cannot be sent to the parent keeps its sentence."""
    try:
        return function(*task)
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            # As it is it would end the pool, and the parent would blame the system.
            raise PyexprError(f"{type(error).__name__}: {error}") from None
        raise


def _leave_interrupts() -> None:
    """Let Ctrl-C reach the parent alone, which ends the others without their tracebacks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def main_hidden() -> Iterator[None]:
    """Keep new processes from running the user's script again.

    A spawned process imports the main module, which in a script without
    ``if __name__ == "__main__":`` would start everything anew. Ours need
    nothing from it.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
