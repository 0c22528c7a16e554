"""Notes that a reader of a factor model needs in addition to its numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import listed
from pyexpr.base.messages import Message, Template, joined, say
from pyexpr.measurement.factor.orientation import standardised
from pyexpr.measurement.specification import EQUAL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.measurement.factor.fitted import FittedModel


SATURATED = Template(
    "saturated",
    "The model has no degrees of freedom: it reproduces the covariances exactly, so its fit "
    "cannot be tested.",
)()
LABELLED = Template(
    "labelled_alike",
    "Parameters labelled {labels} are also constrained to be equal between contexts, because a "
    "label denotes one parameter.",
)
LEFT_OUT = Template(
    "incomplete_rows_of",
    "{n_dropped} of {total} rows {verb} left out because {which} missing.",
)
NEVER_TOGETHER = Template(
    "never_together",
    "No row{where} has both {pairs}: the data contain no information about their covariance, "
    "and the estimates rely on the model for it.",
)
INCOMPLETE_ROWS = Template(
    "incomplete_rows",
    "{n_dropped:count row, was, were} left out because an indicator is missing.",
)
ORDERED = Template(
    "ordered_indicators",
    "{names} {verb} ordered: fitted by WLSMV to polychoric correlations, as continuous responses "
    "of variance 1 behind the categories. Scores are lavPredict's, without standard errors; a row "
    "that is lowest, or highest, throughout has no finite score by {method='bartlett'} (maximum "
    "likelihood), and what stands there is where lavaan's optimiser stopped.",
    report="{names} {verb} ordered: fitted by WLSMV to polychoric correlations, as continuous "
    "responses of variance 1 behind the categories. Scores are lavPredict's, without standard "
    "errors; a row that is lowest, or highest, throughout has no finite Bartlett score (maximum "
    "likelihood), and what stands there is where lavaan's optimiser stopped.",
)
FEW_CLUSTERS = Template(
    "few_clusters",
    "There are only {n_clusters} clusters: cluster-robust standard errors are too small below "
    "about 40; see {call bootstrap_cfa}.",
    report="There are only {n_clusters} clusters: cluster-robust standard errors are too small "
    "below about 40.",
)
TURNED_ALIKE = Template(
    "contexts_turned_alike", " The contexts' factors are turned to agree with {with_whom}."
)
OF_ALL_ROWS = Template("agree_with_all_rows", "the model of all rows")()
OF_THE_LARGEST = Template(
    "agree_with_the_largest",
    "{group:label}, the largest, since all rows together have no solution",
)
INADMISSIBLE = Template(
    "solution_inadmissible",
    "The solution is not admissible{where}: {what}. Scores are {value NaN} unless "
    "{allow_inadmissible=True}.",
    report="The solution is not admissible{where}: {what}.",
)
NOT_POSITIVE = Template(
    "residual_variance_not_positive", "the residual variance of {which} is not positive"
)
NOT_DEFINITE = Template("covariance_not_definite", "a covariance matrix is not positive definite")()


def in_context(label: Any) -> Message:
    """Return a phrase that names the context, for the middle of a sentence."""
    return say(" in context {label:label}", label=label)


def fit_notes(fit: FittedModel) -> tuple[str, ...]:
    """Return the sentences of `CFAResult.notes`."""
    found: list[str] = []
    if fit.output.measures.get("df") == 0:
        found.append(SATURATED)
    labels = dict.fromkeys(t.label for t in fit.model.terms if t.label not in ("", EQUAL))
    if labels and fit.context_name is not None:
        found.append(LABELLED(labels=listed(labels)))
    if fit.n_dropped:
        found.append(
            LEFT_OUT(
                n_dropped=fit.n_dropped,
                total=len(fit.rows.columns),
                verb="was" if fit.n_dropped == 1 else "were",
                which="an indicator is" if fit.missing == "listwise" else "all indicators are",
            )
        )
    if fit.missing == "fiml":
        found += _notes_on_unobserved_pairs(fit)
    if fit.categories:
        verb = "is" if len(fit.categories) == 1 else "are"
        found.append(ORDERED(names=listed(fit.categories), verb=verb))
    found += _direction_notes(fit)
    found += [
        _inadmissible_note(fit, code)
        for code in range(len(fit.labels))
        if not fit.matrices(code).admissible
    ]
    if 0 < fit.n_clusters < 40:
        found.append(FEW_CLUSTERS(n_clusters=fit.n_clusters))
    return tuple(found)


def never_observed_together(
    rows: NDArray[np.float64], indicators: tuple[str, ...]
) -> list[tuple[str, str]]:
    """Return the pairs of indicators that never occur in the same row; missing values are NaN."""
    seen = (~np.isnan(rows)).astype(np.int64)
    both = seen.T @ seen
    return [
        (one, other)
        for j, one in enumerate(indicators)
        for k, other in enumerate(indicators[:j])
        if both[j, k] == 0
    ]


def _notes_on_unobserved_pairs(fit: FittedModel) -> Iterator[str]:
    """Return notes on the pairs that are never observed together in each context."""
    columns, groups = fit.request.columns, fit.request.group
    for code, label in enumerate(fit.labels):
        rows = columns if groups is None else columns[groups == code]
        apart = never_observed_together(rows, fit.model.indicators)
        if apart:
            where = "" if fit.context_name is None else in_context(label)
            pairs = ", or both ".join(f"{other!r} and {one!r}" for one, other in apart)
            yield NEVER_TOGETHER(where=where, pairs=pairs)


def _direction_notes(fit: FittedModel) -> list[str]:
    """Return notes on the direction of factors with loadings of both signs."""
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
    groups: str = ""
    if fit.context_name is not None:
        groups = TURNED_ALIKE(
            with_whom=OF_ALL_ROWS
            if fit.largest is None
            else OF_THE_LARGEST(group=fit.labels[fit.largest])
        )
    return [fit.pointing.note(mixed, over_groups=groups)]


def _inadmissible_note(fit: FittedModel, code: int) -> str:
    model = fit.matrices(code)
    # For a factor that does not measure another factor, this is its own variance, not a residual
    # variance.
    above = model.paths.any(axis=1)
    negative = [
        say("{name:label} ({value:.3g})", name=name, value=value)
        for name, value, left_out in (
            *zip(fit.model.indicators, np.diag(model.residuals), model.without_error, strict=True),
            *zip(fit.model.factors, np.diag(model.disturbances),
                 model.without_disturbance | ~above, strict=True),
        )
        if value <= 0 and not left_out
    ]  # fmt: skip
    return INADMISSIBLE(
        where="" if fit.context_name is None else in_context(fit.labels[code]),
        what=NOT_POSITIVE(which=joined(negative, by=", ")) if negative else NOT_DEFINITE,
    )
