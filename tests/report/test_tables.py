"""Tables to exact strings; the paper's own numbers give back the paper's tables."""

from __future__ import annotations

import math
from csv import DictReader
from pathlib import Path

import pandas as pd
import pytest

from pyexpr.base.errors import ColumnError, DataError
from pyexpr.base.messages import say
from pyexpr.figures.performance import performance_alt
from pyexpr.paper import published_numbers
from pyexpr.report.tables import tables
from pyexpr.report.tables.html import word_html
from pyexpr.report.tables.latex import latex
from pyexpr.words import labels
from pyexpr.words.reader import readers_reason

NAN = math.nan
INF = math.inf


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.844, 2, "0.84"), (0.996, 2, "1.00"), (1.0, 2, "1.00"), (-1.01, 2, "−1.01"),
        (-0.078, 3, "−0.078"), (-0.001, 2, "0.00"), (0.0, 2, "0.00"), (12.345, 1, "12.3"),
        (NAN, 2, "—"), (INF, 2, "∞"), (-INF, 2, "−∞"),
    ],
)  # fmt: skip
def test_numbers_as_apa_prints_them(value: float, digits: int, text: str) -> None:
    assert labels.number(value, digits) == text


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        ("p_value", "−.08"), ("correlation", "−.08"), ("correlation_within", "−.08"),
        ("concordance", "−.08"), ("r2", "−.08"), ("icc", "−.08"), ("std_loading", "−.08"),
        ("std_residual_variance", "−.08"), ("cfi", "−.08"), ("rmsea", "−.08"), ("srmr", "−.08"),
        ("nrmse", "−0.08"), ("rmse", "−0.08"), ("mae", "−0.08"), ("bias", "−0.08"),
        ("statistic", "−0.08"), ("tested_estimate", "−0.08"), ("", "−0.08"),
    ],
)  # fmt: skip
def test_only_what_cannot_pass_1_is_without_its_zero(quantity: str, text: str) -> None:
    assert labels.number(-0.078, of=quantity) == text
    assert labels.interval(-0.078, 1.2, of=quantity) == f"[{text}, 1.20]"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "< .001"), (0.00099, "< .001"), (0.001, ".001"), (0.0494, ".049"), (0.5, ".500"),
     (0.9999, "> .999"), (1.0, "> .999"), (NAN, "—")],
)  # fmt: skip
def test_p_values(value: float, text: str) -> None:
    assert labels.p_value(value) == text


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("points_displacement", "Points displacement"), ("au_count", "AU count"), ("all", "All"),
        ("elastic_net - 3d_cnn", "elastic_net - 3d_cnn"), ("BP4D_T1", "BP4D_T1"), ("1", "1"),
        ("My own model", "My own model"), ("startle", "Startle"),
        ("nrmse_within", "NRMSE within subjects"), ("hands_within", "Hands within"),
    ],
)  # fmt: skip
def test_display_names(label: str, text: str) -> None:
    assert labels.display_name(label) == text


def test_own_names_come_first_and_equal_names_fall_back_to_labels() -> None:
    assert labels.display_name("pain", {"pain": "Cold water"}) == "Cold water"
    assert labels.display_names(["pain", "Pain"]) == {"pain": "pain", "Pain": "Pain"}


def test_reliability_table() -> None:
    frame = pd.DataFrame(
        [
            ("all", "response", 0.86, 0.85, 0.87, 2240, 6.0),
            ("pain", "response", -1.01, -2.509, -0.084, 35, 2.5),
            ("pain", "motion", NAN, NAN, NAN, 35, 3),
        ],
        columns=["context", "question", "estimate", "conf_low", "conf_high", "n_targets", "k"],
    ).assign(reason=["", "", "all ratings are equal"])
    table = tables.reliability_table(frame, confidence=0.9, title="Reliability")
    assert table.markdown() == (
        "**Reliability**\n"
        "\n"
        "| Context | Question | ICC(1,k) |        90% CI | Clips | Ratings per clip |\n"
        "| ------- | -------- | -------: | ------------: | ----: | ---------------: |\n"
        "| Pain    | Response |    −1.01 | [−2.51, −.08] |    35 |              2.5 |\n"
        "| Pain    | Motion   |        — |             — |    35 |                3 |\n"
        "| All     | Response |      .86 |    [.85, .87] | 2,240 |                6 |\n"
        "\n"
        "Note: No estimate for Pain, Motion: all ratings are equal.\n"
    )


