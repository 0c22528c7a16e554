"""Equality with software we did not write, within the named tolerances; and its matrix."""

from __future__ import annotations

import numpy as np
import pytest
from parity import __main__ as main_module
from parity import simulated
from parity.comparison import Comparison, NotHereError, Peer, Tolerance, absolute, relative
from parity.matrix import outcome_of, tables
from parity.registry import comparisons

from pyexpr.base.errors import EngineError

ALL = comparisons()
QUICK = [one for one in ALL if not one.slow]


@pytest.mark.parametrize("one", QUICK, ids=lambda one: one.name)
def test_equal(one: Comparison) -> None:
    if one.not_served:
        with pytest.raises(one.not_served):
            one.differences()
        return
    found = one.differences()
    assert set(found) == set(one.quantities)
    limits = {name: tolerance.limit for name, tolerance in one.quantities.items()}
    assert {name: value for name, value in found.items() if not value <= limits[name]} == {}


def test_names_are_unique_and_every_area_is_in_every_run() -> None:
    # Not the peer's version: to ask it runs all of R's scripts.
    names = [f"{one.name}, {one.peer.source}" for one in ALL]
    assert len(set(names)) == len(names)
    assert {one.area for one in QUICK} == {one.area for one in ALL}


@pytest.mark.parametrize(
    ("ours", "theirs", "found"),
    [
        ([1.0, 2.0], [1.0, 2.5], 0.5),
        ([np.nan, np.inf], [np.nan, np.inf], 0.0),
        ([1.0, np.nan], [1.0, 2.0], np.inf),
        ([1.0, 2.0], [1.0, np.nan], np.inf),
        ([np.inf], [-np.inf], np.inf),
    ],
)
def test_differences(ours: list[float], theirs: list[float], found: float) -> None:
    assert absolute(ours, theirs) == found


def test_differences_refuse_what_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="numbers here"):
        absolute([1.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="nothing to compare"):
        absolute([], [])
    assert relative([1.0, 0.0], [2.0, 0.0]) == 0.5
    assert relative([1e-9], [0.0]) == np.inf


def made(differences: object, **more: object) -> Comparison:
    def compute() -> object:
        if isinstance(differences, Exception):
            raise differences
        return differences

    close = {"estimates": Tolerance(1e-3, "rounding"), "p": Tolerance(1e-9, "sums", "relative")}
    requested = {
        "ours": "native",
        "data": "table | 1",
        "peer": Peer("lavaan", lambda: "0.6 (kept)"),
    }
    return Comparison(**{"area": "Area", **requested, "quantities": close, "differences": compute,
                         **more})  # fmt: skip


def test_the_matrix_shows_differences_refusals_and_failures() -> None:
    new = Peer("lavaan", lambda: "0.6 (made now)")
    outcomes = [
        outcome_of(one)
        for one in (
            made({"estimates": 2e-4, "p": 0.0}),
            made({"estimates": 3e-4, "p": 0.0}, peer=new),
            made({"estimates": 2e-3, "p": 0.0}, ours="rpy2"),
            made(EngineError("no"), ours="host", not_served=EngineError),
            made(RuntimeError("broken"), ours="rscript"),
            made(NotHereError("no R"), ours="rscript", peer=new),
            made({"estimates": 0.0}, data="other"),
        )
    ]
    assert [one.bad for one in outcomes] == [False, False, True, False, True, False, True]
    text = tables(outcomes)[0].markdown()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()
            if "estimates" in line]  # fmt: skip
    peer = "lavaan 0.6 (kept and made now)"
    assert rows[0][-7:] == [
        "estimates", peer, "0.001 (a)", "3e-04", "**2e-03**", "not served", "failed",
    ]  # fmt: skip
    assert "(b) sums." in text
    assert "RuntimeError: broken" in text
    assert "gave \\['estimates']" in text


def test_what_is_served_although_it_should_be_refused_is_a_failure() -> None:
    assert outcome_of(made({"estimates": 0.0, "p": 0.0}, not_served=EngineError)).bad
    assert outcome_of(made({"estimates": float("nan"), "p": 0.0})).bad


def test_the_page_is_of_these_comparisons() -> None:
    """docs/validation.md names each data set and quantity: else `make parity` is due."""
    page = main_module.PAGE.read_text(encoding="utf-8")
    shown = {
        tuple(cell.strip() for cell in line.split("|")[1:-1])
        for line in page.splitlines()
        if line.startswith("| ")
    }
    cells = {cell.replace("\\", "").replace("**", "") for row in shown for cell in row}
    for one in ALL:
        assert one.data in cells, f"{one.name}: run make parity"
        assert set(one.quantities) <= cells, f"{one.name}: run make parity"


def test_the_page_holds_the_tables_of_coverage_as_they_are() -> None:
    page = main_module.PAGE.read_text(encoding="utf-8")
    assert simulated.section() in page, "run make parity"
    for name in (
        "coverage",
        "coverage_coefficients",
        "coverage_measurement",
        "coverage_reliability",
    ):
        assert f"]({name}.md)" in page
    with pytest.raises(ValueError, match="no section 'Nothing'"):
        simulated._taken("## Something\n", "Nothing", "coverage.md")
