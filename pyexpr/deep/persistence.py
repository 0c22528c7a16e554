"""A fitted model as safetensors and JSON. Loading it never runs code from the file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save

from pyexpr.base.errors import DataError
from pyexpr.base.files import sha256, whole_file, writable_folder, write_text
from pyexpr.base.outputs import check_folder_outputs
from pyexpr.deep.checkpoints import Tensors, copied

WEIGHTS = "weights.safetensors"
CONFIGURATION = "model.json"


def to_bytes(modules: Sequence[Any]) -> bytes:
    """Return the weights of several modules as one safetensors file."""
    tensors = {
        f"{number}/{name}": value
        for number, module in enumerate(modules)
        for name, value in copied(module.state_dict()).items()
    }
    return bytes(save(tensors))


def from_bytes(content: bytes) -> list[Tensors]:
    """Return the weights of each module that `to_bytes` was given."""
    found: dict[int, Tensors] = {}
    for key, value in load(content).items():
        number, _, name = key.partition("/")
        found.setdefault(int(number), {})[name] = value
    return [found[number] for number in sorted(found)]


def write_model(
    folder: Path | str,
    facts: dict[str, Any],
    weights: bytes,
    *,
    inputs: Iterable[Path | str] = (),
    overwrite: bool = False,
) -> Path:
    """Write ``weights.safetensors`` and ``model.json``, which holds the hash of the former.

    Written in this order, so that a folder with both and equal hashes is whole. `OutputError`
    if that would replace `inputs`, or, without `overwrite`, files that are no model's.
    """
    check_folder_outputs(
        Path(folder),
        (WEIGHTS, CONFIGURATION),
        own=_own_files(Path(folder)),
        inputs=inputs,
        overwrite=overwrite,
        what="the model",
    )
    target = writable_folder(folder)
    with whole_file(target / WEIGHTS) as temporary:
        temporary.write_bytes(weights)
    digest = hashlib.sha256(weights).hexdigest()
    write_text(
        target / CONFIGURATION, json.dumps({**facts, "weights_sha256": digest}, indent=1) + "\n"
    )
    return target


def _own_files(folder: Path) -> list[str]:
    """Return which files of an earlier model are in a folder."""
    try:
        facts = json.loads((folder / CONFIGURATION).read_text(encoding="utf-8"))
        whole = sha256(folder / WEIGHTS) == facts["weights_sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [WEIGHTS, CONFIGURATION] if whole else []


def read_model(folder: Path | str) -> tuple[dict[str, Any], list[Tensors]]:
    """Return what `write_model` wrote; `DataError` says which file is missing or damaged."""
    source = Path(folder)
    for name in (CONFIGURATION, WEIGHTS):
        if not (source / name).is_file():
            raise DataError(
                f"{str(source)!r} holds no model: there is no file {name!r}; name a folder that "
                "save() wrote"
            )
    try:
        facts = json.loads((source / CONFIGURATION).read_text(encoding="utf-8"))
        expected, _, _ = facts["weights_sha256"], facts["parameters"], facts["fitted"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{str(source / CONFIGURATION)!r} is not the configuration of a model ({error}); "
            "save the model again"
        ) from None
    content = (source / WEIGHTS).read_bytes()
    if hashlib.sha256(content).hexdigest() != expected:
        raise DataError(
            f"{str(source / WEIGHTS)!r} is not the file described in {CONFIGURATION!r} (its hash "
            "differs); save the model again"
        )
    try:
        return facts, from_bytes(content)
    except (SafetensorError, ValueError) as error:
        raise DataError(f"{str(source / WEIGHTS)!r} is damaged ({error})") from None
