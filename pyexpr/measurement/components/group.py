"""One context's ratings, their variance components, and how far these vary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import DataError
from pyexpr.base.messages import say
from pyexpr.measurement.components.blocks import (
    MOST_NUMBERS,
    are_outer,
    blocks_of,
    leaves_out,
    size_of,
)
from pyexpr.measurement.components.design import Design, degrees_of_freedom
from pyexpr.measurement.components.intervals import Sampling, sampling_of, without_replicates
from pyexpr.measurement.components.notes import ALIKE, EXACT, NOT_CONVERGED, TOO_LARGE
from pyexpr.measurement.components.reml import Fit, fit

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ComponentsGroup:
    """The variance components of one context.

    Attributes
    ----------
    labels : tuple
        Labels of the context.
    n_rows, n_missing, n_ratings : int
        Numbers of rows read, without a score, and with a score.
    levels : tuple of int
        Number of levels of each effect.
    numbers : tuple of float
        Number of levels of each facet over which a mean is taken: within the facet in which it is
        nested, or per cell of the other facets; harmonic means.
    variances, std_errors, df : ndarray, shape (q + 1,)
        Estimates, their standard errors from the expected information, degrees of freedom of a
        complete design; the residual is last.
    criterion : float
        Minus twice the restricted log-likelihood.
    sampling : Sampling
        Estimates without each object.
    reason : str
        Why there are no estimates.
    """

    labels: tuple[Any, ...]
    n_rows: int
    n_missing: int
    n_ratings: int
    levels: tuple[int, ...]
    numbers: tuple[float, ...]
    variances: NDArray[np.float64]
    std_errors: NDArray[np.float64]
    df: NDArray[np.float64]
    criterion: float
    sampling: Sampling
    reason: str = ""


def computed(
    design: Design,
    labels: tuple[Any, ...],
    values: NDArray[np.float64],
    codes: Mapping[str, NDArray[np.int64]],
    n_rows: int,
) -> ComponentsGroup:
    """Return the variance components of one context.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Scores, none missing.
    codes : dict of ndarray of int64, shape (n,)
        Levels of each facet.
    """
    levels = {effect: crossed(codes, effect) for effect in design.closed_sets()}
    counts = {effect: int(own.max()) + 1 for effect, own in levels.items()}
    _check_nesting(design, counts)
    effects = [levels[effect] for effect in design.effects]
    objects = levels[design.closure(design.sampled)]
    alone = leaves_out(objects, effects)
    owners = objects if alone else _owners(design, levels, effects)
    if size_of(owners, effects) > MOST_NUMBERS:
        raise DataError(
            say(
                "the design has too many levels for {object_of_measurement=literal}; choose as "
                "object of measurement the facet with most levels, or leave out interactions in "
                "{effects=}",
                literal=design.measured,
            )
        )
    blocks = blocks_of(values, owners, effects)
    found = fit(blocks)
    reason = _reason(design, found)
    df = degrees_of_freedom(design, counts, len(values))
    q = len(effects)
    if reason:
        nothing = np.full(q + 1, np.nan)
        sampling = Sampling(np.zeros((0, q + 1)), nothing, df, (False,) * (q + 1), reason)
        variances, std_errors, criterion = nothing, nothing, float("nan")
    else:
        sampling = (
            sampling_of(blocks, found, df)
            if alone
            else without_replicates(found, df, are_outer(objects, effects), TOO_LARGE)
        )
        variances, std_errors = found.variances, np.sqrt(np.diag(found.covariance))
        criterion = found.criterion
    return ComponentsGroup(
        labels=labels,
        n_rows=n_rows,
        n_missing=n_rows - len(values),
        n_ratings=len(values),
        levels=tuple(counts[effect] for effect in design.effects),
        numbers=tuple(_number(design, levels, codes, facet) for facet in design.facets),
        variances=variances,
        std_errors=std_errors,
        df=df,
        criterion=criterion,
        sampling=sampling,
        reason=reason,
    )


def _owners(
    design: Design,
    levels: Mapping[tuple[str, ...], NDArray[np.int64]],
    effects: Sequence[NDArray[np.int64]],
) -> NDArray[np.int64]:
    """Return the levels of the facet by which ratings are divided into blocks at the least cost.

    The estimates do not depend on this choice.
    """
    outermost = [design.closure(name) for name in design.facets if len(design.closure(name)) == 1]
    return min((levels[one] for one in outermost), key=lambda own: size_of(own, effects))


def crossed(codes: Mapping[str, NDArray[np.int64]], names: Sequence[str]) -> NDArray[np.int64]:
    """Return codes from 0, without gaps, of the combinations of levels."""
    found = np.unique(codes[names[0]], return_inverse=True)[1]
    for name in names[1:]:
        own = np.unique(codes[name], return_inverse=True)[1]
        found = np.unique(found * (int(own.max()) + 1) + own, return_inverse=True)[1]
    return found.astype(np.int64)


def _check_nesting(design: Design, counts: Mapping[tuple[str, ...], int]) -> None:
    """Raise `DataError` if each level of a facet occurs with only one level of another facet."""
    for inner in design.facets:
        for outer in design.facets:
            own, other = design.closure(inner), design.closure(outer)
            if outer in own or inner in other:
                continue
            both = tuple(name for name in design.facets if name in own or name in other)
            if counts[both] == counts[own] and counts[other] > 1:
                raise DataError(
                    say(
                        "every level of {inner:label} occurs with one level of {outer:label} only, "
                        "so the two are not crossed; declare it in {nested=}, or give "
                        "{inner:label} the same labels throughout",
                        inner=inner,
                        outer=outer,
                    )
                )


def _number(
    design: Design,
    levels: Mapping[tuple[str, ...], NDArray[np.int64]],
    codes: Mapping[str, NDArray[np.int64]],
    facet: str,
) -> float:
    """Return the harmonic mean number of a facet's levels in the cells that have them."""
    closure = design.closure(facet)
    if len(closure) > 1:
        around = tuple(name for name in closure if name != facet)
    else:
        around = tuple(name for name in design.facets if facet not in design.closure(name))
    own = levels[closure]
    if not around:
        return float(own.max() + 1)
    cells = crossed(codes, around)
    pairs = np.unique(cells * (int(own.max()) + 1) + own)
    numbers = np.bincount(pairs // (int(own.max()) + 1))
    return float(1 / np.mean(1 / numbers))


def _reason(design: Design, found: Fit) -> str:
    if found.alike:
        effects = [*design.effects, ()]
        names = " and ".join(design.label(effects[k]) for k in found.alike)
        return ALIKE(names=names)
    if found.exact:
        return EXACT
    return "" if found.converged else NOT_CONVERGED
