"""What a study did and did not do, in sentences that a methods section could use.

From the record and the tables of a study; nothing is computed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from pyexpr.base.contexts import ALL
from pyexpr.report.frames import in_order
from pyexpr.report.labels import (
    count,
    display_name,
    is_difference,
    name_in_sentence,
    names_with,
    number,
    percent,
)
from pyexpr.report.models_text import baselines_sentences, models_sentences
from pyexpr.report.notes_text import readers_reason
from pyexpr.report.tables import BASELINES, HUMAN
from pyexpr.report.wording import NO_RECORDING, counted, listed_words, spelled, were

Record = Mapping[str, Any]
Tables = Mapping[str, pd.DataFrame]

_BINS = re.compile(r"\d+ of \d+ bins valid, \d+ needed")
_ESTIMATORS = {"ML": "maximum likelihood", "MLR": "robust maximum likelihood"}
_METHODS = {
    "jackknife_t": "jackknife-t intervals, which leave out one subject at a time",
    "percentile": "percentile intervals of the cluster bootstrap",
    "basic": "basic intervals of the cluster bootstrap",
    "normal": "normal intervals with the standard error of the cluster bootstrap",
    "bca": "bias-corrected and accelerated intervals of the cluster bootstrap, the acceleration "
    "from leaving out one subject at a time",
    "studentized": "symmetric studentized intervals of the cluster bootstrap",
    "studentized_et": "equal-tailed studentized intervals of the cluster bootstrap",
}
_METRICS = {
    "nrmse": "normalised root mean squared error (NRMSE: RMSE divided by 7, the range of the "
    "scores)",
    "rmse": "root mean squared error (RMSE)",
    "mae": "mean absolute error (MAE)",
    "correlation": "Pearson correlation",
    "concordance": "concordance correlation",
    "r2": "R² about the mean of the evaluated clips",
    "bias": "bias (mean of predicted minus true)",
}
_VELOCITY = {
    "abs_derivative": "the mean absolute change of displacement from step to step, per second",
    "derivative": "the mean signed change of displacement from step to step, per second",
}


def methods_paragraphs(record: Record, tables: Tables) -> dict[str, str]:
    """Return the paragraphs of a methods section, by heading."""
    contexts, names = contexts_of(tables), context_names(tables)
    paragraphs = {
        "Subjects and ratings": _data(record, tables),
        "Reliability of the ratings": _reliability(record, tables),
        "Factor scores": _factor_model(record, tables),
        "Features of behaviour": _features(record, tables),
        "Split": _split(record, tables),
        "Models": models_sentences(record, contexts, names, fitted_models(tables), tables),
        "Baselines": baselines_sentences(record),
        "Comparison of models": _comparison(record, tables),
        "Coefficients": _coefficients(record, tables),
        "Software": _software(record),
    }
    return {heading: " ".join(text) for heading, text in paragraphs.items() if text}


def contexts_of(tables: Tables) -> list[str]:
    """Return the contexts of a study in their order, without "all"."""
    return [label for label in in_order(tables["reliability"]["context"]) if label != ALL]


def context_names(tables: Tables) -> dict[str, str]:
    """Return the contexts' names as tables and figures show them, by their labels."""
    return names_with(tables["reliability"]["context"].unique())


def fitted_models(tables: Tables) -> list[str]:
    """Return the models that learn, without baselines and raters."""
    terms = tables["comparison"]["term"].astype(str).unique()
    return [term for term in terms if not is_difference(term) and term not in (*BASELINES, *HUMAN)]


