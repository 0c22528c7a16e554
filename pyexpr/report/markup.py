"""HTML built from elements: text is escaped unless it is markup already."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape, unescape
from xml.etree import ElementTree

from pyexpr.base.messages import say
from pyexpr.report.columns import symbols

_VOID = frozenset({"meta", "br", "hr", "col", "img", "link"})
_SVG = "http://www.w3.org/2000/svg"
# What a figure has no need of, and a page must not run.
_FORBIDDEN = frozenset({"script", "foreignObject", "metadata", "style"})


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Child = str | Markup | None


def element(name: str, /, *children: Child, **attributes: str | bool | int | None) -> Markup:
    """Return an element; text children and attributes are escaped, `None` is left out.

    An attribute's underscores become hyphens (a trailing one falls away: ``class_``); one
    that is True has no value.

    Examples
    --------
    >>> element("p", "a < b", element("b", "c"), class_="note", hidden=True)
    '<p class="note" hidden>a &lt; b<b>c</b></p>'
    """
    given = "".join(
        f" {key.rstrip('_').replace('_', '-')}"
        + ("" if value is True else f'="{escape(str(value))}"')
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
            child if isinstance(child, Markup) else escape(child, quote=False)
            for child in children
            if child is not None
        )
    )


def with_symbols(parts: Iterable[tuple[str, bool]]) -> Markup:
    """Return parts of a text as markup, those that are symbols of statistics in italics."""
    return joined(*(element("i", text) if symbol else text for text, symbol in parts))


def prose(text: Child) -> Child:
    """Return a sentence with the symbols of its statistics in italics; markup as it is.

    Examples
    --------
    >>> prose("F(2, 20) = 3.1, p = .07")
    '<i>F</i>(2, 20) = 3.1, <i>p</i> = .07'
    """
    return text if text is None or isinstance(text, Markup) else with_symbols(symbols(text))


def plain_text(blocks: Iterable[str]) -> str:
    """Return what is read of markup, without its elements."""
    return unescape(re.sub(r"<[^>]+>", "", " ".join(blocks)))


def inline_svg(text: str, prefix: str) -> tuple[Markup, str]:
    """Return an SVG file as an element for a page, and its description.

    Its ids get a prefix, so that several figures can stand in one page; scripts, styles and
    event handlers are left out.

    Raises
    ------
    ValueError
        The text is no SVG.
    """
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError(f"not an SVG: {error}") from None
    if root.tag != f"{{{_SVG}}}svg":
        raise ValueError(say("not an SVG: its first element is {tag!r}", tag=root.tag))
    _clean(root, prefix)
    found = root.find(f"{{{_SVG}}}desc")
    description = "" if found is None else found.text or ""
    # What the width was in print; on a page it follows the column.
    for name in ("width", "height"):
        root.attrib.pop(name, None)
    root.set("style", "stroke-linejoin: round; stroke-linecap: butt")
    return Markup(_serialised(root)), description


def _clean(node: ElementTree.Element, prefix: str) -> None:
    for child in list(node):
        if not isinstance(child.tag, str) or child.tag.rpartition("}")[2] in _FORBIDDEN:
            node.remove(child)
        else:
            _clean(child, prefix)
    for key, value in list(node.attrib.items()):
        name = key.rpartition("}")[2]
        if name.startswith("on"):
            del node.attrib[key]
        elif name == "id":
            node.set(key, f"{prefix}-{value}")
        elif name == "href":
            del node.attrib[key]
            if value.startswith("#"):
                node.set("href", f"#{prefix}-{value[1:]}")
        elif name == "aria-labelledby":
            node.set(key, " ".join(f"{prefix}-{one}" for one in value.split()))
        elif "url(#" in value:
            node.set(key, value.replace("url(#", f"url(#{prefix}-"))


def _serialised(node: ElementTree.Element) -> str:
    """Write an element without namespaces, which HTML has no use for."""
    for one in node.iter():
        one.tag = one.tag.rpartition("}")[2]
        for key in [key for key in one.attrib if "}" in key]:
            one.set(key.rpartition("}")[2], one.attrib.pop(key))
    text = ElementTree.tostring(node, encoding="unicode")
    # An HTML parser does not know that an empty <g/> is closed.
    return re.sub(r"<(\w+)([^<>]*?)\s*/>", r"<\1\2></\1>", text)
