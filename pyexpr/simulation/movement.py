"""Amounts and paths of movement of the simulated face, head and gaze in each clip.

Every amount of movement k in clip i of context c has a standard score

    z = rho_ck e* + sqrt(1 - rho_ck^2) n,    n = sqrt(0.3) n_subject + sqrt(0.7) n_clip,

with e* the clip's expressiveness less the context's mean; given e, amounts are
independent. `SCALES` turns z into millimetres, degrees, or numbers of action units.
A path is a smooth random walk of poses, played so that it advances by a chosen
length per 0.2 s: by D (1 + u s_t), s_t = +1, -1, +1, ... D (displacement) and u
(unevenness, hence velocity: how fast displacement changes) are separate amounts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.core.streams import generator
from pyexpr.simulation.clips import (
    AMOUNTS_STREAM,
    CLIP_SECONDS,
    CLIP_STARTS,
    CONTEXTS,
    MEAN,
    SimulatedSubject,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

FPS = 25
STEPS_PER_SECOND = 5
FRAMES_PER_STEP = FPS // STEPS_PER_SECOND
CLIP_STEPS = CLIP_SECONDS * STEPS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Scale:
    """Transformation of a standard score to an amount: centre exp(spread z), or centre + spread z.

    `shift` is added to z per context: contexts differ in movement more than their expressiveness
    implies. The amount is kept within [low, high].
    """

    centre: float
    spread: float
    shift: tuple[float, float, float]
    low: float
    high: float
    multiplicative: bool = True

    def amount(self, z: NDArray[np.float64], context: str) -> NDArray[np.float64]:
        """Return the amounts of standard scores in a context."""
        z = self.spread * (z + self.shift[CONTEXTS.index(context)])
        amount = self.centre * np.exp(z) if self.multiplicative else self.centre + z
        return np.clip(amount, self.low, self.high)


SCALES: dict[str, Scale] = {
    "face_displacement": Scale(1.2, 0.34, (0.4, -0.4, 0.0), 0.05, 5.0),  # mm per step
    "face_unevenness": Scale(0.42, 0.20, (0.3, 0.0, -0.3), 0.02, 0.95, False),
    "head_displacement": Scale(0.40, 0.34, (0.5, -0.3, -0.2), 0.02, 5.0),  # mm per step
    "head_unevenness": Scale(0.40, 0.18, (0.0, 0.0, 0.0), 0.02, 0.95, False),
    "pitch_displacement": Scale(0.25, 0.35, (0.3, 0.0, 0.0), 0.01, 3.0),  # degrees per step
    "yaw_displacement": Scale(0.25, 0.35, (0.0, 0.3, 0.0), 0.01, 3.0),
    "roll_displacement": Scale(0.15, 0.35, (0.0, 0.2, 0.0), 0.01, 3.0),
    "gaze_displacement": Scale(0.90, 0.35, (0.0, 0.3, -0.2), 0.02, 8.0),  # degrees per step
    "gaze_unevenness": Scale(0.40, 0.18, (0.0, 0.0, 0.0), 0.02, 0.95, False),
    "au_count": Scale(5.5, 1.7, (-0.5, 0.2, 0.3), 0.5, 16.0, False),  # units
    "au_intensity": Scale(1.5, 0.40, (-0.2, 0.3, -0.1), 0.3, 4.0, False),  # 0 to 5
}

# rho: correlation of an amount with expressiveness within the context; 0 where absent.
# The signs are those of the paper's notable weights.
SIGNAL: dict[str, dict[str, float]] = {
    "startle": {
        "face_displacement": 0.70,
        "face_unevenness": 0.28,
        "head_displacement": -0.48,
        "au_count": 0.58,
        "au_intensity": 0.20,
        "gaze_displacement": 0.10,
    },
    "pain": {
        "face_displacement": -0.20,
        "face_unevenness": -0.50,
        "au_count": 0.54,
        "au_intensity": 0.50,
        "pitch_displacement": 0.10,
    },
    "disgust": {
        "face_displacement": 0.65,
        "head_displacement": 0.55,
        "au_count": 0.70,
        "au_intensity": 0.64,
    },
}
SUBJECT_SHARE = 0.3


def clip_amounts(
    seed: int, index: int, subject: SimulatedSubject
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Draw the amounts of movement of one subject: context -> amount -> one value per clip."""
    random = generator(seed, AMOUNTS_STREAM + index)
    habits = dict(zip(SCALES, random.standard_normal(len(SCALES)), strict=True))
    amounts: dict[str, dict[str, NDArray[np.float64]]] = {}
    for context in CONTEXTS:
        felt = subject.expressiveness[context] - MEAN[context]
        amounts[context] = {}
        for name, scale in SCALES.items():
            rho = SIGNAL[context].get(name, 0.0)
            own = np.sqrt(SUBJECT_SHARE) * habits[name]
            own = own + np.sqrt(1 - SUBJECT_SHARE) * random.standard_normal(len(felt))
            amounts[context][name] = scale.amount(rho * felt + np.sqrt(1 - rho**2) * own, context)
    return amounts


