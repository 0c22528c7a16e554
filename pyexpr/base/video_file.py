"""Video files: presentation times, single frames as pixels, and writing.

The only module that imports PyAV.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.addresses import refuse_remote
from pyexpr.base.contents import refuse_irregular_input
from pyexpr.base.errors import DeepNotInstalledError, VideoError
from pyexpr.base.files import whole_file

# A container may round times to its own tick, at the coarsest (Matroska) a millisecond.
_COARSEST_ROUNDING = 0.0005
_ROUNDING = 1e-6
# A file counts as cut if more than this share of the frames in its header are missing.
_MISSING = 0.01


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise DeepNotInstalledError(
            f"video needs PyAV, which cannot be loaded ({error}); run: "
            "pip install 'pyexpr-stats[deep]'"
        ) from None
    return av


@dataclass(frozen=True, slots=True, eq=False)
class VideoIndex:
    """Every frame of a video by its presentation time.

    Attributes
    ----------
    path : str
    width, height : int
        Pixels, as stored.
    times : (n,) float64
        Seconds from the first frame's to each frame's presentation, increasing.
    stamps : (n,) int64
        The same in the container's own ticks.
    keys : (n,) bool
        Whether decoding can start at the frame; the first counts, since it can start at the
        beginning of the file.
    seconds : float
        When the last frame ends.
    tolerance : float
        Seconds by which the container may have rounded a time.
    promised : float
        Seconds that the header states; `seconds` if it states nothing.
    stamped : bool
        False if the container (AVI) says when to decode a frame, not when to show it:
        its frames are known by counting alone.
    """

    path: str
    width: int
    height: int
    times: NDArray[np.float64]
    stamps: NDArray[np.int64]
    keys: NDArray[np.bool_]
    seconds: float
    tolerance: float
    promised: float
    stamped: bool

    def __len__(self) -> int:
        return len(self.times)

    @property
    def fps(self) -> float:
        """Return the mean number of frames per second."""
        return len(self.times) / self.seconds

    @property
    def is_variable(self) -> bool:
        """Return whether frames are shown for different lengths of time."""
        steps = np.diff(self.times)
        return bool(len(steps) and np.ptp(steps) > 2 * self.tolerance + 0.02 * np.median(steps))

    @property
    def is_cut(self) -> bool:
        """Return whether frames are missing that the header promises."""
        spare = max(2 / self.fps, _MISSING * self.promised)
        return self.promised - self.seconds > spare


def index_video(path: Path | str) -> VideoIndex:
    """Read when each frame of a video is shown, without decoding any.

    Raises `VideoError` if the file is absent, empty, not a video, an image, truncated before its
    index, without a video stream, or without frames.
    """
    with _opened(path) as container:
        _refuse_image(container, path)
        stream = _video_stream(container, path)
        packets, hidden, stamped = _packets(container, stream)
        if not packets:
            raise VideoError(
                f"{str(path)!r} has no frames: the file is cut or damaged; copy it anew"
            )
        tick = float(stream.time_base)
        found = np.array(sorted(packets), dtype=np.int64)
        # Some encoders give two fields of a frame one time.
        found = found[np.append(True, np.diff(found[:, 0]) > 0)]
        times = (found[:, 0] - found[0, 0]) * tick
        last = float(found[-1, 2]) * tick
        if last <= 0:
            last = float(np.median(np.diff(times))) if len(times) > 1 else 1 / 25
        seconds = float(times[-1]) + last
        keys = found[:, 1].astype(np.bool_)
        # In a trimmed file the key frame on which the first shown frame depends is hidden before
        # it.
        keys[0] = True
        return VideoIndex(
            path=str(path),
            width=stream.codec_context.width,
            height=stream.codec_context.height,
            times=times,
            stamps=found[:, 0],
            keys=keys,
            seconds=seconds,
            tolerance=min(tick / 2, _COARSEST_ROUNDING) + _ROUNDING,
            promised=_promised(container, stream, seconds, len(times), hidden),
            stamped=stamped,
        )


def _promised(container: Any, stream: Any, seconds: float, n_frames: int, hidden: int) -> float:
    """Return the length that the header claims for the frames shown; `hidden` ones are counted."""
    if stream.frames:
        return float(stream.frames - hidden) / n_frames * seconds
    if stream.duration:
        return float(stream.duration * stream.time_base)
    # The container lasts as long as its longest stream, which may be the sound.
    alone = len(container.streams) == 1
    return float(container.duration) / 1e6 if alone and container.duration else seconds


def _packets(container: Any, stream: Any) -> tuple[list[tuple[int, bool, int]], int, bool]:
    """Return packets of frames that are shown, the number of hidden ones, and the kind of stamps.

    A packet is its stamp, whether it is a key, and its duration; the last value says whether the
    stamps are of presentation. A file that was trimmed without encoding it again begins with the
    key frame before the cut, and its edit list says that frames before the cut are decoded but not
    shown.
    """
    av = _av()
    # AVI has no time of presentation; FFmpeg invents one, which is wrong if frames are reordered.
    packets, hidden, stamped = [], 0, container.format.name != "avi"
    try:
        for packet in container.demux(stream):
            stamp = packet.dts if packet.pts is None else packet.pts
            if stamp is None or not packet.size:
                continue
            if packet.is_discard:
                hidden += 1
                continue
            stamped = stamped and packet.pts is not None
            packets.append((stamp, bool(packet.is_keyframe), packet.duration or 0))
    except av.error.FFmpegError:
        # Frames before the damage are used; `is_cut` says that there should be more.
        pass
    return packets, hidden, stamped


def decode_frames(
    index: VideoIndex, wanted: Sequence[int]
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield (number, pixels) of the frames `wanted` by number, each once, in increasing order.

    Pixels are (height, width, 3) RGB, turned upright if the file says so. Frames
    that cannot be decoded are left out.
    """
    missing = sorted(set(wanted))
    # If a container cannot seek well, frames are lost; from the beginning all are found.
    for seeking in (True, False) if index.stamped else (False,):
        found: set[int] = set()
        for number, pixels in _decoded(index, missing, seeking=seeking):
            found.add(number)
            yield number, pixels
        missing = [number for number in missing if number not in found]
        if not missing or index.keys[: missing[-1] + 1].sum() <= 1:
            return


