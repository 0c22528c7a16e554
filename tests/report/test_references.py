"""The works that a report cites: complete as APA wants them, and found where they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pyexpr.report.text import references
from pyexpr.report.text.references import YEAR, Work

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("work", references._WORKS, ids=lambda one: f"{one.authors} {one.year}")
def test_an_entry_is_complete(work: Work) -> None:
    entry = "".join(text for text, _ in work.parts())
    assert f"({work.year}). " in entry
    assert re.fullmatch(r"\d{4}", work.year)
    assert entry.endswith(".")
    # The work, or what it appeared in, stands in italics.
    assert any(italic for _, italic in work.parts())
    first = work.authors.partition(" et al.")[0].partition(" & ")[0]
    assert entry.startswith(first)
    # The package has no address yet.
    assert work.address.startswith("https://") or work.authors == "The pyexpr authors"


def test_works_stand_in_their_order() -> None:
    keys = [(one.authors.casefold().removeprefix("the "), one.year) for one in references._WORKS]
    assert keys == sorted(keys)


def test_the_packages_own_year_is_that_of_its_citation_file() -> None:
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n  year: {YEAR}\n" in text.partition("preferred-citation:")[2]
