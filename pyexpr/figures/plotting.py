"""Figures for print: one style, one palette, and reproducible files.

The only module that may import `matplotlib.pyplot`; it does not need to.
Figures are built without pyplot's state, so the user's backend and rcParams
stay as they were.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial, wraps
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec
from xml.sax.saxutils import escape

from pyexpr.base.files import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MM_PER_INCH = 25.4
MM_PER_POINT = MM_PER_INCH / 72
# The text widths of most journals: two columns and one.
FULL_WIDTH_MM = 180.0
PNG_DPI = 300

# This font is part of matplotlib, so figures are the same on every machine.
FONT = "DejaVu Sans"
# Type size in points as printed; below 6.5 print is hard to read.
SIZE_BODY = 8.0
SIZE_SMALL = 7.0
SIZE_SMALLEST = 6.5
# Distance between lines of SIZE_SMALL, in mm.
LINE_MM = 2.95
# The same for titles in bold SIZE_BODY.
TITLE_LINE_MM = 3.4

STYLE: dict[str, Any] = {
    "font.family": [FONT],
    "font.size": SIZE_BODY,
    "axes.titlesize": SIZE_BODY,
    "axes.titleweight": "bold",
    "axes.labelsize": SIZE_BODY,
    "xtick.labelsize": SIZE_SMALL,
    "ytick.labelsize": SIZE_SMALL,
    "legend.fontsize": SIZE_SMALL,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "lines.linewidth": 1.0,
    # A dollar sign in a user's label is not read as mathematics.
    "text.parse_math": False,
    # Letters have the same width at every resolution, so that the layout does not depend on it.
    "text.hinting": "none",
    # Text remains text, so that it can be searched, read aloud and edited.
    "svg.fonttype": "none",
    # Without a fixed salt, every SVG would get new random ids.
    "svg.hashsalt": "pyexpr",
    "path.simplify": False,
}


@dataclass(frozen=True, slots=True)
class Mark:
    """The style of a series; any two differ in shape and line as well as in colour."""

    color: str
    marker: str
    linestyle: str


# Okabe and Ito (2008), "Color universal design"; yellow, too pale on white, comes last.
OKABE_ITO = {
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "black": "#000000",
    "yellow": "#F0E442",
}
INK = "#000000"
GREY = "#6E6E6E"
PALE = "#D9D9D9"
FAINT = "#F3F3F3"

_MARKERS = ("o", "s", "D", "^", "v", "P", "X", "p")
_LINES = ("-", "--", ":", "-.", "-", "--", ":", "-.")


def marks(n: int) -> tuple[Mark, ...]:
    """Return `n` ways to draw a series, safe for colour-blind readers and without colour.

    Up to 8 series differ in colour and marker. With more series, colours and markers are combined
    differently, so that up to 56 are distinct.
    """
    colors = list(OKABE_ITO.values())
    return tuple(
        Mark(
            # After the first round, 8 markers are combined with 7 colours, so that no pair occurs
            # twice.
            color=colors[i % 8] if i < 8 else colors[i % 7],
            marker=_MARKERS[i % 8],
            linestyle=_LINES[i % 8],
        )
        for i in range(n)
    )


@contextmanager
def style() -> Iterator[None]:
    """Set the package's style inside the block; the user's rcParams are restored after it.

    The style starts from matplotlib's defaults, not from the user's settings, because a figure must
    not depend on who draws it. The backend is not changed.
    """
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)  # type: ignore[arg-type]
        yield


def new_figure(width_mm: float, height_mm: float, *, layout: str | None = "constrained") -> Figure:
    """Return an empty figure of this printed size, drawn by Agg, unknown to pyplot.

    Call it, and everything that draws into the figure, inside `style()`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from pyexpr.figures.notebook_figure import NotebookFigure

    with style():
        figure = NotebookFigure(
            style=style,
            figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH),
            layout=layout or "none",
            facecolor="white",
        )
        FigureCanvasAgg(figure)
    return figure


