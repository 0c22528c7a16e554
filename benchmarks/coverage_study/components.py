"""Coverage of the intervals of variance components and of multilevel ICCs.

    python benchmarks/coverage_study/components.py [--studies N]

Subjects with clips, rated by the same raters: score = subject + clip + rater + subject x rater +
residual. "Skewed" effects of subject, clip, subject x rater and residual are exponential. Writes
docs/coverage_components.md.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pyexpr.base.files import write_text
from pyexpr.measurement.components.blocks import blocks_of
from pyexpr.measurement.components.intervals import ratio_limits, sampling_of, variance_limits
from pyexpr.measurement.components.reml import fit

ROOT = Path(__file__).parents[2]
SEED = 20261130
EFFECTS = ("subject", "clip", "rater", "subject:rater", "residual")
CLIPS = 8


@dataclass(frozen=True)
class Design:
    """A kind of study; variances in the order of `EFFECTS`."""

    name: str
    subjects: int = 20
    clips: tuple[int, int] = (CLIPS, CLIPS)
    raters: int = 5
    variances: tuple[float, ...] = (0.4, 0.5, 0.15, 0.1, 0.6)
    missing: float = 0.0
    skewed: bool = False


BASE = Design("8 clips, 5 raters, all cells")
DESIGNS = (
    BASE,
    replace(BASE, name="1 to 15 clips", clips=(1, 15)),
    replace(BASE, name="30 % of the cells missing", missing=0.3),
    replace(BASE, name="small components", variances=(0.05, 0.05, 0.02, 0.02, 0.6)),
    replace(BASE, name="skewed scores", skewed=True),
    replace(BASE, name="skewed, 1 to 15 clips, 30 % missing", clips=(1, 15), missing=0.3,
            skewed=True),
    replace(BASE, name="2 raters", raters=2),
    replace(BASE, subjects=10),
    replace(BASE, subjects=40),
)  # fmt: skip


def study(rng: np.random.Generator, design: Design) -> tuple[np.ndarray, list[np.ndarray]]:
    """Simulate the ratings of one study: scores, and codes of subject, clip, rater, both."""

    def effect(variance: float, *shape: int) -> np.ndarray:
        drawn = rng.exponential(size=shape) - 1 if design.skewed else rng.normal(size=shape)
        return drawn * np.sqrt(variance)

    subject, clip, rater, both, residual = design.variances
    low, high = design.clips
    owner = np.repeat(np.arange(design.subjects), rng.integers(low, high + 1, design.subjects))
    scores = (
        effect(subject, design.subjects)[owner][:, None]
        + effect(clip, len(owner))[:, None]
        + rng.normal(size=design.raters) * np.sqrt(rater)
        + effect(both, design.subjects, design.raters)[owner]
        + effect(residual, len(owner), design.raters)
    )
    clips, raters = np.nonzero(rng.random(scores.shape) >= design.missing)
    return scores[clips, raters], [owner[clips], clips, raters, owner[clips] * 1000 + raters]


def coefficients(raters: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return weights of signal and error, in the order of `EFFECTS`."""
    clip, subject = np.array([0, 1, 0, 0, 0.0]), np.array([1, 0, 0, 0, 0.0])
    found = {}
    for k, name in ((1, "1"), (raters, "k")):
        found[f"clip within subject, ICC(C,{name})"] = clip, np.array([0, 0, 0, 0, 1.0]) / k
        found[f"clip within subject, ICC(A,{name})"] = clip, np.array([0, 0, 1, 0, 1.0]) / k
        found[f"subject, ICC(C,{name})"] = subject, np.array([0, 0, 0, 1, 0.0]) / k
        found[f"subject, ICC(A,{name})"] = subject, np.array([0, 0, 1, 1, 0.0]) / k
    k = raters
    found["generalizability of a subject's mean"] = (
        subject,
        np.array([0, 1 / CLIPS, 0, 1 / k, 1 / (k * CLIPS)]),
    )
    found["dependability of a subject's mean"] = (
        subject,
        np.array([0, 1 / CLIPS, 1 / k, 1 / k, 1 / (k * CLIPS)]),
    )
    return found


def intervals(design: Design, rng: np.random.Generator) -> dict[str, tuple[float, ...]]:
    """Return (low, high, estimate) of each quantity in one study."""
    scores, codes = study(rng, design)
    codes = [np.unique(one, return_inverse=True)[1].astype(np.int64) for one in codes]
    subjects, clips, raters, both = (int(one.max()) + 1 for one in codes)
    blocks = blocks_of(scores, codes[0], codes)
    found = fit(blocks)
    df = np.array(
        [subjects - 1, clips - subjects, raters - 1, both - subjects - raters + 1,
         len(scores) - clips - both + subjects], dtype=float
    )  # fmt: skip
    sampling = sampling_of(blocks, found, df)
    made = {}
    for j, name in enumerate(EFFECTS):
        limits = variance_limits(sampling, j, 0.95)
        made[f"variance of {name}"] = limits.low, limits.high, found.variances[j]
    for name, (signal, error) in coefficients(design.raters).items():
        limits = ratio_limits(sampling, signal, error, 0.95)
        both_parts = found.variances @ signal, found.variances @ error
        made[name] = limits.low, limits.high, both_parts[0] / sum(both_parts)
    return made


def rows(design: Design, studies: int) -> list[list[Any]]:
    """Return a row of the page for each quantity."""
    true = np.array(design.variances)
    truth = {f"variance of {name}": true[j] for j, name in enumerate(EFFECTS)}
    for name, (signal, error) in coefficients(design.raters).items():
        truth[name] = true @ signal / (true @ (signal + error))
    rng = np.random.default_rng(SEED)
    every = defaultdict(list)
    for _ in range(studies):
        for name, found in intervals(design, rng).items():
            every[name].append(found)
    made = []
    for name, found in every.items():
        low, high, estimate = np.array(found).T
        has = ~np.isnan(low)
        below, above = (truth[name] < low[has]).mean(), (truth[name] > high[has]).mean()
        sides = f"{below:.3f}, {above:.3f}".replace("0.", ".")
        coverage = f"{1 - below - above:.3f} ({sides})".replace("0.", ".")
        made.append(
            [design.name, design.subjects, name, f"{truth[name]:.3f}", f"{estimate.mean():.3f}",
             coverage, f"{np.median((high - low)[has]):.2f}", f"{100 * (1 - has.mean()):.1f} %"]
        )  # fmt: skip
    return made


def main() -> None:
    """Run all designs and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000)
    studies = parser.parse_args().studies
    lines = [
        "# Intervals of variance components and multilevel ICCs, simulated",
        "",
        "Written by benchmarks/coverage_study/components.py: do not edit.",
        "",
        f"{studies:,} studies per design; 95 % intervals. In parentheses: the proportions of "
        "intervals above and below the true value (nominal .025 each). The Monte Carlo error of a "
        f"coverage of .95 is {np.sqrt(0.95 * 0.05 / studies):.4f}. Width: median. No interval: "
        "studies in which the result states a reason instead; they do not count in the coverage. "
        "k is the number of raters, and a subject's mean is of 8 clips.",
        "",
        "| design | subjects | quantity | true value | mean estimate | coverage | width | no "
        "interval |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for design in DESIGNS:
        for row in rows(design, studies):
            lines.append(f"| {' | '.join(map(str, row))} |")
            print(lines[-1], flush=True)
    write_text(ROOT / "docs" / "coverage_components.md", "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
