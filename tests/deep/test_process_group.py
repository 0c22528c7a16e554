"""Several processes that train one network: the same result as one, and one sentence at an end."""

from __future__ import annotations

import copy
import json
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from deep.made_clips import trending_clips
from deep.several_processes import together
from deep.small_video import NarrowRegressor
from deep.test_training import small

from pyexpr.base.errors import DataError
from pyexpr.base.launch import Launch, first_node, launched
from pyexpr.deep import LSTMRegressor, batch_norm, fabrics, training
from pyexpr.deep.batch_norm import count_clips, is_shared, share_batch_norm
from pyexpr.deep.devices import Place
from pyexpr.deep.fabrics import own_device, place_in_group
from pyexpr.deep.process_group import ProcessGroup

# Sums of a batch in another order: float32 rounding, through 9 steps of Adam of 0.02 each, which
# divides a gradient by its own size; 2.1e-6 was seen. Another gradient would move 1e-2.
ROUNDING = 2e-5
# Of the 3D-CNN: Adam's first step is this for every weight, up or down. A weight whose gradient
# is next to 0 may go the other way; running variances are sums through rounded layers.
STEP, ROUNDING_OF_VARIANCE = 1e-4, 1e-4
VIDEO = ("body.fc.weight", "body.layer4.0.conv1.1.weight", "body.layer2.0.conv1.1.running_var")
N = 2


def fitted_lstm(**given: Any) -> LSTMRegressor:
    """Fit clips of several lengths with dropout; the last batch has 2 clips, the validation 2."""
    X, y, _ = trending_clips(3)
    clips = [clip[: 12 + 2 * (i % 4)] for i, clip in enumerate(X)]
    options = {"hidden_size": 8, "max_epochs": 3, "batch_size": 4, **given}
    return small(**options).fit(clips[:10], y[:10], validation=(clips[10:], y[10:]))


def fitted_video() -> NarrowRegressor:
    """Do one step with a batch of 7 clips: shares of 4 and 3."""
    rng = np.random.default_rng(3)
    X, y = rng.integers(0, 255, (7, 8, 32, 32, 3), dtype=np.uint8), rng.normal(size=7)
    model = NarrowRegressor(
        max_epochs=1, batch_size=8, patience=None, lr=STEP, seed=2, progress=False
    )
    return model.fit(X, y)


TOGETHER = """
import json, os, signal, sys, torch
import numpy as np
from pyexpr.base.errors import PyexprError, StudyError
from pyexpr.deep import training
from pyexpr.deep.process_group import lead
from deep.test_process_group import VIDEO, fitted_lstm, fitted_video
from deep.made_clips import trending_clips
from deep.test_training import small
torch.set_num_threads(1)
folder, rank = sys.argv[1], int(os.environ["RANK"])
found, did = {}, []
def led(what):
    did.append(what)
    if what == "fails":
        raise StudyError("the study is wrong")
    X, y, _ = trending_clips(3)
    return small(max_epochs=1, patience=None).fit(X, y).predict(X).tolist()
lstm = fitted_lstm(checkpoint_dir=folder + "/whole")
found["lstm"] = [each.tolist() for each in lstm.modules_[0].state_dict().values()]
found["led"] = lead(lambda: led("fits"), {"the version": 1})
for name, work, facts in (
    ("raised", lambda: led("fails"), {}),
    ("unequal", lambda: led("unequal"), {"the version of numpy": rank}),
):
    try:
        lead(work, facts)
    except PyexprError as error:
        found[name] = f"{type(error).__name__}: {error}"
found["did"] = did
found["curve"] = lstm.history_["validation_rmse"].tolist()
video = fitted_video().modules_[0].state_dict()
found["video"] = [video[name].tolist() for name in VIDEO]
X, y, _ = trending_clips(3)
for name, model, labels in (
    ("few", small(batch_size=1, patience=None), y),
    ("other", small(patience=None), y + rank),
):
    try:
        model.fit(X, labels)
    except ValueError as error:
        found[name] = str(error)
print(json.dumps(found), flush=True)

whole = training._train_epoch
def killed(*arguments):
    if arguments[-1] == 3 and rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(*arguments)
training._train_epoch = killed
try:
    fitted_lstm(checkpoint_dir=folder + "/killed")
except PyexprError as error:
    print(error)
    sys.exit(1)
"""


