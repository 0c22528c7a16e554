"""All comparisons, area by area."""

from __future__ import annotations

from parity import (
    bootstrap,
    classifiers,
    coefficients,
    factor_model,
    movement,
    randomness,
    reliability,
)
from parity.comparison import Comparison

AREAS = (factor_model, reliability, bootstrap, coefficients, classifiers, movement, randomness)


def comparisons() -> list[Comparison]:
    return [one for area in AREAS for one in area.comparisons()]
