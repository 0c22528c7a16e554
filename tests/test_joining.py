"""Parts of an analysis that were computed in several calls are, joined, the result of one call."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pyexpr as px
from pyexpr.base.errors import DataError
from pyexpr.base.saved import pack, unpack
from pyexpr.hosted.interface import verbs
from pyexpr.resampling import result as replicated

RNG = np.random.default_rng(11)
N = 144
FACTOR = RNG.normal(size=N)
TABLE = pd.DataFrame({f"x{i}": FACTOR + RNG.normal(size=N) for i in range(4)})
TABLE["subject"], TABLE["context"] = np.arange(N) // 6, np.where(np.arange(N) % 2, "a", "b")
# Contexts of other subjects: their differences have draws of their own.
UNEQUAL = TABLE[~((TABLE["subject"] > 20) & (TABLE["context"] == "a"))]


def mean(rows: pd.DataFrame, weights: Any) -> dict[str, float]:
    value = float(np.average(rows["x0"], weights=weights))
    return {"mean": value, "sometimes": value if weights[0] else np.nan}


CALLS: dict[str, Callable[..., Any]] = {
    "compare_models": lambda **options: px.compare_models(
        TABLE, truth="x0", predictions=["x1", "x2"], cluster="subject", context="context",
        **({"method": "percentile", "metrics": ("rmse", "spearman")} | options),
    ),
    "studentized": lambda **options: px.compare_models(
        TABLE, truth="x0", predictions=["x1", "x2"], cluster="subject", metrics="correlation",
        method="studentized", **options,
    ),
    "cluster_bootstrap": lambda **options: px.cluster_bootstrap(
        TABLE, mean, cluster="subject", method="bca", **options
    ),
    "bootstrap_cfa": lambda **options: px.bootstrap_cfa(
        TABLE, {"f": ["x0", "x1", "x2"]}, cluster="subject", context="context",
        method="percentile", **options,
    ),
    "context_coefficients": lambda **options: px.context_coefficients(
        UNEQUAL[["x1", "x2", "subject", "context"]], UNEQUAL["x0"], context="context",
        cluster="subject", alpha=0.1, l1_ratio=0.5, **options,
    ),
}  # fmt: skip


OPTIONS = {"seed": 5, "confidence": 0.9}


def part(name: str, first: int, n: int, **options: Any) -> Any:
    return CALLS[name](first_replicate=first, n_boot=n, **{**OPTIONS, "n_threads": 1} | options)


@cache
def whole(name: str) -> Any:
    return part(name, 0, 65)


# Of so few replicates of so few subjects.
@pytest.mark.filterwarnings("ignore:.*(undefined in|no solution)")
@pytest.mark.parametrize("name", CALLS)
def test_ranges_joined_are_one_call_to_the_last_bit(name: str) -> None:
    # Given in another order; from another thread count; through a file and a pickle.
    threads = {} if name == "cluster_bootstrap" else {"n_threads": 2}
    parts = [part(name, 45, 20, **threads), part(name, 0, 20), part(name, 20, 25)]
    assert parts[0].provenance()["first_replicate"] == 45
    assert [note.code for note in parts[0].notes()][-1] == "range_of_replicates"
    sent = [unpack(pack(parts[0])), parts[1], pickle.loads(pickle.dumps(parts[2]))]
    found = px.join(sent)
    assert pack(found) == pack(whole(name))
    assert str(found) == str(whole(name))
    assert found.to_dict() == whole(name).to_dict()
    # What follows a range goes on from its end; two ranges without the first are a range.
    assert pack(parts[1].extend(45)) == pack(whole(name))
    later = px.join([parts[0], parts[2]])
    assert (later.first_replicate, later.n_boot) == (20, 45)
    assert pack(px.join([later, parts[1]])) == pack(whole(name))


def test_a_range_keeps_its_replicates_in_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever joins the parts need not draw them again."""
    monkeypatch.setattr(replicated, "_KEPT", 0)
    later = pack(part("compare_models", 20, 30))
    monkeypatch.setattr(replicated.DrawnAgain, "of", None)
    assert unpack(later).replicates.tobytes() == whole("compare_models").replicates[20:50].tobytes()


