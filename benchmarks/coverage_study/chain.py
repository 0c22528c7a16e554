"""Coverage of intervals of whole analyses: subjects left out, or drawn, through every step.

    python benchmarks/coverage_study/chain.py [--studies N] [--jobs N] [--only NUMBER]

Each study has ratings of three questions in two contexts and six features. Ridge regression and
the lasso predict the factor score by cross-validation with tuning. The true value of a quantity is
the mean of its estimates over other studies of the same design, which have as many subjects: it is
what the whole analysis gives on average. Pieces of 10 studies are kept in build/coverage_chain and
are not simulated again. Writes docs/coverage_chain.md of all pieces that are there.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import work

from pyexpr.base.errors import FactorModelError
from pyexpr.base.files import write_text
from pyexpr.modeling.chain.chain import bootstrap_chain
from pyexpr.modeling.chain.labels import Labels, Weights
from pyexpr.modeling.chain.result import ChainResult, ChainStep
from pyexpr.modeling.chain.results import models_step
from pyexpr.modeling.chain.steps import Chain
from pyexpr.modeling.elastic_net import ElasticNetRegressor

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "coverage_chain"
SEED = 20261202
PIECE = 10
# Draws take half of the time, and are made in the first studies of a design only.
DRAWS, DRAWN_PIECES = 99, 40
FEATURES = [f"x{k}" for k in range(6)]
WEIGHTS = np.array([0.6, 0.4, 0.2, 0, 0, 0])
QUESTIONS = ("calm", "warm", "open")
LOADINGS = {"a": (0.8, 0.7, 0.6), "b": (0.9, 0.6, 0.5)}
KEYS = ["subject", "context", "clip"]
METHODS = ("as given", "refitted", "jackknife-t", "percentile", "basic", "normal")  # fmt: skip
# What is shown of each study: metric, term, context.
QUANTITIES = (
    ("ICC(1,k)", "calm", "a"),
    ("std_loading", "calm", "a"),
    ("rmse", "ridge, separate", "a"),
    ("rmse", "lasso, pooled", "all"),
    ("rmse", "ridge, separate - lasso, separate", "a"),
    ("rmse", "ridge, separate - ridge, pooled", "all"),
    ("rmse", "ridge, separate", "a - b"),
    ("correlation", "ridge, separate", "a"),
    ("correlation", "ridge, pooled", "all"),
    ("correlation", "ridge, separate - ridge, pooled", "all"),
    ("correlation", "ridge, pooled", "a - b"),
)


@dataclass(frozen=True)
class Design:
    """A kind of study; with `unequal` numbers of clips and raters, and missing contexts."""

    name: str
    subjects: int
    unequal: bool = True
    useless: bool = False
    skewed: bool = False


DESIGNS = (
    Design("4 clips in each context", 20, unequal=False),
    Design("1 to 6 clips, some contexts missing", 24),
    Design("the same, skewed scores on a scale of 0 to 4", 24, skewed=True),
    Design("the same, useless features", 24, useless=True),
    Design("1 to 6 clips, some contexts missing", 48),
    Design("the same, skewed scores on a scale of 0 to 4", 48, skewed=True),
)


def study(rng: np.random.Generator, design: Design) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Simulate the table of features and that of ratings."""
    rows = []
    for subject in range(design.subjects):
        for context in LOADINGS:
            if design.unequal and subject > 3 and rng.random() < 0.05:
                continue
            most = 16 if design.unequal and subject == 0 else rng.integers(1, 7)
            n = most if design.unequal else 4
            rows += [(subject, context, clip) for clip in range(n)]
    table = pd.DataFrame(rows, columns=KEYS)
    n, who = len(table), table["subject"].to_numpy()
    X = 0.8 * rng.normal(size=(n, 6)) + 0.6 * rng.normal(size=(design.subjects, 6))[who]
    own = rng.normal(size=design.subjects)[who]
    score = 0.5 * own + 0.6 * rng.normal(size=n) + (0 if design.useless else 1) * X @ WEIGHTS
    if design.useless:
        score *= 1.2
    if design.skewed:
        score = np.exp(0.7 * score) - 1
    table[FEATURES] = X
    raters = rng.integers(2, 6, size=n) if design.unequal else np.full(n, 4)
    of_clip = np.repeat(np.arange(n), raters)
    blocks = []
    for k, question in enumerate(QUESTIONS):
        loading = table["context"].map({name: one[k] for name, one in LOADINGS.items()}).to_numpy()
        rating = 1.5 + loading * score + 0.5 * rng.normal(size=n)
        rating = rating[of_clip] + 0.8 * rng.normal(size=len(of_clip))
        if design.skewed:
            rating = rating.round().clip(0, 4)
        blocks.append(table[KEYS].iloc[of_clip].assign(question=question, rating=rating))
    return table, pd.concat(blocks, ignore_index=True)


