"""Predictions of `fit_models` handed to `compare_models`: one column per model and repeat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import say
from pyexpr.inference.comparison.comparison import compare_models
from pyexpr.inference.comparison.predictions import Predictions
from pyexpr.modeling.fitting.final import terms_of
from pyexpr.modeling.fitting.performance import spread
from pyexpr.modeling.fitting.plan import CROSS_VALIDATION, SEPARATE

if TYPE_CHECKING:
    import pandas as pd

    from pyexpr.inference.comparison.result import ComparisonResult
    from pyexpr.modeling.fitting.table import Names

_CLIP = ["cluster", "context", "clip"]
# What the result itself knows.
_OURS = ("truth", "predictions", "cluster", "context", "fold", "stratify")


@dataclass(frozen=True, slots=True)
class Judged:
    """What a comparison needs of a `ModelsResult`, whose attributes these are."""

    predictions: pd.DataFrame
    names: Names
    contexts: list[Any]
    scheme: str
    n_repeats: int
    seed: int


def compare(
    result: Judged,
    metrics: Sequence[str],
    options: dict[str, Any],
    repeats: Sequence[int] | None = None,
) -> ComparisonResult:
    """Return `compare_models` of all repeats, or of some."""
    ours = [name for name in options if name in _OURS]
    if ours:
        raise DataError(
            say(
                "{call compare()} takes no {names}: {call fit_models()} was told; call "
                "{call px.compare_models} on a table of your own for anything else",
                names=listed(ours),
            )
        )
    repeats = list(range(result.n_repeats)) if repeats is None else list(repeats)
    table, models = wide(result, repeats)
    context = None
    if len(result.contexts) > 1:
        context = table["context"]
    return compare_models(
        table,
        truth="truth",
        predictions=models,
        cluster=table["cluster"].rename(result.names.cluster),
        context=context,
        metrics=metrics,
        **({"seed": result.seed} | options),
    )


def over_repeats(result: Judged, metrics: Sequence[str], options: dict[str, Any]) -> pd.DataFrame:
    """Return the comparison with what its repeats differ by."""
    import pandas as pd

    if result.n_repeats == 1:
        raise DataError(say("there is one repeat; ask fit_models for more, with {repeats=}"))
    table = compare(result, metrics, options).tidy()
    few = {name: value for name, value in options.items() if name not in ("adjust", "method")}
    each = [
        compare(result, metrics, few | {"n_boot": 0}, [repeat]).tidy()["estimate"].to_numpy()
        for repeat in range(result.n_repeats)
    ]
    shown = ["metric", "term", "context", "estimate", "conf_low", "conf_high"]
    found = spread(np.column_stack(each))
    del found["mean"]
    return pd.concat([table[shown], pd.DataFrame(found)], axis=1)


def wide(result: Judged, repeats: Sequence[int]) -> tuple[pd.DataFrame, dict[str, Predictions]]:
    """Return a row per clip with all predictions and folds, and the models by name."""
    import pandas as pd

    rows = result.predictions
    keys = list(rows[["model", "context_as"]].drop_duplicates().itertuples(index=False, name=None))
    terms = terms_of(keys)
    own_truth = result.names.label_pooled != result.names.label
    table: pd.DataFrame | None = None
    models: dict[str, Predictions] = {}
    for key in keys:
        columns = []
        for repeat in repeats:
            mine = rows[
                (rows["model"] == key[0]) & (rows["context_as"] == key[1])
                & (rows["repeat"] == repeat)
            ]  # fmt: skip
            if table is None:
                table = mine[_CLIP].reset_index(drop=True)
            column = terms[key] if len(repeats) == 1 else f"{terms[key]}, repeat {repeat}"
            columns.append(column)
            # Every part has the rows in one order.
            values = {column: mine["prediction"].to_numpy()}
            truth = "truth" if key[1] == SEPARATE or not own_truth else "truth_pooled"
            values[truth] = mine["truth"].to_numpy()
            values[f"fold {repeat}"] = mine["fold"].to_numpy()
            table = table.assign(**values)
        folds = None
        if result.scheme == CROSS_VALIDATION:
            folds = [f"fold {repeat}" for repeat in repeats]
        models[terms[key]] = Predictions(columns, truth=truth if own_truth else None, fold=folds)
    assert table is not None
    if len(result.contexts) > 1:
        table["context"] = pd.Categorical(table["context"], result.contexts, ordered=True)
    if "truth" not in table:
        # Every model has the truth of its own.
        table["truth"] = table["truth_pooled"]
    return table, models
