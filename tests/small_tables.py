"""Small tables of ratings and features for studies that are begun by `pyexpr init`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

CONTEXTS = ("calm", "tense")
RATERS = ("ann", "ben", "cy")


def features(subjects: int = 12, clips: int = 4, seed: int = 1) -> pd.DataFrame:
    """Return subject, context, clip, two features that go with `felt`, and how well it was seen."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"p{subject:02d}", context, f"{clip + 1}")
        for subject in range(subjects)
        for context in CONTEXTS
        for clip in range(clips)
    ]
    table = pd.DataFrame(rows, columns=["subject", "context", "clip"])
    felt = rng.normal(size=len(table))
    table["smile"] = (felt + rng.normal(size=len(table))).round(4)
    table["nod"] = (0.5 * felt + rng.normal(size=len(table))).round(4)
    table["quality"] = rng.uniform(0.5, 1, size=len(table)).round(4)
    return table.assign(felt=felt)


def ratings(questions: tuple[str, ...] = ("joy",), together: bool = True) -> pd.DataFrame:
    """Return long ratings, from 1 to 7, of the clips of `features`."""
    rng = np.random.default_rng(5)
    clips = features()
    rows = []
    for number, question in enumerate(questions):
        truth = clips["felt"] if together or number == 0 else pd.Series(rng.normal(size=len(clips)))
        for rater in RATERS:
            score = (4 + 1.2 * truth + rng.normal(scale=0.7, size=len(clips))).round().clip(1, 7)
            block = clips[["subject", "context", "clip"]]
            rows.append(block.assign(rater=rater, question=question, score=score.astype(int)))
    return pd.concat(rows, ignore_index=True)


def write(folder: Path, **tables: pd.DataFrame) -> Path:
    """Write tables as CSV into a folder, and return it."""
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    return folder
