"""What a study did and did not do, in sentences that a methods section could use.

Sentences are based on the record and the tables of a study; nothing is computed.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyexpr.base.interval_methods import INTERVAL_METHODS
from pyexpr.base.messages import has_code
from pyexpr.base.metrics import KINDS
from pyexpr.behavior.features.signals import FEW_BINS
from pyexpr.report.text.data import (
    factor_sentences,
    feature_sentences,
    label_sentences,
    reliability_sentences,
    sample_sentences,
)
from pyexpr.report.text.facts import (
    Record,
    Tables,
    classified,
    context_names,
    contexts_of,
    crossed,
    evaluated_subjects,
    fitted_models,
    unit_of,
)
from pyexpr.report.text.models import baselines_sentences, models_sentences
from pyexpr.report.text.references import YEAR
from pyexpr.report.text.whole_analysis import whole_analysis_method
from pyexpr.words.labels import count, display_name, name_in_sentence, number, percent
from pyexpr.words.reader import readers_reason
from pyexpr.words.wording import counted, listed_words, spelled, were

_METRICS = {
    "nrmse": "normalised root mean squared error (NRMSE: RMSE divided by {width:g}, the range of "
    "the scores)",
    "rmse": "root mean squared error (RMSE)",
    "mae": "mean absolute error (MAE)",
    "correlation": "Pearson correlation",
    "concordance": "concordance correlation",
    "r2": "R² relative to the mean of the evaluated {unit}s",
    "bias": "bias (mean of predicted minus true)",
    "spearman": "Spearman's rank correlation",
    "auc": "area under the receiver operating characteristic curve (AUC)",
    "accuracy": "accuracy (proportion of {unit}s whose class is predicted correctly)",
    "balanced_accuracy": "balanced accuracy (mean over classes of the proportion of their {unit}s "
    "that is predicted correctly)",
    "f1": "F1 (harmonic mean of precision and recall)",
    "f1_macro": "macro F1 (mean over classes of the harmonic mean of precision and recall)",
    "kappa": "Cohen's kappa",
    "brier": "Brier score (mean squared difference between probability and class)",
}


def methods_paragraphs(record: Record, tables: Tables) -> dict[str, str]:
    """Return the paragraphs of a methods section, by heading."""
    contexts, names = contexts_of(tables), context_names(tables)
    paragraphs = {
        "Subjects and ratings": sample_sentences(record, tables),
        "Reliability of the ratings": reliability_sentences(record, tables),
        "Factor scores": factor_sentences(record, tables),
        "Label": label_sentences(record, tables),
        "Features of behaviour": feature_sentences(record, tables),
        **(
            {"Cross-validation": _folds(record, tables)}
            if crossed(record)
            else {"Split": _split(record, tables)}
        ),
        "Models": models_sentences(record, contexts, names, fitted_models(tables), tables),
        "Baselines": baselines_sentences(record),
        "Comparison of models": _comparison(record, tables),
        "Coefficients": _coefficients(record, tables),
        "Software": _software(record),
    }
    return {heading: " ".join(text) for heading, text in paragraphs.items() if text}


def _split(record: Record, tables: Tables) -> list[str]:
    stage = record["stages"]["models"]
    several, unit = len(contexts_of(tables)) > 1, unit_of(record)
    shares = [100 * share for share in record["options"]["split"]["proportions"]]
    parts = listed_words(
        f"{counted(stage['subjects'][part], 'subject')} ({counted(stage['clips'][part], unit)}) "
        f"for {use}"
        for part, use in (("train", "training"), ("validation", "validation"), ("test", "test"))
    )
    text = [
        f"Subjects were divided at random (seed {record['seed']}; "
        f"{listed_words(f'{share:g}%' for share in shares)}) into three parts that share no "
        f"subject{', with one division for all contexts' if several else ''}: {parts}."
    ]
    return [*text, _left_out(record, tables)]


def _left_out(record: Record, tables: Tables) -> str:
    """Return a sentence on the number of clips left out of the models, and the reasons."""
    lost, unit = record["stages"]["models"]["left out"], unit_of(record)
    if not lost:
        return f"No {unit} was excluded from the models."
    reasons = listed_words(f"{reason} ({count(n)})" for reason, n in _alike(lost).items())
    n_lost = sum(lost.values())
    which = "rated and recorded" if "recordings" in tables else "in the tables"
    return (
        f"Of the {unit}s that were {which}, {count(n_lost)} {were(n_lost)} excluded from all "
        f"models: {reasons}."
    )


def _folds(record: Record, tables: Tables) -> list[str]:
    """Return a sentence on how subjects were divided into folds."""
    stage, options, unit = record["stages"]["models"], record["options"], unit_of(record)
    given = options["evaluation"]
    again = f", repeated {spelled(given['repeats'], 'time')}" if given["repeats"] > 1 else ""
    several = len(contexts_of(tables)) > 1
    return [
        "The models were evaluated by cross-validation: "
        f"{counted(stage['subjects']['all'], 'subject')} "
        f"({counted(stage['clips']['all'], unit)}) were divided at random (seed "
        f"{record['seed']}) into "
        f"{spelled(given['folds'], 'fold')}{again}"
        f"{', the same for all contexts and models' if several else ', the same for all models'}, "
        "and the subjects of each fold were predicted by models fitted to the other folds. "
        "Tuning parameters of a model were chosen by cross-validation in "
        f"{spelled(given['inner_folds'], 'fold')} of the subjects to which it was fitted.",
        _left_out(record, tables),
    ]


def _alike(lost: Mapping[str, int]) -> dict[str, int]:
    """Count reasons together that differ only in a number of bins; a table has each of them."""
    found: dict[str, int] = {}
    for reason, n in lost.items():
        alike = has_code(reason, FEW_BINS)
        shown = "fewer valid bins than required" if alike else readers_reason(reason)
        found[shown] = found.get(shown, 0) + n
    return found


def _comparison(record: Record, tables: Tables) -> list[str]:
    options = record["options"]["compare"]
    n_test = evaluated_subjects(record)
    metrics = listed_words(
        _METRICS.get(one, display_name(one)).format(
            width=options["score_range"] or 0, unit=unit_of(record)
        )
        for one in options["metrics"]
    )
    first, *others = options["methods"]
    level = percent(options["confidence"])
    where = ", per context and over all contexts" if len(contexts_of(tables)) > 1 else ""
    performance, who = "Performance on the test part", counted(n_test, "test subject")
    if crossed(record):
        performance, who = "Performance", counted(n_test, "subject")
    text = [
        f"{performance} was measured by {metrics}{where}, with {level} {_intervals(first)}.",
        *_of_classes(record),
        f"The {who}, not their {unit_of(record)}s, are resampled or left out, and a difference "
        "between two models is computed on the same subjects.",
    ]
    if crossed(record) and not classified(record):
        text.append(
            "Correlations, concordance and R² are computed within folds and averaged, because "
            "over folds the predictions of an uninformative model are correlated with the true "
            "scores."
        )
    elif crossed(record) and "auc" in options["metrics"]:
        text.append(
            "AUC is computed within folds and averaged, because over folds the predictions of "
            "an uninformative model are ordered against the true classes."
        )
    if "ceiling" in tables:
        form = options["ceiling"]
        severity = (
            "all differences between the raters"
            if form == "ICC(1,k)"
            else "differences between the raters other than their severity"
        )
        within = " of all folds together" if crossed(record) else ""
        text.append(
            "The highest correlation that the errors of the ratings allow is the square root of "
            f"the reliability of the scores (Spearman, 1904), {form}, computed from the ratings of "
            f"the same {unit_of(record)}s{within}; {severity} of a {unit_of(record)} count as "
            "error."
        )
    if others:
        beside = listed_words(_intervals(one) for one in others)
        text.append(
            f"These intervals are used in the text and the tables; an appendix contains {level} "
            f"{beside} (Davison & Hinkley, 1997)."
        )
    if any(_draws(one) for one in options["methods"]):
        text.append(
            f"The cluster bootstrap (Field & Welsh, 2007) used {count(options['n_boot'])} "
            f"resamples (seed {record['seed']})."
        )
    return [*text, *whole_analysis_method(record, tables)]


def _intervals(method: str) -> str:
    return INTERVAL_METHODS[method].phrase if method in INTERVAL_METHODS else method


def _draws(method: str) -> bool:
    return method not in INTERVAL_METHODS or INTERVAL_METHODS[method].draws


def _of_classes(record: Record) -> list[str]:
    """Return a sentence on the class to which metrics refer, and the class that is predicted."""
    if not classified(record):
        return []
    options, text = record["options"]["compare"], []
    of_one = [one for one in options["metrics"] if KINDS[one].positive]
    positive = record["options"]["label"]["positive"]
    classes = list(record["stages"]["label"]["classes"])
    if positive is None and classes == ["0", "1"]:
        positive = "1"
    if of_one and positive is not None:
        names = listed_words(name_in_sentence(one) for one in of_one)
        rest = " against all others" if len(classes) > 2 else ""
        text.append(
            f"{names[0].upper()}{names[1:]} {'refers' if len(of_one) == 1 else 'refer'} to the "
            f"class {positive}{rest}.")  # fmt: skip
    if any(not KINDS[one].scores for one in options["metrics"]):
        threshold = options["threshold"]
        text.append(
            f"The predicted class of a {unit_of(record)} is the class that the model itself "
            "predicts."
            if threshold is None
            else f"The class {positive} was predicted if its probability was at least "
            f"{number(threshold, of='share')}."
        )
    return text


def _coefficients(record: Record, tables: Tables) -> list[str]:
    if "coefficients" not in tables:
        return []
    options = record["options"]["coefficients"]
    level = percent(record["options"]["compare"]["confidence"])
    methods = set(tables["coefficients"]["method"].dropna().astype(str))
    net = record["options"]["models"]["elastic_net"]
    rows = "training and validation parts" if net and net["refit"] else "training part"
    if options["rows"] == "all":
        rows = "whole sample"
    pooled = " pooled within contexts" if len(contexts_of(tables)) > 1 else ""
    text = [
        f"The weights of the elastic net in the {rows} are described by {level} percentile "
        f"intervals over refits on {count(options['n_boot'])} resamples of subjects (seed "
        f"{record['seed']}), with a fixed penalty; the weights are not tested.",
    ]
    if crossed(record) or "weights" not in tables:
        text.append(
            "The penalty is the one with the lowest error in cross-validation over subjects."
        )
    elif options["rows"] == "all":
        text.append(
            "They belong to models fitted again to the whole sample. The weights of the models "
            "that predict, which were fitted without the test part, are in the table of "
            "standardised weights."
        )
    if "desparsified" in methods:
        text.append(
            "The tests refer to desparsified coefficients (van de Geer et al., 2014), with "
            "standard errors from leaving out each subject in turn."
        )
    if methods - {"desparsified"}:
        text.append(
            "The tests refer to least-squares slopes with cluster-robust standard errors "
            f"({options['cr']}; Pustejovsky & Tipton, 2018) and Satterthwaite degrees of "
            "freedom, with subjects as clusters."
        )
    if pooled:
        text.append(
            "Slopes over all contexts are slopes within contexts: each context has its own "
            "intercept."
            if options["intercepts"] == "context"
            else "Slopes over all contexts have one common intercept, so they include "
            "differences between the means of contexts."
        )
    text.append(
        f"Tested slopes are per standard deviation{pooled}; "
        f"{_adjusted(options['adjust'], several=bool(pooled))}."
    )
    return [*text, *_pooling(record, tables)]


def _pooling(record: Record, tables: Tables) -> list[str]:
    """Return sentences on the multilevel model of slopes, if there is one."""
    if "pooled_slopes" not in tables:
        return []
    differ = {
        "intercepts": "intercepts",
        "slopes": "intercepts and slopes",
        "contexts": "intercepts and slopes, also in single contexts",
    }
    effects = record["options"]["coefficients"]["subject_effects"]
    return [
        "Beside the tested slopes, slopes were pooled in part over contexts by a multilevel model "
        "(Gelman & Hill, 2007), fitted by REML to the same rows. In this model, the slopes of a "
        "feature are normally distributed over contexts, and subjects differ in "
        f"{differ[effects]}.",
        "Each pooled slope is shrunken towards the mean slope over contexts. It is shown beside "
        "the separate slope of the context alone, which is estimated with the weights of the "
        "multilevel model and therefore differs from the tested slope.",
        "The intervals of pooled slopes (Iyer et al., 2004) are cluster-robust. They account for "
        "the bias of pooling and for the uncertainty of the variance between contexts, and hold on "
        "average over contexts. They are not adjusted for multiple testing, and no test refers to "
        "pooled slopes.",
    ]


def _adjusted(how: str, *, several: bool) -> str:
    if how == "none":
        return "p values are not adjusted for multiple testing"
    if how == "holm":
        families = (
            "; slopes within each context, all contrasts, and all omnibus tests are separate "
            "families"
        )
        return (
            "p values are adjusted by Holm's method (Holm, 1979), and confidence intervals by "
            "Bonferroni's"
            f"{families if several else ''}"
        )
    families = (
        "; slopes within each context and all contrasts are separate families, and p values of "
        "omnibus tests are adjusted by Holm's method"
    )
    return (
        "p values and confidence intervals are adjusted by the distribution of the largest "
        f"statistic (max-T){families if several else ''}"
    )


def _software(record: Record) -> list[str]:
    used = dict(record["versions"])
    factor = record["stages"].get("factor_model")
    if factor is not None:
        used |= {
            name: version
            for name, version in factor["provenance"]["versions"].items()
            if name in {"R", "lavaan"}
        }
    own = used.pop("pyexpr-stats")
    others = listed_words(f"{name} {version}" for name, version in used.items())
    return [
        f"The analyses followed Lin et al. (2020) and were computed with pyexpr {own} (The "
        f"pyexpr authors, {YEAR}; {others}), seed {record['seed']}. The record beside this "
        "report contains every option and the SHA-256 hash of "
        f"{counted(len(record['inputs']), 'input file')}."
    ]
