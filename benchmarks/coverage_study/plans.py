"""How right the plans of `plan_study` are: size, power and the band of the pilot.

    python benchmarks/coverage_study/plans.py [--pilots N]

Pilots are drawn from populations whose power is known, because studies are drawn from them too.
Writes docs/coverage_plans.md.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from pyexpr.base.files import write_text
from pyexpr.inference.coefficients.data import CoefficientData
from pyexpr.measurement.icc.forms import find_form
from pyexpr.planning.difference import (
    NormalRows,
    PilotRows,
    correlation_matrix,
    jackknife_tests,
    sums_of,
    tuned,
)
from pyexpr.planning.plan_study import plan_study
from pyexpr.planning.reliability import Components
from pyexpr.planning.slope import NormalSlopes, PilotSlopes, fitted

ROOT = Path(__file__).parents[2]
SEED = 20261203
PILOTS = (8, 14, 30)
SUBJECTS = (20, 40)
LARGE = 40_000
TRUE_STUDIES = 4000
# Simulated studies of each plan.
STUDIES = 400
# Of a plan for a slope or a reliability, which takes longer.
FEW_STUDIES = 100
LEVEL = 0.95


@dataclass(frozen=True)
class Design:
    """A population of subjects, with the truth and the predictions of two models."""

    name: str
    metric: str
    difference: float
    clips: tuple[int, int] = (8, 8)
    skewed: bool = False
    few_expressive: bool = False


DESIGNS = (
    Design("8 clips, normal", "correlation", 0.1),
    Design("8 clips, normal", "rmse", 0.12),
    Design("2 to 14 clips, skewed", "correlation", 0.12, clips=(2, 14), skewed=True),
    Design("2 to 14 clips, skewed", "rmse", 0.15, clips=(2, 14), skewed=True),
    Design("the same, a fifth of the subjects more expressive", "correlation", 0.12,
           clips=(2, 14), skewed=True, few_expressive=True),
)  # fmt: skip


def noise(rng: np.random.Generator, size: object, *, skewed: bool) -> np.ndarray:
    """Return numbers with mean 0 and standard deviation 1."""
    return rng.gamma(1.0, 1.0, size) - 1 if skewed else rng.normal(size=size)


def rows_of(
    rng: np.random.Generator, design: Design, subjects: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return truth and predictions (n, 3), before the difference is set, and the subjects."""
    counts = rng.integers(design.clips[0], design.clips[1] + 1, subjects)
    subject = np.repeat(np.arange(subjects), counts)
    scale = np.ones(subjects)
    if design.few_expressive:
        scale = np.where(rng.random(subjects) < 0.2, 2.0, 0.5)
    n = len(subject)
    own = scale * noise(rng, subjects, skewed=design.skewed)
    y = np.sqrt(0.4) * own[subject] + np.sqrt(0.6) * scale[subject] * noise(
        rng, n, skewed=design.skewed
    )
    errors = []
    for _ in range(2):
        of_model = noise(rng, subjects, skewed=design.skewed)[subject]
        errors.append(0.5 * of_model + noise(rng, n, skewed=design.skewed))
    # People also differ in how well their expressions can be predicted.
    slope = 0.6 + 0.25 * rng.normal(size=subjects)[subject]
    return np.column_stack([y, slope * y + errors[0], slope * y + errors[1]]), subject


def population(design: Design, difference: float) -> tuple[float, float]:
    """Return how predictions of b become those of the population: b + first y, times second."""
    rows, _ = rows_of(np.random.default_rng(SEED), design, LARGE)
    changed = tuned(rows, np.ones(len(rows)), design.metric, difference, ("a", "b"))
    y, _, b = rows.T
    of_y, of_b = np.linalg.lstsq(np.column_stack([y, b]), changed[:, 2], rcond=None)[0][:2]
    return float(of_y), float(of_b)


