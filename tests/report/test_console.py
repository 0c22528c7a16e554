"""Tables on the terminal: whole where they can be, and no number is ever cut."""

from __future__ import annotations

import io
import math

import pandas as pd
import pytest
from rich.console import Console

from pyexpr.paper import published_numbers
from pyexpr.paper.tables import paper_tables
from pyexpr.report.tables import tables


def test_console_cuts_wide_tables_into_blocks_and_never_into_numbers() -> None:
    table = tables.performance_table(published_numbers.performance(), names={"3d_cnn": "[red]3D"})
    for width in (60, 80, 200):
        out = io.StringIO()
        tables.to_console(table, Console(file=out, width=width, color_system=None))
        text = out.getvalue()
        assert max(map(len, text.splitlines())) <= width
        assert text.count("Uniform") == {60: 3, 80: 2, 200: 1}[width]
        assert "…" not in text
        assert "[red]3D" in text
        for row in table.rows:
            assert all(cell in text for cell in row[1:])


@pytest.mark.parametrize("width", [80, 100, 140])
def test_paper_recomputed_and_simulated_stay_side_by_side(width: int) -> None:
    frames = []
    for table, keys, frame in (
        ("1", ("context", "question"), published_numbers.reliability().assign(quantity="icc")),
        ("3", ("context", "model"), published_numbers.performance()),
        ("4", ("context", "second_model"), published_numbers.comparison()),
    ):
        found = pd.DataFrame(
            {"table": table, "context": frame[keys[0]], "item": frame[keys[1]],
             "quantity": frame.get("metric", frame.get("quantity"))}
        )  # fmt: skip
        for kind in ("paper", "recomputed", "simulated"):
            found[kind] = frame["estimate"]
            found[f"{kind}_low"] = frame.get("conf_low", frame["estimate"] - 0.5)
            found[f"{kind}_high"] = frame.get("conf_high", frame["estimate"] + 0.5)
        if table == "4":
            # A difference of two published figures has no interval.
            found[["recomputed_low", "recomputed_high"]] = math.nan
        frames.append(found)
    rows = pd.concat(frames).assign(status="explained", remark="said below")
    for shown in paper_tables(rows).values():
        out = io.StringIO()
        tables.to_console(shown, Console(file=out, width=width, color_system=None))
        lines = out.getvalue().splitlines()
        assert max(map(len, lines)) <= width
        (heads,) = (line for line in lines if "Status" in line)
        assert heads.split("Status")[1].split()[:3] == ["Paper", "Recomputed", "Simulated"]
        for row in shown.rows:
            for cell in row:
                assert all(word in out.getvalue() for word in cell.replace("-", "- ").split())


def test_table_4_fits_a_terminal() -> None:
    rows = [
        (metric, term, "all", method, -0.185, -0.203, -0.168, 0.0002, kind, "elastic_net", other)
        for metric, term, kind, other in (
            ("nrmse", "elastic_net - openface_lstm", "difference", "openface_lstm"),
            ("nrmse", "elastic_net", "level", ""),
            ("correlation", "elastic_net - normal", "difference", "normal"),
        )
        for method in ("jackknife_t", "percentile")
    ]
    columns = ["metric", "term", "context", "method",
               "estimate", "conf_low", "conf_high", "p_value",
               "kind", "first_model", "second_model"]  # fmt: skip
    table = tables.comparison_table(pd.DataFrame(rows, columns=columns))
    out = io.StringIO()
    tables.to_console(table, Console(file=out, width=80, color_system=None))
    assert out.getvalue().count("Estimate") == 1
