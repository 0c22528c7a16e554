"""Models per context and over all: the same estimators fitted one by one, and what is refused."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from pyexpr.base.errors import ColumnError, DataError
from pyexpr.modeling.contextual import ContextualRegressor
from pyexpr.modeling.elastic_net import ElasticNetRegressor

TASKS = ("disgust", "pain", "startle")
FEATURES = ["au", "gaze", "head"]


@pytest.fixture
def table() -> pd.DataFrame:
    """Thirty subjects, two clips in each of three tasks, slopes that differ between tasks."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "subject": np.repeat([f"S{i:02d}" for i in range(30)], 6),
            "task": np.tile(np.repeat(TASKS, 2), 30),
            **{name: rng.normal(size=180) for name in FEATURES},
        }
    )
    slopes = {"disgust": [1, 0, -1], "pain": [0.2, 0.5, 0], "startle": [-1, 0, 2]}
    by_row = np.array([slopes[task] for task in frame["task"]])
    signal = (frame[FEATURES].to_numpy() * by_row).sum(axis=1)
    return frame.assign(y=signal + rng.normal(size=180), y_pooled=signal * 0.5 + 3)


def inputs(table: pd.DataFrame) -> pd.DataFrame:
    return table[["au", "task", "gaze", "head"]]


def test_equals_separate_fits(table: pd.DataFrame) -> None:
    model = ContextualRegressor(LinearRegression(), context="task").fit(inputs(table), table["y"])
    assert model.contexts_ == list(TASKS)
    assert model.n_features_in_ == 4
    predicted = model.predict(inputs(table))
    for task in TASKS:
        mine = (table["task"] == task).to_numpy()
        alone = LinearRegression().fit(table.loc[mine, FEATURES], table.loc[mine, "y"])
        np.testing.assert_array_equal(model.estimators_[task].coef_, alone.coef_)
        np.testing.assert_allclose(predicted[mine], alone.predict(table.loc[mine, FEATURES]))
    pooled = LinearRegression().fit(table[FEATURES], table["y"])
    np.testing.assert_array_equal(model.pooled_.coef_, pooled.coef_)
    np.testing.assert_allclose(
        model.predict(inputs(table), pooled=True), pooled.predict(table[FEATURES])
    )


def test_three_ways_to_say_the_context(table: pd.DataFrame) -> None:
    by_name = ContextualRegressor(Ridge(), context="task").fit(inputs(table), table["y"])
    expected = by_name.predict(inputs(table))
    for frame, position in ((inputs(table), 1), (inputs(table).to_numpy(), -3)):
        model = ContextualRegressor(Ridge(), context=position).fit(frame, table["y"])
        np.testing.assert_allclose(model.predict(frame), expected)
    X = table[FEATURES].to_numpy()
    model = ContextualRegressor(Ridge()).fit(X, table["y"].to_numpy(), context=table["task"])
    np.testing.assert_allclose(model.predict(X, context=table["task"]), expected)
    np.testing.assert_allclose(
        model.predict(X, pooled=True), by_name.predict(inputs(table), pooled=True)
    )
    rows = ContextualRegressor(Ridge()).fit(
        X.tolist(), table["y"].tolist(), context=[*table["task"]]
    )
    np.testing.assert_allclose(rows.predict(X.tolist(), context=[*table["task"]]), expected)


def test_without_contexts_only_the_pooled_model(table: pd.DataFrame) -> None:
    model = ContextualRegressor(Ridge()).fit(table[FEATURES], table["y"])
    assert model.estimators_ == {}
    alone = Ridge().fit(table[FEATURES], table["y"])
    np.testing.assert_array_equal(model.predict(table[FEATURES]), alone.predict(table[FEATURES]))
    assert model.weights()["context"].unique().tolist() == ["all"]
    with pytest.raises(DataError, match="fitted without contexts"):
        model.predict(table[FEATURES], context=table["task"])


