"""Figure of a conclusion under many specifications: sorted estimates above their choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import DataError, counted
from pyexpr.figures import drawing, plotting
from pyexpr.words.labels import display_name

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# mm
_CURVE = 52.0
_ROW = 3.7
_LABEL = 46.0
_LEGEND = 9.0
_AXIS_NAME = 6.0
# With more specifications, intervals and marks are drawn finer.
_MANY = 60


def specification_curve(
    rows: pd.DataFrame,
    entries: Sequence[str],
    *,
    confidence: float,
    names: Mapping[str, str] | None = None,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw the rows of one conclusion of a `SensitivityResult`; see its `plot`.

    Parameters
    ----------
    rows : DataFrame
        A row per specification: base, the `entries`, null, estimate, conf_low, conf_high,
        excludes_null, metric, context, term.
    entries : sequence of str
        Columns of the choices, from top to bottom.
    confidence : float
        Level of the intervals.
    names : mapping, optional
        Names to show for entries and values.
    width_mm : float

    Raises
    ------
    DataError
        If no specification has an estimate.
    """
    drawn = rows[rows["estimate"].notna()].sort_values("estimate", kind="stable")
    drawn = drawn.assign(filled=drawn["excludes_null"].fillna(False).astype(bool))
    if drawn.empty:
        raise DataError("there is nothing to draw: no specification has an estimate")
    blocks = {entry: list(dict.fromkeys(rows[entry])) for entry in entries}
    height = _ROW * sum(1 + len(values) for values in blocks.values())
    with plotting.style():
        figure = plotting.new_figure(width_mm, _CURVE + height + _LEGEND + _AXIS_NAME)
        curve, board = figure.subplots(2, 1, sharex=True, height_ratios=[_CURVE, height])
        _draw_curve(curve, drawn, len(drawn) > _MANY)
        _draw_choices(board, drawn, blocks, names, min(_LABEL, 0.32 * width_mm))
        base = np.flatnonzero(drawn["base"].to_numpy())
        for axes in (curve, board):
            axes.set_xlim(-0.6, len(drawn) - 0.4)
            for x in base:
                axes.axvspan(x - 0.3, x + 0.3, color=plotting.PALE, lw=0, zorder=0)
        curve.set_ylabel(_axis_name(rows.iloc[0].to_dict(), names))
        missing = len(rows) - len(drawn)
        failed = f"; {missing} without an estimate" if missing else ""
        board.set_xlabel(f"{counted(len(drawn), 'specification')}, sorted by estimate{failed}")
        _add_legend(figure, drawn, confidence)
    return plotting.freeze(figure)


def _look(row: Mapping[Any, Any], many: bool) -> dict[str, Any]:
    color = plotting.OKABE_ITO["vermillion"] if row["base"] else plotting.INK
    size = 5.0 if row["base"] else 2.2 if many else 3.4
    return {
        "marker": "D" if row["base"] else "o",
        "ms": size,
        "color": color,
        "markerfacecolor": color if row["filled"] else "white",
        "mew": 0.8,
    }


def _draw_curve(axes: Axes, drawn: pd.DataFrame, many: bool) -> None:
    null = drawn["null"].iloc[0]
    origin = float(null) if null == null else float("nan")
    low, high = drawing.reach(
        drawn["conf_low"], drawn["estimate"], drawn["conf_high"], origin=origin
    )
    margin = 0.05 * ((high - low) or abs(high) or 1.0)
    bottom, top = low - margin, high + margin
    axes.set_ylim(bottom, top)
    axes.grid(axis="y", color=plotting.PALE, lw=0.5)
    axes.tick_params(axis="x", length=0, labelbottom=False)
    axes.spines["bottom"].set_visible(False)
    if null == null:
        axes.axhline(null, color=plotting.INK, lw=0.7, zorder=1)
    for x, row in enumerate(drawn.to_dict("records")):
        look = _look(row, many)
        ends = []
        for limit, beyond, edge, arrow in (
            (row["conf_low"], row["conf_low"] < bottom, bottom, "v"),
            (row["conf_high"], row["conf_high"] > top, top, "^"),
        ):
            if beyond:
                axes.plot(x, edge, arrow, color=look["color"], ms=3, clip_on=False)
            ends.append(edge if beyond else row["estimate"] if limit != limit else limit)
        axes.plot(
            [x, x], ends, color=look["color"], lw=1.6 if row["base"] else 0.5 if many else 0.9,
            solid_capstyle="butt", zorder=2,
        )  # fmt: skip
        axes.plot(x, row["estimate"], ls="", zorder=4 if row["base"] else 3, **look)
    plotting.number_ticks(axes, 5, which="y")


