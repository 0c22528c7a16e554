"""The record of a run, which a report reads from a folder that may be damaged or foreign."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from pyexpr.base.contents import read_content
from pyexpr.base.errors import DataError, StudyError, listed
from pyexpr.base.invalid_values import allowed
from pyexpr.base.outputs import OutputError
from pyexpr.base.visible import visible
from pyexpr.study.kept.kept_messages import known_messages, with_messages
from pyexpr.study.results.verified import RECORD

_REMEDY = "name the folder that pyexpr run has written (results/ beside the study file)"
_AGAIN = "pyexpr run makes the results anew"
# Errors that a damaged record can cause in code that reads it; others are our own errors.
_OF_DAMAGE = (
    LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError,
    StopIteration, AssertionError,
)  # fmt: skip
_LONGEST = 200


def _file_name(name: str) -> str:
    """Refuse text that cannot be the name of a file."""
    if not name or "\0" in name:
        raise ValueError("no name of a file")
    os.fsencode(name)
    return name


_FileName = Annotated[str, AfterValidator(_file_name)]


class _Stage(BaseModel):
    """Entries that every stage may have; the rest is read by the text of its section."""

    model_config = ConfigDict(strict=True, extra="allow")

    notes: list[str] = []


class _Record(BaseModel):
    """The entries of a record that are not those of a study file or of a stage."""

    model_config = ConfigDict(strict=True, extra="allow")

    title: str
    simulated: bool
    seed: int
    versions: dict[str, str | None]
    options: dict[str, Any]
    contexts: list[str]
    questions: list[str]
    inputs: dict[_FileName, str]
    dropped: dict[str, int]
    stages: dict[str, _Stage]
    notes: list[str]
    messages: dict[str, dict[str, Any]]
    files: dict[_FileName, str]


def read_record(folder: Path) -> dict[str, Any]:
    """Return the record in a folder of results.

    Raises
    ------
    StudyError
        If there is no record, or it is not of this version of the package; the message names the
        file, and the wrong entry if there is one.
    """
    path = folder / RECORD
    # For a name that is too long or not a name, pathlib raises an error.
    if not os.path.isdir(folder):
        raise StudyError(f"there is no folder {str(folder)!r}; {_REMEDY}")
    try:
        record = json.loads(read_content(path)[0].decode("utf-8"))
    except FileNotFoundError:
        raise StudyError(
            f"{str(folder)!r} holds no results of a study: it has no record.json; {_REMEDY}"
        ) from None
    except RecursionError:
        raise StudyError(f"{str(path)!r} cannot be read: it is nested too deeply") from None
    except (ValueError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StudyError(f"{str(path)!r} cannot be read: {reason}; {_AGAIN}") from None
    if not isinstance(record, dict) or not {"stages", "options"} <= set(record):
        raise StudyError(f"{str(path)!r} is not the record of a study; {_REMEDY}")
    if not (isinstance(record.get("files"), dict) and isinstance(record.get("messages"), dict)):
        raise StudyError(
            f"{str(path)!r} does not list the run's files and messages: it was written by another "
            f"version of pyexpr; {_AGAIN}"
        )
    try:
        _Record.model_validate(record)
    except (ValidationError, ValueError) as error:
        raise StudyError(f"{str(path)!r} is damaged: {_first(error)}; {_AGAIN}") from None
    return record


def _first(error: Exception) -> str:
    """Return the first problem and its place."""
    if not isinstance(error, ValidationError):
        return _short(error)
    first = error.errors(include_url=False, include_input=False)[0]
    at = ".".join(str(part) for part in first["loc"] if part != "[key]")
    kind = allowed(first)
    what = f"must be {kind}" if kind else first["msg"].partition(":")[0].lower()
    return f"at {visible(at)[:_LONGEST]!r}: {what}"


def _short(error: BaseException) -> str:
    """Return an error in a line."""
    text = " ".join(visible(str(error)).split())[:_LONGEST]
    if isinstance(error, DataError):
        return text
    return f"there is no {text}" if isinstance(error, KeyError) else text or type(error).__name__


@contextmanager
def damage_explained(folder: Path, altered: list[str]) -> Iterator[None]:
    """Turn the errors that a damaged record or table causes in the block into one sentence.

    `altered` are the files that the block found to differ from what the run wrote.

    Raises
    ------
    StudyError
        It names these files or, if there are none, the record, which describes the others.
    """
    try:
        yield
    except (StudyError, OutputError):
        raise
    except _OF_DAMAGE as error:
        what = listed(altered) if altered else f"{RECORD!r}, or a file that it lists,"
        holds = "do not hold" if len(altered) > 1 else "does not hold"
        raise StudyError(
            f"the results in {str(folder)!r} cannot be shown: {what} {holds} what this version of "
            f"pyexpr writes there ({_short(error)}); {_AGAIN}"
        ) from error


def restore_messages(record: dict[str, Any]) -> dict[str, Any]:
    """Put messages in place of their texts in a record's stages; return them by their texts."""
    known = known_messages(record["messages"])
    record["stages"] = with_messages(record["stages"], known)
    return dict(known)
