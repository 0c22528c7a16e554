"""What a study did and did not do, in sentences that a methods section could use.

From the record and the tables of a study; nothing is computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from pyexpr.base.contexts import ALL
from pyexpr.report.frames import in_order
from pyexpr.report.labels import (
    count,
    display_name,
    is_difference,
    names_with,
    number,
    percent,
)
from pyexpr.report.tables import BASELINES, HUMAN
from pyexpr.report.wording import counted, listed_words, were

Record = Mapping[str, Any]
Tables = Mapping[str, pd.DataFrame]

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
_HUMAN = {
    "slot": "raters are the places 1, 2, ... among a clip's raters, since other persons rated "
    "other clips",
    "person": "raters are persons",
}


def methods_paragraphs(record: Record, tables: Tables) -> dict[str, str]:
    """Return the paragraphs of a methods section, by heading."""
    paragraphs = {
        "Subjects and ratings": _data(record, tables),
        "Reliability of the ratings": _reliability(record, tables),
        "Factor scores": _factor_model(record, tables),
        "Features of behaviour": _features(record, tables),
        "Split": _split(record),
        "Models": _models(record, tables),
        "Baselines": _baselines(record),
        "Comparison of models": _comparison(record),
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
    text.append(
        f"{counted(tables['scores']['subject'].nunique(), 'subject')} were recorded in "
        f"{counted(len(contexts), 'context')} "
        f"({listed_words(_in_sentence(one, names) for one in contexts)})."
    )
    text.append(
        f"{counted(first['n_targets'], 'clip')} were rated on "
        f"{counted(len(questions), 'question')} "
        f"({listed_words(display_name(one).lower() for one in questions)}) from "
        f"{number(scale['low'], 0)} to {number(scale['high'], 0)}, "
        f"{count(first['k'])} ratings per clip and question"
        f"{' on average' if first['k'] != round(first['k']) else ''}, "
        f"{count(overall['n_ratings'].sum())} ratings in all."
    )
    lost = {reason: n for reason, n in record["dropped"].items() if n}
    if lost:
        listed = listed_words(
            # "ratings without a score": 1 rating.
            f"{counted(n, what.removesuffix('s'))} {rest}"
            for (what, _, rest), n in ((reason.partition(" "), n) for reason, n in lost.items())
        )
        text.append(f"Left out before any analysis: {listed}.")
    else:
        text.append("No rating and no recording was left out before the analysis.")
    return text


def _in_sentence(label: str, names: Mapping[str, str]) -> str:
    """Return a context's name within a sentence: small where we wrote it large."""
    shown = names[label]
    return shown if shown == label else shown.lower()


