"""What is published agrees with itself: versions, requirements, the README on PyPI, workflows."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import tomllib
from pathlib import Path
from types import ModuleType

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RECIPE = (ROOT / "recipe" / "recipe.yaml").read_text(encoding="utf-8")
WORKFLOWS = {
    path.name: path.read_text(encoding="utf-8")
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))
}


def _tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_version_is_one() -> None:
    tool = _tool("check_version")
    found = tool.versions()
    # CITATION.cff has it twice.
    assert len(found) == 5
    assert len(set(found.values())) == 1, found


def test_another_tag_is_refused(capsys) -> None:  # type: ignore[no-untyped-def]
    tool = _tool("check_version")
    version = tool.versions()["pyexpr/__init__.py"]
    assert tool.main(f"v{version}") == 0
    assert tool.main("v999.0") == 1
    assert "999.0 in the tag v999.0" in capsys.readouterr().err


def test_the_readme_on_pypi_is_made_of_the_readme() -> None:
    text = (ROOT / PYPROJECT["project"]["readme"]).read_text(encoding="utf-8")
    assert text == _tool("pypi_readme").made(), "run python tools/pypi_readme.py"
    # On PyPI a relative link points to nothing.
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert target.startswith(("https://", "#", "mailto:")), target
    assert "```python" in text


def test_links_become_absolute_where_the_repository_is_known() -> None:
    made = _tool("pypi_readme").pypi_text
    text = "![a](docs/a.png)\n\nsee [b](docs/b.md) and [c](https://c.org), [d](#d)\n"
    assert made(text, None) == "see b and [c](https://c.org), [d](#d)\n"
    assert made(text, "https://x.org/y/") == (
        "![a](https://x.org/y/raw/main/docs/a.png)\n\n"
        "see [b](https://x.org/y/blob/main/docs/b.md) and [c](https://c.org), [d](#d)\n"
    )


def test_the_recipe_wants_what_the_package_wants() -> None:
    run = RECIPE.partition("  run:\n")[2].partition("\n\n")[0]
    wanted = {line.strip(" -") for line in run.splitlines()} - {"python", "python >=3.11"}
    # conda-forge's matplotlib brings a window system; its base does not.
    declared = {
        re.sub(r"^([\w.-]+)", r"\1 ", one).replace("matplotlib ", "matplotlib-base ")
        for one in PYPROJECT["project"]["dependencies"]
    }
    assert wanted == declared
    (script,) = PYPROJECT["project"]["scripts"].items()
    assert f"- {script[0]} = {script[1]}" in RECIPE


def test_wheels_are_built_for_every_python_that_is_declared() -> None:
    declared = {
        one.rpartition(" ")[2]
        for one in PYPROJECT["project"]["classifiers"]
        if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", one)
    }
    config = PYPROJECT["tool"]["cibuildwheel"]
    tags = {tag.removesuffix("-*") for tag in config["build"]}
    assert {f"3.{tag[3:]}" for tag in tags if not tag.endswith("t")} == declared
    tested = re.search(r"python: \[([^\]]+)\]", WORKFLOWS["ci.yml"])
    assert tested is not None
    assert set(re.findall(r"3\.\d+", tested[1])) == declared
    # Without this declaration the wheel for free-threaded Python would bring the lock back with a
    # warning. A workflow runs tests there.
    bindings = (ROOT / "cpp" / "bindings" / "module.cpp").read_text(encoding="utf-8")
    assert "mod_gil_not_used" in bindings
    assert {tag for tag in tags if tag.endswith("t")} == {"cp314t"}
    assert '"3.14t"' in WORKFLOWS["ci.yml"]


def test_workflows_test_the_checkout_with_its_extension() -> None:
    # From a checkout pytest imports that checkout, where only an editable install has an extension.
    for line in WORKFLOWS["ci.yml"].splitlines():
        if re.search(r"pip install .*(?<![\w./])\.(?![\w/])", line):
            assert "pip install -e " in line, line


def test_what_workflows_and_the_release_procedure_call_is_there() -> None:
    texts = {**WORKFLOWS, "RELEASING.md": (ROOT / "RELEASING.md").read_text(encoding="utf-8")}
    called = set()
    for name, text in texts.items():
        for path in re.findall(r"\b(tools/[\w.]+\.(?:sh|py))", text):
            assert (ROOT / path).is_file(), f"{name} calls {path}"
            called.add(path)
    assert {"tools/smoke_test.py", "tools/check_sdist.sh", "tools/make_sbom.sh"} <= called


def test_the_source_distribution_has_all_that_a_build_needs() -> None:
    left_out = PYPROJECT["tool"]["scikit-build"]["sdist"]["exclude"]
    assert not {"cpp", "pyexpr", "LICENSE", "README.pypi.md", "CMakeLists.txt"} & set(left_out)
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    sources = re.findall(r"^\s+(cpp/\S+\.cpp)$", text, re.MULTILINE)
    assert len(sources) > 20
    for source in sources:
        assert (ROOT / source).is_file()
    # Nothing is fetched while it is built.
    assert "FetchContent" not in text
    assert "ExternalProject" not in text


def test_scripts_are_valid_shell() -> None:
    for path in sorted((ROOT / "tools").glob("*.sh")):
        done = subprocess.run(["bash", "-n", path], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_what_the_security_page_names_is_there() -> None:
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    paths = re.findall(r"`((?:tests|cpp|tools)/[^`]+)`", page)
    assert len(paths) > 15
    assert [path for path in paths if not (ROOT / path).exists()] == []
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"`make ([a-z-]+)`", page))
    assert {target for target in targets if f"\n{target}:" not in makefile} == set()


def test_the_extension_is_hardened() -> None:
    from pyexpr.core.extension import kernels

    if kernels.__file__.endswith("-linux-gnu.so"):
        output = subprocess.run(
            ["readelf", "--wide", "--dynamic", "--program-headers", "--dyn-syms", kernels.__file__],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        assert "GNU_RELRO" in output
        assert re.search(r"BIND_NOW|FLAGS.* NOW", output)
        assert re.search(r"GNU_STACK .* RW ", output)
        assert "__stack_chk_fail" in output


def test_the_list_of_locked_versions_is_whole() -> None:
    """Every requirement is in it, at a version that is allowed, and every entry has a hash."""
    text = (ROOT / "tools" / "ci-requirements.txt").read_text(encoding="utf-8")
    entry = r"([a-z0-9-]+)==([^ ]+) \\\n    --hash=sha256:[0-9a-f]{64}\n"
    comment, _, entries = text.partition("\n")
    assert comment.startswith("# Written by tools/lock.sh")
    # Nothing else is in it: no address of an index, no file of this machine.
    assert re.fullmatch(f"(?:{entry})+", entries)
    locked = dict(re.findall(entry, entries))
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"]
    wanted = [*PYPROJECT["build-system"]["requires"], *project["dependencies"]]
    wanted += [*extras["word"], *extras["test-fast"]]
    for requirement in (Requirement(one) for one in wanted):
        if requirement.name != project["name"]:
            version = locked[canonicalize_name(requirement.name)]
            assert requirement.specifier.contains(version), f"run tools/lock.sh: {requirement}"
