"""Pieces of a simulation, several at a time: in processes of this machine, or on a cluster.

A backend of ``joblib.parallel_config`` does them where the caller has chosen one; its workers need
this folder on their path, and the folder of the pieces on a shared disk.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from pyexpr.base.jobs import checked_jobs, in_processes

Piece = tuple[Callable[..., Any], tuple[Any, ...]]


def do(pieces: Sequence[Piece], n_jobs: int, *, every: int = 25) -> None:
    """Do the pieces, each a function of a module here and its arguments; say how far it is."""
    start = time.perf_counter()
    os.environ["OMP_NUM_THREADS"] = "1"
    tasks = [(_module(function), function.__name__, given) for function, given in pieces]
    jobs = checked_jobs(n_jobs)
    found = in_processes(_one, tasks, n_jobs=jobs, what="simulates studies")
    for done, _ in enumerate(found, 1):
        if done % every == 0 or done == len(tasks):
            elapsed = time.perf_counter() - start
            print(f"{done} of {len(tasks)} pieces, {elapsed:.0f} s", file=sys.stderr, flush=True)


def _module(function: Callable[..., Any]) -> str:
    """Return the module of a function; that of a script has another name than its file."""
    if function.__module__ != "__main__":
        return function.__module__
    return Path(str(sys.modules["__main__"].__file__)).stem


def _one(module: str, name: str, given: tuple[Any, ...]) -> None:
    folder = str(Path(__file__).parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    getattr(import_module(module), name)(*given)
