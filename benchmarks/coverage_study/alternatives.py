"""What was tried in place of jackknife_t's degrees of freedom, scales and standard error.

Each alternative differs from the rule in one thing. They are evaluated on the same
studies as the rule itself; the choice was made on others (another seed).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from pyexpr.resampling.intervals.evidence import Evidence
from pyexpr.resampling.intervals.jackknife import kurtosis_df
from pyexpr.resampling.intervals.scales import to_scale


@dataclass(frozen=True)
class StackedStudies:
    """One quantity in N studies of G subjects, on a scale: (N,) and (N, G)."""

    whole: np.ndarray
    without: np.ndarray
    effective: np.ndarray
    rows: np.ndarray  # (N, G): rows of each subject
    simple: bool

    @property
    def pseudo(self) -> np.ndarray:
        G = self.without.shape[1]
        return G * self.whole[:, None] - (G - 1) * self.without


Triple = tuple[np.ndarray, np.ndarray, np.ndarray]  # centre, standard error, df


def _error(stack: StackedStudies) -> np.ndarray:
    G = stack.without.shape[1]
    return stack.pseudo.std(axis=1, ddof=1) / np.sqrt(G)


def _kurtosis(stack: StackedStudies) -> np.ndarray:
    G = stack.without.shape[1]
    return np.full(len(stack.whole), G - 1.0) if stack.simple else kurtosis_df(stack.without)


def _sizes(stack: StackedStudies) -> np.ndarray:
    return np.maximum(stack.effective - 1, 2)


def adopted(stack: StackedStudies) -> Triple:
    return stack.whole, _error(stack), np.minimum(_kurtosis(stack), _sizes(stack))


def plain(stack: StackedStudies) -> Triple:
    G = stack.without.shape[1]
    return stack.whole, _error(stack), np.full(len(stack.whole), G - 1.0)


def kurtosis_alone(stack: StackedStudies) -> Triple:
    return stack.whole, _error(stack), kurtosis_df(stack.without)


def sizes_alone(stack: StackedStudies) -> Triple:
    return stack.whole, _error(stack), _sizes(stack)


def both_added(stack: StackedStudies) -> Triple:
    """What kurtosis takes and what sizes take, added."""
    G = stack.without.shape[1]
    inverse = 1 / kurtosis_df(stack.without) + 1 / _sizes(stack) - 1 / (G - 1)
    return stack.whole, _error(stack), np.maximum(1 / inverse, 2)


def kurtosis_within_sizes(stack: StackedStudies) -> Triple:
    """Satterthwaite's rule for variances that grow like rows, kurtosis of what is left."""
    size = stack.rows / stack.rows.mean(axis=1, keepdims=True)
    deviation = stack.pseudo - stack.pseudo.mean(axis=1, keepdims=True)
    G = stack.without.shape[1]
    tails = 2 / kurtosis_df(deviation / np.sqrt(size)) - 2 / (G - 1)  # k/G
    inverse = 2 / np.maximum(stack.effective - 1, 1) + tails * G / stack.effective
    return stack.whole, _error(stack), np.maximum(2 / inverse, 2)


def skewness(stack: StackedStudies) -> Triple:
    """df that meet the skewness term of t's two-sided error (Hall, 1992, section 2.6) at 95 %."""
    G = stack.without.shape[1]
    deviation = stack.pseudo - stack.pseudo.mean(axis=1, keepdims=True)
    g1 = np.mean(deviation**3, axis=1) / np.mean(deviation**2, axis=1) ** 1.5
    square = G * (G - 1) / (G - 2) ** 2 * g1**2
    z = 1.959964
    weight = (z**4 + 2 * z**2 - 3) / 18 * 4 / (z**2 + 1)
    df = 1 / (1 / (G - 1) + weight * square / G)
    return stack.whole, _error(stack), np.maximum(np.minimum(df, _sizes(stack)), 2)


