"""Rating studies with known reliability: clips of subjects, rated by changing or the same people.

One-way, x = u_subject + w_clip + e: which rater gave a rating is not known. Crossed,
x = u_subject + w_clip + r_rater + i_(subject, rater) + e: the same raters throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

SIZES = (5, 10, 20, 40)


@dataclass(frozen=True, slots=True)
class OneWay:
    """How one-way ratings come about; clips and ratings from (least, most), log-uniform."""

    name: str
    clips: tuple[int, int] = (16, 16)
    ratings: tuple[int, int] = (6, 6)
    subject: float = 0.3
    clip: float = 0.4
    error: float = 1.0
    shape: str = "normal"


ONE_WAY = (
    OneWay("16 clips, 6 ratings"),
    OneWay("2 to 30 clips, 2 to 6 ratings", clips=(2, 30), ratings=(2, 6)),
    OneWay("16 clips, 6 ratings, heavy tails", shape="heavy"),
    OneWay("8 clips, 4 ratings, skewed", clips=(8, 8), ratings=(4, 4), shape="skewed"),
    OneWay("8 clips, 3 ratings, small", clips=(8, 8), ratings=(3, 3), subject=0.02, clip=0.03),
    OneWay("6 clips, 3 ratings, large", clips=(6, 6), ratings=(3, 3), subject=3, clip=3),
    OneWay("1 to 12 clips, 3 to 6 ratings of 0 to 4", clips=(1, 12), ratings=(3, 6),
           subject=0.5, clip=0.3, error=0.7, shape="whole"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Crossed:
    """How ratings by the same raters come about.

    `rated` is "all", or how many raters each clip ("3 per clip") or each subject has, drawn anew.
    """

    name: str
    subjects: int
    clips: tuple[int, int]
    raters: int
    subject: float
    clip: float
    rater: float
    interaction: float
    error: float
    shape: str = "normal"
    rated: str = "all"


CROSSED = (
    Crossed("20 subjects of 8 clips, 4 raters", 20, (8, 8), 4, 0.3, 0.4, 0.3, 0, 1),
    Crossed("40 of 8, 3 raters", 40, (8, 8), 3, 0.3, 0.4, 0.2, 0, 0.6),
    Crossed("60 of 8, 3 raters", 60, (8, 8), 3, 0.3, 0.4, 0.2, 0, 0.6),
    Crossed("20 of 8, 6 raters, who lean little", 20, (8, 8), 6, 0.3, 0.4, 0.05, 0, 1),
    Crossed("15 of 4, 5 raters, by subject", 15, (4, 4), 5, 0.5, 0.3, 0.1, 0.1, 0.6),
    Crossed("80 of 2 to 12, 10 raters, by subject", 80, (2, 12), 10, 0.3, 0.4, 0.15, 0.1, 0.8),
    Crossed("30 of 1 to 20, 4 raters, by subject", 30, (1, 20), 4, 0.6, 0.2, 0.1, 0.2, 0.5),
    Crossed("20 of 5, 8 raters, small ICC", 20, (5, 5), 8, 0.1, 0.1, 0.05, 0.05, 1),
    Crossed("25 of 6, 3 raters, large ICC", 25, (6, 6), 3, 1, 1, 0.5, 0, 0.5),
    Crossed("20 of 6, 5 raters, who do not lean", 20, (6, 6), 5, 0.3, 0.4, 0, 0.1, 1),
    Crossed("40 of 6, 6 raters, heavy tails", 40, (6, 6), 6, 0.3, 0.4, 0.2, 0.1, 0.8, "heavy"),
    Crossed("20 of 6, 4 raters, heavy tails", 20, (6, 6), 4, 0.3, 0.4, 0.2, 0.1, 0.8, "heavy"),
    Crossed("30 of 4, 10 raters", 30, (4, 4), 10, 0.4, 0.2, 0.3, 0, 0.6),
    Crossed("10 of 6, 4 raters, by subject", 10, (6, 6), 4, 0.3, 0.4, 0.2, 0.1, 0.8),
    Crossed("30 of 5, 2 raters", 30, (5, 5), 2, 0.3, 0.4, 0.2, 0, 0.8),
    Crossed("30 of 5, 3 of 6 raters a clip", 30, (5, 5), 6, 0.3, 0.4, 0.2, 0, 0.8,
            rated="3 per clip"),
    Crossed("20 of 6, 4 of 8 raters a subject", 20, (6, 6), 8, 0.3, 0.4, 0.2, 0.1, 0.8,
            rated="4 per subject"),
    Crossed("40 of 4, 2 of 5 raters a clip", 40, (4, 4), 5, 0.3, 0.4, 0.1, 0, 0.8,
            rated="2 per clip"),
    Crossed("60 of 2 to 8, 3 of 10 raters a subject", 60, (2, 8), 10, 0.3, 0.4, 0.3, 0.1, 0.8,
            rated="3 per subject"),
    # One clip a subject: clips are independent, and the delta method's interval is meant for them.
    Crossed("60 of 1, 3 of 6 raters a clip", 60, (1, 1), 6, 0.3, 0.4, 0.2, 0, 0.8,
            rated="3 per clip"),
    Crossed("25 of 1, 2 of 4 raters a clip", 25, (1, 1), 4, 0.3, 0.4, 0.2, 0, 0.8,
            rated="2 per clip"),
)  # fmt: skip


def _draw(shape: str, rng: np.random.Generator, size: int | tuple[int, ...]) -> np.ndarray:
    """Values of mean 0 and variance 1; heavy tails are Student's t on 5 degrees of freedom."""
    if shape == "heavy":
        return rng.standard_t(5, size=size) / np.sqrt(5 / 3)
    if shape == "skewed":
        return rng.exponential(size=size) - 1
    return rng.normal(size=size)


