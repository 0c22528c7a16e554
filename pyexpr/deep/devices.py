"""The devices on which models are computed, and reproducibility on them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from pyexpr.base.errors import DataError, DeepMemoryError, PyexprError
from pyexpr.base.messages import say

DEVICES = ("cpu", "cuda", "mps")
PRECISIONS = ("32", "16-mixed", "bf16-mixed")
# cuBLAS repeats its sums only with a workspace of fixed size; read when CUDA starts.
_WORKSPACE = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


@dataclass(frozen=True, slots=True)
class Place:
    """A kind of device, and its number (None: the first)."""

    kind: str
    index: int | None = None

    @property
    def device(self) -> torch.device:
        """As torch names it."""
        return torch.device(self.kind if self.index is None else f"{self.kind}:{self.index}")


def choose_place(device: str | None) -> Place:
    """Return the requested device, or the first available of CUDA, MPS and CPU.

    Raises
    ------
    DataError
        If the device does not exist; the message lists the available ones.
    """
    found = {
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
        "cpu": 1,
    }
    if device is None:
        return Place(next(kind for kind, count in found.items() if count))
    kind, colon, index = str(device).partition(":")
    if kind not in DEVICES or (colon and not index.isdigit()):
        raise DataError(
            say(
                "{device=} must be {value None}, 'cpu', 'cuda', 'cuda:0' (any number) or "
                "'mps', not {given!r}",
                given=device,
            )
        )
    if int(index or 0) >= found[kind]:
        here = ", ".join(f"{name} ({count})" for name, count in found.items() if count)
        raise DataError(f"there is no device {device!r}; available: {here}")
    return Place(kind, int(index) if colon else None)


@contextmanager
def repeatable(
    place: Place, *, deterministic: bool, n_threads: int | None, mixed: bool = False
) -> Iterator[None]:
    """Use deterministic algorithms within the block; settings are restored after it."""
    threads, was = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark, mkldnn = torch.backends.cudnn.benchmark, torch.backends.mkldnn.enabled
    filled = torch.utils.deterministic.fill_uninitialized_memory
    name, size = _WORKSPACE
    workspace = os.environ.get(name)
    if deterministic and place.kind == "cuda" and workspace is None:
        os.environ[name] = size
    cuda = [torch.device(place.kind, place.index or 0)] if place.kind == "cuda" else []
    try:
        if n_threads is not None:
            torch.set_num_threads(n_threads)
        if deterministic:
            torch.use_deterministic_algorithms(True)
            torch.backends.cudnn.benchmark = False
            # A safeguard against code that reads uninitialised memory; it costs a pass over memory.
            torch.utils.deterministic.fill_uninitialized_memory = False
        # On the CPU oneDNN's convolutions in half precision differ from run to run.
        if deterministic and mixed and place.kind == "cpu":
            torch.backends.mkldnn.enabled = False
        with torch.random.fork_rng(devices=cuda):
            yield
    finally:
        if workspace is None:
            os.environ.pop(name, None)
        torch.backends.mkldnn.enabled = mkldnn
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(was, warn_only=warn_only)
        torch.backends.cudnn.benchmark = benchmark
        torch.utils.deterministic.fill_uninitialized_memory = filled


@contextmanager
def memory_errors_explained(batch_size: int, place: Place) -> Iterator[None]:
    """Turn "out of memory" into a sentence that names the batch size to try."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        # CUDA, MPS, the CPU's allocator, and NumPy report it with different words and types.
        text = str(error).lower()
        wanting = isinstance(error, MemoryError) or any(
            words in text for words in ("out of memory", "not enough memory", "can't allocate")
        )
        # Our own error is passed on, whatever its words.
        if not wanting or isinstance(error, PyexprError):
            raise
        where = "this computer" if place.kind == "cpu" else f"the device {str(place.device)!r}"
        remedy = (
            say("try {batch_size=}", batch_size=batch_size // 2)
            if batch_size > 1
            else "a batch cannot be smaller than one clip; use a smaller model or shorter clips"
        )
        raise DeepMemoryError(
            f"the memory of {where} is not sufficient for batches of {batch_size} clips; {remedy}"
        ) from error
