"""Resample subjects through the whole analysis, from the ratings to the comparison of models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import confidence_level, whole_number
from pyexpr.base.errors import DataError, listed
from pyexpr.base.jobs import checked_jobs
from pyexpr.base.messages import say
from pyexpr.base.options import FORMER_CONTEXT, explains
from pyexpr.base.stopping import stoppable
from pyexpr.inference.arguments import checked_names
from pyexpr.modeling.chain.intervals import JACKKNIFE, check_chain_method
from pyexpr.modeling.chain.joined import Joined, join_tables
from pyexpr.modeling.chain.labels import read_labels
from pyexpr.modeling.chain.nets import nets_of
from pyexpr.modeling.chain.notes import INCOMPLETE, UNRATED, WITHOUT_FEATURES
from pyexpr.modeling.chain.performance import METRICS, cells_of
from pyexpr.modeling.chain.rated import Columns, read_rated
from pyexpr.modeling.chain.result import ChainResult
from pyexpr.modeling.chain.results import (
    factor_steps,
    models_step,
    reliability_step,
    subjects_of,
)
from pyexpr.modeling.chain.steps import Chain, Models
from pyexpr.modeling.chain.usual import as_usual, folds_of_rows
from pyexpr.modeling.fitting.final import terms_of
from pyexpr.modeling.fitting.plan import CROSS_VALIDATION, plan, read_scheme, read_strategies
from pyexpr.modeling.fitting.specs import read_models

if TYPE_CHECKING:
    from pyexpr.base.foreign import FrameLike
    from pyexpr.measurement.specification import ModelLike

#: With three subjects the jackknife would leave two, too few for two folds with inner folds.
FEWEST = 4
_DRAWS = 2000


@stoppable("subjects were resampled through the whole analysis")
@explains(renamed=FORMER_CONTEXT)
def bootstrap_chain(
    table: FrameLike,
    ratings_table: FrameLike,
    *,
    features: Sequence[str],
    targets: str | Sequence[str],
    cluster: str,
    context: str | None = None,
    ratings: str = "rating",
    question: str | None = None,
    model: ModelLike | None = None,
    labels: str = "context",
    models: Mapping[str, Any] | None = None,
    context_as: str | Sequence[str] = ("separate", "pooled"),
    folds: int = 5,
    repeats: int = 1,
    inner_folds: int = 5,
    adjust_for: Sequence[str] = (),
    metrics: str | Sequence[str] = ("rmse", "correlation"),
    score_range: float | None = None,
    method: str | None = None,
    n_boot: int | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    n_jobs: int | None = None,
    progress: bool | None = None,
) -> ChainResult:
    r"""Resample subjects through the whole analysis, from the ratings to the comparison of models.

    The usual intervals of a comparison of models take the scores and the fitted models as given.
    But the factor model that made the scores, and the models that predict them, were estimated from
    the same subjects. Here one subject at a time is left out of the whole analysis, or subjects
    are drawn once for the whole analysis: reliability, factor model, scores, scaling of features,
    tuning, models, metrics and their differences are computed again every time.

    Parameters
    ----------
    table : DataFrame
        One row per clip: the columns in `targets`, and the features. Rows with a missing feature,
        and clips without ratings, are left out of the models and counted.
    ratings_table : DataFrame
        One row per clip, rater and question: the columns in `targets`, subject, context, question
        and rating. Missing ratings are left out. Clips without a row in `table` contribute to
        reliability and factor model.
    features : sequence of str
        Numeric columns of `table`.
    targets : str or sequence of str
        Columns that together identify the clip in both tables.
    cluster : str
        Column of the subject in `ratings_table`.
    context : str, optional
        Column of the context in `ratings_table`.
    ratings : str
        Column of the ratings.
    question : str, optional
        Column of the questions. By default there is only one question.
    model : dict or str, optional
        One factor with at least three questions as indicators and free loadings, as for
        `bootstrap_cfa`; its Bartlett scores are the label. By default the label is the mean over
        questions of the mean ratings.
    labels : {"context", "pooled"}
        Which factor model makes the label of a context's own models: that of the context, or the
        one over all contexts. Models over all contexts always use the latter.
    models : mapping of str to ElasticNetRegressor, optional
        Elastic nets by name, which may differ in their grids. By default one with the default grid.
        Other estimators are not available.
    context_as, folds, repeats, inner_folds, adjust_for
        As for `fit_models` with ``scheme="cross_validation"``.
    metrics : str or sequence of str
        Any of "rmse", "nrmse", "mae", "bias", "correlation", "concordance" and "r2". The last
        three are computed within folds and averaged.
    score_range : float, optional
        Width of the score, by which "nrmse" divides RMSE.
    method : {None, "jackknife_t", "percentile"}
        ``"jackknife_t"`` (the default) uses Student's t and the standard error from analyses
        without each subject. ``"percentile"`` uses quantiles of the draws. A draw has only about
        63 % of the subjects, so its models are worse than those of the study, and these intervals
        are shifted towards worse performance. With few subjects there is often no interval, because
        the factor model has no proper solution in more than 10 % of the draws. The coverage of both
        methods is reported in ``docs/coverage_chain.md``.
    n_boot : int, optional
        Number of draws; by default 2,000 for "percentile", and none for "jackknife_t", which does
        not use them.
    confidence : float
        Level of the intervals, between 0 and 1.
    seed : int
        Seed of the folds, as for `fit_models`, and of the draws. The draws are the same as those of
        `compare_models` with the same seed and number of subjects. The random numbers of a draw
        depend only on the seed and its number.
    n_jobs : int, optional
        Number of processes, as in joblib: None is 1, -1 is one per core. Results do not depend on
        it.
    progress : bool, optional
        Whether to show a progress bar. By default it is shown on a terminal after one second.

    Returns
    -------
    ChainResult

    Raises
    ------
    ColumnError
        If a column is missing or does not contain numbers.
    FactorModelError
        If the ratings do not identify the factor model, or it has a negative residual variance.
    DataError
        If there are fewer than 4 subjects, `targets` does not identify the clips, the tables
        disagree on the subject or context of a clip, a model is not an elastic net or has a penalty
        of 0, or an option is unknown.
    Interrupted
        If Ctrl-C is pressed; nothing is kept.

    Warns
    -----
    FewSubjectsWarning
        With fewer than 20 subjects, or subjects with very unequal numbers of clips.

    Notes
    -----
    Let T be any quantity of the analysis of G subjects, and :math:`T_{(i)}` the same quantity of
    the analysis without subject i. The standard error is that of the jackknife,
    :math:`\sqrt{(G - 1)/G \sum_i (T_{(i)} - \bar T)^2}`, on the scale that `compare_models` and
    `bootstrap_cfa` use for the quantity, with their degrees of freedom. G counts the subjects on
    whom the quantity depends: those of the context for its own model and its own factor model,
    otherwise all. Intervals of the reliability without each subject are those of `icc`, with
    subjects as clusters.

    The folds, also those for tuning, are made of subjects before any is drawn or left out. All
    copies of a subject are therefore in the same fold, so that no model predicts a subject to which
    it was fitted, and the folds of the other subjects stay the same if one is left out.

    A draw in which the factor model has no solution, or a negative residual variance, is undefined
    for the quantities that depend on it. It is left out and counted. When one subject is left out,
    the formulas are also used if a residual variance falls below 0, as in `bootstrap_cfa`. A
    correlation is undefined if the model predicts the same value for all rows of a fold.

    Elastic nets and factor models are fitted by the package's own kernels from sums per
    subject. The intervals refer to the procedure: they say how well models perform that are fitted
    in the same way to about (folds - 1)/folds as many subjects. A single split into a training and
    a test part is not available, because it shows nothing about other training subjects.

    Source: Tukey (1958) and Arvesen (1969) for jackknife-t; Davison and Hinkley (1997), chapters 2
    and 5.

    Checked against: scikit-learn's elastic net and the closed solution of a factor with three
    indicators on rows repeated as often as they were drawn; `icc`, `bootstrap_cfa` and `fit_models`
    on all subjects; simulation.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> clips = pd.DataFrame({"subject": np.repeat(np.arange(20), 4), "clip": np.arange(80)})
    >>> clips[["smile", "nod"]] = rng.normal(size=(80, 2))
    >>> felt = clips["smile"] + rng.normal(size=80)
    >>> rated = pd.concat([
    ...     clips[["subject", "clip"]].assign(item=item, rating=felt + rng.normal(size=80))
    ...     for item in ("joy", "warmth", "energy") for rater in range(3)
    ... ])
    >>> result = bootstrap_chain(
    ...     clips, rated, features=["smile", "nod"], targets="clip", cluster="subject",
    ...     question="item", model={"expressiveness": ["joy", "warmth", "energy"]}, metrics="rmse",
    ... )
    >>> table = result.tidy()
    >>> table["step"].value_counts(sort=False).to_dict()
    {'reliability': 3, 'factor_model': 9, 'models': 1}
    """
    level = confidence_level(confidence)
    if n_boot is None:
        n_boot = 0 if method in (None, JACKKNIFE) else _DRAWS
    n_boot = whole_number(n_boot, argument="n_boot", least=0)
    method = check_chain_method(method, level, n_boot)
    if labels not in ("context", "pooled"):
        raise DataError(say("{labels=} must be 'context' or 'pooled', not {given!r}", given=labels))
    wanted = _checked_metrics(metrics)
    columns = Columns(
        checked_names(targets, argument=say("{targets=}")), cluster, context, ratings, question
    )
    n_jobs = checked_jobs(n_jobs)
    scheme = read_scheme(CROSS_VALIDATION, folds, repeats, inner_folds, (0.6, 0.2, 0.2), seed)
    rated = read_rated(ratings_table, columns, level)
    if len(rated.subjects) < FEWEST:
        raise DataError(f"at least {FEWEST} subjects are required, so that one can be left out")
    made = read_labels(rated, model, columns, level)
    joined = join_tables(table, rated, made, columns, features, adjust_for, labels)
    rows = joined.table
    estimators = read_models(
        models, trusted=("sklearn",), inner_folds=scheme.inner_folds, label=rows.names.label
    )
    strategies, _ = read_strategies(context_as, rows)
    parts, _ = plan(rows, scheme, strategies)
    nets = nets_of(estimators, strategies, parts, rows)
    fitted = Models(
        list(nets.values()), joined.x, joined.group, rows.clusters, joined.among,
        scheme.repeats, labels,
    )  # fmt: skip
    everyone = np.ones(len(rated.subjects), dtype=np.int64)
    weights = made.of_all()
    predicted, truth = fitted.predictions(everyone, weights.weight[0], weights.centre[0])
    fold = folds_of_rows(parts, len(rows.y))
    options: dict[str, Any] = {"n_boot": 0, "confidence": level}
    if score_range is not None:
        options["score_range"] = score_range
    fixed = as_usual(predicted, truth, fold, list(nets), rows, scheme.seed, wanted, options)
    terms = list(terms_of(list(nets)).values())
    cells = cells_of(
        fixed.rows, terms, [str(label) for label in rows.context_labels], rows.contexts, fold,
        float(rows.y.mean()), score_range,
    )  # fmt: skip
    chain = Chain(
        rated.reliability, made, replace(fitted, cells=cells), len(rated.subjects), scheme.seed
    )
    without = chain.without_each(n_jobs, progress)
    drawn = chain.drawn(n_boot, n_jobs, progress)
    steps = [reliability_step(rated, drawn[0])]
    steps += factor_steps(made, drawn[1])
    estimate = chain.models.values(everyone, weights.weight[0], weights.centre[0])
    on_whom = subjects_of(fixed.rows, terms, list(nets), rated, labels)
    steps.append(models_step(fixed, estimate, without, drawn[2], on_whom))
    return ChainResult(
        steps=tuple(steps), method=method, confidence=level, n_boot=n_boot, seed=scheme.seed,
        cluster=cluster, n_subjects=len(rated.subjects), n_folds=scheme.folds,
        n_repeats=scheme.repeats, label=rows.names.label,
        models={one.name: one.description for one in estimators},
        remarks=(*_left_out(joined), *fixed.remarks_on_data()),
    )  # fmt: skip


def _left_out(joined: Joined) -> list[str]:
    found: list[str] = []
    if joined.n_unrated:
        found.append(UNRATED(n=joined.n_unrated))
    if joined.n_without_features:
        found.append(WITHOUT_FEATURES(n=joined.n_without_features))
    left_out = joined.table.left_out
    if len(left_out):
        counts = left_out["reason"].value_counts()
        reasons = "; ".join(f"{reason} ({n})" for reason, n in counts.items())
        found.append(INCOMPLETE(n=len(left_out), reasons=reasons))
    return found


def _checked_metrics(metrics: str | Sequence[str]) -> tuple[str, ...]:
    wanted = checked_names(metrics, argument=say("{metrics=}"))
    unknown = [name for name in wanted if name not in METRICS]
    if unknown or not wanted:
        raise DataError(
            say(
                "{metrics=} must be any of {names} here, not {given!r}",
                names=listed(METRICS, most=20),
                given=unknown[0] if unknown else metrics,
            )
        )
    return wanted
