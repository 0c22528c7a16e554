"""scikit-learn's own checks of the estimators, all of them, none expected to fail."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from pyexpr.modeling.contextual import ContextualRegressor
from pyexpr.modeling.elastic_net import ElasticNetRegressor
from pyexpr.modeling.elastic_net_classifier import ElasticNetClassifier


@parametrize_with_checks(
    [
        ElasticNetRegressor(),
        ElasticNetRegressor(alpha=0.1, l1_ratio=0.5),
        ElasticNetClassifier(),
        ElasticNetClassifier(alpha=0.1, l1_ratio=0.5),
        ContextualRegressor(),
    ]
)
def test_estimator_checks(estimator: Any, check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Without it scikit-learn skips its check of array API input.
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    check(estimator)
