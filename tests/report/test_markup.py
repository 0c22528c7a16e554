"""Markup escapes what is not markup; figures from files are safe in a page."""

from __future__ import annotations

import doctest
from xml.etree import ElementTree

import pytest

from pyexpr.report import columns, markup
from pyexpr.report.markup import Markup, element, inline_svg, joined
from pyexpr.report.tables import latex
from pyexpr.words import wording

NASTY = '<script>alert("1")</script> & "quoted" \'single\''


@pytest.mark.parametrize("module", [columns, latex, markup, wording])
def test_examples(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


def test_text_and_attributes_are_escaped() -> None:
    made = element("p", NASTY, title=NASTY, data_note=NASTY)
    root = ElementTree.fromstring(made)
    assert root.text == NASTY
    assert root.attrib == {"title": NASTY, "data-note": NASTY}
    assert "<script>" not in made


def test_markup_is_not_escaped_twice() -> None:
    inner = element("b", "a & b")
    assert joined("<", inner) == "&lt;<b>a &amp; b</b>"
    assert element("p", Markup("<br>"), None) == "<p><br></p>"


SVG = """<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
 role="img" aria-labelledby="f-title f-description" width="9pt" height="9pt" viewBox="0 0 9 9"
 onload="alert(1)">
 <title id="f-title">A</title><desc id="f-description">All &lt;numbers&gt;.</desc>
 <metadata>made today</metadata><style>* {fill: red}</style><script>alert(2)</script>
 <defs><clipPath id="c1"><rect width="1" height="1"/></clipPath><path id="m1" d="M0 0"/></defs>
 <g clip-path="url(#c1)"><use xlink:href="#m1" onclick="alert(3)"/></g>
 <use xlink:href="https://example.org/x.svg#y"/><a href="javascript:alert(4)">x</a>
</svg>"""


def test_an_svg_keeps_its_picture_and_loses_what_could_run() -> None:
    made, description = inline_svg(SVG, "fig1")
    assert description == "All <numbers>."
    root = ElementTree.fromstring(made)
    ids = {node.get("id") for node in root.iter()} - {None}
    assert ids == {"fig1-f-title", "fig1-f-description", "fig1-c1", "fig1-m1"}
    assert root.get("aria-labelledby") == "fig1-f-title fig1-f-description"
    assert 'clip-path="url(#fig1-c1)"' in made
    assert 'href="#fig1-m1"' in made
    for gone in ("alert", "example.org", "<style", "metadata", 'width="9pt"', "/>"):
        assert gone not in made


@pytest.mark.parametrize("text", ["", "<svg", "<html/>", "<svg/>"])
def test_what_is_no_svg_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an SVG"):
        inline_svg(text, "x")
