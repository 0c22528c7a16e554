"""Who is expressive how: each person's slope or correlation, and its reliability."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.checks import confidence_level, whole_number
from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import say
from pyexpr.base.options import FORMER_CONTEXT, explains
from pyexpr.base.stopping import stoppable
from pyexpr.base.tables import (
    called,
    frame_with_rows,
    label_codes,
    numeric_column,
    require_columns,
)
from pyexpr.inference.persons.notes import CONSTANT_SCORE, CONSTANT_SIGNAL, EXACT, FEW_ROWS
from pyexpr.inference.persons.reliability import moderated
from pyexpr.inference.persons.result import (
    CORRELATION,
    KINDS,
    OF_TABLES,
    SLOPE,
    PersonSlopesResult,
)
from pyexpr.inference.persons.rows import PersonSums, person_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.base.foreign import FrameLike

_TABLE = "the table"
_NOT_TAKEN = {
    "adjust": "the table describes persons and tests nothing",
    "n_boot": "the intervals require no draws",
    "seed": "the intervals require no draws",
}


@stoppable("slopes were computed", returns_figure=True)
@explains(not_taken=_NOT_TAKEN, renamed=FORMER_CONTEXT)
def person_slopes(
    table: FrameLike,
    *,
    score: str,
    signal: str,
    cluster: str,
    context: str | None = None,
    kind: str = SLOPE,
    min_rows: int = 5,
    confidence: float = 0.95,
) -> PersonSlopesResult:
    r"""Compute each person's slope or correlation of a score on a signal, and its reliability.

    Persons differ in how they express what they feel: one smiles when amused, another does not.
    Before such differences are interpreted or related to other variables, their reliability must be
    known: much of the variance between the slopes of persons is error of estimation.

    Parameters
    ----------
    table : DataFrame
        One row per clip. Rows without score or signal are left out and counted.
    score : str
        Column of the score, such as a mean rating.
    signal : str
        Column of a feature, or of the predictions of a model.
    cluster : str
        Column of the subjects.
    context : str, optional
        Column of the contexts. Score and signal are then taken as deviations from the mean of the
        subject in the context, so that differences between contexts do not contribute.
    kind : {"slope", "correlation"}
        What is computed for each subject.
    min_rows : int
        Subjects with fewer rows have no estimate, nor have those with fewer rows than their
        contexts plus 2 (plus 3 for correlations).
    confidence : float
        Level of the intervals.

    Returns
    -------
    PersonSlopesResult
        ``tidy()`` (persons), ``reliability()``, ``interval()``, ``plot()``.

    Raises
    ------
    ColumnError
        If a column does not exist or does not contain numbers, or a label is missing.
    DataError
        If no subject has an estimate, or an option is not allowed.

    Notes
    -----
    The slope is that of least squares over the rows of the subject, with an intercept per context.
    Its standard error uses the subject's own residuals, which are assumed to be independent.
    Correlations are those of the deviations, transformed to atanh(r) with the variance
    :math:`1 / (n - C - 2)`, where C is the number of contexts of the subject (Fisher).

    ``reliability`` is :math:`1 - \overline{v} / s^2`: :math:`s^2` is the variance of the estimates
    over subjects, and :math:`\overline v` the mean of the squares of their standard errors. It is
    also the squared correlation of the estimates with the true values. ``odd_even`` is an
    independent check that uses no standard error: the rows of a subject, in each context and in
    the order of the table, are divided into odd and even, and the correlation r of both halves'
    estimates over subjects is stepped up to :math:`r / (r + k (1 - r))`. Here k is the ratio of the
    mean error variances of all rows and of half of them, which follows from the signal; with 1/2
    this is the formula of Spearman and Brown. For correlations it is somewhat too high, most of all
    if subjects have unequal numbers of rows. Both have intervals from leaving out each subject in
    turn, on the scales :math:`\log(1 - \rho)` and atanh(r). The coverage is reported in
    ``docs/coverage_pooling.md``.

    ``shrunken`` is the empirical Bayes estimate :math:`m + \lambda_s (b_s - m)`, with
    :math:`\lambda_s = \tau^2 / (\tau^2 + v_s)`, :math:`\tau^2` by REML, and for slopes :math:`v_s`
    from residual variances that are drawn towards their common value (Smyth 2004).

    Checked against: `lme4` (balanced designs), `statsmodels` and `scipy.stats.linregress` of each
    person, simulation with known slopes.

    References
    ----------
    Smyth, G. K. (2004). Statistical Applications in Genetics and Molecular Biology, 3, 3.
    https://doi.org/10.2202/1544-6115.1027
    Brown, W. (1910). Some experimental results in the correlation of mental abilities. British
    Journal of Psychology, 3, 296-322. https://doi.org/10.1111/j.2044-8295.1910.tb00207.x

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> subject = np.repeat(np.arange(40), 12)
    >>> own = rng.normal(0.5, 0.4, size=40)
    >>> smile = rng.normal(size=480)
    >>> table = pd.DataFrame({"subject": subject, "smile": smile,
    ...                       "amused": own[subject] * smile + rng.normal(size=480)})
    >>> found = person_slopes(table, score="amused", signal="smile", cluster="subject")
    >>> print(found.reliability()[["quantity", "estimate", "conf_low", "conf_high"]].round(2))
          quantity  estimate  conf_low  conf_high
    0         mean      0.38      0.21       0.56
    1      std_dev      0.37      0.15       0.61
    2  reliability      0.48      0.15       0.70
    3     odd_even      0.57      0.06       0.78
    """
    level = confidence_level(confidence)
    fewest = whole_number(min_rows, argument="min_rows", least=3)
    if kind not in KINDS:
        raise DataError(
            say("{kind=} must be one of {names}, not {given!r}", names=listed(KINDS), given=kind)
        )
    frame = frame_with_rows(table, what=_TABLE)
    wanted = [score, signal, cluster, *([] if context is None else [context])]
    require_columns(frame, wanted, what=_TABLE)
    if len(set(wanted)) < len(wanted):
        raise DataError(
            say("{score=}, {signal=}, {cluster=} and {context=} must be different columns")
        )
    if cluster in OF_TABLES:
        raise DataError(
            say(
                "{cluster=} is {given!r}, which is the name of a column of the result; rename the "
                "column",
                given=cluster,
            )
        )
    y, x = (numeric_column(frame, name, what=_TABLE) for name in (score, signal))
    used = np.flatnonzero(~(np.isnan(x) | np.isnan(y)))
    if not len(used):
        raise DataError(f"no row of {called(frame, _TABLE)} has score and signal")
    subject, subjects = label_codes(frame[cluster], name=cluster, what=_TABLE)
    where = np.zeros(len(frame), dtype=np.int64)
    if context is not None:
        where = label_codes(frame[context], name=context, what=_TABLE)[0]
    G = len(subjects)
    x, y, subject, where = x[used], y[used], subject[used], where[used]
    cell = _cells(subject, where)
    sums = person_sums(x, y, subject, cell, G)
    values, variances, drawn_in, reasons = _estimates(sums, kind, fewest)
    known = ~np.isnan(values)
    whole = np.full(G, np.nan)
    whole[known] = 1 / (sums.xx[known] if kind == SLOPE else sums.df[known] - 1)
    halves, ratio = _halves(x, y, subject, cell, kind, whole)
    if np.isnan(values).all():
        raise DataError(f"no subject has an estimate; for example {reasons[0]}")
    if not (variances[known] > 0).any():
        raise DataError(
            "within every subject the score is constant or an exact linear function of the signal, "
            "so that the errors of the slopes cannot be estimated"
        )
    return PersonSlopesResult(
        kind=kind,
        score=score,
        signal=signal,
        cluster=cluster,
        context=context or "",
        subjects=tuple(subjects),
        n=sums.n,
        n_contexts=sums.cells,
        df=sums.df,
        values=values,
        variances=variances,
        moderated=drawn_in,
        halves=halves,
        ratio=ratio,
        reasons=reasons,
        n_dropped=len(frame) - len(used),
        confidence=level,
    )


def _cells(subject: NDArray[np.int64], where: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return codes without gaps of subject and context together."""
    joint = subject * (int(where.max()) + 1) + where
    codes = np.unique(joint, return_inverse=True)[1]
    return np.asarray(codes.reshape(-1), dtype=np.int64)


