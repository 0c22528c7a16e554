"""Learning curves and the table of seeds: what is drawn, said, and refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pyexpr.base.errors import ColumnError, DataError
from pyexpr.figures.learning import learning_alt, learning_figure
from pyexpr.report.tables.seeds import seeds_table


@pytest.fixture
def curves() -> pd.DataFrame:
    """Two seeds in each of three contexts; the second context is the worst by far."""
    rows = [
        {"context": context, "seed": seed, "epoch": epoch, "train_rmse": height / epoch,
         "validation_rmse": height + 0.1 * abs(epoch - 2), "best": epoch == 2}
        for context, height in (("pain", 0.5), ("startle", 3.0), ("all", 1.0))
        for seed in (1, 2) for epoch in (1, 2, 3)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_every_curve_lies_within_its_panel(curves: pd.DataFrame) -> None:
    figure = learning_figure(curves)
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in panels] == ["Pain", "Startle", "All"]
    for axes in panels:
        low, high = axes.get_ylim()
        assert low == 0
        assert len(axes.lines) == 6  # two seeds: training, validation, best epoch
        for line in axes.lines:
            assert (np.asarray(line.get_ydata()) < high).all()
    pain = panels[0].lines
    np.testing.assert_allclose(pain[0].get_ydata(), [0.5, 0.25, 0.5 / 3])
    np.testing.assert_allclose(pain[1].get_ydata(), [0.6, 0.5, 0.6])
    assert (pain[2].get_xdata(), pain[2].get_ydata()) == ([2], [0.5])
    assert panels[0].get_xticks().tolist() == [1, 2, 3]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "Training", "Validation", "Best epoch",
    ]  # fmt: skip


def test_without_validation_the_best_epoch_is_on_the_training_curve(curves: pd.DataFrame) -> None:
    one = curves[(curves["context"] == "all") & (curves["seed"] == 1)]
    bare = one.drop(columns=["context", "seed"]).assign(validation_rmse=np.nan)
    (axes,) = learning_figure(bare).axes
    assert len(axes.lines) == 2
    assert axes.lines[1].get_ydata().tolist() == [0.5]
    assert learning_alt(bare).endswith("All: best epoch 2 of 3, training 0.500.")


def test_the_words_say_the_same(curves: pd.DataFrame) -> None:
    message = learning_alt(curves)
    assert "Startle, seed 2: best epoch 2 of 3, training 1.500, validation 3.000." in message
    assert message.count("best epoch") == 6


def test_tables_that_cannot_be_drawn(curves: pd.DataFrame) -> None:
    with pytest.raises(ColumnError, match="no column 'train_rmse'"):
        learning_figure(curves.drop(columns="train_rmse"))
    with pytest.raises(ColumnError, match="must be a number, but row 1 holds 'first'"):
        learning_figure(curves.assign(epoch="first"))
    with pytest.raises(DataError, match="no rows"):
        learning_figure(curves.iloc[:0])


def test_one_seed_has_no_spread() -> None:
    spread = pd.DataFrame(
        [("lstm", "pain", "nrmse", 0.12, 0.1, 0.14, 1, 0.12, np.nan, 0.12, 0.12)],
        columns=["model", "context", "metric", "estimate", "conf_low", "conf_high", "n_seeds",
                 "seed_mean", "seed_sd", "seed_low", "seed_high"],
    )  # fmt: skip
    table = seeds_table(spread, confidence=0.9)
    assert table.rows == (
        (
            "OpenFace-LSTM",
            "NRMSE",
            "Pain",
            "0.120",
            "[0.100, 0.140]",
            "1",
            "0.120",
            "—",
            "[0.120, 0.120]",
        ),
    )
    assert table.columns[4] == "90% CI"
