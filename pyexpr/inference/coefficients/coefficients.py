"""Coefficients by context: descriptive regularised weights, and tested slopes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import checked_threads, confidence_level, further_replicates, whole_number
from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import has_code, say
from pyexpr.base.options import FORMER_CONTEXT, explains
from pyexpr.base.results import Result
from pyexpr.base.stopping import stoppable
from pyexpr.base.versions import versions
from pyexpr.core.streams import BOOTSTRAP, checked_seed
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.figures.weights import coefficients_figure
from pyexpr.inference.clusters import warn_of_few_subjects_for_slopes
from pyexpr.inference.coefficients.cluster_ols import CORRECTIONS
from pyexpr.inference.coefficients.data import CoefficientData, as_fitted, read_data
from pyexpr.inference.coefficients.evidence import CoefficientEvidence
from pyexpr.inference.coefficients.fit import WeightDraws, fit_model, weight_draws
from pyexpr.inference.coefficients.notes import (
    METHODS_APART,
    NOTE_DESPARSIFIED,
    NOTE_DROPPED,
    NOTE_ONE_INTERCEPT,
    NOTE_OWN_INTERCEPTS,
    NOTE_POOLED,
    NOTE_SLOPES,
    NOTE_WEIGHTS,
    OTHER_WEIGHTS,
    REQUESTED,
)
from pyexpr.inference.coefficients.penalised import N_FOLDS, Penalty, read_penalties
from pyexpr.inference.coefficients.slopes import (
    INTERCEPTS,
    METHODS,
    least_squares_problem,
    slope_space,
)
from pyexpr.inference.coefficients.tables import (
    coefficient_table,
    contrast_table,
    influence_table,
    omnibus_table,
    slope_covariance,
    wild_table,
)
from pyexpr.inference.memberships import check_memberships, note_of
from pyexpr.resampling.multiplicity import check_rule
from pyexpr.resampling.ranges import check_parts, in_sequence, note_of_range
from pyexpr.resampling.result import stopped

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    from pyexpr.base.foreign import FrameLike
    from pyexpr.inference.clusters import ClusterColumns

_NOT_TAKEN = {
    "method": METHODS_APART,
    "stratify": "variances of slopes assume subjects from one population, and strata were not "
    "studied",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class CoefficientResult(CoefficientEvidence, Result):
    """Coefficients of every context and over all.

    The regularised weights (with features standardised within the context) and their variation over
    refits to resampled subjects are descriptive and have no p-values. The slopes of the features,
    in units of their standard deviation pooled within contexts, are tested.

    Attributes
    ----------
    data : CoefficientData
        The rows used.
    weights : tuple of Weights
        The weights of each context, then those over all contexts, with their replicates.
    spaces : tuple of SlopeSpace
        The slopes of the contexts, estimated jointly; then those over all contexts.
    draws : WeightDraws
        The source of further replicates.
    intercepts : str
        "context" or "common": the intercepts of the slopes over all contexts.
    first_replicate : int
        Number of the first replicate, counted from 0.
    """

    draws: WeightDraws
    retuned: bool
    why_desparsified: tuple[str, ...]
    intercepts: str = "context"
    remarks: tuple[str, ...] = ()
    first_replicate: int = 0

    def tidy(self) -> pd.DataFrame:
        """Return one row per context and feature.

        Descriptive columns: estimate (the regularised weight), boot_std_error, procedure_low,
        procedure_high (percentile interval of the procedure), selected (proportion of replicates in
        which it is not 0), same_sign (proportion with the sign of the estimate), alpha, l1_ratio,
        n_undefined. Columns of the test: tested_estimate (the slope), tested_std_error, statistic,
        df, n_effective (the effective number of subjects), p_value, conf_low, conf_high, method.
        Further columns: n, n_clusters, reason; after `adjust` also p_adjusted and adjustment.
        """
        return coefficient_table(self)

    def contrasts(self) -> pd.DataFrame:
        """Return the contrasts of all pairs of contexts, with one row per pair and feature.

        Columns: context ("a - b"), feature; of the test: estimate (difference of slopes),
        std_error, statistic, df, n_effective (the smaller of the two slopes), p_value, conf_low,
        conf_high, method; descriptive: weight_difference, boot_std_error, procedure_low,
        procedure_high of the regularised weights, given if the penalty is the same; after `adjust`
        p_adjusted and adjustment; reason; first_context and second_context, the contexts of "a -
        b".

        Raises
        ------
        DataError
            If there is only one context.
        """
        return contrast_table(self)

    def omnibus(self) -> pd.DataFrame:
        """Return the test of equal slopes in all contexts, with one row per feature.

        Columns: feature, statistic (F), df1 (contexts - 1), df2, p_value, method, reason;
        after `adjust` p_adjusted and adjustment (Holm over the features).
        """
        return omnibus_table(self)

    def covariance(self, context: str | None = None) -> pd.DataFrame:
        """Return the cluster-robust covariance matrix of the tested slopes.

        Its diagonal is ``tested_std_error`` squared.

        Parameters
        ----------
        context : str, optional
            A context, or "all" for the slopes over all. None gives the slopes of the
            contexts jointly: contexts that share subjects are not independent.

        Returns
        -------
        DataFrame
            Rows and columns named ``"context: feature"``; NaN where a slope is not tested.

        Raises
        ------
        DataError
            If the slopes are desparsified, for which only standard errors of contrasts are
            available, or if there is no such context.

        Examples
        --------
        >>> import numpy as np
        >>> from pyexpr.inference.coefficients.coefficients import context_coefficients
        >>> rng = np.random.default_rng(1)
        >>> X = {"smile": rng.normal(size=120), "subject": np.repeat(np.arange(20), 6),
        ...      "task": np.tile(["joy", "pain"], 60)}
        >>> found = context_coefficients(X, X["smile"] + rng.normal(size=120), context="task",
        ...                              cluster="subject", alpha=0.1, l1_ratio=0.5, n_boot=0)
        >>> list(found.covariance().columns)
        ['joy: smile', 'pain: smile']
        """
        return slope_covariance(self, context)

    def adjust(self, rule: str) -> CoefficientResult:
        """Return the result with adjusted p-values and simultaneous intervals.

        Families: the features of one context; all contrasts of all features; all
        omnibus tests (always by Holm).

        Parameters
        ----------
        rule : {"holm", "max_t"}
            ``holm``: p-values are adjusted by Holm's method, and each interval has the level ``1 -
            (1 - confidence)/m`` (Bonferroni). An interval may therefore include 0 although the
            adjusted p-value is below the significance level. ``max_t``: p-values and intervals are
            based on the largest test statistic of the family. Each t statistic is transformed to
            the normal scale with its own degrees of freedom, and the largest is compared with
            normal numbers that have the correlations of the subjects' influences on the slopes
            (9,999 draws). A family that contains a slope with fewer than 10 effective subjects is
            adjusted by ``holm`` instead, as the column adjustment states.
        """
        check_rule(rule)
        return replace(self, rule=rule)

    def interval(
        self, *, method: str | None = None, confidence: float | None = None
    ) -> CoefficientResult:
        """Return the result with intervals at another level, from the same refits.

        Parameters
        ----------
        method : None
            Not used: there is one method for weights and one for slopes.
        confidence : float, optional
            By default unchanged.
        """
        if method is not None:
            raise DataError(
                say("{method=} cannot be set: {methods_apart}", methods_apart=METHODS_APART)
            )
        level = self.confidence if confidence is None else confidence_level(confidence)
        return replace(self, confidence=level)

    @stoppable("replicates were added", kept="the result is as it was", returns_figure=True)
    def extend(self, n: int) -> CoefficientResult:
        """Return the result with `n` more refits, as if all had been requested at once.

        Raises
        ------
        Interrupted
            If Ctrl-C is pressed. Its ``result`` holds the replicates computed until then.
        """
        n = further_replicates(n)
        more = self.draws.replicates(self.first_replicate + self.n_boot, n)
        result = self._with_more([(more.weights, self.draws.differences(more))])
        if result.n_boot < self.n_boot + n:
            raise stopped(result.n_boot, self.n_boot + n, result)
        return result

    @stoppable("results were joined", kept="the results are as they were")
    def join(self, *others: CoefficientResult) -> CoefficientResult:
        """Return the result with the replicates of others; see `pyexpr.join`."""
        for other in others:
            options = [
                ("seed", self.seed, other.seed),
                ("confidence", self.confidence, other.confidence),
                ("adjust", self.rule, other.rule),
                ("retune", self.retuned, other.retuned),
                ("intercepts", self.intercepts, other.intercepts),
            ]
            # Slopes have no replicates, so those of the first result are kept.
            one, another = (
                (part.data, part.draws, [part.method_of(space) for space in part.spaces])
                for part in (self, other)
            )
            check_parts(one, another, options, by_kernel=True)
        first, *rest = in_sequence([self, *others])
        return first._with_more(
            [([own.replicates for own in one.weights], one.differences) for one in rest]
        )

    def _with_more(
        self,
        more: Sequence[
            tuple[
                Sequence[NDArray[np.float64]], Mapping[tuple[int, int], NDArray[np.float64] | str]
            ]
        ],
    ) -> CoefficientResult:
        """Return the result with replicates of weights and differences that follow its own."""
        weights = tuple(
            replace(own, replicates=np.concatenate([own.replicates, *values]))
            for own, *values in zip(
                self.weights, *(of_models for of_models, _ in more), strict=True
            )
        )
        differences = {
            pair: old
            if isinstance(old, str)
            else np.concatenate([old, *(of_pairs[pair] for _, of_pairs in more)])
            for pair, old in self.differences.items()
        }
        made = len(weights[0].replicates)
        return replace(self, weights=weights, differences=differences, n_boot=made)

    def influence(self) -> pd.DataFrame:
        """Return the influence of each subject on each tested slope, one row per pair.

        Columns: context, feature, cluster, influence. The latter is the empirical influence value,
        (G - 1) times the decrease of the slope if the subject is left out, where G is the number of
        subjects of the context. For least squares it is computed from the corrected residuals,
        which is exact with ``cr="CR3"`` and approximate otherwise. Slopes that are not tested have
        no rows.
        """
        return influence_table(self)

    def wild(self, *, n_boot: int = 9999, seed: int | None = None) -> pd.DataFrame:
        """Test slopes and contrasts by the wild cluster bootstrap under the null hypothesis.

        Uses the correction `cr` of the fit. Available only for least squares.

        Parameters
        ----------
        n_boot : int
            Number of random draws of multipliers, if there are too many subjects to enumerate all
            signs.
        seed : int, optional
            Seed of the draws, by default that of the fit.

        Returns
        -------
        DataFrame
            Columns context (a label or "a - b"), feature, statistic, p_value, method, reason,
            kind ("level" or "difference"), first_context, second_context ("" of a level).

        Raises
        ------
        DataError
            If the slopes are desparsified.
        """
        key = self.seed if seed is None else checked_seed(seed)
        return wild_table(self, n_boot=n_boot, seed=key)

    def replicates(self, context: str) -> NDArray[np.float64]:
        """Return the refitted weights of a context or of "all", (n_boot, features)."""
        if context not in self.data.models:
            raise DataError(f"there is no context {context!r}, only {listed(self.data.models)}")
        view = self.weights[self.data.models.index(context)].replicates.view()
        view.flags.writeable = False
        return view

    @drawn("contexts and features")
    def plot(
        self, *, names: Mapping[str, str] | None = None, width_mm: float = FULL_WIDTH_MM
    ) -> Figure:
        """Draw weights with intervals of the procedure, and slopes with confidence intervals.

        There is a panel per context, as in figure 4 of the paper.
        """
        return coefficients_figure(
            self.tidy(), names=names, confidence=self.confidence, width_mm=width_mm
        )

    def heading(self) -> str:
        """Return a sentence with the numbers of features, contexts, rows and subjects."""
        d = self.data
        return (
            f"Coefficients of {len(d.features)} features in {len(d.contexts)} contexts, from "
            f"{len(d.y)} rows of {d.n_clusters} subjects ({d.cluster_name}); "
            f"{100 * self.confidence:g} % intervals"
        )

    def notes(self) -> tuple[str, ...]:
        """Return notes on what is tested, what is only descriptive, and what was left out."""
        found: list[str] = [NOTE_WEIGHTS, NOTE_SLOPES, *self.remarks]
        if self.data.memberships is not None:
            found.append(note_of(self.data.memberships))
        if len(self.data.contexts) > 1:
            own = self.intercepts == "context"
            found.append(NOTE_OWN_INTERCEPTS if own else NOTE_ONE_INTERCEPT)
        for space, why in zip(self.spaces, self.why_desparsified, strict=True):
            if space.method == "desparsified":
                several = not has_code(why, REQUESTED) and len(space.slot) > 1
                alike = ", so in all contexts" if several else ""
                found.append(NOTE_DESPARSIFIED(why=why, alike=alike))
        if self.data.y is not self.data.y_tested:
            found.append(NOTE_POOLED)
        if self.data.n_dropped:
            found.append(NOTE_DROPPED(n_dropped=self.data.n_dropped))
        return (*found, *note_of_range(self))

    def provenance(self) -> dict[str, Any]:
        """Return method, confidence, replicates, seed, counts and versions."""
        return {
            "confidence": self.confidence,
            "n_boot": self.n_boot,
            "first_replicate": self.first_replicate,
            "retune": self.retuned,
            "seed": self.seed,
            "stream": BOOTSTRAP,
            "tests": [self.method_of(space) for space in self.spaces],
            "intercepts": self.intercepts,
            "adjust": self.rule,
            "cluster": self.data.cluster_name,
            "n_clusters": self.data.n_clusters,
            "n_rows": len(self.data.y),
            "n_dropped": self.data.n_dropped,
            "versions": versions("scipy", "pandas"),
        }

    @classmethod
    def from_model(
        cls,
        model: Any,
        X: Any,
        y: ArrayLike,
        *,
        cluster: str | ArrayLike,
        context: str | ArrayLike | None = None,
        **options: Any,
    ) -> CoefficientResult:
        """Return the coefficients of a fitted `ContextualRegressor`, with its tuned penalties.

        Parameters
        ----------
        model : ContextualRegressor
            A model of estimators with `alpha_` and `l1_ratio_`, such as `ElasticNetRegressor`.
        X, y
            The rows to which the model was fitted (without the validation rows, unless it was
            refitted to them too), with its columns in any order, and the column named by `cluster`.
        cluster : str or array
            The subject of each row. If it is a column of X, this column is not a feature.
        context : str or array, optional
            The context of each row, by default the column that the model uses.
        **options
            As for `context_coefficients`, except `alpha` and `l1_ratio`, which are those of the
            model. With ``retune=True`` the grid of each model is searched by folds of subjects.

        Raises
        ------
        DataError, ColumnError
            If the model is of another kind, has no penalty (alpha 0), or was fitted to other
            columns; and as for `context_coefficients`.
        """
        given = [name for name in ("alpha", "l1_ratio") if name in options]
        if given:
            raise DataError(
                say(
                    "from_model() does not accept {@given=}, because it uses the penalty of "
                    "the model; use context_coefficients() for another penalty",
                    given=given[0],
                )
            )
        if not getattr(model, "estimators_", None) or not hasattr(model, "pooled_"):
            raise DataError("from_model() needs a ContextualRegressor fitted with contexts")
        fitted = {**{str(k): v for k, v in model.estimators_.items()}, ALL: model.pooled_}
        for name, one in fitted.items():
            if not (hasattr(one, "alpha_") and hasattr(one, "l1_ratio_")):
                raise DataError(
                    f"the model of context {name!r} ({type(one).__name__}) has no alpha_ and "
                    "l1_ratio_; use ElasticNetRegressor"
                )
        X, where = as_fitted(model, X, context=context, cluster=cluster)
        if options.get("retune"):
            alpha = {name: one.alpha for name, one in fitted.items()}
            ratio = {name: one.l1_ratio for name, one in fitted.items()}
        else:
            alpha = {name: one.alpha_ for name, one in fitted.items()}
            ratio = {name: one.l1_ratio_ for name, one in fitted.items()}
        free = [name for name, value in alpha.items() if (np.asarray(value) == 0).any()]
        if free:
            raise DataError(
                f"the model of {listed(free)} has alpha 0; without a penalty, weights refitted "
                "to resampled subjects may not be unique; fit it with a small penalty, such as "
                "1e-6"
            )
        result = context_coefficients(
            X, y, context=where, cluster=cluster, alpha=alpha, l1_ratio=ratio, **options
        )
        others = [
            name
            for name, own in zip(result.data.models, result.weights, strict=True)
            if len(np.ravel(fitted[name].coef_)) != len(own.estimate)
            or not np.allclose(np.ravel(fitted[name].coef_), own.estimate, rtol=1e-6, atol=1e-6)
        ]
        if not others:
            return result
        remark = OTHER_WEIGHTS(models=listed(others))
        return replace(result, remarks=(*result.remarks, remark))


@stoppable("coefficients were estimated", returns_figure=True)
@explains(not_taken=_NOT_TAKEN, renamed=FORMER_CONTEXT)
def context_coefficients(
    X: FrameLike | NDArray[Any],
    y: ArrayLike,
    *,
    context: str | ArrayLike,
    cluster: ClusterColumns,
    alpha: float | Sequence[float] | Mapping[str, Any] | None = None,
    l1_ratio: float | Sequence[float] | Mapping[str, Any] | None = None,
    n_boot: int = 2000,
    retune: bool = False,
    confidence: float = 0.95,
    seed: int = 0,
    cr: str = "CR2",
    rows: ArrayLike | None = None,
    y_pooled: ArrayLike | None = None,
    tests: str | None = None,
    intercepts: str = "context",
    n_folds: int = N_FOLDS,
    adjust: str | None = None,
    n_threads: int | None = None,
    progress: bool | None = None,
    first_replicate: int = 0,
) -> CoefficientResult:
    """Estimate coefficients per context and over all contexts, and test slopes.

    Parameters
    ----------
    X : DataFrame or array_like, shape (n, p)
        The features in their original units, and the columns named by `context` and `cluster`. Rows
        with a missing feature or label are left out and counted.
    y : array_like, shape (n,)
        The label, on its original scale.
    context, cluster : str or array_like, shape (n,)
        The context and the subject of each row. Rows of a subject are not treated as independent.
        `cluster` can also be two columns, of rows that belong to two persons or crossed clusters,
        as for `compare_models`. Slopes are then tested by least squares with the variance described
        there, `alpha` and `l1_ratio` must be one number each, and ``wild()`` is not available.
    alpha, l1_ratio : float, sequence, or mapping, optional
        Penalty of the weights, as in `ElasticNetRegressor`: one number for all models, several
        numbers from which each model is tuned, or a mapping from context (and "all") to either.
        By default the grid of the paper, which is suited to labels with a standard deviation of
        about 1. Tuning uses `n_folds` folds of subjects and the lowest RMSE.
    n_boot : int
        Number of refits to resampled subjects.
    retune : bool
        Whether to tune the penalty again in every refit. Folds consist of subjects and are formed
        before drawing, so that copies of a subject stay together.
    confidence : float
        Level of all intervals.
    seed : int
        Seed of the random draws. Stream 1 draws subjects, stream 2 signs, and stream 5 folds.
    cr : {"CR2", "CR0", "CR1", "CR3"}
        Cluster-robust variance estimator of least squares.
    rows : array_like of bool, shape (n,), optional
        The rows to use, such as the training part. By default all rows.
    y_pooled : array_like, shape (n,), optional
        A label on a common scale for all contexts, for use if `y` has a different scale in each. It
        is used for the weights over all contexts and for all tests. By default `y`.
    tests : {None, "least_squares", "desparsified"}
        The estimator of the tested slopes. By default least squares, but desparsified slopes if the
        number of features is at least half the number of subjects, or if the condition number of a
        context's features exceeds 1e4.
    intercepts : {"context", "common"}
        Intercepts of the slopes over all contexts. "context": one intercept per context, so that
        the slopes are those within contexts. "common": one intercept, so that differences between
        the contexts' means contribute to the slopes. The weights over all contexts always come from
        one model with one intercept.
    n_folds : int
        Number of folds of subjects for tuning.
    adjust : {None, "holm", "max_t"}
        Adjust for multiple tests; see `CoefficientResult.adjust`.
    n_threads : int, optional
        Number of threads. Results do not depend on it.
    progress : bool, optional
        Whether to show a progress bar. By default it is shown on a terminal after one second.
    first_replicate : int
        Number of the first replicate, counted from 0, as for `compare_models`.

    Returns
    -------
    CoefficientResult
        ``tidy()``, ``contrasts()``, ``omnibus()``, ``adjust()``, ``wild()``, ``interval()``,
        ``extend()``, ``influence()``, ``replicates()``, ``plot()``.
        For a fitted `ContextualRegressor` use ``context_coefficients.from_model``, which is
        `CoefficientResult.from_model`.

    Raises
    ------
    DataError, ColumnError
        If columns are missing or not numeric, a context has only one subject, an option is invalid,
        or (with ``tests="least_squares"``) columns are linearly dependent.
    Interrupted
        If Ctrl-C is pressed. Its ``result`` holds the replicates computed until then, if any.

    Warns
    -----
    FewSubjectsWarning
        If a context has fewer than 20 subjects.

    Notes
    -----
    The weights are those of an elastic net, with features standardised (divisor n) within the
    fitted rows and again in every refit. The slopes come from one least-squares regression with an
    intercept and slopes per context. Features are divided by their standard deviation pooled within
    contexts, subjects are clusters across contexts, and inference uses CR2 with Satterthwaite's
    degrees of freedom (`pyexpr.inference.coefficients.cluster_ols`). Over all contexts there is one
    slope per feature and an intercept per context (see `intercepts`).

    ``n_effective``, the effective number of subjects, is one divided by the sum of the subjects'
    squared proportions of a slope's leverage. The leverage is the sum of squares of the residuals
    of the feature, regressed on the other columns. A slope is not tested if one subject has more
    than 80 % of the leverage, or determines the slope alone; ``reason`` names the subject. A
    contrast has the degrees of freedom of the slope with fewer degrees of freedom, if these are
    less than half of Satterthwaite's.

    Sources: Zou and Hastie (2005); Pustejovsky and Tipton (2018); van de Geer et al.
    (2014). Checked against: scikit-learn refitted on the resampled rows, glmnet,
    clubSandwich (if the slopes are based on enough subjects), statsmodels, wildboottest.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> X = pd.DataFrame({"subject": np.repeat(np.arange(30), 8), "task": ["a", "b"] * 120,
    ...                   "smile": rng.normal(size=240), "nod": rng.normal(size=240)})
    >>> y = X["smile"] * np.where(X["task"] == "a", 1.0, 0.0) + rng.normal(size=240)
    >>> result = context_coefficients(X, y, context="task", cluster="subject",
    ...                               alpha=0.1, l1_ratio=0.5, n_boot=200)
    >>> result.omnibus()[["feature", "df1"]].values.tolist()
    [['smile', 1], ['nod', 1]]
    >>> bool(result.contrasts()["p_value"][0] < 0.001)
    True
    """
    from threadpoolctl import threadpool_limits

    _check_options(n_boot, confidence, cr, tests, n_folds)
    if intercepts not in INTERCEPTS:
        raise DataError(
            say(
                "{intercepts=} must be one of {names}, not {given!r}",
                names=listed(INTERCEPTS),
                given=intercepts,
            )
        )
    if adjust is not None:
        check_rule(adjust)
    first = whole_number(first_replicate, argument="first_replicate", least=0)
    key = checked_seed(seed)
    n_threads = checked_threads(n_threads)
    data = read_data(X, y, context=context, cluster=cluster, y_pooled=y_pooled, rows=rows)
    penalties = read_penalties(alpha, l1_ratio, data.models)
    if data.memberships is not None:
        _check_two(data, penalties, cr, tests)
    else:
        warn_of_few_subjects_for_slopes(
            {name: len(np.unique(data.subject[data.rows(name)])) for name in data.contexts}
        )
    if retune and all(penalty.fixed for penalty in penalties):
        raise DataError(
            say("{retune=True} requires a grid; give several values of {alpha=} or {l1_ratio=}")
        )
    fitted = [
        fit_model(
            data, model, penalty, retune=retune, n_folds=n_folds, seed=key, n_threads=n_threads
        )
        for model, penalty in zip(data.models, penalties, strict=True)
    ]
    groups = [data.contexts, *([(ALL,)] if len(data.contexts) > 1 else [])]
    spaces, reasons = [], []
    # With several threads, BLAS adds in another order, and is slower for small matrices.
    with threadpool_limits(limits=1, user_api="blas"):
        for models in groups:
            why = least_squares_problem(data, models, intercepts)
            if why and data.memberships is not None:
                raise DataError(
                    say(
                        "with two memberships in {cluster=} only least squares is available, but "
                        "{why}; leave features out",
                        why=why,
                    )
                )
            method = tests or ("desparsified" if why else "least_squares")
            own = [fitted[data.models.index(model)] for model in models]
            reasons.append(why or REQUESTED)
            spaces.append(
                slope_space(
                    data, models, own, method=method, cr=cr, seed=key, n_threads=n_threads,
                    intercepts=intercepts,
                )
            )  # fmt: skip
    draws = weight_draws(data, fitted, retune=retune, seed=key, progress=progress)
    drawn = draws.replicates(first, int(n_boot))
    made = len(drawn.weights[0])
    result = CoefficientResult(
        data=data,
        weights=tuple(
            one.weights(values) for one, values in zip(fitted, drawn.weights, strict=True)
        ),
        spaces=tuple(spaces),
        differences=draws.differences(drawn),
        draws=draws,
        confidence=float(confidence),
        seed=key,
        n_boot=made,
        rule=adjust,
        retuned=bool(retune),
        why_desparsified=tuple(reasons),
        intercepts=intercepts,
        first_replicate=first,
    )
    if made < n_boot:
        raise stopped(made, int(n_boot), result)
    return result


# Both names give the same: a model is fitted before its coefficients are requested.
context_coefficients.from_model = CoefficientResult.from_model  # type: ignore[attr-defined]


def _check_two(
    data: CoefficientData, penalties: Sequence[Penalty], cr: str, tests: str | None
) -> None:
    """Raise `DataError` for options that are not available with two memberships."""
    assert data.memberships is not None
    for c, name in enumerate((None, *data.contexts)):
        used = np.ones(len(data.y), dtype=bool) if name is None else data.context == c - 1
        check_memberships(data.memberships, data.subject, used, context=name)
    if not all(penalty.fixed for penalty in penalties):
        raise DataError(
            say(
                "tuning needs folds of independent subjects, but {cluster=} has two memberships; "
                "give one {alpha=} and one {l1_ratio=}"
            )
        )
    if cr != "CR2" or tests == "desparsified":
        raise DataError(
            say(
                "with two memberships in {cluster=} slopes are estimated by least squares with a "
                "variance of their own; leave {cr=} and {tests=} out"
            )
        )


def _check_options(n_boot: Any, confidence: Any, cr: str, tests: str | None, n_folds: Any) -> None:
    whole_number(n_boot, argument="n_boot", least=0)
    confidence_level(confidence)
    if cr not in CORRECTIONS:
        raise DataError(
            say("{cr=} must be one of {names}, not {given!r}", names=listed(CORRECTIONS), given=cr)
        )
    if tests is not None and tests not in METHODS:
        raise DataError(
            say(
                "{tests=} must be one of {names} or {value None}, not {given!r}",
                names=listed(METHODS),
                given=tests,
            )
        )
    whole_number(n_folds, argument="n_folds", least=2)
