"""Results in a file, in a pickle and in an object of R: one way for the three of them.

A saved result is a zip file of two members, readable with any software. ``result.json`` says
which version of pyexpr wrote it, and holds the result as plain values; ``arrays`` holds the
bytes of all arrays, one after the other, at the places that ``result.json`` names. Reading it
runs no code of the file: what it is built of is the list in `pyexpr.base.saved_classes`.
"""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Sequence
from typing import Any

from pyexpr.base.contents import refuse_irregular_input
from pyexpr.base.errors import SavedResultError
from pyexpr.base.files import whole_file
from pyexpr.base.outputs import check_outputs
from pyexpr.base.saved_values import Reader, UserFunction, Writer
from pyexpr.base.versions import versions

# Counted up when a reader of before would misunderstand what is written.
_FORMAT = 1
_MEMBERS = ("result.json", "arrays")


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
    writer = Writer([] if functions is None else functions)
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
    try:
        if not known:
            raise ValueError(f"format {head['format']}")
        return Reader(head["arrays"], data, functions).made(head["value"])
    except SavedResultError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise SavedResultError(_of_another(what, str(by), error)) from error


def _of_another(what: str, by: str, error: Exception) -> str:
    here = versions()["pyexpr-stats"]
    if by == here:
        return (
            f"{what} does not fit together ({error}): it was altered, or saved by another build of "
            f"pyexpr {by}; compute it again"
        )
    return (
        f"{what} was saved by pyexpr {by}, and results of pyexpr {here} are built in another way "
        f"({error}): read it with that version, or compute it again"
    )


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
    0.748
    """
    refuse_irregular_input(path)
    with open(path, "rb") as file:
        raw = file.read()
    return unpack(raw, what=f"the file {str(path)!r}")
