"""Logistic regression with an elastic net penalty: checked call of the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.checks import kernel_threads
from pyexpr.base.errors import DataError
from pyexpr.base.messages import say
from pyexpr.core.arrays import for_kernel
from pyexpr.core.extension import kernels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Intended breach of the optimality conditions (a mean over rows of residual times feature); what
# can be reached depends on rounding.
TOLERANCE = 1e-12
# With a larger breach a fit is not a solution.
LARGEST_BREACH = 1e-10
MAX_STEPS = 200


@dataclass(frozen=True, slots=True)
class LogisticFits:
    """Fits of A alphas and R l1_ratios to p features; M = 1 for two classes, or one per class.

    Attributes
    ----------
    coef : ndarray, shape (A, R, M, p)
        Weights of the features as given, in log odds.
    intercept : ndarray, shape (A, R, M)
        With more than two classes they sum to 0.
    breach : ndarray, shape (A, R)
        Largest breach of the optimality conditions.
    converged : ndarray of bool, shape (A, R)
        Whether the breach is at most 1e-10 (or the tolerance, if that is larger).
    """

    coef: NDArray[np.float64]
    intercept: NDArray[np.float64]
    breach: NDArray[np.float64]
    converged: NDArray[np.bool_]


def logistic_net_fits(
    Z: ArrayLike,
    codes: ArrayLike,
    n_classes: int,
    *,
    alpha: float | Sequence[float],
    l1_ratio: float | Sequence[float],
    tolerance: float = TOLERANCE,
    max_steps: int = MAX_STEPS,
    n_threads: int | None = None,
) -> LogisticFits:
    r"""Fit logistic regressions with L1 and L2 penalties.

    Minimises, over the weights b of the features z and the intercepts a,

    .. math:: -\frac{1}{n} \sum_i \log P(y_i \mid z_i) + \alpha \rho |b|_1
              + \frac{\alpha (1 - \rho)}{2} |b|_2^2

    With two classes P(1 | z) is the logistic function of a + z'b; with more,
    P(k | z) is the softmax of a_k + z'b_k over all classes.

    Parameters
    ----------
    Z : array_like, shape (n, p)
        Features, standardised by the caller.
    codes : array_like of int, shape (n,)
        The class of each row, 0 to n_classes - 1; every class has a row.
    n_classes : int
        At least 2.
    alpha : float or sequence of float
        Sizes of the penalty, at least 0; A of them, in the order of the result.
    l1_ratio : float or sequence of float
        Shares of the L1 penalty, 0 to 1; R of them.
    tolerance : float, default 1e-12
        Breach of the optimality conditions at which a fit stops.
    max_steps : int, default 200
        Of Newton's method, per fit.
    n_threads : int, optional
        None: one per core. The numbers do not depend on it.

    Returns
    -------
    LogisticFits

    Raises
    ------
    DataError
        If shapes or penalties are wrong, a value is missing or infinite, or a class
        has no row.

    Notes
    -----
    Newton steps whose penalised quadratic model is solved by coordinate descent, with a
    line search; warm starts along alpha. Without a penalty the minimum may be at infinity; the
    caller must check that the classes are not separated.

    Source: Friedman, Hastie and Tibshirani (2010), J. Stat. Software 33(1).
    Checked against: scikit-learn's LogisticRegression, R's glmnet, statsmodels' Logit.

    Examples
    --------
    >>> Z = [[-1.0], [-1.0], [-1.0], [1.0], [1.0], [1.0]]
    >>> fits = logistic_net_fits(Z, [0, 0, 1, 0, 1, 1], 2, alpha=0, l1_ratio=0)
    >>> fits.coef[0, 0, 0].round(6).tolist(), float(np.log(2).round(6))
    ([0.693147], 0.693147)
    """
    features = for_kernel(Z, np.float64)
    labels = for_kernel(codes, np.int64)
    if features.ndim != 2 or labels.shape != features.shape[:1] or not len(labels):
        raise DataError(
            f"Z must have rows and columns, and codes one value per row, but their shapes are "
            f"{features.shape} and {labels.shape}"
        )
    if not np.isfinite(features).all():
        row = int(np.argwhere(~np.isfinite(features))[0][0])
        raise DataError(f"Z must be finite, but row {row + 1} is not; leave it out")
    if n_classes < 2 or sorted(set(labels.tolist())) != list(range(n_classes)):
        raise DataError(
            f"codes must be 0 to {n_classes - 1}, each of them there, and at least two, not "
            f"{sorted(set(labels.tolist()))}"
        )
    alphas = np.atleast_1d(np.asarray(alpha, dtype=np.float64))
    ratios = for_kernel(np.atleast_1d(np.asarray(l1_ratio, np.float64)))
    if alphas.ndim != 1 or not alphas.size or not (np.isfinite(alphas) & (alphas >= 0)).all():
        raise DataError(say("{alpha=} must be at least 0, not {given}", given=alpha))
    if len(np.unique(alphas)) < len(alphas):
        raise DataError(say("{alpha=} has a value twice: {given}", given=alpha))
    if ratios.ndim != 1 or not ratios.size or not ((ratios >= 0) & (ratios <= 1)).all():
        raise DataError(say("{l1_ratio=} must be between 0 and 1, not {given}", given=l1_ratio))
    order = np.argsort(-alphas)
    coef, intercept, breach = kernels.logistic_net_fits(
        features,
        labels,
        n_classes,
        for_kernel(alphas[order]),
        ratios,
        tolerance,
        max_steps,
        kernel_threads(n_threads),
    )
    back = np.argsort(order)
    return LogisticFits(
        coef=np.ascontiguousarray(coef[back]),
        intercept=np.ascontiguousarray(intercept[back]),
        breach=breach[back],
        converged=breach[back] <= max(tolerance, LARGEST_BREACH),
    )
