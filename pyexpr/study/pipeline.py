"""A study from its file to its results, stage by stage; what has not changed is not redone."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial, wraps
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from pyexpr.base.contents import KnownFile
from pyexpr.base.errors import PyexprError, PyexprWarning, StudyError, warn_user
from pyexpr.base.files import writable_folder, write_text
from pyexpr.base.messages import Template
from pyexpr.base.results import Result
from pyexpr.base.stopping import stoppable
from pyexpr.base.versions import versions
from pyexpr.measurement.engines.choice import r_versions
from pyexpr.study import models_stage, stages
from pyexpr.study.config import StudyConfig, read_known_config
from pyexpr.study.deep_stage import train_deep, training_folder
from pyexpr.study.deep_tables import joined_predictions
from pyexpr.study.early_checks import check_deep, check_early
from pyexpr.study.inputs import Inputs
from pyexpr.study.kept_messages import messages_in
from pyexpr.study.render import planned_files, render
from pyexpr.study.report import study_report
from pyexpr.study.results_folder import ResultsFolder
from pyexpr.study.seal import sealed
from pyexpr.study.sources import Sources, refuse_changed
from pyexpr.study.store import (
    StageOutput,
    code_fingerprint,
    load,
    save,
    stage_key,
)
from pyexpr.study.vouched import RECORD

if TYPE_CHECKING:
    import pandas as pd

# Other versions of these may compute other numbers; those of R and lavaan are in the factor
# model's facts.
_COMPUTING = ("pandas", "scipy", "scikit-learn", "pyarrow", "matplotlib", "rpy2-rinterface")
_COMPUTING_DEEP = ("torch", "torchvision", "lightning", "safetensors", "av")
# Those of every study; deep models come after "models", each a stage under its own name.
STAGES = ("reliability", "factor_model", "features", "models", "comparison", "coefficients")


P = ParamSpec("P")
T = TypeVar("T")


def _of_one_state(
    method: Callable[Concatenate[Any, P], T],
) -> Callable[Concatenate[Any, P], T]:
    """Have all that one call of the user computes rest on the files as they are at its start.

    What was read before is read again if a file has changed since.
    """

    @stoppable(
        "the study was run", kept="the stages that were finished are stored; run it again to go on"
    )
    @wraps(method)
    def begun(study: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        study._enter()
        try:
            return method(study, *args, **kwargs)
        finally:
            study._leave()

    return begun


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StudyResult(Result):
    """The results of a study.

    Attributes
    ----------
    config : StudyConfig
        Every choice, defaults included.
    folder : Path
        Where tables, figures and ``record.json`` were written.
    stages : dict of str to StageOutput
        Tables and facts of each stage.
    record : dict
        What ``record.json`` holds: versions, seed, hashes of the inputs and of the files
        written, options, dropped rows, and the hash of all this itself (``sha256``).
    reused : tuple of str
        The stages whose stored result was still valid.
    """

    config: StudyConfig
    folder: Path
    stages: dict[str, StageOutput]
    record: dict[str, Any]
    reused: tuple[str, ...]

    def table(self, name: str) -> pd.DataFrame:
        """Return one table of the study by its name.

        Names: reliability, loadings, parameters, invariance, invariance_contrasts, scores,
        features, quality, recordings, dropped_clips, split, predictions, weights, tuning,
        left_out, comparison, scores_leakage, coefficients, contrasts, omnibus; with
        ``fit_on = "train"`` also training_scores, training_loadings; with
        deep models also learning_curves and seed_spread.
        """
        for output in self.stages.values():
            if name in output.tables:
                return output.tables[name]
        known = [key for output in self.stages.values() for key in output.tables]
        raise KeyError(f"the study has no table {name!r}; it has {known}")

    def report(
        self,
        output: Path | str | None = None,
        *,
        altered: bool = False,
        overwrite: bool = False,
    ) -> Path:
        """Write the report again, by default ``report.html`` in `folder`; see `px.study_report`.

        `output` is another place for it; `altered` and `overwrite` are as there.
        """
        return study_report(self.folder, output=output, altered=altered, overwrite=overwrite)

    def tidy(self) -> pd.DataFrame:
        """Return performance and differences of the models, per context and over all."""
        return self.table("comparison")

    def heading(self) -> str:
        """Return what was studied, in one sentence."""
        counts = self.stages["models"].facts["subjects"]
        simulated = " (simulated data)" if self.config.simulated else ""
        return (
            f"{self.config.title}{simulated}: {sum(counts.values())} subjects "
            f"({counts['train']} training, {counts['validation']} validation, "
            f"{counts['test']} test); results in {self.folder}"
        )

    def notes(self) -> tuple[str, ...]:
        """Return what was said while computing."""
        return tuple(self.record["notes"])

    def provenance(self) -> dict[str, Any]:
        """Return the record."""
        return self.record


class Study:
    """The whole analysis that a study file describes.

    Parameters
    ----------
    config : StudyConfig
        The choices.
    folder : Path
        Paths in the configuration are relative to it.
    output : Path, optional
        Where results go; by default the configuration's ``output`` in `folder`.

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
    while a call computes ends it with a `StudyError`, and nothing that rests on it is stored.
    """

    def __init__(
        self, config: StudyConfig, folder: Path | str, *, output: Path | str | None = None
    ) -> None:
        self.config = config
        self.folder = Path(folder)
        self.output = Path(output) if output is not None else self.folder / config.output
        self.reused: list[str] = []
        self._done: dict[str, StageOutput] = {}
        self._file: KnownFile | None = None
        self._read: Sources | None = None
        self._depth = 0

    @classmethod
    def from_file(cls, path: Path | str, *, output: Path | str | None = None) -> Study:
        """Read a study file at `path`; `StudyError` says what in it is wrong.

        `output` is where results go, if not where the file says.
        """
        file = Path(path)
        config, known = read_known_config(file)
        study = cls(config, file.resolve().parent, output=output)
        # It is looked at again, perhaps from another working directory.
        study._file = replace(known, path=file.absolute())
        return study

    @property
    def stage_names(self) -> tuple[str, ...]:
        """The stages in the order in which they run."""
        after = STAGES.index("models") + 1
        return (*STAGES[:after], *self.config.models.deep(), *STAGES[after:])

    @property
    def inputs(self) -> Inputs:
        """The checked tables; read again if their files have changed since."""
        return self._sources().inputs

    @property
    def input_hashes(self) -> dict[str, str]:
        """SHA-256 of every input file, by its path as the study names it.

        Of the tables of ratings and recordings: of the bytes that `inputs` was read from.
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
            self._read = Sources(self.config, self.folder)
            self._done.clear()
            self.reused.clear()
        return self._read

    @_of_one_state
    def reliability(self) -> StageOutput:
        """Run stage 1: inter-rater reliability."""
        return self._stage("reliability", lambda: stages.reliability(self.config, self.inputs))

    @_of_one_state
    def factor_model(self) -> StageOutput:
        """Run stage 2: the factor model and its scores."""
        return self._stage("factor_model", lambda: stages.factor_model(self.config, self.inputs))

    @_of_one_state
    def features(self, *, progress: bool | None = None) -> StageOutput:
        """Run stage 3: clips and features; `progress` is as in `run`."""
        return self._stage(
            "features",
            lambda: stages.features(
                self.config, self.inputs, hashes=self._sources().by_path(), progress=progress
            ),
        )

    @_of_one_state
    def models(self) -> StageOutput:
        """Run stage 4, after those it stands on: split, models, baselines."""
        factor, behavior = self.factor_model(), self.features()
        return self._stage(
            "models", lambda: models_stage.models(self.config, self.inputs, factor, behavior)
        )

    @_of_one_state
    def deep_model(self, name: str, *, progress: bool | None = None) -> StageOutput:
        """Run the stage of the deep model `name`, after those it stands on.

        `progress` is as in `run`.
        An interrupted training goes on where it stopped.
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
        """Run stage 5, after those it stands on: performance, intervals, differences."""
        fitted = self.models()
        deep = {name: self.deep_model(name) for name in self.config.models.deep()}
        return self._stage("comparison", lambda: stages.comparison(self.config, fitted, deep))

    @_of_one_state
    def coefficients(self) -> StageOutput:
        """Run stage 6, after those it stands on: weights described, slopes tested."""
        factor, behavior, fitted = self.factor_model(), self.features(), self.models()
        return self._stage(
            "coefficients",
            lambda: stages.coefficients(self.config, self.inputs, factor, behavior, fitted),
        )

    @_of_one_state
    def run(self, *, progress: bool | None = None, overwrite: bool = False) -> StudyResult:
        """Run all stages; write tables, figures, ``record.json`` and the report.

        Tables and figures of an earlier run into the same folder are replaced, and removed if
        this one does not write them. Other files stay: those of the user, and those that were
        changed since.

        Parameters
        ----------
        progress : bool, optional
            Show progress; by default when standard error is a terminal.
        overwrite : bool
            Replace files, too, that no run of the package wrote or that were changed since,
            where a result has their name. What the study reads is never replaced.

        Raises
        ------
        StudyError, DataError, EngineError
            If the study's parts do not fit together, an input is wrong or changes during the
            run, or R fails. What was finished stays stored, and is not computed again.
        OutputError
            Before the first stage: if the folder cannot be written, or a result would replace
            an input, a file that is not the package's own, or what is no regular file.
        """
        if self._file is not None and not self._file.is_as_it_was():
            raise StudyError(
                f"the study file {str(self._file.path)!r} was changed since it was read; read it "
                "again (Study.from_file)"
            )
        folder = self._results(overwrite=overwrite)
        folder.check(planned_files(self.config, len(self.inputs.contexts)))
        writable_folder(self.output)
        # Said now, not after the other stages.
        check_deep(self.config.models, self._stored)
        check_early(self.config, self.inputs)
        runs: dict[str, Callable[[], StageOutput]] = {
            name: getattr(self, name) for name in STAGES if name != "features"
        }
        runs["features"] = lambda: self.features(progress=progress)
        runs |= {
            name: partial(self.deep_model, name, progress=progress)
            for name in self.config.models.deep()
        }
        if progress is None:
            progress = sys.stderr.isatty()
        for name in self.stage_names:
            start = time.perf_counter()
            runs[name]()
            if progress:
                took = f"{time.perf_counter() - start:.1f} s"
                said = "as stored" if name in self.reused else took
                print(f"{name.replace('_', ' ')}: {said}", file=sys.stderr)
        refuse_changed(self._sources().changed())
        if self._file is not None and not self._file.is_as_it_was():
            warn_user(
                f"the study file {str(self._file.path)!r} was changed during the run; the results "
                "are those of the file as it was before",
                PyexprWarning,
            )
        files = folder.write(
            self._rendered_under(), lambda aside: render(self.config, aside, self._done)
        )
        record = sealed(self._record() | {"files": files})
        result = StudyResult(self.config, self.output, dict(self._done), record, tuple(self.reused))
        write_text(self.output / RECORD, json.dumps(record, indent=1) + "\n")
        result.report(overwrite=overwrite)
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
            stored = load(path, key)
            if stored is not None and name == "factor_model" and self._is_outdated(stored):
                stored = None
            if stored is None:
                stored = self._computed(compute)
                save(path, key, stored)
            else:
                self.reused.append(name)
            self._done[name] = stored
        return self._done[name]

    def _computed(self, compute: Callable[[], StageOutput]) -> StageOutput:
        """Compute a stage; `StudyError` if meanwhile a file changed that it may have read."""
        try:
            found = compute()
        except PyexprError:
            # Half a file may be what the error is about.
            refuse_changed(self._sources().changed())
            raise
        refuse_changed(self._sources().changed())
        return found

    def _is_outdated(self, stored: StageOutput) -> bool:
        """Say whether R was not to be had when this was fitted, or is another by now."""
        facts = stored.facts
        engines = {facts["engine"], facts["engine over all contexts"]}
        if "native" in engines:
            return self.config.factor_model.engine == "auto"
        then = facts["provenance"]["versions"]
        # Where R has gone the stored fit stays: there is nothing to fit it with.
        return any(then.get(name) != number for name, number in r_versions().items())

    def _fitted_by(self, name: str) -> list[Any]:
        """Return who fitted the factor model that a stage stands on; options do not tell."""
        if name in {"reliability", "factor_model", "features"}:
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
        options = self.config.model_dump(
            mode="json", include=_OPTIONS.get(name, _BEFORE_MODELS | {"models": {name}})
        )
        data = self.config.data
        hashes = self.input_hashes
        if name not in {"video3d", "comparison"}:
            of_videos = self._sources().of_videos()
            hashes = {key: value for key, value in hashes.items() if key not in of_videos}
        if name in {"reliability", "factor_model"}:
            hashes = {key: hashes[key] for key in (data.ratings, data.recordings)}
        elif name == "features":
            hashes = {key: value for key, value in hashes.items() if key != data.ratings}
            pairs = self.inputs.recordings[["subject", "context"]].to_dict("split")["data"]
            hashes["pairs"] = stage_key(pairs=pairs)
        return stage_key(
            stage=name,
            code=code_fingerprint(),
            versions=self._versions() if name in {*deep, "comparison"} else versions(*_COMPUTING),
            options=options,
            inputs=hashes,
            fitted_by=self._fitted_by(name),
        )

    def _versions(self) -> dict[str, str]:
        deep = _COMPUTING_DEEP if self.config.models.deep() else ()
        return versions(*_COMPUTING, *deep)

    def _record(self) -> dict[str, Any]:
        """Return what is needed to repeat the run, and what was left out of it."""
        notes = [_OF_STAGE(stage="data", note=note) for note in self.inputs.notes()]
        notes += [
            _OF_STAGE(stage=name.replace("_", " "), note=note)
            for name, output in self._done.items()
            for note in output.facts.get("notes", ())
        ]
        return {
            "title": self.config.title,
            "simulated": self.config.simulated,
            "seed": self.config.seed,
            "versions": self._versions(),
            "options": self.config.model_dump(mode="json"),
            "inputs": self.input_hashes,
            "dropped": self.inputs.dropped,
            "stages": {name: output.facts for name, output in self._done.items()},
            "notes": notes,
            # What the notes, and the reasons of the tables, are made of: for other voices.
            "messages": {
                text: node
                for output in self._done.values()
                for text, node in messages_in(output.facts, output.tables).items()
            },
        }


_OF_STAGE = Template("note_of_stage", "{stage}: {note}")

# The sections of the configuration that each stage depends on; a deep model: on those before
# the models, and its own.
_DATA: dict[str, Any] = dict.fromkeys(("data", "ratings", "clips"), True)
_BEFORE_MODELS = _DATA | dict.fromkeys(("factor_model", "features", "split", "seed"), True)
_MODELS = _BEFORE_MODELS | {"models": {"elastic_net"}, "baselines": True}
_OPTIONS: dict[str, dict[str, Any]] = {
    "reliability": _DATA | {"compare": True},
    "factor_model": _DATA | {"factor_model": True},
    "features": _DATA | {"features": True},
    "models": _MODELS,
    "comparison": _MODELS | {"models": True, "compare": True},
    "coefficients": _MODELS | {"compare": True, "coefficients": True},
}
