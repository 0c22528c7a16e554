"""The jackknife of quantities that depend on the subjects of testing and of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.resampling.intervals.evidence import JackknifeGroup

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Values that differ by less are those of the same models.
_SAME = 1e-12


def jackknife_groups(
    groups: Sequence[JackknifeGroup],
    without: NDArray[np.float64],
    subjects: Sequence[NDArray[np.int64]],
) -> list[JackknifeGroup]:
    """Return the groups with other values, and all subjects on whom their quantities depend.

    Parameters
    ----------
    groups : sequence of JackknifeGroup
        Those with models as given, whose subjects are those on whom the models are tested.
    without : (Q, subjects) float64
        The quantities without each subject, if models are fitted again.
    subjects : for each quantity (G,) int64
        The subjects on whom it depends, as positions among all subjects.
    """
    found = []
    for group in groups:
        together: dict[bytes, list[int]] = {}
        for k, row in enumerate(group.rows.tolist()):
            together.setdefault(subjects[row].tobytes(), []).append(k)
        for places in together.values():
            rows = group.rows[places]
            own = subjects[int(rows[0])]
            found.append(
                replace(
                    group,
                    rows=rows,
                    values=without[np.ix_(rows, own)],
                    strata=(len(own),),
                    effective=_at(group.effective, places),
                    clusters=own,
                    most_df=_at(group.most_df, places),
                    refused=group.refused and tuple(group.refused[k] for k in places),
                )
            )
    return found


def _at(values: NDArray[np.float64] | None, places: list[int]) -> NDArray[np.float64] | None:
    return None if values is None else values[places]


def subjects_concerned(
    groups: Sequence[JackknifeGroup],
    estimate: NDArray[np.float64],
    without: NDArray[np.float64],
) -> list[NDArray[np.int64]]:
    """Return the subjects on whom each quantity depends, from its values without each of them.

    They are those on whom models are tested, and others to whom the models were fitted: a pooled
    model is fitted to subjects without a row in the context of the quantity.
    """
    changed = ~(np.abs(without - estimate[:, None]) <= _SAME)
    for group in groups:
        tested = np.arange(without.shape[1]) if group.clusters is None else group.clusters
        changed[np.ix_(group.rows, tested)] = True
    return [np.flatnonzero(row) for row in changed]
