"""Statistics compiled by numba: the same numbers as Python's, in any number of threads."""

from __future__ import annotations

import hashlib
import sys

import numba
import numpy as np
import pandas as pd
import pytest
from numba import types

from pyexpr.base.errors import ColumnError, DataError, EngineError
from pyexpr.inference.bootstrap.bootstrap import cluster_bootstrap
from pyexpr.inference.comparison.comparison import compare_models

# The same operations, in Python and compiled: contracted or reordered at most.
COMPILED = 1e-12
OPTIONS = {"cluster": "subject", "n_boot": 1100, "seed": 7}


def table():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"subject": np.repeat(np.arange(21), 3), "y": rng.normal(size=63)})
    frame["p"] = frame.y + rng.normal(size=63)
    frame["sex"] = np.where(frame.subject < 9, "f", "m")
    return frame.sample(frac=1, random_state=0, ignore_index=True)


@numba.njit
def rmse(rows, weights):
    total = 0.0
    for i in range(rows.shape[1]):
        total += weights[i] * (rows[1, i] - rows[0, i]) ** 2
    return np.sqrt(total / weights.sum())


@numba.njit
def both(rows, weights):
    d = rows[1] - rows[0]
    return rmse(rows, weights), (weights * d).sum() / weights.sum()


@numba.njit
def median_of_copies(rows, weights):
    return np.array([np.median(np.repeat(rows[0], weights.astype(np.int64)))])


@numba.cfunc(types.float64(types.CPointer(types.float64), types.intp, types.intp,
                           types.CPointer(types.float64)))  # fmt: skip
def callback(rows, n_columns, n, weights):
    return rmse(numba.carray(rows, (n_columns, n)), numba.carray(weights, n))


def digest(result):
    return hashlib.sha256(np.ascontiguousarray(result.replicates).tobytes()).hexdigest()


@pytest.mark.parametrize("stratify", [None, "sex"])
@pytest.mark.parametrize("statistic", [rmse, both, callback])
def test_equals_compare_models(statistic, stratify):
    frame = table()
    options = OPTIONS | {"stratify": stratify}
    found = cluster_bootstrap(frame, statistic, columns=["y", "p"], **options)
    wanted = compare_models(
        frame, truth="y", predictions=["p"], metrics=["rmse", "bias"], **options
    )
    k = found.replicates.shape[1]
    np.testing.assert_allclose(
        found.replicates, wanted.replicates[:, :k], rtol=COMPILED, atol=1e-14
    )
    np.testing.assert_allclose(
        found.evidence.groups[0].values, wanted.evidence.groups[0].values[:k], rtol=COMPILED,
        atol=1e-14,
    )  # fmt: skip
    assert found.terms == (("statistic",) if k == 1 else ("statistic_1", "statistic_2"))


def test_equals_the_same_function_called_by_python():
    frame = table()

    def python(rows, weights):
        return median_of_copies.py_func(rows[["y"]].to_numpy().T, weights)[0]

    options = OPTIONS | {"n_boot": 150}
    found = cluster_bootstrap(frame, median_of_copies, columns="y", **options)
    wanted = cluster_bootstrap(frame, python, **options)
    assert digest(found) == digest(wanted)
    pd.testing.assert_frame_equal(found.tidy(), wanted.tidy(), check_exact=True)


def test_threads_change_no_byte():
    results = [
        cluster_bootstrap(
            table(), {"a": rmse, "b": both}, columns=["y", "p"], n_threads=n, **OPTIONS
        )
        for n in (1, 2, 7)
    ]
    assert len({digest(result) for result in results}) == 1
    assert results[0].terms == ("a", "b_1", "b_2")
    alone = cluster_bootstrap(table(), rmse, columns=["y", "p"], **OPTIONS)
    assert np.array_equal(alone.replicates[:, 0], results[0].replicates[:, 0])


