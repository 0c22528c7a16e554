"""Coverage and size by simulation, as `make coverage` has counted them: its tables, taken over."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
# Page -> what it is about, and the sections of it that are shown.
_PAGES = {
    "coverage.md": (
        "Models and their differences",
        ("Coverage of nominal 95 % intervals", "Size of tests at the 5 % level"),
    ),
    "coverage_coefficients.md": (
        "Slopes by context",
        ("Coverage of nominal 95 % intervals", "Size of tests at the 5 % level"),
    ),
    "coverage_measurement.md": (
        "The factor model and invariance",
        (
            "Coverage of 95 % intervals of the factor model",
            "Coverage of 95 % intervals of contrasts between contexts",
            "Size of the tests of invariance at the 5 % level",
        ),
    ),
    "coverage_reliability.md": (
        "Intraclass correlations",
        (
            "Coverage of 95 % intervals of ICC(1,1)",
            "Coverage of 95 % intervals of ICC(A,1) and ICC(C,1)",
        ),
    ),
}


def section() -> str:
    """Return the tables of coverage and size, under headings of their own."""
    parts = [
        "## Coverage and size, simulated\n",
        "The tables that `make coverage` wrote, by simulation from known truths; how, and all "
        "else, stands on the page that each heading names.\n",
    ]
    for page, (about, titles) in _PAGES.items():
        text = (DOCS / page).read_text(encoding="utf-8")
        parts.append(f"### {about} ([{page.removesuffix('.md')}]({page}))\n")
        parts += [_taken(text, title, page) for title in titles]
    return "\n".join(parts)


def _taken(text: str, title: str, page: str) -> str:
    """Return one section of a page, its headings two levels lower, without pictures."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    if found is None:
        raise ValueError(f"docs/{page} has no section {title!r}")
    body = re.sub(r"^!\[.*\]\(.*\)\n\n?", "", found[1], flags=re.MULTILINE)
    body = re.sub(r"^###", "#####", body, flags=re.MULTILINE)
    return f"#### {title}\n{body.rstrip()}\n"
