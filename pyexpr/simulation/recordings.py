"""From amounts of movement to the rows of an OpenFace file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.core.streams import generator
from pyexpr.simulation.clips import CONTEXTS, RECORDINGS_STREAM, simulated_subject
from pyexpr.simulation.face import (
    FOCAL_LENGTH,
    MODES,
    eye_points,
    face_modes,
    gaze_vectors,
    mean_face,
    place,
    project,
    rotation_matrices,
)
from pyexpr.simulation.movement import (
    FPS,
    FRAMES_PER_STEP,
    STEPS_PER_SECOND,
    clip_amounts,
    per_step,
    step_lengths,
    travel,
)
from pyexpr.simulation.openface_writer import AU_INTENSITY, AU_PRESENCE, GROUPS, OPENFACE_COLUMNS

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Seconds: shortest, mean of the excess over it (exponential), longest.
DURATIONS = {"startle": (20.0, 1.5, 25.0), "pain": (30.0, 8.0, 90.0), "disgust": (16.0, 2.0, 25.0)}
MODE_AMPLITUDES = np.array([4.0, 3.0, 2.5, 3.0, 4.0, 3.0, 6.0, 3.0, 3.0, 3.0])  # mm
HEAD_AMPLITUDES = np.array([12.0, 8.0, 15.0])  # mm
TURN_AMPLITUDE = 4.0  # degrees
GAZE_AMPLITUDES = np.array([7.0, 4.0])  # degrees
LANDMARK_NOISE = 0.25  # px
CONFIDENCES = (0.98, 0.93, 0.88)
CONFIDENCE_SHARES = (0.94, 0.04, 0.02)

# Units that are more likely in a context (others follow when many are present).
TYPICAL_UNITS = {
    "startle": ("AU01", "AU02", "AU05", "AU20", "AU25", "AU26", "AU45"),
    "pain": ("AU04", "AU06", "AU07", "AU09", "AU10", "AU25", "AU45"),
    "disgust": ("AU04", "AU06", "AU07", "AU09", "AU10", "AU15", "AU17"),
}
# The movement that each unit causes: mm per unit of intensity.
UNIT_MOVES = {
    "AU01": ("brow_raise", 0.5),
    "AU04": ("brow_lower", 0.5),
    "AU45": ("lid_close", 0.6),
    "AU09": ("nose_wrinkle", 0.5),
    "AU12": ("corners_up", 0.5),
    "AU15": ("corners_down", 0.5),
    "AU26": ("jaw_drop", 0.5),
    "AU20": ("lip_stretch", 0.5),
}

FAILED_SHARE = 0.004
GARBAGE_SHARE = 0.1
LOST_PROBABILITY = 0.25
LOST_SECONDS = (0.6, 4.0)


@dataclass(frozen=True, slots=True)
class _Person:
    """Properties that do not change over a recording."""

    face: NDArray[np.float64]
    seat: NDArray[np.float64]
    shape: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SimulatedRecording:
    """One recording: the true movement, and OpenFace's rows.

    Attributes
    ----------
    rows : (frames, 714) float64
        OpenFace's rows, in the order of `OPENFACE_COLUMNS`.
    face : (frames, 714) float64
        The same before failures of the tracker.
    lost : (frames,) bool
        Frames in which the face is out of sight.
    """

    rows: NDArray[np.float64]
    face: NDArray[np.float64]
    lost: NDArray[np.bool_]


def simulate_recording(seed: int, index: int, context: str) -> NDArray[np.float64]:
    """Make the OpenFace rows of subject `index` (counted from 0) in one context.

    Returns an array of shape (frames, 714), in the order of `OPENFACE_COLUMNS`.
    """
    return recorded(seed, index, context).rows


def recorded(seed: int, index: int, context: str) -> SimulatedRecording:
    """Make the recording of subject `index` (counted from 0) in one context."""
    subject = simulated_subject(seed, index)
    amounts = clip_amounts(seed, index, subject)[context]
    random, steps = _opened(seed, index, context)
    planned = {name: per_step(values, context, steps) for name, values in amounts.items()}

    rows = np.zeros((steps * FRAMES_PER_STEP, len(OPENFACE_COLUMNS)))
    presence, intensity = _action_units(planned, context, random)
    _fill_movement(rows, planned, intensity, _person(random), random)
    rows[:, GROUPS["au_presence"]] = presence
    rows[:, GROUPS["au_intensity"]] = intensity
    rows[:, GROUPS["success"]] = 1
    rows[:, GROUPS["confidence"]] = random.choice(CONFIDENCES, (len(rows), 1), p=CONFIDENCE_SHARES)
    face = rows.copy()
    _fail_some_frames(rows, random)
    # A single failed frame still has some confidence.
    lost = rows[:, GROUPS["confidence"]][:, 0] == 0
    rows[:, 0] = np.arange(1, len(rows) + 1)
    rows[:, GROUPS["timestamp"]] = (np.arange(len(rows)) / FPS)[:, None]
    return SimulatedRecording(rows, face, lost)


def simulated_frames(seed: int, index: int, context: str) -> int:
    """Return the length of a recording without making it."""
    return _opened(seed, index, context)[1] * FRAMES_PER_STEP


def _opened(seed: int, index: int, context: str) -> tuple[np.random.Generator, int]:
    """Return a recording's own generator, and its length in steps (the first draw)."""
    stream = RECORDINGS_STREAM + len(CONTEXTS) * index + CONTEXTS.index(context)
    random = generator(seed, stream)
    shortest, excess, longest = DURATIONS[context]
    seconds = min(shortest + excess * random.standard_exponential(), longest)
    # A whole number of 0.2 s steps, so that clips counted from the end meet whole steps.
    return random, int(seconds * STEPS_PER_SECOND)


