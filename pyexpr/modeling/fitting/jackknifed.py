"""The basis of a jackknife of compared models whose subjects are those of testing and training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.resampling.intervals.evidence import Evidence, JackknifeGroup

if TYPE_CHECKING:
    from numpy.typing import NDArray


def jackknife_groups(
    compared: Evidence,
    without: NDArray[np.float64],
    subjects: Sequence[NDArray[np.int64]],
) -> list[JackknifeGroup]:
    """Return the values of compared quantities without each subject, by the subjects concerned.

    Parameters
    ----------
    compared : Evidence
        That of the comparison with models as given. Rows that are in none of its groups have no
        jackknife.
    without : (Q, subjects) float64
    subjects : for each row (G,) int64
        The subjects on whom the row depends, as positions among all subjects.
    """
    worth: dict[int, NDArray[np.float64]] = {}
    for group in compared.groups:
        assert group.effective is not None
        worth |= dict(zip(group.rows.tolist(), group.effective, strict=True))
    together: dict[bytes, list[int]] = {}
    for place, own in enumerate(subjects):
        if place in worth:
            together.setdefault(own.tobytes(), []).append(place)
    return [
        JackknifeGroup(
            np.array(places),
            without[places][:, subjects[places[0]]],
            (len(subjects[places[0]]),),
            np.array([worth[place] for place in places]),
            subjects[places[0]],
        )
        for places in together.values()
    ]
