"""Reliability with other numbers of raters, clips and the like: a decision study of facets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import real_number
from pyexpr.base.errors import DataError, listed, near_names
from pyexpr.base.messages import message_column, say
from pyexpr.base.results import Result
from pyexpr.base.versions import versions
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.measurement.components.coefficients import COEFFICIENTS, weights_of
from pyexpr.measurement.components.design import Design
from pyexpr.measurement.components.group import ComponentsGroup
from pyexpr.measurement.components.intervals import (
    ERRORS,
    error_limits,
    errors_of,
    ratio_limits,
)
from pyexpr.measurement.components.notes import NO_VARIANCE, NOTE_FIXED, NOTE_MEANS, NOTE_SEM
from pyexpr.measurement.components.plot import design_study_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

# Largest number of combinations of numbers of levels.
MOST_DESIGNS = 2_000


@dataclass(frozen=True, slots=True, repr=False)
class DesignStudyResult(Result):
    """Reliability with chosen numbers of levels: the result of `VarianceComponentsResult.d_study`.

    Attributes
    ----------
    groups : tuple of ComponentsGroup
        The variance components of each context.
    design : Design
        Facets, nesting, effects and object of measurement.
    context : tuple of str
        Columns whose values, or combinations of them, are the contexts.
    confidence : float
        Level of the intervals.
    numbers : tuple of (str, tuple of float)
        Facets and the requested numbers of their levels.
    fixed : tuple of str
        Fixed facets, whose observed levels are all levels of interest.
    target : float or None
        Reliability to be reached.
    cost : tuple of (str, float)
        Cost of a level of a facet.
    cost_per_rating : float
        Cost of a rating.
    """

    groups: tuple[ComponentsGroup, ...]
    design: Design
    context: tuple[str, ...]
    confidence: float
    numbers: tuple[tuple[str, tuple[float, ...]], ...]
    fixed: tuple[str, ...]
    target: float | None
    cost: tuple[tuple[str, float], ...]
    cost_per_rating: float

    @property
    def facets(self) -> tuple[str, ...]:
        """Return the facets over which a score is averaged."""
        design = self.design
        measured = design.closure(design.measured)
        return tuple(name for name in design.facets if name not in measured)

    def tidy(self) -> pd.DataFrame:
        """Return one row per context, combination of numbers and coefficient.

        Columns: those of ``context``, then ``n_`` and each facet's name (its number of levels),
        ratings_per_object, cost, coefficient (``generalizability`` for the order of the objects,
        ``dependability`` for their values), estimate, conf_low, conf_high, sem (standard error of
        measurement, in the ratings' units), sem_low, sem_high, mdc (minimal detectable change),
        mdc_low, mdc_high, reason.
        """
        import pandas as pd

        rows = [
            {**dict(zip(self.context, group.labels, strict=True)), **row}
            for group in self.groups
            for row in self._rows(group)
        ]
        columns = [
            *self.context, *(f"n_{name}" for name in self.facets), *_COLUMNS
        ]  # fmt: skip
        table = pd.DataFrame(rows, columns=columns)
        return table.assign(reason=message_column(row["reason"] for row in rows))

    def _rows(self, group: ComponentsGroup) -> Iterable[dict[str, Any]]:
        from scipy.special import ndtri

        change = float(ndtri(1 - (1 - self.confidence) / 2)) * np.sqrt(2.0)
        for numbers in self._combinations(group):
            weights = weights_of(self.design, numbers, self.fixed)
            head = {f"n_{name}": numbers[name] for name in self.facets}
            head["ratings_per_object"] = prod(numbers.values())
            head["cost"] = self._cost(numbers)
            for coefficient in COEFFICIENTS:
                error = weights.error(coefficient)
                limits = ratio_limits(group.sampling, weights.universe, error, self.confidence)
                of_error = error_limits(group.sampling, error, self.confidence)
                signal, noise = group.variances @ weights.universe, group.variances @ error
                total = signal + noise
                none = NO_VARIANCE if total == 0 else ""
                yield {
                    **head,
                    "coefficient": coefficient,
                    "estimate": float(signal / total) if total > 0 else float("nan"),
                    "conf_low": limits.low,
                    "conf_high": limits.high,
                    **errors_of(float(np.sqrt(noise)), of_error, change),
                    "reason": group.reason or none or limits.reason or of_error.reason,
                }

    def _combinations(self, group: ComponentsGroup) -> Iterable[dict[str, float]]:
        design, asked = self.design, dict(self.numbers)
        own = dict(zip(design.facets, group.numbers, strict=True))
        values = [asked.get(name, (own[name],)) for name in self.facets]
        for numbers in product(*values):
            yield dict(zip(self.facets, numbers, strict=True))

    def _cost(self, numbers: Mapping[str, float]) -> float:
        if not self.cost and not self.cost_per_rating:
            return float(prod(numbers.values()))
        levels = sum(each * numbers[name] for name, each in self.cost)
        return float(levels + self.cost_per_rating * prod(numbers.values()))

    def cheapest(self) -> pd.DataFrame:
        """Return the cheapest of the requested designs that reaches `target`.

        One row per context, coefficient and criterion: ``estimate``, the estimate reaches the
        target, or ``conf_low``, the lower limit of the interval does. Columns: those of
        ``context``, coefficient, criterion, then as in ``tidy()``. If none reaches it, the numbers
        are missing and ``reason`` says so. Of equally expensive designs, the most reliable is
        returned.

        Raises
        ------
        DataError
            If `target` was not given.
        """
        import pandas as pd

        from pyexpr.measurement.components.notes import NOT_REACHED

        if self.target is None:
            raise DataError(say("cheapest() requires {call d_study(..., target=0.9)}"))
        table = self.tidy()
        keys = [*self.context, "coefficient"]
        found = []
        for _, rows in table.groupby(keys, sort=False, dropna=False):
            for criterion in ("estimate", "conf_low"):
                reached = rows[rows[criterion] >= self.target]
                order = reached.sort_values(["cost", criterion], ascending=[True, False])
                if len(order):
                    one = order.iloc[0].to_dict()
                else:
                    one = {name: rows.iloc[0][name] for name in keys}
                    one["reason"] = NOT_REACHED(target=self.target)
                found.append({**one, "criterion": criterion})
        columns = [*keys, "criterion", *(c for c in table.columns if c not in keys)]
        made = pd.DataFrame(found, columns=columns)
        return made.assign(reason=message_column(row["reason"] for row in found))

    @drawn("facets and coefficients")
    def plot(
        self, *, names: Mapping[Any, str] | None = None, width_mm: float = FULL_WIDTH_MM
    ) -> Figure:
        """Draw the reliability by the number of levels of the first facet with several numbers.

        There is a panel per context and coefficient, and a line per number of the next facet.

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
        >>> figure = found.d_study({"rater": [1, 4, 12]}).plot()
        >>> [axes.get_title() for axes in figure.axes]
        ['Generalizability', 'Dependability']
        """
        return design_study_figure(
            self.tidy(), self.context,
            facets=[name for name, numbers in self.numbers if len(numbers) > 1] or self.facets[:1],
            target=self.target, confidence=self.confidence, names=names, width_mm=width_mm,
        )  # fmt: skip

    def heading(self) -> str:
        """Return a sentence that says what was computed."""
        return (
            f"Reliability of means over {listed(self.facets)}, "
            f"{100 * self.confidence:g} % intervals"
        )

    def notes(self) -> tuple[str, ...]:
        """Return the assumptions of the projection."""
        notes: list[str] = [NOTE_MEANS, NOTE_SEM(confidence=100 * self.confidence)]
        if self.fixed:
            notes.append(NOTE_FIXED(names=listed(self.fixed)))
        return tuple(notes)

    def provenance(self) -> dict[str, Any]:
        """Return the numbers, costs and target, and the provenance of the components."""
        return {
            "numbers": {name: list(values) for name, values in self.numbers},
            "fixed": list(self.fixed),
            "target": self.target,
            "cost": dict(self.cost),
            "cost_per_rating": self.cost_per_rating,
            "facets": list(self.design.facets),
            "effects": [list(effect) for effect in self.design.effects],
            "object_of_measurement": self.design.measured,
            "context": list(self.context),
            "confidence": self.confidence,
            "method": "REML",
            "versions": versions("scipy"),
        }


def design_study(
    groups: tuple[ComponentsGroup, ...],
    design: Design,
    n: Any,
    *,
    context: tuple[str, ...],
    confidence: float,
    fixed: Any,
    target: float | None,
    cost: Any,
    cost_per_rating: Any,
) -> DesignStudyResult:
    """Check the arguments of `VarianceComponentsResult.d_study`, and return its study."""
    measured = design.closure(design.measured)
    known = [name for name in design.facets if name not in measured]

    @cache
    def check(name: str, argument: str) -> None:
        if name in measured:
            raise DataError(
                say(
                    "{@argument=} names {name!r}, which is the object of measurement or holds it; "
                    "the facets over which its scores are averaged are {known}",
                    argument=argument,
                    name=name,
                    known=listed(known),
                )
            )
        if name not in known:
            raise DataError(
                say(
                    "{@argument=} names {name!r}, which is not one of the facets; {hint}",
                    argument=argument,
                    name=name,
                    hint=near_names(str(name), known, lead="the facets are"),
                )
            )

    numbers = _numbers(n, check)
    combinations = prod(len(values) for _, values in numbers)
    if combinations > MOST_DESIGNS:
        raise DataError(
            say(
                "{n=} makes {combinations} designs; at most {most} are possible",
                combinations=combinations,
                most=MOST_DESIGNS,
            )
        )
    chosen = [fixed] if isinstance(fixed, str) else list(fixed)
    for name in chosen:
        check(name, "fixed")
    if target is not None and not 0 < real_number(target, argument="target") < 1:
        raise DataError(say("{target=} must be between 0 and 1, not {given}", given=target))
    costs = []
    for name, each in _mapping(cost, "cost").items():
        check(name, "cost")
        costs.append((name, _at_least(each, 0.0, "cost")))
    return DesignStudyResult(
        groups=groups,
        design=design,
        context=context,
        confidence=confidence,
        numbers=numbers,
        fixed=tuple(dict.fromkeys(chosen)),
        target=target,
        cost=tuple(costs),
        cost_per_rating=_at_least(cost_per_rating, 0.0, "cost_per_rating"),
    )


def _mapping(given: Any, argument: str) -> Mapping[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise DataError(
            say(
                "{@argument=} must name facets with their numbers, such as {example}, not "
                "{given!r}",
                argument=argument,
                example={"rater": 4},
                given=given,
            )
        )
    return given


def _numbers(n: Any, check: Any) -> tuple[tuple[str, tuple[float, ...]], ...]:
    found = []
    for name, values in _mapping(n, "n").items():
        check(name, "n")
        several = isinstance(values, Iterable) and not isinstance(values, (str, bytes))
        own: Sequence[Any] = list(values) if several else [values]
        if not own:
            raise DataError(say("{n=} names no number of levels of {name!r}", name=name))
        found.append((name, tuple(_at_least(one, 1.0, "n") for one in own)))
    return tuple(found)


def _at_least(value: Any, least: float, argument: str) -> float:
    number = real_number(value, argument=argument)
    if not least <= number < float("inf"):
        raise DataError(
            say("{@argument=} must be at least {least:g}, not {given}", argument=argument,
                least=least, given=value)
        )  # fmt: skip
    return number


_COLUMNS = (
    "ratings_per_object", "cost", "coefficient", "estimate", "conf_low", "conf_high", *ERRORS,
    "reason",
)  # fmt: skip
