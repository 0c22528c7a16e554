"""The fits of a cross-validation, and those without a subject or a second fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.modeling.fitting.plan import Part
from pyexpr.modeling.fitting.table import Table
from pyexpr.modeling.fitting.units import Done, Unit

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Fits:
    """What was fitted, and how to fit more of it.

    Attributes
    ----------
    table : Table
    parts : sequence of Part
        Every fold of every repeat.
    units : sequence of Unit
    found : sequence of Done
        Of each unit.
    more : callable
        Fits the same models to other parts: returns their units, and what these gave.
    """

    table: Table
    parts: Sequence[Part]
    units: Sequence[Unit]
    found: Sequence[Done]
    more: Callable[[list[Part]], tuple[list[Unit], list[Done]]]

    def folds(self) -> NDArray[np.int64]:
        """Return the fold of every subject in every repeat, (repeats, subjects)."""
        n_repeats = 1 + max(part.repeat for part in self.parts)
        fold = np.empty((n_repeats, len(self.table.cluster_labels)), dtype=np.int64)
        for part in self.parts:
            fold[part.repeat, self.table.clusters[part.test]] = part.fold
        return fold


def without_subjects(fits: Fits) -> list[Part]:
    """Return the parts whose models are fitted without one more subject, each in its turn.

    The subjects of a fold are not fitted in it anyway: of G subjects in K folds, ``G (K - 1)``
    parts per repeat.
    """
    codes, labels = fits.table.clusters, fits.table.cluster_labels
    return [
        replace(
            part,
            train=part.train[codes[part.train] != subject],
            words=f"{part.words} without subject {str(labels[subject])!r}",
            without=(subject,),
        )
        for part in fits.parts
        for subject in np.unique(codes[part.train]).tolist()
    ]


def without_pairs(fits: Fits) -> list[Part]:
    """Return the parts that leave out two folds, and predict both: ``K (K - 1) / 2`` a repeat."""
    found = []
    for one in fits.parts:
        for other in fits.parts:
            if other.repeat == one.repeat and other.fold > one.fold:
                test = np.union1d(one.test, other.test)
                found.append(
                    replace(
                        one,
                        train=np.setdiff1d(one.train, other.test),
                        test=test,
                        words=f"{one.words} without fold {other.fold}",
                        without=(other.fold,),
                    )
                )
    return found
