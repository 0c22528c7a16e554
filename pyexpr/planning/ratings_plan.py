"""Plans of studies of reliability: how often the interval of an ICC has the finding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError
from pyexpr.base.messages import Message, say
from pyexpr.base.tables import (
    frame_with_rows,
    numeric_column,
    require_columns,
)
from pyexpr.inference.arguments import checked_names
from pyexpr.measurement.icc.forms import Form, find_form
from pyexpr.measurement.icc.layout import names_of
from pyexpr.planning.notes import (
    NO_PILOT_INTERVAL,
    NO_PUBLISHED_INTERVAL,
    NOTE_ASSURANCE,
    NOTE_BELOW,
    NOTE_LEFT_OUT,
    NOTE_POWER,
    NOTE_RATINGS,
    NOTE_RELIABILITY_OF_PILOT,
)
from pyexpr.planning.published import read_published
from pyexpr.planning.reliability import Components, PilotRatings, components_of_pilot
from pyexpr.planning.result import PlanCell, PlanResult
from pyexpr.planning.simulation import Grid, Simulation
from pyexpr.planning.sources import (
    WHAT,
    check_pilot,
    enough,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


# At the limits of a pilot's reliability, the number of studies is divided by the first number, but
# is at least the second.
_PART, _FEWEST_STUDIES = 4, 100


def plan_ratings(
    pilot: Any,
    finding: str,
    goal: float,
    form: Any,
    grid: Grid,
    how: Simulation,
    *,
    published: Any,
    targets: Any,
    ratings: Any,
    raters: Any,
    cluster: Any,
    context: Any,
) -> PlanResult:
    """Return the plan of a reliability, or of the width of its interval."""
    if form is None:
        raise DataError(say("{form=} must name the form of the ICC, such as 'ICC(A,k)'"))
    chosen, left_out = find_form(form), 0
    if published is not None:
        pilots, reason = [_published_ratings(published, grid, chosen)], NO_PUBLISHED_INTERVAL
    else:
        check_pilot({"targets": targets, "ratings": ratings})
        frame = frame_with_rows(pilot, what=WHAT)
        names = checked_names(targets, argument=say("{targets=}"))
        keys = [*names, *names_of(raters), *names_of(cluster), *names_of(context)]
        require_columns(frame, [ratings, *keys], what=WHAT)
        frame = frame.assign(**{ratings: numeric_column(frame, ratings, what=WHAT)})
        pilots = components_of_pilot(
            frame, targets=names, ratings=ratings, raters=raters, cluster=cluster,
            context=names_of(context), form=chosen, confidence=how.confidence,
        )  # fmt: skip
        for one in pilots:
            enough(one.n_subjects, one.context or ALL)
        reason = None
        left_out = int(frame[ratings].isna().sum())
    if not any(one.components.clustered for one in pilots) and grid.n_clips not in ((None,), (1,)):
        raise DataError(say("{n_clips=} needs the column of the subjects in {cluster=}"))
    cells = list(_rating_cells(pilots, chosen, finding, goal, grid, how, reason))
    return PlanResult(
        cells=tuple(cells),
        finding=finding,
        goal=goal,
        measure=chosen.name,
        source="published" if pilot is None else "pilot",
        pilot_subjects=tuple(
            (one.context or ALL, one.n_subjects) for one in pilots if one.n_subjects
        ),
        confidence=how.confidence,
        n_studies=how.n_studies,
        seed=how.seed,
        power=how.power,
        remarks=_rating_notes(cells, chosen, finding, goal, how, left_out, published=pilot is None),
    )


def _published_ratings(published: Any, grid: Grid, form: Form) -> PilotRatings:
    given = read_published(published, "icc")
    if grid.n_raters == (None,):
        raise DataError(say("a plan from published numbers needs {n_raters=}"))
    limits = [
        given[name] / (1 - given[name]) if given.get(name, 1.0) < 1 else float("nan")
        for name in ("low", "high")
    ]
    several = any(m is not None and m > 1 for m in grid.n_clips)
    parts = Components(
        given["subject"], given.get("clip", 0.0), given.get("rater", 0.0), given["residual"],
        several, *limits,
    )  # fmt: skip
    if not parts.targets > 0 or not parts.error(form) > 0:
        raise DataError(
            say("the variances of subjects or clips, and of the error, in {published=} must be "
                "positive")
        )  # fmt: skip
    return PilotRatings("", parts, 0, 1, 0, float("nan"))


def _rating_cells(
    pilots: Sequence[PilotRatings],
    form: Form,
    finding: str,
    goal: float,
    grid: Grid,
    how: Simulation,
    reason: Message | None,
) -> Iterator[PlanCell]:
    """Yield how often the interval of the ICC has the finding in every design."""
    cells = [
        (c, (n, clips or one.n_clips, raters or one.n_raters))
        for c, one in enumerate(pilots)
        for clips, raters, n in product(grid.n_clips, grid.n_raters, grid.n_subjects)
    ]
    designs = []
    for c, sizes in cells:
        own = pilots[c].components
        designs.append(((c, sizes, own), how.n_studies))
        few = max(_FEWEST_STUDIES, how.n_studies // _PART)
        ends = (own.low, own.high) if own.has_limits() else ()
        designs += [
            ((c, sizes, own.with_signal(end, form)), few) for end in ends if np.isfinite(end)
        ]
    shares: dict[Any, list[float]] = {cell: [] for cell in cells}
    undefined = dict.fromkeys(cells, 0)
    at, rng, hits = None, None, 0
    totals = dict(designs)
    for design, size in how.pieces(designs):
        c, sizes, parts = design
        if design != at:
            # The limits of the pilot use the same random numbers as its estimate.
            at, rng, hits, done = design, how.rng(c, *sizes), 0, 0
        limits = parts.limits(form, sizes, size, rng, how.confidence)
        with np.errstate(invalid="ignore"):
            hit = limits[:, 0] > goal if finding == "reliability" else _half(limits) <= goal
        hits += int(np.count_nonzero(hit))
        done += size
        if not shares[c, sizes]:
            # Only the limits on which the finding depends must exist.
            missing = np.isnan(limits[:, 0] if finding == "reliability" else _half(limits))
            undefined[c, sizes] += int(np.count_nonzero(missing))
        if done == totals[design]:
            shares[c, sizes].append(hits / done)
    for c, sizes in cells:
        one, powers = pilots[c], shares[c, sizes]
        if one.components.has_limits() and np.isinf(one.components.high):
            # Without any error of ratings, every study has the finding.
            powers.append(1.0)
        band = (min(powers), max(powers)) if len(powers) > 1 else (float("nan"), float("nan"))
        average = averaged(powers, how.confidence) if len(powers) > 1 else float("nan")
        n, n_clips, n_raters = sizes
        yield PlanCell(
            one.context or ALL, n, n_clips, n_raters, one.components.reliability(form, n_raters),
            round(powers[0] * how.n_studies), undefined[c, sizes], *band, average,
            "" if len(powers) > 1 else reason or NO_PILOT_INTERVAL(),
        )  # fmt: skip


def averaged(powers: Sequence[float], confidence: float) -> float:
    """Return the power averaged over the reliability, from its estimate and both limits.

    The estimate and the limits have the weights with which three values have the variance of a
    normal distribution.
    """
    from scipy.special import ndtri

    weight = min(0.5, 1 / (2 * float(ndtri((1 + confidence) / 2)) ** 2))
    middle, *ends = powers
    return (1 - 2 * weight) * middle + weight * sum(ends)


def _half(limits: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((limits[:, 1] - limits[:, 0]) / 2)


def _rating_notes(
    cells: Sequence[PlanCell],
    form: Form,
    finding: str,
    goal: float,
    how: Simulation,
    left_out: int,
    *,
    published: bool,
) -> tuple[str, ...]:
    event = (
        say("the lower limit of the interval of {form} is above {goal:g}", form=form.name,
            goal=goal)
        if finding == "reliability"
        else say("half the width of the interval of {form} is at most {goal:g}", form=form.name,
                 goal=goal)
    )  # fmt: skip
    raters = (
        "every target has raters of its own"
        if form.family == "one_way"
        else "all raters rate all clips of all subjects"
    )
    notes: list[str] = [
        NOTE_POWER(n_studies=how.n_studies, event=event),
        NOTE_RATINGS(raters=raters),
    ]
    if not all(np.isnan(cell.pilot_low) for cell in cells):
        source = "the publication" if published else "the pilot"
        notes.append(NOTE_RELIABILITY_OF_PILOT(level=100 * how.confidence, source=source))
        notes.append(NOTE_ASSURANCE(source=source))
    if finding == "reliability" and any(cell.assumed <= goal for cell in cells):
        notes.append(NOTE_BELOW(given=goal))
    if left_out:
        notes.append(NOTE_LEFT_OUT(n=left_out))
    return tuple(notes)
