"""Which layout a table is of: the one that is named, or that its header proves."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final, Literal

from pyexpr.base.errors import DataError, OpenFaceError, TracksError, listed
from pyexpr.base.messages import say
from pyexpr.behavior.openface.csv import open_source
from pyexpr.behavior.openface.layout import OPENFACE, is_known
from pyexpr.behavior.openface.other_trackers import recognised_by
from pyexpr.behavior.openface.parts import kept_for_parts
from pyexpr.behavior.tracks.layout import (
    Layout,
    layout_named,
    layout_of,
    shipped,
    unknown_layout,
)
from pyexpr.behavior.tracks.table import FRAME, Table, open_table
from pyexpr.behavior.tracks.text_table import beginning_of

AUTO: Final = "auto"


def layout_for(
    source: Any,
    layout: str | os.PathLike[str] | None,
    own: Mapping[str, Any],
    *,
    in_parts: bool = False,
) -> Literal["openface"] | tuple[Layout, Table]:
    """Return the layout of a table, and the table; ``"openface"`` for OpenFace's own reader.

    `own` are entries instead of the layout's. `in_parts`: the table holds several recordings,
    which are read one after the other; it is opened once, see `parts_read_once`.
    """

    def opened() -> Table:
        if not in_parts or not isinstance(source, (str, os.PathLike)):
            return open_table(source)
        path = os.fspath(source)
        return kept_for_parts(path, ("table",), lambda: open_table(path))

    if not isinstance(layout, (str, os.PathLike, type(None))):
        raise DataError(
            say("{layout=} must be the name of a layout, or a path, not {given!r}", given=layout)
        )
    name = None if layout is None else os.fspath(layout)
    if name == OPENFACE:
        if own:
            raise DataError(
                say(
                    "{layout='openface'} knows its columns; leave {names} out, or give no layout",
                    names=listed(own),
                )
            )
        if not isinstance(source, (str, os.PathLike)):
            raise DataError(say("{layout='openface'} reads files; give the path of one"))
        return OPENFACE
    if name is not None and name != AUTO:
        chosen = layout_named(name)
        table = opened()
        return with_own(chosen, own), table.with_header(chosen.header)
    if "points" in own:
        return layout_of({"name": "own"} | dict(own), "read_tracks"), opened()
    # OpenFace's reader reads the file itself, which may be large: its beginning tells.
    beginning = beginning_of(source)
    found = None if beginning is None else recognised(beginning)
    if found != OPENFACE:
        table = opened()
        found = recognised(table)
    if found == OPENFACE:
        if own:
            raise DataError(
                say(
                    "{path!r} is OpenFace's, whose columns are known; leave {names} out",
                    path=os.fspath(source),
                    names=listed(own),
                )
            )
        return OPENFACE
    if found is None:
        raise unknown_layout(table.path, table.names)
    chosen = shipped()[found]
    return with_own(chosen, own), table.with_header(chosen.header)


def with_own(layout: Layout, own: Mapping[str, Any]) -> Layout:
    """Return a layout with entries of the caller's instead of its own."""
    if not own:
        return layout
    entries = layout.model_dump(exclude_unset=True)
    return layout_of(entries | dict(own), "read_tracks", layout.name)


def recognised(table: Table) -> str | None:
    """Return the name of the only layout that a header proves, None if none does.

    Raises
    ------
    TracksError
        If several do.
    """
    proved = _proved(table)
    if len(proved) > 1:
        raise TracksError(
            say(
                "{path!r}: its header proves several layouts ({names}); name one ({layout=})",
                path=table.path,
                names=listed(proved),
            )
        )
    if proved:
        return proved[0]
    # OpenFace's reader says why its output for single images is no recording.
    of_images = {"face", "confidence"} <= {*table.names} and any(map(is_known, table.names))
    return OPENFACE if of_images or _is_openface(table) else None


def _proved(table: Table) -> list[str]:
    """Return the names of the layouts that a header proves."""
    return [
        name
        for name, layout in shipped().items()
        if layout.proved_by(table.with_header(layout.header).names)
    ]


@recognised_by
def proved_layout(path: str) -> tuple[str, str] | None:
    """Return name and title of the only layout that the header of a file proves, else None."""
    if not os.path.isfile(path):
        return None
    try:
        proved = _proved(beginning_of(path) or open_table(path))
    except OpenFaceError:
        return None
    if len(proved) != 1:
        return None
    return proved[0], shipped()[proved[0]].title or proved[0]


def _is_openface(table: Table) -> bool:
    if table.path == FRAME or not os.path.isfile(table.path):
        return False
    try:
        open_source(table.path)
    except OpenFaceError:
        return False
    return True
