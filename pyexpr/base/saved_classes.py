"""The classes of which a saved result may consist, by their names in the file.

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
    "pyexpr.behavior.features.mixed": ("Kind",),
    "pyexpr.behavior.features.result": ("FeatureResult",),
    "pyexpr.behavior.features.series": ("MovementSeries",),
    "pyexpr.behavior.features.synchrony": ("SynchronyResult",),
    "pyexpr.behavior.openface.recording": ("OpenFaceRecording",),
    "pyexpr.core.cluster_bootstrap": (
        "Column",
        "Level",
        "MetricDesign",
        "Quantity",
        "RankedRows",
    ),
    "pyexpr.core.elastic_net": ("CrossProducts",),
    "pyexpr.core.compiled_statistic": ("ClusteredRows",),
    "pyexpr.hosted.callback": ("RFunction",),
    "pyexpr.inference.bootstrap.bootstrap": ("BootstrapResult",),
    "pyexpr.inference.coefficients.cluster_ols": ("Block", "ClusterOLS"),
    "pyexpr.inference.coefficients.two_way_ols": ("TwoWayOLS",),
    "pyexpr.inference.coefficients.data": ("CoefficientData",),
    "pyexpr.inference.coefficients.coefficients": ("CoefficientResult",),
    "pyexpr.inference.comparison.called": ("CalledDesign", "RowsColumn"),
    "pyexpr.inference.comparison.classes": ("Classes", "Rarest"),
    "pyexpr.inference.comparison.contrasts": ("Contrast", "ContrastDraws", "ContrastResult"),
    "pyexpr.inference.comparison.evidence": ("MetricDraws",),
    "pyexpr.inference.ceiling.quantities": ("CeilingSums",),
    "pyexpr.inference.ceiling.result": ("CeilingContext", "CeilingDraws", "CeilingResult"),
    "pyexpr.inference.comparison.result": ("ComparisonResult",),
    "pyexpr.inference.coefficients.desparsified": ("Desparsified",),
    "pyexpr.resampling.intervals.evidence": ("Evidence", "Intervals", "JackknifeGroup"),
    "pyexpr.inference.coefficients.leverage": ("Support",),
    "pyexpr.inference.comparison.levels": ("Group",),
    "pyexpr.inference.coefficients.penalised": (
        "FittedModel",
        "PenalisedModel",
        "Penalty",
        "Weights",
    ),
    "pyexpr.inference.comparison.quantities": ("Row",),
    "pyexpr.inference.persons.result": ("PersonSlopesResult",),
    "pyexpr.inference.pooling.estimates": ("Mixture", "Pooling"),
    "pyexpr.inference.pooling.reml": ("MixedFit",),
    "pyexpr.inference.pooling.result": ("PooledCoefficientResult",),
    "pyexpr.inference.pooling.spread": ("Spread",),
    "pyexpr.resampling.equivalence": ("EquivalenceResult",),
    "pyexpr.resampling.memberships": ("Crossing", "Memberships"),
    "pyexpr.resampling.result": ("DrawnAgain", "ErrorsWithin"),
    "pyexpr.inference.comparison.sign_flip": ("SignFlipResult",),
    "pyexpr.inference.comparison.units": ("LeftOut",),
    "pyexpr.inference.coefficients.slopes": ("SlopeSpace",),
    "pyexpr.inference.error_slopes": ("ErrorSlopesResult",),
    "pyexpr.inference.bootstrap.draws": ("Called", "NotCompiled", "Plan"),
    "pyexpr.measurement.agreement.group": ("AgreementEstimate", "AgreementGroup"),
    "pyexpr.measurement.agreement.intervals": ("AgreementInterval", "AgreementPlan"),
    "pyexpr.measurement.agreement.result": ("AgreementResult",),
    "pyexpr.measurement.components.d_study": ("DesignStudyResult",),
    "pyexpr.measurement.components.design": ("Design",),
    "pyexpr.measurement.components.group": ("ComponentsGroup",),
    "pyexpr.measurement.components.intervals": ("Sampling",),
    "pyexpr.measurement.components.result": ("VarianceComponentsResult",),
    "pyexpr.measurement.factor.refits": ("FactorDraws", "GroupFit"),
    "pyexpr.measurement.factor.bootstrap_result": ("CFABootstrapResult",),
    "pyexpr.measurement.engines.protocol": ("FitOutput", "FitRequest", "Parameters"),
    "pyexpr.measurement.icc.design": ("DStudyResult",),
    "pyexpr.measurement.icc.intervals": ("ICCInterval", "Signal"),
    "pyexpr.measurement.icc.bootstrap": ("Bootstrap",),
    "pyexpr.measurement.icc.group": ("ICCGroup",),
    "pyexpr.measurement.icc.layout": ("Ratings",),
    "pyexpr.measurement.icc.result": ("ICCResult",),
    "pyexpr.measurement.invariance.lavaan": ("LavaanFits",),
    "pyexpr.measurement.invariance.result": ("Freed", "InvarianceResult"),
    "pyexpr.measurement.invariance.wald": ("Constraints", "Refits"),
    "pyexpr.measurement.factor.orientation": ("Pointing",),
    "pyexpr.measurement.factor.cfa_result": ("CFAResult", "Rows"),
    "pyexpr.measurement.multilevel.group": ("MultilevelGroup",),
    "pyexpr.measurement.multilevel.result": ("MultilevelICCResult",),
    "pyexpr.measurement.multilevel.structure": ("Means",),
    "pyexpr.measurement.raters.cells": ("Cells",),
    "pyexpr.measurement.raters.draws": ("RaterDraws", "RaterGroup"),
    "pyexpr.measurement.raters.result": ("RaterDiagnosticsResult",),
    "pyexpr.measurement.raters.sums": ("DriftSums", "PairSums"),
    "pyexpr.measurement.traces.frames": ("Frames", "Rule", "Trace", "Traces"),
    "pyexpr.measurement.traces.result": ("Lag", "TraceReliabilityResult"),
    "pyexpr.measurement.specification": ("MeasurementModel", "Term"),
    "pyexpr.inference.coefficients.fit": ("WeightDraws",),
    "pyexpr.modeling.baselines": ("HumanBaseline",),
    "pyexpr.modeling.chain.intervals": ("NoErrorsWithin",),
    "pyexpr.modeling.chain.result": ("ChainResult", "ChainStep"),
    "pyexpr.modeling.fitting.procedure_result": ("ProcedureResult",),
    "pyexpr.modeling.fitting.result": ("ModelsResult",),
    "pyexpr.modeling.fitting.table": ("Names",),
    "pyexpr.modeling.splits": ("SubjectSplit",),
    "pyexpr.study.sensitivity.result": ("SensitivityResult",),
    "pyexpr.modeling.importance.contrasts": ("ImportanceContrast", "ImportanceContrasts"),
    "pyexpr.modeling.importance.jackknife_only": ("NoDraws",),
    "pyexpr.modeling.importance.quantities": ("ImportanceRow",),
    "pyexpr.modeling.importance.result": ("ImportanceResult",),
    "pyexpr.planning.result": ("PlanCell", "PlanResult"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def name_of(kind: type) -> str | None:
    """Return the name of a class in files, or None if it is not one of theirs."""
    name = kind.__name__
    return name if _MODULE_OF.get(name) == kind.__module__ else None


@cache
def class_of(name: str) -> type[Any]:
    """Return the class of a name in a file; `LookupError` if there is none."""
    try:
        found = getattr(import_module(_MODULE_OF[name]), name)
    except (ImportError, AttributeError) as error:
        raise LookupError(name) from error
    assert is_dataclass(found) or issubclass(found, tuple)
    return found  # type: ignore[no-any-return]
