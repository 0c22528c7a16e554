"""Studies with known truth: ratings of clips in contexts that share subjects.

Factor model, subject g in context c, clip i, indicator j:

    f_gci = k_c + s_c (u_g + v_gc + w_gci),   x_gcij = n_j + l_j f_gci + b_gj + e_gcij

with Var(u, v, w) = (.3, .1, .6): the factor's mean k_c and SD s_c differ between
contexts, loadings l and intercepts n do not. b, a subject's leaning on an indicator,
is shared by the subject's contexts: that makes the estimates of contexts correlate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
