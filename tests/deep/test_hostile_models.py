"""A model's folder from somebody else: damage is found, and no entry is believed unchecked."""

from __future__ import annotations

import copy
import hashlib
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from deep.made_clips import trending_clips
from safetensors.torch import load, save

from pyexpr.base.errors import DataError
from pyexpr.deep import LSTMRegressor
from pyexpr.deep.model_folder import CONFIGURATION, OWN_HASH, WEIGHTS, WEIGHTS_HASH, write_model

# What a number, a text, a list or a table may be exchanged for.
VALUES: list[Any] = [
    None, True, -1, 0, 3, 1 << 31, 10**400, 1e308, float("nan"), float("inf"), "", "x", "\x00",
    [], [1], [[1]], ["x"], {}, {"table": {}}, {"table": {"a": [1], "b": []}}, {"a": {"b": 1}},
]  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    X, y, subjects = trending_clips(5)
    model = LSTMRegressor(4, 1, max_epochs=2, n_seeds=2, tune={"lr": [0.01, 0.02]}, progress=False)
    return model.fit(X, y, groups=subjects).save(tmp_path_factory.mktemp("saved") / "model")


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    for name in (CONFIGURATION, WEIGHTS):
        (tmp_path / name).write_bytes((saved / name).read_bytes())
    return tmp_path


def sealed_again(folder: Path, facts: dict[str, Any], weights: bytes | None = None) -> None:
    """Write facts with the hashes that they should have, as somebody can who means harm."""
    rest = {name: value for name, value in facts.items() if name not in (OWN_HASH, WEIGHTS_HASH)}
    write_model(folder, rest, weights or (folder / WEIGHTS).read_bytes(), overwrite=True)


def is_equal_json(content: bytes, other: bytes) -> bool:
    """Return whether the last digit that differs is beyond the precision of the number."""
    try:
        return bool(json.loads(content) == json.loads(other))
    except ValueError:
        return False


@pytest.mark.parametrize("name", [CONFIGURATION, WEIGHTS])
def test_no_changed_byte_passes(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    equal = 0
    for at in range(0, len(content), 3):
        changed = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        if is_equal_json(changed, content):
            equal += 1
            continue
        (folder / name).write_bytes(changed)
        with pytest.raises(DataError, match=name):
            LSTMRegressor.load(folder)
    assert equal < 20
    for length in range(0, len(content) - 1, 37):
        (folder / name).write_bytes(content[:length])
        with pytest.raises(DataError, match=name):
            LSTMRegressor.load(folder)


def test_the_layout_of_the_file_does_not_matter(folder: Path) -> None:
    facts = json.loads((folder / CONFIGURATION).read_text())
    (folder / CONFIGURATION).write_text(json.dumps(dict(reversed(facts.items()))))
    assert LSTMRegressor.load(folder).seeds_ == [0, 1]


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        (["fitted", "config_", "hidden_size"], 1 << 20, "weight .* is 1 x 4 of float32, but"),
        (["fitted", "config_", "num_layers"], 999, "which is missing"),
        (["fitted", "config_", "num_layers"], 1 << 40, "num_layers does not belong to a model"),
        (["fitted", "config_", "dropout"], 1.0, "config_.dropout does not belong"),
        (["fitted", "config_", "more"], 1, "config_.more does not belong to a model: Extra"),
        (["fitted", "label_scale_"], 0, "label_scale_ does not belong"),
        (["fitted", "label_mean_"], "0.42", "label_mean_ does not belong .* must be a number"),
        (["fitted", "seeds_"], [0], "best_epochs_ has 2 values for 1 seeds"),
        (["fitted", "__class__"], "x", "__class__ does not belong to a model"),
        (["fitted", "history_"], {"table": {"a": [1], "b": []}}, "different lengths"),
        (["parameters", "lr"], -1, r"is not a description of LSTMRegressor: lr="),
        (["parameters", "columns"], "nose", "is not a description of LSTMRegressor"),
        (["parameters", "code"], "x", "not those of this version of pyexpr .*code"),
        (["parameters"], [1], "not those of this version"),
        (["model"], ["x"], "not a LSTMRegressor"),
    ],
)
def test_entries_out_of_bounds(folder: Path, place: list[str], value: Any, sentence: str) -> None:
    facts = json.loads((folder / CONFIGURATION).read_text())
    inner = facts
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    sealed_again(folder, facts)
    with pytest.raises(DataError, match=sentence):
        LSTMRegressor.load(folder)