def freeze(figure: Figure) -> Figure:
    """Fix the layout of the figure, so that all files of it are the same."""
    with style():
        figure.draw_without_rendering()
        # "none" is not used, because its placeholder makes every file draw the figure twice.
        figure.set_layout_engine(None)
    return figure


def finish_figure(figure: Figure) -> Figure:
    """Return a finished figure to the user, and register it with a notebook's pyplot."""
    from pyexpr.figures.notebook_figure import list_in_pyplot

    list_in_pyplot(figure)
    return figure


P = ParamSpec("P")


def drawn(labels: str) -> Callable[[Callable[P, Figure]], Callable[P, Figure]]:
    """Make a result's `plot` from the method that draws it, with the common documentation.

    The descriptions of ``names=``, ``width_mm=`` and the returned figure are written here once. The
    method's docstring says what is drawn, and describes further arguments in its Parameters.

    Parameters
    ----------
    labels : str
        The things that have labels in the figure, for the description of ``names=``.
    """

    def decorate(draw: Callable[P, Figure]) -> Callable[P, Figure]:
        @wraps(draw)
        def plot(*args: P.args, **kwargs: P.kwargs) -> Figure:
            return finish_figure(draw(*args, **kwargs))

        plot.__doc__ = _described(draw.__doc__, labels)
        return plot

    return decorate


def _described(docstring: str | None, labels: str) -> str | None:
    """Return the docstring with the sections that every `plot` has."""
    if docstring is None:  # Python may run without docstrings (-OO).
        return None
    heads = ("Parameters", "Raises", "Examples")
    parts = dict.fromkeys(heads, "")
    text, *sections = re.split(r"^(\w+)\n-+\n", cleandoc(docstring), flags=re.MULTILINE)
    parts |= dict(zip(sections[::2], sections[1::2], strict=True))
    parts["Parameters"] = parts["Parameters"].rstrip() + _SHARED_PARAMETERS.format(labels=labels)
    parts = {"Parameters": parts.pop("Parameters"), "Returns": _RETURNED, **parts}
    found = [f"{head}\n{'-' * len(head)}\n{part.strip()}" for head, part in parts.items() if part]
    return "\n\n".join([text.rstrip(), *found]) + "\n"


_SHARED_PARAMETERS = """
names : mapping of label to str, optional
    Names to show for {labels}; others are shown as they are,
    with blanks for underscores.
width_mm : float
    Printed width; 180 fills a page of most journals, 85 one column.
"""
_RETURNED = """
matplotlib Figure
    A notebook shows it; ``figure.savefig("figure.pdf")`` writes it at its printed size.
"""


def text_width_mm(text: str, size: float = SIZE_BODY, weight: str = "normal") -> float:
    """Return the printed width of one line of text, in mm."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=FONT, size=size, weight=weight)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width) * MM_PER_POINT


def wrap(
    text: str,
    width_mm: float,
    *,
    size: float = SIZE_BODY,
    weight: str = "normal",
    max_lines: int = 2,
) -> str:
    """Break a label into lines of at most `width_mm`; what does not fit ends in an ellipsis."""

    def fits(line: str) -> bool:
        return text_width_mm(line, size, weight) <= width_mm

    lines: list[str] = []
    for word in " ".join(text.split()).split(" "):
        if lines and fits(f"{lines[-1]} {word}"):
            lines[-1] += f" {word}"
            continue
        rest = word
        while not fits(rest) and len(rest) > 1:
            cut = next((n for n in range(len(rest) - 1, 1, -1) if fits(rest[:n])), 1)
            # Names from code break after an underscore, a dot or a hyphen, if there is one.
            seam = max(rest.rfind(mark, 1, cut) for mark in "_.-/") + 1
            cut = seam if seam > cut // 2 else cut
            lines.append(rest[:cut])
            rest = rest[cut:]
        lines.append(rest)
    if len(lines) > max_lines:
        last = lines[max_lines - 1]
        while last and not fits(f"{last}…"):
            last = last.rpartition(" ")[0] or last[:-1]
        lines = [*lines[: max_lines - 1], f"{last.rstrip()}…"]
    return "\n".join(lines)


def _round_below(limit: float) -> float:
    """Return the largest of 1, 2 and 5 times a power of ten that is at most `limit`."""
    power = 10.0 ** math.floor(math.log10(limit))
    return power * max(step for step in (1, 2, 5) if step * power <= limit or step == 1)


def _shortest(x: float, _: object, *, zero: bool) -> str:
    """Return a tick's number; it is not local to `number_ticks`, because figures are pickled."""
    plain, power = f"{x:g}", f"{x:.0e}".replace("e-0", "e-")
    exact = math.isclose(float(power), x, rel_tol=1e-9)
    text = power if exact and len(plain) > max(5, len(power)) else plain
    if not zero:
        text = text.replace("0.", ".", 1) if abs(x) < 1 else text
    return text.replace("-", "−")


