"""The tables and figures of a study, from its stages to files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pyexpr.base.csv_text import csv_text
from pyexpr.base.files import writable_folder, write_text
from pyexpr.figures.plotting import save
from pyexpr.report.study_figures import STUDY_FIGURES, drawn, filled, planned
from pyexpr.report.study_tables import WITH_FILES
from pyexpr.report.tables.files import TABLE_FORMATS, write_table
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.kept.store import StageOutput
from pyexpr.study.results.displays import shown_rows, study_displays, study_frames
from pyexpr.study.tables.inputs import Inputs

if TYPE_CHECKING:
    import pandas as pd

# Tables of the stages that are results in their own right, written as CSV.
_PLAIN = (
    "parameters",
    "invariance",
    "invariance_contrasts",
    "scores",
    "features",
    "quality",
    "recordings",
    "dropped_clips",
    "split",
    "left_out",
    "tuning",
    "predictions",
    "comparison",
    "ceiling",
    "chain",
    "scores_leakage",
    "learning_curves",
)
_INVARIANCE = ("invariance", "invariance_contrasts")
# What a study has only with a factor model, with recordings, or with one split.
_OF_FACTOR = frozenset({"parameters", "scores_leakage", "loadings"})
_OF_RECORDINGS = frozenset({"quality", "recordings", "dropped_clips"})
_OF_SPLIT = frozenset({"split", "scores_leakage"})
# Of a label that is a number.
_OF_NUMBERS = frozenset({"coefficients", "contrasts", "omnibus"})
#: The notes of the analysis, one per line.
NOTES = "analysis_notes.txt"


def render(
    config: StudyConfig, folder: Path, stages: dict[str, StageOutput], notes: Iterable[str] = ()
) -> Iterator[Path]:
    """Write all tables (CSV, Markdown, LaTeX, HTML), figures (SVG, PNG) and the notes.

    Yield their paths.
    """
    found = {name: table for output in stages.values() for name, table in output.tables.items()}
    for name in _PLAIN:
        # A study of one context has no invariance, and one without deep models no curves.
        if name in found:
            path = folder / f"{name}.csv"
            write_text(path, csv_text(found[name]))
            yield path
    yield _notes_file(folder, notes)
    frames = found | study_frames(config, found)
    for stem, display in study_displays(config, found).items():
        if stem in WITH_FILES:
            yield from write_table(frames[stem], display, folder, stem)
    yield from _draw(config, writable_folder(folder / "figures"), found)


def planned_files(config: StudyConfig, inputs: Inputs) -> list[str]:
    """Return what `render` may write for a study, before anything of it is computed."""
    several, deep = len(inputs.contexts) > 1, config.models.deep()
    left_out = set() if several else {"contrasts", "omnibus", *_INVARIANCE}
    if config.label.method != "factor":
        left_out |= {*_OF_FACTOR, *_INVARIANCE}
    if not config.factor_model.invariance:
        left_out |= set(_INVARIANCE)
    if not deep:
        left_out |= {"learning_curves", "seed_spread"}
    if not inputs.rated:
        left_out.add("reliability")
    if not inputs.recorded:
        left_out |= _OF_RECORDINGS
    if config.evaluation.crossed:
        left_out |= _OF_SPLIT
    if not config.evaluation.crossed or config.evaluation.repeats == 1:
        left_out.add("repeat_spread")
    if config.compare.ceiling == "none":
        left_out.add("ceiling")
    if not config.compare.chained:
        left_out |= {"chain", "whole_analysis", "whole_analysis_steps"}
    if config.coefficients.pooling == "none":
        left_out |= {"pooled_slopes", "slope_variation"}
    if config.models.elastic_net is None:
        left_out |= {"weights", "tuning"}
    if config.label.classified:
        left_out |= _OF_NUMBERS
    if len(config.compare.methods) == 1:
        left_out.add("other_methods")
    names = [f"{name}.csv" for name in _PLAIN if name not in left_out]
    names += [
        f"{stem}.{kind}" for stem in WITH_FILES if stem not in left_out for kind in TABLE_FORMATS
    ]
    return [*names, NOTES] + [
        f"figures/{stem}.{kind}"
        for figure in STUDY_FIGURES
        if figure.needs not in left_out and not (figure.of_numbers and config.label.classified)
        for stem in planned(figure, deep)
        for kind in ("svg", "png")
    ]


def _notes_file(folder: Path, notes: Iterable[str]) -> Path:
    path = folder / NOTES
    write_text(path, "".join(f"{' '.join(note.splitlines())}\n" for note in notes))
    return path


def _draw(config: StudyConfig, folder: Path, found: dict[str, pd.DataFrame]) -> Iterator[Path]:
    record = {"options": config.model_dump(mode="json")}
    simulated = " Simulated data." if config.simulated else ""
    for stem, shown, figure in drawn(record, shown_rows(found)):
        yield from save(
            figure.draw(shown),
            folder / stem,
            title=filled(figure.title, record, shown.model),
            description=f"{figure.words(shown)}{simulated}",
        )
