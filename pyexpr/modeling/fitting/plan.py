"""The training, tuning and test subjects, which are the same for all models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyexpr.base.checks import whole_number
from pyexpr.base.contexts import ALL
from pyexpr.base.errors import DataError, listed
from pyexpr.base.messages import say
from pyexpr.core.streams import checked_seed
from pyexpr.inference.arguments import checked_names
from pyexpr.modeling.fitting.table import Table
from pyexpr.modeling.splits import split_subjects, subject_folds

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

SEPARATE, POOLED, FEATURE = "separate", "pooled", "feature"
STRATEGIES = (SEPARATE, POOLED, FEATURE)
CROSS_VALIDATION, SPLIT = "cross_validation", "split"


@dataclass(frozen=True, slots=True)
class Part:
    """The rows to which one set of models is fitted, on which it is tuned, and which it predicts.

    Attributes
    ----------
    repeat, fold : int
        From 0, as `subject_folds` counts.
    seed : int
        Seed of the folds and the models of this repeat.
    train, tune, test : arrays of int
        Rows; `tune` is None if tuning uses inner folds of the training rows.
    words : str
        The name of the part, for a sentence.
    without : tuple of int
        What is also left out if a fit is repeated: the code of a subject, or a fold.
    tuned_as : array of int, optional
        Rows whose subjects are assigned to inner folds, of which `train` is a part: a subject that
        is left out does not change the inner folds of the others. None: `train`.
    """

    repeat: int
    fold: int
    seed: int
    train: NDArray[np.int64]
    tune: NDArray[np.int64] | None
    test: NDArray[np.int64]
    words: str
    without: tuple[int, ...] = ()
    tuned_as: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class Scheme:
    """The evaluation of models, as specified by the user."""

    name: str
    folds: int
    repeats: int
    inner_folds: int
    proportions: tuple[float, float, float]
    seed: int


def read_scheme(
    scheme: Any, folds: Any, repeats: Any, inner_folds: Any, proportions: Any, seed: Any
) -> Scheme:
    """Check the numbers of the scheme, and return it."""
    if scheme not in (CROSS_VALIDATION, SPLIT):
        raise DataError(
            say(
                "{scheme=} must be {first!r} or {second!r}, not {given!r}",
                first=CROSS_VALIDATION,
                second=SPLIT,
                given=scheme,
            )
        )
    repeats = whole_number(repeats, argument="repeats", least=1)
    if scheme == SPLIT and repeats > 1:
        raise DataError(
            say(
                "{repeats=} repeats a cross-validation, but {scheme='split'} has no folds; "
                "leave it out, or use {scheme='cross_validation'}"
            )
        )
    return Scheme(
        scheme,
        whole_number(folds, argument="folds", least=2),
        repeats,
        whole_number(inner_folds, argument="inner_folds", least=2),
        # `split_subjects` checks the proportions.
        proportions,
        checked_seed(seed),
    )


def read_strategies(context_as: Any, table: Table) -> tuple[tuple[str, ...], bool]:
    """Return the ways in which the context enters, and whether there is only one context."""
    requested = tuple(dict.fromkeys(checked_names(context_as, argument=say("{context_as=}"))))
    unknown = [name for name in requested if name not in STRATEGIES]
    if unknown or not requested:
        raise DataError(
            say(
                "{context_as=} must be any of {names}, not {given!r}",
                names=listed(STRATEGIES),
                given=context_as,
            )
        )
    if len(table.context_labels) > 1:
        return requested, False
    return (POOLED,), requested != (POOLED,)


def plan(
    table: Table, scheme: Scheme, strategies: Sequence[str]
) -> tuple[list[Part], pd.DataFrame]:
    """Return the parts, and the table of the subjects in each."""
    if scheme.name == SPLIT:
        parts, who = _split(table, scheme)
    else:
        parts, who = _folds(table, scheme)
    check_seen(table, parts, strategies)
    return parts, who


def check_seen(table: Table, parts: Sequence[Part], strategies: Sequence[str]) -> None:
    """Raise `DataError` if models would have to predict something that they have not seen.

    That is a context, a category of a covariate, or a class.
    """
    for part in parts:
        _refuse_unseen(table, part, strategies)
        if table.classes is not None:
            _refuse_unseen_classes(table, part, strategies)


def seed_of(seed: int, repeat: int) -> int:
    """Return the seed of a repeat: the first has that of the user, and each further one adds 1."""
    return (seed + repeat) % 2**64


def _split(table: Table, scheme: Scheme) -> tuple[list[Part], pd.DataFrame]:
    clusters = [table.cluster_labels[code] for code in table.clusters]
    contexts = table.contexts if len(table.context_labels) > 1 else None
    named = None if contexts is None else _named([table.context_labels[c] for c in contexts], table)
    split = split_subjects(
        clusters, context=named, proportions=scheme.proportions, seed=scheme.seed
    )
    part = split.part(clusters)
    train, validation, test = (
        np.flatnonzero(part == name) for name in ("train", "validation", "test")
    )
    tune = validation if len(validation) else None
    who = split.tidy().rename(columns={"subject": "cluster"})
    return [Part(0, 0, scheme.seed, train, tune, test, "the training part")], who


def _named(values: list[Any], table: Table) -> pd.Series[Any]:
    import pandas as pd

    return pd.Series(values, name=table.names.context)


def _folds(table: Table, scheme: Scheme) -> tuple[list[Part], pd.DataFrame]:
    import pandas as pd

    n_subjects = len(table.cluster_labels)
    if n_subjects < scheme.folds:
        raise DataError(
            say(
                "{folds=} requires at least as many subjects ({cluster}), but there are "
                "complete rows of only {n}",
                folds=scheme.folds,
                cluster=table.names.cluster,
                n=n_subjects,
            )
        )
    parts, who = [], []
    for repeat in range(scheme.repeats):
        seed = seed_of(scheme.seed, repeat)
        fold = subject_folds(
            pd.Series(table.cluster_labels).iloc[table.clusters], scheme.folds, seed
        )
        for k in range(scheme.folds):
            words = f"fold {k}" if scheme.repeats == 1 else f"fold {k} of repeat {repeat}"
            train, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
            parts.append(Part(repeat, k, seed, train, None, test, words))
        of_cluster = np.empty(n_subjects, dtype=np.int64)
        of_cluster[table.clusters] = fold
        who.append(
            pd.DataFrame({"repeat": repeat, "cluster": table.cluster_labels, "fold": of_cluster})
        )
    return parts, pd.concat(who, ignore_index=True)


def _refuse_unseen(table: Table, part: Part, strategies: Sequence[str]) -> None:
    """Raise `DataError` for rows to predict of a context or category that no model has seen."""
    n = len(table.context_labels)
    there, requested = (
        np.bincount(table.contexts[rows], minlength=n) for rows in (part.train, part.test)
    )
    least = {SEPARATE: 2, FEATURE: 1}
    for strategy in strategies:
        for c in np.flatnonzero((requested > 0) & (there < least.get(strategy, 0))):
            rows = table.contexts == c
            n_subjects = len(np.unique(table.clusters[rows]))
            raise DataError(
                say(
                    "context {context:label} has rows in {part}, but {n:count row} to which a "
                    "model could be fitted (it occurs in {n_subjects:count subject}); leave "
                    "out the context, add subjects, or use {context_as='pooled'}",
                    context=str(table.context_labels[c]),
                    part=_to_predict(part),
                    n=int(there[c]),
                    n_subjects=n_subjects,
                )
            )
    at = len(table.names.features)
    for covariate in table.covariates:
        columns = table.X.iloc[:, at : at + len(covariate.columns)].to_numpy()
        at += len(covariate.columns)
        if covariate.labels is None:
            continue
        unseen = columns[part.test].any(axis=0) & ~columns[part.train].any(axis=0)
        for k in np.flatnonzero(unseen):
            raise DataError(
                f"category {str(covariate.labels[k])!r} of column {covariate.name!r} is only in "
                f"{_to_predict(part)}, so no model that predicts it was fitted to it; leave out "
                "its rows, or merge it with another category"
            )


def _refuse_unseen_classes(table: Table, part: Part, strategies: Sequence[str]) -> None:
    """Raise `DataError` if a class is to be predicted, or tuned on, that no model has seen."""
    predicted = [(_to_predict(part), part.test)]
    if part.tune is not None:
        predicted.append(("the validation part", part.tune))
    groups: list[tuple[str, NDArray[np.bool_]]] = []
    if SEPARATE in strategies:
        groups = [
            (f"in context {str(table.context_labels[c])!r} ", table.contexts == c)
            for c in evaluated_contexts(table, part)
        ]
    if {POOLED, FEATURE} & set(strategies):
        groups.append(("", np.ones(len(table.y), dtype=bool)))
    for where, rows in groups:
        train = part.train[rows[part.train]]
        there = set(table.y[train].tolist())
        for words, others in predicted:
            unseen = sorted(set(table.y[others[rows[others]]].tolist()) - there)
            if unseen:
                raise DataError(_of_unseen(table, unseen[0], where, rows, words))
        if len(there) < 2:
            raise DataError(
                say(
                    "the rows that {model} is fitted to {where}are all of class {label:label} "
                    "of label {name:label}, but a classifier requires two; {remedy}",
                    model=_fitted_for(part),
                    where=where,
                    label=str(min(there)),
                    name=table.names.label,
                    remedy=_remedy(where),
                )
            )


def _of_unseen(table: Table, label: Any, where: str, rows: NDArray[np.bool_], words: str) -> str:
    mine = rows & (table.y == label)
    n_subjects = len(np.unique(table.clusters[mine]))
    return say(
        "class {label:label} of label {name:label} has {where}rows in {words}, but none to "
        "which a model could be fitted (it occurs {where}in {n_subjects:count subject}, "
        "{n:count row}); {remedy}",
        label=str(label),
        name=table.names.label,
        where=where,
        words=words,
        n_subjects=n_subjects,
        n=int(mine.sum()),
        remedy=_remedy(where),
    )


def _fitted_for(part: Part) -> str:
    return f"the model of {part.words}" if part.words.startswith("fold") else "a model"


def _remedy(where: str) -> str:
    if where:
        return say(
            "leave out the context, merge the class with another, or use {context_as='pooled'}"
        )
    return "leave out its rows, merge it with another class, or add subjects"


def _to_predict(part: Part) -> str:
    return part.words if part.words.startswith("fold") else "the test part"


def evaluated_contexts(table: Table, part: Part) -> list[int]:
    """Return the contexts that have rows to predict."""
    return sorted(set(table.contexts[part.test].tolist()))


def label_of_context(table: Table, context: int | None) -> Any:
    """Return the name of a context; None means all contexts."""
    return ALL if context is None else table.context_labels[context]
