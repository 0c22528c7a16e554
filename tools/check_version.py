"""The version stands in four files: check_version.py [TAG] says where they, or the tag, differ."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PLACES = {
    "pyexpr/__init__.py": r'^__version__ = "([^"]+)"',
    "CITATION.cff": r"^ *version: (\S+)",
    "R/DESCRIPTION": r"^Version: (\S+)",
    "recipe/recipe.yaml": r'^  version: "([^"]+)"',
}


def versions(root: Path = ROOT) -> dict[str, str]:
    """Return where a version stands, and which."""
    found = {}
    for name, pattern in PLACES.items():
        text = (root / name).read_text(encoding="utf-8")
        for place, version in enumerate(re.findall(pattern, text, re.MULTILINE)):
            found[f"{name}{f' ({place + 1})' if place else ''}"] = version
    return found


def main(tag: str | None = None) -> int:
    """Print what differs and return the exit status."""
    found = versions()
    if tag is not None:
        found[f"the tag {tag}"] = tag.removeprefix("v")
    if len(set(found.values())) == 1:
        print(f"version {found['pyexpr/__init__.py']} in {', '.join(found)}")
        return 0
    for place, version in found.items():
        print(f"{version} in {place}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
