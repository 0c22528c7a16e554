"""`simulate_study`: a whole study with known truth, in the formats of a real one."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import DataError, StudyError, listed
from pyexpr.base.files import OutputError, whole_file, writable_folder, write_text
from pyexpr.base.processes import in_processes
from pyexpr.base.progress import progress as progress_bar
from pyexpr.base.results import Result
from pyexpr.base.versions import versions
from pyexpr.core.streams import checked_seed
from pyexpr.simulation.clips import CLIP_STARTS, CONTEXTS, simulated_subject, subject_label
from pyexpr.simulation.movement import FPS
from pyexpr.simulation.openface_writer import write_openface
from pyexpr.simulation.ratings import simulated_raters, subject_ratings
from pyexpr.simulation.recordings import simulate_recording, simulated_frames
from pyexpr.simulation.truth import truth

if TYPE_CHECKING:
    import pandas as pd

# Counts up whenever the same arguments would give other bytes.
MODEL_VERSION = 1
STAMP = "simulation.json"
MOST_SUBJECTS = 100_000

_STUDY_FILE = """\
# Written by pyexpr simulate: the data are simulated. What is true of them is in truth.json.
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


@dataclass(frozen=True, slots=True)
class SimulationResult(Result):
    """What `simulate_study` wrote.

    Attributes
    ----------
    folder : str
        Where the study is.
    subjects, seed : int
        The arguments.
    written : bool
        False if everything was there already.
    frames : dict of str to int
        Per context, frames over all recordings.
    bytes : int
        Size of all files of the study.
    """

    folder: str
    subjects: int
    seed: int
    written: bool
    frames: dict[str, int]
    bytes: int

    @property
    def study_file(self) -> str:
        """Return the path of the study file, for `Study.from_file` or `pyexpr run`."""
        return str(Path(self.folder) / "study.toml")

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
        """Return where the study is and how large."""
        done = "wrote" if self.written else "found complete, and left as it was:"
        return (
            f"Simulated study ({self.subjects} subjects, seed {self.seed}), "
            f"{done} {self.folder} ({self.bytes / 1e6:.0f} MB)"
        )

    def provenance(self) -> dict[str, Any]:
        """Return the arguments and versions."""
        return _arguments(self.subjects, self.seed) | {"versions": versions()}

    def notes(self) -> tuple[str, ...]:
        """Return that the data are simulated."""
        return ("These data are simulated; what is true of them is in truth.json.",)


def simulate_study(
    folder: Path | str,
    *,
    subjects: int = 40,
    seed: int = 1,
    n_jobs: int = 2,
    progress: bool | None = None,
) -> SimulationResult:
    """Write a simulated study: ratings, OpenFace recordings, study file, and the truth.

    Every subject is recorded in three contexts (startle, pain, disgust); six
    raters answer three questions on each of 16 clips. The model and all of its
    parameters are described in docs/simulation.md and written to truth.json.

    Parameters
    ----------
    folder : path
        New, empty, or an earlier simulated study, which is completed if it was
        made with the same arguments and replaced otherwise. Other files in it
        stay.
    subjects : int
        At least 1. With the same seed, the first subjects of a larger study are
        those of a smaller one.
    seed : int
        From 0 to 2**64 - 1; fixes every byte, whatever `n_jobs`.
    n_jobs : int
        Processes that write recordings.
    progress : bool, optional
        Show a bar; by default if standard error is a terminal.

    Returns
    -------
    SimulationResult
        `tidy()` has one row per context; `study_file` is the path to run.

    Raises
    ------
    StudyError
        The folder holds something that is not a simulated study.
    OutputError
        The folder cannot be written.
    DataError
        An argument is out of range.

    Notes
    -----
    Writes ``ratings.csv``, ``recordings.csv``, ``openface/*.csv`` (about 9 MB per
    subject), ``study.toml``, ``truth.json``, each whole or not at all, and
    ``simulation.json``, which says that all of it is there. Checked against:
    pingouin's ICCs and the paper's tables 1 and 2, its figure 4 for the signs.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = simulate_study(folder, subjects=1, n_jobs=1, progress=False)
    ...     result.tidy()[["context", "n_clips", "n_ratings"]].values.tolist()
    [['startle', 5, 90], ['pain', 7, 126], ['disgust', 4, 72]]
    """
    subjects = _whole(subjects, "subjects", MOST_SUBJECTS)
    n_jobs = _whole(n_jobs, "n_jobs", 1024)
    seed = checked_seed(seed)
    target = Path(folder)
    arguments = _arguments(subjects, seed)
    stamp = _checked_stamp(target)
    if _is_complete(target, stamp, arguments):
        return _result(target, subjects, seed, written=False)
    writable_folder(target)
    if stamp is None or stamp["arguments"] != arguments:
        _remove_earlier(target, stamp)
    # From here the folder is known as a simulated study, though not a complete one.
    _write_stamp(target, arguments, complete=False)
    _write_tables(target, subjects, seed)
    _write_recordings(target, subjects, seed, n_jobs, progress)
    _write_stamp(target, arguments, complete=True)
    return _result(target, subjects, seed, written=True)


