"""The parts of a study that are checked before it runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from pyexpr.study.file.config import StudyConfig
from pyexpr.study.tables.inputs import Inputs


class CheckedStudy(Protocol):
    """The attributes of `Study` that are checked."""

    config: StudyConfig
    folder: Path
    output: Path

    @property
    def inputs(self) -> Inputs:
        """Its tables."""

    @property
    def input_files(self) -> list[Path]:
        """What it reads."""

    @property
    def stage_names(self) -> tuple[str, ...]:
        """Its stages."""

    @property
    def outcomes(self) -> Mapping[str, Any]:
        """The studies of its labels."""
