"""Awkward studies, each unlike those of scenarios.py in a way that real studies are.

As there, y_gi = u_g + s_g e_gi and p_gi = b y_gi + v_g + s_g f_gi, but for the 0-4 score: that is
what a rater's mean often is, most of it at the floor, and predictions are of it. Strata, where a
design has them, are given to the comparison.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scenarios import VAR_E, VAR_U, VAR_V

# (b, variance of f): a and b differ, c is exchangeable with a.
MODELS = {"a": (0.6, 0.3), "b": (0.4, 0.4), "c": (0.6, 0.3)}


@dataclass(frozen=True)
class Design:
    """A study to come.

    Attributes
    ----------
    name : str
    n_subjects : int
    sizes : tuple of int
        Clips of a subject, uniform in the logarithm between the two.
    tails : float, optional
        Degrees of freedom of Student's t; None is normal.
    tails_of_subjects : bool
        Whether subjects' effects have such tails too, and not the errors of clips alone.
    n_strata : int
        Subjects in turn belong to them.
    score : bool
        Whether the outcome is the skewed 0-4 score.
    big : float
        The share of all clips that the first subject has, 0 for its turn.
    spread_grows : bool
        Whether subjects with more clips have more errors, s_g = (n_g / 10)^(1/4).
    failing : float
        Share of the subjects on whom the models fail: errors four times as large.
    """

    name: str
    n_subjects: int
    sizes: tuple[int, int] = (16, 16)
    tails: float | None = None
    tails_of_subjects: bool = False
    n_strata: int = 1
    score: bool = False
    big: float = 0.0
    spread_grows: bool = False
    failing: float = 0.0

    @property
    def strata(self) -> np.ndarray | None:
        """Return the stratum of each subject."""
        if self.n_strata == 1:
            return None
        return np.arange(self.n_subjects) % self.n_strata


DESIGNS = (
    Design("15 subjects of 1-60 clips, t3 errors", 15, (1, 60), 3.0),
    Design("20 subjects, skewed 0-4 score", 20, score=True),
    Design("20 subjects of 1-5,000 clips", 20, (1, 5000)),
    Design("16 subjects of 1-60 clips in 2 strata, t5", 16, (1, 60), 5.0, True, 2),
    Design("16 subjects of 1-60 clips, t5", 16, (1, 60), 5.0, True),
    Design("20 subjects in 10 pairs", 20, n_strata=10),
    Design("20 subjects of 2-40 clips in 3 strata", 20, (2, 40), n_strata=3),
    Design("8 subjects", 8),
    Design("24 subjects, one with half of the clips", 24, big=0.5),
    Design("20 subjects of 2-80 clips, errors grow with clips", 20, (2, 80), spread_grows=True),
    Design("30 subjects, the models fail on one in ten", 30, failing=0.1),
)


def sizes_of(design: Design, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return the clips of `n` subjects."""
    low, high = np.log(design.sizes)
    sizes = np.rint(np.exp(rng.uniform(low, high, size=n))).astype(np.int64)
    if design.big:
        sizes[0] = round(design.big / (1 - design.big) * sizes[1:].sum())
    return sizes


def study(design: Design, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the columns of one study: subject (a number), y, a, b, c."""
    sizes = sizes_of(design, design.n_subjects, rng)
    return rows_of(design, sizes, rng)


def rows_of(design: Design, sizes: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the rows of subjects of these sizes."""
    G, n = len(sizes), int(sizes.sum())
    g = np.repeat(np.arange(G), sizes)

    def draw(k: int, variance: float, *, of_subjects: bool = False) -> np.ndarray:
        if design.tails is None or (of_subjects and not design.tails_of_subjects):
            return rng.normal(size=k) * np.sqrt(variance)
        return rng.standard_t(design.tails, size=k) * np.sqrt(
            variance * (design.tails - 2) / design.tails
        )

    spread = (sizes / 10.0) ** 0.25 if design.spread_grows else np.ones(G)
    if design.score:
        y = np.clip(np.exp(draw(G, 0.6, of_subjects=True)[g] + draw(n, 0.4) - 1.0), 0, 4)
        y = np.where(y < 0.25, 0.0, np.rint(4 * y) / 4)
    else:
        y = draw(G, VAR_U, of_subjects=True)[g] + spread[g] * draw(n, VAR_E)
    fails = np.where(rng.random(G) < design.failing, 4.0, 1.0)
    columns = {"subject": g, "y": y}
    for name, (b, noise) in MODELS.items():
        own = draw(G, VAR_V, of_subjects=True)[g] + spread[g] * draw(n, noise)
        columns[name] = b * y + fails[g] * own
    return columns


def truths(design: Design) -> dict[tuple[str, str], float]:
    """Return the true value of (metric, model), from many subjects at once.

    Pooled metrics weigh subjects by their clips. Where sizes have nothing to do with the
    rest, one row a subject has the same law.
    """
    rng = np.random.default_rng(1)
    found: dict[tuple[str, str], float] = {}
    sizes = np.ones(4_000_000, dtype=np.int64)
    if design.spread_grows:
        sizes = sizes_of(design, 250_000, rng)
    rows = rows_of(design, sizes, rng)
    y = rows["y"]
    subjects = None
    if design.sizes[0] == design.sizes[1] and not design.big:
        n = design.sizes[0]
        many = rows_of(design, np.full(250_000, n), rng)
        subjects = {name: many[name].reshape(-1, n).mean(axis=1) for name in ("y", *MODELS)}
    for name in MODELS:
        p = rows[name]
        d = p - y
        found["rmse", name] = float(np.sqrt(np.mean(d * d)))
        found["mae", name] = float(np.mean(np.abs(d)))
        found["correlation", name] = float(np.corrcoef(p, y)[0, 1])
        found["concordance", name] = float(
            2 * np.cov(p, y, ddof=0)[0, 1] / (p.var() + y.var() + d.mean() ** 2)
        )
        found["r2", name] = float(1 - np.mean(d * d) / y.var())
        if subjects is not None:
            found["correlation_between", name] = float(
                np.corrcoef(subjects[name], subjects["y"])[0, 1]
            )
    return found
