"""Figures say what they must, hold every number, and no label is cut or covers another."""

from __future__ import annotations

import io
import math
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from report.canvas import check_texts, shown_texts

from pyexpr.base.errors import ColumnError, DataError
from pyexpr.figures import drawing, plotting
from pyexpr.figures.factor import factor_alt, factor_figure
from pyexpr.figures.learning import learning_figure
from pyexpr.figures.performance import performance_alt, performance_figure
from pyexpr.figures.predictions import predictions_figure
from pyexpr.figures.quality import quality_alt, quality_figure
from pyexpr.figures.weights import coefficients_figure, weights_alt, weights_figure
from pyexpr.paper import published_numbers

CONTEXTS = ("startle", "pain", "disgust", "fear", "sadness", "all")
LONG = (
    "A context with a rather long descriptive name",
    "startle",
    "another_context_named_in_code_and_at_length",
    "disgust",
    "fear",
    "all",
)
MODELS = ("uniform", "normal", "human", "elastic_net", "openface_lstm", "3d_cnn", "a", "b")
LONG_MODELS = (
    "uniform",
    "A model whose name says all there is to say about it",
    "human",
    "an_extraordinarily_long_name_from_code_version_1",
    "an_extraordinarily_long_name_from_code_version_2",
    "Averylongnamewithoutanyplacewhereitcouldbebrokenatall",
    "c",
    "d",
)
FEATURES = (
    "points_displacement", "points_velocity", "head_displacement", "head_velocity",
    "pitch_displacement", "pitch_velocity", "yaw_displacement", "yaw_velocity",
    "roll_displacement", "roll_velocity", "gaze_displacement", "gaze_velocity",
    "au_count", "au_intensity",
)  # fmt: skip


def performance(models: Any = MODELS, contexts: Any = CONTEXTS) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    rows = []
    for metric, low, high, width in (("nrmse", 0.08, 0.3, 0.03), ("correlation", -0.3, 0.8, 0.2)):
        for model in models:
            for context in contexts:
                value = rng.uniform(low, high)
                rows.append((model, context, metric, value, value - width, value + width))
    return pd.DataFrame(
        rows, columns=["model", "context", "metric", "estimate", "conf_low", "conf_high"]
    )


def weights(contexts: Any = CONTEXTS, features: Any = FEATURES) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    rows = [(c, f, rng.normal(0, 0.2)) for c in contexts for f in features]
    return pd.DataFrame(rows, columns=["context", "feature", "estimate"])


def loadings(contexts: Any = CONTEXTS, indicators: Any = ("response", "emotion", "motion")) -> Any:
    rng = np.random.default_rng(3)
    rows = [(c, i, x, 1 - x * x) for c in contexts for i in indicators
            for x in [rng.uniform(0.8, 0.99)]]  # fmt: skip
    return pd.DataFrame(
        rows, columns=["context", "indicator", "std_loading", "std_residual_variance"]
    )


def quality(contexts: Any = CONTEXTS) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    rows = [(c, x) for c in contexts for x in np.clip(rng.normal(1, 0.1, 50), 0, 1)]
    found = pd.DataFrame(rows, columns=["context", "n_valid_bins"])
    return found.assign(n_bins=200, n_valid_bins=(200 * found["n_valid_bins"]).round())


def far(frame: pd.DataFrame) -> pd.DataFrame:
    """Give the first row an interval that would shrink all others to dots."""
    frame.loc[frame.index[0], "conf_high"] = 30.0
    return frame


def predictions(
    contexts: Any = CONTEXTS, models: Any = ("elastic_net", "lstm"), n: int = 20
) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    found = pd.DataFrame({"evaluated": np.repeat(contexts, n)})
    for name in ("truth", *models):
        found[name] = rng.normal(size=len(found))
    if n > 1:
        found.loc[0, models[0]] = math.nan
    return found


def learning(contexts: Any, epochs: int = 5) -> pd.DataFrame:
    rows = [(c, e, 1 / e, 1.2 / e, e == epochs) for c in contexts for e in range(1, epochs + 1)]
    return pd.DataFrame(rows, columns=["context", "epoch", "train_rmse", "validation_rmse", "best"])


TWELVE = [f"Context number {i} of twelve with long names" for i in range(1, 13)]
QUESTIONS = (
    "How strong is the emotional response of the person in this video clip to the stimulus?",
    "how_much_of_any_emotion_does_the_person_show",
    "Motion",
    "Tension",
)

