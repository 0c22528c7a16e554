"""What is written is read back equal, for any label Unicode allows; what is read is not trusted."""

from __future__ import annotations

import json
import os
import tempfile
import tomllib
from contextlib import suppress
from pathlib import Path

import pandas as pd
from any_label import ANY, examples
from hypothesis import given
from hypothesis import strategies as st

from pyexpr.base.csv_file import csv_table
from pyexpr.base.csv_text import csv_text
from pyexpr.base.errors import PyexprError
from pyexpr.base.files import write_text
from pyexpr.base.results import jsonable
from pyexpr.base.saved import pack, unpack
from pyexpr.measurement.model_syntax import parse_model
from pyexpr.study.file.entries import toml_entries
from pyexpr.study.init.draft import Draft
from pyexpr.study.kept.store import StageOutput, load, save

NUMBER = st.floats(allow_nan=False)
# Blanks around values do not count in a CSV file, and no text in UTF-8 holds NUL.
IN_CSV = ANY.map(lambda label: label.replace("\0", "").strip()).filter(bool)
# On a system of files a name holds neither NUL nor a slash, and 255 bytes at most.
FILE_NAME = ANY.map(lambda label: label.replace("\0", "").replace("/", "")[:60]).filter(
    lambda name: name not in ("", ".", "..")
)
ENTRY = st.one_of(ANY, st.integers(), NUMBER, st.booleans(), st.lists(ANY, max_size=2))
# A study file has no NUL, and no whole number that a computer's registers do not hold.
WITHOUT_NUL = ANY.map(lambda label: label.replace("\0", ""))
IN_STUDY = st.one_of(
    WITHOUT_NUL, st.integers(-(2**63), 2**63 - 1), NUMBER, st.lists(WITHOUT_NUL, max_size=2)
)


def frame(label: str, number: float) -> pd.DataFrame:
    return pd.DataFrame({f"c{label}": [label, "b"], "n": [number, 0.5], "notes": ["", label]})


@examples(25)
@given(IN_CSV, NUMBER)
def test_csv(label: str, number: float) -> None:
    table = frame(label, number)
    content = csv_text(table).encode("utf-8")
    labels = [name for name in table if name != "n"]
    read = csv_table(content, path="t.csv", labels=labels, what="t.csv")
    assert list(read) == list(table)
    assert read.iloc[:, 0].tolist() == table.iloc[:, 0].tolist()
    assert read["n"].tolist() == table["n"].tolist()


@examples(25)
@given(ANY, NUMBER)
def test_saved_results(label: str, number: float) -> None:
    table = frame(label, number).set_index("notes")
    read = unpack(pack({label: table, "text": (label, number)}))
    assert list(read) == [label, "text"] if label != "text" else ["text"]
    assert read["text"] == (label, number)
    if label != "text":
        pd.testing.assert_frame_equal(read[label], table)


@examples(15)
@given(ANY, NUMBER)
def test_stages(label: str, number: float) -> None:
    facts = {label: [label, {"n": number if abs(number) < 1e308 else 0.0}]}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "models.zip"
        save(path, label, StageOutput({"t": frame(label, number)}, facts))
        read = load(path, label)
    assert read is not None
    assert read.facts == facts
    pd.testing.assert_frame_equal(read.tables["t"], frame(label, number), check_dtype=False)


@examples(20)
@given(st.dictionaries(WITHOUT_NUL, IN_STUDY, max_size=2), ANY)
def test_study_files(entries: dict[str, object], why: str) -> None:
    draft = Draft()
    draft.set("data", "names", entries, why)
    draft.hint("data", f"It may be {why}.")
    text = draft.text(f"For {why}.")
    assert tomllib.loads(text) == draft.raw()
    assert toml_entries(text.encode("utf-8"), "study.toml") == draft.raw()


@examples(50)
@given(st.recursive(ENTRY, lambda inner: st.dictionaries(ANY, inner, max_size=2), max_leaves=4))
def test_json(found: object) -> None:
    # As the command line prints it: in ASCII, without numbers that JSON does not have.
    text = json.dumps(jsonable(found), ensure_ascii=True, allow_nan=False)
    read = json.loads(text)
    assert read == found or "inf" in text


@examples(15)
@given(FILE_NAME, ANY)
def test_names_of_files_and_folders(name: str, content: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_text(Path(folder) / name / name, content)
        assert os.listdir(folder) == os.listdir(Path(folder) / name) == [name]
        assert (Path(folder) / name / name).read_bytes() == content.encode("utf-8")


@examples(50)
@given(st.one_of(ANY.map(lambda text: text.encode("utf-8")), st.binary(max_size=40)))
def test_what_is_read_is_understood_or_refused(content: bytes) -> None:
    readers = (
        lambda: csv_table(content, path="t.csv", what="t.csv"),
        lambda: toml_entries(content, "study.toml"),
        lambda: unpack(content),
        lambda: parse_model(content.decode("utf-8", "replace")),
    )
    for read in readers:
        with suppress(PyexprError):
            read()
