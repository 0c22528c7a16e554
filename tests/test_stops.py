"""Ctrl-C amid any long public call is `Interrupted`, with one sentence."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.utils.validation import check_is_fitted

import pyexpr as px

RNG = np.random.default_rng(4)
N = 120
F = RNG.normal(size=N)
TABLE = pd.DataFrame({f"x{i}": F + RNG.normal(size=N) for i in range(4)})
TABLE["subject"], TABLE["context"] = np.arange(N) // 5, np.arange(N) % 2
LONG = TABLE.reset_index().melt(["index", "subject"], [f"x{i}" for i in range(4)])
MODEL = {"f": [f"x{i}" for i in range(4)]}
X, Y = TABLE[["x1", "x2"]], TABLE["x0"]
PAIR = {"truth": "x0", "predictions": ["x1", "x2"], "cluster": "subject", "n_boot": 40}
ELASTIC_NET, CONTEXTUAL = px.ElasticNetRegressor(), px.ContextualRegressor()
FITTED = LinearRegression().fit(X, Y)
CLASSIFIER = px.ElasticNetClassifier(alpha=(0.1, 1), l1_ratio=0.5)

CALLS: dict[str, Callable[[Path], Any]] = {
    "icc": lambda _: px.icc(
        LONG, targets="index", raters="variable", ratings="value", cluster="subject",
        method="studentized", n_boot=60,
    ),
    "cfa": lambda _: px.cfa(TABLE, MODEL, engine="native"),
    "invariance": lambda _: px.invariance(
        TABLE, MODEL, context="context", cluster="subject", engine="native"
    ),
    "bootstrap_cfa": lambda _: px.bootstrap_cfa(TABLE, MODEL, cluster="subject", n_boot=40),
    "compare_models": lambda _: px.compare_models(TABLE, **PAIR),
    "cluster_bootstrap": lambda _: px.cluster_bootstrap(
        TABLE, lambda rows, weights: np.average(rows["x0"], weights=weights), cluster="subject",
        n_boot=20,
    ),
    "context_coefficients": lambda _: px.context_coefficients(
        X, Y, context=TABLE["context"], cluster=TABLE["subject"], n_boot=20
    ),
    "ElasticNetRegressor.fit": lambda _: ELASTIC_NET.fit(X, Y),
    "ElasticNetClassifier.fit": lambda _: CLASSIFIER.fit(X, Y > 0),
    "ContextualRegressor.fit": lambda _: CONTEXTUAL.fit(X, Y, context=TABLE["context"]),
    "fit_models": lambda _: px.fit_models(
        TABLE, label="x0", features=["x1", "x2"], cluster="subject", context="context"
    ),
    "feature_importance": lambda _: px.feature_importance(
        FITTED, TABLE, label="x0", features=["x1", "x2"], cluster="subject"
    ),
    "simulate_study": lambda folder: px.simulate_study(folder / "s", subjects=1, n_jobs=1),
    "reproduce_paper": lambda _: px.reproduce_paper(subjects=15, n_boot=20, progress=False),
}  # fmt: skip


@pytest.fixture(autouse=True)
def listening() -> Iterator[None]:
    # SIGINT is ignored in the children of a background job; here it must interrupt.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def pressed_at(call: Callable[[], Any], wanted: int) -> int:
    """Press Ctrl-C at this call of a function of the package; return how many there were."""
    seen = 0

    def look(frame: FrameType, event: str, _: object) -> None:
        nonlocal seen
        if event != "call" or not frame.f_globals.get("__name__", "").startswith("pyexpr."):
            return
        seen += 1
        # The first is the door itself, whose work has not begun.
        if seen == wanted:
            sys.setprofile(None)
            signal.raise_signal(signal.SIGINT)

    sys.setprofile(look)
    try:
        call()
    finally:
        sys.setprofile(None)
    return seen


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.filterwarnings("ignore::pyexpr.base.errors.PyexprWarning")
def test_the_sentence(name: str, tmp_path: Path) -> None:
    getattr(px, name.partition(".")[0])  # imported by now
    for moment in (2, 6, 17):
        with pytest.raises(px.errors.Interrupted, match=r"^stopped by Ctrl-C ") as stop:
            pressed_at(lambda: CALLS[name](tmp_path), moment)
        assert "\n" not in str(stop.value)
        assert str(stop.value).count(":") >= 1


def test_a_fit_that_was_stopped_leaves_none_of_two_fits() -> None:
    for model, more in (
        (px.ElasticNetRegressor(), {}),
        (px.ContextualRegressor(), {"context": TABLE["context"]}),
    ):
        model.fit(X, Y, **more)
        with pytest.raises(px.errors.Interrupted):
            pressed_at(lambda model=model, more=more: model.fit(X * 100, Y, **more), 6)
        with pytest.raises(NotFittedError):
            check_is_fitted(model)


def test_an_import_that_was_stopped_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.delitem(vars(px), "icc", raising=False)
    monkeypatch.setattr(px, "import_module", stopped)
    with pytest.raises(px.errors.Interrupted, match="while icc was imported; import it again"):
        _ = px.icc
