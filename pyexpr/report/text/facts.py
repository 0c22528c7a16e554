"""What sentences of a report ask of a study's record and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from pyexpr.base.contexts import ALL
from pyexpr.base.pairs import KIND, LEVEL
from pyexpr.words.frames import in_order
from pyexpr.words.labels import BASELINES, HUMAN, names_with

#: As in ``record.json``.
Record = Mapping[str, Any]
#: A study's tables of numbers, by name.
Tables = Mapping[str, pd.DataFrame]


def contexts_of(tables: Tables) -> list[str]:
    """Return the contexts of a study in their order, without "all"."""
    return [label for label in in_order(tables["reliability"]["context"]) if label != ALL]


def context_names(tables: Tables) -> dict[str, str]:
    """Return the contexts' names as tables and figures show them, by their labels."""
    return names_with(tables["reliability"]["context"].unique())


def fitted_models(tables: Tables) -> list[str]:
    """Return the models that learn, without baselines and raters."""
    table = tables["comparison"]
    models = table.loc[table[KIND] == LEVEL, "first_model"].astype(str).unique()
    return [model for model in models if model not in (*BASELINES, *HUMAN)]


def invariance_tested(tables: Tables) -> bool:
    """Whether a test of invariance over contexts could be computed."""
    return "invariance" in tables and bool(tables["invariance"]["p_value"].notna().any())
