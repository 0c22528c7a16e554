"""The files of a folder of results that a report shows, compared with the hashes in its record."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyexpr.base.errors import StudyError, counted, listed
from pyexpr.base.messages import say
from pyexpr.study.kept.seal import is_sealed

#: A record of what a run did, and of the files it wrote.
RECORD = "record.json"


@dataclass(frozen=True, slots=True)
class VerifiedFiles:
    """Files that were read once, and which of them differ from what the run wrote.

    Attributes
    ----------
    folder : Path
    contents : dict of str to bytes
        By the path in the folder.
    altered : tuple of str
        Those whose hash is not that in the record, and the record if it is not as it was
        written.
    """

    folder: Path
    contents: dict[str, bytes]
    altered: tuple[str, ...]

    def altered_among(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return which of these files and the record are altered."""
        wanted = {*names, RECORD}
        return tuple(name for name in self.altered if name in wanted)

    def refuse_altered(self) -> None:
        """Raise `StudyError` if anything is altered."""
        if self.altered:
            one = len(self.altered) == 1
            raise StudyError(
                say(
                    "{many} of {folder!r} {verb} been changed since the run: {names}; pyexpr "
                    "run --overwrite creates {it} again, and pyexpr report --altered "
                    "({altered=True}) shows {it}, marked as altered",
                    many=counted(len(self.altered), "file"),
                    folder=str(self.folder),
                    verb="has" if one else "have",
                    it="it" if one else "them",
                    names=listed(self.altered),
                )
            )


def read_verified(folder: Path, record: dict[str, Any], names: Iterable[str]) -> VerifiedFiles:
    """Read files of a folder of results and compare each with its hash in the record.

    Raises
    ------
    StudyError
        If a file is missing, or does not lie in the folder.
    """
    altered = [] if is_sealed(record) else [RECORD]
    contents = {}
    for name in names:
        path = folder / name
        if not os.path.isfile(path) or not path.resolve().is_relative_to(folder.resolve()):
            raise StudyError(
                f"{str(folder)!r} does not contain {name}: the results are incomplete; pyexpr "
                "run creates them again"
            )
        try:
            contents[name] = path.read_bytes()
        except OSError as error:
            raise StudyError(f"{str(path)!r} cannot be read: {error.strerror or error}") from None
        if hashlib.sha256(contents[name]).hexdigest() != record["files"].get(name):
            altered.append(name)
    return VerifiedFiles(folder, contents, tuple(altered))
