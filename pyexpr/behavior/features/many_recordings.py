"""Many recordings: several at a time, in order, and none again whose rows are stored.

Files are read by the kernel without Python's lock, so a large recording is read in a thread. Of a
small one the clips take longer than the file, in Python, of which one thread runs at a time: many
small recordings are therefore computed in processes, several with each task.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import islice
from typing import TypeVar

from pyexpr.base.errors import DataError
from pyexpr.base.jobs import available_processors, in_processes, results_in_order, sent_elsewhere
from pyexpr.base.processes import Pool, open_pool
from pyexpr.behavior.features.one_recording import extracted
from pyexpr.behavior.features.recording_rows import Job, Rows
from pyexpr.behavior.features.row_store import RowStore, current_store, unusable

T = TypeVar("T")

# Jobs that wait at a time: a hundred thousand take memory of their own.
_WAITING = 1024
# From so many recordings of so many bytes on average, starting processes costs less than it saves.
_MANY, _SMALL = 256, 16 << 20
# Recordings of a task, whose way to a process and back is then nothing beside the work.
_TOGETHER = 8
# Of a batch, so many files are asked for their size.
_ASKED = 64


def rows_of_jobs(jobs: Iterable[Job], n_jobs: int) -> Iterator[Rows]:
    """Yield the rows of every file in order.

    The first error ends it. With a store (`rows_stored`) the others are computed and stored first.
    """
    waiting, store = iter(jobs), current_store()
    errors: list[DataError] = []
    n = 0
    with _Workers(n_jobs) as workers:
        while batch := list(islice(waiting, _WAITING)):
            n += len(batch)
            for found in workers.rows(batch, store):
                if isinstance(found, Rows):
                    yield found
                elif store is None:
                    raise found
                else:
                    errors.append(found)
    if errors:
        assert store is not None
        raise unusable(errors, n, store) from errors[0]


class _Workers(ExitStack):
    """Whatever computes the rows of recordings: threads, processes, or a cluster."""

    def __init__(self, n_jobs: int) -> None:
        super().__init__()
        self._n_jobs = n_jobs
        self._pool: Pool | None = None

    def rows(self, batch: Sequence[Job], store: RowStore | None) -> Iterator[Rows | DataError]:
        """Yield the rows of each file in order, or why it cannot be used."""
        elsewhere = sent_elsewhere()
        if not elsewhere and not (self._pool or self._in_processes(batch)):
            tasks = [(job, store) for job in batch]
            yield from results_in_order(_found_or_extracted, tasks, n_jobs=self._n_jobs)
            return
        # Workers on other machines need not see the folder of the store.
        found = [None if store is None else _or_error(store.find, job) for job in batch]
        to_do = [number for number, rows in enumerate(found) if rows is None]
        jobs = [batch[number] for number in to_do]
        arriving = self._elsewhere(jobs) if elsewhere else self._by_pool(jobs)
        with closing(arriving):
            for number in range(len(batch)):
                # What comes before its turn is stored all the same.
                while (rows := found[number]) is None:
                    place, now = next(arriving)
                    at = to_do[place]
                    found[at] = now
                    if store is not None and isinstance(now, Rows):
                        store.keep(batch[at], now)
                found[number] = None
                yield rows

    def _in_processes(self, batch: Sequence[Job]) -> bool:
        """Return whether processes are worth starting for files of this machine."""
        if self._n_jobs < 2 or len(batch) < _MANY or multiprocessing.current_process().daemon:
            return False
        # Parts of one file are read together, once.
        if any(job.reading.get("part") is not None for job in batch):
            return False
        asked = batch[:: max(len(batch) // _ASKED, 1)]
        try:
            size = sum(os.path.getsize(job.path) for job in asked)
        except (OSError, ValueError):
            # On a network, or not there.
            return False
        return size < _SMALL * len(asked)

    def _elsewhere(self, jobs: Sequence[Job]) -> Generator[tuple[int, Rows | DataError]]:
        tasks = [(job,) for job in jobs]
        return in_processes(_extracted, tasks, n_jobs=self._n_jobs, what="reads recordings")

    def _by_pool(self, jobs: Sequence[Job]) -> Generator[tuple[int, Rows | DataError]]:
        if not jobs:
            return
        if self._pool is None:
            threads = max(available_processors() // self._n_jobs, 1)
            self._pool = self.enter_context(
                open_pool(n_jobs=self._n_jobs, threads=threads, what="reads recordings")
            )
        n = max(min(_TOGETHER, len(jobs) // (2 * self._n_jobs)), 1)
        tasks = [(jobs[first : first + n],) for first in range(0, len(jobs), n)]
        for task, several in self._pool.results(_extracted_together, tasks):
            yield from enumerate(several, start=n * task)


def _found_or_extracted(job: Job, store: RowStore | None) -> Rows | DataError:
    """Return the rows of a file from the store; computed, and stored, if they are not there."""
    if store is None:
        return extracted(job)
    found = _or_error(store.find, job)
    if found is None:
        found = _extracted(job)
        if isinstance(found, Rows):
            store.keep(job, found)
    return found


def _extracted_together(jobs: Sequence[Job]) -> list[Rows | DataError]:
    return [_extracted(job) for job in jobs]


def _extracted(job: Job) -> Rows | DataError:
    return _or_error(extracted, job)


def _or_error(function: Callable[[Job], T], job: Job) -> T | DataError:
    try:
        return function(job)
    except DataError as error:
        return error
