"""The start of R, and which of its startup files is the cause if it fails.

R is started without the user's profile. Settings for all programs are read, since they may name
libraries.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from pyexpr.measurement.engines.children import run_child
from pyexpr.measurement.engines.r_places import find_rscript

# Options of every Rscript that pyexpr starts: it saves nothing and reads no profile of the user.
OPTIONS = ("--no-save", "--no-restore", "--no-init-file")

# Each fails unless R runs; unless rpy2 can ask it for its environment; unless it finds lavaan.
RUNS = "invisible(1)"
RUNS_FOR_RPY2 = "invisible(write.csv)"
FINDS_LAVAAN = "invisible(find.package('lavaan'))"

# What an R that started in this process has put into the environment: to children no user's words.
SET_BY_R: set[str] = set()

#: Seconds in which R must answer, and those for each further try once it has not.
TIMEOUT = 60.0
_TIMEOUT_OF_A_TRY = 20.0
# The variable that names another file for R, the usual name of the file, and its description.
_FILES = (
    ("R_PROFILE", "Rprofile.site", "the site's profile"),
    ("R_ENVIRON", "Renviron.site", "the site's file of environment variables"),
    ("R_ENVIRON_USER", ".Renviron", "the user's file of environment variables"),
)


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason why a request to R failed.

    Attributes
    ----------
    message : str
        R's own words, on one line; "" if it did not answer in time.
    files : tuple of str
        The files without which it works, each after its description; empty if none is the cause.
    variables : tuple of str
        For each file, the variable by which R is started without it.
    """

    message: str
    files: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()

    def without(self) -> str:
        """Return a phrase that names the files without which R works, and what to do about them."""
        settings = " and ".join(f"{name}={os.devnull}" for name in self.variables)
        these = "that file" if len(self.files) == 1 else "these files"
        return (
            f"without {' and '.join(self.files)}: correct {these}, or start Python with {settings}"
        )


def unread_profile() -> str:
    """Return the path of the profile that R would read for this user here, or "".

    pyexpr starts R without it: it may end R, or change options that a fit depends on.
    """
    return _of_the_user("R_PROFILE_USER", ".Rprofile")


def failure(code: str, *, hangs: bool = False) -> Failure | None:
    """Return why an Rscript fails at `code`, or None if it does not.

    A file is the cause if R does not fail without it. If R only succeeds without all of them, all
    are. With `hangs`, R is known not to answer, and is not queried again for a minute.
    """
    program = find_rscript()
    if program is None:
        return Failure("Rscript was not found")
    message = "" if hangs else _message(program, code, seconds=TIMEOUT)
    if message is None:
        return None
    read = _files_read(program)
    for tried in [*([name] for name in read), list(read)]:
        if tried and _message(program, code, seconds=_TIMEOUT_OF_A_TRY, without=tried) is None:
            return Failure(message, tuple(read[name] for name in tried), tuple(tried))
    return Failure(message)


def stops(code: str, otherwise: str, *, hangs: bool = False) -> str:
    """Return the sentence on an R that fails at `code`, or `otherwise` if it does not."""
    found = failure(code, hangs=hangs)
    if found is None:
        return otherwise
    blamed = f"; it runs {found.without()}" if found.files else ""
    if not found.message:
        return f"R does not answer within {TIMEOUT:.0f} seconds{blamed}"
    return f"R stops as soon as it starts, with the message: {found.message}{blamed}"


@cache
def hidden_lavaan() -> Failure | None:
    """Return the failure to find a lavaan that only a file hides, or None.

    The search is made once in a process; if lavaan is missing, every fit would repeat it.
    """
    found = failure(FINDS_LAVAAN)
    return found if found is not None and found.files else None


def _message(program: str, code: str, *, seconds: float, without: Iterable[str] = ()) -> str | None:
    """Return what an Rscript that fails at `code` said, "" if nothing in time; None: no failure."""
    done = "pyexpr was here"
    # It is put together by R: the code itself may be part of an error's text.
    answer = f'{code}; cat("{done[:6]}", "{done[7:]}")'
    try:
        found = run_child(
            [program, *OPTIONS, "-e", answer],
            seconds=seconds,
            env={**_environment(), **dict.fromkeys(without, os.devnull)},
        )
    except subprocess.TimeoutExpired:
        return ""
    except OSError as error:
        return f"{type(error).__name__}: {error}"
    if found.returncode == 0 and done in found.stdout:
        return None
    return " ".join(found.stderr.split()) or "nothing"


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in SET_BY_R}


def _files_read(program: str) -> dict[str, str]:
    """Return, by its variable, each file that R reads when it starts, after its description."""
    try:
        folder = run_child(
            [program, "--vanilla", "-e", 'cat(R.home("etc"))'],
            seconds=_TIMEOUT_OF_A_TRY,
            env=_environment(),
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    paths = {
        variable: _of_the_user(variable, name)
        if variable.endswith("_USER")
        else _first_file([os.environ.get(variable, os.path.join(folder, name))])
        for variable, name, _ in _FILES
    }
    return {
        variable: f"{what} {paths[variable]!r}" for variable, _, what in _FILES if paths[variable]
    }


def _of_the_user(variable: str, name: str) -> str:
    named = os.environ.get(variable)
    return _first_file([named] if named else [name, os.path.join(os.path.expanduser("~"), name)])


def _first_file(places: list[str]) -> str:
    return next((os.path.abspath(place) for place in places if os.path.isfile(place)), "")
