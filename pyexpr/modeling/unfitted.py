"""An estimator whose `fit` was interrupted counts as not fitted."""

from __future__ import annotations

from typing import Any


def unfit(estimator: Any, *_: Any, **__: Any) -> None:
    """Remove the attributes that `fit` has set, whose names end in "_" by scikit-learn's rule.

    Otherwise it would predict from parts of two fits.
    """
    for name in [name for name in vars(estimator) if name.endswith("_")]:
        delattr(estimator, name)
