"""The report of a study: one HTML file from the folder that a run has written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pyexpr.base.csv_file import csv_table
from pyexpr.base.errors import DataError, StudyError, listed
from pyexpr.base.files import write_text
from pyexpr.base.outputs import check_outputs
from pyexpr.base.pairs import KIND, PARTS, STRUCTURE
from pyexpr.base.results import number_text
from pyexpr.base.tables import ordered_rows
from pyexpr.report.html.study_blocks import StudyContent
from pyexpr.report.html.study_page import study_page
from pyexpr.report.tables.coefficients import leakage_table
from pyexpr.report.tables.display import DisplayTable
from pyexpr.report.tables.invariance import invariance_table
from pyexpr.report.tables.quality import left_out_table, recordings_table
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.kept.kept_messages import known_messages, table_with_messages, with_messages
from pyexpr.study.kept.seal import is_own_page, sealed_page
from pyexpr.study.kept.store import StageOutput
from pyexpr.study.results.render import main_model, performance_rows, shown_rows, study_tables
from pyexpr.study.results.vouched import RECORD, VouchedFiles, read_vouched
from pyexpr.words.frames import shown_labels
from pyexpr.words.labels import display_name

if TYPE_CHECKING:
    import pandas as pd

#: The report's name in the folder of results.
REPORT = "report.html"
# Our name -> its file, where they differ.
_FILES = {"reliability": "table1_reliability", "loadings": "table2_factor_model"}
_NEEDED = ("comparison", "scores")
_OPTIONAL = (
    "reliability", "loadings", "weights", "recordings", "quality", "tuning", "left_out",
    "scores_leakage", "coefficients", "contrasts", "omnibus", "learning_curves",
    "seed_spread", "repeat_spread", "invariance",
)  # fmt: skip
# What is shown -> the tables that it is made of.
_MADE_OF = {
    "table1_reliability": ("reliability",),
    "table2_factor_model": ("loadings",),
    "table3_performance": ("comparison",),
    "table3_performance_intervals": ("comparison",),
    "table4_comparison": ("comparison",),
    "table4_all_differences": ("comparison",),
    "recordings_summary": ("recordings",),
    "clips_left_out": ("left_out", "recordings"),
    "leakage": ("scores_leakage",),
}
# Text, however much it looks like numbers.
_LABELS = (
    "subject", "context", "clip", "question", "indicator", "term", "metric", "method", "feature",
    "reason", "adjustment", "notes", "openface", "model", "fps_source", "form", "factor",
    *STRUCTURE,
)  # fmt: skip
# Tables whose rows are of one name or of two -> the columns that say of which.
_STRUCTURED = {
    "comparison": (KIND, *PARTS["term"], *PARTS["context"]),
    "contrasts": PARTS["context"],
}


def study_report(
    folder: Path | str,
    *,
    output: Path | str | None = None,
    altered: bool = False,
    overwrite: bool = False,
) -> Path:
    """Write the report of a study: one HTML file that needs nothing else.

    Method and results in sentences, the tables (they can be sorted and copied), the
    figures with their words, what to beware of, what was not done, how to cite.
    Nothing is computed: the report shows what `pyexpr run` has written and lists in
    ``record.json``; other files in the folder do not enter it. Each table and figure is held
    against its hash there, and the record against its own: what was edited since is refused.

    Parameters
    ----------
    folder : path
        Results of a study, as `Study.run` or ``pyexpr run`` writes them.
    output : path, optional
        Where the report goes; by default ``report.html`` in `folder`.
    altered : bool
        Show what was edited since the run, too, marked as altered wherever it is shown.
    overwrite : bool
        Replace a file, too, that is no report of the package, or a report that was edited.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    StudyError
        The folder holds no results, or only some of them; or a file is not as the run wrote
        it, and `altered` is False.
    OutputError
        The report cannot be written, or would replace a file of the results or of somebody
        else.

    Notes
    -----
    The same results give the same bytes. Missing numbers are dashes, their reasons under
    the table.

    Examples
    --------
    ``study_report("results")`` writes ``results/report.html``. What is no folder of results
    is told apart:

    >>> study_report("no/such/folder")
    Traceback (most recent call last):
    pyexpr.base.errors.StudyError: there is no folder 'no/such/folder'; name the folder that pyexpr run has written (results/ beside the study file)
    """  # noqa: E501
    results = Path(folder)
    record = _record(results)
    target = Path(output) if output is not None else results / REPORT
    _check_target(target, results, record, overwrite=overwrite)
    config = _config(results, record)
    names = _table_files(record)
    figures = sorted(name for name in record["files"] if name.endswith(".svg"))
    files = read_vouched(results, record, [*names.values(), *figures])
    if not altered:
        files.refuse_altered()
    known = known_messages(record["messages"])
    record["stages"] = with_messages(record["stages"], known)
    tables = {
        name: table_with_messages(table, known) for name, table in _tables(files, names).items()
    }
    svg = {name: files.contents[name].decode("utf-8") for name in figures}
    try:
        text = _page(config, record, tables, svg, names, files)
    except (KeyError, DataError, ValueError) as error:
        raise StudyError(
            f"the results in {str(results)!r} cannot be shown: {error}; were they changed, or "
            "written by another version? pyexpr run makes them anew"
        ) from error
    write_text(target, sealed_page(text))
    return target


def report_of_run(
    config: StudyConfig,
    folder: Path,
    record: dict[str, Any],
    stages: Iterable[StageOutput],
    *,
    overwrite: bool,
) -> Path:
    """Write the report of what a run has just computed, from its tables as they are.

    Nothing is read back but the figures; `study_report` makes the same page from the folder.
    """
    target = folder / REPORT
    _check_target(target, folder, record, overwrite=overwrite)
    found = {name: table for output in stages for name, table in output.tables.items()}
    names = {name: file for name, file in _table_files(record).items() if name in found}
    tables = {name: found[name] for name in names if name in _NEEDED or len(found[name])}
    figures = sorted(name for name in record["files"] if name.endswith(".svg"))
    svg = {name: (folder / name).read_text(encoding="utf-8") for name in figures}
    whole = VouchedFiles(folder, {}, ())
    write_text(target, sealed_page(_page(config, record, tables, svg, names, whole)))
    return target


def _page(
    config: StudyConfig,
    record: dict[str, Any],
    tables: dict[str, pd.DataFrame],
    svg: dict[str, str],
    names: dict[str, str],
    files: VouchedFiles,
) -> str:
    """Lay out tables and figures, each with those of its files that are altered."""
    displays = {stem: display for stem, (_, display) in study_tables(config, tables).items()}
    displays |= _more_displays(config, shown_rows(tables))
    marked = {
        stem: files.altered_among(
            names[table] for table in _MADE_OF.get(stem, (stem,)) if table in names
        )
        for stem in displays
    }
    return study_page(
        StudyContent(
            record,
            tables,
            displays,
            {Path(name).stem: text for name, text in svg.items()},
            main_model(performance_rows(tables["comparison"])[0]),
            altered=files.altered,
            altered_tables=marked,
            altered_figures={Path(name).stem: files.altered_among([name]) for name in svg},
        )
    )


def _check_target(target: Path, folder: Path, record: dict[str, Any], *, overwrite: bool) -> None:
    """Raise `OutputError` if the report is not to be written there."""
    inputs = record.get("inputs")
    read = [folder / name for name in (RECORD, *record["files"])]
    # As the study file names them, where the folder lies beside it.
    read += [folder.parent / name for name in (inputs if isinstance(inputs, dict) else ())]
    own = target.is_file() and is_own_page(target)
    check_outputs({"the report": target}, inputs=read, overwrite=overwrite or own)


def _record(folder: Path) -> dict[str, Any]:
    path = folder / RECORD
    mend = "name the folder that pyexpr run has written (results/ beside the study file)"
    # Of a name that is too long, or no name at all, pathlib raises an error.
    if not os.path.isdir(folder):
        raise StudyError(f"there is no folder {str(folder)!r}; {mend}")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyError(
            f"{str(folder)!r} holds no results of a study: it has no record.json; {mend}"
        ) from None
    except (ValueError, OSError) as error:
        raise StudyError(f"{str(path)!r} cannot be read: {error}") from None
    if not isinstance(record, dict) or not {"stages", "options"} <= set(record):
        raise StudyError(f"{str(path)!r} is not the record of a study; {mend}")
    if not (isinstance(record.get("files"), dict) and isinstance(record.get("messages"), dict)):
        raise StudyError(
            f"{str(path)!r} does not list the run's files and messages: it was written by another "
            "version of pyexpr; pyexpr run makes the results anew"
        )
    return record


def _config(folder: Path, record: dict[str, Any]) -> StudyConfig:
    try:
        return StudyConfig.model_validate(record["options"])
    except ValidationError:
        raise StudyError(
            f"the options in {str(folder / RECORD)!r} are not those of this version of "
            "pyexpr; pyexpr run makes the results anew"
        ) from None


def _table_files(record: dict[str, Any]) -> dict[str, str]:
    """Return the file of each table to be shown."""
    files = {name: f"{_FILES.get(name, name)}.csv" for name in (*_NEEDED, *_OPTIONAL)}
    # One that is there but not the run's own is an earlier run's, or the user's.
    return {
        name: file for name, file in files.items() if name in _NEEDED or file in record["files"]
    }


def _tables(files: VouchedFiles, names: dict[str, str]) -> dict[str, pd.DataFrame]:
    found = {}
    for name, file in names.items():
        table = _read(files.folder / file, files.contents[file], name)
        if table is not None:
            found[name] = table
    return found


def _read(path: Path, content: bytes, name: str) -> pd.DataFrame | None:
    """Read a table; None if it has a header only, which for some is an answer."""
    what = f"the table {path.name}"
    try:
        table = csv_table(content, path=path, labels=_LABELS, what=what)
    except DataError as error:
        raise StudyError(f"{error}; pyexpr run makes the results anew") from None
    lacking = [column for column in _STRUCTURED.get(name, ()) if column not in table]
    if lacking:
        raise StudyError(
            f"{what} does not say what its rows compare: it has no column {listed(lacking)}, as "
            "those of earlier versions of pyexpr have none; run the study again (pyexpr run)"
        )
    if len(table):
        return table
    if name in _NEEDED:
        raise StudyError(f"{what} has no rows; pyexpr run makes the results anew")
    return None


def _more_displays(config: StudyConfig, tables: dict[str, pd.DataFrame]) -> dict[str, DisplayTable]:
    """Lay out what is in the report beside the study's tables."""
    confidence = config.compare.confidence
    makers: dict[str, tuple[str, Callable[[pd.DataFrame], DisplayTable]]] = {
        "recordings_summary": ("recordings", recordings_table),
        "clips_left_out": (
            "left_out",
            lambda t: left_out_table(_as_recorded(t, tables), unit=config.unit),
        ),
        "invariance": ("invariance", invariance_table),
        "leakage": ("scores_leakage", lambda t: leakage_table(t, confidence=confidence)),
        "learning_curves": ("learning_curves", _plain_table),
    }
    return {stem: make(tables[name]) for stem, (name, make) in makers.items() if name in tables}


def _as_recorded(frame: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Sort rows by context, in the order of the recordings' table."""
    recorded = tables["recordings"]["context"] if "recordings" in tables else ()
    contexts = dict.fromkeys([*recorded, *tables["scores"]["context"], *frame["context"]])
    return ordered_rows(frame, "context", list(contexts))


def _plain_table(frame: pd.DataFrame) -> DisplayTable:
    text = [name for name in frame if name in _LABELS]
    ordered = frame[[*text, *[name for name in frame if name not in text]]]
    shown = {name: shown_labels(ordered, name) for name in text}
    rows = tuple(
        tuple(shown[name][cell] if name in shown else _plain(cell) for name, cell in row.items())
        for row in ordered.to_dict("records")
    )
    return DisplayTable(
        title="Learning Curves: Errors by Epoch.",
        columns=tuple(display_name(name) for name in ordered),
        rows=rows,
        text_columns=max(1, len(text)),
    )


_TRUTH = {"True": "yes", "False": "no"}


def _plain(cell: Any) -> str:
    return number_text(cell) if isinstance(cell, float) else _TRUTH.get(str(cell), str(cell))