def number_ticks(
    axes: Axes,
    nbins: int,
    *,
    symmetric: bool = False,
    which: Literal["x", "y"] = "x",
    zero: bool = True,
) -> None:
    """Put at most `nbins` + 1 round numbers at the axis, as short as possible: 0, 0.25, 2e−4.

    Without `zero`, numbers are printed as in APA style for quantities that cannot exceed 1:
    ``.25``.
    """
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

    axis = axes.xaxis if which == "x" else axes.yaxis
    if symmetric and nbins == 2:
        # MaxNLocator could put five numbers where there is room for only three.
        end = _round_below(axes.get_xlim()[1])
        axis.set_major_locator(FixedLocator([-end, 0, end]))
    else:
        axis.set_major_locator(MaxNLocator(nbins, steps=[1, 2, 5, 10], symmetric=symmetric))
    axis.set_major_formatter(FuncFormatter(partial(_shortest, zero=zero)))


def save(figure: Figure, stem: Path | str, *, title: str, description: str) -> tuple[Path, Path]:
    """Write `stem`.svg and `stem`.png (300 dpi), either both or none, and return their paths.

    Parameters
    ----------
    figure : matplotlib Figure
    stem : path without extension
    title, description : str
        Text for screen readers, written as ``<title>`` and ``<desc>`` of the SVG and as text chunks
        of the PNG.

    Raises
    ------
    OutputError
        If files cannot be written to the folder.

    Notes
    -----
    The bytes depend only on the figure and the version of matplotlib; there are no dates and no
    random ids.
    """
    base = Path(stem)
    svg, png = base.with_name(f"{base.name}.svg"), base.with_name(f"{base.name}.png")
    metadata = {"Title": title, "Description": description}
    with style(), whole_file(svg) as svg_part, whole_file(png) as png_part:
        # The resolution applies only to images within the figure, not to shapes.
        figure.savefig(svg_part, format="svg", dpi=PNG_DPI, metadata={**metadata, "Date": None})
        text = svg_part.read_text(encoding="utf-8")
        text = _with_description(text, base.name, title, description)
        svg_part.write_text(text, encoding="utf-8", newline="\n")
        figure.savefig(png_part, format="png", dpi=PNG_DPI, metadata=metadata)
    return svg, png


def _with_description(svg: str, name: str, title: str, description: str) -> str:
    """Give an SVG of matplotlib a role, a title, a description, and fonts to fall back on."""
    # Each figure has its own ids, so that a page can contain several figures.
    prefix = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") or "figure"
    named = (
        f'<title id="{prefix}-title">{escape(title)}</title>\n'
        f' <desc id="{prefix}-description">{escape(description)}</desc>'
    )
    svg = svg.replace(f"<title>{escape(title)}</title>", named, 1)
    svg = svg.replace(
        "<svg ", f'<svg role="img" aria-labelledby="{prefix}-title {prefix}-description" ', 1
    )
    # Verdana has the same widths as DejaVu, so the layout is kept if DejaVu is not installed.
    return svg.replace(f"'{FONT}'", f"'{FONT}', Verdana, sans-serif")
