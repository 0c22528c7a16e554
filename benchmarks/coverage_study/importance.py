"""Coverage of the importance of features, and of differences between contexts.

    python benchmarks/coverage_study/importance.py [--studies N]

The true values are those of a large sample for the same fitted model, which no study knows.
Writes docs/coverage_importance.md.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression

from pyexpr.base.files import write_text
from pyexpr.modeling.fitting.fit_models import fit_models
from pyexpr.modeling.importance.contrasts import contrasts_of
from pyexpr.modeling.importance.donors import pairs_of
from pyexpr.modeling.importance.exchanged import Cell, subject_means
from pyexpr.modeling.importance.fitted import FittedModel, Predictor
from pyexpr.modeling.importance.importance import evidence_of, feature_importance
from pyexpr.modeling.importance.quantities import quantities_of
from pyexpr.modeling.importance.sums import CellSums, before_of, changes_of, exchange_of
from pyexpr.resampling.intervals.evidence import Evidence, Intervals
from pyexpr.resampling.intervals.jackknife_t import jackknife_t

ROOT = Path(__file__).parents[2]
SEED = 20261202
SUBJECTS = (12, 20, 40)
LARGE = 20_000
# Others of each row of the large sample.
OTHERS = 15
FEATURES = ["strong", "weak", "noise"]
# Of the standardised features, in the two contexts.
SLOPES = {"a": np.array([1.0, 0.4, 0.0]), "b": np.array([0.5, 0.4, 0.0])}
# Of the fitted models: other than the true ones, as estimates are.
FITTED = {"a": np.array([0.9, 0.5, 0.15]), "b": np.array([0.6, 0.3, 0.15])}
KINDS = ("rows", "within", "subjects")
# Of a study with cross-validation, whose models are fitted.
FOLDS = 5
CLIPS = 6


@dataclass(frozen=True)
class Design:
    """A kind of study."""

    name: str
    clips: tuple[int, int] = (8, 8)  # of each context
    skewed: bool = False
    correlation: float = 0.0
    rare: bool = False


DESIGNS = (
    Design("8 clips"),
    Design("2 to 14 clips", clips=(2, 14)),
    Design("2 to 14 clips, skewed features and errors", clips=(2, 14), skewed=True),
    Design("2 to 14 clips, features correlated by .8", clips=(2, 14), correlation=0.8),
    Design("2 to 14 clips, the strong feature in a fifth of the subjects", clips=(2, 14),
           rare=True),
)  # fmt: skip


def noise(rng: np.random.Generator, size: object, *, skewed: bool) -> np.ndarray:
    """Return numbers with mean 0 and standard deviation 1."""
    return rng.gamma(1.0, 1.0, size) - 1 if skewed else rng.normal(size=size)


def study(rng: np.random.Generator, design: Design, subjects: int) -> pd.DataFrame:
    """Simulate the rows of a study."""
    parts = []
    levels = noise(rng, (subjects, 3), skewed=design.skewed)
    of_errors = noise(rng, subjects, skewed=design.skewed)
    shown = rng.random(subjects) < 0.2
    if design.rare and not shown.any():
        shown[rng.integers(subjects)] = True
    for context, slopes in SLOPES.items():
        low, high = design.clips
        subject = np.repeat(np.arange(subjects), rng.integers(low, high + 1, subjects))
        n = len(subject)
        X = np.sqrt(0.4) * levels[subject] + np.sqrt(0.6) * noise(rng, (n, 3), skewed=design.skewed)
        if design.correlation:
            r = design.correlation
            X[:, 1] = r * X[:, 0] + np.sqrt(1 - r * r) * X[:, 1]
        if design.rare:
            X[:, 0] = np.where(shown[subject], 2 * X[:, 0], 0.0)
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


def importances(
    table: pd.DataFrame, kind: str
) -> list[tuple[Evidence, list[tuple[str, str, str, str]]]]:
    """Return what the intervals of `feature_importance` and of contrasts are computed from.

    With each their rows: kind, metric, feature and context.

    By its own functions, without the time that reading a table and calling a model take.
    """
    y = table["y"].to_numpy() - table["y"].mean()
    subject = np.unique(table["subject"], return_inverse=True)[1].reshape(-1)
    cells, sums = [], []
    for number, context in enumerate(SLOPES):
        rows = np.flatnonzero((table["context"] == context).to_numpy())
        present, own = np.unique(subject[rows], return_inverse=True)
        own = own.reshape(-1)
        X, b = table[FEATURES].to_numpy()[rows], FITTED[context]
        p = np.einsum("ij,j->i", X, b)
        pairs = pairs_of(own, kind, 20, 0, number)
        means = subject_means(X, own)
        if kind == "subjects":
            given = X[pairs.target] - means[own[pairs.target]] + means[pairs.donor]
        else:
            given = X[pairs.donor]
        changed = p[pairs.target, None] + b * (given - X[pairs.target])
        exchange = exchange_of(own, pairs.target, pairs.from_subject)
        centred = p - table["y"].mean()
        changes = [
            changes_of(y[rows], centred, one - table["y"].mean(), exchange) for one in changed.T
        ]
        model: Any = FittedModel("m", Predictor(None, ""), table, y, rows)
        cells.append(Cell(model, number, rows, number))
        sums.append(CellSums(present, before_of(y[rows], centred, own), np.array(changes)))
    found = quantities_of(
        cells, sums, terms=["m"], groups=FEATURES, contexts=list(SLOPES),
        metrics=["rmse", "correlation"], n_subjects=int(subject.max()) + 1, folds=False,
    )  # fmt: skip
    evidence = evidence_of(found)
    contrasts, of_contrasts, _ = contrasts_of(
        found.rows, evidence, (found.n, found.n_clusters), "contexts", found.sizes
    )
    rows_of = [(kind, row.metric, row.term, row.context) for row in found.rows]
    both = [(evidence, rows_of)]
    if kind == "rows":
        pairs_of_contexts = [(kind, row.metric, row.terms[0], "a - b") for row in contrasts]
        both.append((of_contrasts, pairs_of_contexts))
    return both


def simulated(design: Design, subjects: int, studies: int) -> dict[str, float]:
    """Return the coverage of each quantity."""
    true = true_values(design)
    rng = np.random.default_rng(SEED + subjects)
    hits: dict[str, list[bool]] = {}
    for number in range(studies):
        table = study(rng, design, subjects)
        for kind in KINDS:
            for evidence, rows in importances(table, kind):
                found = jackknife_t(evidence, 0.95)
                if number == 0 and rows[0][3] == "a":
                    check(table, kind, evidence, found)
                for row, low, high in zip(rows, found.low, found.high, strict=True):
                    kind, metric, term, context = row
                    if context not in ("a", "a - b"):
                        continue
                    value = true[kind, metric, term, "a"]
                    if context == "a - b":
                        value -= true[kind, metric, term, "b"]
                    key = f"{kind}: {metric}, {term}" + (", a - b" if context != "a" else "")
                    hits.setdefault(key, []).append(bool(low <= value <= high))
    return {key: float(np.mean(values)) for key, values in hits.items()}


def check(table: pd.DataFrame, kind: str, evidence: Evidence, intervals: Intervals) -> None:
    """Raise an error unless the public function has the same numbers."""
    table = table.assign(is_b=(table["context"] == "b").astype(float))
    found = feature_importance(
        Linear(), table, label="y", features=FEATURES, cluster="subject", context="context",
        other_columns=["is_b"], permute=kind, metrics=["rmse", "correlation"],
    ).tidy()  # fmt: skip
    for name, values in (
        ("estimate", evidence.estimate),
        ("conf_low", intervals.low),
        ("conf_high", intervals.high),
    ):
        np.testing.assert_allclose(found[name], values, rtol=1e-6, atol=1e-9)


def of_slopes(b: np.ndarray, beta: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the MSE of a linear model with independent features, and its increase by each."""
    return float(np.sum((beta - b) ** 2) + 1.0), 2 * b * beta


