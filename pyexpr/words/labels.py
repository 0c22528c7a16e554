"""Names and numbers as a reader sees them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from pyexpr.base.contexts import ALL
from pyexpr.base.interval_methods import INTERVAL_METHODS
from pyexpr.base.metrics import KINDS

DASH = "—"
#: What tables and figures call the highest correlation that the ratings allow, and its metric.
CEILING, CORRELATION = "Highest possible", "correlation"
MINUS = "−"

# The models that a study adds: random baselines, and the human raters.
BASELINES = ("uniform", "normal", "prior")
HUMAN = ("human",)

# Names of contexts, questions and features; all other labels, also "normal", are the user's.
_KNOWN_LABELS = {ALL: "All", "au_count": "AU count", "au_intensity": "AU intensity"}
OF_THE_USER = frozenset({"context", "question", "indicator", "feature"})
# Elsewhere "normal" is a model.
_METHODS = {name: method.label for name, method in INTERVAL_METHODS.items()}
_KNOWN = (
    _KNOWN_LABELS
    | _METHODS
    | {name: kind.label for name, kind in KINDS.items() if kind.label}
    | {
        "uniform": "Uniform baseline",
        "normal": "Normal baseline",
        "prior": "Prior baseline",
        "human": "Human baseline",
        "elastic_net": "ElasticNet",
        "elastic_net_per_context": "ElasticNet per context",
        "elastic_net_pooled": "ElasticNet pooled",
        "elastic_net_with_context": "ElasticNet with context",
        "openface_lstm": "OpenFace-LSTM",
        "lstm": "OpenFace-LSTM",
        "3d_cnn": "3D-CNN",
        "video3d": "3D-CNN",
        "3d_cnn_pretrained": "3D-CNN pretrained",
        "train_rmse": "Training RMSE",
        "validation_rmse": "Validation RMSE",
        "std_loading": "Loading",
        "std_residual_variance": "Residual variance",
    }
)
#: Metrics that 0 divides into better and worse than chance, or into too high and too low.
SIGNED = tuple(name for name, kind in KINDS.items() if kind.signed)
#: What makes the intervals of a rule simultaneous: Holm's steps are of p-values alone.
OF_INTERVALS = {"holm": "Bonferroni", "max_t": "max-T"}
# Quantities that cannot exceed 1, or are conventionally printed in this way (RMSEA, SRMR). In APA
# style they have no zero before the point. All others keep it: errors, weights, slopes, F, and all
# differences.
_BELOW_ONE = {name for name, kind in KINDS.items() if kind.bounded} | {
    "p_value", "icc", "std_loading", "std_residual_variance", "score_reliability", "cfi", "rmsea",
    "srmr", "share",
}  # fmt: skip
_PARTS = {"_within": " within subjects", "_between": " between subjects"}
_CODE_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def display_name(label: object, names: Mapping[str, str] | None = None) -> str:
    """Return the displayed name of a label: the user's, the package's, or the label itself, tidied.

    This is for models, metrics and terms; use `label_name` for contexts, questions and features,
    and `method_name` for methods of intervals. Only labels written like code
    (``points_displacement``) are tidied; all others stay as the user wrote them.
    `pyexpr.words.frames.shown_labels` names the two things that a row compares.
    """
    text = str(label)
    base = base_metric(text)
    if base in KINDS and text not in {base, *(names or ())}:
        return display_name(base, names) + _PARTS[text.removeprefix(base)]
    return _named(text, names, _KNOWN)


def method_name(method: object, names: Mapping[str, str] | None = None) -> str:
    """Return the name of a method of intervals, like `display_name` for models and metrics.

    Examples
    --------
    >>> method_name("normal"), method_name("jackknife_t")
    ('normal', 'jackknife-t')
    """
    return _named(str(method), names, _METHODS)


def label_name(label: object, names: Mapping[str, str] | None = None) -> str:
    """Return a context's, question's or feature's name for reading, as `display_name` does.

    Examples
    --------
    >>> display_name("normal"), label_name("normal"), label_name("pre - post")
    ('Normal baseline', 'Normal', 'pre - post')
    """
    return _named(str(label), names, _KNOWN_LABELS)


def _named(text: str, names: Mapping[str, str] | None, known: Mapping[str, str]) -> str:
    if names and text in names:
        return names[text]
    if text in known:
        return known[text]
    if _CODE_NAME.fullmatch(text):
        spaced = text.replace("_", " ")
        return spaced[0].upper() + spaced[1:]
    return text


def is_known(label: str) -> bool:
    """Whether a model, metric or method is one of the package, which has a displayed name."""
    return label != ALL and base_metric(label) in _KNOWN


def name_in_sentence(label: str) -> str:
    """Return a model's, metric's or method's name in its form within a sentence.

    Examples
    --------
    >>> [name_in_sentence(one) for one in ("uniform", "r2_within", "elastic_net")]
    ['uniform baseline', 'R² within subjects', 'ElasticNet']
    """
    return _small(display_name(label), label)


def label_in_sentence(label: str, names: Mapping[str, str] | None = None) -> str:
    """Return a context's, question's or feature's name in a sentence; user's labels are unchanged.

    Examples
    --------
    >>> [label_in_sentence(one) for one in ("points_velocity", "au_count", "Schmerz")]
    ['points velocity', 'AU count', 'Schmerz']
    """
    return _small(label_name(label, names), label)


def _small(shown: str, label: str) -> str:
    if shown == label or shown.startswith(("R²", "F1", "Brier")) or shown[1:] != shown[1:].lower():
        return shown
    return shown[0].lower() + shown[1:]


def base_metric(metric: str) -> str:
    """Return a metric without "_within" and "_between"."""
    return metric.removesuffix("_within").removesuffix("_between")


def direction(metric: str) -> str:
    """Return "lower" or "higher", whichever is better, or "" if neither is."""
    base = base_metric(metric)
    return KINDS[base].better if base in KINDS else ""


def display_names(
    labels: Iterable[object], names: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the displayed names of models, metrics or terms; equal ones keep their labels."""
    return distinct_names({str(label): display_name(label, names) for label in labels})


