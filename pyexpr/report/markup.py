"""HTML built from elements: text is escaped unless it is markup already."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from html import escape
from xml.etree import ElementTree

from pyexpr.base.messages import say
from pyexpr.base.visible import LINES, visible
from pyexpr.report.columns import symbols

_VOID = frozenset({"meta", "br", "hr", "col", "img", "link"})
_SVG = "http://www.w3.org/2000/svg"


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Child = str | Markup | None


def element(name: str, /, *children: Child, **attributes: str | bool | int | None) -> Markup:
    """Return an element; text children and attributes are escaped, `None` is left out.

    Underscores in the name of an attribute become hyphens, and a trailing one is removed
    (``class_``). An attribute that is True is written without a value.

    Examples
    --------
    >>> element("p", "a < b", element("b", "c"), class_="note", hidden=True)
    '<p class="note" hidden>a &lt; b<b>c</b></p>'
    """
    given = "".join(
        f" {key.rstrip('_').replace('_', '-')}"
        + ("" if value is True else f'="{escape(_shown(str(value)))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{joined(*children)}</{name}>")


def joined(*children: Child) -> Markup:
    """Return children one after the other, as markup."""
    return Markup(
        "".join(
            child if isinstance(child, Markup) else escape(_shown(child), quote=False)
            for child in children
            if child is not None
        )
    )


def _shown(text: str) -> str:
    """Return text without characters that HTML cannot contain or that reverse its direction."""
    return visible(text, keep=LINES)


def with_symbols(parts: Iterable[tuple[str, bool]]) -> Markup:
    """Return parts of a text as markup, with symbols of statistics in italics."""
    return joined(*(element("i", text) if symbol else text for text, symbol in parts))


def prose(text: Child) -> Child:
    """Return a sentence with symbols of statistics in italics; markup is returned unchanged.

    Examples
    --------
    >>> prose("F(2, 20) = 3.1, p = .07")
    '<i>F</i>(2, 20) = 3.1, <i>p</i> = .07'
    """
    return text if text is None or isinstance(text, Markup) else with_symbols(symbols(text))


def picture_element(svg: str, **attributes: str) -> tuple[Markup, str]:
    """Return an SVG file as an image of a page, and its description.

    The file is the data of an image and not a part of the page. A browser draws the image, but does
    not run or load anything that it contains, such as scripts and handlers. A figure may therefore
    come from an untrusted source.

    Raises
    ------
    ValueError
        If the text is not an SVG.
    """
    try:
        root = ElementTree.fromstring(svg)
    except ElementTree.ParseError as error:
        raise ValueError(f"not an SVG: {error}") from None
    if root.tag != f"{{{_SVG}}}svg":
        raise ValueError(say("not an SVG: its first element is {tag!r}", tag=root.tag))
    found = root.find(f"{{{_SVG}}}desc")
    description = "" if found is None else " ".join((found.text or "").split())
    data = b64encode(svg.encode()).decode("ascii")
    width, height = _size(root.get("viewBox", ""))
    image = element(
        "img", src=f"data:image/svg+xml;base64,{data}", width=width, height=height, **attributes
    )
    return image, description


def _size(view_box: str) -> tuple[int | None, int | None]:
    """Return the size of an image in CSS pixels, if the SVG states it."""
    try:
        _, _, width, height = (float(part) for part in view_box.replace(",", " ").split())
        # Sizes in the file are in points.
        return round(width * 96 / 72), round(height * 96 / 72)
    except (ValueError, OverflowError):
        return None, None
