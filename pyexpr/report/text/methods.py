"""What a study did and did not do, in sentences that a methods section could use.

From the record and the tables of a study; nothing is computed.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyexpr.base.interval_methods import INTERVAL_METHODS
from pyexpr.base.messages import says
from pyexpr.base.metrics import KINDS
from pyexpr.behavior.features.one_clip import FEW_BINS
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
    fitted_models,
    judged_subjects,
    unit_of,
)
from pyexpr.report.text.models import baselines_sentences, models_sentences
from pyexpr.report.text.references import YEAR
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
    "r2": "R² about the mean of the evaluated {unit}s",
    "bias": "bias (mean of predicted minus true)",
    "spearman": "Spearman's rank correlation",
    "auc": "area under the receiver operating characteristic curve (AUC)",
    "accuracy": "accuracy (share of {unit}s whose class is predicted)",
    "balanced_accuracy": "balanced accuracy (mean over classes of the share of their {unit}s that "
    "is found)",
    "f1": "F1 (harmonic mean of precision and recall)",
    "f1_macro": "macro F1 (mean over classes of the harmonic mean of precision and recall)",
    "kappa": "Cohen's kappa",
    "brier": "Brier score (mean squared difference of probability and class)",
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
        f"subject{', one division for all contexts' if several else ''}: {parts}."
    ]
    return [*text, _left_out(record, tables)]


def _left_out(record: Record, tables: Tables) -> str:
    """Return how many clips were left out of the models, and why."""
    lost, unit = record["stages"]["models"]["left out"], unit_of(record)
    if not lost:
        return f"No {unit} was left out of the models."
    reasons = listed_words(f"{reason} ({count(n)})" for reason, n in _alike(lost).items())
    n_lost = sum(lost.values())
    which = "rated and recorded" if "recordings" in tables else "in the tables"
    return (
        f"Of the {unit}s that were {which}, {count(n_lost)} {were(n_lost)} left out of all models "
        f"alike: {reasons}."
    )


def _folds(record: Record, tables: Tables) -> list[str]:
    """Return how subjects were divided into folds."""
    stage, options, unit = record["stages"]["models"], record["options"], unit_of(record)
    given = options["evaluation"]
    again = f", {spelled(given['repeats'], 'time')} anew" if given["repeats"] > 1 else ""
    several = len(contexts_of(tables)) > 1
    return [
        f"The models were judged by cross-validation: "
        f"{counted(stage['subjects']['all'], 'subject')} "
        f"({counted(stage['clips']['all'], unit)}) were divided at random "
        f"(seed {record['seed']}) into {spelled(given['folds'], 'fold')}{again}"
        f"{', the same for all contexts and models' if several else ', the same for all models'}, "
        "and the subjects of each fold were predicted by models of the others. What is chosen "
        f"of a model was chosen by {spelled(given['inner_folds'], 'fold')} of the subjects that it "
        "was fitted to.",
        _left_out(record, tables),
    ]


def _alike(lost: Mapping[str, int]) -> dict[str, int]:
    """Count reasons that differ in a number of bins alone together; a table has them one by one."""
    found: dict[str, int] = {}
    for reason, n in lost.items():
        alike = says(reason, FEW_BINS)
        shown = "fewer valid bins than needed" if alike else readers_reason(reason)
        found[shown] = found.get(shown, 0) + n
    return found


def _comparison(record: Record, tables: Tables) -> list[str]:
    options = record["options"]["compare"]
    n_test = judged_subjects(record)
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
        f"The {who}, not their {unit_of(record)}s, are what is resampled or left "
        "out, and a difference of two models is taken on the same subjects.",
    ]
    if crossed(record) and not classified(record):
        text.append(
            "Correlations, concordance and R² are those within folds, averaged, since over folds "
            "models that know nothing are correlated with the truth."
        )
    elif crossed(record) and "auc" in options["metrics"]:
        text.append(
            "AUC is that within folds, averaged, since over folds models that know nothing rank "
            "against the truth."
        )
    if others:
        beside = listed_words(_intervals(one) for one in others)
        text.append(
            f"Sentences and tables rest on these; an appendix has {level} {beside} (Davison & "
            "Hinkley, 1997)."
        )
    if any(_draws(one) for one in options["methods"]):
        text.append(
            f"The cluster bootstrap (Field & Welsh, 2007) drew {count(options['n_boot'])} times "
            f"(seed {record['seed']})."
        )
    return text


def _intervals(method: str) -> str:
    return INTERVAL_METHODS[method].phrase if method in INTERVAL_METHODS else method


def _draws(method: str) -> bool:
    return method not in INTERVAL_METHODS or INTERVAL_METHODS[method].draws


def _of_classes(record: Record) -> list[str]:
    """Return which class metrics are of, and which class is predicted."""
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
        text.append(f"{names[0].upper()}{names[1:]} {'is' if len(of_one) == 1 else 'are'} of the "
                    f"class {positive}{rest}.")  # fmt: skip
    if any(not KINDS[one].scores for one in options["metrics"]):
        threshold = options["threshold"]
        text.append(
            f"The class of a {unit_of(record)} is the one that the model itself predicts."
            if threshold is None
            else f"The class {positive} was predicted from a probability of "
            f"{number(threshold, of='share')} on."
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
        f"The weights of the elastic net in the {rows} are described by refits on "
        f"{count(options['n_boot'])} resamples of subjects (seed {record['seed']}), with the "
        f"penalty held fixed, and their {level} percentile intervals; they are not tested.",
    ]
    if crossed(record) or "weights" not in tables:
        text.append("The penalty is the one of the lowest error in folds of subjects.")
    elif options["rows"] == "all":
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
    if pooled:
        text.append(
            "Slopes over all contexts are those within contexts, each of which has an intercept of "
            "its own."
            if options["intercepts"] == "context"
            else "Slopes over all contexts have one intercept, so that differences between the "
            "means of contexts are part of them."
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
            "p values are adjusted by Holm's method (Holm, 1979), and confidence intervals by "
            "Bonferroni's"
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
        "Analyses followed Lin et al. (2020) and were made with pyexpr "
        f"{own} (The pyexpr authors, {YEAR}; {others}), seed {record['seed']}. The record beside "
        f"this report holds every option and the SHA-256 of "
        f"{counted(len(record['inputs']), 'input file')}."
    ]
