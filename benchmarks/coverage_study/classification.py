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
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))
import over_folds
from awkward import ridge_over_folds
from batches import Study, stacked
from classification_designs import DESIGNS, study
from pages import with_earlier
from work import do

from pyexpr.base.contexts import ALL
from pyexpr.base.files import write_text
from pyexpr.inference.comparison.classes import Classes
from pyexpr.inference.comparison.comparison import compare_models
from pyexpr.inference.comparison.evidence import MetricDraws, gather
from pyexpr.inference.comparison.levels import Levels, build_groups, build_levels
from pyexpr.inference.comparison.predictions import ColumnValues, ModelValues
from pyexpr.inference.comparison.quantities import Row, build_measures, build_rows
from pyexpr.modeling.splits import subject_folds
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
# Subjects, folds, and clips of a subject (from, to), of the studies of cross-validation.
FOLDED = ((30, 5, (8, 8)), (60, 10, (4, 60)))
CLASSES = Classes(("0", "1"), "1", threshold=0.5, numbers=True)

Counts = dict[str, list[float]]
_PERCENTILE = "Coverage of percentile intervals"
_FOLDED = "AUC of predictions from cross-validation"


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
        null = 0.0, dict.fromkeys((row.metric for row in rows), 0.0)
        evidence = gather(rows, groups, draws, levels.why_undefined, null, drawn, levels.repeats, 0)
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
        found = compute(stacked(own), method, 0.95)
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
        studies = range(piece * PIECE, (piece + 1) * PIECE)
        counts = folded(number, studies) if method == "folded" else counted(number, studies, method)
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


def folded(number: int, studies: Sequence[int]) -> Counts:
    """Count how often an AUC other than 1/2 is claimed for models of noise, predicted in folds."""
    counts: Counts = defaultdict(lambda: [0.0, 0.0])
    G, K, (least, most) = FOLDED[number]
    for i in studies:
        rng = np.random.default_rng([SEED, 100 + number, i])
        sizes = np.rint(np.exp(rng.uniform(np.log(least), np.log(most), size=G))).astype(int)
        s = np.repeat(np.arange(G), sizes)
        n = len(s)
        y = (0.8 * rng.normal(size=G)[s] + rng.normal(size=n) > 0.6).astype(int)
        X = rng.normal(size=(n, 3)) + rng.normal(size=(G, 3))[s]
        fold = subject_folds(s, K, seed=i)
        frame = pd.DataFrame({"subject": s, "y": y, "fold": fold})
        frame["noise"] = ridge_over_folds(X, y.astype(float), fold)
        frame["other"] = ridge_over_folds(rng.permuted(X, axis=0), y.astype(float), fold)
        for how, options in (("over", {}), ("within", {"fold": "fold"})):
            tidy = compare_models(
                frame, truth="y", predictions=["noise", "other"], cluster="subject",
                metrics=["auc"], n_boot=0, n_threads=1, **options,
            ).tidy()  # fmt: skip
            for term, p, estimate in zip(tidy.term, tidy.p_value, tidy.estimate, strict=True):
                add(counts, f"{how}|{term}", p <= 0.05, not np.isnan(p))
                if term == "noise" and not np.isnan(estimate):
                    add(counts, f"mean {how}", estimate, 1)
    return counts


def table(head: list[str], lines: list[list[str]]) -> list[str]:
    rows = [head, ["---"] * len(head), *lines]
    return ["| " + " | ".join(row) + " |" for row in rows]


