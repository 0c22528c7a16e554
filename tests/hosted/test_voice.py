"""Messages in the words of R."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pyexpr as px
from pyexpr.base.errors import DataError
from pyexpr.base.messages import Template, joined, kind_of, message_column, say
from pyexpr.hosted.interface import answer
from pyexpr.hosted.tables import from_frame
from pyexpr.hosted.voice import BROOM, in_r
from pyexpr.measurement.engines import wire

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        ("{k=} must not be {kind}", {"kind": kind_of(None)}, "`k` must not be NULL"),
        ("{engine='host'} needs R", {}, "`engine = 'host'` needs R"),
        ("give {allow=True}", {}, "give `allow = TRUE`"),
        ("give {n_boot=}", {"n_boot": 2000}, "give `n_boot = 2000`"),
        ("give {columns=['y', 'p']}", {}, "give `columns = c('y', 'p')`"),
        ("use {cluster=@name}", {"name": "subject"}, "use `cluster = 'subject'`"),
        ("{@option=} is not there", {"option": "by"}, "`by` is not there"),
        ("{name:label} is {value!r}", {"name": "p_value", "value": True}, "'p_value' is TRUE"),
        ("not {given!r}", {"given": [0.1, float("nan")]}, "not c(0.1, NA)"),
        ("not {given!r}", {"given": float("-inf")}, "not -Inf"),
        ("not {given!r}", {"given": 3.0}, "not 3"),
        ("not {given!r}", {"given": "X = None"}, "not 'X = None'"),
        ("numbers ({call pandas.to_numeric})", {}, "numbers (as.numeric(as.character(x)))"),
        ("folds ({call px.subject_folds})", {}, "folds (rsample::group_vfold_cv())"),
        ("{call px.multilevel_icc} computes it", {}, "multilevel_icc() computes it"),
        ("column 'X' of {argument X}", {}, "column 'X' of `data`"),
        ("the {column p_value} is {value NaN}", {}, "the p.value is NA"),
        ("{column boot_std_error} and {column std_error}", {}, "boot_std_error and std.error"),
        ("see {table contrasts}", {}, 'see tidy(x, "contrasts")'),
        ("{n:count target, is, are} in {thing targets}", {"n": 2}, "2 targets are in targets"),
        ("{share:percent} of {what}", {"share": 95, "what": say("{value None}")}, "95 % of NULL"),
        ("{one:model} by {way:metric}", {"one": "lstm", "way": "bca"}, "'lstm' by bca"),
    ],
)  # fmt: skip
def test_every_field_has_words_of_r(text: str, values: dict[str, Any], message: str) -> None:
    assert in_r(say(text, **values)) == message


def test_a_text_of_its_own_for_r() -> None:
    assert in_r(say("a dictionary of {n}", r="a list of {n}", n=3)) == "a list of 3"


def test_what_is_not_ours_is_not_translated() -> None:
    assert in_r("alpha=True, None, p_value") == "alpha=True, None, p_value"
    assert in_r(say("{theirs} and {k=}", theirs="k=None")) == "k=None and `k`"


def test_names_of_columns_are_those_of_the_r_package() -> None:
    text = (ROOT / "R" / "R" / "words.R").read_text(encoding="utf-8")
    vector = text.partition("broom_names <- c(")[2].partition(")")[0]
    assert dict(re.findall(r'(\w+) = "([^"]+)"', vector)) == BROOM


def test_columns_of_messages_come_in_the_words_of_r() -> None:
    few = Template("few", "{method='regression'} has one")()
    table = pd.DataFrame({"reason": message_column(["", few, joined([few, "theirs"]), "k=None"])})
    (column,) = from_frame(table)["columns"]
    assert column["levels"] == [
        "", "`method = 'regression'` has one", "`method = 'regression'` has one; theirs", "k=None",
    ]  # fmt: skip
    (empty,) = from_frame(pd.DataFrame({"reason": message_column([])}))["columns"]
    assert empty["type"] == "character"


def reply_of(verb: str, **arguments: Any) -> dict[str, Any]:
    given = [{"kind": "scalar", "value": value} for value in arguments.values()]
    whole = {"kind": "dict", "names": list(arguments), "items": given}
    request = {"verb": [verb], "arguments": whole, "released": []}
    found: dict[str, Any] = wire.decode(bytes(answer(bytes(wire.encode(request)))))
    return found


def test_errors_come_in_the_words_of_r() -> None:
    error = reply_of("icc_interval", icc=1.2, n_targets=20, k=1.5)["error"]
    with pytest.raises(DataError) as caught:
        px.icc_interval(1.2, n_targets=20, k=1.5)  # type: ignore[arg-type]
    assert str(caught.value) == "k= must be a whole number of at least 2, not 1.5"
    assert error["message"] == ["`k` must be a whole number of at least 2, not 1.5"]


def test_a_loaded_result_speaks_the_same_r(tmp_path: Path) -> None:
    ratings = pd.DataFrame({"clip": [1, 1, 2, 2, 3, 4], "rating": [1.0, 2.0, 3.0, 3.5, 2.0, 4.0]})
    result = px.icc(ratings, targets="clip", ratings="rating")
    result.save(tmp_path / "icc.pyexpr")
    loaded = px.load(tmp_path / "icc.pyexpr")
    message = [in_r(note) for note in result.notes()]
    assert [in_r(note) for note in loaded.notes()] == message
    assert any('tidy(x, "mean_reliability")' in note for note in message)
