"""Signals of expression as features: their names, numbers, units, and what is said without them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from behavior.tracks_tables import EMOTIONS, binned, moving, py_feat, written

from pyexpr.base.errors import DataError, StudyError
from pyexpr.behavior.features.features import extract_features
from pyexpr.behavior.features.options import EXPRESSION_FAMILIES
from pyexpr.behavior.features.series import movement_series
from pyexpr.study.stages.computations import features_output
from pyexpr.study.tables.signals import with_signals

N, FPS = 150, 25.0
BLEND = """
time.column = "t"
[blendshapes]
columns = "blend_*"
unit = "0 to 1"
[points]
x = "x{}"
y = "y{}"
unit = "UNIT"
"""


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """A table of py-feat's, two clips of 3 s; the second has one emotion in few frames only."""
    table = py_feat(moving(68, N))
    table.loc[85:, "fear"] = np.nan
    return written(table, tmp_path / "faces.csv")


def features(source: Any, *extra: str, **options: Any) -> Any:
    usual = {"every": 3, "layout": "py-feat", "fps": FPS, "progress": False}
    return extract_features(source, extra=extra, **(usual | options))


def blendshapes(folder: Path, unit: str = "px") -> tuple[Path, str]:
    rng = np.random.default_rng(4)
    layout = folder / f"{unit}.toml"
    layout.write_text(BLEND.replace("UNIT", unit))
    columns = {"t": np.arange(N) / FPS, "blend_jawOpen": rng.random(N), "blend_eyeBlink": 0.5}
    columns |= {f"{axis}{k}": rng.random(N) for axis in "xy" for k in range(3)}
    return written(pd.DataFrame(columns), folder / f"{unit}.csv"), str(layout)


def test_numbers(faces: Path) -> None:
    found = features(faces, *EXPRESSION_FAMILIES)
    table = pd.read_csv(faces)
    for clip, rows in enumerate((slice(0, 75), slice(75, 150))):
        for column, name in (("AU12", "score_AU12"), ("neutral", "emotion_neutral")):
            values = table[column].to_numpy()[rows]
            row = found.table.iloc[clip]
            np.testing.assert_allclose(row[name], values.mean(), rtol=1e-12)
            np.testing.assert_allclose(row[f"{name}_sd"], values.std(ddof=1), rtol=1e-12)
            speed = np.abs(np.diff(binned(values))).mean() * 5
            np.testing.assert_allclose(row[f"{name}_speed"], speed, rtol=1e-12)
    # Those of all clips are the means that were there before.
    np.testing.assert_allclose(found.table["score_AU12"], found.means["score_AU12"], rtol=1e-12)
    units = found.units()
    assert units["score_AU12"] == units["score_AU12_sd"] == "probability"
    assert units["emotion_fear_speed"] == "per second"
    assert list(units)[14:16] == ["score_AU01", "score_AU02"]
    assert found.options["expressions"][-1] == f"emotion_{EMOTIONS[-1]}"


def test_what_rests_on_too_little_is_missing_with_its_reason(faces: Path) -> None:
    found = features(faces, *EXPRESSION_FAMILIES, expressions="emotion_fear")
    row = found.table.iloc[1]
    assert row[["emotion_fear", "emotion_fear_sd", "emotion_fear_speed"]].isna().all()
    assert "expression_means: 'emotion_fear' known in fewer than 38 of 75 frames" in row["reason"]
    assert "expression_dynamics: 'emotion_fear' known in fewer than 3 steps" in row["reason"]
    assert found.table.iloc[0]["emotion_fear"] == pytest.approx(found.means["emotion_fear"][0])
    # The points of the clip have features all the same.
    assert np.isfinite(row["points_displacement"])


def test_names_come_from_the_layouts(tmp_path: Path, faces: Path) -> None:
    path, layout = blendshapes(tmp_path)
    found = features(path, "expression_means", layout=layout, fps=None)
    assert list(found.units())[14:16] == ["blendshape_jawOpen", "blendshape_eyeBlink"]
    assert found.units()["blendshape_jawOpen"] == "0 to 1"
    np.testing.assert_allclose(found.table["blendshape_eyeBlink"], 0.5)
    one = features(path, "expression_variability", layout=layout, expressions="blendshape_jawOpen")
    assert list(one.units())[14:15] == ["blendshape_jawOpen_sd"]
    # Of two layouts each has its own; what a file has not is missing, and said.
    table = pd.DataFrame({"subject": [1, 2], "context": "talk", "openface": [path, faces]}).assign(
        layout=[layout, "py-feat"]
    )
    both = features(table, "expression_means", layout=None, on_mixed="keep").table
    assert both["blendshape_jawOpen"].notna().tolist() == [True, True, False, False]
    assert both["emotion_anger"].notna().tolist() == [False, False, True, True]
    assert "expression_means: the file has no 'blendshape_jawOpen', " in both["reason"].iloc[-1]


