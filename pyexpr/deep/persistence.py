"""A fitted model as safetensors and JSON. Loading it never runs code from the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save

from pyexpr.base.errors import DataError
from pyexpr.deep.checkpoints import Tensors, copied
from pyexpr.deep.model_folder import MARK, WEIGHTS, read_folder


def to_bytes(modules: Sequence[Any]) -> bytes:
    """Return the weights of several modules as one safetensors file."""
    tensors = {
        f"{number}/{name}": value
        for number, module in enumerate(modules)
        for name, value in copied(module.state_dict()).items()
    }
    return bytes(save(tensors, metadata=MARK))


def from_bytes(content: bytes) -> list[Tensors]:
    """Return the weights of each module, as they were passed to `to_bytes`."""
    found: dict[int, Tensors] = {}
    for key, value in load(content).items():
        number, _, name = key.partition("/")
        found.setdefault(int(number), {})[name] = value
    return [found[number] for number in sorted(found)]


def read_model(folder: Path | str) -> tuple[dict[str, Any], list[Tensors]]:
    """Return the model that `write_model` wrote; `DataError` names a missing or damaged file."""
    facts, content = read_folder(folder)
    try:
        return facts, from_bytes(content)
    except (SafetensorError, ValueError) as error:
        raise DataError(f"{str(Path(folder) / WEIGHTS)!r} is damaged ({error})") from None
