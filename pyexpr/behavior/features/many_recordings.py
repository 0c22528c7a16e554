"""Many recordings: several at a time, in order, and none again whose rows are stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from pyexpr.base.errors import DataError
from pyexpr.base.jobs import results_in_order, sent_elsewhere
from pyexpr.behavior.features.one_recording import extracted
from pyexpr.behavior.features.recording_rows import Job, Rows
from pyexpr.behavior.features.row_store import RowStore, current_store, unusable

T = TypeVar("T")

# Jobs that wait at a time: a hundred thousand take memory of their own.
_WAITING = 1024


def rows_of_jobs(jobs: Iterable[Job], n_jobs: int) -> Iterator[Rows]:
    """Yield the rows of every file in order.

    The first error ends it. With a store (`rows_stored`) the others are computed and stored first.
    """
    waiting, store = iter(jobs), current_store()
    errors: list[DataError] = []
    n = 0
    while batch := list(islice(waiting, _WAITING)):
        n += len(batch)
        if store is None:
            yield from results_in_order(extracted, [(job,) for job in batch], n_jobs=n_jobs)
            continue
        for found in _through(store, batch, n_jobs):
            if isinstance(found, Rows):
                yield found
            else:
                errors.append(found)
    if errors:
        assert store is not None
        raise unusable(errors, n, store) from errors[0]


def _through(store: RowStore, batch: list[Job], n_jobs: int) -> Iterator[Rows | DataError]:
    """Yield what is stored of each file, or was computed and stored, or why it cannot be used."""
    if not sent_elsewhere():
        tasks = [(job, store) for job in batch]
        yield from results_in_order(_found_or_extracted_or_error, tasks, n_jobs=n_jobs)
        return
    # Workers on other machines need not see the folder.
    known = [_or_error(store.find, job) for job in batch]
    to_do = [(job,) for job, found in zip(batch, known, strict=True) if found is None]
    computed = results_in_order(_extracted_or_error, to_do, n_jobs=n_jobs)
    for job, found in zip(batch, known, strict=True):
        if found is None:
            found = next(computed)
            if isinstance(found, Rows):
                store.keep(job, found)
        yield found


def _found_or_extracted_or_error(job: Job, store: RowStore) -> Rows | DataError:
    """Return the rows of a file from the store; computed, and stored, if they are not there."""
    found = _or_error(store.find, job)
    if found is None:
        found = _extracted_or_error(job)
        if isinstance(found, Rows):
            store.keep(job, found)
    return found


def _extracted_or_error(job: Job) -> Rows | DataError:
    return _or_error(extracted, job)


def _or_error(function: Callable[[Job], T], job: Job) -> T | DataError:
    try:
        return function(job)
    except DataError as error:
        return error
