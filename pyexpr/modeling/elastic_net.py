"""The elastic net of the paper: standardised features, and a grid tuned on other subjects."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import enet_path
from sklearn.utils.validation import check_is_fitted, validate_data

from pyexpr.base.checks import whole_number
from pyexpr.base.errors import DataError
from pyexpr.base.foreign import as_values, single_column
from pyexpr.base.messages import say
from pyexpr.base.stopping import stoppable
from pyexpr.base.tables import label_codes, refuse_categories
from pyexpr.inference.coefficients.penalised import ALPHAS, L1_RATIOS, TIE
from pyexpr.modeling.splits import subject_folds
from pyexpr.modeling.unfitted import unfit

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

# Asked of coordinate descent, relative to |y|^2; what it can reach depends on rounding.
TOLERANCE = 1e-13
# A duality gap above this part of |y|^2 is not a solution.
LARGEST_GAP = 1e-10
MAX_ITERATIONS = 100_000


class ElasticNetRegressor(RegressorMixin, BaseEstimator):
    r"""Linear regression with L1 and L2 penalties on standardised features.

    Minimises, over the weights b of the standardised features z (mean 0, standard
    deviation 1 with divisor n, on the rows fitted) and the intercept a,

    .. math:: \frac{1}{2n} \sum_i (y_i - a - z_i'b)^2 + \alpha \rho |b|_1
              + \frac{\alpha (1 - \rho)}{2} |b|_2^2

    with rho the `l1_ratio`; the label keeps its own scale. At ``l1_ratio=0`` this is
    ridge regression, solved in closed form. With several values of `alpha` or
    `l1_ratio` the pair with the lowest validation RMSE is chosen: on the
    ``validation=`` rows given to `fit`, else by folds of subjects.

    Parameters
    ----------
    alpha : float or sequence of float, default (0.01, 0.05, 0.1, 0.5, 1)
        Size of the penalty, at least 0, in the unit of the label. The default is the
        paper's grid, for factor scores, whose standard deviation is about 1: for another
        label give these values times its standard deviation.
    l1_ratio : float or sequence of float, default (0, 0.1, ..., 1)
        Share of the L1 penalty, 0 to 1.
    refit : bool, default False
        After tuning on ``validation=``, fit once more on training and validation
        rows together (features standardised anew).
    n_folds : int, default 5
        Folds of subjects when tuning without ``validation=``; fewer if there are
        fewer subjects.
    seed : int, default 0
        Stream 5 of this seed makes the folds.

    Attributes
    ----------
    alpha_, l1_ratio_ : float
        The penalty chosen: lowest validation RMSE; ties go to the larger alpha,
        then to the larger l1_ratio.
    coef_ : ndarray, shape (n_features,)
        Weights of the standardised features, in units of the label. Constant
        features get 0.
    intercept_ : float
        Mean label of the rows fitted.
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
    Missing values are an error, as in scikit-learn. Tuned weights are computed with
    warm starts by scikit-learn's coordinate descent, to a duality gap that is
    checked.

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

    def __init__(
        self,
        alpha: float | Sequence[float] = ALPHAS,
        l1_ratio: float | Sequence[float] = L1_RATIOS,
        *,
        refit: bool = False,
        n_folds: int = 5,
        seed: int = 0,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.refit = refit
        self.n_folds = n_folds
        self.seed = seed

    @stoppable("the elastic net was fitted", kept="it is not fitted", undo=unfit)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        groups: ArrayLike | None = None,
        validation: tuple[ArrayLike, ArrayLike] | None = None,
    ) -> ElasticNetRegressor:
        """Choose the penalty and fit the weights.

        Parameters
        ----------
        X : array_like, shape (n, n_features)
            Features in their own units.
        y : array_like, shape (n,)
            The label.
        groups : array_like, shape (n,), optional
            The subject of each row, for folds. None: every row is its own.
        validation : (X, y), optional
            Rows of other subjects to tune on, in the same columns.

        Returns
        -------
        ElasticNetRegressor

        Raises
        ------
        ValueError
            As scikit-learn, for missing values, wrong shapes, one row only.
        DataError
            If a penalty or `n_folds` makes no sense, if tuning has fewer than two
            subjects, or if coordinate descent does not converge.
        ColumnError
            If a subject is missing in `groups`, or a column of `X` holds categories.
        """
        X, y = as_values(X, argument="X"), as_values(y, argument="y")
        if hasattr(X, "columns"):
            # NumPy would take the numbers of a Categorical for amounts.
            refuse_categories(X, list(X.columns), what="X")
        checked = validate_data(self, X, y, y_numeric=True, dtype=np.float64, ensure_min_samples=2)
        features: NDArray[np.float64] = checked[0]
        label: NDArray[np.float64] = checked[1].astype(np.float64)
        alphas = _checked_grid(self.alpha, "alpha", high=math.inf)
        ratios = _checked_grid(self.l1_ratio, "l1_ratio", high=1.0)
        held_out = None
        if validation is not None:
            given = (as_values(part, argument=say("{validation=}")) for part in validation)
            held_out = validate_data(self, *given, y_numeric=True, dtype=np.float64, reset=False)

        scaled = _Scaled(features, label)
        grid = scaled.grid(alphas, ratios)
        self.tuning_ = "none"
        best = (0, 0)
        errors = np.full((len(alphas), len(ratios)), np.nan)
        if grid.shape[:2] != (1, 1):
            if held_out is not None:
                self.tuning_ = "validation"
                errors = np.sqrt(scaled.squared_errors(grid, *held_out) / len(held_out[1]))
            else:
                self.tuning_ = "folds"
                errors = self._fold_errors(features, label, groups, alphas, ratios)
            best = _lowest(errors)
        self.path_ = _path_table(alphas, ratios, errors, grid, best)
        self.alpha_, self.l1_ratio_ = alphas[best[0]], ratios[best[1]]
        weights = grid[best]
        if self.refit and held_out is not None:
            scaled = _Scaled(
                np.vstack([features, held_out[0]]), np.concatenate([label, held_out[1]])
            )
            weights = scaled.grid([self.alpha_], [self.l1_ratio_])[0, 0]
        self.coef_ = weights.copy()
        self.intercept_ = scaled.intercept
        self.mean_, self.scale_ = scaled.mean, scaled.scale
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the predicted labels, shape (n,), of `X`, shape (n, features)."""
        check_is_fitted(self)
        X = as_values(X, argument="X")
        X = validate_data(self, X, dtype=np.float64, reset=False)
        predicted: NDArray[np.float64] = (X - self.mean_) / self.scale_ @ self.coef_
        return predicted + self.intercept_

    def _fold_errors(
        self,
        X: NDArray[np.float64],
        y: NDArray[np.float64],
        groups: ArrayLike | None,
        alphas: list[float],
        ratios: list[float],
    ) -> NDArray[np.float64]:
        """Return the RMSE of each pair over all rows, each predicted from other subjects."""
        folds = whole_number(self.n_folds, argument="n_folds", least=2)
        subjects = (
            np.arange(len(y))
            if groups is None
            else single_column(groups, argument=say("{groups=}"))
        )
        if np.shape(subjects) != y.shape:
            raise DataError(
                say(
                    "{groups=} must have one subject per row: {n} rows, {text} subjects",
                    n=len(y),
                    text=np.size(subjects),
                )
            )
        codes, labels = label_codes(subjects, name="groups", what="the subjects")
        n_subjects = len(labels)
        if n_subjects < 2:
            raise DataError(
                say(
                    "tuning needs rows of at least 2 subjects, but there is 1; give "
                    "{validation=}, or one alpha and one l1_ratio"
                )
            )
        n_folds = min(folds, n_subjects)
        # By the codes: they are in the order of the labels.
        fold = subject_folds(codes, n_folds, self.seed)
        total = np.zeros((len(alphas), len(ratios)))
        for k in range(n_folds):
            train, test = fold != k, fold == k
            scaled = _Scaled(X[train], y[train])
            total += scaled.squared_errors(scaled.grid(alphas, ratios), X[test], y[test])
        errors: NDArray[np.float64] = np.sqrt(total / len(y))
        return errors


class _Scaled:
    """Rows with features standardised (divisor n) and the label centred."""

    def __init__(self, X: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        n = len(y)
        self.mean = X.mean(axis=0)
        variance = X.var(axis=0)
        # The bound of rounding on a constant column, as scikit-learn's StandardScaler has it.
        eps = np.finfo(np.float64).eps
        constant = variance <= n * eps * variance + (n * self.mean * eps) ** 2
        self.scale = np.where(constant, 1.0, np.sqrt(variance))
        self.intercept = float(y.mean())
        self.Z = np.asfortranarray(np.where(constant, 0.0, (X - self.mean) / self.scale))
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

    def squared_errors(
        self, grid: NDArray[np.float64], X: NDArray[np.float64], y: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the sum of squared errors of every pair on other rows, (n_alphas, n_ratios)."""
        predicted = (X - self.mean) / self.scale @ grid.transpose(0, 2, 1) + self.intercept
        total: NDArray[np.float64] = ((predicted - y[:, None]) ** 2).sum(axis=1)
        return total

    def _descend(
        self,
        alphas: list[float],
        ratio: float,
        gram: NDArray[np.float64],
        products: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        n, p = self.Z.shape
        with warnings.catch_warnings():
            # The gap reached is judged below.
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
                    "the elastic net did not converge at {alpha=}, {l1_ratio=} (duality "
                    "gap {gaps:.3g} after {max_iterations} passes); look for nearly "
                    "collinear features, or use a larger alpha",
                    alpha=alphas[worst],
                    l1_ratio=ratio,
                    gaps=gaps[worst],
                    max_iterations=MAX_ITERATIONS,
                )
            )
        solution: NDArray[np.float64] = weights.T
        return solution


