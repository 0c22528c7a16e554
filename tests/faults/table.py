"""Break each call that writes, one after the other, and look at what is left and at the rerun.

For every kind of fault the files of `writing.write_all` are written over an earlier version of
them while the k-th call fails. Afterwards

- who wrote knows of it: success is not reported where a file lacks its content;
- every file has its old content or its new one, whole;
- the same again, undisturbed, gives the bytes that an undisturbed run gives.

Each attempt is a fork of a process that has imported everything, so it takes milliseconds.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

WRITES, RENAMES, SYNCS, CREATIONS = 1, 2, 4, 8
ONCE, FROM_THEN_ON, KILL, HALF = range(4)
NEW, OLD = 2, 1
SOURCE = Path(__file__).with_name("failing_calls.c")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is broken, and how."""

    name: str
    kinds: int
    mode: int
    error: int


FAULTS = (
    Fault("a write fails (I/O error)", WRITES, ONCE, errno.EIO),
    Fault("the disk is full from a write on", WRITES | CREATIONS, FROM_THEN_ON, errno.ENOSPC),
    Fault("half of a write is written", WRITES, HALF, 0),
    Fault("a rename fails", RENAMES, ONCE, errno.EIO),
    Fault("an fsync fails", SYNCS, ONCE, errno.EIO),
    Fault("permission is lost from a call on", CREATIONS | RENAMES, FROM_THEN_ON, errno.EACCES),
    Fault("the folder is read-only from a call on", CREATIONS | RENAMES, FROM_THEN_ON, errno.EROFS),
    Fault("kill -9 before a write", WRITES | CREATIONS, KILL, 0),
    Fault("kill -9 before a rename or fsync", RENAMES | SYNCS, KILL, 0),
)

CLOCK = Fault("the clock jumps by a year at every look", 0, ONCE, 0)


@dataclass(slots=True)
class Row:
    """One fault at all the calls that were tried."""

    fault: Fault
    n_calls: int
    tried: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    left: int = 0
    wrong: list[str] = field(default_factory=list)


def build(folder: Path) -> Path:
    """Compile the library that is preloaded."""
    library = folder / "failing_calls.so"
    compiler = os.environ.get("CC", "cc")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o", str(library),
         str(SOURCE), "-ldl"],
        check=True,
    )  # fmt: skip
    return library


def run(home: Path, *, most: int | None) -> Iterator[Row]:
    """Try every fault, at `most` of its calls (None: at each); needs the library preloaded."""
    from faults import writing

    library = ctypes.CDLL(None)
    library.faults_arm.argtypes = (
        ctypes.c_char_p, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long,
    )  # fmt: skip
    library.faults_seen.restype = ctypes.c_long
    home = home.resolve()
    writing.prepare(home)
    folders = {version: home / f"version {version}" for version in (OLD, NEW)}
    # In this process: what is imported on the way is there for every fork.
    for version, folder in folders.items():
        writing.write_all(folder, home, version)
    old, new = (writing.contents(folders[version]) for version in (OLD, NEW))
    assert set(old) == set(new)
    assert old != new
    broken = home / "broken"
    for fault in FAULTS:
        n_calls = _count(library, fault, folders[OLD], broken, home)
        row = Row(fault, n_calls)
        for k in _chosen(n_calls, most):
            _fresh(folders[OLD], broken)
            end = _forked(lambda f=fault, k=k: _disturbed(library, f, broken, home, k))
            row.tried += 1
            row.ends[end] += 1
            row.left += sum(1 for path in broken.rglob(".*") if path.is_file())
            _judge(row, k, end, writing.contents(broken), old, new)
            again = _forked(lambda: writing.write_all(broken, home, NEW))
            if again != "done" or writing.contents(broken) != new:
                row.wrong.append(f"call {k}: the rerun ({again}) gives other bytes")
        yield row
    yield _jumping(library, folders[OLD], broken, home, new)


