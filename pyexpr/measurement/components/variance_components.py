"""Variance components of ratings with several facets (a generalizability study)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import confidence_level
from pyexpr.base.errors import DataError
from pyexpr.base.messages import say
from pyexpr.base.options import FORMER_CONTEXT, explains
from pyexpr.base.stopping import stoppable
from pyexpr.base.tables import called, frame_with_rows, numeric_column, require_columns
from pyexpr.measurement.columns import refuse_names_of_results
from pyexpr.measurement.components.design import Design, design_of
from pyexpr.measurement.components.group import ComponentsGroup, computed
from pyexpr.measurement.components.notes import NOT_ADJUSTED
from pyexpr.measurement.components.result import OF_TABLES, VarianceComponentsResult
from pyexpr.measurement.icc.layout import WHAT, codes_of, names_of, row_groups

if TYPE_CHECKING:
    import pandas as pd

    from pyexpr.base.foreign import FrameLike

_NOT_TAKEN = {
    "adjust": NOT_ADJUSTED,
    "cluster": say(
        "whole levels of the object of measurement are left out; name it in "
        "{object_of_measurement=}"
    ),
    "n_boot": "the intervals require no draws",
    "seed": "the intervals require no draws",
}


@stoppable("variance components were computed")
@explains(not_taken=_NOT_TAKEN, renamed=FORMER_CONTEXT)
def variance_components(
    data: FrameLike,
    *,
    ratings: str,
    facets: str | Sequence[str],
    nested: Mapping[str, str | Sequence[str]] | None = None,
    effects: str | Iterable[str | Sequence[str]] = "all",
    object_of_measurement: str | None = None,
    replicates: bool = False,
    context: str | Sequence[str] | None = None,
    confidence: float = 0.95,
) -> VarianceComponentsResult:
    r"""Estimate how much each facet of a design contributes to the variance of ratings.

    Parameters
    ----------
    data : DataFrame
        Long format: one row per rating, in any order. Cells of the design may be missing, and
        numbers of levels unequal.
    ratings : str
        Column of the scores. Missing scores are left out and counted.
    facets : str or list of str
        Columns of the facets, such as ``["subject", "clip", "rater"]``; all are random. Missing
        labels are an error.
    nested : dict, optional
        The facet, or facets, in which a facet is nested: ``{"clip": "subject"}``. Labels of nested
        facets may repeat: clip 1 of one subject is not clip 1 of the next. All other facets are
        crossed, and their labels denote the same thing throughout.
    effects : "all" or list, optional
        Effects with a variance of their own: facets, and tuples of facets for interactions, such as
        ``["subject", "clip", "rater", ("subject", "rater")]``. All others are part of the residual.
    object_of_measurement : str, optional
        The facet whose levels the scores should distinguish. By default the first. For intervals,
        its levels are left out in turn, or those of the facet in which it is nested.
    replicates : bool
        Whether a cell of all facets may have several ratings. If so, the interaction of all facets
        is separated from the residual. Otherwise, several ratings in a cell are an error.
    context : str or list of str, optional
        Column, or several columns whose combinations are the contexts, each of which is analysed
        separately.
    confidence : float
        Level of the intervals.

    Returns
    -------
    VarianceComponentsResult
        ``tidy()``, ``d_study()``, ``counts()``, ``notes()``, ``plot()``.

    Raises
    ------
    ColumnError
        If a column does not exist, a label is missing, or a score is not a number.
    DataError
        If the design is contradictory, a cell has several ratings without `replicates`, or two
        facets that were declared as crossed are nested.

    Notes
    -----
    The score is the sum of the mean and of independent random effects with variances
    :math:`\sigma^2_j`, which are estimated by restricted maximum likelihood and are at least 0
    (``reason`` says if an estimate is 0). In a balanced design with positive estimates, they are
    those of the analysis of variance. If the design cannot separate two effects, all estimates are
    NaN with the reason. The interval of an effect that is sampled with the objects of measurement
    is Student's t of the jackknife's pseudo-values of the objects, on :math:`\log(\sigma^2 + c)`,
    where c is the variance that the other effects add. It does not assume a normal distribution.
    The interval of another effect (raters) is based on chi-square, and assumes that the effect is
    normally distributed. The interval of a share is Student's t on :math:`\log(\sigma^2 / e + c /
    e)`, where e is the sum of the other variances, mixed over the chi-square distribution of the
    variances of effects that are not sampled with the objects. The share of the residual is 1 minus
    the other shares. The coverage is reported in ``docs/coverage_components.md`` and
    ``docs/coverage_shares.md``. ``std_error`` is that of the expected information, which holds for
    normally distributed effects.

    Checked against: `lme4` (balanced, unbalanced, with components at 0), the expected mean squares
    of balanced designs, and Brennan's (2001) published examples.

    References
    ----------
    Brennan, R. L. (2001). Generalizability theory. Springer.
    https://doi.org/10.1007/978-1-4757-3456-0
    Patterson, H. D. and Thompson, R. (1971). Biometrika, 58, 545-554.
    https://doi.org/10.1093/biomet/58.3.545

    Examples
    --------
    Four raters of six targets (Shrout and Fleiss 1979):

    >>> import numpy as np
    >>> import pandas as pd
    >>> scores = np.array(
    ...     [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    ... )
    >>> target, rater = np.indices(scores.shape)
    >>> table = pd.DataFrame(
    ...     {"target": target.ravel(), "rater": rater.ravel(), "score": scores.ravel()}
    ... )
    >>> found = variance_components(table, ratings="score", facets=["target", "rater"])
    >>> print(found.tidy()[["effect", "estimate", "share", "conf_low", "conf_high"]].round(2))
         effect  estimate  share  conf_low  conf_high
    0    target      2.56   0.29      0.64      10.85
    1     rater      5.24   0.59      1.57      75.11
    2  residual      1.02   0.12      0.07      20.49
    """
    level = confidence_level(confidence)
    if not isinstance(replicates, (bool, np.bool_)):
        raise DataError(say("{replicates=} must be True or False, not {given!r}", given=replicates))
    design = design_of(facets, nested, effects, object_of_measurement, replicated=bool(replicates))
    contexts = names_of(context)
    refuse_names_of_results(contexts, OF_TABLES, argument="context")
    for name in contexts:
        if name in design.facets:
            raise DataError(
                say(
                    "{name:label} is named in {facets=} and in {context=}; a facet is part of one "
                    "analysis, and contexts are analysed separately",
                    name=name,
                )
            )
    frame = frame_with_rows(data, what=WHAT)
    require_columns(frame, [ratings, *design.facets, *contexts], what=WHAT)
    groups = groups_of_facets(frame, ratings, design, contexts)
    return VarianceComponentsResult(
        groups=groups,
        design=design,
        ratings=ratings,
        context=tuple(contexts),
        confidence=level,
    )


def groups_of_facets(
    frame: pd.DataFrame, ratings: str, design: Design, contexts: Sequence[str]
) -> tuple[ComponentsGroup, ...]:
    """Return the variance components of each context."""
    values = numeric_column(frame, ratings, what=WHAT)
    codes = {name: codes_of(frame, [name])[0] for name in design.facets}
    found = []
    for labels, at in row_groups(frame, contexts):
        rows = np.arange(len(frame))[at]
        used = rows[~np.isnan(values[rows])]
        if not len(used):
            raise DataError(
                f"{called(frame, WHAT)} have no scores in column {ratings!r}"
                + (f" for {dict(zip(contexts, labels, strict=True))}" if contexts else "")
            )
        if not design.replicated:
            _check_cells(frame, design, codes, used)
        own = {name: one[used] for name, one in codes.items()}
        found.append(computed(design, labels, values[used], own, len(rows)))
    return tuple(found)


def cell_of(frame: pd.DataFrame, names: Sequence[str], row: int) -> str:
    """Return a text with the labels of a row."""
    return ", ".join(f"{name} {frame[name].iloc[[row]].tolist()[0]!r}" for name in names)


def _check_cells(frame: pd.DataFrame, design: Design, codes: Mapping[str, Any], used: Any) -> None:
    """Raise `DataError`, naming two rows, if a cell of all facets has several ratings."""
    import pandas as pd

    cells = pd.DataFrame({name: one[used] for name, one in codes.items()})
    again = cells.duplicated().to_numpy()
    if not again.any():
        return
    second = int(np.flatnonzero(again)[0])
    same = (cells == cells.iloc[second]).all(axis=1).to_numpy()
    first = int(np.flatnonzero(same)[0])
    cell = cell_of(frame, design.facets, int(used[second]))
    raise DataError(
        say(
            "rows {first} and {second} are both of {cell}; name the facet that tells them apart in "
            "{facets=} (a question, an occasion), or use {replicates=True} if they are repeated "
            "ratings of the same cell",
            first=int(used[first]) + 1,
            second=int(used[second]) + 1,
            cell=cell,
        )
    )
