"""Where the face is in each frame of a video, from OpenFace's landmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.errors import OpenFaceError
from pyexpr.base.video_file import VideoIndex

if TYPE_CHECKING:
    from pyexpr.behavior.openface.recording import OpenFaceRecording

#: Seconds over which a box is averaged, half of them on each side.
SMOOTHED_SECONDS = 0.5
#: OpenFace numbers the frames of its video; with this share of frames more or fewer it is taken
#: to have seen another version of it, and frames are matched by time.
_SAME_LENGTH = 0.02


def face_boxes(recording: OpenFaceRecording, margin: float) -> NDArray[np.float64]:
    """Return a square around the landmarks of each frame: centre x, centre y, side.

    Parameters
    ----------
    recording : OpenFaceRecording
        With ``landmarks_2d``.
    margin : float
        Added on each side, in parts of the longer side of the landmarks' own box.

    Returns
    -------
    (n_frames, 3) float64, px
        Centre and side are means over the valid frames within 0.25 s, so that the
        square does not shake with every landmark; NaN if there are none.
    """
    points = recording.groups["landmarks_2d"]
    known = np.isfinite(points).all(axis=(1, 2)) & recording.valid
    boxes = np.full((len(points), 3), np.nan)
    low, high = points[known].min(axis=1), points[known].max(axis=1)
    boxes[known, :2] = (low + high) / 2
    boxes[known, 2] = (high - low).max(axis=1) * (1 + 2 * margin)
    return _averaged(boxes, known, round(SMOOTHED_SECONDS / 2 * recording.fps))


def _averaged(
    values: NDArray[np.float64], known: NDArray[np.bool_], reach: int
) -> NDArray[np.float64]:
    """Return means over the known rows at most `reach` rows away."""
    n = len(values)
    sums = np.concatenate(
        [np.zeros((1, 3)), np.cumsum(np.where(known[:, None], values, 0), axis=0)]
    )
    counts = np.concatenate([[0], np.cumsum(known)])
    first = np.clip(np.arange(n) - reach, 0, n)
    last = np.clip(np.arange(n) + reach + 1, 0, n)
    number = counts[last] - counts[first]
    with np.errstate(invalid="ignore", divide="ignore"):
        means: NDArray[np.float64] = (sums[last] - sums[first]) / number[:, None]
    return means


def boxes_of_frames(
    recording: OpenFaceRecording,
    boxes: NDArray[np.float64],
    index: VideoIndex,
    numbers: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the box of each of a video's frames `numbers`, NaN where OpenFace has none.

    By number if OpenFace has as many frames as the video (to 2 %), else by time.
    """
    n = recording.n_frames
    if recording.fps_source != "resampled" and is_of_length(recording, index):
        rows = numbers
    else:
        rows = np.floor(index.times[numbers] * recording.fps + 1e-6).astype(np.int64)
    found = np.full((len(numbers), 3), np.nan)
    inside = rows < n
    found[inside] = boxes[rows[inside]]
    return found


def is_of_length(recording: OpenFaceRecording, index: VideoIndex) -> bool:
    """Return whether a recording has as many frames as a video, to 2 %."""
    return abs(recording.n_frames - len(index)) <= max(1, _SAME_LENGTH * len(index))


def check_inside(boxes: NDArray[np.float64], index: VideoIndex, path: str) -> None:
    """Refuse landmarks that are of another video, or of this one at another size."""
    known = boxes[np.isfinite(boxes[:, 0])]
    if not len(known):
        raise OpenFaceError(
            f"{path!r} has no valid landmarks, so no face can be cropped from its video"
        )
    # Upright videos may be stored lying.
    longest = max(index.width, index.height)
    x, y = np.median(known[:, :2], axis=0)
    if not (0 <= x < longest and 0 <= y < longest):
        raise OpenFaceError(
            f"{path!r} has the face at ({x:.0f}, {y:.0f}) px, outside of {index.path!r} with its "
            f"{index.width} x {index.height} px; give the OpenFace file of this very video"
        )
