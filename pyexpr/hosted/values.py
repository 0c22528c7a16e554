"""Conversion of arguments from R and of values for R, each with its type.

To Python come ``scalar`` (one value), ``many`` (a list, also of one), ``exact`` (one number,
of R's type), ``raw`` (bytes), ``list``, ``dict``, ``table``, ``object`` (one of Python's, by its
key), and None. To R go plain vectors, and ``list``, ``dict``, ``table`` and ``array`` (float64,
dimensions and raw bytes).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np

from pyexpr.base.errors import DataError
from pyexpr.hosted.results import pop
from pyexpr.hosted.tables import from_frame, to_frame


def to_python(node: Any) -> Any:
    """Return the Python value of an argument from R."""
    if node is None:
        return None
    kind = node["kind"][0]
    if kind == "scalar":
        return _plain(node["value"])[0]
    if kind == "many":
        return _plain(node["value"])
    if kind == "exact":
        return float(_plain(node["value"])[0])
    if kind == "object":
        return pop(int(node["key"][0]))
    if kind == "raw":
        return node["value"]
    if kind == "list":
        return [to_python(item) for item in node["items"]]
    if kind == "dict":
        return {
            name: to_python(item) for name, item in zip(node["names"], node["items"], strict=True)
        }
    if kind == "table":
        return to_frame(node)
    raise DataError(f"R sent a value of the unknown kind {kind!r}")


def _plain(values: Any) -> list[Any]:
    """Return an R vector as a list: whole doubles are int, as R writes 2000 for 2000L."""
    if isinstance(values, bytes):
        # integer64, as the bytes of int64
        return [int(value) for value in np.frombuffer(values, dtype=np.int64)]
    return [
        int(value)
        if isinstance(value, float) and math.isfinite(value) and value.is_integer()
        else value
        for value in (values.tolist() if isinstance(values, np.ndarray) else values)
    ]


def to_r(value: Any) -> Any:
    """Return a value that `pyexpr.measurement.engines.wire.encode` can send."""
    import pandas as pd

    if value is None or isinstance(value, (str, bytes, bool, float)):
        return value
    if isinstance(value, (int, np.generic)):
        return _number(value)
    if isinstance(value, pd.DataFrame):
        return from_frame(value)
    if isinstance(value, np.ndarray) and value.dtype == np.float64:
        data = np.asfortranarray(value).tobytes(order="F")
        return {"kind": "array", "dim": [int(n) for n in value.shape], "data": data}
    if isinstance(value, Mapping):
        names = [str(name) for name in value]
        return {"kind": "dict", "names": names, "items": _items(value.values())}
    if isinstance(value, PathLike):
        return str(value)
    items = list(value)
    if _is_vector(items):
        return items
    return {"kind": "list", "items": _items(items)}


def _is_vector(items: list[Any]) -> bool:
    kinds = {type(item) for item in items if item is not None}
    return len(kinds) <= 1 and kinds <= {str, bool, float}


def _items(values: Any) -> dict[str, Any]:
    # A dictionary is used, because a list of plain values would become one vector.
    return {str(i): to_r(value) for i, value in enumerate(values)}


def _number(value: Any) -> Any:
    number = value.item() if isinstance(value, np.generic) else value
    if isinstance(number, int) and not isinstance(number, bool) and abs(number) >= 2**31:
        return float(number)
    return number
