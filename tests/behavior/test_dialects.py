"""A recording as people save it: every dialect reads as the file that OpenFace wrote."""

from __future__ import annotations

import bz2
import csv
import gzip
import hashlib
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from behavior.openface_files import POSE, TIME, Layout, rows, text
from pyarrow import csv as arrow_csv
from pyarrow import feather, parquet

from pyexpr.base.errors import OpenFaceError
from pyexpr.behavior.openface.csv import read_header
from pyexpr.behavior.openface.dialects import is_dialect
from pyexpr.behavior.openface.recording import read_openface
from pyexpr.behavior.openface.text import TextFile

N = 20
LAYOUT = Layout(["frame", "face_id", *TIME, *POSE, "AU01_r", "AU01_c"])
PLAIN = text(LAYOUT, rows(LAYOUT, N))


def table() -> list[list[str]]:
    return list(csv.reader(io.StringIO(PLAIN)))


def written(records: list[list[str]], **how: object) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n", **how).writerows(records)  # type: ignore[arg-type]
    return out.getvalue().encode()


def changed(column: str, change: Callable[[str], str]) -> bytes:
    records = table()
    at = records[0].index(column)
    for row in records[1:]:
        row[at] = change(row[at])
    return written(records)


def decimal_commas(separator: str) -> bytes:
    return written([[f.replace(".", ",") for f in row] for row in table()], delimiter=separator)


def zipped(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "."), content)
    return packed.getvalue()


def workbook(*, shared: bool) -> bytes:
    """Write what Excel writes: texts in a list of their own or in place, empty cells left out."""
    head, *body = table()
    message, strings = [], []
    for number, name in enumerate(head):
        strings.append(f"<si><t>{name}</t></si>")
        inline = f'<c t="inlineStr"><is><t>{name}</t></is></c>'
        message.append(
            f'<c r="{chr(65 + number)}1" t="s"><v>{number}</v></c>' if shared else inline
        )
    lines = [f"<row>{''.join(message)}</row>", "<row/>"]
    at = head.index("success")
    for row in body:
        cells = [
            f'<c r="{chr(65 + n)}2" t="b"><v>{value}</v></c>' if n == at
            else f'<c r="{chr(65 + n)}2"><v>{value}</v></c>'
            for n, value in enumerate(row)
        ]  # fmt: skip
        lines.append(f"<row>{''.join(cells)}</row>")
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        archive.writestr("xl/sharedStrings.xml", f"<sst {space}>{''.join(strings)}</sst>")
        sheet = f"<worksheet {space}><sheetData>{''.join(lines)}</sheetData></worksheet>"
        archive.writestr("xl/worksheets/sheet1.xml", sheet)
        archive.writestr("xl/worksheets/sheet2.xml", f"<worksheet {space}><sheetData/></worksheet>")
    return packed.getvalue()


def arrow(write: Callable) -> bytes:
    out = io.BytesIO()
    write(arrow_csv.read_csv(io.BytesIO(PLAIN.encode())), out)
    return out.getvalue()


HEAD, BODY = PLAIN.split("\n", 1)
WIDE = [[*row, "", ""] for row in table()]
# R makes ".success" and "X.success" of " success".
DIALECTS = {
    "quotes": written(table(), quoting=csv.QUOTE_ALL),
    "a name with a comma": written(
        [[*row, "film" if n == 0 else "P01, first.mp4"] for n, row in enumerate(table())]
    ),
    "semicolons": written(table(), delimiter=";"),
    "semicolons and decimal commas": decimal_commas(";"),
    "tabs": written(table(), delimiter="\t"),
    "tabs and decimal commas": decimal_commas("\t"),
    "TRUE": changed("success", lambda value: "TRUE" if value == "1" else "FALSE"),
    "true": changed("success", lambda value: "true"),
    "comments": ("# OpenFace 2.2.0\n#\n" + PLAIN).encode(),
    "comments among rows": PLAIN.replace("\n", "\n# a remark, with commas\n", 3).encode(),
    "a footer": (PLAIN + "# written by a script").encode(),
    "dots of R": (HEAD.replace(",", ",X.").replace("_", ".") + "\n" + BODY).encode(),
    "dots at the beginning": (HEAD.replace(",", ",.") + "\n" + BODY).encode(),
    "capitals": ("Frame,Face_ID,TimeStamp,Confidence,Success" + PLAIN[42:]).encode(),
    "empty rows": written([*WIDE, *[[""] * len(WIDE[0])] * 5]),
    "empty rows between": written([*WIDE[:9], [""] * len(WIDE[0]), *WIDE[9:], [""] * len(WIDE[0])]),
    "utf-16": PLAIN.encode("utf-16"),
    "utf-16 of Excel": written(table(), delimiter="\t").decode().encode("utf-16"),
    "xz": lzma.compress(PLAIN.encode()),
    "zip": zipped(a__csv=PLAIN.encode()),
    "zip of semicolons": zipped(a__txt=decimal_commas(";")),
    "xlsx": workbook(shared=True),
    "xlsx of other programs": workbook(shared=False),
    "parquet": arrow(parquet.write_table),
    "feather": arrow(feather.write_feather),
}


