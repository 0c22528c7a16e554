"""Expressiveness of the simulated clips: effects of subject, context, time and clip.

The expressiveness `e` of clip j of subject s in context c is

    e = mean_c + course_cj + u_s + u_sc + v_scj,

with `u_s ~ N(0, 0.50^2)` shared by the subject's contexts, `u_sc ~ N(0, 0.40^2)`,
and `v ~ N(0, sd_c^2)` such that its variance within a context is 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.core.streams import generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLIP_SECONDS = 3
# Segments of the bp4d_plus schedule: starts in seconds, negative from the end.
CLIP_STARTS: dict[str, tuple[int, ...]] = {
    "startle": (3, 6, 9, 12, 15),
    "pain": (0, 3, 6, -12, -9, -6, -3),
    "disgust": (3, 6, 9, 12),
}
CONTEXTS = tuple(CLIP_STARTS)

MEAN = {"startle": 0.30, "pain": -0.30, "disgust": 0.20}
# Startle peaks after the noise, pain rises, disgust fades once the smell is gone.
COURSE: dict[str, tuple[float, ...]] = {
    "startle": (-0.35, 0.75, 0.25, -0.20, -0.45),
    "pain": (-0.50, -0.40, -0.20, 0.10, 0.30, 0.40, 0.30),
    "disgust": (0.10, 0.45, 0.05, -0.60),
}
SUBJECT_SD = 0.50
SUBJECT_CONTEXT_SD = 0.40

# Streams of the generator: one per purpose and subject, so that a study of 40
# subjects is the beginning of a study of 80 with the same seed.
CLIPS_STREAM = 1 << 40
RATINGS_STREAM = 2 << 40
RATERS_STREAM = 3 << 40
AMOUNTS_STREAM = 4 << 40
RECORDINGS_STREAM = 5 << 40


def clip_sd(context: str) -> float:
    """Return the standard deviation of the clip effect, so that all variances add up to 1."""
    course = np.array(COURSE[context])
    rest = 1 - SUBJECT_SD**2 - SUBJECT_CONTEXT_SD**2 - np.mean((course - course.mean()) ** 2)
    return float(np.sqrt(rest))


@dataclass(frozen=True, slots=True)
class SimulatedSubject:
    """The expressiveness of one subject's clips.

    Attributes
    ----------
    label : str
        For example ``"S001"``.
    expressiveness : dict of str to ndarray
        Per context, one value per clip in the order of the schedule.
    """

    label: str
    expressiveness: dict[str, NDArray[np.float64]]


def subject_label(index: int) -> str:
    """Return the label of a subject, counted from 0: "S001" for the first."""
    return f"S{index + 1:03d}"


def simulated_subject(seed: int, index: int) -> SimulatedSubject:
    """Draw the clips of subject `index` (counted from 0)."""
    random = generator(seed, CLIPS_STREAM + index)
    subject = SUBJECT_SD * random.standard_normal()
    expressiveness = {}
    for context in CONTEXTS:
        course = np.array(COURSE[context])
        level = MEAN[context] + subject + SUBJECT_CONTEXT_SD * random.standard_normal()
        clips = clip_sd(context) * random.standard_normal(len(course))
        expressiveness[context] = level + course + clips
    return SimulatedSubject(subject_label(index), expressiveness)
