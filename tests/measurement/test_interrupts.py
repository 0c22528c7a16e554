"""Ctrl-C while a factor model is fitted: in a script, on the command line, in a notebook."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from queue import Empty
from typing import Any

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]

# lavaan is at this for minutes: incomplete rows of 12 indicators in 10 contexts.
DATA = """
import numpy as np, pandas as pd, pyexpr as px
rng = np.random.default_rng(3)
f = rng.normal(size=6000)
slow = pd.DataFrame({f"x{i}": f + rng.normal(size=6000) for i in range(12)})
slow = slow.mask(rng.random(slow.shape) < 0.2)
slow["task"] = np.arange(6000) % 10
quick = pd.DataFrame({f"x{i}": f[:200] + rng.normal(size=200) for i in range(3)})

def fit_slow(engine):
    model = {"f": [f"x{i}" for i in range(12)]}
    px.cfa(slow, model, context="task", missing="fiml", engine=engine)

def fit_quick(engine):
    fit = px.cfa(quick, {"f": list(quick)}, engine=engine)
    return fit.tidy().select_dtypes("number").to_numpy().tobytes()
"""

SCRIPT = """
import os, signal, sys, threading
# SIGINT is ignored in the children of a background job; here it must interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
engine = sys.argv[1]
known = fit_quick(engine)
for delay in (0.02, 0.3, 0.9, 1.7):
    threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        fit_slow(engine)
    except px.errors.Interrupted as stop:
        print(stop)
    except KeyboardInterrupt:
        print("before or after the fit itself")
    else:
        print("went on to the end")
print(fit_quick(engine) == known, signal.getsignal(signal.SIGINT) is signal.default_int_handler)
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("no process is left")
"""

SENTENCE = "stopped by Ctrl-C while the factor model was fitted: there is no result of this fit"


def ended(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run to the end, which comes long before that of the slow fit."""
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)},
    )  # fmt: skip


@pytest.mark.parametrize("engine", ["rpy2", "rscript"])
def test_every_interrupt_ends_the_fit_and_the_next_is_as_before(
    engine: str, tmp_path: Path
) -> None:
    done = ended([sys.executable, "-c", DATA + SCRIPT, engine], tmp_path)
    lines = done.stdout.splitlines()
    assert lines[4:] == ["True True", "no process is left"], done.stdout + done.stderr
    assert set(lines[:4]) <= {SENTENCE, "before or after the fit itself"}
    assert lines.count(SENTENCE) >= 3
    # Nothing of cffi, of R, or of a thread.
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


HANDLERS = """
import os, signal, threading
def press(delay):
    threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT)).start()

known = fit_quick("rpy2")
received = []
signal.signal(signal.SIGINT, lambda *_: received.append(1))
press(0.005)
while not received:  # However long a fit takes: one of them is interrupted, and goes on.
    same = fit_quick("rpy2") == known
print(same, len(received))

def refuse(*_):
    raise TimeoutError("the user's own")

signal.signal(signal.SIGINT, refuse)
press(0.5)
try:
    fit_slow("rpy2")
except TimeoutError as error:
    print(error)
import rpy2.rinterface as r
print(list(r.evalr("exists('.Random.seed', globalenv())")), fit_quick("rpy2") == known)
"""


def test_handlers_of_the_user_decide_what_an_interrupt_of_lavaan_is(tmp_path: Path) -> None:
    done = ended([sys.executable, "-c", DATA + HANDLERS], tmp_path)
    assert done.stdout.splitlines() == ["True 1", "the user's own", "[False] True"], done.stderr
    assert done.stderr == ""


def test_the_command_ends_with_one_sentence_and_status_130(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.normal(size=(400, 1)) + rng.normal(size=(400, 60)))
    frame.add_prefix("x").to_csv(tmp_path / "slow.csv", index=False)
    # SIGINT is ignored in the children of a background job; here it must interrupt.
    command = (
        "import os, signal, sys, threading\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from pyexpr.cli.main import main\n"
        "from pyexpr.measurement.engines import rpy2_engine\n"
        "answered = rpy2_engine._interruptible_answer\n"
        "def slowly(*arguments):\n"
        "    threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "    return answered(*arguments)\n"
        "rpy2_engine._interruptible_answer = slowly\n"
        "main()\n"
    )
    before = sorted(tmp_path.iterdir())
    done = ended(
        [sys.executable, "-c", command, "cfa", str(tmp_path / "slow.csv"), "--engine", "rpy2",
         "--indicators", ",".join(f"x{i}" for i in range(60)), "--output", str(tmp_path / "o.csv")],
        tmp_path,
    )  # fmt: skip
    assert done.returncode == 130, done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("Interrupted")
    assert "Traceback" not in done.stderr
    assert sorted(tmp_path.iterdir()) == before


def reply(client: Any, code: str, *, interrupt: Any = None) -> tuple[str, str]:
    """Run a cell; return what it printed, and its error. Interrupt it once it is at work."""
    requested, printed, error = client.execute(code), "", ""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            message = client.get_iopub_msg(timeout=5)
        except Empty:
            continue
        if message["parent_header"].get("msg_id") != requested:
            continue
        content = message["content"]
        if message["msg_type"] == "stream":
            printed += content["text"]
            if interrupt is not None and "fitting" in printed:
                time.sleep(0.5)
                interrupt()
                interrupt = None
        elif message["msg_type"] == "error":
            error = f"{content['ename']}: {content['evalue']}"
        elif content.get("execution_state") == "idle":
            return printed, error
    raise AssertionError(f"the kernel does not answer; it printed {printed!r}")


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import KernelManager

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    manager = KernelManager()
    # This Python, whatever kernels the user has installed.
    manager._kernel_spec = KernelSpec(
        argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        language="python",
    )
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    manager.start_kernel()
    signal.signal(signal.SIGINT, before)
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=120)
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.context.destroy()


def test_a_notebook_is_interrupted_and_goes_on(kernel: Any) -> None:
    manager, client = kernel
    assert reply(client, DATA + "known = fit_quick('rpy2')") == ("", "")
    for engine in ("rpy2", "rscript", "rpy2"):
        printed, error = reply(
            client,
            f"print('fitting', flush=True); fit_slow({engine!r})",
            interrupt=manager.interrupt_kernel,
        )
        assert error == f"Interrupted: {SENTENCE}"
        assert printed.strip() == "fitting"
    assert reply(client, "print(fit_quick('rpy2') == known)") == ("True\n", "")
