"""The content of a report, independent of its format: sections of blocks.

A block holds unescaped text, and a renderer escapes it: `pyexpr.report.html.study_page` renders the
page, and `pyexpr.report.word.document` the Word document.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pyexpr.report.tables.display import DisplayTable
from pyexpr.report.text.references import Work
from pyexpr.words.wording import listed_words


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure from its files: the text of the SVG, and the PNG if it is required."""

    svg: str
    png: bytes = b""


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading within a section."""

    text: str


@dataclass(frozen=True, slots=True)
class Items:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Caution:
    """One or more cautions."""

    items: tuple[str, ...]
    title: str = "Caution"


@dataclass(frozen=True, slots=True)
class Pointers:
    """Links to sections, each with the id and title of the section."""

    text: str
    sections: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table, with its number in its title; `altered` names files changed since the run."""

    stem: str
    display: DisplayTable
    folded: bool = False
    altered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure, with its number in its caption; `altered` is as for `Table`."""

    stem: str
    picture: Picture
    caption: str
    note: str = ""
    folded: bool = False
    altered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Copied:
    """Blocks that a reader may copy; `what` names them on the button."""

    name: str
    what: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Folded:
    """Blocks that are shown when their title is clicked."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class References:
    """The works that are cited."""

    works: tuple[Work, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """Names with their values."""

    facts: tuple[tuple[str, str], ...]


Block = (
    Text
    | Heading
    | Items
    | Caution
    | Pointers
    | Table
    | Figure
    | Copied
    | Folded
    | (References | Facts)
)


@dataclass(frozen=True, slots=True)
class Section:
    """A section: its id, its title and its blocks."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """A whole report: its title, subtitle and sections."""

    title: str
    lead: tuple[Block, ...]
    sections: tuple[Section, ...]


def altered_note(files: Sequence[str]) -> str:
    """Return a sentence that names the files that have been changed since the run."""
    names = listed_words(files)
    if len(files) == 1:
        return f"Altered: the file {names} has been changed since the run."
    return f"Altered: the files {names} have been changed since the run."


def texts(blocks: Sequence[Block]) -> Iterator[str]:
    """Yield the text of blocks, without the cells of tables."""
    for block in blocks:
        match block:
            case Text(text) | Heading(text):
                yield text
            case Items(items) | Caution(items):
                yield from items
            case Table(_, display):
                yield from display.notes
            case Figure(caption=caption, note=note):
                yield from (caption, note)
            case Copied(blocks=inner) | Folded(blocks=inner):
                yield from texts(inner)
            case Pointers() | References() | Facts():
                pass
