"""The interval methods by name; their properties are in `pyexpr.base.interval_methods`.

Sources: Efron (1987) for BCa; Davison and Hinkley (1997), chapter 5, for the
others; the scales and degrees of freedom of `jackknife_t` are described there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pyexpr.base.checks import confidence_level, whole_number
from pyexpr.base.errors import DataError, listed
from pyexpr.base.interval_methods import DEFAULT, INTERVAL_METHODS
from pyexpr.base.messages import Template, joined, say
from pyexpr.resampling.intervals.bca import bca
from pyexpr.resampling.intervals.evidence import Evidence, Intervals
from pyexpr.resampling.intervals.jackknife_t import jackknife_t
from pyexpr.resampling.intervals.normal import normal
from pyexpr.resampling.intervals.percentile import basic, percentile
from pyexpr.resampling.intervals.studentized import studentized, studentized_et

METHODS: dict[str, Callable[[Evidence, float], Intervals]] = {
    "jackknife_t": jackknife_t,
    "percentile": percentile,
    "basic": basic,
    "normal": normal,
    "bca": bca,
    "studentized": studentized,
    "studentized_et": studentized_et,
}


FAILED_IN = Template("failed_replicates", "{why} in {failed} of {n_boot} replicates")


def check_method(method: str | None, confidence: float, n_boot: int) -> None:
    """Raise `DataError` unless `n_boot` replicates suffice for this method at this confidence."""
    name = DEFAULT if method is None else method
    if not isinstance(name, str) or name not in METHODS:
        raise DataError(
            say(
                "{method=} must be one of {names}, not {given!r}",
                names=listed(METHODS, most=20),
                given=method,
            )
        )
    confidence_level(confidence)
    whole_number(n_boot, argument="n_boot", least=0)
    least = int(np.ceil(2 / (1 - confidence) - 1 - 1e-9))
    if INTERVAL_METHODS[name].draws and least > n_boot:
        raise DataError(
            say(
                "method {name!r} at confidence {confidence:g} needs n_boot of at least "
                "{least} (better 2000), not {n_boot}",
                name=name,
                confidence=confidence,
                least=least,
                n_boot=n_boot,
            )
        )


def compute(evidence: Evidence, method: str | None, confidence: float) -> Intervals:
    """Return the intervals and tests of one method; ``None`` is the recommended one.

    Raises
    ------
    DataError
        If the method is unknown, the confidence is not between 0 and 1, or there are too few
        replicates for quantiles so far in the tails.
    """
    check_method(method, confidence, evidence.replicates.shape[1])
    name = DEFAULT if method is None else method
    result = METHODS[name](evidence, float(confidence))
    for row, reason in enumerate(_reasons(evidence)):
        if reason and np.isnan(evidence.estimate[row]):
            result.reason[row] = ""
            result.blank(row, reason)
            result.std_error[row] = np.nan
        elif reason:
            result.reason[row] = joined([reason, result.reason[row]])
    return result


def _reasons(evidence: Evidence) -> Sequence[str]:
    if evidence.n_failed is None or not evidence.why_failed:
        return evidence.reason
    B = evidence.replicates.shape[1]
    failed = [
        FAILED_IN(why=evidence.why_failed, failed=n, n_boot=B) if n else ""
        for n in evidence.n_failed
    ]
    return [joined(both) for both in zip(evidence.reason, failed, strict=True)]
