"""The tables and figures of a study, from its stages to files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from pyexpr.base.contexts import ALL
from pyexpr.base.csv_text import csv_text
from pyexpr.base.files import writable_folder, write_text
from pyexpr.base.pairs import DIFFERENCE, KIND
from pyexpr.base.tables import require_columns
from pyexpr.figures.plotting import save
from pyexpr.report.study_figures import STUDY_FIGURES, drawn, levels_of, planned, told
from pyexpr.report.tables import tables
from pyexpr.report.tables.coefficients import (
    coefficients_table,
    contrasts_table,
    omnibus_table,
)
from pyexpr.report.tables.display import DisplayTable
from pyexpr.report.tables.files import TABLE_FORMATS, write_table
from pyexpr.report.tables.seeds import seeds_table
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.kept.store import StageOutput
from pyexpr.study.tables.classes import classes_of, positive_of
from pyexpr.study.tables.inputs import Inputs
from pyexpr.words.labels import (
    BASELINES,
    HUMAN,
    display_name,
    method_name,
    percent,
)

if TYPE_CHECKING:
    import pandas as pd

# Tables of the stages that are results in their own right, written as CSV.
_PLAIN = (
    "parameters",
    "invariance",
    "invariance_contrasts",
    "scores",
    "features",
    "quality",
    "recordings",
    "dropped_clips",
    "split",
    "left_out",
    "tuning",
    "predictions",
    "comparison",
    "scores_leakage",
    "learning_curves",
)
_INVARIANCE = ("invariance", "invariance_contrasts")
# What a study has only with a factor model, with recordings, or with one split.
_OF_FACTOR = frozenset({"parameters", "scores_leakage", "loadings", "table2_factor_model"})
_OF_RECORDINGS = frozenset({"quality", "recordings", "dropped_clips"})
_OF_SPLIT = frozenset({"split", "scores_leakage"})
# Of a label that is a number.
_OF_NUMBERS = frozenset({"coefficients", "contrasts", "omnibus"})
# By the names of their files, as `study_tables` makes them.
_TABLES = (
    "table1_reliability", "table2_factor_model", "table3_performance",
    "table3_performance_intervals", "weights", "seed_spread", "repeat_spread", "table4_comparison",
    "table4_all_differences", "coefficients", "contrasts", "omnibus",
)  # fmt: skip


def render(config: StudyConfig, folder: Path, stages: dict[str, StageOutput]) -> Iterator[Path]:
    """Write all tables (CSV, Markdown, LaTeX, HTML) and figures (SVG, PNG); yield their paths."""
    found = {name: table for output in stages.values() for name, table in output.tables.items()}
    for name in _PLAIN:
        # A study of one context has no invariance, and one without deep models no curves.
        if name in found:
            path = folder / f"{name}.csv"
            write_text(path, csv_text(found[name]))
            yield path
    for stem, (frame, display) in study_tables(config, found).items():
        yield from write_table(frame, display, folder, stem)
    yield from _draw(config, writable_folder(folder / "figures"), found)


def planned_files(config: StudyConfig, inputs: Inputs) -> list[str]:
    """Return what `render` may write for a study, before anything of it is computed."""
    several, deep = len(inputs.contexts) > 1, config.models.deep()
    lacking = set() if several else {"contrasts", "omnibus", *_INVARIANCE}
    if config.label.method != "factor":
        lacking |= {*_OF_FACTOR, *_INVARIANCE}
    if not config.factor_model.invariance:
        lacking |= set(_INVARIANCE)
    if not deep:
        lacking |= {"learning_curves", "seed_spread"}
    if not inputs.rated:
        lacking.add("table1_reliability")
    if not inputs.recorded:
        lacking |= _OF_RECORDINGS
    if config.evaluation.crossed:
        lacking |= _OF_SPLIT
    if not config.evaluation.crossed or config.evaluation.repeats == 1:
        lacking.add("repeat_spread")
    if config.models.elastic_net is None:
        lacking |= {"weights", "tuning"}
    if config.label.classified:
        lacking |= _OF_NUMBERS
    names = [f"{name}.csv" for name in _PLAIN if name not in lacking]
    names += [f"{stem}.{kind}" for stem in _TABLES if stem not in lacking for kind in TABLE_FORMATS]
    return names + [
        f"figures/{stem}.{kind}"
        for figure in STUDY_FIGURES
        if figure.needs not in lacking and not (figure.of_numbers and config.label.classified)
        for stem in planned(figure, deep)
        for kind in ("svg", "png")
    ]


def shown_rows(found: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the tables as they are shown: of one context without what repeats it "over all"."""
    require_columns(found["scores"], ["context"], what="the table of scores")
    contexts = set(found["scores"]["context"])
    levels, _ = performance_rows(found["comparison"])
    # A model over all contexts alone has its numbers there only.
    alone = set(levels["model"]) - set(levels.loc[levels["context"] != ALL, "model"])
    if len(contexts) > 1 or alone:
        return found
    return {
        name: table[table[column] != ALL].reset_index(drop=True)
        if (column := "evaluated" if "evaluated" in table else "context") in table
        else table
        for name, table in found.items()
    }


