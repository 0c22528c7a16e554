"""The user's table: the roles of its columns, its complete rows, and checks of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.contexts import ALL
from pyexpr.base.errors import ColumnError, DataError, counted, listed
from pyexpr.base.messages import say
from pyexpr.base.tables import (
    as_frame,
    called,
    check_flat_columns,
    label_codes,
    numeric_column,
    refuse_categories,
    require_columns,
)
from pyexpr.inference.arguments import checked_names
from pyexpr.modeling.fitting.labels import (
    CLASSIFICATION,
    REGRESSION,
    Label,
    check_classes,
    kind_of_label,
    read_label,
    refuse_encoded_class,
)

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from pyexpr.base.foreign import FrameLike

TABLE = "the data"


@dataclass(frozen=True, slots=True)
class Names:
    """The names of the columns of the user's table."""

    label: str
    label_pooled: str
    features: tuple[str, ...]
    cluster: str
    context: str | None
    clip: str | None
    adjust_for: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Covariate:
    """A column to adjust for; categories have one indicator column each."""

    name: str
    labels: tuple[Any, ...] | None

    @property
    def columns(self) -> list[str]:
        """Return the names of its columns among the features."""
        if self.labels is None:
            return [self.name]
        return [f"{self.name}={label}" for label in self.labels]


@dataclass(frozen=True, slots=True)
class Table:
    """The complete rows, in the order of the user's table.

    Attributes
    ----------
    names : Names
    X : DataFrame of float64
        Features, then the columns of the covariates. The index counts from 0.
    y, y_pooled : (n,) float64, or of classes
    clusters : (n,) int64
        Positions in `cluster_labels`.
    cluster_labels : list
        Sorted.
    contexts : (n,) int64
        Positions in `context_labels`.
    context_labels : list
        Sorted, or in the order of an ordered Categorical; without contexts only "all".
    clips : list
        Label of each row; without labels the number of the row in the user's table, from 1.
    covariates : list of Covariate
    left_out : DataFrame
        Cluster, context, clip and reason of each row that is not complete.
    classes : list, or None
        Sorted; None if the label is not a class.
    """

    names: Names
    X: pd.DataFrame
    y: NDArray[Any]
    y_pooled: NDArray[Any]
    clusters: NDArray[np.int64]
    cluster_labels: list[Any]
    contexts: NDArray[np.int64]
    context_labels: list[Any]
    clips: list[Any]
    covariates: list[Covariate]
    left_out: pd.DataFrame
    classes: list[Any] | None = None

    @property
    def kind(self) -> str:
        """Whether models are classifiers or regressors."""
        return REGRESSION if self.classes is None else CLASSIFICATION

    def indicators(self) -> pd.DataFrame:
        """Return a column of 0 and 1 for each context."""
        import pandas as pd

        assert self.names.context is not None
        covariate = Covariate(self.names.context, tuple(self.context_labels))
        values = np.eye(len(self.context_labels))[self.contexts]
        refuse_doubled(covariate.columns, list(self.X.columns))
        return pd.DataFrame(values, columns=covariate.columns)


def read_names(
    *,
    label: Any,
    label_pooled: Any,
    features: Any,
    cluster: Any,
    context: Any,
    clip: Any,
    adjust_for: Any,
) -> Names:
    """Return the names of the columns; each has one role, and no label occurs twice."""
    given = {"label": label, "cluster": cluster, "context": context, "clip": clip}
    given["label_pooled"] = label if label_pooled is None else label_pooled
    for argument, name in given.items():
        optional = argument in ("context", "clip")
        if not isinstance(name, str) and not (optional and name is None):
            raise DataError(
                say(
                    "{@argument=} must be the name of a column, not {name!r}",
                    argument=argument,
                    name=name,
                )
            )
    names = Names(
        features=checked_names(features, argument=say("{features=}")),
        adjust_for=checked_names(adjust_for, argument=say("{adjust_for=}")),
        **given,
    )
    if not names.features:
        raise DataError(say("{features=} must name at least one column"))
    for argument, columns in (("features", names.features), ("adjust_for", names.adjust_for)):
        doubled = [name for name in dict.fromkeys(columns) if columns.count(name) > 1]
        if doubled:
            raise DataError(
                say(
                    "{@argument=} names {names} more than once",
                    argument=argument,
                    names=listed(doubled),
                )
            )
        _refuse_parts(columns, names, argument)
    both = [name for name in names.adjust_for if name in names.features]
    if both:
        raise DataError(
            say(
                "column {name:label} is in {features=} and in {adjust_for=}; leave out one",
                name=both[0],
            )
        )
    _refuse_same(names)
    return names


