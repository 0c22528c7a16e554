"""The examples in the docstrings of the report run."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize(
    "module",
    [
        "tables",
        "comparison_table",
        "side_by_side",
        "factor_figure",
        "performance_figure",
        "weights_figure",
        "quality_figure",
        "learning_figure",
        "seeds_table",
    ],
)
def test_examples(module: str) -> None:
    done = doctest.testmod(import_module(f"pyexpr.report.{module}"))
    assert done.attempted > 0
    assert done.failed == 0
