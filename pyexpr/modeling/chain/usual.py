"""The usual comparison: models and scores are taken as given, and only tested subjects vary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.modeling.fitting.compared import Evaluated, compare
from pyexpr.modeling.fitting.plan import CROSS_VALIDATION, Part
from pyexpr.modeling.fitting.table import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.inference.comparison.result import ComparisonResult

    Array = NDArray[np.float64]


def folds_of_rows(parts: Sequence[Part], n: int) -> NDArray[np.int64]:
    """Return the fold of every row in every repeat, (repeats, n)."""
    fold = np.empty((1 + max(part.repeat for part in parts), n), dtype=np.int64)
    for part in parts:
        fold[part.repeat, part.test] = part.fold
    return fold


def as_usual(
    predictions: Array,
    truth: Sequence[Array],
    fold: NDArray[np.int64],
    keys: Sequence[tuple[str, str]],
    table: Table,
    seed: int,
    metrics: Sequence[str],
    options: dict[str, Any],
) -> ComparisonResult:
    """Return the comparison of predictions (terms, repeats, n); `keys` are the terms."""
    import pandas as pd

    common = {
        "cluster": pd.Series(table.cluster_labels).iloc[table.clusters].to_numpy(),
        "context": pd.Series(table.context_labels).iloc[table.contexts].to_numpy(),
        "clip": table.clips,
    }
    blocks = [
        pd.DataFrame(
            {
                **common, "repeat": repeat, "fold": fold[repeat], "model": key[0],
                "context_as": key[1], "truth": y, "prediction": own,
            }
        )
        for key, y, of_term in zip(keys, truth, predictions, strict=True)
        for repeat, own in enumerate(of_term)
    ]  # fmt: skip
    evaluated = Evaluated(
        predictions=pd.concat(blocks, ignore_index=True), names=table.names,
        contexts=table.context_labels, scheme=CROSS_VALIDATION, n_repeats=len(fold), seed=seed,
        classes=None, positive=None,
    )  # fmt: skip
    return compare(evaluated, metrics, options)
