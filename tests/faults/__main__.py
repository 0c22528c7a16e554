"""The table of faults: python -m faults FOLDER [--most N]; `make faults`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from faults.table import build, command, printed, run, with_library


def main() -> int:
    """Print the table; status 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--most", type=int, help="of the calls of each kind; all without it")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    if "failing_calls" not in os.environ.get("LD_PRELOAD", ""):
        library = build(arguments.folder.resolve())
        os.execve(
            sys.executable,
            command(arguments.folder, *sys.argv[2:]),
            with_library(library),
        )
    rows = list(run(arguments.folder, most=arguments.most))
    print(printed(rows))
    for row in rows:
        for sentence in row.wrong:
            print(f"{row.fault.name}: {sentence}")
    return 1 if any(row.wrong for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
