"""Software that a study requires in addition to the base package, and whether it is installed."""

from __future__ import annotations

from pyexpr.base.errors import EngineError, PyexprError, counted
from pyexpr.measurement.engines.choice import engine_versions
from pyexpr.study.check.checked_study import CheckedStudy
from pyexpr.study.check.points import PROBLEMS, SOFTWARE, WRONG, Point
from pyexpr.study.tables.early_checks import check_deep


def software_points(study: CheckedStudy) -> list[Point]:
    """Return R and lavaan for a study with a factor model, and torch for one with deep models."""
    config, found = study.config, []
    if config.label.method == "factor":
        found.append(_lavaan(config.factor_model.engine))
    if config.models.deep():
        try:
            check_deep(config.models, lambda name: study.output / "stages" / f"{name}.zip")
            found.append(Point(SOFTWARE, "torch", None, "for the deep models: installed"))
        except PyexprError as error:
            found.append(Point(PROBLEMS, "torch", None, str(error), WRONG))
    if config.compute.backend != "local":
        found.append(_cluster(study))
    return found


def _cluster(study: CheckedStudy) -> Point:
    """Return where tasks would be done, without checking whether the workers answer."""
    compute = study.config.compute
    try:
        place = compute.place(study.folder)
    except PyexprError as error:
        return Point(PROBLEMS, "cluster", None, str(error), WRONG)
    where = f"the Dask scheduler {place.address}"
    if place.address is None:
        where = f"{counted(place.site.jobs, 'job')} of {place.backend}"
    return Point(SOFTWARE, "cluster", None, f"recordings and fits are computed by {where}")


def _lavaan(engine: str) -> Point:
    if engine == "native":
        return Point(SOFTWARE, "factor model", None, "by the native engine; R is not needed")
    try:
        versions = engine_versions(engine)
    except EngineError as error:
        detail = f'engine = "{engine}" under [factor_model]: {error}'
        return Point(PROBLEMS, "R and lavaan", None, detail, WRONG)
    if not versions:
        return Point(
            SOFTWARE, "R and lavaan", None,
            "they cannot be used, so the native engine fits the factor model, and invariance "
            "is not tested; `pyexpr doctor` shows what is missing", "note",
        )  # fmt: skip
    each = ", ".join(f"{name} {number}" for name, number in versions.items())
    return Point(SOFTWARE, "R and lavaan", None, f"for the factor model: {each}")
