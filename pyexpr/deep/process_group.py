"""The processes that train a network together, started by torchrun or Slurm.

There are two ways to use them. In a user's script all processes make the same calls, and they work
together in `fit`. On the command line, and in the methods of a study, the first process leads: only
this process computes, reads and writes, and the others wait for the trainings to which it calls
them. Messages between them use gloo, which needs no GPU; gradients use the backend that torch
chooses for the device.
"""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import distributed

from pyexpr.base.errors import DataError, ProcessLostError, PyexprError
from pyexpr.base.launch import Launch, launched
from pyexpr.base.messages import say

T = TypeVar("T")

# How long a process waits for the others to start, which import torch, perhaps from a slow disk.
_START = timedelta(minutes=10)
# How long the others wait while the first computes; if it ends, they notice it at once.
_WAIT = timedelta(days=30)
# Seconds for which a failing process waits for the same error, or its reason, from another; and
# seconds between two checks.
_SAME, _GLANCE = 3.0, 0.05
# Texts of torch's errors after the loss of another process.
_OF_A_LOSS = ("gloo", "nccl", "connection", "socket", "broken pipe", "peer", "store", "timed out")


@dataclass(slots=True)
class ProcessGroup:
    """The processes that were started together, from the viewpoint of one of them.

    Attributes
    ----------
    launch : Launch
    control : torch's process group
        Group for all messages other than gradients.
    led : bool
        Whether the first leads; otherwise all make the same calls.
    calling : bool
        Whether all are in the same call at present.
    whole : bool
        Whether no process has ended with an error.
    """

    launch: Launch
    control: Any
    led: bool = False
    calling: bool = False
    whole: bool = True

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.launch.rank == 0

    def from_first(self, value: T) -> T:
        """Return the value of the first process in all of them."""
        values = [value if self.first else None]
        with self.watched():
            distributed.broadcast_object_list(values, src=0, group=self.control)
        return values[0]  # type: ignore[return-value]

    def of_all(self, value: T) -> list[T]:
        """Return the values of all processes, by their rank."""
        found: list[Any] = [None] * self.launch.world_size
        with self.watched():
            distributed.all_gather_object(found, value, group=self.control)
        return found

    @contextmanager
    def first_before_others(self) -> Iterator[None]:
        """Run the block in the first process, then in the others, which find what it has cached.

        An error of the first is raised in all of them.
        """
        failed: PyexprError | None = None
        if not self.first:
            failed = self.from_first(failed)
            if failed is not None:
                raise failed
        try:
            yield
        except PyexprError as error:
            failed = error
            raise
        finally:
            if self.first:
                self.from_first(failed)

    def check_equal(self, facts: dict[str, Any], *, what: str, remedy: str) -> None:
        """Raise `DataError` in all processes if the value of one differs from that of the first."""
        first, *others = self.of_all(facts)
        for number, theirs in enumerate(others, start=2):
            for name, value in first.items():
                if theirs.get(name) != value:
                    raise DataError(
                        f"process {number} of {self.launch.world_size} {what} than process 1: "
                        f"{name}{_beside(theirs.get(name), value)}; {remedy}"
                    )

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Replace torch's errors on the loss of another process by one sentence."""
        try:
            yield
        except RuntimeError as error:
            if isinstance(error, PyexprError) or not _is_a_loss(error):
                raise
            raise ProcessLostError(self._why_lost()) from error

    # --- the first leads ---

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function in all processes, in the others by `serve`; return its result here."""
        self.from_first(("call", function, args))
        self.calling = True
        found = function(*args)
        # Not after an error, because the others may be anywhere within the call.
        self.calling = False
        return found

    def serve(self) -> Any:
        """Run the calls of the first process until it ends; return its result, or raise its error.

        This is for all processes but the first.
        """
        nothing: Any = ("", None, ())
        while True:
            kind, value, args = self.from_first(nothing)
            if kind == "end":
                return value
            if kind == "error":
                raise value
            self.calling = True
            value(*args)
            self.calling = False

    def end(self, kind: str, value: Any) -> None:
        """End the other processes, with a result or an error."""
        if not self.calling:
            self.from_first((kind, value, ()))

    # --- errors ---

    def tell(self, error: BaseException) -> None:
        """Record why this process ends, for the processes that lose it."""
        self.whole = False
        if not isinstance(error, ProcessLostError):
            # The loss of another process is not a reason: those that lose this one have lost that,
            # too.
            with suppress(RuntimeError):
                _store().set(self._key(self.launch.rank), str(error))

    def begin(self) -> None:
        """Delete the record of an error, as the caller has caught it and continues."""
        self.whole = True
        with suppress(RuntimeError):
            _store().delete_key(self._key(self.launch.rank))

    def is_told_by_first(self, error: BaseException) -> bool:
        """Return whether the first process ends for the same reason, and reports it."""
        if self.first:
            return False
        _, told = self._first_told([0])
        return told == str(error) or (told is not None and isinstance(error, ProcessLostError))

    def _why_lost(self) -> str:
        n = self.launch.world_size
        others = [rank for rank in range(n) if rank != self.launch.rank]
        rank, why = self._first_told(others)
        if why is not None:
            return f"process {rank + 1} of {n} has ended ({why})"
        return say(
            "another of the {n} processes was ended from outside (out of memory?); start them "
            "again to go on: a study, or a model with {checkpoint_dir=}, continues after the last "
            "whole epoch",
            n=n,
        )

    def _first_told(self, ranks: list[int]) -> tuple[int, str | None]:
        """Return the process of these that was the first to record why it ends, and its record."""
        until = time.monotonic() + _SAME
        # If the store has ended with the first process, nothing can be recorded.
        with suppress(RuntimeError):
            while time.monotonic() < until:
                for rank in ranks:
                    if _store().check([self._key(rank)]):
                        return rank, str(_store().get(self._key(rank)).decode())
                time.sleep(_GLANCE)
        return ranks[0], None

    @staticmethod
    def _key(rank: int) -> str:
        return f"pyexpr/ended/{rank}"


_joined: list[ProcessGroup] = []


def joined_group() -> ProcessGroup | None:
    """Return the group that this process has joined."""
    return _joined[0] if _joined else None


def process_group() -> ProcessGroup | None:
    """Return the group of this process, which it joins at the first call; None if it is alone.

    Raises
    ------
    DataError
        If the environment names a group but is incomplete, or another group was made before.
    PyexprError
        If the other processes do not join.
    """
    launch = launched()
    if launch is None:
        return None
    if not _joined:
        _joined.append(_join(launch))
        # NCCL asks for it.
        atexit.register(_leave)
    return _joined[0]


def _leave() -> None:
    group = _joined.pop()
    # After the loss of a process it would wait for the others.
    if group.whole and distributed.is_initialized():
        distributed.destroy_process_group()


def _join(launch: Launch) -> ProcessGroup:
    if not distributed.is_initialized():
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        torchrun = not launch.by_slurm
        place = f"{launch.address}:{launch.port}"
        try:
            # torchrun's own store is found by the environment.
            distributed.init_process_group(
                backend,
                init_method="env://" if torchrun else f"tcp://{place}",
                rank=launch.rank,
                world_size=launch.world_size,
                timeout=_START,
            )
        except (RuntimeError, ValueError) as error:
            why = " ".join(str(error).split())
            raise PyexprError(
                f"{launch.name} does not reach the others at {place} ({why}): check that all were "
                "started, with the same address and a free port (MASTER_ADDR, MASTER_PORT)"
            ) from error
    if (distributed.get_rank(), distributed.get_world_size()) != (launch.rank, launch.world_size):
        raise DataError(
            f"this is {launch.name} by the environment, but the group that was initialised before "
            f"has it as number {distributed.get_rank()} of {distributed.get_world_size()}"
        )
    return ProcessGroup(launch, distributed.new_group(backend="gloo", timeout=_WAIT))


def backends() -> str:
    """Return the backends by which torch's own group sends tensors: "gloo", "nccl", or several."""
    return str(distributed.get_backend())


