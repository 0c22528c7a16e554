"""The tables that commands read."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyexpr.base.errors import ColumnError, PyexprWarning
from pyexpr.cli.inputs import read_table


def test_what_is_missing_among_classes_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("subject,truth,a\ns,x,None\nt,NA,x\n")
    message = (
        r"column 'truth' of the table \(.*t.csv\): 1 row was read as missing because 'NA' stands"
    )
    with pytest.warns(PyexprWarning, match=message):
        table = read_table(path, labels=["subject"], what="the table", classes=["truth"])
    assert table["truth"].isna().tolist() == [False, True]
    with pytest.raises(ColumnError, match=r"column 'a' of the table .* holds 'None' in 1 row"):
        read_table(path, labels=["subject"], what="the table", classes=["a"])
