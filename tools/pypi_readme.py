"""Write README.pypi.md, what PyPI shows: README.md without what points into the repository.

PyPI has the text alone: a link or picture that is relative would point to nothing there. If
pyproject.toml names the repository ([project.urls] Repository), links become absolute; until then
their text stays and pictures are left out. A test holds README.pypi.md against README.md.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "README.pypi.md"
_PICTURE = re.compile(r"!\[([^\]]*)\]\((?!https?://)([^)]+)\)\n*")
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?://|#|mailto:)([^)]+)\)")


def pypi_text(readme: str, repository: str | None) -> str:
    """Return the README as PyPI shows it."""
    if repository is None:
        return _LINK.sub(r"\1", _PICTURE.sub("", readme))
    base = repository.rstrip("/")
    text = _PICTURE.sub(lambda m: f"![{m[1]}]({base}/raw/main/{m[2]})\n\n", readme)
    return _LINK.sub(lambda m: f"[{m[1]}]({base}/blob/main/{m[2]})", text)


def made() -> str:
    """Return what README.pypi.md must hold."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return pypi_text(readme, project.get("urls", {}).get("Repository"))


if __name__ == "__main__":
    TARGET.write_text(made(), encoding="utf-8", newline="\n")
