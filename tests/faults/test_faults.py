"""A few of the faults of `make faults`: old file or new one, and the rerun's bytes are the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from faults.table import CLOCK, FAULTS, build, command, with_library

# LD_PRELOAD, by which the library is loaded, exists on Linux alone; the gate always runs it there.
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="preloads a library, as Linux does")


def test_every_file_is_old_or_new_and_the_rerun_is_the_same(tmp_path: Path) -> None:
    library = build(tmp_path)
    done = subprocess.run(
        command(tmp_path, "--most", "2"),
        env=with_library(library), capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for fault in (*FAULTS, CLOCK):
        assert f"| {fault.name} |" in done.stdout
    assert "killed" in done.stdout