def decode_all(index: VideoIndex) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield (number, pixels) of every frame that can be decoded, in one pass from the beginning.

    Pixels are like those of `decode_frames`.
    """
    return _decoded(index, range(len(index)), seeking=False)


def _decoded(
    index: VideoIndex, wanted: Sequence[int], *, seeking: bool
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    numbers = {int(index.stamps[number]): number for number in wanted}
    keys = np.flatnonzero(index.keys)
    with _opened(index.path) as container:
        stream = _video_stream(container, index.path)
        stream.codec_context.thread_count = 1
        for block in _blocks(wanted, keys) if seeking else [list(wanted)]:
            start = keys[np.searchsorted(keys, block[0], side="right") - 1] if seeking else 0
            if seeking and start > 0:
                container.seek(int(index.stamps[start]), stream=stream)
            left = set(block)
            for count, frame in enumerate(_frames(container, stream)):
                number = numbers.get(frame.pts) if index.stamped else count
                if number in left:
                    left.remove(number)
                    if not frame.is_corrupt:
                        yield number, _pixels(frame)
                if not left or (index.stamped and (frame.pts or 0) > index.stamps[block[-1]]):
                    break


def _blocks(wanted: Sequence[int], keys: NDArray[np.int64]) -> Iterator[list[int]]:
    """Divide frames into runs that are best decoded without a jump."""
    block: list[int] = []
    for number in wanted:
        jump = keys[np.searchsorted(keys, number, side="right") - 1] if len(keys) else 0
        if block and jump > block[-1] + 1:
            yield block
            block = []
        block.append(number)
    if block:
        yield block


def _frames(container: Any, stream: Any) -> Iterator[Any]:
    """Yield the frames that can be decoded from here on; damaged packets are skipped."""
    av = _av()
    try:
        for packet in container.demux(stream):
            try:
                yield from packet.decode()
            except av.error.InvalidDataError:
                continue
    except av.error.FFmpegError:
        return


def _pixels(frame: Any) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = frame.to_ndarray(format="rgb24")
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return pixels
    # x' = a x + c y, y' = b x + d y; a camera's are quarter turns, mirrored or not.
    a, b, _, c, d = np.frombuffer(bytes(matrix), dtype="=i4")[:5].tolist()
    lies = abs(b) > abs(a)
    across, down = (c, b) if lies else (a, d)
    if lies:
        pixels = pixels.swapaxes(0, 1)
    return np.ascontiguousarray(pixels[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1])


def _opened(path: Path | str) -> Any:
    refuse_remote(path, "videos are not read from a network, since a frame may be anywhere in them")
    av = _av()
    name = str(path)
    try:
        refuse_irregular_input(path)
    except FileNotFoundError:
        raise VideoError(f"there is no video {name!r}") from None
    except IsADirectoryError:
        raise VideoError(f"{name!r} is a folder; name the video in it") from None
    except OSError as error:
        raise VideoError(f"{name!r} cannot be read: {error.strerror}") from None
    if Path(path).stat().st_size == 0:
        raise VideoError(f"{name!r} is empty: its copy was not finished; copy it anew")
    try:
        return av.open(name)
    except av.error.InvalidDataError:
        raise VideoError(
            f"{name!r} is not a video, or is cut before its index is complete; copy it anew"
        ) from None
    except (av.error.FFmpegError, PermissionError) as error:
        raise VideoError(f"{name!r} cannot be read: {error.strerror}") from None


def _refuse_image(container: Any, path: Path | str) -> None:
    # FFmpeg treats an image as a video of one frame.
    if container.format.name == "image2" or container.format.name.endswith("_pipe"):
        raise VideoError(f"{str(path)!r} is an image, not a video; name the video")


def _video_stream(container: Any, path: Path | str) -> Any:
    if not container.streams.video:
        kinds = sorted({stream.type for stream in container.streams})
        raise VideoError(f"{str(path)!r} has no video stream, only {', '.join(kinds) or 'nothing'}")
    return container.streams.video[0]


def write_video(
    path: Path | str, frames: Iterable[NDArray[np.uint8]], *, fps: int, quality: int = 18
) -> None:
    """Write RGB frames (height, width, 3; even sizes) as H.264, whole or not at all.

    The bytes depend only on the frames and the versions of PyAV and FFmpeg.
    `quality` is x264's constant rate factor: lower is better and larger.
    """
    av = _av()
    pictures = iter(frames)
    first = next(pictures, None)
    if first is None:
        raise VideoError(f"there are no frames to write to {str(path)!r}")
    quiet = {"fflags": "+bitexact"}
    with (
        whole_file(path) as temporary,
        av.open(str(temporary), "w", format="mp4", options=quiet) as output,
    ):
        stream = output.add_stream("libx264", rate=Fraction(fps))
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = "yuv420p"
        # One thread: with several, the bytes may depend on their number.
        stream.options = {"crf": str(quality), "preset": "veryfast", "threads": "1"}
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        for pixels in chain([first], pictures):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        output.mux(stream.encode())
