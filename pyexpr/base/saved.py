"""Results in a file, in a pickle and in an object of R: one way for the three of them.

A saved result is a zip file of two members, readable with any software. ``result.json`` says
which version of pyexpr wrote it, and holds the result as plain values; ``arrays`` holds the
bytes of all arrays, one after the other, at the places that ``result.json`` names. Reading it
runs no code of the file: what it is built of is the list in `pyexpr.base.saved_classes`.
"""

from __future__ import annotations

import base64
import io
import json
import math
import pickle
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime
from pathlib import PurePath
from typing import Any, Literal

import numpy as np

from pyexpr.base.errors import SavedResultError
from pyexpr.base.files import whole_file
from pyexpr.base.outputs import check_outputs
from pyexpr.base.saved_classes import class_of, name_of
from pyexpr.base.saved_tables import table_made, table_parts
from pyexpr.base.versions import versions

# Counted up when a reader of before would misunderstand what is written.
_FORMAT = 1
_MEMBERS = ("result.json", "arrays")
# Kinds of numpy whose bytes are values: bool, numbers, text, dates, durations.
_PLAIN_KINDS = "?biufUSMm"
_TABLES = {"table", "series", "index"}


@dataclass(frozen=True, slots=True)
class UserFunction:
    """A function of the user in a result that was saved: there again only if a pickle has it.

    Not a class of files: what is pickled is code.
    """

    name: str
    pickled: bytes | None = None

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the function, or say that it is not there."""
        return self.found()(*arguments, **named)

    def found(self) -> Any:
        """Return the function."""
        if self.pickled is None:
            raise SavedResultError(
                f"a saved result does not hold your function {self.name!r}; hand it over again: "
                "result.extend(n, statistic=...)"
            )
        try:
            return pickle.loads(self.pickled)
        except Exception as error:
            raise SavedResultError(
                f"your function {self.name!r} is not defined here ({error}); hand it over again: "
                "result.extend(n, statistic=...)"
            ) from None


def pack(value: Any, functions: list[Any] | None = None, *, small: bool = False) -> bytes:
    """Return a value as the bytes of a saved result.

    Parameters
    ----------
    value : object
        Built of the classes of files, tables, arrays and plain values.
    functions : list, optional
        Here come functions of the user, of which the bytes hold but the names.
    small : bool
        Whether to compress.

    Raises
    ------
    SavedResultError
        If it holds anything else.
    """
    writer = _Writer([] if functions is None else functions)
    body = writer.node(value)
    own = versions("pandas")
    head = {
        "format": _FORMAT,
        "result": type(value).__name__,
        "versions": own,
        "byte_order": "little",
        "arrays": writer.layout,
        "value": body,
    }
    text = json.dumps(head, ensure_ascii=False, allow_nan=False).encode("utf-8")
    out = io.BytesIO()
    how = zipfile.ZIP_DEFLATED if small else zipfile.ZIP_STORED
    with zipfile.ZipFile(out, "w", how) as archive:
        for name, data in zip(_MEMBERS, (text, b"".join(writer.data)), strict=True):
            # A fixed time: the same result has the same bytes.
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, how)
    return out.getvalue()


def unpack(raw: bytes, functions: Sequence[bytes | None] = (), *, what: str = "the result") -> Any:
    """Return the value of `pack`; `functions` are pickled, in order. No code of it runs.

    Raises
    ------
    SavedResultError
        If the bytes are no saved result, are damaged, or are of a version of pyexpr whose
        results are built in another way.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            text, data = (archive.read(name) for name in _MEMBERS)
        head = json.loads(text)
        by, known = head["versions"]["pyexpr-stats"], head["format"] <= _FORMAT
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, EOFError) as error:
        raise SavedResultError(f"{what} is no saved result, or is damaged ({error})") from None
    here = versions()["pyexpr-stats"]
    other = (
        f"{what} was saved by pyexpr {by}, and results of pyexpr {here} are built in another way"
        "{}: read it with that version, or compute it again"
    )
    if not known:
        raise SavedResultError(other.format(""))
    try:
        return _Reader(head["arrays"], data, functions).made(head["value"])
    except SavedResultError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise SavedResultError(other.format(f" ({error})")) from error


