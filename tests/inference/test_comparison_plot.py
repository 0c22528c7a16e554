"""The figure of a comparison: every number where it belongs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pyexpr.base.errors import DataError
from pyexpr.inference.comparison.comparison import compare_models


def result(*, contexts=("calm", "pain"), **options):
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"subject": np.repeat(np.arange(20), 4 * len(contexts))})
    frame["context"] = np.tile(np.repeat(contexts, 4), 20)
    frame["y"] = rng.normal(size=len(frame))
    frame["good"] = frame.y + 0.5 * rng.normal(size=len(frame))
    frame["poor_one"] = rng.normal(size=len(frame))
    frame["perfect"] = frame.y
    frame["flat"] = 0.0
    frame["nearly"] = frame.y + (frame.subject == 3)
    settings = {
        "truth": "y", "predictions": ["good", "poor_one"], "cluster": "subject",
        "context": "context", "n_boot": 0, "ratio": True,
    }  # fmt: skip
    return compare_models(frame, **(settings | options))


def panels(figure):
    return [axes for axes in figure.axes if axes.axison]


def drawn(axes):
    """The values of the marks, from top to bottom, and the ends of the intervals."""
    marks, spans = {}, []
    for line in axes.get_lines():
        x, y = np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)
        if line.get_marker() not in ("None", "", "<", ">"):
            marks[float(y[0])] = float(x[0])
        elif len(x) == 2 and y[0] == y[1]:
            spans.append((float(y[0]), *x.tolist()))
    return [marks[y] for y in sorted(marks)], [span[1:] for span in sorted(spans)]


def test_every_number_is_in_its_panel():
    found = result()
    tidy = found.tidy()
    axes = panels(found.plot())
    bands = [("rmse", "level"), ("rmse", "difference"), ("rmse", "ratio"),
             ("correlation", "level"), ("correlation", "difference")]  # fmt: skip
    assert len(axes) == 3 * len(bands)
    for i, (metric, kind) in enumerate(bands):
        for k, context in enumerate(("calm", "pain", "all")):
            here = tidy[(tidy.metric == metric) & (tidy.context == context)]
            chosen = here.kind == kind
            values, spans = drawn(axes[3 * i + k])
            assert values == here.estimate[chosen].tolist()
            limits = here.loc[chosen, ["conf_low", "conf_high"]].to_numpy()
            np.testing.assert_array_equal(spans, limits)
    labels = [label.get_text() for label in axes[3].get_yticklabels()]
    assert labels == ["good − poor one"]
    assert [a.get_title() for a in axes[:3]] == ["calm", "pain", "all"]


def test_differences_between_contexts():
    found = result()
    axes = panels(found.plot(between="contexts", names={"good": "Elastic net"}))
    assert [a.get_title() for a in axes] == ["calm − pain", "", ""]
    tidy = found.tidy()
    wanted = tidy[(tidy.metric == "rmse") & (tidy.context == "calm / pain")]
    assert drawn(axes[1])[0] == wanted.estimate.tolist()
    assert [x.get_text() for x in axes[1].get_yticklabels()] == ["Elastic net", "poor one"]
    with pytest.raises(DataError, match="no differences between contexts"):
        result(context=None).plot(between="contexts")


def test_names_may_hold_the_signs_of_labels():
    models = {"net - small": "good", "net_1": "poor_one", "net 1": "nearly"}
    found = result(contexts=("pre - post", "rest"), predictions=models, metrics=["rmse"])
    axes = panels(found.plot(names={"rest": "At rest"}))
    assert [a.get_title() for a in axes[:3]] == ["pre - post", "At rest", "all"]
    labels = [[label.get_text() for label in a.get_yticklabels()] for a in axes[::3]]
    # Two that would be written alike keep their labels, for they would share a row.
    assert labels[0] == ["net - small", "net_1", "net 1"]
    assert labels[1] == ["net - small − net_1", "net - small − net 1", "net_1 − net 1"]
    assert labels[2][2] == "net_1 / net 1"
    values, _ = drawn(axes[3])
    tidy = found.tidy().query("kind == 'difference' and context == 'pre - post'")
    assert values == tidy.estimate.tolist()
    between = panels(found.plot(between="contexts", contexts=["pre - post - rest"]))
    assert [a.get_title() for a in between] == ["pre - post − rest", ""]
    flips = found.sign_flip(n_flips=9).plot(names={"net - small": "Small"})
    assert [a.get_title() for a in panels(flips)] == ["pre - post", "rest", "all"]
    labels = [label.get_text() for label in panels(flips)[0].get_yticklabels()]
    assert labels == ["Small − net_1", "Small − net 1", "net_1 − net 1"]


def test_many_contexts_go_below_one_another():
    figure = result(contexts=tuple("abcdefgh")).plot(metrics="correlation")
    titles = [axes.get_title() for axes in panels(figure) if axes.get_title()]
    assert titles == [*"abcdefgh", "all"]
    assert len(panels(figure)) == 18
    one = result(contexts=tuple("abcdefgh")).plot(metrics=["correlation"], contexts=["c", "all"])
    assert len(panels(one)) == 4


def test_what_has_no_value_or_interval_is_reported():
    models = ["good", "perfect", "flat", "nearly"]
    figure = result(predictions=models, context=None, metrics=["rmse", "correlation"]).plot()
    texts = [text.get_text() for axes in panels(figure) for text in axes.texts]
    # perfect has no ratios, flat no correlation and differences of it.
    assert texts.count("undefined") == 3 + 1 + 3
    (legend,) = figure.legends
    assert "no interval" in [text.get_text() for text in legend.get_texts()]


def test_the_legend_says_method_level_and_rule():
    def legend(found, **options):
        (one,) = found.plot(**options).legends
        return one.get_texts()[-1].get_text()

    adjusted = result(ratio=False, confidence=0.9, metrics=["rmse"]).adjust("holm")
    assert legend(adjusted).endswith("; of differences simultaneous, by Bonferroni")
    assert legend(adjusted, between="contexts") == "90 % interval (jackknife_t)"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ["mae"]}, "metrics= names 'mae'; there are 'rmse', 'correlation'"),
        ({"contexts": "panic"}, "contexts= names 'panic'; there are 'calm', 'pain', 'all'"),
        ({"between": "subjects"}, "between= must be 'models' or 'contexts'"),
    ],
)
def test_errors(options, message):
    with pytest.raises(DataError, match=message):
        result().plot(**options)
