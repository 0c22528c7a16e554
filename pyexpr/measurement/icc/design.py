"""Choosing a form of the ICC, and planning how many raters are needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import real_number
from pyexpr.base.errors import DataError
from pyexpr.base.messages import message_column, say
from pyexpr.base.results import Result
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.measurement.icc.forms import FORMS, Form
from pyexpr.measurement.icc.intervals import form_row
from pyexpr.measurement.icc.notes import PROJECTED
from pyexpr.measurement.icc.plot import d_study_figure
from pyexpr.measurement.icc.result import ICCResult

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_COLUMNS = ("form", "k", "estimate", "conf_low", "conf_high", "method", "reason")


@dataclass(frozen=True, slots=True, repr=False)
class DStudyResult(Result):
    """Reliability projected to other numbers of raters: the result of `d_study`.

    Attributes
    ----------
    result : ICCResult
        The reliability of the ratings, from which the projection is computed.
    raters : tuple of float
        The numbers of raters.
    """

    result: ICCResult
    raters: tuple[float, ...]

    def tidy(self) -> pd.DataFrame:
        """Return one row per context, average form and number of raters.

        Columns: those of ``context``, then form, k, estimate, conf_low, conf_high, method, reason.
        """
        import pandas as pd

        rows: list[dict[str, Any]] = []
        for group in self.result.groups:
            head = dict(zip(self.result.context, group.labels, strict=True))
            for form in self._forms():
                for k in self.raters:
                    row = form_row(form, group.signals[form.family], k)
                    rows.append({**head, **{name: row[name] for name in _COLUMNS}})
        table = pd.DataFrame(rows, columns=[*self.result.context, *_COLUMNS])
        return table.assign(reason=message_column(row["reason"] for row in rows))

    @drawn("contexts and forms")
    def plot(
        self, *, names: Mapping[Any, str] | None = None, width_mm: float = FULL_WIDTH_MM
    ) -> Figure:
        """Draw the reliability against the number of raters, with a panel per context and form.

        If a reliability is missing, the panel shows the reason.

        Examples
        --------
        >>> import numpy as np
        >>> from pyexpr.measurement.icc.icc import icc
        >>> ratings = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6]])
        >>> figure = d_study(icc(ratings, form="ICC(A,k)"), raters=[1, 4, 10]).plot()
        >>> [axes.get_title() for axes in figure.axes]
        ['ICC(A,k)']
        """
        return d_study_figure(
                self.tidy(), self.result.context, confidence=self.result.confidence, names=names,
                width_mm=width_mm,
            )  # fmt: skip

    def heading(self) -> str:
        """Return a sentence that says what was computed."""
        level = 100 * self.result.confidence
        return f"Reliability of the mean of k raters, {level:g} % intervals"

    def notes(self) -> tuple[str, ...]:
        """Return the assumptions of the projection."""
        return (PROJECTED,)

    def provenance(self) -> dict[str, Any]:
        """Return the provenance of the ICC."""
        return self.result.provenance()

    def _forms(self) -> tuple[Form, ...]:
        families = {FORMS[name].family for name in self.result.forms}
        return tuple(f for f in FORMS.values() if f.average and f.family in families)


def d_study(result: ICCResult, *, raters: Iterable[float]) -> DStudyResult:
    r"""Project the reliability to other numbers of raters (a decision study).

    Parameters
    ----------
    result : ICCResult
        From `icc`.
    raters : iterable of float
        Numbers of raters, each positive.

    Returns
    -------
    DStudyResult
        ``tidy()`` has one row per context, average form and number of raters.

    Raises
    ------
    DataError
        If no number of raters is given, or one is not positive and finite.

    Notes
    -----
    :math:`ICC(\cdot,k) = k\,ICC(\cdot,1) / (1 + (k - 1) ICC(\cdot,1))`, applied to the estimate and
    to its limits (Spearman 1910, Brown 1910). Missing ratings are treated as in `icc`. If a
    negative estimate cannot be projected, the row is NaN and has a reason.

    Checked against: `psych::ICC` at k = 1 and at the number of raters.

    Examples
    --------
    >>> import numpy as np
    >>> from pyexpr.measurement.icc.icc import icc
    >>> ratings = np.array(
    ...     [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    ... )
    >>> plan = d_study(icc(ratings, form="ICC(A,k)"), raters=[1, 4, 10])
    >>> plan.tidy()["estimate"].round(2).tolist()
    [0.29, 0.62, 0.8]
    """
    if not isinstance(result, ICCResult):
        raise DataError(f"d_study() requires a result of icc(), not {type(result).__name__}")
    if isinstance(raters, (str, bytes)) or not isinstance(raters, Iterable):
        raise DataError(
            say("{raters=} must be numbers of raters, such as 1, 3, 6, not {given!r}", given=raters)
        )
    wanted = tuple(real_number(k, argument="raters") for k in raters)
    bad = [k for k in wanted if not k > 0]
    if bad or not wanted:
        raise DataError(
            say(
                "{raters=} must be positive numbers, not {value}",
                value=bad[0] if bad else "none at all",
            )
        )
    return DStudyResult(result, wanted)


@dataclass(frozen=True, slots=True)
class ICCChoice:
    """The recommended form of the ICC, with reasons.

    Attributes
    ----------
    form, shrout_fleiss : str
        The names of the form.
    why : tuple of str
        One sentence per decision.
    """

    form: str
    shrout_fleiss: str
    why: tuple[str, ...]

    def __str__(self) -> str:
        other = (
            "" if self.form == self.shrout_fleiss else f" (Shrout and Fleiss: {self.shrout_fleiss})"
        )
        return "\n".join([f"Report {self.form}{other}.", *(f"- {text}" for text in self.why)])


def choose_icc(*, same_raters: bool, average: bool, agreement: bool = True) -> ICCChoice:
    """Recommend a form of the ICC, with reasons.

    Parameters
    ----------
    same_raters : bool
        Whether the same people rate every target, and it is known who gave each rating.
        False for slots 1, 2, ... that are filled by different people.
    average : bool
        Whether the study uses the mean of the raters. False if it uses the scores of a single
        rater.
    agreement : bool
        Whether raters should give the same scores (absolute agreement). False if only the order and
        the distances of targets matter, so that raters may differ in their means. Without
        `same_raters`, differences between raters cannot be separated from error, and this argument
        is not used.

    Returns
    -------
    ICCChoice
        ``form``, ``shrout_fleiss``, ``why``; prints as a short text.

    References
    ----------
    McGraw, K. O. and Wong, S. P. (1996). Psychological Methods, 1, 30-46, figure 1.
    https://doi.org/10.1037/1082-989X.1.1.30

    Examples
    --------
    >>> print(choose_icc(same_raters=False, average=True))
    Report ICC(1,k).
    - Targets have different raters, or the rater of each rating is unknown: use a one-way form, in which differences between raters are part of the error.
    - The mean of the raters is analysed: use an average form, which is valid for means of exactly that many raters.
    """  # noqa: E501
    for name, value in (
        ("same_raters", same_raters), ("average", average), ("agreement", agreement),
    ):  # fmt: skip
        if not isinstance(value, (bool, np.bool_)):
            raise DataError(
                say(
                    "{@name=} must be {value True} or {value False}, not {value!r}",
                    name=name,
                    value=value,
                )
            )
    if not same_raters:
        letter = "1"
        why = (
            "Targets have different raters, or the rater of each rating is unknown: use a "
            "one-way form, in which differences between raters are part of the error."
        )
    elif agreement:
        letter = "A"
        why = (
            "The same raters rate every target and their scores should agree: use an agreement "
            "form, in which differences between the means of raters are part of the error."
        )
    else:
        letter = "C"
        why = (
            "The same raters rate every target and their means may differ: use a consistency "
            "form, in which differences between the means of raters are not part of the error. "
            "It is not valid if scores of other raters are mixed with these."
        )
    if average:
        mean = (
            "The mean of the raters is analysed: use an average form, which is valid for means of "
            "exactly that many raters."
        )
    else:
        mean = (
            "The scores of single raters are analysed: use a single-rater form, however many "
            "raters there were."
        )
    form = FORMS[f"ICC({letter},{'k' if average else '1'})"]
    return ICCChoice(form.name, form.shrout_fleiss, (why, mean))