class _Writer:
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
        if value is None or type(value) in (bool, str, int):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"float": str(value)}
        if isinstance(value, np.ndarray):
            return self.array(value)
        if isinstance(value, np.generic):
            return {"scalar": self.array(np.asarray(value))}
        if type(value) is list:
            return [self.node(item) for item in value]
        if isinstance(value, Mapping):
            return {"dict": [[self.node(k), self.node(v)] for k, v in value.items()]}
        if isinstance(value, tuple | frozenset | set):
            return self.tuple_or_set(value)
        if is_dataclass(value) and not isinstance(value, type | UserFunction):
            return self.object(value)
        return self.rare(value)

    def tuple_or_set(self, value: tuple[Any, ...] | frozenset[Any] | set[Any]) -> Any:
        if isinstance(value, tuple):
            items = [self.node(item) for item in value]
            if type(value) is tuple:
                return {"tuple": items}
            return {"named": [self.class_name(value), items]}
        kind = "frozenset" if isinstance(value, frozenset) else "set"
        return {kind: [self.node(item) for item in sorted(value, key=repr)]}

    def array(self, value: np.ndarray[Any, Any]) -> Any:
        if value.dtype.kind not in _PLAIN_KINDS:
            if value.dtype != object:
                raise SavedResultError(f"an array of type {value.dtype} cannot be saved")
            return {"items": [list(value.shape), [self.node(item) for item in value.ravel()]]}
        if id(value) not in self.arrays:
            plain = value.astype(value.dtype.newbyteorder("<"), copy=False)
            # As it lies in memory: the order of a sum may rest on it.
            order: Literal["F", "C"] = (
                "F" if plain.flags.f_contiguous and not plain.flags.c_contiguous else "C"
            )
            raw = plain.tobytes(order)
            self.layout.append([plain.dtype.str, list(plain.shape), order, self.size])
            self.data.append(raw + b"\0" * (-len(raw) % 8))
            self.size += len(self.data[-1])
            self.arrays[id(value)] = value, len(self.layout) - 1
        return {"array": self.arrays[id(value)][1]}

    def object(self, value: Any) -> Any:
        if id(value) in self.objects:
            return {"same": self.objects[id(value)][1]}
        written = value.for_saving() if hasattr(value, "for_saving") else value
        name = self.class_name(written)
        number = len(self.objects)
        self.objects[id(value)] = value, number
        parts = {f.name: self.node(getattr(written, f.name)) for f in fields(written) if f.init}
        return {"object": [name, number, parts]}

    def class_name(self, value: Any) -> str:
        name = name_of(type(value))
        if name is None:
            raise SavedResultError(
                f"a {type(value).__name__} cannot be saved; to_dict() of a result gives its table as "
                "plain values"
            )
        return name

    def rare(self, value: Any) -> Any:
        import pandas as pd

        if isinstance(value, pd.DataFrame | pd.Series | pd.Index):
            return table_parts(value, self.node)
        if isinstance(value, bytes):
            return {"bytes": base64.b64encode(value).decode("ascii")}
        if isinstance(value, pd.Timestamp):
            zone = None if value.tz is None else str(value.tz)
            return {"timestamp": [value.tz_localize(None).isoformat(), zone]}
        if isinstance(value, datetime) or type(value) is date:
            return {type(value).__name__: value.isoformat()}
        if value is pd.NA or value is pd.NaT:
            return {"missing": str(value)}
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