def _ridge(
    gram: NDArray[np.float64], products: NDArray[np.float64], alpha: float
) -> NDArray[np.float64]:
    """Solve (G + alpha I) b = c; without a penalty the shortest solution."""
    if alpha == 0:
        solution = np.linalg.lstsq(gram, products, rcond=None)[0]
    else:
        solution = np.linalg.solve(gram + alpha * np.eye(len(gram)), products)
    return np.asarray(solution, dtype=np.float64)


def _lowest(errors: NDArray[np.float64]) -> tuple[int, int]:
    """Return the position of the lowest error; alphas and ratios ascend, so the last tie wins."""
    tied = np.argwhere(errors <= errors.min() * (1 + TIE))
    i, j = tied[-1]
    return int(i), int(j)


def _checked_grid(values: Any, name: str, *, high: float) -> list[float]:
    """Return the distinct values, ascending."""
    try:
        grid = np.unique(np.atleast_1d(np.asarray(values, dtype=np.float64)))
    except (TypeError, ValueError):
        raise DataError(
            say("{@name=} must be a number or several, not {values!r}", name=name, values=values)
        ) from None
    if grid.ndim != 1 or grid.size == 0 or not np.isfinite(grid).all():
        raise DataError(
            say("{@name=} must be a number or several, not {values!r}", name=name, values=values)
        )
    if grid[0] < 0 or grid[-1] > high:
        limits = "at least 0" if math.isinf(high) else f"between 0 and {high:g}"
        wrong = grid[0] if grid[0] < 0 else grid[-1]
        raise DataError(
            say("{@name=} must be {limits}, not {wrong:g}", name=name, limits=limits, wrong=wrong)
        )
    return [float(value) for value in grid]


def _path_table(
    alphas: list[float],
    ratios: list[float],
    errors: NDArray[np.float64],
    grid: NDArray[np.float64],
    best: tuple[int, int],
) -> pd.DataFrame:
    import pandas as pd

    rows = [
        {
            "alpha": alpha,
            "l1_ratio": ratio,
            "rmse": errors[i, j],
            "n_nonzero": int(np.count_nonzero(grid[i, j])),
            "chosen": (i, j) == best,
        }
        for i, alpha in enumerate(alphas)
        for j, ratio in enumerate(ratios)
        if not math.isnan(errors[i, j])
    ]
    return pd.DataFrame(rows, columns=["alpha", "l1_ratio", "rmse", "n_nonzero", "chosen"])
