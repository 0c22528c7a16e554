"""Messages as the command line says them: its options, not arguments."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from pyexpr.base.messages import Voice, in_voice

# What a shell takes as one word.
_ONE_WORD = re.compile(r"[\w.,+-]+")
# A call in Python -> the command that does the same.
_COMMANDS = {"px.multilevel_icc": "pyexpr multilevel"}


class _CommandLine(Voice):
    """What the command has no option for stays as Python writes it."""

    def __init__(self, options: Collection[str]) -> None:
        self.options = options

    def option(self, name: str, value: Any = None, *, bare: bool = False) -> str:
        typed = f"--{name.replace('_', '-')}"
        if typed not in self.options or value is False or (value is None and not bare):
            return super().option(name, value, bare=bare)
        if bare or value is True:
            return typed
        parts = value if isinstance(value, list | tuple) else [value]
        return f"{typed} {','.join(map(_as_typed, parts))}"

    def call(self, code: str) -> str:
        return _COMMANDS.get(code, code)


def _as_typed(value: Any) -> str:
    plain = f"{value:.12g}" if isinstance(value, float) else str(value)
    return plain if _ONE_WORD.fullmatch(plain) else repr(value)


def with_options(text: str, options: Collection[str]) -> str:
    """Return a message with the arguments that are among the `options` written as these.

    Examples
    --------
    >>> from pyexpr.base.messages import say
    >>> with_options(say("{cluster='subject'} respects subjects; see {seed=}"), ["--cluster"])
    '--cluster subject respects subjects; see seed='
    >>> with_options(say("in {targets=}, {n_boot=}", n_boot=200), ["--targets", "--n-boot"])
    'in --targets, --n-boot 200'
    """
    return in_voice(text, _CommandLine(options))
