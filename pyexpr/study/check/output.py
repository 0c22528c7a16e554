"""The folder of the results of a study, and the files that they would replace."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pyexpr.base.outputs import OutputError
from pyexpr.study.check.checked_study import CheckedStudy
from pyexpr.study.check.points import OUTPUT, PROBLEMS, WRONG, Point
from pyexpr.study.results.folder import ResultsFolder
from pyexpr.study.results.render import planned_files
from pyexpr.study.results.report import REPORT
from pyexpr.study.results.verified import RECORD
from pyexpr.study.tables.inputs import Inputs


def output_points(study: CheckedStudy, inputs: Inputs, read: Iterable[Path]) -> list[Point]:
    """Return the folder of the results, and the files there that would be replaced."""
    there, wrong, inputs_read = 0, [], [*read, *study.input_files]
    for own in study.outcomes.values():
        names = planned_files(own.config, inputs)
        there += sum(os.path.lexists(own.output / name) for name in [*names, RECORD, REPORT])
        folder = ResultsFolder(
            own.output, stages=own.stage_names, inputs=inputs_read, overwrite=False
        )
        try:
            folder.check(names)
        except OutputError as error:
            wrong.append(str(error))
    detail = "a new folder" if not study.output.exists() else "this folder exists"
    if there and not wrong:
        detail = f"{there} files of an earlier run will be replaced"
    found = [Point(OUTPUT, _place(study), None, detail)]
    if not _writable(study.output):
        wrong.append(f"cannot write into {str(study.output)!r}: there is no permission")
    return found + [Point(PROBLEMS, "results", None, one, WRONG) for one in wrong]


def _place(study: CheckedStudy) -> str:
    """Return the place of the results, relative to the study file's folder if it is inside."""
    inside = study.output.is_relative_to(study.folder)
    return str(study.output.relative_to(study.folder) if inside else study.output)


def _writable(folder: Path) -> bool:
    above = next((one for one in (folder, *folder.absolute().parents) if one.exists()), folder)
    return os.access(above, os.W_OK)
