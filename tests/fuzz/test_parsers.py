"""The committed corpus, and some changes of it, through everything that reads others' text."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from fuzz.__main__ import CORPUS, changed
from fuzz.parsers import PARSERS, one_parse

FILES = [path for name in PARSERS for path in sorted((CORPUS / name).iterdir())]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_corpus(path: Path) -> None:
    one_parse(path.parent.name, path.read_bytes())


@pytest.mark.parametrize("name", PARSERS)
def test_changed_at_random(name: str) -> None:
    draw = random.Random(1)
    seeds = [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]
    for _ in range(60):
        one_parse(name, changed(draw, draw.choice(seeds)))


@pytest.mark.parametrize("name", PARSERS)
def test_something_is_read(name: str) -> None:
    ends = {one_parse(name, path.read_bytes()) for path in (CORPUS / name).iterdir()}
    assert "done" in ends
