"""Differences of importance: between contexts, and between features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError, counted
from pyexpr.base.messages import say
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.modeling.importance.jackknife_only import (
    JackknifeOnly,
    NoDraws,
    levels,
    requested,
    row_text,
)
from pyexpr.modeling.importance.notes import (
    IN_CONTEXT,
    NOTE_CONTRASTS,
    NOTE_UNITS,
    OF_FEATURE,
)
from pyexpr.modeling.importance.plot import contrast_figure
from pyexpr.modeling.importance.quantities import ImportanceRow
from pyexpr.resampling.intervals.evidence import Evidence, JackknifeGroup

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

CONTEXTS, FEATURES = "contexts", "features"


class ImportanceContrast(NamedTuple):
    """A difference between two rows of the importance."""

    metric: str
    model: str
    terms: tuple[str, str | None]
    contexts: tuple[str, str | None]
    first: int
    second: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ImportanceContrasts(JackknifeOnly):
    """Differences of importance, one row per metric, model, feature and pair of contexts.

    Or, between features, one row per metric, model, context and pair of features.

    Attributes
    ----------
    rows : tuple of ImportanceContrast
    between : str
        "contexts" or "features".
    n, n_clusters : (rows,) int64
    remarks : tuple of str
        Notes of the importance.
    """

    rows: tuple[ImportanceContrast, ...]
    between: str
    n: NDArray[np.int64]
    n_clusters: NDArray[np.int64]
    remarks: tuple[str, ...]

    def keys(self) -> Mapping[str, Sequence[str]]:
        """Return metric, model, term and context of every row."""
        return {
            "metric": [row.metric for row in self.rows],
            "model": [row.model for row in self.rows],
            "term": [_label(row.terms) for row in self.rows],
            "context": [_label(row.contexts) for row in self.rows],
        }

    def structure(self) -> Mapping[str, Sequence[str]]:
        """Return the two features and contexts of every row; "" if there is only one."""
        return {
            "first_term": [row.terms[0] for row in self.rows],
            "second_term": [row.terms[1] or "" for row in self.rows],
            "first_context": [row.contexts[0] for row in self.rows],
            "second_context": [row.contexts[1] or "" for row in self.rows],
        }

    def counts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the numbers of data rows and of subjects on which each row is based."""
        return self.n, self.n_clusters

    def described(self, row: int) -> str:
        """Return a description of a row."""
        one = self.rows[row]
        return row_text(one.metric, one.model, _label(one.terms), _label(one.contexts))

    def families(self) -> list[NDArray[np.int64]]:
        """Return the pairs of contexts of each feature, or those of features in each context."""
        found: dict[tuple[Any, ...], list[int]] = {}
        for i, row in enumerate(self.rows):
            of = row.terms if self.between == CONTEXTS else row.contexts
            found.setdefault((row.metric, row.model, of), []).append(i)
        return [np.array(rows) for rows in found.values()]

    def heading(self) -> str:
        """Return a sentence that says what was computed."""
        column = "contexts" if self.between == CONTEXTS else "terms"
        pairs = len({getattr(row, column) for row in self.rows})
        return (
            f"Differences of importance between {self.between}, {counted(pairs, 'pair')}; "
            f"{100 * self.intervals.confidence:g} % intervals by {self.method}"
        )

    def notes(self) -> tuple[str, ...]:
        """Return how to read a row, and the notes of the importance."""
        if self.between == CONTEXTS:
            how = NOTE_CONTRASTS(what="context", whats="contexts", of="feature")
            return (how, NOTE_UNITS, *self.remarks)
        how = NOTE_CONTRASTS(what="feature", whats="features", of="context")
        return (how, *self.remarks)

    def remarks_on_data(self) -> tuple[str, ...]:
        """Return the notes of the importance."""
        return self.remarks

    def provenance(self) -> dict[str, Any]:
        """Return method, confidence, counts and versions."""
        return self._provenance({"between": self.between})

    @drawn("features, models and contexts")
    def plot(
        self,
        *,
        metric: str | None = None,
        contexts: Sequence[str] | None = None,
        names: Mapping[Any, str] | None = None,
        width_mm: float = FULL_WIDTH_MM,
    ) -> Figure:
        """Draw the differences of one metric, with a panel per pair of contexts, or per context.

        Parameters
        ----------
        metric : str, optional
            By default the first.
        contexts : sequence of str, optional
            Draw only these. A pair of contexts is named ``"a - b"``.
        """
        metrics = list(dict.fromkeys(row.metric for row in self.rows))
        table = self.tidy()
        chosen = requested(metrics, metric, "metric")[0]
        panels = requested(list(dict.fromkeys(table["context"])), contexts, "contexts")
        table = table[(table["metric"] == chosen) & table["context"].isin(panels)]
        return contrast_figure(
            table, chosen, level=levels(self.intervals), names=names, width_mm=width_mm
        )


def _label(pair: tuple[str, str | None]) -> str:
    return pair[0] if pair[1] is None else f"{pair[0]} - {pair[1]}"