def _estimates(
    sums: PersonSums, kind: str, min_rows: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], tuple[str, ...]]:
    """Return values, their error variances, the moderated variances, and reasons if missing."""
    needed = np.maximum(min_rows, sums.cells + (2 if kind == SLOPE else 3))
    reasons: list[str] = []
    r = _correlations(sums)
    for g, n in enumerate(sums.n):
        if n < needed[g]:
            reasons.append(FEW_ROWS(n=int(n), fewest=int(needed[g]), min_rows=min_rows))
        elif sums.xx[g] == 0:
            reasons.append(CONSTANT_SIGNAL)
        elif kind == CORRELATION and sums.yy[g] == 0:
            reasons.append(CONSTANT_SCORE)
        elif kind == CORRELATION and not abs(r[g]) < 1:
            reasons.append(EXACT)
        else:
            reasons.append("")
    known = np.array([not reason for reason in reasons])
    values, variances, drawn_in = np.full((3, len(known)), np.nan)
    df, xx = sums.df[known], sums.xx[known]
    if kind == CORRELATION:
        values[known] = np.arctanh(r[known])
        variances[known] = drawn_in[known] = 1 / (df - 1)
    elif known.any():
        values[known] = sums.xy[known] / xx
        residual = np.maximum(sums.yy[known] - sums.xy[known] ** 2 / xx, 0.0)
        residual[residual <= 1e-12 * sums.yy[known]] = 0.0
        variances[known] = residual / df / xx
        drawn_in[known] = moderated(residual / df, df) / xx
    return values, variances, drawn_in, tuple(reasons)


