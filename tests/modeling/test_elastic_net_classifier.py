"""The classifier against scikit-learn; its tuning, its labels, what it refuses and warns of."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from parity.classifiers import features_and_classes as study
from parity.classifiers import scikit_learn as theirs
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from pyexpr.base.errors import ColumnError, DataError, SeparatedClassesWarning
from pyexpr.modeling.elastic_net_classifier import ElasticNetClassifier
from pyexpr.modeling.separation import are_separated
from pyexpr.modeling.splits import subject_folds
from pyexpr.modeling.tuned_net import ALPHAS, L1_RATIOS

# scikit-learn's saga stops at a relative step of 1e-12.
STEPS = 1e-7
GRID: dict[str, Any] = {"alpha": (0.01, 0.05), "l1_ratio": (0.0, 0.5, 1.0)}


def their_loss(
    X: np.ndarray, y: np.ndarray, new: np.ndarray, truth: np.ndarray, alpha: float, ratio: float
) -> float:
    """Return the sum of -log P that scikit-learn's own estimator has on other rows."""
    scaler = StandardScaler().fit(X)
    chances = theirs(X, y, alpha, ratio).predict_proba(scaler.transform(new))
    return float(log_loss(truth, chances, labels=np.unique(y)) * len(truth))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_tunes_as_a_loop_over_scikit_learn_would(n_classes: int) -> None:
    X, y = study(0, n_classes, n=160, p=5)
    X, y, X_val, y_val = X[:100], y[:100], X[100:], y[100:]
    model = ElasticNetClassifier(**GRID).fit(X, y, validation=(X_val, y_val))
    losses = {
        (a, r): their_loss(X, y, X_val, y_val, a, r) / 60
        for a in GRID["alpha"]
        for r in GRID["l1_ratio"]
    }
    assert model.tuning_ == "validation"
    assert losses[model.alpha_, model.l1_ratio_] == min(losses.values())
    path = model.path_.set_index(["alpha", "l1_ratio"])
    for pair, loss in losses.items():
        assert path.loc[pair, "log_loss"] == pytest.approx(loss, abs=STEPS)
        peer = theirs(X, y, *pair)
        assert path.loc[pair, "n_nonzero"] == (np.abs(peer.coef_) > 1e-9).any(axis=0).sum()
    assert path[path["chosen"]].index.tolist() == [(model.alpha_, model.l1_ratio_)]
    peer = theirs(X, y, model.alpha_, model.l1_ratio_)
    np.testing.assert_allclose(model.coef_, peer.coef_, atol=STEPS)
    assert model.coef_.shape == (1 if n_classes == 2 else n_classes, 5)


def test_the_default_grid_is_the_regressors() -> None:
    X, y = study(1, 2, n=80, p=3)
    model = ElasticNetClassifier().fit(X, y)
    assert list(zip(model.path_["alpha"], model.path_["l1_ratio"], strict=True)) == [
        (alpha, ratio) for alpha in ALPHAS for ratio in L1_RATIOS
    ]


def test_refit_adds_the_validation_rows() -> None:
    X, y = study(2, 3, n=120, p=4)
    parts = {"X": X[:90], "y": y[:90], "validation": (X[90:], y[90:])}
    model = ElasticNetClassifier(**GRID, refit=True).fit(**parts)
    plain = ElasticNetClassifier(**GRID).fit(**parts)
    assert (model.alpha_, model.l1_ratio_) == (plain.alpha_, plain.l1_ratio_)
    peer = theirs(X, y, model.alpha_, model.l1_ratio_)
    np.testing.assert_allclose(model.coef_, peer.coef_, atol=STEPS)
    np.testing.assert_allclose(model.mean_, X.mean(axis=0))
    assert np.abs(plain.coef_ - peer.coef_).max() > 1e-3


