"""The published results of the paper, values recomputed from them, and a simulated study."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyexpr.base.checks import is_whole
from pyexpr.base.errors import DataError, StudyError
from pyexpr.base.files import writable_folder, write_text
from pyexpr.base.messages import say
from pyexpr.base.outputs import check_folder_outputs
from pyexpr.base.results import Result
from pyexpr.base.stopping import stoppable
from pyexpr.base.versions import versions
from pyexpr.core.streams import checked_seed
from pyexpr.paper import published_numbers
from pyexpr.paper.rows import Figure, PaperRow, counts, paper_rows
from pyexpr.paper.simulated import analyse_simulated
from pyexpr.paper.tables import PAPER_TABLES, paper_page, paper_stem, paper_tables
from pyexpr.report.tables.files import TABLE_FORMATS, write_table
from pyexpr.simulation.simulate import MOST_SUBJECTS

if TYPE_CHECKING:
    import pandas as pd

    from pyexpr.report.tables.display import DisplayTable

PAPER_SUBJECTS = 140
# The test part of the split is a fifth; with fewer subjects its intervals do not exist.
FEWEST_SUBJECTS = 15
# Arguments for a quick trial, which does everything with less data.
QUICK = {"subjects": 20, "n_boot": 200}
PAGE = "paper.html"
# The form of a status after a number of rows, if it differs.
_OF_MANY = {"agrees": "agree", "misprint": "misprints"}
_NOTES = (
    "The simulation was designed to approximate tables 1 and 2 and the correlations of table 3 "
    "(docs/simulation.md). Agreement with these shows that the analysis recovers the simulated "
    "effects, not that the paper is right.",
    "Published numbers are rounded; 'within rounding' means that some numbers that round to "
    "them agree.",
    "The paper drew a new split for every context; here one split is used for all.",
    "3D-CNN and OpenFace-LSTM are not run here.",
)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PaperResult(Result):
    """The paper's tables compared with recomputed values and with a simulated study.

    Attributes
    ----------
    rows : tuple of PaperRow
        One row per published number.
    subjects, seed, n_boot : int
        Arguments of the simulated study.
    engine : str
        The engine that fitted its factor models.
    """

    rows: tuple[PaperRow, ...]
    subjects: int
    seed: int
    n_boot: int
    engine: str

    def tidy(self) -> pd.DataFrame:
        """Return one row per published number.

        Columns: table, context, quantity, item; paper, recomputed, simulated, each also with
        ``_low`` and ``_high`` (NaN if there is none); status (``agrees``, ``explained``,
        ``misprint``, ``not simulated``, ``open``), remark.
        """
        import pandas as pd

        return pd.DataFrame([_flat(row) for row in self.rows])

    def displays(self) -> dict[str, DisplayTable]:
        """Return the formatted tables, by the table of the paper."""
        return paper_tables(self.tidy())

    def write(self, folder: Path | str, *, overwrite: bool = False) -> list[Path]:
        """Write ``paper.csv``, ``paper.html`` and every table (CSV, Markdown, LaTeX, HTML).

        Parameters
        ----------
        folder : path
            Created if needed. `OutputError` is raised if it cannot be written.
        overwrite : bool
            Whether to replace existing files with these names. Otherwise `OutputError` names them.

        Returns
        -------
        list of Path
        """
        check_paper_folder(folder, overwrite=overwrite)
        target = writable_folder(folder)
        table = self.tidy()
        written = [target / "paper.csv", target / PAGE]
        write_text(written[0], table.to_csv(index=False, lineterminator="\n"))
        text = paper_page(
            table, heading=self.heading(), notes=self.notes(), versions=versions("scipy")
        )
        write_text(written[1], text)
        for name, display in self.displays().items():
            own = table[table["table"] == name]
            written += write_table(own, display, target, paper_stem(name))
        return written

    def heading(self) -> str:
        """Return a sentence that summarises the comparison."""
        found = counts(self.rows)
        listed = ", ".join(
            f"{number} {_OF_MANY.get(status, status)}" for status, number in found.items() if number
        )
        return (
            f"{published_numbers.SOURCE}: {len(self.rows)} rows beside a simulated study of "
            f"{self.subjects} subjects (seed {self.seed}): {listed}"
        )

    def notes(self) -> tuple[str, ...]:
        """Return notes on the interpretation."""
        return _NOTES

    def provenance(self) -> dict[str, Any]:
        """Return arguments, engine and versions."""
        return {
            "subjects": self.subjects,
            "seed": self.seed,
            "n_boot": self.n_boot,
            "engine": self.engine,
            "versions": versions("scipy"),
        }


def check_paper_folder(folder: Path | str, *, overwrite: bool) -> None:
    """Raise `OutputError` if `PaperResult.write` would replace files, unless `overwrite`."""
    names = [f"{paper_stem(name)}.{kind}" for name in PAPER_TABLES for kind in TABLE_FORMATS]
    check_folder_outputs(
        Path(folder), ["paper.csv", PAGE, *names], overwrite=overwrite, what="the paper's tables"
    )


def _flat(row: PaperRow) -> dict[str, Any]:
    flat: dict[str, Any] = {
        "table": row.table, "context": row.context, "quantity": row.quantity, "item": row.item,
    }  # fmt: skip
    figures: dict[str, Figure] = {
        "paper": row.paper, "recomputed": row.recomputed, "simulated": row.simulated,
    }  # fmt: skip
    for name, figure in figures.items():
        values = asdict(figure)
        flat |= {
            name: values["value"],
            f"{name}_low": values["low"],
            f"{name}_high": values["high"],
        }
    return flat | {"status": row.status, "remark": row.remark}


@stoppable("a study of the paper's size was simulated and analysed")
def reproduce_paper(
    *,
    subjects: int = PAPER_SUBJECTS,
    seed: int = 1,
    n_boot: int = 2000,
    progress: bool | None = None,
) -> PaperResult:
    r"""Compare the paper's results with recomputed values and with a simulated study.

    The following values are recomputed from the published numbers: the intervals of tables 1, 5 and
    6; the residual variances, Bartlett weights and reliability of the scores of table 2; the
    expected performance of the random baselines of table 3, and the highest performance of a single
    rater that is consistent with tables 1 and 2; and table 4 from table 3. A simulated study of the
    size of the paper, in memory, gives all results except those of pilot studies and neural
    networks.

    Parameters
    ----------
    subjects : int, default 140
        Number of subjects of the simulated study, at least 15.
    seed : int, default 1
        Seed of all random numbers.
    n_boot : int, default 2000
        Number of replicates of each bootstrap.
    progress : bool, optional
        Whether to show progress. By default it is shown if standard error is a terminal.

    Returns
    -------
    PaperResult
        ``tidy()`` has one row per published number, with a status and a remark; ``write(folder)``
        writes tables and a page.

    Raises
    ------
    DataError
        If an argument is out of range.
    StudyError
        If the simulated study cannot be analysed, which may happen with few subjects.

    Notes
    -----
    The label is a Bartlett score with the variance :math:`1 + 1/I`, where :math:`I = \sum
    \lambda^2 / \theta`. A baseline u that is independent of it has the expected NRMSE
    :math:`\sqrt{Var(u) + 1 + 1/I}\,/\,7`, where Var(u) is 49/12 (uniform) or 1 (normal), and the
    expected correlation 0 with the standard error :math:`1/\sqrt{n - 1}`. There are no missing
    values. Source: Lin, Girard and Morency (2020).

    Examples
    --------
    >>> result = reproduce_paper(subjects=15, n_boot=100, progress=False)
    >>> table = result.tidy()
    >>> table.loc[table["status"] == "misprint", ["table", "context", "item"]].values.tolist()
    [['5', 'startle', 'motion'], ['5', 'fear', 'emotion']]
    """
    _check(subjects, n_boot)
    seed = checked_seed(seed)
    show = sys.stderr.isatty() if progress is None else progress
    start = time.perf_counter()

    def say(stage: str) -> None:
        if show:
            print(f"{time.perf_counter() - start:5.1f} s  {stage}", file=sys.stderr)

    try:
        found = analyse_simulated(subjects=subjects, seed=seed, n_boot=n_boot, show=show, say=say)
    except StudyError as error:
        # With few subjects a factor model may be inadmissible, as in any small study.
        raise StudyError(
            f"the simulated study of {subjects} subjects with seed {seed} cannot be analysed; give "
            f"another seed, or more subjects ({error})"
        ) from None
    say("side by side")
    return PaperResult(
        rows=tuple(paper_rows(found)),
        subjects=subjects,
        seed=seed,
        n_boot=n_boot,
        engine=str(found["factor_model"].facts["engine"]),
    )


def _check(subjects: int, n_boot: int) -> None:
    for name, value, low, high in (
        ("subjects", subjects, FEWEST_SUBJECTS, MOST_SUBJECTS),
        ("n_boot", n_boot, 1, 10_000_000),
    ):
        if not is_whole(value) or not low <= value <= high:
            raise DataError(
                say(
                    "{@name=} must be a whole number from {low} to {high}, not {value!r}",
                    name=name,
                    low=low,
                    high=high,
                    value=value,
                )
            )
