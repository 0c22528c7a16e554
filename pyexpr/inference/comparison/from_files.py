"""Sums per subject of tables in parquet files, which are read in batches.

The rows are read three times: for labels and missing values, for the means, and for the sums about
the means. Rows are added in their order, so the sums are identical to those of the table in memory,
whatever the batches and files.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import kernel_threads
from pyexpr.base.row_files import RowFiles
from pyexpr.core import cluster_bootstrap as core
from pyexpr.core.row_sums import RowSums
from pyexpr.inference.comparison.folds import constant_of_left_out
from pyexpr.inference.comparison.quantities import ColumnValues
from pyexpr.inference.comparison.row_classes import RowClasses

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(slots=True)
class _Layer:
    """Disjoint groups of rows, whose sums are added in one pass."""

    codes: NDArray[np.int64]  # cluster of each class
    n_clusters: int
    groups: list[NDArray[np.bool_]] = field(default_factory=list)
    taken: NDArray[np.bool_] | None = None
    parts: set[str] = field(default_factory=set)
    sums: RowSums | None = None
    slots: NDArray[np.int64] | None = None

    def add(self, rows: NDArray[np.bool_]) -> bool:
        """Add a group if it has no row in common with the others; return whether it was."""
        if self.taken is not None and (self.taken & rows).any():
            return False
        self.taken = rows.copy() if self.taken is None else self.taken | rows
        self.groups.append(rows)
        return True

    def slots_of_classes(self) -> NDArray[np.int64]:
        """Return the kernel's slot of each class; -1 for classes in no group."""
        slots = np.full(len(self.codes), -1, dtype=np.int64)
        for number, rows in enumerate(self.groups):
            slots[rows] = number * self.n_clusters + self.codes[rows]
        return slots


_Key = tuple[str, str, bytes, int]


