"""Clips of videos, against videos whose frames bear their number."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
from behavior.video_files import NTSC_FILM, number_in, numbered, trimmed, write, write_sound

from pyexpr.base.errors import ColumnError, DataError, OpenFaceError, StudyError, VideoError
from pyexpr.base.video_file import VideoIndex, decode_frames, index_video, write_video
from pyexpr.behavior.schedules import Schedule, Segment
from pyexpr.behavior.video import decoding as video_decoding
from pyexpr.behavior.video.clips import VideoClips
from pyexpr.behavior.video.sampling import MISSING, sampled_frames
from pyexpr.behavior.video.video import describe_video, read_video_clips

N = 150
# Seconds between frames that no rate gives.
STEPS = 0.02 + 0.03 * (np.arange(N) % 7) / 6
VARIABLE = np.cumsum(STEPS) - STEPS[0]


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("videos")
    return {
        "25": write(folder / "pal.mp4", N),
        "23.976": write(folder / "film.mp4", N, rate=NTSC_FILM),
        "mkv": write(folder / "film.mkv", N, rate=NTSC_FILM),
        "variable": write(folder / "phone.mp4", N, times=(0.4 + VARIABLE).tolist()),
        "avi": write(folder / "old.avi", N),
    }


# The true times of presentation, from the first frame's.
TIMES = {
    "25": np.arange(N) / 25,
    "avi": np.arange(N) / 25,
    "23.976": np.arange(N) * 1001 / 24000,
    # Matroska keeps milliseconds.
    "mkv": np.round(np.arange(N) * 1001 / 24000, 3),
    "variable": VARIABLE,
}


def read(tmp_path: Path, *clips: tuple[object, object, object], **options: object) -> VideoClips:
    table = pd.DataFrame(clips, columns=["video", "start", "end"])
    settings = {"frames": 16, "size": 32, "cache_dir": tmp_path / "cache", "n_jobs": 1, **options}
    return read_video_clips(table, progress=False, **settings)


def on_show(times: np.ndarray, seconds: float, start: float, end: float, n: int) -> list[int]:
    """Which frame is shown at each sampled moment: frame by frame, the obvious way."""
    origin = seconds if start < 0 else 0.0
    own = [k for k, time in enumerate(times) if origin + start <= time + 1e-4 < origin + end]
    found = []
    for j in range(n):
        moment = origin + start + j * (end - start) / n
        before = [k for k in own if times[k] <= moment + 1e-4]
        found.append(before[-1] if before else own[0])
    return found


@pytest.mark.parametrize("kind", TIMES)
@pytest.mark.parametrize("span", [(0, 3), (0.5, 3.5), (1.7, 4.03), (-3, 0), (-2.5, -1)])
def test_the_frame_on_show_is_taken(
    videos: dict[str, Path], tmp_path: Path, kind: str, span: tuple[float, float]
) -> None:
    clips = read(tmp_path, (videos[kind], *span))
    seconds = index_video(videos[kind]).seconds
    expected = on_show(TIMES[kind], seconds, *span, 16)
    assert clips.numbers(0).tolist() == expected
    assert [number_in(frame) for frame in clips[0]] == expected
    assert clips.table["n_missing"].tolist() == [0]


@pytest.mark.parametrize("fps", [25.0, 24000 / 1001, 30.0, 59.94])
def test_at_a_constant_rate_it_is_torchvisions_resampling(fps: float) -> None:
    # torchvision.datasets.video_utils.VideoClips: floor of multiples of the step
    from torchvision.datasets import video_utils

    times = np.arange(300) / fps
    index = VideoIndex(
        "x", 1, 1, times, np.arange(300), np.ones(300, bool), 300 / fps, 1e-6, 300 / fps, True
    )
    for n, seconds in ((16, 3.0), (8, 3.0), (75, 3.0), (5, 1.0)):
        number = round(seconds * fps)
        span = number / fps
        resample = video_utils.VideoClips._resample_video_idx
        theirs = resample(num_frames=n, original_fps=fps, new_fps=n / span)
        theirs = np.arange(300)[theirs][:n] if isinstance(theirs, slice) else theirs.numpy()
        assert sampled_frames(index, 0.0, span, n).tolist() == theirs.tolist()


def test_rate_takes_the_middle_of_the_clip(videos: dict[str, Path], tmp_path: Path) -> None:
    clips = read(tmp_path, (videos["25"], 0, 3), frames=10, rate=12.5)
    # 10 / 12.5 = 0.8 s, from 1.1 to 1.9 s: frame 27 is on show at 1.1.
    assert clips.numbers(0).tolist() == list(range(27, 47, 2))
    with pytest.raises(DataError, match="take 8 s, but the clip lasts 3 s"):
        read(tmp_path, (videos["25"], 0, 3), frames=16, rate=2)


@pytest.mark.parametrize("kind", TIMES)
def test_clips_that_touch_share_no_frame(
    videos: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    path = videos[kind]
    edges = (0, 0.71, 1.3, 2, 3.17, 4)
    clips = read(tmp_path, *((path, *span) for span in pairwise(edges)))
    last = -1
    for clip in range(len(clips)):
        assert clips.numbers(clip)[0] > last
        last = clips.numbers(clip)[-1]


def test_more_samples_than_frames_repeat_them(videos: dict[str, Path], tmp_path: Path) -> None:
    clips = read(tmp_path, (videos["25"], 1, 1.2), frames=10)
    assert clips.numbers(0).tolist() == [25, 25, 26, 26, 27, 27, 28, 28, 29, 29]


@pytest.mark.parametrize("container", ["mp4", "mov"])
def test_a_trimmed_file_has_the_frames_that_ffmpeg_shows(tmp_path: Path, container: str) -> None:
    """Phones, and cutters that encode nothing anew, hide what comes before the cut."""
    whole = write(tmp_path / "whole.mp4", N, gop=40)
    # Between two key frames, so that 13 frames or more are hidden.
    path = trimmed(whole, tmp_path / f"trimmed.{container}", 53 / 25)
    with av.open(str(path)) as opened:
        shown = [frame.time for frame in opened.decode(video=0)]
    index = index_video(path)
    assert len(shown) < frames_in_header(path)
    np.testing.assert_allclose(index.times, shown, atol=1e-9)
    assert not index.is_cut
    decoded = dict(decode_frames(index, range(len(index))))
    first = number_in(decoded[0])
    assert [number_in(decoded[number]) for number in range(len(shown))] == list(
        range(first, first + len(shown))
    )
    assert first + len(shown) == N
    clips = read(tmp_path, (path, 0, 2))
    assert not (clips.numbers(0) == MISSING).any()


def frames_in_header(path: Path) -> int:
    """Return how many frames the header counts, the hidden ones among them."""
    with av.open(str(path)) as opened:
        return int(opened.streams.video[0].frames)


def test_missing_frames_are_black_and_counted(tmp_path: Path) -> None:
    # 1 s at 25 per second, a hole of 2 s, 1 s more.
    times = np.concatenate([np.arange(25) / 25, 3 + np.arange(25) / 25])
    path = write(tmp_path / "hole.mp4", 50, times=times.tolist())
    clips = read(tmp_path, (path, 0, 4), (path, 3, 6), frames=8)
    # Frame 24 (0.96 s) stands until 1.46 s; 1.5, 2 and 2.5 s have none.
    assert clips.numbers(0).tolist() == [0, 12, 24, MISSING, MISSING, MISSING, 25, 37]
    assert clips.table["n_missing"].tolist() == [3, 5]
    assert not clips[0][3:6].any()
    assert all(clips[0][frame].any() for frame in (0, 1, 2, 6, 7))
    assert clips.notes() == ("8 frames missing in 2 clips: black.",)
    assert "8 of 16 black" in clips.heading()


def test_a_damaged_frame_is_missing_or_shown_never_another(tmp_path: Path) -> None:
    path = write(tmp_path / "whole.mp4", 100, options={"movflags": "+faststart"})
    data = bytearray(path.read_bytes())
    middle = len(data) * 6 // 10
    data[middle : middle + 400] = os.urandom(400)
    path.write_bytes(data)
    clips = read(tmp_path, (path, 0, 4), frames=100)
    assert len(clips) == 1
    known = clips.numbers(0)
    assert (known[:20] == np.arange(20)).all()
    assert ((known == np.arange(100)) | (known == MISSING)).all()


def test_the_face_is_cut_out(tmp_path: Path) -> None:
    def draw(number: int) -> np.ndarray:
        picture = np.zeros((120, 160, 3), dtype=np.uint8)
        left = 40 + number // 2
        picture[40:80, left : left + 40] = 255
        return picture

    path = write(tmp_path / "moving.mp4", 75, size=(120, 160), draw=draw)
    corners = np.tile([[0, 0], [39, 0], [0, 39], [39, 39]], (17, 1))
    rows = []
    for frame in range(75):
        points = corners + np.array([40 + frame // 2, 40])
        lost = frame >= 50
        rows.append([frame + 1, frame / 25, 0 if lost else 0.98, int(not lost)])
        rows[-1] += (points * (0 if lost else 1)).T.reshape(-1).tolist()
    names = ["frame", "timestamp", "confidence", "success"]
    names += [f"{axis}_{i}" for axis in "xy" for i in range(68)]
    openface = tmp_path / "moving.csv"
    pd.DataFrame(rows, columns=names).to_csv(openface, index=False)
    table = pd.DataFrame([{"video": path, "openface": openface, "start": 0, "end": 3}])

    def cut(**options: object) -> VideoClips:
        return read_video_clips(
            table, frames=15, size=40, cache_dir=tmp_path, n_jobs=1, crop="face", **options
        )

    clips = cut(margin=0.5)
    # The square is 78 px wide, the face 40 of them: half of the crop, in its middle.
    for frame in clips[0][:9]:
        bright = frame[..., 0] > 128
        y, x = np.nonzero(bright)
        assert abs(x.mean() - 19.5) < 1
        assert abs(y.mean() - 19.5) < 1
        assert abs(bright.mean() - 0.25) < 0.03
    # Frame 50 is the first without a face; its box lasts 0.25 s longer.
    numbers = clips.numbers(0)
    assert numbers[:12].tolist() == list(range(0, 60, 5))
    assert (numbers[12:] == MISSING).all()
    assert clips.table["n_missing"].tolist() == [3]
    assert not clips[0][12:].any()
    assert (cut(margin=0)[0][:9] > 128).mean() > 0.9

    small = write(tmp_path / "small.mp4", 75, size=(32, 32))
    table = table.assign(video=small)
    with pytest.raises(OpenFaceError, match="give the OpenFace file of this very video"):
        cut()
    lost = pd.DataFrame(rows[50:], columns=names)
    lost.to_csv(openface, index=False)
    with pytest.raises(OpenFaceError, match="has no valid landmarks"):
        cut()
    table = table.drop(columns="openface")
    with pytest.raises(ColumnError, match="has no column 'openface'"):
        cut()


def test_the_cache_is_one_file_per_recording_and_options(
    videos: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = videos["25"]
    calls: list[tuple[object, ...]] = []
    real = video_decoding.decoded

    def counted(job: object, spans: object) -> object:
        calls.append(tuple(spans))
        return real(job, spans)

    monkeypatch.setattr(video_decoding, "decoded", counted)
    cache = tmp_path / "cache"
    first = read(tmp_path, (path, 0, 1), (path, 2, 3), (path, 0, 1))
    assert calls == [((0.0, 1.0), (2.0, 3.0))]
    assert (first[0] == first[2]).all()
    again = read(tmp_path, (path, 2, 3))
    assert len(calls) == 1
    assert (again[0] == first[1]).all()
    # Only what is lacking is decoded; what was read before stays readable.
    read(tmp_path, (path, 2, 3), (path, 3, 4))
    assert calls[1:] == [((3.0, 4.0),)]
    assert (first[1] == again[0]).all()
    assert len(list(cache.iterdir())) == 1
    read(tmp_path, (path, 2, 3), size=16)
    read(tmp_path, (videos["23.976"], 2, 3))
    files = sorted(cache.iterdir())
    assert len(files) == 3
    assert not any(file.name.startswith(".") for file in files)

    # Another content under the same name, and a damaged cache, are decoded anew.
    calls.clear()
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(path.read_bytes())
    read(tmp_path, (copy, 0, 1))
    copy.write_bytes(videos["23.976"].read_bytes())
    assert (read(tmp_path, (copy, 0, 1)).numbers(0)[:6] == [0, 1, 2, 4, 5, 7]).all()
    assert len(calls) == 2
    for file in files:
        data = file.read_bytes()
        file.write_bytes(data[: len(data) // 2])
    fresh = read(tmp_path, (path, 2, 3))
    assert len(calls) == 3
    # Made anew, the file has this clip alone: earlier results know theirs by its seconds.
    assert (fresh[0] == again[0]).all()
    with pytest.raises(VideoError, match="read them again"):
        first[0]


def test_stale_clips_are_refused(videos: dict[str, Path], tmp_path: Path) -> None:
    clips = read(tmp_path, (videos["25"], 0, 1))
    Path(clips.files[0]).unlink()
    with pytest.raises(VideoError, match="read them again"):
        clips[0]


def test_processes_give_the_same_clips(videos: dict[str, Path], tmp_path: Path) -> None:
    spans = [(path, start, start + 1) for path in videos.values() for start in (0, 2)]
    one = read(tmp_path, *spans)
    two = read(tmp_path, *spans, cache_dir=tmp_path / "other", n_jobs=2)
    assert (one.stack() == two.stack()).all()
    (tmp_path / "text.mp4").write_text("subject, context\n")
    with pytest.raises(VideoError, match="is not a video"):
        read(
            tmp_path, *spans, (tmp_path / "text.mp4", 0, 1), cache_dir=tmp_path / "third", n_jobs=2
        )


def test_an_interrupted_decoding_goes_on(
    videos: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = video_decoding.decoded, []

    def interrupted(job: object, spans: object) -> object:
        calls.append(job)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(job, spans)

    spans = [(videos[kind], 0, 1) for kind in ("25", "23.976", "variable")]
    monkeypatch.setattr(video_decoding, "decoded", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read(tmp_path, *spans)
    assert [file.suffix for file in (tmp_path / "cache").iterdir()] == [".clips"]
    clips = read(tmp_path, *spans)
    assert len(calls) == 4
    assert len(clips) == 3


# The matrix of a track's header, x' = a x + c y and y' = b x + d y, and by definition what the
# picture [[0, 1], [2, 3]] becomes: turned clockwise, mirrored, or both.
SHOWN = [
    ((1, 0, 0, 1), [[0, 1], [2, 3]]),
    ((0, 1, -1, 0), [[2, 0], [3, 1]]),
    ((-1, 0, 0, -1), [[3, 2], [1, 0]]),
    ((0, -1, 1, 0), [[1, 3], [0, 2]]),
    ((-1, 0, 0, 1), [[1, 0], [3, 2]]),
    ((1, 0, 0, -1), [[2, 3], [0, 1]]),
    ((0, 1, 1, 0), [[0, 2], [1, 3]]),
    ((0, -1, -1, 0), [[3, 1], [2, 0]]),
]


@pytest.mark.parametrize(("matrix", "shown"), SHOWN)
def test_frames_are_shown_as_the_header_says(
    matrix: tuple[int, ...], shown: list[list[int]], tmp_path: Path
) -> None:
    # A telephone held upright turns its picture so, one that shows its owner mirrors it.
    quarters = np.array([[0, 1], [2, 3]], dtype=np.uint8).repeat(16, axis=0).repeat(32, axis=1)

    def draw(_: int) -> np.ndarray:
        return np.stack([60 * quarters] * 3, axis=-1)

    path = write(tmp_path / "phone.mp4", 5, size=(32, 64), draw=draw)
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    a, b, c, d = (65536 * entry for entry in matrix)
    entries = np.array([a, b, 0, c, d, 0, 0, 0, 0x40000000], dtype=">i4")
    data[at : at + 36] = entries.tobytes()
    path.write_bytes(data)
    _, frame = next(decode_frames(index_video(path), [0]))
    height, width = frame.shape[:2]
    assert (height, width) == ((64, 32) if matrix[0] == 0 else (32, 64))
    middle = frame[height // 4 :: height // 2, width // 4 :: width // 2, 0]
    assert np.rint(middle / 60).tolist() == shown


def test_schedules_and_periods(videos: dict[str, Path], tmp_path: Path) -> None:
    recordings = pd.DataFrame(
        {"subject": ["a", "b"], "context": ["pain", "calm"], "video": [str(videos["25"])] * 2}
    )
    schedule = Schedule(
        {
            "pain": (
                Segment(0, 3, "1"),
                Segment(-3, 0, "2"),
                Segment(5, 8, "3"),
                Segment(2, 4, "4"),
            ),
            "calm": (Segment(1, 2, "x"),),
        }
    )
    options = {"frames": 4, "size": 16, "cache_dir": tmp_path, "n_jobs": 1}
    clips = read_video_clips(recordings, schedule=schedule, **options)
    assert clips.table[["subject", "context", "clip", "start", "end"]].values.tolist() == [
        ["a", "pain", "1", 0.0, 3.0],
        ["a", "pain", "2", 3.0, 6.0],
        ["b", "calm", "x", 1.0, 2.0],
    ]
    assert clips.numbers(1).tolist() == [75, 93, 112, 131]
    assert clips.dropped["reason"].tolist() == [
        "the recording is too short for [5, 8] s: it lasts 6 s",
        "[2, 4] s overlaps with clip '1' in this recording",
    ]
    assert clips.notes() == ("Of the schedule 2 clips are not taken: `dropped` says why.",)
    periods = read_video_clips(recordings, every=2, **options)
    assert periods.table["clip"].tolist() == ["1", "2", "3"] * 2
    with pytest.raises(StudyError, match="no context 'calm'"):
        read_video_clips(recordings, schedule=Schedule({"pain": (Segment(0, 3, "1"),)}), **options)
    with pytest.raises(DataError, match="not both"):
        read_video_clips(recordings, schedule=schedule, every=2, **options)


def test_describe_video(videos: dict[str, Path]) -> None:
    film = describe_video(videos["23.976"]).iloc[0]
    assert film[["width", "height", "frames", "variable", "cut"]].tolist() == [
        64, 64, N, False, False,
    ]  # fmt: skip
    assert film["fps"] == pytest.approx(float(NTSC_FILM), rel=1e-6)
    phone = describe_video(videos["variable"]).iloc[0]
    assert phone["variable"]
    assert phone["seconds"] == pytest.approx(VARIABLE[-1], abs=0.1)


def _cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    return path


BROKEN: dict[str, tuple[Callable[[Path], Path], str]] = {
    "absent": (lambda folder: folder / "a.mp4", r"there is no video '.*a.mp4'"),
    "folder": (lambda folder: folder, "is a folder; name the video in it"),
    "empty": (lambda folder: _touched(folder / "a.mp4"), "is empty: its copy was not finished"),
    "text": (lambda folder: _touched(folder / "a.mp4", "1,2\n"), "is not a video, or is cut"),
    "sound": (lambda folder: write_sound(folder / "a.m4a"), "has no video stream, only audio"),
    "no index": (lambda folder: _cut(write(folder / "a.mp4", 50), 0.5), "is cut before its index"),
    "half": (
        lambda folder: _cut(write(folder / "a.mp4", 100, options={"movflags": "+faststart"}), 0.5),
        r"seconds 2 to 3 of .* cannot be had: the file is cut, it ends after \S+ s but says it "
        r"lasts 4 s; copy it anew",
    ),
    "half mkv": (lambda folder: _cut(write(folder / "a.mkv", 100), 0.5), "the file is cut"),
    "short": (
        lambda folder: write(folder / "a.mp4", 25),
        "seconds 2 to 3 of .* lie outside of the recording, which lasts 1 s",
    ),
}


def _touched(path: Path, text: str = "") -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_videos_are_reported_in_one_sentence(tmp_path: Path, kind: str) -> None:
    make, message = BROKEN[kind]
    path = make(tmp_path)
    with pytest.raises(VideoError, match=message) as caught:
        read(tmp_path, (path, 2, 3))
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "cache").iterdir())


def test_what_a_cut_file_still_has_can_be_read(tmp_path: Path) -> None:
    path = _cut(write(tmp_path / "a.mp4", 100, options={"movflags": "+faststart"}), 0.8)
    clips = read(tmp_path, (path, 0, 1))
    assert clips.numbers(0).tolist() == [math.floor(j * 25 / 16) for j in range(16)]
    with pytest.raises(VideoError, match="the file is cut"):
        read(tmp_path, (path, -1, 0))


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        ((1, 1), r"the clip in row 1 runs from 1 to 1 seconds, but must end after its start"),
        ((2, 1), "must end after its start"),
        ((-1, 1), "count both from the same side"),
        ((math.nan, 1), "column 'start' of the table of clips is empty in row 1"),
        ((0, "end"), "column 'end' of the table of clips must be a number, but row 1 holds 'end'"),
        ((9, 10), "lie outside of the recording, which lasts 6 s"),
        ((-10, -9), "lie outside of the recording"),
    ],
)
def test_impossible_clips_are_refused(
    videos: dict[str, Path], tmp_path: Path, clip: tuple[object, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, (videos["25"], *clip))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames": 0}, "frames= must be a whole number of at least 1, not 0"),
        ({"size": 4}, "size= must be a whole number of at least 8, not 4"),
        ({"rate": -1}, "rate= must be a positive number"),
        ({"resize": "squash"}, "resize= must be 'torchvision' or 'aspect'"),
        ({"crop": "mouth"}, "crop= must be None or 'face', not 'mouth'"),
        ({"margin": -1}, "margin= must be between 0 and 2"),
        ({"n_jobs": 0}, "n_jobs= must be None or a whole number other than 0"),
    ],
)
def test_options_are_checked(
    videos: dict[str, Path], tmp_path: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, (videos["25"], 0, 1), **options)


def test_tables_are_checked(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the table of clips has no rows"):
        read(tmp_path)
    with pytest.raises(ColumnError, match="must be the path of a file, but row 1 is empty"):
        read(tmp_path, (math.nan, 0, 1))
    with pytest.raises(ColumnError, match="has no column 'video'; did you mean 'Video'"):
        read_video_clips(pd.DataFrame({"Video": ["a"], "start": [0], "end": [1]}))


def test_written_videos_are_the_same_bytes_and_frames(tmp_path: Path) -> None:
    frames = [numbered(number) for number in range(30)]
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name, iter(frames), fps=25)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    index = index_video(tmp_path / "a.mp4")
    assert (len(index), index.fps) == (30, 25.0)
    for number, pixels in decode_frames(index, range(30)):
        # Lossy, most so at the stripes' edges; on average 3 of 255 grey levels.
        assert np.abs(pixels.astype(int) - frames[number]).mean() < 5
    with pytest.raises(VideoError, match="there are no frames to write"):
        write_video(tmp_path / "c.mp4", [], fps=25)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


def test_time_bases_are_read_from_the_container(videos: dict[str, Path]) -> None:
    # What the tests rest on: the helper wrote the times it says.
    with av.open(str(videos["variable"])) as container:
        stream = container.streams.video[0]
        stamps = [float(frame.pts * stream.time_base) for frame in container.decode(stream)]
    assert np.diff(stamps) == pytest.approx(STEPS[1:], abs=2e-4)
    assert Fraction(24000, 1001) == NTSC_FILM
