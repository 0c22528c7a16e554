"""The whole chain for one draw of subjects after another, in this process or in several."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.base.jobs import Shared, in_processes
from pyexpr.base.progress import progress as shown
from pyexpr.core.cluster_bootstrap import draw_counts
from pyexpr.modeling.chain.labels import Labels, Weights
from pyexpr.modeling.chain.nets import Net
from pyexpr.modeling.chain.performance import Cells
from pyexpr.modeling.chain.rated import Reliability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

# Draws in one task: many, so that starting a task costs little, and few, so that the progress bar
# moves.
_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Models:
    """What a process needs to fit the models of a draw, and to evaluate them.

    Attributes
    ----------
    nets : list of list of Net
        The nets of each term, which is a model with one way in which the context enters.
    x : (n, p) float64
        Mean ratings of the rows that are predicted.
    group : (n,) int64
        The factor model of the row's context.
    subject : (n,) int64
        Subject of each row, a position among those of the table.
    among : (S,) int64
        Position of each of those among all rated subjects.
    n_repeats : int
    labels_of : {"context", "pooled"}
        Which factor model makes the label of a context's own models.
    cells : Cells, optional
        The cells from which the metrics are computed.
    """

    nets: list[list[Net]]
    x: Array
    group: NDArray[np.int64]
    subject: NDArray[np.int64]
    among: NDArray[np.int64]
    n_repeats: int
    labels_of: str
    cells: Cells | None = None

    def labels(self, weight: Array, centre: Array) -> tuple[Array, Array]:
        """Return two labels of every row: by its context's factor model, and by that over all."""
        over_all = (self.x - centre[-1]) @ weight[-1]
        if self.labels_of == "pooled":
            return over_all, over_all
        own = ((self.x - centre[self.group]) * weight[self.group]).sum(axis=1)
        return own, over_all

    def predictions(
        self, counts: NDArray[np.int64], weight: Array, centre: Array
    ) -> tuple[Array, list[Array]]:
        """Return the predictions (terms, repeats, n) and the truth of each term, (n,)."""
        own, over_all = self.labels(weight, centre)
        found = np.full((len(self.nets), self.n_repeats, len(self.x)), np.nan)
        truth = []
        drawn = counts[self.among]
        for term, nets in enumerate(self.nets):
            truth.append(over_all if nets[0].pooled else own)
            for net in nets:
                y = truth[-1][net.rows]
                if np.isfinite(y).all() and drawn[net.plan.clusters].any():
                    net.predict(y, drawn, found[term])
        return found, truth

    def values(self, counts: NDArray[np.int64], weight: Array, centre: Array) -> Array:
        """Return every quantity of one draw, (Q,)."""
        assert self.cells is not None
        found, truth = self.predictions(counts, weight, centre)
        drawn = counts[self.among][self.subject].astype(np.float64)
        # Rows that were not drawn have weight 0, whether or not they have a prediction.
        found[:, :, drawn == 0] = 0.0
        return self.cells.values(found, truth, drawn)


def _some(counts: NDArray[np.int64], weight: Array, centre: Array, models: Models) -> Array:
    """Return the quantities of some draws, (Q, draws)."""
    found = [models.values(*one) for one in zip(counts, weight, centre, strict=True)]
    return np.stack(found, axis=1)


@dataclass(frozen=True, slots=True)
class Chain:
    """Every step of the analysis, and the subjects that go through all of them.

    Attributes
    ----------
    reliability : sequence of Reliability
    labels : Labels
    models : Models
    n_subjects : int
    seed : int
    """

    reliability: Sequence[Reliability]
    labels: Labels
    models: Models
    n_subjects: int
    seed: int

    def without_each(self, n_jobs: int, progress: bool | None) -> Array:
        """Return the quantities of the models without each subject, (Q, subjects)."""
        n = self.n_subjects
        counts = 1 - np.eye(n, dtype=np.int64)
        return self._fitted(counts, self.labels.without_each(), n_jobs, progress)

    def drawn(self, n: int, n_jobs: int, progress: bool | None) -> tuple[Array, Array, Array]:
        """Return n replicates of the reliability, the factor models and the models.

        Shapes are (reliabilities, n), (quantities, n) and (Q, n).
        """
        counts = draw_counts((self.n_subjects,), n, seed=self.seed)
        weights, factor = self.labels.drawn(counts)
        reliability = [one.values(counts.astype(np.float64)) for one in self.reliability]
        models = self._fitted(counts.astype(np.int64), weights, n_jobs, progress)
        return np.array(reliability).reshape(len(self.reliability), n), factor, models

    def _fitted(
        self, counts: NDArray[np.int64], weights: Weights, n_jobs: int, progress: bool | None
    ) -> Array:
        n = len(counts)
        if not n:
            assert self.models.cells is not None
            return np.empty((len(self.models.cells.first), 0))
        shared = Shared(self.models)
        starts = range(0, n, _AT_ONCE)
        tasks = [
            (counts[at : at + _AT_ONCE], weights.weight[at : at + _AT_ONCE],
             weights.centre[at : at + _AT_ONCE], shared)
            for at in starts
        ]  # fmt: skip
        results = in_processes(_some, tasks, n_jobs=n_jobs, what="refits models to drawn subjects")
        found: list[Array | None] = [None] * len(tasks)
        try:
            for number, values in self._bar(results, n, progress):
                found[number] = values
        finally:
            # End the processes, whether the work was completed, failed or was interrupted.
            results.close()
        return np.concatenate([one for one in found if one is not None], axis=1)

    def _bar(
        self, results: Iterator[tuple[int, Array]], n: int, progress: bool | None
    ) -> Iterator[tuple[int, Array]]:
        return shown(
            results, total=n, label="refitting", show=progress,
            steps=lambda one: one[1].shape[1],
        )  # fmt: skip
