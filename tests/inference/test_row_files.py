"""Comparisons from parquet files: the bytes of the table in memory, and one sentence otherwise."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import pyexpr as px
from pyexpr.base import row_files
from pyexpr.base.errors import ColumnError, DataError
from pyexpr.base.row_columns import NumberColumn
from pyexpr.inference.comparison.predictions import _is_single

N = 900
METRICS = [
    "rmse", "nrmse", "mae", "bias", "correlation", "concordance", "r2", "rmse_within",
    "correlation_within", "correlation_between", "spearman_between",
]  # fmt: skip
PLAIN = {"truth": "y", "predictions": ["a", "b"], "cluster": "subject", "n_boot": 20}


def made(seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "subject": rng.permutation(np.repeat([f"s{k}" for k in range(30)], N // 30)),
            "task": rng.choice(["joy", "pain", "fear"], N),
            "y": 50 + rng.normal(size=N),
        }
    )
    table["site"] = table["subject"].str[-1].isin(list("13579"))
    table["fold"] = table["subject"].str[1:].astype(int) % 3
    table["clip"] = table["subject"] + "-" + (np.arange(N) % 4).astype(str)
    table["a"] = table["y"] + rng.normal(size=N)
    table["b"] = (table["y"] + rng.normal(size=N)).astype(np.float32)
    table["c"] = rng.integers(0, 5, N)
    table["rater"] = np.where(rng.random(N) < 0.2, np.nan, rng.normal(size=N))
    table["others"] = rng.normal(size=N)
    table.loc[[3, 500], "a"] = np.nan
    return table


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return made()


@pytest.fixture
def folder(table: pd.DataFrame, tmp_path: Path) -> Path:
    """Return a folder with the rows in three files, and another file beside them."""
    for name, rows in (("p0", slice(0, 10)), ("p1", slice(10, 600)), ("p2", slice(600, N))):
        table.iloc[rows].to_parquet(tmp_path / f"{name}.parquet", row_group_size=200)
    (tmp_path / "README.txt").write_text("not a table")
    return tmp_path


@pytest.fixture(scope="module")
def awkward(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("awkward") / "rows.pq"
    at = np.arange(N)
    table.assign(
        gone=np.where(np.isin(at, [7, 800]), None, "x"),
        endless=np.where(at == 5, -np.inf, 1.0),
        empty=np.nan,
        huge=1e80,
        nested=[[1.0]] * N,
    ).to_parquet(path)
    return path


MODELS = {
    "a": "a",
    "two": px.Predictions(["b", "c"]),
    "human": px.Predictions(["rater"], truth=["others"]),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "contexts": {"context": "task", "metrics": METRICS, "score_range": 7.0, "ratio": True},
    "strata": {"stratify": "site", "metrics": ["mae", "r2"], "adjust": "holm"},
    "folds": {"fold": "fold", "context": "task", "metrics": ["correlation", "rmse"]},
    "units": {"per": "clip", "context": "task", "metrics": ["correlation", "rmse"]},
}


def same(found: Any, expected: Any) -> None:
    pd.testing.assert_frame_equal(found.tidy(), expected.tidy(), check_exact=True)
    assert found.replicates.tobytes() == expected.replicates.tobytes()
    for name in ("n_used", "n_dropped", "own_rows", "clusters", "left_out"):
        assert getattr(found, name) == getattr(expected, name)
    assert found.notes() == expected.notes()


@pytest.mark.parametrize("kind", OPTIONS)
def test_the_bytes_are_those_of_the_table_in_memory(
    table: pd.DataFrame, folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {
        "truth": "y", "predictions": MODELS, "cluster": "subject", "n_boot": 40, "seed": 3,
        **OPTIONS[kind],
    }  # fmt: skip
    expected = px.compare_models(table, **options)
    for size, threads in ((1 << 17, None), (61, 1)):
        monkeypatch.setattr(row_files, "BATCH", size)
        same(px.compare_models(folder, n_threads=threads, **options), expected)


def test_any_source_and_any_type_of_label(table: pd.DataFrame, tmp_path: Path) -> None:
    expected = px.compare_models(table, context="task", **PLAIN)
    arrow = pa.Table.from_pandas(table[["subject", "task", "y", "a", "b"]])
    ordered = pd.Categorical(table["task"], ["pain", "joy", "fear", "none"], ordered=True)
    in_order = px.compare_models(table.assign(task=ordered), context="task", **PLAIN)
    for at, (kind, wanted) in enumerate(
        {
            pa.large_string(): expected,
            pa.dictionary(pa.int8(), pa.string()): expected,
            "ordered": in_order,
        }.items()
    ):
        labels = pa.array(ordered) if kind == "ordered" else arrow["task"].cast(kind)
        path = tmp_path / f"{at}.parquet"
        pq.write_table(arrow.set_column(1, "task", labels), path, row_group_size=300)
        for source in (str(path), path, ds.dataset(path)):
            same(px.compare_models(source, context="task", **PLAIN), wanted)
    assert in_order.tidy()["context"].iloc[0] == "pain"
    # A dataset without files, and contexts that are the names of folders.
    same(px.compare_models(ds.dataset(arrow), context="task", **PLAIN), expected)
    parts = tmp_path / "parts"
    for task, rows in table.groupby("task"):
        (parts / f"task={task}").mkdir(parents=True)
        rows.drop(columns="task").to_parquet(parts / f"task={task}" / "rows.parquet")
    ours = px.compare_models(parts, context="task", **PLAIN)
    again = pd.concat([rows for _, rows in table.groupby("task")])
    same(ours, px.compare_models(again, context="task", **PLAIN))


def test_predictions_of_left_out_truth_are_recognised(tmp_path: Path) -> None:
    table = made(2)
    mean, n = table["y"].mean(), len(table)
    by = table.groupby("fold")["y"].transform
    table["a"] = (n * mean - by("sum")) / (n - by("size"))
    table.to_parquet(tmp_path / "rows.parquet")
    expected = px.compare_models(table, **PLAIN)
    same(px.compare_models(tmp_path / "rows.parquet", **PLAIN), expected)
    assert expected.tidy()["reason"].str.contains("is the mean truth of the other").any()


@pytest.mark.parametrize(
    "values",
    [
        np.arange(200) / 8, np.float32(np.linspace(0, 1, 200)), np.linspace(0, 1, 200), np.ones(3),
        np.float32([np.nan, 1e-3, 1e30]), np.float32([1.5, np.nan]), [0.0, -0.0], [1e300, 1.0],
        np.float32([1 + 2.0**-20, 0]), np.float32([1 + 2.0**-19, 0]), np.float32([2.0**-140]),
    ],
)  # fmt: skip
def test_single_precision_is_recognised_batch_by_batch(values: Any) -> None:
    values = np.array(values, dtype=np.float64)
    column = NumberColumn("a", pa.float64(), "the table")
    for start in range(0, len(values), 2):
        column.see(values[start : start + 2], start)
    assert column.single == _is_single(values)


def test_numbers_of_every_type_are_those_of_pandas(tmp_path: Path) -> None:
    from decimal import Decimal

    table = made(3)
    whole = [None if k == 7 else int(10 * y) for k, y in enumerate(table["y"])]
    arrow = pa.table(
        {
            "subject": pa.array(table["fold"] + 10 * (np.arange(N) % 9), pa.int16()),
            "y": pa.array([Decimal(f"{y:.7f}") for y in table["y"]]),
            "a": pa.array(whole, pa.uint16()),
            "b": pa.array(table["b"].to_numpy().astype(np.float16)),
            "c": pa.array(table["site"]),
            "d": pa.array(table["y"].round(1), pa.float64()).dictionary_encode(),
        }
    )
    pq.write_table(arrow.drop_columns("b"), tmp_path / "rows.parquet")
    for source, names in ((tmp_path / "rows.parquet", "acd"), (ds.dataset(arrow), "abc")):
        options = {**PLAIN, "predictions": list(names)}
        memory = arrow.select(["subject", "y", *names])
        same(px.compare_models(source, **options), px.compare_models(memory, **options))


def test_the_command_line_reads_files(
    table: pd.DataFrame, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyexpr.cli.main import main

    written = tmp_path / "out" / "found.csv"
    options = ["--truth", "y", "--predictions", "a,b", "--n-boot", "20", "--output", str(written)]
    monkeypatch.setattr("sys.argv", ["pyexpr", "compare", str(folder), *options, "--quiet"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    expected = px.compare_models(table, **PLAIN).tidy()
    np.testing.assert_array_equal(pd.read_csv(written)["estimate"], expected["estimate"])


def refused(call: Callable[[], Any], *parts: str) -> None:
    with pytest.raises(DataError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"metrics": "spearman"}, "spearman depends on the order of all rows"),
        ({"metrics": ["rmse", "auc"]}, "auc depends on the order of all rows"),
        ({"metrics": "accuracy"}, "accuracy judges classes, which are determined from all rows"),
        ({"metrics": "median_absolute_error"}, "is a function of all rows"),
        ({"metrics": lambda t, p: 0.0}, "has no name"),
        ({"cluster": None}, "every row would be a cluster"),
        ({"context": np.zeros(N)}, "context= must name a column of the files"),
        ({"cluster": "subjet"}, "has no column 'subjet'; did you mean 'subject'?"),
        ({"predictions": ["a", "nope"]}, "has no column 'nope'"),
        ({"truth": "task"}, "column 'task' of the table of predictions"),
        ({"context": "gone"}, "must not have missing values, but row 8 is empty (2 such rows)"),
        ({"predictions": "endless"}, "must be finite, but row 6 holds -inf"),
        ({"predictions": "empty"}, "column 'empty'"),
        ({"predictions": "huge"}, "cannot be squared"),
        ({"predictions": "nested"}, "must be a number, but it is of type list<"),
        ({"context": "nested"}, "must have one label per row, but it is of type list<"),
        ({"stratify": "task"}, "is in two strata"),
        ({"fold": "task"}, "is in folds"),
        ({"per": "task"}, "has rows of subjects"),
    ],
)
def test_one_sentence(awkward: Path, options: dict[str, Any], part: str) -> None:
    refused(lambda: px.compare_models(awkward, **{**PLAIN, **options}), part)


def test_files_that_are_none(folder: Path, table: pd.DataFrame, tmp_path: Path) -> None:
    def of(path: Any) -> Callable[[], Any]:
        return lambda: px.compare_models(path, **PLAIN)

    refused(of(tmp_path / "absent.parquet"), "absent.parquet' does not exist")
    refused(of(folder / "README.txt"), "is not a parquet file")
    (folder / "torn.parquet").write_bytes(b"PAR1 and no more")
    refused(of(folder / "torn.parquet"), "torn.parquet) cannot be read")
    (folder / "torn.parquet").unlink()
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    refused(of(nothing), "contains no parquet file")
    table.iloc[:0].to_parquet(nothing / "rows.parquet")
    refused(of(nothing), "has no rows")
    # Pandas before 3 writes a column of text without rows as one of another type.
    (nothing / "rows.parquet").unlink()
    table.drop(columns="b").to_parquet(folder / "p3.parquet")
    refused(of(folder), "column 'b'", "p3.parquet", "absent")
    table.astype({"b": float}).to_parquet(folder / "p3.parquet")
    refused(of(folder), "column 'b'", "of type float in", "of type double in")
    table.assign(y=np.nan).to_parquet(nothing / "rows.parquet")
    refused(of(nothing), "column 'y'", "has no value in any row")
    first = np.arange(N) < 450
    apart = table.assign(a=np.where(first, np.nan, 1.0), b=np.where(first, 1.0, np.nan))
    apart.to_parquet(nothing / "rows.parquet")
    refused(of(nothing), "no row of the table of predictions", "every prediction")


def test_a_file_that_changes_between_passes(
    folder: Path, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyexpr.inference.comparison import from_files

    add_up = from_files.FileRows.add_up

    def after(change: Callable[[], object]) -> None:
        def changed(self: Any, build: Any) -> None:
            change()
            add_up(self, build)

        monkeypatch.setattr(from_files.FileRows, "add_up", changed)

    path = folder / "p1.parquet"
    after(lambda: table.iloc[:30].to_parquet(path))
    refused(lambda: px.compare_models(folder, **PLAIN), "changed while it was read", "p1.parquet")
    after(lambda: os.utime(path, (1, 1)))
    refused(lambda: px.compare_models(folder, **PLAIN), "changed while it was read", "p1.parquet")
    after(path.unlink)
    refused(lambda: px.compare_models(folder, **PLAIN), "changed while it was read", "p1.parquet")


def test_ordered_labels_in_two_orders_are_refused(table: pd.DataFrame, tmp_path: Path) -> None:
    for name, order in (("a", ["joy", "pain", "fear"]), ("b", ["pain", "joy", "fear"])):
        tasks = pd.Categorical(table["task"], order, ordered=True)
        table.assign(task=tasks).to_parquet(tmp_path / f"{name}.parquet")
    with pytest.raises(ColumnError, match="in one order in one file and in another elsewhere"):
        px.compare_models(tmp_path, context="task", **PLAIN)
