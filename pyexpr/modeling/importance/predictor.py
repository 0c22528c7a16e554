"""A fitted model of any kind, and what it predicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import DataError
from pyexpr.modeling.fitting.final import FinalModels
from pyexpr.modeling.fitting.probabilities import class_probabilities, predicted_classes
from pyexpr.modeling.fitting.units import predicted_numbers
from pyexpr.modeling.importance.of_classes import Classes

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

CONTEXTUAL_POOLED = "pooled"


@dataclass(frozen=True, slots=True)
class Predictor:
    """A fitted model that predicts numbers or classes from a data frame.

    Attributes
    ----------
    model : object
    where : str
        A description of the model, for messages.
    context : str or None
        "argument" if the model takes the contexts of rows as an argument, "pooled" for the pooled
        model of a `ContextualRegressor`, otherwise None.
    classes : Classes, optional
        If the model predicts classes.
    """

    model: Any
    where: str
    context: str | None = None
    classes: Classes | None = None

    def predict(self, X: pd.DataFrame, context: Any) -> NDArray[np.float64]:
        """Return the predictions of rows from a single context.

        Returns
        -------
        (n,) or (n, 1 or 1 + classes) float64
            Numbers; or the code of the class and, if they are asked for, the probabilities.
        """
        try:
            return self._numbers(X, context) if self.classes is None else self._classes(X)
        except DataError:
            raise
        except Exception as error:
            raise DataError(
                f"{self.where} cannot predict: {type(error).__name__}: "
                f"{' '.join(str(error).split())[:400]}"
            ) from error

    def _numbers(self, X: pd.DataFrame, context: Any) -> NDArray[np.float64]:
        if self.context is None:
            found = self.model.predict(X)
        elif self.context == CONTEXTUAL_POOLED:
            found = self.model.predict(X, pooled=True)
        else:
            found = self.model.predict(X, context=[context] * len(X))
        if isinstance(self.model, FinalModels):
            found = found.iloc[:, 0]
        return predicted_numbers(found, len(X), self.where)

    def _classes(self, X: pd.DataFrame) -> NDArray[np.float64]:
        own = self.classes
        assert own is not None
        model = OneFinal(self.model) if isinstance(self.model, FinalModels) else self.model
        columns = [own.codes(predicted_classes(model, X, own.labels, self.where).tolist())[:, None]]
        if own.probable:
            columns.append(own.likely(class_probabilities(model, X, own.labels, self.where)))
        return np.concatenate(columns, axis=1)


@dataclass(frozen=True, slots=True)
class OneFinal:
    """One model of `FinalModels` in the form of a classifier of scikit-learn."""

    models: FinalModels

    @property
    def classes_(self) -> NDArray[Any]:
        """Return the classes."""
        return np.array(self.models.classes)

    def predict(self, X: pd.DataFrame) -> NDArray[Any]:
        """Return the class of each row."""
        return self.models.predict(X).iloc[:, 0].to_numpy()

    def predict_proba(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Return the probability of each class."""
        return self.models.predict_proba(X).to_numpy()
