"""Every result goes on after it was saved: in another process, with the same numbers to the bit."""

from __future__ import annotations

import inspect
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

import pyexpr as px
from pyexpr.base.errors import DataError, SavedResultError
from pyexpr.base.messages import Message
from pyexpr.base.results import Result
from pyexpr.base.saved import pack, unpack
from pyexpr.base.saved_classes import name_of
from pyexpr.diagnosis import DoctorResult
from pyexpr.hosted.voice import in_r
from pyexpr.resampling import result as replicated
from pyexpr.words.reader import readers_reason

INDICATORS = ["response", "emotion", "motion"]
MODEL = {"expressiveness": INDICATORS}
# Their results are files of their own, or facts of this machine.
NOT_SAVED = {
    "CheckResult", "InitResult", "OutcomesResult", "PaperResult", "StudyResult", "VideoClips",
    "TrackedVideos",
}  # fmt: skip


def mean(rows: pd.DataFrame, weights: Any) -> dict[str, float]:
    return {"mean": float(np.average(rows["y"], weights=weights))}


@cache
def table() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    n, factor = 360, rng.normal(size=360)
    # Labels of two kinds: whole numbers, and categories.
    frame = pd.DataFrame({"subject": np.repeat(np.arange(30) + 100, 12)})
    frame["task"] = pd.Categorical(np.tile(["pain", "joy", "fear"], n // 3))
    for name, noise in (("y", 1.0), ("p", 1.0), ("q", 2.0)):
        frame[name] = factor + noise * rng.normal(size=n)
    for name in INDICATORS:
        frame[name] = factor + 0.7 * rng.normal(size=n)
    frame["clip"] = np.arange(n)
    return frame


@cache
def ratings() -> pd.DataFrame:
    return table().melt(["subject", "task", "clip"], INDICATORS, "rater", "score")


def compared() -> Any:
    return px.compare_models(
        table(), truth="y", predictions=["p", "q"], cluster="subject", context="task",
        metrics=("rmse", "correlation"), ratio=True, n_boot=200, seed=3,
    )  # fmt: skip


def after_comparison(found: Any) -> list[Any]:
    return [
        found.interval(method="bca", confidence=0.9), found.interval(method="studentized"),
        found.extend(50), found.adjust("max_t"), found.sign_flip(n_flips=99), found.influence(),
        found.replicates,
    ]  # fmt: skip


def after_cfa(found: Any) -> list[Any]:
    # Fewer rows than it was fitted to.
    return [found.scores(), found.scores(table()[:20]), found.reliability(), found.standardized()]


# What makes a result, and what can be done with it later.
CASES: dict[str, tuple[Callable[[], Any], Callable[[Any], list[Any]]]] = {
    "comparison": (compared, after_comparison),
    "sign flips": (lambda: compared().sign_flip(n_flips=99), lambda found: []),
    "bootstrap": (
        lambda: px.cluster_bootstrap(table(), mean, cluster="subject", n_boot=99),
        lambda found: [found.interval(method="bca"), found.extend(20), found.influence()],
    ),
    "coefficients": (
        lambda: px.context_coefficients(
            table()[["p", "q", "subject", "task"]], table()["y"], context="task",
            cluster="subject", n_boot=30,
        ),
        lambda found: [
            found.adjust("holm"), found.contrasts(), found.wild(n_boot=99), found.replicates("all"),
        ],
    ),
    "desparsified": (
        lambda: px.context_coefficients(
            table()[["p", "q", "subject", "task"]], table()["y"], context="task",
            cluster="subject", n_boot=10, tests="desparsified",
        ),
        lambda found: [found.adjust("holm"), found.contrasts()],
    ),
    "cfa": (lambda: px.cfa(table(), MODEL, context="task", engine="native"), after_cfa),
    "bootstrap_cfa": (
        lambda: px.bootstrap_cfa(table(), MODEL, cluster="subject", n_boot=99),
        lambda found: [found.interval(method="percentile", confidence=0.9), found.extend(20)],
    ),
    "invariance": (
        lambda: px.invariance(table(), MODEL, context="task", cluster="subject", engine="native"),
        lambda found: [found.contrasts(), found.estimates(), found.glance()],
    ),
    "icc": (
        lambda: px.icc(
            ratings(), targets="clip", raters="rater", ratings="score", context="task",
            cluster="subject",
        ),
        lambda found: [px.d_study(found, raters=[1, 4]), found.counts(), found.mean_reliability()],
    ),
    "agreement": (
        lambda: px.agreement(
            ratings().round({"score": 0}), targets="clip", raters="rater", ratings="score",
            context="task", cluster="subject", level="ordinal",
        ),
        lambda found: [found.counts(), found.by_category()],
    ),
    "rating_ceiling": (
        lambda: px.rating_ceiling(
            table().assign(y=table()[INDICATORS].mean(axis=1)), ratings(), truth="y",
            predictions="p", targets=["subject", "task", "clip"], cluster="subject",
            ratings="score", raters="rater", form="ICC(C,k)", context="task", n_boot=60,
        ),
        lambda found: [found.interval(method="basic"), found.extend(10), found.influence()],
    ),
    "bootstrap_chain": (
        lambda: px.bootstrap_chain(
            table(), ratings(), features=["p", "q"], targets=["subject", "task", "clip"],
            cluster="subject", context="task", ratings="score", question="rater", metrics="rmse",
            models={"net": px.ElasticNetRegressor(alpha=0.1, l1_ratio=0.5)}, n_boot=60,
        ),
        lambda found: [found.interval(method="percentile"), found.replicates],
    ),
    "feature_importance": (
        lambda: px.feature_importance(
            Ridge().fit(table()[["p", "q"]], table()["y"]), table(), label="y",
            features=["p", "q"], cluster="subject", context="task", adjust="holm",
        ),
        lambda found: [
            found.interval(confidence=0.9), found.influence(), found.contrasts(),
            found.contrasts(between="features"), found.adjust("max_t"),
        ],
    ),
    "pooled_coefficients": (
        lambda: px.pooled_coefficients(
            table()[["p", "q", "subject"]], table()["y"],
            context=table()["clip"].to_numpy() % 3, cluster="subject",
        ),
        lambda found: [
            found.interval(confidence=0.9), found.contrasts(), found.variation(),
            found.variances(),
        ],
    ),
    "person_slopes": (
        lambda: px.person_slopes(table(), score="y", signal="p", cluster="subject"),
        lambda found: [found.interval(confidence=0.9), found.reliability()],
    ),
    "variance_components": (
        lambda: px.variance_components(
            ratings(), ratings="score", facets=["clip", "rater"], context="task"
        ),
        lambda found: [found.counts(), found.d_study({"rater": [2, 4]})],
    ),
    "design_study": (
        lambda: px.variance_components(
            ratings(), ratings="score", facets=["clip", "rater"], context="task"
        ).d_study({"rater": [2, 4]}, target=0.8),
        lambda found: [found.cheapest()],
    ),
    "multilevel_icc": (
        lambda: px.multilevel_icc(
            ratings(), targets="clip", raters="rater", ratings="score", cluster="subject",
            context="task",
        ),
        lambda found: [found.counts(), found.components()],
    ),
    "plan_study": (
        lambda: px.plan_study(
            reliability=0.5, form="ICC(1,k)", n_subjects=[10, 20], n_raters=3, n_studies=20,
            published={"subject": 1.0, "residual": 1.0, "low": 0.4, "high": 0.6},
        ),
        lambda found: [found.required(power=0.7)],
    ),
    "icc_interval": (lambda: px.icc_interval(0.8, n_targets=20, k=3), lambda found: []),
    "models": (
        lambda: px.fit_models(
            table(), label="y", features=["p", "q"], cluster="subject", context="task",
            clip="clip", repeats=2, models={"net": px.ElasticNetRegressor(alpha=0.1, l1_ratio=1)},
        ),
        lambda found: [
            found.compare(n_boot=50), found.over_repeats(), found.weights(), found.predictions,
            found.tuning, found.folds, found.left_out, found.warned, found.constant,
        ],
    ),
    "split": (lambda: px.split_subjects(table()["subject"], seed=1), lambda found: []),
}  # fmt: skip


@cache
def made(name: str) -> Any:
    return CASES[name][0]()


def shown(value: Any) -> str:
    """Return what a result or a table says, every bit of its numbers with it."""
    if isinstance(value, Result):
        return f"{value}\n{value.to_dict()}\n{shown(value.tidy())}"
    if isinstance(value, pd.DataFrame):
        return value.to_csv() + repr([np.asarray(value[column]).tolist() for column in value])
    return repr(np.asarray(value).tolist())


def outcomes(name: str, result: Any) -> str:
    return "\n".join(shown(value) for value in [result, *CASES[name][1](result)])


def in_another_process(code: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True,
        check=False, env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


CHILD = """
import pickle, sys
from pathlib import Path
import pyexpr as px
import test_saved_results as these
folder = Path(sys.argv[1])
for name in these.CASES:
    (folder / f"{name}.pickled").write_text(
        these.outcomes(name, pickle.loads((folder / f"{name}.pickle").read_bytes())))
    saved = px.load(folder / f"{name}.pyexpr")
    if name != "bootstrap":
        (folder / f"{name}.saved").write_text(these.outcomes(name, saved))
"""


def test_results_go_on_in_another_process(tmp_path: Path) -> None:
    for name in CASES:
        (tmp_path / f"{name}.pickle").write_bytes(pickle.dumps(made(name)))
        made(name).save(tmp_path / f"{name}.pyexpr")
    in_another_process(CHILD, tmp_path)
    for name in CASES:
        wanted = outcomes(name, made(name))
        assert (tmp_path / f"{name}.pickled").read_text() == wanted, name
        if name != "bootstrap":
            assert (tmp_path / f"{name}.saved").read_text() == wanted, name


def all_output(result: Any) -> list[Any]:
    return [*result.notes(), *(text for text in result.tidy().get("reason", ()) if text)]


@pytest.mark.parametrize("name", CASES)
def test_a_loaded_result_says_the_same_in_every_voice(name: str) -> None:
    before, after = (all_output(one) for one in (made(name), unpack(pack(made(name)))))
    assert all(isinstance(text, Message) and text.codes for text in before)
    assert [text.codes for text in after] == [text.codes for text in before]
    for voice in (in_r, readers_reason):
        assert [voice(text) for text in after] == [voice(text) for text in before]


@pytest.mark.parametrize("name", ["comparison", "icc"])
def test_a_saved_result_has_a_picture(name: str) -> None:
    figure = unpack(pack(made(name))).plot()
    assert [axis.get_title() for axis in figure.axes] == [
        axis.get_title() for axis in made(name).plot().axes
    ]


def test_every_result_can_be_saved_or_says_why_not() -> None:
    public = [getattr(px, name) for name in px.__all__ if name != "deep"]
    results = [one for one in public if inspect.isclass(one) and issubclass(one, Result)]
    assert {one.__name__ for one in results if name_of(one) is None} == NOT_SAVED
    with pytest.raises(SavedResultError, match="a DoctorResult cannot be saved; to_dict"):
        DoctorResult(()).save("nowhere")


# --- replicates that are drawn again ------------------------------------------------------------


def test_many_replicates_are_drawn_again_and_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    result = compared().extend(300)
    whole = pack(result)
    monkeypatch.setattr(replicated, "_KEPT", 1000)
    small = pack(result)
    assert len(small) < len(whole) - result.evidence.replicates.nbytes + 1000
    again = unpack(small)
    assert again.replicates.tobytes() == result.replicates.tobytes()
    assert outcomes("comparison", again) == outcomes("comparison", result)
    # The statistic of a user may take long: its replicates are kept.
    boot = made("bootstrap").extend(200)
    assert unpack(pack(boot)).replicates.tobytes() == boot.replicates.tobytes()


def test_replicates_that_come_out_otherwise_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicated, "_KEPT", 1000)
    result = compared()
    other = replace(result, draws=replace(result.draws, seed=4))
    with pytest.raises(SavedResultError, match="differ from those of the saved result"):
        unpack(pack(other))


# --- functions of the user ------------------------------------------------------------------------


def test_a_file_wants_the_function_again(tmp_path: Path) -> None:
    made("bootstrap").save(tmp_path / "mean.pyexpr")
    again = px.load(tmp_path / "mean.pyexpr")
    assert (
        again.interval(method="bca").tidy().equals(made("bootstrap").interval(method="bca").tidy())
    )
    with pytest.raises(SavedResultError, match="does not contain your function 'mean'"):
        again.extend(5)
    wanted = made("bootstrap").extend(20)
    assert shown(again.extend(20, statistic=mean)) == shown(wanted)
    assert shown(again.extend(10, statistic=mean).extend(10)) == shown(wanted)

    def other(rows: Any, weights: Any) -> dict[str, float]:
        return {"mean": float(np.average(rows["p"], weights=weights))}

    with pytest.raises(DataError, match="is not the function of this result"):
        again.extend(1, statistic=other)
    with pytest.raises(DataError, match="must be a function of"):
        again.extend(1, statistic="mean")


def test_a_function_without_a_name_is_left_out_of_a_pickle() -> None:
    found = px.cluster_bootstrap(
        table(), lambda rows, weights: mean(rows, weights), cluster="subject", n_boot=9
    )
    again = pickle.loads(pickle.dumps(found))
    assert shown(again) == shown(found)
    with pytest.raises(SavedResultError, match="does not contain your function '<lambda>'"):
        again.extend(1)


def test_compiled_functions_are_handed_over_again() -> None:
    from numba import njit

    @njit
    def weighted(rows: Any, weights: Any) -> float:
        return (rows[0] * weights).sum() / weights.sum()  # type: ignore[no-any-return]

    found = px.cluster_bootstrap(
        table(), {"mean": weighted}, columns="y", cluster="subject", n_boot=50, compiled=True
    )
    for again in (unpack(pack(found)), pickle.loads(pickle.dumps(found))):
        assert shown(again) == shown(found)
        with pytest.raises(DataError, match="does not hold your compiled functions"):
            again.extend(1)
        assert shown(again.extend(5, statistic={"mean": weighted})) == shown(found.extend(5))
        with pytest.raises(DataError, match="is not the function of this result"):
            again.extend(1, statistic={"other": weighted})
