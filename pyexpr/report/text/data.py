"""The data of a study in sentences that a methods section could use: from subjects to features."""

from __future__ import annotations

from pyexpr.base.contexts import ALL
from pyexpr.base.messages import says
from pyexpr.report.text.facts import (
    Record,
    Tables,
    context_names,
    contexts_of,
    invariance_tested,
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
_HEAD = {"pose": "in space (mm)", "params": "that of the shape model in the image (px) and scale"}


def sample_sentences(record: Record, tables: Tables) -> list[str]:
    """Return who was recorded, what was rated, and what was left out before any analysis."""
    overall = tables["reliability"][tables["reliability"]["context"] == ALL]
    questions = [str(question) for question in overall["question"]]
    contexts, names = contexts_of(tables), context_names(tables)
    scale = record["options"]["ratings"]
    first = overall.iloc[0]
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
    text.append(
        f"The sample was {counted(total, 'subject')} recorded in "
        f"{spelled(len(contexts), 'context')} ({listed})."
    )
    text.append(
        f"On {spelled(len(questions), 'question')} "
        f"({listed_words(map(label_in_sentence, questions))}), "
        f"{counted(first['n_targets'], 'clip')} {were(first['n_targets'])} rated from "
        f"{scale['low']:g} to {scale['high']:g}: "
        f"{counted(first['k'], 'rating')} per clip and question"
        f"{' on average' if first['k'] != round(first['k']) else ''}, "
        f"{count(overall['n_ratings'].sum())} ratings in all."
    )
    lost = {name: n for name, n in record["dropped"].items() if n}
    if lost:
        clips = _clips_without_a_recording(tables)
        listed = listed_words(
            " ".join((counted(n, DROPPED[name][0]), DROPPED[name][1]))
            + (f" (of {counted(clips, 'clip')})" if name == RATINGS_UNRECORDED and clips else "")
            for name, n in lost.items()
        )
        text.append(f"Left out before any analysis, and not among these numbers: {listed}.")
    else:
        text.append("No rating and no recording was left out before the analysis.")
    return text


def _clips_without_a_recording(tables: Tables) -> int:
    if "left_out" not in tables:
        return 0
    table = tables["left_out"]
    return sum(says(reason, NO_RECORDING) for reason in table["reason"])


def reliability_sentences(record: Record, tables: Tables) -> list[str]:
    """Return how the reliability of the ratings was estimated."""
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
            "A second interval respects that clips of one subject are alike: it rests on leaving "
            "out one subject at a time."
        )
    return text


def factor_sentences(record: Record, tables: Tables) -> list[str]:
    """Return how ratings became factor scores, of which subjects."""
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
        "The clips' mean ratings were summarised by a one-factor model "
        f"({label_in_sentence(factor)}, measured by {measured}; latent variance fixed to 1, "
        f"intercepts free, {estimator}, {made['missing']} treatment of missing means), {fitted} "
        f"to {counted(made['n'], 'clip')} with {by}.",
    ]
    if made["n_dropped"]:
        text.append(
            f"Left out of it {were(made['n_dropped'])} "
            f"{counted(made['n_dropped'], 'clip')} with a missing mean."
        )
    kind = (
        "a context's model learns that context's scores, the model over all contexts the pooled "
        "ones"
        if options["labels"] == "context"
        else "all models learn the scores of the pooled factor model"
    )
    text.append(f"The labels are Bartlett factor scores{f'; {kind}' if several else ''}.")
    text.append(
        f"{models} behind the scores {verb} fitted to the training subjects alone."
        if options["fit_on"] == "train"
        else f"{models} {verb} fitted to all subjects, those of the test part included."
    )
    if invariance_tested(tables):
        text.append(
            "Whether contexts share loadings and intercepts (metric and scalar invariance) was "
            "tested by leaving out one subject at a time."
        )
    if stage["clips without a score"]:
        n_bare = stage["clips without a score"]
        text.append(f"There is no score for {counted(n_bare, 'clip')}.")
    return text


def feature_sentences(record: Record, tables: Tables) -> list[str]:
    """Return how recordings became features of clips."""
    options = record["options"]["features"]
    clips = record["options"]["clips"]
    n_recorded = len(tables["recordings"])
    n_features = tables["weights"]["feature"].nunique()
    cut = (
        f"the schedule of {_SCHEDULES[clips['schedule']]}"
        if clips["schedule"]
        else f"a schedule of {spelled(len(clips['segments']), 'segment')}"
    )
    rate = f"{options['rate']:g}"
    averaged = "averaged" if options["bins"] == "mean" else "decimated"
    text = [
        f"By {cut}, {counted(n_recorded, 'recording')} processed with OpenFace "
        f"(Baltrušaitis et al., 2018) {were(n_recorded)} cut into clips"
        + (f" at {clips['fps']:g} frames per second." if clips["fps"] else "."),
        f"For each clip, {counted(n_features, 'feature')} {were(n_features)} computed. Frames "
        "that OpenFace did not mark as successful"
        + (
            f", or of a confidence below {number(options['min_confidence'], of='share')},"
            if options["min_confidence"]
            else ""
        )
        + f" were left out; frames were {averaged} in bins at {rate} Hz, and gaps were never "
        "bridged.",
        "Displacement is the mean distance moved from bin to bin, velocity "
        f"{_VELOCITY.get(options['velocity'], options['velocity'])}"
        + (
            "; both from smoothed derivatives (Savitzky-Golay)."
            if options["derivatives"] == "savgol"
            else "."
        ),
        f"Landmarks are {_LANDMARKS.get(options['landmarks'], options['landmarks'])}; the head's "
        f"position is {_HEAD.get(options['head'], options['head'])}.",
        f"A clip has features if at least {percent(options['min_valid'])} of its bins are valid: "
        f"{counted(record['stages']['features']['clips without features'], 'clip')} had none.",
    ]
    short = record["stages"]["features"]["clips too short for the schedule"]
    if short:
        text.append(f"Of the schedule, {counted(short, 'clip')} did not fit into the recordings.")
    return text
