"""The interval methods: their names and requirements.

All code that names methods reads this table: the check of ``method=``, the help of the command
line, the study file, tables, figures and the methods section of a report.
``tests/test_methods_and_metrics.py`` checks that docstrings, R's help and the page "Which
interval?" agree with it. The formulas are in ``pyexpr/resampling/intervals/``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IntervalMethod:
    """The properties of a method.

    Attributes
    ----------
    label : str
        Its name in tables and legends.
    phrase : str
        Its intervals, within a sentence of a methods section.
    draws : bool
        Whether it needs replicates.
    errors_within : bool
        Whether it needs a standard error within each replicate.
    leaves_range : bool
        Whether its limits can leave the range of the quantity: a correlation above 1.
    """

    label: str
    phrase: str
    draws: bool = True
    errors_within: bool = False
    leaves_range: bool = False


#: The recommended method, which is used if another is not possible after Ctrl-C.
DEFAULT = "jackknife_t"

INTERVAL_METHODS: Mapping[str, IntervalMethod] = {
    "jackknife_t": IntervalMethod(
        "jackknife-t", "jackknife-t intervals, which leave out one subject at a time", draws=False
    ),
    "percentile": IntervalMethod("percentile", "percentile intervals of the cluster bootstrap"),
    "basic": IntervalMethod("basic", "basic intervals of the cluster bootstrap", leaves_range=True),
    "normal": IntervalMethod(
        "normal",
        "normal intervals with the standard error of the cluster bootstrap",
        leaves_range=True,
    ),
    "bca": IntervalMethod(
        "BCa",
        "bias-corrected and accelerated intervals of the cluster bootstrap, the acceleration from "
        "leaving out one subject at a time",
    ),
    "studentized": IntervalMethod(
        "studentized",
        "symmetric studentized intervals of the cluster bootstrap",
        errors_within=True,
    ),
    "studentized_et": IntervalMethod(
        "studentized, equal tails",
        "equal-tailed studentized intervals of the cluster bootstrap",
        errors_within=True,
    ),
}
#: Those for a statistic whose standard error is unknown.
WITHOUT_ERRORS = tuple(name for name, one in INTERVAL_METHODS.items() if not one.errors_within)
