"""Slopes of contexts pooled in part: a multilevel model beside the separate fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import confidence_level
from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import say
from pyexpr.base.options import FORMER_CONTEXT, explains
from pyexpr.base.stopping import stoppable
from pyexpr.inference.clusters import warn_of_few_subjects_for_slopes
from pyexpr.inference.coefficients.cluster_ols import cluster_ols
from pyexpr.inference.coefficients.data import CoefficientData, read_data
from pyexpr.inference.coefficients.slopes import least_squares_problem
from pyexpr.inference.pooling.design import CONTEXTS, SUBJECT_EFFECTS, products_of
from pyexpr.inference.pooling.estimates import FEWEST_CONTEXTS, pooling_of
from pyexpr.inference.pooling.notes import NO_DRAWS, NO_TUNING, NOT_ADJUSTED
from pyexpr.inference.pooling.reml import LEAST_RESIDUAL, fit_reml
from pyexpr.inference.pooling.result import PooledCoefficientResult

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from pyexpr.base.foreign import FrameLike

_NOT_TAKEN = {
    "adjust": NOT_ADJUSTED,
    "alpha": NO_TUNING,
    "l1_ratio": NO_TUNING,
    "n_boot": NO_DRAWS,
    "seed": NO_DRAWS,
}


@stoppable("slopes were estimated", returns_figure=True)
@explains(not_taken=_NOT_TAKEN, renamed=FORMER_CONTEXT)
def pooled_coefficients(
    X: FrameLike | NDArray[Any],
    y: ArrayLike,
    *,
    context: str | ArrayLike,
    cluster: str | ArrayLike,
    subject_effects: str = CONTEXTS,
    rows: ArrayLike | None = None,
    confidence: float = 0.95,
) -> PooledCoefficientResult:
    r"""Estimate slopes per context that are pooled in part, by a multilevel model.

    Separate slopes of each context are unbiased, but vary much if a context has few subjects; one
    slope for all contexts hides how they differ. The multilevel model is between the two: it
    estimates how much the slopes of a feature differ between contexts, and draws each slope towards
    the common slope. The less information a context has, the more its slope is drawn.

    Parameters
    ----------
    X : DataFrame or array_like, shape (n, p)
        The features in their original units, and the columns named by `context` and `cluster`. Rows
        with a missing feature or label are left out and counted.
    y : array_like, shape (n,)
        The label, on one scale in all contexts.
    context, cluster : str or array_like, shape (n,)
        The context and the subject of each row. At least three contexts.
    subject_effects : {"contexts", "slopes", "intercepts"}
        What varies between subjects in the model, each with a variance of its own. "intercepts":
        intercepts. "slopes": also the slope of each feature. "contexts": also intercepts and slopes
        of the subject in single contexts. If the model leaves out something that varies, it
        attributes the variation to differences between contexts, and pools too little.
    rows : array_like of bool, shape (n,), optional
        The rows to use, such as the training part. By default all rows.
    confidence : float
        Level of all intervals.

    Returns
    -------
    PooledCoefficientResult
        ``tidy()``, ``contrasts()``, ``variation()``, ``variances()``, ``interval()``, ``plot()``.

    Raises
    ------
    DataError, ColumnError
        If columns are missing or not numeric, there are fewer than three contexts, a feature varies
        in fewer than three, a context has only one subject, there are too many features for the
        subjects of a context, features are linearly dependent, or the label is explained
        completely.

    Warns
    -----
    FewSubjectsWarning
        If a context has fewer than 20 subjects.

    Notes
    -----
    For row i of subject s in context c,

    .. math::

        y_i = a_c + u_s + t_{sc} + \sum_j (\beta_j + b_{jc} + v_{js} + w_{jsc}) x_{ij} + e_i,
        \quad b_{jc} \sim N(0, \tau_j^2),

    where u, t, v, w and e are normally distributed with variances of their own, and all are
    independent. Features are centred within their context and divided by their standard
    deviation pooled within contexts. The variances are estimated by REML, none below 0. The
    separate slopes are those of generalised least squares, that is of this model without
    assumptions on :math:`b_{jc}`; they differ from those of `context_coefficients`, in which all
    rows have equal weights. The pooled slopes are the model's best linear unbiased predictions of
    :math:`\beta_j + b_{jc}`.

    Intervals do not assume that the model of subjects is right. The separate slopes have a
    cluster-robust covariance (CR2 with Satterthwaite's degrees of freedom). The interval of a
    pooled slope accounts for the sampling of subjects, for the bias of pooling, and for the
    uncertainty of :math:`\tau_j`, by a mixture of Student's t over the confidence distribution of
    :math:`\tau_j` (Iyer, Wang and Mathew 2004). This distribution comes from the weighted sum of
    squares of the separate slopes, whose F statistic at :math:`\tau_j = 0` is the test of no
    difference between contexts; with independent slopes of known variance its limits are those of
    Viechtbauer (2007). It is assumed that the slopes of contexts are normally distributed: the
    intervals then cover on average over contexts. For one context whose slope differs much from all
    others they cover less often. The coverage is reported in ``docs/coverage_pooling.md``.

    Checked against: `lme4` (variances, criterion, common slopes and predictions, in balanced and
    unbalanced designs); `context_coefficients`, where subjects do not vary; simulation with known
    slopes.

    References
    ----------
    Gelman, A. and Hill, J. (2007). Data analysis using regression and multilevel/hierarchical
    models. Cambridge University Press. https://doi.org/10.1017/CBO9780511790942
    Iyer, H. K., Wang, C. M. J. and Mathew, T. (2004). Models and confidence intervals for true
    values in interlaboratory trials. Journal of the American Statistical Association, 99,
    1060-1071. https://doi.org/10.1198/016214504000001682
    Viechtbauer, W. (2007). Confidence intervals for the amount of heterogeneity in meta-analysis.
    Statistics in Medicine, 26, 37-52. https://doi.org/10.1002/sim.2514

    Examples
    --------
    Thirty subjects in four contexts. The slope of smiling differs between contexts, and that of
    nodding does not:

    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> X = pd.DataFrame({"subject": np.repeat(np.arange(30), 12),
    ...                   "task": ["joy", "fear", "pain", "rest"] * 90,
    ...                   "smile": rng.normal(size=360), "nod": rng.normal(size=360)})
    >>> slope = X["task"].map({"joy": 1.0, "fear": 0.4, "pain": 0.1, "rest": 0.5})
    >>> y = slope * X["smile"] + 0.3 * X["nod"] + rng.normal(size=360)
    >>> found = pooled_coefficients(X, y, context="task", cluster="subject")
    >>> table = found.tidy()[["context", "feature", "separate_estimate", "estimate", "shrinkage"]]
    >>> print(table[table["feature"] == "smile"].round(2).to_string(index=False))
    context feature  separate_estimate  estimate  shrinkage
       fear   smile               0.59      0.57       0.16
        joy   smile               0.76      0.73       0.15
       pain   smile               0.13      0.18       0.16
       rest   smile               0.46      0.46       0.17
    """
    from threadpoolctl import threadpool_limits

    level = confidence_level(confidence)
    if subject_effects not in SUBJECT_EFFECTS:
        raise DataError(
            say(
                "{subject_effects=} must be one of {names}, not {given!r}",
                names=listed(SUBJECT_EFFECTS),
                given=subject_effects,
            )
        )
    data = read_data(X, y, context=context, cluster=cluster, y_pooled=None, rows=rows)
    _check(data)
    warn_of_few_subjects_for_slopes(
        {name: len(np.unique(data.subject[data.rows(name)])) for name in data.contexts}
    )
    # With several threads, BLAS would add in another order.
    with threadpool_limits(limits=1, user_api="blas"):
        return _pooled(data, subject_effects, level)


def _pooled(data: CoefficientData, subject_effects: str, level: float) -> PooledCoefficientResult:
    products = products_of(data, subject_effects)
    names = [
        *(
            f"{data.features[j]} in {data.contexts[c]}"
            for c, j in zip(products.context, products.feature, strict=True)
        ),
        *(f"intercept of {name}" for name in data.contexts),
    ]
    # This comes before the iteration, because it names linearly dependent columns.
    separate = cluster_ols(products.X, products.y, products.subject, names=names)
    left_over = products.y - products.X @ separate.coef
    exact = float(left_over @ left_over) <= LEAST_RESIDUAL * products.yy
    mixed = None if exact else fit_reml(products)
    if mixed is None or not mixed.converged:
        raise DataError(
            "REML did not converge, so the slopes cannot be pooled; check for nearly collinear "
            "features, or for a label that the features explain completely"
        )
    pooling = pooling_of(products, mixed, names, data.subjects)
    counts = np.bincount(products.feature)
    return PooledCoefficientResult(
        data=data,
        mixed=mixed,
        pooling=pooling,
        context=products.context,
        slopes=tuple(pooling.mixture(j, np.eye(n)) for j, n in enumerate(counts)),
        common=tuple(pooling.mixture(j, np.ones((1, 1)), common=True) for j in range(len(counts))),
        subject_effects=subject_effects,
        terms=products.terms,
        confidence=level,
    )


def _check(data: CoefficientData) -> None:
    """Raise `DataError` if slopes cannot be pooled."""
    if data.memberships is not None:
        raise DataError(say("pooled slopes require one column of subjects in {cluster=}"))
    n = len(data.contexts)
    if n < FEWEST_CONTEXTS:
        raise DataError(
            say(
                "pooling requires at least {fewest} contexts, because two slopes do not show how "
                "far slopes differ between contexts, but there are only {n}; use "
                "context_coefficients()",
                fewest=FEWEST_CONTEXTS,
                n=n,
            )
        )
    for j, name in enumerate(data.features):
        varies = int((~data.constant[:, j]).sum())
        if varies < FEWEST_CONTEXTS:
            raise DataError(
                say(
                    "feature {name:label} varies in {varies} of {n} contexts, but pooling requires "
                    "{fewest}; leave it out",
                    name=name,
                    varies=varies,
                    n=n,
                    fewest=FEWEST_CONTEXTS,
                )
            )
    if not np.ptp(data.y) > 0:
        raise DataError("the label is constant, so that it has no slopes")
    why = least_squares_problem(data, data.contexts, "context")
    if why:
        raise DataError(
            f"the slopes of each context cannot be estimated separately: {why}; leave features out"
        )
