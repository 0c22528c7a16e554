"""Elastic nets refitted on resampled subjects against scikit-learn, answers asserted."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from sklearn.linear_model import ElasticNet

from pyexpr.core.cluster_bootstrap import draw_counts
from pyexpr.inference.coefficients.penalised import PenalisedModel, Penalty

SUBJECTS, FEATURES, REPLICATES = 140, 14, 2000
# Clips per subject in the paper's contexts, and over all.
CLIPS = (5, 7, 4, 16)
ALPHA, L1_RATIO = 0.05, 0.5
# scikit-learn refits few resamples: its time is proportional to their number.
PEER_REFITS = 25


def study(clips: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(clips)
    subject = np.repeat(np.arange(SUBJECTS), clips)
    n = len(subject)
    mix = np.eye(FEATURES) + rng.normal(size=(FEATURES, FEATURES)) / np.sqrt(FEATURES)
    X = (rng.normal(size=(SUBJECTS, FEATURES))[subject] + rng.normal(size=(n, FEATURES))) @ mix
    y = X[:, :4] @ [0.4, -0.3, 0.2, 0.1] + rng.normal(size=n)
    return X, y, subject


def peer_refit(X: np.ndarray, y: np.ndarray, rows: np.ndarray, tol: float) -> np.ndarray:
    Z = X[rows]
    Z = (Z - Z.mean(axis=0)) / Z.std(axis=0)
    model = ElasticNet(alpha=ALPHA, l1_ratio=L1_RATIO, tol=tol, max_iter=100_000)
    return model.fit(Z, y[rows]).coef_


def run() -> list[dict[str, Any]]:
    ours = peer = 0.0
    for clips in CLIPS:
        X, y, subject = study(clips)
        penalty = Penalty((ALPHA,), (L1_RATIO,))

        def refit(X=X, y=y, subject=subject, penalty=penalty):
            model = PenalisedModel.of(X, y, subject, None)
            fitted = model.fitted(penalty, retune=False, n_folds=5, seed=1)
            return fitted.drawn(REPLICATES, 1, 0)

        refit()
        times = []
        for _ in range(5):
            start = time.perf_counter()
            found = refit()
            times.append(time.perf_counter() - start)
        ours += min(times)

        counts = draw_counts((SUBJECTS,), PEER_REFITS, seed=1)
        drawn = [np.repeat(np.arange(len(y)), counts[b][subject]) for b in range(PEER_REFITS)]
        for b, rows in enumerate(drawn):
            np.testing.assert_allclose(found[b], peer_refit(X, y, rows, 1e-14), atol=1e-8)
        # Timed at scikit-learn's default tolerance, which is the faster one.
        start = time.perf_counter()
        for rows in drawn:
            peer_refit(X, y, rows, 1e-4)
        peer += (time.perf_counter() - start) * REPLICATES / PEER_REFITS
    nets = f"{len(CLIPS)} elastic nets, {FEATURES} features, {SUBJECTS} subjects"
    work = f"{REPLICATES:,} refits x {nets}"
    return [
        {
            "work": work,
            "ours_ms": 1e3 * ours,
            "peer": "scikit-learn, ElasticNet",
            "peer_ms": 1e3 * peer,
            "ratio": peer / ours,
        }
    ]
