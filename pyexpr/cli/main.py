"""`pyexpr`: the command line. Arguments to the public functions to files and tables."""

from __future__ import annotations

from pyexpr.cli.start import (
    BEFORE_THE_END,
    STATUS,
    ends_at_once,
    interruption_text,
    raises_interrupted,
)

with ends_at_once(also_after=__name__ == "__main__"):
    import errno
    import os
    import sys
    import warnings
    from collections.abc import Callable
    from contextlib import suppress
    from typing import Any, TextIO

    import typer

    from pyexpr.base.errors import PyexprError
    from pyexpr.cli.app import EXIT_STATUS, app
    from pyexpr.cli.ceiling import ceiling
    from pyexpr.cli.doctor import doctor
    from pyexpr.cli.facets import components, multilevel
    from pyexpr.cli.features import features
    from pyexpr.cli.importance import importance
    from pyexpr.cli.models import compare, fit
    from pyexpr.cli.movement import series, synchrony
    from pyexpr.cli.plans import plan
    from pyexpr.cli.raters import raters, traces
    from pyexpr.cli.ratings import agreement, cfa, icc
    from pyexpr.cli.sensitivity import errors, sensitivity
    from pyexpr.cli.showing import show_error, show_warning
    from pyexpr.cli.simulated import demo, paper, simulate
    from pyexpr.cli.studies import check, init, report, run
    from pyexpr.cli.track import track

# As the help lists them.
_COMMANDS: dict[str, tuple[Callable[..., Any], ...]] = {
    "Whole studies": (run, init, check, report, sensitivity),
    "Single steps, from tables or a study file": (
        icc,
        agreement,
        components,
        multilevel,
        raters,
        traces,
        cfa,
        track,
        features,
        series,
        synchrony,
        fit,
        compare,
        ceiling,
        errors,
        importance,
        plan,
    ),
    "Simulated studies": (simulate, demo, paper),
    "Installation": (doctor,),
}
# What ends what the system says of a place.
_REMEDIES = dict.fromkeys(
    (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)),
    "; make room there, or choose another place, and run it again",
)
for panel, commands in _COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=panel, epilog=EXIT_STATUS)(command)


def main() -> None:
    """Run the command line; an error of pyexpr is one sentence, not a traceback."""
    warnings.showwarning = show_warning
    _replace_unencodable()
    try:
        with raises_interrupted():
            try:
                app()
            finally:
                # Output that is still buffered: a full disk is reported here, not after the end.
                if sys.stdout is not None:
                    sys.stdout.flush()
    except PyexprError as error:
        _show_once(error)
        sys.exit(1)
    except OSError as error:
        # What the system refuses anywhere: a full disk, a name that is too long, a lost share.
        if error.strerror is None:
            raise
        place = repr(str(error.filename))
        if error.filename is None:
            # A read or write that fails does not say which file it was of.
            place = "standard output" if _is_stuck(sys.stdout) else "reading or writing failed"
            # If the reader of a pipe has closed it, there is nobody to inform.
            if error.errno == errno.EPIPE:
                sys.exit(1)
        show_error(f"{place}: {error.strerror}{_REMEDIES.get(error.errno or 0, '')}")
        sys.exit(1)
    except KeyboardInterrupt as stop:
        # Before or after the commands.
        typer.echo(interruption_text(str(stop) or BEFORE_THE_END), err=True)
        sys.exit(STATUS)


def _show_once(error: PyexprError) -> None:
    """Print an error, unless the first of several processes ends by the same one and says it."""
    several = sys.modules.get("pyexpr.deep.process_group")
    group = None if several is None else several.joined_group()
    if group is None or group.first:
        show_error(error)
    elif not group.is_told_by_first(error):
        show_error(f"{group.launch.name}: {error}")


def _is_stuck(stream: TextIO | None) -> bool:
    """Return whether a stream cannot write its buffered output, which is then discarded."""
    if stream is None:
        return False
    try:
        stream.flush()
    except OSError:
        # Python writes it once more at its end, and would show a traceback.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return True
    return False


def _replace_unencodable() -> None:
    """Let a letter that an output cannot show be printed as its code, not end the command."""
    for stream in (sys.stdout, sys.stderr):
        # Tests and hosts put other streams in their place.
        with suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


if __name__ == "__main__":
    main()
