"""Write a constraints file for pip with the lowest allowed version of every requirement.

It reads the dependencies, the extra `numba`, and polars from pyproject.toml. polars is only a test
requirement, because users install it themselves. If the lowest version has no wheel for this
Python, pip determines the lowest version that has one. `make test-lowest` installs these versions.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
EXTRAS = ("numba",)
BROUGHT = ("polars",)


def bounds(project: dict[str, object]) -> dict[str, str]:
    """Return name -> lower bound; every requirement must have one, and nothing else."""
    extras = project["optional-dependencies"]
    lines = [
        *project["dependencies"],
        *(line for extra in EXTRAS for line in extras[extra]),
        *(line for line in extras["test-fast"] if line.startswith(BROUGHT)),
    ]
    found = {}
    for line in lines:
        match = re.fullmatch(r"([A-Za-z0-9_.-]+)>=([0-9.]+)", line)
        if match is None:
            sys.exit(f"pyproject.toml: {line!r} must state a lower bound: name>=version")
        found[match[1]] = match[2]
    return found


def key(version: str) -> tuple[int, ...]:
    """Return a released version as something that sorts."""
    numbers = [int(part) for part in version.split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def with_wheels(name: str) -> list[str]:
    """Return the released versions that have a wheel for this Python."""
    command = [sys.executable, "-m", "pip", "index", "versions", name, "--only-binary", ":all:"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (line,) = re.findall(r"^Available versions: (.*)$", output, flags=re.MULTILINE)
    return [one for one in line.split(", ") if re.fullmatch(r"[0-9.]+", one)]


def lowest(name: str, bound: str) -> str:
    """Return the lowest version from `bound` on that can be installed without a compiler."""
    allowed = [one for one in with_wheels(name) if key(one) >= key(bound)]
    if not allowed:
        sys.exit(f"{name}: no version from {bound} on has a wheel for this Python")
    return min(allowed, key=key)


if __name__ == "__main__":
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    for name, bound in bounds(project).items():
        print(f"{name}=={lowest(name, bound)}")
