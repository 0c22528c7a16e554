"""The diagnostics of a context's raters from all units, without each unit, and in replicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from pyexpr.base.errors import DataError
from pyexpr.core.cluster_bootstrap import draw_counts
from pyexpr.measurement.icc.forms import FORMS
from pyexpr.measurement.icc.group import signals_without
from pyexpr.measurement.icc.intervals import reliability_at
from pyexpr.measurement.icc.left_out import complete, one_way_sums, two_way_sums
from pyexpr.measurement.raters.notes import (
    ALONE,
    FLAT,
    NEGATIVE,
    NO_DRIFT,
    NO_ERRORS,
    NO_ICC,
    NO_ORDER,
    NOT_THREE,
    TWO_RATERS,
)
from pyexpr.measurement.raters.sums import DriftSums, PairSums, components, correlations
from pyexpr.resampling.result import Drawn, in_pieces

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.measurement.icc.layout import Ratings
    from pyexpr.measurement.raters.cells import Cells

QUANTITIES = ("bias", "error_sd", "correlation", "icc_change", "drift")
#: The scale on which each is studentised; that of an error SD is the cube root of its variance.
SCALES = {
    "bias": "identity", "error_sd": "two_thirds_power", "correlation": "atanh",
    "icc_change": "identity", "drift": "identity",
}  # fmt: skip
#: What is tested: that a rater is like the others.
NULLS = {"bias": 0.0, "icc_change": 0.0, "drift": 0.0}
# Numbers at a time: (ways to count the units, targets, raters) in memory.
_CHUNK = 1_000_000


@dataclass(frozen=True, slots=True)
class RaterGroup:
    """The raters of one context: their cells, and what is computed from them."""

    cells: Cells
    pairs: PairSums
    drift: DriftSums | None
    blocks: NDArray[np.int64]
    parts: NDArray[np.int64]
    quantities: tuple[str, ...]
    form: str

    @classmethod
    def of(cls, cells: Cells, quantities: Sequence[str], form: str) -> RaterGroup:
        """Compute the sums per unit."""
        pairs = PairSums.of(cells)
        number = pairs.number.sum(axis=0)
        return cls(
            cells=cells,
            pairs=pairs,
            drift=DriftSums.of(cells) if "drift" in quantities else None,
            blocks=components(number > 0),
            parts=components(number > 1),
            quantities=tuple(quantities),
            form=form,
        )

    @property
    def n_units(self) -> int:
        """Return the number of subjects, or of targets."""
        return len(self.cells.labels)

    def values(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return all quantities but icc_change if each unit counts so many times, (B, G).

        An array (quantities, q, B). An error SD has the sign of its variance.
        """
        total = self.pairs.times(times)
        biases = total.biases(self.blocks)
        found = {"bias": biases}
        if "error_sd" in self.quantities:
            variance = total.error_variances(self.parts)
            found["error_sd"] = np.sign(variance) * np.sqrt(np.abs(variance))
        if "correlation" in self.quantities:
            found["correlation"] = correlations(self.cells, times, biases)
        if self.drift is not None:
            found["drift"] = self.drift.slopes(times, self.blocks)
        nothing = np.full(biases.shape, np.nan)
        return np.array([found.get(name, nothing).T for name in self.quantities])

    def _in_parts(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return `values` of many ways to count the units, some at a time."""
        n, q = self.cells.table.shape
        step = max(1, _CHUNK // (q * max(n, 4 * q)))
        return np.concatenate(
            [self.values(times[at : at + step]) for at in range(0, len(times), step)], axis=-1
        )

    def without(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the quantities of all units, (Q,), and without each, (Q, G)."""
        g = self.n_units
        found = self._in_parts(np.vstack([np.ones(g), 1 - np.eye(g)]))
        if "icc_change" in self.quantities:
            found[self.quantities.index("icc_change")] = self._icc_changes()
        found = found.reshape(-1, g + 1)
        return found[:, 0], found[:, 1:]

    def drawn(self, first: int, n: int, seed: int) -> NDArray[np.float64]:
        """Return the quantities in replicates `first` to ``first + n - 1``, (Q, n)."""
        counts = draw_counts((self.n_units,), n, seed=seed, first=first).astype(np.float64)
        found = self._in_parts(counts)
        if "icc_change" in self.quantities:
            found[self.quantities.index("icc_change")] = self._icc_changes_drawn(counts)
        return found.reshape(-1, n)

    def _icc_changes(self) -> NDArray[np.float64]:
        """Return the change of the ICC without each rater, of all units and without each."""
        whole = self._icc(self.cells.ratings)
        return np.array([self._icc(other) - whole for other in self._others()])

    def _icc(self, ratings: Ratings) -> NDArray[np.float64]:
        """Return the ICC of all units and without each, (1 + G,); NaN if undefined."""
        assert ratings.table is not None
        found = np.full(self.n_units + 1, np.nan)
        if ratings.table.shape[1] < 2 or ratings.table.shape[0] < 2:
            return found
        form = FORMS[self.form]
        signals = signals_without(ratings, {form.family})[form.family]
        own = ratings.rated_clusters()
        # A unit rated only by the rater who is left out changes nothing.
        found[:] = signals[0]
        found[1 + own] = signals[1:]
        return self._as_icc(found, ratings)

    def _as_icc(self, signals: NDArray[np.float64], ratings: Ratings) -> NDArray[np.float64]:
        at = _ratings_per_target(ratings) if FORMS[self.form].average else 1.0
        return np.array([reliability_at(theta, at) for theta in signals.tolist()])

    def _others(self) -> list[Ratings]:
        """Return the ratings without each rater."""
        table, units = self.cells.table, self.cells.units
        found = []
        for j in range(table.shape[1]):
            rest = np.delete(table, j, axis=1)
            rated = ~np.isnan(rest).all(axis=1)
            found.append(
                replace(
                    self.cells.ratings,
                    table=np.ascontiguousarray(rest[rated]),
                    clusters=units[rated],
                    n_targets=int(rated.sum()),
                    n_raters=rest.shape[1],
                )
            )
        return found

    def _icc_changes_drawn(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the changes in replicates, (q, n); NaN with missing cells, without refitting."""
        whole = self._icc_drawn(self.cells.ratings, counts)
        return np.array([self._icc_drawn(other, counts) - whole for other in self._others()])

    def _icc_drawn(self, ratings: Ratings, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        family = FORMS[self.form].family
        assert ratings.table is not None
        if ratings.table.shape[1] < 2 or (family != "one_way" and not complete(ratings)):
            return np.full(len(counts), np.nan)
        sums = one_way_sums(ratings) if family == "one_way" else two_way_sums(ratings, family)
        with np.errstate(all="ignore"):
            signals = sums.theta(
                np.einsum("bg,gs->bs", counts[:, ratings.rated_clusters()], sums.sums)
            )
        return self._as_icc(signals, ratings)

    def shown(self, estimate: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[str]]:
        """Return the estimates (Q,) in the form shown, and why some are missing."""
        q = len(self.blocks)
        table = estimate.reshape(len(self.quantities), q).copy()
        reasons = np.full(table.shape, "", dtype=object)
        alone = np.bincount(self.blocks)[self.blocks] == 1
        for i, name in enumerate(self.quantities):
            for j in range(q):
                value = table[i, j]
                if name == "error_sd" and value < 0:
                    reasons[i, j] = NEGATIVE(variance=-(value**2))
                    table[i, j] = np.nan
                elif np.isnan(value):
                    reasons[i, j] = ALONE if alone[j] else self._why(name, j)
        return table.ravel(), list(reasons.ravel())

    def _why(self, name: str, rater: int) -> str:
        if name == "icc_change":
            return TWO_RATERS if len(self.blocks) < 3 else NO_ICC
        if name == "drift":
            assert self.drift is not None
            return NO_DRIFT if self.drift.varies[rater] else NO_ORDER
        return {"error_sd": NOT_THREE, "correlation": FLAT}[name]


def _ratings_per_target(ratings: Ratings) -> float:
    """Return the harmonic mean of the numbers of ratings."""
    assert ratings.table is not None
    return float(1 / np.mean(1 / (~np.isnan(ratings.table)).sum(axis=1)))


@dataclass(frozen=True, slots=True)
class RaterDraws:
    """The replicates of the raters of all contexts; see `Draws`."""

    groups: tuple[RaterGroup, ...]
    seed: int
    progress: bool | None = None

    @property
    def by_kernel(self) -> bool:
        """Return True: the draws are the kernel's, and give the same bytes again."""
        return True

    @property
    def clusters(self) -> Sequence[NDArray[np.int64]]:
        """Return, per context, the positions of its units among those of all contexts."""
        return [group.cells.positions for group in self.groups]

    def replicates(self, first: int, n: int) -> Drawn:
        """Return replicates `first` to ``first + n - 1``."""
        rows = sum(len(group.quantities) * len(group.blocks) for group in self.groups)
        values = np.empty((rows, n))

        def fill(at: int, size: int) -> None:
            made = [group.drawn(first + at, size, self.seed) for group in self.groups]
            values[:, at : at + size] = np.vstack(made)

        done = in_pieces(n, fill, start=1, show=self.progress)
        return Drawn(values[:, :done])

    def errors(self, first: int, n: int) -> NoReturn:
        """Raise an error: a replicate has no standard error."""
        raise DataError(NO_ERRORS)
