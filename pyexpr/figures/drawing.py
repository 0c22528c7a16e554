"""Shared parts of figures: rows about a zero line, intervals with arrowheads, legends."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pyexpr.figures import plotting

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from numpy.typing import ArrayLike

# An interval may stretch an axis by so many times the median distance of limits from values,
_LONGEST = 4.0
# and further still where that makes the axis no longer than by this factor.
_STRETCH = 1.5
# Arrowheads of intervals that extend beyond the axis; they differ from `plotting.marks`.
_ARROWS = ("<", ">")
# Of a legend, in mm: a handle with its distances, from one entry of one line to the next,
# and the height that figures leave for a legend.
_HANDLE = 9.0
_ENTRY = 4.2
_LEGEND_ROOM = 9.0


class Band(NamedTuple):
    """A row of a figure, in mm from the top."""

    top: float
    bottom: float

    @property
    def middle(self) -> float:
        """The position of its label and its points."""
        return (self.top + self.bottom) / 2


def bands(names: Iterable[str], heights: Sequence[float]) -> dict[str, Band]:
    """Stack rows of these heights (mm), the first on top."""
    bottoms = accumulate(heights)
    return {
        name: Band(bottom - height, bottom)
        for name, height, bottom in zip(names, heights, bottoms, strict=True)
    }


def draw_bands(axes: Axes, rows: Iterable[Band]) -> None:
    """Draw the line at zero and shade every second row."""
    axes.axvline(0, color=plotting.INK, lw=0.7, zorder=1)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    for band in list(rows)[1::2]:
        axes.axhspan(band.top, band.bottom, color=plotting.FAINT, lw=0, zorder=0)


def reach(
    low: ArrayLike, value: ArrayLike, high: ArrayLike, *, origin: float = 0.0
) -> tuple[float, float]:
    """Return the limits of an axis that includes `origin`, every value and its interval.

    If a few long intervals would extend the axis by more than half, they are cut at some typical
    lengths beyond their values, and end in arrowheads (`draw_interval`). Infinite and missing
    numbers are left out.
    """
    import numpy as np

    value = np.asarray(value, dtype=float)
    value = np.where(np.isfinite(value), value, np.nan)
    ends = [
        np.where(np.isfinite(limit), limit, value)
        for limit in (np.asarray(low, dtype=float), np.asarray(high, dtype=float))
    ]
    arms = np.abs(np.concatenate([value - ends[0], ends[1] - value]))
    longest = _LONGEST * float(np.median(arms[arms > 0])) if (arms > 0).any() else 0.0

    def limits_within(within: float) -> tuple[float, float]:
        found = np.concatenate(
            [[origin], np.maximum(ends[0], value - within), np.minimum(ends[1], value + within)]
        )
        found = found[np.isfinite(found)]
        return float(found.min()), float(found.max())

    whole, cut = limits_within(math.inf), limits_within(longest)
    return whole if np.ptp(whole) <= _STRETCH * np.ptp(cut) else cut


def draw_interval(
    axes: Axes, low: float, value: float, high: float, y: float, *, color: str
) -> None:
    """Draw a horizontal interval through `value`.

    If a limit is beyond the axis, or infinite, the line ends in an arrowhead at the edge of the
    axis. If a limit is missing, the line ends at the value.
    """
    left, right = axes.get_xlim()
    ends = []
    for limit, beyond, edge, arrow in (
        (low, low < left, left, _ARROWS[0]),
        (high, high > right, right, _ARROWS[1]),
    ):
        if beyond:
            axes.plot(edge, y, arrow, color=color, ms=3.5, clip_on=False)
        ends.append(edge if beyond else value if math.isnan(limit) else limit)
    span = (min(*ends, value), max(*ends, value))
    axes.plot(span, [y, y], color=color, lw=1.1, solid_capstyle="butt")


def draw_estimate(
    axes: Axes,
    y: float,
    numbers: tuple[float, float, float],
    look: Mapping[str, Any],
    *,
    if_missing: str = "undefined",
) -> None:
    """Draw lower limit, value and upper limit as a mark on its interval.

    `look` is the style of the mark, as for `Axes.plot`; its colour is also that of the interval.
    Without limits only the mark is drawn. A missing value is replaced by `if_missing`.
    """
    low, value, high = numbers
    if math.isnan(value):
        axes.text(
            0.02, y, if_missing, transform=axes.get_yaxis_transform(), va="center", style="italic",
            size=plotting.SIZE_SMALLEST, color=plotting.GREY, zorder=4,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )  # fmt: skip
        return
    if not (math.isnan(low) and math.isnan(high)):
        draw_interval(axes, low, value, high, y, color=look["color"])
    axes.plot(value, y, ls="", zorder=3, clip_on=False, **look)


def draw_rows(axes: Axes, line: float | None = None, **look: Any) -> None:
    """Prepare an axis of rows, with a grid of numbers and a reference line."""
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=plotting.PALE, lw=0.5)
    if line is not None:
        axes.axvline(line, zorder=1, **{"color": plotting.INK, "lw": 0.7, **look})


def label_heading(axes: Axes, y: float, heading: str, *, va: Literal["top", "center"]) -> None:
    """Put a bold heading among the labels of an axis' rows."""
    axes.annotate(
        heading, (0, y), xycoords=axes.get_yaxis_transform(),
        # The same distance from the axis as the labels of the ticks.
        xytext=(-3.5, 0), textcoords="offset points",
        ha="right", va=va, weight="bold", size=plotting.SIZE_SMALL,
    )  # fmt: skip


