"""Access to the parts of a fitted measurement model."""

from __future__ import annotations

from typing import Any, Protocol

from pyexpr.measurement.columns import Categories
from pyexpr.measurement.engines.protocol import FitOutput, FitRequest
from pyexpr.measurement.factor.orientation import Pointing
from pyexpr.measurement.factor.scores import GroupMatrices
from pyexpr.measurement.specification import MeasurementModel


class FittedModel(Protocol):
    """The attributes of a `CFAResult` that are described at that class."""

    @property
    def model(self) -> MeasurementModel:
        """The model."""

    @property
    def output(self) -> FitOutput:
        """The engine's estimates, with the signs of the factors chosen."""

    @property
    def request(self) -> FitRequest:
        """The request to the engine."""

    @property
    def labels(self) -> tuple[Any, ...]:
        """Labels of the contexts."""

    @property
    def context_name(self) -> str | None:
        """Name of the contexts, or None."""

    @property
    def rows(self) -> Any:
        """The data as passed by the user."""

    @property
    def n_dropped(self) -> int:
        """Rows left out."""

    @property
    def n_clusters(self) -> int:
        """Clusters, 0 without."""

    @property
    def missing(self) -> str:
        """Rule for missing values."""

    @property
    def engine(self) -> str:
        """Name of the engine."""

    @property
    def pointing(self) -> Pointing:
        """The indicator of each factor whose loading is positive."""

    @property
    def largest(self) -> int | None:
        """Code of the context with whose signs the others agree, or None."""

    @property
    def categories(self) -> Categories:
        """Ordered indicators and their categories."""

    def matrices(self, code: int) -> GroupMatrices:
        """Return the model of one context as matrices."""
        ...
