"""The features of a study that enter its models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pyexpr.base.errors import StudyError, listed, near_names
from pyexpr.base.messages import Template, joined, message_column
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.kept.store import StageOutput
from pyexpr.study.tables.features import CLIP_KEY, FeaturesTable

if TYPE_CHECKING:
    import pandas as pd

#: Why a clip of a recording has no features of the table.
NOT_IN_TABLE = Template("not_in_features", "not in the table of features")()
_UNMEASURED = Template(
    "recorded_not_in_features",
    "{n:count clip} of the recordings {verb} not in the table of features",
)
_ABSENT = Template(
    "absent_features", "no clip has {names}, which therefore cannot enter the models"
)


def with_table(found: StageOutput, measured: FeaturesTable) -> StageOutput:
    """Join the features of the table to those of the recordings' clips."""
    own = measured.table[[*CLIP_KEY, *measured.features, *measured.covariates]]
    table = found.tables["features"].merge(
        own, on=CLIP_KEY, how="left", validate="one_to_one", indicator=True
    )
    absent = table["_merge"] == "left_only"
    table["reason"] = message_column(
        (
            joined([reason, NOT_IN_TABLE]) if missing else reason
            for reason, missing in zip(table["reason"], absent, strict=True)
        ),
        table.index,
    )
    bare = table[list(measured.features)].isna().any(axis=1) & ~absent
    notes = list(found.facts["notes"])
    if absent.any():
        n = int(absent.sum())
        notes.append(_UNMEASURED(n=n, verb="is" if n == 1 else "are"))
    return StageOutput(
        found.tables | {"features": table.drop(columns="_merge")},
        found.facts
        | {
            "clips without features": int(((table["reason"] != "") | bare).sum()),
            "notes": notes,
        },
    )


def with_quality(config: StudyConfig, found: StageOutput) -> StageOutput:
    """Join what the study adjusts for of the tracking quality of clips to their features."""
    names = list(config.quality_covariates)
    if not names:
        return found
    quality = found.tables["quality"][[*CLIP_KEY, *names]]
    table = found.tables["features"].merge(quality, on=CLIP_KEY, how="left", validate="one_to_one")
    reasons = message_column(found.tables["features"]["reason"], table.index)
    return StageOutput(found.tables | {"features": table.assign(reason=reasons)}, found.facts)


def check_choice(config: StudyConfig, known: Iterable[str], text: Iterable[str] = ()) -> None:
    """Raise `StudyError` if the study file names a feature that does not exist.

    Columns of `text` are no features, but may be named among those left out.
    """
    names = list(known)
    for entry in ("use", "leave_out"):
        for name in getattr(config.features, entry) or ():
            if name not in names and not (entry == "leave_out" and name in set(text)):
                raise StudyError(
                    f"{entry} under [features] names {name!r}, but there is no such feature; "
                    f"{near_names(name, names)}"
                )
    if not wanted(config, names):
        raise StudyError("leave_out under [features] leaves no feature")


def wanted(config: StudyConfig, known: Iterable[str]) -> tuple[str, ...]:
    """Return the features that the study file requests, in their order."""
    use, leave_out = config.features.use, config.features.leave_out
    return tuple(name for name in known if (use is None or name in use) and name not in leave_out)


def chosen(config: StudyConfig, found: StageOutput, computed: tuple[str, ...]) -> StageOutput:
    """Add to the facts which features enter the models, and which no clip has.

    A feature that no clip has is left out, unless the study file asks for it by name.
    """
    table = found.tables["features"]
    requested = wanted(config, computed)
    absent = [] if config.features.use is not None else _absent(table, requested)
    notes = list(found.facts["notes"])
    if absent:
        notes.append(_ABSENT(names=listed(absent)))
    return StageOutput(
        found.tables,
        found.facts
        | {
            "features": [name for name in requested if name not in absent],
            "absent features": absent,
            "from the table": [
                name for name in requested if name not in config.features.computed()
            ],
            "covariates": list(config.features.adjust_for),
            "notes": notes,
        },
    )


def _absent(table: pd.DataFrame, names: tuple[str, ...]) -> list[str]:
    """Return the features that no clip has, where clips have others."""
    empty = [name for name in names if table[name].isna().all()]
    # Without any feature at all the clips are what is wrong, and their reasons say why.
    return empty if len(empty) < len(names) else []
