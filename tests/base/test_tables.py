"""Tables at the door: what is wrong is named with column, row and value."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pyexpr.base.errors import ColumnError, DataError, counted, have
from pyexpr.base.messages import kind_of
from pyexpr.base.tables import (
    as_frame,
    column_or_array,
    label_codes,
    numeric_column,
    require_columns,
    text_columns,
)

FRAME = pd.DataFrame({"subject": ["s1", "s2"], "score": [1, 2]})


def test_a_missing_column_lists_near_names() -> None:
    with pytest.raises(ColumnError, match=r"no column 'Subjct'; did you mean 'subject'\?"):
        require_columns(FRAME, ["Subjct"], what="the ratings")


def test_a_missing_column_without_near_names_lists_all() -> None:
    with pytest.raises(ColumnError, match=r"no column 'zzz'; it has 'subject', 'score'"):
        require_columns(FRAME, ["zzz"], what="the ratings")


def test_doubled_columns_are_refused() -> None:
    with pytest.raises(ColumnError, match="two columns of the same name: 'a'"):
        as_frame(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_not_a_table() -> None:
    with pytest.raises(DataError, match=r"must be a table .* not a number"):
        as_frame(3)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "None"), (True, "True"), (3, "a number"), (np.float64(0.5), "a number"),
        ("a", "text"), ([1], "a list"), ((1,), "a list"), ({"a": 1}, "a mapping"), ({1}, "a set"),
        (Path("a"), type(Path("a")).__name__),
    ],
)  # fmt: skip
def test_what_a_value_is_in_words_of_no_language(value: object, words: str) -> None:
    assert kind_of(value) == words


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ([1, "two", 3], {}, r"must be a number, but row 2 holds 'two'"),
        ([1, np.inf], {}, r"must be finite, but row 2 holds inf"),
        ([0, 5, 6], {"low": 0, "high": 4}, r"between 0 and 4, but row 2 holds .*5.* \(2 such rows"),
        ([-1.0], {"low": 0}, r"at least 0, but row 1 holds"),
        ([9.0], {"high": 4}, r"at most 4, but row 1 holds"),
        ([1.0, 1.5], {"integer": True}, r"a whole number, but row 2 holds .*1.5"),
        (
            [1.0, -1e160, np.nan],
            {},
            r"'x' of the data: numbers as large as 1e\+160 cannot be squared",
        ),
        ([0.0, 1e-150], {}, r"'x' of the data: numbers of at most 1e-150 cannot be squared"),
    ],
)
def test_bad_numbers_are_named(
    values: list[object], options: dict[str, float], message: str
) -> None:
    with pytest.raises(ColumnError, match=message):
        numeric_column(pd.DataFrame({"x": values}), "x", what="the data", **options)


def test_missing_numbers_become_nan() -> None:
    frame = pd.DataFrame({"x": pd.array([1, None, 3], dtype="Int64")})
    values = numeric_column(frame, "x", what="the data", low=0, integer=True)
    np.testing.assert_array_equal(values, [1.0, np.nan, 3.0])


def test_column_or_array() -> None:
    name, values = column_or_array(FRAME, "subject", argument="cluster", what="the table")
    assert (name, list(values)) == ("subject", ["s1", "s2"])
    name, values = column_or_array(FRAME, [7, 8], argument="cluster", what="the table")
    assert (name, list(values)) == ("cluster", [7, 8])
    with pytest.raises(DataError, match=r"have its length 2, but its shape is \(3,\)"):
        column_or_array(FRAME, [1, 2, 3], argument="cluster", what="the table")


def test_a_series_of_the_same_rows_in_another_order_is_refused() -> None:
    table = FRAME.set_axis([10, 20])
    shuffled = pd.Series(["s2", "s1"], index=[20, 10])
    with pytest.raises(DataError, match="cluster= has the index of the table, but in another"):
        column_or_array(table, shuffled, argument="cluster", what="the table")
    # In their order, of other rows, or told to be right as they stand, values go by position.
    for values in (shuffled[::-1], shuffled.set_axis([7, 8]), shuffled.to_numpy()):
        found = column_or_array(table, values, argument="cluster", what="the table")[1]
        assert list(found) == list(values)


def test_repeated_labels_and_levels_of_an_index() -> None:
    table = pd.DataFrame({"x": range(4)}, index=[0, 1, 0, 1])
    with pytest.raises(DataError, match="but in another order"):
        column_or_array(table, pd.Series(range(4), [0, 0, 1, 1]), argument="cluster", what="it")
    levels = pd.MultiIndex.from_product([[0, 1], [0, 1]])
    for values in (pd.Series(range(4), levels), pd.Series(range(4), [0, 0, 0, 1])):
        assert list(column_or_array(table, values, argument="cluster", what="it")[1]) == [
            0,
            1,
            2,
            3,
        ]
    with pytest.raises(DataError, match="but in another order"):
        column_or_array(
            table.set_axis(levels), pd.Series(range(4), levels[::-1]), argument="cluster", what="it"
        )


def test_label_codes_are_sorted_and_whole() -> None:
    codes, labels = label_codes(["b", "a", "b"], name="s", what="the table")
    assert (codes.tolist(), labels) == ([1, 0, 1], ["a", "b"])
    with pytest.raises(ColumnError, match="row 2 is empty"):
        label_codes(["b", None], name="s", what="the table")
    with pytest.raises(ColumnError, match="mixes text and numbers"):
        label_codes(["b", 1], name="s", what="the table")


def test_categories_are_sorted_as_labels() -> None:
    column = pd.Categorical(["b", "a", "c"], categories=["c", "b", "a"])
    codes, labels = label_codes(column, name="c", what="data")
    assert labels == ["a", "b", "c"]
    assert codes.tolist() == [1, 0, 2]


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("the ratings (my ratings.csv)", "the ratings (my ratings.csv) have"),
        ("the predictions", "the predictions have"),
        ("the data (a.csv)", "the data (a.csv) have"),
        ("the weights' figure", "the weights' figure has"),
        ("the table of predictions", "the table of predictions has"),
        ("the paper's numbers", "the paper's numbers have"),
        ("X", "X has"),
        ("data", "data has"),
    ],
)
def test_the_verb_agrees_with_the_noun(what: str, words: str) -> None:
    assert have(what) == words
    with pytest.raises(ColumnError) as caught:
        require_columns(pd.DataFrame({"a": [1]}), ["b"], what=what)
    assert str(caught.value).startswith(f"{words} no column 'b'")


def test_numbers_of_things() -> None:
    assert counted(1, "row") == "1 row"
    assert counted(0, "row", "was", "were") == "0 rows were"
    assert counted(1, "target", "has", "have") == "1 target has"


@pytest.mark.parametrize("n", [0, 3])
def test_columns_of_text_are_those_of_pandas(n: int) -> None:
    columns = {"term": ["p", "q", "p - q"][:n], "context": ["", "é", "p"][:n]}
    for given in (columns, columns | {"label": [1, 2, 3][:n]}):
        found = pd.DataFrame(text_columns(given))
        pd.testing.assert_frame_equal(found, pd.DataFrame(given), check_exact=True)
    # They do not share what a user changes in one of them.
    if n:
        found.loc[0, "term"] = "changed"
        assert found["context"].tolist() == columns["context"]


@pytest.mark.parametrize("n", [40, 3000])
def test_labels_of_few_and_of_many_rows(n: int) -> None:
    texts = [f"s{number % 7}" for number in range(n)][::-1]
    codes, labels = label_codes(pd.Series(texts), name="subject", what="the table")
    assert labels == sorted(set(texts))
    assert [labels[code] for code in codes] == texts
    texts[5] = None  # type: ignore[call-overload]
    with pytest.raises(ColumnError, match="row 6 is empty"):
        label_codes(pd.Series(texts), name="subject", what="the table")
