"""What a reader might take for granted and a study did not do, a sentence each."""

from __future__ import annotations

from pyexpr.base.pairs import KIND, LEVEL
from pyexpr.report.text.facts import (
    Record,
    Tables,
    contexts_of,
    fitted_models,
    invariance_tested,
)
from pyexpr.words.labels import display_name, name_in_sentence
from pyexpr.words.reader import readers_reason
from pyexpr.words.wording import listed_words, were


def not_done(record: Record, tables: Tables) -> list[str]:
    """Return what a reader might take for granted and was not done, a sentence each."""
    options = record["options"]
    models = fitted_models(tables)
    compared = bool((tables["comparison"][KIND] != LEVEL).any())
    unknown = record["stages"]["models"]["no training-only scores because"]
    text = [
        "The fit of the factor models was not tested: three indicators leave no degrees of freedom."
        if tables["reliability"]["question"].nunique() == 3
        else "The fit of the factor models is not judged here.",
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
        "Missing features and scores were not imputed.",
        "Neither the factor model, the features nor the tuning were repeated inside the intervals "
        "of performance: these hold for the fitted models, on new subjects.",
        "One division into training, validation, and test part was made; other divisions would "
        "give other numbers.",
    ]
    if options["factor_model"]["fit_on"] == "all":
        text.insert(
            1,
            "The factor models behind the scores were not kept apart from the test subjects"
            + (
                "."
                if "scores_leakage" not in tables
                else ", and what that is worth could not be told: "
                f"{readers_reason(unknown).rstrip('.')}."
                if unknown
                else "; the table of both kinds of scores says what that is worth."
            ),
        )
    once = [
        display_name(name)
        for name in models
        if name != "elastic_net" and options["models"].get(name, {}).get("n_seeds") == 1
    ]
    if once:
        text.append(
            f"{listed_words(once)} {were(len(once))} trained with one seed; other seeds would give "
            "other numbers."
        )
    if models == ["elastic_net"]:
        text.append("No other model than the elastic net was fitted; no neural network was.")
    if len(contexts_of(tables)) > 1 and not invariance_tested(tables):
        text.append(
            "Whether the factor model holds alike in all contexts (measurement invariance) was not "
            "tested."
        )
    absent = [
        name_in_sentence(name)
        for name, there in (
            ("uniform", options["baselines"]["uniform"]),
            ("normal", options["baselines"]["normal"]),
            ("human", record["stages"]["models"]["human baseline"] != "none"),
        )
        if not there
    ]
    if absent:
        text.append(f"Not computed: {listed_words(absent)}.")
    if options["features"]["landmarks"] == "2d":
        text.append("Landmarks were not corrected for head pose, size of the face, or distance.")
    text.append("No interval respects that raters rate many clips each.")
    return text
