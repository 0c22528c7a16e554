r"""The rows of a multilevel model of slopes as cross-products of each subject.

The label is ``X theta + Z_s v_s + e``: theta holds the slopes of every context and then the
intercepts. v_s holds what varies between subjects: intercepts, slopes, and both in single contexts.
The restricted likelihood depends on the rows only through the products of Z_s, X and y within
subjects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.inference.coefficients.slopes import within

# What varies between subjects; each option includes the previous ones.
INTERCEPTS, SLOPES, CONTEXTS = "intercepts", "slopes", "contexts"
SUBJECT_EFFECTS = (INTERCEPTS, SLOPES, CONTEXTS)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.inference.coefficients.data import CoefficientData


@dataclass(frozen=True, slots=True)
class Products:
    """The rows, and their cross-products per subject.

    Attributes
    ----------
    X : ndarray, shape (n, P)
        Slopes of the contexts first, then their intercepts. Features are scaled, and centred
        within their context.
    Z : ndarray, shape (n, m)
        What varies between subjects.
    terms : tuple of (str, int)
        The variance components of the columns of Z: "subject" or "subject:context", and the
        feature, or -1 for the intercept.
    term : ndarray of int, shape (m,)
        Position in `terms` of the variance of each column of Z.
    y : ndarray, shape (n,)
        The label, centred.
    subject : ndarray of int, shape (n,)
    feature, context : ndarray of int, shape (S,)
        Feature and context of the slope in each of the first S columns of X.
    XX, Xy, yy : ndarray, shapes (P, P), (P,), ()
        Products of all rows.
    ZZ, ZX, Zy : ndarray, shapes (G, m, m), (G, m, P), (G, m)
        Products of each subject.
    """

    X: NDArray[np.float64]
    Z: NDArray[np.float64]
    terms: tuple[tuple[str, int], ...]
    term: NDArray[np.int64]
    y: NDArray[np.float64]
    subject: NDArray[np.int64]
    feature: NDArray[np.int64]
    context: NDArray[np.int64]
    XX: NDArray[np.float64]
    Xy: NDArray[np.float64]
    yy: float
    ZZ: NDArray[np.float64]
    ZX: NDArray[np.float64]
    Zy: NDArray[np.float64]

    @property
    def n_slopes(self) -> int:
        """The number of slopes of contexts."""
        return len(self.feature)

    @property
    def n_features(self) -> int:
        """The number of features."""
        return int(self.feature.max()) + 1


def products_of(data: CoefficientData, subject_effects: str) -> Products:
    """Return the cross-products of rows; `subject_effects` is one of `SUBJECT_EFFECTS`."""
    C, p = data.constant.shape
    places = [(c, j) for c in range(C) for j in range(p) if not data.constant[c, j]]
    context, feature = np.array(places, dtype=np.int64).T
    centred = within((data.X - data.X.mean(axis=0)) / data.scale, data.context)
    # A constant that varies only by rounding counts as constant.
    centred[data.constant[data.context]] = 0.0
    inside = data.context[:, None] == context[None, :]
    slopes = np.where(inside, centred[:, feature], 0.0)
    X = np.hstack([slopes, (data.context[:, None] == np.arange(C)).astype(np.float64)])
    Z, terms, term = _of_subjects(data, centred, subject_effects)
    y = data.y_tested - data.y_tested.mean()
    G = len(data.subjects)
    order = np.argsort(data.subject, kind="stable")
    ends = np.cumsum(np.bincount(data.subject, minlength=G))
    ZZ = np.zeros((G, Z.shape[1], Z.shape[1]))
    ZX = np.zeros((G, Z.shape[1], X.shape[1]))
    Zy = np.zeros((G, Z.shape[1]))
    for s, rows in enumerate(np.split(order, ends[:-1])):
        own = Z[rows].T
        ZZ[s], ZX[s], Zy[s] = own @ own.T, own @ X[rows], own @ y[rows]
    return Products(
        X,
        Z,
        terms,
        term,
        y,
        data.subject,
        feature,
        context,
        X.T @ X,
        X.T @ y,
        float(y @ y),
        ZZ,
        ZX,
        Zy,
    )


def _of_subjects(
    data: CoefficientData, centred: NDArray[np.float64], subject_effects: str
) -> tuple[NDArray[np.float64], tuple[tuple[str, int], ...], NDArray[np.int64]]:
    """Return what varies between subjects, (n, m), the variances, and each column's variance."""
    n, p = centred.shape
    with_one = np.hstack([np.ones((n, 1)), centred])
    features = [-1, *(range(p) if subject_effects != INTERCEPTS else ())]
    terms = [("subject", j) for j in features]
    parts = [with_one[:, [j + 1]] for j in features]
    if subject_effects == CONTEXTS:
        C = len(data.contexts)
        inside = (data.context[:, None] == np.arange(C)).astype(np.float64)
        cells = len(np.unique(data.subject * C + data.context))
        # With one row per cell, the intercept of the cell cannot be told from the residual.
        own = [j for j in range(-1, p) if j >= 0 or cells < n]
        terms += [("subject:context", j) for j in own]
        parts += [with_one[:, [j + 1]] * inside for j in own]
    sizes = [part.shape[1] for part in parts]
    return np.hstack(parts), tuple(terms), np.repeat(np.arange(len(parts)), sizes)
