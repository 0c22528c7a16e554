"""The evidence of each step of the chain, and its intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import say
from pyexpr.inference.comparison.result import ComparisonResult
from pyexpr.modeling.chain.labels import Labels
from pyexpr.modeling.chain.rated import Reliability
from pyexpr.modeling.fitting.jackknifed import jackknife_groups
from pyexpr.resampling.intervals.evidence import Evidence, JackknifeGroup
from pyexpr.resampling.intervals.methods import check_method

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

JACKKNIFE, PERCENTILE = "jackknife_t", "percentile"
METHODS = (JACKKNIFE, PERCENTILE)
# The scale on which `pyexpr.measurement.icc.cluster` studentises the ICC.
_ICC_SCALE = "negative_root_complement"


@dataclass(frozen=True, slots=True)
class NoErrorsWithin:
    """A placeholder for the standard errors within replicates, which the chain does not compute."""

    def __call__(self) -> Array:
        """Refuse."""
        raise DataError("there are no studentized intervals of a whole analysis")


def check_chain_method(method: str | None, confidence: float, n_boot: int) -> str:
    """Return the method; `DataError` for an unknown one, or too few draws for it."""
    name = JACKKNIFE if method is None else method
    if name not in METHODS:
        raise DataError(
            say("{method=} must be one of {names}, not {given!r}", names=listed(METHODS),
                given=method)
        )  # fmt: skip
    check_method(name, confidence, n_boot)
    return name


def of_reliability(
    reliability: Sequence[Reliability], replicates: Array, n_subjects: int
) -> Evidence:
    """Return the evidence of the ICCs, with replicates (ICCs, B)."""
    everyone = np.ones((1, n_subjects))
    without = 1.0 - np.eye(n_subjects)
    groups = []
    for place, one in enumerate(reliability):
        own = one.subjects
        groups.append(
            JackknifeGroup(
                np.array([place]), one.values(without[own])[None], (len(own),), clusters=own
            )
        )
    estimate = np.array([one.values(everyone)[0] for one in reliability])
    return _evidence(
        estimate, [_ICC_SCALE] * len(estimate), replicates, groups,
        [one.reason if np.isnan(value) else ""
         for one, value in zip(reliability, estimate, strict=True)],
    )  # fmt: skip


def _evidence(
    estimate: Array, scale: Sequence[str], replicates: Array, groups: Sequence[JackknifeGroup],
    reason: Sequence[str],
) -> Evidence:  # fmt: skip
    Q = len(estimate)
    return Evidence(
        estimate=estimate, scale=scale, simple_df=np.zeros(Q, dtype=bool), null=np.full(Q, np.nan),
        replicates=replicates, groups=groups, reason=reason,
        replicate_errors=NoErrorsWithin(),
    )  # fmt: skip


def of_factor_models(labels: Labels, replicates: Array) -> list[Evidence]:
    """Return the evidence of the factor model of each context, and of the one over all contexts."""
    found, start = [], 0
    for fit in labels.fits:
        rows = len(fit.evidence.estimate)
        own = np.ascontiguousarray(replicates[start : start + rows])
        found.append(
            replace(
                fit.evidence,
                replicates=own,
                n_failed=None,
                replicate_errors=NoErrorsWithin(),
                n_threads=1,
            )
        )
        start += rows
    return found


def of_models(
    fixed: ComparisonResult, estimate: Array, without: Array, replicates: Array,
    subjects: Sequence[NDArray[np.int64]],
) -> Evidence:  # fmt: skip
    """Return the evidence of the rows of a comparison.

    Parameters
    ----------
    fixed : ComparisonResult
    estimate : (Q,)
    without : (Q, subjects)
        The quantities computed without each of the subjects.
    replicates : (Q, B)
    subjects : for each row (G,)
        The subjects on whom the row depends, as positions among all subjects.
    """
    old = fixed.evidence
    zero = [place for place in fixed.draws.zero_rows if np.allclose(without[place], 0, atol=1e-12)]
    without[zero], replicates[zero] = 0.0, 0.0
    groups = jackknife_groups(old.groups, without, subjects)
    return replace(
        old, estimate=np.where(np.isnan(old.estimate), np.nan, estimate), replicates=replicates,
        groups=groups, inflation=None, replicate_errors=NoErrorsWithin(), n_threads=1,
    )  # fmt: skip
