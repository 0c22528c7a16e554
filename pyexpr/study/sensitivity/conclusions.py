"""The conclusions of a study: its estimates with intervals, and what each is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.base.messages import Template, joined, message_column
from pyexpr.base.metrics import KINDS
from pyexpr.base.pairs import DIFFERENCE, KIND
from pyexpr.words.labels import base_metric

if TYPE_CHECKING:
    import pandas as pd

    from pyexpr.study.file.config import StudyConfig

#: The tables of a study that hold conclusions, with the stage of each.
TABLES: Final = {
    "comparison": "comparison", "reliability": "reliability", "coefficients": "coefficients",
    "contrasts": "coefficients", "pooled_slopes": "pooled_coefficients",
}  # fmt: skip
#: What identifies a conclusion.
KEY: Final = ("quantity", "context", "metric", "term")
_NUMBERS: Final = ("null", "estimate", "conf_low", "conf_high", "p_value", "n", "n_clusters")
_ABSENT = Template("conclusion_absent", "the results of this specification have no such row")()
_NO_NULL = Template("no_null", "{metric:metric} has no null value")


def conclusions(
    config: StudyConfig, tables: Mapping[str, pd.DataFrame], ratings: pd.DataFrame
) -> pd.DataFrame:
    """Return a row per conclusion of a study.

    Returns
    -------
    DataFrame
        `KEY`, null (the value without an effect; NaN if there is none), estimate, conf_low,
        conf_high, p_value, n, n_clusters, reason.
    """
    import pandas as pd

    found = [
        made
        for name, make in (
            ("comparison", lambda table: _of_comparison(config, table)),
            ("reliability", lambda table: _of_reliability(table, ratings)),
            ("coefficients", _of_coefficients),
            ("contrasts", _of_contrasts),
            ("pooled_slopes", _of_pooled_slopes),
        )
        if name in tables
        for made in [make(tables[name])]
    ]
    whole = pd.concat(found, ignore_index=True)
    return whole[[*KEY, *_NUMBERS, "reason"]]


def _of_comparison(config: StudyConfig, table: pd.DataFrame) -> pd.DataFrame:
    own = table[table["method"] == config.compare.methods[0]].reset_index(drop=True)
    different = own[KIND] == DIFFERENCE
    null = [
        0.0 if difference else _null_of(metric)
        for metric, difference in zip(own["metric"], different, strict=True)
    ]
    return own.assign(quantity=np.where(different, "difference", "performance"), null=null)


def _null_of(metric: str) -> float:
    """Return the value of a metric without any relation, or by chance; NaN if there is none."""
    kind = KINDS[base_metric(metric)]
    if kind.chance is not None:
        return kind.chance
    return 0.0 if kind.tested else float("nan")


def _of_reliability(table: pd.DataFrame, ratings: pd.DataFrame) -> pd.DataFrame:
    """Take the interval that does not treat the clips of a subject as independent."""
    rated = ratings[ratings["score"].notna()]
    counts = rated.groupby(["context", "question"])["subject"].nunique()
    over_all = rated.groupby("question")["subject"].nunique()
    subjects = [
        int(over_all[question] if context == ALL else counts[context, question])
        for context, question in zip(table["context"], table["question"], strict=True)
    ]
    return table.assign(
        quantity="reliability",
        metric=table["form"],
        term=table["question"],
        null=0.0,
        conf_low=table["conf_low_subjects"],
        conf_high=table["conf_high_subjects"],
        # The interval from the F test treats clips as independent.
        p_value=np.nan,
        n=table["n_targets"],
        n_clusters=subjects,
    )


def _of_coefficients(table: pd.DataFrame) -> pd.DataFrame:
    return _of_slopes(table, "slope", table["tested_estimate"])


def _of_contrasts(table: pd.DataFrame) -> pd.DataFrame:
    found = _of_slopes(table, "difference of slopes", table["estimate"])
    return found.assign(n=np.nan, n_clusters=np.nan)


def _of_pooled_slopes(table: pd.DataFrame) -> pd.DataFrame:
    return _of_slopes(table, "pooled slope", table["estimate"])


def _of_slopes(table: pd.DataFrame, quantity: str, estimate: pd.Series[Any]) -> pd.DataFrame:
    p = table["p_adjusted"] if "p_adjusted" in table else table["p_value"]
    return table.assign(
        quantity=quantity,
        metric="slope",
        term=table["feature"],
        null=0.0,
        estimate=estimate,
        p_value=p,
    )


def aligned(found: pd.DataFrame | None, base: pd.DataFrame, failed: str) -> pd.DataFrame:
    """Return the rows of a specification in the order of the base, with a reason if absent."""
    import pandas as pd

    keys = list(KEY)
    if found is None:
        empty = base[[*keys, "null"]].assign(
            **dict.fromkeys(("estimate", "conf_low", "conf_high", "p_value"), np.nan),
            n=np.nan,
            n_clusters=np.nan,
        )
        return empty.assign(reason=message_column([failed] * len(base), empty.index))
    rows = found.set_index(keys)
    wanted = pd.MultiIndex.from_frame(base[keys])
    there = wanted.isin(rows.index)
    taken = rows.reindex(wanted)
    reasons = [
        reason if present else _ABSENT
        for reason, present in zip(taken["reason"], there, strict=True)
    ]
    taken = taken.reset_index().assign(null=base["null"].to_numpy())
    return taken.assign(reason=message_column(reasons, taken.index))[[*keys, *_NUMBERS, "reason"]]


def compared(table: pd.DataFrame, base: pd.DataFrame) -> pd.DataFrame:
    """Add whether a specification agrees with the base: in sign, and in excluding the null.

    Missing values of the added columns have their reason in the column of that name.
    """
    import pandas as pd

    side, of_base = _side(table), _side(base)
    out, base_out = _excludes(table), _excludes(base)
    same_sign = (side == of_base).where(side.notna() & of_base.notna())
    same = (out == base_out).where(out.notna() & base_out.notna())
    without = table["null"].isna()
    reasons = [
        joined([reason, _NO_NULL(metric=metric)]) if none else reason
        for reason, metric, none in zip(table["reason"], table["metric"], without, strict=True)
    ]
    found = table.assign(
        excludes_null=out.astype("boolean"),
        same_sign=same_sign.astype("boolean"),
        same_significance=same.astype("boolean"),
        n=table["n"].astype("Int64"),
        n_clusters=table["n_clusters"].astype("Int64"),
        reason=message_column(reasons, pd.RangeIndex(len(table))),
    )
    return found[[*KEY, *_NUMBERS, "excludes_null", "same_sign", "same_significance", "reason"]]


def _side(table: pd.DataFrame) -> pd.Series[Any]:
    away = table["estimate"] - table["null"]
    return (away > 0).astype("float64").where(away >= 0, -1.0).where(away.notna())


def _excludes(table: pd.DataFrame) -> pd.Series[Any]:
    known = table[["null", "conf_low", "conf_high"]].notna().all(axis=1)
    out = (table["conf_low"] > table["null"]) | (table["conf_high"] < table["null"])
    return out.astype("boolean").where(known)
