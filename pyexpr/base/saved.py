"""Saved results: the same format for files, pickles and R objects.

A saved result is a zip file of two members, readable with any software. ``result.json`` records the
version of pyexpr that wrote it, and holds the result as plain values. ``arrays`` holds the bytes of
all arrays, one after the other, at the positions given in ``result.json``. Reading a file does not
run any code in it; `pyexpr.base.saved_classes` lists the classes that it can contain.
"""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Sequence
from typing import Any

from pyexpr.base.contents import refuse_irregular_input
from pyexpr.base.errors import DataError, SavedResultError
from pyexpr.base.files import whole_file
from pyexpr.base.outputs import check_outputs
from pyexpr.base.saved_values import Reader, UserFunction, Writer
from pyexpr.base.unpacking import DAMAGED, check_archive
from pyexpr.base.versions import versions

# Increased when an earlier reader would misunderstand the file.
_FORMAT = 1
_MEMBERS = ("result.json", "arrays")


def pack(value: Any, functions: list[Any] | None = None, *, small: bool = False) -> bytes:
    """Return a value as the bytes of a saved result.

    Parameters
    ----------
    value : object
        Built of the classes of files, tables, arrays and plain values.
    functions : list, optional
        Receives the functions of the user, of which the bytes contain only the names.
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
    """Return the value of `pack`; `functions` are pickled, in order. No code in it is run.

    Raises
    ------
    SavedResultError
        If the bytes are not a saved result, are damaged, or are from a version of pyexpr whose
        results have another structure.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            check_archive(archive, len(raw))
            text, data = (archive.read(name) for name in _MEMBERS)
        head = json.loads(text)
        by, known = head["versions"]["pyexpr-stats"], head["format"] <= _FORMAT
    except DataError as error:
        raise SavedResultError(f"{what} is not a saved result: {error}") from None
    except (*DAMAGED, TypeError) as error:
        raise SavedResultError(f"{what} is not a saved result, or is damaged ({error})") from None
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
            f"{what} is inconsistent ({error}): it was altered, or saved by another build of "
            f"pyexpr {by}; compute it again"
        )
    return (
        f"{what} was saved by pyexpr {by}, and results of pyexpr {here} have another structure "
        f"({error}); load it with that version, or compute it again"
    )


def pickled_parts(value: Any) -> tuple[Any, ...]:
    """Serve as `__reduce__` of results: a pickle holds the same bytes as a file.

    An incompatible version of pyexpr is thereby recognised. Functions of the user are pickled
    separately: if one cannot be pickled, or is not found again, everything else is still available.
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
    """Return the result in a pickle. Pickles refer to this function, so it must not be moved."""
    return unpack(raw, functions, what="the pickled result")


def save(value: Any, path: Any, *, overwrite: bool = False) -> None:
    """Write a result to a file; see `Result.save`."""
    check_outputs({"path": path}, overwrite=overwrite)
    raw = pack(value, small=True)
    with whole_file(path) as temporary:
        temporary.write_bytes(raw)


def load(path: Any) -> Any:
    """Load a result that was written by `save`.

    It is safe to load a file of unknown origin: unlike a pickle it does not contain code.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    Result
        The saved result. Other intervals, further replicates, scores of new data and figures give
        exactly the same numbers as before. The function of a custom statistic (`cluster_bootstrap`)
        is not in the file; pass it to ``extend`` again.

    Raises
    ------
    SavedResultError
        If the file is not a saved result, is damaged, or was written by a version of pyexpr whose
        results have another structure; the message says which.

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