CASES = {
    "performance": lambda: performance_figure(performance()),
    "performance, two models, one context": lambda: performance_figure(
        performance(MODELS[2:4], ["pain"])
    ),
    "performance, long": lambda: performance_figure(performance(LONG_MODELS, LONG)),
    "performance, narrow": lambda: performance_figure(
        performance(MODELS[:4], CONTEXTS[:2]), width_mm=90
    ),
    "performance, narrow and long": lambda: performance_figure(
        performance(LONG_MODELS, LONG), width_mm=90
    ),
    "performance, five metrics": lambda: performance_figure(
        pd.concat(
            [
                performance(MODELS[:3], ["all"]).head(3).assign(metric=metric)
                for metric in ("nrmse", "mae", "correlation_within", "concordance_between", "r2")
            ]
        )
    ),
    "performance, a far limit": lambda: performance_figure(far(performance())),
    "weights": lambda: weights_figure(weights()),
    "weights, zeros and a far limit": lambda: weights_figure(
        far(weights().assign(estimate=0.0, conf_low=-0.1, conf_high=0.1))
    ),
    "weights, twelve contexts": lambda: weights_figure(weights(TWELVE)),
    "coefficients, twelve contexts": lambda: coefficients_figure(
        weights(TWELVE, LONG_MODELS).assign(
            procedure_low=-0.1, procedure_high=0.1, tested_estimate=0.2, conf_low=0.1, conf_high=9.0
        )
    ),
    "predictions": lambda: predictions_figure(predictions(), ["elastic_net", "lstm"]),
    "predictions, long": lambda: predictions_figure(predictions(TWELVE, LONG_MODELS), LONG_MODELS),
    "predictions, narrow": lambda: predictions_figure(
        predictions(TWELVE[:4], LONG_MODELS[3:4]), LONG_MODELS[3:4], width_mm=90
    ),
    "predictions, one clip": lambda: predictions_figure(
        predictions(LONG[:1], LONG_MODELS[1:2], 1), LONG_MODELS[1:2]
    ),
    "learning, long": lambda: learning_figure(learning(TWELVE)),
    "learning, one epoch": lambda: learning_figure(learning(["all"], 1)),
    "weights, one context": lambda: weights_figure(weights(["all"])),
    "weights, long": lambda: weights_figure(weights(LONG, (*FEATURES, *LONG_MODELS))),
    "weights, narrow": lambda: weights_figure(weights(), width_mm=90),
    "weights, tiny": lambda: weights_figure(weights().assign(estimate=1e-4)),
    "weights, huge": lambda: weights_figure(weights().assign(estimate=123.0)),
    "factor": lambda: factor_figure(loadings()),
    "factor, one context": lambda: factor_figure(loadings(["pain"])),
    "factor, long": lambda: factor_figure(
        loadings(LONG, QUESTIONS), latent="Perceived momentary expressiveness of the person"
    ),
    "factor, a long latent and few indicators": lambda: factor_figure(
        loadings([QUESTIONS[0], "all"], ["motion"]), latent=QUESTIONS[0]
    ),
    "factor, one indicator": lambda: factor_figure(loadings(["all"], ["motion"])),
    "factor, twelve indicators": lambda: factor_figure(
        loadings(["all"], [f"item_{i}" for i in range(1, 13)])
    ),
    "quality": lambda: quality_figure(quality()),
    "quality, one context": lambda: quality_figure(quality(["all"])),
    "quality, long": lambda: quality_figure(quality(LONG)),
    "quality, narrow": lambda: quality_figure(quality(LONG), width_mm=90),
}


@cache
def case_figure(case: str) -> Any:
    return CASES[case]()


def words(figure: Any) -> str:
    return " ".join(" ".join(text.get_text().split()) for text in shown_texts(figure))


@pytest.mark.parametrize("case", CASES)
def test_texts_stay_on_the_canvas_and_off_each_other(case: str) -> None:
    check_texts(case_figure(case))


@pytest.mark.parametrize("case", CASES)
def test_no_label_is_cut(case: str) -> None:
    assert "…" not in words(case_figure(case))


@pytest.mark.parametrize("case", CASES)
def test_no_text_is_too_small_to_read_in_print(case: str) -> None:
    assert min(text.get_size() for text in shown_texts(case_figure(case))) >= 6.5


@pytest.mark.parametrize(
    "case",
    [
        "performance, two models, one context",
        "weights, one context",
        "factor, one context",
        "quality, one context",
    ],
)
def test_svg_bytes_repeat_and_settings_stay(case: str) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    files = []
    for _ in range(2):
        figure = CASES[case]()
        out = io.BytesIO()
        with plotting.style():
            figure.savefig(out, format="svg", metadata={"Date": None})
        files.append(out.getvalue())
    assert files[0] == files[1]
    assert dict(matplotlib.rcParams) == before


