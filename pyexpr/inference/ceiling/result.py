"""The result of `rating_ceiling`: the table, further intervals, and the figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from pyexpr.base.errors import DataError
from pyexpr.base.messages import say
from pyexpr.core.cluster_bootstrap import draw_counts
from pyexpr.figures.plotting import FULL_WIDTH_MM, drawn
from pyexpr.inference.ceiling.data import CONSISTENCY
from pyexpr.inference.ceiling.notes import (
    NOTE_CONSISTENCY,
    NOTE_INCOMPLETE,
    NOTE_ONE_WAY,
    NOTE_OTHER_TARGETS,
    NOTE_ROWS,
    NOTE_WEIGHTS,
    NOTE_WHAT,
)
from pyexpr.inference.ceiling.plot import ceiling_figure
from pyexpr.inference.ceiling.quantities import OF_MODEL, OF_TRUTH, CeilingSums
from pyexpr.resampling.result import Drawn, ReplicatedResult, in_pieces

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

NOT_ADJUSTED = say(
    "the table describes performance and tests nothing; compare_models() tests differences between "
    "models"
)
NO_ERRORS_WITHIN = say(
    "the ceiling has no studentized intervals, which require a standard error in every replicate; "
    "use {method='jackknife_t'} or {method='bca'}"
)
# Number of sums times replicates of one piece, which takes a fraction of a second.
_STEP = 2_000_000


@dataclass(frozen=True, slots=True)
class CeilingContext:
    """The sums of one context, and the subjects and rows on which they are based."""

    context: str
    sums: CeilingSums
    subjects: NDArray[np.int64]  # positions among all subjects
    n: int


@dataclass(frozen=True, slots=True)
class CeilingDraws:
    """Any range of the replicates of all contexts; each is a draw of the subjects of a context."""

    contexts: tuple[CeilingContext, ...]
    seed: int
    progress: bool | None = None

    @property
    def by_kernel(self) -> bool:
        """Return True: replicates are computed quickly, and are reproducible."""
        return True

    @property
    def clusters(self) -> Sequence[NDArray[np.int64]]:
        """Return the subjects of each context."""
        return [one.subjects for one in self.contexts]

    def replicates(self, first: int, n: int) -> Drawn:
        """Return replicates `first` to ``first + n - 1``."""
        rows = sum(_n_rows(one.sums) for one in self.contexts)
        values = np.empty((rows, n))

        def fill(at: int, size: int) -> None:
            start = 0
            for one in self.contexts:
                counts = draw_counts((len(one.subjects),), size, seed=self.seed, first=first + at)
                stop = start + _n_rows(one.sums)
                values[start:stop, at : at + size] = one.sums.replicates(counts)
                start = stop

        width = sum(one.sums.sums.size for one in self.contexts)
        done = in_pieces(n, fill, start=max(1, _STEP // max(width, 1)), show=self.progress)
        return Drawn(values[:, :done])

    def errors(self, first: int, n: int) -> NoReturn:
        """Refuse: there are no standard errors within replicates."""
        raise DataError(NO_ERRORS_WITHIN)


def _n_rows(sums: CeilingSums) -> int:
    return len(OF_TRUTH) + len(OF_MODEL) * sums.n_models


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class CeilingResult(ReplicatedResult):
    """The performance of models beside what the reliability of the ratings allows.

    Attributes
    ----------
    draws : CeilingDraws
    truth : str
        Column of the score that the models predict.
    models : tuple of str
    form : str
        Form of the reliability.
    n_questions : int
        Number of questions whose ratings the truth combines.
    n_left_out : int
        Rows in which the truth or a prediction is missing.
    n_other, n_incomplete : int
        Ratings left out: of targets that are not compared, and of raters who did not answer every
        question.
    """

    draws: CeilingDraws
    truth: str
    models: tuple[str, ...]
    form: str
    n_questions: int
    n_left_out: int
    n_other: int
    n_incomplete: int

    def tidy(self) -> pd.DataFrame:
        """Return one row per context and quantity.

        Columns: metric, term (the truth or the model), context, estimate, std_error, statistic and
        p_value (missing, because nothing is tested), df, conf_low, conf_high, method, n,
        n_clusters, n_undefined, reason. The metrics of the truth are ``reliability``, ``ceiling``
        (the highest correlation that any prediction can have with the truth) and ``rating_error``
        (the RMSE of a perfect prediction of the error-free score, in the unit of the truth); of
        each model ``correlation``, ``error_free_correlation``, ``rmse``, ``error_free_rmse`` and
        ``rating_share`` (the share of the mean squared error that is due to the ratings).
        """
        return ReplicatedResult.tidy(self)

    def keys(self) -> Mapping[str, Sequence[str]]:
        """Return metric, term and context of every row."""
        metric = [*OF_TRUTH, *(name for _ in self.models for name in OF_MODEL)]
        term = [self.truth] * len(OF_TRUTH)
        term += [model for model in self.models for _ in OF_MODEL]
        contexts = [one.context for one in self.draws.contexts]
        return {
            "metric": metric * len(contexts),
            "term": term * len(contexts),
            "context": [context for context in contexts for _ in metric],
        }

    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the bounds of the limits: errors and shares are not negative."""
        metrics = self.keys()["metric"]
        nonnegative = np.array([name in _NONNEGATIVE for name in metrics])
        return np.where(nonnegative, 0.0, -np.inf), np.full(len(metrics), np.inf)

    def counts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the numbers of rows and of subjects on which each row is based."""
        rows = [_n_rows(one.sums) for one in self.draws.contexts]
        return (
            np.repeat([one.n for one in self.draws.contexts], rows),
            np.repeat([len(one.subjects) for one in self.draws.contexts], rows),
        )

    def described(self, row: int) -> str:
        """Return a description of a row."""
        keys = self.keys()
        return say(
            "{metric:metric} of {term:model} in context {context:label}",
            **{name: column[row] for name, column in keys.items()},
        )

    def families(self) -> NoReturn:
        """Refuse: nothing is tested."""
        raise DataError(NOT_ADJUSTED)

    @drawn("models and contexts")
    def plot(
        self, *, names: Mapping[Any, str] | None = None, width_mm: float = FULL_WIDTH_MM
    ) -> Figure:
        """Draw the correlations of all models beside the ceiling, with a panel per context.

        The first row is the ceiling, the highest correlation with the truth that is possible. Each
        model has its correlation with the truth and that with the error-free score.

        Examples
        --------
        >>> import numpy as np, pandas as pd
        >>> from pyexpr.inference.ceiling.ceiling import rating_ceiling
        >>> rng = np.random.default_rng(1)
        >>> scores = rng.normal(size=(200, 1)) + rng.normal(size=(200, 4))
        >>> rated = pd.DataFrame({"clip": np.repeat(np.arange(200), 4), "rating": scores.ravel()})
        >>> rows = pd.DataFrame({
        ...     "clip": np.arange(200), "subject": np.arange(200) // 5, "y": scores.mean(axis=1),
        ...     "model": scores[:, 0],
        ... })
        >>> figure = rating_ceiling(
        ...     rows, rated, truth="y", predictions="model", targets="clip", cluster="subject"
        ... ).plot()
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['Ceiling', 'model']
        """
        return ceiling_figure(
            self.tidy(), self.truth, confidence=self.intervals.confidence, names=names,
            width_mm=width_mm,
        )  # fmt: skip

    def heading(self) -> str:
        """Return a sentence that says what was computed."""
        return (
            f"Performance beside the reliability of the ratings, {self.form}; "
            f"{100 * self.intervals.confidence:g} % intervals by {self.method}"
        )

    def notes(self) -> tuple[str, ...]:
        """Return what the quantities assume, and what was left out."""
        found: list[str] = [NOTE_WHAT]
        found.append(NOTE_CONSISTENCY if self.form == CONSISTENCY else NOTE_ONE_WAY)
        if self.n_questions > 1:
            found.append(NOTE_WEIGHTS(questions=self.n_questions))
        for note, n in (
            (NOTE_ROWS, self.n_left_out),
            (NOTE_OTHER_TARGETS, self.n_other),
            (NOTE_INCOMPLETE, self.n_incomplete),
        ):
            if n:
                found.append(note(n=n))
        return tuple(found)

    def provenance(self) -> dict[str, Any]:
        """Return form, method, confidence, replicates, seed, counts and versions."""
        return {
            **ReplicatedResult.provenance(self),
            "truth": self.truth,
            "models": list(self.models),
            "form": self.form,
            "n_questions": self.n_questions,
        }


_NONNEGATIVE = frozenset({"rating_error", "rmse", "error_free_rmse", "rating_share"})
