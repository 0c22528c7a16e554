"""The text of a study file as entries; what TOML allows but no study file can mean is an error."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pyexpr.base.errors import StudyError

# A study file's own sections are three deep.
_DEEPEST: Final = 16
# TOML's whole numbers.
_LARGEST: Final = 2**63
# The lengths that systems allow for a path, and for each name in it.
_LONGEST_PATH: Final = 4096
_LONGEST_NAME: Final = 255


def toml_entries(content: bytes, path: Path | str) -> dict[str, Any]:
    """Return the entries of a study file's bytes; `path` names it.

    Raises
    ------
    StudyError
        If it is not TOML in UTF-8, or an entry is nested too deeply, is a whole number that does
        not fit 64 bits, holds a NUL character, or is a path that no system allows.
    """
    file = repr(str(path))
    try:
        # Some editors begin a file with a byte-order mark, which TOML does not know.
        raw = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise StudyError(
            f"{file} is not a TOML file: line {line} is not UTF-8 text; save it as UTF-8"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{file} is not a TOML file: {error}") from None
    except RecursionError:
        raise _too_deep(file) from None
    except ValueError as error:
        # Python itself reads no number of more than 4,300 digits.
        line = _longest_line(content)
        raise StudyError(
            f"{file} is not a study file: a whole number of thousands of digits, in line {line}, "
            "is no entry of one; write a smaller one"
        ) from error
    for entry, value in _values(raw, file):
        problem = _problem(entry, value)
        if problem:
            raise StudyError(f"study file {file}: {entry}: {problem}")
    return raw


def _values(raw: dict[str, Any], file: str) -> Iterator[tuple[str, Any]]:
    """Yield every value that is not a section or list, and every key, each after its place."""
    left: list[tuple[str, Any, int]] = [("", raw, 0)]
    while left:
        place, value, depth = left.pop()
        if depth > _DEEPEST:
            raise _too_deep(file)
        if isinstance(value, dict):
            for name, item in value.items():
                own = f"{place}.{name}" if place else name
                yield repr(name), name
                left.append((own, item, depth + 1))
        elif isinstance(value, list):
            left.extend((place, item, depth + 1) for item in value)
        else:
            yield place, value


def _problem(entry: str, value: Any) -> str:
    """Return what is wrong with a value regardless of the entry, or ""."""
    if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
        return f"a whole number of {len(str(abs(value)))} digits is too large; write a smaller one"
    if not isinstance(value, str):
        return ""
    if "\0" in value:
        return "it holds a NUL character, which no name or path has; delete it"
    if entry == "output" or entry.startswith("data."):
        size = len(value.encode("utf-8", "surrogatepass"))
        longest = max(len(name.encode("utf-8", "surrogatepass")) for name in value.split("/"))
        if size > _LONGEST_PATH or longest > _LONGEST_NAME:
            return f"a path of {len(value):,} characters is longer than systems allow; shorten it"
    return ""


def _too_deep(file: str) -> StudyError:
    return StudyError(
        f"{file} is not a study file: its lists or sections are nested more than {_DEEPEST} deep"
    )


def _longest_line(content: bytes) -> int:
    lengths = [len(line) for line in content.split(b"\n")]
    return lengths.index(max(lengths)) + 1
