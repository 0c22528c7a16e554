"""Checkpoints of a training: safetensors for numbers, JSON in the header for the rest.

A file is written completely or not at all after each epoch, so a training that was killed continues
from its last complete epoch. Reading it runs no code in it, and a checksum detects damage on a disk
or in a transfer.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from pyexpr.base.errors import DataError
from pyexpr.base.files import whole_file

Tensors = dict[str, torch.Tensor]


def copied(state: Mapping[str, torch.Tensor]) -> Tensors:
    """Return separate tensors on the CPU, because cuDNN's weights share one block of memory."""
    return {name: value.detach().cpu().clone().contiguous() for name, value in state.items()}


@dataclass(slots=True)
class TrainingState:
    """The state of a training after an epoch.

    Attributes
    ----------
    epoch : int
        Epochs done.
    module, best : dict of str to Tensor
        Present weights, and those of the best epoch.
    optimizer : dict of int to dict of str to Tensor
        Adam's moments by the number of the parameter.
    best_epoch : int
        The epoch of `best`.
    history : list of dict
        Per epoch: epoch, train (mean squared error), validation (the same, NaN without).
    scaler : dict of str to float
        State of the scaler of losses in half precision; empty without one.
    """

    epoch: int
    module: Tensors
    best: Tensors
    optimizer: dict[int, Tensors]
    best_epoch: int
    history: list[dict[str, float]]
    scaler: dict[str, float]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The file of one training; its name has a hash of everything on which the training depends."""

    path: Path

    def write(self, state: TrainingState) -> None:
        """Write the state, whole or not at all."""
        tensors = {f"module/{name}": value for name, value in state.module.items()}
        tensors |= {f"best/{name}": value for name, value in state.best.items()}
        for number, moments in state.optimizer.items():
            tensors |= {f"adam/{number}/{name}": value for name, value in moments.items()}
        facts = {
            "epoch": state.epoch,
            "best_epoch": state.best_epoch,
            "history": state.history,
            "scaler": state.scaler,
        }
        training = json.dumps(facts)
        metadata = {"training": training, "crc32": str(_checksum(training, tensors))}
        with whole_file(self.path) as temporary:
            save_file(tensors, temporary, metadata=metadata)

    def read(self) -> TrainingState | None:
        """Return the state, None if there is no file; `DataError` if it is damaged."""
        if not self.path.is_file():
            return None
        try:
            with safe_open(self.path, framework="pt", device="cpu") as file:
                metadata = file.metadata()
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if metadata["crc32"] != str(_checksum(metadata["training"], tensors)):
                raise ValueError("its checksum differs")
            facts = json.loads(metadata["training"])
            parts: dict[str, Tensors] = {"module": {}, "best": {}}
            adam: dict[int, Tensors] = {}
            for name, value in tensors.items():
                part, _, rest = name.partition("/")
                if part == "adam":
                    number, _, moment = rest.partition("/")
                    adam.setdefault(int(number), {})[moment] = value
                else:
                    parts[part][rest] = value
            return TrainingState(
                epoch=int(facts["epoch"]),
                module=parts["module"],
                best=parts["best"],
                optimizer=adam,
                best_epoch=int(facts["best_epoch"]),
                history=list(facts["history"]),
                scaler=dict(facts.get("scaler", {})),
            )
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"the checkpoint {str(self.path)!r} is damaged ({error}); delete it"
            ) from None


def _checksum(training: str, tensors: Tensors) -> int:
    """Return the CRC-32 of a training: within a second for half a gigabyte, unlike SHA-256."""
    found = zlib.crc32(training.encode())
    for name, value in sorted(tensors.items()):
        found = zlib.crc32(name.encode(), found)
        found = zlib.crc32(value.contiguous().numpy().reshape(-1).view("uint8"), found)
    return found


def adam_moments(optimizer: Any) -> dict[int, Tensors]:
    """Return the state of Adam for each parameter."""
    return {
        int(number): copied(moments) for number, moments in optimizer.state_dict()["state"].items()
    }


def restore_adam(optimizer: Any, moments: dict[int, Tensors]) -> None:
    """Restore the state of Adam."""
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
