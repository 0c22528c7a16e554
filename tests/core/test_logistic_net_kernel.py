"""The kernel of penalised logistic regression against its twin; threads, interrupts, errors."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parity.classifiers import features_and_classes
from reference import logistic_net as twin
from sklearn.preprocessing import StandardScaler

from pyexpr.base.errors import DataError
from pyexpr.core.logistic_net import logistic_net_fits

SETTINGS = settings(derandomize=True, deadline=None, max_examples=12)
# Both stop at a breach near 1e-14; the curvature of these problems is 0.01 and more.
TWIN = 1e-11


def study(seed: int, n_classes: int, n: int = 60, p: int = 4) -> tuple[np.ndarray, np.ndarray]:
    X, y = features_and_classes(seed, n_classes, n, p)
    return StandardScaler().fit_transform(X), y


@SETTINGS
@given(
    seed=st.integers(0, 10_000),
    n_classes=st.integers(2, 4),
    p=st.integers(1, 5),
    alpha=st.sampled_from([0.05, 0.1, 0.5]),
    l1_ratio=st.sampled_from([0.0, 0.1, 0.5, 0.9]),
)
def test_equals_twin(seed: int, n_classes: int, p: int, alpha: float, l1_ratio: float) -> None:
    Z, y = study(seed, n_classes, p=p)
    fits = logistic_net_fits(Z, y, n_classes, alpha=alpha, l1_ratio=l1_ratio, n_threads=1)
    intercept, weights = twin.fit(Z, y, n_classes, alpha, l1_ratio)
    assert fits.converged.all()
    np.testing.assert_allclose(fits.coef[0, 0], weights, rtol=0, atol=TWIN)
    if n_classes > 2:
        intercept = intercept - intercept.mean()
    np.testing.assert_allclose(fits.intercept[0, 0], intercept, rtol=0, atol=TWIN)


def test_order_of_penalties_is_the_callers() -> None:
    Z, y = study(1, 3)
    fits = logistic_net_fits(Z, y, 3, alpha=(0.01, 0.3, 0.1), l1_ratio=(1, 0.2))
    for i, alpha in enumerate((0.01, 0.3, 0.1)):
        for j, l1_ratio in enumerate((1, 0.2)):
            alone = logistic_net_fits(Z, y, 3, alpha=alpha, l1_ratio=l1_ratio)
            np.testing.assert_allclose(fits.coef[i, j], alone.coef[0, 0], atol=1e-9)


def test_same_bytes_with_any_number_of_threads() -> None:
    Z, y = study(2, 3, n=200, p=8)
    penalties = {"alpha": (0.01, 0.1, 0.5), "l1_ratio": (0, 0.3, 0.6, 1)}
    one = logistic_net_fits(Z, y, 3, **penalties, n_threads=1)
    for threads in (2, 7):
        many = logistic_net_fits(Z, y, 3, **penalties, n_threads=threads)
        assert one.coef.tobytes() == many.coef.tobytes()
        assert one.intercept.tobytes() == many.intercept.tobytes()


def test_an_interrupt_ends_it() -> None:
    # Seconds of work, and Ctrl-C at once.
    Z, y = study(3, 5, n=20_000, p=60)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        press = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
        press.start()
        with pytest.raises(KeyboardInterrupt):
            logistic_net_fits(Z, y, 5, alpha=(0.01, 0.001, 1e-4, 1e-5), l1_ratio=0.5)
        press.join()
    finally:
        signal.signal(signal.SIGINT, before)


Z, Y = study(4, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: logistic_net_fits(Z[0], Y, 3, alpha=1, l1_ratio=0), "must have rows and columns"),
        (lambda: logistic_net_fits(Z[:5], Y, 3, alpha=1, l1_ratio=0), "one value per row"),
        (lambda: logistic_net_fits(Z * np.inf, Y, 3, alpha=1, l1_ratio=0), "row 1 is not"),
        (lambda: logistic_net_fits(Z, Y, 4, alpha=1, l1_ratio=0), "codes must be 0 to 3, each"),
        (lambda: logistic_net_fits(Z, Y * 0, 1, alpha=1, l1_ratio=0), "at least two"),
        (lambda: logistic_net_fits(Z, Y, 3, alpha=-1, l1_ratio=0), "alpha= must be at least 0"),
        (lambda: logistic_net_fits(Z, Y, 3, alpha=(1, 1), l1_ratio=0), "has a value twice"),
        (lambda: logistic_net_fits(Z, Y, 3, alpha=1, l1_ratio=2), "l1_ratio= must be between"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        call()