def test_the_papers_table_1_comes_back() -> None:
    rows = tables.reliability_table(published_numbers.reliability()).rows
    assert rows[0] == ("Startle", "Response", ".84", "[.82, .86]", "700", "6")
    assert rows[8] == ("Disgust", "Motion", ".86", "[.84, .88]", "560", "6")
    assert rows[11] == ("All", "Motion", ".85", "[.84, .86]", "2,240", "6")


def test_the_papers_table_2_comes_back() -> None:
    table = tables.loadings_table(published_numbers.loadings())
    assert table.markdown().splitlines()[2:] == [
        "| Parameter     | Startle | Pain | Disgust | All |",
        "| ------------- | ------: | ---: | ------: | --: |",
        "| λ1 (Response) |     .98 |  .98 |     .98 | .98 |",
        "| λ2 (Emotion)  |     .97 |  .96 |     .98 | .97 |",
        "| λ3 (Motion)   |     .95 |  .85 |     .90 | .91 |",
        "| ε1 (Response) |     .05 |  .04 |     .04 | .04 |",
        "| ε2 (Emotion)  |     .07 |  .07 |     .04 | .06 |",
        "| ε3 (Motion)   |     .10 |  .28 |     .19 | .18 |",
        "",
        "Note: λ: standardised loading; ε: standardised residual variance.",
    ]


def test_the_papers_table_3_comes_back_with_elastic_net_in_bold() -> None:
    table = tables.performance_table(published_numbers.performance())
    lines = table.markdown().splitlines()
    assert [cell.strip() for cell in lines[-5].split("|")[1:-1]] == [
        "ElasticNet", "**0.100**", "**0.104**", "**0.084**", "**0.124**",
        "**.723**", "**.525**", "**.834**", "**.497**",
    ]  # fmt: skip
    assert [cell.strip() for cell in lines[4].split("|")[1:-1]] == [
        "Uniform baseline", "0.294", "0.303", "0.323", "0.309", ".091", ".032", "−.078", ".043",
    ]  # fmt: skip
    assert lines[-3:] == [
        "Note: NRMSE: lower is better; Correlation: higher is better.",
        "",
        "Note: Bold: the best model in the column, baselines and human raters set aside.",
    ]
    assert table.columns[1:3] == ("NRMSE: Startle", "NRMSE: Pain")


def performance(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["model", "context", "metric", "estimate"])


def test_ties_are_both_bold_baselines_never_and_nan_does_not_win() -> None:
    table = tables.performance_table(
        performance(
            ("uniform", "all", "nrmse", 0.01),
            ("a", "all", "nrmse", 0.1),
            ("b", "all", "nrmse", 0.1),
            ("c", "all", "nrmse", NAN),
            ("a", "all", "bias", 0.0),
        )
    )
    # Bias has no better end, so nothing of its column is bold.
    assert table.bold == {(1, 1), (2, 1)}
    assert table.notes == (
        "NRMSE: lower is better.",
        "Bold: the best model in the column, baselines set aside.",
        "No estimate for C, All, NRMSE: no reason was given.",
        "Not computed: Uniform baseline, All, Bias; B, All, Bias; C, All, Bias.",
    )


def test_a_context_may_be_called_as_a_baseline_is() -> None:
    frame = performance(
        ("normal", "human", "nrmse", 0.2), ("human", "normal", "nrmse", NAN),
        ("normal", "normal", "nrmse", 0.3),
    )  # fmt: skip
    table = tables.performance_table(frame)
    assert table.columns == ("Model", "NRMSE: Human", "NRMSE: Normal")
    assert [row[0] for row in table.rows] == ["Normal baseline", "Human baseline"]
    assert table.notes[1:] == (
        "No estimate for Human baseline, Normal, NRMSE: no reason was given.",
        "Not computed: Human baseline, Human, NRMSE.",
    )
    message = performance_alt(frame.assign(conf_low=NAN, conf_high=NAN, method="jackknife_t"))
    assert "NRMSE, Normal: Human baseline undefined; Normal baseline 0.300" in message
    message = say("{one:model} in context {where:label}", one="normal", where="normal")
    assert readers_reason(message) == "normal baseline in context 'normal'"


def test_intervals_stand_in_the_cells_on_request() -> None:
    frame = performance(("a", "all", "nrmse", 0.1)).assign(conf_low=0.05, conf_high=INF)
    assert tables.performance_table(frame, intervals=True).rows == (("A", "0.100 [0.050, ∞]"),)
    assert tables.performance_table(frame).rows == (("A", "0.100"),)


