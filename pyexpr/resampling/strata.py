"""Strata as specified by the user: groups of clusters within which clusters are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import DataError
from pyexpr.base.tables import check_flat_columns, column_or_array, label_codes

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray


def read_strata(
    frame: pd.DataFrame,
    stratify: str | ArrayLike,
    codes: NDArray[np.int64],
    labels: list[Any],
    used: NDArray[np.bool_],
    *,
    what: str,
) -> NDArray[np.int64]:
    """Return the stratum of each cluster."""
    if isinstance(stratify, str):
        check_flat_columns(frame, what=what)
    name, series = column_or_array(frame, stratify, argument="stratify", what=what)
    of_row, names = label_codes(series, name=name, what=what)
    strata = np.zeros(len(labels), dtype=np.int64)
    strata[codes] = of_row
    torn = np.flatnonzero(strata[codes] != of_row)
    if len(torn):
        raise DataError(
            f"subject {labels[codes[torn[0]]]!r} is in two strata of {name!r}; a subject must "
            "belong to one stratum"
        )
    present = np.unique(codes[used])
    sizes = np.bincount(strata[present], minlength=len(names))
    for stratum in np.flatnonzero(sizes == 1):
        raise DataError(
            f"stratum {names[stratum]!r} of {name!r} has only one subject, so the variation "
            "within it cannot be estimated; merge it with another stratum"
        )
    return strata
