"""Run the stages of many specifications, each different stage only once."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pyexpr.base.elsewhere import sent_elsewhere
from pyexpr.base.errors import ClusterError, PyexprError, counted
from pyexpr.base.files import OutputError
from pyexpr.base.jobs import in_processes
from pyexpr.base.messages import Template, message_of
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.sensitivity.grid import Specification
from pyexpr.study.sensitivity.specification_study import SpecificationStudy
from pyexpr.study.stages.order import stages_of
from pyexpr.study.stages.sources import Sources
from pyexpr.study.tables.early_checks import check_early

#: Every stage, in an order in which each comes after those that it needs.
STAGES: Final = (
    "reliability", "factor_model", "label", "features", "models", "comparison", "coefficients",
    "pooled_coefficients",
)  # fmt: skip
# Entries that do not affect how the tables of a study are read.
_NOT_OF_TABLES: Final = frozenset(
    {
        "title", "simulated", "seed", "output", "outcome", "unit", "split", "models", "baselines",
        "compare", "coefficients", "compute",
    }
)  # fmt: skip
_FAILED = Template("specification_failed", "the stage {stage} failed: {error}")


@dataclass(slots=True)
class Run:
    """A specification while it is run.

    Attributes
    ----------
    study : SpecificationStudy or None
    failed : str
        Why it has no results; "" as long as it may have some.
    """

    study: SpecificationStudy | None
    failed: str = ""


@dataclass(slots=True)
class Work:
    """What was computed for a stage: its name, and numbers of specifications and computations."""

    stage: str
    specifications: int
    distinct: int
    computed: int


@dataclass(slots=True)
class Runs:
    """The specifications of a sensitivity analysis, with the work that they took.

    Attributes
    ----------
    runs : list of Run
        The first is the study itself.
    work : list of Work
        By stage.
    """

    runs: list[Run]
    work: list[Work] = field(default_factory=list)


def begun(
    specifications: Sequence[Specification],
    folder: Path,
    output: Path,
    of_recordings: Path,
    wanted: Sequence[str],
) -> Runs:
    """Read the tables of every specification, which fails if they have errors.

    Requirements of models are checked only if a stage that is `wanted` has models.

    Raises
    ------
    PyexprError
        If the study itself cannot be run.
    """
    read: dict[str, Sources] = {}
    with_models = any(stage != "reliability" for stage in wanted)
    runs = [
        Run(
            None
            if one.config is None
            else SpecificationStudy(one.config, folder, output, of_recordings),
            one.problem,
        )
        for one in specifications
    ]
    for number, run in enumerate(runs):
        if run.study is None:
            continue
        try:
            _read(run.study, read)
            if with_models:
                check_early(run.study.config, run.study.inputs)
        except PyexprError as error:
            if number == 0:
                raise
            run.failed = message_of(error)
    return Runs(runs)


def _read(study: SpecificationStudy, read: dict[str, Sources]) -> None:
    """Read the tables of a study, or take those of a study that reads the same tables."""
    options = study.config.model_dump(mode="json", exclude=set(_NOT_OF_TABLES))
    key = json.dumps(options, sort_keys=True, default=str)
    if key in read:
        study._read = read[key]
    read[key] = study._sources()


def run_stages(runs: Runs, wanted: Sequence[str], *, n_jobs: int, progress: bool | None) -> None:
    """Compute the stages that are `wanted`, and the stages that these need.

    Raises
    ------
    PyexprError
        If a stage of the study itself fails, or nothing can be stored.
    """
    shown = sys.stderr.isatty() if progress is None else progress
    for stage in STAGES:
        _run_stage(runs, stage, wanted, n_jobs, shown)


def _run_stage(runs: Runs, stage: str, wanted: Sequence[str], n_jobs: int, shown: bool) -> None:
    by_file: dict[Path, list[Run]] = {}
    for run in runs.runs:
        if run.failed or run.study is None or not needed(run.study.config, stage, wanted):
            continue
        by_file.setdefault(run.study.stage_file(stage), []).append(run)
    if not by_file:
        return
    first = [own[0] for own in by_file.values()]
    owners = [run for run in first if run.study is not None and not run.study.is_stored(stage)]
    n_specifications = sum(map(len, by_file.values()))
    runs.work.append(Work(stage, n_specifications, len(by_file), len(owners)))
    for owner, error, seconds in _computed(owners, stage, n_jobs):
        if error is not None:
            if owner is runs.runs[0]:
                raise error
            for run in next(own for own in by_file.values() if own[0] is owner):
                run.failed = _FAILED(stage=stage.replace("_", " "), error=message_of(error))
        if shown:
            outcome = f"{seconds:.1f} s" if error is None else "failed"
            print(
                f"specification {runs.runs.index(owner)}, {stage.replace('_', ' ')}: {outcome}",
                file=sys.stderr,
            )
    if shown:
        reused = len(by_file) - len(owners)
        print(
            f"{stage.replace('_', ' ')}: {counted(n_specifications, 'specification')}, "
            f"{len(owners)} computed, {reused} as stored",
            file=sys.stderr,
        )


def needed(config: StudyConfig, stage: str, wanted: Sequence[str]) -> bool:
    """Say whether a study has a stage, and a wanted one needs it."""
    if stage not in stages_of(config):
        return False
    if stage in ("reliability", "comparison", "coefficients"):
        return stage in wanted
    if stage == "pooled_coefficients":
        return "coefficients" in wanted
    return "comparison" in wanted or "coefficients" in wanted


def _computed(
    owners: Sequence[Run], stage: str, n_jobs: int
) -> Iterator[tuple[Run, PyexprError | None, float]]:
    """Yield the runs whose stage was computed, with the error that ended it, if any."""
    studies = [run.study for run in owners if run.study is not None]
    if n_jobs == 1 or len(owners) < 2 or not _here(studies):
        for run, study in zip(owners, studies, strict=True):
            yield run, *_attempt(study, stage)
        return
    tasks = [
        (study.config, study.folder, study.output, study._of_recordings, stage) for study in studies
    ]
    for number, (error, seconds) in in_processes(
        _in_process, tasks, n_jobs=n_jobs, what="computes specifications"
    ):
        yield owners[number], error, seconds


def _here(studies: Sequence[SpecificationStudy]) -> bool:
    """Say whether specifications can be computed in processes of this computer.

    If the study uses a cluster, only the tasks within a stage are sent to it, because the stored
    results are on this computer only.
    """
    return not sent_elsewhere() and all(
        study.config.compute.backend == "local" for study in studies
    )


def _in_process(*arguments: Any) -> tuple[PyexprError | None, float]:
    config, folder, output, of_recordings, stage = arguments
    return _attempt(SpecificationStudy(config, folder, output, of_recordings), stage)


def _attempt(study: SpecificationStudy, stage: str) -> tuple[PyexprError | None, float]:
    """Compute and store a stage; return the error of the data or models, if there was one."""
    start = time.perf_counter()
    try:
        study.stage(stage)
    except (ClusterError, OutputError):
        # This error is not a property of the specification.
        raise
    except PyexprError as error:
        return error, time.perf_counter() - start
    finally:
        study.forget()
    return None, time.perf_counter() - start
