"""Reading of the tables of a study: CSV or parquet."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pyexpr.base.contents import KnownFile, read_content
from pyexpr.base.csv_file import Spelling, read_known_csv
from pyexpr.base.errors import DataError, StudyError
from pyexpr.base.parquet_file import parquet_table
from pyexpr.base.tables import check_flat_columns

if TYPE_CHECKING:
    import pandas as pd

PARQUET = (".parquet", ".pq")


def read_table(
    path: Path,
    labels: Iterable[str],
    what: str,
    spelled: dict[str, tuple[Spelling, ...]] | None = None,
) -> tuple[pd.DataFrame, KnownFile]:
    """Return the table of a file, and the hash of the bytes from which it was read.

    Parameters
    ----------
    path : Path
        Parquet if its name says so (``.parquet``, ``.pq``), otherwise CSV.
    labels : iterable of str
        Columns that are returned as text. Whole numbers, which parquet may hold as 1 or 1.0,
        are written as in a CSV: "1".
    what : str
        The table in words, for a sentence.
    spelled : dict, optional
        Filled as by `read_known_csv`. Parquet has its own missing values and no spellings.

    Raises
    ------
    DataError
        If the file does not exist or cannot be read, as in `read_known_csv`.
    StudyError
        If a column of labels holds fractions.
    """
    if path.suffix.lower() not in PARQUET:
        return read_known_csv(path, labels=labels, what=what, spelled=spelled)
    from pyarrow import ArrowException

    try:
        content, file = read_content(path)
        table: pd.DataFrame = parquet_table(content).to_pandas()
    except FileNotFoundError:
        raise DataError(f"{what}: there is no file {str(path)!r}") from None
    except DataError as error:
        raise DataError(f"{what}: {str(path)!r}: {error}") from None
    except (OSError, ArrowException, ValueError) as error:
        raise DataError(f"{what}: {str(path)!r} cannot be read as parquet: {error}") from None
    check_flat_columns(table, what=what)
    found = {name: _as_text(table[name], name, what) for name in labels if name in table}
    return table.assign(**found), file


def _as_text(column: pd.Series, name: str, what: str) -> pd.Series:
    import pandas as pd

    there = column[column.notna()]
    if pd.api.types.is_float_dtype(column) and len(there):
        if (there != there.round()).any():
            raise StudyError(
                f"{what}: column {name!r} contains fractions, which are not valid labels"
            )
        there = there.astype("int64")
    return there.astype("str").reindex(column.index)
