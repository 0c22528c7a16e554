"""The one-factor model refitted by subjects: intervals for everything it yields."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.errors import DataError, FewSubjectsWarning, PyexprWarning, warn_user
from pyexpr.base.progress import pieces
from pyexpr.base.stopping import stoppable
from pyexpr.base.tables import column_or_array, label_codes
from pyexpr.core.cluster_bootstrap import draw_counts
from pyexpr.core.factor_model import cluster_sums, fit_resampled
from pyexpr.measurement.columns import grouping, indicator_columns, refuse_ordered, rows_to_fit
from pyexpr.measurement.engines.protocol import FitRequest
from pyexpr.measurement.factor.bootstrap_intervals import GroupDraws, check_interval
from pyexpr.measurement.factor.bootstrap_result import CFABootstrapResult
from pyexpr.measurement.factor.cfa import check_determined
from pyexpr.measurement.factor.orientation import agreeing, all_agreeing, pointing, whole_sample
from pyexpr.measurement.model_syntax import parse_model
from pyexpr.resampling.quantiles import SOME_UNDEFINED

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from pyexpr.base.foreign import FrameLike
    from pyexpr.measurement.specification import MeasurementModel, ModelLike

# Fewest subjects with whom replicates, and with whom the jackknife, were seen to serve.
_FEW = 20
_FEWEST = 12


@stoppable("the factor model was refitted to resampled subjects")
def bootstrap_cfa(
    data: FrameLike,
    model: ModelLike | MeasurementModel,
    *,
    cluster: str | ArrayLike,
    group: str | ArrayLike | None = None,
    n_boot: int = 1000,
    method: str = "jackknife_t",
    confidence: float = 0.95,
    seed: int = 0,
    n_threads: int | None = None,
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
    group : str or array, optional
        A model for each context. A subject's contexts are drawn together where
        every subject is in every context; a context with fewer subjects draws
        among its own.
    n_boot : int
        Number of refits.
    method : {"jackknife_t", "percentile", "bca"}
        Student's t with the standard error of the refits without each subject; or
        quantiles of the replicates, interpolated as ``boot::boot.ci`` does; or
        those corrected for bias and acceleration. Where the last is not possible the
        row has the percentile interval, and says so. The two latter are too short
        with few subjects: see ``docs/coverage_measurement.md``.
    confidence : float
        Level of the intervals, between 0 and 1.
    seed : int
        Key of the draws, 0 to 2**64 - 1; the same seed gives the same bytes.
    n_threads : int, optional
        One per core by default; the numbers do not depend on it.
    positive : str, optional
        The indicator whose loading is positive in the model of all rows, by default
        the first, as for `cfa`. Every refit is turned to agree with its group's fit,
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
    frame = rows_to_fit(data)
    refuse_ordered(frame, spec, "bootstrap_cfa")
    columns = indicator_columns(frame, spec)
    group_name, group_codes, labels = grouping(frame, group)
    if cluster is None:
        raise DataError("bootstrap_cfa resamples subjects: name their column with cluster=")
    cluster_name, values = column_or_array(frame, cluster, argument="cluster", what="data")
    subjects, _ = label_codes(values, name=cluster_name, what="data")
    used = ~np.isnan(columns).any(axis=1)
    request = FitRequest(
        spec, columns[used], None if group is None else group_codes[used], n_groups=len(labels)
    )
    check_determined(request, labels, group_name)
    target, _ = whole_sample(
        columns[used],
        group_codes[used],
        spec.indicators.index(where_to.indicators[spec.factors[0]]),
    )
    drawn = []
    for code, label in enumerate(labels):
        mine = used & (group_codes == code)
        where = "" if group_name is None else f" in group {label!r} of {group_name!r}"
        drawn.append(
            _draw(columns[mine], subjects[mine], n_boot, target, seed=seed,
                  n_threads=n_threads, where=where)
        )  # fmt: skip
    result = CFABootstrapResult(
        spec, tuple(labels), group_name, cluster_name, tuple(drawn), method, float(confidence),
        int(seed), int((~used).sum()), where_to,
    )  # fmt: skip
    _warn(result)
    return result


def _quantities(
    loadings: NDArray[np.float64], residuals: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return every quantity of each fit (B, p) as (B, 4 p + 1), past residual variances of 0.

    Reliability is ``I / (1 + I)`` and weights ``lambda / theta / I`` with
    ``I = sum lambda^2 / theta``; both times the product of all theta, so that nothing is
    divided by a theta near 0.
    """
    p = loadings.shape[1]
    others = np.stack([np.delete(residuals, j, axis=1).prod(axis=1) for j in range(p)], axis=1)
    information = (loadings**2 * others).sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.column_stack(
            [
                loadings, loadings / np.sqrt(loadings**2 + residuals), residuals,
                loadings * others / information,
                information / (information + residuals.prod(axis=1, keepdims=True)),
            ]
        )  # fmt: skip


