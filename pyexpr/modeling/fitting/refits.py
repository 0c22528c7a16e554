"""The fits of a cross-validation, and those without a subject or a second fold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.modeling.fitting.plan import Part
from pyexpr.modeling.fitting.table import Table
from pyexpr.modeling.fitting.units import Done, Unit

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Fits:
    """The completed fits, and how to compute further ones.

    Attributes
    ----------
    table : Table
    parts : sequence of Part
        Every fold of every repeat.
    units : sequence of Unit
    found : sequence of Done
        The result of each unit.
    plan : callable
        Returns the units of the same models for other parts.
    fit : callable
        Fits units, and yields the number and the result of each, in the order of completion. The
        second argument is whether to show progress; None means as when the models were first
        fitted.
    kept : callable
        Fits to other parts, and keeps the fitted estimators in `Done.estimator`. Further arguments
        are the number of fits at a time, and whether to show a progress bar.
    known : dict
        Results of fits to other parts, by `_key`. If a call is interrupted, or repeated with
        another metric, only missing fits are computed.
    """

    table: Table
    parts: Sequence[Part]
    units: Sequence[Unit]
    found: Sequence[Done]
    plan: Callable[[list[Part]], list[Unit]]
    fit: Callable[[list[Unit], bool | None], Iterator[tuple[int, Done]]]
    kept: Callable[[list[Part], int, bool | None], tuple[list[Unit], list[Done]]]
    known: dict[tuple[Any, ...], Done] = field(default_factory=dict)

    def more(self, parts: list[Part], progress: bool | None) -> tuple[list[Unit], list[Done]]:
        """Fit the same models to other parts, and return their units and results."""
        units = self.plan(parts)
        missing = [unit for unit in units if _key(unit) not in self.known]
        for number, found in self.fit(missing, progress) if missing else ():
            self.known[_key(missing[number])] = found
        return units, [self.known[_key(unit)] for unit in units]

    def folds(self) -> NDArray[np.int64]:
        """Return the fold of every subject in every repeat, (repeats, subjects)."""
        n_repeats = 1 + max(part.repeat for part in self.parts)
        fold = np.empty((n_repeats, len(self.table.cluster_labels)), dtype=np.int64)
        for part in self.parts:
            fold[part.repeat, self.table.clusters[part.test]] = part.fold
        return fold


def _key(unit: Unit) -> tuple[Any, ...]:
    """Return a key that is unique to a unit within one call of `fit_models`."""
    part = unit.part
    # A subject that is left out and a fold can have the same number, but not the same words.
    which = (part.repeat, part.fold, part.without, part.words)
    return (unit.model.name, unit.context_as, unit.context, *which)


def without_subjects(fits: Fits) -> list[Part]:
    """Return the parts whose models are fitted without one more subject, for each subject.

    The models of a fold are not fitted to its own subjects anyway. For G subjects in K folds there
    are ``G (K - 1)`` parts per repeat.
    """
    codes = fits.table.clusters
    return [
        part_without(fits, part, subject)
        for part in fits.parts
        for subject in np.unique(codes[part.train]).tolist()
    ]


def part_without(fits: Fits, part: Part, subject: int) -> Part:
    """Return the part whose models are fitted without a subject, with the same inner folds."""
    codes, labels = fits.table.clusters, fits.table.cluster_labels
    return replace(
        part,
        train=part.train[codes[part.train] != subject],
        words=f"{part.words} without subject {str(labels[subject])!r}",
        without=(subject,),
        tuned_as=part.train,
    )


def without_pairs(fits: Fits) -> list[Part]:
    """Return the parts that omit and predict two folds, of which a repeat has ``K (K - 1) / 2``."""
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
