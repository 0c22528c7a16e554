"""The sign-flip test of two models, whose predictions are exchanged for whole subjects.

Sources: Fisher (1935); Davison and Hinkley (1997), section 4.3; for studentising in
each flip Janssen (1997).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from pyexpr.base.checks import whole_number
from pyexpr.base.errors import DataError
from pyexpr.base.messages import Template, message_column, say
from pyexpr.base.results import Result
from pyexpr.base.versions import versions
from pyexpr.core import cluster_bootstrap as core
from pyexpr.core.sign_flip import FlipPair, flip_pair, sign_flips
from pyexpr.core.streams import SIGN_FLIPS
from pyexpr.figures.comparison import sign_flip_figure
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.inference.comparison.called import CalledDesign
from pyexpr.inference.comparison.levels import Group
from pyexpr.inference.comparison.quantities import Row, labels_of, structure_of
from pyexpr.resampling.intervals.evidence import ONLY_ONE_SUBJECT

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

MOST_FOR_ALL = 100_000
# Statistics of flips that differ only by rounding are ties, and ties count as extreme.
_TIE = 1e-12
# Ctrl-C takes effect between two calls of the kernel; the statistics of one call are in memory.
_AT_ONCE = 4096
# Metrics of ranks, and of several classes at once.
NOT_FLIPPED = core.OF_RANKS | {"kappa"}


_HYPOTHESIS = Template(
    "exchangeable_predictions",
    "the hypothesis is that the two models' predictions are exchangeable within subjects, and "
    "the test is exact only for it; models that fail in different ways are not exchangeable, "
    "and {method:metric}, which tests whether the metrics are equal, is then appropriate",
)(method="jackknife_t")
_UNDEFINED = Template("difference_undefined", "the difference is undefined")()
_NO_VARIATION = Template(
    "difference_without_variation",
    "the difference is undefined, or does not change if any one subject is left out, so its "
    "variation cannot be estimated",
)()
_OVER_FOLDS = Template(
    "folds_not_exchanged", "averages over folds cannot be exchanged; see {method:metric}"
)(method="jackknife_t")
_NOT_OF_SUMS = Template(
    "metric_not_of_sums",
    "{metric:metric} is not a function of sums, which the test exchanges; see {method:metric}",
)
_OVER_CLASSES = Template(
    "classes_not_exchanged",
    "{metric:metric} is a mean over classes, which the test cannot exchange; see {method:metric}",
)
_SEVERAL_COLUMNS = Template(
    "columns_not_exchanged",
    "a model with several columns has no single prediction to exchange; see {method:metric}",
)(method="jackknife_t")
_OTHER_ROWS = Template(
    "rows_not_exchanged",
    "different rows: models evaluated on different rows are not exchangeable",
)()
_OTHER_TRUTHS = Template(
    "truths_not_exchanged",
    "different criteria: models evaluated with different truths are not exchangeable",
)()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SignFlipResult(Result):
    """Tests of differences between models by exchanging their predictions within subjects.

    Attributes
    ----------
    rows : tuple of Row
        The differences.
    estimate, statistic, p_value : (rows,) float64
    n_flips, n_clusters, n_undefined : (rows,) int64
        Undefined flips count as more extreme than the one observed.
    every : (rows,) bool
        Whether all flips were evaluated, rather than a random sample.
    reason : tuple of str
    """

    rows: tuple[Row, ...]
    estimate: NDArray[np.float64]
    statistic: NDArray[np.float64]
    p_value: NDArray[np.float64]
    n_flips: NDArray[np.int64]
    n_clusters: NDArray[np.int64]
    n_undefined: NDArray[np.int64]
    every: NDArray[np.bool_]
    reason: tuple[str, ...]
    seed: int

    def tidy(self) -> pd.DataFrame:
        """Return one row per difference.

        Columns: metric, term, context, estimate, statistic (difference over its jackknife
        standard error), p_value (two-sided), method (``all flips`` or ``random flips``),
        n_flips, n_clusters, n_undefined, reason, and the identification of the row (kind,
        first_model, second_model, first_context, second_context).
        """
        import pandas as pd

        return pd.DataFrame(
            {
                **labels_of(self.rows),
                "estimate": self.estimate,
                "statistic": self.statistic,
                "p_value": self.p_value,
                "method": np.where(self.every, "all flips", "random flips").tolist(),
                "n_flips": self.n_flips,
                "n_clusters": self.n_clusters,
                "n_undefined": self.n_undefined,
                "reason": message_column(self.reason),
                **structure_of(self.rows),
            }
        )

    def printed(self) -> pd.DataFrame:
        """Return the table for printing, in which labels identify the rows."""
        return self.tidy().drop(columns=list(structure_of(self.rows)))

    @drawn("models, contexts and metrics")
    def plot(
        self, *, names: Mapping[Any, str] | None = None, width_mm: float = FULL_WIDTH_MM
    ) -> Figure:
        """Draw every difference with its p-value by metric, with a panel per context.

        The test gives no intervals; `ComparisonResult.plot` draws those of the comparison.

        Examples
        --------
        >>> import numpy as np, pandas as pd
        >>> from pyexpr.inference.comparison.comparison import compare_models
        >>> rng = np.random.default_rng(1)
        >>> table = pd.DataFrame({"subject": np.repeat(np.arange(30), 5)})
        >>> table["y"], table["a"], table["b"] = rng.normal(size=(3, 150))
        >>> result = compare_models(table, truth="y", predictions=["a", "b"], cluster="subject")
        >>> figure = result.sign_flip().plot()
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['a − b']
        """
        return sign_flip_figure(self.tidy(), names=names, width_mm=width_mm)

    def heading(self) -> str:
        """Return a sentence that says what was tested."""
        return (
            f"Sign-flip test of {len(self.rows)} differences: predictions of two models "
            f"exchanged within subjects"
        )

    def provenance(self) -> dict[str, Any]:
        """Return seed, stream, flips and versions."""
        return {
            "method": "sign_flip",
            "seed": self.seed,
            "stream": SIGN_FLIPS,
            "n_flips": sorted(set(self.n_flips.tolist())),
            "versions": versions("pandas"),
        }

    def notes(self) -> tuple[str, ...]:
        """Return the assumptions of the test."""
        return (_HYPOTHESIS,)


def sign_flip_test(
    rows: Sequence[Row],
    groups: Sequence[Group],
    estimate: NDArray[np.float64],
    *,
    n_flips: int,
    seed: int,
    n_threads: int | None,
) -> SignFlipResult:
    """Test every difference between models among `rows`; see `ComparisonResult.sign_flip`."""
    n_flips = whole_number(n_flips, argument="n_flips", least=1)
    tested = [i for i, row in enumerate(rows) if row.between_models and not row.ratio]
    if not tested:
        raise DataError(
            say("the sign-flip test compares models; use two or more, with {pairwise=True}")
        )
    place = {position: k for k, position in enumerate(tested)}
    k = len(tested)
    statistic, p_value = np.full((2, k), np.nan)
    flips, n_clusters, undefined = np.zeros((3, k), dtype=np.int64)
    every = np.zeros(k, dtype=bool)
    reasons = [""] * k
    for group in groups:
        G = len(group.clusters)
        pairs, at = [], []
        for position, quantity in zip(group.rows, group.design.quantities, strict=True):
            if position not in place:
                continue
            here = place[position]
            n_clusters[here] = G
            if np.isnan(estimate[position]):
                reasons[here] = _UNDEFINED
                continue
            pair = _pair(group, rows[position], quantity.minuend, quantity.subtrahend)
            if isinstance(pair, str):
                reasons[here] = pair
            else:
                pairs.append(pair)
                at.append(here)
        if not pairs:
            continue
        if G < 2:
            for here in at:
                reasons[here] = ONLY_ONE_SUBJECT
            continue
        found = _count(pairs, group.design.strata, G, int(n_flips), seed, n_threads)
        statistic[at], p_value[at], undefined[at] = found.statistic, found.p_value, found.undefined
        flips[at], every[at] = found.n, found.every
        for here in at:
            if np.isnan(statistic[here]):
                reasons[here] = _NO_VARIATION
    return SignFlipResult(
        tuple(rows[i] for i in tested),
        estimate[tested],
        statistic,
        p_value,
        flips,
        n_clusters,
        undefined,
        every,
        tuple(reasons),
        seed,
    )


def _pair(group: Group, row: Row, minuend: int, subtrahend: int | None) -> FlipPair | str:
    """Return the two models' sums, or why they cannot be exchanged."""
    assert subtrahend is not None
    one, other = group.design.levels[minuend], group.design.levels[subtrahend]
    if isinstance(group.design, CalledDesign) or one.metric in NOT_FLIPPED:
        return _NOT_OF_SUMS(metric=row.metric, method="jackknife_t")
    if one.metric == "recall" or (one.metric == "f1" and len(one.columns) > 1):
        return _OVER_CLASSES(metric=row.metric, method="jackknife_t")
    if one.folds > 1 or other.folds > 1:
        return _OVER_FOLDS
    if len(one.columns) > 1 or len(other.columns) > 1:
        return _SEVERAL_COLUMNS
    first, second = (group.design.columns[level.columns[0]] for level in (one, other))
    if first.shared != second.shared:
        # Context, part, truth, rows: `build_levels` says what two columns may share.
        own, others = (cast("tuple[object, ...]", one.shared)[:3] for one in (first, second))
        return _OTHER_ROWS if own == others else _OTHER_TRUTHS
    return flip_pair(one.metric, row.part, first, second)


