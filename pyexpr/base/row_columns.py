"""Columns of record batches: numbers and labels, by the rules of a table in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import ColumnError
from pyexpr.base.messages import say
from pyexpr.base.tables import check_magnitude

if TYPE_CHECKING:
    from numpy.typing import NDArray


class NumberColumn:
    """Properties of a column of numbers, known after all batches.

    Attributes
    ----------
    name : str
    largest : float
        The largest size of a value.
    some : bool
        Whether there is any value.
    """

    def __init__(self, name: str, arrow_type: Any, what: str) -> None:
        self.name = name
        self.largest = 0.0
        self.some = False
        self._what = what
        self._type = _checked_numbers(name, arrow_type, what)
        self._single = True
        self._whole = True
        # The exponent of the lowest bit of any value.
        self._lowest = 1100
        self._infinite: tuple[int, float] | None = None
        self._n_infinite = 0

    def values(self, column: Any) -> NDArray[np.float64]:
        """Return the values of a batch (n,), missing ones as NaN."""
        import pyarrow as pa

        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if pa.types.is_decimal(column.type):
            # Converted through Python's numbers, as in pandas, since a cast rounds twice.
            return np.array([np.nan if one is None else float(one) for one in column.to_pylist()])
        if pa.types.is_float16(column.type):
            found = column.to_numpy(zero_copy_only=False).astype(np.float64)
            return np.where(np.asarray(column.is_valid()), found, np.nan)
        if not pa.types.is_float64(column.type):
            column = column.cast(pa.float64(), safe=False)
        values: NDArray[np.float64] = column.to_numpy(zero_copy_only=False)
        return values

    def see(self, values: NDArray[np.float64], first_row: int) -> NDArray[np.bool_] | None:
        """Process a batch; return where it has values, or None for everywhere."""
        there = None
        sizes = np.abs(values)
        largest = float(sizes.max())
        if np.isnan(largest):
            there = ~np.isnan(values)
            values = values[there]
            if not len(values):
                return there
            largest = float(np.abs(values).max())
        self.some = True
        if np.isinf(largest):
            bad = np.flatnonzero(np.isinf(sizes))
            if self._infinite is None:
                own = values[np.isinf(values)][0]
                self._infinite = first_row + int(bad[0]), float(own)
            self._n_infinite += len(bad)
            return there
        self.largest = max(self.largest, largest)
        if self._single:
            with np.errstate(over="ignore"):
                self._single = bool((values.astype(np.float32) == values).all())
            if self._single:
                self._whole = self._whole and bool((np.rint(values) == values).all())
                self._lowest = min(self._lowest, _lowest_bit(values))
        return there

    def check(self) -> None:
        """Raise `ColumnError` for values that a table in memory must not contain."""
        what = f"column {self.name!r} of {self._what}"
        if not (self.some or self._infinite):
            raise ColumnError(f"{what} has no value in any row")
        if self._infinite is not None:
            row, value = self._infinite
            more = f" ({self._n_infinite} such rows)" if self._n_infinite > 1 else ""
            raise ColumnError(f"{what} must be finite, but row {row + 1} holds {value!r}{more}")
        check_magnitude(np.array([self.largest]), name=what)

    @property
    def single(self) -> bool:
        """Return whether values were rounded to single precision, as in many networks.

        It is the rule of `pyexpr.inference.comparison.predictions`, batch by batch.
        """
        if not self._single or self.largest == 0 or self._whole:
            return False
        return self._lowest < int(np.frexp(self.largest)[1]) - 20


def _lowest_bit(values: NDArray[np.float64]) -> int:
    """Return the least exponent of the lowest bit of values of single precision."""
    values = values[values != 0]
    if not len(values):
        return 1100
    fraction, exponent = np.frexp(values)
    whole = np.abs(fraction * 2.0**24).astype(np.int64)
    lowest = np.frexp((whole & -whole).astype(np.float64))[1] - 1
    return int((exponent - 24 + lowest).min())


def _checked_numbers(name: str, arrow_type: Any, what: str) -> Any:
    import pyarrow as pa

    kind = arrow_type.value_type if pa.types.is_dictionary(arrow_type) else arrow_type
    of = pa.types
    numbers = (of.is_floating, of.is_integer, of.is_boolean, of.is_decimal, of.is_null)
    if not any(test(kind) for test in numbers):
        raise ColumnError(
            say(
                "column {name!r} of {what} must be a number, but it is of type {kind}",
                name=name, what=what, kind=str(kind),
            )
        )  # fmt: skip
    return arrow_type


class LabelColumn:
    """The labels of a column, numbered in the order in which they occur.

    Attributes
    ----------
    name : str
    """

    def __init__(self, name: str, arrow_type: Any, what: str) -> None:
        import pyarrow as pa

        self.name = name
        self._what = what
        coded = pa.types.is_dictionary(arrow_type)
        self._type = arrow_type.value_type if coded else arrow_type
        if pa.types.is_nested(self._type):
            raise ColumnError(
                say(
                    "column {name!r} of {what} must have one label per row, but it is of type "
                    "{kind}", name=name, what=what, kind=str(arrow_type),
                )
            )  # fmt: skip
        self._ordered = coded and arrow_type.ordered
        self._order: Any = None
        self._known: dict[Any, int] = {}
        self._missing = 0
        self._first_missing = 0

    def codes(self, column: Any, first_row: int) -> NDArray[np.int64]:
        """Return the number of each row's label; 0 where it is missing, which `check` reports."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if not pa.types.is_dictionary(column.type):
            column = pc.dictionary_encode(column)
        values, indices = column.dictionary, column.indices
        self._check_order(values)
        missing = pc.is_null(values, nan_is_null=True)
        own = indices.fill_null(0).to_numpy(zero_copy_only=False)
        gone = np.zeros(len(own), dtype=bool)
        if column.null_count or indices.null_count:
            gone = ~np.asarray(indices.is_valid())
        if len(values) and pc.any(missing).as_py():
            gone = gone | np.asarray(missing)[own]
        if gone.any():
            if not self._missing:
                self._first_missing = first_row + int(np.flatnonzero(gone)[0])
            self._missing += int(gone.sum())
        if not len(values):
            return np.zeros(len(own), dtype=np.int64)
        # A dictionary may list labels that no row has.
        used = np.zeros(len(values), dtype=bool)
        used[own[~gone]] = True
        known = self._known
        number = np.zeros(len(values), dtype=np.int64)
        labels = values.filter(pa.array(used)).to_pylist()
        number[used] = [known.setdefault(label, len(known)) for label in labels]
        return np.asarray(number[own])

    def check(self) -> None:
        """Raise `ColumnError` if a label is missing."""
        if self._missing:
            raise ColumnError(
                f"column {self.name!r} of {self._what} must not have missing values, but row "
                f"{self._first_missing + 1} is empty"
                + (f" ({self._missing} such rows)" if self._missing > 1 else "")
            )

    def taken(self, codes: NDArray[np.int64]) -> Any:
        """Return the labels of these numbers as an Arrow array, an ordered type in its order."""
        import pyarrow as pa

        labels = pa.array(list(self._known), type=self._type)
        if not self._ordered:
            return labels.take(pa.array(codes))
        place = {label: at for at, label in enumerate(self._order.to_pylist())}
        numbers = np.array([place[label] for label in self._known], dtype=np.int32)
        return pa.DictionaryArray.from_arrays(
            pa.array(numbers[codes], type=pa.int32()), self._order, ordered=True
        )

    def _check_order(self, values: Any) -> None:
        if not self._ordered:
            return
        if self._order is None:
            self._order = values
        elif not values.equals(self._order):
            raise ColumnError(
                f"column {self.name!r} of {self._what} is of an ordered type, whose labels are "
                "in one order in one file and in another elsewhere; write all files with the "
                "same categories"
            )


def label_table(columns: dict[str, Any]) -> Any:
    """Return Arrow arrays as an Arrow table."""
    import pyarrow as pa

    return pa.table(columns)
