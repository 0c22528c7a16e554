"""`fit_models`: the numbers of scikit-learn on the same folds, and nothing that leaks."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor, StackingRegressor
from sklearn.linear_model import LassoCV, LinearRegression, Ridge
from sklearn.metrics import r2_score, root_mean_squared_error
from sklearn.model_selection import GridSearchCV, KFold, PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVR

import pyexpr as px
from pyexpr.base.saved import pack, unpack
from pyexpr.modeling.fitting.units import Done, Sent, _without_errors

FEATURES = ["smile", "frown", "nod", "blink"]
CONTEXTS = ["express", "normal", "suppress"]
# The same arithmetic in the same order, but for the number of threads of BLAS.
SAME = 1e-12
# Fits that solve for the same minimum in another way.
SOLVED = 1e-9


def clips(n_subjects=24, seed=0):
    """A study with unequal subjects, a skewed label, and features of different units."""
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(n_subjects), rng.integers(9, 16, size=n_subjects))
    n = len(subject)
    table = pd.DataFrame({"subject": [f"S{s:02d}" for s in subject]})
    table["task"] = np.array(CONTEXTS)[np.arange(n) % 3]
    table["clip"] = np.arange(n)
    table["age"] = rng.integers(18, 60, size=n_subjects)[subject]
    table["site"] = np.array(["north", "south"])[subject % 2]
    for k, name in enumerate(FEATURES):
        table[name] = 10.0 ** (k - 1) * (rng.normal(size=n) + rng.normal(size=n_subjects)[subject])
    slope = np.array([1.5, 0.7, 0.2])[np.arange(n) % 3]
    joy = slope * table.smile * 10 - 0.3 * table.frown + 0.5 * rng.normal(size=n)
    table["joy"] = np.exp(0.3 * joy)
    table["joy_pooled"] = np.exp(0.25 * joy)
    return table.sample(frac=1, random_state=seed, ignore_index=True)


def fit(table=None, **options):
    settings = {
        "label": "joy", "features": FEATURES, "cluster": "subject", "context": "task",
        "clip": "clip", "seed": 3,
    }  # fmt: skip
    return px.fit_models(clips() if table is None else table, **(settings | options))


def predicted(result, model, context_as, repeat=0):
    """Return predictions in the order of the table of `clips`."""
    rows = result.predictions.query(
        "model == @model and context_as == @context_as and repeat == @repeat"
    )
    return rows.prediction.to_numpy()


def folds(table, seed=3, n=5):
    return px.subject_folds(table.subject, n, seed)


def net():
    """An elastic net with a small grid."""
    return px.ElasticNetRegressor(alpha=[0.1, 1], l1_ratio=[0.5, 1])


def scaled_ridge():
    return make_pipeline(StandardScaler(), Ridge())


# --- the numbers ---------------------------------------------------------------------------------


def test_a_forest_is_scikit_learns_on_the_same_folds():
    table = clips()
    forest = RandomForestRegressor(12)
    found = fit(table, models={"forest": forest}, context_as=["separate", "pooled"])
    split = PredefinedSplit(folds(table))
    plain = RandomForestRegressor(12, random_state=3)
    pooled = cross_val_predict(plain, table[FEATURES], table.joy, cv=split)
    np.testing.assert_allclose(predicted(found, "forest", "pooled"), pooled, rtol=SAME)
    separate = np.full(len(table), np.nan)
    for task in CONTEXTS:
        own = (table.task == task).to_numpy()
        split = PredefinedSplit(folds(table)[own])
        separate[own] = cross_val_predict(plain, table[FEATURES][own], table.joy[own], cv=split)
    np.testing.assert_allclose(predicted(found, "forest", "separate"), separate, rtol=SAME)
    assert forest.random_state is None


def test_a_random_state_that_is_given_is_kept():
    table = clips(12)
    mine = RandomForestRegressor(5, random_state=8)
    found = fit(table, models={"mine": mine}, context_as="pooled")
    plain = cross_val_predict(
        RandomForestRegressor(5, random_state=8), table[FEATURES], table.joy,
        cv=PredefinedSplit(folds(table)),
    )  # fmt: skip
    np.testing.assert_allclose(predicted(found, "mine", "pooled"), plain, rtol=SAME)


def test_a_grid_is_grid_search_within_the_training_part():
    table = clips()
    grid = {"alpha": [0.01, 1.0, 30.0, 1000.0]}
    found = fit(
        table, models={"ridge": px.ModelSpec(Ridge(), grid=grid, scale=True)},
        context_as="pooled", inner_folds=4,
    )  # fmt: skip
    wanted, chosen = np.full(len(table), np.nan), []
    for k in range(5):
        train, test = folds(table) != k, folds(table) == k
        search = GridSearchCV(
            scaled_ridge(), {"ridge__alpha": grid["alpha"]}, scoring="neg_mean_squared_error",
            cv=PredefinedSplit(px.subject_folds(table.subject[train], 4, 3)),
        ).fit(table[FEATURES][train], table.joy[train])  # fmt: skip
        wanted[test] = search.predict(table[FEATURES][test])
        chosen.append(search.best_params_["ridge__alpha"])
    np.testing.assert_allclose(predicted(found, "ridge", "pooled"), wanted, rtol=SOLVED)
    assert found.tuning.value.tolist() == chosen
    assert set(found.tuning.parameter) == {"alpha"}
    assert set(found.tuning.tuned_on) == {"inner folds"}


def test_the_elastic_net_is_contextual_regressor_fold_by_fold():
    table = clips()
    found = fit(table, label_pooled="joy_pooled", models={"net": net()})
    columns = ["task", *FEATURES]
    for k in range(5):
        train, test = table[folds(table) != k], table[folds(table) == k]
        model = px.ContextualRegressor(net(), context="task").fit(
            train[columns], train.joy, y_pooled=train.joy_pooled, groups=train.subject
        )
        rows = found.predictions.query("fold == @k")
        separate, pooled = (
            rows.query("context_as == @how").prediction.to_numpy() for how in ("separate", "pooled")
        )
        np.testing.assert_array_equal(separate, model.predict(test[columns]))
        np.testing.assert_array_equal(pooled, model.predict(test[columns], pooled=True))
        weights = found.weights().query("fold == @k and context == 'normal'")
        assert weights.standardised.tolist() == model.estimators_["normal"].coef_.tolist()
        chosen = found.tuning.query("fold == @k and context == 'all'").set_index("parameter").value
        assert chosen.to_dict() == {
            "alpha": model.pooled_.alpha_, "l1_ratio": model.pooled_.l1_ratio_
        }  # fmt: skip
    truth = found.predictions.groupby("context_as").truth.apply(list)
    assert truth["separate"] == table.joy.tolist()
    assert truth["pooled"] == table.joy_pooled.tolist()


def test_a_split_is_that_of_the_study_to_the_byte():
    table = clips(40)
    found = fit(table, scheme="split", label_pooled="joy_pooled", seed=5)
    split = px.split_subjects(table.subject, context=table.task, seed=5)
    part = split.part(table.subject)
    columns = ["task", *FEATURES]
    train, validation, test = (table[part == name] for name in ("train", "validation", "test"))
    model = px.ContextualRegressor(px.ElasticNetRegressor(), context="task").fit(
        train[columns], train.joy, y_pooled=train.joy_pooled, groups=train.subject,
        validation={
            "X": validation[columns], "y": validation.joy, "y_pooled": validation.joy_pooled
        },
    )  # fmt: skip
    separate = predicted(found, "elastic_net", "separate")
    pooled = predicted(found, "elastic_net", "pooled")
    assert separate.tobytes() == model.predict(test[columns]).tobytes()
    assert pooled.tobytes() == model.predict(test[columns], pooled=True).tobytes()
    assert set(found.tuning.tuned_on) == {"validation"}
    assert found.folds.set_index("cluster").part.to_dict() == dict(
        split.tidy().itertuples(index=False, name=None)
    )
    assert found.predictions["clip"].tolist()[: len(test)] == test["clip"].tolist()


def test_a_grid_under_a_split_is_tuned_on_validation_and_fitted_on_training_rows():
    table = clips(40)
    grid = {"alpha": [0.01, 10.0, 1000.0]}
    found = fit(
        table, scheme="split", context_as="pooled",
        models={"ridge": px.ModelSpec(Ridge(), grid=grid, scale=True), "lasso": LassoCV()},
    )  # fmt: skip
    part = px.split_subjects(table.subject, context=table.task, seed=3).part(table.subject)
    train, validation, test = (table[part == name] for name in ("train", "validation", "test"))
    fits = [
        make_pipeline(StandardScaler(), Ridge(alpha)).fit(train[FEATURES], train.joy)
        for alpha in grid["alpha"]
    ]
    errors = [
        root_mean_squared_error(validation.joy, f.predict(validation[FEATURES])) for f in fits
    ]
    best = int(np.argmin(errors))
    wanted = fits[best].predict(test[FEATURES])
    np.testing.assert_allclose(predicted(found, "ridge", "pooled"), wanted, rtol=SOLVED)
    tuning = found.tuning.set_index("model")
    assert tuning.loc["ridge", ["value", "tuned_on"]].tolist() == [
        grid["alpha"][best],
        "validation",
    ]
    assert tuning.loc["lasso", "tuned_on"] == "inner folds"


def test_the_context_as_a_feature_is_an_indicator_for_each():
    table = clips()
    found = fit(table, models={"ols": LinearRegression()}, context_as="feature")
    indicators = OneHotEncoder(drop="first", sparse_output=False).fit_transform(table[["task"]])
    plain = cross_val_predict(
        LinearRegression(), np.column_stack([table[FEATURES], indicators]), table.joy,
        cv=PredefinedSplit(folds(table)),
    )  # fmt: skip
    np.testing.assert_allclose(predicted(found, "ols", "feature"), plain, rtol=SOLVED)
    assert set(found.weights().feature) == {*FEATURES, *(f"task={task}" for task in CONTEXTS)}


def test_covariates_enter_every_model():
    table = clips()
    table["grade"] = pd.Categorical(table.age > 40)
    found = fit(
        table, models={"ols": LinearRegression()}, adjust_for=["age", "site"],
        context_as=["separate", "pooled"],
    )  # fmt: skip
    X = table[FEATURES].assign(age=table.age, south=table.site == "south")
    plain = cross_val_predict(LinearRegression(), X, table.joy, cv=PredefinedSplit(folds(table)))
    np.testing.assert_allclose(predicted(found, "ols", "pooled"), plain, rtol=SOLVED)
    weights = found.weights()
    assert set(weights.feature) == {*FEATURES, "age", "site=north", "site=south"}
    found = fit(table, models={"ols": LinearRegression()}, adjust_for="grade", folds=2)
    assert "grade=False" in found.weights().feature.tolist()


@pytest.mark.parametrize("scale", [True, False])
def test_weights_are_in_the_units_of_the_features(scale):
    table = clips()
    spec = px.ModelSpec(LinearRegression(), scale=scale)
    models = {"ols": spec, "pipe": make_pipeline(StandardScaler(), LinearRegression())}
    found = fit(table, models=models, context_as="pooled").weights()
    for k in range(5):
        train = table[folds(table) != k]
        plain = LinearRegression().fit(train[FEATURES], train.joy)
        for model in models:
            mine = found[(found.fold == k) & (found.model == model)]
            assert mine.feature.tolist() == FEATURES
            np.testing.assert_allclose(mine.estimate, plain.coef_, rtol=SOLVED)
            spread = train[FEATURES].std(ddof=0)
            np.testing.assert_allclose(mine.standardised, plain.coef_ * spread, rtol=SOLVED)


def test_weights_of_the_elastic_net_per_unit_predict_as_it_does():
    table = clips()
    found = fit(table, context_as="pooled")
    weights = found.weights().pivot_table("estimate", "fold", "feature")
    rows = found.predictions.merge(table[["clip", *FEATURES]], on="clip")
    for k, mine in rows.groupby("fold"):
        from_weights = mine[FEATURES] @ weights.loc[k, FEATURES]
        offset = mine.prediction - from_weights
        assert np.ptp(offset) < SOLVED


def test_a_repeat_is_the_cross_validation_of_the_next_seed():
    table = clips(12)
    models = {
        "forest": RandomForestRegressor(4),
        "ridge": px.ModelSpec(Ridge(), grid={"alpha": [1, 9]}),
    }
    both = fit(table, models=models, repeats=2, context_as="pooled")
    second = fit(table, models=models, seed=4, context_as="pooled")
    for name in models:
        assert predicted(both, name, "pooled", 1).tobytes() == predicted(
            second, name, "pooled"
        ).tobytes()  # fmt: skip
    own = both.folds.query("repeat == 1").set_index("cluster").fold
    assert own[table.subject].tolist() == folds(table, 4).tolist()


def test_an_estimator_that_tunes_itself_is_given_folds_of_subjects():
    table = clips()
    found = fit(
        table, context_as="pooled",
        models={
            "lasso": LassoCV(alphas=[0.01, 0.1, 1]),
            "search": GridSearchCV(Ridge(), {"alpha": [1.0, 100.0, 1e4]}, cv=3),
            "own": GridSearchCV(Ridge(), {"alpha": [1.0, 100.0, 1e4]}, cv=KFold(3)),
            "net": make_pipeline(StandardScaler(), net()),
        },
    )  # fmt: skip
    for k in range(5):
        train, test = table[folds(table) != k], table[folds(table) == k]
        X, y = train[FEATURES], train.joy
        inner = {n: PredefinedSplit(px.subject_folds(train.subject, n, 3)) for n in (3, 5)}
        plain = {
            "lasso": LassoCV(alphas=[0.01, 0.1, 1], cv=list(inner[5].split())).fit(X, y),
            "search": GridSearchCV(Ridge(), {"alpha": [1.0, 100.0, 1e4]}, cv=inner[3]).fit(X, y),
            "own": GridSearchCV(Ridge(), {"alpha": [1.0, 100.0, 1e4]}, cv=KFold(3)).fit(X, y),
            "net": make_pipeline(StandardScaler(), net()).fit(
                X, y, elasticnetregressor__groups=train.subject
            ),
        }
        for name, model in plain.items():
            rows = found.predictions
            mine = rows.prediction[(rows.fold == k) & (rows.model == name)]
            np.testing.assert_allclose(mine, model.predict(test[FEATURES]), rtol=SOLVED)


# --- nothing leaks -------------------------------------------------------------------------------

POISON = {
    "elastic_net": net(),
    "ridge": px.ModelSpec(Ridge(), grid={"alpha": [0.1, 1000]}, scale=True),
    "lasso": LassoCV(alphas=[0.01, 0.1, 1]),
}


@pytest.mark.parametrize("scheme", ["cross_validation", "split"])
def test_rows_to_be_predicted_enter_nothing(scheme):
    table = clips(24)
    options = {"models": POISON, "scheme": scheme, "context_as": ["separate", "feature"]}
    clean = fit(table, **options)
    held_out = folds(table) == 2
    if scheme == "split":
        part = px.split_subjects(table.subject, context=table.task, seed=3).part(table.subject)
        held_out = part == "test"
    poisoned = table.copy()
    poisoned.loc[held_out, "joy"] = 4 - 3 * poisoned.joy[held_out]
    victim = int(np.flatnonzero(held_out)[0])
    poisoned.loc[victim, FEATURES] *= -20
    dirty = fit(poisoned, **options)
    rows = clean.predictions
    mine = rows["clip"].isin(table["clip"][held_out]) & (rows["clip"] != table["clip"][victim])
    assert mine.sum() == 6 * (held_out.sum() - 1)
    assert rows.prediction[mine].tolist() == dirty.predictions.prediction[mine].tolist()
    fold = 2 if scheme == "cross_validation" else 0
    one, other = (r.tuning[r.tuning.fold == fold] for r in (clean, dirty))
    pd.testing.assert_frame_equal(one, other)
    if scheme == "cross_validation":
        assert rows.prediction[~mine].tolist() != dirty.predictions.prediction[~mine].tolist()


# --- the result ----------------------------------------------------------------------------------


def models():
    return {"ols": LinearRegression(), "net": net()}


def test_the_table_is_what_compare_estimates():
    found = fit(models=models(), repeats=2, context_as=["separate", "pooled"])
    tidy = found.tidy()
    compared = found.compare(["rmse", "correlation", "r2"], n_boot=0).tidy()
    levels = compared[(compared.kind == "level") & (compared.second_context == "")]
    wanted = {(row.metric, row.term, row.context): row.estimate for row in levels.itertuples()}
    assert len(tidy) == len(wanted) == 3 * 4 * 4
    for row in tidy.itertuples():
        term = f"{row.model}, {row.context_as}"
        assert row.estimate == pytest.approx(wanted[row.metric, term, row.context], rel=1e-10)
    assert (tidy.sd_repeats > 0).all()
    assert "5 folds of subjects, 2 times" in str(found)


def test_the_table_by_hand():
    found = fit(models={"ols": LinearRegression()}, context_as="pooled")
    tidy = found.tidy().query("context == 'normal'").set_index("metric").estimate
    rows = found.predictions.query("context == 'normal'")
    assert tidy["rmse"] == pytest.approx(root_mean_squared_error(rows.truth, rows.prediction))
    by_fold = [part for _, part in rows.groupby("fold")]
    n = [len(part) for part in by_fold]
    r2s = [r2_score(part.truth, part.prediction) for part in by_fold]
    assert tidy["r2"] == pytest.approx(np.average(r2s, weights=n))
    rs = [np.corrcoef(part.truth, part.prediction)[0, 1] for part in by_fold]
    assert tidy["correlation"] == pytest.approx(np.average(rs, weights=n))


def test_a_split_is_compared_without_folds():
    found = fit(clips(100), scheme="split", models=models(), context_as="pooled")
    table = found.predictions.pivot(
        index=["cluster", "context", "clip", "truth"], columns="model", values="prediction"
    ).reset_index()
    wanted = px.compare_models(
        table, truth="truth", predictions=["ols", "net"], cluster="cluster", context="context",
        metrics=["rmse", "correlation"], seed=3,
    )  # fmt: skip
    one, other = found.compare().tidy(), wanted.tidy()
    pd.testing.assert_frame_equal(one, other)
    levels = found.tidy().query("metric == 'correlation'").set_index(["model", "context"])
    for row in other[(other.kind == "level") & (other.metric == "correlation")].itertuples():
        if not row.second_context:
            mine = levels.estimate[row.term, row.context]
            assert mine == pytest.approx(row.estimate, rel=1e-10)


def test_models_evaluated_by_two_labels_are_marked():
    found = fit(models={"ols": LinearRegression()}, label_pooled="joy_pooled")
    compared = found.compare(["correlation"]).tidy()
    difference = compared.query("kind == 'difference' and second_model != '' and context == 'all'")
    assert difference.reason.item() == "different criteria"
    assert "joy_pooled" in str(found)
    only = fit(models={"ols": LinearRegression()}, label_pooled="joy_pooled", context_as="pooled")
    wanted = fit(models={"ols": LinearRegression()}, label="joy_pooled", context_as="pooled")
    one, other = (r.compare(["rmse"]).tidy() for r in (only, wanted))
    pd.testing.assert_frame_equal(one, other)


def test_what_repeats_differ_by_stands_beside_the_interval():
    found = fit(models=models(), repeats=3, context_as="pooled")
    table = found.over_repeats(["correlation"], pairwise=True)
    assert {"sd_repeats", "lowest", "highest", "conf_low"} <= set(table)
    each = [
        fit(models=models(), seed=3 + r, context_as="pooled").compare(["correlation"]).tidy()
        for r in range(3)
    ]
    values = np.column_stack([one.estimate for one in each])
    np.testing.assert_allclose(table.sd_repeats, values.std(axis=1, ddof=1), rtol=1e-9)
    np.testing.assert_allclose(table.estimate, values.mean(axis=1), rtol=1e-9)
    with pytest.raises(px.errors.DataError, match="only one repeat; use repeats= in fit_models"):
        fit(models=models(), context_as="pooled").over_repeats()


def test_compare_knows_the_arguments_of_fit_models():
    found = fit(models=models(), context_as="pooled")
    with pytest.raises(px.errors.DataError, match="does not accept 'cluster', which fit_models"):
        found.compare(cluster="subject")
    assert found.compare(seed=9).draws.seed == 9
    assert found.compare().draws.seed == 3
    assert found.compare().cluster_name == "subject"


def test_any_number_of_processes_gives_the_same_bytes(monkeypatch):
    # A class that only this session knows, as those of a notebook.
    monkeypatch.setattr(OfANotebook, "__module__", "__main__")
    options = {
        "models": {"forest": RandomForestRegressor(3), "net": net(), "mine": OfANotebook()},
        "context_as": ["separate", "feature"], "folds": 2,
    }  # fmt: skip
    one, two = (fit(clips(12), **options, n_jobs=n) for n in (1, 2))
    assert pack(one) == pack(two)
    # The class of a saved estimator is found again.
    kept = pickle.loads(pickle.dumps(Sent(OfANotebook())))
    assert isinstance(kept.value, OfANotebook)


def test_with_several_processes_the_largest_fits_begin_first(monkeypatch):
    begun = []

    def in_turn(function, tasks, *, n_jobs, what):
        for number, (sent, work) in enumerate(tasks):
            begun.append(work.value.n_fitted(sent.value))
            yield number, function(sent, work.value)

    options = {"models": {"net": net()}, "context_as": ["separate", "pooled"], "folds": 2}
    one = fit(clips(12), **options)
    monkeypatch.setattr("pyexpr.modeling.fitting.units.in_processes", in_turn)
    assert pack(fit(clips(12), **options, n_jobs=2)) == pack(one)
    assert begun == sorted(begun, reverse=True)
    assert begun[0] > begun[-1]


class OfANotebook(LinearRegression):
    pass


def test_a_saved_result_goes_on_but_for_its_estimators():
    found = fit(models=models(), repeats=2)
    again = unpack(pack(found))
    assert str(again) == str(found)
    pd.testing.assert_frame_equal(again.compare().tidy(), found.compare().tidy())
    pd.testing.assert_frame_equal(again.weights(), found.weights())
    with pytest.raises(px.errors.DataError, match="a saved result does not contain the estimators"):
        again.fit_all()


def test_models_for_new_data():
    table, new = clips(), clips(seed=1).drop(columns=["joy", "joy_pooled"])
    final = fit(
        table, models={"ols": LinearRegression(), "net": net()},
        context_as=["separate", "pooled", "feature"], adjust_for=["site"], folds=2,
    ).fit_all()  # fmt: skip
    given = final.predict(new)
    assert list(given) == [
        f"{model}, {how}" for model in ("ols", "net") for how in ("separate", "pooled", "feature")
    ]
    columns = [*FEATURES, "south"]
    table, new = (t.assign(south=t.site == "south") for t in (table, new))
    for task in CONTEXTS:
        own, theirs = table[table.task == task], new[new.task == task]
        plain = LinearRegression().fit(own[columns], own.joy).predict(theirs[columns])
        np.testing.assert_allclose(given["ols, separate"][theirs.index], plain, rtol=SOLVED)
    plain = LinearRegression().fit(table[columns], table.joy).predict(new[columns])
    np.testing.assert_allclose(given["ols, pooled"], plain, rtol=SOLVED)
    encoder = OneHotEncoder(drop="first", sparse_output=False).fit(table[["task"]])
    with_task, new_task = (
        np.column_stack([t[columns], encoder.transform(t[["task"]])]) for t in (table, new)
    )
    plain = LinearRegression().fit(with_task, table.joy).predict(new_task)
    np.testing.assert_allclose(given["ols, feature"], plain, rtol=SOLVED)
    with pytest.raises(px.errors.DataError, match="context 'rest' of column 'task' does not"):
        final.predict(new.assign(task="rest"))
    with pytest.raises(
        px.errors.DataError, match="'nod' of the data to predict must not have missing"
    ):
        final.predict(new.assign(nod=np.nan))
    with pytest.raises(px.errors.ColumnError, match="the data to predict have no column 'nod'"):
        final.predict(new.drop(columns="nod"))


def test_incomplete_rows_are_left_out_and_listed():
    table = clips()
    table.loc[3, "nod"] = np.nan
    table.loc[5, "joy"] = np.nan
    table["age"] = table.age.astype("Int64")
    table.loc[8, "age"] = pd.NA
    found = fit(table, adjust_for="age", context_as="pooled", models={"net": net()})
    assert found.left_out["clip"].tolist() == table["clip"][[3, 5, 8]].tolist()
    assert found.left_out.reason.tolist() == [
        "feature 'nod' is missing", "label 'joy' is missing", "covariate 'age' is missing",
    ]  # fmt: skip
    assert len(found.predictions) == len(table) - 3
    assert "3 rows are left out: feature 'nod' is missing (1)" in str(found)
    whole = table.drop(index=[3, 5, 8])
    again = fit(whole, adjust_for="age", context_as="pooled", models={"net": net()})
    one, other = (predicted(result, "net", "pooled") for result in (found, again))
    assert one.tolist() == other.tolist()


def test_rows_without_labels_are_numbered_as_in_the_data():
    table = clips(10)
    table.loc[1, "joy"] = np.nan
    found = fit(table, clip=None, context=None)
    assert found.predictions["clip"].tolist() == [1, *range(3, len(table) + 1)]
    assert set(found.predictions.context) == {"all"}


def test_one_context_is_pooled_and_says_so():
    table = clips().query("task == 'normal'").reset_index(drop=True)
    found = fit(table, context_as=["separate", "feature"], folds=3)
    assert set(found.predictions.context_as) == {"pooled"}
    assert "there is only one context: models per context" in str(found)
    assert set(found.tidy().context) == {"normal"}
    assert found.compare(["rmse"]).tidy().context.tolist() == ["all"]
    assert "there is one context" not in str(fit(table, context_as="pooled", folds=3))


def test_a_feature_that_does_not_vary_is_kept_and_reported():
    table = clips().assign(still=1.0)
    found = fit(table, features=[*FEATURES, "still"], models={"net": net()})
    assert "feature 'still' does not vary among the rows of 20 fits" in str(found)
    assert (found.weights().query("feature == 'still'").estimate == 0).all()


def test_what_estimators_warn_of_is_reported():
    from sklearn.neural_network import MLPRegressor

    net = px.ModelSpec(MLPRegressor(hidden_layer_sizes=(2,), max_iter=2), scale=True)
    found = fit(clips(10), models={"net": net}, context_as="pooled", folds=3)
    assert len(found.warned) == 3
    assert "model 'net' issued a warning in 3 fits: ConvergenceWarning: Stoch" in str(found)


def test_ordered_contexts_keep_their_order():
    table = clips()
    table["task"] = pd.Categorical(table.task, CONTEXTS[::-1], ordered=True)
    found = fit(table, models={"ols": LinearRegression()})
    assert found.contexts == CONTEXTS[::-1]
    contexts = found.compare(["rmse"]).tidy().context
    assert list(dict.fromkeys(contexts))[:4] == [*CONTEXTS[::-1], "all"]


def test_estimators_may_be_named_by_text():
    spec = px.ModelSpec(
        "sklearn.ensemble.RandomForestRegressor", params={"n_estimators": 3},
        grid={"max_depth": [1, 4]}, scale=True,
    )  # fmt: skip
    by_name = fit(clips(10), models={"forest": spec}, context_as="pooled", folds=3)
    given = px.ModelSpec(RandomForestRegressor(3), grid={"max_depth": [1, 4]}, scale=True)
    by_object = fit(clips(10), models={"forest": given}, context_as="pooled", folds=3)
    assert pack(by_name) == pack(by_object)
    assert {type(value) for value in by_name.tuning.value} == {int}
    own = fit(
        clips(10), models={"net": "pyexpr.ElasticNetRegressor"}, trusted=(), folds=2, context=None
    )
    assert own.models == {"net": "ElasticNetRegressor()"}
    voting = px.ModelSpec("sklearn.multioutput.MultiOutputRegressor", params={"estimator": Ridge()})
    with pytest.raises(px.errors.DataError, match=r"model 'v' .* cannot be fitted: ValueError: y"):
        fit(models={"v": voting})


def test_every_kind_of_repeat_and_fold_is_distinguished():
    found = fit(clips(12), models=models(), repeats=2, folds=3)
    rows = found.predictions
    assert not rows.duplicated(
        ["cluster", "context", "clip", "repeat", "model", "context_as"]
    ).any()
    assert rows.groupby(["model", "context_as", "repeat"]).size().nunique() == 1
    merged = rows.merge(found.folds, on=["repeat", "cluster"], suffixes=("", "_of_cluster"))
    assert (merged.fold == merged.fold_of_cluster).all()


# --- bad input -----------------------------------------------------------------------------------


class Failing(LinearRegression):
    def fit(self, X, y):
        if len(X) < 100:
            raise ValueError("the matrix\nis singular")
        return super().fit(X, y)


class Predicting(LinearRegression):
    def __init__(self, value=0.0, width=1):
        super().__init__()
        self.value = value
        self.width = width

    def predict(self, X):
        return np.full((len(X), self.width), self.value)


def ols():
    return {"ols": LinearRegression()}


BAD = {
    "text in a feature": (
        lambda t: {"data": t.assign(nod="much")}, "'nod' of the data must be a number, but row 1",
    ),
    "infinite": (lambda t: {"data": t.assign(nod=np.inf)}, "'nod' of the data must be finite"),
    "infinite label": (lambda t: {"data": t.assign(joy=-np.inf)}, "'joy' .* must be finite"),
    "categories as a feature": (
        lambda t: {"data": t.assign(nod=pd.Categorical(t.site))}, "'nod' of the data contains cat",
    ),
    "a doubled clip": (
        lambda t: {"data": t.assign(clip=np.where(t.index < 4, 7, t["clip"] + 100), subject="S01",
                                    task="normal")},
        "3 rows of the data repeat a clip; the first are rows 1 and 2, subject='S01', task='normal'"
        ", clip='7'",
    ),
    "the label as a feature": (
        lambda t: {"features": [*FEATURES, "joy"]}, "'joy' is in features= and is the label",
    ),
    "the pooled label as a feature": (
        lambda t: {"features": [*FEATURES, "joy_pooled"], "label_pooled": "joy_pooled"},
        "'joy_pooled' is in features= and is the label",
    ),
    "the label as a covariate": (
        lambda t: {"adjust_for": "joy"}, "'joy' is in adjust_for= and is the label",
    ),
    "the label under another name": (
        lambda t: {"data": t.assign(nod=t.joy)}, "feature 'nod' equals the label 'joy' in every",
    ),
    "the subject as a feature": (
        lambda t: {"features": ["subject"]}, "'subject' is in features= and is the cluster",
    ),
    "the context as a covariate": (
        lambda t: {"adjust_for": ["task"]}, "is the context; leave it out; use context_as",
    ),
    "a covariate that is a feature": (
        lambda t: {"adjust_for": ["nod"]}, "'nod' is in features= and in adjust_for=",
    ),
    "a feature twice": (lambda t: {"features": ["nod", "nod"]}, "names 'nod' more than once"),
    "no features": (lambda t: {"features": []}, "must name at least one column"),
    "a column that is not there": (
        lambda t: {"features": ["smlie"]}, "no column 'smlie'; did you mean 'smile'",
    ),
    "one column for two parts": (
        lambda t: {"clip": "task"}, "'task' is used as both context= and clip=",
    ),
    "a label that is no name": (lambda t: {"label": ["joy"]}, "label= must be the name of a"),
    "no complete row": (
        lambda t: {"data": t.assign(nod=np.nan)}, "no row of the data is complete: most often feat",
    ),
    "no regressor": (lambda t: {"models": {"a": KFold()}}, "model 'a': KFold.* is no regressor"),
    "a transformer": (lambda t: {"models": {"a": StandardScaler()}}, "StandardScaler.* no regres"),
    "a class": (lambda t: {"models": {"a": Ridge}}, "Ridge is a class; pass an estimator, Ridge()"),
    "a single estimator": (lambda t: {"models": Ridge()}, "must be a mapping of names to estimato"),
    "no models": (lambda t: {"models": {}}, "must name at least one model"),
    "not trusted": (
        lambda t: {"models": {"a": "xgboost.XGBRegressor"}},
        "'xgboost.XGBRegressor' is of package 'xgboost', which is not among those trusted .'sklear",
    ),
    "no such class": (
        lambda t: {"models": {"a": "sklearn.ensemble.RandomForrestRegressor"}},
        "no 'RandomForrestRegressor' in sklearn.ensemble; did you mean 'RandomForestRegressor'",
    ),
    "no such module": (
        lambda t: {"models": {"a": "sklearn.forests.Forest"}}, "cannot be imported: ModuleNotF",
    ),
    "no full name": (lambda t: {"models": {"a": "Ridge"}}, "'Ridge' is not the full name of"),
    "a function": (lambda t: {"models": {"a": "sklearn.base.clone"}}, "is no class of estimators"),
    "a class that is no regressor": (
        lambda t: {"models": {"a": "sklearn.cluster.KMeans"}}, "KMeans.* is no regressor",
    ),
    "a parameter that is not there": (
        lambda t: {"models": {"a": px.ModelSpec(Ridge(), params={"alhpa": 1})}},
        "model 'a': params= names 'alhpa', but Ridge has no such parameter; did you mean 'alpha'",
    ),
    "a grid for a parameter that is not there": (
        lambda t: {"models": {"a": px.ModelSpec(Ridge(), grid={"alphas": [1]})}},
        "model 'a': grid= names 'alphas', but Ridge has no such parameter; did you mean 'alpha'",
    ),
    "a grid of one value": (
        lambda t: {"models": {"a": px.ModelSpec(Ridge(), grid={"alpha": 1})}}, "must give a list",
    ),
    "a grid without values": (
        lambda t: {"models": {"a": px.ModelSpec(Ridge(), grid={"alpha": []})}}, "no value of 'alph",
    ),
    "a grid around a search": (
        lambda t: {"models": {"a": px.ModelSpec(LassoCV(), grid={"eps": [0.1]})}}, "tune it twice",
    ),
    "a grid around the elastic net": (
        lambda t: {"models": {"a": px.ModelSpec(px.ElasticNetRegressor(), grid={"alpha": [1]})}},
        "ElasticNetRegressor tunes its own parameters",
    ),
    "scaled twice": (
        lambda t: {"models": {"a": px.ModelSpec(px.ElasticNetRegressor(), scale=True)}},
        "already standardises the features; leave out scale=",
    ),
    "a value that the estimator refuses": (
        lambda t: {"models": {"a": px.ModelSpec(Ridge(), params={"alpha": -1})}},
        r"model 'a' \(context 'express', fold 0\) cannot be fitted: InvalidParameterError: The 'a",
    ),
    "fails in one fold": (
        lambda t: {"models": {"a": Failing()}},
        r"model 'a' \(context 'express', fold 0\) cannot be fitted: ValueError: the matrix is sing",
    ),
    "predicts NaN": (
        lambda t: {"models": {"a": Predicting(np.nan)}, "context_as": "pooled"},
        r"model 'a' \(all contexts, fold 0\) predicts nan in \d+ of \d+ rows",
    ),
    "predicts a table": (
        lambda t: {"models": {"a": Predicting(width=2)}, "context_as": "feature"},
        r"model 'a' \(all contexts, the context as a feature, fold 0\) predicts an array of shape",
    ),
    "predicts text": (
        lambda t: {"models": {"a": Predicting("much")}}, "predicts <U4 instead of a number",
    ),
    "more folds than subjects": (
        lambda t: {"folds": 25}, r"folds=25 requires at least as many .* of only 24",
    ),
    "a context with the name of all": (
        lambda t: {"data": t.assign(task=np.where(t.task == "normal", "all", t.task))},
        "a context may not be called 'all'",
    ),
    "a context of one subject": (
        lambda t: {"data": t.assign(task=np.where(t.subject == "S03", "alone", t.task))},
        r"context 'alone' has rows in fold \d, but 0 rows to which .* \(it occurs in 1 subject\)",
    ),
    "a category of one subject": (
        lambda t: {"data": t.assign(site=np.where(t.subject == "S03", "alone", t.site)),
                   "adjust_for": "site", "context_as": "pooled"},
        r"category 'alone' of column 'site' is only in fold \d",
    ),
    "an indicator with a feature's name": (
        lambda t: {"data": t.assign(**{"site=north": t.nod}), "adjust_for": "site",
                   "features": ["nod", "site=north"]},
        "indicator column 'site=north' would have the same name as a feature",
    ),
    "an unknown way": (lambda t: {"context_as": "own"}, "context_as= must be any of 'separate'"),
    "an unknown scheme": (lambda t: {"scheme": "loo"}, "scheme= must be 'cross_validation' or 's"),
    "a split repeated": (
        lambda t: {"scheme": "split", "repeats": 2}, "repeats= repeats a cross-valid",
    ),
    "no processes": (lambda t: {"n_jobs": 0}, "n_jobs= must be None or a whole number other than"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence(name):
    table = clips()
    options, sentence = BAD[name]
    given = {"models": ols()} | options(table)
    table = given.pop("data", table)
    with pytest.raises(px.errors.DataError, match=sentence) as error:
        fit(table, **given)
    assert "\n" not in str(error.value)


def test_an_error_in_a_process_is_the_same_sentence():
    with pytest.raises(
        px.errors.DataError, match=r"model 'a' \(context 'express', fold 0\) cannot"
    ):
        fit(models={"a": px.ModelSpec(Ridge(), params={"alpha": -1})}, n_jobs=2)


def test_the_first_error_in_order_is_reported_whichever_came_first():
    done, errors = (
        Done(np.zeros(0), np.zeros(0), {}, "none", None),
        [px.errors.DataError(f"unit {k}") for k in range(4)],
    )
    results = iter([(3, errors[3]), (0, done), (2, errors[2]), (1, errors[1]), (4, done)])
    found = _without_errors(results, 5)
    assert next(found) == (0, done)
    with pytest.raises(px.errors.DataError, match="unit 1"):
        next(found)
    assert next(results) == (4, done)


def test_an_estimator_that_predicts_only_when_fitted():
    stack = StackingRegressor([("a", Ridge()), ("b", LinearRegression())])
    table = clips(12)
    found = fit(table, models={"stack": stack}, context_as="pooled", folds=2, inner_folds=3)
    train, test = table[folds(table, n=2) == 1], table[folds(table, n=2) == 0]
    inner = PredefinedSplit(px.subject_folds(train.subject, 3, 3))
    plain = StackingRegressor([("a", Ridge()), ("b", LinearRegression())], cv=inner)
    plain = plain.fit(train[FEATURES], train.joy).predict(test[FEATURES])
    mine = found.predictions.query("fold == 0").prediction
    np.testing.assert_allclose(mine, plain, rtol=SOLVED)


def test_no_estimator_has_weights():
    found = fit(models={"forest": RandomForestRegressor(2), "svr": SVR()}, context_as="pooled")
    with pytest.raises(px.errors.DataError, match="none of the models 'forest', 'svr' has a coeff"):
        found.weights()
