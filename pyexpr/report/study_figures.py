"""The figures of a study: for each, its file, its data, and its caption and note in the report.

A run draws the figures listed here, the check of a study names their files, and the report shows
each in its section, numbered in this order. Tables are listed in `pyexpr.report.study_tables`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pyexpr.base.pairs import KIND, LEVEL
from pyexpr.figures.factor import factor_alt, factor_figure
from pyexpr.figures.learning import learning_alt, learning_figure
from pyexpr.figures.performance import performance_alt, performance_figure
from pyexpr.figures.pooled import pooled_alt, pooled_figure
from pyexpr.figures.predictions import predictions_alt, predictions_figure
from pyexpr.figures.quality import quality_alt, quality_figure
from pyexpr.figures.weights import coefficients_figure, interval_kind, weights_alt, weights_figure
from pyexpr.report.text.facts import (
    Record,
    Tables,
    classified,
    crossed,
    fitted_models,
    highest_correlations,
    unit_of,
)
from pyexpr.words.labels import display_name, label_names, percent

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Shown:
    """The data from which a figure is drawn.

    Attributes
    ----------
    record : mapping
        The content of ``record.json``; the options are sufficient.
    tables : mapping of str to DataFrame
        As they are shown.
    model : str
        The model of the figure, for figures that are drawn for each model.
    """

    record: Record
    tables: Tables
    model: str = ""

    def option(self, section: str, name: str) -> Any:
        """Return an option of the study."""
        return self.record["options"][section][name]

    @property
    def unit(self) -> str:
        """Name of a row of the study."""
        return unit_of(self.record)

    @property
    def part(self) -> str:
        """The part that is predicted: "test", or "" for all subjects."""
        return "" if crossed(self.record) else "test"

    @property
    def latent(self) -> str:
        """Name of the factor, as shown to readers."""
        return display_name(self.option("factor_model", "factor"))

    @cached_property
    def levels(self) -> pd.DataFrame:
        """The performance of each model, without differences."""
        return levels_of(self.tables["comparison"])

    @property
    def method(self) -> str:
        """The method of the intervals that figures show."""
        return str(self.option("compare", "methods")[0])

    @property
    def fitted(self) -> list[str]:
        """The fitted models with predictions, without baselines."""
        predicted = self.tables["predictions"]
        return [model for model in fitted_models(self.tables) if model in predicted]

    @cached_property
    def weights(self) -> pd.DataFrame:
        """The weights, with the intervals of the procedure that chose them."""
        return self.tables["coefficients"].rename(
            columns={"procedure_low": "conf_low", "procedure_high": "conf_high",
                     "conf_low": "_low", "conf_high": "_high"}
        )  # fmt: skip

    @cached_property
    def curves(self) -> pd.DataFrame:
        """The learning curves of the model."""
        found = self.tables["learning_curves"]
        return found[found["model"] == self.model]


@dataclass(frozen=True, slots=True)
class StudyFigure:
    """A figure of a study.

    ``title``, ``caption`` and ``note`` may have the fields of `_fields`.

    Attributes
    ----------
    stem : str
        Name of its file without suffix; for `each_model` the name of the model is appended.
    needs : str
        The table that is required to draw it.
    draw, words : callable
        Functions of `Shown` that return the picture, and a text description of it.
    title : str
        Title of the file.
    section, caption, note : str
        For the report: the section, the title, and the note below the figure.
    folded : bool
        Whether the report shows it only after its title is clicked.
    each_model : bool
        Whether there is one figure for each deep model.
    of_numbers : bool
        Whether it is only for labels that are numbers, not classes.
    """

    stem: str
    needs: str
    draw: Callable[[Shown], Figure]
    words: Callable[[Shown], str]
    title: str
    section: str
    caption: str
    note: str = ""
    folded: bool = False
    each_model: bool = False
    of_numbers: bool = False


def _slopes_alt(shown: Shown) -> str:
    table = shown.tables["coefficients"]
    slopes = table.assign(estimate=table["tested_estimate"])
    pooled = " pooled within contexts" if table["context"].nunique() > 1 else ""
    return (
        f"The weights beside slopes per standard deviation{pooled}, each with its "
        f"{interval_kind(slopes)}. The slopes follow. {weights_alt(slopes)}"
    )


def _slopes_drawn(shown: Shown) -> Figure:
    table = shown.tables["coefficients"]
    names = label_names(table["feature"].unique()) | label_names(table["context"].unique())
    return coefficients_figure(table, confidence=shown.option("compare", "confidence"), names=names)


def _pooled_drawn(shown: Shown) -> Figure:
    table = shown.tables["pooled_slopes"]
    names = label_names(table["feature"].unique()) | label_names(table["context"].unique())
    return pooled_figure(
        table, shown.tables["slope_variation"], names=names,
        confidence=shown.option("compare", "confidence"),
    )  # fmt: skip


def _pooled_alt(shown: Shown) -> str:
    return pooled_alt(shown.tables["pooled_slopes"], shown.tables["slope_variation"])


STUDY_FIGURES = (
    StudyFigure(
        "performance", "comparison",
        lambda one: performance_figure(
            one.levels, method=one.method, confidence=one.option("compare", "confidence"),
            ceiling=highest_correlations(one.tables),
        ),
        lambda one: performance_alt(
            one.levels, method=one.method, ceiling=highest_correlations(one.tables)
        ),
        title="Performance by model and context",
        section="summary",
        caption="Performance {on}, by Model and Context.",
    ),
    StudyFigure(
        "predictions", "predictions",
        lambda one: predictions_figure(one.tables["predictions"], one.fitted, unit=one.unit),
        lambda one: predictions_alt(
            one.tables["predictions"], one.fitted, unit=one.unit, part=one.part
        ),
        title="Predicted against true scores of the {units}",
        section="performance",
        caption="Predicted Against True Scores of the {Units}, by Context.",
        of_numbers=True,
    ),
    StudyFigure(
        "slopes", "coefficients", _slopes_drawn, _slopes_alt,
        title="Weights and slopes by context",
        section="coefficients",
        caption="Weights Beside Tested Slopes, by Context.",
        note=
            "Lines of the weights are {level} percentile intervals over resamples of subjects; "
            "lines of the slopes are {level} {intervals}.",
    ),
    StudyFigure(
        "pooled_slopes", "pooled_slopes", _pooled_drawn, _pooled_alt,
        title="Separate and pooled slopes by feature and context",
        section="coefficients",
        caption="Separate and Pooled Slopes, by Feature and Context.",
        note=
            "Hollow marks are separate slopes, of the context alone, estimated with the weights of "
            "the multilevel model. Arrows lead from them to the pooled slopes (filled marks), "
            "which are shrunken towards the mean over contexts (the common slope). Lines are "
            "{level} intervals, not adjusted for the number of slopes; those of pooled slopes are "
            "of the shrunken slopes and hold on average over contexts.",
    ),
    StudyFigure(
        "weights", "coefficients",
        lambda one: weights_figure(one.weights),
        lambda one: weights_alt(one.weights),
        title="Standardised weights by context, with intervals over resamples of subjects",
        section="coefficients",
        caption="Standardised Weights of the Features, by Context.",
        note=
            "Lines are {level} percentile intervals of the weights over resamples of subjects; "
            "they are descriptive and not tests.",
        folded=True,
    ),
    StudyFigure(
        "learning_curves", "learning_curves",
        lambda one: learning_figure(one.curves),
        lambda one: learning_alt(one.curves),
        title="Learning curves of {model}",
        section="learning-curves",
        caption="Learning Curves of {model}, by Epoch.",
        each_model=True,
    ),
    StudyFigure(
        "factor_model", "loadings",
        lambda one: factor_figure(one.tables["loadings"], latent=one.latent),
        lambda one: factor_alt(one.tables["loadings"], latent=one.latent),
        title="The factor model, by context",
        section="factor-model",
        caption="The Factor Model, by Context.",
    ),
    StudyFigure(
        "quality", "recordings",
        lambda one: quality_figure(
            one.tables["features"], threshold=one.option("features", "min_valid")
        ),
        lambda one: quality_alt(
            one.tables["features"], threshold=one.option("features", "min_valid")
        ),
        title="Share of valid bins per clip",
        section="quality",
        caption="Share of Valid Bins of Each {Unit}, by Context.",
    ),
)  # fmt: skip


def levels_of(comparison: pd.DataFrame) -> pd.DataFrame:
    """Return the models' levels (column model) of a comparison."""
    levels = comparison[comparison[KIND] == LEVEL].rename(columns={"term": "model"})
    return levels.reset_index(drop=True)


