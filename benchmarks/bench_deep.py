"""Training the LSTM from OpenFace files against the plain model on tensors in memory.

Both are given the same first weights and batches, and must end at the same
predictions. One thread; times are of the processor, so that a busy machine
does not favour the one that waits less.
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

from pyexpr.deep import LSTMRegressor, OpenFaceLSTM
from pyexpr.deep.data import standardised
from pyexpr.simulation.openface_writer import GROUPS, write_openface
from pyexpr.simulation.recordings import simulate_recording

SUBJECTS, CLIPS, EPOCHS, BATCH, LR = 20, 6, 10, 32, 0.005
REPEATS = 3
# float32 through 40 steps of Adam, in another order of the same sums.
ROUNDING = 1e-3


def recordings(folder: Path) -> pd.DataFrame:
    """Write simulated recordings and return the table of their first clips."""
    rows = []
    for subject in range(SUBJECTS):
        path = folder / f"{subject}.csv"
        frames = simulate_recording(1, subject, "startle")
        write_openface(path, frames)
        rows += [
            {"openface": str(path), "start": 3.0 * k, "end": 3.0 * (k + 1)}
            for k in range(CLIPS)
            # The simulation loses the face for seconds now and then.
            if frames[75 * k : 75 * (k + 1), GROUPS["success"]].any()
        ]
    return pd.DataFrame(rows)


def plain(X: torch.Tensor, y: torch.Tensor) -> OpenFaceLSTM:
    """Train the module on tensors that are ready."""
    seed_first_weights()
    model = OpenFaceLSTM(X.shape[2])
    train_plain(model, X, y, epochs=EPOCHS, batch=BATCH, lr=LR)
    return model


def run() -> list[dict[str, Any]]:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = recordings(folder)
        n = len(table)
        y = np.random.default_rng(1).normal(size=n)
        ours = LSTMRegressor(
            lr=LR, max_epochs=EPOCHS, batch_size=BATCH, patience=None, device="cpu",
            cache_dir=folder / "frames", progress=False,
        )  # fmt: skip
        start = time.process_time()
        clips = ours._read(table, "X").clips
        parsing = time.process_time() - start
        X = torch.from_numpy(np.stack([standardised(clip) for clip in clips]))
        target = torch.from_numpy(((y - y.mean()) / y.std()).astype(np.float32))
        times: dict[str, list[float]] = {"ours": [], "peer": []}
        for _ in range(REPEATS):
            start = time.process_time()
            ours.fit(table, y)
            times["ours"].append(time.process_time() - start)
            start = time.process_time()
            peer = plain(X, target)
            times["peer"].append(time.process_time() - start)
        with torch.no_grad():
            expected = peer(X).numpy() * y.std() + y.mean()
        np.testing.assert_allclose(ours.predict(table), expected, atol=ROUNDING)
    best = {who: min(each) for who, each in times.items()}
    work = f"LSTM, {n} clips of {X.shape[1]} x {X.shape[2]}, {EPOCHS} epochs"
    return [
        row(
            f"{work}, from kept arrays",
            1e3 * best["ours"],
            "the module on tensors in memory",
            1e3 * best["peer"],
        ),
        row(
            f"{work}, parsing {SUBJECTS} files included",
            1e3 * (best["ours"] + parsing),
            "the module on tensors in memory",
            1e3 * best["peer"],
        ),
    ]