@dataclass(frozen=True)
class Ended:
    """What two processes found together, of which the second was killed at last."""

    found: list[dict[str, Any]]
    statuses: list[int]
    message: list[str]
    folder: Path


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Start them once: most of the time goes into importing torch."""
    folder = tmp_path_factory.mktemp("state")
    ends = together(N, "-c", TOGETHER, folder)
    printed = [output.partition("\n") for _, output, _ in ends]
    assert all(first for first, *_ in printed), ends
    found = [json.loads(first) for first, *_ in printed]
    return Ended(found, [status for status, *_ in ends], [rest for *_, rest in printed], folder)


@pytest.fixture(scope="module")
def found(ended: Ended) -> list[dict[str, Any]]:
    """Return what each of them found."""
    return ended.found


def test_several_processes_equal_one(found: list[dict[str, Any]]) -> None:
    # All have the same bytes, so that all stop at the same epoch.
    for name in ("lstm", "curve", "video", "led"):
        assert all(one[name] == found[0][name] for one in found)
    alone = fitted_lstm()
    for values, own in zip(found[0]["lstm"], alone.modules_[0].state_dict().values(), strict=True):
        np.testing.assert_allclose(values, own, atol=ROUNDING)
    curve = alone.history_["validation_rmse"]
    np.testing.assert_allclose(found[0]["curve"], curve, rtol=ROUNDING)
    video = fitted_video().modules_[0].state_dict()
    off = [np.abs(np.asarray(found[0]["video"][k]) - video[VIDEO[k]].numpy()) for k in range(3)]
    assert [float((values < STEP / 100).mean()) for values in off[:2]] == pytest.approx(
        [1, 1], abs=0.02
    )
    np.testing.assert_allclose(found[0]["video"][2], video[VIDEO[2]], rtol=ROUNDING_OF_VARIANCE)


def test_the_first_leads_and_the_others_train_along(found: list[dict[str, Any]]) -> None:
    X, y, _ = trending_clips(3)
    alone = small(max_epochs=1, patience=None).fit(X, y).predict(X)
    for one in found:
        np.testing.assert_allclose(one["led"], alone, atol=ROUNDING)
        assert one["raised"] == "StudyError: the study is wrong"
        assert one["unequal"] == (
            "DataError: process 2 of 2 has another study or installation than process 1: the "
            "version of numpy (1 and 0); start all of them with the same files and versions"
        )
    assert [one["did"] for one in found] == [["fits", "fails"], []]


def test_calls_that_do_not_fit_together_are_refused_in_all(found: list[dict[str, Any]]) -> None:
    assert {one["few"] for one in found} == {
        "there are 2 processes, but the number of clips in a batch (batch_size=1) is 1, and each "
        "process takes a share of them; start fewer processes"
    }
    assert {one["other"] for one in found} == {
        "process 2 of 2 fits something else than process 1: the clips or labels differs; all "
        "processes must make the same calls with the same data"
    }


def test_one_killed_ends_the_others_and_the_next_start_resumes(
    ended: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ended.statuses == [1, -signal.SIGKILL]
    sentence = (
        "another of the 2 processes was ended from outside (out of memory?); start them again to "
        "go on: a study, or a model with checkpoint_dir=, continues after the last whole epoch\n"
    )
    assert ended.message[0] == sentence
    trained: list[int] = []
    whole = training._train_epoch

    def counted(*arguments: Any) -> float:
        trained.append(arguments[-1])
        return whole(*arguments)

    monkeypatch.setattr(training, "_train_epoch", counted)
    resumed = fitted_lstm(checkpoint_dir=ended.folder / "killed")
    assert trained == [3]
    through = fitted_lstm()
    for one, other in zip(
        resumed.modules_[0].parameters(), through.modules_[0].parameters(), strict=True
    ):
        torch.testing.assert_close(one, other, atol=ROUNDING, rtol=0)


def test_batch_norm_is_that_of_the_whole_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    plain = torch.nn.Sequential(torch.nn.BatchNorm3d(2))
    shared = copy.deepcopy(plain)
    share_batch_norm(shared)
    assert is_shared(shared)
    assert not is_shared(plain)
    x, mine = torch.randn(4, 2, 3, 2, 2) + 5, torch.randn(1, 2, 3, 2, 2)
    # A process that has all clips, and one that has none and computes another along: what the
    # first has summed comes to its own zeros.
    sums: list[torch.Tensor] = []
    monkeypatch.setattr(
        batch_norm.distributed, "all_reduce", lambda total: sums.append(total.clone())
    )
    whole, own = plain(x), shared(x)
    torch.testing.assert_close(own, whole, atol=1e-5, rtol=1e-5)
    for one, other in zip(shared.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(one, other)
    coming = iter(sums)
    monkeypatch.setattr(
        batch_norm.distributed, "all_reduce", lambda total: total.add_(next(coming))
    )
    count_clips(shared, counts=False)
    found = shared(mine)
    mean, variance = (f(x, dim=(0, 2, 3, 4), keepdim=True) for f in (torch.mean, torch.var))
    n = x.numel() / 2
    scale = (variance * (n - 1) / n + 1e-5).sqrt()
    torch.testing.assert_close(found, (mine - mean) / scale, atol=1e-5, rtol=1e-5)


KNOWN = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "a", "MASTER_PORT": "1"}
SLURM = {
    "SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "3", "SLURM_LOCALID": "1", "SLURM_JOB_ID": "7",
    "SLURM_STEP_ID": "2", "SLURM_STEP_NODELIST": "node[03-05,9],m1",
}  # fmt: skip


def test_what_the_environment_says() -> None:
    assert launched({}) is None
    assert launched(KNOWN) == Launch(1, 2, 1, "a", 1)
    assert launched(KNOWN | {"LOCAL_RANK": "0"}) == Launch(1, 2, 0, "a", 1)
    assert launched(SLURM) == Launch(3, 4, 1, "node03", 15009, by_slurm=True)
    # The script of a job, which no srun started, is one process; and who says so decides.
    assert launched({"SLURM_NTASKS": "4", "SLURM_PROCID": "0"}) is None
    assert launched(SLURM | {"WORLD_SIZE": "1"}) is None
    assert [first_node(text) for text in ("a,b", "a-[1,3]-x,b", "host", "")] == [
        "a", "a-1-x", "host", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"WORLD_SIZE": "2"}, "that 2 processes were started together, but RANK is not set"),
        ({**KNOWN, "MASTER_ADDR": ""}, "but MASTER_ADDR is not set: start them by torchrun"),
        ({**KNOWN, "WORLD_SIZE": "x"}, "WORLD_SIZE must be a whole number, not 'x'"),
        ({**KNOWN, "WORLD_SIZE": "0"}, "there is no such number of processes"),
        ({**KNOWN, "RANK": "2"}, "RANK must be a whole number below 2, not '2'"),
        ({**SLURM, "SLURM_STEP_NODELIST": ""}, "neither SLURM_STEP_NODELIST nor MASTER_ADDR"),
    ],
)
def test_an_environment_that_is_not_whole(environment: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        launched(environment)


def test_the_device_of_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    group = ProcessGroup(Launch(1, 2, 1, "a", 1), None)
    monkeypatch.setattr(fabrics, "backends", lambda: "gloo")
    assert place_in_group("cpu", 1, group) == Place("cpu")
    with pytest.raises(DataError, match=r"devices=2 starts processes .* already process 2 of 2"):
        place_in_group("cpu", 2, group)
    with pytest.raises(DataError, match="there is no device 'cuda'; available: "):
        place_in_group("cuda", 1, group)
    monkeypatch.setattr(fabrics, "backends", lambda: "nccl")
    with pytest.raises(DataError, match="initialised with 'nccl', which has GPUs only"):
        place_in_group("cpu", 1, group)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert place_in_group(None, 1, group) == Place("cuda", 1)
    with pytest.raises(DataError, match=r"device='cuda:0' is one device, but there are 2"):
        place_in_group("cuda:0", 1, group)


def test_a_machine_with_too_few_devices() -> None:
    assert own_device(Launch(3, 4, 1, "a", 1), 2) == 1
    # Slurm has bound one to each of its tasks.
    assert own_device(Launch(3, 4, 1, "a", 1, by_slurm=True), 1) == 0
    with pytest.raises(DataError, match=r"process 4 of 4 is number 2 of its machine.* only 1 CUDA"):
        own_device(Launch(3, 4, 1, "a", 1), 1)


def test_another_strategy_is_refused_and_fabrics_variables_do_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    X, y, _ = trending_clips(3)
    monkeypatch.setenv("LT_DEVICES", "7")
    small(max_epochs=1, patience=None).fit(X, y)
    monkeypatch.setenv("LT_STRATEGY", "fsdp")
    with pytest.raises(DataError, match=r"the strategy 'fsdp' .* is not one by which networks"):
        small(max_epochs=1, patience=None).fit(X, y)
