"""Batch normalisation over the clips of all processes, as if one process had the whole batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import distributed, nn


class _Summed(torch.autograd.Function):
    """The sum of a tensor over all processes; so is its gradient, as all depend on it."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor) -> torch.Tensor:
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        total = gradients[0].clone()
        distributed.all_reduce(total)
        return total


class SharedBatchNorm3d(nn.BatchNorm3d):
    """A ``BatchNorm3d`` whose means and variances in training are those of the whole batch.

    torch's ``SyncBatchNorm`` does the same on GPUs only, and counts every clip that a process is
    given. Here the clip of a process with `counts` false is not counted: such a process has no
    clips of its own, and only takes part in the computation.
    """

    counts = True

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Normalise (clips, channels, frames, height, width)."""
        if not self.training:
            return super().forward(input)
        over = (0, 2, 3, 4)
        own = input.numel() // input.shape[1] if self.counts else 0
        weight = 1.0 if self.counts else 0.0
        values = input.float()
        # Means first, then squares about them: their difference would lose digits.
        sums = _Summed.apply(torch.cat([weight * values.sum(over), values.new_tensor([own])]))
        n = float(sums[-1].detach())
        mean = (sums[:-1] / n).view(1, -1, 1, 1, 1)
        centred = values - mean
        variance = _Summed.apply(weight * centred.square().sum(over)) / n
        self._remember(mean.detach().flatten(), variance.detach(), n)
        scale = torch.rsqrt(variance + self.eps) * self.weight
        found = centred * scale.view(1, -1, 1, 1, 1) + self.bias.view(1, -1, 1, 1, 1)
        return found.to(input.dtype)

    def _remember(self, mean: torch.Tensor, variance: torch.Tensor, n: float) -> None:
        """Move the running mean and variance, as ``BatchNorm3d`` does."""
        with torch.no_grad():
            self.num_batches_tracked += 1
            unbiased = variance * (n / max(n - 1, 1))
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
            self.running_var.lerp_(unbiased.to(self.running_var.dtype), self.momentum)


def share_batch_norm(module: Any) -> None:
    """Replace every ``BatchNorm3d`` of a module, keeping its parameters and its names."""
    for name, child in module.named_children():
        if type(child) is nn.BatchNorm3d:
            shared = SharedBatchNorm3d(child.num_features, child.eps, child.momentum, device="meta")
            # The tensors themselves are kept, because the optimizer refers to them.
            shared._parameters, shared._buffers = child._parameters, child._buffers
            shared.train(child.training)
            setattr(module, name, shared)
        else:
            share_batch_norm(child)


def is_shared(module: Any) -> bool:
    """Return whether a module normalises over the clips of other processes, too."""
    return any(isinstance(layer, SharedBatchNorm3d) for layer in module.modules())


def count_clips(module: Any, counts: bool) -> None:
    """Say whether the clips of this process belong to the batch that is normalised."""
    for layer in module.modules():
        if isinstance(layer, SharedBatchNorm3d):
            layer.counts = counts