def clip_start_steps(context: str, steps: int) -> list[int]:
    """Return the step at which each clip of a recording of `steps` 0.2 s steps starts."""
    starts = [start * STEPS_PER_SECOND for start in CLIP_STARTS[context]]
    return [start if start >= 0 else steps + start for start in starts]


def per_step(values: NDArray[np.float64], context: str, steps: int) -> NDArray[np.float64]:
    """Spread one value per clip over the recording, with the mean of the values outside clips."""
    series = np.full(steps, values.mean())
    for value, start in zip(values, clip_start_steps(context, steps), strict=True):
        series[start : start + CLIP_STEPS] = value
    return series


def step_lengths(
    displacement: NDArray[np.float64], unevenness: NDArray[np.float64], random: np.random.Generator
) -> NDArray[np.float64]:
    """Return how far to move in each step: displacement (1 + unevenness s), s alternating."""
    sign = np.where(np.arange(len(displacement)) % 2 == 0, 1.0, -1.0)
    jitter = 0.05 * random.standard_normal(len(displacement))
    return displacement * np.maximum(1 + unevenness * sign + jitter, 0.02)


def travel(
    lengths: NDArray[np.float64],
    amplitudes: NDArray[np.float64],
    random: np.random.Generator,
    distance: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Move along a smooth random path by the given length per step.

    Parameters
    ----------
    lengths : ndarray, shape (steps,)
        Distance from the middle of the previous step to the middle of this one.
    amplitudes : ndarray, shape (coordinates,)
        Standard deviation of each coordinate along the path.
    random : Generator
        Generator for the path, which is the sum of three sines per coordinate.
    distance : callable
        Length of small movements, (n, coordinates) -> (n,), in the unit of `lengths`.

    Returns
    -------
    ndarray, shape (5 steps, coordinates)
        Positions at each frame.
    """
    coordinates = len(amplitudes)
    frequency = random.uniform(0.4, 1.3, (3, coordinates))
    phase = random.uniform(0, 2 * np.pi, (3, coordinates))
    # Half a step before the first middle and after the last.
    needed = np.concatenate([[0.0], np.cumsum(np.append(lengths, lengths[-1]))])
    cycles, path, gone = 8.0, np.empty((0, coordinates)), np.zeros(1)
    while gone[-1] < needed[-1]:
        cycles *= 2
        at = np.arange(0, cycles, 1 / 40)[:, None]
        path = sum(
            (np.sin(2 * np.pi * f * at + p) for f, p in zip(frequency, phase, strict=True)),
            start=np.zeros((len(at), coordinates)),
        ) * (amplitudes * np.sqrt(2 / 3))
        gone = np.concatenate([[0.0], np.cumsum(distance(np.diff(path, axis=0)))])
    middles = np.arange(-1, len(lengths) + 1) + 0.5
    frames = (np.arange(FRAMES_PER_STEP * len(lengths)) + 0.5) / FRAMES_PER_STEP
    along = np.interp(frames, middles, needed)
    return np.column_stack([np.interp(along, gone, coordinate) for coordinate in path.T])
