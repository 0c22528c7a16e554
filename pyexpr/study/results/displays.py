"""The tables of a study as they are shown: in its files, on the console and in its report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pyexpr.base.contexts import ALL
from pyexpr.base.pairs import DIFFERENCE, KIND, STRUCTURE
from pyexpr.base.results import number_text
from pyexpr.base.tables import ordered_rows, require_columns
from pyexpr.report.study_figures import levels_of
from pyexpr.report.study_tables import numbered
from pyexpr.report.tables import tables
from pyexpr.report.tables.coefficients import (
    coefficients_table,
    contrasts_table,
    leakage_table,
    omnibus_table,
    pooled_table,
    variation_table,
)
from pyexpr.report.tables.display import DisplayTable
from pyexpr.report.tables.invariance import invariance_table
from pyexpr.report.tables.quality import left_out_table, recordings_table
from pyexpr.report.tables.seeds import seeds_table
from pyexpr.report.tables.whole_analysis import earlier_steps_table, whole_analysis_table
from pyexpr.report.text.facts import highest_correlations
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.tables.classes import classes_of, positive_of
from pyexpr.words.frames import shown_labels
from pyexpr.words.labels import BASELINES, HUMAN, display_name, method_name, percent

if TYPE_CHECKING:
    import pandas as pd

# Text, however much it looks like numbers.
LABELS = (
    "subject", "context", "clip", "question", "indicator", "term", "metric", "method", "feature",
    "reason", "adjustment", "notes", "openface", "model", "fps_source", "form", "factor",
    *STRUCTURE,
)  # fmt: skip
_TRUTH = {"True": "yes", "False": "no"}


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


def study_displays(config: StudyConfig, found: dict[str, pd.DataFrame]) -> dict[str, DisplayTable]:
    """Return every table of a study by its stem, in the order of the report, with its number."""
    seen = shown_rows(found)
    confidence = config.compare.confidence
    shown = _performance(config, seen) | _comparison(config, seen)
    shown = {stem: _with_width(config, seen, one) for stem, one in shown.items()}
    if "chain" in found:
        shown |= _whole_analysis(config, seen)
    if "weights" in found:
        shown["weights"] = _weights_table(config, seen)
    # One seed has no spread: its numbers are those of the comparison.
    if "seed_spread" in found and (found["seed_spread"]["n_seeds"] >= 2).any():
        shown["seed_spread"] = seeds_table(seen["seed_spread"], confidence=confidence)
        shown["seed_spread"] = _with_width(config, seen, shown["seed_spread"])
    makers: dict[str, tuple[str, Callable[[pd.DataFrame], DisplayTable]]] = {
        "repeat_spread": (
            "repeat_spread",
            lambda t: _with_width(config, seen, seeds_table(t, confidence=confidence, of="repeat")),
        ),
        "leakage": ("scores_leakage", lambda t: leakage_table(t, confidence=confidence)),
        # A study of one context has no contrasts.
        "coefficients": ("coefficients", partial(coefficients_table, confidence=confidence)),
        "contrasts": ("contrasts", partial(contrasts_table, confidence=confidence)),
        "omnibus": ("omnibus", omnibus_table),
        "pooled_slopes": ("pooled_slopes", partial(pooled_table, confidence=confidence)),
        "slope_variation": ("slope_variation", partial(variation_table, confidence=confidence)),
        "learning_curves": ("learning_curves", _plain_table),
        "reliability": (
            "reliability",
            partial(tables.reliability_table, confidence=confidence, unit=config.unit),
        ),
        "loadings": ("loadings", tables.loadings_table),
        "invariance": ("invariance", invariance_table),
        "recordings_summary": ("recordings", recordings_table),
        "clips_left_out": (
            "left_out",
            lambda t: left_out_table(_as_recorded(t, seen), unit=config.unit),
        ),
    }
    for stem, (name, make) in makers.items():
        if name in seen and len(seen[name]):
            shown[stem] = make(seen[name])
    return numbered(shown)


def study_frames(config: StudyConfig, found: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the numbers of the tables that are made from a comparison, by their stems."""
    levels, differences = performance_rows(found["comparison"])
    main = main_model(levels)
    first = config.compare.methods[0]
    return {
        "performance": levels[levels["method"] == first],
        "performance_intervals": levels,
        "differences": differences[
            (differences["first_model"] == main) & (differences["context"] == ALL)
        ],
        "all_differences": differences,
        "other_methods": differences[differences["method"] != first],
        **_frames_of_chain(found),
    }


