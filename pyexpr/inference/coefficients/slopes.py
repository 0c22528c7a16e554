"""Slopes that can be tested: one space of (context, feature) coefficients, with contrasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.inference.coefficients.cluster_ols import (
    ClusterOLS,
    DesignBlock,
    blocked_ols,
)
from pyexpr.inference.coefficients.data import CoefficientData
from pyexpr.inference.coefficients.desparsified import Desparsified, desparsified
from pyexpr.inference.coefficients.leverage import (
    FEWEST_OF_MAX_T,
    Support,
    few_subjects_df,
    support_of,
)
from pyexpr.inference.coefficients.notes import COLLINEAR, IN_CONTEXT, MANY_FEATURES, NO_SLOPE
from pyexpr.inference.coefficients.penalised import FittedModel, PenalisedModel
from pyexpr.inference.coefficients.two_way_ols import TwoWayOLS, two_way_ols
from pyexpr.resampling.multiplicity import Adjusted, adjust_contrasts
from pyexpr.resampling.tests import ContrastTests, WaldTest

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Least squares is not used if the condition number of a context's correlation matrix of features is
# larger.
LARGEST_CONDITION = 1e4
METHODS = ("least_squares", "desparsified")
INTERCEPTS = ("context", "common")


@dataclass(frozen=True, slots=True)
class SlopeSpace:
    """Coefficients of several contexts' features, and how they vary together.

    Attributes
    ----------
    slopes : ClusterOLS, TwoWayOLS or Desparsified
    slot : ndarray of int, shape (C, p)
        Position of each (context, feature) among the coefficients; -1 if it has no slope.
    missing : ndarray of object, shape (C, p)
        Why there is no slope.
    n_clusters : int
        Total number of subjects.
    method : str
        "least_squares" or "desparsified".
    support : Support
        Effective number of subjects of each coefficient, and why some are not tested.
    """

    slopes: ClusterOLS | TwoWayOLS | Desparsified
    slot: NDArray[np.int64]
    missing: NDArray[np.object_]
    n_clusters: int
    method: str
    support: Support

    def weights(self, terms: Sequence[tuple[int, int, float]]) -> NDArray[np.float64] | None:
        """Return the contrast with these (context, feature, weight); None if a slope is missing."""
        contrast = np.zeros(len(self.slopes.coef))
        for c, j, weight in terms:
            if self.slot[c, j] < 0:
                return None
            contrast[self.slot[c, j]] = weight
        return contrast

    def why_missing(self, contexts: Sequence[int], feature: int) -> str:
        """Return why a feature has no tested slope in one of these contexts; "" if it has all."""
        for c in contexts:
            slot = self.slot[c, feature]
            why = self.missing[c, feature] or (self.support.why_not[slot] if slot >= 0 else "")
            if why:
                return why
        return ""

    def tests(self, contrasts: Sequence[NDArray[np.float64] | None]) -> ContrastTests:
        """Test contrasts; a contrast that is None has NaN, and a refused one only its estimate."""
        known = [i for i, contrast in enumerate(contrasts) if contrast is not None]
        columns = np.full((5, len(contrasts)), np.nan)
        if known:
            some = [one for one in contrasts if one is not None]
            weakest = [self.support.weakest_df(one) for one in some]
            found = self.slopes.contrasts(np.array(some), weakest=weakest)
            columns[:, known] = (
                found.estimate, found.std_error, found.statistic, found.df, found.p_value,
            )  # fmt: skip
            refused = [
                i for i, one in zip(known, some, strict=True) if self.support.why_refused(one)
            ]
            columns[1:, refused] = np.nan
        return ContrastTests(*columns)

    def wald(self, contrasts: Sequence[NDArray[np.float64]]) -> WaldTest:
        """Test contrasts at once."""
        weakest = min(self.support.weakest_df(one) for one in contrasts)
        return self.slopes.wald(np.array(contrasts), weakest=weakest)

    def n_effective(self, contrast: NDArray[np.float64] | None) -> float:
        """Return the effective number of subjects of a contrast; NaN if the contrast is None."""
        return float("nan") if contrast is None else self.support.least(contrast)

    def tested(self, context: int, feature: int) -> bool:
        """Return whether a slope exists and is tested."""
        slot = self.slot[context, feature]
        return bool(slot >= 0 and not self.support.why_not[slot])

    def rule_of(self, contrasts: Sequence[NDArray[np.float64] | None], rule: str) -> str:
        """Return the adjustment of a family: Holm's if one of its slopes is based on few subjects.

        Simulated residuals of a few subjects do not show how large a statistic can become.
        """
        tested = [one for one in contrasts if one is not None and not self.support.why_refused(one)]
        few = any(self.support.least(one) < FEWEST_OF_MAX_T for one in tested)
        return "holm" if few else rule

    def adjusted(
        self,
        contrasts: Sequence[NDArray[np.float64] | None],
        tests: ContrastTests,
        rule: str,
        confidence: float,
        seed: int,
    ) -> Adjusted:
        """Return adjusted p-values and limits of one family of contrasts."""

        def influence(tested: NDArray[np.int64]) -> NDArray[np.float64]:
            return self.slopes.influences(np.array([contrasts[int(i)] for i in tested]))

        return adjust_contrasts(tests, influence, rule, confidence, seed)


def condition(X: NDArray[np.float64]) -> float:
    """Return the condition number of the features' correlation matrix."""
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    values = np.linalg.eigvalsh(scaled.T @ scaled / len(X))
    return float(values[-1] / values[0]) if values[0] > 0 else float("inf")


