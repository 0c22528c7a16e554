"""Facts from the record and the tables of a study that the sentences of a report use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from pyexpr.base.contexts import ALL
from pyexpr.base.pairs import KIND, LEVEL
from pyexpr.words.frames import in_order
from pyexpr.words.labels import BASELINES, HUMAN, label_in_sentence, names_with

#: As in ``record.json``.
Record = Mapping[str, Any]
#: A study's tables of numbers, by name.
Tables = Mapping[str, pd.DataFrame]


def contexts_of(tables: Tables) -> list[str]:
    """Return the contexts of a study in their order, without "all"."""
    return in_order(tables["scores"]["context"])


def context_names(tables: Tables) -> dict[str, str]:
    """Return the names of contexts shown in tables and figures, by their labels."""
    return names_with([*contexts_of(tables), ALL])


def fitted_models(tables: Tables) -> list[str]:
    """Return the fitted models, without baselines and raters."""
    table = tables["comparison"]
    models = table.loc[table[KIND] == LEVEL, "first_model"].astype(str).unique()
    return [model for model in models if model not in (*BASELINES, *HUMAN)]


def highest_correlations(tables: Tables) -> pd.DataFrame | None:
    """Return the highest correlation that the ratings allow, one row per context, if computed."""
    table = tables.get("ceiling")
    return None if table is None else table[table["metric"] == "ceiling"].reset_index(drop=True)


def unit_of(record: Record) -> str:
    """Return what a row of the study is called, in the singular."""
    return str(record["options"]["unit"])


def crossed(record: Record) -> bool:
    """Whether the models were evaluated by cross-validation."""
    return bool(record["options"]["evaluation"]["scheme"] == "cross_validation")


def classified(record: Record) -> bool:
    """Whether the models predict a class."""
    return bool(record["options"]["label"]["kind"] == "classification")


def evaluated_subjects(record: Record) -> int:
    """Return the number of subjects on which the models were evaluated."""
    counts = record["stages"]["models"]["subjects"]
    return int(counts["all" if crossed(record) else "test"])


def predicted_outcome(record: Record) -> str:
    """Return what the models predict, as the object of "predicted" in a sentence.

    The package's own words have an article. A label of the user is unchanged, because it is not
    known whether "joy", "the amount of smiling" or "q1" takes an article.
    """
    options = record["options"]
    own_words = not isinstance(options["outcome"], str) and options["label"]["method"] in (
        "factor",
        "mean",
    )
    return f"the {outcome_of(record)}" if own_words else outcome_of(record)


def outcome_of(record: Record) -> str:
    """Return what the models predict, in words."""
    options = record["options"]
    if isinstance(options["outcome"], str):
        return str(options["outcome"])
    label = options["label"]
    if label["method"] == "factor":
        return f"factor score of {label_in_sentence(options['factor_model']['factor'])}"
    if label["method"] == "mean":
        return "mean rating"
    return label_in_sentence((label["question"] or label["column"])[0])


def invariance_tested(tables: Tables) -> bool:
    """Whether a test of invariance over contexts could be computed."""
    return "invariance" in tables and bool(tables["invariance"]["p_value"].notna().any())