def _draw(
    rows: NDArray[np.float64],
    subjects: NDArray[np.int64],
    n_boot: int,
    target: NDArray[np.float64],
    *,
    seed: int,
    n_threads: int | None,
    where: str,
) -> GroupDraws:
    present, codes = np.unique(subjects, return_inverse=True)
    G, p = len(present), rows.shape[1]
    if G < 2:
        raise DataError(
            f"there is only one subject{where}; without a second one nothing can be said about "
            "how the model varies between subjects"
        )
    sums = cluster_sums(rows - rows.mean(axis=0), codes, G)
    whole = np.vstack([np.ones((1, G)), 1.0 - np.eye(G)])
    loadings, residuals, _ = fit_resampled(sums, whole, p, n_threads=n_threads)
    loadings = all_agreeing(loadings, residuals, target)
    fixed = _quantities(loadings, residuals)
    spread = np.sqrt(sums[:, _squares(p)].sum(axis=0) / len(rows))
    replicates = np.empty((n_boot, fixed.shape[1]))
    n_failed = n_improper = 0
    for first, size in pieces(n_boot, start=64, label="refitting", show=False):
        counts = draw_counts((G,), size, seed=seed, first=first)
        drawn, left, reasons = fit_resampled(sums, counts, p, n_threads=n_threads)
        failed = np.array([reason != "" for reason in reasons])
        improper = ~failed & (left <= 0).any(axis=1)
        values = replicates[first : first + size]
        values[:] = _quantities(agreeing(drawn, left, fixed[0, p : 2 * p]), left)
        values[improper] = np.nan
        n_failed += int(failed.sum())
        n_improper += int(improper.sum())
    estimate = fixed[0].copy()
    if (residuals[0] <= 0).any():
        # Of an inadmissible fit neither weights nor reliability have a meaning.
        estimate[3 * p :] = np.nan
    unit = np.concatenate([spread, np.ones(3 * p + 1)])
    return GroupDraws(
        estimate, replicates, fixed[1:], unit, sums[:, 0], len(rows), G,
        n_failed, n_improper,
    )  # fmt: skip


def _squares(p: int) -> NDArray[np.int64]:
    """Return where the sums of squares stand in a row of `cluster_sums`."""
    first, second = np.triu_indices(p)
    return 1 + p + np.flatnonzero(first == second)


def _warn(result: CFABootstrapResult) -> None:
    for label, group in zip(result.labels, result.groups, strict=True):
        where = "" if result.group_name is None else f" in group {label!r}"
        if result.method == "jackknife_t":
            if group.n_clusters < _FEWEST:
                warn_user(
                    f"there are only {group.n_clusters} subjects{where}: fewer than those with "
                    "whom coverage was tried",
                    FewSubjectsWarning,
                )
            continue
        if group.n_clusters < _FEW:
            warn_user(
                f"there are only {group.n_clusters} subjects{where}: bootstrap intervals are "
                "too short with so few, and the draws too coarse; method='jackknife_t' holds",
                FewSubjectsWarning,
            )
        lost = group.n_failed + group.n_inadmissible
        n_boot = len(group.replicates)
        if lost > SOME_UNDEFINED * n_boot:
            warn_user(
                f"{lost} of {n_boot} refits{where} {'has' if lost == 1 else 'have'} no solution "
                f"({group.n_failed}) or a "
                f"residual variance that is not positive ({group.n_inadmissible}); the "
                "intervals leave them out",
                PyexprWarning,
            )
