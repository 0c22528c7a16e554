"""Diagnostics of raters: bias, error, agreement with the others, influence on the ICC, drift."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pyexpr.base.checks import is_number, whole_number
from pyexpr.base.errors import (
    DataError,
    SharedSubjectsWarning,
    have,
    listed,
    near_names,
    warn_user,
)
from pyexpr.base.interval_methods import DEFAULT, INTERVAL_METHODS
from pyexpr.base.messages import say
from pyexpr.base.options import FORMER_CONTEXT, explains
from pyexpr.base.stopping import stoppable
from pyexpr.base.tables import called
from pyexpr.core.streams import checked_seed
from pyexpr.measurement.columns import refuse_names_of_results
from pyexpr.measurement.icc.forms import find_form
from pyexpr.measurement.icc.layout import WHAT, names_of
from pyexpr.measurement.icc.notes import NOTE_SHARED
from pyexpr.measurement.raters.cells import Layout, read_cells
from pyexpr.measurement.raters.draws import NULLS, QUANTITIES, SCALES, RaterDraws, RaterGroup
from pyexpr.measurement.raters.notes import NO_ERRORS
from pyexpr.measurement.raters.result import OF_TABLES, RaterDiagnosticsResult
from pyexpr.resampling.intervals.evidence import NO_INTERVALS, Evidence, JackknifeGroup
from pyexpr.resampling.intervals.methods import check_method
from pyexpr.resampling.multiplicity import check_rule
from pyexpr.resampling.result import ErrorsWithin, completed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.base.foreign import FrameLike
    from pyexpr.measurement.raters.cells import Cells


@stoppable("the raters were examined", returns_figure=True)
@explains(renamed=FORMER_CONTEXT)
def rater_diagnostics(
    data: FrameLike | NDArray[Any],
    *,
    targets: str | Sequence[str] | None = None,
    ratings: str | Sequence[str] | None = None,
    raters: str | None = None,
    context: str | Sequence[str] | None = None,
    order: str | None = None,
    quantities: str | Iterable[str] = "all",
    form: str = "ICC(A,1)",
    scale: tuple[float, float] | None = None,
    confidence: float = 0.95,
    cluster: str | Literal[False] | None = None,
    n_boot: int = 0,
    method: str | None = None,
    adjust: str | None = None,
    seed: int = 0,
    progress: bool | None = None,
) -> RaterDiagnosticsResult:
    r"""Examine each rater: bias, error, agreement with the others, effect on the ICC, drift.

    Parameters
    ----------
    data : DataFrame or ndarray
        Ratings as for `icc`: long, with `targets`, `ratings` and `raters`, or wide, with a column
        per rater. Missing ratings are left out and counted. Missing labels are an error.
    targets, ratings, raters, context : str or list of str, optional
        Columns, as for `icc`. A long table requires `raters`.
    order : str, optional
        Column with the order in which, or the time at which, each rating was given: numbers, or
        dates and times. It is required for ``drift``. It may have missing values only where there
        is no rating.
    quantities : str or list of str
        ``"all"`` (``drift`` only with `order`), or some of:

        - ``bias``: how much higher the rater rates than the mean of the raters, adjusted for the
          targets that each rated. Severe raters have negative, lenient ones positive values.
        - ``error_sd``: the standard deviation of the rater's error (inconsistency).
        - ``correlation``: with the mean of the other raters, whose biases are subtracted.
        - ``icc_change``: the ICC without this rater, minus that of all raters.
        - ``drift``: the change of the rater's bias per unit of `order`, or per day if it is a date
          or time, minus the mean drift of the raters.
    form : str
        The form of the ICC for ``icc_change``, as for `icc`.
    scale : (float, float), optional
        The ends of the rating scale, for `scale_use()`. By default the lowest and the highest
        rating of each context.
    confidence : float
        Level of the intervals.
    cluster : str or False, optional
        Column of the subjects to which the targets belong, who are then left out or drawn. Without
        it the targets are independent, and targets that share subjects (column ``subject``) cause a
        `SharedSubjectsWarning`; False suppresses it.
    n_boot : int
        Number of bootstrap replicates, for methods that use them. `extend` adds more.
    method : str, optional
        As for `cluster_bootstrap`; by default ``"jackknife_t"``.
    adjust : {None, "holm", "max_t"}
        Adjust tests and intervals for the number of raters, for each quantity in each context; see
        `RaterDiagnosticsResult.adjust`.
    seed : int
        Seed of the random draws, which are those of `icc` with the same number of subjects.
    progress : bool, optional
        Whether to show a progress bar. By default it is shown on a terminal after one second.

    Returns
    -------
    RaterDiagnosticsResult
        ``tidy()``, ``by_rater()``, ``scale_use()``, ``notes()``, ``plot()``, ``adjust()``,
        ``interval()``, ``extend()``, ``influence()``, ``replicates``.

    Raises
    ------
    ColumnError
        If a column does not exist, a rating is text, or a label or an order is missing.
    DataError
        If there are fewer than two raters or two subjects, a rater rated a target twice, a target
        belongs to two subjects, or an option is unknown.

    Warns
    -----
    SharedSubjectsWarning
        Targets share subjects and `cluster` was not given.

    Notes
    -----
    The model is :math:`x_{ij} = t_i + b_j + e_{ij}`, with the value of a target, the bias of a
    rater, and an error with variance :math:`\sigma_j^2`. Biases are estimated by least squares with
    fixed targets and add up to 0 over raters; if raters share no targets, over each group of raters
    who are connected by common targets, and a note says so. The variance of
    :math:`x_{ij} - x_{ik}` over the targets rated by both estimates
    :math:`\sigma_j^2 + \sigma_k^2`; the error variances are the least-squares solution over all
    pairs, weighted by the number of these targets minus 1. Without missing cells they are
    Grubbs' (1948) estimates. They require three raters. An estimate can be negative, if an error is
    small; then there is no standard deviation, and the reason states the estimate. The error
    contains what is peculiar to a rater in a subject. Drifts are the slopes :math:`d_j` in
    :math:`x_{ij} = t_i + b_j + d_j z_{ij} + e_{ij}` by least squares, minus their mean.

    Intervals and tests leave out one subject at a time (jackknife, Student's t); the scale of an
    error SD is the cube root of its variance, that of a correlation is atanh. They refer to these
    raters and further subjects. Their coverage is reported in ``docs/coverage_raters.md``.

    Checked against: `statsmodels` (biases and drifts as a regression with dummy variables),
    Grubbs' (1948) formula, `psych::ICC` without each rater.

    References
    ----------
    Grubbs, F. E. (1948). Journal of the American Statistical Association, 43, 243-264.
    https://doi.org/10.1080/01621459.1948.10483261
    Jaech, J. L. (1985). Statistical analysis of measurement errors. Wiley.
    Myford, C. M. and Wolfe, E. W. (2003). Journal of Applied Measurement, 4, 386-422.

    Examples
    --------
    Shrout and Fleiss (1979): four raters of six targets.

    >>> import numpy as np
    >>> ratings = np.array(
    ...     [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    ... )
    >>> found = rater_diagnostics(ratings)
    >>> print(found.by_rater().round(2))
         rater  n  bias  error_sd  correlation  icc_change
    0  rater 1  6  2.38      0.88         0.81        0.06
    1  rater 2  6 -2.79      0.64         0.86        0.11
    2  rater 3  6 -0.96      0.71         0.84       -0.05
    3  rater 4  6  1.38      1.54         0.79       -0.07
    """
    wanted = _quantities(quantities, order)
    chosen = find_form(form).name
    check_method(method, confidence, n_boot)
    if INTERVAL_METHODS[method or DEFAULT].errors_within:
        raise DataError(NO_ERRORS)
    if adjust is not None:
        check_rule(adjust)
    seed = checked_seed(seed)
    ends = _ends(scale)
    column = None if cluster is None or cluster is False else cluster
    if column is not None and not isinstance(column, str):
        raise DataError(
            say(
                "{cluster=} must be the name of the column of the subjects, not a {kind}",
                kind=type(column).__name__,
            )
        )
    refuse_names_of_results(names_of(context), OF_TABLES, argument="context")
    cells, labels, is_time = read_cells(
        data, Layout(targets, ratings, raters, context, column, order)
    )
    for one in cells:
        where = say(
            " in context {context}",
            context=", ".join(repr(str(part)) for part in one.ratings.labels),
        )
        _refuse_too_few(
            one.table.shape[1],
            len(one.labels),
            column is not None,
            have(called(data, WHAT)),
            where if one.ratings.labels else "",
        )
    groups = tuple(RaterGroup.of(one, wanted, chosen) for one in cells)
    draws = RaterDraws(groups, seed, progress)
    result = RaterDiagnosticsResult(
        evidence=_evidence(draws, whole_number(n_boot, argument="n_boot", least=0)),
        intervals=NO_INTERVALS,
        draws=draws,
        clusters=_all_units(cells),
        cluster_name=column or "each target",
        raters=labels,
        context=tuple(names_of(context)),
        quantities=wanted,
        form=chosen,
        cluster=column,
        scale=ends,
        order_unit="day" if is_time else f"unit of {order}",
        warned=cluster is None,
    )
    if cluster is None and any(one.ratings.shared for one in cells):
        warn_user(NOTE_SHARED, SharedSubjectsWarning)
    return completed(result, int(n_boot), method, confidence, adjust)


def _all_units(cells: Sequence[Cells]) -> tuple[Any, ...]:
    """Return the labels of the subjects, or of the targets of one context after another."""
    subjects = cells[0].ratings.cluster_labels
    return tuple(subjects) if subjects else tuple(label for one in cells for label in one.labels)


def _evidence(draws: RaterDraws, n_boot: int) -> Evidence:
    estimates, reasons, jackknife = [], [], []
    scales: list[str] = []
    nulls: list[float] = []
    at = 0
    for group, clusters in zip(draws.groups, draws.clusters, strict=True):
        whole, without = group.without()
        shown, why = group.shown(whole)
        estimates.append(shown)
        reasons += why
        rows = np.arange(at, at + len(whole))
        at += len(whole)
        jackknife.append(JackknifeGroup(rows, without, (group.n_units,), clusters=clusters))
        names = [name for name in group.quantities for _ in group.blocks]
        scales += [SCALES[name] for name in names]
        nulls += [NULLS.get(name, np.nan) for name in names]
    drawn = draws.replicates(0, n_boot)
    n = len(scales)
    return Evidence(
        estimate=np.concatenate(estimates),
        scale=scales,
        simple_df=np.zeros(n, dtype=bool),
        null=np.array(nulls),
        replicates=drawn.values,
        groups=jackknife,
        reason=reasons,
        replicate_errors=ErrorsWithin(draws, drawn.values.shape[1]),
    )


def _quantities(given: str | Iterable[str], order: str | None) -> tuple[str, ...]:
    if order is not None and not isinstance(order, str):
        raise DataError(
            say("{order=} must be the name of a column, not a {kind}", kind=type(order).__name__)
        )
    if isinstance(given, str) and given == "all":
        return QUANTITIES if order is not None else QUANTITIES[:-1]
    requested = [given] if isinstance(given, str) else list(given)
    for name in requested:
        if name not in QUANTITIES:
            raise DataError(
                say(
                    "{quantities=} names {name!r}, which is not one of the quantities; {hint}",
                    name=name,
                    hint=near_names(str(name), QUANTITIES),
                )
            )
    if not requested:
        raise DataError(say("{quantities=} names no quantity: {all}", all=listed(QUANTITIES)))
    if "drift" in requested and order is None:
        raise DataError(
            say("the drift of raters requires {order=}, the column of the order of the ratings")
        )
    return tuple(name for name in QUANTITIES if name in requested)


def _ends(scale: Any) -> tuple[float, float] | None:
    if scale is None:
        return None
    ends = tuple(scale) if isinstance(scale, (tuple, list)) else ()
    if len(ends) != 2 or not all(map(is_number, ends)) or not ends[0] < ends[1]:
        raise DataError(
            say(
                "{scale=} must be the lowest and the highest value of the rating scale, such as "
                "(1, 7), not {scale!r}",
                scale=scale,
            )
        )
    return float(ends[0]), float(ends[1])


def _refuse_too_few(raters: int, units: int, clustered: bool, having: str, where: str) -> None:
    if raters < 2:
        raise DataError(
            say(
                "the diagnostics compare raters, so that at least two raters are needed, but "
                "{having} {raters:count rater} with a rating{where}",
                having=having,
                raters=raters,
                where=where,
            )
        )
    if units < 2:
        raise DataError(
            say(
                "there is only one {what} with ratings{where}; at least two are required to "
                "estimate how the values vary",
                what="subject" if clustered else "target",
                where=where,
            )
        )
