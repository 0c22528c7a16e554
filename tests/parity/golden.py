"""Numbers made by R: as kept in tests/golden, or made anew by the same script."""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pandas as pd

from parity.comparison import NotHereError, Peer

GOLDEN = Path(__file__).parents[1] / "golden"


def kept(_script: str) -> Path:
    """Return the folder of the numbers that are committed."""
    return GOLDEN


@cache
def made_now(script: str) -> Path:
    """Run make_<script>.R in a folder of its own and return that folder."""
    folder = Path(tempfile.mkdtemp(prefix="pyexpr-parity-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    source = GOLDEN / f"make_{script}.R"
    done = subprocess.run(
        ["Rscript", "--vanilla", str(source)], cwd=folder, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if "there is no package called" in done.stderr:
        raise NotHereError(done.stderr.strip().splitlines()[0])
    if done.returncode:
        raise RuntimeError(f"{source.name} failed:\n{done.stderr}")
    return folder


SOURCES = {"kept": kept, "made now": made_now}


def r_package(package: str, script: str, source: str) -> Peer:
    """Return an R package as a peer whose numbers are in tests/golden, or are made now."""

    def version() -> str:
        table = pd.read_csv(SOURCES[source](script) / f"{script}_versions.csv", dtype=str)
        number = table.set_index("package").loc[package, "version"]
        return f"{number} ({source})"

    return Peer(package, version, source)


def exact(folder: Path, name: str, *, words: tuple[str, ...] = ()) -> pd.DataFrame:
    """Read a table of numbers to their last digit, the columns `words` as text."""
    table = pd.read_csv(folder / name, dtype=str, keep_default_na=False)
    numbers = {
        column: table[column].replace({"": "nan", "NA": "nan"}).map(float)
        for column in table
        if column not in words
    }
    return table.assign(**numbers)
