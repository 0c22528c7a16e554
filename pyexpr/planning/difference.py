"""Power to find a difference between two models, from a pilot's subjects or published numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.errors import DataError
from pyexpr.base.messages import say
from pyexpr.planning.power import df_of_error, df_of_spread
from pyexpr.resampling.intervals.evidence import Evidence, JackknifeGroup
from pyexpr.resampling.intervals.jackknife import degrees_of_freedom
from pyexpr.resampling.intervals.jackknife_t import jackknife_t

if TYPE_CHECKING:
    from numpy.typing import NDArray

METRICS = ("correlation", "rmse")
# Number of simulated studies of the published size.
_STUDIES = 200
# Largest number of values in memory at once.
_AT_ONCE = 4_000_000
# Change of a subject's weight, for the infinitesimal jackknife.
_STEP = 1e-4
# A variance below this is treated as a rounding error.
_NOTHING = 1e-12


def sums_of(
    y: NDArray[np.float64], a: NDArray[np.float64], b: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what each row adds to the sums of both metrics, (..., 9)."""
    return np.stack([np.ones_like(y), y, a, b, y * y, a * a, b * b, y * a, y * b], axis=-1)


def difference_of(sums: NDArray[np.float64], metric: str) -> NDArray[np.float64]:
    """Return metric of a minus metric of b from sums (..., 9); NaN where it is undefined."""
    n, y, a, b, yy, aa, bb, ya, yb = np.moveaxis(sums, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        if metric == "rmse":
            first, second = (yy - 2 * ya + aa) / n, (yy - 2 * yb + bb) / n
            return np.asarray(np.sqrt(np.maximum(first, 0)) - np.sqrt(np.maximum(second, 0)))
        of_y = yy - y * y / n
        first = (ya - y * a / n) / np.sqrt(of_y * (aa - a * a / n))
        second = (yb - y * b / n) / np.sqrt(of_y * (bb - b * b / n))
    return np.asarray(first - second)


@dataclass(frozen=True, slots=True)
class Tests:
    """What compare_models() computes for the difference in each of several studies, (S,)."""

    estimate: NDArray[np.float64]
    std_error: NDArray[np.float64]
    df: NDArray[np.float64]
    p_value: NDArray[np.float64]
    worth: NDArray[np.float64]  # degrees of freedom of the variance, with kurtosis

    def found(self) -> NDArray[np.float64]:
        """Return the estimates and the p-values, (2, S)."""
        return np.stack([self.estimate, self.p_value])


def jackknife_tests(sums: NDArray[np.float64], metric: str, confidence: float) -> Tests:
    """Test the difference in every study by jackknife_t, from sums per subject (S, n, 9)."""
    total = sums.sum(axis=1)
    values = difference_of(total[:, None, :] - sums, metric)
    rows = sums[..., 0]
    effective = (rows.sum(axis=1) ** 2 / (rows**2).sum(axis=1))[:, None]
    n_studies, n_subjects = values.shape
    evidence = Evidence(
        estimate=difference_of(total, metric),
        scale=["identity"] * n_studies,
        # compare_models() does the same for differences of correlations.
        simple_df=np.full(n_studies, metric == "correlation"),
        null=np.zeros(n_studies),
        replicates=np.empty((n_studies, 0)),
        groups=[JackknifeGroup(np.arange(n_studies), values, (n_subjects,), effective)],
        reason=[""] * n_studies,
        replicate_errors=lambda: np.empty((n_studies, 0)),
    )
    found = jackknife_t(evidence, confidence)
    with np.errstate(divide="ignore", invalid="ignore"):
        worth = degrees_of_freedom(
            values, (n_subjects,), np.zeros(n_studies, dtype=bool), effective
        )
    return Tests(evidence.estimate, found.std_error, found.df, found.p_value, worth)


def tuned(
    rows: NDArray[np.float64],
    weight: NDArray[np.float64],
    metric: str,
    difference: float,
    names: Sequence[str],
    planned: float | None = None,
) -> NDArray[np.float64]:
    """Return rows (n, 3) of truth, a and b with b changed so that a - b is `difference`.

    For correlations a multiple of the truth is added to b, or subtracted; for RMSE the errors of
    b are multiplied. `weight` (n,) holds the weights of the rows in the metric. Errors name the
    difference that was `planned`, by default `difference`.
    """
    y, a, b = rows.T
    planned = difference if planned is None else planned
    weight = weight / weight.sum()
    if metric == "rmse":
        first, second = (float(np.sqrt(weight @ (one - y) ** 2)) for one in (a, b))
        goal = first - difference
        if goal <= 0:
            raise DataError(
                say(
                    "{difference=} is impossible: the RMSE of {name:model} in the pilot is "
                    "{first:.3g}, so that the other model would have no error; choose a smaller "
                    "difference",
                    difference=planned,
                    name=names[0],
                    first=first,
                )
            )
        if second <= 0:
            raise DataError(
                say("the predictions of {name:model} have no error in the pilot", name=names[1])
            )
        return np.column_stack([y, a, y + goal / second * (b - y)])
    y, a, b = (one - weight @ one for one in (y, a, b))
    of_y, of_a, of_b = (float(weight @ one**2) for one in (y, a, b))
    for name, own in zip(("truth", *names), (of_y, of_a, of_b), strict=True):
        if own <= 0:
            raise DataError(say("{name:label} does not vary in the pilot", name=name))
    first = float(weight @ (y * a)) / np.sqrt(of_y * of_a)
    goal = first - difference
    if not -1 < goal < 1:
        raise DataError(
            say(
                "{difference=} is impossible: the correlation of {name:model} in the pilot is "
                "{first:.3f}, and that of the other model would be {goal:.3f}; choose a smaller "
                "difference",
                difference=planned,
                name=names[0],
                first=first,
                goal=first - planned,
            )
        )
    slope = float(weight @ (y * b)) / of_y
    rest = of_b - slope**2 * of_y
    if rest <= _NOTHING * of_b:
        raise DataError(
            say("{name:model} is a linear function of the truth in the pilot", name=names[1])
        )
    wanted = goal / np.sqrt(1 - goal**2) * np.sqrt(rest / of_y)
    return np.column_stack([y, a, b + (wanted - slope) * y])


@dataclass(frozen=True, slots=True)
class PilotRows:
    """Whole subjects of a pilot, drawn with replacement.

    Attributes
    ----------
    rows : ndarray, shape (n, 3)
        Truth and predictions of both models.
    subject : ndarray of int64, shape (n,)
        Codes from 0.
    difference : float
        The difference that the study should find.
    """

    rows: NDArray[np.float64]
    subject: NDArray[np.int64]
    metric: str
    difference: float
    names: tuple[str, str]
    confidence: float

    @property
    def n_subjects(self) -> int:
        """The number of the pilot's subjects."""
        return int(self.subject.max()) + 1

    @property
    def clips(self) -> NDArray[np.int64]:
        """The numbers of clips of the pilot's subjects."""
        return np.bincount(self.subject)

    def observed(self) -> float:
        """Return the pilot's own difference."""
        y, a, b = (self.rows - self.rows[:, 0].mean()).T
        return float(difference_of(sums_of(y, a, b).sum(axis=0), self.metric))

    def worth(self) -> float:
        """Return the degrees of freedom with which the pilot estimates the standard error.

        Without each of its subjects, the second model is given the difference anew: the errors, or
        the correlation, of the first model are the pilot's too.
        """
        goal = self.difference * self.shrinkage()
        found = jackknife_tests(self._at(None, goal).whole()[None], self.metric, self.confidence)
        without = []
        for g in range(self.n_subjects):
            kept = self.subject != g
            own = self.subject[kept]
            part = replace(self, rows=self.rows[kept], subject=own - (own > g))
            try:
                without.append(part._at(None, goal).whole())
            except DataError:
                # Without this subject the difference is impossible.
                continue
        errors = (
            jackknife_tests(np.stack(without), self.metric, self.confidence).std_error
            if without
            else np.empty(0)
        )
        return df_of_error(errors, float(found.worth[0]), self.confidence)

    def sampler(self, n_clips: int | None, rng: np.random.Generator) -> PilotSampler:
        """Return a sampler of studies with at most this number of clips per subject.

        Studies of resampled subjects vary less than those of new subjects. The difference is
        reduced by the same factor, so that its ratio to the standard error is right: see
        `shrinkage`.
        """
        return self._at(n_clips, self.difference * self.shrinkage())

    def shrinkage(self) -> float:
        """Return the standard error among resampled subjects, in units of the jackknife's.

        The standard error among resampled subjects is that of the infinitesimal jackknife. It is
        too small for few subjects, like a variance with divisor G. For a mean the ratio is the
        square root of (G - 1)/G.
        """
        G = self.n_subjects
        whole = self._at(None, self.difference * np.sqrt((G - 1) / G)).whole()
        total = whole.sum(axis=0)
        up, down = (difference_of(total + sign * _STEP * whole, self.metric) for sign in (1, -1))
        infinitesimal = np.sqrt(np.sum(((up - down) / (2 * _STEP)) ** 2))
        error = jackknife_tests(whole[None], self.metric, self.confidence).std_error[0]
        return float(infinitesimal / error)

    def _at(self, n_clips: int | None, goal: float) -> PilotSampler:
        G, clips = self.n_subjects, self.clips
        kept = clips if n_clips is None else np.minimum(clips, n_clips)
        weight = (kept / clips)[self.subject]
        rows = tuned(self.rows - self.rows[:, 0].mean(), weight, self.metric, goal, self.names,
                     planned=self.difference)  # fmt: skip
        each = sums_of(*rows.T)
        # The clips of every subject, padded with zeros.
        order = np.argsort(self.subject, kind="stable")
        place = np.arange(len(order)) - np.repeat(np.cumsum(clips) - clips, clips)
        table = np.zeros((G, int(clips.max()), each.shape[1]))
        table[self.subject[order], place] = each[order]
        return PilotSampler(self, table, n_clips)


@dataclass(frozen=True, slots=True)
class PilotSampler:
    """Draws studies of the pilot's subjects, from what each clip adds to the sums (G, clips, 9)."""

    pilot: PilotRows
    table: NDArray[np.float64]
    n_clips: int | None

    def whole(self) -> NDArray[np.float64]:
        """Return the sums of every subject over all clips, (G, 9)."""
        return np.asarray(self.table.sum(axis=1))

    def tests(self, n_subjects: int, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return the differences and p-values of `n` studies, (2, n); NaN where there is none."""
        one, clips = self.pilot, self.n_clips or 1
        found = [
            jackknife_tests(self._sums(n_subjects, size, rng), one.metric, one.confidence).found()
            for size in pieces_of(n, n_subjects * clips)
        ]
        return np.concatenate(found, axis=1)

    def _sums(self, n_subjects: int, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        G, most, _ = self.table.shape
        who = rng.integers(G, size=(n, n_subjects))
        if self.n_clips is None or self.n_clips >= most:
            return self.whole()[who]
        key = rng.random((n, n_subjects, most))
        key[np.arange(most) >= self.pilot.clips[who][..., None]] = 2.0
        chosen = np.argpartition(key, self.n_clips - 1, axis=2)[..., : self.n_clips]
        # A subject with fewer clips is padded with zeros.
        return np.asarray(self.table[who[..., None], chosen].sum(axis=2))


def pieces_of(n: int, rows: int) -> list[int]:
    """Split `n` studies of this number of rows into pieces that fit in memory."""
    step = max(1, _AT_ONCE // (9 * rows))
    return [min(step, n - first) for first in range(0, n, step)]


@dataclass(frozen=True, slots=True)
class NormalRows:
    """Normal truth and predictions, or errors, with the published correlations.

    Attributes
    ----------
    covariance : ndarray, shape (3, 3)
        The covariance of truth and both predictions; for RMSE that of 0 and both errors.
    icc : float
        Share of the variance that lies between subjects.
    """

    covariance: NDArray[np.float64]
    icc: float
    metric: str
    difference: float
    confidence: float

    def sampler(self, n_clips: int | None, rng: np.random.Generator) -> NormalSampler:
        """Return a sampler of studies with this number of clips per subject."""
        values, vectors = np.linalg.eigh(self.covariance)
        root = vectors * np.sqrt(np.maximum(values, 0))
        assert n_clips is not None
        return NormalSampler(self, root, n_clips)

    def worth(self, n_subjects: int, n_clips: int, rng: np.random.Generator) -> float:
        """Return the degrees of freedom of the standard error of a study of this size."""
        sampler = self.sampler(n_clips, rng)
        errors = [
            jackknife_tests(
                sampler.sums(n_subjects, size, rng), self.metric, self.confidence
            ).std_error
            for size in pieces_of(_STUDIES, n_subjects * n_clips)
        ]
        return df_of_spread(np.concatenate(errors))


@dataclass(frozen=True, slots=True)
class NormalSampler:
    """Draws studies of normal rows."""

    source: NormalRows
    root: NDArray[np.float64]
    n_clips: int

    def sums(self, n_subjects: int, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return sums per subject of `n` studies, (n, n_subjects, 9)."""
        icc = self.source.icc
        shape = (n, n_subjects, self.n_clips, 3)
        own = np.sqrt(icc) * rng.standard_normal((n, n_subjects, 1, 3))
        rows = (own + np.sqrt(1 - icc) * rng.standard_normal(shape)) @ self.root.T
        return np.asarray(sums_of(*np.moveaxis(rows, -1, 0)).sum(axis=2))

    def tests(self, n_subjects: int, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return the differences and p-values of `n` studies, (2, n); NaN where there is none."""
        one = self.source
        found = [
            jackknife_tests(self.sums(n_subjects, size, rng), one.metric, one.confidence).found()
            for size in pieces_of(n, n_subjects * self.n_clips)
        ]
        return np.concatenate(found, axis=1)


def correlation_matrix(first: float, second: float, both: float) -> NDArray[np.float64]:
    """Return the correlations of truth, a and b."""
    return np.array([[1.0, first, second], [first, 1.0, both], [second, both, 1.0]])


def error_covariance(first: float, second: float, both: float) -> NDArray[np.float64]:
    """Return the covariances of 0 and of two errors with these RMSE and this correlation."""
    between = both * first * second
    return np.array([[0.0, 0.0, 0.0], [0.0, first**2, between], [0.0, between, second**2]])
