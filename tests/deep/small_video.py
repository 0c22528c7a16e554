"""A narrow network of the 3D-CNN's family, and clips of a moving square, for tests in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from unittest import mock

import numpy as np
from torch import nn
from torchvision.models.video.resnet import BasicBlock, BasicStem, Conv3DSimple, VideoResNet

from pyexpr.deep import resnet3d
from pyexpr.deep.video_regressor import Video3DRegressor

NARROWER = 8


class NarrowResNet(VideoResNet):
    """torchvision's video network with one block per stage and an eighth of the channels."""

    def __init__(self) -> None:
        super().__init__(BasicBlock, [Conv3DSimple] * 4, [1, 1, 1, 1], BasicStem)
        self.fc = nn.Linear(512 // NARROWER, 1)

    def _make_layer(self, block: Any, conv: Any, planes: int, blocks: int, stride: int = 1) -> Any:
        return super()._make_layer(block, conv, planes // NARROWER, blocks, stride)


class NarrowRegressor(Video3DRegressor):
    """`Video3DRegressor` around the narrow network: all but the number of channels is the same."""

    @classmethod
    def _build(cls, config: Mapping[str, Any]) -> Any:
        with mock.patch.object(resnet3d, "r3d_18", return_value=NarrowResNet()):
            return super()._build(config)


def moving_squares(n: int, seed: int, frames: int = 8, size: int = 32) -> tuple[Any, Any]:
    """Return clips of a bright square, and its speed in pixels per frame: the label."""
    rng = np.random.default_rng(seed)
    speed = rng.uniform(0, 2, n)
    clips = rng.integers(50, 70, (n, frames, size, size, 3)).astype(np.uint8)
    for clip, pace in zip(clips, speed, strict=True):
        angle = rng.uniform(0, 2 * np.pi)
        start = rng.uniform(min(8, size - 16), max(8, size - 16), 2)
        for k, frame in enumerate(clip):
            moved = pace * (k - (frames - 1) / 2)
            x, y = np.round(start + moved * np.array([np.cos(angle), np.sin(angle)])).astype(int)
            frame[max(y, 0) : max(y + 8, 0), max(x, 0) : max(x + 8, 0)] = 220
    return clips, speed
