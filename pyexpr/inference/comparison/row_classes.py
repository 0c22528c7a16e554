"""The rows of a table in classes: those with the same labels and the same values missing.

Everything that depends only on labels (contexts, folds, strata, numbers of rows) is read from a
table with one row per class, by the same code as from the table itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pyexpr.base.errors import DataError
from pyexpr.base.progress import progress
from pyexpr.base.row_columns import LabelColumn, NumberColumn, label_table
from pyexpr.base.row_files import RowFiles
from pyexpr.base.tables import as_frame, from_file

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# Largest number of pairs of labels that are looked up in memory, which is 2 GB.
_MOST_PAIRS = 1 << 28
# Number of columns whose missing values fit into one word.
_BITS = 62


class Batch(NamedTuple):
    """Rows of a table: the class of each (n,), and the columns of numbers, NaN where missing."""

    classes: NDArray[np.int64]
    numbers: dict[str, NDArray[np.float64]]


class _Pairs:
    """Numbers given to pairs of whole numbers, in the order in which the pairs occur."""

    def __init__(self) -> None:
        self._table: NDArray[np.int32] = np.full((1, 1), -1, dtype=np.int32)
        self.first: list[int] = []
        self.second: list[int] = []

    def codes(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
        self._grow(int(a.max()) + 1, int(b.max()) + 1)
        found = self._table[a, b]
        new = np.flatnonzero(found < 0)
        if len(new):
            for pair in np.unique(np.stack([a[new], b[new]], axis=1), axis=0).tolist():
                self._table[pair[0], pair[1]] = len(self.first)
                self.first.append(pair[0])
                self.second.append(pair[1])
            found = self._table[a, b]
        return found.astype(np.int64)

    def _grow(self, rows: int, columns: int) -> None:
        old = self._table.shape
        if rows <= old[0] and columns <= old[1]:
            return
        shape = tuple(
            size if size >= needed else max(needed, 2 * size)
            for size, needed in zip(old, (rows, columns), strict=True)
        )
        if shape[0] * shape[1] > _MOST_PAIRS:
            raise DataError(
                f"there are more than {_MOST_PAIRS // 4:,} possible combinations of labels "
                "(subjects, contexts, folds, units); compare parts of the table in several calls"
            )
        table = np.full(shape, -1, dtype=np.int32)
        table[: old[0], : old[1]] = self._table
        self._table = table


class RowClasses:
    """The classes of the rows of parquet files, found in a first pass over them.

    Parameters
    ----------
    files : RowFiles
    labels : sequence of str
        Columns of labels.
    whole : sequence of str
        Columns of numbers in which a row must have values in order to be used.
    own : sequence of str
        Columns of numbers that are each evaluated on their own rows.
    threads : bool
        Whether PyArrow may use several threads.
    show : bool, optional
        Whether to show a progress bar in each pass.
    """

    def __init__(
        self,
        files: RowFiles,
        labels: Sequence[str],
        whole: Sequence[str],
        own: Sequence[str],
        *,
        threads: bool,
        show: bool | None = None,
    ) -> None:
        files.require([*labels, *whole, *own])
        self.files = files
        self._threads = threads
        self._show = show
        self._labels = [LabelColumn(one, files.type_of(one), files.what) for one in labels]
        self._whole = tuple(dict.fromkeys(whole))
        self._own = tuple(one for one in dict.fromkeys(own) if one not in self._whole)
        self.numbers = {
            one: NumberColumn(one, files.type_of(one), files.what)
            for one in (*self._whole, *self._own)
        }
        n_words = 1 + len(self._own) // _BITS
        self._words: list[dict[int, int]] = [{} for _ in range(n_words)]
        # Each step combines the classes so far with one more label, or one more word of missing
        # values.
        self._pairs = [_Pairs() for _ in range(len(labels) + n_words)]
        counts = np.zeros(0, dtype=np.int64)
        for batch in self._read(first=True):
            found = np.bincount(batch.classes, minlength=len(counts))
            found[: len(counts)] += counts
            counts = found
        if not len(counts):
            raise DataError(f"{files.what} has no rows")
        for label in self._labels:
            label.check()
        for number in self.numbers.values():
            number.check()
        self.counts = counts

    def batches(self) -> Iterator[Batch]:
        """Yield the rows again.

        Raises
        ------
        DataError
            If the rows differ from those of the first pass.
        """
        n = 0
        for batch in self._read(first=False):
            n += len(batch.classes)
            yield batch
        if n != self.counts.sum():
            raise self.files.changed()

    def frame(self) -> pd.DataFrame:
        """Return the labels of each class, one row per class."""
        of_class = self._of_classes()
        columns = {
            column.name: column.taken(codes)
            for column, codes in zip(self._labels, of_class, strict=False)
        }
        return from_file(as_frame(label_table(columns)), self.files.name)

    def there(self, name: str) -> NDArray[np.bool_]:
        """Return the classes whose rows have a value, and every value of the whole columns."""
        words = self._of_classes()[len(self._labels) :]
        complete, at = 0, 0 if name in self._whole else 1 + self._own.index(name)
        bits = [np.array(list(known)) for known in self._words]
        word = words[at // _BITS]
        there = (bits[at // _BITS][word] >> (at % _BITS)) & 1 == 1
        return np.asarray(there & ((bits[complete][words[0]] & 1) == 1))

    def _of_classes(self) -> list[NDArray[np.int64]]:
        """Return the codes of labels, then of words, of each class."""
        codes: list[NDArray[np.int64]] = []
        at = np.arange(len(self._pairs[-1].first))
        for pairs in reversed(self._pairs):
            codes.append(np.array(pairs.second, dtype=np.int64)[at])
            at = np.array(pairs.first, dtype=np.int64)[at]
        return codes[::-1]

    def _read(self, *, first: bool) -> Iterator[Batch]:
        columns = [*(one.name for one in self._labels), *self.numbers]
        row, n_known = 0, len(self._pairs[-1].first)
        batches = progress(
            self.files.batches(columns, threads=self._threads), total=self.files.count_rows(),
            label="rows", show=self._show, steps=lambda batch: int(batch.num_rows),
        )  # fmt: skip
        for batch in batches:
            numbers, there = {}, {}
            for name, column in self.numbers.items():
                values = numbers[name] = column.values(batch.column(name))
                there[name] = column.see(values, row) if first else _there(values)
            codes = [one.codes(batch.column(one.name), row) for one in self._labels]
            classes = np.zeros(batch.num_rows, dtype=np.int64)
            for pairs, code in zip(
                self._pairs, [*codes, *self._missing(there, batch.num_rows)], strict=True
            ):
                classes = pairs.codes(classes, code)
            if not first and len(self._pairs[-1].first) > n_known:
                raise self.files.changed()
            yield Batch(classes, numbers)
            row += batch.num_rows

    def _missing(
        self, there: dict[str, NDArray[np.bool_] | None], n: int
    ) -> list[NDArray[np.int64]]:
        """Return the codes of the words that say which values rows have.

        The first bit says whether a row has all of the whole columns; without it all are 0.
        """
        complete = np.ones(n, dtype=bool)
        for name in self._whole:
            mask = there[name]
            complete = complete if mask is None else complete & mask
        masks = [complete]
        for name in self._own:
            mask = there[name]
            masks.append(complete if mask is None else complete & mask)
        found = []
        for k, known in enumerate(self._words):
            word = np.zeros(n, dtype=np.int64)
            for bit, mask in enumerate(masks[k * _BITS : (k + 1) * _BITS]):
                word |= mask.astype(np.int64) << bit
            least = int(word.min())
            if least == int(word.max()):
                code = known.setdefault(least, len(known))
                found.append(np.full(n, code, dtype=np.int64))
                continue
            values, of_row = np.unique(word, return_inverse=True)
            codes = [known.setdefault(one, len(known)) for one in values.tolist()]
            found.append(np.array(codes, dtype=np.int64)[of_row.reshape(-1)])
        return found


def _there(values: NDArray[np.float64]) -> NDArray[np.bool_] | None:
    missing = np.isnan(values)
    return ~missing if missing.any() else None
