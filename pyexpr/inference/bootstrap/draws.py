"""Replicates of a custom statistic: called as a Python function, or compiled by numba."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from pyexpr.base.arrays import unmasked
from pyexpr.base.errors import DataError, listed
from pyexpr.base.interval_methods import WITHOUT_ERRORS
from pyexpr.base.jobs import Sent, Shared, checked_jobs, in_processes, sent_elsewhere
from pyexpr.base.messages import say
from pyexpr.base.progress import progress as shown
from pyexpr.base.tables import check_flat_columns, numeric_column
from pyexpr.core import compiled_statistic as native
from pyexpr.core.cluster_bootstrap import draw_counts
from pyexpr.core.compiled_statistic import ClusteredRows, CompiledStatistic
from pyexpr.inference.arguments import checked_names
from pyexpr.inference.bootstrap.compiled import compile_statistic, is_compiled
from pyexpr.resampling.memberships import Memberships
from pyexpr.resampling.result import Drawn, in_pieces

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Statistic = Callable[[Any, NDArray[np.float64]], Any]

TABLE = "the table"
# Number of ranges of replicates per process, so that all processes end at about the same time.
_RANGES = 4
NO_ERRORS_WITHIN = (
    "studentized intervals require a standard error within each replicate, which a custom "
    f"statistic does not provide; use {listed(WITHOUT_ERRORS[:-1])} or {WITHOUT_ERRORS[-1]!r}"
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How often each cluster is drawn.

    Attributes
    ----------
    position : (n,) int64
        Each row's cluster among the clusters sorted by stratum.
    order : (G,) int64
        The cluster at each of these positions, as a position among the clusters sorted by label.
    strata : tuple of int
        Sizes of the strata.
    n_jobs : int, optional
        Number of processes in which a Python function is called.
    memberships : Memberships, optional
        Given if rows belong to two clusters: the clusters are then cells.
    """

    position: NDArray[np.int64]
    order: NDArray[np.int64]
    strata: tuple[int, ...]
    seed: int
    n_threads: int | None
    progress: bool | None
    n_jobs: int | None = None
    memberships: Memberships | None = None

    def drawn(self, first: int, n: int) -> NDArray[np.float64]:
        """Return how often each cluster counts in replicates, (n, clusters)."""
        if self.memberships is not None:
            return self.memberships.drawn(n, seed=self.seed, first=first)
        return draw_counts(self.strata, n, seed=self.seed, first=first).astype(np.float64)

    def without(self) -> NDArray[np.float64]:
        """Return how often each cluster counts if each of them, or each member, is left out."""
        return (
            without_each(self.strata)
            if self.memberships is None
            else self.memberships.without_each()
        )


@dataclass(frozen=True, slots=True)
class StatisticDraws(ABC):
    """What called and compiled statistics have in common; see `Draws`."""

    plan: Plan
    terms: tuple[str, ...]
    estimate: NDArray[np.float64]

    @property
    def seed(self) -> int:
        """Return the seed of the random draws."""
        return self.plan.seed

    @property
    def by_kernel(self) -> bool:
        """Return False: a function may take long, or draw numbers of its own."""
        return False

    @property
    def clusters(self) -> Sequence[NDArray[np.int64]]:
        """Return the clusters, the same for all statistics; with two memberships, the members."""
        if self.plan.memberships is not None:
            return [np.arange(sum(self.plan.memberships.sizes))]
        return [self.plan.order]

    @abstractmethod
    def replicates(self, first: int, n: int) -> Drawn:
        """Return replicates `first` to ``first + n - 1``."""

    def errors(self, first: int, n: int) -> NoReturn:
        """Refuse: a function gives no standard error."""
        raise DataError(NO_ERRORS_WITHIN)

    @abstractmethod
    def with_statistic(self, statistic: Statistic | Mapping[str, Statistic]) -> StatisticDraws:
        """Return the same with the function passed again, after a check that it is the same."""

    def _check_same(self, estimate: NDArray[np.float64], terms: Sequence[str]) -> None:
        if tuple(terms) != self.terms or not np.array_equal(estimate, self.estimate):
            found, wanted = (
                ", ".join(f"{term} = {value:.6g}" for term, value in zip(*pair, strict=True))
                for pair in ((terms, estimate), (self.terms, self.estimate))
            )
            raise DataError(
                say(
                    "{statistic=} is not the function of this result: it gives {found} on its "
                    "rows, but the result has {wanted}",
                    found=found,
                    wanted=wanted,
                )
            )


