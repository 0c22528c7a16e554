"""Common base of the deep regressors: scikit-learn's interface to a module and its training."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted

from pyexpr.base.errors import DataError
from pyexpr.base.foreign import as_column
from pyexpr.base.messages import say
from pyexpr.base.results import jsonable
from pyexpr.base.stopping import stoppable
from pyexpr.base.versions import versions
from pyexpr.core.streams import checked_seed
from pyexpr.deep.checkpoints import Checkpoint, Tensors
from pyexpr.deep.checks import check_training, checked_labels, checked_validation, combinations
from pyexpr.deep.devices import choose_place
from pyexpr.deep.model_folder import CONFIGURATION, write_model
from pyexpr.deep.persistence import from_bytes, read_model, to_bytes
from pyexpr.deep.process_group import ProcessGroup, process_group
from pyexpr.deep.saved_facts import (
    FittedFacts,
    Plain,
    check_weights,
    checked_facts,
    checked_parameters,
    plain,
)
from pyexpr.deep.tasks import Training, in_context, train_each
from pyexpr.deep.training import Examples, Part, Trained, TrainingOptions, predicted
from pyexpr.modeling.splits import subject_folds
from pyexpr.modeling.unfitted import unfit

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

# Bytes of the fingerprint in the name of a checkpoint, enough to avoid coincidences.
_FINGERPRINT = 16
# Parameters that do not affect the model; they may differ between processes.
_LOCAL = frozenset({"cache_dir", "checkpoint_dir", "progress", "n_jobs", "train_jobs", "n_threads"})
#: The steps of a `fit`: trainings to do, and their results.
Fitting = Generator[list[Training], Any, None]
_HISTORY = ("seed", "epoch", "train_rmse", "validation_rmse", "best")


def _epochs_kept(regressor: Any, *_: Any, **__: Any) -> str:
    """Say what remains of an interrupted training."""
    if regressor.checkpoint_dir is None:
        return (
            "the model is not fitted; with checkpoint_dir= the completed epochs would have "
            "been kept"
        )
    return (
        "the completed epochs are in its checkpoint_dir; fit it again with resume=True to continue"
    )


class DeepRegressor(RegressorMixin, BaseEstimator, ABC):
    """Base of the deep regressors. A subclass defines its clips and its module.

    A subclass has a constructor that keeps every argument under its name, among
    them those of `TrainingOptions` and `n_seeds`, `validation_share`, `tune`,
    `checkpoint_dir`, `resume` and `progress`; and the methods `_examples`, `_config`,
    `_build` and, if first weights are not drawn, `_initialise`.
    """

    # What `fit` sets besides the modules, and `save` writes; a subclass has its own.
    _FITTED: ClassVar[type[FittedFacts]] = FittedFacts
    # The entries that `_config` returns, with the bounds that `_build` accepts.
    _CONFIG: ClassVar[type[Plain]]
    # The values that tune="paper" tries, by the parameters' names.
    _PAPER_GRID: ClassVar[dict[str, tuple[Any, ...]]] = {}
    # Parameters that can be tuned; the others are fixed when the clips are read.
    _TUNABLE: ClassVar[tuple[str, ...]] = (
        "lr", "max_epochs", "batch_size", "patience", "clip_norm", "weight_decay",
    )  # fmt: skip

    # --- what a subclass says ---

    @abstractmethod
    def _examples(self, X: Any, *, reset: bool, what: str) -> Examples:
        """Return the clips of `X`; with `reset` store their width, otherwise check it."""

    @abstractmethod
    def _config(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return, in plain values, all that `_build` needs."""

    @classmethod
    @abstractmethod
    def _build(cls, config: Mapping[str, Any]) -> Any:
        """Return the module of a configuration."""

    @classmethod
    def _initialise(cls, module: Any, config: Mapping[str, Any]) -> None:
        """Set the first weights of a module to be trained, if they are not random."""

    # --- scikit-learn's methods ---

    @stoppable("a deep model was trained", kept=_epochs_kept, undo=unfit)
    def fit(
        self,
        X: Any,
        y: ArrayLike,
        groups: ArrayLike | None = None,
        validation: tuple[Any, ArrayLike] | Mapping[str, Any] | None = None,
    ) -> Self:
        """Train the module, once per seed, and keep the weights of the best epoch of each.

        Parameters
        ----------
        X : array, list of arrays, or clip table
            The clips, in one of the forms described in the class.
        y : array_like, shape (n,)
            The label of each clip. Missing labels are an error.
        groups : array_like, shape (n,), optional
            The subject of each clip. Without `validation`, some of the subjects are set aside for
            early stopping (`validation_share`).
        validation : (X, y) or mapping, optional
            Clips of other subjects, for early stopping and tuning. A mapping has "X"
            and "y", as for `ContextualRegressor`.

        Returns
        -------
        The regressor itself.

        Raises
        ------
        DataError
            If clips, labels or parameters are invalid, if there are no subjects for early stopping
            or tuning, or if training diverges.
        DeepMemoryError
            If a batch does not fit into the device's memory.
        """
        fit_all([(self, X, y, groups, validation)], n_jobs=self.train_jobs)
        return self

    def fitting(self, X: Any, y: ArrayLike, groups: Any = None, validation: Any = None) -> Fitting:
        """Return the steps of `fit`: the generator yields trainings, and is sent their results."""
        self._check_parameters()
        grid = self._combinations()
        group = process_group()
        with nullcontext() if group is None else group.first_before_others():
            examples = self._examples(X, reset=True, what="X")
            labels = checked_labels(y, len(examples), name="y", what="X")
            training, held_out = self._parts(examples, labels, groups, validation, bool(grid))
        self.label_mean_ = float(training[1].mean())
        self.label_scale_ = float(training[1].std()) or 1.0
        parts = self._standardised(training), held_out and self._standardised(held_out)
        known = group is not None or self.checkpoint_dir is not None
        prints = [_fingerprint(part) for part in parts if part is not None] if known else []
        if group is not None:
            self._check_group(group, len(training[1]), prints)

        first = checked_seed(self.seed)
        self.seeds_ = [first + k for k in range(self.n_seeds)]
        make = partial(self._training, parts=parts, prints=prints)
        combined = grid or [{}]
        # Without tuning, all seeds are trained at once, and none waits for the first.
        ahead = [] if grid else self.seeds_[1:]
        results: list[Trained] = yield [
            *(make(values, first) for values in combined),
            *(make({}, seed) for seed in ahead),
        ]
        tried = list(zip(combined, results, strict=False))
        errors = [_lowest(trained) for _, trained in tried]
        chosen, trained = tried[int(np.argmin(errors)) if grid else 0]
        others: list[Trained] = (
            yield [make(chosen, seed) for seed in self.seeds_[1:]] if grid else []
        )
        runs = [trained, *(others if grid else results[1:])]

        self.best_params_ = dict(chosen)
        self.config_ = self._config({**self.get_params(deep=False), **chosen})
        self.modules_ = [self._module(run.weights) for run in runs]
        self.best_epochs_ = [run.best_epoch for run in runs]
        self.tuning_ = "validation" if grid else "none"
        self.history_ = self._history(runs)
        self.path_ = self._path([(values, run) for values, run in tried] if grid else [], chosen)
        self.device_ = str(choose_place(self.device).device)
        self.versions_ = versions("torch", "lightning", "safetensors")

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Return the predicted label of each clip of `X`, shape (n,), averaged over the seeds."""
        mean: NDArray[np.float64] = self.predict_each(X).mean(axis=0)
        return mean

    @stoppable("clips were predicted")
    def predict_each(self, X: Any) -> NDArray[np.float64]:
        """Return the predictions of `X` by each seed's module, shape (n_seeds, n)."""
        check_is_fitted(self, "modules_")
        examples = self._examples(X, reset=False, what="X")
        values = [
            predicted(
                module,
                examples,
                batch_size=self.batch_size,
                device=self.device,
                deterministic=self.deterministic,
                n_threads=self.n_threads,
            )
            for module in self.modules_
        ]
        return np.stack(values) * self.label_scale_ + self.label_mean_

    # --- on disk ---

    def save(self, folder: Path | str, *, overwrite: bool = False) -> Path:
        """Write the fitted model into `folder`: ``weights.safetensors`` and ``model.json``.

        Parameters
        ----------
        folder : path
            Created if needed. An earlier model in it is replaced.
        overwrite : bool
            Whether to replace files with these names that do not belong to a model.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        OutputError
            If the folder cannot be written, or contains files with these names that do not belong
            to a model, or from which this model was pretrained.
        """
        check_is_fitted(self, "modules_")
        facts = {
            "model": type(self).__name__,
            "parameters": {
                name: jsonable(value) for name, value in self.get_params(deep=False).items()
            },
            "fitted": {name: plain(getattr(self, name)) for name in self._FITTED.model_fields},
        }
        read = getattr(self, "pretrained", None)
        inputs = [] if read is None else [read]
        return write_model(
            folder, facts, to_bytes(self.modules_), inputs=inputs, overwrite=overwrite
        )

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Return the model that `save` wrote into `folder`; no code in the files is run.

        Parameters
        ----------
        folder : path

        Returns
        -------
        The fitted regressor.

        Raises
        ------
        DataError
            If a file is missing or damaged, or the model is of another class.
        """
        facts, weights = read_model(folder)
        if facts.get("model") != cls.__name__:
            raise DataError(
                f"{str(folder)!r} holds a {facts.get('model')}, not a {cls.__name__}: load it with "
                f"{facts.get('model')}.load"
            )
        place = repr(str(Path(folder) / CONFIGURATION))
        model = cls(
            **checked_parameters(cls._get_param_names(), facts.get("parameters"), place=place)
        )
        fitted = checked_facts(cls._FITTED, facts.get("fitted"), place=place, part="fitted")
        model._check_loaded(fitted, weights, place)
        for name, value in fitted.attributes().items():
            setattr(model, name, value)
        model.modules_ = [model._module(one) for one in weights]
        return model

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "modules_" in state:
            state["modules_"] = to_bytes(state["modules_"])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        weights = state.pop("modules_", None)
        super().__setstate__(state)
        if weights is not None:
            self.modules_ = [self._module(one) for one in from_bytes(weights)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        tags.non_deterministic = not self.deterministic
        return tags

    # --- inside ---

    def _check_loaded(self, fitted: FittedFacts, weights: list[Tensors], place: str) -> None:
        """Raise `DataError` unless a model that was read could have been made by `fit`."""
        checked_facts(self._CONFIG, fitted.config_, place=place, part="fitted.config_")
        try:
            # The device is that of the machine where it was trained, and tuning is finished.
            clone(self).set_params(device=None, tune=None)._check_parameters()
            # Shapes without memory: a size that the weights do not have would be allocated.
            with torch.device("meta"):
                module = self._build(fitted.config_)
        except (DataError, TypeError, ValueError, RuntimeError) as error:
            raise DataError(
                f"{place} is not a description of {type(self).__name__}: {error}"
            ) from None
        if len(weights) != len(fitted.seeds_):
            raise DataError(
                f"{place}: there are {len(fitted.seeds_)} seeds, but weights of {len(weights)}"
            )
        check_weights(module, weights, place=place)

    def _module(self, weights: Tensors) -> Any:
        # Building draws first weights, which are replaced; this must not affect the user's draws.
        with torch.random.fork_rng(devices=[]):
            module = self._build(self.config_)
        module.load_state_dict(weights)
        return module.eval()

    @classmethod
    def _new_module(cls, config: Mapping[str, Any]) -> Any:
        module = cls._build(config)
        cls._initialise(module, config)
        return module

    def _check_parameters(self) -> None:
        """Raise `DataError` for an invalid parameter."""
        check_training(self.get_params(deep=False))

    def _combinations(self) -> list[dict[str, Any]]:
        """Return the values to try in tuning; empty without tuning."""
        found = combinations(self.tune, self._PAPER_GRID, self._TUNABLE)
        for values in found:
            clone(self).set_params(**{**values, "tune": None})._check_parameters()
        return found

    def _parts(
        self,
        examples: Examples,
        labels: NDArray[np.float64],
        groups: Any,
        validation: Any,
        tuned: bool,
    ) -> tuple[tuple[Examples, NDArray[np.float64]], tuple[Examples, NDArray[np.float64]] | None]:
        """Return training and validation clips with their labels."""
        groups = as_column(groups, argument=say("{groups=}"))
        subjects = None if groups is None else np.asarray(groups, dtype=object)
        if subjects is not None and subjects.shape != labels.shape:
            raise DataError(
                say(
                    "{groups=} must have one subject per clip: {n} clips, but its shape is {shape}",
                    n=len(labels),
                    shape=subjects.shape,
                )
            )
        if validation is not None:
            clips, truth = checked_validation(validation)
            held_out = self._examples(clips, reset=False, what="validation")
            self.stopping_ = "validation"
            return (examples, labels), (
                held_out,
                checked_labels(truth, len(held_out), name="the label", what="validation"),
            )
        if self.patience is None and not tuned:
            self.stopping_ = "none"
            return (examples, labels), None
        need = (
            say("tuning ({tune=})")
            if tuned
            else say("early stopping ({patience=})", patience=self.patience)
        )
        if subjects is None:
            raise DataError(
                say(
                    "{need} requires clips of other subjects; give {call validation=(X, y)}, "
                    "or {groups=} (the subject of each clip), some of which are then used for "
                    "validation (in scikit-learn's cross_val_predict by params={{'groups': "
                    "subjects}}){or_all}",
                    need=need,
                    or_all="" if tuned else say("; or {patience=None} to train all max_epochs"),
                )
            )
        names, rank = _shuffled_subjects(subjects, self.seed)
        if names < 2:
            raise DataError(
                say(
                    "{need} needs clips of at least 2 subjects, but {groups=} has "
                    "{names}; give validation=(X, y)",
                    need=need,
                    names=names,
                )
            )
        n_validation = min(max(round(self.validation_share * names), 1), names - 1)
        out, kept = np.flatnonzero(rank < n_validation), np.flatnonzero(rank >= n_validation)
        self.stopping_ = f"{n_validation} of {names} subjects used for validation"
        return (examples.take(kept), labels[kept]), (examples.take(out), labels[out])

    def _standardised(self, part: tuple[Examples, NDArray[np.float64]]) -> Part:
        values = (part[1] - self.label_mean_) / self.label_scale_
        return Part(part[0], values.astype(np.float32))

    def _check_group(self, group: ProcessGroup, n: int, prints: list[Any]) -> None:
        """Raise `DataError` if the processes cannot train this model together."""
        size = group.launch.world_size
        parameters = jsonable(
            {key: value for key, value in self.get_params(deep=False).items() if key not in _LOCAL}
        )
        group.check_equal(
            {
                "the parameters": json.dumps([type(self).__name__, parameters]),
                # Labels are hashed in standardised form, with these two numbers.
                "the clips or labels": json.dumps([prints, self.label_mean_, self.label_scale_]),
                "the kind of device": choose_place(self.device).kind,
                "the version of torch": str(torch.__version__),
            },
            what="fits something else",
            remedy="all processes must make the same calls with the same data",
        )
        least = min(n, self.batch_size)
        if least < size:
            what = (
                "training clips"
                if least == n
                else say("clips in a batch ({batch_size=})", batch_size=least)
            )
            raise DataError(
                say(
                    "there are {size} processes, but the number of {what} is {least}, and each "
                    "process takes a share of them; start fewer processes",
                    size=size,
                    least=least,
                    what=what,
                )
            )

    def _training(
        self,
        chosen: Mapping[str, Any],
        seed: int,
        *,
        parts: tuple[Part, Part | None],
        prints: list[Any],
    ) -> Training:
        parameters = {**self.get_params(deep=False), **chosen}
        config = self._config(parameters)
        options = TrainingOptions(
            seed=seed,
            **{
                name: parameters[name]
                for name in TrainingOptions.__dataclass_fields__
                if name != "seed"
            },
        )
        checkpoint = None
        if self.checkpoint_dir is not None:
            name = _checkpoint_name(type(self).__name__, config, options, prints)
            checkpoint = Checkpoint(Path(self.checkpoint_dir) / f"{name}.safetensors")
            if not self.resume:
                checkpoint.path.unlink(missing_ok=True)
        return Training(
            partial(self._new_module, config), *parts, options, checkpoint, self.progress
        )

    def _history(self, runs: list[Trained]) -> pd.DataFrame:
        import pandas as pd

        rows = [
            {
                "seed": seed,
                "epoch": int(past["epoch"]),
                "train_rmse": self.label_scale_ * float(np.sqrt(past["train"])),
                "validation_rmse": self.label_scale_ * float(np.sqrt(past["validation"])),
                "best": past["epoch"] == run.best_epoch,
            }
            for seed, run in zip(self.seeds_, runs, strict=True)
            for past in run.history
        ]
        return pd.DataFrame(rows, columns=list(_HISTORY))

    def _path(
        self, tried: list[tuple[dict[str, Any], Trained]], chosen: Mapping[str, Any]
    ) -> pd.DataFrame:
        import pandas as pd

        rows = [
            {
                **values,
                "rmse": self.label_scale_ * float(np.sqrt(_lowest(run))),
                "best_epoch": run.best_epoch,
                "chosen": values == chosen,
            }
            for values, run in tried
        ]
        return pd.DataFrame(rows)


def _shuffled_subjects(subjects: NDArray[Any], seed: int) -> tuple[int, NDArray[np.int64]]:
    """Return the number of subjects, and each clip's subject's place in a shuffled order."""
    n = len(set(subjects.tolist()))
    return n, (
        subject_folds(subjects, n, seed, balance="subjects")
        if n > 1
        else np.zeros(len(subjects), np.int64)
    )


def _lowest(run: Trained) -> float:
    return run.history[run.best_epoch - 1]["validation"]


def _fingerprint(part: Part) -> tuple[str, str]:
    """Hash clips and labels."""
    return part.examples.fingerprint(), hashlib.sha256(part.labels.tobytes()).hexdigest()


def _checkpoint_name(
    name: str, config: Mapping[str, Any], options: TrainingOptions, prints: list[Any]
) -> str:
    """Hash everything on which a training depends, so that no other training is resumed instead."""
    where = ("device", "devices", "n_threads")
    chosen = {
        field: getattr(options, field)
        for field in TrainingOptions.__dataclass_fields__
        if field not in where
    }
    text = json.dumps([name, jsonable(dict(config)), chosen, prints, str(torch.__version__)])
    return f"{hashlib.sha256(text.encode()).hexdigest()[:_FINGERPRINT]}-seed{options.seed}"


def fit_all(
    fits: Sequence[tuple[DeepRegressor, Any, Any, Any, Any]],
    *,
    n_jobs: int | None,
    contexts: Sequence[str | None] = (None,),
) -> None:
    """Fit several regressors, with the trainings of all of them as tasks.

    Parameters
    ----------
    fits : sequence of (regressor, X, y, groups, validation)
    n_jobs : int, optional
        Trainings at a time. In a group of processes they follow each other.
    contexts : sequence of str or None
        The context of each model, for errors.
    """
    group = process_group()
    if group is None or not group.led:
        if group is not None:
            group.begin()
        try:
            _fit_all(fits, n_jobs, contexts)
        except BaseException as error:
            if group is not None:
                group.tell(error)
            raise
    elif group.calling:
        _fit_all(fits, n_jobs, contexts)
    else:
        group.call(_fit_all, fits, n_jobs, contexts)


def _fit_all(
    fits: Sequence[tuple[DeepRegressor, Any, Any, Any, Any]],
    n_jobs: int | None,
    contexts: Sequence[str | None],
) -> None:
    group = process_group()
    steps: dict[int, Fitting] = {}
    for number, (regressor, *data) in enumerate(fits):
        if group is not None and group.led and not group.first:
            # A copy of the first one's, which is not used.
            regressor.progress = False
        steps[number] = regressor.fitting(*data)
    results: dict[int, list[Trained] | None] = dict.fromkeys(steps)
    while results:
        wanted: dict[int, list[Training]] = {}
        for number, given in results.items():
            with suppress(StopIteration), in_context(contexts[number]):
                wanted[number] = steps[number].send(given)
        trainings = [
            replace(one, context=contexts[number]) for number, own in wanted.items() for one in own
        ]
        trained = iter(train_each(trainings, n_jobs=n_jobs, group=group))
        results = {number: [next(trained) for _ in own] for number, own in wanted.items()}
