"""The files of a study: read once, identified by the hash of their bytes, and monitored."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pyexpr.base.contents import KnownFile, hashed_file
from pyexpr.base.errors import StudyError, counted, listed
from pyexpr.behavior.openface.sessions import joined_sha256, session_files
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

    Attributes
    ----------
    inputs : Inputs
        The checked tables.
    """

    def __init__(self, config: StudyConfig, folder: Path) -> None:
        self.config = config
        self.folder = folder
        self.inputs: Inputs = read_inputs(config, folder)
        self._known: dict[str, KnownFile] = dict(self.inputs.files)

    def paths(self) -> dict[str, Path]:
        """Return every file that the study reads, by its name in the study."""
        tables = {name: file.path for name, file in self.inputs.files.items()}
        return tables | self._recording_files() | self._videos()

    def hashes(self) -> dict[str, str]:
        """Return the SHA-256 of every file that the study reads, by its name in the study."""
        wanted = self.paths()
        for name, path in wanted.items():
            if name not in self._known:
                self._known[name] = self._hashed(path)
        return {name: self._known[name].sha256 for name in wanted}

    def of_videos(self) -> frozenset[str]:
        """Return the names of what the 3D-CNN alone reads."""
        return frozenset(self._videos())

    def by_path(self) -> dict[str, str]:
        """Return the SHA-256 of every recording by its path."""
        hashes = self.hashes()
        return {
            str(path): joined_sha256([hashes[one] for one in self._files(name, path)])
            for name, path in self._recordings().items()
        }

    def changed(self) -> list[str]:
        """Return the names of those files that are not as they were when they were read."""
        return [name for name, file in self._known.items() if not file.is_as_it_was()]

    def _recordings(self) -> dict[str, Path]:
        table = self.inputs.recordings
        return dict(zip(table["openface"], map(Path, table["path"]), strict=True))

    def _recording_files(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for name, path in self._recordings().items():
            found |= self._files(name, path)
        return found

    @staticmethod
    def _files(name: str, path: Path) -> dict[str, Path]:
        """Return the files that a recording is read from; those beside it have its folder."""
        files = session_files(path)
        if len(files) == 1:
            return {name: path}
        return {Path(name).with_name(file.name).as_posix(): file for file in files}

    def _videos(self) -> dict[str, Path]:
        """Return the videos, and the weights that the 3D-CNN starts from."""
        section = self.config.models.video3d
        if section is None:
            return {}
        table = self.inputs.recordings
        found = dict(zip(table["video"], map(Path, table["video_path"]), strict=True))
        weights = pretrained_file(self.config, self.folder)
        if weights is not None:
            if not Path(weights).is_file():
                raise StudyError(f"[models.video3d] pretrained: there is no file {weights!r}")
            found[str(section.pretrained)] = Path(weights)
        return found

    @staticmethod
    def _hashed(path: Path) -> KnownFile:
        try:
            return hashed_file(path)
        except OSError as error:
            raise StudyError(
                f"the study's file {str(path)!r} cannot be read: {error.strerror or error}"
            ) from None
