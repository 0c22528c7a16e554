"""The command line in this process: a process of its own takes a second to import everything."""

from __future__ import annotations

import io
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout

import pytest

from pyexpr.cli.main import main


def pyexpr(*arguments: object, code: int = 0) -> str:
    """Run a command; return what it printed, or the errors of one that ends with `code`."""
    printed, errors = io.StringIO(), io.StringIO()
    ended: object = 0
    with (
        pytest.MonkeyPatch.context() as patch,
        warnings.catch_warnings(),
        redirect_stdout(printed),
        redirect_stderr(errors),
    ):
        # Shown by the command, not errors as in the tests.
        warnings.simplefilter("always")
        patch.setattr(sys, "argv", ["pyexpr", *map(str, arguments)])
        try:
            main()
        except SystemExit as stopped:
            ended = stopped.code or 0
    assert ended == code, errors.getvalue()
    assert "Traceback" not in errors.getvalue()
    return printed.getvalue() if code == 0 else errors.getvalue()
