"""The metrics for comparing models, with the properties of each.

All code that names metrics reads this table: their checks, notes and tests
(`pyexpr.inference.comparison`), the help of the command line, labels and numbers of tables and
figures (`pyexpr.words.labels`). ``tests/test_methods_and_metrics.py`` checks that docstrings and
R's help agree with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PARTS = ("pooled", "within", "between")


@dataclass(frozen=True, slots=True)
class Kind:
    """The properties of a metric.

    Attributes
    ----------
    kernel : str
        Name of the kernel's metric; "" for a function, which is called.
    scale : str
        Scale on which it is studentised.
    parts : tuple of str
        Parts of the data for which it is defined.
    label : str
        Its name in text; "" if that is its name without underscores.
    classes : bool
        Whether it evaluates predicted classes, not numbers.
    sums : str
        Sums from which a metric of classes is computed; "" for its part of truth and prediction.
    positive : bool
        Whether it evaluates one class against the rest.
    scores : bool
        Whether it needs a number for each row, not a class.
    averaged : bool
        Whether it is a mean over the classes.
    folds : bool
        Whether it compares rows with each other, and is therefore computed within folds.
    tested : bool
        Whether its level is tested against `null=`.
    chance : float, optional
        The value against which its level is tested regardless of `null=`.
    error : bool
        Whether it is above 0 unless all predictions are perfect. Lower is then better, and ratios
        exist.
    bounded : bool
        Whether it is at most 1, and of that order of magnitude, against which rounding is small.
        Higher is better unless it is an error.
    signed : bool
        Whether 0 divides it into better and worse than chance, or into too high and too low.
    fewest : int
        Number of rows below which its value is arbitrary: two points are always on a line.
    """

    kernel: str
    scale: str = "identity"
    parts: tuple[str, ...] = PARTS
    label: str = ""
    classes: bool = False
    sums: str = ""
    positive: bool = False
    scores: bool = False
    averaged: bool = False
    folds: bool = False
    tested: bool = False
    chance: float | None = None
    error: bool = False
    bounded: bool = False
    signed: bool = False
    fewest: int = 1

    @property
    def better(self) -> str:
        """Return "lower" or "higher", or "" if neither is better."""
        if self.error:
            return "lower"
        return "higher" if self.bounded else ""

    @property
    def range(self) -> tuple[float, float] | None:
        """Return the least and largest value of a metric of classes; None for metrics of numbers.

        With few rows of a class an interval may reach beyond these values; it is truncated there.
        """
        return (-1.0 if self.signed else 0.0, 1.0) if self.classes else None


_ERROR = "negative_reciprocal"
_NEAR_ONE = "negative_root_complement"
_POOLED = ("pooled",)
KINDS: Mapping[str, Kind] = {
    "nrmse": Kind("rmse", _ERROR, label="NRMSE", error=True),
    "rmse": Kind("rmse", _ERROR, label="RMSE", error=True),
    "mae": Kind("mae", _ERROR, label="MAE", error=True),
    "correlation": Kind(
        "correlation", "atanh", folds=True, tested=True, bounded=True, signed=True, fewest=3
    ),
    "concordance": Kind(
        "concordance", "atanh", folds=True, tested=True, bounded=True, signed=True, fewest=3
    ),
    "r2": Kind("r2", _NEAR_ONE, label="R²", folds=True, bounded=True, signed=True, fewest=3),
    "bias": Kind("bias", chance=0.0, signed=True),
    # Ranks over all subjects of deviations from their means have no accepted meaning.
    "spearman": Kind(
        "spearman", "atanh", ("pooled", "between"), folds=True, tested=True, bounded=True,
        signed=True, fewest=3,
    ),
    # In simulations, coverage on the identity is too low for a rare class or a metric near 1.
    "auc": Kind(
        "area", _NEAR_ONE, _POOLED, label="AUC", classes=True, sums="ranks pooled", positive=True,
        scores=True, folds=True, chance=0.5, bounded=True,
    ),
    "accuracy": Kind("accuracy", _NEAR_ONE, _POOLED, classes=True, sums="right", bounded=True),
    # Its chance level is 1 divided by the number of classes.
    "balanced_accuracy": Kind(
        "recall", _NEAR_ONE, _POOLED, classes=True, sums="classes", averaged=True, bounded=True
    ),
    "f1": Kind(
        "f1", _NEAR_ONE, _POOLED, label="F1", classes=True, sums="class 1", positive=True,
        bounded=True,
    ),
    "f1_macro": Kind(
        "f1", _NEAR_ONE, _POOLED, label="Macro F1", classes=True, sums="classes", averaged=True,
        bounded=True,
    ),
    "kappa": Kind(
        "kappa", _NEAR_ONE, _POOLED, classes=True, sums="classes", chance=0.0, bounded=True,
        signed=True,
    ),
    "brier": Kind(
        "mse", _ERROR, _POOLED, label="Brier score", classes=True, positive=True, scores=True,
        error=True, bounded=True,
    ),
}  # fmt: skip
OF_NUMBERS = tuple(name for name, kind in KINDS.items() if not kind.classes)
OF_CLASSES = tuple(name for name, kind in KINDS.items() if kind.classes)
