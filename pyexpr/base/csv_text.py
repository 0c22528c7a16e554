"""Tables as CSV text, which `pyexpr.base.csv_file` reads back equal.

A spreadsheet takes text that begins with ``=``, ``+``, ``-`` or ``@`` for a formula, and evaluates
it, so that a label in somebody else's data would be run. A blank before it makes it text. CSV files
are read here without the blanks around values, so no other code has to take this into account.
"""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, Any, Final

from pyexpr.base.errors import DataError
from pyexpr.base.visible import visible

if TYPE_CHECKING:
    import pandas as pd

_FORMULA: Final = re.compile(r"[=+\-@].", re.DOTALL)
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def csv_text(table: pd.DataFrame) -> str:
    r"""Return a table as CSV (commas, a line feed after each row), without its index.

    Raises
    ------
    DataError
        If a text contains what a CSV file in UTF-8 cannot: a NUL character, or half a character.

    Examples
    --------
    >>> import pandas as pd
    >>> csv_text(pd.DataFrame({"clip": ["=1+1", "-1"], "score": [-0.5, 2]}))
    'clip,score\n =1+1,-0.5\n-1,2.0\n'
    """
    import pandas as pd

    written = table.rename(columns=_as_text)
    returns = any("\r" in str(name) for name in written.columns)
    for position, dtype in enumerate(written.dtypes):
        if _is_text(dtype):
            cells = [_as_text(cell) for cell in written.iloc[:, position]]
            # By default pandas would convert it to text, which fails for halves of characters.
            column: Any = pd.Series(cells, index=written.index, dtype=object)
            written.isetitem(position, column)
            returns = returns or any("\r" in cell for cell in cells if isinstance(cell, str))
    text = written.to_csv(
        index=False,
        lineterminator="\n",
        # A carriage return would end the row for a reader, and is not quoted by default.
        quoting=csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL,
    )
    _refuse_unwritable(text)
    return text


def _is_text(dtype: Any) -> bool:
    from pandas.api.types import is_string_dtype

    # For a categorical column, the type of its categories.
    return is_string_dtype(getattr(getattr(dtype, "categories", None), "dtype", dtype))


def is_formula(text: str) -> bool:
    """Say whether a spreadsheet would take a text for a formula and evaluate it.

    Examples
    --------
    >>> [is_formula(text) for text in ("=1+1", "-1", "-x", "a=b")]
    [True, False, True, False]
    """
    return bool(_FORMULA.match(text)) and not _NUMBER.fullmatch(text)


def _as_text(cell: Any) -> Any:
    return f" {cell}" if isinstance(cell, str) and is_formula(cell) else cell


def _refuse_unwritable(text: str) -> None:
    at = text.find("\0")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        at = error.start
    if at >= 0:
        around = visible(text[max(0, at - 10) : at + 10])
        raise DataError(
            f"a CSV file cannot hold {visible(text[at])} (in '{around}'): no UTF-8 text has it; "
            "rename what is called so"
        )
