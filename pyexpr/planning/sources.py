"""Sources of simulated studies: each context of a pilot, or published numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import say
from pyexpr.base.tables import (
    called,
    frame_with_rows,
    label_codes,
    numeric_column,
    require_columns,
)
from pyexpr.core.streams import PLANS, generator
from pyexpr.inference.arguments import checked_names
from pyexpr.inference.clusters import read_clusters
from pyexpr.inference.coefficients.data import read_data
from pyexpr.planning.difference import (
    NormalRows,
    PilotRows,
    correlation_matrix,
    error_covariance,
)
from pyexpr.planning.notes import NO_PILOT
from pyexpr.planning.published import SIZES, read_published
from pyexpr.planning.slope import NormalSlopes, PilotSlopes

if TYPE_CHECKING:
    from numpy.typing import NDArray

WHAT = "the pilot"
#: Fewest subjects of a pilot: fewer show neither how subjects vary nor how skewed they are.
FEWEST = 6
# Tolerance for rounding errors in the check that correlations form a valid matrix.
_ROUNDING = 1e-12


class Sampler(Protocol):
    """Draws studies and tests them."""

    def tests(self, n_subjects: int, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return the estimates and p-values of `n` studies, (2, n); NaN where there is none."""


class Population(Protocol):
    """A population from which studies are drawn."""

    def sampler(self, n_clips: int | None, rng: np.random.Generator) -> Sampler:
        """Return a sampler of studies with this number of clips per subject."""


@dataclass(frozen=True, slots=True)
class Source:
    """One context.

    Attributes
    ----------
    population : Population
    n_pilot : int or None
        Number of subjects of the pilot, if known.
    clips : float
        Mean number of clips of a subject of the pilot; NaN for published numbers.
    most_clips : int or None
        Largest number of clips of a subject.
    observed : float or None
        The pilot's own difference or slope.
    worth : float
        Degrees of freedom of the pilot's variance; NaN without a pilot.
    reason : str
        Why there are no degrees of freedom.
    """

    context: str
    population: Population
    n_pilot: int | None
    clips: float
    most_clips: int | None
    observed: float | None
    worth: float
    reason: str = ""


def enough(n: int, context: str) -> None:
    """Raise `DataError` for a pilot of too few subjects."""
    if n < FEWEST:
        raise DataError(
            say(
                "the pilot{where} has {n} subjects with all values; from fewer than {fewest} it "
                "cannot be seen how subjects vary; use published numbers in {published=}",
                where="" if context == ALL else say(" in context {one:label}", one=context),
                n=n,
                fewest=FEWEST,
            )
        )


def check_pilot(required: Mapping[str, Any]) -> None:
    """Raise `DataError` for an argument that a pilot needs and that is missing."""
    missing = [name for name, value in required.items() if value is None]
    if missing:
        raise DataError(
            say(
                "a plan from a pilot needs {@name=}, which must name columns of the pilot",
                name=missing[0],
            )
        )


def difference_sources(
    pilot: Any,
    *,
    truth: Any,
    predictions: Any,
    cluster: Any,
    context: str | None,
    metric: str,
    difference: float,
    confidence: float,
) -> tuple[list[Source], int]:
    """Return each context of a pilot with predictions, then all rows, and the number left out."""
    frame = frame_with_rows(pilot, what=WHAT)
    if not isinstance(truth, str):
        raise DataError(say("{truth=} must be the name of a column of the pilot"))
    names = checked_names(predictions, argument=say("{predictions=}"))
    if len(names) != 2 or names[0] == names[1]:
        raise DataError(
            say(
                "{predictions=} must name the columns of the two models whose difference is "
                "planned, not {given}",
                given=listed(names),
            )
        )
    require_columns(frame, [truth, *names, *([context] if context else [])], what=WHAT)
    rows = np.column_stack([numeric_column(frame, name, what=WHAT) for name in (truth, *names)])
    used = np.flatnonzero(~np.isnan(rows).any(axis=1))
    if not len(used):
        raise DataError(f"no row of {called(frame, WHAT)} has the truth and both predictions")
    clusters = read_clusters(frame.iloc[used], cluster, what=WHAT)
    if clusters.memberships is not None:
        raise DataError(say("a plan requires one column of subjects in {cluster=}"))
    found = []
    for label, own in _contexts(frame.iloc[used], context):
        present, subject = np.unique(clusters.codes[own], return_inverse=True)
        enough(len(present), label)
        one = PilotRows(
            rows[used[own]], subject.reshape(-1).astype(np.int64), metric, difference,
            (names[0], names[1]), confidence,
        )  # fmt: skip
        found.append(_of_pilot(label, one))
    return found, len(frame) - len(used)


