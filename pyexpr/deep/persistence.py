"""A fitted model as safetensors and JSON. Loading it never runs code from the file.

``model.json`` holds the hash of the weights and one of its own entries, so that a single changed
digit in either file is found.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
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
#: Entries of the configuration with the hashes of the weights, and of the other entries.
WEIGHTS_HASH, OWN_HASH = "weights_sha256", "sha256"
# Bytes of a configuration: that of 10,000 epochs of ten seeds has 10 MB.
_LARGEST = 64 << 20


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
    whole = {**facts, WEIGHTS_HASH: hashlib.sha256(weights).hexdigest()}
    whole[OWN_HASH] = _hash_of(whole)
    write_text(target / CONFIGURATION, json.dumps(whole, indent=1) + "\n")
    return target


def _hash_of(facts: Mapping[str, Any]) -> str:
    """Return the hash of all entries but that of the hash itself, however they are laid out."""
    rest = {name: value for name, value in facts.items() if name != OWN_HASH}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _own_files(folder: Path) -> list[str]:
    """Return which files of an earlier model are in a folder."""
    try:
        facts = _configuration(folder / CONFIGURATION)
        whole = sha256(folder / WEIGHTS) == facts[WEIGHTS_HASH]
    except (OSError, DataError):
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
    facts = _configuration(source / CONFIGURATION)
    content = (source / WEIGHTS).read_bytes()
    if hashlib.sha256(content).hexdigest() != facts[WEIGHTS_HASH]:
        raise DataError(
            f"{str(source / WEIGHTS)!r} is not the file described in {CONFIGURATION!r} (its hash "
            "differs); save the model again"
        )
    try:
        return facts, from_bytes(content)
    except (SafetensorError, ValueError) as error:
        raise DataError(f"{str(source / WEIGHTS)!r} is damaged ({error})") from None


def _configuration(path: Path) -> dict[str, Any]:
    """Return the entries of a configuration; `DataError` if it is none, or was changed."""
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise DataError(
            f"{str(path)!r} is not the configuration of a model: it has more than "
            f"{_LARGEST >> 20} MB"
        )
    try:
        facts = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{str(path)!r} is not the configuration of a model ({error}); save the model again"
        ) from None
    if not isinstance(facts, dict) or not isinstance(facts.get(WEIGHTS_HASH), str):
        raise DataError(f"{str(path)!r} is not the configuration of a model; save the model again")
    if facts.get(OWN_HASH) != _hash_of(facts):
        raise DataError(
            f"{str(path)!r} was changed after the model was saved (its hash differs); save the "
            "model again"
        )
    return facts
