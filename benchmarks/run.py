"""Run the benchmarks beside this file and write benchmarks/results.md.

    python benchmarks/run.py [--only NAME ...]

Each ``bench_<name>.py`` has a function ``run()`` that asserts that our answer
equals the peer's, times both, and returns a list of dictionaries:

    work     what was computed, in words
    ours_ms  our time in milliseconds
    peer     the peer's name
    peer_ms  its time in milliseconds
    ratio    peer_ms / ours_ms: how many times faster ours is
    note     a further remark, if there is one

A peer's ratio belongs to the run it was measured in: both ran on this machine,
one after the other. The exit status is 1 if a benchmark could not run.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyexpr.base.files import write_text
from pyexpr.base.versions import versions
from pyexpr.report.tables.console import to_console
from pyexpr.report.tables.display import DisplayTable

FOLDER = Path(__file__).parent
PREFIX = "bench_"
PEERS = (
    "pandas", "pyarrow", "scipy", "scikit-learn", "numba", "arch", "pingouin", "polars", "semopy",
    "torch",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one benchmark gave: its rows, or why there are none."""

    name: str
    rows: tuple[dict[str, Any], ...] = ()
    problem: str = ""


def names(folder: Path) -> list[str]:
    """Return the names of the benchmarks in a folder, sorted."""
    return sorted(path.stem.removeprefix(PREFIX) for path in folder.glob(f"{PREFIX}*.py"))


def run_one(folder: Path, name: str) -> Outcome:
    """Import and run one benchmark; a failure is an outcome, not the end."""
    spec = importlib.util.spec_from_file_location(PREFIX + name, folder / f"{PREFIX}{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        return Outcome(name, tuple(checked(row) for row in module.run()))
    except ImportError as error:
        return Outcome(name, problem=f"cannot import {error.name or 'what it needs'}: {error}")
    except Exception as error:
        return Outcome(name, problem=f"{type(error).__name__}: {error}")


def checked(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row, if it says what it must and its ratio is that of its times."""
    missing = {"work", "ours_ms", "peer", "peer_ms", "ratio"} - set(row)
    if missing:
        raise ValueError(f"a row lacks {', '.join(sorted(missing))}: {row}")
    if not math.isclose(row["ratio"], row["peer_ms"] / row["ours_ms"], rel_tol=0.01):
        raise ValueError(f"ratio is not peer_ms / ours_ms: {row}")
    return row


def table(outcomes: Iterable[Outcome]) -> DisplayTable:
    """Lay the outcomes out, one row for each comparison, problems as notes."""
    done = list(outcomes)
    return DisplayTable(
        title="Benchmarks: ours and the peer's on the same machine, one after the other.",
        columns=("Work", "Peer", "Ours (ms)", "Peer (ms)", "Ratio"),
        rows=tuple(
            (
                str(row["work"]),
                str(row["peer"]),
                three_digits(row["ours_ms"]),
                three_digits(row["peer_ms"]),
                f"{three_digits(row['ratio'])}x",
            )
            for outcome in done
            for row in outcome.rows
        ),
        notes=(
            "Ratio: the peer's time divided by ours, in the same run.",
            *(str(row["note"]) for one in done for row in one.rows if "note" in row),
            *(f"{one.name} did not run: {one.problem}" for one in done if one.problem),
        ),
        text_columns=2,
    )


def three_digits(value: float) -> str:
    """Format to three significant digits, without an exponent."""
    if value == 0 or not math.isfinite(value):
        return str(value)
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def machine() -> str:
    """Say what the numbers were measured on, in one line."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next(x.split(":", 1)[1].strip() for x in lines if x.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{model}, {os.cpu_count()} CPUs, {platform.system()} {platform.machine()}"


def report(display: DisplayTable) -> str:
    """Return the text of results.md: the table, the machine, the versions."""
    listed = ", ".join(f"{name} {number}" for name, number in versions(*PEERS).items())
    return (
        "# Benchmarks\n\nWritten by `make bench`; each answer is asserted equal before it is "
        f"timed.\n\n{display.markdown()}\nMachine: {machine()}.\n\nVersions: {listed}.\n"
    )


def main(arguments: Sequence[str] | None = None, folder: Path = FOLDER) -> int:
    """Run the requested comparisons, print the table, write results.md (whole runs only)."""
    parser = argparse.ArgumentParser(description="Compare the speed of pyexpr with other packages.")
    parser.add_argument(
        "--only", metavar="NAME", action="append", help="run this benchmark; may be repeated"
    )
    chosen = parser.parse_args(arguments).only
    known = names(folder)
    if unknown := sorted(set(chosen or ()) - set(known)):
        parser.error(f"no benchmark {', '.join(unknown)}; there are: {', '.join(known)}")
    outcomes = []
    for name in known:
        if chosen and name not in chosen:
            continue
        print(f"{name} ...", file=sys.stderr, flush=True)
        outcomes.append(run_one(folder, name))
    display = table(outcomes)
    to_console(display)
    if not chosen:
        write_text(folder / "results.md", report(display))
    return int(any(outcome.problem for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