def test_an_exception_makes_its_replicate_undefined_and_is_counted(capfd):
    @numba.njit
    def fussy(rows, weights):
        if weights[0] == 0:
            raise ValueError("the first row is absent")
        return rows[0, 0]

    result = cluster_bootstrap(
        table(), {"fussy": fussy, "rmse": rmse}, columns=["y", "p"], **OPTIONS
    )
    undefined = np.isnan(result.replicates[:, 0])
    assert undefined.mean() == pytest.approx((20 / 21) ** 21, abs=0.06)
    assert np.isfinite(result.replicates[:, 1]).all()
    percentile = result.interval(method="percentile").tidy()
    assert f"raised an exception in {undefined.sum()} of 1100 replicates" in percentile.reason[0]
    assert percentile.n_undefined.tolist() == [undefined.sum(), 0]
    assert percentile.reason[1] == ""
    assert np.isfinite(percentile.conf_low[1])
    # A callback of numba's own would have printed.
    assert capfd.readouterr() == ("", "")

    @numba.cfunc(callback._sig)
    def fussy_callback(rows, n_columns, n, weights):
        if weights[0] == 0:
            raise ValueError("the first row is absent")
        return rows[0]

    less = {**OPTIONS, "n_boot": 700}
    twice = cluster_bootstrap(
        table(), {"fussy": fussy, "rmse": rmse}, columns=["y", "p"], **less
    ).extend(400)
    pd.testing.assert_frame_equal(twice.tidy(), result.tidy(), check_exact=True)
    assert digest(twice) == digest(result)

    again = cluster_bootstrap(table(), fussy_callback, columns=["y", "p"], **OPTIONS)
    assert np.array_equal(np.isnan(again.replicates[:, 0]), undefined)


def test_a_plain_function_is_compiled_on_demand():
    found = cluster_bootstrap(
        table(), {"rmse": rmse.py_func}, columns=["y", "p"], compiled=True, **OPTIONS
    )
    assert digest(found) == digest(
        cluster_bootstrap(table(), {"rmse": rmse}, columns=["y", "p"], **OPTIONS)
    )


def test_without_numba_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(EngineError, match=r"compiled=True needs numba.*pyexpr-stats\[numba\]"):
        cluster_bootstrap(table(), rmse.py_func, columns=["y", "p"], compiled=True, **OPTIONS)


def test_infinite_values_are_undefined():
    @numba.njit
    def infinite(rows, weights):
        return np.inf if weights[0] == 0 else rows[0, 0]

    result = cluster_bootstrap(table(), infinite, columns="y", **OPTIONS)
    undefined = np.isnan(result.replicates[:, 0])
    assert not np.isinf(result.replicates).any()
    assert undefined.mean() == pytest.approx((20 / 21) ** 21, abs=0.06)
    assert result.tidy().n_undefined[0] == undefined.sum()
    assert result.tidy().reason[0] == "undefined if one of 1 subject is left out"


@pytest.mark.parametrize("columns", [np.array(["y", "p"]), pd.Index(["y", "p"])])
def test_columns_are_any_list_of_names(columns):
    options = OPTIONS | {"n_boot": 20}
    named = cluster_bootstrap(table(), rmse, columns=["y", "p"], **options)
    assert digest(cluster_bootstrap(table(), rmse, columns=columns, **options)) == digest(named)


@numba.njit
def spoils(rows, weights):
    rows[0, 0] += 1
    return weights[0]


@numba.njit
def text(rows, weights):
    return "high"


@numba.njit
def raises(rows, weights):
    raise ZeroDivisionError("mine")


@numba.njit
def unknown(rows, weights):
    return rows.no_such_thing


@pytest.mark.parametrize(
    ("statistic", "options", "error", "message"),
    [
        (rmse, {"columns": None}, DataError, "name their columns in order"),
        (rmse, {"columns": []}, DataError, "columns= must name at least one column"),
        (
            rmse,
            {"columns": 5},
            DataError,
            "a list of names, not a number",
        ),
        (rmse, {"columns": ["y", 1]}, DataError, "columns= must list names"),
        (rmse, {"n_threads": 0}, DataError, "n_threads= must be a whole number of at least 1"),
        (rmse, {"n_threads": -1}, DataError, "n_threads= must be"),
        (rmse, {"columns": ["y", "none"]}, ColumnError, "no column 'none'"),
        (rmse, {"columns": ["y", "sex"]}, ColumnError, "must be a number"),
        (rmse, {"compiled": False}, DataError, "columns= is only for compiled"),
        ({"a": rmse.py_func}, {}, DataError, "is a mapping"),
        ({"a": rmse, "b": rmse.py_func}, {}, DataError, "is a mapping"),
        (spoils, {}, DataError, "changed its rows"),
        (text, {}, DataError, "must return a number"),
        (raises, {}, ZeroDivisionError, "mine"),
        (unknown, {}, DataError, "numba cannot compile the statistic 'statistic'"),
    ],
)
def test_errors(statistic, options, error, message):
    with pytest.raises(error, match=message):
        cluster_bootstrap(table(), statistic, **(OPTIONS | {"columns": ["y", "p"]} | options))
