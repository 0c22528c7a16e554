"""The loop: killed and resumed, seeds and bytes, stopping, devices."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from deep.made_clips import trending_clips
from lightning.fabric import Fabric
from lightning.fabric.plugins import MixedPrecision

from pyexpr.base.errors import DataError, DeepMemoryError
from pyexpr.deep import LSTMRegressor, devices, fabrics, training
from pyexpr.deep.checkpoints import Checkpoint, TrainingState
from pyexpr.deep.persistence import to_bytes
from pyexpr.deep.training import batches

# Two devices add the halves of a batch in another order than one: float32 rounding.
ROUNDING = 1e-5


def small(**given: Any) -> LSTMRegressor:
    options: dict[str, Any] = {
        "lr": 0.02, "max_epochs": 6, "patience": 6, "seed": 1, "dropout": 0.3, "progress": False,
    }  # fmt: skip
    return LSTMRegressor(**{"hidden_size": 6, "num_layers": 2, **options, **given})


def weights(model: LSTMRegressor) -> bytes:
    return to_bytes(model.modules_)


def state_when_interrupted(
    epoch: int, folder: Path, X: Any, y: np.ndarray, subjects: np.ndarray
) -> TrainingState:
    """Stop a training by Ctrl-C within an epoch; return what is on disk then."""
    whole = training._train_epoch

    def interrupted(*arguments: Any) -> float:
        if arguments[-1] == epoch:
            raise KeyboardInterrupt
        return whole(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_train_epoch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            small(checkpoint_dir=folder).fit(X, y, groups=subjects)
    (file,) = folder.iterdir()
    state = Checkpoint(file).read()
    assert state is not None
    return state


def test_same_seed_same_bytes_and_torch_is_left_as_it_was() -> None:
    X, y, subjects = trending_clips(10)
    torch.manual_seed(5)
    before = (torch.random.get_rng_state(), torch.get_num_threads())
    first = small().fit(X, y, groups=subjects)
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert torch.get_num_threads() == before[1]
    assert not torch.are_deterministic_algorithms_enabled()
    torch.manual_seed(6)
    again = small().fit(X, y, groups=subjects)
    assert weights(again) == weights(first)
    assert again.predict(X).tobytes() == first.predict(X).tobytes()
    other = small(seed=2).fit(X, y, groups=subjects)
    assert weights(other) != weights(first)


# In a child: after three whole epochs it says so, and waits for the kill within the fourth.
CHILD = """
import sys, time
from deep.made_clips import trending_clips
from deep.test_training import small
from pyexpr.deep import training
whole = training._train_epoch
def slow(fabric, module, optimizer, part, options, epoch):
    loss = whole(fabric, module, optimizer, part, options, epoch)
    if epoch == 4:
        print("in epoch 4", flush=True)
        time.sleep(600)
    return loss