def test_folds_are_of_subjects() -> None:
    X, y = study(3, 2, n=90, p=4)
    subjects = np.repeat([f"S{i}" for i in range(9)], 10)
    model = ElasticNetClassifier(**GRID, n_folds=3, seed=4).fit(X, y, groups=subjects)
    fold = subject_folds(subjects, 3, 4)
    for row in model.path_.to_dict(orient="records"):
        total = sum(
            their_loss(
                X[fold != k], y[fold != k], X[fold == k], y[fold == k], row["alpha"],
                row["l1_ratio"],
            )
            for k in range(3)
        )  # fmt: skip
        assert row["log_loss"] == pytest.approx(total / 90, abs=STEPS)
    assert model.tuning_ == "folds"


def test_ties_go_to_the_larger_alpha_then_the_larger_l1_ratio() -> None:
    X, y = study(4, 3, n=60, p=3)
    model = ElasticNetClassifier(alpha=(5.0, 20.0, 10.0), l1_ratio=(0.5, 1.0, 0.7))
    model.fit(X, y, validation=(X, y))
    assert model.path_["log_loss"].nunique() == 1
    assert (model.alpha_, model.l1_ratio_) == (20.0, 1.0)
    # No weight is left, and the probabilities are the shares of the classes.
    np.testing.assert_allclose(model.predict_proba(X[:1])[0], np.bincount(y) / 60, rtol=1e-12)
    assert model.intercept_.sum() == pytest.approx(0, abs=1e-12)


def test_predictions_are_by_the_definition() -> None:
    for n_classes in (2, 3):
        X, y = study(5, n_classes, n=80, p=3)
        model = ElasticNetClassifier(0.05, 0.5).fit(X, y)
        predictors = (X - X.mean(axis=0)) / X.std(axis=0) @ model.coef_.T + model.intercept_
        found = model.decision_function(X)
        np.testing.assert_allclose(found, predictors[:, 0] if n_classes == 2 else predictors)
        both = np.column_stack([0 * found, found]) if n_classes == 2 else found
        odds = np.exp(both)
        chances = odds / odds.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(model.predict_proba(X), chances)
        np.testing.assert_array_equal(model.predict(X), chances.argmax(axis=1))


def test_rows_far_from_the_border_keep_their_probabilities() -> None:
    X, y = study(5, 3, n=80, p=3)
    model = ElasticNetClassifier(0.05, 0.5).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chances = model.predict_proba(X.mean(axis=0) + 1e4 * X.std(axis=0)[None])
    assert np.isfinite(chances).all()
    assert chances.sum() == pytest.approx(1)


TRUTH = study(6, 2, n=80, p=3)[1]
WORDS = np.array(["calm", "smile"])[TRUTH]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (TRUTH, [0, 1]),
        (TRUTH.astype(bool), [False, True]),
        (TRUTH * 7 - 2, [-2, 5]),
        (TRUTH.astype(float), [0.0, 1.0]),
        (WORDS, ["calm", "smile"]),
        (WORDS.tolist(), ["calm", "smile"]),
        (WORDS.astype(object), ["calm", "smile"]),
        (pd.Series(WORDS), ["calm", "smile"]),
        # Sorted by label: the order of the categories says nothing.
        (pd.Categorical(WORDS, ["unused", "smile", "calm"]), ["calm", "smile"]),
        (pd.Series(TRUTH + 3).astype("category"), [3, 4]),
        (pd.Series(TRUTH, dtype="Int64"), [0, 1]),
        (pd.Series(TRUTH.astype(bool), dtype="boolean"), [False, True]),
        (pd.Series(WORDS).convert_dtypes(dtype_backend="pyarrow"), ["calm", "smile"]),
    ],
)
def test_labels_of_every_kind(labels: Any, classes: list[Any]) -> None:
    X = study(6, 2, n=80, p=3)[0]
    plain = ElasticNetClassifier(0.05, 0.5).fit(X, TRUTH)
    model = ElasticNetClassifier(0.05, 0.5).fit(X, labels)
    assert model.classes_.tolist() == classes
    assert {type(one) for one in model.classes_.tolist()} == {type(classes[0])}
    assert model.coef_.tobytes() == plain.coef_.tobytes()
    predicted = model.predict(X)
    assert predicted.tolist() == [classes[k] for k in plain.predict(X)]
    tuned = ElasticNetClassifier(**GRID).fit(X, labels, validation=(X, labels))
    assert tuned.path_["log_loss"].notna().all()


