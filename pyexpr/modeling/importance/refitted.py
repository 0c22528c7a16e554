"""The importance without each subject, of models that were fitted without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.progress import progress as shown
from pyexpr.modeling.fitting.jackknifed import jackknife_groups, subjects_concerned
from pyexpr.modeling.importance.exchanged import Cell
from pyexpr.modeling.importance.exchanges import CellSums
from pyexpr.modeling.importance.fitted import FittedModel, fitted_of, without
from pyexpr.modeling.importance.of_classes import Classes
from pyexpr.modeling.importance.quantities import Quantities

if TYPE_CHECKING:
    from pyexpr.modeling.fitting.refits import Fits

Summed = Callable[[list[FittedModel]], tuple[list[Cell], list[CellSums]]]
Combined = Callable[[Sequence[Cell], Sequence[CellSums]], Quantities]


def values_of_procedure(
    fits: Fits,
    cells: Sequence[Cell],
    sums: Sequence[CellSums],
    found: Quantities,
    summed: Summed,
    combined: Combined,
    classes: Classes | None,
    *,
    n_jobs: int,
    progress: bool | None,
) -> Quantities:
    """Return the importances, and their values without each subject from models not fitted to it.

    The models of the folds in which a subject is tested were not fitted to it, so they are kept.
    """
    labels = fits.table.cluster_labels
    values = np.full((len(found.rows), len(labels)), np.nan)
    subjects = range(len(labels))
    for subject in shown(subjects, total=len(labels), label="leaving out subjects", show=progress):
        units, again = fits.kept(without(fits, subject), n_jobs, False)
        other_cells, other_sums = summed(fitted_of(units, again, fits.table, classes))
        own = [at for at, cell in enumerate(cells) if _tests(cell, fits, subject)]
        every = [*(cells[at] for at in own), *other_cells]
        parts = [*(_without(sums[at], subject) for at in own), *other_sums]
        values[:, subject] = combined(every, parts).estimate
    concerned = subjects_concerned(found.groups, found.estimate, values)
    return replace(found, groups=jackknife_groups(found.groups, values, concerned))


def _tests(cell: Cell, fits: Fits, subject: int) -> bool:
    """Return whether a cell belongs to a fold in which the subject is tested."""
    model = cell.model
    part = next(one for one in fits.parts if (one.repeat, one.fold) == (model.repeat, model.fold))
    return bool((fits.table.clusters[part.test] == subject).any())


def _without(sums: CellSums, subject: int) -> CellSums:
    """Return the sums of a cell without a subject, if the cell contains it."""
    place = np.flatnonzero(sums.subjects == subject)
    if not len(place):
        return sums
    at = int(place[0])
    kept = sums.subjects != subject
    # The sums without this subject now stand for all subjects; those without two are not needed.
    changes = np.repeat(sums.changes[:, [1 + at]], 1 + int(kept.sum()), axis=1)
    return CellSums(
        sums.subjects[kept], sums.before[kept], changes, sums.moved[:, :, kept], sums.varied
    )
