"""Agreement of raters on categories: chance-corrected coefficients with intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pyexpr.base.arrays import unmasked
from pyexpr.base.checks import confidence_level, whole_number
from pyexpr.base.errors import DataError, SharedSubjectsWarning, listed, near_names, warn_user
from pyexpr.base.messages import say
from pyexpr.base.options import FORMER_CONTEXT, explains
from pyexpr.base.stopping import stoppable
from pyexpr.base.tables import as_frame
from pyexpr.core.streams import checked_seed
from pyexpr.measurement.agreement.categories import WHAT, check_level, with_codes
from pyexpr.measurement.agreement.group import BY_RATER, COEFFICIENTS, computed
from pyexpr.measurement.agreement.intervals import BOOTSTRAP, METHODS, AgreementPlan
from pyexpr.measurement.agreement.notes import NOT_ADJUSTED
from pyexpr.measurement.agreement.result import OF_TABLES, AgreementResult
from pyexpr.measurement.agreement.weights import LEVELS, OF_LEVEL, WEIGHTS, metric, weight_matrix
from pyexpr.measurement.columns import refuse_names_of_results
from pyexpr.measurement.icc.layout import groups_of, names_of
from pyexpr.measurement.icc.notes import NOTE_SHARED

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from pyexpr.base.foreign import FrameLike

_NOT_TAKEN = {
    "adjust": NOT_ADJUSTED,
    "n_threads": "replicates are computed quickly from sums per subject in one thread",
    "progress": "replicates are computed quickly from sums per subject",
}


@stoppable("the agreement of raters was computed")
@explains(not_taken=_NOT_TAKEN, renamed=FORMER_CONTEXT)
def agreement(
    data: FrameLike | NDArray[Any],
    *,
    targets: str | Sequence[str] | None = None,
    ratings: str | Sequence[str] | None = None,
    raters: str | None = None,
    context: str | Sequence[str] | None = None,
    coefficient: str | Iterable[str] = "all",
    level: str = "nominal",
    weights: str | None = None,
    categories: Iterable[Any] | None = None,
    confidence: float = 0.95,
    cluster: str | Literal[False] | None = None,
    n_boot: int = 2000,
    method: str | None = None,
    seed: int = 0,
) -> AgreementResult:
    r"""Compute how far raters agree on categories, beyond chance, with intervals.

    This is for ratings that are categories (an emotion, present or absent, "low", "medium",
    "high"). For ratings that are numbers on a scale, see `icc`.

    Parameters
    ----------
    data : DataFrame or ndarray
        Long format: one row per rating, in any order; requires `targets` and `ratings`. Wide
        format: one row per target and one column per rater, given as an array of shape (targets,
        raters), or as a table in which the columns in `ratings`, or all columns other than
        `context` and `cluster`, hold the ratings. Ratings are text, numbers or Categoricals.
        Missing ratings are left out and counted. Missing labels are an error.
    targets, ratings, raters, context : str or list of str, optional
        Columns, as for `icc`. Without `raters` (long format) Cohen's kappa is left out.
    coefficient : str or list of str
        ``"all"``, or some of ``percent_agreement cohen_kappa fleiss_kappa brennan_prediger gwet_ac
        krippendorff_alpha``. With more than two raters ``cohen_kappa`` is Conger's (1980)
        generalisation. ``gwet_ac`` is AC1 with identity weights, and AC2 otherwise.
    level : {"nominal", "ordinal", "interval", "ratio"}
        Level of measurement of the categories. It determines the metric of Krippendorff's alpha,
        and the default `weights` of the other coefficients. Levels other than ``"nominal"`` require
        an order, from numbers, ordered Categoricals, or `categories`.
    weights : {"identity", "ordinal", "linear", "quadratic", "radical", "ratio"}, optional
        How much two categories agree, for all coefficients but Krippendorff's alpha. By default
        identity (nominal), ordinal (ordinal), quadratic (interval) or ratio (ratio).
    categories : list, optional
        All categories, in their order. By default those that occur in `data` in any context, or
        those of an ordered Categorical. Brennan and Prediger's coefficient and Gwet's depend on the
        number of categories, so a category that no rater used must be named here.
    confidence : float
        Level of the intervals.
    cluster : str or False, optional
        Column of the subjects to which the targets belong: the interval then comes from leaving
        out, or drawing, whole subjects. Without it the targets are independent, and targets that
        share subjects (column ``subject``) cause a `SharedSubjectsWarning`; False suppresses it.
    n_boot : int
        Number of replicates of the bootstrap-t.
    method : {None, "jackknife_t", "studentized"}
        ``"jackknife_t"`` (the default) is Student's t of the jackknife's pseudo-values;
        ``"studentized"`` is the bootstrap-t. It draws the same subjects as `icc`, `bootstrap_cfa`
        and `compare_models` with the same seed and number of subjects.
    seed : int
        Seed of the random draws.

    Returns
    -------
    AgreementResult
        ``tidy()``, ``by_category()``, ``counts()``, ``notes()``, ``plot()``.

    Raises
    ------
    ColumnError
        If a column does not exist, a rating is not one of the categories, or a label is missing.
    DataError
        If a rater rated a target twice, a target belongs to two subjects, the level needs an order
        or numbers that the categories do not have, or an option is unknown.

    Warns
    -----
    SharedSubjectsWarning
        Targets share subjects and `cluster` was not given.

    Notes
    -----
    Let :math:`r_{ik}` be the number of raters who put target i into category k, and :math:`r_i` its
    number of ratings. With weights :math:`w_{kl}` the observed agreement :math:`p_a` is the mean of
    :math:`\sum_k r_{ik} (\sum_l w_{kl} r_{il} - 1) / (r_i (r_i - 1))` over the targets with at
    least two ratings. A coefficient is :math:`(p_a - p_e) / (1 - p_e)`. With :math:`\pi_k` the mean
    over targets of :math:`r_{ik} / r_i` and q categories, :math:`p_e` is
    :math:`\sum_{kl} w_{kl} \pi_k \pi_l` (Fleiss), :math:`\sum_{kl} w_{kl} / q^2` (Brennan and
    Prediger), :math:`\sum_{kl} w_{kl} \sum_k \pi_k (1 - \pi_k) / (q (q - 1))` (Gwet), and the mean
    over pairs of different raters of :math:`\sum_{kl} w_{kl} p_{gk} p_{hl}`, p being a rater's
    shares of the categories (Cohen, Conger). Krippendorff's alpha is :math:`1 - D_o / D_e`, from
    the coincidences :math:`o_{kl} = \sum_i r_{ik} (r_{il} - [k = l]) / (r_i - 1)` of the targets
    with at least two ratings. The specific agreement of category k is
    :math:`\sum_i r_{ik} (r_{ik} - 1) / \sum_i r_{ik} (r_i - 1)`. The interval is Student's t on
    :math:`-\sqrt{1 - A}` with the jackknife's pseudo-values of the subjects, as for `icc`. It
    refers to these raters. Its coverage is reported in ``docs/coverage_agreement.md``.

    Checked against: Krippendorff (2011) and Gwet (2014), published examples; the Python packages
    `krippendorff` and `irrCAC`; `psych::cohen.kappa`; `sklearn.metrics.cohen_kappa_score`;
    `statsmodels`' Fleiss' kappa.

    References
    ----------
    Conger, A. J. (1980). Psychological Bulletin, 88, 322-328.
    https://doi.org/10.1037/0033-2909.88.2.322
    Gwet, K. L. (2008). British Journal of Mathematical and Statistical Psychology, 61, 29-48.
    https://doi.org/10.1348/000711006X126600
    Gwet, K. L. (2014). Handbook of inter-rater reliability (4th ed.). Advanced Analytics.
    Krippendorff, K. (2011). Computing Krippendorff's alpha-reliability. University of Pennsylvania.
    https://repository.upenn.edu/asc_papers/43

    Examples
    --------
    Four raters of twelve targets, with some missing ratings (Krippendorff 2011):

    >>> import numpy as np
    >>> no = np.nan
    >>> ratings = np.array([
    ...     [1, 2, 3, 3, 2, 1, 4, 1, 2, no, no, no], [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, no, 3],
    ...     [no, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, no], [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, no],
    ... ]).T
    >>> found = agreement(ratings, coefficient=["gwet_ac", "krippendorff_alpha"])
    >>> print(found.tidy()[["coefficient", "estimate", "conf_low", "conf_high"]].round(3))
              coefficient  estimate  conf_low  conf_high
    0             gwet_ac     0.775     0.181      0.991
    1  krippendorff_alpha     0.743     0.114      0.992
    """
    names = _coefficients(coefficient)
    level, chosen = _levels(level, weights)
    plan = _plan(method, n_boot, seed, confidence_level(confidence))
    column = None if cluster is None or cluster is False else cluster
    if column is not None and not isinstance(column, str):
        raise DataError(
            say(
                "{cluster=} must be the name of the column of the subjects, not a {kind}",
                kind=type(column).__name__,
            )
        )
    refuse_names_of_results(names_of(context), OF_TABLES, argument="context")
    frame, columns = _table_and_ratings(data, targets, ratings, context, column)
    coded, known = with_codes(frame, columns, categories)
    check_level(level, chosen, known)
    scores = np.array(known.scores)
    whole = targets is None and isinstance(data, np.ndarray)
    groups = groups_of(
        coded[columns].to_numpy(dtype=np.float64) if whole else coded,
        targets=targets,
        ratings=None if whole else ratings if targets is not None else columns,
        raters=raters,
        context=context,
        cluster=column,
    )
    by_rater = targets is None or raters is not None
    kept = tuple(name for name in names if by_rater or name != BY_RATER)
    if not kept:
        raise DataError(
            say(
                "{name} requires the rater of each rating; name the column of the raters in "
                "{raters=}",
                name=BY_RATER,
            )
        )
    found = tuple(
        computed(
            one,
            kept,
            weight_matrix(chosen, scores),
            metric(level, scores),
            plan,
            clustered=column is not None,
        )
        for one in groups
    )
    if cluster is None and any(group.shared for group in found):
        warn_user(NOTE_SHARED, SharedSubjectsWarning)
    return AgreementResult(
        groups=found,
        context=tuple(names_of(context)),
        categories=known.labels,
        level=level,
        weights=chosen,
        cluster=column,
        plan=plan,
        omitted=tuple(name for name in names if name not in kept),
        warned=cluster is None,
    )


def _coefficients(given: str | Iterable[str]) -> tuple[str, ...]:
    if isinstance(given, str) and given == "all":
        return COEFFICIENTS
    requested = [given] if isinstance(given, str) else list(given)
    for name in requested:
        if name not in COEFFICIENTS:
            raise DataError(
                say(
                    "{coefficient=} names {name!r}, which is not one of the coefficients; {hint}",
                    name=name,
                    hint=near_names(str(name), COEFFICIENTS),
                )
            )
    if not requested:
        raise DataError(say("{coefficient=} names no coefficient: {all}", all=listed(COEFFICIENTS)))
    return tuple(name for name in COEFFICIENTS if name in requested)


def _levels(level: str, weights: str | None) -> tuple[str, str]:
    for argument, given, allowed in (
        ("level", level, LEVELS),
        ("weights", weights, (None, *WEIGHTS)),
    ):
        if given not in allowed:
            raise DataError(
                say(
                    "{@argument=} must be one of {names}, not {given!r}",
                    argument=argument,
                    names=listed(name for name in allowed if name is not None),
                    given=given,
                )
            )
    return level, weights or OF_LEVEL[level]


def _plan(method: str | None, n_boot: int, seed: int, confidence: float) -> AgreementPlan:
    chosen = METHODS[0] if method is None else method
    if chosen not in METHODS:
        raise DataError(
            say(
                "{method=} must be one of {names}, not {given!r}",
                names=listed(METHODS),
                given=method,
            )
        )
    n_boot = whole_number(n_boot, argument="n_boot", least=0)
    least = math.ceil(1 / (1 - confidence) - 1e-9)
    if chosen == BOOTSTRAP and n_boot < least:
        raise DataError(
            f"a studentized interval at confidence {confidence:g} needs n_boot of at least {least} "
            f"(better 2000), not {n_boot}"
        )
    return AgreementPlan(chosen, confidence, n_boot, checked_seed(seed))


def _table_and_ratings(
    data: Any,
    targets: str | Sequence[str] | None,
    ratings: str | Sequence[str] | None,
    context: str | Sequence[str] | None,
    cluster: str | None,
) -> tuple[pd.DataFrame, list[str]]:
    """Return the data as a table whose columns have text as names, and those of the ratings."""
    import pandas as pd

    data = unmasked(data)
    if isinstance(data, np.ndarray):
        if data.ndim != 2:
            raise DataError(
                f"an array of ratings must be of shape (targets, raters), but it has {data.ndim} "
                "dimensions"
            )
        if any(value is not None for value in (targets, ratings, context, cluster)):
            raise DataError(
                "an array has no column names; pass a table, or an array (targets, raters) "
                "without column arguments"
            )
        frame = pd.DataFrame(data, columns=[f"rater {k + 1}" for k in range(data.shape[1])])
        return frame, list(frame.columns)
    frame = as_frame(data, what=WHAT)
    if not all(isinstance(name, str) for name in frame.columns):
        frame = as_frame(frame.rename(columns=str), what=WHAT)
    given = [str(name) for name in names_of(ratings)]
    if targets is None and not given:
        others = {*map(str, names_of(context)), *map(str, names_of(cluster))}
        given = [name for name in frame.columns if name not in others]
    return frame, given
