"""Models for new data, which are fitted to all rows after their evaluation by folds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError, listed
from pyexpr.base.tables import as_frame, called, label_codes, numeric_column, require_columns
from pyexpr.modeling.fitting.plan import FEATURE, SEPARATE
from pyexpr.modeling.fitting.probabilities import class_probabilities, predicted_classes
from pyexpr.modeling.fitting.table import Covariate, Names

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from pyexpr.base.foreign import FrameLike

NEW = "the data to predict"


@dataclass(frozen=True, slots=True)
class FinalModels:
    """Models fitted to all rows of `fit_models`, for new data.

    Attributes
    ----------
    estimators : dict
        (model, context_as) -> {context: fitted estimator}; the context is "all" for one model over
        all contexts.
    tuning : DataFrame
        As `ModelsResult.tuning`, without the columns repeat and fold.
    names : Names
        The names of the columns.
    covariates : list of Covariate
    contexts : list
        The contexts for which there are models.
    classes : list, or None
        The classes, for a classification.

    Examples
    --------
    >>> import numpy as np, pandas as pd, pyexpr as px
    >>> from sklearn.linear_model import LinearRegression
    >>> rng = np.random.default_rng(1)
    >>> table = pd.DataFrame({"subject": np.repeat(np.arange(20), 4)})
    >>> table["smile"] = rng.normal(size=80)
    >>> table["joy"] = 2 * table["smile"] + 1
    >>> result = px.fit_models(
    ...     table, label="joy", features=["smile"], cluster="subject",
    ...     models={"ols": LinearRegression()},
    ... )
    >>> result.fit_all().predict({"smile": [0.0, 1.0]}).round(6)["ols"].tolist()
    [1.0, 3.0]
    """

    estimators: dict[tuple[str, str], dict[Any, Any]]
    tuning: pd.DataFrame
    names: Names
    covariates: list[Covariate]
    contexts: list[Any]
    classes: list[Any] | None = None

    @property
    def probable(self) -> list[tuple[str, str]]:
        """The (model, context_as) that give probabilities of classes; none for a regression."""
        if self.classes is None:
            return []
        return [
            key
            for key, models in self.estimators.items()
            if all(hasattr(model, "predict_proba") for model in models.values())
        ]

    def predict(self, data: FrameLike) -> pd.DataFrame:
        """Return the predictions of every model for new rows.

        Parameters
        ----------
        data : DataFrame
            The features and covariates, and the context if there are several; the label is not
            needed. A missing value is an error.

        Returns
        -------
        DataFrame
            One row per row of `data`, with the index of `data`, and one column per model: numbers,
            or classes. If contexts enter a model in several ways, columns are named as in
            `ModelsResult.compare`.

        Raises
        ------
        ColumnError
            If a column is missing, or has missing values or text.
        DataError
            If a context or category did not occur in the fitted data.
        """
        import pandas as pd

        classes = self.classes

        def predicted(term: str, model: Any, rows: pd.DataFrame) -> NDArray[Any]:
            if classes is not None:
                return predicted_classes(model, rows, classes, f"model {term!r}")
            return np.asarray(model.predict(rows)).reshape(-1)

        empty = np.empty(0) if classes is None else np.array(classes)
        found = self._of_rows(data, predicted, empty, self.estimators)
        return pd.DataFrame(dict(found), index=as_frame(data, what=NEW).index)

    def predict_proba(self, data: FrameLike) -> pd.DataFrame:
        """Return the probability of each class by every model that gives any, for new rows.

        Parameters
        ----------
        data : DataFrame
            As for `predict`.

        Returns
        -------
        DataFrame
            One row per row of `data` and one column per model and class, "model: class".

        Raises
        ------
        ColumnError, DataError
            As `predict`; or if the label is not a class, or no model gives probabilities.
        """
        import pandas as pd

        if self.classes is None:
            raise DataError("these models predict numbers, not classes with probabilities")
        able = self.probable
        if not able:
            every = listed(terms_of(list(self.estimators)).values())
            raise DataError(f"none of the models {every} gives probabilities (predict_proba)")
        classes = self.classes

        def likely(term: str, model: Any, rows: pd.DataFrame) -> NDArray[Any]:
            return class_probabilities(model, rows, classes, f"model {term!r}")

        found: dict[str, NDArray[Any]] = {}
        for term, values in self._of_rows(data, likely, np.empty((0, len(classes))), able):
            found |= {f"{term}: {one}": values[:, at] for at, one in enumerate(classes)}
        return pd.DataFrame(found, index=as_frame(data, what=NEW).index)

    def _of_rows(
        self,
        data: FrameLike,
        gives: Callable[[str, Any, pd.DataFrame], NDArray[Any]],
        like: NDArray[Any],
        requested: Iterable[tuple[str, str]],
    ) -> Iterator[tuple[str, NDArray[Any]]]:
        """Yield what every model gives for new rows, in the form of `like`."""
        frame = as_frame(data, what=NEW)
        X = self._features(frame)
        codes = self._contexts(frame)
        # Names are those given among all models, even if only some are used.
        terms = terms_of(list(self.estimators))
        for key in requested:
            models = self.estimators[key]
            if key[1] != SEPARATE:
                given = self._with_contexts(X, codes) if key[1] == FEATURE else X
                yield terms[key], gives(terms[key], models[ALL], given)
                continue
            values = np.empty((len(frame), *like.shape[1:]), dtype=like.dtype)
            for c, context in enumerate(self.contexts):
                mine = np.flatnonzero(codes == c)
                if len(mine):
                    rows = X.iloc[mine].reset_index(drop=True)
                    values[mine] = gives(terms[key], models[context], rows)
            yield terms[key], values

    def _features(self, frame: pd.DataFrame) -> pd.DataFrame:
        import pandas as pd

        columns = {name: _complete(frame, name) for name in self.names.features}
        for covariate in self.covariates:
            if covariate.labels is None:
                columns[covariate.name] = _complete(frame, covariate.name)
                continue
            codes = _codes(frame, covariate.name, covariate.labels, "category")
            columns |= dict(
                zip(covariate.columns, np.eye(len(covariate.labels))[codes].T, strict=True)
            )
        return pd.DataFrame(columns)

    def _contexts(self, frame: pd.DataFrame) -> NDArray[np.int64]:
        if len(self.contexts) == 1 or all(key[1] == "pooled" for key in self.estimators):
            return np.zeros(len(frame), dtype=np.int64)
        assert self.names.context is not None
        return _codes(frame, self.names.context, self.contexts, "context")

    def _with_contexts(self, X: pd.DataFrame, codes: NDArray[np.int64]) -> pd.DataFrame:
        import pandas as pd

        assert self.names.context is not None
        covariate = Covariate(self.names.context, tuple(self.contexts))
        indicators = pd.DataFrame(np.eye(len(self.contexts))[codes], columns=covariate.columns)
        return pd.concat([X, indicators], axis=1)


def terms_of(keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return the name of each (model, context_as): the model, with `context_as` only if needed."""
    names = [model for model, _ in keys]
    if len(set(names)) == len(names):
        return {key: key[0] for key in keys}
    return {key: f"{key[0]}, {key[1]}" for key in keys}


def _complete(frame: pd.DataFrame, name: str) -> NDArray[np.float64]:
    values = numeric_column(frame, name, what=NEW)
    missing = np.flatnonzero(np.isnan(values))
    if len(missing):
        raise DataError(
            f"column {name!r} of {called(frame, NEW)} must not have missing values, but row "
            f"{missing[0] + 1} is empty ({len(missing)} such rows); leave out these rows"
        )
    return values


def _codes(frame: pd.DataFrame, name: str, labels: Sequence[Any], kind: str) -> NDArray[np.int64]:
    require_columns(frame, [name], what=NEW)
    codes, found = label_codes(frame[name], name=name, what=called(frame, NEW))
    unseen = [label for label in found if label not in labels]
    if unseen:
        raise DataError(
            f"{kind} {listed(unseen)} of column {name!r} does not occur in the fitted data, "
            f"which contain {listed(labels)}"
        )
    places = np.array([list(labels).index(label) for label in found], dtype=np.int64)
    return places[codes]