def has_arrows(figure: Figure) -> bool:
    """Whether any interval of the figure ends in an arrowhead."""
    return any(line.get_marker() in _ARROWS for axes in figure.axes for line in axes.lines)


def arrow_handle(label: str = "limit beyond the axis") -> Line2D:
    """Return the entry of a legend for arrowheads."""
    from matplotlib.lines import Line2D

    return Line2D([], [], color=plotting.INK, lw=1.1, marker=_ARROWS[1], ms=3.5, label=label)


def legend_outside(
    figure: Figure,
    handles: Sequence[Artist],
    *,
    where: Literal["outside upper center", "outside lower center"] = "outside lower center",
) -> None:
    """Put a legend outside the panels, in as few rows as the figure's width allows.

    A label that is wider than the figure is wrapped; a legend of many lines makes the figure
    taller, so that its panels keep their height.
    """
    from numpy import array_split

    room = figure.get_figwidth() * plotting.MM_PER_INCH
    for handle in handles:
        label = str(handle.get_label())
        handle.set_label(
            plotting.wrap(label, room - _HANDLE - 2, size=plotting.SIZE_SMALL, max_lines=4)
        )
    widths = [_HANDLE + _widest(str(handle.get_label())) for handle in handles]

    def fits(columns: int) -> bool:
        # A legend fills its columns one after another; each is as wide as its widest entry.
        return bool(sum(map(max, array_split(widths, columns))) < room)

    columns = next((n for n in range(len(widths), 1, -1) if fits(n)), 1)
    figure.legend(
        handles=handles,
        loc=where,
        ncols=columns,
        columnspacing=1.4,
        handletextpad=0.5,
    )
    tall = max(
        sum(label.count("\n") * plotting.LINE_MM + _ENTRY for label in column)
        for column in array_split([str(handle.get_label()) for handle in handles], columns)
    )
    if tall > _LEGEND_ROOM:
        grow(figure, tall - _LEGEND_ROOM)


def _widest(text: str) -> float:
    return max(plotting.text_width_mm(line, plotting.SIZE_SMALL) for line in text.split("\n"))


def grow(figure: Figure, height_mm: float) -> None:
    """Make a figure taller, if the necessary height is known only after drawing."""
    figure.set_figheight(figure.get_figheight() + height_mm / plotting.MM_PER_INCH)
