"""`px.init_study()`: a study file for the tables in a folder."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pyexpr.base.csv_text import csv_text
from pyexpr.base.errors import StudyError
from pyexpr.base.files import write_text
from pyexpr.base.outputs import check_outputs
from pyexpr.base.results import Result
from pyexpr.base.visible import LINES, visible
from pyexpr.study.check_study import check_study
from pyexpr.study.init.answers import Answers, Ask
from pyexpr.study.init.data import RECORDINGS_TABLE, set_clips, set_columns
from pyexpr.study.init.draft import Choice, Draft, toml_value
from pyexpr.study.init.found_tables import tables_in
from pyexpr.study.init.label import set_label
from pyexpr.study.init.models import set_evaluation, set_models
from pyexpr.study.init.roles import Roles, roles_of

if TYPE_CHECKING:
    import pandas as pd

STUDY_FILE = "study.toml"
_HEADER = (
    "A study file for `pyexpr run`, written by `pyexpr init` from the tables of this folder. "
    "Every entry is a choice that may be changed; entries that are not here have defaults. "
    "`pyexpr check` reports what the study would do, and what is wrong with the file."
)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class InitResult(Result):
    """The study file that was written.

    Attributes
    ----------
    study_file : Path
    choices : tuple of Choice
        The entries of the file: section, entry, value, and reason.
    written : tuple of Path
        All files that were written.
    unread : tuple of str
        The tables of the folder that are not used, with reasons.
    problems : tuple of str
        The problems that `px.check_study` reports.
    """

    study_file: Path
    choices: tuple[Choice, ...]
    written: tuple[Path, ...]
    unread: tuple[str, ...]
    problems: tuple[str, ...]

    def tidy(self) -> pd.DataFrame:
        """Return one row per entry: section, entry, value (in TOML), why (the reason)."""
        import pandas as pd

        rows = [[one.section, one.entry, toml_value(one.value), one.why] for one in self.choices]
        return pd.DataFrame(rows, columns=["section", "entry", "value", "why"])

    def heading(self) -> str:
        """Return what was written."""
        names = ", ".join(map(str, self.written))
        return (
            f"Written: {names}. Review it, because it contains guesses; then run: pyexpr check, "
            "pyexpr run"
        )

    def notes(self) -> tuple[str, ...]:
        """Return which tables are not used, and what is wrong with the study file."""
        return (*self.unread, *(f"to be corrected: {one}" for one in self.problems))

    def __str__(self) -> str:
        entries = [
            f"  {f'{one.section}.' if one.section else ''}{one.entry} = {toml_value(one.value)}"
            for one in self.choices
        ]
        notes = [f"Note: {note}" for note in self.notes()]
        lines = [self.heading(), "", *entries, *([""] if notes else []), *notes]
        return visible("\n".join(lines), keep=LINES)

    __repr__ = __str__


def init_study(
    folder: Path | str = ".",
    *,
    ratings: str | None = None,
    features: str | None = None,
    recordings: str | None = None,
    subject: str | None = None,
    context: str | None = None,
    clip: str | None = None,
    rater: str | None = None,
    question: str | None = None,
    score: str | None = None,
    label: str | None = None,
    clip_seconds: float | None = None,
    yes: bool = False,
    overwrite: bool = False,
    ask: Ask | None = None,
) -> InitResult:
    """Write a study file for the tables in a folder, with a comment on every choice.

    The tables (CSV, parquet) are recognised by their columns: ratings, long or wide, have raters,
    questions and scores; features have subjects, clips and numbers; a table of recordings names
    OpenFace's files. Recordings in subfolders that no table names are listed in a new
    ``recordings.csv``, with the subject and context that their paths contain.

    Parameters
    ----------
    folder : path
        The folder of the tables, in which ``study.toml`` is written.
    ratings, features, recordings : str, optional
        Name of the table of each kind in the folder; "none": there is no such table.
    subject, context, clip, rater, question, score : str, optional
        Name of the column with each role. ``context="none"``: all clips are of one context.
    label : str, optional
        The label that the models learn: "factor", "mean", or questions separated by commas; without
        ratings, columns of the table of features, separated by commas.
    clip_seconds : float, optional
        Length of clips, if recordings are cut into clips 1, 2, ... from their beginning.
    yes : bool
        Accept the proposed answer if the tables leave a choice.
    overwrite : bool
        Replace an existing study file (and ``recordings.csv``).
    ask : callable, optional
        Called with a question, the possible answers, and the proposed one or None; returns the
        answer. Without it a question is an error that names the argument.

    Returns
    -------
    InitResult
        `tidy()` has a row per entry of the file.

    Raises
    ------
    StudyError
        If there are no tables, a column is not found, or a choice is open and the user cannot be
        asked; the message names the argument that makes the choice.
    ColumnError, DataError
        If a table that is named cannot be used.
    OutputError
        If ``study.toml`` is there already, or cannot be written.

    Notes
    -----
    The ends of the rating scale are guessed from the lowest and the highest rating. Five-fold
    cross-validation is proposed for fewer than 100 subjects, and the paper's split otherwise. The
    same tables and arguments give the same bytes.

    Examples
    --------
    >>> import tempfile, numpy as np, pandas as pd, pyexpr as px
    >>> folder = tempfile.TemporaryDirectory()
    >>> rng = np.random.default_rng(1)
    >>> table = pd.DataFrame({"participant": np.repeat(range(12), 4), "trial": list("abcd") * 12})
    >>> table[["smile", "nod", "label"]] = rng.normal(size=(48, 3))
    >>> table.to_csv(f"{folder.name}/features.csv", index=False)
    >>> result = px.init_study(folder.name)
    >>> result.tidy().query("section == 'label'")["value"].tolist()
    ['"column"', '"label"']
    >>> px.check_study(result.study_file).ok
    True
    >>> folder.cleanup()
    """
    home = Path(folder)
    if not home.is_dir():
        raise StudyError(f"there is no folder {str(home)!r}")
    target = home / STUDY_FILE
    # Checked before any question is asked.
    check_outputs({"the study file": target}, overwrite=overwrite)
    given = {
        "ratings": ratings, "features": features, "recordings": recordings, "subject": subject,
        "context": context, "clip": clip, "rater": rater, "question": question, "score": score,
        "label": label, "clip-seconds": None if clip_seconds is None else repr(clip_seconds),
    }  # fmt: skip
    answers = Answers(given, ask, yes=yes)
    tables, unread = tables_in(home)
    roles = roles_of(home, tables, unread, answers)
    draft, files = drafted(home, roles, answers)
    text = draft.text(_HEADER)
    # A file that is not read as intended must not be written.
    assert tomllib.loads(text) == draft.raw()
    outputs: dict[str, Path | str | None] = {f"the table {name}": home / name for name in files}
    check_outputs(outputs, overwrite=overwrite)
    for name, content in files.items():
        write_text(home / name, content)
    write_text(target, text)
    problems = check_study(target).problems
    unused = [f"not used: the table {name}" for name in roles.unused]
    return InitResult(
        target, tuple(draft.choices), (target, *(home / name for name in files)),
        (*unread, *unused), problems,
    )  # fmt: skip


def drafted(home: Path, roles: Roles, answers: Answers) -> tuple[Draft, dict[str, str]]:
    """Return the draft of the study file, and tables to write with it."""
    draft, files = Draft(), {}
    draft.set("", "title", home.resolve().name or "Study", "The title of the report.")
    draft.set("", "seed", 1, "The seed of all random numbers: splits, folds, bootstrap.")
    draft.hint(
        "",
        'outcome: a description of what the label measures, for the report; unit: the name of '
        'a row.',
        'unit = "clip"',
    )  # fmt: skip
    data = set_columns(draft, home, roles, answers)
    if data.recordings is not None:
        files[RECORDINGS_TABLE] = csv_text(data.recordings)
    set_clips(draft, data, answers)
    set_label(draft, data, answers)
    set_evaluation(draft, data)
    set_models(draft)
    return draft, files
