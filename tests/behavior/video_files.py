"""Small videos whose frames bear their own number, so that the frame taken can be read off."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BITS = 8
# The stripes stand within what a centre crop of 112 of 128 lines leaves.
FIRST, LAST = 0.1, 0.9
NTSC_FILM = Fraction(24000, 1001)


def numbered(number: int, height: int = 64, width: int = 64) -> np.ndarray:
    """Return a picture with the bits of `number` as stripes, the lowest on top."""
    picture = np.full((height, width, 3), 128, dtype=np.uint8)
    edges = np.round(np.linspace(FIRST, LAST, BITS + 1) * height).astype(int)
    for bit in range(BITS):
        picture[edges[bit] : edges[bit + 1]] = 255 if number >> bit & 1 else 0
    return picture


def number_in(picture: np.ndarray) -> int:
    """Read the number off a frame that was resized and cropped as r3d_18's are."""
    size = len(picture)
    centres = np.linspace(FIRST, LAST, 2 * BITS + 1)[1::2]
    lines = np.round((centres * 128 - 8) / 112 * size - 0.5).astype(int)
    return sum(int(picture[line].mean() > 128) << bit for bit, line in enumerate(lines))


def write(
    path: Path,
    n_frames: int,
    *,
    rate: Fraction | int = 25,
    times: Sequence[float] | None = None,
    codec: str = "libx264",
    size: tuple[int, int] = (64, 64),
    gop: int = 10,
    options: dict[str, str] | None = None,
    draw: object = None,
) -> Path:
    """Write frames 0, 1, ... at `rate`, or at `times` in seconds."""
    with av.open(str(path), "w", options=options or {}) as output:
        stream = output.add_stream(codec, rate=Fraction(rate))
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        stream.gop_size = gop
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 10000)
        for number in range(n_frames):
            picture = draw(number) if callable(draw) else numbered(number, *size)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if times is not None:
                frame.pts = round(times[number] * 10000)
                frame.time_base = Fraction(1, 10000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path


def trimmed(source: Path, target: Path, start: float) -> Path:
    """Copy a video from `start` on as `ffmpeg -ss START -i SOURCE -c copy TARGET` does.

    Nothing is encoded anew, so that the copy begins with the key frame before `start`; an edit list
    hides what comes before it.
    """
    with av.open(str(source)) as given, av.open(str(target), "w") as output:
        stream = given.streams.video[0]
        copied = output.add_stream_from_template(stream)
        begin = round(start / stream.time_base)
        given.seek(begin, stream=stream)
        for packet in given.demux(stream):
            if packet.dts is not None:
                packet.pts -= begin
                packet.dts -= begin
                packet.stream = copied
                output.mux(packet)
    return target


def write_sound(path: Path) -> Path:
    """Write a file with a sound stream alone."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("aac", rate=8000, layout="mono")
        for start in range(0, 8000, 1024):
            silence = np.zeros((1, 1024), dtype=np.float32)
            frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 8000, start
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path
