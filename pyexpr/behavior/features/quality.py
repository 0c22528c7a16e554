"""How much of a recording, or of a clip, can be used: one row each, in frames."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pyexpr.base.errors import DataError
from pyexpr.base.messages import joined, say
from pyexpr.behavior.openface.recording import OpenFaceRecording
from pyexpr.behavior.schedules import Clip
from pyexpr.core.clip_features import count_frames

#: The columns of `clip_quality` that say how well a clip could be tracked, whatever its length.
QUALITY: Final = ("share_valid", "mean_confidence")


def recording_quality(recording: OpenFaceRecording) -> dict[str, Any]:
    """Describe a recording in one table row.

    Parameters
    ----------
    recording : OpenFaceRecording

    Returns
    -------
    dict
        ``openface`` (path), ``fps``, ``fps_source``; in frames:
        ``frames_expected`` (from the first to the last number), ``frames_present``
        (a row in the file), ``frames_valid``, ``frames_missing`` (no row),
        ``frames_failed`` (a row, not valid), ``longest_gap`` (longest run of
        frames that are not valid); ``share_valid`` (of the expected);
        ``mean_confidence`` (over the frames present; NaN if the file has none);
        in rows of the file: ``rows_read``, ``rows_cut``, ``rows_overlong``,
        ``rows_doubled``, ``rows_other_face``; ``faces``; ``values_missing``
        (no number in a valid frame); ``frames_implausible`` (valid, but in some group
        missing because no head moves so), ``jumps`` (impossible steps between longer
        stretches: a cut, or another person's face), ``ids_joined``; ``notes`` (joined
        by "; ").
    """
    log = recording.log
    return {
        "openface": recording.path,
        "fps": recording.fps,
        "fps_source": recording.fps_source,
        **_counts(recording, 0, recording.n_frames),
        "rows_read": log.rows_read,
        "rows_cut": log.rows_cut,
        "rows_overlong": log.rows_overlong,
        "rows_doubled": log.rows_doubled,
        "rows_other_face": log.rows_other_face,
        "faces": log.faces,
        "values_missing": log.values_missing,
        "frames_implausible": log.frames_implausible,
        "jumps": log.jumps,
        "ids_joined": log.ids_joined,
        "notes": joined(log.notes),
    }


def clip_quality(recording: OpenFaceRecording, clip: Clip) -> dict[str, Any]:
    """Describe one clip of a recording in one table row.

    Parameters
    ----------
    recording : OpenFaceRecording
    clip : Clip
        Frames on the grid of this recording.

    Returns
    -------
    dict
        ``context``, ``clip`` (the label), ``start``, ``end`` (s, of the recording),
        and of this clip ``frames_expected`` to ``mean_confidence``,
        ``rows_doubled``, ``rows_other_face``, ``frames_implausible`` and ``jumps`` as in
        `recording_quality`. A cut row belongs to no frame for certain: its frame is
        among those missing.

    Raises
    ------
    DataError
        If the clip does not lie within the recording.
    """
    if not 0 <= clip.start_frame < clip.stop_frame <= recording.n_frames:
        raise DataError(
            say(
                "clip {label!r} spans frames {start_frame} to {stop_frame}, but {path!r} "
                "has {n_frames}; cut the schedule for this recording",
                label=clip.label,
                start_frame=clip.start_frame,
                stop_frame=clip.stop_frame,
                path=recording.path,
                n_frames=recording.n_frames,
            )
        )
    return {
        "context": clip.context,
        "clip": clip.label,
        "start": clip.start_frame / recording.fps,
        "end": clip.stop_frame / recording.fps,
        **_counts(recording, clip.start_frame, clip.stop_frame),
        "rows_doubled": _within(recording.doubled_frames, clip),
        "rows_other_face": _within(recording.other_face_frames, clip),
        "frames_implausible": _within(recording.implausible_frames, clip),
        "jumps": len(jumps_within(recording, clip)),
    }


_NO_FRAMES = np.zeros(0, dtype=np.int64)


def jumps_within(recording: OpenFaceRecording, clip: Clip) -> NDArray[np.int64]:
    """Return the frames of a clip at which some group jumps from the frame before, sorted.

    A jump at the first frame is from outside of the clip.
    """
    if not recording.jumps:
        return _NO_FRAMES
    found = list(recording.jumps.values())
    frames = np.unique(np.concatenate(found))
    return frames[(frames > clip.start_frame) & (frames < clip.stop_frame)]


def _within(frames: NDArray[np.int64], clip: Clip) -> int:
    """Count the frames of a sorted list that lie in a clip."""
    if not len(frames):
        return 0
    low, high = np.searchsorted(frames, (clip.start_frame, clip.stop_frame))
    return int(high - low)


def _counts(recording: OpenFaceRecording, start: int, stop: int) -> dict[str, Any]:
    found = count_frames(
        recording.present[start:stop], recording.valid[start:stop], recording.confidence[start:stop]
    )
    expected = stop - start
    return {
        "frames_expected": expected,
        "frames_present": found.n_present,
        "frames_valid": found.n_valid,
        "frames_missing": expected - found.n_present,
        "frames_failed": found.n_failed,
        "longest_gap": found.longest_gap,
        "share_valid": found.n_valid / expected if expected else float("nan"),
        "mean_confidence": found.mean_confidence,
    }
