"""Penalised logistic regression: glmnet, scikit-learn, statsmodels."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from parity.comparison import Comparison, Tolerance, absolute, largest, python_package
from parity.golden import SOURCES, exact, r_package
from pyexpr.modeling.elastic_net_classifier import ElasticNetClassifier

AREA = "Classification"
# Small enough that some weights are left: scikit-learn's saga looks at the weights alone, and
# without any stops before it has found the intercept.
PENALTIES = [(a, r) for a in (0.01, 0.05, 0.1) for r in (0.0, 0.3, 0.7, 1.0)]
# From scikit-learn 1.8 on l1_ratio alone says which penalty it is.
NAMES_PENALTY = tuple(int(part) for part in version("scikit-learn").split(".")[:2]) < (1, 8)
STEPS = "it stops at a relative step of 1e-12, or a gradient of 1e-12"


def features_and_classes(
    seed: int, n_classes: int, n: int = 200, p: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """Correlated features of very different units, and classes of unequal shares."""
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(n, p)) @ (np.eye(p) + rng.normal(size=(p, p)) / np.sqrt(p))
    Z = StandardScaler().fit_transform(Z)
    pull = Z @ rng.normal(size=(p, n_classes)) + np.arange(n_classes) / 2
    y = (pull + rng.gumbel(size=(n, n_classes))).argmax(axis=1)
    y[:n_classes] = np.arange(n_classes)
    return Z * 10.0 ** rng.integers(-3, 4, size=p) + 5 * rng.normal(size=p), y


def scikit_learn(X: np.ndarray, y: np.ndarray, alpha: float, l1_ratio: float) -> LogisticRegression:
    """Fit scikit-learn's own estimator, cold, on standardised features."""
    Z = StandardScaler().fit_transform(X)
    solver = "newton-cholesky" if l1_ratio == 0 else "saga"
    kind: dict[str, Any] = {"l1_ratio": l1_ratio}
    if NAMES_PENALTY:
        kind = {"penalty": "l2"} if l1_ratio == 0 else {"penalty": "elasticnet", **kind}
    return LogisticRegression(
        C=1 / (len(y) * alpha), solver=solver, tol=1e-12, max_iter=1_000_000, random_state=0, **kind
    ).fit(Z, y)


def by_scikit_learn(n_classes: int) -> dict[str, float]:
    """Twelve pairs of penalties, on tall and on wide data."""
    parts = []
    for seed, (n, p) in enumerate([(200, 8), (40, 50)]):
        X, y = features_and_classes(seed, n_classes, n, p)
        for alpha, l1_ratio in PENALTIES:
            model = ElasticNetClassifier(alpha=alpha, l1_ratio=l1_ratio).fit(X, y)
            peer = scikit_learn(X, y, alpha, l1_ratio)
            Z = StandardScaler().fit_transform(X)
            parts.append(
                {
                    "weights": absolute(model.coef_, peer.coef_),
                    # Only differences of several mean anything.
                    "intercepts": absolute(
                        model.intercept_,
                        peer.intercept_ - (peer.intercept_.mean() if n_classes > 2 else 0.0),
                    ),
                    "probabilities": absolute(model.predict_proba(X), peer.predict_proba(Z)),
                }
            )
    return largest(parts)


def glmnet(n_classes: int, source: str) -> dict[str, float]:
    """Sixteen pairs of penalties; glmnet's lambda is alpha, its alpha is l1_ratio."""
    folder = SOURCES[source]("glmnet_logistic")
    data = exact(folder, "glmnet_logistic_data.csv")
    X, y = data[[f"x{j}" for j in range(1, 6)]], data[f"y{n_classes}"].astype(int)
    kept = exact(folder, "glmnet_logistic.csv")
    parts = []
    for (alpha, l1_ratio), rows in kept[kept["classes"] == n_classes].groupby(
        ["alpha", "l1_ratio"]
    ):
        model = ElasticNetClassifier(alpha=alpha, l1_ratio=l1_ratio).fit(X, y)
        parts.append(
            {
                "weights": absolute(model.coef_, rows[list(X)]),
                "intercepts": absolute(model.intercept_, rows["intercept"]),
            }
        )
    return largest(parts)


def statsmodels(n_classes: int) -> dict[str, float]:
    """No penalty: weights against those of the first class."""
    import statsmodels.api as sm

    X, y = features_and_classes(3, n_classes, n=400, p=5)
    design = sm.add_constant(StandardScaler().fit_transform(X))
    peer = (sm.Logit if n_classes == 2 else sm.MNLogit)(y, design)
    fitted = peer.fit(method="newton", tol=1e-14, maxiter=200, disp=False)
    model = ElasticNetClassifier(alpha=0, l1_ratio=0).fit(X, y)
    ours = np.column_stack([model.intercept_, model.coef_])
    ours = ours if n_classes == 2 else ours[1:] - ours[0]
    chances = fitted.predict(design)
    return {
        "weights": absolute(ours, np.asarray(fitted.params).T.reshape(ours.shape)),
        "probabilities": absolute(
            model.predict_proba(X)[:, -1], chances if n_classes == 2 else chances[:, -1]
        ),
    }


def comparisons() -> list[Comparison]:
    made = []
    for n_classes in (2, 3):
        classes = f"{n_classes} classes"
        made += [
            Comparison(
                AREA, "ElasticNetClassifier", f"90 rows, {classes}, 16 pairs of penalties",
                r_package("glmnet", "glmnet_logistic", source),
                dict.fromkeys(
                    ("weights", "intercepts"),
                    Tolerance(1e-8, "glmnet stops at a squared step of 1e-28"),
                ),
                partial(glmnet, n_classes, source), source != "kept",
            )
            for source in SOURCES
        ]  # fmt: skip
        made.append(
            Comparison(
                AREA, "ElasticNetClassifier", f"tall and wide data, {classes}, 12 pairs",
                python_package("scikit-learn"),
                dict.fromkeys(("weights", "intercepts", "probabilities"), Tolerance(1e-7, STEPS)),
                partial(by_scikit_learn, n_classes),
            )
        )  # fmt: skip
        made.append(
            Comparison(
                AREA, "ElasticNetClassifier", f"400 rows, {classes}, no penalty",
                python_package("statsmodels"),
                dict.fromkeys(
                    ("weights", "probabilities"), Tolerance(1e-9, "Newton's steps, to rounding")
                ),
                partial(statsmodels, n_classes),
            )
        )  # fmt: skip
    return made
