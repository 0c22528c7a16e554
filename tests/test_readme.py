"""The README's example runs, and prints what the README says."""

from __future__ import annotations

import re
import tomllib
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from pyexpr.study.file.config import StudyConfig

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str) -> tuple[str, str]:
    """Return the first block in a language, and the block that follows it."""
    found = re.search(rf"```{language}\n(.*?)```\n+(?:```\n(.*?)```)?", README, flags=re.DOTALL)
    assert found is not None
    return found[1], found[2] or ""


def test_the_example_prints_what_stands_below_it() -> None:
    code, output = block("python")
    printed = StringIO()
    with redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {})
    assert printed.getvalue() == output


def test_the_study_file_is_one() -> None:
    text, _ = block("toml")
    config = StudyConfig.model_validate(tomllib.loads(text))
    assert config.clips.schedule == "bp4d_plus"
    assert config.title == "My study"


def test_what_it_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link