def test_pooled_model_may_have_its_own_label(table: pd.DataFrame) -> None:
    model = ContextualRegressor(LinearRegression(), context="task")
    model.fit(inputs(table), table["y"], y_pooled=table["y_pooled"])
    own = LinearRegression().fit(table[FEATURES], table["y_pooled"])
    np.testing.assert_array_equal(model.pooled_.coef_, own.coef_)
    pain = table[table["task"] == "pain"]
    alone = LinearRegression().fit(pain[FEATURES], pain["y"])
    np.testing.assert_array_equal(model.estimators_["pain"].coef_, alone.coef_)


@pytest.mark.parametrize("own_label", [False, True])
def test_validation_rows_go_to_their_context(table: pd.DataFrame, own_label: bool) -> None:
    train, tune = table[table["subject"] < "S20"], table[table["subject"] >= "S20"]
    pooled_label = "y_pooled" if own_label else "y"
    extra = {"y_pooled": train["y_pooled"]} if own_label else {}
    validation = {"X": inputs(tune), "y": tune["y"]}
    if own_label:
        validation["y_pooled"] = tune["y_pooled"]
    model = ContextualRegressor(context="task").fit(
        inputs(train), train["y"], validation=validation, **extra
    )
    pooled = ElasticNetRegressor().fit(
        train[FEATURES], train[pooled_label], validation=(tune[FEATURES], tune[pooled_label])
    )
    assert (model.pooled_.alpha_, model.pooled_.l1_ratio_) == (pooled.alpha_, pooled.l1_ratio_)
    np.testing.assert_array_equal(model.pooled_.coef_, pooled.coef_)
    for task in TASKS:
        rows, held_out = train[train["task"] == task], tune[tune["task"] == task]
        alone = ElasticNetRegressor().fit(
            rows[FEATURES], rows["y"], validation=(held_out[FEATURES], held_out["y"])
        )
        np.testing.assert_array_equal(model.estimators_[task].coef_, alone.coef_)
        assert model.estimators_[task].path_.equals(alone.path_)


def test_validation_as_a_pair_and_with_context_values(table: pd.DataFrame) -> None:
    train, tune = table[table["subject"] < "S20"], table[table["subject"] >= "S20"]
    by_name = ContextualRegressor(context="task").fit(
        inputs(train), train["y"], validation=(inputs(tune), tune["y"])
    )
    by_value = ContextualRegressor().fit(
        train[FEATURES],
        train["y"],
        context=train["task"],
        validation={"X": tune[FEATURES], "y": tune["y"], "context": tune["task"]},
    )
    assert by_name.weights().equals(by_value.weights())


def test_groups_go_to_their_context(table: pd.DataFrame) -> None:
    model = ContextualRegressor(context="task").fit(inputs(table), table["y"], table["subject"])
    pain = table[table["task"] == "pain"]
    alone = ElasticNetRegressor().fit(pain[FEATURES], pain["y"], groups=pain["subject"])
    assert model.estimators_["pain"].path_.equals(alone.path_)
    pooled = ElasticNetRegressor().fit(table[FEATURES], table["y"], groups=table["subject"])
    assert model.pooled_.path_.equals(pooled.path_)


def test_weights(table: pd.DataFrame) -> None:
    model = ContextualRegressor(ElasticNetRegressor(0.01, 0.5), context="task")
    weights = model.fit(inputs(table), table["y"]).weights()
    assert list(weights.columns) == ["context", "feature", "estimate"]
    assert weights["context"].unique().tolist() == [*TASKS, "all"]
    assert weights["feature"].unique().tolist() == FEATURES
    row = weights.set_index(["context", "feature"])["estimate"]
    assert row["pain", "gaze"] == model.estimators_["pain"].coef_[1]
    assert row["all", "head"] == model.pooled_.coef_[2]


