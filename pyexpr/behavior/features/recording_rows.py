"""What is computed of one recording: the task, and the rows that it gives to each table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from pyexpr.behavior.features.mixed import Kind
from pyexpr.behavior.features.options import FeatureOptions
from pyexpr.behavior.schedules import Schedule


@dataclass(frozen=True, slots=True)
class Job:
    """One file, and how it is read and cut."""

    subject: Any
    context: Any
    path: str
    schedule: Schedule
    options: FeatureOptions
    reading: dict[str, Any]
    on_short: Literal["drop", "error"]
    common: dict[str, tuple[str, ...]] = field(default_factory=dict)
    skip: bool = False
    layout: str | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """What one file gives to each of the four tables."""

    table: list[dict[str, Any]]
    quality: list[dict[str, Any]]
    recording: dict[str, Any] | None
    dropped: list[dict[str, Any]]
    path: str
    sha256: str
    kind: Kind | None = None
    means: list[dict[str, Any]] = field(default_factory=list)
    group_units: dict[str, str] = field(default_factory=dict)
