"""The report of a study: one HTML file from the folder that a run has written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pyexpr.base.csv_file import csv_table
from pyexpr.base.errors import DataError, StudyError, listed
from pyexpr.base.files import whole_file, write_text
from pyexpr.base.outputs import check_outputs
from pyexpr.base.pairs import KIND, PARTS
from pyexpr.report.html.study_page import study_page
from pyexpr.report.outline import Outline, Picture
from pyexpr.report.study_outline import StudyContent, study_outline
from pyexpr.report.study_tables import STUDY_TABLES
from pyexpr.report.word.document import is_own_document, study_document
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.kept.kept_messages import table_with_messages
from pyexpr.study.kept.seal import is_own_page, sealed_page
from pyexpr.study.kept.store import StageOutput
from pyexpr.study.results.displays import LABELS, main_model, performance_rows, study_displays
from pyexpr.study.results.record import damage_explained, read_record, restore_messages
from pyexpr.study.results.verified import RECORD, VerifiedFiles, read_verified

if TYPE_CHECKING:
    import pandas as pd

#: The report's name in the folder of results.
REPORT = "report.html"
_NEEDED = ("comparison", "scores")
_OPTIONAL = (
    "reliability", "loadings", "weights", "recordings", "quality", "tuning", "left_out",
    "scores_leakage", "coefficients", "contrasts", "omnibus", "learning_curves",
    "seed_spread", "repeat_spread", "invariance", "ceiling", "chain", "pooled_slopes",
    "slope_variation",
)  # fmt: skip
_MADE_OF = {one.stem: one.made_of for one in STUDY_TABLES}
# The table of a stage: results of earlier versions have another file for it.
_OF_STAGES = {"reliability": "reliability", "factor_model": "loadings"}
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
    """Write the report of a study: one HTML file that needs nothing else, or a Word document.

    What was studied and found comes first; then the results, with tables that can be sorted and
    copied and figures with their words; then the method, what was not done, and how to cite.
    Nothing is computed: the report shows what `pyexpr run` has written and lists in
    ``record.json``; other files in the folder do not enter it. Each table and figure is held
    against its hash there, and the record against its own: what was edited since is refused.

    Parameters
    ----------
    folder : path
        Results of a study, as `Study.run` or ``pyexpr run`` writes them.
    output : path, optional
        Where the report goes; by default ``report.html`` in `folder`. A name that ends in
        ``.docx`` gives a Word document, with tables and references as APA sets them; it needs
        python-docx (``pip install 'pyexpr-stats[word]'``).
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
        else; or a Word document is to be written, and python-docx is not installed.

    Notes
    -----
    The same results give the same bytes. Missing numbers are dashes, their reasons under
    the table.

    Examples
    --------
    ``study_report("results")`` writes ``results/report.html``. A folder without results
    is refused:

    >>> study_report("no/such/folder")
    Traceback (most recent call last):
    pyexpr.base.errors.StudyError: there is no folder 'no/such/folder'; name the folder that pyexpr run has written (results/ beside the study file)
    """  # noqa: E501
    results = Path(folder)
    record = read_record(results)
    target = Path(output) if output is not None else results / REPORT
    _check_target(target, results, record, overwrite=overwrite)
    word = target.suffix.lower() == ".docx"
    suspect: list[str] = []
    with damage_explained(results, suspect):
        config = _config(results, record)
        names = _table_files(record)
        figures = _figure_files(record, ("svg", "png") if word else ("svg",))
        files = read_verified(results, record, [*names.values(), *figures])
        suspect += files.altered
        if not altered:
            files.refuse_altered()
        known = restore_messages(record)
        tables = {
            name: table_with_messages(table, known) for name, table in _tables(files, names).items()
        }
        pictures = _pictures({name: files.contents[name] for name in figures})
        outline = _outline(config, record, tables, pictures, names, files)
        content = study_document(outline) if word else sealed_page(study_page(outline)).encode()
    with whole_file(target) as temporary:
        temporary.write_bytes(content)
    return target


def report_of_run(
    config: StudyConfig,
    folder: Path,
    record: dict[str, Any],
    stages: Iterable[StageOutput],
    *,
    overwrite: bool,
) -> Path:
    """Write the report of what a run has just computed, directly from its tables.

    Nothing is read back but the figures; `study_report` makes the same page from the folder.
    """
    target = folder / REPORT
    _check_target(target, folder, record, overwrite=overwrite)
    found = {name: table for output in stages for name, table in output.tables.items()}
    names = {name: file for name, file in _table_files(record).items() if name in found}
    tables = {name: found[name] for name in names if name in _NEEDED or len(found[name])}
    figures = _figure_files(record, ("svg",))
    pictures = _pictures({name: (folder / name).read_bytes() for name in figures})
    whole = VerifiedFiles(folder, {}, ())
    outline = _outline(config, record, tables, pictures, names, whole)
    write_text(target, sealed_page(study_page(outline)))
    return target


def _figure_files(record: dict[str, Any], kinds: Iterable[str]) -> list[str]:
    """Return the files of figures that the run wrote, in these kinds."""
    wanted = {f".{kind}" for kind in kinds}
    return sorted(name for name in record["files"] if Path(name).suffix in wanted)


def _pictures(contents: dict[str, bytes]) -> dict[str, Picture]:
    """Return figures by their stems: each from its SVG and, where it is read, its PNG."""
    return {
        Path(name).stem: Picture(
            content.decode("utf-8"), contents.get(f"{name.removesuffix('svg')}png", b"")
        )
        for name, content in contents.items()
        if name.endswith(".svg")
    }


def _outline(
    config: StudyConfig,
    record: dict[str, Any],
    tables: dict[str, pd.DataFrame],
    pictures: dict[str, Picture],
    names: dict[str, str],
    files: VerifiedFiles,
) -> Outline:
    """Lay out tables and figures, each with those of its files that are altered."""
    displays = study_displays(config, tables)
    marked = {
        stem: files.altered_among(names[table] for table in _MADE_OF[stem] if table in names)
        for stem in displays
    }
    return study_outline(
        StudyContent(
            record,
            tables,
            displays,
            pictures,
            main_model(performance_rows(tables["comparison"])[0]),
            altered=files.altered,
            altered_tables=marked,
            altered_figures={
                stem: files.altered_among([f"figures/{stem}.{kind}" for kind in ("svg", "png")])
                for stem in pictures
            },
        )
    )


def _check_target(target: Path, folder: Path, record: dict[str, Any], *, overwrite: bool) -> None:
    """Raise `OutputError` if the report is not to be written there."""
    inputs = record.get("inputs")
    read = [folder / name for name in (RECORD, *record["files"])]
    # As the study file names them, where the folder lies beside it.
    read += [folder.parent / name for name in (inputs if isinstance(inputs, dict) else ())]
    own = target.is_file() and (is_own_page(target) or is_own_document(target))
    check_outputs({"the report": target}, inputs=read, overwrite=overwrite or own)


def _config(folder: Path, record: dict[str, Any]) -> StudyConfig:
    try:
        return StudyConfig.model_validate(record["options"])
    except ValidationError:
        raise StudyError(
            f"the options in {str(folder / RECORD)!r} are not those of this version of pyexpr; "
            "pyexpr run creates the results again"
        ) from None


def _table_files(record: dict[str, Any]) -> dict[str, str]:
    """Return the file of each table to be shown."""
    files = {name: f"{name}.csv" for name in (*_NEEDED, *_OPTIONAL)}
    for stage, name in _OF_STAGES.items():
        if stage in record["stages"] and files[name] not in record["files"]:
            raise StudyError(
                f"the record does not list {files[name]}: the results were written by another "
                "version of pyexpr; pyexpr run creates them again"
            )
    # One that is there but not the run's own is an earlier run's, or the user's.
    return {
        name: file for name, file in files.items() if name in _NEEDED or file in record["files"]
    }


def _tables(files: VerifiedFiles, names: dict[str, str]) -> dict[str, pd.DataFrame]:
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
        table = csv_table(content, path=path, labels=LABELS, what=what)
    except DataError as error:
        raise StudyError(f"{error}; pyexpr run creates the results again") from None
    missing = [column for column in _STRUCTURED.get(name, ()) if column not in table]
    if missing:
        raise StudyError(
            f"{what} does not identify what its rows compare: it has no column "
            f"{listed(missing)} and may be from an earlier version of pyexpr; run the study "
            "again (pyexpr run)"
        )
    if len(table):
        return table
    if name in _NEEDED:
        raise StudyError(f"{what} has no rows; pyexpr run creates the results again")
    return None
