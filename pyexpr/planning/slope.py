"""Power to find a slope, from a pilot's subjects or published numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError
from pyexpr.base.messages import say
from pyexpr.inference.coefficients.data import CoefficientData, pooled_scale
from pyexpr.inference.coefficients.slopes import SlopeSpace, least_squares_problem, slope_space
from pyexpr.planning.power import df_of_error, df_of_spread
from pyexpr.planning.slope_tests import Products, Sums, slope_tests, studies_at_once
from pyexpr.resampling.intervals.jackknife import kurtosis_df

if TYPE_CHECKING:
    from numpy.typing import NDArray


#: Subjects that a slope of a pilot must be worth.
FEWEST_EFFECTIVE = 3


def fitted(data: CoefficientData, model: str, cr: str = "CR2") -> SlopeSpace:
    """Return the slopes of one context or over all, as context_coefficients() tests them."""
    return slope_space(data, (model,), [], method="least_squares", cr=cr, seed=0, n_threads=1)


def _error(data: CoefficientData, model: str, feature: int, cr: str = "CR2") -> float:
    """Return the standard error of a slope; NaN where there is none."""
    if data.constant[:, feature].all():
        return float("nan")
    try:
        space = fitted(data, model, cr)
    except DataError:
        return float("nan")
    contrast = space.weights([(0, feature, 1.0)])
    assert contrast is not None
    return float(space.slopes.contrasts(contrast[None, :]).std_error[0])


def tested(data: CoefficientData, model: str, feature: int) -> tuple[float, float]:
    """Return a slope per unit of the feature, and its p-value.

    They are NaN if context_coefficients() does not test the slope.
    """
    if data.constant[:, feature].all():
        return float("nan"), float("nan")
    try:
        space = fitted(data, model)
    except DataError:
        # The features are linearly dependent in the subjects that were drawn.
        return float("nan"), float("nan")
    estimate = float(space.slopes.coef[space.slot[0, feature]]) / data.scale[feature]
    return estimate, float(space.tests([space.weights([(0, feature, 1.0)])]).p_value[0])


def _data(
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    context: NDArray[np.int64],
    subject: NDArray[np.int64],
    n_subjects: int,
    like: tuple[tuple[str, ...], tuple[str, ...]],
) -> CoefficientData:
    features, contexts = like
    scale, constant = pooled_scale(X, context, len(contexts))
    return CoefficientData(
        X, y, y, features, context, contexts, subject, tuple(range(n_subjects)), "subject", 0,
        scale, constant,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class PilotSlopes:
    """Whole subjects of a pilot, drawn with replacement; the truth is given the wanted slope.

    Attributes
    ----------
    data : CoefficientData
        The pilot's rows of the model: of one context, or all of them.
    model : str
        The context, or "all".
    feature : int
        Position of the feature whose slope is to be found.
    slope : float
        Change of the truth per standard deviation of the feature.
    confidence : float
        Level of the test.
    """

    data: CoefficientData
    model: str
    feature: int
    slope: float
    confidence: float

    @classmethod
    def of(
        cls, data: CoefficientData, model: str, feature: int, slope: float, confidence: float
    ) -> PilotSlopes:
        """Return it from all rows of a pilot; `DataError` if least squares cannot be used."""
        name = data.features[feature]
        why = least_squares_problem(data, [model], "context")
        if why:
            raise DataError(
                say(
                    "slopes are planned by least squares, but {why}; give fewer names in "
                    "{features=}",
                    why=why,
                )
            )
        where = data.constant if model == ALL else data.constant[[data.contexts.index(model)]]
        if where[:, feature].all():
            raise DataError(
                say(
                    "{name:label} does not vary in context {context:label} of the pilot",
                    name=name,
                    context=model,
                )
            )
        rows = data.rows(model)
        present, subject = np.unique(data.subject[rows], return_inverse=True)
        contexts = data.contexts if model == ALL else (model,)
        code = data.context[rows] if model == ALL else np.zeros(len(rows), dtype=np.int64)
        own = replace(
            data, X=data.X[rows], y=data.y[rows], y_tested=data.y[rows], context=code,
            contexts=contexts, subject=subject.reshape(-1).astype(np.int64),
            subjects=tuple(range(len(present))), constant=where,
        )  # fmt: skip
        space = fitted(own, model)
        contrast = space.weights([(0, feature, 1.0)])
        worth = space.n_effective(contrast)
        if space.why_missing([0], feature) or worth < FEWEST_EFFECTIVE:
            raise DataError(
                say(
                    "the slope of {name:label} rests on few subjects of the pilot, equivalent to "
                    "{worth:.1f} subjects; from fewer than {fewest} it cannot be seen how slopes "
                    "vary",
                    name=name,
                    worth=worth,
                    fewest=FEWEST_EFFECTIVE,
                )
            )
        return cls(own, model, feature, slope, confidence)

    @property
    def n_subjects(self) -> int:
        """The number of the pilot's subjects."""
        return len(self.data.subjects)

    @property
    def clips(self) -> NDArray[np.int64]:
        """The numbers of clips of the pilot's subjects, the largest of any context."""
        found = np.zeros(self.n_subjects, dtype=np.int64)
        for c in range(len(self.data.contexts)):
            own = self.data.subject[self.data.context == c]
            found = np.maximum(found, np.bincount(own, minlength=self.n_subjects))
        return found

    def observed(self) -> float:
        """Return the pilot's own slope."""
        space = fitted(self.data, self.model)
        return float(space.slopes.coef[space.slot[0, self.feature]])

    def worth(self) -> float:
        """Return the degrees of freedom with which the pilot estimates the standard error."""
        data, G = self.data, self.n_subjects
        space = fitted(data, self.model)
        contrast = space.weights([(0, self.feature, 1.0)])
        assert contrast is not None
        influence = np.asarray(space.slopes.influences(contrast[None, :])).reshape(1, -1)
        errors = np.empty(G)
        like: Any = data.features, data.contexts
        for g in range(G):
            rows = np.flatnonzero(data.subject != g)
            own = data.subject[rows]
            part = _data(
                data.X[rows], data.y[rows], data.context[rows], own - (own > g), G - 1, like
            )
            # The slope is per unit of the feature, whose standard deviation changes with the
            # subjects.
            errors[g] = _error(part, self.model, self.feature) / part.scale[self.feature]
        return df_of_error(errors, float(kurtosis_df(influence)[0]), self.confidence)

    def shrinkage(self) -> float:
        """Return the standard error among resampled subjects, in units of CR2's.

        The standard error among resampled subjects is the uncorrected one (CR0), which is too small
        for few subjects.
        """
        one, other = (_error(self.data, self.model, self.feature, cr) for cr in ("CR0", "CR2"))
        return one / other

    def sampler(self, n_clips: int | None, rng: np.random.Generator) -> PilotSlopeSampler:
        """Return a sampler of studies with at most this number of clips per subject and context.

        Resampled subjects vary less than new subjects. The slope is reduced by the same factor, so
        that its ratio to the standard error is right.
        """
        data, G = self.data, self.n_subjects
        goal = self.slope * self.shrinkage()
        column = data.X[:, self.feature] / data.scale[self.feature]
        y = data.y + (goal - self.observed()) * (column - column.mean())
        cells = [
            [
                np.flatnonzero((data.subject == g) & (data.context == c))
                for c in range(len(data.contexts))
            ]
            for g in range(G)
        ]
        return PilotSlopeSampler(self, y, cells, n_clips)


