"""Tables of a small study in a shape of many: subjects, contexts, raters, features of a program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

CONTEXTS = ("express", "normal", "suppress")
QUESTIONS = ("positive", "negative")
FEATURES = ("AU6", "AU12", "AU4", "AU20")
KEY = ["subject", "context", "clip"]

#: Small enough for tests: few penalties, few replicates.
QUICK = """
[models.elastic_net]
alpha = [0.05, 0.5]
l1_ratio = [0.5]

[compare]
n_boot = 200

[coefficients]
n_boot = 50
"""


def simulated_tables(subjects: int = 20, clips: int = 4) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return ratings, a row each, and features, a row per clip; AU12 makes the positive ratings."""
    rng = np.random.default_rng(7)
    rows = [
        (f"S{s:02d}", context, str(clip))
        for s in range(subjects)
        for context in CONTEXTS
        for clip in range(1, clips + 1)
    ]
    features = pd.DataFrame(rows, columns=KEY)
    for name in FEATURES:
        features[name] = rng.normal(size=len(rows))
    features["quality"] = rng.uniform(0.5, 1, len(rows)).round(3)
    seen = {
        "positive": 3.5 + 1.2 * features["AU12"] + 0.4 * features["AU6"],
        "negative": 3.0 + 0.9 * features["AU4"],
    }
    ratings = []
    for question, mean in seen.items():
        for rater in ("r1", "r2", "r3"):
            noise = rng.normal(0, 0.7, len(rows))
            score = np.clip(np.rint(mean + noise), 1, 7).astype(int)
            ratings.append(features[KEY].assign(rater=rater, question=question, score=score))
    return pd.concat(ratings, ignore_index=True), features


def write_study(
    folder: Path,
    toml: str,
    *,
    ratings: pd.DataFrame | None = None,
    features: pd.DataFrame | None = None,
    quick: bool = True,
) -> Path:
    """Write the tables that are given, and the study file; return its path."""
    folder.mkdir(exist_ok=True)
    for name, table in (("ratings", ratings), ("features", features)):
        if table is not None:
            table.to_csv(folder / f"{name}.csv", index=False)
    path = folder / "study.toml"
    path.write_text(toml + (QUICK if quick else ""), encoding="utf-8")
    return path
