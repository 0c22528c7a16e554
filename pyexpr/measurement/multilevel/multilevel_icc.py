"""Reliability of clips within subjects and of subjects: multilevel intraclass correlations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import confidence_level, real_number
from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import say
from pyexpr.base.options import FORMER_CONTEXT, explains
from pyexpr.base.stopping import stoppable
from pyexpr.base.tables import called, frame_with_rows, numeric_column, require_columns
from pyexpr.measurement.columns import refuse_names_of_results
from pyexpr.measurement.components.group import computed, crossed
from pyexpr.measurement.components.notes import NOT_ADJUSTED
from pyexpr.measurement.components.variance_components import cell_of
from pyexpr.measurement.icc.layout import WHAT, codes_of, names_of, row_groups
from pyexpr.measurement.multilevel.group import MultilevelGroup
from pyexpr.measurement.multilevel.result import OF_TABLES, MultilevelICCResult
from pyexpr.measurement.multilevel.structure import (
    IN_TARGETS,
    RATER,
    SUBJECT,
    TARGET,
    design_of_structure,
    means_of,
    structure_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.base.foreign import FrameLike

_NOT_TAKEN = {
    "adjust": NOT_ADJUSTED,
    "form": "all forms that the arrangement of the raters allows are computed",
    "n_boot": "the intervals require no draws",
    "seed": "the intervals require no draws",
}


@stoppable("multilevel intraclass correlations were computed")
@explains(not_taken=_NOT_TAKEN, renamed=FORMER_CONTEXT)
def multilevel_icc(
    data: FrameLike,
    *,
    targets: str | Sequence[str],
    ratings: str,
    cluster: str,
    raters: str | None = None,
    context: str | Sequence[str] | None = None,
    k: float | None = None,
    confidence: float = 0.95,
) -> MultilevelICCResult:
    r"""Compute the reliability of clips within subjects, and of subjects, from ratings of clips.

    An ICC of all clips mixes differences between the clips of a subject with differences between
    subjects. This function computes separate ICCs for both.

    Parameters
    ----------
    data : DataFrame
        Long format: one row per rating, in any order. Ratings may be missing, numbers of clips
        unequal, and raters may have rated some of the clips.
    targets : str or list of str
        Column, or several columns together, that identify the rated target (a clip) within its
        subject. Labels may repeat from subject to subject.
    ratings : str
        Column of the scores. Missing scores are left out and counted.
    cluster : str
        Column of the subjects to which the targets belong.
    raters : str, optional
        Column that identifies the rater. A label must denote the same person throughout. Without
        it, every rating is assumed to come from another rater.
    context : str or list of str, optional
        Column, or several columns whose combinations are the contexts, each of which is analysed
        separately.
    k : float, optional
        Number of raters to which the average forms refer. By default as in the ratings.
    confidence : float
        Level of the intervals.

    Returns
    -------
    MultilevelICCResult
        ``tidy()``, ``components()``, ``counts()``, ``notes()``, ``plot()``.

    Raises
    ------
    ColumnError
        If a column does not exist, a label is missing, or a score is not a number.
    DataError
        If a rater rated a target twice, or `k` is below 1.

    Notes
    -----
    With raters r crossed with subjects s and their targets t, a rating has the variance components
    :math:`\sigma^2_s, \sigma^2_{t:s}, \sigma^2_r, \sigma^2_{sr}, \sigma^2_{(t:s)r}`, which are
    estimated by REML (see `variance_components`). For a target within its subject, :math:`ICC(A,k)
    = \sigma^2_{t:s} / (\sigma^2_{t:s} + (\sigma^2_r + \sigma^2_{(t:s)r}) / k)`; for a subject
    measured by its mean over very many targets, :math:`ICC(A,k) = \sigma^2_s / (\sigma^2_s +
    (\sigma^2_r + \sigma^2_{sr}) / k)`. The consistency forms, ICC(C,·), leave out
    :math:`\sigma^2_r`. The level "subject over targets" is that of means over few targets: the
    error of a mean over n targets and k raters is :math:`\sigma^2_{t:s}/n + \sigma^2_r/k +
    \sigma^2_{sr}/k + \sigma^2_{(t:s)r}/(nk)`. If numbers are unequal, k and n are effective
    numbers: 1 divided by the mean of the sum of the squared weights. If raters rated some of the
    targets, ICC(Q,k) is the reliability of differences between means of partly the same raters:
    :math:`q \sigma^2_r` takes the place of :math:`\sigma^2_r / k`, q being half the mean over pairs
    of :math:`\sum_r (w_{ir} - w_{jr})^2` (Putka et al. 2008). If each rater rated one subject,
    :math:`\sigma^2_{r:s}` takes the place of :math:`\sigma^2_r`, and the level "subject" does not
    exist; if each rated one target, only one-way forms exist. The interval is that of
    `VarianceComponentsResult.d_study`, also of the standard error of measurement; the coverage is
    reported in ``docs/coverage_components.md`` and ``docs/coverage_shares.md``. If the error
    variance is estimated as 0 or below without one of the subjects, there is no interval, and the
    reason says so.

    Checked against: `lme4`, and the expected mean squares of balanced designs.

    References
    ----------
    ten Hove, D., Jorgensen, T. D. and van der Ark, L. A. (2022). Interrater reliability for
    multilevel data: A generalizability theory approach. Psychological Methods, 27, 650-666.
    https://doi.org/10.1037/met0000391
    Putka, D. J., Le, H., McCloy, R. A. and Diaz, T. (2008). Ill-structured measurement designs in
    organizational research. Journal of Applied Psychology, 93, 959-981.
    https://doi.org/10.1037/0021-9010.93.5.959

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> subject, clip, rater = (part.ravel() for part in np.indices((20, 4, 3)))
    >>> score = rng.normal(size=20)[subject] + rng.normal(size=(20, 4))[subject, clip]
    >>> score += 0.3 * rng.normal(size=3)[rater] + rng.normal(size=240)
    >>> table = pd.DataFrame(
    ...     {"subject": subject, "clip": clip, "rater": rater, "score": score}
    ... )
    >>> found = multilevel_icc(
    ...     table, targets="clip", ratings="score", raters="rater", cluster="subject"
    ... )
    >>> found.tidy()["level"].unique().tolist()
    ['target', 'subject', 'subject over targets']
    """
    level = confidence_level(confidence)
    if k is not None and not 1 <= real_number(k, argument="k") < float("inf"):
        raise DataError(say("{k=} must be at least 1, not {given}", given=k))
    for argument, value in (("cluster", cluster), ("ratings", ratings)):
        if not isinstance(value, str):
            raise DataError(
                say(
                    "{@argument=} must be the name of a column, not {given!r}",
                    argument=argument,
                    given=value,
                )
            )
    contexts, names = names_of(context), names_of(targets)
    refuse_names_of_results(contexts, OF_TABLES, argument="context")
    frame = frame_with_rows(data, what=WHAT)
    require_columns(frame, [*names, ratings, *names_of(raters), cluster, *contexts], what=WHAT)
    values = numeric_column(frame, ratings, what=WHAT)
    subjects, _ = codes_of(frame, [cluster])
    own, _ = codes_of(frame, names)
    rater_codes = None if raters is None else codes_of(frame, [raters])[0]
    groups = []
    for labels, at in row_groups(frame, contexts):
        rows = np.arange(len(frame))[at]
        used = rows[~np.isnan(values[rows])]
        if not len(used):
            raise DataError(f"{called(frame, WHAT)} have no scores in column {ratings!r}")
        codes = {SUBJECT: subjects[used], TARGET: own[used]}
        if rater_codes is not None:
            codes[RATER] = rater_codes[used]
            _check_once(codes, used, frame, [cluster, *names, str(raters)])
        groups.append(_group(labels, values[used], codes, len(rows)))
    return MultilevelICCResult(
        groups=tuple(groups),
        columns=(cluster, listed(names) if len(names) > 1 else names[0], raters or ""),
        context=tuple(contexts),
        k=None if k is None else float(k),
        confidence=level,
    )


def _group(
    labels: tuple[Any, ...],
    values: NDArray[np.float64],
    codes: dict[str, NDArray[np.int64]],
    n_rows: int,
) -> MultilevelGroup:
    subjects = crossed(codes, [SUBJECT])
    targets = crossed(codes, [SUBJECT, TARGET])
    raters = crossed(codes, [RATER]) if RATER in codes else None
    structure = structure_of(subjects, targets, raters)
    design = design_of_structure(structure)
    if structure == IN_TARGETS:
        codes = {name: codes[name] for name in (SUBJECT, TARGET)}
    found = computed(design, labels, values, codes, n_rows)
    return MultilevelGroup(found, structure, means_of(subjects, targets, raters))


def _check_once(
    codes: dict[str, NDArray[np.int64]], used: NDArray[np.int64], frame: Any, names: list[str]
) -> None:
    cells = crossed(codes, [SUBJECT, TARGET, RATER])
    again = np.flatnonzero(np.bincount(cells) > 1)
    if not len(again):
        return
    first, second = (int(used[row]) for row in np.flatnonzero(cells == again[0])[:2])
    cell = cell_of(frame, list(dict.fromkeys(names)), first)
    raise DataError(
        say(
            "a rater rated a target twice: rows {first} and {second} are both of {cell}; remove "
            "one, add to {targets=} the column that tells them apart, or analyse questions "
            "separately with {context=}",
            first=first + 1,
            second=second + 1,
            cell=cell,
        )
    )
