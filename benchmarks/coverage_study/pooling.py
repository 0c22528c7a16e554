"""Coverage of the intervals of pooled slopes, and of the reliability of persons' slopes.

    python benchmarks/coverage_study/pooling.py [--studies N] [--persons N]

Two features with a slope of 0.4 on average, which differ between contexts with standard deviation
tau, between subjects, and between subjects in single contexts. Writes
docs/coverage_pooling.md; a part with 0 studies stays as it is.
"""

from __future__ import annotations

import argparse
import warnings
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.special import stdtrit

from benchmarks.coverage_study.pages import with_earlier
from pyexpr.base.files import write_text
from pyexpr.inference.coefficients.data import read_data
from pyexpr.inference.persons.persons import person_slopes
from pyexpr.inference.persons.reliability import halves_of, reliability_of, spread_interval
from pyexpr.inference.pooling.design import products_of
from pyexpr.inference.pooling.estimates import Mixture, pooling_of
from pyexpr.inference.pooling.reml import fit_reml

ROOT = Path(__file__).parents[2]
SEED = 20261130
LEVEL = 0.95
MEAN = 0.4
POOLED, PERSONS = "Slopes pooled over contexts", "Slopes of persons"


@dataclass(frozen=True)
class Design:
    """A kind of study with pooled slopes.

    `one_context` gives the last context alone another slope, with the same spread of slopes.
    """

    name: str
    contexts: int
    subjects: int
    tau: float
    unequal: bool = False
    unequal_errors: bool = False
    skewed: bool = False
    rare: bool = False
    one_context: bool = False
    subject_effects: str = "contexts"


def designs() -> Iterable[Design]:
    """Yield the designs."""
    for contexts in (3, 6, 12):
        yield Design("equal", contexts, 24, 0.2)
    for contexts in (3, 6):
        base = Design("", contexts, 24, 0.2)
        yield replace(
            base, name="all of these", unequal=True, unequal_errors=True, skewed=True, rare=True
        )
        yield replace(base, name="one context differs", one_context=True)
        yield Design("equal", contexts, 24, 0.0)
    for contexts in (3, 6, 12):
        for subjects in (12, 60):
            yield Design("equal", contexts, subjects, 0.2)
    for contexts in (3, 6):
        base = Design("", contexts, 24, 0.2)
        yield replace(base, name="few subjects show the feature", rare=True)
        yield replace(base, name="unequal contexts", unequal=True)
        yield replace(base, name="errors of unequal variance", unequal_errors=True)
        yield replace(base, name="skewed errors and slopes", skewed=True)
        yield replace(
            base, name="only intercepts of subjects modelled", subject_effects="intercepts"
        )


