"""The labels of the models: factor scores, whose weights every draw estimates anew, or means."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import ColumnError, FactorModelError, FewSubjectsWarning, listed
from pyexpr.base.messages import say
from pyexpr.measurement.factor.bootstrap import bootstrap_cfa
from pyexpr.measurement.factor.bootstrap_result import CFABootstrapResult
from pyexpr.measurement.factor.refits import GroupFit, drawn_refits
from pyexpr.measurement.model_syntax import parse_model
from pyexpr.modeling.chain.rated import Columns, Rated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.measurement.specification import ModelLike

    Array = NDArray[np.float64]

# Quantities of the factor model that are shown, and their scales.
SHOWN = ("loading", "std_loading", "score_weight")


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of the factor scores in each of B draws: a score is ``sum(weight * (x - centre))``.

    Attributes
    ----------
    weight, centre : (B, contexts + 1, p) float64
        Of each context, then over all; a weight is NaN where the model has no proper solution.
    """

    weight: Array
    centre: Array


@dataclass(frozen=True, slots=True)
class Labels:
    """How the label is computed from the means of the questions.

    Attributes
    ----------
    indicators : list of str
        Questions whose means enter the label.
    fits : sequence of CFABootstrapResult
        The factor models of the contexts, then the one over all contexts; empty if the label is a
        mean.
    groups : sequence of GroupFit
        Of each context, then over all.
    names : list of str
        The names of these groups.
    base : (groups, p) float64
        Means over the rows of each group.
    n_subjects : int
    """

    indicators: list[str]
    fits: Sequence[CFABootstrapResult]
    groups: Sequence[GroupFit]
    names: list[str]
    base: Array
    n_subjects: int

    def of_all(self) -> Weights:
        """Return the weights of all subjects."""
        if not self.groups:
            return self._equal(1)
        p = len(self.indicators)
        weight = np.array([group.estimate[3 * p : 4 * p] for group in self.groups])
        return Weights(weight[None], self.base[None])

    def without_each(self) -> Weights:
        """Return the weights without each subject, also if a residual variance falls below 0."""
        if not self.groups:
            return self._equal(self.n_subjects)
        p = len(self.indicators)
        weight = np.repeat(self.of_all().weight, self.n_subjects, axis=0)
        centre = np.repeat(self.base[None], self.n_subjects, axis=0)
        for g, group in enumerate(self.groups):
            weight[group.clusters, g] = group.jackknife[3 * p : 4 * p].T
            left = group.sums[:, : 1 + p].sum(axis=0) - group.sums[:, : 1 + p]
            with np.errstate(divide="ignore", invalid="ignore"):
                centre[group.clusters, g] += left[:, 1:] / left[:, :1]
        return Weights(weight, centre)

    def drawn(self, counts: NDArray[np.int32]) -> tuple[Weights, Array]:
        """Return the weights of drawn subjects, and the quantities (q, B) of all factor models."""
        B, p = len(counts), len(self.indicators)
        if not self.groups:
            return self._equal(B), np.empty((0, B))
        weight, centre = np.empty((2, B, len(self.groups), p))
        refits = []
        for g, group in enumerate(self.groups):
            own = np.ascontiguousarray(counts[:, group.clusters])
            values, _ = drawn_refits(group, own, 1)
            weight[:, g] = values[:, 3 * p : 4 * p]
            refits.append(values.T)
            total = own @ group.sums[:, : 1 + p]
            with np.errstate(divide="ignore", invalid="ignore"):
                centre[:, g] = self.base[g] + total[:, 1:] / total[:, :1]
        return Weights(weight, centre), np.concatenate(refits)

    def _equal(self, B: int) -> Weights:
        p = len(self.indicators)
        shape = (B, max(len(self.names), 1), p)
        return Weights(np.full(shape, 1 / p), np.zeros(shape))


def read_labels(
    rated: Rated, model: ModelLike | None, columns: Columns, confidence: float
) -> Labels:
    """Return how the label is made; `FactorModelError` if a factor model gives no scores."""
    contexts = [str(label) for label in rated.contexts]
    names = [*contexts, ALL] if len(contexts) > 1 else [ALL]
    n = len(rated.subjects)
    if model is None:
        return Labels(rated.questions, (), (), names, np.empty((0, 0)), n)
    _check_questions(model, rated, columns)
    options: dict[str, Any] = {"cluster": columns.cluster, "n_boot": 0, "confidence": confidence}
    with warnings.catch_warnings():
        # The predictive models have equally few subjects, and the warning is given only once.
        warnings.simplefilter("ignore", FewSubjectsWarning)
        fits = [bootstrap_cfa(rated.clips, model, **options)]
        if len(contexts) > 1:
            fits.insert(0, bootstrap_cfa(rated.clips, model, context=columns.context, **options))
    groups = [group for fit in fits for group in fit.draws.groups]
    indicators = list(fits[-1].model.indicators)
    for name, group in zip(names, groups, strict=True):
        if np.isnan(group.estimate).any():
            where = "" if name == ALL else say(" in context {context:label}", context=name)
            raise FactorModelError(
                f"the factor model has a negative residual variance{where}, so it gives no "
                "scores that models could predict; use other questions, or their mean as the label",
                reason="inadmissible",
            )
    values = rated.clips[indicators].to_numpy(dtype=np.float64)
    there = ~np.isnan(values).any(axis=1)
    base = [values[there].mean(axis=0)]
    if len(contexts) > 1:
        assert columns.context is not None
        of_clip = rated.clips[columns.context]
        base[:0] = [values[there & (of_clip == label).to_numpy()].mean(axis=0)
                    for label in rated.contexts]  # fmt: skip
    return Labels(indicators, fits, groups, names, np.array(base), n)


def _check_questions(model: ModelLike, rated: Rated, columns: Columns) -> None:
    unknown = [name for name in parse_model(model).indicators if name not in rated.questions]
    if unknown:
        where = "" if columns.question is None else f" in column {columns.question!r}"
        raise ColumnError(
            say(
                "{model=} names {unknown}, but the questions{where} are {questions}",
                unknown=listed(unknown),
                where=where,
                questions=listed(rated.questions, most=20),
            )
        )
