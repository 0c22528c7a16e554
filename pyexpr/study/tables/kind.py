"""Whether the label of a study file is a class, if the file does not specify it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyexpr.base.errors import PyexprError
from pyexpr.base.tables import require_columns
from pyexpr.inference.comparison.classes import holds_classes
from pyexpr.study.tables.any_table import read_table


def with_kind(raw: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the entries of a study file; a label that is a column of text is a class.

    A table that cannot be read is left as it is: the run reports what is wrong with it. If the file
    names a positive class, the problem is reported at once; otherwise that entry would seem to be
    wrong.
    """
    label, data = raw.get("label"), raw.get("data")
    if not (isinstance(label, Mapping) and isinstance(data, Mapping)):
        return raw
    columns, path = label.get("column"), data.get("features")
    names = [columns] if isinstance(columns, str) else columns
    if "kind" in label or not isinstance(path, str) or not isinstance(names, list) or not names:
        return raw
    what = f"the features ({path})"
    try:
        table, _ = read_table(folder / path, [], what)
        if "positive" in label:
            require_columns(table, [str(name) for name in names], what=what)
    except (PyexprError, OSError):
        if "positive" in label:
            raise
        return raw
    found = [table.get(name) for name in map(str, names)]
    if not all(column is not None and holds_classes(column) for column in found):
        return raw
    return raw | {"label": {**label, "kind": "classification"}}