def label_names(labels: Iterable[object], names: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the displayed names of contexts or features; equal ones keep their labels."""
    return distinct_names({str(label): label_name(label, names) for label in labels})


def distinct_names(found: Mapping[str, str]) -> dict[str, str]:
    """Return names by label; names that would be equal are replaced by the labels."""
    shown = list(found.values())
    return {label: name if shown.count(name) == 1 else label for label, name in found.items()}


def names_with(labels: Iterable[object], names: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return `names` together with the distinct names of `labels` (`label_names`)."""
    return {**(names or {}), **label_names(labels, names)}


def is_below_one(quantity: str) -> bool:
    """Whether a quantity (a metric, a column) is printed without a zero before the point."""
    return base_metric(quantity) in _BELOW_ONE


def number(value: float, digits: int = 2, *, of: str = "") -> str:
    """Format in APA style: ``0.84``, and ``.84`` if `of` is a quantity that cannot exceed 1.

    NaN is an em dash; infinities are ``∞`` and ``−∞``.

    Examples
    --------
    >>> number(0.844), number(0.844, of="correlation"), number(-0.078, 3, of="p_value")
    ('0.84', '.84', '−.078')
    """
    if math.isnan(value):
        return DASH
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    size = f"{abs(value):.{digits}f}"
    sign = MINUS if value < 0 and float(size) != 0 else ""
    return sign + (size[1:] if is_below_one(of) and size.startswith("0.") else size)


def interval(low: float, high: float, digits: int = 2, *, of: str = "") -> str:
    """Format an interval: ``[0.82, 0.86]``, zeros as in `number`; an em dash without both ends."""
    if math.isnan(low) and math.isnan(high):
        return DASH
    return f"[{number(low, digits, of=of)}, {number(high, digits, of=of)}]"


def p_value(value: float) -> str:
    """Format a p-value with three decimals: ``.003``, ``< .001``, ``> .999``."""
    if math.isnan(value):
        return DASH
    if value < 0.001:
        return "< .001"
    return "> .999" if value >= 0.9995 else number(value, 3, of="p_value")


def count(value: float) -> str:
    """Format a count, with one decimal if it is not a whole number."""
    if math.isnan(value):
        return DASH
    return f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"


def percent(level: float) -> str:
    """Format a confidence level: ``95%``, ``99.5%``."""
    return f"{100 * level:.10g}%"
