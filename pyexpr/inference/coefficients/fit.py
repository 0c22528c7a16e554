"""From checked rows to weights with their replicates, slopes and differences."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.errors import DataError
from pyexpr.base.progress import pieces
from pyexpr.core.cluster_bootstrap import draw_counts
from pyexpr.inference.coefficients.data import CoefficientData
from pyexpr.inference.coefficients.penalised import PenalisedModel, Penalty, Weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DIFFERENT_LABELS = "the contexts' weights are of different labels"
_DIFFERENT_PENALTIES = "the contexts' weights have different penalties"


def fitted_weights(
    data: CoefficientData,
    model: str,
    penalty: Penalty,
    n_boot: int,
    retune: bool,
    n_folds: int,
    seed: int,
    n_threads: int | None,
) -> tuple[PenalisedModel, Weights]:
    """Fit the weights of one model, on all its subjects and on resamples of them."""
    rows = data.rows(model)
    own = PenalisedModel(data.X[rows], data.label(model)[rows], data.subject[rows], n_threads)
    try:
        return own, own.fitted(penalty, n_boot, retune=retune, n_folds=n_folds, seed=seed)
    except DataError as error:
        raise DataError(f"context {model!r}: {error}") from error


def weight_differences(
    data: CoefficientData,
    fitted: Sequence[tuple[PenalisedModel, Weights]],
    n_boot: int,
    retune: bool,
    seed: int,
) -> dict[tuple[int, int], NDArray[np.float64] | str]:
    """Return, per pair of contexts, replicates of the difference of weights, or why there are none.

    Subjects are drawn for both contexts at once.
    """
    found: dict[tuple[int, int], NDArray[np.float64] | str] = {}
    for a, b in combinations(range(len(data.contexts)), 2):
        (one, first), (other, second) = fitted[a], fitted[b]
        if data.y is not data.y_tested:
            found[a, b] = _DIFFERENT_LABELS
        elif retune or (first.alpha, first.l1_ratio) != (second.alpha, second.l1_ratio):
            found[a, b] = _DIFFERENT_PENALTIES
        elif np.array_equal(one.subjects, other.subjects):
            found[a, b] = first.replicates - second.replicates
        else:
            union = np.union1d(one.subjects, other.subjects)
            pair = np.empty((2, n_boot, one.products.n_features))
            for at, size in pieces(n_boot, start=64, label="refitting", show=False):
                counts = draw_counts((len(union),), size, seed=seed, first=at).astype(np.int64)
                for k, (model, weights) in enumerate((fitted[a], fitted[b])):
                    pair[k, at : at + size] = model.refits(
                        np.ascontiguousarray(counts[:, np.isin(union, model.subjects)]),
                        weights.alpha,
                        weights.l1_ratio,
                    )
            found[a, b] = pair[0] - pair[1]
    return found
