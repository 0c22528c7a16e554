"""`px.check_study()`: all problems of a study file, and of the study that it describes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from pyexpr.study.check.page import CheckResult, check, ordered
from pyexpr.study.check.points import PROBLEMS, WRONG, Point
from pyexpr.study.file.config import read_toml, validated
from pyexpr.study.pipeline import Study
from pyexpr.study.tables.signals import with_entries_from_tables


def check_study(
    study: Path | str, *, output: Path | str | None = None, models: Any = None
) -> CheckResult:
    """Report what a study would do, and all problems, without computing results.

    Parameters
    ----------
    study : path
        The study file.
    output : path, optional
        Folder of the results, if not the one in the file.
    models : mapping of str to regressor, optional
        Additional models, as for `Study`.

    Returns
    -------
    CheckResult
        Prints as a page. `tidy()` has one row per item; `problems` lists all problems, and `ok`
        says whether there are none.

    Raises
    ------
    StudyError
        If the file does not exist or is not TOML. All other problems are in the result.

    Notes
    -----
    Tables are read and matched, the subjects are divided and the models are constructed as in a
    run, so the counts are those of the run. What is only known after the run is not reported: clips
    for which a recording is too short, scores that a factor model cannot compute, and models that
    fail.

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
    raw = with_entries_from_tables(raw, file.resolve().parent)
    config, problems = validated(raw)
    points = [Point(PROBLEMS, "the study file", None, one, WRONG) for one in problems]
    if config is None:
        return CheckResult(str(raw.get("title", file.name)), tuple(points))
    if models is not None:
        config = config.with_models(models)
    found = check(Study(config, file.resolve().parent, output=output), read=[file])
    return replace(found, points=ordered([*points, *found.points]))
