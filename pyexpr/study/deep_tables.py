"""Deep models beside the others: their predictions, learning curves, and spread over seeds."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pyexpr.base.errors import PyexprWarning
from pyexpr.base.pairs import KIND, LEVEL
from pyexpr.inference.comparison.comparison import compare_models
from pyexpr.study.config import StudyConfig
from pyexpr.study.inputs import CLIP_KEY
from pyexpr.study.store import StageOutput

if TYPE_CHECKING:
    import pandas as pd

SPREAD_COLUMNS = (
    "model", "context", "metric", "estimate", "conf_low", "conf_high",
    "n_seeds", "n_undefined", "seed_mean", "seed_sd", "seed_low", "seed_high",
)  # fmt: skip


def joined_predictions(fitted: StageOutput, deep: Mapping[str, StageOutput]) -> pd.DataFrame:
    """Return the predictions of all models, the deep ones after the elastic net."""
    table = fitted.tables["own_predictions"]
    on = [*CLIP_KEY, "evaluated"]
    for name, output in deep.items():
        own = output.tables[f"{name}_predictions"][[*on, name]]
        table = table.merge(own, on=on, how="left", validate="one_to_one")
    leading = [*on, "truth", *fitted.facts["models"], *deep]
    return table[[*leading, *[name for name in table if name not in leading]]]


def deep_tables(
    config: StudyConfig,
    comparison: pd.DataFrame,
    compared: Mapping[str, pd.DataFrame],
    deep: Mapping[str, StageOutput],
) -> dict[str, pd.DataFrame]:
    """Return the learning curves of all deep models, and their spread over seeds.

    `compared` has, by context, the truth of the rows that all models were compared on.
    """
    import pandas as pd

    curves = [output.tables[f"{name}_curves"].assign(model=name) for name, output in deep.items()]
    spreads = [_spread(config, name, comparison, compared, output) for name, output in deep.items()]
    leading = ["model", "context", "seed", "epoch"]
    joined = pd.concat(curves, ignore_index=True)
    return {
        "learning_curves": joined[[*leading, *[c for c in joined if c not in leading]]],
        "seed_spread": pd.concat(spreads, ignore_index=True),
    }


def _spread(
    config: StudyConfig,
    name: str,
    comparison: pd.DataFrame,
    compared: Mapping[str, pd.DataFrame],
    output: StageOutput,
) -> pd.DataFrame:
    """Return, per context and metric, the sampling interval and the spread over seeds.

    The estimate is that of the mean of the seeds' predictions, which is the model; the
    spread is that of single seeds on the same rows: mean, standard deviation (divisor n - 1;
    NaN for one seed), lowest and highest. Seeds whose metric is undefined, as the correlation
    of constant predictions is, are counted and left out of them.
    """
    import pandas as pd

    on = [*CLIP_KEY, "evaluated"]
    own = output.tables[f"{name}_predictions"]
    seeds = [column for column in map(str, own) if column.startswith(f"{name}_seed")]
    tables = []
    for evaluated, rows in compared.items():
        block = rows.merge(own, on=on, validate="one_to_one")
        if block.empty:
            continue
        with warnings.catch_warnings():
            # The study's comparison says how few subjects there are, once.
            warnings.simplefilter("ignore", PyexprWarning)
            found = compare_models(
                block,
                truth="truth",
                predictions=seeds,
                cluster="subject",
                **config.compare.measured(),
                n_boot=0,
                seed=config.seed,
            ).tidy()
        each = found[found[KIND] == LEVEL].groupby("metric", sort=False)["estimate"]
        spread = each.agg(
            n_seeds="size", n_undefined=_n_missing, seed_mean="mean", seed_sd="std",
            seed_low="min", seed_high="max",
        )  # fmt: skip
        tables.append(spread.reset_index().assign(context=evaluated, model=name))
    keys = ["context", "metric"]
    levels = comparison[
        (comparison[KIND] == LEVEL)
        & (comparison["first_model"] == name)
        & (comparison["method"] == config.compare.methods[0])
    ][[*keys, "estimate", "conf_low", "conf_high"]]
    joined = pd.concat(tables, ignore_index=True).merge(levels, on=keys, validate="one_to_one")
    return joined[list(SPREAD_COLUMNS)]


def _n_missing(values: pd.Series[float]) -> int:
    return int(values.isna().sum())
