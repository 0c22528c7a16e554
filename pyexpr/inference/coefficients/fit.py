"""From checked rows to weights, their replicates, and differences between contexts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pyexpr.base.errors import DataError
from pyexpr.base.messages import message_of, say
from pyexpr.core.cluster_bootstrap import draw_counts
from pyexpr.inference.coefficients.data import CoefficientData
from pyexpr.inference.coefficients.notes import DIFFERENT_LABELS, DIFFERENT_PENALTIES
from pyexpr.inference.coefficients.penalised import FittedModel, PenalisedModel, Penalty
from pyexpr.resampling.memberships import Memberships
from pyexpr.resampling.result import in_pieces

if TYPE_CHECKING:
    from numpy.typing import NDArray


def fit_model(
    data: CoefficientData,
    model: str,
    penalty: Penalty,
    *,
    retune: bool,
    n_folds: int,
    seed: int,
    n_threads: int | None,
) -> FittedModel:
    """Fit the weights of one model on all its subjects."""
    rows = data.rows(model)
    own = PenalisedModel.of(data.X[rows], data.label(model)[rows], data.subject[rows], n_threads)
    try:
        fitted = own.fitted(penalty, retune=retune, n_folds=n_folds, seed=seed)
    except DataError as error:
        raise DataError(
            say("context {model:label}: {error}", model=model, error=message_of(error))
        ) from error
    if data.memberships is None:
        return fitted
    return replace(fitted, memberships=data.memberships.of_cells(own.subjects))


class DrawnWeights(NamedTuple):
    """Replicates of the weights of every model (n, p), and of differences between contexts.

    `differences` holds the differences, (n, p), between contexts that do not have the same
    subjects. For each pair, the subjects of both contexts are drawn together.
    """

    weights: list[NDArray[np.float64]]
    differences: dict[tuple[int, int], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class WeightDraws:
    """Refits of all models on drawn subjects, any range of them.

    Attributes
    ----------
    models : tuple of FittedModel
        The models of each context, then the one over all contexts.
    incomparable : mapping
        For pairs of contexts whose weights are not comparable, the reason.
    pairs : tuple
        The other pairs of contexts.
    seed : int
    progress : bool, optional
        Whether to show a bar.
    memberships : Memberships, optional
        Memberships of all cells; given if rows belong to two clusters.
    """

    models: tuple[FittedModel, ...]
    incomparable: Mapping[tuple[int, int], str]
    pairs: tuple[tuple[int, int], ...]
    seed: int
    progress: bool | None
    memberships: Memberships | None = None

    def replicates(self, first: int, n: int) -> DrawnWeights:
        """Return replicates `first` to ``first + n - 1``, or those computed before Ctrl-C."""
        p = len(self.models[0].estimate)
        weights = [np.empty((n, p)) for _ in self.models]
        apart = [pair for pair in self.pairs if not self._alike(*pair)]
        differences = {pair: np.empty((n, p)) for pair in apart}

        def fill(at: int, size: int) -> None:
            for model, values in zip(self.models, weights, strict=True):
                values[at : at + size] = model.drawn(size, self.seed, first + at)
            for pair, values in differences.items():
                values[at : at + size] = self._difference(pair, first + at, size)

        done = in_pieces(n, fill, start=64, show=self.progress)
        return DrawnWeights(
            [values[:done] for values in weights],
            {pair: values[:done] for pair, values in differences.items()},
        )

    def differences(self, drawn: DrawnWeights) -> dict[tuple[int, int], NDArray[np.float64] | str]:
        """Return, per pair of contexts, replicates of the difference, or why there are none."""
        found: dict[tuple[int, int], NDArray[np.float64] | str] = dict(self.incomparable)
        for a, b in self.pairs:
            alike = self._alike(a, b)
            found[a, b] = drawn.weights[a] - drawn.weights[b] if alike else drawn.differences[a, b]
        return found

    def _alike(self, a: int, b: int) -> bool:
        """Return whether two contexts have the same subjects, whose draws are then the same."""
        return np.array_equal(self.models[a].model.subjects, self.models[b].model.subjects)

    def _difference(self, pair: tuple[int, int], first: int, n: int) -> NDArray[np.float64]:
        one, other = (self.models[k] for k in pair)
        union = np.union1d(one.model.subjects, other.model.subjects)
        if self.memberships is not None:
            drawn = self.memberships.of_cells(union).drawn(n, seed=self.seed, first=first)
            return self._of_counts(one, other, union, drawn.astype(np.int64))
        counts = draw_counts((len(union),), n, seed=self.seed, first=first).astype(np.int64)
        return self._of_counts(one, other, union, counts)

    @staticmethod
    def _of_counts(
        one: FittedModel, other: FittedModel, union: NDArray[np.int64], counts: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        weights = [
            each.refits(np.ascontiguousarray(counts[:, np.isin(union, each.model.subjects)]))
            for each in (one, other)
        ]
        return np.asarray(weights[0] - weights[1])


def weight_draws(
    data: CoefficientData,
    fitted: Sequence[FittedModel],
    *,
    retune: bool,
    seed: int,
    progress: bool | None,
) -> WeightDraws:
    """Return how the weights of these models, and their differences, are drawn."""
    incomparable, pairs = {}, []
    for a, b in combinations(range(len(data.contexts)), 2):
        first, second = fitted[a], fitted[b]
        if data.y is not data.y_tested:
            incomparable[a, b] = DIFFERENT_LABELS
        elif retune or (first.alpha, first.l1_ratio) != (second.alpha, second.l1_ratio):
            incomparable[a, b] = DIFFERENT_PENALTIES
        else:
            pairs.append((a, b))
    return WeightDraws(tuple(fitted), incomparable, tuple(pairs), seed, progress, data.memberships)