def _data(record: Record, tables: Tables) -> list[str]:
    overall = tables["reliability"][tables["reliability"]["context"] == ALL]
    questions = [str(question) for question in overall["question"]]
    contexts, names = contexts_of(tables), context_names(tables)
    scale = record["options"]["ratings"]
    first = overall.iloc[0]
    text = ["The data are simulated."] if record["simulated"] else []
    total = tables["scores"]["subject"].nunique()
    here = tables["scores"].groupby("context")["subject"].nunique()
    listed = (
        listed_words(name_in_sentence(one, names) for one in contexts)
        if all(here.get(one, 0) == total for one in contexts)
        else "; ".join(
            f"{name_in_sentence(one, names)}: {counted(here.get(one, 0), 'subject')}"
            for one in contexts
        )
    )
    text.append(
        f"The sample was {counted(total, 'subject')} recorded in "
        f"{spelled(len(contexts), 'context')} ({listed})."
    )
    text.append(
        f"On {spelled(len(questions), 'question')} "
        f"({listed_words(map(name_in_sentence, questions))}), "
        f"{counted(first['n_targets'], 'clip')} {were(first['n_targets'])} rated from "
        f"{scale['low']:g} to {scale['high']:g}: "
        f"{counted(first['k'], 'rating')} per clip and question"
        f"{' on average' if first['k'] != round(first['k']) else ''}, "
        f"{count(overall['n_ratings'].sum())} ratings in all."
    )
    lost = {reason: n for reason, n in record["dropped"].items() if n}
    if lost:
        clips = _clips_without_a_recording(tables)
        listed = listed_words(
            # "ratings without a score": 1 rating.
            f"{counted(n, what.removesuffix('s'))} {rest}"
            + (f" (of {counted(clips, 'clip')})" if rest == "without a recording" and clips else "")
            for (what, _, rest), n in ((reason.partition(" "), n) for reason, n in lost.items())
        )
        text.append(f"Left out before any analysis, and not among these numbers: {listed}.")
    else:
        text.append("No rating and no recording was left out before the analysis.")
    return text


def _clips_without_a_recording(tables: Tables) -> int:
    if "left_out" not in tables:
        return 0
    table = tables["left_out"]
    return int((table["reason"] == NO_RECORDING).sum())


def _reliability(record: Record, tables: Tables) -> list[str]:
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


