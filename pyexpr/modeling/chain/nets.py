"""Elastic nets of the chain, tuned and refitted on drawn subjects by the kernel.

Folds, outer and inner, are made of subjects once, before any is drawn or left out: all copies of
a subject are in one fold, and the folds of the others do not change when one is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.errors import DataError
from pyexpr.base.messages import say
from pyexpr.core.elastic_net import TuningPlan, tuned_fits
from pyexpr.modeling.elastic_net import ElasticNetRegressor
from pyexpr.modeling.fitting.plan import FEATURE, SEPARATE, Part, evaluated_contexts
from pyexpr.modeling.fitting.specs import Model
from pyexpr.modeling.fitting.table import Table
from pyexpr.modeling.splits import subject_folds
from pyexpr.modeling.tuned_net import checked_grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Net:
    """One model with one way in which the context enters, for one context or over all contexts.

    Attributes
    ----------
    rows : (m,) int64
        Rows of the table.
    pooled : bool
        Whether it predicts the label over all contexts.
    plan : TuningPlan
        The plan for these rows and the subjects of the table, with a part for each outer fold.
    moments : (centre, spread)
        Of the features.
    test : list of (rows,) int64
        For each part, the rows that it predicts, as positions among `rows`.
    repeat : (P,) int64
    """

    rows: NDArray[np.int64]
    pooled: bool
    plan: TuningPlan
    moments: tuple[Array, Array]
    test: list[NDArray[np.int64]]
    repeat: NDArray[np.int64]

    def predict(self, y: Array, counts: NDArray[np.int64], out: Array) -> None:
        """Predict all rows by models of drawn subjects, counts (S,), into `out`, (repeats, n).

        `y` is the label of these rows, (m,). Predictions are NaN if there is no model.
        """
        slope, intercept = tuned_fits(self.plan, self.moments, y, counts)
        for part, test in enumerate(self.test):
            predicted = self.plan.x[test] @ slope[part] + intercept[part]
            out[self.repeat[part], self.rows[test]] = predicted


def nets_of(
    models: Sequence[Model], strategies: Sequence[str], parts: Sequence[Part], table: Table
) -> dict[tuple[str, str], list[Net]]:
    """Return the nets of every model and way in which the context enters, in order."""
    found: dict[tuple[str, str], list[Net]] = {}
    for model in models:
        check_net(model)
        for strategy in strategies:
            contexts: list[int | None] = [None]
            if strategy == SEPARATE:
                contexts = [*sorted({c for one in parts for c in evaluated_contexts(table, one)})]
            own = [_net(model.template, strategy, context, parts, table) for context in contexts]
            found[model.name, strategy] = own
    return found


def check_net(model: Model) -> None:
    """Raise `DataError` unless a model is an elastic net with a penalty above 0."""
    net = model.template
    if not isinstance(net, ElasticNetRegressor):
        raise DataError(
            say(
                "model {name:label} is {kind}, but the whole analysis is resampled with elastic "
                "nets only, {call ElasticNetRegressor()}, which are fitted thousands of times in "
                "seconds; {call compare_procedures()} refits any model, with the label as given",
                r="model {name:label} is {kind}, but the whole analysis is resampled with elastic "
                'nets only, `model_spec("elastic_net")`, which are fitted thousands of times in '
                "seconds; {call compare_procedures()} refits any model, with the label as given",
                name=model.name,
                kind=type(net).__name__,
            )
        )
    if checked_grid(net.alpha, "alpha", high=np.inf)[0] == 0:
        raise DataError(
            say(
                "model {name:label}: {alpha=} must be above 0, because a fit to fewer subjects "
                "without a penalty may have no unique solution",
                name=model.name,
            )
        )


def _net(net: Any, strategy: str, context: int | None, parts: Sequence[Part], table: Table) -> Net:
    rows = np.arange(len(table.y))
    if context is not None:
        rows = np.flatnonzero(table.contexts == context)
    X = table.X.to_numpy(dtype=np.float64)[rows]
    if strategy == FEATURE:
        X = np.hstack([X, table.indicators().to_numpy(dtype=np.float64)[rows]])
    place = np.full(len(table.y), -1)
    place[rows] = np.arange(len(rows))
    S = len(table.cluster_labels)
    alphas = tuple(checked_grid(net.alpha, "alpha", high=np.inf))
    ratios = tuple(checked_grid(net.l1_ratio, "l1_ratio", high=1.0))
    train, test, owner = [], [], []
    inner: list[tuple[NDArray[np.bool_], NDArray[np.bool_]]] = []
    for at, part in enumerate(parts):
        own = part.train[place[part.train] >= 0]
        there = np.zeros(S, dtype=bool)
        there[table.clusters[own]] = True
        train.append(there)
        test.append(place[part.test][place[part.test] >= 0])
        if len(alphas) * len(ratios) == 1:
            continue
        # The folds that the regressor itself would make from the rows to which it is fitted.
        fold = np.full(S, -1)
        fold[table.clusters[own]] = subject_folds(
            table.clusters[own], min(int(net.n_folds), int(there.sum())), net.seed
        )
        for k in range(int(fold.max()) + 1):
            inner.append((there & (fold != k), fold == k))
            owner.append(at)
    plan = TuningPlan(
        x=np.ascontiguousarray(X), clusters=np.ascontiguousarray(table.clusters[rows]),
        alphas=alphas, l1_ratios=ratios, train=np.array(train, dtype=np.int64),
        inner_train=np.array([one for one, _ in inner], dtype=np.int64).reshape(-1, S),
        inner_test=np.array([one for _, one in inner], dtype=np.int64).reshape(-1, S),
        owner=np.array(owner, dtype=np.int64),
    )  # fmt: skip
    repeat = np.array([part.repeat for part in parts])
    return Net(rows, strategy != SEPARATE, plan, plan.moments(), test, repeat)
