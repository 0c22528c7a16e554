"""The paper compared with recomputed and simulated values: tables, and one page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from string import ascii_lowercase
from typing import Any

import pandas as pd

from pyexpr.paper import published_numbers
from pyexpr.report.html.page import Section, bullets, copyable, page, paragraph
from pyexpr.report.markup import element
from pyexpr.report.tables.display import REMARK, DisplayTable
from pyexpr.report.tables.html import report_table
from pyexpr.words.labels import (
    DASH,
    MINUS,
    display_name,
    interval,
    label_name,
    number,
)

_TITLES = {
    "1": "Table 1. Reliability: ICC(1,k) by Context and Question.",
    "2": "Table 2. Factor Model: Loadings, Residual Variances, and Properties of the Scores.",
    "3": "Table 3. Performance on the Test Part.",
    "4": "Table 4. ElasticNet Minus the Other Models, Over All Contexts.",
    "5": "Table 5. Pilot Study of Three Raters: ICC(1,k).",
    "6": "Table 6. Pilot Study of Six Raters: ICC(1,k).",
    "figure 4": "Weights That the Paper Interprets (Its Figure 4).",
    "tuning": "Penalty and L1 Ratio of the Final Elastic Nets.",
}
#: The tables of the paper, and what stands beside them.
PAPER_TABLES = tuple(_TITLES)
_STEMS = {"figure 4": "paper_figure4", "tuning": "paper_tuning"}
# Descriptions of the column "Recomputed".
_RECOMPUTED = {
    "1": "Recomputed: the interval of the published ICC.",
    "2": "Recomputed: 1 − λ², Bartlett weights of standardised indicators, and the scores' "
    "reliability I/(1 + I), I = Σλ²/ε, from the published numbers; brackets: the range "
    "consistent with their rounding.",
    "3": "Recomputed: for the random baselines the expected value, and the range of 95% of test "
    "parts of the paper's size (label with mean 0 and variance 1 + 1/I; clips treated as "
    "independent); for the human baseline the best performance of a single rater that is "
    "consistent with tables 1 and 2.",
    "4": "Recomputed: the difference in table 3 of the paper.",
    "5": "Recomputed: the interval of the published ICC. Pilot studies are not simulated.",
    "6": "Recomputed: the interval of the published ICC. Pilot studies are not simulated.",
}
_DIGITS = {"1": 2, "2": 2, "figure 4": 2, "tuning": 2}
_SIMULATED = "Simulated: the simulated study; its intervals account for subjects."


def paper_stem(table: str) -> str:
    """Return the stem of a table's files."""
    return _STEMS.get(table, f"paper_table{table}")


def paper_tables(frame: pd.DataFrame) -> dict[str, DisplayTable]:
    """Lay out the comparison with the paper, a table for each of its tables.

    Parameters
    ----------
    frame : DataFrame
        Columns table, context, quantity, item; paper, recomputed, simulated, each
        also with ``_low`` and ``_high``; status, remark.

    Returns
    -------
    dict of str to DisplayTable
        By the value of `table`. Tables by the value of `table`. Remarks are lettered and given in
        the notes.
    """
    return {
        str(table): _one(str(table), rows) for table, rows in frame.groupby("table", sort=False)
    }


def _one(table: str, rows: pd.DataFrame) -> DisplayTable:
    digits = _DIGITS.get(table, 3)
    records = [{str(key): cell for key, cell in row.items()} for row in rows.to_dict("records")]
    remarks = {text: _letter(i) for i, text in enumerate(dict.fromkeys(rows["remark"]))}
    has = {kind: any(_known(row, kind) for row in records) for kind in ("recomputed", "simulated")}
    labels = _labels(records)
    cells = []
    for i, row in enumerate(records):
        line = [column[i] for column in labels.values()]
        line.append(f"{row['status']} ({remarks[row['remark']]})")
        line.append(_paper(table, row, digits))
        line += [_shown(row, kind, digits) for kind in has if has[kind]]
        if has["simulated"]:
            line.append(_difference(table, row, digits))
        cells.append(tuple(line))
    heads = [*labels, "Status"]
    text = len(heads)
    heads += ["Paper", *(kind.capitalize() for kind in has if has[kind])]
    heads += ["Simulated − paper"] if has["simulated"] else []
    return DisplayTable(
        title=_TITLES[table],
        columns=tuple(heads),
        rows=tuple(cells),
        notes=(
            *([_RECOMPUTED[table]] if table in _RECOMPUTED else []),
            *([_SIMULATED] if has["simulated"] else []),
            *(REMARK(letter=letter, remark=remark) for remark, letter in remarks.items()),
        ),
        text_columns=text,
    )


