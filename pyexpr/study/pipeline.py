"""A study from its file to its results, in stages. Only stages that changed are run again."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial, wraps
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from pyexpr.base.cluster import Workers
from pyexpr.base.contents import KnownFile
from pyexpr.base.errors import (
    ClusterError,
    PyexprError,
    PyexprWarning,
    StudyError,
    counted,
    listed,
    warn_user,
)
from pyexpr.base.files import writable_folder, write_text
from pyexpr.base.known_hashes import KnownHashes
from pyexpr.base.launch import launched
from pyexpr.base.messages import Template, message_of, say
from pyexpr.base.stopping import stoppable
from pyexpr.base.versions import code_fingerprint, versions
from pyexpr.base.visible import visible
from pyexpr.behavior.features.row_store import RowStore
from pyexpr.deep.requirements import require
from pyexpr.measurement.engines.choice import r_versions
from pyexpr.study.file.config import StudyConfig, read_known_config
from pyexpr.study.kept.features_files import HASHES, FeaturesFiles
from pyexpr.study.kept.kept_messages import messages_in
from pyexpr.study.kept.seal import sealed
from pyexpr.study.kept.store import (
    StageOutput,
    load,
    save,
    stage_key,
)
from pyexpr.study.results.folder import ResultsFolder
from pyexpr.study.results.render import planned_files, render
from pyexpr.study.results.report import report_of_run
from pyexpr.study.results.result import OutcomesResult, StudyResult
from pyexpr.study.results.verified import RECORD
from pyexpr.study.stages import computations, models
from pyexpr.study.stages.ceiling import ceiling
from pyexpr.study.stages.chain import chain
from pyexpr.study.stages.deep import train_deep, training_folder
from pyexpr.study.stages.deep_tables import joined_predictions
from pyexpr.study.stages.order import options_of, stages_of
from pyexpr.study.stages.pooled_coefficients import pooled_coefficients
from pyexpr.study.stages.sources import Sources, refuse_changed
from pyexpr.study.tables.early_checks import check_deep, check_early
from pyexpr.study.tables.inputs import CLIP_KEY, Inputs
from pyexpr.study.tables.labels import label
from pyexpr.study.tables.signals import with_entries_from_tables

if TYPE_CHECKING:
    import pandas as pd

    from pyexpr.study.check.page import CheckResult

# Other versions of these may compute other numbers; those of R and lavaan are in the factor
# model's facts.
_COMPUTING = ("pandas", "scipy", "scikit-learn", "pyarrow", "matplotlib", "rpy2-rinterface")
_COMPUTING_DEEP = ("torch", "torchvision", "lightning", "safetensors", "av")


P = ParamSpec("P")
T = TypeVar("T")


def _by_the_first(
    method: Callable[Concatenate[Any, P], T],
) -> Callable[Concatenate[Any, P], T]:
    """Run a method in the first of several processes, which calls the others to its trainings."""

    @wraps(method)
    def led(study: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return in_one_process(study, lambda: method(study, *args, **kwargs))

    return led


def in_one_process(study: Study, work: Callable[[], T]) -> T:
    """Do the work in the first of the processes that torchrun or Slurm started; return its result.

    The others take part in the trainings of its networks, and in nothing else: all get its result,
    or its error. A process that was started alone does it itself.

    Raises
    ------
    StudyError
        If there are several processes, but no network to train.
    """
    launch = launched()
    if launch is None:
        return work()
    if not study.config.models.deep():
        if launch.by_slurm:
            # Tasks of Slurm may be one study each.
            return work()
        raise StudyError(
            f"{launch.world_size} processes were started together (WORLD_SIZE), which only "
            "networks can use, and the study has none; start it once, without torchrun, or set "
            "WORLD_SIZE=1 if each process has another study"
        )
    require()
    from pyexpr.deep.process_group import lead

    known = {} if study._file is None else {"the study file": study._file.sha256}
    about = {f"the version of {name}": number for name, number in study._versions().items()}
    return lead(work, known | about | {"the code of pyexpr": code_fingerprint()})


def _of_one_state(
    method: Callable[Concatenate[Any, P], T],
) -> Callable[Concatenate[Any, P], T]:
    """Make one call of the user use the files as they are at its start.

    What was read before is read again if a file has changed since.
    """

    @_by_the_first
    @stoppable(
        "the study was run",
        kept="the completed stages are stored, and the features of the recordings that were read; "
        "run the study again to continue",
    )
    @wraps(method)
    def begun(study: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        study._enter()
        try:
            with study._workers.held():
                return method(study, *args, **kwargs)
        finally:
            study._leave()

    return begun


class Study:
    """The whole analysis that a study file describes.

    Parameters
    ----------
    config : StudyConfig
        The configuration of the study.
    folder : Path
        Paths in the configuration are relative to it.
    output : Path, optional
        Folder of the results; by default the configuration's ``output`` in `folder`.
    models : mapping of str to regressor, optional
        Additional models by name: scikit-learn's regressors as objects, or the entries of a section
        of the study file. They replace models with the same name.

    Examples
    --------
    >>> import tempfile
    >>> from pyexpr.simulation.simulate import simulate_study
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = simulate_study(folder.name, subjects=3, progress=False).study_file
    >>> study = Study.from_file(file)
    >>> table = study.reliability().tables["reliability"]
    >>> table[["context", "question", "n_targets"]].values.tolist()[-1]
    ['all', 'motion', 48]
    >>> folder.cleanup()

    ``study.run()`` runs every stage, and writes tables, figures and ``record.json``.

    Notes
    -----
    Files are read when they are first needed, and again at the next call if they have changed
    since. Results are stored under the hashes of the bytes that were read. A file that changes
    while a call computes ends it with a `StudyError`, and nothing that depends on it is stored.
    """

    def __init__(
        self,
        config: StudyConfig,
        folder: Path | str,
        *,
        output: Path | str | None = None,
        models: Mapping[str, Any] | None = None,
    ) -> None:
        self.config = config if models is None else config.with_models(models)
        self._given_models = models
        self.folder = Path(folder)
        self.output = Path(output) if output is not None else self.folder / config.output
        self.reused: list[str] = []
        self._done: dict[str, StageOutput] = {}
        self._file: KnownFile | None = None
        self._read: Sources | None = None
        self._depth = 0
        self._verify = False
        # Studies of several labels have the same recordings.
        self._of_recordings = self.output / "stages"
        self._workers = Workers(lambda: self.config.compute.place(self.folder))
        self._show_workers: bool | None = None

    @classmethod
    def from_file(
        cls,
        path: Path | str,
        *,
        output: Path | str | None = None,
        models: Mapping[str, Any] | None = None,
        cluster: str | None = None,
        n_jobs: int | None = None,
    ) -> Study:
        """Read a study file at `path`; `StudyError` says what is wrong with it.

        `output` is the folder of the results, if not the one in the file; `models` are additional
        models. `cluster` and `n_jobs` say where tasks are done, in place of the file's section
        ``[compute]``: ``"local"``, the address of a Dask scheduler, a queueing system such as
        ``"slurm"``, or the path of a file of the site. Results do not depend on it.
        """
        file = Path(path)
        config, known = read_known_config(file, with_entries_from_tables)
        config = config.computed_on(cluster, n_jobs)
        study = cls(config, file.resolve().parent, output=output, models=models)
        # It is looked at again, perhaps from another working directory.
        study._file = replace(known, path=file.absolute())
        return study

    @property
    def stage_names(self) -> tuple[str, ...]:
        """The stages in the order in which they run."""
        return stages_of(self.config)

    @property
    def inputs(self) -> Inputs:
        """The checked tables, which are read again if their files have changed."""
        return self._sources().inputs

    @property
    def input_hashes(self) -> dict[str, str]:
        """SHA-256 of every input file, by its path in the study.

        For tables of ratings and recordings, of the bytes from which `inputs` was read.
        """
        return self._sources().hashes()

    @property
    def input_files(self) -> list[Path]:
        """The study file, if it has one, and every file that it names."""
        own = [] if self._file is None else [self._file.path]
        return [*own, *self._sources().paths().values()]

    def _enter(self) -> None:
        self._sources()
        self._depth += 1

    def _leave(self) -> None:
        self._depth -= 1

    def _sources(self) -> Sources:
        """Return what was read; at the start of a call again, if a file has changed since."""
        if self._read is not None and self._depth == 0 and self._read.changed():
            self._read = None
        if self._read is None:
            hashes = KnownHashes(self._of_recordings / HASHES, verify=self._verify)
            self._read = Sources(self.config, self.folder, hashes)
            self._done.clear()
            self.reused.clear()
        return self._read

    @_of_one_state
    def reliability(self) -> StageOutput:
        """Run stage 1: inter-rater reliability.

        Raises
        ------
        StudyError
            If the study has no ratings.
        """
        if not self.inputs.rated:
            raise StudyError("the study has no ratings, so there is no reliability")
        return self._stage(
            "reliability", lambda: computations.reliability(self.config, self.inputs)
        )

    @_of_one_state
    def factor_model(self) -> StageOutput:
        """Run stage 2: the factor model and its scores.

        Raises
        ------
        StudyError
            If the label of the study is not a factor score; see `label`.
        """
        if self.config.label.method != "factor":
            raise StudyError(
                f'the study has no factor model: [label] method = "{self.config.label.method}"'
            )
        return self._stage(
            "factor_model", lambda: computations.factor_model(self.config, self.inputs)
        )

    @_of_one_state
    def label(self) -> StageOutput:
        """Run stage 2: the label that the models predict.

        Raises
        ------
        StudyError
            If there are several labels; each is a separate study in `outcomes`.
        """
        names = self.config.labels
        if len(names) > 1:
            raise StudyError(
                f"the study has several labels: {listed(names)}; each is a separate study: "
                f"study.outcomes[{names[0]!r}]"
            )
        if self.config.label.method == "factor":
            return self.factor_model()
        return self._stage("label", lambda: label(self.config, self.inputs))

    @_of_one_state
    def features(self, *, progress: bool | None = None) -> StageOutput:
        """Run stage 3: clips and features; `progress` is as in `run`."""
        if progress is not None:
            self._show_workers = progress
        files = FeaturesFiles(self._of_recordings, *self._listings())

        def compute() -> StageOutput:
            if not self.inputs.recorded:
                return computations.features(self.config, self.inputs)
            store = RowStore(
                files.folder,
                self._sources().by_path(),
                {"code": code_fingerprint(), "versions": versions(*_COMPUTING)},
                otherwise='; on_error = "skip" under [features] leaves such recordings out',
            )
            try:
                found = computations.features(
                    self.config, self.inputs, store=store, progress=progress
                )
            finally:
                if store.contradicted:
                    # The file changed just now, or kept its size and times when it changed before.
                    self._sources().known_hashes.forget()
            files.note_used(store.used)
            return found

        return self._stage("features", compute)

    @_of_one_state
    def models(self) -> StageOutput:
        """Run stage 4, after the stages it depends on: split, models, baselines."""
        labelled, behavior = self.label(), self.features()
        return self._stage(
            "models", lambda: models.models(self.config, self.inputs, labelled, behavior)
        )

    @_of_one_state
    def deep_model(self, name: str, *, progress: bool | None = None) -> StageOutput:
        """Run the stage of the deep model `name`, after the stages it depends on.

        `progress` is as in `run`.
        An interrupted training continues where it stopped.
        """
        behavior, fitted = self.features(progress=progress), self.models()
        folder = self.output / "stages"
        found = self._stage(
            name,
            lambda: train_deep(
                name,
                self.config,
                self.inputs,
                behavior,
                fitted,
                home=self.folder,
                folder=folder,
                progress=progress,
            ),
        )
        rmtree(training_folder(folder, name), ignore_errors=True)
        return found

    @_of_one_state
    def predictions(self, *, progress: bool | None = None) -> pd.DataFrame:
        """Run every model; return their predictions of the test part. `progress` is as in `run`."""
        deep = {
            name: self.deep_model(name, progress=progress) for name in self.config.models.deep()
        }
        return joined_predictions(self.models(), deep)

    @_of_one_state
    def comparison(self) -> StageOutput:
        """Run stage 5, after the stages it depends on: performance, intervals, differences."""
        fitted = self.models()
        deep = {name: self.deep_model(name) for name in self.config.models.deep()}
        return self._stage("comparison", lambda: computations.comparison(self.config, fitted, deep))

    @_of_one_state
    def ceiling(self) -> StageOutput:
        """Run the stage of the highest correlation that the reliability of the ratings allows.

        Raises
        ------
        StudyError
            If the study file does not ask for it (``ceiling`` under ``[compare]``).
        """
        if self.config.compare.ceiling == "none":
            raise StudyError(
                'the study has no ceiling; ceiling = "ICC(1,k)" under [compare] asks for it'
            )
        learned = [*self.models().facts["models"], *self.config.models.deep()]
        predictions = self.comparison().tables["predictions"]
        return self._stage(
            "ceiling", lambda: ceiling(self.config, self.inputs, predictions, learned)
        )

    @_of_one_state
    def chain(self, *, progress: bool | None = None) -> StageOutput:
        """Run the stage in which the whole analysis is computed again; `progress` is as in `run`.

        Raises
        ------
        StudyError
            If the study file does not ask for it (``bootstrap`` under ``[compare]``).
        """
        if not self.config.compare.chained:
            raise StudyError(
                "the study has no intervals of the whole analysis; "
                'bootstrap = "chain" under [compare] asks for them'
            )
        stages = {
            "reliability": self.reliability(), "label": self.label(),
            "features": self.features(progress=progress), "comparison": self.comparison(),
        }  # fmt: skip
        return self._stage(
            "chain", lambda: chain(self.config, self.inputs, stages, progress=progress)
        )

    @_of_one_state
    def coefficients(self) -> StageOutput:
        """Run stage 6, after the stages it depends on: descriptive weights, tested slopes."""
        labelled, behavior, fitted = self.label(), self.features(), self.models()
        return self._stage(
            "coefficients",
            lambda: computations.coefficients(self.config, self.inputs, labelled, behavior, fitted),
        )

    @_of_one_state
    def pooled_coefficients(self) -> StageOutput:
        """Run the stage of pooled slopes: those of one multilevel model of all contexts.

        Raises
        ------
        StudyError
            If the study file does not ask for it (``pooling`` under ``[coefficients]``).
        """
        if self.config.coefficients.pooling == "none":
            raise StudyError(
                'the study has no pooled slopes; pooling = "partial" under [coefficients] asks '
                "for them"
            )
        labelled, behavior, fitted = self.label(), self.features(), self.models()
        return self._stage(
            "pooled_coefficients",
            lambda: pooled_coefficients(self.config, self.inputs, labelled, behavior, fitted),
        )

    def check(self) -> CheckResult:
        """Report what `run` would do, and all problems, without computing results.

        `px.check_study` does the same for a study file, and also checks the file.
        """
        from pyexpr.study.check.page import check

        return check(self)

    @property
    def outcomes(self) -> dict[str, Study]:
        """The studies of each label by name, if there are several; otherwise this study."""
        names = self.config.labels
        if len(names) == 1:
            return {names[0]: self}
        found = {}
        for name in names:
            found[name] = Study(self.config.of_label(name), self.folder, output=self.output / name)
            found[name]._file = self._file
            found[name]._of_recordings = self._of_recordings
            # One connection for all of them.
            found[name]._workers = self._workers
        return found

    @_by_the_first
    def run(
        self,
        *,
        progress: bool | None = None,
        overwrite: bool = False,
        verify: bool = False,
        clean: bool = False,
    ) -> StudyResult | OutcomesResult:
        """Run all stages; write tables, figures, ``record.json`` and the report.

        Tables and figures of an earlier run in the same folder are replaced, or removed if this run
        does not write them. Other files are kept: those of the user, and those that have been
        changed.

        Parameters
        ----------
        progress : bool, optional
            Whether to show progress. By default it is shown if standard error is a terminal.
        overwrite : bool
            Whether to also replace files that no run of the package wrote, or that have been
            changed, if a result has the same name. Files that the study reads are never replaced.
        verify : bool
            Whether to read every recording and video to verify its hash. By default a file is
            taken as unchanged if its size, times and inode are those with which it was hashed;
            this matters only if these were restored after a change of the content.
        clean : bool
            Whether to remove, after the run, stored features of recordings that this study does
            not use: those of recordings that are no longer in it, of earlier contents and of
            other options.

        Returns
        -------
        StudyResult or OutcomesResult
            The latter for a study with several labels, each of which is run as a separate study
            with its own folder.

        Raises
        ------
        StudyError, DataError, EngineError
            If the parts of the study do not fit together, an input is wrong or changes during the
            run, or R fails. Completed stages are stored and are not computed again.
        OutputError
            Before the first stage, if the folder cannot be written, or if a result would replace an
            input, a file that the package did not write, or something other than a regular file.
        """
        shown = sys.stderr.isatty() if progress is None else progress
        studies = self.outcomes
        found = {}
        if len(studies) > 1:
            writable_folder(self.output)
        with self._workers.held():
            for number, (name, study) in enumerate(studies.items()):
                if shown and len(studies) > 1:
                    print(f"{visible(name)}:", file=sys.stderr)
                # Of several labels the first verifies what all of them read.
                found[name] = study._run_verified(
                    verify=verify and number == 0, progress=progress, overwrite=overwrite
                )
        files = FeaturesFiles(self._of_recordings, *(study.output for study in studies.values()))
        outcome = files.removed() if clean else files.unused_note()
        if shown and outcome:
            print(outcome, file=sys.stderr)
        if len(studies) == 1:
            return next(iter(found.values()))
        result = OutcomesResult(self.config.title, self.output, found)
        result.write_index(overwrite=overwrite)
        return result

    def _run_verified(self, *, verify: bool, **options: Any) -> StudyResult:
        """Run all stages; with `verify` every file is read and hashed at the start."""
        if not verify:
            return self._run(**options)
        self._verify, self._read = True, None
        try:
            result = self._run(**options)
            assert self._read is not None
            unnoticed = self._read.known_hashes.unnoticed
        finally:
            self._verify = False
        if unnoticed:
            warn_user(
                f"the content of {counted(len(unnoticed), 'file')} of the study was changed, but "
                f"not the size and times: {listed(unnoticed)}; what depends on "
                f"{'it' if len(unnoticed) == 1 else 'them'} was computed again",
                PyexprWarning,
            )
        return result

    @_of_one_state
    def _run(self, *, progress: bool | None, overwrite: bool) -> StudyResult:
        """Run all stages of a study of one label."""
        if self._file is not None and not self._file.is_unchanged():
            raise StudyError(
                f"the study file {str(self._file.path)!r} has been changed since it was read; "
                "read it again (Study.from_file)"
            )
        folder = self._results(overwrite=overwrite)
        folder.check(planned_files(self.config, self.inputs))
        writable_folder(self.output)
        # Reported now, not after the other stages.
        check_deep(self.config.models, self._stored)
        check_early(self.config, self.inputs)
        runs: dict[str, Callable[[], StageOutput]] = {
            name: getattr(self, name)
            for name in self.stage_names
            if name not in {"features", "chain", *self.config.models.deep()}
        }
        runs["features"] = lambda: self.features(progress=progress)
        runs["chain"] = lambda: self.chain(progress=progress)
        runs |= {
            name: partial(self.deep_model, name, progress=progress)
            for name in self.config.models.deep()
        }
        if progress is None:
            progress = sys.stderr.isatty()
        self._show_workers = progress
        if self.config.compute.backend != "local" and not self._is_stored("features"):
            # What is wrong with the workers is said before anything is computed.
            self._connect()
        for name in self.stage_names:
            start = time.perf_counter()
            runs[name]()
            if progress:
                took = f"{time.perf_counter() - start:.1f} s"
                outcome = "as stored" if name in self.reused else took
                print(f"{visible(name.replace('_', ' '))}: {outcome}", file=sys.stderr)
        refuse_changed(self._sources().changed())
        if self._file is not None and not self._file.is_unchanged():
            warn_user(
                f"the study file {str(self._file.path)!r} was changed during the run; the results "
                "are those of the file as it was before",
                PyexprWarning,
            )
        files = folder.write(
            self._rendered_under(),
            lambda aside: render(self.config, aside, self._done, self._notes()),
        )
        record = sealed(self._record() | {"files": files})
        result = StudyResult(self.config, self.output, dict(self._done), record, tuple(self.reused))
        write_text(self.output / RECORD, json.dumps(record, indent=1) + "\n")
        report_of_run(self.config, self.output, record, self._done.values(), overwrite=overwrite)
        return result

    def _results(self, *, overwrite: bool) -> ResultsFolder:
        return ResultsFolder(
            self.output, stages=self.stage_names, inputs=self.input_files, overwrite=overwrite
        )

    def _stored(self, name: str) -> Path:
        return self.output / "stages" / f"{name}.zip"

    def _stage(self, name: str, compute: Callable[[], StageOutput]) -> StageOutput:
        if name not in self._done:
            key = self._key(name)
            path = self._stored(name)
            stored = self._loaded(name, key)
            if stored is not None and name == "factor_model" and self._is_outdated(stored):
                stored = None
            self._sources().known_hashes.keep()
            if stored is None:
                if name in {"features", "models", "chain", *self.config.models.deep()}:
                    self._connect()
                stored = self._computed(compute)
                save(path, key, stored)
            else:
                self.reused.append(name)
            self._done[name] = stored
        return self._done[name]

    def _is_stored(self, name: str) -> bool:
        return self._loaded(name, self._key(name)) is not None

    def _loaded(self, name: str, key: str) -> StageOutput | None:
        """Return what is stored of a stage under this key, if anything."""
        return load(self._stored(name), key)

    def _listings(self) -> tuple[Path, ...]:
        """Return the folders that list the features of recordings on which results rest."""
        return (self.output,)

    def _connect(self) -> None:
        """Run tasks where the study specifies; called by the stages that have any."""
        self._workers.connect(
            lambda: [self.output.parent, *self._sources().paths().values()],
            show=self._show_workers,
        )

    def _computed(self, compute: Callable[[], StageOutput]) -> StageOutput:
        """Compute a stage; `StudyError` if meanwhile a file changed that it may have read."""
        try:
            found = compute()
        except ClusterError as error:
            raise ClusterError(
                say("{why}; the completed stages are stored", why=message_of(error))
            ) from error
        except PyexprError:
            # Half a file may be what the error is about.
            refuse_changed(self._sources().changed())
            raise
        refuse_changed(self._sources().changed())
        return found

    def _is_outdated(self, stored: StageOutput) -> bool:
        """Say whether R was not available when this was fitted, or has changed since."""
        facts = stored.facts
        engines = {facts["engine"], facts["engine over all contexts"]}
        if "native" in engines:
            return self.config.factor_model.engine == "auto"
        then = facts["provenance"]["versions"]
        # Where R has gone the stored fit stays: there is nothing to fit it with.
        return any(then.get(name) != number for name, number in r_versions().items())

    def _fitted_by(self, name: str) -> list[Any]:
        """Return the engine of the factor model on which a stage depends."""
        before = {"reliability", "factor_model", "label", "features"}
        if name in before or self.config.label.method != "factor":
            return []
        facts = self.factor_model().facts
        versions_used = facts["provenance"]["versions"]
        return [facts["engine"], facts["engine over all contexts"], versions_used]

    def _rendered_under(self) -> str:
        """Hash everything that tables and figures depend on."""
        return stage_key(
            title=self.config.title,
            simulated=self.config.simulated,
            stages=[self._key(name) for name in self.stage_names],
        )

    def _key(self, name: str) -> str:
        """Hash everything that a stage depends on: code, options, inputs."""
        deep = self.config.models.deep()
        options = self.config.model_dump(mode="json", include=options_of(self.config, name))
        data = self.config.data
        hashes = self.input_hashes
        if name not in {"video3d", "comparison", "ceiling"}:
            of_videos = self._sources().of_videos()
            hashes = {key: value for key, value in hashes.items() if key not in of_videos}
        if name in {"reliability", "factor_model", "label"}:
            tables = (data.ratings, data.recordings, data.features)
            hashes = {key: hashes[key] for key in tables if key is not None}
        elif name == "features":
            hashes = {key: value for key, value in hashes.items() if key != data.ratings}
            pairs = self.inputs.recordings[["subject", "context"]].to_dict("split")["data"]
            hashes["pairs"] = stage_key(pairs=pairs, clips=self._clips_of_table())
        return stage_key(
            stage=name,
            code=code_fingerprint(),
            versions=self._versions()
            if name in {*deep, "comparison", "ceiling"}
            else versions(*_COMPUTING),
            options=options,
            inputs=hashes,
            fitted_by=self._fitted_by(name),
        )

    def _clips_of_table(self) -> list[list[str]]:
        """Return the clips of the table of features that were not left out."""
        measured = self.inputs.measured
        return [] if measured is None else measured.table[CLIP_KEY].to_dict("split")["data"]

    def _versions(self) -> dict[str, str]:
        deep = _COMPUTING_DEEP if self.config.models.deep() else ()
        return versions(*_COMPUTING, *deep)

    def _notes(self) -> list[str]:
        """Return the notes of the computation, each with the stage that gave it."""
        notes: list[str] = [_OF_STAGE(stage="data", note=note) for note in self.inputs.notes()]
        return notes + [
            _OF_STAGE(stage=name.replace("_", " "), note=note)
            for name, output in self._done.items()
            for note in output.facts.get("notes", ())
        ]

    def _record(self) -> dict[str, Any]:
        """Return what is needed to repeat the run, and what was left out of it."""
        return {
            "title": self.config.title,
            "simulated": self.config.simulated,
            "seed": self.config.seed,
            "versions": self._versions(),
            # Where it was computed is no choice of the analysis: results are the same.
            "options": self.config.model_dump(mode="json", exclude={"compute"}),
            "contexts": list(self.inputs.contexts),
            "questions": list(self.inputs.questions),
            "inputs": self.input_hashes,
            "dropped": self.inputs.dropped,
            "stages": {name: output.facts for name, output in self._done.items()},
            "notes": self._notes(),
            # What the notes, and the reasons of the tables, are made of: for other voices.
            "messages": {
                text: node
                for output in self._done.values()
                for text, node in messages_in(output.facts, output.tables).items()
            },
        }


_OF_STAGE = Template("note_of_stage", "{stage}: {note}")
