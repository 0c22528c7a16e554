"""Training the 3D-CNN from decoded clips on disk against the plain module on tensors in memory.

Both are given the same first weights and batches, and must end at the same
predictions. Decoding, done once, is a row of its own. One thread; times are of
the processor, so that a busy machine does not favour the one that waits less.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from plain_training import seed_first_weights, train_plain
from timing import row

import pyexpr as px
from pyexpr.base.video_file import decode_frames, index_video
from pyexpr.deep import Video3DNet, Video3DRegressor
from pyexpr.simulation.face_video import write_face_video
from pyexpr.simulation.recordings import recorded

SUBJECTS, CLIPS, EPOCHS, BATCH, LR = 4, 5, 2, 10, 0.0001
FRAMES, SIZE = 8, 32
REPEATS = 2
# float32 through 4 steps of Adam on 33 million weights; labels have unit variance.
ROUNDING = 1e-3


def recordings(folder: Path) -> pd.DataFrame:
    """Draw simulated recordings and return the table of their clips."""
    rows = []
    for subject in range(SUBJECTS):
        path = folder / f"{subject}.mp4"
        one = recorded(1, subject, "startle")
        write_face_video(path, one.face, one.lost, shade=0.2 * subject, size=64)
        rows += [{"video": str(path), "start": 3.0 * k, "end": 3.0 * (k + 1)} for k in range(CLIPS)]
    return pd.DataFrame(rows)


def plain(X: torch.Tensor, y: torch.Tensor) -> Video3DNet:
    """Train the module on tensors that are ready."""
    seed_first_weights()
    model = Video3DNet()
    train_plain(model, X, y, epochs=EPOCHS, batch=BATCH, lr=LR)
    return model


def decode_everything(table: pd.DataFrame) -> None:
    """Decode whole recordings, as a reader does that cannot seek."""
    for path in table["video"].unique():
        index = index_video(path)
        for _ in decode_frames(index, range(len(index))):
            pass


def run() -> list[dict[str, Any]]:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = recordings(folder)
        y = np.random.default_rng(1).normal(size=len(table))
        y = (y - y.mean()) / y.std()
        reading = {"frames": FRAMES, "size": SIZE, "cache_dir": folder / "frames", "n_jobs": 1}
        start = time.process_time()
        clips = px.read_video_clips(table, progress=False, **reading)
        decoding = time.process_time() - start
        start = time.process_time()
        decode_everything(table)
        everything = time.process_time() - start
        ours = Video3DRegressor(
            lr=LR, max_epochs=EPOCHS, batch_size=BATCH, patience=None, weight_decay=0.0,
            device="cpu", progress=False, **reading,
        )  # fmt: skip
        X, target = torch.from_numpy(clips.stack()), torch.from_numpy(y.astype(np.float32))
        times: dict[str, list[float]] = {"ours": [], "peer": []}
        for _ in range(REPEATS):
            start = time.process_time()
            ours.fit(table, y)
            times["ours"].append(time.process_time() - start)
            start = time.process_time()
            peer = plain(X, target)
            times["peer"].append(time.process_time() - start)
        with torch.no_grad():
            np.testing.assert_allclose(ours.predict(table), peer(X).numpy(), atol=ROUNDING)
    best = {who: min(each) for who, each in times.items()}
    shape = f"{len(table)} clips of {FRAMES} x {SIZE} x {SIZE}"
    return [
        row(
            f"3D-CNN, {shape}, {EPOCHS} epochs, from decoded clips on disk",
            1e3 * best["ours"],
            "the module on tensors in memory",
            1e3 * best["peer"],
        ),
        row(
            f"Decoding {shape}, once",
            1e3 * decoding,
            "PyAV, every frame of the recordings",
            1e3 * everything,
        ),
    ]