class FileRows:
    """The rows of parquet files, from which requested sums are planned first and then added up.

    Parameters
    ----------
    files : RowFiles
    labels, whole, own
        As for `RowClasses`.
    constant : bool
        Whether `is_of_left_out` will be called.
    n_threads : int, optional
    progress : bool, optional
        Whether to show a bar in each pass over the rows.
    """

    def __init__(
        self,
        files: RowFiles,
        labels: Sequence[str],
        whole: Sequence[str],
        own: Sequence[str],
        *,
        constant: bool,
        n_threads: int | None,
        progress: bool | None = None,
    ) -> None:
        self._n_threads = kernel_threads(n_threads) or os.cpu_count() or 1
        self.classes = RowClasses(
            files, labels, whole, own, threads=self._n_threads > 1, show=progress
        )
        self._constant = constant
        self._planning = True
        self._layers: dict[tuple[str, str, int], list[_Layer]] = {}
        self._place: dict[_Key, tuple[_Layer, int]] = {}

    def count(self, rows: NDArray[np.bool_]) -> int:
        """Return the number of rows of some classes."""
        return int(self.classes.counts[rows].sum())

    def count_by(
        self, rows: NDArray[np.bool_], codes: NDArray[np.int64], n: int
    ) -> NDArray[np.int64]:
        """Return the number of rows of each of `n` codes."""
        counts = self.classes.counts
        found = np.bincount(codes[rows], weights=counts[rows], minlength=n)
        return np.asarray(found.astype(np.int64))

    def summed(
        self,
        column: ColumnValues,
        used: NDArray[np.bool_],
        codes: NDArray[np.int64],
        n_clusters: int,
        part: str,
        shared: Hashable,
    ) -> core.Column:
        """Return a column's sums over some rows; before `add_up` plan them and return zeros."""
        if self._planning:
            self._plan(column, used, codes, n_clusters, part)
            if self._constant:
                self._plan(column, column.rows, codes, n_clusters, "")
            return core.Column(np.zeros((len(core.SUMS), n_clusters)), (0.0, 0.0), shared)
        layer, group = self._place[_key(column, used, codes)]
        assert layer.sums is not None
        return layer.sums.column(part, group, shared=shared, least=column.least)

    def is_of_left_out(
        self,
        column: ColumnValues,
        used: NDArray[np.bool_],
        codes: NDArray[np.int64],
        n_clusters: int,
    ) -> bool:
        """Return whether predictions are a function of the truth that was left out."""
        layer, group = self._place[_key(column, used, codes)]
        assert layer.sums is not None
        found = layer.sums.constant(group)
        between = layer.sums.column("pooled", group)
        n = found.n.sum()
        mean = between.sums[core.SUMS.index("t")].sum() / n
        variance = between.sums[core.SUMS.index("tt")].sum() / n - mean * mean
        spread = float(np.sqrt(max(variance, 0.0)))
        return constant_of_left_out(found.n, found.prediction, found.moves, found.truth, spread)

    def add_up(self, build: Callable[[], object]) -> None:
        """Let `build` request all sums, then read the rows twice and add them."""
        build()
        self._planning = False
        layers = [
            (names[0], names[1], layer) for names, own in self._layers.items() for layer in own
        ]
        for _, _, layer in layers:
            layer.slots = layer.slots_of_classes()
            layer.sums = RowSums(len(layer.groups), layer.n_clusters, constant=self._constant)

        def means(layer: _Layer, p: Any, t: Any, slot: Any) -> None:
            assert layer.sums is not None
            layer.sums.add_to_means(p, t, slot)

        def sums(layer: _Layer, p: Any, t: Any, slot: Any) -> None:
            assert layer.sums is not None
            for part in sorted(layer.parts):
                layer.sums.add_to_sums(part, p, t, slot)

        self._pass(layers, means)
        self._pass([one for one in layers if one[2].parts], sums)

    def _pass(
        self,
        layers: Sequence[tuple[str, str, _Layer]],
        use: Callable[[_Layer, Any, Any, Any], None],
    ) -> None:
        if not layers:
            return
        # Layers of the same groups share the slots of the rows.
        of_layers = [layer.slots for *_, layer in layers if layer.slots is not None]
        keys = [one.tobytes() for one in of_layers]
        slots = dict(zip(keys, of_layers, strict=True))
        with ThreadPoolExecutor(self._n_threads) as threads:
            for batch in self.classes.batches():
                of_rows = {key: one[batch.classes] for key, one in slots.items()}
                tasks = [
                    threads.submit(use, layer, batch.numbers[p], batch.numbers[t], of_rows[key])
                    for (p, t, layer), key in zip(layers, keys, strict=True)
                ]
                for task in tasks:
                    task.result()

    def _plan(
        self,
        column: ColumnValues,
        used: NDArray[np.bool_],
        codes: NDArray[np.int64],
        n_clusters: int,
        part: str,
    ) -> None:
        key = _key(column, used, codes)
        if key not in self._place:
            own = self._layers.setdefault((column.name, column.truth_name, id(codes)), [])
            layer = next((one for one in own if one.add(used)), None)
            if layer is None:
                layer = _Layer(codes, n_clusters)
                layer.add(used)
                own.append(layer)
            self._place[key] = layer, len(layer.groups) - 1
        layer = self._place[key][0]
        if part in ("pooled", "within"):
            layer.parts.add(part)
        if self._constant:
            layer.parts.add("pooled")


def _key(column: ColumnValues, used: NDArray[np.bool_], codes: NDArray[np.int64]) -> _Key:
    return column.name, column.truth_name, used.tobytes(), id(codes)


class FileColumns:
    """The requested columns of numbers; analogous to those of a table in memory."""

    def __init__(self, classes: RowClasses) -> None:
        self._classes = classes

    def values(self, name: str) -> NDArray[np.float64]:
        """Return no values: they are in the files."""
        return np.empty(0)

    def there(self, name: str) -> NDArray[np.bool_] | None:
        """Return the classes whose rows have values; None means all."""
        there = self._classes.there(name)
        return None if there.all() else there

    def least(self, name: str) -> float:
        """Return the part of a column's variance, relative to its squared mean, due to rounding."""
        single = self._classes.numbers[name].single
        return core.LEAST_SINGLE if single else core.LEAST_DOUBLE

    def codes(self, name: str) -> NDArray[np.int64] | None:
        """Return None, because numbers are not classes."""
        return None
