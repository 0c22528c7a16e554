"""Coverage of the importance of features, and of differences between contexts.

    python benchmarks/coverage_study/importance.py [--studies N] [--processes N] [--only-report]

The true values are those of a large sample for the same fitted model, which no study knows. Each
piece of studies is counted in a file of build/coverage_importance, so that a run that was stopped
goes on where it ended. Cross-validation and classifiers are in importance_folds.py and
importance_classes.py. Writes docs/coverage_importance.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))
from work import do

from pyexpr.base.files import write_text
from pyexpr.modeling.importance.contrasts import contrasts_of
from pyexpr.modeling.importance.donors import pairs_of
from pyexpr.modeling.importance.exchanged import Cell, subject_means
from pyexpr.modeling.importance.exchanges import CellSums, Measures, changes_of, exchange_of
from pyexpr.modeling.importance.fitted import FittedModel
from pyexpr.modeling.importance.importance import evidence_of, feature_importance
from pyexpr.modeling.importance.of_numbers import NumberMeasures
from pyexpr.modeling.importance.predictor import Predictor
from pyexpr.modeling.importance.quantities import Quantities, quantities_of
from pyexpr.resampling.intervals.evidence import Evidence, Intervals
from pyexpr.resampling.intervals.jackknife_t import jackknife_t

ROOT = Path(__file__).parents[2]
PIECES = ROOT / "build" / "coverage_importance"
PIECE = 100
SEED = 20261202
LARGE = 20_000
# Others of each row of the large sample.
OTHERS = 15
FEATURES = ["strong", "weak", "noise"]
# Of the standardised features, in the two contexts.
SLOPES = {"a": np.array([1.0, 0.4, 0.0]), "b": np.array([0.5, 0.4, 0.0])}
# Of the fitted models: other than the true ones, as estimates are.
FITTED = {"a": np.array([0.9, 0.5, 0.15]), "b": np.array([0.6, 0.3, 0.15])}
KINDS = ("rows", "within", "subjects")
METRICS = ("rmse", "correlation")
# Limits of the effective numbers of subjects by which intervals are counted.
WORTHS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0, np.inf)

Counts = dict[str, list[float]]


@dataclass(frozen=True)
class Design:
    """A kind of study."""

    name: str
    clips: tuple[int, int] = (8, 8)  # of each context
    skewed: bool = False
    correlation: float = 0.0
    shown: float = 1.0  # share of the subjects who show the features strong and noise

    @property
    def subjects(self) -> tuple[int, ...]:
        """Return the numbers of subjects that are simulated."""
        return (12, 20, 40) if self.shown == 1 else (12, 20, 40, 80)


DESIGNS = (
    Design("8 clips"),
    Design("2 to 14 clips", clips=(2, 14)),
    Design("2 to 14 clips, skewed features and errors", clips=(2, 14), skewed=True),
    Design("2 to 14 clips, features correlated by .8", clips=(2, 14), correlation=0.8),
    Design("2 to 14 clips, two features in 35 % of the subjects", clips=(2, 14), shown=0.35),
    Design("2 to 14 clips, two features in a fifth of the subjects", clips=(2, 14), shown=0.2),
    Design("2 to 14 clips, skewed, two features in a fifth of the subjects", clips=(2, 14),
           skewed=True, shown=0.2),
    Design("2 to 14 clips, two features in a tenth of the subjects", clips=(2, 14), shown=0.1),
)  # fmt: skip
CELLS = [(number, n) for number, design in enumerate(DESIGNS) for n in design.subjects]


def noise(rng: np.random.Generator, size: object, *, skewed: bool) -> np.ndarray:
    """Return numbers with mean 0 and standard deviation 1."""
    return rng.gamma(1.0, 1.0, size) - 1 if skewed else rng.normal(size=size)


def study(rng: np.random.Generator, design: Design, subjects: int) -> pd.DataFrame:
    """Simulate the rows of a study."""
    parts = []
    levels = noise(rng, (subjects, 3), skewed=design.skewed)
    of_errors = noise(rng, subjects, skewed=design.skewed)
    shown = rng.random(subjects) < design.shown
    if not shown.any():
        shown[rng.integers(subjects)] = True
    for context, slopes in SLOPES.items():
        low, high = design.clips
        subject = np.repeat(np.arange(subjects), rng.integers(low, high + 1, subjects))
        n = len(subject)
        X = np.sqrt(0.4) * levels[subject] + np.sqrt(0.6) * noise(rng, (n, 3), skewed=design.skewed)
        if design.correlation:
            r = design.correlation
            X[:, 1] = r * X[:, 0] + np.sqrt(1 - r * r) * X[:, 1]
        if design.shown < 1:
            X[:, [0, 2]] = np.where(shown[subject, None], 2 * X[:, [0, 2]], 0.0)
        error = np.sqrt(0.3) * of_errors[subject] + np.sqrt(0.7) * noise(
            rng, n, skewed=design.skewed
        )
        part = pd.DataFrame(X, columns=FEATURES)
        part["subject"], part["context"], part["y"] = subject, context, X @ slopes + error
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


class Linear:
    """The fitted model of a context, which is known by the last column."""

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Return the predictions."""
        slopes = np.where(
            (X["is_b"].to_numpy() == 1)[:, None], FITTED["b"][None], FITTED["a"][None]
        )
        return np.einsum("ij,ij->i", X[FEATURES].to_numpy(), slopes)


