"""What is written as CSV is read back equal, whatever labels Unicode allows."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyexpr.base.csv_file import csv_table
from pyexpr.base.csv_text import csv_text
from pyexpr.base.errors import DataError

# Blanks around values do not count when a table is read, so no label has any.
TRIMMED = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
AWKWARD = st.sampled_from(
    ["=1+1", "+x", "-x", "@x", "-1", "+.5e3", "=", "'=x", "a,b", 'a"b', "a\rb", "a\nb", "a\r\nb",
     "#x", "NA", "007", "\u202ea", "a\u2028b", "\ufeffx", "'", '"', ";", "a;b", "-", "=\r"]
)  # fmt: skip
LABELS = st.one_of(AWKWARD, TRIMMED.filter(lambda label: label == label.strip() and label))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(LABELS, NUMBERS), min_size=1, max_size=6), LABELS)
def test_labels_and_numbers_are_read_back_equal(rows: list[tuple[str, float]], column: str) -> None:
    name = f"c{column}"
    table = pd.DataFrame(rows, columns=[name, "score"])
    table["label"] = table[name]
    text = csv_text(table)
    read = csv_table(text.encode(), path="t.csv", labels=[name.strip(), "label"], what="t.csv")
    stripped = [label.strip() for label in table[name]]
    assert read["label"].tolist() == stripped
    assert list(read) == [name.strip(), "score", "label"]
    assert read["score"].tolist() == table["score"].tolist()
    # Python's own reader sees as many rows and fields, and no text that is a formula.
    for record in [*csv.reader(io.StringIO(text, newline=""))]:
        assert len(record) == 3
        for cell in record:
            assert cell[:1] not in ("=", "@") or len(cell) == 1


def test_a_formula_is_text_and_a_number_is_a_number() -> None:
    labels = ["=HYPERLINK(1)", "+x", "-x", "@x", "-1", "+2.5", "-", "x=1"]
    text = csv_text(pd.DataFrame({"clip": labels, "=score": range(8)}))
    assert text.splitlines()[0] == "clip, =score"
    assert [line.rpartition(",")[0] for line in text.splitlines()[1:]] == [
        " =HYPERLINK(1)", " +x", " -x", " @x", "-1", "+2.5", "-", "x=1",
    ]  # fmt: skip


def test_other_tables_keep_their_bytes() -> None:
    table = pd.DataFrame({"term": ["a", "a - b"], "estimate": [-0.25, None], "n": [1, 2]})
    table["day"] = pd.to_datetime(["2026-01-01", None])
    table["kind"] = pd.Categorical(["a", None])
    table["is"] = [True, False]
    assert csv_text(table) == table.to_csv(index=False)


@pytest.mark.parametrize(("label", "shown"), [("a\0b", r"\x00"), ("a\ud800b", r"\ud800")])
def test_what_no_file_can_hold_is_refused(label: str, shown: str) -> None:
    with pytest.raises(DataError) as error:
        csv_text(pd.DataFrame({"clip": pd.Series([label], dtype=object)}))
    assert f"cannot hold {shown} (in 'clip" in str(error.value)
