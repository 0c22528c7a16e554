"""The command for the installation: doctor."""

from __future__ import annotations

import typer

from pyexpr.cli.options import Json, Quiet
from pyexpr.cli.showing import Showing


def doctor(json: Json = False, quiet: Quiet = False) -> None:
    """Report the versions of all components, and how to install those that are missing."""
    from pyexpr.diagnosis import doctor as examine

    show = Showing(json, quiet)
    found = examine()
    if not quiet or not found.works:
        show.page(found)
    if not found.works:
        raise typer.Exit(1)
