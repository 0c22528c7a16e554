"""Tables of other trackers that are given for OpenFace's: the error names their layout.

OpenFace's reader knows no layouts: they stand on it. Whoever knows them says so here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pyexpr.base.errors import OpenFaceError
from pyexpr.base.messages import say

#: Path of a file -> name and title of the layout that its header proves, None if it proves none.
Recogniser = Callable[[str], tuple[str, str] | None]
_RECOGNISERS: list[Recogniser] = []


def recognised_by(recogniser: Recogniser) -> Recogniser:
    """Ask a function, when a file is not OpenFace's, whose it is."""
    _RECOGNISERS.append(recogniser)
    return recogniser


@contextmanager
def layout_named_if_proved(path: str) -> Iterator[None]:
    """Turn the error about a file into one that names its layout, if another tracker wrote it."""
    try:
        yield
    except OpenFaceError as error:
        for recogniser in _RECOGNISERS:
            found = recogniser(path)
            if found is not None:
                name, title = found
                raise OpenFaceError(
                    say(
                        "{path!r}: not a file of OpenFace 0.x to 2.x but, by its header, of the "
                        "layout {name!r} ({title}): {call read_tracks} reads it, and {layout=} "
                        "computes its features",
                        path=path,
                        title=title,
                        name=name,
                        layout=name,
                    )
                ) from error
        raise
