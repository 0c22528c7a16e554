"""Many tasks at a time: joblib's meaning of n_jobs, and whatever backend its context names."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest

import pyexpr as px
from pyexpr.base.checks import kernel_threads
from pyexpr.base.elsewhere import plain
from pyexpr.base.errors import DataError, FactorModelError, PyexprError
from pyexpr.base.jobs import available_processors, checked_jobs, in_processes, results_in_order
from pyexpr.base.processes import task_threads, threads_of_children
from pyexpr.inference.bootstrap import draws

# Threads of this process stand for the workers of a cluster: the way there is the same.
WORKERS = {"backend": "threading", "n_jobs": 2}


class OddError(Exception):
    def __init__(self, frame: int, *, row: int) -> None:
        super().__init__(f"frame {frame} of row {row}")
        # No other process can be sent this, whatever tblib (of distributed) knows of exceptions.
        self.lock = threading.Lock()


def task(number: int, kind: str = "") -> tuple[int, str, int, int]:
    if kind == "model":
        raise FactorModelError("'c' is constant", reason="constant_indicator")
    if kind == "odd":
        raise OddError(3, row=4)
    return number, threading.current_thread().name, kernel_threads(None), checked_jobs(-1)


def test_n_jobs_has_the_meaning_of_joblib() -> None:
    n = available_processors()
    assert [checked_jobs(given) for given in (None, 1, 3, -1, -2, -99)] == [
        1, 1, 3, n, max(n - 1, 1), 1,
    ]  # fmt: skip
    with joblib.parallel_config(**WORKERS):
        assert [checked_jobs(given) for given in (None, 5)] == [2, 5]
    with joblib.parallel_config(n_jobs=3):
        assert [checked_jobs(given) for given in (None, 1)] == [3, 1]
    for wrong in (0, 1.0, True, "2"):
        with pytest.raises(DataError, match="n_jobs= must be None or a whole number other than 0"):
            checked_jobs(wrong)  # type: ignore[arg-type]


def test_tasks_go_where_the_context_sends_them() -> None:
    tasks = [(number,) for number in range(5)]
    with joblib.parallel_config(**WORKERS):
        found = dict(in_processes(task, tasks, n_jobs=2, what="looks"))
        ordered = list(results_in_order(task, tasks, n_jobs=2))
    here = threading.current_thread().name
    for one in (*found.values(), *ordered):
        # With one thread of kernels each, and no further tasks.
        assert one[1] != here
        assert one[2:] == (1, 1)
    assert sorted(found) == [found[number][0] for number in sorted(found)] == [*range(5)]
    assert [one[0] for one in ordered] == [*range(5)]
    assert kernel_threads(None) == 0
    assert [one[1] for one in results_in_order(task, tasks, n_jobs=1)] == [here] * 5


def test_a_backend_that_gives_results_back_only_together() -> None:
    # Ray's and Spark's are so; joblib refuses to give their results back one by one.
    class Together(joblib.parallel.ThreadingBackend):  # type: ignore[misc]
        supports_return_generator = False

    done: list[int] = []

    def note(number: int) -> int:
        done.append(number)
        return number

    joblib.register_parallel_backend("together", Together)
    tasks = [(number,) for number in range(20)]
    with joblib.parallel_config("together", n_jobs=2):
        following = results_in_order(note, tasks, n_jobs=2)
        assert next(following) == 0
        # Some results are seen before all tasks are done.
        assert 0 < len(done) < 20
        assert [*following] == list(range(1, 20))
        with pytest.raises(FactorModelError, match="'c' is constant"):
            dict(in_processes(task, [(0, "model")], n_jobs=2, what="looks"))


def test_an_error_elsewhere_is_the_one_of_here() -> None:
    with joblib.parallel_config(**WORKERS):
        with pytest.raises(FactorModelError, match=r"^'c' is constant$") as caught:
            list(in_processes(task, [(0, "model"), (1,)], n_jobs=2, what="fits"))
        assert caught.value.reason == "constant_indicator"
        assert "in task" in str(caught.value.__cause__)
        with pytest.raises(PyexprError, match=r"^OddError: frame 3 of row 4$"):
            list(in_processes(task, [(0, "odd"), (1,)], n_jobs=2, what="fits"))
        # In the order of the tasks, whichever ends first.
        with pytest.raises(FactorModelError):
            list(results_in_order(task, [(0,), (1, "model"), (2, "odd")], n_jobs=3))


def test_a_task_uses_its_share_of_the_cores() -> None:
    with task_threads(3):
        assert kernel_threads(None) == 3
        assert kernel_threads(2) == 2
        with task_threads(1):
            assert kernel_threads(None) == 1
        assert checked_jobs(4) == 1
    assert kernel_threads(None) == 0
    assert checked_jobs(4) == 4


TABLE = pd.DataFrame({"subject": np.repeat(np.arange(20), 5), "y": np.arange(100.0) % 17})


def test_replicates_of_a_function_do_not_depend_on_the_number_of_processes() -> None:
    def mean(rows: pd.DataFrame, weights: np.ndarray) -> float:
        return float(np.average(rows["y"], weights=weights))

    options = {"cluster": "subject", "n_boot": 23, "first_replicate": 7, "seed": 3}
    alone = px.cluster_bootstrap(TABLE, mean, **options)
    with joblib.parallel_config(**WORKERS):
        together = px.cluster_bootstrap(TABLE, mean, **options)
        assert together.extend(9).replicates.tobytes() == alone.extend(9).replicates.tobytes()
    assert together.replicates.tobytes() == alone.replicates.tobytes()
    assert px.join([together]).n_boot == 23


def test_ctrl_c_keeps_the_replicates_before_the_first_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    def mean(rows: pd.DataFrame, weights: np.ndarray) -> float:
        return float(np.average(rows["y"], weights=weights))

    def interrupted(function: Any, tasks: Any, **_: Any) -> Iterator[tuple[int, Any]]:
        for number in (1, 0, 3):
            yield number, function(*plain(tasks[number]))
        raise KeyboardInterrupt

    options = {"cluster": "subject", "seed": 3, "n_jobs": 2}
    alone = px.cluster_bootstrap(TABLE, mean, n_boot=16, **options | {"n_jobs": 1})
    monkeypatch.setattr(draws, "in_processes", interrupted)
    with pytest.raises(px.errors.Interrupted, match=r"after 4 of 16 replicates") as caught:
        px.cluster_bootstrap(TABLE, mean, n_boot=16, **options)
    monkeypatch.undo()
    kept = caught.value.result
    assert kept.replicates.tobytes() == alone.replicates[:4].tobytes()


def test_children_have_their_share_of_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "7")
    with threads_of_children(3):
        assert os.environ["OMP_NUM_THREADS"] == "3"
        assert os.environ["MKL_NUM_THREADS"] == "7"
    assert "OMP_NUM_THREADS" not in os.environ
    assert os.environ["MKL_NUM_THREADS"] == "7"
