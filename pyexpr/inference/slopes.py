"""Slopes that can be tested: one space of (context, feature) coefficients, with contrasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.base.holm import holm
from pyexpr.inference.cluster_ols import ClusterOLS, ContrastTests, WaldTest, cluster_ols
from pyexpr.inference.coefficient_data import CoefficientData
from pyexpr.inference.desparsified import Desparsified, desparsified
from pyexpr.inference.penalised import PenalisedModel, Weights
from pyexpr.inference.simultaneous import simultaneous

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Condition of a context's correlation matrix of features beyond which least squares is not used.
LARGEST_CONDITION = 1e4
NO_SLOPE = "the feature is constant here"
METHODS = ("least_squares", "desparsified")


@dataclass(frozen=True, slots=True)
class SlopeSpace:
    """Coefficients of several contexts' features, and how they vary together.

    Attributes
    ----------
    slopes : ClusterOLS or Desparsified
    slot : ndarray of int, shape (C, p)
        Position of each (context, feature) among the coefficients; -1 where there is none.
    missing : ndarray of str, shape (C, p)
        Why there is none.
    n_clusters : int
        Subjects in all.
    method : str
        "least_squares" or "desparsified".
    """

    slopes: ClusterOLS | Desparsified
    slot: NDArray[np.int64]
    missing: NDArray[np.str_]
    n_clusters: int
    method: str

    def weights(self, terms: Sequence[tuple[int, int, float]]) -> NDArray[np.float64] | None:
        """Return the contrast with these (context, feature, weight), None if one is missing."""
        contrast = np.zeros(len(self.slopes.coef))
        for c, j, weight in terms:
            if self.slot[c, j] < 0:
                return None
            contrast[self.slot[c, j]] = weight
        return contrast

    def why_missing(self, contexts: Sequence[int], feature: int) -> str:
        """Return why a feature has no slope in one of these contexts, "" if it has in all."""
        return next((str(why) for why in self.missing[list(contexts), feature] if why), "")

    def tests(self, contrasts: Sequence[NDArray[np.float64] | None]) -> ContrastTests:
        """Test contrasts; NaN where one is None."""
        known = [i for i, contrast in enumerate(contrasts) if contrast is not None]
        columns = np.full((5, len(contrasts)), np.nan)
        if known:
            found = self.slopes.contrasts(np.array([contrasts[i] for i in known]))
            columns[:, known] = (
                found.estimate, found.std_error, found.statistic, found.df, found.p_value,
            )  # fmt: skip
        return ContrastTests(*columns)

    def wald(self, contrasts: Sequence[NDArray[np.float64]]) -> WaldTest:
        """Test contrasts at once."""
        return self.slopes.wald(np.array(contrasts))

    def adjusted(
        self,
        contrasts: Sequence[NDArray[np.float64] | None],
        tests: ContrastTests,
        rule: str,
        confidence: float,
        seed: int,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return p-values and limits of one family of contrasts, judged together."""
        m = len(contrasts)
        p, low, high = np.full((3, m), np.nan)
        tested = np.flatnonzero(~np.isnan(tests.p_value))
        if not len(tested):
            return p, low, high
        if rule == "holm":
            p = holm(tests.p_value)
            low, high = tests.limits(1 - (1 - confidence) / len(tested))
            return p, low, high
        some = np.array([contrasts[int(i)] for i in tested])
        found = simultaneous(self.slopes.influences(some), tests.p_value[tested], confidence, seed)
        p[tested] = found.p_adjusted
        low, high = tests.limits(found.confidence)
        return p, low, high


def condition(X: NDArray[np.float64]) -> float:
    """Return the condition number of the features' correlation matrix."""
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    values = np.linalg.eigvalsh(scaled.T @ scaled / len(X))
    return float(values[-1] / values[0]) if values[0] > 0 else float("inf")