def _contexts(frame: Any, context: str | None) -> list[tuple[str, NDArray[np.intp]]]:
    everything = np.arange(len(frame))
    if context is None:
        return [(ALL, everything)]
    codes, labels = label_codes(frame[context], name=context, what=WHAT, keep_order=True)
    found = [(str(label), np.flatnonzero(codes == c)) for c, label in enumerate(labels)]
    return [*found, (ALL, everything)] if len(found) > 1 else found


def _of_pilot(label: str, one: PilotRows | PilotSlopes) -> Source:
    # This raises an error if the pilot cannot be given the effect.
    one.sampler(None, np.random.default_rng(0))
    return Source(
        context=label,
        population=one,
        n_pilot=one.n_subjects,
        clips=float(one.clips.mean()),
        most_clips=int(one.clips.max()),
        observed=one.observed(),
        worth=one.worth(),
    )


def slope_sources(
    pilot: Any,
    *,
    truth: Any,
    features: Any,
    feature: str | None,
    cluster: Any,
    context: str | None,
    slope: float,
    confidence: float,
) -> tuple[list[Source], int, str]:
    """Return every context of a pilot, then all, the rows left out, and the feature."""
    frame = frame_with_rows(pilot, what=WHAT)
    if not isinstance(truth, str):
        raise DataError(say("{truth=} must be the name of a column of the pilot"))
    names = checked_names(features, argument=say("{features=}"))
    if feature is None and len(names) > 1:
        raise DataError(
            say(
                "{feature=} must name the feature whose slope is planned, one of {names}",
                names=listed(names),
            )
        )
    chosen = names[0] if feature is None else feature
    if chosen not in names:
        raise DataError(
            say("{feature=} must be one of {names}, not {given!r}", names=listed(names),
                given=chosen)
        )  # fmt: skip
    keys = [cluster] if isinstance(cluster, str) else []
    require_columns(frame, [truth, *names, *keys, *([context] if context else [])], what=WHAT)
    if not keys:
        raise DataError(say("{cluster=} must name the column of the subjects"))
    one_context = np.full(len(frame), "all rows") if context is None else frame[context]
    data = read_data(
        frame[[*names, cluster]], frame[truth], context=one_context, cluster=cluster,
        y_pooled=None, rows=None,
    )  # fmt: skip
    found = []
    for model in data.models:
        label = ALL if context is None else model
        enough(len(np.unique(data.subject[data.rows(model)])), label)
        own = PilotSlopes.of(data, model, names.index(chosen), slope, confidence)
        found.append(_of_pilot(label, own))
    return found, data.n_dropped, chosen


def published_difference(
    published: Any, metric: str, difference: float, confidence: float, seed: int
) -> list[Source]:
    """Return the population of published correlations or errors."""
    given = read_published(published, metric)
    if metric == "correlation":
        second = given["correlation"]
        first = second + difference
        both = given["between_models"]
    else:
        second = given["rmse"]
        first = second + difference
        both = given["between_errors"]
    if metric == "rmse":
        if not first > 0 or not second > 0:
            raise DataError(
                say(
                    "the RMSE of both models must be positive, but they are {second:g} and, with "
                    "{difference=}, {first:g}",
                    second=second, first=first, difference=difference,
                )
            )  # fmt: skip
        covariance = error_covariance(first, second, both)
    else:
        covariance = correlation_matrix(first, second, both)
        if np.linalg.eigvalsh(covariance)[0] < -_ROUNDING or abs(first) >= 1:
            raise DataError(
                say(
                    "the correlations of the truth with the two models, {first:g} and {second:g}, "
                    "and of the models with each other, {both:g}, cannot occur together",
                    first=first, second=second, both=both,
                )
            )  # fmt: skip
    population = NormalRows(covariance, given["icc"], metric, difference, confidence)
    return [_of_publication(population, given, seed)]


def published_slope(published: Any, slope: float, seed: int) -> list[Source]:
    """Return the population of a published slope's standard deviations."""
    given = read_published(published, "slope")
    if not given["residual_sd"] > 0:
        raise DataError(say("'residual_sd' in {published=} must be positive"))
    population = NormalSlopes(
        slope, given["residual_sd"], given["icc_feature"], given["icc_residual"],
        given.get("slope_sd", 0.0),
    )  # fmt: skip
    return [_of_publication(population, given, seed)]


def _of_publication(
    population: NormalRows | NormalSlopes, given: Mapping[str, float], seed: int
) -> Source:
    worth, reason, n_pilot = float("nan"), "", None
    if not SIZES.keys() <= given.keys():
        reason = NO_PILOT
    else:
        n_pilot = int(given["n_subjects"])
        worth = population.worth(n_pilot, int(given["n_clips"]), generator(seed, PLANS))
    return Source(
        context=ALL,
        population=population,
        n_pilot=n_pilot,
        clips=float("nan"),
        most_clips=None,
        observed=None,
        worth=worth,
        reason=reason,
    )
