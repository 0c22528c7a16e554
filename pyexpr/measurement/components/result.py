"""The result of `variance_components`: variances, their shares, and studies planned from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import listed
from pyexpr.base.messages import message_column
from pyexpr.base.results import Result
from pyexpr.base.versions import versions
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.measurement.columns import counted_contexts
from pyexpr.measurement.components.d_study import DesignStudyResult, design_study
from pyexpr.measurement.components.design import RESIDUAL, Design
from pyexpr.measurement.components.group import ComponentsGroup
from pyexpr.measurement.components.intervals import share_limits, variance_limits
from pyexpr.measurement.components.notes import (
    AT_BOUND,
    NOTE_OUTER,
    NOTE_REML,
    NOTE_RESIDUAL,
)
from pyexpr.measurement.components.plot import components_figure
from pyexpr.measurement.icc.notes import NOTE_MISSING

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

JACKKNIFE, CHI_SQUARE = "jackknife", "chi-square"


@dataclass(frozen=True, slots=True, repr=False)
class VarianceComponentsResult(Result):
    """Variance components, one row per context and effect.

    Attributes
    ----------
    groups : tuple of ComponentsGroup
        One per context.
    design : Design
        Facets, nesting, effects and object of measurement.
    ratings : str
        Column of the scores.
    context : tuple of str
        Columns whose values, or combinations of them, are the contexts.
    confidence : float
        Level of the intervals.
    """

    groups: tuple[ComponentsGroup, ...]
    design: Design
    ratings: str
    context: tuple[str, ...]
    confidence: float

    def tidy(self) -> pd.DataFrame:
        """Return one row per context and effect, the residual last.

        Columns: those of ``context``, then effect (facets joined by ":", without those in which
        one of them is nested), estimate (the variance, in squared units of the ratings), share (of
        the variance of a single rating), share_low, share_high, std_error (of the expected
        information), conf_low, conf_high, n_levels, df (of a complete design), method (of the
        interval), reason (why a number is missing, or that the variance is estimated as 0).
        """
        import pandas as pd

        rows = [{**head, **row} for head, group in self._by_context() for row in self._rows(group)]
        table = pd.DataFrame(rows, columns=[*self.context, *_COLUMNS])
        return table.assign(reason=message_column(row["reason"] for row in rows))

    def _rows(self, group: ComponentsGroup) -> Iterable[dict[str, Any]]:
        total = float(np.sum(group.variances))
        effects = [*self.design.effects, ()]
        levels = [*group.levels, group.n_ratings]
        for j, effect in enumerate(effects):
            variance = float(group.variances[j])
            limits = variance_limits(group.sampling, j, self.confidence)
            of_share = share_limits(group.sampling, j, self.confidence)
            at_bound = AT_BOUND if variance == 0 else ""
            yield {
                "effect": self.design.label(effect),
                "estimate": variance,
                "share": variance / total if total > 0 else float("nan"),
                "share_low": of_share.low,
                "share_high": of_share.high,
                "std_error": float(group.std_errors[j]),
                "conf_low": limits.low,
                "conf_high": limits.high,
                "n_levels": levels[j],
                "df": float(group.df[j]),
                "method": CHI_SQUARE if group.sampling.outer[j] else JACKKNIFE,
                "reason": group.reason or limits.reason or of_share.reason or at_bound,
            }

    def counts(self) -> pd.DataFrame:
        """Return one row per context: rows read, missing scores, ratings, REML criterion.

        A column with ``n_`` and the name of a facet is the number of its levels over which a mean
        is taken: within the facet in which it is nested, or in the cells of the other facets
        (harmonic means).
        """
        import pandas as pd

        names = [f"n_{name}" for name in self.design.facets]
        return pd.DataFrame(
            [
                {
                    **head,
                    "n_rows": group.n_rows,
                    "n_missing": group.n_missing,
                    "n_ratings": group.n_ratings,
                    **dict(zip(names, group.numbers, strict=True)),
                    "criterion": group.criterion,
                }
                for head, group in self._by_context()
            ],
            columns=[*self.context, *_COUNTS, *names, "criterion"],
        )

    def d_study(
        self,
        n: Mapping[str, float | Iterable[float]] | None = None,
        *,
        fixed: str | Sequence[str] = (),
        target: float | None = None,
        cost: Mapping[str, float] | None = None,
        cost_per_rating: float = 0.0,
    ) -> DesignStudyResult:
        r"""Project the reliability to other numbers of levels (a decision study).

        Parameters
        ----------
        n : dict, optional
            Numbers of levels of each facet over which a score is averaged; all combinations are
            computed: ``{"rater": [2, 4, 6], "clip": [4, 8]}``. For a nested facet it is the number
            within each level of the facet that contains it. Facets that are not named keep the
            number in the ratings (a harmonic mean).
        fixed : str or list of str
            Fixed facets, whose observed levels are all levels of interest, such as the questions of
            a questionnaire. By default all facets are random.
        target : float, optional
            Reliability to be reached: ``cheapest()`` returns the cheapest design that reaches it.
        cost : dict, optional
            Cost of a level of a facet: ``{"rater": 50, "clip": 10}``.
        cost_per_rating : float
            Cost of a rating. Without `cost` and `cost_per_rating`, the cost of a design is its
            number of ratings of one object.

        Returns
        -------
        DesignStudyResult
            ``tidy()``, ``cheapest()``, ``notes()``, ``plot()``.

        Raises
        ------
        DataError
            If a facet is unknown or is the object of measurement, a number is below 1, a cost is
            negative, or `target` is not between 0 and 1.

        Notes
        -----
        With :math:`\tau` the universe score, :math:`\delta` the relative and :math:`\Delta` the
        absolute error, the generalizability coefficient is
        :math:`\sigma^2_\tau / (\sigma^2_\tau + \sigma^2_\delta)` and the dependability coefficient
        :math:`\sigma^2_\tau / (\sigma^2_\tau + \sigma^2_\Delta)`. An effect contributes its
        variance divided by the numbers of its facets: to :math:`\tau` if its facets are the object
        of measurement and fixed ones, to :math:`\delta` if they are the object and a random one,
        and to :math:`\Delta` if one of them is random (Brennan 2001). The interval is Student's t
        of the jackknife's pseudo-values of the objects on :math:`-\sqrt{1 - R}`, mixed over the
        chi-square distribution of the variances of other effects. ``sem`` is the standard deviation
        of the error, and ``mdc`` is :math:`1.96 \sqrt 2` times ``sem`` (at `confidence` .95). Their
        intervals are those of the error variance, on the logarithm, as for a variance component.

        Checked against: Brennan's (2001) published examples, and `icc` for targets and raters.

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> from pyexpr.measurement.components.variance_components import variance_components
        >>> scores = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6],
        ...                    [10, 5, 6, 9], [6, 2, 4, 7]])
        >>> target, rater = np.indices(scores.shape)
        >>> table = pd.DataFrame(
        ...     {"target": target.ravel(), "rater": rater.ravel(), "score": scores.ravel()}
        ... )
        >>> found = variance_components(table, ratings="score", facets=["target", "rater"])
        >>> plan = found.d_study({"rater": [1, 4, 12]}, target=0.9)
        >>> print(plan.tidy()[["n_rater", "coefficient", "estimate"]].round(2))
           n_rater       coefficient  estimate
        0      1.0  generalizability      0.71
        1      1.0     dependability      0.29
        2      4.0  generalizability      0.91
        3      4.0     dependability      0.62
        4     12.0  generalizability      0.97
        5     12.0     dependability      0.83
        >>> print(plan.cheapest()[["coefficient", "criterion", "n_rater", "cost"]])
                coefficient criterion  n_rater  cost
        0  generalizability  estimate      4.0   4.0
        1  generalizability  conf_low      NaN   NaN
        2     dependability  estimate      NaN   NaN
        3     dependability  conf_low      NaN   NaN
        """
        return design_study(
            self.groups, self.design, n, context=self.context, confidence=self.confidence,
            fixed=fixed, target=target, cost=cost, cost_per_rating=cost_per_rating,
        )  # fmt: skip

    def _by_context(self) -> list[tuple[dict[str, Any], ComponentsGroup]]:
        return [
            (dict(zip(self.context, group.labels, strict=True)), group) for group in self.groups
        ]

    @drawn("contexts and effects")
    def plot(
        self, *, names: Mapping[Any, str] | None = None, width_mm: float = FULL_WIDTH_MM
    ) -> Figure:
        """Draw every variance with its interval, a row per context and a panel per effect.

        A missing value is replaced by its reason.

        Examples
        --------
        >>> import numpy as np
        >>> import pandas as pd
        >>> from pyexpr.measurement.components.variance_components import variance_components
        >>> scores = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6],
        ...                    [10, 5, 6, 9], [6, 2, 4, 7]])
        >>> target, rater = np.indices(scores.shape)
        >>> table = pd.DataFrame(
        ...     {"target": target.ravel(), "rater": rater.ravel(), "score": scores.ravel()}
        ... )
        >>> found = variance_components(table, ratings="score", facets=["target", "rater"])
        >>> len(found.plot().axes)
        1
        """
        return components_figure(
            self.tidy(), self.context, confidence=self.confidence, names=names, width_mm=width_mm
        )

    def heading(self) -> str:
        """Return a sentence that says what was computed."""
        contexts = f", {counted_contexts(len(self.groups), self.context)}" if self.context else ""
        return (
            f"Variance components of {listed(self.design.facets)} (REML), "
            f"{100 * self.confidence:g} % intervals{contexts}"
        )

    def notes(self) -> tuple[str, ...]:
        """Return what the table leaves out, and how it must not be interpreted."""
        notes = [NOTE_REML]
        left = [
            self.design.label(effect)
            for effect in self.design.closed_sets()
            if effect not in self.design.effects
        ]
        if left:
            notes.append(NOTE_RESIDUAL(names=listed(left)))
        outer = {
            self.design.label(effect)
            for group in self.groups
            for effect, is_outer in zip(self.design.effects, group.sampling.outer, strict=False)
            if is_outer
        }
        if outer:
            ordered = [self.design.label(one) for one in self.design.effects]
            notes.append(NOTE_OUTER(names=listed([name for name in ordered if name in outer])))
        missing = sum(group.n_missing for group in self.groups)
        if missing:
            notes.append(NOTE_MISSING(missing=missing))
        return tuple(notes)

    def provenance(self) -> dict[str, Any]:
        """Return facets, nesting, effects, object of measurement, counts and versions."""
        nested = {
            name: list(within)
            for name, within in zip(self.design.facets, self.design.within, strict=True)
            if within
        }
        return {
            "confidence": self.confidence,
            "facets": list(self.design.facets),
            "nested": nested,
            "effects": [list(effect) for effect in self.design.effects],
            "object_of_measurement": self.design.measured,
            "replicates": self.design.replicated,
            "context": list(self.context),
            "method": "REML",
            "counts": self.counts().to_dict(orient="records"),
            "versions": versions("scipy"),
        }


_COLUMNS = (
    "effect", "estimate", "share", "share_low", "share_high", "std_error", "conf_low", "conf_high",
    "n_levels", "df", "method", "reason",
)  # fmt: skip
_COUNTS = ("n_rows", "n_missing", "n_ratings")
# A column of contexts must not have such a name, which would occur twice in a table.
OF_TABLES = frozenset(
    {*_COLUMNS, *_COUNTS, "criterion", "coefficient", "cost", "sem", "mdc", RESIDUAL}
)
