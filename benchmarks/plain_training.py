"""A module trained on tensors in memory: what the package's own training is measured against."""

from __future__ import annotations

import numpy as np
import torch

from pyexpr.deep.training import FIRST_WEIGHTS, epoch_words, torch_seed


def seed_first_weights() -> None:
    """Give the next module the first weights that the regressors start from."""
    torch.manual_seed(torch_seed(epoch_words(0, FIRST_WEIGHTS, 1)))


def train_plain(
    model: torch.nn.Module,
    X: torch.Tensor,
    y: torch.Tensor,
    *,
    epochs: int,
    batch: int,
    lr: float,
) -> None:
    """Train with Adam and clipped gradients, in the batches that the regressors draw."""
    adam = torch.optim.Adam(model.parameters(), lr=lr)
    for epoch in range(1, epochs + 1):
        words = epoch_words(0, epoch, 1 + len(y))
        for rows in np.split(np.argsort(words[1:], kind="stable"), range(batch, len(y), batch)):
            adam.zero_grad()
            (model(X[rows]) - y[rows]).square().mean().backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            adam.step()
    model.eval()
