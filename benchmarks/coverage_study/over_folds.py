"""Intervals of models that differ, predicted by cross-validation: AUC and Spearman's correlation.

Two features see the latent score of a clip well (model a, and others as good: c), two see it
badly (b). Each model is a ridge regression fitted to the other folds, once or with repeats on
other folds. What an interval is to hold is what such a cross-validation shows on average, over
studies of this kind: the mean over all that were simulated.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from awkward import ridge_over_folds
from classification_designs import STEPS, SUBJECT

from pyexpr.base.files import write_text
from pyexpr.inference.comparison.comparison import compare_models
from pyexpr.inference.comparison.predictions import Predictions
from pyexpr.modeling.splits import subject_folds

SEED = 20240504
PIECE = 125
# Subjects, folds, and clips of a subject (from, to).
DESIGNS = ((20, 5, (8, 8)), (40, 5, (8, 8)), (40, 10, (4, 40)))
REPEATS = (1, 4)
# What the features of each model are worth.
SLOPES = {"a": 0.6, "b": 0.25, "c": 0.6}
TERMS = ("a", "b", "a - b", "a - c")
TRUTHS = {"auc": "y", "spearman": "score"}

TITLE = "Models that differ, predicted by cross-validation"

Found = dict[str, list[list[float]]]


def study(number: int, i: int) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Return clips with both truths, and the features of each model."""
    G, _, (least, most) = DESIGNS[number]
    rng = np.random.default_rng([SEED, number, i])
    sizes = np.rint(np.exp(rng.uniform(np.log(least), np.log(most), size=G))).astype(int)
    s = np.repeat(np.arange(G), sizes)
    latent = SUBJECT * rng.normal(size=G)[s] + rng.normal(size=len(s))
    frame = pd.DataFrame({"subject": s, "y": (latent > 0.6).astype(int)})
    frame["score"] = np.digitize(latent, STEPS)
    features = {
        name: slope * latent[:, None]
        + 0.5 * rng.normal(size=(G, 2))[s]
        + rng.normal(size=(len(s), 2))
        for name, slope in SLOPES.items()
    }
    return frame, features


def estimates_of(
    number: int, i: int, repeats: int
) -> dict[tuple[str, str], tuple[float, float, float]]:
    """Return (estimate, low, high) of every metric and term of a study."""
    frame, features = study(number, i)
    K = DESIGNS[number][1]
    found = {}
    folds = [f"fold {r}" for r in range(repeats)]
    for r, fold in enumerate(folds):
        frame[fold] = subject_folds(frame["subject"], K, seed=1000 * i + r)
    for metric, truth in TRUTHS.items():
        models = {}
        for name, X in features.items():
            columns = [f"{name} {r}" for r in range(repeats)]
            for column, fold in zip(columns, folds, strict=True):
                frame[column] = ridge_over_folds(
                    X, frame[truth].to_numpy(np.float64), frame[fold].to_numpy()
                )
            models[name] = Predictions(columns, fold=folds)
        tidy = compare_models(
            frame, truth=truth, predictions=models, cluster="subject", metrics=[metric],
            n_boot=0, n_threads=1,
        ).tidy()  # fmt: skip
        for row in tidy.itertuples():
            if row.term in TERMS:
                found[metric, row.term] = (row.estimate, row.conf_low, row.conf_high)
    return found


def one_piece(pieces: Path, number: int, repeats: int, piece: int) -> None:
    """Keep the intervals of the studies of a piece, unless its file is there."""
    path = pieces / f"differing-{number}-{repeats}-{piece:04d}.json"
    if path.exists():
        return
    found: Found = {}
    for i in range(piece * PIECE, (piece + 1) * PIECE):
        for (metric, term), values in estimates_of(number, i, repeats).items():
            kept = [None if math.isnan(one) else round(one, 6) for one in values]
            found.setdefault(f"{metric}|{term}", []).append(kept)  # type: ignore[arg-type]
    write_text(path, json.dumps(found, indent=0, sort_keys=True))


def read(pieces: Path, number: int, repeats: int) -> dict[str, np.ndarray]:
    """Return (studies, 3) by metric and term."""
    found: dict[str, list[Any]] = {}
    for path in sorted(pieces.glob(f"differing-{number}-{repeats}-*.json")):
        for key, values in json.loads(path.read_text(encoding="utf-8")).items():
            found.setdefault(key, []).extend(values)
    return {key: np.array(values, dtype=np.float64) for key, values in found.items()}


def shares(values: np.ndarray) -> dict[str, float]:
    """Return the mean estimate, and how often intervals hold it, and lie beside 0."""
    truth = np.nanmean(values[:, 0])
    there = values[~np.isnan(values).any(axis=1)]
    low, high = there[:, 1], there[:, 2]
    return {
        "mean": float(truth),
        "coverage": float(((low <= truth) & (truth <= high)).mean()),
        "beside 0": float(((low > 0) | (high < 0)).mean()),
        "n": len(there),
        "width": float(np.median(high - low) / (2 * 1.96 * np.std(there[:, 0]))),
    }


def counted(pieces: Path) -> bool:
    """Say whether any study was simulated."""
    return any(pieces.glob("differing-*.json"))


def section(pieces: Path) -> list[str]:
    """Return the part of the page."""
    lines, n = [], []
    for number, (G, K, (low, high)) in enumerate(DESIGNS):
        name = f"{G} subjects of {low if low == high else f'{low}-{high}'} clips, {K} folds"
        for repeats in REPEATS:
            found = read(pieces, number, repeats)
            if not found:
                continue
            n.append(len(found["auc|a"]))
            for metric in TRUTHS:
                of_term = {term: shares(found[f"{metric}|{term}"]) for term in TERMS}
                a_b, lost = of_term["a - b"], 1 - of_term["a - b"]["n"] / n[-1]
                cells = [
                    *(of_term[term]["coverage"] for term in TERMS),
                    a_b["mean"], a_b["beside 0"], of_term["a - c"]["beside 0"], a_b["width"], lost,
                ]  # fmt: skip
                shown = [f"{cell:.3f}".removeprefix("0") for cell in cells]
                lines.append(f"| {name} | {repeats} | {metric} | {' | '.join(shown)} |")
    head = [
        "design", "repeats", "metric", *TERMS, "mean a - b", "power, a - b", "size, a - c",
        "width, a - b", "none",
    ]  # fmt: skip
    return [
        f"## {TITLE}",
        "",
        "Ridge regressions fitted to the other folds, with `fold=`: a and c are equally good, b is "
        "poor. With several repeats a metric is the mean of those of the repeats, each within its "
        "own folds (`Predictions(columns, fold=columns)`). Coverage of nominal 95 % intervals by "
        "jackknife_t of what such a cross-validation shows on average, over all studies that were "
        f"simulated ({min(n, default=0):,} of each design); power and size of tests at the 5 % "
        "level; the median width of intervals of a - b, where 1 is what the spread of the "
        "estimate over studies asks for; and the share of studies without an interval, because "
        "without some subject a fold has no row of a class.",
        "",
        *[f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head))],
        *lines,
        "",
        "Within folds the variance is that of models that know nothing "
        "([methods](methods.md), section 6), which is about twice what models like these have: "
        "intervals are about 1.4 times as wide as they need be. They err on the safe side, and a "
        "difference is found less often than it could be.",
        "",
    ]
