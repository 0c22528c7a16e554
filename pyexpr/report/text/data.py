"""The data of a study in sentences that a methods section could use: from subjects to features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyexpr.base.contexts import ALL
from pyexpr.base.messages import has_code
from pyexpr.behavior.openface.layout import OPENFACE
from pyexpr.report.text.facts import (
    Record,
    Tables,
    classified,
    context_names,
    contexts_of,
    invariance_tested,
    outcome_of,
    unit_of,
)
from pyexpr.words.labels import count, label_in_sentence, number, percent
from pyexpr.words.wording import (
    DROPPED,
    NO_RECORDING,
    RATINGS_UNRECORDED,
    counted,
    listed_words,
    spelled,
    were,
)

_ESTIMATORS = {"ML": "maximum likelihood", "MLR": "robust maximum likelihood"}
# The families of features that a study file may add (`extra` under [features]).
_FURTHER = {
    "regions": "displacement and velocity of brows, eyes, mouth and jaw",
    "acceleration": "acceleration and jerk, the mean lengths of the second and third derivative of "
    "position",
    "variability": "variability and range, the standard deviation of position and the diagonal of "
    "its bounding box, and the same statistics of the action units' intensities",
    "asymmetry": "asymmetry, the difference between the distances moved by the landmarks of the "
    "left and of the right side of the face, divided by their sum",
    "au_dynamics": "events of action units (presence for at least 0.2 s): their number per minute, "
    "and the mean duration, amplitude, and speed of onset and offset of the events observed "
    "from onset to offset",
    "expression_means": "means of the signals of expression (blendshapes, emotions, or scores and "
    "intensities of action units)",
    "expression_variability": "standard deviations of the signals of expression",
    "expression_dynamics": "speeds of the signals of expression, the mean absolute change from bin "
    "to bin per second",
    "entropy": "sample entropy (of sequences of two and three steps, tolerance 0.2 standard "
    "deviations) and permutation entropy (order 3) of the distance moved from bin to bin",
}
_VELOCITY = {
    "abs_derivative": "the mean absolute change of displacement from step to step, per second",
    "derivative": "the mean signed change of displacement from step to step, per second",
}
_SCHEDULES = {"bp4d_plus": "the BP4D+ data set"}
_LANDMARKS = {
    "2d": "in the image (px)",
    "3d": "in space (mm)",
    "normalised": "normalised for head pose and face size (interocular distances)",
}
_HEAD = {
    "pose": "in space (mm)",
    "params": "the position (px) and scale of the shape model in the image",
}


def sample_sentences(record: Record, tables: Tables) -> list[str]:
    """Return sentences on subjects, ratings, and what was left out before any analysis."""
    contexts, names = contexts_of(tables), context_names(tables)
    text = ["The data are simulated."] if record["simulated"] else []
    total = tables["scores"]["subject"].nunique()
    here = tables["scores"].groupby("context")["subject"].nunique()
    listed = (
        listed_words(label_in_sentence(one, names) for one in contexts)
        if all(here.get(one, 0) == total for one in contexts)
        else "; ".join(
            f"{label_in_sentence(one, names)}: {counted(here.get(one, 0), 'subject')}"
            for one in contexts
        )
    )
    observed = "recorded" if "recordings" in tables else "observed"
    text.append(
        f"The sample was {counted(total, 'subject')} {observed} in "
        f"{spelled(len(contexts), 'context')} ({listed})."
        if len(contexts) > 1 or "recordings" in tables
        else f"The sample was {counted(total, 'subject')}."
    )
    if "reliability" in tables:
        text.append(_ratings_sentence(record, tables))
    lost = {name: n for name, n in record["dropped"].items() if n}
    if lost:
        clips = _clips_without_a_recording(tables)
        of = f" (of {counted(clips, unit_of(record))})" if clips else ""
        listed = listed_words(
            " ".join((counted(n, DROPPED[name][0]), DROPPED[name][1]))
            + (of if name == RATINGS_UNRECORDED else "")
            for name, n in lost.items()
        )
        text.append(
            "The following were excluded before any analysis and are not included in these "
            f"numbers: {listed}."
        )
    elif "recordings" in tables:
        text.append("No rating and no recording was excluded before the analysis.")
    return text


def _ratings_sentence(record: Record, tables: Tables) -> str:
    """Return a sentence on what was rated, how often, and on which scale."""
    overall = tables["reliability"][tables["reliability"]["context"] == ALL]
    questions = [str(question) for question in overall["question"]]
    scale, first, unit = record["options"]["ratings"], overall.iloc[0], unit_of(record)
    return (
        f"On {spelled(len(questions), 'question')} "
        f"({listed_words(map(label_in_sentence, questions))}), "
        f"{counted(first['n_targets'], unit)} {were(first['n_targets'])} rated from "
        f"{scale['low']:g} to {scale['high']:g}: {counted(first['k'], 'rating')} per {unit} and "
        f"question{' on average' if first['k'] != round(first['k']) else ''}, "
        f"{count(overall['n_ratings'].sum())} ratings in total."
    )


def _clips_without_a_recording(tables: Tables) -> int:
    if "left_out" not in tables:
        return 0
    table = tables["left_out"]
    return sum(has_code(reason, NO_RECORDING) for reason in table["reason"])


def reliability_sentences(record: Record, tables: Tables) -> list[str]:
    """Return sentences on how the reliability of the ratings was estimated."""
    if "reliability" not in tables:
        return []
    table = tables["reliability"]
    level = percent(record["options"]["compare"]["confidence"])
    methods = set(table["method"].dropna().astype(str)) if "method" in table else set()
    by = "per context and question" if len(contexts_of(tables)) > 1 else "per question"
    exact = "Wald's exact method for unequal numbers of ratings"
    kind = {"F": "the F distribution", "Wald": exact}
    how = listed_words(sorted(kind.get(method, method) for method in methods))
    text = [
        f"Inter-rater reliability was estimated {by} by the one-way random "
        "effects, average-score intraclass correlation, ICC(1,k) (McGraw & Wong, 1996)"
        + (f", with {level} confidence intervals from {how}." if how else ".")
    ]
    if "conf_low_subjects" in table and table["conf_low_subjects"].notna().any():
        text.append(
            f"A second interval accounts for the dependence of {unit_of(record)}s of the same "
            "subject; it is computed by leaving out one subject at a time."
        )
    return text


def label_sentences(record: Record, tables: Tables) -> list[str]:
    """Return sentences on what the models predict, if it is not a factor score."""
    options = record["options"]["label"]
    if options["method"] == "factor":
        return []
    unit, outcome = unit_of(record), outcome_of(record)
    if classified(record):
        return _class_sentences(record)
    made = {
        "mean": f"the mean, over questions, of the {unit}'s mean ratings",
        "question": f"the {unit}'s mean rating on the question "
        f"{label_in_sentence((options['question'] or [''])[0])}",
        "column": f"the column {(options['column'] or [''])[0]} of the table of features",
    }[options["method"]]
    text = [f"The label that the models predict ({outcome}) is {made}."]
    bare = record["stages"]["label"]["clips without a score"]
    if bare:
        text.append(f"It is missing for {counted(bare, unit)}.")
    return text


def _class_sentences(record: Record) -> list[str]:
    """Return a sentence on the classes and their numbers of clips."""
    options, unit, stage = record["options"]["label"], unit_of(record), record["stages"]["label"]
    made = (
        f"the answer that most of the {unit}'s raters gave to the question "
        f"{label_in_sentence((options['question'] or [''])[0])}"
        if options["method"] == "question"
        else f"the column {(options['column'] or [''])[0]} of the table of features"
    )
    total = sum(stage["classes"].values())
    counts = listed_words(
        f"{name} ({counted(n, unit)}, {percent(round(n / total, 3))})"
        for name, n in stage["classes"].items()
    )
    text = [
        f"The label that the models predict ({outcome_of(record)}) is a class: {made}. "
        f"The classes are {counts}."
    ]
    bare = stage["clips without a score"]
    if bare:
        tied = ", whose raters were tied or gave no answer" if options["question"] else ""
        text.append(f"It is missing for {counted(bare, unit)}{tied}.")
    return text


def factor_sentences(record: Record, tables: Tables) -> list[str]:
    """Return sentences on how factor scores were computed from ratings, and for which subjects."""
    if "factor_model" not in record["stages"]:
        return []
    unit = unit_of(record)
    stage = record["stages"]["factor_model"]
    options = record["options"]["factor_model"]
    made = stage["provenance"]
    used = made["versions"]
    several = len(contexts_of(tables)) > 1
    models, verb = ("The factor models", "were") if several else ("The factor model", "was")
    factor, _, indicators = made["model"].partition(" =~ ")
    measured = listed_words(map(label_in_sentence, indicators.split(" + ")))
    estimator = _ESTIMATORS.get(made["estimator"], made["estimator"])
    fitted = "fitted per context and over all contexts" if several else "fitted"
    by = (
        f"lavaan {used['lavaan']} (Rosseel, 2012) in R {used.get('R', '')}".strip()
        if "lavaan" in used
        else "pyexpr's own C++ engine, without R"
    )
    text = [
        f"The {unit}s' mean ratings were summarised by a one-factor model "
        f"({label_in_sentence(factor)}, measured by {measured}; latent variance fixed to 1, "
        f"intercepts free, {estimator}, {made['missing']} treatment of missing means), {fitted} "
        f"to {counted(made['n'], unit)} with {by}.",
    ]
    if made["n_dropped"]:
        text.append(f"The model excludes {counted(made['n_dropped'], unit)} with a missing mean.")
    kind = (
        "the model of a context is trained on the scores of that context, and the model over "
        "all contexts on the pooled scores"
        if options["labels"] == "context"
        else "all models are trained on the scores of the pooled factor model"
    )
    text.append(
        f"The labels are Bartlett factor scores (Bartlett, 1937){f'; {kind}' if several else ''}."
    )
    text.append(
        f"{models} that define the scores {verb} fitted to the training subjects only."
        if options["fit_on"] == "train"
        else f"{models} {verb} fitted to all subjects, including those of the test part."
    )
    if invariance_tested(tables):
        text.append(
            "Metric and scalar invariance over contexts (equal loadings, and equal loadings "
            "and intercepts) were tested by leaving out one subject at a time."
        )
    if stage["clips without a score"]:
        n_bare = stage["clips without a score"]
        text.append(f"No score is available for {counted(n_bare, unit)}.")
    return text


def feature_sentences(record: Record, tables: Tables) -> list[str]:
    """Return sentences on how features were computed, and which features came with the data."""
    given = record["stages"]["features"]["from the table"]
    text = _computed_sentences(record, tables) if "recordings" in tables else []
    if given:
        beside = "In addition, " if text else ""
        of = f"{counted(len(given), 'feature')} of each {unit_of(record)} {were(len(given))}"
        text.append(f"{beside}{of} supplied with the data.")
    absent = record["stages"]["features"]["absent features"]
    if absent:
        names = listed_words(map(label_in_sentence, absent))
        text.append(f"No recording contains {names}, which {were(len(absent))} therefore excluded.")
    covariates = record["stages"]["features"]["covariates"]
    if covariates:
        names = listed_words(map(label_in_sentence, covariates))
        text.append(f"All models and slopes are adjusted for {names}.")
    return text


def _layouts(tables: Tables) -> list[str]:
    """Return the layouts of the recordings; results stored by older versions are from OpenFace."""
    table = tables["recordings"]
    return [*dict.fromkeys(table["layout"])] if "layout" in table else [OPENFACE]


def _processed(tables: Tables) -> str:
    """Return which software processed the recordings."""
    layouts = _layouts(tables)
    others = [f"*{name}*" for name in layouts if name != OPENFACE]
    parts = ["with OpenFace (Baltrušaitis et al., 2018)"] if OPENFACE in layouts else []
    if others:
        noun = "layout" if len(others) == 1 else "layouts"
        parts.append(f"by trackers whose tables have the {noun} {listed_words(others)}")
    return f"processed {' and '.join(parts)}"


def _tracker(tables: Tables) -> str:
    return "OpenFace" if _layouts(tables) == [OPENFACE] else "the tracker"


def _landmarks(kind: str, tables: Tables) -> str:
    """Return the unit in which landmarks were measured."""
    if kind == "normalised" or _layouts(tables) == [OPENFACE]:
        return _LANDMARKS.get(kind, kind)
    units = [unit for unit in dict.fromkeys(tables["recordings"]["points_unit"]) if unit]
    place = "in the image" if kind == "2d" else "in space"
    return f"{place} ({listed_words(units)})" if units else place


def _computed_sentences(record: Record, tables: Tables) -> list[str]:
    options = record["options"]["features"]
    clips = record["options"]["clips"]
    n_recorded = len(tables["recordings"])
    stage = record["stages"]["features"]
    n_features = len(set(stage["features"]) - set(stage["from the table"]))
    unit = unit_of(record)
    cut = (
        f"the schedule of {_SCHEDULES[clips['schedule']]}"
        if clips["schedule"]
        else f"a schedule of {spelled(len(clips['segments']), 'segment')}"
    )
    rate = f"{options['rate']:g}"
    averaged = "averaged" if options["bins"] == "mean" else "decimated"
    text = [
        f"By {cut}, {counted(n_recorded, 'recording')} {_processed(tables)} "
        f"{were(n_recorded)} cut into {unit}s"
        + (f" at {clips['fps']:g} frames per second." if clips["fps"] else "."),
        f"For each {unit}, {counted(n_features, 'feature')} {were(n_features)} computed. Frames "
        f"that {_tracker(tables)} did not mark as successful"
        + (
            f", or whose confidence was below {number(options['min_confidence'], of='share')},"
            if options["min_confidence"]
            else ""
        )
        + f" were excluded; frames were {averaged} in bins at {rate} Hz, and gaps were never "
        "interpolated.",
        "Displacement is the mean distance moved from bin to bin; velocity is "
        f"{_VELOCITY.get(options['velocity'], options['velocity'])}"
        + (
            "; both are computed from smoothed derivatives (Savitzky-Golay)."
            if options["derivatives"] == "savgol"
            else "."
        ),
        f"Landmarks are {_landmarks(options['landmarks'], tables)}; the head's "
        f"position is {_HEAD.get(options['head'], options['head'])}.",
        *further_features_text(options),
        f"A {unit} has features if at least {percent(options['min_valid'])} of its bins are "
        f"valid; {counted(record['stages']['features']['clips without features'], unit)} had no "
        "features.",
    ]
    short = record["stages"]["features"]["clips too short for the schedule"]
    if short:
        text.append(f"The recordings were too short for {counted(short, unit)} of the schedule.")
    return text


def further_features_text(options: Mapping[str, Any]) -> list[str]:
    """Return a sentence on the features besides the usual ones, and one on their baseline."""
    families = [_FURTHER.get(name, name) for name in options.get("extra") or ()]
    text = [f"Further features are {'; '.join(families)}."] if families else []
    units = list(options.get("action_units") or ())
    if units:
        text.append(f"The events of {listed_words(units)} were also measured for each action unit.")
    baseline = options.get("baseline")
    if baseline is not None:
        clips = "all clips" if baseline == ALL else f"the clips of {baseline}"
        text.append(
            "For each feature, the deviation from the subject's own baseline, which is the "
            f"mean over {clips} of the subject, was added."
        )
    return text