CRITERIA = "different criteria"
COMPARISON = pd.DataFrame(
    [
        ("nrmse", "en - uniform", "all", "jackknife_t", -0.185, -0.203, -0.168, 0.0002, CRITERIA,
         "difference", "en", "uniform"),
        ("nrmse", "en - uniform", "all", "percentile", -0.185, -0.2, -0.17, 0.001, CRITERIA,
         "difference", "en", "uniform"),
        ("nrmse", "en", "all", "jackknife_t", 0.1, 0.09, 0.11, NAN, "", "level", "en", ""),
        ("nrmse", "en", "all", "percentile", 0.1, 0.08, 0.12, NAN, "", "level", "en", ""),
        ("correlation", "en - uniform", "all", "percentile", NAN, NAN, NAN, NAN, "constant",
         "difference", "en", "uniform"),
    ],
    columns=[
        "metric", "term", "context", "method",
        "estimate", "conf_low", "conf_high", "p_value", "reason",
        "kind", "first_model", "second_model",
    ],
)  # fmt: skip


def test_comparison_table_sets_methods_side_by_side() -> None:
    table = tables.comparison_table(COMPARISON)
    assert table.columns == (
        "Metric", "Context", "Comparison", "Estimate",
        "95% CI, jackknife-t", "p, jackknife-t", "95% CI, percentile", "p, percentile",
    )  # fmt: skip
    assert table.rows == (
        ("NRMSE", "All", "En − Uniform baseline", "−0.185",
         "[−0.203, −0.168]", "< .001", "[−0.200, −0.170]", ".001"),
        ("NRMSE", "All", "En", "0.100", "[0.090, 0.110]", "—", "[0.080, 0.120]", "—"),
        ("Correlation", "All", "En − Uniform baseline", "—", "—", "—", "—", "—"),
    )  # fmt: skip
    assert table.notes == (
        "NRMSE, All, En − Uniform baseline: different criteria.",
        "No p value for NRMSE, All, En: only differences between errors are tested, not "
        "the size of an error.",
        "No estimate for Correlation, All, En − Uniform baseline (percentile): constant.",
    )


def test_a_remark_on_all_rows_of_a_model_names_the_model_alone() -> None:
    rows = [
        (metric, f"{model} - human", "all", "jackknife_t", 0.1, 0.0, 0.2, 0.05, CRITERIA,
         "difference", model, "human")
        for metric in ("nrmse", "correlation")
        for model in ("en", "lstm")
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=COMPARISON.columns)
    kept = pd.concat([frame, COMPARISON.iloc[2:3].assign(p_value=0.1)], ignore_index=True)
    notes = tables.comparison_table(kept).notes
    assert "En − Human baseline; OpenFace-LSTM − Human baseline: different criteria." in notes
    # Of one metric alone, each row is named.
    kept.loc[0, "reason"] = ""
    notes = tables.comparison_table(kept).notes
    assert any(note.startswith("NRMSE, All, OpenFace-LSTM − Human baseline; ") for note in notes)


# What a reader sees, of names that hold the signs of labels.
_SIGNS_IN_NAMES = pd.DataFrame(
    [
        ("net - small", "level", "net - small", "", "pre - post", "level-1"),
        ("net - small - lstm", "difference", "net - small", "lstm", "pre - post", "difference-1"),
        ("net - small / lstm", "ratio", "net - small", "lstm", "pre - post", "ratio-1"),
        ("net - small", "level", "net - small", "", "all", "level-2"),
        ("net - small", "level", "net - small", "", "rest", "level-3"),
        ("net - small", "difference", "net - small", "", "pre - post - rest", "difference-2"),
    ],
    columns=["term", "kind", "first_model", "second_model", "context", "row"],
).assign(
    metric="correlation", method="jackknife_t", estimate=0.25, conf_low=0.1, conf_high=0.4,
    p_value=0.01, first_context=lambda t: t["context"].replace("pre - post - rest", "pre - post"),
    second_context=lambda t: t["context"].map({"pre - post - rest": "rest"}).fillna(""),
)  # fmt: skip


def test_names_may_hold_the_signs_of_labels() -> None:
    rows = tables.comparison_table(_SIGNS_IN_NAMES, digits=2).rows
    assert [row[1:4] for row in rows] == [
        ("pre - post", "net - small", ".25"),
        ("pre - post", "net - small − OpenFace-LSTM", "0.25"),
        ("pre - post", "net - small / OpenFace-LSTM", "0.25"),
        ("Rest", "net - small", ".25"),
        ("All", "net - small", ".25"),
        # What compares contexts stands last, and keeps its zero: it can pass 1.
        ("pre - post − Rest", "net - small", "0.25"),
    ]


def test_a_table_of_one_models_differences_names_the_others_alone() -> None:
    table = tables.comparison_table(_SIGNS_IN_NAMES.iloc[1:2], main="net - small")
    assert (table.columns[2], table.rows[0][2]) == ("Minus", "OpenFace-LSTM")


