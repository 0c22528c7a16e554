"""Fit measures of the one-factor model as in lavaan (likelihood "normal", mean structure)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class FitSums:
    """What fit measures need from one group: n, its covariances (divisor n), the estimates."""

    n: int
    covariance: NDArray[np.float64]
    loadings: NDArray[np.float64]
    residuals: NDArray[np.float64]


def fit_measures(groups: list[FitSums], *, equal_loadings: bool = False) -> dict[str, float]:
    """Return chi-square, CFI, TLI, RMSEA, SRMR, AIC, BIC and the log-likelihood.

    Chi-square is ``n F``, the baseline model has all covariances 0, and every
    count includes the intercepts. Source: Joereskog (1967); Bentler (1990);
    Steiger (1990). Checked against lavaan's ``fitMeasures``.
    """
    p = len(groups[0].loadings)
    n = sum(group.n for group in groups)
    # Loadings and residual variances; the means are as many as there are.
    free = p + (1 if equal_loadings else p)
    df = len(groups) * (p * (p + 1) // 2 - free)
    baseline_df = len(groups) * p * (p - 1) // 2
    chisq = logl = baseline = 0.0
    for group in groups:
        log_s = float(np.linalg.slogdet(group.covariance)[1])
        sigma = np.outer(group.loadings, group.loadings) + np.diag(group.residuals)
        log_sigma = float(np.linalg.slogdet(sigma)[1])
        trace = float(np.trace(np.linalg.solve(sigma, group.covariance)))
        # Without degrees of freedom the fit is exact; what is left is rounding.
        chisq += group.n * (log_sigma + trace - log_s - p) if df else 0.0
        logl -= 0.5 * group.n * (p * math.log(2 * math.pi) + log_sigma + trace)
        baseline += group.n * (float(np.log(np.diag(group.covariance)).sum()) - log_s)
    npar = (free + p) * len(groups)
    rmsea, low, high = _rmsea(chisq, df, n, len(groups))
    return {
        "npar": float(npar), "chisq": chisq, "df": float(df), "pvalue": _chi2_tail(chisq, df),
        "baseline.chisq": baseline, "baseline.df": float(baseline_df),
        **_incremental(chisq, df, baseline, baseline_df),
        "rmsea": rmsea, "rmsea.ci.lower": low, "rmsea.ci.upper": high,
        "srmr": _srmr(groups), "logl": logl,
        "aic": -2 * logl + 2 * npar, "bic": -2 * logl + npar * math.log(n), "ntotal": float(n),
    }  # fmt: skip


def _chi2_tail(chisq: float, df: int) -> float:
    if df == 0:
        return math.nan
    from scipy.special import chdtrc

    return float(chdtrc(df, max(chisq, 0.0)))


def _incremental(chisq: float, df: int, baseline: float, baseline_df: int) -> dict[str, float]:
    excess = max(chisq - df, 0.0)
    worst = max(chisq - df, baseline - baseline_df, 0.0)
    cfi = 1.0 if worst == 0.0 else 1.0 - excess / worst
    if df == 0:
        return {"cfi": cfi, "tli": 1.0}
    ratio = baseline / baseline_df
    return {"cfi": cfi, "tli": (ratio - chisq / df) / (ratio - 1.0)}


def _rmsea(chisq: float, df: int, n: int, n_groups: int) -> tuple[float, float, float]:
    """RMSEA with its 90 % interval from the noncentral chi-square."""
    if df == 0:
        return 0.0, 0.0, 0.0
    from scipy.optimize import brentq
    from scipy.stats import chi2, ncx2

    def scaled(noncentrality: float) -> float:
        return math.sqrt(max(noncentrality, 0.0) / (n * df)) * math.sqrt(n_groups)

    def limit(level: float) -> float:
        def excess(noncentrality: float) -> float:
            if noncentrality == 0:
                return float(chi2.cdf(chisq, df)) - level
            return float(ncx2.cdf(chisq, df, noncentrality)) - level

        if excess(0.0) <= 0:
            return 0.0
        high = max(chisq, 1.0)
        while excess(high) > 0:
            high *= 2
        return float(brentq(excess, 0.0, high, xtol=1e-12, rtol=1e-14))

    return scaled(chisq - df), scaled(limit(0.95)), scaled(limit(0.05))


def _srmr(groups: list[FitSums]) -> float:
    """Root mean square of residual correlations; means are fitted exactly but counted."""
    p = len(groups[0].loadings)
    n = sum(group.n for group in groups)
    total = 0.0
    for group in groups:
        root = np.sqrt(np.diag(group.covariance))
        sigma = np.outer(group.loadings, group.loadings) + np.diag(group.residuals)
        residual = (group.covariance - sigma) / np.outer(root, root)
        share = float((residual[np.tril_indices(p)] ** 2).sum()) / (p * (p + 1) / 2 + p)
        total += math.sqrt(share) * group.n / n
    return total
