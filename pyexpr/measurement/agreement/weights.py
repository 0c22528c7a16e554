r"""How much two categories agree: the weights of Gwet (2014), and Krippendorff's metrics.

A weight is 1 for the same category, and less the further two categories lie apart. Krippendorff's
alpha is defined by the disagreement of two categories instead, which for ordinal ratings depends on
how often the categories between them are used.

References
----------
Gwet, K. L. (2014). Handbook of inter-rater reliability (4th ed.). Advanced Analytics.
Krippendorff, K. (2019). Content analysis (4th ed.), chapter 12. Sage.
https://doi.org/10.4135/9781071878781
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVELS = ("nominal", "ordinal", "interval", "ratio")
WEIGHTS = ("identity", "ordinal", "linear", "quadratic", "radical", "ratio")
# The weights that ask of the categories what a level says of them.
OF_LEVEL = {
    "nominal": "identity", "ordinal": "ordinal", "interval": "quadratic", "ratio": "ratio",
}  # fmt: skip


def weight_matrix(name: str, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Return the weights of every pair of q categories, (q, q).

    Parameters
    ----------
    name : {"identity", "ordinal", "linear", "quadratic", "radical", "ratio"}
        With :math:`d = |x_k - x_l|` and D the largest of these: linear :math:`1 - d / D`, quadratic
        :math:`1 - d^2 / D^2`, radical :math:`1 - \sqrt{d / D}`; ratio :math:`1 - e^2 / E^2` with
        :math:`e = (x_k - x_l) / (x_k + x_l)`; ordinal :math:`1 - \binom{r + 1}{2} / \binom{q}{2}`
        with r the number of steps between the two categories.
    scores : ndarray, shape (q,)
        The values of the categories in ascending order.

    Examples
    --------
    >>> weight_matrix("quadratic", np.array([1.0, 2.0, 3.0])).tolist()
    [[1.0, 0.75, 0.0], [0.75, 1.0, 0.75], [0.0, 0.75, 1.0]]
    """
    q = len(scores)
    if name == "identity" or q < 2:
        return np.eye(q)
    if name == "ordinal":
        steps = np.abs(np.subtract.outer(np.arange(q), np.arange(q)))
        return np.asarray(1 - steps * (steps + 1) / (q * (q - 1)))
    distance = _relative(scores) if name == "ratio" else np.abs(np.subtract.outer(scores, scores))
    share = distance / distance.max()
    power = {"linear": 1.0, "quadratic": 2.0, "ratio": 2.0, "radical": 0.5}[name]
    return np.asarray(1 - share**power)


def metric(level: str, scores: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return Krippendorff's squared differences of categories, (q, q); None for ordinal ones.

    Nominal: 1 for different categories; interval: ``(x - y)^2``; ratio: ``((x - y) / (x + y))^2``.
    """
    if level == "ordinal":
        return None
    if level == "nominal":
        return np.asarray(1 - np.eye(len(scores)))
    if level == "interval":
        return np.asarray(np.subtract.outer(scores, scores) ** 2)
    return np.asarray(_relative(scores) ** 2)


def ordinal_metric(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Krippendorff's ordinal squared differences, (..., q, q), from counts (..., q).

    ``(n_k + ... + n_l - (n_k + n_l) / 2)^2``, with the numbers of ratings n per category.
    """
    middle = np.cumsum(counts, axis=-1) - counts / 2
    return np.asarray((middle[..., :, None] - middle[..., None, :]) ** 2)


def _relative(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``|x - y| / (x + y)``, and 0 for two zeros."""
    total = np.add.outer(scores, scores)
    difference = np.abs(np.subtract.outer(scores, scores))
    return np.divide(difference, total, out=np.zeros_like(difference), where=total != 0)
