"""The performance of models beside the highest that the reliability of the ratings allows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import whole_number
from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError
from pyexpr.base.interval_methods import DEFAULT, INTERVAL_METHODS
from pyexpr.base.messages import say
from pyexpr.base.options import FORMER_CONTEXT, explains
from pyexpr.base.stopping import stoppable
from pyexpr.base.tables import (
    called,
    column_or_array,
    frame_with_rows,
    label_codes,
    numeric_column,
)
from pyexpr.core.streams import checked_seed
from pyexpr.inference.arguments import checked_names
from pyexpr.inference.ceiling.data import (
    ONE_WAY,
    RATINGS,
    TABLE,
    Columns,
    RatedTargets,
    check_form,
    composite,
    rated_targets,
    sums_of,
)
from pyexpr.inference.ceiling.quantities import OF_MODEL, OF_TRUTH
from pyexpr.inference.ceiling.result import (
    NO_ERRORS_WITHIN,
    NOT_ADJUSTED,
    CeilingContext,
    CeilingDraws,
    CeilingResult,
)
from pyexpr.inference.clusters import check_enough, read_clusters, warn_of_few_clusters
from pyexpr.inference.comparison.predictions import check_truth, named_models
from pyexpr.resampling.intervals.evidence import NO_INTERVALS, Evidence, JackknifeGroup
from pyexpr.resampling.intervals.methods import check_method
from pyexpr.resampling.result import ErrorsWithin, completed

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from pyexpr.base.foreign import FrameLike

_NOT_TAKEN = {
    "adjust": NOT_ADJUSTED,
    "null": NOT_ADJUSTED,
    "stratify": "the variance of targets refers to one population and would differ between strata",
    "n_threads": "replicates are computed quickly from sums per subject in one thread",
}


@stoppable("the ceiling was computed", returns_figure=True)
@explains(not_taken=_NOT_TAKEN, renamed=FORMER_CONTEXT)
def rating_ceiling(
    table: FrameLike,
    ratings_table: FrameLike,
    *,
    truth: str,
    predictions: Iterable[str] | Mapping[str, str],
    targets: str | Sequence[str],
    cluster: str | ArrayLike | None,
    ratings: str = "rating",
    raters: str | None = None,
    question: str | None = None,
    context: str | ArrayLike | None = None,
    form: str | None = None,
    n_boot: int = 2000,
    method: str | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    progress: bool | None = None,
    first_replicate: int = 0,
) -> CeilingResult:
    r"""Compare models with the highest performance that the reliability of the ratings allows.

    A model predicts a score that was computed from ratings, and the ratings have errors that no
    model can predict. No prediction correlates with the score more highly than the square root of
    the reliability of the score, which is the ceiling, and no prediction has a smaller RMSE than
    the standard error of the ratings.

    Parameters
    ----------
    table : DataFrame
        One row per target (a clip): truth, predictions, subject, and the columns in `targets`. Rows
        in which the truth or any prediction is missing are left out for all models, and counted.
    ratings_table : DataFrame
        The ratings from which the truth was computed, in long format: one row per target, rater
        and question. Missing ratings are left out. Ratings of targets that are not in `table` are
        left out, and counted.
    truth : str
        Column of the score: the mean rating of the target, a linear function of it, or a weighted
        sum of the mean ratings of several questions, such as a factor score by Bartlett's method.
    predictions : str, iterable of str, or mapping
        Columns of predictions, in the unit of the truth, or a mapping from the name of a model to
        its column.
    targets : str or list of str
        Columns that together identify the rated target, in both tables.
    cluster : str, array of (n,), or None
        The subject of each row of `table`, as for `compare_models`.
    ratings : str
        Column of the ratings.
    raters : str, optional
        Column that identifies the rater. Required with `question`.
    question : str, optional
        Column of the questions, if the truth combines the ratings of several. Their weights are
        those with which the mean ratings give the truth, in each context separately.
    context : str or array of (n,), optional
        The context of each row of `table`, in each of which everything is computed separately. It
        is not computed over all contexts; call the function without `context` for that.
    form : {None, "ICC(1,k)", "ICC(C,k)"}
        What counts as error of the ratings. ``"ICC(1,k)"``: all differences between the raters of a
        target. ``"ICC(C,k)"``: these without the severity of the raters. It requires that every
        rater rated every target, so that severity does not contribute to differences between
        targets. By default ``"ICC(1,k)"``; it is an error if every rater rated every target and no
        form was chosen.
    n_boot, confidence, seed, progress, first_replicate
        As for `compare_models`. The draws are the same.
    method : str, optional
        Method of the intervals: those of `compare_models` except the studentized methods. The
        default is jackknife_t.

    Returns
    -------
    CeilingResult

    Raises
    ------
    ColumnError
        If a column does not exist or does not contain numbers, or the truth is not a weighted sum
        of the mean ratings.
    DataError
        If a row has no rating, two rows are of one target, a rater rated a target twice, or an
        option is unknown.
    Interrupted
        If Ctrl-C is pressed. Its ``result`` holds the replicates computed until then.

    Warns
    -----
    FewSubjectsWarning
        With fewer than 20 subjects in some context.

    Notes
    -----
    Let :math:`z_{ij}` be the score of target i by rater j (with several questions the weighted sum
    of the rater's ratings), :math:`n_i` its number of raters, N the number of targets,
    :math:`MSW = \sum_{ij} (z_{ij} - \bar z_i)^2 / \sum_i (n_i - 1)` and :math:`s^2` the variance of
    the truth y with divisor N - 1. The variance of the error of the ratings is
    :math:`e^2 = MSW \cdot N^{-1} \sum_i 1/n_i`, the reliability :math:`\rho = 1 - e^2 / s^2`, which
    with equal :math:`n_i` is ICC(1,k), and the ceiling :math:`\sqrt \rho`. For ``"ICC(C,k)"`` MSW
    is the residual mean square of targets by raters. The correlation with the error-free score is
    :math:`r / \sqrt \rho` (Spearman, 1904), which sampling error can carry beyond 1. The RMSE for
    the error-free score is :math:`\sqrt{MSE - e^2}`, and the share of the ratings in the mean
    squared error :math:`e^2 / MSE`. All of these assume that the errors of the ratings are
    independent of the predictions.

    One draw of subjects, or one subject left out, changes the ratings, the truth and the
    predictions together, so that the intervals account for the uncertainty of the reliability. The
    scale of the interval is :math:`-\sqrt{1 - \rho}` for the reliability and the ceiling,
    :math:`\sqrt[3]{1 + x} - \sqrt[3]{1 - x}` for the error-free correlation, the logarithm for the
    error-free RMSE, and otherwise that of `compare_models`. The coverage is reported in
    ``docs/coverage_ceiling.md``.

    Checked against: `icc` and `compare_models`; `psych::correct.cor`; simulation with known
    error-free scores.

    References
    ----------
    Spearman, C. (1904). The proof and measurement of association between two things. American
    Journal of Psychology, 15, 72-101. https://doi.org/10.2307/1412159
    Lord, F. M. and Novick, M. R. (1968). Statistical theories of mental test scores, chapter 3.
    Addison-Wesley.

    Examples
    --------
    Forty subjects with five clips, each rated by four raters:

    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> true = rng.normal(size=200)
    >>> scores = true[:, None] + rng.normal(size=(200, 4))
    >>> rated = pd.DataFrame({"clip": np.repeat(np.arange(200), 4), "rating": scores.ravel()})
    >>> rows = pd.DataFrame({
    ...     "clip": np.arange(200), "subject": np.arange(200) // 5, "y": scores.mean(axis=1),
    ...     "model": 0.5 * true + 0.4 * rng.normal(size=200),
    ... })
    >>> found = rating_ceiling(
    ...     rows, rated, truth="y", predictions="model", targets="clip", cluster="subject", n_boot=0
    ... )
    >>> print(found.tidy()[["metric", "term", "estimate", "conf_low", "conf_high"]].round(2))
                       metric   term  estimate  conf_low  conf_high
    0             reliability      y      0.78      0.72       0.83
    1                 ceiling      y      0.88      0.85       0.91
    2            rating_error      y      0.50      0.47       0.53
    3             correlation  model      0.68      0.59       0.75
    4  error_free_correlation  model      0.77      0.67       0.85
    5                    rmse  model      0.79      0.71       0.88
    6         error_free_rmse  model      0.61      0.50       0.73
    7            rating_share  model      0.41      0.30       0.51
    """
    frame = frame_with_rows(table, what=TABLE)
    rated = frame_with_rows(ratings_table, what=RATINGS)
    check_method(method, confidence, n_boot)
    if INTERVAL_METHODS[method or DEFAULT].errors_within:
        raise DataError(NO_ERRORS_WITHIN)
    first = whole_number(first_replicate, argument="first_replicate", least=0)
    check_form(form, raters)
    columns = Columns(
        checked_names(targets, argument=say("{targets=}")), str(ratings), raters, question
    )
    y, p, models = _values(frame, truth, predictions)
    used = ~np.isnan(y) & ~np.isnan(p).any(axis=0)
    if not used.any():
        raise DataError(f"no row of {called(frame, TABLE)} has the truth and every prediction")
    name, codes, labels, memberships = read_clusters(frame, cluster, what=TABLE)
    if memberships is not None:
        raise DataError(say("the ceiling requires one column of subjects in {cluster=}"))
    check_enough(codes, labels, used)
    found = rated_targets(frame, used, rated, columns)
    contexts, incomplete = _contexts(frame, context, used, codes, y, p, found, form)
    draws = CeilingDraws(contexts, checked_seed(seed), progress)
    drawn = draws.replicates(first, int(n_boot))
    warn_of_few_clusters(min(len(one.subjects) for one in contexts))
    result = CeilingResult(
        evidence=_evidence(draws, drawn.values, first),
        intervals=NO_INTERVALS,
        draws=draws,
        clusters=tuple(labels),
        cluster_name=name,
        first_replicate=first,
        truth=truth,
        models=models,
        form=form or ONE_WAY,
        n_questions=found.n_questions,
        n_left_out=int((~used).sum()),
        n_other=found.n_other,
        n_incomplete=incomplete,
    )
    return completed(result, int(n_boot), method, confidence, None)


def _values(
    frame: pd.DataFrame, truth: str, predictions: Iterable[str] | Mapping[str, str]
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[str, ...]]:
    """Return the truth (n,), the predictions (models, n) and the names of the models."""
    check_truth(truth)
    named = named_models(predictions)
    found = []
    for name, model in named.items():
        if len(model.values) > 1 or model.truth is not None:
            raise DataError(
                say(
                    "the ceiling is that of one truth and one column of predictions per model, but "
                    "{name:model} has several columns or a truth of its own",
                    name=name,
                )
            )
        found.append(numeric_column(frame, model.values[0], what=TABLE))
    return numeric_column(frame, truth, what=TABLE), np.array(found), tuple(named)


def _contexts(
    frame: pd.DataFrame,
    context: str | ArrayLike | None,
    used: NDArray[np.bool_],
    subjects: NDArray[np.int64],
    y: NDArray[np.float64],
    p: NDArray[np.float64],
    ratings: RatedTargets,
    form: str | None,
) -> tuple[tuple[CeilingContext, ...], int]:
    """Return the sums of each context, and how many ratings they leave out."""
    labels: list[Any] = [ALL]
    of_row = np.zeros(len(frame), dtype=np.int64)
    if context is not None:
        name, series = column_or_array(frame, context, argument="context", what=TABLE)
        of_row, labels = label_codes(series, name=name, what=TABLE, keep_order=True)
    found, incomplete = [], 0
    for code, label in enumerate(labels):
        rows = np.flatnonzero(used & (of_row == code))
        if not len(rows):
            continue
        where = "" if context is None else say(" in context {context:label}", context=str(label))
        present, own = np.unique(subjects[rows], return_inverse=True)
        scores = composite(ratings, rows, y[rows], where)
        sums = sums_of(scores, own.reshape(-1), y[rows], p[:, rows], form, where)
        found.append(CeilingContext(str(label), sums, present, len(rows)))
        incomplete += scores.n_incomplete
    return tuple(found), incomplete


def _evidence(draws: CeilingDraws, replicates: NDArray[np.float64], first: int) -> Evidence:
    estimate: list[NDArray[np.float64]] = []
    reasons: list[str] = []
    scales: list[str] = []
    groups: list[JackknifeGroup] = []
    start = 0
    for one in draws.contexts:
        own = [*OF_TRUTH.values(), *list(OF_MODEL.values()) * one.sums.n_models]
        estimate.append(one.sums.estimate())
        reasons += one.sums.reasons()
        scales += own
        groups.append(
            JackknifeGroup(
                np.arange(start, start + len(own)),
                one.sums.without_each(),
                (len(one.subjects),),
                effective=np.full((len(own), 1), one.sums.worth()),
                clusters=one.subjects,
            )
        )
        start += len(own)
    return Evidence(
        estimate=np.concatenate(estimate),
        scale=scales,
        simple_df=np.zeros(start, dtype=bool),
        null=np.full(start, np.nan),
        replicates=replicates,
        groups=groups,
        reason=reasons,
        replicate_errors=ErrorsWithin(draws, replicates.shape[1], first),
    )
