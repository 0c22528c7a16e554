"""Markup escapes what is not markup; figures from files are safe in a page."""

from __future__ import annotations

import doctest
from base64 import b64decode
from xml.etree import ElementTree

import pytest

from pyexpr.report import columns, markup
from pyexpr.report.markup import Markup, element, joined, picture_element
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
 role="img" width="9pt" height="9pt" viewBox="0 0 9 18" onload="alert(1)">
 <title>A</title><desc>All &lt;numbers&gt;.</desc>
 <SCRIPT>alert(2)</SCRIPT><script>alert(2)</script><style>* {fill: red}</style>
 <g ONCLICK="alert(3)"><image href="https://example.org/x.png" ONERROR="alert(4)"/></g>
 <foreignObject><body xmlns="http://www.w3.org/1999/xhtml"><IMG SRC="x"/></body></foreignObject>
 <a href="javascript:alert(5)">x</a>
</svg>"""


def test_an_svg_is_an_image_and_no_part_of_the_page() -> None:
    made, description = picture_element(SVG, alt=NASTY)
    assert description == "All <numbers>."
    root = ElementTree.fromstring(made.replace(">", "/>"))
    # One element without children: nothing of the file can reach the page.
    assert (root.tag, len(root), root.text) == ("img", 0, None)
    assert root.attrib["alt"] == NASTY
    assert {"width": "12", "height": "24"}.items() <= root.attrib.items()
    kind, _, data = root.attrib["src"].partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert b64decode(data).decode() == SVG
    for gone in ("alert(2)", "example.org", "CLICK", "SCRIPT", "onload"):
        assert gone not in made


@pytest.mark.parametrize("box", ["", "0 0 9", "0 0 x 9", "0 0 inf 9", "0 0 1 2 3"])
def test_a_size_that_is_none_is_left_out(box: str) -> None:
    made, _ = picture_element(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}"/>')
    assert "width" not in made.partition("base64")[0] + made.rpartition('"')[2]


@pytest.mark.parametrize("text", ["", "<svg", "<html/>", "<svg/>"])
def test_what_is_no_svg_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an SVG"):
        picture_element(text)
