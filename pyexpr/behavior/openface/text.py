"""The text of a file, plain or compressed, a piece at a time, and the hash of the file's bytes."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final

from pyexpr.base.checks import kernel_threads
from pyexpr.base.errors import OpenFaceError
from pyexpr.base.unpacking import most_unpacked, too_large
from pyexpr.core.csv_reader import RestOfFile, file_digest

# A piece stays in the cache of the processor from where it is copied to where it is parsed.
_PIECE: Final = 1 << 17
_BUFFERS: Final = 3
# What is kept of the end of a compressed text.
_TAIL: Final = 1 << 18
# From so many bytes on a thread of its own for the hash costs less than it saves.
_WORTH_A_THREAD: Final = 1 << 20
_MAGIC: Final = {b"\x1f\x8b": "gzip", b"BZh": "bz2"}
_LONGEST_MAGIC: Final = 3


def pieces_of(content: bytes) -> Iterator[memoryview]:
    """Yield a text that is in memory, a piece at a time."""
    view = memoryview(content)
    for start in range(0, len(view), _PIECE):
        yield view[start : start + _PIECE]


class _HashedFile(io.RawIOBase):
    """A file that hashes what is read of it."""

    def __init__(self, file: io.FileIO, digest: Any) -> None:
        self._file = file
        self.digest = digest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        n = self._file.readinto(buffer) or 0
        self.digest.update(memoryview(buffer)[:n])
        return n


class _Hashing:
    """A thread that hashes pieces in their order, while others use them.

    Without instructions of the processor SHA-256 takes longer than all else that is done with a
    piece.
    """

    def __init__(self, digest: Any) -> None:
        self._digest = digest
        self._given: SimpleQueue[tuple[memoryview, int] | None] = SimpleQueue()
        self._free: SimpleQueue[memoryview] = SimpleQueue()
        for _ in range(_BUFFERS):
            self._free.put(memoryview(bytearray(_PIECE)))
        self._thread = Thread(target=self._work)
        self._thread.start()

    def buffer(self) -> memoryview:
        """Return a buffer whose piece was hashed; who reads has done with it, too."""
        return self._free.get()

    def give(self, buffer: memoryview, length: int) -> None:
        self._given.put((buffer, length))

    def end(self) -> None:
        self._given.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (given := self._given.get()) is not None:
            buffer, length = given
            self._digest.update(buffer[:length])
            self._free.put(buffer)


class TextFile:
    """The text of a file, a piece at a time; to be used in a ``with`` block.

    Attributes
    ----------
    n_bytes : int
        Length of the text; 0 if the file is compressed.
    compressed : bool
    tail : bytes
        The end of a compressed text, when `pieces` has gone through it.

    Raises
    ------
    OSError
        If the file cannot be opened or read.
    OpenFaceError
        If its compression is damaged, or there is more in it than may be.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._opened = open(path, "rb", buffering=0)  # noqa: SIM115 - closed by __exit__
        start = self._opened.read(_LONGEST_MAGIC)
        self._opened.seek(0)
        self._compression = next((_MAGIC[magic] for magic in _MAGIC if start.startswith(magic)), "")
        # Without such instructions a thread hashes, unless several files are read at a time.
        own = None if self._compression else file_digest()
        self._alone = kernel_threads(None) != 1
        self._file = _HashedFile(self._opened, hashlib.sha256() if own is None else own)
        self._own_digest = own
        self._text: Any = self._file
        # Python's modules: they know a file that was cut from a whole one.
        if self._compression == "gzip":
            self._text = gzip.GzipFile(fileobj=self._file, mode="rb")
        elif self._compression == "bz2":
            self._text = bz2.BZ2File(self._file)
        size = os.fstat(self._opened.fileno()).st_size
        self.compressed = bool(self._compression)
        self.n_bytes = 0 if self.compressed else size
        self.tail = b""
        self._unpacked, self._most = 0, most_unpacked(size) if self.compressed else 0
        self._hashing: _Hashing | None = None

    def __enter__(self) -> TextFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_hashing()
        self._opened.close()

    def rest(self) -> RestOfFile | None:
        """Return what comes after `beginning`, where it can be read without Python's lock."""
        if self._own_digest is None:
            return None
        return RestOfFile(self._opened.fileno(), self._own_digest)

    def beginning(self, length: int) -> Iterator[memoryview]:
        """Yield the first `length` bytes of a text that is not compressed, as `pieces` does."""
        buffer = memoryview(bytearray(min(length, _PIECE)))
        while length > 0 and (n := self._read(buffer[:length])):
            length -= n
            yield buffer[:n]

    def pieces(self) -> Iterator[memoryview]:
        """Yield the text; a piece is invalid as soon as the next one is requested."""
        if self._alone and not self._compression and self.n_bytes >= _WORTH_A_THREAD:
            # Where the system gives no more threads, this one does all.
            with suppress(RuntimeError):
                self._hashing = _Hashing(self._file.digest)
        if self._hashing is not None:
            yield from self._pieces_hashed_apart(self._hashing)
            return
        buffer = memoryview(bytearray(_PIECE))
        while n := self._read(buffer):
            if self.compressed:
                self.tail = (self.tail + buffer[:n])[-_TAIL:]
            yield buffer[:n]

    def _pieces_hashed_apart(self, hashing: _Hashing) -> Iterator[memoryview]:
        while True:
            buffer = hashing.buffer()
            n = self._opened.readinto(buffer)
            if not n:
                return
            hashing.give(buffer, n)
            yield buffer[:n]

    def head(self, length: int) -> bytes:
        """Return the beginning of the text; nothing else is read of the file then."""
        if not self._compression:
            return self._opened.read(length)
        head = memoryview(bytearray(length))
        done = 0
        while done < length and (n := self._read(head[done:])):
            done += n
        return bytes(head[:done])

    def last(self, length: int) -> bytes:
        """Return the end of a text that is not compressed; as `head`."""
        self._opened.seek(max(0, self.n_bytes - length))
        return self._opened.read(length)

    def sha256(self) -> str:
        """Return the SHA-256 of the whole file, in hexadecimal."""
        self._end_hashing()
        rest = memoryview(bytearray(_PIECE))
        while self._file.readinto(rest):
            pass
        found: str = self._file.digest.hexdigest()
        return found

    def _end_hashing(self) -> None:
        if self._hashing is not None:
            self._hashing.end()
            self._hashing = None

    def _read(self, buffer: memoryview) -> int:
        if not self._compression:
            return self._file.readinto(buffer)
        try:
            n = self._text.readinto(buffer) or 0
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise OpenFaceError(
                f"{self._path!r}: the {self._compression} compression is damaged ({error}); "
                "copy the file again"
            ) from None
        self._unpacked += n
        if self._unpacked > self._most:
            raise OpenFaceError(f"{self._path!r}: {too_large(self._most)}")
        return n
