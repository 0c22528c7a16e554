"""Deviations of a clip's features from the person's own baseline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError, listed, near_names
from pyexpr.base.messages import Template, codes_of, joined, message_column, parts_of, say
from pyexpr.behavior.features.options import deviation_name

if TYPE_CHECKING:
    import pandas as pd

#: Clips of the subject behind the baseline.
COUNT = "n_baseline_clips"

_NO_CLIP = Template(
    "no_baseline_clip", "baseline: the subject has no clip with features in {context:label}"
)
_NO_VALUE = Template("no_baseline_value", "baseline: no clip of the subject's has {names}")


def check_baseline(baseline: str | None, contexts: Iterable[Any]) -> None:
    """Raise `DataError` if no recording is of the context that is the baseline."""
    known = [*dict.fromkeys(str(context) for context in contexts)]
    if baseline is not None and str(baseline) not in (ALL, *known):
        raise DataError(
            say(
                "{baseline=@given} is no context of the recordings ('all' takes all clips of a "
                "person); {hint}",
                given=baseline,
                hint=near_names(str(baseline), known),
            )
        )


def with_deviations(table: pd.DataFrame, features: Sequence[str], baseline: str) -> pd.DataFrame:
    """Add to clips how far each feature is from its mean over the subject's baseline clips.

    Parameters
    ----------
    table : DataFrame
        A row per clip: subject, context, the features, reason.
    features : sequence of str
    baseline : str
        The context whose clips are the baseline, or "all" for all clips of the subject. A
        clip of the baseline is part of it.

    Returns
    -------
    DataFrame
        With ``<feature>_deviation``, the feature less that mean, in its unit; and
        n_baseline_clips. Where the subject has no baseline of a feature, the deviation is
        NaN and `reason` says so.
    """
    import pandas as pd

    features = [*features]
    values = table[features].astype(np.float64)
    of_baseline = values.notna().any(axis=1)
    if str(baseline) != ALL:
        of_baseline &= table["context"].astype("str") == str(baseline)
    subject = table["subject"]
    means = values[of_baseline].groupby(subject[of_baseline], sort=False).mean()
    own = means.reindex(subject).set_axis(table.index)
    counts = of_baseline.groupby(subject).transform("sum").astype(np.int64)
    deviations = (values - own).set_axis([deviation_name(name) for name in features], axis=1)
    missing = values.notna().to_numpy() & own.isna().to_numpy()
    reasons = [
        joined([*parts_of(reason), *_reasons(count, row, features, baseline)])
        for reason, count, row in zip(table["reason"], counts, missing, strict=True)
    ]
    return pd.concat([table, deviations], axis=1).assign(
        **{COUNT: counts, "reason": message_column(reasons, table.index)}
    )


def without_deviations(table: pd.DataFrame, features: Sequence[str]) -> pd.DataFrame:
    """Return clips as they were before `with_deviations`, for deviations of more clips."""
    own = frozenset({_NO_CLIP.code, _NO_VALUE.code})
    reasons = [
        joined(part for part in parts_of(reason) if codes_of(part).isdisjoint(own))
        for reason in table["reason"]
    ]
    added = [COUNT, *(deviation_name(name) for name in features)]
    return table.drop(columns=added).assign(reason=message_column(reasons, table.index))


def _reasons(count: int, missing: Any, features: list[str], baseline: str) -> list[str]:
    """Return why deviations of a clip that has the features are missing."""
    if not missing.any():
        return []
    if count == 0:
        return [_NO_CLIP(context=str(baseline))]
    return [_NO_VALUE(names=listed(np.array(features)[missing]))]