@dataclass(frozen=True, slots=True)
class Called(StatisticDraws):
    """A function that Python calls."""

    rows: pd.DataFrame
    statistic: Statistic

    def replicates(self, first: int, n: int) -> Drawn:
        """Return replicates `first` to ``first + n - 1``."""
        jobs = checked_jobs(self.plan.n_jobs)
        if jobs > 1 or sent_elsewhere():
            return Drawn(self._of_ranges(first, n, jobs))
        values = np.empty((len(self.terms), n))

        def fill(at: int, size: int) -> None:
            values[:, at : at + size] = self.of_range(first + at, size)

        done = in_pieces(n, fill, start=1, show=self.plan.progress)
        return Drawn(values[:, :done])

    def of_range(self, first: int, n: int) -> NDArray[np.float64]:
        """Return the values of replicates `first` to ``first + n - 1``, (terms, n)."""
        values = np.empty((len(self.terms), n))
        for i, drawn in enumerate(self.plan.drawn(first, n)):
            values[:, i] = self._value(drawn)
        return values

    def _of_ranges(self, first: int, n: int, jobs: int) -> NDArray[np.float64]:
        """Return the same from several processes; after Ctrl-C, those before the first gap."""
        size = max(1, -(-n // (_RANGES * jobs)))
        starts = range(0, n, size)
        shared = Shared(Sent(self))
        tasks = [(shared, first + at, min(size, n - at)) for at in starts]
        found: dict[int, NDArray[np.float64]] = {}
        results: Any = in_processes(_of_range, tasks, n_jobs=jobs, what="computes the statistic")
        bar = shown(
            results, total=n, label="resampling", show=self.plan.progress,
            steps=lambda one: one[1].shape[1],
        )  # fmt: skip
        try:
            with closing(results), closing(bar):
                found.update(bar)
        except KeyboardInterrupt:
            pass
        whole = [found[i] for i in takewhile(found.__contains__, range(len(tasks)))]
        return np.concatenate([np.empty((len(self.terms), 0)), *whole], axis=1)

    def with_statistic(self, statistic: Statistic | Mapping[str, Statistic]) -> Called:
        """Return the same with the function passed again, after a check that it is the same."""
        if not callable(statistic):
            raise DataError(
                say(
                    "{statistic=} must be a function of (rows, weights), not {kind}",
                    kind=type(statistic).__name__,
                )
            )
        self._check_same(*named_values(statistic(self.rows.copy(), np.ones(len(self.rows)))))
        return replace(self, statistic=statistic)

    def without(self) -> NDArray[np.float64]:
        """Return the values without each cluster, (terms, clusters), or without each member."""
        return np.stack([self._value(left) for left in self.plan.without()], axis=1)

    def without_cells(self) -> NDArray[np.float64]:
        """Return the values without each cell, (terms, cells)."""
        counts = without_each(self.plan.strata)
        return np.stack([self._value(left) for left in counts], axis=1)

    def _value(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        # Each call gets its own rows, because no version of pandas copies everything that may be
        # written to. The copy takes a tenth of the time of a correlation of two columns, and less
        # than this time even for a hundred thousand rows.
        values, names = named_values(self.statistic(self.rows.copy(), counts[self.plan.position]))
        if names != self.terms:
            raise DataError(
                f"the statistic returned {listed(names)} in a replicate, but "
                f"{listed(self.terms)} on all rows"
            )
        return _finite(values)


@dataclass(frozen=True, slots=True)
class NotCompiled(StatisticDraws):
    """A placeholder in saved results for functions called by the kernel, which cannot be stored."""

    data: ClusteredRows
    digest: bytes  # number of rows

    def replicates(self, first: int, n: int) -> Drawn:
        """Refuse."""
        raise DataError(
            say(
                "a saved result does not hold your compiled functions; pass them again: "
                "result.extend(n, {statistic=}...)"
            )
        )

    def with_statistic(self, statistic: Statistic | Mapping[str, Statistic]) -> Compiled:
        """Return the same with the functions passed again, after a check."""
        named = statistic if isinstance(statistic, Mapping) else {"statistic": statistic}
        functions, estimate, terms = _compiled_functions(named, self.data.rows)
        self._check_same(estimate, terms)
        return Compiled(self.plan, self.terms, self.estimate, self.data, self.digest, functions)


@dataclass(frozen=True, slots=True)
class Compiled(NotCompiled):
    """Functions that the kernel calls."""

    functions: tuple[CompiledStatistic, ...]

    def for_saving(self) -> NotCompiled:
        """Return the same without the addresses of functions of this process."""
        return NotCompiled(self.plan, self.terms, self.estimate, self.data, self.digest)

    def replicates(self, first: int, n: int) -> Drawn:
        """Return replicates `first` to ``first + n - 1``."""
        values = np.empty((len(self.terms), n))
        failed = np.zeros((len(self.functions), n), dtype=bool)
        plan = self.plan

        def fill(at: int, size: int) -> None:
            piece = slice(at, at + size)
            values[:, piece], failed[:, piece] = native.replicates(
                self.functions,
                self.data,
                size,
                seed=plan.seed,
                first=first + at,
                n_threads=plan.n_threads,
            )

        done = in_pieces(n, fill, start=64, show=plan.progress)
        self._check_rows()
        each = failed[:, :done].sum(axis=1)
        n_failed = np.repeat(each, [function.n_values for function in self.functions])
        return Drawn(_finite(values[:, :done]), n_failed)

    def without(self) -> NDArray[np.float64]:
        """Return the values without each cluster, (terms, clusters)."""
        values, _ = native.leave_one_out(self.functions, self.data, n_threads=self.plan.n_threads)
        self._check_rows()
        return _finite(values)

    def _check_rows(self) -> None:
        if _digest(self.data.rows) != self.digest:
            raise DataError(
                "a compiled statistic changed its rows, which all replicates share; use a copy "
                "in the function"
            )


def _of_range(sent: Sent, first: int, n: int) -> NDArray[np.float64]:
    """Return a range of replicates of `Called` (in another process)."""
    values: NDArray[np.float64] = sent.value.of_range(first, n)
    return values


def without_each(strata: Sequence[int]) -> NDArray[np.float64]:
    """Return how often each cluster counts if each one is left out, (clusters, clusters).

    With strata, the numbers are whole numbers that keep the weight of every stratum, as every draw
    does: the other clusters of the same stratum count G_h times, and those of other strata G_h - 1
    times.
    """
    if len(strata) == 1:
        return np.asarray(1 - np.eye(strata[0]))
    size = np.repeat(strata, strata).astype(np.float64)
    stratum = np.repeat(np.arange(len(strata)), strata)
    alike = stratum[:, None] == stratum
    counts = np.where(alike, size[:, None], size[:, None] - 1)
    counts[size == 1] = 1.0
    np.fill_diagonal(counts, 0.0)
    return np.asarray(counts)


def read_statistic(
    frame: pd.DataFrame,
    statistic: Statistic | Mapping[str, Statistic],
    columns: str | Sequence[str] | None,
    compiled: bool | None,
    plan: Plan,
) -> Called | Compiled:
    """Evaluate the statistic on all rows, and return how it is resampled."""
    import pandas as pd

    named = statistic if isinstance(statistic, Mapping) else {"statistic": statistic}
    by_numba = [is_compiled(one) for one in named.values()]
    if not named:
        raise DataError(say("{statistic=} is an empty mapping; name at least one function"))
    for one in named.values():
        if not callable(one):
            raise DataError(
                say(
                    "{statistic=} must be a function of (rows, weights), or a mapping of "
                    "names to compiled ones, not {kind}",
                    kind=type(one).__name__,
                )
            )
    if compiled or (compiled is None and all(by_numba)):
        return _compiled(frame, named, columns, plan)
    if isinstance(statistic, Mapping):
        raise DataError(
            say(
                "{statistic=} is a mapping, which is supported only for functions compiled by "
                "numba; use one function that returns a mapping, or {compiled=True}"
            )
        )
    if columns is not None:
        raise DataError(
            say(
                "{columns=} is only for compiled statistics; a Python function gets the whole table"
            )
        )
    # A copy, so that later changes by the user have no effect. Its index counts from 0, so that a
    # label identifies one row.
    rows = frame.copy()
    rows.index = pd.RangeIndex(len(rows))
    estimate, terms = named_values(statistic(rows.copy(), np.ones(len(rows))))
    _check_estimate(estimate, terms)
    return Called(plan, terms, estimate, rows, statistic)


def _compiled(
    frame: pd.DataFrame,
    named: Mapping[str, Statistic],
    columns: str | Sequence[str] | None,
    plan: Plan,
) -> Compiled:
    if columns is None:
        raise DataError(
            say(
                "a compiled statistic gets arrays; name their columns in order, as in "
                "{columns=['y', 'p']}"
            )
        )
    names = checked_names(columns, argument=say("{columns=}"))
    if not names:
        raise DataError(
            say("{columns=} must name at least one column for a compiled statistic to read")
        )
    check_flat_columns(frame, what=TABLE)
    values = np.array([numeric_column(frame, name, what=TABLE) for name in names])
    rows = np.ascontiguousarray(values.reshape(len(names), len(frame)))
    digest = _digest(rows)
    functions, estimate, terms = _compiled_functions(named, rows)
    _check_estimate(estimate, terms)
    data = ClusteredRows(rows, np.ascontiguousarray(plan.position), plan.strata)
    return Compiled(plan, terms, estimate, data, digest, functions)


def _compiled_functions(
    named: Mapping[str, Statistic], rows: NDArray[np.float64]
) -> tuple[tuple[CompiledStatistic, ...], NDArray[np.float64], tuple[str, ...]]:
    """Return compiled functions, their values on all rows, and the names of these."""
    functions: list[CompiledStatistic] = []
    estimates: list[NDArray[np.float64]] = []
    terms: list[str] = []
    for name, one in named.items():
        function, at_all = compile_statistic(str(name), one, rows)
        functions.append(function)
        estimates.append(at_all)
        single = function.n_values == 1
        terms += [str(name)] if single else [f"{name}_{i + 1}" for i in range(len(at_all))]
    return tuple(functions), np.concatenate(estimates), tuple(terms)


def _digest(rows: NDArray[np.float64]) -> bytes:
    return blake2b(rows.data, digest_size=16).digest()


def _check_estimate(estimate: NDArray[np.float64], terms: Sequence[str]) -> None:
    for term, at_all in zip(terms, estimate, strict=True):
        if not np.isfinite(at_all):
            found = "not defined" if np.isnan(at_all) else "infinite"
            raise DataError(
                say("the statistic {term!r} is {found} on the table itself", term=term, found=found)
            )


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Set infinite values to NaN in place, so that no mean or spread includes them."""
    values[np.isinf(values)] = np.nan
    return values


def named_values(found: float | Mapping[str, float]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return the values of a statistic and their names."""
    items = dict(found) if isinstance(found, Mapping) else {"statistic": found}
    # A masked number is undefined. float() would warn, and for arrays give the value behind the
    # mask.
    items = {name: unmasked(value) for name, value in items.items()}
    try:
        if any(isinstance(value, (str, bytes)) for value in items.values()):
            raise TypeError("text that float() would read")
        values = np.array([float(value) for value in items.values()])
    except (TypeError, ValueError):
        raise DataError(
            say(
                "a statistic must return a number or a mapping of names to numbers, not {found!r}",
                r="a statistic must return a number or numbers with names, not {found!r}",
                found=found,
            )
        ) from None
    if not items:
        raise DataError("the statistic returned an empty mapping")
    return values, tuple(str(key) for key in items)