def contrasts_of(
    rows: Sequence[ImportanceRow],
    evidence: Evidence,
    counts: tuple[NDArray[np.int64], NDArray[np.int64]],
    between: str,
    sizes: NDArray[np.float64],
) -> tuple[list[ImportanceContrast], Evidence, tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return the differences, the evidence for their intervals, and their counts.

    Parameters
    ----------
    sizes : (rows, subjects) float64
        The number of data rows of each subject, for each row of the importance.
    """
    if between not in (CONTEXTS, FEATURES):
        raise DataError(
            say("{between=} must be 'contexts' or 'features', not {given!r}", given=between)
        )
    found = [
        _contrast(i, one, k, other, between)
        for i, one in enumerate(rows)
        for k, other in enumerate(rows)
        if i < k and _comparable(one, other, between)
    ]
    if not found:
        what = (
            "two or more contexts, named by {context=}"
            if between == CONTEXTS
            else "two or more features"
        )
        raise DataError(say(f"there are no differences between {between}, which need {what}"))
    if between == CONTEXTS:
        # All pairs of contexts of a feature follow one another.
        order = {(row.metric, row.model, row.term): i for i, row in reversed([*enumerate(rows)])}
        found.sort(key=lambda one: (order[one.metric, one.model, one.terms[0]], one.second))
    first, second = ([getattr(one, name) for one in found] for name in ("first", "second"))
    estimate = evidence.estimate[first] - evidence.estimate[second]
    values = np.repeat(evidence.estimate[:, None], sizes.shape[1], axis=1)
    most_df, refused = np.full(len(rows), np.inf), [""] * len(rows)
    for group in evidence.groups:
        assert group.clusters is not None
        assert group.most_df is not None
        values[np.ix_(group.rows, group.clusters)] = group.values
        most_df[group.rows] = group.most_df
        for row, why in zip(group.rows, group.refused or (), strict=True):
            refused[row] = _located(why, rows[row], between)
    # A difference rests on both of its rows, so that the one with fewer carriers decides.
    most_df = np.minimum(most_df[first], most_df[second])
    whys = [refused[i] or refused[k] for i, k in zip(first, second, strict=True)]
    difference = values[first] - values[second]
    # Two features are compared on the same rows, two contexts on different rows.
    together = sizes[first] + (sizes[second] if between == CONTEXTS else 0)
    groups: dict[bytes, list[int]] = {}
    for i, own_sizes in enumerate(together):
        groups.setdefault((own_sizes > 0).tobytes(), []).append(i)
    jackknife = []
    n_clusters = (together > 0).sum(axis=1)
    for own in map(np.array, groups.values()):
        here = np.flatnonzero(together[own[0]] > 0)
        weight = together[np.ix_(own, here)]
        worth = (weight.sum(axis=1) ** 2 / (weight**2).sum(axis=1))[:, None]
        if len(here):
            values = difference[np.ix_(own, here)]
            own_whys = tuple(whys[i] for i in own)
            jackknife.append(
                JackknifeGroup(
                    own, values, (len(here),), worth, here, most_df=most_df[own], refused=own_whys
                )
            )
    reason = [evidence.reason[i] or evidence.reason[k] for i, k in zip(first, second, strict=True)]
    n = counts[0][first] + (counts[0][second] if between == CONTEXTS else 0)
    made = replace(
        evidence, estimate=estimate, scale=["identity"] * len(found),
        simple_df=np.zeros(len(found), dtype=bool), null=np.zeros(len(found)),
        replicates=np.empty((len(found), 0)), groups=jackknife, reason=reason,
    )  # fmt: skip
    return found, made, (n, n_clusters)


def _located(why: str, row: ImportanceRow, between: str) -> str:
    """Return why a row has no interval, with the context or the feature that it is about."""
    if not why:
        return ""
    if between == CONTEXTS:
        return IN_CONTEXT(context=row.context, why=why)
    return OF_FEATURE(term=row.term, why=why)


def _comparable(one: ImportanceRow, other: ImportanceRow, between: str) -> bool:
    if (one.metric, one.model) != (other.metric, other.model):
        return False
    if between == FEATURES:
        return one.context == other.context
    return one.term == other.term and ALL not in (one.context, other.context)


def _contrast(
    i: int, one: ImportanceRow, k: int, other: ImportanceRow, between: str
) -> ImportanceContrast:
    if between == CONTEXTS:
        terms: tuple[str, str | None] = (one.term, None)
        return ImportanceContrast(one.metric, one.model, terms, (one.context, other.context), i, k)
    contexts: tuple[str, str | None] = (one.context, None)
    return ImportanceContrast(one.metric, one.model, (one.term, other.term), contexts, i, k)


def no_draws(seed: int, evidence: Evidence) -> NoDraws:
    """Return a placeholder for the replicates."""
    clusters = tuple(group.clusters for group in evidence.groups if group.clusters is not None)
    return NoDraws(seed, clusters)