def _draw_choices(
    axes: Axes,
    drawn: pd.DataFrame,
    blocks: Mapping[str, Sequence[str]],
    names: Mapping[str, str] | None,
    label_mm: float,
) -> None:
    """Draw a row per value of each entry, with a mark for each specification that has it."""
    ticks, labels, y = [], [], 0.0
    size = 3.2 if len(drawn) <= _MANY else 1.8
    base = drawn["base"].to_numpy()
    for number, (entry, values) in enumerate(blocks.items()):
        top = y
        heading = _heading(_name(entry, names), label_mm)
        drawing.label_heading(axes, y + _ROW / 2, heading, va="center")
        y += _ROW
        for value in values:
            own = (drawn[entry] == value).to_numpy()
            here = np.arange(len(drawn))
            at = y + _ROW / 2
            axes.plot(here[~own], np.full((~own).sum(), at), ls="", marker="_", ms=size,
                      color=plotting.PALE, mew=0.7)  # fmt: skip
            for chosen, color, marker in (
                (own & ~base, plotting.INK, "s"),
                (own & base, plotting.OKABE_ITO["vermillion"], "D"),
            ):
                axes.plot(here[chosen], np.full(chosen.sum(), at), ls="", marker=marker,
                          ms=size, color=color)  # fmt: skip
            ticks.append(at)
            text = _name(value, names)
            labels.append(plotting.wrap(text, label_mm, size=plotting.SIZE_SMALL, max_lines=1))
            y += _ROW
        if number:
            axes.axhline(top, color=plotting.PALE, lw=0.5)
    axes.set_ylim(y, 0)
    axes.set_yticks(ticks, labels)
    axes.tick_params(length=0, labelbottom=False)
    axes.set_xticks([])
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)


def _heading(name: str, label_mm: float) -> str:
    """Return the name of an entry; in a narrow figure without its section."""

    def fitted(text: str) -> str:
        return plotting.wrap(text, label_mm, size=plotting.SIZE_SMALL, weight="bold", max_lines=1)

    return name if fitted(name) == name else fitted(name.rpartition(".")[2])


def _name(label: str, names: Mapping[str, str] | None) -> str:
    """Return the user's name of an entry or value, or else its form in the study file."""
    return str((names or {}).get(label, label))


def _axis_name(row: Mapping[Any, Any], names: Mapping[str, str] | None) -> str:
    """Return the name of the axis in two lines: metric and term, then the context."""
    metric = display_name(row["metric"], names)
    shown = f"{metric}: {display_name(row['term'], names)}"
    context = "all contexts" if row["context"] == "all" else display_name(row["context"], names)
    lines = [shown, context]
    return "\n".join(
        plotting.wrap(line, _CURVE, size=plotting.SIZE_BODY, max_lines=2) for line in lines
    )


def _add_legend(figure: Figure, drawn: pd.DataFrame, confidence: float) -> None:
    from matplotlib.lines import Line2D

    look: dict[str, Any] = {"ls": "", "marker": "o", "ms": 3.4, "color": plotting.INK, "mew": 0.8}
    out = drawn["excludes_null"]
    handles = [
        Line2D([], [], ls="", marker="D", ms=5, color=plotting.OKABE_ITO["vermillion"],
               label="base: the study itself"),
        Line2D([], [], color=plotting.INK, lw=0.9, label=f"{100 * confidence:.10g} % interval"),
    ]  # fmt: skip
    if out.fillna(False).any():
        handles.append(Line2D([], [], label="interval excludes the null value", **look))
    if (~out.fillna(True)).any():
        hollow = look | {"markerfacecolor": "white"}
        handles.append(Line2D([], [], label="interval includes it", **hollow))
    if any(line.get_marker() in ("v", "^") for axes in figure.axes for line in axes.lines):
        look = {"color": plotting.INK, "lw": 0.9, "marker": "^", "ms": 3}
        handles.append(Line2D([], [], label="limit beyond the axis", **look))
    drawing.legend_outside(figure, handles, where="outside upper center")
