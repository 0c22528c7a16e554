"""lavaan in a child process: slower to start (0.4 s), but works from any thread or host."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path
from typing import Any

from pyexpr.base.errors import EngineError, Interrupted
from pyexpr.base.files import temporary_folder
from pyexpr.base.refusals import is_full
from pyexpr.core.interrupts import handled, hold_interrupts
from pyexpr.measurement.engines import wire
from pyexpr.measurement.engines.children import end, own_group
from pyexpr.measurement.engines.protocol import (
    STOPPED,
    Answer,
    FitOutput,
    FitRequest,
    bridge_text,
    fitted,
    r_not_found,
    read_answer,
)
from pyexpr.measurement.engines.r_places import find_rscript
from pyexpr.measurement.engines.r_startup import OPTIONS, RUNS, stops

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


def ask(payload: dict[str, Any]) -> Answer:
    """Hand a payload to bridge.R in a child process and return its answer."""
    program = find_rscript()
    if program is None:
        raise r_not_found("R was not found: there is no 'Rscript' on the PATH")
    with temporary_folder() as folder:
        bridge, source, target = (folder / name for name in ("bridge.R", "in", "out"))
        bridge.write_text(bridge_text(), encoding="utf-8", newline="\n")
        source.write_bytes(wire.encode(payload))
        arguments = [*OPTIONS, "-e", _CALL, *map(str, (bridge, source, target))]
        status, printed = _run([program, *arguments], folder)
        if status != 0 or not target.is_file():
            if is_full(folder):
                # What R says of it does not say where.
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            printed = " ".join(printed.split()) or "nothing"
            raise EngineError(
                stops(RUNS, f"Rscript ended with status {status} and printed: {printed}")
            )
        return read_answer(target.read_bytes(), started_here=True)


def _run(command: list[str], folder: Path) -> tuple[int, str]:
    """Return a command's status and output; if an exception interrupts it, the command is ended."""
    # R's own temporary folder lies within ours: R removes its own only if it ends by itself.
    child: subprocess.Popen[bytes] | None = None
    try:
        with hold_interrupts() as hold:
            # A Ctrl-C in the middle of this would leave an unknown child. The child has a group of
            # its own, so that the terminal's Ctrl-C reaches only this process, which ends the child
            # and its children.
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={**os.environ, "TMPDIR": str(folder)},
                **own_group(),
            )
        handled(hold, STOPPED)
        _, errors = child.communicate()
        return child.returncode, errors.decode("utf-8", "replace").strip()
    except KeyboardInterrupt as stop:
        raise stop if isinstance(stop, Interrupted) else Interrupted(STOPPED) from None
    finally:
        if child is not None and child.poll() is None:
            _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    with hold_interrupts() as hold:
        end(child)
        if child.stderr is not None:
            child.stderr.close()
    handled(hold, STOPPED)
