"""The result of `compare_models`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import DataError, counted, listed
from pyexpr.base.messages import has_code, joined, say
from pyexpr.base.metrics import KINDS
from pyexpr.base.pairs import LEVEL
from pyexpr.base.stopping import stoppable
from pyexpr.figures.comparison import comparison_figure
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.inference.comparison.called import CalledDesign
from pyexpr.inference.comparison.classes import Classes, Rarest
from pyexpr.inference.comparison.contrasts import ContrastResult, contrasts_of
from pyexpr.inference.comparison.evidence import MetricDraws
from pyexpr.inference.comparison.metrics import (
    Metrics,
    checked_metrics,
    kind_named,
)
from pyexpr.inference.comparison.notes import (
    NOTE_DIFFERENT_CRITERIA,
    NOTE_DIFFERENT_ROWS,
    NOTE_DROPPED,
    NOTE_FOLDS,
    NOTE_FOLDS_CLASSES,
    NOTE_FOLDS_TOO,
    NOTE_LEVELS,
    NOTE_NO_LEVEL,
    NOTE_NRMSE,
    NOTE_OWN_ALL,
    NOTE_OWN_ROWS,
    NOTE_POSITIVE,
    NOTE_RARE,
    NOTE_RAREST,
    NOTE_RATIOS,
    NOTE_TAKEN_AS_ONE,
    NOTE_TESTED,
    NOTE_THRESHOLD,
    NOTE_UNITS,
    NULL_OF_METRIC,
    OWN_METRIC,
    TESTED_AGAINST,
)
from pyexpr.inference.comparison.nulls import NullDifference, checked_nulls
from pyexpr.inference.comparison.quantities import (
    DIFFERENT_CRITERIA,
    DIFFERENT_ROWS,
    Row,
    families,
    labels_of,
    structure_of,
)
from pyexpr.inference.comparison.sign_flip import SignFlipResult, sign_flip_test
from pyexpr.inference.comparison.units import LeftOut
from pyexpr.inference.memberships import note_of
from pyexpr.resampling.memberships import Memberships
from pyexpr.resampling.ranges import note_of_range
from pyexpr.resampling.result import ReplicatedResult, with_intervals
from pyexpr.words.labels import OF_INTERVALS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

# Numbers of rows and subjects of the rarest class below which coverage was too low in simulations.
_FEW_ROWS, _FEW_OF_CLASS = 20, 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ComparisonResult(ReplicatedResult):
    """Metrics of models and their differences, with intervals and tests.

    Attributes
    ----------
    rows : tuple of Row
        Metric, term and context of each row of the table.
    evidence : Evidence
        Estimates, replicates (rows, n_boot) and leave-one-subject-out values.
    intervals : Intervals
        The intervals of the current method and confidence level.
    n, n_clusters : (rows,) int64
        Numbers of data rows and of subjects on which each row is based.
    n_used, n_dropped : int
        Numbers of data rows used, and left out because the truth or a prediction was missing.
    clusters : tuple
        Labels of the subjects, sorted.
    cluster_name : str
    own_rows : mapping of str to tuple of int
        For models without predictions for every row, the number of rows of each column. These are
        models with a separate truth.
    fold_name : str, optional
        Column of the folds within which correlation, concordance and R2 are computed.
    own_all : bool
        Whether "all" is a context of the table, rather than all rows together.
    score_range : float or None
        Width of the score by which NRMSE is divided; None without NRMSE.
    classes : Classes, optional
        The classes, with metrics of classes.
    rarest : Rarest, optional
        The class with the fewest rows in the truth of the first model.
    per : str, optional
        Column of the units over which metrics are averaged.
    left_out : tuple of LeftOut
        For each metric and context, the numbers of units averaged and left out.
    memberships : Memberships, optional
        Given if rows belong to two clusters; `clusters` are then the labels of the members.
    """

    rows: tuple[Row, ...]
    draws: MetricDraws
    n: NDArray[np.int64]
    n_clusters: NDArray[np.int64]
    n_used: int
    n_dropped: int
    own_rows: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    fold_name: str | None = None
    own_all: bool = False
    score_range: float | None = None
    classes: Classes | None = None
    rarest: Rarest | None = None
    per: str | None = None
    left_out: tuple[LeftOut, ...] = ()
    memberships: Memberships | None = None

    def tidy(self) -> pd.DataFrame:
        """Return one row per metric, term and context.

        Columns: metric, term (a model, ``"p - q"`` or the ratio ``"p / q"``), context (a
        label, ``"all"``, ``"a - b"`` or ``"a / b"``), estimate, std_error (of the quantity
        itself; of a ratio the ratio times that of its logarithm), statistic, df,
        p_value, conf_low, conf_high, method, n, n_clusters, n_undefined, reason; after `adjust`
        also p_adjusted and adjustment.

        The last columns identify the rows, since names may contain `` - ``: kind (``"level"``,
        ``"difference"`` or ``"ratio"``), first_model, second_model, first_context and
        second_context; the second is ``""`` if there is only one. They are left out of the printed
        table.
        """
        return ReplicatedResult.tidy(self)

    def extend(self, n: int, *, metrics: Metrics | None = None) -> ComparisonResult:
        """Return the result with `n` more replicates, as if all had been requested at once.

        Parameters
        ----------
        n : int
            How many more.
        metrics : as for `compare_models`, optional
            The metrics, required if the result was loaded from a file, which does not contain
            functions. They are called on all rows and must give the same estimates.

        Raises
        ------
        DataError
            If a function is missing, or is a different one.
        Interrupted
            If Ctrl-C is pressed. Its ``result`` holds the replicates computed until then.
        """
        if metrics is None:
            return ReplicatedResult.extend(self, n)
        draws = self.draws.with_functions(checked_metrics(metrics))
        for group in draws.groups:
            rows = list(group.rows)
            again, wanted = group.design.estimate(), self.evidence.estimate[rows]
            wrong = np.flatnonzero(~((again == wanted) | np.isnan(again)))
            if isinstance(group.design, CalledDesign) and len(wrong):
                at = int(wrong[0])
                raise DataError(
                    say(
                        "{metrics=} contains a function other than that of this result: {row} "
                        "is {wanted:.6g}, but now {again:.6g}",
                        row=self.described(rows[at]),
                        wanted=wanted[at],
                        again=again[at],
                    )
                )
        return ReplicatedResult.extend(replace(self, draws=draws), n)

    def keys(self) -> Mapping[str, Sequence[str]]:
        """Return metric, term and context of every row."""
        return labels_of(self.rows)

    def structure(self) -> Mapping[str, Sequence[str]]:
        """Return the kind, models and contexts of every row."""
        return structure_of(self.rows)

    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the bounds of the limits, which exist for metrics of classes of a single model."""
        ranges = [
            KINDS[row.base].range if row.kind == LEVEL and row.base in KINDS else None
            for row in self.rows
        ]
        low, high = zip(*(one or (-np.inf, np.inf) for one in ranges), strict=True)
        return np.array(low), np.array(high)

    def counts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the numbers of data rows and of subjects on which each row is based."""
        return self.n, self.n_clusters

    def described(self, row: int) -> str:
        """Return a description of a row."""
        one = self.rows[row]
        return say(
            "{metric:metric} of {term:model} in context {context:label}",
            metric=one.metric,
            term=one.term,
            context=one.context,
        )

    def families(self) -> list[NDArray[np.int64]]:
        """Return the differences (and ratios) between models by metric and context."""
        return families(self.rows)

    @stoppable("contrasts of contexts were computed", kept="the result is as it was")
    def contrasts(self, *, null_difference: NullDifference = 0.0) -> ContrastResult:
        """Compare contexts: every model, and every difference between two models.

        The row of two models is a difference of differences: ``(p - q)`` in the first context minus
        ``(p - q)`` in the second. It answers whether the advantage of a model depends on the
        context, which a significant difference in one context and none in the other does not show
        (Gelman and Stern 2006).

        Parameters
        ----------
        null_difference : float or mapping of metric to float
            Null value of the tests, as for `compare_models`: with 0.02, that a model's metric, or
            its advantage, is larger in the first context by 0.02. The omnibus test is against 0.

        Returns
        -------
        ContrastResult
            ``tidy()`` has a row per metric, term (a model or ``"p - q"``) and pair of contexts,
            with intervals and tests; ``omnibus()`` tests each term over all contexts at once;
            ``adjust()``, ``interval()`` and ``equivalence()`` are as for this result. The families
            of `adjust` are all pairs of contexts of a term. There are no studentized intervals.

        Raises
        ------
        DataError
            If there are fewer than two contexts, or the method of this result is studentized.

        References
        ----------
        Gelman, A. and Stern, H. (2006). The American Statistician, 60, 328-331.
        https://doi.org/10.1198/000313006X152649

        Examples
        --------
        >>> import numpy as np, pandas as pd
        >>> from pyexpr.inference.comparison.comparison import compare_models
        >>> rng = np.random.default_rng(1)
        >>> table = pd.DataFrame({"subject": np.repeat(np.arange(30), 6),
        ...                       "task": np.tile(["pain", "startle"], 90)})
        >>> table["y"], table["p"], table["q"] = rng.normal(size=(3, 180))
        >>> result = compare_models(table, truth="y", predictions=["p", "q"], cluster="subject",
        ...                         context="task", metrics="rmse", n_boot=0)
        >>> result.contrasts().tidy()[["term", "context", "estimate"]].round(2)
            term         context  estimate
        0      p  pain - startle      0.02
        1      q  pain - startle      0.04
        2  p - q  pain - startle     -0.02
        """
        nulls = checked_nulls(null_difference, [row.metric for row in self.rows])
        found = contrasts_of(self, self.rows, self.draws, self.n, self.n_clusters, nulls)
        return with_intervals(found, self.method, self.intervals.confidence, self.intervals.rule)

    @stoppable("signs were flipped")
    def sign_flip(self, *, n_flips: int = 10_000) -> SignFlipResult:
        """Test every difference between models by exchanging their predictions.

        In each flip the predictions of the two models are exchanged for some subjects, and the
        difference divided by its jackknife standard error is computed again. The test is exact only
        for the hypothesis that the predictions of the two models are exchangeable within subjects.
        Models that fail in different ways can have equal metrics without being exchangeable. In
        this case use jackknife_t, which tests whether the metrics are equal. The page on coverage
        reports the size of both tests in such studies.

        For correlations both predictions are standardised first, which does not change the
        correlation. The other metrics depend on the unit, and predictions are exchanged without
        standardisation.

        Parameters
        ----------
        n_flips : int
            Number of random flips if there are more than 100,000 possible flips (2^G for G
            subjects).

        Returns
        -------
        SignFlipResult
            With all flips, the p-value is the proportion of flips whose ``|statistic|`` is at least
            as large as observed (including ties within 1e-12); otherwise it is ``(1 + #)/(1 +
            n_flips)``. Models with different truths have no test, as `reason` states.

        Notes
        -----
        Checked against ``scipy.stats.permutation_test`` (paired t over subjects), and row by
        row against predictions exchanged in the table.
        """
        if self.memberships is not None:
            raise DataError(
                say(
                    "sign flips need independent clusters, but {cluster=} has two memberships; use "
                    "the tests of jackknife_t"
                )
            )
        if any(row.between_models and against for row, against in
               zip(self.rows, self.evidence.null, strict=True)):  # fmt: skip
            raise DataError(
                say(
                    "sign flips test that two models are exchangeable, which is a difference of 0; "
                    "with another {null_difference=} use the tests of jackknife_t"
                )
            )
        return sign_flip_test(
            self.rows,
            self.draws.groups,
            self.evidence.estimate,
            n_flips=n_flips,
            seed=self.draws.seed,
            n_threads=self.draws.n_threads,
        )

    @drawn("models, contexts and metrics")
    def plot(
        self,
        *,
        between: str = "models",
        metrics: Sequence[str] | None = None,
        contexts: Sequence[str] | None = None,
        names: Mapping[str, str] | None = None,
        width_mm: float = FULL_WIDTH_MM,
    ) -> Figure:
        """Draw metrics and their differences with intervals, with a panel per context.

        An arrowhead marks an infinite limit, and a hollow point a value without an interval. A
        missing value is labelled "undefined".

        Parameters
        ----------
        between : {"models", "contexts"}
            Whether to draw differences (and ratios) between models, below the metrics of each
            model, or differences of each model between contexts, with a panel per pair of contexts.
        metrics, contexts : sequence of str, optional
            Draw only these. A pair of contexts is named ``"a - b"``.

        Raises
        ------
        DataError
            If a metric or context is not in the result, or there are no differences
            between contexts.

        Examples
        --------
        >>> import numpy as np, pandas as pd
        >>> from pyexpr.inference.comparison.comparison import compare_models
        >>> rng = np.random.default_rng(1)
        >>> table = pd.DataFrame({"subject": np.repeat(np.arange(30), 5)})
        >>> table["y"], table["model"] = rng.normal(size=(2, 150))
        >>> result = compare_models(table, truth="y", predictions=["model"], cluster="subject")
        >>> figure = result.plot(metrics=["correlation"])
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['model']
        """
        if between not in ("models", "contexts"):
            raise DataError(
                say("{between=} must be 'models' or 'contexts', not {given!r}", given=between)
            )
        percent = f"{100 * self.intervals.confidence:g} % interval ({self.method})"
        if self.intervals.rule is not None and between == "models":
            percent += f"; of differences simultaneous, by {OF_INTERVALS[self.intervals.rule]}"
        return comparison_figure(
                self.tidy(), level=percent, between=between, metrics=metrics,
                contexts=contexts, names=names, width_mm=width_mm,
            )  # fmt: skip

    def heading(self) -> str:
        """Return a sentence with the numbers of models, rows and subjects."""
        models = list(dict.fromkeys(row.models[0] for row in self.rows if row.second is None))
        return (
            f"{counted(len(models), 'model')} compared on {self.n_used} rows of "
            f"{int(self.n_clusters.max())} subjects ({self.cluster_name}); "
            f"{100 * self.intervals.confidence:g} % intervals by {self.method}"
        )

    def provenance(self) -> dict[str, Any]:
        """Return method, confidence, replicates, seed, counts and versions."""
        shared = ReplicatedResult.provenance(self)
        return shared | {
            "n_rows": self.n_used,
            "n_dropped": self.n_dropped,
            "fold": self.fold_name,
            "score_range": self.score_range,
            "positive": self.classes.positive if self.classes else None,
            "threshold": self.classes.threshold if self.classes else None,
            "per": self.per,
        }

    def notes(self) -> tuple[str, ...]:
        """Return notes on the interpretation of the table."""
        return (_tested(self.rows, self.evidence.null), *self.remarks_on_data())

    def remarks_on_data(self) -> tuple[str, ...]:
        """Return the notes on the data and metrics: rows left out, folds, classes."""
        found: list[str] = []
        if self.memberships is not None:
            found.append(note_of(self.memberships))
        if self.classes is not None:
            found += _of_classes(self.classes, self.rows)
            assert self.rarest is not None
            found.append(_of_rarest(self.rarest))
        if self.per is not None:
            found.append(NOTE_UNITS(per=self.per))
            found += [one.note for one in self.left_out if one.note]
        if self.score_range is not None:
            found.append(NOTE_NRMSE(score_range=self.score_range))
        if any(row.ratio for row in self.rows):
            found.append(NOTE_RATIOS)
        if self.fold_name is not None and self.per is None:
            found += _of_folds(self.fold_name, self.rows)
        if self.n_dropped:
            found.append(NOTE_DROPPED(n_dropped=self.n_dropped))
        found += [
            NOTE_OWN_ROWS(name=name, evaluated=_evaluated_rows(rows), used=self.n_used)
            for name, rows in self.own_rows.items()
        ]
        if self.own_all:
            found.append(NOTE_OWN_ALL)
        if any(has_code(row.note, DIFFERENT_CRITERIA) for row in self.rows):
            found.append(NOTE_DIFFERENT_CRITERIA)
        if any(has_code(row.note, DIFFERENT_ROWS) for row in self.rows):
            found.append(NOTE_DIFFERENT_ROWS)
        return (*found, *note_of_range(self))


def _tested(rows: Sequence[Row], null: NDArray[np.float64]) -> str:
    """Return which levels are not tested, and the null values of metrics of classes."""
    nulls = _nulls_of_differences(rows, null)
    numbers = not any(kind_named(row.base).classes or row.base not in KINDS for row in rows)
    levels = [(row.metric, float(against)) for row, against in zip(rows, null, strict=True)
              if row.second is None]  # fmt: skip
    untested = [metric for metric, against in levels if np.isnan(against)]
    if numbers and untested:
        return NOTE_LEVELS(metrics=_named(untested), nulls=nulls)
    tested = joined(
        (TESTED_AGAINST(metric=metric, against=against) for metric, against in levels
         if not np.isnan(against)), ", ",
    )  # fmt: skip
    return NOTE_TESTED(levels=tested, nulls=nulls) if tested else NOTE_NO_LEVEL(nulls=nulls)


def _nulls_of_differences(rows: Sequence[Row], null: NDArray[np.float64]) -> str:
    """Return the null value of differences, or the one of each metric if they differ."""
    values = {
        row.metric: float(against) for row, against in zip(rows, null, strict=True)
        if row.second is not None and not row.ratio
    }  # fmt: skip
    if len(set(values.values())) <= 1:
        return f"{next(iter(values.values()), 0.0):g}"
    return joined(
        (NULL_OF_METRIC(null=value, metric=metric) for metric, value in values.items()), ", "
    )


def _named(metrics: Iterable[str]) -> str:
    *most, last = (OWN_METRIC(metric=name) for name in dict.fromkeys(metrics))
    return joined([joined(most, ", "), last], " and ")


def _of_classes(classes: Classes, rows: Sequence[Row]) -> list[str]:
    notes: list[str] = []
    metrics = {row.base for row in rows}
    if classes.positive and any(kind_named(metric).positive for metric in metrics):
        notes.append(NOTE_POSITIVE(positive=classes.positive))
    if classes.rest:
        notes.append(NOTE_TAKEN_AS_ONE(positive=classes.positive, rest=listed(classes.rest)))
    if classes.threshold is not None and any(
        kind_named(metric).classes and not kind_named(metric).scores for metric in metrics
    ):
        notes.append(NOTE_THRESHOLD(positive=classes.positive, threshold=classes.threshold))
    return notes


def _of_rarest(rarest: Rarest) -> str:
    note = NOTE_RAREST(label=rarest.label, n=rarest.n, subjects=rarest.n_clusters)
    if rarest.n >= _FEW_ROWS and rarest.n_clusters >= _FEW_OF_CLASS:
        return note
    return NOTE_RARE(rarest=note)


def _of_folds(name: str, rows: Sequence[Row]) -> list[str]:
    if all(kind_named(row.base).classes for row in rows):
        return [NOTE_FOLDS_CLASSES(fold=name)] if any(row.base == "auc" for row in rows) else []
    own = [
        OWN_METRIC(metric=row.base) for row in rows if row.base not in KINDS
        or (kind_named(row.base).folds and row.base not in {"correlation", "concordance", "r2"})
    ]  # fmt: skip
    if not own:
        return [NOTE_FOLDS(fold=name)]
    return [NOTE_FOLDS_TOO(fold=name, metrics=joined(own, " and "))]


def _evaluated_rows(rows: tuple[int, ...]) -> str:
    low, high = min(rows), max(rows)
    if len(rows) == 1:
        return f"it is evaluated on {low}"
    span = f"{low}" if low == high else f"{low} to {high}"
    return f"each of its {len(rows)} columns is evaluated on its available rows, {span}"
