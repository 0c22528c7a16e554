"""The one-factor model refitted by subjects: intervals for everything it yields."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.checks import checked_threads
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
from pyexpr.resampling.intervals.evidence import NOT_JUDGED
from pyexpr.resampling.multiplicity import check_rule
from pyexpr.resampling.result import completed
from pyexpr.resampling.strata import read_strata

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from pyexpr.base.foreign import FrameLike
    from pyexpr.measurement.specification import MeasurementModel, ModelLike

# Fewest subjects with whom replicates, and with whom the jackknife, were seen to serve.
_FEW = 20
_FEWEST = 12


@stoppable("the factor model was refitted to resampled subjects", hands_over=True)
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
) -> CFABootstrapResult:
    r"""Refit a one-factor model without each subject, and on resampled subjects.

    The default intervals leave out one subject at a time. A replicate, for the other
    methods, draws as many whole subjects as there are, with replacement. Either refit
    is by maximum likelihood in C++, from sums per subject: its cost does not depend on
    the number of rows.

    Parameters
    ----------
    data : DataFrame or mapping of columns
        One row per rated clip. Rows with a missing indicator are dropped and counted.
    model : dict or str
        One factor and its indicators, at least three, nothing else said.
    cluster : str or array
        The subject of each row. The draws are those of `compare_models` and
        `cluster_bootstrap` of the same seed and number of subjects, both sorted.
    context : str or array, optional
        A model for each context. A subject's contexts are drawn together where
        every subject is in every context; a context with fewer subjects draws
        among its own.
    n_boot : int
        Number of refits on drawn subjects; ``jackknife_t`` needs none.
    method : {None, "jackknife_t", "percentile", "bca"}
        Student's t with the standard error of the refits without each subject (the default); or
        quantiles of the replicates, interpolated as ``boot::boot.ci`` does; or
        those corrected for bias and acceleration. Where the last is not possible the
        row has the percentile interval, and says so. The two latter are too short
        with few subjects: see ``docs/coverage_measurement.md``.
    confidence : float
        Level of the intervals, between 0 and 1.
    stratify : str or array, optional
        Context of each subject: subjects are drawn, and left out, within their context.
    adjust : {None, "holm", "max_t"}
        Make the intervals of all indicators simultaneous, quantity by quantity, as
        `CFABootstrapResult.adjust`.
    seed : int
        Key of the draws, 0 to 2**64 - 1; the same seed gives the same bytes.
    n_threads : int, optional
        One per core by default; the numbers do not depend on it.
    progress : bool, optional
        Show a bar; by default on a terminal, once a second has passed.
    positive : str, optional
        The indicator whose loading is positive in the model of all rows, by default
        the first, as for `cfa`. Every refit is turned to agree with its context's fit,
        and that with the model of all rows.

    Returns
    -------
    CFABootstrapResult
        Loadings, standardised loadings, residual variances, Bartlett score
        weights (score = sum of weight times (x - intercept)) and the reliability
        of the scores, ``I / (1 + I)`` with ``I = sum lambda^2 / theta``.

    Raises
    ------
    FactorModelError
        If the data themselves do not determine the model, as `cfa` says.
    DataError
        If there are fewer than two subjects, or too few replicates for the level.
    Interrupted
        If Ctrl-C is pressed; its ``result`` has the refits made until then.

    Warns
    -----
    FewSubjectsWarning
        Under 20 subjects, where the replicates make the intervals; under 12 always.
    PyexprWarning
        If over 1 % of the replicates are undefined and make the intervals.

    Notes
    -----
    Jackknife-t is ``g(T) +- t_df SE``, transformed back, SE the jackknife's standard
    error of g(T) over subjects. g is the identity for score weights and for loadings of
    up to half a standard deviation of their indicator, beyond which it is logarithmic;
    ``cbrt(1 + x) - cbrt(1 - x)`` for standardised loadings; the fifth root for residual
    variances; and ``-cbrt(1 - x)`` for reliability. Unlike logarithms and atanh these
    are defined beyond the bounds, where a refit without one subject may lie, and at a
    loading of 0; limits are cut at the bounds. df is that of `compare_models`: subjects
    less 1, or fewer with heavy tails or subjects of unequal size. Without a solution
    for some subject left out there is no interval.

    A replicate without a solution, or with a residual variance that is not
    positive, is undefined in all quantities, left out, and counted. Percentile and BCa
    intervals then speak of resamples that have a proper solution only: over 1 % a
    warning, over 10 % no such interval, with the reason.

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
            "bootstrap_cfa refits the model of one factor with free loadings and nothing else; "
            "leave the rest out"
        )
    check_interval(method, confidence, n_boot)
    if adjust is not None:
        check_rule(adjust)
    n_threads = checked_threads(n_threads)
    frame = rows_to_fit(data)
    refuse_ordered(frame, spec, "bootstrap_cfa")
    columns = indicator_columns(frame, spec)
    context_name, context_codes, labels = contexts_of(frame, context)
    if cluster is None:
        raise DataError(say("bootstrap_cfa resamples subjects: name their column with {cluster=}"))
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
    evidence = evidence_of(draws, names, draws.replicates(0, int(n_boot)))
    result = CFABootstrapResult(
        evidence=evidence,
        intervals=NOT_JUDGED,
        draws=draws,
        clusters=tuple(subject_labels),
        cluster_name=cluster_name,
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
    knife = result.method == "jackknife_t"
    for label, group in zip(result.labels, result.draws.groups, strict=True):
        G, where = len(group.clusters), result.where(label)
        if knife and G < _FEWEST:
            warn_user(
                say(
                    "there are only {n} subjects{where}: fewer than those with whom coverage was "
                    "tried",
                    n=G,
                    where=where,
                ),
                FewSubjectsWarning,
            )
        elif not knife and G < _FEW:
            warn_user(
                say(
                    "there are only {g} subjects{where}: bootstrap intervals are too "
                    "short with so few, and the draws too coarse; {method='jackknife_t'} "
                    "holds",
                    g=G,
                    where=where,
                ),
                FewSubjectsWarning,
            )
