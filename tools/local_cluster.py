"""A Dask scheduler and workers as processes of this machine, on its loopback device."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

# A busy machine is slow, and not gone.
_PATIENT = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "300s"}


class LocalCluster:
    """A scheduler and its workers, started and killed by a ``with`` block.

    Parameters
    ----------
    folder : Path
        For the scheduler's file and what workers keep on their disk.
    workers : int
        Processes of one thread each.
    """

    def __init__(self, folder: Path, workers: int = 3) -> None:
        self.folder, self.n = folder, workers
        self.scheduler_file = folder / "scheduler.json"
        self.processes: list[subprocess.Popen[bytes]] = []

    @property
    def scheduler(self) -> subprocess.Popen[bytes]:
        """The process of the scheduler."""
        return self.processes[0]

    @property
    def workers(self) -> list[subprocess.Popen[bytes]]:
        """The processes of the workers."""
        return self.processes[1:]

    def __enter__(self) -> LocalCluster:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._start("scheduler", "--port", "0")
            while not self.scheduler_file.exists():
                assert self.scheduler.poll() is None, "the scheduler has ended"
                time.sleep(0.05)
            for _ in range(self.n):
                self.add_worker()
            self._wait()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        where: TracebackType | None,
    ) -> None:  # fmt: skip
        self.end()

    def add_worker(self) -> None:
        """Start one more worker."""
        self._start(
            "worker", "--nthreads", "1", "--no-nanny", "--local-directory", str(self.folder)
        )

    def end(self) -> None:
        """Kill all processes."""
        for process in self.processes:
            process.kill()
            process.wait()
        self.processes.clear()

    def _start(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "dask", *arguments, "--host", "127.0.0.1"]
        command += ["--no-dashboard", "--scheduler-file", str(self.scheduler_file)]
        self.processes.append(
            subprocess.Popen(
                command, env=os.environ | _PATIENT, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )  # fmt: skip

    def _wait(self) -> None:
        from distributed import Client

        with Client(scheduler_file=str(self.scheduler_file), timeout="300s") as client:
            client.wait_for_workers(self.n)
