"""The column of contexts is `context=` in every function, and other names are answered."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pyexpr as px

OTHER = ("by", "group", "contexts")
# What has such a name and is no column of contexts: subjects, as scikit-learn's fit() calls
# them; OpenFace's groups of columns; the parts of a result; contexts to be drawn;
# features that are exchanged together.
MEANT = {
    "ContextualRegressor.fit(groups)", "ContextualRegressor.set_fit_request(groups)",
    "ElasticNetRegressor.fit(groups)", "ElasticNetRegressor.set_fit_request(groups)",
    "ElasticNetClassifier.fit(groups)", "ElasticNetClassifier.set_fit_request(groups)",
    "read_openface(groups)", "read_tracks(groups)", "OpenFaceRecording(groups)",
    "OpenFaceRecording.unit(group)",
    "AgreementResult(groups)", "ICCResult(groups)", "ComparisonResult.plot(contexts)",
    "VarianceComponentsResult(groups)", "DesignStudyResult(groups)", "MultilevelICCResult(groups)",
    "TraceReliabilityResult(groups)",
    "ModelsResult(contexts)", "FinalModels(contexts)", "ProcedureResult.plot(contexts)",
    "ChainResult.plot(contexts)",
    "feature_importance(groups)", "ImportanceResult.plot(contexts)",
    "ImportanceContrasts.plot(contexts)",
}  # fmt: skip

rng = np.random.default_rng(1)
TABLE = pd.DataFrame(rng.normal(size=(80, 3)), columns=["a", "b", "c"])
TABLE = TABLE.assign(subject=np.arange(80) // 4, task=np.arange(80) % 2)
MODEL = {"f": ["a", "b", "c"]}
# Right but for the column of contexts.
CALLS: dict[str, Callable[..., Any]] = {
    "icc": lambda **given: px.icc(TABLE, ratings=["a", "b", "c"], cluster="subject", **given),
    "agreement": lambda **given: px.agreement(
        TABLE.round(), ratings=["a", "b", "c"], cluster="subject", **given
    ),
    "variance_components": lambda **given: px.variance_components(
        TABLE, ratings="a", facets=["subject", "task"], replicates=True, **given
    ),
    "multilevel_icc": lambda **given: px.multilevel_icc(
        TABLE, targets="task", ratings="a", cluster="subject", **given
    ),
    "cfa": lambda **given: px.cfa(TABLE, MODEL, engine="native", **given),
    "scores": lambda **given: px.cfa(TABLE + SHARED, MODEL, engine="native").scores(**given),
    "invariance": lambda **given: px.invariance(TABLE, MODEL, cluster="subject", **given),
    "bootstrap_cfa": lambda **given: px.bootstrap_cfa(TABLE, MODEL, cluster="subject", **given),
    "compare_models": lambda **given: px.compare_models(
        TABLE, truth="a", predictions=["b"], cluster="subject", **given
    ),
    "rating_ceiling": lambda **given: px.rating_ceiling(
        TABLE,
        TABLE,
        truth="a",
        predictions="b",
        targets="c",
        ratings="a",
        cluster="subject",
        **given,
    ),
    "bootstrap_chain": lambda **given: px.bootstrap_chain(
        TABLE, TABLE, features=["b"], targets="c", cluster="subject", ratings="a", **given
    ),
    "context_coefficients": lambda **given: px.context_coefficients(
        TABLE[["b"]], TABLE["a"], cluster=TABLE["subject"], **given
    ),
    "error_slopes": lambda **given: px.error_slopes(
        TABLE, truth="a", predictions="b", properties="c", cluster="subject", **given
    ),
    "pooled_coefficients": lambda **given: px.pooled_coefficients(
        TABLE[["b"]], TABLE["a"], cluster=TABLE["subject"], **given
    ),
    "person_slopes": lambda **given: px.person_slopes(
        TABLE, score="a", signal="b", cluster="subject", **given
    ),
    "split_subjects": lambda **given: px.split_subjects(TABLE["subject"], **given),
}
# So that three indicators measure something.
SHARED = pd.DataFrame(np.repeat(rng.normal(size=(80, 1)), 3, axis=1), columns=["a", "b", "c"])
SHARED = SHARED.assign(subject=0, task=0)


@pytest.mark.parametrize("other", OTHER)
@pytest.mark.parametrize("name", CALLS)
def test_another_name_is_explained(name: str, other: str) -> None:
    with pytest.raises(px.errors.DataError) as refused:
        CALLS[name](**{other: "task"})
    assert str(refused.value) == (
        f"{name}() has no argument {other}=; the column of contexts is context="
    )


def test_what_nobody_calls_it_stays_a_mistake() -> None:
    for call in CALLS.values():
        with pytest.raises(TypeError, match="unexpected keyword argument 'contxt'"):
            call(contxt="task")


def functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every public function and class, and the methods of classes."""
    for name in px.__all__:
        public = getattr(px, name)
        if callable(public):
            yield name, public
        if inspect.isclass(public):
            for method, function in inspect.getmembers(public, callable):
                if not method.startswith("_"):
                    yield f"{name}.{method}", function


def test_no_function_calls_it_otherwise() -> None:
    found = set()
    for name, function in functions():
        try:
            parameters = inspect.signature(function).parameters
        except ValueError:  # Of a built-in class, such as an exception.
            continue
        found |= {f"{name}({one})" for one in parameters if one in (*OTHER, "groups")}
    assert found == MEANT


def test_tables_of_an_array_name_it_alike() -> None:
    tasks = TABLE["task"].to_numpy()
    measured = TABLE + SHARED
    fit = px.cfa(measured, MODEL, context=tasks, engine="native")
    who = measured["subject"]
    assert fit.tidy().columns[0] == fit.context_name == fit.provenance()["context"] == "context"
    assert fit.glance()["n_contexts"].item() == 2
    refits = px.bootstrap_cfa(measured, MODEL, context=tasks, cluster=who, n_boot=0)
    assert refits.tidy().columns[0] == refits.context_name == "context"
    found = px.invariance(measured, MODEL, context=tasks, cluster=who, engine="native")
    assert found.estimates().columns[0] == found.context_name == "context"
    assert {"first_context", "second_context"} <= set(found.contrasts().columns)
    agreement = px.icc(TABLE, ratings=["a", "b", "c"], context="task", cluster="subject")
    assert agreement.context == ("task",)
    assert agreement.tidy().columns[0] == "task"
    assert "2 contexts (task)" in agreement.heading()
