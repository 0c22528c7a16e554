"""Tables of deep models: predictions, learning curves, and variation over seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pyexpr.study.file.config import StudyConfig
from pyexpr.study.kept.store import StageOutput
from pyexpr.study.stages.spread import SEED, spread
from pyexpr.study.tables.inputs import CLIP_KEY

if TYPE_CHECKING:
    import pandas as pd


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
    spreads = [
        spread(config, name, _seeds(name, output), comparison, compared, SEED)
        for name, output in deep.items()
    ]
    leading = ["model", "context", "seed", "epoch"]
    joined = pd.concat(curves, ignore_index=True)
    return {
        "learning_curves": joined[[*leading, *[c for c in joined if c not in leading]]],
        "seed_spread": pd.concat(spreads, ignore_index=True),
    }


def _seeds(name: str, output: StageOutput) -> pd.DataFrame:
    """Return the predictions of single trainings, one column for each."""
    own = output.tables[f"{name}_predictions"]
    seeds = [column for column in map(str, own) if column.startswith(f"{name}_seed")]
    return own[[*CLIP_KEY, "evaluated", *seeds]]