def metrics_of(y: np.ndarray, p: np.ndarray) -> tuple[float, float]:
    """Return RMSE and correlation."""
    return float(np.sqrt(np.mean((y - p) ** 2))), float(np.corrcoef(y, p)[0, 1])


@cache
def true_values(design: Design) -> dict[tuple[str, str, str, str], float]:
    """Return the true importance by kind, metric, feature and context."""
    rng = np.random.default_rng(SEED)
    large = study(rng, design, LARGE)
    found: dict[tuple[str, str, str, str], float] = {}
    for context in SLOPES:
        own = large[large["context"] == context]
        X, y = own[FEATURES].to_numpy(), own["y"].to_numpy()
        subject, b = own["subject"].to_numpy(), FITTED[context]
        p = X @ b
        before = metrics_of(y, p)
        size = np.bincount(subject)
        means = np.stack([np.bincount(subject, x) / size for x in X.T], axis=1)
        # As many others of each row as make chance negligible.
        for kind in KINDS:
            sums = {feature: np.zeros(4) for feature in FEATURES}
            for _ in range(OTHERS):
                if kind == "rows":
                    # Of so many subjects it is hardly ever one's own.
                    other = X[rng.permutation(len(X))]
                elif kind == "within":
                    start = np.r_[0, np.cumsum(size)[:-1]][subject]
                    place = np.arange(len(X)) - start
                    step = 1 + rng.integers(0, np.maximum(size[subject] - 1, 1))
                    other = X[start + (place + step) % size[subject]]
                else:
                    other = X - means[subject] + means[rng.permutation(LARGE)][subject]
                for j, feature in enumerate(FEATURES):
                    q = p + b[j] * (other[:, j] - X[:, j])
                    sums[feature] += [
                        np.mean((y - q) ** 2), np.mean(q), np.mean(q * q), np.mean(q * y)
                    ]  # fmt: skip
            for feature in FEATURES:
                mse, q, qq, qy = sums[feature] / OTHERS
                r = (qy - q * y.mean()) / np.sqrt((qq - q * q) * y.var())
                found[kind, "rmse", feature, context] = np.sqrt(mse) - before[0]
                found[kind, "correlation", feature, context] = before[1] - r
    return found


