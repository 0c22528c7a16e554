"""The runner of the benchmarks: finds them, goes on after a failure, says so at the end."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

RUNNER = Path(__file__).parents[1] / "benchmarks" / "run.py"

GOOD = """
def run():
    return [dict(work="sums | of rows", ours_ms=0.5, peer="slowlib", peer_ms=1234.0, ratio=2468.0)]
"""


@pytest.fixture(scope="module")
def runner() -> Any:
    import sys

    spec = importlib.util.spec_from_file_location("benchmark_runner", RUNNER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_a_whole_run_writes_the_table(
    runner: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bench_sums.py").write_text(GOOD)
    assert runner.main([], folder=tmp_path) == 0
    text = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "| sums \\| of rows | slowlib |     0.500 |     1,234 | 2,468x |" in text
    assert "Machine: " in text
    assert "numpy " in text
    assert "2,468x" in capsys.readouterr().out


def test_a_missing_peer_is_reported_and_the_rest_goes_on(
    runner: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bench_a.py").write_text("import no_such_peer_of_ours\n")
    (tmp_path / "bench_b.py").write_text("def run():\n    raise AssertionError('answers differ')\n")
    (tmp_path / "bench_c.py").write_text(GOOD)
    assert runner.main([], folder=tmp_path) == 1
    text = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "Note: a did not run: cannot import no_such_peer_of_ours" in text
    assert "Note: b did not run: AssertionError: answers differ" in text
    assert "slowlib" in text
    assert "slowlib" in capsys.readouterr().out


def test_only_runs_one_and_leaves_the_results_alone(runner: Any, tmp_path: Path) -> None:
    (tmp_path / "bench_a.py").write_text("raise RuntimeError('must not run')\n")
    (tmp_path / "bench_c.py").write_text(GOOD)
    assert runner.main(["--only", "c"], folder=tmp_path) == 0
    assert not (tmp_path / "results.md").exists()


def test_an_unknown_name_lists_the_known(
    runner: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bench_sums.py").write_text(GOOD)
    with pytest.raises(SystemExit) as stopped:
        runner.main(["--only", "sum"], folder=tmp_path)
    assert stopped.value.code == 2
    assert "no benchmark sum; there are: sums" in capsys.readouterr().err


def test_a_ratio_that_is_not_the_times_is_refused(runner: Any, tmp_path: Path) -> None:
    (tmp_path / "bench_sums.py").write_text(GOOD.replace("2468", "9999"))
    assert runner.main([], folder=tmp_path) == 1
    assert "ratio is not peer_ms / ours_ms" in (tmp_path / "results.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.01234, "0.0123"), (1.0, "1.00"), (99.96, "100.0"), (1030.4, "1,030"), (0.0, "0.0")],
)
def test_three_digits(runner: Any, value: float, text: str) -> None:
    assert runner.three_digits(value) == text
