"""Arrays as the kernels take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def for_kernel(values: Any, dtype: type[np.generic] | np.dtype[Any] | None = None) -> NDArray[Any]:
    """Return `values` as an array that is C-contiguous and aligned.

    Parameters
    ----------
    values : array_like
        Copied only if it is not so yet. A field of packed records, or a view into a file, may
        hold numbers across their natural places in memory, where C++ may not read them.
    dtype : optional
        None: that of `values`.
    """
    array = np.ascontiguousarray(values, dtype=dtype)
    return array if array.flags.aligned else array.copy()
