"""Every public name says what it takes and gives, and its examples run."""

from __future__ import annotations

import doctest
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

import pyexpr as px
from pyexpr.base.results import Result

NAMES = [name for name in px.__all__ if callable(getattr(px, name))]
FUNCTIONS = [name for name in NAMES if inspect.isfunction(getattr(px, name))]
CLASSES = [name for name in NAMES if inspect.isclass(getattr(px, name))]
# They look, or choose between two answers: there is nothing to refuse.
NEVER_RAISE = {"choose_icc", "doctor"}


def sections(value: object) -> set[str]:
    """Return the headings of a numpydoc docstring."""
    lines = (inspect.getdoc(value) or "").splitlines()
    return {line for line, rule in pairwise(lines) if line and rule == "-" * len(line)}


def examples_of(name: str) -> list[doctest.DocTest]:
    value = getattr(px, name)
    names = vars(sys.modules[value.__module__])
    return [
        test
        for test in doctest.DocTestFinder().find(value, name, globs={**names, "px": px})
        if test.examples
    ]


def methods(owner: type) -> Iterator[Callable[..., Any]]:
    for name, value in vars(owner).items():
        if not name.startswith("_") and inspect.isfunction(value):
            yield value


@pytest.mark.parametrize("name", NAMES)
def test_examples_run(name: str) -> None:
    for test in examples_of(name):
        printed: list[str] = []
        failed, _ = doctest.DocTestRunner().run(test, out=printed.append)
        assert not failed, "".join(printed)
        assert not any(doctest.SKIP in example.options for example in test.examples)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_have_their_sections_and_an_example(name: str) -> None:
    function = getattr(px, name)
    wanted = {"Returns", "Examples"}
    if inspect.signature(function).parameters:
        wanted.add("Parameters")
    if name not in NEVER_RAISE:
        wanted.add("Raises")
    assert wanted <= sections(function)
    assert examples_of(name), f"no example of {name}() runs"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_parameter_is_described(name: str) -> None:
    function = getattr(px, name)
    text = inspect.getdoc(function) or ""
    described = text.partition("\nParameters\n")[2].partition("\nReturns\n")[0]
    heads = [line for line in described.splitlines() if line and not line.startswith(" ")]
    named = {word.strip(" *") for head in heads for word in head.partition(" : ")[0].split(",")}
    assert set(inspect.signature(function).parameters) <= named


@pytest.mark.parametrize("name", CLASSES)
def test_classes_say_what_they_hold(name: str) -> None:
    value = getattr(px, name)
    assert {"Parameters", "Attributes"} & sections(value)
    # A result's example is that of the function that returns it.
    if not issubclass(value, Result):
        assert examples_of(name), f"no example of {name} runs"


@pytest.mark.parametrize("name", CLASSES)
def test_methods_have_docstrings_that_name_their_parameters(name: str) -> None:
    for method in methods(getattr(px, name)):
        text = inspect.getdoc(method)
        assert text, f"{name}.{method.__name__} has no docstring"
        for parameter in inspect.signature(method).parameters:
            named = re.search(rf"(?<!\w){parameter}(?!\w)", text)
            assert parameter == "self" or named, f"{name}.{method.__name__}: {parameter}"
