"""A result with intervals by the jackknife only, without bootstrap replicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Self

from pyexpr.base.errors import DataError
from pyexpr.base.interval_methods import DEFAULT
from pyexpr.base.messages import say
from pyexpr.base.stopping import stoppable
from pyexpr.base.versions import versions
from pyexpr.resampling.result import Drawn, ReplicatedResult, with_intervals

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOTHING_DRAWN = say(
    "the intervals of importance are by jackknife_t, which leaves out each subject both as one who "
    "is predicted and as one whose values are given to others; nothing is drawn"
)


@dataclass(frozen=True, slots=True)
class NoDraws:
    """A placeholder for the source of replicates that other results have.

    Attributes
    ----------
    seed : int
        Seed of the choice of donors.
    clusters : sequence of (G,) int64
        Positions of the subjects in each group of the jackknife.
    """

    seed: int
    clusters: tuple[NDArray[Any], ...]

    @property
    def by_kernel(self) -> bool:
        """Return True: there is nothing to store."""
        return True

    def replicates(self, first: int, n: int) -> Drawn:
        """Refuse: there are none."""
        raise DataError(NOTHING_DRAWN)

    def errors(self, first: int, n: int) -> NoReturn:
        """Refuse: there are none."""
        raise DataError(NOTHING_DRAWN)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class JackknifeOnly(ReplicatedResult):
    """Quantities with intervals by jackknife_t."""

    draws: NoDraws

    @stoppable("intervals were computed", kept="the result is as it was")
    def interval(self, *, method: str | None = None, confidence: float | None = None) -> Self:
        """Return the result with intervals at another level.

        Parameters
        ----------
        method : str, optional
            Only ``jackknife_t`` is available.
        confidence : float, optional
            By default unchanged.
        """
        if method not in (None, DEFAULT):
            raise DataError(NOTHING_DRAWN)
        level = self.intervals.confidence if confidence is None else confidence
        return with_intervals(self, DEFAULT, level, self.intervals.rule)

    def extend(self, n: int) -> NoReturn:
        """Refuse: there are no replicates."""
        raise DataError(NOTHING_DRAWN)

    def join(self, *others: Any) -> NoReturn:
        """Refuse: there are no replicates."""
        raise DataError(NOTHING_DRAWN)

    def _provenance(self, more: dict[str, Any]) -> dict[str, Any]:
        n, n_clusters = self.counts()
        return {
            "method": self.method,
            "confidence": self.intervals.confidence,
            "seed": self.draws.seed,
            "cluster": self.cluster_name,
            "n_clusters": int(max(n_clusters)),
            "n_rows": int(max(n)),
            **more,
            "versions": versions("pandas", "scikit-learn", "scipy"),
        }


def row_text(metric: str, model: str, term: str, context: str) -> str:
    """Return a description of a row."""
    return say(
        "the importance of {term:label} in context {context:label} for {model:model} "
        "({metric:metric})",
        metric=metric, model=model, term=term, context=context,
    )  # fmt: skip


def levels(intervals: Any) -> str:
    """Return what a legend calls the intervals."""
    from pyexpr.words.labels import OF_INTERVALS

    found = f"{100 * intervals.confidence:.10g} % interval (jackknife-t)"
    if intervals.rule is not None:
        found += f"; simultaneous, by {OF_INTERVALS[intervals.rule]}"
    return found


def requested(known: Sequence[str], wanted: Sequence[str] | str | None, argument: str) -> list[str]:
    """Return the rows to draw, in the order of the table."""
    if wanted is None:
        return list(known)
    chosen = [wanted] if isinstance(wanted, str) else list(wanted)
    unknown = [one for one in chosen if one not in known]
    if unknown or not chosen:
        raise DataError(
            say(
                "{@argument=} must name any of {known}, not {given!r}",
                argument=argument, known=", ".join(map(repr, known)), given=wanted,
            )
        )  # fmt: skip
    return [one for one in known if one in chosen]
