"""What stands on a figure: its texts, each on the canvas and off the others."""

from __future__ import annotations

from itertools import combinations
from typing import Any


def shown_texts(figure: Any) -> list[Any]:
    """Every text that is drawn: visible, not empty, and no label of a tick outside the axis."""
    from matplotlib.text import Text

    hidden = set()
    for axes in figure.axes:
        if not axes.axison:
            hidden |= {id(text) for axis in (axes.xaxis, axes.yaxis) for text in axis.findobj(Text)}
            continue
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            margin = 1e-9 * (high - low)
            for tick in axis.get_major_ticks():
                if not low - margin <= tick.get_loc() <= high + margin:
                    hidden |= {id(text) for text in tick.findobj(Text)}
    return [
        text
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and id(text) not in hidden
    ]


def check_texts(figure: Any) -> None:
    """Every text is on the canvas, and none covers another."""
    canvas = figure.bbox
    boxes = [(text.get_text(), text.get_window_extent()) for text in shown_texts(figure)]
    for text, box in boxes:
        inside = (
            box.x0 >= canvas.x0 - 0.5
            and box.x1 <= canvas.x1 + 0.5
            and box.y0 >= canvas.y0 - 0.5
            and box.y1 <= canvas.y1 + 0.5
        )
        assert inside, f"{text!r} leaves the canvas"
    for (one, first), (two, second) in combinations(boxes, 2):
        wide = min(first.x1, second.x1) - max(first.x0, second.x0)
        high = min(first.y1, second.y1) - max(first.y0, second.y0)
        # Boxes hold ascenders and descenders: a pixel at screen resolution is no overlap.
        assert wide <= 1 or high <= 1, f"{one!r} covers {two!r}"
