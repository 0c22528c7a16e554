"""Simulated studies of classes: few, unequal and large samples of subjects, and a rare class.

A latent score of a clip is its subject's plus its own; the clip is positive where that is above
a threshold. Model a and c see it with noise of the same size, each with a bias of its own by
subject; b with more. What they predict is the probability of the positive class given what they
see, as a well calibrated model would. For Spearman's correlation the truth is an ordered score
of five steps that is cut from the same latent score.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

# Standard deviations: of subjects' latent scores (clips have 1), of models' errors by clip and by
# subject.
SUBJECT = 0.8
NOISE = {"a": (1.2, 0.4), "c": (1.2, 0.4), "b": (2.2, 0.8)}
LATENT = np.sqrt(1 + SUBJECT**2)
STEPS = LATENT * ndtri([0.3, 0.55, 0.75, 0.9])


@dataclass(frozen=True)
class Design:
    """How many subjects with how many clips each (from, to), and the share of the positive class.

    Numbers of clips are drawn evenly on a logarithmic scale.
    """

    name: str
    n_subjects: int
    clips: tuple[int, int]
    share: float


DESIGNS = tuple(
    Design(
        f"{G} subjects of {low}{'' if low == high else f'-{high}'} clips, {share:.0%} positive",
        G, (low, high), share,
    )
    for G in (12, 30, 60)
    for (low, high), share in (
        ((10, 10), 0.5), ((10, 10), 0.1), ((2, 60), 0.5), ((2, 60), 0.1),
    )
)  # fmt: skip


def study(design: Design, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw one study: subject, class `y`, score `score`, probabilities of a, b and c."""
    low, high = design.clips
    G = design.n_subjects
    sizes = np.rint(np.exp(rng.uniform(np.log(low), np.log(high), size=G))).astype(int)
    subject = np.repeat(np.arange(G), sizes)
    n = len(subject)
    latent = SUBJECT * rng.normal(size=G)[subject] + rng.normal(size=n)
    cut = LATENT * ndtri(1 - design.share)
    columns = {
        "subject": subject,
        "y": (latent > cut).astype(int),
        "score": np.searchsorted(STEPS, latent).astype(float),
    }
    for name, (by_clip, by_subject) in NOISE.items():
        seen = latent + by_clip * rng.normal(size=n) + by_subject * rng.normal(size=G)[subject]
        # What is seen tells the latent score but for a part of its variance.
        error = by_clip**2 + by_subject**2
        weight = LATENT**2 / (LATENT**2 + error)
        columns[name] = ndtr((weight * seen - cut) / np.sqrt(weight * error))
    return columns
