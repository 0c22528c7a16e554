"""What a model owes to its seed, beside what it owes to the sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.report.tables.display import DisplayTable
from pyexpr.words.frames import checked, in_order, records, some_of
from pyexpr.words.labels import (
    count,
    display_names,
    interval,
    label_names,
    number,
    percent,
)

if TYPE_CHECKING:
    import pandas as pd

Names = Mapping[str, str] | None


def seeds_table(
    frame: pd.DataFrame,
    *,
    digits: int = 3,
    confidence: float = 0.95,
    names: Names = None,
    title: str = "Spread Over Seeds Beside the Sampling Interval.",
) -> DisplayTable:
    """Lay out the spread of single trainings beside the interval of their mean prediction.

    Parameters
    ----------
    frame : DataFrame
        Columns model, context, metric, estimate, conf_low, conf_high, n_seeds,
        seed_mean, seed_sd, seed_low, seed_high; n_undefined, if there, of the seeds.
    digits, confidence, names, title
        As in `reliability_table`.

    Returns
    -------
    DisplayTable
        A row per model, metric and context. A spread of one seed is an em dash.

    Examples
    --------
    >>> import pandas as pd
    >>> spread = pd.DataFrame([("lstm", "all", "correlation", .5, .3, .7, 3, .48, .02, .46, .5)],
    ...     columns=["model", "context", "metric", "estimate", "conf_low", "conf_high",
    ...              "n_seeds", "seed_mean", "seed_sd", "seed_low", "seed_high"])
    >>> seeds_table(spread).rows[0][3:]
    ('.500', '[.300, .700]', '3', '.480', '.020', '[.460, .500]')
    """
    keys = ("model", "context", "metric")
    data = checked(
        frame,
        what="the table of seeds",
        keys=keys,
        numbers=(
            "estimate", "conf_low", "conf_high",
            "n_seeds", "seed_mean", "seed_sd", "seed_low", "seed_high",
        ),
        optional=("n_undefined",),
    )  # fmt: skip
    contexts = label_names(in_order(data["context"]), names)
    metrics = display_names(data["metric"].unique(), names)
    models = display_names(data["model"].unique(), names)
    found = {(row.model, row.metric, row.context): row for row in records(data)}
    rows = [
        (
            models[model],
            metrics[metric],
            contexts[context],
            number(row.estimate, digits, of=metric),
            interval(row.conf_low, row.conf_high, digits, of=metric),
            count(row.n_seeds - np.nan_to_num(row.n_undefined)),
            number(row.seed_mean, digits, of=metric),
            number(row.seed_sd, digits, of=metric),
            interval(row.seed_low, row.seed_high, digits, of=metric),
        )
        for model in models
        for metric in metrics
        for context in contexts
        if (row := found.get((model, metric, context))) is not None
    ]
    return DisplayTable(
        title=title,
        columns=(
            "Model", "Metric", "Context", "Estimate", f"{percent(confidence)} CI",
            "Seeds", "Mean of seeds", "SD of seeds", "Range of seeds",
        ),
        rows=tuple(rows),
        notes=(
            "Estimate and interval are of the mean of the seeds' predictions; mean, SD and range "
            "are of single trainings on the same data.",
            *_undefined(data, metrics, contexts),
        ),
        text_columns=3,
    )  # fmt: skip


def _undefined(
    data: pd.DataFrame, metrics: Mapping[str, str], contexts: Mapping[str, str]
) -> tuple[str, ...]:
    """Say where the metric of some seeds does not exist, and what is then left out."""
    where = [
        f"{int(row.n_undefined)} of {metrics[row.metric]} in {contexts[row.context]}"
        for row in records(data)
        if row.n_undefined > 0
    ]
    if not where:
        return ()
    return (f"Seeds whose metric is undefined are left out: {some_of(where)}.",)
