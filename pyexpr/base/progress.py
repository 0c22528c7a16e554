"""The progress bar, and work in pieces so that the bar moves and Ctrl-C works."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TypeVar

from pyexpr.base.processes import within_task
from pyexpr.base.visible import visible

T = TypeVar("T")

# Seconds: what is done sooner shows no bar; a run of `pieces` aims at the second.
_PATIENCE = 1.0
_PIECE = 0.1


def progress(
    items: Iterable[T],
    *,
    total: int,
    label: str,
    show: bool | None = None,
    steps: Callable[[T], int] | None = None,
) -> Generator[T, None, None]:
    """Yield `items` while showing a bar on standard error.

    `show=None` shows it when standard error is a terminal, once a second has passed, but not
    within a task among others, whose bars would overwrite each other. `steps` says how many of
    `total` an item is, by default one.
    """
    if show is None:
        show, patience = sys.stderr.isatty() and not within_task(), _PATIENCE
    else:
        patience = 0.0
    if not show:
        yield from items
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress

    begun, done, task = time.monotonic(), 0, None
    bar = Progress(console=Console(stderr=True))
    try:
        for item in items:
            yield item
            done += 1 if steps is None else steps(item)
            if task is not None:
                bar.update(task, completed=done)
            elif time.monotonic() - begun >= patience:
                bar.start()
                task = bar.add_task(escape(visible(label)), total=total, completed=done)
    finally:
        bar.stop()


def pieces(
    total: int, *, start: int, label: str, show: bool | None = None
) -> Generator[tuple[int, int], None, None]:
    """Cut `total` steps into pieces (first, number) of about a tenth of a second.

    The first has `start` steps; while pieces take less time than that, the next has
    twice as many.
    """

    def cut() -> Iterator[tuple[int, int]]:
        first, size = 0, max(start, 1)
        while first < total:
            n = min(size, total - first)
            begun = time.monotonic()
            yield first, n
            first += n
            if time.monotonic() - begun < _PIECE / 2:
                size *= 2

    yield from progress(cut(), total=total, label=label, show=show, steps=lambda piece: piece[1])
