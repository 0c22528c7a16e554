"""The elastic net, with standardised features and a grid tuned on other subjects."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import enet_path
from sklearn.utils.validation import check_is_fitted, validate_data

from pyexpr.base.errors import DataError
from pyexpr.base.foreign import as_values
from pyexpr.base.messages import say
from pyexpr.base.stopping import stoppable
from pyexpr.modeling.tuned_net import (
    TunedNet,
    features_and_label,
    standardised,
    without_categories,
)
from pyexpr.modeling.unfitted import unfit

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Requested of coordinate descent, relative to |y|^2; what it can reach depends on rounding.
TOLERANCE = 1e-13
# A duality gap above this part of |y|^2 is not a solution.
LARGEST_GAP = 1e-10
MAX_ITERATIONS = 100_000


class _Rows:
    """Rows with features standardised (divisor n) and the label centred."""

    def __init__(self, X: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        Z, self.mean, self.scale = standardised(X)
        self.intercept = float(y.mean())
        self.Z = np.asfortranarray(Z)
        self.y = y - self.intercept

    def grid(self, alphas: Sequence[float], ratios: Sequence[float]) -> NDArray[np.float64]:
        """Return the weights of every pair, shape (n_alphas, n_ratios, n_features)."""
        n, p = self.Z.shape
        gram, products = self.Z.T @ self.Z, self.Z.T @ self.y
        weights = np.empty((len(alphas), len(ratios), p))
        # From large to small penalty, each from the solution before.
        descending = sorted(range(len(alphas)), key=lambda i: -alphas[i])
        for j, ratio in enumerate(ratios):
            smooth = [i for i in descending if alphas[i] * ratio == 0]
            sparse = [i for i in descending if alphas[i] * ratio > 0]
            for i in smooth:
                weights[i, j] = _ridge(gram / n, products / n, alphas[i])
            if sparse:
                weights[sparse, j] = self._descend(
                    [alphas[i] for i in sparse], ratio, gram, products
                )
        return weights

    def losses(
        self, grid: NDArray[np.float64], X: NDArray[np.float64], y: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the sum of squared errors of every pair on other rows, (n_alphas, n_ratios)."""
        predicted = (X - self.mean) / self.scale @ grid.transpose(0, 2, 1) + self.intercept
        total: NDArray[np.float64] = ((predicted - y[:, None]) ** 2).sum(axis=1)
        return total

    def n_nonzero(self, fit: NDArray[np.float64]) -> int:
        """Return the number of features with a nonzero weight."""
        return int(np.count_nonzero(fit))

    def _descend(
        self,
        alphas: list[float],
        ratio: float,
        gram: NDArray[np.float64],
        products: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        n, p = self.Z.shape
        with warnings.catch_warnings():
            # The gap that was reached is checked below.
            warnings.simplefilter("ignore", ConvergenceWarning)
            _, weights, gaps = enet_path(
                self.Z,
                self.y,
                alphas=np.array(alphas),
                l1_ratio=ratio,
                # With more features than rows the Gram matrix is the larger one.
                precompute=gram if p <= n else False,
                Xy=products if p <= n else None,
                tol=TOLERANCE,
                max_iter=MAX_ITERATIONS,
            )
        worst = int(np.argmax(gaps))
        if gaps[worst] > LARGEST_GAP * (self.y @ self.y) / n:
            raise DataError(
                say(
                    "the elastic net did not converge at {alpha=}, {l1_ratio=} (duality gap "
                    "{gaps:.3g} after {max_iterations} passes); check for nearly collinear "
                    "features, or use a larger alpha",
                    alpha=alphas[worst],
                    l1_ratio=ratio,
                    gaps=gaps[worst],
                    max_iterations=MAX_ITERATIONS,
                )
            )
        solution: NDArray[np.float64] = weights.T
        return solution


class ElasticNetRegressor(RegressorMixin, TunedNet[_Rows]):
    r"""Linear regression with L1 and L2 penalties on standardised features.

    Minimises, over the weights b of the standardised features z (mean 0, standard
    deviation 1 with divisor n, on the rows fitted) and the intercept a,

    .. math:: \frac{1}{2n} \sum_i (y_i - a - z_i'b)^2 + \alpha \rho |b|_1
              + \frac{\alpha (1 - \rho)}{2} |b|_2^2

    where rho is `l1_ratio`. The label is not standardised. At ``l1_ratio=0`` this is ridge
    regression, solved in closed form. With several values of `alpha` or `l1_ratio` the pair with
    the lowest validation RMSE is chosen, on the ``validation=`` rows passed to `fit`, or otherwise
    by folds of subjects.

    Parameters
    ----------
    alpha : float or sequence of float, default (0.01, 0.05, 0.1, 0.5, 1)
        Size of the penalty, at least 0, in the unit of the label. The default is the grid of the
        paper, which is suited to factor scores with a standard deviation of about 1. For another
        label, multiply these values by its standard deviation.
    l1_ratio : float or sequence of float, default (0, 0.1, ..., 1)
        Proportion of the L1 penalty, from 0 to 1.
    refit : bool, default False
        Whether to fit again to the training and validation rows together after tuning on
        ``validation=`` (with features standardised again).
    n_folds : int, default 5
        Number of folds of subjects for tuning without ``validation=``; fewer if there are fewer
        subjects.
    seed : int, default 0
        Seed; its stream 5 determines the folds.

    Attributes
    ----------
    alpha_, l1_ratio_ : float
        The chosen penalty, which has the lowest validation RMSE. Ties go to the larger alpha, then
        to the larger l1_ratio.
    coef_ : ndarray, shape (n_features,)
        Weights of the standardised features, in units of the label. Constant features have the
        weight 0.
    intercept_ : float
        Mean label of the fitted rows.
    mean_, scale_ : ndarray, shape (n_features,)
        Mean and standard deviation (divisor n) of each feature; 1 for constants.
    path_ : DataFrame
        One row per pair tried: alpha, l1_ratio, rmse (validation), n_nonzero (fitted
        on the training rows), chosen. Without tuning it has no rows.
    tuning_ : str
        "validation", "folds" or "none".
    n_features_in_, feature_names_in_
        As in scikit-learn; the names only if X has them.

    Notes
    -----
    Missing values are an error, as in scikit-learn. Tuned weights are computed by scikit-learn's
    coordinate descent with warm starts, up to a duality gap that is checked.

    Source: Zou and Hastie (2005), J. R. Statist. Soc. B 67, 301-320.
    Checked against: scikit-learn's `ElasticNet` and `Ridge` on standardised
    features, and R's glmnet.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1.0, 0.0], [2.0, 1.0], [3.0, 0.0], [4.0, 1.0]])
    >>> model = ElasticNetRegressor(alpha=0.1, l1_ratio=0.5).fit(X, [1.0, 2.0, 3.0, 4.0])
    >>> model.coef_.round(3)
    array([1.017, 0.   ])
    """

    _measure = "rmse"

    @stoppable("the elastic net was fitted", kept="it is not fitted", undo=unfit)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        groups: ArrayLike | None = None,
        validation: tuple[ArrayLike, ArrayLike] | None = None,
        folds: ArrayLike | None = None,
    ) -> ElasticNetRegressor:
        """Choose the penalty and fit the weights.

        Parameters
        ----------
        X : array_like, shape (n, n_features)
            Features in their original units.
        y : array_like, shape (n,)
            The label.
        groups : array_like, shape (n,), optional
            The subject of each row, for folds. None: every row is a separate subject.
        validation : (X, y), optional
            Rows of other subjects for tuning, with the same columns.
        folds : array_like of int, shape (n,), optional
            The fold of each row for tuning without ``validation=``. None: `subject_folds` makes
            `n_folds` of them.

        Returns
        -------
        ElasticNetRegressor

        Raises
        ------
        ValueError
            As in scikit-learn, for missing values, wrong shapes, or a single row.
        DataError
            If a penalty or `n_folds` is invalid, if there are fewer than two subjects (or folds)
            for tuning, if a subject is in several of the `folds`, or if coordinate descent does not
            converge.
        ColumnError
            If a subject is missing in `groups`, or a fold in `folds`, or a column of `X` holds
            categories.
        """
        X, y = without_categories(X), as_values(y, argument="y")
        checked = validate_data(self, X, y, y_numeric=True, dtype=np.float64, ensure_min_samples=2)
        features: NDArray[np.float64] = checked[0]
        label: NDArray[np.float64] = checked[1].astype(np.float64)
        penalties = self._penalties()
        held_out = None
        if validation is not None:
            given = features_and_label(validation)
            held_out = validate_data(self, *given, y_numeric=True, dtype=np.float64, reset=False)
        rows, weights = self._choose(features, label, (groups, folds), held_out, penalties)
        self.coef_ = weights.copy()
        self.intercept_ = rows.intercept
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the predicted labels, shape (n,), of `X`, shape (n, features)."""
        check_is_fitted(self)
        X = as_values(X, argument="X")
        given: NDArray[np.float64] = validate_data(self, X, dtype=np.float64, reset=False)
        predicted: NDArray[np.float64] = (given - self.mean_) / self.scale_ @ self.coef_
        return predicted + self.intercept_

    def _rows(self, X: NDArray[np.float64], y: NDArray[np.float64]) -> _Rows:
        return _Rows(X, y)

    def _error(self, total: NDArray[np.float64], n: int) -> NDArray[np.float64]:
        error: NDArray[np.float64] = np.sqrt(total / n)
        return error


def _ridge(
    gram: NDArray[np.float64], products: NDArray[np.float64], alpha: float
) -> NDArray[np.float64]:
    """Solve (G + alpha I) b = c; without a penalty the shortest solution."""
    if alpha == 0:
        solution = np.linalg.lstsq(gram, products, rcond=None)[0]
    else:
        solution = np.linalg.solve(gram + alpha * np.eye(len(gram)), products)
    return np.asarray(solution, dtype=np.float64)
