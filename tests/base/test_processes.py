"""Processes of our own: what they say arrives, and an interrupt ends them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyexpr.base.errors import FactorModelError, PyexprError
from pyexpr.base.jobs import in_processes
from pyexpr.base.launch import launched

WORK = """
import os, time
from pathlib import Path
from pyexpr.base.errors import FactorModelError
from pyexpr.base.files import whole_file

class Odd(Exception):
    def __init__(self, frame, *, row):
        super().__init__(f"frame {frame} of row {row}")

def fail(kind):
    if kind == "odd":
        raise Odd(3, row=4)
    if kind == "model":
        raise FactorModelError("'c' is constant", reason="constant_indicator")
    if kind == "gone":
        os._exit(3)
    return kind

def large(kind, data):
    return fail(kind)

def launch(number):
    from concurrent.futures import ThreadPoolExecutor
    from pyexpr.base.launch import launched
    # A thread of the user's does not know of the task.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(launched).result(), [n for n in NAMES if n in os.environ]

NAMES = "RANK WORLD_SIZE LOCAL_RANK MASTER_ADDR MASTER_PORT TORCHELASTIC_RUN_ID SLURM_PROCID"
NAMES = NAMES.split() + ["SLURM_STEP_NUM_TASKS"]

def blocked():
    import signal
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])

def write(path):
    with whole_file(path) as part:
        part.write_text("half")
        Path(f"{path}.begun").touch()
        time.sleep(600)

def tidy_up(path):
    try:
        Path(f"{path}.begun").touch()
        time.sleep(600)
    finally:
        if path.endswith("0"):
            time.sleep(0.3)
        Path(f"{path}.tidy").touch()
"""


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    (tmp_path / "work_of_processes.py").write_text(WORK)
    monkeypatch.syspath_prepend(str(tmp_path))
    import work_of_processes  # type: ignore[import-not-found]

    return work_of_processes


@pytest.fixture
def listening() -> Iterator[None]:
    # SIGINT is ignored in the children of a background job; here it must interrupt.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_errors_keep_class_sentence_and_attributes(work) -> None:
    with pytest.raises(FactorModelError, match="'c' is constant") as caught:
        list(in_processes(work.fail, [("model",), ("fine",)], n_jobs=2, what="fits"))
    assert caught.value.reason == "constant_indicator"


def test_an_error_that_cannot_be_sent_keeps_its_sentence(work) -> None:
    with pytest.raises(PyexprError, match=r"^Odd: frame 3 of row 4$"):
        list(in_processes(work.fail, [("odd",), ("fine",)], n_jobs=2, what="fits"))


def test_a_process_ended_from_outside_is_reported(work) -> None:
    with pytest.raises(PyexprError, match=r"a process that fits was ended from outside"):
        list(in_processes(work.fail, [("gone",), ("fine",)], n_jobs=2, what="fits"))


@pytest.mark.parametrize("kind", ["gone", "fine"])
def test_tasks_longer_than_a_pipe_takes_do_not_keep_the_pool(work, kind: str) -> None:
    """Up to Python 3.11.4 the pool waited for ever for what nobody would read."""
    tasks = [(kind, bytes(2**20))] * 12
    results = in_processes(work.large, tasks, n_jobs=2, what="fits")
    if kind == "gone":
        with pytest.raises(PyexprError, match="was ended from outside"):
            next(results)
    else:
        assert next(results)[1] == "fine"
        results.close()  # type: ignore[attr-defined]


def left_by_ctrl_c(function: Callable[[str], None], folder: Path) -> list[str]:
    """Press Ctrl-C once two of four tasks of ten minutes have begun."""
    folder.mkdir()
    tasks = [(str(folder / f"{i}"),) for i in range(4)]

    def press() -> None:
        while len(list(folder.glob("*.begun"))) < 2:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(in_processes(function, tasks, n_jobs=2, what="writes"))
    assert time.monotonic() - begun < 300
    return sorted(path.name for path in folder.iterdir())


def test_an_interrupt_ends_the_tasks_at_work_and_leaves_no_part(
    work, tmp_path: Path, listening: None
) -> None:
    assert left_by_ctrl_c(work.write, tmp_path / "results") == ["0.begun", "1.begun"]


def test_what_is_cleaning_up_goes_on_when_another_process_has_ended(
    work, tmp_path: Path, listening: None
) -> None:
    left = left_by_ctrl_c(work.tidy_up, tmp_path / "results")
    assert left == ["0.begun", "0.tidy", "1.begun", "1.tidy"]


def test_new_processes_do_not_receive_a_ctrl_c_while_they_begin(work) -> None:
    found = dict(in_processes(work.blocked, [(), ()], n_jobs=2, what="looks"))
    # From before the first line of Python in them; here it is heard again.
    assert found == {0: True, 1: True}
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_new_processes_are_no_ranks_of_a_launch(work, monkeypatch: pytest.MonkeyPatch) -> None:
    of_torch = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "TORCHELASTIC_RUN_ID": "none"}
    by_slurm = {"SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "1", "SLURM_JOB_ID": "7"}
    for name, value in {**of_torch, "MASTER_ADDR": "a", "MASTER_PORT": "9", **by_slurm}.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    assert launched().rank == 1
    tasks = [(0,), (1,)]
    assert dict(in_processes(work.launch, tasks, n_jobs=2, what="looks")) == {
        0: (None, []), 1: (None, []),
    }  # fmt: skip
    # This process is one of two as before.
    assert dict(os.environ) == before


def test_a_daemonic_worker_does_the_work_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    # As workers of multiprocessing.Pool and of Dask are: Python gives them no children.
    monkeypatch.setitem(multiprocessing.current_process()._config, "daemon", True)
    with pytest.raises(AssertionError, match="daemonic processes are not allowed"):
        multiprocessing.get_context("spawn").Process(target=print).start()
    found = dict(in_processes(abs, [(-1,), (-2,), (-3,)], n_jobs=2, what="reads videos"))
    assert found == {0: 1, 1: 2, 2: 3}
