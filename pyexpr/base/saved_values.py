"""Conversion of a result to plain values and arrays and back."""

from __future__ import annotations

import base64
import math
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime
from pathlib import PurePath
from typing import Any, Literal

import numpy as np

from pyexpr.base.errors import SavedResultError
from pyexpr.base.messages import Message, from_json, say
from pyexpr.base.saved_classes import class_of, name_of
from pyexpr.base.saved_tables import table_made, table_parts

# Kinds of numpy whose bytes are values: bool, numbers, text, dates, durations.
_PLAIN_KINDS = "?biufUSMm"
_TABLES = {"table", "series", "index"}


@dataclass(frozen=True, slots=True)
class UserFunction:
    """A user's function in a saved result, which is restored only from a pickle.

    This class does not occur in files, since a pickled function is code.
    """

    name: str
    pickled: bytes | None = None

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the function, or raise an error if it was not restored."""
        return self.found()(*arguments, **named)

    def found(self) -> Any:
        """Return the function."""
        if self.pickled is None:
            raise SavedResultError(
                say(
                    "a saved result does not contain your function {name!r}; pass it again: "
                    "result.extend(n, {statistic=}...)",
                    name=self.name,
                )
            )
        try:
            return pickle.loads(self.pickled)
        except Exception as error:
            raise SavedResultError(
                say(
                    "your function {name!r} is not defined in this session ({error}); pass it "
                    "again: result.extend(n, {statistic=}...)",
                    name=self.name,
                    error=error,
                )
            ) from None


class Writer:
    """One pass over a value; objects and arrays that occur twice are written once."""

    def __init__(self, functions: list[Any]) -> None:
        self.functions = functions
        self.layout: list[list[Any]] = []
        self.data: list[bytes] = []
        self.size = 0
        # By id, with the object itself, so that no other can get its id.
        self.arrays: dict[int, tuple[Any, int]] = {}
        self.objects: dict[int, tuple[Any, int]] = {}

    def node(self, value: Any) -> Any:
        """Return a value in a form for JSON; all but the simplest are ``{kind: parts}``."""
        if value is None or type(value) in (bool, str, int):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"float": str(value)}
        if isinstance(value, np.ndarray):
            return self._array(value)
        if isinstance(value, np.generic):
            return {"scalar": self._array(np.asarray(value))}
        if type(value) is list:
            return [self.node(item) for item in value]
        if isinstance(value, Mapping):
            return {"dict": [[self.node(k), self.node(v)] for k, v in value.items()]}
        if isinstance(value, tuple | frozenset | set):
            return self._tuple_or_set(value)
        if is_dataclass(value) and not isinstance(value, type | UserFunction):
            return self._object(value)
        return self._rare(value)

    def _tuple_or_set(self, value: tuple[Any, ...] | frozenset[Any] | set[Any]) -> Any:
        if isinstance(value, tuple):
            items = [self.node(item) for item in value]
            if type(value) is tuple:
                return {"tuple": items}
            return {"named": [self._class_name(value), items]}
        kind = "frozenset" if isinstance(value, frozenset) else "set"
        return {kind: [self.node(item) for item in sorted(value, key=repr)]}

    def _array(self, value: np.ndarray[Any, Any]) -> Any:
        if value.dtype.kind not in _PLAIN_KINDS:
            if value.dtype != object:
                raise SavedResultError(f"an array of type {value.dtype} cannot be saved")
            return {"items": [list(value.shape), [self.node(item) for item in value.ravel()]]}
        if id(value) not in self.arrays:
            plain = value.astype(value.dtype.newbyteorder("<"), copy=False)
            # In its order in memory, on which the order of a sum may depend.
            order: Literal["F", "C"] = (
                "F" if plain.flags.f_contiguous and not plain.flags.c_contiguous else "C"
            )
            raw = plain.tobytes(order)
            self.layout.append([plain.dtype.str, list(plain.shape), order, self.size])
            self.data.append(raw + b"\0" * (-len(raw) % 8))
            self.size += len(self.data[-1])
            self.arrays[id(value)] = value, len(self.layout) - 1
        return {"array": self.arrays[id(value)][1]}

    def _object(self, value: Any) -> Any:
        if id(value) in self.objects:
            return {"same": self.objects[id(value)][1]}
        written = value.for_saving() if hasattr(value, "for_saving") else value
        name = self._class_name(written)
        number = len(self.objects)
        self.objects[id(value)] = value, number
        parts = {f.name: self.node(getattr(written, f.name)) for f in fields(written) if f.init}
        return {"object": [name, number, parts]}

    def _class_name(self, value: Any) -> str:
        name = name_of(type(value))
        if name is None:
            raise SavedResultError(
                f"a {type(value).__name__} cannot be saved; to_dict() gives the table of a result "
                "as plain values"
            )
        return name

    def _rare(self, value: Any) -> Any:
        import pandas as pd

        if isinstance(value, Message):
            return {"message": self.node(value.as_json())}
        if isinstance(value, pd.DataFrame | pd.Series | pd.Index):
            return table_parts(value, self.node)
        if isinstance(value, bytes):
            return {"bytes": base64.b64encode(value).decode("ascii")}
        # First: NaT is a datetime, too.
        if value is pd.NA or value is pd.NaT:
            return {"missing": str(value)}
        if isinstance(value, pd.Timestamp):
            zone = None if value.tz is None else str(value.tz)
            return {"timestamp": [value.tz_localize(None).isoformat(), zone]}
        if isinstance(value, datetime) or type(value) is date:
            return {type(value).__name__: value.isoformat()}
        if isinstance(value, pd.Interval):
            return {"interval": [self.node(value.left), self.node(value.right), value.closed]}
        if isinstance(value, PurePath):
            return {"path": str(value)}
        if callable(value):
            self.functions.append(value)
            name = value.name if isinstance(value, UserFunction) else _named(value)
            return {"function": [len(self.functions) - 1, name]}
        raise SavedResultError(f"a result that holds a {type(value).__name__} cannot be saved")


def _named(function: Any) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


class Reader:
    """The inverse of `Writer`. The origin of the bytes is not trusted; see `saved_classes`."""

    def __init__(
        self, layout: list[list[Any]], data: bytes, functions: Sequence[bytes | None]
    ) -> None:
        self.layout, self.data, self.functions = layout, data, functions
        self.arrays: dict[int, np.ndarray[Any, Any]] = {}
        self.objects: dict[int, Any] = {}

    def made(self, node: Any) -> Any:
        """Return the value of a node that `Writer.node` made."""
        if isinstance(node, list):
            return [self.made(item) for item in node]
        if not isinstance(node, dict):
            return node
        ((kind, parts),) = node.items()
        if kind in _TABLES:
            return table_made(kind, parts, self.made)
        return getattr(self, f"_made_{kind}")(parts)

    def _made_float(self, parts: str) -> float:
        return float(parts)

    def _made_tuple(self, parts: list[Any]) -> tuple[Any, ...]:
        return tuple(self.made(parts))

    def _made_set(self, parts: list[Any]) -> set[Any]:
        return set(self.made(parts))

    def _made_frozenset(self, parts: list[Any]) -> frozenset[Any]:
        return frozenset(self.made(parts))

    def _made_dict(self, parts: list[Any]) -> dict[Any, Any]:
        return {self.made(key): self.made(value) for key, value in parts}

    def _made_array(self, number: int) -> np.ndarray[Any, Any]:
        if number not in self.arrays:
            kind, shape, order, start = self.layout[number]
            dtype = np.dtype(str(kind))
            if dtype.kind not in _PLAIN_KINDS:
                raise ValueError(f"an array of type {dtype}")
            values = np.frombuffer(self.data, dtype, count=math.prod(shape), offset=start)
            # A copy, which may be written to, in the byte order of this machine.
            values = values.astype(dtype.newbyteorder("=")).reshape(shape, order=order)
            self.arrays[number] = values
        return self.arrays[number]

    def _made_items(self, parts: list[Any]) -> np.ndarray[Any, Any]:
        shape, items = parts
        values = np.empty(len(items), dtype=object)
        for i, item in enumerate(items):
            values[i] = self.made(item)
        return values.reshape(shape)

    def _made_message(self, parts: Any) -> Message:
        return from_json(self.made(parts))

    def _made_scalar(self, parts: Any) -> Any:
        return self.made(parts)[()]

    def _made_named(self, parts: list[Any]) -> Any:
        return class_of(parts[0])(*self.made(parts[1]))

    def _made_object(self, parts: list[Any]) -> Any:
        name, number, values = parts
        found = class_of(name)(**{key: self.made(value) for key, value in values.items()})
        if hasattr(found, "after_loading"):
            found = found.after_loading()
        self.objects[number] = found
        return found

    def _made_same(self, number: int) -> Any:
        return self.objects[number]

    def _made_bytes(self, parts: str) -> bytes:
        return base64.b64decode(parts)

    def _made_timestamp(self, parts: list[Any]) -> Any:
        import pandas as pd

        return pd.Timestamp(parts[0], tz=parts[1])

    def _made_date(self, parts: str) -> date:
        return date.fromisoformat(parts)

    def _made_datetime(self, parts: str) -> datetime:
        return datetime.fromisoformat(parts)

    def _made_missing(self, parts: str) -> Any:
        import pandas as pd

        return pd.NaT if parts == "NaT" else pd.NA

    def _made_interval(self, parts: list[Any]) -> Any:
        import pandas as pd

        return pd.Interval(self.made(parts[0]), self.made(parts[1]), parts[2])

    def _made_path(self, parts: str) -> str:
        return parts

    def _made_function(self, parts: list[Any]) -> UserFunction:
        number, name = parts
        pickled = self.functions[number] if number < len(self.functions) else None
        return UserFunction(str(name), pickled)
