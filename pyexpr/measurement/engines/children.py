"""Child processes that query R, and that are ended together with all that they have started."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any


def run_child(
    command: Sequence[str], *, seconds: float, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command without input and return its status and what it printed.

    The output goes to files: the processes that a command has started would keep a pipe open,
    and a program that waits for its end would wait for them, however long they run.

    Parameters
    ----------
    command : sequence of str
        The program and its arguments.
    seconds : float
        When they have passed, the command and all that it has started are ended.
    env : mapping of str to str, optional
        The environment; by default that of this process.

    Raises
    ------
    OSError
        If the program cannot be started.
    subprocess.TimeoutExpired
        If it took longer.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env, **own_group()
        )
        try:
            status = child.wait(seconds)
        finally:
            if child.poll() is None:
                end(child)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
    return subprocess.CompletedProcess(command, status, *texts)


def own_group() -> dict[str, Any]:
    """Return the arguments that make `subprocess.Popen` start a process group, if the system can.

    The Ctrl-C of the terminal does not reach such a child: whoever starts it ends it with `end`.
    """
    return {"process_group": 0} if os.name == "posix" else {}


def end(child: subprocess.Popen[Any]) -> None:
    """End a child process and, if it has a group of its own, all processes of the group."""
    if os.name == "posix":
        os.killpg(child.pid, signal.SIGKILL)
    else:
        child.kill()
    child.wait()
