"""Messages are data: code declares, uses and compares their codes, never their words."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from pyexpr.base.messages import Message, Slot, Template, slots_of

ROOT = Path(__file__).parents[1]
# The report's reader sees no such thing.
CODE = {"argument", "call", "code", "column", "option", "table", "value"}


@cache
def sources() -> dict[Path, ast.Module]:
    paths = sorted((ROOT / "pyexpr").rglob("*.py"))
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def declared() -> Iterator[tuple[Path, str, str]]:
    """Yield file, name and code of every template with a code."""
    for path, tree in sources().items():
        for node in tree.body:
            if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)):
                continue
            call: ast.expr = node.value
            while isinstance(call, ast.Call) and isinstance(call.func, ast.Call):
                call = call.func
            assert isinstance(call, ast.Call)
            if isinstance(call.func, ast.Name) and call.func.id == "Template":
                assert isinstance(node.targets[0], ast.Name)
                yield path, node.targets[0].id, ast.literal_eval(call.args[0])


def test_every_code_is_declared_once_and_used() -> None:
    found = list(declared())
    assert len(found) > 100
    codes = Counter(code for _, _, code in found)
    assert [code for code, n in codes.items() if n > 1] == []
    used = Counter(
        node.id
        for tree in sources().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    )
    assert [name for _, name, _ in found if not used[name]] == []


def templates() -> list[Template]:
    found: dict[str, Template] = {}
    modules = {path.relative_to(ROOT).with_suffix("") for path, _, _ in declared()}
    for module in modules:
        if "deep" in module.parts:
            continue
        for value in vars(import_module(".".join(module.parts))).values():
            one: Any = value.template if isinstance(value, Message) else value
            if isinstance(one, Template) and one.code:
                found[one.code] = one
    return list(found.values())


def test_no_reader_of_a_report_is_shown_code() -> None:
    shown = {}
    for one in templates():
        text = one.text if one.report is None else one.report
        kinds = {part.kind for part in slots_of(text) if isinstance(part, Slot)} & CODE
        if kinds:
            shown[one.code] = kinds
    assert shown == {}


def test_words_of_code_are_fields() -> None:
    """An option or a column that stands in the text as such would stay Python's in R."""
    option = re.compile(
        r"(?<![\w`./\\-])[a-z_]+=(?!=)|(?<!\w)(True|False|None|p_value|std_error)\b"
    )
    plain = {
        one.code: "".join(part for part in slots_of(one.text) if isinstance(part, str))
        for one in templates()
    }
    assert {code: text for code, text in plain.items() if option.search(text)} == {}


MESSAGE_NAMES = re.compile(r"^(notes?|reasons?|remarks?|messages?|why)$")
CUTS = {
    "startswith", "endswith", "removesuffix", "removeprefix", "partition", "rpartition", "split",
    "replace", "contains", "fullmatch", "match", "search", "sub",
}  # fmt: skip


def name_of(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return name_of(node.value) if node.attr == "str" else node.attr
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    return ""


def is_words(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value


def matched_words(tree: ast.Module) -> list[int]:
    """Return the lines that ask for the words of what was said."""
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            is_message = any(MESSAGE_NAMES.match(name_of(side)) for side in sides)
            if is_message and any(map(is_words, sides)):
                lines.append(node.lineno)
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in CUTS
            and (
                MESSAGE_NAMES.match(name_of(node.func.value))
                or any(MESSAGE_NAMES.match(name_of(argument)) for argument in node.args)
            )
        ):
            lines.append(node.lineno)
    return lines


def test_the_package_compares_no_words_of_its_own() -> None:
    found = {
        str(path.relative_to(ROOT)): lines
        for path, tree in sources().items()
        if (lines := matched_words(tree))
    }
    assert found == {}


@pytest.mark.parametrize(
    "code",
    [
        '"not admissible" in note', 'reason == "nothing is held equal"', 'note.startswith("w: ")',
        'table["reason"].str.contains(_INSTEAD)', "note.removesuffix(MEANS_ELSEWHERE)",
        "_BINS.fullmatch(reason)", 'message.partition(" Scores")',
    ],
)  # fmt: skip
def test_comparisons_with_words_are_found(code: str) -> None:
    assert matched_words(ast.parse(code)) == [1]
