"""Random numbers and exact tests: NumPy's Philox and SciPy's permutation test."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from reference import cluster_bootstrap as twin
from scipy import stats

from parity.comparison import Comparison, Tolerance, absolute, python_package, relative
from pyexpr.base.errors import FewSubjectsWarning
from pyexpr.core.cluster_bootstrap import draw_counts
from pyexpr.inference.comparison.comparison import compare_models

AREA = "Random numbers and exact tests"
EQUAL = Tolerance(0.0, "whole numbers, the same ones")
SEEDS = (0, 1, 2**63 + 11)


def draws() -> dict[str, float]:
    """Subjects drawn: the high words of numpy.random.Philox, scaled."""
    found = 0.0
    for seed in SEEDS:
        for first in (0, 5, 2**40):
            counts = draw_counts([13], 4, seed=seed, first=first)
            for r in range(4):
                wanted = np.bincount(twin.draws([13], seed, 1, first + r), minlength=13)
                found = max(found, absolute(counts[r], wanted))
    return {"counts of 13 subjects": found}


def strata() -> dict[str, float]:
    counts = draw_counts([4, 1, 6], 50, seed=3)
    wanted = [
        np.bincount(twin.draws([4, 1, 6], 3, 1, replicate), minlength=11) for replicate in range(50)
    ]
    return {"counts in three strata": absolute(counts, wanted)}


def table(n_subjects: int, seed: int = 0, clips: tuple[int, int] = (2, 6)) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(n_subjects), rng.integers(*clips, size=n_subjects))
    y = rng.normal(size=n_subjects)[subject] + rng.normal(size=len(subject))
    frame = pd.DataFrame({"subject": subject, "y": y + 1})
    frame["p"] = 0.7 * frame.y + 0.6 * rng.normal(size=len(y)) + 0.2
    frame["q"] = 0.3 * frame.y + rng.normal(size=len(y))
    return frame


def flipped(frame: pd.DataFrame, metric: str, **options: int):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewSubjectsWarning)
        result = compare_models(
            frame, truth="y", predictions=["p", "q"], cluster="subject", n_boot=0,
            metrics=[metric], seed=5,
        )  # fmt: skip
    return result.sign_flip(**options)


def permutation_test() -> dict[str, float]:
    """All flips of ten subjects: the means of each, exchanged by SciPy."""
    frame = table(10, clips=(3, 4))
    found = flipped(frame, "bias")
    means = frame.groupby("subject")[["p", "q"]].mean()
    wanted = stats.permutation_test(
        (means.p, means.q),
        lambda x, y, axis: np.abs(stats.ttest_rel(x, y, axis=axis).statistic),
        permutation_type="samples",
        n_resamples=np.inf,
        alternative="greater",
        vectorized=True,
    )
    return {
        "t": relative(found.statistic[0], stats.ttest_rel(means.p, means.q).statistic),
        "p": relative(found.p_value[0], wanted.pvalue),
    }


def comparisons() -> list[Comparison]:
    numpy, scipy = python_package("numpy"), python_package("scipy")
    return [
        Comparison(AREA, "draws of subjects", "nine places in three streams", numpy,
                   {"counts of 13 subjects": EQUAL}, draws),
        Comparison(AREA, "draws of subjects", "50 replicates", numpy,
                   {"counts in three strata": EQUAL}, strata),
        Comparison(AREA, "sign_flip", "10 subjects, all flips", scipy,
                   {"t": Tolerance(1e-9, "divided by a small standard error", "relative"),
                    "p": Tolerance(1e-12, "a count over 1,024", "relative")}, permutation_test),
    ]  # fmt: skip