@dataclass(frozen=True, slots=True)
class PilotSlopeSampler:
    """Draws studies of the pilot's subjects."""

    pilot: PilotSlopes
    y: NDArray[np.float64]
    cells: list[list[NDArray[np.intp]]]
    n_clips: int | None

    def tests(self, n_subjects: int, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return the slopes and p-values of `n` studies, (2, n); NaN where there is none."""
        data = self.pilot.data
        scaled = (data.X - data.X.mean(axis=0)) / data.scale
        each = Products.of(scaled, self.y, data.context, len(data.contexts))
        who = rng.integers(len(self.cells), size=(n, n_subjects))
        whole = self.n_clips is None
        kept = [np.concatenate(own) for own in self.cells] if whole else []
        drawn = [[kept[g] if whole else self._rows_of(g, rng) for g in one] for one in who.tolist()]
        of_pilot = each.summed(kept) if whole else None
        parts = []
        step = studies_at_once(n_subjects, each.with_truth.shape[1])
        for start in range(0, n, step):
            if of_pilot is None:
                sums = Sums.of([each.summed(chosen) for chosen in drawn[start : start + step]])
            else:
                sums = of_pilot.of_subjects(who[start : start + step])
            found, good = slope_tests(sums, self.pilot.feature, each.largest)
            found[0] /= data.scale[self.pilot.feature]
            for at in np.flatnonzero(~good):
                found[:, at] = self._tested(drawn[start + int(at)])
            parts.append(found)
        return np.concatenate(parts, axis=1)

    def _tested(self, chosen: list[NDArray[np.intp]]) -> tuple[float, float]:
        """Fit a study from its rows."""
        data = self.pilot.data
        rows = np.concatenate(chosen)
        subject = np.repeat(np.arange(len(chosen)), [len(one) for one in chosen])
        like: Any = data.features, data.contexts
        study = _data(data.X[rows], self.y[rows], data.context[rows], subject, len(chosen), like)
        return tested(study, self.pilot.model, self.pilot.feature)

    def _rows_of(self, subject: int, rng: np.random.Generator) -> NDArray[np.intp]:
        most = self.n_clips
        parts = [
            own if most is None or len(own) <= most else rng.permutation(own)[:most]
            for own in self.cells[subject]
        ]
        return np.concatenate(parts)


@dataclass(frozen=True, slots=True)
class NormalSlopes:
    """A normal feature and truth, simulated from published numbers.

    ``truth = (slope + v) feature + u + e``. The feature has unit variance, v is the deviation of
    the subject's slope, and u + e has the standard deviation `residual_sd`.
    """

    slope: float
    residual_sd: float
    icc_feature: float
    icc_residual: float
    slope_sd: float

    def sampler(self, n_clips: int | None, rng: np.random.Generator) -> NormalSlopeSampler:
        """Return a sampler of studies with this number of clips per subject."""
        assert n_clips is not None
        return NormalSlopeSampler(self, n_clips)

    def worth(self, n_subjects: int, n_clips: int, rng: np.random.Generator) -> float:
        """Return the degrees of freedom of the standard error of a study of this size."""
        sampler = self.sampler(n_clips, rng)
        studies = (sampler.study(n_subjects, rng) for _ in range(_STUDIES))
        return df_of_spread(np.array([_error(one, _ROWS, 0) / one.scale[0] for one in studies]))


# Number of simulated studies of the published size.
_STUDIES = 100
# Name of the only context of published numbers.
_ROWS = "all rows"


@dataclass(frozen=True, slots=True)
class NormalSlopeSampler:
    """Draws studies of normal rows."""

    source: NormalSlopes
    n_clips: int

    def study(self, n_subjects: int, rng: np.random.Generator) -> CoefficientData:
        """Return the rows of one study."""
        one, shape = self.source, (n_subjects, self.n_clips)

        def parts(icc: float) -> NDArray[np.float64]:
            between = rng.standard_normal((n_subjects, 1))
            return np.asarray(
                np.sqrt(icc) * between + np.sqrt(1 - icc) * rng.standard_normal(shape)
            )

        x = parts(one.icc_feature)
        own = one.slope + one.slope_sd * rng.standard_normal((n_subjects, 1))
        y = own * x + one.residual_sd * parts(one.icc_residual)
        n = n_subjects * self.n_clips
        return _data(
            x.reshape(n, 1), y.reshape(n), np.zeros(n, dtype=np.int64),
            np.repeat(np.arange(n_subjects), self.n_clips), n_subjects,
            (("feature",), (_ROWS,)),
        )  # fmt: skip

    def tests(self, n_subjects: int, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return the slopes and p-values of `n` studies, (2, n); NaN where there is none."""
        parts = []
        rows = np.arange(n_subjects * self.n_clips).reshape(n_subjects, self.n_clips)
        step = studies_at_once(n_subjects, 2)
        for start in range(0, n, step):
            studies = [self.study(n_subjects, rng) for _ in range(min(step, n - start))]
            each = [Products.of(one.X, one.y, one.context, 1) for one in studies]
            both = Sums.of([own.summed(list(rows)) for own in each])
            found, good = slope_tests(both, 0, max(own.largest for own in each))
            for at in np.flatnonzero(~good):
                found[:, at] = tested(studies[int(at)], _ROWS, 0)
            parts.append(found)
        return np.concatenate(parts, axis=1)
