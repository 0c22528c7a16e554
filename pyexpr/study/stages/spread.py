"""Variation of a model's performance with its seed or folds, besides the sample."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pyexpr.base.errors import PyexprWarning
from pyexpr.base.pairs import KIND, LEVEL
from pyexpr.inference.comparison.comparison import compare_models
from pyexpr.inference.comparison.predictions import Predictions
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.stages.class_columns import class_options_of, predicted_class_columns
from pyexpr.study.stages.model_fits import repeat_columns
from pyexpr.study.tables.inputs import CLIP_KEY

if TYPE_CHECKING:
    import pandas as pd

#: The sources of variation between the columns of a model.
SEED, REPEAT = "seed", "repeat"


def spread(
    config: StudyConfig,
    name: str,
    each: pd.DataFrame,
    comparison: pd.DataFrame,
    compared: Mapping[str, pd.DataFrame],
    of: str,
) -> pd.DataFrame:
    """Return, per context and metric, the sampling interval and the spread over columns.

    The estimate and interval are those of the comparison; the spread is that of single seeds
    or repeats on the same rows: mean, standard deviation (divisor n - 1; NaN for one), lowest
    and highest. Columns with an undefined metric, such as the correlation of constant predictions,
    are counted and left out.

    Parameters
    ----------
    each : DataFrame
        Clip key, evaluated, and a column of predictions for each seed or repeat; for repeats also
        their folds.
    compared : mapping of str to DataFrame
        By context, the truth of the rows that all models were compared on.
    of : {"seed", "repeat"}

    Returns
    -------
    DataFrame
        model, context, metric, estimate, conf_low, conf_high, n_seeds, n_undefined, seed_mean,
        seed_sd, seed_low, seed_high; of repeats with that word in place of "seed".
    """
    import pandas as pd

    on = [*CLIP_KEY, "evaluated"]
    folds = repeat_columns("fold", config) if of == REPEAT else []
    columns = [column for column in map(str, each) if column not in {*on, *folds}]
    class_options: dict[str, Any] = {}
    if config.label.classified:
        columns = repeat_columns(name, config)
        every = pd.concat([rows["truth"] for rows in compared.values()])
        class_options = class_options_of(config, every)
    tables = []
    for evaluated, rows in compared.items():
        block = rows.merge(each, on=on, validate="one_to_one")
        if block.empty:
            continue
        models: dict[str, str | Predictions] = {column: column for column in columns}
        if folds:
            models = {
                column: Predictions(column, fold=fold)
                for column, fold in zip(columns, folds, strict=True)
            }
        if config.label.classified:
            models = {
                column: predicted_class_columns(
                    config, block, name, class_options["positive"], repeat
                )
                for repeat, column in enumerate(columns)
            }
        with warnings.catch_warnings():
            # The study's comparison already warns if there are few subjects.
            warnings.simplefilter("ignore", PyexprWarning)
            found = compare_models(
                block,
                truth="truth",
                predictions=models,
                cluster="subject",
                **config.compare.measured(),
                **class_options,
                n_boot=0,
                seed=config.seed,
            ).tidy()
        estimates = found[found[KIND] == LEVEL].groupby("metric", sort=False)["estimate"]
        columns_of = {
            f"n_{of}s": estimates.size(),
            "n_undefined": estimates.agg(_n_missing),
            f"{of}_mean": estimates.mean(),
            f"{of}_sd": estimates.std(),
            f"{of}_low": estimates.min(),
            f"{of}_high": estimates.max(),
        }
        table = pd.DataFrame(columns_of)
        tables.append(table.reset_index().assign(context=evaluated, model=name))
    keys = ["context", "metric"]
    levels = comparison[
        (comparison[KIND] == LEVEL)
        & (comparison["first_model"] == name)
        & (comparison["method"] == config.compare.methods[0])
    ][[*keys, "estimate", "conf_low", "conf_high"]]
    joined = pd.concat(tables, ignore_index=True).merge(levels, on=keys, validate="one_to_one")
    leading = ["model", *keys, "estimate", "conf_low", "conf_high", f"n_{of}s", "n_undefined"]
    return joined[[*leading, *(f"{of}_{part}" for part in ("mean", "sd", "low", "high"))]]


def _n_missing(values: pd.Series[float]) -> int:
    return int(values.isna().sum())
