"""Measurement models to lavaan's syntax and back."""

from __future__ import annotations

import pytest

from pyexpr.base.errors import DataError
from pyexpr.measurement.model_syntax import parse_model
from pyexpr.measurement.specification import Term


def test_a_dictionary_becomes_syntax_with_safe_names() -> None:
    model = parse_model({"é f": ["résponse 1", "a;b", "if"]})
    assert model.syntax() == "`é f` =~ `résponse 1` + `a;b` + if"
    assert model.safe_syntax() == "f1 =~ v1 + v2 + v3"
    assert model.plain_factor


def test_syntax_is_read_as_lavaan_reads_it() -> None:
    text = "f =~ x1 + 1*x2 +\n a*`x;# 3`; x1 ~~ 0*x2 # said\n! only said\n x1 ~ 1\n x2 ~ 0*1"
    model = parse_model(text)
    assert model.terms == (
        Term("f", "=~", "x1"), Term("f", "=~", "x2", "1"), Term("f", "=~", "x;# 3", "a"),
        Term("x1", "~~", "x2", "0"), Term("x1", "~1", ""), Term("x2", "~1", "", "0"),
    )  # fmt: skip
    assert parse_model(model.syntax()) == model
    assert "p1*v3" in model.safe_syntax()
    assert not model.plain_factor


@pytest.mark.parametrize(
    ("model", "match"),
    [
        ({}, "no factor"),
        ({"f": "abc"}, "must be a list"),
        ({"f": ["a", "a", "b"]}, "twice"),
        ("f =~ a + b\na ~ b", "regression"),
        ("f =~ a + b; q()", "cannot read"),
        ("f =~ a + b\na ~~ z", "'z', which is neither"),
        ("f =~ a + b + g\ng =~ f + c", "in a circle"),
        (3, "must be a dictionary"),
    ],
)
def test_what_is_not_a_measurement_model(model: object, match: str) -> None:
    with pytest.raises(DataError, match=match):
        parse_model(model)
