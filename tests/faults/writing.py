"""What the package writes, small: stages, tables, a saved result, caches, a page of texts.

`write_all` writes into a folder; run again it gives the same bytes.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

import pyexpr as px
from pyexpr.base.files import sha256, write_text
from pyexpr.behavior.features.frame_store import Reading, read_frames
from pyexpr.behavior.video.cache import StoredClips, save_clips
from pyexpr.deep.model_folder import MARK, write_model
from pyexpr.report.tables.display import DisplayTable
from pyexpr.report.tables.files import write_table
from pyexpr.study.kept import store
from pyexpr.study.results import rendered

RECORDING = "recording.csv"


def prepare(home: Path) -> None:
    """Write what is read: a small recording."""
    names = ["frame", "face_id", "timestamp", "confidence", "success", "AU01_r", "AU12_r"]
    rows = [[i + 1, 0, i / 30, 0.9, 1, i / 7, i / 9] for i in range(20)]
    text = "\n".join([", ".join(names), *(", ".join(map(str, row)) for row in rows)])
    (home / RECORDING).write_text(text + "\n")


def _stages(folder: Path, home: Path, version: int) -> None:
    table = pd.DataFrame({"subject": ["a", "b"], "score": [0.1 * version, 0.2]})
    output = store.StageOutput({"scores": table}, {"n": version})
    for name in ("scores", "models"):
        store.save(folder / "stages" / f"{name}.zip", store.stage_key(version=version), output)


def _results(folder: Path, home: Path, version: int) -> None:
    frame = pd.DataFrame({"term": ["x", "y"], "estimate": [1.0 / version, 2.0]})
    display = DisplayTable("Table 1", ("term", "estimate"), (("x", "1"), ("y", "2")))
    results = folder / "results"
    results.mkdir(parents=True, exist_ok=True)
    written = write_table(frame, display, results, "models")
    write_text(results / "notes.txt", f"note {version}\n")
    rendered.note_written(
        results / "rendered.json", f"key {version}",
        {path.name: sha256(path) for path in (*written, results / "notes.txt")},
    )  # fmt: skip


def _saved(folder: Path, home: Path, version: int) -> None:
    result = px.icc_interval(0.8 + version / 100, n_targets=20, k=3)
    result.save(folder / "icc.pyexpr", overwrite=True)


def _caches(folder: Path, home: Path, version: int) -> None:
    clips = StoredClips(
        np.array([[0.0, float(version)]]), np.arange(4).reshape(1, 4), np.zeros((1, 4, 2, 2, 3))
    )
    save_clips(folder / "cache" / "video-0.clips", clips)
    read_frames(str(home / RECORDING), Reading(("au_intensity",)), folder / "cache")


def _model(folder: Path, home: Path, version: int) -> None:
    write_model(folder / "model", {"title": f"version {version}"}, weights(float(version)))


def weights(value: float) -> bytes:
    """Return a file of weights, as safetensors writes it, without torch."""
    tensor = {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}
    header = json.dumps({"__metadata__": MARK, "0/weight": tensor}).encode()
    return struct.pack("<Q", len(header)) + header + struct.pack("<d", value)


STEPS: dict[str, Callable[[Path, Path, int], None]] = {
    "stages": _stages,
    "results": _results,
    "saved result": _saved,
    "caches": _caches,
    "model": _model,
}


def write_all(folder: Path, home: Path, version: int) -> None:
    """Write everything; a file that is there is replaced."""
    for step in STEPS.values():
        step(folder, home, version)


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file by its name in the folder, temporary ones left out."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }
