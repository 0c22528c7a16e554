"""A file of kilobytes that unpacks to gigabytes is refused when the limit is reached."""

from __future__ import annotations

import bz2
import doctest
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pyexpr.base import unpacking
from pyexpr.base.csv_file import csv_table, read_csv
from pyexpr.base.errors import DataError, SavedResultError
from pyexpr.base.saved import unpack
from pyexpr.base.unpacking import SETTING, decompressed, most_unpacked

PACKERS = [gzip.compress, bz2.compress, lzma.compress]


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "_HARMLESS", 10_000)
    monkeypatch.setattr(unpacking, "_MOST", 100_000)


def test_examples() -> None:
    assert doctest.testmod(unpacking).failed == 0


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize("pack", PACKERS)
def test_a_table_that_unpacks_to_far_too_much(
    pack: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = pack(b"a,b\n" + b"0,0\n" * 200_000)
    with pytest.raises(DataError, match=rf"t\.csv: the file unpacks to more .* {SETTING}"):
        csv_table(content, path="t.csv", what="t.csv")
    monkeypatch.setenv(SETTING, "0.001")
    assert len(csv_table(content, path="t.csv", what="t.csv")) == 200_000


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize("pack", PACKERS)
def test_no_more_is_unpacked_than_may_be(
    pack: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    requested: list[int] = []
    of_kind = next(kind for kind in unpacking._OPENERS if pack(b"").startswith(kind))
    opener = unpacking._OPENERS[of_kind]

    class Counting(io.BytesIO):
        def __init__(self, file: io.BytesIO) -> None:
            self.unpacked = opener(file)

        def read(self, size: int | None = -1) -> bytes:
            assert size is not None
            requested.append(size)
            return self.unpacked.read(size)

    monkeypatch.setitem(unpacking._OPENERS, of_kind, Counting)
    content = pack(b"0" * 1_000_000)
    with pytest.raises(DataError, match="unpacks to more than"):
        decompressed(content)
    assert requested == [most_unpacked(len(content)) + 1]


@pytest.mark.parametrize("pack", PACKERS)
def test_parts_one_after_the_other_and_a_cut(pack: Callable[[bytes], bytes]) -> None:
    assert decompressed(pack(b"a,b\n") + pack(b"1,2\n")) == b"a,b\n1,2\n"
    cut = pack(b"a,b\n1,2\n" * 100)[:-6]
    with pytest.raises(DataError, match=r"its compression is damaged"):
        csv_table(cut, path="t.csv", what="t.csv")


@pytest.mark.usefixtures("small_limits")
def test_a_saved_result() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("result.json", b"[" * 1_000_000)
        archive.writestr("arrays.bin", b"")
    with pytest.raises(SavedResultError, match=r"unpacks to more than"):
        unpack(packed.getvalue())


def test_a_limit_that_is_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, "much")
    path = tmp_path / "t.csv"
    path.write_bytes(gzip.compress(b"a\n1\n"))
    with pytest.raises(DataError, match=rf"{SETTING} holds 'much'; give a number of gigabytes"):
        read_csv(path, what="t.csv")
    # Of what is not packed nothing is asked.
    path.write_bytes(b"a\n1\n")
    assert len(read_csv(path, what="t.csv")) == 1
