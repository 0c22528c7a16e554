"""The files of a study: read once, identified by the hash of their bytes, and monitored."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pyexpr.base.contents import KnownFile
from pyexpr.base.errors import StudyError, counted, listed
from pyexpr.base.known_hashes import KnownHashes
from pyexpr.base.tables import cells
from pyexpr.behavior.openface.sessions import joined_sha256, session_files, stands_alone
from pyexpr.behavior.tracks.layout import layout_files
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.stages.deep import pretrained_file
from pyexpr.study.tables.inputs import Inputs, read_inputs


def refuse_changed(names: Iterable[str]) -> None:
    """Raise `StudyError` if any of the study's files is another than its results were keyed by."""
    changed = list(names)
    if changed:
        one = len(changed) == 1
        raise StudyError(
            f"{counted(len(changed), 'file')} of the study changed while "
            f"{'it was' if one else 'they were'} used: {listed(changed)}; no result that "
            f"depends on {'it' if one else 'them'} was stored; run the study again when no "
            "other process writes to its files"
        )


class Sources:
    """What a study reads, as it was at one time.

    Parameters
    ----------
    config : StudyConfig
    folder : Path
        Paths in the configuration are relative to it.
    hashes : KnownHashes
        Of recordings and videos, which are not read again to be hashed where they are known.

    Attributes
    ----------
    inputs : Inputs
        The checked tables.
    """

    def __init__(self, config: StudyConfig, folder: Path, hashes: KnownHashes) -> None:
        self.config = config
        self.folder = folder
        self.known_hashes = hashes
        self.inputs: Inputs = read_inputs(config, folder)
        self._known: dict[str, KnownFile] = dict(self.inputs.files)

    def paths(self) -> dict[str, Path]:
        """Return every file that the study reads, by its name in the study."""
        tables = {name: file.path for name, file in self.inputs.files.items()}
        return tables | self._recording_files() | self._layouts() | self._videos()

    def hashes(self) -> dict[str, str]:
        """Return the SHA-256 of every file that the study reads, by its name in the study."""
        wanted = self.paths()
        for name, path in wanted.items():
            if name not in self._known:
                self._known[name] = self._hashed(name, path)
        return {name: self._known[name].sha256 for name in wanted}

    def of_videos(self) -> frozenset[str]:
        """Return the names of what the 3D-CNN alone reads."""
        timed = self._timed_videos()
        return frozenset(name for name in self._videos() if name not in timed)

    def by_path(self) -> dict[str, str]:
        """Return the SHA-256 of every recording, and of videos that tell its times, by its path."""
        hashes = self.hashes()
        videos = {str(path): hashes[name] for name, path in self._timed_videos().items()}
        return videos | {
            path: joined_sha256([hashes[one] for one in self._files(name, Path(path))])
            for name, path in self._recordings().items()
        }

    def changed(self) -> list[str]:
        """Return the names of those files that are not as they were when they were read."""
        return [name for name, file in self._known.items() if not file.is_unchanged()]

    def _recordings(self) -> dict[str, str]:
        table = self.inputs.recordings
        return dict(zip(cells(table["openface"]), cells(table["path"]), strict=True))

    def _recording_files(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for name, path in self._recordings().items():
            if stands_alone(path, is_file=True):
                found[name] = Path(path)
            else:
                found |= self._files(name, Path(path))
        return found

    @staticmethod
    def _files(name: str, path: Path) -> dict[str, Path]:
        """Return the files that a recording is read from; those beside it have its folder."""
        files = session_files(path)
        if len(files) == 1:
            return {name: path}
        return {Path(name).with_name(file.name).as_posix(): file for file in files}

    def _layouts(self) -> dict[str, Path]:
        """Return the files of layouts, which say what the columns of recordings are."""
        table = self.inputs.recordings
        named = [] if "layout" not in table else [name for name in table["layout"].unique() if name]
        files = [file for name in named for file in layout_files(name)]
        return {Path(os.path.relpath(file, self.folder)).as_posix(): file for file in files}

    def _timed_videos(self) -> dict[str, Path]:
        """Return the videos whose frames tell the times of recordings."""
        if self.config.features.clock != "video" or not self.inputs.recorded:
            return {}
        table = self.inputs.recordings
        return dict(zip(cells(table["video"]), map(Path, cells(table["video_path"])), strict=True))

    def _videos(self) -> dict[str, Path]:
        """Return the videos that are read, and the weights that the 3D-CNN starts from."""
        section = self.config.models.video3d
        if section is None:
            return self._timed_videos()
        table = self.inputs.recordings
        found = dict(zip(table["video"], map(Path, table["video_path"]), strict=True))
        weights = pretrained_file(self.config, self.folder)
        if weights is not None:
            if not Path(weights).is_file():
                raise StudyError(f"[models.video3d] pretrained: there is no file {weights!r}")
            found[str(section.pretrained)] = Path(weights)
        return found

    def _hashed(self, name: str, path: Path) -> KnownFile:
        try:
            return self.known_hashes.of(name, path)
        except OSError as error:
            raise StudyError(
                f"the study's file {str(path)!r} cannot be read: {error.strerror or error}"
            ) from None
