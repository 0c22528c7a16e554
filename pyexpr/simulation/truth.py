"""The true values of a simulated study: its parameters, and the results to be expected."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pyexpr.simulation import clips, movement, ratings, recordings

# ICC(1,6) and standardised loadings of the clip means (response, emotion, motion):
# the values of infinitely many clips, from 960,000 simulated clips (300 pools of
# raters) at the parameters of pyexpr.simulation.ratings.
POPULATION: dict[str, dict[str, tuple[float, float, float]]] = {
    "startle": {"icc": (0.841, 0.850, 0.850), "std_loading": (0.979, 0.969, 0.949)},
    "pain": {"icc": (0.839, 0.826, 0.794), "std_loading": (0.978, 0.959, 0.850)},
    "disgust": {"icc": (0.877, 0.877, 0.858), "std_loading": (0.979, 0.979, 0.898)},
    "all": {"icc": (0.859, 0.856, 0.836), "std_loading": (0.980, 0.970, 0.899)},
}

# The features with weight in a linear model, and their signs: the effect of SIGNAL on the features
# of pyexpr.behavior.features.features. Face displacement and unevenness together make the velocity
# of the points.
FEATURE_SIGNS: dict[str, dict[str, int]] = {
    "startle": {
        "points_displacement": 1,
        "points_velocity": 1,
        "head_displacement": -1,
        "au_count": 1,
    },
    "pain": {"points_velocity": -1, "au_count": 1, "au_intensity": 1},
    "disgust": {
        "points_displacement": 1,
        "head_displacement": 1,
        "au_count": 1,
        "au_intensity": 1,
    },
    "all": {"points_displacement": 1, "au_count": 1, "au_intensity": 1},
}


def truth(seed: int, people: list[clips.SimulatedSubject]) -> dict[str, Any]:
    """Return the content of truth.json: plain values."""
    return {
        "about": (
            "What is true of this simulated study. Expressiveness is the value behind the ratings "
            "and the movement; movement is in mm, degrees and units, per step of 0.2 s."
        ),
        "parameters": {
            "clips": _clip_parameters(),
            "ratings": _rating_parameters(),
            "movement": _movement_parameters(),
        },
        "population": {
            context: {
                quantity: dict(zip(ratings.QUESTIONS, values, strict=True))
                for quantity, values in quantities.items()
            }
            for context, quantities in POPULATION.items()
        },
        "signal": movement.SIGNAL,
        "feature_signs": FEATURE_SIGNS,
        "raters": _raters(seed),
        "clips": [
            row for index, subject in enumerate(people) for row in _rows(seed, index, subject)
        ],
    }


def _clip_parameters() -> dict[str, Any]:
    return {
        "starts": clips.CLIP_STARTS,
        "seconds": clips.CLIP_SECONDS,
        "mean": clips.MEAN,
        "course": clips.COURSE,
        "subject_sd": clips.SUBJECT_SD,
        "subject_context_sd": clips.SUBJECT_CONTEXT_SD,
        "clip_sd": {context: clips.clip_sd(context) for context in clips.CONTEXTS},
    }


def _rating_parameters() -> dict[str, Any]:
    return {
        "questions": ratings.QUESTIONS,
        "raters_per_clip": ratings.RATERS_PER_CLIP,
        "pool": ratings.POOL,
        "bias_sd": ratings.BIAS_SD,
        "log_scale_sd": ratings.LOG_SCALE_SD,
        "log_noise_sd": ratings.LOG_NOISE_SD,
        "thresholds": ratings.THRESHOLDS,
        "impressions": {name: asdict(value) for name, value in ratings.RATING_PARAMETERS.items()},
    }


def _movement_parameters() -> dict[str, Any]:
    return {
        "fps": movement.FPS,
        "scales": {
            name: asdict(scale) | {"shift": dict(zip(clips.CONTEXTS, scale.shift, strict=True))}
            for name, scale in movement.SCALES.items()
        },
        "subject_share": movement.SUBJECT_SHARE,
        "durations": recordings.DURATIONS,
        "landmark_noise": recordings.LANDMARK_NOISE,
        "failed_share": recordings.FAILED_SHARE,
        "lost_probability": recordings.LOST_PROBABILITY,
        "lost_seconds": recordings.LOST_SECONDS,
    }


def _raters(seed: int) -> list[dict[str, Any]]:
    pool = ratings.simulated_raters(seed)
    return [
        {"rater": label, "bias": float(bias), "scale": float(scale), "noise": float(noise)}
        for label, bias, scale, noise in zip(
            pool.labels, pool.bias, pool.scale, pool.noise, strict=True
        )
    ]


def _rows(seed: int, index: int, subject: clips.SimulatedSubject) -> list[dict[str, Any]]:
    amounts = movement.clip_amounts(seed, index, subject)
    return [
        {
            "subject": subject.label,
            "context": context,
            "clip": str(clip + 1),
            "expressiveness": round(float(value), 6),
            "movement": {
                name: round(float(values[clip]), 6) for name, values in amounts[context].items()
            },
        }
        for context in clips.CONTEXTS
        for clip, value in enumerate(subject.expressiveness[context])
    ]
