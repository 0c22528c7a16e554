"""The result of `icc`: the table of intraclass correlations, and counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from pyexpr.base.checks import confidence_level, further_replicates
from pyexpr.base.errors import DataError
from pyexpr.base.messages import message_column, say
from pyexpr.base.results import Result
from pyexpr.base.stopping import stoppable
from pyexpr.base.versions import versions
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.measurement.columns import counted_contexts
from pyexpr.measurement.icc.bootstrap import Bootstrap
from pyexpr.measurement.icc.forms import FORMS, Form
from pyexpr.measurement.icc.group import (
    SOME_LEFT_OUT,
    ICCGroup,
    checked_plan,
    computed,
    of_group,
    signals_drawn,
    signals_without,
    warn_of_undefined,
)
from pyexpr.measurement.icc.intervals import form_row, reliability_at
from pyexpr.measurement.icc.layout import Ratings
from pyexpr.measurement.icc.notes import (
    MEANS_ELSEWHERE,
    NOT_ADJUSTED,
    NOTE_BOOTSTRAP,
    NOTE_BOTH,
    NOTE_CLUSTER,
    NOTE_DELTA,
    NOTE_MISSING,
    NOTE_NO_RATERS,
    NOTE_RATERS,
    NOTE_REML,
    NOTE_SHARED,
    NOTE_SINGLE,
    NOTE_SINGLES,
    NOTE_TEST,
    NOTE_TWO_WAY,
    NOTE_UNEQUAL,
)
from pyexpr.measurement.icc.plot import icc_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, repr=False)
class ICCResult(Result):
    """Intraclass correlations, one row per context and form.

    Attributes
    ----------
    groups : tuple of ICCGroup
        The groups of ratings from which the table is computed, one per context.
    context : tuple of str
        Columns whose values, or combinations of them, are the contexts.
    forms : tuple of str
        The computed forms, named as in McGraw and Wong.
    confidence : float
        Level of the intervals.
    k : float or None
        Number of ratings to which the average forms refer; None for that of the data.
    cluster : str or None
        Column of the subjects, by whom the interval is clustered.
    two_way : bool
        Whether it is known who gave each rating.
    plan : Bootstrap
        Method, replicates and seed of the interval with `cluster`.
    ratings : tuple of Ratings
        The ratings of every context.
    """

    groups: tuple[ICCGroup, ...]
    context: tuple[str, ...]
    forms: tuple[str, ...]
    confidence: float
    k: float | None
    cluster: str | None
    two_way: bool
    plan: Bootstrap
    ratings: tuple[Ratings, ...] = field(compare=False)

    def tidy(self) -> pd.DataFrame:
        """Return one row per context and form.

        Columns: those of ``context``, then form, shrout_fleiss, estimate, conf_low, conf_high,
        statistic, df1, df2, p_value (F test that targets do not differ), n_targets,
        n_ratings, k (the number of ratings whose mean has this reliability), method
        (of the interval), reason (why a number is missing or extreme).
        """
        import pandas as pd

        rows: list[dict[str, Any]] = []
        for group in self.groups:
            head = dict(zip(self.context, group.labels, strict=True))
            rows.extend(
                {**head, **form_row(form, group.signals[form.family], self.k)}
                for form in self._shown()
            )
        table = pd.DataFrame(rows, columns=[*self.context, *_COLUMNS])
        return table.assign(reason=message_column(row["reason"] for row in rows))

    @property
    def method(self) -> str | None:
        """Return the method of the interval with `cluster`; None without it."""
        return None if self.cluster is None else self.plan.method

    @property
    def n_boot(self) -> int:
        """Return the number of replicates."""
        return self.plan.n_boot

    @stoppable("intervals were computed", kept="the result is as it was")
    def interval(self, *, method: str | None = None, confidence: float | None = None) -> ICCResult:
        """Return the result with other intervals, from the same draws.

        Parameters
        ----------
        method : str, optional
            As for `icc`. By default unchanged.
        confidence : float, optional
            Level of the intervals. By default unchanged.
        """
        level = self.confidence if confidence is None else confidence_level(confidence)
        return self._by(method or self.method, self.n_boot, level)

    @stoppable("replicates were added", kept="the result is as it was")
    def extend(self, n: int) -> ICCResult:
        """Return the result with `n` more replicates, as if all had been requested at once."""
        n = further_replicates(n)
        self._needs_subjects("extend")
        return self._by(self.method, self.n_boot + n, self.confidence)

    def _by(self, method: str | None, n_boot: int, level: float) -> ICCResult:
        clustered = self.cluster is not None
        plan = checked_plan(method, n_boot, self.plan.seed, level, clustered=clustered)
        families = {form.family for form in self._shown()}
        groups = tuple(
            replace(computed(one, level, families, plan, warn=False), shared=old.shared)
            for one, old in zip(self.ratings, self.groups, strict=True)
        )
        warn_of_undefined(groups, self.context, plan)
        return replace(self, groups=groups, confidence=level, plan=plan)

    @property
    def replicates(self) -> NDArray[np.float64]:
        """Return each row's ICC in every replicate, (n_boot, rows of tidy); NaN if undefined.

        A replicate draws as many whole subjects as the data have. With missing cells the two-way
        forms are not refitted, and are NaN.
        """
        self._needs_subjects("replicates")
        families = {form.family for form in self._shown()}
        columns = []
        for one, group in zip(self.ratings, self.groups, strict=True):
            drawn = signals_drawn(one, sorted(families), self.plan)
            columns += [self._shown_as(form, group, drawn[form.family]) for form in self._shown()]
        return np.column_stack(columns)

    def influence(self) -> pd.DataFrame:
        """Return every ICC without each subject, one row per context, form and subject.

        Columns: those of ``context``, form, cluster (the one left out), estimate (without it, at
        the same number of ratings), change (the difference from the estimate of all subjects),
        influence (-(G - 1) times the change, the empirical influence value).
        """
        import pandas as pd

        self._needs_subjects("influence")
        families = {form.family for form in self._shown()}
        tables = []
        for one, group in zip(self.ratings, self.groups, strict=True):
            signals = signals_without(one, families)
            labels = [one.cluster_labels[code] for code in one.rated_clusters()]
            for form in self._shown():
                whole, *without = self._shown_as(form, group, signals[form.family])
                change = np.array(without) - whole
                table = pd.DataFrame(
                    {
                        "form": form.name, "cluster": labels, "estimate": without,
                        "change": change, "influence": (1 - len(labels)) * change,
                    }
                )  # fmt: skip
                for place, (name, label) in enumerate(zip(self.context, group.labels, strict=True)):
                    table.insert(place, name, label)
                tables.append(table)
        return pd.concat(tables, ignore_index=True)

    def adjust(self, rule: str) -> NoReturn:
        """Raise an error for any `rule`: p-values of ICCs are not adjusted for multiple tests."""
        raise DataError(f"adjust({rule!r}) is not available for ICCs: {NOT_ADJUSTED}")

    def _needs_subjects(self, what: str) -> None:
        if self.cluster is None:
            raise DataError(
                say(
                    "{what} requires resampled subjects; name their column in {cluster=}",
                    what=what,
                )
            )

    def _shown_as(
        self, form: Form, group: ICCGroup, signals: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return signals as ICCs of a form, at the context's number of ratings."""
        at = 1.0 if not form.average else (self.k or group.signals[form.family].k)
        return np.array([reliability_at(theta, at) for theta in signals.tolist()])

    def counts(self) -> pd.DataFrame:
        """Return one row per context: rows read, missing scores dropped, targets, ratings.

        ``n_single`` counts targets with one rating (they add to the mean square between
        targets only); ``k_effective`` is n0, ``k_harmonic`` the harmonic mean of the numbers
        of ratings.
        """
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    **dict(zip(self.context, group.labels, strict=True)),
                    **{name: getattr(group, name) for name in _COUNTS},
                }
                for group in self.groups
            ],
            columns=[*self.context, *_COUNTS],
        )

    def mean_reliability(self) -> pd.DataFrame:
        """Return the reliability of the means of the targets that were actually used.

        With unequal numbers of ratings the means differ in reliability; this is
        ICC(1,k) at the harmonic mean of these numbers, one row per context.
        """
        import pandas as pd

        rows = [
            {
                **dict(zip(self.context, group.labels, strict=True)),
                **form_row(FORMS["ICC(1,k)"], group.signals["one_way"], group.k_harmonic),
            }
            for group in self.groups
        ]
        table = pd.DataFrame(rows, columns=[*self.context, *_COLUMNS])
        return table.assign(reason=message_column(row["reason"] for row in rows))

    @drawn("contexts and forms")
    def plot(
        self, *, names: Mapping[Any, str] | None = None, width_mm: float = FULL_WIDTH_MM
    ) -> Figure:
        """Draw every ICC with its interval, with a row per context and a panel per form.

        A limit beyond the axis, such as an infinite one, ends in an arrowhead. A value without an
        interval is drawn as a hollow point. A missing value is replaced by its reason.

        Examples
        --------
        >>> import numpy as np
        >>> from pyexpr.measurement.icc.icc import icc
        >>> ratings = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6]])
        >>> figure = icc(ratings, form="ICC(A,1)").plot()
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['ICC(A,1)']
        """
        return icc_figure(
            self.tidy(), self.context, confidence=self.confidence, names=names, width_mm=width_mm
        )

    def heading(self) -> str:
        """Return a sentence that says what was computed."""
        contexts = f", {counted_contexts(len(self.groups), self.context)}" if self.context else ""
        inside = f", subjects ({self.cluster}) as clusters" if self.cluster else ""
        return f"Intraclass correlations, {100 * self.confidence:g} % intervals{inside}{contexts}"

    def notes(self) -> tuple[str, ...]:
        """Return what the table leaves out, and how it must not be interpreted."""
        notes = [NOTE_TEST if self.cluster is None else NOTE_CLUSTER]
        if self.method == "studentized":
            notes = [NOTE_BOOTSTRAP(n_boot=self.n_boot)]
            notes += [
                SOME_LEFT_OUT(
                    undefined=group.n_undefined,
                    n_boot=self.n_boot,
                    where=of_group(self.context, group.labels),
                )
                for group in self.groups
                if group.n_undefined
            ]
        missing = sum(group.n_missing for group in self.groups)
        single = sum(group.n_single for group in self.groups)
        if missing:
            notes.append(NOTE_MISSING(missing=missing))
        if single:
            notes.append((NOTE_SINGLE if single == 1 else NOTE_SINGLES)(single=single))
        if self.k is None and any(
            group.k_effective - group.k_harmonic > 1e-9 for group in self.groups
        ):
            notes.append(NOTE_UNEQUAL(elsewhere=MEANS_ELSEWHERE))
        if not self.two_way:
            notes.append(NOTE_NO_RATERS)
        elif any(FORMS[name].family != "one_way" for name in self.forms):
            notes.append(NOTE_TWO_WAY)
        shown = {FORMS[name].family for name in self.forms} - {"one_way"}
        if shown and self.two_way and any(map(_has_holes, self.groups)):
            notes.append(NOTE_REML)
            notes += [NOTE_DELTA] if self.cluster is None else []
        if self.cluster is not None and "agreement" in shown:
            notes.append(NOTE_BOTH)
        if any(group.shared for group in self.groups):
            notes.append(NOTE_SHARED)
        if any(FORMS[name].family == "one_way" for name in self.forms):
            notes.append(NOTE_RATERS)
        return tuple(notes)

    def provenance(self) -> dict[str, Any]:
        """Return the level, k, clusters and versions."""
        return {
            "confidence": self.confidence,
            "k": self.k,
            "context": list(self.context),
            "cluster": self.cluster,
            **self._interval_of_clusters(),
            "counts": self.counts().to_dict(orient="records"),
            "versions": versions("scipy"),
        }

    def _interval_of_clusters(self) -> dict[str, Any]:
        if self.method != "studentized":
            return {"method": self.method}
        return {
            "method": self.method, "n_boot": self.n_boot, "seed": self.plan.seed,
            "n_undefined": [group.n_undefined for group in self.groups],
        }  # fmt: skip

    def _shown(self) -> tuple[Form, ...]:
        return tuple(FORMS[name] for name in self.forms)


def _has_holes(group: ICCGroup) -> bool:
    """Say whether cells of the table of targets by raters are missing."""
    return group.n_raters is not None and group.n_ratings < group.n_targets * group.n_raters


_COLUMNS = (
    "form", "shrout_fleiss", "estimate", "conf_low", "conf_high", "statistic", "df1", "df2",
    "p_value", "n_targets", "n_ratings", "k", "method", "reason",
)  # fmt: skip
_COUNTS = (
    "n_rows", "n_missing", "n_targets", "n_ratings", "n_single", "n_raters", "n_clusters",
    "k_effective", "k_harmonic",
)  # fmt: skip
# No column of contexts may have such a name: it would stand twice in a table.
OF_TABLES = frozenset({*_COLUMNS, *_COUNTS})