def test_weights_of_pipelines_and_searches(table: pd.DataFrame) -> None:
    pipeline = make_pipeline(
        FunctionTransformer(
            lambda X: X[["head", "au"]], feature_names_out=lambda *_: ["head", "au"]
        ),
        StandardScaler(),
        Ridge(),
    )
    weights = ContextualRegressor(pipeline, context="task").fit(inputs(table), table["y"]).weights()
    assert weights["feature"].unique().tolist() == ["head", "au"]
    search = GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=GroupKFold(3))
    model = ContextualRegressor(search, context="task")
    model.fit(inputs(table), table["y"], groups=table["subject"])
    best = model.pooled_.best_estimator_.coef_
    assert model.weights().query("context == 'all'")["estimate"].tolist() == best.tolist()
    unnamed = ContextualRegressor(Ridge()).fit(table[FEATURES].to_numpy(), table["y"].to_numpy())
    assert unnamed.weights()["feature"].tolist() == ["x0", "x1", "x2"]
    with pytest.raises(DataError, match="KNeighborsRegressor has no coef_"):
        ContextualRegressor(KNeighborsRegressor()).fit(table[FEATURES], table["y"]).weights()
    with pytest.raises(DataError, match="may not be called 'all'"):
        ContextualRegressor(Ridge()).fit(
            table[FEATURES], table["y"], context=np.where(table["task"] == "pain", "all", "b")
        ).weights()


def test_inside_scikit_learn(table: pd.DataFrame) -> None:
    X, y, subjects = inputs(table), table["y"], table["subject"]
    model = ContextualRegressor(Ridge(), context="task")
    folds = GroupKFold(5)
    predicted = cross_val_predict(model, X, y, groups=subjects, cv=folds)
    train, test = next(iter(folds.split(X, y, subjects)))
    fitted = clone(model).fit(X.iloc[train], y.iloc[train])
    np.testing.assert_array_equal(predicted[test], fitted.predict(X.iloc[test]))

    search = GridSearchCV(model, {"estimator__alpha": [0.01, 1e4]}, cv=folds)
    search.fit(X, y, groups=subjects)
    assert search.best_params_ == {"estimator__alpha": 0.01}
    assert search.best_estimator_.estimators_.keys() == set(TASKS)

    pipeline = make_pipeline(FunctionTransformer(lambda frame: frame.drop(columns="gaze")), model)
    assert pipeline.fit(X, y).score(X, y) > 0.5

    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    assert not hasattr(clone(fitted), "estimators_")


def test_context_labels_may_be_numbers(table: pd.DataFrame) -> None:
    X = table[FEATURES].to_numpy()
    numbers = table["task"].map({"disgust": 10, "pain": 2, "startle": 3}).to_numpy()
    model = ContextualRegressor(Ridge()).fit(X, table["y"], context=numbers)
    assert model.contexts_ == [2, 3, 10]
    assert np.isfinite(model.predict(X, context=numbers)).all()


def test_unseen_context_lists_those_seen(table: pd.DataFrame) -> None:
    model = ContextualRegressor(Ridge(), context="task").fit(inputs(table), table["y"])
    other = inputs(table).assign(task="fear")
    with pytest.raises(
        DataError, match="for context 'fear'; it was fitted to 'disgust', 'pain', 'startle'"
    ):
        model.predict(other)
    assert np.isfinite(model.predict(other, pooled=True)).all()


