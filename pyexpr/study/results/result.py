"""The results of a study, of one label or of several."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import StudyError
from pyexpr.base.files import write_text
from pyexpr.base.messages import say
from pyexpr.base.outputs import check_outputs
from pyexpr.base.results import Result
from pyexpr.behavior.features.quality import QUALITY
from pyexpr.inference.arguments import checked_names
from pyexpr.inference.error_slopes import ErrorSlopesResult, error_slopes
from pyexpr.report.html.outcomes_page import Outcome, outcomes_page
from pyexpr.study.file.config import StudyConfig
from pyexpr.study.kept.seal import is_own_page, sealed_page
from pyexpr.study.kept.store import StageOutput
from pyexpr.study.results.displays import main_model, performance_rows
from pyexpr.study.results.report import REPORT, study_report
from pyexpr.study.results.verified import RECORD
from pyexpr.study.tables.inputs import CLIP_KEY

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StudyResult(Result):
    """The results of a study.

    Attributes
    ----------
    config : StudyConfig
        Every choice, defaults included.
    folder : Path
        Where tables, figures and ``record.json`` were written.
    stages : dict of str to StageOutput
        Tables and facts of each stage.
    record : dict
        What ``record.json`` holds: versions, seed, hashes of the inputs and of the files
        written, options, dropped rows, and the hash of all this itself (``sha256``).
    reused : tuple of str
        The stages whose stored result was still valid.
    """

    config: StudyConfig
    folder: Path
    stages: dict[str, StageOutput]
    record: dict[str, Any]
    reused: tuple[str, ...]

    def table(self, name: str) -> pd.DataFrame:
        """Return one table of the study by its name.

        Names, where the study has them: reliability, loadings, parameters, invariance,
        invariance_contrasts, scores, features, quality, recordings, dropped_clips, split,
        predictions, weights, tuning, left_out, comparison, scores_leakage, coefficients,
        contrasts, omnibus; with ``ceiling`` under ``[compare]`` also ceiling; with
        ``bootstrap = "chain"`` there also chain; with ``pooling`` under ``[coefficients]`` also
        pooled_slopes (`PooledCoefficientResult.tidy`) and slope_variation (its ``variation()``);
        with
        ``fit_on = "train"`` also training_scores, training_loadings; with
        deep models also learning_curves and seed_spread.
        """
        for output in self.stages.values():
            if name in output.tables:
                return output.tables[name]
        known = [key for output in self.stages.values() for key in output.tables]
        raise KeyError(f"the study has no table {name!r}; it has {known}")

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return all tables by their names."""
        return {name: t for output in self.stages.values() for name, t in output.tables.items()}

    @property
    def main_model(self) -> str:
        """The model whose differences from the others are reported: the first that learns."""
        return main_model(performance_rows(self.table("comparison"))[0])

    def error_slopes(
        self,
        properties: str | Iterable[str] = QUALITY,
        *,
        predictions: str | Iterable[str] | None = None,
        confidence: float | None = None,
        cr: str = "CR2",
    ) -> ErrorSlopesResult:
        """Estimate how the errors of the models depend on the quality of the recordings.

        The predictions are those of the models over all contexts, whose label has one scale; if
        the study has none, those of the models of each context.

        Parameters
        ----------
        properties : str or list of str
            Columns of the table "quality" (by default the share of valid frames and the mean
            confidence of a clip), or of the table of features.
        predictions : str or list of str, optional
            The models, by default all that learn.
        confidence : float, optional
            Level of the intervals, by default that of the study.
        cr : str
            As for `px.error_slopes`.

        Raises
        ------
        StudyError
            If the label is a class, or the study has no such property.
        """
        if self.config.label.classified:
            raise StudyError("the label is a class, so its predictions have no absolute error")
        names = checked_names(properties, argument=say("{properties=}"))
        rows = self.table("predictions")
        over_all = rows["evaluated"] == ALL
        # Without models over all contexts those of the contexts.
        rows = rows[over_all] if over_all.any() else rows
        tables = self.tables()
        for name in names:
            known = next(
                (own for own in ("quality", "features") if name in tables.get(own, ())), None
            )
            if known is None or name in rows:
                raise StudyError(
                    say(
                        "{properties=}: the study has no column {name!r} of recordings or features",
                        name=name,
                    )
                )
            rows = rows.merge(tables[known][[*CLIP_KEY, name]], on=CLIP_KEY, how="left")
        learned = [*self.stages["models"].facts["models"], *self.config.models.deep()]
        return error_slopes(
            rows,
            truth="truth",
            predictions=[name for name in learned if name in rows and rows[name].notna().any()]
            if predictions is None
            else predictions,
            properties=names,
            cluster="subject",
            context="context" if rows["context"].nunique() > 1 else None,
            confidence=self.config.compare.confidence if confidence is None else confidence,
            cr=cr,
        )

    def report(
        self,
        output: Path | str | None = None,
        *,
        altered: bool = False,
        overwrite: bool = False,
    ) -> Path:
        """Write the report again, by default ``report.html`` in `folder`; see `px.study_report`.

        `output` is another place for it; `altered` and `overwrite` are as there.
        """
        return study_report(self.folder, output=output, altered=altered, overwrite=overwrite)

    def tidy(self) -> pd.DataFrame:
        """Return performance and differences of the models, per context and over all."""
        return self.table("comparison")

    def heading(self) -> str:
        """Return what was studied, in one sentence."""
        counts = self.stages["models"].facts["subjects"]
        simulated = " (simulated data)" if self.config.simulated else ""
        evaluation = (
            f"{self.config.evaluation.folds} folds"
            if self.config.evaluation.crossed
            else f"{counts['train']} training, {counts['validation']} validation, "
            f"{counts['test']} test"
        )
        return (
            f"{self.config.title}{simulated}: {sum(counts.values())} subjects "
            f"({evaluation}); results in {self.folder}"
        )

    def notes(self) -> tuple[str, ...]:
        """Return the notes of the analysis."""
        return tuple(self.record["notes"])

    def provenance(self) -> dict[str, Any]:
        """Return the record."""
        return self.record


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class OutcomesResult(Result):
    """The results of a study of several labels, each as a study of its own.

    Attributes
    ----------
    title : str
    folder : Path
        Where ``report.html`` leads to the reports of the labels, each in a folder under its name.
    outcomes : dict of str to StudyResult
        By label.
    """

    title: str
    folder: Path
    outcomes: dict[str, StudyResult]

    def tidy(self) -> pd.DataFrame:
        """Return performance and differences of all labels' models; column outcome: the label."""
        import pandas as pd

        tables = []
        for name, result in self.outcomes.items():
            table = result.tidy()
            table.insert(0, "outcome", name)
            tables.append(table)
        return pd.concat(tables, ignore_index=True)

    def heading(self) -> str:
        """Return what was studied, in one sentence."""
        return (
            f"{self.title}: {len(self.outcomes)} outcomes ({', '.join(self.outcomes)}); results in "
            f"{self.folder}"
        )

    def notes(self) -> tuple[str, ...]:
        """Return the notes of the analysis of each label."""
        return tuple(
            f"{name}. {note}" for name, result in self.outcomes.items() for note in result.notes()
        )

    def provenance(self) -> dict[str, Any]:
        """Return the records by label."""
        return {name: result.record for name, result in self.outcomes.items()}

    def report(self, *, altered: bool = False, overwrite: bool = False) -> Path:
        """Write the reports again, and the page that leads to them.

        `altered` and `overwrite` are as in `px.study_report`.
        """
        for result in self.outcomes.values():
            result.report(altered=altered, overwrite=overwrite)
        return self.write_index(overwrite=overwrite)

    def write_index(self, *, overwrite: bool = False) -> Path:
        """Write the page that leads to the reports; `overwrite` is as in `report`."""
        outcomes = [
            Outcome(name, f"{name}/{REPORT}", result.record, result.tables(), result.main_model)
            for name, result in self.outcomes.items()
        ]
        target = self.folder / REPORT
        read = [result.folder / RECORD for result in self.outcomes.values()]
        own = target.is_file() and is_own_page(target)
        check_outputs({"the report": target}, inputs=read, overwrite=overwrite or own)
        write_text(target, sealed_page(outcomes_page(self.title, outcomes)))
        return target
