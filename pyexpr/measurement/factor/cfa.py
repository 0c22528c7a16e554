"""Confirmatory factor analysis: from a table of ratings to a fitted measurement model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import confidence_level
from pyexpr.base.errors import DataError, FactorModelError, RError, counted, listed
from pyexpr.base.messages import say
from pyexpr.base.options import FORMER_CONTEXT, explains
from pyexpr.base.stopping import stoppable
from pyexpr.base.tables import column_or_array, label_codes
from pyexpr.measurement.columns import (
    Categories,
    contexts_of,
    in_context,
    indicator_columns,
    ordered_categories,
    refuse_columns_as_factors,
    rows_to_fit,
)
from pyexpr.measurement.engines.choice import ENGINES, checked_engine, fit_with
from pyexpr.measurement.engines.lavaan_options import checked_options
from pyexpr.measurement.engines.protocol import FitOutput, FitRequest
from pyexpr.measurement.factor.cfa_result import CFAResult, Rows
from pyexpr.measurement.factor.notes import never_observed_together
from pyexpr.measurement.factor.orientation import oriented, pointing
from pyexpr.measurement.model_syntax import parse_model
from pyexpr.measurement.specification import MeasurementModel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from pyexpr.base.foreign import FrameLike
    from pyexpr.measurement.specification import ModelLike

# A smallest eigenvalue of the correlation matrix below this, per indicator, is
# rounding: some indicator is a sum of others. The kernel's own limit is lower.
_SINGULAR = 1e-12
# A standard deviation below this share of the root mean square is rounding.
_CONSTANT = 64 * np.finfo(np.float64).eps


@stoppable("the factor model was fitted", kept="there is no result of this fit")
@explains(renamed=FORMER_CONTEXT)
def cfa(
    data: FrameLike,
    model: ModelLike | MeasurementModel,
    *,
    context: str | ArrayLike | None = None,
    cluster: str | ArrayLike | None = None,
    estimator: str = "ML",
    missing: str = "listwise",
    engine: str = "auto",
    confidence: float = 0.95,
    positive: str | Sequence[str] | Mapping[str, str] | None = None,
    equal_loadings: bool = False,
    ordered: bool | str | Sequence[str] | None = None,
    lavaan_options: Mapping[str, Any] | None = None,
) -> CFAResult:
    r"""Fit a measurement model by maximum likelihood.

    The model is ``x = nu + Lambda f + e`` with unit factor variances, so that loadings are in the
    units of the indicators. The sign of a factor is arbitrary; it is chosen such that the loading
    of its first indicator, or of the one named by `positive`, is positive.

    Parameters
    ----------
    data : DataFrame or mapping of columns
        One row per rated clip. Columns may have any names.
    model : dict or str
        ``{"expressiveness": ["response", "emotion", "motion"]}``, or lavaan
        syntax (``=~``, ``~~``, ``~ 1``, with numbers, ``NA``, labels and ``start()``
        before ``*``); several factors need R. A factor may be measured by other factors (``expr =~
        face + voice + body``); their disturbances then have variance 1, as with lavaan's ``std.lv =
        TRUE``. If a loading is fixed (``1*x``), or the factor's variance is freed or has a label,
        the factor has the unit of its first indicator, as in lavaan's ``cfa()``.
    context : str or array, optional
        Fit the model separately in every context, without equality constraints.
    cluster : str or array, optional
        The cluster (subject) of each row. Standard errors then account for the dependence of rows
        within clusters, by the sums of scores per cluster (lavaan's ``robust.cluster``, estimator
        MLR). With fewer than 40 clusters, `bootstrap_cfa` is preferable.
    estimator : {"ML", "MLR", "WLSMV"}
        MLR gives robust standard errors and scaled tests. WLSMV is the estimator for ordered
        indicators, and is their default.
    missing : {"listwise", "fiml"}
        Rows with a missing indicator are left out and counted, or their observed values are used
        (full information maximum likelihood, observed information). If two indicators are never
        observed in the same row, a note names them. With three indicators this is an error, since
        the loadings are then not identified.
    engine : {"auto", "rpy2", "host", "rscript", "native"}
        The software that fits the model: lavaan in this process ("rpy2"), in the R session that
        runs Python ("host"), or in a child process ("rscript"); or C++ ("native": one factor, ML,
        complete rows), which gives the same results as lavaan. "auto" uses the first that works.
        The result names the engine.
    confidence : float
        Level of the intervals.
    positive : str, list of str or dict, optional
        The indicator whose loading is positive in the model of the whole sample. With several
        factors, give one indicator for each, as ``{"factor": "indicator"}`` if an indicator
        measures several. By default the first indicator of each factor. The signs in contexts are
        chosen to agree with the model of all rows (after subtracting the contexts' means). The sign
        of a higher-order factor is chosen last, by the first of its factors.
    equal_loadings : bool
        Constrain the loadings of each factor to be equal within each context (essentially
        tau-equivalent indicators). Two indicators are then sufficient.
    ordered : bool, str or list of str, optional
        Indicators that are treated as ordered categories (True: all), in addition to those that are
        ordered Categoricals. False: none. lavaan fits them by WLSMV: thresholds (``|`` in
        `tidy()`), polychoric correlations, robust tests. Numeric indicators are continuous unless
        they are named here.
    lavaan_options : dict, optional
        Further options of lavaan's ``cfa()``, such as ``{"orthogonal": True}``. Options that pyexpr
        sets itself are an error.

    Returns
    -------
    CFAResult
        `tidy()`, `glance()`, `loadings()`, `scores()`, `reliability()`.

    Raises
    ------
    FactorModelError
        If the data do not identify the model. Its `reason` is ``constant_indicator``,
        ``too_few_indicators``, ``too_few_rows``, ``singular_covariance``, ``nonpositive_product``
        (three indicators whose covariances have a product <= 0), ``nonpositive_covariance`` (equal
        loadings and a mean covariance <= 0) or ``not_converged``. All engines raise the same error;
        except for the last reason, it is raised before an engine is called.
    ColumnError, DataError, EngineError, RError

    Notes
    -----
    Likelihood "normal" (divisor n), with a mean structure, and expected information for ML with
    complete rows. With three indicators the degrees of freedom are 0 and the fit cannot be tested.
    A negative residual variance (Heywood case) is reported as estimated by lavaan: the fit is
    `converged` but not `admissible`.

    Source: Joereskog (1967), Psychometrika 32, 443-482; Rosseel (2012), Journal
    of Statistical Software 48(2).

    Checked against lavaan 0.6-14: HolzingerSwineford1939, table 2 of the paper,
    random covariance matrices.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> f = rng.normal(size=200)
    >>> table = {name: f + rng.normal(size=200) for name in ("response", "emotion", "motion")}
    >>> fit = cfa(table, {"expressiveness": list(table)}, engine="native")
    >>> fit.loadings()["std_loading"].round(2).tolist()
    [0.67, 0.63, 0.69]
    """
    spec = parse_model(model)
    if equal_loadings:
        spec = spec.with_equal_loadings()
    where = pointing(positive, spec)
    frame = rows_to_fit(data)
    categories = ordered_categories(frame, spec, ordered)
    estimator = _estimator(estimator, categories, missing=missing, cluster=cluster)
    check_options(estimator, missing, confidence)
    checked_engine(engine)
    columns = indicator_columns(frame, spec, categories)
    refuse_columns_as_factors(frame, spec)
    context_name, context_codes, labels = contexts_of(frame, context)
    cluster_codes, n_clusters = None, 0
    if cluster is not None:
        cluster_name, values = column_or_array(frame, cluster, argument="cluster", what="data")
        cluster_codes = label_codes(values, name=cluster_name, what="data")[0]
    absent = np.isnan(columns)
    used = ~(absent.any(axis=1) if missing == "listwise" else absent.all(axis=1))
    if cluster_codes is not None:
        n_clusters = len(np.unique(cluster_codes[used]))
        if n_clusters == 1:
            raise DataError(
                say(
                    "all rows used belong to one {cluster_name!r}; {cluster=} requires at "
                    "least two to estimate how estimates vary",
                    cluster_name=cluster_name,
                )
            )
    request = FitRequest(
        model=spec,
        columns=columns[used],
        group=None if context is None else context_codes[used],
        cluster=None if cluster_codes is None else cluster_codes[used],
        n_groups=len(labels),
        estimator="MLR" if cluster_codes is not None else estimator,
        # Without a gap the two are one method, and lavaan changes its information for "ml".
        missing=missing if absent.any() else "listwise",
        ordered=tuple(categories),
        options=checked_options(lavaan_options),
    )
    check_determined(request, labels, context_name)
    try:
        fitted = fit_with(engine, request)
    except RError as error:
        raise _explained(error, request, labels, context_name) from None
    output, largest = oriented(
        fitted.output, spec, where, lambda: pooled_fit(request, fitted.engine)
    )
    return CFAResult(
        model=spec,
        output=output,
        pointing=where,
        largest=largest,
        request=request,
        categories=categories,
        labels=tuple(labels),
        context_name=context_name,
        rows=Rows(columns, context_codes, frame.index),
        n_dropped=int((~used).sum()),
        n_clusters=n_clusters,
        estimator=request.estimator,
        missing=missing,
        engine=fitted.engine,
        confidence=float(confidence),
    )


def _estimator(estimator: str, categories: Categories, *, missing: str, cluster: Any) -> str:
    """Return the estimator that ordered indicators need, or raise an error if it cannot be used."""
    if not categories:
        if estimator == "WLSMV":
            raise DataError(
                say(
                    "{estimator='WLSMV'} is for ordered indicators; name them in {ordered=}, "
                    "or pass them as ordered Categoricals"
                )
            )
        return estimator
    for given, plain, argument in (
        (estimator, ("ML", "WLSMV"), "estimator"), (missing, ("listwise",), "missing"),
        (cluster, (None,), "cluster"),
    ):  # fmt: skip
        if not any(given is value or (isinstance(given, str) and given == value)
                   for value in plain):  # fmt: skip
            raise DataError(
                say(
                    "{names} are ordered indicators, fitted by WLSMV, which lavaan does not "
                    "support with {@argument=}; leave out this argument, or treat the "
                    "indicators as continuous ({ordered=False})",
                    names=listed(categories),
                    argument=argument,
                )
            )
    return "WLSMV"


def check_options(estimator: str, missing: str, confidence: float) -> None:
    """Raise `DataError` for an unknown estimator or rule for missing values, or a wrong level."""
    if estimator not in ("ML", "MLR", "WLSMV"):
        raise DataError(say("{estimator=} must be 'ML' or 'MLR', not {given!r}", given=estimator))
    if missing not in ("listwise", "fiml"):
        raise DataError(
            say("{missing=} must be 'listwise' or 'fiml', not {given!r}", given=missing)
        )
    confidence_level(confidence)


def check_determined(request: FitRequest, labels: list[Any], context_name: str | None) -> None:
    """Raise `FactorModelError` if the data cannot identify the model with any engine."""
    spec = request.model
    if len(spec.factors) == 1 and len(spec.indicators) < 3 and not _is_determined(spec):
        raise FactorModelError(
            say(
                "factor {factors!r} has {many} ({names}); one factor needs at least "
                "three, or two with equal loadings ({equal_loadings=True})",
                factors=spec.factors[0],
                many=counted(len(spec.indicators), "indicator"),
                names=listed(spec.indicators),
            ),
            reason="too_few_indicators",
        )
    _check_higher_order(request)
    for code, label in enumerate(labels):
        rows = request.columns
        if request.group is not None:
            rows = rows[request.group == code]
        where = in_context(label, context_name)
        _check_categories(rows, request, where)
        _check_rows(
            rows, spec, where, complete=request.missing == "listwise" and not request.ordered
        )


def _check_categories(rows: NDArray[np.float64], request: FitRequest, where: str) -> None:
    """Raise `FactorModelError` if a category of an ordered indicator does not occur."""
    for name in request.ordered:
        j = request.model.indicators.index(name)
        every, own = np.unique(request.columns[:, j]), np.unique(rows[:, j])
        if len(own) < len(every) and len(own) > 1:
            gap = int(next(code for code in every if code not in own))
            raise FactorModelError(
                f"the ordered indicator {name!r} has no row of its category number {gap} (of "
                f"{len(every)}){where}: its thresholds cannot be estimated; merge rare "
                "categories",
                reason="empty_category",
            )


def _explained(
    error: RError, request: FitRequest, labels: list[Any], context_name: str | None
) -> RError | FactorModelError:
    """Return an error that names the cause if lavaan's own message does not.

    lavaan 0.7 cannot fit several groups at once if in one of them two indicators are never
    observed together; its message is then "subscript out of bounds".
    """
    if request.group is None or request.missing == "listwise":
        return error
    for code, label in enumerate(labels):
        apart = never_observed_together(
            request.columns[request.group == code], request.model.indicators
        )
        if apart:
            one, other = apart[0]
            return FactorModelError(
                f"lavaan stopped with an error of its own ({error}). No row has both {other!r} and "
                f"{one!r}{in_context(label, context_name)}, and lavaan 0.7 cannot then fit several "
                "contexts in one call; fit this context in a call of its own, or leave out one of "
                "the two indicators",
                reason="never_together",
            )
    return error


def _check_rows(
    rows: NDArray[np.float64], spec: MeasurementModel, where: str, *, complete: bool
) -> None:
    n, p = rows.shape
    if n <= p:
        raise FactorModelError(
            f"the factor model needs more rows than indicators{where}: {counted(n, 'usable row')}, "
            f"{counted(p, 'indicator')}",
            reason="too_few_rows",
        )
    for j, name in enumerate(spec.indicators):
        seen = rows[~np.isnan(rows[:, j]), j] if not complete else rows[:, j]
        if len(seen) == 0 or seen.std() <= _CONSTANT * np.sqrt(np.mean(seen**2)):
            value = f"always {seen[0]:g}" if len(seen) else "always missing"
            raise FactorModelError(
                f"indicator {name!r} is constant{where} ({value}): it carries no information "
                "about a factor",
                reason="constant_indicator",
            )
    if not complete:
        apart = never_observed_together(rows, spec.indicators)
        if apart and p == 3 and spec.plain_factor:
            raise FactorModelError(
                f"no row has both {apart[0][1]!r} and {apart[0][0]!r}{where}: with three "
                "indicators every pair must be observed together to identify the loadings; use "
                "equal loadings, or leave out one of them",
                reason="never_together",
            )
        rows = rows[~np.isnan(rows).any(axis=1)]
        if len(rows) <= p:
            # There are too few complete rows to check the covariances: lavaan's EM decides.
            return
        if (rows.std(axis=0) <= _CONSTANT * np.sqrt(np.mean(rows**2, axis=0))).any():
            return
    correlations = np.asarray(np.corrcoef(rows, rowvar=False), dtype=np.float64)
    if np.linalg.eigvalsh(correlations)[0] <= _SINGULAR * p:
        raise FactorModelError(
            f"the covariance matrix of {listed(spec.indicators)} is singular{where}: one of "
            "them is a linear combination of the others, or a copy",
            reason="singular_covariance",
        )
    if complete and spec.equal_loadings:
        _check_covariances(np.cov(rows, rowvar=False), spec, where)
    if complete and p == 3 and spec.plain_factor:
        _check_product(correlations, spec, where)


def _check_covariances(covariance: NDArray[np.float64], spec: MeasurementModel, where: str) -> None:
    if covariance.sum() <= np.trace(covariance):
        raise FactorModelError(
            "no factor with equal loadings has the covariances of "
            f"{listed(spec.indicators)}{where}: their mean is not positive; reverse the "
            "indicators that are keyed in the opposite direction",
            reason="nonpositive_covariance",
        )


def _check_higher_order(request: FitRequest) -> None:
    """Raise `FactorModelError` for a factor of one or two factors that nothing else determines."""
    spec = request.model
    top = [name for name in spec.factors if name not in spec.measured]
    if not spec.higher_order or (len(top) > 1 and not request.options.get("orthogonal")):
        # Factors beside it covary with it, and may so determine its loadings.
        return
    for factor in top:
        below = [t.rhs for t in spec.terms if t.op == "=~" and t.lhs == factor]
        about = [t for t in spec.scaled_terms if t.lhs == factor and t.op == "=~"]
        about += [t for t in spec.scaled_terms if t.key == (factor, "~~", factor)]
        free = {t.label or t.key for t in about if not t.is_fixed}
        said = any(t.op == "~~" and {t.lhs, t.rhs} & set(below) and t.is_fixed for t in spec.terms)
        labels = {t.label for t in about} - {""}
        shared = any(t.label in labels for t in spec.scaled_terms if t not in about)
        if (
            len(free) > len(below) * (len(below) - 1) // 2
            and len(below) < 3
            and not (said or shared or set(below) & set(spec.indicators))
        ):
            raise FactorModelError(
                f"factor {factor!r} measures {counted(len(below), 'factor')} ({listed(below)}): "
                "a higher-order factor needs at least three, or two with equal loadings "
                f"('{factor} =~ a*{below[0]} + a*{below[-1]}')",
                reason="too_few_indicators",
            )


def _is_determined(spec: MeasurementModel) -> bool:
    """Whether a factor with two indicators has no more parameters than covariances."""
    free = {
        term.label or term.key
        for term in spec.scaled_terms
        if term.op != "~1" and not term.is_fixed
    }
    # Residual variances are free unless the model specifies them.
    specified = {term.key for term in spec.terms}
    free |= {(name, "~~", name) for name in spec.indicators if (name, "~~", name) not in specified}
    return len(spec.indicators) == 2 and len(free) <= 3


def _check_product(r: NDArray[np.float64], spec: MeasurementModel, where: str) -> None:
    product = r[0, 1] * r[0, 2] * r[1, 2]
    if product <= 0:
        raise FactorModelError(
            f"no factor with real loadings has the correlations of {listed(spec.indicators)}"
            f"{where}: {r[0, 1]:.3f}, {r[0, 2]:.3f} and {r[1, 2]:.3f}, whose product is not "
            "positive",
            reason="nonpositive_product",
        )


def pooled_fit(request: FitRequest, engine: str) -> FitOutput | None:
    """Fit the model to all rows after subtracting the contexts' means; None without a solution."""
    columns = request.columns.copy()
    if request.group is not None:
        for code in range(request.n_groups):
            mine = request.group == code
            columns[mine] -= np.nanmean(columns[mine], axis=0)
    alone = replace(request, columns=columns, group=None, cluster=None, n_groups=1, estimator="ML")
    # The kernel and lavaan give the same result, and the kernel is always available.
    plain = (
        request.model.plain_factor
        and not (request.ordered or request.options)
        and not np.isnan(columns).any()
    )
    try:
        return ENGINES["native" if plain else engine]().fit(alone)
    except (FactorModelError, RError):
        return None
