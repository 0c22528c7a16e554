"""Arrays passed by users: values that NumPy's masks hide are missing."""

from __future__ import annotations

from typing import Any

import numpy as np


def unmasked(values: Any) -> Any:
    """Return a masked array as a plain one with masked entries missing; anything else unchanged.

    Masked numbers become NaN (whole numbers and truth values then become floats and objects),
    masked dates NaT, other masked entries None: functions that allow no missing values raise their
    usual errors. `numpy.asarray` would return the number under the mask, which is not data. Masked
    arrays in a list or tuple are converted, too.
    """
    if isinstance(values, np.ma.MaskedArray):
        return _filled(values)
    if isinstance(values, (list, tuple)) and any(
        isinstance(value, np.ma.MaskedArray) for value in values
    ):
        return type(values)([unmasked(value) for value in values])
    return values


def _filled(values: np.ma.MaskedArray[Any, Any]) -> Any:
    data = np.ma.getdata(values)
    mask = np.ma.getmaskarray(values)
    if data.dtype.names is not None or not mask.any():
        # In a record array each field has a mask, which is taken along with the field.
        return values if data.dtype.names is not None else data
    kind = data.dtype.kind
    if kind in "iuf":
        filled: Any = data.astype(np.float64 if kind in "iu" else data.dtype)
        filled[mask] = np.nan
    elif kind in "cmM":
        filled = data.copy()
        filled[mask] = np.array("NaT", data.dtype) if kind in "mM" else np.nan
    else:
        filled = data.astype(object)
        filled[mask] = None
    return filled
