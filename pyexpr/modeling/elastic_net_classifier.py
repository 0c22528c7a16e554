"""Logistic regression with an elastic net penalty and a grid tuned on other subjects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from pyexpr.base.errors import (
    DataError,
    SeparatedClassesWarning,
    listed,
    warn_user,
)
from pyexpr.base.foreign import as_values
from pyexpr.base.messages import say
from pyexpr.base.stopping import stoppable
from pyexpr.base.tables import label_codes
from pyexpr.core.logistic_net import MAX_STEPS, LogisticFits, logistic_net_fits
from pyexpr.modeling.separation import are_separated
from pyexpr.modeling.tuned_net import (
    TunedNet,
    features_and_label,
    standardised,
    without_categories,
)
from pyexpr.modeling.unfitted import unfit

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# A fitted probability below this makes it worth asking whether classes are separated.
UNLIKELY = 1e-5
# If the classes are separated, and half of the rows are fitted as surely as this, the penalty
# alone says how large the weights are.
CERTAIN = 0.999


class _Rows:
    """Rows with features standardised (divisor n), and the codes of their classes."""

    def __init__(self, X: NDArray[np.float64], y: NDArray[np.int64], n_classes: int) -> None:
        self.Z, self.mean, self.scale = standardised(X)
        self.y = y
        self.n_classes = n_classes

    def grid(self, alphas: Sequence[float], ratios: Sequence[float]) -> NDArray[np.float64]:
        """Return every fit, shape (n_alphas, n_ratios, n_vectors, 1 + n_features).

        The intercepts come first, then the weights.
        """
        n, p = self.Z.shape
        vectors = 1 if self.n_classes == 2 else self.n_classes
        fits = np.empty((len(alphas), len(ratios), vectors, 1 + p))
        some = [i for i, alpha in enumerate(alphas) if alpha > 0]
        # Ridge fits do not change when the axes are turned, and n axes hold n rows.
        smooth = [j for j, ratio in enumerate(ratios) if ratio == 0 and p > n]
        sparse = [j for j in range(len(ratios)) if j not in smooth]
        for chosen in (smooth, sparse):
            if some and chosen:
                found = self._fit(
                    [alphas[i] for i in some], [ratios[j] for j in chosen], turned=chosen is smooth
                )
                fits[np.ix_(some, chosen)] = found
        for i, alpha in enumerate(alphas):
            if alpha == 0:
                fits[i] = self._unpenalised()
        return fits

    def losses(
        self, grid: NDArray[np.float64], X: NDArray[np.float64], y: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the sum of -log P(y) of every pair on other rows, (n_alphas, n_ratios)."""
        total = np.empty(grid.shape[:2])
        Z = (X - self.mean) / self.scale
        for pair in np.ndindex(total.shape):
            total[pair] = -log_chances(Z, grid[pair])[np.arange(len(y)), y].sum()
        return total

    def n_nonzero(self, fit: NDArray[np.float64]) -> int:
        """Return the number of features with a nonzero weight for any class."""
        return int((fit[:, 1:] != 0).any(axis=0).sum())

    def _fit(
        self, alphas: list[float], ratios: list[float], *, turned: bool
    ) -> NDArray[np.float64]:
        if not turned:
            return _checked(
                logistic_net_fits(self.Z, self.y, self.n_classes, alpha=alphas, l1_ratio=ratios),
                alphas,
                ratios,
            )
        left, size, right = _axes(self.Z)
        fits = logistic_net_fits(left * size, self.y, self.n_classes, alpha=alphas, l1_ratio=ratios)
        found = _checked(fits, alphas, ratios)
        return np.concatenate([found[..., :1], found[..., 1:] @ right], axis=-1)

    def _unpenalised(self) -> NDArray[np.float64]:
        """Return the fit without a penalty that has the shortest weights, or raise an error."""
        left, size, right = _axes(self.Z)
        # With mean square 1, like the features.
        axes = left * np.sqrt(len(left))
        fits = logistic_net_fits(axes, self.y, self.n_classes, alpha=0, l1_ratio=0)
        found = np.concatenate([fits.intercept[..., None], fits.coef], axis=-1)[0, 0]
        likely = np.exp(log_chances(axes, found)).min()
        if (likely < UNLIKELY or not fits.converged.all()) and are_separated(axes, self.y):
            raise DataError(
                say(
                    "the features separate the classes, so there are no finite weights without "
                    "a penalty; use {alpha=} above 0, or fewer features"
                )
            )
        _checked(fits, [0.0], [0.0])
        weights = (found[:, 1:] * np.sqrt(len(left)) / size) @ right
        return np.concatenate([found[:, :1], weights], axis=-1)