def quantities(
    table: pd.DataFrame,
    kind: str,
    measures: Measures,
    predict: Callable[[np.ndarray, str], np.ndarray],
    metrics: Sequence[str],
) -> Quantities:
    """Return what `feature_importance` computes intervals from.

    By its own functions, without the time that reading a table and calling a model take.
    """
    y = table["y"].to_numpy(dtype=float)
    subject = np.unique(table["subject"], return_inverse=True)[1].reshape(-1)
    contexts = list(dict.fromkeys(table["context"]))
    cells, sums = [], []
    for number, context in enumerate(contexts):
        rows = np.flatnonzero((table["context"] == context).to_numpy())
        present, own = np.unique(subject[rows], return_inverse=True)
        own = own.reshape(-1)
        X = table[FEATURES].to_numpy()[rows]
        if kind == "within":
            kept = np.bincount(own)[own] > 1
            rows, X = rows[kept], X[kept]
            present, own = np.unique(subject[rows], return_inverse=True)
            own = own.reshape(-1)
        p = predict(X, context)
        pairs = pairs_of(own, kind, 20, 0, number)
        means = subject_means(X, own)
        if kind == "subjects":
            given = X[pairs.target] - means[own[pairs.target]] + means[pairs.donor]
        else:
            given = X[pairs.donor]
        exchange = exchange_of(own, pairs.target, pairs.from_subject)
        changes, moved = [], []
        for j in range(len(FEATURES)):
            exchanged = X[pairs.target]
            exchanged[:, j] = given[:, j]
            new = predict(exchanged, context)
            changes.append(changes_of(measures.columns(y[rows], p, new, exchange), exchange))
            moved.append(measures.moved(p, new, exchange))
        model: Any = FittedModel("m", Predictor(None, ""), table, y, rows)
        cells.append(Cell(model, number, rows, number))
        varied = np.abs(given - X[pairs.target]).max(axis=0) > 0
        sums.append(
            CellSums(present, measures.before(y[rows], p, own), np.array(changes), np.array(moved),
                     varied)
        )  # fmt: skip
    return quantities_of(
        cells, sums, terms=["m"], groups=FEATURES, contexts=contexts, metrics=metrics,
        measures=measures, n_subjects=int(subject.max()) + 1, folds=False,
    )  # fmt: skip


def linear(X: np.ndarray, context: str) -> np.ndarray:
    """Return the predictions of the fitted model of a context."""
    return np.einsum("ij,j->i", X, FITTED[context])


def unlimited(evidence: Evidence) -> Evidence:
    """Return the evidence without a rule for what few subjects carry."""
    groups = [replace(group, most_df=None, refused=None) for group in evidence.groups]
    return replace(evidence, groups=groups)


def unrefused(evidence: Evidence) -> Evidence:
    """Return the evidence with limited degrees of freedom and an interval in every case."""
    groups = [replace(group, refused=None) for group in evidence.groups]
    return replace(evidence, groups=groups)


def counted(design: Design, subjects: int, studies: range) -> Counts:
    """Count how many intervals there are, and how many hold the true value."""
    true = true_values(design)
    counts: Counts = defaultdict(lambda: [0.0] * 5)
    for number in studies:
        table = study(np.random.default_rng([SEED, subjects, number]), design, subjects)
        for kind in KINDS:
            measures = NumberMeasures(float(table["y"].mean()))
            found = quantities(table, kind, measures, linear, METRICS)
            evidence = evidence_of(found)
            if number == 0:
                check(table, kind, evidence, jackknife_t(evidence, 0.95))
            contrasts, of_contrasts, _ = contrasts_of(
                found.rows, evidence, (found.n, found.n_clusters), "contexts", found.sizes
            )
            worth = dict(zip(found.rows, found.carriers, strict=True))
            for row, *limits in both(found.rows, evidence):
                if row.context == "a":
                    value = true[kind, row.metric, row.term, "a"]
                    add(counts, kind, row.metric, row.term, "", value, limits, worth[row])
            for row, *limits in both(contrasts, of_contrasts):
                term = row.terms[0]
                ends = [true[kind, row.metric, term, context] for context in "ab"]
                least = min(worth[found.rows[row.first]], worth[found.rows[row.second]])
                add(counts, kind, row.metric, term, ", a - b", ends[0] - ends[1], limits, least)
    return counts


