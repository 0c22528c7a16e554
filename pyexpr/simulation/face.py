"""A face of simple curves: its 68 points, their movement, and their projection by a camera.

Millimetres; x to the right of the image, y down, z away from the camera; the
order of the points is OpenFace's (jaw, brows, nose, eyes, mouth).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOCAL_LENGTH = 1400.0  # px
IMAGE_CENTRE = (520.0, 696.0)  # px, of BP4D+'s upright frames of 1040 x 1392
EYE_CENTRES = np.array([[-32.0, -25.0, 20.0], [32.0, -25.0, 20.0]])
EYEBALL_RADIUS = 12.0

# The ways in which the face moves; an activation of 1 moves the points most concerned by 1 mm.
MODES = (
    "brow_raise",
    "brow_lower",
    "lid_close",
    "nose_wrinkle",
    "corners_up",
    "corners_down",
    "jaw_drop",
    "lip_stretch",
    "mouth_shift",
    "brow_tilt",
)


def _arc(
    count: int, start: float, stop: float, centre: tuple[float, float], width: float, height: float
) -> NDArray[np.float64]:
    """Return `count` points of an ellipse between two angles (degrees, 180 is left, 90 up)."""
    angle = np.radians(np.linspace(start, stop, count))
    x = centre[0] + width * np.cos(angle)
    return np.column_stack([x, centre[1] - height * np.sin(angle)])


def mean_face() -> NDArray[np.float64]:
    """Return the resting face, shape (68, 3), mm."""
    jaw = _arc(17, 180, 360, (0, -15), 72, 95)
    brows = [_arc(5, 150, 30, (side * 35, -38), 24, 12) for side in (-1, 1)]
    bridge = np.column_stack([np.zeros(4), np.linspace(-25, 15, 4)])
    base = _arc(5, 180, 360, (0, 22), 14, 4)
    eyes = []
    for side in (-1, 1):
        upper = _arc(4, 180, 0, (side * 32, -25), 14, 5.5)
        lower = _arc(4, 0, -180, (side * 32, -25), 14, 4.5)[1:3]
        eyes.append(np.vstack([upper, lower]))
    outer = [_arc(7, 180, 0, (0, 48), 26, 9), _arc(7, 0, -180, (0, 48), 26, 11)[1:6]]
    inner = [_arc(5, 180, 0, (0, 48), 18, 2), _arc(5, 0, -180, (0, 48), 18, 2)[1:4]]
    flat = np.vstack([jaw, *brows, bridge, base, *eyes, *outer, *inner])
    # A head is round: the further a point is from the middle line, the further back.
    depth = 0.011 * flat[:, 0] ** 2 + 0.0012 * (flat[:, 1] - 20) ** 2 - 6
    depth[27:31] = np.linspace(-4, -26, 4)
    depth[31:36] -= (8, 10, 12, 10, 8)
    return np.column_stack([flat, depth])


def face_modes() -> NDArray[np.float64]:
    """Return the movement of the points by each of `MODES`, shape (10, 68, 3), mm per unit."""
    face = mean_face()
    x, y = face[:, 0], face[:, 1]
    modes = np.zeros((len(MODES), 68, 3))
    left, right = np.arange(17, 22), np.arange(22, 27)
    brows = np.r_[left, right]
    upper_lids, lower_lids = np.array([37, 38, 43, 44]), np.array([40, 41, 46, 47])
    mouth = np.arange(48, 68)
    upper_lip, lower_lip = mouth[y[mouth] < 47.9], mouth[y[mouth] > 48.1]
    corner = np.zeros(68)
    corner[mouth] = (np.abs(x[mouth]) / 26) ** 2
    side = np.sign(x)
    chin = np.zeros(68)
    chin[:17] = np.clip(y[:17] / 80, 0, 1) ** 2
    middle = 1 - np.abs(np.abs(x[brows]) - 15) / 50

    modes[0, brows, 1] = -1
    modes[0, upper_lids, 1] = -0.25
    modes[1, brows, 1] = 0.8 * middle
    modes[1, brows, 0] = -0.6 * side[brows] * middle
    modes[2, upper_lids, 1] = 1
    modes[2, lower_lids, 1] = -0.2
    modes[3, 31:36, 1] = -0.7
    modes[3, upper_lip, 1] = -0.8
    modes[3, lower_lids, 1] = -0.5
    modes[3, brows, 1] = 0.4 * middle
    modes[4, :, 0] = corner * side
    modes[4, :, 1] = -0.8 * corner
    modes[4, lower_lids, 1] = -0.3
    modes[5, :, 1] = 0.8 * corner
    modes[5, lower_lip, 1] -= 0.5
    modes[5, :, 1] -= 0.5 * chin
    modes[6, :, 1] = chin
    modes[6, lower_lip, 1] = 0.9
    modes[6, :, 1] += 0.3 * corner
    modes[6, :, 2] = 0.3 * chin
    modes[7, mouth, 0] = x[mouth] / 26
    modes[7, mouth, 2] = 0.2 * corner[mouth]
    modes[8, mouth, 0] = 0.8
    modes[8, :, 0] += 0.7 * chin
    modes[9, left, 1] = -1
    modes[9, right, 1] = 0.5
    return modes


def rotation_matrices(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Rx Ry Rz, shape (frames, 3, 3), of angles (frames, 3) in rad, OpenFace's order."""
    cosine, sine = np.cos(angles), np.sin(angles)
    result = np.zeros((len(angles), 3, 3))
    cx, cy, cz = cosine.T
    sx, sy, sz = sine.T
    result[:, 0] = np.column_stack([cy * cz, -cy * sz, sy])
    result[:, 1] = np.column_stack([cx * sz + cz * sx * sy, cx * cz - sx * sy * sz, -cy * sx])
    result[:, 2] = np.column_stack([sx * sz - cx * cz * sy, cz * sx + cx * sy * sz, cx * cy])
    return result


