"""The importance of each group by model and context, with the values without each subject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.modeling.importance.exchanges import CellSums, Measures, N
from pyexpr.modeling.importance.notes import (
    CLASS_ABSENT,
    CONSTANT_PREDICTION,
    FEW_CARRIERS,
    NO_ROWS,
    NOTHING_EXCHANGED,
    OF_SOME_FOLD,
    SAME_CLASSES,
)
from pyexpr.resampling.intervals.evidence import JackknifeGroup

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.modeling.importance.exchanged import Cell

    Array = NDArray[np.float64]


#: Effective number of subjects below which there is no interval: it would have less than one degree
#: of freedom, and with one it covers too little (docs/coverage_importance.md).
LEAST_CARRIERS = 2.0


class ImportanceRow(NamedTuple):
    """What identifies a row of the table."""

    metric: str
    model: str
    term: str
    context: str


@dataclass(frozen=True, slots=True)
class Quantities:
    """All importances; arrays are (rows,), and `sizes` has the data rows of every subject.

    `carriers` is the effective number of subjects who carry the variation of predictions that is
    exchanged: 0 if nothing is exchanged, infinite if that changes no prediction.
    """

    rows: tuple[ImportanceRow, ...]
    estimate: Array
    before: Array
    after: Array
    n: NDArray[np.int64]
    n_clusters: NDArray[np.int64]
    sizes: Array
    groups: list[JackknifeGroup]
    reason: list[str]
    carriers: Array


def quantities_of(
    cells: Sequence[Cell],
    sums: Sequence[CellSums],
    *,
    terms: Sequence[str],
    groups: Sequence[str],
    contexts: Sequence[str],
    metrics: Sequence[str],
    measures: Measures,
    n_subjects: int,
    folds: bool,
) -> Quantities:
    """Return the importances by metric, model, context and group."""
    rows: list[ImportanceRow] = []
    values: list[Array] = []
    before, after = [], []
    counts: list[tuple[int, NDArray[np.int64], Array]] = []
    carriers: list[float] = []
    labels = [*contexts, *([ALL] if len(contexts) > 1 else [])]
    for model in terms:
        for place, context in enumerate(labels):
            chosen = [
                at for at, cell in enumerate(cells)
                if cell.model.term == model and (context == ALL or cell.context == place)
            ]  # fmt: skip
            own = _Totals.of(
                [cells[at] for at in chosen], [sums[at] for at in chosen], measures, n_subjects
            )
            for metric in metrics:
                for k, group in enumerate(groups):
                    rows.append(ImportanceRow(metric, model, group, context))
                    counts.append((own.n, own.subjects, own.sizes))
                    if not len(own.subjects):
                        values.append(np.empty(0))
                        before.append(np.nan)
                        after.append(np.nan)
                        carriers.append(0.0)
                        continue
                    one, other = own.metric(metric, None), own.metric(metric, k)
                    before.append(float(one[0]))
                    after.append(float(other[0]))
                    values.append(measures.importance(metric, one, other))
                    carriers.append(own.carriers(measures.basis(metric), k))
    order = sorted(
        range(len(rows)),
        key=lambda i: (metrics.index(rows[i].metric), terms.index(rows[i].model),
                       labels.index(rows[i].context), i),
    )  # fmt: skip
    rows = [rows[i] for i in order]
    values, counts = [values[i] for i in order], [counts[i] for i in order]
    estimate = np.array([one[0] if len(one) else np.nan for one in values])
    worth = np.array(carriers)[order]
    undefined = CONSTANT_PREDICTION(fold=OF_SOME_FOLD if folds else "")
    if measures.bases > 1:
        undefined = CLASS_ABSENT
    reason = [NO_ROWS if not len(one) else undefined if np.isnan(one[0]) else "" for one in values]
    refused = [
        _why_refused(one, several=measures.bases > 1 and measures.basis(row.metric) == 0)
        for one, row in zip(worth, rows, strict=True)
    ]
    return Quantities(
        tuple(rows), estimate, np.array(before)[order], np.array(after)[order],
        np.array([n for n, _, _ in counts]), np.array([len(who) for _, who, _ in counts]),
        _sizes(counts, n_subjects), _jackknife_groups(values, counts, worth, refused), reason,
        worth,
    )  # fmt: skip


def _why_refused(worth: float, *, several: bool) -> str:
    """Return why so few carriers allow no interval; "" if they do.

    `several` says that the predictions are classes, which can all stay the same although the model
    uses the feature.
    """
    if worth == 0:
        return NOTHING_EXCHANGED
    if np.isinf(worth):
        return SAME_CLASSES if several else ""
    return FEW_CARRIERS(worth=worth, least=LEAST_CARRIERS) if worth < LEAST_CARRIERS else ""


def _sizes(counts: Sequence[tuple[int, NDArray[np.int64], Array]], n_subjects: int) -> Array:
    found = np.zeros((len(counts), n_subjects))
    for own, (_, subjects, sizes) in zip(found, counts, strict=True):
        own[subjects] = sizes
    return found


def _jackknife_groups(
    values: Sequence[Array],
    counts: Sequence[tuple[int, NDArray[np.int64], Array]],
    carriers: Array,
    refused: Sequence[str],
) -> list[JackknifeGroup]:
    """Group the quantities that are based on the same subjects."""
    members: dict[bytes, list[int]] = {}
    for i, (_, subjects, _) in enumerate(counts):
        members.setdefault(subjects.tobytes(), []).append(i)
    groups = []
    for own in members.values():
        _, subjects, _ = counts[own[0]]
        if not len(subjects):
            continue
        sizes = np.array([counts[i][2] for i in own])
        groups.append(
            JackknifeGroup(
                np.array(own),
                np.array([values[i][1:] for i in own]),
                (len(subjects),),
                effective=(sizes.sum(axis=1) ** 2 / (sizes**2).sum(axis=1))[:, None],
                clusters=subjects,
                most_df=np.maximum(carriers[own] - 1, LEAST_CARRIERS - 1),
                refused=tuple(refused[i] for i in own),
            )
        )
    return groups


@dataclass(frozen=True, slots=True)
class _Totals:
    """Sums per repeat and fold, of all subjects and without each of them.

    Attributes
    ----------
    subjects : (G,) int64
    sizes : (G,) float64
        Number of rows of each subject, averaged over repeats.
    n : int
        Rows.
    before : list of (folds, 1 + G, columns)
        Of each repeat.
    changes : list of (folds, groups, 1 + G, changed columns)
    moved : (groups, bases, G)
        The variation of predictions that each subject exchanges, summed over repeats.
    varied : (groups,) bool
    measures : Measures
    """

    subjects: NDArray[np.int64]
    sizes: Array
    n: int
    before: list[Array]
    changes: list[Array]
    moved: Array
    varied: NDArray[np.bool_]
    measures: Measures

    @classmethod
    def of(
        cls,
        cells: Sequence[Cell],
        sums: Sequence[CellSums],
        measures: Measures,
        n_subjects: int,
    ) -> _Totals:
        present = np.unique(np.concatenate([[], *(one.subjects for one in sums)])).astype(np.int64)
        place = np.full(n_subjects, -1)
        place[present] = np.arange(len(present))
        G = len(present)
        repeats = sorted({cell.model.repeat for cell in cells})
        before, changes = [], []
        sizes = np.zeros(G)
        moved = np.zeros((*sums[0].moved.shape[:2], G)) if sums else np.empty((0, 0, 0))
        varied = np.any([one.varied for one in sums], axis=0) if sums else np.empty(0, dtype=bool)
        for repeat in repeats:
            folds = sorted({cell.model.fold for cell in cells if cell.model.repeat == repeat})
            at = {fold: i for i, fold in enumerate(folds)}
            first = np.zeros((len(folds), 1 + G, sums[0].before.shape[1]))
            second = np.zeros((len(folds), sums[0].changes.shape[0], 1 + G, len(measures.changed)))
            for cell, one in zip(cells, sums, strict=True):
                if cell.model.repeat != repeat:
                    continue
                i, own = at[cell.model.fold], place[one.subjects]
                first[i] += one.before.sum(axis=0)
                first[i, 1 + own] -= one.before
                second[i] += one.changes[:, :1]
                second[i][:, 1 + own] += one.changes[:, 1:] - one.changes[:, :1]
                sizes[own] += one.before[:, N] / len(repeats)
                moved[:, :, own] += one.moved
            before.append(first)
            changes.append(second)
        n = round(float(sizes.sum()))
        return cls(present, sizes, n, before, changes, moved, varied, measures)

    def metric(self, name: str, group: int | None) -> Array:
        """Return the metric of all subjects and without each, (1 + G,), averaged over repeats."""
        found = []
        for before, changes in zip(self.before, self.changes, strict=True):
            sums = before
            if group is not None:
                sums = before.copy()
                sums[..., list(self.measures.changed)] += changes[:, group]
            found.append(self.measures.metric(name, sums))
        return np.asarray(np.mean(found, axis=0))

    def carriers(self, basis: int, group: int) -> float:
        """Return the effective number of subjects who carry the variation that is exchanged."""
        if not self.varied[group]:
            return 0.0
        own = self.moved[group, basis]
        total = float(own.sum())
        return total**2 / float(np.sum(own**2)) if total else float(np.inf)
