"""The kernel of the reader: numbers bit by bit as Python's float reads them, in any pieces."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pyexpr.core import csv_reader
from pyexpr.core.csv_reader import CsvTables, RestOfFile, read_csv
from pyexpr.core.extension import kernels


def read(pieces: list[bytes], tables: list[list[int]], n_columns: int, **options: int) -> CsvTables:
    options = {"skip_lines": 0, "longest_line": 100_000, **options}
    return read_csv(pieces, tables, n_columns=n_columns, **options)


def numbers(texts: list[str]) -> np.ndarray:
    """Read numbers, seven to a row: four at once, where the processor can, and three alone."""
    padded = texts + ["0"] * (-len(texts) % 7)
    lines = [",".join(padded[start : start + 7]) for start in range(0, len(padded), 7)]
    result = read(["\n".join(lines).encode() + b"\n"], [list(range(7))], 7)
    assert result.unread is None
    assert not result.too_long
    return result.tables[0].ravel()[: len(texts)]


def python(texts: list[str]) -> np.ndarray:
    values = np.array([float(text) for text in texts])
    return np.where(np.isinf(values), np.nan, values)


def random_decimals(random: np.random.Generator, count: int) -> list[str]:
    """Return numbers as programs print them, and some that lie close to the middle of two."""
    doubles = random.integers(0, 2**64, count, dtype=np.uint64, endpoint=False).view(np.float64)
    doubles = np.where(np.isfinite(doubles), doubles, 0.5)
    plain = random.normal(size=count) * 10.0 ** random.integers(-8, 9, count)
    texts = []
    for kind, wide, near, places in zip(
        random.integers(0, 8, count), doubles.tolist(), plain.tolist(),
        random.integers(0, 25, count).tolist(), strict=True,
    ):  # fmt: skip
        match kind:
            case 0:
                texts.append(repr(wide))
            case 1:
                texts.append(f"{wide:.{places}e}")
            case 2:
                texts.append(repr(near))
            case 3:
                texts.append(f"{near:.{places}f}")
            case 4:
                texts.append(f"{near:.{places % 7}f}")
            case 5:
                texts.append(f"{near:.6g}")
            case 6:
                texts.append(f"{int(near * 1e9)}{int(abs(near) * 1e15)}e{places * 13 - 160}")
            case _:  # the middle of two doubles, and a little more or less
                low = abs(near)
                middle = exact_middle(low, float(np.nextafter(low, np.inf)))
                texts.append(middle + ("", "1", "e-1", "000000000000001")[places % 4])
    return texts


def exact_middle(low: float, high: float) -> str:
    """Return the decimal expansion of (low + high) / 2, which no double is."""
    a, b = low.as_integer_ratio()
    c, d = high.as_integer_ratio()
    numerator, denominator = a * d + c * b, 2 * b * d
    whole, rest = divmod(numerator, denominator)
    twos = denominator.bit_length() - 1  # denominators are powers of two
    return f"{whole}.{rest * 10**twos // denominator:0{twos}d}" if rest else f"{whole}.0"


def test_numbers_are_pythons_bit_by_bit() -> None:
    texts = random_decimals(np.random.default_rng(1), 20_000)
    theirs = python(texts)
    ours = numbers(texts)
    missing = np.isnan(theirs)
    assert (np.isnan(ours) == missing).all()
    different = ours[~missing].view(np.int64) != theirs[~missing].view(np.int64)
    assert not different.any(), np.array(texts)[~missing][different][:5]


TEXT = b"a, b\r\n1, nan\r\n\r\n3\r\n-4, x\n6, 7, 8\r5, 2.50\n9, 1.5"


@pytest.mark.parametrize("piece", range(1, len(TEXT) + 1))
def test_pieces_of_any_length(piece: int) -> None:
    pieces = [TEXT[start : start + piece] for start in range(0, len(TEXT), piece)]
    result = read(pieces, [[1, 0], [0]], 2, skip_lines=1)
    np.testing.assert_array_equal(result.tables[0], [[np.nan, 1], [np.nan, -4], [2.5, 5]])
    np.testing.assert_array_equal(result.tables[1], [[1], [-4], [5]])
    assert (result.cut, result.overlong, result.too_long) == ([2, 6], [4], False)
    assert result.unread is not None
    assert (result.unread.table, result.unread.column, result.unread.row) == (0, 0, 3)
    assert result.unread.text == b"x"


def test_a_piece_may_be_overwritten_by_the_next() -> None:
    def pieces() -> Iterator[memoryview]:
        buffer = bytearray(4)
        for start in range(0, len(TEXT), 4):
            part = TEXT[start : start + 4]
            buffer[: len(part)] = part
            yield memoryview(buffer)[: len(part)]

    again = read_csv(pieces(), [[0]], n_columns=2, skip_lines=1, longest_line=99)
    np.testing.assert_array_equal(again.tables[0], [[1], [-4], [5]])


def test_lines_that_are_too_long_end_the_reading() -> None:
    taken = []

    def pieces() -> Iterator[bytes]:
        for number in range(100):
            taken.append(number)
            yield b"1" * 10

    assert read_csv(pieces(), [[0]], n_columns=2, skip_lines=0, longest_line=95).too_long
    assert len(taken) == 10


def test_columns_beyond_the_row_are_refused() -> None:
    with pytest.raises(ValueError, match="beyond the row"):
        read([b""], [[2]], 2)


def test_ctrl_c_between_two_pieces() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"1,2\n"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_csv(pieces(), [[0]], n_columns=2, skip_lines=0, longest_line=95)


def test_tables_have_the_room_that_the_first_asks_for() -> None:
    seen: list[list[list[float]]] = []

    def room(first: np.ndarray) -> int:
        seen.append(first.tolist())
        return 50

    found = read_csv(
        [b"1,2,3\n4,5,6\n"], [[0], [2, 1]], n_columns=3, skip_lines=0, longest_line=99, room=room
    )
    assert seen == [[[1], [4]]]
    assert [table.tolist() for table in found.tables] == [[[1], [4]], [[3, 2], [6, 5]]]
    assert [len(memory) for memory in found.memory] == [2, 50]
    assert np.shares_memory(found.tables[1], found.memory[1])


@pytest.mark.parametrize("instructions", [False, True])
def test_the_hash_is_hashlibs(instructions: bool) -> None:
    content = np.random.default_rng(3).bytes(700)
    for length in (0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 700):
        digest = kernels.Sha256(instructions)
        for at in range(0, length, 61):
            digest.update(content[at : min(at + 61, length)])
        assert digest.hexdigest() == hashlib.sha256(content[:length]).hexdigest()


@pytest.mark.parametrize("at_once", [1, 1 << 18, 1 << 24])
def test_the_rest_of_a_file_is_read_like_pieces_and_hashed(
    at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_reader, "_AT_ONCE", at_once)
    lines = "".join(f"{k},{k / 7},x,{k * 1e5}, -nan,1,2,{k},{k % 3}\n" for k in range(9000))
    content = (lines + "1,2\n" + "1,2,3,4,5,6,7,8,9").encode()
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    tables = [[0, 1, 3, 4, 5, 6, 7], [8]]
    expected = read([content], tables, 9)
    with path.open("rb", buffering=0) as file:
        digest = kernels.Sha256(True)
        begin = file.read(1000)
        digest.update(begin)
        rest = RestOfFile(file.fileno(), digest)
        found = read_csv(
            [begin], tables, n_columns=9, skip_lines=0, longest_line=100_000, rest=rest
        )
    assert digest.hexdigest() == hashlib.sha256(content).hexdigest()
    assert (found.cut, found.overlong) == (expected.cut, expected.overlong)
    for ours, theirs in zip(found.tables, expected.tables, strict=True):
        assert ours.tobytes() == theirs.tobytes()


def test_a_file_that_cannot_be_read_on(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "a.csv", os.O_CREAT | os.O_WRONLY)
    try:
        with pytest.raises(OSError, match="descriptor"):
            read_csv(
                [b"1\n"], [[0]], n_columns=1, skip_lines=0, longest_line=10,
                rest=RestOfFile(descriptor, kernels.Sha256(True)),
            )  # fmt: skip
    finally:
        os.close(descriptor)
