"""One recording: read, cut into clips, and everything that is computed about them."""

from __future__ import annotations

from pyexpr.base.errors import DataError, OpenFaceError, TracksError
from pyexpr.base.messages import message_of, say
from pyexpr.behavior.features.means import clip_means, mean_units
from pyexpr.behavior.features.mixed import Kind, image_size, with_units
from pyexpr.behavior.features.one_clip import clip_features
from pyexpr.behavior.features.options import FeatureOptions, landmark_group
from pyexpr.behavior.features.quality import clip_quality, recording_quality
from pyexpr.behavior.features.recording_rows import Job, Rows
from pyexpr.behavior.openface.recording import OpenFaceRecording
from pyexpr.behavior.tracks.groups import SHARE
from pyexpr.behavior.tracks.reading import read_recording

# Where pixels play no part.
_NO_SIZE = (float("nan"), float("nan"))


def extracted(job: Job) -> Rows:
    """Read one file, cut it, and compute everything about its clips.

    Raises
    ------
    DataError
        If it cannot be used; the message names the file. With ``job.skip`` a file that cannot be
        read is no error: its rows say why.
    """
    # An error in a file names the file; an error in one of its clips does not.
    try:
        found = read_recording(job.path, job.layout, **job.reading)
        recording = with_units(found, job.common)
        _check_anchors(recording, job.options)
    except OpenFaceError as error:
        if not job.skip:
            raise
        who = {"subject": job.subject, "context": job.context, "clip": "", "openface": job.path}
        return Rows([], [], None, [who | {"reason": message_of(error)}], job.path, "")
    try:
        return rows_of_recording(job, recording)
    except DataError as error:
        message = say("{path:label}: {error}", path=job.path, error=message_of(error))
        raise type(error)(message) from None


def rows_of_recording(job: Job, recording: OpenFaceRecording) -> Rows:
    """Return what a recording that was read gives to each table."""
    clips, dropped = job.schedule.cut(
        str(job.context), recording.n_frames, recording.fps, on_short=job.on_short
    )
    who = {"subject": job.subject, "context": job.context}
    size = image_size(recording)
    table = [
        who
        | {
            "clip": clip.label,
            "openface": job.path,
            "start": clip.start_frame / recording.fps,
            "end": clip.stop_frame / recording.fps,
        }
        | clip_features(recording, clip, job.options)
        for clip in clips
    ]
    return Rows(
        table=table,
        quality=[clip_quality(recording, clip) | who for clip in clips],
        recording=who
        | recording_quality(recording)
        | dict(zip(("image_width", "image_height"), size, strict=True))
        | {"layout": recording.layout, "points_unit": _points_unit(recording, job.options)}
        | {"n_clips": len(clips), "n_dropped": len(dropped)},
        dropped=[
            who | {"clip": item.label, "openface": job.path, "reason": item.reason}
            for item in dropped
        ],
        path=job.path,
        sha256=recording.sha256,
        kind=Kind.of(
            recording,
            size if job.options.landmarks == "2d" else _NO_SIZE,
            landmark_group(job.options),
        ),
        means=[who | {"clip": clip.label} | clip_means(recording, clip) for clip in clips]
        if recording.names
        else [],
        group_units={**recording.units, **mean_units(recording)},
    )


def _check_anchors(recording: OpenFaceRecording, options: FeatureOptions) -> None:
    """Raise `TracksError` if a face cannot be aligned: no stable points, or axes of two units."""
    if options.landmarks != "normalised" or "landmarks_3d" not in recording.groups:
        return
    if recording.unit("landmarks_3d") == SHARE:
        raise TracksError(
            say(
                "{path:label}: {landmarks='normalised'} turns a face, which needs the same unit in "
                "all axes, but its points are shares of width and height; say in a layout of "
                "your own how large the images are (width and height under [image])",
                path=recording.path,
            )
        )
    if not (recording.stable and recording.outer):
        raise TracksError(
            say(
                "{path:label}: {landmarks='normalised'} aligns a face by its stable points, which "
                "the layout {layout!r} does not name (stable and outer_eyes under [points])",
                path=recording.path,
                layout=recording.layout,
            )
        )


def _points_unit(recording: OpenFaceRecording, options: FeatureOptions) -> str:
    """Return the unit of the landmarks that features are computed from, "" if there are none."""
    group = landmark_group(options)
    return recording.unit(group) if group in recording.groups else ""