def cross_validated(rng: np.random.Generator, subjects: int) -> pd.DataFrame:
    """Return a study of one context with independent features, whose models are to be fitted."""
    subject = np.repeat(np.arange(subjects), CLIPS)
    n = len(subject)
    X = np.sqrt(0.4) * rng.normal(size=(subjects, 3))[subject] + np.sqrt(0.6) * rng.normal(
        size=(n, 3)
    )
    error = np.sqrt(0.3) * rng.normal(size=subjects)[subject] + np.sqrt(0.7) * rng.normal(size=n)
    table = pd.DataFrame(X, columns=FEATURES)
    table["subject"], table["y"] = subject, X @ SLOPES["a"] + error
    return table


def target_of(fits: list[tuple[np.ndarray, float]]) -> np.ndarray:
    """Return the true importance by RMSE of the models of all folds together."""
    before, more = [], []
    for b, intercept in fits:
        mse, increase = of_slopes(b, SLOPES["a"])
        before.append(mse + intercept**2)
        more.append(before[-1] + increase)
    return np.sqrt(np.mean(more, axis=0)) - np.sqrt(np.mean(before))


def of_folds(rng: np.random.Generator, subjects: int) -> np.ndarray:
    """Return the true importance of models that are fitted to other subjects of the procedure."""
    table = cross_validated(rng, subjects)
    fold = rng.permutation(np.arange(subjects) % FOLDS)[table["subject"]]
    fits = []
    for k in range(FOLDS):
        own = table[fold != k]
        model = LinearRegression().fit(own[FEATURES], own["y"])
        fits.append((model.coef_, float(model.intercept_)))
    return target_of(fits)


