"""An estimator whose `fit` was interrupted counts as not fitted."""

from __future__ import annotations

from typing import Any


def unfit(estimator: Any, *_: Any, **__: Any) -> None:
    """Take away what `fit` has set, by scikit-learn's rule the names that end in "_".

    Else it would predict from parts of two fits.
    """
    for name in [name for name in vars(estimator) if name.endswith("_")]:
        delattr(estimator, name)
