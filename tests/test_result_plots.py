"""Figures of results: every number where it belongs, nothing cut, and a reason for what is not."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

import pyexpr as px
from pyexpr.figures.forest import Axis, Forest, Item

LONG = "a very long name of a context in which subjects were asked to recall something sad"


def inside(figure) -> None:
    """Assert that no label is cut."""
    figure.draw_without_rendering()
    shown = [text for axes in figure.axes for text in (*axes.get_yticklabels(), axes.title)]
    legends = [text for legend in figure.legends for text in legend.get_texts()]
    for text in (*shown, *legends, *figure.texts):
        if text.get_text().strip():
            box = text.get_window_extent()
            assert figure.bbox.x0 - 1 <= box.x0 <= box.x1 <= figure.bbox.x1 + 1, text.get_text()


def drawn(axes):
    """The values of the marks, and the ends of the intervals, from top to bottom."""
    marks, spans = [], []
    for line in axes.get_lines():
        x, y = np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)
        if len(x) == 1 and line.get_marker() not in ("<", ">"):
            marks.append((y[0], x[0]))
        elif len(x) == 2 and y[0] == y[1]:
            spans.append((y[0], *x))
    return [x for _, x in sorted(marks)], [list(span[1:]) for span in sorted(spans)]


def labels(axes):
    return [text.get_text() for text in axes.get_yticklabels()]


def ratings(contexts):
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(
        [(name, clip, rater) for name in contexts for clip in range(12) for rater in "abc"],
        columns=["context", "clip", "rater"],
    )
    means = rng.normal(size=(len(contexts), 12)).repeat(3)
    frame["score"] = means + rng.normal(size=len(frame))
    return frame


def icc(contexts, **options):
    settings = {"targets": "clip", "raters": "rater", "ratings": "score", "context": ["context"]}
    return px.icc(ratings(contexts), **(settings | options))


def indicators():
    rng = np.random.default_rng(1)
    subject = np.tile(np.repeat(np.arange(30), 6), 2)
    f = rng.normal(size=30)[subject] + rng.normal(size=360)
    table = pd.DataFrame({name: f + rng.normal(size=360) for name in ("anger", "joy_1", "joy_2")})
    return table.assign(subject=subject, context=np.repeat(["pain", "startle"], 180))


MODEL = {"face": ["anger", "joy_1", "joy_2"]}


def test_icc_has_a_row_per_context():
    found = icc(["calm", "pain"], form="ICC(1,1)")
    (axes,) = found.plot().axes
    tidy = found.tidy()
    marks, spans = drawn(axes)
    assert labels(axes) == ["calm", "pain"]
    assert marks == tidy.estimate.tolist()
    np.testing.assert_array_equal(spans, tidy[["conf_low", "conf_high"]])
    assert len(icc(["calm", "pain"]).plot().axes) == 6  # a panel per form


@pytest.mark.parametrize("width", [85, 180])
@pytest.mark.parametrize("contexts", [["one"], [LONG, f"{LONG} 2", "b"], list(map(str, range(30)))])
def test_no_label_is_cut(contexts, width):
    found = icc(contexts, form=["ICC(1,1)", "ICC(1,k)"])
    inside(found.plot(width_mm=width))
    inside(px.d_study(found, raters=[1, 2, 5]).plot(width_mm=width))


def test_a_legend_that_is_wider_than_the_figure_is_wrapped_and_takes_no_room_of_the_rows():
    table = ratings(["calm", "pain"]).assign(subject=lambda rows: rows["clip"] % 6)
    found = px.icc(
        table, targets=["subject", "clip"], raters="rater", ratings="score", context=["context"],
        cluster="subject",
    )  # fmt: skip
    assert found.tidy().method.nunique() == 2  # one method's name holds a comma
    narrow = found.plot(width_mm=60)
    inside(narrow)
    entry = narrow.legends[0].get_texts()[0]
    assert entry.get_text().replace("\n", " ") == (
        "95 % interval (subject jackknife; subject jackknife, raters' chi-square)"
    )
    assert "\n" in entry.get_text()
    inside(px.d_study(found, raters=[1, 3]).plot(width_mm=60))
    kinds = tuple(f"a mark with a name that fills the width, number {i}" for i in range(6))
    items = [Item(f"row {i}", 0.0, 1.0, 2.0, kind=i) for i in range(6)]

    def row_height(names):
        forest = Forest(items=items, axes={"": Axis()}, level="", kinds=names)
        axes = forest.figure(85).axes[0]
        return axes.bbox.height

    assert row_height(kinds) == pytest.approx(row_height(("",) * 6), rel=0.12)


def test_reasons_stand_in_place_of_missing_values():
    frame = ratings(["calm", "flat"])
    frame.loc[frame.context == "flat", "score"] = 3.0
    found = px.icc(
        frame, targets="clip", raters="rater", ratings="score", context=["context"], form="ICC(1,1)"
    )
    (axes,) = found.plot().axes
    assert "all ratings are equal" in [text.get_text() for text in axes.texts]
    panels = px.d_study(found, raters=[1, 3]).plot().axes
    assert [text.get_text() for text in panels[1].texts] == ["all ratings are equal"]


def test_d_study_is_a_line_per_context():
    plan = px.d_study(icc(["calm", "pain"], form="ICC(1,k)"), raters=[1, 4, 10])
    for axes, (_, rows) in zip(plan.plot().axes, plan.tidy().groupby("context"), strict=True):
        (line,) = axes.get_lines()
        assert line.get_xdata().tolist() == [1, 4, 10]
        np.testing.assert_array_equal(line.get_ydata(), rows.estimate)


def test_the_interval_of_a_published_icc():
    found = px.icc_interval(0.879, n_targets=20, k=3)
    marks, spans = drawn(found.plot(width_mm=85).axes[0])
    assert marks == [0.879]
    assert spans == [[found.conf_low, found.conf_high]]


def test_loadings_by_group():
    fit = px.cfa(indicators(), MODEL, context="context", engine="native")
    wanted = fit.standardized().query("op == '=~'")
    figure = fit.plot(names={"joy_1": "Joy, first"})
    inside(figure)
    for axes, (context, rows) in zip(figure.axes, wanted.groupby("context"), strict=True):
        assert axes.get_title() == context
        assert labels(figure.axes[0]) == ["anger", "Joy, first", "joy 2"]
        assert drawn(axes)[0] == rows.estimate.tolist()
        np.testing.assert_array_equal(drawn(axes)[1], rows[["conf_low", "conf_high"]])


def test_refits_and_contrasts():
    table = indicators()
    refits = px.bootstrap_cfa(table, MODEL, cluster="subject", n_boot=99)
    assert len(refits.plot().axes) == 5
    (axes,) = refits.plot(quantities="std_loading").axes
    wanted = refits.tidy().query("quantity == 'std_loading'")
    assert drawn(axes)[0] == wanted.estimate.tolist()
    np.testing.assert_array_equal(drawn(axes)[1], wanted[["conf_low", "conf_high"]])
    with pytest.raises(px.errors.DataError, match="quantities= names 'loadings'; there are"):
        refits.plot(quantities=["loadings"])
    found = px.invariance(table, MODEL, context="context", cluster="subject", engine="native")
    wanted = found.contrasts()
    figure = found.plot()
    inside(figure)
    assert figure.axes[0].get_title() == "pain − startle"
    for axes, (_, rows) in zip(figure.axes, wanted.groupby("level"), strict=True):
        assert drawn(axes)[0] == rows.estimate.tolist()
        np.testing.assert_allclose(drawn(axes)[1], rows[["conf_low", "conf_high"]], rtol=0)


def test_statistics_and_the_value_they_are_tested_against():
    rng = np.random.default_rng(4)
    table = pd.DataFrame({"subject": np.repeat(np.arange(20), 4), "y": rng.normal(5, 1, 80)})

    def mean(rows, weights):
        return np.average(rows.y, weights=weights)

    found = px.cluster_bootstrap(table, mean, cluster="subject", n_boot=99, null=4.0)
    (axes,) = found.plot().axes
    assert drawn(axes)[0] == found.tidy().estimate.tolist()
    assert [4.0, 4.0] in [list(line.get_xdata()) for line in axes.get_lines()]
    plain = px.cluster_bootstrap(table, mean, cluster="subject", n_boot=99).plot().axes[0]
    assert plain.get_xlim()[0] > 4.0  # 0 is no value of interest


def test_differences_with_their_p_values():
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"subject": np.repeat(np.arange(20), 5)})
    table["y"], table["a"], table["b"] = rng.normal(size=(3, 100))
    found = px.compare_models(
        table, truth="y", predictions=["a", "b"], cluster="subject", metrics=["rmse"], n_boot=0
    ).sign_flip()
    figure = found.plot()
    (axes,) = figure.axes
    assert drawn(axes)[0] == found.tidy().estimate.tolist()
    assert axes.texts[0].get_text().startswith("p = .")


def test_several_marks_stand_side_by_side_and_infinite_limits_end_in_arrows():
    items = [
        Item("row", -np.inf, 0.1, 0.2, kind=0),
        Item("row", 0.1, 0.3, np.inf, kind=1),
        Item("gone", np.nan, np.nan, np.nan, kind=1, if_missing="why not"),
        Item("alone", np.nan, 0.2, np.nan, kind=0),
    ]
    forest = Forest(items=items, axes={"": Axis()}, level="interval", kinds=("one", "two"))
    figure = forest.figure(85)
    lines = figure.axes[0].get_lines()
    assert {"<", ">"} <= {line.get_marker() for line in lines}
    ys = [float(line.get_ydata()[0]) for line in lines if line.get_marker() in "os"]
    assert len(set(ys)) == 3
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["one", "two", "interval", "no interval", "limit beyond the axis"]
    with pytest.raises(px.errors.DataError, match="nothing to draw"):
        Forest(items=[], axes={}, level="").figure()


def test_a_figure_is_a_picture_of_its_printed_size_and_pickles():
    from matplotlib.figure import Figure

    figure = px.icc_interval(0.5, n_targets=20, k=3).plot(width_mm=127)
    assert isinstance(figure, Figure)
    picture, size = figure._repr_png_()
    assert picture.startswith(b"\x89PNG")
    assert size["width"] == 480
    again, _ = pickle.loads(pickle.dumps(figure))._repr_png_()
    assert again == picture
