"""One context's ratings as codes of categories, and its coefficients with their intervals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.measurement.agreement.intervals import AgreementInterval, AgreementPlan, interval_of
from pyexpr.measurement.agreement.notes import (
    NEVER_USED,
    NO_PAIRS,
    NO_PAIRS_HERE,
    ONE_CATEGORY,
)
from pyexpr.measurement.agreement.sums import Coded, category_sums, subject_sums

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pyexpr.measurement.agreement.sums import SubjectSums
    from pyexpr.measurement.icc.layout import Ratings

COEFFICIENTS = (
    "percent_agreement", "cohen_kappa", "fleiss_kappa", "brennan_prediger", "gwet_ac",
    "krippendorff_alpha",
)  # fmt: skip
#: The coefficient that compares the raters, and so must know who gave each rating.
BY_RATER = "cohen_kappa"


@dataclass(frozen=True, slots=True)
class AgreementEstimate:
    """A coefficient or specific agreement: agreement observed and by chance, value, interval."""

    name: Any
    observed: float
    expected: float
    value: float
    interval: AgreementInterval


@dataclass(frozen=True, slots=True)
class AgreementGroup:
    """The agreement in one context: counts, coefficients, and each category's."""

    labels: tuple[Any, ...]
    n_rows: int
    n_missing: int
    n_targets: int
    n_ratings: int
    n_single: int
    n_raters: int | None
    n_clusters: int | None
    shared: bool
    use: tuple[int, ...]
    estimates: tuple[AgreementEstimate, ...]
    by_category: tuple[AgreementEstimate, ...]


def coded(ratings: Ratings, n_categories: int, *, clustered: bool) -> Coded:
    """Return the nonmissing ratings as codes; without subjects, each target is a unit."""
    if ratings.n_raters is not None:
        values, targets, raters = ratings.triplets()
    else:
        assert ratings.values is not None
        assert ratings.targets is not None
        rated = ~np.isnan(ratings.values)
        values, targets, raters = ratings.values[rated], ratings.targets[rated], None
    present, targets = np.unique(targets, return_inverse=True)
    clusters = np.arange(len(present))
    if clustered:
        clusters = np.unique(_cluster_of_targets(ratings)[present], return_inverse=True)[1]
    n_raters = 0
    if raters is not None:
        names, raters = np.unique(raters, return_inverse=True)
        n_raters = len(names)
    return Coded(
        targets=targets.astype(np.int64),
        categories=values.astype(np.int64),
        raters=raters,
        clusters=clusters.astype(np.int64),
        n_targets=len(present),
        n_categories=n_categories,
        n_raters=n_raters,
        n_clusters=int(clusters.max(initial=-1)) + 1,
    )


def _cluster_of_targets(ratings: Ratings) -> NDArray[np.int64]:
    assert ratings.clusters is not None
    if ratings.table is not None:
        return ratings.clusters
    assert ratings.targets is not None
    own = np.zeros(ratings.n_targets, dtype=np.int64)
    own[ratings.targets] = ratings.clusters
    return own


def computed(
    ratings: Ratings,
    coefficients: Sequence[str],
    weights: NDArray[np.float64],
    metric: NDArray[np.float64] | None,
    plan: AgreementPlan,
    *,
    clustered: bool,
) -> AgreementGroup:
    """Return the coefficients of one context."""
    codes = coded(ratings, len(weights), clustered=clustered)
    unit = "subject" if clustered else "target"
    per_target = codes.per_target()
    use = np.bincount(codes.categories, minlength=len(weights)).tolist()
    estimates = []
    for name in coefficients:
        sums = subject_sums(codes, name, weights, metric)
        found = _estimate(name, sums, plan, unit, pairs=bool((per_target > 1).any()))
        if name == "percent_agreement":
            found = replace(found, interval=_of_probability(found.interval))
        estimates.append(found)
    return AgreementGroup(
        labels=ratings.labels,
        n_rows=ratings.n_rows,
        n_missing=ratings.n_missing,
        n_targets=codes.n_targets,
        n_ratings=len(codes.targets),
        n_single=int((per_target == 1).sum()),
        n_raters=codes.n_raters if codes.raters is not None else None,
        n_clusters=codes.n_clusters if clustered else None,
        shared=ratings.shared,
        use=tuple(use),
        estimates=tuple(estimates),
        by_category=tuple(
            _of_category(k, use[k], sums, plan, unit) for k, sums in enumerate(category_sums(codes))
        ),
    )


def _estimate(
    name: str, sums: SubjectSums, plan: AgreementPlan, unit: str, *, pairs: bool
) -> AgreementEstimate:
    whole = sums.whole()
    observed, expected, value = float(whole.observed), float(whole.expected), float(whole.value)
    if np.isfinite(value):
        return AgreementEstimate(name, observed, expected, value, interval_of(sums, plan, unit))
    reason = ONE_CATEGORY if pairs else NO_PAIRS
    return AgreementEstimate(name, observed, expected, value, AgreementInterval(reason=reason))


def _of_category(
    k: int, n: int, sums: SubjectSums, plan: AgreementPlan, unit: str
) -> AgreementEstimate:
    value = float(sums.whole().value)
    if not np.isfinite(value):
        reason = NO_PAIRS_HERE if n else NEVER_USED
        return AgreementEstimate(k, value, np.nan, value, AgreementInterval(reason=reason))
    return AgreementEstimate(
        k, value, np.nan, value, _of_probability(interval_of(sums, plan, unit))
    )


def _of_probability(interval: AgreementInterval) -> AgreementInterval:
    """Cut an interval at 0, and omit the test, since a probability of 0 is no useful hypothesis."""
    low = max(0.0, interval.low) if np.isfinite(interval.low) else interval.low
    return replace(interval, low=low, statistic=np.nan, df=np.nan, p_value=np.nan)