def report() -> None:
    """Write the page."""
    cells = [read("jackknife_t", number) for number in range(len(DESIGNS))]
    percentile = [read("percentile", number) for number in range(len(DESIGNS))]
    in_folds = [read("folded", number) for number in range(len(FOLDED))]
    quantities = [f"{metric}|{term}" for term in WANTED for metric in METRICS]
    head = [one.replace("|", ", ") for one in quantities]

    def lines(cells: list[Counts], keys: list[str]) -> list[list[str]]:
        return [
            [design.name, *(share(one, key) for key in keys)]
            for design, one in zip(DESIGNS, cells, strict=True)
            if one
        ]

    def least(cells: list[Counts], key: str) -> int:
        return int(min((one[key][1] for one in cells if one), default=0))

    differing = over_folds.counted(PIECES)
    at_least = max(least(cells, "undefined|accuracy|a"), 1)
    page = [
        "# Coverage for classes and ranks",
        "",
        f"Written by `make coverage`: do not edit. Of every design at least {at_least:,} "
        "studies were simulated (then the Monte Carlo error of a proportion of .95: "
        f"{math.sqrt(0.95 * 0.05 / at_least):.4f}) and analysed with jackknife_t. Model a is "
        "good, b is poor, and c is as good as a. All predict probabilities, with the threshold "
        "1/2. The clips of a subject share a part of their latent score and of the errors of "
        "the models. Spearman's correlation refers to an ordered score with five levels. "
        "Metrics were studentised on the scales -sqrt(1 - x) (AUC, accuracy, balanced "
        "accuracy, F1, kappa), -1/x (Brier's score) and atanh (Spearman's correlation), "
        "differences on their own.",
        "",
        "## Coverage of nominal 95 % intervals by jackknife_t",
        "",
        *table(["design", *head], lines(cells, [f"coverage|{one}" for one in quantities])),
        "",
        f"## {_PERCENTILE}",
        "",
        f"Of {least(percentile, 'undefined|accuracy|a'):,} of the studies of a design, with 999 "
        "replicates.",
        "",
        *table(["design", *head], lines(percentile, [f"coverage|{one}" for one in quantities])),
        "",
        "With a class of one clip in ten and 12 subjects there are about 12 clips of it. If a "
        "sample happens to contain few that the model detects, balanced accuracy, F1 and kappa "
        "are low with small standard errors, and intervals of any method are too low. The note "
        "on the rarest class should therefore be read before the intervals. Differences "
        "between models have these clips in common, and are less biased if the models are "
        "equally good.",
        "",
        "## Proportion of studies without an interval",
        "",
        "These are studies in which a class is missing, or in which only one subject has it, "
        "so that metrics are undefined without this subject; or in which no prediction is "
        "wrong.",
        "",
        *table(["design", *METRICS], lines(cells, [f"undefined|{metric}|a" for metric in METRICS])),
        "",
        "## Size of tests of two models that are equally good, at the 5 % level",
        "",
        *table(["design", *METRICS], lines(cells, [f"size|{metric}" for metric in METRICS])),
        "",
        f"## {_FOLDED}",
        "",
        "Mean AUC of a model of noise, and how often tests at the 5 % level reject that it is "
        "1/2, and that two models of noise are equal: over folds, as without `fold=`, and "
        f"within folds ({least(in_folds, 'mean over'):,} studies).",
        "",
        *table(
            ["design", "mean, over", "mean, within", "noise, over", "noise, within",
             "two of noise, over", "two of noise, within"],
            [
                [f"{G} subjects of {low if low == high else f'{low}-{high}'} clips, {K} folds"]
                + [share(one, f"{what}{how}{term}")
                   for what, term in (("mean ", ""), ("", "|noise"), ("", "|noise - other"))
                   for how in ("over", "within")]
                for (G, K, (low, high)), one in zip(FOLDED, in_folds, strict=True)
            ],
        ),
        "",
        *over_folds.section(PIECES),
    ]  # fmt: skip
    path = ROOT / "docs" / "coverage_classification.md"
    of_parts = {over_folds.TITLE: differing, _FOLDED: any(in_folds), _PERCENTILE: any(percentile)}
    titles = [line.removeprefix("## ") for line in page if line.startswith("## ")]
    counted = dict.fromkeys(["", *titles], any(cells)) | of_parts
    write_text(path, with_earlier(path.read_text("utf-8"), "\n".join(page), counted))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=2000, metavar="N", help="studies per design")
    parser.add_argument(
        "--only-report", action="store_true", help="only write the report from earlier results"
    )
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args()
    PIECES.mkdir(parents=True, exist_ok=True)
    if not chosen.only_report:
        parts = {"jackknife_t": len(DESIGNS), "percentile": len(DESIGNS), "folded": len(FOLDED)}
        # Replicates take the time: a quarter of the studies has them.
        pieces = -(-chosen.studies // PIECE)
        wanted = {"jackknife_t": pieces, "percentile": -(-pieces // 4), "folded": -(-pieces // 2)}
        work = [
            (one_piece, (part, number, piece))
            for part in ("folded", "jackknife_t", "percentile")
            for piece in range(wanted[part])
            for number in range(parts[part])
        ]
        work += [
            (over_folds.one_piece, (PIECES, number, repeats, piece))
            for piece in range(-(-pieces // 4))
            for number in range(len(over_folds.DESIGNS))
            for repeats in over_folds.REPEATS
        ]
        do(work, chosen.processes)
    report()


if __name__ == "__main__":
    main()
