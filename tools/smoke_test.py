"""Try an installed pyexpr: from tables to intervals, a study's simulation, and the command line.

Run by `cibuildwheel` on every wheel, and by hand (RELEASING.md). It needs neither R nor torch nor
a test runner, takes seconds, and compares what must be the same bytes on every system.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

# Of the replicates: SHA-256, its beginning.
REPLICATES = "6658212a452e66fc"


def main() -> None:
    """Run all checks in an empty folder, so that no checkout shadows what is installed."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        versions()
        replicates()
        comparison()
        reliability()
        recording()
        command_line()
        # Windows removes no folder that a process is in.
        os.chdir(Path(folder).anchor)
    print("pyexpr: all is well")


def versions() -> None:
    """Say which files are tried."""
    import pyexpr as px
    from pyexpr import _core

    print(f"pyexpr {px.__version__}, {_core.__file__}, Python {sys.version.split()[0]}")


def replicates() -> None:
    """The replicates of RMSE: the same bytes on every system, with any number of threads."""
    import numpy as np

    import pyexpr as px

    table = clips()
    made = [
        px.compare_models(
            table,
            truth="truth",
            predictions=["face", "head"],
            cluster="subject",
            metrics="rmse",
            method="percentile",
            n_boot=500,
            seed=1,
            n_threads=n_threads,
        ).replicates
        for n_threads in (1, 3)
    ]
    assert made[0].tobytes() == made[1].tobytes(), "threads change the bytes"
    digest = hashlib.sha256(np.ascontiguousarray(made[0]).tobytes()).hexdigest()
    print(f"replicates {digest[:16]}")
    assert digest.startswith(REPLICATES), digest


def clips() -> object:
    """A table of 24 subjects; all numbers are sums of powers of two, so that they are exact."""
    import numpy as np
    import pandas as pd

    rng = np.random.Generator(np.random.Philox(1))

    def drawn(n: int) -> np.ndarray:
        return rng.integers(-64, 64, n) / 64

    subject = np.repeat(np.arange(24), 6)
    truth = drawn(144)
    return pd.DataFrame(
        {
            "subject": subject,
            "truth": truth,
            "face": truth / 2 + drawn(144) / 2 + drawn(24)[subject] / 4,
            "head": truth / 4 + drawn(144),
        }
    )


def comparison() -> None:
    """The default comparison, with finite intervals that hold their estimates."""
    import pyexpr as px

    result = px.compare_models(
        clips(), truth="truth", predictions=["face", "head"], cluster="subject", seed=1
    )
    table = result.tidy()
    inside = (table["conf_low"] <= table["estimate"]) & (table["estimate"] <= table["conf_high"])
    assert inside.all(), table


def reliability() -> None:
    """The table of Shrout and Fleiss (1979): ICC(2, 1) = .29."""
    import pandas as pd

    import pyexpr as px

    ratings = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    long = pd.DataFrame(
        [(t, r, float(s)) for t, row in enumerate(ratings) for r, s in enumerate(row)],
        columns=["clip", "rater", "score"],
    )
    table = px.icc(long, targets="clip", raters="rater", ratings="score").tidy()
    assert any(abs(value - 0.29) < 0.005 for value in table["estimate"]), table


def recording() -> None:
    """An OpenFace file, read by the C++ reader."""
    import pyexpr as px

    lines = ["frame, timestamp, confidence, success, AU12_r"]
    lines += [f"{i + 1}, {i / 25:.3f}, 0.98, 1, {i % 5 / 4:.2f}" for i in range(50)]
    Path("clip.csv").write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")
    read = px.read_openface("clip.csv")
    assert "50" in str(read), read


def command_line() -> None:
    """The command is there and says its version."""
    program = shutil.which("pyexpr", path=sysconfig.get_path("scripts"))
    assert program is not None, "the command pyexpr is not installed"
    done = subprocess.run(
        [program, "--help"], capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    assert done.returncode == 0, done.stderr
    assert "compare" in done.stdout, done.stdout


if __name__ == "__main__":
    main()