def test_rows_that_do_not_say_what_they_are_are_refused() -> None:
    with pytest.raises(ColumnError, match="the comparison table has no column 'kind'"):
        tables.comparison_table(_SIGNS_IN_NAMES.drop(columns="kind"))


def test_numbers_beside_others_keep_the_zero_of_differences() -> None:
    ours = _SIGNS_IN_NAMES.iloc[:2]
    keys = ("metric", "term")
    rows = tables.side_by_side(ours, keys=keys, paper=ours, title="").rows
    assert [row[1:] for row in rows] == [
        ("net - small", ".25", "[.10, .40]", ".25"),
        ("net - small − OpenFace-LSTM", "0.25", "[0.10, 0.40]", "0.25"),
    ]


def test_all_stands_last_and_a_context_with_a_minus_in_its_place() -> None:
    frame = performance(
        *((("a", context, "correlation_within", 0.1)) for context in ("x - y", "all", "x", "y"))
    )
    table = tables.performance_table(frame)
    assert [head.partition(": ")[2] for head in table.columns[1:]] == ["x - y", "X", "Y", "All"]
    assert table.notes[0] == "Correlation within subjects: higher is better."


def test_two_estimates_of_one_row_are_an_error() -> None:
    frame = COMPARISON.copy()
    frame.loc[1, "estimate"] = -0.18
    with pytest.raises(DataError, match="'jackknife_t' and 'percentile' give different estimates"):
        tables.comparison_table(frame)


def test_the_papers_table_4_comes_back() -> None:
    rows = tables.comparison_table(published_numbers.comparison()).rows
    assert rows[0][2:] == ("ElasticNet − Uniform baseline", "−0.185", "[−0.203, −0.168]", "< .001")
    assert rows[2][2:] == ("ElasticNet − Human baseline", "0.034", "[0.016, 0.052]", ".001")
    assert tables.comparison_table(published_numbers.comparison()).notes == ()


def test_weights_tell_exact_zero_from_rounded() -> None:
    frame = pd.DataFrame(
        [("all", "au_count", 0.0), ("pain", "au_count", 0.004), ("pain", "roll_velocity", -0.2)],
        columns=["context", "feature", "estimate"],
    )
    table = tables.weights_table(frame)
    assert table.columns == ("Feature", "Pain", "All")
    assert table.rows == (("AU count", "0.00", "0"), ("Roll velocity", "−0.20", "—"))
    assert table.notes == (
        "0: the penalty excluded the feature.",
        "Not computed: Roll velocity, All.",
    )


def test_long_lists_in_notes_are_counted() -> None:
    missing = [(f"m{i}", "all", "nrmse", NAN) for i in range(9)]
    frame = performance(*missing, ("m9", "all", "nrmse", 0.1))
    assert tables.performance_table(frame).notes[-1] == (
        "No estimate for M0, All, NRMSE; M1, All, NRMSE; M2, All, NRMSE; M3, All, NRMSE; "
        "M4, All, NRMSE; M5, All, NRMSE and 3 more: no reason was given."
    )
    assert tables.performance_table(performance(*missing)).notes[-1] == (
        "No estimate for any row: no reason was given."
    )


def test_side_by_side() -> None:
    keys = ["context", "question"]
    ours = (
        published_numbers.reliability()
        .iloc[:2]
        .assign(estimate=[0.8, NAN], reason=["", "constant"])
    )
    truth = pd.DataFrame([("startle", "emotion", 0.9)], columns=[*keys, "estimate"])
    table = tables.side_by_side(
        ours,
        keys=keys,
        truth=truth,
        paper=published_numbers.reliability(),
        of="icc",
        title="Beside",
    )
    assert table.columns == ("Context", "Question", "Ours", "Interval", "Truth", "Paper")
    assert table.rows == (
        ("Startle", "Response", ".80", "[.82, .86]", "—", ".84"),
        ("Startle", "Emotion", "—", "[.83, .87]", ".90", ".85"),
    )
    assert table.notes == ("No estimate for Startle, Emotion: constant.",)


def test_side_by_side_of_two_values() -> None:
    table = tables.side_by_side(
        published_numbers.loadings().iloc[:1],
        keys=["context", "indicator"],
        values=["std_loading", "std_residual_variance"],
        paper=published_numbers.loadings(),
        title="Beside",
        notes=["Simulated."],
    )
    assert table.columns[2:] == (
        "Ours: loading", "Paper: loading", "Ours: residual variance", "Paper: residual variance",
    )  # fmt: skip
    assert table.rows == (("Startle", "Response", ".98", ".98", ".05", ".05"),)
    assert table.notes == ("Simulated.",)


