"""`px.check_study()`: all that is wrong with a study file, and with the study that it describes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from pyexpr.study.check.page import CheckResult, check, ordered
from pyexpr.study.check.points import PROBLEMS, WRONG, Point
from pyexpr.study.file.config import judged, read_toml
from pyexpr.study.pipeline import Study
from pyexpr.study.tables.kind import with_kind


def check_study(
    study: Path | str, *, output: Path | str | None = None, models: Any = None
) -> CheckResult:
    """Say what a study file would do, on what, and all that is wrong, without computing it.

    Parameters
    ----------
    study : path
        The study file.
    output : path, optional
        Where results would go, if not where the file says.
    models : mapping of str to regressor, optional
        More models, as `Study` takes them.

    Returns
    -------
    CheckResult
        Printed, it is a page. `tidy()` has a row per point; `problems` are what is wrong, and
        `ok` says whether that is nothing.

    Raises
    ------
    StudyError
        If there is no such file, or it is not TOML: all else that is wrong is in the result.

    Notes
    -----
    Tables are read and matched, the subjects are divided and the models are made as in a run, so
    that counts are those of the run. What is only known afterwards is not said: clips that a
    recording lacks, scores that a factor model cannot give, models that fail.

    Checked against: the counts of a run of the same study.

    Examples
    --------
    >>> import tempfile, pyexpr as px
    >>> folder = tempfile.TemporaryDirectory()
    >>> simulated = px.simulate_study(folder.name, subjects=8, progress=False)
    >>> checked = px.check_study(simulated.study_file)
    >>> checked.ok, checked.problems
    (True, ())
    >>> checked.tidy().query("section == 'data' and item == 'subjects'")["n"].tolist()
    [8]
    >>> folder.cleanup()
    """
    file = Path(study)
    raw, _ = read_toml(file)
    raw = with_kind(raw, file.resolve().parent)
    config, problems = judged(raw)
    points = [Point(PROBLEMS, "the study file", None, one, WRONG) for one in problems]
    if config is None:
        return CheckResult(str(raw.get("title", file.name)), tuple(points))
    if models is not None:
        config = config.with_models(models)
    found = check(Study(config, file.resolve().parent, output=output), read=[file])
    return replace(found, points=ordered([*points, *found.points]))
