"""Options that are not available if rows belong to two clusters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pyexpr.base.errors import DataError
from pyexpr.base.messages import say
from pyexpr.inference.comparison.metrics import split_name
from pyexpr.inference.comparison.quantities import ModelValues
from pyexpr.inference.memberships import refuse_options


def refuse_beside(
    options: dict[str, Any], metrics: Iterable[str], models: Sequence[ModelValues]
) -> None:
    """Raise `DataError` for options and metrics that need rows of one cluster each."""
    if options.pop("table") is not None:
        raise DataError(
            say(
                "files are read in batches only with one column in {cluster=}; read the table "
                "first, as with pandas.read_parquet(), to use two"
            )
        )
    own = [column.fold for model in models for column in model.columns if column.fold is not None]
    if own:
        options = {"fold": own[0], **options}
    refuse_options(options)
    for metric in metrics:
        if split_name(metric)[1] != "pooled":
            raise DataError(
                say(
                    "metric {metric!r} is within or between subjects, but with two columns in "
                    "{cluster=} a row belongs to two of them; use {base!r}",
                    metric=metric,
                    base=split_name(metric)[0],
                )
            )
