"""The effective number of subjects of a slope, and its consequences for the test.

A slope's leverage is what is left of its regressor once the other columns and intercepts
are partialled out; a subject's share is its part of that sum of squares. Where one subject
has nearly all, nothing in the data says how slopes vary between subjects: a cluster-robust
standard error then comes from the others, who hardly count, and is far too small.

What the limits here rest on is in docs/coverage_coefficients.md.
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
    """The basis of each slope of a space; every array is (k,), without intercepts.

    Attributes
    ----------
    n_effective : ndarray
        One over the sum of the subjects' squared shares of leverage: the number of
        subjects, if they shared it equally.
    df : ndarray
        Degrees of freedom of the coefficient's own test.
    why_not : tuple of str
        Why the coefficient is not tested, or "".
    """

    n_effective: NDArray[np.float64]
    df: NDArray[np.float64]
    why_not: tuple[str, ...]

    def weakest_df(self, contrast: NDArray[np.float64]) -> float:
        """Return the least degrees of freedom among the coefficients of a contrast."""
        return float(self.df[np.flatnonzero(contrast)].min())

    def least(self, contrast: NDArray[np.float64]) -> float:
        """Return the effective number of subjects of a contrast: that of its weakest slope."""
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
        Non-negative, of sum 1 over subjects; NaN for a coefficient that there is not.
    df : ndarray, shape (k,)
    subjects : sequence of length G
        Labels, for the sentence.
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
            # Below 100 % unless it is all.
            percent = min(round(100 * largest), 99) if largest < 1 else 100
            label = subjects[int(np.argmax(own))]
            why.append(LEVERAGE(subject=label, share=percent))
        else:
            why.append("")
    return Support(1 / np.sum(shares**2, axis=1), df, tuple(why))


def bounded_df(df: float, weakest: float) -> float:
    """Return the degrees of freedom of a contrast, given those of its weakest slope.

    Satterthwaite's weigh slopes by the variance that equal errors would give; where slopes
    themselves vary between subjects, the one on few subjects has more of it.
    """
    return weakest if weakest < WEAKER * df else df


def few_subjects_df(df: NDArray[np.float64], n_effective: NDArray[np.float64]) -> NDArray:  # type: ignore[type-arg]
    """Return the degrees of freedom of jackknifed slopes: n_effective - 1 where that is few."""
    few = n_effective < FEW * (df + 1)
    return np.where(few, np.maximum(n_effective - 1, 1.0), df)
