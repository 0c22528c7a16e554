"""Lightning Fabric for one device, for several of this machine, or for a group of processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins.environments import ClusterEnvironment

from pyexpr.base.errors import DataError
from pyexpr.base.launch import Launch
from pyexpr.base.messages import say
from pyexpr.deep.devices import Place, choose_place
from pyexpr.deep.process_group import ProcessGroup, backends

# Variables that `fabric run` sets, and that Fabric prefers to its arguments.
_OF_FABRIC = ("LT_ACCELERATOR", "LT_STRATEGY", "LT_DEVICES", "LT_NUM_NODES", "LT_PRECISION")
_STRATEGIES = ("auto", "ddp")


class _Launched(ClusterEnvironment):
    """The existing group, for Fabric, which treats each process as a separate machine.

    Machines may therefore have different numbers of processes, and pyexpr chooses the device.
    """

    def __init__(self, launch: Launch) -> None:
        self.launch = launch

    creates_processes_externally = True

    @property
    def main_address(self) -> str:
        return self.launch.address

    @property
    def main_port(self) -> int:
        return self.launch.port

    @staticmethod
    def detect() -> bool:
        return False

    def world_size(self) -> int:
        return self.launch.world_size

    def set_world_size(self, size: int) -> None: ...

    def global_rank(self) -> int:
        return self.launch.rank

    def set_global_rank(self, rank: int) -> None: ...

    def local_rank(self) -> int:
        return 0

    def node_rank(self) -> int:
        return self.launch.rank


def make_fabric(place: Place, devices: int, precision: str, group: ProcessGroup | None) -> Any:
    """Return the Fabric of a training.

    Raises
    ------
    DataError
        If the environment requests a strategy with which networks cannot be trained.
    """
    chosen: dict[str, Any] = {
        "accelerator": place.kind,
        "devices": devices if place.index is None else [place.index],
        # Processes of their own; `spawn`, because fork breaks threads and CUDA.
        "strategy": "ddp_spawn" if devices > 1 else "auto",
    }
    if group is not None:
        chosen |= {
            "devices": 1 if place.index is None else [place.index],
            "num_nodes": group.launch.world_size,
            "strategy": "ddp",
            "plugins": [_Launched(group.launch)],
        }
    with _without_variables():
        fabric = Fabric(**chosen, precision=precision)
    if group is not None:
        fabric.launch()
    return fabric


@contextmanager
def _without_variables() -> Iterator[None]:
    """Ignore the environment's variables within the block; an unknown strategy is an error."""
    strategy = os.environ.get("LT_STRATEGY", "auto")
    if strategy not in _STRATEGIES:
        raise DataError(
            f"the strategy {strategy!r} (the environment variable LT_STRATEGY) is not one by which "
            "networks are trained here: 'ddp' is, where each process has the whole network and a "
            "share of each batch"
        )
    before = {name: os.environ.pop(name) for name in _OF_FABRIC if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(before)


def place_in_group(device: str | None, devices: int, group: ProcessGroup) -> Place:
    """Return the device of this process.

    Raises
    ------
    DataError
        If the processes cannot train together on this device, or there is no device for this one.
    """
    launch = group.launch
    place = choose_place(device)
    if devices > 1:
        raise DataError(
            say(
                "{devices=} starts processes of its own, but this is already {name}; leave it "
                "out: how many there are is said to torchrun, or to Slurm",
                devices=devices,
                name=launch.name,
            )
        )
    if place.kind == "mps" or place.index is not None:
        raise DataError(
            say(
                "{device=} is one device, but there are {n} processes; give {device='cpu'}, or "
                "{device='cuda'}, of which each process takes its own",
                device=str(place.device),
                n=launch.world_size,
            )
        )
    if place.kind == "cpu":
        if backends() == "nccl":
            raise DataError(
                "networks are trained on the CPU, but torch.distributed was initialised with "
                "'nccl', which has GPUs only; use init_process_group('gloo'), or none: it is made "
                "when it is needed"
            )
        return place
    return Place("cuda", own_device(launch, torch.cuda.device_count()))


def own_device(launch: Launch, n_devices: int) -> int:
    """Return the number of the CUDA device of this process on its machine."""
    # Slurm may show each task only the device that is bound to it.
    if launch.by_slurm and n_devices == 1:
        return 0
    if launch.local_rank >= n_devices:
        raise DataError(
            f"{launch.name} is number {launch.local_rank + 1} of its machine, which has only "
            f"{n_devices} CUDA devices; start at most {n_devices} processes there "
            "(torchrun --nproc_per_node)"
        )
    return launch.local_rank
