"""Whether features separate the classes, in which case the likelihood has no maximum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A margin above this exceeds the tolerance of the linear program (1e-7 for each condition).
MARGIN = 1e-5


def are_separated(Z: NDArray[np.float64], y: NDArray[np.int64]) -> bool:
    """Return whether some direction puts every row on its class's side, and one beyond the border.

    Parameters
    ----------
    Z : ndarray, shape (n, p)
        Features of mean square about 1.
    y : ndarray of int, shape (n,)
        Codes of the classes, 0 to K - 1.

    Notes
    -----
    The maximum of the likelihood exists unless there are weights with which no row has a class
    ranked above its own, and some row has its own class strictly first (complete or quasi-complete
    separation). A linear program looks for them: the largest sum of differences, none of them
    negative, with weights between -1 and 1.

    Source: Albert and Anderson (1984), Biometrika 71, 1-10; Konis (2007), DPhil thesis,
    University of Oxford.

    Examples
    --------
    >>> Z = np.array([[-1.0], [-0.5], [0.5], [1.0]])
    >>> are_separated(Z, np.array([0, 0, 1, 1])), are_separated(Z, np.array([0, 1, 0, 1]))
    (True, False)
    """
    from scipy.optimize import linprog

    design = np.column_stack([np.ones(len(Z)), Z])
    n_classes = int(y.max()) + 1
    differences = []
    for k in range(n_classes):
        # Own predictor minus that of class k; the weights of class 0 are 0.
        rows = design[y != k]
        own = (y[y != k, None] == np.arange(n_classes)) - (np.arange(n_classes) == k).astype(float)
        differences.append((own[:, 1:, None] * rows[:, None, :]).reshape(len(rows), -1))
    conditions = np.vstack(differences)
    found = linprog(
        -conditions.sum(axis=0), A_ub=-conditions, b_ub=np.zeros(len(conditions)), bounds=(-1, 1)
    )
    return bool((conditions @ found.x).max() > MARGIN)