def _frames_of_chain(found: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the numbers of the tables of the whole analysis, if the study has them."""
    if "chain" not in found:
        return {}
    of_models = found["chain"]["step"] == "models"
    return {
        "whole_analysis": found["chain"][of_models],
        "whole_analysis_steps": found["chain"][~of_models],
    }


def _whole_analysis(config: StudyConfig, seen: dict[str, pd.DataFrame]) -> dict[str, DisplayTable]:
    """Lay out the intervals of the whole analysis: those of models, and of the steps before."""
    frames, confidence = _frames_of_chain(seen), config.compare.confidence
    draws = config.compare.chain_draws
    of_models = whole_analysis_table(frames["whole_analysis"], confidence=confidence, n_boot=draws)
    return {
        "whole_analysis": _with_width(config, seen, of_models),
        "whole_analysis_steps": earlier_steps_table(
            frames["whole_analysis_steps"], confidence=confidence, n_boot=draws
        ),
    }


def _performance(config: StudyConfig, seen: dict[str, pd.DataFrame]) -> dict[str, DisplayTable]:
    """Lay out the models' levels, without intervals and with those of the leading method."""
    level, kind = percent(config.compare.confidence), method_name(config.compare.methods[0])
    levels, _ = performance_rows(seen["comparison"])
    own = levels[levels["method"] == config.compare.methods[0]]
    on = "by Cross-Validation" if config.evaluation.crossed else "on the Test Part"
    highest = highest_correlations(seen)
    whole = tables.performance_table(
        own, intervals=True, ceiling=highest, title=f"Performance {on}, With {level} Intervals."
    )
    brackets = f"Brackets: {level} confidence intervals ({kind})."
    return {
        "performance": tables.performance_table(
            own, ceiling=highest, title=f"Performance {on}, by Context."
        ),
        "performance_intervals": replace(whole, notes=(brackets, *whole.notes)),
    }


def _comparison(config: StudyConfig, seen: dict[str, pd.DataFrame]) -> dict[str, DisplayTable]:
    """Lay out the differences: one method leads, all others are in a table of their own."""
    levels, differences = performance_rows(seen["comparison"])
    # One model alone is compared with none.
    if not len(differences):
        return {}
    main, (first, *others) = main_model(levels), config.compare.methods
    several = bool((differences["context"] == ALL).any())
    leads = differences["method"] == first
    against = (differences["first_model"] == main) & ((differences["context"] == ALL) == several)
    made = partial(tables.comparison_table, confidence=config.compare.confidence)
    shown = {
        # Narrow enough for a terminal: the title names the first model.
        "differences": made(
            differences[leads & against],
            main=main,
            title=f"{display_name(main)} Minus the Other Models"
            f"{', Over All Contexts' if several else ''}.",
        ),
        "all_differences": made(
            differences[leads],
            title=f"All Differences of the Models{', by Context' if several else ''}.",
        ),
    }
    if others and not leads.all():
        table = made(differences[~leads], title="Differences of the Models by Other Methods.")
        note = (
            f"The text and the other tables of the report use the {method_name(first)} "
            "intervals. A different conclusion from another method is not a separate finding."
        )
        shown["other_methods"] = replace(table, notes=(note, *table.notes))
    return shown


def _weights_table(config: StudyConfig, seen: dict[str, pd.DataFrame]) -> DisplayTable:
    """Lay out the weights of the models that predict; for classes, say to which they refer."""
    shown = tables.weights_table(seen["weights"])
    if not config.label.classified:
        return shown
    scores = seen["scores"]["score"]
    positive = positive_of(config, classes_of(scores[scores.notna()].astype("str")))
    note = f"Per standard deviation of a feature, in log odds of {positive}."
    return replace(shown, notes=(note, *shown.notes))


def _with_width(
    config: StudyConfig, seen: dict[str, pd.DataFrame], display: DisplayTable
) -> DisplayTable:
    """Say below a table that has NRMSE by what it divides."""
    if not seen["comparison"]["metric"].astype(str).str.startswith("nrmse").any():
        return display
    note = f"NRMSE: RMSE divided by {config.compare.score_range:g}, the width of the scores."
    return replace(display, notes=(*display.notes, note))


def main_model(levels: pd.DataFrame) -> str:
    """Return the model whose differences from the others are reported: the first that learns."""
    found = [str(name) for name in levels["model"].unique()]
    return next(name for name in found if name not in (*BASELINES, *HUMAN))


def performance_rows(comparison: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Divide a comparison into the models' levels (column model) and their differences."""
    differences = comparison[comparison[KIND] == DIFFERENCE]
    return levels_of(comparison), differences.reset_index(drop=True)


def _as_recorded(frame: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Sort rows by context, in the order of the recordings' table."""
    recorded = tables["recordings"]["context"] if "recordings" in tables else ()
    contexts = dict.fromkeys([*recorded, *tables["scores"]["context"], *frame["context"]])
    return ordered_rows(frame, "context", list(contexts))


def _plain_table(frame: pd.DataFrame) -> DisplayTable:
    text = [name for name in frame if name in LABELS]
    ordered = frame[[*text, *[name for name in frame if name not in text]]]
    shown = {name: shown_labels(ordered, name) for name in text}
    rows = tuple(
        tuple(shown[name][cell] if name in shown else _plain(cell) for name, cell in row.items())
        for row in ordered.to_dict("records")
    )
    return DisplayTable(
        title="Learning Curves: Errors by Epoch.",
        columns=tuple(display_name(name) for name in ordered),
        rows=rows,
        text_columns=max(1, len(text)),
    )


def _plain(cell: Any) -> str:
    return number_text(cell) if isinstance(cell, float) else _TRUTH.get(str(cell), str(cell))