def test_markdown_shows_odd_labels_as_they_are() -> None:
    frame = performance(("a|b*c\n`d` <e>", "all", "nrmse", 0.1))
    line = tables.performance_table(frame).markdown().splitlines()[4]
    assert line.startswith("| a\\|b\\*c\\\\n\\`d\\` \\<e> |")


def test_written_tables_read_back_exactly(tmp_path: Path) -> None:
    frame = performance(("a, b", "all", "nrmse", 0.1 + 0.2), ("c", "all", "nrmse", 1 / 3))
    frame = frame.assign(conf_high=[INF, NAN])
    table = tables.performance_table(frame)
    paths = tables.write_table(frame, table, tmp_path / "new" / "folder", "table3")
    csv, markdown, tex, html = paths
    with open(csv, encoding="utf-8", newline="") as lines:
        rows = list(DictReader(lines))
    assert [float(row["estimate"]) for row in rows] == [0.1 + 0.2, 1 / 3]
    assert [row["conf_high"] for row in rows] == ["inf", ""]
    assert markdown.read_text(encoding="utf-8") == table.markdown()
    assert csv.read_bytes().splitlines()[1] == b'"a, b",all,nrmse,0.30000000000000004,inf'
    assert tex.read_text(encoding="utf-8") == latex(table)
    assert html.read_text(encoding="utf-8") == word_html(table)
    assert sorted(csv.parent.iterdir()) == sorted(paths)


def test_neither_file_if_one_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: tables.DisplayTable) -> str:
        raise RuntimeError("no text")

    monkeypatch.setattr(tables.DisplayTable, "markdown", broken)
    frame = performance(("a", "all", "nrmse", 0.1))
    with pytest.raises(RuntimeError, match="no text"):
        tables.write_table(frame, tables.performance_table(frame), tmp_path, "t")
    assert list(tmp_path.iterdir()) == []


def test_bad_frames_are_named() -> None:
    good = performance(("a", "all", "nrmse", 0.1))
    with pytest.raises(ColumnError, match="no column 'estimate'; did you mean 'estimates'"):
        tables.performance_table(good.rename(columns={"estimate": "estimates"}))
    with pytest.raises(DataError, match="more than one row for model 'a', context 'all'"):
        tables.performance_table(pd.concat([good, good]))
    with pytest.raises(ColumnError, match=r"'estimate' .* row 1 holds 'high'"):
        tables.performance_table(good.assign(estimate="high"))
    with pytest.raises(DataError, match="has no rows"):
        tables.performance_table(good.iloc[:0])


def test_paper_figures_have_the_papers_shape() -> None:
    icc = published_numbers.reliability().set_index(["context", "question"])
    limits = ["estimate", "conf_low", "conf_high"]
    assert tuple(icc.loc[("pain", "motion"), limits]) == (0.80, 0.78, 0.82)
    assert tuple(icc.loc[("disgust", "emotion"), limits]) == (0.88, 0.87, 0.90)
    loadings = published_numbers.loadings()
    # A standardised indicator's variance is 1: the two roundings leave at most .015.
    total = loadings["std_loading"] ** 2 + loadings["std_residual_variance"]
    assert (total - 1).abs().max() <= 0.015
    performance = published_numbers.performance()
    assert len(performance) == 2 * 7 * 4
    disgust = performance[performance["context"] == "disgust"].set_index(["metric", "model"])
    assert disgust.loc["nrmse", "estimate"].idxmin() == "human"
    assert disgust.loc["correlation", "estimate"].idxmax() == "elastic_net"
    comparison = published_numbers.comparison()
    inside = comparison["estimate"].between(comparison["conf_low"], comparison["conf_high"])
    assert inside.all()
    signs = published_numbers.weight_signs()
    negative = signs[signs["sign"] < 0]
    assert list(zip(negative["context"], negative["feature"], strict=True)) == [
        ("startle", "head_displacement"),
        ("pain", "points_velocity"),
    ]


def test_a_method_is_no_model() -> None:
    # "normal" is a baseline among the models, and a method of intervals.
    row = {
        "metric": "rmse", "context": "all", "term": "a - normal", "method": "normal",
        "kind": "difference", "first_model": "a", "second_model": "normal",
        "estimate": 0.1, "conf_low": 0.0, "conf_high": 0.2, "p_value": 0.05,
    }  # fmt: skip
    table = tables.comparison_table(pd.DataFrame([row]))
    assert table.columns[-2:] == ("95% CI, normal", "p, normal")
    assert table.rows[0][2] == "A \u2212 Normal baseline"
