"""What a reader of a factor model must know beside its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.errors import listed
from pyexpr.measurement.factor.orientation import standardised
from pyexpr.measurement.specification import EQUAL

if TYPE_CHECKING:
    from pyexpr.measurement.factor.fitted import FittedModel


def fit_notes(fit: FittedModel) -> tuple[str, ...]:
    """Return the sentences of `CFAResult.notes`."""
    said = []
    if fit.output.measures.get("df") == 0:
        said.append(
            "The model has no degrees of freedom left: it reproduces the covariances exactly, "
            "and its fit cannot be tested."
        )
    labels = dict.fromkeys(t.label for t in fit.model.terms if t.label not in ("", EQUAL))
    if labels and fit.context_name is not None:
        said.append(
            f"What is labelled {listed(labels)} is held equal over the contexts, too: a label "
            "is one parameter."
        )
    if fit.n_dropped:
        total = len(fit.rows.columns)
        which = "an indicator is" if fit.missing == "listwise" else "all indicators are"
        said.append(
            f"{fit.n_dropped} of {total} rows {'was' if fit.n_dropped == 1 else 'were'} "
            "left out "
            f"because {which} missing."
        )
    if fit.categories:
        said.append(
            f"{listed(fit.categories)} {'is' if len(fit.categories) == 1 else 'are'} ordered: "
            "fitted by WLSMV to polychoric correlations, as continuous responses of variance 1 "
            "behind the categories. Scores are lavPredict's, without standard errors; a row "
            "that is lowest, or highest, throughout has no finite score by method='bartlett' "
            "(maximum likelihood), and what stands there is where lavaan's optimiser stopped."
        )
    said += _direction_notes(fit)
    said += [
        _inadmissible_note(fit, code)
        for code in range(len(fit.labels))
        if not fit.matrices(code).admissible
    ]
    if 0 < fit.n_clusters < 40:
        said.append(
            f"There are only {fit.n_clusters} clusters: cluster-robust standard errors are "
            "too small below about 40; see bootstrap_cfa."
        )
    return tuple(said)


def _direction_notes(fit: FittedModel) -> list[str]:
    """Say what the factors with loadings of both signs point to."""
    found = [
        standardised(fit.output.parameters, code, fit.model) for code in range(len(fit.labels))
    ]
    fixed = fit.model.marked_factors
    mixed = [
        factor
        for k, factor in enumerate(fit.model.factors)
        if factor not in fixed and any((loadings[:, k] < 0).any() for loadings in found)
    ]
    if not mixed:
        return []
    groups = ""
    if fit.context_name is not None:
        with_whom = (
            "the model of all rows"
            if fit.largest is None
            else f"{fit.labels[fit.largest]!r}, the largest, since all rows together have "
            "no solution"
        )
        groups = f" The contexts' factors are turned to agree with {with_whom}."
    return [fit.pointing.note(mixed, over_groups=groups)]


def _inadmissible_note(fit: FittedModel, code: int) -> str:
    model = fit.matrices(code)
    # Of a factor that others measure this is its own variance, which is no residual.
    above = model.paths.any(axis=1)
    negative = [
        f"{name!r} ({value:.3g})"
        for name, value, left_out in (
            *zip(fit.model.indicators, np.diag(model.residuals), model.without_error, strict=True),
            *zip(fit.model.factors, np.diag(model.disturbances),
                 model.without_disturbance | ~above, strict=True),
        )
        if value <= 0 and not left_out
    ]  # fmt: skip
    where = "" if fit.context_name is None else f" in context {fit.labels[code]!r}"
    what = (
        f"the residual variance of {', '.join(negative)} is not positive"
        if negative
        else "a covariance matrix is not positive definite"
    )
    return (
        f"The solution is not admissible{where}: {what}. Scores are NaN unless "
        "allow_inadmissible=True."
    )
