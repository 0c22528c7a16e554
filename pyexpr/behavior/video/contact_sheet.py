"""What a network sees of clips: their frames side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.errors import DataError
from pyexpr.behavior.video.clips import VideoClips
from pyexpr.behavior.video.sampling import MISSING
from pyexpr.figures import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# mm
_LABEL = 32.0
_TOP = 5.0
_GAP = 1.0
# More make pictures too small to see.
_MOST_FRAMES = 8
_MOST_CLIPS = 24
_NAMES = ("subject", "context", "clip")


def contact_sheet(
    clips: VideoClips,
    which: Sequence[int] | None = None,
    *,
    columns: int = _MOST_FRAMES,
    width_mm: float = plotting.FULL_WIDTH_MM,
) -> Figure:
    """Draw frames of clips side by side, a row per clip.

    Parameters
    ----------
    clips : VideoClips
        From `read_video_clips`.
    which : sequence of int, optional
        Numbers of the clips to draw, from 0; by default the first 24.
    columns : int
        Frames per clip, spread evenly over those it has.
    width_mm : float

    Returns
    -------
    matplotlib Figure
        Under each frame stands its number in the video, from 0 (where pictures are too narrow,
        under every second, third, ...); missing ones are crossed out.

    Raises
    ------
    DataError
        If there is no such clip.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np, pandas as pd
    >>> from pyexpr.base.video_file import write_video
    >>> from pyexpr.behavior.video.video import read_video_clips
    >>> folder = tempfile.mkdtemp()
    >>> path = os.path.join(folder, "s01.mp4")
    >>> write_video(path, [np.full((64, 64, 3), 4 * k, np.uint8) for k in range(60)], fps=25)
    >>> table = pd.DataFrame({"video": [path], "start": [0], "end": [2]})
    >>> clips = read_video_clips(table, frames=4, size=32, cache_dir=folder, n_jobs=1)
    >>> [text.get_text() for text in contact_sheet(clips).axes[0].texts[1:]]
    ['0', '12', '25', '37']
    """
    if not isinstance(clips, VideoClips):
        raise DataError(
            f"contact_sheet() draws what read_video_clips() returns, not {type(clips).__name__}"
        )
    chosen = list(range(min(len(clips), _MOST_CLIPS)) if which is None else which)
    for clip in chosen:
        if not 0 <= clip < len(clips):
            raise DataError(f"there is no clip {clip}: they are numbered 0 to {len(clips) - 1}")
    if not chosen or columns < 1:
        raise DataError("a contact sheet needs at least one clip and one column")
    frames = np.unique(
        np.linspace(0, clips.options.frames - 1, min(columns, clips.options.frames)).round()
    ).astype(np.int64)
    picture = (width_mm - _LABEL) / len(frames) - _GAP
    labels = {clip: _label(clips, clip) for clip in chosen}
    lines = max(label.count("\n") + 1 for label in labels.values())
    row_mm = max(picture + plotting.LINE_MM, lines * plotting.LINE_MM) + _GAP
    with plotting.style():
        height = _TOP + row_mm * len(chosen)
        figure = plotting.new_figure(width_mm, height, layout=None)
        for row, clip in enumerate(chosen):
            # The label stands beside the middle of its pictures, and may be taller than they are.
            spare = (row_mm - _GAP - plotting.LINE_MM - picture) / 2
            bottom = height - _TOP / 2 - row_mm * row - max(0.0, spare) - picture
            axes = figure.add_axes(
                (_LABEL / width_mm, bottom / height, 1 - _LABEL / width_mm, picture / height)
            )
            _draw_row(axes, clips, clip, labels[clip], frames, picture)
    return figure


def _draw_row(
    axes: Axes, clips: VideoClips, clip: int, label: str, frames: np.ndarray, picture: float
) -> None:
    pixels, numbers = clips[clip], clips.numbers(clip)
    step = (picture + _GAP) / picture
    labels = ["missing" if numbers[k] == MISSING else str(numbers[k]) for k in frames.tolist()]
    widest = max(plotting.text_width_mm(text, plotting.SIZE_SMALLEST) for text in labels)
    every = math.ceil((widest + 1) / (picture + _GAP))
    axes.set_axis_off()
    axes.text(
        -2.5 / picture, 0.5, label, ha="right", va="center", size=plotting.SIZE_SMALL
    )  # fmt: skip
    for column, frame in enumerate(frames.tolist()):
        left = column * step
        axes.imshow(
            np.ascontiguousarray(pixels[frame]),
            extent=(left, left + 1, 0, 1),
            interpolation="nearest",
        )
        if numbers[frame] == MISSING:
            for line in ([0, 1], [1, 0]):
                axes.plot([left, left + 1], line, color=plotting.PALE, lw=0.5)
        if column % every == 0:
            axes.text(
                left + 0.5,
                # Half a millimetre under the picture.
                -0.5 / picture,
                labels[column],
                ha="center",
                va="top",
                size=plotting.SIZE_SMALLEST,
                color=plotting.GREY,
            )
    axes.set(xlim=(0, step * len(frames)), ylim=(0, 1))


def _label(clips: VideoClips, clip: int) -> str:
    """Return who and what a clip is, and its seconds; without names its file's."""
    row = clips.table.iloc[clip]
    names = " ".join(str(row[name]) for name in _NAMES if name in row)
    shown = names or str(row["video"]).replace("\\", "/").rpartition("/")[2]
    wrapped = plotting.wrap(shown, _LABEL - 6, size=plotting.SIZE_SMALL, max_lines=6)
    return f"{wrapped}\n{row['start']:g} to {row['end']:g} s"