def test_capitals_are_changed_at_all() -> None:
    assert PLAIN[:43] == "frame,face_id,timestamp,confidence,success,"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_reads_as_openfaces_own(dialect: str, tmp_path: Path) -> None:
    (tmp_path / "plain.csv").write_text(PLAIN)
    (tmp_path / "other.csv").write_bytes(DIALECTS[dialect])
    plain, other = (read_openface(tmp_path / name) for name in ("plain.csv", "other.csv"))
    assert (other.n_frames, other.fps, other.log) == (plain.n_frames, plain.fps, plain.log)
    for group, values in plain.groups.items():
        np.testing.assert_array_equal(other.groups[group], values, err_msg=group)
    assert (
        read_header(tmp_path / "other.csv").groups() == read_header(tmp_path / "plain.csv").groups()
    )


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode(),
        ("\ufeff" + PLAIN).encode(),
        PLAIN.replace(",", ", ").encode(),
        # What R's write.csv does to names, and a column of row names.
        "\n".join(
            [",".join(f'"{name}"' for name in ["", *HEAD.split(",")])]
            + [f'"{n}",{line}' for n, line in enumerate(BODY.splitlines(), 1)]
        ).encode(),
    ],
    ids=["as written", "byte order mark", "blanks", "R"],
)
def test_what_reads_anyway_costs_nothing(content: bytes) -> None:
    assert not is_dialect(content)


def test_names_that_two_columns_would_get_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEAD.replace("pose_Tx", "X.pose_Tx,pose.Tx", 1) + "\n" + BODY)
    with pytest.raises(OpenFaceError, match="lacks 'pose_Tx'"):
        read_openface(path, groups=["pose_translation"])


def test_a_damaged_row_is_no_comment(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    lines = PLAIN.splitlines()
    lines[5] = "#" + lines[5][1:]
    path.write_text("\n".join([*lines, ""]))
    with pytest.raises(OpenFaceError, match="column 'frame' must hold numbers, but row 5 holds '#"):
        read_openface(path)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
@pytest.mark.parametrize("end", ["", "," * HEAD.count(",") + "\n"])
def test_a_compressed_file_is_unpacked_once_but_for_empty_rows(
    pack: Callable[[bytes], bytes], end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(pack((PLAIN + end).encode()))
    opened: list[str] = []
    whole = TextFile.pieces
    monkeypatch.setattr(TextFile, "pieces", lambda self: (opened.append("all"), whole(self))[1])
    assert read_openface(path).n_frames == N
    assert len(opened) == (2 if end else 1)


def test_cut_rows_of_a_dialect_are_found(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    content = written(table(), delimiter=";").decode()
    lines = content.splitlines()
    lines[5] = lines[5][:20]
    lines[7] += ";1"
    path.write_text("\n".join(lines)[:-2])  # the last number is cut, too
    log = read_openface(path).log
    assert (log.rows_read, log.rows_cut, log.rows_overlong) == (N - 3, 2, 1)


@pytest.mark.parametrize("dialect", ["semicolons", "xz", "empty rows"])
def test_the_hash_is_of_the_file(dialect: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(DIALECTS[dialect])
    assert read_openface(path).sha256 == hashlib.sha256(DIALECTS[dialect]).hexdigest()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_empty_rows_at_the_end_of_a_long_file(
    pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    whole = written(rows_up_to(400_000) + [[""] * len(table()[0])] * 3)
    (tmp_path / "a.csv").write_bytes(pack(whole))
    log = read_openface(tmp_path / "a.csv").log
    assert (log.rows_read, log.rows_cut) == (whole.count(b"\n") - 4, 0)


def rows_up_to(n_bytes: int) -> list[list[str]]:
    """Return a table of so many characters, or a few more."""
    head, *body = table()
    times = n_bytes // len(PLAIN) + 1
    return [head] + [
        [str(round_ * N + n + 1), row[1], f"{(round_ * N + n) / 25:.2f}", *row[3:]]
        for round_ in range(times)
        for n, row in enumerate(body)
    ]


def test_a_quote_that_nothing_closes_is_of_its_own_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    # In a file that is read as OpenFace's own, and in one of another dialect.
    for separator in ",;":
        lines = written(table(), delimiter=separator).decode().splitlines()
        fields = lines[5].split(separator)
        lines[5] = separator.join([*fields[:5], f'"{fields[5]}', *fields[6:9]])
        path.write_text("\n".join([*lines, ""]))
        log = read_openface(path).log
        assert (log.rows_read, log.rows_cut) == (N - 1, 1)


def test_a_remark_over_several_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    records = [
        [*row, "remark" if n == 0 else 'says "no",\nthen laughs'] for n, row in enumerate(table())
    ]
    path.write_bytes(written(records))
    log = read_openface(path).log
    assert (log.rows_read, log.rows_cut) == (N, 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (zipped(a__csv=b"x", b__csv=b"y"), "the archive holds 2 files"),
        (zipped(a__csv=b"0," * 60_000_000), "unpacks to more than 0.1 GB"),
        (zipped(a__csv=PLAIN.encode())[:-40], "cannot be unpacked"),
        (lzma.compress(PLAIN.encode())[:-40], "cannot be unpacked"),
        (DIALECTS["parquet"][:-9], "cannot be unpacked"),
        (zipped(a__csv=b"a;b\n1;2\n"), "not an OpenFace file"),
        (DIALECTS["utf-16"][:-1], "cannot be unpacked"),
    ],
)
def test_what_cannot_be_unpacked(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(OpenFaceError, match=message):
        read_openface(tmp_path / "a.csv")
