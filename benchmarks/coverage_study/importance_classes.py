"""Coverage of the importance of features for models that predict classes.

A part of importance.py. A logistic model with known slopes predicts one of two classes; subjects
differ in how often they are of the positive one.
"""

from __future__ import annotations

import json
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import importance
import numpy as np
import pandas as pd
from importance import FEATURES, KINDS, PIECE, PIECES, SEED, Counts
from scipy.special import expit

from pyexpr.base.files import write_text
from pyexpr.modeling.importance.importance import evidence_of, feature_importance
from pyexpr.modeling.importance.of_classes import METRICS, TABLE, Classes, ClassMeasures
from pyexpr.resampling.intervals.evidence import Evidence, Intervals
from pyexpr.resampling.intervals.jackknife_t import jackknife_t

SUBJECTS = (12, 20, 40)
# Of the true probability of the positive class, and of the fitted model: others, as estimates are.
TRUE, FITTED = np.array([1.5, 0.6, 0.0]), np.array([1.3, 0.7, 0.25])
# Standard deviation of the subjects' intercepts.
SUBJECT = 0.7
MEASURES = ClassMeasures(Classes((0, 1), 1, True))
LARGE, OTHERS = 20_000, 10


@dataclass(frozen=True)
class Design:
    """A kind of study: clips of a subject, the intercept, and who shows strong and noise."""

    name: str
    clips: tuple[int, int]
    intercept: float
    share: str
    shown: float = 1.0


DESIGNS = (
    Design("16 clips, half of them positive", (16, 16), 0.0, "half"),
    Design("4 to 28 clips, about a tenth of them positive", (4, 28), -3.0, "a tenth"),
    Design("4 to 28 clips, half of them positive, two features in a fifth of the subjects", (4, 28),
           0.0, "half", shown=0.2),
)  # fmt: skip


def study(rng: np.random.Generator, design: Design, subjects: int) -> pd.DataFrame:
    """Simulate the clips of a study."""
    low, high = design.clips
    subject = np.repeat(np.arange(subjects), rng.integers(low, high + 1, subjects))
    n = len(subject)
    X = np.sqrt(0.4) * rng.normal(size=(subjects, 3))[subject] + np.sqrt(0.6) * rng.normal(
        size=(n, 3)
    )
    shows = rng.random(subjects) < design.shown
    if not shows.any():
        shows[rng.integers(subjects)] = True
    if design.shown < 1:
        X[:, [0, 2]] = np.where(shows[subject, None], 2 * X[:, [0, 2]], 0.0)
    latent = design.intercept + X @ TRUE + SUBJECT * rng.normal(size=subjects)[subject]
    table = pd.DataFrame(X, columns=FEATURES)
    return table.assign(
        subject=subject, context="all", y=(rng.random(n) < expit(latent)).astype(int)
    )


class Logistic:
    """The fitted model, in the form of a classifier of scikit-learn."""

    classes_ = np.array([0, 1])

    def __init__(self, design: Design) -> None:
        self.intercept = design.intercept

    def likely(self, X: np.ndarray) -> np.ndarray:
        """Return the probability of the positive class."""
        return np.asarray(expit(self.intercept + np.einsum("ij,j->i", X, FITTED)))

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Return the probabilities of both classes."""
        p = self.likely(X[FEATURES].to_numpy())
        return np.column_stack([1 - p, p])

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Return the likelier class."""
        return (self.likely(X[FEATURES].to_numpy()) > 0.5).astype(int)

    def predictions(self, X: np.ndarray, context: str) -> np.ndarray:
        """Return class and probabilities, as the package adds them up."""
        p = self.likely(X)
        return np.column_stack([p > 0.5, 1 - p, p]).astype(float)


