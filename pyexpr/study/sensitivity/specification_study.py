"""A study with other choices, whose stages are stored beside those of the study itself."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pyexpr.study.file.config import StudyConfig
from pyexpr.study.kept.store import StageOutput, load
from pyexpr.study.pipeline import Study

#: In the folder of the stages: those of other specifications, by a hash of what they depend on.
SPECIFICATIONS: Final = "specifications"
# Characters of the hash in the name of a file.
_LENGTH: Final = 32


class SpecificationStudy(Study):
    """A study that uses the stored stages of all specifications, and of the study itself.

    Parameters
    ----------
    config : StudyConfig
    folder : Path
        Paths in the configuration are relative to it.
    output : Path
        The folder of results of the study itself.
    of_recordings : Path
        The folder of stages that has the features of the recordings.
    """

    def __init__(
        self, config: StudyConfig, folder: Path, output: Path, of_recordings: Path
    ) -> None:
        super().__init__(config, folder, output=output)
        self._of_recordings = of_recordings

    def stage_file(self, name: str) -> Path:
        """Return the file of a stage, whose name is a hash of everything the stage depends on."""
        key = self._key(name)
        return self.output / "stages" / SPECIFICATIONS / f"{name}-{key[:_LENGTH]}.zip"

    def is_stored(self, name: str) -> bool:
        """Say whether a stage needs no computation."""
        return self._is_stored(name)

    def stage(self, name: str) -> StageOutput:
        """Return a stage, computed if it is not stored."""
        if name == "features":
            return self.features(progress=False)
        found: StageOutput = getattr(self, name)()
        return found

    def forget(self) -> None:
        """Free the memory of the tables of stages, which are stored in files."""
        self._done.clear()
        self.reused.clear()

    def _stored(self, name: str) -> Path:
        return self.stage_file(name)

    def _loaded(self, name: str, key: str) -> StageOutput | None:
        own = load(self._stored(name), key)
        return own if own is not None else load(super()._stored(name), key)

    def _listings(self) -> tuple[Path, ...]:
        # The list in the folder of results is that of the study itself.
        return ()
