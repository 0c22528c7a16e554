"""Rows of a file go to their frames in the memory that they were read into."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from behavior.openface_files import POSE, TIME, Layout, rows, text
from numpy.typing import NDArray

from pyexpr.behavior.openface import clock as clock_module
from pyexpr.behavior.openface import rows as rows_module
from pyexpr.behavior.openface.middles import middles
from pyexpr.behavior.openface.recording import OpenFaceRecording, read_openface

LAYOUT = Layout(["frame", *TIME, *POSE])
HEAD, *BODY = text(LAYOUT, rows(LAYOUT, 60)).splitlines()
RNG = np.random.default_rng(5)


def without(some: list[int]) -> list[str]:
    return [row for n, row in enumerate(BODY) if n not in some]


ORDERS: dict[str, list[str]] = {
    "as written": BODY,
    "gaps": without([3, 4, 5, 20, 41]),
    "a late start": BODY[9:],
    "more gaps than rows": BODY[:2] + BODY[-9:],
    "doubled": [row for n, row in enumerate(BODY) for _ in range(1 + (n % 9 == 2))],
    "doubled, and gaps": [
        row for n, row in enumerate(BODY) for _ in range(1 + (n % 9 == 2)) if n % 13 != 5
    ],
    "in disorder": [BODY[n] for n in (*range(10), 12, 10, 11, *range(13, 60))],
    "in disorder, with gaps": [BODY[n] for n in (*range(10), 14, 10, 11, *range(17, 60))],
}


def read(path: Path, body: list[str]) -> OpenFaceRecording:
    path.write_text("\n".join([HEAD, *body, ""]))
    return read_openface(path, groups=["pose_translation"], fps=25, clock="frames")


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("block", [1, 7, 4096])
def test_each_frame_has_the_values_of_its_row(
    order: str, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_module, "_BLOCK", block)
    recording = read(tmp_path / "a.csv", ORDERS[order])
    expected = np.full((60, 3), np.nan)
    at = [HEAD.split(",").index(name) for name in POSE[:3]]
    for row in ORDERS[order]:
        fields = row.split(",")
        expected[int(fields[0]) - 1] = [float(fields[n]) for n in at]
    np.testing.assert_array_equal(recording.groups["pose_translation"], expected)
    assert recording.groups["pose_translation"].flags.c_contiguous


@pytest.mark.parametrize("dropped", [(), (7, 8, 30)])
def test_reading_off_goes_by_blocks(
    dropped: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = HEAD.split(",").index("timestamp")
    body = []
    for n, row in enumerate(BODY):
        fields = row.split(",")
        # A second that nobody saw, in the middle.
        uneven = n / 25 + 0.012 * np.sin(n) + (n >= 30)
        fields[at] = f"{n / 25:.3f}" if dropped else f"{uneven:.3f}"
        if n not in dropped:
            fields[0] = str(len(body) + 1) if dropped else fields[0]
            body.append(",".join(fields))
    path = tmp_path / "a.csv"
    path.write_text("\n".join([HEAD, *body, ""]))
    found = []
    for block in (4096, 5):
        monkeypatch.setattr(clock_module, "_BLOCK", block)
        found.append(read_openface(path, groups=["pose_translation", "pose_rotation"]))
    assert found[0].fps_source == ("timestamps" if dropped else "resampled")
    for group, values in found[0].groups.items():
        np.testing.assert_array_equal(found[1].groups[group], values)
        assert 0 < np.isfinite(values).all(axis=1).mean() < 1


def strided(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.repeat(points, 2, axis=1)[:, ::2]


@pytest.mark.parametrize("shape", [(3000, 68, 2), (5, 68, 3), (0, 68, 2), (4, 1, 2)])
@pytest.mark.parametrize("laid_out", [np.ascontiguousarray, strided])
def test_middles_are_numpys_means_to_the_bit(
    shape: tuple[int, int, int], laid_out: Callable[..., NDArray[np.float64]]
) -> None:
    points = RNG.normal(300, 1e3, shape) * 10.0 ** RNG.integers(-3, 9, shape)
    points[RNG.random(shape) < 0.001] = np.nan
    points[RNG.random(shape) < 0.0005] = np.inf
    points = laid_out(points)
    with np.errstate(invalid="ignore"):
        expected = points.mean(axis=1)
        found = middles(points)
    np.testing.assert_array_equal(found, expected)
