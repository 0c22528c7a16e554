"""A message is text that keeps what it is made of, in files and pickles too."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pyexpr.base.errors import DataError, FactorModelError, Interrupted
from pyexpr.base.messages import (
    Message,
    Template,
    brief,
    codes_of,
    from_json,
    has_code,
    joined,
    message_column,
    message_of,
    parts_of,
    say,
    slots_of,
)
from pyexpr.base.saved import pack, unpack
from pyexpr.words.reader import readers_note, readers_reason

FEW = Template("few", "{n:count subject} in {context:label}; see {n_boot=}", report="few subjects")
NONE = Template("none", "there is nothing")()


@pytest.mark.parametrize(
    ("text", "values", "python", "reader"),
    [
        ("{a}, {b}", {"a": "x", "b": 1.5}, "x, 1.5", "x, 1.5"),
        ("{a:.2f}", {"a": -0.123}, "-0.12", "−0.12"),
        ("{a:,}", {"a": 12345}, "12,345", "12,345"),
        ("{a:percent}", {"a": 99.5}, "99.5 %", "99.5%"),
        ("{a:p}", {"a": 0.0321}, "p = .032", "p\u00a0=\u00a0.032"),
        ("{a:p}", {"a": 1e-9}, "p < .001", "p\u00a0<\u00a0.001"),
        ("{a:count clip, is, are}", {"a": 1}, "1 clip is", "1 clip is"),
        ("{a:count target, is, are}", {"a": 3}, "3 targets are", "3 clips are"),
        ("{thing targets}", {}, "targets", "clips"),
        ("{a:label}", {"a": "target"}, "'target'", "'target'"),
        ("{a:label}", {"a": np.int64(3)}, "3", "3"),
        ("{a}", {"a": np.dtype(bool)}, "bool", "bool"),
        ("{a:model} {b:model}", {"a": "lstm", "b": "x"}, "'lstm' 'x'", "OpenFace-LSTM 'x'"),
        ("{a:metric} {b:metric}", {"a": "r2", "b": "bca"}, "r2 bca", "R² BCa"),
        ("{a!r} {b!r}", {"a": "it's", "b": None}, '"it\'s" None', '"it\'s" None'),
        ("{a=} {b=} {b=2} {b=@c} {@d=}", {"a": 1, "c": "x", "d": "e"}, "a=1 b= b=2 b='x' e=", None),
        ("{column p_value}", {}, "p_value", None),
        ("{table contrasts}", {}, "contrasts()", None),
        ("{call px.icc()}", {}, "px.icc()", None),
        ("{argument X} is {value NaN}", {}, "X is NaN", None),
        ("{{a}} {a}", {"a": say("{b:percent}", b=5)}, "{a} 5 %", "{a} 5%"),
    ],
)  # fmt: skip
def test_each_field_in_python_and_for_a_reader(
    text: str, values: dict[str, Any], python: str, reader: str | None
) -> None:
    made = say(text, **values)
    assert made == python
    if reader is not None:
        assert readers_reason(made) == reader
    assert from_json(json.loads(json.dumps(made.as_json()))) == made


@pytest.mark.parametrize("text", ["{", "a}", "{a:>9}", "{a!s}", "{a=nonsense()}", "{a b}", "{}"])
def test_a_field_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"field|brace|malformed"):
        slots_of(text)


def test_a_message_is_text_with_a_code() -> None:
    made = FEW(n=np.int64(2), context="pain", n_boot=200)
    assert made == "2 subjects in 'pain'; see n_boot=200"
    assert (made.code, made.codes) == ("few", {"few"})
    assert made.values == {"n": 2, "context": "pain", "n_boot": 200}
    assert readers_note(made) == "Few subjects."
    assert has_code(made, FEW)
    assert not has_code(made, NONE)
    assert not has_code("there is nothing", NONE)
    assert made.with_values(n=1) == "1 subject in 'pain'; see n_boot=200"


def test_joined_messages_keep_their_codes() -> None:
    few = FEW(n=2, context="pain")
    both = joined(["", few, NONE, few, "theirs"])
    assert both == "2 subjects in 'pain'; see n_boot=; there is nothing; theirs"
    assert codes_of(both) == {"few", "none"}
    assert parts_of(both) == (few, NONE, "theirs")
    assert joined([few]) is few
    assert joined([]) == ""
    assert parts_of("a; b") == ("a; b",)
    within = say("weights: {why}", why=both)
    assert has_code(within, NONE)
    assert parts_of(within) == (within,)


@pytest.mark.parametrize(
    "again",
    [
        lambda made: pickle.loads(pickle.dumps(made)),
        copy.deepcopy,
        lambda made: from_json(json.loads(json.dumps(made.as_json()))),
        lambda made: unpack(pack(made)),
    ],
)
def test_a_message_is_the_same_again(again: Any) -> None:
    within_report = Template("told", "{x!r} {y!r} {z!r}", report="", r="{x!r}")
    made = say(
        "{what} of {all!r}", what=within_report(x=[1, None], y=(2, "a"), z={"k": 1}), all=1.5
    )
    found = again(made)
    assert isinstance(found, Message)
    assert (found, found.codes, found.values) == (made, {"told"}, made.values)
    assert found.values["what"].template == within_report
    assert found == "[1, None] (2, 'a') {'k': 1} of 1.5"


def test_errors_hand_on_what_they_say() -> None:
    message = say("{k=} is {found}", found=NONE)
    for error in (DataError(message), FactorModelError(message, reason="x"), Interrupted(message)):
        sent = pickle.loads(pickle.dumps(error))
        assert str(sent) == "k= is there is nothing"
        assert has_code(message_of(sent), NONE)
    assert message_of(ValueError("theirs", 3)) == "('theirs', 3)"
    # What cannot be sent to another process is kept as it is shown.
    assert "lambda" in str(pickle.loads(pickle.dumps(DataError(say("{f!r}", f=lambda: 0)))))


def test_a_column_keeps_messages() -> None:
    table = pd.DataFrame({"reason": message_column(["", NONE]), "x": [1, 2]})
    joint = pd.concat([table, table.assign(reason="theirs")], ignore_index=True)
    assert [has_code(text, NONE) for text in joint["reason"]] == [False, True, False, False]
    (found,) = table["reason"].value_counts().index[table["reason"].value_counts().index != ""]
    assert has_code(found, NONE)
    assert table["reason"].str.len().tolist() == [0, 16]
    assert message_column([]).dtype == pd.Series([], dtype="str").dtype


def test_what_a_message_says_in_brief() -> None:
    assert brief(say("{brief}. Do this", brief="it failed")) == "it failed"
    assert brief(NONE) == NONE
    assert brief("theirs. And more") == "theirs"
