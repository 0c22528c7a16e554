"""What the cheat sheet calls is there and has the arguments that it names; no call is run."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pyexpr as px
from pyexpr.base.results import Result

ROOT = Path(__file__).parents[1]
SHEET = (ROOT / "docs" / "cheat_sheet.md").read_text(encoding="utf-8")
CODE = re.findall(r"`([^`]+)`", SHEET)
RESULTS = (
    px.ComparisonResult, px.CFAResult, px.ICCResult, px.VarianceComponentsResult, px.PlanResult,
    Result,
)  # fmt: skip


def _call(text: str) -> ast.Call:
    node = ast.parse(text, mode="eval").body
    assert isinstance(node, ast.Call)
    return node


def _fits(function: object, call: ast.Call) -> None:
    assert callable(function)
    signature = inspect.signature(function)
    named = {word.arg: None for word in call.keywords if word.arg is not None}
    signature.bind(*[None for _ in call.args], **named)


def test_python_functions_take_what_is_stated() -> None:
    calls = [text for text in CODE if text.startswith("px.") and "(" in text]
    assert len(calls) > 20
    for text in calls:
        call = _call(text)
        inner = call.func
        while isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Call):
            inner = inner.value.func
        names = ast.unparse(inner).split(".")[1:]
        function: object = px
        for name in names:
            function = getattr(function, name)
        if inner is call.func:
            _fits(function, call)


def test_methods_are_results_methods() -> None:
    methods = [text for text in CODE if re.match(r"\.[a-z_]+\(", text)]
    assert len(methods) > 8
    for text in methods:
        name = text[1 : text.index("(")]
        if name == "savefig":  # The figure's.
            continue
        owners = [one for one in RESULTS if hasattr(one, name)]
        assert owners, text
        call = _call(f"result{text}")
        call.args.insert(0, ast.Constant(None))
        _fits(getattr(owners[0], name), call)


def test_r_functions_are_exported_and_commands_exist() -> None:
    from pyexpr.cli.main import app

    exported = set(
        re.findall(r"^export\((\w+)\)", (ROOT / "R/NAMESPACE").read_text(), re.MULTILINE)
    )
    # autoplot is ggplot2's generic, the others R's own.
    exported |= {"autoplot", "print", "saveRDS", "c"}
    commands = {one.name or one.callback.__name__ for one in app.registered_commands}  # type: ignore[union-attr]
    seen = 0
    for row in SHEET.splitlines():
        cells = [cell.strip(" `") for cell in row.strip("|").split("|")]
        if not row.startswith("|") or len(cells) < 3:
            continue
        called = re.match(r"(\w+)\(", cells[2])
        if called:
            seen += 1
            assert called[1] in exported, row
        if len(cells) > 3 and cells[3].startswith("pyexpr "):
            assert cells[3].split()[1] in commands, row
    assert seen > 20
