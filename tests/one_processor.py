"""Keep each worker of a parallel test run, and what it starts, to one of the processors.

There are as many workers as processors, so a study that starts a process for each of them, or a
BLAS that starts a thread for each, only makes all of them wait. Tests of several processes or
threads ask for them by name. This is imported before what counts the processors.
"""

from __future__ import annotations

import os


def keep_to_one(worker: str) -> None:
    if worker and hasattr(os, "sched_setaffinity"):
        there = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {there[int(worker.removeprefix("gw")) % len(there)]})


keep_to_one(os.environ.get("PYTEST_XDIST_WORKER", ""))
