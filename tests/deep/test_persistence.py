"""A model is written over models alone, and read only as what was written."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from any_label import ANY, examples
from faults.writing import weights
from hypothesis import given
from hypothesis import strategies as st

from pyexpr.base.errors import DataError
from pyexpr.base.files import OutputError, sha256
from pyexpr.deep import model_folder
from pyexpr.deep.model_folder import (
    CONFIGURATION,
    OWN_HASH,
    WEIGHTS,
    WEIGHTS_HASH,
    read_folder,
    write_model,
)
from pyexpr.deep.persistence import read_model, to_bytes
from pyexpr.deep.resnet3d import Video3DNet, pretrained_state

FACTS = {"parameters": {}, "fitted": {}}


def test_a_model_replaces_a_model_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    write_model(folder, FACTS, b"one")
    write_model(folder, FACTS, b"two")
    assert (folder / WEIGHTS).read_bytes() == b"two"
    for name in (WEIGHTS, CONFIGURATION):
        other = tmp_path / name
        other.mkdir()
        (other / name).write_text("mine")
        with pytest.raises(OutputError, match=f"the model would replace 1 file .*'{name}'"):
            write_model(other, FACTS, b"three")
        assert (other / name).read_text() == "mine"
        write_model(other, FACTS, b"three", overwrite=True)
        assert (other / WEIGHTS).read_bytes() == b"three"


def test_a_model_does_not_replace_the_weights_it_began_with(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", FACTS, b"one")
    with pytest.raises(OutputError, match="that is read for them"):
        write_model(folder, FACTS, b"two", inputs=[folder / WEIGHTS], overwrite=True)
    assert (folder / WEIGHTS).read_bytes() == b"one"


def test_weights_that_were_exchanged_after_they_were_hashed(tmp_path: Path) -> None:
    path = tmp_path / "r3d.pth"
    torch.save(Video3DNet().body.state_dict(), path)
    known = sha256(path)
    assert pretrained_state(path, known)
    with torch.no_grad():
        torch.save(Video3DNet().body.state_dict(), path)
    with pytest.raises(DataError, match="was changed while it was used"):
        pretrained_state(path, known)


@pytest.mark.parametrize("earlier", [False, True])
def test_a_model_whose_saving_was_stopped_between_its_files_is_saved_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, earlier: bool
) -> None:
    module = torch.nn.Linear(2, 1)
    folder, undisturbed = tmp_path / "model", tmp_path / "undisturbed"
    if earlier:
        write_model(folder, FACTS, to_bytes([torch.nn.Linear(2, 1)]))

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(model_folder, "write_text", stopped)
        with pytest.raises(KeyboardInterrupt):
            write_model(folder, FACTS, to_bytes([module]))
    # Neither the old model nor the new one, and not taken for either.
    with pytest.raises(DataError, match=r"no file 'model\.json'|its hash differs"):
        read_model(folder)
    for place in (folder, undisturbed):
        write_model(place, FACTS, to_bytes([module]))
    for name in (WEIGHTS, CONFIGURATION):
        assert (folder / name).read_bytes() == (undisturbed / name).read_bytes()


def test_files_of_two_models_are_not_taken_for_one(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        write_model(folder, FACTS, to_bytes([torch.nn.Linear(2, 1)]))
    (one / WEIGHTS).write_bytes((other / WEIGHTS).read_bytes())
    with pytest.raises(DataError, match="its hash differs"):
        read_model(one)


@examples(30)
@given(
    facts=st.dictionaries(
        ANY,
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | ANY,
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY, inner, max_size=3),
            max_leaves=8,
        ),
        max_size=4,
    )
)
def test_a_model_folder_is_read_back_equal(
    tmp_path_factory: pytest.TempPathFactory, facts: dict[str, object]
) -> None:
    facts = {name: value for name, value in facts.items() if name not in (OWN_HASH, WEIGHTS_HASH)}
    folder = write_model(tmp_path_factory.getbasetemp() / "any model", facts, weights(0.5))
    found, content = read_folder(folder)
    assert {name: found[name] for name in facts} == facts
    assert set(found) == {*facts, OWN_HASH, WEIGHTS_HASH}
    assert content == weights(0.5)


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no model"):
        read_model(tmp_path)