def planned(one: StudyFigure, deep: Mapping[str, Any]) -> list[str]:
    """Return the stems of a figure in a study with these deep models."""
    return [f"{one.stem}_{model}" for model in deep] if one.each_model else [one.stem]


def drawn(record: Record, tables: Tables) -> Iterator[tuple[str, Shown, StudyFigure]]:
    """Yield every figure that a study has, with the stem of its file."""
    for one in STUDY_FIGURES:
        if one.needs not in tables or (one.of_numbers and classified(record)):
            continue
        if not one.each_model:
            yield one.stem, Shown(record, tables), one
            continue
        for model in tables[one.needs]["model"].unique():
            yield f"{one.stem}_{model}", Shown(record, tables, str(model)), one


def filled(text: str, record: Record, model: str = "") -> str:
    """Return a title, caption or note of a figure with its fields filled in."""
    return text.format(**_fields(record, model))


def _fields(record: Record, model: str) -> dict[str, str]:
    unit, compare = unit_of(record), record["options"]["compare"]
    adjusted = record["options"]["coefficients"]["adjust"] != "none"
    part = "" if crossed(record) else "test "
    return {
        "Unit": unit.title(),
        "units": f"{part}{unit}s",
        "Units": f"{part.title()}{unit.title()}s" if part else f"{unit.title()}s",
        "on": "by Cross-Validation" if crossed(record) else "on the Test Part",
        "level": percent(compare["confidence"]),
        "intervals": "confidence intervals"
        + (", adjusted as stated in the table" if adjusted else ""),
        "model": display_name(model),
    }