def both(rows: Sequence[Any], evidence: Evidence) -> list[Any]:
    """Return every row with its interval, that without a rule for few subjects, and a limited."""
    found = [jackknife_t(one, 0.95) for one in (evidence, unlimited(evidence), unrefused(evidence))]
    limits = [list(zip(one.low, one.high, strict=True)) for one in found]
    return list(zip(rows, *limits, strict=True))


def add(
    counts: Counts, kind: str, metric: str, term: str, of: str, value: float,
    limits: Sequence[tuple[float, float]], worth: float,
) -> None:  # fmt: skip
    """Count an interval: by the quantity, and by the effective number of subjects.

    Five numbers: studies, intervals, intervals that hold the true value, and how many would
    without a rule for few subjects, and with limited degrees of freedom in every case.
    """
    holds = [float(low <= value <= high) for low, high in limits]
    new = [1.0, float(not np.isnan(limits[0][0])), *holds]
    at = int(np.searchsorted(WORTHS, worth, side="right"))
    keys = [f"{kind}: {metric}, {term}{of}"]
    if term == "strong":
        keys.append(f"worth|{kind}{of}|{at}")
    for key in keys:
        counts[key] = [float(a + b) for a, b in zip(counts[key], new, strict=True)]


def one_piece(number: int, subjects: int, piece: int) -> None:
    """Count the studies of one piece, unless its file is there."""
    path = PIECES / f"design-{number}-{subjects}-{piece:04d}.json"
    if not path.exists():
        warnings.simplefilter("ignore")
        studies = range(piece * PIECE, (piece + 1) * PIECE)
        write_text(path, json.dumps(counted(DESIGNS[number], subjects, studies)))


def gathered(name: str) -> Counts:
    """Return the sums of all pieces of a cell."""
    total: Counts = {}
    for path in sorted(PIECES.glob(f"{name}-????.json")):
        for key, values in json.loads(path.read_text("utf-8")).items():
            before = total.get(key, [0.0] * len(values))
            total[key] = [a + b for a, b in zip(before, values, strict=True)]
    return total


def check(table: pd.DataFrame, kind: str, evidence: Evidence, intervals: Intervals) -> None:
    """Raise an error unless the public function has the same numbers."""
    table = table.assign(is_b=(table["context"] == "b").astype(float))
    found = feature_importance(
        Linear(), table, label="y", features=FEATURES, cluster="subject", context="context",
        other_columns=["is_b"], permute=kind, metrics=METRICS,
    ).tidy()  # fmt: skip
    for name, values in (
        ("estimate", evidence.estimate),
        ("conf_low", intervals.low),
        ("conf_high", intervals.high),
    ):
        np.testing.assert_allclose(found[name], values, rtol=1e-6, atol=1e-9)


def share(hits: float, of: float) -> str:
    """Return a coverage for a table."""
    return f"{hits / of:.3f}".replace("0.", ".", 1) if of else "-"


def shown(values: Sequence[float]) -> str:
    """Return the coverage, and in parentheses how many studies have an interval if not all do."""
    total, there, hits = values[:3]
    missing = f" ({share(there, total)})" if there < 0.9995 * total else ""
    return f"{share(hits, there)}{missing}"


def _studies(counts: Counts) -> int:
    """Return the number of studies; those by the effective number count two metrics of each."""
    return int(max(own[0] for key, own in counts.items() if not key.startswith("worth|")))


def studied(cells: Sequence[Counts]) -> str:
    """Return how many studies the cells have."""
    n = sorted({_studies(one) for one in cells if one})
    return f"{n[0]:,}" if len(n) == 1 else f"{n[0]:,} to {n[-1]:,}" if n else "0"


def table(heads: Sequence[str], cells: Sequence[Counts], keys: Sequence[str]) -> list[str]:
    """Return a table with a row per quantity and a column per cell."""
    return [
        f"| quantity | {' | '.join(heads)} |",
        "|---|" + "---|" * len(heads),
        *(f"| {key} | {' | '.join(shown(one[key]) for one in cells)} |" for key in keys),
    ]


