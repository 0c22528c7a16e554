"""A folder with a file per recording: what was computed of it is not computed again.

A file has the name of a hash of everything that its rows depend on: the content of the recording,
its subject and context, how it is read and cut, the options of the features, and the code. Another
content or option is another file, so nothing in the folder is ever out of date, and two programs
that write the same name write the same rows.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pyexpr.base.errors import DataError, PyexprWarning, counted, listed, warn_user
from pyexpr.base.files import OutputError, whole_file
from pyexpr.base.messages import message_of, say
from pyexpr.behavior.features.recording_rows import Job, Rows
from pyexpr.behavior.features.rows_file import is_rows_file, packed, unpacked
from pyexpr.behavior.openface.layout import OPENFACE
from pyexpr.behavior.tracks.layout import layout_named, shipped
from pyexpr.behavior.tracks.recognition import AUTO

# Counted up when the files change their meaning.
_FORMAT: Final = 1
_NAME: Final = re.compile(r"[0-9a-f]{64}\.parquet")


@dataclass(slots=True)
class RowStore:
    """The stored rows of recordings.

    Attributes
    ----------
    folder : Path
        Made when the first file is written.
    hashes : mapping of str to str
        SHA-256 of the content of recordings, and of videos where their clock is used, by path.
    depends : mapping
        What rows depend on besides recording and options, such as versions.
    used : dict of str to None
        Names of the files that belong to the recordings of this run.
    damaged : list of str
        Files whose checksum was not theirs.
    contradicted : list of str
        Paths of recordings that were read with another content than was hashed.
    refused : str
        Why files could not be written, "" if they could.
    otherwise : str
        What an error about unusable recordings ends with: how they are left out.
    """

    folder: Path
    hashes: Mapping[str, str]
    depends: Mapping[str, Any]
    used: dict[str, None] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)
    contradicted: list[str] = field(default_factory=list)
    refused: str = ""
    otherwise: str = ""
    _layouts: dict[str, Any] = field(default_factory=dict)

    def find(self, job: Job) -> Rows | None:
        """Return the rows of a recording, None if there are none or they are damaged."""
        key = self._key(job)
        path = self.folder / f"{key}.parquet"
        self.used[path.name] = None
        try:
            raw = path.read_bytes()
        except OSError:
            return None
        found = unpacked(raw, key, job.path)
        if found is None:
            self.damaged.append(str(path))
        return found

    def keep(self, job: Job, rows: Rows) -> None:
        """Store the rows of a recording, unless another content was read than was hashed."""
        if rows.sha256 and rows.sha256 != self.hashes[job.path]:
            self.contradicted.append(job.path)
        elif rows.recording is not None and not self.refused:
            self._write(job, rows)

    def _write(self, job: Job, rows: Rows) -> None:
        key = self._key(job)
        path = self.folder / f"{key}.parquet"
        try:
            # What a failure of power leaves is found by its checksum: no file waits for the disk.
            with whole_file(path, lasting=False) as temporary:
                temporary.write_bytes(packed(rows, key))
        except OutputError as error:
            self.refused = str(error)

    def warn(self) -> None:
        """Warn of files that were damaged, or could not be written."""
        if self.damaged:
            many = counted(len(self.damaged), "stored file", "was", "were")
            warn_user(
                f"{many} damaged, first {listed(self.damaged, most=1)}; the features of "
                f"{'this recording' if len(self.damaged) == 1 else 'these recordings'} were "
                "computed again",
                PyexprWarning,
            )
        if self.refused:
            warn_user(
                "the features of recordings could not be stored, so the next run computes them "
                f"again: {self.refused}",
                PyexprWarning,
            )

    def _key(self, job: Job) -> str:
        """Hash everything that the rows of a recording depend on."""
        own = {name: value for name, value in job.reading.items() if name != "video"}
        video = job.reading.get("video")
        schedule = job.schedule
        parts = {
            "format": _FORMAT,
            "depends": self.depends,
            "content": self.hashes[job.path],
            "video": None if video is None else self.hashes[video],
            "who": [job.subject, job.context],
            "clips": [
                schedule.period,
                [
                    [one.start, one.end, one.label]
                    for one in schedule.segments.get(str(job.context), ())
                ],
                job.on_short,
            ],
            "options": job.options.to_dict(),
            "reading": own,
            "common": job.common,
            "layout": self._layout(job.layout),
        }
        text = json.dumps(parts, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    def _layout(self, name: str | None) -> Any:
        """Return what a layout says, which may change under its own name."""
        if name is None or name == OPENFACE:
            return name
        if name not in self._layouts:
            layouts = shipped().values() if name == AUTO else [layout_named(name)]
            self._layouts[name] = [one.model_dump(mode="json") for one in layouts]
        return self._layouts[name]


_STORE: ContextVar[RowStore | None] = ContextVar("store of rows", default=None)


@contextmanager
def rows_stored(store: RowStore) -> Iterator[None]:
    """While this is open, `extract_features` takes what the store has and stores the rest.

    Every recording is computed, also where one cannot be used: the error comes after the last,
    and says what is stored.
    """
    token = _STORE.set(store)
    try:
        yield
    finally:
        _STORE.reset(token)
        store.warn()


def current_store() -> RowStore | None:
    """Return the store that is open here."""
    return _STORE.get()


def unusable(errors: list[DataError], n: int, store: RowStore) -> DataError:
    """Return the error of a run in which some of `n` recordings could not be used."""
    which = "" if len(errors) == 1 else f"{len(errors)} of {n} recordings cannot be used, first "
    kept = n - len(errors)
    others = counted(kept, "recording", "is", "are")
    stored = f"the features of the other {others} stored, and the next run reads only "
    if not kept or store.refused:
        return type(errors[0])(say("{which}{error}", which=which, error=message_of(errors[0])))
    return type(errors[0])(
        say(
            "{which}{error}; {stored}{these}{otherwise}",
            which=which,
            error=message_of(errors[0]),
            stored=stored,
            these="this one" if len(errors) == 1 else "these",
            otherwise=store.otherwise,
        )
    )


def store_files(folder: Path) -> list[Path]:
    """Return the files of a store in a folder; what else is there is not among them."""
    try:
        found = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    except OSError:
        return []
    return [path for path in found if _is_own(path)]


def _is_own(path: Path) -> bool:
    try:
        return path.is_file() and not path.is_symlink() and is_rows_file(path.read_bytes())
    except OSError:
        return False
