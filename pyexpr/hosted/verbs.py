"""The functions that R can call: public functions with arguments in R's form."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import say
from pyexpr.base.results import Result, jsonable
from pyexpr.base.saved import unpack
from pyexpr.hosted.callback import RFunction
from pyexpr.hosted.results import described, keep, kept
from pyexpr.hosted.voice import in_r

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from pyexpr.behavior.openface.recording import OpenFaceRecording
    from pyexpr.measurement.factor.cfa_result import CFAResult

# The methods that R may call of a stored result.
_METHODS = (
    "interval", "adjust", "extend", "sign_flip", "influence", "wild", "contrasts", "equivalence",
)  # fmt: skip


def do_echo(value: Any) -> Any:
    """Return the argument, for tests of the interface."""
    return value


def do_versions() -> dict[str, str]:
    """Return the versions of Python and of the package."""
    import platform
    import sys

    from pyexpr.base.versions import versions

    return {"python": platform.python_version(), "executable": sys.executable, **versions()}


def do_agreement(data: Any, **options: Any) -> dict[str, Any]:
    """`px.agreement`."""
    from pyexpr.measurement.agreement.agreement import agreement

    return described(agreement(data, **options))


def do_icc(data: Any, **options: Any) -> dict[str, Any]:
    """`px.icc`."""
    from pyexpr.measurement.icc.icc import icc

    return described(icc(data, **options))


def do_multilevel_icc(data: Any, **options: Any) -> dict[str, Any]:
    """`px.multilevel_icc`."""
    from pyexpr.measurement.multilevel.multilevel_icc import multilevel_icc

    return described(multilevel_icc(data, **options))


def do_variance_components(data: Any, **options: Any) -> dict[str, Any]:
    """`px.variance_components`."""
    from pyexpr.measurement.components.variance_components import variance_components

    return described(variance_components(data, **options))


def do_design_study(key: int, **options: Any) -> dict[str, Any]:
    """`VarianceComponentsResult.d_study` of kept variance components."""
    return described(kept(key).d_study(**options))


def do_rating_ceiling(table: Any, ratings_table: Any, **options: Any) -> dict[str, Any]:
    """`px.rating_ceiling`."""
    from pyexpr.inference.ceiling.ceiling import rating_ceiling

    return described(rating_ceiling(table, ratings_table, **options))


def do_rater_diagnostics(data: Any, **options: Any) -> dict[str, Any]:
    """`px.rater_diagnostics`."""
    from pyexpr.measurement.raters.diagnostics import rater_diagnostics

    return described(rater_diagnostics(data, **options))


def do_trace_reliability(data: Any, **options: Any) -> dict[str, Any]:
    """`px.trace_reliability`."""
    from pyexpr.measurement.traces.reliability import trace_reliability

    return described(trace_reliability(data, **options))


def do_icc_interval(**options: Any) -> dict[str, Any]:
    """`px.icc_interval`."""
    from pyexpr.measurement.icc.intervals import icc_interval

    return described(icc_interval(**options))


def do_choose_icc(**options: Any) -> dict[str, Any]:
    """`px.choose_icc`."""
    from pyexpr.measurement.icc.design import choose_icc

    chosen = choose_icc(**options)
    return {"form": chosen.form, "shrout_fleiss": chosen.shrout_fleiss, "why": list(chosen.why)}


def do_d_study(key: int, raters: list[float]) -> dict[str, Any]:
    """`px.d_study` of a kept ICC."""
    from pyexpr.measurement.icc.design import d_study

    return described(d_study(kept(key), raters=raters))


def do_cfa(data: Any, model: Any, **options: Any) -> dict[str, Any]:
    """`px.cfa`."""
    from pyexpr.measurement.factor.cfa import cfa

    fit = cfa(data, model, **options)
    messages = [in_r(text) for text in fit.messages]
    return described(fit) | {"messages": messages} | _lavaan_quantities(fit)


def _lavaan_quantities(fit: CFAResult) -> dict[str, Any]:
    """Return the data for `coef`, `vcov`, `fitted` and `residuals` of a factor model."""
    from pyexpr.measurement.factor.moments import free_parameters, group_moments

    names, estimates = free_parameters(fit.output)
    found = [group_moments(fit, code) for code in range(len(fit.labels))]
    groups = [asdict(group) | {"reason": in_r(group.reason)} for group in found]
    return {
        "free": {"names": names, "estimate": estimates, "vcov": fit.output.vcov},
        "indicators": list(fit.model.indicators),
        "labels": [str(label) for label in fit.labels],
        "moments": groups,
    }


def do_cfa_scores(key: int, **options: Any) -> pd.DataFrame:
    """Scores of a kept factor model."""
    scores: pd.DataFrame = kept(key).scores(**options)
    return scores


def do_cfa_modification_indices(key: int) -> pd.DataFrame:
    """Modification indices of a kept factor model."""
    table: pd.DataFrame = kept(key).modification_indices()
    return table


def do_invariance(data: Any, model: Any, **options: Any) -> dict[str, Any]:
    """`px.invariance`."""
    from pyexpr.measurement.invariance.invariance import invariance

    return described(invariance(data, model, **options))


def do_bootstrap_cfa(data: Any, model: Any, **options: Any) -> dict[str, Any]:
    """`px.bootstrap_cfa`."""
    from pyexpr.measurement.factor.bootstrap import bootstrap_cfa

    return described(bootstrap_cfa(data, model, **options))


def do_read_openface(path: str, **options: Any) -> dict[str, Any]:
    """`px.read_openface`: a row per frame, and the problems found in reading."""
    from pyexpr.behavior.openface_files import read_openface

    return _recording(read_openface(path, **options))


def do_read_tracks(source: Any, **options: Any) -> dict[str, Any]:
    """`px.read_tracks`; the unit of times is an argument of its own."""
    from pyexpr.behavior.tracks.reading import read_tracks

    unit = options.pop("time_unit", None)
    if unit is not None:
        if options.get("time") is None:
            raise DataError(say("{time_unit=} is that of a column: name it by {time=}"))
        options["time"] = (options["time"], unit)
    return _recording(read_tracks(source, **options))


def do_describe_tracks(source: Any, layout: str | None = None) -> pd.DataFrame:
    """`px.describe_tracks`."""
    from pyexpr.behavior.tracks.describe import describe_tracks

    return describe_tracks(source, layout)


def _recording(found: OpenFaceRecording) -> dict[str, Any]:
    """Return a recording as a table, a row per frame."""
    import pandas as pd

    columns: dict[str, Any] = {
        "frame": np.arange(found.n_frames),
        "time": np.arange(found.n_frames) / found.fps,
        "present": found.present,
        "valid": found.valid,
        "confidence": found.confidence,
    }
    names = {
        "au_presence": [f"{unit}_c" for unit in found.au_presence_names],
        "au_intensity": [f"{unit}_r" for unit in found.au_intensity_names],
    }
    # Further columns of other trackers; action units have the names of OpenFace.
    names |= {
        group: [f"{group}_{name}" for name in own]
        for group, own in found.names.items()
        if group not in names
    }
    for group, values in found.groups.items():
        flat = values.reshape(found.n_frames, -1)
        labels = names.get(group) or _labels(group, values.shape[1:])
        columns.update(dict(zip(labels, flat.T, strict=True)))
    return {
        "frames": pd.DataFrame(columns),
        "heading": found.heading(),
        "notes": [in_r(note) for note in found.notes()],
        "log": jsonable(found.provenance()),
        "groups": found.tidy(),
    }


def _labels(group: str, shape: tuple[int, ...]) -> list[str]:
    """Name the columns of a group: landmarks_2d_x0, pose_translation_x, params_0."""
    axes = "xyz"
    if len(shape) == 2:
        return [f"{group}_{axes[axis]}{point}" for point in range(shape[0]) for axis in
                range(shape[1])]  # fmt: skip
    if group in ("pose_translation", "pose_rotation", "gaze_angle"):
        return [f"{group}_{axes[axis]}" for axis in range(shape[0])]
    return [f"{group}_{i}" for i in range(shape[0])]


def do_describe_openface(path: str) -> pd.DataFrame:
    """`px.describe_openface`."""
    from pyexpr.behavior.openface_files import describe_openface

    return describe_openface(path)


def do_extract_features(recordings: Any, schedule: Any = None, **options: Any) -> dict[str, Any]:
    """`px.extract_features`; a schedule may be named, such as "bp4d_plus"."""
    from pyexpr.behavior.features.features import extract_features

    result = extract_features(recordings, schedule=_schedule(schedule), **options)
    return described(result) | {"units": result.units()}


def do_movement_series(recordings: Any, schedule: Any = None, **options: Any) -> dict[str, Any]:
    """`px.movement_series`; a schedule may be named, as for features."""
    from pyexpr.behavior.features.series import movement_series

    result = movement_series(recordings, schedule=_schedule(schedule), **options)
    return described(result) | {"units": result.units()}


def do_synchrony(data: pd.DataFrame, **options: Any) -> dict[str, Any]:
    """`px.synchrony`."""
    from pyexpr.behavior.features.synchrony import synchrony

    return described(synchrony(data, **options))


def _schedule(schedule: Any) -> Any:
    """Return a schedule by its name; anything else is returned unchanged."""
    from pyexpr.behavior import schedules

    if isinstance(schedule, str):
        known = {
            name.lower(): value
            for name, value in vars(schedules).items()
            if isinstance(value, schedules.Schedule)
        }
        if schedule.lower() not in known:
            raise DataError(
                f"there is no schedule {schedule!r}, only {listed(known)}; or give a table of "
                "segments"
            )
        schedule = known[schedule.lower()]
    return schedule


def do_track_videos(videos: list[str], output: str, **options: Any) -> dict[str, Any]:
    """`px.track_videos`."""
    from pyexpr.behavior.tracking.track import track_videos

    return described(track_videos(videos, output, **options))


def do_split_subjects(
    data: pd.DataFrame, subjects: str, context: str | None = None, **options: Any
) -> dict[str, Any]:
    """`px.split_subjects`."""
    from pyexpr.modeling.splits import split_subjects

    labels = None if context is None else _labels_of(data, context)
    return described(split_subjects(_labels_of(data, subjects), context=labels, **options))


def _labels_of(data: pd.DataFrame, name: str) -> Any:
    """Return a column as labels; categories become their values."""
    import pandas as pd

    column = data[name]
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.astype(column.cat.categories.dtype)
    return column


def do_fit_models(data: pd.DataFrame, **options: Any) -> dict[str, Any]:
    """`px.fit_models`; models as `pyexpr.hosted.fitting` reads them."""
    from pyexpr.hosted.fitting import arguments_of_fit
    from pyexpr.modeling.fitting.fit_models import fit_models

    return described(fit_models(data, **arguments_of_fit(data, **options)))


def do_compare_fitted(key: int, **options: Any) -> dict[str, Any]:
    """`ModelsResult.compare`."""
    return described(kept(key).compare(**options))


def do_over_repeats(key: int, **options: Any) -> pd.DataFrame:
    """`ModelsResult.over_repeats`."""
    table: pd.DataFrame = kept(key).over_repeats(**options)
    return table


def do_compare_procedures(key: int, **options: Any) -> dict[str, Any]:
    """`ModelsResult.compare_procedures`."""
    return described(kept(key).compare_procedures(**options))


def do_bootstrap_chain(
    table: Any, ratings_table: Any, models: Any = None, inner_folds: Any = 5, **options: Any
) -> dict[str, Any]:
    """`px.bootstrap_chain`; models as `pyexpr.hosted.fitting` reads them."""
    from pyexpr.hosted.fitting import models_of
    from pyexpr.modeling.chain.chain import bootstrap_chain

    nets = models_of(models, {"inner_folds": inner_folds})
    return described(
        bootstrap_chain(table, ratings_table, models=nets, inner_folds=inner_folds, **options)
    )


def do_feature_importance(key: int, **options: Any) -> dict[str, Any]:
    """`px.feature_importance` of a kept result of `fit_models`."""
    from pyexpr.modeling.importance.importance import feature_importance

    return described(feature_importance(kept(key), **options))


def do_fit_all(key: int) -> dict[str, Any] | None:
    """`ModelsResult.fit_all`; None for a result that was restored from its bytes."""
    from pyexpr.hosted.fitting import described_final

    result = kept(key)
    return None if result.again is None else described_final(result.fit_all())


def do_fit_all_anew(data: pd.DataFrame, **options: Any) -> dict[str, Any]:
    """`ModelsResult.fit_all` of a result of another session, from its data and options."""
    from pyexpr.hosted.fitting import arguments_of_fit, described_final
    from pyexpr.modeling.fitting.fit_models import final_models

    return described_final(final_models(data, **arguments_of_fit(data, **options)))


def do_predict_models(key: int, data: pd.DataFrame) -> dict[str, Any]:
    """`FinalModels.predict`, and `predict_proba` of the models that give probabilities."""
    models = kept(key)
    return {
        "predictions": models.predict(data),
        "probabilities": models.predict_proba(data) if models.probable else None,
    }


def do_file_columns(path: str) -> list[str]:
    """Return the names of the columns of parquet files."""
    from pyexpr.base.row_files import open_row_files

    return open_row_files(path, what="the table of predictions").names


def do_compare_models(
    table: pd.DataFrame | str, predictions: list[str] | Mapping[str, Any], **options: Any
) -> dict[str, Any]:
    """`px.compare_models`; a model given as {values, truth} is `Predictions`."""
    from pyexpr.inference.comparison.comparison import compare_models
    from pyexpr.inference.comparison.predictions import Predictions

    if isinstance(predictions, Mapping):
        predictions = {
            name: Predictions(**model) if isinstance(model, Mapping) else model
            for name, model in predictions.items()
        }
    return described(compare_models(table, predictions=predictions, **options))


def do_context_coefficients(
    data: pd.DataFrame,
    y: str,
    features: list[str],
    context: str,
    cluster: str | list[str],
    y_pooled: str | None = None,
    **options: Any,
) -> dict[str, Any]:
    """`px.context_coefficients`, label and features by name."""
    from pyexpr.base.tables import numeric_column
    from pyexpr.inference.coefficients.coefficients import context_coefficients

    def label(name: str) -> NDArray[np.float64]:
        return numeric_column(data, name, what="the data")

    result = context_coefficients(
        data[[*features, context, *([cluster] if isinstance(cluster, str) else cluster)]],
        label(y),
        context=context,
        cluster=cluster,
        y_pooled=None if y_pooled is None else label(y_pooled),
        **options,
    )
    return described(result) | {"contexts": list(result.data.models)}


def do_pooled_coefficients(
    data: pd.DataFrame,
    y: str,
    features: list[str],
    context: str,
    cluster: str,
    **options: Any,
) -> dict[str, Any]:
    """`px.pooled_coefficients`, label and features by name."""
    from pyexpr.base.tables import numeric_column
    from pyexpr.inference.pooling.pooled import pooled_coefficients

    label = numeric_column(data, y, what="the data")
    rows = data[[*features, context, cluster]]
    return described(pooled_coefficients(rows, label, context=context, cluster=cluster, **options))


def do_person_slopes(table: Any, **options: Any) -> dict[str, Any]:
    """`px.person_slopes`."""
    from pyexpr.inference.persons.persons import person_slopes

    return described(person_slopes(table, **options))


def do_slope_covariance(key: int, context: str | None = None) -> dict[str, Any]:
    """Return the covariance of the slopes of kept coefficients, and their names."""
    found = kept(key).covariance(context)
    return {"labels": list(found.columns), "values": found.to_numpy(np.float64)}


def do_cluster_bootstrap(table: pd.DataFrame, function: int, **options: Any) -> dict[str, Any]:
    """`px.cluster_bootstrap` of an R function, which has its own copy of the rows."""
    import pandas as pd

    from pyexpr.inference.bootstrap.bootstrap import cluster_bootstrap

    result = cluster_bootstrap(table, RFunction(function), compiled=False, **options)
    # Further replicates do not need the columns of the table.
    rows: Any = pd.DataFrame(index=pd.RangeIndex(result.n))
    draws: Any = result.draws
    return described(replace(result, draws=replace(draws, rows=rows)))


def do_revive(saved: bytes, function: int | None = None) -> int:
    """Restore a result of another session from its bytes, and return its key.

    `function` is the current number of its statistic, if R computes it.
    """
    result = unpack(saved)
    if function is not None:
        result = replace(result, draws=replace(result.draws, statistic=RFunction(function)))
    return keep(result)


def do_replicates(key: int, context: str | None = None) -> dict[str, Any]:
    """Replicates of a kept result, (n_boot, columns), with a description of the columns."""
    result = kept(key)
    if context is not None:
        values, labels = result.replicates(context), list(result.data.features)
    else:
        table = result.tidy()
        named = table.columns[: table.columns.get_loc("estimate")]
        labels = table[named].astype(str).agg(": ".join, axis=1).tolist()
        values = result.replicates
    return {"values": np.ascontiguousarray(values), "labels": labels}


def do_join(keys: list[int]) -> Any:
    """`px.join` of kept results."""
    from pyexpr.base.joining import join

    result = join([kept(key) for key in keys])
    more = {"contexts": list(result.data.models)} if hasattr(result, "spaces") else {}
    return described(result) | more


def do_method(key: int, name: str, **options: Any) -> Any:
    """Call a method of a kept result."""
    if name not in _METHODS:
        raise DataError(
            say("R may ask a result for {names}, not {name!r}", names=listed(_METHODS), name=name)
        )
    found = getattr(kept(key), name)(**options)
    return described(found) if isinstance(found, Result) else found


def do_run_study(
    study: str,
    output: str | None = None,
    progress: bool | None = None,
    overwrite: bool = False,
    verify: bool = False,
    clean: bool = False,
) -> dict[str, Any]:
    """Run a study file; results are written to the folder given there or in `output`."""
    from pyexpr.study.pipeline import Study
    from pyexpr.study.results.result import StudyResult

    result = Study.from_file(
        os.path.expanduser(study), output=None if output is None else os.path.expanduser(output)
    ).run(progress=progress, overwrite=overwrite, verify=verify, clean=clean)
    each = [result] if isinstance(result, StudyResult) else result.outcomes.values()
    # With several labels, the stages whose stored results were valid for all of them.
    reused = [name for name in next(iter(each)).reused if all(name in one.reused for one in each)]
    return described(result) | {"folder": str(result.folder), "reused": reused}


def do_check_study(study: str, output: str | None = None) -> dict[str, Any]:
    """`px.check_study`: its page, and the problems found."""
    from pyexpr.study.check_study import check_study

    found = check_study(
        os.path.expanduser(study), output=None if output is None else os.path.expanduser(output)
    )
    return described(found) | {"page": str(found), "problems": list(found.problems)}


def do_study_report(
    folder: str, output: str | None = None, altered: bool = False, overwrite: bool = False
) -> str:
    """`px.study_report`; the path of the file."""
    from pyexpr.study.results.report import study_report

    target = None if output is None else os.path.expanduser(output)
    return str(
        study_report(
            os.path.expanduser(folder), output=target, altered=altered, overwrite=overwrite
        )
    )


def do_simulate_study(folder: str, **options: Any) -> dict[str, Any]:
    """`px.simulate_study`."""
    from pyexpr.simulation.simulate import simulate_study

    result = simulate_study(os.path.expanduser(folder), **options)
    return described(result) | {"study_file": result.study_file, "folder": result.folder}


def do_doctor() -> dict[str, Any]:
    """`px.doctor`."""
    from pyexpr.diagnosis import doctor

    return described(doctor())


def do_sensitivity(study: str, grid: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    """`px.sensitivity` of a study file; an entry may have a single other value."""
    from pyexpr.study.sensitivity.sensitivity import sensitivity

    # A vector with one value arrives here as a single value.
    changed = {
        entry: values if isinstance(values, list) else [values] for entry, values in grid.items()
    }
    result = sensitivity(os.path.expanduser(study), changed, **options)
    return described(result) | {"confidence": result.confidence, "entries": list(result.entries)}


def do_error_slopes(table: Any, **options: Any) -> dict[str, Any]:
    """`px.error_slopes`."""
    from pyexpr.inference.error_slopes import error_slopes

    return described(error_slopes(table, **options))


def do_plan_study(pilot: Any = None, **options: Any) -> dict[str, Any]:
    """`px.plan_study`."""
    from pyexpr.planning.plan_study import plan_study

    return described(plan_study(pilot, **options))
