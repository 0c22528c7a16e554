"""Writing a table to files."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pandas as pd

from pyexpr.base.csv_text import csv_text
from pyexpr.base.files import whole_file
from pyexpr.report.tables.display import DisplayTable
from pyexpr.report.tables.html import word_html
from pyexpr.report.tables.latex import latex

TABLE_FORMATS = ("csv", "md", "tex", "html")


def write_table(
    frame: pd.DataFrame, display: DisplayTable, folder: Path | str, stem: str
) -> tuple[Path, ...]:
    """Write a table in four formats, either all files completely or none.

    `stem`.csv holds the numbers: the shortest decimals that read back as the same
    doubles; missing numbers are empty, infinities ``inf``. `stem`.md, `stem`.tex
    (booktabs) and `stem`.html (to open in a word processor, or to paste from) hold
    the table as it is read.

    Returns
    -------
    tuple of Path
        The files, in the order csv, md, tex, html.

    Raises
    ------
    OutputError
        If files cannot be written to the folder.
    """
    texts = (
        csv_text(frame),
        display.markdown(),
        latex(display),
        word_html(display),
    )
    paths = tuple(Path(folder) / f"{stem}.{kind}" for kind in TABLE_FORMATS)
    with ExitStack() as stack:
        for path, text in zip(paths, texts, strict=True):
            stack.enter_context(whole_file(path)).write_text(text, encoding="utf-8", newline="\n")
    return paths
