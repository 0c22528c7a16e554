"""Rescaling of indicators with very different scales, which lavaan cannot fit otherwise.

A model without fixed numbers or labels is the same in any units. It is fitted in units that suit
the optimiser, and reported in the user's. The units are powers of two, so that no digit changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.measurement.specification import MeasurementModel

# Standard deviations within these limits, and no further apart than this, are left unchanged.
_SMALLEST, _LARGEST, _APART = 1e-3, 1e3, 100.0
# What changes with the log-likelihood, and by how much.
_OF_LIKELIHOOD = {
    "logl": 1.0, "unrestricted.logl": 1.0, "aic": -2.0, "bic": -2.0, "bic2": -2.0,
}  # fmt: skip


def units_of(columns: NDArray[np.float64], model: MeasurementModel) -> NDArray[np.float64]:
    """Return the (p,) units in which the indicators are fitted; 1 for those that keep their own."""
    spread = np.nanstd(columns, axis=0)
    least, most = spread.min(), spread.max()
    serve = least >= _SMALLEST and most <= min(_LARGEST, _APART * least)
    if serve or any(t.is_fixed or t.label or t.start for t in model.scaled_terms):
        return np.ones(len(spread))
    return np.asarray(2.0 ** np.floor(np.log2(spread)))


def unit_of_parameter(lhs: str, op: str, rhs: str, units: Mapping[str, float]) -> float:
    """Return the number by which a parameter found in `units` (by indicator) is multiplied.

    A loading has its indicator's unit, a covariance both, an intercept its own.
    """
    return units.get(rhs, 1.0) * (units.get(lhs, 1.0) if op != "=~" else 1.0)


def measures_in(
    measures: Mapping[str, float], columns: NDArray[np.float64], units: NDArray[np.float64]
) -> dict[str, float]:
    """Return fit measures of `columns` from those of ``columns / units``."""
    change = -float((~np.isnan(columns)).sum(axis=0) @ np.log(units))
    return {
        name: value + _OF_LIKELIHOOD.get(name, 0.0) * change for name, value in measures.items()
    }
