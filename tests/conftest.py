"""One small simulated study, made once and run once, for all tests that need a real one."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from pyexpr.simulation.simulate import simulate_study
from pyexpr.study.pipeline import Study, StudyResult

SUBJECTS = 15

if pd.__version__.startswith("2."):
    # pandas 2 reads every third number wrong in its last bit unless it is told otherwise, so that
    # a table read back differs from what was written. The package reads its files by pyarrow.
    pd.read_csv = partial(pd.read_csv, float_precision="round_trip")


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
