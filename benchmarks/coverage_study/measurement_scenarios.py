"""Studies with known truth: ratings of clips in contexts that share subjects.

Factor model, subject g in context c, clip i, indicator j:

    f_gci = k_c + s_c (u_g + v_gc + w_gci),   x_gcij = n_j + l_j f_gci + b_gj + e_gcij

with Var(u, v, w) = (.3, .1, .6): the factor's mean k_c and SD s_c differ between
contexts, loadings l and intercepts n do not. b, a subject's leaning on an indicator,
is shared by the subject's contexts: that makes the estimates of contexts correlate.

Intervals of the factor model: one context, x_gij = l_j (u_g + w_gi) + b_gj + e_gij, with
Var(u, w) = (.36, .64) and unit variances of the indicators, so that l is standardised. Where
subjects are of several strata, the strata's means are a part of u, of given shares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

CONTEXTS = 3
CLIPS = (5, 7, 4)
_K = np.array([0.0, 0.5, -0.3])
_S = np.array([1.0, 0.8, 1.2])
_LOADINGS = np.array([0.90, 0.85, 0.80, 0.75, 0.70])
_INTERCEPTS = np.array([1.8, 1.7, 1.6, 1.9, 1.5])
_THETA = np.array([0.15, 0.20, 0.30, 0.30, 0.40])
# The share of the residual variance that is a subject's own leaning.
_LEANING = 0.4
# The departures whose detection is counted: of the third indicator in the second context.
LOADING_FACTOR = 0.85
INTERCEPT_SHIFT = 0.20

# Of the factor model's own intervals: by subjects, and of contrasts between contexts.
MODEL_CLIPS = 8
MODEL_SIZES = (12, 20, 40, 80)


@dataclass(frozen=True, slots=True)
class ModelScenario:
    """Standardised loadings, and how the data come about."""

    name: str
    loadings: tuple[float, ...]
    heavy: bool = False
    unequal: bool = False
    # Shares of strata of subjects, and the factor's mean in each.
    strata: tuple[tuple[float, float], ...] = ((1.0, 0.0),)

    @property
    def truth(self) -> np.ndarray:
        """Every quantity of `bootstrap_cfa`, in its order."""
        loadings = np.array(self.loadings)
        residuals = 1 - loadings**2
        information = (loadings**2 / residuals).sum()
        weights = loadings / residuals / information
        share = information / (1 + information)
        return np.concatenate([loadings, loadings, residuals, weights, [share]])


MODEL_SCENARIOS = (
    ModelScenario("3 strong", (0.92, 0.89, 0.83)),
    ModelScenario("3 strong, heavy tails, 1 to 12 clips", (0.92, 0.89, 0.83), True, True),
    ModelScenario("3 weak", (0.70, 0.65, 0.60)),
    ModelScenario("4 balanced", (0.70, 0.65, -0.68, -0.66)),
    ModelScenario("4 balanced, heavy tails, 1 to 12 clips", (0.70, 0.65, -0.68, -0.66), True, True),
    ModelScenario("5, one without a loading", (0.70, 0.65, 0.0, 0.70, 0.60)),
)

# Of whole families of intervals.
STRATA = ((0.1, 1.0), (0.3, 0.0), (0.6, 0.5))
FAMILY_SCENARIOS = (
    MODEL_SCENARIOS[0],
    MODEL_SCENARIOS[1],
    MODEL_SCENARIOS[5],
    ModelScenario(
        "3 strong, strata of 1/4 and 3/4", (0.92, 0.89, 0.83), strata=((0.25, 1.0), (0.75, 0.0))
    ),
    ModelScenario("4 balanced, strata of .1, .3 and .6", (0.70, 0.65, -0.68, -0.66), strata=STRATA),
    ModelScenario(
        "3 strong, strata of .1, .3 and .6, heavy tails, 1 to 12 clips",
        (0.92, 0.89, 0.83),
        True,
        True,
        STRATA,
    ),
)
FAMILY_SIZES = (20, 30, 60)


@dataclass(frozen=True, slots=True)
class FactorScenario:
    """How the factor model's data come about."""

    name: str
    indicators: int = 3
    heavy: bool = False
    unequal: bool = False


