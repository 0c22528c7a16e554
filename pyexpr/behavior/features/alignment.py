"""Landmarks freed of where the head is, how it is turned, and how large the face is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pyexpr.behavior.features.binning import known_points
from pyexpr.behavior.openface.layout import OUTER, STABLE


def normalised_landmarks(
    landmarks: NDArray[np.float64],
    stable_points: Sequence[int] = STABLE,
    outer: Sequence[int] = OUTER,
) -> NDArray[np.float64]:
    """Return 3D landmarks in the frame of the face, in interocular distances.

    In every frame the rotation and translation are removed that bring eight stable
    points (bridge of the nose, corners of the eyes) closest, in least squares, to
    their mean shape over the frames; what is left is the movement of the face
    itself. Lengths are divided by the distance of the outer corners of the eyes,
    averaged over the frames.

    Parameters
    ----------
    landmarks : float64 array, shape (frames, points, 3)
        In any unit. A frame is used if all stable points are finite.
    stable_points : sequence of int
        Points that expressions hardly move, by which the face is aligned; by default those
        of the 68: the bridge of the nose and the corners of the eyes.
    outer : sequence of int
        The outer corners of the eyes: their distance is the unit.

    Returns
    -------
    float64 array, shape (frames, points, 3)
        In interocular distances, the stable points' centre at the origin, turned
        as in the first frame used. NaN in frames that are not used, and where
        `landmarks` is not finite.

    References
    ----------
    Kabsch, W. (1976). A solution for the best rotation to relate two sets of
    vectors. Acta Crystallographica A32, 922-923.
    https://doi.org/10.1107/S0567739476001873

    Examples
    --------
    >>> import numpy as np
    >>> face = np.random.default_rng(1).normal(size=(1, 68, 3))
    >>> quarter_turn = face[:, :, [1, 0, 2]] * [-1, 1, 1]
    >>> normalised = normalised_landmarks(np.concatenate([face, quarter_turn]))
    >>> bool(np.allclose(normalised[0], normalised[1]))
    True
    """
    own = list(stable_points)
    stable = landmarks[:, own]
    used = np.logical_and.reduce(known_points(stable), axis=1)
    result = np.full(landmarks.shape, np.nan)
    if not used.any():
        return result
    centred = landmarks[used] - stable[used].mean(axis=1, keepdims=True)
    shape = centred[0, own, :]
    # Once to the first frame, which is as good as any, then to the mean of all.
    shape = _turned(centred[:, own], _rotations(centred[:, own], shape)).mean(axis=0)
    turned = _turned(centred, _rotations(centred[:, own], shape))
    left, right = outer
    unit = np.linalg.norm(turned[:, left] - turned[:, right], axis=1).mean()
    result[used] = turned / unit
    return result


def _rotations(points: NDArray[np.float64], shape: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rotations (frames, 3, 3) that bring centred points closest to `shape`."""
    u, _, vt = np.linalg.svd(np.einsum("fpi,pj->fij", points, shape))
    # A reflection may fit better, but a head does not turn into its mirror image.
    u[:, :, 2] *= np.sign(np.linalg.det(u) * np.linalg.det(vt))[:, np.newaxis]
    rotations: NDArray[np.float64] = np.einsum("fij,fjk->fik", u, vt)
    return rotations


def _turned(points: NDArray[np.float64], rotations: NDArray[np.float64]) -> NDArray[np.float64]:
    turned: NDArray[np.float64] = np.einsum("fpi,fij->fpj", points, rotations)
    return turned
