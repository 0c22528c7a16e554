"""Of which classes a saved result is built, by the names that stand in its file.

Only these are made again when a file is read: a file of unknown origin can fill them with
numbers and text, and reach nothing else. A class that calls what it holds, or reads memory at
an address, does not belong here. The names are those of files: a class that moves to another
module keeps its own.
"""

from __future__ import annotations

from dataclasses import is_dataclass
from functools import cache
from importlib import import_module
from typing import Any

_MODULES: dict[str, tuple[str, ...]] = {
    "pyexpr.behavior.features": ("FeatureResult",),
    "pyexpr.behavior.openface": ("OpenFaceRecording",),
    "pyexpr.core.cluster_bootstrap": ("Column", "Level", "MetricDesign", "Quantity"),
    "pyexpr.core.compiled_statistic": ("ClusteredRows",),
    "pyexpr.hosted.callback": ("RFunction",),
    "pyexpr.inference.bootstrap": ("BootstrapResult",),
    "pyexpr.inference.cluster_ols": ("ClusterOLS",),
    "pyexpr.inference.coefficient_data": ("CoefficientData",),
    "pyexpr.inference.coefficients": ("CoefficientResult",),
    "pyexpr.inference.comparison_evidence": ("MetricDraws",),
    "pyexpr.inference.comparison_result": ("ComparisonResult",),
    "pyexpr.inference.desparsified": ("Desparsified",),
    "pyexpr.inference.intervals.evidence": ("Evidence", "Intervals", "JackknifeGroup"),
    "pyexpr.inference.leverage": ("Support",),
    "pyexpr.inference.levels": ("Group",),
    "pyexpr.inference.penalised": ("Weights",),
    "pyexpr.inference.quantities": ("Row",),
    "pyexpr.inference.replicated": ("DrawnAgain", "ErrorsWithin"),
    "pyexpr.inference.sign_flip": ("SignFlipResult",),
    "pyexpr.inference.slopes": ("SlopeSpace",),
    "pyexpr.inference.statistic_draws": ("Called", "NotCompiled", "Plan"),
    "pyexpr.measurement.bootstrap_cfa_intervals": ("GroupDraws",),
    "pyexpr.measurement.bootstrap_cfa_result": ("CFABootstrapResult",),
    "pyexpr.measurement.engines.protocol": ("FitOutput", "FitRequest", "Parameters"),
    "pyexpr.measurement.icc_design": ("DStudyResult",),
    "pyexpr.measurement.icc_intervals": ("ICCInterval", "Signal"),
    "pyexpr.measurement.icc_result": ("ICCGroup", "ICCResult"),
    "pyexpr.measurement.invariance_lavaan": ("LavaanFits",),
    "pyexpr.measurement.invariance_result": ("Freed", "InvarianceResult"),
    "pyexpr.measurement.invariance_wald": ("Held", "Refits"),
    "pyexpr.measurement.orientation": ("Pointing",),
    "pyexpr.measurement.result": ("CFAResult", "Rows"),
    "pyexpr.measurement.spec": ("MeasurementModel", "Term"),
    "pyexpr.modeling.baselines": ("HumanBaseline",),
    "pyexpr.modeling.splits": ("SubjectSplit",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def name_of(kind: type) -> str | None:
    """Return the name of a class in files, or None if it is not one of theirs."""
    name = kind.__name__
    return name if _MODULE_OF.get(name) == kind.__module__ else None


@cache
def class_of(name: str) -> type[Any]:
    """Return the class of a name in a file; `LookupError` where there is none here."""
    try:
        found = getattr(import_module(_MODULE_OF[name]), name)
    except (ImportError, AttributeError) as error:
        raise LookupError(name) from error
    assert is_dataclass(found) or issubclass(found, tuple)
    return found  # type: ignore[no-any-return]