training._train_epoch = slow
X, y, subjects = trending_clips(10)
small(checkpoint_dir=sys.argv[1]).fit(X, y, groups=subjects)
"""


def test_killed_and_resumed_equals_uninterrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "state"
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "in epoch 4\n"
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    (file,) = folder.iterdir()
    state = Checkpoint(file).read()
    assert state is not None
    assert state.epoch == 3

    X, y, subjects = trending_clips(10)
    through = small().fit(X, y, groups=subjects)
    trained: list[int] = []
    whole = training._train_epoch

    def counted(*arguments: Any) -> float:
        trained.append(arguments[-1])
        return whole(*arguments)

    monkeypatch.setattr(training, "_train_epoch", counted)
    resumed = small(checkpoint_dir=folder).fit(X, y, groups=subjects)
    assert trained == [4, 5, 6]
    assert weights(resumed) == weights(through)
    assert resumed.history_.equals(through.history_)
    # What is finished is not trained again; other data or options are another training.
    trained.clear()
    small(checkpoint_dir=folder).fit(X, y, groups=subjects)
    assert trained == []
    small(checkpoint_dir=folder, lr=0.01).fit(X, y, groups=subjects)
    assert trained == [1, 2, 3, 4, 5, 6]
    trained.clear()
    small(checkpoint_dir=folder).fit(X, y + 1e-3 * (subjects == 0), groups=subjects)
    assert trained == [1, 2, 3, 4, 5, 6]
    trained.clear()
    small(checkpoint_dir=folder, resume=False).fit(X, y, groups=subjects)
    assert trained == [1, 2, 3, 4, 5, 6]


def test_a_scaler_of_half_precision_is_resumed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Float16 is for GPUs, so here it is forced onto the CPU; the scale grows every 2 steps, and
    # gradients too small for float16 are rounded otherwise at another scale.
    def in_half_precision(**given: Any) -> Fabric:
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**-8, growth_interval=2)
        given["plugins"] = MixedPrecision("16-mixed", "cpu", scaler)
        return Fabric(**given | {"precision": None})

    monkeypatch.setattr(fabrics, "Fabric", in_half_precision)
    X, y, subjects = trending_clips(10)
    through = small().fit(X, y, groups=subjects)
    state = state_when_interrupted(4, tmp_path, X, y, subjects)
    assert state.scaler["scale"] != 2.0**-8
    resumed = small(checkpoint_dir=tmp_path).fit(X, y, groups=subjects)
    assert weights(resumed) == weights(through)


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    X, y, subjects = trending_clips(5)
    small(max_epochs=1, checkpoint_dir=tmp_path).fit(X, y, groups=subjects)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    # Cut off; and one bit of the last number, which only the checksum can find.
    for content in (whole[:100], whole[:-1] + bytes([whole[-1] ^ 1])):
        file.write_bytes(content)
        with pytest.raises(DataError, match=rf"{file.name}.* is damaged .*delete it"):
            small(max_epochs=1, checkpoint_dir=tmp_path).fit(X, y, groups=subjects)


def test_the_best_epoch_is_kept_and_patience_ends() -> None:
    X, y, subjects = trending_clips(12)
    noise = np.random.default_rng(1).permutation(y)
    model = small(lr=0.05, max_epochs=40, patience=3, dropout=0.0).fit(X, noise, groups=subjects)
    curve = model.history_["validation_rmse"].to_numpy()
    (best,) = model.best_epochs_
    assert best == curve.argmin() + 1
    assert len(curve) == best + 3 < 40
    assert model.history_["best"].tolist() == [epoch + 1 == best for epoch in range(len(curve))]
    # The weights are those of that epoch: a training that ends there has the same.
    short = small(lr=0.05, max_epochs=best, patience=3, dropout=0.0)
    assert weights(short.fit(X, noise, groups=subjects)) == weights(model)


def test_the_curve_is_the_error_of_the_predictions() -> None:
    X, y, subjects = trending_clips(10)
    validation_rows = subjects < 3
    model = small(dropout=0.0).fit(
        X[~validation_rows],
        y[~validation_rows],
        validation=(X[validation_rows], y[validation_rows]),
    )
    error = np.sqrt(np.mean((model.predict(X[validation_rows]) - y[validation_rows]) ** 2))
    best = model.history_.loc[model.history_["best"], "validation_rmse"].item()
    assert best == pytest.approx(error, rel=1e-5)  # one is summed in float32


def test_validation_as_a_mapping_is_that_of_the_pair() -> None:
    X, y, subjects = trending_clips(6)
    validation_rows = subjects < 2
    fits = [
        small(max_epochs=2).fit(X[~validation_rows], y[~validation_rows], validation=validation)
        for validation in (
            (X[validation_rows], y[validation_rows]),
            {"X": X[validation_rows], "y": y[validation_rows]},
        )
    ]
    assert weights(fits[0]) == weights(fits[1])
    assert fits[1].stopping_ == "validation"


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        ({"X": 1}, "a mapping must have 'X' and 'y'; it has 'X'"),
        ({"X": 1, "y": 1, "groups": 1}, "it has 'X', 'y', 'groups'"),
        ((1, 2, 3), r"must be a pair \(X, y\) or a mapping"),
        (np.zeros((2, 3)), r"must be a pair \(X, y\) or a mapping"),
    ],
)
def test_validation_that_is_neither_pair_nor_mapping(validation: object, message: str) -> None:
    X, y, _ = trending_clips(3)
    with pytest.raises(DataError, match=message):
        small(max_epochs=1).fit(X, y, validation=validation)


def test_batches() -> None:
    order = np.arange(9)[::-1].copy()
    assert [len(rows) for rows in batches(order, 4)] == [4, 5]
    assert [len(rows) for rows in batches(order, 3)] == [3, 3, 3]
    assert [len(rows) for rows in batches(order[:1], 4)] == [1]
    assert [len(rows) for rows in batches(order, 1)] == [1] * 9
    np.testing.assert_array_equal(np.concatenate(list(batches(order, 4))), order)


def test_two_devices_equal_one() -> None:
    # Batches of 7 and a last one of 3: shares of unequal size.
    X, y, subjects = trending_clips(6)
    one = small(hidden_size=64, max_epochs=2, dropout=0.0, batch_size=7).fit(X, y, groups=subjects)
    # Weights of more than a pipe holds.
    two = small(hidden_size=64, max_epochs=2, dropout=0.0, batch_size=7, devices=2, device="cpu")
    two.fit(X, y, groups=subjects)
    np.testing.assert_allclose(two.predict(X), one.predict(X), atol=ROUNDING)
    assert two.best_epochs_ == one.best_epochs_


def test_mixed_precision_is_another_computation_with_nearly_the_same_result() -> None:
    X, y, subjects = trending_clips(6)
    full = small(max_epochs=2, dropout=0.0).fit(X, y, groups=subjects).predict(X)
    mixed = small(max_epochs=2, dropout=0.0, precision="bf16-mixed")
    predicted = mixed.fit(X, y, groups=subjects).predict(X)
    assert 0 < np.abs(predicted - full).max() < 0.05  # bfloat16 has 8 bits


def test_gradients_are_clipped() -> None:
    X, y, subjects = trending_clips(6)
    free = small(max_epochs=1, clip_norm=None).fit(X, y, groups=subjects)
    wide = small(max_epochs=1, clip_norm=1e6).fit(X, y, groups=subjects)
    tight = small(max_epochs=1, clip_norm=1e-9).fit(X, y, groups=subjects)
    assert weights(free) == weights(wide)
    # Adam divides by its own running size, but not what is as small as its 1e-8.
    moved = [np.ptp(model.predict(X)) for model in (free, tight)]
    assert moved[0] != moved[1]


def test_divergence_says_what_to_do() -> None:
    X, y, subjects = trending_clips(5)
    for clip_norm in (None, 1.0):
        model = small(lr=1e30, clip_norm=clip_norm, dropout=0.0)
        with pytest.raises(DataError, match=r"diverged in epoch \d: .* use a smaller lr= than 1e"):
            model.fit(X, y, groups=subjects)


@pytest.mark.parametrize("words", ["CUDA out of memory. Tried 2 GiB", "not enough memory"])
def test_out_of_memory_names_the_batch_to_try(monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    X, y, subjects = trending_clips(10)

    def full(*_: object) -> float:
        raise torch.OutOfMemoryError(words)

    monkeypatch.setattr(training, "_train_epoch", full)
    with pytest.raises(DeepMemoryError, match=r"batches of 24 clips; try batch_size=12$"):
        small(batch_size=24).fit(X, y, groups=subjects)
    with pytest.raises(DeepMemoryError, match="cannot be smaller than one clip"):
        small(batch_size=1).fit(X, y, groups=subjects)


def test_more_clips_than_memory_on_the_cpu_is_reported_alike() -> None:
    with (
        pytest.raises(DeepMemoryError, match="this computer"),
        devices.memory_errors_explained(4, devices.Place("cpu")),
    ):
        np.zeros((1 << 40, 1 << 10))


def test_other_errors_pass_unchanged() -> None:
    with (
        pytest.raises(RuntimeError, match="shape"),
        devices.memory_errors_explained(4, devices.Place("cpu")),
    ):
        raise RuntimeError("shape '[3]' is invalid")


@pytest.mark.parametrize(
    ("cuda", "mps", "requested", "chosen"),
    [
        (0, False, None, "cpu"),
        (2, True, None, "cuda"),
        (0, True, None, "mps"),
        (2, False, "cpu", "cpu"),
        (2, False, "cuda:1", "cuda:1"),
    ],
)
def test_the_device_is_chosen_or_given(
    monkeypatch: pytest.MonkeyPatch, cuda: int, mps: bool, requested: str | None, chosen: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert str(devices.choose_place(requested).device) == chosen
    with pytest.raises(DataError, match=r"no device 'cuda:2'; available: .*cpu \(1\)"):
        devices.choose_place("cuda:2")
    with pytest.raises(DataError, match="or 'mps', not 'gpu'"):
        devices.choose_place("gpu")


def test_a_training_on_cuda_fixes_the_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    with devices.repeatable(devices.Place("cpu"), deterministic=True, n_threads=1):
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.get_num_threads() == 1
        assert "CUBLAS_WORKSPACE_CONFIG" not in devices.os.environ
    monkeypatch.setattr(torch.random, "fork_rng", lambda devices: devices_held(devices))
    with devices.repeatable(devices.Place("cuda", 0), deterministic=True, n_threads=None):
        assert devices.os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert "CUBLAS_WORKSPACE_CONFIG" not in devices.os.environ


class devices_held:  # noqa: N801
    """Stands in for torch's context manager: there is no CUDA here."""

    def __init__(self, validation_rows: list[torch.device]) -> None:
        assert validation_rows == [torch.device("cuda:0")]

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def test_interrupting_leaves_the_last_whole_epoch(tmp_path: Path) -> None:
    assert state_when_interrupted(3, tmp_path, *trending_clips(5)).epoch == 2
    assert not torch.are_deterministic_algorithms_enabled()
