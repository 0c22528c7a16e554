"""The six functions that resample subjects have one set of options and of results."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pyexpr as px

OPTIONS = ("n_boot", "method", "confidence", "stratify", "adjust", "seed", "n_threads", "progress")
RESULTS = ("interval", "extend", "influence", "adjust", "replicates", "plot")
RNG = np.random.default_rng(4)
N = 200
F = RNG.normal(size=N)
TABLE = pd.DataFrame({f"x{i}": F + RNG.normal(size=N) for i in range(4)})
TABLE["subject"], TABLE["context"] = np.arange(N) // 8, np.arange(N) % 2
TABLE["stratum"] = TABLE["subject"] % 2
LONG = TABLE.reset_index().melt(["index", "subject"], [f"x{i}" for i in range(4)])
MODEL = {"f": [f"x{i}" for i in range(4)]}

CALLS: dict[str, Callable[..., Any]] = {
    "icc": lambda **options: px.icc(
        LONG, targets="index", raters="variable", ratings="value", cluster="subject", **options
    ),
    "bootstrap_cfa": lambda **options: px.bootstrap_cfa(
        TABLE, MODEL, cluster="subject", **options
    ),
    "invariance": lambda **options: px.invariance(
        TABLE, MODEL, context="context", cluster="subject", engine="native", **options
    ),
    "context_coefficients": lambda **options: px.context_coefficients(
        TABLE[["x1", "x2"]], TABLE["x0"], context=TABLE["context"], cluster=TABLE["subject"],
        alpha=0.1, l1_ratio=0.5, **options,
    ),
    "compare_models": lambda **options: px.compare_models(
        TABLE, truth="x0", predictions=["x1", "x2"], cluster="subject", **options
    ),
    "cluster_bootstrap": lambda **options: px.cluster_bootstrap(
        TABLE, lambda rows, weights: np.average(rows["x0"], weights=weights), cluster="subject",
        null=0.0, **options,
    ),
}  # fmt: skip
GIVEN = {
    "n_boot": 60, "method": "jackknife_t", "confidence": 0.9, "stratify": "stratum",
    "adjust": "holm", "seed": 3, "n_threads": 1, "progress": False,
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_an_option_is_accepted_or_explained(name: str) -> None:
    taken = inspect.signature(getattr(px, name)).parameters
    for option in OPTIONS:
        given = {"n_boot": 60} if "n_boot" in taken else {}
        given[option] = GIVEN[option]
        if option in taken:
            CALLS[name](**given)
        else:
            with pytest.raises(
                px.errors.DataError, match=rf"^{name}\(\) does not .* {option}=: .+"
            ):
                CALLS[name](**given)


@pytest.mark.parametrize("name", CALLS)
def test_a_result_has_it_or_says_why_not(name: str) -> None:
    boot = {"n_boot": 60} if name != "invariance" else {}
    result = CALLS[name](**boot)
    requested: dict[str, Callable[[], Any]] = {
        "interval": lambda: result.interval(confidence=0.8),
        "extend": lambda: result.extend(40),
        "influence": result.influence,
        "adjust": lambda: result.adjust("max_t"),
        "replicates": lambda: (
            result.replicates("0") if callable(result.replicates) else result.replicates
        ),
        "plot": result.plot,
    }
    assert tuple(requested) == RESULTS
    errors = {}
    for one, ask in requested.items():
        try:
            found = ask()
        except px.errors.DataError as error:
            errors[one] = str(error)
            continue
        if one in ("interval", "extend", "adjust"):
            assert type(found) is type(result)
        if one == "influence":
            assert {"cluster", "influence"} <= set(found.columns)
            assert set(found["cluster"]) == set(range(25))
    expected = {"icc": ["adjust"], "invariance": ["extend", "replicates"]}
    assert list(errors) == expected.get(name, [])


def test_statistics_are_adjusted_together_from_the_start() -> None:
    def statistic(rows: pd.DataFrame, weights: np.ndarray) -> dict[str, float]:
        return {name: np.average(rows[name], weights=weights) for name in ("x0", "x1", "x2")}

    options = {"cluster": "subject", "n_boot": 60}
    result = px.cluster_bootstrap(TABLE, statistic, null=0.0, **options)
    again = px.cluster_bootstrap(TABLE, statistic, null=0.0, adjust="max_t", **options)
    pd.testing.assert_frame_equal(result.adjust("max_t").tidy(), again.tidy())
    with pytest.raises(px.errors.DataError, match="give null="):
        px.cluster_bootstrap(TABLE, statistic, adjust="holm", **options)
    texts = [text.get_text() for text in again.plot().legends[0].get_texts()]
    assert "simultaneous, by max-T" in " ".join(texts)
