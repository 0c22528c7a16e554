"""A study like another but for what a test changes, without copying its recordings."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from pyexpr.figures.plotting import new_figure, save
from pyexpr.report.study_figures import drawn
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.results import render

#: Of a study of recordings and a factor model, without deep models.
STAGES = ("reliability", "factor_model", "features", "models", "comparison", "coefficients")

#: What a run stores of recordings, and hashes of its inputs with their times: no results.
CACHES = ("stages/recordings", "stages/hashes.json")


def variant(
    study_folder: Path,
    target: Path,
    *,
    openface: Mapping[str, bytes] | None = None,
    toml: str = "",
    **tables: pd.DataFrame,
) -> Path:
    """Return the study file of a copy with other tables, recordings, or more options."""
    target.mkdir(exist_ok=True)
    for name in ("ratings.csv", "recordings.csv", "study.toml"):
        shutil.copy(study_folder / name, target / name)
    if openface is None:
        os.symlink(study_folder / "openface", target / "openface")
    else:
        (target / "openface").mkdir()
        for path in (study_folder / "openface").iterdir():
            os.symlink(path, target / "openface" / path.name)
        for name, content in openface.items():
            (target / "openface" / name).unlink()
            (target / "openface" / name).write_bytes(content)
    for name, table in tables.items():
        table.to_csv(target / f"{name}.csv", index=False)
    study_file = target / "study.toml"
    study_file.write_text(f"{study_file.read_text()}\n{toml}")
    return study_file


def tables_of(study_folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the ratings and the recordings of a study."""
    return (
        pd.read_csv(study_folder / "ratings.csv", dtype={"clip": str}),
        pd.read_csv(study_folder / "recordings.csv"),
    )


@contextmanager
def figures_left_empty() -> Iterator[None]:
    """Let studies write every file of a figure, but draw nothing into it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(render, "_draw", _empty)
        yield


def _empty(config: StudyConfig, folder: Path, found: dict[str, pd.DataFrame]) -> Iterator[Path]:
    record = {"options": config.model_dump(mode="json")}
    for name, *_ in drawn(record, found):
        yield from save(new_figure(20, 10, layout=None), folder / name, title=name, description="")
