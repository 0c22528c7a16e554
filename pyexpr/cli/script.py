"""What the command `pyexpr` runs: the command line, Ctrl-C heard from its first import on."""

from __future__ import annotations

from pyexpr.cli.start import ends_at_once


def main() -> None:
    """Run the command line."""
    with ends_at_once(also_after=True):
        from pyexpr.cli.main import main as run
    run()
