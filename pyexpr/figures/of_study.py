"""The figures of a study, each with the words that say the same.

`pyexpr.figures.plotting.save(figure, stem, title=..., description=..._alt(frame))`
writes one as SVG and PNG.
"""

from __future__ import annotations

from pyexpr.figures.factor import factor_alt, factor_figure
from pyexpr.figures.learning import learning_alt, learning_figure
from pyexpr.figures.performance import performance_alt, performance_figure
from pyexpr.figures.predictions import predictions_alt, predictions_figure
from pyexpr.figures.quality import quality_alt, quality_figure
from pyexpr.figures.weights import coefficients_figure, weights_alt, weights_figure

__all__ = [
    "coefficients_figure",
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
