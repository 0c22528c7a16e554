"""The examples in the docstrings of the report run."""

from __future__ import annotations

import doctest
import pkgutil
from importlib import import_module

import pytest

from pyexpr import report

MODULES = [module.name for module in pkgutil.iter_modules(report.__path__)]


@pytest.mark.parametrize("module", MODULES)
def test_examples(module: str) -> None:
    assert doctest.testmod(import_module(f"pyexpr.report.{module}")).failed == 0
