"""Coefficients by context: regularised weights described, slopes tested beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import checked_threads, confidence_level, further_replicates, whole_number
from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import say, says
from pyexpr.base.options import FORMER_CONTEXT, explains
from pyexpr.base.results import Result
from pyexpr.base.stopping import stoppable
from pyexpr.base.versions import versions
from pyexpr.core.streams import BOOTSTRAP, checked_seed
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.figures.weights import coefficients_figure
from pyexpr.inference.clusters import warn_of_few_subjects_for_slopes
from pyexpr.inference.coefficients.cluster_ols import CORRECTIONS
from pyexpr.inference.coefficients.data import as_fitted, read_data
from pyexpr.inference.coefficients.evidence import CoefficientEvidence
from pyexpr.inference.coefficients.fit import WeightDraws, fit_model, weight_draws
from pyexpr.inference.coefficients.notes import (
    ASKED_FOR,
    METHODS_APART,
    NOTE_DESPARSIFIED,
    NOTE_DROPPED,
    NOTE_ONE_INTERCEPT,
    NOTE_OWN_INTERCEPTS,
    NOTE_POOLED,
    NOTE_SLOPES,
    NOTE_WEIGHTS,
    OTHER_WEIGHTS,
)
from pyexpr.inference.coefficients.penalised import N_FOLDS, read_penalties
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
from pyexpr.resampling.multiplicity import check_rule
from pyexpr.resampling.result import stopped

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    from pyexpr.base.foreign import FrameLike

_NOT_TAKEN = {
    "method": METHODS_APART,
    "stratify": "variances of slopes are of subjects from one population, and strata were not "
    "studied",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class CoefficientResult(CoefficientEvidence, Result):
    """Coefficients of every context and over all.

    Described, without p-values: the regularised weights (features standardised
    within the context) and what refits on resampled subjects make of them. Tested:
    slopes of the features in units of their standard deviation pooled within
    contexts.

    Attributes
    ----------
    data : CoefficientData
        The rows used.
    weights : tuple of Weights
        Of each context, then over all; with their replicates.
    spaces : tuple of SlopeSpace
        The slopes of the contexts, jointly; then those over all.
    draws : WeightDraws
        Makes more replicates.
    intercepts : str
        "context" or "common": of the slopes over all.
    """

    draws: WeightDraws
    retuned: bool
    why_desparsified: tuple[str, ...]
    intercepts: str = "context"
    remarks: tuple[str, ...] = ()

    def tidy(self) -> pd.DataFrame:
        """Return one row per context and feature.

        Described: estimate (the regularised weight), boot_std_error, procedure_low,
        procedure_high (percentile interval of the procedure), selected (share of
        replicates in which it is not 0), same_sign (share with the sign of the
        estimate), alpha, l1_ratio, n_undefined. Tested: tested_estimate (the slope),
        tested_std_error, statistic, df, n_effective (how many subjects the slope
        effectively rests on), p_value, conf_low, conf_high, method. Then n, n_clusters,
        reason; once adjusted also p_adjusted and adjustment.
        """
        return coefficient_table(self)

    def contrasts(self) -> pd.DataFrame:
        """Return the differences between every pair of contexts, a row per pair and feature.

        Columns: context ("a - b"), feature; tested: estimate (difference of slopes),
        std_error, statistic, df, n_effective (of the weaker slope), p_value, conf_low,
        conf_high, method; described:
        weight_difference, boot_std_error, procedure_low, procedure_high, of the
        regularised weights, given where the penalty is common; once adjusted p_adjusted and
        adjustment; reason; first_context and second_context, the two of "a - b".

        Raises
        ------
        DataError
            If there is one context only.
        """
        return contrast_table(self)

    def omnibus(self) -> pd.DataFrame:
        """Return, per feature, the test that its slope is the same in all contexts.

        Columns: feature, statistic (F), df1 (contexts - 1), df2, p_value, method, reason;
        once adjusted p_adjusted and adjustment (Holm over the features).
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
            If the slopes are desparsified, of which there are standard errors of contrasts
            only, or if there is no such context.

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
        """Return the result with its tests judged together and simultaneous intervals.

        Families: the features of one context; all contrasts of all features; all
        omnibus tests (always by Holm).

        Parameters
        ----------
        rule : {"holm", "max_t"}
            ``holm``: p by Holm's steps, each interval at ``1 - (1 - confidence)/m``. That
            is Bonferroni's, so it can hold 0 where the adjusted p is below the level.
            ``max_t``: both from the largest test of the family: each Student's t is brought
            to the normal scale by its own degrees of freedom, and the largest referred to
            normal numbers that are correlated as the subjects' influences on the slopes are
            (9,999 draws).
            A family with a slope on fewer than 10 effective subjects is judged by ``holm``
            all the same, and the column adjustment says so.
        """
        check_rule(rule)
        return replace(self, rule=rule)

    def interval(
        self, *, method: str | None = None, confidence: float | None = None
    ) -> CoefficientResult:
        """Return the same with intervals at another level, from the same refits.

        Parameters
        ----------
        method : None
            There is one method for weights and one for slopes.
        confidence : float, optional
            By default unchanged.
        """
        if method is not None:
            raise DataError(
                say("{method=} cannot be chosen here: {methods_apart}", methods_apart=METHODS_APART)
            )
        level = self.confidence if confidence is None else confidence_level(confidence)
        return replace(self, confidence=level)

    @stoppable("replicates were added", kept="the result is as it was", hands_over=True)
    def extend(self, n: int) -> CoefficientResult:
        """Return the result with `n` more refits: as if all had been asked for at once.

        Raises
        ------
        Interrupted
            If Ctrl-C is pressed; its ``result`` has the replicates made until then.
        """
        n = further_replicates(n)
        more = self.draws.replicates(self.n_boot, n)
        weights = tuple(
            replace(own, replicates=np.concatenate([own.replicates, values]))
            for own, values in zip(self.weights, more.weights, strict=True)
        )
        added = self.draws.differences(more)
        differences = {
            pair: old if isinstance(old, str) else np.concatenate([old, added[pair]])
            for pair, old in self.differences.items()
        }
        made = len(weights[0].replicates)
        result = replace(self, weights=weights, differences=differences, n_boot=made)
        if made < self.n_boot + n:
            raise stopped(made, self.n_boot + n, result)
        return result

    def influence(self) -> pd.DataFrame:
        """Return what each subject adds to each tested slope, one row per slope and subject.

        Columns: context, feature, cluster, influence: the empirical influence value, (G - 1)
        times by how much the slope falls where the subject is left out, G the subjects of the
        context. Of least squares it is that of the corrected residuals: with ``cr="CR3"``
        exactly the subject left out, with the others near it. Slopes that are not tested have no
        rows.
        """
        return influence_table(self)

    def wild(self, *, n_boot: int = 9999, seed: int | None = None) -> pd.DataFrame:
        """Test slopes and contrasts by the wild cluster bootstrap, the null imposed.

        With the correction of the fit; least squares only.

        Parameters
        ----------
        n_boot : int
            Random draws of multipliers, where the subjects are too many to go through
            all signs.
        seed : int, optional
            By default that of the fit.

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

        A panel per context, as the paper's figure 4.
        """
        return coefficients_figure(
            self.tidy(), names=names, confidence=self.confidence, width_mm=width_mm
        )

    def heading(self) -> str:
        """Return what was estimated, from how many rows and subjects."""
        d = self.data
        return (
            f"Coefficients of {len(d.features)} features in {len(d.contexts)} contexts, from "
            f"{len(d.y)} rows of {len(d.subjects)} subjects ({d.cluster_name}); "
            f"{100 * self.confidence:g} % intervals"
        )

    def notes(self) -> tuple[str, ...]:
        """Return what is tested and what is only described, and what was left out."""
        found: list[str] = [NOTE_WEIGHTS, NOTE_SLOPES, *self.remarks]
        if len(self.data.contexts) > 1:
            own = self.intercepts == "context"
            found.append(NOTE_OWN_INTERCEPTS if own else NOTE_ONE_INTERCEPT)
        for space, why in zip(self.spaces, self.why_desparsified, strict=True):
            if space.method == "desparsified":
                several = not says(why, ASKED_FOR) and len(space.slot) > 1
                alike = ", so in all contexts" if several else ""
                found.append(NOTE_DESPARSIFIED(why=why, alike=alike))
        if self.data.y is not self.data.y_tested:
            found.append(NOTE_POOLED)
        if self.data.n_dropped:
            found.append(NOTE_DROPPED(n_dropped=self.data.n_dropped))
        return tuple(found)

    def provenance(self) -> dict[str, Any]:
        """Return method, confidence, replicates, seed, counts and versions."""
        return {
            "confidence": self.confidence,
            "n_boot": self.n_boot,
            "retune": self.retuned,
            "seed": self.seed,
            "stream": BOOTSTRAP,
            "tests": [self.method_of(space) for space in self.spaces],
            "intercepts": self.intercepts,
            "adjust": self.rule,
            "cluster": self.data.cluster_name,
            "n_clusters": len(self.data.subjects),
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
        """Return the coefficients of a fitted `ContextualRegressor`, at the penalties it chose.

        Parameters
        ----------
        model : ContextualRegressor
            Of estimators with `alpha_` and `l1_ratio_`, as `ElasticNetRegressor`.
        X, y
            The rows it was fitted on (without the validation rows, unless refitted on
            them too), in its columns, by name in any order, and the one that `cluster`
            names.
        cluster : str or array
            The subject of each row; a column of X is no feature.
        context : str or array, optional
            By default the column that the model names.
        **options
            As for `context_coefficients`, but for `alpha` and `l1_ratio`, which are the
            model's; with ``retune=True`` each model's own grid is searched by folds of
            subjects.

        Raises
        ------
        DataError, ColumnError
            If the model is no such one, has no penalty (alpha 0), or was fitted on other
            columns; and as `context_coefficients`.
        """
        given = [name for name in ("alpha", "l1_ratio") if name in options]
        if given:
            raise DataError(
                say(
                    "from_model() takes no {@given=}: the penalty is the model's; for "
                    "another use context_coefficients()",
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
                f"the model of {listed(free)} has alpha 0: without a penalty, weights refitted on "
                "resampled subjects need not be unique; fit it with a small one, such as 1e-6"
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


@stoppable("coefficients were estimated", hands_over=True)
@explains(not_taken=_NOT_TAKEN, renamed=FORMER_CONTEXT)
def context_coefficients(
    X: FrameLike | NDArray[Any],
    y: ArrayLike,
    *,
    context: str | ArrayLike,
    cluster: str | ArrayLike,
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
) -> CoefficientResult:
    """Estimate coefficients per context and over all, describe the weights, test the slopes.

    Parameters
    ----------
    X : DataFrame or array_like, shape (n, p)
        Features in their own units, and the columns that `context` and `cluster` name.
        Rows with a missing feature or label are left out and counted.
    y : array_like, shape (n,)
        The label; it keeps its scale.
    context, cluster : str or array_like, shape (n,)
        Context and subject of each row; rows of a subject are not independent.
    alpha, l1_ratio : float, sequence, or mapping, optional
        Penalty of the weights as in `ElasticNetRegressor`: a number for all, several to
        tune on for each, or a mapping from context (and "all") to either. None: the
        paper's grid, for labels of a standard deviation of about 1. Tuned by `n_folds`
        folds of subjects, lowest RMSE.
    n_boot : int
        Refits on resampled subjects.
    retune : bool
        Choose the penalty anew in every refit; folds are made of subjects before
        drawing, so that copies of a subject stay together.
    confidence : float
        Of all intervals.
    seed : int
        Stream 1 draws subjects, 2 signs, 5 folds.
    cr : {"CR2", "CR0", "CR1", "CR3"}
        Cluster-robust variance of least squares.
    rows : array_like of bool, shape (n,), optional
        Which rows to use, such as the training part; None: all.
    y_pooled : array_like, shape (n,), optional
        A label common to all contexts, where `y` has a scale of its own in each: that of
        the weights over all and of everything tested. None: `y`.
    tests : {None, "least_squares", "desparsified"}
        None: least squares, but desparsified slopes where features are at least half as
        many as subjects, or the condition number of a context's features is over 1e4.
    intercepts : {"context", "common"}
        Of the slopes over all: one for each context, so that the slopes are those within
        contexts; or one for all, so that differences between the contexts' means are part
        of them. The weights over all are those of one model with one intercept.
    n_folds : int
        Folds of subjects to tune by.
    adjust : {None, "holm", "max_t"}
        Judge tests together, as `CoefficientResult.adjust`.
    n_threads : int, optional
        The numbers do not depend on it.
    progress : bool, optional
        Whether to show a progress bar. By default it is shown on a terminal after one second.

    Returns
    -------
    CoefficientResult
        ``tidy()``, ``contrasts()``, ``omnibus()``, ``adjust()``, ``wild()``, ``interval()``,
        ``extend()``, ``influence()``, ``replicates()``, ``plot()``.
        For a fitted `ContextualRegressor`: ``context_coefficients.from_model``, which is
        `CoefficientResult.from_model`.

    Raises
    ------
    DataError, ColumnError
        If columns are missing or not numbers, a context has one subject, an option makes
        no sense, or (with ``tests="least_squares"``) columns are linearly dependent.
    Interrupted
        If Ctrl-C is pressed; once replicates are made, its ``result`` has those made until then.

    Warns
    -----
    FewSubjectsWarning
        If a context has fewer than 20 subjects.

    Notes
    -----
    Weights: elastic net of the features standardised (divisor n) within the rows
    fitted; every refit standardises anew. Slopes: one least-squares fit with an
    intercept and slopes per context, features divided by their standard deviation
    pooled within contexts, subjects as clusters across contexts, CR2 with
    Satterthwaite's degrees of freedom (`pyexpr.inference.coefficients.cluster_ols`); over all, one
    slope per feature and an intercept per context (`intercepts`).

    ``n_effective`` is one over the sum of the subjects' squared shares of a slope's
    leverage, the sum of squares of its feature's residuals on the other columns. A slope
    of which one subject has more than 80 %, or that one alone determines, is not tested:
    ``reason`` names the subject. A contrast has the degrees of freedom of its weaker slope
    where these are less than half of Satterthwaite's.

    Sources: Zou and Hastie (2005); Pustejovsky and Tipton (2018); van de Geer et al.
    (2014). Checked against: scikit-learn refitted on the resampled rows, glmnet,
    clubSandwich (where the slopes rest on enough subjects), statsmodels, wildboottest.

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
    key = checked_seed(seed)
    n_threads = checked_threads(n_threads)
    data = read_data(X, y, context=context, cluster=cluster, y_pooled=y_pooled, rows=rows)
    penalties = read_penalties(alpha, l1_ratio, data.models)
    warn_of_few_subjects_for_slopes(
        {name: len(np.unique(data.subject[data.rows(name)])) for name in data.contexts}
    )
    if retune and all(penalty.fixed for penalty in penalties):
        raise DataError(
            say("{retune=True} needs a grid: give several values of {alpha=} or {l1_ratio=}")
        )
    fitted = [
        fit_model(
            data, model, penalty, retune=retune, n_folds=n_folds, seed=key, n_threads=n_threads
        )
        for model, penalty in zip(data.models, penalties, strict=True)
    ]
    groups = [data.contexts, *([(ALL,)] if len(data.contexts) > 1 else [])]
    spaces, reasons = [], []
    for models in groups:
        why = least_squares_problem(data, models, intercepts)
        method = tests or ("desparsified" if why else "least_squares")
        own = [fitted[data.models.index(model)] for model in models]
        reasons.append(why or ASKED_FOR)
        spaces.append(
            slope_space(
                data, models, own, method=method, cr=cr, seed=key, n_threads=n_threads,
                intercepts=intercepts,
            )
        )  # fmt: skip
    draws = weight_draws(data, fitted, retune=retune, seed=key, progress=progress)
    drawn = draws.replicates(0, int(n_boot))
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
    )
    if made < n_boot:
        raise stopped(made, int(n_boot), result)
    return result


# The same by either name: a model is fitted before its coefficients are asked for.
context_coefficients.from_model = CoefficientResult.from_model  # type: ignore[attr-defined]


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