class ElasticNetClassifier(ClassifierMixin, TunedNet[_Rows]):
    r"""Logistic regression with L1 and L2 penalties on standardised features.

    Minimises, over the weights b of the standardised features z (mean 0, standard
    deviation 1 with divisor n, on the rows fitted) and the intercepts a,

    .. math:: -\frac{1}{n} \sum_i \log P(y_i \mid z_i) + \alpha \rho |b|_1
              + \frac{\alpha (1 - \rho)}{2} |b|_2^2

    where rho is `l1_ratio`. With two classes ``P(classes_[1] | z)`` is the logistic function of a +
    z'b. With more than two, every class k has its own weights, P(k | z) is the softmax of a_k +
    z'b_k, and the penalty applies to all weights together. Intercepts are not penalised. With
    several values of `alpha` or `l1_ratio` the pair with the lowest validation log loss (the mean
    of -log P(y)) is chosen, on the ``validation=`` rows passed to `fit`, or otherwise by folds of
    subjects.

    Parameters
    ----------
    alpha : float or sequence of float, default (0.01, 0.05, 0.1, 0.5, 1)
        Size of the penalty, at least 0. scikit-learn's ``C`` is ``1 / (n * alpha)``;
        glmnet's ``lambda`` is alpha. If alpha times `l1_ratio` is at least 0.5, all weights of two
        classes are 0.
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
    classes_ : ndarray, shape (n_classes,)
        The classes, sorted.
    alpha_, l1_ratio_ : float
        The chosen penalty, which has the lowest validation log loss. Ties go to the larger alpha,
        then to the larger l1_ratio.
    coef_ : ndarray, shape (1, n_features) or (n_classes, n_features)
        Weights of the standardised features, in log odds. As in scikit-learn, there is one row for
        two classes, that of ``classes_[1]``. Constant features have the weight 0.
    intercept_ : ndarray, shape (1,) or (n_classes,)
        Linear predictor with all features at their means. With more than two classes they sum to 0.
    mean_, scale_ : ndarray, shape (n_features,)
        Mean and standard deviation (divisor n) of each feature; 1 for constants.
    path_ : DataFrame
        One row per pair tried: alpha, l1_ratio, log_loss (validation), n_nonzero
        (features with a weight for any class, fitted on the training rows), chosen.
        Without tuning it has no rows.
    tuning_ : str
        "validation", "folds" or "none".
    n_features_in_, feature_names_in_
        As in scikit-learn; the names only if X has them.

    Warns
    -----
    SeparatedClassesWarning
        If the features separate the classes, and the penalty is so small that half of the fitted
        rows have a probability above 0.999 for their class.

    Notes
    -----
    Missing values are an error, as in scikit-learn.

    The solver takes Newton steps, whose quadratic approximation is minimised by coordinate descent
    on the nonzero weights, until the optimality conditions (a mean over rows of residual times
    feature) hold to 1e-12. A violation of more than 1e-10 is an error. Without a penalty, linearly
    dependent features get the weights with the smallest norm. With ``l1_ratio=1`` the weights of
    more than two classes may not be unique; they are then the limit for a vanishing L2 penalty.

    Source: Friedman, Hastie and Tibshirani (2010), J. Stat. Software 33(1).
    Checked against: scikit-learn's `LogisticRegression` on standardised features, R's
    glmnet, and, without a penalty, statsmodels' `Logit` and `MNLogit`.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1.0, 0.0], [2.0, 1.0], [3.0, 0.0], [4.0, 1.0]])
    >>> model = ElasticNetClassifier(alpha=0.1, l1_ratio=0.5).fit(X, ["no", "no", "yes", "yes"])
    >>> model.coef_.round(3)
    array([[ 1.727, -0.319]])
    >>> model.predict_proba([[2.0, 0.0]]).round(3)
    array([[0.611, 0.389]])
    """

    _measure = "log_loss"

    @stoppable("the elastic net was fitted", kept="it is not fitted", undo=unfit)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        groups: ArrayLike | None = None,
        validation: tuple[ArrayLike, ArrayLike] | None = None,
        folds: ArrayLike | None = None,
    ) -> ElasticNetClassifier:
        """Choose the penalty and fit the weights.

        Parameters
        ----------
        X : array_like, shape (n, n_features)
            Features in their original units.
        y : array_like, shape (n,)
            The class of each row: text, whole numbers, bool, or categories.
        groups : array_like, shape (n,), optional
            The subject of each row, for folds. None: every row is a separate subject.
        validation : (X, y), optional
            Rows of other subjects for tuning, with the same columns.
        folds : array_like of int, shape (n,), optional
            The fold of each row for tuning without ``validation=``. None: `subject_folds` makes
            `n_folds` of them.

        Returns
        -------
        ElasticNetClassifier

        Raises
        ------
        ValueError
            As in scikit-learn, for missing values, wrong shapes, a single row, or labels that are
            not classes.
        DataError
            If there is only one class; if a class has no rows outside one fold, or ``validation=``
            has a class that does not occur in `y`; if a penalty or `n_folds` is invalid; if there
            are fewer than two subjects (or folds) for tuning; if a subject is in several of the
            `folds`; if the classes are separated and alpha is 0; or if the fit does not converge.
        ColumnError
            If a label, a subject in `groups` or a fold in `folds` is missing, or a column of `X`
            holds categories.
        """
        X, y = without_categories(X), _plain(as_values(y, argument="y"), "the rows")
        checked = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        features: NDArray[np.float64] = checked[0]
        check_classification_targets(checked[1])
        label, classes = label_codes(checked[1], name="y", what="the rows")
        if len(classes) == 1:
            raise DataError(
                say(
                    "all {n} rows are of one class, {value!r}: a classifier requires rows of "
                    "at least two classes",
                    n=len(label),
                    value=classes[0],
                )
            )
        self.classes_ = np.unique(checked[1])
        penalties = self._penalties()
        held_out = None if validation is None else self._held_out(validation, classes)
        rows, fit = self._choose(features, label, (groups, folds), held_out, penalties)
        self.coef_, self.intercept_ = fit[:, 1:].copy(), fit[:, 0].copy()
        self._warn_if_certain(rows, fit)
        return self

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the linear predictors of `X`, shape (n, features), in log odds.

        The shape is (n,) for two classes, with the values of ``classes_[1]``; otherwise (n,
        n_classes).
        """
        predictors = _predictors(self._standardised(X), self._parameters())
        return predictors[:, 0] if len(self.classes_) == 2 else predictors

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return P(class) of each row of `X`, shape (n, n_classes), in the order of `classes_`."""
        chances: NDArray[np.float64] = np.exp(
            log_chances(self._standardised(X), self._parameters())
        )
        return chances

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable class, shape (n,), of `X`, shape (n, features)."""
        chances = log_chances(self._standardised(X), self._parameters())
        found: NDArray[Any] = self.classes_[chances.argmax(axis=1)]
        return found

    def _warn_if_certain(self, rows: _Rows, fit: NDArray[np.float64]) -> None:
        chances = np.exp(log_chances(rows.Z, fit))
        own = chances[np.arange(len(rows.y)), rows.y]
        if (own == chances.max(axis=1)).all() and np.median(own) > CERTAIN:
            warn_user(
                say(
                    "the features separate the classes, and {alpha=} is so small that half of "
                    "the rows have a fitted probability above {least:g} of their class: the "
                    "size of the weights is determined by the penalty, and predicted "
                    "probabilities of new rows will be too extreme; use a larger alpha",
                    alpha=self.alpha_,
                    least=CERTAIN,
                ),
                SeparatedClassesWarning,
            )

    def _standardised(self, X: ArrayLike) -> NDArray[np.float64]:
        check_is_fitted(self)
        X = as_values(X, argument="X")
        given: NDArray[np.float64] = validate_data(self, X, dtype=np.float64, reset=False)
        return (given - self.mean_) / self.scale_

    def _parameters(self) -> NDArray[np.float64]:
        return np.column_stack([self.intercept_, self.coef_])

    def _held_out(
        self, validation: tuple[ArrayLike, ArrayLike], classes: list[Any]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the rows to tune on, with the codes of their classes."""
        given, label = features_and_label(validation)
        label = _plain(label, "the validation rows")
        X, y = validate_data(self, given, label, dtype=np.float64, reset=False)
        codes, labels = label_codes(y, name="y", what="the validation rows")
        unknown = [label for label in labels if label not in classes]
        if unknown:
            raise DataError(
                say(
                    "{validation=} contains classes that do not occur in the fitted rows: {names}",
                    names=listed(unknown),
                )
            )
        return X, np.array([classes.index(label) for label in labels])[codes]

    def _rows(self, X: NDArray[np.float64], y: NDArray[np.int64]) -> _Rows:
        return _Rows(X, y, len(self.classes_))

    def _error(self, total: NDArray[np.float64], n: int) -> NDArray[np.float64]:
        return total / n

    def _check_folds(self, y: NDArray[np.int64], fold: NDArray[np.int64]) -> None:
        for k in range(int(fold.max()) + 1):
            missing = np.bincount(y[fold != k], minlength=len(self.classes_)) == 0
            if missing.any():
                raise DataError(
                    say(
                        "all rows of class {value!r} belong to subjects of one fold, so no "
                        "model can be fitted without this fold; give {validation=}, another "
                        "{seed=}, or one alpha and one l1_ratio",
                        value=self.classes_[missing].tolist()[0],
                    )
                )


