"""The table of features of a study from another program, one row per clip."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyexpr.base.contents import KnownFile
from pyexpr.base.contexts import ALL
from pyexpr.base.csv_file import Spelling, checked_spellings
from pyexpr.base.errors import ColumnError, DataError, StudyError, counted, have, listed, near_names
from pyexpr.base.tables import label_codes, numeric_column, require_columns
from pyexpr.inference.comparison.classes import class_column, holds_classes
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.file.data_sections import CLIP_COLUMNS, TAKEN
from pyexpr.study.tables.any_table import read_table
from pyexpr.study.tables.classes import as_classes
from pyexpr.study.tables.ratings import ONE_CONTEXT

if TYPE_CHECKING:
    import pandas as pd

CLIP_KEY = list(CLIP_COLUMNS)
_REMEDY = "correct it, or leave out the column (leave_out under [features])"
# What stands beside the features of a clip, where models are fitted.
_OF_THE_STUDY = ("score", "score_pooled", "score_reason", "reason", "part")


@dataclass(frozen=True, slots=True)
class FeaturesTable:
    """A checked table of features.

    Attributes
    ----------
    table : DataFrame
        subject, context, clip (text); the features and labels (float, NaN where missing, or
        classes as text); the covariates, numbers or text.
    features, covariates, labels : tuple of str
        The names of its columns.
    ignored : tuple of str
        Columns of text, which are no features.
    file : KnownFile
    notes : tuple of str
        What was read as missing among classes.
    """

    table: pd.DataFrame
    features: tuple[str, ...]
    covariates: tuple[str, ...]
    labels: tuple[str, ...]
    ignored: tuple[str, ...]
    file: KnownFile
    notes: tuple[str, ...] = ()


def read_features(config: StudyConfig, folder: Path) -> FeaturesTable:
    """Read the table of features that a study file names."""
    what = f"the features ({config.data.features})"
    names = {name: config.data.clip_columns.get(name, name) for name in CLIP_COLUMNS}
    if not config.data.contexts:
        del names["context"]
    spelled: dict[str, tuple[Spelling, ...]] = {}
    path = folder / str(config.data.features)
    table, file = read_table(path, list(names.values()), what, spelled)
    require_columns(table, names.values(), what=what)
    if not len(table):
        raise StudyError(f"{have(what)} no rows")
    key = table[list(names.values())].set_axis(list(names), axis=1)
    for ours, name in names.items():
        label_codes(key[ours], name=name, what=what)
    if not config.data.contexts:
        key.insert(1, "context", ONE_CONTEXT)
    if (key["context"] == ALL).any():
        raise StudyError(f"{what}: {TAKEN}")
    _refuse_doubled(key, what)
    labels, own = config.label.column, config.quality_covariates
    doubled = [name for name in own if name in table]
    if doubled:
        raise StudyError(
            f"{what}: adjust_for under [features] names {doubled[0]!r}, which the recordings tell; "
            "rename the column of the table, or delete it"
        )
    covariates = tuple(name for name in config.features.adjust_for if name not in own)
    features, ignored = _chosen(config, table, {*names.values()}, what)
    columns: dict[str, Any] = {name: _feature(config, table, name, what) for name in features}
    categories = (*(labels if config.label.classified else ()), *covariates)
    notes = checked_spellings(categories, spelled, what=what)
    columns |= {name: _label(config, table, name, what) for name in labels}
    columns |= {name: _covariate(table, name, what) for name in covariates}
    computed = config.features.computed()
    for name in features:
        if name in (*CLIP_COLUMNS, *computed) and (name in CLIP_COLUMNS or config.data.recordings):
            raise StudyError(
                f"{what}: a feature cannot be called {name!r}, as a column of the study is; "
                "rename it"
            )
    for name in (*features, *covariates):
        if name in _OF_THE_STUDY and _enters(config, name):
            raise StudyError(
                f"{what}: what enters the models cannot be called {name!r}, as a column of the "
                "study is; rename it"
            )
    return FeaturesTable(
        key.assign(**columns), features, covariates, labels, ignored, file, tuple(notes)
    )


def _enters(config: StudyConfig, name: str) -> bool:
    options = config.features
    requested = (options.use is None or name in options.use) and name not in options.leave_out
    return requested or name in options.adjust_for


def _refuse_doubled(key: pd.DataFrame, what: str) -> None:
    doubled = key[key.duplicated()]
    if len(doubled):
        rows = [" / ".join(row) for row in doubled[CLIP_KEY].itertuples(index=False)]
        raise StudyError(
            f"{what}: {counted(len(doubled), 'clip', 'has', 'have')} more than one row, first "
            f"subject / context / clip {listed(rows, most=3)}; keep one of each"
        )


def _chosen(
    config: StudyConfig, table: pd.DataFrame, keys: set[str], what: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns that are features, and those of text that cannot be."""
    import pandas as pd

    taken = {*config.label.column, *config.features.adjust_for}
    wanted = config.data.feature_columns
    if wanted is not None:
        leaks = [name for name in wanted if name in config.label.column]
        if leaks:
            raise StudyError(
                f"{what}: column {leaks[0]!r} is the label, but feature_columns under [data] "
                "contains it; the label cannot be a feature"
            )
        both = [name for name in wanted if name in keys or name in taken]
        if both:
            raise StudyError(
                f"{what}: column {both[0]!r} cannot be a feature, because the study file uses "
                "it for another purpose"
            )
        for name in wanted:
            if name not in table:
                raise StudyError(f"{have(what)} no column {name!r}; {near_names(name, table)}")
        return wanted, ()
    # A column without a name is that of the row names which R and pandas write.
    others = [name for name in map(str, table) if name and name not in keys | taken]
    numbers = [
        name for name in others
        if pd.api.types.is_numeric_dtype(table[name]) or pd.api.types.is_bool_dtype(table[name])
    ]  # fmt: skip
    for name in numbers:
        if config.label.is_rated and name in _questions_meant(config):
            raise StudyError(
                f"{what}: column {name!r} has the name of the question that is the label; if it "
                "holds ratings, it must not be among the features (leave_out under [features]); "
                "if it does not, rename it"
            )
    ignored = tuple(name for name in others if name not in numbers)
    use = config.features.use
    for name in ignored:
        if name not in config.features.leave_out and (use is None or name in use):
            _refuse_text_among_numbers(table, name, what)
    if not numbers and config.data.recordings is None:
        raise StudyError(f"{have(what)} no numeric column")
    return tuple(numbers), ignored