def analysed(one: tuple[pd.DataFrame, pd.DataFrame], seed: int, n_boot: int) -> ChainResult | None:
    """Return the chain of a study, or None where its factor model gives no scores."""
    models = {
        "ridge": ElasticNetRegressor(l1_ratio=0.0),
        "lasso": ElasticNetRegressor(l1_ratio=1.0),
    }
    try:
        return bootstrap_chain(
            *one, features=FEATURES, targets=KEYS, cluster="subject", context="context",
            question="question", model={"score": list(QUESTIONS)}, models=models, n_boot=n_boot,
            seed=seed,
        )  # fmt: skip
    except FactorModelError:
        return None


def with_labels_as_given(
    one: tuple[pd.DataFrame, pd.DataFrame], seed: int, n_boot: int
) -> tuple[ChainResult, ChainResult] | None:
    """Return the chain, and what it is if scores are as given when subjects are left out."""
    kept: dict[str, Any] = {}
    without_each = Chain.without_each

    def also_given(self: Chain, n_jobs: int, progress: bool | None) -> np.ndarray:
        with mock.patch.object(Labels, "without_each", as_given):
            kept["without"] = without_each(self, n_jobs, progress)
        return without_each(self, n_jobs, progress)

    def step(fixed: Any, estimate: Any, without: Any, replicates: Any, subjects: Any) -> ChainStep:
        values = kept["without"]
        kept["step"] = models_step(fixed, estimate, values, np.empty((len(values), 0)), subjects)
        return models_step(fixed, estimate, without, replicates, subjects)

    with (
        mock.patch.object(Chain, "without_each", also_given),
        mock.patch("pyexpr.modeling.chain.chain.models_step", step),
    ):
        chain = analysed(one, seed, n_boot)
    if chain is None:
        return None
    return chain, replace(chain, steps=(*chain.steps[:-1], kept["step"]), n_boot=0)


def as_given(labels: Labels) -> Weights:
    """Return the weights of all subjects in the place of those without each."""
    n = labels.n_subjects
    whole = labels.of_all()
    return Weights(np.repeat(whole.weight, n, axis=0), np.repeat(whole.centre, n, axis=0))


def nothing(chain: Chain, *_: object) -> np.ndarray:
    """Return values without each subject that nobody needs."""
    assert chain.models.cells is not None
    return np.zeros((len(chain.models.cells.first), chain.n_subjects))


