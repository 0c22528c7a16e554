"""Means over a clip of what other trackers give: scores and intensities, blendshapes, emotions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.behavior.features.options import SIGNAL_PREFIXES
from pyexpr.behavior.openface.recording import OpenFaceRecording
from pyexpr.behavior.schedules import Clip

if TYPE_CHECKING:
    import pandas as pd


def mean_units(recording: OpenFaceRecording) -> dict[str, str]:
    """Return the unit of each mean that a recording has; OpenFace's own has none."""
    return {
        f"{prefix}{name}": recording.unit(group)
        for group, prefix in SIGNAL_PREFIXES.items()
        for name in recording.names.get(group, ())
    }


def clip_means(recording: OpenFaceRecording, clip: Clip) -> dict[str, float]:
    r"""Return the mean over the known frames of a clip of each column; NaN where there is none.

    Parameters
    ----------
    recording : OpenFaceRecording
        Of another tracker than OpenFace: `recording.names` says what the columns are.
    clip : Clip
        Frames on the grid of this recording.

    Examples
    --------
    >>> import os, tempfile
    >>> from pyexpr.behavior.schedules import Clip
    >>> from pyexpr.behavior.tracks.reading import read_tracks
    >>> layout = os.path.join(tempfile.mkdtemp(), "jaw.toml")
    >>> with open(layout, "w") as file:
    ...     _ = file.write("time.column = 't'\n")
    ...     _ = file.write("blendshapes = { columns = ['jawOpen'], unit = '0 to 1' }\n")
    >>> table = {"t": [0.0, 0.1, 0.2, 0.3], "jawOpen": [0.2, 0.4, None, 0.6]}
    >>> means = clip_means(read_tracks(table, layout), Clip("task", "1", 0, 4))
    >>> {name: round(mean, 6) for name, mean in means.items()}
    {'blendshape_jawOpen': 0.4}
    """
    found: dict[str, float] = {}
    frames = slice(clip.start_frame, clip.stop_frame)
    for group, prefix in SIGNAL_PREFIXES.items():
        if group not in recording.groups:
            continue
        values = recording.groups[group][frames]
        known = np.isfinite(values)
        counts = known.sum(axis=0)
        sums = np.where(known, values, 0.0).sum(axis=0)
        with np.errstate(invalid="ignore"):
            means = sums / counts
        names = recording.names.get(group, ())
        found |= {f"{prefix}{name}": float(mean) for name, mean in zip(names, means, strict=False)}
    return found


def means_table(rows: list[dict[str, Any]], key: tuple[str, ...]) -> pd.DataFrame:
    """Return a row per clip, in their order: the key, and the means that any recording has."""
    import pandas as pd

    if not rows:
        # Text, so that an empty table is joined like a full one.
        return pd.DataFrame(columns=list(key), dtype="str")
    names = dict.fromkeys(name for row in rows for name in row if name not in key)
    return pd.DataFrame(rows, columns=[*key, *names])