def of_procedure(subjects: int, studies: int) -> dict[str, float]:
    """Return the coverage of cross-validated importance, of both kinds of interval."""
    rng = np.random.default_rng(SEED + subjects)
    expected = np.mean([of_folds(rng, subjects) for _ in range(1000)], axis=0)
    hits: dict[str, list[bool]] = {}
    for _ in range(studies):
        table = cross_validated(rng, subjects)
        fitted = fit_models(
            table, label="y", features=FEATURES, cluster="subject", folds=FOLDS,
            models={"ols": LinearRegression()},
        )  # fmt: skip
        weights = fitted.weights().pivot_table(index="fold", columns="feature", values="estimate")
        fold = fitted.folds.set_index("cluster")["fold"]
        of_row = table["subject"].map(fold).to_numpy()
        fits = []
        for k in range(FOLDS):
            b = weights.loc[k, FEATURES].to_numpy()
            own = table[of_row != k]
            intercept = float(own["y"].mean() - own[FEATURES].to_numpy().mean(axis=0) @ b)
            fits.append((b, intercept))
        true = target_of(fits)
        for interval_for, values in (("fitted models", true), ("procedure", expected)):
            result = feature_importance(fitted, interval_for=interval_for)
            for value, row in zip(values, result.tidy().itertuples(), strict=True):
                key = f"{interval_for}: {row.term}"
                hits.setdefault(key, []).append(bool(row.conf_low <= value <= row.conf_high))
    return {key: float(np.mean(values)) for key, values in hits.items()}


def share(value: float) -> str:
    """Return a coverage for a table."""
    return f"{value:.3f}".removeprefix("0")


def page(
    cells: dict[tuple[Design, int], dict[str, float]],
    procedure: dict[int, dict[str, float]],
    studies: int,
    fewer: int,
) -> str:
    """Return the page of all cells."""
    lines = [
        "# Intervals of the importance of features, simulated",
        "",
        "Written by benchmarks/coverage_study/importance.py: do not edit.",
        "",
        f"{studies:,} studies a cell, 95 % intervals. The true values are those of {LARGE:,} "
        "subjects for the same linear model, whose slopes differ from the true ones. The feature "
        "`noise` predicts nothing but has a slope in the model, so its importance is 0. The Monte "
        f"Carlo error of a coverage of .95 is {np.sqrt(0.95 * 0.05 / studies):.4f}. Two contexts "
        "of the same subjects, with different importance of `strong`; `a - b` is their difference.",
    ]
    for design in dict.fromkeys(design for design, _ in cells):
        sizes = [n for n in SUBJECTS if (design, n) in cells]
        lines += ["", f"## {design.name[0].upper()}{design.name[1:]}", ""]
        lines.append(f"| quantity | {' | '.join(f'{n} subjects' for n in sizes)} |")
        lines.append("|---|" + "---|" * len(sizes))
        for key in cells[design, sizes[0]]:
            values = [share(cells[design, n][key]) for n in sizes]
            lines.append(f"| {key} | {' | '.join(values)} |")
    if not procedure:
        return "\n".join(lines) + "\n"
    lines += [
        "",
        "## Cross-validation: of the fitted models, and of the procedure",
        "",
        f"{fewer:,} studies a cell, {CLIPS} clips a subject, {FOLDS} folds, least squares. The "
        "true value of the fitted models is that of the models of the folds; that of the procedure "
        "is the mean over 1,000 studies of other subjects. Both are known in closed form.",
        "",
        f"| interval for | {' | '.join(f'{n} subjects' for n in procedure)} |",
        "|---|" + "---|" * len(procedure),
    ]
    for key in next(iter(procedure.values())):
        lines.append(f"| {key} | {' | '.join(share(one[key]) for one in procedure.values())} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run all cells and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000)
    studies = parser.parse_args().studies
    fewer = max(studies // 2, 1)
    warnings.simplefilter("ignore")
    cells = {}
    procedure = {}
    for subjects in (15, 25):
        procedure[subjects] = of_procedure(subjects, fewer)
        print(subjects, procedure[subjects], flush=True)
    for design in DESIGNS:
        for subjects in SUBJECTS:
            cells[design, subjects] = simulated(design, subjects, studies)
            print(design.name, subjects, cells[design, subjects], flush=True)
    write_text(ROOT / "docs" / "coverage_importance.md", page(cells, procedure, studies, fewer))


if __name__ == "__main__":
    main()