def _store() -> Any:
    return distributed.distributed_c10d._get_default_store()


def lead(work: Callable[[], T], facts: dict[str, Any]) -> T:
    """Run the work in the first process, which calls the others to trainings; return its result.

    All processes return the result, or raise the error, of the first. `facts` must be equal in
    all of them.
    """
    group = process_group()
    if group is None or group.led:
        return work()
    group.begin()
    group.check_equal(
        facts,
        what="has another study or installation",
        remedy="start all of them with the same files and versions",
    )
    group.led = True
    try:
        if not group.first:
            found: T = group.serve()
            return found
        found = work()
        group.end("end", found)
        return found
    except BaseException as error:
        _end_badly(group, error)
        raise
    finally:
        group.led = group.calling = False


def _end_badly(group: ProcessGroup, error: BaseException) -> None:
    group.tell(error)
    if group.first and not isinstance(error, ProcessLostError):
        known = error if isinstance(error, PyexprError) else PyexprError(str(error))
        # The error raised here is the reason, not the loss of another process after it.
        with suppress(ProcessLostError):
            group.end("error", known)


def _beside(theirs: Any, first: Any) -> str:
    """Return two values for a sentence; long ones, such as hashes, are left out."""
    texts = [str(theirs), str(first)]
    return f" ({texts[0]} and {texts[1]})" if max(map(len, texts)) <= 40 else " differs"


def _is_a_loss(error: RuntimeError) -> bool:
    if isinstance(error, distributed.DistError):
        return True
    said = str(error).lower()
    return any(word in said for word in _OF_A_LOSS)
