"""Simulated ratings: three questions per clip, six raters each, 0 to 4.

Rater r's impression of clip i for question q is

    x = scale_r (e_i + specific_q w_iq + bias_r + halo_c h_ir + noise_r noise_cq g_irq),

all of w, h, g standard normal; the score is the number of thresholds below x.
`h` is shared by the three answers of a rater: it makes raters disagree (the ICC)
without making the questions disagree (the loadings).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.core.streams import generator
from pyexpr.simulation.clips import (
    CONTEXTS,
    RATERS_STREAM,
    RATINGS_STREAM,
    SimulatedSubject,
    simulated_subject,
)

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

QUESTIONS = ("response", "emotion", "motion")
RATERS_PER_CLIP = 6
POOL = 60

BIAS_SD = 0.35
LOG_SCALE_SD = 0.10
LOG_NOISE_SD = 0.20
# The same for all contexts; motion is answered a little more sparingly.
THRESHOLDS: dict[str, tuple[float, ...]] = {
    "response": (-1.20, 0.00, 1.20, 2.40),
    "emotion": (-1.15, 0.10, 1.25, 2.40),
    "motion": (-1.00, 0.20, 1.40, 2.60),
}


@dataclass(frozen=True, slots=True)
class RatingParameters:
    """Spreads of one context's impressions, in units of expressiveness (its SD is 1).

    Attributes
    ----------
    halo : float
        SD of a rater's impression of a clip, shared by the three questions.
    specific : tuple of float
        SD, per question, of what all raters see in a clip besides expressiveness.
    noise : tuple of float
        SD, per question, of the error of a single answer.
    """

    halo: float
    specific: tuple[float, float, float]
    noise: tuple[float, float, float]


RATING_PARAMETERS: dict[str, RatingParameters] = {
    "startle": RatingParameters(0.84, (0.05, 0.19, 0.28), (0.36, 0.30, 0.35)),
    "pain": RatingParameters(0.83, (0.05, 0.17, 0.50), (0.34, 0.48, 0.85)),
    "disgust": RatingParameters(0.65, (0.05, 0.05, 0.40), (0.35, 0.35, 0.61)),
}


@dataclass(frozen=True, slots=True)
class Raters:
    """The pool of raters, with the bias of each."""

    labels: tuple[str, ...]
    bias: NDArray[np.float64]
    scale: NDArray[np.float64]
    noise: NDArray[np.float64]


def simulated_raters(seed: int) -> Raters:
    """Draw the pool of raters of a study."""
    random = generator(seed, RATERS_STREAM)
    return Raters(
        labels=tuple(f"w{number + 1:03d}" for number in range(POOL)),
        bias=BIAS_SD * random.standard_normal(POOL),
        scale=np.exp(LOG_SCALE_SD * random.standard_normal(POOL)),
        noise=np.exp(LOG_NOISE_SD * random.standard_normal(POOL)),
    )


def rate_clips(
    expressiveness: NDArray[np.float64],
    parameters: RatingParameters,
    raters: Raters,
    random: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Let six raters of the pool, a different set for each clip, answer the questions.

    Returns
    -------
    who : ndarray, shape (clips, 6)
        Positions in the pool, ascending.
    scores : ndarray, shape (clips, 6, 3)
        Whole numbers from 0 to 4.
    """
    clips = len(expressiveness)
    drawn = np.argsort(random.random((clips, POOL)), axis=1)[:, :RATERS_PER_CLIP]
    # Sorted, so that a rater's place among the clip's rows is their slot.
    who = np.sort(drawn, axis=1)
    specific = np.array(parameters.specific) * random.standard_normal((clips, 3))
    halo = parameters.halo * random.standard_normal((clips, RATERS_PER_CLIP))
    noise = np.array(parameters.noise) * random.standard_normal((clips, RATERS_PER_CLIP, 3))
    seen = (expressiveness[:, None] + specific)[:, None, :]
    leaning = (raters.bias[who] + halo)[:, :, None]
    impression = raters.scale[who][:, :, None] * (
        seen + leaning + raters.noise[who][:, :, None] * noise
    )
    thresholds = np.array([THRESHOLDS[question] for question in QUESTIONS])
    scores = np.sum(impression[..., None] > thresholds, axis=-1)
    return who.astype(np.int64), scores.astype(np.int64)


def subject_ratings(
    seed: int, index: int, subject: SimulatedSubject, raters: Raters
) -> list[tuple[str, str, str, str, str, int]]:
    """Return the rows (subject, context, clip, rater, question, score) of one subject."""
    random = generator(seed, RATINGS_STREAM + index)
    rows = []
    for context in CONTEXTS:
        who, scores = rate_clips(
            subject.expressiveness[context], RATING_PARAMETERS[context], raters, random
        )
        for clip, (people, answers) in enumerate(zip(who, scores.tolist(), strict=True)):
            rows += [
                (subject.label, context, str(clip + 1), raters.labels[person], question, score)
                for person, given in zip(people, answers, strict=True)
                for question, score in zip(QUESTIONS, given, strict=True)
            ]
    return rows


def simulate_ratings(*, subjects: int = 40, seed: int = 1) -> pd.DataFrame:
    """Return only the ratings of a simulated study, without recordings.

    Parameters
    ----------
    subjects : int
        Number of subjects; each has 5 startle, 7 pain and 4 disgust clips.
    seed : int
        The same seed gives the ratings that `simulate_study` writes.

    Returns
    -------
    DataFrame
        Columns subject, context, clip, rater, question, score; 288 rows per subject.

    Examples
    --------
    >>> simulate_ratings(subjects=2, seed=1).shape
    (576, 6)
    """
    import pandas as pd

    raters = simulated_raters(seed)
    rows = []
    for index in range(subjects):
        rows += subject_ratings(seed, index, simulated_subject(seed, index), raters)
    return pd.DataFrame(rows, columns=["subject", "context", "clip", "rater", "question", "score"])
