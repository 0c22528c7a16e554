"""Predicted against true: what is drawn, what is said, what is refused."""

from __future__ import annotations

import doctest

import numpy as np
import pandas as pd
import pytest

from pyexpr.base.errors import ColumnError, DataError
from pyexpr.figures import predictions as module
from pyexpr.figures.predictions import predictions_alt, predictions_figure


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "evaluated": ["pain", "pain", "all", "all"],
            "truth": [-1.0, 1.5, -0.9, 1.4],
            "net": [-0.5, np.nan, -0.2, 0.6],
            "lstm": [0.1, 0.2, 0.3, 0.4],
        }
    )


def test_a_model_without_predictions_in_a_context_says_so() -> None:
    frame = table()
    frame.loc[frame["evaluated"] == "pain", "lstm"] = np.nan
    panels = predictions_figure(frame, ["lstm"]).axes
    message = [[text.get_text() for text in axes.texts] for axes in panels]
    assert ["not predicted"] in message
    (empty,) = (
        axes for axes, texts in zip(panels, message, strict=True) if "not predicted" in texts
    )
    # No diagonal to take for a result.
    assert not empty.lines


def test_example() -> None:
    assert doctest.testmod(module).failed == 0


def test_a_panel_for_each_model_and_context_holds_its_clips() -> None:
    panels = predictions_figure(table(), ["net", "lstm"]).axes
    assert [axes.get_title() for axes in panels] == ["Pain", "All", "Pain", "All"]
    dots = [axes.lines[1].get_xydata().tolist() for axes in panels]
    assert dots[1] == [[-0.9, -0.2], [1.4, 0.6]]
    assert dots[2] == [[-1.0, 0.1], [1.5, 0.2]]
    assert panels[0].texts[0].get_text() == "1 clip\n1 not predicted"
    limits = {(*axes.get_xlim(), *axes.get_ylim()) for axes in panels}
    assert len(limits) == 1


def test_many_contexts_go_to_further_rows() -> None:
    many = pd.concat([table().assign(evaluated=f"task {i}") for i in range(6)])
    figure = predictions_figure(many, ["net"])
    shown = [axes.get_title() for axes in figure.axes if axes.get_visible()]
    assert shown == [f"task {i}" for i in range(6)]


def test_the_words_hold_the_counts_and_ranges() -> None:
    text = predictions_alt(table(), ["net"])
    assert (
        "Net, Pain: 1 clip, true scores from −1.00 to 1.50, predicted from −0.50 to −0.50." in text
    )
    assert "Net, All: 2 clips" in text


def test_nothing_to_show_is_refused() -> None:
    with pytest.raises(DataError, match="nothing to draw"):
        predictions_figure(table(), [])
    with pytest.raises(DataError, match="nothing to draw"):
        predictions_figure(table().iloc[:0], ["net"])
    with pytest.raises(ColumnError, match="cnn"):
        predictions_figure(table(), ["cnn"])
    with pytest.raises(ColumnError, match="number"):
        predictions_figure(table().assign(net="x"), ["net"])
