"""Several trainings, each a task: one after the other, in processes, or on a cluster.

Trainings that differ in their seed or their options do not depend on each other, so their results
are the same bytes wherever they run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes

from pyexpr.base.errors import DataError
from pyexpr.base.jobs import checked_jobs, in_processes, sent_elsewhere
from pyexpr.base.messages import message_of, say
from pyexpr.deep.checkpoints import Checkpoint
from pyexpr.deep.devices import choose_place
from pyexpr.deep.process_group import ProcessGroup
from pyexpr.deep.training import Part, Trained, TrainingOptions, train

# Torch's settings and generators belong to a process. If joblib's workers are threads, or those of
# a Dask worker, trainings in one process therefore follow each other.
_ONE_AT_A_TIME = threading.Lock()
# Weights are sent as bytes; tensors would share memory with a process that may have ended.
_Sent = tuple[bytes, int, list[dict[str, float]]]


@dataclass(frozen=True, slots=True)
class Training:
    """The arguments of `train`."""

    make_module: Callable[[], Any]
    training: Part
    validation: Part | None
    options: TrainingOptions
    checkpoint: Checkpoint | None
    show: bool | None
    # The context of the model, for errors.
    context: str | None = None


@contextmanager
def in_context(context: str | None) -> Iterator[None]:
    """Name the context of the model in errors within the block."""
    try:
        yield
    except ValueError as error:
        if context is None:
            raise
        raise DataError(
            say("context {label:label}: {error}", label=context, error=message_of(error))
        ) from error


def train_each(
    trainings: Sequence[Training], *, n_jobs: int | None, group: ProcessGroup | None
) -> list[Trained]:
    """Return the result of each training.

    Parameters
    ----------
    trainings : sequence of Training
        Trainings with the same device and number of devices.
    n_jobs : int, optional
        Number at a time, as in joblib; on GPUs at most one on each.
    group : ProcessGroup, optional
        The processes that share each batch; then the trainings follow each other.

    Raises
    ------
    DataError
        If both the trainings and their batches are to be distributed over processes.
    """
    if not trainings:
        return []
    options = trainings[0].options
    jobs = 1 if group is not None else checked_jobs(n_jobs)
    if jobs > 1 and options.devices > 1:
        raise DataError(
            say(
                "{train_jobs=} and {devices=} both start processes; use the first for many small "
                "networks, the second for one whose batches are large",
                train_jobs=jobs,
                devices=options.devices,
            )
        )
    elsewhere = sent_elsewhere() and group is None
    chains = [[one] for one in trainings] if elsewhere else _by_device(trainings, jobs)
    if not elsewhere and min(jobs, len(chains)) == 1:
        return [_trained(one, group) for one in trainings]
    found: dict[int, list[_Sent]] = dict(
        in_processes(
            _trained_elsewhere,
            [(chain,) for chain in chains],
            n_jobs=min(jobs, len(chains)),
            what="trains networks",
        )
    )
    # Training number i is that at place i // n of chain i % n.
    n = len(chains)
    return [_received(found[i % n][i // n]) for i in range(len(trainings))]


def _by_device(trainings: Sequence[Training], jobs: int) -> list[list[Training]]:
    """Return the trainings of each process; each GPU has its own process, and one at a time."""
    place = choose_place(trainings[0].options.device)
    if place.kind == "cpu":
        return [[one] for one in trainings]
    if place.kind == "cuda" and place.index is None:
        n = min(jobs, torch.cuda.device_count(), len(trainings))
        return [
            [
                replace(one, options=replace(one.options, device=f"cuda:{device}"))
                for one in trainings[device::n]
            ]
            for device in range(n)
        ]
    return [list(trainings)]


def _trained(one: Training, group: ProcessGroup | None) -> Trained:
    with in_context(one.context), _ONE_AT_A_TIME:
        return train(
            one.make_module,
            one.training,
            one.validation,
            one.options,
            checkpoint=one.checkpoint,
            group=group,
            show=one.show,
        )


def _trained_elsewhere(chain: Sequence[Training]) -> list[_Sent]:
    """Train in another process, without progress, which several processes would overwrite."""
    results = [_trained(replace(one, show=False), None) for one in chain]
    return [(to_bytes(one.weights), one.best_epoch, one.history) for one in results]


def _received(sent: _Sent) -> Trained:
    weights, best_epoch, history = sent
    return Trained(from_bytes(weights), best_epoch, history)
