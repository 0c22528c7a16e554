"""Every result's `plot` takes and describes the same arguments, written down once."""

from __future__ import annotations

import inspect

import pytest

import pyexpr as px
from pyexpr.base.results import Result
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn

PLOTTED = [
    value
    for name in px.__all__
    if inspect.isclass(value := getattr(px, name))
    and issubclass(value, Result)
    and hasattr(value, "plot")
]


@pytest.mark.parametrize("result", PLOTTED)
def test_names_and_width_are_described(result: type) -> None:
    own = inspect.signature(result.plot).parameters
    assert {name: own[name].default for name in ("names", "width_mm")} == {
        "names": None,
        "width_mm": FULL_WIDTH_MM,
    }
    docstring = inspect.getdoc(result.plot) or ""
    # In numpydoc's order, every argument, and what this class draws.
    heads = ["Parameters\n----------", "Returns\n-------"]
    heads += [head for head in ("Raises\n------", "Examples\n--------") if head in docstring]
    places = [docstring.index(head) for head in heads]
    assert places == sorted(places)
    for name in [name for name in own if name != "self"]:
        assert name in docstring[places[0] : places[1]]
    assert "Names to show for " in docstring
    assert "A notebook shows it" in docstring
    assert "{labels}" not in docstring
    assert all(len(line) <= 100 for line in docstring.splitlines())


def test_there_are_many() -> None:
    assert len(PLOTTED) >= 7


def test_a_method_without_a_docstring_stays_without() -> None:
    """As under ``python -OO``."""

    def plot() -> None: ...

    assert drawn("groups")(plot).__doc__ is None  # type: ignore[arg-type]
