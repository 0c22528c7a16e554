"""`fit_models` on labels that are classes: scikit-learn's numbers, and an answer to every gap."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    brier_score_loss,
    cohen_kappa_score,
    f1_score,
    log_loss,
    roc_auc_score,
)
from sklearn.model_selection import GridSearchCV, PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import pyexpr as px
from pyexpr.base.saved import pack, unpack
from pyexpr.modeling.fitting.probabilities import minus_log_loss

FEATURES = ["smile", "frown", "nod"]
CONTEXTS = ["express", "suppress"]
# The same arithmetic in the same order, but for the number of threads of BLAS.
SAME = 1e-12


def clips(n_subjects=20, seed=0):
    """Unequal subjects; a class of 0 and 1, one of text, and one of three moods."""
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(n_subjects), rng.integers(6, 11, size=n_subjects))
    n = len(subject)
    table = pd.DataFrame({"subject": [f"S{s:02d}" for s in subject], "clip": np.arange(n)})
    table["task"] = np.array(CONTEXTS)[np.arange(n) % 2]
    table[FEATURES] = rng.normal(size=(n, 3)) + rng.normal(size=(n_subjects, 3))[subject]
    latent = 1.5 * table.smile - table.frown + rng.logistic(size=n)
    table["present"] = (latent > 0.3).astype(int)
    table["mood"] = np.where(latent > 0.3, "glad", "sad")
    table["three"] = np.select([latent > 1, latent > -1], ["glad", "calm"], "sad")
    return table.sample(frac=1, random_state=seed, ignore_index=True)


def fit(table=None, **options):
    settings = {
        "label": "present", "kind": "classification", "features": FEATURES, "cluster": "subject",
        "context": "task", "clip": "clip", "seed": 3, "folds": 4, "inner_folds": 3,
        "models": {"logit": LogisticRegression()}, "context_as": "pooled",
    }  # fmt: skip
    return px.fit_models(clips() if table is None else table, **(settings | options))


def folds(table):
    return PredefinedSplit(px.subject_folds(table.subject, 4, 3))


@pytest.fixture(scope="module")
def fitted():
    """Two models that give probabilities and one that gives none, in all ways, on 0 and 1."""
    models = {
        "logit": LogisticRegression(), "forest": RandomForestClassifier(7), "svm": LinearSVC(),
    }  # fmt: skip
    return fit(models=models, context_as=["separate", "pooled"], repeats=2)


def rows_of(result, model, context_as, repeat=0):
    return result.predictions.query(
        "model == @model and context_as == @context_as and repeat == @repeat"
    )


# --- the numbers ---------------------------------------------------------------------------------


def test_probabilities_are_scikit_learns_on_the_same_folds(fitted):
    table = clips()
    plain = {
        "logit": LogisticRegression(), "forest": RandomForestClassifier(7, random_state=3),
        "svm": LinearSVC(random_state=3),
    }  # fmt: skip
    X, y = table[FEATURES], table.present
    for name, model in plain.items():
        rows = rows_of(fitted, name, "pooled")
        found = cross_val_predict(model, X, y, cv=folds(table))
        assert rows.prediction.tolist() == found.tolist()
        assert rows.truth.tolist() == y.tolist()
        if name == "svm":
            assert rows[["probability_0", "probability_1"]].isna().all(axis=None)
            continue
        likely = cross_val_predict(model, X, y, cv=folds(table), method="predict_proba")
        mine = rows[["probability_0", "probability_1"]].to_numpy()
        np.testing.assert_allclose(mine, likely, rtol=0, atol=SAME)
    separate = rows_of(fitted, "forest", "separate")
    for task in CONTEXTS:
        own = (table.task == task).to_numpy()
        split = PredefinedSplit(px.subject_folds(table.subject, 4, 3)[own])
        likely = cross_val_predict(
            plain["forest"], X[own], y[own], cv=split, method="predict_proba"
        )
        np.testing.assert_allclose(separate.probability_1[own], likely[:, 1], rtol=0, atol=SAME)


def test_metrics_are_scikit_learns(fitted):
    tidy = fitted.tidy().query("context == 'suppress' and model == 'forest'")
    own = {
        "brier": lambda r: brier_score_loss(r.truth, r.probability_1),
        "accuracy": lambda r: accuracy_score(r.truth, r.prediction),
        "balanced_accuracy": lambda r: balanced_accuracy_score(r.truth, r.prediction),
        "auc": lambda r: np.average(
            [roc_auc_score(p.truth, p.probability_1) for _, p in r.groupby("fold")],
            weights=r.groupby("fold").size(),
        ),
    }
    for row in tidy.itertuples():
        rows = [rows_of(fitted, "forest", row.context_as, k) for k in (0, 1)]
        each = [own[row.metric](r[r.context == "suppress"]) for r in rows]
        assert row.estimate == pytest.approx(np.mean(each), rel=1e-12), row.metric
    reasons = fitted.tidy().query("model == 'svm' and metric in ('auc', 'brier')")
    assert reasons.estimate.isna().all()
    assert set(reasons.reason) == {"the model gives no probabilities"}
    assert "model 'svm' does not provide probabilities" in str(fitted)


def test_what_is_compared_are_the_classes_that_models_predict():
    found = fit(models={"forest": RandomForestClassifier(4), "prior": DummyClassifier()})
    metrics = ["auc", "brier", "accuracy", "balanced_accuracy", "f1", "kappa"]
    compared = found.compare(metrics, n_boot=0).tidy()
    levels = compared.query("kind == 'level' and context == 'all'")
    wanted = levels.set_index(["term", "metric"]).estimate
    tidy = found.tidy().query("context == 'all'")
    for row in tidy.itertuples():
        assert row.estimate == pytest.approx(wanted[row.model, row.metric], rel=1e-12)
    # Of 4 trees ties are many: those are of the first class, as the forest says, not of the cut.
    rows = rows_of(found, "forest", "pooled")
    assert (rows.probability_1 == 0.5).any()
    for metric, function in (("f1", f1_score), ("kappa", cohen_kappa_score)):
        value = function(rows.truth, rows.prediction)
        assert wanted["forest", metric] == pytest.approx(value, rel=1e-12)
    cut = found.compare("accuracy", threshold=0.5, n_boot=0).tidy().estimate[0]
    own = rows.query("context == 'express'")
    assert cut == pytest.approx(accuracy_score(own.truth, own.probability_1 >= 0.5), rel=1e-12)
    assert wanted["prior", "auc"] == 0.5
    notes = str(found.compare(n_boot=0))
    assert "AUC is computed within folds (fold 0) and averaged; metrics of predicted" in notes


def test_text_and_numbers_and_truth_values_are_the_same_classes(fitted):
    table = clips()
    table["flag"] = table.present == 1
    table["group"] = pd.Categorical(table.mood)
    one = rows_of(fitted, "logit", "pooled")
    for label, positive in (("mood", "glad"), ("flag", True), ("group", "glad")):
        found = fit(table, label=label, kind=None, positive=positive)
        assert found.kind == "classification"
        rows = rows_of(found, "logit", "pooled")
        named = f"probability_{positive if label != 'flag' else 1}"
        np.testing.assert_allclose(rows[named], one.probability_1, rtol=0, atol=1e-9)
        weights = found.weights()
        assert set(weights["class"]) == {positive}
        expected = fitted.weights().query("model == 'logit' and context_as == 'pooled'")
        expected = expected.query("repeat == 0").standardised
        np.testing.assert_allclose(weights.standardised, expected, rtol=0, atol=1e-4)
    # Both classes have one AUC and one Brier's score, so that nobody need say which is meant.
    found = fit(table, label="mood", kind=None)
    one, other = (found.compare(["auc", "brier"], n_boot=0, **which).tidy().estimate
                  for which in ({}, {"positive": "glad"}))  # fmt: skip
    np.testing.assert_allclose(one, other, rtol=1e-12)
    with pytest.raises(px.errors.DataError, match="f1 refers to one class; name in positive="):
        found.compare("f1")


def test_the_positive_class_that_was_given_is_that_of_the_comparison():
    found = fit(positive=0)
    rows = rows_of(found, "logit", "pooled")
    compared = found.compare(["auc", "f1"], n_boot=0)
    assert "the positive class is '0'" in str(compared)
    own = compared.tidy().query("context == 'all' and metric == 'f1'").estimate.item()
    assert own == pytest.approx(f1_score(rows.truth, rows.prediction, pos_label=0), rel=1e-12)
    # All digits, where 1e+07 would be the name of several classes.
    table = clips()
    table["present"] += 10_000_001
    assert "class is '10000002'" in str(fit(table).compare(n_boot=0))


@pytest.mark.parametrize("metric", ["accuracy", "auc"])
def test_a_model_may_be_called_as_the_table_of_a_comparison_calls_its_columns(metric):
    names = ["truth", "context", "cluster", "clip", "fold 0", "class of logit", "logit"]
    found = fit(models=dict.fromkeys(names, LogisticRegression()))
    levels = found.compare(metric, n_boot=0).tidy().query("kind == 'level' and context == 'all'")
    assert levels.term.tolist() == names
    own = found.tidy().query("context == 'all' and metric == @metric").estimate.to_numpy()
    np.testing.assert_allclose(levels.estimate, own, rtol=1e-12)


def test_numbers_are_amounts_unless_stated():
    found = fit(kind=None, models={"ols": LinearRegression()})
    assert found.kind == "regression"
    assert "probability_1" not in found.predictions
    with pytest.raises(px.errors.DataError, match="is a classifier, but label 'present'"):
        fit(kind=None)


def test_a_grid_is_searched_for_the_lowest_log_loss():
    table = clips()
    grid = {"C": [0.001, 0.1, 10.0]}
    spec = px.ModelSpec(LogisticRegression(), grid=grid, scale=True)
    found = fit(table, models={"logit": spec})
    chosen, likely = [], np.full(len(table), np.nan)
    for train, test in folds(table).split():
        search = GridSearchCV(
            make_pipeline(StandardScaler(), LogisticRegression()),
            {"logisticregression__C": grid["C"]}, scoring="neg_log_loss",
            cv=PredefinedSplit(px.subject_folds(table.subject.iloc[train], 3, 3)),
        ).fit(table[FEATURES].iloc[train], table.present.iloc[train])  # fmt: skip
        likely[test] = search.predict_proba(table[FEATURES].iloc[test])[:, 1]
        chosen.append(search.best_params_["logisticregression__C"])
    assert found.tuning.value.tolist() == chosen
    mine = rows_of(found, "logit", "pooled").probability_1
    np.testing.assert_allclose(mine, likely, rtol=0, atol=1e-9)


def test_the_log_loss_is_scikit_learns_and_knows_classes_that_were_not_fitted():
    table = clips()
    model = LogisticRegression().fit(table[FEATURES], table.three)
    wanted = -log_loss(table.three, model.predict_proba(table[FEATURES]), labels=model.classes_)
    found = minus_log_loss(model, table[FEATURES], table.three.to_numpy())
    assert found == pytest.approx(wanted, rel=1e-12)
    two = LogisticRegression().fit(
        *(t[table.three != "calm"] for t in (table[FEATURES], table.three))
    )
    part = table[table.three == "calm"]
    assert minus_log_loss(two, part[FEATURES], part.three.to_numpy()) == pytest.approx(
        np.log(np.finfo(float).eps)
    )


def test_several_classes():
    table = clips()
    found = fit(table, label="three", kind=None, models={"forest": RandomForestClassifier(5)})
    rows = rows_of(found, "forest", "pooled")
    assert found.classes == ["calm", "glad", "sad"]
    columns = [f"probability_{label}" for label in found.classes]
    forest = RandomForestClassifier(5, random_state=3)
    likely = cross_val_predict(
        forest, table[FEATURES], table.three, cv=folds(table), method="predict_proba"
    )
    np.testing.assert_allclose(rows[columns].to_numpy(), likely, rtol=0, atol=SAME)
    tidy = found.tidy().query("context == 'all'").set_index("metric").estimate
    assert tidy["f1_macro"] == pytest.approx(f1_score(rows.truth, rows.prediction, average="macro"))
    compared = found.compare(n_boot=0).tidy().query("kind == 'level' and context == 'all'")
    assert compared.metric.tolist() == ["balanced_accuracy", "kappa"]
    for row in compared.itertuples():
        assert row.estimate == pytest.approx(tidy[row.metric], rel=1e-12)
    glad = fit(table, label="three", models=found_models(), positive="glad").tidy()
    own = glad.query("context == 'all'").set_index("metric").estimate
    value = brier_score_loss(rows.truth == "glad", rows.probability_glad)
    assert own["brier"] == pytest.approx(value, rel=1e-12)
    value = balanced_accuracy_score(rows.truth == "glad", rows.prediction == "glad")
    assert own["balanced_accuracy"] == pytest.approx(value, rel=1e-12)
    weights = fit(table, label="three").weights()
    assert set(weights["class"]) == {"calm", "glad", "sad"}


def found_models():
    return {"forest": RandomForestClassifier(5)}


def test_a_class_that_a_context_never_has_is_improbable_there():
    table = clips()
    table.loc[(table.task == "suppress") & (table.three == "calm"), "three"] = "sad"
    found = fit(table, label="three", context_as="separate")
    rows = rows_of(found, "logit", "separate")
    assert (rows.probability_calm[rows.context == "suppress"] == 0).all()
    assert (rows.probability_calm[rows.context == "express"] > 0).all()
    assert "class 'calm' occurs neither in the rows of 4 fits" in str(found)


def test_a_split_tunes_on_its_validation_part():
    table = clips(30)
    spec = px.ModelSpec(LogisticRegression(), grid={"C": [0.001, 1.0]})
    found = fit(table, scheme="split", models={"logit": spec})
    assert set(found.tuning.tuned_on) == {"validation"}
    part = px.split_subjects(table.subject, context=table.task, seed=3).part(table.subject)
    fits = [
        LogisticRegression(C=C).fit(
            table[FEATURES][part == "train"], table.present[part == "train"]
        )
        for C in spec.grid["C"]
    ]
    validation = table[part == "validation"]
    losses = [log_loss(validation.present, one.predict_proba(validation[FEATURES])) for one in fits]
    assert found.tuning.value.item() == spec.grid["C"][int(np.argmin(losses))]
    likely = fits[int(np.argmin(losses))].predict_proba(table[FEATURES][part == "test"])
    np.testing.assert_allclose(rows_of(found, "logit", "pooled").probability_1, likely[:, 1],
                               rtol=0, atol=1e-9)  # fmt: skip


def test_models_for_new_data_and_a_saved_result(fitted):
    again = unpack(pack(fitted))
    assert str(again) == str(fitted)
    new = clips(seed=1).head(9)
    final = fit(models={"logit": LogisticRegression(), "svm": LinearSVC()}, label="mood", kind=None,
                context_as=["separate", "pooled"]).fit_all()  # fmt: skip
    table = clips()
    plain = LogisticRegression().fit(table[FEATURES], table.mood)
    assert final.predict(new)["logit, pooled"].tolist() == plain.predict(new[FEATURES]).tolist()
    assert set(final.predict(new)["svm, separate"]) <= {"glad", "sad"}
    likely = final.predict_proba(new)
    assert list(likely) == [
        f"logit, {how}: {mood}" for how in ("separate", "pooled") for mood in ("glad", "sad")
    ]
    np.testing.assert_allclose(
        likely["logit, pooled: sad"], plain.predict_proba(new[FEATURES])[:, 1], rtol=0, atol=1e-9
    )
    with pytest.raises(px.errors.DataError, match="none of the models 'svm' gives probabilities"):
        fit(models={"svm": LinearSVC()}).fit_all().predict_proba(new)


# --- bad input -----------------------------------------------------------------------------------


class Always(ClassifierMixin, BaseEstimator):
    """Says what it is told to."""

    def __init__(self, likely=0.5, other=0.5, answer=0, few=0):
        self.likely, self.other, self.answer, self.few = likely, other, answer, few

    def fit(self, X, y):
        if len(X) < self.few:
            raise ValueError("too few")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.array([self.answer] * len(X))

    def predict_proba(self, X):
        return np.full((len(X), 2), [self.likely, self.other])


def one_of(table, label, **where):
    """Return the table with the class `label` in rows of one subject, or of one context."""
    mine = np.logical_and.reduce([table[name] == value for name, value in where.items()])
    return table.assign(three=np.where(mine, label, np.where(table.three == "sad", "sad", "glad")))


BAD = {
    "one class": (
        lambda t: {"data": t.assign(present=1)}, "'present' has one class, '1', in all of its",
    ),
    "numbers that are no classes": (
        lambda t: {"label": "smile", "features": ["nod"]},
        'must hold classes, .* row 1 holds .*; for numbers that are not classes use',
    ),
    "text for an amount": (lambda t: {"label": "mood", "kind": "regression"}, "must be a number"),
    "text and numbers": (
        lambda t: {"data": t.assign(mood=[1, *t.mood[1:]]), "label": "mood"}, "mixes text and num",
    ),
    "no kind": (lambda t: {"kind": "classes"}, "kind= must be 'regression' or 'classification', n"),
    "a regressor": (
        lambda t: {"models": {"ols": LinearRegression()}},
        r"model 'ols': LinearRegression\(\) is a regressor, but label 'present' contains classes",
    ),
    "no classifier": (
        lambda t: {"models": {"s": StandardScaler()}}, "StandardScaler.* is no classifier of sc",
    ),
    "a pooled label": (
        lambda t: {"label_pooled": "three"}, "label_pooled= is only for labels that are numbers",
    ),
    "classes that differ by a blank": (
        lambda t: {"data": t.assign(mood=np.where(t.nod > 0, t.mood + " ", t.mood)),
                   "label": "mood"},
        "classes 'glad' and 'glad ' differ only in white space; if they are the same class",
    ),
    "no such class": (
        lambda t: {"label": "mood", "positive": "gald"},
        "positive= is 'gald', which is not a class of label 'mood'; did you mean 'glad'",
    ),
    "a class that is a number, named as text": (
        lambda t: {"positive": "1"},
        "positive= is '1', which is not a class of label 'present'; its classes are numbers",
    ),
    "a positive amount": (
        lambda t: {"label": "smile", "features": ["nod"], "kind": "regression", "positive": 1,
                   "models": {"ols": LinearRegression()}},
        "positive= names a class, but label 'smile' contains numbers",
    ),
    "the label in other words": (
        lambda t: {"data": t.assign(nod=np.where(t.present, -3.5, 8)), "label": "mood"},
        "feature 'nod' is the label 'mood' in other words",
    ),
    "the label as a feature": (
        lambda t: {"features": [*FEATURES, "present"]}, "'present' is in features= and is the label"
    ),
    "a class of one subject": (
        lambda t: {"data": one_of(t, "calm", subject="S03"), "label": "three"},
        r"class 'calm' of label 'three' has rows in fold \d, but none to which a model "
        r"could be fitted \(it occurs in 1 subject, \d+ rows\); leave out its rows",
    ),
    "a class that a context has in one fold": (
        lambda t: {"data": one_of(t, "calm", subject="S03", task="suppress"), "label": "three",
                   "context_as": "separate"},
        r"class 'calm' of label 'three' has in context 'suppress' rows in fold \d, .*'pooled'",
    ),
    "a context of one class": (
        lambda t: {"data": t.assign(present=np.where(t.task == "suppress", 0, t.present)),
                   "context_as": "separate"},
        "the model of fold 0 is fitted to in context 'suppress' are all of class '0' of label",
    ),
    "a class only in the test part": (
        lambda t: {"data": one_of(t, "calm", subject="S07"), "label": "three", "scheme": "split"},
        "class 'calm' of label 'three' has rows in the (test|validation) part, but none to",
    ),
    "a class in one inner fold": (
        lambda t: {"data": one_of(one_of(t, "calm", subject="S03"), "calm", subject="S04")
                   .assign(three=lambda u: np.where(u.subject == "S03", "calm", u.three)),
                   "label": "three",
                   "models": {"m": px.ModelSpec(LogisticRegression(), grid={"C": [1, 2]})}},
        r"\(all contexts, fold \d\) cannot be fitted: all rows of class 'calm' are in one inner f",
    ),
    "fails in one fold": (
        lambda t: {"models": {"m": Always(few=121)}},
        r"model 'm' \(all contexts, fold \d\) cannot be fitted: ValueError: too few",
    ),
    "a probability of NaN": (
        lambda t: {"models": {"m": Always(np.nan)}}, r"gives nan as a probability in \d+ of \d+ r",
    ),
    "a probability above 1": (
        lambda t: {"models": {"m": Always(1.2, -0.2)}},
        r"model 'm' \(all contexts, fold 0\) gives 1.2 as a probability in .* between 0 and 1",
    ),
    "probabilities that do not sum to 1": (
        lambda t: {"models": {"m": Always(0.9, 0.9)}}, "gives probabilities that sum to 1.8 in",
    ),
    "another class": (
        lambda t: {"models": {"m": Always(answer=7)}},
        r"predicts 7 in \d+ of \d+ rows, which is not a class of the label \(0, 1\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence(name):
    table = clips()
    options, sentence = BAD[name]
    given = options(table)
    table = given.pop("data", table)
    with pytest.raises(px.errors.DataError, match=sentence):
        fit(table, **given)


COMPARED = {
    "an unknown metric": (["acuracy"], {}, "there is no metric 'acuracy'; did you mean 'accuracy'"),
    "no such class": (["auc"], {"positive": 2}, "positive= is 2, which is not a class of label"),
    "no probabilities": (
        ["brier"], {}, r"brier needs probabilities, and model 'svm' does not provide them",
    ),
    "a cut of no probabilities": (["f1"], {"threshold": 0.4}, "threshold= needs probabilities"),
}  # fmt: skip


@pytest.mark.parametrize("name", COMPARED)
def test_what_cannot_be_compared_is_reported(fitted, name):
    metrics, options, sentence = COMPARED[name]
    with pytest.raises(px.errors.DataError, match=sentence):
        fitted.compare(metrics, n_boot=0, **options)


def test_metrics_of_numbers_and_of_classes_do_not_mix():
    found = fit(label="mood", kind=None)
    with pytest.raises(
        px.errors.DataError, match="'mood' has classes, but rmse is a metric of numbers"
    ):
        found.compare("rmse")
    numbers = fit(label="smile", features=["nod"], kind=None, models={"ols": LinearRegression()})
    with pytest.raises(
        px.errors.DataError, match="'smile' has numbers, but auc is a metric of classes"
    ):
        numbers.compare("auc")