def mean_as_centre(stack: StackedStudies) -> Triple:
    """The mean of the pseudo-values, which has the jackknife's estimate of bias taken off."""
    return stack.pseudo.mean(axis=1), *adopted(stack)[1:]


def about_the_estimate(stack: StackedStudies) -> Triple:
    """Squares about the estimate instead of the mean of the pseudo-values."""
    G = stack.without.shape[1]
    deviation = stack.pseudo - stack.whole[:, None]
    error = np.sqrt(np.sum(deviation**2, axis=1) / (G * (G - 1)))
    return stack.whole, error, adopted(stack)[2]


def delete_m(stack: StackedStudies) -> Triple:
    """The jackknife for groups of unequal size (Busing, Meijer and van der Leeden, 1999)."""
    share = stack.rows / stack.rows.sum(axis=1, keepdims=True)
    G = share.shape[1]
    centre = G * stack.whole - np.sum((1 - share) * stack.without, axis=1)
    h = 1 / share
    pseudo = h * stack.whole[:, None] - (h - 1) * stack.without
    error = np.sqrt(np.mean((pseudo - centre[:, None]) ** 2 / (h - 1), axis=1))
    return stack.whole, error, adopted(stack)[2]


RULES: dict[str, Callable[[StackedStudies], Triple]] = {
    "adopted": adopted,
    "df = G - 1": plain,
    "df from kurtosis, also for all correlations": kurtosis_alone,
    "df from sizes alone": sizes_alone,
    "both taken off, instead of the larger": both_added,
    "kurtosis after sizes": kurtosis_within_sizes,
    "df from skewness": skewness,
    "centre: mean of the pseudo-values": mean_as_centre,
    "squares about the estimate": about_the_estimate,
    "jackknife weighted by size": delete_m,
}
# Other scales, with the adopted rule.
OTHER_SCALES: dict[str, dict[str, Callable[[np.ndarray], np.ndarray]]] = {
    "scale: x": {
        "correlation": lambda x: x,
        "concordance": lambda x: x,
        "correlation_within": lambda x: x,
        "r2": lambda x: x,
    },
    "scale: arcsine": dict.fromkeys(
        ("correlation", "concordance", "correlation_within"), np.arcsin
    ),
    "scale: -log(1-x)": {"r2": lambda x: -np.log1p(-x)},
    "scale: -1/x^2": dict.fromkeys(("rmse", "mae"), lambda x: -(x**-2.0)),
}
CONFIDENCE = 0.95


def covered(
    evidence: Evidence, position: int, n_rows: int, sizes: np.ndarray, metric: str, truth: float
) -> dict[str, np.ndarray]:
    """Return whether each alternative's interval holds the truth, (N,), by name.

    `position` is the quantity's place among the `n_rows` of each study; `sizes` (N, G).
    """
    (group,) = evidence.groups
    assert group.effective is not None
    whole = evidence.estimate[position::n_rows]
    without = group.values[position::n_rows]
    scale = evidence.scale[position]
    simple = bool(evidence.simple_df[position])

    def stack(change: Callable[[np.ndarray], np.ndarray]) -> StackedStudies:
        return StackedStudies(
            change(whole), change(without), group.effective[position::n_rows, 0], sizes, simple
        )

    def holds(triple: Triple, target: float) -> np.ndarray:
        centre, error, df = triple
        return np.asarray(np.abs(centre - target) <= stdtrit(df, (1 + CONFIDENCE) / 2) * error)

    def usual(x: np.ndarray) -> np.ndarray:
        return to_scale(x, scale)

    at = float(usual(np.array([truth]))[0])
    found = {name: holds(rule(stack(usual)), at) for name, rule in RULES.items()}
    if scale != "identity":
        for name, changes in OTHER_SCALES.items():
            if metric in changes:
                change = changes[metric]
                there = float(change(np.array([truth]))[0])
                found[name] = holds(adopted(stack(change)), there)
    return found
