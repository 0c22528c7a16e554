"""The effective number of subjects of a slope, and its consequences for the test.

The leverage of a slope is the sum of squares of its regressor after the other columns and
intercepts are partialled out. A subject's share is its part of this sum. If one subject has nearly
all of the leverage, the data do not show how slopes vary between subjects. A cluster-robust
standard error then comes from the other subjects, who hardly contribute to the slope, and is far
too small. The simulations behind the limits used here are in docs/coverage_coefficients.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.inference.coefficients.notes import LEVERAGE

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: A slope of which one subject has a larger share is not tested.
LARGEST_SHARE = 0.8
#: A slope that a cluster alone determines, but for this part of its variance, is not tested.
DETERMINED = 0.01
#: A contrast has the degrees of freedom of its weakest slope where these are a smaller part.
WEAKER = 0.5
#: A family with a contrast on fewer effective subjects is adjusted by Holm's steps, not by max-T.
FEWEST_OF_MAX_T = 10
#: Desparsified slopes on fewer subjects than this part of all have fewer degrees of freedom.
FEW = 1 / 3


@dataclass(frozen=True, slots=True)
class Support:
    """How many subjects support each slope of a space; every array is (k,), without intercepts.

    Attributes
    ----------
    n_effective : ndarray
        One divided by the sum of the subjects' squared shares of leverage. It is the number of
        subjects if all shares are equal.
    df : ndarray
        Degrees of freedom of the coefficient's own test.
    why_not : tuple of str
        Why the coefficient is not tested, or "".
    """

    n_effective: NDArray[np.float64]
    df: NDArray[np.float64]
    why_not: tuple[str, ...]

    def weakest_df(self, contrast: NDArray[np.float64]) -> float:
        """Return the smallest degrees of freedom among the coefficients of a contrast."""
        return float(self.df[np.flatnonzero(contrast)].min())

    def least(self, contrast: NDArray[np.float64]) -> float:
        """Return the effective number of subjects of a contrast, that of its weakest slope."""
        return float(self.n_effective[np.flatnonzero(contrast)].min())

    def why_refused(self, contrast: NDArray[np.float64]) -> str:
        """Return why a contrast is not tested, or ""."""
        return next((self.why_not[i] for i in np.flatnonzero(contrast) if self.why_not[i]), "")


def support_of(
    shares: NDArray[np.float64],
    df: NDArray[np.float64],
    subjects: Sequence[Any],
    determined: NDArray[np.float64] | None = None,
) -> Support:
    """Judge coefficients by their subjects' shares of leverage.

    Parameters
    ----------
    shares : ndarray, shape (k, G)
        Non-negative, with sum 1 over subjects; NaN for a coefficient that does not exist.
    df : ndarray, shape (k,)
    subjects : sequence of length G
        Labels of the subjects, for messages.
    determined : ndarray, shape (k,), optional
        Part of the coefficient's variance in directions that one subject alone determines.

    Examples
    --------
    >>> import numpy as np
    >>> found = support_of(np.array([[0.25] * 4, [0.97, 0.01, 0.01, 0.01]]), np.ones(2), "abcd")
    >>> found.n_effective.round(2).tolist(), found.why_not[1]
    ([4.0, 1.06], "subject 'a' has 97 % of the slope's leverage, so that nothing shows how it varies between subjects")
    """  # noqa: E501
    why: list[str] = []
    for k, own in enumerate(shares):
        largest = float(np.max(own))
        alone = determined is not None and determined[k] > DETERMINED
        if largest > LARGEST_SHARE or alone:
            # 100 % is shown only if the subject has all of the leverage.
            percent = min(round(100 * largest), 99) if largest < 1 else 100
            label = subjects[int(np.argmax(own))]
            why.append(LEVERAGE(subject=label, share=percent))
        else:
            why.append("")
    return Support(1 / np.sum(shares**2, axis=1), df, tuple(why))


def bounded_df(df: float, weakest: float) -> float:
    """Return the degrees of freedom of a contrast, given those of its weakest slope.

    Satterthwaite's degrees of freedom weight slopes by their variance under equal errors. If slopes
    themselves vary between subjects, the slope with few subjects has a larger part of the variance.
    """
    return weakest if weakest < WEAKER * df else df


def few_subjects_df(df: NDArray[np.float64], n_effective: NDArray[np.float64]) -> NDArray:  # type: ignore[type-arg]
    """Return the degrees of freedom of jackknifed slopes: n_effective - 1 if that is small."""
    few = n_effective < FEW * (df + 1)
    return np.where(few, np.maximum(n_effective - 1, 1.0), df)
