"""The variation of results over seeds or folds, beside the sampling interval."""

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

_NOTES = {
    "seed": "The estimate and its interval refer to the mean prediction over seeds. Mean, SD and "
    "range refer to single training runs on the same data.",
    "repeat": "The estimate is the mean over repeats. SD and range refer to repeats of the "
    "cross-validation that differ only in their folds.",
}


def seeds_table(
    frame: pd.DataFrame,
    *,
    digits: int = 3,
    confidence: float = 0.95,
    names: Names = None,
    title: str | None = None,
    of: str = "seed",
) -> DisplayTable:
    """Lay out the spread of single trainings or repeats beside the sampling interval.

    Parameters
    ----------
    frame : DataFrame
        Columns model, context, metric, estimate, conf_low, conf_high, n_seeds,
        seed_mean, seed_sd, seed_low, seed_high; and optionally n_undefined, the number of seeds
        without a value.
    digits, confidence, names, title
        As in `reliability_table`.
    of : {"seed", "repeat"}
        What varies. For repeats, names of columns have "repeat" in place of "seed".

    Returns
    -------
    DisplayTable
        A row per model, metric and context. The spread of a single seed is an em dash.

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
        what=f"the table of {of}s",
        keys=keys,
        numbers=(
            "estimate", "conf_low", "conf_high",
            f"n_{of}s", *(f"{of}_{part}" for part in ("mean", "sd", "low", "high")),
        ),
        optional=("n_undefined",),
    )  # fmt: skip
    data = data.rename(columns=lambda name: name.replace(of, "one"))
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
            count(row.n_ones - np.nan_to_num(row.n_undefined)),
            number(row.one_mean, digits, of=metric),
            number(row.one_sd, digits, of=metric),
            interval(row.one_low, row.one_high, digits, of=metric),
        )
        for model in models
        for metric in metrics
        for context in contexts
        if (row := found.get((model, metric, context))) is not None
    ]
    return DisplayTable(
        title=title or f"Spread Over {of.title()}s Beside the Sampling Interval.",
        columns=(
            "Model", "Metric", "Context", "Estimate", f"{percent(confidence)} CI",
            f"{of.title()}s", f"Mean of {of}s", f"SD of {of}s", f"Range of {of}s",
        ),
        rows=tuple(rows),
        notes=(
            _NOTES[of],
            *_undefined(data, metrics, contexts, of),
        ),
        text_columns=3,
    )  # fmt: skip


def _undefined(
    data: pd.DataFrame, metrics: Mapping[str, str], contexts: Mapping[str, str], of: str
) -> tuple[str, ...]:
    """Return a note on metrics that are undefined for some seeds, which are then left out."""
    where = [
        f"{int(row.n_undefined)} of {metrics[row.metric]} in {contexts[row.context]}"
        for row in records(data)
        if row.n_undefined > 0
    ]
    if not where:
        return ()
    return (f"{of.title()}s with an undefined metric are excluded: {some_of(where)}.",)
