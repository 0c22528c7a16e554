"""The cluster bootstrap-t interval of an intraclass correlation, from sums per subject.

The scale is L = log(1 + k theta) = -log(1 - ICC(.,k)). C is the mean of the jackknife's
pseudo-values and SE their error, as in `icc_cluster`. A replicate draws as many whole subjects as
there are, and a subject drawn twice counts as two. It has its own C* and SE*, and
``t* = (C* - L) / SE*``. The limits are ``C -+ q SE``, where the quantile q of ``|t*|`` takes the
place of Student's (Davison and Hinkley 1997, section 5.2). In simulations the symmetric quantile
and the centre C cover better than equal tails and the centre L.

All that depends on ratings is reduced to a few sums per subject, so that a replicate
costs O(subjects).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.messages import Template
from pyexpr.core.cluster_bootstrap import draw_counts
from pyexpr.measurement.icc.cluster import (
    NO_REPLICATE,
    NO_SPREAD,
    NO_UPPER_LIMIT,
    bare_signal,
    cluster_signals,
    settled,
)
from pyexpr.measurement.icc.intervals import NAN, Signal
from pyexpr.measurement.icc.left_out import complete, one_way_sums, two_way_sums
from pyexpr.resampling.intervals.studentized import symmetric_reach
from pyexpr.resampling.quantiles import MOST_UNDEFINED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.measurement.icc.layout import Ratings
    from pyexpr.measurement.icc.left_out import SubjectSums

METHOD = "cluster bootstrap-t"
NO_SUMS = Template(
    "bootstrap_needs_all_cells",
    "cells of the table of {thing targets} by raters are missing, and the bootstrap-t does not "
    "refit variance components; use {method='jackknife_t'}",
    report="cells of the table of clips by raters are missing, and the bootstrap-t does not refit "
    "variance components, but jackknife-t does",
)()
_NOT_DEFINED = Template(
    "icc_undefined", "the ICC is undefined in {undefined} of {n_boot} replicates"
)
# Replicates at a time: (replicates, subjects, sums) in memory.
_CHUNK = 2_000_000


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How the interval is computed from subjects: replicates, their key, and the method."""

    n_boot: int
    seed: int
    method: str = "studentized"

    @property
    def drawn(self) -> bool:
        """Whether the interval comes from replicates."""
        return self.method == "studentized"


def bootstrap_signals(
    ratings: Ratings, signals: dict[str, Signal], level: float, plan: Bootstrap
) -> tuple[dict[str, Signal], int, int]:
    """Replace interval and test of each signal; also return G and the undefined replicates.

    Resampling subjects gives no information about raters: the intervals of the agreement forms
    come from `icc_cluster`, whatever method is requested.
    """
    n_clusters = len(ratings.rated_clusters())
    found: dict[str, Signal] = {}
    most = 0
    for family, signal in signals.items():
        bare = bare_signal(signal, METHOD)
        done = settled(signal, bare, n_clusters)
        if family == "agreement":
            found |= cluster_signals(ratings, {family: signal}, level)[0]
        elif done is not None:
            found[family] = done
        elif family == "consistency" and not complete(ratings):
            found[family] = replace(bare, reason=NO_SUMS)
        else:
            sums = one_way_sums(ratings) if family == "one_way" else two_way_sums(ratings)
            found[family], undefined = _interval(bare, sums, level, plan)
            most = max(most, undefined)
    return found, n_clusters, most


def _interval(bare: Signal, sums: SubjectSums, level: float, plan: Bootstrap) -> tuple[Signal, int]:
    g, k = len(sums.sums), bare.k
    everyone = np.ones((1, g), dtype=np.int32)
    (log,), (centre,), (error,) = _studentised(sums, k, everyone)
    if not math.isfinite(error):
        return replace(bare, reason=NO_REPLICATE), 0
    if error == 0:
        return replace(bare, reason=NO_SPREAD), 0
    step = max(1, _CHUNK // sums.sums.size)
    pieces = []
    for at in range(0, plan.n_boot, step):
        counts = draw_counts((g,), min(step, plan.n_boot - at), seed=plan.seed, first=at)
        pieces.append(_studentised(sums, k, counts))
    _, centres, errors = (np.concatenate(part) for part in zip(*pieces, strict=True))
    # If leaving out a subject changes nothing, the error is 0, and t* is not defined either.
    with np.errstate(divide="ignore", invalid="ignore"):
        pivots = ((centres - log) / errors)[None, :]
    pivots[~np.isfinite(pivots)] = np.nan
    statistic = centre / error
    found = symmetric_reach(pivots, np.array([statistic]), level, interpolated=True, n_threads=1)
    undefined = plan.n_boot - int(found.summary.n_defined[0])
    if undefined > MOST_UNDEFINED * plan.n_boot:
        reason = _NOT_DEFINED(undefined=undefined, n_boot=plan.n_boot)
        return replace(bare, reason=reason), undefined
    half = float(found.reach[0]) * error
    try:
        high = math.expm1(centre + half) / k
    except OverflowError:
        # An infinite signal is a reliability of 1.
        high = math.inf
    return replace(
        bare,
        low=math.expm1(centre - half) / k,
        high=high,
        statistic=statistic,
        df1=NAN,
        p_value=float(found.p_value[0]),
        reason=bare.reason or (NO_UPPER_LIMIT if high == math.inf else ""),
    ), undefined


def _studentised(
    sums: SubjectSums, k: float, counts: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """L, C and SE of each row of counts (B, G), over the drawn copies; each (B,).

    All three are NaN if L, or L without one of the drawn subjects, is not a finite number: the
    ratings agree perfectly, or the means of the targets do not differ. Such a sample cannot show
    how far an estimate may lie from the truth.
    """
    g = counts.shape[1]
    times = counts.astype(np.float64)
    total = times @ sums.sums
    with np.errstate(all="ignore"):
        log = np.log1p(k * sums.theta(total))
        left_out = np.log1p(k * sums.theta(total[:, None, :] - sums.sums))
    # A subject that was not drawn cannot be left out.
    left_out = np.where(counts > 0, left_out, 0.0)
    log = np.where(np.isfinite(log) & np.isfinite(left_out).all(axis=1), log, np.nan)
    left_out[np.isnan(log)] = np.nan
    middle = (times * left_out).sum(axis=1) / g
    spread = (times * (left_out - middle[:, None]) ** 2).sum(axis=1)
    return log, g * log - (g - 1) * middle, np.sqrt((g - 1) / g * spread)