def _numbers(limits: tuple[int, int], rng: np.random.Generator, n: int) -> np.ndarray:
    low, high = np.log(limits)
    return np.rint(np.exp(rng.uniform(low, high, size=n))).astype(int)


def one_way_study(
    scenario: OneWay, subjects: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, codes of clips and codes of subjects, one of each per rating."""
    s = scenario
    of_clip = np.repeat(np.arange(subjects), _numbers(s.clips, rng, subjects))
    value = np.sqrt(s.subject) * _draw(s.shape, rng, subjects)[of_clip]
    value = value + np.sqrt(s.clip) * _draw(s.shape, rng, len(of_clip))
    clip = np.repeat(np.arange(len(of_clip)), _numbers(s.ratings, rng, len(of_clip)))
    score = value[clip] + np.sqrt(s.error) * _draw(s.shape, rng, len(clip))
    if s.shape == "whole":
        score = np.clip(np.round(score), 0, 4)
    return score, clip, of_clip[clip]


@cache
def one_way_truth(scenario: OneWay) -> float:
    """ICC(1,1); of whole scores the correlation of two ratings of many clips."""
    signal = scenario.subject + scenario.clip
    if scenario.shape != "whole":
        return signal / (signal + scenario.error)
    rng = np.random.default_rng(1)
    value = np.sqrt(signal) * rng.normal(size=4_000_000)
    pair = [
        np.clip(np.round(value + np.sqrt(scenario.error) * rng.normal(size=len(value))), 0, 4)
        for _ in range(2)
    ]
    return float(np.corrcoef(*pair)[0, 1])


def crossed_study(scenario: Crossed, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Ratings (clips, raters), NaN where there is none, and the code of each clip's subject."""
    s = scenario
    of_clip = np.repeat(np.arange(s.subjects), _numbers(s.clips, rng, s.subjects))
    n = len(of_clip)
    value = np.sqrt(s.subject) * _draw(s.shape, rng, s.subjects)[of_clip]
    value = value + np.sqrt(s.clip) * _draw(s.shape, rng, n)
    table = value[:, None] + np.sqrt(s.rater) * _draw(s.shape, rng, s.raters)
    own = _draw(s.shape, rng, (s.subjects, s.raters))
    table = table + np.sqrt(s.interaction) * own[of_clip]
    table = table + np.sqrt(s.error) * _draw(s.shape, rng, table.shape)
    if s.rated == "all":
        return table, of_clip
    times, _, who = s.rated.partition(" per ")
    order = rng.random((n if who == "clip" else s.subjects, s.raters)).argsort(axis=1)
    chosen = order.argsort(axis=1) < int(times)
    return np.where(chosen if who == "clip" else chosen[of_clip], table, np.nan), of_clip


def crossed_truth(scenario: Crossed, family: str) -> float:
    """ICC(A,1) or ICC(C,1): what raters do with a subject of their own is error in both."""
    signal = scenario.subject + scenario.clip
    noise = scenario.interaction + scenario.error
    return signal / (signal + noise + (scenario.rater if family == "agreement" else 0))