def _refuse_parts(columns: Iterable[str], names: Names, argument: str) -> None:
    for name in columns:
        if name in (names.label, names.label_pooled):
            raise DataError(
                say(
                    "column {name:label} is in {@argument=} and is the label; a model must not "
                    "use the label as a feature, so leave it out",
                    name=name,
                    argument=argument,
                )
            )
        for part in ("cluster", "context", "clip"):
            if name == getattr(names, part):
                hint = say("; use {context_as='feature'} to include it in the models")
                raise DataError(
                    say(
                        "column {name:label} is in {@argument=} and is the {part}; leave it out"
                        "{hint}",
                        name=name,
                        argument=argument,
                        part=part,
                        hint=hint if part == "context" else "",
                    )
                )


def _refuse_same(names: Names) -> None:
    parts = {part: getattr(names, part) for part in ("label", "cluster", "context", "clip")}
    seen: dict[str, str] = {}
    for part, name in parts.items():
        if name is not None and seen.setdefault(name, part) != part:
            raise DataError(
                say(
                    "column {name:label} is used as both {@first=} and {@second=}; name two "
                    "different columns",
                    name=name,
                    first=seen[name],
                    second=part,
                )
            )


def kind_in(data: FrameLike, names: Names, kind: Any) -> str:
    """Return the requested kind of models, or the one that the label requires."""
    frame = as_frame(data, what=TABLE)
    check_flat_columns(frame, what=TABLE)
    found = kind_of_label(frame, names.label, kind, what=TABLE)
    if found == CLASSIFICATION and names.label_pooled != names.label:
        raise DataError(
            say(
                "{label_pooled=} is only for labels that are numbers, but {label!r} contains "
                "classes; leave it out",
                label=names.label,
            )
        )
    return found


def read_table(data: FrameLike, names: Names, kind: str = REGRESSION) -> Table:
    """Return the complete rows of the user's table, and the others with the reason."""
    import pandas as pd

    frame = as_frame(data, what=TABLE)
    check_flat_columns(frame, what=TABLE)
    requested = [
        names.label, names.label_pooled, *names.features, names.cluster, names.context, names.clip,
        *names.adjust_for,
    ]  # fmt: skip
    require_columns(frame, [name for name in requested if name is not None], what=TABLE)
    if not len(frame):
        raise DataError(f"{called(frame, TABLE)} has no rows")
    refuse_categories(frame, names.features, what=TABLE)
    clusters, cluster_labels = _labels(frame, names.cluster)
    contexts, context_labels = np.zeros(len(frame), dtype=np.int64), [ALL]
    if names.context is not None:
        contexts, context_labels = _labels(frame, names.context)
        if ALL in map(str, context_labels):
            raise DataError(
                f"a context may not be called {ALL!r}, which denotes all contexts together; "
                f"rename it in column {names.context!r}"
            )
    clips = _clips(frame, names, clusters, contexts, context_labels)
    labels = {
        name: read_label(frame, name, kind, what=TABLE)
        for name in dict.fromkeys([names.label, names.label_pooled])
    }
    numbers = {name: label.numbers for name, label in labels.items()}
    numbers |= {name: numeric_column(frame, name, what=TABLE) for name in names.features}
    _refuse_copies(numbers, labels, names)
    covariates, columns = _read_covariates(frame, names)
    reason = _reasons(numbers, columns, names, len(frame))
    kept = np.array([not why for why in reason], dtype=bool)
    context_of = [context_labels[code] for code in contexts]
    left_out = pd.DataFrame(
        {
            "cluster": [cluster_labels[clusters[i]] for i in np.flatnonzero(~kept)],
            "context": [context_of[i] for i in np.flatnonzero(~kept)],
            "clip": [clips[i] for i in np.flatnonzero(~kept)],
            "reason": [reason[i] for i in np.flatnonzero(~kept)],
        }
    )
    if not kept.any():
        common = left_out["reason"].value_counts().index[0]
        raise DataError(f"no row of {called(frame, TABLE)} is complete: most often {common}")
    X = {name: numbers[name] for name in names.features}
    for covariate, values in zip(covariates, columns, strict=True):
        refuse_doubled(covariate.columns, list(X))
        X |= dict(zip(covariate.columns, values.T, strict=True))
    clusters, cluster_labels = _present(clusters[kept], cluster_labels)
    contexts, context_labels = _present(contexts[kept], context_labels)
    y = labels[names.label].values(kept)
    classes = None
    if kind == CLASSIFICATION:
        classes = np.unique(y).tolist()
        check_classes(classes, names.label, len(y))
    return Table(
        names, pd.DataFrame(X).loc[kept].reset_index(drop=True), y,
        labels[names.label_pooled].values(kept), clusters, cluster_labels, contexts,
        context_labels, [clip for clip, there in zip(clips, kept, strict=True) if there],
        covariates, left_out, classes,
    )  # fmt: skip


