"""Context-dependent models of human expressiveness.

Public names are resolved when first used, so that importing the package loads
neither R nor torch nor pandas.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# Public name -> the module it lives in.
_PUBLIC: dict[str, str] = {
    "BootstrapResult": "pyexpr.inference.bootstrap",
    "CFABootstrapResult": "pyexpr.measurement.bootstrap_cfa_result",
    "CFAResult": "pyexpr.measurement.result",
    "CoefficientResult": "pyexpr.inference.coefficients",
    "ComparisonResult": "pyexpr.inference.comparison_result",
    "ContextualRegressor": "pyexpr.modeling.contextual",
    "ElasticNetRegressor": "pyexpr.modeling.elastic_net",
    "FeatureResult": "pyexpr.behavior.features",
    "HumanBaseline": "pyexpr.modeling.baselines",
    "ICCResult": "pyexpr.measurement.icc_result",
    "InvarianceResult": "pyexpr.measurement.invariance_result",
    "PaperResult": "pyexpr.study.paper",
    "OpenFaceRecording": "pyexpr.behavior.openface",
    "Predictions": "pyexpr.inference.predictions",
    "Schedule": "pyexpr.behavior.schedules",
    "Segment": "pyexpr.behavior.schedules",
    "SignFlipResult": "pyexpr.inference.sign_flip",
    "Study": "pyexpr.study.pipeline",
    "StudyResult": "pyexpr.study.pipeline",
    "SubjectSplit": "pyexpr.modeling.splits",
    "VideoClips": "pyexpr.behavior.video_clips",
    "bootstrap_cfa": "pyexpr.measurement.bootstrap_cfa",
    "cfa": "pyexpr.measurement.cfa",
    "choose_icc": "pyexpr.measurement.icc_design",
    "cluster_bootstrap": "pyexpr.inference.bootstrap",
    "compare_models": "pyexpr.inference.comparison",
    "contact_sheet": "pyexpr.report.contact_sheet",
    "context_coefficients": "pyexpr.inference.coefficients",
    "d_study": "pyexpr.measurement.icc_design",
    "describe_openface": "pyexpr.behavior.openface",
    "describe_video": "pyexpr.behavior.video",
    "doctor": "pyexpr.study.doctor",
    "extract_features": "pyexpr.behavior.features",
    "human_baseline": "pyexpr.modeling.baselines",
    "icc": "pyexpr.measurement.reliability",
    "icc_interval": "pyexpr.measurement.icc_intervals",
    "invariance": "pyexpr.measurement.invariance",
    "learning_figure": "pyexpr.report.learning_figure",
    "load": "pyexpr.base.saved",
    "normal_baseline": "pyexpr.modeling.baselines",
    "read_openface": "pyexpr.behavior.openface",
    "read_video_clips": "pyexpr.behavior.video",
    "reproduce_paper": "pyexpr.study.paper",
    "simulate_study": "pyexpr.simulation.simulate",
    "split_subjects": "pyexpr.modeling.splits",
    "study_report": "pyexpr.study.report",
    "subject_folds": "pyexpr.modeling.splits",
    "uniform_baseline": "pyexpr.modeling.baselines",
}
# Public name -> the module it is.
_MODULES: dict[str, str] = {
    "deep": "pyexpr.deep",
    "errors": "pyexpr.base.errors",
    "schedules": "pyexpr.behavior.schedules",
}

__all__ = ["__version__", *sorted([*_PUBLIC, *_MODULES])]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(import_module(_PUBLIC[name]), name)
    elif name in _MODULES:
        value = import_module(_MODULES[name])
    else:
        raise AttributeError(f"module 'pyexpr' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