def least_squares_problem(data: CoefficientData, models: Sequence[str], intercepts: str) -> str:
    """Return why least squares is not suitable for one of these models; "" if it is for all."""
    for model in models:
        rows = data.rows(model)
        moving = ~_constant(data, model, intercepts)
        p, G = int(moving.sum()), data.clusters_in(rows)
        where = "over all contexts" if model == ALL else IN_CONTEXT(context=model)
        if 2 * p >= G:
            return MANY_FEATURES(features=p, subjects=G, where=where)
        block = data.X[np.ix_(rows, moving)]
        if model == ALL and intercepts == "context":
            block = within(block, data.context)
        if p and condition(block) > LARGEST_CONDITION:
            return COLLINEAR(where=where)
    return ""


def within(values: NDArray[np.float64], codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return values (n, ...) as deviations from the means of their groups."""
    centred = np.array(values)
    for c in np.unique(codes):
        centred[codes == c] -= centred[codes == c].mean(axis=0)
    return centred


def slope_space(
    data: CoefficientData,
    models: Sequence[str],
    fitted: Sequence[FittedModel],
    *,
    method: str,
    cr: str,
    seed: int,
    n_threads: int | None,
    intercepts: str = "context",
) -> SlopeSpace:
    """Estimate the slopes of these models in one joint fit, subjects as clusters across them.

    With ``intercepts="context"``, the slopes over all contexts are within contexts: each context
    has its own intercept.
    """
    p = len(data.features)
    slot = np.full((len(models), p), -1, dtype=np.int64)
    count = 0
    for c, model in enumerate(models):
        for j in np.flatnonzero(~_constant(data, model, intercepts)):
            slot[c, j] = count
            count += 1
    missing = np.full(slot.shape, "", dtype=object)
    missing[slot < 0] = NO_SLOPE
    # Values are centred first, because dividing a large mean would add its rounding error.
    scaled = (data.X - data.X.mean(axis=0)) / data.scale
    if method == "least_squares":
        fit = _stacked(data, models, scaled, slot, cr, intercepts)
        each = np.eye(count, len(fit.coef))
        if isinstance(fit, TwoWayOLS):
            return SlopeSpace(fit, slot, missing, data.n_clusters, method, fit.support(each))
        support = support_of(
            fit.leverage(each), fit.contrasts(each).df, data.subjects, fit.determined(each)
        )
        return SlopeSpace(fit, slot, missing, len(data.subjects), method, support)
    parts = []
    for c, model in enumerate(models):
        rows, moving = data.rows(model), slot[c] >= 0
        y = data.y_tested[rows]
        block = scaled[np.ix_(rows, moving)]
        groups = None
        own = fitted[c]
        penalised = own.model
        if model == ALL and intercepts == "context":
            groups = data.context
            block, y = within(block, groups), within(y, groups)
            penalised = PenalisedModel.of(within(data.X, groups), y, data.subject, n_threads)
        elif model != ALL and data.y is not data.y_tested:
            # The tests use another label than the weights, so a separate fit with the same penalty
            # is needed.
            penalised = PenalisedModel.of(data.X[rows], y, data.subject[rows], n_threads)
        G = penalised.products.n_clusters
        in_turn = np.vstack([np.ones((1, G)), 1 - np.eye(G)]).astype(np.int64)
        beta = (penalised.slopes(in_turn, own.alpha, own.l1_ratio) * data.scale)[:, moving]
        part = desparsified(
            block, y, data.subject[rows], len(data.subjects), beta,
            groups=groups, seed=seed, n_threads=n_threads,
        )  # fmt: skip
        parts.append(part)
        missing[c, moving] = part.missing
    joint = Desparsified(
        np.concatenate([part.coef for part in parts]),
        np.hstack([part.influence for part in parts]),
        np.hstack([part.present for part in parts]),
        np.concatenate([part.unit for part in parts]),
        np.concatenate([part.missing for part in parts]),
        np.hstack([part.shares for part in parts]),
        max(part.rounding for part in parts),
    )
    support = support_of(joint.leverage(), joint.contrasts(np.eye(count)).df, data.subjects)
    support = replace(support, df=few_subjects_df(support.df, support.n_effective))
    slot = np.where(missing == "", slot, -1)
    return SlopeSpace(joint, slot, missing, len(data.subjects), method, support)


def _stacked(
    data: CoefficientData,
    models: Sequence[str],
    scaled: NDArray[np.float64],
    slot: NDArray[np.int64],
    cr: str,
    intercepts: str,
) -> ClusterOLS | TwoWayOLS:
    """Fit all contexts in one design, a block for each model, intercepts last."""
    n_slopes = int(slot.max()) + 1
    # Rows that share an intercept: those of a model, or those of a context for a model over all
    # contexts.
    apart = models == (ALL,) and intercepts == "context"
    owners = [*data.contexts] if apart else [*models]
    names = [""] * n_slopes + [f"intercept of {owner}" for owner in owners]
    blocks = []
    for c, model in enumerate(models):
        rows, moving = data.rows(model), slot[c] >= 0
        values = scaled[np.ix_(rows, moving)]
        # Centring does not change the slopes, but improves their numerical precision.
        values = within(values, data.context) if apart else values - values.mean(axis=0)
        for j in np.flatnonzero(moving):
            names[slot[c, j]] = f"{data.features[j]} in {model}"
        own = range(len(owners)) if apart else [c]
        ones = [np.ones(len(rows))] if not apart else [data.context == k for k in own]
        columns = np.array([*slot[c][moving], *(n_slopes + k for k in own)], dtype=np.int64)
        blocks.append(DesignBlock(rows, columns, np.column_stack([values, *ones])))
    if data.memberships is not None:
        return two_way_ols(
            blocks, data.y_tested, data.subject, data.memberships, cr=cr, names=names
        )
    return blocked_ols(blocks, data.y_tested, data.subject, cr=cr, names=names)


def _constant(data: CoefficientData, model: str, intercepts: str) -> NDArray[np.bool_]:
    if model != ALL:
        return np.asarray(data.constant[data.contexts.index(model)])
    if intercepts == "context":
        return np.asarray(data.constant.all(axis=0))
    # A feature that is constant within each context can still differ between contexts.
    spread = np.ptp(data.X, axis=0)
    return np.asarray(spread <= 1e-12 * np.maximum(np.abs(data.X).max(axis=0), 1e-300))