def drawn(
    rng: np.random.Generator, design: Design, subjects: int, made: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of a study from the population with the difference."""
    rows, subject = rows_of(rng, design, subjects)
    return np.column_stack(
        [rows[:, 0], rows[:, 1], made[0] * rows[:, 0] + made[1] * rows[:, 2]]
    ), subject


def true_power(design: Design, subjects: int, made: tuple[float, float], studies: int) -> float:
    """Return the power of studies from the population itself."""
    rng = np.random.default_rng(SEED + subjects)
    sums = np.zeros((studies, subjects, 9))
    for at in range(studies):
        rows, subject = drawn(rng, design, subjects, made)
        np.add.at(sums[at], subject, sums_of(*rows.T))
    return float(np.mean(jackknife_tests(sums, design.metric, LEVEL).p_value < 1 - LEVEL))


def of_differences(pilots: int, designs: tuple[Design, ...] = DESIGNS) -> list[str]:
    """Return the table of plans for differences."""
    lines = [
        "| population | metric | subjects | true power | pilot | mean power | band | "
        "mean width of band |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for design in designs:
        made = population(design, design.difference)
        true = {n: true_power(design, n, made, TRUE_STUDIES) for n in SUBJECTS}
        for size in PILOTS:
            tables = []
            for at in range(pilots):
                rng = np.random.default_rng([SEED, size, at])
                rows, subject = drawn(rng, design, size, made)
                frame = pd.DataFrame(rows, columns=["y", "a", "b"]).assign(subject=subject)
                tables.append(
                    plan_study(
                        frame, difference=design.difference, metric=design.metric, truth="y",
                        predictions=["a", "b"], cluster="subject", n_subjects=SUBJECTS,
                        n_studies=STUDIES, seed=at, progress=False,
                    ).tidy()
                )  # fmt: skip
            lines += rows_of_table(f"{design.name} | {design.metric}", true, size, tables)
            print(lines[-1], flush=True)
    return lines


def rows_of_table(
    name: str, true: dict[int, float], size: int, tables: list[pd.DataFrame]
) -> list[str]:
    """Return a line per number of subjects of the planned study."""
    lines = []
    for i, (n, power) in enumerate(true.items()):
        found = pd.DataFrame([table.iloc[i] for table in tables])
        inside = (found["pilot_low"] <= power) & (power <= found["pilot_high"])
        width = (found["pilot_high"] - found["pilot_low"]).mean()
        lines.append(
            f"| {name} | {n} | {power:.3f} | {size} | {found['power'].mean():.3f} | "
            f"{inside.mean():.3f} | {width:.2f} |"
        )
    return lines


def of_slopes(pilots: int) -> list[str]:
    """Return the table of plans for slopes: subjects differ in their slopes, skewed residuals."""
    lines = [
        "| population | subjects | true power | pilot | mean power | band | mean width of band |",
        "|---|---|---|---|---|---|---|",
    ]
    slope = 0.35

    def frame_of(rng: np.random.Generator, subjects: int) -> pd.DataFrame:
        counts = rng.integers(2, 13, subjects)
        subject = np.repeat(np.arange(subjects), counts)
        x = np.sqrt(0.5) * (rng.normal(size=subjects)[subject] + rng.normal(size=len(subject)))
        own = slope + 0.3 * rng.normal(size=subjects)
        residual = 0.6 * (rng.gamma(1, 1, subjects)[subject] + rng.gamma(1, 1, len(subject)) - 2)
        return pd.DataFrame({"subject": subject, "x": x, "y": own[subject] * x + residual})

    def p_value(frame: pd.DataFrame, subjects: int) -> float:
        x, y = frame[["x"]].to_numpy(), frame["y"].to_numpy()
        n = len(y)
        data = CoefficientData(
            x, y, y, ("x",), np.zeros(n, dtype=np.int64), ("all rows",),
            frame["subject"].to_numpy(), tuple(range(subjects)), "subject", 0,
            x.std(axis=0), np.zeros((1, 1), dtype=bool),
        )  # fmt: skip
        space = fitted(data, "all rows")
        return float(space.tests([space.weights([(0, 0, 1.0)])]).p_value[0])

    rng = np.random.default_rng(SEED)
    true = {
        n: float(np.mean([p_value(frame_of(rng, n), n) < 1 - LEVEL for _ in range(2000)]))
        for n in SUBJECTS
    }
    for size in PILOTS[1:]:
        tables = []
        for at in range(pilots):
            # Per standard deviation of the feature in the pilot; that of the population is 1.
            frame = frame_of(np.random.default_rng([SEED, size, at]), size)
            sd = float(frame["x"].std(ddof=0))
            tables.append(
                plan_study(
                    frame, slope=slope * sd, truth="y", features="x", cluster="subject",
                    n_subjects=SUBJECTS, n_studies=FEW_STUDIES, seed=at, progress=False,
                ).tidy()
            )  # fmt: skip
        lines += rows_of_table("2 to 12 clips, slopes differ, skewed", true, size, tables)
        print(lines[-1], flush=True)
    return lines


def of_reliabilities(pilots: int) -> list[str]:
    """Return the table of plans for reliabilities."""
    lines = [
        "| population | subjects | true power | pilot | mean power | band | mean width of band |",
        "|---|---|---|---|---|---|---|",
    ]
    form, goal = find_form("ICC(C,k)"), 0.6
    parts = Components(1.0, 0.5, 0.3, 1.5, clustered=True)
    rng = np.random.default_rng(SEED)
    true = {
        n: float(np.mean(parts.limits(form, (n, 5, 4), 2000, rng, LEVEL)[:, 0] > goal))
        for n in SUBJECTS
    }
    for size in PILOTS[1:]:
        tables = []
        for at in range(pilots):
            own = np.random.default_rng([SEED, size, at])
            table = own.normal(size=(size, 1, 1)) + np.sqrt(0.5) * own.normal(size=(size, 5, 1))
            table = table + np.sqrt(0.3) * own.normal(size=(1, 1, 4))
            table = table + np.sqrt(1.5) * own.normal(size=(size, 5, 4))
            subject, clip, rater = np.indices(table.shape)
            frame = pd.DataFrame({
                "subject": subject.ravel(), "clip": clip.ravel(), "rater": rater.ravel(),
                "rating": table.ravel(),
            })  # fmt: skip
            tables.append(
                plan_study(
                    frame, reliability=goal, form="ICC(C,k)", targets=["subject", "clip"],
                    ratings="rating", raters="rater", cluster="subject", n_subjects=SUBJECTS,
                    n_studies=FEW_STUDIES, seed=at, progress=False,
                ).tidy()
            )  # fmt: skip
        lines += rows_of_table("5 clips, 4 raters, ICC(C,k) above .6", true, size, tables)
        print(lines[-1], flush=True)
    return lines


def of_size(studies: int) -> list[str]:
    """Return the table of sizes: the same simulations without any difference or slope."""
    lines = ["| simulated from | subjects | size |", "|---|---|---|"]

    def add(name: str, source: NormalRows | PilotRows | NormalSlopes | PilotSlopes,
            clips: int | None, n_studies: int) -> None:  # fmt: skip
        for n in SUBJECTS:
            rng = np.random.default_rng([SEED, n])
            sampler = source.sampler(clips, rng)
            p = np.concatenate(
                [sampler.p_values(n, 100, rng) for _ in range(max(1, n_studies // 100))]
            )
            lines.append(f"| {name} | {n} | {np.mean(p < 1 - LEVEL):.3f} |")
            print(lines[-1], flush=True)

    for icc in (0.0, 0.4):
        normal = NormalRows(correlation_matrix(0.4, 0.4, 0.5), icc, "correlation", 0.0, LEVEL)
        add(f"published correlations, share between subjects {icc}", normal, 6, studies)
        errors = np.diag([0.0, 1.0, 1.0])
        add(f"published RMSE, share between subjects {icc}",
            NormalRows(errors, icc, "rmse", 0.0, LEVEL), 6, studies)  # fmt: skip
    rng = np.random.default_rng(SEED)
    for design in (DESIGNS[2], DESIGNS[3]):
        rows, subject = rows_of(rng, design, 14)
        pilot = PilotRows(rows, subject, design.metric, 0.0, ("a", "b"), LEVEL)
        add(f"one pilot of 14 skewed subjects, {design.metric}", pilot, None, studies)
        add(f"the same, at most 4 clips, {design.metric}", replace(pilot), 4, studies)
    slopes = NormalSlopes(0.0, 1.0, 0.5, 0.3, 0.0)
    add("published slope", slopes, 6, studies // 2)
    return lines


def page(pilots: int, studies: int) -> str:
    """Return the text of docs/coverage_plans.md."""
    few = max(1, pilots * 3 // 20)
    return text_of(
        pilots, few, studies,
        ["\n".join(of_differences(pilots)), "\n".join(of_slopes(few)),
         "\n".join(of_reliabilities(few)), "\n".join(of_size(studies))],
    )  # fmt: skip


def text_of(pilots: int, few: int, studies: int, tables: list[str]) -> str:
    """Return the page of these tables."""
    differences, slopes, reliabilities, size = tables

    def error(n: int) -> str:
        return f"{np.sqrt(0.95 * 0.05 / n):.3f}"

    blocks = [
        "# Plans, simulated",
        "Written by benchmarks/coverage_study/plans.py: do not edit.",
        "The true power is that of studies drawn from the population itself. From the same "
        f"population {pilots} pilots of each size were drawn ({few} for slopes and reliabilities), "
        f"and a study was planned from each ({STUDIES} simulated studies a design, {FEW_STUDIES} "
        "for slopes and reliabilities). `mean power` "
        "is the mean of the planned powers, `band` the proportion of pilots whose band "
        "(`pilot_low` to `pilot_high`, nominally 95 %) contains the true power. The Monte Carlo "
        f"error of a proportion of .95 is {error(pilots)} ({error(few)}).",
        "## Differences between models",
        "Subjects differ in how well they are predicted.",
        differences,
        "## Slopes",
        slopes,
        "## Reliabilities",
        reliabilities,
        "## Size",
        "Without a difference or slope, the power should be the level of the test, .05. "
        f"{studies} simulated studies ({studies // 2} for slopes): the Monte Carlo error is "
        f"{np.sqrt(0.05 * 0.95 / studies):.4f}.",
        size,
    ]
    return "\n\n".join(blocks) + "\n"


def main() -> None:
    """Simulate, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pilots", type=int, default=400)
    parser.add_argument("--studies", type=int, default=4000)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    write_text(ROOT / "docs" / "coverage_plans.md", page(args.pilots, args.studies))


if __name__ == "__main__":
    main()
