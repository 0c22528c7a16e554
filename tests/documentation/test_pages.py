"""Every block of code in the documentation runs, and prints what the page says."""

from __future__ import annotations

from pathlib import Path

import pytest
from documentation.pages import DOCS, agrees, pages, run

PAGES = pages()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(DOCS.parent)))
def test_the_code_runs_and_prints_what_the_page_says(path: Path, tmp_path: Path) -> None:
    for block_output in run(path, tmp_path):
        assert agrees(block_output.wanted, block_output.printed), (
            f"{path.name}, line {block_output.block.line}: the page says\n{block_output.wanted}\n"
            f"but this is printed\n{block_output.printed}"
        )


def test_a_page_that_says_something_else_is_found() -> None:
    assert agrees("a\nb\n", "a\nb\n")
    assert agrees("a\n...\nd\n", "a\nb\nc\nd\n")
    assert not agrees("a\nb\n", "a\nc\n")
    assert not agrees("a\n...\nd\n", "a\nb\nc\n")
