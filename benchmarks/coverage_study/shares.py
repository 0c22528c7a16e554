"""Coverage of the intervals of shares of variance, and of standard errors of measurement.

    python benchmarks/coverage_study/shares.py [--studies N]

The studies are those of components.py. Writes docs/coverage_shares.md after every fifty studies of
all designs.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from components import CLIPS, DESIGNS, EFFECTS, ROOT, SEED, Design, coefficients, study

from pyexpr.base.files import write_text
from pyexpr.measurement.components.blocks import blocks_of
from pyexpr.measurement.components.intervals import (
    Limits,
    error_limits,
    sampling_of,
    share_limits,
)
from pyexpr.measurement.components.reml import fit

# So many studies of each design, and then the page.
_ROUND = 50


def errors(raters: int) -> dict[str, np.ndarray]:
    """Return the weights of the errors; those of a mean of raters have the same limits, divided."""
    every = coefficients(raters).items()
    return {f"SEM, {name}": error for name, (_, error) in every if ",k)" not in name}


def true_values(design: Design) -> dict[str, float]:
    """Return the true value of each quantity."""
    true = np.array(design.variances)
    found = {f"share of {name}": true[j] / true.sum() for j, name in enumerate(EFFECTS)}
    return found | {
        name: float(np.sqrt(true @ error)) for name, error in errors(design.raters).items()
    }


def intervals(design: Design, rng: np.random.Generator) -> dict[str, Limits]:
    """Return the interval of each quantity in one study."""
    scores, codes = study(rng, design)
    codes = [np.unique(one, return_inverse=True)[1].astype(np.int64) for one in codes]
    subjects, clips, raters, both = (int(one.max()) + 1 for one in codes)
    blocks = blocks_of(scores, codes[0], codes)
    df = np.array(
        [subjects - 1, clips - subjects, raters - 1, both - subjects - raters + 1,
         len(scores) - clips - both + subjects], dtype=float
    )  # fmt: skip
    sampling = sampling_of(blocks, fit(blocks), df)
    made = {f"share of {name}": share_limits(sampling, j, 0.95) for j, name in enumerate(EFFECTS)}
    for name, error in errors(design.raters).items():
        made[name] = error_limits(sampling, error, 0.95)
    return made


@dataclass
class Cell:
    """The intervals of a design so far, by quantity."""

    design: Design
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(SEED))
    found: dict[str, list[Limits]] = field(default_factory=dict)

    def simulate(self, studies: int) -> None:
        """Add studies."""
        for _ in range(studies):
            for name, limits in intervals(self.design, self.rng).items():
                self.found.setdefault(name, []).append(limits)

    def rows(self) -> list[list[Any]]:
        """Return a row of the page for each quantity."""
        truth, made = true_values(self.design), []
        for name, limits in self.found.items():
            low, high = np.array([(one.low, one.high) for one in limits]).T
            has = ~np.isnan(low)
            below, above = (truth[name] < low[has]).mean(), (truth[name] > high[has]).mean()
            sides = f"{below:.3f}, {above:.3f}".replace("0.", ".")
            coverage = f"{1 - below - above:.3f} ({sides})".replace("0.", ".")
            made.append(
                [self.design.name, self.design.subjects, name, f"{truth[name]:.3f}", coverage,
                 f"{np.median((high - low)[has]):.2f}", f"{100 * (1 - has.mean()):.1f} %"]
            )  # fmt: skip
        return made


def page(cells: list[Cell], studies: int) -> str:
    """Return the page of so many studies of each design."""
    lines = [
        "# Intervals of shares of variance and standard errors of measurement, simulated",
        "",
        "Written by benchmarks/coverage_study/shares.py: do not edit.",
        "",
        f"{studies:,} studies per design; 95 % intervals. In parentheses: the proportions of "
        "intervals above and below the true value (nominal .025 each). The Monte Carlo error of a "
        f"coverage of .95 is {np.sqrt(0.95 * 0.05 / studies):.4f}. Width: median. No interval: "
        "studies in which the result states a reason instead; they do not count in the coverage. "
        "A share is that of an effect in the variance of a single rating, SEM the standard error "
        f"of measurement, and a subject's mean is of {CLIPS} clips and all raters. The "
        "designs are those of the page on variance components.",
        "",
        "| design | subjects | quantity | true value | coverage | width | no interval |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [f"| {' | '.join(map(str, row))} |" for cell in cells for row in cell.rows()]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run all designs and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000)
    studies = parser.parse_args().studies
    cells = [Cell(design) for design in DESIGNS]
    for first in range(0, studies, _ROUND):
        done = min(first + _ROUND, studies)
        for cell in cells:
            cell.simulate(done - first)
        print(f"{done} studies of each design", flush=True)
        write_text(ROOT / "docs" / "coverage_shares.md", page(cells, done))


if __name__ == "__main__":
    main()
