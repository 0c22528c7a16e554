"""The elastic net against scikit-learn and glmnet; its tuning, and what it refuses."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from parity.coefficients import features_and_label as study
from parity.coefficients import scikit_learn as theirs
from sklearn.linear_model import LinearRegression
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import GroupKFold, PredefinedSplit
from sklearn.preprocessing import StandardScaler

from pyexpr.base.errors import ColumnError, DataError
from pyexpr.modeling.elastic_net import ElasticNetRegressor
from pyexpr.modeling.splits import subject_folds
from pyexpr.modeling.tuned_net import ALPHAS, L1_RATIOS, lowest

# Two coordinate descents, each stopped at a relative step near 1e-13.
DESCENT = 1e-8


def test_no_penalty_is_least_squares() -> None:
    X, y = study(4)
    model = ElasticNetRegressor(alpha=0, l1_ratio=0.5).fit(X, y)
    reference = LinearRegression().fit(StandardScaler().fit_transform(X), y)
    np.testing.assert_allclose(model.coef_, reference.coef_, atol=1e-9)


def test_large_l1_penalty_leaves_nothing() -> None:
    X, y = study(5)
    model = ElasticNetRegressor(alpha=100, l1_ratio=1).fit(X, y)
    assert (model.coef_ == 0).all()
    assert (model.predict(X) == y.mean()).all()


def test_tunes_as_a_loop_over_scikit_learn_would() -> None:
    for seed in range(4):
        X, y = study(seed, n=120)
        X_val, y_val = X[90:], y[90:]
        X, y = X[:90], y[:90]
        model = ElasticNetRegressor().fit(X, y, validation=(X_val, y_val))
        scaler = StandardScaler().fit(X)
        errors = {
            (a, r): root_mean_squared_error(
                y_val, theirs(X, y, a, r).predict(scaler.transform(X_val))
            )
            for a in ALPHAS
            for r in L1_RATIOS
        }
        assert model.tuning_ == "validation"
        assert errors[model.alpha_, model.l1_ratio_] == min(errors.values())
        path = model.path_.set_index(["alpha", "l1_ratio"])
        assert len(path) == 55
        for pair, error in errors.items():
            assert path.loc[pair, "rmse"] == pytest.approx(error, abs=DESCENT)
        chosen = path[path["chosen"]]
        assert chosen.index.tolist() == [(model.alpha_, model.l1_ratio_)]
        reference = theirs(X, y, model.alpha_, model.l1_ratio_)
        np.testing.assert_allclose(model.coef_, reference.coef_, atol=DESCENT)
        assert chosen["n_nonzero"].item() == np.count_nonzero(reference.coef_)


def test_refit_adds_the_validation_rows() -> None:
    X, y = study(6, n=120)
    model = ElasticNetRegressor(refit=True).fit(X[:90], y[:90], validation=(X[90:], y[90:]))
    plain = ElasticNetRegressor().fit(X[:90], y[:90], validation=(X[90:], y[90:]))
    assert (model.alpha_, model.l1_ratio_) == (plain.alpha_, plain.l1_ratio_)
    reference = theirs(X, y, model.alpha_, model.l1_ratio_)
    np.testing.assert_allclose(model.coef_, reference.coef_, atol=DESCENT)
    np.testing.assert_allclose(model.mean_, X.mean(axis=0))
    assert np.abs(plain.coef_ - reference.coef_).max() > 1e-3


def test_ties_go_to_the_larger_alpha_then_the_larger_l1_ratio() -> None:
    # Without any relation all lasso-like fits are empty, so all errors are equal.
    X = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    y = np.array([1.0, 1.0, -1.0, -1.0])
    model = ElasticNetRegressor(alpha=(0.5, 2.0, 1.0), l1_ratio=(0.5, 1.0, 0.7))
    model.fit(X, y, validation=(X, y))
    assert model.path_["rmse"].nunique() == 1
    assert (model.alpha_, model.l1_ratio_) == (2.0, 1.0)


def test_folds_are_of_subjects() -> None:
    X, y = study(7, n=90)
    subjects = np.repeat([f"S{i}" for i in range(9)], 10)
    model = ElasticNetRegressor(alpha=(0.05, 0.5), l1_ratio=(0.5, 1.0), n_folds=3, seed=4)
    model.fit(X, y, groups=subjects)
    fold = subject_folds(subjects, 3, 4)
    for row in model.path_.to_dict(orient="records"):
        predicted = np.empty(90)
        for train, test in GroupKFold(3).split(X, groups=fold):
            scaler = StandardScaler().fit(X[train])
            predicted[test] = theirs(X[train], y[train], row["alpha"], row["l1_ratio"]).predict(
                scaler.transform(X[test])
            )
        assert row["rmse"] == pytest.approx(root_mean_squared_error(y, predicted), abs=DESCENT)
    assert model.tuning_ == "folds"
    best = model.path_.loc[model.path_["rmse"].idxmin()]
    assert (best["alpha"], best["l1_ratio"]) == (model.alpha_, model.l1_ratio_)
    # The same subjects in another order of rows: the same choice and weights.
    order = np.random.default_rng(0).permutation(90)
    again = ElasticNetRegressor(**model.get_params()).fit(X[order], y[order], subjects[order])
    np.testing.assert_allclose(again.path_["rmse"], model.path_["rmse"], rtol=1e-9)


def test_given_folds_are_those_of_a_predefined_split() -> None:
    X, y = study(7, n=90)
    # Of unequal size, and labelled by any numbers.
    fold = np.repeat([7, 3, 5], [20, 30, 40])
    model = ElasticNetRegressor(alpha=(0.05, 0.5), l1_ratio=1.0, seed=4).fit(X, y, folds=fold)
    for row in model.path_.to_dict(orient="records"):
        predicted = np.empty(90)
        for train, test in PredefinedSplit(fold).split():
            scaler = StandardScaler().fit(X[train])
            predicted[test] = theirs(X[train], y[train], row["alpha"], row["l1_ratio"]).predict(
                scaler.transform(X[test])
            )
        assert row["rmse"] == pytest.approx(root_mean_squared_error(y, predicted), abs=DESCENT)


def test_folds_without_groups_are_repeatable() -> None:
    X, y = study(8, n=40)
    first = ElasticNetRegressor().fit(X, y)
    second = ElasticNetRegressor().fit(X, y)
    assert first.path_.equals(second.path_)
    assert (first.coef_ == second.coef_).all()


def test_one_pair_is_not_tuned() -> None:
    X, y = study(9, n=40)
    model = ElasticNetRegressor(alpha=0.1, l1_ratio=0.5).fit(X, y, groups=np.zeros(40))
    assert model.tuning_ == "none"
    assert len(model.path_) == 0


def test_constant_features_get_no_weight() -> None:
    X, y = study(10, n=50, p=4)
    # 0.1 and 1/3 are no sums of powers of two: their means leave rounding behind.
    wide = np.column_stack([np.full(50, 0.1), X, np.full(50, 1 / 3), np.zeros(50)])
    for l1_ratio in (0.0, 0.5):
        model = ElasticNetRegressor(alpha=0.01, l1_ratio=l1_ratio).fit(wide, y)
        assert (model.coef_[[0, 5, 6]] == 0).all()
        assert (model.scale_[[0, 5, 6]] == 1).all()
        plain = ElasticNetRegressor(alpha=0.01, l1_ratio=l1_ratio).fit(X, y)
        np.testing.assert_allclose(model.coef_[1:5], plain.coef_, atol=DESCENT)
        wide_new = wide + 1.0
        assert np.isfinite(model.predict(wide_new)).all()


def test_standardised_weights_do_not_depend_on_units() -> None:
    X, y = study(11)
    model = ElasticNetRegressor().fit(X[:150], y[:150], validation=(X[150:], y[150:]))
    scaled = X * 1000 + 7
    again = ElasticNetRegressor().fit(scaled[:150], y[:150], validation=(scaled[150:], y[150:]))
    np.testing.assert_allclose(again.coef_, model.coef_, atol=1e-7)


def test_nearly_collinear_features_are_solved_or_refused() -> None:
    rng = np.random.default_rng(12)
    base = rng.normal(size=(80, 1))
    X = base + 1e-7 * rng.normal(size=(80, 6))
    y = base[:, 0] + rng.normal(size=80)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = ElasticNetRegressor(alpha=0.01, l1_ratio=0.5).fit(X, y)
    # Ridge shares the weight out evenly among copies.
    np.testing.assert_allclose(model.coef_, model.coef_.mean(), atol=1e-3)


def test_not_converged_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyexpr.modeling.elastic_net.MAX_ITERATIONS", 1)
    X, y = study(13)
    with pytest.raises(DataError, match=r"did not converge at alpha=0.001, l1_ratio=1 \(duality"):
        ElasticNetRegressor(alpha=0.001, l1_ratio=1).fit(X, y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"alpha": -1}, "alpha= must be at least 0, not -1"),
        ({"alpha": ()}, "alpha= must be a number or several"),
        ({"alpha": "big"}, "alpha= must be a number or several, not 'big'"),
        ({"alpha": np.nan}, "alpha= must be a number"),
        ({"l1_ratio": (0.5, 1.5)}, "l1_ratio= must be between 0 and 1, not 1.5"),
        ({"n_folds": 2.5}, "n_folds= must be a whole number of at least 2, not 2.5"),
        ({"n_folds": "a"}, "n_folds= must be a whole number of at least 2, not 'a'"),
        ({"n_folds": None}, "n_folds= must be a whole number of at least 2, not None"),
        ({"n_folds": True}, "n_folds= must be a whole number"),
    ],
)
def test_refused_parameters(parameters, message) -> None:
    X, y = study(14, n=20)
    with pytest.raises(DataError, match=message):
        ElasticNetRegressor(**parameters).fit(X, y)


def test_refused_data() -> None:
    X, y = study(15, n=20)
    with pytest.raises(DataError, match="at least 2 subjects, but there is only 1"):
        ElasticNetRegressor().fit(X, y, groups=["a"] * 20)
    with pytest.raises(DataError, match="20 rows, 19 subjects"):
        ElasticNetRegressor().fit(X, y, groups=["a"] * 19)
    for missing in (None, np.nan):
        with pytest.raises(ColumnError, match="missing values, but row 3 is empty"):
            ElasticNetRegressor().fit(X, y, groups=["a", "b", missing, *"cdefg" * 3, "a", "b"])
    two = np.repeat([0, 1], 10)
    with pytest.raises(DataError, match="folds= must have one fold per row: 20 rows, 19 folds"):
        ElasticNetRegressor().fit(X, y, folds=two[1:])
    with pytest.raises(DataError, match="at least 2 folds, but folds= has only 1"):
        ElasticNetRegressor().fit(X, y, folds=np.zeros(20))
    with pytest.raises(DataError, match="subject 's1' has rows in several folds="):
        ElasticNetRegressor().fit(X, y, ["s0", "s1"] * 10, folds=two ^ (two & [1, 0] * 10))
    with pytest.raises(ColumnError, match=r"column 'folds' .* row 1 is empty"):
        ElasticNetRegressor().fit(X, y, folds=[None, *two[1:]])
    with pytest.raises(DataError, match="validation= must be a pair, the features and the label"):
        ElasticNetRegressor().fit(X, y, validation=(X, y, y))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expecting 14 features"):
        ElasticNetRegressor().fit(X, y, validation=(X[:, :3], y))
    X[3, 2] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        ElasticNetRegressor().fit(X, y)


def test_errors_that_differ_by_rounding_are_ties():
    one = 1.0 + 2.0**-52
    assert lowest(np.array([[1.0, one], [one, one], [1.1, 1.1]])) == (1, 1)
    assert lowest(np.array([[1.0, 1.0 + 1e-9]])) == (0, 0)
