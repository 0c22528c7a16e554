"""The page of what a study would do and what is wrong with it, before computation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pyexpr.base.errors import PyexprError, counted
from pyexpr.base.results import Result
from pyexpr.base.visible import LINES, visible
from pyexpr.study.check.checked_study import CheckedStudy
from pyexpr.study.check.data import (
    data_points,
    left_out_of_models,
    left_out_of_tables,
    recording_points,
)
from pyexpr.study.check.models import evaluation_points, model_points, planned
from pyexpr.study.check.output import output_points
from pyexpr.study.check.points import MODELS, PROBLEMS, SECTIONS, WRONG, Point
from pyexpr.study.check.software import software_points
from pyexpr.study.check.stages import stage_points
from pyexpr.study.tables.early_checks import early_problems, model_checks
from pyexpr.study.tables.features import read_features
from pyexpr.study.tables.inputs import Inputs
from pyexpr.study.tables.ratings import read_ratings
from pyexpr.study.tables.recordings import read_recordings, study_schedule

if TYPE_CHECKING:
    import pandas as pd


_COLUMNS = ["section", "item", "n", "detail", "status"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CheckResult(Result):
    """What a study would do, and what is wrong with it.

    Attributes
    ----------
    title : str
        Title of the study; the name of its file if that cannot be read.
    points : tuple of Point
        In the order of the page: section, item, n (or None), detail, status.
    """

    title: str
    points: tuple[Point, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """All problems, with one sentence for each."""
        return tuple(point.detail for point in self.points if point.status == WRONG)

    @property
    def ok(self) -> bool:
        """Whether the study can be run as far as can be seen without computing."""
        return not self.problems

    def tidy(self) -> pd.DataFrame:
        """Return a row per point: section, item, n (if it is a number), detail, status.

        `status` is "ok", "note" (what a reader should know) or "wrong".
        """
        import pandas as pd

        rows = [[getattr(point, name) for name in _COLUMNS] for point in self.points]
        return pd.DataFrame(rows, columns=_COLUMNS).astype({"n": "Int64"})

    def heading(self) -> str:
        """Return whether anything is wrong, in one sentence."""
        many = len(self.problems)
        if not many:
            return f"{self.title}: no problem was found; the study would do the following"
        return f"{self.title}: {counted(many, 'problem')} found"

    def notes(self) -> tuple[str, ...]:
        """Return notes for the reader, and all problems."""
        noted = [point.detail for point in self.points if point.status == "note"]
        return (*noted, *self.problems)

    def __str__(self) -> str:
        lines = [self.heading()]
        for section in SECTIONS:
            own = [point for point in self.points if point.section == section]
            if own:
                lines += ["", section.capitalize(), *map(_line, own)]
        return visible("\n".join(lines), keep=LINES)

    __repr__ = __str__


def _line(point: Point) -> str:
    mark = {"ok": " ", "note": "!", WRONG: "x"}[point.status]
    if point.status == WRONG:
        return f"{mark} {point.detail}"
    number = "" if point.n is None else f"{point.n:,}"
    text = " ".join(part for part in (number, point.detail) if part)
    return f"{mark} {point.item}: {text}"


def check(study: CheckedStudy, *, read: Iterable[Path] = ()) -> CheckResult:
    """Return what a study would do and what is wrong with it; see `check_study`."""
    config = study.config
    points = [*stage_points(config), *software_points(study)]
    inputs, problems = _inputs(study)
    if inputs is None:
        problems += _raised(model_checks(config))
        points += _wrong("models or tables", problems)
        return CheckResult(config.title, ordered(points))
    problems += early_problems(config, inputs)
    points += data_points(config, inputs)
    points += recording_points(config, inputs)
    points += left_out_of_tables(config, inputs)
    by_label: dict[tuple[Point, ...], list[str]] = {}
    for name, own in study.outcomes.items():
        try:
            # Of a column that is a label, the others are no features.
            plan = planned(own.config, inputs if config.label.is_rated else own.inputs)
        except PyexprError as error:
            problems.append(str(error))
            continue
        points_of_label = left_out_of_models(plan), evaluation_points(own.config, plan)
        by_label.setdefault(
            (*points_of_label[0], *points_of_label[1], *model_points(own.config, plan)), []
        ).append(name)
    points += _of_labels(by_label, len(config.labels))
    points += output_points(study, inputs, read)
    points += _wrong("the study", dict.fromkeys(problems))
    return CheckResult(config.title, ordered(points))


def _of_labels(by_label: dict[tuple[Point, ...], list[str]], n_labels: int) -> list[Point]:
    """Return the statements for each label, with its name unless they apply to all."""
    found = []
    for points, names in by_label.items():
        label = "" if len(names) == n_labels else f"{', '.join(names)}: "
        found += [replace(point, item=label + point.item) for point in points]
    if n_labels > 1:
        found.append(Point(MODELS, "labels", n_labels, "each with its own models and results"))
    return found


def ordered(points: Iterable[Point]) -> tuple[Point, ...]:
    """Return the points in the order of the page; one that says what another does is left out."""
    unique = dict.fromkeys(points)
    return tuple(sorted(unique, key=lambda point: SECTIONS.index(point.section)))


def _wrong(item: str, problems: Iterable[str]) -> Iterator[Point]:
    return (Point(PROBLEMS, item, None, one, WRONG) for one in problems)


def _raised(calls: Iterable[Callable[[], object]]) -> list[str]:
    found = []
    for call in calls:
        try:
            call()
        except PyexprError as error:
            found.append(str(error))
    return found


def _inputs(study: CheckedStudy) -> tuple[Inputs | None, list[str]]:
    """Return the tables, or what is wrong with each of them."""
    try:
        return study.inputs, []
    except PyexprError as error:
        found = str(error)
    config, folder = study.config, study.folder
    readers: list[Callable[[], object]] = []
    if config.data.recordings is not None:
        readers += [lambda: study_schedule(config), lambda: read_recordings(config, folder)]
    if config.data.ratings is not None:
        readers.append(lambda: read_ratings(config, folder))
    if config.data.features is not None:
        readers.append(lambda: read_features(config, folder))
    # Each of them says what is wrong with its table, and if none does, the first error did.
    return None, _raised(readers) or [found]
