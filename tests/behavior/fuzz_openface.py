"""Damaged recordings through the reader and through its twin, Arrow: the same table or error.

The test takes a few hundred. A long run, from the folder tests:

    python -m behavior.fuzz_openface --files 100000 --seed 1
"""

from __future__ import annotations

import argparse
import random
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from behavior.openface_files import AU_C, GAZE_ANGLE, LAYOUTS, POSE, TIME, Layout, rows, text
from reference import openface_csv as twin

from pyexpr.base.errors import OpenFaceError
from pyexpr.behavior.openface.csv import open_source, read_columns

PIECES = [
    *(b",", b",,", b", ", b"\n", b"\n\n", b"\r", b"\r\n", b'"', b" ", b"      ", b"\t", b";"),
    *(b"nan", b"-nan(ind)", b"inf", b"Infinity", b"NA", b"null", b"1.#QNAN", b"-1.#IND00", b"1.#R"),
    *(b"-", b"+", b".", b"e5", b"E-400", b"1e999", b"1_0", b"0x1p3", b"abc", b"0", b"0" * 30),
    *(b"12345678901234567", b"0.1234567890123456789", b"\xff", b"\x00", b"\xc3\xa9", b"\x0b"),
    b"\xef\xbb\xbf",
]
ENDS = [b"\n", b"\r", b"\r\n", b"\n\n", b"\n\r"]
SMALL = Layout(["frame", "face_id", *TIME, *POSE, *GAZE_ANGLE, "AU01_r", *AU_C[:2]], " ", " ")


def recordings(names: Sequence[str] = ("714", "431", "334", "61", "46", "46", "46")) -> list[bytes]:
    """Return whole files of these layouts, and a small one more often."""
    small = text(SMALL, rows(SMALL, 4)).encode()
    return [small] * 8 + [text(LAYOUTS[name], rows(LAYOUTS[name], 2)).encode() for name in names]


def damaged(draw: random.Random, whole: bytes) -> bytes:
    """Change a file in one to six places, mostly behind its header."""
    data = bytearray(whole)
    for _ in range(draw.choice([1, 1, 1, 2, 3, 6])):
        first = 0 if draw.random() < 0.15 else data.find(b"\n") + 1
        at = draw.randrange(first, max(first, len(data) - 1) + 1)
        after = data.find(b",", at)
        kind = draw.randrange(9)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            data[at : at + draw.randrange(6)] = draw.choice(PIECES)
        elif kind == 2:
            del data[at : at + draw.randrange(1, 40)]
        elif kind == 3 and draw.random() < 0.5:
            del data[at:]
        elif kind == 4 and after >= 0:  # a field doubled
            end = data.find(b",", after + 1)
            data[end:end] = data[after:end]
        elif kind == 5:  # a line doubled
            start, end = data.find(b"\n", at), data.find(b"\n", data.find(b"\n", at) + 1)
            data[end:end] = data[start:end] if end > start else b""
        elif kind == 6:
            data = data.replace(b"\r\n", b"\n").replace(b"\n", draw.choice(ENDS))
        elif kind == 7 and after >= 0:  # a field exchanged
            blank = draw.choice([b"", b" "])
            data[after + 1 : max(after + 1, data.find(b",", after + 1))] = (
                blank + draw.choice(PIECES) + draw.choice([b"", b" ", b"0"])
            )
        elif kind == 8:
            data = bytearray(data.rstrip(b"\r\n"))
    return bytes(data)


def ours(path: Path) -> twin.Table:
    source = open_source(path)
    names = list(source.header.positions)
    columns = read_columns(source, names)
    return twin.Table(
        columns.tables[tuple(names)], columns.n_cut, columns.n_overlong, columns.skipped
    )


def compared(path: Path) -> str:
    """Return "same table", "same error", "Arrow's words", or what differs."""
    mine, theirs = _answer(ours, path), _answer(lambda path: twin.read_table(path)[1], path)
    if isinstance(theirs, str):
        if "cannot be read as CSV" in theirs:
            # What Arrow refuses though each field is a number or a listed word: more blanks
            # around a word than are listed. We read it, or name another field.
            return "Arrow's words"
        same = isinstance(mine, str) and _plain(mine) == _plain(theirs)
        return "same error" if same else f"ours: {mine}; the twin's: {theirs}"
    if isinstance(mine, str):
        return f"ours: {mine}; the twin reads it"
    counts = [
        (one.n_cut, one.n_overlong, one.skipped[: len(theirs.skipped)]) for one in (mine, theirs)
    ]
    if counts[0] != counts[1]:
        return f"rows dropped: ours {counts[0]}, the twin's {counts[1]}"
    if not same_bits(mine.values, theirs.values):
        return f"values: ours {mine.values}, the twin's {theirs.values}"
    return "same table"


def _answer(read: Callable[[Path], twin.Table], path: Path) -> twin.Table | str:
    try:
        return read(path)
    except OpenFaceError as error:
        return str(error)


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Say whether two arrays hold the same doubles, all kinds of NaN being one."""
    if a.shape != b.shape:
        return False
    bits = [np.where(np.isnan(x), 0, np.ascontiguousarray(x).view(np.int64)) for x in (a, b)]
    return bool((np.isnan(a) == np.isnan(b)).all() and (bits[0] == bits[1]).all())


def _plain(message: str) -> str:
    """Leave out what is not ASCII, and capitals, which the twin leaves as they are.

    The twin says "?" for what is not ASCII where a file is not UTF-8.
    """
    return re.sub(r"[^ -~]|\?|\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|\\[tnr]", "", message).lower()


def run(files: int, seed: int, scratch: Path, whole: Sequence[bytes]) -> Counter[str]:
    """Compare so many damaged files; the first that differs raises `AssertionError`."""
    draw = random.Random(seed)
    seen: Counter[str] = Counter()
    for _ in range(files):
        content = damaged(draw, draw.choice(whole))
        scratch.write_bytes(content)
        answer = compared(scratch)
        seen[answer] += 1
        assert answer in ("same table", "same error", "Arrow's words"), (answer, content)
    return seen


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description="Compare the reader with its reference implementation."
    )
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        seen = run(options.files, options.seed, Path(folder) / "a.csv", recordings())
    print(f"{options.files} files, seed {options.seed}: {dict(seen)}")


if __name__ == "__main__":
    main()
