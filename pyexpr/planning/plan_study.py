"""How many subjects, clips and raters a study needs, by simulation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import confidence_level, is_whole, real_number, whole_number
from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import say
from pyexpr.base.options import FORMER_CONTEXT, explains
from pyexpr.base.stopping import stoppable
from pyexpr.core.streams import checked_seed
from pyexpr.planning.difference import METRICS
from pyexpr.planning.notes import (
    NOTE_ASSURANCE,
    NOTE_CHOSEN,
    NOTE_CHOSEN_SLOPE,
    NOTE_ERROR_OF_PILOT,
    NOTE_LEFT_OUT,
    NOTE_NORMAL,
    NOTE_POWER,
    NOTE_RMSE,
    NOTE_SUBJECTS,
)
from pyexpr.planning.power import assured, band, effect_ratios, noncentralities
from pyexpr.planning.ratings_plan import plan_ratings
from pyexpr.planning.result import PlanCell, PlanResult, checked_power
from pyexpr.planning.simulation import Grid, Simulation
from pyexpr.planning.sources import (
    Source,
    check_pilot,
    difference_sources,
    published_difference,
    published_slope,
    slope_sources,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pyexpr.base.foreign import FrameLike

_NOT_TAKEN = {
    "n_boot": "the planned analyses use their default methods, which require no draws",
    "method": "the planned analyses use their default methods",
    "adjust": "one test is planned",
}
# The largest design. Its sizes are parts of the key of its random numbers.
_MOST = {"n_subjects": 100_000, "n_clips": 10_000, "n_raters": 1_000}
_MOST_ROWS = 1_000_000
_FEWEST = {"n_subjects": 4, "n_clips": 1, "n_raters": 2}
# Power planned from pilots of 8, 14 and 30 subjects with skewed errors, and the true power, from
# docs/coverage_plans.md.
_OPTIMISM = {"small": 0.24, "middle": 0.20, "large": 0.16, "true": 0.12}
_FINDINGS = ("difference", "slope", "reliability", "width")
# Which arguments each finding uses, beyond those that all use.
_USES = {
    "difference": ("metric", "truth", "predictions"),
    "slope": ("truth", "features", "feature"),
    "reliability": ("form", "targets", "ratings", "raters", "n_raters"),
    "width": ("form", "targets", "ratings", "raters", "n_raters"),
}


@stoppable("studies were simulated")
@explains(not_taken=_NOT_TAKEN, renamed=FORMER_CONTEXT)
def plan_study(
    pilot: FrameLike | None = None,
    *,
    n_subjects: int | Iterable[int],
    n_clips: int | Iterable[int] | None = None,
    n_raters: int | Iterable[int] | None = None,
    difference: float | None = None,
    slope: float | None = None,
    reliability: float | None = None,
    width: float | None = None,
    metric: str | None = None,
    truth: str | None = None,
    predictions: Sequence[str] | None = None,
    features: str | Sequence[str] | None = None,
    feature: str | None = None,
    form: str | None = None,
    targets: str | Sequence[str] | None = None,
    ratings: str | None = None,
    raters: str | None = None,
    cluster: str | None = None,
    context: str | None = None,
    published: dict[str, float] | None = None,
    power: float = 0.8,
    confidence: float = 0.95,
    n_studies: int = 1000,
    seed: int = 0,
    progress: bool | None = None,
) -> PlanResult:
    r"""Compute the power of studies of several sizes, by simulation from a pilot.

    Studies are simulated and analysed as this package analyses them by default. The power is the
    proportion of studies with the finding: a difference between two models (`compare_models`), a
    slope (`context_coefficients`), a reliability above a value, or a reliability that is estimated
    to within a value (`icc`). Exactly one of `difference`, `slope`, `reliability` and `width` must
    be given.

    Parameters
    ----------
    pilot : DataFrame, optional
        The table of a pilot study, one row per clip, or per rating for `reliability` and `width`.
        Rows with a missing value are left out. At least six subjects are required. Give either
        `pilot` or `published`.
    n_subjects : int or list of int
        Numbers of subjects of the planned study.
    n_clips : int or list of int, optional
        Numbers of clips per subject; in slopes over several contexts, per subject and context. By
        default each subject has the clips of the pilot. For differences and slopes the clips of a
        pilot's subject are chosen at random without replacement, and a number above that of the
        pilot's subject with most clips is an error, because the pilot does not show what further
        clips would add. A subject with fewer clips has all of its clips.
    n_raters : int or list of int, optional
        Numbers of raters, for `reliability` and `width`; by default that of the pilot.
    difference : float, optional
        Difference of the metric between the first and the second model, in the unit of the metric:
        the smallest that matters, not the one that the pilot shows. The predictions of the second
        model are changed so that the difference has this value.
    slope : float, optional
        Slope of `feature`, in units of the truth per standard deviation of the feature (pooled
        within contexts, as in `context_coefficients`).
    reliability : float, optional
        Value that the lower limit of the interval of the ICC should exceed.
    width : float, optional
        Value that half the width of the interval of the ICC should not exceed.
    metric : {"correlation", "rmse"}, optional
        Metric of `difference`, over all rows of a context.
    truth : str, optional
        Column of the truth, for `difference` and `slope`.
    predictions : list of two str, optional
        Columns of the predictions of the two models.
    features : str or list of str, optional
        Columns of the features of the planned regression.
    feature : str, optional
        The feature whose slope is to be found; required if there are several.
    form : str, optional
        Form of the ICC, such as ``"ICC(A,k)"``.
    targets, ratings, raters
        Columns of the pilot's ratings, as for `icc`.
    cluster : str, optional
        Column of the subjects. Required for `difference` and `slope`. For ratings it is optional:
        with it, the clips of a subject are not treated as independent; without it, each target is a
        subject with one clip.
    context : str, optional
        Column of the contexts. Each is planned separately; differences and slopes are also planned
        over all rows.
    published : dict, optional
        Published numbers instead of a pilot. For differences of correlations: ``correlation`` (of
        the second model with the truth), ``between_models`` (correlation of the predictions) and
        ``icc`` (share of the variance between subjects, of truth and predictions). For differences
        of RMSE: ``rmse`` (of the second model), ``between_errors`` (correlation of the errors) and
        ``icc`` (of the errors). For slopes: ``residual_sd`` (standard deviation of the truth around
        the line), ``icc_feature``, ``icc_residual``, and optionally ``slope_sd`` (standard
        deviation of the slopes of subjects; 0 if it is not given). For reliabilities: the variances
        ``subject`` and ``residual``, optionally ``clip`` and ``rater`` (otherwise 0), and ``low``
        and ``high``, the interval of the reliability of one rating. ``n_subjects`` and ``n_clips``
        are the size of the published study of a difference or a slope, from which its uncertainty
        follows.
    power : float
        The power that the study should have, for ``required()`` and ``plot()``.
    confidence : float
        Level of the planned intervals; a difference or slope is found if p < 1 - confidence. Also
        the level of the interval of the simulation and of the band of the pilot.
    n_studies : int
        Simulated studies of each design.
    seed : int
        Seed of the simulation. A design has the same random numbers whatever else is planned.
    progress : bool, optional
        Whether a progress bar is shown. By default in a terminal.

    Returns
    -------
    PlanResult
        ``tidy()``, ``required()``, ``plot()``, ``notes()``. ``tidy()`` has the power, and the
        assurance, the power averaged over what the pilot leaves open.

    Raises
    ------
    ColumnError
        If a column does not exist or does not contain numbers.
    DataError
        If the pilot has fewer than six subjects, the difference or slope is 0, the population
        cannot have it, or an argument is missing, unknown or not used.
    Interrupted
        If Ctrl-C is pressed. Nothing is kept.

    Notes
    -----
    A pilot's subjects are drawn with replacement, whole, so that skewness, unequal numbers of clips
    and differences between subjects are those of the pilot. Studies of resampled subjects vary less
    than studies of new subjects, for a mean of G subjects by the factor :math:`\sqrt{(G - 1)/G}`.
    Effects are therefore reduced so that their ratio to the standard error is right: the difference
    is multiplied by the ratio of the infinitesimal jackknife's standard error to the jackknife's,
    and the slope by the ratio of the standard error of CR0 to that of CR2. The correlation of the
    second model is changed by adding a multiple of the truth to its predictions, its RMSE by
    multiplying its errors, and a slope by adding a multiple of the feature to the truth. Published
    numbers are simulated with normal distributions. Ratings are simulated from variance components
    (of a pilot by REML) with normal distributions, all raters rating all clips.

    The interval of the simulation is Wilson's (1927). The band of the pilot shows another
    uncertainty. For differences and slopes, the standard error estimated from the pilot is
    uncertain by the factors :math:`\sqrt{\nu / \chi^2_\nu}`. The logarithm of such a factor has
    the variance :math:`\psi'(\nu / 2) / 4`, with the trigamma function :math:`\psi'`, and
    :math:`\nu` is chosen so that it is :math:`v (t / z)^2`. Here v is the jackknife variance of the
    logarithm of the standard error, where the second model is given the difference anew without
    each subject; t and z are the quantiles of Student's t, with the degrees of freedom of v, and of
    the normal distribution. :math:`\nu` is at most the degrees of freedom of v, because a variance
    that is known with few degrees of freedom may be much larger than it seems, and at most
    :math:`2 / (2/(G - 1) + \kappa/G)`, where :math:`\kappa` is the excess kurtosis of the
    subjects' pseudo-values; it is at least 1. The
    noncentrality is estimated as that of the t test with the simulated power, and as the mean of
    the simulated estimates divided by their standard deviation. The smaller is divided by the
    largest factor, and the larger by the smallest factor. For reliabilities, studies are simulated
    (a quarter of `n_studies`, at least 100) with the variance of the targets at which the
    reliability is the lower and the upper limit of the interval of the pilot.

    The assurance is the power averaged over these factors (O'Hagan, Stevens and Campbell, 2005).
    For reliabilities it is a weighted mean of the power at the estimate and at both limits. The
    weights, :math:`1 - 1/z^2` and twice :math:`1/(2 z^2)`, are those with which the three values
    have the variance of a normal distribution.

    Checked against: power of the t test (statsmodels), Bonett (2002), Walter, Eliasziw and Donner
    (1998), `compare_models`, `context_coefficients` and `icc` on the simulated tables; power,
    assurance and coverage of the band by simulation, in ``docs/coverage_plans.md``.

    References
    ----------
    Bonett, D. G. (2002). Statistics in Medicine, 21, 1331-1335. https://doi.org/10.1002/sim.1108
    O'Hagan, A., Stevens, J. W. and Campbell, M. J. (2005). Pharmaceutical Statistics, 4, 187-201.
    https://doi.org/10.1002/pst.175
    Walter, S. D., Eliasziw, M. and Donner, A. (1998). Statistics in Medicine, 17, 101-110.
    Wilson, E. B. (1927). Journal of the American Statistical Association, 22, 209-212.
    https://doi.org/10.1080/01621459.1927.10502953

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> y = np.repeat(rng.normal(size=14), 6) + rng.normal(size=84)
    >>> pilot = pd.DataFrame({"subject": np.repeat(np.arange(14), 6), "y": y,
    ...                       "new": y + 1.5 * rng.normal(size=84),
    ...                       "old": y + 2.0 * rng.normal(size=84)})
    >>> plan = plan_study(pilot, difference=0.1, metric="correlation", truth="y",
    ...                   predictions=["new", "old"], cluster="subject",
    ...                   n_subjects=[20, 60], n_studies=200)
    >>> list(plan.tidy().columns[:6])
    ['context', 'n_subjects', 'n_clips', 'assumed', 'power', 'conf_low']
    """
    goals = {"difference": difference, "slope": slope, "reliability": reliability, "width": width}
    finding, goal = _finding(goals)
    used = {
        "metric": metric, "truth": truth, "predictions": predictions, "features": features,
        "feature": feature, "form": form, "targets": targets, "ratings": ratings, "raters": raters,
        "n_raters": n_raters,
    }  # fmt: skip
    for name, value in used.items():
        if value is not None and name not in _USES[finding]:
            raise DataError(
                say("{@name=} is not used with {@finding=}; leave it out", name=name,
                    finding=finding)
            )  # fmt: skip
    if (pilot is None) == (published is None):
        raise DataError(say("give either the table of a pilot or {published=}"))
    if published is not None:
        columns = {**used, "cluster": cluster, "context": context}
        for name in ("metric", "form", "n_raters"):
            del columns[name]
        for name, value in columns.items():
            if value is not None:
                raise DataError(
                    say("{@name=} names columns of a pilot, and there is none with {published=}; "
                        "leave it out", name=name)
                )  # fmt: skip
    if context is not None and not isinstance(context, str):
        raise DataError(say("{context=} must be the name of one column"))
    grid = Grid(
        _numbers(n_subjects, "n_subjects"),
        (None,) if n_clips is None else _numbers(n_clips, "n_clips"),
        (None,) if n_raters is None else _numbers(n_raters, "n_raters"),
    )
    rows = max(grid.n_subjects) * (grid.n_clips[-1] or 1) * (grid.n_raters[-1] or 1)
    if rows > _MOST_ROWS:
        raise DataError(
            say(
                "the largest design has {rows:,} rows; at most {most:,} can be simulated",
                rows=rows,
                most=_MOST_ROWS,
            )
        )
    how = Simulation(
        whole_number(n_studies, argument="n_studies", least=10),
        confidence_level(confidence),
        checked_seed(seed),
        progress,
        checked_power(power),
    )
    if finding in ("reliability", "width"):
        return plan_ratings(
            pilot, finding, goal, form, grid, how, published=published, targets=targets,
            ratings=ratings, raters=raters, cluster=cluster, context=context,
        )  # fmt: skip
    measure = _metric(metric) if finding == "difference" else ""
    left_out = 0
    if finding == "difference" and pilot is not None:
        check_pilot({"truth": truth, "predictions": predictions, "cluster": cluster})
        sources, left_out = difference_sources(
            pilot, truth=truth, predictions=predictions, cluster=cluster, context=context,
            metric=measure, difference=goal, confidence=how.confidence,
        )  # fmt: skip
    elif finding == "difference":
        sources = published_difference(published, measure, goal, how.confidence, how.seed)
    elif pilot is not None:
        check_pilot({"truth": truth, "features": features, "cluster": cluster})
        sources, left_out, measure = slope_sources(
            pilot, truth=truth, features=features, feature=feature, cluster=cluster,
            context=context, slope=goal, confidence=how.confidence,
        )  # fmt: skip
    else:
        measure = "the feature"
        sources = published_slope(published, goal, how.seed)
    _check_clips(sources, grid)
    return PlanResult(
        cells=tuple(_effect_cells(sources, grid, how, goal)),
        finding=finding,
        goal=goal,
        measure=measure,
        source="published" if pilot is None else "pilot",
        pilot_subjects=tuple((one.context, one.n_pilot) for one in sources if one.n_pilot),
        confidence=how.confidence,
        n_studies=how.n_studies,
        seed=how.seed,
        power=how.power,
        remarks=_effect_notes(sources, finding, measure, how, left_out, published=pilot is None),
    )


def _finding(goals: dict[str, float | None]) -> tuple[str, float]:
    given = [name for name, value in goals.items() if value is not None]
    if len(given) != 1:
        raise DataError(
            say(
                "give exactly one of {difference=}, {slope=}, {reliability=} and {width=}, which "
                "say what the study is to find"
            )
        )
    name = given[0]
    goal = real_number(goals[name], argument=name)
    if name in ("difference", "slope") and goal == 0:
        raise DataError(
            say(
                "{@name=} is 0, and no study can find that; give the smallest {name} that matters",
                name=name,
            )
        )
    if name in ("reliability", "width") and not 0 < goal < 1:
        raise DataError(say("{@name=} must be between 0 and 1, not {given}", name=name, given=goal))
    return name, goal


def _numbers(given: Any, argument: str) -> tuple[int, ...]:
    one = is_whole(given) or isinstance(given, (str, bytes)) or not np.iterable(given)
    items = [given] if one else list(given)
    if not items:
        raise DataError(say("{@argument=} has no numbers", argument=argument))
    found = {whole_number(one, argument=argument, least=_FEWEST[argument]) for one in items}
    if max(found) > _MOST[argument]:
        raise DataError(
            say("{@argument=} must be at most {most:,}, not {given}", argument=argument,
                most=_MOST[argument], given=max(found))
        )  # fmt: skip
    return tuple(sorted(found))


def _metric(metric: Any) -> str:
    if metric not in METRICS:
        raise DataError(
            say("{metric=} must be one of {names}, not {given!r}", names=listed(METRICS),
                given=metric)
        )  # fmt: skip
    return str(metric)


def _check_clips(sources: Sequence[Source], grid: Grid) -> None:
    """Raise `DataError` if numbers of clips are missing, or larger than in the pilot."""
    for source in sources:
        if source.most_clips is None and grid.n_clips == (None,):
            raise DataError(say("a plan from published numbers needs {n_clips=}"))
        beyond = [m for m in grid.n_clips if m and source.most_clips and m > source.most_clips]
        if beyond:
            raise DataError(
                say(
                    "{n_clips=} is {n}, but no subject of the pilot{where} has more than {most} "
                    "clips, so that it does not show what further clips would add; use at most "
                    "{most}, or {published=}",
                    n=beyond[0],
                    where=""
                    if source.context == ALL
                    else say(" in context {one:label}", one=source.context),
                    most=source.most_clips,
                )
            )


def _effect_cells(
    sources: Sequence[Source], grid: Grid, how: Simulation, goal: float
) -> Iterator[PlanCell]:
    """Yield the power of every design to find a difference or slope."""
    designs = [
        (c, clips, n) for c, clips, n in product(range(len(sources)), grid.n_clips, grid.n_subjects)
    ]
    alpha = 1 - how.confidence
    parts: dict[tuple[int, int | None, int], list[NDArray[np.float64]]] = {
        design: [] for design in designs
    }
    at, rng, sampler = None, None, None
    for design, size in how.pieces([(design, how.n_studies) for design in designs]):
        c, clips, n = design
        if design != at:
            at, rng = design, how.rng(c, n, clips)
            sampler = sources[c].population.sampler(clips, rng)
        assert sampler is not None
        parts[design].append(sampler.tests(n, size, rng))
    for c, clips in product(range(len(sources)), grid.n_clips):
        # Estimates and p-values of the studies of each number of subjects.
        found = np.array([
            np.concatenate(parts[c, clips, n], axis=1) for n in grid.n_subjects
        ])  # fmt: skip
        hits = np.count_nonzero(found[:, 1] < alpha, axis=1)
        undefined = np.count_nonzero(np.isnan(found[:, 1]), axis=1)
        source = sources[c]
        low, high, average = _left_open(source.worth, grid.n_subjects, found[:, 0], hits, how)
        for i, n in enumerate(grid.n_subjects):
            yield PlanCell(
                source.context, n, source.clips if clips is None else clips, 0, goal, int(hits[i]),
                int(undefined[i]), low[i], high[i], average[i], source.reason,
            )  # fmt: skip


def _left_open(
    worth: float,
    n: Sequence[int],
    estimates: NDArray[np.float64],
    hits: NDArray[np.int64],
    how: Simulation,
) -> list[list[float]]:
    """Return the limits of the power, and its average over what the pilot leaves open, (3, n).

    `estimates` (n, n_studies) are the differences or slopes of the simulated studies.
    """
    if np.isnan(worth):
        return [[float("nan")] * len(n)] * 3
    alpha, power = 1 - how.confidence, hits / how.n_studies
    found = noncentralities(n, power, how.n_studies, alpha=alpha)
    ratios = effect_ratios(estimates)
    low, high, average = [], [], []
    for size, own, other, simulated in zip(
        n, found.tolist(), ratios.tolist(), power.tolist(), strict=True
    ):
        limits = band((own, other), worth, size - 1.0, how.confidence)
        # The noncentrality of a power of 1 is bounded.
        low.append(min(limits[0], simulated))
        high.append(max(limits[1], simulated))
        average.append(assured(own, worth, size - 1.0, alpha))
    return [low, high, average]


def _effect_notes(
    sources: Sequence[Source],
    finding: str,
    measure: str,
    how: Simulation,
    left_out: int,
    *,
    published: bool,
) -> tuple[str, ...]:
    alpha = 1 - how.confidence
    event = say("p < {alpha:g} for the {finding}", alpha=round(alpha, 12), finding=finding)
    notes: list[str] = [NOTE_POWER(n_studies=how.n_studies, event=event)]
    if published:
        equal, what = (
            ("all clips of equal weight", "truth and predictions")
            if finding == "difference"
            else ("equal numbers of clips", "truth and feature")
        )
        notes.append(NOTE_NORMAL(equal=equal, what=what))
    else:
        notes.append(NOTE_SUBJECTS())
        if measure == "rmse":
            notes.append(NOTE_RMSE(**_OPTIMISM))
        template = NOTE_CHOSEN if finding == "difference" else NOTE_CHOSEN_SLOPE
        observed = ", ".join(
            f"{one.observed:.3g}" + (f" ({one.context})" if len(sources) > 1 else "")
            for one in sources
        )
        notes.append(template(observed=observed))
    sizes = sorted({one.n_pilot for one in sources if one.n_pilot})
    if sizes:
        numbers = " to ".join(str(one) for one in dict.fromkeys((sizes[0], sizes[-1])))
        whose = f"the {numbers} subjects of the {'published study' if published else 'pilot'}"
        notes.append(NOTE_ERROR_OF_PILOT(level=100 * how.confidence, source=whose))
        notes.append(NOTE_ASSURANCE(source=whose))
    if left_out:
        notes.append(NOTE_LEFT_OUT(n=left_out))
    return tuple(notes)
