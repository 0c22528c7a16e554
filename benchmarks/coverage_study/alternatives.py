"""What was tried in place of jackknife_t's degrees of freedom, scales and standard error.

Each alternative differs from the rule in one thing. They are judged on the studies that
judge the rule itself; the choice was made on others (another seed).
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
class Pile:
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


def _error(pile: Pile) -> np.ndarray:
    G = pile.without.shape[1]
    return pile.pseudo.std(axis=1, ddof=1) / np.sqrt(G)


def _kurtosis(pile: Pile) -> np.ndarray:
    G = pile.without.shape[1]
    return np.full(len(pile.whole), G - 1.0) if pile.simple else kurtosis_df(pile.without)


def _sizes(pile: Pile) -> np.ndarray:
    return np.maximum(pile.effective - 1, 2)


def adopted(pile: Pile) -> Triple:
    return pile.whole, _error(pile), np.minimum(_kurtosis(pile), _sizes(pile))


def plain(pile: Pile) -> Triple:
    G = pile.without.shape[1]
    return pile.whole, _error(pile), np.full(len(pile.whole), G - 1.0)


def kurtosis_alone(pile: Pile) -> Triple:
    return pile.whole, _error(pile), kurtosis_df(pile.without)


def sizes_alone(pile: Pile) -> Triple:
    return pile.whole, _error(pile), _sizes(pile)


def both_added(pile: Pile) -> Triple:
    """What kurtosis takes and what sizes take, added."""
    G = pile.without.shape[1]
    inverse = 1 / kurtosis_df(pile.without) + 1 / _sizes(pile) - 1 / (G - 1)
    return pile.whole, _error(pile), np.maximum(1 / inverse, 2)


def kurtosis_within_sizes(pile: Pile) -> Triple:
    """Satterthwaite's rule for variances that grow like rows, kurtosis of what is left."""
    size = pile.rows / pile.rows.mean(axis=1, keepdims=True)
    deviation = pile.pseudo - pile.pseudo.mean(axis=1, keepdims=True)
    G = pile.without.shape[1]
    tails = 2 / kurtosis_df(deviation / np.sqrt(size)) - 2 / (G - 1)  # k/G
    inverse = 2 / np.maximum(pile.effective - 1, 1) + tails * G / pile.effective
    return pile.whole, _error(pile), np.maximum(2 / inverse, 2)


def skewness(pile: Pile) -> Triple:
    """df that meet the skewness term of t's two-sided error (Hall, 1992, section 2.6) at 95 %."""
    G = pile.without.shape[1]
    deviation = pile.pseudo - pile.pseudo.mean(axis=1, keepdims=True)
    g1 = np.mean(deviation**3, axis=1) / np.mean(deviation**2, axis=1) ** 1.5
    square = G * (G - 1) / (G - 2) ** 2 * g1**2
    z = 1.959964
    weight = (z**4 + 2 * z**2 - 3) / 18 * 4 / (z**2 + 1)
    df = 1 / (1 / (G - 1) + weight * square / G)
    return pile.whole, _error(pile), np.maximum(np.minimum(df, _sizes(pile)), 2)


def mean_as_centre(pile: Pile) -> Triple:
    """The mean of the pseudo-values, which has the jackknife's estimate of bias taken off."""
    return pile.pseudo.mean(axis=1), *adopted(pile)[1:]


def about_the_estimate(pile: Pile) -> Triple:
    """Squares about the estimate instead of the mean of the pseudo-values."""
    G = pile.without.shape[1]
    deviation = pile.pseudo - pile.whole[:, None]
    error = np.sqrt(np.sum(deviation**2, axis=1) / (G * (G - 1)))
    return pile.whole, error, adopted(pile)[2]


def delete_m(pile: Pile) -> Triple:
    """The jackknife for groups of unequal size (Busing, Meijer and van der Leeden, 1999)."""
    share = pile.rows / pile.rows.sum(axis=1, keepdims=True)
    G = share.shape[1]
    centre = G * pile.whole - np.sum((1 - share) * pile.without, axis=1)
    h = 1 / share
    pseudo = h * pile.whole[:, None] - (h - 1) * pile.without
    error = np.sqrt(np.mean((pseudo - centre[:, None]) ** 2 / (h - 1), axis=1))
    return pile.whole, error, adopted(pile)[2]


RULES: dict[str, Callable[[Pile], Triple]] = {
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

    def pile(change: Callable[[np.ndarray], np.ndarray]) -> Pile:
        return Pile(
            change(whole), change(without), group.effective[position::n_rows, 0], sizes, simple
        )

    def holds(triple: Triple, target: float) -> np.ndarray:
        centre, error, df = triple
        return np.asarray(np.abs(centre - target) <= stdtrit(df, (1 + CONFIDENCE) / 2) * error)

    def usual(x: np.ndarray) -> np.ndarray:
        return to_scale(x, scale)

    at = float(usual(np.array([truth]))[0])
    found = {name: holds(rule(pile(usual)), at) for name, rule in RULES.items()}
    if scale != "identity":
        for name, changes in OTHER_SCALES.items():
            if metric in changes:
                change = changes[metric]
                there = float(change(np.array([truth]))[0])
                found[name] = holds(adopted(pile(change)), there)
    return found
