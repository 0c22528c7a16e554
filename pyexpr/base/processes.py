"""Work in child processes: spawned, ended by an interrupt, with results as they arrive."""

from __future__ import annotations

import _thread
import multiprocessing
import os
import pickle
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Any, TypeVar

from pyexpr.base.checks import kernel_threads_by_default
from pyexpr.base.errors import PyexprError
from pyexpr.base.messages import say

T = TypeVar("T")

# The first Python that closes a broken pool's queue.
_PYTHON_LETS_GO = (3, 11, 5)
# Seconds that a process has to leave its task and to remove its temporary files.
_PATIENCE = 1.0
# In a process: whether it has a task, which may have temporary files.
_at_work = threading.Event()


# Of this thread: whether it is at a task.
_task = threading.local()
# What the libraries of numbers read when they are loaded.
_OF_LIBRARIES = (
    "BLIS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip
# By what torchrun and Slurm tell a process that it is one of several; see `pyexpr.base.launch`.
_OF_LAUNCHERS = re.compile(
    r"(LOCAL_|GROUP_|ROLE_)?(RANK|WORLD_SIZE)|MASTER_(ADDR|PORT)|(ROLE_NAME|TORCHELASTIC_.*)"
    r"|SLURM_(STEP_NUM_TASKS|STEP_TASKS_PER_NODE|NTASKS|NPROCS|PROCID|LOCALID)"
)


def within_task() -> bool:
    """Return whether this is a task among others, which starts no further ones."""
    return getattr(_task, "within", False)


@contextmanager
def task_threads(threads: int, *, of_libraries: bool = False) -> Iterator[None]:
    """Run a task with this number of threads for kernels that are given no number.

    `of_libraries` limits those of BLAS and OpenMP too, for good: not in the user's process.
    """
    if of_libraries:
        from threadpoolctl import threadpool_limits

        threadpool_limits(limits=threads)
    before, _task.within = within_task(), True
    try:
        with kernel_threads_by_default(threads):
            yield
    finally:
        _task.within = before


def in_pool(
    function: Callable[..., T],
    tasks: Sequence[tuple[Any, ...]],
    *,
    n_jobs: int,
    threads: int,
    what: str,
) -> Iterator[tuple[int, T]]:
    """Yield (number of the task, result) as results come; the first error ends it.

    Parameters
    ----------
    function, tasks, what
        As for `pyexpr.base.jobs.in_processes`.
    n_jobs, threads : int
        As for `open_pool`.
    """
    with open_pool(n_jobs=n_jobs, threads=threads, what=what) as pool:
        yield from pool.results(function, tasks)


@dataclass(frozen=True, slots=True)
class Pool:
    """Processes that wait for tasks."""

    _executor: ProcessPoolExecutor
    _threads: int

    def results(
        self, function: Callable[..., T], tasks: Iterable[tuple[Any, ...]]
    ) -> Iterator[tuple[int, T]]:
        """Yield (number of the task, result) as results come; an error must end the pool."""
        with (
            main_hidden(), interrupts_blocked(), launch_hidden(),
            threads_of_children(self._threads),
        ):  # fmt: skip
            numbers = {
                self._executor.submit(_sendable, self._threads, function, *task): i
                for i, task in enumerate(tasks)
            }
        for future in as_completed(numbers):
            # What was yielded is not kept.
            yield numbers.pop(future), future.result()


@contextmanager
def open_pool(*, n_jobs: int, threads: int, what: str) -> Iterator[Pool]:
    """Give processes for as long as this is open; an error, or Ctrl-C, ends what is at work.

    Parameters
    ----------
    n_jobs : int
        Processes, which are started with the first task.
    threads : int
        Of libraries and kernels in each process, where nothing else says how many.
    what : str
        As for `pyexpr.base.jobs.in_processes`.
    """
    # Spawned, because R or threads may already run in this process.
    context = multiprocessing.get_context("spawn")
    theirs, ours = context.Pipe(duplex=False)
    try:
        with ProcessPoolExecutor(
            n_jobs,
            mp_context=context,
            initializer=_begin,
            initargs=(theirs,),
        ) as executor:
            try:
                yield Pool(executor, threads)
            except BaseException as error:
                if not isinstance(error, Exception):
                    # Ctrl-C, or nobody wants the rest: what is at work does not end its task.
                    ours.close()
                _abandon_task(executor)
                executor.shutdown(cancel_futures=True)
                raise
    except BrokenProcessPool:
        raise PyexprError(
            say(
                "a process that {what} was ended from outside (out of memory?); run it "
                "again to go on, with {n_jobs=1} if need be",
                what=what,
            )
        ) from None
    finally:
        ours.close()
        theirs.close()


def _abandon_task(pool: ProcessPoolExecutor) -> None:
    """Let the pool end although a task is being written that no process will read.

    A task that is longer than a pipe takes is written as it is read. If the processes are gone,
    the thread that writes waits for ever, as this process could read, too; up to Python 3.11.4
    the pool waits with it (https://github.com/python/cpython/issues/94777). Later ones close
    the end that could be read by themselves, and may not be helped.
    """
    if tuple(sys.version_info[:3]) < _PYTHON_LETS_GO:
        queue: Any = pool._call_queue  # type: ignore[attr-defined]
        queue._reader.close()


def _sendable(threads: int, function: Callable[..., T], *task: Any) -> T:
    """Call the function; an error that cannot be sent to the parent keeps its sentence."""
    try:
        _at_work.set()
        try:
            with task_threads(threads):
                return function(*task)
        finally:
            _at_work.clear()
    except SystemExit:
        # Told to end: temporary files are gone by now. The pool would go on with the next task.
        os._exit(1)
    except Exception as error:
        known = sendable(error)
        if known is not error:
            raise known from None
        raise


def sendable(error: Exception) -> Exception:
    """Return an error in a form that can be sent to another process, with its sentence."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        # As it is it would end the pool, and the parent would blame the system.
        return PyexprError(f"{type(error).__name__}: {error}")
    return error


def _begin(parent: Connection) -> None:
    """Let Ctrl-C reach only the parent; end when the parent closes the pipe, or has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end)
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: Connection) -> None:
    with suppress(EOFError, OSError):
        parent.recv_bytes()
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
    else:
        _thread.interrupt_main(signal.SIGTERM)
    time.sleep(_PATIENCE)
    # The main thread may be in compiled code, where Python handles no signal.
    os._exit(1)


