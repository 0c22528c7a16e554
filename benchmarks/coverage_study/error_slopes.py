"""Coverage of the slopes of absolute errors on a property of the clips, by simulation.

    python benchmarks/coverage_study/error_slopes.py [--studies N]

The absolute error of model p is ``(0.6 - 0.4 x) u_s m``, where x is the share of valid frames, u_s
the subject's level and m a skewed number, both with mean 1; that of model q does not depend on x.
Writes docs/coverage_error_slopes.md.
"""

from __future__ import annotations

import argparse
import warnings
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pyexpr.base.errors import PyexprWarning
from pyexpr.base.files import write_text
from pyexpr.inference.error_slopes import error_slopes

ROOT = Path(__file__).parents[2]
SEED = 20261130
CONTEXTS = ("a", "b", "c")
LEVEL, SLOPE = 0.6, -0.4
SLOPES = {"p": SLOPE, "q": 0.0, "p - q": SLOPE}


@dataclass(frozen=True)
class Design:
    """A kind of study; `quality` is how the share of valid frames varies."""

    name: str
    subjects: int = 20
    clips: tuple[int, int] = (4, 4)
    missing: float = 0.0
    quality: str = "clips"
    skewed: bool = False


BASE = Design("4 clips per context; quality varies between clips")
AWKWARD = Design(
    "1 to 12 clips, a fifth of the contexts missing, skewed errors", clips=(1, 12), missing=0.2,
    skewed=True,
)  # fmt: skip
DESIGNS = (
    BASE,
    replace(BASE, name="4 clips per context; quality varies between subjects", quality="subjects"),
    AWKWARD,
    replace(AWKWARD, name=f"{AWKWARD.name}; a fifth of the subjects have poor recordings",
            quality="few"),
    replace(AWKWARD, subjects=10),
    replace(AWKWARD, subjects=40),
    replace(AWKWARD, name=f"{AWKWARD.name}; a fifth of the subjects have poor recordings",
            quality="few", subjects=40),
)  # fmt: skip


def study(rng: np.random.Generator, design: Design) -> pd.DataFrame:
    """Simulate the predictions of two models, and the share of valid frames."""
    rows = []
    for s in range(design.subjects):
        for context in CONTEXTS:
            if rng.random() >= design.missing:
                clips = rng.integers(design.clips[0], design.clips[1] + 1)
                rows += [(s, context)] * int(clips)
    table = pd.DataFrame(rows, columns=["subject", "context"])
    n, subject = len(table), table["subject"].to_numpy()
    # Most clips lose few frames.
    lost = rng.exponential(0.1, size=n)
    if design.quality == "subjects":
        lost = 0.2 * lost + rng.exponential(0.12, size=design.subjects)[subject]
    elif design.quality == "few":
        lost = np.where((subject % 5 == 0), 2 * lost + 0.1, 0.1 * lost)
    table["share_valid"] = np.clip(1 - lost, 0, 1)
    table["y"] = rng.normal(size=n)
    level = np.exp(rng.normal(size=design.subjects) * 0.4 - 0.08)[subject]
    for name in ("p", "q"):
        if design.skewed:
            size = rng.exponential(size=n)
        else:
            size = np.abs(rng.normal(size=n)) * np.sqrt(np.pi / 2)
        size *= level * (LEVEL + SLOPES[name] * table["share_valid"])
        table[name] = table["y"] + size * rng.choice([-1, 1], size=n)
    return table


def intervals(design: Design, rng: np.random.Generator) -> dict[str, tuple[float, ...]]:
    """Return (low, high, estimate), per unit of the share, of each quantity in one study."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PyexprWarning)
        found = error_slopes(
            study(rng, design), truth="y", predictions=["p", "q"], properties="share_valid",
            cluster="subject", context="context",
        )  # fmt: skip
    scale = found.slopes[0].data.scale[0]
    made = {}
    columns = ["conf_low", "conf_high", "estimate"]
    for table, kind in ((found.tidy(), "slope"), (found.contrasts(), "contrast")):
        # The contexts are alike.
        for row in table[table["context"].isin(["a", "all", "a - b"])].to_dict("records"):
            name = f"{kind} of {row['term']}, {row['context']}"
            made[name] = tuple(row[column] / scale for column in columns)
    for row in found.omnibus().to_dict("records"):
        made[f"omnibus of {row['term']}"] = (row["p_value"],)
    return made


def rows(design: Design, studies: int) -> list[list[Any]]:
    """Return a row of the page for each quantity."""
    rng = np.random.default_rng(SEED)
    every = defaultdict(list)
    for _ in range(studies):
        for name, found in intervals(design, rng).items():
            every[name].append(found)
    made = []
    for name, found in every.items():
        if name.startswith("omnibus"):
            p = np.array(found)[:, 0]
            has = ~np.isnan(p)
            size = f"rejected {(p[has] < 0.05).mean():.3f}".replace("0.", ".")
            made.append([name, "equal", "", size, "", has])
            continue
        term = name.split(" of ")[1].rsplit(", ", 1)[0]
        truth = 0.0 if name.startswith("contrast") else SLOPES[term]
        low, high, estimate = np.array(found).T
        has = ~np.isnan(low)
        below, above = (truth < low[has]).mean(), (truth > high[has]).mean()
        sides = f"{below:.3f}, {above:.3f}".replace("0.", ".")
        coverage = f"{1 - below - above:.3f} ({sides})".replace("0.", ".")
        width = f"{np.median((high - low)[has]):.2f}"
        made.append([name, f"{truth:.1f}", f"{estimate.mean():.3f}", coverage, width, has])
    return [
        [design.name, design.subjects, *row, f"{100 * (1 - has.mean()):.1f} %"]
        for *row, has in made
    ]


def main() -> None:
    """Run all designs and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000)
    studies = parser.parse_args().studies
    lines = [
        "# Slopes of absolute errors, simulated",
        "",
        "Written by benchmarks/coverage_study/error_slopes.py: do not edit.",
        "",
        f"{studies:,} studies per design; 95 % intervals of `error_slopes`, per unit of the share "
        "of valid frames. In parentheses: the proportions of intervals above and below the true "
        "value (nominal .025 each). The Monte Carlo error of a coverage of .95 is "
        f"{np.sqrt(0.95 * 0.05 / studies):.4f}. Rejected: the proportion of p-values below .05 of "
        "the test of equal slopes in all contexts. Width: median. No interval: studies in which "
        "the result states a reason instead; they do not count in the coverage.",
        "",
        "| design | subjects | quantity | true value | mean estimate | coverage | width | no "
        "interval |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for design in DESIGNS:
        for row in rows(design, studies):
            lines.append(f"| {' | '.join(map(str, row))} |")
            print(lines[-1], flush=True)
    write_text(ROOT / "docs" / "coverage_error_slopes.md", "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
