"""Every public name of the room says what it takes, and its examples run."""

from __future__ import annotations

import doctest
import inspect
import sys
from importlib import import_module

import pytest

import pyexpr as px


@pytest.mark.parametrize("name", px.deep.__all__)
def test_parameters_are_described_and_examples_run(name: str) -> None:
    value = getattr(px.deep, name)
    text = inspect.getdoc(value) or ""
    described = text.partition("\nParameters\n")[2].partition("\nNotes\n")[0]
    heads = [line for line in described.splitlines() if line and not line.startswith(" ")]
    named = {word.strip() for head in heads for word in head.partition(" : ")[0].split(",")}
    assert set(inspect.signature(value).parameters) <= named
    module = sys.modules[value.__module__]
    found = doctest.DocTestFinder().find(value, name, module, globs=vars(module).copy())
    examples = [test for test in found if test.examples]
    assert examples
    for test in examples:
        printed: list[str] = []
        failed, _ = doctest.DocTestRunner().run(test, out=printed.append)
        assert not failed, "".join(printed)


def test_example_of_the_sequences_runs() -> None:
    done = doctest.testmod(import_module("pyexpr.behavior.features.sequences"))
    assert done.attempted > 0
    assert done.failed == 0