def study_tables(
    config: StudyConfig, found: dict[str, pd.DataFrame]
) -> dict[str, tuple[pd.DataFrame, DisplayTable]]:
    """Return, by the name of the file, each table's numbers and how it is shown."""
    confidence = config.compare.confidence
    seen = shown_rows(found)
    levels, differences = performance_rows(found["comparison"])
    levels_seen, differences_seen = performance_rows(seen["comparison"])
    first, first_seen = (
        table[table["method"] == config.compare.methods[0]] for table in (levels, levels_seen)
    )
    several = seen is found
    main = main_model(levels)
    against, against_seen = (
        table[(table["first_model"] == main) & ((table["context"] == ALL) == pooled)]
        for table, pooled in ((differences, True), (differences_seen, several))
    )
    level = percent(confidence)
    kind = method_name(config.compare.methods[0])
    number = count(1)
    shown: dict[str, tuple[pd.DataFrame, DisplayTable]] = {}
    if "reliability" in found:
        shown["table1_reliability"] = (
            found["reliability"],
            tables.reliability_table(
                seen["reliability"],
                confidence=confidence,
                unit=config.unit,
                title=f"Table {next(number)}. Inter-Rater Reliability of the Mean Rating, by "
                "Context and Question.",
            ),
        )
    if "loadings" in found:
        shown["table2_factor_model"] = (
            found["loadings"],
            tables.loadings_table(
                seen["loadings"],
                title=f"Table {next(number)}. One-Factor Model: Standardised Loadings and "
                "Residual Variances.",
            ),
        )
    third = f"Table {next(number)}. Performance "
    on = "by Cross-Validation" if config.evaluation.crossed else "on the Test Part"
    with_intervals = tables.performance_table(
        first_seen, intervals=True, title=f"{third}{on}, With {level} Intervals."
    )
    shown |= {
        "table3_performance": (
            first,
            tables.performance_table(first_seen, title=f"{third}{on}, by Context."),
        ),
        "table3_performance_intervals": (
            levels,
            replace(
                with_intervals,
                notes=(
                    f"Brackets: {level} confidence intervals ({kind}).",
                    *with_intervals.notes,
                ),
            ),
        ),
    }
    if "weights" in found:
        shown["weights"] = (found["weights"], _weights_table(config, seen))
    shown |= _deep_tables(found, seen, confidence)
    if "repeat_spread" in found:
        shown["repeat_spread"] = (
            found["repeat_spread"],
            seeds_table(seen["repeat_spread"], confidence=confidence, of="repeat"),
        )
    # One model alone is compared with none.
    if len(differences):
        overall = f"Table {next(number)}. {display_name(main)} Minus the Other Models"
        overall += ", Over All Contexts." if several else "."
        shown["table4_comparison"] = (
            against,
            # Narrow enough for a terminal: the title names the first model.
            tables.comparison_table(against_seen, confidence=confidence, main=main, title=overall),
        )
        shown["table4_all_differences"] = (
            differences,
            tables.comparison_table(
                differences_seen,
                confidence=confidence,
                title="All Differences of the Models, by Context.",
            ),
        )
    shown = {stem: (frame, _with_width(config, frame, one)) for stem, (frame, one) in shown.items()}
    # A study of one context has no contrasts.
    for stem, table in _coefficient_tables(seen, confidence).items():
        shown[stem] = (found[stem], table)
    return shown


def _weights_table(config: StudyConfig, seen: dict[str, pd.DataFrame]) -> DisplayTable:
    """Lay out the weights of the models that predict; of classes, say of which."""
    shown = tables.weights_table(seen["weights"])
    if not config.label.classified:
        return shown
    positive = positive_of(config, classes_of(seen["scores"]["score"].astype("str")))
    note = f"Per standard deviation of a feature, in log odds of {positive}."
    return replace(shown, notes=(note, *shown.notes))


def _coefficient_tables(
    found: dict[str, pd.DataFrame], confidence: float
) -> dict[str, DisplayTable]:
    makers: dict[str, Callable[[pd.DataFrame], DisplayTable]] = {
        "coefficients": partial(coefficients_table, confidence=confidence),
        "contrasts": partial(contrasts_table, confidence=confidence),
        "omnibus": omnibus_table,
    }
    return {stem: make(found[stem]) for stem, make in makers.items() if stem in found}


def _deep_tables(
    found: dict[str, pd.DataFrame], seen: dict[str, pd.DataFrame], confidence: float
) -> dict[str, tuple[pd.DataFrame, DisplayTable]]:
    # One seed has no spread: its numbers are those of the comparison.
    if "seed_spread" not in found or (found["seed_spread"]["n_seeds"] < 2).all():
        return {}
    shown = seeds_table(seen["seed_spread"], confidence=confidence)
    return {"seed_spread": (found["seed_spread"], shown)}


def _with_width(config: StudyConfig, frame: pd.DataFrame, display: DisplayTable) -> DisplayTable:
    """Say below a table that has NRMSE by what it divides."""
    if "metric" not in frame or not frame["metric"].astype(str).str.startswith("nrmse").any():
        return display
    note = f"NRMSE: RMSE divided by {config.compare.score_range:g}, the width of the scores."
    return replace(display, notes=(*display.notes, note))


def main_model(levels: pd.DataFrame) -> str:
    """Return the model whose differences from the others are told: the first that learns."""
    found = [str(name) for name in levels["model"].unique()]
    return next(name for name in found if name not in (*BASELINES, *HUMAN))


def performance_rows(comparison: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Divide a comparison into the models' levels (column model) and their differences."""
    differences = comparison[comparison[KIND] == DIFFERENCE]
    return levels_of(comparison), differences.reset_index(drop=True)


def _draw(config: StudyConfig, folder: Path, found: dict[str, pd.DataFrame]) -> Iterator[Path]:
    record = {"options": config.model_dump(mode="json")}
    simulated = " Simulated data." if config.simulated else ""
    for stem, shown, figure in drawn(record, shown_rows(found)):
        yield from save(
            figure.draw(shown),
            folder / stem,
            title=told(figure.title, record, shown.model),
            description=f"{figure.words(shown)}{simulated}",
        )
