"""The basis of intervals, and the intervals themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.messages import Template
from pyexpr.resampling.influence import jackknife_influence
from pyexpr.resampling.intervals.scales import by_scale, limits
from pyexpr.resampling.memberships import Crossing

if TYPE_CHECKING:
    from numpy.typing import NDArray

SINGLE_IN_STRATUM = Template(
    "single_in_stratum",
    "a stratum has only one subject, so the variation within it cannot be estimated",
)()
ONLY_ONE_SUBJECT = Template("only_one_subject", "only 1 subject")()
UNDEFINED_IN = Template("undefined_replicates", "undefined in {undefined} of {n_boot} replicates")
RAISED = Template("raised", "raised an exception")()


@dataclass(frozen=True, slots=True)
class JackknifeGroup:
    """Quantities that are based on the same clusters, and their values without each of them.

    Attributes
    ----------
    rows : (q,) int64
        Positions of the quantities.
    values : (q, G) float64
        The quantities without each cluster; clusters are sorted by stratum.
    strata : tuple of int
        Sizes of the strata, adding up to G.
    effective : (q, strata) float64, optional
        Number of clusters of equal size that would weigh like those of each stratum:
        ``(sum n_g)^2 / sum n_g^2``, where n_g is the number of the cluster's rows in the quantity.
        None: the number of clusters, as if all weighed the same.
    clusters : (G,) int64, optional
        Positions of the clusters among all, by which groups are brought together. None:
        0 to G - 1.
    why_undefined : str
        Why a quantity has no value without some cluster: "the model has no solution". "": it is
        undefined.
    crossing : Crossing, optional
        If rows belong to two clusters. `values` are then without each member, `strata` the numbers
        of members of each membership, and `clusters` the positions of the members.
    most_df : (q,) float64, optional
        The largest degrees of freedom of each quantity, for what few clusters carry. None: no
        limit.
    refused : tuple of str, optional
        Why a quantity has a value but neither an interval nor a test; "" if it has them.
    """

    rows: NDArray[np.int64]
    values: NDArray[np.float64]
    strata: tuple[int, ...]
    effective: NDArray[np.float64] | None = None
    clusters: NDArray[np.int64] | None = None
    why_undefined: str = ""
    crossing: Crossing | None = None
    most_df: NDArray[np.float64] | None = None
    refused: tuple[str, ...] | None = None

    def influence(self, whole: float, k: int) -> NDArray[np.float64]:
        """Return each cluster's contribution to a quantity; the squares add up to its variance."""
        own = self.values[[k]]
        if self.crossing is None:
            return np.asarray(jackknife_influence(own, self.strata)[0])
        return self.crossing.influence(whole, own[0], k)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What every interval is computed from; arrays are (Q,) unless said otherwise.

    Attributes
    ----------
    estimate : float64
        NaN where undefined, with the reason in `reason`.
    scale : list of str
        Scale on which the quantity is studentised (`pyexpr.resampling.intervals.scales`).
    simple_df : bool
        Whether the degrees of freedom ignore kurtosis.
    null : float64
        Tested value; NaN if there is no test.
    replicates : (Q, B) float64
        NaN where undefined.
    groups : list of JackknifeGroup
    reason : list of str
    replicate_errors : callable
        Returns the (Q, B) standard errors within the replicates, on the scale.
    n_threads : int, optional
    n_failed : int64, optional
        Number of replicates in which computing the quantity failed.
    why_failed : str
        Description of the failure for `reason`; "" if it is not mentioned there.
    inflation : float64, optional
        Factor of the jackknife variances, for variation that leaving out clusters does not show,
        such as that of models fitted to other folds. None: 1.
    ratio : bool, optional
        Whether everything here refers to the logarithm of a ratio, and the ratio is shown.
    unit : float64, optional
        Divisor of a quantity before it is transformed to its scale. None: 1.
    corrected_kurtosis : bool
        As `kurtosis_df` takes it.
    """

    estimate: NDArray[np.float64]
    scale: Sequence[str]
    simple_df: NDArray[np.bool_]
    null: NDArray[np.float64]
    replicates: NDArray[np.float64]
    groups: Sequence[JackknifeGroup]
    reason: Sequence[str]
    replicate_errors: Callable[[], NDArray[np.float64]]
    n_threads: int | None = None
    n_failed: NDArray[np.int64] | None = None
    inflation: NDArray[np.float64] | None = None
    ratio: NDArray[np.bool_] | None = None
    unit: NDArray[np.float64] | None = None
    corrected_kurtosis: bool = True
    why_failed: str = RAISED

    def scaled(
        self, values: NDArray[np.float64], *, rows: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """Return `values`, whose first axis is that of the quantities (or `rows`), on scales."""
        names = self.scale if rows is None else [self.scale[row] for row in rows]
        if self.unit is not None:
            unit = self.unit if rows is None else self.unit[rows]
            values = values / unit.reshape(-1, *(1,) * (values.ndim - 1))
        return by_scale(values, names)

    def limits(
        self, below: NDArray[np.float64], above: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (low, high), (Q,): this far below and above the estimates on their scales."""
        low, high = limits(self.scaled(self.estimate), below, above, self.scale)
        return (low, high) if self.unit is None else (low * self.unit, high * self.unit)

    def shown(
        self, values: NDArray[np.float64], *, rows: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """Return `values`, whose first axis is that of the quantities (or `rows`), as shown.

        Logarithms of ratios become ratios, and the rest is unchanged; without ratios it is not a
        copy.
        """
        if self.ratio is None or not self.ratio.any():
            return values
        ratio = self.ratio if rows is None else self.ratio[rows]
        result = values.copy()
        result[ratio] = np.exp(result[ratio])
        return result

    def shown_error(self, error: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return standard errors (Q,); for a ratio, it times its logarithm's (delta method)."""
        if self.ratio is None:
            return error
        factor = np.ones(len(error))
        factor[self.ratio] = np.exp(self.estimate[self.ratio])
        return factor * error


@dataclass(slots=True)
class Intervals:
    """One row per quantity; arrays are (Q,), NaN with a `reason`.

    `requested` is the requested method, `method` the one used for each row. `p_adjusted` and
    `adjustment` exist after several tests were adjusted together, by `rule`.
    """

    requested: str
    method: list[str]
    confidence: float
    std_error: NDArray[np.float64]
    statistic: NDArray[np.float64]
    df: NDArray[np.float64]
    p_value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    reason: list[str]
    n_undefined: NDArray[np.int64]
    p_adjusted: NDArray[np.float64] | None = None
    adjustment: list[str] | None = None
    rule: str | None = None

    def blank(self, row: int, reason: str) -> None:
        """Remove interval and test from a row that cannot have them."""
        for values in (self.low, self.high, self.p_value, self.statistic, self.df):
            values[row] = np.nan
        self.reason[row] = self.reason[row] or reason

    def give_reasons(self, reasons: Sequence[str]) -> None:
        """Blank every row that has a reason."""
        for row, reason in enumerate(reasons):
            if reason:
                self.blank(row, reason)


def _no_intervals() -> Intervals:
    none = np.empty(0)
    counts = np.empty(0, dtype=np.int64)
    return Intervals("", [], np.nan, none, none, none, none, none, none, [], counts)


# Placeholder of the intervals.
NO_INTERVALS = _no_intervals()
