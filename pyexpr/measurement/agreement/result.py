"""The result of `agreement`: the table of coefficients, each category's agreement, and counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import message_column
from pyexpr.base.results import Result
from pyexpr.base.versions import versions
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.measurement.agreement.group import AgreementEstimate, AgreementGroup
from pyexpr.measurement.agreement.intervals import BOOTSTRAP, JACKKNIFE, AgreementPlan
from pyexpr.measurement.agreement.notes import (
    NOT_ADJUSTED,
    NOTE_BOOTSTRAP,
    NOTE_JACKKNIFE,
    NOTE_NO_RATERS,
    NOTE_RARE,
    NOTE_RATERS_FIXED,
    NOTE_SINGLE,
)
from pyexpr.measurement.agreement.plot import agreement_figure
from pyexpr.measurement.columns import counted_contexts
from pyexpr.measurement.icc.notes import NOTE_MISSING, NOTE_SHARED

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_METHODS = {JACKKNIFE: "jackknife", BOOTSTRAP: "bootstrap-t"}
# Under so large a share of the ratings, and with fewer subjects, intervals cover too little.
_RARE, _FEW = 0.10, 30


@dataclass(frozen=True, slots=True, repr=False)
class AgreementResult(Result):
    """Agreement of raters on categories, one row per context and coefficient.

    Attributes
    ----------
    groups : tuple of AgreementGroup
        One per context.
    context : tuple of str
        Columns whose values, or combinations of them, are the contexts.
    categories : tuple
        The categories, in their order.
    level : str
        Level of measurement, which determines the metric of Krippendorff's alpha.
    weights : str
        How much two categories agree, in the other coefficients.
    cluster : str or None
        Column of the subjects, by whom the interval is clustered.
    plan : AgreementPlan
        Method, level, replicates and seed of the intervals.
    omitted : tuple of str
        Coefficients left out because they require the rater of each rating.
    warned : bool
        Whether `cluster` was not given, so that targets which share subjects are reported.
    """

    groups: tuple[AgreementGroup, ...]
    context: tuple[str, ...]
    categories: tuple[Any, ...]
    level: str
    weights: str
    cluster: str | None
    plan: AgreementPlan
    omitted: tuple[str, ...]
    warned: bool

    @property
    def confidence(self) -> float:
        """Return the level of the intervals."""
        return self.plan.confidence

    def tidy(self) -> pd.DataFrame:
        """Return one row per context and coefficient.

        Columns: those of ``context``, then coefficient, weights (or the level, for Krippendorff's
        alpha), observed and expected (agreement observed, and by chance; missing for alpha, which
        is a ratio of disagreements), estimate, conf_low, conf_high, statistic, df, p_value (test
        of the hypothesis that the coefficient is 0), n_targets, n_ratings, method (of the
        interval), reason (why a number is missing).
        """
        return self._table(
            [
                {
                    **head,
                    "coefficient": one.name,
                    "weights": self.level if one.name == "krippendorff_alpha" else self.weights,
                    **_agreements(one),
                    **self._numbers(one),
                    "n_targets": group.n_targets,
                    "n_ratings": group.n_ratings,
                }
                for head, group in self._groups()
                for one in group.estimates
            ],
            _COLUMNS,
        )

    def by_category(self) -> pd.DataFrame:
        """Return each category's specific agreement, one row per context and category.

        If one rater chose the category, this is the probability that another rater of the same
        target chose it, too. Columns: those of ``context``, category, estimate, conf_low,
        conf_high, n_ratings (in this category), share (of all ratings), method, reason.
        """
        return self._table(
            [
                {
                    **head,
                    "category": self.categories[one.name],
                    **self._numbers(one),
                    "n_ratings": group.use[one.name],
                    "share": group.use[one.name] / max(1, group.n_ratings),
                }
                for head, group in self._groups()
                for one in group.by_category
            ],
            _BY_CATEGORY,
        )

    def counts(self) -> pd.DataFrame:
        """Return one row per context: rows read, missing ratings, targets, ratings, subjects.

        ``n_single`` counts the targets with one rating.
        """
        import pandas as pd

        return pd.DataFrame(
            [
                {**head, **{name: getattr(group, name) for name in _COUNTS}}
                for head, group in self._groups()
            ],
            columns=[*self.context, *_COUNTS],
        )

    def _groups(self) -> list[tuple[dict[str, Any], AgreementGroup]]:
        return [
            (dict(zip(self.context, group.labels, strict=True)), group) for group in self.groups
        ]

    def _numbers(self, one: AgreementEstimate) -> dict[str, Any]:
        found = one.interval
        return {
            "estimate": one.value,
            "conf_low": found.low,
            "conf_high": found.high,
            "statistic": found.statistic,
            "df": found.df,
            "p_value": found.p_value,
            "method": f"{self._unit} {_METHODS[self.plan.method]}",
            "reason": found.reason,
        }

    def _table(self, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> pd.DataFrame:
        import pandas as pd

        table = pd.DataFrame(rows, columns=[*self.context, *columns])
        return table.assign(reason=message_column(row["reason"] for row in rows))

    def adjust(self, rule: str) -> NoReturn:
        """Raise an error for any `rule`: p-values are not adjusted for multiple tests."""
        raise DataError(f"adjust({rule!r}) is not available for agreement: {NOT_ADJUSTED}")

    @drawn("contexts and coefficients")
    def plot(
        self, *, names: Mapping[Any, str] | None = None, width_mm: float = FULL_WIDTH_MM
    ) -> Figure:
        """Draw every coefficient with its interval, a row per context and a panel per coefficient.

        A missing value is replaced by its reason.

        Examples
        --------
        >>> import numpy as np
        >>> from pyexpr.measurement.agreement.agreement import agreement
        >>> ratings = np.array([[1, 1], [2, 2], [2, 1], [3, 3], [1, 1]])
        >>> figure = agreement(ratings, coefficient="gwet_ac").plot()
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ["Gwet's AC"]
        """
        return agreement_figure(
            self.tidy(), self.context, confidence=self.confidence, names=names, width_mm=width_mm
        )

    def heading(self) -> str:
        """Return a sentence that says what was computed."""
        contexts = f", {counted_contexts(len(self.groups), self.context)}" if self.context else ""
        inside = f", subjects ({self.cluster}) as clusters" if self.cluster else ""
        return (
            f"Agreement of raters on {len(self.categories)} categories ({self.level}), "
            f"{100 * self.confidence:g} % intervals{inside}{contexts}"
        )

    def notes(self) -> tuple[str, ...]:
        """Return what the table leaves out, and how it must not be interpreted."""
        words = {"unit": self._unit, "units": f"{self._unit}s"}
        if self.plan.method == BOOTSTRAP:
            notes = [NOTE_BOOTSTRAP(n_boot=self.plan.n_boot, **words)]
        else:
            notes = [NOTE_JACKKNIFE(**words)]
        notes.append(NOTE_RATERS_FIXED)
        missing = sum(group.n_missing for group in self.groups)
        single = sum(group.n_single for group in self.groups)
        if missing:
            notes.append(NOTE_MISSING(missing=missing))
        if single:
            notes.append(NOTE_SINGLE(single=single))
        if self.omitted:
            notes.append(NOTE_NO_RATERS(names=listed(self.omitted)))
        if any(map(_is_rare, self.groups)):
            notes.append(NOTE_RARE(**words))
        if self.warned and any(group.shared for group in self.groups):
            notes.append(NOTE_SHARED)
        return tuple(notes)

    @property
    def _unit(self) -> str:
        return "target" if self.cluster is None else "subject"

    def provenance(self) -> dict[str, Any]:
        """Return categories, level, weights, method, clusters and versions."""
        drawn = {"n_boot": self.plan.n_boot, "seed": self.plan.seed}
        return {
            "confidence": self.confidence,
            "categories": list(self.categories),
            "level": self.level,
            "weights": self.weights,
            "context": list(self.context),
            "cluster": self.cluster,
            "method": self.plan.method,
            **(drawn if self.plan.method == BOOTSTRAP else {}),
            "counts": self.counts().to_dict(orient="records"),
            "versions": versions("scipy"),
        }


def _agreements(one: AgreementEstimate) -> dict[str, float]:
    nothing = float("nan")
    if one.name == "krippendorff_alpha":
        return {"observed": nothing, "expected": nothing}
    if one.name == "percent_agreement":
        return {"observed": one.observed, "expected": nothing}
    return {"observed": one.observed, "expected": one.expected}


def _is_rare(group: AgreementGroup) -> bool:
    units = group.n_targets if group.n_clusters is None else group.n_clusters
    return units < _FEW and any(0 < n < _RARE * group.n_ratings for n in group.use)


_COLUMNS = (
    "coefficient", "weights", "observed", "expected", "estimate", "conf_low", "conf_high",
    "statistic", "df", "p_value", "n_targets", "n_ratings", "method", "reason",
)  # fmt: skip
_BY_CATEGORY = (
    "category", "estimate", "conf_low", "conf_high", "n_ratings", "share", "method", "reason",
)  # fmt: skip
_COUNTS = (
    "n_rows", "n_missing", "n_targets", "n_ratings", "n_single", "n_raters", "n_clusters",
)  # fmt: skip
# No column of contexts may have such a name: it would stand twice in a table.
OF_TABLES = frozenset({*_COLUMNS, *_BY_CATEGORY, *_COUNTS})
