"""A study like another but for what a test changes, without copying its recordings."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pandas as pd


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