def _whole(value: int, name: str, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise DataError(f"{name}= must be a whole number, not {value!r}")
    if not 1 <= value <= most:
        raise DataError(f"{name}= must be between 1 and {most}, not {value}")
    return int(value)


def _arguments(subjects: int, seed: int) -> dict[str, int]:
    return {"subjects": subjects, "seed": seed, "model_version": MODEL_VERSION}


def _checked_stamp(folder: Path) -> dict[str, Any] | None:
    """Return the stamp of an earlier simulation, None if there is nothing, or refuse."""
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
            f"{str(path)!r} is not the stamp of a simulated study; choose a new folder"
        ) from None
    # Half-written parts of an interrupted run begin with a dot.
    others = sorted(p.name for p in folder.glob("*") if p.name[0] != ".")
    if others:
        raise StudyError(
            f"{str(folder)!r} is not empty and not a simulated study (it holds "
            f"{listed(others, most=3)}); choose a new folder, so that nothing is overwritten"
        )
    return None


def _recording_name(index: int, context: str) -> str:
    return f"openface/{subject_label(index)}_{context}.csv"


def _recording_names(subjects: int) -> list[str]:
    return [_recording_name(index, context) for index in range(subjects) for context in CONTEXTS]


_TABLES = ("ratings.csv", "recordings.csv", "study.toml", "truth.json")


def _is_complete(folder: Path, stamp: dict[str, Any] | None, arguments: dict[str, int]) -> bool:
    return (
        stamp is not None
        and stamp["arguments"] == arguments
        and stamp.get("complete") is True
        and all(
            (folder / name).is_file()
            for name in (*_TABLES, *_recording_names(arguments["subjects"]))
        )
    )


def _remove_earlier(folder: Path, stamp: dict[str, Any] | None) -> None:
    """Remove what an earlier simulation with other arguments wrote, and nothing else."""
    if stamp is not None:
        for name in _recording_names(stamp["arguments"]["subjects"]):
            (folder / name).unlink(missing_ok=True)


def _write_stamp(folder: Path, arguments: dict[str, int], *, complete: bool) -> None:
    stamp = {"simulated": True, "complete": complete, "arguments": arguments}
    write_text(folder / STAMP, json.dumps(stamp, indent=2) + "\n")


def _write_tables(folder: Path, subjects: int, seed: int) -> None:
    raters = simulated_raters(seed)
    people = [simulated_subject(seed, index) for index in range(subjects)]
    ratings = (
        row
        for index, subject in enumerate(people)
        for row in subject_ratings(seed, index, subject, raters)
    )
    header = ("subject", "context", "clip", "rater", "question", "score")
    _write_csv(folder / "ratings.csv", header, ratings)
    recordings = (
        (subject.label, context, _recording_name(index, context))
        for index, subject in enumerate(people)
        for context in CONTEXTS
    )
    _write_csv(folder / "recordings.csv", ("subject", "context", "openface"), recordings)
    write_text(folder / "study.toml", _STUDY_FILE.format(seed=seed, fps=FPS))
    text = json.dumps(truth(seed, people) | {"arguments": _arguments(subjects, seed)}, indent=1)
    write_text(folder / "truth.json", text + "\n")


def _write_csv(path: Path, header: tuple[str, ...], rows: Iterator[tuple[Any, ...]]) -> None:
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _write_recordings(
    folder: Path, subjects: int, seed: int, n_jobs: int, show: bool | None
) -> None:
    # Files are whole or absent, so an interrupted run goes on where it stopped.
    todo = [
        (folder / _recording_name(index, context), seed, index, context)
        for index in range(subjects)
        for context in CONTEXTS
        if not (folder / _recording_name(index, context)).is_file()
    ]
    done = in_processes(write_recording, todo, n_jobs=n_jobs, what="writes recordings")
    for _ in progress_bar(done, total=len(todo), label="Simulating recordings", show=show):
        pass


def write_recording(path: Path, seed: int, index: int, context: str) -> None:
    """Simulate one recording and write it (runs in a worker process)."""
    write_openface(path, simulate_recording(seed, index, context))


def _result(folder: Path, subjects: int, seed: int, *, written: bool) -> SimulationResult:
    names = (*_TABLES, STAMP, *_recording_names(subjects))
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
    )
