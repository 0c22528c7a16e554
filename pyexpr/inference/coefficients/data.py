"""The rows for coefficients by context: read, checked and scaled once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.arrays import unmasked
from pyexpr.base.contexts import ALL
from pyexpr.base.errors import ColumnError, DataError, listed
from pyexpr.base.foreign import as_column, as_pandas, as_values
from pyexpr.base.messages import say
from pyexpr.base.tables import (
    as_frame,
    column_or_array,
    label_codes,
    numeric_column,
    refuse_another_order,
    refuse_categories,
)
from pyexpr.inference.clusters import read_clusters
from pyexpr.inference.memberships import columns_of, names_two
from pyexpr.resampling.memberships import Memberships

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from pyexpr.inference.clusters import ClusterColumns

_TABLE = "X"
# A column is constant if its spread is only a rounding error relative to its mean.
_CONSTANT = 1e-12


@dataclass(frozen=True, slots=True)
class CoefficientData:
    """Complete rows, with their subjects and contexts.

    Attributes
    ----------
    X : ndarray, shape (n, p)
        Features in their own units.
    y, y_tested : ndarray, shape (n,)
        Label of the contexts' weights; label of the pooled weights and of all tests.
    context, subject : ndarray of int, shape (n,)
        Positions among the labels.
    scale : ndarray, shape (p,)
        Standard deviation pooled within contexts (divisor n); 1 for features constant in
        every context.
    constant : ndarray of bool, shape (C, p)
        Which features are constant in which contexts.
    memberships : Memberships, optional
        Given if rows belong to two clusters. Subjects are then cells, which are pairs of members.
    """

    X: NDArray[np.float64]
    y: NDArray[np.float64]
    y_tested: NDArray[np.float64]
    features: tuple[str, ...]
    context: NDArray[np.int64]
    contexts: tuple[str, ...]
    subject: NDArray[np.int64]
    subjects: tuple[Any, ...]
    cluster_name: str
    n_dropped: int
    scale: NDArray[np.float64]
    constant: NDArray[np.bool_]
    memberships: Memberships | None = None

    @property
    def n_clusters(self) -> int:
        """The number of subjects; with two crossed memberships, the smaller of the two."""
        return len(self.subjects) if self.memberships is None else min(self.memberships.sizes)

    @property
    def models(self) -> tuple[str, ...]:
        """The contexts, and "all" if there are several."""
        return (*self.contexts, ALL) if len(self.contexts) > 1 else self.contexts

    def clusters_in(self, rows: NDArray[np.int64]) -> int:
        """Return the number of subjects with some of these rows."""
        cells = np.unique(self.subject[rows])
        if self.memberships is None:
            return len(cells)
        return min(self.memberships.of_cells(cells).sizes)

    def rows(self, model: str) -> NDArray[np.int64]:
        """Return the rows of a context, or all of them."""
        if model == ALL:
            return np.arange(len(self.y))
        return np.flatnonzero(self.context == self.contexts.index(model))

    def label(self, model: str) -> NDArray[np.float64]:
        """Return the label to which the weights of a model are fitted."""
        return self.y_tested if model == ALL else self.y


def read_data(
    X: Any,
    y: ArrayLike,
    *,
    context: str | ArrayLike,
    cluster: ClusterColumns,
    y_pooled: ArrayLike | None,
    rows: ArrayLike | None,
) -> CoefficientData:
    """Read and check everything; rows with a missing feature or label are left out."""
    import pandas as pd

    if cluster is None:
        raise DataError(
            say("{cluster=} must name the subjects: the clips of a subject are not independent")
        )
    if context is None:
        raise DataError(
            say(
                "{context=} must name the context of each row, by a column of {argument X} or "
                "by values; with only one context, use a constant column"
            )
        )
    X = unmasked(X)
    bare = isinstance(X, (np.ndarray, list))
    if isinstance(X, np.ndarray):
        if X.ndim != 2:
            raise DataError(
                say(
                    "{argument X} must have rows and columns, but its shape is {shape}",
                    shape=X.shape,
                )
            )
        X = pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])])
    frame = as_frame(X, what=_TABLE)
    if bare:
        # An array has no row labels; it takes those of the Series beside it, if there is one.
        for other in (context, *columns_of(cluster, len(frame)), y, y_pooled):
            if isinstance(other, pd.Series) and len(other) == len(frame):
                frame = frame.set_axis(other.index, axis=0)
                break
    frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    doubled = frame.columns[frame.columns.duplicated()]
    if len(doubled):
        raise ColumnError(
            f"{_TABLE} has columns whose names are the same as text, such as 0 and '0': "
            f"{listed(doubled)}; rename one"
        )
    given = columns_of(cluster, len(frame))
    two = names_two(cluster, len(frame))
    named = [value for value in (context, *given) if isinstance(value, str)]
    context_name, where = column_or_array(frame, context, argument="context", what=_TABLE)
    who = [column_or_array(frame, one, argument="cluster", what=_TABLE)[1] for one in given]
    kept = _selected(rows, frame)
    features = tuple(name for name in frame.columns if name not in named)
    if not features or not len(frame):
        raise DataError(say("{argument X} must have at least one row and one feature"))
    refuse_categories(frame, features, what=_TABLE)
    values = np.column_stack([numeric_column(frame, name, what=_TABLE) for name in features])
    label = _label(y, frame, "y")
    tested = label if y_pooled is None else _label(y_pooled, frame, "y_pooled")
    complete = ~(np.isnan(values).any(axis=1) | np.isnan(label) | np.isnan(tested))
    if not (kept & complete).any():
        raise DataError("no row used has all features and the label")
    used = np.flatnonzero(kept & complete)
    codes, labels = label_codes(where.iloc[used], name=context_name, what=_TABLE, keep_order=True)
    inside = [one.iloc[used] for one in who]
    clusters = read_clusters(frame.iloc[used], tuple(inside) if two else inside[0], what=_TABLE)
    cluster_name, subject, subjects, memberships = clusters
    names = tuple(str(one) for one in labels)
    if ALL in names:
        raise ColumnError(
            f"column {context_name!r} of {_TABLE} has a context named 'all', which stands for all "
            "rows together; rename it"
        )
    for c, name in enumerate(names):
        present = len(np.unique(subject[codes == c]))
        if present < 2 and len(names) == 1:
            raise DataError(
                f"the rows used have {present} subject; at least two are required to estimate how "
                "coefficients vary between subjects"
            )
        if present < 2:
            raise DataError(
                f"context {name!r} has rows of {present} subject; the variation of its "
                "coefficients between subjects cannot be estimated; leave it out, or add "
                "subjects"
            )
    values, label = values[used], label[used]
    # With a single label, both names refer to the same object, which comparisons rely on.
    tested = label if y_pooled is None else tested[used]
    scale, constant = pooled_scale(values, codes, len(names))
    return CoefficientData(
        values, label, tested, features, codes, names, subject, tuple(subjects), cluster_name,
        int(kept.sum()) - len(used), scale, constant, memberships,
    )  # fmt: skip


def as_fitted(
    model: Any, X: Any, *, context: str | ArrayLike | None, cluster: str | ArrayLike
) -> tuple[Any, str | ArrayLike]:
    """Return X with the columns of a fitted `ContextualRegressor`, and the position of contexts.

    Columns are matched by name if both have names, otherwise by position.
    """
    X = as_pandas(X, what=_TABLE)
    if not hasattr(X, "columns"):
        X = np.asarray(X, dtype=None if isinstance(X, np.ndarray) else object)
    own = model.context
    seen = [str(name) for name in getattr(model, "feature_names_in_", ())]
    names = [str(name) for name in getattr(X, "columns", ())]
    if isinstance(own, (int, np.integer)):
        position = int(own) % model.n_features_in_
        present = names or [f"x{j}" for j in range(X.shape[-1])]
        if not seen and position >= len(present):
            raise ColumnError(
                say(
                    "{value} has {n} columns, but {context=}",
                    value=_TABLE,
                    n=len(present),
                    context=own,
                )
            )
        own = seen[position] if seen else present[position]
    where = own if context is None else context
    if where is None:
        raise DataError(
            say("{context=} is missing, and the model does not name a column of {argument X}")
        )
    named = [value for value in (where, cluster) if isinstance(value, str)]
    features = [name for name in seen if name != own]
    taken = [name for name in named if name in features]
    if taken:
        raise ColumnError(
            say(
                "the model was fitted with {names} as a feature, so it cannot be "
                "{cluster=} or {context=} here; fit the model without it",
                names=listed(taken),
            )
        )
    if seen and names:
        missing = [name for name in (*features, *named) if name not in names]
        others = [name for name in names if name not in {*features, *named, own}]
        if missing:
            raise ColumnError(
                f"{_TABLE} has no column {listed(missing)}; the model was fitted on {listed(seen)}"
            )
        if others:
            raise ColumnError(
                f"{_TABLE} has columns that the model was not fitted on: {listed(others)}; leave "
                "them out"
            )
        X = X.set_axis(names, axis=1)[[*features, *dict.fromkeys(named)]]
    elif X.ndim == 2:
        here = names or [f"x{j}" for j in range(X.shape[1])]
        count = len([name for name in here if name not in named])
        wanted = model.n_features_in_ - (model.context is not None)
        if count != wanted:
            raise ColumnError(
                f"{_TABLE} has {count} features, but the model was fitted on {wanted}"
            )
    return X, where


def _selected(rows: ArrayLike | None, frame: pd.DataFrame) -> NDArray[np.bool_]:
    n = len(frame)
    refuse_another_order(rows, frame, argument="rows", what=_TABLE)
    if rows is None:
        return np.ones(n, dtype=bool)
    chosen = np.asarray(as_column(rows, argument=say("{rows=}")))
    if chosen.dtype != bool or chosen.shape != (n,):
        raise DataError(
            say(
                "{rows=} must be one {value True} or {value False} per row of "
                "{argument X} ({n}), as in rows=part == 'train', but it is {dtype} of "
                "shape {shape}",
                n=n,
                dtype=chosen.dtype,
                shape=chosen.shape,
            )
        )
    return chosen


def _label(y: ArrayLike, frame: pd.DataFrame, name: str) -> NDArray[np.float64]:
    import pandas as pd

    refuse_another_order(y, frame, argument=name, what=_TABLE)
    own = as_values(y, argument=name)
    array = np.asarray(own)
    if array.ndim != 1 and array.shape[1:] != (1,):
        raise DataError(f"{name} must be one value per row, but its shape is {array.shape}")
    # The array of a Series marks missing values; in a NumPy array they may be objects.
    flat = own.array if isinstance(own, pd.Series) else array.reshape(-1)
    values: pd.DataFrame = pd.DataFrame({name: flat})
    if len(values) != len(frame):
        raise DataError(
            say(
                "{name} has {n} values, but {argument X} has {n_2} rows",
                name=name,
                n=len(values),
                n_2=len(frame),
            )
        )
    return numeric_column(values, name, what="the labels")


def pooled_scale(
    X: NDArray[np.float64], codes: NDArray[np.int64], n_contexts: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return `scale` and `constant` of `CoefficientData`, from the features (n, p)."""
    squares = np.zeros(X.shape[1])
    constant = np.zeros((n_contexts, X.shape[1]), dtype=bool)
    for c in range(n_contexts):
        block = X[codes == c]
        deviation = block - block.mean(axis=0)
        own = np.einsum("ij,ij->j", deviation, deviation)
        level = np.abs(block).max(axis=0, initial=0.0)
        constant[c] = np.sqrt(own / len(block)) <= _CONSTANT * np.maximum(level, 1e-300)
        squares += np.where(constant[c], 0.0, own)
    return np.where(squares > 0, np.sqrt(squares / len(X)), 1.0), constant