def _jumping(
    library: ctypes.CDLL, source: Path, broken: Path, home: Path, new: dict[str, bytes]
) -> Row:
    """Write while the clock jumps, and look for the bytes that are written when it does not."""
    from faults import writing

    row = Row(CLOCK, n_calls=1, tried=1)
    _fresh(source, broken)

    def work() -> None:
        library.faults_jump(1)
        times = [time.time() for _ in range(3)]
        assert max(times) - min(times) > 1e7, "the clock does not jump"
        writing.write_all(broken, home, NEW)

    row.ends[_forked(work)] += 1
    if writing.contents(broken) != new:
        row.wrong.append("other bytes are written")
    return row


def _fresh(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)


def _count(library: ctypes.CDLL, fault: Fault, source: Path, broken: Path, home: Path) -> int:
    """Return how many calls of these kinds an undisturbed run makes."""
    from faults import writing

    _fresh(source, broken)
    counted = home / "calls"

    def counting() -> None:
        library.faults_arm(os.fsencode(broken), fault.kinds, ONCE, 0, 0)
        writing.write_all(broken, home, NEW)
        n = library.faults_seen()
        library.faults_arm(b"", 0, 0, 0, 0)
        counted.write_text(str(n))

    assert _forked(counting) == "done"
    return int(counted.read_text())


def _disturbed(library: ctypes.CDLL, fault: Fault, broken: Path, home: Path, k: int) -> None:
    from faults import writing

    library.faults_arm(os.fsencode(broken), fault.kinds, fault.mode, fault.error, k)
    writing.write_all(broken, home, NEW)


def _chosen(n_calls: int, most: int | None) -> Sequence[int]:
    """Return numbers of calls, from 1: all, or so many from the first to the last."""
    if most is None or n_calls <= most:
        return range(1, n_calls + 1)
    return sorted({1 + round(i * (n_calls - 1) / max(1, most - 1)) for i in range(most)})


def _judge(
    row: Row,
    k: int,
    end: str,
    found: dict[str, bytes],
    old: dict[str, bytes],
    new: dict[str, bytes],
) -> None:
    for name in sorted(set(found) | set(new)):
        content = found.get(name)
        if content is None:
            row.wrong.append(f"call {k}: {name} is gone")
        elif name not in new:
            row.wrong.append(f"call {k}: {name} is nobody's")
        elif content not in (old[name], new[name]):
            row.wrong.append(f"call {k}: {name} is neither the old file nor the new one")
        elif end == "done" and content != new[name]:
            row.wrong.append(f"call {k}: success was reported, but {name} is the old file")


def _forked(work: object) -> str:
    """Return how the work ends in a process of its own: "done", an error's class, "killed"."""
    assert callable(work)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        end = "done"
        try:
            work()
        except BaseException as error:
            end = type(error).__name__
            if os.environ.get("FAULTS_TRACEBACKS"):
                traceback.print_exc()
        os.write(writer, end.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        end = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "killed" if os.WTERMSIG(status) == signal.SIGKILL else f"signal {status}"
    return end


def printed(rows: Sequence[Row]) -> str:
    """Return the rows as a table in Markdown."""
    lines = [
        "| what is broken | calls | tried | how the run ended | files left half | temporary files "
        "left | reruns with other bytes |",
        "|---|---:|---:|---|---:|---:|---:|",
    ]
    for row in rows:
        ends = ", ".join(f"{n} {end}" for end, n in sorted(row.ends.items()))
        reruns = sum("rerun" in one for one in row.wrong)
        half = len(row.wrong) - reruns
        lines.append(
            f"| {row.fault.name} | {row.n_calls} | {row.tried} | {ends} | {half} | {row.left} | "
            f"{reruns} |"
        )
    return "\n".join(lines)


def with_library(library: Path) -> dict[str, str]:
    """Return the environment in which a process has the library."""
    return {**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": str(Path(__file__).parents[1])}


def command(home: Path, *options: str) -> list[str]:
    """Return the command that prints the table."""
    return [sys.executable, "-m", "faults", str(home), *options]
