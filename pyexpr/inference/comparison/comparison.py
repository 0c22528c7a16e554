"""Compare models on the same subjects: metrics, differences, intervals and tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import checked_threads, is_number, whole_number
from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError
from pyexpr.base.messages import say
from pyexpr.base.options import FORMER_CONTEXT, explains
from pyexpr.base.row_files import is_row_files
from pyexpr.base.stopping import stoppable
from pyexpr.base.tables import as_frame, called
from pyexpr.core.streams import checked_seed
from pyexpr.inference.clusters import (
    check_enough,
    read_clusters,
    warn_of_few_subjects,
)
from pyexpr.inference.comparison.classes import rarest_class
from pyexpr.inference.comparison.evidence import MetricDraws, gather, only_rounding, worth
from pyexpr.inference.comparison.folds import Folds, FoldsOf, read_folds
from pyexpr.inference.comparison.from_files import FileColumns
from pyexpr.inference.comparison.levels import Levels, build_groups, build_levels, counted_rows
from pyexpr.inference.comparison.metrics import Metrics, checked_metrics
from pyexpr.inference.comparison.nulls import NullDifference, checked_nulls
from pyexpr.inference.comparison.predictions import (
    TABLE,
    Predictions,
    check_class_options,
    read_contexts,
    read_models,
)
from pyexpr.inference.comparison.quantities import (
    ModelValues,
    build_measures,
    build_rows,
    check_names,
    checked_score_range,
    families,
)
from pyexpr.inference.comparison.read_files import read_files
from pyexpr.inference.comparison.result import ComparisonResult
from pyexpr.inference.comparison.rows import IN_MEMORY, Rows
from pyexpr.inference.comparison.two_clusters import refuse_beside
from pyexpr.inference.comparison.units import (
    LeftOut,
    check_whole_units,
    levels_of_units,
    read_units,
)
from pyexpr.inference.memberships import check_memberships
from pyexpr.resampling.intervals.evidence import NO_INTERVALS
from pyexpr.resampling.intervals.methods import check_method
from pyexpr.resampling.multiplicity import check_rule
from pyexpr.resampling.result import completed
from pyexpr.resampling.strata import read_strata

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from pyexpr.base.foreign import FrameLike
    from pyexpr.base.row_files import RowSource
    from pyexpr.inference.clusters import ClusterColumns


@stoppable("models were compared", returns_figure=True)
@explains(renamed=FORMER_CONTEXT)
def compare_models(
    table: FrameLike | RowSource,
    *,
    truth: str,
    predictions: Iterable[str] | Mapping[str, str | Sequence[str] | Predictions],
    cluster: ClusterColumns,
    metrics: Metrics = ("rmse", "correlation"),
    context: str | ArrayLike | None = None,
    pairwise: bool = True,
    ratio: bool = False,
    n_boot: int = 2000,
    method: str | None = None,
    confidence: float = 0.95,
    null: float = 0.0,
    null_difference: NullDifference = 0.0,
    stratify: str | ArrayLike | None = None,
    fold: str | ArrayLike | None = None,
    adjust: str | None = None,
    seed: int = 0,
    n_threads: int | None = None,
    progress: bool | None = None,
    score_range: float | None = None,
    positive: Any = None,
    threshold: float | None = None,
    per: str | ArrayLike | None = None,
    first_replicate: int = 0,
) -> ComparisonResult:
    """Compare models on the same rows by resampling whole subjects.

    Parameters
    ----------
    table : DataFrame, path, or dataset of PyArrow
        One row per clip: a data frame; or the path of a parquet file or of a folder of them, or a
        ``pyarrow.dataset.Dataset``, which are read in batches and need not fit into memory (see
        Notes). Rows in which the truth or any prediction is missing are left out for all
        models, and counted. Only models with a separate truth (`Predictions`) may have missing
        values, and the result states on how many rows each of their columns is evaluated.
    truth : str
        Column of the true score, or, with metrics of classes, of the true class, which is text or
        an integer (True is 1).
    predictions : str, iterable of str, or mapping
        Columns of predictions, in the unit of the truth, or a mapping from the name of a model to
        its column, columns, or `Predictions`. With metrics of classes, a prediction is the
        probability (or another number) of the positive class, or a class.
    cluster : str, array of (n,), tuple of two of them, or None
        The subject of each row. Rows of a subject are not treated as independent. Use ``None`` only
        if the rows are independent; each row is then a separate cluster. Two columns are for rows
        that belong to two clusters, such as ``("person_a", "person_b")`` or ``("subject",
        "stimulus")``; see Notes.
    metrics : str, function, or sequence of them
        Metrics of numbers: ``rmse``, ``nrmse`` (RMSE / `score_range`), ``mae``, ``correlation``
        (Pearson), ``spearman`` (of midranks), ``concordance`` (Lin's, divisor n), ``r2`` (1 -
        SSE/SST about the mean truth of these rows), ``bias`` (mean prediction - truth); each also
        with ``_within`` (deviations from the subject's means, divisor n; not spearman) or
        ``_between`` (subject means, unweighted).

        Metrics of classes: ``auc`` (area under the ROC curve, with ties counted as one half),
        ``accuracy``, ``balanced_accuracy`` (mean recall of the classes), ``f1`` (of the positive
        class), ``f1_macro`` (mean F1 of the classes), ``kappa`` (Cohen's, unweighted), ``brier``
        (mean squared difference of probability and class).

        Other regression metrics of scikit-learn, such as ``median_absolute_error`` or
        ``explained_variance``, named as its function or as its scorer without the prefix ``neg_``.
        Errors are positive, not negated.

        Functions ``metric(truth, prediction) -> float`` of two arrays (n,), named by
        ``__name__`` or by a mapping ``{"name": function}``. Rows are repeated as often as their
        subject was drawn. Functions compiled by ``numba.njit`` are called by the kernel in threads.
        Other functions are called as Python functions, 2,000 times per model and context for 2,000
        replicates. A function must not depend on the order of rows. NaN, an infinite value or an
        exception makes a replicate undefined. ``studentized`` intervals are not available for
        functions.
    context : str or array of (n,), optional
        Compare within each context and over all rows (context ``"all"``), and each
        model between contexts (context ``"a - b"``), all from the same draws. If a context is
        itself called "all", as in the predictions.csv of a study, its rows are used for the results
        over all contexts.
    pairwise : bool
        Whether to compute all differences between models.
    ratio : bool
        Whether to compute ratios of errors (nrmse, rmse, mae, brier) in addition to their
        differences: term ``"p / q"``, or context ``"a / b"``. Intervals are computed for the
        logarithm and back-transformed. The null value is 1.
    n_boot : int
        Number of bootstrap replicates. ``jackknife_t`` does not need any.
    method : str, optional
        Method of the intervals: ``jackknife_t``, ``percentile``, ``basic``, ``normal``, ``bca``,
        ``studentized`` or ``studentized_et``; by default jackknife_t, which is recommended. The
        page "Which interval?" describes the methods.
    confidence : float
        Level of the intervals.
    null : float
        Null value for the test of a single model's correlation, spearman and concordance.
        Bias is tested against 0, AUC against 1/2, balanced accuracy against 1 divided by the
        number of classes, and kappa against 0. Other metrics of a single model are not tested.
    null_difference : float or mapping of metric to float
        Null value for the tests of differences between models and between contexts, in units of
        the metric: with -0.02, that the first error is smaller than the second by 0.02. A mapping
        gives the value of each metric; others have 0. Intervals do not depend on it. Ratios are
        tested against 1.
    stratify : str or array of (n,), optional
        Stratum of each subject. Subjects are drawn within strata.
    fold : str or array of (n,), optional
        The fold in which each row was predicted, if predictions come from cross-validation.
        Correlation, spearman, concordance, R2 and AUC, pooled and between subjects, and functions
        are then computed within folds and averaged, weighted by the number of rows (between
        subjects: of subjects) of each fold. The reason is that over folds even models without
        information are negatively correlated with the truth. Errors and metrics of predicted
        classes, which evaluate each row separately, are computed over all rows. A subject must be
        in one fold, or in one fold within each context.
    adjust : {None, "holm", "max_t"}
        Adjust the tests of differences, with one family per metric and context; see
        `ComparisonResult.adjust`. Requires differences between models.
    seed : int
        Seed of the random draws. The same seed gives identical results with any `n_threads`.
    n_threads : int, optional
        Number of threads, by default one per core.
    progress : bool, optional
        Whether to show a progress bar. By default it is shown on a terminal after one second.
    score_range : float, optional
        Width of the score, the highest possible minus the lowest, by which ``nrmse``
        divides RMSE: 100 for a score from 0 to 100, 7 for factor scores from -3.5 to 3.5.
        It is required for ``nrmse``, and the notes of the result state it.
    positive : label, optional
        The positive class, to which predicted probabilities, AUC, F1 and Brier's score refer. It is
        1 if the classes are 0 and 1. With more than two classes, all others are combined into one.
    threshold : float, optional
        The positive class is predicted if the prediction is at least this number, by default 1/2
        for probabilities. It is required for predictions outside 0 to 1, unless AUC is the only
        metric.
    per : str or array of (n,), optional
        Unit within a subject, such as the recording. Every metric is computed in each unit and
        averaged over units with equal weights. Subjects are resampled with their units. A unit with
        fewer than 3 rows (correlation, spearman, concordance, R2), or in which a metric is
        undefined for some model, is left out for all models, and the notes report how many.
    first_replicate : int
        Number of the first replicate, counted from 0. The random numbers of a replicate depend
        only on the seed and its number, so several calls, on one machine or many, can each compute
        a range of the replicates: ``first_replicate=500, n_boot=1500`` those numbered 500 to
        1,999. `pyexpr.join` joins the results.

    Returns
    -------
    ComparisonResult

    Raises
    ------
    ColumnError
        If a column is missing or holds text, infinities, or nothing at all.
    DataError
        If there is only one subject, a subject is in two strata or in two folds of one
        context, a stratum has one subject, `cluster` is None though a column of subjects
        repeats, or ``nrmse`` is requested without `score_range`; if a function raises an exception
        on all rows, does not return a number, or depends on the order of rows; if a metric cannot
        be computed from the given classes or predictions; or if a unit of `per` has rows of two
        subjects.
    Interrupted
        If Ctrl-C is pressed. Its ``result`` holds the replicates computed until then.

    Warns
    -----
    FewSubjectsWarning
        With fewer than 20 subjects, or if subjects of unequal size are equivalent to fewer than 10
        of equal size. The warning quotes the coverage of the most similar simulated design.

    Notes
    -----
    Most metrics depend on rows only through sums per subject, so a replicate costs O(subjects). AUC
    and Spearman's correlation use rows that are sorted once and cost O(rows). A subject drawn twice
    counts as two subjects. An undefined metric is NaN, and ``reason`` states why; undefined
    replicates are counted. A correlation is undefined for a constant prediction. AUC and balanced
    accuracy require every class, F1 requires a row that belongs to its class or is predicted to,
    and kappa requires more than one class. See Davison and Hinkley (1997), chapters 2, 3.8 and 5.
    Checked against ``boot::boot.ci`` on the same replicates, and against scikit-learn and SciPy on
    resampled rows.

    With two columns in `cluster`, rows are of dyads if the columns have labels in common, so that
    a person may stand in either column; otherwise the two are crossed. The variance is that of
    Aronow, Samii and Assenova (2015), or of Cameron, Gelbach and Miller (2011), with a correction
    for few persons, and not smaller than that of independent pairs; see the page on methods.
    Replicates draw persons, and a row counts as often as the product of how often its two persons
    were drawn (Owen, 2007). `fold`, `stratify`, `per`, metrics within and between subjects, files
    and studentized intervals are not available. At least 6 persons, or 5 of each of two crossed
    memberships, are required, and no person may be in more than half of the rows.

    Parquet files are read in batches, three times: for labels and missing values, for means, and
    for sums about them. Rows are added in their order, so that results are identical to those of
    the table in memory. Only sums per subject (and context, fold or unit) are in memory. Metrics
    of numbers are available, other than pooled ``spearman``; labels must be columns of the files.
    It is a `DataError` if the files differ in their columns or types, or change while they are
    read.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> table = pd.DataFrame({"subject": np.repeat(np.arange(30), 5), "y": rng.normal(size=150)})
    >>> table["good"] = table["y"] + rng.normal(size=150)
    >>> table["poor"] = rng.normal(size=150)
    >>> result = compare_models(
    ...     table, truth="y", predictions=["good", "poor"], cluster="subject", seed=1
    ... )
    >>> result.tidy().query("metric == 'correlation'")["term"].tolist()
    ['good', 'poor', 'good - poor']

    The first 500 replicates, and in another call, or on another machine, those that follow:

    >>> import pyexpr as px
    >>> options = {"truth": "y", "predictions": ["good", "poor"], "cluster": "subject", "seed": 1}
    >>> parts = [
    ...     compare_models(table, n_boot=500, **options),
    ...     compare_models(table, first_replicate=500, n_boot=1500, **options),
    ... ]
    >>> bool((px.join(parts).replicates == result.replicates).all())
    True
    """
    requested = checked_metrics(metrics)
    if not (is_number(null) and -1 < null < 1):
        raise DataError(
            say(
                "{null=} is a correlation, so it must lie between -1 and 1, not {given!r}",
                given=null,
            )
        )
    nulls = checked_nulls(null_difference, list(requested))
    check_method(method, confidence, n_boot)
    start = whole_number(first_replicate, argument="first_replicate", least=0)
    width = checked_score_range(score_range, requested)
    check_class_options(requested, positive, threshold)
    n_threads = checked_threads(n_threads)
    files = None
    if is_row_files(table):
        labels_of_rows = {"cluster": cluster, "context": context, "stratify": stratify,
                          "fold": fold, "per": per}  # fmt: skip
        files = read_files(
            table, truth, predictions, requested, labels_of_rows, n_threads=n_threads,
            progress=progress, what=TABLE,
        )  # fmt: skip
        frame = files.classes.frame()
    else:
        frame = as_frame(table, what=TABLE)
        if not len(frame):
            raise DataError(f"{called(frame, TABLE)} has no rows")
    source = IN_MEMORY if files is None else files
    models, used, classes = read_models(
        frame, truth, predictions, tuple(requested), positive, threshold,
        numbers=None if files is None else FileColumns(files.classes),
    )  # fmt: skip
    clusters = read_clusters(frame, cluster, what=TABLE)
    cluster_name, codes, labels, memberships = clusters
    if memberships is not None:
        refuse_beside(
            {"fold": fold, "stratify": stratify, "per": per, "table": files}, requested, models
        )
    contexts, context_rows = read_contexts(frame, context)
    strata = (
        None if stratify is None else read_strata(frame, stratify, codes, labels, used, what=TABLE)
    )
    check_enough(codes, labels, used)
    if memberships is not None:
        check_memberships(memberships, codes, used)

    def folds_in(given: str | ArrayLike) -> Folds:
        return read_folds(frame, given, codes, labels, contexts, context_rows, used, what=TABLE)

    own_folds = {
        column.fold: folds_in(column.fold)
        for model in models
        for column in model.columns
        if column.fold is not None
    }
    folds = FoldsOf(None if fold is None else folds_in(fold), own_folds)

    units = None
    if per is not None:
        check_whole_units(requested)
        units = read_units(frame, per, codes, labels, what=TABLE)
    measures = build_measures(requested, ratio=ratio)
    rows = build_rows(
        measures, models, contexts, pairwise=pairwise,
        n_classes=len(classes.labels) if classes else 0, averaged=units is not None,
    )  # fmt: skip
    check_names(rows)
    if ratio and not any(row.ratio for row in rows):
        raise DataError(
            say(
                "{ratio=True} divides the errors of two models or contexts; use nrmse, rmse, "
                "mae or brier, and two models with {pairwise=True} or several contexts"
            )
        )
    if adjust is not None:
        check_rule(adjust)
        families(rows)  # raises an error if there are none, before the work and not after it

    def of_subjects() -> tuple[Levels, list[LeftOut]]:
        if units is not None:
            return levels_of_units(
                measures, models, contexts, context_rows, units, len(labels),
                score_range=width or 1.0, classes=classes, source=source,
            )  # fmt: skip
        levels = build_levels(
            measures, models, contexts, context_rows, codes, len(labels),
            score_range=width or 1.0, folds=folds, classes=classes, source=source,
        )  # fmt: skip
        return levels, []

    if files is not None:
        files.add_up(of_subjects)
    levels, left_out = of_subjects()
    groups = tuple(build_groups(rows, levels, strata, memberships))
    draws = MetricDraws(
        groups, len(rows), checked_seed(seed), n_threads, only_rounding(rows, groups), progress
    )
    rarest = None
    if classes is not None:
        first = models[0].columns[0]
        rarest = rarest_class(classes, first.truth[first.rows], codes[first.rows])
    n_clusters = np.zeros(len(rows), dtype=np.int64)
    for group in groups:
        n_clusters[list(group.rows)] = (
            len(group.clusters) if group.memberships is None else min(group.memberships.sizes)
        )
    evidence = gather(
        rows,
        groups,
        draws,
        levels.why_undefined,
        (null, nulls),
        draws.replicates(start, int(n_boot)),
        levels.repeats,
        start,
    )
    if memberships is None:
        warn_of_few_subjects(n_clusters, [row.context for row in rows], worth(evidence))
    n_used = source.count(used)
    result = ComparisonResult(
        evidence=evidence,
        intervals=NO_INTERVALS,
        draws=draws,
        clusters=tuple(labels if memberships is None else memberships.labels),
        cluster_name=cluster_name,
        memberships=memberships,
        first_replicate=start,
        rows=tuple(rows),
        n=np.fromiter(counted_rows(rows, levels, source), dtype=np.int64, count=len(rows)),
        n_clusters=n_clusters,
        n_used=n_used,
        n_dropped=source.count(np.ones(len(frame), dtype=bool)) - n_used,
        own_rows=_own_rows(models, used, source),
        fold_name=folds.name,
        own_all=dict(zip(contexts, context_rows, strict=True)).get(ALL) is not None,
        score_range=width,
        classes=classes,
        rarest=rarest,
        per=None if units is None else units.name,
        left_out=tuple(left_out),
    )
    return completed(result, int(n_boot), method, confidence, adjust)


def _own_rows(
    models: Sequence[ModelValues], used: NDArray[np.bool_], source: Rows
) -> dict[str, tuple[int, ...]]:
    """Return the number of rows of each column, for models with missing rows."""
    return {
        model.name: tuple(source.count(column.rows) for column in model.columns)
        for model in models
        if any((column.rows != used).any() for column in model.columns)
    }
