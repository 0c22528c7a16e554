"""Arrays as the kernels take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def for_kernel(values: Any, dtype: type[np.generic] | np.dtype[Any] | None = None) -> NDArray[Any]:
    """Return `values` as a C-contiguous, aligned array.

    Parameters
    ----------
    values : array_like
        Copied only if necessary. In a field of packed records, or a view into a file, numbers may
        not be aligned in memory, and C++ must not read them there.
    dtype : optional
        None: the dtype of `values`.
    """
    array = np.ascontiguousarray(values, dtype=dtype)
    return array if array.flags.aligned else array.copy()
