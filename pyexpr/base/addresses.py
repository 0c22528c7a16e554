"""Addresses of files on a network, such as ``s3://faces/s01.csv``, among paths."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pyexpr.base.errors import DataError
from pyexpr.base.messages import say

_PROTOCOLS = (
    "abfs", "adl", "az", "ftp", "gcs", "gs", "hdfs", "http", "https", "memory", "s3", "s3a", "sftp",
    "webhdfs",
)  # fmt: skip
# `Path` writes one slash where there are two.
_REMOTE = re.compile(rf"({'|'.join(_PROTOCOLS)}):/+(?=[^/])", re.IGNORECASE)


def is_remote(path: object) -> bool:
    """Return whether a path names a file on a network.

    Examples
    --------
    >>> is_remote("s3://faces/s01.csv"), is_remote("recordings/s01.csv"), is_remote("C:/s01.csv")
    (True, False, False)
    """
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else path
    return isinstance(text, str) and _REMOTE.match(text) is not None


def address_of(path: str | os.PathLike[str]) -> str:
    """Return the address of a file on a network, whose second slash `Path` removes.

    Examples
    --------
    >>> from pathlib import PurePosixPath
    >>> address_of(PurePosixPath("s3://faces/s01.csv"))
    's3://faces/s01.csv'
    """
    return _REMOTE.sub(lambda found: f"{found[1].lower()}://", os.fspath(path), count=1)


def beside(folder: Path, name: str) -> str:
    """Return a path that a table names, from the table's folder unless it is on a network."""
    return address_of(name) if is_remote(name) else str(folder / name)


def refuse_remote(path: object, what: str) -> None:
    """Raise `DataError` if a path names a file on a network, for files not read from there."""
    if is_remote(path):
        raise DataError(
            say(
                "{path!r}: {what}; copy the file to a disk first",
                path=address_of(str(path)),
                what=what,
            )
        )