def _factor_model(record: Record, tables: Tables) -> list[str]:
    stage = record["stages"]["factor_model"]
    options = record["options"]["factor_model"]
    made = stage["provenance"]
    used = made["versions"]
    several = len(contexts_of(tables)) > 1
    models, verb = ("The factor models", "were") if several else ("The factor model", "was")
    factor, _, indicators = made["model"].partition(" =~ ")
    measured = listed_words(map(name_in_sentence, indicators.split(" + ")))
    estimator = _ESTIMATORS.get(made["estimator"], made["estimator"])
    fitted = "fitted per context and over all contexts" if several else "fitted"
    by = (
        f"lavaan {used['lavaan']} (Rosseel, 2012) in R {used.get('R', '')}".strip()
        if "lavaan" in used
        else "pyexpr's own C++ engine, without R"
    )
    text = [
        "The clips' mean ratings were summarised by a one-factor model "
        f"({name_in_sentence(factor)}, measured by {measured}; latent variance fixed to 1, "
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


def invariance_tested(tables: Tables) -> bool:
    """Whether a test of invariance over contexts could be computed."""
    return "invariance" in tables and bool(tables["invariance"]["p_value"].notna().any())


def _features(record: Record, tables: Tables) -> list[str]:
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
        f"For each clip, {counted(n_features, 'feature')} were computed. Frames that OpenFace did "
        "not mark as successful"
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


_SCHEDULES = {"bp4d_plus": "the BP4D+ data set"}
_LANDMARKS = {
    "2d": "in the image (px)",
    "3d": "in space (mm)",
    "normalised": "normalised for head pose and face size (interocular distances)",
}
_HEAD = {"pose": "in space (mm)", "params": "that of the shape model in the image (px) and scale"}


def _split(record: Record, tables: Tables) -> list[str]:
    stage = record["stages"]["models"]
    several = len(contexts_of(tables)) > 1
    shares = [100 * share for share in record["options"]["split"]["proportions"]]
    parts = listed_words(
        f"{counted(stage['subjects'][part], 'subject')} ({counted(stage['clips'][part], 'clip')}) "
        f"for {use}"
        for part, use in (("train", "training"), ("validation", "validation"), ("test", "test"))
    )
    text = [
        f"Subjects were divided at random (seed {record['seed']}; "
        f"{listed_words(f'{share:g}%' for share in shares)}) into three parts that share no "
        f"subject{', one division for all contexts' if several else ''}: {parts}."
    ]
    lost = stage["left out"]
    if lost:
        reasons = listed_words(f"{reason} ({count(n)})" for reason, n in _alike(lost).items())
        n_lost = sum(lost.values())
        text.append(
            f"Of the clips that were rated and recorded, {count(n_lost)} {were(n_lost)} left out "
            f"of all models alike: {reasons}."
        )
    else:
        text.append("No clip was left out of the models.")
    return text


def _alike(lost: Mapping[str, int]) -> dict[str, int]:
    """Count reasons that differ in a number of bins alone together; a table has them one by one."""
    found: dict[str, int] = {}
    for reason, n in lost.items():
        alike = _BINS.fullmatch(reason)
        shown = "fewer valid bins than needed" if alike else readers_reason(reason)
        found[shown] = found.get(shown, 0) + n
    return found


def _comparison(record: Record, tables: Tables) -> list[str]:
    options = record["options"]["compare"]
    n_test = record["stages"]["models"]["subjects"]["test"]
    metrics = listed_words(_METRICS.get(one, display_name(one)) for one in options["metrics"])
    first, *others = options["methods"]
    level = percent(options["confidence"])
    where = ", per context and over all contexts" if len(contexts_of(tables)) > 1 else ""
    text = [
        f"Performance on the test part was measured by {metrics}{where}, with {level} "
        f"{_METHODS.get(first, first)}.",
        f"The {counted(n_test, 'test subject')}, not their clips, are what is resampled or left "
        "out, and a difference of two models is taken on the same subjects.",
    ]
    if others:
        beside = listed_words(_METHODS.get(one, one) for one in others)
        text.append(f"Beside these stand {level} {beside}.")
    if any(method != "jackknife_t" for method in options["methods"]):
        text.append(f"The bootstrap drew {count(options['n_boot'])} times (seed {record['seed']}).")
    return text


def _coefficients(record: Record, tables: Tables) -> list[str]:
    if "coefficients" not in tables:
        return []
    options = record["options"]["coefficients"]
    level = percent(record["options"]["compare"]["confidence"])
    methods = set(tables["coefficients"]["method"].dropna().astype(str))
    refit = record["options"]["models"]["elastic_net"]["refit"]
    rows = "training and validation parts" if refit else "training part"
    if options["rows"] == "all":
        rows = "whole sample"
    pooled = " pooled within contexts" if len(contexts_of(tables)) > 1 else ""
    text = [
        f"The weights of the elastic net in the {rows} are described by refits on "
        f"{count(options['n_boot'])} resamples of subjects (seed {record['seed']}), with the "
        f"penalty held fixed, and their {level} percentile intervals; they are not tested.",
    ]
    if options["rows"] == "all":
        text.append(
            "They are those of models fitted anew to the whole sample, beside those that predict, "
            "which never saw the test part and stand in the table of standardised weights."
        )
    if "desparsified" in methods:
        text.append(
            "Tests are of desparsified coefficients (van de Geer et al., 2014), with standard "
            "errors from leaving out each subject in turn."
        )
    if methods - {"desparsified"}:
        text.append(
            "Tests are of least-squares slopes with cluster-robust standard errors "
            f"({options['cr']}; Pustejovsky & Tipton, 2018) and Satterthwaite degrees of freedom, "
            "subjects as clusters."
        )
    text.append(
        f"Tested slopes are per standard deviation{pooled}; "
        f"{_adjusted(options['adjust'], several=bool(pooled))}."
    )
    return text


def _adjusted(how: str, *, several: bool) -> str:
    if how == "none":
        return "p values are not adjusted for their number"
    if how == "holm":
        families = ", slopes within each context, contrasts and omnibus tests each together"
        return (
            "p values are adjusted by Holm's method, and confidence intervals by Bonferroni's"
            f"{families if several else ''}"
        )
    families = (
        ", slopes within each context, contrasts all together; p values of omnibus tests are "
        "adjusted by Holm's method"
    )
    return (
        "p values and confidence intervals are adjusted by the largest statistic (max-T)"
        f"{families if several else ''}"
    )


def _software(record: Record) -> list[str]:
    used = dict(record["versions"])
    used |= {
        name: version
        for name, version in record["stages"]["factor_model"]["provenance"]["versions"].items()
        if name in {"R", "lavaan"}
    }
    own = used.pop("pyexpr-stats")
    others = listed_words(f"{name} {version}" for name, version in used.items())
    return [
        "Analyses followed Lin et al. (2020) and were made with pyexpr "
        f"{own} (The pyexpr authors, n.d.; {others}), seed {record['seed']}. The record beside "
        f"this report holds every option and the SHA-256 of "
        f"{counted(len(record['inputs']), 'input file')}."
    ]
