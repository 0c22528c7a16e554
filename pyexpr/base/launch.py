"""Whether this process is one of several that torchrun or Slurm started to work together.

It is determined from the environment only, so that nothing has to be imported.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pyexpr.base.errors import DataError
from pyexpr.base.processes import within_task

#: The variables that each process needs, in torch's names; torchrun sets all of them.
_OF_TORCH = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
# Slurm sets no port for its tasks; this one is seldom shared by two steps of a machine.
_FIRST_PORT, _PORTS = 15_000, 15_000
_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Launch:
    """One of several processes that were started together.

    Attributes
    ----------
    rank, world_size : int
        The number of this process, from 0, and the number of processes.
    local_rank : int
        Its number among those of its machine.
    address, port : str, int
        Where the first process is reached.
    by_slurm : bool
        Whether only Slurm's variables indicate the group, as in every step of several tasks.
    """

    rank: int
    world_size: int
    local_rank: int
    address: str
    port: int
    by_slurm: bool = False

    @property
    def name(self) -> str:
        """Its name in messages: "process 2 of 4"."""
        return f"process {self.rank + 1} of {self.world_size}"


def launched(environment: Mapping[str, str] | None = None) -> Launch | None:
    """Return the launch of this process according to the environment; None if it works alone.

    If ``WORLD_SIZE`` is set, it decides: 1 is a process alone, even in a step of Slurm. One of
    several tasks (`within_task`) is alone.

    Raises
    ------
    DataError
        If a variable is missing or invalid.
    """
    variables = os.environ if environment is None else environment
    if within_task():
        return None
    if variables.get("WORLD_SIZE"):
        return _by_torch(variables)
    if int(_number(variables, "SLURM_STEP_NUM_TASKS", default=1)) > 1:
        return _by_slurm(variables)
    return None


def _by_torch(variables: Mapping[str, str]) -> Launch | None:
    world_size = _number(variables, "WORLD_SIZE")
    if world_size == 1:
        return None
    missing = [name for name in _OF_TORCH if not variables.get(name)]
    if missing or world_size < 1:
        wrong = f"{missing[0]} is not set" if missing else "there is no such number of processes"
        raise DataError(
            f"WORLD_SIZE={world_size} says that {world_size} processes were started together, but "
            f"{wrong}: start them by torchrun, or set {', '.join(_OF_TORCH)} for each of them"
        )
    rank = _number(variables, "RANK", below=world_size)
    return Launch(
        rank,
        world_size,
        _number(variables, "LOCAL_RANK", default=rank),
        variables["MASTER_ADDR"],
        _number(variables, "MASTER_PORT", below=_PORT + 1),
    )


def _by_slurm(variables: Mapping[str, str]) -> Launch:
    world_size = _number(variables, "SLURM_STEP_NUM_TASKS")
    nodes = variables.get("SLURM_STEP_NODELIST") or variables.get("SLURM_JOB_NODELIST") or ""
    address = variables.get("MASTER_ADDR") or first_node(nodes)
    if not address:
        raise DataError(
            f"SLURM_STEP_NUM_TASKS={world_size} says that {world_size} processes were started "
            "together, but neither SLURM_STEP_NODELIST nor MASTER_ADDR says where the first is"
        )
    job = _number(variables, "SLURM_JOB_ID", default=0)
    step = _number(variables, "SLURM_STEP_ID", default=0)
    return Launch(
        _number(variables, "SLURM_PROCID", below=world_size),
        world_size,
        _number(variables, "SLURM_LOCALID", default=0),
        address,
        _number(variables, "MASTER_PORT", default=_FIRST_PORT + (job + step) % _PORTS),
        by_slurm=True,
    )


def first_node(nodes: str) -> str:
    """Return the first name of a list of Slurm: "n[03-05,9],m1" is "n03"."""
    found = re.match(r"([^\[,]*)(?:\[(\w+)[^\]]*\])?([^\[,]*)", nodes.strip())
    return "".join(part or "" for part in found.groups()) if found else ""


def _number(
    variables: Mapping[str, str], name: str, *, default: int | None = None, below: int | None = None
) -> int:
    """Return a variable that is a whole number of at least 0."""
    text = variables.get(name) or ("" if default is None else str(default))
    if not text.isdecimal() or (below is not None and int(text) >= below):
        limit = "" if below is None else f" below {below}"
        raise DataError(
            f"the environment variable {name} must be a whole number{limit}, not {text!r}; it is "
            "set by torchrun, or by Slurm"
        )
    return int(text)