def _end(*_: object) -> None:
    # Once a process has ended the pool ends the others, too: one that is cleaning up goes on.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if not _at_work.is_set():
        # Nothing to clean up, and the pool would print an exception of its beginning.
        os._exit(1)
    sys.exit(1)


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Start new processes in which Ctrl-C waits, as they inherit what is blocked here.

    A terminal sends Ctrl-C to all processes, and one that is still importing would print a
    traceback. With the signal blocked, it is delivered at the end.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def threads_of_children(threads: int) -> Iterator[None]:
    """Start new processes whose libraries use this number of threads, unless the user set one."""
    unset = [name for name in _OF_LIBRARIES if name not in os.environ]
    os.environ.update(dict.fromkeys(unset, str(threads)))
    try:
        yield
    finally:
        for name in unset:
            os.environ.pop(name, None)


@contextmanager
def launch_hidden() -> Iterator[None]:
    """Start new processes that do not know of the launch of this one by torchrun or Slurm.

    A process that does a task is not the one of that rank: what it computes with, such as an
    estimator of the user's that trains by torch, would wait for the others.
    """
    hidden = {name: value for name, value in os.environ.items() if _OF_LAUNCHERS.fullmatch(name)}
    for name in hidden:
        os.environ.pop(name, None)
    try:
        yield
    finally:
        os.environ.update(hidden)


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
