"""One small simulated study, made once and run once, for all tests that need a real one."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import fast
import one_processor  # noqa: F401  # each worker keeps to one processor
import pandas as pd
import pytest
from fast import (  # noqa: F401  # pytest takes them from here: the option --fast
    pytest_addoption,
    pytest_configure,
    pytest_ignore_collect,
    pytest_make_collect_report,
    reaches_for_nothing_slow,
)
from file_times import pytest_sessionstart  # noqa: F401
from study_variants import figures_left_empty

from pyexpr.simulation.simulate import simulate_study
from pyexpr.study.pipeline import Study, StudyResult

SUBJECTS = 15

# What takes a worker longest, the longest first: begun last, it would leave the others idle. Needs
# xdist's --no-loadscope-reorder, which else begins with the files of the most tests.
FIRST = (
    "hosted/test_r_package.py",
    "documentation/test_pages.py",
    "measurement/test_higher_order.py",
    "cli/test_bad_input.py",
    "cli/test_cli.py",
    "study/test_paper.py",
    "study/test_pipeline.py",
    "deep/test_video_regressor.py",
    "measurement/test_ordered.py",
    "study/test_deep_stage.py",
    "study/test_outputs_of_a_study.py",
    "deep/test_resnet3d.py",
    "test_parity.py",
    "measurement/test_engines.py",
    "documentation/test_build.py",
    "study/test_leakage.py",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what `--fast` leaves out, and put the longest files first."""
    fast.leave_out(config, items)
    place = {Path(__file__).parent / name: number for number, name in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


# Of the usual 700 new objects a collection is due hundreds of times in a test that draws or reads
# tables, and finds nothing: together they were a twentieth of all tests' time.
gc.set_threshold(100_000, 20, 20)

_files_begun: list[Path] = []


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Take what has been loaded so far out of the garbage collection, once for each file of tests.

    Some of the libraries ask for whole collections. With pandas, torch and thousands of tests in
    memory each of them takes a fifth of a second; together they were a fifth of all tests' time.
    """
    if item.path not in _files_begun[-1:]:
        _files_begun.append(item.path)
        gc.collect()
        gc.freeze()


if pd.__version__.startswith("2."):
    # pandas 2 reads every third number wrong in its last bit unless it is told otherwise, so that
    # a table read back differs from what was written. The package reads its files by pyarrow.
    pd.read_csv = partial(pd.read_csv, float_precision="round_trip")


@pytest.fixture(autouse=True, scope="session")
def nothing_waits_for_the_disk() -> Iterator[None]:
    """Write thousands of small files without waiting for each to be on the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _handle: None)
        yield


@pytest.fixture(scope="session")
def study_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated study of 15 subjects; tests must not change it."""
    folder = tmp_path_factory.mktemp("study")
    simulate_study(folder, subjects=SUBJECTS, seed=3, progress=False)
    return folder


@pytest.fixture(scope="session")
def study_result(study_folder: Path) -> StudyResult:
    """The results of that study."""
    return Study.from_file(study_folder / "study.toml").run(progress=False)


@pytest.fixture
def empty_figures() -> Iterator[None]:
    """Let studies write empty pictures: drawing takes half their time, and not every test looks."""
    with figures_left_empty():
        yield
