"""The table of the methods of intervals, and what people write by hand beside it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pyexpr as px
from pyexpr.base.interval_methods import DEFAULT, INTERVAL_METHODS, WITHOUT_ERRORS
from pyexpr.measurement.factor import refits
from pyexpr.measurement.icc import group
from pyexpr.resampling.intervals.methods import METHODS

ROOT = Path(__file__).parents[1]


def described(text: str, parameter: str, ends: str) -> str:
    """Return what a text says of a parameter, until the pattern of the next one."""
    found = re.search(rf"{parameter}(.*?)(?:{ends})", text, re.DOTALL)
    assert found is not None
    return found[1]


def in_python(function: str, parameter: str) -> str:
    return described(getattr(px, function).__doc__ or "", rf"\n    {parameter} :", r"\n    \w")


def in_r(file: str, parameter: str) -> str:
    text = (ROOT / "R" / "R" / file).read_text("utf-8")
    return described(text, rf"#' @param {parameter}", r"\n#' @|\n[^#]")


def test_every_method_is_computed_and_has_words() -> None:
    assert list(METHODS) == list(INTERVAL_METHODS)
    assert [name for name, one in INTERVAL_METHODS.items() if not one.draws] == [DEFAULT]
    for one in INTERVAL_METHODS.values():
        assert one.label
        assert "intervals" in one.phrase
    # Whole sentences of a report are made of them.
    assert len({one.phrase for one in INTERVAL_METHODS.values()}) == len(INTERVAL_METHODS)


@pytest.mark.parametrize(
    ("text", "pattern", "names"),
    [
        (in_python("compare_models", "method"), r"``(\w+)``", INTERVAL_METHODS),
        (in_r("compare.R", "method"), r'`"(\w+)"`', INTERVAL_METHODS),
        (in_python("bootstrap_cfa", "method"), r'"(\w+)"', refits.METHODS),
        (in_r("invariance.R", "method"), r'`"(\w+)"`', refits.METHODS),
        (in_python("icc", "method"), r'"(\w+)"', group.METHODS),
        (in_r("icc.R", "method"), r'`"(\w+)"`', group.METHODS),
    ],
)
def test_help_lists_the_methods(text: str, pattern: str, names: tuple[str, ...]) -> None:
    assert sorted(set(re.findall(pattern, text))) == sorted(names)


def test_the_page_has_a_row_of_each_method() -> None:
    page = (ROOT / "docs" / "explanation" / "which_interval.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert sorted(rows) == sorted(INTERVAL_METHODS)


def test_a_statistic_of_ones_own_has_those_that_need_no_error_within() -> None:
    assert set(WITHOUT_ERRORS) == set(INTERVAL_METHODS) - {"studentized", "studentized_et"}
