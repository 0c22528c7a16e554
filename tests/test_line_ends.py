"""No file is written with the line ends of the system: the same bytes on Windows as on Linux."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pyexpr

PACKAGE = Path(pyexpr.__file__).parent


def _faults(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        named = {keyword.arg for keyword in node.keywords}
        if name == "to_csv" and "lineterminator" not in named:
            yield f"line {node.lineno}: to_csv() without lineterminator="
        if name == "write_text" and isinstance(node.func, ast.Attribute) and "newline" not in named:
            yield f"line {node.lineno}: .write_text() without newline="
        modes = [
            value.value
            for value in [*node.args, *(keyword.value for keyword in node.keywords)]
            if isinstance(value, ast.Constant) and isinstance(value.value, str)
        ]
        writes = any(set(mode) <= set("wxa+t") and set(mode) & set("wxa") for mode in modes if mode)
        if ast.unparse(node.func) == "av.open":
            continue
        if name == "open" and writes and "newline" not in named:
            yield f"line {node.lineno}: open() for text without newline="


def test_line_ends_are_chosen_wherever_text_is_written() -> None:
    faults = [
        f"{path.relative_to(PACKAGE)}, {fault}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for fault in _faults(path.read_text("utf-8"))
    ]
    assert faults == []


def test_the_faults_are_seen() -> None:
    assert [*_faults('open(p, "w")\np.open(mode="a")\np.write_text(t)\nt.to_csv(p)')] == [
        "line 1: open() for text without newline=",
        "line 2: open() for text without newline=",
        "line 3: .write_text() without newline=",
        "line 4: to_csv() without lineterminator=",
    ]
    assert not [*_faults('open(p, "wb")\nopen(p)\np.open("w", newline="")\nwrite_text(p, t)')]
