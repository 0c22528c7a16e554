r"""Reliabilities as ratios of weighted variance components.

A score is averaged over n_f levels of each facet f. An effect with the facets A contributes its
variance divided by the product of the n_f of these facets, except those of the object of
measurement. The universe score consists of the effects of the object alone or with fixed facets,
and the relative error of the effects of the object with random facets. The absolute error consists
of these and the other effects of random facets (Brennan 2001, chapter 4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.measurement.components.design import Design

if TYPE_CHECKING:
    from numpy.typing import NDArray

RELATIVE, ABSOLUTE = "generalizability", "dependability"
COEFFICIENTS = (RELATIVE, ABSOLUTE)


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of the effects' variances, the residual's last, (q + 1,)."""

    universe: NDArray[np.float64]
    relative: NDArray[np.float64]
    absolute: NDArray[np.float64]

    def error(self, coefficient: str) -> NDArray[np.float64]:
        """Return the weights of the error of a coefficient."""
        return self.relative if coefficient == RELATIVE else self.absolute


def weights_of(design: Design, numbers: Mapping[str, float], fixed: Sequence[str]) -> Weights:
    """Return the weights of the effects in the universe score and in its errors.

    Parameters
    ----------
    numbers : dict
        Number of levels of each facet over which a score is averaged, without the facets of the
        object.
    fixed : sequence of str
        Fixed facets, whose observed levels are all levels of interest.
    """
    measured = set(design.closure(design.measured))
    own = design.closure(design.measured)
    q = len(design.effects)
    universe, relative, absolute = (np.zeros(q + 1) for _ in range(3))
    for k, effect in enumerate([*design.effects, design.facets]):
        others = [name for name in effect if name not in measured]
        weight = 1 / prod(numbers[name] for name in others)
        random = [name for name in others if name not in fixed]
        of_object = set(own) <= set(effect)
        residual = k == q
        if not random and not (residual and design.replicated):
            # Effects of the object, of facets in which it is nested, or only of fixed facets, which
            # cancel.
            universe[k] = weight if set(effect) & measured else 0.0
            continue
        if of_object or residual:
            relative[k] = weight
        absolute[k] = weight
    return Weights(universe, relative, absolute)
