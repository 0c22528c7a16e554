"""How right the plans of `plan_study` are: size, power, assurance, and the band of the pilot.

    python benchmarks/coverage_study/plans.py [--pilots N] [--few-pilots N] [--jobs N]

Pilots are drawn from populations whose power is known, because studies are drawn from them too.
Pieces of 10 pilots are kept in build/coverage_plans and are not simulated again. Writes
docs/coverage_plans.md of all pieces that are there.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import work

from pyexpr.base.errors import DataError
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
from pyexpr.planning.reliability import limits_of_tables
from pyexpr.planning.slope import NormalSlopes, tested
from pyexpr.planning.slope_tests import Products, Sums, slope_tests

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "coverage_plans"
SEED = 20261203
PIECE = 10
PILOTS = (8, 14, 30)
SUBJECTS = (20, 40)
LARGE = 40_000
TRUE_STUDIES = 4000
TRUE_PIECE = 500
# Simulated studies of each plan.
STUDIES = {"difference": 400, "slope": 400, "reliability": 200}
# Pilots whose sizes are shown, and simulated studies of each.
SIZE_PILOTS, SIZE_STUDIES = 20, 1000
LEVEL = 0.95
COLUMNS = ["power", "pilot_low", "pilot_high", "assurance"]


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
    Design("the same, a fifth of the subjects more expressive", "rmse", 0.15,
           clips=(2, 14), skewed=True, few_expressive=True),
)  # fmt: skip
# Of slopes and of reliabilities: skewed or not, a few expressive subjects or not.
KINDS = (
    ("normal", False, False),
    ("skewed", True, False),
    ("skewed, a fifth of the subjects more expressive", True, True),
)
SLOPE = 0.35
FORM, GOAL = "ICC(C,k)", 0.6
FINDINGS = {"difference": len(DESIGNS), "slope": len(KINDS), "reliability": len(KINDS)}


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


def scales(rng: np.random.Generator, subjects: int, *, few: bool) -> np.ndarray:
    """Return the standard deviations of subjects, whose squares have the mean 1."""
    return np.where(rng.random(subjects) < 0.2, 2.0, 0.5) if few else np.ones(subjects)


def slope_frame(rng: np.random.Generator, number: int, subjects: int) -> pd.DataFrame:
    """Return the rows of a study of a slope: subjects differ in their slopes."""
    _, skewed, few = KINDS[number]
    counts = rng.integers(2, 13, subjects)
    subject = np.repeat(np.arange(subjects), counts)
    n = len(subject)
    x = np.sqrt(0.5) * (noise(rng, subjects, skewed=skewed)[subject] + noise(rng, n, skewed=skewed))
    x *= scales(rng, subjects, few=few)[subject]
    own = SLOPE + 0.3 * rng.normal(size=subjects)
    residual = 0.6 * (noise(rng, subjects, skewed=skewed)[subject] + noise(rng, n, skewed=skewed))
    return pd.DataFrame({"subject": subject, "x": x, "y": own[subject] * x + residual})


def slope_p_values(frames: Sequence[pd.DataFrame]) -> np.ndarray:
    """Return the p-values of the slope of studies."""
    sums, largest = [], 0.0
    for frame in frames:
        x, y = frame[["x"]].to_numpy(), frame["y"].to_numpy()
        products = Products.of(x, y, np.zeros(len(y), dtype=np.int64), 1)
        starts = np.flatnonzero(np.diff(frame["subject"].to_numpy(), prepend=-1))
        sums.append(products.summed(np.split(np.arange(len(y)), starts[1:])))
        largest = max(largest, products.largest)
    found, good = slope_tests(Sums.of(sums), 0, largest)
    for at in np.flatnonzero(~good):
        found[1, at] = slope_p_value(frames[at])
    return found[1]


def slope_p_value(frame: pd.DataFrame) -> float:
    """Return the p-value of a study, fitted from its rows."""
    x, y, subject = (frame[name].to_numpy() for name in ("x", "y", "subject"))
    data = CoefficientData(
        x[:, None], y, y, ("x",), np.zeros(len(y), dtype=np.int64), ("all rows",), subject,
        tuple(range(subject[-1] + 1)), "subject", 0, np.array([x.std()]),
        np.zeros((1, 1), dtype=bool),
    )  # fmt: skip
    return tested(data, "all rows", 0)[1]


def ratings_of(rng: np.random.Generator, number: int, subjects: int) -> np.ndarray:
    """Return ratings (subjects, 5 clips, 4 raters) whose ICC(C,k) is .8 in the population."""
    _, skewed, few = KINDS[number]
    scale = scales(rng, subjects, few=few)[:, None, None]
    table = scale * (
        noise(rng, (subjects, 1, 1), skewed=skewed)
        + np.sqrt(0.5) * noise(rng, (subjects, 5, 1), skewed=skewed)
    )
    table = table + np.sqrt(0.3) * rng.normal(size=(1, 1, 4))
    return np.asarray(table + np.sqrt(1.5) * rng.normal(size=(subjects, 5, 4)))


def true_piece(finding: str, number: int, batch: int) -> None:
    """Draw studies of each size from the population itself, and keep how many find the effect."""
    path = FOLDER / f"true_{finding}_{number}_{batch}.npy"
    if path.exists():
        return
    hits = np.zeros(len(SUBJECTS))
    made = made_of(number) if finding == "difference" else None
    for i, n in enumerate(SUBJECTS):
        rng = np.random.default_rng([SEED + 1, number, n, batch])
        if made is not None:
            design = DESIGNS[number]
            sums = np.zeros((TRUE_PIECE, n, 9))
            for at in range(TRUE_PIECE):
                rows, subject = drawn(rng, design, n, made)
                np.add.at(sums[at], subject, sums_of(*rows.T))
            p = jackknife_tests(sums, design.metric, LEVEL).p_value
            hits[i] = np.count_nonzero(p < 1 - LEVEL)
        elif finding == "slope":
            p = slope_p_values([slope_frame(rng, number, n) for _ in range(TRUE_PIECE)])
            hits[i] = np.count_nonzero(p < 1 - LEVEL)
        else:
            tables = np.array([ratings_of(rng, number, n) for _ in range(TRUE_PIECE)])
            limits = limits_of_tables(tables, find_form(FORM), LEVEL, clustered=True)
            hits[i] = np.count_nonzero(limits[:, 0] > GOAL)
    FOLDER.mkdir(parents=True, exist_ok=True)
    np.save(path, hits)


_MADE: dict[int, tuple[float, float]] = {}


def made_of(number: int) -> tuple[float, float]:
    """Return `population` of a design, which takes a second, once."""
    if number not in _MADE:
        _MADE[number] = population(DESIGNS[number], DESIGNS[number].difference)
    return _MADE[number]


def planned(finding: str, number: int, size: int, seed: int) -> pd.DataFrame:
    """Return the plan from one pilot."""
    rng = np.random.default_rng([SEED, size, seed])
    common = {
        "cluster": "subject", "n_subjects": SUBJECTS, "n_studies": STUDIES[finding], "seed": seed,
        "progress": False,
    }  # fmt: skip
    if finding == "difference":
        design = DESIGNS[number]
        rows, subject = drawn(rng, design, size, made_of(number))
        frame = pd.DataFrame(rows, columns=["y", "a", "b"]).assign(subject=subject)
        return plan_study(
            frame, difference=design.difference, metric=design.metric, truth="y",
            predictions=["a", "b"], **common,
        ).tidy()  # fmt: skip
    if finding == "slope":
        frame = slope_frame(rng, number, size)
        # Per standard deviation of the feature in the pilot; that of the population is 1.
        sd = float(frame["x"].std(ddof=0))
        return plan_study(frame, slope=SLOPE * sd, truth="y", features="x", **common).tidy()
    table = ratings_of(rng, number, size)
    subject, clip, rater = np.indices(table.shape)
    frame = pd.DataFrame({
        "subject": subject.ravel(), "clip": clip.ravel(), "rater": rater.ravel(),
        "rating": table.ravel(),
    })  # fmt: skip
    return plan_study(
        frame, reliability=GOAL, form=FORM, targets=["subject", "clip"], ratings="rating",
        raters="rater", **common,
    ).tidy()  # fmt: skip


def piece(finding: str, number: int, size: int, batch: int) -> None:
    """Draw some pilots, plan a study from each, and keep the plans."""
    path = FOLDER / f"{finding}_{number}_{size}_{batch}.npy"
    if path.exists():
        return
    found = np.full((PIECE, len(SUBJECTS), len(COLUMNS)), np.nan)
    for at in range(PIECE):
        try:
            found[at] = planned(finding, number, size, batch * PIECE + at)[COLUMNS]
        except DataError:
            # The pilot cannot have the difference, or too few of its subjects show the feature.
            continue
    FOLDER.mkdir(parents=True, exist_ok=True)
    np.save(path, found)


def size_piece(number: int, clips: int | None) -> None:
    """Simulate studies without a difference from several pilots, and keep their sizes."""
    path = FOLDER / f"size_{number}_{clips}.npy"
    if path.exists():
        return
    design = DESIGNS[number]
    found = np.zeros((SIZE_PILOTS, len(SUBJECTS)))
    for at in range(SIZE_PILOTS):
        rows, subject = rows_of(np.random.default_rng([SEED + 2, number, at]), design, 14)
        pilot = PilotRows(rows, subject, design.metric, 0.0, ("a", "b"), LEVEL)
        rng = np.random.default_rng([SEED + 3, number, at])
        sampler = pilot.sampler(clips, rng)
        for i, n in enumerate(SUBJECTS):
            found[at, i] = np.mean(sampler.tests(n, SIZE_STUDIES, rng)[1] < 1 - LEVEL)
    FOLDER.mkdir(parents=True, exist_ok=True)
    np.save(path, found)


def published_piece(number: int) -> None:
    """Simulate studies without an effect from published numbers, and keep their sizes."""
    path = FOLDER / f"published_{number}.npy"
    if path.exists():
        return
    rng = np.random.default_rng([SEED + 4, number])
    sampler = published()[number][1].sampler(6, rng)
    n_studies = published_studies(number)
    found = [
        np.mean(
            np.concatenate([sampler.tests(n, 100, rng)[1] for _ in range(n_studies // 100)])
            < 1 - LEVEL
        )
        for n in SUBJECTS
    ]
    FOLDER.mkdir(parents=True, exist_ok=True)
    np.save(path, found)


def published() -> list[tuple[str, NormalRows | NormalSlopes]]:
    """Return populations of published numbers without an effect."""
    found: list[tuple[str, NormalRows | NormalSlopes]] = []
    for icc in (0.0, 0.4):
        of_correlation = correlation_matrix(0.4, 0.4, 0.5)
        found += [
            (f"correlations, share between subjects {icc}",
             NormalRows(of_correlation, icc, "correlation", 0.0, LEVEL)),
            (f"RMSE, share between subjects {icc}",
             NormalRows(np.diag([0.0, 1.0, 1.0]), icc, "rmse", 0.0, LEVEL)),
        ]  # fmt: skip
    return [*found, ("slope", NormalSlopes(0.0, 1.0, 0.5, 0.3, 0.0))]


def published_studies(number: int) -> int:
    """Return the number of simulated studies; those of slopes take longer."""
    return 2000 if number == len(published()) - 1 else 4000


def pieces_of(pattern: str) -> list[np.ndarray]:
    """Return what the pieces hold."""
    return [np.load(one) for one in sorted(FOLDER.glob(pattern))]


def lines_of(finding: str) -> list[str]:
    """Return the table of plans for a finding."""
    lines = [
        "| population | subjects | true power | pilot | pilots | mean power | median power | "
        "mean assurance | below | in the band | above | mean width |",
        f"|{'---|' * 12}",
    ]
    for number in range(FINDINGS[finding]):
        trues = pieces_of(f"true_{finding}_{number}_*.npy")
        if not trues:
            continue
        true = np.sum(trues, axis=0) / (TRUE_PIECE * len(trues))
        for size in PILOTS:
            parts = pieces_of(f"{finding}_{number}_{size}_*.npy")
            if parts:
                lines += rows_of_table(named(finding, number), true, size, np.concatenate(parts))
    return lines


def named(finding: str, number: int) -> str:
    """Return what is shown of a design."""
    if finding != "difference":
        return KINDS[number][0]
    design = DESIGNS[number]
    return f"{'RMSE' if design.metric == 'rmse' else design.metric}: {design.name}"


def rows_of_table(name: str, true: np.ndarray, size: int, found: np.ndarray) -> list[str]:
    """Return a line per number of subjects of the planned study."""
    lines = []
    for i, n in enumerate(SUBJECTS):
        power, low, high, assurance = found[~np.isnan(found[:, i, 1]), i].T
        below, above = true[i] < low, true[i] > high
        inside = 1 - below.mean() - above.mean()
        lines.append(
            f"| {name} | {n} | {true[i]:.3f} | {size} | {len(low)} of {len(found)} | "
            f"{power.mean():.3f} | {np.median(power):.3f} | {assurance.mean():.3f} | "
            f"{below.mean():.3f} | {inside:.3f} | {above.mean():.3f} | {(high - low).mean():.2f} |"
        )
    return lines


def size_lines() -> list[str]:
    """Return the tables of sizes."""
    lines = ["| published | subjects | studies | size |", "|---|---|---|---|"]
    for number, (name, _) in enumerate(published()):
        for found in pieces_of(f"published_{number}.npy"):
            lines += [
                f"| {name} | {n} | {published_studies(number)} | {own:.3f} |"
                for n, own in zip(SUBJECTS, found, strict=True)
            ]
    lines += [
        "",
        "| pilots of 14 subjects | clips | subjects | mean size | smallest | largest |",
        "|---|---|---|---|---|---|",
    ]
    for number in range(len(DESIGNS)):
        for clips, shown in ((None, "all"), (4, "at most 4")):
            for found in pieces_of(f"size_{number}_{clips}.npy"):
                lines += [
                    f"| {named('difference', number)} | {shown} | {n} | {own.mean():.3f} | "
                    f"{own.min():.3f} | {own.max():.3f} |"
                    for n, own in zip(SUBJECTS, found.T, strict=True)
                ]
    return lines


def page() -> str:
    """Return the text of docs/coverage_plans.md."""
    blocks = [
        "# Plans, simulated",
        "Written by benchmarks/coverage_study/plans.py: do not edit.",
        "The true power is that of studies drawn from the population itself. Pilots were drawn "
        "from the same population, and a study was planned from each. *Pilots* is the number of "
        "pilots simulated so far, and how many of them can be planned from: the others show the "
        "feature in too few subjects. *Mean power* and *median power* are those of the planned "
        "powers, *mean assurance* that of the column `assurance`. *In the band* is the proportion "
        "of pilots whose band (`pilot_low` to `pilot_high`, nominally 95 %) contains the true "
        "power; *below* and *above* are the proportions in which the true power is below the band, "
        "so that the plan promises too much, and above it. The Monte Carlo error of a proportion "
        "of .95 is .005 with 2,000 pilots, .011 with 400 and .022 with 100; that of the true power "
        "is at most .008 with 4,000 studies. Larger numbers are simulated by running the script "
        "again.",
        "## Differences between models",
        "Subjects differ in how well they are predicted. "
        f"{STUDIES['difference']} simulated studies of each plan.",
        "\n".join(lines_of("difference")),
        "The planned power of a small pilot is too high for RMSE, most of all if errors are "
        "skewed: the squared errors of few subjects make up most of the standard error, and most "
        "small pilots have none of these subjects. For correlations the band is wider than it need "
        "be. The same rule serves both metrics, because a pilot does not show whether rare "
        "subjects are missing from it.",
        "## Slopes",
        "2 to 12 clips; subjects differ in their slopes. "
        f"{STUDIES['slope']} simulated studies of each plan.",
        "\n".join(lines_of("slope")),
        "The bands are wide because a standard error from so few subjects is uncertain by a factor "
        "of up to two or more, and they contain the true power somewhat more often than in 95 % "
        "of the pilots, because they allow for the error of this uncertainty too. The assurance is "
        "below the true power where the power is high.",
        "## Reliabilities",
        f"5 clips, 4 raters; that {FORM}, which is .8, is above {GOAL}. {STUDIES['reliability']} "
        "simulated studies of each plan. The bands are wide because power changes from nearly 0 to "
        "nearly 1 within the interval that a small pilot leaves for the reliability. Plans assume "
        "normal distributions, and promise too much where scores are skewed.",
        "\n".join(lines_of("reliability")),
        "## Size",
        "Without a difference or slope, the power should be the level of the test, .05. "
        f"{SIZE_PILOTS} pilots of each kind were drawn, and {SIZE_STUDIES} studies were simulated "
        "from each. The size of studies from one pilot can be far from .05: its subjects are the "
        "whole population of these studies. If one has most of a difference, about a quarter of "
        "the studies of 20 subjects from a pilot of 14 lacks this subject, and finds the "
        "opposite. The mean over pilots shows whether the plan itself is at fault.",
        "\n".join(size_lines()),
    ]
    return "\n\n".join(blocks) + "\n"


def tasks_of(pilots: int, few: int, only: Sequence[str] | None) -> list[work.Piece]:
    """Return the pieces in an order in which all designs have about as many pilots at any time."""
    tasks: list[work.Piece] = []
    for batch in range(max(pilots, few) // PIECE):
        for finding, designs in FINDINGS.items():
            if only and finding not in only:
                continue
            wanted = pilots if finding == "difference" else few
            for number in range(designs):
                if batch < TRUE_STUDIES // TRUE_PIECE:
                    tasks.append((true_piece, (finding, number, batch)))
                if batch < wanted // PIECE:
                    tasks += [(piece, (finding, number, size, batch)) for size in PILOTS]
    if not only or "size" in only:
        tasks += [(size_piece, (d, clips)) for d in range(len(DESIGNS)) for clips in (None, 4)]
        tasks += [(published_piece, (number,)) for number in range(len(published()))]
    return tasks


def main() -> None:
    """Simulate what is missing, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pilots", type=int, default=2000, help="of differences")
    parser.add_argument("--few-pilots", type=int, default=400, help="of slopes and reliabilities")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", action="append", choices=[*FINDINGS, "size"])
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    work.do(tasks_of(given.pilots, given.few_pilots, given.only), given.jobs)
    write_text(ROOT / "docs" / "coverage_plans.md", page())


if __name__ == "__main__":
    main()