def _person(random: np.random.Generator) -> _Person:
    """Draw a face that differs a little from the mean in its dimensions, and its position."""
    size = 1 + 0.04 * random.standard_normal(3)
    seat = np.array([0.0, 20.0, 650.0]) + np.array([15.0, 15.0, 25.0]) * random.standard_normal(3)
    return _Person(mean_face() * size, seat, 8 * random.standard_normal(34) / np.arange(1, 35))


def _action_units(
    planned: dict[str, NDArray[np.float64]], context: str, random: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return presence (frames, 18) and intensity (frames, 17).

    In each step the units with the highest readiness are present, as many as planned (rounded up or
    down at random, so that the mean is exact). Readiness changes slowly.
    """
    steps = len(planned["au_count"])
    units = len(AU_PRESENCE)
    typical = np.isin(AU_PRESENCE, TYPICAL_UNITS[context])
    knots = np.arange(0, steps + 10, 10)
    slow = random.standard_normal((len(knots), units))
    drift = np.column_stack([np.interp(np.arange(steps), knots, column) for column in slow.T])
    readiness = 1.2 * typical + 0.8 * random.standard_normal(units) + 0.6 * drift
    rank = np.argsort(np.argsort(-readiness, axis=1), axis=1)
    count = np.floor(planned["au_count"] + random.random(steps))
    present = rank < count[:, None]

    strength = np.exp(0.15 * random.standard_normal(len(AU_INTENSITY)) - 0.15**2 / 2)
    wobble = random.standard_normal((2, steps, len(AU_INTENSITY)))
    shown = np.clip(planned["au_intensity"][:, None] * strength + 0.2 * wobble[0], 0.05, 5)
    faint = np.maximum(0.25 * wobble[1] - 0.1, 0)
    has_intensity = np.isin(AU_PRESENCE, AU_INTENSITY)
    intensity = np.where(present[:, has_intensity], shown, faint)
    return (
        np.repeat(present.astype(np.float64), FRAMES_PER_STEP, axis=0),
        np.repeat(intensity, FRAMES_PER_STEP, axis=0),
    )


def _fill_movement(
    rows: NDArray[np.float64],
    planned: dict[str, NDArray[np.float64]],
    intensity: NDArray[np.float64],
    person: _Person,
    random: np.random.Generator,
) -> None:
    """Fill gaze, eyes, pose, points and shape parameters."""
    activation = _face_path(planned, random) + _slow_component(intensity)
    turn = _turns(planned, random)
    head = person.seat + _moved(planned, "head", HEAD_AMPLITUDES, random)
    gaze_angle = np.radians(_moved(planned, "gaze", GAZE_AMPLITUDES, random))
    rotation = rotation_matrices(turn)
    deformed = person.face + np.einsum("fm,mpi->fpi", activation, face_modes())
    points = place(deformed, rotation, head)
    pixels = project(points) + LANDMARK_NOISE * random.standard_normal((len(rows), 68, 2))
    gaze = gaze_vectors(gaze_angle)
    eyes = eye_points(gaze, activation[:, MODES.index("lid_close")], rotation, head)
    centre = project(head[:, None])[:, 0]

    def flat(values: NDArray[np.float64]) -> NDArray[np.float64]:
        # OpenFace lists all x, then all y, then all z.
        return values.transpose(0, 2, 1).reshape(len(values), -1)

    rows[:, GROUPS["gaze_vector"]] = gaze.reshape(len(rows), 6)
    rows[:, GROUPS["gaze_angle"]] = gaze_angle
    rows[:, GROUPS["eye_landmarks_2d"]] = flat(project(eyes))
    rows[:, GROUPS["eye_landmarks_3d"]] = flat(eyes)
    rows[:, GROUPS["pose_translation"]] = head
    rows[:, GROUPS["pose_rotation"]] = turn
    rows[:, GROUPS["landmarks_2d"]] = flat(pixels)
    rows[:, GROUPS["landmarks_3d"]] = flat(points)
    scale = FOCAL_LENGTH / head[:, 2]
    # In weak perspective, a head beside the middle appears to be turned.
    seen = turn + np.column_stack([head[:, 1], -head[:, 0], np.zeros(len(head))]) / head[:, 2:]
    rows[:, GROUPS["params"]] = np.column_stack([scale, seen, centre])
    shape = np.tile(person.shape, (len(rows), 1))
    shape[:, : len(MODES)] += 3 * activation
    rows[:, GROUPS["shape"]] = shape + 0.1 * random.standard_normal(shape.shape)


def _face_path(
    planned: dict[str, NDArray[np.float64]], random: np.random.Generator
) -> NDArray[np.float64]:
    modes = face_modes()

    def distance(change: NDArray[np.float64]) -> NDArray[np.float64]:
        moved = np.einsum("nm,mpi->npi", change, modes)
        return np.asarray(np.sqrt((moved**2).sum(axis=2)).mean(axis=1))

    lengths = step_lengths(planned["face_displacement"], planned["face_unevenness"], random)
    return travel(lengths, MODE_AMPLITUDES, random, distance)


def _slow_component(intensity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the slow part of the activations that follows the action units, (frames, modes)."""
    smooth = np.ones(2 * FPS) / (2 * FPS)
    result = np.zeros((len(intensity), len(MODES)))
    for unit, (mode, gain) in UNIT_MOVES.items():
        series = np.pad(intensity[:, AU_INTENSITY.index(unit)], FPS, mode="edge")
        moving = np.convolve(series, smooth, mode="same")[FPS:-FPS]
        result[:, MODES.index(mode)] = gain * moving
    return result


def _length(change: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(change, axis=1))


def _moved(
    planned: dict[str, NDArray[np.float64]],
    what: str,
    amplitudes: NDArray[np.float64],
    random: np.random.Generator,
) -> NDArray[np.float64]:
    lengths = step_lengths(planned[f"{what}_displacement"], planned[f"{what}_unevenness"], random)
    return travel(lengths, amplitudes, random, _length)


def _turns(
    planned: dict[str, NDArray[np.float64]], random: np.random.Generator
) -> NDArray[np.float64]:
    """Return pitch, yaw and roll in rad; the unevenness of head turns carries no signal."""
    columns = []
    for axis in ("pitch", "yaw", "roll"):
        displacement = planned[f"{axis}_displacement"]
        lengths = step_lengths(displacement, np.full(len(displacement), 0.4), random)
        columns.append(travel(lengths, np.array([TURN_AMPLITUDE]), random, _length))
    return np.radians(np.column_stack(columns))


def _fail_some_frames(rows: NDArray[np.float64], random: np.random.Generator) -> None:
    """Let the tracker fail in single frames, and lose the face for a stretch now and then.

    In a single failed frame OpenFace repeats its last values, or occasionally prints a head
    kilometres away. While the face is lost it prints zeros.
    """
    # From the last to the first, so that a good frame is repeated.
    for frame in np.flatnonzero(random.random(len(rows)) < FAILED_SHARE)[::-1].tolist():
        rows[frame] = rows[max(frame - 1, 0)]
        rows[frame, GROUPS["success"]] = 0
        rows[frame, GROUPS["confidence"]] = random.uniform(0.05, 0.70)
        rows[frame, GROUPS["au_intensity"]] = 0
        rows[frame, GROUPS["au_presence"]] = 0
        if random.random() < GARBAGE_SHARE:
            rows[frame, GROUPS["pose_translation"]] *= 4e4
            rows[frame, GROUPS["landmarks_2d"]] *= -30
    if random.random() < LOST_PROBABILITY:
        length = int(FPS * random.uniform(*LOST_SECONDS))
        start = int(random.integers(0, len(rows) - length))
        rows[start : start + length] = 0
