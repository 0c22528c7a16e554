"""A session of DAIC-WOZ as it is downloaded: a text file for each kind of column."""

from __future__ import annotations

from pathlib import Path

import numpy as np

N = 70
AUS = ["AU01_r", "AU02_r", "AU04_c", "AU12_c"]
# The columns of each file -> those of OpenFace 1 and 2, "" for none.
KINDS = {
    "features": {f"{axis}{i}": f"{axis}_{i}" for axis in "xy" for i in range(68)},
    "features3D": {f"{axis}{i}": f"{axis}_{i}" for axis in "XYZ" for i in range(68)},
    "pose": {axis: f"pose_T{axis.lower()}" for axis in "XYZ"}
    | {f"R{axis}": f"pose_R{axis}" for axis in "xyz"},
    "gaze": {f"{axis}_{eye}": f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"}
    | {f"{axis}_h{eye}": "" for eye in (0, 1) for axis in "xyz"},
    "AUs": dict(zip(AUS, AUS, strict=True)),
}
TIMES = [[str(k + 1), f"{k / 30:.6g}", "0.95", "1"] for k in range(N)]


def values(kind: str) -> list[list[str]]:
    """Return a row of texts for each frame; each kind and column has its own."""
    names = list(KINDS[kind])
    start = 10 * sum(map(ord, kind)) % 97
    table = start + np.arange(len(names)) + np.arange(N)[:, np.newaxis] * 0.25
    if kind == "AUs":
        table[:, 2:] = (np.arange(N)[:, np.newaxis] + np.arange(2)) % 2
    return [[f"{value:.6g}" for value in row] for row in table]


def write(folder: Path, session: str = "300", times: list[list[str]] = TIMES) -> dict[str, Path]:
    """Write the files of a session, and return them by kind."""
    found = {}
    for kind, names in KINDS.items():
        head = ", ".join(["frame", "timestamp", "confidence", "success", *names])
        lines = [", ".join([*time, *row]) for time, row in zip(times, values(kind), strict=True)]
        found[kind] = folder / f"{session}_CLNF_{kind}.txt"
        found[kind].write_text("\n".join([head, *lines, ""]))
    (folder / f"{session}_CLNF_hog.bin").write_bytes(b"\x00" * 50)
    (folder / f"{session}_TRANSCRIPT.csv").write_text("start_time\tstop_time\n")
    return found