@cache
def true_values(design: Design) -> dict[tuple[str, str, str], float]:
    """Return the true importance by kind, metric and feature."""
    rng = np.random.default_rng([SEED, 3])
    large = study(rng, design, LARGE)
    model = Logistic(design)
    X, y = large[FEATURES].to_numpy(), large["y"].to_numpy(dtype=float)
    subject = large["subject"].to_numpy()
    size = np.bincount(subject)
    means = np.stack([np.bincount(subject, x) / size for x in X.T], axis=1)

    def sums(values: np.ndarray) -> np.ndarray:
        everything = np.zeros(len(y), dtype=np.int64)
        return MEASURES.before(y, model.predictions(values, ""), everything)

    before = sums(X)
    found = {}
    for kind in KINDS:
        after = np.zeros((3, TABLE + 4))
        for _ in range(OTHERS):
            if kind == "rows":
                other = X[rng.permutation(len(X))]
            elif kind == "within":
                start = np.r_[0, np.cumsum(size)[:-1]][subject]
                step = 1 + rng.integers(0, np.maximum(size[subject] - 1, 1))
                other = X[start + (np.arange(len(X)) - start + step) % size[subject]]
            else:
                other = X - means[subject] + means[rng.permutation(LARGE)][subject]
            for j in range(3):
                changed = X.copy()
                changed[:, j] = other[:, j]
                after[j] += sums(changed)[0] / OTHERS
        for metric in METRICS:
            old = MEASURES.metric(metric, before)
            for j, feature in enumerate(FEATURES):
                new = MEASURES.metric(metric, after[j][None])
                found[kind, metric, feature] = float(MEASURES.importance(metric, old, new))
    return found


def counted(design: Design, subjects: int, studies: range) -> Counts:
    """Count how many intervals there are, and how many hold the true value."""
    true, model = true_values(design), Logistic(design)
    counts: Counts = defaultdict(lambda: [0.0, 0.0, 0.0])
    for number in studies:
        table = study(np.random.default_rng([SEED, 4, subjects, number]), design, subjects)
        for kind in KINDS:
            found = importance.quantities(table, kind, MEASURES, model.predictions, METRICS)
            evidence = evidence_of(found)
            limits = jackknife_t(evidence, 0.95)
            if number == 0:
                check(table, kind, model, evidence, limits)
            for row, low, high in zip(found.rows, limits.low, limits.high, strict=True):
                if row.term == "weak":
                    continue
                value = true[kind, row.metric, row.term]
                key = f"{kind}: {row.metric}, {row.term}"
                new = [1.0, float(not np.isnan(low)), float(low <= value <= high)]
                counts[key] = [a + b for a, b in zip(counts[key], new, strict=True)]
    return counts


def check(
    table: pd.DataFrame, kind: str, model: Logistic, evidence: Evidence, intervals: Intervals
) -> None:
    """Raise an error unless the public function has the same numbers."""
    found = feature_importance(
        model, table, label="y", features=FEATURES, cluster="subject", permute=kind,
        metrics=METRICS,
    ).tidy()  # fmt: skip
    for name, values in (
        ("estimate", evidence.estimate),
        ("conf_low", intervals.low),
        ("conf_high", intervals.high),
    ):
        np.testing.assert_allclose(found[name], values, rtol=1e-6, atol=1e-9)


def one_piece(number: int, subjects: int, piece: int) -> None:
    """Count the studies of one piece, unless its file is there."""
    path = PIECES / f"classes-{number}-{subjects}-{piece:04d}.json"
    if not path.exists():
        warnings.simplefilter("ignore")
        studies = range(piece * PIECE, (piece + 1) * PIECE)
        write_text(path, json.dumps(counted(DESIGNS[number], subjects, studies)))


def work(piece: int) -> list[Any]:
    """Return a piece of every cell, for `work.do`."""
    return [(one_piece, (k, n, piece)) for k in range(len(DESIGNS)) for n in SUBJECTS]


def section() -> Sequence[str]:
    """Return the section of the page."""
    lines: list[str] = []
    for number, design in enumerate(DESIGNS):
        cells = {n: importance.gathered(f"classes-{number}-{n}") for n in SUBJECTS}
        own = {n: one for n, one in cells.items() if one}
        if not own:
            continue
        lines += [
            "",
            f"## Classes, {design.name}",
            "",
            f"{importance.studied(list(own.values()))} studies a cell, two classes, a logistic "
            "model with known slopes, one context.",
            "",
            *importance.table(
                [f"{n} subjects" for n in own], list(own.values()), list(next(iter(own.values())))
            ),
        ]
    return lines
