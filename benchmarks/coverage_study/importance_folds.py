"""Coverage of the importance of features by cross-validation, of both kinds of interval.

A part of importance.py. Least squares, whose fits without each subject come in closed form from
sums per subject; the first study of each cell is compared with the public function.

The interval for the fitted models is to cover the importance of the models of these folds for new
subjects, each fold weighted by its clips. That for the procedure is to cover the mean of this
importance over training sets: over other studies of as many subjects. Both are known in closed
form, because the features are independent of each other and of the error.
"""

from __future__ import annotations

import json
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import importance
import numpy as np
import pandas as pd
from importance import FEATURES, METRICS, PIECE, PIECES, SEED, SLOPES, Counts
from sklearn.linear_model import LinearRegression

from pyexpr.base.contexts import ALL
from pyexpr.base.files import write_text
from pyexpr.modeling.fitting.fit_models import fit_models
from pyexpr.modeling.importance.donors import pairs_of
from pyexpr.modeling.importance.exchanged import Cell
from pyexpr.modeling.importance.exchanges import CellSums, changes_of, exchange_of
from pyexpr.modeling.importance.fitted import FittedModel
from pyexpr.modeling.importance.importance import evidence_of, feature_importance
from pyexpr.modeling.importance.of_numbers import AE, PP, PY, SE, YY, N, NumberMeasures, P, Y
from pyexpr.modeling.importance.predictor import Predictor
from pyexpr.modeling.importance.quantities import Quantities, quantities_of
from pyexpr.resampling.intervals.evidence import Evidence
from pyexpr.resampling.intervals.jackknife_t import jackknife_t

FOLDS = 5
SUBJECTS = (15, 25, 40)
TRAINING_SETS = 4000
FITTED, PROCEDURE = "fitted models", "procedure"
BETA = SLOPES["a"]


@dataclass(frozen=True)
class Design:
    """A kind of study of one context."""

    name: str
    clips: tuple[int, int]
    skewed: bool = False


DESIGNS = (
    Design("6 clips", (6, 6)),
    Design("2 to 14 clips, skewed features and errors", (2, 14), skewed=True),
)


