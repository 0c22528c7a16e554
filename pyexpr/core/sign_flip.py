"""Sign-flip test of two models' predictions: checked call of the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.checks import kernel_threads
from pyexpr.core.arrays import for_kernel
from pyexpr.core.cluster_bootstrap import METRICS, SUMS, Column
from pyexpr.core.extension import kernels
from pyexpr.core.streams import SIGN_FLIPS, checked_seed

if TYPE_CHECKING:
    from numpy.typing import NDArray

_AT = {name: position for position, name in enumerate(SUMS)}


@dataclass(frozen=True, slots=True)
class FlipPair:
    """Sums (9, clusters) of two columns with the same truth, centred and scaled in the same way."""

    metric: str
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    centres: tuple[float, float]


def flip_pair(metric: str, part: str, first: Column, second: Column) -> FlipPair:
    """Transform two columns with the same rows and truth so that they can be exchanged.

    For a correlation both predictions are standardised (mean 0, variance 1 over all
    rows): it has no unit, but a mixture of two predictions in different units has a different
    correlation. The other metrics depend on the unit, so the predictions are not standardised.
    """
    centre_t = first.centres[1]
    if metric == "correlation":
        return FlipPair(
            metric, _standardised(first), _standardised(second), (0.0, first.centres[1])
        )
    centre = (first.centres[0] + second.centres[0]) / 2
    if part == "within":  # Nothing was taken off but the clusters' means.
        return FlipPair(metric, first.sums, second.sums, (centre, centre_t))
    return FlipPair(
        metric,
        _moved(first, first.centres[0] - centre),
        _moved(second, second.centres[0] - centre),
        (centre, centre_t),
    )


def _standardised(column: Column) -> NDArray[np.float64]:
    n, p, pp = (float(column.sums[_AT[name]].sum()) for name in ("n", "p", "pp"))
    mean = p / n
    # A constant prediction has no correlation, however it is scaled.
    deviation = np.sqrt(max(pp / n - mean * mean, 0.0)) or 1.0
    sums = _moved(column, -mean)
    sums[_AT["p"]] /= deviation
    sums[_AT["pt"]] /= deviation
    sums[_AT["pp"]] /= deviation * deviation
    return sums


def _moved(column: Column, shift: float) -> NDArray[np.float64]:
    """Return the sums with `shift` added to every centred p."""
    n, p, t = (column.sums[_AT[name]] for name in ("n", "p", "t"))
    sums = column.sums.copy()
    sums[_AT["p"]] += n * shift
    sums[_AT["pp"]] += shift * (2 * p + n * shift)
    sums[_AT["pt"]] += shift * t
    return sums


def sign_flips(
    pairs: Sequence[FlipPair],
    strata: Sequence[int],
    n: int,
    *,
    every: bool,
    seed: int = 0,
    first: int = 0,
    n_threads: int | None = None,
) -> NDArray[np.float64]:
    """Return the studentised difference of every pair in `n` flips, (pairs, n).

    Parameters
    ----------
    pairs : sequence of FlipPair
        Over the same clusters, sorted by stratum.
    strata : sequence of int
        Numbers of clusters per stratum.
    every : bool
        Whether flips are taken by number, bit g of which exchanges cluster g (0 is the observed
        data). Otherwise they are random: cluster g of flip r is exchanged if the highest bit of
        word g of replicate r, from stream 2, is set.
    first : int
        Number of the first flip.

    Returns
    -------
    (pairs, n) float64
        NaN if a metric is undefined, or if its difference is the same without any one cluster. The
        bytes depend neither on `n_threads` nor on the division of a range.
    """
    return np.asarray(
        kernels.sign_flips(
            for_kernel(np.stack([pair.first for pair in pairs])),
            for_kernel(np.stack([pair.second for pair in pairs])),
            [METRICS.index(pair.metric) for pair in pairs],
            np.array([pair.centres for pair in pairs], dtype=np.float64),
            list(strata),
            every,
            checked_seed(seed),
            SIGN_FLIPS,
            first,
            n,
            kernel_threads(n_threads),
        )
    )
