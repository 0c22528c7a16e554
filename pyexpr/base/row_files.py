"""Tables in parquet files, read in batches: their rows need not fit into memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from pyexpr.base.errors import ColumnError, DataError, have, listed, near_names
from pyexpr.base.messages import say
from pyexpr.base.tables import check_column_names

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset

#: A table in files: a path, or a dataset of PyArrow.
RowSource: TypeAlias = Union[str, os.PathLike[str], "Dataset"]
SUFFIXES = (".parquet", ".pq")
#: Rows of a batch, by default.
BATCH = 1 << 17


def is_row_files(table: Any) -> bool:
    """Return whether a table is a path, or a dataset of PyArrow."""
    if isinstance(table, (str, os.PathLike)):
        return True
    # If there is a dataset, PyArrow has been imported.
    datasets = sys.modules.get("pyarrow.dataset")
    return datasets is not None and isinstance(table, datasets.Dataset)


@dataclass(frozen=True, slots=True)
class RowFiles:
    """Columns of parquet files, in the order of their rows.

    Attributes
    ----------
    name : str
        Their name in messages.
    what : str
        The table in a sentence, with its name.
    dataset : pyarrow.dataset.Dataset
    stamps : tuple
        Size and time of each file when it was first seen.
    batch_size : int
    """

    name: str
    what: str
    dataset: Any
    stamps: tuple[tuple[str, int, int], ...]
    batch_size: int

    @property
    def names(self) -> list[str]:
        """Return the names of the columns."""
        return list(self.dataset.schema.names)

    def type_of(self, column: str) -> Any:
        """Return the Arrow type of a column."""
        return self.dataset.schema.field(column).type

    def require(self, columns: Iterable[str]) -> None:
        """Raise `ColumnError` for a column that is missing, or has different types in the files.

        PyArrow would fill a column that a file lacks with missing values.
        """
        columns = list(columns)
        for column in columns:
            if column not in self.names:
                raise ColumnError(
                    f"{have(self.what)} no column {column!r}; {near_names(column, self.names)}"
                )
        first: dict[str, tuple[Any, str]] = {}
        for file in self._files():
            schema = file.physical_schema
            for column in columns:
                here = schema.field(column).type if column in schema.names else None
                if here is None and column not in first and self._in_folder_names(column):
                    continue
                known, where = first.setdefault(column, (here, file.path))
                if here != known:
                    raise ColumnError(
                        f"column {column!r} of {self.what} is {_kind(known)} in {where}, but "
                        f"{_kind(here)} in {file.path}; write all files with the same columns "
                        "and types"
                    )

    def batches(self, columns: Sequence[str], *, threads: bool) -> Iterator[Any]:
        """Yield record batches of these columns, in the order of the rows; none is empty.

        Raises
        ------
        DataError
            If a file cannot be read, or has changed since it was first seen.
        """
        import pyarrow as pa

        self.check_unchanged()
        try:
            # Few batches are read ahead: each has all columns, and a long row group is in memory.
            scanner = self.dataset.scanner(
                columns=list(dict.fromkeys(columns)), batch_size=self.batch_size,
                batch_readahead=2, fragment_readahead=1, use_threads=threads,
            )  # fmt: skip
            for batch in scanner.to_batches():
                if batch.num_rows:
                    yield batch
        except (OSError, pa.ArrowException) as error:
            self.check_unchanged()
            raise _unreadable(self.what, error) from None
        self.check_unchanged()

    def count_rows(self) -> int:
        """Return the number of rows, which parquet files state."""
        import pyarrow as pa

        try:
            return int(self.dataset.count_rows())
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(self.what, error) from None

    def check_unchanged(self) -> None:
        """Raise `DataError` if a file has changed since it was first seen."""
        for path, size, time in self.stamps:
            if _stamp(path) != (path, size, time):
                raise self.changed(path)

    def changed(self, path: str = "") -> DataError:
        """Return the error of a table that changed while it was read."""
        which = f" ({path})" if path else ""
        return DataError(
            f"{self.what} changed while it was read{which}, so its sums would be of two tables; "
            "run again when nothing writes to it"
        )

    def _files(self) -> list[Any]:
        fragments = self.dataset.get_fragments()
        return [one for one in fragments if hasattr(one, "physical_schema") and _path_of(one)]

    def _in_folder_names(self, column: str) -> bool:
        partitioning = getattr(self.dataset, "partitioning", None)
        return partitioning is not None and column in partitioning.schema.names


def open_row_files(table: Any, *, what: str) -> RowFiles:
    """Open a path to a parquet file or a folder of them, or a dataset of PyArrow.

    Raises
    ------
    DataError
        If the file does not exist, is of another kind, or cannot be read.
    """
    import pyarrow as pa
    from pyarrow import dataset as datasets

    if isinstance(table, datasets.Dataset):
        name, found = "a dataset of PyArrow", table
    else:
        name = os.fspath(table)
        try:
            found = _dataset(Path(name), datasets)
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(f"{what} ({name})", error) from None
    what = f"{what} ({name})"
    check_column_names(found.schema.names, what=what)
    local = isinstance(getattr(found, "filesystem", None), _local_files())
    files = dict.fromkeys(found.files) if local else ()
    return RowFiles(name, what, found, tuple(_stamp(file) for file in files), BATCH)


def _dataset(path: Path, datasets: Any) -> Any:
    if not path.exists():
        raise DataError(
            say("{name!r} does not exist: a table is a data frame, or the path of a parquet file "
                "or of a folder of them", name=str(path))
        )  # fmt: skip
    if not path.is_dir():
        if path.suffix.lower() not in SUFFIXES:
            raise DataError(
                say("{name!r} is not a parquet file ({suffixes}); read other files into a data "
                    "frame first", name=str(path), suffixes=listed(SUFFIXES))
            )  # fmt: skip
        return datasets.dataset(str(path), format="parquet")
    files = sorted(
        str(file) for file in path.rglob("*")
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(("_", "."))
    )  # fmt: skip
    if not files:
        raise DataError(f"the folder {str(path)!r} contains no parquet file ({listed(SUFFIXES)})")
    return datasets.dataset(
        files, format="parquet", partitioning="hive", partition_base_dir=str(path)
    )


def _local_files() -> Any:
    from pyarrow import fs

    return fs.LocalFileSystem


def _path_of(fragment: Any) -> str:
    return str(getattr(fragment, "path", "") or "")


def _stamp(path: str) -> tuple[str, int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return path, -1, -1
    return path, found.st_size, found.st_mtime_ns


def _kind(arrow_type: Any) -> str:
    return "absent" if arrow_type is None else f"of type {arrow_type}"


def _unreadable(what: str, error: Exception) -> DataError:
    said = " ".join(str(error).split())[:200]
    return DataError(f"{what} cannot be read: {said}")
