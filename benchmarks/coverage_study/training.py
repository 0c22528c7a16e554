"""Coverage of intervals that count the subjects of training, and of those that do not.

    python benchmarks/coverage_study/training.py [--studies N] [--only NAME]

Two ridge regressions on two sets of eight features are compared by repeated 5-fold
cross-validation by subject. Refits come in closed form from sums per subject, and the package
makes the intervals of them. The true value of the procedure is the mean of 4,000
training sets of the size fitted, each evaluated on 60,000 other subjects, that of the fitted model
is that of the model fitted to all subjects of the study. Writes docs/coverage_training.md.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pyexpr.base.files import write_text
from pyexpr.inference.comparison.folds import fold_inflation
from pyexpr.modeling.fitting.corrected_t import corrected_error
from pyexpr.modeling.fitting.nested import nested_interval
from pyexpr.modeling.fitting.procedure_intervals import students
from pyexpr.resampling.intervals.evidence import Evidence, JackknifeGroup
from pyexpr.resampling.intervals.jackknife_t import jackknife_t

Array = np.ndarray

ROOT = Path(__file__).parents[2]
SEED = 20261130
FOLDS, REPEATS = 5, 5
FEATURES = 8
PENALTY = 5.0
TRAINING_SETS, EVALUATED = 4000, 60_000
WEIGHTS = np.array([0.5, 0.3, 0.2, 0, 0, 0, 0, 0])
QUANTITIES = ("RMSE", "difference of RMSE", "correlation", "difference of correlations")
SCALES = ("negative_reciprocal", "identity", "atanh", "identity")
SIMPLE = np.array([False, False, True, True])
FIXED = "models as given"
FIXED_FITTED = "models as given, of the fitted model"
ONCE = "jackknife, 1 repeat"
METHODS = (FIXED, ONCE, "jackknife", "corrected t", "nested", "nested, of the fitted model",
           FIXED_FITTED)  # fmt: skip


@dataclass(frozen=True)
class Design:
    """A kind of study: 1 to 12 clips a subject, and one subject with 24."""

    name: str
    subjects: int
    useless: bool = False
    skewed: bool = False


DESIGNS = tuple(
    Design(name, n, useless, skewed)
    for n in (20, 28, 60)
    for name, useless, skewed in (
        ("one set useful", False, False),
        ("both useless", True, False),
        ("one set useful, skewed scores", False, True),
        ("both useless, skewed scores", True, True),
    )
)


@dataclass(frozen=True)
class Study:
    """Subjects, an intercept and two sets of features, and the score of each clip."""

    codes: Array
    sets: tuple[Array, Array]
    y: Array


def study(rng: np.random.Generator, design: Design) -> Study:
    """Simulate one study; subjects have means of their own in features and score."""
    n = rng.integers(1, 13, size=design.subjects)
    n[rng.integers(design.subjects)] = 24
    codes = np.repeat(np.arange(design.subjects), n)

    def features() -> Array:
        own = 0.6 * rng.normal(size=(design.subjects, FEATURES))[codes]
        return own + 0.8 * rng.normal(size=(len(codes), FEATURES))

    first, second = features(), features()
    person = rng.normal(size=design.subjects)[codes]
    noise = rng.normal(size=len(codes))
    y = (
        0.7 * person + 0.7 * noise
        if design.useless
        else first @ WEIGHTS + 0.5 * person + 0.7 * noise
    )
    if design.skewed:
        y = np.exp(0.8 * y)
    ones = np.ones((len(codes), 1))
    return Study(codes, (np.hstack([ones, first]), np.hstack([ones, second])), y)


def by_subject(codes: Array, values: Array, n: int) -> Array:
    """Return sums of (rows, ...) by subject, (n, ...)."""
    found = np.zeros((n, *values.shape[1:]))
    np.add.at(found, codes, values)
    return found


class Sums:
    """Cross-products by subject of one set of features, and ridge fits from them."""

    penalty = np.diag([1e-9, *[PENALTY] * FEATURES])

    def __init__(self, one: Study, Z: Array, n: int) -> None:
        self.gram = by_subject(one.codes, Z[:, :, None] * Z[:, None, :], n)
        self.product = by_subject(one.codes, Z * one.y[:, None], n)

    def fits(self, gram: Array, product: Array) -> Array:
        """Return the weights for (m, p, p) and (m, p)."""
        return np.linalg.solve(gram + self.penalty, product[..., None])[..., 0]


def metric(n: Array, sse: Array, p: Array, pp: Array, py: Array, y: Array, yy: Array) -> Array:
    """Return the correlation from sums."""
    cov, vp, vy = py - p * y / n, pp - p * p / n, yy - y * y / n
    return cov / np.sqrt(vp * vy)


def of_repeat(one: Study, design: Design, fold: Array) -> dict[str, Array]:
    """Return the metrics of both sets: whole, without each subject, refitted or not; by fold.

    ``whole`` (4,), ``fixed`` and ``refitted`` (4, G), ``folds`` (4, K) with the order of
    `QUANTITIES`; ``outer`` (2, G) and ``inner`` (2, K, G), sums of squared errors by subject.
    """
    G, K = design.subjects, FOLDS
    n = np.bincount(one.codes, minlength=G).astype(float)
    rows_of = np.bincount(fold, weights=n, minlength=K)
    sse = np.zeros((2, 3, G))  # whole, fixed, refitted: total without each
    weighted = np.zeros((2, 3, G))
    left = np.zeros((3, G))
    by_fold = np.zeros((2, 2, K))
    outer, inner = np.zeros((2, G)), np.full((2, K, G), np.nan)
    for s, Z in enumerate(one.sets):
        sums = Sums(one, Z, G)
        gram, product = sums.gram.sum(axis=0), sums.product.sum(axis=0)
        per_fold = [(sums.gram[fold == k].sum(axis=0), sums.product[fold == k].sum(axis=0))
                    for k in range(K)]  # fmt: skip
        for k in range(K):
            test, train = np.flatnonzero(fold == k), np.flatnonzero(fold != k)
            rows = fold[one.codes] == k
            y, codes = one.y[rows], np.searchsorted(test, one.codes[rows])
            base = gram - per_fold[k][0], product - per_fold[k][1]
            weights = sums.fits(
                np.concatenate([base[0][None], base[0] - sums.gram[train]]),
                np.concatenate([base[1][None], base[1] - sums.product[train]]),
            )
            P = weights @ Z[rows].T
            m = len(y)
            total = np.stack([((y - P) ** 2).sum(1), P.sum(1), (P * P).sum(1), (P * y).sum(1)])
            r = metric(m, total[0], *total[1:], y.sum(), (y * y).sum())
            own = by_subject(codes, np.stack([(y - P[0]) ** 2, P[0], P[0] ** 2, P[0] * y, y, y * y],
                                             axis=1), len(test)).T  # fmt: skip
            rest = own.sum(axis=1, keepdims=True) - own
            counts = m - n[test]
            r_rest = metric(counts, *rest)
            outer[s, test] = own[0]
            by_fold[s, :, k] = np.sqrt(total[0, 0] / m), r[0]
            for j in range(3):
                sse[s, j, test] += rest[0] if j else total[0, 0]
                weighted[s, j, test] += counts * r_rest if j else m * r[0]
                sse[s, j, train] += total[0, 1:] if j == 2 else total[0, 0]
                weighted[s, j, train] += m * (r[1:] if j == 2 else r[0])
            for other in range(K):
                if other != k:
                    two = sums.fits(
                        (base[0] - per_fold[other][0])[None], (base[1] - per_fold[other][1])[None]
                    )
                    there = fold[one.codes] == other
                    errors = (one.y[there] - (two @ Z[there].T)[0]) ** 2
                    sums_of = by_subject(one.codes[there], errors, G)
                    inner[s, k, fold == other] = sums_of[fold == other]
    left[0], left[1:] = n.sum(), n.sum() - n
    rmse, r = np.sqrt(sse / left), weighted / left
    made = np.stack([rmse[0], rmse[0] - rmse[1], r[0], r[0] - r[1]])
    values = np.stack([by_fold[0, 0], by_fold[0, 0] - by_fold[1, 0], by_fold[0, 1],
                       by_fold[0, 1] - by_fold[1, 1]])  # fmt: skip
    assert rows_of.sum() == n.sum()
    return {"whole": made[:, 0, 0], "fixed": made[:, 1], "refitted": made[:, 2], "folds": values,
            "outer": outer, "inner": inner, "n": n}  # fmt: skip


def jackknifed(
    whole: Array, values: Array, n: Array, inflation: Array | None = None
) -> tuple[Array, Array]:
    """Return the limits of `jackknife_t`."""
    effective = np.full((len(whole), 1), n.sum() ** 2 / (n**2).sum())
    evidence = Evidence(
        whole, SCALES, SIMPLE, np.zeros(len(whole)), np.empty((len(whole), 0)),
        [JackknifeGroup(np.arange(len(whole)), values, (values.shape[1],), effective)],
        [""] * len(whole), lambda: np.empty((len(whole), 0)), inflation=inflation,
    )  # fmt: skip
    found = jackknife_t(evidence, 0.95)
    return found.low, found.high


def with_t(estimate: Array, error: Array, df: float, rows: slice) -> tuple[Array, Array]:
    """Return the limits of `students`."""
    found = students(
        estimate, error, np.full(len(estimate), df), scale=SCALES[rows],
        null=np.zeros(len(estimate)), confidence=0.95, reason=[""] * len(estimate),
    )  # fmt: skip
    return found.low, found.high


def intervals(one: Study, design: Design, folds: Array) -> dict[str, tuple[Array, Array]]:
    """Return the limits of every method, of all quantities or the first two."""
    found = [of_repeat(one, design, fold) for fold in folds]
    n, G = found[0]["n"], design.subjects
    mean = {name: np.mean([each[name] for each in found], axis=0)
            for name in ("whole", "fixed", "refitted")}  # fmt: skip
    worth = n.sum() ** 2 / (n**2).sum()
    wider = fold_inflation("pooled", worth, FOLDS, len(folds))
    values = np.concatenate([each["folds"] for each in found], axis=1)
    mse = mean["whole"][0] ** 2, (mean["whole"][0] - mean["whole"][1]) ** 2
    levels = []
    for name in ("outer", "inner"):
        parts = np.array([each[name] for each in found])  # (R, 2, [K,] G)
        per = [np.sqrt(mse[s]) + (parts[:, s] - mse[s] * n) / n.mean() / (2 * np.sqrt(mse[s]))
               for s in range(2)]  # fmt: skip
        levels.append((per[0], per[0] - per[1]))
    estimates, errors = np.array(
        [nested_interval(outer, inner, folds) for outer, inner in zip(*levels, strict=True)]
    ).T
    first = found[0]
    return {
        FIXED: jackknifed(mean["whole"], mean["fixed"], n, np.array([1, 1, wider, wider])),
        ONCE: jackknifed(first["whole"], first["refitted"], n),
        "jackknife": jackknifed(mean["whole"], mean["refitted"], n),
        "corrected t": with_t(
            values.mean(axis=1), corrected_error(values, FOLDS), min(values.shape[1], G) - 1,
            slice(0, 4),
        ),
        "nested": with_t(estimates, errors, G - 1, slice(0, 2)),
    }  # fmt: skip


class Population:
    """Many other subjects, and the performance of given weights on them, from their moments."""

    def __init__(self, design: Design) -> None:
        one = study(np.random.default_rng(SEED), replace(design, subjects=EVALUATED))
        y, n = one.y, len(one.y)
        self.square, self.mean = float(y @ y) / n, float(y.mean())
        self.moments = [(Z.T @ Z / n, Z.T @ y / n) for Z in one.sets]

    def performance(self, weights: list[Array]) -> Array:
        """Return mean squared errors and correlations of both sets, (4,)."""
        errors, correlations = [], []
        for w, (gram, product) in zip(weights, self.moments, strict=True):
            pp, py, p = w @ gram @ w, w @ product, gram[0] @ w
            errors.append(pp - 2 * py + self.square)
            correlations.append(
                (py - p * self.mean) / np.sqrt((pp - p * p) * (self.square - self.mean**2))
            )
        return np.array([*errors, *correlations])

    def of_study(self, one: Study) -> Array:
        """Return that of models fitted to all of a study."""
        weights = []
        for Z in one.sets:
            gram, product = Z.T @ Z, Z.T @ one.y
            weights.append(np.linalg.solve(gram + Sums.penalty, product))
        return self.performance(weights)


def quantities(performance: Array) -> Array:
    """Return the four quantities of mean squared errors and correlations."""
    rmse, r = np.sqrt(performance[:2]), performance[2:]
    return np.array([rmse[0], rmse[0] - rmse[1], r[0], r[0] - r[1]])


def truth(design: Design, population: Population, n: int) -> Array:
    """Return the quantities of the procedure fitted to n subjects."""
    rng = np.random.default_rng(SEED + 2)
    smaller = replace(design, subjects=n)
    found = np.mean(
        [population.of_study(study(rng, smaller)) for _ in range(TRAINING_SETS)], axis=0
    )
    made = quantities(found)
    return np.where([False, design.useless, False, design.useless], 0.0, made)


def folds_of(rng: np.random.Generator, design: Design) -> Array:
    """Return the folds of all repeats, (REPEATS, subjects)."""
    in_turn = np.arange(design.subjects) % FOLDS
    return np.array([rng.permutation(in_turn) for _ in range(REPEATS)])


def rows(design: Design, studies: int) -> list[list[str]]:
    """Return a row of the page for each quantity."""
    population = Population(design)
    fitted = truth(design, population, round(design.subjects * (FOLDS - 1) / FOLDS))
    of_all = truth(design, population, design.subjects)
    covered = {method: np.zeros(4, dtype=int) for method in METHODS}
    width = {method: np.full((studies, 4), np.nan) for method in METHODS}
    rng = np.random.default_rng(SEED + 1)
    for number in range(studies):
        one = study(rng, design)
        own = quantities(population.of_study(one))
        found = intervals(one, design, folds_of(rng, design))
        found["nested, of the fitted model"], found[FIXED_FITTED] = found["nested"], found[FIXED]
        for method, (low, high) in found.items():
            wanted = of_all if method == "nested" else fitted
            wanted = own if method.endswith("fitted model") else wanted
            k = len(low)
            covered[method][:k] += (low <= wanted[:k]) & (wanted[:k] <= high)
            width[method][number, :k] = high - low
    made = []
    for q, name in enumerate(QUANTITIES):
        cells = []
        for method in METHODS:
            if np.isnan(width[method][:, q]).all():
                cells.append("")
                continue
            share = f"{covered[method][q] / studies:.3f}".replace("0.", ".")
            cells.append(f"{share} ({np.median(width[method][:, q]):.2f})")
        made.append([design.name, str(design.subjects), name, f"{fitted[q]:.3f}", *cells])
    return made


def heading(studies: int) -> list[str]:
    """Return the lines above the rows."""
    error = np.sqrt(0.95 * 0.05 / studies)
    return [
        "# Intervals that count the subjects of training, simulated",
        "",
        "Written by benchmarks/coverage_study/training.py: do not edit.",
        "",
        f"{studies:,} studies per design; proportions of nominal 95 % intervals that include "
        "the true value, and in parentheses their median width. The Monte Carlo error of a "
        f"coverage of .95 is {error:.4f}. Two ridge regressions on two sets of eight features, "
        f"{FOLDS} folds of subjects, {REPEATS} repeats; 1 to 12 clips per subject and 24 of one "
        "subject; subjects differ in their means. If both sets are useless the true differences "
        "are 0, and the size of the test is 1 minus the coverage. The true value is the "
        "performance of the procedure when it is fitted to four fifths of the subjects (nested: "
        "to all of them), and, where the column says so, that of the model fitted to all subjects "
        "of the study. *Models as given* is the interval of `compare()`, which counts the tested "
        "subjects only (for correlations its variance is about doubled for the variation between "
        "training subjects, see methods).",
        "",
        f"| design | subjects | quantity | true value | {' | '.join(METHODS)} |",
        f"|{'---|' * (4 + len(METHODS))}",
    ]


def main() -> None:
    """Run all designs and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--only", type=int, help="number of subjects; the page is not written")
    given = parser.parse_args()
    lines = heading(given.studies)
    for design in DESIGNS:
        if given.only in (None, design.subjects):
            for row in rows(design, given.studies):
                lines.append(f"| {' | '.join(row)} |")
                print(lines[-1], flush=True)
    if given.only is None:
        write_text(ROOT / "docs" / "coverage_training.md", "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
