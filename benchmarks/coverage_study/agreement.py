"""Coverage of the intervals of agreement on categories.

    python benchmarks/coverage_study/agreement.py [--studies N]

Categories come from a latent score with a part of the subject, the clip, the rater's severity and
an error, cut at thresholds. The true coefficient is that of 60,000 subjects with the same raters.
Writes docs/coverage_agreement.md.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pyexpr.base.files import write_text
from pyexpr.measurement.agreement.group import COEFFICIENTS
from pyexpr.measurement.agreement.intervals import AgreementPlan, interval_of
from pyexpr.measurement.agreement.plot import TITLES
from pyexpr.measurement.agreement.sums import Coded, subject_sums
from pyexpr.measurement.agreement.weights import OF_LEVEL, metric, weight_matrix

ROOT = Path(__file__).parents[2]
SEED = 20261130
METHODS = ("jackknife_t", "studentized")
N_BOOT = 499


@dataclass(frozen=True)
class Design:
    """A kind of study."""

    name: str
    subjects: int
    clips: tuple[int, int] = (1, 6)
    raters: int = 3
    subject: float = 0.7
    clip: float = 0.7
    error: float = 0.6
    severity: float = 0.2
    missing: float = 0.15
    cuts: tuple[float, ...] = (-0.5, 0.6)
    level: str = "nominal"


BASE = Design("1 to 6 clips, 3 raters, 15 % missing", 20)
DESIGNS = (
    *(replace(BASE, subjects=n) for n in (10, 20, 50)),
    Design("one category holds 10 %", 20, cuts=(1.3,)),
    Design("one category holds 10 %", 50, cuts=(1.3,)),
    Design("large agreement", 20, error=0.25),
    Design("agreement near chance", 20, error=2.0),
    Design("two raters, all cells", 20, raters=2, missing=0.0),
    Design("six raters, half of the cells", 20, raters=6, missing=0.5),
    Design("five ordered categories", 20, cuts=(-1.0, -0.3, 0.4, 1.2), level="ordinal"),
    Design("1 to 25 clips", 15, clips=(1, 25)),
    Design("one clip a subject", 20, clips=(1, 1)),
    Design("one clip a subject", 12, clips=(1, 1)),
)


def study(rng: np.random.Generator, design: Design) -> Coded:
    """Simulate the ratings of one study."""
    low, high = design.clips
    clusters = np.repeat(np.arange(design.subjects), rng.integers(low, high + 1, design.subjects))
    n = len(clusters)
    score = design.subject * rng.standard_normal(design.subjects)[clusters]
    score = score + design.clip * rng.standard_normal(n)
    severity = design.severity * np.linspace(-1, 1, design.raters)
    seen = score[:, None] + severity + design.error * rng.standard_normal((n, design.raters))
    spread = np.sqrt(design.subject**2 + design.clip**2 + design.error**2)
    categories = np.searchsorted(np.array(design.cuts), seen / spread)
    targets, raters = np.nonzero(rng.random((n, design.raters)) >= design.missing)
    rated, targets = np.unique(targets, return_inverse=True)
    covered, clusters = np.unique(clusters[rated], return_inverse=True)
    return Coded(
        targets, categories[rated[targets], raters], raters, clusters, len(rated),
        len(design.cuts) + 1, design.raters, len(covered),
    )  # fmt: skip


def rows(design: Design, studies: int) -> list[list[Any]]:
    """Return a row of the page for each coefficient."""
    scores = np.arange(1.0, len(design.cuts) + 2)
    options = weight_matrix(OF_LEVEL[design.level], scores), metric(design.level, scores)
    large = study(np.random.default_rng(SEED), replace(design, subjects=60_000))
    truth = {name: float(subject_sums(large, name, *options).whole().value)
             for name in COEFFICIENTS}  # fmt: skip
    counts = {(name, method): np.zeros(4, dtype=int) for name in COEFFICIENTS for method in METHODS}
    rng = np.random.default_rng(SEED + 1)
    for number in range(studies):
        one = study(rng, design)
        for name in COEFFICIENTS:
            sums = subject_sums(one, name, *options)
            for method in METHODS:
                found = interval_of(sums, AgreementPlan(method, 0.95, N_BOOT, number), "subject")
                below, above = truth[name] < found.low, truth[name] > found.high
                counts[name, method] += [not below and not above, below, above, 0]
                if found.reason:
                    counts[name, method] += [-1, 0, 0, 1]
    made = []
    for name in COEFFICIENTS:
        cells = []
        for method in METHODS:
            covered, below, above, undefined = counts[name, method]
            n = max(1, studies - undefined)
            sides = f"{below / n:.3f}, {above / n:.3f}".replace("0.", ".")
            cells.append(f"{covered / n:.3f} ({sides})".replace("0.", "."))
        undefined = counts[name, METHODS[0]][3]
        made.append([design.name, design.subjects, TITLES[name], f"{truth[name]:.2f}", *cells,
                     undefined])  # fmt: skip
    return made


def main() -> None:
    """Run all designs and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000)
    studies = parser.parse_args().studies
    lines = [
        "# Intervals of agreement on categories, simulated",
        "",
        "Written by benchmarks/coverage_study/agreement.py: do not edit.",
        "",
        f"{studies:,} studies per design; 95 % intervals of whole subjects. In parentheses: the "
        "proportions of intervals above and below the true value (nominal .025 each). The Monte "
        f"Carlo error of a coverage of .95 is {np.sqrt(0.95 * 0.05 / studies):.4f}. The "
        f"bootstrap-t has {N_BOOT} replicates. Undefined: studies without an interval, since the "
        "coefficient is undefined without one of the subjects.",
        "",
        "| design | subjects | coefficient | true value | jackknife-t (default) | bootstrap-t | "
        "undefined |",
        "|---|---|---|---|---|---|---|",
    ]
    for design in DESIGNS:
        for row in rows(design, studies):
            lines.append(f"| {' | '.join(map(str, row))} |")
            print(lines[-1], flush=True)
    write_text(ROOT / "docs" / "coverage_agreement.md", "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
