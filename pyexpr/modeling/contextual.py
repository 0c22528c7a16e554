"""A separate model for each context, and one for all contexts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, RegressorMixin, clone
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils import column_or_1d, get_tags
from sklearn.utils._indexing import _safe_indexing
from sklearn.utils.validation import check_is_fitted, validate_data

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import ColumnError, DataError, listed, near_names
from pyexpr.base.foreign import as_column, as_pandas, as_values, single_column
from pyexpr.base.messages import message_of, say
from pyexpr.base.stopping import stoppable
from pyexpr.base.tables import label_codes
from pyexpr.modeling.elastic_net import ElasticNetRegressor
from pyexpr.modeling.unfitted import unfit

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray


class ContextualRegressor(MetaEstimatorMixin, RegressorMixin, BaseEstimator):
    """Fit one clone of a regressor per context, and one over all contexts.

    Parameters
    ----------
    estimator : regressor, optional
        Any scikit-learn regressor. By default `ElasticNetRegressor`; to set or search its
        parameters (``estimator__alpha``), pass it explicitly.
    context : str or int, optional
        The column of X that holds the context, by name or position. It is removed before X is
        passed to the estimator. None: the values are passed to ``fit(..., context=values)``, or
        there are no contexts and only the pooled model is fitted.

    Attributes
    ----------
    estimators_ : dict
        The fitted estimator of each context, by its label, in the order of `contexts_`.
        Empty without contexts.
    pooled_ : regressor
        The estimator fitted on the rows of all contexts.
    contexts_ : list
        The labels seen in `fit`, sorted; those of an ordered Categorical in its order.
    n_features_in_, feature_names_in_
        Those of X as passed to `fit`, including the context column.

    Notes
    -----
    `predict` uses the model of the context of each row, or the pooled model with ``pooled=True``.
    Missing values are handled by the estimator; a missing context is an error.

    Checked against: the same estimators fitted one by one on the rows of each
    context.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"task": ["fear"] * 3 + ["pain"] * 3, "au": [1.0, 2, 3, 1, 2, 3]})
    >>> y = [1.0, 2.0, 3.0, 3.0, 2.0, 1.0]
    >>> from sklearn.linear_model import LinearRegression
    >>> model = ContextualRegressor(LinearRegression(), context="task").fit(X, y)
    >>> model.predict(X).round(6).tolist()
    [1.0, 2.0, 3.0, 3.0, 2.0, 1.0]
    >>> model.predict(X, pooled=True).round(6).tolist()
    [2.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    """

    def __init__(self, estimator: Any = None, *, context: str | int | None = None) -> None:
        self.estimator = estimator
        self.context = context

    @stoppable("models were fitted", kept="there are none", undo=unfit)
    def fit(
        self,
        X: Any,
        y: ArrayLike,
        groups: ArrayLike | None = None,
        validation: tuple[Any, ArrayLike] | Mapping[str, Any] | None = None,
        *,
        context: ArrayLike | None = None,
        y_pooled: ArrayLike | None = None,
    ) -> ContextualRegressor:
        """Fit the models of all contexts, and the pooled one.

        Parameters
        ----------
        X : array_like or DataFrame, shape (n, n_features)
            The features, and the context column if the constructor names one.
        y : array_like, shape (n,)
            The label.
        groups : array_like, shape (n,), optional
            The subject of each row, for estimators whose `fit` takes `groups`.
        validation : (X, y) or mapping, optional
            Rows for tuning, for estimators whose `fit` has the argument `validation`. A mapping has
            "X" and "y", and also "context" and "y_pooled" if they are passed to `fit`. The model of
            each context gets the rows of its context.
        context : array_like, shape (n,), optional
            The context of each row, if X has no column for it.
        y_pooled : array_like, shape (n,), optional
            The label of the pooled model, if it differs from that of the contexts' models, as when
            each context has its own factor model. By default `y`.

        Returns
        -------
        ContextualRegressor

        Raises
        ------
        DataError
            If a context has too few rows or none for tuning, if the context is given twice or not
            at all, or if the estimator does not accept the arguments that are passed on. Errors of
            the estimator name the context in which they occurred.
        ColumnError
            If X has no such column, or a context is missing.
        """
        template = ElasticNetRegressor() if self.estimator is None else self.estimator
        _refuse_unusable(template, groups=groups, validation=validation)
        X, y = self._table(X, reset=True), as_values(y, argument="y")
        if y is not None and np.asarray(y).ndim == 2:
            # Otherwise some regressors would predict a column vector.
            y = column_or_1d(y, warn=True)
        rows = self._rows(X, y, context, y_pooled, groups, what="X")
        held_out = None if validation is None else self._validation_rows(validation, rows)

        self.contexts_: list[Any] = []
        self.estimators_: dict[Any, Any] = {}
        if rows.context is not None:
            codes, self.contexts_ = label_codes(
                rows.context, name=self._name, what="X", keep_order=True
            )
            _refuse_small_contexts(codes, self.contexts_, held_out)
            for c, label in enumerate(self.contexts_):
                mine = rows.take(np.flatnonzero(codes == c))
                tune = None if held_out is None else held_out.of_context(label)
                try:
                    self.estimators_[label] = _fitted(template, mine, tune, pooled=False)
                except ValueError as error:
                    raise DataError(
                        say(
                            "context {label:label}: {error}",
                            label=str(label),
                            error=message_of(error),
                        )
                    ) from error
        self.pooled_ = _fitted(template, rows, held_out, pooled=True)
        return self

    def predict(
        self, X: Any, *, context: ArrayLike | None = None, pooled: bool = False
    ) -> NDArray[np.float64]:
        """Return predictions, using the model of the context of each row.

        Parameters
        ----------
        X : array_like or DataFrame, shape (n, n_features)
            The features, with the columns of `fit`.
        context : array_like, shape (n,), optional
            The context of each row, if `fit` was given `context=`.
        pooled : bool, default False
            Whether to use the pooled model for every row, regardless of its context.

        Returns
        -------
        ndarray, shape (n,)

        Raises
        ------
        DataError
            If no model was fitted for a context; the message lists the available ones.
        """
        check_is_fitted(self)
        X = self._table(X, reset=False)
        features, values = self._divide(X, context, what="X", required=not pooled)
        if values is not None and not pooled and not self.estimators_:
            raise DataError(
                say(
                    "the model was fitted without contexts; leave out {context=}, or fit it with "
                    "contexts"
                )
            )
        if pooled or values is None:
            return np.asarray(self.pooled_.predict(features), dtype=np.float64)
        codes, labels = label_codes(values, name=self._name, what="X")
        unseen = [label for label in labels if label not in self.estimators_]
        if unseen:
            raise DataError(
                f"no model was fitted for context {listed(unseen)}; it was fitted to "
                f"{listed(self.contexts_)}"
            )
        predicted = np.empty(len(codes))
        for c, label in enumerate(labels):
            mine = np.flatnonzero(codes == c)
            predicted[mine] = self.estimators_[label].predict(_safe_indexing(features, mine))
        return predicted

    def weights(self) -> pd.DataFrame:
        """Return the coefficients: context, feature, estimate; "all" for the pooled model.

        Raises
        ------
        DataError
            If the estimator has no `coef_`.
        """
        import pandas as pd

        check_is_fitted(self)
        models = {**self.estimators_, ALL: self.pooled_}
        if len(models) == len(self.estimators_):
            raise DataError(f"a context may not be called {ALL!r}; rename it")
        return pd.DataFrame(
            [
                {"context": label, "feature": name, "estimate": value}
                for label, model in models.items()
                for name, value in _coefficients(model).items()
            ]
        )

    def set_params(self, **params: Any) -> ContextualRegressor:
        """Set parameters; those of the estimator are named ``estimator__name``.

        Parameters
        ----------
        **params
            The new values by name.

        Returns
        -------
        ContextualRegressor
            Itself.

        Raises
        ------
        DataError
            If `estimator` is None and one of its parameters is to be set.
        """
        inner = [name for name in params if name.startswith("estimator__")]
        if inner and params.get("estimator", self.estimator) is None:
            raise DataError(
                say(
                    "{inner} cannot be set while {estimator=} is {value None}; pass the "
                    "estimator: ContextualRegressor(ElasticNetRegressor(), {context=}...)",
                    inner=inner[0],
                )
            )
        super().set_params(**params)
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(ElasticNetRegressor() if self.estimator is None else self.estimator)
        tags.input_tags.allow_nan = inner.input_tags.allow_nan
        tags.input_tags.sparse = inner.input_tags.sparse
        return tags

    def _table(self, X: Any, *, reset: bool) -> Any:
        """Return X as a frame or array, its columns checked; its values are the estimator's."""
        X = as_pandas(X, what="X")
        if hasattr(X, "columns"):
            validate_data(self, X, reset=reset, skip_check_array=True)
            return X
        # dtype None and NaN let through: a column may hold contexts as text.
        return validate_data(
            self, X, reset=reset, dtype=None, accept_sparse=True, ensure_all_finite=False
        )

    @property
    def _name(self) -> str:
        """The name of the contexts in messages: their column, if it has a name."""
        return self.context if isinstance(self.context, str) else "context"

    def _divide(
        self, X: Any, context: ArrayLike | None, *, what: str, required: bool = True
    ) -> tuple[Any, Any]:
        """Return X without its context column, and the contexts (None if there are none)."""
        if self.context is None:
            fitted_with = bool(getattr(self, "estimators_", None))
            if context is None and required and fitted_with:
                raise DataError(
                    say("the contexts of {what} are missing; give {call context=values}", what=what)
                )
            context = as_column(context, argument=say("{context=}"))
            values = None if context is None else _labels(context)
            if values is not None and values.shape != (X.shape[0],):
                raise DataError(
                    say(
                        "{context=} must have one value per row of {what}: {shape} rows, "
                        "but its shape is {shape_2}",
                        what=what,
                        shape=X.shape[0],
                        shape_2=values.shape,
                    )
                )
            return X, values
        if context is not None:
            raise DataError(
                say(
                    "{context=} was given as values, and as the column {given!r} of "
                    "{what}; use one of them",
                    given=self.context,
                    what=what,
                )
            )
        if isinstance(self.context, bool) or not isinstance(self.context, (str, int, np.integer)):
            raise DataError(
                say(
                    "{context=} must be the name or position of a column, not {given!r}; pass "
                    "values to fit and predict",
                    given=self.context,
                )
            )
        if isinstance(self.context, str):
            if not hasattr(X, "columns"):
                raise ColumnError(
                    say(
                        "{what} has no column names, so {context=@given} cannot be "
                        "found; give its position, or context=values in fit and predict",
                        what=what,
                        given=self.context,
                    )
                )
            if self.context not in X.columns:
                raise ColumnError(
                    f"{what} has no column {self.context!r}; {near_names(self.context, X.columns)}"
                )
            return X.drop(columns=self.context), X[self.context]
        n_columns = X.shape[1]
        if not -n_columns <= self.context < n_columns:
            raise ColumnError(
                say(
                    "{what} has {n_columns} columns, but {context=}",
                    what=what,
                    n_columns=n_columns,
                    context=self.context,
                )
            )
        position = self.context % n_columns
        others = [j for j in range(n_columns) if j != position]
        values = X.iloc[:, position] if hasattr(X, "iloc") else X[:, position]
        return _safe_indexing(X, others, axis=1), values

    def _rows(
        self, X: Any, y: Any, context: Any, y_pooled: Any, groups: Any, *, what: str
    ) -> _Rows:
        y, y_pooled = as_values(y, argument="y"), as_values(y_pooled, argument=say("{y_pooled=}"))
        groups = None if groups is None else single_column(groups, argument=say("{groups=}"))
        features, values = self._divide(X, context, what=what, required=False)
        if y_pooled is not None and values is None:
            raise DataError(
                say("{y_pooled=} requires contexts; without contexts, pass the label as y")
            )
        n = X.shape[0]
        for name, column in (("y", y), ("y_pooled", y_pooled), ("groups", groups)):
            if values is not None and column is not None and len(column) != n:
                raise DataError(f"{name} has {len(column)} values, but {what} has {n} rows")
        return _Rows(features, y, y_pooled, values, groups)

    def _validation_rows(self, validation: Any, rows: _Rows) -> _Rows:
        if isinstance(validation, Mapping):
            unknown = set(validation) - {"X", "y", "context", "y_pooled"}
            if unknown or not {"X", "y"} <= set(validation):
                raise DataError(
                    say(
                        "{validation=} as a mapping must have 'X' and 'y', and may have "
                        "'context' and 'y_pooled'; it has {names}",
                        names=listed(validation),
                    )
                )
            given = {"context": None, "y_pooled": None, **validation}
        else:
            X, y = validation
            given = {"X": X, "y": y, "context": None, "y_pooled": None}
        if (rows.y_pooled is None) != (given["y_pooled"] is None):
            raise DataError(
                say(
                    "fit and {validation=} must both have y_pooled, or neither: "
                    "{validation=}{{'X': ..., 'y': ..., 'y_pooled': ...}}"
                )
            )
        held_out = self._rows(
            self._table(given["X"], reset=False),
            given["y"],
            given["context"],
            given["y_pooled"],
            None,
            what="validation",
        )
        if (held_out.context is None) != (rows.context is None):
            raise DataError(
                say(
                    "fit and {validation=} must both have contexts, or neither: "
                    "{validation=}{{'X': ..., 'y': ..., 'context': ...}}"
                )
            )
        return held_out


def _labels(context: Any) -> Any:
    """Return contexts as an array, or as a column if they are categories, in some order."""
    if hasattr(getattr(context, "dtype", None), "categories"):
        import pandas as pd

        return pd.Series(pd.Categorical(context))
    return np.asarray(context, dtype=object)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows on their way to an estimator: features without the context, labels, subjects."""

    features: Any
    y: Any
    y_pooled: Any
    context: Any
    groups: Any

    def label(self, *, pooled: bool) -> Any:
        return self.y_pooled if pooled and self.y_pooled is not None else self.y

    def take(self, rows: NDArray[np.int64]) -> _Rows:
        return _Rows(
            *(
                None if column is None else _safe_indexing(column, rows)
                for column in (self.features, self.y, self.y_pooled, self.context, self.groups)
            )
        )

    def of_context(self, label: Any) -> _Rows:
        return self.take(np.flatnonzero(np.asarray(self.context, dtype=object) == label))


def _fitted(template: Any, rows: _Rows, tune: _Rows | None, *, pooled: bool) -> Any:
    extra: dict[str, Any] = {}
    if rows.groups is not None:
        extra["groups"] = rows.groups
    if tune is not None:
        extra["validation"] = (tune.features, tune.label(pooled=pooled))
    return clone(template).fit(rows.features, rows.label(pooled=pooled), **extra)


def _refuse_unusable(template: Any, **given: Any) -> None:
    """Raise `DataError` if something is to be passed on that the estimator would not take."""
    taken = signature(template.fit).parameters
    for name, value in given.items():
        # A grid search hands groups on to its splitter.
        passes = name in taken or (name == "groups" and isinstance(template, BaseSearchCV))
        if value is not None and not passes:
            raise DataError(
                say(
                    "{kind}.fit does not accept {@name=}; leave it out, or use an estimator "
                    "that does (ElasticNetRegressor, or GridSearchCV for groups)",
                    kind=type(template).__name__,
                    name=name,
                )
            )


def _refuse_small_contexts(
    codes: NDArray[np.int64], labels: list[Any], held_out: _Rows | None
) -> None:
    counts = np.bincount(codes, minlength=len(labels))
    for label, count in zip(labels, counts, strict=True):
        if count < 2:
            raise DataError(
                f"context {str(label)!r} has {count} row; a separate model requires at least 2"
            )
    if held_out is None:
        return
    tuned = label_codes(held_out.context, name="context", what="validation")[1]
    missing = [label for label in labels if label not in tuned]
    if missing:
        raise DataError(say("{validation=} has no rows of context {names}", names=listed(missing)))
    unseen = [label for label in tuned if label not in labels]
    if unseen:
        raise DataError(
            say(
                "{validation=} has rows of context {names}, which has no rows in "
                "{argument X}; {argument X} has {names_2}",
                names=listed(unseen),
                names_2=listed(labels),
            )
        )


def _coefficients(model: Any) -> dict[str, float]:
    names = getattr(model, "feature_names_in_", None)
    final = model
    if isinstance(model, Pipeline):
        final = model[-1]
        # A step may have produced features other than those it was given.
        if len(model) > 1 and names is not None:
            names = model[:-1].get_feature_names_out()
    if isinstance(final, BaseSearchCV):
        return _coefficients(final.best_estimator_)
    coef = getattr(final, "coef_", None)
    if coef is None:
        raise DataError(f"{type(final).__name__} has no coef_, so it has no weights")
    values = np.asarray(coef, dtype=np.float64).reshape(-1)
    if names is None:
        names = [f"x{j}" for j in range(len(values))]
    return {str(name): float(value) for name, value in zip(names, values, strict=True)}
