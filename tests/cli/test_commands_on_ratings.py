"""What the commands on ratings say of tables that are empty, and of a rater alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import pyexpr

COLUMNS = ["subject", "context", "clip", "rater", "score"]
RATER = ("--raters", "rater")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ratings")
    rng = np.random.default_rng(1)
    rows = [(s, "a", c, "ann", rng.normal()) for s in range(6) for c in range(3)]
    alone = pd.DataFrame(rows, columns=COLUMNS)
    pd.concat([alone, alone.assign(rater="ben")]).to_csv(folder / "two.csv", index=False)
    alone.to_csv(folder / "alone.csv", index=False)
    alone.iloc[:0].to_csv(folder / "head.csv", index=False)
    alone.assign(time=range(18)).to_csv(folder / "trace.csv", index=False)
    alone.assign(time=0).iloc[:0].to_csv(folder / "no_trace.csv", index=False)
    rated = alone.rename(columns={"score": "truth"}).assign(m=rng.normal(size=18))
    rated.to_csv(folder / "predicted.csv", index=False)
    rated.iloc[:0].to_csv(folder / "no_prediction.csv", index=False)
    return folder


@pytest.mark.parametrize(
    ("command", "options", "what"),
    [
        ("icc", (), "the ratings ({})"),
        ("agreement", (), "the ratings ({})"),
        ("raters", RATER, "the ratings ({})"),
        ("components", ("--facets", "subject,rater"), "the ratings ({})"),
        ("multilevel", RATER, "the ratings ({})"),
        ("traces", (), "the traces ({})"),
    ],
)
def test_a_header_alone_has_no_rows(
    folder: Path, command: str, options: tuple[str, ...], what: str
) -> None:
    table = folder / ("no_trace.csv" if command == "traces" else "head.csv")
    said = pyexpr(command, table, *options, code=1)
    assert said == f"Error: {what.format(table)} have no rows\n"


def test_the_ceiling_names_the_table_without_rows(folder: Path) -> None:
    head, none = folder / "head.csv", folder / "no_prediction.csv"
    said = pyexpr("ceiling", folder / "predicted.csv", head, "--predictions", "m", code=1)
    assert said == f"Error: the ratings ({head}) have no rows\n"
    said = pyexpr("ceiling", none, folder / "two.csv", "--predictions", "m", code=1)
    assert said == f"Error: the table of predictions ({none}) has no rows\n"


@pytest.mark.parametrize(
    ("more", "where"), [((), ""), (("--context", "context"), " in context 'a'")]
)
def test_one_rater_is_too_few(folder: Path, more: tuple[str, ...], where: str) -> None:
    said = pyexpr("raters", folder / "alone.csv", *RATER, *more, code=1)
    assert said == (
        "Error: the diagnostics compare raters, so that at least two raters are needed, but the "
        f"ratings ({folder / 'alone.csv'}) have 1 rater with a rating{where}\n"
    )


def test_traces_of_one_rater_are_too_few(folder: Path) -> None:
    said = pyexpr("traces", folder / "trace.csv", code=1)
    assert "at least two raters are needed, but the traces" in said
    assert said.endswith("have 1 rater\n")


def test_files_of_further_tables_are_not_replaced_unasked(folder: Path, tmp_path: Path) -> None:
    there = tmp_path / "there.csv"
    there.write_text("my notes\n")
    for command, option in (("raters", "--scale-use"), ("traces", "--lags")):
        said = pyexpr(command, folder / "two.csv", *RATER, option, there, code=1)
        assert "there.csv' is there already" in said
    assert there.read_text() == "my notes\n"
