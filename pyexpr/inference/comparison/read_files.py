"""Open parquet files for a comparison, and check what can be computed from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pyexpr.base.errors import DataError
from pyexpr.base.messages import say
from pyexpr.base.row_files import open_row_files
from pyexpr.inference.comparison.from_files import FileRows
from pyexpr.inference.comparison.metrics import Metric, kind_named, split_name
from pyexpr.inference.comparison.predictions import Predictions, check_truth, named_models


def read_files(
    table: Any,
    truth: str,
    predictions: Iterable[str] | Mapping[str, str | Sequence[str] | Predictions],
    metrics: Mapping[str, Metric | None],
    labels: Mapping[str, Any],
    *,
    n_threads: int | None,
    progress: bool | None,
    what: str,
) -> FileRows:
    """Open the files of a table and read which labels and missing values its rows have.

    `labels` are the arguments that name columns of labels.
    """
    _check(metrics, labels)
    check_truth(truth)
    models = named_models(predictions).values()
    whole = [one for model in models if model.truth is None for one in model.values]
    own = [one for model in models if model.truth is not None
           for one in (*model.values, *model.truth)]  # fmt: skip
    columns = [*labels.values(), *(one for model in models for one in model.fold or ())]
    # Metrics that would be misleading for predictions of left-out truth if folds are not named.
    misled = any(
        function is None and kind_named(split_name(metric)[0]).folds
        for metric, function in metrics.items()
    )
    return FileRows(
        open_row_files(table, what=what),
        list(dict.fromkeys(one for one in columns if one is not None)),
        [truth, *whole] if whole else [],
        own,
        constant=misled,
        n_threads=n_threads,
        progress=progress,
    )


def _check(metrics: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
    """Raise `DataError` for options that need all rows in memory, or are not columns of the files.

    `arguments` are those that name columns of labels.
    """
    for metric, function in metrics.items():
        base, part = split_name(metric)
        if function is not None:
            why = say("{metric} is a function of all rows", metric=metric)
        elif base == "auc" or (base == "spearman" and part == "pooled"):
            why = say("{metric} depends on the order of all rows", metric=metric)
        elif kind_named(base).classes:
            why = say("{metric} judges classes, which are determined from all rows", metric=metric)
        else:
            continue
        raise DataError(
            say(
                "{why}, so it cannot be computed from files in batches; pass the table itself "
                "(a data frame) instead of its path, or use metrics of numbers such as rmse and "
                "correlation",
                why=why,
            )
        )
    for name, value in arguments.items():
        if value is None and name == "cluster":
            raise DataError(
                say(
                    "{cluster=} must name a column of the files: with {value None} every row "
                    "would be a cluster, whose sums are as many as the rows"
                )
            )
        if value is not None and not isinstance(value, str):
            raise DataError(
                say("{@name=} must name a column of the files, not contain values", name=name)
            )