def _plain(y: Any, what: str) -> Any:
    """Return a list, objects, or a pandas column as an array of the labels' own type."""
    import pandas as pd

    plain = isinstance(y, np.ndarray) and y.dtype != object
    if plain or not isinstance(y, np.ndarray | list | tuple | pd.Series | pd.Categorical):
        return y
    if np.ndim(y) != 1:
        return y
    # NumPy would convert numbers to text next to text, and scikit-learn pandas' integers to floats.
    codes, labels = label_codes(y, name="y", what=what)
    return np.asarray(labels)[codes]


def log_chances(Z: NDArray[np.float64], fit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log P of each class, shape (n, n_classes), of standardised features."""
    predictors = _predictors(Z, fit)
    if len(fit) == 1:
        return -np.logaddexp(0.0, np.column_stack([predictors, -predictors]))
    largest = predictors.max(axis=1, keepdims=True)
    whole = np.log(np.exp(predictors - largest).sum(axis=1, keepdims=True)) + largest
    chances: NDArray[np.float64] = predictors - whole
    return chances


def _predictors(Z: NDArray[np.float64], fit: NDArray[np.float64]) -> NDArray[np.float64]:
    predictors: NDArray[np.float64] = Z @ fit[:, 1:].T + fit[:, 0]
    return predictors


def _axes(
    Z: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the singular value decomposition of the features, without axes of mere rounding."""
    left, size, right = np.linalg.svd(Z, full_matrices=False)
    kept = size > size.max(initial=0.0) * max(Z.shape) * np.finfo(np.float64).eps
    return left[:, kept], size[kept], right[kept]


def _checked(
    fits: LogisticFits, alphas: Sequence[float], ratios: Sequence[float]
) -> NDArray[np.float64]:
    """Return intercepts and weights, if all have converged."""
    if not fits.converged.all():
        i, j = divmod(int(np.argmax(fits.breach)), len(ratios))
        raise DataError(
            say(
                "the elastic net did not converge at {alpha=}, {l1_ratio=} (the optimality "
                "conditions are missed by {breach:.3g} after {max_steps} steps); check for "
                "nearly collinear features, or use a larger alpha",
                alpha=alphas[i],
                l1_ratio=ratios[j],
                breach=fits.breach[i, j],
                max_steps=MAX_STEPS,
            )
        )
    return np.concatenate([fits.intercept[..., None], fits.coef], axis=-1)