def test_entries_that_are_missing(folder: Path) -> None:
    whole = json.loads((folder / CONFIGURATION).read_text())
    for part in ("parameters", "fitted"):
        for name in (None, *whole[part]):
            facts = copy.deepcopy(whole)
            del (facts if name is None else facts[part])[part if name is None else name]
            sealed_again(folder, facts)
            with pytest.raises(DataError, match=part):
                LSTMRegressor.load(folder)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda weights: {}, "there are 2 seeds, but weights of 0"),
        (lambda weights: {**weights, "2/more": torch.zeros(1)}, "weights of 3"),
        (lambda weights: {**weights, "0/more": torch.zeros(1)}, "'more', which the model does not"),
        (lambda weights: {**weights, "x/more": torch.zeros(1)}, "is damaged"),
        (lambda weights: {**weights, "0/head.bias": torch.zeros(2)}, "is 2 of float32, but"),
        (lambda weights: {**weights, "0/head.bias": torch.zeros(1).half()}, "1 of float16, but"),
        (lambda weights: {**weights, "1/head.bias": torch.tensor([torch.nan])}, "is not finite"),
    ],
)
def test_weights_of_another_model(
    folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]], sentence: str
) -> None:
    facts = json.loads((folder / CONFIGURATION).read_text())
    weights = save(change(load((folder / WEIGHTS).read_bytes())))
    sealed_again(folder, facts, weights)
    with pytest.raises(DataError, match=sentence):
        LSTMRegressor.load(folder)


def leaves(facts: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where in nested facts something stands."""
    inside: Any = facts.items() if isinstance(facts, dict) else enumerate(facts)
    for name, value in inside:
        yield (*path, name)
        if isinstance(value, (dict, list)):
            yield from leaves(value, (*path, name))


def test_no_entry_ends_in_an_error_of_another_kind(folder: Path) -> None:
    whole = json.loads((folder / CONFIGURATION).read_text())
    weights = (folder / WEIGHTS).read_bytes()
    draws = random.Random(1)
    refused = 0
    places = list(leaves({name: whole[name] for name in ("model", "parameters", "fitted")}))
    for _ in range(400):
        facts = copy.deepcopy(whole)
        *path, last = draws.choice(places)
        inner = facts
        for name in path:
            inner = inner[name]
        inner[last] = draws.choice(VALUES)
        sealed_again(folder, facts, weights)
        try:
            LSTMRegressor.load(folder)
        except DataError:
            refused += 1
    # Others are values that a model may have, such as another title of a device.
    assert refused > 200


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"weights_sha256": 1}', b"1" * 5000],
)
def test_files_that_are_no_configuration(folder: Path, content: bytes) -> None:
    (folder / CONFIGURATION).write_bytes(content)
    with pytest.raises(DataError, match="is not the configuration of a model"):
        LSTMRegressor.load(folder)


def test_a_configuration_of_endless_size(folder: Path) -> None:
    with (folder / CONFIGURATION).open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(DataError, match="more than 64 MB"):
        LSTMRegressor.load(folder)


def test_the_hash_is_of_the_entries(folder: Path) -> None:
    facts = json.loads((folder / CONFIGURATION).read_text())
    rest = {name: facts[name] for name in sorted(facts) if name != OWN_HASH}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    assert facts[OWN_HASH] == hashlib.sha256(text.encode()).hexdigest()
