"""Joining of the parts of an analysis into one result."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, Self, TypeVar

from pyexpr.base.errors import DataError
from pyexpr.base.messages import say
from pyexpr.base.results import Result


class Joinable(Protocol):
    """A result that may be computed in parts."""

    def join(self, *others: Self) -> Self:
        """Return this result and others as one."""


J = TypeVar("J", bound=Joinable)


def join(results: Iterable[J]) -> J:
    """Join the parts of an analysis that were computed in several calls, on one machine or many.

    Two kinds of results can be joined. The first kind are results of `cluster_bootstrap`,
    `compare_models`, `context_coefficients` or `bootstrap_cfa` with the same data, options and
    seed, and with consecutive replicates. Each call has computed a range of them, which is given by
    ``first_replicate`` and ``n_boot``. The random numbers of a replicate depend only on the seed
    and its number, so the result is identical to that of one call for all replicates, to the last
    bit. The second kind are results of `extract_features` with the same options and different
    recordings.

    Parameters
    ----------
    results : iterable of results
        Computed here, or loaded by `load`. Ranges of replicates may be given in any order;
        recordings are in the order of the results.

    Returns
    -------
    Result
        A result of the same class. Intervals are computed again, from all replicates.

    Raises
    ------
    DataError
        If results are of different functions, data, options or seeds; if replicates are
        in two of them, or missing between them; or if a recording is in two of them.

    Notes
    -----
    `n_threads` and `progress` may differ. The result uses those of the result with the first
    replicates. A method that needs many replicates, such as ``"percentile"``, need not be possible
    in each part. Compute the parts with the default method, and then the intervals of the joined
    result by ``interval(method="percentile")``.

    Examples
    --------
    >>> import numpy as np, pandas as pd, pyexpr as px
    >>> table = pd.DataFrame({"subject": np.repeat(np.arange(25), 4), "y": np.arange(100) % 17})
    >>> def mean(rows, weights):
    ...     return np.average(rows["y"], weights=weights)
    >>> options = {"cluster": "subject", "seed": 1}
    >>> parts = [
    ...     px.cluster_bootstrap(table, mean, n_boot=100, **options),
    ...     px.cluster_bootstrap(table, mean, first_replicate=100, n_boot=50, **options),
    ... ]
    >>> whole = px.cluster_bootstrap(table, mean, n_boot=150, **options)
    >>> bool((px.join(parts).replicates == whole.replicates).all())
    True
    """
    if isinstance(results, Result):
        raise DataError("join() takes several results, such as a list of them, not one result")
    parts = list(results)
    _check(parts)
    return parts[0].join(*parts[1:])


def _check(parts: list[Any]) -> None:
    if not parts:
        raise DataError("join() was given no result")
    first = parts[0]
    if not isinstance(first, Result) or not hasattr(first, "join"):
        raise DataError(
            say(
                "join() takes results of cluster_bootstrap(), compare_models(), "
                "context_coefficients(), bootstrap_cfa() or extract_features(), not {kind}",
                kind=type(first).__name__,
            )
        )
    for other in parts[1:]:
        if type(other) is not type(first):
            raise DataError(
                say(
                    "join() takes results of one function, but there are {kind} and {other}",
                    kind=type(first).__name__,
                    other=type(other).__name__,
                )
            )
