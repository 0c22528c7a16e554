"""A simulated study analysed in memory, without writing or reading files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.progress import progress as shown
from pyexpr.behavior.features.features import features_of_recordings
from pyexpr.behavior.features.options import FEATURES
from pyexpr.behavior.openface.recording import OpenFaceRecording, ReadLog
from pyexpr.behavior.schedules import BP4D_PLUS
from pyexpr.simulation.clips import CONTEXTS, subject_label
from pyexpr.simulation.movement import FPS
from pyexpr.simulation.openface_writer import AU_INTENSITY, AU_PRESENCE, GROUPS, as_printed
from pyexpr.simulation.ratings import QUESTIONS, simulate_ratings
from pyexpr.simulation.recordings import simulate_recording
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.kept.store import StageOutput
from pyexpr.study.stages import computations, models
from pyexpr.study.tables.feature_choice import chosen
from pyexpr.study.tables.inputs import CLIP_KEY, Inputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Group of columns of OpenFace, in the order of the file (all x, all y, ...) -> number of axes of a
# point.
_POINTS = {"landmarks_2d": 2}


def recording_of(rows: NDArray[np.float64], name: str) -> OpenFaceRecording:
    """Return the recording that would be read from a file of simulated rows (frames, 714).

    Numbers are rounded as in the file. Only the groups from which features are computed are kept.
    """
    printed = as_printed(rows)
    valid = printed[:, GROUPS["success"]][:, 0] == 1
    groups = {}
    for group in (
        "landmarks_2d", "pose_translation", "pose_rotation", "gaze_angle", "au_presence",
        "au_intensity",
    ):  # fmt: skip
        values = printed[:, GROUPS[group]].copy()
        values[~valid] = np.nan
        if group in _POINTS:
            values = values.reshape(len(rows), _POINTS[group], -1).transpose(0, 2, 1)
        groups[group] = np.ascontiguousarray(values)
    return OpenFaceRecording(
        path=name,
        fps=float(FPS),
        fps_source="stated",
        n_frames=len(rows),
        present=np.ones(len(rows), dtype=bool),
        valid=valid,
        confidence=printed[:, GROUPS["confidence"]][:, 0].copy(),
        groups=groups,
        au_presence_names=tuple(AU_PRESENCE),
        au_intensity_names=tuple(AU_INTENSITY),
        log=ReadLog(rows_read=len(rows), frames_failed=int((~valid).sum())),
    )


def simulated_config(seed: int, n_boot: int) -> StudyConfig:
    """Return the options of a simulated study, as `simulate_study` writes them."""
    return StudyConfig.model_validate(
        {
            "title": "Simulated study",
            "simulated": True,
            "seed": seed,
            "clips": {"schedule": "bp4d_plus", "fps": FPS},
            "compare": {"n_boot": n_boot},
            "coefficients": {"n_boot": n_boot},
        }
    )


def analyse_simulated(
    *,
    subjects: int,
    seed: int,
    n_boot: int,
    show: bool | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, StageOutput]:
    """Simulate a study and run every stage on it, by the code that `Study.run` runs.

    Parameters
    ----------
    subjects, seed : int
        As in `simulate_study`; the same arguments give the same study.
    n_boot : int
        Replicates of each bootstrap.
    show : bool, optional
        Show a bar while recordings are simulated.
    say : callable
        Called with the name of each stage when it begins.

    Returns
    -------
    dict of str to StageOutput
        The stages by name.
    """
    config = simulated_config(seed, n_boot)
    inputs = _inputs(subjects, seed)
    say("reliability")
    found = {"reliability": computations.reliability(config, inputs)}
    say("factor model")
    found["factor_model"] = computations.factor_model(config, inputs)
    say("features")
    features = features_of_recordings(
        shown(
            _recordings(subjects, seed),
            total=subjects * len(CONTEXTS),
            label="Simulating recordings",
            show=show,
        ),
        schedule=BP4D_PLUS,
    )
    found["features"] = chosen(config, computations.features_output(features), tuple(FEATURES))
    say("models")
    found["models"] = models.models(config, inputs, found["factor_model"], found["features"])
    say("comparison")
    found["comparison"] = computations.comparison(config, found["models"], {})
    say("coefficients")
    found["coefficients"] = computations.coefficients(
        config, inputs, found["factor_model"], found["features"], found["models"]
    )
    return found


def _recordings(subjects: int, seed: int) -> Iterator[tuple[str, str, OpenFaceRecording]]:
    for index in range(subjects):
        for context in CONTEXTS:
            label = subject_label(index)
            rows = simulate_recording(seed, index, context)
            yield label, context, recording_of(rows, f"{label}_{context} (in memory)")


def _inputs(subjects: int, seed: int) -> Inputs:
    import pandas as pd

    ratings = simulate_ratings(subjects=subjects, seed=seed)
    pairs: list[dict[str, Any]] = [
        {"subject": subject_label(index), "context": context, "openface": "", "path": ""}
        for index in range(subjects)
        for context in CONTEXTS
    ]
    return Inputs(
        ratings=ratings.assign(score=ratings["score"].astype(float)),
        recordings=pd.DataFrame(pairs),
        measured=None,
        schedule=BP4D_PLUS,
        contexts=CONTEXTS,
        questions=QUESTIONS,
        dropped={},
        unmatched=pd.DataFrame(columns=[*CLIP_KEY, "reason"]),
    )
