"""A model is written over models alone, and read only as what was written."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pyexpr.base.errors import DataError
from pyexpr.base.files import OutputError, sha256
from pyexpr.deep.persistence import CONFIGURATION, WEIGHTS, read_model, write_model
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


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no model"):
        read_model(tmp_path)
