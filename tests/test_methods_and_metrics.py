"""The tables of methods and metrics, and what is written by hand beside them."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from sklearn.metrics import get_scorer

import pyexpr as px
from pyexpr.base.interval_methods import DEFAULT, INTERVAL_METHODS, WITHOUT_ERRORS
from pyexpr.base.metrics import KINDS
from pyexpr.measurement.factor import refits
from pyexpr.measurement.icc import group
from pyexpr.resampling.intervals.methods import METHODS
from pyexpr.words.labels import direction, display_name

ROOT = Path(__file__).parents[1]


def described(text: str, parameter: str, ends: str) -> str:
    """Return what a text says of a parameter, until the pattern of the next one."""
    found = re.search(rf"{parameter}(.*?)(?:{ends})", text, re.DOTALL)
    assert found is not None
    return found[1]


def in_python(function: str, parameter: str) -> str:
    # Python 3.13 and later store docstrings without their indentation.
    text = inspect.getdoc(getattr(px, function)) or ""
    return described(text, rf"\n{parameter} :", r"\n\w")


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


@pytest.mark.parametrize("name", KINDS)
def test_help_lists_the_metrics(name: str) -> None:
    assert f"``{name}``" in in_python("compare_models", "metrics")
    assert f'`"{name}"`' in in_r("compare.R", "metrics")


def test_labels_of_r_are_those_of_the_table() -> None:
    text = (ROOT / "R" / "R" / "picture.R").read_text("utf-8")
    known = re.search(r"metric_names <- .*?known <- c\((.*?)\)", text, re.DOTALL)
    assert known is not None
    labels = dict(re.findall(r'(\w+) = "(.*?)"', known[1].replace(r"\u00b2", "²")))
    assert labels == {name: kind.label for name, kind in KINDS.items() if kind.label}


def test_which_end_of_a_metric_is_better() -> None:
    theirs = {
        "rmse": "neg_root_mean_squared_error", "mae": "neg_mean_absolute_error", "r2": "r2",
        "auc": "roc_auc", "accuracy": "accuracy", "balanced_accuracy": "balanced_accuracy",
        "f1": "f1", "f1_macro": "f1_macro", "brier": "neg_brier_score",
    }  # fmt: skip
    for name, scorer in theirs.items():
        sign = get_scorer(scorer)._sign
        assert direction(name) == {1: "higher", -1: "lower"}[sign]
    assert direction("bias") == ""
    assert direction("correlation_within") == "higher"


def test_parts_of_every_metric_have_names() -> None:
    assert [display_name(f"{name}_within") for name in ("bias", "r2", "correlation")] == [
        "Bias within subjects", "R² within subjects", "Correlation within subjects",
    ]  # fmt: skip
