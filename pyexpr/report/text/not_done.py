"""Limitations of a study: what a reader might assume but was not done, in one sentence each."""

from __future__ import annotations

from pyexpr.base.pairs import KIND, LEVEL
from pyexpr.report.text.facts import (
    Record,
    Tables,
    classified,
    contexts_of,
    crossed,
    fitted_models,
    invariance_tested,
    unit_of,
)
from pyexpr.report.text.whole_analysis import not_in_usual_intervals
from pyexpr.words.labels import display_name, name_in_sentence
from pyexpr.words.reader import readers_reason
from pyexpr.words.wording import listed_words, were


def not_done(record: Record, tables: Tables) -> list[str]:
    """Return what a reader might assume but was not done, in one sentence each."""
    options = record["options"]
    models = fitted_models(tables)
    compared = bool((tables["comparison"][KIND] != LEVEL).any())
    fixed = ["the factor model"] if "loadings" in tables else []
    fixed = [*fixed, "the features" if "recordings" in tables else "the label", "the tuning"]
    text = [
        *_of_factor_model(record, tables),
        *(
            ["The p values of the comparison of models are not adjusted for multiple testing."]
            if compared
            else []
        ),
        *(
            [
                "The p values of slopes, contrasts and omnibus tests are not adjusted"
                f"{' either' if compared else ''}."
            ]
            if "coefficients" in tables and options["coefficients"]["adjust"] == "none"
            else []
        ),
        *_of_pooling(record),
        f"Missing features and {'scores' if 'loadings' in tables else 'labels'} were not imputed.",
        f"The intervals of performance do not include the uncertainty of {listed_words(fixed)}: "
        "they describe how these fitted models perform in new subjects."
        if not crossed(record)
        else not_in_usual_intervals(tables),
        *_divisions(record),
    ]
    once = [
        display_name(name)
        for name in models
        if name in ("lstm", "video3d") and options["models"][name]["n_seeds"] == 1
    ]
    if once:
        text.append(
            f"{listed_words(once)} {were(len(once))} trained with one seed; other seeds would "
            "give different results."
        )
    if classified(record):
        text.append(
            "No slope was tested, neither within a context nor between contexts, because the "
            "tests of slopes require a numeric label. Folds were not stratified by class."
            if crossed(record)
            else "No slope was tested, neither within a context nor between contexts, because "
            "the tests of slopes require a numeric label. Parts were not stratified by "
            "class."
        )
    if models == ["elastic_net"]:
        text.append("The elastic net was the only fitted model; no neural network was fitted.")
    if "loadings" in tables and len(contexts_of(tables)) > 1 and not invariance_tested(tables):
        text.append("Measurement invariance of the factor model over contexts was not tested.")
    absent = [
        name_in_sentence(name)
        for name, there in (
            *(
                [("prior", options["baselines"]["prior"])]
                if classified(record)
                else [
                    ("uniform", options["baselines"]["uniform"]),
                    ("normal", options["baselines"]["normal"]),
                ]
            ),
            ("human", record["stages"]["models"]["human baseline"] != "none"),
        )
        if not there
    ]
    if absent:
        text.append(f"Not computed: {listed_words(absent)}.")
    if "recordings" in tables and options["features"]["landmarks"] == "2d":
        text.append(
            "Landmarks were not corrected for head pose, face size, or distance from the camera."
        )
    if "reliability" in tables:
        text.append(
            "No interval accounts for the dependence of ratings by the same rater, who rated "
            f"many {unit_of(record)}s."
        )
    return text


def _of_factor_model(record: Record, tables: Tables) -> list[str]:
    """Return sentences on limitations of the factor model, if there is one."""
    if "loadings" not in tables:
        return []
    n_questions = tables["loadings"]["indicator"].nunique()
    few = {2: "two indicators with equal loadings leave", 3: "three indicators leave"}
    text = [
        f"The fit of the factor models was not tested, because {few[n_questions]} no degrees of "
        "freedom."
        if n_questions in few
        else "The fit of the factor models is not evaluated here.",
    ]
    if record["options"]["factor_model"]["fit_on"] == "all":
        unknown = record["stages"]["models"].get("no training-only scores because", "")
        text.append(
            "The factor models that define the scores were fitted to all subjects, including the "
            + ("test subjects" if not crossed(record) else "subjects to be predicted")
            + (
                "."
                if "scores_leakage" not in tables
                else ", and the effect of this could not be estimated: "
                f"{readers_reason(unknown).rstrip('.')}."
                if unknown
                else "; the table of scores from the whole sample and from training subjects "
                "shows the effect of this."
            )
        )
    return text


def _of_pooling(record: Record) -> list[str]:
    """Return a sentence on slopes that were to be pooled and could not be."""
    why = record["stages"].get("pooled_coefficients", {}).get("not pooled because", "")
    return (
        [f"Slopes were not pooled over contexts: {readers_reason(why).rstrip('.')}."] if why else []
    )


def _divisions(record: Record) -> list[str]:
    """Return a sentence that other divisions of the subjects would give other numbers."""
    if not crossed(record):
        return [
            "The subjects were divided once into a training, a validation, and a test part; "
            "other divisions would give different results."
        ]
    if record["options"]["evaluation"]["repeats"] == 1:
        return [
            "The subjects were divided into folds once; other folds would give different results."
        ]
    return []