def test_constant_features_get_no_weight() -> None:
    X, y = study(7, 3, n=70, p=3)
    wide = np.column_stack([np.full(70, 0.1), X, np.full(70, 1 / 3)])
    for penalty in ((0.01, 0.0), (0.01, 0.5), (0.0, 0.0)):
        model = ElasticNetClassifier(*penalty).fit(wide, y)
        assert (model.coef_[:, [0, 4]] == 0).all()
        assert (model.scale_[[0, 4]] == 1).all()
        plain = ElasticNetClassifier(*penalty).fit(X, y)
        np.testing.assert_allclose(model.coef_[:, 1:4], plain.coef_, atol=1e-9)


def test_a_copied_feature_shares_the_weight_where_nothing_is_penalised() -> None:
    X, y = study(8, 2, n=90, p=3)
    single = ElasticNetClassifier(0, 0).fit(X, y)
    double = ElasticNetClassifier(0, 0).fit(np.column_stack([X, X[:, 0]]), y)
    np.testing.assert_allclose(double.coef_[0, [0, 3]], single.coef_[0, 0] / 2, atol=1e-9)
    np.testing.assert_allclose(double.coef_[0, 1:3], single.coef_[0, 1:], atol=1e-9)


def test_ridge_of_more_features_than_rows() -> None:
    X, y = study(9, 3, n=30, p=80)
    model = ElasticNetClassifier(0.05, (0.0, 0.001)).fit(X, y, validation=(X, y))
    ridge = ElasticNetClassifier(0.05, 0).fit(X, y)
    peer = theirs(X, y, 0.05, 0)
    np.testing.assert_allclose(ridge.coef_, peer.coef_, atol=STEPS)
    assert model.path_["log_loss"].diff().abs().max() < 0.01


def test_four_classes_under_the_lasso_are_as_good_as_scikit_learns() -> None:
    # The weights are not unique; the probabilities and the sum of absolute weights are.
    X, y = study(10, 4, n=150, p=4)
    model, peer = ElasticNetClassifier(0.01, 1).fit(X, y), theirs(X, y, 0.01, 1)
    Z = StandardScaler().fit_transform(X)
    np.testing.assert_allclose(model.predict_proba(X), peer.predict_proba(Z), atol=STEPS)
    assert np.abs(model.coef_).sum() == pytest.approx(np.abs(peer.coef_).sum(), abs=1e-5)
    # Of the solutions, the limit of a vanishing L2 penalty.
    almost = ElasticNetClassifier(0.01, 1 - 1e-6).fit(X, y)
    np.testing.assert_allclose(model.coef_, almost.coef_, atol=1e-4)