def test_the_users_settings_do_not_change_the_figure() -> None:
    import matplotlib

    def svg() -> bytes:
        figure = weights_figure(weights(["pain"]))
        out = io.BytesIO()
        with plotting.style():
            figure.savefig(out, format="svg", metadata={"Date": None})
        return out.getvalue()

    plain = svg()
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "black", "lines.linewidth": 9}):
        assert svg() == plain


def dots(axes: Any, marker: str | None = None) -> list[tuple[float, float]]:
    """Return where single markers stand (but for arrowheads)."""
    return [
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]))
        for line in axes.lines
        if len(line.get_xdata()) == 1
        and (line.get_marker() == marker if marker else line.get_marker() in "oDs")
    ]


def test_performance_draws_every_row_where_its_label_stands() -> None:
    frame = performance()
    figure = performance_figure(frame)
    labels = dict(zip(figure.axes[0].get_yticks(), figure.axes[0].get_yticklabels(), strict=True))
    for axes, (metric, part) in zip(figure.axes, frame.groupby("metric", sort=False), strict=True):
        drawn = dots(axes)
        assert len(drawn) == len(part) == 48
        assert sorted(x for x, _ in drawn) == sorted(part["estimate"])
        assert {y for _, y in drawn} == set(labels)
        low, high = axes.get_xlim()
        assert low <= part["conf_low"].min()
        assert high >= part["conf_high"].max()
        assert (
            axes.get_title(loc="left") == {"nrmse": "NRMSE", "correlation": "Correlation"}[metric]
        )
    text = words(figure)
    for name in ("Startle", "All", "Uniform baseline", "ElasticNet", "3D-CNN", "human raters",
                 "lower is better", "higher is better", "95% interval (jackknife-t)"):  # fmt: skip
        assert name in text


def test_performance_puts_each_dot_beside_its_own_name() -> None:
    frame = published_numbers.performance()
    figure = performance_figure(frame)
    axes = figure.axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    by_y = {y: x for x, y in dots(axes)}
    drawn = [by_y[y] for y in axes.get_yticks()]
    # Blocks are startle, pain, disgust, all; each in the order of the models.
    assert names[:7] == [
        "Uniform baseline", "Normal baseline", "Human baseline", "3D-CNN", "3D-CNN pretrained",
        "OpenFace-LSTM", "ElasticNet",
    ]  # fmt: skip
    assert drawn[:7] == [0.294, 0.211, 0.087, 0.156, 0.152, 0.129, 0.100]
    assert drawn[21:] == [0.309, 0.210, 0.081, 0.148, 0.148, 0.145, 0.124]
    assert "interval" not in words(figure)


def test_a_model_over_all_contexts_alone_stands_beside_the_others() -> None:
    frame = published_numbers.performance()
    # As a study lists them: context by context, "all" last.
    frame = frame.sort_values("context", key=lambda names: names == "all", kind="stable")
    frame = frame[(frame["model"] != "3d_cnn") | (frame["context"] == "all")]
    found, expected = (
        [label.get_text() for label in drawn.axes[0].get_yticklabels()]
        for drawn in map(performance_figure, (frame, published_numbers.performance()))
    )
    assert found == expected


def test_kinds_of_models_differ_without_colour() -> None:
    figure = performance_figure(published_numbers.performance())
    shapes = {
        (line.get_marker(), line.get_markerfacecolor() == "white")
        for line in figure.axes[0].lines
        if len(line.get_xdata()) == 1
    }
    assert shapes == {("D", True), ("s", False), ("o", False)}


def test_performance_of_one_method_is_chosen() -> None:
    frame = performance(["a"], ["all"])
    both = pd.concat(
        [frame.assign(method="percentile", estimate=0.5), frame.assign(method="jackknife_t")]
    )
    figure = performance_figure(both)
    assert [x for x, _ in dots(figure.axes[0])] == [frame["estimate"][0]]
    assert "95% interval (percentile)" in words(performance_figure(both, method="percentile"))
    with pytest.raises(DataError, match=r"method 'bca'.* has no rows"):
        performance_figure(both, method="bca")