def least_squares_problem(data: CoefficientData, models: Sequence[str]) -> str:
    """Return why least squares is not fit for one of these models, "" if it is."""
    for model in models:
        rows = data.rows(model)
        moving = ~_still(data, model)
        p, G = int(moving.sum()), len(np.unique(data.subject[rows]))
        where = "over all contexts" if model == ALL else f"in context {model!r}"
        if 2 * p >= G:
            return f"{p} features for {G} subjects {where}"
        if p and condition(data.X[np.ix_(rows, moving)]) > LARGEST_CONDITION:
            return f"features are nearly collinear {where}"
    return ""


def slope_space(
    data: CoefficientData,
    models: Sequence[str],
    fitted: Sequence[tuple[PenalisedModel, Weights]],
    *,
    method: str,
    cr: str,
    seed: int,
    n_threads: int | None,
) -> SlopeSpace:
    """Estimate the slopes of these models in one joint fit, subjects as clusters across them."""
    p = len(data.features)
    slot = np.full((len(models), p), -1, dtype=np.int64)
    count = 0
    for c, model in enumerate(models):
        for j in np.flatnonzero(~_still(data, model)):
            slot[c, j] = count
            count += 1
    missing = np.where(slot < 0, NO_SLOPE, "").astype(object)
    # Centred first: a large mean would leave the rounding of its quotient.
    scaled = (data.X - data.X.mean(axis=0)) / data.scale
    if method == "least_squares":
        fit = _stacked(data, models, scaled, slot, cr)
        return SlopeSpace(fit, slot, missing, len(data.subjects), method)
    parts = []
    for c, model in enumerate(models):
        rows, moving = data.rows(model), slot[c] >= 0
        y = data.y_tested[rows]
        block = scaled[np.ix_(rows, moving)]
        penalised, own = fitted[c]
        if model != ALL and data.y is not data.y_tested:
            # The tests are of another label than the weights: same penalty, own fit.
            penalised = PenalisedModel(data.X[rows], y, data.subject[rows], n_threads)
        G = penalised.products.n_clusters
        in_turn = np.vstack([np.ones((1, G)), 1 - np.eye(G)]).astype(np.int64)
        beta = (penalised.slopes(in_turn, own.alpha, own.l1_ratio) * data.scale)[:, moving]
        part = desparsified(
            block, y, data.subject[rows], len(data.subjects), beta,
            seed=seed, n_threads=n_threads,
        )  # fmt: skip
        parts.append(part)
        missing[c, moving] = part.missing
    joint = Desparsified(
        np.concatenate([part.coef for part in parts]),
        np.hstack([part.influence for part in parts]),
        np.hstack([part.present for part in parts]),
        np.concatenate([part.unit for part in parts]),
        np.concatenate([part.missing for part in parts]),
        max(part.rounding for part in parts),
    )
    return SlopeSpace(joint, np.where(missing == "", slot, -1), missing, len(data.subjects), method)


def _stacked(
    data: CoefficientData,
    models: Sequence[str],
    scaled: NDArray[np.float64],
    slot: NDArray[np.int64],
    cr: str,
) -> ClusterOLS:
    """Fit all contexts in one block-diagonal design, intercepts last."""
    n_slopes = int(slot.max()) + 1
    design = np.zeros((len(data.y), n_slopes + len(models)))
    names = [""] * n_slopes + [f"intercept of {model}" for model in models]
    for c, model in enumerate(models):
        rows, moving = data.rows(model), slot[c] >= 0
        block = scaled[np.ix_(rows, moving)]
        # Centred: the slopes are the same, and keep their digits.
        design[np.ix_(rows, slot[c][moving])] = block - block.mean(axis=0)
        design[rows, n_slopes + c] = 1.0
        for j in np.flatnonzero(moving):
            names[slot[c, j]] = f"{data.features[j]} in {model}"
    return cluster_ols(design, data.y_tested, data.subject, cr=cr, names=names)


def _still(data: CoefficientData, model: str) -> NDArray[np.bool_]:
    if model != ALL:
        return np.asarray(data.still[data.contexts.index(model)])
    # Over all rows a feature can differ between contexts in which it is constant.
    spread = np.ptp(data.X, axis=0)
    return np.asarray(spread <= 1e-12 * np.maximum(np.abs(data.X).max(axis=0), 1e-300))
