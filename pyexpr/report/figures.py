"""The figures of a study, each with the words that say the same.

`pyexpr.base.plotting.save(figure, stem, title=..., description=..._alt(frame))`
writes one as SVG and PNG.
"""

from __future__ import annotations

from pyexpr.report.factor_figure import factor_alt, factor_figure
from pyexpr.report.learning_figure import learning_alt, learning_figure
from pyexpr.report.performance_figure import performance_alt, performance_figure
from pyexpr.report.predictions_figure import predictions_alt, predictions_figure
from pyexpr.report.quality_figure import quality_alt, quality_figure
from pyexpr.report.weights_figure import weights_alt, weights_figure

__all__ = [
    "factor_alt",
    "factor_figure",
    "learning_alt",
    "learning_figure",
    "performance_alt",
    "performance_figure",
    "predictions_alt",
    "predictions_figure",
    "quality_alt",
    "quality_figure",
    "weights_alt",
    "weights_figure",
]
