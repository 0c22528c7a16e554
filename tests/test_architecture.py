"""The two rules of the house: arrows point down; foreign things enter by one door.

Read from the source by `ast`, without importing it.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "pyexpr"

# A room may import the rooms of lower floors, and its own.
FLOORS = {
    "base": 0,
    "core": 1,
    "words": 1,
    "figures": 2,
    "resampling": 2,
    "behavior": 3,
    "inference": 3,
    "measurement": 3,
    "simulation": 3,
    "modeling": 4,
    "planning": 4,
    "deep": 5,
    "report": 6,
    "diagnosis": 7,
    "study": 7,
    "paper": 8,
    "cli": 9,
    "hosted": 9,
    "__main__": 10,
}

# What is foreign -> where alone it may be imported.
ONLY_IMPORTERS = {
    "pyexpr._core": "core/extension.py",
    "numba": "inference/bootstrap/compiled.py",
    "rpy2": "measurement/engines/rpy2_engine.py",
    "matplotlib.pyplot": "figures/plotting.py",
    "torch": "deep/",
    "torchvision": "deep/",
    "lightning": "deep/",
    "safetensors": "deep/",
    "av": "base/video_file.py",
    "docx": "report/word/document.py",
    "narwhals": "base/foreign.py",
    "fsspec": "base/remote_files.py",
    "dask_jobqueue": "base/job_queue.py",
    "mediapipe": "behavior/tracking/mediapipe_tracker.py",
}


# What may print to standard output, which of commands with --json and of other hosts holds results.
PRINTERS = (
    "cli/",
    "measurement/engines/r_install.py",
    "paper/beside_truth.py",
    "report/tables/console.py",
    "study/results/summary.py",
)


def modules() -> dict[str, Path]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = ("pyexpr", *path.relative_to(PACKAGE).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imported_names(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where an arrow points"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, (ast.Name, ast.Attribute))
            and (node.func.id if isinstance(node.func, ast.Name) else node.func.attr)
            in {"import_module", "__import__"}
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            names.add(str(node.args[0].value))
    return names


def arrows() -> dict[str, set[str]]:
    known = modules()
    graph: dict[str, set[str]] = defaultdict(set)
    for name, path in known.items():
        for target in imported_names(path):
            # "from a.b import c": c is a module, or something inside a.b
            while target and target not in known:
                target = target.rpartition(".")[0]
            if target and target != name:
                graph[name].add(target)
    return graph


def room(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else None


def test_every_room_has_a_floor() -> None:
    assert {room(name) for name in modules()} - {None} <= set(FLOORS)


def test_arrows_point_down() -> None:
    upward = [
        f"{source} -> {target}"
        for source, targets in arrows().items()
        for target in targets
        if room(source)
        and room(target)
        and room(source) != room(target)
        and FLOORS[room(source)] <= FLOORS[room(target)]
    ]
    assert upward == []


def test_no_module_imports_the_bare_package() -> None:
    allowed = {"pyexpr._core"}
    bare = [
        f"{name} imports {target}"
        for name, path in modules().items()
        for target in imported_names(path)
        if target == "pyexpr"
        or (
            target.startswith("pyexpr.")
            and target.count(".") == 1
            and target not in modules()
            and target not in allowed
        )
    ]
    assert bare == []


def test_no_cycles() -> None:
    graph = arrows()
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join([*trail[trail.index(name) :], name])
        if name in done:
            return
        for target in sorted(graph[name]):
            visit(target, (*trail, name))
        done.add(name)

    for name in sorted(modules()):
        visit(name, ())


def test_no_circles_between_the_folders_of_a_room() -> None:
    """Within a room its folders too stand above one another; files beside them are rooms."""

    known = modules()

    def place(module: str) -> str:
        path = known[module].relative_to(PACKAGE)
        return path.parts[0] + "/" + path.parts[1] if len(path.parts) > 1 else path.parts[0]

    graph: dict[str, set[str]] = defaultdict(set)
    for source, targets in arrows().items():
        for target in targets:
            if room(source) == room(target) and place(source) != place(target):
                graph[place(source)].add(place(target))

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join([*trail[trail.index(name) :], name])
        for target in sorted(graph[name]):
            visit(target, (*trail, name))

    for name in sorted(graph):
        visit(name, ())


@pytest.mark.parametrize("foreign", sorted(ONLY_IMPORTERS))
def test_one_importer(foreign: str) -> None:
    elsewhere = [
        str(path.relative_to(PACKAGE))
        for path in modules().values()
        for target in imported_names(path)
        if (target == foreign or target.startswith(f"{foreign}."))
        and not path.relative_to(PACKAGE).as_posix().startswith(ONLY_IMPORTERS[foreign])
    ]
    assert elsewhere == []


def printed_lines(text: str) -> list[int]:
    """Return the lines that print to standard output: a call of print that names no file."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
        and all(keyword.arg != "file" for keyword in node.keywords)
    ] + [k for k, line in enumerate(text.splitlines(), 1) if "sys.stdout" in line]


def test_standard_output_is_for_results() -> None:
    assert printed_lines("import sys\nprint(1)\nprint(2, file=sys.stderr)\n") == [2]
    found = [
        f"{name}:{line}"
        for name, text in (
            (path.relative_to(PACKAGE).as_posix(), path.read_text(encoding="utf-8"))
            for path in modules().values()
        )
        if not name.startswith(PRINTERS) and ("print(" in text or "sys.stdout" in text)
        for line in printed_lines(text)
    ]
    assert found == []


def test_public_names_point_at_modules_that_exist() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    known = modules()
    tables = {
        node.target.id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and node.target.id in {"_PUBLIC", "_MODULES"}
    }
    assert set(tables) == {"_PUBLIC", "_MODULES"}
    for table in tables.values():
        for name, module in table.items():
            assert module in known, f"{name} -> {module}"
