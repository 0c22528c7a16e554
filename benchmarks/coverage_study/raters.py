"""Coverage of the intervals of rater diagnostics, and the size of their tests.

    python benchmarks/coverage_study/raters.py [--studies N]

A rating is the value of a subject and a clip, the rater's bias and an error whose standard
deviation differs between raters. The true values are those of 10,000 subjects rated in the same
way. Writes docs/coverage_raters.md.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pyexpr.base.files import write_text
from pyexpr.measurement.icc.layout import Ratings
from pyexpr.measurement.raters.cells import Cells
from pyexpr.measurement.raters.diagnostics import _evidence
from pyexpr.measurement.raters.draws import QUANTITIES, RaterDraws, RaterGroup
from pyexpr.resampling.intervals.jackknife_t import jackknife_t

ROOT = Path(__file__).parents[2]
SEED = 20261201
LABELS = {
    "bias": "bias", "error_sd": "error SD", "correlation": "correlation",
    "icc_change": "change of ICC(A,1)", "drift": "drift",
}  # fmt: skip


@dataclass(frozen=True)
class Design:
    """A kind of study."""

    name: str
    raters: int
    subjects: int = 20
    clips: tuple[int, int] = (1, 6)
    missing: float = 0.2
    skewed: bool = False
    bounded: bool = False
    peculiar: float = 0.0
    icc: bool = False


DESIGNS = (
    Design("20 % missing", 3),
    Design("20 % missing", 5),
    Design("20 % missing", 12),
    Design("20 % missing, skewed errors", 5, skewed=True),
    Design("20 % missing, skewed errors", 12, skewed=True),
    Design("50 % missing", 12, missing=0.5),
    Design("20 % missing, whole numbers 1 to 7 with many at the ends", 5, bounded=True),
    Design("20 % missing, raters see subjects differently", 5, peculiar=0.4),
    Design("20 % missing, 1 to 25 clips", 5, subjects=15, clips=(1, 25)),
    Design("20 % missing", 5, subjects=10),
    Design("20 % missing", 5, subjects=50),
    Design("complete cells", 5, missing=0.0, icc=True),
    Design("complete cells, skewed errors", 5, missing=0.0, skewed=True, icc=True),
)


def study(rng: np.random.Generator, design: Design) -> Cells:
    """Simulate the ratings of one study, each rater's in an order of their own."""
    low, high = design.clips
    subjects = np.repeat(np.arange(design.subjects), rng.integers(low, high + 1, design.subjects))
    n, q = len(subjects), design.raters
    value = 0.7 * rng.standard_normal(design.subjects)[subjects] + 0.7 * rng.standard_normal(n)
    if design.skewed:
        error = (rng.gamma(2, 1, (n, q)) - 2) / np.sqrt(2)
    else:
        error = rng.standard_normal((n, q))
    spread = np.linspace(0.4, 1.0, q)
    peculiar = design.peculiar * rng.standard_normal((design.subjects, q))[subjects]
    table = value[:, None] + np.linspace(-0.5, 0.5, q) + peculiar + spread * error
    if design.bounded:
        table = np.clip(np.round(4 + 2 * table), 1, 7)
    table[rng.random((n, q)) < design.missing] = np.nan
    rated = ~np.isnan(table).all(axis=1)
    table, subjects = table[rated], subjects[rated]
    order = np.argsort(rng.random(table.shape), axis=0).astype(np.float64)
    order[np.isnan(table)] = np.nan
    units = np.unique(subjects, return_inverse=True)[1]
    ratings = Ratings(
        (), table.size, 0, table=table, n_targets=len(table), n_raters=q, clusters=units
    )
    every = np.arange(units.max() + 1)
    return Cells(ratings, tuple(range(q)), order, units, tuple(every.tolist()), every)


def truth(design: Design, quantities: tuple[str, ...]) -> np.ndarray:
    """Return the quantities of very many subjects, (Q,); no drift."""
    cells = study(np.random.default_rng(SEED), replace(design, subjects=10_000))
    # Two units, so that sums over them are fast.
    units = (cells.units * 2 // (cells.units.max() + 1)).astype(np.int64)
    ratings = replace(cells.ratings, clusters=units)
    one = replace(cells, ratings=ratings, units=units, labels=(0, 1), positions=np.arange(2))
    group = RaterGroup.of(one, quantities, "ICC(A,1)")
    found = group.values(np.ones((1, 2)))[..., 0]
    if "drift" in quantities:
        found[quantities.index("drift")] = 0.0
    if "icc_change" in quantities:
        found[quantities.index("icc_change")] = group._icc_changes()[:, 0]
    return found.ravel()


def rows(design: Design, studies: int) -> list[list[Any]]:
    """Return a row of the page for each quantity."""
    quantities = tuple(name for name in QUANTITIES if name != "icc_change" or design.icc)
    true = truth(design, quantities)
    q = design.raters
    counts = np.zeros((len(true), 4))
    rng = np.random.default_rng(SEED + 1)
    for _ in range(studies):
        group = RaterGroup.of(study(rng, design), quantities, "ICC(A,1)")
        found = jackknife_t(_evidence(RaterDraws((group,), 0), 0), 0.95)
        below, above = true < found.low, true > found.high
        lost = np.isnan(found.low)
        counts += np.column_stack([~below & ~above & ~lost, below, above, lost])
    made = []
    for i, name in enumerate(quantities):
        own = counts[i * q : (i + 1) * q]
        n = studies - own[:, 3]
        shares = own[:, :3] / n[:, None]
        worst = shares[np.argmin(shares[:, 0]), 0]
        mean = shares.mean(axis=0)
        cells = f"{mean[0]:.3f} ({mean[1]:.3f}, {mean[2]:.3f})", f"{worst:.3f}"
        made.append([
            design.name, q, design.subjects, LABELS[name], *(c.replace("0.", ".") for c in cells),
            f"{own[:, 3].sum() / (studies * q):.3f}".replace("0.", "."),
        ])  # fmt: skip
    return made


def main() -> None:
    """Run all designs and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000)
    studies = parser.parse_args().studies
    lines = [
        "# Intervals of rater diagnostics, simulated",
        "",
        "Written by benchmarks/coverage_study/raters.py: do not edit.",
        "",
        f"{studies:,} studies per design; 95 % jackknife-t intervals of whole subjects with 1 to 6 "
        "clips. The raters' biases range from -0.5 to 0.5 and their error standard deviations from "
        "0.4 to 1.0; the standard deviation of the clips is 1. No rater drifts, so that 1 minus "
        "the coverage of the drift is the size of its test. Coverage is the mean over the raters, "
        "in parentheses the proportions of intervals above and below the true value (nominal .025 "
        "each); beside it that of the rater with the lowest coverage. No interval: the proportion "
        "of raters without one, mostly because the error variance was estimated as negative, or "
        "was undefined without one of the subjects. The Monte Carlo error of a coverage of .95 of "
        f"one rater is {np.sqrt(0.95 * 0.05 / studies):.4f}.",
        "",
        "| design | raters | subjects | quantity | coverage | lowest | no interval |",
        "|---|---|---|---|---|---|---|",
    ]
    for design in DESIGNS:
        for row in rows(design, studies):
            lines.append(f"| {' | '.join(map(str, row))} |")
            print(lines[-1], flush=True)
        write_text(ROOT / "docs" / "coverage_raters.md", "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
