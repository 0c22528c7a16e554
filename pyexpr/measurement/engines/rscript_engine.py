"""lavaan in a child process: slower to start (0.4 s), but works from any thread or host."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from pyexpr.base.errors import EngineError
from pyexpr.measurement.engines import wire
from pyexpr.measurement.engines.protocol import (
    Answer,
    FitOutput,
    FitRequest,
    bridge_text,
    fitted,
    r_not_found,
    read_answer,
)

# A private environment, as in the other engines; the paths are arguments, not code.
_CALL = (
    "local({ a <- commandArgs(TRUE); e <- new.env(parent = baseenv()); "
    "sys.source(a[1], e); e$pyexpr_answer_file(a[2], a[3]) })"
)


class RscriptEngine:
    """lavaan in an `Rscript` child process."""

    name = "rscript"

    def fit(self, request: FitRequest) -> FitOutput:
        """Fit with lavaan; see `pyexpr.measurement.engines.protocol.Engine`."""
        return fitted(request, ask)


def find_rscript() -> str | None:
    """Return the path of Rscript: on the PATH, or under R_HOME."""
    found = shutil.which("Rscript")
    home = os.environ.get("R_HOME")
    if found is None and home:
        found = shutil.which("Rscript", path=str(Path(home) / "bin"))
    return found


def ask(payload: dict[str, Any]) -> Answer:
    """Hand a payload to bridge.R in a child process and return its answer."""
    program = find_rscript()
    if program is None:
        raise r_not_found("R was not found: there is no 'Rscript' on the PATH")
    with tempfile.TemporaryDirectory(prefix="pyexpr-") as folder:
        bridge, source, target = (Path(folder) / name for name in ("bridge.R", "in", "out"))
        bridge.write_text(bridge_text(), encoding="utf-8")
        source.write_bytes(wire.encode(payload))
        done = subprocess.run(
            [
                program,
                "--no-save",
                "--no-restore",
                "-e",
                _CALL,
                str(bridge),
                str(source),
                str(target),
            ],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode != 0 or not target.is_file():
            said = done.stderr.decode("utf-8", "replace").strip() or "nothing"
            raise EngineError(f"Rscript ended with status {done.returncode} and said: {said}")
        return read_answer(target.read_bytes())
