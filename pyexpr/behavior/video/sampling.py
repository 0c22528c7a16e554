"""Which frames of a clip are taken, and how a frame becomes a small square."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.errors import DataError
from pyexpr.base.messages import say
from pyexpr.base.video_file import VideoIndex

Resize = Literal["torchvision", "aspect"]

#: Seconds for which a frame stands for later times; beyond, frames were dropped.
LONGEST_HOLD = 0.5
#: r3d_18's weights were trained on frames of 128 x 171 cropped to 112 x 112.
RESIZED = (128, 171)
CROPPED = 112
#: No frame: before the first, after the last, within a hole, or not to be decoded.
MISSING = -1


def sampled_frames(
    index: VideoIndex, start: float, end: float, n_frames: int, rate: float | None = None
) -> NDArray[np.int64]:
    r"""Return which frame of a video stands for each of a clip's sampled times.

    Parameters
    ----------
    index : VideoIndex
    start, end : float
        Seconds from the first frame; half-open.
    n_frames : int
    rate : float, optional
        Samples per second, taken from the middle of the clip. By default the samples
        are spread over all of it.

    Returns
    -------
    (n_frames,) int64
        Numbers of frames, -1 where there is none.

    Notes
    -----
    Sample j is the frame on show at :math:`t_j = start + j (end - start) / n`, the
    last with a presentation time not after it. At a constant rate that is frame
    :math:`\lfloor j s \rfloor` of the clip with step :math:`s = fps (end - start) / n`:
    how torchvision resamples clips for training (``VideoClips``); checked against it.
    A frame that began before the clip belongs to the clip before: until the clip's
    first frame appears, that one is taken. A frame stands for at most 0.5 s.
    """
    length = end - start
    taken = length if rate is None else n_frames / rate
    if taken > length + index.tolerance:
        raise DataError(
            say(
                "{n_frames} frames at {given:g} per second take {taken:.3g} s, but the "
                "clip lasts {length:.3g} s; take fewer, or a higher {rate=}",
                n_frames=n_frames,
                given=rate,
                taken=taken,
                length=length,
            )
        )
    moments = start + (length - taken) / 2 + np.arange(n_frames) * (taken / n_frames)
    times = index.times
    first = int(np.searchsorted(times, start - index.tolerance))
    shown = np.searchsorted(times, moments + index.tolerance, side="right") - 1
    shown = np.clip(shown, first, len(times) - 1)
    distance = np.abs(moments - times[shown])
    within = (times[shown] >= start - index.tolerance) & (times[shown] < end - index.tolerance)
    known = within & (distance <= LONGEST_HOLD) & (moments < index.seconds - index.tolerance)
    # Before the first frame there is none.
    known &= moments >= times[0] - index.tolerance
    return np.where(known, shown, MISSING)


def resized(pixels: NDArray[np.uint8], size: int, how: Resize) -> NDArray[np.uint8]:
    """Return a frame as (size, size, 3): resized, then the middle cropped.

    ``"torchvision"`` is what the transforms of r3d_18's weights do: to 128 x 171
    whatever the shape, then the central 112 x 112, and in proportion for other
    sizes. ``"aspect"`` keeps the proportions: the shorter side becomes 128.
    Bilinear without antialiasing, rounded to integers, as there.
    """
    if how == "torchvision":
        height, width = (round(size * side / CROPPED) for side in RESIZED)
    else:
        shorter = round(size * RESIZED[0] / CROPPED)
        scale = shorter / min(pixels.shape[:2])
        height, width = (max(shorter, round(scale * side)) for side in pixels.shape[:2])
    top, left = round((height - size) / 2), round((width - size) / 2)
    return _bilinear(pixels, (height, width), (top, left), size)


def cropped(pixels: NDArray[np.uint8], box: NDArray[np.float64], size: int) -> NDArray[np.uint8]:
    """Return the square `box` (centre x, centre y, side, in pixels) as (size, size, 3).

    What lies outside of the image is black.
    """
    x, y, side = box
    edge = max(2, round(side))
    left, top = round(x - edge / 2), round(y - edge / 2)
    square = np.zeros((edge, edge, 3), dtype=np.uint8)
    height, width = pixels.shape[:2]
    y0, y1 = np.clip([top, top + edge], 0, height)
    x0, x1 = np.clip([left, left + edge], 0, width)
    if y0 < y1 and x0 < x1:
        square[y0 - top : y1 - top, x0 - left : x1 - left] = pixels[y0:y1, x0:x1]
    return _bilinear(square, (size, size), (0, 0), size)


def _bilinear(
    pixels: NDArray[np.uint8], target: tuple[int, int], corner: tuple[int, int], size: int
) -> NDArray[np.uint8]:
    """Resize to `target`, and return `size` x `size` pixels of it from `corner` on."""
    rows = _lines(pixels.shape[0], target[0], corner[0], size)
    columns = _lines(pixels.shape[1], target[1], corner[1], size)
    low, high, weight = rows
    # Only the lines of the crop are ever computed.
    upper = pixels[low].astype(np.float32)
    mixed = upper + weight[:, None, None] * (pixels[high].astype(np.float32) - upper)
    low, high, weight = columns
    left = mixed[:, low]
    values = left + weight[None, :, None] * (mixed[:, high] - left)
    return np.rint(values).astype(np.uint8)


def _lines(
    source: int, target: int, corner: int, size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return, for lines `corner` to `corner + size` of `target`, both neighbours and weight."""
    at = (np.arange(corner, corner + size) + 0.5) * (source / target) - 0.5
    at = np.clip(at, 0, source - 1)
    low = np.floor(at).astype(np.int64)
    return low, np.minimum(low + 1, source - 1), (at - low).astype(np.float32)
