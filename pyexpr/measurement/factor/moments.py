"""Parameters under lavaan's names, and the moments that a fitted model implies.

Checked against: ``coef``, ``vcov``, ``fitted`` and ``residuals`` of lavaan, in R's tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.messages import Template

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.measurement.engines.protocol import FitOutput
    from pyexpr.measurement.factor.fitted import FittedModel

_ORDERED = Template(
    "moments_of_ordered",
    "indicators are ordered: their observed moments are polychoric correlations, which lavaan "
    "estimates but does not return",
)()
_FIML = Template(
    "moments_of_fiml",
    "with {missing='fiml'} there is no single observed covariance matrix, because rows have "
    "different indicators",
    report="what was observed is no one covariance matrix, as rows have different indicators",
)()


@dataclass(frozen=True, slots=True)
class GroupMoments:
    """Moments of the p indicators in one context, in the order of the model.

    Attributes
    ----------
    covariance, mean : (p, p), (p,)
        ``Lambda Var(f) Lambda' + Theta`` and ``nu + Lambda E f``.
    thresholds : dict
        By lavaan's name, ``"x|t1"``; empty without ordered indicators.
    observed_covariance, observed_mean : (p, p), (p,) or None
        Of the rows used, with divisor n, as the normal likelihood has it.
    reason : str
        Why there are no observed moments, "" if there are.
    """

    covariance: NDArray[np.float64]
    mean: NDArray[np.float64]
    thresholds: dict[str, float]
    observed_covariance: NDArray[np.float64] | None
    observed_mean: NDArray[np.float64] | None
    reason: str


def free_parameters(output: FitOutput) -> tuple[list[str], NDArray[np.float64]]:
    """Return names and estimates of the free parameters, in the order of `FitOutput.vcov`.

    Names are lavaan's: ``f=~x``, ``x~~x``, ``x~1``, ``x|t1``; from the second context on
    with ``.g2``, ``.g3``, ...
    """
    found = output.parameters
    places = np.flatnonzero(found.free >= 0)
    places = places[np.argsort(found.free[places], kind="stable")]
    names = [
        f"{found.lhs[i]}{found.op[i]}{found.rhs[i]}"
        + (f".g{found.group[i] + 1}" if found.group[i] else "")
        for i in places
    ]
    return names, found.estimate[places]


def group_moments(fit: FittedModel, code: int) -> GroupMoments:
    """Return the moments of one context, by its code."""
    model = fit.matrices(code)
    covariance = model.loadings @ model.factors @ model.loadings.T + model.residuals
    mean = model.intercepts + model.loadings @ model.means
    found = fit.output.parameters
    thresholds = {
        f"{found.lhs[i]}|{found.rhs[i]}": float(found.estimate[i])
        for i in np.flatnonzero(found.group == code)
        if found.op[i] == "|"
    }
    reason = _ORDERED if fit.categories else _FIML if fit.missing == "fiml" else ""
    if reason:
        return GroupMoments(covariance, mean, thresholds, None, None, reason)
    rows = fit.request.columns
    if fit.request.group is not None:
        rows = rows[fit.request.group == code]
    centred = rows - rows.mean(axis=0)
    observed = centred.T @ centred / len(rows)
    return GroupMoments(covariance, mean, thresholds, observed, rows.mean(axis=0), reason)
