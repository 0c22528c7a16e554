"""Refits of the one-factor model by subjects, and intervals for its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.checks import checked_threads, whole_number
from pyexpr.base.errors import DataError, FewSubjectsWarning, warn_user
from pyexpr.base.messages import say
from pyexpr.base.options import FORMER_CONTEXT, explains
from pyexpr.base.stopping import stoppable
from pyexpr.base.tables import column_or_array, label_codes
from pyexpr.core.streams import checked_seed
from pyexpr.measurement.columns import (
    contexts_of,
    in_context,
    indicator_columns,
    refuse_ordered,
    rows_to_fit,
)
from pyexpr.measurement.engines.protocol import FitRequest
from pyexpr.measurement.factor.bootstrap_result import CFABootstrapResult, quantities
from pyexpr.measurement.factor.cfa import check_determined
from pyexpr.measurement.factor.orientation import pointing, whole_sample
from pyexpr.measurement.factor.refits import FactorDraws, check_interval, evidence_of, fit_group
from pyexpr.measurement.model_syntax import parse_model
from pyexpr.resampling.intervals.evidence import NO_INTERVALS
from pyexpr.resampling.multiplicity import check_rule
from pyexpr.resampling.result import completed
from pyexpr.resampling.strata import read_strata

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from pyexpr.base.foreign import FrameLike
    from pyexpr.measurement.specification import MeasurementModel, ModelLike

# Fewest subjects with which replicates, and with which the jackknife, sufficed in simulations.
_FEW = 20
_FEWEST = 12


@stoppable("the factor model was refitted to resampled subjects", returns_figure=True)
@explains(renamed=FORMER_CONTEXT)
def bootstrap_cfa(
    data: FrameLike,
    model: ModelLike | MeasurementModel,
    *,
    cluster: str | ArrayLike,
    context: str | ArrayLike | None = None,
    n_boot: int = 1000,
    method: str | None = None,
    confidence: float = 0.95,
    stratify: str | ArrayLike | None = None,
    adjust: str | None = None,
    seed: int = 0,
    n_threads: int | None = None,
    progress: bool | None = None,
    positive: str | None = None,
    first_replicate: int = 0,
) -> CFABootstrapResult:
    r"""Refit a one-factor model without each subject, and on resampled subjects.

    The default intervals are computed by leaving out one subject at a time. For the other methods,
    a replicate draws as many whole subjects as the data have, with replacement. The model is
    refitted by maximum likelihood in C++ from sums per subject, so the cost does not depend on the
    number of rows.

    Parameters
    ----------
    data : DataFrame or mapping of columns
        One row per rated clip. Rows with a missing indicator are left out and counted.
    model : dict or str
        One factor with at least three indicators and free loadings, without further specifications.
    cluster : str or array
        The subject of each row. The draws are the same as those of `compare_models` and
        `cluster_bootstrap` with the same seed and number of subjects (sorted).
    context : str or array, optional
        Fit a separate model for each context. If every subject is in every context, all contexts of
        a subject are drawn together. A context with fewer subjects draws among its own subjects.
    n_boot : int
        Number of refits on drawn subjects; ``jackknife_t`` needs none.
    method : {None, "jackknife_t", "percentile", "bca"}
        ``"jackknife_t"`` (the default) uses Student's t and the standard error from refits without
        each subject. ``"percentile"`` uses quantiles of the replicates, interpolated as in
        ``boot::boot.ci``. ``"bca"`` corrects these for bias and acceleration. If BCa is not
        possible, the row has the percentile interval and says so. The intervals of the latter two
        methods are too short with few subjects; see ``docs/coverage_measurement.md``.
    confidence : float
        Level of the intervals, between 0 and 1.
    stratify : str or array, optional
        Stratum of each subject. Subjects are drawn, and left out, within strata.
    adjust : {None, "holm", "max_t"}
        Make the intervals of all indicators simultaneous, separately for each quantity; see
        `CFABootstrapResult.adjust`.
    seed : int
        Seed of the random draws, 0 to 2**64 - 1. The same seed gives identical results.
    n_threads : int, optional
        Number of threads, by default one per core. Results do not depend on it.
    progress : bool, optional
        Whether to show a progress bar. By default it is shown on a terminal after one second.
    positive : str, optional
        The indicator whose loading is positive in the model of all rows, by default the first, as
        for `cfa`. The sign of every refit agrees with the fit of its context, and the sign of the
        latter with the model of all rows.
    first_replicate : int
        Number of the first replicate, counted from 0, as for `compare_models`.

    Returns
    -------
    CFABootstrapResult
        Loadings, standardised loadings, residual variances, Bartlett score
        weights (score = sum of weight times (x - intercept)) and the reliability
        of the scores, ``I / (1 + I)`` with ``I = sum lambda^2 / theta``.

    Raises
    ------
    FactorModelError
        If the data do not identify the model; see `cfa`.
    DataError
        If there are fewer than two subjects, or too few replicates for the confidence level.
    Interrupted
        If Ctrl-C is pressed. Its ``result`` holds the refits completed until then.

    Warns
    -----
    FewSubjectsWarning
        With fewer than 20 subjects, if the intervals use replicates; with fewer than 12 subjects,
        always.
    PyexprWarning
        If the intervals use replicates and more than 1 % of them are undefined.

    Notes
    -----
    Jackknife-t is ``g(T) +- t_df SE``, transformed back, where SE is the jackknife standard error
    of g(T) over subjects. g is the identity for score weights and for loadings of up to half a
    standard deviation of their indicator, above which it is logarithmic; ``cbrt(1 + x) - cbrt(1 -
    x)`` for standardised loadings; the fifth root for residual variances; and ``-cbrt(1 - x)`` for
    reliability. Unlike logarithms and atanh, these transformations are defined beyond the bounds,
    where a refit without one subject may lie, and at a loading of 0. Limits are truncated at the
    bounds. df is that of `compare_models`: the number of subjects minus 1, or fewer with heavy
    tails or subjects of unequal size. There is no interval if the model has no solution without
    some subject.

    A replicate without a solution, or with a residual variance that is not positive, is undefined
    for all quantities. It is left out and counted, so percentile and BCa intervals then describe
    only resamples with a proper solution. More than 1 % of such replicates cause a warning; with
    more than 10 % there is no such interval, and the reason is given.

    Source: Tukey (1958) and Arvesen (1969) for jackknife-t; Davison and Hinkley (1997),
    chapter 5; Efron (1987) for BCa.

    Checked against lavaan 0.6-14 refitted on the drawn rows, and boot::boot.ci.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> f = rng.normal(size=200)
    >>> table = {name: f + rng.normal(size=200) for name in ("response", "emotion", "motion")}
    >>> who = np.repeat(np.arange(40), 5)
    >>> result = bootstrap_cfa(table, {"expressiveness": list(table)}, cluster=who)
    >>> result.tidy().query("quantity == 'score_reliability'")[["conf_low", "conf_high"]].shape
    (1, 2)
    """
    spec = parse_model(model)
    where_to = pointing(positive, spec)
    if not spec.plain_factor:
        raise DataError(
            "bootstrap_cfa is available only for a model of one factor with free loadings; "
            "remove the other terms"
        )
    check_interval(method, confidence, n_boot)
    first = whole_number(first_replicate, argument="first_replicate", least=0)
    if adjust is not None:
        check_rule(adjust)
    n_threads = checked_threads(n_threads)
    frame = rows_to_fit(data)
    refuse_ordered(frame, spec, "bootstrap_cfa")
    columns = indicator_columns(frame, spec)
    context_name, context_codes, labels = contexts_of(frame, context)
    if cluster is None:
        raise DataError(say("bootstrap_cfa resamples subjects; name their column in {cluster=}"))
    cluster_name, values = column_or_array(frame, cluster, argument="cluster", what="data")
    subjects, subject_labels = label_codes(values, name=cluster_name, what="data")
    used = np.asarray(~np.isnan(columns).any(axis=1))
    request = FitRequest(
        spec, columns[used], None if context is None else context_codes[used], n_groups=len(labels)
    )
    check_determined(request, labels, context_name)
    target, _ = whole_sample(
        columns[used],
        context_codes[used],
        spec.indicators.index(where_to.indicators[spec.factors[0]]),
    )
    strata = np.zeros(len(subject_labels), dtype=np.int64)
    if stratify is not None:
        strata = read_strata(frame, stratify, subjects, subject_labels, used, what="data")
    fits = []
    for code, label in enumerate(labels):
        mine = used & (context_codes == code)
        where = in_context(label, context_name)
        fits.append(
            fit_group(
                columns[mine], subjects[mine], strata, target, n_threads=n_threads, where=where
            )
        )
    draws = FactorDraws(tuple(fits), checked_seed(seed), n_threads, progress)
    names = [name for name, _ in quantities(spec)]
    evidence = evidence_of(draws, names, draws.replicates(first, int(n_boot)), first)
    result = CFABootstrapResult(
        evidence=evidence,
        intervals=NO_INTERVALS,
        draws=draws,
        clusters=tuple(subject_labels),
        cluster_name=cluster_name,
        first_replicate=first,
        model=spec,
        labels=tuple(labels),
        context_name=context_name,
        n_dropped=int((~used).sum()),
        pointing=where_to,
    )
    found = completed(result, int(n_boot), method, confidence, adjust)
    _warn_of_few(found)
    return found


def _warn_of_few(result: CFABootstrapResult) -> None:
    jackknife = result.method == "jackknife_t"
    for label, group in zip(result.labels, result.draws.groups, strict=True):
        G, where = len(group.clusters), result.where(label)
        if jackknife and G < _FEWEST:
            warn_user(
                say(
                    "there are only {n} subjects{where}: fewer than in the simulations of coverage",
                    n=G,
                    where=where,
                ),
                FewSubjectsWarning,
            )
        elif not jackknife and G < _FEW:
            warn_user(
                say(
                    "there are only {g} subjects{where}: bootstrap intervals are too short "
                    "with so few subjects, and the draws are too coarse; "
                    "{method='jackknife_t'} has adequate coverage",
                    g=G,
                    where=where,
                ),
                FewSubjectsWarning,
            )
