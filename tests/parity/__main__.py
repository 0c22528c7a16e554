"""Run every comparison, print the matrix of equalities, write docs/validation.md.

    cd tests && python -m parity [--only TEXT]

The exit status is 1 if a difference is beyond its tolerance, or a comparison failed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from parity import r_engines, simulated
from parity.matrix import outcome_of, tables
from parity.registry import comparisons
from pyexpr.base.files import write_text
from pyexpr.base.versions import versions
from pyexpr.report.tables.console import to_console
from pyexpr.report.tables.display import DisplayTable

PAGE = Path(__file__).parents[2] / "docs" / "validation.md"
ABOUT = """# Validation

Written by `make parity`: do not edit. Every table reports the largest difference between a number
of this package and the same number from independent software or a publication. The quick
comparisons are asserted in every run of the tests, with the same tolerances.

A version marked "kept" computed the numbers that are committed in `tests/golden` with their
scripts; one marked "made now" was run when this page was written. "Not served" means that the
engine does not support these data, and its error names an engine that does. The simulated coverage
of intervals is reported [at the end](#coverage-and-size-simulated).
"""


def page(displays: Sequence[DisplayTable]) -> str:
    """Return the text of docs/validation.md."""
    listed = ", ".join(f"{name} {number}" for name, number in versions().items())
    sections = [
        f"## {display.title}\n\n{display.markdown().partition(chr(10) * 2)[2]}"
        for display in displays
    ]
    return f"{ABOUT}\nVersions: {listed}.\n\n" + "\n".join([*sections, simulated.section()])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the requested comparisons and print them; a whole run also writes the page."""
    parser = argparse.ArgumentParser(description="Compare pyexpr with independent software.")
    parser.add_argument(
        "--only", metavar="TEXT", help="run the comparisons whose name contains this text"
    )
    only = parser.parse_args(arguments).only
    chosen = [one for one in comparisons() if not only or only.lower() in one.name.lower()]
    if not chosen:
        parser.error(f"no comparison is named like {only!r}")
    outcomes = []
    for one in chosen:
        print(f"{one.name} ...", file=sys.stderr, flush=True)
        outcomes.append(outcome_of(one))
    displays = tables(outcomes)
    if not only:
        displays.insert(1, r_engines.table())
    for display in displays:
        to_console(display)
    if not only:
        write_text(PAGE, page(displays))
    return int(any(outcome.bad for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
