"""The result of `sensitivity`: conclusions under all specifications, and how many agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pyexpr.base.errors import DataError, counted, listed
from pyexpr.base.messages import Template, message_column, say
from pyexpr.base.results import Result
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.figures.specification_curve import specification_curve
from pyexpr.study.sensitivity.conclusions import KEY

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_ONE_AT_A_TIME = Template(
    "one_choice_at_a_time",
    "Each specification differs from the base in one choice. {full=True} combines all choices.",
    report="",
)()
_NOT_A_TEST = Template(
    "shares_are_no_test",
    "The specifications use the same data, so their results depend on each other: shares of "
    "specifications describe robustness, and are neither a test nor a probability.",
)()
_FAILED = Template(
    "specifications_failed",
    "{failed:count specification} of {all} failed, and {verb} not counted in the shares; the "
    "column {column reason} says why.",
    report="",
)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SensitivityResult(Result):
    """The conclusions of a study under other choices.

    Attributes
    ----------
    table : DataFrame
        What `tidy` returns.
    specifications : DataFrame
        One row per specification: specification (its number; 0 is the study itself), base, a
        column for each entry of the grid, failed (whether it has no results), reason.
    work : DataFrame
        One row per stage: stage, n_specifications that need it, n_distinct (different
        computations among them), n_computed (by this call; the others were stored).
    entries : tuple of str
        The entries of the study file that were changed.
    title : str
        Of the study.
    confidence : float
        Level of the intervals of the study itself.
    full : bool
        Whether all choices were combined.
    facts : dict
        Seed and versions of the study itself.
    """

    table: pd.DataFrame
    specifications: pd.DataFrame
    work: pd.DataFrame
    entries: tuple[str, ...]
    title: str
    confidence: float
    full: bool
    facts: dict[str, Any]

    def tidy(self) -> pd.DataFrame:
        """Return one row per specification and conclusion, the base first.

        Columns: specification (its number; 0 is the base, the study as its file describes it), base
        (whether it is this one), a column with the value of each entry of the grid as text;
        quantity ("performance", "difference" of two models, "reliability", "slope",
        "difference of slopes", or "pooled slope"), context, metric, term (a model, two models, a
        question, or a feature); null (the value that means no effect), estimate, conf_low,
        conf_high, p_value (of slopes and their differences adjusted as in the study, of pooled
        slopes not adjusted; there is none of reliabilities), n (clips), n_clusters (subjects; both
        are missing for differences of slopes); excludes_null (whether the interval excludes the
        null value), same_sign (whether the estimate is on the same side of it as in the base),
        same_significance (whether excludes_null is as in the base), reason (why a number is
        missing).
        """
        return self.table.copy()

    def summary(self) -> pd.DataFrame:
        """Return one row per conclusion.

        Columns: quantity, context, metric, term; base (the estimate of the study itself), median,
        lowest, highest (of the estimates of all specifications, the base included); same_sign,
        excludes_null, same_significance (proportions of the specifications for which they are
        known); n_specifications (with an estimate), n_missing (without), reason (why a number is
        missing).
        """
        import pandas as pd

        rows = []
        for key, own in self.table.groupby(list(KEY), sort=False):
            found = own["estimate"].dropna()
            known = {name: own[name].dropna() for name in _SHARES}
            rows.append(
                {
                    **dict(zip(KEY, key, strict=True)),
                    "base": float(own.loc[own["base"], "estimate"].iloc[0]),
                    "median": float(found.median()) if len(found) else np.nan,
                    "lowest": float(found.min()) if len(found) else np.nan,
                    "highest": float(found.max()) if len(found) else np.nan,
                    **{
                        name: float(values.astype(float).mean()) if len(values) else np.nan
                        for name, values in known.items()
                    },
                    "n_specifications": len(found),
                    "n_missing": len(own) - len(found),
                    "reason": own.loc[own["base"], "reason"].iloc[0],
                }
            )
        table = pd.DataFrame(rows)
        return table.assign(reason=message_column(row["reason"] for row in rows))

    def printed(self) -> pd.DataFrame:
        """Return the summary, which is what is printed."""
        return self.summary()

    def heading(self) -> str:
        """Return what was varied, in one sentence."""
        others = len(self.specifications) - 1
        return (
            f"{self.title}: {counted(len(self.summary()), 'conclusion')} under "
            f"{counted(others, 'other specification')}, with other values of "
            f"{listed(self.entries)}"
        )

    def notes(self) -> tuple[str, ...]:
        """Return what the table does and does not show."""
        found = [] if self.full or len(self.entries) == 1 else [_ONE_AT_A_TIME]
        failed = int(self.specifications["failed"].sum())
        if failed:
            found.append(
                _FAILED(
                    failed=failed,
                    all=len(self.specifications),
                    verb="is" if failed == 1 else "are",
                )
            )
        return (*found, _NOT_A_TEST)

    def provenance(self) -> dict[str, Any]:
        """Return the specifications, what was computed for them, and the versions."""
        return {
            "confidence": self.confidence,
            "full": self.full,
            "specifications": self.specifications.to_dict("records"),
            "work": self.work.to_dict("records"),
            **self.facts,
        }

    def conclusion(
        self,
        *,
        quantity: str | None = None,
        context: str | None = None,
        metric: str | None = None,
        term: str | None = None,
    ) -> pd.DataFrame:
        """Return the rows of one conclusion.

        Parameters
        ----------
        quantity, context, metric, term : str, optional
            What identifies the conclusion, as in `tidy`. Of the conclusions that match the given
            arguments the first is returned; differences of models come before others, and "all"
            before the contexts.

        Raises
        ------
        DataError
            If there is no such conclusion.
        """
        wanted = {"quantity": quantity, "context": context, "metric": metric, "term": term}
        rows = self.table[self.table["base"]]
        for name, value in wanted.items():
            if value is None:
                continue
            known = list(dict.fromkeys(rows[name]))
            if value not in known:
                raise DataError(
                    say(
                        "{@name=} must be one of {known}, not {value!r}",
                        name=name,
                        known=listed(known, most=20),
                        value=value,
                    )
                )
            rows = rows[rows[name] == value]
        first = rows.assign(
            late=rows["quantity"] != "difference", part=rows["context"] != "all"
        ).sort_values(["late", "part"], kind="stable")
        key = first.iloc[0][list(KEY)]
        same = (self.table[list(KEY)] == key).all(axis=1)
        return self.table[same].reset_index(drop=True)

    @drawn("entries and their values")
    def plot(
        self,
        *,
        quantity: str | None = None,
        context: str | None = None,
        metric: str | None = None,
        term: str | None = None,
        names: Mapping[str, str] | None = None,
        width_mm: float = FULL_WIDTH_MM,
    ) -> Figure:
        """Draw the specification curve of one conclusion.

        The estimates of all specifications are drawn with their intervals, sorted by size. The
        marks below each show its choices. The base, which is the study itself, is marked by a
        diamond in colour. Filled marks have intervals that exclude the null value.

        Parameters
        ----------
        quantity, context, metric, term : str, optional
            The conclusion; see `conclusion`.
        """
        rows = self.conclusion(quantity=quantity, context=context, metric=metric, term=term)
        return specification_curve(
            rows,
            self.entries,
            confidence=self.confidence,
            names=names,
            width_mm=width_mm,
        )


_SHARES: Final = ("same_sign", "excludes_null", "same_significance")