@dataclass(frozen=True, slots=True)
class _Counted:
    statistic: NDArray[np.float64]
    p_value: NDArray[np.float64]
    undefined: NDArray[np.int64]
    n: int
    every: bool


def _count(
    pairs: Sequence[FlipPair],
    strata: Sequence[int],
    n_clusters: int,
    n_random: int,
    seed: int,
    n_threads: int | None,
) -> _Counted:
    """Count the flips at least as extreme as the one observed, which is flip 0 of all."""
    every = 2**n_clusters <= MOST_FOR_ALL
    n = 2**n_clusters if every else n_random
    observed = sign_flips(pairs, strata, 1, every=True)[:, 0]
    least = np.abs(observed) * (1 - _TIE)
    extreme, undefined = np.zeros((2, len(pairs)), dtype=np.int64)
    for first in range(0, n, _AT_ONCE):
        values = sign_flips(
            pairs,
            strata,
            min(_AT_ONCE, n - first),
            every=every,
            seed=seed,
            first=first,
            n_threads=n_threads,
        )
        missing = np.isnan(values)
        undefined += missing.sum(axis=1)
        with np.errstate(invalid="ignore"):
            extreme += (missing | (np.abs(values) >= least[:, None])).sum(axis=1)
    p = extreme / n if every else (extreme + 1) / (n + 1)
    return _Counted(observed, np.where(np.isnan(observed), np.nan, p), undefined, n, every)
