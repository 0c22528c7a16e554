"""The command line in this process: a process of its own takes a second to import everything.

Without pytest, which is not there where the documentation is built.
"""

from __future__ import annotations

import io
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from unittest import mock

from pyexpr.cli.main import main


def called(*arguments: object) -> tuple[str, str, object]:
    """Run a command; return what it printed, its errors, and its exit status."""
    # Some commands write bytes.
    printed, errors = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    ended: object = 0
    with (
        mock.patch.object(sys, "argv", ["pyexpr", *map(str, arguments)]),
        warnings.catch_warnings(),
        redirect_stdout(printed),
        redirect_stderr(errors),
    ):
        # Shown by the command, not errors as in the tests.
        warnings.simplefilter("always")
        try:
            main()
        except SystemExit as stopped:
            ended = stopped.code or 0
    texts = []
    for stream in (printed, errors):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())
    return texts[0], texts[1], ended


def pyexpr(*arguments: object, code: int = 0) -> str:
    """Run a command; return what it printed, or the errors of one that ends with `code`."""
    printed, errors, ended = called(*arguments)
    assert ended == code, errors
    assert "Traceback" not in errors
    return printed if code == 0 else errors
