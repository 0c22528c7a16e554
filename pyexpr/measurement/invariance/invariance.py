"""Measurement invariance: tests of equal loadings and intercepts between contexts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pyexpr.base.checks import checked_threads
from pyexpr.base.errors import (
    DataError,
    EngineError,
    SharedSubjectsWarning,
    listed,
    near_names,
    warn_user,
)
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
from pyexpr.measurement.engines.choice import checked_engine
from pyexpr.measurement.engines.protocol import FitRequest
from pyexpr.measurement.factor.cfa import check_determined, check_options
from pyexpr.measurement.factor.orientation import pointing
from pyexpr.measurement.invariance.lavaan import (
    freed_parameters,
    lavaan_fits,
)
from pyexpr.measurement.invariance.notes import INCOMPLETE, OTHER_MODEL
from pyexpr.measurement.invariance.result import NOTHING_DRAWN, Freed, InvarianceResult
from pyexpr.measurement.invariance.wald import (
    constraints_of,
    refit,
)
from pyexpr.measurement.model_syntax import parse_model
from pyexpr.measurement.specification import MeasurementModel
from pyexpr.resampling.multiplicity import check_rule

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from pyexpr.base.foreign import FrameLike
    from pyexpr.measurement.specification import ModelLike

_NOT_TAKEN = {
    "n_boot": NOTHING_DRAWN,
    "method": say("its tests and intervals are those of jackknife_t: {why}", why=NOTHING_DRAWN),
    "stratify": "subjects are left out of all contexts at once, or within contexts if these share "
    "no subjects; additional strata were not studied",
    "progress": "refits without each subject are computed quickly from sums per subject",
}


@stoppable("invariance was tested")
@explains(not_taken=_NOT_TAKEN, renamed=FORMER_CONTEXT)
def invariance(
    data: FrameLike,
    model: ModelLike | MeasurementModel,
    *,
    context: str | ArrayLike,
    cluster: str | ArrayLike | Literal[False] | None = None,
    free: Iterable[str] | Mapping[str, Iterable[str]] = (),
    estimator: str = "ML",
    missing: str = "listwise",
    engine: str = "auto",
    confidence: float = 0.95,
    adjust: str | None = None,
    seed: int = 0,
    n_threads: int | None = None,
    positive: str | None = None,
) -> InvarianceResult:
    r"""Test the equality of loadings (metric) and intercepts (scalar invariance) between contexts.

    The tests are designed for contexts that share subjects. The model is fitted in every context,
    each subject is left out of all contexts at once, and contrasts of the estimates are tested with
    the jackknife covariance matrix of these refits. lavaan's chi-square difference tests and
    changes in fit are reported as well; they treat contexts as independent samples.

    Parameters
    ----------
    data : DataFrame or mapping of columns
        One row per rated clip. Rows with a missing indicator are left out and counted.
    model : dict or str
        As for `cfa`. The jackknife tests are available for one factor with free loadings. For other
        models only lavaan's tests are given.
    context : str or array
        The context of each row; at least two contexts.
    cluster : str, array or False, optional
        The subject of each row. Without it every row counts as a separate subject, which is
        appropriate if rows are people. If the table has a column ``subject`` with repeated values,
        a `SharedSubjectsWarning` is issued; False suppresses it.
    free : list of str, or dict
        Partial invariance. Indicators whose loading and intercept may differ between
        contexts; or ``{"loadings": [...], "intercepts": [...]}``. A free loading also frees the
        intercept, because without equal loadings the intercept depends on the zero point of the
        factor. At least two indicators must remain constrained. This corresponds to lavaan's
        ``group.partial``.
    estimator : {"ML", "MLR"}
        Estimator of lavaan's models. MLR gives scaled differences (Satorra and Bentler, 2001). With
        `cluster` they account for subjects within contexts, but not between contexts.
    missing : {"listwise", "fiml"}
        With fiml lavaan also uses incomplete rows. The jackknife tests require complete rows and
        are not given if any row is incomplete.
    engine : {"auto", "rpy2", "host", "rscript", "native"}
        How lavaan is called; see `cfa`. With "native", or with "auto" if lavaan is not installed,
        the columns of lavaan are NaN with the reason. The jackknife tests do not need R.
    confidence : float
        Level of the intervals of `contrasts`, and significance level used in `notes`.
    adjust : {None, "holm", "max_t"}
        Make the intervals of `contrasts` simultaneous; see `InvarianceResult.adjust`.
    seed : int
        Seed of the random draws of ``max_t``. Nothing else is random.
    n_threads : int, optional
        Number of threads, by default one per core. Results do not depend on it.
    positive : str, optional
        The indicator whose loading is positive in the model of all rows, by default the
        first, as for `cfa`. The signs of all contexts and refits agree with it. No test depends on
        it.

    Returns
    -------
    InvarianceResult
        `tidy()` (configural, metric, scalar), `contrasts()` (differences of single indicators),
        `estimates()`, `fit_measures()`, `glance()`, `notes()`, `interval()`, `adjust()`,
        `influence()`.

    Raises
    ------
    FactorModelError
        If the data of a context do not identify the model; see `cfa`.
    DataError
        If there is only one context, a context has only one subject, `free` contains an unknown
        name, or fewer than two indicators are constrained.
    ColumnError, EngineError

    Warns
    -----
    SharedSubjectsWarning

    Notes
    -----
    With loadings :math:`\lambda_{jg}` and means :math:`m_{jg}` of indicator j in context g
    (intercepts, as the factor mean is 0 in the configural model), where indicator 1 is the first
    constrained indicator: metric :math:`\log(\lambda_{jg}/\lambda_{1g}) -
    \log(\lambda_{j1}/\lambda_{11}) = 0`; scalar :math:`(m_{jg} - m_{j1}) - r_j (m_{1g} - m_{11}) =
    0`, :math:`r_j` the geometric mean of :math:`\lambda_{jg}/\lambda_{1g}` over contexts, so that
    the variance and the mean of the factor may differ. If a ratio differs in sign between
    contexts, ratios without logarithms and their mean are used. With q contrasts d, their
    jackknife covariance V over G subjects and :math:`Q = d'V^{-1}d`: :math:`Q (G - q)/(q (G - 1))
    \sim F(q, G - q)` (Hotelling). If contexts share no subjects, the jackknife is stratified by
    context, and G - 1 becomes G minus the number of contexts. If a context has no solution without
    some subject, the test is undefined, and the reason is given.

    Size and power of these tests and of lavaan's tests: ``docs/coverage_measurement.md``.

    Source: Meredith (1993), Psychometrika 58, 525-543; Hotelling (1931); Efron and Stein
    (1981); Chen (2007), Structural Equation Modeling 14, 464-504 for the cut-offs.

    Checked against lavaan 0.6-14 refitted without each subject, ``lavTestLRT`` and
    ``fitMeasures``; size by simulation.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> subject = np.tile(np.repeat(np.arange(30), 6), 2)
    >>> f = rng.normal(size=30)[subject] + rng.normal(size=360)
    >>> table = {name: f + rng.normal(size=360) for name in ("response", "emotion", "motion")}
    >>> context = np.repeat(["pain", "startle"], 180)
    >>> model = {"expressiveness": list(table)}
    >>> found = invariance(table, model, context=context, cluster=subject, engine="native")
    >>> found.tidy()[["level", "df1", "df2"]]
            level   df1   df2
    0  configural  <NA>  <NA>
    1      metric     2    28
    2      scalar     2    28
    """
    spec = parse_model(model)
    if spec.higher_order:
        raise DataError(
            "invariance does not support higher-order factors, whose loadings and intercepts "
            "would require separate steps; remove these factors"
        )
    where = pointing(positive, spec)
    n_threads = checked_threads(n_threads)
    if estimator == "WLSMV":
        raise DataError(
            say("invariance is for continuous indicators: {estimator=} is 'ML' or 'MLR'")
        )
    check_options(estimator, missing, confidence)
    checked_engine(engine)
    if adjust is not None:
        check_rule(adjust)
    frame = rows_to_fit(data)
    refuse_ordered(frame, spec, "invariance")
    columns = indicator_columns(frame, spec)
    freed = _freed(free, spec)
    if context is None:
        raise DataError(say("invariance compares contexts; name their column in {context=}"))
    context_name, context_codes, labels = contexts_of(frame, context)
    if len(labels) < 2:
        raise DataError(
            say(
                "invariance needs at least two contexts, but {context_name!r} has {n}",
                context_name=context_name,
                n=len(labels),
            )
        )
    cluster_name, subjects, subject_labels = _subjects(frame, cluster)
    absent = np.isnan(columns)
    used = ~(absent.any(axis=1) if missing == "listwise" else absent.all(axis=1))
    request = FitRequest(
        model=spec,
        columns=columns[used],
        group=context_codes[used],
        cluster=subjects[used] if estimator == "MLR" and cluster_name is not None else None,
        n_groups=len(labels),
        estimator=estimator,
        missing=missing if absent.any() else "listwise",
    )
    check_determined(request, labels, str(context_name))
    n_clusters, n_shared = _cluster_counts(
        subjects[used], context_codes[used], labels, context_name
    )
    reason = _no_test(spec, request)
    refits = chosen = None
    if not reason:
        codes = np.unique(subjects[used], return_inverse=True)[1]
        refits = refit(
            columns[used], context_codes[used], codes, len(labels), n_threads,
            at=spec.indicators.index(where.indicators[spec.factors[0]]),
        )  # fmt: skip
        names = spec.indicators
        chosen = constraints_of(
            refits,
            [j for j, name in enumerate(names) if name not in freed.loadings],
            [j for j, name in enumerate(names) if name not in freed.intercepts],
        )
    partial = freed_parameters(spec, freed.loadings, freed.intercepts)
    fits = lavaan_fits(request, partial, engine)
    if reason and not fits.outputs:
        raise EngineError(
            f"nothing can be tested: {reason}, and lavaan gave no result: "
            f"{fits.reasons['configural']}"
        )
    return InvarianceResult(
        spec, tuple(labels), str(context_name), cluster_name,
        tuple(np.bincount(context_codes[used], minlength=len(labels)).tolist()), n_clusters,
        n_shared, int((~used).sum()), freed, refits, chosen, reason, fits, estimator, missing,
        float(confidence), tuple(subject_labels[code] for code in np.unique(subjects[used])),
        adjust, checked_seed(seed),
    )  # fmt: skip


def _freed(free: Iterable[str] | Mapping[str, Iterable[str]], spec: MeasurementModel) -> Freed:
    if isinstance(free, Mapping):
        unknown = [key for key in free if key not in ("loadings", "intercepts")]
        if unknown:
            raise DataError(
                say(
                    "{free=} accepts 'loadings' and 'intercepts', not {names}",
                    names=listed(unknown),
                )
            )
        loadings, own = _names(free.get("loadings", ())), _names(free.get("intercepts", ()))
    else:
        loadings, own = _names(free), ()
    for name in (*loadings, *own):
        if name not in spec.indicators:
            raise DataError(
                say(
                    "{free=} names {name!r}, which is not an indicator; {hint}",
                    name=name,
                    hint=near_names(name, spec.indicators),
                )
            )
    intercepts = tuple(name for name in spec.indicators if name in {*loadings, *own})
    if len(spec.indicators) - len(intercepts) < 2:
        raise DataError(
            say(
                "{free=} leaves {n} of {n_2} indicators constrained; at least two must be "
                "constrained to compare contexts",
                n=len(spec.indicators) - len(intercepts),
                n_2=len(spec.indicators),
            )
        )
    return Freed(tuple(name for name in spec.indicators if name in loadings), intercepts)


def _names(value: Iterable[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Iterable):
        raise DataError(say("{free=} must be a list of indicators, not {value!r}", value=value))
    return tuple(str(name) for name in value)


def _subjects(
    frame: pd.DataFrame, cluster: Any | Literal[False] | None
) -> tuple[str | None, NDArray[np.int64], Sequence[Any]]:
    """Return the name of the clusters' column, codes and labels; rows where there is none."""
    if cluster is None or cluster is False:
        if cluster is None and "subject" in frame.columns and frame["subject"].duplicated().any():
            warn_user(
                say(
                    'rows share subjects (column "subject") and {cluster=} was not '
                    "given, so every row counts as a separate subject; use "
                    "{cluster='subject'} to account for this"
                ),
                SharedSubjectsWarning,
            )
        return None, np.arange(len(frame), dtype=np.int64), range(len(frame))
    name, values = column_or_array(frame, cluster, argument="cluster", what="data")
    return name, *label_codes(values, name=name, what="data")


def _cluster_counts(
    subjects: NDArray[np.int64],
    groups: NDArray[np.int64],
    labels: list[Any],
    context_name: str | None,
) -> tuple[tuple[int, ...], int]:
    """Return subjects per context, and how many are in several; a lone one is an error."""
    pairs = np.unique(np.column_stack([groups, subjects]), axis=0)
    counts = np.bincount(pairs[:, 0], minlength=len(labels))
    for label, count in zip(labels, counts.tolist(), strict=True):
        if count < 2:
            raise DataError(
                f"there is only one subject{in_context(label, context_name)}; at least two are "
                "required to estimate how its estimates vary"
            )
    times = np.unique(pairs[:, 1], return_counts=True)[1]
    return tuple(counts.tolist()), int((times > 1).sum())


def _no_test(spec: MeasurementModel, request: FitRequest) -> str:
    """Why our tests are not defined for this model or these rows; "" if they are."""
    if not spec.plain_factor:
        return OTHER_MODEL
    if request.missing == "fiml":
        return INCOMPLETE
    return ""
