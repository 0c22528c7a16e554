"""The folder of a saved model: its files, their hashes, and the files that a model may replace.

``model.json`` holds the hash of the weights and one of its own entries, so that a single changed
digit in either file is found. Nothing here needs torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pyexpr.base.errors import DataError
from pyexpr.base.files import sha256, whole_file, writable_folder, write_text
from pyexpr.base.outputs import check_folder_outputs

WEIGHTS = "weights.safetensors"
CONFIGURATION = "model.json"
#: Entries of the configuration with the hashes of the weights, and of the other entries.
WEIGHTS_HASH, OWN_HASH = "weights_sha256", "sha256"
#: The origin of a file of weights according to its header.
MARK = {"written_by": "pyexpr"}
# Bytes of a configuration: that of 10,000 epochs of ten seeds has 10 MB.
_LARGEST = 64 << 20
# Bytes of the header of a file of weights, which begins with its length in eight bytes.
_LARGEST_HEADER = 16 << 20


def write_model(
    folder: Path | str,
    facts: dict[str, Any],
    weights: bytes,
    *,
    inputs: Iterable[Path | str] = (),
    overwrite: bool = False,
) -> Path:
    """Write ``weights.safetensors`` and ``model.json``, which holds the hash of the former.

    They are written in this order, so that a folder with both files and equal hashes is complete.
    `OutputError` is raised if that would replace `inputs` or, without `overwrite`, files that do
    not belong to a model.
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
    """Return the hash of all entries but that of the hash itself, regardless of their layout."""
    rest = {name: value for name, value in facts.items() if name != OWN_HASH}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _own_files(folder: Path) -> list[str]:
    """Return which files of an earlier model are in a folder.

    If saving was stopped between the two files, the weights are new and the configuration is old or
    missing. Both are replaced when the model is saved again.
    """
    try:
        facts = configuration(folder / CONFIGURATION)
    except (OSError, DataError):
        return [WEIGHTS] if _is_marked(folder / WEIGHTS) else []
    try:
        whole = sha256(folder / WEIGHTS) == facts[WEIGHTS_HASH] or _is_marked(folder / WEIGHTS)
    except OSError:
        return [CONFIGURATION]
    return [WEIGHTS, CONFIGURATION] if whole else [CONFIGURATION]


def _is_marked(path: Path) -> bool:
    """Tell whether the header of a file of weights says that pyexpr wrote it."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            head = json.loads(file.read(min(length, _LARGEST_HEADER)))
        return bool(head["__metadata__"] == MARK)
    except (OSError, LookupError, TypeError, ValueError, RecursionError):
        return False


def read_folder(folder: Path | str) -> tuple[dict[str, Any], bytes]:
    """Return the configuration and the bytes of the weights after checking their hashes.

    Raises
    ------
    DataError
        A file is missing or damaged.
    """
    source = Path(folder)
    for name in (CONFIGURATION, WEIGHTS):
        if not (source / name).is_file():
            raise DataError(
                f"{str(source)!r} holds no model: there is no file {name!r}; name a folder that "
                "save() wrote"
            )
    facts = configuration(source / CONFIGURATION)
    content = (source / WEIGHTS).read_bytes()
    if hashlib.sha256(content).hexdigest() != facts[WEIGHTS_HASH]:
        raise DataError(
            f"{str(source / WEIGHTS)!r} is not the file described in {CONFIGURATION!r} (its hash "
            "differs); save the model again"
        )
    return facts, content


def configuration(path: Path) -> dict[str, Any]:
    """Return the entries of a configuration; `DataError` if it is invalid or was changed."""
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