def simulate(
    rng: np.random.Generator, design: Design
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Return the columns of a table, the label, and the slopes (contexts, 2)."""
    G, C = design.subjects, design.contexts
    rows: list[tuple[int, int]] = []
    for s in range(G):
        for c in range(C):
            absent = design.unequal and s > 3 and rng.random() < 0.25
            n = max(1, round(15 / (1 + c))) if design.unequal else 6
            rows += [] if absent else [(s, c)] * n
    s, c = np.array(rows).T
    n = len(s)

    def drawn(*shape: int) -> np.ndarray:
        return rng.exponential(size=shape) - 1 if design.skewed else rng.normal(size=shape)

    x = rng.normal(size=(n, 2)) + 0.5 * rng.normal(size=(G, 2))[s]
    x[:, 1] += 0.6 * x[:, 0]
    if design.rare:
        shows = rng.random(G) < 0.35
        shows[:3] = True
        x[:, 0] = np.where(shows[s] & (rng.random(n) < 0.4), rng.exponential(size=n), 0.0)
    slopes = MEAN + design.tau * rng.normal(size=(C, 2))
    if design.one_context:
        slopes = np.full((C, 2), MEAN)
        slopes[-1] += design.tau * np.sqrt(C)
    cell = 0.25
    own = slopes[c] + 0.2 * drawn(G, 2)[s] + cell * drawn(G, C, 2)[s, c]
    e = drawn(n)
    if design.unequal_errors:
        e *= (0.5 + c / (C - 1)) * np.sqrt(0.5 + 0.5 * x[:, 1] ** 2)
        e *= rng.gamma(4, 1 / 4, size=G)[s]
    y = 0.2 * c + np.sum(own * x, axis=1) + 0.6 * drawn(G)[s] + 2 * cell * drawn(G, C)[s, c] + e
    labels = np.array([f"c{i:02d}" for i in range(C)])
    return {"f": x[:, 0], "g": x[:, 1], "subject": s, "context": labels[c]}, y, slopes


def measured(rng: np.random.Generator, design: Design) -> list[dict[str, float]] | None:
    """Return what the intervals of one study covered, for each feature; None if it has none."""
    table, y, slopes = simulate(rng, design)
    data = read_data(table, y, context="context", cluster="subject", y_pooled=None, rows=None)
    if data.constant.any():
        return None
    products = products_of(data, design.subject_effects)
    mixed = fit_reml(products)
    names = [str(i) for i in range(products.X.shape[1])]
    pooling = pooling_of(products, mixed, names, data.subjects)
    pooled = pooling.matrices(pooling.between)[0] @ pooling.separate
    tests = pooling.fit.contrasts(np.eye(len(pooling.feature), len(names)))
    tail = (1 - LEVEL) / 2
    C = design.contexts
    pairs = list(combinations(range(C), 2))
    weights = np.zeros((len(pairs), C))
    for row, (a, b) in zip(weights, pairs, strict=True):
        row[a], row[b] = 1.0, -1.0
    found = []
    for j in range(2):
        at = pooling.feature == j
        true = slopes[:, j] * data.scale[j]
        own = pooling.separate[at]
        half = stdtrit(tests.df[at], 1 - tail) * tests.std_error[at]
        spread = pooling.spreads[j]
        if spread.reason or any(pooling.why_not(k) for k in np.flatnonzero(at)):
            return None

        mixture = pooling.mixture(j, np.eye(C))
        low, high = mixture.quantile(tail), mixture.quantile(1 - tail)
        low_tau, high_tau = spread.quantile(np.array([tail, 1 - tail]))
        covered = (low <= true) & (true <= high)
        middle = true.mean() if design.one_context else MEAN * data.scale[j]
        tau = true.std(ddof=1) if design.one_context else design.tau * data.scale[j]
        found.append(
            {
                "pooled": covered.mean(),
                "last": covered[-1],
                "separate": (np.abs(own - true) <= half).mean(),
                "contrast": inside(pooling.mixture(j, weights), weights @ true),
                "tau": low_tau <= tau <= high_tau,
                "common": inside(
                    pooling.mixture(j, np.ones((1, 1)), common=True), np.array([middle])
                ),
                "rejected": spread.p_value < 0.05,
                "width": float(np.median((high - low) / (2 * half))),
                "error": float(np.mean((pooled[at] - true) ** 2)),
                "error_separate": float(np.mean((own - true) ** 2)),
            }
        )
    return found


def inside(mixture: Mixture, true: np.ndarray) -> float:
    """Return the proportion of true values that the intervals hold."""
    below = mixture.below(true)
    return float(np.mean((below >= (1 - LEVEL) / 2) & (below <= (1 + LEVEL) / 2)))


def pooled_row(design: Design, studies: int) -> str:
    """Return a row of the table of pooled slopes."""
    rng = np.random.default_rng(SEED)
    sums: dict[str, list[float]] = defaultdict(list)
    missing = 0
    for _ in range(studies):
        found = measured(rng, design)
        if found is None:
            missing += 1
            continue
        # With a rare feature only that feature.
        for one in found[:1] if design.rare else found:
            for name, value in one.items():
                sums[name].append(float(value))
    mean = {name: float(np.mean(values)) for name, values in sums.items()}
    shown = [
        f"{mean[name]:.3f}".replace("0.", ".")
        for name in ("pooled", "separate", "contrast", "tau", "common", "rejected")
    ]
    if design.one_context:
        shown[0] += f" ({mean['last']:.2f})".replace("0.", ".")
    root = np.sqrt(mean["error"] / mean["error_separate"])
    cells = [
        design.name, design.contexts, design.subjects, f"{design.tau:g}", *shown,
        f"{mean['width']:.2f}", f"{root:.2f}", f"{100 * missing / studies:.0f} %",
    ]  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


@dataclass(frozen=True)
class Persons:
    """A kind of study with slopes of persons."""

    name: str
    subjects: int = 40
    rows: tuple[int, int] = (12, 12)
    sd: float = 0.4
    unequal_errors: bool = False
    unequal_signal: bool = False
    skewed: bool = False
    kind: str = "slope"


def person_designs() -> Iterable[Persons]:
    """Yield the designs."""
    base = Persons("12 rows each")
    for kind in ("slope", "correlation"):
        one = replace(base, kind=kind)
        for subjects in (12, 20, 40, 100):
            yield replace(one, subjects=subjects)
        yield replace(one, name="small differences", sd=0.15)
        yield replace(one, name="no differences", sd=0.0)
        yield replace(one, name="6 to 30 rows", rows=(6, 30))
        if kind == "slope":
            yield replace(one, name="errors of unequal variance", unequal_errors=True)
            yield replace(one, name="signals of unequal variance", unequal_signal=True)
            yield replace(one, name="skewed errors and slopes", skewed=True)
            yield replace(
                one, name="all of these", rows=(6, 30), unequal_errors=True, unequal_signal=True,
                skewed=True,
            )  # fmt: skip


def person_study(
    rng: np.random.Generator, design: Persons
) -> tuple[dict[str, np.ndarray], np.ndarray, float]:
    """Return the table, the true slopes or atanh of correlations, and their true variance."""
    G = design.subjects
    subject = np.repeat(np.arange(G), rng.integers(design.rows[0], design.rows[1] + 1, G))
    n = len(subject)

    def drawn(*shape: int) -> np.ndarray:
        return rng.exponential(size=shape) - 1 if design.skewed else rng.normal(size=shape)

    true = MEAN + design.sd * drawn(G)
    spread = rng.gamma(4, 1 / 4, size=G) if design.unequal_signal else np.ones(G)
    x = rng.normal(size=n) * spread[subject]
    if design.kind == "correlation":
        r = np.tanh(true)
        y = r[subject] * x + np.sqrt(1 - r**2)[subject] * rng.normal(size=n)
    else:
        errors = rng.gamma(4, 1 / 4, size=G) if design.unequal_errors else np.ones(G)
        y = true[subject] * x + errors[subject] * drawn(n)
    y = y + rng.normal(size=G)[subject]
    return {"subject": subject, "x": x, "y": y}, true, design.sd**2


def persons_row(design: Persons, studies: int) -> str:
    """Return a row of the table of persons."""
    rng = np.random.default_rng(SEED)
    kept: dict[str, list[float]] = defaultdict(list)
    for _ in range(studies):
        table, true, variance = person_study(rng, design)
        found = person_slopes(table, score="y", signal="x", cluster="subject", kind=design.kind)
        b, v = found.values, found.variances
        own = reliability_of(b, v, LEVEL)
        both = ~np.isnan(found.halves).any(axis=1)
        halves = halves_of(*found.halves[both].T, found.ratio, LEVEL)
        sd = spread_interval(b, v, LEVEL)
        tidy = found.tidy()
        shown = true if design.kind == "slope" else np.tanh(true)
        covered = (tidy["conf_low"] <= shown) & (shown <= tidy["conf_high"])
        kept["person"].append(float(covered.mean()))
        kept["sd"].append(sd.low <= np.sqrt(variance) <= sd.high)
        kept["estimate"].append(own.estimate)
        kept["half"].append(halves.estimate)
        kept["limits"].append((own.low, own.high))
        kept["half_limits"].append((halves.low, halves.high))
        kept["error"].append(float(np.mean((b - true) ** 2)))
        shrunk = tidy["shrunken"].to_numpy()
        shrunk = shrunk if design.kind == "slope" else np.arctanh(shrunk)
        kept["shrunken"].append(float(np.mean((shrunk - true) ** 2)))
    variance = design.sd**2
    truth = variance / (variance + np.mean(kept["error"]))

    def coverage(name: str) -> str:
        low, high = np.array(kept[name]).T
        return f"{np.mean((low <= truth) & (truth <= high)):.3f}".replace("0.", ".")

    cells = [
        design.kind, design.name, design.subjects, f"{truth:.2f}",
        f"{np.mean(kept['estimate']):.2f}", coverage("limits"), f"{np.mean(kept['half']):.2f}",
        coverage("half_limits"), *(
            f"{np.mean(kept[name]):.3f}".replace("0.", ".") for name in ("sd", "person")
        ),
        f"{np.sqrt(np.mean(kept['shrunken']) / np.mean(kept['error'])):.2f}",
    ]  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    """Run all designs and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--persons", type=int, default=1000)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    lines = [
        "# Pooled slopes and slopes of persons, simulated",
        "",
        "Written by benchmarks/coverage_study/pooling.py: do not edit.",
        "",
        f"## {POOLED}",
        "",
        f"{given.studies:,} studies per design with two features each, correlated .5; 95 % "
        "intervals. Each context has 6 rows per subject, and the residual standard deviation is "
        "1. Slopes are 0.4 on average and have the standard deviation tau between contexts, 0.2 "
        "between subjects and 0.25 between the contexts of a subject. Unequal contexts: rows per "
        "subject from 15 to 1, a quarter of the subjects absent. Errors of unequal variance: they "
        "depend on context, feature and subject. Few subjects show the feature: it is 0 for two "
        "thirds of the subjects, and mostly 0 for the others; the row is of this feature. One "
        "context differs: the slopes of all others are the same, and in parentheses is the "
        "coverage for the context that differs.",
        "",
        "Coverage of pooled and separate slopes, of differences of pooled slopes, of tau, and of "
        "the mean slope over a population of contexts; proportion of tests of no difference with "
        "p < .05; median width of the intervals and root mean squared error of pooled relative to "
        "separate slopes; studies in which a context's slope was not estimated, or had no "
        "interval.",
        "",
        "| design | contexts | subjects | tau | pooled | separate | difference | tau covered | "
        "common | p < .05 | width | error | none |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for design in designs() if given.studies else ():
        lines.append(pooled_row(design, given.studies))
        print(lines[-1], flush=True)
    lines += [
        "",
        f"## {PERSONS}",
        "",
        f"{given.persons:,} studies per design; 95 % intervals. Slopes (or atanh of correlations) "
        "are 0.4 on average and have the standard deviation 0.4 between persons (small "
        "differences: 0.15). Unequal variances: the standard deviations of persons are "
        "gamma with shape 4. "
        "Reliability: true, mean of the estimates, coverage; the same by odd and even rows; "
        "coverage of the standard deviation between persons, and of single persons; root mean "
        "squared error of the shrunken relative to the person's own estimates.",
        "",
        "| kind | design | persons | true | mean | coverage | mean, odd-even | coverage, "
        "odd-even | std. dev. | person | shrunken |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in person_designs() if given.persons else ():
        lines.append(persons_row(one, given.persons))
        print(lines[-1], flush=True)
    page = ROOT / "docs" / "coverage_pooling.md"
    old = page.read_text(encoding="utf-8") if page.exists() else ""
    counted = {"": True, POOLED: given.studies > 0, PERSONS: given.persons > 0}
    write_text(page, with_earlier(old, "\n".join(lines) + "\n", counted))


if __name__ == "__main__":
    main()
