"""`simulate_study`: a complete study with known true values, in the formats of a real one."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyexpr.base.checks import is_whole
from pyexpr.base.errors import DataError, StudyError, listed
from pyexpr.base.files import OutputError, sha256, whole_file, writable_folder, write_text
from pyexpr.base.jobs import checked_jobs, in_processes
from pyexpr.base.messages import say
from pyexpr.base.outputs import check_folder_outputs
from pyexpr.base.progress import progress as progress_bar
from pyexpr.base.results import Result
from pyexpr.base.stopping import stoppable
from pyexpr.base.versions import versions
from pyexpr.core.streams import checked_seed
from pyexpr.simulation.clips import CLIP_STARTS, CONTEXTS, simulated_subject, subject_label
from pyexpr.simulation.face_video import write_face_video
from pyexpr.simulation.movement import FPS
from pyexpr.simulation.openface_writer import write_openface
from pyexpr.simulation.ratings import simulated_raters, subject_ratings
from pyexpr.simulation.recordings import recorded, simulate_recording, simulated_frames
from pyexpr.simulation.truth import truth

if TYPE_CHECKING:
    import pandas as pd

# Counts up whenever the same arguments would give other bytes.
MODEL_VERSION = 1
STAMP = "simulation.json"
MOST_SUBJECTS = 100_000

_STUDY_FILE = """\
# Written by pyexpr simulate: the data are simulated. Their true values are in truth.json.
title = "Simulated study"
simulated = true
seed = {seed}

[data]
ratings = "ratings.csv"
recordings = "recordings.csv"

[clips]
schedule = "bp4d_plus"
fps = {fps}
"""
# Small enough to be trained in minutes on two processors.
_DEEP_MODELS = """
[models.lstm]
hidden_size = 32
max_epochs = 20

