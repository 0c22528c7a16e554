"""A self-contained HTML page with sections, contents, figures and text to copy."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from pyexpr.report.columns import title_parts
from pyexpr.report.markup import Child, Markup, element, joined, picture_element, prose


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the page.

    Attributes
    ----------
    name : str
        Its id, to which links refer.
    title : str
    blocks : tuple of Markup
    """

    name: str
    title: str
    blocks: tuple[Markup, ...]


def page(title: str, lead: Iterable[Markup], sections: Sequence[Section]) -> str:
    """Return a whole HTML document: skip link, header, contents, sections.

    Styles and scripts are part of the document, which loads nothing from any network. Text given as
    str is escaped.
    """
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy()),
        element("title", title),
        element("style", Markup(_asset("page.css"))),
    )
    body = element(
        "body",
        element("a", "Skip to the main text", href="#text", class_="skip"),
        element(
            "div",
            _contents(sections),
            element(
                "div",
                element("header", element("h1", title), *lead),
                _main(sections),
                class_="column",
            ),
            class_="layout",
        ),
        element("div", id="status", role="status", aria_live="polite"),
        element("script", Markup(_asset("page.js"))),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


@cache
def _policy() -> str:
    """Return the content security policy: only the page's own script, by its hash, may run.

    Images are data within the page. The page loads nothing and sends nothing.
    """
    script = b64encode(sha256(_asset("page.js").encode()).digest()).decode("ascii")
    # Styles cannot run or load anything here. If styles were allowed only by their hash, a copied
    # table would lose its rules, which are inline styles of its cells.
    return (
        f"default-src 'none'; script-src 'sha256-{script}'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


@cache
def _asset(name: str) -> str:
    return (Path(__file__).parent / "assets" / name).read_text(encoding="utf-8")


def _contents(sections: Sequence[Section]) -> Markup:
    entries = (
        element("li", element("a", section.title, href=f"#{section.name}")) for section in sections
    )
    return element(
        "nav",
        # On a narrow page the list is folded, and the section in view is shown beside it.
        element(
            "details",
            element("summary", "Contents", element("span", class_="here")),
            element("ol", *entries),
        ),
        aria_label="Contents",
    )


def _main(sections: Sequence[Section]) -> Markup:
    return element(
        "main",
        *(
            element(
                "section",
                element("h2", section.title, id=f"{section.name}-title"),
                *section.blocks,
                id=section.name,
                tabindex=-1,
                aria_labelledby=f"{section.name}-title",
            )
            for section in sections
        ),
        id="text",
        tabindex=-1,
    )


def paragraph(text: Child, **attributes: str) -> Markup:
    """Return a paragraph."""
    return element("p", prose(text), **attributes)


def bullets(items: Iterable[Child], **attributes: str) -> Markup:
    """Return a list of items."""
    return element("ul", *(element("li", prose(item)) for item in items), **attributes)


def folded(title: str, *blocks: Markup, class_: str | None = None) -> Markup:
    """Return blocks that are opened by a click, and are open in print."""
    return element("details", element("summary", title), *blocks, class_=class_)


def copyable(name: str, what: str, *blocks: Markup) -> Markup:
    """Return text with a button that copies it; `what` names it on the button."""
    return joined(
        element("div", *blocks, id=name),
        element(
            "p", element("button", f"Copy {what}", type="button", data_copy=name), class_="tools"
        ),
    )


def caution_box(items: Sequence[Child], *, title: str = "Caution") -> Markup | None:
    """Return a box of warnings, or None if there are none."""
    if not items:
        return None
    body = paragraph(items[0]) if len(items) == 1 else bullets(items)
    return element(
        "div", element("p", element("strong", title)), body, class_="caution", role="note"
    )


def figure(name: str, svg: str, caption: str, *, note: str = "") -> Markup:
    """Return a figure as an image, with caption, note and description.

    `caption` is its number and title, ``Figure 1. Title.``, which is placed above it; `note` is
    placed below. The description is that of the SVG, for screen readers.

    Raises
    ------
    ValueError
        If `svg` is not an SVG.
    """
    number, title = title_parts(caption)
    described = {"aria-describedby": f"{name}-words"}
    drawn, description = picture_element(svg, alt=title, **described)
    if not description:
        drawn, _ = picture_element(svg, alt=title)
    words = element("p", prose(description), id=f"{name}-words")
    return element(
        "figure",
        element(
            "figcaption",
            element("strong", number) if number else None,
            " " if number else None,
            element("em", prose(title)),
            id=f"{name}-caption",
        ),
        element("div", drawn, class_="drawn"),
        element("p", element("em", "Note."), " ", prose(note), class_="note") if note else None,
        folded("Text description of the figure", words, class_="words") if description else None,
        element(
            "p",
            element("button", "Larger", type="button", class_="larger", aria_pressed="false"),
            class_="tools enlarge",
        ),
        id=name,
    )