def place(
    points: NDArray[np.float64], rotation: NDArray[np.float64], translation: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return points (frames, p, 3) of the head in the camera's coordinates."""
    turned: NDArray[np.float64] = np.einsum("fij,fpj->fpi", rotation, points)
    return turned + translation[:, None, :]


def project(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the image by a pinhole camera, (frames, p, 2) px, of points (frames, p, 3) in mm."""
    seen = FOCAL_LENGTH * points[..., :2] / points[..., 2:]
    return np.asarray(seen + np.array(IMAGE_CENTRE))


def gaze_vectors(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return unit vectors of both eyes, (frames, 2, 3), whose mean has the given angles.

    OpenFace defines angle_x = atan2(x, -z) and angle_y = atan2(y, -z) of the mean vector.
    """
    ahead = np.column_stack([np.tan(angles[:, 0]), np.tan(angles[:, 1]), -np.ones(len(angles))])
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    # The eyes converge: each turns by the same small angle within the plane of the mean and the x
    # axis, so that the mean keeps its direction.
    across = np.array([1.0, 0.0, 0.0]) - ahead[:, :1] * ahead
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    turn = np.arctan(np.abs(EYE_CENTRES[0, 0]) / 650.0)
    return np.stack(
        [np.cos(turn) * ahead + sign * np.sin(turn) * across for sign in (1.0, -1.0)], axis=1
    )


def eye_points(
    gaze: NDArray[np.float64],
    lid_closing: NDArray[np.float64],
    rotation: NDArray[np.float64],
    translation: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the 56 eye points (frames, 56, 3) in camera coordinates.

    Each eye has 8 of the iris, 12 of the lids, 8 of the pupil. `lid_closing` is in mm, (frames,).
    """
    frames = len(gaze)
    ring = np.radians(np.arange(8) * 45.0)
    lids = np.radians(180.0 - np.arange(12) * 30.0)
    opening = np.clip(1 - lid_closing / 8.0, 0.15, 1.5)[:, None]
    parts = []
    for eye in range(2):
        centre = place(np.tile(EYE_CENTRES[eye], (frames, 1, 1)), rotation, translation)
        look = gaze[:, eye]
        iris = centre[:, 0] + EYEBALL_RADIUS * look
        side = np.cross(look, [0.0, 1.0, 0.0])
        side /= np.linalg.norm(side, axis=1, keepdims=True)
        up = np.cross(side, look)
        turned = np.cos(ring)[:, None] * side[:, None] + np.sin(ring)[:, None] * up[:, None]
        edge = np.zeros((frames, 12, 3))
        edge[:, :, 0] = EYE_CENTRES[eye, 0] + 14 * np.cos(lids)
        edge[:, :, 1] = EYE_CENTRES[eye, 1] - 5 * np.sin(lids) * opening
        edge[:, :, 2] = EYE_CENTRES[eye, 2] - EYEBALL_RADIUS
        parts += [
            iris[:, None] + 6.0 * turned,
            place(edge, rotation, translation),
            iris[:, None] + 2.4 * turned,
        ]
    return np.concatenate(parts, axis=1)
