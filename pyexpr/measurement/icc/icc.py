"""Reliability of ratings: intraclass correlations with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pyexpr.base.checks import confidence_level, real_number
from pyexpr.base.errors import DataError, SharedSubjectsWarning, warn_user
from pyexpr.base.messages import say
from pyexpr.base.options import FORMER_CONTEXT, explains
from pyexpr.base.stopping import stoppable
from pyexpr.measurement.columns import refuse_names_of_results
from pyexpr.measurement.icc.forms import Form, chosen_forms
from pyexpr.measurement.icc.group import checked_plan, computed, warn_of_undefined
from pyexpr.measurement.icc.layout import groups_of, names_of
from pyexpr.measurement.icc.notes import NOT_ADJUSTED, NOTE_SHARED
from pyexpr.measurement.icc.result import (
    OF_TABLES,
    ICCResult,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.base.foreign import FrameLike

_NOT_TAKEN = {
    "stratify": say(
        "the variance of targets between subjects refers to one population and would differ "
        "between strata; use {context=} to analyse groups of subjects separately"
    ),
    "adjust": NOT_ADJUSTED,
    "n_threads": "replicates are computed quickly from sums per subject in one thread",
    "progress": "replicates are computed quickly from sums per subject",
}


@stoppable("intraclass correlations were computed")
@explains(not_taken=_NOT_TAKEN, renamed=FORMER_CONTEXT | {"cluster_method": "method"})
def icc(
    data: FrameLike | NDArray[Any],
    *,
    targets: str | Sequence[str] | None = None,
    ratings: str | Sequence[str] | None = None,
    raters: str | None = None,
    context: str | Sequence[str] | None = None,
    form: str | Iterable[str] = "all",
    confidence: float = 0.95,
    k: float | None = None,
    cluster: str | Literal[False] | None = None,
    n_boot: int = 2000,
    method: str | None = None,
    seed: int = 0,
) -> ICCResult:
    r"""Compute intraclass correlations of ratings, with intervals.

    Parameters
    ----------
    data : DataFrame or ndarray
        Long format: one row per rating, in any order; requires `targets` and `ratings`. Wide
        format: one row per target and one column per rater, given as an array of shape (targets,
        raters), or as a table in which the columns in `ratings`, or all columns other than
        `context` and `cluster`, hold the ratings. It is an error if a column of a wide table does
        not look like ratings, by its name (subject, clip, id) or by its values (row numbers),
        unless `ratings` names the raters. Masked entries of an array are missing. Missing ratings
        are left out and counted. Missing labels are an error.
    targets : str or list of str, optional
        Column, or several columns together, that identify the rated target (a clip). It is an error
        if the ratings of one target come from several clips, questions or contexts (columns with
        such names), because these are not repeated ratings of the same target.
    ratings : str or list of str, optional
        Column of the scores (long format), or columns of the raters (wide format). Any numbers are
        allowed.
    raters : str, optional
        Column that identifies the rater. Without it only the one-way forms are computed. A label
        must denote the same person throughout. It is an error if a rater rated a target twice.
    context : str or list of str, optional
        Column of the contexts, each of which is analysed separately, or several columns whose
        combinations are the contexts (``["context", "question"]``: every question in every
        context).
    form : str or list of str
        ``"all"``, or some of ``ICC(1,1) ICC(1,k) ICC(A,1) ICC(A,k) ICC(C,1) ICC(C,k)``. The names
        of Shrout and Fleiss are accepted as well.
    confidence : float
        Level of the intervals.
    k : float, optional
        Number of ratings to which the average forms refer. By default the number of raters, or the
        effective number n0 if the numbers of ratings are unequal.
    cluster : str or False, optional
        Column of the subjects to which the targets belong. The interval is then computed by leaving
        out one subject at a time; for the agreement forms it also accounts for the sampling of
        raters. Without `cluster`, targets that share subjects (column ``subject``) cause a
        `SharedSubjectsWarning`. False suppresses this warning.
    n_boot : int
        Number of replicates of the bootstrap-t. Replicates in which the ICC is undefined are left
        out and counted. More than 1 % of them cause a warning; with more than 10 % there is no
        interval, and the reason is given.
    method : {None, "jackknife_t", "studentized"}
        Method of the interval with `cluster`. ``"jackknife_t"`` (the default) uses the t
        distribution and the jackknife pseudo-values of the subjects; from 10 subjects on its
        coverage is closer to the nominal level. ``"studentized"`` is the bootstrap-t. Its draws are
        the same as those of `bootstrap_cfa`, `compare_models` and `cluster_bootstrap` with the same
        seed and number of subjects. For the agreement forms both methods use the jackknife.
    seed : int
        Seed of the random draws.

    Returns
    -------
    ICCResult
        ``tidy()``, ``counts()``, ``mean_reliability()``, ``notes()``; with `cluster` also
        ``interval()``, ``extend()``, ``influence()``, ``replicates``.

    Raises
    ------
    ColumnError
        If a column does not exist, a rating is text, or a label is missing.
    DataError
        If a rater rated a target twice (all cases are listed), a target belongs to two clusters, a
        form is unknown, or a level is outside (0, 1).

    Warns
    -----
    SharedSubjectsWarning
        Targets share subjects and `cluster` was not given.
    PyexprWarning
        More than 1 % of the replicates are undefined.

    Notes
    -----
    One-way: :math:`MSB = \sum n_i (m_i - m)^2 / (N - 1)`,
    :math:`MSW = \sum (x_{ij} - m_i)^2 / (n - N)`,
    :math:`n_0 = (n - \sum n_i^2 / n) / (N - 1)`,
    :math:`ICC(1,1) = (MSB - MSW) / (MSB + (n_0 - 1) MSW)`,
    :math:`ICC(1,k) = (MSB - MSW) / MSB` at :math:`k = n_0`. The interval is the F interval if all
    targets have the same number of ratings, and otherwise Wald's (1940) interval, which is exact
    as well. The two-way forms and their intervals follow McGraw and Wong (1996, with the published
    correction: the limits of ICC(A,k) are those of ICC(A,1), transformed by the Spearman-Brown
    formula). With missing cells they are computed from variance components by REML, bounded at 0,
    at the harmonic mean of the numbers of ratings, with a delta-method interval on
    :math:`\log(1/(1 - ICC))`. Negative estimates are kept. The F test tests differences between
    targets. With `cluster`, the interval is Student's t on :math:`-\sqrt{1 - ICC(\cdot,k)}` with
    jackknife pseudo-values :math:`U` of the G subjects and :math:`2 / (2/(G-1) + \kappa/G)`
    degrees of freedom, where :math:`\kappa` is the excess kurtosis of U if it is positive and 0
    otherwise. For the agreement forms the variance of the q raters is :math:`V (q-1)/\chi^2_{q-1} -
    N` (V is the mean square of their means and N is its error), and the limits are quantiles over
    this distribution. The bootstrap-t uses the scale :math:`-\log(1 - ICC(\cdot,k))` (``|t*|``,
    from sums per subject); it is not available for consistency forms with missing cells. The
    coverage is reported in ``docs/coverage_reliability.md``.

    Checked against: `psych::ICC`, `pingouin.intraclass_corr`, Shrout and Fleiss (1979), the
    NIST StRD one-way problems, `lme4::lmer` (missing cells).

    References
    ----------
    McGraw, K. O. and Wong, S. P. (1996). Psychological Methods, 1, 30-46 and 390.
    https://doi.org/10.1037/1082-989X.1.1.30
    Shrout, P. E. and Fleiss, J. L. (1979). Psychological Bulletin, 86, 420-428.
    https://doi.org/10.1037/0033-2909.86.2.420
    Wald, A. (1940). Annals of Mathematical Statistics, 11, 96-100.

    Examples
    --------
    >>> import numpy as np
    >>> ratings = np.array(
    ...     [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    ... )
    >>> print(icc(ratings).tidy()[["form", "estimate", "conf_low", "conf_high"]].round(2))
           form  estimate  conf_low  conf_high
    0  ICC(1,1)      0.17     -0.13       0.72
    1  ICC(1,k)      0.44     -0.88       0.91
    2  ICC(A,1)      0.29      0.02       0.76
    3  ICC(A,k)      0.62      0.07       0.93
    4  ICC(C,1)      0.71      0.34       0.95
    5  ICC(C,k)      0.91      0.68       0.99
    """
    forms = chosen_forms(form)
    level = confidence_level(confidence)
    if k is not None and real_number(k, argument="k") <= 0:
        raise DataError(say("{k=} must be a positive number of ratings, not {given}", given=k))
    column = None if cluster is None or cluster is False else cluster
    if column is not None and not isinstance(column, str):
        raise DataError(
            say(
                "{cluster=} must be the name of the column of the subjects, not a {kind}",
                kind=type(column).__name__,
            )
        )
    plan = checked_plan(method, n_boot, seed, level, clustered=column is not None)
    refuse_names_of_results(names_of(context), OF_TABLES, argument="context")
    groups = groups_of(
        data, targets=targets, ratings=ratings, raters=raters, context=context, cluster=column
    )
    two_way = targets is None or raters is not None
    if not two_way:
        forms = _one_way_only(forms, form)
    families = {item.family for item in forms}
    found = tuple(computed(one, level, families, plan, warn=cluster is None) for one in groups)
    warn_of_undefined(found, names_of(context), plan)
    if any(group.shared for group in found):
        warn_user(NOTE_SHARED, SharedSubjectsWarning)
    return ICCResult(
        groups=found,
        context=tuple(names_of(context)),
        forms=tuple(item.name for item in forms),
        confidence=level,
        k=None if k is None else float(k),
        cluster=column,
        two_way=two_way,
        plan=plan,
        ratings=tuple(groups),
    )


def _one_way_only(forms: tuple[Form, ...], requested: str | Iterable[str]) -> tuple[Form, ...]:
    kept = tuple(item for item in forms if item.family == "one_way")
    if requested != "all" and len(kept) < len(forms):
        lost = next(item.name for item in forms if item.family != "one_way")
        raise DataError(
            say(
                "{lost} requires the rater of each rating; name the column of the raters in "
                "{raters=}",
                lost=lost,
            )
        )
    return kept
