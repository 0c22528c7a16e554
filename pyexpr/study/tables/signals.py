"""The signals of expression in a study's recordings, if its file names none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pyexpr.base.errors import DataError, PyexprError, StudyError
from pyexpr.base.messages import message_of, say
from pyexpr.behavior.features.expressions import expressions_resolved
from pyexpr.behavior.features.mixed import common_units
from pyexpr.behavior.features.options import EXPRESSION_FAMILIES, FeatureOptions
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.tables.kind import with_kind
from pyexpr.study.tables.recordings import read_recordings


def with_entries_from_tables(raw: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the entries of a study file, completed from its tables and recordings."""
    return with_signals(with_kind(raw, folder), folder)


def with_signals(raw: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the entries of a study file with the names of its signals of expression.

    They are features, whose names must be known before any are computed. Files that cannot be read
    are skipped, and the run reports what is wrong with them.

    Raises
    ------
    StudyError
        If the file names a signal that no recording has, or there are none.
    """
    section = raw.get("features")
    requested = section.get("extra") if isinstance(section, Mapping) else None
    families = [requested] if isinstance(requested, str) else requested
    if not isinstance(families, list) or not set(EXPRESSION_FAMILIES) & {*map(str, families)}:
        return raw
    try:
        config = StudyConfig.model_validate(raw)
        table, _ = read_recordings(config, folder)
    except (ValidationError, PyexprError, OSError):
        return raw
    layouts = table["layout"] if "layout" in table else [None] * len(table)
    files = [(path, layout or None) for path, layout in zip(table["path"], layouts, strict=True)]
    own = config.features
    common = common_units(files) if own.on_mixed == "common" else {}
    options = FeatureOptions(
        extra=own.extra, action_units=own.action_units, expressions=own.expressions
    )
    try:
        found = expressions_resolved(options, files, common)
    except DataError as error:
        raise StudyError(say("[features] {error}", error=message_of(error))) from None
    assert isinstance(section, Mapping)
    return raw | {"features": {**section, "expressions": list(found.expressions)}}