def test_missing_rows_are_named_in_the_figure_and_in_words() -> None:
    frame = performance(["elastic_net", "uniform"], ["pain", "all"])
    frame.loc[0, ["estimate", "conf_low", "conf_high"]] = math.nan
    frame["reason"] = ["constant prediction", *[""] * 7]
    figure = performance_figure(frame)
    assert len(dots(figure.axes[0])) == 3
    assert [t.get_text() for t in figure.axes[0].texts].count("undefined") == 1
    alt = performance_alt(frame)
    assert "NRMSE, Pain: ElasticNet undefined; Uniform baseline" in alt
    assert alt.endswith("No estimate for ElasticNet, Pain, NRMSE: constant prediction.")


def test_infinite_limits_end_in_arrows_and_missing_ones_do_not() -> None:
    frame = performance(["a", "b"], ["all"])
    frame.loc[0, "conf_high"] = math.inf
    frame.loc[1, "conf_high"] = math.nan
    axes = performance_figure(frame).axes[0]
    assert len(dots(axes, ">")) == 1
    assert dots(axes, ">")[0][0] == axes.get_xlim()[1]
    spans = [tuple(line.get_xdata()) for line in axes.lines if line.get_marker() == "None"]
    assert (frame["conf_low"][1], frame["estimate"][1]) in spans


def test_a_far_limit_ends_in_an_arrow_and_leaves_the_axis_to_the_others() -> None:
    axes = case_figure("performance, a far limit").axes[0]
    assert axes.get_xlim()[1] < 1
    assert [x for x, _ in dots(axes, ">")] == [axes.get_xlim()[1]]
    assert "limit beyond the axis" in words(case_figure("performance, a far limit"))
    assert "limit beyond the axis" not in words(case_figure("performance"))
    # In words it stays a number.
    assert "30.000]" in performance_alt(far(performance()))
    shown = words(case_figure("weights, zeros and a far limit"))
    assert "weight of exactly 0" in shown
    assert "limit beyond the axis" in shown


def test_an_axis_holds_intervals_of_one_kind_whole() -> None:
    values = np.array([0.1, 0.2, 0.3])
    assert drawing.reach(values - 0.1, values, values + 0.4) == (0.0, 0.7)
    assert drawing.reach([0.5], [1.0], [9.0], origin=1.0) == (0.5, 9.0)
    assert drawing.reach([math.nan, -math.inf], [math.nan, 0.2], [math.nan, math.inf]) == (0.0, 0.2)
    assert drawing.reach([math.nan, 0.1], [math.inf, 0.2], [math.nan, 0.4]) == (0.0, 0.4)
    assert drawing.reach([0.1] * 9, [0.2] * 9, [*[0.3] * 8, 5.0])[1] == pytest.approx(0.6)


def test_one_epoch_is_seen() -> None:
    (axes,) = case_figure("learning, one epoch").axes
    assert [line.get_marker() for line in axes.lines] == ["o", "s", "o"]


def test_weights_draws_every_feature_in_every_context_on_one_scale() -> None:
    frame = weights().assign(
        conf_low=lambda f: f.estimate - 0.3, conf_high=lambda f: f.estimate + 0.1
    )
    figure = weights_figure(frame)
    assert [axes.get_title() for axes in figure.axes] == [
        "Startle", "Pain", "Disgust", "Fear", "Sadness", "All",
    ]  # fmt: skip
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()][::13] == [
        "Points displacement", "AU intensity",
    ]  # fmt: skip
    rows = dict(zip(FEATURES, figure.axes[0].get_yticks(), strict=True))
    for axes, context in zip(figure.axes, CONTEXTS, strict=True):
        part = frame[frame["context"] == context]
        wanted = [(x, rows[f]) for x, f in zip(part["estimate"], part["feature"], strict=True)]
        assert dots(axes) == wanted
        low, high = axes.get_xlim()
        assert low == -high
        assert low <= frame["conf_low"].min()
        assert high >= frame["conf_high"].max()


def test_weights_of_exactly_zero_are_hollow_and_missing_ones_named() -> None:
    frame = weights(["pain"])
    frame.loc[0, "estimate"] = 0.0
    frame.loc[1, "estimate"] = math.nan
    axes = weights_figure(frame).axes[0]
    hollow = [line for line in axes.lines if line.get_markerfacecolor() == "white"]
    assert [tuple(line.get_xdata()) for line in hollow] == [(0.0,)]
    assert [text.get_text().strip() for text in axes.texts] == ["—"]
    alt = weights_alt(frame)
    assert "Points displacement 0.00; Points velocity —" in alt
    assert "No estimate for Pain, Points velocity" in alt


