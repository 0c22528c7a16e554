"""Coverage of contrasts of contexts, and size of their omnibus tests and of equivalence tests.

    python benchmarks/coverage_study/contrasts.py [--studies N]

Two models whose errors belong partly to the subject, in three contexts of different spread. The
true values are those of 400,000 subjects. Writes docs/coverage_contrasts.md.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from pyexpr.base.files import write_text
from pyexpr.inference.comparison.comparison import compare_models

ROOT = Path(__file__).parents[2]
SEED = 20261130
METRICS = ("rmse", "correlation")
SUBJECTS = (10, 20, 40)
TERMS = {"p": "one model", "q": "one model", "p - q": "difference of two models"}
# A region that ends at the true value and begins where no interval does.
FAR = 1e6


@dataclass(frozen=True)
class Design:
    """A kind of study."""

    name: str
    rows: tuple[int, int] = (2, 8)
    skewed: bool = False
    partial: float = 0.0


DESIGNS = (
    Design("9 clips, 3 in each context", rows=(9, 9)),
    Design("2 to 8 clips, contexts at random"),
    Design("the same, 30 % of the subjects in one context alone", partial=0.3),
    Design("the same, skewed outcome", skewed=True),
)


@dataclass
class Tally:
    """How often something happened among so many, and how often it is undefined."""

    hits: int = 0
    n: int = 0
    undefined: int = 0

    def add(self, hit: bool, *, defined: bool = True) -> None:
        """Count one."""
        self.hits += bool(hit and defined)
        self.n += defined
        self.undefined += not defined

    def __str__(self) -> str:
        share = f"{self.hits / max(1, self.n):.3f}".removeprefix("0")
        return share + (f" ({self.undefined} undefined)" if self.undefined else "")


@dataclass
class Cell:
    """What is counted of a design and a number of subjects."""

    covered: dict[tuple[str, str], Tally] = field(default_factory=dict)
    omnibus: dict[tuple[str, str], Tally] = field(default_factory=dict)
    equivalent: dict[tuple[str, str], Tally] = field(default_factory=dict)


def study(rng: np.random.Generator, design: Design, subjects: int) -> pd.DataFrame:
    """Simulate the predictions of one study."""
    low, high = design.rows
    subject = np.repeat(np.arange(subjects), rng.integers(low, high + 1, subjects))
    n = len(subject)
    context = np.tile([0, 1, 2], n // 3) if low == high else rng.integers(0, 3, n)
    alone = rng.random(subjects) < design.partial
    context = np.where(alone[subject], 2, context)
    of_subject = rng.normal(size=(subjects, 3))[subject]
    truth = 0.6 * of_subject[:, 0] + rng.normal(size=n)
    if design.skewed:
        truth = np.exp(0.6 * truth)
    spread = 1 + 0.3 * context
    return pd.DataFrame(
        {
            "subject": subject,
            "context": np.array(list("abc"))[context],
            "truth": truth,
            "p": 0.5 * truth + 0.5 * of_subject[:, 1] + spread * rng.normal(size=n),
            "q": 0.3 * truth + 0.4 * of_subject[:, 2] + 0.8 * spread * rng.normal(size=n),
        }
    )


def true_values(design: Design) -> dict[tuple[str, str, str], float]:
    """Return the true contrasts by metric, term and pair of contexts."""
    large = study(np.random.default_rng(SEED), design, 400_000)
    level: dict[tuple[str, str, str], float] = {}
    for context, rows in large.groupby("context"):
        for model in ("p", "q"):
            error = rows["truth"] - rows[model]
            level["rmse", model, str(context)] = float(np.sqrt(np.mean(error**2)))
            together = np.corrcoef(rows["truth"], rows[model])[0, 1]
            level["correlation", model, str(context)] = float(together)
    found = {}
    for metric in METRICS:
        for one, other in combinations("abc", 2):
            pair = f"{one} - {other}"
            for model in ("p", "q"):
                found[metric, model, pair] = level[metric, model, one] - level[metric, model, other]
            found[metric, "p - q", pair] = found[metric, "p", pair] - found[metric, "q", pair]
    return found


def simulated(design: Design, subjects: int, studies: int) -> Cell:
    """Count coverage and sizes over the studies of a cell."""
    truth, cell = true_values(design), Cell()
    rng = np.random.default_rng(SEED + subjects)
    for _ in range(studies):
        result = compare_models(
            study(rng, design, subjects), truth="truth", predictions=["p", "q"], cluster="subject",
            context="context", metrics=list(METRICS), n_boot=0,
        ).contrasts()  # fmt: skip
        table = result.tidy()
        keys = list(zip(table["metric"], table["term"], table["context"], strict=True))
        for key, low, high in zip(keys, table["conf_low"], table["conf_high"], strict=True):
            tally = cell.covered.setdefault((key[0], TERMS[key[1]]), Tally())
            tally.add(low <= truth[key] <= high, defined=bool(np.isfinite(low)))
        # Of estimates from which the true values are taken the hypothesis of no differences holds.
        values = np.array([truth[key] for key in keys])
        centred = replace(result.evidence, estimate=result.evidence.estimate - values)
        tests = replace(result, evidence=centred).omnibus()
        for metric, term, p in zip(tests["metric"], tests["term"], tests["p_value"], strict=True):
            tally = cell.omnibus.setdefault((metric, TERMS[term]), Tally())
            tally.add(p < 0.05, defined=bool(np.isfinite(p)))
        for metric in METRICS:
            end = truth[metric, "p - q", "a - b"]
            found = result.equivalence({metric: (end - FAR, end)}).tidy()
            row = found[(found["term"] == "p - q") & (found["context"] == "a - b")].iloc[0]
            tally = cell.equivalent.setdefault((metric, TERMS["p - q"]), Tally())
            tally.add(row["conclusion"] == "equivalent", defined=bool(row["conclusion"]))
    return cell


def page(cells: dict[tuple[Design, int], Cell], studies: int) -> str:
    """Return the page of all cells."""
    lines = [
        "# Contrasts of contexts and tests of equivalence, simulated",
        "",
        "Written by benchmarks/coverage_study/contrasts.py: do not edit.",
        "",
        f"{studies:,} studies a cell, three contexts, jackknife-t. The Monte Carlo error of a "
        f"coverage of .95, or of a size of .05, is {np.sqrt(0.95 * 0.05 / studies):.4f}.",
    ]
    parts = {
        "Coverage of 95 % intervals (nominal .950)": "covered",
        "Size of the omnibus test that all contexts are equal (nominal .050)": "omnibus",
        "Size of the test of equivalence at the end of the region (nominal .050)": "equivalent",
    }
    for title, name in parts.items():
        lines += ["", f"## {title}", ""]
        lines.append(
            f"| design | metric | term | {' | '.join(f'{n} subjects' for n in SUBJECTS)} |"
        )
        lines.append("|---|---|---|" + "---|" * len(SUBJECTS))
        for design in DESIGNS:
            for key in getattr(cells[design, SUBJECTS[0]], name):
                values = [str(getattr(cells[design, n], name)[key]) for n in SUBJECTS]
                lines.append(f"| {design.name} | {' | '.join([*key, *values])} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run all cells and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000)
    studies = parser.parse_args().studies
    warnings.simplefilter("ignore")
    cells = {}
    for design in DESIGNS:
        for subjects in SUBJECTS:
            cells[design, subjects] = simulated(design, subjects, studies)
            print(design.name, subjects, flush=True)
    write_text(ROOT / "docs" / "coverage_contrasts.md", page(cells, studies))


if __name__ == "__main__":
    main()
