"""The tables of a simulated study, compared with its true values and with the paper."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pyexpr.base.contexts import ALL
from pyexpr.base.pairs import PARTS, pair_label
from pyexpr.base.visible import visible
from pyexpr.paper import published_numbers
from pyexpr.report.tables.console import to_console
from pyexpr.report.tables.side_by_side import side_by_side
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.results.displays import performance_rows
from pyexpr.study.results.result import StudyResult
from pyexpr.study.results.summary import print_ending
from pyexpr.study.stages.deep import DEEP_MODELS

if TYPE_CHECKING:
    import pandas as pd

# The model whose differences from the others are compared with the truth.
_MAIN_MODEL = "elastic_net"


def print_beside_truth(result: StudyResult, truth_file: Path) -> None:
    """Print four tables of a simulated study, compared with its truth and with the paper."""
    truth = json.loads(truth_file.read_text(encoding="utf-8"))
    print(visible(result.heading()))
    print()
    population = population_tables(truth)
    to_console(
        side_by_side(
            result.table("reliability"),
            keys=("context", "question"),
            of="icc",
            truth=population["reliability"],
            paper=published_numbers.reliability(),
            title="ICC(1,k) by Context and Question, Beside the Paper's Table 1",
            notes=("Truth: the value for infinitely many clips.",),
        )
    )
    print()
    to_console(
        side_by_side(
            result.table("loadings"),
            keys=("context", "indicator"),
            values=("std_loading", "std_residual_variance"),
            truth=population["loadings"],
            paper=published_numbers.loadings(),
            title="Standardised Loadings and Residual Variances, Beside the Paper's Table 2",
        )
    )
    levels, differences = performance_rows(result.table("comparison"))
    method = result.config.compare.methods[0]
    true_levels, true_differences = true_correlations(result.table("predictions"), truth)
    to_console(
        side_by_side(
            levels[levels["method"] == method],
            keys=("metric", "context", "model"),
            truth=true_levels,
            paper=_named_as_here(published_numbers.performance(), result.config),
            digits=3,
            title="Performance on the Test Part, Beside the Paper's Table 3",
            notes=(
                "Truth: the correlation of the same predictions with the simulated "
                "expressiveness instead of its scores.",
            ),
        )
    )
    main = (differences["first_model"] == _MAIN_MODEL) & (differences["context"] == ALL)
    print()
    to_console(
        side_by_side(
            differences[main & (differences["method"] == method)],
            keys=("metric", "term"),
            truth=true_differences,
            paper=_named_as_here(published_numbers.comparison(), result.config),
            digits=3,
            title="ElasticNet Minus the Other Models, Beside the Paper's Table 4",
            notes=("Table 4 of the paper does not contain the differences of its table 3.",),
        )
    )
    print()
    print_ending(result)


def _named_as_here(paper: pd.DataFrame, config: StudyConfig) -> pd.DataFrame:
    """Give the paper's deep models the names that they have in a study."""
    section = config.models.video3d
    from_scratch = section is None or section.pretrained is None
    cnn = "3d_cnn" if from_scratch else "3d_cnn_pretrained"
    names = {"openface_lstm": "lstm", cnn: "video3d"}
    of_models = [name for name in ("model", *PARTS["term"]) if name in paper]
    named = paper.replace(dict.fromkeys(of_models, names))
    if "term" not in paper:
        return named
    pairs = zip(*(named[name] for name in PARTS["term"]), strict=True)
    return named.assign(term=[pair_label(*both) for both in pairs])


def population_tables(
    truth: dict[str, dict[str, dict[str, dict[str, float]]]],
) -> dict[str, pd.DataFrame]:
    """Return the true ICCs and loadings of a simulated study, in the form of the tables."""
    import pandas as pd

    rows = [
        (context, question, values["icc"][question], values["std_loading"][question])
        for context, values in truth["population"].items()
        for question in values["icc"]
    ]
    table = pd.DataFrame(rows, columns=["context", "question", "estimate", "std_loading"])
    loadings = table.rename(columns={"question": "indicator"}).drop(columns="estimate")
    return {
        "reliability": table.drop(columns="std_loading"),
        "loadings": loadings.assign(std_residual_variance=1 - loadings["std_loading"] ** 2),
    }


def true_correlations(
    predictions: pd.DataFrame, truth: dict[str, list[dict[str, object]]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Correlate predictions with the simulated expressiveness: by model, and differences."""
    import pandas as pd

    from pyexpr.modeling.metrics import correlation

    key = ["subject", "context", "clip"]
    planted = pd.DataFrame(truth["clips"])[[*key, "expressiveness"]]
    rows = predictions.merge(planted, on=key)
    models = [name for name in (_MAIN_MODEL, *DEEP_MODELS, "uniform", "normal") if name in rows]
    raters = [
        name
        for name in map(str, rows.columns)
        if name.startswith("human_") and "criterion" not in name
    ]
    levels = []
    for evaluated, block in rows.groupby("evaluated", sort=False):
        # A model that exists only over all contexts has no predictions within a context.
        found = {
            name: correlation(block["expressiveness"], block[name])
            for name in models
            if block[name].notna().any()
        }
        if raters:
            each = [_paired_correlation(block, name) for name in raters]
            found["human"] = sum(each) / len(each)
        levels += [("correlation", evaluated, name, value) for name, value in found.items()]
    table = pd.DataFrame(levels, columns=["metric", "context", "model", "estimate"])
    overall = table[table["context"] == ALL].set_index("model")["estimate"]
    differences = pd.DataFrame(
        [
            ("correlation", pair_label(_MAIN_MODEL, str(name)), overall[_MAIN_MODEL] - value)
            for name, value in overall.items()
            if name != _MAIN_MODEL
        ],
        columns=["metric", "term", "estimate"],
    )
    return table, differences


def _paired_correlation(block: pd.DataFrame, name: str) -> float:
    from pyexpr.modeling.metrics import correlation

    complete = block[["expressiveness", name]].dropna()
    return correlation(complete["expressiveness"], complete[name])
