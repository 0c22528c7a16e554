"""Studies with known truth: subjects, clips, and four models that predict them.

    y_gi = u_g + s_g e_gi,    p_gi = b y_gi + v_g + s_g f_gi

with u, v, e, f of mean 0 and independent, s_g the spread of subject g. Sizes of
subjects are independent of everything else, so every metric's true value follows
from variances; MAE's is averaged over four million rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SIZES = (12, 20, 28, 40, 80)
VAR_U, VAR_E, VAR_V = 0.5, 0.5, 0.05
_SPREAD = 0.4  # SD of log s_g
_DF = 5.0  # of the heavy tails: kurtosis 9


@dataclass(frozen=True)
class Scenario:
    name: str
    unequal_sizes: bool = False  # 2 to 80 clips, uniform in the logarithm; else 16
    unequal_spread: bool = False
    heavy_tails: bool = False  # Student's t with 5 degrees of freedom, everywhere

    @property
    def mean_square_spread(self) -> float:
        return float(np.exp(2 * _SPREAD**2)) if self.unequal_spread else 1.0


SCENARIOS = (
    Scenario("equal clusters"),
    Scenario("sizes 2 to 80", unequal_sizes=True),
    Scenario("unequal spread", unequal_spread=True),
    Scenario("heavy tails", heavy_tails=True),
    Scenario("unequal and heavy", unequal_sizes=True, unequal_spread=True, heavy_tails=True),
)


def models(scenario: Scenario) -> dict[str, tuple[float, float]]:
    """Return (b, variance of f) of each model.

    c is a model as good as a, and exchangeable with it; d has a's RMSE but fails in
    another way: it follows the truth more closely, with more noise.
    """
    spread = scenario.mean_square_spread
    var_y = VAR_U + VAR_E * spread
    b, noise = 0.6, 0.3
    other = 0.95
    extra = ((b - 1) ** 2 - (other - 1) ** 2) * var_y / spread
    return {"a": (b, noise), "b": (0.4, 0.4), "c": (b, noise), "d": (other, noise + extra)}


def _draw(scenario: Scenario, rng: np.random.Generator, n: int, variance: float) -> np.ndarray:
    if scenario.heavy_tails:
        return rng.standard_t(_DF, size=n) * np.sqrt(variance * (_DF - 2) / _DF)
    return rng.normal(size=n) * np.sqrt(variance)


def study(scenario: Scenario, n_subjects: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the columns of one study: subject (a number), y, a, b, c, d."""
    sizes = np.full(n_subjects, 16)
    if scenario.unequal_sizes:
        sizes = np.rint(np.exp(rng.uniform(np.log(2), np.log(80), size=n_subjects))).astype(int)
    g = np.repeat(np.arange(n_subjects), sizes)
    return _rows(scenario, g, n_subjects, rng)


def _rows(
    scenario: Scenario, g: np.ndarray, n_subjects: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    spread = np.ones(n_subjects)
    if scenario.unequal_spread:
        spread = np.exp(rng.normal(size=n_subjects) * _SPREAD)
    n, s = len(g), spread[g]
    y = _draw(scenario, rng, n_subjects, VAR_U)[g] + s * _draw(scenario, rng, n, VAR_E)
    columns = {"subject": g, "y": y}
    for name, (b, noise) in models(scenario).items():
        v = _draw(scenario, rng, n_subjects, VAR_V)[g]
        columns[name] = b * y + v + s * _draw(scenario, rng, n, noise)
    return columns


def truths(scenario: Scenario) -> dict[tuple[str, str], float]:
    """Return the true value of (metric, model)."""
    spread = scenario.mean_square_spread
    var_y = VAR_U + VAR_E * spread
    within_y = VAR_E * spread
    many = 4_000_000
    rows = _rows(scenario, np.arange(many), many, np.random.default_rng(1))
    found = {}
    for name, (b, noise) in models(scenario).items():
        var_p = b * b * var_y + VAR_V + noise * spread
        var_d = (b - 1) ** 2 * var_y + VAR_V + noise * spread
        within_p = b * b * within_y + noise * spread
        found |= {
            ("rmse", name): float(np.sqrt(var_d)),
            ("mae", name): float(np.abs(rows[name] - rows["y"]).mean()),
            ("correlation", name): float(b * np.sqrt(var_y / var_p)),
            ("concordance", name): float(2 * b * var_y / (var_p + var_y)),
            ("r2", name): float(1 - var_d / var_y),
            ("correlation_within", name): float(b * np.sqrt(within_y / within_p)),
        }
    return found
