"""Differences between contexts: of each model, and of each difference between two models.

A difference of differences asks whether the advantage of one model over another is larger in one
context than in another. All are linear combinations of the quantities of a comparison, from whose
replicates and leave-one-subject-out values they are computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pyexpr.base.errors import DataError, counted
from pyexpr.base.messages import Template, joined, message_column, say
from pyexpr.base.pairs import DIFFERENCE, KIND, RATIO, pair_columns, pair_label
from pyexpr.figures.comparison import comparison_figure
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.inference.comparison.evidence import MetricDraws
from pyexpr.inference.comparison.metrics import kind_named
from pyexpr.inference.comparison.quantities import Row
from pyexpr.resampling.intervals.evidence import Evidence, JackknifeGroup
from pyexpr.resampling.intervals.jackknife import jackknife_of
from pyexpr.resampling.multiplicity import holm
from pyexpr.resampling.result import Drawn, ErrorsWithin, ReplicatedResult
from pyexpr.resampling.tests import WaldTest, f_test
from pyexpr.words.labels import OF_INTERVALS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

# A difference below this fraction of its terms is treated as a rounding error.
_ROUNDING = 1e-13
NOTE_CONTRASTS = Template(
    "contrasts_of_contexts",
    "a row of two models is a difference of differences: how much larger the difference between "
    "the two models is in the first context than in the second; a family of adjusted tests "
    "consists of all pairs of contexts of one term",
)()
NOTE_NULL = Template(
    "null_of_contrasts", "tests of {metric:metric} are against {null:g}; omnibus tests against 0"
)
_TOO_FEW = Template("too_few_subjects_for_contexts", "too few subjects for so many contexts")()
_OTHER_SUBJECTS = Template(
    "contrasts_of_other_subjects", "the two models are evaluated on different subjects"
)()
_NO_VARIATION = Template(
    "contrasts_without_variation",
    "a combination of the contrasts does not change if any one subject is left out",
)()


class Contrast(NamedTuple):
    """A difference between two contexts: of a row of the comparison, or of two such rows."""

    metric: str
    models: tuple[str, str | None]
    contexts: tuple[str, str]
    # Positions in the comparison.
    first: int
    second: int | None
    base: str
    ratio: bool
    note: str = ""

    @property
    def kind(self) -> str:
        """Return what the row is: a difference or a ratio."""
        return RATIO if self.ratio else DIFFERENCE


@dataclass(frozen=True, slots=True)
class ContrastDraws:
    """The replicates of contrasts, from those of the comparison."""

    draws: MetricDraws
    first: tuple[int, ...]
    second: tuple[int, ...]  # -1 where nothing is subtracted
    zero_rows: tuple[int, ...]
    places: tuple[int, ...]  # positions among the comparison's groups, per group of the contrasts

    @property
    def seed(self) -> int:
        """Return the seed of the random draws."""
        return self.draws.seed

    @property
    def by_kernel(self) -> bool:
        """Return whether no function is called."""
        return self.draws.by_kernel

    @property
    def n_threads(self) -> int | None:
        """Return the number of threads of the kernel."""
        return self.draws.n_threads

    @property
    def clusters(self) -> Sequence[NDArray[np.int64]]:
        """Return the clusters of each group."""
        return [self.draws.clusters[place] for place in self.places]

    def replicates(self, first: int, n: int) -> Drawn:
        """Return replicates `first` to ``first + n - 1``."""
        return Drawn(self.combined(self.draws.replicates(first, n).values))

    def errors(self, first: int, n: int) -> NDArray[np.float64]:
        """Raise an error: the kernel has standard errors only for differences of two quantities."""
        raise DataError(
            say(
                "contrasts have no studentized intervals, which require the standard error of a "
                "difference of differences in every replicate; use {method='jackknife_t'} or "
                "{method='bca'}"
            )
        )

    def combined(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the contrasts of values (rows of the comparison, ...)."""
        second = np.array(self.second)
        subtracted = np.where((second >= 0)[:, None], values[second], 0.0)
        found = values[list(self.first)] - subtracted
        found[list(self.zero_rows)] = 0.0
        return np.asarray(found)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ContrastResult(ReplicatedResult):
    """Differences between contexts, one row per metric, term and pair of contexts.

    Attributes
    ----------
    rows : tuple of Contrast
    draws : ContrastDraws
    n, n_clusters : (rows,) int64
        Numbers of data rows and of subjects on which each row is based.
    remarks : tuple of str
        Notes on the data, of the comparison.
    """

    rows: tuple[Contrast, ...]
    draws: ContrastDraws
    n: NDArray[np.int64]
    n_clusters: NDArray[np.int64]
    remarks: tuple[str, ...] = ()

    def keys(self) -> Mapping[str, Sequence[str]]:
        """Return metric, term and pair of contexts of every row."""
        return {
            "metric": [row.metric for row in self.rows],
            "term": [pair_label(*row.models, row.kind) for row in self.rows],
            "context": [pair_label(*row.contexts, row.kind) for row in self.rows],
        }

    def structure(self) -> Mapping[str, Sequence[str]]:
        """Return the kind, models and contexts of every row."""
        return {
            KIND: [row.kind for row in self.rows],
            **pair_columns("term", (row.models for row in self.rows)),
            **pair_columns("context", (row.contexts for row in self.rows)),
        }

    def counts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the numbers of data rows and of subjects on which each row is based."""
        return self.n, self.n_clusters

    def described(self, row: int) -> str:
        """Return a description of a row."""
        return say(
            "{metric:metric} of {term:model} between {contexts}",
            metric=self.rows[row].metric,
            term=self.keys()["term"][row],
            contexts=" and ".join(repr(str(one)) for one in self.rows[row].contexts),
        )

    def families(self) -> list[NDArray[np.int64]]:
        """Return the pairs of contexts of each metric and term."""
        return [np.array(rows) for _, rows in self._of_terms()]

    def _of_terms(self) -> list[tuple[tuple[Any, ...], list[int]]]:
        found: dict[tuple[Any, ...], list[int]] = {}
        for i, row in enumerate(self.rows):
            found.setdefault((row.metric, row.models, row.ratio), []).append(i)
        return list(found.items())

    def omnibus(self) -> pd.DataFrame:
        r"""Return the test that a term is the same in all contexts, one row per metric and term.

        For a model it tests whether its metric is the same in all contexts; for two models, whether
        their difference is.

        Columns: metric, term, statistic (F), df1 (contexts - 1), df2, p_value, method, reason, the
        identification of the row (kind, first_model, second_model); after `adjust` p_adjusted and
        adjustment (Holm over the terms of a metric).

        Notes
        -----
        Hotelling's :math:`T^2` of the differences from the first context, with the jackknife's
        covariance over subjects and the smallest degrees of freedom :math:`\eta` of these q
        differences. :math:`(\eta - q + 1) / (\eta q) \, T^2` is referred to F with q and
        :math:`\eta - q + 1` degrees of freedom.
        """
        import pandas as pd

        rows: list[dict[str, Any]] = []
        keys, structure = self.keys(), self.structure()
        df = jackknife_of(self.evidence).df
        for _, places in self._of_terms():
            one = places[0]
            reference = self.rows[one].contexts[0]
            against = [i for i in places if self.rows[i].contexts[0] == reference]
            test = self._wald(against, df)
            rows.append(
                {
                    "metric": keys["metric"][one],
                    "term": keys["term"][one],
                    "statistic": test.statistic,
                    "df1": test.df1,
                    "df2": test.df2,
                    "p_value": test.p_value,
                    "method": "Hotelling T2",
                    "reason": test.reason,
                    KIND: structure[KIND][one],
                    "first_model": structure["first_model"][one],
                    "second_model": structure["second_model"][one],
                }
            )
        table = pd.DataFrame(rows)
        table["reason"] = message_column(row["reason"] for row in rows)
        if self.intervals.rule is not None:
            by_metric = table.groupby("metric", sort=False)["p_value"]
            table["p_adjusted"] = by_metric.transform(lambda p: holm(p.to_numpy()))
            table["adjustment"] = "holm"
        return table

    def _wald(self, against: list[int], df: NDArray[np.float64]) -> WaldTest:
        nothing = float("nan")
        reasons = joined(self.evidence.reason[i] for i in against)
        if reasons or not np.isfinite(self.evidence.estimate[against]).all():
            return WaldTest(nothing, len(against), nothing, nothing, reasons)
        scores = self._influence(against)
        eta, q = float(df[against].min()), len(against)
        if not eta - q + 1 > 0:
            return WaldTest(nothing, q, nothing, nothing, _TOO_FEW)
        estimate = self.evidence.estimate[against]
        rounding = 1e-13 * max(1.0, float(np.abs(estimate).max()))
        # Covariance of the differences from one context if the errors of contexts were independent.
        found = f_test(estimate, scores, np.eye(q) + 1, eta, rounding)
        return found if np.isfinite(found.p_value) else replace(found, reason=_NO_VARIATION)

    def _influence(self, rows: list[int]) -> NDArray[np.float64]:
        """Return the influence of each subject on each of the rows, (subjects, rows)."""
        found = np.zeros((len(self.clusters), len(rows)))
        for group in self.evidence.groups:
            place = {int(row): k for k, row in enumerate(group.rows)}
            for column, row in enumerate(rows):
                if row in place:
                    assert group.clusters is not None
                    whole = float(self.evidence.estimate[row])
                    found[group.clusters, column] = group.influence(whole, place[row])
        if self.evidence.inflation is not None:
            found *= np.sqrt(self.evidence.inflation[rows])
        return found

    @drawn("models, contexts and metrics")
    def plot(
        self,
        *,
        metrics: Sequence[str] | None = None,
        contexts: Sequence[str] | None = None,
        names: Mapping[str, str] | None = None,
        width_mm: float = FULL_WIDTH_MM,
    ) -> Figure:
        """Draw every difference between contexts, with a panel per pair of contexts.

        Parameters
        ----------
        metrics, contexts : sequence of str, optional
            Draw only these. A pair of contexts is named ``"a - b"``.
        """
        percent = f"{100 * self.intervals.confidence:g} % interval ({self.method})"
        if self.intervals.rule is not None:
            percent += f"; simultaneous, by {OF_INTERVALS[self.intervals.rule]}"
        return comparison_figure(
            self.tidy(), level=percent, between="contexts", metrics=metrics, contexts=contexts,
            names=names, width_mm=width_mm,
        )  # fmt: skip

    def heading(self) -> str:
        """Return a sentence with the numbers of terms and of pairs of contexts."""
        pairs = len({row.contexts for row in self.rows})
        return (
            f"Differences between contexts, {counted(pairs, 'pair')}; "
            f"{100 * self.intervals.confidence:g} % intervals by {self.method}"
        )

    def notes(self) -> tuple[str, ...]:
        """Return how to read a row."""
        nulls = {row.metric: float(null) for row, null in
                 zip(self.rows, self.evidence.null, strict=True) if not row.ratio}  # fmt: skip
        tested = [
            NOTE_NULL(null=null, metric=metric) for metric, null in nulls.items() if null != 0
        ]
        return (NOTE_CONTRASTS, *tested, *self.remarks)

    def remarks_on_data(self) -> tuple[str, ...]:
        """Return the notes of the comparison on its data, such as rows left out."""
        return self.remarks


def contrasts_of(
    result: ReplicatedResult,
    compared: Sequence[Row],
    draws_of_rows: MetricDraws,
    n: NDArray[np.int64],
    n_clusters: NDArray[np.int64],
    nulls: Mapping[str, float],
) -> ContrastResult:
    """Return the differences between contexts; see `ComparisonResult.contrasts`.

    Parameters
    ----------
    result : ReplicatedResult
        The comparison with the rows `compared`. Each row is based on `n` data rows of `n_clusters`
        subjects.
    nulls : mapping of str to float
        The null value of each metric.
    """
    rows = tuple(_contrasts(compared))
    if not rows:
        raise DataError(
            say(
                "there are no differences between contexts: a comparison needs two or more "
                "contexts, named by {context=}"
            )
        )
    old = result.evidence
    groups, places = _groups(rows, old)
    zero = _only_rounding(rows, groups, old)
    draws = ContrastDraws(
        draws_of_rows,
        tuple(row.first for row in rows),
        tuple(-1 if row.second is None else row.second for row in rows),
        zero,
        places,
    )
    for group in groups:
        group.values[np.isin(group.rows, zero)] = 0.0
    first = list(draws.first)
    estimate = draws.combined(old.estimate[:, None])[:, 0]
    apart = np.ones(len(rows), dtype=bool)
    for group in groups:
        apart[group.rows] = False
    estimate[apart] = np.nan
    reasons = [
        joined(
            [
                *([row.note] if row.note else []),
                *(old.reason[at] for at in (row.first, row.second) if at is not None),
                *([_OTHER_SUBJECTS] if alone and row.second is not None else []),
            ]
        )
        for row, alone in zip(rows, apart, strict=True)
    ]
    evidence = replace(
        old,
        estimate=estimate,
        scale=["identity"] * len(rows),
        simple_df=old.simple_df[first],
        null=np.array([0.0 if row.ratio else nulls[row.metric] for row in rows]),
        replicates=draws.combined(old.replicates),
        groups=groups,
        reason=reasons,
        replicate_errors=ErrorsWithin(draws, result.n_boot, result.first_replicate),
        n_failed=None if old.n_failed is None else _failed(draws, old.n_failed),
        inflation=None if old.inflation is None else old.inflation[first],
        ratio=np.array([row.ratio for row in rows]),
    )
    return ContrastResult(
        rows=rows,
        draws=draws,
        remarks=result.remarks_on_data(),
        n=n[first],
        n_clusters=n_clusters[first],
        evidence=evidence,
        intervals=result.intervals,
        clusters=result.clusters,
        cluster_name=result.cluster_name,
        first_replicate=result.first_replicate,
    )


def _failed(draws: ContrastDraws, n_failed: NDArray[np.int64]) -> NDArray[np.int64]:
    second = np.array(draws.second)
    others = np.where(second >= 0, n_failed[second], 0)
    return np.asarray(np.maximum(n_failed[list(draws.first)], others))


def _contrasts(rows: Sequence[Row]) -> list[Contrast]:
    """Return the differences between contexts of each model and each pair of models, by metric."""
    order = {row.metric: place for place, row in enumerate(rows)}
    return sorted(_of_all_metrics(rows), key=lambda one: order[one.metric])


def _of_all_metrics(rows: Sequence[Row]) -> Iterator[Contrast]:
    between: dict[tuple[Any, ...], int] = {}
    for i, row in enumerate(rows):
        if row.between_contexts:
            contexts = (row.contexts[0], str(row.contexts[1]))
            between[row.metric, row.models[0], contexts, row.ratio] = i
            yield Contrast(row.metric, row.models, contexts, i, None, row.base, row.ratio)
    pairs = {(row.models, row.note) for row in rows if row.between_models}
    order = [(row.models, row.note) for row in rows if row.between_models]
    for models, note in sorted(pairs, key=order.index):
        for (metric, model, contexts, ratio), i in list(between.items()):
            other = between.get((metric, models[1], contexts, ratio))
            if model == models[0] and other is not None:
                base = rows[i].base
                yield Contrast(metric, models, contexts, i, other, base, ratio, note)


def _groups(
    rows: Sequence[Contrast], old: Evidence
) -> tuple[list[JackknifeGroup], tuple[int, ...]]:
    """Return the values without each subject, in the groups of the comparison."""
    where = {
        int(row): (g, k) for g, group in enumerate(old.groups) for k, row in enumerate(group.rows)
    }
    members: dict[int, list[tuple[int, int, int | None]]] = {}
    for i, row in enumerate(rows):
        if row.first not in where:
            continue
        g, k = where[row.first]
        if row.second is None:
            members.setdefault(g, []).append((i, k, None))
        elif row.second in where and where[row.second][0] == g:
            members.setdefault(g, []).append((i, k, where[row.second][1]))
    groups = []
    for g, found in members.items():
        group = old.groups[g]
        values = np.array(
            [group.values[k] - (0.0 if j is None else group.values[j]) for _, k, j in found]
        )
        effective = group.effective
        own = None if effective is None else effective[[k for _, k, _ in found]]
        places = np.array([i for i, _, _ in found])
        crossing = group.crossing
        if crossing is not None:
            # Both differences are based on the same rows, or on all rows of each.
            ks = [k for _, k, _ in found]
            cells = [
                crossing.cells[k] - (0.0 if j is None else crossing.cells[j]) for _, k, j in found
            ]
            crossing = replace(crossing, cells=np.array(cells), rows=crossing.rows[ks])
        groups.append(replace(group, rows=places, values=values, effective=own, crossing=crossing))
    return groups, tuple(members)


def _only_rounding(
    rows: Sequence[Contrast], groups: Sequence[JackknifeGroup], old: Evidence
) -> tuple[int, ...]:
    """Return the differences of differences that are only rounding errors, whoever is left out."""
    found = []
    for group in groups:
        for place, values in zip(group.rows.tolist(), group.values, strict=True):
            row = rows[place]
            if row.second is None:
                continue
            least = 1.0 if row.ratio or kind_named(row.base).bounded else 0.0
            parts = np.abs(old.estimate[[row.first, row.second]])
            size = max(float(parts.max()), least)
            estimate = abs(float(old.estimate[row.first] - old.estimate[row.second]))
            if estimate <= _ROUNDING * size and (np.abs(values) <= _ROUNDING * size).all():
                found.append(place)
    return tuple(found)