class _Reader:
    """The way back. Whoever wrote the bytes is not trusted: see `saved_classes`."""

    def __init__(
        self, layout: list[list[Any]], data: bytes, functions: Sequence[bytes | None]
    ) -> None:
        self.layout, self.data, self.functions = layout, data, functions
        self.arrays: dict[int, np.ndarray[Any, Any]] = {}
        self.objects: dict[int, Any] = {}

    def made(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self.made(item) for item in node]
        if not isinstance(node, dict):
            return node
        ((kind, parts),) = node.items()
        if kind in _TABLES:
            return table_made(kind, parts, self.made)
        return getattr(self, f"made_{kind}")(parts)

    def made_float(self, parts: str) -> float:
        return float(parts)

    def made_tuple(self, parts: list[Any]) -> tuple[Any, ...]:
        return tuple(self.made(parts))

    def made_set(self, parts: list[Any]) -> set[Any]:
        return set(self.made(parts))

    def made_frozenset(self, parts: list[Any]) -> frozenset[Any]:
        return frozenset(self.made(parts))

    def made_dict(self, parts: list[Any]) -> dict[Any, Any]:
        return {self.made(key): self.made(value) for key, value in parts}

    def made_array(self, number: int) -> np.ndarray[Any, Any]:
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

    def made_items(self, parts: list[Any]) -> np.ndarray[Any, Any]:
        shape, items = parts
        values = np.empty(len(items), dtype=object)
        for i, item in enumerate(items):
            values[i] = self.made(item)
        return values.reshape(shape)

    def made_scalar(self, parts: Any) -> Any:
        return self.made(parts)[()]

    def made_named(self, parts: list[Any]) -> Any:
        return class_of(parts[0])(*self.made(parts[1]))

    def made_object(self, parts: list[Any]) -> Any:
        name, number, values = parts
        found = class_of(name)(**{key: self.made(value) for key, value in values.items()})
        if hasattr(found, "after_loading"):
            found = found.after_loading()
        self.objects[number] = found
        return found

    def made_same(self, number: int) -> Any:
        return self.objects[number]

    def made_bytes(self, parts: str) -> bytes:
        return base64.b64decode(parts)

    def made_timestamp(self, parts: list[Any]) -> Any:
        import pandas as pd

        return pd.Timestamp(parts[0], tz=parts[1])

    def made_date(self, parts: str) -> date:
        return date.fromisoformat(parts)

    def made_datetime(self, parts: str) -> datetime:
        return datetime.fromisoformat(parts)

    def made_missing(self, parts: str) -> Any:
        import pandas as pd

        return pd.NaT if parts == "NaT" else pd.NA

    def made_interval(self, parts: list[Any]) -> Any:
        import pandas as pd

        return pd.Interval(self.made(parts[0]), self.made(parts[1]), parts[2])

    def made_path(self, parts: str) -> str:
        return parts

    def made_function(self, parts: list[Any]) -> UserFunction:
        number, name = parts
        pickled = self.functions[number] if number < len(self.functions) else None
        return UserFunction(str(name), pickled)


def pickled_parts(value: Any) -> tuple[Any, ...]:
    """Serve as `__reduce__` of results: a pickle holds the same bytes as a file.

    So a pickle of another version of pyexpr says so. Functions of the user are pickled apart:
    where one cannot be, or is not found again, all else is still there.
    """
    functions: list[Any] = []
    raw = pack(value, functions)
    return unpickled, (raw, tuple(_pickled(function) for function in functions))


def _pickled(function: Any) -> bytes | None:
    if isinstance(function, UserFunction):
        return function.pickled
    try:
        return pickle.dumps(function)
    except Exception:
        return None


def unpickled(raw: bytes, functions: tuple[bytes | None, ...]) -> Any:
    """Return the result in a pickle. Pickles name this function: it stays where it is."""
    return unpack(raw, functions, what="the pickled result")


def save(value: Any, path: Any, *, overwrite: bool = False) -> None:
    """Write a result to a file; see `Result.save`."""
    check_outputs({"path": path}, overwrite=overwrite)
    raw = pack(value, small=True)
    with whole_file(path) as temporary:
        temporary.write_bytes(raw)


def load(path: Any) -> Any:
    """Read a result that `save` has written.

    A file of unknown origin may be read: unlike a pickle it holds no code.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    Result
        As it was saved: the same numbers to the last bit, for other intervals, further
        replicates, scores of new data and pictures. Of a statistic of your own
        (`cluster_bootstrap`) the function is not in the file; ``extend`` takes it again.

    Raises
    ------
    SavedResultError
        If the file is no saved result, is damaged, or was written by a version of pyexpr
        whose results are built in another way; the message says which.

    Examples
    --------
    >>> import tempfile, pyexpr as px
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     px.icc_interval(0.879, n_targets=20, k=3).save(f"{folder}/icc.pyexpr")
    ...     px.load(f"{folder}/icc.pyexpr").tidy()["conf_low"].round(3).item()
    0.741
    """
    with open(path, "rb") as file:
        raw = file.read()
    return unpack(raw, what=f"the file {str(path)!r}")
