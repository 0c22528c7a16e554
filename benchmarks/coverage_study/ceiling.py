"""Coverage of the ceiling: reliability, error-free correlation and RMSE, and the share of ratings.

    python benchmarks/coverage_study/ceiling.py [--studies N]

The true values are computed from the error-free scores of a large sample, which no study knows.
Writes docs/coverage_ceiling.md.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pyexpr.base.files import write_text
from pyexpr.inference.ceiling.ceiling import rating_ceiling

ROOT = Path(__file__).parents[2]
SEED = 20261201
SUBJECTS = (12, 20, 40)
LARGE = 60_000
QUESTIONS = (0.7, 0.5, 0.3)


@dataclass(frozen=True)
class Design:
    """A kind of study."""

    name: str
    clips: tuple[int, int] = (8, 8)
    raters: tuple[int, int] = (4, 4)
    error: float = 1.0  # standard deviation of a rating, of the error-free score 1
    skewed: bool = False
    severity: float = 0.0
    questions: bool = False
    few_expressive: bool = False


DESIGNS = (
    Design("8 clips, 4 raters"),
    Design("2 to 14 clips, 2 to 6 raters of each", clips=(2, 14), raters=(2, 6)),
    Design("the same, unreliable ratings", clips=(2, 14), raters=(2, 6), error=2.5),
    Design("the same, skewed scores and errors", clips=(2, 14), raters=(2, 6), skewed=True),
    Design("the same, a fifth of the subjects more expressive", clips=(2, 14), raters=(2, 6),
           few_expressive=True),
    Design("8 clips, 5 crossed raters of different severity", raters=(5, 5), severity=0.7),
    Design("2 to 14 clips, 4 raters, weighted sum of 3 questions", clips=(2, 14), questions=True),
)  # fmt: skip


def noise(rng: np.random.Generator, size: object, *, skewed: bool) -> np.ndarray:
    """Return numbers with mean 0 and standard deviation 1."""
    return rng.gamma(1.0, 1.0, size) - 1 if skewed else rng.normal(size=size)


@dataclass(frozen=True)
class Study:
    """The rows, the ratings, and what no study knows: the error-free scores."""

    rows: pd.DataFrame
    ratings: pd.DataFrame
    error_free: np.ndarray


def study(rng: np.random.Generator, design: Design, subjects: int) -> Study:
    """Simulate a study with one model."""
    subject = np.repeat(
        np.arange(subjects), rng.integers(design.clips[0], design.clips[1] + 1, subjects)
    )
    n, most = len(subject), design.raters[1]
    of_subject = noise(rng, subjects, skewed=design.skewed)
    if design.few_expressive:
        of_subject = of_subject * np.where(rng.random(subjects) < 0.2, 2.0, 0.5)
    true = np.sqrt(0.4) * of_subject[subject] + np.sqrt(0.6) * noise(rng, n, skewed=design.skewed)
    weights = np.array(QUESTIONS) if design.questions else np.ones(1)
    size = (n, most, len(weights))
    error = design.error * noise(rng, size, skewed=design.skewed)
    severity = design.severity * rng.normal(size=(1, most, len(weights)))
    scores = true[:, None, None] + error + severity
    rated = np.arange(most) < rng.integers(design.raters[0], most + 1, n)[:, None]
    mean = (
        np.nansum(np.where(rated[..., None], scores, np.nan), axis=1) / rated.sum(axis=1)[:, None]
    )
    target, rater = np.nonzero(rated)
    ratings = pd.DataFrame(
        {
            "clip": np.repeat(target, len(weights)),
            "rater": np.repeat(rater, len(weights)),
            "question": np.tile(np.arange(len(weights)), len(target)),
            "rating": scores[target, rater].ravel(),
        }
    )
    of_model = np.sqrt(0.3) * rng.normal(size=subjects)[subject] + np.sqrt(0.7) * rng.normal(size=n)
    rows = pd.DataFrame(
        {
            "clip": np.arange(n), "subject": subject, "y": mean @ weights,
            "model": (0.5 * true + 0.35 * of_model) * weights.sum(),
        }
    )  # fmt: skip
    return Study(rows, ratings, true * weights.sum())


def true_values(design: Design) -> dict[str, float]:
    """Return the true values from the error-free scores of many subjects."""
    large = study(np.random.default_rng(SEED), design, LARGE)
    true, y, p = large.error_free, large.rows["y"].to_numpy(), large.rows["model"].to_numpy()
    # The severity of crossed raters moves all scores alike.
    true = true - true.mean() + y.mean() if design.severity else true
    together = np.corrcoef([true, y, p])
    mse = np.mean((y - p) ** 2)
    return {
        "reliability": together[0, 1] ** 2,
        "ceiling": together[0, 1],
        "rating_error": np.sqrt(np.mean((true - y) ** 2)),
        "correlation": together[1, 2],
        "error_free_correlation": together[0, 2],
        "rmse": np.sqrt(mse),
        "error_free_rmse": np.sqrt(np.mean((true - p) ** 2)),
        "rating_share": np.mean((true - y) ** 2) / mse,
    }


# Of these the severity of the raters of each study makes other true values.
WITHOUT_SEVERITY = ("rmse", "error_free_rmse", "rating_share")


def simulated(design: Design, subjects: int, studies: int) -> dict[str, str]:
    """Return the coverage of each quantity."""
    true = true_values(design)
    rng = np.random.default_rng(SEED + subjects)
    hits, defined = dict.fromkeys(true, 0), dict.fromkeys(true, 0)
    for _ in range(studies):
        one = study(rng, design, subjects)
        found = rating_ceiling(
            one.rows, one.ratings, truth="y", predictions="model", targets="clip",
            cluster="subject", raters="rater", n_boot=0,
            question="question" if design.questions else None,
            form="ICC(C,k)" if design.severity else "ICC(1,k)",
        ).tidy()  # fmt: skip
        for metric, low, high in zip(
            found["metric"], found["conf_low"], found["conf_high"], strict=True
        ):
            defined[metric] += bool(np.isfinite(low))
            hits[metric] += bool(low <= true[metric] <= high)
    shares = {}
    for metric in true:
        if design.severity and metric in WITHOUT_SEVERITY:
            shares[metric] = "-"
            continue
        share = f"{hits[metric] / max(1, defined[metric]):.3f}".removeprefix("0")
        lost = studies - defined[metric]
        shares[metric] = share + (f" ({lost} undefined)" if lost else "")
    return shares


def page(cells: dict[tuple[Design, int], dict[str, str]], studies: int) -> str:
    """Return the page of all cells."""
    lines = [
        "# Intervals of the ceiling, simulated",
        "",
        "Written by benchmarks/coverage_study/ceiling.py: do not edit.",
        "",
        f"{studies:,} studies a cell, 95 % intervals by jackknife-t. The true values are those of "
        f"the error-free scores of {LARGE:,} subjects. The Monte Carlo error of a coverage of .95 "
        f"is {np.sqrt(0.95 * 0.05 / studies):.4f}. Intervals are undefined where the reliability "
        "is not positive for all subjects and without each of them.",
    ]
    for design in DESIGNS:
        lines += ["", f"## {design.name[0].upper()}{design.name[1:]}", ""]
        lines.append(f"| quantity | {' | '.join(f'{n} subjects' for n in SUBJECTS)} |")
        lines.append("|---|" + "---|" * len(SUBJECTS))
        for metric in cells[design, SUBJECTS[0]]:
            values = [cells[design, n][metric] for n in SUBJECTS]
            lines.append(f"| {metric.replace('_', ' ')} | {' | '.join(values)} |")
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
            print(design.name, subjects, cells[design, subjects], flush=True)
    write_text(ROOT / "docs" / "coverage_ceiling.md", page(cells, studies))


if __name__ == "__main__":
    main()
