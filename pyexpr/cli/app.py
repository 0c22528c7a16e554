"""The command `pyexpr` itself: its help, its version, and what holds for all of its commands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pyexpr.base.invalid_values import allowed, shown
from pyexpr.base.options import FORMER_CONTEXT
from pyexpr.cli.showing import CALL
from pyexpr.cli.start import STATUS, interruption_text

#: Below the help of `pyexpr` and of each command.
EXIT_STATUS = (
    "Exit status: 0 if the command succeeded; 1 if it failed (one sentence on standard error), or "
    "if check, init or doctor found a problem; 2 if an option or argument is wrong; 130 if it was "
    "stopped by Ctrl-C."
)


class _Commands(TyperGroup):
    """All commands; of an interrupt each says what is true of it."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        with _one_sentence():
            return super().make_context(*args, **kwargs)

    def resolve_command(self, ctx: Any, args: Any) -> Any:
        found = super().resolve_command(ctx, args)
        options = () if found[1] is None else found[1].params
        CALL.begin(name for parameter in options for name in parameter.opts)
        return found

    def invoke(self, ctx: Any) -> Any:
        with _one_sentence(), _former_names(), _values_in_words():
            return super().invoke(ctx)


@contextmanager
def _former_names() -> Iterator[None]:
    """Answer an option that names the column of contexts otherwise."""
    try:
        yield
    except Exception as error:
        name = str(getattr(error, "option_name", ""))
        if name.removeprefix("--") not in FORMER_CONTEXT or "--context" not in CALL.options:
            raise
        ctx = getattr(error, "ctx", None)
        raise typer.BadParameter(
            f"there is no option {name}; the column of contexts is --context", ctx=ctx
        ) from None


@contextmanager
def _values_in_words() -> Iterator[None]:
    """Say what an option's value must be: Typer passes on the words of pydantic, which reads it."""
    try:
        yield
    except typer.BadParameter as error:
        # Not imported before it is needed, and not used at all by older versions of Typer.
        problems: list[Any] = getattr(error.__cause__, "errors", list)()
        kind = allowed(problems[0]) if problems else ""
        if not kind:
            raise
        text = f"must be {kind}, not {shown(problems[0]['input'])}"
        raise typer.BadParameter(text, ctx=error.ctx, param=error.param) from None


@contextmanager
def _one_sentence() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as stop:
        typer.echo(interruption_text(str(stop)), err=True)
        # Typer knows this status too, but would say nothing.
        raise typer.Exit(STATUS) from None


app = typer.Typer(
    cls=_Commands,
    help="Statistics for the study of expressive behaviour and its context: reliability of "
    "ratings, factor scores, features of recordings, models and their comparison.",
    epilog=EXIT_STATUS,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from pyexpr.base.versions import versions

        typer.echo(f"pyexpr {versions()['pyexpr-stats']}")
        raise typer.Exit


@app.callback()
def _pyexpr(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    pass
