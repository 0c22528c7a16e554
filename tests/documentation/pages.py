"""The code on a page of the documentation, run from top to bottom in one folder.

- ``python``: executed; all blocks of a page share their names.
- ``console``: lines that begin with ``$`` are commands; ``pyexpr`` is this checkout's, called in
  this process.
- ``toml`` or ``csv`` whose first line is ``# name``: written to the file of that name.
- ``text`` right after ``python``, or the rest of a ``console`` block: what is printed, to
  the letter, where a line ``...`` stands for any lines.
- ``r``: one R script for the page, with this checkout's R package.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
import warnings
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from command_line import called

DOCS = Path(__file__).parents[2] / "docs"
OF_R = DOCS.parent / "R" / "README.md"
_MARK = "#-- block "
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)


@dataclass
class Block:
    """One fenced block: its language, text, and where the text stands on the page."""

    language: str
    text: str
    start: int
    end: int
    line: int


def blocks(page: str) -> list[Block]:
    return [
        Block(m[1], m[2], m.start(2), m.end(2), page.count("\n", 0, m.start()) + 1)
        for m in _FENCE.finditer(page)
    ]


def pages() -> list[Path]:
    """Every page with code that runs."""
    found = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)
    found.append(OF_R)
    return [
        path
        for path in found
        if {"python", "console", "r"} & {b.language for b in blocks(path.read_text("utf-8"))}
    ]


@dataclass
class BlockOutput:
    """What a block printed, and the part of the page that says what it should."""

    wanted: str
    printed: str
    block: Block


def run(path: Path, folder: Path) -> list[BlockOutput]:
    """Run a page in a folder; return what was printed beside what the page says."""
    page = path.read_text("utf-8")
    every = blocks(page)
    names: dict[str, object] = {"__name__": "__page__"}
    found: list[BlockOutput] = []
    for place, block in enumerate(every):
        if block.language == "python":
            printed = _python(block, names, path, folder)
            after = every[place + 1] if place + 1 < len(every) else None
            if after is not None and after.language == "text" and _adjacent(page, block, after):
                found.append(BlockOutput(after.text, printed, after))
        elif block.language == "console":
            found.append(BlockOutput(block.text, _console(block.text, folder), block))
        elif block.language in ("toml", "csv"):
            name = block.text.partition("\n")[0].removeprefix("# ").strip()
            text = block.text if block.language == "toml" else block.text.partition("\n")[2]
            (folder / name).write_text(text, encoding="utf-8")
    return [*found, *run_r(path, folder)]


def _adjacent(page: str, first: Block, second: Block) -> bool:
    return not page[first.end : second.start].replace("```text", "").replace("```", "").strip()


def _python(block: Block, names: dict[str, object], path: Path, folder: Path) -> str:
    printed = io.StringIO()
    code = compile("\n" * block.line + block.text, str(path), "exec")
    before = Path.cwd()
    os.chdir(folder)
    try:
        with redirect_stdout(printed), warnings.catch_warnings():
            # A page may show what warns; what it computes is held by other tests.
            warnings.simplefilter("ignore")
            exec(code, names)
    finally:
        os.chdir(before)
    return _trimmed(printed.getvalue())


def _console(text: str, folder: Path) -> str:
    lines = []
    for line in text.splitlines():
        if not line.startswith("$ "):
            continue
        lines += [line, *_called(shlex.split(line[2:], comments=True), folder)]
    return _trimmed("\n".join(lines))


def _called(command: list[str], folder: Path) -> list[str]:
    terminal = {"COLUMNS": "100", "TERM": "dumb"}
    if command[0] != "pyexpr":
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False,
            env={**os.environ, **terminal},
        )  # fmt: skip
        return [*done.stdout.splitlines(), *done.stderr.splitlines()]
    with chdir(folder), mock.patch.dict(os.environ, terminal):
        printed, errors, _ = called(*command[1:])
    return [*printed.splitlines(), *errors.splitlines()]


def run_r(path: Path, folder: Path) -> list[BlockOutput]:
    """Run the R blocks of a page as one script, with this checkout's R package."""
    page = path.read_text("utf-8")
    every = blocks(page)
    script = "".join(
        f'cat("{_MARK}{i}\\n")\n{block.text}\n'
        for i, block in enumerate(every)
        if block.language == "r"
    )
    if not script:
        return []
    # library(pyexpr) on the page is the package of this checkout, loaded before.
    begin = f'suppressMessages(pkgload::load_all("{DOCS.parent / "R"}", quiet = TRUE))\n'
    (folder / "page.R").write_text(begin + script, encoding="utf-8")
    done = subprocess.run(
        ["Rscript", "--no-save", "--no-restore", "page.R"],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "RETICULATE_PYTHON": sys.executable, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{path.name}: {done.stderr}")
    found = []
    for i, block in enumerate(every[:-1]):
        after = every[i + 1]
        if block.language == "r" and after.language == "text" and _adjacent(page, block, after):
            printed = done.stdout.partition(f"{_MARK}{i}\n")[2].partition(_MARK)[0]
            found.append(BlockOutput(after.text, _trimmed(printed), after))
    return found


def _trimmed(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.rstrip().splitlines())


def agrees(wanted: str, printed: str) -> bool:
    """Whether what was printed is what the page says; ``...`` stands for any lines."""
    if "...\n" not in wanted:
        return wanted == printed
    parts = [re.escape(part) for part in re.split(r"^\.\.\.\n", wanted, flags=re.MULTILINE)]
    return re.fullmatch("(?:.*\n)*".join(parts), printed) is not None
