"""Context-dependent models of human expressiveness.

Public names are resolved when first used, so that importing the package loads
neither R nor torch nor pandas.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# Public name -> the module it lives in.
_PUBLIC: dict[str, str] = {
    "AgreementResult": "pyexpr.measurement.agreement.result",
    "BootstrapResult": "pyexpr.inference.bootstrap.bootstrap",
    "CFABootstrapResult": "pyexpr.measurement.factor.bootstrap_result",
    "CFAResult": "pyexpr.measurement.factor.cfa_result",
    "CoefficientResult": "pyexpr.inference.coefficients.coefficients",
    "ImportanceContrasts": "pyexpr.modeling.importance.contrasts",
    "ImportanceResult": "pyexpr.modeling.importance.result",
    "CheckResult": "pyexpr.study.check.page",
    "CeilingResult": "pyexpr.inference.ceiling.result",
    "ChainResult": "pyexpr.modeling.chain.result",
    "ComparisonResult": "pyexpr.inference.comparison.result",
    "ContextualRegressor": "pyexpr.modeling.contextual",
    "ElasticNetClassifier": "pyexpr.modeling.elastic_net_classifier",
    "ElasticNetRegressor": "pyexpr.modeling.elastic_net",
    "DesignStudyResult": "pyexpr.measurement.components.d_study",
    "ErrorSlopesResult": "pyexpr.inference.error_slopes",
    "FeatureResult": "pyexpr.behavior.features.result",
    "FinalModels": "pyexpr.modeling.fitting.final",
    "HumanBaseline": "pyexpr.modeling.baselines",
    "ICCResult": "pyexpr.measurement.icc.result",
    "InitResult": "pyexpr.study.init.init_study",
    "InvarianceResult": "pyexpr.measurement.invariance.result",
    "ModelSpec": "pyexpr.modeling.fitting.specs",
    "MovementSeries": "pyexpr.behavior.features.series",
    "ModelsResult": "pyexpr.modeling.fitting.result",
    "MultilevelICCResult": "pyexpr.measurement.multilevel.result",
    "OutcomesResult": "pyexpr.study.results.result",
    "PaperResult": "pyexpr.paper.reproduce",
    "PlanResult": "pyexpr.planning.result",
    "OpenFaceRecording": "pyexpr.behavior.openface.recording",
    "PersonSlopesResult": "pyexpr.inference.persons.result",
    "PooledCoefficientResult": "pyexpr.inference.pooling.result",
    "ProcedureResult": "pyexpr.modeling.fitting.procedure_result",
    "Predictions": "pyexpr.inference.comparison.predictions",
    "Schedule": "pyexpr.behavior.schedules",
    "Segment": "pyexpr.behavior.schedules",
    "RaterDiagnosticsResult": "pyexpr.measurement.raters.result",
    "SensitivityResult": "pyexpr.study.sensitivity.result",
    "SignFlipResult": "pyexpr.inference.comparison.sign_flip",
    "Study": "pyexpr.study.pipeline",
    "StudyResult": "pyexpr.study.results.result",
    "SubjectSplit": "pyexpr.modeling.splits",
    "SynchronyResult": "pyexpr.behavior.features.synchrony",
    "TrackedFace": "pyexpr.behavior.tracking.trackers",
    "TrackedVideos": "pyexpr.behavior.tracking.result",
    "TraceReliabilityResult": "pyexpr.measurement.traces.result",
    "Tracker": "pyexpr.behavior.tracking.trackers",
    "VarianceComponentsResult": "pyexpr.measurement.components.result",
    "VideoClips": "pyexpr.behavior.video.clips",
    "agreement": "pyexpr.measurement.agreement.agreement",
    "bootstrap_cfa": "pyexpr.measurement.factor.bootstrap",
    "bootstrap_chain": "pyexpr.modeling.chain.chain",
    "cfa": "pyexpr.measurement.factor.cfa",
    "check_study": "pyexpr.study.check_study",
    "choose_icc": "pyexpr.measurement.icc.design",
    "cluster_bootstrap": "pyexpr.inference.bootstrap.bootstrap",
    "compare_models": "pyexpr.inference.comparison.comparison",
    "contact_sheet": "pyexpr.behavior.video.contact_sheet",
    "context_coefficients": "pyexpr.inference.coefficients.coefficients",
    "d_study": "pyexpr.measurement.icc.design",
    "describe_openface": "pyexpr.behavior.openface_files",
    "describe_tracks": "pyexpr.behavior.tracks.describe",
    "describe_video": "pyexpr.behavior.video.video",
    "doctor": "pyexpr.diagnosis",
    "error_slopes": "pyexpr.inference.error_slopes",
    "extract_features": "pyexpr.behavior.features.features",
    "fit_models": "pyexpr.modeling.fitting.fit_models",
    "feature_importance": "pyexpr.modeling.importance.importance",
    "human_baseline": "pyexpr.modeling.baselines",
    "icc": "pyexpr.measurement.icc.icc",
    "icc_interval": "pyexpr.measurement.icc.intervals",
    "init_study": "pyexpr.study.init.init_study",
    "invariance": "pyexpr.measurement.invariance.invariance",
    "join": "pyexpr.base.joining",
    "learning_figure": "pyexpr.figures.learning",
    "load": "pyexpr.base.saved",
    "movement_series": "pyexpr.behavior.features.series",
    "multilevel_icc": "pyexpr.measurement.multilevel.multilevel_icc",
    "plan_study": "pyexpr.planning.plan_study",
    "normal_baseline": "pyexpr.modeling.baselines",
    "person_slopes": "pyexpr.inference.persons.persons",
    "pooled_coefficients": "pyexpr.inference.pooling.pooled",
    "rating_ceiling": "pyexpr.inference.ceiling.ceiling",
    "rater_diagnostics": "pyexpr.measurement.raters.diagnostics",
    "read_openface": "pyexpr.behavior.openface_files",
    "read_tracks": "pyexpr.behavior.tracks.reading",
    "read_video_clips": "pyexpr.behavior.video.video",
    "reproduce_paper": "pyexpr.paper.reproduce",
    "sensitivity": "pyexpr.study.sensitivity.sensitivity",
    "simulate_study": "pyexpr.simulation.simulate",
    "split_subjects": "pyexpr.modeling.splits",
    "study_report": "pyexpr.study.results.report",
    "subject_folds": "pyexpr.modeling.splits",
    "synchrony": "pyexpr.behavior.features.synchrony",
    "trace_reliability": "pyexpr.measurement.traces.reliability",
    "track_provenance": "pyexpr.behavior.tracking.points_file",
    "track_videos": "pyexpr.behavior.tracking.track",
    "uniform_baseline": "pyexpr.modeling.baselines",
    "variance_components": "pyexpr.measurement.components.variance_components",
}
# Public name -> the module it is.
_MODULES: dict[str, str] = {
    "deep": "pyexpr.deep",
    "errors": "pyexpr.base.errors",
    "schedules": "pyexpr.behavior.schedules",
}

__all__ = ["__version__", *sorted([*_PUBLIC, *_MODULES])]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC and name not in _MODULES:
        raise AttributeError(f"module 'pyexpr' has no attribute {name!r}")
    try:
        if name in _PUBLIC:
            value = getattr(import_module(_PUBLIC[name]), name)
        else:
            value = import_module(_MODULES[name])
    except KeyboardInterrupt:
        from pyexpr.base.errors import Interrupted

        raise Interrupted(f"stopped by Ctrl-C while {name} was imported; import it again") from None
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


def _is_shared() -> bool:
    """Say whether another distribution that is called pyexpr stands beside the package.

    Of the names beside it alone: the import has no time to read what each distribution holds.
    """
    try:
        beside = os.listdir(os.path.dirname(__path__[0]))
    except OSError:
        return False
    return any(name.startswith("pyexpr-") or name == "pyexpr.egg-info" for name in beside)


if _is_shared():
    import_module("pyexpr.base.installation").warn_of_another()
