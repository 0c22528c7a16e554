"""From the compared quantities to estimates, replicates and the jackknife."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.errors import DataError
from pyexpr.base.messages import joined, say
from pyexpr.core.cluster_bootstrap import MetricDesign
from pyexpr.inference.comparison.called import CalledDesign
from pyexpr.inference.comparison.folds import fold_inflation
from pyexpr.inference.comparison.levels import Group
from pyexpr.inference.comparison.metrics import Metric, kind_named
from pyexpr.inference.comparison.quantities import Row
from pyexpr.resampling.intervals.evidence import Evidence, JackknifeGroup
from pyexpr.resampling.memberships import NO_ERRORS_OF_TWO, Crossing
from pyexpr.resampling.result import Drawn, ErrorsWithin, in_pieces

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A difference below this fraction of the larger level is treated as a rounding error.
_ROUNDING = 1e-13
# Number of clusters times columns that take a tenth of a second.
_STEPS = 10_000_000


@dataclass(frozen=True, slots=True)
class MetricDraws:
    """The replicates of all groups, any range of them; see `Draws`."""

    groups: tuple[Group, ...]
    n_rows: int
    seed: int
    n_threads: int | None
    zero_rows: tuple[int, ...]  # differences that are only rounding errors
    progress: bool | None = None

    @property
    def by_kernel(self) -> bool:
        """Return whether no function is called."""
        return not self._called

    @property
    def _called(self) -> bool:
        return any(isinstance(group.design, CalledDesign) for group in self.groups)

    @property
    def clusters(self) -> Sequence[NDArray[np.int64]]:
        """Return the clusters of each group; with two memberships, the members."""
        return [group.clusters if group.members is None else group.members for group in self.groups]

    def replicates(self, first: int, n: int) -> Drawn:
        """Return replicates `first` to ``first + n - 1``."""
        values, done = self._collect("replicates", first, n, _STEPS)
        return Drawn(values[:, :done])

    def errors(self, first: int, n: int) -> NDArray[np.float64]:
        """Return the (rows, n) standard errors within them."""
        if any(group.memberships is not None for group in self.groups):
            raise DataError(NO_ERRORS_OF_TWO)
        most = max((len(group.clusters) for group in self.groups), default=1)
        values, done = self._collect("standard_errors", first, n, _STEPS // (8 * most))
        if done < n:
            raise KeyboardInterrupt
        return values

    def with_functions(self, metrics: Mapping[str, Metric | None]) -> MetricDraws:
        """Return the same with the functions passed again, after a check that they are the same.

        Raises `DataError` if one is missing, or gives another value on all rows.
        """
        return replace(self, groups=tuple(_with_functions(one, metrics) for one in self.groups))

    def _collect(
        self, what: str, first: int, n: int, steps: int
    ) -> tuple[NDArray[np.float64], int]:
        """Return the replicates (rows, n), and how many of them were computed."""
        out = np.empty((self.n_rows, n))
        if sum(len(group.rows) for group in self.groups) < self.n_rows:
            out.fill(np.nan)

        def fill(at: int, size: int) -> None:
            for group in self.groups:
                if group.memberships is not None:
                    counts = group.memberships.drawn(size, seed=self.seed, first=first + at)
                    drawn = group.design.weighted(counts, n_threads=self.n_threads)
                    out[list(group.rows), at : at + size] = drawn
                    continue
                getattr(group.design, what)(
                    size,
                    seed=self.seed,
                    first=first + at,
                    rows=group.rows,
                    offset=at,
                    out=out,
                    n_threads=self.n_threads,
                )

        work = sum(len(group.clusters) * len(group.design.columns) for group in self.groups)
        start = 1 if self._called else steps // max(work, 1)
        done = in_pieces(n, fill, start=start, show=self.progress)
        if self.zero_rows:
            out[list(self.zero_rows)] = 0.0
        return out, done


def _with_functions(group: Group, metrics: Mapping[str, Metric | None]) -> Group:
    design = group.design
    if not isinstance(design, CalledDesign):
        return group
    functions = {}
    for name in design.functions:
        function = metrics.get(name)
        if function is None:
            raise DataError(
                say(
                    "{metrics=} must contain all functions of this result, but that of "
                    "{name!r} is missing",
                    name=name,
                )
            )
        functions[name] = function
    return replace(group, design=replace(design, functions=functions))


def only_rounding(rows: Sequence[Row], groups: Sequence[Group]) -> tuple[int, ...]:
    """Return the differences that are 0 except for rounding, whichever subject is left out.

    A model and a linear function of it have the same correlation, which may differ in the last
    bits. Otherwise, this difference would be tested.
    """
    level: dict[int, float] = {}
    place: dict[int, tuple[Group, int, float]] = {}
    for group in groups:
        for k, (i, value) in enumerate(zip(group.rows, group.design.estimate(), strict=True)):
            place[i] = group, k, abs(float(value))
            if rows[i].second is None:
                level[rows[i].first] = abs(float(value))
    found = []
    for i, (group, k, difference) in place.items():
        row = rows[i]
        if row.second is None:
            continue
        least = 1.0 if row.ratio or kind_named(row.base).bounded else 0.0
        size = max(level.get(row.first, 0.0), level.get(row.second, 0.0), least)
        # Levels may be equal by chance, but then they differ if some subject is left out.
        if difference <= _ROUNDING * size:
            left_out = np.abs(group.design.jackknife()[k])
            if (left_out <= _ROUNDING * size).all():
                found.append(i)
    return tuple(found)


def gather(
    rows: Sequence[Row],
    groups: Sequence[Group],
    draws: MetricDraws,
    why_undefined: Sequence[str],
    null: tuple[float, Mapping[str, float]],
    drawn: Drawn,
    repeats: Sequence[int],
    first: int,
) -> Evidence:
    """Arrange estimates, replicates and the values without each subject.

    `why_undefined` and `repeats` are those of `Levels`, by level. `null` holds the null value of
    levels, and of the differences of each metric. `first` is the number of the first replicate.
    """
    estimate = np.full(len(rows), np.nan)
    inflation = np.ones(len(rows))
    jackknives = []
    for group in groups:
        positions = np.array(group.rows)
        estimate[positions] = group.design.estimate()
        effective = effective_clusters(group.design)
        if any(level.folds > 1 for level in group.design.levels):
            # For kappa these are classes.
            n_folds = [
                group.design.levels[q.minuend].folds if kind_named(rows[i].base).folds else 1
                for i, q in zip(group.rows, group.design.quantities, strict=True)
            ]
            inflation[positions] = [
                fold_inflation(rows[i].part, float(worth), K, repeats[rows[i].first])
                for i, worth, K in zip(group.rows, effective.sum(axis=1), n_folds, strict=True)
            ]
        jackknives.append(_jackknife(group, np.isin(positions, draws.zero_rows), effective))
    estimate[list(draws.zero_rows)] = 0.0
    reasons = []
    for row in rows:
        causes = [why_undefined[row.first]]
        if row.second is not None:
            causes.append(why_undefined[row.second])
        reasons.append(joined([row.note, *causes]))
    return Evidence(
        estimate=estimate,
        scale=[row.scale for row in rows],
        simple_df=np.array([row.simple_df for row in rows]),
        null=np.array([_null(row, *null) for row in rows]),
        replicates=drawn.values,
        groups=jackknives,
        reason=reasons,
        replicate_errors=ErrorsWithin(draws, drawn.values.shape[1], first),
        n_threads=draws.n_threads,
        inflation=inflation,
        ratio=np.array([row.ratio for row in rows]),
    )


def _jackknife(
    group: Group, zero: NDArray[np.bool_], effective: NDArray[np.float64]
) -> JackknifeGroup:
    """Return the values of a group without each cluster; `zero` are differences of 0."""
    design, positions = group.design, np.array(group.rows)
    values = design.jackknife()
    values[zero] = 0.0
    memberships = group.memberships
    if memberships is None:
        return JackknifeGroup(positions, values, design.strata, effective, group.clusters)
    without = design.weighted(memberships.without_each())
    without[zero] = 0.0
    crossing = Crossing(memberships, values, rows_of_quantities(design))
    return JackknifeGroup(
        positions, without, memberships.sizes, None, group.members, crossing=crossing
    )


def effective_clusters(design: MetricDesign | CalledDesign) -> NDArray[np.float64]:
    """Return ``(sum n_g)^2 / sum n_g^2`` of each quantity and stratum, (quantities, strata).

    n_g is the number of rows of the quantity in cluster g, over all of its columns: those of both
    levels of a difference, or of all raters of a mean. For metrics between subjects, each subject
    counts once.
    """
    rows = rows_of_quantities(design)
    starts = np.concatenate([[0], np.cumsum(design.strata)[:-1]])
    total = np.add.reduceat(rows, starts, axis=1)
    return np.asarray(total**2 / np.add.reduceat(rows**2, starts, axis=1))


def rows_of_quantities(design: MetricDesign | CalledDesign) -> NDArray[np.float64]:
    """Return the number of rows of each quantity in each cluster, over all of its columns."""
    n = np.array([column.sums[0] for column in design.columns])
    levels = np.array([n[list(level.columns)].sum(axis=0) for level in design.levels])
    # A row of zeros for quantities that are not differences.
    levels = np.concatenate([levels, np.zeros_like(levels[:1])])
    minuend = [q.minuend for q in design.quantities]
    subtrahend = [-1 if q.subtrahend is None else q.subtrahend for q in design.quantities]
    return np.asarray(levels[minuend] + levels[subtrahend])


def worth(evidence: Evidence) -> NDArray[np.float64]:
    """Return the effective number of subjects of equal size of each quantity, (rows,)."""
    found = np.full(len(evidence.estimate), np.nan)
    for group in evidence.groups:
        if group.effective is not None:
            found[group.rows] = group.effective.sum(axis=1)
    return found


def _null(row: Row, null: float, of_differences: Mapping[str, float]) -> float:
    if row.second is not None:
        # The logarithm of a ratio of 1 is 0.
        return 0.0 if row.ratio else of_differences[row.metric]
    if row.chance is not None:
        return row.chance
    return null if kind_named(row.base).tested else np.nan