def test_refused(table: pd.DataFrame) -> None:
    X, y = inputs(table), table["y"]
    one = table.assign(task=["fear", *table["task"].iloc[1:]])
    by_task = ContextualRegressor(Ridge(), context="task")
    cases = [
        (by_task, (inputs(one), y), {}, DataError, "context 'fear' has 1 row"),
        (by_task, (X.assign(task=None), y), {}, ColumnError, "'task' of X must not have missing"),
        (ContextualRegressor(Ridge(), context=1.5), (X, y), {}, DataError, "position of a column"),
        (ContextualRegressor(Ridge(), context=True), (X, y), {}, DataError, "not True"),
        (by_task, (X.rename(columns={"task": "Task"}), y), {}, ColumnError, "did you mean 'Task'"),
        (by_task, (X.to_numpy(), y), {}, ColumnError, "no column names"),
        (by_task, (X, y), {"context": X["task"]}, DataError, "use one of them"),
        (
            by_task,
            (X, y),
            {"groups": table["subject"]},
            DataError,
            "Ridge.fit does not accept groups=",
        ),
        (
            by_task,
            (X, y),
            {"validation": (X, y)},
            DataError,
            "Ridge.fit does not accept validation=",
        ),
        (by_task, (X, y[:-1]), {}, DataError, "y has 179 values, but X has 180 rows"),
        (ContextualRegressor(Ridge(), context=9), (X, y), {}, ColumnError, "4 columns, but"),
        (ContextualRegressor(Ridge()), (X[FEATURES], y), {"y_pooled": y}, DataError, "y_pooled="),
        (
            ContextualRegressor(Ridge()),
            (X[FEATURES], y),
            {"context": ["a"]},
            DataError,
            "one value per row",
        ),
        (
            by_task,
            (X.assign(au=X["au"].where(X["task"] != "pain")), y),
            {},
            DataError,
            "context 'pain': Input X contains NaN",
        ),
    ]
    for model, arguments, extra, error, message in cases:
        with pytest.raises(error, match=message):
            clone(model).fit(*arguments, **extra)


def test_refused_validation(table: pd.DataFrame) -> None:
    X, y = inputs(table), table["y"]
    tuned = ContextualRegressor(context="task")
    no_pain = table["task"] != "pain"
    cases = [
        ({"X": X, "y": y, "Y": y}, {}, "must have 'X' and 'y'"),
        ((X[no_pain], y[no_pain]), {}, "no rows of context 'pain'"),
        ((X, y), {"y_pooled": y}, "both have y_pooled"),
    ]
    for validation, extra, message in cases:
        with pytest.raises(DataError, match=message):
            clone(tuned).fit(X, y, validation=validation, **extra)
    with pytest.raises(DataError, match="has rows of context 'pain', which has no rows in X"):
        clone(tuned).fit(X[no_pain], y[no_pain], validation=(X, y))
    with pytest.raises(DataError, match="both have contexts"):
        ContextualRegressor().fit(X[FEATURES], y, context=X["task"], validation=(X[FEATURES], y))


def test_predict_needs_the_contexts_fit_was_given(table: pd.DataFrame) -> None:
    model = ContextualRegressor(Ridge()).fit(table[FEATURES], table["y"], context=table["task"])
    with pytest.raises(DataError, match="give context=values"):
        model.predict(table[FEATURES])


def test_parameters_of_an_estimator_that_was_not_given(table: pd.DataFrame) -> None:
    X, y = inputs(table), table["y"]
    grid = {"estimator__alpha": [0.1, 0.2]}
    with pytest.raises(DataError, match="estimator__alpha cannot be set while estimator= is None"):
        GridSearchCV(ContextualRegressor(context="task"), grid, cv=2).fit(X, y)
    given = ContextualRegressor(ElasticNetRegressor(l1_ratio=0.5), context="task")
    assert GridSearchCV(given, grid, cv=2).fit(X, y).best_params_["estimator__alpha"] in {0.1, 0.2}
    # Given with its parameter, as scikit-learn has it.
    model = ContextualRegressor().set_params(estimator=Ridge(), estimator__alpha=3.0)
    assert model.estimator.alpha == 3.0


def test_a_column_of_labels_is_flattened_and_several_are_refused(table: pd.DataFrame) -> None:
    model = ContextualRegressor(LinearRegression(), context="task")
    with pytest.warns(DataConversionWarning, match="column-vector y"):
        model.fit(inputs(table), table[["y"]])
    flat = clone(model).fit(inputs(table), table["y"])
    np.testing.assert_array_equal(model.predict(inputs(table)), flat.predict(inputs(table)))
    with pytest.raises(ValueError, match="y should be a 1d array"):
        model.fit(inputs(table), table[["y", "au"]])
