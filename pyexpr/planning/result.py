"""The result of `plan_study`: the table, the numbers needed, and the figure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import real_number
from pyexpr.base.errors import DataError
from pyexpr.base.messages import joined, message_column, say
from pyexpr.base.results import Result
from pyexpr.base.versions import versions
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.planning.notes import AT_SMALLEST, BAND_BEYOND, NOT_REACHED, NOTE_UNDEFINED
from pyexpr.planning.plot import plan_figure
from pyexpr.planning.power import needed, wilson

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class PlanCell:
    """One design of a plan, and what its simulated studies found.

    Attributes
    ----------
    context : str
    n_subjects : int
    n_clips : float
        Clips per subject; the mean of the pilot if its numbers of clips are used.
    n_raters : int
        Number of raters; 0 if the plan has none.
    assumed : float
        The difference, the slope, or the reliability in the simulated population.
    found, n_undefined : int
        Studies with the finding, and without a test or interval.
    pilot_low, pilot_high : float
        Limits of the power that the pilot and the simulation leave open.
    assurance : float
        The power averaged over what the pilot leaves open.
    reason : str
        Why these are missing.
    """

    context: str
    n_subjects: int
    n_clips: float
    n_raters: int
    assumed: float
    found: int
    n_undefined: int
    pilot_low: float
    pilot_high: float
    assurance: float
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PlanResult(Result):
    """The power of studies of several sizes, by simulation.

    Attributes
    ----------
    cells : tuple of PlanCell
    finding : str
        What is to be found: "difference", "reliability", "width" or "slope".
    goal : float
        Its size.
    measure : str
        The metric, the form of the ICC, or the feature.
    source : str
        "pilot" or "published".
    pilot_subjects : tuple of (str, int)
        Number of the pilot's subjects in each context; empty if published numbers do not state it.
    confidence : float
        Level of the planned intervals, of Wilson's interval and of the pilot's band.
    n_studies : int
        Simulated studies of each design.
    seed : int
    power : float
        The power that the study should have.
    remarks : tuple of str
        Notes on how the studies were simulated.
    """

    cells: tuple[PlanCell, ...]
    finding: str
    goal: float
    measure: str
    source: str
    pilot_subjects: tuple[tuple[str, int], ...]
    confidence: float
    n_studies: int
    seed: int
    power: float
    remarks: tuple[str, ...] = ()

    @property
    def rated(self) -> bool:
        """Say whether the plan has raters."""
        return self.finding in ("reliability", "width")

    def tidy(self) -> pd.DataFrame:
        """Return one row per context and design.

        Columns: context ("all" for all rows), n_subjects, n_clips (per subject), n_raters (of
        reliabilities only), assumed (the difference, slope or reliability in the simulated
        population), power, conf_low, conf_high (interval of the simulation), pilot_low, pilot_high
        (band of the uncertainty of the pilot), assurance (power averaged over this uncertainty),
        n_studies, n_undefined, reason (why the band and the assurance are missing).
        """
        import pandas as pd

        rows = []
        for cell in self.cells:
            low, high = wilson(cell.found, self.n_studies, self.confidence)
            rows.append({
                **self._design(cell),
                "assumed": cell.assumed,
                "power": cell.found / self.n_studies,
                "conf_low": low,
                "conf_high": high,
                "pilot_low": cell.pilot_low,
                "pilot_high": cell.pilot_high,
                "assurance": cell.assurance,
                "n_studies": self.n_studies,
                "n_undefined": cell.n_undefined,
            })  # fmt: skip
        table = pd.DataFrame(rows)
        return table.assign(reason=message_column(cell.reason for cell in self.cells))

    def _design(self, cell: PlanCell) -> dict[str, Any]:
        clips = int(cell.n_clips) if self._whole_clips() else cell.n_clips
        found = {"context": cell.context, "n_subjects": cell.n_subjects, "n_clips": clips}
        return {**found, "n_raters": cell.n_raters} if self.rated else found

    def _whole_clips(self) -> bool:
        return all(cell.n_clips == int(cell.n_clips) for cell in self.cells)

    def required(self, power: float | None = None) -> pd.DataFrame:
        """Return the number of subjects with which the power reaches a value.

        One row per context, number of clips and number of raters. Columns: those of the design,
        power (the requested), n_subjects, conf_low, conf_high (numbers at the limits of the
        interval of the simulation), pilot_low, pilot_high (numbers at the limits of the band of
        the pilot: at its upper and at its lower limit), assured (number at which the assurance
        reaches the value), reason. A number that is not within the
        plan is missing, or is the smallest of the plan, and ``reason`` says so. Between the
        numbers of the plan it is interpolated.

        Parameters
        ----------
        power : float, optional
            Between 0 and 1. By default that of the plan.

        Raises
        ------
        DataError
            If `power` is not between 0 and 1.

        Examples
        --------
        >>> from pyexpr.planning.plan_study import plan_study
        >>> plan = plan_study(
        ...     difference=0.15, metric="correlation", n_subjects=[20, 40, 80], n_clips=5,
        ...     published={"correlation": 0.4, "between_models": 0.5, "icc": 0.3}, n_studies=200
        ... )
        >>> plan.required(power=0.8)["n_subjects"].tolist()
        [65.0]
        """
        import pandas as pd

        goal = self.power if power is None else checked_power(power)
        rows = []
        for cells in self._curves():
            n = [cell.n_subjects for cell in cells]
            limits = np.array(
                [wilson(cell.found, self.n_studies, self.confidence) for cell in cells]
            )
            own = np.array([cell.found / self.n_studies for cell in cells])
            estimate, low, high = (
                needed(n, one, goal) for one in (own, limits[:, 1], limits[:, 0])
            )
            band = [
                needed(n, np.array([getattr(cell, name) for cell in cells]), goal)
                if not any(math.isnan(getattr(cell, name)) for cell in cells)
                else _NAN
                for name in ("pilot_high", "pilot_low", "assurance")
            ]
            numbers = [estimate, low, high, *band]
            reasons = [cells[-1].reason]
            if math.isinf(estimate):
                reasons.append(NOT_REACHED(goal=100 * goal, n=n[-1]))
            elif estimate == n[0]:
                reasons.append(AT_SMALLEST(goal=100 * goal, n=n[0]))
            if not math.isinf(estimate) and any(map(math.isinf, numbers)):
                reasons.append(BAND_BEYOND(n=n[-1]))
            design = self._design(cells[0])
            del design["n_subjects"]
            names = (
                "n_subjects", "conf_low", "conf_high", "pilot_low", "pilot_high", "assured"
            )  # fmt: skip
            shown = [_NAN if math.isinf(one) else one for one in numbers]
            rows.append({
                **design, "power": goal, **dict(zip(names, shown, strict=True)),
                "reason": joined(reasons),
            })  # fmt: skip
        table = pd.DataFrame(rows)
        return table.assign(reason=message_column(row["reason"] for row in rows))

    def _curves(self) -> Iterator[list[PlanCell]]:
        """Yield the cells that differ only in the number of subjects, in increasing order."""
        found: dict[tuple[str, float, int], list[PlanCell]] = {}
        for cell in self.cells:
            found.setdefault((cell.context, cell.n_clips, cell.n_raters), []).append(cell)
        yield from found.values()

    @drawn("contexts")
    def plot(
        self,
        *,
        power: float | None = None,
        names: Mapping[Any, str] | None = None,
        width_mm: float = FULL_WIDTH_MM,
    ) -> Figure:
        """Draw power by the number of subjects, with a panel per context.

        There is a line per number of clips and of raters. The vertical line is the interval of
        the simulation, the band the uncertainty of the pilot.

        Parameters
        ----------
        power : float, optional
            Where the dashed line is drawn. By default at the power of the plan.

        Examples
        --------
        >>> from pyexpr.planning.plan_study import plan_study
        >>> plan = plan_study(
        ...     difference=0.2, metric="correlation", n_subjects=[20, 40], n_clips=5,
        ...     published={"correlation": 0.4, "between_models": 0.5, "icc": 0.3}, n_studies=50
        ... )
        >>> plan.plot().axes[0].get_xticks().tolist()
        [20, 40]
        """
        return plan_figure(
            self.tidy(),
            power=self.power if power is None else checked_power(power),
            confidence=self.confidence,
            names=names,
            width_mm=width_mm,
        )

    def heading(self) -> str:
        """Return a sentence that says what was computed."""
        what = {
            "difference": f"a difference of {self.goal:g} in {self.measure}",
            "slope": f"a slope of {self.goal:g} of {self.measure}",
            "reliability": f"that {self.measure} is above {self.goal:g}",
            "width": f"{self.measure} to within {self.goal:g}",
        }[self.finding]
        return (
            f"Power to {'estimate' if self.finding == 'width' else 'find'} {what}, by "
            f"{self.n_studies} simulated studies per design; {100 * self.confidence:g} % intervals"
        )

    def notes(self) -> tuple[str, ...]:
        """Return what power means here, how studies were simulated, and what is uncertain."""
        undefined = any(cell.n_undefined for cell in self.cells)
        return (*self.remarks, *([NOTE_UNDEFINED()] if undefined else []))

    def provenance(self) -> dict[str, Any]:
        """Return what was planned, the source, level, number of studies, seed and versions."""
        return {
            "finding": self.finding,
            "goal": self.goal,
            "measure": self.measure,
            "source": self.source,
            "pilot_subjects": dict(self.pilot_subjects),
            "confidence": self.confidence,
            "n_studies": self.n_studies,
            "seed": self.seed,
            "power": self.power,
            "versions": versions("scipy"),
        }


def checked_power(power: Any) -> float:
    """Return a power between 0 and 1, or raise `DataError`."""
    goal = real_number(power, argument="power")
    if not 0 < goal < 1:
        raise DataError(say("{power=} must be between 0 and 1, not {given}", given=power))
    return goal
