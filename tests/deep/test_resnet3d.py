"""The 3D-CNN's module against torchvision's own, and where its weights come from."""

from __future__ import annotations

import doctest
import urllib.error
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models.video import R3D_18_Weights, r3d_18

from pyexpr.base.errors import DataError
from pyexpr.base.files import sha256
from pyexpr.behavior.video.sampling import resized
from pyexpr.deep import resnet3d, video_regressor
from pyexpr.deep.resnet3d import STAGES, Video3DNet, pretrained_state

# The same operations in the same order on one thread.
EXACT = 0.0
# Bilinear weights in another order of operations: where a value lies on a half, one grey level.
ONE_LEVEL = 1


def clips(n: int = 2, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(0, 256, (n, 4, 32, 32, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def kinetics() -> dict[str, torch.Tensor]:
    """The state of an r3d_18 of 400 classes, with running means that are not 0."""
    torch.manual_seed(1)
    network = r3d_18(weights=None)
    with torch.no_grad():
        network(torch.randn(2, 3, 4, 32, 32))
    return network.state_dict()


@pytest.mark.parametrize("module", [resnet3d, video_regressor])
def test_examples_run(module: Any) -> None:
    assert doctest.testmod(module).failed == 0


def test_parameters_are_those_of_r3d_18_with_one_value() -> None:
    own = sum(weight.numel() for weight in Video3DNet().parameters())
    kinetics = R3D_18_Weights.KINETICS400_V1.meta["num_params"]
    assert own == kinetics - (512 * 400 + 400) + (512 + 1) == 33_166_785


def test_one_small_clip_cannot_be_normalised() -> None:
    small = torch.zeros((1, 8, 16, 16, 3), dtype=torch.uint8)
    with pytest.raises(DataError, match=r"of one clip of \(8, 16, 16\) .* at least 2 clips"):
        Video3DNet()(small)
    assert Video3DNet().eval()(small).shape == (1,)
    # One pixel more leaves several values.
    assert Video3DNet()(torch.zeros((1, 8, 17, 16, 3), dtype=torch.uint8)).shape == (1,)


def test_outputs_are_torchvisions(kinetics: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(kinetics, tmp_path / "kinetics.pth")
    ours = Video3DNet(tmp_path / "kinetics.pth").eval()
    theirs = r3d_18(weights=None)
    theirs.load_state_dict(kinetics)
    theirs.fc = nn.Linear(512, 1)
    theirs.fc.load_state_dict(ours.body.fc.state_dict())
    # Their transforms, without the resize that has been done when frames were read.
    preset = R3D_18_Weights.KINETICS400_V1.transforms(resize_size=(32, 32), crop_size=(32, 32))
    frames = clips()
    with torch.no_grad():
        expected = theirs.eval()(preset(frames.permute(0, 1, 4, 2, 3))).squeeze(1)
        found = ours(frames)
    assert (found - expected).abs().max().item() <= EXACT


@pytest.mark.parametrize("shape", [(360, 640), (1392, 1040), (64, 64), (100, 37)])
@pytest.mark.parametrize("size", [112, 56])
def test_frames_are_resized_as_by_the_weights_transforms(shape: tuple[int, int], size: int) -> None:
    picture = np.random.default_rng(2).integers(0, 256, (*shape, 3), dtype=np.uint8)
    height, width = round(size * 128 / 112), round(size * 171 / 112)
    preset = R3D_18_Weights.KINETICS400_V1.transforms(
        resize_size=(height, width), crop_size=(size, size), mean=(0, 0, 0), std=(1, 1, 1)
    )
    theirs = preset(torch.from_numpy(picture).permute(2, 0, 1)[None]).permute(1, 2, 3, 0)[0]
    ours = resized(picture, size, "torchvision")
    difference = np.abs(ours.astype(int) - np.round(theirs.numpy() * 255).astype(int))
    assert difference.max() <= ONE_LEVEL
    assert (difference > 0).mean() < 0.01


def test_aspect_keeps_the_proportions() -> None:
    # A square of 40 in a picture of 80 x 200: still square, at 128 / 80 of its size.
    picture = np.zeros((80, 200, 3), dtype=np.uint8)
    picture[20:60, 80:120] = 255
    found = resized(picture, 112, "aspect")[..., 0] > 127
    assert found.any(axis=0).sum() == found.any(axis=1).sum() == 64


@pytest.mark.parametrize("form", ["pth", "safetensors", "nested", "own"])
def test_weights_of_a_file(kinetics: dict[str, torch.Tensor], tmp_path: Path, form: str) -> None:
    path = tmp_path / ("weights.safetensors" if form == "safetensors" else "weights.pth")
    if form == "pth":
        torch.save(kinetics, path)
    elif form == "safetensors":
        save_file(kinetics, path)
    elif form == "nested":
        torch.save({"model": {f"module.{k}": v for k, v in kinetics.items()}, "epoch": 3}, path)
    else:
        net = Video3DNet()
        net.load_body({k: v for k, v in kinetics.items() if not k.startswith("fc.")})
        torch.save(net.state_dict(), path)
    found = pretrained_state(path)
    for name, value in kinetics.items():
        if not name.startswith("fc."):
            assert torch.equal(found[name], value)
    # A head of 400 classes is left out; one of a single value is taken.
    assert ("fc.weight" in found) == (form == "own")
    assert torch.equal(Video3DNet(path).body.stem[0].weight, kinetics["stem.0.weight"])


def test_kinetics_weights_come_through_torchvision(
    kinetics: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))

    def no_network(*_: Any, **__: Any) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    with pytest.raises(DataError) as caught:
        Video3DNet("kinetics400")
    message = str(caught.value)
    assert "no network" in message
    assert "r3d_18-b3b3357e.pth" in message
    assert str(tmp_path / "checkpoints") in message
    # Put where the sentence says, the file is used, if it is the one that is meant.
    path = tmp_path / "checkpoints" / "r3d_18-b3b3357e.pth"
    torch.save(kinetics, path)
    with pytest.raises(DataError, match="its SHA-256 does not begin with b3b3357e"):
        Video3DNet("kinetics400")
    monkeypatch.setattr(resnet3d, "_hash_prefix", lambda _: sha256(path)[:8])
    net = Video3DNet("kinetics400")
    assert torch.equal(net.body.layer4[1].conv2[0].weight, kinetics["layer4.1.conv2.0.weight"])
    assert net.body.fc.out_features == 1
    # Nor is it read as anything but tensors.
    torch.save({**kinetics, "fc.bias": _Evil()}, path)
    with pytest.raises(DataError, match="cannot be read as a file of tensors"):
        Video3DNet("kinetics400")


class _Evil:
    def __reduce__(self) -> Any:
        return print, ("code ran",)


def test_other_files_are_refused(
    kinetics: dict[str, torch.Tensor], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(content: Any, message: str) -> None:
        path = tmp_path / "weights.pth"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            torch.save(content, path)
        with pytest.raises(DataError, match=message):
            pretrained_state(path)

    with pytest.raises(DataError, match=r"there is no such file; it may be None, 'kinetics400'"):
        pretrained_state(tmp_path / "absent.pth")
    refused({"stem": _Evil()}, "cannot be read as a file of tensors")
    assert "code ran" not in capsys.readouterr().out
    refused(b"", "cannot be read as a file of tensors")
    refused(b"text\n", "cannot be read as a file of tensors")
    # torch says "101" of it: the code of a letter.
    refused(b"hello", "cannot be read as a file of tensors: it is damaged, or has another format")
    refused(3, r"does not contain a state_dict\(\)")
    refused({k: v for k, v in kinetics.items() if k != "stem.0.weight"}, "lacks the weights")
    refused(
        {**kinetics, "layer5.weight": torch.zeros(1)}, "do not belong to an r3d_18: 'layer5.weight'"
    )
    refused({**kinetics, "stem.0.weight": torch.zeros(1)}, "shape that differs from an r3d_18")


@pytest.mark.parametrize("trainable", ["all", "layer3", "fc"])
def test_only_the_last_stages_are_trained(trainable: str) -> None:
    torch.manual_seed(0)
    net = Video3DNet(trainable=trainable)
    trained = STAGES[0 if trainable == "all" else STAGES.index(trainable) :]
    before = {name: value.clone() for name, value in net.state_dict().items()}
    adam = torch.optim.Adam([weight for weight in net.parameters() if weight.requires_grad])
    net.eval()
    net.train()
    net(clips()).square().mean().backward()
    adam.step()
    for stage in STAGES:
        changed = [
            name
            for name, value in net.state_dict().items()
            if name.startswith(f"body.{stage}.") and not torch.equal(value, before[name])
        ]
        # Weights, and the batch normalisation's running means.
        assert bool(changed) == (stage in trained)
        if stage in trained and stage != "fc":
            assert any("running_mean" in name for name in changed)
    with pytest.raises(DataError, match="trainable= must be one of 'all', 'layer1'"):
        Video3DNet(trainable="stem")