FACTOR_SCENARIOS = (
    FactorScenario("3 indicators"),
    FactorScenario("5 indicators", indicators=5),
    FactorScenario("3 indicators, heavy tails", heavy=True),
    FactorScenario("3 indicators, 1 to 12 clips", unequal=True),
)
FACTOR_SIZES = (12, 20, 28, 40, 80, 140)


def _draw(heavy: bool, rng: np.random.Generator, shape: int | tuple[int, ...]) -> np.ndarray:
    """Values of variance 1: normal, or Student's t with 5 degrees of freedom."""
    if heavy:
        return rng.standard_t(5, size=shape) / np.sqrt(5 / 3)
    return rng.normal(size=shape)


def factor_study(
    scenario: FactorScenario, subjects: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Columns (n, p), context and subject (n,) of a study in which invariance holds."""
    if scenario.unequal:
        clips = rng.integers(1, 13, size=(subjects, CONTEXTS))
    else:
        clips = np.tile(CLIPS, (subjects, 1))
    p = scenario.indicators
    subject = np.repeat(np.repeat(np.arange(subjects), CONTEXTS), clips.ravel())
    context = np.repeat(np.tile(np.arange(CONTEXTS), subjects), clips.ravel())
    n, heavy = len(subject), scenario.heavy
    u = np.sqrt(0.3) * _draw(heavy, rng, subjects)[subject]
    v = np.sqrt(0.1) * _draw(heavy, rng, (subjects, CONTEXTS))[subject, context]
    w = np.sqrt(0.6) * _draw(heavy, rng, n)
    f = _K[context] + _S[context] * (u + v + w)
    theta = _THETA[:p]
    leaning = np.sqrt(_LEANING * theta) * _draw(heavy, rng, (subjects, p))[subject]
    noise = np.sqrt((1 - _LEANING) * theta) * _draw(heavy, rng, (n, p))
    columns = _INTERCEPTS[:p] + _LOADINGS[:p] * f[:, None] + leaning + noise
    return {"columns": columns, "context": context, "subject": subject, "factor": f}


def model_study(
    scenario: ModelScenario, subjects: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, list[str]]:
    """A table with columns subject, stratum and one per indicator, and the indicators' names."""
    loadings, heavy = np.array(scenario.loadings), scenario.heavy
    share, mean = np.array(scenario.strata).T
    stratum = np.searchsorted(np.rint(np.cumsum(share) * subjects), np.arange(subjects), "right")
    mean = mean[stratum]
    # The factor has variance 1 over strata, too.
    of_subjects = np.sqrt(0.36 - mean.var())
    p = len(loadings)
    clips = rng.integers(1, 13, size=subjects) if scenario.unequal else MODEL_CLIPS
    subject = np.repeat(np.arange(subjects), clips)
    n, theta = len(subject), 1 - loadings**2
    own = mean + of_subjects * _draw(heavy, rng, subjects)
    f = own[subject] + 0.8 * _draw(heavy, rng, n)
    leaning = np.sqrt(_LEANING * theta) * _draw(heavy, rng, (subjects, p))[subject]
    noise = np.sqrt((1 - _LEANING) * theta) * _draw(heavy, rng, (n, p))
    names = [f"x{j + 1}" for j in range(p)]
    table = pd.DataFrame(loadings * f[:, None] + leaning + noise, columns=names)
    return table.assign(subject=subject, stratum=stratum[subject]), names


def departed(study: dict[str, np.ndarray], what: str) -> np.ndarray:
    """Columns of the same study in which the third indicator departs in the second context."""
    columns = study["columns"].copy()
    there = study["context"] == 1
    if what == "metric":
        change = (LOADING_FACTOR - 1) * _LOADINGS[2] * study["factor"][there]
    else:
        change = np.full(there.sum(), INTERCEPT_SHIFT)
    columns[there, 2] += change
    return columns