def test_intensities_of_openface(tmp_path: Path) -> None:
    lines = ["frame,timestamp,confidence,success,AU01_r,AU12_r,AU01_c,AU12_c"]
    lines += [f"{k + 1},{k / 25:.2f},0.98,1,{k % 5},{1 + k % 2},1,0" for k in range(75)]
    path = tmp_path / "s01.csv"
    path.write_text("\n".join(lines) + "\n")
    found = features(path, "expression_means", layout=None, fps=None)
    assert found.table[["intensity_AU01", "intensity_AU12"]].round(9).values.tolist() == [
        [2.0, round(37 / 75 + 1, 9)]
    ]
    assert found.units()["intensity_AU12"] == "0 to 5"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"expressions": "jawOpen"}, "names no signal of expression; name a group"),
        ({"expressions": "emotion_feer"}, "which no recording has; did you mean 'emotion_fear'"),
        ({"expressions": "blendshapes"}, "'blendshapes', which no recording has"),
        ({"expressions": "emotions", "extra": "entropy"}, "need one of these in extra="),
    ],
)
def test_what_cannot_be_is_refused(faces: Path, options: dict[str, Any], message: str) -> None:
    usual = {"extra": "expression_means", "every": 3, "layout": "py-feat", "fps": FPS}
    with pytest.raises(DataError, match=message):
        extract_features(faces, **(usual | options), progress=False)


def test_no_signal_at_all(tmp_path: Path) -> None:
    path = tmp_path / "s01.csv"
    path.write_text("frame,timestamp,success,gaze_angle_x,gaze_angle_y\n1,0.00,1,0,0\n")
    with pytest.raises(DataError, match="extra='expression_means' needs signals of expression"):
        features(path, "expression_means", layout=None)


def test_a_study_of_another_tracker_counts_its_clips(faces: Path) -> None:
    # Means are no columns of the table of features, unless they are requested.
    for extra in ((), ("expression_means",)):
        found = features_output(features(faces, *extra))
        assert found.facts["clips without features"] == 0


def test_a_study_has_the_names_of_its_recordings(tmp_path: Path, faces: Path) -> None:
    recordings = pd.DataFrame({"subject": ["a", "b"], "context": "talk", "openface": "faces.csv"})
    recordings.assign(face=["0", "1"]).to_csv(tmp_path / "recordings.csv", index=False)
    section = {"layout": "py-feat", "extra": ["expression_means"]}
    raw = {"features": section, "clips": {"schedule": "bp4d_plus"}}
    found = with_signals(raw, tmp_path)["features"]
    assert found["expressions"][:2] == ["score_AU01", "score_AU02"]
    assert len(found["expressions"]) == 20 + len(EMOTIONS)
    some = with_signals(raw | {"features": {**section, "expressions": "emotions"}}, tmp_path)
    assert some["features"]["expressions"] == [f"emotion_{name}" for name in EMOTIONS]
    with pytest.raises(StudyError, match=r"\[features\] expressions= has 'emotion_fair'"):
        with_signals(raw | {"features": {**section, "expressions": ["emotion_fair"]}}, tmp_path)
    # What cannot be read is said by the run.
    for other in ({"features": {"extra": ["regions"]}}, {"features": {**section, "rate": -1}}):
        assert with_signals(other, tmp_path) is other


def test_series_of_any_layout(tmp_path: Path, faces: Path) -> None:
    path, layout = blendshapes(tmp_path)
    series = movement_series(path, layout=layout, progress=False)
    values = pd.read_csv(path)["blend_jawOpen"].to_numpy()
    np.testing.assert_allclose(series.table["blendshape_jawOpen"], binned(values), rtol=1e-12)
    units = series.units()
    assert (units["blendshape_jawOpen"], units["points_displacement"]) == ("0 to 1", "px per step")
    other, shares = blendshapes(tmp_path, "share")
    table = pd.DataFrame({"subject": [1, 2], "context": "talk", "openface": [path, other]}).assign(
        layout=[layout, shares]
    )
    with pytest.raises(DataError, match=r"share.csv' has landmarks_2d in image share, .* in px"):
        movement_series(table, progress=False)
