"""The models and baselines of a study, in sentences that a methods section could use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyexpr.report.text.facts import Record, Tables, classified, crossed, unit_of
from pyexpr.words.labels import (
    count,
    display_name,
    label_name,
)
from pyexpr.words.wording import counted, listed_words, spelled

_HUMAN = {
    "slot": "raters are identified by their position 1, 2, ... among the raters of a {unit}, so a "
    "position may stand for different persons",
    "person": "raters are persons",
}
# The input of an LSTM from each frame.
_COLUMNS = {
    "points": "the landmarks of face and eyes in two and three dimensions",
    "points_2d": "the facial landmarks in two dimensions",
    "points_3d": "the facial landmarks in three dimensions",
    "eyes": "the landmarks of the eyes in two and three dimensions",
    "gaze": "the direction of gaze",
    "gaze_vector": "the direction of gaze as a vector",
    "gaze_angle": "the direction of gaze as angles",
    "pose": "the head's position and rotation",
    "pose_translation": "the head's position",
    "pose_rotation": "the head's rotation",
    "aus": "the presence and intensity of action units",
    "au_presence": "the presence of action units",
    "au_intensity": "the intensity of action units",
    "parameters": "the parameters of the shape model",
    "params": "the rigid parameters of the shape model",
    "shape": "the shape parameters of the shape model",
    "landmarks_2d": "the facial landmarks in two dimensions",
    "landmarks_3d": "the facial landmarks in three dimensions",
    "eye_landmarks_2d": "the landmarks of the eyes in two dimensions",
    "eye_landmarks_3d": "the landmarks of the eyes in three dimensions",
    "au_score": "the scores of action units",
    "blendshapes": "the blendshapes",
    "emotions": "the scores of emotions",
    "expressions": "the presence, intensity and scores of action units, the blendshapes and the "
    "scores of emotions, as far as the tracker has them",
    "all": "all columns of the tracker",
}
_TUNED = {"lr": "learning rate", "num_layers": "layers", "hidden_size": "hidden units"}
_STAGES = {
    "layer1": "first residual stage", "layer2": "second residual stage",
    "layer3": "third residual stage", "layer4": "fourth residual stage", "fc": "last layer",
}  # fmt: skip
_PRECISION = {
    "16-mixed": "in mixed precision of 16 bits",
    "bf16-mixed": "in mixed precision (bfloat16)",
}


def models_sentences(
    record: Record,
    contexts: Sequence[str],
    names: Mapping[str, str],
    fitted: Sequence[str],
    tables: Tables,
) -> list[str]:
    """Return sentences on the models and their fits: elastic net, other regressors, deep models."""
    options = record["options"]["models"]
    several = len(contexts) > 1
    text = []
    if options.get("elastic_net"):
        text += _elastic_net(record, contexts, names, tables)
    for name, given in options.items():
        if isinstance(given, Mapping) and "estimator" in given:
            text.append(_estimator(name, given))
    if several and options["context_as"]:
        text.append(_ways(options["context_as"]))
    for model in fitted:
        given = options.get(model)
        if model not in ("lstm", "video3d") or not isinstance(given, Mapping):
            continue
        describe = {"lstm": _lstm, "video3d": _video3d}[model]
        shown = display_name(model)
        text += describe(shown, given)
        text += _training(shown, given, record["seed"], several=several)
        text += _chosen(record["stages"].get(model, {}), contexts, names)
    return text


_WAYS = {
    "separate": "one model per context",
    "pooled": "one model over all contexts that does not know the context",
    "feature": "one model over all contexts with the context among its features",
}


def _ways(context_as: Sequence[str]) -> str:
    """Return how contexts enter the models."""
    return f"Each was fitted as {listed_words(_WAYS[way] for way in context_as)}."


def _estimator(name: str, given: Mapping[str, Any]) -> str:
    """Return which regressor a model is, with its options."""
    kind = str(given["estimator"]).rpartition(".")[2]
    package = str(given["estimator"]).partition(".")[0]
    parts = [f"{key} = {value}" for key, value in given["params"].items()]
    parts += [
        f"{key} chosen among {listed_words(map(str, values), last='and')}"
        for key, values in given["grid"].items()
    ]
    if given["scale"]:
        parts.append("features standardised on the rows to which it was fitted")
    package = {"sklearn": "scikit-learn"}.get(package, package)
    source = "; see Pedregosa et al. (2011)" if package == "scikit-learn" else ""
    shown = f" ({listed_words(parts)})" if parts else ""
    return f"{display_name(name)} is {package}'s {kind}{shown}{source}."


def _elastic_net(
    record: Record, contexts: Sequence[str], names: Mapping[str, str], tables: Tables
) -> list[str]:
    net, several = record["options"]["models"]["elastic_net"], len(contexts) > 1
    tuned_on = (
        f"in {spelled(record['options']['evaluation']['inner_folds'], 'fold')} of the subjects "
        "to which it was fitted"
        if crossed(record)
        else "on the validation part"
    )
    grid = listed_words((f"{value:.3g}" for value in net["alpha"]), last="or")
    ratios = sorted(net["l1_ratio"])
    ratio = (
        f"{ratios[0]:g} to {ratios[-1]:g}, {len(ratios)} values"
        if len(ratios) > 3
        else listed_words((f"{value:g}" for value in ratios), last="or")
    )
    # If the study states how contexts enter, a separate sentence says so.
    named = record["options"]["models"]["context_as"]
    where = " per context and over all contexts" if several and not named else ""
    kind, scale, error = "elastic net", " and the label on its own scale", "root mean squared error"
    if classified(record):
        kind, scale, error = "logistic regression with the elastic net's penalty", "", "log loss"
    text = [
        f"{'A' if classified(record) else 'An'} {kind} (Zou & Hastie, 2005) was fitted{where}, "
        f"with features standardised on the rows to which it was fitted{scale}.",
        f"Its penalty (α: {grid}) and its L1 ratio ({ratio}) were the values with the lowest "
        f"{error} {tuned_on}"
        + ("; it was then fitted again to both parts." if net["refit"] else "."),
    ]
    if "tuning" in tables and not crossed(record):
        rows = [row for row in tables["tuning"].itertuples() if several or row.context in contexts]
        chosen = "; ".join(
            (f"{label_name(row.context, names)}: " if several else "")
            + f"α = {row.alpha:g}, L1 ratio = {row.l1_ratio:g}"
            for row in rows
        )
        text.append(f"The chosen values were{':' if several else ''} {chosen}.")
    return text


def _lstm(shown: str, given: Mapping[str, Any]) -> list[str]:
    read = listed_words(_COLUMNS[one] for one in given["columns"])
    dropped = (
        f"dropout of {given['dropout']:g} between layers" if given["dropout"] else "no dropout"
    )
    size = (
        "The numbers of layers and of hidden units, and the learning rate, were the values "
        "with the lowest error on the validation part"
        if given["tune"] == "paper"
        else f"It had {spelled(given['num_layers'], 'layer')} of {count(given['hidden_size'])} "
        "hidden units"
    )
    return [
        f"The {shown}, a long short-term memory network (Hochreiter & Schmidhuber, 1997), "
        f"received {read} at {given['rate']:g} frames per second, each standardised over the "
        "clip.",
        f"{size}, and {dropped}." if given["tune"] != "paper" else f"{size}; it had {dropped}.",
    ]


def _video3d(shown: str, given: Mapping[str, Any]) -> list[str]:
    cut = (
        f"the face, with a margin of {given['margin']:g} of its size,"
        if given["crop"] == "face"
        else "the centre of the image"
    )
    pace = (
        f"at {given['rate']:g} frames per second"
        if given["rate"]
        else "evenly spaced over the clip"
    )
    start = {
        None: "Its initial weights were random",
        "kinetics400": "It started from weights trained on Kinetics-400",
    }.get(given["pretrained"], "It started from weights in a file of the study")
    kept = _STAGES.get(given["trainable"])
    return [
        f"The {shown}, a residual network of 18 layers over space and time (Tran et al., 2018), "
        f"received {count(given['frames'])} frames of each clip, {pace}: {cut} at "
        f"{given['size']} × {given['size']} pixels.",
        f"{start}{f'; layers before the {kept} were not trained' if kept else ''}.",
    ]


def _training(shown: str, given: Mapping[str, Any], seed: int, *, several: bool) -> list[str]:
    per_context = given["per_context"]
    where = " per context and over all contexts" if per_context else " over all contexts"
    rate = "" if given.get("tune") == "paper" else f", a learning rate of {given['lr']:g}"
    decay = f"weight decay of {given['weight_decay']:g}" if given["weight_decay"] else (
        "no weight decay"
    )  # fmt: skip
    limit = (
        f", and gradients clipped at a norm of {given['clip_norm']:g}" if given["clip_norm"] else ""
    )
    joint = "," if limit else " and"
    precision = _PRECISION.get(given["precision"], "")
    text = [
        f"The {shown} was trained{where if several else ''} by Adam to minimise the mean "
        f"squared error of the standardised label, with batches of {count(given['batch_size'])} "
        f"clips{rate}{joint} {decay}{limit}{f', {precision}' if precision else ''}.",
        f"Training ran for at most {counted(given['max_epochs'], 'epoch')}"
        + (
            f" and stopped when {spelled(given['patience'], 'epoch')} had not decreased the "
            "error on the validation part"
            if given["patience"] and given["patience"] < given["max_epochs"]
            else ""
        )
        + "; the weights of the epoch with the lowest error on the validation part were kept.",
    ]
    seeds = given["n_seeds"]
    text.append(
        f"Predictions are the means of {spelled(seeds, 'training run')} that differ only in "
        f"their seed ({seed} to {seed + seeds - 1})."
        if seeds > 1
        else f"{'Each of these models was' if several and per_context else 'It was'} trained "
        f"once (seed {seed})."
    )
    return text


def _chosen(
    stage: Mapping[str, Any], contexts: Sequence[str], names: Mapping[str, str]
) -> list[str]:
    several = len(contexts) > 1
    chosen = [
        (f"{label_name(context, names)}: " if several else "")
        + ", ".join(f"{_TUNED.get(key, display_name(key))} {value}" for key, value in best.items())
        for context, best in stage.get("chosen", {}).items()
        if best and (several or context in contexts)
    ]
    return (
        [f"The chosen values were{':' if several else ''} {'; '.join(chosen)}."] if chosen else []
    )


def _human(record: Record, kind: str) -> str:
    return _HUMAN[kind].format(unit=unit_of(record))


def baselines_sentences(record: Record) -> list[str]:
    """Return what the baselines are."""
    options = record["options"]["baselines"]
    text = []
    if options["uniform"]:
        low, high = (f"{limit:g}".replace("-", "−") for limit in options["uniform_limits"])
        text.append(
            "The uniform baseline draws its predictions from the uniform distribution between "
            f"{low} and {high}."
        )
    if options["normal"]:
        kind = (
            "standard normal distribution"
            if "factor_model" in record["stages"]
            else "normal distribution with the label's mean and standard deviation"
        )
        text.append(f"The normal baseline draws its predictions from the {kind}.")
    if options["prior"]:
        shares = f"the share of {unit_of(record)}s of each class among those that models are fitted"
        text.append(
            f"The prior baseline predicts, as the probability of a class, {shares} to, and "
            "predicts the most frequent class."
        )
    human = record["stages"]["models"]["human baseline"]
    ratings = "weighted, standardised ratings" if "factor_model" in record["stages"] else "ratings"
    if human != "none":
        text.append(
            f"The human baseline compares each rater's {ratings} with the mean of the other "
            f"raters, and averages over raters ({_human(record, human)}). Its criterion "
            "therefore differs from that of the models."
        )
    return text
