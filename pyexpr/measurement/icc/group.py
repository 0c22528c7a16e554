"""One group of ratings: its counts, its signals, and the signals in resampled data."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import whole_number
from pyexpr.base.errors import DataError, PyexprWarning, listed, warn_user
from pyexpr.base.messages import Template, has_code, joined, say
from pyexpr.core.cluster_bootstrap import draw_counts
from pyexpr.core.icc import Squares
from pyexpr.core.streams import checked_seed
from pyexpr.measurement.icc.bootstrap import Bootstrap, bootstrap_signals
from pyexpr.measurement.icc.cluster import cluster_signals
from pyexpr.measurement.icc.intervals import (
    NAN,
    NO_TARGETS,
    WALD_NOT_ENCLOSED,
    Signal,
    agreement_signal,
    consistency_signal,
    one_way_signal,
)
from pyexpr.measurement.icc.layout import Ratings
from pyexpr.measurement.icc.left_out import complete, left_out, one_way_sums, two_way_sums
from pyexpr.measurement.icc.reml import component_signal, fit_components
from pyexpr.resampling.quantiles import SOME_UNDEFINED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

METHODS = ("jackknife_t", "studentized")
# Names that only icc() used for these methods.
_FORMER = {"jackknife": "jackknife_t", "bootstrap_t": "studentized"}


@dataclass(frozen=True, slots=True)
class ICCGroup:
    """One group of ratings: its labels, its counts, and a signal per family of forms."""

    labels: tuple[Any, ...]
    n_rows: int
    n_missing: int
    n_targets: int
    n_ratings: int
    n_single: int
    n_raters: int | None
    n_clusters: int | None
    k_effective: float
    k_harmonic: float
    signals: dict[str, Signal]
    shared: bool
    n_undefined: int = 0


def checked_plan(
    method: str | None, n_boot: int, seed: int, level: float, *, clustered: bool
) -> Bootstrap:
    """Return how subjects make the interval; raise `DataError` for impossible options."""
    if method in _FORMER:
        raise DataError(
            say(
                "{method=} has been renamed to {method=@former}",
                method=method,
                former=_FORMER[method],
            )
        )
    if method is not None and method not in METHODS:
        raise DataError(
            say(
                "{method=} must be one of {names}, not {given!r}",
                names=listed(METHODS),
                given=method,
            )
        )
    n_boot = whole_number(n_boot, argument="n_boot", least=0)
    plan = Bootstrap(n_boot, checked_seed(seed), method or METHODS[0])
    if method is None:
        return plan
    if not clustered:
        raise DataError(
            say("{method=} resamples subjects: name their column in {cluster=}", method=method)
        )
    least = math.ceil(1 / (1 - level) - 1e-9)
    if plan.drawn and n_boot < least:
        raise DataError(
            f"a studentized interval at confidence {level:g} needs n_boot of at least {least} "
            f"(better 2000), not {n_boot}"
        )
    return plan


def computed(
    ratings: Ratings, level: float, families: set[str], plan: Bootstrap, *, warn: bool
) -> ICCGroup:
    """Return the counts of one group, and the signals of these families with intervals."""
    squares = ratings.squares()
    one = squares.one_way
    signals = plain_signals(ratings, squares, level, families)
    n_clusters, n_undefined = None, 0
    if ratings.clusters is not None and plan.drawn:
        signals, n_clusters, n_undefined = bootstrap_signals(ratings, signals, level, plan)
    elif ratings.clusters is not None:
        signals, n_clusters = cluster_signals(ratings, signals, level)
    return ICCGroup(
        labels=ratings.labels,
        n_rows=ratings.n_rows,
        n_missing=ratings.n_missing,
        n_targets=one.n_targets,
        n_ratings=one.n_ratings,
        n_single=one.n_single,
        n_raters=ratings.n_raters,
        n_clusters=n_clusters,
        k_effective=one.n0,
        k_harmonic=one.n_harmonic,
        signals=signals,
        shared=warn and ratings.shared,
        n_undefined=n_undefined,
    )


def plain_signals(
    ratings: Ratings, squares: Squares, level: float, families: set[str]
) -> dict[str, Signal]:
    """One signal per family; the one-way family always, for mean_reliability()."""
    one_way = one_way_signal(squares.one_way, level)
    signals = {"one_way": one_way}
    wanted = families - {"one_way"}
    if not wanted:
        return signals
    if squares.two_way is not None:
        signals["agreement"] = agreement_signal(squares.two_way, level)
        signals["consistency"] = consistency_signal(squares.two_way, level)
        return signals
    one = squares.one_way
    if one_way.reason and not has_code(one_way.reason, NO_TARGETS, WALD_NOT_ENCLOSED):
        # Without error, or with nothing to separate it from, it does not matter who rated.
        bare = replace(one_way, statistic=NAN, df1=NAN, df2=NAN, p_value=NAN, method="")
        return signals | dict.fromkeys(sorted(wanted), bare)
    components = fit_components(*ratings.triplets())
    for family in sorted(wanted):
        signals[family] = component_signal(
            components,
            family,
            k=one.n_harmonic,
            n_targets=one.n_targets,
            n_ratings=one.n_ratings,
            confidence=level,
        )
    return signals


SOME_LEFT_OUT = Template(
    "icc_replicates_left_out",
    "in {undefined} of {n_boot} replicates{where} the ICC or its standard error is undefined; "
    "they are left out",
)
_WARNED = Template(
    "icc_replicates_undefined",
    "in {undefined} of {n_boot} replicates{where} the ICC or its standard error is undefined; "
    "the interval leaves them out",
)


def warn_of_undefined(groups: Iterable[ICCGroup], context: Sequence[str], plan: Bootstrap) -> None:
    """Warn if over 1 % of the replicates of a context are undefined."""
    for group in groups:
        if group.n_undefined > SOME_UNDEFINED * plan.n_boot:
            where = of_group(context, group.labels)
            warn_user(
                _WARNED(undefined=group.n_undefined, n_boot=plan.n_boot, where=where),
                PyexprWarning,
            )


def of_group(context: Sequence[str], labels: Sequence[Any]) -> str:
    """Return a phrase that names the context; "" if there is only one."""
    pairs = [
        say("{name} {label:label}", name=name, label=label)
        for name, label in zip(context, labels, strict=True)
    ]
    return say(" of {group}", group=joined(pairs, by=", ")) if pairs else ""


def signals_without(ratings: Ratings, families: Iterable[str]) -> dict[str, NDArray[np.float64]]:
    """Return, per family, the signal of all subjects, then without each, (1 + G,)."""
    wanted = set(families)
    found = {}
    if "one_way" in wanted:
        found["one_way"] = one_way_sums(ratings).left_out()
    if wanted - {"one_way"}:
        parts = left_out(ratings)
        with np.errstate(divide="ignore", invalid="ignore"):
            found["consistency"] = parts.target / parts.error
            found["agreement"] = parts.target / (parts.error + parts.rater)
    return found


def signals_drawn(
    ratings: Ratings, families: Iterable[str], plan: Bootstrap
) -> dict[str, NDArray[np.float64]]:
    """Return, per family, the signal of every replicate, (n_boot,).

    NaN for two-way families with missing cells, which are not refitted.
    """
    counts = draw_counts((len(ratings.rated_clusters()),), plan.n_boot, seed=plan.seed)
    times = counts.astype(np.float64)
    found = {}
    for family in families:
        if family != "one_way" and not complete(ratings):
            found[family] = np.full(plan.n_boot, np.nan)
            continue
        sums = one_way_sums(ratings) if family == "one_way" else two_way_sums(ratings, family)
        with np.errstate(all="ignore"):
            found[family] = sums.theta(times @ sums.sums)
    return found