def _correlations(sums: PersonSums) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        found = sums.xy / np.sqrt(sums.xx * sums.yy)
    # A difference from 1 that is only a rounding error is removed.
    return np.asarray(np.where(np.abs(found) > 1 - 1e-12, np.sign(found), found))


def _halves(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    subject: NDArray[np.int64],
    cell: NDArray[np.int64],
    kind: str,
    whole: NDArray[np.float64],
) -> tuple[NDArray[np.float64], float]:
    """Return values of odd and even rows of each subject and context, and a ratio of variances.

    Parameters
    ----------
    whole : ndarray, shape (G,)
        For all rows, the variances of errors divided by the residual variance; NaN if there is no
        value.

    Returns
    -------
    ndarray, shape (G, 2)
        The two values; NaN if missing.
    float
        Mean error variance of all rows divided by that of half of them, for equal residual
        variances.
    """
    order = np.argsort(cell, kind="stable")
    number = np.empty(len(cell), dtype=np.int64)
    number[order] = np.arange(len(cell)) - np.searchsorted(cell[order], cell[order])
    found, errors = np.full((2, len(whole), 2), np.nan)
    # A line through two points leaves no residual; Fisher's variance needs one row more.
    least = 1 if kind == SLOPE else 2
    for half in (0, 1):
        rows = np.flatnonzero(number % 2 == half)
        if not len(rows):
            continue
        own = np.unique(cell[rows], return_inverse=True)[1].reshape(-1)
        sums = person_sums(x[rows], y[rows], subject[rows], own, len(whole))
        fine = ~np.isnan(whole) & (sums.xx > 0) & (sums.df >= least)
        with np.errstate(divide="ignore", invalid="ignore"):
            if kind == CORRELATION:
                r = _correlations(sums)
                fine &= (sums.yy > 0) & (np.abs(r) < 1)
                values, error = np.arctanh(r), 1 / (sums.df - 1)
            else:
                values, error = sums.xy / sums.xx, 1 / sums.xx
        found[fine, half], errors[fine, half] = values[fine], error[fine]
    both = ~np.isnan(found).any(axis=1)
    if not both.any():
        return found, float("nan")
    return found, float(whole[both].mean() / errors[both].mean())
