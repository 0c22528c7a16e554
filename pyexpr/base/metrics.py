"""The metrics for comparing models, with the properties of each.

Who names metrics reads this table: their checks, notes and tests (`pyexpr.inference.comparison`),
the help of the command line, labels and numbers of tables and figures (`pyexpr.words.labels`).
Docstrings and R's help are held to it by ``tests/test_methods_and_metrics.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PARTS = ("pooled", "within", "between")


@dataclass(frozen=True, slots=True)
class Kind:
    """What is known of a metric.

    Attributes
    ----------
    kernel : str
        The kernel's metric; "" for a function, which is called.
    scale : str
        On which it is studentised.
    parts : tuple of str
        Of what it is defined.
    label : str
        Its name for reading; "" where that is its name without underscores.
    classes : bool
        Whether it evaluates predicted classes, not numbers.
    sums : str
        What a metric of classes is computed from; "" for its part of the truth and prediction.
    positive : bool
        Whether it evaluates one class against the rest.
    scores : bool
        Whether it needs a number of each row and not a class.
    averaged : bool
        Whether it is a mean over the classes.
    folds : bool
        Whether it compares rows with each other, and so is computed within folds.
    tested : bool
        Whether `null=` is what its level is tested against.
    chance : float, optional
        What its level is tested against whatever `null=` is.
    error : bool
        Whether it is above 0 unless all predictions are perfect: lower is better, and two have a
        ratio.
    bounded : bool
        Whether 1 is its natural size, beside which rounding is small; it cannot pass 1. Higher is
        better unless it is an error.
    signed : bool
        Whether 0 divides it into better and worse than chance, or into too high and too low.
    fewest : int
        Rows below which its value in a unit is an accident: two points are on a line.
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
        """Return "lower" or "higher", or "" where it has no better end."""
        if self.error:
            return "lower"
        return "higher" if self.bounded else ""

    @property
    def range(self) -> tuple[float, float] | None:
        """Return the least and largest value of a metric of classes; None of numbers.

        With few rows of a class an interval may reach beyond; it ends there.
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
    # Of deviations from a subject's means ranks over all subjects have no accepted meaning.
    "spearman": Kind(
        "spearman", "atanh", ("pooled", "between"), folds=True, tested=True, bounded=True,
        signed=True, fewest=3,
    ),
    # Measured: on the identity a rare class, or a metric near 1, is covered too seldom.
    "auc": Kind(
        "area", _NEAR_ONE, _POOLED, label="AUC", classes=True, sums="ranks pooled", positive=True,
        scores=True, folds=True, chance=0.5, bounded=True,
    ),
    "accuracy": Kind("accuracy", _NEAR_ONE, _POOLED, classes=True, sums="right", bounded=True),
    # Its chance level is one by the number of classes.
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
