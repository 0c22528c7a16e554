"""The basis of the tables of coefficients: rows, weights, slopes, and adjustment of tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import DataError
from pyexpr.base.messages import message_column
from pyexpr.inference.coefficients.cluster_ols import ClusterOLS
from pyexpr.inference.coefficients.data import CoefficientData
from pyexpr.inference.coefficients.notes import NEEDS_ONE, NO_VARIATION
from pyexpr.inference.coefficients.penalised import Weights
from pyexpr.inference.coefficients.slopes import SlopeSpace
from pyexpr.inference.coefficients.two_way_ols import TwoWayOLS
from pyexpr.resampling.tests import ContrastTests

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class CoefficientEvidence:
    """Weights and slopes of every context and over all contexts, with the options of their tests.

    Attributes
    ----------
    data : CoefficientData
        The rows used.
    weights : tuple of Weights
        The weights of each context, then those over all contexts, with their replicates.
    spaces : tuple of SlopeSpace
        The slopes of the contexts, estimated jointly; then those over all contexts.
    differences : mapping
        For each pair of contexts, the replicates of the difference of weights, or why there are
        none.
    rule : str, optional
        The adjustment for several tests.
    """

    data: CoefficientData
    weights: tuple[Weights, ...]
    spaces: tuple[SlopeSpace, ...]
    differences: Mapping[tuple[int, int], NDArray[np.float64] | str]
    confidence: float
    seed: int
    n_boot: int
    rule: str | None = None

    def space_of(self, model: int) -> tuple[SlopeSpace, int]:
        """Return the space that contains the slopes of a model, and the model's position in it."""
        C = len(self.data.contexts)
        return (self.spaces[0], model) if model < C else (self.spaces[1], 0)

    def method_of(self, space: SlopeSpace) -> str:
        """Return how slopes were estimated, as it is named in tables."""
        if isinstance(space.slopes, ClusterOLS):
            return f"least squares, {space.slopes.cr}"
        if isinstance(space.slopes, TwoWayOLS):
            return "least squares, two memberships"
        return "desparsified"

    def joint_space(self) -> SlopeSpace:
        """Return the slopes of all contexts; raise an error if there is only one context."""
        if len(self.data.contexts) < 2:
            raise DataError(
                f"there is only one context, {self.data.contexts[0]!r}, so there are no contrasts"
            )
        return self.spaces[0]

    def pairs(self) -> list[tuple[int, int]]:
        """Return every pair of contexts."""
        return list(combinations(range(len(self.data.contexts)), 2))

    def slopes_of(self, model: int) -> dict[str, Any]:
        """Return the tested columns of one model's slopes."""
        space, c = self.space_of(model)
        p = len(self.data.features)
        contrasts = [space.weights([(c, j, 1.0)]) for j in range(p)]
        missing = [space.why_missing([c], j) for j in range(p)]
        return self.tested(space, contrasts, missing, [np.arange(p)])

    def tested(
        self,
        space: SlopeSpace,
        contrasts: Sequence[NDArray[np.float64] | None],
        missing: Sequence[str],
        families: Sequence[NDArray[np.int64]],
    ) -> dict[str, Any]:
        """Return the tested columns of contrasts, adjusted within each family.

        `missing` holds, for each contrast, why it is None or refused; otherwise "".
        """
        tests = space.tests(contrasts)
        low, high = tests.limits(self.confidence)
        reason = list(missing)
        for i in np.flatnonzero(np.isnan(tests.statistic) & ~np.isnan(tests.estimate)):
            unknown = NO_VARIATION if np.isfinite(tests.std_error[i]) else NEEDS_ONE
            reason[i] = reason[i] or unknown
            low[i] = high[i] = np.nan
        columns: dict[str, Any] = {
            "estimate": tests.estimate,
            "std_error": tests.std_error,
            "statistic": tests.statistic,
            "df": tests.df,
            "n_effective": np.array([space.n_effective(one) for one in contrasts]),
            "p_value": tests.p_value,
            "conf_low": low,
            "conf_high": high,
            "method": self.method_of(space),
            "reason": message_column(reason),
        }
        if self.rule is None:
            return columns
        p_adjusted = np.full(len(contrasts), np.nan)
        adjustment = np.full(len(contrasts), self.rule, dtype=object)
        for family in families:
            own = [contrasts[i] for i in family]
            adjustment[family] = rule = space.rule_of(own, self.rule)
            p_adjusted[family], low[family], high[family] = space.adjusted(
                own,
                ContrastTests(*(getattr(tests, name)[family] for name in _TESTS)),
                rule,
                self.confidence,
                self.seed,
            )
        return {**columns, "p_adjusted": p_adjusted, "adjustment": adjustment}


_TESTS = ("estimate", "std_error", "statistic", "df", "p_value")