def rows_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the quantities, in order."""
    keys = list(zip(table["metric"], table["term"], table["context"], strict=True))
    return table.iloc[[keys.index(one) for one in QUANTITIES]]


def piece(number: int, batch: int) -> None:
    """Simulate some studies of a design, and keep their estimates and limits."""
    path = FOLDER / f"{number}_{batch}.npy"
    if path.exists():
        return
    design = DESIGNS[number]
    rng = np.random.default_rng([SEED, number, batch])
    # Estimate, then low, high and standard error of every method.
    found = np.full((PIECE, len(QUANTITIES), 1 + 3 * len(METHODS)), np.nan)
    for at in range(PIECE):
        one = study(rng, design)
        n_boot = DRAWS if batch < DRAWN_PIECES else 0
        both = with_labels_as_given(one, at, n_boot)
        if both is None:
            continue
        chain, given = both
        tables = [rows_of(chain.tidy()), rows_of(given.tidy())]
        found[at, :, 0] = tables[0]["estimate"]
        fixed = tables[0][["fixed_low", "fixed_high", "fixed_error"]].to_numpy()
        limits = ["conf_low", "conf_high", "std_error"]
        others = [np.full((len(QUANTITIES), 9), np.nan)]
        if n_boot:
            others = [rows_of(replace(chain, method=name).tidy())[limits].to_numpy()
                      for name in ("percentile", "basic", "normal")]  # fmt: skip
        every = [fixed, tables[1][limits].to_numpy(), tables[0][limits].to_numpy(), *others]
        found[at, :, 1:] = np.concatenate(every, axis=1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    np.save(path, found)


def true_piece(number: int, batch: int) -> None:
    """Simulate other studies of a design, and keep their estimates."""
    path = FOLDER / f"true_{number}_{batch}.npy"
    if path.exists():
        return
    rng = np.random.default_rng([SEED + 1, number, batch])
    found = np.full((PIECE, len(QUANTITIES)), np.nan)
    for at in range(PIECE):
        with mock.patch.object(Chain, "without_each", nothing):
            chain = analysed(study(rng, DESIGNS[number]), 0, 0)
        if chain is not None:
            found[at] = rows_of(chain.tidy())["estimate"]
    FOLDER.mkdir(parents=True, exist_ok=True)
    np.save(path, found)


def pieces_of(pattern: str) -> np.ndarray | None:
    """Return what the pieces hold, one after the other."""
    files = sorted(FOLDER.glob(pattern))
    return np.concatenate([np.load(one) for one in files]) if files else None


def lines_of(number: int) -> list[str]:
    """Return a row of the page for each quantity of a design."""
    design, found = DESIGNS[number], pieces_of(f"{number}_*.npy")
    true = pieces_of(f"true_{number}_*.npy")
    if found is None or true is None:
        return []
    # The same analysis of other data; the studies themselves add a little to the precision.
    wanted = np.nanmean(np.concatenate([true, found[:, :, 0]]), axis=0)
    made = []
    for q, name in enumerate(QUANTITIES):
        cells = []
        spread = np.nanstd(found[:, q, 0])
        for m in range(len(METHODS)):
            low, high, error = found[:, q, 1 + 3 * m : 4 + 3 * m].T
            there = ~np.isnan(low) & ~np.isnan(high)
            if not there.any():
                cells.append("")
                continue
            inside = (low <= wanted[q]) & (wanted[q] <= high)
            share = f"{inside[there].mean():.3f}".removeprefix("0")
            cells.append(f"{share} ({np.nanmedian(error) / spread:.2f}) {there.sum()}")
        made.append(f"| {design.name}, {design.subjects} subjects | {', '.join(name)} | "
                    f"{len(found)} | {wanted[q]:.3f} | {' | '.join(cells)} |")  # fmt: skip
    return made


def heading() -> list[str]:
    """Return the lines above the rows."""
    return [
        "# Intervals of whole analyses, simulated",
        "",
        "Written by benchmarks/coverage_study/chain.py: do not edit.",
        "",
        "Proportions of nominal 95 % intervals that include the true value; in parentheses the "
        "median standard error divided by the standard deviation of the estimates over studies; "
        "then the number of studies that have an interval. The column *studies* is the number of "
        "studies simulated; those whose factor model has a negative residual variance have no "
        "analysis. With 2,000 studies the Monte Carlo error of a coverage of .95 is .005. Ratings "
        "of three questions in two contexts, six features; ridge regression and the lasso, tuned "
        "and evaluated by 5-fold cross-validation, predict the factor score. The true value is "
        "the mean of the estimates over these and further studies of the same design.",
        "",
        "*As given* is the interval of `compare()`, with scores and models as given; *refitted* is "
        "the jackknife with scores as given, as `compare_procedures()` has it; *jackknife-t* and "
        f"*percentile* are those of `bootstrap_chain()`, the latter with {DRAWS} draws, in the "
        f"first {PIECE * DRAWN_PIECES} studies of a design (Monte Carlo error .011). *Basic* and "
        "*normal* are intervals from the same draws which are not offered.",
        "",
        f"| design | quantity | studies | true value | {' | '.join(METHODS)} |",
        f"|{'---|' * (4 + len(METHODS))}",
    ]


def main() -> None:
    """Simulate what is missing and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--true-studies", type=int, default=600)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", type=int, action="append", help="position of a design")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    chosen = given.only or range(len(DESIGNS))
    tasks = [
        (function, (number, batch))
        for batch in range(max(given.studies, given.true_studies) // PIECE)
        for number in chosen
        for function, n in ((piece, given.studies), (true_piece, given.true_studies))
        if batch < n // PIECE
    ]
    work.do(tasks, given.jobs)
    rows = [line for number in range(len(DESIGNS)) for line in lines_of(number)]
    write_text(ROOT / "docs" / "coverage_chain.md", "\n".join([*heading(), *rows]) + "\n")


if __name__ == "__main__":
    main()
