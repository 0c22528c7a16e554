"""Limit how much a compressed file may unpack to; the limit is checked while it is unpacked.

A file of a few kilobytes can unpack to gigabytes of a single repeated byte, which no table
contains. Users who do have such a table can raise the limit.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import zipfile
import zlib
from collections.abc import Callable
from typing import Any, Final

from pyexpr.base.errors import DataError

#: What reading a damaged archive raises: each method of compression its own; RuntimeError for a
#: method that is not there, or a password; OverflowError for a place beyond any file.
DAMAGED: Final = (
    OSError, EOFError, LookupError, ValueError, OverflowError, RuntimeError, zipfile.BadZipFile,
    zlib.error, lzma.LZMAError,
)  # fmt: skip
#: The environment variable that raises the limit, in gigabytes.
SETTING: Final = "PYEXPR_UNPACKED_GB"
# Any file may unpack to so many bytes, and to so many times its size: tables of numbers pack to a
# fifth or so, those of a face that was never found to much less.
_HARMLESS: Final = 100_000_000
_RATIO: Final = 20
# The limit for files that compress better.
_MOST_RATIO: Final = 500
_MOST: Final = 1_000_000_000
_OPENERS: Final[dict[bytes, Callable[[io.BytesIO], Any]]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}


def most_unpacked(size: int) -> int:
    """Return the largest permitted unpacked size of a file of `size` bytes.

    Raises
    ------
    DataError
        The environment variable is not a number of gigabytes.

    Examples
    --------
    >>> [most_unpacked(size) for size in (1_000, 1_000_000, 40_000_000, 10**9)]
    [100000000, 500000000, 1000000000, 20000000000]
    """
    stated = os.environ.get(SETTING, "")
    if stated:
        try:
            return max(_HARMLESS, round(float(stated) * 1e9))
        except (ValueError, OverflowError):
            raise DataError(
                f"the environment variable {SETTING} holds {stated!r}; give a number of gigabytes, "
                "or remove it"
            ) from None
    return max(_HARMLESS, _RATIO * size, min(_MOST_RATIO * size, _MOST))


def too_large(most: int) -> str:
    """Return the end of the error for a file that unpacks to more than `most` bytes."""
    return (
        f"the file unpacks to more than {most / 1e9:g} GB, which no table of its size does; if it "
        f"is one, unpack it yourself, or raise the limit by the environment variable {SETTING}"
    )


def is_compressed(content: bytes) -> bool:
    """Say whether a file begins like one of gzip, bzip2 or xz."""
    return content.startswith(tuple(_OPENERS))


def decompressed(content: bytes) -> bytes:
    """Return the content of a file of gzip, bzip2 or xz.

    Raises
    ------
    DataError
        Its content exceeds the limit.
    Those of `DAMAGED`
        It is damaged.
    """
    most = most_unpacked(len(content))
    opener = next(opener for magic, opener in _OPENERS.items() if content.startswith(magic))
    with opener(io.BytesIO(content)) as file:
        found: bytes = file.read(most + 1)
    if len(found) > most:
        raise DataError(too_large(most))
    return found


def check_archive(archive: zipfile.ZipFile, size: int) -> None:
    """Raise `DataError` if the files of a ZIP archive of `size` bytes exceed the limit.

    An archive states the size of its files, and zipfile unpacks no more than that.
    """
    most = most_unpacked(size)
    if sum(one.file_size for one in archive.infolist()) > most:
        raise DataError(too_large(most))


def check_rows(n_rows: int, n_columns: int, size: int) -> None:
    """Raise `DataError` if a packed table of `size` bytes states a size above the limit."""
    most = most_unpacked(size)
    if 8 * n_rows * n_columns > most:
        raise DataError(too_large(most))
