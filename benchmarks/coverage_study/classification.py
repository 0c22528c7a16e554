"""Coverage and size of intervals of classification metrics and of Spearman's correlation.

    python benchmarks/coverage_study/classification.py [--studies N] [--only-report]

The designs are those of classification_designs.py; the true values are those of a sample of
20,000 subjects. Each piece of studies is counted in a file of build/coverage_classification.
Writes docs/coverage_classification.md.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from batches import Study, piled
from classification_designs import DESIGNS, study

from pyexpr.base.contexts import ALL
from pyexpr.base.files import write_text
from pyexpr.inference.comparison.classes import Classes
from pyexpr.inference.comparison.evidence import MetricDraws, gather
from pyexpr.inference.comparison.levels import Levels, build_groups, build_levels
from pyexpr.inference.comparison.predictions import ColumnValues, ModelValues
from pyexpr.inference.comparison.quantities import Row, build_measures, build_rows
from pyexpr.resampling.intervals.methods import compute

ROOT = Path(__file__).parents[2]
PIECES = ROOT / "build" / "coverage_classification"
SEED = 20240503
PIECE = 250
OF_CLASSES = ("auc", "accuracy", "balanced_accuracy", "f1", "kappa", "brier")
METRICS = (*OF_CLASSES, "spearman")
# a and c are alike.
WANTED, NULL = ("a", "a - b"), "a - c"
# Methods, and of how many replicates.
METHODS = {"jackknife_t": 0, "percentile": 999}
CLASSES = Classes(("0", "1"), "1", threshold=0.5, numbers=True)

Counts = dict[str, list[float]]


def grouped(columns: dict[str, np.ndarray]) -> list[tuple[tuple[Row, ...], Levels]]:
    """Return what is compared in one study: on classes, and on the ordered score."""
    found = []
    for truth, metrics in (("y", OF_CLASSES), ("score", ("spearman",))):
        t, codes = columns[truth].astype(float), columns["subject"]
        everywhere = np.ones(len(t), dtype=bool)
        models = [
            ModelValues(
                name,
                (ColumnValues(name, truth, p, t, everywhere, codes=(p >= 0.5).astype(np.int64)),),
            )
            for name, p in ((name, columns[name]) for name in "abc")
        ]
        measures = build_measures(metrics, ratio=False)
        every = build_rows(measures, models, [ALL], pairwise=True, n_classes=2)
        rows = tuple(row for row in every if row.term in {*WANTED, NULL})
        levels = build_levels(
            measures, models, [ALL], [None], codes, int(codes.max()) + 1, score_range=1.0,
            classes=CLASSES,
        )  # fmt: skip
        found.append((rows, levels))
    return found


def prepare(columns: dict[str, np.ndarray], *, n_boot: int, seed: int) -> list[Study]:
    """Return the evidence of one study."""
    studies = []
    for rows, levels in grouped(columns):
        groups = tuple(build_groups(rows, levels, None))
        draws = MetricDraws(groups, len(rows), seed, 1, ())
        drawn = draws.replicates(0, n_boot)
        evidence = gather(rows, groups, draws, levels.why_undefined, 0.0, drawn)
        studies.append(Study(rows, groups, evidence))
    return studies


@cache
def true_values(number: int) -> dict[tuple[str, str], float]:
    """Return the metrics of every model among 20,000 subjects."""
    rng = np.random.default_rng([SEED, number])
    true = {}
    for rows, levels in grouped(study(replace(DESIGNS[number], n_subjects=20_000), rng)):
        for group in build_groups(rows, levels, None):
            for at, value in zip(group.rows, group.design.estimate(), strict=True):
                row = rows[at]
                true[row.metric, row.term] = 0.0 if row.term == NULL else float(value)
    return true


def add(counts: Counts, key: str, hits: float, trials: float) -> None:
    counts[key][0] += float(hits)
    counts[key][1] += float(trials)


def counted(number: int, studies: Sequence[int], method: str) -> Counts:
    """Count in how many studies of a design intervals hold the truth, and tests reject."""
    true, counts = true_values(number), defaultdict(lambda: [0.0, 0.0])
    made = [
        prepare(
            study(DESIGNS[number], np.random.default_rng([SEED, 1 + number, i])),
            n_boot=METHODS[method], seed=i,
        )
        for i in studies
    ]  # fmt: skip
    for own in zip(*made, strict=True):
        found = compute(piled(own), method, 0.95)
        rows = [row for one in own for row in one.rows]
        for row, low, high, p in zip(rows, found.low, found.high, found.p_value, strict=True):
            value, there = true[row.metric, row.term], not np.isnan(low)
            if row.term == NULL:
                add(counts, f"size|{row.metric}", there and p <= 0.05, there)
            else:
                add(
                    counts,
                    f"coverage|{row.metric}|{row.term}",
                    there and low <= value <= high,
                    there,
                )
            add(counts, f"undefined|{row.metric}|{row.term}", not there, 1)
    return counts


def one_piece(method: str, number: int, piece: int) -> None:
    """Count the studies of one piece, unless its file is there."""
    path = PIECES / f"{method}-{number}-{piece:04d}.json"
    if not path.exists():
        counts = counted(number, range(piece * PIECE, (piece + 1) * PIECE), method)
        write_text(path, json.dumps(counts, indent=0, sort_keys=True))


def read(method: str, number: int) -> Counts:
    """Return the counts of all pieces of a cell."""
    counts: Counts = defaultdict(lambda: [0.0, 0.0])
    for path in sorted(PIECES.glob(f"{method}-{number}-*.json")):
        for key, (hits, trials) in json.loads(path.read_text(encoding="utf-8")).items():
            add(counts, key, hits, trials)
    return counts


def share(counts: Counts, key: str) -> str:
    hits, trials = counts.get(key, (0.0, 0.0))
    return f"{hits / trials:.3f}".replace("0.", ".", 1) if trials else ""