def _labels(records: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the columns that identify a row; those that change least from row to row are first."""
    found = {
        "Context": [label_name(row["context"]) for row in records],
        "Quantity": [_quantity(row["quantity"]) for row in records],
    }
    if any(row["item"] for row in records):
        found["Of"] = [display_name(row["item"]) if row["item"] else "" for row in records]
    named = list(zip(*[column for head, column in found.items() if head != "Context"], strict=True))
    if all(one != other for one, other in pairwise(found["Context"])) and any(
        one == other for one, other in pairwise(named)
    ):
        found["Context"] = found.pop("Context")
    return found


def _letter(i: int) -> str:
    return (
        ascii_lowercase[i] if i < 26 else f"{ascii_lowercase[i // 26 - 1]}{ascii_lowercase[i % 26]}"
    )


_QUANTITIES = {
    "icc": "ICC(1,k)",
    "std_loading": "Loading λ",
    "std_residual_variance": "Residual variance ε",
    "bartlett_weight": "Bartlett weight",
    "score_reliability": "Reliability of the scores",
    "weight_sign": "Sign of the weight",
    "alpha": "Penalty α",
    "l1_ratio": "L1 ratio",
}


def _quantity(name: str) -> str:
    return _QUANTITIES.get(name, display_name(name))


def _known(row: Mapping[str, Any], kind: str) -> bool:
    return not all(math.isnan(row[name]) for name in (kind, f"{kind}_low", f"{kind}_high"))


def _shown(row: Mapping[str, Any], kind: str, digits: int) -> str:
    value = row[kind]
    # Table 4 has differences, which may exceed 1.
    of = "" if row["table"] == "4" else row["quantity"]
    limits = interval(row[f"{kind}_low"], row[f"{kind}_high"], digits, of=of)
    parts = [*([] if math.isnan(value) else [number(value, digits, of=of)]), limits]
    text = " ".join(part for part in parts if part != DASH)
    return text or DASH


def _paper(table: str, row: Mapping[str, Any], digits: int) -> str:
    if table == "figure 4":
        return "+" if row["paper"] > 0 else MINUS
    return _shown(row, "paper", digits)


def _difference(table: str, row: Mapping[str, Any], digits: int) -> str:
    # A sign has no difference. If a number is not published, the recomputed and the simulated
    # number are compared.
    if table == "figure 4":
        return DASH
    return number(row["simulated"] - row["paper"], digits)


def paper_page(
    frame: pd.DataFrame, *, heading: str, notes: Sequence[str], versions: Mapping[str, str]
) -> str:
    """Return the comparison as one self-contained HTML page."""
    displays = paper_tables(frame)
    sections = [
        Section(
            "summary",
            "Summary",
            (
                copyable(
                    "summary-text",
                    "the summary",
                    paragraph(f"{heading}."),
                    bullets(notes),
                ),
            ),
        )
    ]
    sections += [
        Section(
            paper_stem(table),
            _TITLES[table].removesuffix("."),
            (report_table(shown, f"{paper_stem(table)}-t"),),
        )
        for table, shown in displays.items()
    ]
    used = ", ".join(f"{name} {version}" for name, version in versions.items())
    sections.append(
        Section(
            "citing",
            "Source and versions",
            (
                paragraph(f"{published_numbers.SOURCE} (AffCon 2020, arXiv:1912.04523)."),
                paragraph(used),
            ),
        )
    )
    lead = [
        element("p", element("strong", "The data that are compared with the paper are simulated."),
                " They contain no information about real people.")
    ]  # fmt: skip
    return page("The paper, recomputed and simulated", lead, sections)