def _reliability(record: Record, tables: Tables) -> list[str]:
    table = tables["reliability"]
    level = percent(record["options"]["compare"]["confidence"])
    methods = set(table["method"].dropna().astype(str)) if "method" in table else set()
    exact = "Wald's exact interval for unequal numbers of ratings"
    kind = {"F": "the F distribution", "Wald": exact}
    how = listed_words(sorted(kind.get(method, method) for method in methods))
    text = [
        "Inter-rater reliability was estimated per context and question by the one-way random "
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
    engines = list(dict.fromkeys([stage["engine"], stage["engine over all contexts"]]))
    by = (
        f"lavaan {used['lavaan']} in R {used.get('R', '')}".strip()
        if "lavaan" in used
        else "pyexpr's own C++ engine, without R"
    )
    text = [
        "The clips' mean ratings were summarised by a one-factor model "
        f"({made['model']}; unit latent variance, intercepts free, {made['estimator']}, "
        f"{made['missing']} treatment of missing means), fitted per context and over all "
        f"contexts to {counted(made['n'], 'clip')} with {by} "
        f"({'engines' if len(engines) > 1 else 'engine'} {listed_words(engines)}).",
    ]
    if made["n_dropped"]:
        text.append(
            f"{counted(made['n_dropped'], 'clip')} with a missing mean "
            f"{were(made['n_dropped'])} left out of it."
        )
    kind = (
        "a context's model learns that context's scores, the model over all contexts the pooled "
        "ones"
        if options["labels"] == "context"
        else "all models learn the scores of the pooled factor model"
    )
    text.append(f"The labels are Bartlett factor scores; {kind}.")
    text.append(
        "The factor models behind the scores were fitted to the training subjects alone."
        if options["fit_on"] == "train"
        else "The factor models were fitted to all subjects, those of the test part included."
    )
    if _invariance_tested(tables):
        text.append(
            "Whether contexts share loadings and intercepts (metric and scalar invariance) was "
            "tested by leaving out one subject at a time."
        )
    if stage["clips without a score"]:
        n_bare = stage["clips without a score"]
        text.append(f"{counted(n_bare, 'clip')} {'has' if n_bare == 1 else 'have'} no score.")
    return text


def _invariance_tested(tables: Tables) -> bool:
    return "invariance" in tables and bool(tables["invariance"]["p_value"].notna().any())


def _features(record: Record, tables: Tables) -> list[str]:
    options = record["options"]["features"]
    clips = record["options"]["clips"]
    n_features = tables["weights"]["feature"].nunique()
    cut = (
        f"the schedule {clips['schedule']}"
        if clips["schedule"]
        else f"a schedule of {counted(len(clips['segments']), 'segment')}"
    )
    rate = f"{options['rate']:g}"
    averaged = "averaged" if options["bins"] == "mean" else "decimated"
    text = [
        f"{counted(len(tables['recordings']), 'OpenFace recording')} were cut into clips by {cut}"
        + (f" at {clips['fps']:g} frames per second." if clips["fps"] else "."),
        f"Of each clip {counted(n_features, 'feature')} were computed. Frames that OpenFace did "
        "not mark as successful"
        + (
            f", or of a confidence below {number(options['min_confidence'])},"
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
        text.append(f"{counted(short, 'clip')} of the schedule did not fit into their recordings.")
    return text


_LANDMARKS = {
    "2d": "in the image (px)",
    "3d": "in space (mm)",
    "normalised": "normalised for head pose and face size (interocular distances)",
}
_HEAD = {"pose": "in space (mm)", "params": "that of the shape model in the image (px) and scale"}


def _split(record: Record) -> list[str]:
    stage = record["stages"]["models"]
    shares = [100 * share for share in record["options"]["split"]["proportions"]]
    parts = listed_words(
        f"{counted(stage['subjects'][part], 'subject')} ({counted(stage['clips'][part], 'clip')}) "
        f"for {use}"
        for part, use in (("train", "training"), ("validation", "validation"), ("test", "test"))
    )
    text = [
        f"Subjects were divided at random (seed {record['seed']}; "
        f"{' / '.join(f'{share:g}' for share in shares)} %) into three parts that share no "
        f"subject, one division for all contexts: {parts}."
    ]
    lost = stage["left out"]
    if lost:
        reasons = listed_words(f"{reason} ({count(n)})" for reason, n in lost.items())
        text.append(
            f"{counted(sum(lost.values()), 'clip')} {were(sum(lost.values()))} left out of all "
            f"models alike: {reasons}."
        )
    else:
        text.append("No clip was left out of the models.")
    return text


def _models(record: Record, tables: Tables) -> list[str]:
    options = record["options"]["models"]
    text = []
    net = options.get("elastic_net")
    if net and "elastic_net" in fitted_models(tables):
        text += _elastic_net(net, tables)
    for model in fitted_models(tables):
        if model == "elastic_net":
            continue
        given = options.get(model)
        chosen = (
            ": " + ", ".join(f"{key} = {value}" for key, value in given.items())
            if isinstance(given, Mapping)
            else ""
        )
        text.append(f"{display_name(model)} was fitted too{chosen}.")
    return text


def _elastic_net(net: Mapping[str, Any], tables: Tables) -> list[str]:
    grid = listed_words(f"{value:g}" for value in net["alpha"])
    ratios = sorted(net["l1_ratio"])
    ratio = (
        f"{ratios[0]:g} to {ratios[-1]:g}, {len(ratios)} values"
        if len(ratios) > 3
        else listed_words(f"{value:g}" for value in ratios)
    )
    text = [
        "An elastic net was fitted per context and over all contexts, with features standardised "
        "on the rows it was fitted to and the label on its own scale.",
        f"Its penalty (alpha in {grid}) and its L1 ratio ({ratio}) were those of the lowest "
        "root mean squared error on the validation part"
        + ("; it was then fitted again to both parts." if net["refit"] else "."),
    ]
    if "tuning" in tables:
        names = context_names(tables)
        chosen = "; ".join(
            f"{display_name(row.context, names)}: alpha {row.alpha:g}, L1 ratio {row.l1_ratio:g}"
            for row in tables["tuning"].itertuples()
        )
        text.append(f"Chosen were {chosen}.")
    return text


def _baselines(record: Record) -> list[str]:
    options = record["options"]["baselines"]
    text = []
    if options["uniform"]:
        text.append(
            "The uniform baseline draws from the uniform distribution between −3.5 and 3.5."
        )
    if options["normal"]:
        text.append("The normal baseline draws from the standard normal distribution.")
    human = record["stages"]["models"]["human baseline"]
    if human != "none":
        text.append(
            "The human baseline compares each rater's weighted, standardised ratings with the mean "
            f"of the other raters', and averages over raters ({_HUMAN[human]}). Its "
            "criterion is therefore not that of the models."
        )
    return text


def _comparison(record: Record) -> list[str]:
    options = record["options"]["compare"]
    n_test = record["stages"]["models"]["subjects"]["test"]
    metrics = listed_words(_METRICS.get(one, display_name(one)) for one in options["metrics"])
    first, *others = options["methods"]
    level = percent(options["confidence"])
    text = [
        f"Performance on the test part was measured by {metrics}, per context and over all "
        f"contexts, with {level} {_METHODS.get(first, first)}.",
        f"The {counted(n_test, 'test subject')}, not their clips, are what is resampled or left "
        "out, and a difference of two models is taken on the same subjects.",
    ]
    if others:
        beside = listed_words(_METHODS.get(one, one) for one in others)
        text.append(f"Beside these stand {beside}.")
    if any(method != "jackknife_t" for method in options["methods"]):
        text.append(f"The bootstrap drew {count(options['n_boot'])} times (seed {record['seed']}).")
    return text


def _coefficients(record: Record, tables: Tables) -> list[str]:
    if "coefficients" not in tables:
        return []
    options = record["options"]["coefficients"]
    methods = set(tables["coefficients"]["method"].dropna().astype(str))
    refit = record["options"]["models"]["elastic_net"]["refit"]
    rows = "training and validation parts" if refit else "training part"
    if options["rows"] == "all":
        rows = "whole sample"
    text = [
        f"The weights of the elastic net in the {rows} are described by refits on "
        f"{count(options['n_boot'])} resamples of subjects (seed {record['seed']}), with the "
        "penalty held fixed; they are not tested.",
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
            f"({options['cr']}) and Satterthwaite degrees of freedom, subjects as clusters."
        )
    text.append(
        "Tested slopes are per standard deviation pooled within contexts"
        + (f"; {_ADJUSTED[options['adjust']]}.")
    )
    return text


_ADJUSTED = {
    "none": "p-values are not adjusted for their number",
    "holm": "p-values are adjusted (Holm)",
    "max_t": "p-values of slopes and contrasts are adjusted (max-T), those of omnibus tests by "
    "Holm's method",
}


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
        f"Analyses were made with pyexpr {own} ({others}), seed {record['seed']}. "
        "record.json holds every option and the SHA-256 of "
        f"{counted(len(record['inputs']), 'input file')}."
    ]


def not_done(record: Record, tables: Tables) -> list[str]:
    """Return what a reader might take for granted and was not done, a sentence each."""
    options = record["options"]
    models = fitted_models(tables)
    text = [
        "The fit of the factor models was not tested: three indicators leave no degrees of freedom."
        if tables["reliability"]["question"].nunique() == 3
        else "The fit of the factor models is not judged here.",
        "The p-values of the models' comparison are not adjusted for their number.",
        *(
            ["The p-values of slopes, contrasts and omnibus tests are not adjusted either."]
            if "coefficients" in tables and options["coefficients"]["adjust"] == "none"
            else []
        ),
        "Missing features and scores were not imputed.",
        "Neither the factor model, the features nor the tuning were repeated inside the intervals "
        "of performance: these hold for the fitted models, on new subjects.",
        "One division into training, validation and test part was made; other divisions would "
        "give other numbers.",
    ]
    if options["factor_model"]["fit_on"] == "all":
        text.insert(
            1,
            "The factor models behind the scores were not kept apart from the test subjects"
            + (
                "."
                if "scores_leakage" not in tables
                else f", and what that is worth could not be told: {absent.rstrip('.')}."
                if (absent := record["stages"]["models"]["no training-only scores because"])
                else "; the table of both kinds of scores says what that is worth."
            ),
        )
    if models == ["elastic_net"]:
        text.append("No other model than the elastic net was fitted; no neural network was.")
    if not _invariance_tested(tables):
        text.append(
            "Whether the factor model holds alike in all contexts (measurement invariance) was not "
            "tested."
        )
    absent = [
        display_name(name).lower()
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