def separated(seed: int, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(seed).normal(size=(60, 3))
    return X, np.digitize(X[:, 0], [-0.5, 0.5][: n_classes - 1])


@pytest.mark.parametrize("n_classes", [2, 3])
def test_separated_classes_are_refused_without_a_penalty(n_classes: int) -> None:
    X, y = separated(0, n_classes)
    with pytest.raises(DataError, match=r"the features separate the classes.* alpha= above 0"):
        ElasticNetClassifier(0, 0).fit(X, y)
    # All but one row on the border of two classes: quasi-complete.
    X[:, 0] = np.where(y == y.max(), 1.0, 0.0)
    y = y.copy()
    y[np.flatnonzero(y == y.max())[:-1]] = 0
    quasi = np.column_stack([X[:, 1:], X[:, 0] * (y == y.max())])
    with pytest.raises(DataError, match="the features separate the classes"):
        ElasticNetClassifier(0, 0).fit(quasi, y)


def test_separation_by_enumeration_of_one_feature() -> None:
    # One feature separates two classes if and only if their ranges meet in one point at most.
    rng = np.random.default_rng(1)
    for _ in range(40):
        z, y = rng.integers(0, 4, 6).astype(float), np.array([0, 0, 0, 1, 1, 1])
        low, high = z[y == 0], z[y == 1]
        apart = (low.max() <= high.min() or high.max() <= low.min()) and np.ptp(z) > 0
        assert are_separated(z[:, None] - z.mean(), y) == apart


def test_unlikely_rows_are_no_separation() -> None:
    # An outlier makes a fitted probability tiny, and the maximum exists all the same.
    X = np.append(np.linspace(-1, 1, 40), 60.0)[:, None]
    y = np.append(np.arange(40) % 5 > np.linspace(4, 0, 40), True).astype(int)
    model = ElasticNetClassifier(0, 0).fit(X, y)
    assert model.predict_proba(X)[-1, 0] < 1e-9
    peer = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12).fit(
        StandardScaler().fit_transform(X), y
    )
    np.testing.assert_allclose(model.coef_, peer.coef_, rtol=1e-6)


def test_a_tiny_penalty_on_separated_classes_is_reported() -> None:
    X, y = separated(2, 2)
    with pytest.warns(SeparatedClassesWarning, match=r"^the features separate .*alpha=1e-08 is so"):
        ElasticNetClassifier(1e-8, 0.5).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ElasticNetClassifier(0.01, 0.5).fit(X, y)
        wide, labels = study(11, 2, n=30, p=60)
        ElasticNetClassifier(0.01, 0).fit(wide, labels)


def test_not_converged_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from pyexpr.core import logistic_net
    from pyexpr.modeling import elastic_net_classifier

    def hasty(*args: Any, **options: Any) -> Any:
        return logistic_net.logistic_net_fits(*args, **options, max_steps=1)

    monkeypatch.setattr(elastic_net_classifier, "logistic_net_fits", hasty)
    X, y = study(12, 2)
    with pytest.raises(DataError, match=r"did not converge at alpha=0.001, l1_ratio=1\.?0? \(the"):
        ElasticNetClassifier(0.001, 1).fit(X, y)


X20, Y20 = study(13, 2, n=20, p=3)
RARE = np.where(np.arange(20) == 3, 2, Y20)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda net: net().fit(X20, [1] * 20), DataError, "all 20 rows are of one class, 1: a"),
        (lambda net: net().fit(X20, RARE), DataError, "all rows of class 2 belong to subjects"),
        (
            lambda net: net().fit(X20, Y20, validation=(X20, RARE)), DataError,
            "validation= contains classes that do not occur in the fitted rows: '2'",
        ),
        (lambda net: net().fit(X20, Y20, validation=(X20, Y20, 1)), DataError, "must be a pair"),
        (lambda net: net().fit(X20, ["a", None] * 10), ColumnError, "row 2 is empty"),
        (lambda net: net().fit(X20, ["a", 1] * 10), ColumnError, "mixes text and numbers"),
        (lambda net: net().fit(X20, X20[:, 0]), ValueError, "Unknown label type: continuous"),
        (lambda net: net().fit(X20 * np.nan, Y20), ValueError, "contains NaN"),
        (lambda net: net().fit(X20, Y20, groups=["a"] * 20), DataError, "at least 2 subjects"),
        (lambda net: net(alpha=-1).fit(X20, Y20), DataError, "alpha= must be at least 0, not -1"),
        (lambda net: net(l1_ratio=2).fit(X20, Y20), DataError, "l1_ratio= must be between 0 and"),
        (lambda net: net(n_folds=1).fit(X20, Y20), DataError, "n_folds= must be a whole number"),
    ],
)  # fmt: skip
def test_refused(
    call: Callable[[type[ElasticNetClassifier]], Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        call(ElasticNetClassifier)
