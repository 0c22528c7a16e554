"""Files on a network (``s3://``, ``gs://``, ``https://``), read through a temporary copy.

The one place that imports fsspec. A file is copied a block at a time to the disk of the computer
that reads it, and the copy is removed when it has been read. It is read by the reader of local
files, with its limits and its hash.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path, PurePosixPath
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

from pyexpr.base.addresses import address_of, is_remote
from pyexpr.base.errors import DataError, OpenFaceError
from pyexpr.base.files import temporary_folder
from pyexpr.base.messages import say

P = ParamSpec("P")
T = TypeVar("T")

_BLOCK = 1 << 20


@contextmanager
def local_copy(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a copy of a file on a network; it is removed after the block.

    Raises
    ------
    OpenFaceError
        If the file cannot be read, or the package for its protocol is not installed.
    """
    address = address_of(path)
    name = PurePosixPath(urlsplit(address).path).name or "recording"
    with temporary_folder() as folder:
        copy = folder / name
        _fetch(address, copy)
        yield copy


def _fetch(address: str, copy: Path) -> None:
    try:
        import fsspec
    except ImportError:
        raise _not_installed(address, "fsspec") from None
    try:
        with fsspec.open(address, "rb", compression=None) as source, copy.open("wb") as target:
            while block := source.read(_BLOCK):
                target.write(block)
    except ImportError as error:
        raise _not_installed(address, _package(error)) from None
    except FileNotFoundError:
        raise OpenFaceError(
            say("{path:label}: there is no such file; check the address", path=address)
        ) from None
    except Exception as error:
        # Each file system has its own errors.
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise OpenFaceError(
            say("{path:label}: cannot be read: {why}", path=address, why=why)
        ) from error


def _package(error: ImportError) -> str:
    """Return the package that fsspec needs and Python did not find."""
    cause = error.__cause__ or error.__context__ or error
    name = getattr(cause, "name", None) or getattr(error, "name", None)
    return str(name or "the package for this protocol").partition(".")[0]


def _not_installed(address: str, package: str) -> OpenFaceError:
    return OpenFaceError(
        say(
            "{path:label}: reading it needs {package}, which is not installed: pip install "
            "{package}",
            path=address,
            package=package,
        )
    )


def reads_remote(function: Callable[P, T]) -> Callable[P, T]:
    """Let a function read from a network whose first argument is a path that its result has, too.

    Errors name the address, and not the copy.
    """
    (first, *_) = inspect.signature(function).parameters

    @wraps(function)
    def reading(*args: P.args, **kwargs: P.kwargs) -> T:
        path: Any = args[0] if args else kwargs.get(first)
        if not is_remote(path):
            return function(*args, **kwargs)
        with local_copy(path) as copy:
            if args:
                args = (str(copy), *args[1:])  # type: ignore[assignment]
            else:
                kwargs[first] = str(copy)
            try:
                found: Any = function(*args, **kwargs)
            except DataError as error:
                text = str(error).replace(str(copy), address_of(path))
                raise type(error)(text) from None
        return replace(found, path=address_of(path)) if hasattr(found, "path") else found  # type: ignore[no-any-return]

    return reading