[models.video3d]
per_context = false
frames = 8
size = 56
resize = "aspect"
max_epochs = 5
n_threads = 2
batch_size = 16
"""
DEEP_STUDY_FILE = "study_deep.toml"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SimulationResult(Result):
    """The result of `simulate_study`.

    Attributes
    ----------
    folder : str
        Where the study is.
    subjects, seed : int
        The arguments.
    written : bool
        False if all files existed already.
    frames : dict of str to int
        Per context, frames over all recordings.
    bytes : int
        Size of all files of the study.
    video_size : int or None
        Width and height of the videos in px; None without videos.
    """

    folder: str
    subjects: int
    seed: int
    written: bool
    frames: dict[str, int]
    bytes: int
    video_size: int | None = None

    @property
    def study_file(self) -> str:
        """Return the path of the study file, for `Study.from_file` or `pyexpr run`."""
        return str(Path(self.folder) / "study.toml")

    @property
    def deep_study_file(self) -> str:
        """Return the path of the study file with deep models, for a study with videos."""
        return str(Path(self.folder) / DEEP_STUDY_FILE)

    def tidy(self) -> pd.DataFrame:
        """Return one row per context: subjects, clips, ratings, recordings, frames."""
        import pandas as pd

        clips = [self.subjects * len(CLIP_STARTS[context]) for context in CONTEXTS]
        return pd.DataFrame(
            {
                "context": CONTEXTS,
                "n_subjects": self.subjects,
                "n_clips": clips,
                "n_ratings": [18 * number for number in clips],
                "n_recordings": self.subjects,
                "n_frames": [self.frames[context] for context in CONTEXTS],
            }
        )

    def heading(self) -> str:
        """Return a sentence with the folder and size of the study."""
        done = "wrote" if self.written else "is already complete and was not changed:"
        return (
            f"Simulated study ({self.subjects} subjects, seed {self.seed}), "
            f"{done} {self.folder} ({self.bytes / 1e6:.0f} MB)"
        )

    def provenance(self) -> dict[str, Any]:
        """Return the arguments and versions."""
        arguments = _arguments(self.subjects, self.seed, self.video_size)
        return arguments | {"versions": versions()}

    def notes(self) -> tuple[str, ...]:
        """Return the note that the data are simulated."""
        return ("These data are simulated; their true values are in truth.json.",)


@stoppable(
    "a study was simulated", kept="the files written so far are kept; call it again to continue"
)
def simulate_study(
    folder: Path | str,
    *,
    subjects: int = 40,
    seed: int = 1,
    videos: bool = False,
    video_size: int = 64,
    n_jobs: int | None = 2,
    progress: bool | None = None,
    overwrite: bool = False,
) -> SimulationResult:
    """Write a simulated study: ratings, OpenFace recordings, a study file, and true values.

    Every subject is recorded in three contexts (startle, pain, disgust); six
    raters answer three questions on each of 16 clips. The model and all of its
    parameters are described in docs/simulation.md and written to truth.json.

    Parameters
    ----------
    folder : path
        A new or empty folder, or one with an earlier simulated study. The latter is completed if it
        was written with the same arguments, and replaced otherwise. Other files in the folder are
        kept, and a study whose files have been changed is not replaced.
    subjects : int
        Number of subjects, at least 1. With the same seed, the first subjects of a larger study are
        those of a smaller one.
    seed : int
        Seed, from 0 to 2**64 - 1. The same seed gives identical files, whatever `n_jobs`.
    videos : bool
        Whether to draw a video of each recording, ``video/*.mp4`` at 25 frames per second, of a
        face with the points of the OpenFace file. Its bytes also depend on the versions of PyAV and
        Pillow. A study file with deep models, ``study_deep.toml``, is written as well.
    video_size : int
        Width and height of the videos in px, an even number from 16 to 1024.
    n_jobs : int, optional
        Number of recordings that are written at a time, as in joblib: -1 is one per processor, None
        is 1. ``joblib.parallel_config`` can send them to a cluster. The files do not depend on it.
    progress : bool, optional
        Whether to show a progress bar. By default it is shown if standard error is a terminal.
    overwrite : bool
        Whether to replace an earlier simulated study even if its files have been changed.

    Returns
    -------
    SimulationResult
        `tidy()` has one row per context, and `study_file` is the path of the study file.

    Raises
    ------
    StudyError
        If the folder contains something other than a simulated study.
    OutputError
        If the folder cannot be written, or if files of an earlier simulation that would be replaced
        have been changed.
    DataError
        If an argument is out of range.

    Notes
    -----
    Writes ``ratings.csv``, ``recordings.csv``, ``openface/*.csv`` (about 9 MB per
    subject), ``study.toml`` and ``truth.json``, each completely or not at all, and
    ``simulation.json``, which states that the simulation is complete and lists the hashes. Checked
    against: pingouin's ICCs, tables 1 and 2 of the paper, and the signs in its figure 4.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = simulate_study(folder, subjects=1, n_jobs=1, progress=False)
    ...     result.tidy()[["context", "n_clips", "n_ratings"]].values.tolist()
    [['startle', 5, 90], ['pain', 7, 126], ['disgust', 4, 72]]
    """
    subjects = _whole(subjects, "subjects", MOST_SUBJECTS)
    size = _checked_size(video_size) if videos else None
    n_jobs = checked_jobs(n_jobs)
    seed = checked_seed(seed)
    target = Path(folder)
    arguments = _arguments(subjects, seed, size)
    stamp = _checked_stamp(target)
    if _is_complete(target, stamp, arguments):
        return _result(target, subjects, seed, size, written=False)
    _check_unchanged(target, stamp, arguments, overwrite=overwrite)
    writable_folder(target)
    if stamp is None or stamp["arguments"] != arguments:
        _remove_earlier(target, stamp)
    # From here the folder is known as a simulated study, though not a complete one.
    _write_stamp(target, arguments)
    _write_tables(target, subjects, seed, size)
    _write_recordings(target, subjects, seed, size, n_jobs, progress)
    names = (*_tables(arguments), *_recording_names(arguments))
    _write_stamp(target, arguments, {name: sha256(target / name) for name in names})
    return _result(target, subjects, seed, size, written=True)


def _whole(value: int, name: str, most: int) -> int:
    if not is_whole(value):
        raise DataError(
            say("{@name=} must be a whole number, not {value!r}", name=name, value=value)
        )
    if not 1 <= value <= most:
        raise DataError(
            say(
                "{@name=} must be between 1 and {most}, not {value}",
                name=name,
                most=most,
                value=value,
            )
        )
    return int(value)


def _checked_size(size: int) -> int:
    if _whole(size, "video_size", 1024) < 16 or size % 2:
        raise DataError(
            say("{video_size=} must be even and between 16 and 1024, not {size}", size=size)
        )
    return int(size)


def _arguments(subjects: int, seed: int, video_size: int | None) -> dict[str, int]:
    video = {} if video_size is None else {"video_size": video_size}
    return {"subjects": subjects, "seed": seed, "model_version": MODEL_VERSION, **video}


def _checked_stamp(folder: Path) -> dict[str, Any] | None:
    """Return the stamp of an earlier simulation, None if there is none, or raise an error."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"cannot write into {str(folder)!r}: it is a file, not a folder")
    path = folder / STAMP
    try:
        stamp = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(stamp["arguments"]["subjects"], int):
            return dict(stamp)
    except FileNotFoundError:
        pass
    except (ValueError, KeyError, TypeError):
        raise StudyError(
            f"{str(path)!r} does not belong to a simulated study; choose a new folder"
        ) from None
    # Half-written parts of an interrupted run begin with a dot.
    others = sorted(p.name for p in folder.glob("*") if p.name[0] != ".")
    if others:
        raise StudyError(
            say(
                "{folder!r} is not empty and is not a simulated study (it contains {names}); "
                "choose a new folder, so that no file is overwritten",
                folder=str(folder),
                names=listed(others, most=3),
            )
        )
    return None


def _recording_name(index: int, context: str) -> str:
    return f"openface/{subject_label(index)}_{context}.csv"


def _video_name(index: int, context: str) -> str:
    return f"video/{subject_label(index)}_{context}.mp4"


def _recording_names(arguments: dict[str, int]) -> list[str]:
    """Return the files of all recordings of a simulation with these arguments."""
    pairs = [(index, context) for index in range(arguments["subjects"]) for context in CONTEXTS]
    names = [_recording_name(*pair) for pair in pairs]
    return names + ([_video_name(*pair) for pair in pairs] if "video_size" in arguments else [])


def _tables(arguments: dict[str, int]) -> tuple[str, ...]:
    names = ("ratings.csv", "recordings.csv", "study.toml", "truth.json")
    return (*names, DEEP_STUDY_FILE) if "video_size" in arguments else names


def _is_complete(folder: Path, stamp: dict[str, Any] | None, arguments: dict[str, int]) -> bool:
    return (
        stamp is not None
        and stamp["arguments"] == arguments
        and stamp.get("complete") is True
        and all(
            (folder / name).is_file()
            for name in (*_tables(arguments), *_recording_names(arguments))
        )
    )


def _check_unchanged(
    folder: Path, stamp: dict[str, Any] | None, arguments: dict[str, int], *, overwrite: bool
) -> None:
    """Raise `OutputError` for files of an earlier simulation that a user has changed.

    Of one that was interrupted nothing is known but that its files were just written.
    """
    hashes = {} if stamp is None else stamp.get("files", {})
    names = [STAMP, *_tables(arguments), *_recording_names(arguments), *hashes]
    there = [name for name in dict.fromkeys(names) if (folder / name).is_file()]
    own = [
        name
        for name in there
        if name == STAMP or not hashes or hashes.get(name) == sha256(folder / name)
    ]
    check_folder_outputs(
        folder, dict.fromkeys(names), own=own, overwrite=overwrite, what="the simulated study"
    )


def _remove_earlier(folder: Path, stamp: dict[str, Any] | None) -> None:
    """Remove what an earlier simulation with other arguments wrote, and nothing else."""
    if stamp is not None:
        for name in (*_recording_names(stamp["arguments"]), DEEP_STUDY_FILE):
            (folder / name).unlink(missing_ok=True)


def _write_stamp(
    folder: Path, arguments: dict[str, int], files: dict[str, str] | None = None
) -> None:
    """Say which simulation this is; with the hashes of its `files` once all are there."""
    stamp = {
        "simulated": True,
        "complete": files is not None,
        "arguments": arguments,
        "files": files or {},
    }
    write_text(folder / STAMP, json.dumps(stamp, indent=2) + "\n")


def _write_tables(folder: Path, subjects: int, seed: int, video_size: int | None) -> None:
    raters = simulated_raters(seed)
    people = [simulated_subject(seed, index) for index in range(subjects)]
    ratings = (
        row
        for index, subject in enumerate(people)
        for row in subject_ratings(seed, index, subject, raters)
    )
    header = ("subject", "context", "clip", "rater", "question", "score")
    _write_csv(folder / "ratings.csv", header, ratings)
    names = [_recording_name] if video_size is None else [_recording_name, _video_name]
    recordings = (
        (subject.label, context, *(name(index, context) for name in names))
        for index, subject in enumerate(people)
        for context in CONTEXTS
    )
    columns = ("subject", "context", "openface", "video")[: 2 + len(names)]
    _write_csv(folder / "recordings.csv", columns, recordings)
    study = _STUDY_FILE.format(seed=seed, fps=FPS)
    write_text(folder / "study.toml", study)
    if video_size is not None:
        deep = study.replace("seed = ", 'output = "results_deep"\nseed = ', 1)
        write_text(folder / DEEP_STUDY_FILE, deep + _DEEP_MODELS)
    arguments = _arguments(subjects, seed, video_size)
    text = json.dumps(truth(seed, people) | {"arguments": arguments}, indent=1)
    write_text(folder / "truth.json", text + "\n")


def _write_csv(path: Path, header: tuple[str, ...], rows: Iterator[tuple[Any, ...]]) -> None:
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _write_recordings(
    folder: Path, subjects: int, seed: int, video_size: int | None, n_jobs: int, show: bool | None
) -> None:
    # Files are whole or absent, so an interrupted run goes on where it stopped.
    todo: list[tuple[Any, ...]] = []
    for index in range(subjects):
        for context in CONTEXTS:
            path, video = (folder / name(index, context) for name in (_recording_name, _video_name))
            if not path.is_file():
                todo.append((path, seed, index, context))
            if video_size is not None and not video.is_file():
                todo.append((video, seed, index, context, video_size))
    done = in_processes(write_recording, todo, n_jobs=n_jobs, what="writes recordings")
    for _ in progress_bar(done, total=len(todo), label="Simulating recordings", show=show):
        pass


def write_recording(
    path: Path, seed: int, index: int, context: str, video_size: int | None = None
) -> None:
    """Simulate one recording and write it, or its video (runs in a worker process)."""
    if video_size is None:
        write_openface(path, simulate_recording(seed, index, context))
        return
    recording = recorded(seed, index, context)
    # Skins from dark to light, in the order of the golden ratio's multiples: never bunched.
    shade = (index * 0.6180339887498949) % 1
    write_face_video(path, recording.face, recording.lost, shade=shade, size=video_size)


def _result(
    folder: Path, subjects: int, seed: int, video_size: int | None, *, written: bool
) -> SimulationResult:
    arguments = _arguments(subjects, seed, video_size)
    names = (*_tables(arguments), STAMP, *_recording_names(arguments))
    frames = {
        context: sum(simulated_frames(seed, index, context) for index in range(subjects))
        for context in CONTEXTS
    }
    return SimulationResult(
        folder=str(folder),
        subjects=subjects,
        seed=seed,
        written=written,
        frames=frames,
        bytes=sum((folder / name).stat().st_size for name in names),
        video_size=video_size,
    )
