"""Every public function takes tables and columns of any library, and gives the same bytes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression

import pyexpr as px
from pyexpr.base.errors import PyexprWarning
from pyexpr.base.results import Result
from pyexpr.figures.performance import performance_figure
from pyexpr.figures.predictions import predictions_figure
from pyexpr.modeling import metrics
from pyexpr.report.tables.tables import reliability_table


@dataclass(frozen=True)
class Kind:
    """How a library holds what pandas holds."""

    table: Callable[[pd.DataFrame], Any]
    column: Callable[[pd.Series], Any]
    # Whether its columns have names.
    named: bool = True


def arrow(table: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(table, preserve_index=False)


KINDS = {
    "polars": Kind(pl.from_pandas, pl.from_pandas),
    "pyarrow": Kind(arrow, lambda s: pa.chunked_array(pa.array(s, from_pandas=True)), named=False),
    "types of arrow": Kind(
        lambda t: t.convert_dtypes(dtype_backend="pyarrow"),
        lambda s: s.convert_dtypes(dtype_backend="pyarrow"),
    ),
}


def clips() -> pd.DataFrame:
    """A table of models and features, with missing values in all kinds of columns."""
    rng = np.random.default_rng(5)
    n_subjects, n_clips = 24, 6
    n = n_subjects * n_clips
    table = pd.DataFrame(
        {
            "subject": np.repeat(np.arange(100, 100 + n_subjects), n_clips),
            "task": pd.Categorical(np.tile(["pain", "fear", "calm"], n // 3)),
            "clip": np.tile(np.arange(n_clips).astype(str), n_subjects),
            "sex": np.repeat(["f", "m"], n // 2),
            "smile": rng.normal(size=n),
            "nod": rng.integers(0, 9, n),
            "blink": rng.normal(size=n) > 0,
        }
    )
    table["truth"] = 0.6 * table["smile"] - 0.1 * table["nod"] + rng.normal(size=n)
    for k in range(3):
        table[f"x{k}"] = table["truth"] + rng.normal(size=n)
        table[f"model{k}"] = table["truth"] + (k + 1) * rng.normal(size=n)
    table.loc[[3, 50], "truth"] = np.nan
    table.loc[7, "model1"] = np.nan
    table["count"] = pd.array(rng.integers(0, 40, n), dtype="Int64")
    table.loc[[9, 20], "count"] = pd.NA
    return table


def ratings() -> pd.DataFrame:
    rng = np.random.default_rng(6)
    rows = [
        (f"s{s}", task, f"{c}", rater, question, float(rng.integers(5)))
        for s in range(8)
        for task in ("pain", "fear")
        for c in range(2)
        for rater in range(1, 4)
        for question in ("response", "emotion", "motion")
    ]
    return pd.DataFrame(
        rows, columns=["subject", "context", "clip", "rater", "question", "score"]
    ).astype({"question": "category"})


CLIPS, RATINGS = clips(), ratings()
COMPLETE = CLIPS.dropna().reset_index(drop=True)
ITEMS = {"expressiveness": ["x0", "x1", "x2"]}
RATED = RATINGS[RATINGS["question"] == "motion"]
SCORED = RATED.groupby(["subject", "context", "clip"], as_index=False)["score"].mean()
LONG = {"targets": ["subject", "context", "clip"], "ratings": "score", "raters": "rater"}


def compare(kind: Kind, **options: Any) -> Any:
    return px.compare_models(
        kind.table(CLIPS), truth="truth", predictions=["model0", "model1", "model2"], n_boot=40,
        **{"cluster": "subject"} | options,
    )  # fmt: skip


def regressor(kind: Kind, **options: Any) -> Any:
    model = px.ContextualRegressor(
        px.ElasticNetRegressor(alpha=[0.01, 0.1], l1_ratio=[0.5]), context="task"
    )
    X, y = kind.table(COMPLETE[["task", "smile", "nod"]]), kind.column(COMPLETE["truth"])
    return model.fit(X, y, groups=kind.column(COMPLETE["subject"]), **options)


def contextual(kind: Kind) -> Any:
    table = COMPLETE[["task", "smile", "nod"]]
    pooled = kind.column(COMPLETE["x0"])
    validation = {"X": kind.table(table), "y": kind.column(COMPLETE["truth"]), "y_pooled": pooled}
    model = regressor(kind, validation=validation, y_pooled=pooled)
    return [model.predict(kind.table(table)), model.weights()]


def contexts_beside(kind: Kind) -> Any:
    X, where = kind.table(COMPLETE[["smile", "nod"]]), kind.column(COMPLETE["task"])
    model = px.ContextualRegressor(px.ElasticNetRegressor(alpha=0.1, l1_ratio=0.5))
    model.fit(X, kind.column(COMPLETE["truth"]), context=where)
    return model.predict(X, context=where)


def elastic_net(kind: Kind) -> Any:
    X, y = kind.table(COMPLETE[["smile", "nod", "count"]]), kind.column(COMPLETE["truth"])
    groups = kind.column(COMPLETE["subject"])
    folds = px.ElasticNetRegressor(alpha=[0.01, 0.1]).fit(X, y, groups=groups)
    held_out = px.ElasticNetRegressor(alpha=[0.01, 0.1]).fit(X, y, validation=(X, y))
    return [folds.predict(X), folds.coef_, held_out.path_, list(folds.feature_names_in_)]


def classifier(kind: Kind) -> Any:
    X, y = kind.table(COMPLETE[["smile", "nod", "count"]]), kind.column(COMPLETE["task"])
    net = px.ElasticNetClassifier(alpha=[0.01, 0.1], l1_ratio=0.5)
    net.fit(X, y, groups=kind.column(COMPLETE["subject"]))
    held_out = px.ElasticNetClassifier(alpha=[0.01, 0.1], l1_ratio=0.5).fit(
        X, kind.column(COMPLETE["blink"]), validation=(X, kind.column(COMPLETE["blink"]))
    )
    return [net.predict_proba(X), net.predict(X), held_out.path_, held_out.classes_]


def from_model(kind: Kind) -> Any:
    X = kind.table(COMPLETE[["task", "smile", "nod", "subject"]])
    return px.CoefficientResult.from_model(
        regressor(kind), X, kind.column(COMPLETE["truth"]), cluster="subject", n_boot=20
    )


def coefficients(kind: Kind) -> Any:
    X = CLIPS[["task", "smile", "nod", "blink", "count"]]
    return px.context_coefficients(
        kind.table(X), kind.column(CLIPS["truth"]), context="task",
        cluster=kind.column(CLIPS["subject"]), y_pooled=kind.column(CLIPS["x1"]),
        rows=kind.column(CLIPS["sex"] == "f"), n_boot=20, alpha=0.1, l1_ratio=0.5,
    )  # fmt: skip


def splits(kind: Kind) -> Any:
    subjects, tasks = kind.column(CLIPS["subject"]), kind.column(CLIPS["task"])
    split = px.split_subjects(subjects, context=tasks, seed=3)
    folds = px.subject_folds(subjects, 4)
    split.check(train=kind.column(CLIPS["subject"][split.part(CLIPS["subject"]) == "train"]))
    return [split.tidy(), split.part(subjects), folds]


def measures(kind: Kind) -> Any:
    truth, prediction = (kind.column(COMPLETE[name]) for name in ("truth", "model0"))
    values = [
        getattr(metrics, name)(truth, prediction) for name in metrics.METRICS if name != "nrmse"
    ]
    return [*values, metrics.nrmse(truth, prediction, score_range=7)]


def factor_scores(kind: Kind) -> Any:
    fit = px.cfa(kind.table(CLIPS), ITEMS, context="task", engine="native")
    new = CLIPS[["x0", "x1", "x2", "task"]][:9]
    return [fit.tidy(), fit.scores(), fit.scores(kind.table(new))]


def weighted_mean(rows: pd.DataFrame, weights: Any) -> float:
    return float(weights @ rows["nod"] / weights.sum())


def human(kind: Kind) -> Any:
    loadings = pd.DataFrame(
        {"indicator": ["response", "emotion", "motion"], "loading": [0.7, 0.8, 0.9]}
    )
    return px.human_baseline(kind.table(RATINGS), kind.table(loadings)).table


def manifest(kind: Kind, folder: Path) -> Any:
    files = sorted((folder / "openface").glob("S00[12]_*.csv"))
    table = pd.DataFrame(
        [(*path.stem.split("_"), str(path)) for path in files],
        columns=["subject", "context", "openface"],
    )
    schedule = pd.DataFrame(
        [
            (task, str(clip), float(clip), clip + 3.0)
            for task in set(table["context"])
            for clip in (1, 5)
        ],
        columns=["context", "clip", "start", "end"],
    ).sort_values(["context", "clip"])
    found = px.extract_features(kind.table(table), schedule=kind.table(schedule))
    series = px.movement_series(kind.table(table[:1]), schedule=kind.table(schedule))
    return [found.table, px.Schedule.from_table(kind.table(schedule)).to_table(), series.table]


def figures(kind: Kind) -> Any:
    history = pd.DataFrame(
        {"context": "all", "seed": 1, "epoch": [1, 2, 3], "train_rmse": [3.0, 2, 1],
         "validation_rmse": [3.0, 2, 2], "lr": 0.1, "best": [False, False, True]}
    )  # fmt: skip
    levels = pd.DataFrame(
        {"model": ["a", "b"], "metric": "rmse", "context": "all", "estimate": [1.0, 2.0],
         "conf_low": [0.5, 1.0], "conf_high": [2.0, 3.0]}
    )  # fmt: skip
    numbers = px.icc(RATINGS, **LONG, context=["context", "question"], form="ICC(2,k)").tidy()
    shown = COMPLETE.assign(context=COMPLETE["task"], evaluated=COMPLETE["task"])
    return [
        drawn(px.learning_figure(kind.table(history))),
        drawn(performance_figure(kind.table(levels))),
        drawn(predictions_figure(kind.table(shown), {"model0": "model0"})),
        reliability_table(kind.table(numbers)),
    ]


BY_CONTEXT = px.ContextualRegressor(LinearRegression(), context="task").fit(
    COMPLETE[["smile", "nod", "task"]], COMPLETE["truth"]
)


def fitted_models(kind: Kind) -> Any:
    net = px.ElasticNetRegressor(alpha=[0.01, 0.1], l1_ratio=0.5)
    found = px.fit_models(
        kind.table(CLIPS), label="truth", features=["smile", "nod", "blink"], cluster="subject",
        context="task", clip="clip", adjust_for=["sex", "count"], models={"net": net}, folds=3,
    )  # fmt: skip
    new = kind.table(COMPLETE.drop(columns="truth"))
    return [found.predictions, found.left_out, found.fit_all().predict(new)]


def drawn(figure: Any) -> bytes:
    figure.canvas.draw()
    return bytes(figure.canvas.buffer_rgba())


DYADS = pd.DataFrame(
    [(dyad, who, t / 5, np.sin((dyad + 2) * t**2)) for dyad in range(3) for who in "ab"
     for t in range(60)],
    columns=["dyad", "person", "time", "way"],
)  # fmt: skip
FUNCTIONS: dict[str, Callable[[Kind], Any]] = {
    "icc": lambda k: px.icc(k.table(RATINGS), **LONG, context="question"),
    "agreement": lambda k: px.agreement(k.table(RATINGS), **LONG, context="question"),
    "variance_components": lambda k: px.variance_components(
        k.table(RATINGS), ratings="score", facets=["subject", "rater"], replicates=True,
        context="question",
    ),
    "multilevel_icc": lambda k: px.multilevel_icc(
        k.table(RATINGS), targets=["context", "clip"], ratings="score", cluster="subject",
        raters="rater", context="question",
    ),
    "rater_diagnostics": lambda k: px.rater_diagnostics(
        k.table(RATINGS), **LONG, context="question", cluster="subject", quantities="bias"
    ),
    "trace_reliability": lambda k: px.trace_reliability(
        k.table(DYADS), targets="dyad", ratings="way", raters="person", time="time",
        cluster="dyad", max_lag=1,
    ),
    "icc of a wide table": lambda k: px.icc(k.table(CLIPS[["x0", "x1", "x2"]])),
    "cfa": lambda k: px.cfa(
        k.table(CLIPS), ITEMS, context=k.column(CLIPS["task"]), engine="native"
    ),
    "scores": factor_scores,
    "invariance": lambda k: px.invariance(
        k.table(CLIPS), ITEMS, context="sex", cluster=k.column(CLIPS["subject"]), engine="rpy2"
    ),
    "bootstrap_cfa": lambda k: px.bootstrap_cfa(
        k.table(CLIPS), ITEMS, cluster=k.column(CLIPS["subject"]), context="sex", n_boot=60
    ),
    "compare_models": compare,
    "compare_models by columns": lambda k: compare(
        k, cluster=k.column(CLIPS["subject"]), context=k.column(CLIPS["task"]),
        stratify=k.column(CLIPS["sex"]),
    ),
    "sign_flip": lambda k: compare(k).sign_flip(n_flips=200),
    "cluster_bootstrap": lambda k: px.cluster_bootstrap(
        k.table(CLIPS), weighted_mean, cluster=k.column(CLIPS["subject"]), n_boot=60
    ),
    "rating_ceiling": lambda k: px.rating_ceiling(
        k.table(SCORED), k.table(RATED), truth="score", predictions={"same": "score"}, **LONG,
        cluster="subject", context=k.column(SCORED["context"]), form="ICC(C,k)", n_boot=20,
    ),
    "bootstrap_chain": lambda k: px.bootstrap_chain(
        k.table(SCORED.rename(columns={"score": "own"})), k.table(RATINGS), features=["own"],
        targets=["subject", "context", "clip"], cluster="subject", context="context",
        ratings="score", question="question", folds=2, metrics="rmse",
        models={"net": px.ElasticNetRegressor(alpha=0.1, l1_ratio=0.5)}, n_boot=20,
    ),
    "plan_study": lambda k: px.plan_study(
        k.table(CLIPS), difference=0.2, metric="correlation", truth="truth",
        predictions=["model0", "model1"], cluster="subject", n_subjects=20, n_studies=20,
    ),
    "context_coefficients": coefficients,
    "error_slopes": lambda k: px.error_slopes(
        k.table(CLIPS), truth="truth", predictions="model0", properties=["smile", "nod"],
        cluster=k.column(CLIPS["subject"]), context=k.column(CLIPS["task"]),
    ),
    "pooled_coefficients": lambda k: px.pooled_coefficients(
        k.table(COMPLETE[["task", "smile", "nod"]]), k.column(COMPLETE["truth"]), context="task",
        cluster=k.column(COMPLETE["subject"]), subject_effects="slopes",
    ),
    "person_slopes": lambda k: px.person_slopes(
        k.table(COMPLETE), score="truth", signal="smile", cluster="subject", context="task",
        min_rows=3,
    ),
    "from_model": from_model,
    "ContextualRegressor": contextual,
    "ContextualRegressor, contexts beside": contexts_beside,
    "ElasticNetRegressor": elastic_net,
    "ElasticNetClassifier": classifier,
    "fit_models": fitted_models,
    "feature_importance": lambda k: px.feature_importance(
        BY_CONTEXT, k.table(CLIPS), label="truth", features=["smile", "nod"], cluster="subject",
        context="task",
    ),
    "splits": splits,
    "synchrony": lambda k: px.synchrony(
        k.table(DYADS), series="way", window=4, lag=1, n_permutations=50
    ).tidy(),
    "metrics": measures,
    "uniform_baseline": lambda k: px.uniform_baseline(
        k.table(CLIPS), keys=["subject", "task", "clip"], low=0, high=7
    ),
    "normal_baseline": lambda k: px.normal_baseline(
        k.table(CLIPS), keys=["subject", "task", "clip"], mean=3, sd=1
    ),
    "human_baseline": human,
    "figures": figures,
}  # fmt: skip
PANDAS = Kind(lambda table: table, lambda column: column)
UNNAMED = Kind(lambda table: table, lambda column: column.rename(None), named=False)


def same(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    if isinstance(one, list):
        for mine, theirs in zip(one, other, strict=True):
            same(mine, theirs)
    elif isinstance(one, Result):
        same(one.tidy(), other.tidy())
        assert str(one) == str(other)
    elif isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    elif isinstance(one, pd.Series):
        pd.testing.assert_series_equal(one, other, check_exact=True)
    elif isinstance(one, np.ndarray):
        assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    else:
        assert one == other


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_same_bytes(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PyexprWarning)
        expected = {kind.named: FUNCTIONS[name](kind) for kind in (PANDAS, UNNAMED)}
        for kind in KINDS.values():
            same(FUNCTIONS[name](kind), expected[kind.named])


def test_the_same_bytes_of_recordings(study_folder: Path) -> None:
    expected = manifest(PANDAS, study_folder)
    assert len(expected[0])
    for kind in KINDS.values():
        same(manifest(kind, study_folder), expected)


def test_columns_without_an_index_go_by_position() -> None:
    # A pandas frame in another order of its labels: a polars column has no labels to obey.
    shuffled = CLIPS.sample(frac=1, random_state=1)
    subjects = pl.from_pandas(shuffled["subject"])
    found = px.compare_models(
        shuffled, truth="truth", predictions=["model0"], cluster=subjects, n_boot=0
    )
    same(found.tidy(), px.compare_models(
        shuffled, truth="truth", predictions=["model0"], cluster="subject", n_boot=0
    ).tidy())  # fmt: skip


def test_every_public_function_that_takes_tables_is_here() -> None:
    taken = {name.partition(" ")[0].rstrip(",") for name in FUNCTIONS} | {
        "split_subjects", "subject_folds", "learning_figure", "extract_features", "Schedule",
        # tests/behavior/test_tracks.py
        "read_tracks", "describe_tracks",
        "movement_series",
    }  # fmt: skip
    without_tables = {
        "choose_icc", "contact_sheet", "d_study", "describe_openface", "describe_video", "doctor",
        "icc_interval", "read_openface", "reproduce_paper", "simulate_study", "study_report",
        # Of videos: tests/behavior/test_video.py.
        "read_video_clips",
        # Of videos, too: tests/behavior/test_tracking.py.
        "track_provenance", "track_videos",
        # Of a saved result, and of a study's files.
        "load", "join", "check_study", "init_study", "sensitivity",
    }  # fmt: skip
    functions = {name for name in px.__all__ if name[0].islower() and callable(getattr(px, name))}
    assert functions - without_tables <= taken


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"s": [1, 1, 2, 2]}),
        pl.DataFrame({"s": [1, 1, 2, 2]}),
        pl.LazyFrame({"s": [1, 1, 2, 2]}),
        np.ones((4, 2)),
    ],
    ids=["pandas", "polars", "lazy", "array"],
)
def test_a_table_where_one_column_is_wanted_is_refused_in_a_sentence(table):
    X, y = pd.DataFrame({"x": [1.0, 2.0, 4.0, 3.0]}), [1.0, 2.0, 3.0, 5.0]
    calls = (
        lambda: px.split_subjects(table),
        lambda: px.subject_folds(table, 2),
        lambda: px.split_subjects([1, 2, 3, 4], context=table),
        lambda: px.split_subjects([1, 2, 3, 4]).part(table),
        lambda: px.ElasticNetRegressor().fit(X, y, groups=table),
        lambda: px.ContextualRegressor(context="c").fit(X.assign(c="a"), y, groups=table),
    )
    for call in calls:
        with pytest.raises(px.errors.DataError, match=r"must be one column, not an? "):
            call()
