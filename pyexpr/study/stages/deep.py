"""A deep model as a stage of a study, trained per context and over all contexts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyexpr.base.contexts import ALL
from pyexpr.base.messages import Template
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.file.model_sections import DeepSection
from pyexpr.study.kept.store import StageOutput
from pyexpr.study.stages.model_fits import label_column
from pyexpr.study.tables.inputs import CLIP_KEY, Inputs

if TYPE_CHECKING:
    import pandas as pd

# Columns of the clip table from which a model reads its clips.
_READS: dict[str, tuple[str, ...]] = {
    "lstm": ("openface", "start", "end"),
    "video3d": ("video", "openface", "start", "end"),
}
DEEP_MODELS = tuple(_READS)
# Entries of a section that concern the study, not the regressor.
_OF_STUDY = {"per_context"}


def _lstm(arguments: dict[str, Any], config: StudyConfig) -> Any:
    from pyexpr.deep import LSTMRegressor

    reading = config.features
    return LSTMRegressor(
        **arguments,
        fps=None if config.clips is None else config.clips.fps,
        min_confidence=reading.min_confidence,
        face=reading.face,
    )


def _video3d(arguments: dict[str, Any], config: StudyConfig) -> Any:
    from pyexpr.deep import Video3DRegressor

    return Video3DRegressor(**arguments)


_MAKE: dict[str, Callable[[dict[str, Any], StudyConfig], Any]] = {
    "lstm": _lstm,
    "video3d": _video3d,
}


def train_deep(
    name: str,
    config: StudyConfig,
    inputs: Inputs,
    behavior: StageOutput,
    fitted: StageOutput,
    *,
    home: Path,
    folder: Path,
    progress: bool | None = None,
) -> StageOutput:
    """Train a deep model on the clips and labels of the other models; predict the test part.

    Paths in the configuration are relative to `home`.
    The images that it reads are kept in `folder`, in ``frames``, as is an unfinished training.

    Returns
    -------
    StageOutput
        Tables ``<name>_predictions`` (clip key, evaluated, `name`, and `name` with
        ``_seed`` and a number for each seed) and ``<name>_curves`` (context, and the
        columns of ``history_``).
    """
    import pandas as pd

    section = config.models.deep()[name]
    rows = clip_table(inputs, behavior, fitted)
    columns = [*_READS[name], *(own for own in ("face", "layout") if own in rows)]
    arguments = section.model_dump(exclude=_OF_STUDY)
    if arguments.get("tune") == "none":
        arguments["tune"] = None
    places = {
        "cache_dir": folder / "frames",
        "checkpoint_dir": training_folder(folder, name),
        "progress": progress,
    }
    if "pretrained" in arguments:
        arguments["pretrained"] = pretrained_file(config, home) or arguments["pretrained"]
    estimator = _MAKE[name](arguments | places | {"seed": config.seed}, config)
    trained = _fit(section, config, estimator, rows, columns)
    trained = {
        context: trained[context] for context in (*inputs.contexts, ALL) if context in trained
    }

    test = rows[rows["part"] == "test"].reset_index(drop=True)
    predictions, curves = [], []
    for context, model in trained.items():
        block = test if context == ALL else test[test["context"] == context]
        each = model.predict_each(block[columns])
        table = block[CLIP_KEY].assign(evaluated=context, **{name: each.mean(axis=0)})
        for number, values in enumerate(each, start=1):
            table[f"{name}_seed{number}"] = values
        predictions.append(table)
        curves.append(model.history_.assign(context=context))
    tables = {
        f"{name}_predictions": pd.concat(predictions, ignore_index=True),
        f"{name}_curves": pd.concat(curves, ignore_index=True),
    }
    return StageOutput(tables, _facts(trained))


def pretrained_file(config: StudyConfig, home: Path) -> str | None:
    """Return the file of weights that the 3D-CNN starts from, if it starts from a file."""
    section = config.models.video3d
    if section is None or section.pretrained in (None, "kinetics400"):
        return None
    return str(home / section.pretrained)


def training_folder(folder: Path, name: str) -> Path:
    """Return where the training of a model is kept until it is finished."""
    return folder / f"training-{name}"


def clip_table(inputs: Inputs, behavior: StageOutput, fitted: StageOutput) -> pd.DataFrame:
    """Return the labelled clips with their seconds and the paths of their recordings."""
    seconds = behavior.tables["features"][[*CLIP_KEY, "start", "end"]]
    rows = fitted.tables["labelled_clips"].merge(seconds, on=CLIP_KEY, validate="one_to_one")
    recordings = inputs.recordings.drop(columns=["openface", "video"], errors="ignore").rename(
        columns={"path": "openface", "video_path": "video"}
    )
    return rows.merge(recordings, on=["subject", "context"], validate="many_to_one")


def _fit(
    section: DeepSection,
    config: StudyConfig,
    estimator: Any,
    rows: pd.DataFrame,
    columns: list[str],
) -> dict[str, Any]:
    """Return the fitted regressors by context, with the one over all contexts last."""
    from sklearn.base import clone

    from pyexpr.deep.base import fit_all

    contexts = sorted(rows["context"].unique()) if section.per_context else []
    models = {context: clone(estimator) for context in (*contexts, ALL)}
    fits = []
    for context, model in models.items():
        label = "score_pooled" if context == ALL else label_column(config)
        own = rows if context == ALL else rows[rows["context"] == context]
        train, validation = (own[own["part"] == part] for part in ("train", "validation"))
        judged = (validation[columns], validation[label])
        fits.append((model, train[columns], train[label], train["subject"], judged))
    # The seeds of all of them as tasks alike, which one model after the other would not be.
    named = [*contexts, None]
    fit_all(fits, n_jobs=estimator.train_jobs, contexts=named)
    return models


_SEES_VIDEO = Template(
    "sees_video",
    "Its input is {frames:,} frames of the training clips, of which {missing:,} are missing "
    "and black.",
)
_SEES_COLUMNS = Template(
    "sees_columns",
    "Its input is {columns} columns per frame. Of {frames:,} frames of the training clips, "
    "{missing:,} are missing or not valid and are replaced by the mean of their clip.",
)


def _facts(trained: dict[str, Any]) -> dict[str, Any]:
    """Return notes on the trainings."""
    over_all = trained[ALL]
    facts: dict[str, Any] = {
        "best epochs": {context: model.best_epochs_ for context, model in trained.items()},
        "seeds": over_all.seeds_,
        "device": over_all.device_,
        "versions": over_all.versions_,
        "configuration": over_all.config_,
        "chosen": {context: model.best_params_ for context, model in trained.items()},
    }
    missing = getattr(over_all, "frames_", {})
    if missing:
        facts["frames of the training clips"] = missing
    seen = getattr(over_all, "video_", {})
    if seen:
        facts["frames of the training clips"] = seen
        facts["notes"] = [_SEES_VIDEO(frames=seen["frames"], missing=seen["missing"])]
    names = getattr(over_all, "columns_", [])
    if names:
        facts["columns"] = names
        facts["notes"] = [
            _SEES_COLUMNS(
                columns=len(names),
                frames=missing["frames"],
                missing=missing["missing"] + missing["failed"],
            )
        ]
    return facts
