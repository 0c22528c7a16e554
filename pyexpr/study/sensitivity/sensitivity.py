"""`sensitivity`: the conclusions of a study under other choices in its study file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pyexpr.base.errors import DataError, StudyError, listed
from pyexpr.base.jobs import checked_jobs
from pyexpr.base.messages import message_column, say
from pyexpr.base.stopping import stoppable
from pyexpr.study.file.config import read_toml
from pyexpr.study.pipeline import Study
from pyexpr.study.sensitivity.conclusions import TABLES, aligned, compared, conclusions
from pyexpr.study.sensitivity.grid import Grid, Specification, shown
from pyexpr.study.sensitivity.result import SensitivityResult
from pyexpr.study.sensitivity.running import Run, Runs, begun, needed, run_stages
from pyexpr.study.stages.order import stages_of

if TYPE_CHECKING:
    import pandas as pd

    from pyexpr.study.file.config import StudyConfig

OF: Final = ("comparison", "reliability", "coefficients")
_KEPT = (
    "the completed stages of all specifications are stored; call it again to continue with the "
    "others"
)


@stoppable("specifications were computed", kept=_KEPT)
def sensitivity(
    study: Study | str | os.PathLike[str],
    grid: Mapping[str, Sequence[Any]],
    *,
    full: bool = False,
    of: str | Iterable[str] | None = None,
    label: str | None = None,
    n_jobs: int | None = None,
    progress: bool | None = None,
) -> SensitivityResult:
    """Compute the conclusions of a study under other choices: a specification curve.

    Parameters
    ----------
    study : path or Study
        The study file, or a study that was read from one. It is the base, with whose conclusions
        the others are compared.
    grid : mapping of str to sequence
        Other values of entries of the study file: ``{"features.min_confidence": [0.8, 0.9],
        "compare.methods": ["percentile"]}``. The names and values are those of a study file
        (see the page on the study file), with the section before a dot. None leaves the entry
        out, so that its default is used. A value that the study itself has is not repeated. An
        entry that holds a list, such as ``compare.methods``, takes a list of lists, or of single
        values.
    full : bool
        Whether to combine all values of all entries. By default each specification differs from
        the base in one entry. Combinations that a study file cannot have are listed as failed.
    of : {"comparison", "reliability", "coefficients"} or several, optional
        The tables with conclusions, by default all that the study has. Only the stages that they
        need are run. "coefficients" includes the differences of slopes between contexts, and
        pooled slopes if the study has them.
    label : str, optional
        The label, required if the study has several.
    n_jobs : int, optional
        Number of specifications computed at a time, in processes of this computer; -1 is one per
        processor. By default one, whose recordings and models are computed in parallel as the study
        file says. Results do not depend on it.
    progress : bool, optional
        Whether to print each stage when it is completed. By default on a terminal.

    Returns
    -------
    SensitivityResult
        ``tidy()``, ``summary()``, ``specifications``, ``work``, ``conclusion()``, ``plot()``.

    Raises
    ------
    StudyError, DataError
        If an entry or a value is not one of a study file, or the base cannot be computed. Another
        specification that fails has rows with a reason.
    Interrupted
        If Ctrl-C is pressed. Completed stages are stored, and the next call continues.

    Notes
    -----
    The conclusions of a specification are exactly those that ``pyexpr run`` computes for a study
    file with these values. A stage (features, factor model, models, comparison, coefficients) is
    computed only once for all specifications that do not differ in anything it depends on. Results
    are stored in ``stages/specifications`` in the folder of the results, and used again by later
    calls. Tables and figures of the study itself are not changed.

    Only rows that the base has are compared. ``same_sign`` says whether an estimate is on the same
    side of the null value (0 for differences, correlations, reliabilities and slopes; .5 for AUC)
    as in the base, and ``excludes_null`` whether its interval excludes this value. Errors such as
    RMSE have no null value. The interval of a reliability is the one that takes subjects as
    clusters. If a study has several interval methods, the first is used.

    The joint test of Simonsohn, Simmons and Nelson (2020) is not computed. It needs samples in
    which the null hypothesis is true for every specification, and how to draw them was not studied
    for models whose features and labels change from one specification to the next. The proportions
    of specifications describe how much a conclusion depends on the choices.

    Source: Simonsohn, Simmons and Nelson (2020), "Specification curve analysis", Nature Human
    Behaviour 4. Checked against: separate runs of changed study files, and simulated studies in
    which a conclusion holds on one side of a known threshold only.

    Examples
    --------
    >>> import tempfile
    >>> from pyexpr.simulation.simulate import simulate_study
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = simulate_study(folder.name, subjects=3, progress=False).study_file
    >>> found = sensitivity(file, {"ratings.high": [5], "compare.confidence": [0.9, 0.99]},
    ...                     of="reliability")
    >>> found.specifications["compare.confidence"].tolist()
    ['0.95', '0.95', '0.9', '0.99']
    >>> found.work.to_dict("records")
    [{'stage': 'reliability', 'n_specifications': 4, 'n_distinct': 4, 'n_computed': 4}]
    >>> folder.cleanup()
    """
    base = study if isinstance(study, Study) else Study.from_file(os.fspath(study))
    jobs = checked_jobs(n_jobs)
    config, output = _of_label(base, label)
    config = _without_chain(config)
    given = Grid(
        _raw_of(base), config, base.folder, grid, lambda other: _finished(other, base, label)
    )
    _refuse_networks(config)
    specifications = given.specifications(full=full)
    if len(specifications) == 1:
        raise DataError(
            say(
                "there is no value other than those of the study itself: {values}",
                values=", ".join(
                    f"{entry} = {shown(value)}" for entry, value in given.base_values.items()
                ),
            )
        )
    wanted = _wanted(of, config)
    runs = begun(specifications, base.folder, output, base._of_recordings, wanted)
    with base._workers.held():
        for run in runs.runs:
            if run.study is not None:
                # One connection to a cluster for all of them.
                run.study._workers = base._workers
        run_stages(runs, wanted, n_jobs=jobs, progress=progress)
        found = [_conclusions_of(run, wanted) for run in runs.runs]
    listing = _listing(specifications, runs, given.entries)
    return SensitivityResult(
        table=_table(found, runs, listing, given.entries),
        specifications=listing,
        work=_work(runs),
        entries=given.entries,
        title=config.title,
        confidence=config.compare.confidence,
        full=bool(full),
        facts={"seed": config.seed, "versions": base._versions()},
    )


def _wanted(of: str | Iterable[str] | None, config: StudyConfig) -> tuple[str, ...]:
    """Return the stages with conclusions that are wanted."""
    known = [name for name in OF if name in stages_of(config)]
    if of is None:
        return tuple(known)
    names = (of,) if isinstance(of, str) else tuple(of)
    for name in names:
        if name not in known:
            raise DataError(
                say(
                    "{of=} must be one of {known}, which this study has, not {name!r}",
                    known=listed(known),
                    name=name,
                )
            )
    if not names:
        raise DataError(say("{of=} names no table; leave it out for all: {known}",
                            known=listed(known)))  # fmt: skip
    return names


def _of_label(base: Study, label: str | None) -> tuple[StudyConfig, Path]:
    """Return the study of one label, and the folder of its results."""
    names = base.config.labels
    if label is None and len(names) > 1:
        raise StudyError(
            say(
                "the study has several labels, each a study of its own: {names}; name one in "
                "{label=}",
                names=listed(names),
            )
        )
    if label is not None and label not in names:
        raise StudyError(
            say("{label=} must be one of {names}, not {given!r}", names=listed(names), given=label)
        )
    if len(names) == 1:
        return base.config, base.output
    assert label is not None
    return base.config.of_label(label), base.output / label


def _without_chain(config: StudyConfig) -> StudyConfig:
    """Return the study without intervals of the whole analysis, of which nothing is reported."""
    compare = config.compare.model_copy(update={"bootstrap": "fixed"})
    return config.model_copy(update={"compare": compare})


def _finished(config: StudyConfig, base: Study, label: str | None) -> StudyConfig:
    """Return a study of the grid with the settings of the base that are not in its file."""
    if base._given_models is not None:
        config = config.with_models(base._given_models)
    config = _without_chain(config)
    config = config.model_copy(update={"compute": base.config.compute})
    if len(base.config.labels) == 1:
        if len(config.labels) > 1:
            raise StudyError("a specification cannot have several labels; name one of them")
        return config
    if label not in config.labels:
        raise StudyError(f"the study then has no label {label!r}, only {listed(config.labels)}")
    assert label is not None
    return config.of_label(label) if len(config.labels) > 1 else config


def _raw_of(base: Study) -> dict[str, Any]:
    """Return the entries of the study file, which must be as it was when the study was read."""
    if base._file is None:
        raise StudyError(
            "the study was not read from a study file, whose entries are changed; use "
            "Study.from_file, or the path of the file"
        )
    raw, known = read_toml(base._file.path)
    if known.sha256 != base._file.sha256:
        raise StudyError(
            f"the study file {str(base._file.path)!r} has been changed since it was read; read "
            "it again (Study.from_file)"
        )
    if isinstance(raw.get("compare"), dict):
        # Other choices may not fit intervals of the whole analysis.
        raw["compare"].pop("bootstrap", None)
    return raw


def _refuse_networks(config: StudyConfig) -> None:
    deep = tuple(config.models.deep())
    if deep:
        raise StudyError(
            f"the study trains {listed(deep)}, and trainings are not repeated for every "
            f"specification; use a study file without [models.{deep[0]}]"
        )


def _conclusions_of(run: Run, wanted: Sequence[str]) -> pd.DataFrame | None:
    """Return the conclusions of a specification; None if it failed."""
    if run.failed or run.study is None:
        return None
    tables: dict[str, pd.DataFrame] = {}
    for stage in dict.fromkeys(TABLES.values()):
        if needed(run.study.config, stage, wanted):
            own = run.study.stage(stage).tables
            tables |= {name: own[name] for name in TABLES if name in own}
    found = conclusions(run.study.config, tables, run.study.inputs.ratings) if tables else None
    run.study.forget()
    return found


def _listing(
    specifications: Sequence[Specification], runs: Runs, entries: Sequence[str]
) -> pd.DataFrame:
    """Return a row per specification."""
    import pandas as pd

    table = pd.DataFrame(
        [
            {
                "specification": number,
                "base": number == 0,
                **{entry: shown(one.values[entry]) for entry in entries},
                "failed": bool(run.failed),
            }
            for number, (one, run) in enumerate(zip(specifications, runs.runs, strict=True))
        ]
    )
    return table.assign(reason=message_column(run.failed for run in runs.runs))


def _table(
    found: Sequence[pd.DataFrame | None],
    runs: Runs,
    listing: pd.DataFrame,
    entries: Sequence[str],
) -> pd.DataFrame:
    """Return a row per specification and conclusion of the base."""
    import pandas as pd

    base = found[0]
    assert base is not None
    blocks = []
    for number, (own, run) in enumerate(zip(found, runs.runs, strict=True)):
        rows = compared(aligned(own, base, run.failed), base)
        head = {name: listing.loc[number, name] for name in ("specification", "base", *entries)}
        blocks.append(pd.DataFrame({**{k: [v] * len(rows) for k, v in head.items()}, **rows}))
    whole = pd.concat(blocks, ignore_index=True)
    return whole.assign(
        reason=message_column(reason for block in blocks for reason in block["reason"])
    )


def _work(runs: Runs) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "stage": one.stage,
                "n_specifications": one.specifications,
                "n_distinct": one.distinct,
                "n_computed": one.computed,
            }
            for one in runs.work
        ]
    )
