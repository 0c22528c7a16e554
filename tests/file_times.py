"""Which files of tests took longest: printed at the end of a parallel run.

A file is what a worker takes at once, so the longest file that is begun late decides when the run
ends; `FIRST` in tests/conftest.py has them in the order in which they begin.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

SHOWN = 30


class FileTimes:
    """Adds up the seconds of every file and of every worker."""

    def __init__(self) -> None:
        self.files: Counter[str] = Counter()
        self.workers: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.files[report.nodeid.partition("::")[0]] += report.duration
        node = getattr(report, "node", None)
        if node is not None:
            self.workers[node.gateway.id] += report.duration

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.workers:
            terminalreporter.section("seconds of files and workers")
            for line in self.lines():
                terminalreporter.write_line(line)

    def lines(self) -> Iterator[str]:
        for name, seconds in self.files.most_common(SHOWN):
            yield f"{seconds:7.1f} s  {name}"
        rest = sum(self.files.values()) - sum(s for _, s in self.files.most_common(SHOWN))
        yield f"{rest:7.1f} s  the other {max(len(self.files) - SHOWN, 0)} files"
        yield ", ".join(
            f"{name}: {seconds:.0f} s" for name, seconds in sorted(self.workers.items())
        )


def pytest_sessionstart(session: pytest.Session) -> None:
    # The workers send their reports to the process that started them, and print nothing.
    if not hasattr(session.config, "workerinput"):
        session.config.pluginmanager.register(FileTimes(), "file-times")
