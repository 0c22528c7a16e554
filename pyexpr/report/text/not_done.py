"""What a reader might take for granted and a study did not do, a sentence each."""

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
from pyexpr.words.labels import display_name, name_in_sentence
from pyexpr.words.reader import readers_reason
from pyexpr.words.wording import listed_words, were


def not_done(record: Record, tables: Tables) -> list[str]:
    """Return what a reader might take for granted and was not done, a sentence each."""
    options = record["options"]
    models = fitted_models(tables)
    compared = bool((tables["comparison"][KIND] != LEVEL).any())
    fixed = ["the factor model"] if "loadings" in tables else []
    fixed = [*fixed, "the features" if "recordings" in tables else "the label", "the tuning"]
    text = [
        *_of_factor_model(record, tables),
        *(
            ["The p values of the models' comparison are not adjusted for their number."]
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
        f"Missing features and {'scores' if 'loadings' in tables else 'labels'} were not imputed.",
        f"Neither {', '.join(fixed[:-1])} nor {fixed[-1]} were repeated inside the intervals of "
        "performance: these hold for the fitted models, on new subjects."
        if not crossed(record)
        else "Models were not fitted anew inside the intervals of performance: these leave the "
        "variance of the training out.",
        *_divisions(record),
    ]
    once = [
        display_name(name)
        for name in models
        if name in ("lstm", "video3d") and options["models"][name]["n_seeds"] == 1
    ]
    if once:
        text.append(
            f"{listed_words(once)} {were(len(once))} trained with one seed; other seeds would give "
            "other numbers."
        )
    if classified(record):
        text.append(
            "No slope was tested, neither in a context nor between contexts: the tests of slopes "
            "are of labels that are numbers. Folds were not balanced by class."
            if crossed(record)
            else "No slope was tested, neither in a context nor between contexts: the tests of "
            "slopes are of labels that are numbers. Parts were not balanced by class."
        )
    if models == ["elastic_net"]:
        text.append("No other model than the elastic net was fitted; no neural network was.")
    if "loadings" in tables and len(contexts_of(tables)) > 1 and not invariance_tested(tables):
        text.append(
            "Whether the factor model holds alike in all contexts (measurement invariance) was not "
            "tested."
        )
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
        text.append("Landmarks were not corrected for head pose, size of the face, or distance.")
    if "reliability" in tables:
        text.append(f"No interval respects that raters rate many {unit_of(record)}s each.")
    return text


def _of_factor_model(record: Record, tables: Tables) -> list[str]:
    """Return what of the factor model was not done, where there is one."""
    if "loadings" not in tables:
        return []
    n_questions = tables["loadings"]["indicator"].nunique()
    few = {2: "two indicators of equal loading leave", 3: "three indicators leave"}
    text = [
        f"The fit of the factor models was not tested: {few[n_questions]} no degrees of freedom."
        if n_questions in few
        else "The fit of the factor models is not judged here.",
    ]
    if record["options"]["factor_model"]["fit_on"] == "all":
        unknown = record["stages"]["models"].get("no training-only scores because", "")
        text.append(
            "The factor models behind the scores were not kept apart from the "
            + ("test subjects" if not crossed(record) else "subjects to be predicted")
            + (
                "."
                if "scores_leakage" not in tables
                else ", and what that is worth could not be told: "
                f"{readers_reason(unknown).rstrip('.')}."
                if unknown
                else "; the table of both kinds of scores says what that is worth."
            )
        )
    return text


def _divisions(record: Record) -> list[str]:
    """Return that other divisions of the subjects would give other numbers."""
    if not crossed(record):
        return [
            "One division into training, validation, and test part was made; other divisions "
            "would give other numbers."
        ]
    if record["options"]["evaluation"]["repeats"] == 1:
        return ["One division into folds was made; other folds would give other numbers."]
    return []