def test_factor_shows_every_number_of_every_context() -> None:
    figure = factor_figure(published_numbers.loadings())
    assert len(figure.axes) == 4
    for i, axes in enumerate(figure.axes):
        shown = [text.get_text() for text in axes.texts]
        part = published_numbers.loadings().iloc[3 * i : 3 * i + 3]
        for column in ("std_loading", "std_residual_variance"):
            for value in part[column]:
                assert f"{value:.2f}"[1:] in shown
        assert {"η", "1", "Expressiveness", "Response", "Emotion", "Motion", "ε₁", "ε₃"} <= {*shown}
        kinds = [type(patch).__name__ for patch in axes.patches]
        assert {kind: kinds.count(kind) for kind in kinds} == {
            "Circle": 4, "Rectangle": 3, "FancyArrowPatch": 7,
        }  # fmt: skip
    assert "Motion loads .85, residual variance .28" in factor_alt(published_numbers.loadings())


def test_factor_names_what_is_missing() -> None:
    frame = loadings(["pain"]).assign(reason="inadmissible")
    frame.loc[1, "std_residual_variance"] = math.nan
    frame = frame.drop(index=2)
    figure = factor_figure(pd.concat([frame, loadings(["all"])]))
    shown = [text.get_text() for text in figure.axes[0].texts]
    assert shown.count("—") == 3
    assert "No residual variance for Pain, Emotion: inadmissible." in factor_alt(frame)


def test_question_texts_are_spelt_out_in_their_squares() -> None:
    text = words(factor_figure(loadings(["all"], QUESTIONS)))
    assert QUESTIONS[0] in text


def test_quality_draws_and_counts_every_clip() -> None:
    frame = pd.DataFrame(
        {"context": ["pain"] * 4 + ["all"], "n_bins": [100, 100, 100, 0, 20],
         "n_valid_bins": [100, 49, 50, 0, 20]}
    )  # fmt: skip
    figure = quality_figure(frame)
    (axes,) = figure.axes
    xs = [x for line in axes.lines if line.get_marker() == "o" for x in line.get_xdata()]
    assert sorted(xs) == [0.49, 0.5, 1.0, 1.0]
    assert "4 clips\n1 below 50%\n1 without bins" in [text.get_text() for text in axes.texts]
    assert "50%: a clip with fewer valid bins is left out" in words(figure)
    assert quality_alt(frame) == (
        "Share of valid bins of every clip, a strip of dots per context; clips below 50% are left "
        "out. Pain: 4 clips, 1 below 50%, 1 without bins, median 50%. "
        "All: 1 clip, 0 below 50%, median 100%."
    )
    with pytest.raises(ColumnError, match=r"row 5 has more valid bins \(21\) than bins \(20\)"):
        quality_figure(frame.assign(n_valid_bins=[100, 49, 50, 0, 21]))


def test_dots_of_one_strip_do_not_leave_it() -> None:
    (axes,) = quality_figure(quality()).axes
    strips = [line for line in axes.lines if line.get_marker() == "o"]
    assert strips
    for row, line in enumerate(strips):
        assert np.abs(np.asarray(line.get_ydata()) - row).max() < 0.5


def test_dollar_signs_and_markup_are_text() -> None:
    frame = performance(["$x^2$ & <b>", r"\alpha_1"], ["$"])
    text = words(performance_figure(frame))
    assert "$x^2$ & <b>" in text
    assert r"\alpha_1" in text


def test_the_highest_correlation_is_marked_beside_models_alone() -> None:
    frame = performance(MODELS[:4], CONTEXTS[:2])
    highest = pd.DataFrame({"context": ["startle", "pain"], "estimate": [0.97, math.nan]})
    figure = performance_figure(frame, ceiling=highest)
    errors, correlations = figure.axes
    dashed = [line for line in correlations.lines if line.get_linestyle() == "--"]
    places = dict(zip(correlations.get_yticks(), [*MODELS[:4], *MODELS[:4]], strict=True))
    # Runs above and below the human raters; without a value there is no mark.
    assert [set(line.get_xdata()) for line in dashed] == [{0.97}, {0.97}]
    marked = [
        name
        for y, name in list(places.items())[:4]
        if any(min(line.get_ydata()) < y < max(line.get_ydata()) for line in dashed)
    ]
    assert marked == ["uniform", "normal", "elastic_net"]
    assert not [line for line in errors.lines if line.get_linestyle() == "--"]
    assert correlations.get_xlim()[1] > 0.97
    assert "highest possible correlation" in words(figure)
    assert "highest possible correlation: Startle .970." in performance_alt(frame, ceiling=highest)
    assert "highest possible" not in words(performance_figure(frame))