def _labels(frame: pd.DataFrame, name: str) -> tuple[NDArray[np.int64], list[Any]]:
    return label_codes(frame[name], name=name, what=called(frame, TABLE), keep_order=True)


def _present(codes: NDArray[np.int64], labels: list[Any]) -> tuple[NDArray[np.int64], list[Any]]:
    """Return codes and labels without labels that occur in no row."""
    present, again = np.unique(codes, return_inverse=True)
    return again.astype(np.int64), [labels[code] for code in present]


def _clips(
    frame: pd.DataFrame,
    names: Names,
    clusters: NDArray[np.int64],
    contexts: NDArray[np.int64],
    context_labels: Sequence[Any],
) -> list[Any]:
    """Return the label of every row, which identifies the row with its cluster and context."""
    if names.clip is None:
        return list(range(1, len(frame) + 1))
    codes, labels = _labels(frame, names.clip)
    key = (clusters * len(context_labels) + contexts) * len(labels) + codes
    first: dict[int, int] = {}
    doubled = [
        (first[one], row)
        for row, one in enumerate(key.tolist())
        if first.setdefault(one, row) != row
    ]
    if doubled:
        one, other = doubled[0]
        shown = ", ".join(
            f"{name}={str(frame[name].iloc[one])!r}"
            for name in (names.cluster, names.context, names.clip)
            if name is not None
        )
        raise DataError(
            f"{counted(len(doubled), 'row')} of {called(frame, TABLE)} "
            f"{'repeats' if len(doubled) == 1 else 'repeat'} a clip; the first are rows {one + 1} "
            f"and {other + 1}, {shown}"
        )
    return [labels[code] for code in codes]


def _refuse_copies(
    numbers: dict[str, NDArray[np.float64]], labels: dict[str, Label], names: Names
) -> None:
    """Raise `DataError` if a feature is the label under another name."""
    for label, read in labels.items():
        truth = numbers[label]
        if read.classes is not None:
            refuse_encoded_class(read, label, {name: numbers[name] for name in names.features})
            continue
        for name in names.features:
            both = ~np.isnan(truth) & ~np.isnan(numbers[name])
            varies = both.any() and np.ptp(truth[both]) > 0
            if varies and np.array_equal(truth[both], numbers[name][both]):
                raise DataError(
                    f"feature {name!r} equals the label {label!r} in every row; a model must "
                    "not use the label as a feature, so leave it out"
                )


def _read_covariates(
    frame: pd.DataFrame, names: Names
) -> tuple[list[Covariate], list[NDArray[np.float64]]]:
    """Return the covariates and their values, (n, columns) each; missing values are NaN."""
    found, values = [], []
    for name in names.adjust_for:
        column = frame[name]
        if _is_numeric(column):
            found.append(Covariate(name, None))
            values.append(numeric_column(frame, name, what=TABLE)[:, None])
            continue
        there = ~column.isna().to_numpy(dtype=bool)
        if not there.any():
            raise ColumnError(f"column {name!r} of {called(frame, TABLE)} has no value in any row")
        codes, labels = label_codes(
            column[there], name=name, what=called(frame, TABLE), keep_order=True
        )
        found.append(Covariate(name, tuple(labels)))
        indicators = np.full((len(frame), len(labels)), np.nan)
        indicators[there] = np.eye(len(labels))[codes]
        values.append(indicators)
    return found, values


def _is_numeric(column: pd.Series[Any]) -> bool:
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        return False
    if column.dtype == object:
        # Whole numbers take this form in columns with missing values.
        there = column[~column.isna()]
        return all(isinstance(one, Real) and not isinstance(one, bool) for one in there)
    return bool(pd.api.types.is_numeric_dtype(column.dtype))


def _reasons(
    numbers: dict[str, NDArray[np.float64]],
    covariates: list[NDArray[np.float64]],
    names: Names,
    n: int,
) -> list[str]:
    """Return why each row is left out; "" if it is complete."""
    reason = [""] * n
    columns: list[tuple[str, str, NDArray[np.float64]]] = [
        ("label", name, numbers[name]) for name in dict.fromkeys([names.label, names.label_pooled])
    ]
    columns += [("feature", name, numbers[name]) for name in names.features]
    columns += [
        ("covariate", name, values[:, 0])
        for name, values in zip(names.adjust_for, covariates, strict=True)
    ]
    for kind, name, values in columns:
        for row in np.flatnonzero(np.isnan(values)).tolist():
            reason[row] = reason[row] or f"{kind} {name!r} is missing"
    return reason


def refuse_doubled(new: Iterable[str], there: Sequence[str]) -> None:
    """Raise `DataError` if an indicator column would have the name of another column."""
    doubled = [name for name in new if name in there]
    if doubled:
        raise DataError(
            f"the indicator column {doubled[0]!r} would have the same name as a feature; rename "
            "the feature"
        )