@dataclass(frozen=True)
class Study:
    """Each clip's subject, an intercept and the features, the score; and each subject's fold."""

    subject: np.ndarray
    Z: np.ndarray
    y: np.ndarray
    fold: np.ndarray

    def fits(self) -> np.ndarray:
        """Return intercept and slopes of the model of each fold, (FOLDS, 4)."""
        gram, product = self.by_subject()
        found = []
        for k in range(FOLDS):
            train = self.fold != k
            found.append(np.linalg.solve(gram[train].sum(axis=0), product[train].sum(axis=0)))
        return np.array(found)

    def by_subject(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the cross-products of each subject, (G, 4, 4) and (G, 4)."""
        starts = np.flatnonzero(np.r_[True, self.subject[1:] != self.subject[:-1]])
        gram = np.add.reduceat(self.Z[:, :, None] * self.Z[:, None, :], starts)
        return gram, np.add.reduceat(self.Z * self.y[:, None], starts)

    def truth(self) -> np.ndarray:
        """Return the importance of the folds' models for new subjects, (metrics, features)."""
        fits = self.fits()
        share = np.bincount(self.fold[self.subject], minlength=FOLDS) / len(self.y)
        b = fits[:, 1:]
        # Features and error have variance 1; an exchange adds 2 b beta to the squared error.
        before = share @ (np.sum((BETA - b) ** 2, axis=1) + 1 + fits[:, 0] ** 2)
        rmse = np.sqrt(before + share @ (2 * b * BETA)) - np.sqrt(before)
        norm = np.sqrt(np.sum(b**2, axis=1) * (np.sum(BETA**2) + 1))
        return np.array([rmse, share @ (b * BETA / norm[:, None])])


def study(rng: np.random.Generator, design: Design, subjects: int) -> Study:
    """Simulate a study whose models are to be fitted."""
    low, high = design.clips
    subject = np.repeat(np.arange(subjects), rng.integers(low, high + 1, subjects))
    n = len(subject)

    def noise(size: Any) -> np.ndarray:
        return importance.noise(rng, size, skewed=design.skewed)

    X = np.sqrt(0.4) * noise((subjects, 3))[subject] + np.sqrt(0.6) * noise((n, 3))
    error = np.sqrt(0.3) * noise(subjects)[subject] + np.sqrt(0.7) * noise(n)
    fold = rng.permutation(np.arange(subjects) % FOLDS)
    return Study(subject, np.column_stack([np.ones(n), X]), X @ BETA + error, fold)


@cache
def expected(design: Design, subjects: int) -> np.ndarray:
    """Return the true importance of the procedure, (metrics, features)."""
    rng = np.random.default_rng([SEED, 1, subjects])
    return np.mean([study(rng, design, subjects).truth() for _ in range(TRAINING_SETS)], axis=0)


def evidence(one: Study) -> tuple[Evidence, Evidence]:
    """Return what the intervals for the fitted models, and for the procedure, are made of."""
    centre, G = float(one.y.mean()), len(one.fold)
    measures = NumberMeasures(centre)
    # Without the mean of the score, as the function adds up squares.
    centred = replace(one, y=one.y - centre)
    gram, product = centred.by_subject()
    whole = centred.fits()
    cells, sums = [], []
    before, after = (np.zeros((FOLDS, G, 8)), np.zeros((3, FOLDS, G, 8)))
    for k in range(FOLDS):
        rows = np.flatnonzero(one.fold[one.subject] == k)
        Z, y = one.Z[rows], centred.y[rows]
        present, own = np.unique(one.subject[rows], return_inverse=True)
        own = own.reshape(-1)
        pairs = pairs_of(own, "rows", 20, 0, k)
        exchange = exchange_of(own, pairs.target, pairs.from_subject)
        delta = (Z[pairs.donor] - Z[pairs.target])[:, 1:]
        p = Z @ whole[k]
        exchanged = [p[pairs.target] + b * d for b, d in zip(whole[k, 1:], delta.T, strict=True)]
        plain = NumberMeasures()
        changes = [changes_of(plain.columns(y, p, new, exchange), exchange) for new in exchanged]
        moved = [plain.moved(p, new, exchange) for new in exchanged]
        model: Any = FittedModel("m", Predictor(None, ""), pd.DataFrame(), y, rows, 0, k)
        cells.append(Cell(model, 0, rows, k))
        sums.append(CellSums(present, plain.before(y, p, own), np.array(changes), np.array(moved),
                             np.ones(3, dtype=bool)))  # fmt: skip
        _without_each(
            centred, k, gram, product, sums[-1], (Z, y, delta, exchange), before[k], after[:, k]
        )
    found = quantities_of(
        cells, sums, terms=["m"], groups=FEATURES, contexts=[ALL], metrics=METRICS,
        measures=measures, n_subjects=G, folds=True,
    )  # fmt: skip
    return evidence_of(found), evidence_of(_of_procedure(found, before, after, measures))


def _of_procedure(
    found: Quantities, before: np.ndarray, after: np.ndarray, measures: NumberMeasures
) -> Quantities:
    values = np.array([
        measures.importance(metric, measures.metric(metric, before), measures.metric(metric, new))
        for metric in METRICS
        for new in after
    ])  # fmt: skip
    (group,) = found.groups
    return replace(found, groups=[replace(group, values=values[group.rows])])


def _without_each(
    one: Study, k: int, gram: np.ndarray, product: np.ndarray, cell: CellSums, own: Any,
    before: np.ndarray, after: np.ndarray,
) -> None:  # fmt: skip
    """Fill the sums of a fold without each subject, (G, 8) and (features, G, 8).

    A subject of the fold is left out of its sums; the model is fitted again without any other.
    """
    Z, y, delta, exchange = own
    for at, subject in enumerate(cell.subjects):
        before[subject] = cell.before.sum(axis=0) - cell.before[at]
        for j in range(3):
            after[j, subject] = before[subject]
            after[j, subject, [P, PP, PY, SE, AE]] += cell.changes[j, 1 + at]
    train = np.flatnonzero(one.fold != k)
    fits = np.linalg.solve(
        gram[train].sum(axis=0) - gram[train],
        (product[train].sum(axis=0) - product[train])[..., None],
    )[..., 0]  # fmt: skip
    columns = np.zeros((len(train), 8))
    columns[:, N], columns[:, Y], columns[:, YY] = len(y), y.sum(), y @ y
    columns[:, P] = fits @ Z.sum(axis=0)
    columns[:, PP] = np.einsum("si,ij,sj->s", fits, Z.T @ Z, fits)
    columns[:, PY] = fits @ (Z.T @ y)
    columns[:, SE] = columns[:, YY] - 2 * columns[:, PY] + columns[:, PP]
    before[train] = columns
    weight = (exchange.rows / exchange.pairs)[exchange.to]
    for j, d in enumerate(delta.T):
        b, weighted = fits[:, 1 + j], weight * d
        more_pp = 2 * b * (fits @ (Z[exchange.target].T @ weighted)) + b**2 * (weighted @ d)
        more_py = b * (weighted @ y[exchange.target])
        new = columns.copy()
        new[:, P] += b * weighted.sum()
        new[:, PP] += more_pp
        new[:, PY] += more_py
        new[:, SE] += more_pp - 2 * more_py
        after[j, train] = new


def counted(design: Design, subjects: int, studies: range) -> Counts:
    """Count how many intervals of either kind hold their true value."""
    mean = expected(design, subjects)
    counts: Counts = defaultdict(lambda: [0.0, 0.0, 0.0])
    for number in studies:
        one = study(np.random.default_rng([SEED, 2, subjects, number]), design, subjects)
        if number == 0:
            one = check(one)
        for name, made, true in zip(
            (FITTED, PROCEDURE), evidence(one), (one.truth(), mean), strict=True
        ):
            found = jackknife_t(made, 0.95)
            keys = [f"{name}: {metric}, {term}" for metric in METRICS for term in FEATURES]
            for key, low, high, value in zip(
                keys, found.low, found.high, true.reshape(-1), strict=True
            ):
                new = [1.0, float(not np.isnan(low)), float(low <= value <= high)]
                counts[key] = [a + b for a, b in zip(counts[key], new, strict=True)]
    return counts


def check(one: Study) -> Study:
    """Return the study in the folds of `fit_models`; raise an error unless intervals agree."""
    table = pd.DataFrame(one.Z[:, 1:], columns=FEATURES).assign(subject=one.subject, y=one.y)
    fitted = fit_models(
        table, label="y", features=FEATURES, cluster="subject", folds=FOLDS,
        models={"ols": LinearRegression()},
    )  # fmt: skip
    fold = fitted.folds.sort_values("cluster")["fold"].to_numpy()
    one = replace(one, fold=fold - fold.min())
    for name, made in zip((FITTED, PROCEDURE), evidence(one), strict=True):
        theirs = feature_importance(fitted, metrics=METRICS, interval_for=name).tidy()
        ours = jackknife_t(made, 0.95)
        for column, values in (
            ("estimate", made.estimate),
            ("conf_low", ours.low),
            ("conf_high", ours.high),
        ):
            np.testing.assert_allclose(theirs[column], values, rtol=1e-6, atol=1e-9)
    return one


def one_piece(number: int, subjects: int, piece: int) -> None:
    """Count the studies of one piece, unless its file is there."""
    path = PIECES / f"folds-{number}-{subjects}-{piece:04d}.json"
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
        cells = {n: importance.gathered(f"folds-{number}-{n}") for n in SUBJECTS}
        own = {n: one for n, one in cells.items() if one}
        if not own:
            continue
        lines += [
            "",
            f"## Cross-validation, {design.name}",
            "",
            f"{importance.studied(list(own.values()))} studies a cell, {FOLDS} folds, least "
            "squares, exchange of rows, independent features. The true value for the fitted models "
            "is the importance of the models of the folds for new subjects, weighted by the clips "
            "of the folds; that for the procedure is its mean over "
            f"{TRAINING_SETS:,} other studies of as many subjects. Both are in closed form.",
            "",
            *importance.table(
                [f"{n} subjects" for n in own], list(own.values()), list(next(iter(own.values())))
            ),
        ]
    return lines