@pytest.mark.parametrize(
    ("ranges", "sentence"),
    [
        ([(0, 60), (50, 60)], "the replicates 50 to 59: one has 0 to 59, the other 50 to 109"),
        ([(0, 60), (0, 60)], "the replicates 0 to 59: one has 0 to 59, the other 0 to 59"),
        (
            [(0, 60), (100, 60)],
            "the replicates 60 to 99 are missing between the results with 0 to 59 and 100 to 159; "
            "compute them with first_replicate=60 and n_boot=40",
        ),
    ],
)
def test_each_replicate_is_there_once(ranges: list[tuple[int, int]], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        px.join(part("compare_models", *one) for one in ranges)


def others() -> dict[str, tuple[Any, str]]:
    """Return what does not follow the first 65 replicates of a comparison, and why."""
    compare = CALLS["compare_models"]
    follows = {"first_replicate": 65, "n_boot": 60}
    return {
        "seed": (compare(**OPTIONS | {"seed": 6}, **follows), "the same seed=, not 5 and 6"),
        "confidence": (
            compare(seed=5, confidence=0.8, **follows), "the same confidence=, not 0.9 and 0.8"
        ),
        "method": (
            compare(**OPTIONS, method="basic", **follows),
            "the same method=, not 'percentile' and 'basic'",
        ),
        "option": (compare(**OPTIONS, ratio=True, **follows), "these are of different data"),
        "data": (
            px.compare_models(
                TABLE.assign(x1=TABLE["x1"] + 1e-12), truth="x0", predictions=["x1", "x2"],
                cluster="subject", context="context", metrics=("rmse", "spearman"),
                method="percentile", **OPTIONS, **follows,
            ),
            "these are of different data",
        ),
        "function": (whole("cluster_bootstrap"), "there are ComparisonResult and BootstrapResult"),
    }  # fmt: skip


def test_parts_are_of_one_analysis() -> None:
    for other, sentence in others().values():
        with pytest.raises(DataError, match=sentence):
            px.join([whole("compare_models"), other])
    with pytest.raises(DataError, match="of different data or options"):
        px.join([whole("context_coefficients"), part("context_coefficients", 65, 9, cr="CR1")])
    with pytest.raises(DataError, match="the same intercepts=, not 'context' and 'common'"):
        px.join(
            [whole("context_coefficients"),
             part("context_coefficients", 65, 9, intercepts="common")]
        )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([], "was given no result"),
        ([3], r"join\(\) takes results of cluster_bootstrap\(\), .*, not int"),
        ([pd.DataFrame()], r"join\(\) takes results .*, not DataFrame"),
    ],
)
def test_what_is_no_result_is_refused(given: list[Any], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        px.join(given)
    with pytest.raises(DataError, match="several results, such as a list of them, not one"):
        px.join(whole("compare_models"))
    for first in (-1, 1.5, True, "0", 2**31):
        with pytest.raises(DataError, match=r"^first_replicate= must be"):
            part("compare_models", first, 60)


def test_r_joins_results_by_their_keys() -> None:
    tidy = whole("compare_models").tidy()
    keys = [verbs.keep(part("compare_models", *one)) for one in ((45, 20), (0, 45))]
    found = verbs.do_join(keys)
    pd.testing.assert_frame_equal(found["tables"]["tidy"], tidy, check_exact=True)
    assert "contexts" not in found
    key = verbs.keep(part("context_coefficients", 0, 5))
    assert verbs.do_join([key])["contexts"] == ["a", "b", "all"]


# --- recordings ---------------------------------------------------------------------------------

HEADER = "frame,timestamp,confidence,success,pose_Tx,pose_Ty,pose_Tz,AU12_r,AU12_c\n"


def write(
    folder: Path, subject: int, context: str, *, header: str = HEADER, bad: bool = False
) -> str:
    path = folder / f"{subject}_{context}.csv"
    with path.open("w") as file:
        file.write("nothing" if bad else header)
        for k in range(0 if bad else 80 + 5 * subject):
            speed = subject + (context == "pain")
            file.write(f"{k + 1},{k / 25:.2f},0.98,1,{speed * k % 17:.1f},0,500,{k % 5},{k % 2}\n")
    return str(path)


@pytest.fixture
def manifest(tmp_path: Path) -> pd.DataFrame:
    rows = [
        (subject, context, write(tmp_path, subject, context, bad=(subject, context) == (3, "pain")))
        for context in ("joy", "pain")
        for subject in (1, 2, 3)
    ]
    return pd.DataFrame(rows, columns=["subject", "context", "openface"])


@pytest.mark.parametrize("baseline", [None, "all"])
def test_recordings_of_several_calls_are_those_of_one(
    manifest: pd.DataFrame, baseline: str | None
) -> None:
    options: dict[str, Any] = {"every": 1.5, "on_error": "skip", "baseline": baseline, "n_jobs": 1}
    once = px.extract_features(manifest, **options)
    # The last recording alone is none that can be used.
    cut = [slice(0, 2), slice(2, 5), slice(5, 6)]
    found = px.join(px.extract_features(manifest[rows], **options) for rows in cut)
    for name in ("table", "quality", "recordings", "dropped", "means"):
        pd.testing.assert_frame_equal(getattr(found, name), getattr(once, name), check_exact=True)
    assert pack(found) == pack(once)
    assert len(found.dropped) == 1
    assert found.notes() == once.notes()


def test_recordings_that_one_call_would_refuse_are_not_joined(
    manifest: pd.DataFrame, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"every": 1.5, "n_jobs": 1}
    first = px.extract_features(manifest[:2], **options)
    with pytest.raises(DataError, match="subject 1 in context 'joy' is in two of the results"):
        px.join([first, px.extract_features(manifest[:1], **options)])
    with pytest.raises(DataError, match=r"computed with the same rate=, not 5\.0 and 2\.0"):
        px.join([first, px.extract_features(manifest[2:3], rate=2.0, **options)])
    other = write(tmp_path, 9, "joy", header=HEADER.replace("AU12", "AU15"))
    mixed = pd.DataFrame({"subject": [9], "context": ["joy"], "openface": [other]})
    with pytest.raises(
        DataError, match=r"9_joy.csv' and .*1_joy.csv' differ in their action units"
    ):
        px.join([first, px.extract_features(mixed, **options)])


def test_recordings_of_other_schedules_or_units_are_not_joined(
    manifest: pd.DataFrame, tmp_path: Path
) -> None:
    schedule = pd.DataFrame({"context": ["joy", "pain"], "start": 0.0, "end": [1.5, 2.0]})
    own: dict[str, Any] = {"n_jobs": 1}
    usable = manifest[:5]
    whole = px.extract_features(usable, schedule=schedule, **own)
    # Each call need not know the contexts of the other.
    parts = [
        px.extract_features(usable[usable["context"] == context], schedule=rows, **own)
        for context, rows in schedule.groupby("context")
    ]
    assert pack(px.join(parts)) == pack(whole)
    later = px.extract_features(usable[4:], schedule=schedule.assign(end=[1.5, 2.2]), **own)
    first = px.extract_features(usable[:4], schedule=schedule, **own)
    with pytest.raises(DataError, match=r"the same schedule, but two .* for context 'pain'"):
        px.join([first, later])
    results, paths = [], []
    for unit in ("0 to 1", "0 to 100"):
        layout = tmp_path / f"{unit}.toml"
        layout.write_text(
            f"time.column = 't'\nblendshapes = {{ columns = ['jaw'], unit = '{unit}' }}\n"
        )
        path = tmp_path / f"{unit}.csv"
        pd.DataFrame({"t": np.arange(60) / 25, "jaw": 0.5}).to_csv(path, index=False)
        paths.append((unit, "joy", str(path), str(layout)))
        table = pd.DataFrame(paths[-1:], columns=["subject", "context", "openface", "layout"])
        results.append(px.extract_features(table, every=1.0, **own))
    with pytest.raises(DataError, match=r"'blendshape.*' is in '0 to 100' .* and in '0 to 1'"):
        px.join(results)
    both = pd.DataFrame(paths, columns=["subject", "context", "openface", "layout"])
    with pytest.raises(DataError, match=r"has 'blendshape_jaw' in the unit '0 to 100', .*'0 to 1'"):
        px.extract_features(both, every=1.0, **own)
    kept = px.extract_features(both, every=1.0, on_mixed="keep", **own)
    assert "not comparable" in kept.recordings["notes"][1]
