"""An OpenFace file to arrays of numbers: pyexpr beside pandas, pyarrow, polars and a plain loop.

The file has the 714 columns of OpenFace 2 and 73 s at 25 frames per second
(about 9 MB); what is wanted are the 184 columns the features need, as
landmarks (frames, 68, 2), pose, gaze and action units. One thread each, but
for the hash of the file's bytes, which only pyexpr computes, in a second one:
time is that of the processor, of both together, whatever else the machine does.
The plain loop goes over bytes in memory, knows that every field is a decimal
number, and finds no fault in any file: what reading costs at least. With the
SHA-256 of the bytes it does what pyexpr does besides.
Run it with ``python benchmarks/bench_openface.py``.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from time import process_time
from typing import Any

import numba
import numpy as np
import timing
from numpy.typing import NDArray

# Read before polars starts its threads; the others have an argument for it.
os.environ.setdefault("POLARS_MAX_THREADS", "1")

NOTE = (
    "OpenFace files: time of the processor, of all threads. Only pyexpr computes the files' "
    "SHA-256, a third of its time."
)
REPEATS = 15
FEW_REPEATS = 3
SECONDS, FPS = 73, 25
SUBJECTS = 40

AU_R = [f"AU{n:02d}_r" for n in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)]
AU_C = [f"AU{n:02d}_c" for n in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 28, 45)]
NAMES = [
    *("frame", "face_id", "timestamp", "confidence", "success"),
    *(f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"),
    *("gaze_angle_x", "gaze_angle_y"),
    *(f"eye_lmk_{axis}_{i}" for axis in "xyXYZ" for i in range(56)),
    *("pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz"),
    *(f"{axis}_{i}" for axis in "xyXYZ" for i in range(68)),
    *("p_scale", "p_rx", "p_ry", "p_rz", "p_tx", "p_ty"),
    *(f"p_{i}" for i in range(34)),
    *(*AU_R, *AU_C),
]
GROUPS = {
    "landmarks_2d": [f"{axis}_{i}" for i in range(68) for axis in "xy"],
    "pose_translation": ["pose_Tx", "pose_Ty", "pose_Tz"],
    "pose_rotation": ["pose_Rx", "pose_Ry", "pose_Rz"],
    "gaze_angle": ["gaze_angle_x", "gaze_angle_y"],
    "au_presence": AU_C,
    "au_intensity": AU_R,
}
ROW = ["frame", "face_id", "timestamp", "confidence", "success"]
NEEDED = [*ROW, *(name for names in GROUPS.values() for name in names)]
RAW = [name if name == "frame" else f" {name}" for name in NEEDED]

Arrays = dict[str, "np.ndarray[Any, Any]"]


def write_file(path: Path) -> None:
    """Write the file as OpenFace 2 prints it: its decimals, its blanks, its line ends."""
    rng = np.random.default_rng(1)
    n = SECONDS * FPS
    values = rng.normal(300, 100, (n, len(NAMES)))
    formats = []
    for position, name in enumerate(NAMES):
        if name in ("frame", "face_id", "success"):
            formats.append("%d")
        elif name == "timestamp" or name.startswith(("gaze_angle", "pose_R", "p_r")):
            formats.append("%.3f")
            values[:, position] /= 1000
        elif name.startswith(("confidence", "AU")):
            formats.append("%.2f")
            values[:, position] = rng.uniform(0, 5, n)
        elif name.startswith("gaze"):
            formats.append("%.6f")
            values[:, position] /= 1000
        elif name.startswith("pose_T"):
            # As near together as heads are from frame to frame.
            formats.append("%.1f")
            values[:, position] = rng.normal(300, 20, n)
        else:
            formats.append("%.3f" if name.startswith("p_") else "%.1f")
    for name, column in (
        ("frame", np.arange(1, n + 1)),
        ("face_id", np.zeros(n)),
        ("timestamp", np.arange(n) / FPS),
        ("confidence", np.full(n, 0.98)),
        ("success", np.ones(n)),
    ):
        values[:, NAMES.index(name)] = column
    for name in AU_C:
        values[:, NAMES.index(name)] = rng.integers(0, 2, n)
    line = ", ".join(formats)
    text = "\r\n".join([", ".join(NAMES), *(line % tuple(row) for row in values)])
    path.write_text(text + "\r\n", newline="")


def with_pyexpr(path: Path) -> Arrays:
    from pyexpr.behavior.openface.recording import read_openface

    return dict(read_openface(path).groups)


def with_pandas(path: Path) -> Arrays:
    import pandas as pd

    frame = pd.read_csv(path, usecols=RAW)
    frame.columns = frame.columns.str.strip()
    return arranged(lambda names: frame[names].to_numpy(dtype=np.float64))


def with_pyarrow(path: Path) -> Arrays:
    from pyarrow import csv

    table = csv.read_csv(
        path,
        read_options=csv.ReadOptions(use_threads=False),
        convert_options=csv.ConvertOptions(include_columns=RAW),
    ).rename_columns(NEEDED)
    return arranged(
        lambda names: np.stack(
            [table.column(name).to_numpy().astype(np.float64, copy=False) for name in names], axis=1
        )
    )


def with_polars(path: Path) -> Arrays:
    import polars as pl  # type: ignore[import-not-found, unused-ignore]

    # Blanks before numbers make polars read all columns as text unless their types are given.
    types = dict.fromkeys(RAW, pl.Float64)
    frame = pl.read_csv(path, columns=RAW, schema_overrides=types)
    frame = frame.rename(dict(zip(RAW, NEEDED, strict=True)))
    return arranged(lambda names: frame.select(names).to_numpy())


@numba.njit
def plain_loop(
    text: NDArray[np.uint8], wanted: NDArray[np.int64], values: NDArray[np.float64]
) -> None:
    """Go over the bytes once: count commas, and make numbers of the columns wanted."""
    at = 0
    while text[at] != 10:
        at += 1
    at += 1
    row, column = 0, 0
    while at < len(text):
        place = wanted[column]
        if place < 0:
            while text[at] != 44 and text[at] != 10:
                at += 1
        else:
            while text[at] == 32:
                at += 1
            negative = text[at] == 45
            at += negative
            digits, power, after = 0, 1.0, False
            while text[at] > 44:
                if text[at] == 46:
                    after = True
                else:
                    digits = 10 * digits + (text[at] - 48)
                    power *= 10.0 if after else 1.0
                at += 1
            values[row, place] = (-digits if negative else digits) / power
            while text[at] != 44 and text[at] != 10:
                at += 1
        column += 1
        if text[at] == 10:
            row, column = row + 1, 0
        at += 1


def with_plain_loop(path: Path) -> Arrays:
    text = np.fromfile(path, dtype=np.uint8)
    names = [name for group in GROUPS.values() for name in group]
    wanted = np.full(len(NAMES), -1)
    wanted[[NAMES.index(name) for name in names]] = np.arange(len(names))
    values = np.empty((SECONDS * FPS, len(names)))
    plain_loop(text, wanted, values)
    return arranged(lambda group: values[:, names.index(group[0]) : names.index(group[-1]) + 1])


def with_plain_loop_and_hash(path: Path) -> Arrays:
    hashlib.sha256(np.fromfile(path, dtype=np.uint8)).hexdigest()
    return with_plain_loop(path)


def arranged(take: Callable[[list[str]], Any]) -> Arrays:
    arrays = {group: take(names) for group, names in GROUPS.items()}
    arrays["landmarks_2d"] = arrays["landmarks_2d"].reshape(-1, 68, 2)
    return arrays


def run() -> list[dict[str, Any]]:
    """Return one row per peer: work, ours_ms, peer, peer_ms, ratio (peer's time by ours), note."""
    peers: dict[str, Callable[[Path], Arrays]] = {
        "pandas": with_pandas,
        "pyarrow": with_pyarrow,
        "a plain loop, compiled by numba": with_plain_loop,
        "that loop, and the SHA-256 of the bytes": with_plain_loop_and_hash,
    }
    if find_spec("polars"):
        peers["polars"] = with_polars
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording.csv"
        write_file(path)
        expected = with_pyexpr(path)
        for name, peer in peers.items():
            answer = peer(path)
            for group, values in expected.items():
                # Parsers may differ in the last bit of a decimal fraction.
                np.testing.assert_allclose(answer[group], values, rtol=1e-15, err_msg=name)
        readers = {"pyexpr": with_pyexpr, **peers}
        times = best_of({name: partial(read, path) for name, read in readers.items()}, REPEATS)
        ours = times.pop("pyexpr")
        megabytes = path.stat().st_size / 1e6
        work = f"OpenFace file, {megabytes:.1f} MB, 184 of 714 columns to arrays"
        rows = [timing.row(work, ours, name, time) for name, time in times.items()]
        rows[0]["note"] = NOTE
        return [*rows, features_row(path)]


def features_row(path: Path) -> dict[str, Any]:
    """Compare the features of many recordings with Arrow's reading them alone."""
    from pyexpr.behavior.features.features import extract_features

    paths = [path.with_name(f"subject{number:02d}.csv") for number in range(SUBJECTS)]
    for other in paths:
        os.link(path, other)

    def features() -> None:
        extract_features(paths, every=60.0, n_jobs=1, progress=False)

    def arrow() -> None:
        for other in paths:
            with_pyarrow(other)

    megabytes = SUBJECTS * path.stat().st_size / 1e6
    work = f"features of {SUBJECTS} recordings, {megabytes:.0f} MB, one at a time"
    times = best_of({"features": features, "arrow": arrow}, FEW_REPEATS)
    mine, theirs = times["features"], times["arrow"]
    return dict(timing.row(work, mine, "pyarrow, reading them alone", theirs))


def best_of(works: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Return the least time of each (ms), in turns so that all meet the same machine."""
    best = dict.fromkeys(works, float("inf"))
    for _ in range(repeats):
        for name, work in works.items():
            start = process_time()
            work()
            best[name] = min(best[name], (process_time() - start) * 1e3)
    return best


if __name__ == "__main__":
    for row in run():
        print(
            f"{row['work']}: pyexpr {row['ours_ms']:.1f} ms, "
            f"{row['peer']} {row['peer_ms']:.1f} ms, ratio {row['ratio']:.2f}"
        )
