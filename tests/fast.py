"""The fast part of the tests: no R, no torch and no browser.

`make test-fast` is `pytest --fast`: every module that SLOW does not name. What is new is therefore
in the fast part until it is named, and there a test that reaches for R, torch, a browser or Sphinx
fails, on a machine that has them as on one that has not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

TESTS = Path(__file__).parent

R = "starts R"
TORCH = "imports torch"
BROWSER = "opens a browser"
PEERS = "compares with packages that the fast part does not install"
STUDY = "runs whole studies"
LONG = "simulates or fits for long"

# A folder, a module, or a module::test -> why it is left out.
SLOW: dict[str, str] = {
    "base/test_errors.py": "imports torch where it is there: every module of the package",
    "base/test_cluster.py": "starts a scheduler and workers",
    "behavior/test_video.py": TORCH,
    "cli": STUDY,
    "deep": TORCH,
    "documentation": "builds and runs the pages, with R",
    "hosted": R,
    "inference/test_coefficients.py": LONG,
    "inference/test_comparison_plot.py": LONG,
    "inference/test_compiled_statistic.py": PEERS,
    "inference/test_leverage.py": LONG,
    "inference/test_ratios.py::test_intervals_equal_boot_ci_on_the_logarithm": R,
    "inference/test_sign_flip.py::test_size_where_models_are_exchangeable": LONG,
    "measurement/test_bootstrap_cfa.py": R,
    "measurement/test_bridge_versions.py": R,
    "measurement/test_cfa.py": R,
    "measurement/test_cfa_edges.py": R,
    "measurement/test_cfa_reliability.py": R,
    "measurement/test_cfa_syntax.py": R,
    "measurement/test_engines.py": R,
    "measurement/test_equal_loadings.py": R,
    "measurement/test_higher_order.py": R,
    "measurement/test_icc_bootstrap.py": LONG,
    "measurement/test_icc_reml.py": LONG,
    "measurement/test_interrupts.py": R,
    "measurement/test_invariance.py": R,
    "measurement/test_ordered.py": R,
    "measurement/test_orientation.py": R,
    "measurement/test_r_install.py::test_the_installer_asks_the_same_rule": R,
    "measurement/test_reliability.py::test_jackknife_over_subjects_from_pingouins_estimates": PEERS,
    "modeling/test_estimator_checks.py": LONG,
    "report/test_figures.py": LONG,
    "simulation/test_simulate.py": PEERS,
    "study": STUDY,
    "test_coverage_measurement.py": R,
    "test_coverage_reliability.py": LONG,
    "test_coverage_study.py": LONG,
    "test_docstrings.py::test_examples_run[check_study]": R,
    "test_docstrings.py::test_examples_run[doctor]": R,
    "test_docstrings.py::test_examples_run[reproduce_paper]": R,
    "test_frames_of_every_kind.py::test_the_same_bytes[invariance]": R,
    "test_notebook.py": PEERS,
    "test_parity.py": R,
    "test_result_plots.py": LONG,
    "test_typed_face.py": "asks mypy",
}

# What no test of the fast part may import, or start.
MODULES = ("rpy2", "torch", "torchvision", "lightning", "playwright", "sphinx")
PROGRAMS = ("R", "Rscript", "chromium", "sphinx-build")


class Guard:
    """Notes what a process imports, and what it or its children start, of the above."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "started"
        self.imported: list[str] = []
        for name in PROGRAMS:
            program = folder / name
            program.write_text(f'#!/bin/sh\necho {name} >> "{self.log}"\nexit 127\n')
            program.chmod(0o755)
        # Found before the real ones, by children of children too.
        os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"
        # Asked for or not: a hook of audits cannot be taken back.
        sys.addaudithook(self._note)

    def _note(self, event: str, args: tuple[object, ...]) -> None:
        if event == "import" and str(args[0]).partition(".")[0] in MODULES:
            self.imported.append(str(args[0]).partition(".")[0])

    def reached(self) -> list[str]:
        """Return what was reached for since the last call, and forget it."""
        started = self.log.read_text().split() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        imported, self.imported = self.imported, []
        return [
            *(f"imports {name}" for name in imported),
            *(f"starts {name}" for name in started),
        ]


GUARD = pytest.StashKey[Guard]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fast", action="store_true", help="leave out the tests that tests/fast.py lists"
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--fast"):
        folder = TemporaryDirectory()
        config.add_cleanup(folder.cleanup)
        config.stash[GUARD] = Guard(Path(folder.name))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out modules before they are imported: imports alone may need what is not there."""
    return True if GUARD in config.stash and _place(collection_path) in SLOW else None


def leave_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take the single tests that SLOW names from what was collected."""
    if GUARD in config.stash:
        left_out = [item for item in items if _test(item) in SLOW]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if _test(item) not in SLOW]


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if violation := _violation(collector.config, collector.path):
        report.outcome, report.longrepr = "failed", violation
    return report


@pytest.fixture(autouse=True)
def reaches_for_nothing_slow(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if violation := _violation(request.config, Path(request.path)):
        pytest.fail(violation, pytrace=False)


def _violation(config: pytest.Config, path: Path) -> str:
    """Return what is wrong with the fast part since the last call, "" if nothing."""
    reached = config.stash[GUARD].reached() if GUARD in config.stash else []
    if not reached:
        return ""
    return (
        f"A test of the fast part {', '.join(dict.fromkeys(reached))}. "
        f"Name {_place(path)!r} in SLOW, tests/fast.py, with the reason."
    )


def _place(path: Path) -> str:
    return path.relative_to(TESTS).as_posix() if path.is_relative_to(TESTS) else path.name


def _test(item: pytest.Item) -> str:
    return f"{_place(item.path)}::{item.name}"