def by_worth(rare: Sequence[Counts]) -> list[str]:
    """Return coverage by the effective number of subjects, over all designs of few carriers."""
    lines = [
        "## A feature of few subjects: by the effective number of subjects who carry it",
        "",
        "Of `strong` in the designs in which 35 %, a fifth or a tenth of 12 to 80 subjects show "
        "it, RMSE and correlation together. The effective number of subjects is that of the "
        "variation of predictions that is exchanged; of a difference between contexts the smaller "
        "of the two. *As with many* is the interval with the degrees of freedom by the kurtosis "
        "alone. "
        "*Limited* has at most the effective number minus 1, at least 1. The function gives the "
        "latter from an effective number of 2 on, and none below.",
        "",
        "| exchange | effective number | intervals | as with many | limited |",
        "|---|---|---|---|---|",
    ]
    total: Counts = defaultdict(lambda: [0.0] * 5)
    for one in rare:
        for key, values in one.items():
            if key.startswith("worth|"):
                total[key] = [a + b for a, b in zip(total[key], values, strict=True)]
    for kind in KINDS:
        for of in ("", ", a - b"):
            for at in range(1, len(WORTHS)):
                n, _, _, free, limited = total[f"worth|{kind}{of}|{at}"]
                if n < 100:
                    continue
                low, high = WORTHS[at - 1], WORTHS[at]
                span = f"{low:g} to {high:g}" if np.isfinite(high) else f"{low:g} or more"
                lines.append(
                    f"| {kind}{of} | {span} | {int(n):,} | {share(free, n)} | {share(limited, n)} |"
                )
    return lines


def report() -> None:
    """Write the page of all pieces there are."""
    import importance_classes
    import importance_folds

    cells = {cell: gathered(f"design-{cell[0]}-{cell[1]}") for cell in CELLS}
    fewest = min((_studies(one) for one in cells.values() if one), default=1)
    error = np.sqrt(0.95 * 0.05 / fewest)
    lines = [
        "# Intervals of the importance of features, simulated",
        "",
        "Written by benchmarks/coverage_study/importance.py: do not edit.",
        "",
        f"{studied(list(cells.values()))} studies a cell, 95 % intervals; the Monte Carlo error of "
        f"a coverage of .95 is at most {error:.4f}. The true values are "
        f"those of {LARGE:,} subjects for the same linear model, whose slopes differ from the true "
        "ones. The feature `noise` predicts nothing but has a slope in the model, so its "
        "importance is 0. Two contexts of the same subjects, with different importance of "
        "`strong`; `a - b` is their difference. Where some studies have no interval, because too "
        "few subjects carry what is exchanged, the share that has one is in parentheses, and "
        "coverage is that of the others.",
        "",
    ]
    rare = [cell for (number, _), cell in cells.items() if DESIGNS[number].shown < 1 and cell]
    lines += by_worth(rare) if rare else []
    for number, design in enumerate(DESIGNS):
        own = {n: cells[number, n] for n in design.subjects if cells[number, n]}
        if not own:
            continue
        first = next(iter(own.values()))
        keys = [key for key in first if not key.startswith("worth|")]
        keys.sort(key=lambda key: ("a - b" in key, KINDS.index(key.partition(":")[0])))
        lines += ["", f"## {design.name[0].upper()}{design.name[1:]}", ""]
        lines += table([f"{n} subjects" for n in own], list(own.values()), keys)
    lines += importance_folds.section() + importance_classes.section()
    write_text(ROOT / "docs" / "coverage_importance.md", "\n".join(lines) + "\n")


def main() -> None:
    """Run all cells and write the page."""
    import importance_classes
    import importance_folds

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--only-report", action="store_true", help="of the pieces there are")
    chosen = parser.parse_args()
    PIECES.mkdir(parents=True, exist_ok=True)
    if not chosen.only_report:
        work: list[Any] = []
        for piece in range(-(-chosen.studies // PIECE)):
            work += importance_folds.work(piece) + importance_classes.work(piece)
            work += [(one_piece, (number, n, piece)) for number, n in CELLS]
        do(work, chosen.processes)
    report()


if __name__ == "__main__":
    main()