def _feature(config: StudyConfig, table: pd.DataFrame, name: str, what: str) -> Any:
    """Return a feature; one that enters no model as it stands, if it is of numbers."""
    import pandas as pd

    if not _enters(config, name) and pd.api.types.is_numeric_dtype(table[name]):
        return table[name].astype("float64")
    try:
        return numeric_column(table, name, what=what)
    except ColumnError as error:
        raise ColumnError(f"{error}; {_REMEDY}") from None


def _refuse_text_among_numbers(table: pd.DataFrame, name: str, what: str) -> None:
    """Raise `StudyError` for a column of numbers with text among them: it would go unnoticed."""
    import pandas as pd

    if pd.to_numeric(table[name], errors="coerce").isna().all():
        return
    try:
        numeric_column(table, name, what=what)
    except DataError as error:
        raise StudyError(f"{error}; {_REMEDY}") from None


def _questions_meant(config: StudyConfig) -> set[str]:
    """Return the questions behind the label that are no feature by the study file."""
    return {*config.label.question, *(config.ratings.questions or ())} - {
        *config.features.leave_out
    }


def _label(config: StudyConfig, table: pd.DataFrame, name: str, what: str) -> Any:
    """Return a label of numbers, or of classes as text."""
    if not config.label.classified:
        require_columns(table, [name], what=what)
        if holds_classes(table[name]) and config.label.kind is None:
            raise StudyError(
                f"{what}: column {name!r} contains text or truth values, which are classes: set "
                'kind = "classification" under [label], or name a numeric column'
            )
        return numeric_column(table, name, what=what)
    classes, codes = class_column(
        table, name, what=what, otherwise='set kind = "regression" under [label] for numbers'
    )
    found = as_classes(None if code < 0 else classes[code] for code in codes.tolist())
    return found.set_axis(table.index)


def _covariate(table: pd.DataFrame, name: str, what: str) -> Any:
    import pandas as pd

    if name not in table:
        raise StudyError(f"{have(what)} no column {name!r}; {near_names(name, table)}")
    column = table[name]
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return numeric_column(table, name, what=what)
    return column.astype("str").where(column.notna())
